//! From the wire to a call: paths, bodies in every spelling, fields, limits.

use domain::call::{BillFilter, BillQuery, Incoming};
use domain::limits::PAGE_MAX;
use domain::{Call, FieldProblem, Object, Refusal, Timestamp, WireId};
use http::Method;
use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::terms;
use crate::fields::{self, Fault, Fields, Members, Value};
use crate::{Site, form, json, repeat};

const TEXT_MAX: usize = 255;
const IDEMPOTENCY_KEY_MAX: usize = 255;
const PER_PAGE: u32 = 10;
/// No list is that long; the bound keeps the arithmetic of pages small.
const LAST_PAGE: u32 = 1_000_000;

/// What a path and a method name.
enum Route<'a> {
    Create,
    List,
    Show(&'a str),
    Change(&'a str),
    Withdraw(&'a str),
}

/// What the request asks for.
pub fn decode(site: &Site, now: Timestamp, head: &Parts, body: &[u8]) -> Result<Incoming, Refusal> {
    let mut idempotency_key = None;
    let call = match route(head)? {
        Route::Create => {
            idempotency_key = key_of(head)?.map(|text| repeat::key(text, body));
            Call::CreateBill(Box::new(terms::ask(site, now, &members(head, body)?)?))
        }
        Route::List => Call::ListBills(query(head)?),
        Route::Show(id) => Call::ShowBill(wire_id(id)?),
        Route::Change(id) => Call::ChangeBill(
            wire_id(id)?,
            Box::new(terms::ask(site, now, &members(head, body)?)?),
        ),
        Route::Withdraw(id) => Call::WithdrawBill(wire_id(id)?),
    };
    Ok(Incoming {
        call,
        idempotency_key,
    })
}

fn route(head: &Parts) -> Result<Route<'_>, Refusal> {
    let served = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if !served.contains(&head.method) {
        return Err(Refusal::UnknownMethod);
    }
    let rest = head
        .uri
        .path()
        .strip_prefix("/v1/payment-requests")
        .ok_or(Refusal::UnknownRoute)?;
    // HEAD is GET without the body, which the server drops.
    let reads = head.method == Method::GET || head.method == Method::HEAD;
    if rest.is_empty() {
        return match head.method {
            _ if reads => Ok(Route::List),
            Method::POST => Ok(Route::Create),
            _ => Err(Refusal::UnknownRoute),
        };
    }
    // A final slash, deeper paths and `/v1/payment-requestsX` are no paths of the contract.
    let id = rest
        .strip_prefix('/')
        .filter(|id| !id.is_empty() && !id.contains('/'));
    let id = id.ok_or(Refusal::UnknownRoute)?;
    match head.method {
        _ if reads => Ok(Route::Show(id)),
        Method::PUT => Ok(Route::Change(id)),
        Method::DELETE => Ok(Route::Withdraw(id)),
        _ => Err(Refusal::UnknownRoute),
    }
}

/// A UUID in any letter case; anything else is an id that no object has.
fn wire_id(text: &str) -> Result<WireId, Refusal> {
    let id = fields::uuid(text).unwrap_or_else(|| text.to_owned());
    WireId::new(id).map_err(|_| {
        let shown = text.chars().take(64).collect();
        Refusal::NotFound(Object::Bill, shown)
    })
}

fn key_of(head: &Parts) -> Result<Option<String>, Refusal> {
    let Some(value) = head.headers.get("idempotency-key") else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    let visible = bytes.iter().all(u8::is_ascii_graphic);
    if bytes.is_empty() || bytes.len() > IDEMPOTENCY_KEY_MAX || !visible {
        return Err(Refusal::Invalid(vec![FieldProblem {
            field: "Idempotency-Key".to_owned(),
            message: "The Idempotency-Key header must be 1 to 255 visible ASCII characters."
                .to_owned(),
        }]));
    }
    Ok(value.to_str().ok().map(str::to_owned))
}

/// The body by its content type, and by its first character where that says less: a form never
/// begins with a brace, and clients that forget the type, or send JSON under the form's, mean JSON.
fn members(head: &Parts, body: &[u8]) -> Result<Members, Refusal> {
    let media = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media = media
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if media.eq_ignore_ascii_case("application/json") {
        return json::parse(body);
    }
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => json::parse(body),
        Some(_) => form::parse(body, "request body"),
        None => Ok(Members::default()),
    }
}

/// The arguments of the list, in every spelling that clients use.
fn query(head: &Parts) -> Result<BillQuery, Refusal> {
    let members = form::parse(
        head.uri.query().unwrap_or_default().as_bytes(),
        "query string",
    )?;
    let mut fields = Fields::new(&members, terms::wording);
    let per_page = fields.number("per_page", 1, PAGE_MAX).unwrap_or(PER_PAGE);
    let current = fields.number("current_page", 1, LAST_PAGE);
    let page = fields.number("page", 1, LAST_PAGE);
    // A request that is named is found by its id, as a part of the search would find it.
    let search = fields.text("search", TEXT_MAX);
    let request = fields.text("request_id", TEXT_MAX);
    let state = fields.text("status", TEXT_MAX).and_then(|word| {
        let state = filter(&word);
        if state.is_none() {
            fields.fault("status", Fault::NotKnown);
        }
        state
    });
    let default_link = fields.flag("is_default").unwrap_or(false);
    let pair = terms::metadata(&mut fields).and_then(|_| {
        // The first pair in the client's order; the map above is sorted.
        let Some(Value::Object(members)) = fields.get("metadata") else {
            return None;
        };
        let (name, value) = members.iter().next()?;
        Some((name.to_owned(), value.as_text()?.to_owned()))
    });
    fields.finish()?;
    Ok(BillQuery {
        per_page,
        page: current.or(page).unwrap_or(1),
        search: search.or(request),
        state,
        metadata: pair,
        default_link,
    })
}

fn filter(word: &str) -> Option<BillFilter> {
    match word {
        "pending" => Some(BillFilter::Open),
        "completed" => Some(BillFilter::Paid),
        "failed" => Some(BillFilter::Failed),
        "expired" => Some(BillFilter::Expired),
        // The contract has these words; no request of ours is ever in such a state.
        "canceled" | "inactive" => Some(BillFilter::Never),
        _ => None,
    }
}
