//! When a webhook is tried again and when it is given up: rules as data.

use crate::limits::{LATENESS, RETRY_AFTER_MAX};
use crate::moment::{Seed, Span, Timestamp};

/// What becomes of an endpoint that has failed for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenDead {
    /// Its deliveries wait until somebody resumes it.
    Pause,
    /// It is removed, as the contract says.
    Remove,
}

/// How deliveries of one scheme behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRules {
    /// When each further attempt is due, counted from the first one. With five entries there are
    /// six attempts in all.
    pub retries: Vec<Span>,
    /// How long the receiver may take to answer.
    pub timeout: Span,
    /// The `User-Agent` we send.
    pub user_agent: String,
    /// Up to so many hundredths of the wait are added by chance, so that what failed together is
    /// not tried together. Nothing where the schedule is published.
    pub jitter_percent: u32,
    /// Is a `Retry-After` of the receiver honoured? It puts the next attempt off, never gives one
    /// up.
    pub retry_after: bool,
    /// Does 410 Gone end the delivery and pause its endpoint?
    pub gone_ends: bool,
    /// An endpoint that has failed for so long without a success is announced to its owner.
    pub warn_after: Option<Span>,
    /// An endpoint that has failed for so long without a success is dead.
    pub dead_after: Option<Span>,
    /// What happens to a dead endpoint.
    pub when_dead: WhenDead,
}

/// An attempt that was made, as far as the rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// Its number on the schedule, from 1. Attempts by hand are not counted.
    pub number: u32,
    /// When the first one was made.
    pub first: Timestamp,
    /// When this one was begun.
    pub began: Timestamp,
    /// When this one ended.
    pub now: Timestamp,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// How long the receiver asked us to wait, if it did.
    pub retry_after: Option<Span>,
    /// Chance for this attempt.
    pub seed: &'a Seed,
}

/// What one attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// It did not; try again at the time given.
    RetryAt(Timestamp),
    /// It did not, and that was the last try.
    GivenUp,
}

impl DeliveryRules {
    /// Does this HTTP status mean that the receiver took it? Any 2xx does.
    pub fn is_success(&self, status: u16) -> bool {
        (200..300).contains(&status)
    }

    /// Is this the answer of a receiver that wants no more?
    pub fn is_gone(&self, status: Option<u16>) -> bool {
        self.gone_ends && status == Some(410)
    }

    /// What follows an attempt. The schedule counts from the first one, however long each takes.
    /// One that was made late (we were down, the endpoint was paused) is followed by the whole
    /// pause that stands between the two: what is left of a schedule is never spent at once.
    pub fn after(&self, made: Made<'_>) -> Outcome {
        if made.status.is_some_and(|status| self.is_success(status)) {
            return Outcome::Delivered;
        }
        if self.is_gone(made.status) {
            return Outcome::GivenUp;
        }
        let index = usize::try_from(made.number.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(wait) = self.retries.get(index) else {
            return Outcome::GivenUp;
        };
        let mut planned = made.first.plus(*wait);
        if made.began > self.planned(made.first, index).plus(self.slack(index)) {
            planned = planned.max(made.began.plus(self.pause(index)));
        }
        let planned = planned.max(made.now);
        let planned = planned.plus(self.jitter(planned.since(made.now), made.seed));
        let asked = made.retry_after.filter(|_| self.retry_after);
        let asked = asked.map(|span| made.now.plus(span.min(RETRY_AFTER_MAX)));
        Outcome::RetryAt(asked.map_or(planned, |asked| asked.max(planned)))
    }

    /// When so many attempts have been made, the next one is planned for this time.
    fn planned(&self, first: Timestamp, made: usize) -> Timestamp {
        let wait = made.checked_sub(1).and_then(|last| self.retries.get(last));
        wait.map_or(first, |wait| first.plus(*wait))
    }

    /// The pause between two attempts, before which so many others are made.
    fn pause(&self, before: usize) -> Span {
        let zero = Timestamp::from_millis(0);
        let end = self.planned(zero, before.saturating_add(1));
        end.since(self.planned(zero, before))
    }

    /// How much later than planned an attempt may be made and still be on time: the worker looks
    /// now and then, and chance adds its part.
    fn slack(&self, before: usize) -> Span {
        let next = self.pause(before).millis();
        let own = (next / 10).max(LATENESS.millis().min(next / 2));
        let last = before.checked_sub(1);
        let last = last.map_or(0, |last| self.pause(last).millis());
        let chance = last.saturating_mul(u64::from(self.jitter_percent)) / 100;
        Span::from_millis(own.saturating_add(chance))
    }

    /// A part of a wait, by chance.
    fn jitter(&self, wait: Span, seed: &Seed) -> Span {
        let [a, b, ..] = seed.derive("jitter");
        let chance = u64::from(u16::from_be_bytes([a, b]));
        let most = wait
            .millis()
            .saturating_mul(u64::from(self.jitter_percent))
            .checked_div(100)
            .unwrap_or(0);
        let part = most.saturating_mul(chance).checked_div(65_535);
        Span::from_millis(part.unwrap_or(0))
    }
}

/// Reads the `Retry-After` header in its form with seconds. `None` for anything else.
pub fn retry_after_seconds(text: &str) -> Option<Span> {
    let text = text.trim();
    let digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| text.parse().ok().map(Span::from_seconds))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed::new([7; 32]);

    fn rules() -> DeliveryRules {
        DeliveryRules {
            retries: [1, 5, 30].map(Span::from_minutes).to_vec(),
            timeout: Span::from_seconds(30),
            user_agent: "test".to_owned(),
            jitter_percent: 0,
            retry_after: true,
            gone_ends: true,
            warn_after: None,
            dead_after: None,
            when_dead: WhenDead::Pause,
        }
    }

    fn made(number: u32, now: Timestamp, status: Option<u16>) -> Made<'static> {
        Made {
            number,
            first: Timestamp::from_millis(1_000),
            began: now,
            now,
            status,
            retry_after: None,
            seed: &SEED,
        }
    }

    #[test]
    fn retries_count_from_the_first_attempt_and_end() {
        let first = Timestamp::from_millis(1_000);
        let due = |attempt, now: Timestamp| rules().after(made(attempt, now, Some(500)));
        let minute = |n| first.plus(Span::from_minutes(n));
        assert_eq!(due(1, first), Outcome::RetryAt(minute(1)));
        assert_eq!(due(2, minute(1)), Outcome::RetryAt(minute(5)));
        assert_eq!(due(3, minute(5)), Outcome::RetryAt(minute(30)));
        assert_eq!(due(4, minute(30)), Outcome::GivenUp);
    }

    #[test]
    fn a_late_attempt_is_followed_by_the_whole_pause() {
        let minute = |n| Timestamp::from_millis(1_000).plus(Span::from_minutes(n));
        let seconds = Span::from_seconds;
        let after = |number, began: Timestamp, took| {
            rules().after(Made {
                began,
                ..made(number, began.plus(took), None)
            })
        };
        let at = Outcome::RetryAt;
        // Twenty minutes late, and the schedule goes on with its pauses.
        assert_eq!(after(2, minute(21), seconds(9)), at(minute(25)));
        assert_eq!(after(3, minute(45), seconds(9)), at(minute(70)));
        assert_eq!(after(4, minute(99), seconds(9)), Outcome::GivenUp);
        // On time, however long it took, and within the slack of four minutes: as published.
        assert_eq!(after(2, minute(1), seconds(200)), at(minute(5)));
        assert_eq!(
            after(2, minute(1).plus(seconds(24)), seconds(9)),
            at(minute(5))
        );
        let late = minute(1).plus(seconds(25));
        assert_eq!(after(2, late, seconds(9)), at(late.plus(seconds(240))));
        // It took longer than the pause.
        assert_eq!(
            after(1, minute(0), seconds(90)),
            at(minute(0).plus(seconds(90)))
        );
    }

    #[test]
    fn a_worker_that_looks_every_half_second_keeps_a_ladder_of_seconds() {
        let ladder = DeliveryRules {
            retries: [2, 4, 6, 66].map(Span::from_seconds).to_vec(),
            ..rules()
        };
        let first = Timestamp::from_millis(1_000);
        let mut due = first;
        for (number, rung) in (1..).zip(&ladder.retries) {
            let began = due.plus(Span::from_millis(500));
            due = first.plus(*rung);
            let made = Made {
                began,
                ..made(number, began, None)
            };
            assert_eq!(ladder.after(made), Outcome::RetryAt(due));
        }
    }

    #[test]
    fn only_2xx_is_success() {
        let now = Timestamp::from_millis(1_000);
        for status in [200, 201, 204, 299] {
            assert_eq!(
                rules().after(made(1, now, Some(status))),
                Outcome::Delivered
            );
        }
        for status in [None, Some(199), Some(301), Some(404), Some(410), Some(500)] {
            assert_ne!(rules().after(made(1, now, status)), Outcome::Delivered);
        }
    }

    #[test]
    fn gone_ends_only_where_the_scheme_says_so() {
        let now = Timestamp::from_millis(1_000);
        let gone = made(1, now, Some(410));
        assert_eq!(rules().after(gone), Outcome::GivenUp);
        let deaf = DeliveryRules {
            gone_ends: false,
            ..rules()
        };
        assert!(matches!(deaf.after(gone), Outcome::RetryAt(_)));
    }

    #[test]
    fn retry_after_puts_off_within_a_bound_and_never_brings_forward() {
        let now = Timestamp::from_millis(1_000);
        let asks = |seconds| Made {
            retry_after: Some(Span::from_seconds(seconds)),
            ..made(1, now, Some(503))
        };
        let at = |seconds| Outcome::RetryAt(now.plus(Span::from_seconds(seconds)));
        assert_eq!(rules().after(asks(10)), at(60), "earlier than planned");
        assert_eq!(rules().after(asks(90)), at(90));
        let most = RETRY_AFTER_MAX.millis() / 1_000;
        assert_eq!(rules().after(asks(most + 1)), at(most));
        let deaf = DeliveryRules {
            retry_after: false,
            ..rules()
        };
        assert_eq!(deaf.after(asks(90)), at(60));
    }

    #[test]
    fn jitter_is_a_bounded_part_of_the_wait_and_repeatable() {
        let now = Timestamp::from_millis(1_000);
        let shaky = DeliveryRules {
            jitter_percent: 20,
            ..rules()
        };
        let mut met = std::collections::BTreeSet::new();
        for byte in 0..64 {
            let seed = Seed::new([byte; 32]);
            let made = Made {
                seed: &seed,
                ..made(1, now, None)
            };
            assert_eq!(shaky.after(made), shaky.after(made));
            let Outcome::RetryAt(at) = shaky.after(made) else {
                panic!("a retry");
            };
            let wait = at.since(now).millis();
            assert!((60_000..=72_000).contains(&wait), "{wait}");
            met.insert(wait);
        }
        assert!(met.len() > 30, "it is by chance");
    }

    #[test]
    fn a_retry_after_is_a_number_of_seconds() {
        let seconds = |n| Some(Span::from_seconds(n));
        assert_eq!(retry_after_seconds(" 120 "), seconds(120));
        for wrong in ["", "-1", "1.5", "soon", "9999999999"] {
            assert_eq!(retry_after_seconds(wrong), None, "{wrong}");
        }
    }
}
