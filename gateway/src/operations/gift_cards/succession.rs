//! One card in the place of another: a lost one is replaced, what is left goes to another card, and
//! what comes back later follows.
//!
//! Promises: nothing stays on a card that was replaced; all of it is saved in one transaction.

use domain::gift_card::{CardState, Note, Return};
use domain::{Bill, Caller, CardId, GiftCard, Moment, Money, Payment};
use store::tables::gift_cards as table;
use store::{Failure, Fault, Tx};

use super::{Issued, Order, Press, audited, card, renewed, save, save_with_payment};
use crate::app::App;
use crate::operations::covering::of_part;

/// How often a card may have been replaced, one card after the other.
const REPLACED_MAX: u32 = 10_000;

/// Gives back what a payment took from a card. If that one was replaced since, the money goes on
/// to the card in its place, and on from there if that one was replaced as well.
pub(in crate::operations) fn give_back(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    (payment, amount): (Payment, Money),
    note: &Note,
) -> Result<(), Failure> {
    let read = payment.version;
    let first = of_part(tx, &payment)?;
    let renewed = renewed(tx, &first, at.now)?;
    let back = Return {
        amount,
        renewed: renewed.clone(),
    };
    let decision = first.give_back(payment, back, at.now, note.clone())?;
    save_with_payment(tx, at, bill, &decision, read)?;
    let mut holder = decision.card;
    // Each step leads to a card that was closed later or not at all, so there is an end; the bound
    // is for a damaged database.
    for _ in 0..REPLACED_MAX {
        let Some(next) = holder
            .successor()
            .cloned()
            .filter(|_| holder.has_to_pass_on())
        else {
            return Ok(());
        };
        let next = card(tx, &next)?;
        let (out, into) = holder.pass_on(next, renewed.clone(), at.now, note.clone())?;
        save(tx, at.now, &out)?;
        save(tx, at.now, &into)?;
        holder = into.card;
    }
    Err(Fault("gift cards replace each other without end".to_owned()).into())
}

/// Replaces a lost or damaged card: what is left goes to a new one, which is good as long.
pub async fn replace(app: &App, old: &CardId, note: Note) -> Result<Issued, Failure> {
    let (at, hashing, id) = (app.moment(), app.vault.hashing().clone(), old.clone());
    app.store
        .write("replace_gift_card", move |tx| {
            let old = card(tx, &id)?;
            let merchant = store::tables::merchants::by_id(tx, &old.head.merchant)?
                .ok_or_else(|| Fault("a gift card without a merchant".to_owned()))?;
            let of = Caller {
                merchant,
                mode: old.head.mode,
            };
            let programme = table::programme(tx, &of.merchant.id, of.mode)?.unwrap_or_default();
            let press = Press {
                at: at.branch("replacement"),
                hashing: &hashing,
                programme: &programme,
                of: &of,
            };
            let order = Order {
                last_day: Some(old.validity.last_day.clone()),
                vendors: old.head.vendors.clone(),
                // A card that was not handed out yet is worth nothing to whoever finds its number.
                active: old.state() != CardState::Inactive,
                ..Order::of(Money::zero(old.balance().currency()), note.clone())
            };
            let new = press.issue(tx, &order)?;
            let (out, into) = old.move_to(new.card, at.now, note.clone())?;
            save(tx, at.now, &out)?;
            save(tx, at.now, &into)?;
            audited(tx, &at, &out.card, ("gift_card.replaced", &note))?;
            Ok(Issued {
                card: into.card,
                entry: new.entry,
            })
        })
        .await
}

/// Moves what is left on a lost card to another one of the same merchant.
pub async fn transfer(
    app: &App,
    from: &CardId,
    to: &CardId,
    note: Note,
) -> Result<GiftCard, Failure> {
    let (at, from, to) = (app.moment(), from.clone(), to.clone());
    app.store
        .write("transfer_gift_card", move |tx| {
            let (old, other) = (card(tx, &from)?, card(tx, &to)?);
            let (out, into) = old.move_to(other, at.now, note.clone())?;
            save(tx, at.now, &out)?;
            save(tx, at.now, &into)?;
            audited(tx, &at, &out.card, ("gift_card.transferred", &note))?;
            Ok(into.card)
        })
        .await
}
