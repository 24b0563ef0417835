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
use crate::sandbox::shop;
use crate::web::checkout::link::{example, read_amount};
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
}

impl HomePage {
    /// The page of a sandbox at this address.
    pub fn new(
        w: &'static Words,
        public_url: &str,
        typed: Option<&str>,
        problem: Option<String>,
    ) -> Self {
        let example = Currency::parse_exact(CURRENCY)
            .map(example)
            .unwrap_or_default();
        let title = match &problem {
            Some(_) => w.error_prefix.with("title", w.home_heading).to_string(),
            None => w.home_heading.to_string(),
        };
        Self {
            w,
            head: Head::developer(title),
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
        &HomePage::new(shell.w, &app.site.public_url, None, None),
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
        let page = HomePage::new(shell.w, &app.site.public_url, Some(typed), Some(problem));
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
