//! A marked card number, paid with in every way, is nowhere afterwards: not in either database, its
//! write-ahead log, a backup, the process's own log, the metrics, an error or any page; nor, once
//! its connection is gone, in the memory of the process.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use domain::Secret;
use serde_json::Value;

use crate::process::client::Client;
use crate::process::cluster::Cluster;
use crate::process::{Gateway, florin, said};
use crate::shop::{HOSTED, SERVER, Shop, text};

/// Numbers that pass the Luhn check and are in no other test. The bank asks about the last one.
const MARKED: [&str; 3] = ["4929123456789015", "5425233430109903", "4000000000003220"];
const CODE: &str = "8642";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A client that keeps all it was told.
struct Ear<'a> {
    gateway: &'a Gateway,
    client: Client,
    key: String,
    heard: Vec<String>,
}

impl<'a> Ear<'a> {
    fn new(gateway: &'a Gateway, key: &str) -> Self {
        Self {
            client: connect(gateway, key),
            gateway,
            key: key.to_owned(),
            heard: Vec::new(),
        }
    }

    fn post(&mut self, path: &str, kind: &str, body: &str) -> (u16, String) {
        let answer = self.client.post(path, kind, body);
        self.keep(answer)
    }

    fn get(&mut self, path: &str) -> (u16, String) {
        let answer = self.client.get(path);
        self.keep(answer)
    }

    /// A refused body may close the connection; the next call has a new one.
    fn keep(&mut self, answer: std::io::Result<crate::process::client::Answer>) -> (u16, String) {
        let Ok(answer) = answer else {
            self.client = connect(self.gateway, &self.key);
            return (0, String::new());
        };
        if answer.head.contains("connection: close") {
            self.client = connect(self.gateway, &self.key);
        }
        self.heard.push(answer.head);
        self.heard.push(answer.body.clone());
        (answer.status, answer.body)
    }
}

fn connect(gateway: &Gateway, key: &str) -> Client {
    let headers = [("x-api-key", key)];
    gateway.client().with_key("").with_headers(&headers)
}

/// Server to server: well-formed, with a wrong check digit, with a broken envelope, without the
/// header for JSON, at paths that do not take it, far too large, under a wrong key.
fn in_calls(ear: &mut Ear<'_>) {
    for (number, marked) in MARKED.iter().enumerate() {
        let mut body = Shop::with_card(&format!("FINDABLE-{number}"), marked);
        body["request"]["credit_card"]["verification_value"] = CODE.into();
        let (status, paid) = ear.post(SERVER, JSON, &body.to_string());
        assert_eq!(status, 200, "{paid}");
        if let Some((_, page)) = paid.split_once("/3ds/") {
            let path = format!("/3ds/{}", page.split('"').next().unwrap());
            assert!(ear.get(&path).1.contains("3220"), "the last four are shown");
            ear.post(&path, FORM, "outcome=nothing");
            assert_eq!(ear.post(&path, FORM, "outcome=approve").0, 303);
        }
        let whole = body.to_string();
        for path in [
            HOSTED,
            "/gateway/v1/payouts",
            "/gateway/v1/nothing",
            "/v1/payment-requests",
        ] {
            assert!(ear.post(path, JSON, &whole).0 >= 400, "{path}");
        }
        assert_eq!(ear.post(SERVER, "text/plain", &whole).0, 415);
        assert_eq!(ear.post(SERVER, JSON, &whole[..whole.len() - 1]).0, 400);
        let large = format!("{whole}{}", " ".repeat(70_000));
        assert_eq!(ear.post(SERVER, JSON, &large).0, 413);
        body["request"]["credit_card"]["number"] = wrong(marked).into();
        assert_eq!(ear.post(SERVER, JSON, &body.to_string()).0, 400);
        body["request"]["tracking_id"] = marked[..4].into();
        body["request"]["credit_card"]["exp_year"] = "2020".into();
        assert_eq!(ear.post(SERVER, JSON, &body.to_string()).0, 400);
    }
}

/// The cashier: wrong, right, once more, with a field that is no text, far too large, nowhere.
fn on_the_page(ear: &mut Ear<'_>) {
    let body = Shop::request("FINDABLE-page", "10.00").to_string();
    let made: Value = serde_json::from_str(&ear.post(HOSTED, JSON, &body).1).unwrap();
    let token = text(&made, "url").split_once("/cashier/").unwrap().1;
    let page = format!("/cashier/{token}?provider=sim-card");
    let form = |number: &str| {
        format!("action=pay&once=token&number={number}&expiry=12%2F30&code=864&name=A")
    };
    let good = form(MARKED[0]);
    for (path, body, status) in [
        (page.as_str(), form(&wrong(MARKED[0])), 422),
        (&page, good.replace("12%2F30", "12%2F20"), 422),
        (&page, good.clone(), 303),
        (&page, good.clone(), 303),
        (&page, good.replace("token", "another"), 409),
        (&page, format!("{good}&note={}", "x".repeat(20_000)), 413),
        ("/cashier/nobody", good.clone(), 404),
        ("/3ds/nobody", good.clone(), 404),
    ] {
        assert_eq!(ear.post(path, FORM, &body).0, status, "{path}");
    }
    for path in [
        &page,
        "/metrics",
        "/gateway/v1/transactions",
        "/sandbox/deliveries",
        "/sandbox/payouts",
    ] {
        assert_eq!(ear.get(path).0, 200, "{path}");
    }
}

/// What every file in a folder and below it says.
fn files(folder: &Path) -> Vec<String> {
    let mut said = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            said.extend(files(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            // What is no file (a socket) or went away meanwhile says nothing.
            said.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    said
}

/// A talkative sandbox whose log goes to a folder, and all that was said while it was paid with
/// the marked numbers in every way.
fn paid_in_every_way((data, logs): (&Path, &Path), more: &[&str]) -> (Gateway, Vec<String>) {
    let mut command = florin();
    command
        .args(["sandbox", "--log-level", "debug"])
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(more)
        .stdout(Stdio::from(File::create(logs.join("out")).unwrap()))
        .stderr(Stdio::from(File::create(logs.join("err")).unwrap()));
    let gateway = Gateway::wait(command, data);
    let known = std::fs::read_to_string(data.join("sandbox.json")).unwrap();
    let known: Value = serde_json::from_str(&known).unwrap();
    let mut ear = Ear::new(&gateway, text(&known["numipay"], "api_key"));
    in_calls(&mut ear);
    on_the_page(&mut ear);
    let heard = std::mem::take(&mut ear.heard);
    (gateway, heard)
}

#[test]
fn a_card_number_is_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (data, logs) = (folder.path().join("data"), folder.path().join("logs"));
    std::fs::create_dir_all(&logs).unwrap();
    let (mut gateway, mut seen) = paid_in_every_way((&data, &logs), &[]);
    // While it runs what is newest is in the write-ahead log.
    let wal = data.join("florin.db-wal");
    assert!(String::from_utf8_lossy(&std::fs::read(wal).unwrap()).contains("FINDABLE"));
    seen.extend(files(&data));
    let copy = logs.join("copy");
    let backed = florin()
        .args(["backup", "--data"])
        .arg(&data)
        .arg("--to")
        .arg(&copy)
        .output()
        .unwrap();
    assert!(backed.status.success(), "{}", said(&backed));
    assert!(String::from_utf8_lossy(&std::fs::read(copy).unwrap()).contains("FINDABLE"));
    assert_eq!(gateway.signal("-TERM"), Some(0));
    seen.extend(files(&data));
    seen.extend(files(&logs));
    assert_nowhere(&seen);
}

#[test]
fn a_card_number_is_nowhere_on_postgres() {
    let Some(mut cluster) = Cluster::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (data, logs) = (folder.path().join("data"), folder.path().join("logs"));
    std::fs::create_dir_all(&logs).unwrap();
    let url = cluster.url();
    let (mut gateway, mut seen) = paid_in_every_way((&data, &logs), &["--database", &url]);
    assert_eq!(gateway.signal("-TERM"), Some(0));
    let server = Path::new(&cluster.folder).to_owned();
    let logged = files(&server.join("data/pg_wal"));
    assert!(logged.iter().any(|text| text.contains("FINDABLE")));
    seen.extend(logged);
    // What was still in its memory comes into its tables when it starts after a crash.
    cluster.order("stop");
    cluster.order("start");
    let tables = files(&server.join("data/base"));
    assert!(tables.iter().any(|text| text.contains("FINDABLE")));
    seen.extend(tables);
    seen.extend(files(&server.join("data/pg_wal")));
    seen.push(std::fs::read_to_string(server.join("log")).unwrap());
    seen.extend(files(&data));
    seen.extend(files(&logs));
    assert_nowhere(&seen);
}

/// None of the marked numbers and codes is in these texts.
fn assert_nowhere(seen: &[String]) {
    assert!(
        seen.iter().any(|text| text.contains("method=POST")),
        "a talkative log"
    );
    for marked in MARKED {
        for (what, number) in [("right", marked.to_owned()), ("wrong", wrong(marked))] {
            for trace in traces(&number) {
                let found = seen.iter().find(|text| text.contains(&trace));
                let place = found.map(|text| text.chars().take(300).collect::<String>());
                assert!(found.is_none(), "the {what} number as {trace} in {place:?}");
            }
        }
    }
    for code in [format!("\"{CODE}\""), "code=864".to_owned()] {
        assert!(!seen.iter().any(|text| text.contains(&code)), "{code}");
    }
}

/// What would give a number away: most of it, also spaced, and its plain digest.
fn traces(number: &str) -> Vec<String> {
    let parts = [&number[..4], &number[4..8], &number[8..12]];
    vec![
        number[..12].to_owned(),
        number[6..].to_owned(),
        parts.join(" "),
        parts.join("-"),
        parts.join("+"),
        Secret::new(number.to_owned()).digest(),
    ]
}

/// The number with its last digit made wrong.
fn wrong(number: &str) -> String {
    let (head, last) = number.split_at(number.len() - 1);
    format!("{head}{}", (last.parse::<u32>().unwrap() + 1) % 10)
}

/// What all numbers of the next test begin with, further than what is kept of a card.
const BEGINNING: &str = "492955000000";

/// Pieces of a process's writable memory that hold one of these texts.
#[cfg(target_os = "linux")]
fn in_memory(process: u32, wanted: &[&str]) -> Vec<String> {
    use std::os::unix::fs::FileExt;
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut found = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().unwrap().split_once('-').unwrap();
        let edge = |text| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (edge(range.0), edge(range.1));
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // A region that went away meanwhile holds nothing.
        if memory.read_exact_at(&mut bytes, start).is_err() {
            continue;
        }
        for text in wanted {
            let first = text.as_bytes()[0];
            let places = bytes.iter().enumerate().filter(|(_, byte)| **byte == first);
            for (place, _) in places.filter(|(at, _)| bytes[*at..].starts_with(text.as_bytes())) {
                let around = &bytes[place.saturating_sub(40)..bytes.len().min(place + 60)];
                found.push(format!("{line}: {}", String::from_utf8_lossy(around)));
            }
        }
    }
    found
}

/// Our own copies are wiped where they end; those in the buffers of connections when they are
/// freed, which is when the connection is gone.
#[cfg(target_os = "linux")]
#[test]
fn a_card_number_is_not_in_memory_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(folder.path(), "127.0.0.1:0");
    let known = std::fs::read_to_string(folder.path().join("sandbox.json")).unwrap();
    let known: Value = serde_json::from_str(&known).unwrap();
    let key = text(&known["numipay"], "api_key");
    std::thread::scope(|scope| {
        for number in 0..40 {
            let mut client = connect(&gateway, key);
            scope.spawn(move || {
                let tracking = format!("FORGOTTEN-{number}");
                let mut paid = 0;
                // One of the ten check digits is right.
                for check in 0..10 {
                    let digits = format!("{BEGINNING}{number:03}{check}");
                    let mut body = Shop::with_card(&tracking, &digits);
                    body["request"]["credit_card"]["verification_value"] = CODE.into();
                    let answer = client.post(SERVER, JSON, &body.to_string()).unwrap();
                    paid += usize::from(answer.status == 200);
                }
                assert_eq!(paid, 1);
            });
        }
    });
    let process = gateway.child.id();
    assert!(
        !in_memory(process, &["FORGOTTEN-7"]).is_empty(),
        "what is kept can be found"
    );
    let code = format!("\"{CODE}\"");
    let started = gateway::clock::stopwatch();
    loop {
        // The last connections may be closing still.
        let found = in_memory(process, &[BEGINNING, &code]);
        let spent = gateway::clock::stopwatch().saturating_sub(started);
        if found.is_empty() {
            return;
        }
        let first = &found[0];
        assert!(spent.as_secs() < 20, "{} times: {first}", found.len());
    }
}
