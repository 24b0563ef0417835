//! What the customer, and then the bank, would do with a payout of the demo merchant.

use dialects::numipay::replies::{page_token, word};
use domain::transaction::Standing;
use domain::{Payout, PayoutState, Refusal};
use serde_json::{Value, json};
use store::Failure;

use crate::app::App;
use crate::operations::cashier;
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
    let state = payout.state_at(app.clock.now());
    let step = match wish {
        Wish::Approve => approve(app, payout, &state).await?,
        Wish::Decline(reason) if state == PayoutState::Processing => Step::Decline(reason),
        Wish::Decline(reason) => Step::Refuse(reason),
        Wish::Abort => Step::GiveUp,
        Wish::Expire => Step::Expire,
    };
    let payout = payouts::step(app, &payout.head.id, step).await?;
    let standing = Standing::from(&payout.state_at(app.clock.now()));
    Ok(json!({"payment": payout.head.wire.as_str(), "status": word(&standing)}))
}

/// The next thing that somebody other than the merchant would do.
async fn approve(app: &App, payout: &Payout, state: &PayoutState) -> Result<Step, Failure> {
    match state {
        PayoutState::AwaitingUser => choose(app, payout).await,
        PayoutState::AwaitingApproval if payout.progress.provider.is_none() => {
            choose(app, payout).await
        }
        PayoutState::Processing => Ok(Step::Pay),
        // A bank that answers late is heard, and changes nothing.
        state if state.is_final() => Ok(Step::Pay),
        state => Err(Refusal::WrongState(state.as_str().to_owned()).into()),
    }
}

/// The customer takes the first provider that the page offers.
async fn choose(app: &App, payout: &Payout) -> Result<Step, Failure> {
    let page = cashier::seen(app, page_token(&payout.order.extras)).await?;
    let best = page.offered.into_iter().next();
    let best = best.ok_or(Refusal::NoMethod)?;
    Ok(Step::Choose(best.id))
}
