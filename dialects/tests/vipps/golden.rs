//! Golden files: `src/vipps/golden/*.http`, in the form that `README.md` there describes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dialects::vipps::{Vipps, webhooks};
use dialects::{Dialect, Site};
use domain::call::Incoming;
use domain::{Call, Flaw, Refusal, ReservationCall, StepProblem};
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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/vipps/golden")
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
    assert!(all.len() > 60, "{} golden requests", all.len());
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

/// Compares, or writes anew under `UPDATE_GOLDEN`.
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
pub fn print(response: &Response<Vec<u8>>) -> String {
    let mut text = format!("HTTP/1.1 {}\n", response.status().as_u16());
    for (name, value) in response.headers() {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    let body = std::str::from_utf8(response.body()).unwrap();
    format!("{text}\n{body}\n")
}

/// What is made of a request: the call, or the answer that refuses it.
fn made(golden: &Golden) -> String {
    let refused = |refusal: &Refusal| print(&Vipps.refuse(&golden.site, &golden.head, refusal));
    // Whoever may not call learns nothing about the rest.
    if let Err(refusal) = Vipps.credential(&golden.head, &golden.body)
        && golden.name.starts_with("credential-")
    {
        return refused(&refusal);
    }
    match Vipps.decode(&golden.site, fixtures::NOW, &golden.head, &golden.body) {
        Ok(Incoming {
            call: Call::Reservation(ReservationCall::Unsound { refusal, .. }),
            idempotency_key: Some(key),
        }) => format!(
            "# Remembered under the key {}.\n{}",
            key.text,
            refused(&refusal)
        ),
        Ok(incoming) => format!("{incoming:#?}\n"),
        Err(refusal) => refused(&refusal),
    }
}

#[test]
fn requests_give_their_calls_and_refusals() {
    for golden in requests() {
        let actual = made(&golden);
        settle(&golden.path, &golden.request, &golden.expected, &actual);
    }
}

#[test]
fn replies_give_their_bytes() {
    for (name, request, reply) in fixtures::replies() {
        let (method, target) = request.split_once(' ').unwrap();
        let response = Vipps.encode(&fixtures::site(), &fixtures::head(method, target), &reply);
        let request = format!("{request} HTTP/1.1");
        settle_output(&format!("reply-{name}"), &request, &print(&response));
    }
}

const ONE: &str = "GET /epayment/v1/payments/inv-8-attempt-2";
const CAPTURE: &str = "POST /epayment/v1/payments/inv-8-attempt-2/capture";
const REFUND: &str = "POST /epayment/v1/payments/inv-8-attempt-2/refund";
const CANCEL: &str = "POST /epayment/v1/payments/inv-8-attempt-2/cancel";

/// Refusals with their names and the requests they answer.
pub fn refusals() -> Vec<(String, &'static str, Refusal)> {
    let mut all = Vec::new();
    for refusal in Refusal::examples() {
        let kind = match &refusal {
            Refusal::NotFound(object, _) => format!("-{object:?}").to_lowercase(),
            _ => String::new(),
        };
        all.push((format!("refusal-{}{kind}", refusal.name()), ONE, refusal));
    }
    for step in StepProblem::examples() {
        let word = format!("{step:?}");
        let word = word.split(['(', ' ']).next().unwrap().to_lowercase();
        all.push((format!("refusal-step-{word}"), ONE, Refusal::Step(step)));
    }
    for flaw in Flaw::ALL {
        let name = format!("refusal-flaw-{flaw:?}").to_lowercase();
        all.push((name, ONE, Refusal::Credential(flaw)));
    }
    let token = "POST /accessToken/get";
    let reused = |name: &str, request| {
        (
            format!("refusal-key_reused-{name}"),
            request,
            Refusal::KeyReused,
        )
    };
    all.extend([
        reused("capture", CAPTURE),
        reused("refund", REFUND),
        reused("cancel", CANCEL),
        (
            "refusal-flaw-client-token".to_owned(),
            token,
            Refusal::Credential(Flaw::Client),
        ),
    ]);
    all
}

#[test]
fn refusals_give_their_bytes() {
    for (name, request, refusal) in refusals() {
        let (method, target) = request.split_once(' ').unwrap();
        let head = fixtures::head(method, target);
        let response = Vipps.refuse(&fixtures::site(), &head, &refusal);
        settle_output(&name, &format!("{request} HTTP/1.1"), &print(&response));
    }
}

fn webhook_name(step: &domain::Step) -> String {
    let tried = if step.failure.is_some() {
        "-declined"
    } else {
        ""
    };
    format!("webhook-{}{tried}", step.kind.as_str())
}

#[test]
fn webhooks_give_their_bytes() {
    for step in fixtures::steps() {
        let view = fixtures::view(fixtures::ask(), fixtures::sums(0, 0, 0));
        let body = format!("{}\n", webhooks::body(&view.bill, &view.payment, &step));
        settle_output(&webhook_name(&step), "# The body of a step.", &body);
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
    let steps = fixtures::steps();
    used.extend(
        steps
            .iter()
            .map(|step| format!("{}.http", webhook_name(step))),
    );
    for name in files() {
        assert!(used.contains(&name), "nothing uses golden/{name}");
    }
}
