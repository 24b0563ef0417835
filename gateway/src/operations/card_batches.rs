//! Gift cards by the hundred: numbers first, cards second.
//!
//! Promises: numbers are handed out before any card exists, so whoever asked for them has them
//! written down before they are worth something; issuing the same numbers again changes nothing, so
//! a batch that was interrupted is simply given once more; a call issues all of its cards or none.

use std::collections::BTreeSet;

use domain::gift_card::{CardState, Note};
use domain::programme::is_shop;
use domain::{Caller, CardEntry, FieldProblem, Money, Programme, Refusal, Secret};
use store::tables::audit;
use store::tables::gift_cards as table;
use store::{Failure, Fault, Tx};

use super::gift_cards::{NUMBERS_TRIED, Order, Press};
use super::guesses::{hashes, number_hash};
use super::{refused, validity};
use crate::app::App;

/// What became of the cards of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Issued now.
    pub issued: usize,
    /// Issued by an earlier call with the same numbers, codes and amounts.
    pub there: usize,
}

/// New numbers and codes that no card has. Nothing is stored: two callers get different ones by
/// chance, and whoever issues a number first has it.
pub async fn numbers(app: &App, of: &Caller, count: usize) -> Result<Vec<CardEntry>, Failure> {
    let (at, hashing, of) = (app.moment(), app.vault.hashing().clone(), of.clone());
    app.store
        .read("new_card_numbers", move |tx| {
            let programme = table::programme(tx, &of.merchant.id, of.mode)?.unwrap_or_default();
            let mut made = BTreeSet::new();
            let mut entries = Vec::with_capacity(count);
            for place in 0..count {
                let free = (0..NUMBERS_TRIED).find_map(|turn| {
                    let entry = programme.make(&at, &format!("{place}/{turn}"));
                    let hash = number_hash(&hashing, &entry.number);
                    match table::number_is_taken(tx, &hash) {
                        Ok(false) if made.insert(hash) => Some(Ok(entry)),
                        Ok(_) => None,
                        Err(fault) => Some(Err(fault)),
                    }
                });
                let full = || Fault("the numbers of a programme are used up".to_owned());
                entries.push(free.ok_or_else(full)??);
            }
            Ok(entries)
        })
        .await
}

/// Issues cards whose numbers exist, all of them or none. What is wrong names the card by its place
/// in the call, from 1.
pub async fn issue(app: &App, of: &Caller, orders: Vec<Order>) -> Result<Tally, Failure> {
    let (at, hashing, of) = (app.moment(), app.vault.hashing().clone(), of.clone());
    app.store
        .write("issue_gift_card_batch", move |tx| {
            let known = table::programme(tx, &of.merchant.id, of.mode)?;
            let programme = known.unwrap_or_default();
            let mut tally = Tally::default();
            let mut total: Option<Money> = None;
            for (number, order) in (1..).zip(&orders) {
                let press = Press {
                    at: at.branch(&format!("gift card {number}")),
                    hashing: &hashing,
                    programme: &programme,
                    of: &of,
                };
                let wrong = |message: String| wrong_at(number, message);
                let entry = sound(&programme, order).map_err(wrong)?;
                let validity = press.validity(order).map_err(wrong)?;
                if press.insert(tx, order, &validity, entry)?.is_some() {
                    if validity.ends <= at.now {
                        let what = format!("its last day, {}, is over", validity.last_day);
                        return Err(wrong(what).into());
                    }
                    tally.issued += 1;
                    total =
                        total.map_or(Some(order.amount), |sum| sum.checked_add(order.amount).ok());
                } else if is_there(tx, &press, order, entry)? {
                    tally.there += 1;
                } else {
                    let what = "another card has this number".to_owned();
                    return Err(wrong(what).into());
                }
            }
            if tally.issued > 0 {
                let note = orders.first().map(|order| order.note.clone());
                audited(
                    tx,
                    (&at.branch("gift card batch"), &of),
                    tally.issued,
                    (total, note),
                )?;
            }
            Ok(tally)
        })
        .await
}

fn wrong_at(number: usize, message: String) -> Refusal {
    let field = format!("card {number}");
    Refusal::Invalid(vec![FieldProblem { field, message }])
}

/// The number and code of an order, if a card can have them.
fn sound<'o>(programme: &Programme, order: &'o Order) -> Result<&'o CardEntry, String> {
    let Some(entry) = &order.entry else {
        return Err("it has no number".to_owned());
    };
    if entry.cvc.is_none() && !programme.card_present {
        return Err("it has no code, and the programme takes no card without one".to_owned());
    }
    if let Some(vendor) = order.vendors.iter().find(|vendor| !is_shop(vendor)) {
        return Err(format!("{vendor:?} is no shop: a shop has 6 digits"));
    }
    if let Some(vendor) = order.vendors.iter().find(|v| !programme.has_shop(v)) {
        return Err(format!("{vendor} is no shop of the merchant"));
    }
    Ok(entry)
}

/// Is the card there already, just as it would be issued now? It may have been used since.
fn is_there(
    tx: &mut Tx<'_>,
    press: &Press<'_>,
    order: &Order,
    entry: &CardEntry,
) -> Result<bool, Fault> {
    let none = Secret::new(String::new());
    let cvc = entry.cvc.as_ref().unwrap_or(&none);
    let hashes = hashes(press.hashing, &entry.number, cvc);
    let Some(kept) = table::by_number(tx, &hashes.number, press.of.mode)? else {
        return Ok(false);
    };
    let first = table::first_activity(tx, &kept.card.head.id)?;
    Ok(kept.card.head.merchant == press.of.merchant.id
        && kept.card.state() != CardState::Closed
        && Secret::new(kept.cvc_hash) == Secret::new(hashes.cvc)
        && first.is_some_and(|first| first.amount == order.amount))
}

fn audited(
    tx: &mut Tx<'_>,
    (at, of): (&domain::Moment, &Caller),
    issued: usize,
    (total, note): (Option<Money>, Option<Note>),
) -> Result<(), Fault> {
    let note = note.unwrap_or_else(|| Note::new("operator", ""));
    let total = total.map_or_else(|| "several currencies".to_owned(), |sum| sum.to_string());
    let entry = audit::Entry {
        at: at.now,
        actor: note.by,
        action: "gift_cards.issued".to_owned(),
        about: of.merchant.id.to_string(),
        details: format!("{issued} cards, {total}: {}", note.reason),
    };
    audit::insert(tx, at, (&of.merchant.id, of.mode), &entry)
}

impl Press<'_> {
    /// Until when a card of this order is good.
    pub(super) fn validity(&self, order: &Order) -> Result<domain::gift_card::Validity, String> {
        match &order.last_day {
            Some(day) => validity::until(self.programme, day),
            None => validity::usual(self.programme, self.at.now),
        }
    }
}

/// Checks what a caller gives before anything is done.
pub fn check_count(count: usize, most: usize) -> Result<(), Failure> {
    if (1..=most).contains(&count) {
        return Ok(());
    }
    let field = "count".to_owned();
    let message = format!("a call is about 1 to {most} cards");
    refused(Refusal::Invalid(vec![FieldProblem { field, message }]))
}
