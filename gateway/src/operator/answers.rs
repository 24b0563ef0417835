//! What the operator's calls have in common: whom they are about, and what they answer when
//! something is wrong, `{"message":…}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use domain::{Caller, DeliveryId, EndpointId, Merchant, Mode, Refusal, Timestamp};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::app::App;
use crate::http::pipeline::plain;
use crate::operations::endpoints::Who;
use crate::operations::{Failure, merchants};

/// Who the operator is in the audit log.
pub(super) const ACTOR: &str = "operator";

/// An answer to the operator.
pub(super) type Answer = Result<Json<Value>, Trouble>;

/// Why there is none.
#[derive(Debug)]
pub struct Trouble(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        plain(self.0, &self.1)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::from(refusal),
            Failure::Fault(fault) => {
                tracing::error!(fault = fault.0, "fault");
                let message = "The gateway cannot answer now; its log says why.".to_owned();
                Self(StatusCode::SERVICE_UNAVAILABLE, message)
            }
            Failure::Unknown(fault) => {
                tracing::error!(fault = fault.0, "the outcome of a transaction is not known");
                let message = "It is not known whether this was done: look before you try again.";
                Self(StatusCode::SERVICE_UNAVAILABLE, message.to_owned())
            }
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        let (status, message) = match refusal {
            Refusal::NotFound(_, id) => {
                let message = format!("There is no {id} of this merchant and mode.");
                (StatusCode::NOT_FOUND, message)
            }
            Refusal::WrongState(state) => {
                let message = format!("It is {state}: there is nothing to do.");
                (StatusCode::CONFLICT, message)
            }
            Refusal::Invalid(problems) => {
                let texts: Vec<_> = problems
                    .into_iter()
                    .map(|problem| format!("{}: {}", problem.field, problem.message))
                    .collect();
                (StatusCode::BAD_REQUEST, texts.join("; "))
            }
            Refusal::NotAllowed(text) => (StatusCode::FORBIDDEN, text),
            Refusal::TooManyEndpoints(most, of) => {
                let of = of.map_or_else(String::new, |topic| format!(" for {topic}"));
                let message = format!("No more than {most} endpoints can be registered{of}.");
                (StatusCode::CONFLICT, message)
            }
            other => (StatusCode::CONFLICT, format!("refused: {}", other.name())),
        };
        Self(status, message)
    }
}

impl Trouble {
    /// Something in the request is wrong.
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }
}

/// Which merchant and mode, in every query.
#[derive(Debug, Default, Deserialize)]
pub struct Of {
    merchant: Option<String>,
    mode: Option<String>,
}

impl Of {
    /// The merchant that was named, or the only one there is.
    pub(super) async fn caller(&self, app: &App) -> Result<Caller, Trouble> {
        let mode = match self.mode.as_deref() {
            None => Mode::Test,
            Some(text) => Mode::parse(text)
                .ok_or_else(|| Trouble::wrong(format!("mode is test or live, not {text}")))?,
        };
        let all = merchants::all(app).await?;
        let named = |merchant: &&Merchant| match &self.merchant {
            Some(name) => merchant.slug == *name || merchant.id.as_str() == name,
            None => all.len() == 1,
        };
        if let Some(merchant) = all.iter().find(named) {
            let merchant = merchant.clone();
            return Ok(Caller { merchant, mode });
        }
        let known: Vec<_> = all.iter().map(|merchant| merchant.slug.as_str()).collect();
        Err(Trouble::wrong(format!(
            "Name the merchant; there are: {}",
            known.join(", ")
        )))
    }
}

pub(super) fn who(caller: &Caller) -> Who<'_> {
    Who {
        caller,
        actor: ACTOR,
    }
}

pub(super) fn time(text: &str) -> Result<Timestamp, Trouble> {
    let read: Result<jiff::Timestamp, _> = text.parse();
    read.map(|at| Timestamp::from_millis(at.as_millisecond()))
        .map_err(|_| Trouble::wrong(format!("{text} is no time like 2026-11-21T09:00:00Z")))
}

pub(super) fn delivery_id(text: &str) -> Result<DeliveryId, Trouble> {
    DeliveryId::parse(text).map_err(|_| Trouble::wrong(format!("{text} is no delivery (dlv_…)")))
}

pub(super) fn endpoint_id(text: &str) -> Result<EndpointId, Trouble> {
    EndpointId::parse(text).map_err(|_| Trouble::wrong(format!("{text} is no endpoint (end_…)")))
}
