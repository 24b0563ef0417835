//! First answers to requests that came with an idempotency key.

use domain::Timestamp;

use crate::{Fault, Tx};

const FIND: &str = "SELECT fingerprint, outcome FROM idempotency WHERE scope = ?1";
const INSERT: &str = "INSERT INTO idempotency (scope, fingerprint, outcome, at) \
    VALUES (?1, ?2, ?3, ?4)";
const FORGET: &str = "DELETE FROM idempotency WHERE scope IN \
    (SELECT scope FROM idempotency WHERE at < ?1 ORDER BY at LIMIT ?2)";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[FIND, INSERT, FORGET];

/// What was answered to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Digest of the request.
    pub fingerprint: String,
    /// The reply or refusal, as JSON.
    pub outcome: String,
}

/// What was answered to the key of this scope, if it came before.
pub fn find(tx: &mut Tx<'_>, scope: &str) -> Result<Option<Remembered>, Fault> {
    let row = tx.one(FIND, &[scope.into()])?;
    row.map(|row| {
        Ok(Remembered {
            fingerprint: row.text(0)?.to_owned(),
            outcome: row.text(1)?.to_owned(),
        })
    })
    .transpose()
}

/// Remembers an answer.
pub fn insert(
    tx: &mut Tx<'_>,
    scope: &str,
    remembered: &Remembered,
    now: Timestamp,
) -> Result<(), Fault> {
    let args = [
        scope.into(),
        remembered.fingerprint.as_str().into(),
        remembered.outcome.as_str().into(),
        now.into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// Forgets answers older than `before`, a few at a time; how many went.
pub fn forget(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<u64, Fault> {
    tx.exec(FORGET, &[before.into(), limit.into()])
}
