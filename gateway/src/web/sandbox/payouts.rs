//! The demo merchant's payouts: what the merchant would see, with its two buttons.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::{PayoutId, PayoutState, Refusal};
use store::tables::payouts::Filter;

use crate::app::App;
use crate::operations::Failure;
use crate::operations::approvals::{self, Seen};
use crate::sandbox::Demo;
use crate::web::checkout::view::Alert;
use crate::web::display::{self, When};
use crate::web::errors;
use crate::web::parts::{Head, Tone};
use crate::web::shell::Shell;
use crate::web::words::Words;

/// Payouts on the page.
const SHOWN: u32 = 50;

/// Who presses the buttons, in the audit log and for the two-person rule.
const ACTOR: &str = "sandbox";

/// The list.
#[derive(Clone, Debug, Template)]
#[template(path = "payouts.html")]
pub struct PayoutsPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// Why the last button did nothing.
    pub alert: Option<Alert>,
    /// The payouts, newest first.
    pub rows: Vec<Row>,
}

/// One payout.
#[derive(Clone, Debug)]
pub struct Row {
    /// Our id.
    pub id: String,
    /// How much.
    pub amount: String,
    /// How it stands, in words.
    pub state: String,
    /// The same as a colour and an icon.
    pub tone: Tone,
    /// Whom it waits for, or why it ended.
    pub text: String,
    /// Its id on the wire.
    pub transaction: String,
    /// The merchant's own id.
    pub tracking: String,
    /// The customer, as the merchant names them.
    pub user: String,
    /// The provider that carries it, once one was chosen.
    pub provider: Option<String>,
    /// Until when it waits.
    pub until: Option<When>,
    /// Does it take another person than the one who requested it?
    pub two_persons: bool,
    /// What the button that lets it go says to those who cannot see where it stands.
    pub approve: Option<String>,
    /// The same of the button that turns it down.
    pub reject: Option<String>,
    /// The customer's page, while the customer can do something there.
    pub page: Option<String>,
}

impl PayoutsPage {
    /// The page for a list of payouts.
    pub fn new(w: &'static Words, seen: &[Seen]) -> Self {
        Self {
            w,
            head: Head::developer(w.payouts_heading),
            alert: None,
            rows: seen.iter().map(|one| Row::new(w, one)).collect(),
        }
    }

    /// The same after an approval for which no provider was there.
    #[must_use]
    pub fn with_problem(mut self) -> Self {
        self.alert = Some(Alert {
            title: self.w.problem_title.to_string(),
            text: self.w.payout_no_provider.to_string(),
            fields: Vec::new(),
        });
        self
    }
}

impl Row {
    fn new(w: &'static Words, seen: &Seen) -> Self {
        let (head, order) = (&seen.payout.head, &seen.payout.order);
        let amount = display::amount(order.amount);
        let transaction = seen.transaction.as_ref();
        let waits = !seen.state.is_final();
        let (approvable, rejectable) = match seen.state {
            PayoutState::AwaitingApproval => (true, true),
            PayoutState::AwaitingUser => (false, true),
            _ => (false, false),
        };
        let of_it = |text: crate::web::words::Text| text.with("amount", &amount).to_string();
        let (state, tone, text) = standing(w, &seen.state);
        Self {
            id: head.id.to_string(),
            state,
            tone,
            text,
            transaction: head.wire.to_string(),
            tracking: transaction.map_or_else(String::new, |found| found.tracking.clone()),
            user: transaction.map_or_else(String::new, |found| found.user.clone()),
            provider: seen.payout.progress.provider.clone(),
            until: seen
                .payout
                .progress
                .due
                .filter(|_| waits)
                .map(|due| When::new(w, due)),
            two_persons: seen.two_persons && approvable,
            approve: approvable.then(|| of_it(w.payout_approve_of)),
            reject: rejectable.then(|| of_it(w.payout_reject_of)),
            page: transaction
                .filter(|_| waits)
                .map(|found| format!("/cashier/{}", found.page)),
            amount,
        }
    }
}

fn standing(w: &Words, state: &PayoutState) -> (String, Tone, String) {
    let (word, tone, text) = match state {
        PayoutState::AwaitingUser => (w.payout_user, Tone::Wait, w.payout_user_text),
        PayoutState::AwaitingApproval => (w.payout_approval, Tone::Wait, w.payout_approval_text),
        PayoutState::Processing => (w.payout_processing, Tone::Wait, w.payout_processing_text),
        PayoutState::Paid { .. } => (w.payout_paid, Tone::Good, w.payout_paid_note),
        PayoutState::Cancelled { .. } => (w.payout_rejected, Tone::Bad, w.payout_cancelled_note),
        PayoutState::Expired { .. } => (w.payout_expired, Tone::Plain, w.payout_expired_note),
        PayoutState::Rejected { cause, .. } => {
            let text = w.payout_rejected_note.with("reason", &cause.text);
            return (w.payout_rejected.to_string(), Tone::Bad, text.to_string());
        }
    };
    (word.to_string(), tone, text.to_string())
}

/// `GET /sandbox/payouts`.
pub async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let Some(demo) = &app.demo else {
        return errors::missing(&shell);
    };
    match list(&app, demo, shell.w).await {
        Ok(page) => shell.page(StatusCode::OK, &page),
        Err(failure) => errors::failed(&shell, &failure),
    }
}

async fn list(app: &App, demo: &Demo, w: &'static Words) -> Result<PayoutsPage, Failure> {
    let filter = Filter {
        caller: demo.caller.clone(),
        state: None,
        before: None,
        limit: SHOWN,
    };
    let seen = approvals::list(app, filter).await?;
    Ok(PayoutsPage::new(w, &seen))
}

/// `POST /sandbox/payouts/{id}/{deed}`: lets it go or turns it down, then back to the list.
pub async fn act(
    State(app): State<Arc<App>>,
    Path((id, deed)): Path<(String, String)>,
    headers: HeaderMap,
    // Nothing in the form matters, but what is not read would close the connection.
    _: Bytes,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let approved = match deed.as_str() {
        "approve" => true,
        "reject" => false,
        _ => return errors::missing(&shell),
    };
    let (Some(demo), Ok(id)) = (&app.demo, PayoutId::parse(&id)) else {
        return errors::missing(&shell);
    };
    let who = (id.as_str(), ACTOR);
    match approvals::decide(&app, &demo.caller, who, approved).await {
        // Somebody else was faster: the list says how it stands.
        Ok(_) | Err(Failure::Refused(Refusal::WrongState(_))) => shell
            .see_other(&format!("/sandbox/payouts#{id}"))
            .unwrap_or_else(|| errors::missing(&shell)),
        Err(Failure::Refused(Refusal::NoMethod)) => match list(&app, demo, shell.w).await {
            Ok(page) => shell.page(StatusCode::CONFLICT, &page.with_problem()),
            Err(failure) => errors::failed(&shell, &failure),
        },
        Err(failure) => errors::failed(&shell, &failure),
    }
}
