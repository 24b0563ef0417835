//! The operator's calls about gift cards, in JSON. Numbers and codes come in bodies, never in
//! addresses: addresses are what gets logged.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use domain::gift_card::{Activity, Note};
use domain::limits::{CARD_BATCH_MAX, CARDS_PER_WRITE, REASON_MAX};
use domain::{
    Caller, CardEntry, CardRefusal, Currency, GiftCard, Money, Programme, Refusal, Secret,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::{Answer, Of, Trouble};
use crate::app::App;
use crate::operations::gift_cards::{self, Change, Order};
use crate::operations::liability::{self, OfCurrency, Sum};
use crate::operations::{Failure, card_batches};
use crate::sandbox::simulate::rfc3339;

/// Who does it, in histories and in the audit log.
const ACTOR: &str = "operator";

/// How many numbers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    count: usize,
}

/// `POST /giftcards/numbers`: new numbers and codes; no card exists yet.
pub async fn numbers(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(wanted): Json<Numbers>,
) -> Answer {
    let caller = of.caller(&app).await?;
    card_batches::check_count(wanted.count, CARD_BATCH_MAX).map_err(trouble)?;
    let made = card_batches::numbers(&app, &caller, wanted.count)
        .await
        .map_err(trouble)?;
    let rows: Vec<_> = made.iter().map(entry).collect();
    Ok(Json(json!({"numbers": rows})))
}

fn entry(entry: &CardEntry) -> Value {
    json!({
        "number": entry.number.expose(),
        "cvc": entry.cvc.as_ref().map(Secret::expose),
    })
}

/// Cards to be issued, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    reason: String,
    cards: Vec<Row>,
}

/// One of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    number: String,
    cvc: Option<String>,
    amount: String,
    currency: String,
    last_day: Option<String>,
    #[serde(default)]
    vendors: Vec<String>,
    #[serde(default)]
    inactive: bool,
}

impl Row {
    fn order(self, note: Note) -> Result<Order, String> {
        let currency = currency(&self.currency)?;
        let amount = money(&self.amount, currency)?;
        let entry = match &self.cvc {
            Some(cvc) => CardEntry::read(&self.number, cvc),
            None => CardEntry::read_number(&self.number),
        };
        let entry = entry.map_err(|problems| list(&problems))?;
        Ok(Order {
            amount,
            last_day: self.last_day,
            vendors: self.vendors,
            active: !self.inactive,
            entry: Some(entry),
            note,
        })
    }
}

fn list(problems: &[domain::programme::EntryProblem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

fn currency(code: &str) -> Result<Currency, String> {
    Currency::parse(code).map_err(|_| format!("{code:?} is no currency like NOK"))
}

fn money(text: &str, currency: Currency) -> Result<Money, String> {
    Money::parse(text.trim(), currency)
        .map_err(|error| format!("{text:?} is no amount like 500.00: {error}"))
}

/// `POST /giftcards/issue`: all of them or none; those that are there already are only counted.
pub async fn issue(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(batch): Json<Batch>,
) -> Answer {
    let caller = of.caller(&app).await?;
    card_batches::check_count(batch.cards.len(), CARDS_PER_WRITE).map_err(trouble)?;
    let note = note(&batch.reason)?;
    let mut orders = Vec::with_capacity(batch.cards.len());
    for (number, row) in (1..).zip(batch.cards) {
        let order = row.order(note.clone());
        orders.push(order.map_err(|what| Trouble::wrong(format!("card {number}: {what}")))?);
    }
    let tally = card_batches::issue(&app, &caller, orders)
        .await
        .map_err(trouble)?;
    Ok(Json(json!({"issued": tally.issued, "there": tally.there})))
}

fn note(reason: &str) -> Result<Note, Trouble> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        let message = format!("say why, in 1 to {REASON_MAX} characters");
        return Err(Trouble::wrong(message));
    }
    Ok(Note::new(ACTOR, reason))
}

/// A card by its number, the last five digits of it, or our id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    card: String,
}

/// `POST /giftcards/find`: every card of that name, each with its history.
pub async fn find(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(named): Json<Named>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let found = gift_cards::find(&app, &caller, &named.card).await?;
    if found.is_empty() {
        return Err(nobody());
    }
    let mut rows = Vec::with_capacity(found.len());
    for card in &found {
        let history = gift_cards::history(&app, &card.head.id).await?;
        let lines: Vec<_> = history.iter().map(line).collect();
        let mut row = shown(card);
        row["history"] = lines.into();
        rows.push(row);
    }
    Ok(Json(json!({"cards": rows})))
}

fn nobody() -> Trouble {
    let message = "No card of this merchant and mode has that number, those last five digits or \
                   that id.";
    Trouble(StatusCode::NOT_FOUND, message.to_owned())
}

fn shown(card: &GiftCard) -> Value {
    json!({
        "id": card.head.id.as_str(),
        "last5": card.head.last5,
        "state": card.state().as_str(),
        "balance": card.balance().fixed(),
        "held": card.held().fixed(),
        "currency": card.balance().currency().code(),
        "last_day": card.validity.last_day,
        "vendors": card.head.vendors,
        "issued_at": rfc3339(card.head.created),
    })
}

fn line(activity: &Activity) -> Value {
    json!({
        "at": rfc3339(activity.at),
        "what": activity.deed.as_str(),
        "amount": activity.amount.fixed(),
        "balance": activity.balance.fixed(),
        "held": activity.held.fixed(),
        "by": activity.note.by,
        "reason": activity.note.reason,
    })
}

/// The one card of that name.
async fn one(app: &App, caller: &Caller, name: &str) -> Result<GiftCard, Trouble> {
    let mut found = gift_cards::find(app, caller, name).await?;
    match (found.pop(), found.len()) {
        (None, _) => Err(nobody()),
        (Some(card), 0) => Ok(card),
        (Some(last), _) => {
            found.push(last);
            let ids: Vec<_> = found.iter().map(|card| card.head.id.as_str()).collect();
            Err(Trouble::wrong(format!(
                "Several cards end in these digits; name one by its id: {}",
                ids.join(", ")
            )))
        }
    }
}

/// What is to become of a card, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    card: String,
    change: String,
    amount: Option<String>,
    reason: String,
}

/// `POST /giftcards/change`: `activate`, `block`, `unblock`, `top-up`.
pub async fn change(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(wish): Json<Wish>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let note = note(&wish.reason)?;
    let card = one(&app, &caller, &wish.card).await?;
    let change = match wish.change.as_str() {
        "activate" => Change::Activate,
        "block" => Change::Block,
        "unblock" => Change::Unblock,
        "top-up" => {
            let text = wish.amount.as_deref().unwrap_or_default();
            let amount = money(text, card.balance().currency()).map_err(Trouble::wrong)?;
            Change::TopUp(amount)
        }
        other => {
            let known = "activate, block, unblock or top-up";
            return Err(Trouble::wrong(format!("change is {known}, not {other}")));
        }
    };
    let changed = gift_cards::change(&app, &card.head.id, change, note)
        .await
        .map_err(trouble)?;
    Ok(Json(shown(&changed)))
}

/// A payment whose gift cards get their money back, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Returned {
    payment: String,
    reason: String,
}

/// `POST /giftcards/give-back`: what gift cards paid of a payment of any API.
pub async fn give_back(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(wish): Json<Returned>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let note = note(&wish.reason)?;
    let given = gift_cards::give_back_by_hand(&app, &caller, &wish.payment, note).await;
    let row = |one: &gift_cards::GivenBack| {
        let (amount, currency) = (one.amount.fixed(), one.amount.currency());
        json!({"last5": one.last5, "amount": amount, "currency": currency.code()})
    };
    let given = given.map_err(|failure| match failure {
        Failure::Refused(Refusal::WrongState(state)) => {
            let message = format!("The payment is {state}: there is nothing to do.");
            Trouble(StatusCode::CONFLICT, message)
        }
        other => trouble(other),
    })?;
    let rows: Vec<Value> = given.iter().map(row).collect();
    Ok(Json(json!({"given_back": rows})))
}

/// A card to be replaced, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    card: String,
    to: Option<String>,
    reason: String,
}

/// `POST /giftcards/replace`: what is left goes to a new card, whose number and code are in this
/// answer and nowhere else.
pub async fn replace(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(lost): Json<Lost>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let note = note(&lost.reason)?;
    let old = one(&app, &caller, &lost.card).await?;
    let new = gift_cards::replace(&app, &old.head.id, note)
        .await
        .map_err(trouble)?;
    let mut row = shown(&new.card);
    row["number"] = new.entry.number.expose().into();
    row["cvc"] = new.entry.cvc.as_ref().map(Secret::expose).into();
    Ok(Json(row))
}

/// `POST /giftcards/transfer`: what is left goes to another card that exists.
pub async fn transfer(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(lost): Json<Lost>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let note = note(&lost.reason)?;
    let old = one(&app, &caller, &lost.card).await?;
    let to = lost.to.ok_or_else(|| Trouble::wrong("say to which card"))?;
    let other = one(&app, &caller, &to).await?;
    let moved = gift_cards::transfer(&app, &old.head.id, &other.head.id, note)
        .await
        .map_err(trouble)?;
    Ok(Json(shown(&moved)))
}

/// `GET /giftcards/report`: what is owed, by currency, state, age and expiry.
pub async fn report(State(app): State<Arc<App>>, Query(of): Query<Of>) -> Answer {
    let caller = of.caller(&app).await?;
    let report = liability::report(&app, &caller).await?;
    let currencies: Result<Vec<_>, Trouble> = report.currencies.iter().map(currency_row).collect();
    Ok(Json(json!({
        "at": rfc3339(report.at),
        "agrees": report.agrees(),
        "currencies": currencies?,
    })))
}

fn currency_row(of: &OfCurrency) -> Result<Value, Trouble> {
    let currency = currency(&of.code).map_err(Trouble::wrong)?;
    let text = |minor: i64| fixed(minor, currency);
    let rows = |rows: &[(&'static str, Sum)]| -> Vec<Value> {
        let row = |(name, sum): &(&'static str, Sum)| {
            let (cards, outstanding) = (sum.cards, text(sum.minor));
            json!({"range": name, "cards": cards, "outstanding": outstanding})
        };
        rows.iter().map(row).collect()
    };
    Ok(json!({
        "currency": of.code,
        "cards": of.outstanding.cards,
        "outstanding": text(of.outstanding.minor),
        "held": text(of.held),
        "by_state": rows(&of.states),
        "by_age": rows(&of.ages),
        "by_expiry": rows(&of.expiries),
        "ledger": {
            "issued": text(of.issued),
            "spent": text(of.spent),
            "expired": text(of.expired),
            "outstanding": text(of.by_ledger()),
        },
        "difference": text(of.difference()),
    }))
}

/// An amount in major units, also below zero.
fn fixed(minor: i64, currency: Currency) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    match Money::from_minor(minor.saturating_abs(), currency) {
        Ok(money) => format!("{sign}{}", money.fixed()),
        Err(_) => minor.to_string(),
    }
}

/// `GET /giftcards/programme`.
pub async fn programme(State(app): State<Arc<App>>, Query(of): Query<Of>) -> Answer {
    let caller = of.caller(&app).await?;
    let known = gift_cards::programme(&app, &caller).await?;
    Ok(Json(programme_row(&known.unwrap_or_default())))
}

fn programme_row(programme: &Programme) -> Value {
    json!({
        "prefix": programme.prefix,
        "digits": programme.digits,
        "zone": programme.zone,
        "months": programme.months,
        "card_present": programme.card_present,
        "shops": programme.shops,
        "return_url": programme.return_url,
        "rest_by": programme.rest_by,
        "everywhere": programme.everywhere,
    })
}

/// What is to change about a programme; what is left out stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    prefix: Option<String>,
    digits: Option<usize>,
    zone: Option<String>,
    months: Option<u32>,
    card_present: Option<bool>,
    shops: Option<Vec<String>>,
    return_url: Option<String>,
    rest_by: Option<Vec<String>>,
    everywhere: Option<bool>,
}

/// `POST /giftcards/programme`.
pub async fn change_programme(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(given): Json<Changes>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let known = gift_cards::programme(&app, &caller).await?;
    let known = known.unwrap_or_default();
    let changed = Programme {
        prefix: given.prefix.unwrap_or(known.prefix),
        digits: given.digits.unwrap_or(known.digits),
        zone: given.zone.unwrap_or(known.zone),
        months: given.months.unwrap_or(known.months),
        card_present: given.card_present.unwrap_or(known.card_present),
        shops: given.shops.unwrap_or(known.shops),
        return_url: match given.return_url.as_deref().map(str::trim) {
            None => known.return_url,
            Some("") => None,
            Some(url) => Some(url.to_owned()),
        },
        rest_by: given.rest_by.unwrap_or(known.rest_by),
        everywhere: given.everywhere.unwrap_or(known.everywhere),
    };
    let row = programme_row(&changed);
    gift_cards::put_programme(&app, &caller, changed, ACTOR).await?;
    Ok(Json(row))
}

/// A failure in words that fit cards.
fn trouble(failure: Failure) -> Trouble {
    let conflict = |message: &str| Trouble(StatusCode::CONFLICT, message.to_owned());
    match failure {
        Failure::Refused(Refusal::Card(why)) => conflict(match why {
            CardRefusal::Expired => "The card has expired.",
            CardRefusal::Elsewhere => "The two are not different cards of one merchant and mode.",
            _ => "The card cannot be used for this.",
        }),
        Failure::Refused(Refusal::WrongState(state)) => {
            conflict(&format!("The card is {state}: this cannot be done to it."))
        }
        Failure::Refused(Refusal::TryUnderWay) => {
            conflict("A payment holds something on the card; wait until it ends.")
        }
        Failure::Refused(Refusal::TooMuch(wanted, _)) => {
            Trouble::wrong(format!("{wanted} cannot be added to the card."))
        }
        Failure::Refused(Refusal::Unreadable(what)) => Trouble::wrong(what),
        other => Trouble::from(other),
    }
}
