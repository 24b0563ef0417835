//! A gift card: an amount that a merchant owes to whoever has the number and its code.
//!
//! Promises: a card is never worth less than nothing and never less than what is held on it; every
//! change gives the card, the money that moves and the activity that tells of it together
//! ([`CardDecision`]); money that a payment holds, takes or gives back moves by that payment's own
//! transition, so card and payment cannot part ways. A card's account in the ledger is what is
//! left on it and not held; the row repeats it under the schema's checks.

pub mod history;
mod moving;
pub mod state;

use serde::{Deserialize, Serialize};

pub use self::history::{Activity, CardRefusal, Deed, Note, Sign};
pub use self::state::CardState;
use crate::id::{CardId, MerchantId};
use crate::ledger::{AccountId, Journal, Reason, Transfer};
use crate::merchant::Mode;
use crate::moment::Timestamp;
use crate::money::{AmountError, Money};
use crate::payment::{Decision, Payment};
use crate::refusal::Refusal;

/// Until when a card is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// The last day, `2027-12-31`, in the programme's time zone.
    pub last_day: String,
    /// The first moment after that day.
    pub ends: Timestamp,
}

/// What never changes about a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardHead {
    /// Our id.
    pub id: CardId,
    /// Who sold it and owes its amount.
    pub merchant: MerchantId,
    /// Test or live.
    pub mode: Mode,
    /// The last five digits of its number: all that is kept of it in clear.
    pub last5: String,
    /// The shops (six digits each) where it is good; none named: all of the merchant's.
    pub vendors: Vec<String>,
    /// When it was issued.
    pub created: Timestamp,
}

/// A gift card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GiftCard {
    /// What never changes.
    pub head: CardHead,
    /// Until when it is good.
    pub validity: Validity,
    /// Where it stands.
    state: CardState,
    /// The card that took its place when it was closed.
    successor: Option<CardId>,
    /// What it is worth, held money included.
    balance: Money,
    /// What payments hold of that.
    held: Money,
    /// Counts changes; an update is guarded by the number that was read.
    pub version: i64,
}

/// The only result of a change: what to save, together or not at all.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardDecision {
    /// The card afterwards.
    pub card: GiftCard,
    /// Money that moves without a payment.
    pub journal: Journal,
    /// The payment's own change, if the money moves by one.
    pub payment: Option<Box<Decision>>,
    /// What to write into the card's history.
    pub activity: Activity,
}

/// A card to be issued.
#[derive(Clone, Debug)]
pub struct NewCard {
    /// What never changes.
    pub head: CardHead,
    /// How much is on it; may be nothing.
    pub amount: Money,
    /// Until when it is good.
    pub validity: Validity,
    /// May it be used at once?
    pub active: bool,
}

/// What comes back to a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// How much.
    pub amount: Money,
    /// Until when the card is good again if its time is over: money must not come back to where it
    /// cannot be used.
    pub renewed: Validity,
}

/// Where a card is to be used.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Whose bill is paid.
    pub merchant: &'a MerchantId,
    /// The shop, if the bill names one.
    pub vendor: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

impl GiftCard {
    /// A new card: issued → card.
    pub fn issue(new: NewCard, note: Note) -> Result<CardDecision, Refusal> {
        let NewCard {
            head,
            amount,
            validity,
            active,
        } = new;
        let now = head.created;
        let issued = AccountId::Issued(head.merchant.clone());
        let card = Self {
            state: if active {
                CardState::Active
            } else {
                CardState::Inactive
            },
            balance: amount,
            held: Money::zero(amount.currency()),
            successor: None,
            version: 0,
            validity,
            head,
        };
        let journal = moves(issued, card.account(), amount, Reason::Issue)?;
        Ok(card.decide(now, journal, (Deed::Issue, amount), note))
    }

    /// A card as it was stored; refuses what no sequence of changes can reach.
    pub fn restore(
        head: CardHead,
        validity: Validity,
        (state, successor): (CardState, Option<CardId>),
        worth: Worth,
        version: i64,
    ) -> Result<Self, AmountError> {
        worth.balance.checked_sub(worth.held)?;
        Ok(Self {
            head,
            validity,
            state,
            successor,
            balance: worth.balance,
            held: worth.held,
            version,
        })
    }

    /// Where it stands on paper; a card past its time may not have been swept yet.
    pub fn state(&self) -> CardState {
        self.state
    }

    /// The card that took its place when it was closed.
    pub fn successor(&self) -> Option<&CardId> {
        self.successor.as_ref()
    }

    /// What it is worth, held money included.
    pub fn balance(&self) -> Money {
        self.balance
    }

    /// What payments hold of it.
    pub fn held(&self) -> Money {
        self.held
    }

    /// What can still be used: its account in the ledger.
    pub fn available(&self) -> Money {
        // `held` is never more than `balance`: every constructor and every change keeps that.
        self.balance
            .checked_sub(self.held)
            .unwrap_or_else(|_| Money::zero(self.balance.currency()))
    }

    /// May it be used there now? Asked only after its code was right. A card that is good in some
    /// shops is good nowhere else, also where nobody says which shop it is.
    pub fn usable(&self, place: &Place<'_>) -> Result<(), Refusal> {
        self.alive(place.now)?;
        if self.head.merchant != *place.merchant || !self.is_good_at(place.vendor) {
            return Err(CardRefusal::Elsewhere.into());
        }
        Ok(())
    }

    /// May it be used now, wherever it is good?
    pub fn alive(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.state {
            CardState::Active => {}
            CardState::Expired => return Err(CardRefusal::Expired.into()),
            CardState::Inactive | CardState::Blocked | CardState::Closed => {
                return Err(CardRefusal::NotUsable.into());
            }
        }
        if self.validity.ends <= now {
            return Err(CardRefusal::Expired.into());
        }
        Ok(())
    }

    fn is_good_at(&self, vendor: Option<&str>) -> bool {
        let named = |good: &String| vendor == Some(good.as_str());
        self.head.vendors.is_empty() || self.head.vendors.iter().any(named)
    }

    /// How much of `wanted` (`None`: of all that is needed) can be drawn when `needed` is left to
    /// pay. A wanted amount that is not there is refused, never cut.
    pub fn draw(&self, needed: Money, wanted: Option<Money>) -> Result<Money, Refusal> {
        let there = self.available();
        if there.currency() != needed.currency() {
            return Err(CardRefusal::Elsewhere.into());
        }
        let amount = match wanted {
            Some(wanted) if wanted.checked_sub(needed).is_ok_and(|more| !more.is_zero()) => {
                return Err(Refusal::TooMuch(wanted.to_string(), needed.to_string()));
            }
            Some(wanted) => wanted,
            None if there.minor() < needed.minor() => there,
            None => needed,
        };
        if amount.is_zero() || there.checked_sub(amount).is_err() {
            return Err(CardRefusal::NotEnough.into());
        }
        Ok(amount)
    }

    /// A payment that has just begun reserves its amount: card → held.
    pub fn hold(
        mut self,
        payment: Payment,
        place: &Place<'_>,
        note: Note,
    ) -> Result<CardDecision, Refusal> {
        self.usable(place)?;
        let amount = payment.head.amount;
        self.draw(amount, Some(amount))?;
        self.held = add(self.held, amount)?;
        let decision = self.own(payment)?.authorize(place.now)?;
        Ok(self.with_payment(place.now, decision, (Deed::Hold, amount), note))
    }

    /// A payment takes all that it holds: held → redeemed. The card's own state does not matter:
    /// what was reserved in time is paid.
    pub fn redeem(
        mut self,
        payment: Payment,
        now: Timestamp,
        note: Note,
    ) -> Result<CardDecision, Refusal> {
        let payment = self.own(payment)?;
        let amount = held_by(&payment)?;
        self.held = subtract(self.held, amount)?;
        self.balance = subtract(self.balance, amount)?;
        let decision = payment.capture(now, amount)?;
        Ok(self.with_payment(now, decision, (Deed::Redeem, amount), note))
    }

    /// A payment lets go of all that it holds: held → card.
    pub fn free(
        mut self,
        payment: Payment,
        now: Timestamp,
        note: Note,
    ) -> Result<CardDecision, Refusal> {
        let payment = self.own(payment)?;
        let amount = held_by(&payment)?;
        self.held = subtract(self.held, amount)?;
        let decision = payment.release(now)?;
        Ok(self.with_payment(now, decision, (Deed::Free, amount), note))
    }

    /// A payment gives back: redeemed → card, never more than it took. A card whose time is over
    /// is good again for a while. One that was replaced stays closed: what it has now is to be
    /// [passed on](Self::pass_on).
    pub fn give_back(
        mut self,
        payment: Payment,
        back: Return,
        now: Timestamp,
        note: Note,
    ) -> Result<CardDecision, Refusal> {
        let Return { amount, renewed } = back;
        let decision = self.own(payment)?.refund(now, amount)?;
        self.balance = add(self.balance, amount)?;
        self.renew(renewed, now);
        Ok(self.with_payment(now, decision, (Deed::GiveBack, amount), note))
    }

    /// Good again if its time is over. A closed card stays as it is, unless nobody knows its
    /// successor any more: then it is blocked, and an operator can move what is on it.
    fn renew(&mut self, renewed: Validity, now: Timestamp) {
        match self.state {
            CardState::Closed if self.successor.is_some() => return,
            CardState::Closed => self.state = CardState::Blocked,
            CardState::Expired => self.state = CardState::Active,
            CardState::Active | CardState::Inactive | CardState::Blocked => {}
        }
        if self.validity.ends <= now {
            self.validity = renewed;
        }
    }

    /// May be used from now on.
    pub fn activate(mut self, now: Timestamp, note: Note) -> Result<CardDecision, Refusal> {
        self.must_be(CardState::Inactive)?;
        self.state = CardState::Active;
        Ok(self.noted(now, Deed::Activate, note))
    }

    /// Stops it. What payments hold already is still paid.
    pub fn block(mut self, now: Timestamp, note: Note) -> Result<CardDecision, Refusal> {
        self.must_be(CardState::Active)?;
        self.state = CardState::Blocked;
        Ok(self.noted(now, Deed::Block, note))
    }

    /// Lets it go again.
    pub fn unblock(mut self, now: Timestamp, note: Note) -> Result<CardDecision, Refusal> {
        self.must_be(CardState::Blocked)?;
        self.state = CardState::Active;
        Ok(self.noted(now, Deed::Unblock, note))
    }

    /// Adds money: issued → card. Not to a card that can never be used again.
    pub fn top_up(
        mut self,
        amount: Money,
        now: Timestamp,
        note: Note,
    ) -> Result<CardDecision, Refusal> {
        match self.state {
            CardState::Active | CardState::Inactive | CardState::Blocked => {}
            CardState::Expired => return Err(CardRefusal::Expired.into()),
            CardState::Closed => return Err(self.wrong_state()),
        }
        if self.validity.ends <= now {
            return Err(CardRefusal::Expired.into());
        }
        if amount.is_zero() || amount.currency() != self.balance.currency() {
            let (wanted, left) = (amount.to_string(), self.balance.to_string());
            return Err(Refusal::TooMuch(wanted, left));
        }
        let issued = AccountId::Issued(self.head.merchant.clone());
        let journal = moves(issued, self.account(), amount, Reason::Issue)?;
        self.balance = add(self.balance, amount)?;
        Ok(self.decide(now, journal, (Deed::TopUp, amount), note))
    }

    /// Is there anything for [`expire`](Self::expire) to do?
    pub fn is_due(&self, now: Timestamp) -> bool {
        let over = self.validity.ends <= now && self.state != CardState::Closed;
        over && (self.state != CardState::Expired || !self.available().is_zero())
    }

    /// Its time is over: what is left and not held is breakage: card → breakage. What a payment
    /// holds stays with that payment; if it is freed later, the card is due again.
    pub fn expire(mut self, now: Timestamp, note: Note) -> Result<CardDecision, Refusal> {
        if !self.is_due(now) {
            return Err(self.wrong_state());
        }
        let amount = self.available();
        let breakage = AccountId::Breakage(self.head.merchant.clone());
        let journal = moves(self.account(), breakage, amount, Reason::Expire)?;
        self.balance = self.held;
        self.state = CardState::Expired;
        Ok(self.decide(now, journal, (Deed::Expire, amount), note))
    }

    /// The payment, if it draws on this card.
    fn own(&self, payment: Payment) -> Result<Payment, Refusal> {
        match &payment.head.gift_card {
            Some(part) if part.card == self.head.id => Ok(payment),
            Some(_) | None => Err(CardRefusal::Elsewhere.into()),
        }
    }

    fn must_be(&self, state: CardState) -> Result<(), Refusal> {
        if self.state == state {
            Ok(())
        } else {
            Err(self.wrong_state())
        }
    }

    fn wrong_state(&self) -> Refusal {
        Refusal::WrongState(self.state.as_str().to_owned())
    }

    fn account(&self) -> AccountId {
        AccountId::Card(self.head.id.clone())
    }

    fn noted(self, now: Timestamp, deed: Deed, note: Note) -> CardDecision {
        let nothing = Money::zero(self.balance.currency());
        self.decide(now, Journal::empty(), (deed, nothing), note)
    }

    fn with_payment(
        self,
        now: Timestamp,
        decision: Decision,
        done: (Deed, Money),
        note: Note,
    ) -> CardDecision {
        let payment = decision.payment.head.id.clone();
        let mut decided = self.decide(now, Journal::empty(), done, note);
        decided.activity.payment = Some(payment);
        decided.payment = Some(Box::new(decision));
        decided
    }

    fn decide(
        mut self,
        now: Timestamp,
        journal: Journal,
        (deed, amount): (Deed, Money),
        note: Note,
    ) -> CardDecision {
        self.version = self.version.saturating_add(1);
        let activity = Activity {
            place: self.version,
            at: now,
            deed,
            amount,
            balance: self.balance,
            held: self.held,
            payment: None,
            note,
        };
        CardDecision {
            card: self,
            journal,
            payment: None,
            activity,
        }
    }
}

/// What a card is worth and how much of it is held, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    /// Held money included.
    pub balance: Money,
    /// Held by payments.
    pub held: Money,
}

/// A journal of one transfer, or of none for nothing.
fn moves(from: AccountId, to: AccountId, amount: Money, why: Reason) -> Result<Journal, Refusal> {
    if amount.is_zero() {
        return Ok(Journal::empty());
    }
    Transfer::new(from, to, amount, why)
        .map(Journal::of)
        .map_err(|error| Refusal::TooMuch(amount.to_string(), error.to_string()))
}

fn held_by(payment: &Payment) -> Result<Money, Refusal> {
    match payment.state() {
        crate::PaymentState::Authorized { sums, .. } => sums
            .held()
            .map_err(|error| Refusal::TooMuch(sums.authorized().to_string(), error.to_string())),
        state @ (crate::PaymentState::Pending | crate::PaymentState::Ended { .. }) => {
            Err(Refusal::WrongState(state.name().to_owned()))
        }
    }
}

fn add(one: Money, other: Money) -> Result<Money, Refusal> {
    one.checked_add(other)
        .map_err(|error| Refusal::TooMuch(other.to_string(), error.to_string()))
}

fn subtract(from: Money, amount: Money) -> Result<Money, Refusal> {
    from.checked_sub(amount)
        .map_err(|error| Refusal::TooMuch(amount.to_string(), error.to_string()))
}
