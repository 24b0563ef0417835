//! Registrations and deliveries.

use std::sync::atomic::Ordering;

use dialects::sign::{self, VippsRequest};
use dialects::vipps::webhooks::authority;
use domain::{Secret, Span};
use gateway::outbound::Sending;
use serde_json::{Value, json};

use crate::shop::{HOOKS, Shop};

const URL: &str = "http://127.0.0.1:9/hook?shop=1";

fn header<'a>(sending: &'a Sending, name: &str) -> &'a str {
    let found = sending.headers.iter().find(|(key, _)| key == name);
    found.map_or_else(
        || panic!("{name}: {sending:?}"),
        |(_, value)| value.as_str(),
    )
}

/// What a receiver that follows the documentation computes.
fn is_genuine(sending: &Sending, secret: &str) -> bool {
    let (host, path_and_query) = authority(&sending.url);
    let request = VippsRequest {
        method: "POST",
        path_and_query: &path_and_query,
        date: header(sending, "x-ms-date"),
        host: &host,
        body: sending.body.as_bytes(),
    };
    let signed = sign::vipps_signature(&request, &Secret::new(secret.to_owned()));
    signed.authorization == header(sending, "authorization")
        && signed.authorization == header(sending, "x-vipps-authorization")
        && signed.content_sha256 == header(sending, "x-ms-content-sha256")
}

#[tokio::test]
async fn every_step_is_delivered_signed_and_in_order() {
    let shop = Shop::open().await;
    let registered = shop.register(URL).await;
    let secret = registered["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 88);
    shop.approved("order-12345").await;
    shop.modify("order-12345", "capture", "cap-1", 10_000).await;
    shop.modify("order-12345", "capture", "cap-2", 10_000).await;
    shop.modify("order-12345", "refund", "ref-1", 500).await;
    shop.cancel("order-12345").await;
    shop.deliver().await;
    assert_eq!(
        shop.receiver.names(),
        [
            "CREATED",
            "AUTHORIZED",
            "CAPTURED",
            "CAPTURED",
            "REFUNDED",
            "CANCELLED"
        ]
    );
    let got = shop.receiver.got.lock().unwrap().clone();
    for sending in &got {
        assert!(is_genuine(sending, secret), "{sending:?}");
        assert_eq!(
            header(sending, "content-type"),
            "application/json; charset=utf-8"
        );
        assert_eq!(
            header(sending, "user-agent"),
            "Vipps MobilePay/1.0 Webhooks/1.0"
        );
        assert_eq!(
            header(sending, "webhook-id"),
            registered["id"].as_str().unwrap()
        );
        assert_eq!(header(sending, "accept-encoding"), "gzip");
    }
    let bodies = shop.receiver.bodies();
    let values: Vec<i64> = bodies
        .iter()
        .map(|body| body["amount"]["value"].as_i64().unwrap())
        .collect();
    assert_eq!(values, [49_900, 49_900, 10_000, 10_000, 500, 29_900]);
    let keys: Vec<&Value> = bodies.iter().map(|body| &body["idempotencyKey"]).collect();
    assert_eq!(
        keys,
        [
            &json!("create order-12345"),
            &json!("create order-12345"),
            &json!("cap-1"),
            &json!("cap-2"),
            &json!("ref-1"),
            &Value::Null
        ]
    );
    // Two equal captures differ in what we add and in the number of the operation.
    assert_ne!(bodies[2]["pspReference"], bodies[3]["pspReference"]);
    assert_ne!(
        header(&got[2], "florin-delivery-id"),
        header(&got[3], "florin-delivery-id")
    );
    assert_eq!(
        bodies[0]["pspReference"],
        shop.show("order-12345").await["pspReference"]
    );
}

#[tokio::test]
async fn a_body_begins_exactly_as_captured_ones_do() {
    let shop = Shop::open().await;
    shop.register(URL).await;
    shop.create("order-12345").await;
    shop.deliver().await;
    let body = shop.receiver.got.lock().unwrap()[0].body.clone();
    let msn = &shop.vipps.merchant_serial_number;
    let start = format!(r#"{{"msn":"{msn}","reference":"order-12345","pspReference":""#);
    assert!(body.starts_with(&start), "{body}");
    let end = r#","idempotencyKey":"create order-12345","success":true}"#;
    assert!(body.ends_with(end), "{body}");
    assert!(body.contains(r#","name":"CREATED","amount":{"currency":"NOK","value":49900},"#));
}

#[tokio::test]
async fn a_failure_holds_back_the_same_payment_and_no_other_and_each_try_is_signed_anew() {
    let shop = Shop::open().await;
    let registered = shop.register(URL).await;
    shop.receiver.status.store(500, Ordering::SeqCst);
    shop.create("order-12345").await;
    shop.deliver().await;
    shop.simulate("order-12345", "approve", 200).await;
    shop.create("order-23456").await;
    shop.deliver().await;
    let tried: Vec<String> = shop
        .receiver
        .bodies()
        .iter()
        .map(|body| format!("{} {}", body["reference"], body["name"]))
        .collect();
    assert!(
        !tried.iter().any(|line| line.contains("AUTHORIZED")),
        "{tried:?}"
    );
    assert!(
        tried.iter().any(|line| line.contains("order-23456")),
        "{tried:?}"
    );
    shop.receiver.got.lock().unwrap().clear();
    shop.receiver.status.store(202, Ordering::SeqCst);
    shop.later(Span::from_seconds(6)).await;
    let got = shop.receiver.got.lock().unwrap().clone();
    let own: Vec<&Sending> = got
        .iter()
        .filter(|sending| sending.body.contains("order-12345"))
        .collect();
    assert_eq!(own.len(), 2, "{got:?}");
    assert!(own[0].body.contains("CREATED") && own[1].body.contains("AUTHORIZED"));
    assert_eq!(header(own[0], "florin-attempt"), "2");
    assert!(is_genuine(own[0], registered["secret"].as_str().unwrap()));
}

#[tokio::test]
async fn the_ladder_ends_within_seven_days_and_a_dead_registration_after_two_weeks() {
    let mut shop = Shop::open().await;
    let registered = shop.register(URL).await;
    shop.receiver.status.store(0, Ordering::SeqCst);
    shop.create("order-12345").await;
    shop.later(Span::from_minutes(7 * 24 * 60)).await;
    let got = shop.receiver.got.lock().unwrap().clone();
    let created = got
        .iter()
        .filter(|sending| sending.body.contains("CREATED"))
        .count();
    assert_eq!(created, 35);
    let dates: std::collections::BTreeSet<&str> = got
        .iter()
        .map(|sending| header(sending, "x-ms-date"))
        .collect();
    assert!(dates.len() > 30, "each attempt has its own date");
    shop.token = shop.new_token().await;
    assert_eq!(
        shop.get(HOOKS).await.json()["webhooks"][0]["id"],
        registered["id"]
    );
    shop.create("order-23456").await;
    shop.later(Span::from_minutes(8 * 24 * 60)).await;
    shop.token = shop.new_token().await;
    assert_eq!(shop.get(HOOKS).await.json(), json!({"webhooks": []}));
}

#[tokio::test]
async fn the_commands_of_the_quick_start_work_as_they_are_written() {
    let shop = Shop::open().await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let system = [
        (
            "Merchant-Serial-Number",
            shop.vipps.merchant_serial_number.as_str(),
        ),
        ("Vipps-System-Name", "acme"),
        ("Vipps-System-Version", "3.1.2"),
        ("Vipps-System-Plugin-Name", "acme-webshop"),
        ("Vipps-System-Plugin-Version", "4.5.6"),
        form,
    ];
    let mut headers = shop.client_headers().to_vec();
    headers.extend(system);
    let call = |method: &'static str, path: String, body: &'static str| {
        let (shop, headers) = (&shop, headers.clone());
        async move { shop.send(method, &path, &headers, body).await }
    };
    let token = call("POST", "/accessToken/get".to_owned(), "").await;
    assert_eq!(token.status, 200);
    let hooks = format!("/{HOOKS}");
    let body =
        r#"{"url": "https://example.com/hook", "events": ["epayments.payment.captured.v1"]}"#;
    let made = call("POST", hooks.clone(), body).await;
    assert_eq!(made.status, 201);
    let keys: Vec<String> = made.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["id", "secret"]);
    let listed = call("GET", hooks.clone(), "").await;
    assert_eq!(
        listed.json(),
        json!({"webhooks": [{
            "id": made.json()["id"], "url": "https://example.com/hook",
            "events": ["epayments.payment.captured.v1"],
        }]})
    );
    let one = format!("{hooks}/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(
        call("GET", one.clone(), "").await.json()["url"],
        "https://example.com/hook"
    );
    let deleted = call("DELETE", one.clone(), "").await;
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    let again = call("DELETE", one, "").await;
    assert_eq!(
        (again.status, again.kind.as_str()),
        (404, "application/problem+json")
    );
    assert_eq!(call("DELETE", format!("{hooks}/abc"), "").await.status, 400);
    assert_eq!(call("GET", hooks, "").await.json(), json!({"webhooks": []}));
}

#[tokio::test]
async fn twenty_five_registrations_of_an_event_and_no_more() {
    let shop = Shop::open().await;
    let ask = |event: &str| json!({"url": "https://example.com/hook", "events": [event]});
    let register = |event: &'static str| {
        let shop = &shop;
        async move { shop.post(HOOKS, "the same key", &ask(event)).await }
    };
    for _ in 0..25 {
        assert_eq!(register("epayments.payment.captured.v1").await.status, 201);
    }
    let full = register("epayments.payment.captured.v1").await;
    assert_eq!(full.status, 400);
    assert_eq!(full.json()["extraDetails"][0]["name"], "events");
    assert_eq!(register("epayments.payment.created.v1").await.status, 201);
    assert_eq!(register("user.checked-in.v1").await.status, 201);
    assert_eq!(register("user.checked-in.v1").await.status, 400);
    let listed = shop.get(HOOKS).await.json();
    assert_eq!(listed["webhooks"].as_array().unwrap().len(), 27);
}

#[tokio::test]
async fn a_deleted_registration_gets_nothing_more_and_a_new_one_only_what_comes_after() {
    let shop = Shop::open().await;
    shop.receiver.status.store(500, Ordering::SeqCst);
    let first = shop.register(URL).await;
    shop.create("order-12345").await;
    shop.deliver().await;
    let path = format!("{HOOKS}/{}", first["id"].as_str().unwrap());
    assert_eq!(
        shop.with_headers("DELETE", &path, &[], "").await.status,
        204
    );
    shop.receiver.got.lock().unwrap().clear();
    shop.receiver.status.store(200, Ordering::SeqCst);
    shop.register(URL).await;
    shop.simulate("order-12345", "approve", 200).await;
    shop.later(Span::from_minutes(5)).await;
    assert_eq!(shop.receiver.names(), ["AUTHORIZED"]);
}

#[tokio::test]
async fn what_goes_wrong_on_purpose_goes_wrong_and_is_told() {
    let shop = Shop::open().await;
    let registered = shop.register(URL).await;
    let secret = registered["secret"].as_str().unwrap();
    let wish = |body: Value| {
        let shop = &shop;
        async move {
            let headers = shop.client_headers();
            let path = "/sandbox/mischief";
            let answer = shop.send("POST", path, &headers, &body.to_string()).await;
            answer.status
        }
    };
    for (trick, count, genuine) in [
        ("drop", 1, [true, true]),
        ("lose_answer", 2, [true, true]),
        ("duplicate", 2, [true, true]),
        ("wrong_signature", 1, [false, false]),
    ] {
        assert_eq!(wish(json!({"trick": trick})).await, 201);
        shop.receiver.got.lock().unwrap().clear();
        shop.create(&format!("order-{trick}").replace('_', "-"))
            .await;
        shop.deliver().await;
        shop.later(Span::from_seconds(3)).await;
        let got = shop.receiver.got.lock().unwrap().clone();
        let judged: Vec<bool> = got.iter().map(|one| is_genuine(one, secret)).collect();
        assert_eq!(judged, genuine[..count], "{trick}");
    }
    let path = "/sandbox/webhooks?payment=order-drop";
    let told = shop
        .send("GET", path, &shop.client_headers(), "")
        .await
        .json();
    let attempts = told["deliveries"][0]["attempts"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(attempts.len(), 2);
    let error = attempts[0]["error"].as_str().unwrap();
    assert!(error.contains("asked to drop"), "{error}");
    assert_eq!(attempts[1]["status"], 200);
}

#[tokio::test]
async fn a_webhook_comes_late_or_behind_the_next_one_of_its_payment() {
    let shop = Shop::open().await;
    let registered = shop.register(URL).await;
    let secret = registered["secret"].as_str().unwrap();
    let wish = async |body: &str| {
        let headers = shop.client_headers();
        let answer = shop.send("POST", "/sandbox/mischief", &headers, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    wish(r#"{"trick":"delay","seconds":90}"#).await;
    shop.create("order-late1").await;
    shop.deliver().await;
    shop.later(Span::from_seconds(89)).await;
    assert_eq!(shop.receiver.names(), Vec::<String>::new());
    shop.later(Span::from_seconds(1)).await;
    assert_eq!(shop.receiver.names(), ["CREATED"]);
    shop.receiver.got.lock().unwrap().clear();
    wish(r#"{"trick":"swap","event":"epayments.payment.authorized.v1"}"#).await;
    shop.approved("order-swap1").await;
    shop.deliver().await;
    shop.create("order-other").await;
    shop.deliver().await;
    assert_eq!(shop.receiver.names(), ["CREATED"; 2], "of both payments");
    shop.modify("order-swap1", "capture", "1", 100).await;
    shop.deliver().await;
    assert_eq!(shop.receiver.names()[2..], ["CAPTURED", "AUTHORIZED"]);
    let got = shop.receiver.got.lock().unwrap().clone();
    assert!(got.iter().all(|one| is_genuine(one, secret)));
    shop.later(Span::from_minutes(5)).await;
    assert_eq!(shop.receiver.names().len(), 4, "each once");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let wanted = "action=continue&trick=duplicate&times=2";
    let asked = shop
        .send("POST", "/sandbox/deliveries/mischief", &form, wanted)
        .await;
    assert_eq!(asked.status, 303, "{asked:?}");
    let page = shop.send("GET", "/sandbox/deliveries", &[], "").await;
    assert!(page.body.contains("2 more"), "{}", page.body);
    let wrong = "action=continue&trick=sing&times=2";
    let refused = shop
        .send("POST", "/sandbox/deliveries/mischief", &form, wrong)
        .await;
    assert_eq!(refused.status, 404);
}

#[tokio::test]
async fn wishes_name_an_event_and_can_be_forgotten() {
    let shop = Shop::open().await;
    shop.register(URL).await;
    let call = |method: &'static str, body: &'static str| {
        let shop = &shop;
        async move {
            let headers = shop.client_headers();
            shop.send(method, "/sandbox/mischief", &headers, body).await
        }
    };
    for wrong in [
        "",
        "{}",
        r#"{"trick":"sing"}"#,
        r#"{"trick":"drop","times":0}"#,
    ] {
        assert_eq!(call("POST", wrong).await.status, 400, "{wrong}");
    }
    let stranger = shop.send("GET", "/sandbox/mischief", &[], "").await;
    assert_eq!(stranger.status, 401);
    let captured = r#"{"trick":"drop","times":9,"event":"epayments.payment.captured.v1"}"#;
    let listed = call("POST", captured).await.json();
    assert_eq!(listed["mischief"][0]["times"], 9);
    shop.approved("order-12345").await;
    shop.modify("order-12345", "capture", "1", 100).await;
    shop.deliver().await;
    shop.later(Span::from_seconds(10)).await;
    assert_eq!(shop.receiver.names(), ["CREATED", "AUTHORIZED"]);
    let left = call("GET", "").await.json()["mischief"][0]["times"].clone();
    assert_eq!(left, 5, "four tries within ten seconds");
    assert_eq!(call("DELETE", "").await.json(), json!({"mischief": []}));
    shop.later(Span::from_minutes(2)).await;
    assert_eq!(shop.receiver.names(), ["CREATED", "AUTHORIZED", "CAPTURED"]);
}
