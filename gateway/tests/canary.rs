//! What may never be written: everything that opens something, searched for in all that a gateway
//! says at its most talkative.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod process;

use std::fs::File;
use std::path::Path;

use process::client::Client;
use process::hook::Hook;
use process::{Gateway, florin, said};
use serde_json::Value;

const FORM: &str = "application/x-www-form-urlencoded";

/// Cards that are in no greeting; the second one is declined, the third is refused as invalid.
const CARDS: [&str; 4] = [
    "4539578763621486",
    "4000000000000002",
    "4539578763621487",
    "4000002760003184",
];
const CODE: &str = "7093";

fn command(data: &Path, args: &[&str]) -> String {
    let output = florin()
        .args(args)
        .arg("--data")
        .arg(data)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Every text in `sandbox.json` that opens something.
fn credentials(data: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(data.join("sandbox.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let names = [
        "/hitpay/api_key",
        "/hitpay/salt",
        "/numipay/api_key",
        "/numipay/signature_password",
        "/vipps/client_secret",
        "/vipps/subscription_key",
        "/igivepay/client_secret",
        "/portal/password",
    ];
    let master = std::fs::read_to_string(data.join("master.key")).unwrap();
    let named = names.map(|name| json.pointer(name).unwrap().as_str().unwrap().to_owned());
    named
        .into_iter()
        .chain([master.trim().to_owned()])
        .collect()
}

/// Pays by the page's own form with every marked card.
fn pay(client: &mut Client, hook: &Hook) -> String {
    let target = hook.url("hook").replace(':', "%3A");
    let form = format!(
        "amount=10.50&currency=SGD&payment_methods%5B%5D=card&reference_number=FINDABLE\
         &webhook={target}"
    );
    let made = client.post("/v1/payment-requests", FORM, &form).unwrap();
    let json: Value = serde_json::from_str(&made.body).unwrap();
    let id = json["id"].as_str().unwrap().to_owned();
    let page = format!("/payment-request/@demo-shop/{id}/checkout");
    for card in CARDS.iter().rev() {
        let shown = client.get(&page).unwrap().body;
        let once = shown.split("name=\"once\" value=\"").nth(1);
        let once = once
            .and_then(|rest| rest.split('"').next())
            .unwrap_or("none");
        let form = format!(
            "action=pay&method=card&once={once}&number={card}&expiry=12%2F30&code={CODE}&name=A"
        );
        client.post(&page, FORM, &form).unwrap();
    }
    let short = format!("{{\"payment\":\"{id}\",\"outcome\":\"approve\"}}");
    client
        .post("/sandbox/simulate", "application/json", &short)
        .unwrap();
    id
}

#[test]
fn nothing_that_opens_something_is_logged() {
    for format in ["json", "text"] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        let mut start = florin();
        start
            .args(["sandbox", "--log-level", "debug", "--log-format", format])
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap());
        let mut gateway = Gateway::wait(start, &data);
        let greeting = std::fs::read_to_string(&out).unwrap().len();
        let hook = Hook::open();
        let mut marked = credentials(&data);
        let standard = hook.url("standard");
        let added = command(&data, &["webhooks", "endpoints", "add", &standard]);
        let endpoint = word(&added, "end_");
        marked.push(word(&added, "whsec_"));
        let rotated = command(&data, &["webhooks", "endpoints", "rotate", &endpoint]);
        marked.push(word(&rotated, "whsec_"));
        hook.answers("post /hook", 500);
        let id = pay(&mut gateway.client(), &hook);
        hook.wait(&id, 2);
        hook.wait("post /standard", 2);
        let wrong = "test_0123456789wrongwrongwrong";
        marked.push(wrong.to_owned());
        let mut stranger = Client::connect(gateway.address, wrong).unwrap();
        stranger.get("/v1/payment-requests").unwrap();
        stranger.get("/sandbox/clock").unwrap();
        command(&data, &["trigger", "bill.failed"]);
        let moved =
            gateway
                .client()
                .post("/sandbox/clock", "application/json", "{\"advance\":\"2h\"}");
        assert_eq!(moved.unwrap().status, 200);
        assert_eq!(gateway.signal("-TERM"), Some(0));
        marked.extend(CARDS.map(str::to_owned));
        marked.extend(CARDS.map(|card| format!("{} {}", &card[..4], &card[4..8])));
        marked.extend(CARDS.map(|card| card[4..].to_owned()));
        marked.push(format!("={CODE}"));
        marked.push(format!("\"{CODE}\""));
        let said = std::fs::read_to_string(&out).unwrap().split_off(greeting);
        let logged = std::fs::read_to_string(&err).unwrap();
        assert!(logged.contains("stopping"), "the log was read: {logged}");
        assert!(
            logged.to_lowercase().contains("debug"),
            "and it was talkative: {logged}"
        );
        for secret in &marked {
            assert!(secret.len() >= 5);
            assert!(
                !said.contains(secret.as_str()),
                "{secret} on standard output"
            );
            let line = logged.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{secret}");
        }
    }
}

fn word(text: &str, start: &str) -> String {
    let found = text.split_whitespace().find(|word| word.starts_with(start));
    found
        .unwrap_or_else(|| panic!("no {start} in {text}"))
        .to_owned()
}
