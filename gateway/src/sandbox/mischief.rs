//! Things that go wrong with webhooks on purpose, so that a receiver can be tried against them:
//! one that is lost on the way, one whose answer is lost, one that comes twice, one with a wrong
//! signature, one that comes late, one that comes behind the next one of its payment.
//!
//! Kept in memory, counted down by deliveries to the demo merchant, gone with the process. What
//! was done is told by the attempt, so that nobody mistakes it for a fault.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::{Secret, Span};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::tables::deliveries::Delivery;

use super::answers::refused;
use super::simulate::{BODY_MAX, admitted};
use crate::app::App;
use crate::http::pipeline;

/// The most attempts that one wish spoils.
const TIMES_MAX: u32 = 1_000;

/// Seconds that a delayed one is late at most: a day.
const LATE_MAX: u64 = 86_400;

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
    /// It is sent a minute later, or after another time.
    Delay,
    /// It is sent right behind the next one of its payment.
    Swap,
}

impl Trick {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Drop,
        Self::LoseAnswer,
        Self::Duplicate,
        Self::WrongSignature,
        Self::Delay,
        Self::Swap,
    ];

    /// The word in wishes and forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::LoseAnswer => "lose_answer",
            Self::Duplicate => "duplicate",
            Self::WrongSignature => "wrong_signature",
            Self::Delay => "delay",
            Self::Swap => "swap",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trick| trick.as_str() == text)
    }
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
    /// How late a delayed one is.
    #[serde(default = "minute")]
    seconds: u64,
}

impl Wish {
    /// The next attempts of any event.
    pub fn of(trick: Trick, times: u32) -> Self {
        Self {
            trick,
            times: times.clamp(1, TIMES_MAX),
            event: None,
            seconds: minute(),
        }
    }

    /// How it goes wrong.
    pub fn trick(&self) -> Trick {
        self.trick
    }

    /// How often still.
    pub fn times(&self) -> u32 {
        self.times
    }
}

/// What goes wrong with one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// How.
    pub trick: Trick,
    /// How late it is, if it is delayed.
    pub late: Span,
}

fn minute() -> u64 {
    60
}

fn one() -> u32 {
    1
}

/// What is still to go wrong, the oldest wish first.
#[derive(Debug, Default)]
pub struct Mischief {
    wishes: Mutex<Vec<Wish>>,
    /// Deliveries that go out behind the next one of their line.
    held: Mutex<Vec<Delivery>>,
}

impl Mischief {
    /// What goes wrong with an attempt of an event; it counts as done.
    pub fn take(&self, event: &str) -> Option<Wrong> {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |wish: &Wish| wish.event.as_deref().is_none_or(|only| only == event);
        let place = wishes.iter().position(fits)?;
        let wish = wishes.get_mut(place)?;
        let wrong = Wrong {
            trick: wish.trick,
            late: Span::from_seconds(wish.seconds),
        };
        wish.times = wish.times.saturating_sub(1);
        if wish.times == 0 {
            wishes.remove(place);
        }
        Some(wrong)
    }

    /// Keeps a delivery until the next one of its line was sent.
    pub fn hold(&self, delivery: Delivery) {
        self.kept().push(delivery);
    }

    /// What goes out behind a delivery.
    pub fn behind(&self, sent: &Delivery) -> Vec<Delivery> {
        let line = |one: &Delivery| {
            let (one, sent) = (&one.new, &sent.new);
            one.id != sent.id && one.queue == sent.queue && one.subject == sent.subject
        };
        let mut kept = self.kept();
        let (behind, others) = kept.drain(..).partition(line);
        *kept = others;
        behind
    }

    /// More is to go wrong.
    pub fn add(&self, wish: Wish) {
        self.lock().push(wish);
    }

    fn forget(&self) {
        self.lock().clear();
    }

    /// What is still to go wrong.
    pub fn left(&self) -> Vec<Wish> {
        self.lock().clone()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Delivery>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
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
            Self::Delay => Some("nothing was sent: the sandbox was asked to send it later"),
            Self::Swap => {
                Some("the sandbox was asked to send it right behind the next one of its payment")
            }
            Self::Duplicate | Self::WrongSignature => None,
        }
    }

    /// Is it not sent now?
    pub fn sends_nothing(self) -> bool {
        matches!(self, Self::Drop | Self::Delay | Self::Swap)
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
            let tricks = Trick::ALL.map(Trick::as_str).join(", ");
            let form =
                format!("Send JSON: {{\"trick\":\"drop\",\"times\":1}}; tricks are {tricks}");
            return pipeline::plain(StatusCode::BAD_REQUEST, &format!("{form} ({error})"));
        }
    };
    if wish.seconds == 0 || wish.seconds > LATE_MAX {
        let message = format!("seconds is 1 to {LATE_MAX}");
        return pipeline::plain(StatusCode::BAD_REQUEST, &message);
    }
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
            seconds: 60,
        };
        let take = |event| mischief.take(event).map(|wrong| wrong.trick);
        mischief.add(wish(Trick::Drop, 2, Some("a")));
        mischief.add(wish(Trick::Duplicate, 1, None));
        assert_eq!(take("a"), Some(Trick::Drop));
        assert_eq!(take("b"), Some(Trick::Duplicate));
        assert_eq!(take("b"), None);
        assert_eq!(take("a"), Some(Trick::Drop));
        assert_eq!(take("a"), None);
        assert_eq!(mischief.left(), []);
    }
}
