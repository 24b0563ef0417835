//! Endpoints of Standard Webhooks, from registering to what arrives: real operations, the real
//! worker, a manual clock.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod lab;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use dialects::verify::{Delivery, Scheme as Wire, verify};
use domain::{Endpoint, EndpointAsk, EndpointState, Secret, Span, Timestamp, Topics};
use gateway::operations::endpoints::{self, Who};
use gateway::operations::payments;
use gateway::outbound::{Received, Sending};
use gateway::schemes::Scheme;
use gateway::workers;
use lab::{HITPAY, Lab, form};
use serde_json::Value;

const HOOK: &str = "https://shop.example/florin";

/// A receiver that answers with one status, may ask for patience, and keeps what it got.
#[derive(Default)]
struct Receiver {
    status: AtomicU16,
    wait: Mutex<Option<String>>,
    got: Mutex<Vec<Sending>>,
}

impl Receiver {
    /// What came to the endpoint since the last look.
    fn take(&self) -> Vec<Sending> {
        let mut got = std::mem::take(&mut *self.got.lock().unwrap());
        got.retain(|sending| sending.url == HOOK);
        got
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

async fn lab() -> (Lab, Arc<Receiver>) {
    let receiver = Arc::new(Receiver::default());
    receiver.answers(200);
    let ours = Arc::clone(&receiver);
    let lab = Lab::with(Arc::new(move |sending: &Sending| {
        ours.got.lock().unwrap().push(sending.clone());
        let wait = ours.wait.lock().unwrap().clone();
        Ok(Received {
            status: ours.status.load(Ordering::SeqCst),
            headers: wait
                .map(|wait| ("retry-after".to_owned(), wait))
                .into_iter()
                .collect(),
            body: String::new(),
        })
    }));
    (lab.await, receiver)
}

fn who(lab: &Lab) -> Who<'_> {
    Who {
        caller: &lab.caller,
        actor: "operator",
    }
}

async fn register(lab: &Lab, topics: Topics) -> (Endpoint, Secret) {
    let ask = EndpointAsk {
        url: HOOK.to_owned(),
        topics,
        label: None,
        per_topic_max: None,
        extras: serde_json::Map::new(),
    };
    let view = endpoints::register(&lab.app, Scheme::Standard, &who(lab), ask)
        .await
        .unwrap();
    (view.endpoint, view.secret.unwrap())
}

async fn pay(lab: &Lab) {
    let id = lab.bill(false, None).await;
    payments::pay(&lab.app, HITPAY, &id, form("4242424242424242", "once"))
        .await
        .unwrap();
}

async fn send(lab: &Lab) {
    while workers::webhooks::tick(&lab.app).await.unwrap() > 0 {}
}

fn genuine(sent: &Sending, secret: &Secret, now: Timestamp) -> bool {
    let delivery = Delivery {
        headers: sent.headers.clone(),
        body: sent.body.clone().into_bytes(),
        ..Delivery::default()
    };
    let verdict = verify(Wire::Standard, &delivery, secret, Some(now));
    verdict.valid && verdict.warnings.is_empty()
}

fn header<'a>(sent: &'a Sending, name: &str) -> &'a str {
    let found = sent.headers.iter().find(|(known, _)| known == name);
    &found.unwrap_or_else(|| panic!("{name}: {sent:?}")).1
}

fn body(sent: &Sending) -> Value {
    serde_json::from_str(&sent.body).unwrap()
}

#[tokio::test]
async fn an_endpoint_hears_of_a_payment_whatever_dialect_it_came_through() {
    let (lab, receiver) = lab().await;
    let (endpoint, secret) = register(&lab, Topics::All).await;
    assert!(secret.expose().starts_with("whsec_"));
    assert_eq!(endpoint.head.scheme, "standard");
    pay(&lab).await;
    send(&lab).await;
    let got = receiver.take();
    let kinds: Vec<String> = got
        .iter()
        .map(|sent| body(sent)["type"].to_string())
        .collect();
    assert_eq!(
        kinds.first().map(String::as_str),
        Some("\"bill.created\""),
        "{kinds:?}"
    );
    for kind in ["\"payment.captured\"", "\"bill.paid\""] {
        assert_eq!(
            kinds.iter().filter(|one| *one == kind).count(),
            1,
            "{kinds:?}"
        );
    }
    let ids: BTreeSet<&str> = got.iter().map(|sent| header(sent, "webhook-id")).collect();
    assert_eq!(ids.len(), got.len(), "one id per delivery");
    for sent in &got {
        assert!(genuine(sent, &secret, lab.clock.now()), "{sent:?}");
        assert_eq!(header(sent, "content-type"), "application/json");
        assert_eq!(header(sent, "user-agent"), "Florin-Webhooks/1.0");
        assert_eq!(body(sent)["data"]["dialect"], "hitpay");
        assert!(!sent.body.contains("4242424242424242"), "{}", sent.body);
    }
    let paid = got
        .iter()
        .map(body)
        .find(|json| json["type"] == "bill.paid")
        .unwrap();
    assert_eq!(paid["data"]["payment"]["captured"], 1_000);
    assert_eq!(paid["data"]["payment"]["instrument"]["last4"], "4242");
    assert_eq!(paid["data"]["bill"]["state"], "paid");
}

#[tokio::test]
async fn only_topics_that_are_wanted_arrive() {
    let (lab, receiver) = lab().await;
    register(&lab, Topics::Some(vec!["payment.*".to_owned()])).await;
    pay(&lab).await;
    send(&lab).await;
    let got = receiver.take();
    assert!(!got.is_empty());
    for sent in got {
        let kind = body(&sent)["type"].as_str().unwrap().to_owned();
        assert!(kind.starts_with("payment."), "{kind}");
    }
}

#[tokio::test]
async fn a_repeated_attempt_has_its_id_and_a_new_time() {
    let (lab, receiver) = lab().await;
    let wanted = vec!["bill.paid".to_owned()];
    let (_, secret) = register(&lab, Topics::Some(wanted)).await;
    receiver.answers(500);
    pay(&lab).await;
    send(&lab).await;
    let mut tries = receiver.take();
    assert_eq!(tries.len(), 1);
    let first = lab.clock.now();
    // A tenth of each wait may be added, so a little later than planned is late enough.
    for seconds in [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] {
        let due = first.plus(Span::from_seconds(seconds));
        let early = due.since(lab.clock.now()).millis().saturating_sub(1);
        lab.clock.advance(Span::from_millis(early));
        send(&lab).await;
        assert_eq!(receiver.take().len(), 0, "a moment before {seconds} s");
        lab.clock.advance(Span::from_millis(seconds * 100 + 1));
        send(&lab).await;
        let again = receiver.take();
        assert_eq!(again.len(), 1, "at {seconds} s");
        assert!(genuine(&again[0], &secret, lab.clock.now()));
        tries.extend(again);
    }
    assert_eq!(tries.len(), 10);
    lab.clock.advance(Span::from_minutes(100_000));
    send(&lab).await;
    assert_eq!(receiver.take().len(), 0, "ten attempts in all");
    let distinct = |name: &str| {
        let values = tries.iter().map(|sent| header(sent, name));
        values.collect::<BTreeSet<_>>().len()
    };
    assert_eq!(distinct("webhook-id"), 1);
    assert_eq!(distinct("webhook-timestamp"), 10);
    assert_eq!(distinct("webhook-signature"), 10);
    assert!(tries.iter().all(|sent| sent.body == tries[0].body));
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_verify_and_then_only_the_new_one() {
    let (lab, receiver) = lab().await;
    let (endpoint, old) = register(&lab, Topics::All).await;
    let new = endpoints::rotate(
        &lab.app,
        &who(&lab),
        &endpoint.head.id,
        domain::limits::ROTATION,
    )
    .await
    .unwrap()
    .secret;
    let judged = async |lab: &Lab| {
        endpoints::test(&lab.app, &who(lab), &endpoint.head.id)
            .await
            .unwrap();
        send(lab).await;
        let sent = receiver.take().remove(0);
        assert_eq!(body(&sent)["type"], "endpoint.tested");
        let now = lab.clock.now();
        (genuine(&sent, &new, now), genuine(&sent, &old, now))
    };
    assert_eq!(judged(&lab).await, (true, true));
    lab.clock.advance(domain::limits::ROTATION);
    assert_eq!(judged(&lab).await, (true, false));
}

#[tokio::test]
async fn an_endpoint_that_says_it_is_gone_is_asked_no_more() {
    let (lab, receiver) = lab().await;
    let wanted = vec!["bill.paid".to_owned()];
    let (endpoint, _) = register(&lab, Topics::Some(wanted)).await;
    receiver.answers(410);
    pay(&lab).await;
    send(&lab).await;
    assert_eq!(receiver.take().len(), 1);
    let shown = endpoints::show(&lab.app, &lab.caller, &endpoint.head.id);
    let shown = shown.await.unwrap();
    assert!(
        matches!(shown.state, EndpointState::Paused { .. }),
        "{shown:?}"
    );
    lab.clock.advance(Span::from_minutes(10_000));
    send(&lab).await;
    assert_eq!(receiver.take().len(), 0);
}

#[tokio::test]
async fn patience_that_is_asked_for_is_given() {
    let (lab, receiver) = lab().await;
    let wanted = vec!["bill.paid".to_owned()];
    register(&lab, Topics::Some(wanted)).await;
    receiver.answers(503);
    *receiver.wait.lock().unwrap() = Some("120".to_owned());
    pay(&lab).await;
    send(&lab).await;
    assert_eq!(receiver.take().len(), 1);
    lab.clock.advance(Span::from_seconds(119));
    send(&lab).await;
    assert_eq!(receiver.take().len(), 0);
    lab.clock.advance(Span::from_seconds(1));
    send(&lab).await;
    assert_eq!(receiver.take().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_paused_and_the_other_one_told() {
    let (lab, receiver) = lab().await;
    let (endpoint, _) = register(&lab, Topics::All).await;
    let ask = EndpointAsk {
        url: "https://shop.example/other".to_owned(),
        topics: Topics::Some(vec!["endpoint.*".to_owned()]),
        label: None,
        per_topic_max: None,
        extras: serde_json::Map::new(),
    };
    endpoints::register(&lab.app, Scheme::Standard, &who(&lab), ask)
        .await
        .unwrap();
    receiver.answers(500);
    let paused = async |lab: &Lab| {
        pay(lab).await;
        send(lab).await;
        let shown = endpoints::show(&lab.app, &lab.caller, &endpoint.head.id);
        matches!(shown.await.unwrap().state, EndpointState::Paused { .. })
    };
    for _ in 0..5 {
        assert!(!paused(&lab).await);
        lab.clock.advance(Span::from_minutes(24 * 60 - 1));
    }
    assert!(!paused(&lab).await, "five minutes short of five days");
    lab.clock.advance(Span::from_minutes(5));
    assert!(paused(&lab).await);
    // The other one hears of it in order, as soon as it answers.
    receiver.answers(200);
    lab.clock.advance(Span::from_minutes(24 * 60));
    send(&lab).await;
    let got = receiver.got.lock().unwrap().clone();
    let told: BTreeSet<String> = got
        .iter()
        .filter(|sent| sent.url.ends_with("/other"))
        .map(|sent| body(sent)["type"].to_string())
        .collect();
    for kind in ["\"endpoint.failing\"", "\"endpoint.paused\""] {
        assert!(told.contains(kind), "{told:?}");
    }
}
