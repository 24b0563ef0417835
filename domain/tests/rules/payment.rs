//! Payments: whatever is asked of one, in whatever order, the sums and the ledger agree.

use std::collections::BTreeMap;

use domain::ledger::Reason;
use domain::payment::{Cause, Ended, Sums};
use domain::{AccountId, Decision, Fact, Journal, Money, Payment, PaymentState, Refusal};
use proptest::prelude::*;

use crate::samples::{NOW, currency, payment, sgd};

/// One thing that may be asked of a payment.
#[derive(Clone, Debug)]
enum Step {
    Authorize,
    Capture(i64),
    Release,
    Refund(i64),
    End(Ended),
}

fn any_step() -> impl Strategy<Value = Step> {
    // Amounts lie around the payment's own (1 000), so that "just enough" and "one too many" both
    // come up often; some are wild.
    let amount = || prop_oneof![4 => 0_i64..=400, 2 => 0_i64..=1_100, 1 => Just(i64::MAX)];
    let ends = vec![
        Ended::Aborted,
        Ended::Expired,
        Ended::Cancelled,
        Ended::Rejected(Cause::new("card_declined", "Do not honor")),
    ];
    prop_oneof![
        3 => Just(Step::Authorize),
        4 => amount().prop_map(Step::Capture),
        1 => Just(Step::Release),
        4 => amount().prop_map(Step::Refund),
        1 => proptest::sample::select(ends).prop_map(Step::End),
    ]
}

fn apply(payment: Payment, step: &Step) -> Result<Decision, Refusal> {
    match step {
        Step::Authorize => payment.authorize(NOW),
        Step::Capture(minor) => payment.capture(NOW, sgd(*minor)),
        Step::Release => payment.release(NOW),
        Step::Refund(minor) => payment.refund(NOW, sgd(*minor)),
        Step::End(how) => payment.end(NOW, how.clone()),
    }
}

/// Balances by account, kept in the plainest way: what came in minus what went out.
#[derive(Default)]
struct Books(BTreeMap<AccountId, i128>);

impl Books {
    fn post(&mut self, journal: &Journal) {
        for transfer in journal.transfers() {
            let minor = i128::from(transfer.amount().minor());
            assert!(minor > 0, "a transfer moves something");
            *self.0.entry(transfer.debit().clone()).or_default() -= minor;
            *self.0.entry(transfer.credit().clone()).or_default() += minor;
        }
    }

    fn balance(&self, account: &AccountId) -> i128 {
        self.0.get(account).copied().unwrap_or(0)
    }
}

fn sums_of(payment: &Payment) -> [i128; 4] {
    match payment.state() {
        PaymentState::Authorized { sums, .. } => [
            sums.authorized(),
            sums.captured(),
            sums.released(),
            sums.refunded(),
        ]
        .map(|m| i128::from(m.minor())),
        PaymentState::Pending | PaymentState::Ended { .. } => [0; 4],
    }
}

fn agree(payment: &Payment, books: &Books) {
    let [authorized, captured, released, refunded] = sums_of(payment);
    assert!(captured + released <= authorized, "{payment:?}");
    assert!(refunded <= captured, "{payment:?}");
    let held = AccountId::Held(payment.head.id.clone());
    let merchant = AccountId::Merchant(payment.head.merchant.clone());
    let clearing = AccountId::Clearing(payment.head.rail.clone());
    assert_eq!(books.balance(&held), authorized - captured - released);
    assert_eq!(books.balance(&merchant), captured - refunded);
    assert_eq!(books.balance(&clearing), released + refunded - authorized);
    assert_eq!(books.0.values().sum::<i128>(), 0, "debits equal credits");
    if let PaymentState::Authorized { sums, .. } = payment.state() {
        assert_eq!(
            i128::from(sums.held().unwrap().minor()),
            authorized - captured - released
        );
        assert_eq!(
            i128::from(sums.refundable().unwrap().minor()),
            captured - refunded
        );
    }
}

/// What the state alone says about a step, before any amount is looked at.
fn allowed(state: &PaymentState, step: &Step) -> bool {
    match state {
        PaymentState::Pending => matches!(step, Step::Authorize | Step::End(_)),
        PaymentState::Authorized { .. } => {
            matches!(step, Step::Capture(_) | Step::Release | Step::Refund(_))
        }
        PaymentState::Ended { .. } => false,
    }
}

/// May it move this much? The second, simpler model of the amounts.
fn affordable(payment: &Payment, step: &Step) -> bool {
    let [authorized, captured, released, refunded] = sums_of(payment);
    let held = authorized - captured - released;
    match step {
        Step::Capture(minor) => (1..=held).contains(&i128::from(*minor)),
        Step::Refund(minor) => (1..=captured - refunded).contains(&i128::from(*minor)),
        Step::Release => held > 0,
        Step::Authorize | Step::End(_) => true,
    }
}

#[test]
fn what_is_added_before_the_yes_is_reserved_with_the_rest() {
    let larger = payment(sgd(1_000)).enlarged(sgd(250)).unwrap();
    let whole = larger.head.amount;
    assert_eq!(
        whole,
        payment(sgd(1_000))
            .head
            .amount
            .checked_add(sgd(250))
            .unwrap()
    );
    let decision = larger.authorize(NOW).unwrap();
    assert_eq!(decision.journal.transfers()[0].amount(), whole);
    assert!(
        decision.payment.enlarged(sgd(1)).is_err(),
        "not after the yes"
    );
    let euro = Money::from_minor(1, currency("EUR")).unwrap();
    assert!(payment(sgd(1_000)).enlarged(euro).is_err());
    assert!(payment(sgd(1_000)).enlarged(sgd(i64::MAX)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_sequence_keeps_the_sums_and_the_ledger(
        steps in proptest::collection::vec(any_step(), 0..40),
    ) {
        let mut payment = payment(sgd(1_000));
        let mut books = Books::default();
        for step in steps {
            let before = payment.clone();
            let (may, can) = (allowed(before.state(), &step), affordable(&before, &step));
            match apply(payment, &step) {
                Ok(decision) => {
                    prop_assert!(may && can, "{:?} on {:?}", step, before);
                    books.post(&decision.journal);
                    prop_assert_eq!(decision.payment.version, before.version + 1);
                    prop_assert_eq!(&decision.payment.head, &before.head);
                    payment = decision.payment;
                }
                Err(Refusal::WrongState(name)) => {
                    prop_assert!(!may, "{:?} on {:?}", step, before);
                    prop_assert_eq!(name, before.state().name());
                    payment = before;
                }
                Err(Refusal::TooMuch(..)) => {
                    prop_assert!(may && !can, "{:?} on {:?}", step, before);
                    payment = before;
                }
                Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
            }
            agree(&payment, &books);
        }
    }

    #[test]
    fn sums_are_restored_exactly_when_a_payment_could_have_them(
        a in 0_i64..50, c in 0_i64..50, l in 0_i64..50, f in 0_i64..50,
    ) {
        let restored = Sums::restore(sgd(a), sgd(c), sgd(l), sgd(f));
        prop_assert_eq!(restored.is_ok(), c + l <= a && f <= c);
        if let Ok(sums) = restored {
            prop_assert_eq!(sums.held().map(Money::minor), Ok(a - c - l));
        }
    }
}

fn after(steps: &[Step]) -> Payment {
    steps.iter().fold(payment(sgd(1_000)), |payment, step| {
        apply(payment, step).unwrap().payment
    })
}

#[test]
fn every_state_answers_every_step() {
    use Step::{Authorize, Capture, End, Refund, Release};
    let rejected = Ended::Rejected(Cause::new("card_declined", "Do not honor"));
    let states = [
        ("pending", after(&[])),
        ("authorized", after(&[Authorize])),
        ("aborted", after(&[End(Ended::Aborted)])),
        ("expired", after(&[End(Ended::Expired)])),
        ("cancelled", after(&[End(Ended::Cancelled)])),
        ("rejected", after(&[End(rejected.clone())])),
    ];
    for (name, payment) in states {
        assert_eq!(payment.state().name(), name);
        for step in [
            Authorize,
            Capture(1),
            Release,
            Refund(1),
            End(rejected.clone()),
        ] {
            let answer = apply(payment.clone(), &step);
            let expected = match (name, &step) {
                ("pending", Authorize | End(_)) | ("authorized", Capture(_) | Release) => None,
                ("authorized", Refund(_)) => Some(Refusal::TooMuch(
                    "SGD 0.01".to_owned(),
                    "SGD 0.00".to_owned(),
                )),
                _ => Some(Refusal::WrongState(name.to_owned())),
            };
            assert_eq!(answer.err(), expected, "{step:?} on {name}");
        }
    }
}

#[test]
fn each_step_names_its_accounts_its_reason_and_its_fact() {
    let begun = payment(sgd(1_000));
    let held = AccountId::Held(begun.head.id.clone());
    let merchant = AccountId::Merchant(begun.head.merchant.clone());
    let clearing = AccountId::Clearing("simulator".to_owned());
    let table = [
        (
            Step::Authorize,
            &clearing,
            &held,
            1_000,
            Reason::Authorize,
            Fact::PaymentAuthorized,
        ),
        (
            Step::Capture(700),
            &held,
            &merchant,
            700,
            Reason::Capture,
            Fact::PaymentCaptured,
        ),
        (
            Step::Release,
            &held,
            &clearing,
            300,
            Reason::Release,
            Fact::PaymentReleased,
        ),
        (
            Step::Refund(200),
            &merchant,
            &clearing,
            200,
            Reason::Refund,
            Fact::PaymentRefunded,
        ),
    ];
    let mut payment = begun;
    for (step, debit, credit, minor, reason, fact) in table {
        let decision = apply(payment, &step).unwrap();
        let [transfer] = decision.journal.transfers() else {
            panic!("{step:?} makes one transfer");
        };
        assert_eq!(
            (transfer.debit(), transfer.credit()),
            (debit, credit),
            "{step:?}"
        );
        assert_eq!(
            (transfer.amount(), transfer.reason()),
            (sgd(minor), reason),
            "{step:?}"
        );
        assert_eq!(decision.fact, fact);
        payment = decision.payment;
    }
    let end = after(&[]).end(NOW, Ended::Aborted).unwrap();
    assert_eq!(
        (end.journal, end.fact),
        (Journal::empty(), Fact::PaymentEnded)
    );
}

#[test]
fn authorise_and_capture_in_one_step_is_both_or_neither() {
    let both = payment(sgd(1_000))
        .authorize(NOW)
        .and_then(|first| first.and_then(|p| p.capture(NOW, sgd(1_000))))
        .unwrap();
    let reasons: Vec<Reason> = both
        .journal
        .transfers()
        .iter()
        .map(|t| t.reason())
        .collect();
    assert_eq!(reasons, [Reason::Authorize, Reason::Capture]);
    assert_eq!(both.fact, Fact::PaymentCaptured);
    let mut books = Books::default();
    books.post(&both.journal);
    agree(&both.payment, &books);

    let neither = payment(sgd(1_000))
        .authorize(NOW)
        .and_then(|first| first.and_then(|p| p.capture(NOW, sgd(1_001))));
    assert_eq!(
        neither.err(),
        Some(Refusal::TooMuch(
            "SGD 10.01".to_owned(),
            "SGD 10.00".to_owned()
        ))
    );
}

#[test]
fn another_currency_is_refused_whatever_the_number() {
    let one_yen = Money::from_minor(1, currency("JPY")).unwrap();
    let authorized = after(&[Step::Authorize]);
    let captured = after(&[Step::Authorize, Step::Capture(1_000)]);
    assert!(matches!(
        authorized.capture(NOW, one_yen),
        Err(Refusal::TooMuch(..))
    ));
    assert!(matches!(
        captured.refund(NOW, one_yen),
        Err(Refusal::TooMuch(..))
    ));
}

#[test]
fn the_largest_amount_goes_all_the_way() {
    let all = sgd(i64::MAX);
    let decision = payment(all)
        .authorize(NOW)
        .and_then(|d| d.and_then(|p| p.capture(NOW, all)))
        .and_then(|d| d.and_then(|p| p.refund(NOW, all)))
        .unwrap();
    let mut books = Books::default();
    books.post(&decision.journal);
    agree(&decision.payment, &books);
}

#[test]
fn a_stored_payment_is_the_same_payment() {
    for payment in [
        after(&[]),
        after(&[Step::Authorize, Step::Capture(10), Step::Refund(3)]),
    ] {
        let restored = Payment::restore(
            payment.head.clone(),
            payment.updated,
            payment.version,
            payment.state().clone(),
        );
        assert_eq!(restored, payment);
        let text = serde_json::to_string(&payment).unwrap();
        assert_eq!(serde_json::from_str::<Payment>(&text).unwrap(), payment);
    }
}
