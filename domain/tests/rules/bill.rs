//! Bills: every state against every transition, and time running out by itself.

use domain::limits::DECLINES_MAX;
use domain::payment::Cause;
use domain::{Bill, BillState, Refusal, Span, Timestamp};
use proptest::prelude::*;

use crate::samples::{NOW, ask, bill, sgd};

/// Everything that may be asked of a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Pay,
    Fail,
    Expire,
    Change,
    Withdraw,
}

const STEPS: [Step; 5] = [
    Step::Pay,
    Step::Fail,
    Step::Expire,
    Step::Change,
    Step::Withdraw,
];

fn cause() -> Cause {
    Cause::new("card_declined", "Do not honor")
}

fn apply(bill: Bill, now: Timestamp, step: Step) -> Result<Bill, Refusal> {
    match step {
        Step::Pay => bill.paid(now),
        Step::Fail => bill.failed(now, cause()),
        Step::Expire => bill.expired(now),
        Step::Change => bill.change(now, ask(sgd(2_000))),
        Step::Withdraw => bill.withdrawn(now),
    }
}

fn open() -> Bill {
    bill(ask(sgd(1_000)))
}

fn repeatable() -> Bill {
    let mut terms = ask(sgd(1_000));
    terms.repeatable = true;
    bill(terms)
}

/// Still "open" on paper, though its time is over.
fn overdue() -> Bill {
    let mut terms = ask(sgd(1_000));
    terms.expires = Some(NOW);
    bill(terms)
}

#[test]
fn every_state_answers_every_transition() {
    let paid = open().paid(NOW).unwrap();
    let failed = open().failed(NOW, cause()).unwrap();
    let expired = open().expired(NOW).unwrap();
    let withdrawn = open().withdrawn(NOW).unwrap();
    // Columns: pay, fail, expire, change, withdraw. A word is the state afterwards; with a bang it
    // is the name of the refusal.
    let table = [
        (open(), "paid failed expired open withdrawn"),
        (repeatable(), "open failed expired open withdrawn"),
        (overdue(), "!expired !expired expired open withdrawn"),
        (
            paid,
            "!already_paid !already_paid !already_paid !already_paid !already_paid",
        ),
        (failed, "!failed !failed !failed !failed withdrawn"),
        (expired, "!expired !expired !expired open withdrawn"),
        (
            withdrawn,
            "!withdrawn !withdrawn !withdrawn !withdrawn !withdrawn",
        ),
    ];
    for (bill, row) in table {
        assert_eq!(row.split(' ').count(), STEPS.len());
        for (step, expected) in STEPS.into_iter().zip(row.split(' ')) {
            let after = apply(bill.clone(), NOW, step);
            let word = match &after {
                Ok(after) => after.state().as_str().to_owned(),
                Err(refusal) => format!("!{}", refusal.name()),
            };
            assert_eq!(word, expected, "{step:?} on {:?}", bill.state());
            if let Ok(after) = after {
                assert_eq!(after.version, bill.version + 1);
                assert_eq!(after.head, bill.head, "what never changes");
            }
        }
    }
}

#[test]
fn a_bill_that_may_not_be_paid_says_why() {
    assert_eq!(open().admit(NOW), Ok(()));
    assert_eq!(overdue().admit(NOW), Err(Refusal::Expired));
    assert_eq!(
        open().paid(NOW).unwrap().admit(NOW),
        Err(Refusal::AlreadyPaid)
    );
    assert_eq!(
        open().failed(NOW, cause()).unwrap().admit(NOW),
        Err(Refusal::Failed)
    );
    assert_eq!(
        open().expired(NOW).unwrap().admit(NOW),
        Err(Refusal::Expired)
    );
    assert_eq!(
        open().withdrawn(NOW).unwrap().admit(NOW),
        Err(Refusal::Withdrawn)
    );
}

#[test]
fn a_stranger_cannot_try_cards_for_ever() {
    assert_eq!(open().admit_try(NOW, DECLINES_MAX - 1), Ok(()));
    assert_eq!(
        open().admit_try(NOW, DECLINES_MAX),
        Err(Refusal::TooManyTries)
    );
    assert_eq!(open().admit_try(NOW, u32::MAX), Err(Refusal::TooManyTries));
    let paid = open().paid(NOW).unwrap();
    assert_eq!(
        paid.admit_try(NOW, u32::MAX),
        Err(Refusal::AlreadyPaid),
        "the state comes first"
    );
}

#[test]
fn a_later_end_opens_an_expired_bill_again() {
    let mut terms = ask(sgd(1_000));
    terms.expires = Some(NOW.plus(Span::from_minutes(5)));
    let reopened = overdue().change(NOW, terms).unwrap();
    assert_eq!(reopened.admit(NOW), Ok(()));
    let still_over = overdue().change(NOW, overdue().ask).unwrap();
    assert_eq!(still_over.admit(NOW), Err(Refusal::Expired));
}

proptest! {
    #[test]
    fn time_alone_ends_an_open_bill_and_no_other(
        offset in -100_000_i64..100_000,
        steps in proptest::collection::vec(0_usize..STEPS.len(), 0..6),
    ) {
        let expires = NOW;
        let mut bill = overdue();
        bill.ask.expires = Some(expires);
        let early = Timestamp::from_millis(NOW.millis() - 200_000);
        for step in steps {
            // A change sets other terms without an end; put the end back to compare.
            if let Ok(mut after) = apply(bill.clone(), early, STEPS[step]) {
                after.ask.expires = Some(expires);
                bill = after;
            }
        }
        let now = Timestamp::from_millis(NOW.millis() + offset);
        let expected = match bill.state() {
            BillState::Open if now >= expires => BillState::Expired { at: expires },
            state => state.clone(),
        };
        prop_assert_eq!(bill.state_at(now), expected);
    }

    #[test]
    fn paid_and_withdrawn_are_final(
        steps in proptest::collection::vec(0_usize..STEPS.len(), 0..30),
    ) {
        let mut bill = open();
        for step in steps {
            let before = bill.state().clone();
            if let Ok(after) = apply(bill.clone(), NOW, STEPS[step]) {
                let over = matches!(before, BillState::Paid { .. } | BillState::Withdrawn { .. });
                prop_assert!(!over, "{:?} left {:?}", STEPS[step], before);
                bill = after;
            }
        }
    }

    #[test]
    fn a_repeated_link_takes_any_number_of_payments(times in 0_i64..50) {
        let mut bill = repeatable();
        for _ in 0..times {
            bill = bill.paid(NOW).unwrap();
        }
        prop_assert_eq!(bill.state(), &BillState::Open);
        prop_assert_eq!(bill.version, 1 + times);
    }
}
