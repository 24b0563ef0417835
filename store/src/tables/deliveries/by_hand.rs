//! What people and rules do about deliveries beside their schedule: one more attempt, a whole range
//! once more, none any more.

use domain::{DeliveryId, EndpointId, Timestamp};

use super::{Delivery, NEXT_IN_LINE, delivery, next_in_line, why};
use crate::{Fault, Tx};

pub(super) const AHEAD: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.subject = ?1 AND d.queue = ?2 AND d.state = 'pending' AND d.next_at IS NOT NULL \
     ORDER BY d.place LIMIT 1"
);
/// One that is under way is not sent twice at the same time: it is due again when that is over.
pub(super) const RESEND: &str = "UPDATE deliveries SET \
    resend = CASE WHEN lease IS NULL THEN 0 ELSE 1 END, \
    again_why = CASE WHEN lease IS NULL AND again IS NULL THEN why ELSE again_why END, \
    again_at = CASE WHEN lease IS NULL AND again IS NULL THEN next_at ELSE again_at END, \
    again = CASE WHEN lease IS NULL THEN COALESCE(again, state) ELSE again END, \
    next_at = CASE WHEN lease IS NULL THEN ?2 ELSE next_at END, \
    state = 'pending', why = NULL WHERE id = ?1";
/// In its old place of its line; only the first of a line gets a time. (Places of rows from before
/// places were times are small.)
pub(super) const RESEND_IN_LINE: &str = "UPDATE deliveries SET again = state, again_why = why, \
    again_at = NULL, state = 'pending', why = NULL, \
    place = CASE WHEN place < created_at THEN created_at + place ELSE place END, \
    next_at = CASE WHEN EXISTS (SELECT 1 FROM deliveries o WHERE o.subject = deliveries.subject \
    AND o.queue = deliveries.queue AND o.state = 'pending' AND +o.next_at IS NOT NULL) THEN NULL \
    ELSE CAST(?2 AS BIGINT) END WHERE id = ?1 AND state <> 'pending' RETURNING queue, next_at";
/// What was delivered before somebody sent it again stays delivered.
pub(super) const GIVE_UP: &str = "UPDATE deliveries SET \
    state = CASE WHEN again = 'delivered' THEN 'delivered' ELSE 'failed' END, \
    why = CASE WHEN again = 'delivered' THEN NULL ELSE CAST(?2 AS TEXT) END, \
    next_at = NULL, again = NULL, again_why = NULL, again_at = NULL, resend = 0, lease = NULL \
    WHERE id = ?1 AND state = 'pending'";
/// The first of each line of a queue: through the index of what is due, which holds nothing else.
pub(super) const HEADS: &str = "SELECT id, subject FROM deliveries WHERE queue = ?1 \
    AND state = 'pending' AND next_at IS NOT NULL ORDER BY next_at, id LIMIT ?2";

/// The delivery that holds up a pending one that has no time of its own.
pub fn ahead(tx: &mut Tx<'_>, of: &Delivery) -> Result<Option<Delivery>, Fault> {
    let args = [of.new.subject.as_str().into(), of.new.queue.as_str().into()];
    tx.one(AHEAD, &args)?.map(|row| delivery(&row)).transpose()
}

/// Asks for one more attempt now, in whatever state the delivery is, or right after the one that is
/// under way; `false` if there is none of that id. An attempt on the schedule stays where it was if
/// this one fails.
pub fn resend(tx: &mut Tx<'_>, delivery: &Delivery, now: Timestamp) -> Result<bool, Fault> {
    let changed = tx.exec(RESEND, &[delivery.new.id.as_str().into(), now.into()])?;
    tx.wake(&delivery.new.queue);
    Ok(changed == 1)
}

/// Asks for one more attempt of a delivery that is over, after those of its line that happened
/// before it; `false` if it is not over.
pub fn resend_in_line(tx: &mut Tx<'_>, id: &DeliveryId, now: Timestamp) -> Result<bool, Fault> {
    let args = [id.as_str().into(), now.into()];
    let Some(row) = tx.one(RESEND_IN_LINE, &args)? else {
        return Ok(false);
    };
    if row.time_or_null(1)?.is_some() {
        tx.wake(row.text(0)?);
    }
    Ok(true)
}

/// Gives a pending delivery up, for a reason of [`why`]; the next one of its subject is due then.
/// One that was delivered and is only being sent again stays delivered. `false` if it was not
/// pending.
pub fn give_up(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    reason: &'static str,
    now: Timestamp,
) -> Result<bool, Fault> {
    let args = [delivery.new.id.as_str().into(), reason.into()];
    if tx.exec(GIVE_UP, &args)? == 0 {
        return Ok(false);
    }
    next_in_line(tx, &delivery.new, now)?;
    Ok(true)
}

/// Gives up deliveries that wait for a removed endpoint; how many of at most `limit`. Fewer than
/// that are the last ones.
pub fn empty(tx: &mut Tx<'_>, endpoint: &EndpointId, limit: u32) -> Result<u32, Fault> {
    let mut count = 0;
    while count < limit {
        let args = [endpoint.as_str().into(), (limit - count).into()];
        let heads = tx.query(HEADS, &args)?;
        if heads.is_empty() {
            break;
        }
        for row in &heads {
            let (id, subject) = (row.text(0)?, row.text(1)?);
            count += u32::from(tx.exec(GIVE_UP, &[id.into(), why::REMOVED.into()])? > 0);
            // The next one of its line comes to the head, and is given up in its turn.
            let now = Timestamp::from_millis(0);
            let args = [subject.into(), endpoint.as_str().into(), now.into()];
            tx.exec(NEXT_IN_LINE, &args)?;
        }
    }
    Ok(count)
}
