//! A marked card number, paid with in every way, is nowhere afterwards: not in the database, its
//! log, the process's own log, the metrics or any page.

use std::fs::File;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Gateway, florin};
use crate::shop::{HOSTED, SERVER, Shop, hidden, text};

/// Numbers that pass the Luhn check and are in no other test.
const MARKED: [&str; 2] = ["4929123456789015", "5425233430109903"];
const CODE: &str = "8642";

#[test]
fn a_card_number_is_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (out, err) = (folder.path().join("out.log"), folder.path().join("err.log"));
    let mut command = florin();
    command
        .args([
            "sandbox",
            "--log-level",
            "debug",
            "--listen",
            "127.0.0.1:0",
            "--data",
        ])
        .arg(&data)
        .stdout(Stdio::from(File::create(&out).unwrap()))
        .stderr(Stdio::from(File::create(&err).unwrap()));
    let mut gateway = Gateway::wait(command, &data);
    let known: Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("sandbox.json")).unwrap()).unwrap();
    let key = text(&known["numipay"], "api_key").to_owned();
    let mut client = gateway
        .client()
        .with_key("")
        .with_headers(&[("x-api-key", &key)]);
    let json = "application/json";
    let mut seen = Vec::new();
    let mut send = |path: &str, kind: &str, body: &str| {
        let answer = client.post(path, kind, body).unwrap();
        seen.push(answer.head.clone());
        seen.push(answer.body.clone());
        answer
    };
    // Server to server: well-formed, with a wrong check digit, with a broken envelope, without the
    // header for JSON, at a path that does not take it, far too large.
    for (number, marked) in MARKED.iter().enumerate() {
        let mut body = Shop::with_card(&format!("FINDABLE-{number}"), marked);
        body["request"]["credit_card"]["verification_value"] = CODE.into();
        let paid = send(SERVER, json, &body.to_string());
        assert!(paid.body.contains("successful"), "{}", paid.body);
        let whole = body.to_string();
        send(HOSTED, json, &whole);
        send("/gateway/v1/payouts", json, &whole);
        send(SERVER, "text/plain", &whole);
        send(SERVER, json, &whole[..whole.len() - 1]);
        send(SERVER, json, &format!("{whole}{}", " ".repeat(70_000)));
        body["request"]["credit_card"]["number"] = wrong(marked).into();
        let refused = send(SERVER, json, &body.to_string());
        assert_eq!(refused.status, 400);
        body["request"]["tracking_id"] = marked[..4].into();
        body["request"]["credit_card"]["exp_year"] = "2020".into();
        send(SERVER, json, &body.to_string());
    }
    // The cashier: wrong first, then right, then once more.
    let form = "application/x-www-form-urlencoded";
    let made = send(
        HOSTED,
        json,
        &Shop::request("FINDABLE-page", "10.00").to_string(),
    );
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let url = text(&made, "url");
    let path = url.split_once("/cashier/").unwrap().1;
    let page = format!("/cashier/{path}?provider=sim-card");
    for number in [wrong(MARKED[0]), MARKED[0].to_owned(), MARKED[0].to_owned()] {
        let once = "a token";
        let body = format!("action=pay&once={once}&number={number}&expiry=12%2F30&code=864&name=A");
        send(&page, form, &body);
    }
    for path in [
        &page,
        "/metrics",
        "/gateway/v1/transactions",
        "/sandbox/deliveries",
    ] {
        let answer = client.get(path).unwrap_or_else(|_| {
            client = gateway
                .client()
                .with_key("")
                .with_headers(&[("x-api-key", &key)]);
            client.get("/metrics").unwrap()
        });
        seen.push(answer.body);
    }
    assert_eq!(gateway.signal("-TERM"), Some(0));
    let mut found = false;
    let mut files = vec![out, err];
    files.extend(
        std::fs::read_dir(&data)
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    for file in files.into_iter().filter(|file| file.is_file()) {
        let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        found |= text.contains("FINDABLE");
        seen.push(text);
    }
    assert!(found, "the search would find something");
    let _ = hidden;
    for text in &seen {
        for marked in MARKED {
            let (plain, bad) = (&marked[..12], &wrong(marked)[..12]);
            let spaced = format!("{} {} {}", &marked[..4], &marked[4..8], &marked[8..12]);
            for secret in [
                plain,
                bad,
                spaced.as_str(),
                &format!("\"{CODE}\""),
                "code=864",
            ] {
                assert!(
                    !text.contains(secret),
                    "{secret} in {}",
                    &text[..200.min(text.len())]
                );
            }
        }
    }
}

/// The number with its last digit made wrong.
fn wrong(number: &str) -> String {
    let (head, last) = number.split_at(number.len() - 1);
    format!("{head}{}", (last.parse::<u32>().unwrap() + 1) % 10)
}
