//! Shops that create payment requests and customers who pay them, while the gateway is killed
//! under them. What was acknowledged is remembered: it must be there in the end.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::drive::gather;
use crate::failure::{Failure, Outcome};
use crate::tills::{Line, Till};
use crate::wire::Wire;

/// Connections that create and pay.
const CONNECTIONS: usize = 16;
/// How long a producer waits before it calls a gateway that is not there again.
const AGAIN: Duration = Duration::from_millis(20);

/// What the gateway acknowledged.
#[derive(Debug, Default)]
pub struct Acknowledged {
    /// Of which payment, by the name that its caller knows, which fact.
    pub facts: Vec<(String, &'static str)>,
    /// Calls without an answer, or answered that it cannot now.
    pub unanswered: u64,
}

/// The production under way.
#[derive(Clone, Debug, Default)]
pub struct Production {
    known: Arc<Mutex<Acknowledged>>,
    begun: Arc<AtomicU64>,
    done: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Production {
    /// How many payments are whole, every step of them acknowledged.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// No more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Was it ended before it was done?
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// What was acknowledged until now.
    pub fn acknowledged(&self) -> Acknowledged {
        std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes payments until at least `payments` of them are whole, unless ended before; the tills
    /// take turns.
    pub async fn run(self, to: SocketAddr, tills: Vec<Till>, payments: u64) -> Outcome<()> {
        let mut tasks = JoinSet::new();
        for lane in 0..CONNECTIONS {
            let (own, tills) = (self.clone(), tills.clone());
            tasks.spawn(async move {
                let tills = tills.iter().cycle().skip(lane);
                own.lane(to, tills, payments).await
            });
        }
        let ran = gather(tasks).await;
        if ran.is_err() {
            // Nobody waits for the rest.
            self.end();
        }
        ran.map(|_| ())
    }

    async fn lane<'a>(
        &self,
        to: SocketAddr,
        tills: impl Iterator<Item = &'a Till>,
        payments: u64,
    ) -> Outcome<()> {
        let mut open = None;
        for till in tills {
            if self.done() >= payments || self.ended() {
                return Ok(());
            }
            let line = match open.take() {
                Some(line) => line,
                None => match self.open(to).await {
                    Some(wire) => Line::new(wire),
                    None => return Ok(()),
                },
            };
            open = self.payment(line, till).await?;
            if open.is_none() {
                tokio::time::sleep(AGAIN).await;
            }
        }
        Ok(())
    }

    /// A connection, as soon as somebody listens; `None` once there is nothing more to do.
    async fn open(&self, to: SocketAddr) -> Option<Wire> {
        while !self.ended() {
            match Wire::open(to).await {
                Ok(wire) => return Some(wire),
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
        None
    }

    /// One payment; the connection, if it can be used again. One that is broken off does not
    /// count: another is made in its place.
    async fn payment(&self, mut line: Line, till: &Till) -> Outcome<Option<Line>> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let hear = |name: &str, fact| {
            self.know(|known| known.facts.push((name.to_owned(), fact)));
        };
        match till.take(&mut line, number, &hear).await {
            Ok(()) => {
                self.done.fetch_add(1, Ordering::Relaxed);
                Ok(Some(line))
            }
            Err(failure) => self.unanswered(failure),
        }
    }

    /// A gateway that is gone or overloaded may fail a call; any other answer is wrong.
    fn unanswered(&self, failure: Failure) -> Outcome<Option<Line>> {
        match failure {
            Failure::Answer { status, .. } if status != 503 => Err(failure),
            Failure::Json(_) => Err(failure),
            _ => {
                self.know(|known| known.unanswered += 1);
                Ok(None)
            }
        }
    }

    fn know(&self, change: impl FnOnce(&mut Acknowledged)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
