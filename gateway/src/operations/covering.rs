//! Paying a bill with gift cards, whole or in part.
//!
//! A card that is added to a bill holds its part at once: a payment of its own, authorised and not
//! captured. The parts are taken together when the payer presses pay, or in the transaction in
//! which another method pays the rest; they are freed when a card is removed and when the bill
//! ends in any other way. So from outside a bill is paid whole or nothing has moved.

use dialects::{Dialect, Kind};
use domain::bill::{CardAccess, METHODS_NAMED};
use domain::gift_card::{Note, Place};
use domain::limits::{CHALLENGE_MAX, HOLD_MAX, PARTS_PER_BILL, SWEEP_MAX};
use domain::payment::{GIFT_CARD, GiftPart};
use domain::programme::CardUse;
use domain::{
    Bill, CardRefusal, GiftCard, Moment, Money, Payment, PaymentState, Refusal, Span, WireId,
};
use serde_json::json;
use store::tables::{attempts, gift_cards as table, payments, reservations};
use store::{Failure, Fault, Tx};

use super::bills::page_bill;
use super::gift_cards::{card, save_with_payment};
use super::guesses::{Tried, Visitor, Watch, check};
use super::payments::replace_open_tries;
use super::{dialect_of, refused, wire};
use crate::app::App;

/// How far gift cards cover a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// May gift cards be used at all?
    pub offered: bool,
    /// What each card holds, in the order in which they were added.
    pub parts: Vec<Part>,
    /// The sum of that.
    pub covered: Money,
    /// What is left to pay.
    pub remaining: Money,
    /// May a card be used without its code, because it lies before whoever types it?
    pub by_hand: bool,
    /// By which methods the rest may be paid on the same page, besides those of the bill.
    pub rest_by: Vec<String>,
    /// May another card be added?
    pub adds: bool,
}

/// What one card holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The payment that holds it.
    pub payment: WireId,
    /// The last five digits of the card.
    pub last5: String,
    /// How much.
    pub amount: Money,
    /// What could be used of the card before.
    pub balance: Money,
}

/// How far gift cards cover a bill now.
pub async fn cover(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
) -> Result<Cover, Failure> {
    let (id, most) = (id.clone(), app.site.gift_cards_max());
    app.store
        .read("gift_card_cover", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            cover_in(tx, &bill, most)
        })
        .await
}

pub(super) fn cover_in(tx: &mut Tx<'_>, bill: &Bill, most: usize) -> Result<Cover, Failure> {
    let terms = terms(tx, bill)?;
    let mut parts = Vec::new();
    for payment in payments::held_parts(tx, &bill.head.id)? {
        let Some(part) = &payment.head.gift_card else {
            continue;
        };
        let available = card(tx, &part.card)?.available();
        parts.push(Part {
            payment: payment.head.wire.clone(),
            last5: part.last5.clone(),
            amount: payment.head.amount,
            balance: sum(available, payment.head.amount)?,
        });
    }
    let mut covered = Money::zero(bill.ask.amount.currency());
    for part in &parts {
        covered = sum(covered, part.amount)?;
    }
    let remaining = left_of(bill.ask.amount, covered)?;
    Ok(Cover {
        offered: terms.offered,
        covered,
        remaining,
        adds: !remaining.is_zero() && parts.len() < most,
        by_hand: at_till(bill, &terms),
        parts,
        rest_by: terms.rest_by,
    })
}

/// What gift cards may do for a bill.
pub(super) struct Terms {
    pub(super) offered: bool,
    pub(super) rest_by: Vec<String>,
    pub(super) card_present: bool,
}

/// Gift cards pay a bill that names them, and, if the merchant wants it so, every bill that names
/// no methods at all. A bill that many may pay has none: nobody could tell whose cards are whose.
/// A reservation has one: its call names how it is paid.
pub(super) fn terms(tx: &mut Tx<'_>, bill: &Bill) -> Result<Terms, Fault> {
    let programme = table::programme(tx, &bill.head.merchant, bill.head.mode)?;
    let named = bill.ask.methods.iter().any(|method| method == GIFT_CARD);
    let free = !bill.ask.extras.contains_key(METHODS_NAMED);
    let everywhere = programme.as_ref().is_some_and(|p| p.everywhere)
        && free
        && reservations::of_bill(tx, &bill.head.id)?.is_none();
    let programme = programme.unwrap_or_default();
    Ok(Terms {
        offered: (named || everywhere) && !bill.ask.repeatable,
        rest_by: match bill.ask.card_access() {
            Some(_) => programme.rest_by,
            None => Vec::new(),
        },
        card_present: programme.card_present,
    })
}

/// Does a till with leave for it show the page? Only there a card needs no code.
fn at_till(bill: &Bill, terms: &Terms) -> bool {
    bill.ask.card_access() == Some(CardAccess::AtTill) && terms.card_present
}

/// Does a bill take this method for what gift cards do not cover? One that gift cards pay first of
/// all takes what its merchant allows, and only for a rest: a card must hold a part of it.
pub(super) fn takes(
    tx: &mut Tx<'_>,
    bill: &Bill,
    method: &str,
    rest: Money,
) -> Result<bool, Fault> {
    if method == GIFT_CARD || rest.is_zero() {
        return Ok(false);
    }
    if bill.ask.card_access().is_none() {
        return Ok(bill.ask.methods.iter().any(|own| own == method));
    }
    let allowed = terms(tx, bill)?.rest_by.iter().any(|by| by == method);
    Ok(allowed && rest != bill.ask.amount)
}

/// What other methods have to pay: all that gift cards do not hold.
pub(super) fn rest(tx: &mut Tx<'_>, bill: &Bill) -> Result<Money, Failure> {
    let mut covered = Money::zero(bill.ask.amount.currency());
    for payment in payments::held_parts(tx, &bill.head.id)? {
        covered = sum(covered, payment.head.amount)?;
    }
    Ok(left_of(bill.ask.amount, covered)?)
}

fn sum(one: Money, other: Money) -> Result<Money, Fault> {
    one.checked_add(other)
        .map_err(|error| Fault(format!("gift-card parts of a bill: {error}")))
}

/// What is left of an amount after a part of it.
pub(super) fn left_of(needed: Money, amount: Money) -> Result<Money, Fault> {
    needed
        .checked_sub(amount)
        .map_err(|error| Fault(format!("gift-card parts of a bill: {error}")))
}

/// Adds a card to a bill on its page: its part is held from now on.
pub async fn add(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
    wanted: &CardUse,
    visitor: &Visitor,
) -> Result<Cover, Failure> {
    let (at, id) = (app.moment(), id.clone());
    let tried = Tried::new(app.vault.hashing(), &wanted.entry);
    let watch = Watch::new(app, id.as_str(), visitor);
    let (amount, most) = (wanted.amount, app.site.gift_cards_max());
    let told = app
        .store
        .write("add_gift_card", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            bill.admit(at.now)?;
            let terms = terms(tx, &bill)?;
            let bare = tried.is_without_code() && !at_till(&bill, &terms);
            if !terms.offered || bare {
                return refused(Refusal::NoMethod);
            }
            let needed = rest(tx, &bill)?;
            let held = payments::held_parts(tx, &bill.head.id)?;
            if held.len() >= most || needed.is_zero() {
                return refused(CardRefusal::TooMany.into());
            }
            let card = match check(tx, &at, &bill, &tried, &watch)? {
                Ok(card) => card,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if held.iter().any(|part| draws_on(part, &card)) {
                return refused(CardRefusal::Twice.into());
            }
            replace_open_tries(tx, &at, &bill)?;
            let made = payments::parts(tx, &bill.head.id, PARTS_PER_BILL)?.len();
            if u32::try_from(made).unwrap_or(u32::MAX) >= PARTS_PER_BILL {
                return refused(Refusal::TooManyTries);
            }
            let place = place(&bill, &at);
            card.usable(&place)?;
            let amount = card.draw(needed, amount)?;
            let note = why("payer", "", &bill);
            hold(tx, &at, &bill, (card, amount, 0), &note)?;
            Ok(Ok(cover_in(tx, &bill, most)?))
        })
        .await?;
    told.map_err(Failure::Refused)
}

fn draws_on(part: &Payment, card: &GiftCard) -> bool {
    let of = part.head.gift_card.as_ref();
    of.is_some_and(|of| of.card == card.head.id)
}

pub(super) fn place<'a>(bill: &'a Bill, at: &Moment) -> Place<'a> {
    Place {
        merchant: &bill.head.merchant,
        vendor: bill.ask.vendor(),
        now: at.now,
    }
}

/// Holds a part of a bill on a card: the payment is begun and authorised.
pub(super) fn hold(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    (card, amount, rank): (GiftCard, Money, u64),
    note: &Note,
) -> Result<(), Failure> {
    // Ids are in the order of time: cards of one call follow each other by a millisecond, so that
    // they are told of in the order in which they were drawn.
    let own = Moment {
        now: at.now.plus(Span::from_millis(rank)),
        ..at.branch(card.head.id.as_str())
    };
    let dialect = dialect_of(bill)?;
    let part = GiftPart {
        card: card.head.id.clone(),
        last5: card.head.last5.clone(),
    };
    let payment = Payment::begin_part(&own, bill, wire(dialect, Kind::Payment, &own), part, amount);
    payments::insert(tx, &payment, dialect.profile().name)?;
    let read = payment.version;
    let decision = card.hold(payment, &place(bill, at), note.clone())?;
    save_with_payment(tx, at, bill, &decision, read)
}

/// Takes a card off a bill; what it held is free again. A part that is not held any more is left
/// as it is.
pub async fn remove(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
    part: &str,
) -> Result<Cover, Failure> {
    let (at, id, part) = (app.moment(), id.clone(), part.to_owned());
    let most = app.site.gift_cards_max();
    app.store
        .write("remove_gift_card", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            bill.admit(at.now)?;
            let held = payments::held_parts(tx, &bill.head.id)?;
            if let Some(payment) = held.into_iter().find(|p| p.head.wire.as_str() == part) {
                replace_open_tries(tx, &at, &bill)?;
                free(
                    tx,
                    &at,
                    &bill,
                    payment,
                    &why("payer", "removed from", &bill),
                )?;
            }
            cover_in(tx, &bill, most)
        })
        .await
}

fn free(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    payment: Payment,
    note: &Note,
) -> Result<(), Failure> {
    let card = of_part(tx, &payment)?;
    let read = payment.version;
    let decision = card.free(payment, at.now, note.clone())?;
    save_with_payment(tx, at, bill, &decision, read)
}

pub(super) fn of_part(tx: &mut Tx<'_>, payment: &Payment) -> Result<GiftCard, Fault> {
    match &payment.head.gift_card {
        Some(part) => card(tx, &part.card),
        None => Err(Fault("a gift-card part without a card".to_owned())),
    }
}

/// Frees everything that gift cards hold for a bill: it ended, or its terms changed.
pub(super) fn free_all(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    note: &Note,
) -> Result<(), Failure> {
    for payment in in_card_order(payments::held_parts(tx, &bill.head.id)?) {
        free(tx, at, bill, payment, note)?;
    }
    Ok(())
}

/// Who did something to a bill and so to its cards: `payer`, `shop` or `time`; and what, in a word
/// or two.
pub(super) fn why(by: &str, what: &str, bill: &Bill) -> Note {
    let space = if what.is_empty() { "" } else { " " };
    Note::new(by, &format!("{what}{space}payment {}", bill.head.wire))
}

/// Cards are always changed in the order of their ids, so that two bills with the same cards wait
/// for each other instead of both for ever.
fn in_card_order(mut parts: Vec<Payment>) -> Vec<Payment> {
    parts.sort_by(|a, b| {
        let of = |p: &Payment| p.head.gift_card.as_ref().map(|part| part.card.clone());
        of(a).cmp(&of(b))
    });
    parts
}

/// Takes what gift cards hold for a bill, and writes down on the bill which cards paid how much:
/// the dialect tells of it when the payments are long past.
pub(super) fn take_all(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &mut Bill,
    note: &Note,
) -> Result<Vec<Payment>, Failure> {
    let parts = payments::held_parts(tx, &bill.head.id)?;
    let told: Vec<_> = parts
        .iter()
        .filter_map(|part| {
            let of = part.head.gift_card.as_ref()?;
            Some(json!({"last5": of.last5, "minor": part.head.amount.minor()}))
        })
        .collect();
    let mut taken = Vec::with_capacity(parts.len());
    for payment in in_card_order(parts) {
        let card = of_part(tx, &payment)?;
        let read = payment.version;
        let decision = card.redeem(payment, at.now, note.clone())?;
        save_with_payment(tx, at, bill, &decision, read)?;
        taken.extend(decision.payment.map(|decision| decision.payment));
    }
    if !told.is_empty() {
        bill.ask.extras.insert("gift_cards".to_owned(), told.into());
    }
    Ok(taken)
}

/// How long gift cards hold their parts for a payer who does nothing: as long as the page of a
/// payment lives, which they pay first of all.
pub fn held_for(app: &App) -> Span {
    HOLD_MAX.max(app.site.gift_page_time())
}

/// Frees what is held for a payer who walked away from a bill that does not end by itself soon; how
/// many parts there were. A payer who is at the bank's page is not disturbed while that page waits.
pub async fn free_old(app: &App) -> Result<usize, Failure> {
    let now = app.clock.now();
    let (before, asked) = (now.minus(held_for(app)), now.minus(CHALLENGE_MAX));
    let old = app
        .store
        .read("old_holds", move |tx| {
            Ok(payments::old_holds(tx, before, asked, SWEEP_MAX)?)
        })
        .await?;
    let count = old.len();
    for part in old {
        let at = app.moment();
        let freed = app
            .store
            .write("free_old_hold", move |tx| {
                let Some(payment) = payments::by_id(tx, &part.head.id)?.filter(is_held) else {
                    return Ok(());
                };
                let bill = super::payments::bill_of(tx, &payment)?;
                let open = attempts::open_of_bill(tx, &bill.head.id)?;
                if open.iter().any(|attempt| attempt.asked > asked) {
                    return Ok(());
                }
                replace_open_tries(tx, &at, &bill)?;
                free(tx, &at, &bill, payment, &why("time", "left", &bill))
            })
            .await;
        match freed {
            // While a rail is being asked the part waits for its answer; the next pass sees it.
            Ok(()) | Err(Failure::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(count)
}

fn is_held(payment: &Payment) -> bool {
    match payment.state() {
        PaymentState::Authorized { sums, .. } => sums.held().is_ok_and(|held| !held.is_zero()),
        PaymentState::Pending | PaymentState::Ended { .. } => false,
    }
}

/// The payer leaves the page of a bill that stays open: what cards hold is free again.
pub async fn leave(app: &App, dialect: &'static dyn Dialect, id: &WireId) -> Result<(), Failure> {
    let (at, id) = (app.moment(), id.clone());
    app.store
        .write("leave_page", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            replace_open_tries(tx, &at, &bill)?;
            free_all(tx, &at, &bill, &why("payer", "left", &bill))
        })
        .await
}
