//! Webhook deliveries: what was sent, what came back, send it again.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::endpoint::Pause;
use domain::{DeliveryId, Endpoint, EndpointId, Refusal, WireId};
use store::tables::deliveries::why;

use super::shop::{indented, lines};
use crate::app::App;
use crate::operations::Failure;
use crate::operations::deliveries::{Names, Standing};
use crate::sandbox::deliveries::{self, AttemptRow, DeliveryRow, Wanted};
use crate::sandbox::mischief::{Trick, Wish};
use crate::web::display::When;
use crate::web::errors;
use crate::web::form::Form;
use crate::web::parts::{Head, Tone};
use crate::web::shell::Shell;
use crate::web::words::{Text, Words};

/// The list.
#[derive(Clone, Debug, Template)]
#[template(path = "deliveries.html")]
pub struct DeliveriesPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// The payment whose deliveries are shown; none shows all.
    pub payment: Option<String>,
    /// The states to choose from.
    pub states: Vec<Choice>,
    /// The endpoints to choose from.
    pub endpoints: Vec<Choice>,
    /// Is anything left out?
    pub filtered: bool,
    /// What the buttons keep, as names and values.
    pub kept: Vec<(&'static str, String)>,
    /// Where the next page is, if there is one.
    pub older: Option<String>,
    /// The deliveries, newest first.
    pub rows: Vec<Delivery>,
    /// What can go wrong with the next ones: the word in the form and the words for people.
    pub tricks: Vec<(&'static str, String)>,
    /// What is to go wrong already, in words.
    pub wished: Vec<String>,
}

/// One of several values of a filter.
#[derive(Clone, Debug)]
pub struct Choice {
    /// In the query.
    pub value: String,
    /// For people.
    pub text: String,
    /// Is it the one in force?
    pub chosen: bool,
}

/// One delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Our id.
    pub id: String,
    /// What it announces.
    pub event: String,
    /// Where it goes.
    pub endpoint: String,
    /// Its state in words.
    pub state: String,
    /// Its state as a colour and an icon.
    pub tone: Tone,
    /// When it is tried next.
    pub next: Option<When>,
    /// How often it was tried, in words.
    pub tries: String,
    /// The tries, oldest first.
    pub attempts: Vec<Attempt>,
    /// What the button says to those who cannot see where it stands.
    pub resend: String,
    /// Can it be sent again?
    pub sendable: bool,
    /// The same for the button that gives it up, if it waits.
    pub skip: Option<String>,
    /// The registered endpoint it goes to, if it does.
    pub registered: Option<String>,
    /// Why it is where it is, in words.
    pub why: String,
    /// What the payment is called in answers and what in this delivery, if those differ.
    pub names: Option<String>,
}

/// One try, both sides.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Which, when.
    pub title: String,
    /// What came of it.
    pub result: String,
    /// Did the server take it?
    pub good: bool,
    /// What went wrong, if nothing was answered.
    pub error: Option<String>,
    /// What we sent.
    pub sent: String,
    /// What came back.
    pub got: Option<String>,
}

impl DeliveriesPage {
    /// The page for a list of deliveries, and the one behind which there are more.
    pub fn new(
        w: &'static Words,
        wanted: &Wanted,
        (rows, older): (Vec<DeliveryRow>, Option<DeliveryId>),
        endpoints: &[Endpoint],
    ) -> Self {
        let states = [
            ("", w.filter_any),
            ("pending", w.state_pending),
            ("delivered", w.state_delivered),
            ("failed", w.state_failed),
            ("paused", w.state_paused),
        ];
        let in_force = wanted.state.as_deref().unwrap_or_default();
        let endpoint = wanted.endpoint.as_ref().map(EndpointId::as_str);
        let any = Choice {
            value: String::new(),
            text: w.filter_any.to_string(),
            chosen: endpoint.is_none(),
        };
        let known = endpoints.iter().map(|one| Choice {
            value: one.head.id.to_string(),
            text: one.label.clone().unwrap_or_else(|| one.url.clone()),
            chosen: endpoint == Some(one.head.id.as_str()),
        });
        let kept = [
            ("payment", wanted.payment.clone()),
            ("endpoint", endpoint.map(str::to_owned)),
        ];
        let older = older.map(|last| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for (name, value) in [
                ("state", wanted.state.as_deref()),
                ("endpoint", endpoint),
                ("before", Some(last.as_str())),
            ] {
                if let Some(value) = value {
                    query.append_pair(name, value);
                }
            }
            format!("/sandbox/deliveries?{}", query.finish())
        });
        Self {
            w,
            head: Head::developer(w.deliveries_heading),
            payment: wanted.payment.clone(),
            states: states
                .into_iter()
                .map(|(value, text)| Choice {
                    value: value.to_owned(),
                    text: text.to_string(),
                    chosen: value == in_force,
                })
                .collect(),
            endpoints: std::iter::once(any).chain(known).collect(),
            filtered: *wanted != Wanted::default(),
            kept: kept
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
            older,
            rows: rows.into_iter().map(|row| Delivery::new(w, row)).collect(),
            tricks: Trick::ALL
                .map(|trick| (trick.as_str(), named(w, trick).to_string()))
                .to_vec(),
            wished: Vec::new(),
        }
    }

    /// The same with what is to go wrong already.
    #[must_use]
    pub fn with_wishes(mut self, wishes: &[Wish]) -> Self {
        let w = self.w;
        let told = wishes.iter().map(|wish| {
            let text = w.mischief_left.with("count", wish.times());
            text.with("trick", named(w, wish.trick())).to_string()
        });
        self.wished = told.collect();
        self
    }
}

/// What goes wrong, for people.
fn named(w: &Words, trick: Trick) -> Text {
    match trick {
        Trick::Drop => w.mischief_drop,
        Trick::LoseAnswer => w.mischief_lose_answer,
        Trick::Duplicate => w.mischief_duplicate,
        Trick::WrongSignature => w.mischief_wrong_signature,
        Trick::Delay => w.mischief_delay,
        Trick::Swap => w.mischief_swap,
    }
}

impl Delivery {
    fn new(w: &Words, row: DeliveryRow) -> Self {
        let (tone, state) = match row.state.as_str() {
            "pending" => (Tone::Wait, w.state_pending.to_string()),
            "delivered" => (Tone::Good, w.state_delivered.to_string()),
            "failed" => (Tone::Bad, w.state_failed.to_string()),
            "paused" => (Tone::Plain, w.state_paused.to_string()),
            other => (Tone::Plain, other.to_owned()),
        };
        let tries = match row.attempts.len() {
            0 => w.delivery_no_tries.to_string(),
            1 => w.delivery_tries_one.to_string(),
            count => w.delivery_tries.with("count", count).to_string(),
        };
        let attempts = row.attempts.iter().enumerate();
        Self {
            id: row.id.to_string(),
            resend: w.delivery_resend_of.with("event", &row.event).to_string(),
            sendable: row.sendable,
            skip: ["pending", "paused"]
                .contains(&row.state.as_str())
                .then(|| w.delivery_skip_of.with("event", &row.event).to_string()),
            registered: row.registered.as_ref().map(ToString::to_string),
            why: standing(w, &row.standing),
            names: row.names.as_ref().map(|names| numbers(w, names)),
            tone,
            state,
            next: row.next_attempt_at.map(|at| When::exact(w, at)),
            tries,
            attempts: attempts
                .map(|(index, attempt)| Attempt::new(w, index, attempt))
                .collect(),
            event: row.event,
            endpoint: row.endpoint,
        }
    }
}

/// The reference and both numbers of a reservation.
fn numbers(w: &Words, names: &Names) -> String {
    let step = names.step.as_ref().map_or("–", |step| step.as_str());
    w.delivery_numbers
        .with("reference", &names.reference)
        .with("payment", names.payment.as_str())
        .with("step", step)
        .to_string()
}

fn standing(w: &Words, standing: &Standing) -> String {
    let text = match standing {
        Standing::Delivered => w.standing_delivered,
        Standing::GivenUp(reason) => match reason.as_str() {
            why::GONE => w.standing_gone,
            why::SKIPPED => w.standing_skipped,
            why::REMOVED => w.standing_removed,
            _ => w.standing_gave_up,
        },
        Standing::Paused { why, .. } => match why {
            Pause::ByHand => w.standing_by_hand,
            Pause::Failing => w.standing_failing,
            Pause::Gone => w.standing_gone_paused,
        },
        Standing::UnderWay => w.standing_under_way,
        Standing::Due(_) => w.standing_due,
        Standing::Behind(id) => return w.standing_behind.with("id", id).to_string(),
    };
    text.to_string()
}

impl Attempt {
    fn new(w: &Words, index: usize, row: &AttemptRow) -> Self {
        let when = When::exact(w, row.at);
        let title = w
            .delivery_try
            .with("number", index.saturating_add(1))
            .with("when", when.text);
        let result = match row.status {
            Some(status) => w.delivery_answered.with("status", status),
            None => w.delivery_unanswered.with("latency", row.latency_ms),
        };
        Self {
            title: title.to_string(),
            result: result.with("latency", row.latency_ms).to_string(),
            good: row
                .status
                .is_some_and(|status| (200..300).contains(&status)),
            error: row.error.clone(),
            sent: message(&row.request_headers, &row.request_body),
            got: row
                .status
                .map(|_| message(&row.response_headers, &row.response_body)),
        }
    }
}

/// Headers, an empty line, the body.
fn message(headers: &[(String, String)], body: &str) -> String {
    format!("{}\n\n{}", lines(headers), indented(body))
        .trim()
        .to_owned()
}

/// `GET /sandbox/deliveries`.
pub async fn show(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let query = Form::read(query.unwrap_or_default().into_bytes());
    // What cannot be a filter has no deliveries, which the list of all would hide.
    let Some(wanted) = query.and_then(|query| wanted(&query)) else {
        return errors::missing(&shell);
    };
    let shown = async {
        let listed = deliveries::list(&app, &wanted).await?;
        Ok::<_, Failure>((listed, deliveries::registered(&app).await?))
    };
    match shown.await {
        Ok((listed, known)) => {
            let page = DeliveriesPage::new(shell.w, &wanted, listed, &known)
                .with_wishes(&app.mischief.left());
            shell.page(StatusCode::OK, &page)
        }
        Err(failure) => errors::failed(&shell, &failure),
    }
}

/// Reads the filters; nothing if one of them cannot be.
fn wanted(query: &Form) -> Option<Wanted> {
    let given =
        |name: &str| Some(query.get(name).trim().to_owned()).filter(|text| !text.is_empty());
    let payment = given("payment");
    if let Some(name) = &payment {
        WireId::new(name.as_str()).ok()?;
    }
    let state = given("state");
    if let Some(state) = &state {
        let known = ["pending", "delivered", "failed", "paused"];
        known.iter().find(|known| *known == state)?;
    }
    let endpoint = match given("endpoint") {
        Some(id) => Some(EndpointId::parse(&id).ok()?),
        None => None,
    };
    let before = match given("before") {
        Some(id) => Some(DeliveryId::parse(&id).ok()?),
        None => None,
    };
    Some(Wanted {
        payment,
        state,
        endpoint,
        before,
    })
}

/// `POST /sandbox/deliveries/{id}/resend`: one more try, then back to the list.
pub async fn resend(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Ok(id) = DeliveryId::parse(&id) else {
        return errors::missing(&shell);
    };
    let done = deliveries::resend(&app, &id).await;
    back(&shell, &id, body, done)
}

/// `POST /sandbox/deliveries/{id}/skip`: gives it up, then back to the list.
pub async fn skip(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Ok(id) = DeliveryId::parse(&id) else {
        return errors::missing(&shell);
    };
    let done = deliveries::skip(&app, &id).await;
    back(&shell, &id, body, done)
}

/// `POST /sandbox/deliveries/mischief`: the next ones go wrong, then back to the list.
pub async fn spoil(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let form = Form::read(Vec::from(body));
    let wanted = form.and_then(|form| {
        let trick = Trick::parse(form.get("trick"))?;
        Some(Wish::of(
            trick,
            form.get("times").trim().parse().unwrap_or(1),
        ))
    });
    let Some(wish) = wanted else {
        return errors::missing(&shell);
    };
    app.mischief.add(wish);
    shell
        .see_other("/sandbox/deliveries#mischief")
        .unwrap_or_else(|| errors::missing(&shell))
}

/// Back to the list, at the delivery. What could not be done because it was over meanwhile is seen
/// there.
fn back(
    shell: &Shell,
    id: &DeliveryId,
    body: axum::body::Bytes,
    done: Result<(), Failure>,
) -> Response {
    match done {
        Ok(()) | Err(Failure::Refused(Refusal::WrongState(_))) => {}
        Err(failure) => return errors::failed(shell, &failure),
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(form) = Form::read(Vec::from(body)) {
        for name in ["payment", "endpoint"] {
            match form.get(name) {
                "" => {}
                value => drop(query.append_pair(name, value)),
            }
        }
    }
    let target = match query.finish() {
        query if query.is_empty() => format!("/sandbox/deliveries#{id}"),
        query => format!("/sandbox/deliveries?{query}#{id}"),
    };
    shell
        .see_other(&target)
        .unwrap_or_else(|| errors::missing(shell))
}
