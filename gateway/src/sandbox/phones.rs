//! The phones of the sandbox, as JSON for programs: what waits on a phone, and how it answers by
//! itself. A single request is answered by `POST /sandbox/simulate`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use domain::{PaymentState, ReservationView};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::{failed, refused};
use super::simulate::{BODY_MAX, admitted, rfc3339};
use crate::app::App;
use crate::http::pipeline;
use crate::operations::phones::{self, Rule};
use crate::operations::{Failure, reservations};

/// How many requests a phone shows.
pub const SHOWN: u32 = 30;

/// What a phone has to show: its requests, the newest first, and how it answers by itself.
pub async fn look(app: &App, number: &str) -> Result<(Vec<ReservationView>, Rule), Failure> {
    let views = reservations::inbox(app, number, SHOWN).await?;
    Ok((views, phones::rule(app, number).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRule {
    rule: Rule,
}

/// `GET /sandbox/phones/{number}`: the inbox as JSON.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(number): Path<String>,
    request: Request,
) -> Response {
    let (head, _) = request.into_parts();
    if let Err(response) = admitted(&app, &head).await {
        return *response;
    }
    let Some(number) = phones::number(&number) else {
        return wrong_number();
    };
    match look(&app, &number).await {
        Ok((views, rule)) => {
            let requests: Vec<Value> = views.iter().map(request_json).collect();
            let body = json!({"phone": number, "rule": rule, "requests": requests});
            Json(body).into_response()
        }
        Err(failure) => failed(&failure),
    }
}

/// `PUT /sandbox/phones/{number}`: how it answers by itself.
pub async fn set(
    State(app): State<Arc<App>>,
    Path(number): Path<String>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    if let Err(response) = admitted(&app, &head).await {
        return *response;
    }
    let Some(number) = phones::number(&number) else {
        return wrong_number();
    };
    let body = match pipeline::read(body, BODY_MAX).await {
        Ok(body) => body,
        Err(refusal) => return refused(&refusal),
    };
    let wanted: NewRule = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => {
            let rules = Rule::ALL.map(Rule::as_str).join(", ");
            let form = format!("Send JSON: {{\"rule\":\"approve\"}}; rules are {rules}");
            return pipeline::plain(StatusCode::BAD_REQUEST, &format!("{form} ({error})"));
        }
    };
    match phones::set_rule(&app, &number, wanted.rule).await {
        Ok(()) => Json(json!({"phone": number, "rule": wanted.rule})).into_response(),
        Err(failure) => failed(&failure),
    }
}

fn wrong_number() -> Response {
    let form = "A phone is a number of 9 to 15 digits with its country code, like 4791234567";
    pipeline::plain(StatusCode::BAD_REQUEST, form)
}

fn request_json(view: &ReservationView) -> Value {
    let amount = view.payment.head.amount;
    let open = view.state == PaymentState::Pending;
    json!({
        "payment": view.bill.ask.reference,
        "merchant": view.merchant.name,
        "amount": {"currency": amount.currency().code(), "value": amount.minor()},
        "description": view.bill.ask.purpose,
        "state": view.state.name(),
        "open": open,
        "expires_at": view.bill.ask.expires.map(rfc3339),
        "ignored_fields": dialects::vipps::terms::ignored(&view.bill.ask),
    })
}
