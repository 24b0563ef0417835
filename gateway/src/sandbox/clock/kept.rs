//! The sandbox's clock as the database keeps it. It is one clock for all nodes: each follows what
//! another one has moved, and one node at a time moves it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use store::tables::records;
use store::{Fault, Store, Tx};
use tokio::sync::Mutex;

use crate::app::App;
use crate::clock::{Clock, stopwatch};
use crate::operations::Failure;

/// Where it is kept.
const KIND: &str = "sandbox";
const ID: &str = "clock";

/// How old what a node knows of the clock may be when it answers a request. Whoever moves the clock
/// waits as long before saying so: then every node shows the new time to whoever was told.
pub const LOOK: Duration = Duration::from_millis(100);

/// A node that makes no step for so long while it moves the clock has died.
const LEASE: Span = Span::from_minutes(1);

/// What is kept: milliseconds ahead of the system's clock, the time it showed then, how far ahead
/// it is going, and which process moves it.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Kept {
    pub(super) ahead_ms: u64,
    pub(super) shown_ms: i64,
    #[serde(default)]
    pub(super) goal_ms: u64,
    #[serde(default)]
    pub(super) walker: String,
}

impl Kept {
    /// Has somebody begun to move the clock and not arrived?
    pub(super) fn is_on_the_way(&self) -> bool {
        self.goal_ms > self.ahead_ms
    }

    /// Is another process than `name` moving the clock?
    pub(super) fn is_led_elsewhere(&self, name: &str, now: Timestamp) -> bool {
        let alive = now < Timestamp::from_millis(self.shown_ms).plus(LEASE);
        self.is_on_the_way() && self.walker != name && alive
    }
}

/// The clock as an earlier process left it, or as other nodes have it.
pub async fn load(store: &Store) -> Result<Clock, Failure> {
    let kept = kept(store).await?;
    let shown = kept.as_ref().map_or(i64::MIN, |kept| kept.shown_ms);
    let ahead = kept.map_or(0, |kept| kept.ahead_ms);
    let shown = Timestamp::from_millis(shown);
    Ok(Clock::ahead(Span::from_millis(ahead), shown))
}

pub(super) async fn kept(store: &Store) -> Result<Option<Kept>, Failure> {
    store.read("sandbox_clock", |tx| Ok(get(tx)?)).await
}

pub(super) fn get(tx: &mut Tx<'_>) -> Result<Option<Kept>, Fault> {
    let kept = records::get(tx, KIND, ID)?;
    let read = |text: String| {
        serde_json::from_str(&text)
            .map_err(|error| Fault(format!("the sandbox's clock cannot be read: {error}")))
    };
    kept.map(read).transpose()
}

pub(super) fn put(tx: &mut Tx<'_>, kept: &Kept, now: Timestamp) -> Result<(), Fault> {
    let text = serde_json::to_string(kept).map_err(|error| Fault(error.to_string()))?;
    records::put(tx, KIND, ID, &text, now)
}

/// What this node knows of the clock that it shares.
#[derive(Debug, Default)]
pub struct Following {
    name: OnceLock<String>,
    looked: Mutex<Option<Duration>>,
    led: AtomicBool,
}

impl Following {
    /// What this process is called towards the others.
    pub(super) fn name(&self, app: &App) -> String {
        self.name.get_or_init(|| app.entropy.token()).clone()
    }

    /// Is another node moving the clock? Until it arrives, what becomes due on the way is for that
    /// one to do.
    pub fn is_led(&self) -> bool {
        self.led.load(Ordering::SeqCst)
    }
}

/// Sees that this node's clock is not behind what another one shows, unless that was looked at a
/// moment ago. Nobody else moves the clock of an embedded database.
pub async fn follow(app: &App) -> Result<(), Failure> {
    if !app.store.takes_many_nodes() {
        return Ok(());
    }
    let following = &app.following;
    // Whoever comes meanwhile waits for this look, and needs none of their own.
    let mut looked = following.looked.lock().await;
    let now = stopwatch();
    if looked.is_some_and(|at| now.saturating_sub(at) < LOOK) {
        return Ok(());
    }
    *looked = Some(now);
    if let Some(kept) = kept(&app.store).await? {
        // Whoever sees the new time must know already who does what is due by then.
        let behind = kept.ahead_ms.saturating_sub(app.clock.offset().millis());
        let now = app.clock.now().plus(Span::from_millis(behind));
        let led = kept.is_led_elsewhere(&following.name(app), now);
        following.led.store(led, Ordering::SeqCst);
        app.clock.raise(Span::from_millis(kept.ahead_ms));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_led_by_another_while_that_lives_and_has_not_arrived() {
        let mut kept = Kept {
            ahead_ms: 5_000,
            shown_ms: 1_000,
            goal_ms: 9_000,
            walker: "a".to_owned(),
        };
        let at = |millis: i64| Timestamp::from_millis(1_000 + millis);
        assert!(kept.is_led_elsewhere("b", at(59_999)));
        assert!(!kept.is_led_elsewhere("a", at(0)), "by itself");
        assert!(!kept.is_led_elsewhere("b", at(60_000)), "it has died");
        kept.ahead_ms = 9_000;
        assert!(!kept.is_led_elsewhere("b", at(0)), "it has arrived");
    }

    #[test]
    fn what_an_earlier_version_kept_is_read() {
        let kept: Kept = serde_json::from_str(r#"{"ahead_ms":7,"shown_ms":9}"#).unwrap();
        assert_eq!((kept.ahead_ms, kept.shown_ms, kept.goal_ms), (7, 9, 0));
        assert!(!kept.is_on_the_way());
    }
}
