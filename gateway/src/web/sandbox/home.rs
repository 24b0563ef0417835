//! The first page a developer sees: pay something now, then look at what happened.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::{Currency, Refusal};

use crate::app::App;
use crate::operations::Failure;
use crate::sandbox::clock::{self, Unmovable};
use crate::sandbox::shop;
use crate::web::checkout::link::{example, read_amount};
use crate::web::display::When;
use crate::web::errors;
use crate::web::form::Form;
use crate::web::parts::Head;
use crate::web::shell::Shell;
use crate::web::words::{Text, Words};

/// The currency of the demo shop.
const CURRENCY: &str = "SGD";

/// The sandbox's home.
#[derive(Clone, Debug, Template)]
#[template(path = "home.html")]
pub struct HomePage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// The currency of the demo shop.
    pub code: &'static str,
    /// An amount as it may be typed.
    pub example: String,
    /// The amount in the field.
    pub typed: String,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// Test cards and what each does.
    pub cards: Vec<(&'static str, Text)>,
    /// A first call from a terminal.
    pub curl: String,
    /// The sandbox's clock.
    pub clock: ClockPart,
}

/// The sandbox's clock on the page.
#[derive(Clone, Debug)]
pub struct ClockPart {
    /// What it shows.
    pub now: When,
    /// How far it is ahead of real time, if it is.
    pub ahead: Option<String>,
    /// What stands in the field.
    pub typed: String,
    /// What is wrong with that.
    pub problem: Option<String>,
}

impl ClockPart {
    /// The clock as it is, with an empty field.
    pub fn new(w: &Words, app: &App) -> Self {
        Self {
            now: When::new(w, app.clock.now()),
            ahead: clock::ahead(&app.clock),
            typed: String::new(),
            problem: None,
        }
    }

    /// The same, with what was typed and cannot be done.
    fn refused(w: &Words, app: &App, typed: &str, why: Unmovable) -> Self {
        let problem = match why {
            Unmovable::Unreadable => w.home_clock_unreadable,
            Unmovable::Nothing => w.home_clock_nothing,
            Unmovable::TooFar => w.home_clock_far,
        };
        Self {
            typed: typed.chars().take(40).collect(),
            problem: Some(problem.to_string()),
            ..Self::new(w, app)
        }
    }
}

impl HomePage {
    /// The page of a sandbox at this address.
    pub fn new(
        w: &'static Words,
        public_url: &str,
        typed: Option<&str>,
        problem: Option<String>,
        clock: ClockPart,
    ) -> Self {
        let example = Currency::parse_exact(CURRENCY)
            .map(example)
            .unwrap_or_default();
        let title = match problem.as_ref().or(clock.problem.as_ref()) {
            Some(_) => w.error_prefix.with("title", w.home_heading).to_string(),
            None => w.home_heading.to_string(),
        };
        Self {
            w,
            head: Head::developer(title),
            clock,
            code: CURRENCY,
            typed: typed.map_or(example.clone(), |typed| typed.chars().take(40).collect()),
            example,
            problem,
            cards: vec![
                ("4242 4242 4242 4242", w.card_approved),
                ("4111 1111 1111 1111", w.card_approved),
                ("4000 0000 0000 0002", w.card_declined),
                ("4000 0000 0000 9995", w.card_no_funds),
                ("4000 0000 0000 0069", w.card_expired),
                ("4000 0027 6000 3184", w.card_challenge),
                ("4000 0000 0000 3220", w.card_challenge),
            ],
            curl: format!(
                "curl {public_url}/v1/payment-requests \\\n  \
                 -H 'X-BUSINESS-API-KEY: <api key>' \\\n  \
                 -d amount=25.00 -d currency=SGD -d purpose='First payment'"
            ),
        }
    }
}

/// `GET /`.
pub async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let shell = Shell::new(&app.site, &headers);
    shell.page(
        StatusCode::OK,
        &HomePage::new(
            shell.w,
            &app.site.public_url,
            None,
            None,
            ClockPart::new(shell.w, &app),
        ),
    )
}

/// `POST /sandbox/try`: the demo shop asks for a payment; the browser goes to its page.
pub async fn begin(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&shell);
    };
    let Ok(currency) = Currency::parse_exact(CURRENCY) else {
        return errors::missing(&shell);
    };
    let typed = form.get("amount");
    let again = |problem: String| {
        let clock = ClockPart::new(shell.w, &app);
        let url = &app.site.public_url;
        let page = HomePage::new(shell.w, url, Some(typed), Some(problem), clock);
        shell.page(StatusCode::UNPROCESSABLE_ENTITY, &page)
    };
    let amount = match read_amount(shell.w, typed, currency) {
        Ok(amount) => amount,
        Err(problem) => return again(problem),
    };
    match shop::begin(&app, amount).await {
        Ok(address) => shell
            .see_other(&address)
            .unwrap_or_else(|| errors::missing(&shell)),
        Err(Failure::Refused(Refusal::Invalid(problems))) => again(
            problems
                .into_iter()
                .map(|p| p.message)
                .next()
                .unwrap_or_default(),
        ),
        Err(failure) => errors::failed(&shell, &failure),
    }
}

/// `POST /sandbox/clock/form`: moves the sandbox's clock, then back to where it is shown.
pub async fn advance(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&shell);
    };
    let text = form.get("advance");
    let span = match clock::typed(text) {
        Ok(span) => span,
        Err(why) => {
            let part = ClockPart::refused(shell.w, &app, text, why);
            let page = HomePage::new(shell.w, &app.site.public_url, None, None, part);
            return shell.page(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    match clock::forward(&app, span).await {
        Ok(()) => shell
            .see_other("/#clock")
            .unwrap_or_else(|| errors::missing(&shell)),
        Err(failure) => errors::failed(&shell, &failure),
    }
}
