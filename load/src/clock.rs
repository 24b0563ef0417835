//! The only place of this program that asks the time. It measures time, so it must.

use std::time::{Duration, Instant};

/// The time now, on a clock that never goes back.
#[expect(
    clippy::disallowed_methods,
    reason = "measuring time is what this program is for"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Lets the calling thread rest until `moment`. The pacing of an offered rate needs the accuracy
/// of the system's own sleep; an async timer rounds to whole milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "an offered rate is kept by waiting"
)]
pub fn rest_until(moment: Instant) {
    loop {
        let left = moment.saturating_duration_since(now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left);
    }
}

/// How long one part of the measurement runs: first unmeasured, then measured.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Runs, but does not count.
    pub warm: Duration,
    /// Counts.
    pub window: Duration,
}

impl Span {
    /// A window with a fifth of it before to warm up.
    pub fn of(window: Duration) -> Span {
        Span {
            warm: window / 5,
            window,
        }
    }
}
