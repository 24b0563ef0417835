//! Who wakes the sender of webhooks: every commit that made a delivery due, right after it is on
//! disk, whatever operation it was. Polling remains as the fallback, for other nodes and for time
//! that passes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// More queues than this are not remembered one by one: the sender looks for itself then.
const REMEMBERED_MAX: usize = 10_000;

/// Queues in which something is due.
#[derive(Debug, Default)]
pub struct Wake {
    queues: Mutex<BTreeSet<String>>,
    notify: Notify,
}

impl Wake {
    /// Something is due in these.
    pub(crate) fn add(&self, woken: Vec<String>) {
        if woken.is_empty() {
            return;
        }
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        for queue in woken {
            if queues.len() < REMEMBERED_MAX {
                queues.insert(queue);
            }
        }
        drop(queues);
        self.notify.notify_one();
    }

    /// Waits until something was added since the last time.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }

    /// The queues that were added, once.
    pub fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.queues.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
