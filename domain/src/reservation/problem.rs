//! The closed list of what a reservation does not allow.

use serde::{Deserialize, Serialize};

use crate::payment::Cause;

/// Why a step is not possible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepProblem {
    /// A reservation with this reference is there already.
    ReferenceTaken(String),
    /// The payer would have too little time.
    ExpiresTooSoon,
    /// The payer would have too much time.
    ExpiresTooLate,
    /// The currency is another one than the reservation's.
    OtherCurrency(String),
    /// Capture before money was reserved.
    CaptureBeforeReserved,
    /// Capture of what was released before.
    CaptureOfReleased,
    /// Capture of more than is reserved; the text is what is left.
    CaptureTooHigh(String),
    /// Capture after the deadline.
    CaptureTooLate,
    /// Everything was captured before.
    CapturedBefore,
    /// Capture of a reservation that ended; the text is its state.
    CaptureOfEnded(String),
    /// Refund before money was reserved.
    RefundBeforeReserved,
    /// Refund of more than was captured; the text is what is left.
    RefundTooHigh(String),
    /// Everything was refunded before.
    RefundedBefore,
    /// Refund of a reservation that ended; the text is its state.
    RefundOfEnded(String),
    /// Refund after its time.
    RefundTooLate,
    /// The payer's account cannot be refunded.
    RefundImpossible,
    /// Cancel after everything was captured.
    CancelOfCaptured,
    /// Cancel of what time has released.
    CancelTooLate,
    /// Cancel of a reserved payment, when only a pending one was to be cancelled.
    CancelOfReserved,
    /// Cancel of a reservation that ended; the text is its state.
    CancelOfEnded(String),
    /// The payer said yes before.
    ReservedBefore,
    /// A reservation that ended cannot be approved; the text is its state.
    ApproveOfEnded(String),
    /// Nobody would see the request: it names no payer.
    NoPayer,
    /// The payer has never approved by hand.
    NeverApproved,
    /// What is delivered to a door is approved by hand.
    ApproveByHand,
    /// The payer's bank said no.
    Declined(Cause),
    /// Live payments cannot be approved by a call.
    LiveMode,
    /// Nobody who may pay is behind what names the payer.
    NoSuchPayer,
    /// The payer has no card.
    NoCards,
    /// What the payer's bank will say is not known yet.
    Processing,
    /// Cancel while that is not known yet.
    CancelOfProcessing,
    /// The bank does not give what it reserved.
    FundsGone,
    /// The bank could not be asked for what it reserved.
    CaptureFailed,
}

impl StepProblem {
    /// One of each kind, for tests that must meet them all.
    pub fn examples() -> Vec<Self> {
        let text = || "NOK 4.00".to_owned();
        let state = || "expired".to_owned();
        vec![
            Self::ReferenceTaken("order-12345".to_owned()),
            Self::ExpiresTooSoon,
            Self::ExpiresTooLate,
            Self::OtherCurrency("NOK".to_owned()),
            Self::CaptureBeforeReserved,
            Self::CaptureOfReleased,
            Self::CaptureTooHigh(text()),
            Self::CaptureTooLate,
            Self::CapturedBefore,
            Self::CaptureOfEnded(state()),
            Self::RefundBeforeReserved,
            Self::RefundTooHigh(text()),
            Self::RefundedBefore,
            Self::RefundOfEnded(state()),
            Self::RefundTooLate,
            Self::RefundImpossible,
            Self::CancelOfCaptured,
            Self::CancelTooLate,
            Self::CancelOfReserved,
            Self::CancelOfEnded(state()),
            Self::ReservedBefore,
            Self::ApproveOfEnded(state()),
            Self::NoPayer,
            Self::NeverApproved,
            Self::ApproveByHand,
            Self::Declined(Cause::new("insufficient_funds", "Insufficient funds")),
            Self::LiveMode,
            Self::NoSuchPayer,
            Self::NoCards,
            Self::Processing,
            Self::CancelOfProcessing,
            Self::FundsGone,
            Self::CaptureFailed,
        ]
    }
}
