//! From a reply to the wire. `aggregate` has all four amounts in every answer, and a 2xx is
//! `application/json`.

use domain::call::EndpointView;
use domain::payment::{Ended, Sums};
use domain::{
    AccessToken, Endpoint, Money, PaymentState, Reply, ReservationReply, ReservationView, Secret,
    Step, Topics,
};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::person::{self, UserDetails};
use super::problem::json;
use super::{LANDING, QR_PICTURE, refusals, times, topics};
use crate::Site;

const JSON: &str = "application/json";

/// A header of ours for what the contract has no place for.
const WARNING: HeaderName = HeaderName::from_static("florin-warning");

/// Constant and meaningless, as the published samples have it.
const RESOURCE: &str = "00000002-0000-0000-c000-000000000000";

/// How long before it was issued a token says that it holds, for clocks that are slow.
const EARLIER: domain::Span = domain::Span::from_minutes(5);

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Amount {
    currency: &'static str,
    value: i64,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self {
            currency: money.currency().code(),
            value: money.minor(),
        }
    }
}

#[derive(Serialize)]
struct Token<'a> {
    token_type: &'static str,
    expires_in: String,
    ext_expires_in: &'static str,
    expires_on: String,
    not_before: String,
    resource: &'static str,
    access_token: &'a str,
}

#[derive(Serialize)]
struct Registered<'a> {
    id: &'a str,
    secret: &'a str,
}

#[derive(Serialize)]
struct Registration<'a> {
    id: &'a str,
    url: &'a str,
    events: Vec<&'a str>,
}

#[derive(Serialize)]
struct Registrations<'a> {
    webhooks: Vec<Registration<'a>>,
}

#[derive(Serialize)]
struct Created<'a> {
    reference: &'a str,
    #[serde(rename = "redirectUrl", skip_serializing_if = "Option::is_none")]
    redirect_url: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Aggregate {
    authorized_amount: Amount,
    cancelled_amount: Amount,
    captured_amount: Amount,
    refunded_amount: Amount,
}

#[derive(Serialize)]
struct Method {
    r#type: String,
}

#[derive(Serialize)]
struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payment<'a> {
    aggregate: Aggregate,
    amount: Amount,
    state: &'static str,
    payment_method: Method,
    profile: Profile,
    psp_reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_url: Option<String>,
    reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_details: Option<UserDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipping_details: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture_guaranteed_until: Option<String>,
}

/// The merchant's own pairs, as they were written.
#[derive(Serialize)]
#[serde(untagged)]
enum Metadata<'a> {
    Written(Box<RawValue>),
    /// Payments of older versions have it so.
    Read(&'a Json),
}

impl<'a> Metadata<'a> {
    fn of(kept: &'a Json) -> Self {
        let text = kept.as_str().map(str::to_owned);
        let written = text.and_then(|text| RawValue::from_string(text).ok());
        written.map_or(Self::Read(kept), Self::Written)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Modified<'a> {
    amount: Amount,
    state: &'static str,
    aggregate: Aggregate,
    psp_reference: &'a str,
    reference: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogEntry<'a> {
    reference: &'a str,
    psp_reference: &'a str,
    name: &'static str,
    amount: Amount,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    success: bool,
}

/// The answer to a call.
pub fn encode(site: &Site, head: &Parts, reply: &Reply) -> Response<Vec<u8>> {
    match reply {
        Reply::Token(token) => issued(token),
        Reply::Reservation(reply) => reservation(site, reply),
        Reply::BillCreated(_)
        | Reply::Bill(_)
        | Reply::Bills(_)
        | Reply::DefaultLink(_)
        | Reply::Transaction(_)
        | Reply::CardBalance(_)
        | Reply::BillWithdrawn => refusals::refuse(head, &domain::Refusal::UnknownRoute),
        Reply::EndpointRegistered(view) => registered(view),
        Reply::Endpoint(view) => json(StatusCode::OK, JSON, &Registration::of(&view.endpoint)),
        Reply::Endpoints(views) => {
            let webhooks = views.iter().map(|view| Registration::of(&view.endpoint));
            let body = Registrations {
                webhooks: webhooks.collect(),
            };
            json(StatusCode::OK, JSON, &body)
        }
        Reply::EndpointRemoved => {
            let mut response = Response::new(Vec::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
    }
}

/// Exactly two keys; the secret is shown here and never again.
fn registered(view: &EndpointView) -> Response<Vec<u8>> {
    let body = Registered {
        id: view.endpoint.head.wire.as_str(),
        secret: view.secret.as_ref().map_or("", Secret::expose),
    };
    let mut response = json(StatusCode::CREATED, JSON, &body);
    if let Some(warning) = doubles(view.doubles) {
        response.headers_mut().insert(WARNING, warning);
    }
    response
}

/// Said beside a body whose keys are fixed: the usual cause of events that arrive twice.
fn doubles(count: u32) -> Option<HeaderValue> {
    let text = match count {
        0 => return None,
        1 => "another webhook at this url gets some of the same events; list and delete it if \
              it is an old one"
            .to_owned(),
        many => format!(
            "{many} other webhooks at this url get some of the same events; list and delete the \
             old ones"
        ),
    };
    HeaderValue::from_str(&text).ok()
}

impl<'a> Registration<'a> {
    fn of(endpoint: &'a Endpoint) -> Self {
        let events = match &endpoint.topics {
            Topics::Some(topics) => topics.iter().map(String::as_str).collect(),
            Topics::All => topics::ALL.to_vec(),
        };
        Self {
            id: endpoint.head.wire.as_str(),
            url: &endpoint.url,
            events,
        }
    }
}

/// Exactly seven keys, every value a text.
fn issued(token: &AccessToken) -> Response<Vec<u8>> {
    let seconds = |millis: i64| (millis / 1_000).to_string();
    // One second less than the life, as the real service counts.
    let left = token.expires.since(token.issued).millis() / 1_000;
    let body = Token {
        token_type: "Bearer",
        expires_in: left.saturating_sub(1).to_string(),
        ext_expires_in: "0",
        expires_on: seconds(token.expires.millis()),
        not_before: seconds(token.issued.minus(EARLIER).millis()),
        resource: RESOURCE,
        access_token: &token.text,
    };
    json(StatusCode::OK, "application/json;charset=UTF-8", &body)
}

fn reservation(site: &Site, reply: &ReservationReply) -> Response<Vec<u8>> {
    match reply {
        ReservationReply::Created(view) => {
            let body = Created {
                reference: reference(view),
                redirect_url: redirect_url(site, view),
            };
            json(StatusCode::CREATED, JSON, &body)
        }
        ReservationReply::Shown(view) => json(StatusCode::OK, JSON, &payment(site, view)),
        ReservationReply::Log(view) => {
            let log: Vec<LogEntry<'_>> = view
                .steps
                .iter()
                .map(|step| log_entry(view, step))
                .collect();
            json(StatusCode::OK, JSON, &log)
        }
        ReservationReply::Changed(view) => {
            let body = Modified {
                amount: view.payment.head.amount.into(),
                state: state(&view.state),
                aggregate: aggregate(view),
                psp_reference: view.payment.head.wire.as_str(),
                reference: reference(view),
            };
            json(StatusCode::OK, JSON, &body)
        }
        ReservationReply::Approved => {
            let mut response = Response::new(Vec::new());
            let json = HeaderValue::from_static(JSON);
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
    }
}

fn payment<'a>(site: &Site, view: &'a ReservationView) -> Payment<'a> {
    let head = &view.payment.head;
    let extras = &view.bill.ask.extras;
    let sub = person::sub(&view.bill, &view.state);
    Payment {
        aggregate: aggregate(view),
        amount: head.amount.into(),
        state: state(&view.state),
        payment_method: Method {
            r#type: head.method.to_ascii_uppercase(),
        },
        profile: Profile { sub },
        psp_reference: head.wire.as_str(),
        redirect_url: redirect_url(site, view),
        reference: reference(view),
        metadata: extras.get("metadata").map(Metadata::of),
        user_details: person::details(&view.bill, &view.state),
        shipping_details: shipping(view),
        capture_guaranteed_until: view.until.map(times::print_with_offset),
    }
}

fn log_entry<'a>(view: &'a ReservationView, step: &'a Step) -> LogEntry<'a> {
    LogEntry {
        reference: reference(view),
        psp_reference: step.wire.as_str(),
        name: topics::word(step.kind),
        amount: step.amount.into(),
        timestamp: times::print(step.at),
        idempotency_key: step.key.as_deref(),
        success: step.failure.is_none(),
    }
}

/// The merchant's reference.
pub fn reference(view: &ReservationView) -> &str {
    view.bill.ask.reference.as_deref().unwrap_or_default()
}

/// The dialect's word for a state.
pub fn state(state: &PaymentState) -> &'static str {
    match state {
        PaymentState::Pending => "CREATED",
        PaymentState::Authorized { .. } => "AUTHORIZED",
        PaymentState::Ended { how, .. } => match how {
            Ended::Aborted | Ended::Rejected(_) => "ABORTED",
            Ended::Expired => "EXPIRED",
            Ended::Cancelled => "TERMINATED",
        },
    }
}

/// A payment that the merchant took back before it was approved counts as cancelled in full.
fn aggregate(view: &ReservationView) -> Aggregate {
    let whole = view.payment.head.amount;
    let zero = Money::zero(whole.currency());
    let of = |sum: fn(&Sums) -> Money, without: Money| match &view.state {
        PaymentState::Authorized { sums, .. } => Amount::from(sum(sums)),
        PaymentState::Pending | PaymentState::Ended { .. } => Amount::from(without),
    };
    let cancelled = match &view.state {
        PaymentState::Ended {
            how: Ended::Cancelled,
            ..
        } => whole,
        PaymentState::Pending | PaymentState::Authorized { .. } | PaymentState::Ended { .. } => {
            zero
        }
    };
    Aggregate {
        authorized_amount: of(Sums::authorized, zero),
        cancelled_amount: of(Sums::released, cancelled),
        captured_amount: of(Sums::captured, zero),
        refunded_amount: of(Sums::refunded, zero),
    }
}

/// Where the payer is sent. A push message needs no address.
fn redirect_url(site: &Site, view: &ReservationView) -> Option<String> {
    let text = |name: &str| view.bill.ask.extras.get(name).and_then(Json::as_str);
    let path = match (text("userFlow"), text("qrFormat")) {
        (Some("PUSH_MESSAGE"), _) => return None,
        (Some("QR"), Some("TEXT/TARGETURL")) => LANDING,
        (Some("QR"), _) => QR_PICTURE,
        _ => LANDING,
    };
    Some(format!(
        "{}{path}?token={}",
        site.public_url, view.bill.head.wire
    ))
}

/// What the payer chose for an Express payment.
fn shipping(view: &ReservationView) -> Option<Json> {
    person::shipping(&view.bill, &view.state)
}
