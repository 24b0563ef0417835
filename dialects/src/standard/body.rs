//! The body: `{"type", "timestamp", "data"}`, with the bill and the payment as they were right
//! after the fact; for a fact about an endpoint, with the endpoint in their place.
//!
//! Keys come in a fixed order and are always there; what is not known is `null`. Amounts are
//! integers in minor units of the currency beside them. New keys may be added; a key never
//! changes its meaning.

use domain::bill::BillState;
use domain::card::Instrument;
use domain::payment::{Cause, Ended, PaymentState};
use domain::{About, Bill, Endpoint, EndpointState, Event, Payment, Payout, Timestamp};
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

#[derive(Serialize)]
struct PayoutPart<'a> {
    id: &'a str,
    dialect_id: &'a str,
    state: &'a str,
    amount: i64,
    currency: &'a str,
    created_at: String,
}

#[derive(Serialize)]
struct EndpointPart<'a> {
    id: &'a str,
    scheme: &'a str,
    url: &'a str,
    label: Option<&'a str>,
    state: &'a str,
    failures: u32,
    failing_since: Option<String>,
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

/// The body for an event.
pub fn of(event: &Event) -> Option<String> {
    let body = Body {
        kind: event.fact.as_str(),
        timestamp: time(event.at),
        data: Data {
            event_id: event.id.as_str(),
            merchant_id: event.merchant().as_str(),
            mode: event.mode().as_str(),
            dialect: event.dialect(),
            about: match &event.about {
                About::Bill { bill, payment } => AboutPart::Bill {
                    bill: Box::new(bill_part(bill)),
                    payment: payment.as_deref().map(payment_part).map(Box::new),
                },
                About::Endpoint(endpoint) => AboutPart::Endpoint {
                    endpoint: endpoint_part(endpoint),
                },
                About::Payout(payout) => AboutPart::Payout {
                    payout: payout_part(payout),
                },
            },
        },
    };
    serde_json::to_string(&body).ok()
}

fn payout_part(payout: &Payout) -> PayoutPart<'_> {
    PayoutPart {
        id: payout.head.id.as_str(),
        dialect_id: payout.head.wire.as_str(),
        state: payout.state().as_str(),
        amount: payout.order.amount.minor(),
        currency: payout.order.amount.currency().code(),
        created_at: time(payout.head.created),
    }
}

fn endpoint_part(endpoint: &Endpoint) -> EndpointPart<'_> {
    EndpointPart {
        id: endpoint.head.id.as_str(),
        scheme: &endpoint.head.scheme,
        url: &endpoint.url,
        label: endpoint.label.as_deref(),
        state: match endpoint.state {
            EndpointState::Active => "active",
            EndpointState::Paused { .. } => "paused",
            EndpointState::Removed { .. } => "removed",
        },
        failures: endpoint.health.failures,
        failing_since: endpoint.health.failing_since.map(time),
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
