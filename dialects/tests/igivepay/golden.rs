//! Golden files: `src/igivepay/golden/*.http`, in the form that HitPay's `README.md` describes.
//!
//! `UPDATE_GOLDEN=1` writes the second part of each file anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dialects::igivepay::IGivePay;
use dialects::{Dialect, Site, Target};
use domain::{CardRefusal, Refusal};
use http::Response;
use http::request::Parts;

use super::fixtures::{self, ID, NOW, site};

/// A request as a file has it.
pub struct Golden {
    pub name: String,
    pub head: Parts,
    pub body: Vec<u8>,
    pub site: Site,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/igivepay/golden")
}

/// Every file: name without ending, first part, second part.
fn files() -> Vec<(String, String, String)> {
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        let (first, second) = text.split_once("\n---\n").unwrap();
        let name = name.strip_suffix(".http").unwrap().to_owned();
        (name, first.to_owned(), second.to_owned())
    };
    let mut all: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| read(entry.unwrap()))
        .collect();
    all.sort();
    all
}

fn is_output(name: &str) -> bool {
    ["reply-", "refusal-", "webhook-"]
        .iter()
        .any(|kind| name.starts_with(kind))
}

fn request(name: &str, text: &str) -> Golden {
    let live = text.lines().any(|line| line == "# live");
    let mut lines = text.lines().skip_while(|line| line.starts_with('#'));
    let start: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let [method, target, "HTTP/1.1"] = start[..] else {
        panic!("{name}: {start:?}")
    };
    let mut builder = http::Request::builder().method(method).uri(target);
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (key, value) = line.split_once(": ").unwrap();
        builder = builder.header(key, value);
    }
    Golden {
        name: name.to_owned(),
        head: builder.body(()).unwrap().into_parts().0,
        body: lines.collect::<Vec<_>>().join("\n").into_bytes(),
        site: Site {
            insecure_targets: !live,
            ..site()
        },
    }
}

/// Every request.
pub fn requests() -> Vec<Golden> {
    let all: Vec<Golden> = files()
        .iter()
        .filter(|(name, ..)| !is_output(name))
        .map(|(name, first, _)| request(name, first))
        .collect();
    assert!(all.len() > 80, "{} golden requests", all.len());
    all
}

fn print(response: &Response<Vec<u8>>) -> String {
    let mut text = format!("HTTP/1.1 {}\n", response.status().as_u16());
    for (name, value) in response.headers() {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    format!(
        "{text}\n{}\n",
        std::str::from_utf8(response.body()).unwrap()
    )
}

/// What each output file is about and what the dialect writes: name → request line, text.
fn outputs() -> BTreeMap<String, (String, String)> {
    let mut all = BTreeMap::new();
    for (name, line, reply) in fixtures::replies() {
        let (method, target) = line.split_once(' ').unwrap();
        let response = IGivePay.encode(&site(), &fixtures::head(method, target), &reply);
        let entry = (format!("{line} HTTP/1.1"), print(&response));
        all.insert(format!("reply-{name}"), entry);
    }
    let verify = format!("/api/v1/payments/{ID}");
    let mut refusals: Vec<(String, String, Refusal)> = Refusal::examples()
        .into_iter()
        .map(|refusal| (refusal.name().to_owned(), verify.clone(), refusal))
        .collect();
    let missing = Refusal::NotFound(domain::Object::Bill, ID.to_owned());
    refusals.push((
        "not_found-perform".to_owned(),
        format!("{verify}/perform"),
        missing,
    ));
    for (name, path, refusal) in refusals {
        let response = IGivePay.refuse(&site(), &fixtures::head("POST", &path), &refusal);
        let entry = (format!("POST {path} HTTP/1.1"), print(&response));
        all.insert(format!("refusal-{name}"), entry);
    }
    for (kind, event) in fixtures::events() {
        for hook in IGivePay.webhooks(&event) {
            let Target::Url(url) = &hook.to else {
                panic!("{:?}", hook.to)
            };
            let sent = fixtures::sign("the client secret", &hook.body);
            assert_eq!(sent.body, hook.body, "sent as it is stored");
            let text = format!(
                "topic: {}\nurl: {url}\nsubject: {}\ncontent-type: {}\n{:?}\n\n{}\n",
                hook.topic, hook.subject, hook.content_type, sent.headers, sent.body
            );
            let comment = "# Signed with `the client secret`.".to_owned();
            all.insert(format!("webhook-processed{kind}"), (comment, text));
        }
    }
    all
}

#[test]
fn every_file_says_what_is_made_of_it() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wanted: BTreeMap<String, (String, String)> = outputs();
    for (name, first, _) in files().iter().filter(|(name, ..)| !is_output(name)) {
        let golden = request(name, first);
        let made = IGivePay.decode(&golden.site, NOW, &golden.head, &golden.body);
        let actual = match made {
            Ok(incoming) => format!("{:#?}\n", incoming.call),
            Err(refusal) => print(&IGivePay.refuse(&golden.site, &golden.head, &refusal)),
        };
        wanted.insert(name.clone(), (first.clone(), actual));
    }
    if update {
        for (name, (first, second)) in &wanted {
            let path = folder().join(format!("{name}.http"));
            fs::write(path, format!("{first}\n---\n{second}")).unwrap();
        }
        return;
    }
    for (name, first, second) in files() {
        let right = wanted
            .remove(&name)
            .unwrap_or_else(|| panic!("nothing uses golden/{name}"));
        assert_eq!(
            right,
            (first, second),
            "{name}: if it is right, run with UPDATE_GOLDEN=1"
        );
    }
    assert_eq!(
        wanted.keys().collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "no file"
    );
}

#[test]
fn codes_are_those_of_the_contract() {
    let code = |refusal: Refusal| {
        let head = fixtures::head("POST", &format!("/api/v1/payments/{ID}/perform"));
        let response = IGivePay.refuse(&site(), &head, &refusal);
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        (
            response.status().as_u16(),
            body["errorCode"].as_u64().unwrap(),
        )
    };
    for (refusal, wanted) in [
        (Refusal::NoMethod, (400, 100)),
        (Refusal::Unauthenticated, (401, 100)),
        (
            Refusal::NotFound(domain::Object::Bill, ID.to_owned()),
            (400, 101),
        ),
        (Refusal::Expired, (400, 102)),
        (Refusal::Failed, (400, 102)),
        (Refusal::AlreadyPaid, (400, 103)),
        (Refusal::Card(CardRefusal::Unknown), (400, 104)),
        (Refusal::Card(CardRefusal::NotUsable), (400, 105)),
        (Refusal::Card(CardRefusal::Expired), (400, 106)),
        (Refusal::Card(CardRefusal::NotEnough), (400, 107)),
        (Refusal::Card(CardRefusal::Elsewhere), (400, 108)),
        (Refusal::Unreadable("x".to_owned()), (400, 109)),
        (
            Refusal::TooManyCalls(domain::Span::from_seconds(9)),
            (429, 110),
        ),
        (
            Refusal::Unavailable(domain::Span::from_seconds(1)),
            (503, 199),
        ),
        // It may have been deducted: 199 would promise that it was not.
        (Refusal::Unsure(domain::Span::from_seconds(1)), (503, 103)),
    ] {
        assert_eq!(code(refusal.clone()), wanted, "{refusal:?}");
    }
}
