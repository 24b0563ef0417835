//! The sandbox's clock: one offset over the system's clock for everything, which tests move
//! forward.
//!
//! Moving it walks from due time to due time: what becomes due on the way (expiries, retries of
//! webhooks) happens in order, each at its own time, before the call answers. The offset is kept
//! in the database before anybody sees it, and so is where the clock is going: it never goes back,
//! restarts included, and a process that ends on the way goes on at its next start.

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

use super::answers::{failed, refused};
use super::simulate::{BODY_MAX, admitted, rfc3339};
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

/// What is kept: milliseconds ahead of the system's clock, the time it showed then, and how far
/// ahead it is going.
#[derive(Deserialize, Serialize)]
struct Kept {
    ahead_ms: u64,
    shown_ms: i64,
    #[serde(default)]
    goal_ms: u64,
}

/// The clock as an earlier process left it.
pub async fn load(store: &Store) -> Result<Clock, Failure> {
    let kept = kept(store).await?;
    let shown = kept.as_ref().map_or(i64::MIN, |kept| kept.shown_ms);
    let ahead = kept.map_or(0, |kept| kept.ahead_ms);
    let shown = Timestamp::from_millis(shown);
    Ok(Clock::ahead(Span::from_millis(ahead), shown))
}

async fn kept(store: &Store) -> Result<Option<Kept>, Failure> {
    let kept = store
        .read("sandbox_clock", |tx| Ok(records::get(tx, KIND, ID)?))
        .await?;
    let read = |text: String| {
        serde_json::from_str(&text)
            .map_err(|error| Fault(format!("the sandbox's clock cannot be read: {error}")).into())
    };
    kept.map(read).transpose()
}

/// Moves the clock by a step on its way. What a dead process showed must not come again: the step
/// is kept first.
async fn step(app: &App, step: Span, goal: u64) -> Result<(), Failure> {
    let now = app.clock.now();
    let kept = Kept {
        ahead_ms: app.clock.offset().millis().saturating_add(step.millis()),
        shown_ms: now.millis(),
        goal_ms: goal,
    };
    let text = serde_json::to_string(&kept).map_err(|error| Fault(error.to_string()))?;
    app.store
        .write("keep_sandbox_clock", move |tx| {
            Ok(records::put(tx, KIND, ID, &text, now)?)
        })
        .await?;
    app.clock.advance(step);
    Ok(())
}

/// Goes on where a process ended while it moved the clock, without making anybody wait for it.
pub async fn resume(app: &Arc<App>) -> Result<(), Failure> {
    let Some(kept) = kept(&app.store).await? else {
        return Ok(());
    };
    if kept.goal_ms > app.clock.offset().millis() {
        let app = Arc::clone(app);
        tokio::spawn(async move {
            let _claiming = app.sending.claiming.lock().await;
            if let Err(failure) = walk_to(&app, kept.goal_ms).await {
                tracing::error!(?failure, "the sandbox's clock stopped on its way");
            }
        });
    }
    Ok(())
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
    match forward(&app, span).await {
        Ok(()) => shown(&app),
        Err(failure) => failed(&failure),
    }
}

/// Moves the clock for a caller who waits no longer than 30 seconds; a longer walk goes on by
/// itself.
pub async fn forward(app: &Arc<App>, span: Span) -> Result<(), Failure> {
    let walking = Arc::clone(app);
    let walk = tokio::spawn(async move { walk(&walking, span).await });
    match tokio::time::timeout(PATIENCE, walk).await {
        Ok(Ok(walked)) => walked,
        Ok(Err(_)) => Err(Fault("the walk broke off".to_owned()).into()),
        Err(_) => Ok(()),
    }
}

/// Why the clock does not move so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmovable {
    /// It is no length of time.
    Unreadable,
    /// It is nothing.
    Nothing,
    /// It is more than 400 days.
    TooFar,
}

/// A length of time as a person types it: `1h30m`.
pub fn typed(text: &str) -> Result<Span, Unmovable> {
    let span = config::span(text.trim()).map_err(|_| Unmovable::Unreadable)?;
    bounded(span)
}

fn bounded(span: Span) -> Result<Span, Unmovable> {
    match span {
        span if span.millis() == 0 => Err(Unmovable::Nothing),
        span if span > ADVANCE_MAX => Err(Unmovable::TooFar),
        span => Ok(span),
    }
}

/// How far the clock is ahead of the system's, in words to the second (`1 d 2 h`), if it is.
pub fn ahead(clock: &Clock) -> Option<String> {
    let millis = clock.offset().millis();
    let seconds = millis / 1_000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let shown: Vec<_> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    match (millis, shown.is_empty()) {
        (0, _) => None,
        (_, true) => Some("1 s".to_owned()),
        (_, false) => Some(shown.join(" ")),
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
    bounded(span).map_err(|problem| match problem {
        Unmovable::Unreadable => form.to_owned(),
        Unmovable::Nothing => {
            "The clock only goes forward: advance it by more than nothing".to_owned()
        }
        Unmovable::TooFar => "The clock moves by 400 days at most in one call".to_owned(),
    })
}

/// Moves the clock, one due time after the other. One walk at a time; while it lasts, nobody else
/// sends webhooks, so that each is sent at its own time.
pub async fn walk(app: &Arc<App>, span: Span) -> Result<(), Failure> {
    let _claiming = app.sending.claiming.lock().await;
    let goal = app.clock.offset().millis().saturating_add(span.millis());
    walk_to(app, goal).await
}

async fn walk_to(app: &Arc<App>, goal: u64) -> Result<(), Failure> {
    let left = || Span::from_millis(goal.saturating_sub(app.clock.offset().millis()));
    let end = app.clock.now().plus(left());
    // Where it goes is known before anything happens.
    step(app, Span::from_millis(0), goal).await?;
    app.sending.calm(end).await;
    do_due(app, end).await?;
    loop {
        let now = app.clock.now();
        let next = workers::next_due(app, now).await?;
        let Some(next) = next.filter(|next| *next <= end) else {
            step(app, left(), goal).await?;
            return do_due(app, end).await;
        };
        step(app, next.since(now).min(left()), goal).await?;
        do_due(app, end).await?;
    }
}

/// Does everything that is due now, on the way to `end`.
async fn do_due(app: &Arc<App>, end: Timestamp) -> Result<(), Failure> {
    loop {
        workers::tick(app).await?;
        if workers::webhooks::tick_until(app, end).await? == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_ahead_is_said_to_the_second() {
        let at = |seconds| {
            let span = Span::from_seconds(seconds);
            ahead(&Clock::ahead(span, Timestamp::from_millis(0)))
        };
        assert_eq!(at(0), None);
        assert_eq!(at(93_784).as_deref(), Some("1 d 2 h 3 min 4 s"));
        assert_eq!(at(3_600).as_deref(), Some("1 h"));
        let less = Clock::ahead(Span::from_millis(20), Timestamp::from_millis(0));
        assert_eq!(ahead(&less).as_deref(), Some("1 s"));
    }

    #[test]
    fn what_a_person_types_is_bounded() {
        assert_eq!(typed(" 1h30m "), Ok(Span::from_minutes(90)));
        assert_eq!(typed("400d"), Ok(ADVANCE_MAX));
        assert_eq!(typed("400d1s"), Err(Unmovable::TooFar));
        assert_eq!(typed("0m"), Err(Unmovable::Nothing));
        for wrong in ["", "1", "-1h", "tomorrow", "1h 30m"] {
            assert_eq!(typed(wrong), Err(Unmovable::Unreadable), "{wrong}");
        }
    }
}
