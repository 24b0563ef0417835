//! The whole program against a small fake Florin: it measures what answers well, and refuses to
//! print figures of a server that answers wrongly, loses a webhook, or does not stop cleanly.
//!
//! The fake is this test program started again: a script in a temporary folder stands in for the
//! `florin` binary and runs the test `fake_florin` with the arguments in its environment.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so does its fake server"
)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const SCHEMA: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE IF NOT EXISTS bills (id TEXT PRIMARY KEY, made INTEGER NOT NULL,
        body TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY,
        bill TEXT NOT NULL REFERENCES bills (id)) STRICT;";
const PAGE: &str = "<!doctype html><link rel=\"stylesheet\" href=\"/style.css\"><p>Pay</p>";

struct Fake {
    database: Mutex<rusqlite::Connection>,
    hooks: Mutex<HashMap<String, String>>,
    base: String,
    fault: String,
}

impl Fake {
    fn create(&self, form: &str) -> (u16, String) {
        if self.fault == "refuses" {
            return (500, json!({"message": "broken on purpose"}).to_string());
        }
        let field = |name: &str| {
            let fields = url::form_urlencoded::parse(form.as_bytes());
            fields.into_owned().find(|(key, _)| key == name).unwrap().1
        };
        assert_eq!(
            (field("amount"), field("currency")),
            ("10.50".into(), "SGD".into())
        );
        let mut hooks = self.hooks.lock().unwrap();
        let number = hooks.len() as u64 + 1;
        let id = format!("{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        hooks.insert(id.clone(), field("webhook"));
        let url = format!("{}/payment-request/@demo/{id}/checkout", self.base);
        let body = json!({"id": id, "status": "pending", "url": url}).to_string();
        let row = (&id, i64::try_from(number).unwrap(), &body);
        let database = self.database.lock().unwrap();
        database
            .execute("INSERT INTO bills VALUES (?1, ?2, ?3)", row)
            .unwrap();
        (201, body)
    }

    fn pay(&self, body: &[u8]) -> (u16, String) {
        let asked: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(asked["outcome"], "approve");
        let id = asked["payment"].as_str().unwrap().to_owned();
        let hook = self.hooks.lock().unwrap()[&id].clone();
        let row = (format!("p{id}"), &id);
        let database = self.database.lock().unwrap();
        database
            .execute("INSERT INTO payments VALUES (?1, ?2)", row)
            .unwrap();
        if self.fault != "loses" {
            tokio::spawn(send(hook, id.clone()));
        }
        (
            200,
            json!({"payment": id, "status": "completed"}).to_string(),
        )
    }
}

/// Delivers one webhook.
async fn send(hook: String, id: String) {
    let hook: url::Url = hook.parse().unwrap();
    let to = hook.socket_addrs(|| None).unwrap()[0];
    let mut stream = TcpStream::connect(to).await.unwrap();
    let (path, body) = (
        hook.path(),
        format!("payment_request_id={id}&status=completed"),
    );
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

async fn answer(
    fake: Arc<Fake>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let method = request.method().to_string();
    let keyed = request
        .headers()
        .get("x-business-api-key")
        .is_some_and(|key| key == "key");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let (status, text) = match (method.as_str(), path.as_str()) {
        ("GET", "/health/ready") => (200, "{}".to_owned()),
        ("GET", "/style.css") => (200, "p{}".repeat(1_000)),
        ("GET", path) if path.starts_with("/payment-request/") => (200, PAGE.to_owned()),
        _ if !keyed => (401, "{}".to_owned()),
        ("POST", "/v1/payment-requests") => fake.create(std::str::from_utf8(&body).unwrap()),
        ("POST", "/sandbox/simulate") => fake.pay(&body),
        ("GET", "/sandbox/webhooks") => (
            200,
            json!({"deliveries": [{"state": "delivered"}]}).to_string(),
        ),
        _ => (404, "{}".to_owned()),
    };
    let answer = Response::builder()
        .status(status)
        .body(Full::from(text))
        .unwrap();
    Ok(answer)
}

/// Does nothing as a test of its own; with arguments in the environment it serves.
#[test]
fn fake_florin() {
    let Ok(arguments) = std::env::var("FAKE_ARGUMENTS") else {
        return;
    };
    let arguments: Vec<&str> = arguments.split('\n').collect();
    let [_, "--listen", listen, "--data", data, ..] = arguments[..] else {
        panic!("unexpected arguments {arguments:?}");
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let database = rusqlite::Connection::open(Path::new(data).join("fake.db")).unwrap();
        database.execute_batch(SCHEMA).unwrap();
        let sandbox = json!({"base_url": base, "hitpay": {"api_key": "key", "salt": "salt"}});
        let hidden = Path::new(data).join("sandbox.json.new");
        std::fs::write(&hidden, sandbox.to_string()).unwrap();
        std::fs::rename(hidden, Path::new(data).join("sandbox.json")).unwrap();
        let fault = std::env::var("FAKE_FAULT").unwrap();
        let (database, hooks) = (Mutex::new(database), Mutex::default());
        let fake = Arc::new(Fake {
            database,
            hooks,
            base,
            fault,
        });
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        loop {
            let (stream, _) = tokio::select! {
                accepted = listener.accept() => accepted.unwrap(),
                _ = terminate.recv() => std::process::exit(i32::from(fake.fault == "crashes")),
            };
            let fake = fake.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| answer(fake.clone(), request));
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}

/// Runs the load program for a moment against a fake with this fault.
fn bench(folder: &Path, fault: &str, more: &[&str]) -> Output {
    let script = folder.join("florin");
    let own = std::env::current_exe().unwrap();
    let text = format!(
        "#!/bin/sh\nFAKE_FAULT='{fault}' FAKE_ARGUMENTS=$(printf '%s\\n' \"$@\") \
         exec '{}' --exact fake_florin --nocapture\n",
        own.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    command
        .args(["--seconds", "0.1", "--rounds", "1", "--no-company"])
        .args(more);
    command
        .arg("--florin")
        .arg(script)
        .arg("--json")
        .arg(folder.join("results.json"));
    command
        .env_remove("FLORIN_BENCH_POSTGRES")
        .output()
        .unwrap()
}

/// A private PostgreSQL for as long as this value lives; see `store/tests/cluster`.
struct Cluster(Child, String);

impl Cluster {
    /// Without its programs that part is skipped, which is a failure where `REQUIRE_POSTGRES` asks
    /// for it.
    fn start() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/tests/cluster");
        let mut command = Command::new(script);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut folder = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut folder).unwrap();
        let folder = folder.trim_end();
        assert!(
            !folder.is_empty() || std::env::var_os("REQUIRE_POSTGRES").is_none(),
            "no PostgreSQL"
        );
        let url = format!("postgres://florin@/florin?host={folder}");
        (!folder.is_empty()).then(|| Self(child, url))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn a_good_server_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start();
    let mut more = Vec::new();
    if let Some(Cluster(_, url)) = &cluster {
        more.extend(["--postgres", url.as_str()]);
    }
    let output = bench(folder.path(), "none", &more);
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    let text = std::fs::read(folder.path().join("results.json")).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(report["rows"][0], "a creation writes 1 bills");
    assert_eq!(
        report["rows"][1],
        "a whole cycle writes 1 bills, 1 payments"
    );
    assert_eq!(report["unexpected_webhooks"], 0);
    let figures = report["figures"].as_array().unwrap();
    for figure in figures {
        assert!(figure["median"].as_f64().unwrap() > 0.0, "{figure}");
    }
    assert_eq!(
        figures.len(),
        out.split("\n\n").nth(1).unwrap().lines().count() - 2,
        "{out}"
    );
    let figure = |key: &str| figures.iter().find(|one| one["key"] == key).unwrap();
    assert!(
        figure("page")["median"].as_f64().unwrap() > 3.0,
        "the style sheet counts"
    );
    assert!(figure("create.64.rate")["floor"]["ratio"].as_f64().unwrap() > 0.0);
    let loads = 12 + 2 * usize::from(cluster.is_some());
    assert_eq!(report["loads"].as_array().unwrap().len(), loads, "{out}");
    assert!(out.contains("| what "), "{out}");
}

#[test]
fn a_wrong_answer_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), "refuses", &[]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(
        err.contains("POST /v1/payment-requests answered 500, expected 201"),
        "{err}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn a_lost_webhook_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), "loses", &[]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("webhook did not come"), "{err}");
}

#[test]
fn an_unclean_stop_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), "crashes", &[]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("did not stop cleanly"), "{err}");
}

#[test]
fn a_missing_server_and_a_bad_option_say_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_load"))
        .args(["--florin", "/nowhere/florin"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/florin"));
    let output = Command::new(env!("CARGO_BIN_EXE_load"))
        .args(["--seconds", "0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("from 0.1 to 600"));
}
