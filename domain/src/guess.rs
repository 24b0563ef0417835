//! How often a gift card may be guessed: what makes trying numbers hopeless.
//!
//! Every wrong try counts in several meters at once (the card number that was typed, whether or
//! not it exists; the payment; the client; the address), and each meter locks by its own rule.
//! A number that no card has counts like one that some card has, so a lock tells nothing.

use crate::moment::{Span, Timestamp};

/// What a meter counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The number that was typed.
    Card,
    /// The payment at which it was typed.
    Payment,
    /// The client that sent it.
    Client,
    /// The address it came from.
    Address,
}

impl Scope {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Payment => "payment",
            Self::Client => "client",
            Self::Address => "address",
        }
    }
}

/// When a meter locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Wrong tries that lock it.
    pub most: u32,
    /// The time within which they count.
    pub within: Span,
    /// How long it stays locked.
    pub lock: Span,
    /// Wrong tries in a day that mean somebody is guessing: the card is blocked.
    pub in_a_day: Option<u32>,
}

/// The rules of all meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Of one number.
    pub card: Rule,
    /// Of one payment.
    pub payment: Rule,
    /// Of one client.
    pub client: Rule,
    /// Of one address.
    pub address: Rule,
}

impl Rules {
    /// The rule of a scope's meters.
    pub fn of(&self, scope: Scope) -> &Rule {
        match scope {
            Scope::Card => &self.card,
            Scope::Payment => &self.payment,
            Scope::Client => &self.client,
            Scope::Address => &self.address,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        let rule = |most, within, lock| Rule {
            most,
            within: Span::from_minutes(within),
            lock: Span::from_minutes(lock),
            in_a_day: None,
        };
        Self {
            // Five tries in a thousand codes; a hundred hours would be needed for half of them,
            // and the card is blocked on the first day.
            card: Rule {
                in_a_day: Some(20),
                ..rule(5, 24 * 60, 15)
            },
            // A payer mistypes a few times; a payment lives an hour.
            payment: rule(10, 24 * 60, 60),
            // A chain of shops mistypes now and then in each of them.
            client: rule(200, 10, 10),
            // Behind one address there may be an office, not a crowd of guessers.
            address: rule(20, 15, 15),
        }
    }
}

/// Wrong tries so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Wrong tries since `since`.
    pub wrong: u32,
    /// When the first of them was.
    pub since: Timestamp,
    /// Wrong tries since `day`.
    pub today: u32,
    /// When the first of those was.
    pub day: Timestamp,
    /// Locked until then.
    pub locked_until: Option<Timestamp>,
}

const DAY: Span = Span::from_minutes(24 * 60);

impl Meter {
    /// Nothing counted yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            wrong: 0,
            since: now,
            today: 0,
            day: now,
            locked_until: None,
        }
    }

    /// May another try be made? If not: come back after the time given.
    pub fn admit(&self, now: Timestamp) -> Result<(), Span> {
        match self.locked_until {
            Some(until) if now < until => Err(until.since(now)),
            Some(_) | None => Ok(()),
        }
    }

    /// One more wrong try. The second value says whether somebody is guessing all day.
    #[must_use]
    pub fn wrong(mut self, now: Timestamp, rule: &Rule) -> (Self, bool) {
        if self.since.plus(rule.within) <= now {
            (self.wrong, self.since) = (0, now);
        }
        if self.day.plus(DAY) <= now {
            (self.today, self.day) = (0, now);
        }
        self.wrong = self.wrong.saturating_add(1);
        self.today = self.today.saturating_add(1);
        if self.wrong >= rule.most {
            self.locked_until = Some(now.plus(rule.lock));
            (self.wrong, self.since) = (0, now);
        }
        let over = rule.in_a_day.and_then(|most| self.today.checked_sub(most));
        if let Some(over) = over {
            // From here on each try locks, and each lock is twice as long as the one before: what
            // is blocked cannot be guessed on at leisure.
            let twice = 1_u64.checked_shl(over).unwrap_or(u64::MAX);
            let lock = rule.lock.millis().saturating_mul(twice);
            let lock = Span::from_millis(lock.min(DAY.millis()));
            self.locked_until = Some(now.plus(lock));
            (self.wrong, self.since) = (0, now);
        }
        (self, over.is_some())
    }

    /// The right code was typed: short-term counting starts anew, the day's does not.
    #[must_use]
    pub fn right(mut self) -> Self {
        self.wrong = 0;
        self
    }

    /// Does it hold nothing that a new meter would not?
    pub fn is_fresh(&self) -> bool {
        self.wrong == 0 && self.today == 0 && self.locked_until.is_none()
    }
}
