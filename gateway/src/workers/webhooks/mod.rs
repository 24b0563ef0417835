//! Sends webhooks: claims due deliveries under a lease, signs and sends them outside any
//! transaction, and records each attempt under the lease's token.
//!
//! Promises:
//!
//! * **Apart.** Each queue (an endpoint, or the host of a one-off target) has places of its own:
//!   few at first, one more for each success, half as many after each failure (`desk`). One that
//!   hangs holds up itself.
//! * **Bounded.** What is in memory is what is under way, however much waits.
//! * **Woken.** A commit that made something due wakes this worker with the queue's name; looking
//!   by itself is the fallback, for time that passes and for other nodes.
//! * **Together.** Finished attempts are recorded and new deliveries claimed in one transaction.
//!   Without a failure among them it does not wait for the disk: what a power cut takes of it is
//!   sent once more, as if it had struck before the answer came.
//!
//! A worker that dies leaves a lease that runs out; the delivery is then due again. One whose
//! lease ran out while it was sending records nothing: somebody else has taken over.

mod desk;
mod sender;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::limits::{CLAIM_MAX, IN_FLIGHT_MAX, LEASE, QUEUES_MAX};
use domain::{Span, Timestamp};
use store::tables::deliveries::{self as outbox, Claim};
use store::{Failure, Tx};
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::app::App;
use desk::Desk;
use sender::{Finished, Leased};

/// How often due deliveries are looked for when nobody nudges.
const POLL: Duration = Duration::from_millis(500);

/// How long to wait before the store is asked again after it failed.
const FAILED: Duration = Duration::from_millis(200);

/// What is under way in this process.
#[derive(Debug, Default)]
pub struct Sending {
    under_way: AtomicUsize,
    changed: Notify,
    /// Whoever holds this is the only one in this process that claims deliveries.
    pub claiming: Mutex<()>,
}

impl Sending {
    fn begin(&self, count: usize) {
        self.under_way.fetch_add(count, Ordering::SeqCst);
    }

    fn end(&self, count: usize) {
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
}

/// Runs until `stop` changes, then waits for the deliveries under way.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let (done, mut finished) = mpsc::channel(IN_FLIGHT_MAX);
    let mut desk = Desk::default();
    let mut unrecorded = Vec::new();
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !*stop.borrow() {
        tokio::select! {
            biased;
            _ = stop.changed() => break,
            one = finished.recv() => unrecorded.extend(one),
            () = app.store.wake().woken() => {}
            _ = poll.tick() => look(&app, &mut desk).await,
        }
        while let Ok(one) = finished.try_recv() {
            unrecorded.push(one);
        }
        for queue in app.store.wake().take() {
            desk.want(&queue);
        }
        while let Some(claimed) = turn(&app, &mut desk, &mut unrecorded).await {
            for leased in claimed {
                let (app, done) = (Arc::clone(&app), done.clone());
                tokio::spawn(async move {
                    let one = sender::send(&app, leased).await;
                    // Nobody receives while the process stops; the lease then runs out.
                    let _ = done.send(one).await;
                });
            }
        }
    }
    drop(done);
    let patience = Duration::from_millis(domain::limits::STOP_MAX.millis());
    // What is still under way after that goes out again at the next start.
    let _ = tokio::time::timeout(patience, async {
        while let Some(one) = finished.recv().await {
            unrecorded.push(one);
            while let Ok(one) = finished.try_recv() {
                unrecorded.push(one);
            }
            record(&app, &mut desk, &mut unrecorded).await;
        }
    })
    .await;
}

/// Looks for queues with something due: through the index from queue to queue, never through the
/// backlog.
async fn look(app: &App, desk: &mut Desk) {
    let now = app.clock.now();
    let from = desk.place();
    match due_queues(app, now, from).await {
        Ok((found, behind)) => desk.looked(found, behind),
        // Busy, or out of reach, which is said elsewhere and once.
        Err(Failure::Refused(_)) => {}
        Err(Failure::Fault(fault) | Failure::Unknown(fault)) => {
            tracing::error!(fault = fault.0, "due deliveries could not be looked for");
        }
    }
}

/// Of the next queues after `from`, those in which something is due; and the last one that was
/// looked at, if there may be more behind it.
async fn due_queues(
    app: &App,
    now: Timestamp,
    from: String,
) -> Result<(Vec<String>, Option<String>), Failure> {
    let never = Timestamp::from_millis(i64::MIN);
    let found = app
        .store
        .read("deliveries_due", move |tx| {
            Ok(outbox::queues(tx, never, &from, QUEUES_MAX)?)
        })
        .await?;
    let full = found.len() == QUEUES_MAX as usize;
    let behind = found.last().filter(|_| full).map(|(last, _)| last.clone());
    let due = found
        .into_iter()
        .filter(|(_, next)| next.is_some_and(|next| next <= now));
    Ok((due.map(|(queue, _)| queue).collect(), behind))
}

/// Records what is finished and claims what there are places for, in one transaction. `None` if
/// there was nothing to do, or the store could not do it now.
async fn turn(
    app: &Arc<App>,
    desk: &mut Desk,
    unrecorded: &mut Vec<Finished>,
) -> Option<Vec<Leased>> {
    let claiming = app.sending.claiming.try_lock();
    for one in unrecorded.iter_mut() {
        one.leave(desk);
    }
    let wanted = match &claiming {
        Ok(_) => desk.places(),
        // Somebody else claims now: the sandbox's clock is being moved.
        Err(_) => Vec::new(),
    };
    if wanted.is_empty() && unrecorded.is_empty() {
        return None;
    }
    let token = app.entropy.token();
    match exchange(app, unrecorded, wanted.clone(), &token).await {
        Ok(claimed) => {
            app.sending.end(unrecorded.len());
            unrecorded.clear();
            desk.claimed(&wanted, &claimed);
            app.sending.begin(claimed.len());
            Some(claimed)
        }
        Err(failure) => {
            tracing::error!(?failure, "deliveries could not be recorded or claimed");
            tokio::time::sleep(FAILED).await;
            None
        }
    }
}

async fn record(app: &Arc<App>, desk: &mut Desk, unrecorded: &mut Vec<Finished>) {
    let nothing = Vec::new();
    for one in unrecorded.iter_mut() {
        one.leave(desk);
    }
    match exchange(app, unrecorded, nothing, "").await {
        Ok(_) => {
            app.sending.end(unrecorded.len());
            unrecorded.clear();
        }
        Err(failure) => tracing::error!(?failure, "deliveries could not be recorded"),
    }
}

async fn exchange(
    app: &App,
    finished: &[Finished],
    wanted: Vec<(String, u32)>,
    token: &str,
) -> Result<Vec<Leased>, Failure> {
    let at = app.moment();
    let until = at.now.plus(app.lease);
    // A failure may pause its endpoint and be announced: nobody hears of what is not on disk.
    let quiet = finished.iter().all(Finished::is_no_failure);
    let (finished, token) = (finished.to_vec(), token.to_owned());
    let work = move |tx: &mut Tx<'_>| {
        for one in &finished {
            one.record(tx, &at)?;
        }
        let mut claimed = Vec::new();
        for (queue, places) in &wanted {
            let claim = Claim {
                queue,
                now: at.now,
                until,
                token: &token,
                limit: *places,
            };
            let leased = |delivery| Leased {
                delivery,
                token: token.clone(),
                until,
            };
            claimed.extend(outbox::claim(tx, claim)?.into_iter().map(leased));
        }
        Ok(claimed)
    };
    if quiet {
        app.store.write_unsynced("deliver", work).await
    } else {
        app.store.write("deliver", work).await
    }
}

/// Sends everything that is due now, up to [`CLAIM_MAX`], and waits for it; how many there were.
/// For tests and for whoever must not go on before.
pub async fn tick(app: &Arc<App>) -> Result<usize, Failure> {
    let now = app.clock.now();
    let (mut queues, mut behind) = due_queues(app, now, String::new()).await?;
    while let Some(from) = behind.filter(|_| queues.is_empty()) {
        (queues, behind) = due_queues(app, now, from).await?;
    }
    queues.truncate(CLAIM_MAX as usize);
    if queues.is_empty() {
        return Ok(0);
    }
    let each = (CLAIM_MAX / u32::try_from(queues.len()).unwrap_or(CLAIM_MAX)).max(1);
    let wanted = queues.into_iter().map(|queue| (queue, each)).collect();
    let token = app.entropy.token();
    let claimed = exchange(app, &[], wanted, &token).await?;
    let count = claimed.len();
    let mut finished = Vec::with_capacity(count);
    let mut under_way = JoinSet::new();
    for (number, leased) in claimed.into_iter().enumerate() {
        let app = Arc::clone(app);
        under_way.spawn(async move { (number, sender::send(&app, leased).await) });
    }
    while let Some(sent) = under_way.join_next().await {
        // One that panicked keeps its lease until that runs out.
        finished.extend(sent.ok());
    }
    finished.sort_by_key(|(number, _)| *number);
    let finished: Vec<_> = finished.into_iter().map(|(_, one)| one).collect();
    exchange(app, &finished, Vec::new(), "").await?;
    Ok(count)
}

/// When something is due next, later than `after`; paused endpoints are left out.
pub async fn next_due(app: &App, after: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let found = app
        .store
        .read("next_delivery_due", move |tx| {
            let (mut next, mut from) = (None::<Timestamp>, String::new());
            loop {
                let found = outbox::queues(tx, after, &from, QUEUES_MAX)?;
                let times = found.iter().filter_map(|(_, at)| *at);
                next = times.chain(next).min();
                match found.last() {
                    Some((last, _)) if found.len() == QUEUES_MAX as usize => {
                        from.clone_from(last);
                    }
                    Some(_) | None => return Ok(next),
                }
            }
        })
        .await?;
    Ok(found)
}

/// How long a claimed delivery is held: the longest time-out of a scheme and as much again.
pub fn lease<'a>(timeouts: impl Iterator<Item = &'a Span>) -> Span {
    let longest = timeouts.map(|timeout| timeout.millis()).max().unwrap_or(0);
    Span::from_millis(longest.saturating_mul(2)).max(LEASE)
}
