//! The merchant's default link: the payer says how much, and a bill is made for it.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use dialects::Dialect;
use domain::{AmountError, Ask, Call, Currency, Merchant, Mode, Money, Refusal};

use super::DIALECT;
use crate::app::App;
use crate::operations::{Failure, bills};
use crate::web::errors;
use crate::web::form::Form;
use crate::web::parts::Head;
use crate::web::shell::Shell;
use crate::web::words::Words;

/// The page that asks for an amount.
#[derive(Clone, Debug, Template)]
#[template(path = "link.html")]
pub struct LinkPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// The merchant's name.
    pub merchant: String,
    /// Where the form goes.
    pub action: String,
    /// The currency's code.
    pub code: &'static str,
    /// An amount as it may be typed.
    pub example: String,
    /// `decimal` or `numeric`: which keys a phone shows.
    pub keys: &'static str,
    /// What was typed.
    pub typed: String,
    /// What is wrong with it.
    pub problem: Option<String>,
}

impl LinkPage {
    /// The page of a merchant, with what was typed and what is wrong with it.
    pub fn new(
        w: &'static Words,
        merchant: &Merchant,
        mode: Mode,
        typed: &str,
        problem: Option<String>,
    ) -> Self {
        let title = w.pay_to.with("name", &merchant.name).to_string();
        let title = match &problem {
            Some(_) => w.error_prefix.with("title", title).to_string(),
            None => title,
        };
        Self {
            w,
            head: Head::payer(title, mode == Mode::Test),
            merchant: merchant.name.clone(),
            action: format!("/payment-request/@{}/", merchant.slug),
            code: merchant.currency.code(),
            example: example(merchant.currency),
            keys: if merchant.currency.decimals() == 0 {
                "numeric"
            } else {
                "decimal"
            },
            typed: typed.chars().take(40).collect(),
            problem,
        }
    }
}

/// An amount of this currency as it may be typed.
pub fn example(currency: Currency) -> String {
    Money::parse("25", currency)
        .map(Money::fixed)
        .unwrap_or_default()
}

/// Reads an amount that a person typed, or says what is wrong with it.
pub fn read_amount(w: &Words, text: &str, currency: Currency) -> Result<Money, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(w.amount_missing.to_string());
    }
    match Money::parse(text, currency) {
        Ok(money) if money.is_zero() => Err(w.amount_zero.to_string()),
        Ok(money) => Ok(money),
        Err(AmountError::TooPrecise) if currency.decimals() == 0 => {
            Err(w.amount_whole.with("code", currency.code()).to_string())
        }
        Err(AmountError::TooPrecise) => Err(w
            .amount_precise
            .with("decimals", currency.decimals())
            .to_string()),
        Err(AmountError::TooLarge | AmountError::TooLong) => Err(w.amount_large.to_string()),
        Err(_) => Err(w
            .amount_invalid
            .with("example", example(currency))
            .to_string()),
    }
}

/// `GET /payment-request/@{slug}/`; `?amount=` fills the field in.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(at_slug): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let (merchant, mode) = match find(&app, &at_slug).await {
        Ok(found) => found,
        Err(failure) => return errors::failed(&shell, &failure),
    };
    let query = Form::read(query.unwrap_or_default().into_bytes());
    let amount = query
        .as_ref()
        .map(|query| query.get("amount"))
        .unwrap_or_default();
    shell.page(
        StatusCode::OK,
        &LinkPage::new(shell.w, &merchant, mode, amount, None),
    )
}

/// `POST /payment-request/@{slug}/`: makes the bill and goes to its page.
pub async fn submit(
    State(app): State<Arc<App>>,
    Path(at_slug): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&shell);
    };
    let (merchant, mode) = match find(&app, &at_slug).await {
        Ok(found) => found,
        Err(failure) => return errors::failed(&shell, &failure),
    };
    let typed = form.get("amount");
    let again = |problem: String| {
        let page = LinkPage::new(shell.w, &merchant, mode, typed, Some(problem));
        shell.page(StatusCode::UNPROCESSABLE_ENTITY, &page)
    };
    let amount = match read_amount(shell.w, typed, merchant.currency) {
        Ok(amount) => amount,
        Err(problem) => return again(problem),
    };
    let Some(dialect) = dialects::by_name(DIALECT) else {
        return errors::missing(&shell);
    };
    let made = match ask(&app, dialect, amount) {
        Ok(ask) => bills::create_for_link(&app, dialect, &merchant.slug, ask).await,
        Err(refusal) => Err(refusal.into()),
    };
    match made {
        Ok(view) => shell
            .see_other(&dialect.page_path(&app.site, &view))
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

/// What the API would make of the same amount, with all its limits and defaults.
fn ask(app: &App, dialect: &dyn Dialect, amount: Money) -> Result<Ask, Refusal> {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("amount", &amount.fixed())
        .append_pair("currency", amount.currency().code())
        .finish();
    let request = http::Request::post("/v1/payment-requests")
        .header(
            http::header::CONTENT_TYPE,
            "application/x-www-form-urlencoded",
        )
        .body(())
        .map_err(|_| Refusal::UnknownRoute)?;
    let (head, ()) = request.into_parts();
    match dialect
        .decode(&app.site, app.clock.now(), &head, body.as_bytes())?
        .call
    {
        Call::CreateBill(ask) => Ok(*ask),
        _ => Err(Refusal::UnknownRoute),
    }
}

/// The merchant of a path segment that must begin with `@`.
async fn find(app: &App, at_slug: &str) -> Result<(Merchant, Mode), Failure> {
    match at_slug.strip_prefix('@') {
        Some(slug) => bills::merchant_by_slug(app, slug).await,
        None => Err(Failure::Refused(Refusal::UnknownRoute)),
    }
}
