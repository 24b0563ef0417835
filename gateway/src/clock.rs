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
    /// The sandbox's: the system's clock and an offset that only grows. It never goes back.
    Ahead(Arc<Ahead>),
    /// A clock that tests set, in milliseconds since 1970.
    Manual(Arc<AtomicI64>),
}

/// How far the sandbox's clock is ahead, and the latest time it has shown.
#[derive(Debug)]
pub struct Ahead {
    offset: AtomicI64,
    shown: AtomicI64,
}

impl Clock {
    /// The sandbox's clock, so many milliseconds ahead of the system's. It goes on no earlier
    /// than at `shown`, what it has shown before.
    pub fn ahead(offset: Span, shown: Timestamp) -> Self {
        Self::Ahead(Arc::new(Ahead {
            offset: AtomicI64::new(i64::try_from(offset.millis()).unwrap_or(i64::MAX)),
            shown: AtomicI64::new(shown.millis()),
        }))
    }

    /// How far it is ahead of the system's clock.
    pub fn offset(&self) -> Span {
        match self {
            Self::System | Self::Manual(_) => Span::from_millis(0),
            Self::Ahead(ahead) => {
                let offset = ahead.offset.load(Ordering::SeqCst);
                Span::from_millis(u64::try_from(offset).unwrap_or(0))
            }
        }
    }

    /// Moves the sandbox's clock to so far ahead of the system's, if it is not there yet.
    pub fn raise(&self, offset: Span) {
        if let Self::Ahead(ahead) = self {
            let offset = i64::try_from(offset.millis()).unwrap_or(i64::MAX);
            ahead.offset.fetch_max(offset, Ordering::SeqCst);
        }
    }

    /// A manual clock that stands at a time.
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at.millis())))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from_millis(system()),
            Self::Ahead(ahead) => {
                let now = system().saturating_add(ahead.offset.load(Ordering::SeqCst));
                Timestamp::from_millis(ahead.shown.fetch_max(now, Ordering::SeqCst).max(now))
            }
            Self::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward; the system's clock moves by itself, the sandbox's by
    /// [`Self::raise`].
    pub fn advance(&self, span: Span) {
        if let Self::Manual(millis) = self {
            let span = i64::try_from(span.millis()).unwrap_or(i64::MAX);
            millis.fetch_add(span, Ordering::SeqCst);
        }
    }
}

/// Milliseconds since 1970 by the system's clock.
fn system() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A clock that only measures: the time since the process first asked.
pub fn stopwatch() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
