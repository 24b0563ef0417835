//! From card to card: one that is lost or damaged is closed, and another takes its place.
//!
//! Promises: nothing stays on a closed card; what comes back to it later goes on to its successor,
//! and to the successor of that one; each of the two histories names the other card.

use super::{CardDecision, CardRefusal, CardState, Deed, GiftCard, Note, Validity, add, moves};
use crate::ledger::{Journal, Reason};
use crate::moment::Timestamp;
use crate::money::Money;
use crate::refusal::Refusal;

impl GiftCard {
    /// What is left goes to another card of the same merchant, and this one is closed. Not while a
    /// payment holds something.
    pub fn move_to(
        mut self,
        other: Self,
        now: Timestamp,
        note: Note,
    ) -> Result<(CardDecision, CardDecision), Refusal> {
        let same = self.head.merchant == other.head.merchant && self.head.mode == other.head.mode;
        if self.head.id == other.head.id || !same {
            return Err(CardRefusal::Elsewhere.into());
        }
        match (self.state, other.state) {
            (CardState::Expired | CardState::Closed, _) => return Err(self.wrong_state()),
            (_, CardState::Expired | CardState::Closed) => return Err(other.wrong_state()),
            _ if !self.held.is_zero() => return Err(Refusal::TryUnderWay),
            _ => {}
        }
        self.state = CardState::Closed;
        self.successor = Some(other.head.id.clone());
        self.hand_over(other, now, note)
    }

    /// Is there money on it that belongs to its successor?
    pub fn has_to_pass_on(&self) -> bool {
        self.state == CardState::Closed && self.successor.is_some() && !self.available().is_zero()
    }

    /// What came back to a closed card goes on to its successor, whatever state that one is in: a
    /// blocked card may be let go again, one whose time is over is good again until `renewed`, and
    /// a closed one passes it on in its turn.
    pub fn pass_on(
        self,
        mut successor: Self,
        renewed: Validity,
        now: Timestamp,
        note: Note,
    ) -> Result<(CardDecision, CardDecision), Refusal> {
        self.must_be(CardState::Closed)?;
        if self.successor.as_ref() != Some(&successor.head.id) {
            return Err(CardRefusal::Elsewhere.into());
        }
        successor.renew(renewed, now);
        self.hand_over(successor, now, note)
    }

    /// All that is left: card → card.
    fn hand_over(
        mut self,
        mut other: Self,
        now: Timestamp,
        note: Note,
    ) -> Result<(CardDecision, CardDecision), Refusal> {
        let amount = self.available();
        other.balance = add(other.balance, amount)?;
        let journal = moves(self.account(), other.account(), amount, Reason::Transfer)?;
        self.balance = Money::zero(amount.currency());
        let naming = |way: &str, last5: &str| {
            let reason = format!("{}, {way} the card ending in {last5}", note.reason);
            Note::new(&note.by, &reason)
        };
        let (to, from) = (
            naming("to", &other.head.last5),
            naming("from", &self.head.last5),
        );
        let out = self.decide(now, journal, (Deed::MoveOut, amount), to);
        let into = other.decide(now, Journal::empty(), (Deed::MoveIn, amount), from);
        Ok((out, into))
    }
}
