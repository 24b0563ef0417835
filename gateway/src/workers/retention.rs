//! Removes what is over and old: webhooks with their attempts, and answers to idempotency keys.
//!
//! A webhook that still waits is never removed, however old it is, and none whose last attempt is
//! younger than the limit. What a webhook announced stays: payments, events and the ledger are kept
//! for ever. Each pass walks the table once, oldest first, in small transactions and a bounded
//! number at a time; then it rests.

use std::sync::{Mutex, PoisonError};

use domain::limits::{DELIVERIES_KEPT, IDEMPOTENCY_KEPT, SWEEP_MAX};
use domain::{Span, Timestamp};
use store::tables::{deliveries, idempotency};

use crate::app::App;
use crate::operations::Failure;

/// Transactions of one tick: the writer has others to serve.
const STEPS_MAX: usize = 4;

/// How long it rests after a pass.
const REST: Span = Span::from_minutes(60);

/// How long everything is kept; nothing means for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Webhooks that are over, with their attempts.
    pub deliveries: Option<Span>,
    /// Answers to idempotency keys.
    pub keys: Option<Span>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            deliveries: Some(DELIVERIES_KEPT),
            keys: Some(IDEMPOTENCY_KEPT),
        }
    }
}

/// How far the present pass has come.
#[derive(Debug, Default)]
pub struct Pass(Mutex<(String, Option<Timestamp>)>);

impl Pass {
    /// Where to go on; nothing while it rests.
    fn at(&self, now: Timestamp) -> Option<String> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rests = state.1.is_some_and(|until| now < until);
        (!rests).then(|| state.0.clone())
    }

    /// Notes how far it came; at the end of the table it rests and begins anew.
    fn came(&self, to: Option<String>, now: Timestamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match to {
            Some(to) => (to, None),
            None => (String::new(), Some(now.plus(REST))),
        };
    }
}

/// Removes some of what is too old now.
pub async fn tick(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    if let Some(kept) = app.kept.keys {
        forget_keys(app, now.minus(kept)).await?;
    }
    if let Some(kept) = app.kept.deliveries {
        forget_deliveries(app, now, now.minus(kept)).await?;
    }
    Ok(())
}

async fn forget_keys(app: &App, before: Timestamp) -> Result<(), Failure> {
    for _ in 0..STEPS_MAX {
        let old = app.store.read("old_idempotency_keys", move |tx| {
            Ok(idempotency::are_older(tx, before)?)
        });
        if !old.await? {
            break;
        }
        let forget = app.store.write("forget_idempotency_keys", move |tx| {
            Ok(idempotency::forget(tx, before, SWEEP_MAX)?)
        });
        count("idempotency_keys", forget.await?);
    }
    Ok(())
}

async fn forget_deliveries(app: &App, now: Timestamp, before: Timestamp) -> Result<(), Failure> {
    for _ in 0..STEPS_MAX {
        let Some(from) = app.pass.at(now) else { break };
        let start = from.clone();
        let look = app.store.read("old_deliveries", move |tx| {
            Ok(deliveries::old_after(tx, &start, before, SWEEP_MAX)?)
        });
        let stretch = look.await?;
        if let (true, Some(end)) = (stretch.over, &stretch.end) {
            let (from, end) = (from, end.clone());
            let forget = app.store.write("forget_deliveries", move |tx| {
                Ok(deliveries::forget(tx, (&from, &end), before)?)
            });
            count("deliveries", forget.await?);
        }
        app.pass.came(stretch.end, now);
    }
    Ok(())
}

fn count(what: &'static str, removed: u64) {
    metrics::counter!("florin_retention_removed_total", "what" => what).increment(removed);
}
