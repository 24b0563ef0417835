//! One try to move money over a rail, recorded before the rail is asked and after it answered.
//!
//! A crash between the two leaves the attempt `Asked`; a worker then asks the rail, by the
//! attempt's id, what became of it. So nothing is charged twice and nothing is forgotten.

use serde::{Deserialize, Serialize};

use crate::id::{AttemptId, PaymentId};
use crate::moment::Timestamp;
use crate::payment::Cause;
use crate::refusal::Refusal;

/// Where an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptState {
    /// The rail is being asked; its answer is not known yet.
    Asked,
    /// The payer is at the bank's own page (3-D Secure, bank app).
    Challenged,
    /// The rail moved the money.
    Approved,
    /// The rail said no.
    Declined(Cause),
    /// Given up before an answer: replaced by another try, cancelled, or out of time.
    Abandoned,
}

impl AttemptState {
    /// The word in the database.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Challenged => "challenged",
            Self::Approved => "approved",
            Self::Declined(_) => "declined",
            Self::Abandoned => "abandoned",
        }
    }

    /// Is an answer still to come?
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Asked | Self::Challenged)
    }
}

/// One try. Its id is also its idempotency key towards the rail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Our id, and the key the rail knows it by.
    pub id: AttemptId,
    /// The payment it tries to make.
    pub payment: PaymentId,
    /// The rail's name.
    pub rail: String,
    /// When the rail was asked.
    pub asked: Timestamp,
    state: AttemptState,
}

impl Attempt {
    /// A new attempt, about to be asked.
    pub fn ask(id: AttemptId, payment: PaymentId, rail: &str, asked: Timestamp) -> Self {
        Self {
            id,
            payment,
            rail: rail.to_owned(),
            asked,
            state: AttemptState::Asked,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> &AttemptState {
        &self.state
    }

    /// The attempt as it was stored.
    #[must_use]
    pub fn restored(mut self, state: AttemptState) -> Self {
        self.state = state;
        self
    }

    /// The rail's answer. An attempt that is no longer open takes none: the caller is told, and
    /// moves no money. `Asked` is no answer: an attempt never goes back to it.
    pub fn answer(mut self, state: AttemptState) -> Result<Self, Refusal> {
        if !self.state.is_open() || state == AttemptState::Asked {
            return Err(Refusal::WrongState(self.state.as_str().to_owned()));
        }
        self.state = state;
        Ok(self)
    }
}
