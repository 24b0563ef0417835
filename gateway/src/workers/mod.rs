//! Work that nobody waits for. Each worker is a `tick`; the loop calls them, tests call them
//! directly.

pub mod retention;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::limits::{ATTEMPT_DEADLINE, CHALLENGE_MAX, SWEEP_MAX};
use store::tables::{
    attempts, bills as bills_table, payments as payments_table, payouts as payouts_table,
    reservations as reservations_table,
};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::app::App;
use crate::http::limits;
use crate::operations::{
    Failure, bills, covering, endpoints, gift_cards, payments, payouts, reservations,
};
use crate::sandbox::clock;

/// How often due work is looked for.
const POLL: Duration = Duration::from_millis(500);

/// Runs until `stop` changes.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let webhooks = tokio::spawn(webhooks::run(Arc::clone(&app), stop.clone()));
    let mut every = tokio::time::interval(POLL);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let shared = app.sandbox && app.store.takes_many_nodes();
    let mut watch = tokio::time::interval(clock::LOOK);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut gone = None;
    loop {
        tokio::select! {
            _ = every.tick() => {
                crate::http::health::fold();
                tell_reach(app.store.unreachable(), &mut gone);
                told(pass(&app).await);
            }
            _ = watch.tick(), if shared => told(clock::follow(&app).await),
            _ = stop.changed() => break,
        }
    }
    // It ends by the same signal; a panic in it was counted and logged where it happened.
    let _ = webhooks.await;
}

/// Logs what a worker could not do. That the database is out of reach is said elsewhere, once.
fn told(done: Result<(), Failure>) {
    if let Err(Failure::Fault(fault) | Failure::Unknown(fault)) = done {
        tracing::error!(fault = fault.0, "a worker failed and will try again");
    }
}

/// One pass over everything that is due. While another node moves the sandbox's clock, what is due
/// is that node's to do.
async fn pass(app: &Arc<App>) -> Result<(), Failure> {
    if app.sandbox {
        clock::follow(app).await?;
        clock::resume(app).await?;
    }
    match app.following.is_led() {
        true => Ok(()),
        false => tick(app).await,
    }
}

/// Says why the database cannot be reached, once for each reason, and once that it is back.
fn tell_reach(now: Option<String>, said: &mut Option<String>) {
    match &now {
        Some(why) if now != *said => tracing::error!(why, "the database cannot be reached"),
        None if said.is_some() => tracing::info!("the database is reached again"),
        Some(_) | None => {}
    }
    *said = now;
}

/// Everything that is due but webhooks: expired bills, reservations past their deadline, payouts,
/// attempts without an answer, endpoints that fail, gift cards whose time is over, and what is
/// kept no longer.
pub async fn tick(app: &App) -> Result<(), Failure> {
    // A pass takes a bounded number: those that are left come in the next one.
    // What a bank says late comes before the end of the time to pay.
    while reservations::decide_due(app).await? == SWEEP_MAX as usize {}
    while bills::expire_due(app).await? == SWEEP_MAX as usize {}
    while reservations::release_due(app).await? == SWEEP_MAX as usize {}
    while payouts::advance_due(app).await? == SWEEP_MAX as usize {}
    payments::resolve_asked(app).await?;
    endpoints::judge_failing(app).await?;
    while endpoints::empty_removed(app).await? {}
    while covering::free_old(app).await? == SWEEP_MAX as usize {}
    while gift_cards::expire_due(app).await? >= SWEEP_MAX as usize {}
    gift_cards::forget_guesses(app).await?;
    if app.store.takes_many_nodes() {
        limits::forget(app).await?;
    }
    retention::tick(app).await
}

/// When something is due next, later than `after`: what [`tick`] and [`webhooks::tick`] would find
/// to do then.
pub async fn next_due(app: &App, after: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let held_for = covering::held_for(app);
    let own = app
        .store
        .read("next_due", move |tx| {
            let asked = attempts::next_asked(tx, after.minus(ATTEMPT_DEADLINE))?;
            let asked = asked.map(|asked| asked.plus(ATTEMPT_DEADLINE));
            let release = reservations_table::next_due(tx, after)?;
            let undecided = reservations_table::next_undecided(tx, after)?;
            let since = after.minus(held_for);
            let held = payments_table::next_hold(tx, since)?;
            let left = after.minus(CHALLENGE_MAX);
            let waiting = payments_table::next_waiting(tx, since, left)?;
            Ok([
                bills_table::next_due(tx, after)?,
                payouts_table::next_due(tx, after)?,
                asked,
                release,
                undecided,
                held.map(|since| since.plus(held_for)),
                waiting.map(|asked| asked.plus(CHALLENGE_MAX)),
                store::tables::gift_cards::next_due(tx, after)?,
            ])
        })
        .await?;
    let delivery = webhooks::next_due(app, after).await?;
    let judgement = endpoints::next_judgement(app, after).await?;
    Ok(own.into_iter().chain([delivery, judgement]).flatten().min())
}

/// Before the first request: if this process is the only one on its database, whatever a dead
/// process left under way is taken up again at once.
pub async fn take_over(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    let freed = app
        .store
        .write_alone("free_leases", move |tx| {
            Ok(store::tables::deliveries::free_leases(tx, now)?)
        })
        .await?;
    // Otherwise what is under way may be another node's. What a dead one held then comes back by
    // time alone: leases run out, and attempts without an answer are asked for after their
    // deadline.
    if freed.is_some() {
        payments::resolve_interrupted(app, now).await?;
    }
    Ok(())
}
