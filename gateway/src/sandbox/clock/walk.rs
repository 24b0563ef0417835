//! Moving the clock: from due time to due time, everything in order, by one node at a time.

use std::sync::Arc;
use std::time::Duration;

use domain::{Span, Timestamp};
use store::tables::deliveries;

use super::kept::{self, Kept, LOOK};
use crate::app::App;
use crate::clock::stopwatch;
use crate::operations::Failure;
use crate::workers;

/// How long a move waits for what other nodes have sent and not recorded: much longer than any
/// receiver takes that works.
const ELSEWHERE: Duration = Duration::from_secs(3);

/// How often a node that does what is due at one time says that it is alive.
const BEAT: Duration = Duration::from_secs(5);

/// Moves the clock, one due time after the other. One walk at a time; while it lasts, nobody else
/// sends webhooks, so that each is sent at its own time.
pub async fn walk(app: &Arc<App>, span: Span) -> Result<(), Failure> {
    let _claiming = app.sending.claiming.lock().await;
    let goal = begin(app, span).await?;
    let alone = app.is_alone().await?;
    if !alone {
        // Now they know, and take up nothing more.
        tokio::time::sleep(LOOK * 2).await;
        calm_elsewhere(app).await?;
    }
    walk_to(app, goal).await?;
    if !alone {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Goes on where a process ended while it moved the clock, without making anybody wait for it:
/// at a start, and when another node has died on the way.
pub async fn resume(app: &Arc<App>) -> Result<(), Failure> {
    let name = app.following.name(app);
    let Some(kept) = kept::kept(&app.store).await? else {
        return Ok(());
    };
    let now = app.clock.now();
    let led = kept.is_led_elsewhere(&name, now) && !app.is_alone().await?;
    // Somebody who claims here is on the way already.
    if !kept.is_on_the_way() || led || app.sending.claiming.try_lock().is_err() {
        return Ok(());
    }
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let _claiming = app.sending.claiming.lock().await;
        let walked = match begin(&app, Span::from_millis(0)).await {
            Ok(goal) => walk_to(&app, goal).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = walked {
            tracing::error!(?failure, "the sandbox's clock stopped on its way");
        }
    });
    Ok(())
}

/// Makes this process the one that moves the clock, so far beyond where it is or is going; how far
/// ahead that is. Waits for another node that moves it.
async fn begin(app: &App, span: Span) -> Result<u64, Failure> {
    loop {
        let (name, now) = (app.following.name(app), app.clock.now());
        let (own, alone) = (app.clock.offset().millis(), app.is_alone().await?);
        let begun = app.store.write("begin_sandbox_walk", move |tx| {
            let before = kept::get(tx)?.unwrap_or_default();
            if !alone && before.is_led_elsewhere(&name, now) {
                return Ok(None);
            }
            let ahead = before.ahead_ms.max(own);
            let kept = Kept {
                ahead_ms: ahead,
                shown_ms: before.shown_ms.max(now.millis()),
                goal_ms: before.goal_ms.max(ahead).saturating_add(span.millis()),
                walker: name.clone(),
            };
            kept::put(tx, &kept, now)?;
            Ok(Some((ahead, kept.goal_ms)))
        });
        if let Some((ahead, goal)) = begun.await? {
            app.clock.raise(Span::from_millis(ahead));
            return Ok(goal);
        }
        tokio::time::sleep(LOOK).await;
        kept::follow(app).await?;
    }
}

/// Waits until other nodes have recorded what they sent, or take too long: that is left to its own
/// time.
async fn calm_elsewhere(app: &App) -> Result<(), Failure> {
    let calm = async {
        loop {
            let leased = |tx: &mut store::Tx<'_>| Ok(deliveries::are_leased(tx)?);
            if !app.store.read("deliveries_leased", leased).await? {
                return Ok(());
            }
            tokio::time::sleep(LOOK / 4).await;
        }
    };
    tokio::time::timeout(ELSEWHERE, calm)
        .await
        .unwrap_or(Ok(()))
}

/// Moves the clock by a step on its way; `false` if another node has taken the walk over, because
/// this one made no step for too long. What a dead process showed must not come again: the step is
/// kept first.
async fn step(app: &App, step: Span, goal: u64) -> Result<bool, Failure> {
    let (name, now) = (app.following.name(app), app.clock.now());
    let to = app.clock.offset().millis().saturating_add(step.millis());
    let kept = app.store.write("keep_sandbox_clock", move |tx| {
        let before = kept::get(tx)?.unwrap_or_default();
        if before.walker != name {
            return Ok(None);
        }
        let kept = Kept {
            ahead_ms: before.ahead_ms.max(to),
            shown_ms: before.shown_ms.max(now.plus(step).millis()),
            goal_ms: before.goal_ms.max(goal),
            walker: name.clone(),
        };
        kept::put(tx, &kept, now)?;
        Ok(Some(kept.ahead_ms))
    });
    let kept = kept.await?;
    if let Some(ahead) = kept {
        app.clock.raise(Span::from_millis(ahead));
    }
    Ok(kept.is_some())
}

async fn walk_to(app: &Arc<App>, goal: u64) -> Result<(), Failure> {
    let left = || Span::from_millis(goal.saturating_sub(app.clock.offset().millis()));
    let end = app.clock.now().plus(left());
    app.sending.calm(end).await;
    let mut looked = do_due(app, end, goal).await?;
    while let Some(since) = looked {
        // What fell due since that look is the next: it must not wait for what comes after it.
        let next = workers::next_due(app, since).await?;
        let next = next.filter(|next| *next <= end);
        let by = next.map_or_else(left, |next| next.since(app.clock.now()).min(left()));
        if !step(app, by, goal).await? {
            return Ok(());
        }
        looked = do_due(app, end, goal).await?;
        if next.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// Does everything that is due now, on the way to `end`; the time of the last look, which found
/// nothing more, or nothing if another node has taken the walk over meanwhile. If it takes long the
/// others are told, who would take this node for dead.
async fn do_due(app: &Arc<App>, end: Timestamp, goal: u64) -> Result<Option<Timestamp>, Failure> {
    let mut beat = stopwatch();
    loop {
        let looked = app.clock.now();
        workers::tick(app).await?;
        if workers::webhooks::tick_until(app, end).await? == 0 {
            return Ok(Some(looked));
        }
        if stopwatch().saturating_sub(beat) > BEAT {
            beat = stopwatch();
            if !step(app, Span::from_millis(0), goal).await? {
                return Ok(None);
            }
        }
    }
}
