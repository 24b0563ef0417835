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

/// A client of the demo shop and where its webhooks go.
struct Shop<'a> {
    gateway: &'a Gateway,
    known: Value,
    hook: &'a Hook,
}

impl<'a> Shop<'a> {
    fn new(gateway: &'a Gateway, data: &Path, hook: &'a Hook) -> Self {
        let text = std::fs::read_to_string(data.join("sandbox.json")).unwrap();
        let known = serde_json::from_str(&text).unwrap();
        Self {
            gateway,
            known,
            hook,
        }
    }

    fn of(&self, name: &str) -> String {
        let text = self.known.pointer(name).unwrap().as_str();
        text.unwrap().to_owned()
    }

    /// Vipps MobilePay: a token, a registration, payments that are taken and refused.
    fn vipps(&self) -> Vec<String> {
        let (gateway, own) = (self.gateway, self.hook.url("hook"));
        let of = |name: &str| self.of(name);
        let mut marked = Vec::new();
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
        let pay = "{\"amount\":{\"currency\":\"NOK\",\"value\":4900},\
               \"paymentMethod\":{\"type\":\"WALLET\"},\
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
        marked
    }

    /// Numipay: a card in the call, taken, refused and misplaced.
    fn numipay(&self) {
        let (gateway, own) = (self.gateway, self.hook.url("hook"));
        let of = |name: &str| self.of(name);
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
    }

    /// iGivePay: cards made, shown once, paid with, and refused.
    fn igivepay(&self) -> [String; 2] {
        let (gateway, own) = (self.gateway, self.hook.url("hook"));
        let of = |name: &str| self.of(name);
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
        self.hook.wait(&payment, 1);
        [card.to_owned(), card[..14].to_owned()]
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
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

/// Does everything that a secret could come through; what must be nowhere.
fn exercise(gateway: &Gateway, data: &Path) -> Vec<String> {
    let hook = Hook::open();
    let mut marked = credentials(data);
    let standard = hook.url("standard");
    let added = command(data, &["webhooks", "endpoints", "add", &standard]);
    let endpoint = word(&added, "end_");
    marked.push(word(&added, "whsec_"));
    let rotated = command(data, &["webhooks", "endpoints", "rotate", &endpoint]);
    marked.push(word(&rotated, "whsec_"));
    let shop = Shop::new(gateway, data, &hook);
    marked.extend(shop.vipps());
    shop.numipay();
    marked.extend(shop.igivepay());
    hook.answers("post /hook", 500);
    let id = pay(&mut gateway.client(), &hook);
    hook.wait(&id, 2);
    hook.wait("post /standard", 2);
    let wrong = "test_0123456789wrongwrongwrong";
    marked.push(wrong.to_owned());
    let mut stranger = Client::connect(gateway.address, wrong).unwrap();
    stranger.get("/v1/payment-requests").unwrap();
    stranger.get("/sandbox/clock").unwrap();
    command(data, &["trigger", "bill.failed"]);
    let clock = "{\"advance\":\"2h\"}";
    let moved = gateway.client().post("/sandbox/clock", JSON, clock);
    assert_eq!(moved.unwrap().status, 200);
    marked.extend(CARDS.map(str::to_owned));
    marked.extend(CARDS.map(|card| format!("{} {}", &card[..4], &card[4..8])));
    marked.extend(CARDS.map(|card| card[4..].to_owned()));
    marked.push(format!("={CODE}"));
    marked.push(format!("\"{CODE}\""));
    marked
}

/// Everything that a gateway shows of itself, by the name of the place.
fn said_by(gateway: &Gateway, data: &Path) -> Vec<(String, Vec<u8>)> {
    let mut client = gateway.client();
    let mut page = |path: &str| client.get(path).unwrap().body;
    let metrics = page("/metrics");
    assert!(metrics.contains("florin_requests_total"), "{metrics}");
    let texts = [
        ("metrics", metrics),
        ("the page of deliveries", page("/sandbox/deliveries")),
        ("the page of endpoints", page("/sandbox/endpoints")),
        ("the list of deliveries", page("/sandbox/webhooks")),
        ("commands", shown(data)),
    ];
    texts
        .map(|(place, text)| (place.to_owned(), text.into_bytes()))
        .to_vec()
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
        let marked = exercise(&gateway, &data);
        let mut places = said_by(&gateway, &data);
        assert_eq!(gateway.signal("-TERM"), Some(0));
        let said = std::fs::read_to_string(&out).unwrap().split_off(greeting);
        places.push(("standard output".to_owned(), said.into_bytes()));
        let logged = std::fs::read_to_string(&err).unwrap();
        assert!(logged.contains("stopping"), "the log was read: {logged}");
        let talkative = logged.to_lowercase().contains("debug");
        assert!(talkative, "{logged}");
        let files = stored(&data);
        assert!(files.iter().any(|(name, _)| name == "florin.db"));
        places.extend(files);
        for secret in &marked {
            assert!(secret.len() >= 5);
            for (place, bytes) in &places {
                let mut parts = bytes.windows(secret.len());
                let found = parts.any(|part| part == secret.as_bytes());
                assert!(!found, "{secret} in {place}");
            }
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
