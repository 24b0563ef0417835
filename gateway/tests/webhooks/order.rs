//! Order within a line, independence between lines, each attempt signed by the secret of its time.

use domain::{Span, WireId};
use gateway::operations::{endpoints, payments};
use gateway::schemes::Scheme;

use crate::lab::{HITPAY, form};
use crate::{Line, lab_with, put_one, register, send, state, who};

#[tokio::test]
async fn a_failure_holds_up_its_own_line_only() {
    let (lab, receiver) = lab_with(200).await;
    let endpoint = register(&lab, Scheme::Standard, "https://shop.example/", &["x"]).await;
    let other = register(&lab, Scheme::Standard, "https://stock.example/", &["x"]).await;
    let of = |subject| Line::to(&endpoint, Scheme::Standard, subject);
    receiver.answers_to("A1", 500);
    for (subject, body) in [
        ("A", "A1"),
        ("A", "A2"),
        ("B", "B1"),
        ("A", "A3"),
        ("B", "B2"),
    ] {
        put_one(&lab, &of(subject), body).await;
    }
    put_one(&lab, &Line::to(&other, Scheme::Standard, "A"), "other A").await;
    send(&lab).await;
    let mut first = receiver.take();
    first.sort();
    assert_eq!(first, ["A1", "B1", "B2", "other A"]);
    lab.clock.advance(Span::from_seconds(6));
    send(&lab).await;
    assert_eq!(receiver.take(), ["A1"], "the line still waits");
    receiver.answers_to("A1", 204);
    lab.clock.advance(Span::from_minutes(10));
    send(&lab).await;
    assert_eq!(receiver.take(), ["A1", "A2", "A3"], "in order");
}

#[tokio::test]
async fn a_line_goes_on_behind_one_that_is_given_up() {
    let (lab, receiver) = lab_with(200).await;
    let endpoint = register(&lab, Scheme::Standard, "https://shop.example/", &["x"]).await;
    let line = Line::to(&endpoint, Scheme::Standard, "A");
    receiver.answers_to("first", 500);
    let first = put_one(&lab, &line, "first").await;
    let second = put_one(&lab, &line, "second").await;
    for _ in 0..10 {
        send(&lab).await;
        lab.clock.advance(Span::from_minutes(24 * 60 / 2));
    }
    send(&lab).await;
    assert_eq!(state(&lab, &first).await.0, "failed");
    assert_eq!(state(&lab, &second).await.0, "delivered");
    assert_eq!(receiver.take().last().map(String::as_str), Some("second"));
}

/// What really happens to a payment is told in the order in which it happened.
#[tokio::test]
async fn the_story_of_a_payment_is_told_in_order_with_failures_in_between() {
    let (lab, receiver) = lab_with(500).await;
    register(
        &lab,
        Scheme::Standard,
        "https://shop.example/",
        &["bill.*", "payment.*"],
    )
    .await;
    let id: WireId = lab.bill(false, None).await;
    payments::pay(&lab.app, HITPAY, &id, form("4000000000000002", "declined"))
        .await
        .unwrap();
    payments::pay(&lab.app, HITPAY, &id, form("4242424242424242", "paid"))
        .await
        .unwrap();
    send(&lab).await;
    for status in [0, 503, 200] {
        receiver.answers(status);
        lab.clock.advance(Span::from_minutes(60));
        send(&lab).await;
    }
    let told = |body: &String| {
        let json: serde_json::Value = serde_json::from_str(body).ok()?;
        json["type"].as_str().map(str::to_owned)
    };
    let mut kinds: Vec<String> = receiver.take().iter().filter_map(told).collect();
    kinds.dedup();
    let place = |kind: &str| {
        let place = kinds.iter().position(|known| known == kind);
        place.unwrap_or_else(|| panic!("{kind}: {kinds:?}"))
    };
    assert_eq!(place("bill.created"), 0);
    assert!(
        place("payment.ended") < place("payment.captured"),
        "{kinds:?}"
    );
    assert!(kinds.contains(&"bill.paid".to_owned()), "{kinds:?}");
}

#[tokio::test]
async fn each_attempt_is_signed_by_the_secrets_of_its_time() {
    let (lab, receiver) = lab_with(500).await;
    let endpoint = register(&lab, Scheme::Standard, "https://shop.example/", &["x"]).await;
    put_one(&lab, &Line::to(&endpoint, Scheme::Standard, "A"), "A1").await;
    send(&lab).await;
    endpoints::rotate(
        &lab.app,
        &who(&lab),
        &endpoint.head.id,
        domain::limits::ROTATION,
    )
    .await
    .unwrap();
    lab.clock.advance(Span::from_seconds(6));
    send(&lab).await;
    lab.clock.advance(domain::limits::ROTATION);
    send(&lab).await;
    let got = receiver.got.lock().unwrap();
    let signatures: Vec<Vec<&str>> = got
        .iter()
        .map(|sent| {
            let header = sent
                .headers
                .iter()
                .find(|(name, _)| name == "webhook-signature");
            header.unwrap().1.split(' ').collect()
        })
        .collect();
    let counts: Vec<usize> = signatures.iter().map(Vec::len).collect();
    assert_eq!(
        counts[..3],
        [1, 2, 1],
        "the old secret beside the new one for a day"
    );
}
