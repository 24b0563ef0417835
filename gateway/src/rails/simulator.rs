//! The simulator: a rail that moves no real money, in test mode only.
//!
//! Its test cards are the published ones. Any other number that passes the Luhn check is approved.
//! Methods other than cards lead to a page that stands for the payer's bank app or wallet.

use domain::Card;
use domain::payment::Cause;

use super::Answer;

/// The rail's name in the ledger and in attempts.
pub const NAME: &str = "simulator";

/// Asks for money from a card, or by another method when there is none.
pub fn ask(card: Option<&Card>) -> Answer {
    let Some(card) = card else {
        return Answer::Challenge;
    };
    match card.number().expose() {
        "4000000000000002" => Answer::Declined(Cause::new("card_declined", "Do not honor")),
        "4000000000009995" => {
            Answer::Declined(Cause::new("insufficient_funds", "Insufficient funds"))
        }
        "4000000000000069" => Answer::Declined(Cause::new("expired_card", "Expired card")),
        "4000002760003184" | "4000000000003220" => Answer::Challenge,
        _ => Answer::Approved,
    }
}

/// What becomes of money that is to be paid out. An amount that ends in `.13` is turned down, so
/// that a late refusal can be tried.
pub fn pay_out(amount: domain::Money) -> Answer {
    if amount.fixed().ends_with(".13") {
        Answer::Declined(domain::payout::insufficient_funds())
    } else {
        Answer::Approved
    }
}

/// What the payer's "no" at the bank's page means.
pub fn refused_by_payer() -> Cause {
    Cause::new("authentication_failed", "The payer declined at the bank")
}

/// What became of an attempt that was asked and never answered. The simulator decides within the
/// call and keeps nothing, so a call that was interrupted moved no money.
pub fn enquire() -> Answer {
    Answer::Declined(Cause::new("not_processed", "The payment was interrupted"))
}
