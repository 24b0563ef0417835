//! Paying with gift cards and nothing else, and taking it back: on the page, in one call from a
//! till, and by the shop afterwards.
//!
//! Promises: a call takes all its cards or none; cards are drawn in the order of the call; what is
//! given back goes to the cards it came from and is never more than they gave.

use dialects::Dialect;
use domain::bill::CardAccess;
use domain::gift_card::Note;
use domain::limits::PAYMENTS_SHOWN_MAX;
use domain::payment::Cause;
use domain::programme::CardUse;
use domain::{
    Bill, BillState, BillView, Caller, CardId, CardRefusal, Decision, Fact, Moment, Money, Refusal,
    Reply, Span, WireId,
};
use store::tables::{bills, payments};
use store::{Failure, Tx};

use super::bills::{merchant_of, of_caller, page_bill, view};
use super::covering::{free_all, hold, left_of, place, rest, take_all, terms, why};
use super::gift_cards::{card, give_back, left_to_return};
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
            let partly = bill.ask.card_access().is_some();
            let whole = rest(tx, &bill)?.is_zero();
            if payments::held_parts(tx, &bill.head.id)?.is_empty() || !(whole || partly) {
                return refused(Refusal::NoMethod);
            }
            replace_open_tries(tx, &at, &bill)?;
            let note = why("payer", "", &bill);
            let bill = close(tx, &at, bill, &note)?;
            let merchant = merchant_of(tx, &bill)?;
            Ok(view(tx, bill, merchant, at.now)?)
        })
        .await?;
    Ok(view)
}

/// Takes what is held and closes the bill as paid.
fn close(tx: &mut Tx<'_>, at: &Moment, bill: Bill, note: &Note) -> Result<Bill, Failure> {
    let mut bill = bill.paid(at.now)?;
    let taken = take_all(tx, at, &mut bill, note)?;
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
    let watch = Watch::new(app, id.as_str(), &Visitor::default());
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
            if bill.ask.card_access() != Some(CardAccess::InCall) {
                return refused(Refusal::NoMethod);
            }
            if matches!(bill.state(), BillState::Paid { .. }) {
                let merchant = caller.merchant.clone();
                let view = view(tx, bill, merchant, at.now)?;
                return again(view, &same).map(Ok);
            }
            bill.admit(at.now)?;
            let found = match find_all(tx, &at, &bill, &cards, &watch)? {
                Ok(found) => found,
                Err(refusal) => return Ok(Err(refusal)),
            };
            // From here on a refusal undoes all of it. What the payment's own page holds is not
            // part of this call, unless the call names those cards too.
            let note = why("shop", "", &bill);
            replace_open_tries(tx, &at, &bill)?;
            free_all(tx, &at, &bill, &note)?;
            for Draw { card, amount, rank } in draw_all(tx, &at, &bill, &found)? {
                let card = self::card(tx, &card)?;
                hold(tx, &at, &bill, (card, amount, rank), &note)?;
            }
            let mut bill = bill;
            let performed = ("performed".to_owned(), same.clone().into());
            bill.ask.extras.extend([performed]);
            let bill = close(tx, &at, bill, &note)?;
            Ok(Ok(view(tx, bill, caller.merchant.clone(), at.now)?))
        })
        .await?;
    let view = told.map_err(Failure::Refused)?;
    Ok(Reply::Bill(Box::new(view)))
}

/// A payment that is charged: the same call is answered again, as long as it is still charged.
fn again(view: BillView, same: &str) -> Result<BillView, Failure> {
    if view.is_given_back() {
        return refused(Refusal::Withdrawn);
    }
    let before = view.bill.ask.extras.get("performed");
    if before.and_then(serde_json::Value::as_str) == Some(same) {
        return Ok(view);
    }
    refused(Refusal::AlreadyPaid)
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

/// A card of a call and what is wanted of it, if the call says.
type Wanted = (CardId, Option<Money>);

/// What is to be drawn from one card.
struct Draw {
    card: CardId,
    amount: Money,
    rank: u64,
}

/// The cards of a call, each with what is wanted of it. Nothing is changed but what is counted.
fn find_all(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    cards: &[(Tried, Option<Money>)],
    watch: &Watch,
) -> Result<Result<Vec<Wanted>, Refusal>, Failure> {
    let card_present = terms(tx, bill)?.card_present;
    let mut found = Vec::new();
    for (tried, amount) in cards {
        if tried.is_without_code() && !card_present {
            let what = "A card needs its code, unless the client takes cards by hand.";
            return refused(Refusal::Unreadable(what.to_owned()));
        }
        match check(tx, at, bill, tried, watch)? {
            Ok(card) => found.push((card.head.id, *amount)),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    Ok(Ok(found))
}

/// How much of each card: in the order of the call until the bill is covered. Cards that are not
/// needed any more are left alone.
fn draw_all(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    found: &[Wanted],
) -> Result<Vec<Draw>, Failure> {
    let mut needed = bill.ask.amount;
    let mut drawn: Vec<Draw> = Vec::new();
    for (rank, (id, wanted)) in (0..).zip(found) {
        let card = card(tx, id)?;
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
        let amount = card.draw(needed, *wanted)?;
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
    Ok(drawn)
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
            let note = why("shop", "cancelled", &bill);
            let bill = match bill.state_at(at.now) {
                BillState::Open => abort_in(tx, &at, bill, &note)?,
                BillState::Failed { .. } => bill,
                BillState::Paid { at: paid } => {
                    give_all_back(tx, &at, &bill, paid.plus(within), &note)?;
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
            let note = why("payer", "given up", &bill);
            let bill = abort_in(tx, &at, bill, &note)?;
            let merchant = merchant_of(tx, &bill)?;
            Ok(view(tx, bill, merchant, at.now)?)
        })
        .await
}

fn abort_in(tx: &mut Tx<'_>, at: &Moment, bill: Bill, note: &Note) -> Result<Bill, Failure> {
    replace_open_tries(tx, at, &bill)?;
    free_all(tx, at, &bill, note)?;
    let cause = Cause::new(ABORTED, "The payment was given up");
    let bill = bill.failed(at.now, cause)?;
    bills::update(tx, &bill)?;
    record(tx, at, Fact::BillFailed, &bill, None)?;
    Ok(bill)
}

/// Gives back everything that a bill took and that was not given back yet.
fn give_all_back(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    until: domain::Timestamp,
    note: &Note,
) -> Result<(), Failure> {
    let taken = payments::captured(tx, &bill.head.id, PAYMENTS_SHOWN_MAX)?;
    let mut open = Vec::new();
    for payment in taken {
        if let Some(amount) = left_to_return(&payment)? {
            open.push((payment, amount));
        }
    }
    if !open.is_empty() && until <= at.now {
        return refused(Refusal::AlreadyPaid);
    }
    open.sort_by_key(|(p, _)| p.head.gift_card.as_ref().map(|part| part.card.clone()));
    for (payment, amount) in open {
        if payment.head.gift_card.is_some() {
            give_back(tx, at, bill, (payment, amount), note)?;
            continue;
        }
        let read = payment.version;
        let decision: Decision = payment.refund(at.now, amount)?;
        super::payments::save(tx, at, bill, &decision, read)?;
    }
    Ok(())
}
