//! What the sandbox's calls answer when something is wrong, `{"message":…}`.

use axum::response::Response;
use domain::{Refusal, StepProblem};
use http::StatusCode;

use crate::http::pipeline::plain;
use crate::operations::Failure;

pub(super) fn failed(failure: &Failure) -> Response {
    match failure {
        Failure::Refused(refusal) => refused(refusal),
        Failure::Fault(fault) => {
            tracing::error!(fault = fault.0, "fault");
            unavailable()
        }
        Failure::Unknown(fault) => {
            tracing::error!(fault = fault.0, "the outcome of a transaction is not known");
            unsure()
        }
    }
}

/// The same that the APIs say: come back in a moment.
fn unavailable() -> Response {
    later("Service unavailable")
}

/// It may have been done.
fn unsure() -> Response {
    later("It is not known whether this was done: look before you try again")
}

fn later(message: &str) -> Response {
    let response = plain(StatusCode::SERVICE_UNAVAILABLE, message);
    crate::web::shell::retry_after(response, domain::Span::from_seconds(1))
}

pub(super) fn refused(refusal: &Refusal) -> Response {
    let (status, message) = match refusal {
        Refusal::NotFound(_, name) => (
            StatusCode::NOT_FOUND,
            format!("No payment is called {name}"),
        ),
        Refusal::Invalid(problems) => {
            let texts = problems
                .iter()
                .map(|problem| format!("{}: {}", problem.field, problem.message));
            (
                StatusCode::BAD_REQUEST,
                texts.collect::<Vec<_>>().join("; "),
            )
        }
        Refusal::UnknownRoute => (StatusCode::NOT_FOUND, "Not Found".to_owned()),
        Refusal::AlreadyPaid => (StatusCode::CONFLICT, "The payment is completed".to_owned()),
        Refusal::Expired => (StatusCode::CONFLICT, "The payment has expired".to_owned()),
        Refusal::Failed => (StatusCode::CONFLICT, "The payment has failed".to_owned()),
        Refusal::Withdrawn => (StatusCode::CONFLICT, "The payment was deleted".to_owned()),
        Refusal::WrongState(state) => (
            StatusCode::CONFLICT,
            format!("Not possible: it is {}", state.replace('_', " ")),
        ),
        Refusal::TryUnderWay => (StatusCode::CONFLICT, "A try is under way".to_owned()),
        Refusal::TooManyTries => (StatusCode::CONFLICT, "Too many declined tries".to_owned()),
        Refusal::Step(problem) => (StatusCode::CONFLICT, answered_before(problem)),
        Refusal::NoMethod => (
            StatusCode::CONFLICT,
            "The payment cannot be paid by this method".to_owned(),
        ),
        Refusal::BodyTooLarge(_) => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is too large".to_owned(),
        ),
        Refusal::Unavailable(_) => return unavailable(),
        Refusal::Unsure(_) => return unsure(),
        Refusal::Card(why) => (
            StatusCode::CONFLICT,
            format!("The gift card cannot be used ({})", why.name()),
        ),
        Refusal::TooManyCalls(wait) => {
            let message = "Too many wrong tries";
            let response = plain(StatusCode::TOO_MANY_REQUESTS, message);
            return crate::web::shell::retry_after(response, *wait);
        }
        other => (
            StatusCode::BAD_REQUEST,
            format!("Not possible ({})", other.name()),
        ),
    };
    plain(status, &message)
}

/// Why a payer cannot answer (again).
fn answered_before(problem: &StepProblem) -> String {
    match problem {
        StepProblem::ReservedBefore => {
            "Not possible: the payer said yes before, it is authorized".to_owned()
        }
        StepProblem::ApproveOfEnded(state) => {
            format!("Not possible: it is {}", state.replace('_', " "))
        }
        StepProblem::NoPayer => "Not possible: nobody is asked, it names no payer".to_owned(),
        StepProblem::Declined(cause) => format!("Not possible: {}", cause.text),
        _ => "Not possible in this state".to_owned(),
    }
}
