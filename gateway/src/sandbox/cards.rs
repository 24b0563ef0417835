//! Gift cards for tests: made by a call of the sandbox, and by the card generator that clients of
//! iGivePay know (`/card-gen`), as a page and as JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use dialects::fields::{Members, Value};
use dialects::igivepay::replies::{Kroner, time};
use dialects::{Dialect, igivepay};
use domain::gift_card::Note;
use domain::{Caller, Currency, FieldProblem, Money, Programme, Refusal, Secret};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::Serialize;
use serde_json::json;

use super::answers::{failed, refused};
use super::simulate::{BODY_MAX, admitted};
use crate::app::App;
use crate::http::pipeline::{self, plain};
use crate::operations::gift_cards::{self, Change, Issued, Order};
use crate::operations::{Failure, keys, validity};

/// The most that one generated card may have, in whole kroner.
const MOST: &str = "10000";

/// A state that a card for tests can be made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// Can be used.
    Active,
    /// Stopped.
    Blocked,
    /// Its last day was yesterday.
    Expired,
    /// Not handed out yet.
    Inactive,
}

impl Made {
    /// By its word; `not activated` is what the generator's page calls it.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "" | "active" => Some(Self::Active),
            "blocked" => Some(Self::Blocked),
            "expired" => Some(Self::Expired),
            "inactive" | "not activated" | "notActivated" => Some(Self::Inactive),
            _ => None,
        }
    }
}

/// Makes cards of a test client.
pub async fn make(
    app: &App,
    of: &Caller,
    amount: Money,
    state: Made,
    count: usize,
) -> Result<Vec<Issued>, Failure> {
    let programme = gift_cards::programme(app, of).await?;
    let note = Note::new("sandbox", "made for a test");
    let mut order = Order::of(amount, note.clone());
    order.active = state != Made::Inactive;
    if state == Made::Expired {
        order.last_day = Some(yesterday(app, &programme.unwrap_or_default())?);
    }
    let issued = gift_cards::issue(app, of, vec![order; count]).await?;
    if state == Made::Blocked {
        for one in &issued {
            gift_cards::change(app, &one.card.head.id, Change::Block, note.clone()).await?;
        }
    }
    Ok(issued)
}

fn yesterday(app: &App, programme: &Programme) -> Result<String, Refusal> {
    let day = domain::Span::from_minutes(24 * 60);
    let before = app.clock.now().minus(day);
    validity::days(programme, before, 0)
        .map(|validity| validity.last_day)
        .map_err(Refusal::Unreadable)
}

/// `POST /sandbox/gift-cards`.
pub async fn gift_card(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let demo = match admitted(&app, &head).await {
        Ok(demo) => demo,
        Err(response) => return *response,
    };
    let body = match pipeline::read(body, BODY_MAX).await {
        Ok(body) => body,
        Err(refusal) => return refused(&refusal),
    };
    let wanted = dialects::json::parse(&body)
        .map_err(|_| "Send JSON: {\"amount\":\"500.00\"}".to_owned())
        .and_then(|members| read(&members));
    let (amount, state) = match wanted {
        Ok(wanted) => wanted,
        Err(message) => return plain(StatusCode::BAD_REQUEST, &message),
    };
    let made = make(&app, &demo.caller, amount, state, 1).await;
    match made.map(|mut issued| issued.pop()) {
        Ok(Some(Issued { card, entry })) => {
            let answer = json!({
                "card_number": entry.number.expose(),
                "cvc": entry.cvc.as_ref().map(Secret::expose),
                "balance": amount.fixed(),
                "currency": amount.currency().code(),
                "expires_at": super::simulate::rfc3339(card.validity.ends),
            });
            (StatusCode::CREATED, Json(answer)).into_response()
        }
        Ok(None) => plain(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable"),
        Err(failure) => failed(&failure),
    }
}

fn read(members: &Members) -> Result<(Money, Made), String> {
    let code = text(members, "currency").unwrap_or("NOK");
    let currency = Currency::parse(code).map_err(|_| format!("{code:?} is no currency"))?;
    let form = "amount must be text like \"500.00\"";
    let amount = match members.get("amount") {
        Some(Value::Text(text) | Value::Number(text)) => text,
        _ => return Err(form.to_owned()),
    };
    let amount = Money::parse(amount, currency).map_err(|error| format!("{form}: {error}"))?;
    let word = text(members, "state").unwrap_or_default();
    let state =
        Made::parse(word).ok_or("state is active, blocked, expired or inactive".to_owned())?;
    Ok((amount, state))
}

fn text<'a>(members: &'a Members, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_text)
}

/// A card as the generator shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Generated {
    card_number: String,
    cvc: String,
    amount: Kroner,
    expires_at: String,
}

impl From<&Issued> for Generated {
    fn from(issued: &Issued) -> Self {
        let cvc = issued.entry.cvc.as_ref().map(Secret::expose);
        Self {
            card_number: issued.entry.number.expose().to_owned(),
            cvc: cvc.unwrap_or_default().to_owned(),
            amount: Kroner::new(issued.card.balance()),
            expires_at: time(issued.card.validity.ends),
        }
    }
}

/// What the generator is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    client: String,
    amount: Money,
    state: Made,
    count: Option<usize>,
}

impl Wanted {
    /// From the fields of a call, or the problem with the first wrong one: field and sentence.
    pub fn read(members: &Members, most_cards: usize) -> Result<Self, (&'static str, String)> {
        let nok = Currency::parse("NOK").map_err(|error| ("amount", error.to_string()))?;
        let most = Money::parse(MOST, nok).map_err(|error| ("amount", error.to_string()))?;
        let client = text(members, "clientId").map(str::trim).unwrap_or_default();
        if client.is_empty() {
            return Err(("clientId", "clientId is required".to_owned()));
        }
        let form = || {
            (
                "amount",
                format!("amount is from 0 to {MOST}, with 2 decimals"),
            )
        };
        let amount = match members.get("amount") {
            Some(Value::Number(text) | Value::Text(text)) => Money::parse(text.trim(), nok),
            _ => return Err(form()),
        };
        let amount = amount.map_err(|_| form())?;
        if amount.minor() > most.minor() {
            return Err(form());
        }
        let count = match members.get("count") {
            None | Some(Value::Null) => None,
            Some(count) => {
                let count = count.as_text().and_then(|text| text.parse().ok());
                let count = count.filter(|count| (1..=most_cards).contains(count));
                let wrong = || ("count", format!("count is from 1 to {most_cards}"));
                Some(count.ok_or_else(wrong)?)
            }
        };
        let word = text(members, "state").unwrap_or_default();
        let wrong = "state is active, blocked, expired or not activated";
        let state = Made::parse(word).ok_or(("state", wrong.to_owned()))?;
        Ok(Self {
            client: client.to_owned(),
            amount,
            state,
            count,
        })
    }
}

/// Makes what is wanted; nothing if no test client has this id.
pub async fn generate(app: &App, wanted: &Wanted) -> Result<Option<Vec<Issued>>, Failure> {
    let Some(of) = keys::test_client(app, igivepay::NAME, &wanted.client).await? else {
        return Ok(None);
    };
    let count = wanted.count.unwrap_or(1);
    let made = make(app, &of, wanted.amount, wanted.state, count).await?;
    Ok(Some(made))
}

/// Is it a call with JSON, and not the page's form?
pub fn is_json(head: &Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    kind.is_some_and(|kind| {
        kind.trim_start()
            .to_ascii_lowercase()
            .starts_with("application/json")
    })
}

/// A refusal as the dialect words it.
pub fn refuse(app: &App, head: &Parts, refusal: &Refusal) -> Response {
    igivepay::IGivePay
        .refuse(&app.site, head, refusal)
        .map(axum::body::Body::from)
}

/// `POST /card-gen` with JSON.
pub async fn generator(app: &App, head: &Parts, body: &[u8]) -> Response {
    let done = async {
        let members = dialects::json::parse(body)?;
        let wanted = Wanted::read(&members, app.site.igivepay.generated_max).map_err(
            |(field, message)| {
                let field = field.to_owned();
                Refusal::Invalid(vec![FieldProblem { field, message }])
            },
        )?;
        let made = generate(app, &wanted).await?.ok_or(Refusal::UnknownRoute)?;
        Ok::<_, Failure>((made, wanted.count.is_some()))
    };
    match done.await {
        Ok((made, several)) => {
            let cards: Vec<Generated> = made.iter().map(Generated::from).collect();
            match cards.first() {
                Some(card) if !several => Json(card).into_response(),
                _ => Json(json!({ "cards": cards })).into_response(),
            }
        }
        Err(Failure::Refused(refusal)) => refuse(app, head, &refusal),
        Err(failure) => failed(&failure),
    }
}
