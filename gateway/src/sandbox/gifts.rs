//! What a payer with gift cards would do, without a page.

use domain::payment::{Cause, GIFT_CARD};
use domain::programme::CardUse;
use domain::{Bill, BillView, CardEntry, CardRefusal, Currency, Money, Refusal};
use serde::Deserialize;
use serde_json::Value;
use store::Fault;

use super::simulate::{Found, Outcome, Simulate, act};
use super::{Demo, cards};
use crate::app::App;
use crate::operations::guesses::Visitor;
use crate::operations::{Failure, bills, covering, payments, redeeming};

/// A gift card to pay with.
#[derive(Deserialize)]
pub(super) struct GiftCard {
    card_number: String,
    cvc: String,
    amount: Option<Value>,
}

/// Is it about gift cards?
pub(super) fn concerns(bill: &Bill, wanted: &Simulate) -> bool {
    let alone = matches!(bill.ask.methods.as_slice(), [only] if only == GIFT_CARD);
    let chosen = wanted.method.as_deref().map_or(alone, |m| m == GIFT_CARD);
    pays_first(bill) || chosen || wanted.cards.is_some()
}

/// Do gift cards pay it first of all?
fn pays_first(bill: &Bill) -> bool {
    bill.ask.card_access().is_some()
}

/// Does it with the cards that are named, or a fresh one over all that is left to pay.
pub(super) async fn pay(
    app: &App,
    demo: &Demo,
    found: &Found,
    wanted: &Simulate,
) -> Result<BillView, Failure> {
    let (dialect, bill) = (found.dialect, &found.bill);
    let id = &bill.head.wire;
    let own = pays_first(bill);
    match wanted.outcome {
        Outcome::Approve => {}
        Outcome::Abort if own => return redeeming::abort(app, dialect, id).await,
        // A card that is refused leaves a payment of gift cards as it is.
        Outcome::Decline if own && !wanted.for_good => {
            bill.admit(app.clock.now())?;
            return bills::for_page(app, dialect, id).await;
        }
        Outcome::Decline if own => {
            let text = wanted.reason.as_deref().unwrap_or("Do not honor");
            let cause = Cause::new("card_declined", text);
            payments::fail_for_good(app, dialect, id, cause).await?;
            return bills::for_page(app, dialect, id).await;
        }
        Outcome::Abort | Outcome::Decline | Outcome::Expire => {
            return act(app, found, wanted).await;
        }
    }
    let uses = match &wanted.cards {
        Some(cards) => named(cards, bill.ask.amount.currency())?,
        None => vec![fresh(app, demo, found).await?],
    };
    for one in &uses {
        covering::add(app, dialect, id, one, &Visitor::default()).await?;
    }
    let rest = covering::cover(app, dialect, id).await?.remaining;
    if own || rest.is_zero() {
        return redeeming::pay(app, dialect, id).await;
    }
    act(app, found, wanted).await
}

fn named(cards: &[GiftCard], currency: Currency) -> Result<Vec<CardUse>, Refusal> {
    let read = |card: &GiftCard| {
        let entry = CardEntry::read(&card.card_number, &card.cvc);
        let entry = entry.map_err(|_| Refusal::Card(CardRefusal::Unknown))?;
        let amount = match &card.amount {
            None | Some(Value::Null) => None,
            Some(amount) => {
                let text = amount.to_string();
                let text = text.trim_matches('"');
                let wrong = |error| Refusal::Unreadable(format!("amount {text}: {error}"));
                Some(Money::parse(text, currency).map_err(wrong)?)
            }
        };
        Ok(CardUse { entry, amount })
    };
    cards.iter().map(read).collect()
}

/// A new card over all that is left to pay.
async fn fresh(app: &App, demo: &Demo, found: &Found) -> Result<CardUse, Failure> {
    let id = &found.bill.head.wire;
    found.bill.admit(app.clock.now())?;
    let rest = covering::cover(app, found.dialect, id).await?.remaining;
    let mut made = cards::make(app, &demo.caller, rest, cards::Made::Active, 1).await?;
    let issued = made
        .pop()
        .ok_or_else(|| Fault("no gift card was made".to_owned()))?;
    Ok(CardUse {
        entry: issued.entry,
        amount: None,
    })
}
