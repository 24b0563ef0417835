//! One file per noun: free functions that take a transaction.
//!
//! A function here loads or saves; it decides nothing. Every statement is a constant in its file's
//! `STATEMENTS`, and a test prepares each of them on every database.

pub mod accounts;
pub mod attempts;
pub mod audit;
pub mod bills;
pub mod calls;
pub mod deliveries;
pub mod endpoints;
pub mod events;
pub mod gift_cards;
pub mod guesses;
pub mod idempotency;
pub mod keys;
pub mod ledger;
pub mod merchants;
pub mod payments;
pub mod payouts;
pub mod records;
pub mod reservations;
pub mod settings;
pub mod transactions;

use domain::Mode;

use crate::Fault;
use crate::sql::Row;

/// Every statement of every table.
pub fn statements() -> impl Iterator<Item = &'static str> {
    [
        accounts::STATEMENTS,
        attempts::STATEMENTS,
        audit::STATEMENTS,
        bills::STATEMENTS,
        calls::STATEMENTS,
        deliveries::STATEMENTS,
        endpoints::STATEMENTS,
        events::STATEMENTS,
        gift_cards::STATEMENTS,
        guesses::STATEMENTS,
        idempotency::STATEMENTS,
        keys::STATEMENTS,
        ledger::STATEMENTS,
        merchants::STATEMENTS,
        payments::STATEMENTS,
        payouts::STATEMENTS,
        records::STATEMENTS,
        reservations::STATEMENTS,
        settings::STATEMENTS,
        transactions::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

fn mode(row: &Row, column: usize) -> Result<Mode, Fault> {
    row.read(column, |text| Mode::parse(text).ok_or("no mode"))
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault(format!("cannot write JSON: {error}")))
}

/// An update that found another version than it read: a closure that did not re-read.
fn changed_once(changed: u64, what: &str) -> Result<(), Fault> {
    if changed == 1 {
        Ok(())
    } else {
        Err(Fault(format!("{what} was changed by someone else")))
    }
}
