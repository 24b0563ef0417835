//! Everything a dialect can ask of the core, and everything it can be answered.

use serde::{Deserialize, Serialize};

use crate::bill::{Ask, Bill};
use crate::endpoint::{Endpoint, EndpointAsk};
use crate::gift_card::Deed;
use crate::id::WireId;
use crate::merchant::Merchant;
use crate::moment::{Span, Timestamp};
use crate::money::Money;
use crate::payment::{Payment, PaymentState};
use crate::programme::CardUse;
use crate::reservation::{ReservationCall, ReservationReply};
use crate::secret::Secret;
use crate::token::{AccessToken, Proof};
use crate::transaction::{TransactionCall, TransactionReply};

/// What a request asks for, in the core's own terms. An amount, a date or a list has been read by
/// the dialect; whether the object exists and its state allows this is decided by the operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Create a bill.
    CreateBill(Box<Ask>),
    /// Show one bill.
    ShowBill(WireId),
    /// List bills, newest first.
    ListBills(BillQuery),
    /// Change the terms of a bill.
    ChangeBill(WireId, Box<Ask>),
    /// Delete a bill that was not paid.
    WithdrawBill(WireId),
    /// Do something with a reservation.
    Reservation(ReservationCall),
    /// Issue an access token to the caller, who proved so to be one: the token ends with that.
    IssueToken(Proof),
    /// Deposits and withdrawals.
    Transaction(TransactionCall),
    /// About gift cards.
    Cards(CardCall),
    /// Register an endpoint for webhooks of this dialect.
    RegisterEndpoint(Box<EndpointAsk>),
    /// Show one endpoint.
    ShowEndpoint(WireId),
    /// List the merchant's endpoints of this dialect, oldest first.
    ListEndpoints,
    /// Change an endpoint's address, topics or label.
    ChangeEndpoint(WireId, Box<EndpointAsk>),
    /// Remove an endpoint: what waits for it is not sent any more.
    RemoveEndpoint(WireId),
}

/// What can be asked about gift cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardCall {
    /// Pay a bill from these cards, all of them or none.
    Perform(WireId, Vec<CardUse>),
    /// End an open bill, or give a paid one back in full while it is not older than the time
    /// given.
    Undo(WireId, Span),
    /// What is on the card of this number (its digits).
    Balance(Secret),
}

impl CardCall {
    /// A short name for logs and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Perform(..) => "perform",
            Self::Undo(..) => "undo",
            Self::Balance(_) => "card_balance",
        }
    }
}

impl Call {
    /// A short name for logs and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateBill(_) => "create_bill",
            Self::ShowBill(_) => "show_bill",
            Self::ListBills(_) => "list_bills",
            Self::ChangeBill(..) => "change_bill",
            Self::WithdrawBill(_) => "withdraw_bill",
            Self::Reservation(call) => call.name(),
            Self::IssueToken(_) => "issue_token",
            Self::Transaction(call) => call.name(),
            Self::Cards(call) => call.name(),
            Self::RegisterEndpoint(_) => "register_endpoint",
            Self::ShowEndpoint(_) => "show_endpoint",
            Self::ListEndpoints => "list_endpoints",
            Self::ChangeEndpoint(..) => "change_endpoint",
            Self::RemoveEndpoint(_) => "remove_endpoint",
        }
    }
}

/// A call, and the scope of its idempotency key if the client gave one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// What is asked for.
    pub call: Call,
    /// The client's key. It is scoped by merchant, mode, dialect and operation.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What a client calls a request by which must not have its effect twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key itself.
    pub text: String,
    /// What tells the same request again from another one under this key: made of the request's
    /// bytes alone, because it outlives versions of this program.
    pub fingerprint: String,
}

/// States by which bills can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillFilter {
    /// Can be paid.
    Open,
    /// Paid.
    Paid,
    /// Failed for good.
    Failed,
    /// Time over.
    Expired,
    /// A state that the dialect's contract names and no bill of ours is ever in.
    Never,
}

/// Which bills to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillQuery {
    /// Rows of a page.
    pub per_page: u32,
    /// Which page, from 1.
    pub page: u32,
    /// Part of the e-mail address, the id or the reference.
    pub search: Option<String>,
    /// Only bills in this state.
    pub state: Option<BillFilter>,
    /// One key and value in the extras' `metadata`, exact.
    pub metadata: Option<(String, String)>,
    /// Only the merchant's default link.
    pub default_link: bool,
}

/// A bill with what its answers show beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillView {
    /// The bill.
    pub bill: Bill,
    /// Who asks.
    pub merchant: Merchant,
    /// Its payments, oldest first.
    pub payments: Vec<Payment>,
    /// Its state at the time of the answer.
    pub state: crate::bill::BillState,
}

impl BillView {
    /// Was everything given back that was ever taken, and was anything?
    pub fn is_given_back(&self) -> bool {
        let sums = |payment: &Payment| match payment.state() {
            PaymentState::Authorized { sums, .. } => Some(*sums),
            PaymentState::Pending | PaymentState::Ended { .. } => None,
        };
        let taken = self.payments.iter().filter_map(sums);
        let mut taken = taken.filter(|sums| !sums.captured().is_zero()).peekable();
        taken.peek().is_some() && taken.all(|sums| sums.refundable().is_ok_and(Money::is_zero))
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillPage {
    /// The bills of this page.
    pub bills: Vec<BillView>,
    /// Rows of a page, as asked.
    pub per_page: u32,
    /// Which page, from 1.
    pub page: u32,
    /// How many bills there are in all.
    pub total: u64,
}

/// What a call comes to when it is not refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// A bill was created.
    BillCreated(Box<BillView>),
    /// A bill, as it is now.
    Bill(Box<BillView>),
    /// A page of bills.
    Bills(BillPage),
    /// The merchant's default link: not a bill until somebody types an amount.
    DefaultLink(Merchant),
    /// A bill was deleted.
    BillWithdrawn,
    /// Deposits and withdrawals.
    Transaction(TransactionReply),
    /// What is on a gift card.
    CardBalance(CardBalance),
    /// An endpoint was registered; its secret is shown with it.
    EndpointRegistered(Box<EndpointView>),
    /// An endpoint, as it is now.
    Endpoint(Box<EndpointView>),
    /// The merchant's endpoints of the dialect, oldest first.
    Endpoints(Vec<EndpointView>),
    /// An endpoint was removed.
    EndpointRemoved,
    /// What became of a reservation.
    Reservation(Box<ReservationReply>),
    /// An access token.
    Token(AccessToken),
}

/// What is on a gift card, as far as the caller may know: an unknown card, one that cannot be used
/// and an empty one are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardBalance {
    /// What can be used.
    pub amount: Option<Money>,
    /// What changed it, newest first.
    pub lines: Vec<CardLine>,
}

/// A change of what is on a gift card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardLine {
    /// When.
    pub at: Timestamp,
    /// What.
    pub deed: Deed,
    /// By how much.
    pub amount: Money,
}

/// An endpoint with the secret that signs its deliveries, for dialects that show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointView {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The newest secret, for dialects whose answers show it. It is never kept with an answer.
    #[serde(skip)]
    pub secret: Option<Secret>,
    /// How many other endpoints at the same address want some of the same topics.
    #[serde(default)]
    pub doubles: u32,
}
