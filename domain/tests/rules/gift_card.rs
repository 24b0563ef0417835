//! Gift cards: every change with its money, nothing below nothing, and guessing that is hopeless.

use domain::gift_card::{
    CardDecision, CardHead, CardRefusal, CardState, Deed, NewCard, Note, Place, Return, Sign,
    Validity, Worth,
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

fn back(minor: i64, renewed: Validity) -> Return {
    Return {
        amount: sgd(minor),
        renewed,
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
    let held = decision.card.hold(
        part_of(&issued(1, 10_000, true).card, 4_000),
        &here(&shop),
        note(),
    );
    let held = held.unwrap();
    assert_eq!(moved(&held), one("card", "held", 4_000, Reason::Authorize));
    assert_eq!(
        (held.card.balance(), held.card.held()),
        (sgd(10_000), sgd(4_000))
    );
    assert_eq!(held.card.available(), sgd(6_000));
    let payment = held.payment.unwrap().payment;
    let redeemed = held.card.redeem(payment, NOW, note()).unwrap();
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
        .give_back(payment, back(4_000, renewed), NOW, note())
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
    let more = given.card.give_back(payment, back(1, again), NOW, note());
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
    let held = card.hold(payment, &here(&shop), note()).unwrap();
    let payment = held.payment.unwrap().payment;
    let freed = held.card.free(payment, NOW, note()).unwrap();
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
        .hold(part_of(&card(1_000), 600), &here(&shop), note())
        .unwrap();
    let more = held
        .card
        .hold(part(&card(1), 401, "second"), &here(&shop), note());
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
    let nobody_says = local.usable(&at(None));
    assert_eq!(nobody_says, Err(CardRefusal::Elsewhere.into()));
    assert_eq!(local.alive(NOW), Ok(()));
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
        .hold(part_of(&card(1), 300), &here(&shop), note())
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
    let taken = over
        .card
        .clone()
        .redeem(payment.clone(), ends, note())
        .unwrap();
    assert_eq!(taken.card.balance(), sgd(0));
    let freed = over.card.free(payment, ends, note()).unwrap();
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
        .give_back(payment, back(300, renewed), ends, note())
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
    let held = card(10)
        .hold(part_of(&card(1), 10), &here(&shop), note())
        .unwrap();
    let other = issued(2, 0, true).card;
    let moved = held.card.move_to(other, NOW, note());
    assert_eq!(moved, Err(Refusal::TryUnderWay), "a payment holds a part");
}

#[test]
fn what_a_replaced_card_took_goes_to_the_last_in_its_line() {
    let shop = caller().merchant.id;
    let first = card(1_000);
    let payment = part_of(&first, 600);
    let held = first.hold(payment, &here(&shop), note()).unwrap();
    let payment = held.payment.unwrap().payment;
    let taken = held.card.redeem(payment, NOW, note()).unwrap();
    let lost = Note::new("operator", "lost");
    let (first, second) = taken
        .card
        .move_to(issued(2, 0, true).card, NOW, lost.clone())
        .unwrap();
    assert_eq!(
        first.activity.note.reason,
        "lost, to the card ending in 12345"
    );
    assert_eq!(
        second.activity.note.reason,
        "lost, from the card ending in 12345"
    );
    let third = issued(3, 0, true).card;
    let (second, third) = second.card.move_to(third, NOW, lost).unwrap();
    let ends = third.card.validity.ends;
    let third = third.card.expire(ends, note()).unwrap().card;
    let renewed = Validity {
        last_day: "2030-01-01".to_owned(),
        ends: later(1_000),
    };
    let given = first.card.give_back(
        taken.payment.unwrap().payment,
        back(600, renewed.clone()),
        ends,
        note(),
    );
    let first = given.unwrap().card;
    assert_eq!(
        (first.state(), first.balance()),
        (CardState::Closed, sgd(600))
    );
    assert!(first.has_to_pass_on());
    // Only to the card that took its place.
    let astray = first
        .clone()
        .pass_on(third.clone(), renewed.clone(), ends, note());
    assert_eq!(astray, Err(CardRefusal::Elsewhere.into()));
    let (out, into) = first
        .pass_on(second.card, renewed.clone(), ends, note())
        .unwrap();
    assert_eq!(moved(&out), one("card", "card", 600, Reason::Transfer));
    assert!(into.card.has_to_pass_on() && into.card.state() == CardState::Closed);
    let (out, into) = into.card.pass_on(third, renewed, ends, note()).unwrap();
    assert!(!out.card.has_to_pass_on() && out.card.balance() == sgd(0));
    let last = into.card;
    assert_eq!(
        (last.state(), last.available()),
        (CardState::Active, sgd(600))
    );
    assert_eq!(last.validity.last_day, "2030-01-01");
}

#[test]
fn a_closed_card_without_a_known_successor_can_be_moved_by_hand() {
    let shop = caller().merchant.id;
    let first = card(1_000);
    let payment = part_of(&first, 600);
    let held = first.hold(payment, &here(&shop), note()).unwrap();
    let payment = held.payment.unwrap().payment;
    let taken = held.card.redeem(payment, NOW, note()).unwrap();
    let (first, _) = taken
        .card
        .move_to(issued(2, 0, true).card, NOW, note())
        .unwrap();
    let card = first.card;
    let worth = Worth {
        balance: card.balance(),
        held: card.held(),
    };
    let (head, validity) = (card.head.clone(), card.validity.clone());
    let state = (CardState::Closed, None);
    let old = GiftCard::restore(head, validity.clone(), state, worth, card.version).unwrap();
    let payment = taken.payment.unwrap().payment;
    let given = old.give_back(payment, back(600, validity), NOW, note());
    let blocked = given.unwrap().card;
    assert_eq!(
        (blocked.state(), blocked.balance()),
        (CardState::Blocked, sgd(600))
    );
    assert!(
        blocked
            .move_to(issued(3, 0, true).card, NOW, note())
            .is_ok()
    );
}

#[test]
fn a_foreign_payment_moves_nothing() {
    let shop = caller().merchant.id;
    let other = issued(2, 1_000, true).card;
    let payment = part_of(&other, 10);
    let refused = card(1_000).hold(payment, &here(&shop), note());
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
    Replace,
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
        1 => Just(Step::Replace),
    ]
}

/// A card, those that it took the place of, and what payments drew on any of them.
struct Line {
    /// Oldest first; the last one is in use.
    cards: Vec<GiftCard>,
    payments: Vec<Payment>,
}

impl Line {
    fn last(&self) -> GiftCard {
        self.cards.last().unwrap().clone()
    }

    /// The payment that is picked and the card that it draws on.
    fn pick(&self, at: usize) -> Option<(GiftCard, Payment)> {
        let payment = self.payments.get(at.checked_rem(self.payments.len())?)?;
        let id = &payment.head.gift_card.as_ref()?.card;
        let card = self.cards.iter().find(|card| card.head.id == *id)?;
        Some((card.clone(), payment.clone()))
    }

    /// One step: its decisions in order; none if it was refused, and then nothing has changed.
    fn step(&self, step: Step, number: usize) -> Result<Vec<CardDecision>, Refusal> {
        let shop = caller().merchant.id;
        let refused = Refusal::UnknownRoute;
        let picked = |at| self.pick(at).ok_or(refused.clone());
        let last = self.last();
        let one = |decision| Ok(vec![decision]);
        match step {
            Step::Hold(minor) => {
                let payment = part(&last, minor, &format!("part {number}"));
                one(last.hold(payment, &here(&shop), note())?)
            }
            Step::Redeem(at) => {
                let (card, payment) = picked(at)?;
                one(card.redeem(payment, NOW, note())?)
            }
            Step::Free(at) => {
                let (card, payment) = picked(at)?;
                one(card.free(payment, NOW, note())?)
            }
            Step::GiveBack(at, minor) => {
                let (card, payment) = picked(at)?;
                self.give_back(card, payment, minor)
            }
            Step::TopUp(minor) => one(last.top_up(sgd(minor), NOW, note())?),
            Step::Block => one(last.block(NOW, note())?),
            Step::Unblock => one(last.unblock(NOW, note())?),
            Step::Expire(days) => one(last.expire(later(days), note())?),
            Step::Replace => {
                let new = issued(u8::try_from(100 + number).unwrap(), 0, true);
                let (out, into) = last.move_to(new.card.clone(), NOW, note())?;
                Ok(vec![new, out, into])
            }
        }
    }

    fn give_back(
        &self,
        card: GiftCard,
        payment: Payment,
        minor: i64,
    ) -> Result<Vec<CardDecision>, Refusal> {
        let renewed = Validity {
            last_day: "2040-01-01".to_owned(),
            ends: later(5_000),
        };
        let mut told = vec![card.give_back(payment, back(minor, renewed.clone()), NOW, note())?];
        loop {
            let holder = told.last().unwrap().card.clone();
            if !holder.has_to_pass_on() {
                return Ok(told);
            }
            let next = self
                .cards
                .iter()
                .find(|c| Some(&c.head.id) == holder.successor());
            let next = next.unwrap().clone();
            let (out, into) = holder.pass_on(next, renewed.clone(), NOW, note())?;
            told.extend([out, into]);
        }
    }

    /// Saves a decision; what the card was worth before it.
    fn save(&mut self, decision: &CardDecision) -> i64 {
        if let Some(change) = &decision.payment {
            let id = &change.payment.head.id;
            self.payments.retain(|payment| payment.head.id != *id);
            self.payments.push(change.payment.clone());
        }
        let card = &decision.card;
        let place = self.cards.iter().position(|c| c.head.id == card.head.id);
        let before = place.map_or(0, |place| self.cards[place].balance().minor());
        match place {
            Some(place) => {
                assert_eq!(card.version, self.cards[place].version + 1);
                self.cards[place] = card.clone();
            }
            None => self.cards.push(card.clone()),
        }
        before
    }

    /// The sum over all cards.
    fn sum(&self, of: impl Fn(&GiftCard) -> Money) -> i64 {
        self.cards.iter().map(|card| of(card).minor()).sum()
    }
}

proptest! {
    #[test]
    fn the_row_is_always_what_the_ledger_says(
        first in 0_i64..3_000,
        steps in prop::collection::vec(any_step(), 0..60),
    ) {
        let mut accounts = std::collections::BTreeMap::<String, i64>::new();
        let mut post = |decision: &CardDecision| {
            for (from, to, minor, _) in moved(decision) {
                *accounts.entry(from).or_default() -= minor;
                *accounts.entry(to).or_default() += minor;
            }
            accounts.clone()
        };
        let decision = issued(1, first, true);
        let mut now = post(&decision);
        let mut line = Line { cards: vec![decision.card], payments: Vec::new() };
        for (number, wanted) in steps.into_iter().enumerate() {
            let Ok(decisions) = line.step(wanted, number) else { continue };
            for decision in &decisions {
                now = post(decision);
                let before = line.save(decision);
                let told = decision.activity.amount.minor();
                let change = decision.card.balance().minor() - before;
                prop_assert_eq!(change, match decision.activity.deed.sign() {
                    Sign::More => told,
                    Sign::Less => -told,
                    Sign::Same => 0,
                });
            }
            let of = |name: &str| now.get(name).copied().unwrap_or_default();
            prop_assert_eq!(line.sum(GiftCard::available), of("card"));
            prop_assert_eq!(line.sum(GiftCard::held), of("held"));
            prop_assert!(of("card") >= 0 && of("held") >= 0);
            let gone = of("redeemed") + of("breakage");
            prop_assert_eq!(-of("issued"), of("card") + of("held") + gone);
            let stuck = line.cards.iter().any(|card| {
                card.state() == CardState::Closed && !card.balance().is_zero()
            });
            prop_assert!(!stuck, "nothing stays on a card that was replaced");
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
    let places = |shops: &[&str], rest_by: &[&str]| Programme {
        shops: shops.iter().map(|shop| (*shop).to_owned()).collect(),
        rest_by: rest_by.iter().map(|by| (*by).to_owned()).collect(),
        ..Programme::default()
    };
    assert_eq!(places(&["100001"], &["card", "wallet"]).check(), Ok(()));
    assert!(places(&["10001"], &[]).check().is_err());
    assert!(places(&["1٠0001"], &[]).check().is_err());
    for by in ["gift_card", "foo", "Card", ""] {
        assert!(places(&[], &[by]).check().is_err(), "{by}");
    }
    assert!(places(&[], &[]).has_shop("999999") && places(&["100001"], &[]).has_shop("100001"));
    assert!(!places(&["100001"], &[]).has_shop("100002"));
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
