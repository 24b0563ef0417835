//! The demo merchant's webhook deliveries, for the page and for the sandbox call.

use domain::call::EndpointView;
use domain::{DeliveryId, Endpoint, EndpointAsk, EndpointId, Refusal, Timestamp, Topics};
use serde::Serialize;
use serde_json::{Map, Value};
use store::Failure;
use store::tables::deliveries::{Filter, Range, Try};

use super::Demo;
use crate::app::App;
use crate::operations::deliveries::{self, Names, Seen, Standing};
use crate::operations::endpoints;
use crate::operations::endpoints::Who;
use crate::operator::deliveries::psp_references;
use crate::schemes::Scheme;

/// How many of the demo merchant's deliveries a list shows.
const SHOWN: u32 = 50;

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Our id.
    pub id: DeliveryId,
    /// What it announces, in the dialect's word.
    pub event: String,
    /// Where it goes.
    pub endpoint: String,
    /// The registered endpoint, if it goes to one that is still there.
    pub registered: Option<EndpointId>,
    /// Can it be sent again? Not once its endpoint is removed.
    pub sendable: bool,
    /// Why it is where it is.
    pub standing: Standing,
    /// What the reservation that it is about is called, if it is about one.
    pub names: Option<Names>,
    /// `pending`, `delivered`, `failed` or `paused`.
    pub state: String,
    /// When it is tried next.
    pub next_attempt_at: Option<Timestamp>,
    /// Its attempts.
    pub attempts: Vec<AttemptRow>,
}

/// One attempt, both sides in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// When.
    pub at: Timestamp,
    /// The status of the answer.
    pub status: Option<u16>,
    /// How long it took.
    pub latency_ms: i64,
    /// What went wrong if there was no answer.
    pub error: Option<String>,
    /// Headers sent.
    pub request_headers: Vec<(String, String)>,
    /// Bytes sent.
    pub request_body: String,
    /// Headers received.
    pub response_headers: Vec<(String, String)>,
    /// The head of what was received.
    pub response_body: String,
}

/// Which deliveries a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those about the payment or payout of this name.
    pub payment: Option<String>,
    /// Those in this state.
    pub state: Option<String>,
    /// Those to this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Those before this one.
    pub before: Option<DeliveryId>,
}

/// The demo merchant's deliveries that are wanted, newest first, and the one behind which there
/// are more.
pub async fn list(
    app: &App,
    wanted: &Wanted,
) -> Result<(Vec<DeliveryRow>, Option<DeliveryId>), Failure> {
    let demo = demo(app)?;
    if let Some(name) = &wanted.payment {
        let Some(object) = deliveries::object(app, &demo.caller, name).await? else {
            return Ok((Vec::new(), None));
        };
        let mut rows = about(app, demo, Some(&object)).await?;
        rows.retain(|row| {
            let state = wanted.state.as_ref();
            let endpoint = wanted.endpoint.as_ref();
            state.is_none_or(|state| *state == row.state)
                && endpoint.is_none_or(|endpoint| row.registered.as_ref() == Some(endpoint))
        });
        return Ok((rows, None));
    }
    let filter = Filter {
        merchant: demo.caller.merchant.id.clone(),
        mode: demo.caller.mode,
        endpoint: wanted.endpoint.clone(),
        state: wanted.state.clone(),
        before: wanted.before.clone(),
        limit: SHOWN,
    };
    let seen = if wanted.state.as_deref() == Some("paused") {
        deliveries::list_paused(app, filter).await?
    } else {
        deliveries::list(app, filter).await?
    };
    let full = seen.len() >= usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let last = seen.last().map(|seen| seen.delivery.new.id.clone());
    Ok((rows(seen), last.filter(|_| full)))
}

/// The deliveries about an object of this id of ours, or the newest ones.
pub async fn about(
    app: &App,
    demo: &Demo,
    object: Option<&str>,
) -> Result<Vec<DeliveryRow>, Failure> {
    let caller = &demo.caller;
    let seen = match object {
        Some(object) => deliveries::about(app, caller, object).await?,
        None => {
            let newest = Filter {
                merchant: caller.merchant.id.clone(),
                mode: caller.mode,
                endpoint: None,
                state: None,
                before: None,
                limit: SHOWN,
            };
            deliveries::list(app, newest).await?
        }
    };
    Ok(rows(seen))
}

fn rows(seen: Vec<Seen>) -> Vec<DeliveryRow> {
    seen.into_iter()
        .map(|seen| DeliveryRow {
            next_attempt_at: seen.next_attempt(),
            state: seen.state().to_owned(),
            id: seen.delivery.new.id,
            event: seen.delivery.new.topic,
            sendable: !seen.delivery.removed,
            registered: seen
                .delivery
                .new
                .endpoint
                .filter(|_| !seen.delivery.removed),
            endpoint: seen.delivery.new.target,
            standing: seen.standing,
            names: seen.names,
            attempts: seen.attempts.into_iter().map(AttemptRow::from).collect(),
        })
        .collect()
}

/// One more attempt now.
pub async fn resend(app: &App, id: &DeliveryId) -> Result<(), Failure> {
    deliveries::resend(app, &who(app)?, id).await
}

/// Gives one that waits up.
pub async fn skip(app: &App, id: &DeliveryId) -> Result<(), Failure> {
    deliveries::skip(app, &who(app)?, id).await
}

fn who(app: &App) -> Result<Who<'_>, Failure> {
    Ok(Who {
        caller: &demo(app)?.caller,
        actor: "sandbox",
    })
}

/// The demo merchant's endpoints, oldest first.
pub async fn registered(app: &App) -> Result<Vec<Endpoint>, Failure> {
    let caller = &demo(app)?.caller;
    endpoints::list(app, &caller.merchant.id, caller.mode).await
}

/// Registers an endpoint for the events of all dialects; its secret is in the answer.
pub async fn register(
    app: &App,
    url: &str,
    events: &str,
    label: &str,
) -> Result<EndpointView, Failure> {
    let wanted: Vec<String> = events
        .split([',', ' ', '\n'])
        .map(str::trim)
        .filter(|event| !event.is_empty())
        .map(str::to_owned)
        .collect();
    Scheme::Standard.admit(&wanted)?;
    let ask = EndpointAsk {
        url: url.trim().to_owned(),
        topics: if wanted.is_empty() {
            Topics::All
        } else {
            Topics::Some(wanted)
        },
        label: Some(label.trim().to_owned()).filter(|label| !label.is_empty()),
        per_topic_max: None,
        extras: Map::new(),
    };
    endpoints::register(app, Scheme::Standard, &who(app)?, ask).await
}

/// Sends again what an endpoint was to get in a time range.
pub async fn resend_range(app: &App, range: Range) -> Result<u64, Failure> {
    deliveries::resend_range(app, &who(app)?, range).await
}

/// What can be done to an endpoint on its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Hold its deliveries back.
    Pause,
    /// Send what waited.
    Resume,
    /// Send a test event.
    Test,
}

/// Does it.
pub async fn act(app: &App, deed: Deed, id: &EndpointId) -> Result<Endpoint, Failure> {
    let who = who(app)?;
    match deed {
        Deed::Pause => endpoints::pause(app, &who, id).await,
        Deed::Resume => endpoints::resume(app, &who, id).await,
        Deed::Test => endpoints::test(app, &who, id).await,
    }
}

fn demo(app: &App) -> Result<&Demo, Failure> {
    app.demo
        .as_ref()
        .ok_or(Failure::Refused(Refusal::UnknownRoute))
}

impl From<Try> for AttemptRow {
    fn from(attempt: Try) -> Self {
        Self {
            at: attempt.at,
            status: attempt.status,
            latency_ms: attempt.took_ms,
            error: attempt.error,
            request_headers: deliveries::headers(&attempt.request_headers),
            request_body: attempt.request_body,
            response_headers: deliveries::headers(&attempt.response_headers),
            response_body: attempt.response_body,
        }
    }
}

/// A delivery as the sandbox call shows it.
#[derive(Serialize)]
pub struct Shown {
    id: String,
    event: String,
    endpoint: String,
    state: String,
    next_attempt_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_references: Option<Value>,
    attempts: Vec<Value>,
}

impl From<DeliveryRow> for Shown {
    fn from(row: DeliveryRow) -> Self {
        Self {
            id: row.id.to_string(),
            event: row.event,
            endpoint: row.endpoint,
            psp_references: row.names.as_ref().map(psp_references),
            state: row.state,
            next_attempt_at: row.next_attempt_at.map(super::simulate::rfc3339),
            attempts: row.attempts.into_iter().map(shown).collect(),
        }
    }
}

fn shown(attempt: AttemptRow) -> Value {
    let headers = |pairs: Vec<(String, String)>| {
        pairs
            .into_iter()
            .map(|(name, value)| (name, Value::from(value)))
            .collect::<Map<_, _>>()
    };
    serde_json::json!({
        "at": super::simulate::rfc3339(attempt.at),
        "status": attempt.status,
        "latency_ms": attempt.latency_ms,
        "error": attempt.error,
        "request": {
            "headers": headers(attempt.request_headers),
            "body": attempt.request_body,
        },
        "response": {
            "status": attempt.status,
            "headers": headers(attempt.response_headers),
            "body": attempt.response_body,
        },
    })
}
