//! What the gateway can do: one file per noun. Each operation loads, lets the rules decide, and
//! saves, inside one named transaction. The APIs and the pages call nothing deeper.

pub mod accounts;
pub mod approvals;
pub mod bills;
pub mod card_batches;
pub mod cashier;
pub mod covering;
pub mod deliveries;
pub mod deposits;
pub mod endpoints;
pub mod gift_cards;
pub mod guesses;
pub mod keys;
pub mod late;
pub mod ledger;
pub mod liability;
pub mod merchants;
mod outbox;
pub mod payments;
pub mod payouts;
pub mod phones;
pub mod providers;
pub mod redeeming;
mod repeated;
pub mod reservations;
pub mod tokens;
pub mod transactions;
pub mod validity;

use dialects::{Dialect, Kind};
use domain::call::{CardCall, Incoming};
use domain::{Bill, Call, Caller, Moment, Refusal, Reply, WireId};
use store::Fault;

pub use store::Failure;

use crate::app::App;
use crate::schemes::Scheme;
use outbox::{record, record_payout};

/// Does what an authenticated caller asks for.
pub async fn execute(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    incoming: Incoming,
) -> Result<Reply, Failure> {
    if let Some(key) = &incoming.idempotency_key {
        let scope = repeated::Scope::new(dialect, caller, &incoming.call, key);
        return repeated::execute(app, dialect, caller, incoming.call, scope).await;
    }
    match incoming.call {
        Call::CreateBill(ask) => bills::create(app, dialect, caller, *ask).await,
        Call::ShowBill(id) => bills::show(app, dialect, caller, id).await,
        Call::ListBills(query) => bills::list(app, dialect, caller, query).await,
        Call::ChangeBill(id, ask) => bills::change(app, dialect, caller, id, *ask).await,
        Call::WithdrawBill(id) => bills::withdraw(app, dialect, caller, id).await,
        Call::Reservation(call) => reservations::execute(app, dialect, caller, call).await,
        Call::IssueToken(proof) => tokens::issue(app, dialect, caller, &proof).await,
        Call::Transaction(call) => transactions::execute(app, dialect, caller, call).await,
        Call::Cards(call) => cards(app, dialect, caller, call).await,
        call @ (Call::RegisterEndpoint(_)
        | Call::ShowEndpoint(_)
        | Call::ListEndpoints
        | Call::ChangeEndpoint(..)
        | Call::RemoveEndpoint(_)) => {
            endpoints::execute(app, Scheme::Dialect(dialect), caller, call).await
        }
    }
}

/// Does what a caller asks for about gift cards.
async fn cards(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    call: CardCall,
) -> Result<Reply, Failure> {
    match call {
        CardCall::Perform(id, cards) => redeeming::perform(app, dialect, caller, id, cards).await,
        CardCall::Undo(id, within) => redeeming::undo(app, dialect, caller, id, within).await,
        CardCall::Balance(number) => gift_cards::balance(app, caller, &number).await,
    }
}

/// The dialect a bill came through.
fn dialect_of(bill: &Bill) -> Result<&'static dyn Dialect, Fault> {
    dialect_called(&bill.head.dialect)
}

/// The dialect of this name, which an object came through.
fn dialect_called(name: &str) -> Result<&'static dyn Dialect, Fault> {
    dialects::by_name(name).ok_or_else(|| Fault(format!("no dialect is called {name}")))
}

/// A new id on the wire for one purpose of an operation.
fn wire(dialect: &dyn Dialect, kind: Kind, at: &Moment) -> WireId {
    dialect.mint(kind, at.now, &at.seed)
}

/// A refusal as the failure that it is in an operation.
fn refused<T>(refusal: Refusal) -> Result<T, Failure> {
    Err(Failure::Refused(refusal))
}
