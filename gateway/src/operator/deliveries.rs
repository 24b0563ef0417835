//! The operator's calls about deliveries, in JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use domain::endpoint::Pause;
use domain::{Caller, EndpointId, WireId};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::tables::deliveries::{Filter, Try, why};

use super::answers::{Answer, Of, Trouble, delivery_id, endpoint_id, who};
use crate::app::App;
use crate::operations::deliveries::{self, Names, Seen, Standing};
use crate::sandbox::simulate::rfc3339;

/// Deliveries of one list.
const LIST_MAX: u32 = 200;

/// Which deliveries.
#[derive(Debug, Deserialize)]
pub struct Which {
    payment: Option<String>,
    endpoint: Option<String>,
    state: Option<String>,
    before: Option<String>,
    limit: Option<u32>,
}

/// `GET /deliveries`.
pub async fn list(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Query(which): Query<Which>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let state = which.state;
    if state
        .as_deref()
        .is_some_and(|state| !["pending", "delivered", "failed", "paused"].contains(&state))
    {
        return Err(Trouble::wrong(
            "state is pending, delivered, failed or paused",
        ));
    }
    let filter = Filter {
        merchant: caller.merchant.id.clone(),
        mode: caller.mode,
        endpoint: which.endpoint.as_deref().map(endpoint_id).transpose()?,
        state: state.clone(),
        before: which.before.as_deref().map(delivery_id).transpose()?,
        limit: which.limit.unwrap_or(50).clamp(1, LIST_MAX),
    };
    let found = match &which.payment {
        Some(name) => {
            let object = object(&app, &caller, name).await?;
            deliveries::list_about(&app, &object, filter).await?
        }
        None if state.as_deref() == Some("paused") => deliveries::list_paused(&app, filter).await?,
        None => deliveries::list(&app, filter).await?,
    };
    // What is paused is pending as well.
    let asked = |seen: &&Seen| {
        let state = state.as_deref();
        state.is_none_or(|state| seen.delivery.state == state || seen.state() == state)
    };
    let rows: Vec<_> = found.iter().filter(asked).map(row).collect();
    Ok(Json(json!({"deliveries": rows})))
}

/// Our id of what a person calls a payment or a payout: an id of ours, of its dialect, or the
/// reference.
pub(super) async fn object(app: &App, caller: &Caller, name: &str) -> Result<String, Trouble> {
    let unknown = || {
        Trouble(
            StatusCode::NOT_FOUND,
            format!("No payment is called {name}."),
        )
    };
    let found = deliveries::object(app, caller, name).await?;
    found.ok_or_else(unknown)
}

/// `GET /deliveries/{id}`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let (seen, standing) = deliveries::show(&app, &caller, &delivery_id(&id)?).await?;
    let mut shown = row(&seen);
    if let Value::Object(members) = &mut shown {
        members.insert("standing".to_owned(), standing_text(&standing).into());
        if let Some(names) = &seen.names {
            members.insert("reference".to_owned(), names.reference.clone().into());
            members.insert("psp_references".to_owned(), psp_references(names));
        }
        members.insert("body".to_owned(), seen.delivery.new.body.clone().into());
        let attempts: Vec<_> = seen.attempts.iter().map(attempt).collect();
        members.insert("attempts".to_owned(), attempts.into());
    }
    Ok(Json(shown))
}

/// Both numbers of a reservation: answers name the payment, a webhook names its step.
pub(crate) fn psp_references(names: &Names) -> Value {
    json!({
        "payment": names.payment.as_str(),
        "event": names.step.as_ref().map(WireId::as_str),
    })
}

fn row(seen: &Seen) -> Value {
    let delivery = &seen.delivery;
    let last = seen.attempts.last();
    json!({
        "id": delivery.new.id.as_str(),
        "event": delivery.new.topic,
        "scheme": delivery.new.scheme,
        "about": delivery.new.about,
        "endpoint": delivery.new.endpoint.as_ref().map(EndpointId::as_str),
        "target": delivery.new.target,
        "state": seen.state(),
        "attempts_made": delivery.attempts,
        "last_status": last.and_then(|attempt| attempt.status),
        "last_error": last.and_then(|attempt| attempt.error.clone()),
        "next_attempt_at": seen.next_attempt().map(rfc3339),
        "created_at": rfc3339(delivery.created),
    })
}

fn attempt(attempt: &Try) -> Value {
    json!({
        "number": attempt.number,
        "at": rfc3339(attempt.at),
        "latency_ms": attempt.took_ms,
        "status": attempt.status,
        "error": attempt.error,
        "request": {"headers": headers(&attempt.request_headers), "body": attempt.request_body},
        "response": {
            "headers": headers(&attempt.response_headers),
            "body": attempt.response_body,
        },
    })
}

fn headers(text: &str) -> Map<String, Value> {
    let pairs = deliveries::headers(text).into_iter();
    pairs
        .map(|(name, value)| (name, Value::from(value)))
        .collect()
}

/// Why a delivery is where it is, in words.
fn standing_text(standing: &Standing) -> String {
    match standing {
        Standing::Delivered => "It was delivered.".to_owned(),
        Standing::GivenUp(reason) => match reason.as_str() {
            why::GONE => "Given up: the receiver answered 410 Gone.",
            why::SKIPPED => "Given up: somebody skipped it.",
            why::REMOVED => "Given up: its endpoint was removed.",
            _ => "Given up: its schedule is over.",
        }
        .to_owned(),
        Standing::Paused { since, why } => {
            let reason = match why {
                Pause::ByHand => "somebody paused it",
                Pause::Failing => "it failed for too long",
                Pause::Gone => "it answered 410 Gone",
            };
            let since = rfc3339(*since);
            format!("It waits: its endpoint is paused since {since}, because {reason}.")
        }
        Standing::UnderWay => "It is being sent.".to_owned(),
        Standing::Due(at) => format!("It goes out at {}.", rfc3339(*at)),
        Standing::Behind(id) => {
            format!("It waits behind {id}, which must go first; send that again or skip it.")
        }
    }
}

/// `POST /deliveries/{id}/resend`.
pub async fn resend(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    deliveries::resend(&app, &who(&caller), &delivery_id(&id)?).await?;
    Ok(Json(json!({"id": id})))
}

/// `POST /deliveries/{id}/skip`.
pub async fn skip(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    deliveries::skip(&app, &who(&caller), &delivery_id(&id)?).await?;
    Ok(Json(json!({"id": id})))
}
