//! Limits of rate: so many calls of a kind per minute and object where a contract says so, and of
//! a merchant where the operator does. Only well-formed calls of a known caller count, repeated
//! ones too.
//!
//! Many nodes count together, in the database; the one process of an embedded database counts in
//! its memory, which is bounded by time: what was not called for two minutes is forgotten without
//! being looked for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use dialects::Dialect;
use domain::limits::SWEEP_MAX;
use domain::{Call, Caller, Refusal, Span, Timestamp};
use store::Tx;
use store::tables::calls;

use crate::app::App;
use crate::operations::Failure;

const MINUTE: Span = Span::from_minutes(1);

/// What was counted, in two generations.
#[derive(Debug, Default)]
pub struct Limits {
    counted: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    since: Option<Timestamp>,
    young: HashMap<String, Window>,
    old: HashMap<String, Window>,
}

/// The calls of one kind to one object within one minute.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: Timestamp,
    calls: u32,
}

impl Limits {
    /// Counts a call; refuses it when the minute has seen `most` of them.
    fn count(&self, name: String, most: u32, now: Timestamp) -> Result<(), Refusal> {
        let mut all = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *all.since.get_or_insert(now);
        if since.plus(MINUTE) <= now {
            all.old = std::mem::take(&mut all.young);
            all.since = Some(now);
        }
        let known = all.young.get(&name).or_else(|| all.old.get(&name)).copied();
        let mut window = known
            .filter(|window| now < window.start.plus(MINUTE))
            .unwrap_or(Window {
                start: now,
                calls: 0,
            });
        if window.calls >= most {
            return Err(Refusal::TooManyCalls(window.start.plus(MINUTE).since(now)));
        }
        window.calls = window.calls.saturating_add(1);
        all.young.insert(name, window);
        Ok(())
    }
}

impl Limits {
    /// Counts what a visitor does at a page of the sandbox. Programs on this machine are not
    /// limited: tests come from there.
    pub fn visitor(
        &self,
        what: &str,
        address: Option<IpAddr>,
        most: u32,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match address {
            Some(address) if !address.is_loopback() => {
                self.count(format!("{what}/{address}"), most, now)
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Lets a call through, or says when to come back. How many there may be is the dialect's.
pub async fn admit(
    app: &App,
    dialect: &dyn Dialect,
    caller: &Caller,
    call: &Call,
) -> Result<(), Failure> {
    let most = dialect.calls_per_minute(&app.site, call);
    if most == 0 {
        return Ok(());
    }
    let (merchant, mode) = (&caller.merchant.id, caller.mode.as_str());
    let dialect = dialect.profile().name;
    let (kind, object) = match call {
        Call::Reservation(known) => (call.name(), known.reference()),
        // All that a merchant asks about transactions counts together.
        Call::Transaction(_) => ("transactions", ""),
        _ => (call.name(), ""),
    };
    let name = format!("{merchant}/{mode}/{dialect}/{kind}/{object}");
    let now = app.clock.now();
    if !app.store.takes_many_nodes() {
        return Ok(app.limits.count(name, most, now)?);
    }
    // Nobody is told of the count but by a refusal: it need not be on disk.
    let counted = app.store.write_unsynced("count_call", move |tx| {
        Ok(calls::count(tx, &name, now, MINUTE)?)
    });
    let window = match counted.await {
        Ok(window) => window,
        // Nothing else was begun that a client would have to be in doubt about.
        Err(Failure::Unknown(_)) => return Ok(()),
        Err(failure) => return Err(failure),
    };
    if window.made > i64::from(most) {
        let again = window.start.plus(MINUTE).since(now);
        return Err(Refusal::TooManyCalls(again).into());
    }
    Ok(())
}

/// Forgets what was counted in the database and is over.
pub async fn forget(app: &App) -> Result<(), Failure> {
    let before = app.clock.now().minus(MINUTE);
    let old = app
        .store
        .read("old_calls", move |tx| Ok(calls::are_older(tx, before)?))
        .await?;
    if old {
        let work = move |tx: &mut Tx<'_>| Ok(calls::forget(tx, before, SWEEP_MAX)?);
        app.store.write_unsynced("forget_calls", work).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn a_minute_holds_so_many_calls_and_the_next_as_many_again() {
        let limits = Limits::default();
        let call = |name: &str, seconds| limits.count(name.to_owned(), 2, at(seconds));
        assert_eq!(call("a", 0), Ok(()));
        assert_eq!(call("a", 30), Ok(()));
        let wait = Refusal::TooManyCalls(Span::from_seconds(20));
        assert_eq!(call("a", 40), Err(wait));
        assert_eq!(call("b", 40), Ok(()), "another object has its own minute");
        assert_eq!(call("a", 60), Ok(()));
        assert_eq!(call("a", 61), Ok(()));
        assert!(
            call("a", 119).is_err(),
            "counted across a change of generations"
        );
        assert_eq!(call("a", 120), Ok(()));
    }

    #[test]
    fn what_is_not_called_is_forgotten() {
        let limits = Limits::default();
        for number in 0..100 {
            limits.count(number.to_string(), 5, at(0)).unwrap();
        }
        for minute in 1..4 {
            limits.count("x".to_owned(), 5, at(minute * 60)).unwrap();
        }
        let all = limits.counted.lock().unwrap();
        assert_eq!(all.young.len() + all.old.len(), 2);
    }

    #[test]
    fn a_visitor_is_counted_by_its_address_and_this_machine_is_not() {
        let (limits, now) = (Limits::default(), Timestamp::from_millis(1_795_000_000_000));
        let try_from = |address: Option<&str>| {
            let address = address.map(|text| text.parse().unwrap());
            limits.visitor("card-gen", address, 2, now)
        };
        let far = Some("203.0.113.9");
        assert_eq!((try_from(far), try_from(far)), (Ok(()), Ok(())));
        let wait = Span::from_minutes(1);
        assert_eq!(try_from(far), Err(Refusal::TooManyCalls(wait)));
        assert_eq!(try_from(Some("203.0.113.10")), Ok(()));
        for _ in 0..5 {
            assert_eq!(try_from(Some("127.0.0.1")), Ok(()));
            assert_eq!(try_from(None), Ok(()));
        }
    }
}
