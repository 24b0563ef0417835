//! Pages for what went wrong before there was a bill to show, and the way from a failure to one.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::{Refusal, Span};
use std::sync::Arc;

use super::parts::{Head, Tone};
use super::shell::{Shell, protect, retry_after};
use super::words::{Text, Words};
use crate::app::App;
use crate::operations::Failure;

/// A page with one message.
#[derive(Clone, Debug, Template)]
#[template(path = "message.html")]
pub struct MessagePage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// Which icon.
    pub tone: Tone,
    /// In a few words.
    pub heading: Text,
    /// What to do.
    pub text: Text,
}

/// What a message page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such page.
    Missing,
    /// We cannot answer now.
    Unavailable,
    /// Too many requests.
    Busy,
    /// The request cannot be read.
    Unreadable,
}

impl MessagePage {
    /// The page for a trouble.
    pub fn new(w: &'static Words, trouble: Trouble) -> Self {
        let (tone, heading, text) = match trouble {
            Trouble::Missing => (Tone::Plain, w.missing_heading, w.missing_text),
            Trouble::Unavailable => (Tone::Bad, w.unavailable_heading, w.unavailable_text),
            Trouble::Busy => (Tone::Wait, w.busy_heading, w.busy_text),
            Trouble::Unreadable => (Tone::Bad, w.unreadable_heading, w.unreadable_text),
        };
        Self {
            w,
            head: Head::payer(heading, false),
            tone,
            heading,
            text,
        }
    }
}

/// The answer to an unknown address that a browser asked for.
pub async fn not_found(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    protect(missing(&Shell::new(&app.site, &headers))).await
}

/// The 404 page.
pub fn missing(shell: &Shell) -> Response {
    shell.page(
        StatusCode::NOT_FOUND,
        &MessagePage::new(shell.w, Trouble::Missing),
    )
}

/// The 400 page.
pub fn unreadable(shell: &Shell) -> Response {
    shell.page(
        StatusCode::BAD_REQUEST,
        &MessagePage::new(shell.w, Trouble::Unreadable),
    )
}

/// The 503 page; it claims nothing about what became of the request.
pub fn unavailable(shell: &Shell, wait: Span) -> Response {
    let page = MessagePage::new(shell.w, Trouble::Unavailable);
    retry_after(shell.page(StatusCode::SERVICE_UNAVAILABLE, &page), wait)
}

/// The page for a failure that says nothing about a bill. What a bill's own page says about a
/// refusal is decided there, before this is asked.
pub fn failed(shell: &Shell, failure: &Failure) -> Response {
    match failure {
        Failure::Refused(Refusal::TooManyCalls(wait)) => {
            let page = MessagePage::new(shell.w, Trouble::Busy);
            retry_after(shell.page(StatusCode::TOO_MANY_REQUESTS, &page), *wait)
        }
        Failure::Refused(Refusal::Unavailable(wait) | Refusal::Unsure(wait)) => {
            unavailable(shell, *wait)
        }
        Failure::Refused(
            Refusal::UnknownRoute
            | Refusal::UnknownMethod
            | Refusal::NotFound(..)
            | Refusal::Withdrawn
            | Refusal::Unauthenticated,
        ) => missing(shell),
        Failure::Refused(_) => unreadable(shell),
        Failure::Fault(_) | Failure::Unknown(_) => unavailable(shell, Span::from_seconds(1)),
    }
}
