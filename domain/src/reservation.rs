//! Reservations: a bill with exactly one payment, made together, whose money is first reserved and
//! then captured, released and refunded in steps by the merchant.
//!
//! Promises: every step is a [`Step`] with an id of its own, kept for ever; what a state does not
//! allow is a [`StepProblem`] that says which rule it breaks; the sums of the payment stay under
//! the rules of [`Payment`]. A reservation that is not used is released at its deadline.

mod problem;
mod rules;

use serde::{Deserialize, Serialize};

use crate::bill::{Ask, Bill};
use crate::call::BillView;
use crate::event::Fact;
use crate::id::WireId;
use crate::merchant::Merchant;
use crate::moment::Timestamp;
use crate::money::Money;
use crate::payment::{Cause, Decision, Ended, Payment, PaymentState, Sums};
use crate::refusal::Refusal;

pub use problem::StepProblem;
pub use rules::{CallLimits, Rules, TokenRules};

/// What a step did, or tried to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// It was asked for.
    Created,
    /// The payer's money was reserved (or, without success, was not).
    Authorized,
    /// Reserved money went to the merchant.
    Captured,
    /// What was still reserved went back.
    Released,
    /// Captured money went back.
    Refunded,
    /// The payer refused.
    Aborted,
    /// Nobody paid in time.
    Expired,
    /// The merchant took it back before it was paid.
    Cancelled,
}

impl StepKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::Authorized,
        Self::Captured,
        Self::Released,
        Self::Refunded,
        Self::Aborted,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Refunded => "refunded",
            Self::Aborted => "aborted",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What is announced of it.
    pub fn fact(self) -> Fact {
        match self {
            Self::Created => Fact::BillCreated,
            Self::Authorized => Fact::PaymentAuthorized,
            Self::Captured => Fact::PaymentCaptured,
            Self::Released => Fact::PaymentReleased,
            Self::Refunded => Fact::PaymentRefunded,
            Self::Aborted | Self::Expired | Self::Cancelled => Fact::PaymentEnded,
        }
    }
}

/// One thing that happened to a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its place, from 1 without gaps.
    pub number: u32,
    /// What.
    pub kind: StepKind,
    /// What the dialect calls this step.
    pub wire: WireId,
    /// How much this step moved, or would have.
    pub amount: Money,
    /// The idempotency key of the call that made it.
    pub key: Option<String>,
    /// Why it did not work, if it did not.
    pub failure: Option<Cause>,
    /// Until when the reserved money can be captured, of a step that reserved it.
    pub until: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

/// How the payer hears of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On a page, where the payer may say which telephone to ask.
    Page,
    /// At once, on the telephone that the merchant named.
    Phone,
}

/// What is asked of a reservation. The text is the merchant's reference, which is unique for a
/// merchant and mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReservationCall {
    /// Ask a payer for money. The reference is in the ask.
    Create(Box<Ask>, Reach),
    /// Show it.
    Show(String),
    /// List its steps.
    Log(String),
    /// Take reserved money.
    Capture(String, Money),
    /// Give captured money back.
    Refund(String, Money),
    /// Take it back, or release what is still reserved.
    Cancel {
        /// Which.
        reference: String,
        /// Refuse if money is reserved already.
        only_pending: bool,
    },
    /// Say yes in the payer's place. Test mode only.
    Approve {
        /// Which.
        reference: String,
        /// The payer's telephone number, if that names the payer.
        phone: Option<String>,
        /// The token of the landing page, if that names the payer.
        token: Option<String>,
    },
    /// A call whose reference can be read and whose body is wrong: refused, but remembered under
    /// its idempotency key like any other.
    Unsound {
        /// The name of the call that it would be.
        operation: &'static str,
        /// Of which reservation.
        reference: String,
        /// Why it is refused.
        refusal: Refusal,
    },
}

impl ReservationCall {
    /// A short name for logs, counters and the scope of keys.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(..) => "create_reservation",
            Self::Show(_) => "show_reservation",
            Self::Log(_) => "log_reservation",
            Self::Capture(..) => "capture_reservation",
            Self::Refund(..) => "refund_reservation",
            Self::Cancel { .. } => "cancel_reservation",
            Self::Approve { .. } => "approve_reservation",
            Self::Unsound { operation, .. } => operation,
        }
    }

    /// The merchant's reference.
    pub fn reference(&self) -> &str {
        match self {
            Self::Create(ask, _) => ask.reference.as_deref().unwrap_or_default(),
            Self::Show(reference)
            | Self::Log(reference)
            | Self::Capture(reference, _)
            | Self::Refund(reference, _)
            | Self::Cancel { reference, .. }
            | Self::Approve { reference, .. }
            | Self::Unsound { reference, .. } => reference,
        }
    }
}

/// A reservation with what its answers show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationView {
    /// The bill.
    pub bill: Bill,
    /// Who asks.
    pub merchant: Merchant,
    /// The payment.
    pub payment: Payment,
    /// Where it stands at the time of the answer: one whose time is over has expired, whether or
    /// not that was written down yet.
    pub state: PaymentState,
    /// Until when reserved money can be captured.
    pub until: Option<Timestamp>,
    /// The telephone whose owner was asked.
    pub phone: Option<String>,
    /// Its steps, oldest first, if they were asked for.
    pub steps: Vec<Step>,
}

impl ReservationView {
    /// The same as a bill with its one payment, for what only looks at bills.
    pub fn bill_view(&self) -> BillView {
        BillView {
            bill: self.bill.clone(),
            merchant: self.merchant.clone(),
            payments: vec![self.payment.clone()],
            state: self.bill.state().clone(),
        }
    }
}

/// What a call to a reservation comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReservationReply {
    /// It was made.
    Created(ReservationView),
    /// As it is now.
    Shown(ReservationView),
    /// Its steps.
    Log(ReservationView),
    /// It was captured, refunded or cancelled.
    Changed(ReservationView),
    /// The payer said yes.
    Approved,
}

fn refuse<T>(problem: StepProblem) -> Result<T, Refusal> {
    Err(Refusal::Step(problem))
}

/// When a reservation made now ends if nobody pays: at the time asked for, which must lie in the
/// bounds, or after the usual time.
pub fn ends(asked: Option<Timestamp>, now: Timestamp, rules: &Rules) -> Result<Timestamp, Refusal> {
    match asked {
        None => Ok(now.plus(rules.pays_within)),
        Some(at) if at <= now.plus(rules.soonest_end) => refuse(StepProblem::ExpiresTooSoon),
        Some(at) if at > now.plus(rules.latest_end) => refuse(StepProblem::ExpiresTooLate),
        Some(at) => Ok(at),
    }
}

/// Where a reservation stands at a point in time: a pending one whose time is over has expired.
pub fn state_at(bill: &Bill, payment: &Payment, now: Timestamp) -> PaymentState {
    match (payment.state(), bill.ask.expires) {
        (PaymentState::Pending, Some(expires)) if expires <= now => PaymentState::Ended {
            at: expires,
            how: Ended::Expired,
        },
        (state, _) => state.clone(),
    }
}

/// The payer's money is reserved.
pub fn authorize(payment: Payment, now: Timestamp) -> Result<Decision, Refusal> {
    match payment.state() {
        PaymentState::Pending => payment.authorize(now),
        PaymentState::Authorized { .. } => refuse(StepProblem::ReservedBefore),
        state @ PaymentState::Ended { .. } => {
            refuse(StepProblem::ApproveOfEnded(state.name().to_owned()))
        }
    }
}

/// Takes reserved money, `amount` of it. `until` is the deadline.
pub fn capture(
    payment: Payment,
    now: Timestamp,
    amount: Money,
    until: Option<Timestamp>,
) -> Result<Decision, Refusal> {
    let sums = match payment.state() {
        PaymentState::Authorized { sums, .. } => *sums,
        PaymentState::Pending => return refuse(StepProblem::CaptureBeforeReserved),
        state @ PaymentState::Ended { .. } => {
            return refuse(StepProblem::CaptureOfEnded(state.name().to_owned()));
        }
    };
    in_currency(&payment, amount)?;
    let held = left(&sums)?;
    let late = until.is_some_and(|until| until <= now);
    if held.is_zero() {
        return refuse(if sums.released().is_zero() {
            StepProblem::CapturedBefore
        } else if late {
            StepProblem::CaptureTooLate
        } else {
            StepProblem::CaptureOfReleased
        });
    }
    if late {
        return refuse(StepProblem::CaptureTooLate);
    }
    if held.checked_sub(amount).is_err() {
        return refuse(StepProblem::CaptureTooHigh(held.to_string()));
    }
    payment.capture(now, amount)
}

/// Gives captured money back, `amount` of it. `last_capture` is when money was last captured.
pub fn refund(
    payment: Payment,
    now: Timestamp,
    amount: Money,
    last_capture: Option<Timestamp>,
    rules: &Rules,
) -> Result<Decision, Refusal> {
    let sums = match payment.state() {
        PaymentState::Authorized { sums, .. } => *sums,
        PaymentState::Pending => return refuse(StepProblem::RefundBeforeReserved),
        state @ PaymentState::Ended { .. } => {
            return refuse(StepProblem::RefundOfEnded(state.name().to_owned()));
        }
    };
    in_currency(&payment, amount)?;
    let captured = sums
        .refundable()
        .map_err(|error| Refusal::TooMuch(amount.to_string(), error.to_string()))?;
    if captured.is_zero() && !sums.refunded().is_zero() {
        return refuse(StepProblem::RefundedBefore);
    }
    if captured.checked_sub(amount).is_err() {
        return refuse(StepProblem::RefundTooHigh(captured.to_string()));
    }
    if last_capture.is_some_and(|at| at.plus(rules.refund_window) <= now) {
        return refuse(StepProblem::RefundTooLate);
    }
    payment.refund(now, amount)
}

/// Takes it back: a pending one ends, a reserved one gives back all that is still reserved.
/// `until` is the deadline, after which time itself has given it back.
pub fn cancel(
    payment: Payment,
    now: Timestamp,
    only_pending: bool,
    until: Option<Timestamp>,
) -> Result<(StepKind, Decision), Refusal> {
    let sums = match payment.state() {
        PaymentState::Pending => {
            let decision = payment.end(now, Ended::Cancelled)?;
            return Ok((StepKind::Cancelled, decision));
        }
        PaymentState::Authorized { sums, .. } => *sums,
        state @ PaymentState::Ended { .. } => {
            return refuse(StepProblem::CancelOfEnded(state.name().to_owned()));
        }
    };
    if left(&sums)?.is_zero() {
        return refuse(if sums.released().is_zero() {
            StepProblem::CancelOfCaptured
        } else if until.is_some_and(|until| until <= now) {
            StepProblem::CancelTooLate
        } else {
            StepProblem::CancelOfEnded("cancelled".to_owned())
        });
    }
    if only_pending {
        return refuse(StepProblem::CancelOfReserved);
    }
    Ok((StepKind::Released, payment.release(now)?))
}

/// How much a decision moved, compared with the payment before it: the difference of the sum that
/// the step is about; the whole amount for steps that move nothing.
pub fn moved(kind: StepKind, before: &Payment, after: &Payment) -> Money {
    let of = |payment: &Payment| match payment.state() {
        PaymentState::Authorized { sums, .. } => match kind {
            StepKind::Captured => Some(sums.captured()),
            StepKind::Released => Some(sums.released()),
            StepKind::Refunded => Some(sums.refunded()),
            StepKind::Created
            | StepKind::Authorized
            | StepKind::Aborted
            | StepKind::Expired
            | StepKind::Cancelled => None,
        },
        PaymentState::Pending | PaymentState::Ended { .. } => None,
    };
    match (of(before), of(after)) {
        (Some(before), Some(after)) => after.checked_sub(before).unwrap_or(after),
        _ => after.head.amount,
    }
}

fn left(sums: &Sums) -> Result<Money, Refusal> {
    sums.held()
        .map_err(|error| Refusal::TooMuch(sums.authorized().to_string(), error.to_string()))
}

fn in_currency(payment: &Payment, amount: Money) -> Result<(), Refusal> {
    let own = payment.head.amount.currency();
    if amount.currency() == own {
        Ok(())
    } else {
        refuse(StepProblem::OtherCurrency(own.code().to_owned()))
    }
}
