//! The cashier: the page that a deposit or a withdrawal hands out, the providers' own pages in
//! test mode, and the bank's page of a card.
//!
//! No login: whoever has the unguessable address may act for the customer. *Cancel* ends the
//! transaction; leaving it is a plain link and changes nothing.

pub mod deposit;
mod gifts;
pub mod secure;
pub mod view;
pub mod withdrawal;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::provider::Provider;
use domain::{Mode, Refusal};

use super::errors;
use super::form::Form;
use super::shell::{Shell, web_address};
use super::words;
use crate::app::App;
use crate::http::visitor::Peer;
use crate::operations::Failure;
use crate::operations::cashier::{self, Seen, Side};

use gifts::GiftWish;

/// Characters of a reason for a rejection.
const REASON_MAX: usize = 255;

/// A visit to a transaction's page.
pub struct Visit<'a> {
    app: &'a App,
    shell: Shell<'a>,
    token: String,
    seen: Seen,
    address: Option<IpAddr>,
}

/// What a form asks for.
enum Wish {
    /// One of the buttons of a provider's own page.
    Outcome(Outcome, String),
    /// A provider from the list.
    Choose(String),
    /// Pay with the card in the form.
    Pay(String),
    /// Something about gift cards.
    Gifts(GiftWish),
    /// End the transaction.
    Cancel,
    /// Nothing that the page offers.
    Unknown,
}

/// The buttons of a provider's own page.
enum Outcome {
    Approve,
    Decline(String),
    Leave,
    Expire,
}

impl Wish {
    fn of(form: &Form, provider: Option<&str>) -> Self {
        let provider = form
            .find("provider")
            .or(provider)
            .unwrap_or_default()
            .to_owned();
        let outcome = match form.get("outcome") {
            "approve" => Some(Outcome::Approve),
            "decline" => Some(Outcome::Decline(reason(form))),
            "leave" | "abort" => Some(Outcome::Leave),
            "expire" => Some(Outcome::Expire),
            _ => None,
        };
        if let Some(outcome) = outcome {
            return Self::Outcome(outcome, provider);
        }
        match form.get("action") {
            "cancel" => Self::Cancel,
            "choose" => Self::Choose(provider),
            // Without a pressed button (a script's submit) the card form still means pay.
            "pay" | "" if form.find("number").is_some() => Self::Pay(provider),
            action => GiftWish::of(action, form).map_or(Self::Unknown, Self::Gifts),
        }
    }
}

/// The reason that was typed, or the usual one.
fn reason(form: &Form) -> String {
    let typed: String = form.get("reason").trim().chars().take(REASON_MAX).collect();
    if typed.is_empty() {
        words::EN.provider_reason_usual.to_string()
    } else {
        typed
    }
}

/// `GET /cashier/{token}`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let visit = match Visit::begin(&app, &headers, token).await {
        Ok(visit) => visit,
        Err(answer) => return answer,
    };
    let query = Form::read(query.unwrap_or_default().into_bytes());
    let chosen = query.as_ref().and_then(|query| query.find("provider"));
    let receipt = query
        .as_ref()
        .is_some_and(|query| query.find("receipt").is_some());
    match visit.seen.about.clone() {
        Side::Deposit(view) => visit.show_deposit(*view, chosen, receipt),
        Side::Withdrawal(seen) => visit.show_withdrawal(&seen, chosen),
    }
}

/// `POST /cashier/{token}`.
pub async fn submit(
    State(app): State<Arc<App>>,
    (Path(token), RawQuery(query)): (Path<String>, RawQuery),
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&Shell::new(&app.site, &headers));
    };
    let mut visit = match Visit::begin(&app, &headers, token).await {
        Ok(visit) => visit,
        Err(answer) => return answer,
    };
    visit.address = peer.map(|Extension(peer)| peer.address);
    let query = Form::read(query.unwrap_or_default().into_bytes());
    let chosen = query.as_ref().and_then(|query| query.find("provider"));
    let wish = Wish::of(&form, chosen);
    // The simulator's buttons do not exist for live.
    if matches!(wish, Wish::Outcome(..)) && visit.seen.transaction.mode != Mode::Test {
        return errors::missing(&visit.shell);
    }
    match visit.seen.about.clone() {
        Side::Deposit(view) => visit.deposit(*view, wish, &form).await,
        Side::Withdrawal(seen) => visit.withdraw(*seen, wish).await,
    }
}

impl<'a> Visit<'a> {
    /// Finds the transaction of an address.
    async fn begin(app: &'a App, headers: &HeaderMap, token: String) -> Result<Self, Response> {
        let mut shell = Shell::new(&app.site, headers);
        let seen = match cashier::seen(app, &token).await {
            Ok(seen) => seen,
            Err(failure) => return Err(errors::failed(&shell, &failure)),
        };
        let extras = match &seen.about {
            Side::Deposit(view) => &view.bill.ask.extras,
            Side::Withdrawal(seen) => &seen.payout.order.extras,
        };
        // The merchant may know the customer's language better than the browser does.
        if let Some(language) = extras.get("language").and_then(serde_json::Value::as_str) {
            shell.w = words::negotiate(Some(language));
        }
        Ok(Self {
            app,
            shell,
            token,
            seen,
            address: None,
        })
    }

    /// The address of the page.
    fn path(&self) -> String {
        format!("/cashier/{}", self.token)
    }

    /// The address of the page of one provider.
    fn path_of(&self, provider: &str) -> String {
        let provider: String = form_urlencoded::byte_serialize(provider.as_bytes()).collect();
        format!("{}?provider={provider}", self.path())
    }

    /// The provider of this id, if it is offered now.
    fn offered(&self, id: &str) -> Option<&Provider> {
        self.seen.offered.iter().find(|provider| provider.id == id)
    }

    /// 303 to an address.
    fn to(&self, target: &str) -> Response {
        self.shell
            .see_other(target)
            .unwrap_or_else(|| errors::missing(&self.shell))
    }

    /// 303 to the merchant, or to a page of ours if it gave no address.
    fn back_or(&self, back: Option<String>, own: &str) -> Response {
        match back.filter(|address| web_address(address).is_some()) {
            Some(address) => self.to(&address),
            None => self.to(own),
        }
    }

    /// A page whose form may end at the merchant.
    fn answer(
        &self,
        status: StatusCode,
        page: &impl askama::Template,
        back: Option<&str>,
    ) -> Response {
        self.shell.page_to(status, page, back)
    }

    /// The transaction as it is after something was done.
    async fn again(&self) -> Result<Seen, Response> {
        cashier::seen(self.app, &self.token)
            .await
            .map_err(|failure| errors::failed(&self.shell, &failure))
    }

    /// A failure that says nothing about the state of the transaction.
    fn unrelated(&self, failure: &Failure) -> Option<Response> {
        match failure {
            Failure::Fault(_)
            | Failure::Unknown(_)
            | Failure::Refused(
                Refusal::Unavailable(_)
                | Refusal::Unsure(_)
                | Refusal::TooManyCalls(_)
                | Refusal::NotFound(..),
            ) => Some(errors::failed(&self.shell, failure)),
            Failure::Refused(_) => None,
        }
    }
}
