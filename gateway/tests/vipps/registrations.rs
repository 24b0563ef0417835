//! Registrations over their life: labels, doubles, limits, death, and the way back.

use std::sync::atomic::Ordering;

use domain::{EndpointId, Span, WireId};
use gateway::operations::endpoints::{self, Who};
use serde_json::{Value, json};

use crate::shop::{HOOKS, PAYMENTS, Shop};

const URL: &str = "http://127.0.0.1:9/hook";
const DAY: u64 = 24 * 60;

/// Our id of a registration.
async fn endpoint(shop: &Shop, registered: &Value) -> EndpointId {
    let wire = WireId::new(registered["id"].as_str().unwrap()).unwrap();
    let read = move |tx: &mut store::Tx<'_>| {
        Ok(store::tables::endpoints::by_wire(tx, "vipps", &wire)?.unwrap())
    };
    shop.app.store.read("test", read).await.unwrap().head.id
}

/// Who did what about an endpoint, and on which day after the beginning.
async fn audit(shop: &Shop, id: &EndpointId, began: domain::Timestamp) -> Vec<(String, u64)> {
    let id = id.to_string();
    let read = move |tx: &mut store::Tx<'_>| Ok(store::tables::audit::about(tx, &id)?);
    let entries = shop.app.store.read("test", read).await.unwrap();
    let told = entries.into_iter().map(|entry| {
        let days = entry.at.since(began).millis() / Span::from_minutes(DAY).millis();
        (format!("{} {}", entry.actor, entry.action), days)
    });
    told.collect()
}

/// Facts about an endpoint that were announced.
async fn facts(shop: &Shop, id: &EndpointId) -> Vec<String> {
    let id = id.to_string();
    let read = move |tx: &mut store::Tx<'_>| Ok(store::tables::events::about(tx, &id, 50)?);
    let lines = shop.app.store.read("test", read).await.unwrap();
    lines
        .into_iter()
        .map(|line| line.fact.as_str().to_owned())
        .collect()
}

#[tokio::test]
async fn one_that_answers_nobody_for_two_weeks_is_announced_removed_and_can_come_back() {
    let mut shop = Shop::open().await;
    let registered = shop.register(URL).await;
    let id = endpoint(&shop, &registered).await;
    let began = shop.clock.now();
    shop.receiver.status.store(0, Ordering::SeqCst);
    shop.create("order-12345").await;
    shop.deliver().await;
    // One payment, and nothing after it: its retries end within a week, time does the rest.
    shop.later(Span::from_minutes(14 * DAY - 1)).await;
    shop.token = shop.new_token().await;
    assert_eq!(
        shop.get(HOOKS).await.json()["webhooks"][0]["id"],
        registered["id"]
    );
    let page = shop.send("GET", "/sandbox/endpoints", &[], "").await.body;
    let end = began.plus(Span::from_minutes(14 * DAY)).millis();
    let end = jiff::Timestamp::from_millisecond(end).unwrap().to_string();
    let end = end.trim_end_matches('Z');
    assert!(page.contains(&format!("datetime=\"{end}")), "{end}: {page}");
    assert!(page.contains("It will be removed on"));
    let told = [
        ("api/vipps endpoint.registered", 0),
        ("florin endpoint.failing", 7),
    ];
    let told = told.map(|(what, day)| (what.to_owned(), day));
    assert_eq!(audit(&shop, &id, began).await, told);
    shop.later(Span::from_minutes(1)).await;
    shop.token = shop.new_token().await;
    assert_eq!(shop.get(HOOKS).await.json(), json!({"webhooks": []}));
    let path = format!("{HOOKS}/{}", registered["id"].as_str().unwrap());
    assert_eq!(shop.get(&path).await.status, 404);
    let caller = shop.app.demo.as_ref().unwrap().caller.clone();
    let told = endpoints::history(&shop.app, &caller, &id).await.unwrap();
    assert_eq!(told.len(), 3, "also after its removal");
    let last = audit(&shop, &id, began).await.pop();
    assert_eq!(last, Some(("florin endpoint.removed".to_owned(), 14)));
    assert_eq!(
        facts(&shop, &id).await,
        [
            "endpoint.registered",
            "endpoint.failing",
            "endpoint.removed"
        ]
    );

    // Somebody notices, mends the server, and takes the removal back: the same id and secret.
    let caller = shop.app.demo.as_ref().unwrap().caller.clone();
    let who = Who {
        caller: &caller,
        actor: "operator",
    };
    let removed = endpoints::removed(&shop.app, &caller, 10).await.unwrap();
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0].head.id, id);
    endpoints::restore(&shop.app, &who, &id).await.unwrap();
    assert!(
        endpoints::restore(&shop.app, &who, &id).await.is_err(),
        "twice"
    );
    assert_eq!(shop.get(&path).await.json()["url"], URL);
    shop.receiver.status.store(200, Ordering::SeqCst);
    shop.receiver.got.lock().unwrap().clear();
    shop.create("order-23456").await;
    shop.deliver().await;
    assert_eq!(shop.receiver.names(), ["CREATED"], "and nothing old");
    shop.later(Span::from_minutes(30 * DAY)).await;
    shop.token = shop.new_token().await;
    assert_eq!(shop.get(&path).await.status, 200, "it is healthy again");
}

#[tokio::test]
async fn one_success_begins_the_two_weeks_anew() {
    let mut shop = Shop::open().await;
    shop.register(URL).await;
    shop.receiver.status.store(500, Ordering::SeqCst);
    shop.create("order-12345").await;
    shop.later(Span::from_minutes(10 * DAY)).await;
    shop.receiver.status.store(202, Ordering::SeqCst);
    shop.token = shop.new_token().await;
    shop.create("order-23456").await;
    shop.deliver().await;
    shop.receiver.status.store(500, Ordering::SeqCst);
    shop.create("order-34567").await;
    shop.later(Span::from_minutes(13 * DAY)).await;
    shop.token = shop.new_token().await;
    let listed = shop.get(HOOKS).await.json();
    assert_eq!(listed["webhooks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_registration_that_is_made_twice_is_told_so_and_both_are_sent_to() {
    let shop = Shop::open().await;
    let ask = |url: &str, event: &str| json!({"url": url, "events": [event]});
    let register = |body: Value| {
        let shop = &shop;
        async move { shop.post(HOOKS, "1", &body).await }
    };
    let captured = "epayments.payment.captured.v1";
    let created = "epayments.payment.created.v1";
    let warning = |answer: &crate::shop::Answer| {
        let header = answer.headers.get("florin-warning");
        header.map(|text| text.to_str().unwrap().to_owned())
    };
    let first = register(ask(URL, created)).await;
    assert_eq!((first.status, warning(&first)), (201, None));
    let other_event = register(ask(URL, captured)).await;
    assert_eq!(warning(&other_event), None);
    let elsewhere = register(ask("http://127.0.0.1:9/other", created)).await;
    assert_eq!(warning(&elsewhere), None);
    let again = register(ask(URL, created)).await;
    let keys: Vec<String> = again.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["id", "secret"], "the body is as published");
    assert!(warning(&again).unwrap().starts_with("another webhook"));
    let third = register(ask(URL, created)).await;
    assert!(warning(&third).unwrap().starts_with("2 other webhooks"));
    let page = shop.send("GET", "/sandbox/endpoints", &[], "").await;
    assert!(page.body.contains("2 other endpoints at this address"));
    shop.create("order-12345").await;
    shop.deliver().await;
    assert_eq!(shop.receiver.names(), ["CREATED"; 4], "each on its own");
}

#[tokio::test]
async fn a_label_is_kept_shown_and_not_in_the_published_answers() {
    let shop = Shop::open().await;
    let event = "epayments.payment.captured.v1";
    let body = json!({"url": URL, "events": [event], "label": "Till <2>"});
    let made = shop.post(HOOKS, "1", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let listed = shop.get(HOOKS).await.json();
    let keys: Vec<&String> = listed["webhooks"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "url", "events"]);
    let page = shop.send("GET", "/sandbox/endpoints", &[], "").await;
    assert!(page.body.contains("Till &#60;2&#62;"), "{}", page.body);
    let long = json!({"url": URL, "events": [event], "label": "x".repeat(101)});
    let refused = shop.post(HOOKS, "1", &long).await;
    assert_eq!(refused.json()["extraDetails"][0]["name"], "label");
}

#[tokio::test]
async fn a_check_in_has_one_registration_also_beside_other_events() {
    let shop = Shop::open().await;
    let ask = |events: &[&str]| json!({"url": "https://example.com/h", "events": events});
    let register = |events: &'static [&'static str]| {
        let (shop, body) = (&shop, ask(events));
        async move { shop.post(HOOKS, "1", &body).await.status }
    };
    let both: &[&str] = &["epayments.payment.captured.v1", "user.checked-in.v1"];
    assert_eq!(register(both).await, 201);
    assert_eq!(register(both).await, 400);
    assert_eq!(register(&["user.checked-in.v1"]).await, 400);
    assert_eq!(register(&["epayments.payment.captured.v1"]).await, 201);
}

#[tokio::test]
async fn every_event_has_its_own_places_and_a_number_that_was_set_counts() {
    let vipps = dialects::vipps::Options {
        registrations_max: 26,
        ..dialects::vipps::Options::default()
    };
    let shop = Shop::set_up(crate::shop::Setup {
        vipps,
        ..crate::shop::Setup::default()
    })
    .await;
    let register = |event: &'static str| {
        let body = json!({"url": "https://example.com/h", "events": [event]});
        let shop = &shop;
        async move { shop.post(HOOKS, "1", &body).await }
    };
    for event in [
        "epayments.payment.created.v1",
        "epayments.payment.aborted.v1",
        "epayments.payment.expired.v1",
        "recurring.charge-failed.v1",
        "donations.donation-made.v1",
    ] {
        for number in 0..26 {
            let answer = register(event).await;
            assert_eq!(answer.status, 201, "{event} {number}: {answer:?}");
        }
        let full = register(event).await;
        assert_eq!(full.status, 400);
        let reason = full.json()["extraDetails"][0]["reason"].clone();
        let wanted = format!("The event {event} has at most 26 registrations. Delete one first.");
        assert_eq!(reason, wanted);
    }
    let listed = shop.get(HOOKS).await.json();
    assert_eq!(listed["webhooks"].as_array().unwrap().len(), 5 * 26);
}

#[tokio::test]
async fn a_removal_is_taken_back_where_there_is_room() {
    let shop = Shop::open().await;
    let ask = json!({"url": URL, "events": ["user.checked-in.v1"]});
    let first = shop.post(HOOKS, "1", &ask).await.json();
    let id = endpoint(&shop, &first).await;
    let path = format!("{HOOKS}/{}", first["id"].as_str().unwrap());
    let removed = shop.with_headers("DELETE", &path, &[], "").await;
    assert_eq!(removed.status, 204);
    let second = shop.post(HOOKS, "1", &ask).await.json();
    let caller = shop.app.demo.as_ref().unwrap().caller.clone();
    let who = Who {
        caller: &caller,
        actor: "operator",
    };
    let refused = endpoints::restore(&shop.app, &who, &id).await.unwrap_err();
    let full = domain::Refusal::TooManyEndpoints(1, Some("user.checked-in.v1".to_owned()));
    assert_eq!(refused, store::Failure::Refused(full));
    let path = format!("{HOOKS}/{}", second["id"].as_str().unwrap());
    shop.with_headers("DELETE", &path, &[], "").await;
    endpoints::restore(&shop.app, &who, &id).await.unwrap();
}

/// Who is told what when a secret is replaced: does the main signature fit the old secret, the new
/// one, and the other header the new one?
fn signed_by(sending: &gateway::outbound::Sending, old: &str, new: &str) -> [bool; 3] {
    let header = |name: &str| {
        let found = sending.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    };
    let (host, path_and_query) = dialects::vipps::webhooks::authority(&sending.url);
    let date = header("x-ms-date").unwrap();
    let request = dialects::sign::VippsRequest {
        method: "POST",
        path_and_query: &path_and_query,
        date: &date,
        host: &host,
        body: sending.body.as_bytes(),
    };
    let by = |secret: &str| {
        let secret = domain::Secret::new(secret.to_owned());
        Some(dialects::sign::vipps_signature(&request, &secret).authorization)
    };
    assert_eq!(header("authorization"), header("x-vipps-authorization"));
    [
        header("authorization") == by(old),
        header("authorization") == by(new),
        header("florin-next-authorization") == by(new),
    ]
}

#[tokio::test]
async fn while_a_secret_is_replaced_the_old_one_signs_and_the_new_one_beside_it() {
    let shop = Shop::open().await;
    let registered = shop.register(URL).await;
    let id = endpoint(&shop, &registered).await;
    let caller = shop.app.demo.as_ref().unwrap().caller.clone();
    let who = Who {
        caller: &caller,
        actor: "operator",
    };
    let rotate = |overlap| endpoints::rotate(&shop.app, &who, &id, overlap);
    let sent = async |reference: &str| {
        shop.receiver.got.lock().unwrap().clear();
        shop.create(reference).await;
        shop.deliver().await;
        shop.receiver.got.lock().unwrap()[0].clone()
    };
    let old = registered["secret"].as_str().unwrap();
    let rotated = rotate(domain::limits::ROTATION).await.unwrap();
    assert!(!rotated.both_sign);
    let new = rotated.secret.expose();
    assert_eq!(
        signed_by(&sent("order-00001").await, old, new),
        [true, false, true]
    );
    shop.clock.advance(Span::from_minutes(DAY - 1));
    let mut shop = shop;
    shop.token = shop.new_token().await;
    let sent = async |shop: &Shop, reference: &str| {
        shop.receiver.got.lock().unwrap().clear();
        shop.create(reference).await;
        shop.deliver().await;
        shop.receiver.got.lock().unwrap()[0].clone()
    };
    assert_eq!(
        signed_by(&sent(&shop, "order-00002").await, old, new),
        [true, false, true]
    );
    shop.clock.advance(Span::from_minutes(1));
    assert_eq!(
        signed_by(&sent(&shop, "order-00003").await, old, new),
        [false, true, false]
    );
    // Somebody else knows it: the old one ends at once.
    let now = Span::from_millis(0);
    let rotated = endpoints::rotate(&shop.app, &who, &id, now).await.unwrap();
    let newest = rotated.secret.expose();
    assert_eq!(
        signed_by(&sent(&shop, "order-00004").await, new, newest),
        [false, true, false]
    );
}

#[tokio::test]
async fn both_numbers_of_a_payment_stand_side_by_side() {
    let shop = Shop::open().await;
    shop.register(URL).await;
    shop.approved("order-12345").await;
    shop.modify("order-12345", "capture", "1", 100).await;
    shop.deliver().await;
    let in_answers = shop.show("order-12345").await["pspReference"].clone();
    let path = "/sandbox/webhooks?payment=order-12345";
    let listed = shop
        .send("GET", path, &shop.client_headers(), "")
        .await
        .json();
    let deliveries = listed["deliveries"].as_array().unwrap().clone();
    assert_eq!(deliveries.len(), 3);
    let page = shop.send("GET", "/sandbox/deliveries", &[], "").await.body;
    for delivery in deliveries {
        let sent = delivery["attempts"][0]["request"]["body"].as_str().unwrap();
        let sent: Value = serde_json::from_str(sent).unwrap();
        let names = &delivery["psp_references"];
        assert_eq!(names["payment"], in_answers);
        assert_eq!(names["event"], sent["pspReference"]);
        assert_eq!(
            names["payment"] == names["event"],
            sent["name"] == "CREATED"
        );
        let both = format!(
            "Reference order-12345. pspReference: {} in API answers, {} in this webhook.",
            in_answers.as_str().unwrap(),
            sent["pspReference"].as_str().unwrap()
        );
        assert!(page.contains(&both), "{both}: {page}");
    }
}

#[tokio::test]
async fn rules_of_addresses_and_their_exceptions_in_the_sandbox() {
    let shop = Shop::open().await;
    let event = "epayments.payment.captured.v1";
    let register = |url: &'static str| {
        let (shop, body) = (&shop, json!({"url": url, "events": [event]}));
        async move { shop.post(HOOKS, "1", &body).await }
    };
    for url in [
        "http://localhost:3000/hook",
        "http://127.0.0.1/hook",
        "https://example.com:8443/hook?a=b%20c",
    ] {
        assert_eq!(register(url).await.status, 201, "{url}");
    }
    for url in [
        "",
        "example.com/hook",
        "/hook",
        "ftp://example.com/hook",
        "https://",
        "https://user:pass@example.com/hook",
    ] {
        let answer = register(url).await;
        assert_eq!(answer.status, 400, "{url}");
        let body = answer.json();
        assert_eq!(body["extraDetails"][0]["name"], "url", "{url}: {body}");
        assert_eq!(body["instance"], "/v1/webhooks");
    }
    assert_eq!(shop.get(PAYMENTS).await.status, 405);
}
