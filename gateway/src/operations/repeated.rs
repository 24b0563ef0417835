//! Requests with an idempotency key: the first one has an effect, its copies get its answer.
//!
//! The key, the effect and the answer are saved in one transaction, so fifty copies at once have
//! one effect. A refusal is remembered as well, and its effects are undone. Another request under
//! the same key is refused.

use dialects::{Dialect, repeat};
use domain::call::IdempotencyKey;
use domain::limits::IDEMPOTENCY_KEPT;
use domain::reservation::Rules;
use domain::{Call, Caller, Refusal, Reply, ReservationCall, Span};
use serde::{Deserialize, Serialize};
use store::tables::idempotency::{self, Remembered};
use store::{Failure, Fault};

use super::{bills, reservations};
use crate::app::App;

/// Whose key this is, and for what.
pub(super) struct Scope {
    name: String,
    key: String,
    fingerprint: String,
}

impl Scope {
    pub(super) fn new(
        dialect: &dyn Dialect,
        caller: &Caller,
        call: &Call,
        key: &IdempotencyKey,
    ) -> Self {
        let merchant = &caller.merchant.id;
        let (dialect, mode) = (dialect.profile().name, caller.mode.as_str());
        // The same key may come for each operation of each reservation.
        let object = match call {
            Call::Reservation(call) => format!("{}/", call.reference()),
            _ => String::new(),
        };
        Self {
            name: format!(
                "{dialect}/{}/{mode}/{merchant}/{object}{}",
                call.name(),
                key.text
            ),
            key: key.text.clone(),
            fingerprint: key.fingerprint.clone(),
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
    let repeatable = match &call {
        Call::CreateBill(_) => true,
        Call::Reservation(call) => {
            !matches!(call, ReservationCall::Show(_) | ReservationCall::Log(_))
        }
        // The other calls can be repeated without harm as they are.
        _ => false,
    };
    if !repeatable {
        let incoming = domain::call::Incoming {
            call,
            idempotency_key: None,
        };
        return Box::pin(super::execute(app, dialect, caller, incoming)).await;
    }
    let at = app.moment();
    let caller = caller.clone();
    let rules = app.site.reservations.clone();
    let done = app
        .store
        .write("once", move |tx| {
            if let Some(known) = idempotency::find(tx, &scope.name)? {
                return answer(&scope, &known);
            }
            let mut kept_from = at.now;
            let done = tx.attempt(|tx| match &call {
                Call::Reservation(call) => {
                    kept_from = kept_from.plus(longer(&rules));
                    let context = reservations::Context {
                        at: &at,
                        dialect,
                        caller: &caller,
                        rules: &rules,
                    };
                    context.change(tx, call, Some(&scope.key))
                }
                Call::CreateBill(ask) => {
                    bills::create_in(tx, &at, dialect, &caller, (**ask).clone())
                }
                _ => Err(Fault("a call that has no key".to_owned()).into()),
            })?;
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
            idempotency::insert(tx, &scope.name, &known, kept_from)?;
            // The refusal is part of a committed transaction: it travels inside the success.
            Ok(done)
        })
        .await?;
    done.map_err(Failure::Refused)
}

/// How much longer than usual the answers of reservations are kept: as long as a repeated call
/// could still move money.
fn longer(rules: &Rules) -> Span {
    let usual = IDEMPOTENCY_KEPT.millis();
    Span::from_millis(rules.keys_kept().millis().saturating_sub(usual))
}

fn answer(scope: &Scope, known: &Remembered) -> Result<Result<Reply, Refusal>, Failure> {
    // What an older version kept cannot be compared: its answer stands, so that nothing happens
    // twice.
    let comparable = known.fingerprint.starts_with(repeat::FORM);
    if comparable && known.fingerprint != scope.fingerprint {
        return Ok(Err(Refusal::KeyReused));
    }
    let outcome: Outcome = serde_json::from_str(&known.outcome)
        .map_err(|error| Fault(format!("a kept answer cannot be read: {error}")))?;
    Ok(match outcome {
        Outcome::Done(reply) => Ok(reply),
        Outcome::Refused(refusal) => Err(refusal),
    })
}
