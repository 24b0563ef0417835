//! `/card-gen`: gift cards for tests, by the id of a test client, as a page. With JSON it answers
//! JSON. On a server without test clients there is no such page.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use dialects::fields::{Members, Value};
use dialects::igivepay;
use domain::{Refusal, Secret};

use crate::app::App;
use crate::http::pipeline;
use crate::http::visitor::Peer;
use crate::operations::gift_cards::Issued;
use crate::operations::{Failure, keys};
use crate::sandbox::cards::{self, Wanted};
use crate::web::display;
use crate::web::errors;
use crate::web::form::Form;
use crate::web::parts::Head;
use crate::web::shell::Shell;
use crate::web::words::Words;

/// Bytes of a form or a call.
const BODY_MAX: usize = 16 * 1024;

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "card_gen.html")]
pub struct CardGenPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// The client id as typed, or the one of Demo Shop.
    pub client: String,
    /// The amount as typed.
    pub amount: String,
    /// What is wrong: the field and a sentence.
    pub problem: Option<(&'static str, String)>,
    /// Cards that were just made.
    pub made: Vec<MadeRow>,
}

/// A card that was just made.
#[derive(Clone, Debug)]
pub struct MadeRow {
    /// The number, with spaces.
    pub number: String,
    /// The code.
    pub cvc: String,
    /// How much is on it.
    pub amount: String,
    /// Its last day.
    pub last_day: String,
}

impl CardGenPage {
    /// The page with what was typed.
    pub fn new(w: &'static Words, client: &str, amount: &str) -> Self {
        Self {
            w,
            head: Head::developer(w.cards_heading),
            client: client.chars().take(100).collect(),
            amount: amount.chars().take(40).collect(),
            problem: None,
            made: Vec::new(),
        }
    }

    /// The same page with a problem.
    #[must_use]
    pub fn wrong(mut self, field: &'static str, problem: impl ToString) -> Self {
        self.head.title = self
            .w
            .error_prefix
            .with("title", &self.head.title)
            .to_string();
        self.problem = Some((field, problem.to_string()));
        self
    }

    /// The same page with the cards that were made.
    #[must_use]
    pub fn with(mut self, made: &[Issued]) -> Self {
        self.made = made.iter().map(row).collect();
        self
    }
}

fn row(issued: &Issued) -> MadeRow {
    let digits = issued.entry.number.expose().as_bytes();
    let groups: Vec<String> = digits
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    let cvc = issued.entry.cvc.as_ref().map(Secret::expose);
    MadeRow {
        number: groups.join(" "),
        cvc: cvc.unwrap_or_default().to_owned(),
        amount: display::amount(issued.card.balance()),
        last_day: issued.card.validity.last_day.clone(),
    }
}

/// The generator is there for test clients: where there are none it is not.
async fn exists(app: &App, shell: &Shell<'_>) -> Result<(), Box<Response>> {
    match keys::has_test_clients(app, igivepay::NAME).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Box::new(errors::missing(shell))),
        Err(failure) => Err(Box::new(errors::failed(shell, &failure))),
    }
}

/// `GET /card-gen`.
pub async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let shell = Shell::new(&app.site, &headers);
    if let Err(answer) = exists(&app, &shell).await {
        return *answer;
    }
    let demo = app.demo.as_ref();
    let client = demo.map(|demo| demo.credentials.igivepay.client_id.as_str());
    let page = CardGenPage::new(shell.w, client.unwrap_or_default(), "500");
    shell.page(StatusCode::OK, &page)
}

/// `POST /card-gen`.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let shell = Shell::new(&app.site, &head.headers);
    if let Err(answer) = exists(&app, &shell).await {
        return match cards::is_json(&head) {
            true => cards::refuse(&app, &head, &Refusal::UnknownRoute),
            false => *answer,
        };
    }
    let address = head.extensions.get::<Peer>().map(|peer| peer.address);
    let (most, now) = (app.site.igivepay.generated_per_minute, app.clock.now());
    let calm = app.limits.visitor("card-gen", address, most, now);
    if let Err(refusal) = calm {
        return match cards::is_json(&head) {
            true => cards::refuse(&app, &head, &refusal),
            false => errors::failed(&shell, &Failure::Refused(refusal)),
        };
    }
    let Ok(body) = pipeline::read(body, BODY_MAX).await else {
        return errors::unreadable(&shell);
    };
    if cards::is_json(&head) {
        return cards::generator(&app, &head, &body).await;
    }
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&shell);
    };
    let mut members = Members::default();
    for name in ["clientId", "amount", "count", "state"] {
        if let Some(value) = form.find(name).filter(|value| !value.is_empty()) {
            members.set(name.to_owned(), Value::Text(value.to_owned()));
        }
    }
    let page = CardGenPage::new(shell.w, form.get("clientId"), form.get("amount"));
    let wanted = match Wanted::read(&members, app.site.igivepay.generated_max) {
        Ok(wanted) => wanted,
        Err((field, problem)) => {
            let page = page.wrong(field, problem);
            return shell.page(StatusCode::BAD_REQUEST, &page);
        }
    };
    match cards::generate(&app, &wanted).await {
        Ok(Some(made)) => shell.page(StatusCode::OK, &page.with(&made)),
        Ok(None) => {
            let problem = shell.w.cards_nothing;
            shell.page(StatusCode::NOT_FOUND, &page.wrong("clientId", problem))
        }
        Err(failure) => errors::failed(&shell, &failure),
    }
}
