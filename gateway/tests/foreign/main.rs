//! Deliveries signed by our own code, for libraries of other makers to verify: `run` beside this
//! file hands them over. Here it is only proved that we agree with ourselves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use dialects::Signing;
use dialects::standard::{self, secret};
use dialects::verify::{Delivery, Scheme, verify};
use domain::{Secret, Span, Timestamp};
use serde_json::{Value, json};

/// What is verified, under which secret, and whether that must succeed.
struct Case {
    name: String,
    secret: Secret,
    accept: bool,
    body: String,
    signed_with: Vec<Secret>,
    at: Timestamp,
}

fn key(byte: u8) -> Secret {
    secret::mint(&[byte; 32])
}

/// A secret of another length than ours.
fn key_of(bytes: usize) -> Secret {
    let text = dialects::base64::encode(&vec![0xa5; bytes]);
    Secret::new(format!("{}{text}", secret::PREFIX))
}

/// The bodies of all facts, as the golden files have them.
fn bodies() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialects/src/standard/golden");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let named = paths.into_iter().map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (
            name,
            fs::read_to_string(path).unwrap().trim_end().to_owned(),
        )
    });
    named.collect()
}

fn cases(now: Timestamp) -> Vec<Case> {
    let minutes = Span::from_minutes;
    let all = bodies();
    let body = &all.iter().find(|(name, _)| name == "bill-paid").unwrap().1;
    let case = |name: &str, secret: Secret, accept: bool| Case {
        name: name.to_owned(),
        secret,
        accept,
        body: body.clone(),
        signed_with: vec![key(1)],
        at: now,
    };
    let rotating = |case: Case| Case {
        signed_with: vec![key(2), key(1)],
        ..case
    };
    let at = |case: Case, at: Timestamp| Case { at, ..case };
    let mut cases = vec![
        case("sample", key(1), true),
        case("another secret", key(2), false),
        rotating(case("the new secret while it is replaced", key(2), true)),
        rotating(case("the old secret while it is replaced", key(1), true)),
        rotating(case("neither secret", key(3), false)),
        at(
            case("four minutes old", key(1), true),
            now.minus(minutes(4)),
        ),
        at(
            case("six minutes old", key(1), false),
            now.minus(minutes(6)),
        ),
        at(case("a day old", key(1), false), now.minus(minutes(1_440))),
        at(
            case("six minutes ahead", key(1), false),
            now.plus(minutes(6)),
        ),
    ];
    for bytes in [24, 25, 26, 64] {
        let signed_with = vec![key_of(bytes)];
        let name = format!("a secret of {bytes} bytes");
        cases.push(Case {
            signed_with,
            ..case(&name, key_of(bytes), true)
        });
    }
    for (name, body) in &all {
        cases.push(Case {
            body: body.clone(),
            ..case(name, key(1), true)
        });
    }
    let odd = r#"{"type":"bill.paid","data":{"text":"Zoë 東京 💳 \u2028 \\ \" \/ 1.10"}}"#;
    cases.push(Case {
        body: odd.to_owned(),
        ..case("letters of all kinds", key(1), true)
    });
    cases
}

fn signed(case: &Case) -> Vec<(String, String)> {
    let signing = Signing {
        secrets: &case.signed_with,
        url: "https://shop.example/hook",
        endpoint: None,
        delivery: "dlv_019bc01e3c007a3bb7c2d1e0f9a8b7c6",
        topic: "bill.paid",
        attempt: 1,
        body: &case.body,
        now: case.at,
    };
    let sent = standard::sign(&signing).unwrap();
    assert_eq!(sent.body, case.body, "the body goes out as it is");
    sent.headers
}

fn as_json(case: &Case) -> Value {
    let headers: serde_json::Map<String, Value> = signed(case)
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    json!({
        "name": case.name,
        "secret": case.secret.expose(),
        "accept": case.accept,
        "headers": headers,
        "body": case.body,
    })
}

#[test]
fn deliveries_for_other_libraries_verify_here_too() {
    let now = gateway::clock::Clock::System.now();
    let cases = cases(now);
    for case in &cases {
        let delivery = Delivery {
            headers: signed(case),
            body: case.body.clone().into_bytes(),
            ..Delivery::default()
        };
        let verdict = verify(Scheme::Standard, &delivery, &case.secret, Some(now));
        let fresh = verdict.warnings.is_empty();
        assert_eq!(
            verdict.valid && fresh,
            case.accept,
            "{}: {verdict:?}",
            case.name
        );
    }
    let folder = std::env::var_os("FLORIN_FOREIGN")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let all: Vec<Value> = cases.iter().map(as_json).collect();
    let text = json!({ "deliveries": all }).to_string();
    fs::write(folder.join("deliveries.json"), text).unwrap();
}
