//! The double-entry ledger: transfers between accounts, gathered in journals, chained by hash.
//!
//! A [`Transfer`] names the account that gives (debit), the account that receives (credit) and an
//! amount above zero, so half an entry cannot be expressed. Stored transfers form chains: each
//! carries the hash of the one before it, so a changed, missing or inserted row is found.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::currency::Currency;
use crate::id::{CardId, MerchantId, NotAnId, PaymentId, PayoutId};
use crate::merchant::Mode;
use crate::moment::Timestamp;
use crate::money::{AmountError, Money, PositiveMoney};
use crate::secret::hex;

/// The chart of accounts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountId {
    /// What a rail owes us, or we owe it, until it settles.
    Clearing(String),
    /// Money that a payment has authorised and not yet captured or released.
    Held(PaymentId),
    /// What we owe a merchant.
    Merchant(MerchantId),
    /// Money of a merchant that a payout has reserved.
    Payout(PayoutId),
    /// What is left on a gift card and not held: owed to whoever has it.
    Card(CardId),
    /// What a merchant took for the gift cards it sold: below zero by all that was ever issued.
    Issued(MerchantId),
    /// What gift cards paid at a merchant. The merchant has had this money since it sold them, so
    /// it is not part of what we owe it.
    Redeemed(MerchantId),
    /// What was left on gift cards when they expired: a merchant's income.
    Breakage(MerchantId),
}

/// The text is not the name of an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a ledger account")]
pub struct UnknownAccount;

impl AccountId {
    /// Reads a name that was printed before.
    pub fn parse(text: &str) -> Result<Self, UnknownAccount> {
        let (kind, rest) = text.split_once(':').ok_or(UnknownAccount)?;
        match kind {
            "clearing" => Ok(Self::Clearing(rest.to_owned())),
            "held" => PaymentId::parse(rest)
                .map(Self::Held)
                .map_err(|_| UnknownAccount),
            "merchant" => MerchantId::parse(rest)
                .map(Self::Merchant)
                .map_err(|_| UnknownAccount),
            "payout" => PayoutId::parse(rest)
                .map(Self::Payout)
                .map_err(|_| UnknownAccount),
            "card" => CardId::parse(rest)
                .map(Self::Card)
                .map_err(|_| UnknownAccount),
            "issued" => MerchantId::parse(rest)
                .map(Self::Issued)
                .map_err(|_| UnknownAccount),
            "redeemed" => MerchantId::parse(rest)
                .map(Self::Redeemed)
                .map_err(|_| UnknownAccount),
            "breakage" => MerchantId::parse(rest)
                .map(Self::Breakage)
                .map_err(|_| UnknownAccount),
            _ => Err(UnknownAccount),
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clearing(rail) => write!(f, "clearing:{rail}"),
            Self::Held(payment) => write!(f, "held:{payment}"),
            Self::Merchant(merchant) => write!(f, "merchant:{merchant}"),
            Self::Payout(payout) => write!(f, "payout:{payout}"),
            Self::Card(card) => write!(f, "card:{card}"),
            Self::Issued(merchant) => write!(f, "issued:{merchant}"),
            Self::Redeemed(merchant) => write!(f, "redeemed:{merchant}"),
            Self::Breakage(merchant) => write!(f, "breakage:{merchant}"),
        }
    }
}

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The payer's money is reserved.
    Authorize,
    /// Reserved money goes to the merchant.
    Capture,
    /// Reserved money goes back to the payer.
    Release,
    /// Captured money goes back to the payer.
    Refund,
    /// Money of the merchant is set aside for a payout.
    Reserve,
    /// What was set aside is paid out.
    Payout,
    /// What was set aside goes back to the merchant.
    Return,
    /// A gift card was sold, or money was added to one.
    Issue,
    /// A gift card's time was over, and what was left is the merchant's.
    Expire,
    /// What was left on one gift card went to another.
    Transfer,
}

impl Reason {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Refund => "refund",
            Self::Reserve => "reserve",
            Self::Payout => "payout",
            Self::Return => "return",
            Self::Issue => "issue",
            Self::Expire => "expire",
            Self::Transfer => "transfer",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Authorize,
            Self::Capture,
            Self::Release,
            Self::Refund,
            Self::Reserve,
            Self::Payout,
            Self::Return,
            Self::Issue,
            Self::Expire,
            Self::Transfer,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == text)
    }
}

/// One movement of money between two different accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    debit: AccountId,
    credit: AccountId,
    amount: PositiveMoney,
    reason: Reason,
}

impl Transfer {
    /// From `debit` to `credit`; refuses zero, and an account that would pay itself: that moves
    /// nothing either.
    pub fn new(
        debit: AccountId,
        credit: AccountId,
        amount: Money,
        reason: Reason,
    ) -> Result<Self, AmountError> {
        if debit == credit {
            return Err(AmountError::Zero);
        }
        Ok(Self {
            debit,
            credit,
            amount: PositiveMoney::new(amount)?,
            reason,
        })
    }

    /// The account that gives.
    pub fn debit(&self) -> &AccountId {
        &self.debit
    }

    /// The account that receives.
    pub fn credit(&self) -> &AccountId {
        &self.credit
    }

    /// How much.
    pub fn amount(&self) -> Money {
        self.amount.get()
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

/// Transfers that are posted together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal(Vec<Transfer>);

impl Journal {
    /// A journal of one transfer.
    pub fn of(transfer: Transfer) -> Self {
        Self(vec![transfer])
    }

    /// A journal that moves nothing: a state that changes without money.
    pub fn empty() -> Self {
        Self(Vec::new())
    }

    /// This journal and then another.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The transfers, in the order of posting.
    pub fn transfers(&self) -> &[Transfer] {
        &self.0
    }
}

/// A link of a chain: SHA-256 over the link before it and everything the row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHash(String);

impl ChainHash {
    /// What stands before the first row of a chain.
    pub fn genesis() -> Self {
        Self("0".repeat(64))
    }

    /// Reads a stored hash; any text, because a damaged one must be found by comparing.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The hash as 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a transfer belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A payment.
    Payment(PaymentId),
    /// A payout.
    Payout(PayoutId),
    /// A gift card, for what no payment moves: issue, expiry, transfer.
    Card(CardId),
}

impl Subject {
    /// Reads an id that was printed before; its prefix tells the kind.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        if text.starts_with(PayoutId::PREFIX) {
            PayoutId::parse(text).map(Self::Payout)
        } else if text.starts_with(CardId::PREFIX) {
            CardId::parse(text).map(Self::Card)
        } else {
            PaymentId::parse(text).map(Self::Payment)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Payment(id) => id.as_str(),
            Self::Payout(id) => id.as_str(),
            Self::Card(id) => id.as_str(),
        }
    }
}

/// A transfer as it stands in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The chain: one per writer, so that writers do not wait for each other.
    pub lane: i64,
    /// Its place in the chain, from 1 without gaps.
    pub place: i64,
    /// When it was posted.
    pub at: Timestamp,
    /// Test or live.
    pub mode: Mode,
    /// What it belongs to.
    pub about: Subject,
    /// The movement.
    pub transfer: Transfer,
}

impl Entry {
    /// The hash of this entry after `previous`. Every part is written with its length, so two
    /// different entries never hash the same text.
    pub fn hash(&self, previous: &ChainHash) -> ChainHash {
        let amount = self.transfer.amount();
        let parts = [
            previous.as_str().to_owned(),
            self.lane.to_string(),
            self.place.to_string(),
            self.at.millis().to_string(),
            self.mode.as_str().to_owned(),
            self.about.as_str().to_owned(),
            self.transfer.debit.to_string(),
            self.transfer.credit.to_string(),
            amount.minor().to_string(),
            amount.currency().code().to_owned(),
            self.transfer.reason.as_str().to_owned(),
        ];
        let mut sha = Sha256::new();
        for part in &parts {
            sha.update(part.len().to_string().as_bytes());
            sha.update(b":");
            sha.update(part.as_bytes());
        }
        ChainHash(hex(&sha.finalize()))
    }
}

/// Debits and credits of one currency and their sums, as `florin ledger verify` prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrencyTotals {
    /// The currency.
    pub currency: Currency,
    /// Sum of all debits in minor units. Two amounts may be more than 64 bits hold.
    pub debits: i128,
    /// Sum of all credits in minor units.
    pub credits: i128,
}
