//! Telephones of payers, as the simulator plays them: how each answers by itself, for automatic
//! tests. Test mode only.

use domain::StepProblem;
use domain::payment::Cause;
use serde::{Deserialize, Serialize};
use store::tables::records;
use store::{Failure, Fault, Tx};

use super::reservations::Response;
use crate::app::App;

/// Under which the rules are kept.
const KIND: &str = "phone-rule";

/// What a telephone does with a request that reaches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Waits for a person.
    #[default]
    Ask,
    /// Says yes.
    Approve,
    /// Says no.
    Reject,
    /// Says yes with a card that is refused.
    Decline,
    /// There is no such telephone.
    Unknown,
    /// Its owner has no card.
    NoCards,
    /// Waits for a person; the bank does not give later what it reserved.
    FundsGone,
    /// Waits for a person; the bank cannot be asked later for what it reserved.
    CaptureFails,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ask,
        Self::Approve,
        Self::Reject,
        Self::Decline,
        Self::Unknown,
        Self::NoCards,
        Self::FundsGone,
        Self::CaptureFails,
    ];

    /// The word in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Decline => "decline",
            Self::Unknown => "unknown",
            Self::NoCards => "no_cards",
            Self::FundsGone => "funds_gone",
            Self::CaptureFails => "capture_fails",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text)
    }

    /// What it does with a request; nothing if it waits.
    pub(super) fn response(self) -> Option<Response> {
        match self {
            Self::Ask | Self::Unknown | Self::NoCards => None,
            Self::FundsGone | Self::CaptureFails => None,
            Self::Approve => Some(Response::Approve),
            Self::Reject => Some(Response::Abort),
            Self::Decline => {
                let cause = Cause::new("refused_by_issuer", "Refused by the issuer");
                Some(Response::Decline(cause))
            }
        }
    }
}

impl Rule {
    /// Why nothing can be asked of its owner.
    pub(super) fn unasked(self) -> Option<StepProblem> {
        match self {
            Self::Unknown => Some(StepProblem::NoSuchPayer),
            Self::NoCards => Some(StepProblem::NoCards),
            Self::Ask | Self::Approve | Self::Reject | Self::Decline => None,
            Self::FundsGone | Self::CaptureFails => None,
        }
    }

    /// Why nothing of what was reserved can be captured.
    pub(super) fn uncaptured(self) -> Option<StepProblem> {
        match self {
            Self::FundsGone => Some(StepProblem::FundsGone),
            Self::CaptureFails => Some(StepProblem::CaptureFailed),
            Self::Ask | Self::Approve | Self::Reject | Self::Decline => None,
            Self::Unknown | Self::NoCards => None,
        }
    }
}

/// A number as it is kept, from what a person typed: digits alone, 9 to 15 of them.
pub fn number(typed: &str) -> Option<String> {
    let kept = |c: &char| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '\u{a0}');
    let text: String = typed.trim().chars().filter(kept).collect();
    let text = text
        .strip_prefix('+')
        .or(text.strip_prefix("00"))
        .unwrap_or(&text);
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    ((9..=15).contains(&text.len()) && digits).then(|| text.to_owned())
}

/// How a telephone answers.
pub async fn rule(app: &App, phone: &str) -> Result<Rule, Failure> {
    let phone = phone.to_owned();
    app.store
        .read("phone_rule", move |tx| Ok(rule_in(tx, &phone)?))
        .await
}

/// Changes how a telephone answers from now on.
pub async fn set_rule(app: &App, phone: &str, rule: Rule) -> Result<(), Failure> {
    let (phone, now) = (phone.to_owned(), app.clock.now());
    app.store
        .write("set_phone_rule", move |tx| {
            Ok(records::put(tx, KIND, &phone, rule.as_str(), now)?)
        })
        .await
}

/// How a telephone answers, inside a transaction.
pub(super) fn rule_in(tx: &mut Tx<'_>, phone: &str) -> Result<Rule, Fault> {
    let kept = records::get(tx, KIND, phone)?;
    Ok(kept.as_deref().and_then(Rule::parse).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_read_as_people_type_it() {
        for typed in [
            "4791234567",
            "+47 912 34 567",
            "0047-91234567",
            " (47) 91.23.45.67 ",
        ] {
            assert_eq!(number(typed).as_deref(), Some("4791234567"), "{typed}");
        }
        for wrong in [
            "",
            "91234567",
            "47 912 34 5x7",
            "1234567890123456",
            "++4791234567",
        ] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
