//! What people do about deliveries: once more, all of a time range, skip; and why one waits.

use domain::{Caller, DeliveryId, EndpointId, Merchant, Mode, Refusal, Span};
use gateway::operations::deliveries::{self, Standing};
use gateway::operations::merchants;
use gateway::schemes::Scheme;
use gateway::workers;
use store::Failure;
use store::tables::deliveries::{Range, why};

use crate::lab::Lab;
use crate::{Line, audited, lab_with, put_one, register, send, state, who};

async fn standing(lab: &Lab, id: &DeliveryId) -> Standing {
    let shown = deliveries::show(&lab.app, &lab.caller, id).await;
    shown.unwrap().1
}

#[tokio::test]
async fn a_delivery_says_why_it_is_where_it_is() {
    let (lab, receiver) = lab_with(500).await;
    let endpoint = register(
        &lab,
        Scheme::Dialect(crate::lab::HITPAY),
        "https://a.example/",
        &["x"],
    );
    let endpoint = endpoint.await;
    let line = Line::to(&endpoint, Scheme::Dialect(crate::lab::HITPAY), "A");
    let first = put_one(&lab, &line, "A1").await;
    let second = put_one(&lab, &line, "A2").await;
    assert_eq!(standing(&lab, &first).await, Standing::Due(lab.clock.now()));
    send(&lab).await;
    let due = lab.clock.now().plus(Span::from_minutes(1));
    assert_eq!(standing(&lab, &first).await, Standing::Due(due));
    assert_eq!(
        standing(&lab, &second).await,
        Standing::Behind(first.clone())
    );
    deliveries::skip(&lab.app, &who(&lab), &first)
        .await
        .unwrap();
    let skipped = Standing::GivenUp(why::SKIPPED.to_owned());
    assert_eq!(standing(&lab, &first).await, skipped);
    receiver.answers(200);
    send(&lab).await;
    assert_eq!(standing(&lab, &second).await, Standing::Delivered);
    let done = [("tester".to_owned(), "delivery.skipped".to_owned())];
    assert_eq!(audited(&lab, first.as_str()).await, done);
    let again = deliveries::skip(&lab.app, &who(&lab), &second).await;
    let wrong = Failure::Refused(Refusal::WrongState("delivered".to_owned()));
    assert_eq!(again, Err(wrong));
    assert_eq!(state(&lab, &second).await.0, "delivered");
}

#[tokio::test]
async fn a_resend_sends_the_same_bytes_and_leaves_the_schedule_alone() {
    let (lab, receiver) = lab_with(500).await;
    let scheme = Scheme::Dialect(crate::lab::HITPAY);
    let endpoint = register(&lab, scheme, "https://a.example/", &["x"]).await;
    let id = put_one(&lab, &Line::to(&endpoint, scheme, "A"), "A1").await;
    send(&lab).await;
    let due = lab.clock.now().plus(Span::from_minutes(1));
    for _ in 0..3 {
        lab.clock.advance(Span::from_seconds(5));
        deliveries::resend(&lab.app, &who(&lab), &id).await.unwrap();
        assert_eq!(send(&lab).await, 1);
        assert_eq!(standing(&lab, &id).await, Standing::Due(due));
    }
    lab.clock.advance(Span::from_minutes(400));
    let mut planned = send(&lab).await;
    while standing(&lab, &id).await != Standing::GivenUp(why::GAVE_UP.to_owned()) {
        lab.clock.advance(Span::from_minutes(400));
        planned += send(&lab).await;
    }
    assert_eq!(planned, 5, "those by hand took none of the schedule's");
    let got = receiver.take();
    assert!(got.iter().all(|body| *body == got[0]) && got.len() == 9);
    let (seen, _) = deliveries::show(&lab.app, &lab.caller, &id).await.unwrap();
    let numbers: Vec<u32> = seen.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (1..=9).collect::<Vec<_>>());
    let resent = ("tester".to_owned(), "delivery.resent".to_owned());
    assert_eq!(audited(&lab, id.as_str()).await, vec![resent; 3]);
}

async fn resend_range(
    lab: &Lab,
    endpoint: &EndpointId,
    (from, until): (u64, u64),
    delivered_too: bool,
) -> Result<u64, Failure> {
    let begin = domain::Timestamp::from_millis(1_795_000_000_000);
    let range = Range {
        endpoint: endpoint.clone(),
        from: begin.plus(Span::from_minutes(from)),
        until: begin.plus(Span::from_minutes(until)),
        delivered_too,
    };
    deliveries::resend_range(&lab.app, &who(lab), range).await
}

#[tokio::test]
async fn a_time_range_goes_out_again() {
    let (lab, receiver) = lab_with(200).await;
    let endpoint = register(&lab, Scheme::Standard, "https://a.example/", &["x"]).await;
    let other = register(&lab, Scheme::Standard, "https://b.example/", &["x"]).await;
    for number in 0..6 {
        let body = format!("n{number};");
        receiver.answers_to(&body, if number % 2 == 0 { 410 } else { 200 });
        put_one(&lab, &Line::to(&endpoint, Scheme::Standard, "S"), &body).await;
        put_one(&lab, &Line::to(&other, Scheme::Standard, &body), "other").await;
        send(&lab).await;
        // The 410 paused it.
        let id = &endpoint.head.id;
        gateway::operations::endpoints::resume(&lab.app, &who(&lab), id)
            .await
            .unwrap();
        lab.clock.advance(Span::from_minutes(10));
    }
    for number in 0..6 {
        receiver.answers_to(&format!("n{number};"), 200);
    }
    receiver.take();
    let id = &endpoint.head.id;
    // All are about one payment: one at a time, as things happened.
    let sent = async || {
        while let one @ 1.. = workers::webhooks::tick(&lab.app).await.unwrap() {
            assert_eq!(one, 1, "never two of a payment at once");
        }
        receiver.take()
    };
    assert_eq!(resend_range(&lab, id, (60, 90), true).await, Ok(0));
    assert_eq!(sent().await, Vec::<String>::new());
    assert_eq!(resend_range(&lab, id, (20, 60), false).await, Ok(2));
    assert_eq!(
        sent().await,
        ["n2;", "n4;"],
        "what failed, from twenty to sixty"
    );
    assert_eq!(resend_range(&lab, id, (0, 30), true).await, Ok(3));
    assert_eq!(sent().await, ["n0;", "n1;", "n2;"]);
    assert_eq!(
        resend_range(&lab, id, (0, 90), false).await,
        Ok(0),
        "nothing failed is left"
    );
    let last = audited(&lab, id.as_str()).await.pop();
    assert_eq!(
        last,
        Some(("tester".to_owned(), "endpoint.resent".to_owned()))
    );
}

#[tokio::test]
async fn nobody_touches_what_belongs_to_others() {
    let (lab, _) = lab_with(500).await;
    let endpoint = register(&lab, Scheme::Standard, "https://a.example/", &["x"]).await;
    let id = put_one(&lab, &Line::to(&endpoint, Scheme::Standard, "A"), "A1").await;
    let currency = lab.caller.merchant.currency;
    let stranger: Merchant = merchants::add(&lab.app, "Stranger", currency, Mode::Test)
        .await
        .unwrap();
    let strangers = [
        Caller {
            merchant: stranger,
            mode: Mode::Test,
        },
        Caller {
            merchant: lab.caller.merchant.clone(),
            mode: Mode::Live,
        },
    ];
    for caller in &strangers {
        let who = gateway::operations::endpoints::Who {
            caller,
            actor: "stranger",
        };
        for refused in [
            deliveries::resend(&lab.app, &who, &id).await,
            deliveries::skip(&lab.app, &who, &id).await,
            deliveries::show(&lab.app, caller, &id).await.map(|_| ()),
        ] {
            let missing = Refusal::NotFound(domain::Object::Delivery, id.to_string());
            assert_eq!(refused, Err(Failure::Refused(missing)));
        }
    }
    assert_eq!(audited(&lab, id.as_str()).await, []);
    assert_eq!(state(&lab, &id).await.0, "pending");
}
