//! Things that go wrong with webhooks on purpose, so that a receiver can be tried against them:
//! one that is lost on the way, one whose answer is lost, one that comes twice, one with a wrong
//! signature.
//!
//! Kept in memory, counted down by deliveries to the demo merchant, gone with the process. What
//! was done is told by the attempt, so that nobody mistakes it for a fault.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::Secret;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answers::refused;
use super::simulate::{BODY_MAX, admitted};
use crate::app::App;
use crate::http::pipeline;

/// The most attempts that one wish spoils.
const TIMES_MAX: u32 = 1_000;

/// What goes wrong with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trick {
    /// Nothing is sent; the schedule tries again later.
    Drop,
    /// It is sent and its answer is lost, so that it comes again later.
    LoseAnswer,
    /// It is sent twice, one right after the other.
    Duplicate,
    /// It is signed with a secret that nobody has.
    WrongSignature,
}

/// A wish: the next attempts of an event, or of any, go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    trick: Trick,
    /// How many attempts; one if it is left out.
    #[serde(default = "one")]
    times: u32,
    /// Only attempts of this event.
    event: Option<String>,
}

fn one() -> u32 {
    1
}

/// What is still to go wrong, the oldest wish first.
#[derive(Debug, Default)]
pub struct Mischief {
    wishes: Mutex<Vec<Wish>>,
}

impl Mischief {
    /// What goes wrong with an attempt of an event; it counts as done.
    pub fn take(&self, event: &str) -> Option<Trick> {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |wish: &Wish| wish.event.as_deref().is_none_or(|only| only == event);
        let place = wishes.iter().position(fits)?;
        let wish = wishes.get_mut(place)?;
        let trick = wish.trick;
        wish.times = wish.times.saturating_sub(1);
        if wish.times == 0 {
            wishes.remove(place);
        }
        Some(trick)
    }

    fn add(&self, wish: Wish) {
        self.lock().push(wish);
    }

    fn forget(&self) {
        self.lock().clear();
    }

    fn left(&self) -> Vec<Wish> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Wish>> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trick {
    /// Why there is no answer, if the trick takes it away.
    pub fn loses(self) -> Option<&'static str> {
        match self {
            Self::Drop => Some("nothing was sent: the sandbox was asked to drop it"),
            Self::LoseAnswer => Some("it was sent: the sandbox was asked to lose the answer"),
            Self::Duplicate | Self::WrongSignature => None,
        }
    }

    /// The secret that signs in place of the right ones.
    pub fn secret(self) -> Option<Secret> {
        let wrong = || Secret::new("whsec_d3JvbmcgYnkgd2lzaCBvZiB0aGUgc2FuZGJveA==".to_owned());
        (self == Self::WrongSignature).then(wrong)
    }
}

/// `GET /sandbox/mischief`: what is still to go wrong.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    match admitted(&app, &head).await {
        Ok(_) => listed(&app, StatusCode::OK),
        Err(response) => *response,
    }
}

/// `POST /sandbox/mischief` `{"trick":"drop","times":2,"event":"…"}`: more is to go wrong.
pub async fn add(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Err(response) = admitted(&app, &head).await {
        return *response;
    }
    let body = match pipeline::read(body, BODY_MAX).await {
        Ok(body) => body,
        Err(refusal) => return refused(&refusal),
    };
    let wish: Wish = match serde_json::from_slice(&body) {
        Ok(wish) => wish,
        Err(error) => {
            let form = "Send JSON: {\"trick\":\"drop\",\"times\":1}; tricks are drop, \
                        lose_answer, duplicate, wrong_signature";
            return pipeline::plain(StatusCode::BAD_REQUEST, &format!("{form} ({error})"));
        }
    };
    if !(1..=TIMES_MAX).contains(&wish.times) {
        let message = format!("times is 1 to {TIMES_MAX}");
        return pipeline::plain(StatusCode::BAD_REQUEST, &message);
    }
    app.mischief.add(wish);
    listed(&app, StatusCode::CREATED)
}

/// `DELETE /sandbox/mischief`: nothing goes wrong any more.
pub async fn forget(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    if let Err(response) = admitted(&app, &head).await {
        return *response;
    }
    app.mischief.forget();
    listed(&app, StatusCode::OK)
}

fn listed(app: &App, status: StatusCode) -> Response {
    (status, Json(json!({"mischief": app.mischief.left()}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_counted_down_the_oldest_first_and_each_for_its_event() {
        let mischief = Mischief::default();
        let wish = |trick, times, event: Option<&str>| Wish {
            trick,
            times,
            event: event.map(str::to_owned),
        };
        mischief.add(wish(Trick::Drop, 2, Some("a")));
        mischief.add(wish(Trick::Duplicate, 1, None));
        assert_eq!(mischief.take("a"), Some(Trick::Drop));
        assert_eq!(mischief.take("b"), Some(Trick::Duplicate));
        assert_eq!(mischief.take("b"), None);
        assert_eq!(mischief.take("a"), Some(Trick::Drop));
        assert_eq!(mischief.take("a"), None);
        assert_eq!(mischief.left(), []);
    }
}
