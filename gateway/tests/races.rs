//! Many at once: exactly the right number succeed, and the ledger balances.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod lab;

use std::sync::Arc;

use domain::call::Incoming;
use domain::{AttemptId, Call, Refusal, Span, WireId};
use gateway::operations::payments::{self, Answer, Paid};
use gateway::operations::{self, Failure, bills};
use lab::{HITPAY, Lab, form};

/// How many try at once.
const CROWD: usize = 32;

/// Everybody pays at once, each with a form of their own or all with the same.
async fn crowd(lab: &Lab, id: &WireId, same_form: bool) -> Vec<Result<Paid, Failure>> {
    let forms = (0..CROWD).map(|number| if same_form { 0 } else { number });
    let tries: Vec<_> = forms
        .map(|number| {
            let (app, id) = (Arc::clone(&lab.app), id.clone());
            tokio::spawn(async move {
                let pay = form("4242424242424242", &format!("form {number}"));
                payments::pay(&app, HITPAY, &id, pay).await
            })
        })
        .collect();
    let mut results = Vec::new();
    for one in tries {
        results.push(one.await.unwrap());
    }
    results
}

fn done(results: &[Result<Paid, Failure>]) -> usize {
    results
        .iter()
        .filter(|result| matches!(result, Ok(Paid::Done { .. })))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_is_paid_once_however_many_try() {
    let lab = Lab::new().await;
    let id = lab.bill(false, None).await;
    let results = crowd(&lab, &id, false).await;
    assert_eq!(done(&results), 1);
    for result in results.iter().filter(|result| result.is_err()) {
        let told = matches!(
            result,
            Err(Failure::Refused(
                Refusal::AlreadyPaid | Refusal::TryUnderWay
            ))
        );
        assert!(told, "{result:?}");
    }
    assert_eq!(lab.merchant_has().await, 1_000);
    lab.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_many_times_charges_once() {
    let lab = Lab::new().await;
    // A repeated link takes many payments, so only the form's token stands in the way.
    let id = lab.bill(true, None).await;
    let results = crowd(&lab, &id, true).await;
    assert!(done(&results) >= 1);
    assert_eq!(lab.merchant_has().await, 1_000);
    lab.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_link_takes_everybodys_payment() {
    let lab = Lab::new().await;
    let id = lab.bill(true, None).await;
    let results = crowd(&lab, &id, false).await;
    assert_eq!(done(&results), CROWD);
    assert_eq!(
        lab.merchant_has().await,
        1_000 * i64::try_from(CROWD).unwrap()
    );
    lab.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_a_request_have_one_effect_and_one_answer() {
    let lab = Lab::new().await;
    let copies: Vec<_> = (0..50)
        .map(|_| {
            let (app, caller) = (Arc::clone(&lab.app), lab.caller.clone());
            let call = Call::CreateBill(Box::new(lab.ask(false, None)));
            let incoming = Incoming {
                call,
                idempotency_key: Some(dialects::repeat::key("key".to_owned(), b"")),
            };
            tokio::spawn(async move { operations::execute(&app, HITPAY, &caller, incoming).await })
        })
        .collect();
    let mut answers = Vec::new();
    for copy in copies {
        answers.push(copy.await.unwrap().unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let totals = lab
        .app
        .store
        .read("totals", |tx| Ok(store::tables::bills::totals(tx)?))
        .await;
    assert_eq!(totals.unwrap(), [("open".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_answers_at_the_bank_are_one() {
    let lab = Lab::new().await;
    let id = lab.bill(false, None).await;
    let attempt = challenge(&lab, &id).await;
    let answers = [Answer::Approve, Answer::Decline, Answer::Abort]
        .into_iter()
        .cycle()
        .take(30);
    let tries: Vec<_> = answers
        .map(|answer| {
            let (app, attempt) = (Arc::clone(&lab.app), attempt.clone());
            tokio::spawn(async move { payments::answer(&app, &attempt, answer).await })
        })
        .collect();
    let mut seen = Vec::new();
    for one in tries {
        seen.push(one.await.unwrap());
    }
    // Whatever came first stands: all paid, or none.
    let view = bills::for_page(&lab.app, HITPAY, &id).await.unwrap();
    let paid = matches!(view.state, domain::BillState::Paid { .. });
    assert_eq!(lab.merchant_has().await, if paid { 1_000 } else { 0 });
    assert_eq!(done(&seen) > 0, paid);
    lab.ledger_is_whole().await;
}

#[tokio::test]
async fn money_approved_after_the_end_goes_straight_back() {
    let lab = Lab::new().await;
    let id = lab.bill(false, Some(Span::from_minutes(5))).await;
    let attempt = challenge(&lab, &id).await;
    lab.clock.advance(Span::from_minutes(6));
    let late = payments::answer(&lab.app, &attempt, Answer::Approve).await;
    assert_eq!(late, Err(Failure::Refused(Refusal::Expired)));
    assert_eq!(lab.merchant_has().await, 0);
    lab.ledger_is_whole().await;
    let view = bills::for_page(&lab.app, HITPAY, &id).await.unwrap();
    let domain::PaymentState::Authorized { sums, .. } = view.payments[0].state() else {
        panic!("{:?}", view.payments)
    };
    assert_eq!(
        (sums.released().minor(), sums.captured().minor()),
        (1_000, 0)
    );
}

async fn challenge(lab: &Lab, id: &WireId) -> AttemptId {
    match payments::pay(&lab.app, HITPAY, id, form("4000002760003184", "bank"))
        .await
        .unwrap()
    {
        Paid::Challenge { attempt } => attempt,
        other => panic!("{other:?}"),
    }
}
