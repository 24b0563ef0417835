use domain::payment::{Cause, Ended};
use domain::{Attempt, AttemptId, AttemptState, Payment, PaymentState};
use store::Failure;
use store::tables::{attempts, payments};

use crate::lab::{Lab, at, sgd};

fn stored(lab: &Lab, payment: &Payment) -> Payment {
    let id = payment.head.id.clone();
    lab.read(move |tx| Ok(payments::by_id(tx, &id)?))
        .unwrap()
        .unwrap()
}

fn update(lab: &Lab, payment: &Payment, read: i64) -> Result<(), Failure> {
    let payment = payment.clone();
    lab.write(move |tx| Ok(payments::update(tx, &payment, read)?))
}

pub fn a_payment_comes_back_with_its_sums(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let payment = lab.payment(&bill, 1);
    assert_eq!(stored(lab, &payment), payment);
    let now = at(5, "").now;
    let decision = payment
        .clone()
        .authorize(now)
        .and_then(|d| d.and_then(|p| p.capture(now, sgd(1_000))))
        .and_then(|d| d.and_then(|p| p.refund(now, sgd(300))))
        .and_then(|d| d.and_then(|p| p.release(now)))
        .unwrap();
    update(lab, &decision.payment, payment.version).unwrap();
    let found = stored(lab, &payment);
    assert_eq!(found.state(), decision.payment.state());
    assert_eq!(found.version, payment.version + 1);
    assert!(
        update(lab, &decision.payment, payment.version).is_err(),
        "a stale version"
    );
    let (wire, id) = (payment.head.wire.clone(), bill.head.id);
    let (by_wire, of_bill, all) = lab
        .read(move |tx| {
            let by_wire = payments::by_wire(tx, "hitpay", &wire)?;
            Ok((
                by_wire,
                payments::of_bill(tx, &id, 10)?,
                payments::after(tx, "", 10)?,
            ))
        })
        .unwrap();
    assert_eq!(by_wire.as_ref(), Some(&found));
    assert_eq!(of_bill, std::slice::from_ref(&found));
    assert_eq!(all, [found]);
}

pub fn what_is_added_before_the_yes_is_kept(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let payment = lab.payment(&bill, 1);
    let larger = payment.clone().enlarged(sgd(250)).unwrap();
    let decision = larger.authorize(at(5, "").now).unwrap();
    update(lab, &decision.payment, payment.version).unwrap();
    let found = stored(lab, &payment);
    assert_eq!(found.head.amount, decision.payment.head.amount);
    assert_eq!(found.state(), decision.payment.state());
}

pub fn every_ending_comes_back(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let ends = [
        Ended::Aborted,
        Ended::Expired,
        Ended::Cancelled,
        Ended::Rejected(Cause::new("card_declined", "Do not honor")),
    ];
    for (number, how) in ends.into_iter().enumerate() {
        let payment = lab.payment(&bill, number as i64);
        let ended = payment
            .clone()
            .end(at(5, "").now, how.clone())
            .unwrap()
            .payment;
        update(lab, &ended, payment.version).unwrap();
        assert_eq!(stored(lab, &payment), ended);
        assert!(matches!(ended.state(), PaymentState::Ended { how: h, .. } if *h == how));
    }
}

pub fn the_schema_refuses_sums_that_no_rule_allows(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let payment = lab.payment(&bill, 1);
    for sums in [
        "captured = 5, authorized = 4",
        "authorized = 2000, state = 'authorized', state_at = 1",
        "state = 'authorized', state_at = 1, authorized = 9, captured = 5, released = 5",
        "state = 'authorized', state_at = 1, authorized = 9, captured = 5, refunded = 6",
        "state = 'rejected', state_at = 1",
        "state = 'paid'",
        "amount = 0",
    ] {
        let sql: &'static str = format!(
            "UPDATE payments SET {sums} WHERE id = '{}'",
            payment.head.id
        )
        .leak();
        let result = lab.write(move |tx| Ok(tx.exec(sql, &[])?));
        assert!(matches!(result, Err(Failure::Fault(_))), "{sums}");
    }
    assert_eq!(stored(lab, &payment), payment);
}

pub fn declines_are_counted_within_a_time(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    for (number, millis) in [(1, 10), (2, 20), (3, 30)] {
        let payment = lab.payment(&bill, number);
        let no = Ended::Rejected(Cause::new("no", "No"));
        let ended = payment.clone().end(at(millis, "").now, no).unwrap().payment;
        update(lab, &ended, payment.version).unwrap();
    }
    for (since, count) in [(0, 3), (20, 2), (31, 0)] {
        let (id, since) = (bill.head.id.clone(), at(since, "").now);
        let found = lab
            .read(move |tx| Ok(payments::rejected_since(tx, &id, since)?))
            .unwrap();
        assert_eq!(found, count);
    }
}

pub fn one_form_has_one_attempt(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let payment = lab.payment(&bill, 1);
    let moment = at(5, "attempt");
    let id = AttemptId::mint(&moment, "attempt");
    let attempt = Attempt::ask(id, payment.head.id.clone(), "simulator", moment.now);
    let (saved, of) = (attempt.clone(), bill.head.id.clone());
    lab.write(move |tx| Ok(attempts::insert(tx, &saved, &of, "form-1")?))
        .unwrap();
    let other_id = AttemptId::mint(&moment, "other");
    let other = Attempt::ask(other_id, payment.head.id, "simulator", moment.now);
    let of = bill.head.id.clone();
    let again = lab.write(move |tx| Ok(attempts::insert(tx, &other, &of, "form-1")?));
    assert!(
        matches!(again, Err(Failure::Fault(_))),
        "the same form twice"
    );
    let of = bill.head.id;
    let (by_once, open, old, young) = lab
        .read(move |tx| {
            Ok((
                attempts::by_once(tx, &of, "form-1")?,
                attempts::open_of_bill(tx, &of)?,
                attempts::asked_before(tx, moment.now, 10)?,
                attempts::asked_before(tx, at(4, "").now, 10)?,
            ))
        })
        .unwrap();
    assert_eq!(by_once, Some(attempt.clone()));
    assert_eq!(
        (open, old, young.len()),
        (vec![attempt.clone()], vec![attempt], 0)
    );
}

pub fn an_attempt_is_answered_once(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let payment = lab.payment(&bill, 1);
    let moment = at(5, "attempt");
    let id = AttemptId::mint(&moment, "attempt");
    let attempt = Attempt::ask(id.clone(), payment.head.id, "simulator", moment.now);
    let (saved, of) = (attempt.clone(), bill.head.id);
    lab.write(move |tx| Ok(attempts::insert(tx, &saved, &of, "form")?))
        .unwrap();
    let declined = AttemptState::Declined(Cause::new("no", "No"));
    let answered = attempt.answer(declined.clone()).unwrap();
    let update = |attempt: Attempt| {
        lab.write(move |tx| {
            Ok(attempts::update(
                tx,
                &attempt,
                &AttemptState::Asked,
                at(6, "").now,
            )?)
        })
    };
    update(answered.clone()).unwrap();
    assert!(update(answered).is_err(), "it is no longer asked");
    let found = lab
        .read(move |tx| Ok(attempts::by_id(tx, &id)?))
        .unwrap()
        .unwrap();
    assert_eq!(*found.state(), declined);
}
