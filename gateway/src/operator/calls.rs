//! The operator's calls about endpoints and deliveries, in JSON. Errors are `{"message":…}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use domain::endpoint::Pause;
use domain::limits::TOPICS_MAX;
use domain::{
    Caller, DeliveryId, Endpoint, EndpointAsk, EndpointId, EndpointState, Merchant, Mode, Refusal,
    Timestamp, Topics, WireId,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::tables::deliveries::{Filter, Range, Try, why};
use store::tables::{bills, payments};

use crate::app::App;
use crate::http::pipeline::plain;
use crate::operations::deliveries::{self, Seen, Standing};
use crate::operations::endpoints::{self, Who};
use crate::operations::{Failure, merchants};
use crate::sandbox::simulate::rfc3339;
use crate::schemes::Scheme;

/// Deliveries of one list.
const LIST_MAX: u32 = 200;

/// Headers whose values open something: they are shown masked.
const MASKED: [&str; 2] = ["authorization", "cookie"];

/// An answer to the operator.
type Answer = Result<Json<Value>, Trouble>;

/// Why there is none.
#[derive(Debug)]
pub struct Trouble(StatusCode, String);

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        plain(self.0, &self.1)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::from(refusal),
            Failure::Fault(fault) => {
                tracing::error!(fault = fault.0, "fault");
                let message = "The gateway cannot answer now; its log says why.".to_owned();
                Self(StatusCode::SERVICE_UNAVAILABLE, message)
            }
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        let (status, message) = match refusal {
            Refusal::NotFound(_, id) => {
                let message = format!("There is no {id} of this merchant and mode.");
                (StatusCode::NOT_FOUND, message)
            }
            Refusal::WrongState(state) => {
                let message = format!("It is {state}: there is nothing to do.");
                (StatusCode::CONFLICT, message)
            }
            Refusal::Invalid(problems) => {
                let texts: Vec<_> = problems
                    .into_iter()
                    .map(|problem| format!("{}: {}", problem.field, problem.message))
                    .collect();
                (StatusCode::BAD_REQUEST, texts.join("; "))
            }
            Refusal::TooManyEndpoints(most) => {
                let message = format!("No more than {most} endpoints can be registered.");
                (StatusCode::CONFLICT, message)
            }
            other => (StatusCode::CONFLICT, format!("refused: {}", other.name())),
        };
        Self(status, message)
    }
}

impl Trouble {
    /// Something in the request is wrong.
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }
}

/// Which merchant and mode, in every query.
#[derive(Debug, Default, Deserialize)]
pub struct Of {
    merchant: Option<String>,
    mode: Option<String>,
}

impl Of {
    /// The merchant that was named, or the only one there is.
    pub(super) async fn caller(&self, app: &App) -> Result<Caller, Trouble> {
        let mode = match self.mode.as_deref() {
            None => Mode::Test,
            Some(text) => Mode::parse(text)
                .ok_or_else(|| Trouble::wrong(format!("mode is test or live, not {text}")))?,
        };
        let all = merchants::all(app).await?;
        let named = |merchant: &&Merchant| match &self.merchant {
            Some(name) => merchant.slug == *name || merchant.id.as_str() == name,
            None => all.len() == 1,
        };
        if let Some(merchant) = all.iter().find(named) {
            let merchant = merchant.clone();
            return Ok(Caller { merchant, mode });
        }
        let known: Vec<_> = all.iter().map(|merchant| merchant.slug.as_str()).collect();
        Err(Trouble::wrong(format!(
            "Name the merchant; there are: {}",
            known.join(", ")
        )))
    }
}

fn who(caller: &Caller) -> Who<'_> {
    Who {
        caller,
        actor: "operator",
    }
}

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
pub async fn deliveries(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Query(which): Query<Which>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let state = which.state.filter(|state| state != "paused");
    if state
        .as_deref()
        .is_some_and(|state| !["pending", "delivered", "failed"].contains(&state))
    {
        return Err(Trouble::wrong(
            "state is pending, delivered, failed or paused",
        ));
    }
    let found = match &which.payment {
        Some(name) => {
            let object = object(&app, &caller, name).await?;
            deliveries::about(&app, &caller, &object).await?
        }
        None => {
            let filter = Filter {
                merchant: caller.merchant.id.clone(),
                mode: caller.mode,
                endpoint: which.endpoint.as_deref().map(endpoint_id).transpose()?,
                state: state.clone(),
                before: which.before.as_deref().map(delivery_id).transpose()?,
                limit: which.limit.unwrap_or(50).clamp(1, LIST_MAX),
            };
            deliveries::list(&app, filter).await?
        }
    };
    let rows: Vec<_> = found
        .iter()
        .filter(|seen| {
            state
                .as_deref()
                .is_none_or(|state| seen.delivery.state == state)
        })
        .map(row)
        .collect();
    Ok(Json(json!({"deliveries": rows})))
}

/// Our id of what a person calls a payment: an id of ours, of its dialect, or the reference.
async fn object(app: &App, caller: &Caller, name: &str) -> Result<String, Trouble> {
    let unknown = || {
        Trouble(
            StatusCode::NOT_FOUND,
            format!("No payment is called {name}."),
        )
    };
    let wire = WireId::new(name).map_err(|_| unknown())?;
    let (caller, text) = (caller.clone(), name.to_owned());
    let found = app
        .store
        .read("find_object", move |tx| {
            if text.starts_with("bil_") {
                return Ok(Some(text.clone()));
            }
            for dialect in dialects::ALL {
                let dialect = dialect.profile().name;
                let bill = match bills::by_wire(tx, dialect, &wire)? {
                    Some(bill) => Some(bill.head.id),
                    None => payments::by_wire(tx, dialect, &wire)?.map(|found| found.head.bill),
                };
                if let Some(id) = bill {
                    return Ok(Some(id.to_string()));
                }
            }
            let (merchant, mode) = (&caller.merchant.id, caller.mode);
            let bill = bills::by_reference(tx, merchant, mode, &text)?;
            Ok(bill.map(|bill| bill.head.id.to_string()))
        })
        .await?;
    found.ok_or_else(unknown)
}

/// `GET /deliveries/{id}`.
pub async fn delivery(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let (seen, standing) = deliveries::show(&app, &caller, &delivery_id(&id)?).await?;
    let mut shown = row(&seen);
    if let Value::Object(members) = &mut shown {
        members.insert("standing".to_owned(), standing_text(&standing).into());
        members.insert("body".to_owned(), seen.delivery.new.body.clone().into());
        let attempts: Vec<_> = seen.attempts.iter().map(attempt).collect();
        members.insert("attempts".to_owned(), attempts.into());
    }
    Ok(Json(shown))
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

/// Headers as they were, but for what opens something elsewhere: a session's cookie, and an
/// `Authorization` that is no signature.
fn headers(text: &str) -> Map<String, Value> {
    let pairs: Vec<(String, String)> = serde_json::from_str(text).unwrap_or_default();
    let shown = |(name, value): (String, String)| {
        let signature = value.starts_with("HMAC-SHA256");
        if MASKED.contains(&name.to_ascii_lowercase().as_str()) && !signature {
            (name, Value::from("••••••••"))
        } else {
            (name, Value::from(value))
        }
    };
    pairs.into_iter().map(shown).collect()
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

/// `GET /endpoints`.
pub async fn endpoints(State(app): State<Arc<App>>, Query(of): Query<Of>) -> Answer {
    let caller = of.caller(&app).await?;
    let found = endpoints::list(&app, &caller.merchant.id, caller.mode).await?;
    let rows: Vec<_> = found.iter().map(endpoint).collect();
    Ok(Json(json!({"endpoints": rows})))
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let (state, since) = match endpoint.state {
        EndpointState::Active => ("active", None),
        EndpointState::Paused { at, .. } => ("paused", Some(at)),
        EndpointState::Removed { at } => ("removed", Some(at)),
    };
    json!({
        "id": endpoint.head.id.as_str(),
        "scheme": endpoint.head.scheme,
        "url": endpoint.url,
        "events": match &endpoint.topics {
            Topics::All => vec!["*".to_owned()],
            Topics::Some(topics) => topics.clone(),
        },
        "label": endpoint.label,
        "state": state,
        "since": since.map(rfc3339),
        "failures": endpoint.health.failures,
        "failing_since": endpoint.health.failing_since.map(rfc3339),
    })
}

/// What is registered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    scheme: Option<String>,
    url: String,
    #[serde(default)]
    events: Vec<String>,
    label: Option<String>,
}

/// `POST /endpoints`.
pub async fn register(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(wanted): Json<Register>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let name = wanted.scheme.as_deref().unwrap_or("standard");
    let scheme = Scheme::by_name(name).ok_or_else(|| {
        let known: Vec<_> = Scheme::all().map(Scheme::name).collect();
        Trouble::wrong(format!("scheme is one of {}, not {name}", known.join(", ")))
    })?;
    if wanted.events.len() > TOPICS_MAX {
        let message = format!("at most {TOPICS_MAX} events can be listed; leave them out for all");
        return Err(Trouble::wrong(message));
    }
    let all = wanted.events.is_empty() || wanted.events.iter().any(|event| event == "*");
    let ask = EndpointAsk {
        url: wanted.url,
        topics: if all {
            Topics::All
        } else {
            Topics::Some(wanted.events)
        },
        label: wanted.label,
        per_topic_max: None,
        extras: Map::new(),
    };
    let view = endpoints::register(&app, scheme, &who(&caller), ask).await?;
    let mut shown = endpoint(&view.endpoint);
    if let (Value::Object(members), Some(secret)) = (&mut shown, &view.secret) {
        members.insert("secret".to_owned(), secret.expose().into());
    }
    Ok(Json(shown))
}

/// `POST /endpoints/{id}/pause`.
pub async fn pause(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let changed = endpoints::pause(&app, &who(&caller), &endpoint_id(&id)?).await?;
    Ok(Json(endpoint(&changed)))
}

/// `POST /endpoints/{id}/resume`.
pub async fn resume(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let changed = endpoints::resume(&app, &who(&caller), &endpoint_id(&id)?).await?;
    Ok(Json(endpoint(&changed)))
}

/// `POST /endpoints/{id}/remove`.
pub async fn remove(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let removed = endpoints::remove(&app, &who(&caller), &endpoint_id(&id)?).await?;
    Ok(Json(endpoint(&removed)))
}

/// `POST /endpoints/{id}/rotate`.
pub async fn rotate(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let secret = endpoints::rotate(&app, &who(&caller), &endpoint_id(&id)?).await?;
    Ok(Json(json!({"id": id, "secret": secret.expose()})))
}

/// `POST /endpoints/{id}/test`.
pub async fn test(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let tested = endpoints::test(&app, &who(&caller), &endpoint_id(&id)?).await?;
    Ok(Json(endpoint(&tested)))
}

/// A time range, and whether delivered ones go out again too.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resend {
    from: String,
    until: Option<String>,
    #[serde(default)]
    delivered_too: bool,
}

/// `POST /endpoints/{id}/resend`.
pub async fn resend_range(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
    Json(wanted): Json<Resend>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let until = match &wanted.until {
        Some(text) => time(text)?,
        None => app.clock.now(),
    };
    let range = Range {
        endpoint: endpoint_id(&id)?,
        from: time(&wanted.from)?,
        until,
        delivered_too: wanted.delivered_too,
    };
    if range.from >= range.until {
        return Err(Trouble::wrong("the range ends before it begins"));
    }
    let count = deliveries::resend_range(&app, &who(&caller), range).await?;
    Ok(Json(json!({"resent": count})))
}

fn time(text: &str) -> Result<Timestamp, Trouble> {
    let read: Result<jiff::Timestamp, _> = text.parse();
    read.map(|at| Timestamp::from_millis(at.as_millisecond()))
        .map_err(|_| Trouble::wrong(format!("{text} is no time like 2026-11-21T09:00:00Z")))
}

fn delivery_id(text: &str) -> Result<DeliveryId, Trouble> {
    DeliveryId::parse(text).map_err(|_| Trouble::wrong(format!("{text} is no delivery (dlv_…)")))
}

fn endpoint_id(text: &str) -> Result<EndpointId, Trouble> {
    EndpointId::parse(text).map_err(|_| Trouble::wrong(format!("{text} is no endpoint (end_…)")))
}
