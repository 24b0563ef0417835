//! Attempts to move money over a rail.

use domain::{Attempt, AttemptId, AttemptState, BillId, PaymentId, Timestamp};

use super::{changed_once, json, to_json};
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

const INSERT: &str = "INSERT INTO attempts \
    (id, payment, bill, once, rail, state, cause, asked_at, updated_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)";
const UPDATE: &str =
    "UPDATE attempts SET state = ?2, cause = ?3, updated_at = ?4 WHERE id = ?1 AND state = ?5";
const BY_ID: &str = "SELECT id, payment, rail, state, cause, asked_at FROM attempts WHERE id = ?1";
const BY_ONCE: &str = "SELECT id, payment, rail, state, cause, asked_at FROM attempts \
    WHERE bill = ?1 AND once = ?2";
const OPEN_OF_BILL: &str = "SELECT id, payment, rail, state, cause, asked_at FROM attempts \
    WHERE bill = ?1 AND state IN ('asked', 'challenged') ORDER BY id";
const ASKED_BEFORE: &str = "SELECT id, payment, rail, state, cause, asked_at FROM attempts \
    WHERE state = 'asked' AND asked_at <= ?1 ORDER BY asked_at LIMIT ?2";

const NEXT_ASKED: &str = "SELECT MIN(asked_at) FROM attempts \
    WHERE state = 'asked' AND asked_at > ?1";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    BY_ID,
    BY_ONCE,
    OPEN_OF_BILL,
    ASKED_BEFORE,
    NEXT_ASKED,
];

/// Saves a new attempt. `once` is the token of the form it came from: unique within the bill.
pub fn insert(tx: &mut Tx<'_>, attempt: &Attempt, bill: &BillId, once: &str) -> Result<(), Fault> {
    let args = [
        attempt.id.as_str().into(),
        attempt.payment.as_str().into(),
        bill.as_str().into(),
        once.into(),
        attempt.rail.as_str().into(),
        attempt.state().as_str().into(),
        cause(attempt)?,
        attempt.asked.into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// Saves the new state of an attempt that was read in state `from`.
pub fn update(
    tx: &mut Tx<'_>,
    attempt: &Attempt,
    from: &AttemptState,
    now: Timestamp,
) -> Result<(), Fault> {
    let args = [
        attempt.id.as_str().into(),
        attempt.state().as_str().into(),
        cause(attempt)?,
        now.into(),
        from.as_str().into(),
    ];
    changed_once(tx.exec(UPDATE, &args)?, "the attempt")
}

/// The attempt with our id.
pub fn by_id(tx: &mut Tx<'_>, id: &AttemptId) -> Result<Option<Attempt>, Fault> {
    tx.one(BY_ID, &[id.as_str().into()])?
        .map(|row| attempt(&row))
        .transpose()
}

/// The attempt that was made from a form, if it was sent before.
pub fn by_once(tx: &mut Tx<'_>, bill: &BillId, once: &str) -> Result<Option<Attempt>, Fault> {
    tx.one(BY_ONCE, &[bill.as_str().into(), once.into()])?
        .map(|row| attempt(&row))
        .transpose()
}

/// Attempts of a bill whose answer is still to come.
pub fn open_of_bill(tx: &mut Tx<'_>, bill: &BillId) -> Result<Vec<Attempt>, Fault> {
    tx.query(OPEN_OF_BILL, &[bill.as_str().into()])?
        .iter()
        .map(attempt)
        .collect()
}

/// When the oldest unanswered attempt that is younger than `after` was made.
pub fn next_asked(tx: &mut Tx<'_>, after: Timestamp) -> Result<Option<Timestamp>, Fault> {
    tx.one(NEXT_ASKED, &[after.into()])?
        .map_or(Ok(None), |row| row.time_or_null(0))
}

/// Attempts that were asked up to `before` and never answered, oldest first.
pub fn asked_before(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<Vec<Attempt>, Fault> {
    tx.query(ASKED_BEFORE, &[before.into(), limit.into()])?
        .iter()
        .map(attempt)
        .collect()
}

fn cause(attempt: &Attempt) -> Result<Value, Fault> {
    match attempt.state() {
        AttemptState::Declined(cause) => Ok(to_json(cause)?.into()),
        AttemptState::Asked
        | AttemptState::Challenged
        | AttemptState::Approved
        | AttemptState::Abandoned => Ok(Value::Null),
    }
}

fn attempt(row: &Row) -> Result<Attempt, Fault> {
    let state = match row.text(3)? {
        "asked" => AttemptState::Asked,
        "challenged" => AttemptState::Challenged,
        "approved" => AttemptState::Approved,
        "declined" => AttemptState::Declined(row.read(4, json)?),
        "abandoned" => AttemptState::Abandoned,
        other => return Err(Fault(format!("no state of an attempt: {other}"))),
    };
    let id = row.read(0, AttemptId::parse)?;
    let payment = row.read(1, PaymentId::parse)?;
    Ok(Attempt::ask(id, payment, row.text(2)?, row.time(5)?).restored(state))
}
