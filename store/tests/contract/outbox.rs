use domain::delivery::Outcome;
use domain::{Bill, DeliveryId, Fact, Span, Timestamp};
use store::tables::deliveries::{self as outbox, Claim, Delivery, Filter, New, Try, why};
use store::tables::events;

use crate::lab::{Lab, at, event};

pub const QUEUE: &str = "a shop's host";

pub fn new(bill: &Bill, number: i64) -> New {
    let event = event(bill, Fact::BillPaid, number);
    New {
        id: DeliveryId::mint(&at(number, "delivery"), &number.to_string()),
        event: event.id.to_string(),
        merchant: bill.head.merchant.clone(),
        mode: bill.head.mode,
        scheme: "hitpay".to_owned(),
        about: bill.head.id.to_string(),
        queue: QUEUE.to_owned(),
        endpoint: None,
        target: "http://127.0.0.1/hook".to_owned(),
        subject: bill.head.wire.to_string(),
        topic: "payment_request.completed".to_owned(),
        content_type: "application/x-www-form-urlencoded".to_owned(),
        body: "a=b".to_owned(),
    }
}

pub fn put(lab: &Lab, bill: &Bill, number: i64) -> DeliveryId {
    let (delivery, event) = (new(bill, number), event(bill, Fact::BillPaid, number));
    let id = delivery.id.clone();
    lab.write(move |tx| {
        events::insert(tx, &event)?;
        Ok(outbox::insert(tx, &delivery, at(number, "").now)?)
    })
    .unwrap();
    id
}

pub fn claim(lab: &Lab, now: Timestamp, token: &'static str) -> Vec<Delivery> {
    let claim = Claim {
        queue: QUEUE,
        now,
        until: now.plus(Span::from_seconds(60)),
        token,
        limit: 10,
    };
    lab.write(move |tx| Ok(outbox::claim(tx, claim)?)).unwrap()
}

pub fn a_try(number: u32, at: Timestamp) -> Try {
    Try {
        number,
        at,
        took_ms: 5,
        status: Some(500),
        error: None,
        request_headers: "[]".to_owned(),
        request_body: "a=b&hmac=c".to_owned(),
        response_headers: "[]".to_owned(),
        response_body: "no".to_owned(),
    }
}

pub fn settle(lab: &Lab, id: &DeliveryId, token: &'static str, t: Try, outcome: Outcome) -> bool {
    let delivery = found(lab, id);
    lab.write(move |tx| Ok(outbox::settle(tx, &delivery, token, &t, outcome)?))
        .unwrap()
}

/// The queues with something due after so many seconds.
pub fn queues(lab: &Lab, after: i64) -> Vec<(String, Option<Timestamp>)> {
    let after = at(after, "").now;
    lab.read(move |tx| Ok(outbox::queues(tx, after, "", 10)?))
        .unwrap()
}

pub fn found(lab: &Lab, id: &DeliveryId) -> Delivery {
    let id = id.clone();
    lab.read(move |tx| Ok(outbox::by_id(tx, &id)?))
        .unwrap()
        .unwrap()
}

pub fn a_delivery_is_claimed_once(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let id = put(lab, &bill, 1);
    assert!(claim(lab, at(0, "").now, "early").is_empty());
    let now = at(10, "").now;
    assert_eq!(queues(lab, 0), [(QUEUE.to_owned(), Some(at(1, "").now))]);
    assert_eq!(queues(lab, 5), [(QUEUE.to_owned(), None)], "nothing later");
    let claimed = claim(lab, now, "one");
    assert_eq!(claimed.len(), 1);
    assert_eq!(
        (&claimed[0].new.id, claimed[0].new.body.as_str()),
        (&id, "a=b")
    );
    assert!(claim(lab, now, "two").is_empty(), "it is leased");
    let later = now.plus(Span::from_seconds(60));
    assert_eq!(claim(lab, later, "three").len(), 1, "the lease ran out");
}

pub fn attempts(lab: &Lab, id: &DeliveryId) -> Vec<Try> {
    let id = id.clone();
    lab.read(move |tx| Ok(outbox::attempts(tx, &id)?)).unwrap()
}

pub fn a_lost_lease_records_what_was_sent_and_decides_nothing(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let id = put(lab, &bill, 1);
    let now = at(10, "").now;
    claim(lab, now, "old");
    let again = now.plus(Span::from_seconds(60));
    claim(lab, again, "new");
    assert!(!settle(lab, &id, "old", a_try(1, now), Outcome::GivenUp));
    let after = found(lab, &id);
    assert_eq!(
        (after.state.as_str(), after.attempts, after.planned),
        ("pending", 1, 0)
    );
    assert!(after.leased, "it is another one's");
    assert!(settle(lab, &id, "new", a_try(1, again), Outcome::Delivered));
    let numbered = [a_try(1, now), a_try(2, again)];
    assert_eq!(attempts(lab, &id), numbered, "by when they were recorded");
    assert!(
        !settle(lab, &id, "new", a_try(3, again), Outcome::GivenUp),
        "a token is used once"
    );
    assert_eq!(found(lab, &id).state, "delivered", "nothing is undone");
}

pub fn what_was_taken_late_is_delivered(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let (first, second) = (put(lab, &bill, 1), put(lab, &bill, 2));
    let now = at(10, "").now;
    claim(lab, now, "old");
    let again = now.plus(Span::from_seconds(60));
    claim(lab, again, "new");
    assert!(!settle(
        lab,
        &first,
        "old",
        a_try(1, now),
        Outcome::Delivered
    ));
    assert_eq!(found(lab, &first).state, "delivered");
    assert!(found(lab, &second).next.is_some(), "its line goes on");
    let retry = Outcome::RetryAt(again.plus(Span::from_seconds(9)));
    assert!(!settle(lab, &first, "new", a_try(1, again), retry));
    let after = found(lab, &first);
    assert_eq!(
        (after.state.as_str(), after.next, after.attempts),
        ("delivered", None, 2)
    );
    let mut gone = after;
    gone.new.id = DeliveryId::mint(&at(1, "nobody"), "x");
    let attempt = a_try(1, now);
    let late = lab.write(move |tx| {
        Ok(outbox::settle(
            tx,
            &gone,
            "old",
            &attempt,
            Outcome::Delivered,
        )?)
    });
    assert_eq!(late, Ok(false), "a row that is gone is nobody's");
}

pub fn a_retry_waits_and_a_success_ends(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let id = put(lab, &bill, 1);
    let first = at(10, "").now;
    let second = first.plus(Span::from_minutes(1));
    claim(lab, first, "t1");
    assert!(settle(
        lab,
        &id,
        "t1",
        a_try(1, first),
        Outcome::RetryAt(second)
    ));
    let waiting = found(lab, &id);
    assert_eq!(
        (waiting.attempts, waiting.first, waiting.next),
        (1, Some(first), Some(second))
    );
    assert!(claim(lab, first.plus(Span::from_seconds(59)), "t2").is_empty());
    assert_eq!(claim(lab, second, "t3").len(), 1);
    assert!(settle(lab, &id, "t3", a_try(2, second), Outcome::GivenUp));
    let ended = found(lab, &id);
    assert_eq!(
        (ended.state.as_str(), ended.first, ended.next),
        ("failed", Some(first), None)
    );
    assert_eq!(ended.why.as_deref(), Some(why::GAVE_UP));
    assert_eq!(queues(lab, 0), []);
}

pub fn one_subject_and_target_stays_in_order(lab: &Lab) {
    let shop = lab.caller("Shop");
    let (bill, other) = (lab.bill(&shop, 1), lab.bill(&shop, 2));
    let (first, second) = (put(lab, &bill, 1), put(lab, &bill, 2));
    let third = put(lab, &other, 3);
    let now = at(100, "").now;
    let ids = |claimed: Vec<Delivery>| {
        claimed
            .into_iter()
            .map(|delivery| delivery.new.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(claim(lab, now, "t1")),
        [first.clone(), third],
        "the second one waits"
    );
    assert!(
        ids(claim(lab, now, "t2")).is_empty(),
        "also while the first is under way"
    );
    assert!(settle(lab, &first, "t1", a_try(1, now), Outcome::Delivered));
    assert_eq!(ids(claim(lab, now, "t3")), [second]);
    let id = bill.head.id;
    let newest = Filter {
        merchant: shop.merchant.id,
        mode: shop.mode,
        endpoint: None,
        state: None,
        before: None,
        limit: 10,
    };
    let (of_bill, newest) = lab
        .read(move |tx| {
            Ok((
                outbox::about(tx, id.as_str(), 10)?,
                outbox::newest(tx, &newest)?,
            ))
        })
        .unwrap();
    assert_eq!((of_bill.len(), newest.len()), (2, 3));
}

pub fn leases_of_a_dead_process_are_freed(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    put(lab, &bill, 1);
    let now = at(10, "").now;
    claim(lab, now, "dead");
    let freed = lab
        .write(move |tx| Ok(outbox::free_leases(tx, now)?))
        .unwrap();
    assert_eq!(freed, 1);
    assert_eq!(claim(lab, now, "alive").len(), 1);
}

pub fn a_delivery_is_sent_again_in_any_state(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let id = put(lab, &bill, 1);
    let now = at(10, "").now;
    claim(lab, now, "t1");
    assert!(settle(lab, &id, "t1", a_try(1, now), Outcome::Delivered));
    let delivered = found(lab, &id);
    assert!(
        lab.write(move |tx| Ok(outbox::resend(tx, &delivered, now)?))
            .unwrap()
    );
    let claimed = claim(lab, now, "t2");
    assert_eq!((claimed.len(), claimed[0].attempts), (1, 1));
    assert!(settle(lab, &id, "t2", a_try(2, now), Outcome::GivenUp));
    let after = found(lab, &id);
    assert_eq!(
        (after.state.as_str(), after.attempts, after.planned),
        ("delivered", 2, 1),
        "what was delivered stays so"
    );
    let mut nobody = after;
    nobody.new.id = DeliveryId::mint(&at(1, "nobody"), "x");
    assert!(
        !lab.write(move |tx| Ok(outbox::resend(tx, &nobody, now)?))
            .unwrap()
    );
}

pub fn events_are_listed_in_order(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    for (number, fact) in [
        (1, Fact::BillCreated),
        (2, Fact::BillChanged),
        (3, Fact::BillPaid),
    ] {
        let event = event(&bill, fact, number);
        lab.write(move |tx| Ok(events::insert(tx, &event)?))
            .unwrap();
    }
    let lines = lab
        .read(move |tx| Ok(events::about(tx, bill.head.id.as_str(), 10)?))
        .unwrap();
    let facts: Vec<Fact> = lines.iter().map(|line| line.fact).collect();
    assert_eq!(
        facts,
        [Fact::BillCreated, Fact::BillChanged, Fact::BillPaid]
    );
    assert_eq!((lines[0].at, &lines[0].payment), (at(1, "").now, &None));
}
