//! Golden files: `src/numipay/golden/*.http`, in the form that HitPay's `README.md` describes.
//!
//! `UPDATE_GOLDEN=1` writes the second part of each file anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dialects::numipay::Numipay;
use dialects::{Dialect, Site, Target};
use domain::Refusal;
use http::Response;
use http::request::Parts;

use super::fixtures;

/// One golden request.
pub struct Golden {
    pub name: String,
    pub head: Parts,
    pub body: Vec<u8>,
    pub site: Site,
    request: String,
    expected: String,
    path: PathBuf,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/numipay/golden")
}

/// Tests run side by side: nobody reads a file that is just being written anew.
static FILES: Mutex<()> = Mutex::new(());

fn files() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Every request.
pub fn requests() -> Vec<Golden> {
    let _files = FILES.lock();
    let is_output = |name: &String| {
        ["reply-", "refusal-", "webhook-"]
            .iter()
            .any(|kind| name.starts_with(kind))
    };
    let mut all: Vec<Golden> = files()
        .into_iter()
        .filter(|name| !is_output(name))
        .map(|name| read(&folder().join(name)))
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(all.len() > 90, "{} golden requests", all.len());
    all
}

fn read(path: &Path) -> Golden {
    let text = fs::read_to_string(path).unwrap();
    let (request, expected) = text.split_once("\n---\n").unwrap_or((text.trim_end(), ""));
    let live = request.lines().any(|line| line == "# live");
    let mut lines = request.lines().skip_while(|line| line.starts_with('#'));
    let start: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let [method, target, "HTTP/1.1"] = start[..] else {
        panic!("{}: {start:?}", path.display())
    };
    let mut builder = http::Request::builder().method(method).uri(target);
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        builder = builder.header(name, value);
    }
    let body = lines.collect::<Vec<_>>().join("\n").into_bytes();
    Golden {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        head: builder.body(()).unwrap().into_parts().0,
        body,
        site: Site {
            insecure_targets: !live,
            ..fixtures::site()
        },
        request: request.to_owned(),
        expected: expected.to_owned(),
        path: path.to_owned(),
    }
}

fn settle(path: &Path, request: &str, expected: &str, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let _files = FILES.lock();
        fs::write(path, format!("{request}\n---\n{actual}")).unwrap();
        return;
    }
    let name = path.file_name().unwrap().to_string_lossy();
    assert!(
        expected == actual,
        "{name} differs; if the new text is right, run with UPDATE_GOLDEN=1\n{actual}"
    );
}

fn settle_output(name: &str, request: &str, actual: &str) {
    let path = folder().join(format!("{name}.http"));
    let text = fs::read_to_string(&path).unwrap_or_default();
    let (stored, expected) = text.split_once("\n---\n").unwrap_or_default();
    if std::env::var_os("UPDATE_GOLDEN").is_none() {
        assert_eq!(stored, request, "{name}");
    }
    settle(&path, request, expected, actual);
}

/// Status, headers and exact bytes.
fn print(response: &Response<Vec<u8>>) -> String {
    let mut text = format!("HTTP/1.1 {}\n", response.status().as_u16());
    for (name, value) in response.headers() {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    let body = std::str::from_utf8(response.body()).unwrap();
    format!("{text}\n{body}\n")
}

#[test]
fn requests_give_their_calls_and_refusals() {
    for golden in requests() {
        let made = Numipay.decode(&golden.site, fixtures::NOW, &golden.head, &golden.body);
        let actual = match made {
            Ok(incoming) => format!("{:#?}\n", incoming.call),
            Err(refusal) => print(&Numipay.refuse(&golden.site, &golden.head, &refusal)),
        };
        settle(&golden.path, &golden.request, &golden.expected, &actual);
    }
}

#[test]
fn replies_give_their_bytes() {
    for (name, request, reply) in fixtures::replies() {
        let (method, target) = request.split_once(' ').unwrap();
        let head = fixtures::head(method, target);
        let response = Numipay.encode(&fixtures::site(), &head, &reply);
        let request = format!("{request} HTTP/1.1");
        settle_output(&format!("reply-{name}"), &request, &print(&response));
    }
}

/// Every refusal at the paths where its words differ.
fn refusals() -> Vec<(String, &'static str, Refusal)> {
    let mut all = Vec::new();
    for refusal in Refusal::examples() {
        let kind = match &refusal {
            Refusal::NotFound(object, _) => format!("-{object:?}").to_lowercase(),
            _ => String::new(),
        };
        let name = format!("refusal-{}{kind}", refusal.name());
        all.push((name, "/gateway/v1/payouts/approve", refusal));
    }
    for (name, path, refusal) in [
        ("not_allowed-cards", "/gateway/v1/payments/s2s", {
            Refusal::NotAllowed("This account may not send card data".to_owned())
        }),
        (
            "no_method-direct",
            "/gateway/v1/payments/direct",
            Refusal::NoMethod,
        ),
        (
            "no_method-hosted",
            "/gateway/v1/payments/hosted",
            Refusal::NoMethod,
        ),
        (
            "unknown_method-list",
            "/gateway/v1/transactions",
            Refusal::UnknownMethod,
        ),
    ] {
        all.push((format!("refusal-{name}"), path, refusal));
    }
    all
}

#[test]
fn refusals_give_their_bytes() {
    for (name, path, refusal) in refusals() {
        let head = fixtures::head("POST", path);
        let response = Numipay.refuse(&fixtures::site(), &head, &refusal);
        settle_output(&name, &format!("POST {path} HTTP/1.1"), &print(&response));
    }
}

/// The webhooks of every event that gives one.
fn webhooks() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (target, kind) in [(None, ""), (Some("https://shop.example/hook"), "-one-off")] {
        for event in fixtures::events(target) {
            for hook in Numipay.webhooks(&event) {
                let name = event.fact.as_str().replace('.', "-");
                let sent = fixtures::sign(fixtures::PASSWORD, &hook.body);
                let url = match &hook.to {
                    Target::Url(url) => url.as_str(),
                    Target::Endpoints => "(every endpoint registered for the topic)",
                };
                let text = format!(
                    "topic: {}\nurl: {url}\nsubject: {}\ncontent-type: {}\n{:?}\n\n{}\n",
                    hook.topic, hook.subject, hook.content_type, sent.headers, sent.body
                );
                assert_eq!(hook.body, sent.body, "sent as it is stored");
                all.push((format!("webhook-{name}{kind}"), text));
            }
        }
    }
    all
}

#[test]
fn webhooks_give_their_bytes() {
    for (name, text) in webhooks() {
        let comment = "# Signed with the password of the reference document's example.";
        settle_output(&name, comment, &text);
    }
}

#[test]
fn every_golden_file_is_used() {
    let mut used = BTreeSet::new();
    used.extend(
        requests()
            .iter()
            .map(|golden| format!("{}.http", golden.name)),
    );
    let replies = fixtures::replies();
    used.extend(
        replies
            .iter()
            .map(|(name, ..)| format!("reply-{name}.http")),
    );
    used.extend(refusals().iter().map(|(name, ..)| format!("{name}.http")));
    used.extend(webhooks().iter().map(|(name, _)| format!("{name}.http")));
    for name in files() {
        assert!(used.contains(&name), "nothing uses golden/{name}");
    }
}
