//! The payer's phone, played by us: one request, to be approved, refused or left alone. In test
//! mode only.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use dialects::Choice;
use domain::payment::{Cause, Ended};
use domain::{PaymentState, ReservationView};

use super::Visit;
use crate::app::App;
use crate::operations::reservations::Response as Answer;
use crate::rails::simulator;
use crate::web::checkout::view::Alert;
use crate::web::display::{self, When};
use crate::web::errors;
use crate::web::form::Form;
use crate::web::parts::{Head, Link, Summary, Tone, is_test};
use crate::web::shell::Shell;
use crate::web::words::Words;

/// One request on a phone.
#[derive(Clone, Debug, Template)]
#[template(path = "phone.html")]
pub struct PhonePage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// The phone's number.
    pub number: String,
    /// What the screen says above the request.
    pub heading: String,
    /// What went wrong with the last answer.
    pub alert: Option<Alert>,
    /// The request.
    pub request: Request,
    /// What a bank can say: code and words.
    pub causes: Vec<(&'static str, &'static str)>,
    /// To all requests of this phone, in the sandbox.
    pub inbox: Option<Link>,
}

/// A request as the phone shows it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Unique on the page.
    pub id: usize,
    /// Who asks.
    pub merchant: String,
    /// How much.
    pub amount: String,
    /// What for.
    pub purpose: Option<String>,
    /// The merchant's reference.
    pub reference: String,
    /// Until when it can be answered.
    pub expires: Option<When>,
    /// Does it wait?
    pub open: bool,
    /// Where the forms go.
    pub action: String,
    /// What the button that pays says.
    pub pay: String,
    /// What the payer chooses among: id and words, the usual choice first.
    pub choices: Vec<(String, String)>,
    /// Its state as a colour.
    pub tone: Tone,
    /// Its state in words.
    pub state: String,
    /// To the shop, when it is over.
    pub back: Option<Link>,
}

impl Request {
    /// A request of a payment; `back` is the shop's address.
    pub fn new(w: &Words, id: usize, view: &ReservationView, back: Option<String>) -> Self {
        let summary = Summary::new(w, &view.bill_view());
        let (tone, state) = match &view.state {
            PaymentState::Pending => (Tone::Wait, w.phone_state_waiting),
            PaymentState::Authorized { .. } => (Tone::Good, w.phone_state_approved),
            PaymentState::Ended { how, .. } => match how {
                Ended::Expired => (Tone::Plain, w.phone_state_expired),
                Ended::Cancelled => (Tone::Plain, w.phone_state_cancelled),
                Ended::Aborted | Ended::Rejected(_) => (Tone::Plain, w.phone_state_aborted),
            },
        };
        let amount = display::amount(view.payment.head.amount);
        let choices = choices(w, view);
        Self {
            id,
            pay: if choices.is_empty() {
                w.phone_pay.with("amount", &amount).to_string()
            } else {
                w.phone_pay_chosen.to_string()
            },
            choices,
            merchant: summary.merchant,
            amount,
            purpose: summary.purpose,
            reference: summary.reference.unwrap_or_default(),
            expires: summary.expires,
            open: view.state == PaymentState::Pending,
            action: address(view),
            tone,
            state: state.to_string(),
            back: Link::shop(w, &view.merchant.name, back),
        }
    }
}

/// What is chosen beside paying, each with its price and the whole.
fn choices(w: &Words, view: &ReservationView) -> Vec<(String, String)> {
    let dialect = dialects::by_name(&view.bill.head.dialect);
    let choices = dialect.map(|dialect| dialect.choices(&view.bill));
    let shown = |choice: Choice| {
        let whole = view.bill.ask.amount.checked_add(choice.price).ok()?;
        let text = w
            .phone_choice
            .with("name", &choice.name)
            .with("price", display::amount(choice.price))
            .with("amount", display::amount(whole));
        Some((choice.id, text.to_string()))
    };
    choices
        .unwrap_or_default()
        .into_iter()
        .filter_map(shown)
        .collect()
}

impl PhonePage {
    /// The page of a request. `sandbox`: are all requests of the phone to be seen?
    pub fn new(
        w: &'static Words,
        view: &ReservationView,
        back: Option<String>,
        sandbox: bool,
    ) -> Self {
        let number = view.phone.clone();
        let inbox = number.as_ref().filter(|_| sandbox);
        let inbox = inbox.map(|number| Link::ours(inbox_of(number), w.phone_to_inbox).minor());
        Self {
            w,
            head: Head::payer(w.phone_heading, false),
            number: number.map_or_else(
                || w.phone_unnamed.to_string(),
                |number| display::phone(&number),
            ),
            heading: w.phone_heading.to_string(),
            alert: None,
            request: Request::new(w, 1, view, back),
            causes: simulator::wallet_causes(),
            inbox,
        }
    }

    /// The same page after the bank said no.
    #[must_use]
    pub fn declined(mut self, cause: &Cause) -> Self {
        let w = self.w;
        self.head.title = w.error_prefix.with("title", &self.head.title).to_string();
        self.alert = Some(Alert {
            title: w.phone_declined_title.to_string(),
            text: w.phone_declined_text.with("cause", &cause.text).to_string(),
            fields: Vec::new(),
        });
        self
    }
}

/// The address of the page of one request.
pub fn address(view: &ReservationView) -> String {
    format!("/landing/phone?token={}", view.bill.head.wire)
}

/// The address of a phone's inbox.
pub fn inbox_of(number: &str) -> String {
    format!("/sandbox/phone/{number}")
}

/// `GET /landing/phone?token=`.
pub async fn show(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match open(&app, &headers, query).await {
        Ok(visit) => {
            let page = PhonePage::new(visit.shell.w, &visit.view, visit.back(), app.sandbox);
            visit.page(StatusCode::OK, &page)
        }
        Err(answer) => answer,
    }
}

/// `POST /landing/phone?token=`.
pub async fn submit(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&Shell::new(&app.site, &headers));
    };
    let mut visit = match open(&app, &headers, query).await {
        Ok(visit) => visit,
        Err(answer) => return answer,
    };
    let answer = match form.get("outcome") {
        "approve" => match form.get("choice") {
            "" => Answer::Approve,
            choice => Answer::Choose(choice.to_owned()),
        },
        "decline" => Answer::Decline(simulator::wallet_cause(form.get("card"))),
        "abort" => Answer::Abort,
        "expire" => Answer::Expire,
        // Whoever leaves finds the request as it was.
        "leave" => {
            return visit
                .shell
                .see_other(&elsewhere(&visit))
                .unwrap_or_else(|| errors::missing(&visit.shell));
        }
        _ => {
            let page = PhonePage::new(visit.shell.w, &visit.view, visit.back(), app.sandbox);
            return visit.page(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    match visit.answer(answer).await {
        Ok(view) => visit.view = view,
        Err(failure) => return visit.failed(failure).await,
    }
    let refused = visit
        .view
        .steps
        .last()
        .and_then(|step| step.failure.clone());
    match (&visit.view.state, refused) {
        (PaymentState::Pending, Some(cause)) => {
            let page = PhonePage::new(visit.shell.w, &visit.view, visit.back(), app.sandbox);
            visit.page(StatusCode::UNPROCESSABLE_ENTITY, &page.declined(&cause))
        }
        _ => visit.leave(&elsewhere(&visit)),
    }
}

/// Where a payer goes who does not go to the shop.
fn elsewhere(visit: &Visit<'_>) -> String {
    match &visit.view.phone {
        Some(number) if visit.app.sandbox => inbox_of(number),
        Some(_) | None => super::landing(&visit.view),
    }
}

/// The request of a token; live payments are answered on a real phone.
async fn open<'a>(
    app: &'a App,
    headers: &HeaderMap,
    query: Option<String>,
) -> Result<Visit<'a>, Response> {
    let visit = Visit::begin(app, headers, query).await?;
    if is_test(&visit.view.bill) {
        Ok(visit)
    } else {
        Err(errors::missing(&visit.shell))
    }
}
