//! Answers of providers that come when a transaction is over. They change nothing; that they came
//! is kept in the audit log.

use dialects::Dialect;
use domain::{BillState, MerchantId, Mode, Moment, WireId};
use store::tables::audit::{self, Entry};
use store::{Failure, Fault, Tx};

use super::bills::page_bill;
use crate::app::App;

/// Keeps that a provider answered about an object that is over; the same answer once.
pub(super) fn keep(
    tx: &mut Tx<'_>,
    at: &Moment,
    of: (&MerchantId, Mode),
    about: &str,
    (by, details): (&str, String),
) -> Result<(), Fault> {
    let entry = Entry {
        at: at.now,
        actor: format!("provider:{by}"),
        action: "late_answer".to_owned(),
        about: about.to_owned(),
        details,
    };
    let known = audit::about(tx, about)?;
    let same = |old: &Entry| (&old.actor, &old.details) == (&entry.actor, &entry.details);
    if known.iter().any(same) {
        return Ok(());
    }
    audit::insert(tx, at, of, &entry)
}

/// The same about a deposit, if it is over.
pub async fn about_deposit(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
    (by, said): (&str, &str),
) -> Result<(), Failure> {
    let (at, id) = (app.moment(), id.clone());
    let (by, said) = (by.to_owned(), said.to_owned());
    app.store
        .write("late_answer", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            let state = bill.state_at(at.now);
            if state == BillState::Open {
                return Ok(());
            }
            let (head, amount) = (&bill.head, bill.ask.amount);
            let of = (&head.merchant, head.mode);
            let details = format!("{said} {amount}; it was {}", state.as_str());
            Ok(keep(tx, &at, of, head.id.as_str(), (&by, details))?)
        })
        .await
}
