//! Webhook endpoints: where events go, how each has been doing, pause, resume, test.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::endpoint::Pause;
use domain::{Endpoint, EndpointId, EndpointState, Topics};

use crate::app::App;
use crate::operations::endpoints as operations;
use crate::sandbox::deliveries::{self, Deed};
use crate::web::display::When;
use crate::web::errors;
use crate::web::parts::{Head, Tone};
use crate::web::shell::Shell;
use crate::web::words::Words;

/// The list.
#[derive(Clone, Debug, Template)]
#[template(path = "endpoints.html")]
pub struct EndpointsPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// The endpoints, oldest first.
    pub rows: Vec<Row>,
}

/// One endpoint.
#[derive(Clone, Debug)]
pub struct Row {
    /// Our id.
    pub id: String,
    /// The merchant's name for it, or its address.
    pub name: String,
    /// Where deliveries go.
    pub url: String,
    /// Who makes and signs them.
    pub scheme: String,
    /// What it wants to hear, in words.
    pub events: String,
    /// Is it being sent to?
    pub active: bool,
    /// The same in words.
    pub state: String,
    /// The same as a colour and an icon.
    pub tone: Tone,
    /// Why it is paused, if it is.
    pub why: Option<String>,
    /// How it has been doing.
    pub health: String,
    /// A warning if others get the same.
    pub doubles: Option<String>,
    /// What the buttons say to those who cannot see where they stand.
    pub pause: String,
    /// See `pause`.
    pub resume: String,
    /// See `pause`.
    pub test: String,
}

impl EndpointsPage {
    /// The page for a list of endpoints.
    pub fn new(w: &'static Words, endpoints: &[Endpoint]) -> Self {
        Self {
            w,
            head: Head::developer(w.endpoints_heading),
            rows: endpoints
                .iter()
                .map(|one| Row::new(w, one, operations::doubles(one, endpoints)))
                .collect(),
        }
    }
}

impl Row {
    fn new(w: &Words, endpoint: &Endpoint, doubles: u32) -> Self {
        let name = endpoint
            .label
            .as_ref()
            .filter(|text| !text.trim().is_empty());
        let name = name.unwrap_or(&endpoint.url);
        let active = endpoint.state == EndpointState::Active;
        let failing = endpoint.health.failures > 0;
        Self {
            id: endpoint.head.id.to_string(),
            url: endpoint.url.clone(),
            scheme: endpoint.head.scheme.clone(),
            events: match &endpoint.topics {
                Topics::All => w.endpoint_all_events.to_string(),
                Topics::Some(topics) => topics.join(", "),
            },
            active,
            state: if active {
                w.endpoint_active
            } else {
                w.state_paused
            }
            .to_string(),
            tone: match (active, failing) {
                (true, false) => Tone::Good,
                (true, true) => Tone::Bad,
                (false, _) => Tone::Plain,
            },
            why: why(w, endpoint.state),
            health: health(w, endpoint),
            doubles: match doubles {
                0 => None,
                1 => Some(w.endpoint_doubles_one.to_string()),
                many => Some(w.endpoint_doubles.with("count", many).to_string()),
            },
            pause: w.endpoint_pause_of.with("url", name).to_string(),
            resume: w.endpoint_resume_of.with("url", name).to_string(),
            test: w.endpoint_test_of.with("url", name).to_string(),
            name: name.clone(),
        }
    }
}

fn why(w: &Words, state: EndpointState) -> Option<String> {
    let EndpointState::Paused { at, why } = state else {
        return None;
    };
    let text = match why {
        Pause::ByHand => w.endpoint_paused_by_hand,
        Pause::Failing => w.endpoint_paused_failing,
        Pause::Gone => w.endpoint_paused_gone,
    };
    Some(text.with("when", When::new(w, at).text).to_string())
}

fn health(w: &Words, endpoint: &Endpoint) -> String {
    let Some(since) = endpoint.health.failing_since else {
        return w.endpoint_healthy.to_string();
    };
    let when = When::new(w, since).text;
    match endpoint.health.failures {
        1 => w.endpoint_failing_one.with("when", when),
        many => w.endpoint_failing.with("count", many).with("when", when),
    }
    .to_string()
}

/// `GET /sandbox/endpoints`.
pub async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let shell = Shell::new(&app.site, &headers);
    match deliveries::registered(&app).await {
        Ok(known) => shell.page(StatusCode::OK, &EndpointsPage::new(shell.w, &known)),
        Err(failure) => errors::failed(&shell, &failure),
    }
}

/// `POST /sandbox/endpoints/{id}/{deed}`: pauses, resumes or tests it, then back to the list.
pub async fn act(
    State(app): State<Arc<App>>,
    Path((id, deed)): Path<(String, String)>,
    headers: HeaderMap,
    // Nothing in the form matters, but what is not read would close the connection.
    _: Bytes,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let deed = match deed.as_str() {
        "pause" => Deed::Pause,
        "resume" => Deed::Resume,
        "test" => Deed::Test,
        _ => return errors::missing(&shell),
    };
    let Ok(id) = EndpointId::parse(&id) else {
        return errors::missing(&shell);
    };
    match deliveries::act(&app, deed, &id).await {
        Ok(_) => shell
            .see_other(&format!("/sandbox/endpoints#{id}"))
            .unwrap_or_else(|| errors::missing(&shell)),
        Err(failure) => errors::failed(&shell, &failure),
    }
}
