//! The demo shop: a client of our own API like any other, so that a newcomer sees both sides.
//!
//! It keeps what it sent and what it received as records; the home page shows them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::{FieldProblem, Money, Refusal, Secret, Timestamp, WireId};
use http::{StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use store::tables::records;
use store::{Failure, Fault};

use crate::app::App;
use crate::http::pipeline;

/// Bytes of a webhook that the demo shop takes.
const WEBHOOK_MAX: usize = 16 * 1024;

/// Webhooks of one payment that the demo shop shows.
const SHOWN: u32 = 10;

/// What the shop sent and received for one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The request as it was sent, the key masked.
    pub sent: String,
    /// The answer, as JSON.
    pub answered: String,
    /// Webhooks as they arrived.
    pub webhooks: Vec<Received>,
}

/// A webhook as it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// When.
    pub at: Timestamp,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

#[derive(Serialize, Deserialize)]
struct Order {
    sent: String,
    answered: String,
}

/// Makes a real HitPay payment through the API and gives the address of its checkout page.
pub async fn begin(app: &App, amount: Money) -> Result<String, Failure> {
    let demo = demo(app)?;
    let base = &app.site.public_url;
    let now = app.clock.now().millis().to_string();
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("amount", &amount.fixed())
        .append_pair("currency", amount.currency().code())
        .append_pair("payment_methods[]", "card")
        .append_pair("purpose", "A pot of tea and two cups")
        .append_pair("reference_number", &format!("TEA-{now}"))
        .append_pair("redirect_url", &format!("{base}/sandbox/shop/return"))
        .append_pair("webhook", &format!("{base}/sandbox/shop/webhook"))
        .finish();
    let request = http::Request::post("/v1/payment-requests")
        .header("x-business-api-key", &demo.credentials.hitpay.api_key)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.clone()))
        .map_err(|error| Fault(format!("the demo request: {error}")))?;
    let response = pipeline::call(app, request).await;
    let status = response.status();
    let bytes = response
        .into_body()
        .collect()
        .await
        .map_err(|error| Fault(format!("the demo answer: {error}")))?
        .to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|error| Fault(format!("the demo answer: {error}")))?;
    let text = |name: &str| answer.get(name).and_then(serde_json::Value::as_str);
    if let Some(message) = text("message") {
        // The amount is all that the visitor chose.
        let problem = FieldProblem {
            field: "amount".to_owned(),
            message: message.to_owned(),
        };
        return Err(Refusal::Invalid(vec![problem]).into());
    }
    let (Some(id), Some(url)) = (text("id"), text("url")) else {
        return Err(Fault(format!("the demo request was answered {status}: {answer}")).into());
    };
    let sent = sent_text(base, &form);
    let answered = String::from_utf8_lossy(&bytes).into_owned();
    let order = serde_json::to_string(&Order { sent, answered })
        .map_err(|error| Fault(error.to_string()))?;
    let (id, url, at) = (id.to_owned(), url.to_owned(), app.moment());
    app.store
        .write("demo_order", move |tx| {
            Ok(records::put(tx, "demo_order", &id, &order, at.now)?)
        })
        .await?;
    Ok(url)
}

/// The request as a person would write it down.
fn sent_text(base: &str, form: &str) -> String {
    let fields = form.replace('&', "\n  &");
    format!(
        "POST {base}/v1/payment-requests\nX-BUSINESS-API-KEY: test_••••••••\n\
         Content-Type: application/x-www-form-urlencoded\n\n  {fields}"
    )
}

/// What the shop sent and received for a payment.
pub async fn seen(app: &App, id: &WireId) -> Result<Seen, Failure> {
    let id = id.to_string();
    app.store
        .read("demo_order", move |tx| {
            let Some(order) = records::get(tx, "demo_order", &id)? else {
                return Err(Refusal::UnknownRoute.into());
            };
            let order: Order = read(&order)?;
            let found = records::starting_with(tx, "demo_webhook", &format!("{id}/"), SHOWN)?;
            let webhooks = found
                .iter()
                .map(|text| read(text))
                .collect::<Result<_, _>>()?;
            Ok(Seen {
                sent: order.sent,
                answered: order.answered,
                webhooks,
            })
        })
        .await
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault(format!("a record of the demo shop: {error}")))
}

/// The salt with which the shop checks its webhooks.
pub fn salt(app: &App) -> Secret {
    let salt = app
        .demo
        .as_ref()
        .map(|demo| demo.credentials.hitpay.salt.clone());
    Secret::new(salt.unwrap_or_default())
}

/// The shop's webhook address. It keeps what arrives for payments it knows.
pub async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match pipeline::read(body, WEBHOOK_MAX).await {
        Ok(body) => String::from_utf8_lossy(&body).into_owned(),
        Err(_) => return pipeline::plain(StatusCode::BAD_REQUEST, "The body cannot be read"),
    };
    let id = form_urlencoded::parse(body.as_bytes())
        .find(|(name, _)| name == "payment_request_id")
        .map(|(_, value)| value.into_owned());
    let Some(id) = id.filter(|id| id.is_ascii() && id.len() <= 64) else {
        let message = "The field payment_request_id is missing";
        return pipeline::plain(StatusCode::UNPROCESSABLE_ENTITY, message);
    };
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let at = app.moment();
    let received = Received {
        at: at.now,
        headers,
        body,
    };
    match keep(&app, &id, &received, &at).await {
        Ok(true) => StatusCode::OK.into_response(),
        Ok(false) => pipeline::plain(StatusCode::NOT_FOUND, "The demo shop has no such order"),
        Err(_) => pipeline::plain(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable"),
    }
}

async fn keep(
    app: &App,
    id: &str,
    received: &Received,
    at: &domain::Moment,
) -> Result<bool, Failure> {
    let text = serde_json::to_string(received).map_err(|error| Fault(error.to_string()))?;
    let key = format!("{id}/{}", at.uuid("webhook").simple());
    let (id, now) = (id.to_owned(), at.now);
    app.store
        .write("demo_webhook", move |tx| {
            if records::get(tx, "demo_order", &id)?.is_none() {
                return Ok(false);
            }
            records::put(tx, "demo_webhook", &key, &text, now)?;
            Ok(true)
        })
        .await
}

fn demo(app: &App) -> Result<&super::Demo, Failure> {
    app.demo
        .as_ref()
        .ok_or(Failure::Refused(Refusal::UnknownRoute))
}
