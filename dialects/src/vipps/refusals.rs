//! From a refusal to the wire. Every answer that is not 2xx has a JSON body: old clients parse it
//! unconditionally.

use domain::{Flaw, Object, Refusal, Span};
use http::header::{ALLOW, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::codes;
use super::paths::{self, Api};
use super::problem::{self, Detail, Problem};

const KEY_MISSING: &str = "Access denied due to missing subscription key. Make sure to include \
                           subscription key when making requests to an API.";
const KEY_WRONG: &str = "Access denied due to invalid subscription key. Make sure to provide a \
                         valid key for an active subscription.";

/// The answer to a call that is refused.
pub fn refuse(head: &Parts, refusal: &Refusal) -> Response<Vec<u8>> {
    if let Refusal::Credential(flaw) = refusal {
        let in_front = |message| problem::in_front(StatusCode::UNAUTHORIZED, message);
        let shaped = match flaw {
            Flaw::KeyMissing => Some(in_front(KEY_MISSING)),
            Flaw::KeyWrong | Flaw::KeyExpired => Some(in_front(KEY_WRONG)),
            Flaw::Client if is_token(head) => Some(problem::identity(head)),
            Flaw::Client
            | Flaw::TokenMissing
            | Flaw::TokenWrong
            | Flaw::TokenExpired
            | Flaw::NumberMissing
            | Flaw::NumberWrong
            | Flaw::Address => None,
        };
        return shaped.unwrap_or_else(|| worded(head, refusal).answer(head));
    }
    if let Refusal::TooManyCalls(wait) = refusal {
        let seconds = seconds(*wait);
        let message = format!("Rate limit is exceeded. Try again in {seconds} seconds.");
        let answer = problem::in_front(StatusCode::TOO_MANY_REQUESTS, &message);
        return later(answer, *wait);
    }
    let mut response = worded(head, refusal).answer(head);
    if let Refusal::Unavailable(wait) | Refusal::Unsure(wait) = refusal {
        return later(response, *wait);
    }
    if *refusal == Refusal::UnknownMethod {
        let allowed = HeaderValue::from_static(paths::allowed(head.uri.path()));
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

fn is_token(head: &Parts) -> bool {
    paths::api(head.uri.path()) == Some(Api::Token)
}

fn later(mut response: Response<Vec<u8>>, wait: Span) -> Response<Vec<u8>> {
    let seconds = HeaderValue::from(seconds(wait));
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}

/// Whole seconds, rounded up, so that nobody comes back too early.
fn seconds(wait: Span) -> u64 {
    wait.millis().div_ceil(1_000).max(1)
}

/// The refusal as problem details.
fn worded(head: &Parts, refusal: &Refusal) -> Problem {
    let plain = |status: StatusCode, detail: &str| {
        Problem::new(status, status.canonical_reason().unwrap_or("Error"), detail)
    };
    match refusal {
        Refusal::UnknownRoute => plain(StatusCode::NOT_FOUND, "There is no such path."),
        Refusal::UnknownMethod => plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "The path does not take this method.",
        ),
        Refusal::BodyTooLarge(max) => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("The body may have at most {max} bytes."),
        ),
        Refusal::TooSlow => plain(
            StatusCode::REQUEST_TIMEOUT,
            "The request took too long to arrive. Send it again.",
        ),
        Refusal::Unauthenticated => flaw(Flaw::TokenMissing),
        Refusal::Credential(which) => flaw(*which),
        Refusal::NotAllowed(text) => plain(StatusCode::FORBIDDEN, text),
        Refusal::UnknownMediaType => plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Send JSON with the header Content-Type: application/json.",
        ),
        Refusal::TooManyCalls(_) => plain(StatusCode::TOO_MANY_REQUESTS, "Too many calls."),
        Refusal::Unreadable(text) => plain(StatusCode::BAD_REQUEST, text),
        Refusal::Invalid(problems) => invalid(head, problems),
        Refusal::NotFound(object, id) => not_found(*object, id),
        Refusal::AlreadyPaid => codes::of_step(&domain::StepProblem::ReservedBefore),
        Refusal::Expired => codes::problem(6190, "The payment has expired."),
        Refusal::Failed | Refusal::Withdrawn => codes::problem(6190, "The payment has ended."),
        Refusal::TryUnderWay => codes::problem(6160, "Another call is under way. Try again."),
        Refusal::TooManyTries => codes::problem(10010, "The payment was declined too often."),
        Refusal::WrongState(state) => codes::problem(6190, format!("The payment is {state}.")),
        Refusal::TooMuch(asked, left) => {
            codes::problem(4040, format!("{asked} cannot be used: {left}."))
        }
        Refusal::KeyReused => key_reused(head),
        Refusal::Step(step) => codes::of_step(step),
        Refusal::TooManyEndpoints(most, of) => too_many(*most, of.as_deref()),
        Refusal::Card(_) => codes::problem(5070, "A gift card does not pay for this."),
        Refusal::NoMethod => codes::problem(5070, "Nothing that can be paid with is open."),
        Refusal::Unavailable(wait) => codes::problem(
            3010,
            format!(
                "The service cannot answer now and nothing was changed. Try again in {} seconds.",
                seconds(*wait)
            ),
        ),
        Refusal::Unsure(wait) => codes::problem(
            3010,
            format!(
                "It is not known whether this was done. Get the payment, or repeat the request \
                 with the same Idempotency-Key, in {} seconds.",
                seconds(*wait)
            ),
        ),
    }
}

/// No more registrations, of one event or in all.
fn too_many(most: u32, of: Option<&str>) -> Problem {
    let reason = match of {
        Some(event) => {
            format!("The event {event} has at most {most} registrations. Delete one first.")
        }
        None => format!(
            "There are at most {most} registrations, whatever their events. Delete one first."
        ),
    };
    let mut problem = bad_request();
    problem.extra.push(Detail::new("events", reason));
    problem
}

fn flaw(flaw: Flaw) -> Problem {
    let (status, detail) = match flaw {
        Flaw::KeyMissing => (StatusCode::UNAUTHORIZED, KEY_MISSING),
        Flaw::KeyWrong | Flaw::KeyExpired => (StatusCode::UNAUTHORIZED, KEY_WRONG),
        Flaw::Address => (
            StatusCode::FORBIDDEN,
            "These keys may not be used from this address.",
        ),
        Flaw::Client => (
            StatusCode::UNAUTHORIZED,
            "The client_id or client_secret is wrong.",
        ),
        Flaw::TokenMissing => (
            StatusCode::UNAUTHORIZED,
            "Send an access token: Authorization: Bearer <token>.",
        ),
        Flaw::TokenWrong => (
            StatusCode::UNAUTHORIZED,
            "The access token is not valid. Get one from /accesstoken/get.",
        ),
        Flaw::TokenExpired => (
            StatusCode::UNAUTHORIZED,
            "The access token has expired. Get a new one from /accesstoken/get.",
        ),
        Flaw::NumberMissing => {
            let mut problem = bad_request();
            let reason = "The Merchant-Serial-Number field is required.";
            problem
                .extra
                .push(Detail::new("Merchant-Serial-Number", reason));
            return problem;
        }
        Flaw::NumberWrong => (
            StatusCode::FORBIDDEN,
            "The Merchant-Serial-Number does not belong to these keys.",
        ),
    };
    Problem::new(status, status.canonical_reason().unwrap_or("Error"), detail)
}

fn bad_request() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "Bad Request",
        "See extraDetails for further details",
    )
}

/// Fields of the wrong form, or one numbered error.
fn invalid(head: &Parts, problems: &[domain::FieldProblem]) -> Problem {
    let coded = problems.first().and_then(|first| {
        let code = first.field.strip_prefix(codes::NAME)?.strip_prefix(':')?;
        let code = code.parse().ok()?;
        Some(codes::problem(code, first.message.clone()))
    });
    if let Some(mut coded) = coded {
        // The code stands first; a field may be named beside it.
        coded
            .extra
            .extend(details(problems.get(1..).unwrap_or_default()));
        return coded;
    }
    let mut problem = bad_request();
    if paths::api(head.uri.path()) == Some(Api::Webhooks) {
        problem.detail = "One or more validation errors occurred.".to_owned();
    }
    problem.extra = details(problems).collect();
    problem
}

fn details(problems: &[domain::FieldProblem]) -> impl Iterator<Item = Detail> {
    let all = problems.iter();
    all.map(|one| Detail::new(&one.field, one.message.clone()))
}

fn not_found(object: Object, id: &str) -> Problem {
    match object {
        Object::Bill | Object::Payment | Object::Reservation => codes::problem(
            5090,
            format!("This sales unit has no payment with the reference {id}."),
        ),
        Object::Endpoint | Object::Delivery => Problem::new(
            StatusCode::NOT_FOUND,
            "Not Found",
            format!("This sales unit has no webhook with the id {id}."),
        ),
    }
}

fn key_reused(head: &Parts) -> Problem {
    let detail = "The Idempotency-Key came with another body before. Use a new one.";
    let path = paths::collapsed(head.uri.path());
    let code = match path.rsplit('/').next() {
        Some("capture") => 4010,
        Some("refund") => 4150,
        _ => 4020,
    };
    codes::problem(code, detail)
}
