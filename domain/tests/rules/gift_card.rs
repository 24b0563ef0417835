//! Gift cards: every change with its money, nothing below nothing, and guessing that is hopeless.

use domain::gift_card::{
    CardDecision, CardHead, CardRefusal, CardState, Deed, NewCard, Note, Place, Sign, Validity,
};
use domain::guess::{Meter, Rules, Scope};
use domain::ledger::Reason;
use domain::payment::GiftPart;
use domain::programme::{CardEntry, EntryProblem, number_digits};
use domain::{
    AccountId, CardId, GiftCard, MerchantId, Mode, Money, Payment, Programme, Refusal, Span,
    Timestamp, WireId,
};
use proptest::prelude::*;

use crate::samples::{NOW, ask, bill, caller, currency, moment, sgd};

fn note() -> Note {
    Note::new("operator", "test")
}

fn later(days: u64) -> Timestamp {
    NOW.plus(Span::from_minutes(days * 24 * 60))
}

fn issued(number: u8, amount: i64, active: bool) -> CardDecision {
    let head = CardHead {
        id: CardId::mint(&moment(number), "card"),
        merchant: caller().merchant.id,
        mode: Mode::Test,
        last5: "12345".to_owned(),
        vendors: vec![],
        created: NOW,
    };
    let new = NewCard {
        head,
        amount: sgd(amount),
        validity: Validity {
            last_day: "2027-12-31".to_owned(),
            ends: later(365),
        },
        active,
    };
    GiftCard::issue(new, note()).unwrap()
}

fn card(amount: i64) -> GiftCard {
    issued(1, amount, true).card
}

/// A part of a bill, just begun.
fn part(card: &GiftCard, amount: i64, label: &str) -> Payment {
    let part = GiftPart {
        card: card.head.id.clone(),
        last5: card.head.last5.clone(),
    };
    let at = moment(4).branch(label);
    let wire = WireId::new(label).unwrap();
    Payment::begin_part(&at, &bill(ask(sgd(5_000))), wire, part, sgd(amount))
}

fn here(merchant: &MerchantId) -> Place<'_> {
    Place {
        merchant,
        vendor: None,
        now: NOW,
    }
}

/// Debit, credit, minor units and reason of everything that a decision moves.
fn moved(decision: &CardDecision) -> Vec<(String, String, i64, Reason)> {
    let own = decision.journal.transfers();
    let payments = decision.payment.iter().flat_map(|p| p.journal.transfers());
    let name = |account: &AccountId| account.to_string().split(':').next().unwrap().to_owned();
    own.iter()
        .chain(payments)
        .map(|t| {
            let amount = t.amount().minor();
            (name(t.debit()), name(t.credit()), amount, t.reason())
        })
        .collect()
}

fn one(from: &str, to: &str, minor: i64, why: Reason) -> Vec<(String, String, i64, Reason)> {
    vec![(from.to_owned(), to.to_owned(), minor, why)]
}

#[test]
fn a_card_is_issued_held_redeemed_and_given_back() {
    let shop = caller().merchant.id;
    let decision = issued(1, 10_000, true);
    assert_eq!(
        moved(&decision),
        one("issued", "card", 10_000, Reason::Issue)
    );
    let held = decision
        .card
        .hold(part_of(&issued(1, 10_000, true).card, 4_000), &here(&shop));
    let held = held.unwrap();
    assert_eq!(moved(&held), one("card", "held", 4_000, Reason::Authorize));
    assert_eq!(
        (held.card.balance(), held.card.held()),
        (sgd(10_000), sgd(4_000))
    );
    assert_eq!(held.card.available(), sgd(6_000));
    let payment = held.payment.unwrap().payment;
    let redeemed = held.card.redeem(payment, NOW).unwrap();
    assert_eq!(
        moved(&redeemed),
        one("held", "redeemed", 4_000, Reason::Capture)
    );
    assert_eq!(
        (redeemed.card.balance(), redeemed.card.held()),
        (sgd(6_000), sgd(0))
    );
    let payment = redeemed.payment.unwrap().payment;
    let renewed = Validity {
        last_day: "2030-01-01".to_owned(),
        ends: later(1_000),
    };
    let given = redeemed
        .card
        .give_back(payment, sgd(4_000), NOW, renewed)
        .unwrap();
    assert_eq!(
        moved(&given),
        one("redeemed", "card", 4_000, Reason::Refund)
    );
    assert_eq!(given.card.available(), sgd(10_000));
    assert_eq!(
        given.card.validity.last_day, "2027-12-31",
        "it was still good"
    );
    assert_eq!(
        (given.activity.place, given.activity.deed),
        (4, Deed::GiveBack)
    );
    let payment = given.payment.unwrap().payment;
    let again = Validity {
        last_day: "2030-01-01".to_owned(),
        ends: later(1_000),
    };
    let more = given.card.give_back(payment, sgd(1), NOW, again);
    assert!(
        matches!(more, Err(Refusal::TooMuch(..))),
        "never more than it took"
    );
}

fn part_of(card: &GiftCard, amount: i64) -> Payment {
    part(card, amount, "part")
}

#[test]
fn what_is_held_is_freed_again() {
    let shop = caller().merchant.id;
    let card = card(1_000);
    let payment = part_of(&card, 1_000);
    let held = card.hold(payment, &here(&shop)).unwrap();
    let payment = held.payment.unwrap().payment;
    let freed = held.card.free(payment, NOW).unwrap();
    assert_eq!(moved(&freed), one("held", "card", 1_000, Reason::Release));
    assert_eq!(freed.card.available(), sgd(1_000));
}

#[test]
fn nothing_is_drawn_that_is_not_there() {
    let shop = caller().merchant.id;
    let draws = |needed: i64, wanted: Option<i64>| card(1_000).draw(sgd(needed), wanted.map(sgd));
    assert_eq!(draws(5_000, None), Ok(sgd(1_000)));
    assert_eq!(draws(400, None), Ok(sgd(400)));
    assert_eq!(draws(5_000, Some(600)), Ok(sgd(600)));
    assert_eq!(
        draws(5_000, Some(1_001)),
        Err(CardRefusal::NotEnough.into())
    );
    assert_eq!(draws(5_000, Some(0)), Err(CardRefusal::NotEnough.into()));
    assert!(matches!(draws(400, Some(401)), Err(Refusal::TooMuch(..))));
    assert_eq!(
        card(0).draw(sgd(1), None),
        Err(CardRefusal::NotEnough.into())
    );
    let nok = Money::from_minor(1, currency("NOK")).unwrap();
    assert_eq!(card(1).draw(nok, None), Err(CardRefusal::Elsewhere.into()));
    let held = card(1_000)
        .hold(part_of(&card(1_000), 600), &here(&shop))
        .unwrap();
    let more = held.card.hold(part(&card(1), 401, "second"), &here(&shop));
    assert_eq!(more, Err(CardRefusal::NotEnough.into()));
}

#[test]
fn a_card_is_good_where_when_and_if_it_says() {
    let shop = caller().merchant.id;
    let other = MerchantId::mint(&moment(9), "other");
    assert_eq!(card(1).usable(&here(&shop)), Ok(()));
    assert_eq!(
        card(1).usable(&here(&other)),
        Err(CardRefusal::Elsewhere.into())
    );
    let mut local = card(1);
    local.head.vendors = vec!["100001".to_owned()];
    let at = |vendor| Place {
        vendor,
        ..here(&shop)
    };
    assert_eq!(local.usable(&at(Some("100001"))), Ok(()));
    assert_eq!(
        local.usable(&at(Some("100002"))),
        Err(CardRefusal::Elsewhere.into())
    );
    let last = |now| Place { now, ..here(&shop) };
    let ends = card(1).validity.ends;
    assert_eq!(
        card(1).usable(&last(ends.minus(Span::from_millis(1)))),
        Ok(())
    );
    assert_eq!(
        card(1).usable(&last(ends)),
        Err(CardRefusal::Expired.into())
    );
    let inactive = issued(1, 1, false).card;
    assert_eq!(
        inactive.usable(&here(&shop)),
        Err(CardRefusal::NotUsable.into())
    );
    let active = inactive.activate(NOW, note()).unwrap().card;
    let blocked = active.block(NOW, note()).unwrap().card;
    assert_eq!(
        blocked.usable(&here(&shop)),
        Err(CardRefusal::NotUsable.into())
    );
    assert!(blocked.clone().block(NOW, note()).is_err(), "twice");
    let free = blocked.unblock(NOW, note()).unwrap().card;
    assert_eq!(free.usable(&here(&shop)), Ok(()));
    assert!(free.unblock(NOW, note()).is_err());
}

#[test]
fn expiry_is_a_posting_and_leaves_what_is_held() {
    let shop = caller().merchant.id;
    let held = card(1_000)
        .hold(part_of(&card(1), 300), &here(&shop))
        .unwrap();
    assert!(held.card.clone().expire(NOW, note()).is_err(), "not yet");
    let ends = held.card.validity.ends;
    let over = held.card.expire(ends, note()).unwrap();
    assert_eq!(moved(&over), one("card", "breakage", 700, Reason::Expire));
    assert_eq!(
        (over.card.balance(), over.card.held()),
        (sgd(300), sgd(300))
    );
    assert!(!over.card.is_due(ends), "once");
    // What was reserved in time is still paid; what is freed is due once more.
    let payment = held.payment.unwrap().payment;
    let taken = over.card.clone().redeem(payment.clone(), ends).unwrap();
    assert_eq!(taken.card.balance(), sgd(0));
    let freed = over.card.free(payment, ends).unwrap();
    assert!(freed.card.is_due(ends));
    let rest = freed.card.expire(ends, note()).unwrap();
    assert_eq!(moved(&rest), one("card", "breakage", 300, Reason::Expire));
    // Money that comes back to an expired card makes it good again.
    let renewed = Validity {
        last_day: "2028-06-01".to_owned(),
        ends: ends.plus(Span::from_minutes(60)),
    };
    let payment = taken.payment.unwrap().payment;
    let back = taken
        .card
        .give_back(payment, sgd(300), ends, renewed)
        .unwrap();
    assert_eq!(back.card.state(), CardState::Active);
    assert_eq!(
        back.card.usable(&Place {
            now: ends,
            ..here(&shop)
        }),
        Ok(())
    );
}

#[test]
fn a_lost_card_is_replaced_once() {
    let (old, new) = (issued(1, 900, true).card, issued(2, 0, true).card);
    let (out, into) = old.move_to(new, NOW, note()).unwrap();
    assert_eq!(moved(&out), one("card", "card", 900, Reason::Transfer));
    assert_eq!(moved(&into), vec![]);
    assert_eq!(
        (out.card.state(), out.card.balance()),
        (CardState::Closed, sgd(0))
    );
    assert_eq!(into.card.available(), sgd(900));
    assert!(
        out.card
            .clone()
            .move_to(into.card.clone(), NOW, note())
            .is_err()
    );
    assert!(out.card.clone().top_up(sgd(1), NOW, note()).is_err());
    let topped = into.card.top_up(sgd(100), NOW, note()).unwrap();
    assert_eq!(moved(&topped), one("issued", "card", 100, Reason::Issue));
    assert!(topped.card.top_up(sgd(0), NOW, note()).is_err());
    let shop = caller().merchant.id;
    let held = card(10).hold(part_of(&card(1), 10), &here(&shop)).unwrap();
    let other = issued(2, 0, true).card;
    let moved = held.card.move_to(other, NOW, note());
    assert_eq!(moved, Err(Refusal::TryUnderWay), "a payment holds a part");
}

#[test]
fn a_foreign_payment_moves_nothing() {
    let shop = caller().merchant.id;
    let other = issued(2, 1_000, true).card;
    let payment = part_of(&other, 10);
    let refused = card(1_000).hold(payment, &here(&shop));
    assert_eq!(refused, Err(CardRefusal::Elsewhere.into()));
}

#[test]
fn words_are_read_back() {
    for deed in Deed::ALL {
        assert_eq!(Deed::parse(deed.as_str()), Some(deed));
    }
    for state in CardState::ALL {
        assert_eq!(CardState::parse(state.as_str()), Some(state));
    }
    assert_eq!((Deed::parse("x"), CardState::parse("x")), (None, None));
}

#[derive(Clone, Debug)]
enum Step {
    Hold(i64),
    Redeem(usize),
    Free(usize),
    GiveBack(usize, i64),
    TopUp(i64),
    Block,
    Unblock,
    Expire(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_i64..2_000).prop_map(Step::Hold),
        3 => any::<usize>().prop_map(Step::Redeem),
        2 => any::<usize>().prop_map(Step::Free),
        2 => (any::<usize>(), 1_i64..2_000).prop_map(|(at, minor)| Step::GiveBack(at, minor)),
        1 => (0_i64..500).prop_map(Step::TopUp),
        1 => Just(Step::Block),
        1 => Just(Step::Unblock),
        1 => (0_u64..500).prop_map(Step::Expire),
    ]
}

/// One step; a refusal leaves everything as it was.
fn step(
    card: &GiftCard,
    payments: &mut Vec<Payment>,
    step: Step,
    number: usize,
) -> Option<CardDecision> {
    let shop = caller().merchant.id;
    let pick =
        |payments: &[Payment], at: usize| payments.get(at.checked_rem(payments.len())?).cloned();
    let renewed = Validity {
        last_day: "2040-01-01".to_owned(),
        ends: later(5_000),
    };
    let card = card.clone();
    let decided = match step {
        Step::Hold(minor) => {
            let payment = part(&card, minor, &format!("part {number}"));
            let held = card.hold(payment, &here(&shop)).ok()?;
            payments.push(held.payment.clone().unwrap().payment);
            return Some(held);
        }
        Step::Redeem(at) => card.redeem(pick(payments, at)?, NOW),
        Step::Free(at) => card.free(pick(payments, at)?, NOW),
        Step::GiveBack(at, minor) => card.give_back(pick(payments, at)?, sgd(minor), NOW, renewed),
        Step::TopUp(minor) => card.top_up(sgd(minor), NOW, note()),
        Step::Block => card.block(NOW, note()),
        Step::Unblock => card.unblock(NOW, note()),
        Step::Expire(days) => card.expire(later(days), note()),
    };
    let decided = decided.ok()?;
    if let Some(change) = &decided.payment {
        let id = &change.payment.head.id;
        let place = payments.iter_mut().find(|p| p.head.id == *id).unwrap();
        *place = change.payment.clone();
    }
    Some(decided)
}

proptest! {
    #[test]
    fn the_row_is_always_what_the_ledger_says(
        first in 0_i64..3_000,
        steps in prop::collection::vec(any_step(), 0..40),
    ) {
        let decision = issued(1, first, true);
        let mut accounts = std::collections::BTreeMap::<String, i64>::new();
        let mut post = |decision: &CardDecision| {
            for (from, to, minor, _) in moved(decision) {
                *accounts.entry(from).or_default() -= minor;
                *accounts.entry(to).or_default() += minor;
            }
            accounts.clone()
        };
        let mut now = post(&decision);
        let (mut card, mut payments) = (decision.card, Vec::new());
        for (number, wanted) in steps.into_iter().enumerate() {
            let Some(decision) = step(&card, &mut payments, wanted, number) else { continue };
            now = post(&decision);
            prop_assert_eq!(decision.activity.place, card.version + 1);
            let sign = decision.activity.deed.sign();
            let change = decision.card.balance().minor() - card.balance().minor();
            let told = decision.activity.amount.minor();
            prop_assert_eq!(change, match sign {
                Sign::More => told,
                Sign::Less => -told,
                Sign::Same => 0,
            });
            card = decision.card;
            let of = |name: &str| now.get(name).copied().unwrap_or_default();
            prop_assert_eq!(card.available().minor(), of("card"));
            prop_assert_eq!(card.held().minor(), of("held"));
            prop_assert!(of("card") >= 0 && of("held") >= 0);
            let gone = of("redeemed") + of("breakage");
            prop_assert_eq!(-of("issued"), of("card") + of("held") + gone);
        }
        prop_assert_eq!(now.values().sum::<i64>(), 0);
    }

    #[test]
    fn numbers_are_random_and_of_the_scheme(seed in any::<u8>(), label in "[a-z]{1,9}") {
        let programme = Programme::default();
        let made = programme.make(&moment(seed), &label);
        let number = made.number.expose();
        prop_assert!(number.starts_with(&programme.prefix) && number.len() == 19);
        prop_assert_eq!(number_digits(number), Some(number.to_owned()));
        let code = made.cvc.clone().unwrap();
        let cvc = code.expose();
        prop_assert_eq!(CardEntry::read(number, cvc).unwrap(), made.clone());
        let next = programme.make(&moment(seed), &format!("{label}x"));
        prop_assert!(next.number != made.number);
        let printed = format!("{made:?}");
        prop_assert!(!printed.contains(number));
    }
}

#[test]
fn what_is_typed_is_read_or_named() {
    let read = |number: &str, cvc: &str| CardEntry::read(number, cvc);
    let entry = read(" 9578 4111-0050 1234567 ", " 123 ").unwrap();
    assert_eq!(entry.number.expose(), "9578411100501234567");
    assert_eq!(entry.last5(), "34567");
    use EntryProblem::{CvcInvalid, CvcMissing, NumberInvalid, NumberMissing};
    assert_eq!(read("", "").unwrap_err(), [NumberMissing, CvcMissing]);
    assert_eq!(
        read("12345678901x", "12").unwrap_err(),
        [NumberInvalid, CvcInvalid]
    );
    assert_eq!(
        read("95784111005012345678", "١٢٣").unwrap_err(),
        [NumberInvalid, CvcInvalid]
    );
}

#[test]
fn a_programme_leaves_enough_to_chance() {
    let with = |prefix: &str, digits| Programme {
        prefix: prefix.to_owned(),
        digits,
        ..Programme::default()
    };
    assert_eq!(with("957841110050", 19).check(), Ok(()));
    assert!(
        with("9578411100501", 19).check().is_err(),
        "six random digits"
    );
    assert!(with("95a", 19).check().is_err());
    assert!(with("9", 11).check().is_err() && with("9", 20).check().is_err());
    let never = Programme {
        months: 0,
        ..Programme::default()
    };
    assert!(never.check().is_err());
}

#[test]
fn a_million_guesses_open_nothing() {
    // One card, and somebody who tries its thousand codes as fast as the meter allows, for as
    // long as the card is not blocked.
    let rule = Rules::default().card;
    let (mut meter, mut now, mut tries, mut locked) = (Meter::new(NOW), NOW, 0_u32, 0_u32);
    for _ in 0..1_000_000 {
        match meter.admit(now) {
            Ok(()) => {
                let (next, all_day) = meter.wrong(now, &rule);
                meter = next;
                tries += 1;
                if all_day {
                    break;
                }
            }
            Err(wait) => {
                locked += 1;
                now = now.plus(wait);
            }
        }
    }
    assert_eq!(
        (tries, locked),
        (20, 3),
        "blocked after twenty, three waits in between"
    );
    // Guessers who spread over cards are stopped by their address: a million tries take a month.
    let rule = *Rules::default().of(Scope::Address);
    let (mut meter, mut now, mut tries) = (Meter::new(NOW), NOW, 0_u32);
    while tries < 1_000_000 {
        match meter.admit(now) {
            Ok(()) => {
                meter = meter.wrong(now, &rule).0;
                tries += 1;
            }
            Err(wait) => now = now.plus(wait),
        }
    }
    let days = now.since(NOW).millis() / 86_400_000;
    assert!(days > 500, "{days} days");
}

#[test]
fn a_meter_forgets_what_is_long_ago() {
    let rule = Rules::default().card;
    let mut meter = Meter::new(NOW);
    for _ in 0..4 {
        meter = meter.wrong(NOW, &rule).0;
    }
    assert_eq!(meter.admit(NOW), Ok(()));
    let right = meter.right();
    assert_eq!((right.wrong, right.today), (0, 4), "the day still counts");
    let (next_day, _) = meter.wrong(later(1), &rule);
    assert_eq!((next_day.wrong, next_day.today), (1, 1));
    let (locked, _) = meter.wrong(NOW, &rule);
    assert_eq!(locked.admit(NOW), Err(rule.lock));
    assert_eq!(locked.admit(NOW.plus(rule.lock)), Ok(()));
}
