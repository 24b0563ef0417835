//! The simulator: a rail that moves no real money, in test mode only.
//!
//! Its test cards are the published ones. Any other number that passes the Luhn check is approved.
//! Methods other than cards lead to a page that stands for the payer's bank app or wallet.

use domain::payment::Cause;
use domain::{Card, Money, Span, StepProblem};

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

/// Amounts in minor units of any currency that the bank behind a payer's wallet refuses, as they
/// are published, with what it says.
const WALLET: [(i64, &str, &str); 9] = [
    (151, "insufficient_funds", "Insufficient funds"),
    (182, "refused_by_issuer", "Refused by the issuer"),
    (183, "suspected_fraud", "Suspected fraud"),
    (184, "withdrawal_limit", "Withdrawal limit exceeded"),
    (186, "expired_card", "Expired card"),
    (187, "invalid_card", "Invalid card"),
    (197, "three_d_secure_denied", "3-D Secure denied"),
    (201, UNKNOWN, "The result is not known for an hour"),
    (202, "sca_required", "Strong authentication required"),
];

/// What the bank says that does not know yet.
const UNKNOWN: &str = "unknown_result";

/// For how long it does not.
pub const UNKNOWN_FOR: Span = Span::from_minutes(60);

/// Is this no answer yet?
pub fn is_unknown(cause: &Cause) -> bool {
    cause.code == UNKNOWN
}

/// What it says in the end.
pub fn known_at_last() -> Cause {
    Cause::new("refused_by_issuer", "Refused by the issuer, after an hour")
}

/// Of them, those that only Norwegian banks refuse.
const NORWEGIAN: [i64; 2] = [197, 202];

/// What the bank behind a payer's wallet says to an amount.
pub fn wallet(amount: Money) -> Result<(), Cause> {
    let (minor, currency) = (amount.minor(), amount.currency().code());
    let here = currency == "NOK" || !NORWEGIAN.contains(&minor);
    let refused = WALLET
        .iter()
        .find(|(special, ..)| here && *special == minor);
    match refused {
        Some((_, code, text)) => Err(Cause::new(code, text)),
        None => Ok(()),
    }
}

/// What the bank can say: code and words.
pub fn wallet_causes() -> Vec<(&'static str, &'static str)> {
    WALLET
        .iter()
        .map(|(_, code, text)| (*code, *text))
        .collect()
}

/// Amounts that are refused, with what the bank says.
pub fn wallet_amounts() -> Vec<(i64, String)> {
    let shown = |(minor, _, text): &(i64, &str, &str)| {
        let only = if NORWEGIAN.contains(minor) {
            " (NOK)"
        } else {
            ""
        };
        (*minor, format!("{text}{only}"))
    };
    WALLET.iter().map(shown).collect()
}

/// The bank's no of this code; an unknown code is the usual one.
pub fn wallet_cause(code: &str) -> Cause {
    let known = WALLET.iter().find(|(_, known, _)| *known == code);
    known.map_or_else(
        || Cause::new("card_declined", "Do not honor"),
        |(_, code, text)| Cause::new(code, text),
    )
}

/// Refunds of these amounts are refused; the special amounts are published as well.
const USER_DELETED: i64 = 123;
const REFUND_TOO_LATE: i64 = 124;

/// What the wallet says to a refund.
pub fn refund(amount: Money) -> Result<(), StepProblem> {
    match amount.minor() {
        USER_DELETED => Err(StepProblem::RefundImpossible),
        REFUND_TOO_LATE => Err(StepProblem::RefundTooLate),
        _ => Ok(()),
    }
}

/// Refunds that are refused, with the reason.
pub fn refund_amounts() -> Vec<(i64, &'static str)> {
    vec![
        (USER_DELETED, "the user is deleted"),
        (REFUND_TOO_LATE, "the refund period has expired"),
    ]
}

/// What becomes of money that is to be paid out. An amount that ends in `.13` is turned down, so
/// that a late refusal can be tried.
pub fn pay_out(amount: Money) -> Answer {
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
