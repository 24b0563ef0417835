//! From a refusal to the wire: `{"message": …}` always, `errors` beside it for fields.

use domain::{FieldProblem, Object, Refusal, Span};
use http::header::{ALLOW, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Options;
use super::replies::answer;

#[derive(Serialize)]
struct Problem {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Errors>,
}

/// Field → sentences, in the order in which the fields were read.
struct Errors(Vec<(String, Vec<String>)>);

impl Serialize for Errors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, sentences) in &self.0 {
            map.serialize_entry(field, sentences)?;
        }
        map.end()
    }
}

impl Errors {
    fn of(problems: &[FieldProblem]) -> Self {
        let mut fields: Vec<(String, Vec<String>)> = Vec::new();
        for problem in problems {
            match fields.iter_mut().find(|(field, _)| *field == problem.field) {
                Some((_, sentences)) => sentences.push(problem.message.clone()),
                None => fields.push((problem.field.clone(), vec![problem.message.clone()])),
            }
        }
        Self(fields)
    }
}

/// The answer to a call that is refused.
pub fn refuse(options: &Options, head: &Parts, refusal: &Refusal) -> Response<Vec<u8>> {
    let mut response = answer(status(options, refusal), &problem(head, refusal));
    match refusal {
        Refusal::TooManyCalls(wait) | Refusal::Unavailable(wait) | Refusal::Unsure(wait) => {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds(*wait)));
        }
        Refusal::UnknownMethod => {
            let served = HeaderValue::from_static("GET, POST, PUT, DELETE");
            response.headers_mut().insert(ALLOW, served);
        }
        Refusal::UnknownRoute
        | Refusal::BodyTooLarge(_)
        | Refusal::TooSlow
        | Refusal::Unauthenticated
        | Refusal::Credential(_)
        | Refusal::Unreadable(_)
        | Refusal::Invalid(_)
        | Refusal::NotFound(..)
        | Refusal::TooManyEndpoints(..)
        | Refusal::AlreadyPaid
        | Refusal::Expired
        | Refusal::Failed
        | Refusal::Withdrawn
        | Refusal::TryUnderWay
        | Refusal::TooManyTries
        | Refusal::WrongState(_)
        | Refusal::TooMuch(..)
        | Refusal::KeyReused
        | Refusal::Step(_)
        | Refusal::NoMethod
        | Refusal::NotAllowed(_)
        | Refusal::UnknownMediaType
        | Refusal::Card(_) => {}
    }
    response
}

fn status(options: &Options, refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Unreadable(_) => StatusCode::BAD_REQUEST,
        Refusal::Unauthenticated | Refusal::Credential(_) => match options.bad_key_status {
            403 => StatusCode::FORBIDDEN,
            404 => StatusCode::NOT_FOUND,
            _ => StatusCode::UNAUTHORIZED,
        },
        // To the client a deleted request is one that never was.
        Refusal::UnknownRoute | Refusal::NotFound(..) | Refusal::Withdrawn => StatusCode::NOT_FOUND,
        Refusal::UnknownMethod => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Refusal::KeyReused => StatusCode::CONFLICT,
        Refusal::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::Invalid(_)
        | Refusal::TooManyEndpoints(..)
        | Refusal::AlreadyPaid
        | Refusal::Expired
        | Refusal::Failed
        | Refusal::TryUnderWay
        | Refusal::TooManyTries
        | Refusal::WrongState(_)
        | Refusal::TooMuch(..)
        | Refusal::Step(_)
        | Refusal::NoMethod
        | Refusal::Card(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::NotAllowed(_) => StatusCode::FORBIDDEN,
        Refusal::UnknownMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::TooManyCalls(_) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Unavailable(_) | Refusal::Unsure(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn problem(head: &Parts, refusal: &Refusal) -> Problem {
    let message = match refusal {
        Refusal::Invalid(problems) => {
            let errors = Some(Errors::of(problems));
            return Problem {
                message: summary(problems),
                error_code: None,
                errors,
            };
        }
        Refusal::NotFound(object, id) => return not_found(*object, id),
        Refusal::Withdrawn => {
            let id = head.uri.path().strip_prefix("/v1/payment-requests/");
            return not_found(Object::Bill, id.unwrap_or_default());
        }
        Refusal::UnknownRoute => "Not Found".to_owned(),
        Refusal::UnknownMethod => "Method Not Allowed".to_owned(),
        Refusal::BodyTooLarge(max) => {
            format!("The request body may not be greater than {max} bytes.")
        }
        Refusal::TooSlow => "The request took too long to arrive. Send it again.".to_owned(),
        // Without a full stop: clients compare the whole text.
        Refusal::Unauthenticated | Refusal::Credential(_) => "Invalid business api key".to_owned(),
        Refusal::TooManyCalls(wait) => {
            format!("Too many requests. Try again in {}.", wait_text(*wait))
        }
        Refusal::Unreadable(text) => text.clone(),
        Refusal::TooManyEndpoints(most, _) => {
            format!("No more than {most} webhooks can be registered. Delete one first.")
        }
        Refusal::AlreadyPaid => paid_before(&head.method).to_owned(),
        Refusal::Expired => "The payment request has expired.".to_owned(),
        Refusal::Failed => "The payment request has failed.".to_owned(),
        Refusal::TryUnderWay => {
            "A payment of this payment request is under way. Try again when it is over.".to_owned()
        }
        Refusal::TooManyTries => {
            "Too many payments of this payment request were declined. Create a new one.".to_owned()
        }
        Refusal::WrongState(state) => {
            format!("This is not possible while the payment is {state}.")
        }
        Refusal::Card(_) => "The gift card cannot be used for this payment request.".to_owned(),
        Refusal::TooMuch(asked, left) => {
            format!("The amount {asked} cannot be used: {left} is left.")
        }
        Refusal::KeyReused => {
            "The Idempotency-Key was used for another request before. Use a new one.".to_owned()
        }
        // Payment requests have no steps; the sentence stands for completeness.
        Refusal::Step(_) => "The payment does not allow this.".to_owned(),
        Refusal::NoMethod => {
            "None of the payment methods of this payment request can be used now.".to_owned()
        }
        Refusal::NotAllowed(text) => format!("{text}."),
        Refusal::UnknownMediaType => "Send the request body as a form or as JSON.".to_owned(),
        Refusal::Unavailable(wait) => format!(
            "The service cannot answer now and nothing was changed. Try again in {}.",
            wait_text(*wait)
        ),
        Refusal::Unsure(wait) => unsure(*wait),
    };
    Problem {
        message,
        error_code: None,
        errors: None,
    }
}

/// What cannot be done to a payment request that is paid.
fn paid_before(method: &Method) -> &'static str {
    match *method {
        Method::DELETE => "A completed payment request cannot be deleted.",
        Method::PUT => "A completed payment request cannot be updated.",
        _ => "The payment request is completed already.",
    }
}

/// Said of a request that may have been done.
fn unsure(wait: Span) -> String {
    format!(
        "It is not known whether this was done. Look before you send it again, or send it with \
         the same Idempotency-Key, in {}.",
        wait_text(wait)
    )
}

/// The first sentence, and how many more there are.
fn summary(problems: &[FieldProblem]) -> String {
    let first = problems
        .first()
        .map_or("The given data was invalid.", |first| &first.message);
    match problems.len() {
        0 | 1 => first.to_owned(),
        2 => format!("{first} (and 1 more error)"),
        many => format!("{first} (and {} more errors)", many.saturating_sub(1)),
    }
}

fn not_found(object: Object, id: &str) -> Problem {
    let model = match object {
        Object::Bill => "PaymentRequest",
        Object::Payment | Object::Reservation => "Charge",
        Object::Endpoint => "WebhookEvent",
        Object::Delivery => "WebhookDelivery",
    };
    let message = format!("No query results for model [App\\Business\\{model}] {id}");
    Problem {
        message: message.trim_end().to_owned(),
        error_code: Some("model_not_found"),
        errors: None,
    }
}

/// Whole seconds, rounded up, so that nobody comes back too early.
fn seconds(wait: Span) -> u64 {
    wait.millis().div_ceil(1_000).max(1)
}

fn wait_text(wait: Span) -> String {
    match seconds(wait) {
        1 => "1 second".to_owned(),
        many => format!("{many} seconds"),
    }
}
