//! The phones of the sandbox: every number is one, and whoever runs the sandbox holds them all.
//! Programs use the calls in [`crate::sandbox::phones`].

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use dialects::PageOutcome;
use domain::ReservationView;

use crate::app::App;
use crate::operations::phones::{self, Rule};
use crate::operations::reservations;
use crate::rails::simulator;
use crate::sandbox::phones::look;
use crate::web::checkout::view::Alert;
use crate::web::display;
use crate::web::errors;
use crate::web::form::Form;
use crate::web::landing::phone::{Request, inbox_of};
use crate::web::parts::Head;
use crate::web::shell::Shell;
use crate::web::words::Words;

/// How many numbers the list of phones shows.
const NUMBERS: u32 = 20;

/// All phones.
#[derive(Clone, Debug, Template)]
#[template(path = "phones.html")]
pub struct PhonesPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// Phones that were asked, the last one first, and how each is written for people.
    pub numbers: Vec<(String, String)>,
    /// What was typed.
    pub typed: String,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// Amounts that are refused, in minor units, with what the bank says.
    pub amounts: Vec<(i64, String)>,
    /// The same for refunds.
    pub refunds: Vec<(i64, &'static str)>,
}

/// The requests of one phone.
#[derive(Clone, Debug, Template)]
#[template(path = "inbox.html")]
pub struct InboxPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// The number.
    pub number: String,
    /// What the screen says.
    pub heading: String,
    /// News.
    pub alert: Option<Alert>,
    /// Requests that wait.
    pub open: Vec<Request>,
    /// Those that are over.
    pub past: Vec<Request>,
    /// What a bank can say: code and words.
    pub causes: Vec<(&'static str, &'static str)>,
    /// The address of this page.
    pub here: String,
    /// How the phone answers by itself.
    pub rule: String,
    /// How it can answer: code and words.
    pub rules: Vec<(String, String)>,
}

impl PhonesPage {
    /// The page for these phones.
    pub fn new(
        w: &'static Words,
        numbers: Vec<String>,
        typed: &str,
        problem: Option<String>,
    ) -> Self {
        Self {
            w,
            head: Head::developer(w.phones_heading),
            numbers: numbers
                .into_iter()
                .map(|number| {
                    let shown = display::phone(&number);
                    (number, shown)
                })
                .collect(),
            typed: typed.chars().take(30).collect(),
            problem,
            amounts: simulator::wallet_amounts(),
            refunds: simulator::refund_amounts(),
        }
    }
}

impl InboxPage {
    /// The page of a phone with its requests, newest first.
    pub fn new(w: &'static Words, number: &str, views: &[ReservationView], rule: Rule) -> Self {
        let requests = views.iter().enumerate().map(|(id, view)| {
            let dialect = dialects::by_name(&view.bill.head.dialect);
            let back = dialect
                .and_then(|dialect| dialect.return_url(&view.bill_view(), PageOutcome::Paid));
            Request::new(w, id, view, back)
        });
        let (open, past) = requests.partition(|request| request.open);
        let rules = [
            (Rule::Ask, w.phone_rule_ask),
            (Rule::Approve, w.phone_rule_approve),
            (Rule::Reject, w.phone_rule_reject),
            (Rule::Decline, w.phone_rule_decline),
            (Rule::Unknown, w.phone_rule_unknown),
            (Rule::NoCards, w.phone_rule_no_cards),
            (Rule::FundsGone, w.phone_rule_funds_gone),
            (Rule::CaptureFails, w.phone_rule_capture_fails),
        ];
        Self {
            w,
            head: Head::developer(w.phone_inbox_heading),
            number: display::phone(number),
            heading: w.phone_inbox_heading.to_string(),
            alert: None,
            open,
            past,
            causes: simulator::wallet_causes(),
            here: inbox_of(number),
            rule: rule.as_str().to_owned(),
            rules: rules
                .map(|(rule, text)| (rule.as_str().to_owned(), text.to_string()))
                .to_vec(),
        }
    }
}

/// `GET /sandbox/phone`.
pub async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let shell = Shell::new(&app.site, &headers);
    match reservations::phones(&app, NUMBERS).await {
        Ok(numbers) => {
            let page = PhonesPage::new(shell.w, numbers, "", None);
            shell.page(StatusCode::OK, &page)
        }
        Err(failure) => errors::failed(&shell, &failure),
    }
}

/// `POST /sandbox/phone`: opens the phone of a number.
pub async fn open(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&shell);
    };
    let typed = form.get("phone");
    if let Some(number) = phones::number(typed) {
        let there = shell.see_other(&inbox_of(&number));
        return there.unwrap_or_else(|| errors::missing(&shell));
    }
    match reservations::phones(&app, NUMBERS).await {
        Ok(numbers) => {
            let problem = Some(shell.w.landing_phone_wrong.to_string());
            let page = PhonesPage::new(shell.w, numbers, typed, problem);
            shell.page(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(failure) => errors::failed(&shell, &failure),
    }
}

/// `GET /sandbox/phone/{number}`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Some(number) = phones::number(&number) else {
        return errors::missing(&shell);
    };
    match look(&app, &number).await {
        Ok((views, rule)) => {
            let page = InboxPage::new(shell.w, &number, &views, rule);
            shell.page(StatusCode::OK, &page)
        }
        Err(failure) => errors::failed(&shell, &failure),
    }
}

/// `POST /sandbox/phone/{number}/rule`.
pub async fn set_rule(
    State(app): State<Arc<App>>,
    Path(number): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let form = Form::read(Vec::from(body));
    let rule = form.as_ref().and_then(|form| Rule::parse(form.get("rule")));
    let (Some(number), Some(rule)) = (phones::number(&number), rule) else {
        return errors::unreadable(&shell);
    };
    match phones::set_rule(&app, &number, rule).await {
        Ok(()) => {
            let there = shell.see_other(&inbox_of(&number));
            there.unwrap_or_else(|| errors::missing(&shell))
        }
        Err(failure) => errors::failed(&shell, &failure),
    }
}
