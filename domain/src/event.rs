//! Neutral facts that may become webhooks. A dialect turns one into bodies of its own.

use serde::{Deserialize, Serialize};

use crate::bill::Bill;
use crate::endpoint::Endpoint;
use crate::id::{EventId, MerchantId};
use crate::merchant::Mode;
use crate::moment::{Moment, Timestamp};
use crate::payment::Payment;
use crate::payout::Payout;
use crate::reservation::Step;

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
    /// An endpoint was registered.
    EndpointRegistered,
    /// Somebody asked for a test delivery to an endpoint.
    EndpointTested,
    /// An endpoint has failed for so long that its owner should know.
    EndpointFailing,
    /// An endpoint gets nothing until it is resumed.
    EndpointPaused,
    /// An endpoint gets what waited for it.
    EndpointResumed,
    /// An endpoint was removed.
    EndpointRemoved,
}

impl Fact {
    /// All of them.
    pub const ALL: [Self; 24] = [
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
        Self::EndpointRegistered,
        Self::EndpointTested,
        Self::EndpointFailing,
        Self::EndpointPaused,
        Self::EndpointResumed,
        Self::EndpointRemoved,
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
            Self::EndpointRegistered => "endpoint.registered",
            Self::EndpointTested => "endpoint.tested",
            Self::EndpointFailing => "endpoint.failing",
            Self::EndpointPaused => "endpoint.paused",
            Self::EndpointResumed => "endpoint.resumed",
            Self::EndpointRemoved => "endpoint.removed",
        }
    }

    /// Reads the name back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.as_str() == text)
    }
}

/// What an event is about: the objects as they were right after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A bill, and the payment concerned if there is one.
    Bill {
        /// The bill.
        bill: Box<Bill>,
        /// The payment.
        payment: Option<Box<Payment>>,
    },
    /// A step of a reservation: its bill and payment, and the step.
    Step {
        /// The bill.
        bill: Box<Bill>,
        /// The payment.
        payment: Box<Payment>,
        /// The step.
        step: Box<Step>,
    },
    /// An endpoint for webhooks.
    Endpoint(Box<Endpoint>),
    /// A payout.
    Payout(Box<Payout>),
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
    /// Of which objects.
    pub about: About,
}

impl Event {
    /// An event about a bill. Its id depends on the fact and its object, so one operation may
    /// announce several.
    pub fn of_bill(at: &Moment, fact: Fact, bill: Bill, payment: Option<Payment>) -> Self {
        let payment = payment.map(Box::new);
        let bill = Box::new(bill);
        Self::new(at, fact, About::Bill { bill, payment })
    }

    /// An event about a step of a reservation.
    pub fn of_step(at: &Moment, bill: Bill, payment: Payment, step: Step) -> Self {
        let fact = step.kind.fact();
        let (bill, payment, step) = (Box::new(bill), Box::new(payment), Box::new(step));
        Self::new(
            at,
            fact,
            About::Step {
                bill,
                payment,
                step,
            },
        )
    }

    /// An event about an endpoint.
    pub fn of_endpoint(at: &Moment, fact: Fact, endpoint: Endpoint) -> Self {
        Self::new(at, fact, About::Endpoint(Box::new(endpoint)))
    }

    /// An event about a payout.
    pub fn of_payout(at: &Moment, fact: Fact, payout: Payout) -> Self {
        Self::new(at, fact, About::Payout(Box::new(payout)))
    }

    /// An event at a moment.
    pub fn new(at: &Moment, fact: Fact, about: About) -> Self {
        let object = match &about {
            About::Bill {
                payment: Some(payment),
                ..
            } => payment.head.id.as_str(),
            About::Step { payment, .. } => payment.head.id.as_str(),
            About::Bill { bill, .. } => bill.head.id.as_str(),
            About::Endpoint(endpoint) => endpoint.head.id.as_str(),
            About::Payout(payout) => payout.head.id.as_str(),
        };
        let id = EventId::mint(at, &format!("{}/{object}", fact.as_str()));
        let at = at.now;
        Self {
            id,
            at,
            fact,
            about,
        }
    }

    /// Whose it is.
    pub fn merchant(&self) -> &MerchantId {
        match &self.about {
            About::Bill { bill, .. } | About::Step { bill, .. } => &bill.head.merchant,
            About::Endpoint(endpoint) => &endpoint.head.merchant,
            About::Payout(payout) => &payout.head.merchant,
        }
    }

    /// Test or live.
    pub fn mode(&self) -> Mode {
        match &self.about {
            About::Bill { bill, .. } | About::Step { bill, .. } => bill.head.mode,
            About::Endpoint(endpoint) => endpoint.head.mode,
            About::Payout(payout) => payout.head.mode,
        }
    }

    /// Our id of the object by which the event is found again: the bill, the endpoint.
    pub fn object(&self) -> &str {
        match &self.about {
            About::Bill { bill, .. } | About::Step { bill, .. } => bill.head.id.as_str(),
            About::Endpoint(endpoint) => endpoint.head.id.as_str(),
            About::Payout(payout) => payout.head.id.as_str(),
        }
    }

    /// The name of the dialect that the object came through; `None` for objects that belong to
    /// no single one.
    pub fn dialect(&self) -> Option<&str> {
        match &self.about {
            About::Bill { bill, .. } | About::Step { bill, .. } => Some(&bill.head.dialect),
            About::Payout(payout) => Some(&payout.head.dialect),
            About::Endpoint(_) => None,
        }
    }

    /// The payout, if it is about one.
    pub fn payout(&self) -> Option<&Payout> {
        match &self.about {
            About::Payout(payout) => Some(payout),
            About::Bill { .. } | About::Step { .. } | About::Endpoint(_) => None,
        }
    }

    /// The bill, if it is about one.
    pub fn bill(&self) -> Option<&Bill> {
        match &self.about {
            About::Bill { bill, .. } | About::Step { bill, .. } => Some(bill),
            About::Endpoint(_) | About::Payout(_) => None,
        }
    }

    /// The payment, if it is about one.
    pub fn payment(&self) -> Option<&Payment> {
        match &self.about {
            About::Bill { payment, .. } => payment.as_deref(),
            About::Step { payment, .. } => Some(payment),
            About::Endpoint(_) | About::Payout(_) => None,
        }
    }
}
