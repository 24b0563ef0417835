//! From the wire to a call. Bodies are JSON whatever their content type says: the published
//! commands send them as forms.

use domain::call::{IdempotencyKey, Incoming};
use domain::reservation::Reach;
use domain::{
    Call, Currency, EndpointAsk, FieldProblem, Flaw, Money, Refusal, ReservationCall, TopicMax,
    Topics, WireId,
};
use http::HeaderMap;
use http::request::Parts;

use super::credentials;
use super::paths::{self, Api, Route};
use super::terms::{self, is_reference};
use super::topics;
use crate::fields::{self, Fault, Fields, Value};
use crate::{Registration, Site, json, repeat};

/// Characters of an idempotency key.
const KEY_MAX: usize = 50;

/// Characters of a registered address.
const URL_MAX: usize = 2_048;

/// Characters of a registration's label, which is an addition of ours.
const LABEL_MAX: usize = 100;

/// What the request asks for.
pub fn decode(site: &Site, head: &Parts, body: &[u8]) -> Result<Incoming, Refusal> {
    let route = paths::route(head)?;
    let webhooks = paths::api(head.uri.path()) == Some(Api::Webhooks);
    if webhooks && !site.vipps.client_headers && !credentials::has_bearer(&head.headers) {
        return Err(Refusal::Credential(Flaw::TokenMissing));
    }
    let (idempotency_key, call) = match route {
        Route::Token => (
            None,
            Call::IssueToken(credentials::of_client(&head.headers)?),
        ),
        // A key beside a registration means nothing: twice the same body makes two of them.
        Route::Register => (None, register(site, head, body)?),
        Route::ListRegistrations => (None, Call::ListEndpoints),
        Route::ShowRegistration(id) => (None, Call::ShowEndpoint(registration(&id)?)),
        Route::RemoveRegistration(id) => (None, Call::RemoveEndpoint(registration(&id)?)),
        Route::Create => create(site, head, body)?,
        Route::Show(reference) => (None, reading(reference, ReservationCall::Show)?),
        Route::Log(reference) => (None, reading(reference, ReservationCall::Log)?),
        Route::Capture(reference) => {
            let key = required_key(&head.headers, body)?;
            changing(key, reference, "capture_reservation", |reference| {
                let amount = modification(body)?;
                Ok(ReservationCall::Capture(reference, amount))
            })?
        }
        Route::Refund(reference) => {
            let key = required_key(&head.headers, body)?;
            changing(key, reference, "refund_reservation", |reference| {
                let amount = modification(body)?;
                Ok(ReservationCall::Refund(reference, amount))
            })?
        }
        Route::Cancel(reference) => {
            let key = key(&head.headers, body)?;
            changing(key, reference, "cancel_reservation", |reference| {
                let only_pending = only_pending(site, body)?;
                Ok(ReservationCall::Cancel {
                    reference,
                    only_pending,
                })
            })?
        }
        Route::Approve(reference) => (None, approve(reference, body)?),
    };
    Ok(Incoming {
        call,
        idempotency_key,
    })
}

fn create(
    site: &Site,
    head: &Parts,
    body: &[u8],
) -> Result<(Option<IdempotencyKey>, Call), Refusal> {
    let key = required_key(&head.headers, body)?;
    let members = json::parse(body)?;
    let named = members.get("reference").and_then(Value::as_text);
    let named = named.filter(|text| is_reference(text)).map(str::to_owned);
    let serial = credentials::text(&head.headers, credentials::SERIAL);
    let made = terms::ask(site, &members, serial);
    let call = match (made, named) {
        (Ok(ask), _) => {
            let flow = ask.extras.get("userFlow").and_then(|flow| flow.as_str());
            let reach = match flow {
                Some("PUSH_MESSAGE") => Reach::Phone,
                _ => Reach::Page,
            };
            ReservationCall::Create(Box::new(ask), reach)
        }
        (Err(refusal), Some(reference)) => ReservationCall::Unsound {
            operation: "create_reservation",
            reference,
            refusal,
        },
        (Err(refusal), None) => return Err(refusal),
    };
    Ok((key, Call::Reservation(call)))
}

/// Registers for events.
fn register(site: &Site, head: &Parts, body: &[u8]) -> Result<Call, Refusal> {
    let members = json::parse(body)?;
    let mut fields = Fields::new(&members, registration_wording);
    missing(&mut fields, "url");
    let url = fields.url("url", site.webhook(URL_MAX));
    let mut events: Vec<String> = fields.list("events").unwrap_or_default();
    if events.is_empty() && fields.is_sound() || fields.get("events").is_none() {
        fields.fault("events", Fault::Missing);
    }
    if let Some(sentence) = topics::unsupported(&events) {
        fields.problem("events", sentence);
    }
    let label = fields.text("label", LABEL_MAX);
    fields.finish()?;
    let mut seen = std::collections::BTreeSet::new();
    events.retain(|event| seen.insert(event.clone()));
    let serial = credentials::text(&head.headers, credentials::SERIAL);
    let more = registered(site, serial.as_deref());
    Ok(Call::RegisterEndpoint(Box::new(EndpointAsk {
        url: url.unwrap_or_default(),
        topics: Topics::Some(events),
        label,
        per_topic_max: more.topic_max,
        extras: more.extras,
    })))
}

/// The limits of a registration, and the sales unit that its test deliveries name.
pub fn registered(site: &Site, serial: Option<&str>) -> Registration {
    let usual = site.vipps.registrations_max;
    let topics = u32::try_from(topics::ALL.len()).unwrap_or(u32::MAX);
    let mut extras = serde_json::Map::new();
    if let Some(serial) = serial {
        extras.insert("msn".to_owned(), serial.into());
    }
    Registration {
        topic_max: Some(TopicMax {
            usual,
            own: vec![(topics::CHECK_IN, site.vipps.check_in_registrations_max)],
            in_all: usual.saturating_mul(topics),
        }),
        extras,
    }
}

/// The sentences of the webhooks API where they differ.
fn registration_wording(field: &str, fault: Fault) -> String {
    if fault == Fault::Missing {
        return "The property is required and cannot be null or empty.".to_owned();
    }
    terms::wording(field, fault)
}

/// The id of a registration.
fn registration(text: &str) -> Result<WireId, Refusal> {
    let wrong = || invalid("id", "The id of a webhook is a UUID.");
    let id = fields::uuid(text).ok_or_else(wrong)?;
    WireId::new(id).map_err(|_| wrong())
}

fn reading(reference: String, of: impl FnOnce(String) -> ReservationCall) -> Result<Call, Refusal> {
    checked(reference).map(|reference| Call::Reservation(of(reference)))
}

/// A call that changes something. With a key, also a refusal of its body is remembered.
fn changing(
    key: Option<IdempotencyKey>,
    reference: String,
    operation: &'static str,
    read: impl FnOnce(String) -> Result<ReservationCall, Refusal>,
) -> Result<(Option<IdempotencyKey>, Call), Refusal> {
    let reference = checked(reference)?;
    let call = match read(reference.clone()) {
        Err(refusal) if key.is_some() => ReservationCall::Unsound {
            operation,
            reference,
            refusal,
        },
        made => made?,
    };
    Ok((key, Call::Reservation(call)))
}

fn checked(reference: String) -> Result<String, Refusal> {
    if is_reference(&reference) {
        Ok(reference)
    } else {
        Err(invalid("reference", terms::REFERENCE_RULE))
    }
}

fn invalid(field: &str, message: &str) -> Refusal {
    Refusal::Invalid(vec![FieldProblem {
        field: field.to_owned(),
        message: message.to_owned(),
    }])
}

/// The key, if there is one. An empty header is no key.
fn key(headers: &HeaderMap, body: &[u8]) -> Result<Option<IdempotencyKey>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let printable = bytes.iter().all(|b| (b' '..=b'~').contains(b));
    if bytes.len() > KEY_MAX || !printable {
        return Err(invalid(
            "Idempotency-Key",
            "The field Idempotency-Key must be 1 to 50 printable ASCII characters.",
        ));
    }
    let text = value.to_str().ok().map(str::to_owned);
    Ok(text.map(|text| repeat::key(text, body)))
}

fn required_key(headers: &HeaderMap, body: &[u8]) -> Result<Option<IdempotencyKey>, Refusal> {
    match key(headers, body)? {
        Some(key) => Ok(Some(key)),
        None => Err(invalid(
            "Idempotency-Key",
            "The Idempotency-Key field is required.",
        )),
    }
}

/// `modificationAmount` of a capture or refund. How much is possible is decided by the payment,
/// which may have grown by the price of a delivery.
fn modification(body: &[u8]) -> Result<Money, Refusal> {
    let members = json::parse(body)?;
    let mut fields = Fields::new(&members, terms::wording);
    let amount = terms::money(&mut fields, "modificationAmount");
    fields.finish()?;
    let (value, code) = amount.ok_or_else(|| Refusal::Invalid(Vec::new()))?;
    let currency = Currency::parse_exact(&code)
        .map_err(|_| terms::coded(5040, "Use the currency of the payment."))?;
    if value == 0 {
        return Err(terms::coded(
            4040,
            "modificationAmount.value is a whole number of minor units above 0.",
        ));
    }
    Money::from_minor(value, currency).map_err(|error| terms::coded(4040, &error.to_string()))
}

/// The body of cancel may be nothing, an object, or the empty list that PHP makes of one.
fn only_pending(site: &Site, body: &[u8]) -> Result<bool, Refusal> {
    if !site.vipps.strict && body.trim_ascii() == b"[]" {
        return Ok(false);
    }
    let members = json::parse(body)?;
    match members.get("cancelTransactionOnly") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(only)) => Ok(*only),
        Some(Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object(_)) => {
            Err(invalid(
                "cancelTransactionOnly",
                "The field CancelTransactionOnly must be true or false.",
            ))
        }
    }
}

fn approve(reference: String, body: &[u8]) -> Result<Call, Refusal> {
    let reference = checked(reference)?;
    let members = json::parse(body)?;
    let mut fields = Fields::new(&members, terms::wording);
    let phone = match fields.object("customer") {
        Some(customer) => fields.inside("customer", customer, terms::phone),
        None => None,
    };
    let token = fields.text("token", 4_096);
    fields.finish()?;
    Ok(Call::Reservation(ReservationCall::Approve {
        reference,
        phone,
        token,
    }))
}

/// Problems of these members, for readers of other bodies.
pub(super) fn missing(fields: &mut Fields<'_>, name: &str) {
    if fields.get(name).is_none() {
        fields.fault(name, Fault::Missing);
    }
}
