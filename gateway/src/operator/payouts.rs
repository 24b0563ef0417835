//! The operator's calls about payouts, in JSON: which ones wait, one with its history, yes, no.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use domain::{PayoutId, PayoutState, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};
use store::tables::payouts::Filter;

use super::answers::{ACTOR, Answer, Of, Trouble};
use crate::app::App;
use crate::operations::Failure;
use crate::operations::approvals::{self, LIST_MAX, Seen};
use crate::sandbox::simulate::rfc3339;

/// The states that a list can be asked for.
const STATES: [&str; 7] = [
    "awaiting_user",
    "awaiting_approval",
    "processing",
    "paid",
    "rejected",
    "cancelled",
    "expired",
];

/// Which payouts.
#[derive(Debug, Deserialize)]
pub struct Which {
    state: Option<String>,
    before: Option<String>,
    limit: Option<u32>,
}

/// `GET /payouts`.
pub async fn list(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Query(which): Query<Which>,
) -> Answer {
    let state = match which.state.as_deref() {
        None | Some("all") => None,
        Some(word) => {
            let known = STATES.into_iter().find(|known| *known == word);
            Some(known.ok_or_else(|| {
                let known = STATES.join(", ");
                Trouble::wrong(format!("state is one of {known}, all; not {word}"))
            })?)
        }
    };
    let before = which.before.as_deref().map(|text| {
        PayoutId::parse(text).map_err(|_| Trouble::wrong(format!("{text} is no payout (out_…)")))
    });
    let filter = Filter {
        caller: of.caller(&app).await?,
        state,
        before: before.transpose()?,
        limit: which.limit.unwrap_or(50).clamp(1, LIST_MAX),
    };
    let found = approvals::list(&app, filter).await?;
    let rows: Vec<_> = found.iter().map(row).collect();
    Ok(Json(json!({"payouts": rows})))
}

/// `GET /payouts/{name}`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let seen = approvals::show(&app, &caller, &name).await?;
    Ok(Json(whole(&seen)))
}

/// `POST /payouts/{name}/approve`.
pub async fn approve(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    decide(&app, &of, &name, true).await
}

/// `POST /payouts/{name}/reject`.
pub async fn reject(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    decide(&app, &of, &name, false).await
}

async fn decide(app: &App, of: &Of, name: &str, approved: bool) -> Answer {
    let caller = of.caller(app).await?;
    match approvals::decide(app, &caller, (name, ACTOR), approved).await {
        Ok(seen) => Ok(Json(whole(&seen))),
        Err(Failure::Refused(Refusal::WrongState(state))) => Err(Trouble(
            http::StatusCode::CONFLICT,
            format!("{name} is {}: {}", state.replace('_', " "), why(&state)),
        )),
        Err(Failure::Refused(Refusal::NoMethod)) => Err(Trouble(
            http::StatusCode::CONFLICT,
            format!("{name} goes on waiting: no provider can carry it now"),
        )),
        Err(failure) => Err(failure.into()),
    }
}

/// Why a payout in this state takes neither yes nor no.
fn why(state: &str) -> &'static str {
    match state {
        "awaiting_user" => {
            "the customer must say where the money goes before it can be approved; until then it \
             can be rejected"
        }
        "processing" => "it was approved, and the provider has it",
        _ => "it is over",
    }
}

fn row(seen: &Seen) -> Value {
    let (head, order) = (&seen.payout.head, &seen.payout.order);
    let transaction = seen.transaction.as_ref();
    json!({
        "id": head.id.as_str(),
        "transaction_id": head.wire.as_str(),
        "tracking_id": transaction.map(|found| found.tracking.as_str()),
        "user_id": transaction.map(|found| found.user.as_str()),
        "state": seen.state.as_str(),
        "amount": order.amount.fixed(),
        "currency": order.amount.currency().code(),
        "provider": seen.payout.progress.provider,
        "requested_by": head.by,
        "key": seen.key,
        "two_persons": seen.two_persons,
        "created_at": rfc3339(head.created),
        "due_at": due(seen).map(rfc3339),
    })
}

/// When its stage is over by itself; nothing once it is over.
fn due(seen: &Seen) -> Option<domain::Timestamp> {
    seen.payout.progress.due.filter(|_| !seen.state.is_final())
}

fn whole(seen: &Seen) -> Value {
    let mut shown = row(seen);
    let order = &seen.payout.order;
    if let Value::Object(members) = &mut shown {
        let reason = match &seen.state {
            PayoutState::Rejected { cause, .. } => Some(cause.text.clone()),
            _ => None,
        };
        members.insert("reason".to_owned(), json!(reason));
        members.insert("purpose".to_owned(), json!(order.purpose));
        members.insert("name".to_owned(), json!(order.payee.name));
        members.insert("email".to_owned(), json!(order.payee.email));
        members.insert("updated_at".to_owned(), json!(rfc3339(seen.payout.updated)));
        let history: Vec<_> = seen
            .history
            .iter()
            .map(|entry| {
                json!({
                    "at": rfc3339(entry.at),
                    "by": entry.actor,
                    "did": entry.action,
                    "details": entry.details,
                })
            })
            .collect();
        members.insert("history".to_owned(), json!(history));
    }
    shown
}
