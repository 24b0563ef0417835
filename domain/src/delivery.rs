//! When a webhook is tried again and when it is given up: rules as data.

use crate::moment::{Span, Timestamp};

/// How deliveries of one dialect behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRules {
    /// When each further attempt is due, counted from the first one. With five entries there are
    /// six attempts in all.
    pub retries: Vec<Span>,
    /// How long the receiver may take to answer.
    pub timeout: Span,
    /// The `User-Agent` we send.
    pub user_agent: String,
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

    /// What follows attempt number `attempt` (from 1), which was made at `now` and whose answer
    /// had this status (`None`: no answer). `first` is the time of the first attempt. A retry
    /// whose time has passed already (we were down) is due at once.
    pub fn after(
        &self,
        attempt: u32,
        first: Timestamp,
        now: Timestamp,
        status: Option<u16>,
    ) -> Outcome {
        if status.is_some_and(|status| self.is_success(status)) {
            return Outcome::Delivered;
        }
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        match self.retries.get(index) {
            Some(wait) => Outcome::RetryAt(first.plus(*wait).max(now)),
            None => Outcome::GivenUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> DeliveryRules {
        DeliveryRules {
            retries: [1, 5, 30].map(Span::from_minutes).to_vec(),
            timeout: Span::from_seconds(30),
            user_agent: "test".to_owned(),
        }
    }

    #[test]
    fn retries_count_from_the_first_attempt_and_end() {
        let first = Timestamp::from_millis(1_000);
        let due = |attempt, now: Timestamp| rules().after(attempt, first, now, Some(500));
        let minute = |n| first.plus(Span::from_minutes(n));
        assert_eq!(due(1, first), Outcome::RetryAt(minute(1)));
        assert_eq!(due(2, minute(1)), Outcome::RetryAt(minute(5)));
        assert_eq!(due(3, minute(5)), Outcome::RetryAt(minute(30)));
        assert_eq!(due(4, minute(30)), Outcome::GivenUp);
        assert_eq!(
            due(2, minute(20)),
            Outcome::RetryAt(minute(20)),
            "late: at once"
        );
    }

    #[test]
    fn only_2xx_is_success() {
        let now = Timestamp::from_millis(0);
        for status in [200, 201, 204, 299] {
            assert_eq!(rules().after(1, now, now, Some(status)), Outcome::Delivered);
        }
        for status in [None, Some(199), Some(301), Some(404), Some(410), Some(500)] {
            assert_ne!(rules().after(1, now, now, status), Outcome::Delivered);
        }
    }
}
