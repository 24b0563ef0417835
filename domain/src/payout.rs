//! A payout: money that leaves a merchant for one of its customers, and every legal transition.
//!
//! | state | what is waited for | money |
//! |---|---|---|
//! | awaiting user | the customer says where it goes | reserved |
//! | awaiting approval | the merchant says yes | reserved |
//! | processing | the rail | reserved |
//! | paid | – | gone over the rail |
//! | rejected, cancelled, expired | – | back with the merchant |
//!
//! A transition consumes the payout and gives a [`Decision`]: new state, ledger transfers and fact
//! together. So the reserved money is always in exactly one place, and a payout that was turned
//! down for want of money never had any.

use serde::{Deserialize, Serialize};

use crate::bill::Payer;
use crate::event::Fact;
use crate::id::{MerchantId, PayoutId, WireId};
use crate::ledger::{AccountId, Journal, Reason, Transfer};
use crate::merchant::{Caller, Mode};
use crate::moment::{Moment, Span, Timestamp};
use crate::money::Money;
use crate::payment::Cause;
use crate::refusal::Refusal;

/// Where a payout stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayoutState {
    /// The customer has to say where the money goes.
    AwaitingUser,
    /// The merchant has to approve it.
    AwaitingApproval,
    /// The rail has it.
    Processing,
    /// The money arrived.
    Paid {
        /// When.
        at: Timestamp,
    },
    /// Turned down by the customer, by the rail, or for want of money.
    Rejected {
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// Turned down by the merchant.
    Cancelled {
        /// When.
        at: Timestamp,
    },
    /// Nobody acted in time.
    Expired {
        /// When.
        at: Timestamp,
    },
}

impl PayoutState {
    /// The word in the database and in messages.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::AwaitingUser => "awaiting_user",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Processing => "processing",
            Self::Paid { .. } => "paid",
            Self::Rejected { .. } => "rejected",
            Self::Cancelled { .. } => "cancelled",
            Self::Expired { .. } => "expired",
        }
    }

    /// Will it never change again?
    pub fn is_final(&self) -> bool {
        match self {
            Self::AwaitingUser | Self::AwaitingApproval | Self::Processing => false,
            Self::Paid { .. }
            | Self::Rejected { .. }
            | Self::Cancelled { .. }
            | Self::Expired { .. } => true,
        }
    }
}

/// What the merchant ordered; it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// How much.
    pub amount: Money,
    /// The merchant's own reference.
    pub reference: Option<String>,
    /// What the customer is told it is for.
    pub purpose: Option<String>,
    /// Who gets it.
    pub payee: Payer,
    /// Providers that may carry it, best first.
    pub methods: Vec<String>,
    /// Where the browser goes afterwards.
    pub return_url: Option<String>,
    /// Where the webhooks of this one payout go.
    pub notify_url: Option<String>,
    /// What only the dialect cares about: a JSON object that no rule looks at.
    pub extras: serde_json::Map<String, serde_json::Value>,
}

/// How long each stage may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stages {
    /// For the customer.
    pub user: Span,
    /// For the merchant's approval.
    pub approval: Span,
    /// Before the rail is asked what became of it.
    pub rail: Span,
}

/// What never changes about a payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutHead {
    /// Our id, and the key the rail knows it by.
    pub id: PayoutId,
    /// What the dialect calls it.
    pub wire: WireId,
    /// The dialect it came through.
    pub dialect: String,
    /// Whose money it is.
    pub merchant: MerchantId,
    /// Test or live.
    pub mode: Mode,
    /// When it was requested.
    pub created: Timestamp,
    /// Who requested it: a name for the two-person rule, never a key.
    pub by: String,
}

/// How far a payout has come, beside its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The provider that carries it, once chosen.
    pub provider: Option<String>,
    /// The rail, once approved.
    pub rail: Option<String>,
    /// When the stage is over by itself: it expires, or the rail is asked. None when final.
    pub due: Option<Timestamp>,
}

/// A payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    /// What never changes.
    pub head: PayoutHead,
    /// What was ordered.
    pub order: Order,
    /// How far it has come.
    pub progress: Progress,
    /// When anything last changed.
    pub updated: Timestamp,
    /// Counts changes; an update is guarded by the number that was read.
    pub version: i64,
    state: PayoutState,
}

/// The only result of a transition: what to save, together or not at all.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The payout in its new state.
    pub payout: Payout,
    /// The money that moves.
    pub journal: Journal,
    /// What to announce.
    pub fact: Fact,
}

/// A payout to be requested.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The dialect it came through.
    pub dialect: &'a str,
    /// What the dialect calls it.
    pub wire: WireId,
    /// What was ordered.
    pub order: Order,
    /// Who requests it.
    pub by: String,
    /// Must the customer say where the money goes?
    pub user_step: bool,
}

/// Who may approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval<'a> {
    /// Who approves.
    pub by: &'a str,
    /// Above this amount it takes another person than the one who requested the payout.
    pub alone_up_to: Option<Money>,
    /// The rail that will carry it.
    pub rail: &'a str,
    /// The provider that carries it if nobody has chosen one: the best of those offered now.
    pub provider: Option<&'a str>,
}

impl Payout {
    /// A new payout. Its money is reserved at once; what the merchant does not have (`available`)
    /// cannot be, and then the payout is rejected from the start.
    pub fn request(
        at: &Moment,
        caller: &Caller,
        request: Request<'_>,
        available: Money,
        stages: Stages,
    ) -> Result<Decision, Refusal> {
        let head = PayoutHead {
            id: PayoutId::mint(at, "payout"),
            wire: request.wire,
            dialect: request.dialect.to_owned(),
            merchant: caller.merchant.id.clone(),
            mode: caller.mode,
            created: at.now,
            by: request.by,
        };
        let amount = request.order.amount;
        let (state, due) = match (available.checked_sub(amount), request.user_step) {
            (Err(_), _) => {
                let cause = insufficient_funds();
                (PayoutState::Rejected { at: at.now, cause }, None)
            }
            (Ok(_), true) => (PayoutState::AwaitingUser, Some(stages.user)),
            (Ok(_), false) => (PayoutState::AwaitingApproval, Some(stages.approval)),
        };
        let payout = Self {
            head,
            order: request.order,
            progress: Progress {
                due: due.map(|span| at.now.plus(span)),
                ..Progress::default()
            },
            updated: at.now,
            version: 1,
            state,
        };
        let journal = if payout.state.is_final() {
            Journal::empty()
        } else {
            payout.moves(payout.merchant(), payout.reserved(), Reason::Reserve)?
        };
        Ok(Decision {
            payout,
            journal,
            fact: Fact::PayoutCreated,
        })
    }

    /// A payout as it was stored.
    pub fn restore(
        head: PayoutHead,
        order: Order,
        progress: Progress,
        (updated, version): (Timestamp, i64),
        state: PayoutState,
    ) -> Self {
        Self {
            head,
            order,
            progress,
            updated,
            version,
            state,
        }
    }

    /// Where it stands on paper. See [`Payout::state_at`].
    pub fn state(&self) -> &PayoutState {
        &self.state
    }

    /// Where it stands at a point in time: one that waits for a person and whose time is over has
    /// expired, whether or not the worker has written that down yet.
    pub fn state_at(&self, now: Timestamp) -> PayoutState {
        match (&self.state, self.progress.due) {
            (PayoutState::AwaitingUser | PayoutState::AwaitingApproval, Some(due))
                if due <= now =>
            {
                PayoutState::Expired { at: due }
            }
            (state, _) => state.clone(),
        }
    }

    /// The customer says where the money goes. One that needs no such step may be told so once,
    /// until it is approved.
    pub fn choose(
        mut self,
        now: Timestamp,
        provider: &str,
        stages: Stages,
    ) -> Result<Decision, Refusal> {
        if !self.order.methods.iter().any(|method| method == provider) {
            return Err(Refusal::NoMethod);
        }
        match self.state_at(now) {
            PayoutState::AwaitingUser => {
                self.progress.due = Some(now.plus(stages.approval));
            }
            PayoutState::AwaitingApproval if self.progress.provider.is_none() => {}
            state @ (PayoutState::AwaitingApproval
            | PayoutState::Processing
            | PayoutState::Paid { .. }
            | PayoutState::Rejected { .. }
            | PayoutState::Cancelled { .. }
            | PayoutState::Expired { .. }) => return Err(wrong(&state)),
        }
        self.progress.provider = Some(provider.to_owned());
        let state = PayoutState::AwaitingApproval;
        Ok(self.decide(now, state, Journal::empty(), Fact::PayoutSubmitted))
    }

    /// The merchant says yes: the rail gets it. Without a provider that could carry it, it goes on
    /// waiting.
    pub fn approve(
        mut self,
        now: Timestamp,
        approval: &Approval<'_>,
        stages: Stages,
    ) -> Result<Decision, Refusal> {
        let state = self.state_at(now);
        if state != PayoutState::AwaitingApproval {
            return Err(wrong(&state));
        }
        let alone = approval
            .alone_up_to
            .is_none_or(|limit| limit.checked_sub(self.order.amount).is_ok());
        if !alone && approval.by == self.head.by {
            return Err(Refusal::NotAllowed(
                "This payout needs the approval of a second person: another key than the one \
                 that requested it"
                    .to_owned(),
            ));
        }
        let best = approval.provider.map(str::to_owned);
        let provider = self.progress.provider.take().or(best);
        self.progress.provider = Some(provider.ok_or(Refusal::NoMethod)?);
        self.progress.rail = Some(approval.rail.to_owned());
        self.progress.due = Some(now.plus(stages.rail));
        let state = PayoutState::Processing;
        Ok(self.decide(now, state, Journal::empty(), Fact::PayoutApproved))
    }

    /// The merchant says no, before it approved.
    pub fn cancel(self, now: Timestamp) -> Result<Decision, Refusal> {
        self.waits(now)?;
        self.give_back(
            now,
            PayoutState::Cancelled { at: now },
            Fact::PayoutCancelled,
        )
    }

    /// The customer says no, before the merchant approved: what is approved is the rail's.
    pub fn refuse(self, now: Timestamp, cause: Cause) -> Result<Decision, Refusal> {
        self.waits(now)?;
        self.turn_down(now, cause)
    }

    /// The rail says no to what it was given.
    pub fn reject(self, now: Timestamp, cause: Cause) -> Result<Decision, Refusal> {
        self.carried(now)?;
        self.turn_down(now, cause)
    }

    /// The rail has paid it out: reserved → clearing.
    pub fn paid(self, now: Timestamp) -> Result<Decision, Refusal> {
        let rail = self.carried(now)?;
        let journal = self.moves(self.reserved(), AccountId::Clearing(rail), Reason::Payout)?;
        let state = PayoutState::Paid { at: now };
        Ok(self.decide(now, state, journal, Fact::PayoutPaid))
    }

    /// Nobody acted in time (or the simulator says so).
    pub fn expire(self, at: Timestamp) -> Result<Decision, Refusal> {
        match self.state {
            PayoutState::AwaitingUser | PayoutState::AwaitingApproval => {}
            PayoutState::Processing
            | PayoutState::Paid { .. }
            | PayoutState::Rejected { .. }
            | PayoutState::Cancelled { .. }
            | PayoutState::Expired { .. } => return Err(wrong(&self.state)),
        }
        self.give_back(at, PayoutState::Expired { at }, Fact::PayoutExpired)
    }

    /// Does it still wait for a person?
    fn waits(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.state_at(now) {
            PayoutState::AwaitingUser | PayoutState::AwaitingApproval => Ok(()),
            state @ (PayoutState::Processing
            | PayoutState::Paid { .. }
            | PayoutState::Rejected { .. }
            | PayoutState::Cancelled { .. }
            | PayoutState::Expired { .. }) => Err(wrong(&state)),
        }
    }

    /// The rail that has it.
    fn carried(&self, now: Timestamp) -> Result<String, Refusal> {
        match (&self.state, &self.progress.rail) {
            (PayoutState::Processing, Some(rail)) => Ok(rail.clone()),
            (_, _) => Err(wrong(&self.state_at(now))),
        }
    }

    fn turn_down(self, now: Timestamp, cause: Cause) -> Result<Decision, Refusal> {
        let state = PayoutState::Rejected { at: now, cause };
        self.give_back(now, state, Fact::PayoutRejected)
    }

    /// Reserved → merchant.
    fn give_back(
        self,
        now: Timestamp,
        state: PayoutState,
        fact: Fact,
    ) -> Result<Decision, Refusal> {
        let journal = self.moves(self.reserved(), self.merchant(), Reason::Return)?;
        Ok(self.decide(now, state, journal, fact))
    }

    fn decide(
        mut self,
        now: Timestamp,
        state: PayoutState,
        journal: Journal,
        fact: Fact,
    ) -> Decision {
        if state.is_final() {
            self.progress.due = None;
        }
        self.state = state;
        self.updated = now;
        self.version = self.version.saturating_add(1);
        Decision {
            payout: self,
            journal,
            fact,
        }
    }

    fn moves(&self, from: AccountId, to: AccountId, why: Reason) -> Result<Journal, Refusal> {
        let amount = self.order.amount;
        let transfer = Transfer::new(from, to, amount, why)
            .map_err(|error| Refusal::TooMuch(amount.to_string(), error.to_string()))?;
        Ok(Journal::of(transfer))
    }

    fn reserved(&self) -> AccountId {
        AccountId::Payout(self.head.id.clone())
    }

    fn merchant(&self) -> AccountId {
        AccountId::Merchant(self.head.merchant.clone())
    }
}

/// The reason of a payout for which the merchant has too little.
pub fn insufficient_funds() -> Cause {
    Cause::new("insufficient_funds", "Insufficient funds")
}

fn wrong(state: &PayoutState) -> Refusal {
    Refusal::WrongState(state.as_str().to_owned())
}
