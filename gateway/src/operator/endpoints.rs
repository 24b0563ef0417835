//! The operator's calls about endpoints, in JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use domain::limits::ROTATION;
use domain::{Endpoint, EndpointAsk, EndpointState, Span, Topics};
use serde::Deserialize;
use serde_json::{Value, json};
use store::tables::deliveries::Range;

use super::answers::{Answer, Of, Trouble, endpoint_id, time, who};
use crate::app::App;
use crate::operations::{deliveries, endpoints};
use crate::sandbox::simulate::rfc3339;
use crate::schemes::Scheme;

/// Removed endpoints in a list.
const REMOVED_MAX: u32 = 50;

/// Which endpoints.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(default)]
    removed: bool,
}

/// `GET /endpoints`; with `removed=true` those that were removed, the last one first.
pub async fn list(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Query(which): Query<Which>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let found = if which.removed {
        endpoints::removed(&app, &caller, REMOVED_MAX).await?
    } else {
        endpoints::list(&app, &caller.merchant.id, caller.mode).await?
    };
    let row = |one: &Endpoint| with_doubles(&app, one, endpoints::doubles(one, &found));
    let rows: Vec<_> = found.iter().map(row).collect();
    Ok(Json(json!({"endpoints": rows})))
}

/// `GET /endpoints/{id}`: with what was done to it, by whom.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let id = endpoint_id(&id)?;
    let one = endpoints::look(&app, &caller, &id).await?;
    let known = endpoints::list(&app, &caller.merchant.id, caller.mode).await?;
    let mut shown = with_doubles(&app, &one, endpoints::doubles(&one, &known));
    let history: Vec<_> = endpoints::history(&app, &caller, &id)
        .await?
        .into_iter()
        .map(|entry| {
            json!({
                "at": rfc3339(entry.at),
                "by": entry.actor,
                "what": entry.action,
                "details": entry.details,
            })
        })
        .collect();
    if let Value::Object(members) = &mut shown {
        members.insert("history".to_owned(), history.into());
    }
    Ok(Json(shown))
}

fn with_doubles(app: &App, one: &Endpoint, doubles: u32) -> Value {
    let mut row = endpoint(app, one);
    if let Value::Object(members) = &mut row {
        members.insert("doubles".to_owned(), doubles.into());
    }
    row
}

fn endpoint(app: &App, endpoint: &Endpoint) -> Value {
    let (state, since, why) = match endpoint.state {
        EndpointState::Active => ("active", None, None),
        EndpointState::Paused { at, why } => ("paused", Some(at), Some(why.as_str())),
        EndpointState::Removed { at } => ("removed", Some(at), None),
    };
    json!({
        "id": endpoint.head.id.as_str(),
        "dialect_id": endpoint.head.wire.as_str(),
        "scheme": endpoint.head.scheme,
        "url": endpoint.url,
        "events": match &endpoint.topics {
            Topics::All => vec!["*".to_owned()],
            Topics::Some(topics) => topics.clone(),
        },
        "label": endpoint.label,
        "state": state,
        "since": since.map(rfc3339),
        "why": why,
        "failures": endpoint.health.failures,
        "failing_since": endpoint.health.failing_since.map(rfc3339),
        "removed_at": endpoint.removed_at(&app.rules(&endpoint.head.scheme)).map(rfc3339),
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
    scheme.admit(&wanted.events)?;
    let more = endpoints::registration(&app, scheme, &caller).await?;
    let all = wanted.events.is_empty() || wanted.events.iter().any(|event| event == "*");
    let ask = EndpointAsk {
        url: wanted.url,
        topics: if all {
            Topics::All
        } else {
            Topics::Some(wanted.events)
        },
        label: wanted.label,
        per_topic_max: more.topic_max,
        extras: more.extras,
    };
    let view = endpoints::register(&app, scheme, &who(&caller), ask).await?;
    let mut shown = with_doubles(&app, &view.endpoint, view.doubles);
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
    Ok(Json(endpoint(&app, &changed)))
}

/// `POST /endpoints/{id}/resume`.
pub async fn resume(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let changed = endpoints::resume(&app, &who(&caller), &endpoint_id(&id)?).await?;
    Ok(Json(endpoint(&app, &changed)))
}

/// `POST /endpoints/{id}/remove`.
pub async fn remove(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let removed = endpoints::remove(&app, &who(&caller), &endpoint_id(&id)?).await?;
    Ok(Json(endpoint(&app, &removed)))
}

/// `POST /endpoints/{id}/restore`.
pub async fn restore(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let restored = endpoints::restore(&app, &who(&caller), &endpoint_id(&id)?).await?;
    Ok(Json(endpoint(&app, &restored)))
}

/// Does the old secret end at once?
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    now: bool,
}

/// `POST /endpoints/{id}/rotate`.
pub async fn rotate(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
    Json(rotation): Json<Rotation>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let overlap = if rotation.now {
        Span::from_millis(0)
    } else {
        ROTATION
    };
    let new = endpoints::rotate(&app, &who(&caller), &endpoint_id(&id)?, overlap).await?;
    Ok(Json(json!({
        "id": id,
        "secret": new.secret.expose(),
        "old_until": rfc3339(new.old_until),
        "both_sign": new.both_sign,
    })))
}

/// `POST /endpoints/{id}/test`.
pub async fn test(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let tested = endpoints::test(&app, &who(&caller), &endpoint_id(&id)?).await?;
    Ok(Json(endpoint(&app, &tested)))
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
