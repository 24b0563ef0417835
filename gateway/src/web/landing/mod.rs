//! The landing page of a payment by phone: whoever has the address says which phone to ask, or
//! cancels. The request itself is answered on the phone ([`phone`]).
//!
//! What is asked for by a QR code leads here as well; [`picture`] draws the code.

pub mod phone;
pub mod picture;

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use dialects::{Dialect, PageOutcome};
use domain::payment::Ended;
use domain::{PaymentState, Refusal, ReservationView, StepProblem, WireId};

use super::display;
use super::errors;
use super::form::Form;
use super::parts::{Head, Link, Summary, Tone, is_test};
use super::shell::Shell;
use super::words::{Text, Words};
use crate::app::App;
use crate::operations::reservations::{self, Response as Answer};
use crate::operations::{Failure, phones};

/// The page that asks for a phone.
#[derive(Clone, Debug, Template)]
#[template(path = "landing.html")]
pub struct LandingPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// What is asked for.
    pub summary: Summary,
    /// Where the forms go.
    pub action: String,
    /// The number as it was given or typed.
    pub typed: String,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// What the button that cancels says.
    pub cancel: String,
}

/// The page of a payment that waits no more.
#[derive(Clone, Debug, Template)]
#[template(path = "landing_ended.html")]
pub struct LandingEnded {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// What was asked for.
    pub summary: Summary,
    /// Which icon.
    pub tone: Tone,
    /// What happened.
    pub heading: String,
    /// What that means for the money.
    pub text: String,
    /// Back to the shop.
    pub link: Option<Link>,
}

impl LandingPage {
    /// The page of a payment that waits; `typed` is what stands in the field.
    pub fn new(
        w: &'static Words,
        view: &ReservationView,
        typed: &str,
        problem: Option<String>,
    ) -> Self {
        let title = w.pay_to.with("name", &view.merchant.name).to_string();
        let title = match &problem {
            Some(_) => w.error_prefix.with("title", title).to_string(),
            None => title,
        };
        Self {
            w,
            head: Head::payer(title, is_test(&view.bill)),
            summary: Summary::new(w, &view.bill_view()),
            action: landing(view),
            typed: typed.chars().take(30).collect(),
            problem,
            cancel: match view.bill.ask.return_url {
                Some(_) => w.cancel.with("name", &view.merchant.name).to_string(),
                None => w.cancel_alone.to_string(),
            },
        }
    }
}

impl LandingEnded {
    /// The page of a payment that waits no more. `back` is the shop's address.
    pub fn new(w: &'static Words, view: &ReservationView, back: Option<String>) -> Self {
        let (tone, heading, text) = ending(w, view);
        let text = text
            .with("name", &view.merchant.name)
            .with("amount", display::amount(view.payment.head.amount));
        Self {
            w,
            head: Head::payer(&heading, is_test(&view.bill)),
            summary: Summary::new(w, &view.bill_view()).closed(),
            tone,
            heading,
            text: text.to_string(),
            link: Link::shop(w, &view.merchant.name, back),
        }
    }
}

/// What became of a payment, in words.
fn ending(w: &Words, view: &ReservationView) -> (Tone, String, Text) {
    let (tone, heading, text) = match &view.state {
        PaymentState::Authorized { .. } => {
            (Tone::Good, w.landing_approved, w.landing_approved_text)
        }
        PaymentState::Ended { how, .. } => match how {
            Ended::Expired => (Tone::Plain, w.landing_expired, w.landing_expired_text),
            Ended::Cancelled => (Tone::Plain, w.landing_taken_back, w.landing_taken_back_text),
            Ended::Aborted | Ended::Rejected(_) => {
                (Tone::Plain, w.landing_aborted, w.landing_aborted_text)
            }
        },
        PaymentState::Pending => (Tone::Wait, w.phone_heading, w.landing_text),
    };
    (tone, heading.to_string(), text)
}

/// A visit to one payment.
pub(super) struct Visit<'a> {
    pub app: &'a App,
    pub shell: Shell<'a>,
    pub dialect: &'static dyn Dialect,
    pub view: ReservationView,
}

impl<'a> Visit<'a> {
    /// Finds the payment of an address's token.
    pub async fn begin(
        app: &'a App,
        headers: &HeaderMap,
        query: Option<String>,
    ) -> Result<Self, Response> {
        let shell = Shell::new(&app.site, headers);
        let query = Form::read(query.unwrap_or_default().into_bytes());
        let token = query
            .as_ref()
            .map(|query| query.get("token"))
            .unwrap_or_default();
        let found = (dialects::by_name(dialects::vipps::NAME), WireId::new(token));
        let (Some(dialect), Ok(token)) = found else {
            return Err(errors::missing(&shell));
        };
        match reservations::by_page(app, dialect, &token).await {
            Ok(view) => Ok(Self {
                app,
                shell,
                dialect,
                view,
            }),
            Err(failure) => Err(errors::failed(&shell, &failure)),
        }
    }

    /// Answers the request in the payer's place.
    pub async fn answer(&self, answer: Answer) -> Result<ReservationView, Failure> {
        let token = &self.view.bill.head.wire;
        reservations::respond_to(self.app, self.dialect, token, answer).await
    }

    /// The shop's address, unchanged, if the flow has the browser go back there.
    pub fn back(&self) -> Option<String> {
        self.dialect
            .return_url(&self.view.bill_view(), PageOutcome::Paid)
    }

    /// A page whose forms may end at the shop.
    pub fn page(&self, status: StatusCode, page: &impl Template) -> Response {
        self.shell.page_to(status, page, self.back().as_deref())
    }

    /// What is left to see of a payment that waits no more.
    pub fn ended(&self, status: StatusCode) -> Response {
        let page = LandingEnded::new(self.shell.w, &self.view, self.back());
        self.page(status, &page)
    }

    /// To the shop; to `otherwise` if the flow does not lead there.
    pub fn leave(&self, otherwise: &str) -> Response {
        let target = self.back();
        self.shell
            .see_other(target.as_deref().unwrap_or(otherwise))
            .unwrap_or_else(|| errors::missing(&self.shell))
    }

    /// The page for an answer that came too late, or went wrong.
    pub async fn failed(mut self, failure: Failure) -> Response {
        if !matches!(failure, Failure::Refused(Refusal::Step(_))) {
            return errors::failed(&self.shell, &failure);
        }
        let token = self.view.bill.head.wire.clone();
        match reservations::by_page(self.app, self.dialect, &token).await {
            Ok(view) => {
                self.view = view;
                self.ended(StatusCode::CONFLICT)
            }
            Err(failure) => errors::failed(&self.shell, &failure),
        }
    }
}

/// The address of the landing page.
fn landing(view: &ReservationView) -> String {
    format!("/landing?token={}", view.bill.head.wire)
}

/// `GET /landing?token=`.
pub async fn show(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let visit = match Visit::begin(&app, &headers, query).await {
        Ok(visit) => visit,
        Err(answer) => return answer,
    };
    if visit.view.state != PaymentState::Pending {
        return visit.ended(StatusCode::OK);
    }
    let phone = visit.view.bill.ask.payer.phone.clone().unwrap_or_default();
    let page = LandingPage::new(visit.shell.w, &visit.view, &phone, None);
    visit.page(StatusCode::OK, &page)
}

/// `POST /landing?token=`.
pub async fn submit(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&Shell::new(&app.site, &headers));
    };
    let mut visit = match Visit::begin(&app, &headers, query).await {
        Ok(visit) => visit,
        Err(answer) => return answer,
    };
    if visit.view.state != PaymentState::Pending {
        return visit.ended(StatusCode::CONFLICT);
    }
    if form.get("action") == "cancel" {
        return match visit.answer(Answer::Abort).await {
            Ok(view) => {
                visit.view = view;
                let here = landing(&visit.view);
                visit.leave(&here)
            }
            Err(failure) => visit.failed(failure).await,
        };
    }
    let typed = form.get("phone");
    let Some(phone) = phones::number(typed) else {
        let problem = visit.shell.w.landing_phone_wrong.to_string();
        let page = LandingPage::new(visit.shell.w, &visit.view, typed, Some(problem));
        return visit.page(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let token = visit.view.bill.head.wire.clone();
    match reservations::reach(&app, visit.dialect, &token, &phone).await {
        Ok(view) => {
            visit.view = view;
            let next = phone::address(&visit.view);
            match visit.view.state {
                PaymentState::Pending => visit
                    .shell
                    .see_other(&next)
                    .unwrap_or_else(|| errors::missing(&visit.shell)),
                // The phone has answered by itself.
                PaymentState::Authorized { .. } | PaymentState::Ended { .. } => visit.leave(&next),
            }
        }
        Err(Failure::Refused(Refusal::Step(StepProblem::NoSuchPayer))) => {
            let problem = visit.shell.w.landing_phone_unknown.to_string();
            let page = LandingPage::new(visit.shell.w, &visit.view, typed, Some(problem));
            visit.page(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(failure) => visit.failed(failure).await,
    }
}
