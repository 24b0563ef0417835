//! Who pays: the person behind a telephone, whoever named it, and what that person's bank does.

use domain::Span;
use serde_json::{Value, json};

use crate::shop::{Answer, PAYMENTS, Shop};

const PHONE: &str = "4791234567";
const OTHER: &str = "4798765432";

async fn submit(shop: &Shop, path: &str, form: &str) -> Answer {
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    shop.send("POST", path, &kind, form).await
}

/// A payment of other terms than usual; path and query of its landing page, if it has one.
async fn made(shop: &Shop, reference: &str, change: Value) -> Answer {
    let mut terms = Shop::terms(reference);
    for (name, value) in change.as_object().unwrap() {
        terms[name] = value.clone();
    }
    shop.post(PAYMENTS, "1", &terms).await
}

fn landing(made: &Answer) -> String {
    assert_eq!(made.status, 201, "{made:?}");
    let url = made.json()["redirectUrl"].as_str().unwrap().to_owned();
    url.strip_prefix("http://127.0.0.1:8080")
        .unwrap()
        .to_owned()
}

async fn rule(shop: &Shop, phone: &str, rule: &str) {
    let path = format!("/sandbox/phones/{phone}");
    let body = json!({"rule": rule}).to_string();
    let answer = shop.send("PUT", &path, &shop.client_headers(), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn force(shop: &Shop, reference: &str, phone: &str) -> Answer {
    let path = format!("/epayment/v1/test/payments/{reference}/approve");
    let body = json!({"customer": {"phoneNumber": phone}}).to_string();
    shop.with_headers("POST", &path, &[], &body).await
}

#[tokio::test]
async fn the_payer_is_whoever_typed_the_number() {
    let shop = Shop::open().await;
    shop.register("http://127.0.0.1:9/hook").await;
    let scope = json!({"scope": "name phoneNumber"});
    for (reference, change) in [
        ("order-nobody", json!({"profile": scope, "customer": null})),
        ("order-prefilled", json!({"profile": scope})),
    ] {
        let landing = landing(&made(&shop, reference, change).await);
        let typed = format!("action=continue&phone=%2B{OTHER}");
        let phone = submit(&shop, &landing, &typed).await;
        let phone = phone.headers["location"].to_str().unwrap().to_owned();
        assert_eq!(submit(&shop, &phone, "outcome=approve").await.status, 303);
        let shown = shop.show(reference).await;
        assert_eq!(shown["userDetails"]["mobileNumber"], OTHER, "{reference}");
        assert_eq!(
            shown["userDetails"]["email"],
            format!("{OTHER}@example.com")
        );
        shop.receiver.got.lock().unwrap().clear();
        shop.deliver().await;
        let told = shop.receiver.bodies();
        let told = told.iter().find(|body| body["name"] == "AUTHORIZED");
        let told = told.unwrap();
        assert_eq!(told["userDetails"], shown["userDetails"]);
        assert_eq!(told["sub"], shown["profile"]["sub"]);
    }
    // The same person as one who was named from the beginning, and another one than the other.
    let subs = async |reference: &str, phone: &str| {
        let customer = json!({"phoneNumber": phone});
        let change = json!({"profile": scope, "customer": customer});
        made(&shop, reference, change).await;
        shop.simulate(reference, "approve", 200).await;
        shop.show(reference).await["profile"]["sub"].clone()
    };
    let named = subs("order-named1", OTHER).await;
    assert_eq!(named, shop.show("order-nobody").await["profile"]["sub"]);
    assert_ne!(named, subs("order-named2", PHONE).await);
}

#[tokio::test]
async fn whoever_is_unknown_or_too_young_is_not_found() {
    let shop = Shop::open().await;
    let push = |age: Value| json!({"userFlow": "PUSH_MESSAGE", "minimumUserAge": age});
    // Everybody was born in December 1990, and it is November 2026.
    assert_eq!(
        made(&shop, "order-00035", push(json!(35))).await.status,
        201
    );
    let young = made(&shop, "order-00036", push(json!(36))).await;
    assert_eq!((young.status, young.code()), (400, "7010".to_owned()));
    let page = landing(&made(&shop, "order-00100", json!({"minimumUserAge": 100})).await);
    assert_eq!(force(&shop, "order-00100", PHONE).await.code(), "7010");
    let typed = format!("action=continue&phone={PHONE}");
    let refused = submit(&shop, &page, &typed).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("Nobody who may pay this"));
    shop.simulate("order-00100", "approve", 200).await;
    assert_eq!(shop.sums("order-00100").await.0, "CREATED");
    rule(&shop, OTHER, "unknown").await;
    let nobody = json!({"userFlow": "PUSH_MESSAGE", "customer": {"phoneNumber": OTHER}});
    assert_eq!(made(&shop, "order-nobody", nobody).await.code(), "7010");
    shop.create("order-12345").await;
    assert_eq!(force(&shop, "order-12345", OTHER).await.code(), "7010");
    assert_eq!(force(&shop, "order-12345", PHONE).await.status, 200);
}

#[tokio::test]
async fn numbers_and_missing_parts_have_their_codes() {
    let shop = Shop::open().await;
    let zero = json!({"customer": {"phoneNumber": "004791234567"}});
    assert_eq!(made(&shop, "order-00001", zero).await.code(), "4070");
    let nowhere = made(&shop, "order-00002", json!({"returnUrl": null})).await;
    assert_eq!(nowhere.code(), "4140");
    assert_eq!(nowhere.json()["extraDetails"][1]["name"], "returnUrl");
    let push = json!({"userFlow": "PUSH_MESSAGE", "customer": null});
    let nobody = made(&shop, "order-00003", push).await;
    assert_eq!(nobody.code(), "4140");
    assert_eq!(nobody.json()["extraDetails"][1]["name"], "customer");
}

#[tokio::test]
async fn a_payer_without_cards_and_banks_that_change_their_mind() {
    let shop = Shop::open().await;
    for (reference, name, approves, captures) in [
        ("order-00001", "no_cards", Some("10050"), None),
        ("order-00002", "funds_gone", None, Some("6260")),
        ("order-00003", "capture_fails", None, Some("6280")),
    ] {
        rule(&shop, PHONE, name).await;
        shop.create(reference).await;
        let answer = force(&shop, reference, PHONE).await;
        match approves {
            Some(code) => {
                assert_eq!(answer.code(), code);
                shop.simulate(reference, "approve", 200).await;
                assert!(!shop.log(reference).await[1].1, "the bank said no");
                continue;
            }
            None => assert_eq!(answer.status, 200, "{answer:?}"),
        }
        let refused = shop.modify(reference, "capture", "1", 100).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, captures.unwrap().to_owned())
        );
        assert_eq!(shop.sums(reference).await.1, [49_900, 0, 0, 0]);
        rule(&shop, PHONE, "ask").await;
        let again = shop.modify(reference, "capture", "2", 100).await;
        assert_eq!(again.status, 200, "{again:?}");
    }
    let page = shop.send("GET", "/sandbox/phone/4791234567", &[], "").await;
    assert!(page.body.contains("value=\"capture_fails\""));
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn a_result_that_is_unknown_stays_open_for_an_hour_and_is_decided_then() {
    let shop = Shop::open().await;
    shop.register("http://127.0.0.1:9/hook").await;
    let terms = json!({"amount": {"currency": "NOK", "value": 201}});
    assert_eq!(made(&shop, "order-00201", terms.clone()).await.status, 201);
    assert_eq!(force(&shop, "order-00201", PHONE).await.status, 200);
    let shop = {
        let mut shop = shop;
        shop.later(Span::from_minutes(59)).await;
        shop.token = shop.new_token().await;
        shop
    };
    assert_eq!(
        shop.sums("order-00201").await,
        ("CREATED".to_owned(), [0; 4])
    );
    let capture = shop.modify("order-00201", "capture", "1", 201).await;
    assert_eq!((capture.status, capture.code()), (423, "6160".to_owned()));
    let again = force(&shop, "order-00201", PHONE).await;
    assert_eq!((again.status, again.code()), (423, "6160".to_owned()));
    let cancel = shop.cancel("order-00201").await;
    assert_eq!((cancel.status, cancel.code()), (400, "6250".to_owned()));
    shop.simulate("order-00201", "approve", 409).await;
    shop.later(Span::from_minutes(1)).await;
    assert_eq!(shop.sums("order-00201").await.0, "EXPIRED");
    let log = shop.log("order-00201").await;
    let log: Vec<(&str, bool)> = log.iter().map(|one| (one.0.as_str(), one.1)).collect();
    assert_eq!(
        log,
        [("CREATED", true), ("AUTHORIZED", false), ("EXPIRED", true)]
    );
    assert_eq!(shop.receiver.names(), ["CREATED", "EXPIRED"]);
    // With more time to pay it is open again afterwards.
    let at = shop.clock.now().millis() / 1_000 + 7_200;
    let at = jiff::Timestamp::from_second(at).unwrap().to_string();
    let line = json!({
        "name": "Socks", "id": "1", "totalAmount": 201,
        "totalAmountExcludingTax": 201, "totalTaxAmount": 0,
    });
    let receipt = json!({"orderLines": [line], "bottomLine": {"currency": "NOK"}});
    let mut long = terms;
    long["expiresAt"] = at.into();
    long["receipt"] = receipt;
    assert_eq!(made(&shop, "order-long1", long).await.status, 201);
    shop.simulate("order-long1", "approve", 200).await;
    shop.later(Span::from_minutes(60)).await;
    let mut shop = shop;
    shop.token = shop.new_token().await;
    assert_eq!(
        shop.cancel("order-long1").await.json()["state"],
        "TERMINATED"
    );
    shop.ledger_is_whole().await;
}
