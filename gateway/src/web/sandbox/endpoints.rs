//! Webhook endpoints: where events go, how each has been doing, pause, resume, test.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::endpoint::Pause;
use domain::{Endpoint, EndpointId, EndpointState, FieldProblem, Refusal, Timestamp, Topics};
use store::tables::deliveries as table;

use crate::app::App;
use crate::operations::Failure;
use crate::operations::endpoints as operations;
use crate::sandbox::deliveries::{self, Deed};
use crate::web::display::When;
use crate::web::errors;
use crate::web::form::Form;
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
    /// The form for a new one, as it was typed.
    pub typed: Typed,
    /// A new one's address and secret, this once.
    pub made: Option<(String, String)>,
}

/// What is typed into the form for a new endpoint, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// Where deliveries go.
    pub url: String,
    /// What it wants to hear.
    pub events: String,
    /// The merchant's own name for it.
    pub label: String,
    /// The field with the problem, and the problem.
    pub problem: Option<(String, String)>,
}

impl Typed {
    /// The fields of the form, in order.
    pub fn fields(&self, w: &Words) -> Vec<Field> {
        let known = [
            ("url", w.endpoint_url, w.endpoint_url_hint, &self.url),
            (
                "events",
                w.endpoint_events,
                w.endpoint_events_hint,
                &self.events,
            ),
            (
                "label",
                w.endpoint_label,
                w.endpoint_label_hint,
                &self.label,
            ),
        ];
        let problem = |name: &str| {
            let (of, text) = self.problem.as_ref()?;
            (of == name).then(|| text.clone())
        };
        let fields = known.into_iter().map(|(name, label, hint, value)| Field {
            name,
            label: label.to_string(),
            hint: hint.to_string(),
            value: value.clone(),
            problem: problem(name),
        });
        fields.collect()
    }
}

/// A field of a form.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name when it is sent.
    pub name: &'static str,
    /// Its name for people.
    pub label: String,
    /// What it is for.
    pub hint: String,
    /// What was typed.
    pub value: String,
    /// What is wrong with that.
    pub problem: Option<String>,
}

/// The form that sends a time range again, as it was typed.
#[derive(Clone, Debug, Default)]
pub struct Range {
    /// The first time.
    pub from: String,
    /// The time before which it ends; now if it is empty.
    pub until: String,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// What came of it, in words.
    pub done: Option<String>,
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
    /// When it will be removed if it goes on so.
    pub removal: Option<When>,
    /// A warning if others get the same.
    pub doubles: Option<String>,
    /// What the buttons say to those who cannot see where they stand.
    pub pause: String,
    /// See `pause`.
    pub resume: String,
    /// See `pause`.
    pub test: String,
    /// The form that sends a time range again.
    pub range: Range,
}

impl EndpointsPage {
    /// The page for a list of endpoints, some of which will be removed at a time.
    pub fn new(
        w: &'static Words,
        endpoints: &[Endpoint],
        removal: impl Fn(&Endpoint) -> Option<Timestamp>,
    ) -> Self {
        Self {
            w,
            head: Head::developer(w.endpoints_heading),
            rows: endpoints
                .iter()
                .map(|one| {
                    let removal = removal(one).map(|at| When::new(w, at));
                    Row {
                        removal,
                        ..Row::new(w, one, operations::doubles(one, endpoints))
                    }
                })
                .collect(),
            typed: Typed::default(),
            made: None,
        }
    }

    /// The same with the form for a time range of one endpoint.
    #[must_use]
    pub fn with_range(mut self, id: &str, range: &Range) -> Self {
        for row in self.rows.iter_mut().filter(|row| row.id == id) {
            row.range.clone_from(range);
        }
        self
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
            removal: None,
            doubles: match doubles {
                0 => None,
                1 => Some(w.endpoint_doubles_one.to_string()),
                many => Some(w.endpoint_doubles.with("count", many).to_string()),
            },
            pause: w.endpoint_pause_of.with("url", name).to_string(),
            resume: w.endpoint_resume_of.with("url", name).to_string(),
            test: w.endpoint_test_of.with("url", name).to_string(),
            range: Range::default(),
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

/// `GET /sandbox/endpoints`; with `resent` and `endpoint` it says what came of sending again.
pub async fn show(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let query = Form::read(query.unwrap_or_default().into_bytes());
    let done = query.and_then(|query| {
        let count: u64 = query.get("resent").parse().ok()?;
        Some((query.get("endpoint").to_owned(), count))
    });
    let range = |count| Range {
        done: Some(resent(shell.w, count)),
        ..Range::default()
    };
    page(&app, &shell, StatusCode::OK, |page| match done {
        Some((id, count)) => page.with_range(&id, &range(count)),
        None => page,
    })
    .await
}

/// The page as it stands, with something more on it.
async fn page(
    app: &App,
    shell: &Shell<'_>,
    status: StatusCode,
    more: impl FnOnce(EndpointsPage) -> EndpointsPage,
) -> Response {
    match deliveries::registered(app).await {
        Ok(known) => {
            let removal = |one: &Endpoint| one.removed_at(&app.rules(&one.head.scheme));
            let page = EndpointsPage::new(shell.w, &known, removal);
            shell.page(status, &more(page))
        }
        Err(failure) => errors::failed(shell, &failure),
    }
}

fn resent(w: &Words, count: u64) -> String {
    match count {
        0 => w.range_nothing.to_string(),
        1 => w.range_one.to_string(),
        many => w.range_many.with("count", many).to_string(),
    }
}

/// `POST /sandbox/endpoints`: registers one and shows its secret, this once.
pub async fn add(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&shell);
    };
    let (url, events, label) = (form.get("url"), form.get("events"), form.get("label"));
    let problem = match deliveries::register(&app, url, events, label).await {
        Ok(view) => {
            let secret = view.secret.map(|secret| secret.expose().to_owned());
            let made = secret.map(|secret| (view.endpoint.url, secret));
            let with = |page| EndpointsPage { made, ..page };
            return page(&app, &shell, StatusCode::CREATED, with).await;
        }
        Err(Failure::Refused(Refusal::Invalid(problems))) => problems.into_iter().next(),
        Err(Failure::Refused(Refusal::TooManyEndpoints(most, _))) => Some(FieldProblem {
            field: "url".to_owned(),
            message: shell.w.endpoint_too_many.with("count", most).to_string(),
        }),
        Err(failure) => return errors::failed(&shell, &failure),
    };
    let short = |text: &str| text.chars().take(2_048).collect();
    let typed = Typed {
        url: short(url),
        events: short(events),
        label: short(label),
        problem: problem.map(|problem| (problem.field, problem.message)),
    };
    let with = |page| EndpointsPage { typed, ..page };
    page(&app, &shell, StatusCode::UNPROCESSABLE_ENTITY, with).await
}

/// `POST /sandbox/endpoints/{id}/resend`: sends again what it was to get in a time range.
pub async fn resend(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Ok(endpoint) = EndpointId::parse(&id) else {
        return errors::missing(&shell);
    };
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&shell);
    };
    let (from, until) = (form.get("from").trim(), form.get("until").trim());
    let now = app.clock.now();
    let ends = if until.is_empty() {
        Some(now)
    } else {
        read_time(until)
    };
    let wanted = match (read_time(from), ends) {
        (Some(from), Some(until)) if from < until => Ok(table::Range {
            endpoint,
            from,
            until,
            delivered_too: !form.get("all").is_empty(),
        }),
        (Some(_), Some(_)) => Err(shell.w.range_backwards),
        (_, _) => Err(shell.w.range_unreadable),
    };
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(problem) => {
            let short = |text: &str| text.chars().take(40).collect();
            let range = Range {
                from: short(from),
                until: short(until),
                problem: Some(problem.to_string()),
                done: None,
            };
            let with = |page: EndpointsPage| page.with_range(&id, &range);
            return page(&app, &shell, StatusCode::UNPROCESSABLE_ENTITY, with).await;
        }
    };
    match deliveries::resend_range(&app, wanted).await {
        Ok(count) => shell
            .see_other(&format!(
                "/sandbox/endpoints?resent={count}&endpoint={id}#{id}"
            ))
            .unwrap_or_else(|| errors::missing(&shell)),
        Err(failure) => errors::failed(&shell, &failure),
    }
}

/// A time in UTC as a date field gives it (`2026-11-21T09:00`, with seconds or without) or as
/// programs write it, with a zone.
fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.replace(' ', "T");
    let at: jiff::Timestamp = match text.parse() {
        Ok(at) => at,
        Err(_) => {
            let local: jiff::civil::DateTime = text.parse().ok()?;
            local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()
        }
    };
    Some(Timestamp::from_millis(at.as_millisecond()))
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
