//! The HitPay API and the checkout page from outside: a real process, real bytes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod process;

use process::Gateway;
use process::client::{Answer, Client};
use serde_json::Value;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const PATH: &str = "/v1/payment-requests";
const BILL: &str = "amount=10.50&currency=SGD&payment_methods%5B%5D=card";

struct Lab {
    client: Client,
    gateway: Gateway,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(folder.path(), "127.0.0.1:0");
        Self {
            client: gateway.client(),
            gateway,
            folder,
        }
    }

    fn json(&mut self, method: &str, path: &str, body: &str, status: u16) -> Value {
        let answer = self.client.call(method, path, FORM, body).unwrap();
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn create(&mut self, form: &str) -> String {
        let made = self.json("POST", PATH, form, 201);
        made["id"].as_str().unwrap().to_owned()
    }

    fn simulate(&mut self, body: &Value, status: u16) -> Value {
        let answer = self
            .client
            .post("/sandbox/simulate", JSON, &body.to_string())
            .unwrap();
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn show(&mut self, id: &str) -> Value {
        self.json("GET", &format!("{PATH}/{id}"), "", 200)
    }

    fn page(id: &str) -> String {
        format!("/payment-request/@demo-shop/{id}/checkout")
    }

    /// Sends the card form of a bill's page.
    fn pay(&mut self, id: &str, number: &str) -> Answer {
        let page = Self::page(id);
        let shown = self.client.get(&page).unwrap();
        let once = hidden(&shown.body, "once");
        let form = format!(
            "action=pay&method=card&once={once}&number={number}&expiry=12%2F30&code=907&name=A"
        );
        self.client.post(&page, FORM, &form).unwrap()
    }
}

fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page
        .split(&start)
        .nth(1)
        .unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

fn location(answer: &Answer) -> String {
    let line = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    line.unwrap_or_else(|| panic!("no location: {}", answer.head))
        .to_owned()
}

#[test]
fn a_payment_request_from_creation_to_deletion() {
    let mut lab = Lab::new();
    let id = lab.create(&format!(
        "{BILL}&reference_number=R-1&email=a%40example.com"
    ));
    let shown = lab.show(&id);
    assert_eq!(
        (&shown["amount"], &shown["currency"]),
        (&"10.50".into(), &"sgd".into())
    );
    assert!(shown.get("payments").is_none(), "nobody has tried");
    let found = lab.json(
        "GET",
        &format!("{PATH}?search=R-1&per_page=5&page=1"),
        "",
        200,
    );
    assert_eq!(
        (&found["meta"]["total"], &found["data"][0]["id"]),
        (&1.into(), &id.as_str().into())
    );
    let none = lab.json("GET", &format!("{PATH}?status=completed"), "", 200);
    assert_eq!(none["meta"]["total"], 0);
    let link = lab.json(
        "GET",
        &format!("{PATH}?request_id={id}&is_default=1"),
        "",
        200,
    );
    assert!(
        link["data"][0]["url"]
            .as_str()
            .unwrap()
            .ends_with("/payment-request/@demo-shop/")
    );
    let changed = lab.json(
        "PUT",
        &format!("{PATH}/{id}"),
        "amount=12&currency=SGD",
        200,
    );
    assert_eq!(changed["amount"], "12.00");
    // A stale body on GET and DELETE is ignored, as an official client needs it.
    let gone = lab.json("DELETE", &format!("{PATH}/{id}"), "amount=1", 200);
    assert_eq!(gone["success"], true);
    for method in ["GET", "DELETE", "PUT"] {
        let again = lab.json(
            method,
            &format!("{PATH}/{id}"),
            "amount=1&currency=SGD",
            404,
        );
        assert_eq!(again["error_code"], "model_not_found", "{method}");
    }
    let page = lab.client.get(&Lab::page(&id)).unwrap();
    assert!(
        page.status == 404 && !page.body.contains("<form"),
        "{}",
        page.body
    );
}

#[test]
fn a_completed_request_can_be_neither_changed_nor_deleted() {
    let mut lab = Lab::new();
    let id = lab.create(&format!("{BILL}&reference_number=R-2"));
    let by_reference = serde_json::json!({"payment": "R-2", "outcome": "approve"});
    assert_eq!(lab.simulate(&by_reference, 200)["status"], "completed");
    let shown = lab.show(&id);
    assert_eq!(shown["payments"][0]["status"], "succeeded");
    lab.json(
        "PUT",
        &format!("{PATH}/{id}"),
        "amount=12&currency=SGD",
        422,
    );
    lab.json("DELETE", &format!("{PATH}/{id}"), "", 422);
    let charge = shown["payments"][0]["id"].as_str().unwrap().to_owned();
    for name in [id.as_str(), &charge, "R-2"] {
        let again = serde_json::json!({"payment": name, "outcome": "approve"});
        lab.simulate(&again, 409);
    }
}

#[test]
fn the_simulator_does_what_a_customer_would() {
    let mut lab = Lab::new();
    for (outcome, good, status) in [
        (serde_json::json!({"outcome": "abort"}), 200, "pending"),
        (
            serde_json::json!({"outcome": "decline", "reason": "No"}),
            200,
            "pending",
        ),
        (
            serde_json::json!({"outcome": "decline", "final": true}),
            200,
            "failed",
        ),
        (serde_json::json!({"outcome": "expire"}), 200, "expired"),
    ] {
        let mut body = outcome;
        body["payment"] = lab.create(BILL).into();
        assert_eq!(lab.simulate(&body, good)["status"], status, "{body}");
    }
    lab.simulate(
        &serde_json::json!({"payment": "nobody", "outcome": "approve"}),
        404,
    );
    lab.simulate(
        &serde_json::json!({"payment": "x", "outcome": "dance"}),
        400,
    );
    let id = lab.create(BILL);
    let grabpay = serde_json::json!({"payment": id, "outcome": "approve", "method": "grabpay"});
    lab.simulate(&grabpay, 409);
    let mut wrong = lab.gateway.client().with_key("test_wrong");
    let body = serde_json::json!({"payment": id, "outcome": "approve"}).to_string();
    assert_eq!(
        wrong.post("/sandbox/simulate", JSON, &body).unwrap().status,
        401
    );
    let ledger = lab.json("GET", "/sandbox/ledger", "", 200);
    assert_eq!(ledger["balanced"], true);
}

#[test]
fn keys_and_routes() {
    let mut lab = Lab::new();
    let id = lab.create(BILL);
    for key in ["", "test_wrong"] {
        let mut stranger = lab.gateway.client().with_key(key);
        let answer = stranger.get(&format!("{PATH}/{id}")).unwrap();
        assert_eq!(answer.status, 401);
        assert_eq!(answer.body, "{\"message\":\"Invalid business api key\"}");
    }
    for (method, path, status) in [
        ("GET", "/v1/payment-requests/", 404),
        ("PATCH", "/v1/payment-requests", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("BREW", "/v1/payment-requests", 405),
    ] {
        let answer = lab.client.call(method, path, FORM, "").unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.head.contains("\nx-request-id: "), "{}", answer.head);
        assert!(answer.body.contains("\"message\""), "{}", answer.body);
    }
}

#[test]
fn bad_input_is_the_contracts_error_and_stores_nothing() {
    let mut lab = Lab::new();
    let mut bad: Vec<(&str, Vec<u8>)> = Vec::new();
    for amount in [
        "1,000.00", "-1", "0.299", "1e3", "10.999", "", "NaN", "0", "+1", " 1",
    ] {
        bad.push((FORM, format!("amount={amount}&currency=SGD").into_bytes()));
        bad.push((
            JSON,
            format!("{{\"amount\":\"{amount}\",\"currency\":\"SGD\"}}").into_bytes(),
        ));
    }
    for (kind, text) in [
        (FORM, format!("amount={}&currency=SGD", "1".repeat(41))),
        (FORM, "amount=10&currency=XXX".to_owned()),
        (
            FORM,
            "amount=10&currency=SGD&payment_methods[]=gold".to_owned(),
        ),
        (
            FORM,
            "amount=10&currency=SGD&expiry_date=2021-02-02+01:01:01".to_owned(),
        ),
        (FORM, format!("{BILL}&{}", "a=b&".repeat(10_000))),
        (JSON, "{\"amount\":1e3,\"currency\":\"SGD\"}".to_owned()),
        (JSON, "{\"amount\":10.999,\"currency\":\"SGD\"}".to_owned()),
        (JSON, "{\"amount\":[1],\"currency\":{}}".to_owned()),
        (JSON, "{\"amount\":10,".to_owned()),
        (JSON, "[".repeat(100_000)),
        (FORM, "a".repeat(1_000_000)),
    ] {
        bad.push((kind, text.into_bytes()));
    }
    bad.push((FORM, b"amount=10&currency=SGD&purpose=\xff\xfe".to_vec()));
    bad.push((
        JSON,
        b"{\"amount\":10,\"currency\":\"SGD\",\"purpose\":\"\xff\"}".to_vec(),
    ));
    bad.push((FORM, b"amount=10&currency=SGD&purpose=a%00b".to_vec()));
    for (kind, body) in bad {
        // A refused body may end its connection.
        let mut client = lab.gateway.client();
        let Ok(answer) = client.call("POST", PATH, kind, &body) else {
            continue;
        };
        let head = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        assert!(
            (400..500).contains(&answer.status),
            "{head}: {} {}",
            answer.status,
            answer.body
        );
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(json["message"].is_string(), "{head}: {}", answer.body);
        for internal in ["SQL", "panic", "src/", "rusqlite", "thread"] {
            assert!(!answer.body.contains(internal), "{head}: {}", answer.body);
        }
    }
    assert_eq!(lab.json("GET", PATH, "", 200)["meta"]["total"], 0);
    lab.create(BILL);
}

#[test]
fn the_checkout_page_takes_a_payment() {
    let mut lab = Lab::new();
    let back = "&redirect_url=http%3A%2F%2F127.0.0.1%2Fback%3Fa%3D1";
    let id = lab.create(&format!("{BILL}{back}"));
    let page = lab.client.get(&Lab::page(&id)).unwrap();
    for header in [
        "content-security-policy: default-src 'none'",
        "x-frame-options: deny",
    ] {
        assert!(page.head.contains(header), "{}", page.head);
    }
    let declined = lab.pay(&id, "4000000000009995");
    assert_eq!(declined.status, 422);
    assert!(
        declined.body.contains("not enough funds"),
        "{}",
        declined.body
    );
    let paid = lab.pay(&id, "4242424242424242");
    let to = location(&paid);
    let expected = format!("http://127.0.0.1/back?a=1&reference={id}&status=completed");
    assert_eq!((paid.status, to), (303, expected));
    let statuses: Vec<Value> = lab.show(&id)["payments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|payment| payment["status"].clone())
        .collect();
    assert_eq!(statuses, ["failed", "succeeded"]);
    let form = "action=pay&method=card&once=x&number=4242424242424242&expiry=12%2F30&code=907";
    let again = lab.client.post(&Lab::page(&id), FORM, form).unwrap();
    assert_eq!(again.status, 409);
    assert_eq!(
        lab.show(&id)["payments"].as_array().unwrap().len(),
        2,
        "nothing changed"
    );
}

#[test]
fn three_d_secure_goes_as_the_payer_chooses() {
    let mut lab = Lab::new();
    let id = lab.create(BILL);
    for (outcome, status) in [("decline", 422), ("leave", 303), ("approve", 303)] {
        let sent = lab.pay(&id, "4000002760003184");
        assert_eq!(sent.status, 303, "{}", sent.body);
        let bank = location(&sent);
        assert!(
            lab.client
                .get(&bank)
                .unwrap()
                .body
                .contains("name=\"outcome\"")
        );
        let answer = lab
            .client
            .post(&bank, FORM, &format!("outcome={outcome}"))
            .unwrap();
        assert_eq!(answer.status, status, "{outcome}: {}", answer.body);
        let expected = if outcome == "approve" {
            "completed"
        } else {
            "pending"
        };
        assert_eq!(lab.show(&id)["status"], expected, "{outcome}");
    }
}

/// Pays with a marked card, then searches everything the gateway wrote and answered.
#[test]
fn a_card_number_is_nowhere() {
    const MARKED: &str = "4929123456789014";
    let mut lab = Lab::new();
    let id = lab.create(&format!("{BILL}&reference_number=FINDABLE"));
    let mut bodies = Vec::new();
    // Its check digit is wrong: a field error; then right: a payment.
    let marked = luhn(MARKED);
    bodies.push(lab.pay(&id, &wrong(&marked)).body);
    let paid = lab.pay(&id, &marked);
    assert_eq!(paid.status, 303, "{}", paid.body);
    bodies.push(paid.body);
    bodies.push(lab.client.get(&Lab::page(&id)).unwrap().body);
    bodies.push(lab.client.get("/metrics").unwrap().body);
    bodies.push(lab.show(&id).to_string());
    let mut found_reference = false;
    for file in std::fs::read_dir(lab.folder.path()).unwrap() {
        let file = file.unwrap();
        // The operator's socket holds nothing.
        if !file.file_type().unwrap().is_file() {
            continue;
        }
        let bytes = std::fs::read(file.path()).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        found_reference |= text.contains("FINDABLE");
        bodies.push(text);
    }
    assert!(found_reference, "the search would find something");
    let spaced = format!("{} {}", &marked[..4], &marked[4..8]);
    for body in &bodies {
        for secret in [&marked[..12], &wrong(&marked)[..12], &spaced, "code=907"] {
            assert!(!body.contains(secret), "{secret} in {body}");
        }
    }
}

/// The number with its last digit made right.
fn luhn(number: &str) -> String {
    let head = &number[..number.len() - 1];
    let digits = head.bytes().rev().map(|b| u32::from(b - b'0')).enumerate();
    let sum: u32 = digits
        .map(|(place, digit)| match place % 2 {
            0 if digit > 4 => digit * 2 - 9,
            0 => digit * 2,
            _ => digit,
        })
        .sum();
    format!("{head}{}", (10 - sum % 10) % 10)
}

fn wrong(number: &str) -> String {
    let (head, last) = number.split_at(number.len() - 1);
    format!("{head}{}", (last.parse::<u32>().unwrap() + 1) % 10)
}
