//! Paying with gift cards and nothing else, and taking it back: on the page, in one call from a
//! till, and by the shop afterwards.
//!
//! Promises: a call takes all its cards or none; cards are drawn in the order of the call; what is
//! given back goes to the cards it came from and is never more than they gave.

use dialects::Dialect;
use domain::limits::PAYMENTS_SHOWN_MAX;
use domain::payment::{Cause, GIFT_CARD, GIFT_CARD_IN_CALL};
use domain::programme::CardUse;
use domain::{
    Bill, BillState, BillView, Caller, CardId, CardRefusal, Decision, Fact, GiftCard, Moment,
    Money, PaymentState, Refusal, Reply, Span, WireId,
};
use store::tables::{bills, payments};
use store::{Failure, Fault, Tx};

use super::bills::{merchant_of, of_caller, page_bill, view};
use super::covering::{free_all, hold, left_of, of_part, place, rest, take_all, terms};
use super::gift_cards::{card, renewed, save_with_payment};
use super::guesses::{Tried, Visitor, Watch, check};
use super::payments::replace_open_tries;
use super::{record, refused};
use crate::app::App;

/// What a payer's giving up is recorded as.
pub const ABORTED: &str = "aborted";

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
