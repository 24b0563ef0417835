//! What a deployment may set: limits of rate, what sales units may not do, the strict switch.

use dialects::vipps::{Feature, Options};
use domain::Span;
use domain::reservation::{CallLimits, Rules};
use serde_json::{Value, json};

use crate::shop::{Answer, HOOKS, PAYMENTS, Setup, Shop};

const PHONE: &str = "4791234567";

/// The shape of the gateway in front of the real service.
fn is_limited(answer: &Answer, seconds: &str) {
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.headers["retry-after"], seconds);
    assert_eq!(answer.kind, "application/json");
    assert_eq!(answer.json()["statusCode"], 429);
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(seconds), "{message}");
}

#[tokio::test]
async fn payments_are_limited_by_reference_as_published() {
    let shop = Shop::open().await;
    let terms = Shop::terms("order-12345");
    for _ in 0..5 {
        // The same answer again counts as well.
        assert_eq!(shop.post(PAYMENTS, "1", &terms).await.status, 201);
    }
    is_limited(&shop.post(PAYMENTS, "1", &terms).await, "60");
    shop.create("order-23456").await;
    let path = format!("{PAYMENTS}/order-12345");
    for _ in 0..120 {
        assert_eq!(shop.get(&path).await.status, 200);
    }
    is_limited(&shop.get(&path).await, "60");
    let events = format!("{path}/events");
    assert_eq!(shop.get(&events).await.status, 200, "a count of its own");
    shop.simulate("order-12345", "approve", 200).await;
    for key in ["1", "2", "3", "4", "5"] {
        let answer = shop.modify("order-12345", "capture", key, 100).await;
        assert_eq!(answer.status, 200);
    }
    shop.clock.advance(Span::from_seconds(20));
    is_limited(&shop.modify("order-12345", "capture", "6", 100).await, "40");
    assert_eq!(shop.cancel("order-12345").await.status, 200);
    shop.clock.advance(Span::from_seconds(40));
    let late = shop.modify("order-12345", "capture", "7", 100).await;
    assert_eq!(late.code(), "6070", "a new minute");
}

#[tokio::test]
async fn what_is_not_a_call_does_not_count() {
    let shop = Shop::open().await;
    let mut wrong = Shop::terms("order-12345");
    wrong["userFlow"] = Value::Null;
    for _ in 0..7 {
        assert_eq!(shop.post(PAYMENTS, "1", &wrong).await.status, 400);
        let stranger = shop.send("POST", PAYMENTS, &[], "{}").await;
        assert_eq!(stranger.status, 401);
    }
    assert_eq!(shop.get(HOOKS).await.status, 200);
    shop.create("order-12345").await;
}

#[tokio::test]
async fn tokens_and_webhooks_can_be_limited_and_are_not_by_default() {
    let shop = Shop::open().await;
    for _ in 0..200 {
        shop.new_token().await;
        assert_eq!(shop.get(HOOKS).await.status, 200);
    }
    let usual = Rules::default();
    let rules = Rules {
        limits: CallLimits {
            tokens: 3,
            webhooks: 2,
            ..usual.limits
        },
        ..usual
    };
    // Opening the shop takes one token.
    let shop = Shop::with(rules).await;
    shop.new_token().await;
    shop.new_token().await;
    let headers = shop.client_headers();
    let refused = shop.send("POST", "/accesstoken/get", &headers, "").await;
    is_limited(&refused, "60");
    for _ in 0..2 {
        assert_eq!(shop.get(HOOKS).await.status, 200);
    }
    is_limited(&shop.get(HOOKS).await, "60");
    let registered = shop.register("http://127.0.0.1:9/").await;
    assert!(registered["id"].is_string(), "another kind of call");
    shop.clock.advance(Span::from_seconds(60));
    assert_eq!(shop.get(HOOKS).await.status, 200);
}

#[tokio::test]
async fn what_a_sales_unit_may_not_do_has_its_number() {
    let vipps = Options {
        denied: Feature::ALL.to_vec(),
        ..Options::default()
    };
    let shop = Shop::set_up(Setup {
        vipps,
        ..Setup::default()
    })
    .await;
    let line = json!({
        "name": "Socks", "id": "1", "totalAmount": 49_900,
        "totalAmountExcludingTax": 39_920, "totalTaxAmount": 9_980,
    });
    let receipt = json!({"orderLines": [line], "bottomLine": {"currency": "NOK"}});
    let option = json!({"id": "post", "priority": 1, "isDefault": true, "brand": "POSTEN"});
    let at = jiff::Timestamp::from_second(shop.clock.now().millis() / 1_000 + 3_600);
    for (number, (code, change)) in [
        (
            "5020",
            json!({
                "shipping": {"fixedOptions": [option]},
                "profile": {"scope": "name address email phoneNumber"},
            }),
        ),
        ("5030", json!({"profile": {"scope": "name"}})),
        (
            "5050",
            json!({"expiresAt": at.unwrap().to_string(), "receipt": receipt}),
        ),
        ("5080", json!({"userFlow": "PUSH_MESSAGE"})),
    ]
    .into_iter()
    .enumerate()
    {
        let reference = format!("order-1234{number}");
        let mut terms = Shop::terms(&reference);
        for (name, value) in change.as_object().unwrap() {
            terms[name] = value.clone();
        }
        let answer = shop.post(PAYMENTS, "1", &terms).await;
        assert_eq!((answer.status, answer.code()), (403, code.to_owned()));
        assert!(
            answer.json()["title"]
                .as_str()
                .unwrap()
                .ends_with("not allowed")
        );
    }
    shop.create("order-23456").await;
}

async fn strict() -> Shop {
    let setup = Setup {
        rules: Rules {
            strict_approval: true,
            ..Rules::default()
        },
        vipps: Options {
            strict: true,
            ..Options::default()
        },
        postgres: None,
    };
    Shop::set_up(setup).await
}

async fn approve(shop: &Shop, reference: &str, phone: &str) -> Answer {
    let path = format!("/epayment/v1/test/payments/{reference}/approve");
    let body = json!({"customer": {"phoneNumber": phone}}).to_string();
    shop.with_headers("POST", &path, &[], &body).await
}

#[tokio::test]
async fn the_strict_switch_brings_the_real_limits_of_force_approve_back() {
    let shop = strict().await;
    let push = |reference: &str| {
        let mut terms = Shop::terms(reference);
        terms["userFlow"] = json!("PUSH_MESSAGE");
        terms
    };
    shop.create("order-12345").await;
    assert_eq!(approve(&shop, "order-12345", PHONE).await.code(), "10020");
    // A phone that was asked and has not approved is not enough, and neither is a declined card.
    assert_eq!(
        shop.post(PAYMENTS, "1", &push("order-23456")).await.status,
        201
    );
    shop.simulate("order-23456", "decline", 200).await;
    assert_eq!(approve(&shop, "order-12345", PHONE).await.code(), "10020");
    shop.simulate("order-23456", "approve", 200).await;
    assert_eq!(
        approve(&shop, "order-12345", "4799999999").await.code(),
        "10020"
    );
    assert_eq!(approve(&shop, "order-12345", PHONE).await.status, 200);
    assert_eq!(shop.sums("order-12345").await.0, "AUTHORIZED");
    // It ignores the special amounts, and refuses delivery.
    let mut special = Shop::terms("order-00151");
    special["amount"]["value"] = json!(151);
    assert_eq!(shop.post(PAYMENTS, "1", &special).await.status, 201);
    assert_eq!(approve(&shop, "order-00151", PHONE).await.status, 200);
    let mut express = Shop::terms("order-34567");
    express["shipping"] = json!({"fixedOptions": [{"id": "post", "isDefault": true}]});
    express["profile"] = json!({"scope": "name address email phoneNumber"});
    let made = shop.post(PAYMENTS, "1", &express).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(approve(&shop, "order-34567", PHONE).await.code(), "10060");
    assert_eq!(shop.sums("order-34567").await.0, "CREATED");
}

#[tokio::test]
async fn the_strict_switch_refuses_a_list_as_the_body_of_cancel() {
    let shop = strict().await;
    shop.create("order-12345").await;
    let path = format!("{PAYMENTS}/order-12345/cancel");
    assert_eq!(
        shop.with_headers("POST", &path, &[], "[]").await.status,
        400
    );
    assert_eq!(
        shop.with_headers("POST", &path, &[], "{}").await.status,
        200
    );
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_can_be_seen() {
    let shop = Shop::open().await;
    let mut terms = Shop::terms("order-12345");
    terms["userFlow"] = json!("PUSH_MESSAGE");
    terms["returnUri"] = json!("https://shop.example/typo");
    assert_eq!(shop.post(PAYMENTS, "1", &terms).await.status, 201);
    let path = format!("/sandbox/phones/{PHONE}");
    let inbox = shop
        .send("GET", &path, &shop.client_headers(), "")
        .await
        .json();
    assert_eq!(inbox["requests"][0]["ignored_fields"], json!(["returnUri"]));
    assert_eq!(shop.show("order-12345").await.get("ignored"), None);
}

#[tokio::test]
async fn a_payer_who_is_named_by_a_code_has_a_phone_too() {
    let shop = Shop::open().await;
    for (reference, customer, phone) in [
        (
            "order-00001",
            json!({"personalQr": "qr.vipps.no/p/4798765432"}),
            "4798765432",
        ),
        (
            "order-00002",
            json!({"customerToken": "abcdef"}),
            "4712345678",
        ),
    ] {
        let mut terms = Shop::terms(reference);
        terms["userFlow"] = json!("PUSH_MESSAGE");
        terms["customer"] = customer;
        let made = shop.post(PAYMENTS, "1", &terms).await;
        assert_eq!(made.status, 201, "{made:?}");
        let path = format!("/sandbox/phones/{phone}");
        let inbox = shop
            .send("GET", &path, &shop.client_headers(), "")
            .await
            .json();
        assert_eq!(inbox["requests"][0]["payment"], reference);
    }
    let mut short = Shop::terms("order-00003");
    short["customer"] = json!({"personalQr": "abc"});
    assert_eq!(shop.post(PAYMENTS, "1", &short).await.code(), "4060");
    let twice = Shop::terms("order-00004").to_string();
    let twice = twice.replacen('{', r#"{"metadata":{"a":"1","a":"2"},"#, 1);
    let key = [("Idempotency-Key", "1")];
    let answer = shop.with_headers("POST", PAYMENTS, &key, &twice).await;
    assert_eq!(answer.code(), "4110");
}
