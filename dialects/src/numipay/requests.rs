//! From the wire to a call: paths, the envelope, the days of a list.

use domain::call::Incoming;
use domain::{Call, FieldProblem, Refusal, Timestamp, TransactionCall};
use http::Method;
use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::terms::{self, Kind};
use super::times::Day;
use crate::fields::{Fault, Fields, Members, Value};
use crate::{Site, json};

/// What a path and a method name.
enum Route {
    Deposit(Kind),
    Withdraw,
    Reject,
    Approve,
    List,
    Show(String),
}

/// What the request asks for.
pub fn decode(site: &Site, now: Timestamp, head: &Parts, body: &[u8]) -> Result<Incoming, Refusal> {
    let call = match route(head)? {
        Route::Deposit(kind) => envelope(head, body, |request| {
            terms::deposit(&site.numipay, site, now, request, kind)
        })?,
        Route::Withdraw => envelope(head, body, |request| {
            terms::withdrawal(&site.numipay, site, request, maker(head))
        })?,
        Route::Reject => TransactionCall::RejectPayout {
            id: named(head, body)?,
            by: maker(head),
        },
        Route::Approve => TransactionCall::ApprovePayout {
            id: named(head, body)?,
            by: maker(head),
        },
        Route::List => days(site, now, head)?,
        Route::Show(id) => TransactionCall::Show(id),
    };
    Ok(Incoming {
        call: Call::Transaction(call),
        idempotency_key: None,
    })
}

fn route(head: &Parts) -> Result<Route, Refusal> {
    let path = head.uri.path();
    let rest = path
        .strip_prefix("/gateway/v1/")
        .ok_or(Refusal::UnknownRoute)?;
    // One final slash is tolerated.
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let reads = head.method == Method::GET || head.method == Method::HEAD;
    let posts = head.method == Method::POST;
    let (route, fits) = match rest {
        "payments/hosted" => (Route::Deposit(Kind::Hosted), posts),
        "payments/direct" => (Route::Deposit(Kind::Direct), posts),
        "payments/s2s" => (Route::Deposit(Kind::Server), posts),
        "payouts" => (Route::Withdraw, posts),
        "payouts/reject" => (Route::Reject, posts),
        "payouts/approve" => (Route::Approve, posts),
        "transactions" => (Route::List, reads),
        other => {
            let id = other
                .strip_prefix("transactions/")
                .filter(|id| !id.is_empty() && !id.contains('/'))
                .ok_or(Refusal::UnknownRoute)?;
            (Route::Show(plain(id)?), reads)
        }
    };
    if fits {
        Ok(route)
    } else {
        Err(Refusal::UnknownMethod)
    }
}

/// A segment of a path without its percent signs: a merchant's own id may hold anything.
fn plain(segment: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push(u8::try_from(high * 16 + low).unwrap_or(0)),
            (_, _) => return Err(Refusal::UnknownRoute),
        }
    }
    String::from_utf8(bytes).map_err(|_| Refusal::UnknownRoute)
}

/// Who calls, for the two-person rule: the key's digest in short, which tells keys apart and opens
/// nothing.
fn maker(head: &Parts) -> String {
    let digest = super::key(head)
        .map(|key| domain::Secret::new(key.to_owned()).digest())
        .unwrap_or_default();
    format!("key:{}", digest.get(..16).unwrap_or_default())
}

fn object(head: &Parts, body: &[u8]) -> Result<Members, Refusal> {
    let kind = head
        .headers
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    match kind {
        Some(kind) if !kind.eq_ignore_ascii_case("application/json") => {
            Err(Refusal::UnknownMediaType)
        }
        Some(_) | None => json::parse(body),
    }
}

/// Reads what is in the envelope. It may hold a card, and is wiped where it ends.
fn envelope(
    head: &Parts,
    body: &[u8],
    read: impl FnOnce(&Members) -> Result<TransactionCall, Refusal>,
) -> Result<TransactionCall, Refusal> {
    let members = object(head, body)?;
    match members.get("request") {
        Some(Value::Object(request)) => read(request),
        None | Some(Value::Null) => problem("request", Fault::Missing),
        Some(Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_)) => {
            problem("request", Fault::NotObject)
        }
    }
}

fn problem<T>(field: &str, fault: Fault) -> Result<T, Refusal> {
    Err(Refusal::Invalid(vec![FieldProblem {
        field: field.to_owned(),
        message: terms::wording(field, fault),
    }]))
}

/// The transaction that approve and reject name.
fn named(head: &Parts, body: &[u8]) -> Result<String, Refusal> {
    let members = object(head, body)?;
    let mut fields = Fields::new(&members, terms::wording);
    let id = fields.required_text("transaction_id", terms::TRACKING_MAX);
    fields.finish()?;
    id.ok_or_else(|| Refusal::Invalid(Vec::new()))
}

/// The days of a list: today if none is named.
fn days(site: &Site, now: Timestamp, head: &Parts) -> Result<TransactionCall, Refusal> {
    let query = head.uri.query().unwrap_or_default();
    let mut given = [None, None];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let place = match name.as_ref() {
            "from" => 0,
            "to" => 1,
            _ => continue,
        };
        if let (Some(slot), false) = (given.get_mut(place), value.is_empty()) {
            *slot = Some(value.into_owned());
        }
    }
    let mut problems = Vec::new();
    let mut read = |name: &str, text: &Option<String>| {
        let text = text.as_ref()?;
        let day = Day::parse(text);
        if day.is_none() {
            problems.push(FieldProblem {
                field: name.to_owned(),
                message: format!(
                    "The {name} must be a day in the form DD-MM-YYYY, for example 01-08-2024."
                ),
            });
        }
        day
    };
    let [from, to] = &given;
    let (first, last) = (read("from", from), read("to", to));
    if !problems.is_empty() {
        return Err(Refusal::Invalid(problems));
    }
    let today = Day::of(now);
    let (first, last) = match (first, last) {
        (None, None) => (today, today),
        (Some(first), None) => (first, today),
        (None, Some(last)) => (last, last),
        (Some(first), Some(last)) => (first, last),
    };
    let (length, most) = (last.days_after(first), site.numipay.list_days);
    let message = if length < 0 {
        "The from must not be after the to (which is today if it is not given).".to_owned()
    } else if length > i64::from(most) {
        format!("There may be at most {most} days between from and to; ask for them in parts.")
    } else {
        return Ok(TransactionCall::List(first.begins(), last.ends()));
    };
    Err(Refusal::Invalid(vec![FieldProblem {
        field: "from".to_owned(),
        message,
    }]))
}
