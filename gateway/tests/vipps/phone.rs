//! The landing page, the phone and the QR code, as forms without script.

use serde_json::{Value, json};

use crate::shop::{Answer, PAYMENTS, Shop};

const PHONE: &str = "4791234567";

/// Path and query of an address of ours.
fn path_of(url: &str) -> String {
    url.strip_prefix("http://127.0.0.1:8080")
        .unwrap()
        .to_owned()
}

async fn submit(shop: &Shop, path: &str, form: &str) -> Answer {
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    shop.send("POST", path, &kind, form).await
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.headers["location"].to_str().unwrap()
}

/// A payment of a flow; the path of its landing page, if it has one.
async fn made(shop: &Shop, reference: &str, change: Value) -> Option<String> {
    let mut terms = Shop::terms(reference);
    for (name, value) in change.as_object().unwrap() {
        terms[name] = value.clone();
    }
    let answer = shop.post(PAYMENTS, "1", &terms).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["redirectUrl"].as_str().map(path_of)
}

#[tokio::test]
async fn from_the_landing_page_over_the_phone_back_to_the_shop_unchanged() {
    let shop = Shop::open().await;
    let landing = made(&shop, "order-12345", json!({})).await.unwrap();
    let page = shop.send("GET", &landing, &[], "").await;
    assert_eq!(page.status, 200);
    for text in [
        "Demo Shop",
        "NOK\u{a0}499.00",
        "One pair of socks",
        "value=\"4791234567\"",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    let wrong = submit(&shop, &landing, "action=continue&phone=123").await;
    assert_eq!(wrong.status, 422);
    let on = submit(&shop, &landing, "action=continue&phone=%2B47+912+34+567").await;
    let phone = location(&on).to_owned();
    assert!(phone.starts_with("/landing/phone?token="));
    let inbox = shop.send("GET", "/sandbox/phone/4791234567", &[], "").await;
    assert!(
        inbox.body.contains("order-12345"),
        "the request lies on the phone"
    );
    let refused = submit(&shop, &phone, "outcome=decline&card=insufficient_funds").await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("Insufficient funds"));
    assert_eq!(shop.sums("order-12345").await.0, "CREATED");
    assert_eq!(
        location(&submit(&shop, &phone, "outcome=leave").await),
        "/sandbox/phone/4791234567"
    );
    let paid = submit(&shop, &phone, "outcome=approve").await;
    assert_eq!(location(&paid), "https://shop.example/back?order=1#top");
    assert_eq!(shop.sums("order-12345").await.0, "AUTHORIZED");
    // Whoever comes back, or posts again, changes nothing and reads what happened.
    assert_eq!(submit(&shop, &phone, "outcome=abort").await.status, 409);
    assert_eq!(submit(&shop, &landing, "action=cancel").await.status, 409);
    let over = shop.send("GET", &landing, &[], "").await;
    assert!(
        over.body.contains("Payment approved") && over.body.contains("https://shop.example/back")
    );
}

#[tokio::test]
async fn cancelling_and_rejecting_lead_back_too() {
    let shop = Shop::open().await;
    let landing = made(&shop, "order-12345", json!({})).await.unwrap();
    let left = submit(&shop, &landing, "action=cancel").await;
    assert_eq!(location(&left), "https://shop.example/back?order=1#top");
    assert_eq!(shop.sums("order-12345").await.0, "ABORTED");
    let app = json!({"userFlow": "NATIVE_REDIRECT", "returnUrl": "myapp://done?a=b"});
    let landing = made(&shop, "order-23456", app).await.unwrap();
    let phone = landing.replace("/landing?", "/landing/phone?");
    let policy = shop.send("GET", &phone, &[], "").await.headers["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.ends_with(" myapp:"),
        "the app may be opened: {policy}"
    );
    assert_eq!(
        location(&submit(&shop, &phone, "outcome=abort").await),
        "myapp://done?a=b"
    );
    assert_eq!(shop.sums("order-23456").await.0, "ABORTED");
}

#[tokio::test]
async fn a_push_message_lands_on_the_phone_at_once_and_leads_nowhere() {
    let shop = Shop::open().await;
    let push = json!({"userFlow": "PUSH_MESSAGE"});
    assert_eq!(made(&shop, "order-12345", push).await, None);
    let inbox = shop.send("GET", "/sandbox/phone/4791234567", &[], "").await;
    let form = inbox
        .body
        .split("action=\"")
        .find(|part| part.starts_with("/landing/phone"));
    let phone = form.unwrap().split('"').next().unwrap().to_owned();
    let paid = submit(&shop, &phone, "outcome=approve").await;
    assert_eq!(location(&paid), "/sandbox/phone/4791234567");
    let listed = shop
        .send(
            "GET",
            "/sandbox/phones/4791234567",
            &shop.client_headers(),
            "",
        )
        .await;
    let requests = listed.json()["requests"].clone();
    assert_eq!(requests[0]["payment"], "order-12345");
    assert_eq!(requests[0]["state"], "authorized");
    let typed = submit(
        &shop,
        "/sandbox/phone",
        "action=continue&phone=47+912+34+567",
    )
    .await;
    assert_eq!(location(&typed), "/sandbox/phone/4791234567");
    assert_eq!(
        submit(&shop, "/sandbox/phone", "action=continue&phone=x")
            .await
            .status,
        422
    );
}

#[tokio::test]
async fn a_phone_can_answer_by_itself() {
    let shop = Shop::open().await;
    let set = |rule: &'static str| {
        let shop = &shop;
        async move {
            let path = format!("/sandbox/phones/{PHONE}");
            let body = json!({"rule": rule}).to_string();
            shop.send("PUT", &path, &shop.client_headers(), &body)
                .await
                .status
        }
    };
    let state = |reference: &'static str| {
        let shop = &shop;
        async move { shop.sums(reference).await.0 }
    };
    let push = || json!({"userFlow": "PUSH_MESSAGE"});
    assert_eq!(set("approve").await, 200);
    made(&shop, "order-00001", push()).await;
    assert_eq!(state("order-00001").await, "AUTHORIZED");
    // On the landing page as well: the browser goes straight back to the shop.
    let landing = made(&shop, "order-00002", json!({})).await.unwrap();
    assert_eq!(state("order-00002").await, "CREATED");
    let on = submit(&shop, &landing, "action=continue&phone=4791234567").await;
    assert_eq!(location(&on), "https://shop.example/back?order=1#top");
    assert_eq!(state("order-00002").await, "AUTHORIZED");
    assert_eq!(set("reject").await, 200);
    made(&shop, "order-00003", push()).await;
    assert_eq!(state("order-00003").await, "ABORTED");
    assert_eq!(set("decline").await, 200);
    made(&shop, "order-00004", push()).await;
    assert_eq!(state("order-00004").await, "CREATED");
    assert_eq!(
        shop.log("order-00004").await[1],
        ("AUTHORIZED".to_owned(), false)
    );
    let form = submit(
        &shop,
        "/sandbox/phone/4791234567/rule",
        "action=continue&rule=ask",
    )
    .await;
    assert_eq!(location(&form), "/sandbox/phone/4791234567");
    made(&shop, "order-00005", push()).await;
    assert_eq!(state("order-00005").await, "CREATED");
    assert_eq!(set("sing").await, 400);
}

#[tokio::test]
async fn a_qr_code_is_a_picture_or_a_link() {
    let shop = Shop::open().await;
    let qr = |format: Value| json!({"userFlow": "QR", "qrFormat": format});
    let svg = made(&shop, "order-00001", qr(json!({"format": "IMAGE/SVG+XML"})))
        .await
        .unwrap();
    let picture = shop.send("GET", &svg, &[], "").await;
    assert_eq!(
        (picture.status, picture.kind.as_str()),
        (200, "image/svg+xml")
    );
    assert!(picture.body.starts_with("<svg"));
    let link = made(
        &shop,
        "order-00002",
        qr(json!({"format": "TEXT/TARGETURL"})),
    )
    .await
    .unwrap();
    assert_eq!(shop.send("GET", &link, &[], "").await.status, 200);
    assert!(link.starts_with("/landing?token="));
    let gone = shop.send("GET", "/landing/qr?token=unknown", &[], "").await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn whoever_does_not_know_the_token_sees_nothing() {
    let shop = Shop::open().await;
    shop.create("order-12345").await;
    let psp = shop.show("order-12345").await["pspReference"]
        .as_str()
        .unwrap()
        .to_owned();
    for token in ["", "order-12345", &psp, "x"] {
        for path in ["/landing", "/landing/phone"] {
            let path = format!("{path}?token={token}");
            assert_eq!(shop.send("GET", &path, &[], "").await.status, 404, "{path}");
            assert_eq!(
                submit(&shop, &path, "outcome=approve&action=cancel")
                    .await
                    .status,
                404
            );
        }
    }
    assert_eq!(shop.sums("order-12345").await.0, "CREATED");
    let without = shop
        .send("GET", "/sandbox/phones/4791234567", &[], "")
        .await;
    assert_eq!(without.status, 401);
}
