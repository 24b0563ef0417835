//! Jobs waiting for a connection: bounded, shared by the threads of one pool. A thread takes all
//! that wait at once; what comes later belongs to the next group, because a transaction sees the
//! data as of its first statement, and a caller must see what it was told before it asked.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::Refusal;

use crate::{BUSY_RETRY, Failure, Fault, Job, Step};

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// A job came, or the queue was closed.
    changed: Condvar,
    /// The queue was closed; apart, so that a thread without a connection takes no job's call.
    closing: Condvar,
    max: usize,
}

struct State {
    jobs: VecDeque<Job>,
    /// Threads that have a connection.
    live: usize,
    /// Why there is none, as the last try said.
    why: Option<String>,
    closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("jobs", &self.jobs.len())
            .field("live", &self.live)
            .field("closed", &self.closed)
            .finish()
    }
}

impl Queue {
    /// An open queue of at most `max` jobs.
    pub(super) fn new(max: usize) -> Self {
        let state = State {
            jobs: VecDeque::new(),
            live: 0,
            why: None,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            closing: Condvar::new(),
            max,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; a full queue and a database that cannot be reached are answered at once.
    pub(super) fn put(&self, job: Job) -> Result<(), Failure> {
        let mut state = self.state();
        if state.closed {
            return Err(Fault(format!("{}: the store is closed", job.name)).into());
        }
        if state.live == 0 {
            metrics::counter!("florin_store_unreachable_total", "transaction" => job.name)
                .increment(1);
            return Err(Refusal::Unavailable(BUSY_RETRY).into());
        }
        if state.jobs.len() >= self.max {
            metrics::counter!("florin_store_queue_full_total", "transaction" => job.name)
                .increment(1);
            return Err(Refusal::Unavailable(BUSY_RETRY).into());
        }
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for jobs and takes up to `max` of those that are there; nothing once the queue is
    /// closed and empty.
    pub(super) fn take(&self, max: usize) -> Option<Vec<Job>> {
        let mut state = self.state();
        while state.jobs.is_empty() {
            if state.closed {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let count = state.jobs.len().min(max);
        let taken = state.jobs.drain(..count).collect();
        let more = !state.jobs.is_empty();
        drop(state);
        if more {
            self.changed.notify_one();
        }
        Some(taken)
    }

    /// A thread has its connection.
    pub(super) fn up(&self) {
        let mut state = self.state();
        state.live += 1;
        state.why = None;
    }

    /// A thread could not connect.
    pub(super) fn note(&self, why: &str) {
        self.state().why = Some(why.to_owned());
    }

    /// Why nobody has a connection; nothing while somebody has.
    pub(super) fn why(&self) -> Option<String> {
        let state = self.state();
        state.why.clone().filter(|_| state.live == 0)
    }

    /// A thread lost its connection. If it was the last one, whoever waits is told to come back.
    pub(super) fn down(&self) {
        let mut state = self.state();
        state.live = state.live.saturating_sub(1);
        if state.live > 0 {
            return;
        }
        let stranded: Vec<Job> = state.jobs.drain(..).collect();
        drop(state);
        for mut job in stranded {
            (job.step)(Step::Spoil(Refusal::Unavailable(BUSY_RETRY).into()));
            (job.step)(Step::Answer);
        }
    }

    /// Waits before another try to connect; `false` if the queue was closed meanwhile.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let state = self.state();
        let (state, _) = self
            .closing
            .wait_timeout_while(state, wait, |state| !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        !state.closed
    }

    /// Takes no more jobs; the threads finish what is there and end.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
        self.closing.notify_all();
    }
}
