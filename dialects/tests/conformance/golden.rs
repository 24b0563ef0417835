//! Golden files: `src/<dialect>/golden/*.http`.
//!
//! A file is a request (comments, request line, headers, empty line, body), a line `---`, and what
//! the dialect makes of it: the call, or the answer that refuses it. In files named `reply-…`,
//! `refusal-…` and `webhook-…` the part after the line is what the fixture of that name is
//! written as. `# live` as a comment switches plain-http and local targets off.
//!
//! `UPDATE_GOLDEN=1` writes the second part of each file anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dialects::{Dialect, Site, Target};
use domain::{Refusal, Secret};
use http::Response;
use http::request::Parts;

use super::fixtures;

/// One golden file.
pub struct Golden {
    pub name: String,
    pub head: Parts,
    pub body: Vec<u8>,
    pub site: Site,
    request: String,
    expected: String,
    path: PathBuf,
}

fn folder(dialect: &dyn Dialect) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(dialect.profile().name)
        .join("golden")
}

/// Tests run side by side: nobody reads a file that is just being written anew.
static FILES: Mutex<()> = Mutex::new(());

/// Every request of a dialect.
pub fn requests(dialect: &dyn Dialect) -> Vec<Golden> {
    let _files = FILES.lock();
    let mut all: Vec<Golden> = files(dialect)
        .into_iter()
        .filter(|name| !is_output(name))
        .map(|name| read(&folder(dialect).join(name)))
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(
        !all.is_empty(),
        "{} has golden requests",
        dialect.profile().name
    );
    all
}

fn files(dialect: &dyn Dialect) -> Vec<String> {
    let entries = fs::read_dir(folder(dialect)).expect("a golden folder");
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn is_output(name: &str) -> bool {
    ["reply-", "refusal-", "webhook-"]
        .iter()
        .any(|kind| name.starts_with(kind))
}

fn read(path: &Path) -> Golden {
    let text = fs::read_to_string(path).unwrap();
    let (request, expected) = text.split_once("\n---\n").unwrap_or((text.trim_end(), ""));
    let live = request.lines().any(|line| line == "# live");
    let message: Vec<&str> = request
        .lines()
        .skip_while(|line| line.starts_with('#'))
        .collect();
    let mut lines = message.iter();
    let start: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let [method, target, "HTTP/1.1"] = start[..] else {
        panic!("{}: {start:?}", path.display())
    };
    let mut builder = http::Request::builder().method(method).uri(target);
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        builder = builder.header(name, value);
    }
    let body = lines.copied().collect::<Vec<_>>().join("\n").into_bytes();
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

/// Compares, or writes anew.
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

fn settle_output(dialect: &dyn Dialect, name: &str, request: &str, actual: &str) {
    let path = folder(dialect).join(format!("{name}.http"));
    let text = fs::read_to_string(&path).unwrap_or_default();
    let (stored, expected) = text.split_once("\n---\n").unwrap_or_default();
    if std::env::var_os("UPDATE_GOLDEN").is_none() {
        assert_eq!(stored, request, "{name}");
    }
    settle(&path, request, expected, actual);
}

/// Status, headers and exact bytes.
pub fn print(response: &Response<Vec<u8>>) -> String {
    let mut text = format!("HTTP/1.1 {}\n", response.status().as_u16());
    for (name, value) in response.headers() {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    format!(
        "{text}\n{}\n",
        std::str::from_utf8(response.body()).unwrap()
    )
}

#[test]
fn requests_give_their_calls_and_refusals() {
    for dialect in fixtures::SHAPED {
        for golden in requests(*dialect) {
            let made = dialect.decode(&golden.site, fixtures::NOW, &golden.head, &golden.body);
            let actual = match made {
                Ok(incoming) => format!("{incoming:#?}\n"),
                Err(refusal) => print(&dialect.refuse(&golden.site, &golden.head, &refusal)),
            };
            settle(&golden.path, &golden.request, &golden.expected, &actual);
        }
    }
}

#[test]
fn replies_give_their_bytes() {
    for dialect in fixtures::SHAPED {
        for (name, request, reply) in fixtures::replies() {
            let (method, target) = request.split_once(' ').unwrap();
            let head = fixtures::head(method, target);
            let response = dialect.encode(&fixtures::site(), &head, &reply);
            let request = format!("{request} HTTP/1.1");
            settle_output(
                *dialect,
                &format!("reply-{name}"),
                &request,
                &print(&response),
            );
        }
    }
}

const ONE: &str = "/v1/payment-requests/9ef68e2e-3569-4f69-9f68-04c7e4bb007c";

fn refusals() -> Vec<(String, &'static str, Refusal)> {
    let mut all = Vec::new();
    for refusal in Refusal::examples() {
        let kind = match &refusal {
            Refusal::NotFound(object, _) => format!("-{object:?}").to_lowercase(),
            _ => String::new(),
        };
        all.push((format!("refusal-{}{kind}", refusal.name()), "GET", refusal));
    }
    all.push((
        "refusal-already_paid-delete".to_owned(),
        "DELETE",
        Refusal::AlreadyPaid,
    ));
    all.push((
        "refusal-already_paid-update".to_owned(),
        "PUT",
        Refusal::AlreadyPaid,
    ));
    all
}

#[test]
fn refusals_give_their_bytes() {
    for dialect in fixtures::SHAPED {
        for (name, method, refusal) in refusals() {
            let head = fixtures::head(method, ONE);
            let response = dialect.refuse(&fixtures::site(), &head, &refusal);
            settle_output(
                *dialect,
                &name,
                &format!("{method} {ONE} HTTP/1.1"),
                &print(&response),
            );
        }
    }
}

/// The webhooks of every fixture that gives any.
fn webhooks(dialect: &dyn Dialect) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let salt = Secret::new("salt".to_owned());
    for event in fixtures::events() {
        for hook in dialect.webhooks(&event) {
            let with = if event.payment().is_some() {
                ""
            } else {
                "-unpaid"
            };
            let name = format!("webhook-{}{with}", event.fact.as_str().replace('.', "-"));
            let sent = fixtures::sign(dialect, &salt, &hook.body);
            let url = match &hook.to {
                Target::Url(url) => url.as_str(),
                Target::Endpoints => "(every endpoint registered for the topic)",
            };
            let text = format!(
                "topic: {}\nurl: {}\nsubject: {}\ncontent-type: {}\n{:?}\n\n{}\n{}\n",
                hook.topic,
                url,
                hook.subject,
                hook.content_type,
                sent.headers,
                hook.body,
                sent.body
            );
            all.push((name, text));
        }
    }
    all
}

#[test]
fn webhooks_give_their_bytes() {
    for dialect in fixtures::SHAPED {
        for (name, text) in webhooks(*dialect) {
            settle_output(*dialect, &name, "# Signed with the salt `salt`.", &text);
        }
    }
}

#[test]
fn every_golden_file_is_used() {
    for dialect in fixtures::SHAPED {
        let mut used = BTreeSet::new();
        used.extend(
            requests(*dialect)
                .iter()
                .map(|golden| format!("{}.http", golden.name)),
        );
        used.extend(
            fixtures::replies()
                .iter()
                .map(|(name, ..)| format!("reply-{name}.http")),
        );
        used.extend(refusals().iter().map(|(name, ..)| format!("{name}.http")));
        used.extend(
            webhooks(*dialect)
                .iter()
                .map(|(name, _)| format!("{name}.http")),
        );
        for name in files(*dialect) {
            assert!(used.contains(&name), "nothing uses golden/{name}");
        }
    }
}
