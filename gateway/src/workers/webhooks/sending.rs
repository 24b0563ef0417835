//! What is under way in this process, for whoever must wait for it: the sandbox's clock moves from
//! due time to due time, and what was sent at one of them belongs to it.
//!
//! A receiver that hangs must not hold the clock. While the clock moves, the time of everybody
//! moves, the receiver's to answer too: an attempt whose time to answer lies before where the clock
//! goes ends as one that was not answered in time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::Timestamp;
use tokio::sync::{Mutex, Notify, watch};

/// How long a move of the clock waits for answers before it moves a receiver's time too: much
/// longer than any that works takes.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// How long it waits for those to be recorded that ended so.
pub(super) const RECORDED: Duration = Duration::from_secs(1);

/// What is under way in this process.
#[derive(Debug)]
pub struct Sending {
    under_way: AtomicUsize,
    changed: Notify,
    /// Up to where the clock goes.
    passing: watch::Sender<Timestamp>,
    /// Whoever holds this is the only one in this process that claims deliveries.
    pub claiming: Mutex<()>,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            under_way: AtomicUsize::new(0),
            changed: Notify::new(),
            passing: watch::Sender::new(Timestamp::from_millis(i64::MIN)),
            claiming: Mutex::new(()),
        }
    }
}

impl Sending {
    pub(super) fn begin(&self, count: usize) {
        self.under_way.fetch_add(count, Ordering::SeqCst);
    }

    pub(super) fn end(&self, count: usize) {
        self.under_way.fetch_sub(count, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        loop {
            let changed = self.changed.notified();
            if self.under_way.load(Ordering::SeqCst) == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Waits until nothing is under way that the clock may not leave behind when it goes to `end`.
    pub async fn calm(&self, end: Timestamp) {
        if tokio::time::timeout(GRACE, self.idle()).await.is_err() {
            self.pass(end);
            // Whoever may still answer after that is left to it.
            let _ = tokio::time::timeout(RECORDED, self.idle()).await;
        }
    }

    /// The clock goes to `end`: whoever should have answered before then has not.
    pub(super) fn pass(&self, end: Timestamp) {
        self.passing.send_replace(end);
    }

    /// Resolves when the clock goes past this time.
    pub(super) async fn passed(&self, time: Timestamp) {
        let mut passing = self.passing.subscribe();
        loop {
            if passing.changed().await.is_err() {
                return std::future::pending().await;
            }
            if *passing.borrow_and_update() >= time {
                return;
            }
        }
    }
}
