//! Removing deliveries that are over and old.

use domain::Timestamp;

use crate::{Fault, Tx};

/// In the order of ids, which is the order in time.
pub(super) const OLD: &str = "SELECT id, state, created_at FROM deliveries WHERE id > ?1 \
    ORDER BY id LIMIT ?2";
pub(super) const FORGET_ATTEMPTS: &str = "DELETE FROM delivery_attempts WHERE delivery IN (\
    SELECT d.id FROM deliveries d WHERE d.id > ?1 AND d.id <= ?2 AND d.state <> 'pending' \
    AND d.created_at < ?3 AND NOT EXISTS (SELECT 1 FROM delivery_attempts a \
    WHERE a.delivery = d.id AND a.at >= ?3))";
/// After [`FORGET_ATTEMPTS`]: whatever has attempts left had one that is young.
pub(super) const FORGET: &str = "DELETE FROM deliveries WHERE id > ?1 AND id <= ?2 \
    AND state <> 'pending' AND created_at < ?3 AND NOT EXISTS (SELECT 1 \
    FROM delivery_attempts a WHERE a.delivery = deliveries.id)";

/// A stretch of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The id of its last delivery; nothing where no older ones follow.
    pub end: Option<String>,
    /// Is any of it over?
    pub over: bool,
}

/// The next deliveries written before a time, after an id.
pub fn old_after(
    tx: &mut Tx<'_>,
    after: &str,
    before: Timestamp,
    limit: u32,
) -> Result<Stretch, Fault> {
    let rows = tx.query(OLD, &[after.into(), limit.into()])?;
    let mut stretch = Stretch {
        end: None,
        over: false,
    };
    for row in &rows {
        if row.time(2)? < before {
            stretch.end = Some(row.text(0)?.to_owned());
            stretch.over |= row.text(1)? != "pending";
        }
    }
    Ok(stretch)
}

/// Removes the deliveries of a stretch (after the first id, up to the second) that are over, were
/// written before a time and not tried since, with their attempts; how many went.
pub fn forget(
    tx: &mut Tx<'_>,
    (after, up_to): (&str, &str),
    before: Timestamp,
) -> Result<u64, Fault> {
    let args = [after.into(), up_to.into(), before.into()];
    tx.exec(FORGET_ATTEMPTS, &args)?;
    tx.exec(FORGET, &args)
}
