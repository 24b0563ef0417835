//! What the gateway can do: one file per noun. Each operation loads, lets the rules decide, and
//! saves, inside one named transaction. The APIs and the pages call nothing deeper.

pub mod accounts;
pub mod bills;
pub mod deliveries;
pub mod endpoints;
pub mod ledger;
pub mod merchants;
mod outbox;
pub mod payments;
pub mod phones;
mod repeated;
pub mod reservations;
pub mod tokens;

use dialects::{Dialect, Kind};
use domain::call::Incoming;
use domain::{Bill, Call, Caller, Moment, Refusal, Reply, WireId};
use store::Fault;

pub use store::Failure;

use crate::app::App;
use crate::schemes::Scheme;
use outbox::record;

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
        Call::IssueToken => tokens::issue(app, dialect, caller).await,
        call @ (Call::RegisterEndpoint(_)
        | Call::ShowEndpoint(_)
        | Call::ListEndpoints
        | Call::ChangeEndpoint(..)
        | Call::RemoveEndpoint(_)) => {
            endpoints::execute(app, Scheme::Dialect(dialect), caller, call).await
        }
    }
}

/// The dialect a bill came through.
fn dialect_of(bill: &Bill) -> Result<&'static dyn Dialect, Fault> {
    dialects::by_name(&bill.head.dialect)
        .ok_or_else(|| Fault(format!("no dialect is called {}", bill.head.dialect)))
}

/// A new id on the wire for one purpose of an operation.
fn wire(dialect: &dyn Dialect, kind: Kind, at: &Moment) -> WireId {
    dialect.mint(kind, at.now, &at.seed)
}

/// A refusal as the failure that it is in an operation.
fn refused<T>(refusal: Refusal) -> Result<T, Failure> {
    Err(Failure::Refused(refusal))
}
