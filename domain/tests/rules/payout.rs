//! Payouts: whatever is asked of one, in whatever order, its money is in exactly one place.

use domain::bill::Payer;
use domain::ledger::Reason;
use domain::payment::Cause;
use domain::payout::{Approval, Decision, Order, Request, Stages};
use domain::{AccountId, Fact, Money, Payout, PayoutState, Refusal, Span, Timestamp, WireId};
use proptest::prelude::*;

use crate::samples::{NOW, caller, moment, sgd};

const STAGES: Stages = Stages {
    user: Span::from_seconds(100),
    approval: Span::from_seconds(1_000),
    rail: Span::from_seconds(2),
};

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Span::from_seconds(seconds))
}

fn order(amount: Money) -> Order {
    Order {
        amount,
        reference: Some("T-1".to_owned()),
        purpose: None,
        payee: Payer::default(),
        methods: vec!["bank".to_owned(), "wallet".to_owned()],
        return_url: None,
        notify_url: None,
        extras: serde_json::Map::new(),
    }
}

fn request(amount: i64, available: i64, user_step: bool) -> Decision {
    let request = Request {
        dialect: "numipay",
        wire: WireId::new("w").unwrap(),
        order: order(sgd(amount)),
        by: "maker".to_owned(),
        user_step,
    };
    Payout::request(&moment(4), &caller(), request, sgd(available), STAGES).unwrap()
}

fn approval(by: &str) -> Approval<'_> {
    Approval {
        by,
        alone_up_to: None,
        rail: "simulator",
        provider: Some("bank"),
    }
}

fn cause() -> Cause {
    Cause::new("declined", "No")
}

#[test]
fn what_the_merchant_has_is_reserved_and_what_it_lacks_is_refused() {
    let enough = request(1_000, 1_000, true);
    assert_eq!(*enough.payout.state(), PayoutState::AwaitingUser);
    assert_eq!(enough.payout.progress.due, Some(later(100)));
    let transfer = &enough.journal.transfers()[0];
    assert_eq!(transfer.reason(), Reason::Reserve);
    assert_eq!(
        *transfer.credit(),
        AccountId::Payout(enough.payout.head.id.clone())
    );
    let short = request(1_001, 1_000, true);
    assert!(short.journal.transfers().is_empty());
    let PayoutState::Rejected { cause, .. } = short.payout.state() else {
        panic!("{short:?}")
    };
    assert_eq!(cause.text, "Insufficient funds");
    assert_eq!(short.payout.progress.due, None);
}

#[test]
fn the_straight_way() {
    let payout = request(500, 500, true).payout;
    let early = payout.clone().approve(later(1), &approval("maker"), STAGES);
    assert_eq!(early, Err(Refusal::WrongState("awaiting_user".to_owned())));
    let unknown = payout.clone().choose(later(1), "cash", STAGES);
    assert_eq!(unknown, Err(Refusal::NoMethod));
    let chosen = payout.choose(later(1), "wallet", STAGES).unwrap();
    assert_eq!(chosen.fact, Fact::PayoutSubmitted);
    assert_eq!(chosen.payout.progress.due, Some(later(1_001)));
    let again = chosen.payout.clone().choose(later(2), "bank", STAGES);
    assert!(again.is_err(), "chosen once");
    let approved = chosen
        .payout
        .approve(later(3), &approval("maker"), STAGES)
        .unwrap();
    assert_eq!(*approved.payout.state(), PayoutState::Processing);
    assert_eq!(approved.payout.progress.due, Some(later(5)));
    assert!(approved.journal.transfers().is_empty(), "it stays reserved");
    let paid = approved.payout.paid(later(5)).unwrap();
    assert_eq!(paid.payout.progress.provider.as_deref(), Some("wallet"));
    let out = &paid.journal.transfers()[0];
    assert_eq!(out.reason(), Reason::Payout);
    assert_eq!(*out.credit(), AccountId::Clearing("simulator".to_owned()));
}

#[test]
fn without_a_users_step_it_can_be_approved_at_once_or_told_where_to_go_once() {
    let payout = request(500, 500, false).payout;
    assert_eq!(*payout.state(), PayoutState::AwaitingApproval);
    let straight = payout
        .clone()
        .approve(NOW, &approval("maker"), STAGES)
        .unwrap();
    assert_eq!(straight.payout.progress.provider.as_deref(), Some("bank"));
    let chosen = payout.choose(NOW, "wallet", STAGES).unwrap().payout;
    assert_eq!(chosen.progress.due, Some(later(1_000)), "no new time");
    assert!(chosen.clone().choose(NOW, "bank", STAGES).is_err());
    let approved = chosen.approve(NOW, &approval("maker"), STAGES).unwrap();
    assert_eq!(approved.payout.progress.provider.as_deref(), Some("wallet"));
}

#[test]
fn the_customer_says_no_before_the_merchant_said_yes() {
    for user_step in [true, false] {
        let payout = request(500, 500, user_step).payout;
        let early = payout.clone().reject(NOW, cause());
        assert!(early.is_err(), "the rail has nothing to refuse yet");
        let back = payout.refuse(NOW, cause()).unwrap();
        assert_eq!(back.journal.transfers()[0].reason(), Reason::Return);
        assert_eq!(back.payout.state().as_str(), "rejected");
    }
}

#[test]
fn without_a_provider_it_cannot_be_approved() {
    let nobody = Approval {
        provider: None,
        ..approval("maker")
    };
    let payout = request(500, 500, false).payout;
    let refused = payout.clone().approve(NOW, &nobody, STAGES);
    assert_eq!(refused, Err(Refusal::NoMethod));
    // What the customer chose stays chosen.
    let chosen = payout.choose(NOW, "wallet", STAGES).unwrap().payout;
    let approved = chosen.approve(NOW, &nobody, STAGES).unwrap().payout;
    assert_eq!(approved.progress.provider.as_deref(), Some("wallet"));
}

#[test]
fn above_the_limit_it_takes_a_second_person() {
    let payout = request(501, 1_000, false).payout;
    let limited = |by: &'static str| Approval {
        alone_up_to: Some(sgd(500)),
        ..approval(by)
    };
    let alone = payout.clone().approve(NOW, &limited("maker"), STAGES);
    assert!(matches!(alone, Err(Refusal::NotAllowed(_))), "{alone:?}");
    assert!(payout.approve(NOW, &limited("checker"), STAGES).is_ok());
    let small = request(500, 1_000, false).payout;
    assert!(
        small.approve(NOW, &limited("maker"), STAGES).is_ok(),
        "at the limit"
    );
}

#[test]
fn a_late_refusal_gives_the_money_back_and_the_end_is_the_end() {
    let payout = request(500, 500, false).payout;
    let sent = payout.approve(NOW, &approval("x"), STAGES).unwrap().payout;
    assert!(sent.clone().cancel(NOW).is_err(), "the rail has it");
    assert!(
        sent.clone().refuse(NOW, cause()).is_err(),
        "and from here only it says no"
    );
    assert!(sent.clone().expire(NOW).is_err());
    let back = sent.reject(later(9), cause()).unwrap();
    assert_eq!(back.journal.transfers()[0].reason(), Reason::Return);
    let over = back.payout;
    for late in [
        over.clone().paid(NOW),
        over.clone().reject(NOW, cause()),
        over.clone().refuse(NOW, cause()),
        over.clone().cancel(NOW),
        over.clone().expire(NOW),
        over.clone().choose(NOW, "bank", STAGES),
        over.clone().approve(NOW, &approval("x"), STAGES),
    ] {
        assert_eq!(late, Err(Refusal::WrongState("rejected".to_owned())));
    }
}

#[test]
fn time_that_is_over_counts_before_anybody_wrote_it_down() {
    let payout = request(500, 500, true).payout;
    assert_eq!(payout.state_at(later(99)), PayoutState::AwaitingUser);
    assert_eq!(
        payout.state_at(later(100)),
        PayoutState::Expired { at: later(100) }
    );
    assert!(payout.clone().choose(later(100), "bank", STAGES).is_err());
    assert!(payout.clone().cancel(later(100)).is_err());
    assert!(payout.clone().refuse(later(100), cause()).is_err());
    assert!(payout.expire(later(100)).is_ok());
    let waiting = request(500, 500, false).payout;
    let late = waiting.approve(later(1_000), &approval("x"), STAGES);
    assert_eq!(late, Err(Refusal::WrongState("expired".to_owned())));
    // What the rail has does not expire, however long it takes.
    let sent = request(500, 500, false).payout;
    let sent = sent.approve(NOW, &approval("x"), STAGES).unwrap().payout;
    assert_eq!(sent.state_at(later(1_000_000)), PayoutState::Processing);
}

#[derive(Clone, Debug)]
enum Step {
    Choose,
    Approve,
    Cancel,
    Refuse,
    Reject,
    Paid,
    Expire,
}

fn apply(payout: Payout, step: &Step, now: Timestamp) -> Result<Decision, Refusal> {
    match step {
        Step::Choose => payout.choose(now, "bank", STAGES),
        Step::Approve => payout.approve(now, &approval("x"), STAGES),
        Step::Cancel => payout.cancel(now),
        Step::Refuse => payout.refuse(now, cause()),
        Step::Reject => payout.reject(now, cause()),
        Step::Paid => payout.paid(now),
        Step::Expire => payout.expire(now),
    }
}

proptest! {
    #[test]
    fn available_reserved_and_paid_out_are_conserved(
        amount in 1_i64..2_000,
        available in 0_i64..2_000,
        user_step in any::<bool>(),
        steps in prop::collection::vec(
            (
                prop::sample::select(vec![
                    Step::Choose, Step::Approve, Step::Approve, Step::Cancel, Step::Refuse,
                    Step::Reject, Step::Paid, Step::Paid, Step::Expire,
                ]),
                0_u64..400,
            ),
            0..8,
        ),
    ) {
        let first = request(amount, available, user_step);
        let (mut has, mut reserved, mut out) = (available, 0, 0);
        let mut post = |decision: &Decision| {
            for transfer in decision.journal.transfers() {
                let minor = transfer.amount().minor();
                match transfer.reason() {
                    Reason::Reserve => { has -= minor; reserved += minor; }
                    Reason::Return => { reserved -= minor; has += minor; }
                    Reason::Payout => { reserved -= minor; out += minor; }
                    other => panic!("{other:?}"),
                }
            }
            prop_assert!(has >= 0 && reserved >= 0 && out >= 0);
            prop_assert_eq!(has + reserved + out, available);
            let held = match decision.payout.state() {
                PayoutState::AwaitingUser | PayoutState::AwaitingApproval
                | PayoutState::Processing => amount,
                _ => 0,
            };
            prop_assert_eq!(reserved, held);
            let gone = matches!(decision.payout.state(), PayoutState::Paid { .. });
            prop_assert_eq!(out, if gone { amount } else { 0 });
            prop_assert_eq!(decision.payout.progress.due.is_none(), held == 0);
            Ok(())
        };
        post(&first)?;
        let (mut payout, mut clock) = (first.payout, 0);
        for (step, wait) in steps {
            clock += wait;
            let version = payout.version;
            let over = payout.state().is_final();
            match apply(payout.clone(), &step, later(clock)) {
                Ok(decision) => {
                    prop_assert!(!over, "what is over stays as it is");
                    prop_assert_eq!(decision.payout.version, version + 1);
                    post(&decision)?;
                    payout = decision.payout;
                }
                Err(refusal) => prop_assert!(matches!(refusal, Refusal::WrongState(_))),
            }
        }
    }
}
