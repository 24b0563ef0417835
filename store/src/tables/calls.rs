//! Calls counted for limits of rate, common to all nodes.

use domain::{Span, Timestamp};

use crate::{Fault, Tx};

/// A window that began at or before ?3 is over: the next call begins a new one.
const COUNT: &str = "INSERT INTO calls (name, start_at, made) VALUES (?1, ?2, 1) \
    ON CONFLICT (name) DO UPDATE SET \
    made = CASE WHEN calls.start_at <= ?3 THEN 1 ELSE calls.made + 1 END, \
    start_at = CASE WHEN calls.start_at <= ?3 THEN excluded.start_at ELSE calls.start_at END \
    RETURNING start_at, made";
const OLD: &str = "SELECT name FROM calls WHERE start_at <= ?1 ORDER BY start_at LIMIT ?2";
const FORGET: &str = "DELETE FROM calls WHERE name = ?1 AND start_at <= ?2";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[COUNT, OLD, FORGET];

/// What was counted under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the first of them came.
    pub start: Timestamp,
    /// How many came since, the last one included.
    pub made: i64,
}

/// Counts a call within a window of this length.
pub fn count(tx: &mut Tx<'_>, name: &str, now: Timestamp, length: Span) -> Result<Window, Fault> {
    let args = [name.into(), now.into(), now.minus(length).into()];
    let row = tx.one(COUNT, &args)?;
    let row = row.ok_or_else(|| Fault("a call was not counted".to_owned()))?;
    Ok(Window {
        start: row.time(0)?,
        made: row.int(1)?,
    })
}

/// Are there windows that began before a time?
pub fn are_older(tx: &mut Tx<'_>, before: Timestamp) -> Result<bool, Fault> {
    Ok(tx.one(OLD, &[before.into(), 1_u32.into()])?.is_some())
}

/// Forgets such windows; how many there were.
pub fn forget(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Fault> {
    let old = tx.query(OLD, &[before.into(), limit.into()])?;
    for row in &old {
        tx.exec(FORGET, &[row.text(0)?.into(), before.into()])?;
    }
    Ok(old.len())
}
