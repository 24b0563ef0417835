//! Neutral facts that may become webhooks. A dialect turns one into bodies of its own.

use serde::{Deserialize, Serialize};

use crate::bill::Bill;
use crate::id::EventId;
use crate::moment::{Moment, Timestamp};
use crate::payment::Payment;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fact {
    /// A bill was created.
    BillCreated,
    /// Its terms were changed.
    BillChanged,
    /// A bill was paid (a repeated one: once more).
    BillPaid,
    /// A bill failed for good.
    BillFailed,
    /// A bill's time was over.
    BillExpired,
    /// A bill was deleted.
    BillWithdrawn,
    /// Money was reserved.
    PaymentAuthorized,
    /// Reserved money went to the merchant.
    PaymentCaptured,
    /// Reserved money went back.
    PaymentReleased,
    /// Captured money went back.
    PaymentRefunded,
    /// A payment ended without money.
    PaymentEnded,
    /// A payout was requested.
    PayoutCreated,
    /// The customer said where it goes.
    PayoutSubmitted,
    /// The merchant approved it.
    PayoutApproved,
    /// It arrived.
    PayoutPaid,
    /// The customer or the rail said no.
    PayoutRejected,
    /// The merchant said no.
    PayoutCancelled,
    /// Nobody acted in time.
    PayoutExpired,
}

impl Fact {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::BillCreated,
        Self::BillChanged,
        Self::BillPaid,
        Self::BillFailed,
        Self::BillExpired,
        Self::BillWithdrawn,
        Self::PaymentAuthorized,
        Self::PaymentCaptured,
        Self::PaymentReleased,
        Self::PaymentRefunded,
        Self::PaymentEnded,
        Self::PayoutCreated,
        Self::PayoutSubmitted,
        Self::PayoutApproved,
        Self::PayoutPaid,
        Self::PayoutRejected,
        Self::PayoutCancelled,
        Self::PayoutExpired,
    ];

    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BillCreated => "bill.created",
            Self::BillChanged => "bill.changed",
            Self::BillPaid => "bill.paid",
            Self::BillFailed => "bill.failed",
            Self::BillExpired => "bill.expired",
            Self::BillWithdrawn => "bill.withdrawn",
            Self::PaymentAuthorized => "payment.authorized",
            Self::PaymentCaptured => "payment.captured",
            Self::PaymentReleased => "payment.released",
            Self::PaymentRefunded => "payment.refunded",
            Self::PaymentEnded => "payment.ended",
            Self::PayoutCreated => "payout.created",
            Self::PayoutSubmitted => "payout.submitted",
            Self::PayoutApproved => "payout.approved",
            Self::PayoutPaid => "payout.paid",
            Self::PayoutRejected => "payout.rejected",
            Self::PayoutCancelled => "payout.cancelled",
            Self::PayoutExpired => "payout.expired",
        }
    }

    /// Reads the name back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.as_str() == text)
    }
}

/// A fact with the objects as they were right after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Our id.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
    /// The bill after it.
    pub bill: Bill,
    /// The payment after it, if one was concerned.
    pub payment: Option<Payment>,
}

impl Event {
    /// An event at a moment. Its id depends on the fact and its object, so one operation may
    /// announce several.
    pub fn new(at: &Moment, fact: Fact, bill: Bill, payment: Option<Payment>) -> Self {
        let object = payment
            .as_ref()
            .map_or(bill.head.id.as_str(), |p| p.head.id.as_str());
        let id = EventId::mint(at, &format!("{}/{object}", fact.as_str()));
        Self {
            id,
            at: at.now,
            fact,
            bill,
            payment,
        }
    }
}
