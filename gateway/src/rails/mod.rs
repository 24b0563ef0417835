//! Rails: how money arrives and leaves.
//!
//! A rail is asked outside any transaction. What it is asked, and what it answers, is recorded
//! before and after (see [`crate::operations::payments`]). Today there is one, the simulator, for
//! test mode; a trait appears with the second one.

pub mod simulator;

use domain::payment::Cause;
use domain::{Mode, Refusal};

/// What a rail said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The money is reserved.
    Approved,
    /// No.
    Declined(Cause),
    /// The payer must first say yes at the bank's own page.
    Challenge,
}

/// The rail for a mode. In live mode there is none yet: the simulator does not exist there.
pub fn for_mode(mode: Mode) -> Result<&'static str, Refusal> {
    match mode {
        Mode::Test => Ok(simulator::NAME),
        Mode::Live => Err(Refusal::NoMethod),
    }
}
