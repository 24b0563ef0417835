//! From a refusal to the wire: `{"errorCode": …, "message": …}` with the codes of the contract.

use domain::{CardRefusal, Refusal, Span};
use http::header::{ALLOW, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::replies::answer;

/// The client may not do this.
const CLIENT: u16 = 100;
const NOT_FOUND: u16 = 101;
/// Expired or cancelled.
const OVER: u16 = 102;
/// Charged, or just being charged.
const PROCESSED: u16 = 103;
const CARD_UNKNOWN: u16 = 104;
const CARD_NOT_USABLE: u16 = 105;
const CARD_EXPIRED: u16 = 106;
const NOT_ENOUGH: u16 = 107;
const CARD_ELSEWHERE: u16 = 108;
/// An amount or the form of the request.
const MALFORMED: u16 = 109;
const TOO_MANY: u16 = 110;
/// Our fault; nothing was deducted.
const UNAVAILABLE: u16 = 199;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    error_code: u16,
    message: String,
}

/// The answer to a call that is refused.
pub fn refuse(head: &Parts, refusal: &Refusal) -> Response<Vec<u8>> {
    let (status, error_code, message) = told(head, refusal);
    let mut response = answer(
        status,
        &Problem {
            error_code,
            message,
        },
    );
    let headers = response.headers_mut();
    if let Refusal::TooManyCalls(wait) | Refusal::Unavailable(wait) | Refusal::Unsure(wait) =
        refusal
    {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds(*wait)));
    }
    if *refusal == Refusal::UnknownMethod {
        headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

fn told(head: &Parts, refusal: &Refusal) -> (StatusCode, u16, String) {
    let bad = |code: u16, message: &str| (StatusCode::BAD_REQUEST, code, message.to_owned());
    let as_is = |status: StatusCode, message: &str| (status, MALFORMED, message.to_owned());
    match refusal {
        Refusal::UnknownRoute => as_is(StatusCode::NOT_FOUND, "Not found"),
        Refusal::UnknownMethod => as_is(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
        Refusal::BodyTooLarge(max) => as_is(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("The request body is larger than {max} bytes"),
        ),
        Refusal::TooSlow => as_is(StatusCode::REQUEST_TIMEOUT, "The request took too long"),
        Refusal::UnknownMediaType => as_is(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The request body must be JSON",
        ),
        Refusal::Unauthenticated | Refusal::Credential(_) => (
            StatusCode::UNAUTHORIZED,
            CLIENT,
            "x-client-id or x-client-secret is missing or wrong".to_owned(),
        ),
        Refusal::NotAllowed(why) => bad(CLIENT, why),
        Refusal::NoMethod => bad(
            CLIENT,
            "Your client may not do this: the payment was not created with accessMode api",
        ),
        Refusal::NotFound(..) => {
            let performs = head.uri.path().trim_end_matches('/').ends_with("/perform");
            let status = if performs {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::NOT_FOUND
            };
            (status, NOT_FOUND, "Payment not found".to_owned())
        }
        Refusal::Expired => bad(OVER, "Payment has expired"),
        Refusal::Failed | Refusal::Withdrawn => bad(OVER, "Payment is cancelled"),
        Refusal::AlreadyPaid => bad(PROCESSED, "Payment is already processed"),
        Refusal::TryUnderWay => bad(PROCESSED, "Payment is just being processed"),
        Refusal::WrongState(_) | Refusal::Step(_) => {
            bad(PROCESSED, "The state of the payment does not allow this")
        }
        Refusal::Card(why) => of_card(*why),
        Refusal::Invalid(problems) => {
            let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
            bad(MALFORMED, &messages.join("; "))
        }
        Refusal::Unreadable(why) => bad(MALFORMED, why),
        Refusal::TooMuch(wanted, left) => bad(
            MALFORMED,
            &format!("{wanted} is more than the {left} that are left to pay"),
        ),
        Refusal::TooManyTries => bad(MALFORMED, "The payment has had too many cards"),
        Refusal::TooManyEndpoints(most, _) => bad(MALFORMED, &format!("No more than {most}")),
        Refusal::KeyReused => bad(MALFORMED, "Another request was sent with the same key"),
        Refusal::TooManyCalls(wait) => (
            StatusCode::TOO_MANY_REQUESTS,
            TOO_MANY,
            format!("Too many attempts: try again in {} seconds", seconds(*wait)),
        ),
        Refusal::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            UNAVAILABLE,
            "Temporary fault in the card system: nothing was deducted".to_owned(),
        ),
        Refusal::Unsure(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            unsure(head),
            UNSURE.to_owned(),
        ),
    }
}

const UNSURE: &str = "It is not known whether this was done: ask for the payment before you try \
                      again";

/// Where cards are charged or credited, 199 would promise that nothing was deducted: what may have
/// been processed is called processed. Elsewhere nothing is ever deducted.
fn unsure(head: &Parts) -> u16 {
    let path = head.uri.path().trim_end_matches('/');
    let deducts = path.ends_with("/perform") || path.ends_with("/cancel");
    if deducts { PROCESSED } else { UNAVAILABLE }
}

fn of_card(why: CardRefusal) -> (StatusCode, u16, String) {
    let (code, message) = match why {
        CardRefusal::Unknown => (CARD_UNKNOWN, "Card number or CVC is wrong"),
        CardRefusal::NotUsable => (CARD_NOT_USABLE, "Card is blocked or not activated"),
        CardRefusal::Expired => (CARD_EXPIRED, "Card has expired"),
        CardRefusal::NotEnough => (NOT_ENOUGH, "There is not enough on the card"),
        CardRefusal::Elsewhere => (CARD_ELSEWHERE, "Card is not valid at this vendor"),
        CardRefusal::Twice => (MALFORMED, "The same card is there twice"),
        CardRefusal::TooMany => (MALFORMED, "The payment takes no more cards"),
    };
    (StatusCode::BAD_REQUEST, code, message.to_owned())
}

fn seconds(wait: Span) -> u64 {
    wait.millis().div_ceil(1_000).max(1)
}
