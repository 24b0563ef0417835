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

    /// The rule of its meters.
    pub fn rule(self) -> Rule {
        match self {
            // Five tries in a thousand codes; a hundred hours would be needed for half of them,
            // and the card is blocked on the first day.
            Self::Card => Rule {
                most: 5,
                within: Span::from_minutes(24 * 60),
                lock: Span::from_minutes(15),
                in_a_day: Some(20),
            },
            // A payer mistypes a few times; a payment lives an hour.
            Self::Payment => Rule {
                most: 10,
                within: Span::from_minutes(24 * 60),
                lock: Span::from_minutes(60),
                in_a_day: None,
            },
            // A chain of shops mistypes now and then in each of them.
            Self::Client => Rule {
                most: 200,
                within: Span::from_minutes(10),
                lock: Span::from_minutes(10),
                in_a_day: None,
            },
            // Behind one address there may be an office, not a crowd of guessers.
            Self::Address => Rule {
                most: 20,
                within: Span::from_minutes(15),
                lock: Span::from_minutes(15),
                in_a_day: None,
            },
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
        let all_day = rule.in_a_day.is_some_and(|most| self.today >= most);
        (self, all_day)
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
