//! Reservations: what each state allows, with the problem that each wrong step has, and a property
//! over all orders of steps.

use domain::payment::Ended;
use domain::reservation::{self, Rules, StepKind, StepProblem};
use domain::{Money, Payment, PaymentState, Refusal, Span, Timestamp};
use proptest::prelude::*;

use crate::samples::{NOW, ask, bill, currency, payment, sgd};

fn reserved(minor: i64) -> Payment {
    payment(sgd(minor)).authorize(NOW).unwrap().payment
}

fn taken(payment: Payment, minor: i64) -> Payment {
    reservation::capture(payment, NOW, sgd(minor), None)
        .unwrap()
        .payment
}

fn problem<T: std::fmt::Debug>(result: Result<T, Refusal>) -> StepProblem {
    match result {
        Err(Refusal::Step(problem)) => problem,
        other => unreachable!("{other:?}"),
    }
}

fn refund(payment: Payment, minor: i64) -> Result<domain::Decision, Refusal> {
    reservation::refund(payment, NOW, sgd(minor), Some(NOW), &Rules::default())
}

#[test]
fn capture_says_which_rule_it_breaks() {
    let capture = |payment, minor| reservation::capture(payment, NOW, sgd(minor), None);
    let too_early = capture(payment(sgd(1_000)), 1);
    assert_eq!(problem(too_early), StepProblem::CaptureBeforeReserved);
    let left = StepProblem::CaptureTooHigh("SGD 10.00".to_owned());
    assert_eq!(problem(capture(reserved(1_000), 1_001)), left);
    let all = taken(reserved(1_000), 1_000);
    assert_eq!(problem(capture(all, 1)), StepProblem::CapturedBefore);
    let (_, rest) = reservation::cancel(taken(reserved(1_000), 400), NOW, false, None).unwrap();
    assert_eq!(
        problem(capture(rest.payment, 1)),
        StepProblem::CaptureOfReleased
    );
    let ended = payment(sgd(1)).end(NOW, Ended::Expired).unwrap().payment;
    let state = StepProblem::CaptureOfEnded("expired".to_owned());
    assert_eq!(problem(capture(ended, 1)), state);
    let late = reservation::capture(reserved(1_000), NOW, sgd(1), Some(NOW));
    assert_eq!(problem(late), StepProblem::CaptureTooLate);
    let euro = Money::from_minor(1, currency("EUR")).unwrap();
    let other = reservation::capture(reserved(1_000), NOW, euro, None);
    assert_eq!(problem(other), StepProblem::OtherCurrency("SGD".to_owned()));
}

#[test]
fn refund_says_which_rule_it_breaks() {
    let early = refund(payment(sgd(1_000)), 1);
    assert_eq!(problem(early), StepProblem::RefundBeforeReserved);
    let nothing = StepProblem::RefundTooHigh("SGD 0.00".to_owned());
    assert_eq!(problem(refund(reserved(1_000), 1)), nothing);
    let captured = taken(reserved(1_000), 600);
    let left = StepProblem::RefundTooHigh("SGD 6.00".to_owned());
    assert_eq!(problem(refund(captured.clone(), 601)), left);
    let all = refund(captured.clone(), 600).unwrap().payment;
    assert_eq!(problem(refund(all, 1)), StepProblem::RefundedBefore);
    let rules = Rules::default();
    let late = NOW.plus(rules.refund_window);
    let just = Timestamp::from_millis(late.millis() - 1);
    let at = |now| reservation::refund(captured.clone(), now, sgd(1), Some(NOW), &rules);
    assert!(at(just).is_ok());
    assert_eq!(problem(at(late)), StepProblem::RefundTooLate);
}

#[test]
fn cancel_takes_back_or_releases_or_says_why_not() {
    let (kind, decision) = reservation::cancel(payment(sgd(1)), NOW, true, None).unwrap();
    assert_eq!(
        (kind, decision.payment.state().name()),
        (StepKind::Cancelled, "cancelled")
    );
    let again = reservation::cancel(decision.payment, NOW, false, None);
    let state = StepProblem::CancelOfEnded("cancelled".to_owned());
    assert_eq!(problem(again), state.clone());
    let only = reservation::cancel(reserved(1_000), NOW, true, None);
    assert_eq!(problem(only), StepProblem::CancelOfReserved);
    let part = taken(reserved(1_000), 400);
    let (kind, decision) = reservation::cancel(part.clone(), NOW, false, None).unwrap();
    assert_eq!(kind, StepKind::Released);
    assert_eq!(reservation::moved(kind, &part, &decision.payment), sgd(600));
    assert_eq!(
        problem(reservation::cancel(decision.payment, NOW, false, None)),
        state
    );
    let all = reservation::cancel(taken(reserved(1_000), 1_000), NOW, false, None);
    assert_eq!(problem(all), StepProblem::CancelOfCaptured);
}

#[test]
fn what_time_has_released_says_so() {
    let (_, rest) = reservation::cancel(taken(reserved(1_000), 400), NOW, false, None).unwrap();
    let released = rest.payment;
    let before = Some(NOW.plus(Span::from_millis(1)));
    let capture = |until| reservation::capture(released.clone(), NOW, sgd(1), until);
    let cancel = |until| reservation::cancel(released.clone(), NOW, false, until);
    assert_eq!(problem(capture(Some(NOW))), StepProblem::CaptureTooLate);
    assert_eq!(problem(cancel(Some(NOW))), StepProblem::CancelTooLate);
    assert_eq!(problem(capture(before)), StepProblem::CaptureOfReleased);
    let state = StepProblem::CancelOfEnded("cancelled".to_owned());
    assert_eq!(problem(cancel(before)), state);
    // What is still reserved can be given back at any time.
    assert!(reservation::cancel(reserved(1_000), NOW, false, Some(NOW)).is_ok());
}

#[test]
fn a_pending_one_whose_time_is_over_has_expired() {
    let end = NOW.plus(Span::from_minutes(10));
    let mut terms = ask(sgd(1_000));
    terms.expires = Some(end);
    let bill = bill(terms);
    let before = Timestamp::from_millis(end.millis() - 1);
    let pending = payment(sgd(1_000));
    let state = |payment: &Payment, now| reservation::state_at(&bill, payment, now);
    assert_eq!(state(&pending, before), PaymentState::Pending);
    assert_eq!(state(&pending, end).name(), "expired");
    assert_eq!(state(&reserved(1_000), end).name(), "authorized");
}

#[test]
fn an_end_that_is_named_lies_within_bounds() {
    let rules = Rules::default();
    let ends = |minutes| {
        let at = NOW.plus(Span::from_minutes(minutes));
        reservation::ends(Some(at), NOW, &rules)
    };
    assert_eq!(
        reservation::ends(None, NOW, &rules),
        Ok(NOW.plus(rules.pays_within))
    );
    assert_eq!(problem(ends(10)), StepProblem::ExpiresTooSoon);
    assert!(ends(11).is_ok() && ends(60 * 24 * 60).is_ok());
    assert_eq!(problem(ends(60 * 24 * 60 + 1)), StepProblem::ExpiresTooLate);
}

#[test]
fn every_kind_of_step_has_a_word_that_is_read_back() {
    for kind in StepKind::ALL {
        assert_eq!(StepKind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(StepKind::parse("paid"), None);
    let rules = Rules::default();
    assert!(rules.capture_window(currency("NOK")) > rules.capture_window(currency("DKK")));
    assert!(rules.keys_kept() > rules.refund_window);
}

/// A step of any kind with an amount around the whole.
fn any_step() -> impl Strategy<Value = (u8, i64)> {
    (0_u8..3, prop_oneof![3 => 1_i64..=400, 1 => 1_i64..=1_100])
}

proptest! {
    /// Whatever is asked in whatever order: the sums stay under each other, the amounts that the
    /// steps tell add up to them, and nothing that is refused changed anything.
    #[test]
    fn the_steps_add_up_to_the_sums(steps in proptest::collection::vec(any_step(), 0..30)) {
        let mut payment = reserved(1_000);
        let (mut captured, mut released, mut refunded) = (0, 0, 0);
        for (kind, minor) in steps {
            let before = payment.clone();
            let made = match kind {
                0 => reservation::capture(payment.clone(), NOW, sgd(minor), None)
                    .map(|decision| (StepKind::Captured, decision)),
                1 => refund(payment.clone(), minor)
                    .map(|decision| (StepKind::Refunded, decision)),
                _ => reservation::cancel(payment.clone(), NOW, false, None),
            };
            let Ok((kind, decision)) = made else { continue };
            let moved = reservation::moved(kind, &before, &decision.payment).minor();
            match kind {
                StepKind::Captured => captured += moved,
                StepKind::Released => released += moved,
                _ => refunded += moved,
            }
            payment = decision.payment;
        }
        let PaymentState::Authorized { sums, .. } = payment.state() else { unreachable!() };
        prop_assert_eq!(sums.captured().minor(), captured);
        prop_assert_eq!(sums.released().minor(), released);
        prop_assert_eq!(sums.refunded().minor(), refunded);
        prop_assert!(captured + released <= 1_000 && refunded <= captured);
    }
}
