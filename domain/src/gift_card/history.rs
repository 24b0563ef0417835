//! What can happen to a gift card, who did it and why, and why something cannot happen.

use serde::{Deserialize, Serialize};

use crate::id::PaymentId;
use crate::moment::Timestamp;
use crate::money::Money;
use crate::refusal::Refusal;

/// Why a gift card cannot be used for what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CardRefusal {
    /// No such card, or the wrong code: one answer for both, so that neither can be guessed alone.
    Unknown,
    /// Blocked, not activated, or replaced.
    NotUsable,
    /// Its last day is over.
    Expired,
    /// There is not as much on it as was asked for, or nothing at all.
    NotEnough,
    /// Of another merchant, not valid at this shop, or in another currency.
    Elsewhere,
    /// It is on this payment already.
    Twice,
    /// The payment has as many cards as it may, or needs no more.
    TooMany,
}

impl CardRefusal {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::NotUsable,
        Self::Expired,
        Self::NotEnough,
        Self::Elsewhere,
        Self::Twice,
        Self::TooMany,
    ];

    /// A short name for counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "card_unknown",
            Self::NotUsable => "card_not_usable",
            Self::Expired => "card_expired",
            Self::NotEnough => "card_not_enough",
            Self::Elsewhere => "card_elsewhere",
            Self::Twice => "card_twice",
            Self::TooMany => "card_too_many",
        }
    }
}

impl From<CardRefusal> for Refusal {
    fn from(why: CardRefusal) -> Self {
        Self::Card(why)
    }
}

/// What happened to a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Issued with an amount.
    Issue,
    /// May be used from now on.
    Activate,
    /// A payment reserves a part.
    Hold,
    /// A payment takes what it held.
    Redeem,
    /// A payment lets go of what it held.
    Free,
    /// A payment gives back what it took.
    GiveBack,
    /// Money was added.
    TopUp,
    /// Stopped.
    Block,
    /// Let go again.
    Unblock,
    /// Its time was over.
    Expire,
    /// What was left went to another card.
    MoveOut,
    /// What was left on another card came.
    MoveIn,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Issue,
        Self::Activate,
        Self::Hold,
        Self::Redeem,
        Self::Free,
        Self::GiveBack,
        Self::TopUp,
        Self::Block,
        Self::Unblock,
        Self::Expire,
        Self::MoveOut,
        Self::MoveIn,
    ];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Activate => "activate",
            Self::Hold => "hold",
            Self::Redeem => "redeem",
            Self::Free => "free",
            Self::GiveBack => "give_back",
            Self::TopUp => "top_up",
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Expire => "expire",
            Self::MoveOut => "move_out",
            Self::MoveIn => "move_in",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.as_str() == text)
    }

    /// Does it change what a card is worth, and in which direction?
    pub fn sign(self) -> Sign {
        match self {
            Self::Issue | Self::GiveBack | Self::TopUp | Self::MoveIn => Sign::More,
            Self::Redeem | Self::Expire | Self::MoveOut => Sign::Less,
            Self::Activate | Self::Hold | Self::Free | Self::Block | Self::Unblock => Sign::Same,
        }
    }
}

/// How a deed changes what a card is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Worth more.
    More,
    /// Worth less.
    Less,
    /// As before.
    Same,
}

/// Who did something to a card, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// For example `payer`, `operator`, `limits`.
    pub by: String,
    /// In words.
    pub reason: String,
}

impl Note {
    /// From its two parts.
    pub fn new(by: &str, reason: &str) -> Self {
        Self {
            by: by.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// A line in the history of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Its place in the card's history, from 1 without gaps.
    pub place: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub deed: Deed,
    /// How much.
    pub amount: Money,
    /// What the card was worth afterwards, held money included.
    pub balance: Money,
    /// What was held of that afterwards.
    pub held: Money,
    /// The payment, if it was one.
    pub payment: Option<PaymentId>,
    /// Who, and why.
    pub note: Note,
}
