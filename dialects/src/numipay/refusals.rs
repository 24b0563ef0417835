//! From a refusal to the wire: `{"code", "message"}`, and `errors` beside them for fields.

use domain::{FieldProblem, Flaw, Refusal, Span};
use http::header::{ALLOW, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::replies::answer;

/// The codes of the contract.
mod code {
    pub const CREDENTIAL_NOT_FOUND: u16 = 1016;
    pub const TRANSACTION_ID_MISSING: u16 = 1021;
    pub const ERROR: u16 = 1025;
    pub const KEY_MISSING: u16 = 1026;
    pub const KEY_NOT_FOUND: u16 = 1027;
    pub const KEY_EXPIRED: u16 = 1028;
    pub const NO_TRANSACTION: u16 = 1039;
    pub const CANNOT_CHANGE: u16 = 1076;
    pub const TRACKING_ID_MISSING: u16 = 1089;
    pub const ADDRESS_BLOCKED: u16 = 1295;
}

#[derive(Serialize)]
struct Problem {
    code: u16,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Map<String, Json>>,
}

impl Problem {
    fn new(code: u16, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            errors: None,
        }
    }
}

/// The answer to a call that is refused.
pub fn refuse(head: &Parts, refusal: &Refusal) -> Response<Vec<u8>> {
    let (status, problem) = told(head, refusal);
    let mut response = answer(status, &problem);
    match refusal {
        Refusal::TooManyCalls(wait) | Refusal::Unavailable(wait) | Refusal::Unsure(wait) => {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds(*wait)));
        }
        Refusal::UnknownMethod => {
            let lists = head.uri.path().starts_with("/gateway/v1/transactions");
            let served = if lists { "GET, HEAD" } else { "POST" };
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(served));
        }
        Refusal::UnknownRoute
        | Refusal::BodyTooLarge(_)
        | Refusal::TooSlow
        | Refusal::Unauthenticated
        | Refusal::Credential(_)
        | Refusal::Step(_)
        | Refusal::Unreadable(_)
        | Refusal::Invalid(_)
        | Refusal::NotFound(..)
        | Refusal::AlreadyPaid
        | Refusal::Expired
        | Refusal::Failed
        | Refusal::Withdrawn
        | Refusal::TryUnderWay
        | Refusal::TooManyTries
        | Refusal::WrongState(_)
        | Refusal::TooMuch(..)
        | Refusal::KeyReused
        | Refusal::NoMethod
        | Refusal::NotAllowed(_)
        | Refusal::UnknownMediaType
        | Refusal::Card(_)
        | Refusal::TooManyEndpoints(..) => {}
    }
    response
}

fn told(head: &Parts, refusal: &Refusal) -> (StatusCode, Problem) {
    let plain = |status, message: &str| (status, Problem::new(code::ERROR, message));
    match refusal {
        Refusal::UnknownRoute => plain(StatusCode::NOT_FOUND, "Not Found"),
        Refusal::UnknownMethod => plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
        Refusal::BodyTooLarge(max) => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("The request body may have at most {max} bytes."),
        ),
        Refusal::UnknownMediaType => plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Send JSON with the header Content-Type: application/json.",
        ),
        Refusal::TooSlow => plain(
            StatusCode::REQUEST_TIMEOUT,
            "The request took too long to arrive. Send it again.",
        ),
        Refusal::Credential(Flaw::KeyExpired) => (
            StatusCode::UNAUTHORIZED,
            Problem::new(code::KEY_EXPIRED, "API Key has expired"),
        ),
        Refusal::Credential(Flaw::Address) => (
            StatusCode::FORBIDDEN,
            Problem::new(code::ADDRESS_BLOCKED, "Your IP is blocked"),
        ),
        Refusal::Unauthenticated | Refusal::Credential(_) => unauthenticated(head),
        Refusal::NotAllowed(text) => not_allowed(head, text),
        Refusal::TooManyCalls(wait) => plain(
            StatusCode::TOO_MANY_REQUESTS,
            &format!("Too many requests. Try again in {} s.", seconds(*wait)),
        ),
        Refusal::Unreadable(text) => plain(StatusCode::BAD_REQUEST, text),
        Refusal::Invalid(problems) => (StatusCode::BAD_REQUEST, invalid(problems)),
        Refusal::NoMethod => no_provider(head),
        Refusal::NotFound(..) => (
            StatusCode::NOT_FOUND,
            Problem::new(code::NO_TRANSACTION, "Transaction ID does not exist"),
        ),
        Refusal::Unavailable(_) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "An error has occurred. Please try again later.",
        ),
        Refusal::Unsure(_) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "It is not known whether this was done. Look the transaction up, or send the same \
             request with the same tracking_id again.",
        ),
        Refusal::WrongState(state) => conflict(&format!("it is {}", state.replace('_', " "))),
        Refusal::KeyReused => {
            conflict("the tracking_id was used before, with another type, amount, currency or user")
        }
        Refusal::Step(_) => conflict("it is a reservation"),
        Refusal::AlreadyPaid => conflict("it is paid"),
        Refusal::Expired => conflict("it has expired"),
        Refusal::Failed | Refusal::Withdrawn => conflict("it is rejected"),
        Refusal::TryUnderWay => conflict("a payment of it is under way"),
        Refusal::TooManyTries => conflict("too many cards were declined"),
        Refusal::Card(_) => conflict("the gift card cannot be used for it"),
        Refusal::TooMuch(asked, left) => {
            conflict(&format!("{asked} was asked for and {left} is left"))
        }
        Refusal::TooManyEndpoints(most, _) => conflict(&format!("there are {most} endpoints")),
    }
}

fn unauthenticated(head: &Parts) -> (StatusCode, Problem) {
    let problem = if super::key(head).is_some() {
        Problem::new(code::KEY_NOT_FOUND, "API Key not found")
    } else {
        Problem::new(code::KEY_MISSING, "API Key is missing")
    };
    (StatusCode::UNAUTHORIZED, problem)
}

fn not_allowed(head: &Parts, text: &str) -> (StatusCode, Problem) {
    let code = if head.uri.path().starts_with("/gateway/v1/payments") {
        code::CREDENTIAL_NOT_FOUND
    } else {
        code::CANNOT_CHANGE
    };
    (StatusCode::FORBIDDEN, Problem::new(code, text))
}

/// What stands in the way of a change, behind the sentence of the code.
fn conflict(why: &str) -> (StatusCode, Problem) {
    let message = format!("You can't change this transaction: {why}");
    (
        StatusCode::CONFLICT,
        Problem::new(code::CANNOT_CHANGE, message),
    )
}

/// No provider takes it, or not the one that was named, or none just now.
fn no_provider(head: &Parts) -> (StatusCode, Problem) {
    let path = head.uri.path();
    if path.starts_with("/gateway/v1/payments/direct") {
        let problem = invalid(&[FieldProblem {
            field: "provider_id".to_owned(),
            message: "The provider_id is unknown, disabled, or does not take this payment."
                .to_owned(),
        }]);
        return (StatusCode::BAD_REQUEST, problem);
    }
    if path.starts_with("/gateway/v1/payouts/approve") {
        return conflict("no provider can carry it now; it goes on waiting");
    }
    let message = "No provider takes this transaction: check amount, currency, country and the \
                   provider rules.";
    (StatusCode::BAD_REQUEST, Problem::new(code::ERROR, message))
}

/// Fields in the order in which they were read. Two fields that everything hangs on have codes and
/// sentences of their own when they are missing.
fn invalid(problems: &[FieldProblem]) -> Problem {
    let missing = |field: &str| {
        let sentence = super::terms::wording(field, crate::fields::Fault::Missing);
        problems
            .iter()
            .any(|problem| problem.field == field && problem.message == sentence)
    };
    let first = problems
        .first()
        .map_or("The request is not complete.", |first| &first.message);
    let (code, message) = if missing("tracking_id") {
        (
            code::TRACKING_ID_MISSING,
            "Client Transaction ID is missing",
        )
    } else if missing("transaction_id") {
        (code::TRANSACTION_ID_MISSING, "Transaction ID is missing")
    } else {
        (code::ERROR, first)
    };
    let mut errors: Map<String, Json> = Map::new();
    for problem in problems {
        let sentences = errors
            .entry(problem.field.clone())
            .or_insert_with(|| Json::Array(Vec::new()));
        if let Json::Array(sentences) = sentences {
            sentences.push(Json::String(problem.message.clone()));
        }
    }
    Problem {
        code,
        message: message.to_owned(),
        errors: Some(errors),
    }
}

/// Whole seconds, rounded up, so that nobody comes back too early.
fn seconds(wait: Span) -> u64 {
    wait.millis().div_ceil(1_000).max(1)
}
