//! Paying a bill with gift cards, whole or in part.
//!
//! A card that is added to a bill holds its part at once: a payment of its own, authorised and not
//! captured. The parts are taken together when the payer presses pay, or in the transaction in
//! which another method pays the rest; they are freed when a card is removed and when the bill
//! ends in any other way. So from outside a bill is paid whole or nothing has moved.

use dialects::{Dialect, Kind};
use domain::gift_card::Place;
use domain::limits::{CARDS_PER_BILL, PARTS_PER_BILL, PAYMENTS_SHOWN_MAX};
use domain::payment::{Cause, GIFT_CARD, GiftPart};
use domain::programme::CardUse;
use domain::{
    Bill, BillState, BillView, Caller, CardId, CardRefusal, Decision, Fact, GiftCard, Moment,
    Money, Payment, PaymentState, Refusal, Reply, Span, WireId,
};
use serde_json::json;
use store::tables::{bills, gift_cards as table, payments};
use store::{Failure, Fault, Tx};

use super::bills::{merchant_of, of_caller, page_bill, view};
use super::gift_cards::{card, renewed, save_with_payment};
use super::guesses::{Tried, Visitor, Watch, check};
use super::payments::replace_open_tries;
use super::{dialect_of, record, refused, wire};
use crate::app::App;

/// The method of a bill whose cards come in a call instead of on a page.
pub const GIFT_CARD_IN_CALL: &str = "gift_card_in_call";

/// What a payer's giving up is recorded as.
const ABORTED: &str = "aborted";

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
    /// By which methods the rest may be paid on the same page, besides those of the bill.
    pub rest_by: Vec<String>,
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
    let id = id.clone();
    app.store
        .read("gift_card_cover", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            Ok(cover_in(tx, &bill)?)
        })
        .await
}

fn cover_in(tx: &mut Tx<'_>, bill: &Bill) -> Result<Cover, Failure> {
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
    Ok(Cover {
        offered: terms.offered,
        covered,
        remaining: left(bill, covered)?,
        parts,
        rest_by: terms.rest_by,
    })
}

/// What gift cards may do for a bill.
pub(super) struct Terms {
    pub(super) offered: bool,
    pub(super) rest_by: Vec<String>,
    card_present: bool,
}

/// Gift cards pay a bill that names them, and, if the merchant wants it so, every bill that names
/// no methods at all. A bill that many may pay has none: nobody could tell whose cards are whose.
pub(super) fn terms(tx: &mut Tx<'_>, bill: &Bill) -> Result<Terms, Fault> {
    let programme = table::programme(tx, &bill.head.merchant, bill.head.mode)?;
    let named = bill.ask.methods.iter().any(|method| method == GIFT_CARD);
    let free = !bill.ask.extras.contains_key("methods_named");
    let everywhere = programme.as_ref().is_some_and(|p| p.everywhere) && free;
    let programme = programme.unwrap_or_default();
    Ok(Terms {
        offered: (named || everywhere) && !bill.ask.repeatable,
        rest_by: if named { programme.rest_by } else { Vec::new() },
        card_present: programme.card_present,
    })
}

/// What other methods have to pay: all that gift cards do not hold.
pub(super) fn rest(tx: &mut Tx<'_>, bill: &Bill) -> Result<Money, Failure> {
    let mut covered = Money::zero(bill.ask.amount.currency());
    for payment in payments::held_parts(tx, &bill.head.id)? {
        covered = sum(covered, payment.head.amount)?;
    }
    left(bill, covered)
}

fn sum(one: Money, other: Money) -> Result<Money, Fault> {
    one.checked_add(other)
        .map_err(|error| Fault(format!("gift-card parts of a bill: {error}")))
}

fn left(bill: &Bill, covered: Money) -> Result<Money, Failure> {
    bill.ask
        .amount
        .checked_sub(covered)
        .map_err(|error| Fault(format!("gift-card parts of a bill: {error}")).into())
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
    let amount = wanted.amount;
    let told = app
        .store
        .write("add_gift_card", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            bill.admit(at.now)?;
            if !terms(tx, &bill)?.offered || tried.is_without_code() {
                return refused(Refusal::NoMethod);
            }
            let needed = rest(tx, &bill)?;
            let held = payments::held_parts(tx, &bill.head.id)?;
            if held.len() >= CARDS_PER_BILL || needed.is_zero() {
                return refused(CardRefusal::TooMany.into());
            }
            let card = match check(tx, &at, bill.head.mode, &tried, &watch)? {
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
            hold(tx, &at, &bill, (card, amount), 0)?;
            Ok(Ok(cover_in(tx, &bill)?))
        })
        .await?;
    told.map_err(Failure::Refused)
}

fn draws_on(part: &Payment, card: &GiftCard) -> bool {
    let of = part.head.gift_card.as_ref();
    of.is_some_and(|of| of.card == card.head.id)
}

fn place<'a>(bill: &'a Bill, at: &Moment) -> Place<'a> {
    Place {
        merchant: &bill.head.merchant,
        vendor: bill.ask.vendor(),
        now: at.now,
    }
}

/// Holds a part of a bill on a card: the payment is begun and authorised.
fn hold(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    (card, amount): (GiftCard, Money),
    rank: u64,
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
    let decision = card.hold(payment, &place(bill, at))?;
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
    app.store
        .write("remove_gift_card", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            bill.admit(at.now)?;
            let held = payments::held_parts(tx, &bill.head.id)?;
            if let Some(payment) = held.into_iter().find(|p| p.head.wire.as_str() == part) {
                replace_open_tries(tx, &at, &bill)?;
                free(tx, &at, &bill, payment)?;
            }
            cover_in(tx, &bill)
        })
        .await
}

fn free(tx: &mut Tx<'_>, at: &Moment, bill: &Bill, payment: Payment) -> Result<(), Failure> {
    let card = of_part(tx, &payment)?;
    let read = payment.version;
    let decision = card.free(payment, at.now)?;
    save_with_payment(tx, at, bill, &decision, read)
}

fn of_part(tx: &mut Tx<'_>, payment: &Payment) -> Result<GiftCard, Fault> {
    match &payment.head.gift_card {
        Some(part) => card(tx, &part.card),
        None => Err(Fault("a gift-card part without a card".to_owned())),
    }
}

/// Frees everything that gift cards hold for a bill: it ended, or its terms changed.
pub(super) fn free_all(tx: &mut Tx<'_>, at: &Moment, bill: &Bill) -> Result<(), Failure> {
    for payment in in_card_order(payments::held_parts(tx, &bill.head.id)?) {
        free(tx, at, bill, payment)?;
    }
    Ok(())
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
        let decision = card.redeem(payment, at.now)?;
        save_with_payment(tx, at, bill, &decision, read)?;
        taken.extend(decision.payment.map(|decision| decision.payment));
    }
    if !told.is_empty() {
        bill.ask.extras.insert("gift_cards".to_owned(), told.into());
    }
    Ok(taken)
}

/// Pays a bill with the gift cards on it and nothing else, also if they cover only a part: then
/// the shop takes the rest.
pub async fn pay(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
) -> Result<BillView, Failure> {
    let (at, id) = (app.moment(), id.clone());
    let view = app
        .store
        .write("pay_by_gift_cards", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            bill.admit(at.now)?;
            let partly = bill.ask.methods.iter().any(|method| method == GIFT_CARD);
            let whole = rest(tx, &bill)?.is_zero();
            if payments::held_parts(tx, &bill.head.id)?.is_empty() || !(whole || partly) {
                return refused(Refusal::NoMethod);
            }
            replace_open_tries(tx, &at, &bill)?;
            let bill = close(tx, &at, bill)?;
            let merchant = merchant_of(tx, &bill)?;
            Ok(view(tx, bill, merchant, at.now)?)
        })
        .await?;
    Ok(view)
}

/// Takes what is held and closes the bill as paid.
fn close(tx: &mut Tx<'_>, at: &Moment, bill: Bill) -> Result<Bill, Failure> {
    let mut bill = bill.paid(at.now)?;
    let taken = take_all(tx, at, &mut bill)?;
    bills::update(tx, &bill)?;
    record(tx, at, Fact::BillPaid, &bill, taken.last())?;
    Ok(bill)
}

/// Pays a bill from cards that come in one call: all of them or none.
pub async fn perform(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    id: WireId,
    cards: Vec<CardUse>,
) -> Result<Reply, Failure> {
    let at = app.moment();
    let visitor = Visitor {
        client: Some(caller.merchant.id.to_string()),
        address: None,
    };
    let watch = Watch::new(app, id.as_str(), &visitor);
    let hashing = app.vault.hashing();
    let cards: Vec<(Tried, Option<Money>)> = cards
        .iter()
        .map(|card| (Tried::new(hashing, &card.entry), card.amount))
        .collect();
    let same = hashing.of("perform", &fingerprint(&cards));
    let caller = caller.clone();
    let told = app
        .store
        .write("perform_payment", move |tx| {
            let bill = of_caller(tx, dialect, &caller, &id)?;
            let direct = bill.ask.methods.iter().any(|m| m == GIFT_CARD_IN_CALL);
            if !direct {
                return refused(Refusal::NoMethod);
            }
            let before = bill.ask.extras.get("performed");
            if before.and_then(serde_json::Value::as_str) == Some(same.as_str()) {
                let merchant = caller.merchant.clone();
                return Ok(Ok(view(tx, bill, merchant, at.now)?));
            }
            bill.admit(at.now)?;
            let drawn = match draw_all(tx, &at, &bill, &cards, &watch)? {
                Ok(drawn) => drawn,
                Err(refusal) => return Ok(Err(refusal)),
            };
            replace_open_tries(tx, &at, &bill)?;
            // Cards that somebody added on the page are not part of this call.
            free_all(tx, &at, &bill)?;
            for draw in drawn {
                let card = card(tx, &draw.card)?;
                hold(tx, &at, &bill, (card, draw.amount), draw.rank)?;
            }
            let mut bill = bill;
            let performed = ("performed".to_owned(), same.clone().into());
            bill.ask.extras.extend([performed]);
            let bill = close(tx, &at, bill)?;
            Ok(Ok(view(tx, bill, caller.merchant.clone(), at.now)?))
        })
        .await?;
    let view = told.map_err(Failure::Refused)?;
    Ok(Reply::Bill(Box::new(view)))
}

fn fingerprint(cards: &[(Tried, Option<Money>)]) -> String {
    let texts: Vec<String> = cards
        .iter()
        .map(|(tried, amount)| {
            let amount = amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string());
            format!("{}/{amount}", tried.text())
        })
        .collect();
    texts.join("|")
}

/// What is to be drawn from one card.
struct Draw {
    card: CardId,
    amount: Money,
    rank: u64,
}

/// How much of each card: in the order of the call until the bill is covered. Nothing is changed;
/// cards that are not needed any more are left alone.
fn draw_all(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    cards: &[(Tried, Option<Money>)],
    watch: &Watch,
) -> Result<Result<Vec<Draw>, Refusal>, Failure> {
    let card_present = terms(tx, bill)?.card_present;
    let mut found: Vec<(GiftCard, Option<Money>)> = Vec::new();
    for (tried, amount) in cards {
        if tried.is_without_code() && !card_present {
            let what = "A card needs its code, unless the client takes cards by hand.";
            return refused(Refusal::Unreadable(what.to_owned()));
        }
        match check(tx, at, bill.head.mode, tried, watch)? {
            Ok(card) => found.push((card, *amount)),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    let mut needed = bill.ask.amount;
    let mut drawn: Vec<Draw> = Vec::new();
    for (rank, (card, wanted)) in (0..).zip(found) {
        card.usable(&place(bill, at))?;
        if drawn.iter().any(|other| other.card == card.head.id) {
            return refused(CardRefusal::Twice.into());
        }
        if needed.is_zero() {
            continue;
        }
        // Without an amount an empty card gives nothing; only if all do is that a problem.
        if wanted.is_none() && card.available().is_zero() {
            continue;
        }
        let amount = card.draw(needed, wanted)?;
        needed = left_of(needed, amount)?;
        drawn.push(Draw {
            card: card.head.id,
            amount,
            rank,
        });
    }
    if drawn.is_empty() {
        return refused(CardRefusal::NotEnough.into());
    }
    drawn.sort_by(|a, b| a.card.cmp(&b.card));
    Ok(Ok(drawn))
}

fn left_of(needed: Money, amount: Money) -> Result<Money, Fault> {
    needed
        .checked_sub(amount)
        .map_err(|error| Fault(format!("gift-card parts of a bill: {error}")))
}

/// Ends an open bill, or gives a paid one back in full while it is not older than `within`. Asked
/// again, it answers what was done before.
pub async fn undo(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    id: WireId,
    within: Span,
) -> Result<Reply, Failure> {
    let (at, caller) = (app.moment(), caller.clone());
    let view = app
        .store
        .write("undo_bill", move |tx| {
            let bill = of_caller(tx, dialect, &caller, &id)?;
            let bill = match bill.state_at(at.now) {
                BillState::Open => abort_in(tx, &at, bill)?,
                BillState::Failed { .. } => bill,
                BillState::Paid { at: paid } => {
                    give_back(tx, &at, &bill, paid.plus(within))?;
                    bill
                }
                BillState::Expired { .. } => return refused(Refusal::Expired),
                BillState::Withdrawn { .. } => return refused(Refusal::Withdrawn),
            };
            Ok(view(tx, bill, caller.merchant.clone(), at.now)?)
        })
        .await?;
    Ok(Reply::Bill(Box::new(view)))
}

/// The payer gives up on the page: everything that was held is free again.
pub async fn abort(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
) -> Result<BillView, Failure> {
    let (at, id) = (app.moment(), id.clone());
    app.store
        .write("abort_bill", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            bill.admit(at.now)?;
            let bill = abort_in(tx, &at, bill)?;
            let merchant = merchant_of(tx, &bill)?;
            Ok(view(tx, bill, merchant, at.now)?)
        })
        .await
}

fn abort_in(tx: &mut Tx<'_>, at: &Moment, bill: Bill) -> Result<Bill, Failure> {
    replace_open_tries(tx, at, &bill)?;
    free_all(tx, at, &bill)?;
    let cause = Cause::new(ABORTED, "The payment was given up");
    let bill = bill.failed(at.now, cause)?;
    bills::update(tx, &bill)?;
    record(tx, at, Fact::BillFailed, &bill, None)?;
    Ok(bill)
}

/// Gives back everything that a bill took and that was not given back yet.
fn give_back(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    until: domain::Timestamp,
) -> Result<(), Failure> {
    let taken = payments::captured(tx, &bill.head.id, PAYMENTS_SHOWN_MAX)?;
    let mut open = Vec::new();
    for payment in taken {
        if let PaymentState::Authorized { sums, .. } = payment.state() {
            let amount = sums
                .refundable()
                .map_err(|error| Fault(format!("sums of a payment: {error}")))?;
            if !amount.is_zero() {
                open.push((payment, amount));
            }
        }
    }
    if !open.is_empty() && until <= at.now {
        return refused(Refusal::AlreadyPaid);
    }
    open.sort_by_key(|(p, _)| p.head.gift_card.as_ref().map(|part| part.card.clone()));
    for (payment, amount) in open {
        let read = payment.version;
        if payment.head.gift_card.is_none() {
            let decision: Decision = payment.refund(at.now, amount)?;
            super::payments::save(tx, at, bill, &decision, read)?;
            continue;
        }
        let card = of_part(tx, &payment)?;
        let renewed = renewed(tx, &card, at.now)?;
        let decision = card.give_back(payment, amount, at.now, renewed)?;
        save_with_payment(tx, at, bill, &decision, read)?;
    }
    Ok(())
}
