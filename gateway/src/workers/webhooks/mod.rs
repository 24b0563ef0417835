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
//! lease ran out while it was sending records what it sent and decides nothing: somebody else has
//! taken over.

mod desk;
mod sender;
mod sending;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::limits::{CLAIM_MAX, IN_FLIGHT_MAX, LEASE, QUEUES_MAX};
use domain::{Moment, Span, Timestamp};
use store::tables::deliveries::{self as outbox, Claim};
use store::{Failure, Tx};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::app::App;
use desk::Desk;
use sender::{Finished, Leased};
pub use sending::Sending;
use sending::{GRACE, RECORDED};

/// How often due deliveries are looked for when nobody nudges.
const POLL: Duration = Duration::from_millis(500);

/// How long to wait before the store is asked again after it failed.
const FAILED: Duration = Duration::from_millis(200);

/// A delivery on its way. Should its task panic, its place and its count are given back all the
/// same; the lease stays until it runs out, so that it is not tried again at once and for ever.
struct Flight {
    queue: Option<String>,
    landed: mpsc::Sender<Landed>,
}

/// What became of a delivery on its way: an attempt, or nothing (its queue).
type Landed = Result<Finished, String>;

impl Flight {
    async fn fly(mut self, app: Arc<App>, leased: Leased) {
        let one = sender::send(&app, leased).await;
        self.queue = None;
        // Nobody receives while the process stops; the lease then runs out.
        let _ = self.landed.send(Ok(one)).await;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            // There is room for as many as are under way.
            let _ = self.landed.try_send(Err(queue));
        }
    }
}

/// Runs until `stop` changes, then waits for the deliveries under way.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let (landed, mut landing) = mpsc::channel(IN_FLIGHT_MAX);
    let mut desk = Desk::default();
    let mut unrecorded = Vec::new();
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !*stop.borrow() {
        tokio::select! {
            biased;
            _ = stop.changed() => break,
            Some(one) = landing.recv() => land(&app, &mut desk, &mut unrecorded, one),
            () = app.store.wake().woken() => {}
            _ = poll.tick() => look(&app, &mut desk).await,
        }
        while let Ok(one) = landing.try_recv() {
            land(&app, &mut desk, &mut unrecorded, one);
        }
        for queue in app.store.wake().take() {
            desk.want(&queue);
        }
        while let Some(claimed) = turn(&app, &mut desk, &mut unrecorded).await {
            for leased in claimed {
                let flight = Flight {
                    queue: Some(leased.delivery.new.queue.clone()),
                    landed: landed.clone(),
                };
                tokio::spawn(flight.fly(Arc::clone(&app), leased));
            }
        }
    }
    drop(landed);
    let patience = Duration::from_millis(domain::limits::STOP_MAX.millis());
    // What is still under way after that goes out again at the next start.
    let _ = tokio::time::timeout(patience, async {
        while let Some(one) = landing.recv().await {
            land(&app, &mut desk, &mut unrecorded, one);
            while let Ok(one) = landing.try_recv() {
                land(&app, &mut desk, &mut unrecorded, one);
            }
            record(&app, &mut desk, &mut unrecorded).await;
        }
    })
    .await;
}

fn land(app: &App, desk: &mut Desk, unrecorded: &mut Vec<Finished>, one: Landed) {
    match one {
        Ok(one) => unrecorded.push(one),
        Err(queue) => {
            desk.left(&queue, false);
            app.sending.end(1);
        }
    }
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
    // Before it is asked who claims: another node may begin to move the clock at any moment.
    let now = app.clock.now();
    let wanted = match &claiming {
        Ok(_) if !app.following.is_led() => desk.places(),
        // Somebody else claims now: the sandbox's clock is being moved, here or by another node.
        Ok(_) | Err(_) => Vec::new(),
    };
    if wanted.is_empty() && unrecorded.is_empty() {
        return None;
    }
    let token = app.entropy.token();
    match exchange(app, unrecorded, wanted.clone(), (&token, now)).await {
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
    match exchange(app, unrecorded, nothing, ("", app.clock.now())).await {
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
    (token, now): (&str, Timestamp),
) -> Result<Vec<Leased>, Failure> {
    let at = Moment {
        now,
        ..app.moment()
    };
    let until = at.now.plus(app.lease);
    // A failure may pause its endpoint and be announced: nobody hears of what is not on disk.
    let quiet = finished.iter().all(Finished::is_no_failure);
    let (recorded, token) = (finished, token.to_owned());
    let finished = finished.to_vec();
    let work = move |tx: &mut Tx<'_>| {
        let mut held = Vec::with_capacity(finished.len());
        for one in &finished {
            held.push(one.record(tx, &at)?);
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
        Ok((claimed, held))
    };
    let (claimed, held) = if quiet {
        app.store.write_unsynced("deliver", work).await?
    } else {
        app.store.write("deliver", work).await?
    };
    for (one, held) in recorded.iter().zip(held) {
        one.tell(held);
    }
    Ok(claimed)
}

/// Sends everything that is due now, up to [`CLAIM_MAX`], and waits for it; how many there were.
/// For tests and for whoever must not go on before.
pub async fn tick(app: &Arc<App>) -> Result<usize, Failure> {
    let mut under_way = take_off(app).await?;
    let count = under_way.len();
    let landed = gather(app, &mut under_way, None).await;
    landed.map(|()| count)
}

/// The same for whoever moves the clock up to `end`. A receiver that hangs is waited for as little
/// as must be: whose time to answer is over before that has not answered, and what may still come
/// then is recorded when it comes.
pub async fn tick_until(app: &Arc<App>, end: Timestamp) -> Result<usize, Failure> {
    let mut under_way = take_off(app).await?;
    let count = under_way.len();
    gather(app, &mut under_way, Some(GRACE)).await?;
    if !under_way.is_empty() {
        app.sending.pass(end);
        gather(app, &mut under_way, Some(RECORDED)).await?;
    }
    if !under_way.is_empty() {
        let app = Arc::clone(app);
        tokio::spawn(async move {
            if let Err(failure) = gather(&app, &mut under_way, None).await {
                tracing::error!(?failure, "deliveries could not be recorded");
            }
        });
    }
    Ok(count)
}

/// Attempts under way, numbered in the order in which they were due.
type Batch = JoinSet<(usize, Finished)>;

/// Claims what is due and sends it.
async fn take_off(app: &Arc<App>) -> Result<Batch, Failure> {
    let now = app.clock.now();
    let mut under_way = JoinSet::new();
    let (mut queues, mut behind) = due_queues(app, now, String::new()).await?;
    while let Some(from) = behind.filter(|_| queues.is_empty()) {
        (queues, behind) = due_queues(app, now, from).await?;
    }
    queues.truncate(CLAIM_MAX as usize);
    if queues.is_empty() {
        return Ok(under_way);
    }
    let each = (CLAIM_MAX / u32::try_from(queues.len()).unwrap_or(CLAIM_MAX)).max(1);
    let wanted = queues.into_iter().map(|queue| (queue, each)).collect();
    let token = app.entropy.token();
    let claimed = exchange(app, &[], wanted, (&token, app.clock.now())).await?;
    app.sending.begin(claimed.len());
    for (number, leased) in claimed.into_iter().enumerate() {
        let app = Arc::clone(app);
        under_way.spawn(async move { (number, sender::send(&app, leased).await) });
    }
    Ok(under_way)
}

/// Waits for a batch, or as long as there is patience, and records what has come.
async fn gather(
    app: &App,
    under_way: &mut Batch,
    patience: Option<Duration>,
) -> Result<(), Failure> {
    let mut impatient = pin!(async {
        match patience {
            Some(patience) => tokio::time::sleep(patience).await,
            None => std::future::pending().await,
        }
    });
    let mut finished = Vec::with_capacity(under_way.len());
    loop {
        let sent = tokio::select! {
            biased;
            sent = under_way.join_next() => sent,
            () = &mut impatient => break,
        };
        match sent {
            None => break,
            Some(Ok(one)) => finished.push(one),
            // One that panicked keeps its lease until that runs out.
            Some(Err(_)) => app.sending.end(1),
        }
    }
    if finished.is_empty() {
        return Ok(());
    }
    finished.sort_by_key(|(number, _)| *number);
    let finished: Vec<_> = finished.into_iter().map(|(_, one)| one).collect();
    let recorded = exchange(app, &finished, Vec::new(), ("", app.clock.now())).await;
    app.sending.end(finished.len());
    if recorded.is_err() {
        app.sending.end(under_way.len());
        under_way.abort_all();
    }
    recorded.map(|_| ())
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
