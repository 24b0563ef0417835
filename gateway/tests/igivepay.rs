//! The iGivePay API, its page and its card generator from outside: a real process, real bytes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "igivepay/document.rs"]
mod document;
mod process;

use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use process::Gateway;
use process::client::{Answer, Client, read_message};
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const PAYMENTS: &str = "/api/v1/payments";

struct Lab {
    client: Client,
    id: String,
    secret: String,
    gateway: Gateway,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(folder.path(), "127.0.0.1:0");
        let text = std::fs::read_to_string(folder.path().join("sandbox.json")).unwrap();
        let known: Value = serde_json::from_str(&text).unwrap();
        let field = |name: &str| known["igivepay"][name].as_str().unwrap().to_owned();
        let (id, secret) = (field("client_id"), field("client_secret"));
        Self {
            client: connect(&gateway, &id, &secret),
            id,
            secret,
            gateway,
            folder,
        }
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self.client.call(method, path, JSON, body).unwrap();
        let told = serde_json::from_str(&answer.body).unwrap();
        document::holds(method, path, answer.status, &told);
        (answer.status, told)
    }

    fn create(&mut self, body: &Value) -> Value {
        let (status, made) = self.call("POST", PAYMENTS, body);
        assert_eq!(status, 200, "{made}");
        made
    }

    /// A payment of a till; its id.
    fn till(&mut self, total: &str) -> String {
        let body = format!(r#"{{"paymentTotal":{total},"reference":"t","accessMode":"api"}}"#);
        let answer = self.client.post(PAYMENTS, JSON, &body).unwrap();
        let made: Value = serde_json::from_str(&answer.body).unwrap();
        made["paymentId"].as_str().unwrap().to_owned()
    }

    /// A payment of a shop; the path of its page.
    fn shop(&mut self, more: &Value) -> (String, String) {
        let mut body = json!({
            "paymentTotal": 499, "reference": "order-1001",
            "redirectUrl": "http://shop.example/thanks?a=1",
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let made = self.create(&body);
        let url = made["url"].as_str().unwrap();
        let at = url.find("/pay/").unwrap();
        (
            made["paymentId"].as_str().unwrap().to_owned(),
            url[at..].to_owned(),
        )
    }

    fn verify(&mut self, id: &str) -> Value {
        let (status, shown) = self.call("GET", &format!("{PAYMENTS}/{id}"), &Value::Null);
        assert_eq!(status, 200);
        shown
    }

    fn perform(&mut self, id: &str, cards: &Value) -> (u16, Value) {
        self.call(
            "POST",
            &format!("{PAYMENTS}/{id}/perform"),
            &json!({ "cards": cards }),
        )
    }

    /// A gift card of Demo Shop: number and code.
    fn card(&mut self, more: &Value) -> (String, String) {
        let (status, made) = self.call("POST", "/sandbox/gift-cards", more);
        assert_eq!(status, 201, "{made}");
        let field = |name: &str| made[name].as_str().unwrap().to_owned();
        (field("card_number"), field("cvc"))
    }

    fn step(&mut self, page: &str, form: &str) -> Answer {
        plain(self.client.post(page, FORM, form).unwrap())
    }

    fn page(&mut self, path: &str) -> Answer {
        plain(self.client.get(path).unwrap())
    }

    fn add(&mut self, page: &str, (number, cvc): &(String, String)) -> Answer {
        self.step(
            page,
            &format!("action=add-card&card_number={number}&cvc={cvc}"),
        )
    }
}

/// A page with plain blanks in its amounts.
fn plain(mut page: Answer) -> Answer {
    page.body = page.body.replace('\u{a0}', " ");
    page
}

fn connect(gateway: &Gateway, id: &str, secret: &str) -> Client {
    let client = Client::connect(gateway.address, "").unwrap();
    client.with_headers(&[("x-client-id", id), ("x-client-secret", secret)])
}

fn using((number, cvc): &(String, String)) -> Value {
    json!({"cardNumber": number, "cvc": cvc})
}

fn masked((number, _): &(String, String)) -> String {
    format!("**************{}", &number[14..])
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
    line.unwrap_or_else(|| panic!("{}: {}", answer.status, answer.body))
        .to_owned()
}

/// Takes webhooks: head and body of each.
fn receive() -> (String, Receiver<(String, String)>) {
    receive_with(Vec::new())
}

/// The same, answering with these statuses first.
fn receive_with(statuses: Vec<u16>) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (heard, told) = channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.into_iter();
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            while let Ok(message) = read_message(&mut stream) {
                let status = statuses.next().unwrap_or(200);
                let told = format!("HTTP/1.1 {status} Told\r\ncontent-length: 0\r\n\r\n");
                let told = stream.get_mut().write_all(told.as_bytes());
                if told.is_err() || heard.send(message).is_err() {
                    return;
                }
            }
        }
    });
    (url, told)
}

#[test]
fn a_till_creates_performs_verifies_and_cancels() {
    let mut lab = Lab::new();
    let (one, two) = (
        lab.card(&json!({"amount": "200.00"})),
        lab.card(&json!({"amount": "100.00"})),
    );
    let id = lab.till("499");
    let before = lab.verify(&id);
    let told = json!({
        "paymentId": id, "paidAmount": 0, "paymentTotal": 499, "reference": "t", "cards": [],
        "status": "pending", "remainingAmount": 499,
    });
    assert_eq!(before, told);
    let cards = json!([using(&one), using(&two)]);
    let (status, paid) = lab.perform(&id, &cards);
    let told = json!({
        "paymentId": id, "paidAmount": 300, "paymentTotal": 499, "reference": "t",
        "cards": [
            {"cardNumber": masked(&one), "deductedAmount": 200},
            {"cardNumber": masked(&two), "deductedAmount": 100},
        ],
        "status": "charged", "remainingAmount": 199,
    });
    assert_eq!((status, &paid), (200, &told), "a part is a success");
    assert_eq!(lab.verify(&id), told);
    assert_eq!(lab.perform(&id, &cards), (200, told), "the same call again");
    let (status, refused) = lab.perform(&id, &json!([using(&one)]));
    assert_eq!((status, &refused["errorCode"]), (400, &json!(103)));
    let (status, cancelled) = lab.call("POST", &format!("{PAYMENTS}/{id}/cancel"), &Value::Null);
    assert_eq!(status, 200);
    assert_eq!(
        (&cancelled["status"], &cancelled["paidAmount"]),
        (&json!("refunded"), &json!(0))
    );
    assert_eq!(cancelled["cards"], json!([]));
    let (_, balance) = lab.call(
        "GET",
        &format!("/api/v1/giftcards/balance/{}", one.0),
        &Value::Null,
    );
    assert_eq!(balance["amount"], json!(200));
    let kinds: Vec<&str> = balance["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["refund", "redeem", "issue"]);
    assert_eq!(balance["transactions"][1]["amount"], json!(-200));
}

#[test]
fn amounts_are_exact_to_the_oere() {
    let mut lab = Lab::new();
    let card = lab.card(&json!({"amount": "1000.00"}));
    for (total, shown) in [
        ("0.01", "0.01"),
        ("499.50", "499.5"),
        ("0.1", "0.1"),
        ("90.00", "90"),
    ] {
        let id = lab.till(total);
        let path = format!("{PAYMENTS}/{id}/perform");
        let body = json!({"cards": [using(&card)]}).to_string();
        let answer = lab.client.post(&path, JSON, &body).unwrap();
        let wanted = format!("\"paidAmount\":{shown},\"paymentTotal\":{shown},");
        assert!(answer.body.contains(&wanted), "{total}: {}", answer.body);
    }
    let (_, balance) = lab.call(
        "GET",
        &format!("/api/v1/giftcards/balance/{}", card.0),
        &Value::Null,
    );
    assert_eq!(balance["amount"].to_string(), "410.39");
    for wrong in [
        "0",
        "-1",
        "1e2",
        "499.999",
        "\"499\"",
        "1000000.01",
        "true",
        "null",
    ] {
        let body = format!(r#"{{"paymentTotal":{wrong},"redirectUrl":"https://a.example/"}}"#);
        let answer = lab.client.post(PAYMENTS, JSON, &body).unwrap();
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(
            answer.body.starts_with("{\"errorCode\":109,"),
            "{}",
            answer.body
        );
    }
}

#[test]
fn every_error_has_its_code() {
    let mut lab = Lab::new();
    let good = lab.card(&json!({"amount": "10.00"}));
    let code = |(status, body): (u16, Value)| (status, body["errorCode"].as_u64().unwrap());
    let (hosted, _) = lab.shop(&json!({}));
    assert_eq!(
        code(lab.perform(&hosted, &json!([using(&good)]))),
        (400, 100)
    );
    let nobody = "6b0c9f0e-5a53-4a3c-9a67-0d3f5f0f3c11";
    let verify = format!("{PAYMENTS}/{nobody}");
    assert_eq!(code(lab.call("GET", &verify, &Value::Null)), (404, 101));
    assert_eq!(
        code(lab.perform(nobody, &json!([using(&good)]))),
        (400, 101)
    );
    let over = lab.till("5");
    lab.call("POST", &format!("{PAYMENTS}/{over}/cancel"), &Value::Null);
    assert_eq!(code(lab.perform(&over, &json!([using(&good)]))), (400, 102));
    let id = lab.till("5");
    let wrong = if good.1 == "000" { "001" } else { "000" };
    let cvc = (good.0.clone(), wrong.to_owned());
    assert_eq!(code(lab.perform(&id, &json!([using(&cvc)]))), (400, 104));
    let unknown = ("9578411100500000000".to_owned(), "123".to_owned());
    let told = lab.perform(&id, &json!([using(&unknown)]));
    assert_eq!(code(told.clone()), (400, 104));
    assert_eq!(
        told,
        lab.perform(&id, &json!([using(&cvc)])),
        "one answer for both"
    );
    for (state, wanted) in [("blocked", 105), ("inactive", 105), ("expired", 106)] {
        let card = lab.card(&json!({"amount": "10.00", "state": state}));
        assert_eq!(
            code(lab.perform(&id, &json!([using(&card)]))),
            (400, wanted),
            "{state}"
        );
    }
    let empty = lab.card(&json!({"amount": "0.00"}));
    assert_eq!(code(lab.perform(&id, &json!([using(&empty)]))), (400, 107));
    let mut more = using(&good);
    more["amount"] = json!(10.01);
    let big = lab.till("50");
    assert_eq!(code(lab.perform(&big, &json!([more]))), (400, 107));
    for malformed in [
        json!([]),
        json!({}),
        json!([{"cardNumber": good.0}]),
        json!([{"cardNumber": "1", "cvc": "123"}]),
        json!([{"cardNumber": good.0, "cvc": "12"}]),
        json!([using(&good), using(&good)]),
    ] {
        assert_eq!(
            code(lab.perform(&id, &malformed)),
            (400, 109),
            "{malformed}"
        );
    }
    assert_eq!(lab.perform(&id, &json!([using(&good)])).0, 200);
}

#[test]
fn guesses_are_counted_across_a_restart() {
    let mut lab = Lab::new();
    let good = lab.card(&json!({"amount": "10.00"}));
    let wrong = if good.1 == "000" { "001" } else { "000" };
    let guess = (good.0.clone(), wrong.to_owned());
    for _ in 0..5 {
        let id = lab.till("5");
        assert_eq!(lab.perform(&id, &json!([using(&guess)])).0, 400);
    }
    lab.gateway.signal("-KILL");
    let address = lab.gateway.address.to_string();
    lab.gateway = Gateway::start(lab.folder.path(), &address);
    lab.client = connect(&lab.gateway, &lab.id, &lab.secret);
    let id = lab.till("5");
    let body = json!({"cards": [using(&good)]}).to_string();
    let answer = lab
        .client
        .post(&format!("{PAYMENTS}/{id}/perform"), JSON, &body)
        .unwrap();
    assert_eq!(
        answer.status, 429,
        "the right code does not help now: {}",
        answer.body
    );
    assert!(answer.body.contains("\"errorCode\":110") && answer.head.contains("retry-after: "));
    let moved = lab
        .client
        .post("/sandbox/clock", JSON, r#"{"advance":"15m"}"#)
        .unwrap();
    assert_eq!(moved.status, 200, "{}", moved.body);
    assert_eq!(lab.perform(&id, &json!([using(&good)])).0, 200);
}

#[test]
fn only_the_client_is_let_in() {
    let lab = Lab::new();
    let wrong = [
        connect(&lab.gateway, &lab.id, "wrong"),
        connect(&lab.gateway, "wrong", &lab.secret),
        connect(&lab.gateway, &lab.secret, &lab.id),
        Client::connect(lab.gateway.address, &lab.gateway.key).unwrap(),
    ];
    for mut client in wrong {
        let answer = client.post(PAYMENTS, JSON, "{}").unwrap();
        assert_eq!(answer.status, 401);
        assert!(
            answer.body.starts_with("{\"errorCode\":100,"),
            "{}",
            answer.body
        );
        let answer = client
            .get("/api/v1/giftcards/balance/9578411100501234567")
            .unwrap();
        assert_eq!(answer.status, 401);
        assert_eq!(client.get("/api/v1/nothing").unwrap().status, 404);
    }
}

#[test]
fn a_page_needs_its_own_token() {
    let mut lab = Lab::new();
    let (_, page) = lab.shop(&json!({}));
    let (_, other) = lab.shop(&json!({}));
    let bare = page.split('?').next().unwrap().to_owned();
    let foreign = other.split('?').next_back().unwrap();
    for wrong in [
        bare.clone(),
        format!("{bare}?token=0"),
        format!("{bare}?token="),
        format!("{bare}?{foreign}"),
    ] {
        assert_eq!(lab.client.get(&wrong).unwrap().status, 404);
        assert_eq!(lab.step(&wrong, "action=cancel").status, 404);
    }
}

/// The body is as published, and the header signs it with the client's secret.
fn is_genuine(lab: &Lab, (head, body): &(String, String)) {
    let secret = domain::Secret::new(lab.secret.clone());
    let signature = dialects::sign::igivepay_signature(body.as_bytes(), &secret);
    let header = format!("x-igive-signature: {signature}");
    assert!(head.contains(&header), "{head}");
}

#[test]
fn a_webhook_is_tried_again_on_schedule_with_the_same_body() {
    let mut lab = Lab::new();
    let (url, told) = receive_with(vec![500, 404, 302, 200]);
    let gift = lab.card(&json!({"amount": "200.00"}));
    let (id, page) = lab.shop(&json!({ "webhookUrl": url }));
    lab.add(&page, &gift);
    assert_eq!(lab.step(&page, "action=pay").status, 303);
    let first = told.recv_timeout(Duration::from_secs(10)).unwrap();
    is_genuine(&lab, &first);
    let list = format!("/sandbox/webhooks?payment={id}");
    let attempts = |lab: &mut Lab| {
        let (_, shown) = lab.call("GET", &list, &Value::Null);
        let delivery = shown["deliveries"][0].clone();
        let made = delivery["attempts"].as_array().unwrap().len();
        (made, delivery["state"].as_str().unwrap().to_owned())
    };
    // 1, 5 and 15 minutes after the first attempt: a moment before it nothing comes.
    for (number, (early, rest)) in (2..).zip([(50, 15), (220, 25), (580, 25)]) {
        for (seconds, wanted) in [(early, number - 1), (rest, number)] {
            let body = json!({ "advance_seconds": seconds });
            assert_eq!(lab.call("POST", "/sandbox/clock", &body).0, 200);
            assert_eq!(attempts(&mut lab).0, wanted, "after {seconds} s");
        }
        let again = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(again.1, first.1, "an identical body");
        is_genuine(&lab, &again);
    }
    assert_eq!(attempts(&mut lab), (4, "delivered".to_owned()));
}

/// Verify and webhook say the same: a part was charged.
fn is_told(lab: &Lab, shown: &Value, hook: &(String, String)) {
    assert_eq!(
        (&shown["status"], &shown["paidAmount"]),
        (&json!("charged"), &json!(300))
    );
    assert_eq!(shown["remainingAmount"], json!(199));
    let (id, cards) = (shown["paymentId"].as_str().unwrap(), &shown["cards"]);
    let wanted = format!(
        "{{\"paymentId\":\"{id}\",\"paidAmount\":300,\"paymentTotal\":499,\
         \"reference\":\"order-1001\",\"cards\":{cards}}}"
    );
    assert_eq!(hook.1, wanted);
    is_genuine(lab, hook);
}

#[test]
fn two_cards_on_the_page_and_the_shop_takes_the_rest() {
    let mut lab = Lab::new();
    let (url, told) = receive();
    let (id, page) = lab.shop(&json!({ "webhookUrl": url }));
    let shown = lab.page(&page);
    assert!(
        shown.status == 200 && shown.body.contains("NOK 499.00"),
        "{}",
        shown.body
    );
    assert!(
        !shown.body.contains("value=\"pay\""),
        "nothing to pay with yet"
    );
    let (one, two) = (
        lab.card(&json!({"amount": "200.00"})),
        lab.card(&json!({"amount": "100.00"})),
    );
    let nothing = lab.step(&page, "action=pay");
    assert_eq!(nothing.status, 422);
    assert_eq!(lab.add(&page, &one).status, 303);
    let twice = lab.add(&page, &one);
    assert!(twice.status == 422 && twice.body.contains("on the payment already"));
    assert_eq!(lab.add(&page, &two).status, 303);
    let shown = lab.page(&page).body;
    assert!(
        shown.contains("NOK 300.00") && shown.contains("NOK 199.00"),
        "{shown}"
    );
    assert!(
        !shown.contains(&one.0) && !shown.contains(&two.0),
        "never a whole number"
    );
    let removed = lab.step(
        &page,
        &format!("action=remove-card&payment={}", hidden(&shown, "payment")),
    );
    assert_eq!(removed.status, 303);
    let shown = lab.page(&page).body;
    assert!(shown.contains("NOK 399.00"), "{shown}");
    assert_eq!(lab.add(&page, &one).status, 303);
    let paid = lab.step(&page, "action=pay");
    assert_eq!(paid.status, 303);
    let wanted = format!(
        "http://shop.example/thanks?a=1&paymentid={id}&status=charged&reference=order-1001"
    );
    assert_eq!(location(&paid), wanted);
    let shown = lab.verify(&id);
    is_told(
        &lab,
        &shown,
        &told.recv_timeout(Duration::from_secs(10)).unwrap(),
    );
    // The page says how it stands, and pressing again changes nothing.
    let over = lab.page(&page);
    assert!(
        over.status == 200 && over.body.contains("NOK 300.00"),
        "{}",
        over.body
    );
    let again = lab.step(&page, "action=pay");
    assert_eq!(again.status, 303);
    assert_eq!(lab.add(&page, &two).status, 409);
    assert_eq!(lab.verify(&id), shown);
    assert!(
        told.recv_timeout(Duration::from_millis(300)).is_err(),
        "one webhook"
    );
}

#[test]
fn the_rest_by_bank_card_on_the_same_page() {
    let mut lab = Lab::new();
    let (id, page) = lab.shop(&json!({}));
    let gift = lab.card(&json!({"amount": "300.00"}));
    lab.add(&page, &gift);
    let chosen = lab.step(&page, "action=choose&method=card");
    let card_page = location(&chosen);
    let shown = lab.page(&card_page).body;
    assert!(
        shown.contains("Pay NOK 199.00") && shown.contains("name=\"number\""),
        "{shown}"
    );
    let bank = |number: &str, once: &str| {
        format!("action=pay&method=card&once={once}&number={number}&expiry=12%2F30&code=907&name=A")
    };
    let declined = lab.step(&page, &bank("4000000000009995", &hidden(&shown, "once")));
    assert_eq!(declined.status, 422);
    assert!(
        declined.body.contains("Pay NOK 199.00"),
        "{}",
        declined.body
    );
    assert_eq!(lab.verify(&id)["status"], json!("pending"));
    let once = hidden(&declined.body, "once");
    let challenge = location(&lab.step(&page, &bank("4000002760003184", &once)));
    let bank_page = lab.page(&challenge).body;
    assert!(bank_page.contains("NOK 199.00"), "{bank_page}");
    let back = location(&lab.step(&challenge, "outcome=approve"));
    assert!(back.contains("status=charged"), "{back}");
    let shown = lab.verify(&id);
    let cards = json!([
        {"cardNumber": masked(&gift), "deductedAmount": 300},
        {"cardNumber": "***************3184", "deductedAmount": 199},
    ]);
    assert_eq!(
        (&shown["paidAmount"], &shown["remainingAmount"]),
        (&json!(499), &json!(0))
    );
    assert_eq!(shown["cards"], cards);
    let ledger: Value =
        serde_json::from_str(&lab.client.get("/sandbox/ledger").unwrap().body).unwrap();
    assert_eq!(ledger["balanced"], json!(true));
}

#[test]
fn cancelling_and_walking_away_give_everything_back() {
    let mut lab = Lab::new();
    let gift = lab.card(&json!({"amount": "300.00"}));
    let balance = format!("/api/v1/giftcards/balance/{}", gift.0);
    let (id, page) = lab.shop(&json!({}));
    lab.add(&page, &gift);
    assert_eq!(
        lab.client.get(&balance).unwrap().body,
        r#"{"amount":0,"transactions":[]}"#
    );
    let left = location(&lab.step(&page, "action=cancel"));
    assert!(left.contains("status=aborted"), "{left}");
    assert_eq!(lab.verify(&id)["status"], json!("aborted"));
    assert_eq!(
        lab.call("GET", &balance, &Value::Null).1["amount"],
        json!(300)
    );
    let over = lab.page(&page);
    assert!(
        over.status == 200 && over.body.contains("You cancelled"),
        "{}",
        over.body
    );
    let (id, page) = lab.shop(&json!({}));
    lab.add(&page, &gift);
    lab.client
        .post("/sandbox/clock", JSON, r#"{"advance":"61m"}"#)
        .unwrap();
    assert_eq!(lab.verify(&id)["status"], json!("expired"));
    assert_eq!(
        lab.call("GET", &balance, &Value::Null).1["amount"],
        json!(300)
    );
    assert_eq!(lab.add(&page, &gift).status, 409);
}

#[test]
fn gift_cards_pay_at_the_pages_of_other_apis_too() {
    let mut lab = Lab::new();
    let gift = lab.card(&json!({"amount": "20.00", "currency": "SGD"}));
    let mut hitpay = Client::connect(lab.gateway.address, &lab.gateway.key).unwrap();
    let mut make = |more: &str| {
        let body = format!("amount=25.00&currency=SGD{more}");
        let made = hitpay.post("/v1/payment-requests", FORM, &body).unwrap();
        let made: Value = serde_json::from_str(&made.body).unwrap();
        made["id"].as_str().unwrap().to_owned()
    };
    let (free, named) = (make(""), make("&payment_methods%5B%5D=card"));
    let path = |id: &str| format!("/payment-request/@demo-shop/{id}/checkout");
    let shown = lab.page(&path(&named)).body;
    assert!(!shown.contains("gift_card"), "the call named its methods");
    let page = path(&free);
    let shown = lab.page(&page).body;
    assert!(shown.contains("value=\"gift_card\""), "{shown}");
    let gifts = location(&lab.step(&page, "action=choose&method=gift_card"));
    let shown = lab.page(&gifts).body;
    assert!(shown.contains("name=\"card_number\""), "{shown}");
    assert_eq!(lab.add(&page, &gift).status, 303);
    let part = lab.step(&page, "action=pay");
    assert_eq!(part.status, 422, "a part is not enough here");
    let shown = lab.page(&format!("{page}?method=card")).body;
    assert!(shown.contains("Pay SGD 5.00"), "{shown}");
    let form = format!(
        "action=pay&method=card&once={}&number=4242424242424242&expiry=12%2F30&code=907&name=A",
        hidden(&shown, "once")
    );
    let paid = lab.step(&page, &form);
    let receipt = lab.page(&location(&paid)).body;
    assert!(
        receipt.contains("SGD 25.00") && receipt.contains("Gift card ending in"),
        "{receipt}"
    );
    let shown = hitpay
        .get(&format!("/v1/payment-requests/{free}"))
        .unwrap()
        .body;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["status"], json!("completed"));
    assert_eq!(shown["payments"].as_array().unwrap().len(), 2, "{shown}");
}

/// A payment request of HitPay over SGD 25.00; its id.
fn hitpay(lab: &Lab, more: &str) -> (u16, Value) {
    let mut client = Client::connect(lab.gateway.address, &lab.gateway.key).unwrap();
    let body = format!("amount=25.00&currency=SGD{more}");
    let made = client.post("/v1/payment-requests", FORM, &body).unwrap();
    (made.status, serde_json::from_str(&made.body).unwrap())
}

#[test]
fn a_call_of_another_api_may_name_gift_cards_among_its_methods() {
    let mut lab = Lab::new();
    let gift = lab.card(&json!({"amount": "20.00", "currency": "SGD"}));
    let named = "&payment_methods%5B%5D=card&payment_methods%5B%5D=gift_card";
    let (status, made) = hitpay(&lab, named);
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["payment_methods"], json!(["card", "gift_card"]));
    let page = format!(
        "/payment-request/@demo-shop/{}/checkout",
        made["id"].as_str().unwrap()
    );
    let shown = lab.page(&page).body;
    assert_eq!(shown.matches("value=\"gift_card\"").count(), 1, "{shown}");
    assert_eq!(lab.add(&page, &gift).status, 303);
    // A part is not enough: the shop takes no rest elsewhere.
    assert_eq!(lab.step(&page, "action=pay").status, 422);
    let shown = lab.page(&format!("{page}?method=gift_card")).body;
    assert!(
        shown.contains("SGD 5.00") && shown.contains("value=\"card\""),
        "{shown}"
    );
    let rest = shown.split("id=\"rest-title\"").nth(1).unwrap();
    assert!(!rest.contains("value=\"gift_card\""), "{rest}");
    // Whoever walks away, by the simulator too, leaves nothing held.
    let id = &made["id"];
    let left = json!({"payment": id, "outcome": "abort"});
    assert_eq!(lab.call("POST", "/sandbox/simulate", &left).0, 200);
    assert!(!lab.page(&page).body.contains("SGD 5.00"));
    assert_eq!(lab.add(&page, &gift).status, 303);
    let form = "action=pay&method=card&once=1&number=4242424242424242&expiry=12%2F30&code=907";
    assert_eq!(lab.step(&page, form).status, 303);
    // Gift cards alone, by the simulator; a repeated payment takes none.
    let alone = "&payment_methods%5B%5D=gift_card";
    let (_, made) = hitpay(&lab, alone);
    let paid = json!({"payment": made["id"], "outcome": "approve"});
    let (status, told) = lab.call("POST", "/sandbox/simulate", &paid);
    assert_eq!((status, &told["status"]), (200, &json!("completed")));
    let (status, told) = hitpay(&lab, &format!("{alone}&allow_repeated_payments=true"));
    assert_eq!(status, 422, "{told}");
}

#[test]
fn cards_are_generated_within_bounds() {
    let mut lab = Lab::new();
    let id = lab.id.clone();
    let mut make = |body: String| {
        let answer = lab.client.post("/card-gen", JSON, &body).unwrap();
        let told = serde_json::from_str::<Value>(&answer.body).unwrap();
        document::holds("POST", "/card-gen", answer.status, &told);
        (answer.status, told)
    };
    for amount in ["0", "10000", "0.01", "9999.99"] {
        let (status, card) = make(format!(r#"{{"clientId":"{id}","amount":{amount}}}"#));
        assert_eq!(
            (status, card["amount"].to_string()),
            (200, amount.to_owned())
        );
        let number = card["cardNumber"].as_str().unwrap();
        assert!(number.len() == 19 && number.starts_with("957841110050"));
        assert_eq!(card["cvc"].as_str().unwrap().len(), 3);
    }
    for amount in ["-0.01", "10000.01", "1.001", "\"x\"", "null"] {
        let (status, told) = make(format!(r#"{{"clientId":"{id}","amount":{amount}}}"#));
        assert_eq!((status, &told["errorCode"]), (400, &json!(109)), "{amount}");
    }
    let (status, several) = make(format!(r#"{{"clientId":"{id}","amount":5,"count":50}}"#));
    let cards = several["cards"].as_array().unwrap();
    let numbers: std::collections::BTreeSet<_> = cards
        .iter()
        .map(|card| card["cardNumber"].as_str().unwrap())
        .collect();
    assert_eq!((status, numbers.len()), (200, 50));
    assert_eq!(
        make(format!(r#"{{"clientId":"{id}","amount":5,"count":51}}"#)).0,
        400
    );
    assert_eq!(
        make(r#"{"clientId":"somebody","amount":5}"#.to_owned()).0,
        404
    );
    let page = lab.client.get("/card-gen").unwrap();
    assert!(page.status == 200 && page.body.contains(&id));
    let form = format!("clientId={id}&amount=12.50&count=2&state=blocked");
    let made = lab.step("/card-gen", &form);
    assert_eq!(made.body.matches("NOK 12.50").count(), 2, "{}", made.body);
}

#[test]
fn the_simulator_pays_with_gift_cards() {
    let mut lab = Lab::new();
    let gift = lab.card(&json!({"amount": "300.00"}));
    let act = |lab: &mut Lab, body: Value| lab.call("POST", "/sandbox/simulate", &body);
    let (id, _) = lab.shop(&json!({}));
    let (status, told) = act(&mut lab, json!({"payment": id, "outcome": "approve"}));
    assert_eq!(
        (status, told),
        (200, json!({"payment": id, "status": "charged"}))
    );
    assert_eq!(lab.verify(&id)["paidAmount"], json!(499));
    let (id, _) = lab.shop(&json!({}));
    let cards = json!([{"card_number": gift.0, "cvc": gift.1, "amount": "120.50"}]);
    let (_, told) = act(
        &mut lab,
        json!({"payment": id, "outcome": "approve", "cards": cards}),
    );
    assert_eq!(told["status"], json!("charged"));
    assert_eq!(lab.verify(&id)["paidAmount"], json!(120.5));
    for (outcome, status) in [
        ("decline", "pending"),
        ("abort", "aborted"),
        ("expire", "expired"),
    ] {
        let (id, _) = lab.shop(&json!({}));
        let (_, told) = act(&mut lab, json!({"payment": id, "outcome": outcome}));
        assert_eq!(told["status"], json!(status), "{outcome}");
        let again = act(&mut lab, json!({"payment": id, "outcome": "approve"})).0;
        assert_eq!(
            again,
            if status == "pending" { 200 } else { 409 },
            "{outcome}"
        );
    }
}
