//! Giving back by hand what gift cards paid, whichever API the payment came through.

use domain::gift_card::Note;
use domain::limits::PAYMENTS_SHOWN_MAX;
use domain::{Bill, Caller, Money, Object, Payment, PaymentState, Refusal, WireId};
use store::tables::{audit, bills, payments};
use store::{Failure, Fault, Tx};

use super::give_back;
use crate::app::App;
use crate::operations::{payments::bill_of, refused};

/// What was given back of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenBack {
    /// The last five digits of the card that had paid it.
    pub last5: String,
    /// How much.
    pub amount: Money,
}

/// Gives back all that gift cards paid of a payment and that was not given back yet: `name` is the
/// payment's id as its API shows it, or the id of one card's part of it. What a bank card paid
/// stays where it is.
pub async fn give_back_by_hand(
    app: &App,
    of: &Caller,
    name: &str,
    note: Note,
) -> Result<Vec<GivenBack>, Failure> {
    let (at, of, name) = (app.moment(), of.clone(), name.trim().to_owned());
    app.store
        .write("give_back_by_hand", move |tx| {
            let (bill, mut parts) = named(tx, &of, &name)?;
            parts.sort_by_key(|p| p.head.gift_card.as_ref().map(|part| part.card.clone()));
            let mut given = Vec::new();
            for payment in parts {
                let Some(amount) = left_to_return(&payment)? else {
                    continue;
                };
                let Some(part) = payment.head.gift_card.clone() else {
                    continue;
                };
                let reason = format!("{}, payment {}", note.reason, bill.head.wire);
                let why = Note::new(&note.by, &reason);
                give_back(tx, &at, &bill, (payment, amount), &why)?;
                let last5 = part.last5;
                given.push(GivenBack { last5, amount });
            }
            if given.is_empty() {
                let state = "given back already, or paid by no gift card";
                return refused(Refusal::WrongState(state.to_owned()));
            }
            let entry = audit::Entry {
                at: at.now,
                actor: note.by.clone(),
                action: "gift_cards.given_back".to_owned(),
                about: bill.head.id.to_string(),
                details: note.reason.clone(),
            };
            audit::insert(tx, &at, (&of.merchant.id, of.mode), &entry)?;
            Ok(given)
        })
        .await
}

/// The bill that is meant, and its parts by gift card.
fn named(tx: &mut Tx<'_>, of: &Caller, name: &str) -> Result<(Bill, Vec<Payment>), Failure> {
    let missing = || Refusal::NotFound(Object::Payment, name.chars().take(64).collect());
    let wire = WireId::new(name).map_err(|_| missing())?;
    let own = |bill: &Bill| bill.head.merchant == of.merchant.id && bill.head.mode == of.mode;
    for dialect in dialects::ALL {
        let dialect = dialect.profile().name;
        if let Some(bill) = bills::by_wire(tx, dialect, &wire)?.filter(own) {
            let parts = payments::captured(tx, &bill.head.id, PAYMENTS_SHOWN_MAX)?;
            return Ok((bill, parts));
        }
        if let Some(part) = payments::by_wire(tx, dialect, &wire)? {
            let bill = bill_of(tx, &part)?;
            if own(&bill) {
                return Ok((bill, vec![part]));
            }
        }
    }
    Err(missing().into())
}

/// What a payment took and has not given back; nothing if that is nothing.
pub(in crate::operations) fn left_to_return(payment: &Payment) -> Result<Option<Money>, Fault> {
    let PaymentState::Authorized { sums, .. } = payment.state() else {
        return Ok(None);
    };
    let amount = sums
        .refundable()
        .map_err(|error| Fault(format!("sums of a payment: {error}")))?;
    Ok((!amount.is_zero()).then_some(amount))
}
