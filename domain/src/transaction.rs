//! Deposits and withdrawals under one roof: what some APIs call a transaction.
//!
//! A deposit is a bill with its payments; a withdrawal is a payout. A transaction gives both the
//! merchant's own id (unique for ever), a page, and one way of telling how it stands.

use serde::{Deserialize, Serialize};

use crate::bill::{Ask, BillState};
use crate::card::Card;
use crate::id::WireId;
use crate::moment::Timestamp;
use crate::money::Money;
use crate::payout::{Order, PayoutState};
use crate::provider::Direction;

/// How a deposit is to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// On a page that lists the providers.
    Hosted,
    /// On the page of the provider named.
    Direct(String),
    /// With this card, at once.
    Server(Box<Card>),
}

impl Flow {
    /// The word in the database.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Hosted => "hosted",
            Self::Direct(_) => "direct",
            Self::Server(_) => "server",
        }
    }
}

/// What a client calls a transaction, and for whom it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// The merchant's own id of it, used up for ever.
    pub id: String,
    /// The merchant's customer.
    pub user: String,
    /// The customer's country, for the provider rules.
    pub country: Option<String>,
}

/// A call about transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionCall {
    /// Take money.
    Deposit {
        /// What the client calls it.
        tracking: Tracking,
        /// What is asked for.
        ask: Box<Ask>,
        /// How it is paid.
        flow: Flow,
    },
    /// Send money.
    Withdraw {
        /// What the client calls it.
        tracking: Tracking,
        /// What is ordered.
        order: Box<Order>,
        /// Who orders it: a name, never a key.
        by: String,
    },
    /// Turn a payout down.
    RejectPayout {
        /// Ours or the merchant's id.
        id: String,
        /// Who turns it down.
        by: String,
    },
    /// Let a payout go.
    ApprovePayout {
        /// Ours or the merchant's id.
        id: String,
        /// Who approves it.
        by: String,
    },
    /// How one stands; ours or the merchant's id.
    Show(String),
    /// All that were created from the first point in time up to, not including, the second.
    List(Timestamp, Timestamp),
}

impl TransactionCall {
    /// A short name for logs and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Deposit { .. } => "deposit",
            Self::Withdraw { .. } => "withdraw",
            Self::RejectPayout { .. } => "reject_payout",
            Self::ApprovePayout { .. } => "approve_payout",
            Self::Show(_) => "show_transaction",
            Self::List(..) => "list_transactions",
        }
    }
}

/// How a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Not decided yet.
    Pending,
    /// The money moved.
    Successful,
    /// It will not move, with the reason.
    Rejected(String),
    /// Nobody acted in time.
    Expired,
}

/// What is said of a payout that its merchant turned down.
pub const REJECTED_BY_MERCHANT: &str = "Rejected by merchant";

/// What is said of a transaction that its customer gave up.
pub const CANCELLED_BY_USER: &str = "Cancelled by user";

impl From<&BillState> for Standing {
    fn from(state: &BillState) -> Self {
        match state {
            BillState::Open => Self::Pending,
            BillState::Paid { .. } => Self::Successful,
            BillState::Failed { cause, .. } => Self::Rejected(cause.text.clone()),
            BillState::Expired { .. } => Self::Expired,
            BillState::Withdrawn { .. } => Self::Rejected(REJECTED_BY_MERCHANT.to_owned()),
        }
    }
}

impl From<&PayoutState> for Standing {
    fn from(state: &PayoutState) -> Self {
        match state {
            PayoutState::AwaitingUser | PayoutState::AwaitingApproval | PayoutState::Processing => {
                Self::Pending
            }
            PayoutState::Paid { .. } => Self::Successful,
            PayoutState::Rejected { cause, .. } => Self::Rejected(cause.text.clone()),
            PayoutState::Cancelled { .. } => Self::Rejected(REJECTED_BY_MERCHANT.to_owned()),
            PayoutState::Expired { .. } => Self::Expired,
        }
    }
}

/// Where a client sends its customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Page {
    /// The page that lists providers, or the provider's own.
    Cashier(String),
    /// The bank's page for a card.
    ThreeDs(String),
    /// Nowhere: it is decided.
    None,
}

/// The answer to a call that began a transaction; kept, because copies of the call get it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// What the dialect calls it.
    pub id: WireId,
    /// How it stood.
    pub standing: Standing,
    /// Where the customer goes.
    pub page: Page,
    /// Did the client send card data? Then a rejection is told in a member of its own.
    pub by_server: bool,
}

/// A transaction as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionView {
    /// What the dialect calls it.
    pub id: WireId,
    /// The merchant's own id.
    pub tracking: String,
    /// The merchant's customer.
    pub user: String,
    /// Which way the money goes.
    pub direction: Direction,
    /// How much.
    pub amount: Money,
    /// How it stands.
    pub standing: Standing,
    /// The provider, once chosen.
    pub provider: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// The answer to a call about transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionReply {
    /// One was begun.
    Opened(Box<Opened>),
    /// A payout was turned down.
    PayoutRejected,
    /// A payout was let go.
    PayoutApproved,
    /// One, as it stands.
    One(Box<TransactionView>),
    /// Some of a list, newest first; a long list is answered in several parts.
    Some(Vec<TransactionView>),
}
