//! Shops that create payment requests and customers who pay them, while the gateway is killed
//! under them. What was acknowledged is remembered: it must be there in the end.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::drive::gather;
use crate::failure::{Failure, Outcome};
use crate::shop::{Shop, id_in};
use crate::wire::Wire;

/// Connections that create and pay.
const CONNECTIONS: usize = 16;
/// How long a producer waits before it calls a gateway that is not there again.
const AGAIN: Duration = Duration::from_millis(20);

/// What the gateway acknowledged, by the id of the payment request.
#[derive(Debug, Default)]
pub struct Acknowledged {
    /// Created.
    pub created: Vec<String>,
    /// Paid.
    pub paid: Vec<String>,
    /// Calls without an answer, or answered that it cannot now.
    pub unanswered: u64,
}

/// The production under way.
#[derive(Clone, Debug, Default)]
pub struct Production {
    known: Arc<Mutex<Acknowledged>>,
    begun: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Production {
    /// How many payments were begun, without those that a kill broke off.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// No more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// What was acknowledged until now.
    pub fn acknowledged(&self) -> Acknowledged {
        std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes `payments` payments, unless ended before; `shops` take turns.
    pub async fn run(self, to: SocketAddr, shops: Vec<Shop>, payments: u64) -> Outcome<()> {
        let mut tasks = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (own, shops) = (self.clone(), shops.clone());
            tasks.spawn(async move { own.lane(to, &shops, payments).await });
        }
        gather(tasks).await?;
        Ok(())
    }

    async fn lane(&self, to: SocketAddr, shops: &[Shop], payments: u64) -> Outcome<()> {
        let mut wire = None;
        for shop in shops.iter().cycle() {
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            if number >= payments || self.ended.load(Ordering::Relaxed) {
                self.begun.fetch_sub(1, Ordering::Relaxed);
                return Ok(());
            }
            let open = match wire.take() {
                Some(open) => open,
                None => match self.open(to).await {
                    Some(open) => open,
                    None => return Ok(()),
                },
            };
            wire = self.payment(open, shop).await?;
            if wire.is_none() {
                // It does not count: another one is made in its place.
                self.begun.fetch_sub(1, Ordering::Relaxed);
                tokio::time::sleep(AGAIN).await;
            }
        }
        Ok(())
    }

    /// A connection, as soon as somebody listens; `None` once there is nothing more to do.
    async fn open(&self, to: SocketAddr) -> Option<Wire> {
        while !self.ended.load(Ordering::Relaxed) {
            match Wire::open(to).await {
                Ok(wire) => return Some(wire),
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
        None
    }

    /// One payment; the connection, if it can be used again.
    async fn payment(&self, mut wire: Wire, shop: &Shop) -> Outcome<Option<Wire>> {
        let id = match wire.call(&shop.create()).await {
            Ok(body) => id_in(body)?.to_owned(),
            Err(failure) => return self.unanswered(failure),
        };
        self.know(|known| known.created.push(id.clone()));
        match wire.call(&shop.pay(&id)).await {
            Ok(_) => self.know(|known| known.paid.push(id)),
            Err(failure) => return self.unanswered(failure),
        }
        Ok(Some(wire))
    }

    /// A gateway that is gone or overloaded may fail a call; any other answer is wrong.
    fn unanswered(&self, failure: Failure) -> Outcome<Option<Wire>> {
        match failure {
            Failure::Answer { status, .. } if status != 503 => Err(failure),
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
