//! The bank's own page, played by us: 3-D Secure for cards, the app for everything else. In test
//! mode only.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::{AttemptId, Refusal};

use super::checkout::Visit;
use super::display;
use super::errors;
use super::form::Form;
use super::parts::{Head, Link, is_test};
use super::shell::Shell;
use super::words::Words;
use crate::app::App;
use crate::operations::Failure;
use crate::operations::payments::{self, Answer, Challenge, Step};

/// The page of the simulated bank or app.
#[derive(Clone, Debug, Template)]
#[template(path = "simulator.html")]
pub struct SimulatorPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// Whose page this plays.
    pub bank: String,
    /// What is asked.
    pub heading: String,
    /// In full.
    pub text: String,
    /// Shop, amount and card.
    pub rows: Vec<(String, String)>,
    /// Where the form goes; none when the step is over.
    pub action: Option<String>,
    /// To the payment, when the step is over.
    pub link: Link,
}

impl SimulatorPage {
    /// The page for a challenge. `path` is the address of the bill's own page.
    pub fn new(w: &'static Words, challenge: &Challenge, path: &str) -> Self {
        let payment = &challenge.payment.head;
        let shop = &challenge.view.merchant.name;
        let amount = display::amount(payment.amount);
        let card = payment.method == "card" || payment.instrument.is_some();
        let method = display::method(w, &payment.method);
        let bank = match card {
            true => w.bank_name.to_string(),
            false => w.app_name.with("method", &method).to_string(),
        };
        let (heading, text) = match (challenge.step, card) {
            (Step::Open, true) => (w.bank_heading, w.bank_text),
            (Step::Open, false) => (w.app_heading, w.app_text),
            (Step::Late, _) => (w.step_late_heading, w.step_late_text),
            (Step::Over, _) => (w.step_over_heading, w.step_over_text),
        };
        let text = text.with("name", shop).with("amount", &amount).to_string();
        let mut rows = vec![
            (w.bank_merchant.to_string(), shop.clone()),
            (w.amount.to_string(), amount),
        ];
        if let Some(instrument) = &payment.instrument {
            rows.push((w.bank_card.to_string(), display::card(w, instrument)));
        }
        Self {
            w,
            head: Head::payer(heading, false),
            bank,
            heading: heading.to_string(),
            text,
            rows,
            action: (challenge.step == Step::Open)
                .then(|| format!("/simulator/challenge/{}", challenge.attempt)),
            link: Link::ours(path, w.to_payment),
        }
    }
}

/// `GET /simulator/challenge/{attempt}`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(attempt): Path<String>,
    headers: HeaderMap,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    match open(&app, &attempt).await {
        Ok(challenge) => page(&app, shell, challenge, StatusCode::OK).await,
        Err(failure) => errors::failed(&shell, &failure),
    }
}

/// `POST /simulator/challenge/{attempt}`.
pub async fn submit(
    State(app): State<Arc<App>>,
    Path(attempt): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&shell);
    };
    let challenge = match open(&app, &attempt).await {
        Ok(challenge) => challenge,
        Err(failure) => return errors::failed(&shell, &failure),
    };
    if challenge.step != Step::Open {
        return page(&app, shell, challenge, StatusCode::CONFLICT).await;
    }
    let answer = match form.get("outcome") {
        "approve" => Answer::Approve,
        "decline" => Answer::Decline,
        "leave" | "abort" => Answer::Abort,
        _ => return page(&app, shell, challenge, StatusCode::UNPROCESSABLE_ENTITY).await,
    };
    let left = matches!(answer, Answer::Abort);
    let answered = payments::answer(&app, &challenge.attempt, answer).await;
    let Some(visit) = Visit::of(&app, shell, challenge.view.clone()).await else {
        return errors::missing(&shell);
    };
    let method = &challenge.payment.head.method;
    match answered {
        // Whoever leaves finds the payment as it was, without a word of a decline.
        Ok(_) if left => visit.to(&visit.path()),
        Ok(paid) => visit.outcome(paid, method, ""),
        Err(Failure::Refused(Refusal::WrongState(_) | Refusal::TryUnderWay)) => {
            // Answered in another window in the meantime.
            let over = Challenge {
                step: Step::Over,
                ..challenge
            };
            page(
                &app,
                Shell::new(&app.site, &headers),
                over,
                StatusCode::CONFLICT,
            )
            .await
        }
        Err(Failure::Refused(refusal)) => visit.refused(method, &refusal).await,
        Err(failure) => errors::failed(&shell, &failure),
    }
}

/// The challenge of a path segment; live payments have none.
async fn open(app: &App, attempt: &str) -> Result<Challenge, Failure> {
    let unknown = Failure::Refused(Refusal::UnknownRoute);
    let Ok(attempt) = AttemptId::parse(attempt) else {
        return Err(unknown);
    };
    let challenge = payments::challenge(app, &attempt).await?;
    if is_test(&challenge.view.bill) {
        Ok(challenge)
    } else {
        Err(unknown)
    }
}

async fn page(app: &App, shell: Shell<'_>, challenge: Challenge, status: StatusCode) -> Response {
    match Visit::of(app, shell, challenge.view.clone()).await {
        Some(visit) => visit.answer(
            status,
            &SimulatorPage::new(shell.w, &challenge, &visit.path()),
        ),
        None => errors::missing(&shell),
    }
}
