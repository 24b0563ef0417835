//! The only place that asks the system for the time.
#![expect(clippy::disallowed_methods, reason = "this is the place")]

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::{Span, Timestamp};

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A clock that tests set, in milliseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A manual clock that stands at a time.
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at.millis())))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward; the system's clock moves by itself.
    pub fn advance(&self, span: Span) {
        if let Self::Manual(millis) = self {
            let span = i64::try_from(span.millis()).unwrap_or(i64::MAX);
            millis.fetch_add(span, Ordering::SeqCst);
        }
    }
}

/// A clock that only measures: the time since the process first asked.
pub fn stopwatch() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
