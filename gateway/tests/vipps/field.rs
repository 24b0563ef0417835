//! What clients in the field rely on, one test for each line of the contract's list. Lines about
//! the token stand in `tokens.rs`, about deliveries in `hooks.rs`.

use serde_json::{Value, json};

use crate::shop::{HOOKS, PAYMENTS, Shop};

#[tokio::test]
async fn repeated_slashes_collapse() {
    let shop = Shop::open().await;
    shop.create("order-12345").await;
    for path in [
        "//epayment/v1/payments/order-12345",
        "/epayment//v1///payments/order-12345",
    ] {
        assert_eq!(shop.get(path).await.status, 200, "{path}");
    }
    assert_eq!(shop.get("//webhooks/v1//webhooks").await.status, 200);
}

#[tokio::test]
async fn any_host_header_is_tolerated() {
    let shop = Shop::open().await;
    for host in ["apitest.vipps.no/", "apitest.vipps.no", "x y", ""] {
        let headers = [("Host", host)];
        let answer = shop.with_headers("GET", HOOKS, &headers, "").await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn extra_headers_are_accepted_everywhere() {
    let shop = Shop::open().await;
    shop.create("order-12345").await;
    let id = shop.vipps.client_id.clone();
    let extra = [
        ("client_id", id.as_str()),
        ("client_secret", "whatever"),
        ("Idempotency-Key", "k"),
        ("X-Source-Address", ""),
        ("X-TimeStamp", ""),
        ("Vipps-System-Name", ""),
        (
            "Vipps-System-Plugin-Name",
            "a name that is far longer than thirty characters",
        ),
    ];
    let path = format!("{PAYMENTS}/order-12345");
    assert_eq!(
        shop.with_headers("GET", &path, &extra, "").await.status,
        200
    );
    assert_eq!(
        shop.with_headers("GET", HOOKS, &extra, "").await.status,
        200
    );
    let gone = format!("{HOOKS}/497f6eca-6276-4993-bfeb-53cbbbba6f08");
    assert_eq!(
        shop.with_headers("DELETE", &gone, &extra, "").await.status,
        404
    );
}

#[tokio::test]
async fn json_is_read_whatever_the_content_type_says() {
    let shop = Shop::open().await;
    for (number, kind) in [
        None,
        Some("application/x-www-form-urlencoded"),
        Some("application/json; charset=\"utf-8\""),
        Some("text/plain"),
    ]
    .into_iter()
    .enumerate()
    {
        let reference = format!("order-1234{number}");
        let mut headers = vec![("Idempotency-Key", "1")];
        headers.extend(kind.map(|kind| ("Content-Type", kind)));
        let body = Shop::terms(&reference).to_string();
        let answer = shop.with_headers("POST", PAYMENTS, &headers, &body).await;
        assert_eq!(answer.status, 201, "{kind:?}: {answer:?}");
    }
}

#[tokio::test]
async fn successes_are_application_json() {
    let shop = Shop::open().await;
    shop.approved("order-12345").await;
    for (what, minor) in [("capture", 200), ("refund", 100)] {
        let answer = shop.modify("order-12345", what, "1", minor).await;
        assert_eq!(
            (answer.status, answer.kind.as_str()),
            (200, "application/json"),
            "{what}"
        );
    }
    let answer = shop.cancel("order-12345").await;
    assert_eq!(
        (answer.status, answer.kind.as_str()),
        (200, "application/json")
    );
    for path in [
        format!("{PAYMENTS}/order-12345"),
        format!("{PAYMENTS}/order-12345/events"),
        HOOKS.to_owned(),
    ] {
        assert_eq!(shop.get(&path).await.kind, "application/json", "{path}");
    }
}

#[tokio::test]
async fn whatever_is_not_a_success_has_a_json_body() {
    let shop = Shop::open().await;
    let long = "x".repeat(300_000);
    for (method, path, body, status) in [
        ("GET", "/epayment/v1/payments/order-99999", "", 404),
        ("GET", "/epayment/v1/nothing", "", 404),
        ("PUT", "/epayment/v1/payments/order-99999", "", 405),
        ("BREW", "/webhooks/v1/webhooks", "", 405),
        ("GET", "/accesstoken/get", "", 405),
        ("POST", "/epayment/v1/payments", "{", 400),
        ("POST", "/webhooks/v1/webhooks", "[]", 400),
        ("POST", "/epayment/v1/payments", long.as_str(), 413),
        ("POST", "/accesstoken/get", long.as_str(), 413),
    ] {
        let answer = shop
            .with_headers(method, path, &[("Idempotency-Key", "1")], body)
            .await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert!(answer.json().is_object());
        assert!(answer.json()["title"].is_string());
        let trace = answer.json()["traceId"].as_str().unwrap().to_owned();
        let id = answer.headers["x-request-id"].to_str().unwrap();
        assert!(
            trace.contains(id),
            "the trace is the id in our log: {trace}, {id}"
        );
    }
    let unknown = shop
        .send("GET", "/epayment/v1/payments/order-99999", &[], "")
        .await;
    assert_eq!(unknown.status, 401);
    assert!(unknown.json().is_object());
}

#[tokio::test]
async fn cancel_takes_any_of_its_bodies_and_needs_no_key() {
    let shop = Shop::open().await;
    for (number, body) in ["", "{}", "[]", r#"{"cancelTransactionOnly":false}"#, " "]
        .into_iter()
        .enumerate()
    {
        let reference = format!("order-1234{number}");
        shop.create(&reference).await;
        let path = format!("{PAYMENTS}/{reference}/cancel");
        let answer = shop.with_headers("POST", &path, &[], body).await;
        assert_eq!(answer.status, 200, "{body:?}: {answer:?}");
        assert_eq!(answer.json()["state"], "TERMINATED");
    }
}

#[tokio::test]
async fn create_takes_what_the_plugin_sends() {
    let shop = Shop::open().await;
    let mut terms = Shop::terms("order-12345");
    terms["customer"] = json!({"customerInteraction": "CUSTOMER_PRESENT"});
    terms["minimumUserAge"] = Value::Null;
    terms["metadata"] = json!({"orderid": 12_345});
    terms["somethingNew"] = json!({"a": [1, 2]});
    assert_eq!(shop.post(PAYMENTS, "1", &terms).await.status, 201);
    assert_eq!(
        shop.show("order-12345").await["metadata"]["orderid"],
        12_345
    );
}

#[tokio::test]
async fn one_key_serves_every_operation_and_every_reference() {
    let shop = Shop::open().await;
    for reference in ["order-12345", "order-23456"] {
        let key = "order-12345";
        assert_eq!(
            shop.post(PAYMENTS, key, &Shop::terms(reference))
                .await
                .status,
            201
        );
        shop.simulate(reference, "approve", 200).await;
        assert_eq!(
            shop.modify(reference, "capture", key, 1_000).await.status,
            200
        );
        assert_eq!(shop.modify(reference, "refund", key, 500).await.status, 200);
        let path = format!("{PAYMENTS}/{reference}/cancel");
        let answer = shop
            .with_headers("POST", &path, &[("Idempotency-Key", key)], "")
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(shop.sums(reference).await.1, [49_900, 48_900, 1_000, 500]);
    }
}

#[tokio::test]
async fn a_payment_can_be_read_the_moment_it_is_made() {
    let shop = Shop::open().await;
    for number in 0..30 {
        let reference = format!("order-{number:05}");
        shop.create(&reference).await;
        assert_eq!(shop.sums(&reference).await.0, "CREATED");
    }
}

#[tokio::test]
async fn set_up_lists_deletes_and_registers() {
    let shop = Shop::open().await;
    shop.register("https://example.com/old").await;
    let listed = shop.get(HOOKS).await.json();
    for hook in listed["webhooks"].as_array().unwrap() {
        let path = format!("{HOOKS}/{}", hook["id"].as_str().unwrap());
        assert_eq!(
            shop.with_headers("DELETE", &path, &[], "").await.status,
            204
        );
    }
    let four = json!({"url": "https://example.com/new", "events": [
        "epayments.payment.authorized.v1", "epayments.payment.captured.v1",
        "epayments.payment.cancelled.v1", "epayments.payment.refunded.v1",
    ]});
    assert_eq!(shop.post(HOOKS, "1", &four).await.status, 201);
    assert_eq!(
        shop.get(HOOKS).await.json()["webhooks"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn every_event_name_of_every_api_is_accepted_in_one_call() {
    let shop = Shop::open().await;
    let body = json!({"url": "https://example.com/h", "events": dialects::vipps::topics::ALL});
    assert_eq!(shop.post(HOOKS, "1", &body).await.status, 201);
    let slip = json!({"url": "https://example.com/h", "events": ["epayment.payment.created.v1"]});
    let answer = shop.post(HOOKS, "1", &slip).await;
    assert_eq!(answer.status, 400);
    let reason = answer.json()["extraDetails"][0]["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        reason.starts_with("Unsupported values: epayment.payment.created.v1"),
        "{reason}"
    );
    assert!(reason.contains("epayments.payment.created.v1"), "{reason}");
}

#[tokio::test]
async fn the_aggregate_is_complete_in_every_answer() {
    let shop = Shop::open().await;
    shop.create("order-12345").await;
    let complete = |answer: &Value| {
        let aggregate = answer["aggregate"].as_object().unwrap();
        assert_eq!(aggregate.len(), 4, "{answer}");
        assert!(aggregate.values().all(|amount| amount["currency"] == "NOK"));
    };
    complete(&shop.show("order-12345").await);
    shop.simulate("order-12345", "approve", 200).await;
    complete(&shop.modify("order-12345", "capture", "1", 100).await.json());
    complete(&shop.modify("order-12345", "refund", "1", 50).await.json());
    complete(&shop.cancel("order-12345").await.json());
    complete(&shop.show("order-12345").await);
}

#[tokio::test]
async fn a_deleted_webhook_and_a_forced_approval_answer_with_nothing() {
    let shop = Shop::open().await;
    let made = shop.register("https://example.com/hook").await;
    let path = format!("{HOOKS}/{}", made["id"].as_str().unwrap());
    let gone = shop.with_headers("DELETE", &path, &[], "").await;
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    assert_eq!(gone.kind, "", "a body that is not there has no type");
    shop.create("order-12345").await;
    let path = "/epayment/v1/test/payments/order-12345/approve";
    let body = json!({"customer": {"phoneNumber": "4791234567"}}).to_string();
    let approved = shop.with_headers("POST", path, &[], &body).await;
    assert_eq!((approved.status, approved.body.as_str()), (200, ""));
}

#[tokio::test]
async fn errors_have_a_title_a_detail_and_details() {
    let shop = Shop::open().await;
    let mut terms = Shop::terms("short");
    terms["amount"] = json!({"currency": "NOK", "value": "12"});
    let invalid = shop.post(PAYMENTS, "1", &terms).await.json();
    assert_eq!(invalid["title"], "Bad Request");
    assert_eq!(invalid["detail"], "See extraDetails for further details");
    assert_eq!(invalid["instance"], "/v1/payments");
    let names: Vec<&Value> = invalid["extraDetails"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["amount.value", "reference"]);
    shop.create("order-12345").await;
    let early = shop.modify("order-12345", "capture", "1", 100).await.json();
    assert_eq!(early["title"], "Cannot capture before reservation");
    let code = json!([{"name": "ErrorCode", "reason": "6080"}]);
    assert_eq!(early["extraDetails"], code, "the code is a string");
    assert_eq!(early["type"], "https://httpstatuses.io/400");
    assert_eq!(early["instance"], "/v1/payments/order-12345/capture");
}

#[tokio::test]
async fn polling_alone_is_enough() {
    let shop = Shop::open().await;
    for (reference, outcome, state) in [
        ("order-00001", "approve", "AUTHORIZED"),
        ("order-00002", "abort", "ABORTED"),
        ("order-00003", "expire", "EXPIRED"),
    ] {
        shop.create(reference).await;
        shop.simulate(reference, outcome, 200).await;
        assert_eq!(shop.sums(reference).await.0, state, "at the very next look");
    }
    shop.create("order-00004").await;
    shop.clock.advance(domain::Span::from_minutes(10));
    assert_eq!(
        shop.sums("order-00004").await.0,
        "EXPIRED",
        "also before any worker came by"
    );
    shop.deliver().await;
    assert_eq!(shop.receiver.names().len(), 0, "nobody registered");
}

#[tokio::test]
async fn the_token_call_works_alone() {
    let shop = Shop::open().await;
    let headers = shop.client_headers();
    let answer = shop.send("POST", "/accessToken/get", &headers, "").await;
    assert_eq!(answer.status, 200);
    let life: i64 = answer.json()["expires_in"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(life >= 3_599, "clients keep it for an hour without asking");
}

#[tokio::test]
async fn a_post_is_never_answered_with_a_fault_for_what_a_client_sends() {
    let shop = Shop::open().await;
    shop.create("order-12345").await;
    let huge = format!("{{\"a\":{}}}", "[".repeat(5_000));
    for path in [
        PAYMENTS,
        HOOKS,
        "/epayment/v1/payments/order-12345/capture",
        "/epayment/v1/payments/order-12345/refund",
        "/epayment/v1/payments/order-12345/cancel",
        "/epayment/v1/test/payments/order-12345/approve",
        "/epayment/v1/payments/%00/capture",
        "/epayment/v1/payments/order%2F12345/cancel",
    ] {
        for body in [
            "{",
            "null",
            "\"\"",
            "[[]]",
            "{\"amount\":{}}",
            "\u{feff}{}",
            &huge,
        ] {
            let key = [("Idempotency-Key", "1")];
            let status = shop.with_headers("POST", path, &key, body).await.status;
            assert!((400..500).contains(&status), "{path} {body}: {status}");
        }
    }
}

#[tokio::test]
async fn the_sandbox_lets_a_bearer_token_in() {
    let shop = Shop::open().await;
    shop.create("order-12345").await;
    let body = json!({"payment": "order-12345", "outcome": "approve"}).to_string();
    let right = format!("bearer {}", shop.token);
    for (token, status) in [("Bearer wrong", 401), (right.as_str(), 200)] {
        let headers = [("Authorization", token)];
        let answer = shop
            .send("POST", "/sandbox/simulate", &headers, &body)
            .await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}
