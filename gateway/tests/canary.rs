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

const JSON: &str = "application/json";

/// What a client of each dialect does, right and wrong; the secrets that came of it.
fn all_dialects(gateway: &Gateway, data: &Path, hook: &Hook) -> Vec<String> {
    let text = std::fs::read_to_string(data.join("sandbox.json")).unwrap();
    let known: Value = serde_json::from_str(&text).unwrap();
    let of = |name: &str| known.pointer(name).unwrap().as_str().unwrap().to_owned();
    let json = |answer: &str| serde_json::from_str::<Value>(answer).unwrap();
    let mut marked = Vec::new();
    let own = hook.url("hook");
    // Vipps MobilePay: a token, a registration, payments that are taken and refused.
    let (id, secret) = (of("/vipps/client_id"), of("/vipps/client_secret"));
    let (key, number) = (
        of("/vipps/subscription_key"),
        of("/vipps/merchant_serial_number"),
    );
    let account = [
        ("ocp-apim-subscription-key", key.as_str()),
        ("merchant-serial-number", &number),
        ("client_id", &id),
        ("client_secret", &secret),
        ("idempotency-key", "canary"),
    ];
    let mut vipps = gateway.client().with_key("").with_headers(&account);
    let token = json(&vipps.post("/accesstoken/get", JSON, "").unwrap().body);
    let token = token["access_token"].as_str().unwrap().to_owned();
    let body = format!("{{\"url\":\"{own}\",\"events\":[\"epayments.payment.created.v1\"]}}");
    let made = json(
        &vipps
            .post("/webhooks/v1/webhooks", JSON, &body)
            .unwrap()
            .body,
    );
    marked.push(made["secret"].as_str().unwrap().to_owned());
    let bearer = format!("Bearer {token}");
    let mut account = account.to_vec();
    account.push(("authorization", &bearer));
    let mut vipps = gateway.client().with_key("").with_headers(&account);
    let pay = "{\"amount\":{\"currency\":\"NOK\",\"value\":4900},\"paymentMethod\":{\"type\":\"WALLET\"},\
               \"userFlow\":\"WEB_REDIRECT\",\"returnUrl\":\"https://a.example/\",\
               \"reference\":\"canary-0001\"}";
    let payments = "/epayment/v1/payments";
    assert_eq!(vipps.post(payments, JSON, pay).unwrap().status, 201);
    vipps
        .post(payments, JSON, &pay.replace("4900", "-1"))
        .unwrap();
    vipps.post(payments, JSON, "{").unwrap();
    let cut = token[..token.len() - 4].to_owned();
    let wrong = format!("Bearer {cut}");
    account.pop();
    account.push(("authorization", &wrong));
    let mut stranger = gateway.client().with_key("").with_headers(&account);
    assert_eq!(
        stranger
            .get("/epayment/v1/payments/canary-0001")
            .unwrap()
            .status,
        401
    );
    marked.push(token);
    marked.push(cut);
    // Numipay: a card in the call, taken, refused and misplaced.
    let key = of("/numipay/api_key");
    let mut numipay = gateway
        .client()
        .with_key("")
        .with_headers(&[("x-api-key", &key)]);
    for (number, card) in CARDS.iter().enumerate() {
        let body = format!(
            "{{\"request\":{{\"user_id\":\"1\",\"tracking_id\":\"canary-{number}\",\
             \"currency\":\"EUR\",\"amount\":\"9.00\",\"ip\":\"1.2.3.4\",\
             \"notification_url\":\"{own}\",\"credit_card\":{{\"number\":\"{card}\",\
             \"holder\":\"A\",\"verification_value\":\"{CODE}\",\"exp_month\":\"12\",\
             \"exp_year\":\"2030\"}},\"customer\":{{\"email\":\"a@b.example\"}}}}}}"
        );
        for path in ["s2s", "hosted", "direct", card] {
            let path = format!("/gateway/v1/payments/{path}");
            let answer = numipay.post(&path, JSON, &body).unwrap();
            assert!(!answer.body.contains(card), "{}", answer.body);
        }
    }
    // iGivePay: cards made, shown once, paid with, and refused.
    let (id, secret) = (of("/igivepay/client_id"), of("/igivepay/client_secret"));
    let client = [("x-client-id", id.as_str()), ("x-client-secret", &secret)];
    let mut igive = gateway.client().with_key("").with_headers(&client);
    let made = igive
        .post("/sandbox/gift-cards", JSON, "{\"amount\":\"100.00\"}")
        .unwrap();
    let made = json(&made.body);
    let (card, cvc) = (
        made["card_number"].as_str().unwrap(),
        made["cvc"].as_str().unwrap(),
    );
    let body = format!(
        "{{\"paymentTotal\":10,\"reference\":\"canary\",\"accessMode\":\"api\",\
         \"webhookUrl\":\"{own}\"}}"
    );
    let payment = json(&igive.post("/api/v1/payments", JSON, &body).unwrap().body);
    let payment = payment["paymentId"].as_str().unwrap().to_owned();
    let perform = format!("/api/v1/payments/{payment}/perform");
    for code in ["000", cvc] {
        let body = format!("{{\"cards\":[{{\"cardNumber\":\"{card}\",\"cvc\":\"{code}\"}}]}}");
        let answer = igive.post(&perform, JSON, &body).unwrap();
        assert!(!answer.body.contains(card), "{}", answer.body);
    }
    igive
        .get(&format!("/api/v1/giftcards/balance/{card}"))
        .unwrap();
    marked.push(card.to_owned());
    marked.push(card[..14].to_owned());
    hook.wait(&payment, 1);
    marked
}

/// What the commands show of every delivery and endpoint.
fn shown(data: &Path) -> String {
    let listed = command(data, &["webhooks", "list", "--limit", "200", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let rows = listed["deliveries"].as_array().unwrap();
    assert!(rows.len() >= 10, "{}", rows.len());
    let mut all = command(data, &["webhooks", "list"]);
    all.push_str(&command(data, &["webhooks", "endpoints", "list"]));
    for row in rows {
        let id = row["id"].as_str().unwrap();
        all.push_str(&command(data, &["webhooks", "show", id]));
    }
    all
}

/// The files of the database, but for the two that hold secrets for their owner.
fn stored(data: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(data)
        .unwrap()
        .map(|file| file.unwrap().path());
    let files = files.filter(|path| path.is_file());
    files
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                path,
            )
        })
        .filter(|(name, _)| !["sandbox.json", "master.key"].contains(&name.as_str()))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect()
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
        marked.extend(all_dialects(&gateway, &data, &hook));
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
        let mut client = gateway.client();
        let metrics = client.get("/metrics").unwrap().body;
        assert!(metrics.contains("florin_requests_total"), "{metrics}");
        let pages = ["/sandbox/deliveries", "/sandbox/endpoints"]
            .map(|path| client.get(path).unwrap().body)
            .concat();
        let commands = shown(&data);
        let calls = client.get("/sandbox/webhooks").unwrap().body;
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
        let files = stored(&data);
        assert!(files.iter().any(|(name, _)| name == "florin.db"));
        for secret in &marked {
            assert!(secret.len() >= 5);
            for (place, text) in [
                ("metrics", &metrics),
                ("pages", &pages),
                ("commands", &commands),
                ("the list of deliveries", &calls),
            ] {
                assert!(!text.contains(secret.as_str()), "{secret} in {place}");
            }
            for (name, bytes) in &files {
                let found = bytes
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes());
                assert!(!found, "{secret} in {name}");
            }
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
