//! What the cashier's pages show: a transaction by the token of its page.

use dialects::Dialect;
use domain::provider::{Provider, Question};
use domain::{BillView, Direction, Merchant, Money, Payout, PayoutState, Refusal, Timestamp};
use store::tables::merchants;
use store::tables::transactions::{self, About, Transaction};
use store::{Failure, Fault, Tx};

use super::covering::{self, Cover};
use super::providers::{self, settings_in};
use super::{bills, dialect_called, payouts, refused};
use crate::app::App;

/// A transaction as its page needs it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The row.
    pub transaction: Transaction,
    /// The deposit or the withdrawal.
    pub about: Side,
    /// The providers to offer, best first.
    pub offered: Vec<Provider>,
    /// How far gift cards cover a deposit, where they may.
    pub cover: Option<Cover>,
}

/// Which of the two it is.
#[derive(Clone, Debug)]
pub enum Side {
    /// A deposit.
    Deposit(Box<BillView>),
    /// A withdrawal.
    Withdrawal(Box<Withdrawal>),
}

/// A withdrawal with what its page shows beside it.
#[derive(Clone, Debug)]
pub struct Withdrawal {
    /// The payout.
    pub payout: Payout,
    /// Its state at the time of the page.
    pub state: PayoutState,
    /// Who pays.
    pub merchant: Merchant,
}

/// The transaction whose page has this token.
pub async fn seen(app: &App, token: &str) -> Result<Seen, Failure> {
    let (token, now) = (token.to_owned(), app.clock.now());
    let most = app.site.gift_cards_max();
    app.store
        .read("cashier_page", move |tx| seen_in(tx, &token, now, most))
        .await
}

/// `most` gift cards may be on a deposit.
fn seen_in(tx: &mut Tx<'_>, token: &str, now: Timestamp, most: usize) -> Result<Seen, Failure> {
    let Some(transaction) = transactions::by_page(tx, token)? else {
        return refused(Refusal::UnknownRoute);
    };
    let dialect: &'static dyn Dialect = dialect_called(&transaction.dialect)?;
    let (about, methods, extras) = match &transaction.about {
        About::Bill(_) => {
            let view = bills::page_view(tx, dialect, &transaction.wire, now)?;
            let ask = view.bill.ask.clone();
            (Side::Deposit(Box::new(view)), ask.methods, ask.extras)
        }
        About::Payout(id) => {
            let payout = payouts::by_id(tx, id)?;
            let merchant = merchants::by_id(tx, &payout.head.merchant)?
                .ok_or_else(|| Fault("a payout without a merchant".to_owned()))?;
            let order = payout.order.clone();
            let state = payout.state_at(now);
            let withdrawal = Withdrawal {
                payout,
                state,
                merchant,
            };
            let side = Side::Withdrawal(Box::new(withdrawal));
            (side, order.methods, order.extras)
        }
    };
    let cover = match &about {
        Side::Deposit(view) if transaction.flow == "hosted" => {
            Some(covering::cover_in(tx, &view.bill, most)?).filter(|cover| cover.offered)
        }
        Side::Deposit(_) | Side::Withdrawal(_) => None,
    };
    let country = extras.get("country").and_then(serde_json::Value::as_str);
    let asked = (transaction.direction, transaction.amount);
    let offered = offered(tx, &transaction, asked, (country, &methods))?;
    Ok(Seen {
        transaction,
        about,
        offered,
        cover,
    })
}

/// Of the providers that were allowed when it was created, those that can be used now.
fn offered(
    tx: &mut Tx<'_>,
    transaction: &Transaction,
    (direction, amount): (Direction, Money),
    (country, methods): (Option<&str>, &[String]),
) -> Result<Vec<Provider>, Fault> {
    let settings = settings_in(tx, &transaction.merchant, transaction.mode)?;
    let question = Question {
        direction,
        country,
        amount,
    };
    let offered = providers::offered(&settings, &question, methods);
    Ok(offered.into_iter().cloned().collect())
}
