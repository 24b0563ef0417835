//! `POST /sandbox/simulate` from outside, over all four APIs: every outcome of payments,
//! reservations, gift cards and payouts, in the words of the API that is asked.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod process;

use process::Gateway;
use process::client::Client;
use serde_json::{Value, json};

const JSON: &str = "application/json";

struct Lab {
    gateway: Gateway,
    _folder: tempfile::TempDir,
    account: Vec<(&'static str, String)>,
    count: u32,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(folder.path(), "127.0.0.1:0");
        let text = std::fs::read_to_string(folder.path().join("sandbox.json")).unwrap();
        let known: Value = serde_json::from_str(&text).unwrap();
        let of = |name: &str| known.pointer(name).unwrap().as_str().unwrap().to_owned();
        let account = vec![
            ("x-api-key", of("/numipay/api_key")),
            ("x-client-id", of("/igivepay/client_id")),
            ("x-client-secret", of("/igivepay/client_secret")),
            ("client_id", of("/vipps/client_id")),
            ("client_secret", of("/vipps/client_secret")),
            ("ocp-apim-subscription-key", of("/vipps/subscription_key")),
            (
                "merchant-serial-number",
                of("/vipps/merchant_serial_number"),
            ),
        ];
        let mut lab = Self {
            gateway,
            _folder: folder,
            account,
            count: 0,
        };
        let (_, token) = lab.post("/accesstoken/get", &Value::Null);
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        lab.account.push(("authorization", bearer));
        lab
    }

    /// A client of all four APIs, with a new key for what it does.
    fn client(&mut self) -> Client {
        self.count += 1;
        let key = self.count.to_string();
        let known = self.account.iter();
        let mut headers: Vec<_> = known.map(|(name, value)| (*name, value.as_str())).collect();
        headers.push(("idempotency-key", &key));
        self.gateway.client().with_headers(&headers)
    }

    fn post(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.client().post(path, JSON, &body.to_string()).unwrap();
        let told = serde_json::from_str(&answer.body).unwrap_or_default();
        (answer.status, told)
    }

    /// Something new to simulate, by its reference and the id that its API shows.
    fn made(&mut self, what: &str) -> (String, String) {
        let reference = format!("simulate-{}", self.count);
        let (path, body) = match what {
            "hitpay" => (
                "/v1/payment-requests",
                json!({"amount": 10, "currency": "SGD", "reference_number": reference,
                       "payment_methods": ["card", "paynow_online"]}),
            ),
            "vipps" => (
                "/epayment/v1/payments",
                json!({"amount": {"currency": "NOK", "value": 4900}, "reference": reference,
                       "paymentMethod": {"type": "WALLET"}, "userFlow": "WEB_REDIRECT",
                       "returnUrl": "https://a.example/"}),
            ),
            "numipay" => (
                "/gateway/v1/payments/hosted",
                json!({"request": {"user_id": "1", "tracking_id": reference, "currency": "EUR",
                                   "amount": "20.00"}}),
            ),
            "payout" | "approved payout" => (
                "/gateway/v1/payouts",
                json!({"request": {"user_id": "1", "tracking_id": reference, "currency": "EUR",
                                   "amount": "5.00"}}),
            ),
            _ => (
                "/api/v1/payments",
                json!({"paymentTotal": 100, "reference": reference,
                       "redirectUrl": "https://a.example/"}),
            ),
        };
        let (status, told) = self.post(path, &body);
        assert!((200..300).contains(&status), "{what}: {told}");
        if what == "approved payout" {
            let body = json!({"transaction_id": reference});
            assert_eq!(self.post("/gateway/v1/payouts/approve", &body).0, 200);
        }
        let names = ["id", "transaction_id", "paymentId", "reference"];
        let id = names.iter().find_map(|name| told[name].as_str()).unwrap();
        (reference, id.to_owned())
    }

    fn simulate(&mut self, body: &Value) -> (u16, Value) {
        self.post("/sandbox/simulate", body)
    }

    fn card(&mut self, amount: &str, state: &str) -> Value {
        let body = json!({"amount": amount, "state": state});
        let (status, card) = self.post("/sandbox/gift-cards", &body);
        assert_eq!(status, 201, "{card}");
        json!({"card_number": card["card_number"], "cvc": card["cvc"]})
    }

    fn balanced(&mut self) {
        let told = self.client().get("/sandbox/ledger").unwrap().body;
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["balanced"], true, "{told}");
    }
}

/// What is made, what is done to it, and the API's word for what it is then.
fn outcomes() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("hitpay", json!({"outcome": "approve"}), "completed"),
        (
            "hitpay",
            json!({"outcome": "approve", "method": "paynow_online"}),
            "completed",
        ),
        (
            "hitpay",
            json!({"outcome": "approve", "dialect": "hitpay"}),
            "completed",
        ),
        ("hitpay", json!({"outcome": "decline"}), "pending"),
        (
            "hitpay",
            json!({"outcome": "decline", "final": true, "reason": "No"}),
            "failed",
        ),
        ("hitpay", json!({"outcome": "abort"}), "pending"),
        ("hitpay", json!({"outcome": "expire"}), "expired"),
        ("vipps", json!({"outcome": "approve"}), "AUTHORIZED"),
        (
            "vipps",
            json!({"outcome": "decline", "reason": "No"}),
            "CREATED",
        ),
        (
            "vipps",
            json!({"outcome": "decline", "final": true}),
            "ABORTED",
        ),
        ("vipps", json!({"outcome": "abort"}), "ABORTED"),
        ("vipps", json!({"outcome": "expire"}), "EXPIRED"),
        ("numipay", json!({"outcome": "approve"}), "successful"),
        (
            "numipay",
            json!({"outcome": "approve", "method": "wallet"}),
            "successful",
        ),
        (
            "numipay",
            json!({"outcome": "decline", "reason": "No"}),
            "rejected",
        ),
        ("numipay", json!({"outcome": "abort"}), "rejected"),
        ("numipay", json!({"outcome": "expire"}), "expired"),
        ("payout", json!({"outcome": "approve"}), "pending"),
        ("payout", json!({"outcome": "decline"}), "rejected"),
        ("payout", json!({"outcome": "abort"}), "rejected"),
        ("payout", json!({"outcome": "expire"}), "expired"),
        (
            "approved payout",
            json!({"outcome": "approve"}),
            "successful",
        ),
        (
            "approved payout",
            json!({"outcome": "decline", "reason": "No"}),
            "rejected",
        ),
        ("igivepay", json!({"outcome": "approve"}), "charged"),
        ("igivepay", json!({"outcome": "decline"}), "pending"),
        ("igivepay", json!({"outcome": "abort"}), "aborted"),
        ("igivepay", json!({"outcome": "expire"}), "expired"),
    ]
}

#[test]
fn every_outcome_in_the_words_of_each_api() {
    let mut lab = Lab::new();
    for (what, more, word) in outcomes() {
        for by_reference in [true, false] {
            let (reference, id) = lab.made(what);
            let mut body = more.clone();
            body["payment"] = if by_reference { &reference } else { &id }.as_str().into();
            let (status, told) = lab.simulate(&body);
            assert_eq!(status, 200, "{what} {body}: {told}");
            assert_eq!(
                told,
                json!({"payment": id, "status": word}),
                "{what} {body}"
            );
        }
    }
    lab.balanced();
}

#[test]
fn gift_cards_cover_what_they_can() {
    let mut lab = Lab::new();
    let whole = lab.card("500.00", "active");
    let small = lab.card("30.00", "active");
    let (reference, _) = lab.made("igivepay");
    let mut part = small.clone();
    part["amount"] = "20.00".into();
    let body = json!({"payment": reference, "outcome": "approve", "cards": [part]});
    let (status, told) = lab.simulate(&body);
    assert_eq!(
        (status, &told["status"]),
        (200, &"charged".into()),
        "a part is charged: {told}"
    );
    let (reference, _) = lab.made("igivepay");
    let body = json!({"payment": reference, "outcome": "approve", "cards": [small, whole]});
    assert_eq!(lab.simulate(&body).1["status"], "charged");
    for state in ["blocked", "expired", "inactive"] {
        let card = lab.card("500.00", state);
        let (reference, _) = lab.made("igivepay");
        let body = json!({"payment": reference, "outcome": "approve", "cards": [card]});
        let (status, told) = lab.simulate(&body);
        assert_eq!(status, 409, "{state}: {told}");
    }
    let (reference, _) = lab.made("igivepay");
    let wrong = json!({"card_number": whole["card_number"], "cvc": "999"});
    for cards in [json!([wrong]), json!([{"card_number": "1", "cvc": "1"}])] {
        let body = json!({"payment": reference, "outcome": "approve", "cards": cards});
        assert_eq!(lab.simulate(&body).0, 409, "{cards}");
    }
    lab.balanced();
}

#[test]
fn what_cannot_be_says_why() {
    let mut lab = Lab::new();
    let (paid, _) = lab.made("hitpay");
    let (reserved, _) = lab.made("vipps");
    for done in [&paid, &reserved] {
        let body = json!({"payment": done, "outcome": "approve"});
        assert_eq!(lab.simulate(&body).0, 200);
    }
    for (body, status, says) in [
        (
            json!({"payment": paid, "outcome": "approve"}),
            409,
            "completed",
        ),
        (
            json!({"payment": paid, "outcome": "expire"}),
            409,
            "completed",
        ),
        (
            json!({"payment": reserved, "outcome": "approve"}),
            409,
            "the payer said yes before",
        ),
        (
            json!({"payment": reserved, "outcome": "expire"}),
            409,
            "it is authorized",
        ),
        (
            json!({"payment": "nobody", "outcome": "approve"}),
            404,
            "nobody",
        ),
        (
            json!({"payment": paid, "outcome": "approve", "dialect": "vipps"}),
            404,
            &paid,
        ),
        (
            json!({"payment": paid, "outcome": "approve", "dialect": "morse"}),
            400,
            "morse is none of hitpay, vipps, numipay, igivepay",
        ),
        (
            json!({"payment": paid, "outcome": "eat"}),
            400,
            "approve, decline, abort and expire",
        ),
        (
            json!({"outcome": "approve"}),
            400,
            "missing field `payment`",
        ),
        (json!([]), 400, "Send JSON"),
    ] {
        let (got, told) = lab.simulate(&body);
        let message = told["message"].as_str().unwrap_or_default();
        assert_eq!(got, status, "{body}: {told}");
        assert!(message.contains(says), "{body}: {told}");
    }
    let huge = json!({"advance_seconds": u64::MAX});
    assert_eq!(lab.post("/sandbox/clock", &huge).0, 400);
    lab.balanced();
}

#[test]
fn the_ledger_counts_more_than_64_bits_hold() {
    let mut lab = Lab::new();
    let card = json!({"amount": "92233720368547758.07"});
    for _ in 0..2 {
        let (status, made) = lab.post("/sandbox/gift-cards", &card);
        assert_eq!(status, 201, "{made}");
    }
    let told = lab.client().get("/sandbox/ledger").unwrap();
    assert_eq!(told.status, 200, "{}", told.body);
    let sum = (i128::from(i64::MAX) * 2).to_string();
    let sums = format!("{{\"debits\":{sum},\"credits\":{sum},\"difference\":0}}");
    assert!(told.body.contains(&sums), "{}", told.body);
    assert!(
        told.body.starts_with("{\"balanced\":true,"),
        "{}",
        told.body
    );
}
