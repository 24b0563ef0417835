//! The operator's door and the commands behind it: webhooks, endpoints, listen, trigger.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod process;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use dialects::verify::{Delivery, Scheme, verify};
use domain::Secret;
use process::client::Client;
use process::hook::Hook;
use process::{Gateway, florin, said};
use serde_json::Value;

const FORM: &str = "application/x-www-form-urlencoded";

struct Lab {
    gateway: Gateway,
    client: Client,
    hook: Hook,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(folder.path(), "127.0.0.1:0");
        Self {
            client: gateway.client(),
            gateway,
            hook: Hook::open(),
            folder,
        }
    }

    fn command(&self, args: &[&str]) -> Output {
        command(self.folder.path(), args)
    }

    /// What a command that must succeed says.
    fn does(&self, args: &[&str]) -> String {
        let output = self.command(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same as JSON.
    fn json(&self, args: &[&str]) -> Value {
        let args = [args, &["--json"]].concat();
        serde_json::from_str(&self.does(&args)).unwrap()
    }

    /// A command that must fail in one line: with this code, saying this.
    fn refuses(&self, args: &[&str], code: i32, says: &str) {
        let output = self.command(args);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}: {}",
            said(&output)
        );
        assert!(said(&output).contains(says), "{args:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
    }

    /// A paid bill whose webhook goes to the hook; its id and that of its delivery.
    fn paid(&mut self) -> (String, String) {
        let hook = self.hook.url("hook").replace(':', "%3A");
        let form = format!(
            "amount=10.50&currency=SGD&payment_methods%5B%5D=card&reference_number=R-1\
             &webhook={hook}"
        );
        let made = self
            .client
            .post("/v1/payment-requests", FORM, &form)
            .unwrap();
        let made: Value = serde_json::from_str(&made.body).unwrap();
        let id = made["id"].as_str().unwrap().to_owned();
        let body = format!("{{\"payment\":\"{id}\",\"outcome\":\"approve\"}}");
        self.client
            .post("/sandbox/simulate", "application/json", &body)
            .unwrap();
        self.hook.wait(&id, 1);
        let listed = self.json(&["webhooks", "list", "--payment", &id]);
        let delivery = listed["deliveries"][0]["id"].as_str().unwrap().to_owned();
        (id, delivery)
    }

    /// Waits until a delivery is in a state; what it shows then.
    fn settled(&self, delivery: &str, state: &str) -> Value {
        let started = gateway::clock::stopwatch();
        loop {
            let shown = self.json(&["webhooks", "show", delivery]);
            if shown["state"] == state {
                return shown;
            }
            let spent = gateway::clock::stopwatch().saturating_sub(started);
            assert!(spent.as_secs() < 20, "{shown}");
        }
    }

    fn add(&self, url: &str, more: &[&str]) -> (String, String) {
        let said = self.does(&[&["webhooks", "endpoints", "add", url], more].concat());
        (word(&said, "end_"), word(&said, "whsec_"))
    }
}

fn command(data: &Path, args: &[&str]) -> Output {
    florin()
        .args(args)
        .arg("--data")
        .arg(data)
        .output()
        .unwrap()
}

/// The word of a text that begins so.
fn word(text: &str, start: &str) -> String {
    let found = text.split_whitespace().find(|word| word.starts_with(start));
    found
        .unwrap_or_else(|| panic!("no {start} in {text}"))
        .to_owned()
}

#[test]
fn deliveries_are_listed_shown_sent_again_and_skipped() {
    let mut lab = Lab::new();
    assert_eq!(lab.does(&["webhooks", "list"]), "No deliveries.\n");
    let (id, delivery) = lab.paid();
    let shown = lab.settled(&delivery, "delivered");
    assert_eq!(shown["standing"], "It was delivered.");
    assert_eq!(shown["attempts"][0]["status"], 200);
    assert_eq!(shown["attempts"][0]["response"]["body"], "ok");
    assert!(
        shown["attempts"][0]["request"]["body"]
            .as_str()
            .unwrap()
            .contains(&id)
    );
    let text = lab.does(&["webhooks", "show", &delivery]);
    for part in [
        &delivery,
        "It was delivered.",
        "> user-agent: ",
        "< ok",
        "Attempt 1 at 20",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let table = lab.does(&["webhooks", "list"]);
    for part in [&delivery, "delivered", "payment_request.completed", "200"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    for name in [id.as_str(), "R-1"] {
        let of = lab.json(&["webhooks", "list", "--payment", name]);
        assert_eq!(of["deliveries"].as_array().unwrap().len(), 1, "{name}");
    }
    for state in ["pending", "failed", "paused"] {
        let of = lab.does(&["webhooks", "list", "--state", state]);
        assert_eq!(of, "No deliveries.\n", "{state}");
    }
    lab.does(&["webhooks", "resend", &delivery]);
    let both = lab.hook.wait(&id, 2);
    assert_eq!(both[0].1, both[1].1, "the same bytes");
    lab.settled(&delivery, "delivered");
    let skip = ["webhooks", "skip", &delivery];
    lab.refuses(&skip, 1, "It is delivered: there is nothing to do.");
}

#[test]
fn one_that_waits_says_why_and_can_be_skipped() {
    let mut lab = Lab::new();
    lab.hook.answers("post /hook", 500);
    let (_, delivery) = lab.paid();
    let started = gateway::clock::stopwatch();
    let waiting = loop {
        let shown = lab.json(&["webhooks", "show", &delivery]);
        if shown["attempts"][0]["status"] == 500 {
            break shown;
        }
        let spent = gateway::clock::stopwatch().saturating_sub(started);
        assert!(spent.as_secs() < 20, "{shown}");
    };
    let next = waiting["next_attempt_at"].as_str().unwrap();
    assert_eq!(waiting["standing"], format!("It goes out at {next}."));
    lab.does(&["webhooks", "skip", &delivery]);
    let shown = lab.settled(&delivery, "failed");
    assert_eq!(shown["standing"], "Given up: somebody skipped it.");
    let failed = lab.does(&["webhooks", "list", "--state", "failed"]);
    assert!(failed.contains(&delivery), "{failed}");
}

#[test]
fn endpoints_from_the_first_to_the_last_command() {
    let mut lab = Lab::new();
    let none = lab.does(&["webhooks", "endpoints", "list"]);
    assert!(none.contains("endpoints add"), "{none}");
    let url = lab.hook.url("standard");
    let (id, secret) = lab.add(
        &url,
        &["--label", "stock", "--events", "bill.paid,payment.*"],
    );
    let list = lab.does(&["webhooks", "endpoints", "list"]);
    for part in [
        &id,
        &url,
        "active",
        "standard",
        "bill.paid, payment.*",
        "stock",
    ] {
        assert!(list.contains(part), "{part}: {list}");
    }
    assert!(!list.contains(&secret), "a secret is shown once");
    lab.does(&["webhooks", "endpoints", "test", &id]);
    let (head, body) = lab.hook.wait("endpoint.tested", 1).remove(0);
    assert!(genuine(&head, &body, &secret), "{head}");
    lab.does(&["webhooks", "endpoints", "pause", &id]);
    lab.paid();
    let paused = lab.json(&["webhooks", "list", "--state", "paused"]);
    let paused = paused["deliveries"].as_array().unwrap().clone();
    assert!(paused.len() >= 2, "{paused:?}");
    assert!(
        paused
            .iter()
            .all(|row| row["state"] == "paused" && row["endpoint"] == id)
    );
    let shown = lab.json(&["webhooks", "show", paused[0]["id"].as_str().unwrap()]);
    let standing = shown["standing"].as_str().unwrap();
    assert!(standing.contains("somebody paused it"), "{standing}");
    lab.does(&["webhooks", "endpoints", "resume", &id]);
    lab.hook.wait("\"bill.paid\"", 1);
    let new = word(
        &lab.does(&["webhooks", "endpoints", "rotate", &id]),
        "whsec_",
    );
    lab.does(&["webhooks", "endpoints", "test", &id]);
    let (head, body) = lab.hook.wait("endpoint.tested", 2).remove(1);
    for secret in [&secret, &new] {
        assert!(genuine(&head, &body, secret), "both, for a day");
    }
    let from = ["--from", "2020-01-01T00:00:00Z"];
    let again = [&["webhooks", "resend", "--endpoint", &id], &from[..]].concat();
    assert_eq!(lab.does(&again), "Nothing to send again in that time.\n");
    let all = [&again[..], &["--all"]].concat();
    assert!(lab.does(&all).contains("deliveries go out again."));
    lab.hook.wait("\"bill.paid\"", 2);
    lab.does(&["webhooks", "endpoints", "remove", &id]);
    let gone = lab.does(&["webhooks", "endpoints", "list"]);
    assert!(!gone.contains(&id), "{gone}");
    for verb in ["test", "pause", "resume", "rotate", "remove"] {
        lab.refuses(
            &["webhooks", "endpoints", verb, &id],
            1,
            &format!("There is no {id}"),
        );
    }
}

#[test]
fn an_endpoint_of_vipps_is_registered_like_by_its_own_api() {
    let lab = Lab::new();
    let add = |event: &str| {
        let url = lab.hook.url("vipps");
        let args = ["--scheme", "vipps", "--events", event];
        lab.command(&[&["webhooks", "endpoints", "add", &url], &args[..]].concat())
    };
    assert!(add("user.checked-in.v1").status.success());
    let full = add("user.checked-in.v1");
    assert_eq!(full.status.code(), Some(1));
    assert!(
        said(&full).contains("No more than 1 endpoints"),
        "{}",
        said(&full)
    );
    let made = add("epayments.payment.created.v1");
    let id = word(&String::from_utf8(made.stdout).unwrap(), "end_");
    lab.does(&["webhooks", "endpoints", "test", &id]);
    let (_, body) = lab.hook.wait("florin-test-delivery", 1).remove(0);
    let known = std::fs::read_to_string(lab.folder.path().join("sandbox.json")).unwrap();
    let known: Value = serde_json::from_str(&known).unwrap();
    let number = known["vipps"]["merchant_serial_number"].as_str().unwrap();
    assert!(body.contains(&format!("\"msn\":\"{number}\"")), "{body}");
    let rotated = lab.does(&["webhooks", "endpoints", "rotate", &id]);
    assert!(rotated.contains("the old one signs"), "{rotated}");
    assert!(rotated.contains("Florin-Next-Authorization"), "{rotated}");
    let rotated = lab.does(&["webhooks", "endpoints", "rotate", "--now", &id]);
    assert!(rotated.contains("The old one has ended"), "{rotated}");
}

#[test]
fn a_removal_can_be_taken_back() {
    let lab = Lab::new();
    let (id, secret) = lab.add(&lab.hook.url("standard"), &[]);
    lab.does(&["webhooks", "endpoints", "remove", &id]);
    let removed = lab.does(&["webhooks", "endpoints", "list", "--removed"]);
    assert!(
        removed.contains(&id) && removed.contains("removed"),
        "{removed}"
    );
    lab.does(&["webhooks", "endpoints", "restore", &id]);
    lab.refuses(
        &["webhooks", "endpoints", "restore", &id],
        1,
        "It is not removed",
    );
    let none = lab.does(&["webhooks", "endpoints", "list", "--removed"]);
    assert_eq!(none, "No endpoint was removed.\n");
    lab.does(&["webhooks", "endpoints", "test", &id]);
    let (head, body) = lab.hook.wait("endpoint.tested", 1).remove(0);
    assert!(genuine(&head, &body, &secret), "with the secret of before");
}

#[test]
fn an_endpoint_that_is_registered_twice_is_told_so() {
    let lab = Lab::new();
    let url = lab.hook.url("standard");
    let add = [
        "webhooks",
        "endpoints",
        "add",
        &url,
        "--events",
        "bill.paid",
    ];
    assert!(!lab.does(&add).contains("Warning"));
    let twice = lab.does(&add);
    assert!(
        twice.contains("Warning: another endpoint at this address"),
        "{twice}"
    );
    assert!(
        lab.does(&add)
            .contains("Warning: 2 other endpoints at this address")
    );
    let list = lab.does(&["webhooks", "endpoints", "list"]);
    assert_eq!(
        list.matches("Warning: 2 other endpoints").count(),
        3,
        "{list}"
    );
}

fn genuine(head: &str, body: &str, secret: &str) -> bool {
    let headers = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "));
    let delivery = Delivery {
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
        ..Delivery::default()
    };
    let secret = Secret::new(secret.to_owned());
    verify(Scheme::Standard, &delivery, &secret, None).valid
}

/// What is typed, the exit code, what the answer says.
const WRONG: &str = "\
webhooks show 1 | 2 | 1 is no delivery (dlv_…)
webhooks show a\u{a0}b | 2 | is no delivery (dlv_…)
webhooks show ../endpoints | 2 | no delivery (dlv_…)
webhooks skip ?x=1 | 2 | no delivery (dlv_…)
webhooks show NO_DELIVERY | 1 | NO_DELIVERY
webhooks resend NO_DELIVERY | 1 | NO_DELIVERY
webhooks skip NO_DELIVERY | 1 | NO_DELIVERY
webhooks resend | 2 | --endpoint
webhooks resend --endpoint NO_ENDPOINT | 2 | --from
webhooks list --state lost | 2 | pending, delivered, failed or paused
webhooks list --endpoint x | 2 | no endpoint (end_…)
webhooks list --before x | 2 | no delivery (dlv_…)
webhooks list --payment nobody's | 1 | No payment is called nobody's.
webhooks list --merchant no-shop | 2 | demo-shop
webhooks list --mode maybe | 2 | test or live
webhooks endpoints pause x | 2 | no endpoint (end_…)
webhooks endpoints pause NO_ENDPOINT | 1 | NO_ENDPOINT
webhooks endpoints add ftp://x/ | 2 | url
webhooks endpoints add nonsense | 2 | url
webhooks endpoints add http://127.0.0.1/ --scheme morse | 2 | standard
trigger bill.eaten | 2 | bill.paid
listen --forward-to localhost:3000 | 2 | http://localhost:3000/hook";

#[test]
fn wrong_words_are_answered_with_the_right_ones() {
    let lab = Lab::new();
    let nobody = format!("dlv_{}", "0".repeat(32));
    let no_endpoint = format!("end_{}", "0".repeat(32));
    for row in WRONG.lines() {
        let row = row
            .replace("NO_DELIVERY", &nobody)
            .replace("NO_ENDPOINT", &no_endpoint);
        let [args, code, says] = row.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        let args: Vec<_> = args.split(' ').collect();
        lab.refuses(&args, code.parse().unwrap(), says);
    }
    let (id, _) = lab.add(&lab.hook.url("x"), &[]);
    let range = |from: &'static str, until: &'static str| {
        [
            "webhooks",
            "resend",
            "--endpoint",
            &id,
            "--from",
            from,
            "--until",
            until,
        ]
        .map(str::to_owned)
    };
    for (from, until, says) in [
        (
            "yesterday",
            "2026-01-01T00:00:00Z",
            "yesterday is no time like",
        ),
        (
            "2026-01-02T00:00:00Z",
            "2026-01-01T00:00:00Z",
            "ends before it begins",
        ),
    ] {
        let args = range(from, until);
        lab.refuses(&args.each_ref().map(String::as_str), 2, says);
    }
}

#[test]
fn without_a_gateway_every_command_says_so() {
    let empty = tempfile::tempdir().unwrap();
    for args in [
        &["webhooks", "list"][..],
        &["webhooks", "show", "x"],
        &["webhooks", "endpoints", "list"],
        &["listen"],
        &["trigger", "bill.paid"],
    ] {
        let output = command(empty.path(), args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = said(&output);
        assert!(said.contains("no running gateway answers at"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn the_door_is_its_owners_alone_and_closed_with_the_gateway() {
    let mut lab = Lab::new();
    let socket = lab.folder.path().join("florin.sock");
    let mode = |path: &Path| {
        let found = std::fs::symlink_metadata(path).unwrap();
        assert!(found.file_type().is_socket());
        found.permissions().mode() & 0o777
    };
    assert_eq!(mode(&socket), 0o600);
    let listen = lab.gateway.address.to_string();
    lab.gateway.signal("-KILL");
    assert!(socket.exists(), "a killed process cleans nothing up");
    lab.refuses(&["webhooks", "list"], 1, "no running gateway answers at");
    lab.gateway = Gateway::start(lab.folder.path(), &listen);
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(lab.does(&["webhooks", "list"]), "No deliveries.\n");
    assert_eq!(lab.gateway.signal("-TERM"), Some(0));
    assert!(!socket.exists());
    let left: Vec<_> = std::fs::read_dir(lab.folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .filter(|name| name.to_string_lossy().contains("sock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A `florin listen` under way.
struct Listening {
    child: Child,
    secret: String,
    out: BufReader<std::process::ChildStdout>,
}

impl Listening {
    fn start(data: &Path, args: &[&str]) -> Self {
        let mut child = florin()
            .arg("listen")
            .args(args)
            .arg("--data")
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut secret = String::new();
        while !secret.contains("signed with") {
            secret.clear();
            assert!(said.read_line(&mut secret).unwrap() > 0, "it ended");
        }
        let out = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            secret: secret.split_whitespace().last().unwrap().to_owned(),
            out,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.out.read_line(&mut line).unwrap() > 0, "it ended");
        line
    }

    fn signal(&mut self, name: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn listen_hands_events_on_signed_and_cleans_up() {
    let lab = Lab::new();
    let data = lab.folder.path();
    let to = lab.hook.url("local");
    let events = ["--events", "bill.paid,endpoint.*"];
    let args = [&["--forward-to", &to, "--print-json"], &events[..]].concat();
    let mut listening = Listening::start(data, &args);
    let said = lab.does(&["trigger", "bill.paid"]);
    assert!(said.starts_with("bill.paid happened to "), "{said}");
    let line = listening.line();
    let (head, body) = lab.hook.wait("post /local", 1).remove(0);
    assert_eq!(
        line.trim_end(),
        body,
        "what is printed is what was handed on"
    );
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(event["type"], "bill.paid");
    assert!(genuine(&head, &body, &listening.secret), "{head}");
    // What the local server answers is what the gateway hears.
    lab.hook.answers("post /local", 418);
    lab.does(&["trigger", "payment_request.completed"]);
    lab.hook.wait("post /local", 2);
    let listed = || lab.json(&["webhooks", "list", "--state", "pending"]);
    let started = gateway::clock::stopwatch();
    while listed()["deliveries"][0]["last_status"] != 418 {
        let spent = gateway::clock::stopwatch().saturating_sub(started);
        assert!(spent.as_secs() < 20, "{}", listed());
    }
    assert_eq!(listening.signal("-INT"), Some(0));
    let left = lab.json(&["webhooks", "endpoints", "list"]);
    assert_eq!(left["endpoints"].as_array().unwrap().len(), 0, "{left}");
}

/// The signature of Vipps MobilePay holds for one address: it is made anew for the other one.
#[test]
fn listen_hands_on_a_dialects_own_webhooks() {
    let lab = Lab::new();
    let data = lab.folder.path();
    let to = lab.hook.url("phones?shop=1");
    let args = ["--scheme", "vipps", "--forward-to", &to];
    let mut listening = Listening::start(data, &args);
    lab.does(&["trigger", "epayments.payment.authorized.v1"]);
    let line = listening.line();
    assert!(
        line.contains("CREATED") && line.contains("trigger-"),
        "{line}"
    );
    let sent = lab.hook.wait("post /phones?shop=1", 2);
    for (head, body) in sent {
        let headers = head.lines().skip(1);
        let headers = headers.filter_map(|line| line.split_once(": "));
        let delivery = Delivery {
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: body.into_bytes(),
            url: Some(to.clone()),
            ..Delivery::default()
        };
        let secret = Secret::new(listening.secret.clone());
        let verdict = verify(Scheme::Vipps, &delivery, &secret, None);
        assert!(verdict.valid, "{verdict:?}");
    }
    assert_eq!(listening.signal("-INT"), Some(0));
    let args = ["--scheme", "numipay", "--forward-to", &to, "--print-json"];
    let mut listening = Listening::start(data, &args);
    lab.does(&["trigger", "transaction.successful"]);
    assert!(listening.line().contains("\"status\":\"pending\""));
    assert!(listening.line().contains("\"status\":\"successful\""));
    assert_eq!(listening.signal("-TERM"), Some(0));
    lab.refuses(
        &["listen", "--scheme", "igivepay"],
        2,
        "to the address of each payment",
    );
    lab.refuses(&["listen", "--scheme", "morse"], 2, "standard");
}

/// Who signs with the account's secret has none of its own to show or to replace.
#[test]
fn an_endpoint_without_a_secret_of_its_own_says_so() {
    let lab = Lab::new();
    let url = lab.hook.url("x");
    let said = lab.does(&["webhooks", "endpoints", "add", &url, "--scheme", "numipay"]);
    assert!(
        said.contains("signed with the account's own secret"),
        "{said}"
    );
    let id = word(&said, "end_");
    let rotate = ["webhooks", "endpoints", "rotate", &id];
    lab.refuses(&rotate, 2, "signs with the account's secret");
}

#[test]
fn a_killed_listen_is_cleaned_up_by_the_next_one() {
    let lab = Lab::new();
    let data = lab.folder.path();
    let (other, _) = lab.add(&lab.hook.url("other"), &["--label", "mine"]);
    let labels = || -> Vec<String> {
        let list = lab.json(&["webhooks", "endpoints", "list"]);
        let list = list["endpoints"].as_array().unwrap().clone();
        list.iter()
            .map(|row| row["label"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut killed = Listening::start(data, &[]);
    killed.signal("-KILL");
    assert_eq!(labels(), ["mine", "florin listen"], "it could not clean up");
    let mut next = Listening::start(data, &[]);
    assert_eq!(labels(), ["mine", "florin listen"], "its own instead");
    lab.does(&["trigger", "bill.created"]);
    let line = next.line();
    assert!(
        line.contains("bill.created") && line.contains("shown"),
        "{line}"
    );
    assert_eq!(next.signal("-TERM"), Some(0));
    assert_eq!(labels(), ["mine"]);
    lab.does(&["webhooks", "endpoints", "remove", &other]);
}

#[test]
fn two_that_listen_do_not_disturb_each_other() {
    let lab = Lab::new();
    let data = lab.folder.path();
    let args = ["--events", "bill.created"];
    let mut first = Listening::start(data, &args);
    let mut second = Listening::start(data, &args);
    let listed = lab.json(&["webhooks", "endpoints", "list"]);
    let rows = listed["endpoints"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{listed}");
    lab.does(&["trigger", "bill.created"]);
    for listening in [&mut first, &mut second] {
        assert!(listening.line().contains("bill.created"));
    }
    // Whose endpoint is gone says so and ends.
    let id = rows[0]["id"].as_str().unwrap();
    lab.does(&["webhooks", "endpoints", "remove", id]);
    assert_eq!(first.child.wait().unwrap().code(), Some(1));
    assert_eq!(second.signal("-TERM"), Some(0));
}

#[test]
fn a_list_of_a_payment_takes_the_other_filters_too() {
    let lab = Lab::new();
    let (one, _) = lab.add(&lab.hook.url("one"), &["--label", "one"]);
    let (two, _) = lab.add(&lab.hook.url("two"), &["--label", "two"]);
    lab.does(&["trigger", "bill.paid"]);
    let listed = |args: &[&str]| -> Vec<Value> {
        let list = lab.json(&[&["webhooks", "list"], args].concat());
        list["deliveries"].as_array().unwrap().clone()
    };
    let bill = listed(&[])[0]["about"].as_str().unwrap().to_owned();
    let of = |args: &[&str]| listed(&[&["--payment", bill.as_str()], args].concat());
    let all = of(&[]);
    let to = |id: &str| -> Vec<&Value> { all.iter().filter(|row| row["endpoint"] == id).collect() };
    assert!(!to(&one).is_empty() && !to(&two).is_empty(), "{all:?}");
    let to_one = of(&["--endpoint", &one]);
    assert_eq!(to_one.iter().collect::<Vec<_>>(), to(&one));
    let newest = of(&["--limit", "1"]);
    assert_eq!(newest, all[all.len() - 1..]);
    let before = newest[0]["id"].as_str().unwrap();
    assert_eq!(of(&["--before", before]), all[..all.len() - 1]);
}

/// A scheme without an event of its own for it sends a body that nothing stands behind.
#[test]
fn a_test_delivery_reaches_an_endpoint_of_numipay() {
    let lab = Lab::new();
    let url = lab.hook.url("numipay");
    let said = lab.does(&["webhooks", "endpoints", "add", &url, "--scheme", "numipay"]);
    let id = word(&said, "end_");
    lab.does(&["webhooks", "endpoints", "test", &id]);
    let (head, body) = lab.hook.wait("post /numipay", 1).remove(0);
    assert!(
        head.to_ascii_lowercase().contains("x-signature: "),
        "{head}"
    );
    let seven: serde_json::Map<String, Value> = serde_json::from_str(&body).unwrap();
    assert!(
        seven.len() == 7 && seven.values().all(Value::is_string),
        "{body}"
    );
    assert_eq!(seven["tracking_id"], "florin-test-delivery");
    assert_eq!(seven["status"], "pending");
}

/// What can be triggered: dialects and events.
fn triggers(lab: &Lab) -> Vec<(String, String)> {
    let listed = lab.json(&["trigger", "--list"]);
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = listed["events"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "dialect"), text(row, "event")))
        .collect()
}

/// Dialects that send their webhooks to the address of a payment.
const ADDRESSED: [&str; 3] = ["hitpay", "numipay", "igivepay"];

#[test]
fn every_event_that_can_be_triggered_happens() {
    let lab = Lab::new();
    lab.add(&lab.hook.url("all"), &[]);
    let vipps = lab.hook.url("vipps");
    lab.does(&["webhooks", "endpoints", "add", &vipps, "--scheme", "vipps"]);
    let to = lab.hook.url("own");
    let known = triggers(&lab);
    for (dialect, least) in [
        ("hitpay", 9),
        ("vipps", 14),
        ("numipay", 15),
        ("igivepay", 7),
        ("standard", 4),
    ] {
        let count = known.iter().filter(|(of, _)| of == dialect).count();
        assert!(count >= least, "{count} of {dialect}");
    }
    for (dialect, event) in &known {
        let mut args = vec!["trigger", event, "--dialect", dialect];
        if ADDRESSED.contains(&dialect.as_str()) {
            args.extend(["--webhook", &to]);
        }
        let answer = lab.json(&args);
        let name = answer["payment"].as_str().unwrap();
        assert!(!name.is_empty(), "{answer}");
        let of: Vec<_> = answer["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["event"].as_str().unwrap())
            .collect();
        assert!(of.contains(&event.as_str()), "{dialect} {event}: {answer}");
    }
    // They are sent, too: what was made last arrives at both.
    let paid = lab.json(&["trigger", "payment.processed", "--webhook", &to]);
    let id = paid["payment"].as_str().unwrap();
    lab.hook.wait(&format!("\"paymentId\":\"{id}\""), 1);
    lab.hook.wait(&format!("\"dialect_id\":\"{id}\""), 3);
    let left = lab.json(&["webhooks", "endpoints", "list"]);
    assert_eq!(left["endpoints"].as_array().unwrap().len(), 2, "{left}");
}

#[test]
fn a_payout_that_was_triggered_is_found_by_its_names() {
    let lab = Lab::new();
    lab.add(&lab.hook.url("all"), &["--events", "payout.*"]);
    let paid = lab.json(&["trigger", "payout.paid"]);
    for name in ["payment", "reference"] {
        let name = paid[name].as_str().unwrap();
        let of = lab.json(&["webhooks", "list", "--payment", name]);
        let rows = of["deliveries"].as_array().unwrap();
        let events: Vec<_> = rows
            .iter()
            .map(|row| row["event"].as_str().unwrap())
            .collect();
        assert!(events.contains(&"payout.paid"), "{of}");
        let about = rows[0]["about"].as_str().unwrap();
        let same = lab.json(&["webhooks", "list", "--payment", about]);
        assert_eq!(same["deliveries"].as_array().unwrap().len(), rows.len());
    }
}

#[test]
fn what_cannot_be_triggered_names_what_can() {
    let lab = Lab::new();
    for (args, says) in [
        (
            &["bill.pay"][..],
            "did you mean bill.paid? these can: bill.changed, ",
        ),
        (
            &["epayments.payment.capture.v1"],
            "did you mean epayments.payment.captured.v1?",
        ),
        (
            &["transaction.succesful"],
            "did you mean transaction.successful?",
        ),
        (&["nonsense"], "nonsense cannot be triggered; these can: "),
        (
            &["payout.paid", "--dialect", "vipps"],
            "payout.paid cannot be triggered through vipps; ",
        ),
        (
            &["bill.paid", "--dialect", "morse"],
            "dialect is hitpay, vipps",
        ),
        (
            &["payment.authorized", "--webhook", "http://127.0.0.1:1/"],
            "florin webhooks endpoints add http://127.0.0.1:1/ --scheme vipps",
        ),
        (&["bill.paid", "--webhook", "nonsense"], "webhook"),
        (&[], "<EVENT>"),
        (&["bill.paid", "--list"], "cannot be used with"),
    ] {
        lab.refuses(&[&["trigger"], args].concat(), 2, says);
    }
    let said = lab.does(&["trigger", "bill.paid"]);
    assert!(said.contains("No webhook goes out"), "{said}");
    let table = lab.does(&["trigger", "--list"]);
    for line in [
        "vipps:",
        "  epayments.payment.terminated.v1",
        "  payment.processed",
    ] {
        assert!(table.lines().any(|one| one == line), "{line}: {table}");
    }
}

#[test]
fn endpoints_ask_only_for_what_comes() {
    let lab = Lab::new();
    let url = lab.hook.url("x");
    for (args, says) in [
        (
            &["--events", "bill.paid,bill.payed"][..],
            "standard has no \"bill.payed\"; did you mean bill.paid? These come: ",
        ),
        (
            &["--events", "payments.*"],
            "standard has no \"payments.*\"",
        ),
        (
            &["--scheme", "vipps", "--events", "bill.paid"],
            "vipps has no \"bill.paid\"; ",
        ),
        (&["--scheme", "igivepay"], "to the address of each payment"),
    ] {
        let args = [&["webhooks", "endpoints", "add", &url], args].concat();
        lab.refuses(&args, 2, says);
    }
    lab.refuses(
        &["listen", "--events", "bill.payed"],
        2,
        "did you mean bill.paid?",
    );
    for args in [
        &[
            "--scheme",
            "vipps",
            "--events",
            "epayments.payment.captured.v1",
        ][..],
        &["--scheme", "numipay", "--events", "transaction.*"],
        &["--events", "*"],
    ] {
        let said = lab.does(&[&["webhooks", "endpoints", "add", &url], args].concat());
        assert!(said.contains("secret"), "{said}");
    }
}

/// Moves the sandbox's clock.
fn advance(lab: &mut Lab, by: &str) {
    let body = format!("{{\"advance\":\"{by}\"}}");
    let moved = lab.client.post("/sandbox/clock", "application/json", &body);
    let moved = moved.unwrap();
    assert_eq!(moved.status, 200, "{}", moved.body);
}

#[test]
fn an_endpoint_that_is_gone_is_paused_and_loses_nothing() {
    let lab = Lab::new();
    let (gone, secret) = lab.add(&lab.hook.url("gone"), &["--label", "Stock"]);
    let watch = lab.hook.url("watch");
    lab.add(&watch, &["--events", "endpoint.*"]);
    lab.hook.answers("post /gone", 410);
    lab.does(&["trigger", "bill.paid"]);
    let (_, told) = lab.hook.wait("\"endpoint.paused\"", 1).remove(0);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["data"]["endpoint"]["id"], gone);
    assert_eq!(told["data"]["endpoint"]["cause"], "gone");
    let shown = lab.json(&["webhooks", "endpoints", "show", &gone]);
    assert_eq!(
        (&shown["state"], &shown["why"]),
        (&"paused".into(), &"gone".into())
    );
    let last = shown["history"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["by"], &last["what"]),
        (&"florin".into(), &"endpoint.paused".into())
    );
    // What comes now waits.
    let later = lab.json(&["trigger", "bill.expired"]);
    let id = later["payment"].as_str().unwrap();
    let waiting = lab.json(&["webhooks", "list", "--state", "paused"]);
    let waiting = waiting["deliveries"].as_array().unwrap();
    assert!(waiting.len() >= 2, "{waiting:?}");
    let why = lab.does(&["webhooks", "show", waiting[0]["id"].as_str().unwrap()]);
    assert!(why.contains("because it answered 410 Gone"), "{why}");
    lab.hook.answers("post /gone", 200);
    lab.does(&["webhooks", "endpoints", "resume", &gone]);
    let of = lab.hook.wait(&format!("\"dialect_id\":\"{id}\""), 2);
    let kinds: Vec<Value> = of
        .iter()
        .map(|(_, body)| serde_json::from_str::<Value>(body).unwrap()["type"].clone())
        .collect();
    assert_eq!(kinds, ["bill.created", "bill.expired"], "in order");
    for (head, body) in of {
        assert!(genuine(&head, &body, &secret));
    }
    let history = lab.does(&["webhooks", "endpoints", "show", &gone]);
    let lines: Vec<_> = history.lines().skip(3).collect();
    assert_eq!(lines.len(), 3, "{history}");
    for (line, (what, by)) in lines.iter().zip([
        ("endpoint.registered", "operator"),
        ("endpoint.paused", "florin"),
        ("endpoint.resumed", "operator"),
    ]) {
        assert!(line.contains(what) && line.contains(by), "{line}");
    }
    assert!(history.contains("active") && !history.contains(&secret));
}

#[test]
fn a_receiver_may_ask_for_patience() {
    let lab = Lab::new();
    let url = lab.hook.url("busy");
    lab.add(&url, &["--events", "bill.created"]);
    lab.hook.answers("post /busy", 503);
    lab.hook.says(
        &[("retry-after", "7200")],
        "\u{1b}[2J\u{1b}]0;owned\u{7} later",
    );
    let made = lab.json(&["trigger", "bill.created"]);
    let delivery = made["deliveries"][0]["id"].as_str().unwrap();
    lab.hook.wait("post /busy", 1);
    let started = gateway::clock::stopwatch();
    let shown = loop {
        let shown = lab.json(&["webhooks", "show", delivery]);
        if shown["attempts"][0]["status"] == 503 && shown["next_attempt_at"].is_string() {
            break shown;
        }
        let spent = gateway::clock::stopwatch().saturating_sub(started);
        assert!(spent.as_secs() < 20, "{shown}");
    };
    let time = |text: &Value| -> jiff::Timestamp { text.as_str().unwrap().parse().unwrap() };
    let (first, next) = (
        time(&shown["attempts"][0]["at"]),
        time(&shown["next_attempt_at"]),
    );
    let wait = next.duration_since(first).as_secs();
    assert!((7_200..7_300).contains(&wait), "{wait} s");
    // What it said steers no terminal.
    let text = lab.does(&["webhooks", "show", delivery]);
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{7}'),
        "{text:?}"
    );
    assert!(text.contains("owned"), "{text}");
}

#[test]
fn an_endpoint_that_fails_for_days_is_announced_paused_and_resumed_by_hand() {
    let mut lab = Lab::new();
    let (dead, _) = lab.add(&lab.hook.url("dead"), &["--events", "bill.*"]);
    let watch = lab.hook.url("watch");
    lab.add(&watch, &["--events", "endpoint.*"]);
    lab.hook.answers("post /dead", 500);
    lab.does(&["trigger", "bill.created"]);
    lab.hook.wait("post /dead", 1);
    // The last try of the first day comes a little later, by chance.
    advance(&mut lab, "30h");
    lab.hook.wait("\"endpoint.failing\"", 1);
    for _ in 0..5 {
        // Something must be sent for it to fail.
        lab.does(&["trigger", "bill.created"]);
        advance(&mut lab, "1d");
    }
    let (_, told) = lab.hook.wait("\"endpoint.paused\"", 1).remove(0);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["data"]["endpoint"]["cause"], "failing");
    assert!(told["data"]["endpoint"]["failures"].as_u64().unwrap() >= 10);
    let text = lab.does(&["webhooks", "endpoints", "list"]);
    assert!(
        text.contains("paused since") && text.contains("failed attempts since"),
        "{text}"
    );
    let shown = lab.json(&["webhooks", "endpoints", "show", &dead]);
    let done: Vec<_> = shown["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["by"].as_str().unwrap(),
                entry["what"].as_str().unwrap(),
            )
        })
        .collect();
    let wanted = [
        ("operator", "endpoint.registered"),
        ("florin", "endpoint.failing"),
        ("florin", "endpoint.paused"),
    ];
    assert_eq!(done, wanted);
    // What gave up while it failed is listed as failed; by hand it goes out again.
    let failed = lab.json(&["webhooks", "list", "--endpoint", &dead, "--state", "failed"]);
    let failed = failed["deliveries"].as_array().unwrap().len();
    lab.hook.answers("post /dead", 200);
    let before = lab.hook.wait("post /dead", 1).len();
    lab.does(&["webhooks", "endpoints", "resume", &dead]);
    let from = ["--from", "2020-01-01T00:00:00Z"];
    lab.does(&[&["webhooks", "resend", "--endpoint", &dead], &from[..]].concat());
    lab.hook.wait("post /dead", before + failed.max(1));
    let started = gateway::clock::stopwatch();
    loop {
        let left = lab.json(&["webhooks", "list", "--endpoint", &dead]);
        let rows = left["deliveries"].as_array().unwrap();
        if rows.iter().all(|row| row["state"] == "delivered") {
            assert_eq!(rows.len(), 6, "{left}");
            break;
        }
        let spent = gateway::clock::stopwatch().saturating_sub(started);
        assert!(spent.as_secs() < 20, "{left}");
    }
}

/// The value of a field of the answer's head.
fn location(answer: &process::client::Answer) -> String {
    let line = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    line.unwrap_or_else(|| panic!("{}", answer.head)).to_owned()
}

#[test]
fn the_pages_do_what_the_commands_do() {
    let mut lab = Lab::new();
    let none = lab.client.get("/sandbox/endpoints").unwrap();
    assert!(
        none.body.contains("florin webhooks endpoints add"),
        "{}",
        none.body
    );
    let (id, secret) = lab.add(&lab.hook.url("page"), &["--label", "Stock"]);
    let (_, delivery) = lab.paid();
    lab.settled(&delivery, "delivered");
    let act = |client: &mut Client, path: &str| client.post(path, FORM, "action=continue").unwrap();
    let to = format!("/sandbox/endpoints/{id}");
    for (deed, shows) in [
        ("pause", "Somebody paused it on"),
        ("pause", "Somebody paused it on"),
        ("test", "Paused"),
        ("resume", "Active"),
    ] {
        let done = act(&mut lab.client, &format!("{to}/{deed}"));
        assert_eq!(
            (done.status, location(&done)),
            (303, format!("/sandbox/endpoints#{id}"))
        );
        let page = lab.client.get("/sandbox/endpoints").unwrap();
        assert!(
            page.body.contains(shows) && page.body.contains("Stock"),
            "{deed}"
        );
        assert!(!page.body.contains(&secret));
    }
    lab.hook.wait("endpoint.tested", 1);
    let again = act(
        &mut lab.client,
        &format!("/sandbox/deliveries/{delivery}/resend"),
    );
    assert_eq!(location(&again), format!("/sandbox/deliveries#{delivery}"));
    lab.settled(&delivery, "delivered");
    let over = act(
        &mut lab.client,
        &format!("/sandbox/deliveries/{delivery}/skip"),
    );
    assert_eq!(
        over.status, 303,
        "there was nothing to skip, as the list shows"
    );
    assert_eq!(
        lab.settled(&delivery, "delivered")["standing"],
        "It was delivered."
    );
    for missing in [
        format!("{to}/explode"),
        "/sandbox/endpoints/x/pause".to_owned(),
        format!("/sandbox/endpoints/end_{}/pause", "0".repeat(32)),
        "/sandbox/deliveries/x/skip".to_owned(),
        format!("/sandbox/deliveries/dlv_{}/skip", "0".repeat(32)),
    ] {
        assert_eq!(act(&mut lab.client, &missing).status, 404, "{missing}");
    }
    lab.does(&["webhooks", "endpoints", "remove", &id]);
    let page = lab.client.get("/sandbox/deliveries").unwrap().body;
    let tested = page
        .split("<article")
        .find(|part| part.contains("endpoint.tested"));
    let tested = tested.unwrap();
    assert!(
        !tested.contains("/resend"),
        "nothing is sent to a removed endpoint: {tested}"
    );
}

#[test]
fn deliveries_are_filtered_on_their_page() {
    let mut lab = Lab::new();
    let (id, _) = lab.add(&lab.hook.url("ok"), &["--label", "<b>Stock"]);
    lab.hook.answers("post /hook", 500);
    let (bill, _) = lab.paid();
    lab.hook.wait("\"bill.paid\"", 1);
    let payout = lab.json(&["trigger", "payout.paid"]);
    let payout = payout["reference"].as_str().unwrap();
    lab.hook.wait("\"payout.paid\"", 1);
    let mut page = |query: &str| {
        let answer = lab
            .client
            .get(&format!("/sandbox/deliveries?{query}"))
            .unwrap();
        assert_eq!(answer.status, 200, "{query}");
        assert!(!answer.body.contains("<b>Stock"), "a label is text");
        answer.body
    };
    let events = |page: &str| -> Vec<String> {
        let parts = page.split("<h2 id=\"h-dlv_").skip(1);
        parts
            .map(|part| part.split(['>', '<']).nth(1).unwrap().to_owned())
            .collect()
    };
    assert!(events(&page("")).len() > 4);
    let own = page("state=pending&endpoint=&payment=");
    assert_eq!(events(&own), ["payment_request.completed"]);
    assert!(own.contains("selected>Pending"), "{own}");
    for name in [&bill, "R-1"] {
        let of = events(&page(&format!("payment={name}")));
        assert!(of.contains(&"bill.paid".to_owned()), "{of:?}");
        assert!(!of.contains(&"payout.paid".to_owned()), "{of:?}");
    }
    let of = events(&page(&format!("payment={payout}")));
    assert!(of.contains(&"payout.paid".to_owned()), "{of:?}");
    let of = events(&page(&format!("endpoint={id}&state=delivered")));
    assert!(of.len() >= 4 && !of.contains(&"payment_request.completed".to_owned()));
    for none in [
        "payment=nobody",
        "state=paused",
        &format!("payment={payout}&state=failed"),
    ] {
        let page = page(none);
        assert!(
            page.contains("No delivery fits") && events(&page).is_empty(),
            "{none}"
        );
    }
    for wrong in ["state=lost", "endpoint=x", "before=x"] {
        let answer = lab
            .client
            .get(&format!("/sandbox/deliveries?{wrong}"))
            .unwrap();
        assert_eq!(answer.status, 404, "{wrong}");
    }
}

/// One page after the other, nothing twice.
#[test]
fn older_deliveries_are_on_the_next_page() {
    let mut lab = Lab::new();
    lab.add(&lab.hook.url("ok"), &[]);
    for _ in 0..30 {
        lab.does(&["trigger", "bill.changed"]);
    }
    let mut page = |path: &str| lab.client.get(path).unwrap().body;
    let (mut path, mut seen) = ("/sandbox/deliveries".to_owned(), Vec::new());
    loop {
        let page = page(&path);
        let ids = page.split("<article class=\"panel\" id=\"").skip(1);
        seen.extend(ids.map(|part| part.split('"').next().unwrap().to_owned()));
        let older = page.split("href=\"/sandbox/deliveries?before=").nth(1);
        let Some(older) = older.and_then(|rest| rest.split('"').next()) else {
            break;
        };
        path = format!("/sandbox/deliveries?before={older}");
    }
    let all = seen.len();
    assert_eq!(all, 60, "two events of each");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all);
}

#[test]
fn forms_of_endpoints_say_what_is_wrong() {
    let mut lab = Lab::new();
    let path = "/sandbox/endpoints";
    for (form, says) in [
        ("url=nonsense&events=&label=", "cannot be read"),
        ("url=&events=&label=", "cannot be read"),
        (
            "url=http%3A%2F%2F127.0.0.1%2F&events=bill.payed",
            "did you mean bill.paid?",
        ),
        (
            "url=http%3A%2F%2F127.0.0.1%2F&label=a%0Ab",
            "a label is one line",
        ),
    ] {
        let answer = lab.client.post(path, FORM, form).unwrap();
        assert_eq!(answer.status, 422, "{form}");
        assert!(answer.body.contains(says), "{form}: {}", answer.body);
        assert!(answer.body.contains("aria-invalid=\"true\""), "{form}");
    }
    let (id, _) = lab.add(&lab.hook.url("x"), &[]);
    let range = format!("{path}/{id}/resend");
    for (form, says) in [
        ("from=&until=", "Give a date and a time"),
        ("from=yesterday&until=", "Give a date and a time"),
        (
            "from=2026-11-21T10%3A00&until=2026-11-21T09%3A00",
            "ends before it begins",
        ),
        ("from=9999-11-21T10%3A00&until=", "ends before it begins"),
        ("from=%3Cb%3E&until=", "&#60;b&#62;"),
    ] {
        let answer = lab.client.post(&range, FORM, form).unwrap();
        assert_eq!(answer.status, 422, "{form}");
        assert!(answer.body.contains(says), "{form}: {}", answer.body);
    }
}

#[test]
fn endpoints_are_registered_and_ranges_sent_again_on_their_page() {
    let mut lab = Lab::new();
    let path = "/sandbox/endpoints";
    let encoded = |text: &str| text.replace(':', "%3A").replace('/', "%2F");
    let url = encoded(&lab.hook.url("page"));
    let form = format!("url={url}&events=bill.paid%2C+payment.*&label=Stock&action=continue");
    let made = lab.client.post(path, FORM, &form).unwrap();
    assert_eq!(made.status, 201);
    let secret = made.body.split("<code>").nth(1).unwrap();
    let secret = secret.split('<').next().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"), "{secret}");
    let shown = lab.client.get(path).unwrap().body;
    assert!(
        shown.contains("Stock") && !shown.contains(&secret),
        "shown once"
    );
    let list = lab.json(&["webhooks", "endpoints", "list"]);
    let id = list["endpoints"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        list["endpoints"][0]["events"],
        serde_json::json!(["bill.paid", "payment.*"])
    );
    lab.does(&["trigger", "bill.paid"]);
    let (head, body) = lab.hook.wait("\"bill.paid\"", 1).remove(0);
    assert!(genuine(&head, &body, &secret));
    let range = format!("{path}/{id}/resend");
    let mut again = |form: &str, says: &str| {
        let answer = lab.client.post(&range, FORM, form).unwrap();
        assert_eq!(answer.status, 303, "{form}");
        let to = location(&answer);
        assert!(to.ends_with(&format!("#{id}")), "{to}");
        let shown = lab.client.get(to.split('#').next().unwrap()).unwrap().body;
        assert!(shown.contains(says), "{form}: {shown}");
    };
    again(
        "from=2020-01-01T00%3A00&until=",
        "Nothing to send again in that time.",
    );
    again(
        "from=2020-01-01T00%3A00%3A00&until=&all=yes",
        "deliveries go out again.",
    );
    lab.hook.wait("\"bill.paid\"", 2);
    for missing in [
        "/sandbox/endpoints/x/resend".to_owned(),
        format!("{path}/{id}/explode"),
    ] {
        let answer = lab
            .client
            .post(&missing, FORM, "from=2020-01-01T00:00")
            .unwrap();
        assert_eq!(answer.status, 404, "{missing}");
    }
}

#[test]
fn the_clock_is_moved_by_a_form() {
    let mut lab = Lab::new();
    let home = lab.client.get("/").unwrap().body;
    assert!(
        home.contains("Not at all"),
        "it goes with real time: {home}"
    );
    let path = "/sandbox/clock/form";
    for (typed, says) in [
        ("", "whole numbers"),
        ("tomorrow", "whole numbers"),
        ("%3Cscript%3E", "whole numbers"),
        ("0h", "more than nothing"),
        ("401d", "400 days or less"),
    ] {
        let form = format!("action=choose&advance={typed}");
        let refused = lab.client.post(path, FORM, &form).unwrap();
        assert_eq!(refused.status, 422, "{typed}");
        assert!(refused.body.contains(says), "{typed}: {}", refused.body);
        assert!(!refused.body.contains("<script>"), "what is typed is text");
    }
    let home = lab.client.get("/").unwrap().body;
    assert!(home.contains("Not at all"), "nothing moved: {home}");
    let moved = lab
        .client
        .post(path, FORM, "action=choose&advance=1d2h")
        .unwrap();
    assert_eq!(
        (moved.status, location(&moved)),
        (303, "/#clock".to_owned())
    );
    assert!(lab.client.get("/").unwrap().body.contains("1 d 2 h"));
}
