//! What the customer, and then the bank, would do with a payout of the demo merchant.

use dialects::numipay::replies::word;
use domain::transaction::Standing;
use domain::{Payout, PayoutState, Refusal, Timestamp};
use serde_json::{Value, json};
use store::Failure;

use crate::app::App;
use crate::operations::payouts::{self, Step};

/// What somebody wants to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The customer says where the money goes; once it is approved, the bank pays.
    Approve,
    /// The customer or the bank says no.
    Decline(String),
    /// The customer gives it up.
    Abort,
    /// Time passes.
    Expire,
}

/// Does it; gives the id and the word that the API shows.
pub async fn simulate(app: &App, payout: &Payout, wish: Wish) -> Result<Value, Failure> {
    let step = match wish {
        Wish::Approve => approve(payout, app.clock.now())?,
        Wish::Decline(reason) => Step::Decline(reason),
        Wish::Abort => Step::GiveUp,
        Wish::Expire => Step::Expire,
    };
    let payout = payouts::step(app, &payout.head.id, step).await?;
    let standing = Standing::from(&payout.state_at(app.clock.now()));
    Ok(json!({"payment": payout.head.wire.as_str(), "status": word(&standing)}))
}

/// The next thing that somebody other than the merchant would do.
fn approve(payout: &Payout, now: Timestamp) -> Result<Step, Refusal> {
    let choose = || {
        let first = payout.order.methods.first().cloned().unwrap_or_default();
        Ok(Step::Choose(first))
    };
    match payout.state_at(now) {
        PayoutState::AwaitingUser => choose(),
        PayoutState::AwaitingApproval if payout.progress.provider.is_none() => choose(),
        PayoutState::Processing => Ok(Step::Pay),
        state => Err(Refusal::WrongState(state.as_str().to_owned())),
    }
}
