//! Requests with an idempotency key: the first one has an effect, its copies get its answer.
//!
//! The key, the effect and the answer are saved in one transaction, so fifty copies at once have
//! one effect. A refusal is remembered as well, and its effects are undone. Another request under
//! the same key is refused.

use dialects::Dialect;
use domain::secret::hex;
use domain::{Call, Caller, Refusal, Reply};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::tables::idempotency::{self, Remembered};
use store::{Failure, Fault};

use super::bills;
use crate::app::App;

/// Whose key this is, and for what.
pub(super) struct Scope {
    name: String,
    fingerprint: String,
}

impl Scope {
    pub(super) fn new(dialect: &dyn Dialect, caller: &Caller, call: &Call, key: &str) -> Self {
        let merchant = &caller.merchant.id;
        let (dialect, mode) = (dialect.profile().name, caller.mode.as_str());
        Self {
            name: format!("{dialect}/{}/{mode}/{merchant}/{key}", call.name()),
            // The debug text of a call is complete and the same for the same call.
            fingerprint: hex(&Sha256::digest(format!("{call:?}").as_bytes())),
        }
    }
}

#[derive(Serialize, Deserialize)]
enum Outcome {
    Done(Reply),
    Refused(Refusal),
}

pub(super) async fn execute(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    call: Call,
    scope: Scope,
) -> Result<Reply, Failure> {
    let ask = match call {
        Call::CreateBill(ask) => *ask,
        // The other calls can be repeated without harm as they are, or have no key.
        call @ (Call::ShowBill(_)
        | Call::ListBills(_)
        | Call::ChangeBill(..)
        | Call::WithdrawBill(_)
        | Call::RegisterEndpoint(_)
        | Call::ShowEndpoint(_)
        | Call::ListEndpoints
        | Call::ChangeEndpoint(..)
        | Call::RemoveEndpoint(_)
        | Call::Transaction(_)
        | Call::Cards(_)) => {
            let incoming = domain::call::Incoming {
                call,
                idempotency_key: None,
            };
            return Box::pin(super::execute(app, dialect, caller, incoming)).await;
        }
    };
    let at = app.moment();
    let caller = caller.clone();
    app.store
        .write("create_bill_once", move |tx| {
            if let Some(known) = idempotency::find(tx, &scope.name)? {
                return answer(&scope, &known);
            }
            let done = tx.attempt(|tx| bills::create_in(tx, &at, dialect, &caller, ask.clone()))?;
            let outcome = match done.clone() {
                Ok(reply) => Outcome::Done(reply),
                Err(refusal) => Outcome::Refused(refusal),
            };
            let outcome = serde_json::to_string(&outcome)
                .map_err(|error| Fault(format!("an answer cannot be kept: {error}")))?;
            let known = Remembered {
                fingerprint: scope.fingerprint.clone(),
                outcome,
            };
            idempotency::insert(tx, &scope.name, &known, at.now)?;
            // The refusal is part of a committed transaction: it travels inside the success.
            Ok(done)
        })
        .await?
        .map_err(Failure::Refused)
}

fn answer(scope: &Scope, known: &Remembered) -> Result<Result<Reply, Refusal>, Failure> {
    if known.fingerprint != scope.fingerprint {
        return Ok(Err(Refusal::KeyReused));
    }
    let outcome: Outcome = serde_json::from_str(&known.outcome)
        .map_err(|error| Fault(format!("a kept answer cannot be read: {error}")))?;
    Ok(match outcome {
        Outcome::Done(reply) => Ok(reply),
        Outcome::Refused(refusal) => Err(refusal),
    })
}
