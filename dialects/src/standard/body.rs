//! The body: `{"type", "timestamp", "data"}`, with the objects as they were right after the fact:
//! a bill with its payment, a payout, or an endpoint.
//!
//! Keys come in a fixed order and are always there; what is not known is `null`. Amounts are
//! integers in minor units of the currency beside them. New keys may be added; a key never
//! changes its meaning.

use domain::bill::BillState;
use domain::card::Instrument;
use domain::endpoint::EndpointState;
use domain::payment::{Cause, Ended, PaymentState};
use domain::{About, Bill, Endpoint, Event, Payment, Payout, PayoutState, Timestamp};
use serde::Serialize;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    event_id: &'a str,
    merchant_id: &'a str,
    mode: &'a str,
    dialect: Option<&'a str>,
    #[serde(flatten)]
    about: AboutPart<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AboutPart<'a> {
    Bill {
        bill: Box<BillPart<'a>>,
        payment: Option<Box<PaymentPart<'a>>>,
    },
    Endpoint {
        endpoint: EndpointPart<'a>,
    },
    Payout {
        payout: PayoutPart<'a>,
    },
}

/// Of the address only the host: the rest may hold what only its receiver may know.
#[derive(Serialize)]
struct EndpointPart<'a> {
    id: &'a str,
    dialect_id: &'a str,
    scheme: &'a str,
    host: Option<String>,
    label: Option<&'a str>,
    state: &'a str,
    cause: Option<&'a str>,
    failures: u32,
    failing_since: Option<String>,
    created_at: String,
}

#[derive(Serialize)]
struct BillPart<'a> {
    id: &'a str,
    dialect_id: &'a str,
    state: &'a str,
    cause: Option<CausePart<'a>>,
    reference: Option<&'a str>,
    purpose: Option<&'a str>,
    amount: i64,
    currency: &'a str,
    repeatable: bool,
    created_at: String,
    updated_at: String,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct PayoutPart<'a> {
    id: &'a str,
    dialect_id: &'a str,
    state: &'a str,
    cause: Option<CausePart<'a>>,
    reference: Option<&'a str>,
    purpose: Option<&'a str>,
    amount: i64,
    currency: &'a str,
    provider: Option<&'a str>,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
struct PaymentPart<'a> {
    id: &'a str,
    dialect_id: &'a str,
    state: &'a str,
    cause: Option<CausePart<'a>>,
    amount: i64,
    currency: &'a str,
    authorized: i64,
    captured: i64,
    released: i64,
    refunded: i64,
    method: &'a str,
    instrument: Option<InstrumentPart<'a>>,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
struct CausePart<'a> {
    code: &'a str,
    text: &'a str,
}

/// Of a card only what may be shown: enough for a person to know it again.
#[derive(Serialize)]
struct InstrumentPart<'a> {
    brand: &'a str,
    first6: &'a str,
    last4: &'a str,
    expiry: &'a str,
}

/// The body for an event; `None` only if it could not be written as JSON.
pub fn of(event: &Event) -> Option<String> {
    let about = match &event.about {
        About::Bill { bill, payment } => AboutPart::Bill {
            bill: Box::new(bill_part(bill)),
            payment: payment.as_deref().map(payment_part).map(Box::new),
        },
        About::Step { bill, payment, .. } => AboutPart::Bill {
            bill: Box::new(bill_part(bill)),
            payment: Some(Box::new(payment_part(payment))),
        },
        About::Endpoint(endpoint) => AboutPart::Endpoint {
            endpoint: endpoint_part(endpoint),
        },
        About::Payout(payout) => AboutPart::Payout {
            payout: payout_part(payout),
        },
    };
    let body = Body {
        kind: event.fact.as_str(),
        timestamp: time(event.at),
        data: Data {
            event_id: event.id.as_str(),
            merchant_id: event.merchant().as_str(),
            mode: event.mode().as_str(),
            dialect: event.dialect(),
            about,
        },
    };
    serde_json::to_string(&body).ok()
}

fn endpoint_part(endpoint: &Endpoint) -> EndpointPart<'_> {
    let (state, cause) = match endpoint.state {
        EndpointState::Active => ("active", None),
        EndpointState::Paused { why, .. } => ("paused", Some(why.as_str())),
        EndpointState::Removed { .. } => ("removed", None),
    };
    let url = url::Url::parse(&endpoint.url).ok();
    EndpointPart {
        id: endpoint.head.id.as_str(),
        dialect_id: endpoint.head.wire.as_str(),
        scheme: &endpoint.head.scheme,
        host: url.and_then(|url| url.host_str().map(str::to_owned)),
        label: endpoint.label.as_deref(),
        state,
        cause,
        failures: endpoint.health.failures,
        failing_since: endpoint.health.failing_since.map(time),
        created_at: time(endpoint.head.created),
    }
}

fn bill_part(bill: &Bill) -> BillPart<'_> {
    let ask = &bill.ask;
    BillPart {
        id: bill.head.id.as_str(),
        dialect_id: bill.head.wire.as_str(),
        state: bill.state().as_str(),
        cause: match bill.state() {
            BillState::Failed { cause, .. } => Some(cause_part(cause)),
            BillState::Open
            | BillState::Paid { .. }
            | BillState::Expired { .. }
            | BillState::Withdrawn { .. } => None,
        },
        reference: ask.reference.as_deref(),
        purpose: ask.purpose.as_deref(),
        amount: ask.amount.minor(),
        currency: ask.amount.currency().code(),
        repeatable: ask.repeatable,
        created_at: time(bill.head.created),
        updated_at: time(bill.updated),
        expires_at: ask.expires.map(time),
    }
}

fn payout_part(payout: &Payout) -> PayoutPart<'_> {
    let order = &payout.order;
    PayoutPart {
        id: payout.head.id.as_str(),
        dialect_id: payout.head.wire.as_str(),
        state: payout.state().as_str(),
        cause: match payout.state() {
            PayoutState::Rejected { cause, .. } => Some(cause_part(cause)),
            PayoutState::AwaitingUser
            | PayoutState::AwaitingApproval
            | PayoutState::Processing
            | PayoutState::Paid { .. }
            | PayoutState::Cancelled { .. }
            | PayoutState::Expired { .. } => None,
        },
        reference: order.reference.as_deref(),
        purpose: order.purpose.as_deref(),
        amount: order.amount.minor(),
        currency: order.amount.currency().code(),
        provider: payout.progress.provider.as_deref(),
        created_at: time(payout.head.created),
        updated_at: time(payout.updated),
    }
}

fn payment_part(payment: &Payment) -> PaymentPart<'_> {
    let head = &payment.head;
    let (sums, cause) = match payment.state() {
        PaymentState::Authorized { sums, .. } => (Some(sums), None),
        PaymentState::Ended {
            how: Ended::Rejected(cause),
            ..
        } => (None, Some(cause_part(cause))),
        PaymentState::Pending | PaymentState::Ended { .. } => (None, None),
    };
    PaymentPart {
        id: head.id.as_str(),
        dialect_id: head.wire.as_str(),
        state: payment.state().name(),
        cause,
        amount: head.amount.minor(),
        currency: head.amount.currency().code(),
        authorized: sums.map_or(0, |sums| sums.authorized().minor()),
        captured: sums.map_or(0, |sums| sums.captured().minor()),
        released: sums.map_or(0, |sums| sums.released().minor()),
        refunded: sums.map_or(0, |sums| sums.refunded().minor()),
        method: &head.method,
        instrument: head.instrument.as_ref().map(instrument_part),
        created_at: time(head.created),
        updated_at: time(payment.updated),
    }
}

fn cause_part(cause: &Cause) -> CausePart<'_> {
    CausePart {
        code: &cause.code,
        text: &cause.text,
    }
}

fn instrument_part(instrument: &Instrument) -> InstrumentPart<'_> {
    InstrumentPart {
        brand: &instrument.brand,
        first6: &instrument.first6,
        last4: &instrument.last4,
        expiry: &instrument.expiry,
    }
}

/// A point in time in UTC with milliseconds: `2026-01-15T04:00:00.000Z`.
fn time(time: Timestamp) -> String {
    let known = jiff::Timestamp::from_millisecond(time.millis()).unwrap_or(if time.millis() < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    known.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
