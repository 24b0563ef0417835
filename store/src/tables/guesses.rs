//! Wrong tries at gift cards: common to all nodes, and still there after a restart.

use domain::Timestamp;
use domain::guess::{Meter, Scope};

use crate::sql::Value;
use crate::{Fault, Tx};

const GET: &str = "SELECT wrong, since_at, today, day_at, locked_until FROM guesses \
    WHERE scope = ?1 AND key = ?2";
const PUT: &str = "INSERT INTO guesses \
    (scope, key, wrong, since_at, today, day_at, locked_until) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (scope, key) DO UPDATE SET \
    wrong = excluded.wrong, since_at = excluded.since_at, today = excluded.today, \
    day_at = excluded.day_at, locked_until = excluded.locked_until";
const FORGET_KEY: &str = "DELETE FROM guesses WHERE scope = ?1 AND key = ?2";
const OLD: &str = "SELECT scope, key FROM guesses WHERE day_at <= ?1 ORDER BY day_at LIMIT ?2";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[GET, PUT, FORGET_KEY, OLD];

/// What was counted for a key; a new meter if nothing was.
pub fn get(tx: &mut Tx<'_>, scope: Scope, key: &str, now: Timestamp) -> Result<Meter, Fault> {
    let Some(row) = tx.one(GET, &[scope.as_str().into(), key.into()])? else {
        return Ok(Meter::new(now));
    };
    let count = |column| -> Result<u32, Fault> {
        u32::try_from(row.int(column)?).map_err(|_| Fault("a count below zero".to_owned()))
    };
    Ok(Meter {
        wrong: count(0)?,
        since: row.time(1)?,
        today: count(2)?,
        day: row.time(3)?,
        locked_until: row.time_or_null(4)?,
    })
}

/// Saves a meter; one that holds nothing is forgotten.
pub fn put(tx: &mut Tx<'_>, scope: Scope, key: &str, meter: &Meter) -> Result<(), Fault> {
    if meter.is_fresh() {
        return forget_key(tx, scope.as_str(), key);
    }
    let args: [Value; 7] = [
        scope.as_str().into(),
        key.into(),
        meter.wrong.into(),
        meter.since.into(),
        meter.today.into(),
        meter.day.into(),
        meter.locked_until.into(),
    ];
    tx.exec(PUT, &args).map(|_| ())
}

fn forget_key(tx: &mut Tx<'_>, scope: &str, key: &str) -> Result<(), Fault> {
    tx.exec(FORGET_KEY, &[scope.into(), key.into()]).map(|_| ())
}

/// Are there meters whose day began before a time?
pub fn are_older(tx: &mut Tx<'_>, before: Timestamp) -> Result<bool, Fault> {
    Ok(tx.one(OLD, &[before.into(), 1_u32.into()])?.is_some())
}

/// Forgets such meters; how many there were. No lock lasts as long as a day.
pub fn forget(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Fault> {
    let old = tx.query(OLD, &[before.into(), limit.into()])?;
    for row in &old {
        forget_key(tx, row.text(0)?, row.text(1)?)?;
    }
    Ok(old.len())
}
