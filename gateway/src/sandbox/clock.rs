//! The sandbox's clock: one offset over the system's clock for everything, which tests move
//! forward.
//!
//! Moving it walks from due time to due time: what becomes due on the way (expiries, retries of
//! webhooks) happens in order, each at its own time, before the call answers. The offset is kept
//! in the database; the clock never goes back, restarts included.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::{Span, Timestamp};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::tables::records;
use store::{Fault, Store};

use super::simulate::{BODY_MAX, admitted, failed, refused, rfc3339};
use crate::app::App;
use crate::clock::Clock;
use crate::config;
use crate::http::pipeline::{self, plain};
use crate::operations::Failure;
use crate::workers;

/// Where the offset is kept.
const KIND: &str = "sandbox";
const ID: &str = "clock";

/// The furthest that one call moves the clock.
const ADVANCE_MAX: Span = Span::from_minutes(400 * 24 * 60);

/// How long a call waits for the walk; after that it goes on by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is kept: milliseconds ahead of the system's clock, and the time it showed then.
#[derive(Deserialize, Serialize)]
struct Kept {
    ahead_ms: u64,
    shown_ms: i64,
}

/// The clock as an earlier process left it.
pub async fn load(store: &Store) -> Result<Clock, Failure> {
    let kept = store
        .read("sandbox_clock", |tx| Ok(records::get(tx, KIND, ID)?))
        .await?;
    let nothing = Kept {
        ahead_ms: 0,
        shown_ms: i64::MIN,
    };
    let kept = match kept {
        None => nothing,
        Some(text) => serde_json::from_str(&text)
            .map_err(|error| Fault(format!("the sandbox's clock cannot be read: {error}")))?,
    };
    let shown = Timestamp::from_millis(kept.shown_ms);
    Ok(Clock::ahead(Span::from_millis(kept.ahead_ms), shown))
}

async fn keep(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    let kept = Kept {
        ahead_ms: app.clock.offset().millis(),
        shown_ms: now.millis(),
    };
    let text = serde_json::to_string(&kept).map_err(|error| Fault(error.to_string()))?;
    app.store
        .write("keep_sandbox_clock", move |tx| {
            Ok(records::put(tx, KIND, ID, &text, now)?)
        })
        .await
}

/// `GET /sandbox/clock`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    match admitted(&app, &head).await {
        Ok(_) => shown(&app),
        Err(response) => *response,
    }
}

fn shown(app: &App) -> Response {
    Json(json!({"now": rfc3339(app.clock.now())})).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance: Option<String>,
    advance_seconds: Option<u64>,
}

/// `POST /sandbox/clock`.
pub async fn advance(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Err(response) = admitted(&app, &head).await {
        return *response;
    }
    let body = match pipeline::read(body, BODY_MAX).await {
        Ok(body) => body,
        Err(refusal) => return refused(&refusal),
    };
    let span = match span(&body) {
        Ok(span) => span,
        Err(message) => return plain(StatusCode::BAD_REQUEST, &message),
    };
    let walking = Arc::clone(&app);
    let walk = tokio::spawn(async move { walk(&walking, span).await });
    match tokio::time::timeout(PATIENCE, walk).await {
        Ok(Ok(Ok(()))) | Err(_) => shown(&app),
        Ok(Ok(Err(failure))) => failed(&failure),
        Ok(Err(_)) => failed(&Failure::Fault(Fault("the walk broke off".to_owned()))),
    }
}

/// How far to go, or what would be right.
fn span(body: &[u8]) -> Result<Span, String> {
    let form = "Send JSON: {\"advance\":\"1h30m\"} (whole numbers with s, m, h, d) or \
                {\"advance_seconds\":300}";
    let wanted: Advance =
        serde_json::from_slice(body).map_err(|error| format!("{form} ({error})"))?;
    let span = match (wanted.advance, wanted.advance_seconds) {
        (Some(text), None) => config::span(&text).map_err(|error| format!("{form} ({error})"))?,
        (None, Some(seconds)) => Span::from_seconds(seconds),
        (Some(_), Some(_)) | (None, None) => return Err(form.to_owned()),
    };
    if span.millis() == 0 {
        return Err("The clock only goes forward: advance it by more than nothing".to_owned());
    }
    if span > ADVANCE_MAX {
        return Err("The clock moves by 400 days at most in one call".to_owned());
    }
    Ok(span)
}

/// Moves the clock, one due time after the other. One walk at a time; while it lasts, nobody else
/// sends webhooks, so that each is sent at its own time.
pub async fn walk(app: &Arc<App>, span: Span) -> Result<(), Failure> {
    let _claiming = app.sending.claiming.lock().await;
    app.sending.idle().await;
    do_due(app).await?;
    let goal = app.clock.offset().millis().saturating_add(span.millis());
    let end = app.clock.now().plus(span);
    loop {
        let now = app.clock.now();
        let left = Span::from_millis(goal.saturating_sub(app.clock.offset().millis()));
        let next = workers::next_due(app, now).await?;
        let Some(next) = next.filter(|next| *next <= end) else {
            app.clock.advance(left);
            keep(app).await?;
            return do_due(app).await;
        };
        app.clock.advance(next.since(now).min(left));
        keep(app).await?;
        do_due(app).await?;
    }
}

/// Does everything that is due now.
async fn do_due(app: &Arc<App>) -> Result<(), Failure> {
    loop {
        workers::tick(app).await?;
        if workers::webhooks::tick(app).await? == 0 {
            return Ok(());
        }
    }
}
