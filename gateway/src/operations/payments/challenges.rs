//! The bank's page of 3-D Secure: a try that waits for the payer, and what the payer answers.

use domain::limits::CHALLENGE_MAX;
use domain::{AttemptId, AttemptState, BillState, BillView, Payment};
use store::Failure;

use super::{Paid, abandon, attempt_by_id, bill_of, come_to, conclude, payment_of};
use crate::app::App;
use crate::operations::bills::page_view;
use crate::operations::deposits::by_server;
use crate::operations::dialect_of;
use crate::rails::{Answer as RailAnswer, simulator};

/// The bank's page: a try that waits for the payer.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// The try.
    pub attempt: AttemptId,
    /// The bill.
    pub view: BillView,
    /// The payment.
    pub payment: Payment,
    /// Does it still wait?
    pub step: Step,
}

/// How a try stands at the bank's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It waits for the payer.
    Open,
    /// The payer took too long.
    Late,
    /// It was answered, or given up for another try.
    Over,
}

/// What the bank's page shows.
pub async fn challenge(app: &App, attempt: &AttemptId) -> Result<Challenge, Failure> {
    let now = app.clock.now();
    let attempt = attempt.clone();
    app.store
        .read("challenge", move |tx| {
            let attempt = attempt_by_id(tx, &attempt)?;
            let payment = payment_of(tx, &attempt)?;
            let bill = bill_of(tx, &payment)?;
            let view = page_view(tx, dialect_of(&bill)?, &bill.head.wire, now)?;
            let in_time = if by_server(tx, &view.bill)? {
                view.state == BillState::Open
            } else {
                now < attempt.asked.plus(CHALLENGE_MAX)
            };
            let step = match (attempt.state(), in_time) {
                (AttemptState::Challenged, true) => Step::Open,
                (AttemptState::Challenged, false) => Step::Late,
                (_, _) => Step::Over,
            };
            Ok(Challenge {
                attempt: attempt.id,
                view,
                payment,
                step,
            })
        })
        .await
}

/// What the payer chose at the bank's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Approve,
    /// No.
    Decline,
    /// The payer walked away.
    Abort,
}

/// The payer's answer at the bank's page. A try that no longer waits is not changed: its outcome
/// is told again.
pub async fn answer(app: &App, attempt: &AttemptId, answer: Answer) -> Result<Paid, Failure> {
    let challenge = challenge(app, attempt).await?;
    match (challenge.step, answer) {
        (Step::Open, Answer::Approve) => conclude(app, attempt, RailAnswer::Approved).await,
        (Step::Open, Answer::Decline) => {
            conclude(
                app,
                attempt,
                RailAnswer::Declined(simulator::refused_by_payer()),
            )
            .await
        }
        (Step::Open, Answer::Abort) => {
            walk_away(app, attempt).await?;
            come_to(app, attempt).await
        }
        (Step::Late | Step::Over, _) => match come_to(app, attempt).await? {
            // It waited too long.
            Paid::Challenge { .. } => {
                walk_away(app, attempt).await?;
                come_to(app, attempt).await
            }
            known @ (Paid::Done { .. } | Paid::Declined { .. }) => Ok(known),
        },
    }
}

async fn walk_away(app: &App, attempt: &AttemptId) -> Result<(), Failure> {
    let at = app.moment();
    let attempt = attempt.clone();
    app.store
        .write("walk_away", move |tx| {
            let attempt = attempt_by_id(tx, &attempt)?;
            if *attempt.state() != AttemptState::Challenged {
                return Ok(());
            }
            let payment = payment_of(tx, &attempt)?;
            let bill = bill_of(tx, &payment)?;
            abandon(tx, &at, &bill, attempt)
        })
        .await
}
