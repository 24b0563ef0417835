//! The closed list of what a client may be told.
//!
//! Order of checks, the same for every dialect, so that all report the same first problem:
//! route, size, credential, limits of rate, form of the body, fields, existence, state, amounts;
//! [`Refusal::Unavailable`] and [`Refusal::Unsure`] can come at any point.

use serde::{Deserialize, Serialize};

use crate::gift_card::CardRefusal;
use crate::moment::Span;
use crate::reservation::StepProblem;
use crate::token::Flaw;

/// Something a client asked for and does not get, with what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No such path, or not with this method.
    UnknownRoute,
    /// A method that HTTP does not have or nobody serves.
    UnknownMethod,
    /// The body is larger than the number of bytes given.
    BodyTooLarge(usize),
    /// The client took too long to send the request.
    TooSlow,
    /// No credential, an unknown one, or one of another dialect.
    Unauthenticated,
    /// A credential of several parts, of which this one is wrong.
    Credential(Flaw),
    /// Too many calls; come back after the time given.
    TooManyCalls(Span),
    /// The body cannot be read at all: broken JSON, bytes that are not UTF-8, too many fields.
    Unreadable(String),
    /// Fields that are missing or wrong, in the order of the contract.
    Invalid(Vec<FieldProblem>),
    /// No such object, or it belongs to someone else, or to the other mode: one answer for all.
    NotFound(Object, String),
    /// As many endpoints as may be are registered for one topic already; the number is the limit.
    TooManyEndpoints(u32, Option<String>),
    /// The bill is paid already.
    AlreadyPaid,
    /// The bill's time is over.
    Expired,
    /// The bill was closed by a final failure.
    Failed,
    /// The bill was deleted or cancelled by the merchant.
    Withdrawn,
    /// Another try on this bill is under way.
    TryUnderWay,
    /// Too many declined tries.
    TooManyTries,
    /// The state of the payment does not allow this; the text names the state.
    WrongState(String),
    /// More than is left; the texts are the amount asked for and the amount left.
    TooMuch(String, String),
    /// The same idempotency key came with another request.
    KeyReused,
    /// A reservation does not allow this step.
    Step(StepProblem),
    /// Nothing that can be paid with is open for this bill.
    NoMethod,
    /// A gift card that cannot be used here, and why.
    Card(CardRefusal),
    /// The caller is known and may not do this; the sentence says what it would take.
    NotAllowed(String),
    /// A body of a kind that the call does not take.
    UnknownMediaType,
    /// We cannot answer now; nothing was changed. Try again after the time given.
    Unavailable(Span),
    /// It is not known whether it was done. The client should look, or repeat the request with the
    /// same key, after the time given.
    Unsure(Span),
}

/// One field that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// The field as the client spells it, for example `address.line1`.
    pub field: String,
    /// A sentence in the words of the dialect.
    pub message: String,
}

/// Kinds of object that can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Object {
    /// A bill (HitPay: payment request).
    Bill,
    /// A payment (HitPay: charge).
    Payment,
    /// A reservation, by the merchant's reference.
    Reservation,
    /// A registered endpoint for webhooks.
    Endpoint,
    /// A webhook delivery.
    Delivery,
}

impl Refusal {
    /// A short name for counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnknownRoute => "unknown_route",
            Self::UnknownMethod => "unknown_method",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::TooSlow => "too_slow",
            Self::Unauthenticated => "unauthenticated",
            Self::Credential(_) => "credential",
            Self::TooManyCalls(_) => "too_many_calls",
            Self::Unreadable(_) => "unreadable",
            Self::Invalid(_) => "invalid",
            Self::NotFound(..) => "not_found",
            Self::TooManyEndpoints(..) => "too_many_endpoints",
            Self::AlreadyPaid => "already_paid",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Withdrawn => "withdrawn",
            Self::TryUnderWay => "try_under_way",
            Self::TooManyTries => "too_many_tries",
            Self::WrongState(_) => "wrong_state",
            Self::TooMuch(..) => "too_much",
            Self::KeyReused => "key_reused",
            Self::Step(_) => "step",
            Self::NoMethod => "no_method",
            Self::Card(why) => why.name(),
            Self::NotAllowed(_) => "not_allowed",
            Self::UnknownMediaType => "unknown_media_type",
            Self::Unavailable(_) => "unavailable",
            Self::Unsure(_) => "unsure",
        }
    }

    /// One of each kind, for tests that must meet them all.
    pub fn examples() -> Vec<Self> {
        let problem = FieldProblem {
            field: "amount".to_owned(),
            message: "The amount field is required.".to_owned(),
        };
        let mut all = vec![
            Self::UnknownRoute,
            Self::UnknownMethod,
            Self::BodyTooLarge(crate::limits::BODY_MAX),
            Self::TooSlow,
            Self::Unauthenticated,
            Self::Credential(Flaw::TokenExpired),
            Self::TooManyCalls(Span::from_seconds(1)),
            Self::Unreadable("The request body is not valid JSON.".to_owned()),
            Self::Invalid(vec![problem]),
            Self::NotFound(
                Object::Bill,
                "9ef68e2e-3569-4f69-9f68-04c7e4bb007c".to_owned(),
            ),
            Self::NotFound(
                Object::Payment,
                "9ef68e2e-3569-4f69-9f68-04c7e4bb007c".to_owned(),
            ),
            Self::NotFound(Object::Reservation, "order-12345".to_owned()),
            Self::NotFound(
                Object::Endpoint,
                "9ef68e2e-3569-4f69-9f68-04c7e4bb007c".to_owned(),
            ),
            Self::NotFound(Object::Delivery, "dlv_1".to_owned()),
            Self::TooManyEndpoints(25, Some("bill.paid".to_owned())),
            Self::AlreadyPaid,
            Self::Expired,
            Self::Failed,
            Self::Withdrawn,
            Self::TryUnderWay,
            Self::TooManyTries,
            Self::WrongState("pending".to_owned()),
            Self::TooMuch("SGD 5.00".to_owned(), "SGD 4.00".to_owned()),
            Self::KeyReused,
            Self::Step(StepProblem::CaptureBeforeReserved),
            Self::NoMethod,
            Self::NotAllowed("Card data is not allowed".to_owned()),
            Self::UnknownMediaType,
            Self::Unavailable(Span::from_seconds(1)),
            Self::Unsure(Span::from_seconds(1)),
        ];
        all.extend(CardRefusal::ALL.map(Self::Card));
        all
    }
}
