//! The sandbox's clock: one offset over the system's clock for everything, which tests move
//! forward.
//!
//! Moving it walks from due time to due time: what becomes due on the way (expiries, retries of
//! webhooks) happens in order, each at its own time, before the call answers. The offset is kept
//! in the database before anybody sees it, and so is where the clock is going: it never goes back,
//! restarts included, and where a process ended on the way, its next start or another node goes on.

mod kept;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::Span;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use store::Fault;

use super::answers::{failed, refused};
use super::simulate::{BODY_MAX, admitted, rfc3339};
use crate::app::App;
use crate::clock::Clock;
use crate::config;
use crate::http::pipeline::{self, plain};
use crate::operations::Failure;

pub use kept::{Following, LOOK, follow, load};
pub use walk::{resume, walk};

/// The furthest that one call moves the clock.
const ADVANCE_MAX: Span = Span::from_minutes(400 * 24 * 60);

/// How long a call waits for the walk; after that it goes on by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// Before a request is answered by one of many nodes: it shows no earlier time than another has.
pub async fn followed(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    // Without the database there is no common time, and hardly anything to answer with it.
    let _ = follow(&app).await;
    next.run(request).await
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

#[cfg(test)]
mod tests {
    use domain::Timestamp;

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
