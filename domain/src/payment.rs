//! A payment: one movement of money from a payer to a merchant, and every legal transition of it.
//!
//! A payment has a state and, once authorised, four sums. The transitions keep, always:
//! `captured + released <= authorized` and `refunded <= captured`. A transition consumes the
//! payment and gives a [`Decision`]: new state, ledger transfers and fact together.

use serde::{Deserialize, Serialize};

use crate::bill::Bill;
use crate::card::Instrument;
use crate::event::Fact;
use crate::id::{BillId, CardId, MerchantId, PaymentId, WireId};
use crate::ledger::{AccountId, Journal, Reason, Transfer};
use crate::merchant::Mode;
use crate::moment::{Moment, Timestamp};
use crate::money::{AmountError, Money};
use crate::refusal::Refusal;

/// Why a rail said no: a code for programs and a sentence for the payer's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// For example `insufficient_funds`.
    pub code: String,
    /// For example `Insufficient funds`.
    pub text: String,
}

impl Cause {
    /// From its two parts.
    pub fn new(code: &str, text: &str) -> Self {
        Self {
            code: code.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// The four sums of an authorised payment, all in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    authorized: Money,
    captured: Money,
    released: Money,
    refunded: Money,
}

impl Sums {
    fn authorized_only(amount: Money) -> Self {
        let zero = Money::zero(amount.currency());
        Self {
            authorized: amount,
            captured: zero,
            released: zero,
            refunded: zero,
        }
    }

    /// The sums as they were stored; refuses what no sequence of transitions can reach.
    pub fn restore(
        authorized: Money,
        captured: Money,
        released: Money,
        refunded: Money,
    ) -> Result<Self, AmountError> {
        authorized.checked_sub(captured.checked_add(released)?)?;
        captured.checked_sub(refunded)?;
        Ok(Self {
            authorized,
            captured,
            released,
            refunded,
        })
    }

    /// Reserved in all.
    pub fn authorized(&self) -> Money {
        self.authorized
    }

    /// Gone to the merchant.
    pub fn captured(&self) -> Money {
        self.captured
    }

    /// Reserved and given back.
    pub fn released(&self) -> Money {
        self.released
    }

    /// Captured and given back.
    pub fn refunded(&self) -> Money {
        self.refunded
    }

    /// Reserved, neither captured nor released.
    pub fn held(&self) -> Result<Money, AmountError> {
        self.authorized
            .checked_sub(self.captured)?
            .checked_sub(self.released)
    }

    /// Captured and not refunded.
    pub fn refundable(&self) -> Result<Money, AmountError> {
        self.captured.checked_sub(self.refunded)
    }
}

/// How a payment ended without money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// The payer gave up.
    Aborted,
    /// Its time was over.
    Expired,
    /// The merchant took it back.
    Cancelled,
    /// The rail said no.
    Rejected(Cause),
}

/// Where a payment stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaymentState {
    /// Nothing has moved yet.
    Pending,
    /// Money was reserved; the sums tell the rest.
    Authorized {
        /// When.
        at: Timestamp,
        /// The four sums.
        sums: Sums,
    },
    /// Over, and no money moved.
    Ended {
        /// When.
        at: Timestamp,
        /// How.
        how: Ended,
    },
}

impl PaymentState {
    /// A word for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorized { .. } => "authorized",
            Self::Ended {
                how: Ended::Aborted,
                ..
            } => "aborted",
            Self::Ended {
                how: Ended::Expired,
                ..
            } => "expired",
            Self::Ended {
                how: Ended::Cancelled,
                ..
            } => "cancelled",
            Self::Ended {
                how: Ended::Rejected(_),
                ..
            } => "rejected",
        }
    }
}

/// What never changes about a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentHead {
    /// Our id.
    pub id: PaymentId,
    /// What the dialect calls it (HitPay: the charge id).
    pub wire: WireId,
    /// The bill it pays.
    pub bill: BillId,
    /// The merchant who gets the money.
    pub merchant: MerchantId,
    /// Test or live.
    pub mode: Mode,
    /// How much is to move.
    pub amount: Money,
    /// The method, in the dialect's code.
    pub method: String,
    /// The rail that moves it.
    pub rail: String,
    /// What may be kept of the card, if it is one.
    pub instrument: Option<Instrument>,
    /// The gift card it is paid from, if it is one.
    pub gift_card: Option<GiftPart>,
    /// When it was begun.
    pub created: Timestamp,
}

/// The gift card that a payment draws on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiftPart {
    /// The card.
    pub card: CardId,
    /// The last five digits of its number: all that is shown of it.
    pub last5: String,
}

/// The method and the rail of a payment that is drawn from a gift card.
pub const GIFT_CARD: &str = "gift_card";

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// What never changes.
    pub head: PaymentHead,
    /// When anything last changed.
    pub updated: Timestamp,
    /// Counts changes; an update is guarded by the number that was read.
    pub version: i64,
    state: PaymentState,
}

/// How a payer wants to pay.
#[derive(Clone, Debug)]
pub struct Means {
    /// The method, in the dialect's code.
    pub method: String,
    /// The rail that will move the money.
    pub rail: String,
    /// What may be kept of the card, if it is one.
    pub instrument: Option<Instrument>,
}

/// The only result of a transition: what to save, together or not at all.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The payment in its new state.
    pub payment: Payment,
    /// The money that moves.
    pub journal: Journal,
    /// What to announce.
    pub fact: Fact,
}

impl Payment {
    /// A new payment for the whole amount of a bill.
    pub fn begin(at: &Moment, bill: &Bill, wire: WireId, means: Means) -> Self {
        Self::begin_rest(at, bill, wire, means, bill.ask.amount)
    }

    /// A new payment for a part of a bill: what gift cards do not cover.
    pub fn begin_rest(at: &Moment, bill: &Bill, wire: WireId, means: Means, amount: Money) -> Self {
        let head = PaymentHead {
            id: PaymentId::mint(at, "payment"),
            wire,
            bill: bill.head.id.clone(),
            merchant: bill.head.merchant.clone(),
            mode: bill.head.mode,
            amount,
            method: means.method,
            rail: means.rail,
            instrument: means.instrument,
            gift_card: None,
            created: at.now,
        };
        Self {
            head,
            updated: at.now,
            version: 1,
            state: PaymentState::Pending,
        }
    }

    /// A new payment of a part of a bill from a gift card. Several may begin in one operation,
    /// each at a branch of its moment.
    pub fn begin_part(
        at: &Moment,
        bill: &Bill,
        wire: WireId,
        part: GiftPart,
        amount: Money,
    ) -> Self {
        let means = Means {
            method: GIFT_CARD.to_owned(),
            rail: GIFT_CARD.to_owned(),
            instrument: None,
        };
        let mut payment = Self::begin_rest(at, bill, wire, means, amount);
        payment.head.gift_card = Some(part);
        payment
    }

    /// Before saying yes the payer adds something to what is asked for, delivery for example.
    pub fn enlarged(mut self, by: Money) -> Result<Self, Refusal> {
        if self.state != PaymentState::Pending {
            return Err(self.wrong_state());
        }
        self.head.amount = self
            .head
            .amount
            .checked_add(by)
            .map_err(|e| bad_amount(by, e))?;
        Ok(self)
    }

    /// A payment as it was stored.
    pub fn restore(
        head: PaymentHead,
        updated: Timestamp,
        version: i64,
        state: PaymentState,
    ) -> Self {
        Self {
            head,
            updated,
            version,
            state,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> &PaymentState {
        &self.state
    }

    /// The payer's money is reserved: clearing → held.
    pub fn authorize(self, now: Timestamp) -> Result<Decision, Refusal> {
        if self.state != PaymentState::Pending {
            return Err(self.wrong_state());
        }
        let amount = self.head.amount;
        let journal = self.moves(self.clearing(), self.held(), amount, Reason::Authorize)?;
        let sums = Sums::authorized_only(amount);
        let state = PaymentState::Authorized { at: now, sums };
        Ok(self.decide(now, state, journal, Fact::PaymentAuthorized))
    }

    /// Reserved money goes to the merchant, whole or in part: held → merchant, or → redeemed when
    /// it came from a gift card.
    pub fn capture(self, now: Timestamp, amount: Money) -> Result<Decision, Refusal> {
        let (at, mut sums) = self.sums()?;
        enough(amount, sums.held())?;
        let journal = self.moves(self.held(), self.merchant(), amount, Reason::Capture)?;
        sums.captured = sums
            .captured
            .checked_add(amount)
            .map_err(|e| bad_amount(amount, e))?;
        let state = PaymentState::Authorized { at, sums };
        Ok(self.decide(now, state, journal, Fact::PaymentCaptured))
    }

    /// All that is still reserved goes back to the payer: held → clearing.
    pub fn release(self, now: Timestamp) -> Result<Decision, Refusal> {
        let (at, mut sums) = self.sums()?;
        let amount = sums.held().map_err(|e| bad_amount(sums.authorized, e))?;
        let journal = self.moves(self.held(), self.clearing(), amount, Reason::Release)?;
        sums.released = sums
            .released
            .checked_add(amount)
            .map_err(|e| bad_amount(amount, e))?;
        let state = PaymentState::Authorized { at, sums };
        Ok(self.decide(now, state, journal, Fact::PaymentReleased))
    }

    /// Captured money goes back to the payer, whole or in part: merchant → clearing.
    pub fn refund(self, now: Timestamp, amount: Money) -> Result<Decision, Refusal> {
        let (at, mut sums) = self.sums()?;
        enough(amount, sums.refundable())?;
        let journal = self.moves(self.merchant(), self.clearing(), amount, Reason::Refund)?;
        sums.refunded = sums
            .refunded
            .checked_add(amount)
            .map_err(|e| bad_amount(amount, e))?;
        let state = PaymentState::Authorized { at, sums };
        Ok(self.decide(now, state, journal, Fact::PaymentRefunded))
    }

    /// It ends without money: refused by the rail, aborted, expired or cancelled.
    pub fn end(self, now: Timestamp, how: Ended) -> Result<Decision, Refusal> {
        if self.state != PaymentState::Pending {
            return Err(self.wrong_state());
        }
        let state = PaymentState::Ended { at: now, how };
        Ok(self.decide(now, state, Journal::empty(), Fact::PaymentEnded))
    }

    fn decide(
        mut self,
        now: Timestamp,
        state: PaymentState,
        journal: Journal,
        fact: Fact,
    ) -> Decision {
        self.state = state;
        self.updated = now;
        self.version = self.version.saturating_add(1);
        Decision {
            payment: self,
            journal,
            fact,
        }
    }

    fn sums(&self) -> Result<(Timestamp, Sums), Refusal> {
        match &self.state {
            PaymentState::Authorized { at, sums } => Ok((*at, *sums)),
            PaymentState::Pending | PaymentState::Ended { .. } => Err(self.wrong_state()),
        }
    }

    fn wrong_state(&self) -> Refusal {
        Refusal::WrongState(self.state.name().to_owned())
    }

    fn moves(
        &self,
        from: AccountId,
        to: AccountId,
        amount: Money,
        why: Reason,
    ) -> Result<Journal, Refusal> {
        let transfer =
            Transfer::new(from, to, amount, why).map_err(|error| bad_amount(amount, error))?;
        Ok(Journal::of(transfer))
    }

    /// Where the payer's money comes from and goes back to: the rail, or the gift card itself.
    fn clearing(&self) -> AccountId {
        match &self.head.gift_card {
            Some(part) => AccountId::Card(part.card.clone()),
            None => AccountId::Clearing(self.head.rail.clone()),
        }
    }

    fn held(&self) -> AccountId {
        AccountId::Held(self.head.id.clone())
    }

    /// Where captured money goes: what we owe the merchant, or, from a gift card, what the merchant
    /// has had since it sold the card.
    fn merchant(&self) -> AccountId {
        let merchant = self.head.merchant.clone();
        match &self.head.gift_card {
            Some(_) => AccountId::Redeemed(merchant),
            None => AccountId::Merchant(merchant),
        }
    }
}

impl Decision {
    /// Two transitions saved as one, for dialects that authorise and capture in one step. The
    /// fact announced is the second one's.
    pub fn and_then(
        self,
        next: impl FnOnce(Payment) -> Result<Decision, Refusal>,
    ) -> Result<Self, Refusal> {
        let second = next(self.payment)?;
        Ok(Self {
            journal: self.journal.then(second.journal),
            ..second
        })
    }
}

/// `amount` must be above zero, in the currency of `left`, and not more than it.
fn enough(amount: Money, left: Result<Money, AmountError>) -> Result<(), Refusal> {
    let left = left.map_err(|error| bad_amount(amount, error))?;
    match left.checked_sub(amount) {
        Ok(_) => Ok(()),
        Err(_) => Err(Refusal::TooMuch(amount.to_string(), left.to_string())),
    }
}

fn bad_amount(amount: Money, error: AmountError) -> Refusal {
    Refusal::TooMuch(amount.to_string(), error.to_string())
}
