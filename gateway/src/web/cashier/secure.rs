//! The bank's page of a card (3-D Secure), played by us in test mode.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::{BillState, BillView, Mode};

use super::Visit;
use super::deposit::Done;
use crate::app::App;
use crate::operations::cashier::Side;
use crate::operations::payments::{self, Answer, Challenge, Paid, Step};
use crate::operations::{Failure, deposits, late};
use crate::web::checkout::view::Ending;
use crate::web::errors;
use crate::web::form::Form;
use crate::web::shell::Shell;
use crate::web::simulator::SimulatorPage;

/// `GET /3ds/{token}`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    match open(&app, &headers, token).await {
        Ok((visit, view, Some(challenge))) => visit.bank(StatusCode::OK, &view, &challenge),
        Ok((visit, view, None)) => visit.no_bank(StatusCode::OK, &view),
        Err(answer) => answer,
    }
}

/// `POST /3ds/{token}`.
pub async fn submit(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&Shell::new(&app.site, &headers));
    };
    let (visit, view, challenge) = match open(&app, &headers, token).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let Some(challenge) = challenge else {
        if let Err(failure) = keep_late(&app, &view, form.get("outcome")).await {
            return errors::failed(&visit.shell, &failure);
        }
        return visit.no_bank(StatusCode::CONFLICT, &view);
    };
    if challenge.step != Step::Open {
        return visit.bank(StatusCode::CONFLICT, &view, &challenge);
    }
    let by_server = visit.seen.transaction.flow == "server";
    let answer = match form.get("outcome") {
        "approve" => Answer::Approve,
        "decline" => Answer::Decline,
        // Nobody could try another card, so the step keeps waiting.
        "leave" | "abort" if by_server => {
            return visit.back_or(visit.deposit_back(&view), &visit.path());
        }
        "leave" | "abort" => Answer::Abort,
        _ => return visit.bank(StatusCode::UNPROCESSABLE_ENTITY, &view, &challenge),
    };
    let left = answer == Answer::Abort;
    match payments::answer(&app, &challenge.attempt, answer).await {
        Ok(_) if left => visit.to(&visit.path()),
        Ok(Paid::Declined { view, cause }) if view.state == BillState::Open => {
            visit.declined(&view, &cause)
        }
        other => visit.deposit_done(other.map(Done::from)).await,
    }
}

/// A bank that answers when the deposit is over is heard, and changes nothing.
async fn keep_late(app: &App, view: &BillView, outcome: &str) -> Result<(), Failure> {
    let head = &view.bill.head;
    let said = match outcome {
        "approve" => "approved",
        "decline" => "declined",
        _ => return Ok(()),
    };
    match dialects::by_name(&head.dialect) {
        Some(dialect) => late::about_deposit(app, dialect, &head.wire, ("bank", said)).await,
        None => Ok(()),
    }
}

type Opened<'a> = (Visit<'a>, BillView, Option<Challenge>);

/// The deposit of a token, and the try that waits at its bank.
async fn open<'a>(
    app: &'a App,
    headers: &HeaderMap,
    token: String,
) -> Result<Opened<'a>, Response> {
    let visit = Visit::begin(app, headers, token).await?;
    let view = match visit.seen.about.clone() {
        Side::Deposit(view) if view.bill.head.mode == Mode::Test => *view,
        Side::Deposit(_) | Side::Withdrawal(_) => return Err(errors::missing(&visit.shell)),
    };
    // Of a deposit that is over its own page says how it ended.
    if Ending::of(&view.state).is_some() {
        return Ok((visit, view, None));
    }
    let failed = |failure| errors::failed(&visit.shell, &failure);
    let attempt = deposits::challenge_of(app, &view.bill)
        .await
        .map_err(failed)?;
    let challenge = match attempt {
        Some(attempt) => Some(payments::challenge(app, &attempt).await.map_err(failed)?),
        None => None,
    };
    Ok((visit, view, challenge))
}

impl Visit<'_> {
    fn bank(&self, status: StatusCode, view: &BillView, challenge: &Challenge) -> Response {
        let mut page = SimulatorPage::new(self.shell.w, challenge, &self.path());
        page.action = page.action.map(|_| format!("/3ds/{}", self.token));
        self.answer(status, &page, self.deposit_back(view).as_deref())
    }

    /// No try waits at the bank: the deposit's own page says how it stands.
    fn no_bank(&self, status: StatusCode, view: &BillView) -> Response {
        match Ending::of(&view.state) {
            Some(ending) => self.deposit_ended(status, view, ending),
            None if self.seen.transaction.flow == "server" => {
                self.deposit_ended(status, view, Ending::UnderWay)
            }
            None => self.to(&self.path()),
        }
    }
}
