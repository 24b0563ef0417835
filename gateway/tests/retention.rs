//! What is removed when, on a manual clock.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod lab;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use domain::{Span, Timestamp};
use gateway::operations::payments;
use gateway::outbound::{Received, Sending};
use gateway::workers::{self, retention};
use lab::Lab;
use store::tables::{deliveries, events, idempotency};

const DAY: Span = Span::from_minutes(24 * 60);

fn days(count: u64) -> Span {
    Span::from_minutes(count * 24 * 60)
}

/// A gateway whose receiver answers with a status that can change.
async fn lab_with(status: Arc<AtomicU16>) -> Lab {
    Lab::with(Arc::new(move |_: &Sending| {
        Ok(Received {
            status: status.load(Ordering::SeqCst),
            headers: Vec::new(),
            body: String::new(),
        })
    }))
    .await
}

/// A paid bill, whose webhooks are written; our id of it.
async fn paid(lab: &Lab, once: &str) -> String {
    let wire = lab.bill(false, None).await;
    let pay = lab::form("4242424242424242", once);
    payments::pay(&lab.app, lab::HITPAY, &wire, pay)
        .await
        .unwrap();
    let found = lab.app.store.read("bill", move |tx| {
        Ok(store::tables::bills::by_wire(tx, "hitpay", &wire)?)
    });
    found.await.unwrap().unwrap().head.id.to_string()
}

/// Sends what is due, over and over, and removes what is kept no longer.
async fn work(lab: &Lab) {
    while workers::webhooks::tick(&lab.app).await.unwrap() > 0 {}
    for _ in 0..5 {
        workers::tick(&lab.app).await.unwrap();
    }
}

/// States of the deliveries about a bill, how many attempts are stored, how many events.
async fn left(lab: &Lab, bill: &str) -> (Vec<String>, usize, usize) {
    let bill = bill.to_owned();
    let read = lab.app.store.read("left", move |tx| {
        let all = deliveries::about(tx, &bill, 100)?;
        let mut attempts = 0;
        for delivery in &all {
            attempts += deliveries::attempts(tx, &delivery.new.id)?.len();
        }
        let events = events::about(tx, &bill, 100)?.len();
        Ok((all.into_iter().map(|d| d.state).collect(), attempts, events))
    });
    read.await.unwrap()
}

fn states(of: &[&str]) -> Vec<String> {
    of.iter().map(|state| (*state).to_owned()).collect()
}

#[tokio::test]
async fn old_webhooks_go_with_their_attempts_and_nothing_else_does() {
    let lab = lab_with(Arc::new(AtomicU16::new(200))).await;
    let old = paid(&lab, "1").await;
    work(&lab).await;
    let events = left(&lab, &old).await.2;
    lab.clock.advance(days(60));
    let young = paid(&lab, "2").await;
    work(&lab).await;
    lab.clock.advance(days(30));
    work(&lab).await;
    assert_eq!(
        left(&lab, &old).await.0,
        states(&["delivered"]),
        "to the day"
    );
    lab.clock.advance(DAY);
    work(&lab).await;
    assert_eq!(left(&lab, &old).await, (vec![], 0, events));
    assert_eq!(left(&lab, &young).await.0, states(&["delivered"]));
    lab.ledger_is_whole().await;
}

#[tokio::test]
async fn what_waits_or_was_tried_lately_stays() {
    let status = Arc::new(AtomicU16::new(500));
    let lab = lab_with(Arc::clone(&status)).await;
    let bill = paid(&lab, "1").await;
    work(&lab).await;
    // Nobody sends meanwhile: it waits for longer than anything is kept.
    lab.clock.advance(days(100));
    retention::tick(&lab.app).await.unwrap();
    let (now, attempts, _) = left(&lab, &bill).await;
    assert_eq!((now, attempts), (states(&["pending"]), 1));
    status.store(200, Ordering::SeqCst);
    work(&lab).await;
    assert_eq!(left(&lab, &bill).await.0, states(&["delivered"]));
    // It is old, but what became of it is not.
    lab.clock.advance(days(80));
    work(&lab).await;
    assert_eq!(left(&lab, &bill).await.1, 2);
    lab.clock.advance(days(11));
    work(&lab).await;
    assert_eq!(left(&lab, &bill).await.1, 0);
}

#[tokio::test]
async fn each_day_takes_the_webhooks_of_one_day() {
    let lab = lab_with(Arc::new(AtomicU16::new(200))).await;
    let mut bills = Vec::new();
    for number in 0..30 {
        bills.push(paid(&lab, &number.to_string()).await);
        work(&lab).await;
        lab.clock.advance(DAY);
    }
    // The first one is thirty days old.
    lab.clock.advance(days(60));
    for day in 0..30 {
        let mut gone = 0;
        for bill in &bills {
            gone += usize::from(left(&lab, bill).await.0.is_empty());
        }
        assert_eq!(gone, day);
        lab.clock.advance(DAY);
        work(&lab).await;
    }
}

#[tokio::test]
async fn times_are_the_operators_to_choose() {
    let mut lab = lab_with(Arc::new(AtomicU16::new(200))).await;
    let kept = |deliveries: Option<Span>, keys: Option<Span>| retention::Kept { deliveries, keys };
    let change = |lab: &mut Lab, kept| Arc::get_mut(&mut lab.app).unwrap().kept = kept;
    change(&mut lab, kept(None, None));
    let bill = paid(&lab, "1").await;
    work(&lab).await;
    remember(&lab, "key", lab.clock.now()).await;
    lab.clock.advance(days(5_000));
    work(&lab).await;
    assert_eq!(left(&lab, &bill).await.0, states(&["delivered"]));
    assert!(remembers(&lab, "key").await);
    change(&mut lab, kept(Some(days(4_000)), Some(days(6_000))));
    lab.clock.advance(DAY);
    work(&lab).await;
    assert!(left(&lab, &bill).await.0.is_empty());
    assert!(remembers(&lab, "key").await);
    change(&mut lab, kept(None, Some(DAY)));
    work(&lab).await;
    assert!(!remembers(&lab, "key").await);
}

#[tokio::test]
async fn many_old_keys_go_in_few_ticks() {
    let lab = lab_with(Arc::new(AtomicU16::new(200))).await;
    let now = lab.clock.now();
    for number in 0..1_200 {
        remember(&lab, &format!("k{number}"), now).await;
    }
    lab.clock.advance(days(30));
    retention::tick(&lab.app).await.unwrap();
    assert!(remembers(&lab, "k0").await, "to the millisecond");
    lab.clock.advance(Span::from_millis(1));
    remember(&lab, "young", lab.clock.now()).await;
    retention::tick(&lab.app).await.unwrap();
    assert!(!remembers(&lab, "k0").await && !remembers(&lab, "k1199").await);
    assert!(remembers(&lab, "young").await);
}

async fn remember(lab: &Lab, scope: &str, at: Timestamp) {
    let scope = scope.to_owned();
    let put = lab.app.store.write("remember", move |tx| {
        let remembered = idempotency::Remembered {
            fingerprint: "f".to_owned(),
            outcome: "{}".to_owned(),
        };
        Ok(idempotency::insert(tx, &scope, &remembered, at)?)
    });
    put.await.unwrap();
}

async fn remembers(lab: &Lab, scope: &str) -> bool {
    let scope = scope.to_owned();
    let find = lab.app.store.read("find", move |tx| {
        Ok(idempotency::find(tx, &scope)?.is_some())
    });
    find.await.unwrap()
}
