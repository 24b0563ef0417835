//! The callback of one payment request (version 1): a form whose last field signs the others.
//!
//! The signature is HMAC-SHA256 under the salt of the API key, over all decoded fields but `hmac`,
//! sorted by key in byte order, each key directly followed by its value, with nothing between.
//! What is stored is the form without `hmac`; [`signed`] adds it for each attempt.

use std::collections::BTreeMap;

use domain::{Bill, Event, Fact, Payment, Secret};

use crate::{Target, WebhookBody, sign};

const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// How a callback is checked, step by step, for a client that wants to see where its own way
/// differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The decoded fields without `hmac`, sorted by key.
    pub fields: Vec<(String, String)>,
    /// The text that is signed.
    pub signed_text: String,
    /// The signature of that text under the salt.
    pub expected: String,
    /// The `hmac` that came with the body, if one did.
    pub received: Option<String>,
    /// Are the two the same?
    pub valid: bool,
}

/// The callbacks that an event gives: one, when a request with a `webhook` is paid or has failed
/// for good. Nothing else is announced this way, because clients act on the first callback only.
pub fn callbacks(event: &Event) -> Vec<WebhookBody> {
    let (topic, status) = match event.fact {
        Fact::BillPaid => ("payment_request.completed", "completed"),
        Fact::BillFailed => ("payment_request.failed", "failed"),
        Fact::BillCreated
        | Fact::BillChanged
        | Fact::BillExpired
        | Fact::BillWithdrawn
        | Fact::PaymentAuthorized
        | Fact::PaymentCaptured
        | Fact::PaymentReleased
        | Fact::PaymentRefunded
        | Fact::PaymentEnded
        | Fact::EndpointRegistered
        | Fact::EndpointTested
        | Fact::EndpointFailing
        | Fact::EndpointPaused
        | Fact::EndpointResumed
        | Fact::EndpointRemoved
        | Fact::PayoutCreated
        | Fact::PayoutSubmitted
        | Fact::PayoutApproved
        | Fact::PayoutPaid
        | Fact::PayoutRejected
        | Fact::PayoutCancelled
        | Fact::PayoutExpired => return Vec::new(),
    };
    let Some(bill) = event.bill() else {
        return Vec::new();
    };
    let Some(url) = &bill.ask.notify_url else {
        return Vec::new();
    };
    vec![WebhookBody {
        topic: topic.to_owned(),
        to: Target::Url(url.clone()),
        subject: bill.head.wire.to_string(),
        content_type: CONTENT_TYPE,
        body: body(bill, event.payment(), status),
    }]
}

/// Every field is always there; what is not known is empty.
fn body(bill: &Bill, payment: Option<&Payment>, status: &str) -> String {
    let ask = &bill.ask;
    // What the request asked for: the payment is only a part of it when gift cards paid the rest.
    let amount = ask.amount;
    form_urlencoded::Serializer::new(String::new())
        .append_pair(
            "payment_id",
            payment.map_or("", |payment| payment.head.wire.as_str()),
        )
        .append_pair("payment_request_id", bill.head.wire.as_str())
        .append_pair("phone", ask.payer.phone.as_deref().unwrap_or_default())
        .append_pair("amount", &amount.fixed())
        .append_pair("currency", amount.currency().code())
        .append_pair("status", status)
        .append_pair(
            "reference_number",
            ask.reference.as_deref().unwrap_or_default(),
        )
        .finish()
}

/// The body with its `hmac` as the last field.
pub fn signed(body: &str, salt: &Secret) -> String {
    let hmac = sign::hmac_sha256_hex(salt, signed_text(body).as_bytes());
    let joint = if body.is_empty() || body.ends_with('&') {
        ""
    } else {
        "&"
    };
    format!("{body}{joint}hmac={hmac}")
}

/// The text that is signed for a body.
pub fn signed_text(body: &str) -> String {
    let mut fields = decoded(body);
    fields.remove("hmac");
    fields
        .into_iter()
        .map(|(name, value)| name + &value)
        .collect()
}

/// Checks the `hmac` in a body and says how.
pub fn verify(body: &str, salt: &Secret) -> Check {
    let mut fields = decoded(body);
    let received = fields.remove("hmac");
    let signed_text = signed_text(body);
    let expected = sign::hmac_sha256_hex(salt, signed_text.as_bytes());
    let valid = received
        .as_deref()
        .is_some_and(|received| sign::same(&expected, received));
    Check {
        fields: fields.into_iter().collect(),
        signed_text,
        expected,
        received,
        valid,
    }
}

/// Keys in byte order; of a key that comes twice the last value, as receivers have it.
fn decoded(body: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}
