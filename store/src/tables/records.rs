//! Whole objects that no rule looks at, as JSON.

use domain::Timestamp;

use crate::{Fault, Tx};

const PUT: &str = "INSERT INTO records (kind, id, body, created_at) VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body";
const GET: &str = "SELECT body FROM records WHERE kind = ?1 AND id = ?2";
const STARTING_WITH: &str = "SELECT body FROM records \
    WHERE kind = ?1 AND id >= ?2 AND id < ?3 ORDER BY id LIMIT ?4";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[PUT, GET, STARTING_WITH];

/// Saves an object, replacing the one of that id.
pub fn put(tx: &mut Tx<'_>, kind: &str, id: &str, body: &str, now: Timestamp) -> Result<(), Fault> {
    tx.exec(PUT, &[kind.into(), id.into(), body.into(), now.into()])
        .map(|_| ())
}

/// The object of this id.
pub fn get(tx: &mut Tx<'_>, kind: &str, id: &str) -> Result<Option<String>, Fault> {
    let row = tx.one(GET, &[kind.into(), id.into()])?;
    row.map(|row| row.text(0).map(str::to_owned)).transpose()
}

/// Objects whose id begins with `start`, in the order of their ids. Ids are ASCII.
pub fn starting_with(
    tx: &mut Tx<'_>,
    kind: &str,
    start: &str,
    limit: u32,
) -> Result<Vec<String>, Fault> {
    // `~` comes after every other printable ASCII character.
    let args = [
        kind.into(),
        start.into(),
        format!("{start}~").into(),
        limit.into(),
    ];
    let rows = tx.query(STARTING_WITH, &args)?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}
