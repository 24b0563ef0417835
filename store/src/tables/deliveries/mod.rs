//! The outbox: webhooks on their way, and what each attempt came to.
//!
//! Deliveries stand in *queues*: one for each registered endpoint, and for one-off targets one for
//! each host of a merchant. Within a queue, those of one subject keep their order: only the first
//! of them has a `next_at`, the others are pending without one until it is over.
//!
//! Claiming one sets a lease token and moves `next_at` to the end of the lease: nobody else sees
//! it until then, and if its holder dies it comes back by itself. Only the holder of the token may
//! decide what follows; whoever lost it still records what was sent, and a success stays one.
//!
//! No statement here reads the backlog: each looks for the next few rows through an index.

use domain::delivery::Outcome;
use domain::{DeliveryId, EndpointId, MerchantId, Mode, Timestamp};

pub use self::by_hand::{ahead, empty, give_up, resend, resend_in_line};
pub use self::lists::{Filter, Range, about, are_leased, attempts, in_range, newest, waiting};
pub use self::old::{Stretch, forget, old_after};

use super::mode;
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

macro_rules! columns {
    () => {
        "d.id, d.event, d.merchant, d.mode, d.scheme, d.about, d.queue, d.endpoint, \
         COALESCE(e.url, d.target), d.subject, d.topic, d.content_type, d.body, d.state, d.why, \
         d.attempts, d.planned, d.first_at, d.next_at, d.again, d.again_at, d.lease, \
         d.created_at, e.state, e.wire_id FROM deliveries d \
         LEFT JOIN endpoints e ON e.id = d.endpoint"
    };
}

// Below the macro, which they use.
mod by_hand;
mod lists;
mod old;

const LAST_IN_LINE: &str = "SELECT MAX(place) FROM deliveries \
    WHERE subject = ?1 AND queue = ?2 AND state = 'pending'";
const INSERT: &str = "INSERT INTO deliveries (id, event, merchant, mode, scheme, about, queue, \
    endpoint, target, subject, place, topic, content_type, body, state, attempts, planned, \
    next_at, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
    'pending', 0, 0, ?15, ?16)";
/// Walks from queue to queue by the index: it costs what the number of queues costs.
const QUEUES: &str = "WITH RECURSIVE q (queue) AS (\
    SELECT (SELECT MIN(queue) FROM deliveries WHERE state = 'pending' AND next_at IS NOT NULL \
    AND queue > ?2) UNION ALL \
    SELECT (SELECT MIN(queue) FROM deliveries WHERE state = 'pending' AND next_at IS NOT NULL \
    AND queue > q.queue) FROM q WHERE q.queue IS NOT NULL) \
    SELECT q.queue, (SELECT MIN(next_at) FROM deliveries WHERE state = 'pending' \
    AND next_at IS NOT NULL AND queue = q.queue AND next_at > ?1) FROM q \
    LEFT JOIN endpoints e ON e.id = q.queue \
    WHERE q.queue IS NOT NULL AND (e.state IS NULL OR e.state = 'active') LIMIT ?3";
/// The queue of an endpoint that is not active is no queue at all: its name is asked for once, so
/// that what waits for a paused endpoint is never read, however much it is.
const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.queue = (SELECT CAST(?1 AS TEXT) WHERE NOT EXISTS (SELECT 1 FROM endpoints p \
     WHERE p.id = ?1 AND p.state <> 'active')) AND d.state = 'pending' \
     AND d.next_at IS NOT NULL AND d.next_at <= ?2 ORDER BY d.next_at, d.id LIMIT ?3 \
     /*pg for update of d skip locked */"
);
const LEASE: &str = "UPDATE deliveries SET lease = ?2, next_at = ?3 WHERE id = ?1";
/// Where one more attempt was asked for meanwhile, what would have become of the delivery is kept
/// beside that.
const SETTLE: &str = "UPDATE deliveries SET attempts = attempts + 1, planned = planned + ?5, \
    first_at = CASE WHEN ?5 = 1 THEN COALESCE(first_at, ?6) ELSE first_at END, \
    state = CASE WHEN resend = 1 THEN 'pending' ELSE CAST(?3 AS TEXT) END, \
    why = CASE WHEN resend = 1 THEN NULL ELSE CAST(?4 AS TEXT) END, \
    next_at = CASE WHEN resend = 1 THEN CAST(?6 AS BIGINT) ELSE CAST(?7 AS BIGINT) END, \
    again = CASE WHEN resend = 1 THEN CAST(?3 AS TEXT) ELSE NULL END, \
    again_why = CASE WHEN resend = 1 THEN CAST(?4 AS TEXT) ELSE NULL END, \
    again_at = CASE WHEN resend = 1 THEN CAST(?7 AS BIGINT) ELSE NULL END, \
    resend = 0, lease = NULL WHERE id = ?1 AND lease = ?2 RETURNING attempts, next_at, again";
/// An attempt by hand that fails changes nothing about what it was made for.
const SETTLE_BY_HAND: &str = "UPDATE deliveries SET attempts = attempts + 1, \
    state = CASE WHEN resend = 1 THEN state ELSE again END, \
    why = CASE WHEN resend = 0 AND again = 'failed' THEN COALESCE(again_why, 'gave_up') \
    ELSE NULL END, next_at = CASE WHEN resend = 1 THEN ?3 ELSE again_at END, \
    again = CASE WHEN resend = 1 THEN again ELSE NULL END, \
    again_why = CASE WHEN resend = 1 THEN again_why ELSE NULL END, \
    again_at = CASE WHEN resend = 1 THEN again_at ELSE NULL END, \
    resend = 0, lease = NULL WHERE id = ?1 AND lease = ?2 RETURNING attempts, next_at, again";
/// An attempt whose lease was lost. It was made all the same; what follows from its failure is
/// nobody's business any more, but what the receiver took is delivered.
const SETTLE_LATE: &str = "UPDATE deliveries SET attempts = attempts + 1, \
    state = CASE WHEN ?2 = 1 AND again IS NULL THEN 'delivered' ELSE state END, \
    why = CASE WHEN ?2 = 1 AND again IS NULL THEN NULL ELSE why END, \
    next_at = CASE WHEN ?2 = 1 AND again IS NULL THEN NULL ELSE next_at END, \
    lease = CASE WHEN ?2 = 1 AND again IS NULL THEN NULL ELSE lease END, \
    resend = CASE WHEN ?2 = 1 AND again IS NULL THEN 0 ELSE resend END, \
    again_why = CASE WHEN ?2 = 1 THEN NULL ELSE again_why END, \
    again_at = CASE WHEN ?2 = 1 THEN NULL ELSE again_at END, \
    again = CASE WHEN ?2 = 1 AND again IS NOT NULL THEN 'delivered' ELSE again END \
    WHERE id = ?1 RETURNING attempts, next_at";
/// The plus keeps the index of all that is due in the queue out of it: the line is far shorter.
const NEXT_IN_LINE: &str = "UPDATE deliveries SET next_at = ?3 WHERE id = (SELECT id \
    FROM deliveries WHERE subject = ?1 AND queue = ?2 AND state = 'pending' \
    AND next_at IS NULL ORDER BY place LIMIT 1) AND NOT EXISTS (SELECT 1 FROM deliveries \
    WHERE subject = ?1 AND queue = ?2 AND state = 'pending' AND +next_at IS NOT NULL)";
const INSERT_ATTEMPT: &str = "INSERT INTO delivery_attempts (delivery, number, at, took_ms, \
    status, error, request_headers, request_body, response_headers, response_body) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const BY_ID: &str = concat!("SELECT ", columns!(), " WHERE d.id = ?1");
const FREE_LEASES: &str = "UPDATE deliveries SET lease = NULL, next_at = ?1 \
    WHERE lease IS NOT NULL";
const FREE_LEASE: &str = "UPDATE deliveries SET lease = NULL, next_at = ?3 \
    WHERE id = ?1 AND lease = ?2";
/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    lists::ATTEMPTS,
    lists::ABOUT,
    lists::NEWEST,
    lists::NEWEST_IN,
    lists::NEWEST_PENDING,
    lists::NEWEST_FAILED,
    lists::OF_ENDPOINT_PENDING,
    lists::OF_ENDPOINT_FAILED,
    lists::OF_ENDPOINT,
    lists::OF_ENDPOINT_IN,
    lists::OF_ENDPOINT_FROM,
    lists::WAITING,
    lists::LEASED,
    by_hand::AHEAD,
    by_hand::RESEND,
    by_hand::RESEND_IN_LINE,
    by_hand::GIVE_UP,
    by_hand::HEADS,
    old::OLD,
    old::FORGET_ATTEMPTS,
    old::FORGET,
    LAST_IN_LINE,
    INSERT,
    QUEUES,
    DUE,
    LEASE,
    SETTLE,
    SETTLE_BY_HAND,
    SETTLE_LATE,
    NEXT_IN_LINE,
    INSERT_ATTEMPT,
    BY_ID,
    FREE_LEASES,
    FREE_LEASE,
];

/// Why a delivery is failed, as it stands in the database.
pub mod why {
    /// Its schedule is over.
    pub const GAVE_UP: &str = "gave_up";
    /// The receiver answered 410 Gone.
    pub const GONE: &str = "gone";
    /// Somebody skipped it.
    pub const SKIPPED: &str = "skipped";
    /// Its endpoint was removed.
    pub const REMOVED: &str = "endpoint_removed";

    /// After a last attempt that was answered so.
    pub fn after(status: Option<u16>) -> &'static str {
        if status == Some(410) { GONE } else { GAVE_UP }
    }
}

/// A delivery as it is written with its event.
#[derive(Clone, Debug)]
pub struct New {
    /// Our id.
    pub id: DeliveryId,
    /// The event it announces.
    pub event: String,
    /// The merchant.
    pub merchant: MerchantId,
    /// Test or live.
    pub mode: Mode,
    /// Who signs it: a dialect's name, or `standard`.
    pub scheme: String,
    /// Our id of the object concerned.
    pub about: String,
    /// The queue it stands in: the endpoint's id, or merchant, mode and host of the target.
    pub queue: String,
    /// The registered endpoint, if it goes to one.
    pub endpoint: Option<EndpointId>,
    /// Where it goes. One for an endpoint goes where the endpoint is when it is sent.
    pub target: String,
    /// Deliveries of one subject in one queue stay in order.
    pub subject: String,
    /// What it announces, in the scheme's word.
    pub topic: String,
    /// `Content-Type`.
    pub content_type: String,
    /// The body before signing.
    pub body: String,
}

/// A stored delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What was written.
    pub new: New,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// Why it failed, one of [`why`].
    pub why: Option<String>,
    /// Attempts made.
    pub attempts: u32,
    /// Attempts made on the schedule, without those by hand.
    pub planned: u32,
    /// When the first one was made.
    pub first: Option<Timestamp>,
    /// When the next one is due (or the lease ends).
    pub next: Option<Timestamp>,
    /// Set for an attempt by hand: the state to go back to if it fails, and its next time.
    pub again: Option<(String, Option<Timestamp>)>,
    /// Is it under way?
    pub leased: bool,
    /// When it was written.
    pub created: Timestamp,
    /// Is its endpoint paused?
    pub paused: bool,
    /// Is its endpoint removed? Then it is never sent again.
    pub removed: bool,
    /// What its scheme calls its endpoint.
    pub endpoint_wire: Option<String>,
}

/// What one attempt came to, both sides in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Try {
    /// Its number, from 1.
    pub number: u32,
    /// When it was made.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong, if there was no answer.
    pub error: Option<String>,
    /// Headers sent, as a JSON array of pairs.
    pub request_headers: String,
    /// Bytes sent.
    pub request_body: String,
    /// Headers received, as a JSON array of pairs.
    pub response_headers: String,
    /// The head of what was received.
    pub response_body: String,
}

/// Writes a delivery: due at once, or behind an earlier one of its subject. Its place in the line
/// is the time, or behind the last one that waits: so places keep their order for ever, also when
/// what is over is sent again.
pub fn insert(tx: &mut Tx<'_>, new: &New, now: Timestamp) -> Result<(), Fault> {
    let line = [new.subject.as_str().into(), new.queue.as_str().into()];
    let last = match tx.one(LAST_IN_LINE, &line)? {
        Some(row) => row.int_or_null(0)?,
        None => None,
    };
    let next = last.is_none().then_some(now);
    let args: [Value; 16] = [
        new.id.as_str().into(),
        new.event.as_str().into(),
        new.merchant.as_str().into(),
        new.mode.as_str().into(),
        new.scheme.as_str().into(),
        new.about.as_str().into(),
        new.queue.as_str().into(),
        new.endpoint.as_ref().map(EndpointId::as_str).into(),
        new.target.as_str().into(),
        new.subject.as_str().into(),
        last.map_or(i64::MIN, |last| last + 1)
            .max(now.millis())
            .into(),
        new.topic.as_str().into(),
        new.content_type.as_str().into(),
        new.body.as_str().into(),
        next.into(),
        now.into(),
    ];
    tx.exec(INSERT, &args)?;
    if next.is_some() {
        tx.wake(&new.queue);
    }
    Ok(())
}

/// Queues that may be sent to, with the earliest time after `after` at which something in them is
/// due (or its lease ends), in the order of their names from `from` on.
pub fn queues(
    tx: &mut Tx<'_>,
    after: Timestamp,
    from: &str,
    limit: u32,
) -> Result<Vec<(String, Option<Timestamp>)>, Fault> {
    let rows = tx.query(QUEUES, &[after.into(), from.into(), limit.into()])?;
    rows.iter()
        .map(|row| Ok((row.text(0)?.to_owned(), row.time_or_null(1)?)))
        .collect()
}

/// A claim: whose, when, until when, under which token.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The time now.
    pub now: Timestamp,
    /// When the lease ends.
    pub until: Timestamp,
    /// The token of the lease.
    pub token: &'a str,
    /// How many at most.
    pub limit: u32,
}

/// Claims what is due in a queue, the longest waiting first.
pub fn claim(tx: &mut Tx<'_>, claim: Claim<'_>) -> Result<Vec<Delivery>, Fault> {
    let args = [claim.queue.into(), claim.now.into(), claim.limit.into()];
    let rows = tx.query(DUE, &args)?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        let args = [row.text(0)?.into(), claim.token.into(), claim.until.into()];
        tx.exec(LEASE, &args)?;
        claimed.push(delivery(row)?);
    }
    Ok(claimed)
}

/// Records an attempt of a claimed delivery and what follows from it. When the delivery is over,
/// the next one of its subject is due. `false` if the lease was lost meanwhile: then the attempt is
/// recorded, and nothing follows unless the receiver took it.
pub fn settle(
    tx: &mut Tx<'_>,
    claimed: &Delivery,
    token: &str,
    attempt: &Try,
    outcome: Outcome,
) -> Result<bool, Fault> {
    let id = Value::from(claimed.new.id.as_str());
    let row = match (outcome, &claimed.again) {
        (Outcome::RetryAt(_) | Outcome::GivenUp, Some(_)) => {
            let args = [id, token.into(), attempt.at.into()];
            tx.one(SETTLE_BY_HAND, &args)?
        }
        (outcome, again) => {
            let (state, reason, next) = match outcome {
                Outcome::Delivered => ("delivered", None, None),
                Outcome::RetryAt(at) => ("pending", None, Some(at)),
                Outcome::GivenUp => ("failed", Some(why::after(attempt.status)), None),
            };
            let args = [
                id,
                token.into(),
                state.into(),
                reason.into(),
                i64::from(again.is_none()).into(),
                attempt.at.into(),
                next.into(),
            ];
            tx.one(SETTLE, &args)?
        }
    };
    let Some(row) = row else {
        settle_late(tx, claimed, attempt, outcome)?;
        return Ok(false);
    };
    insert_attempt(tx, &claimed.new.id, row.int(0)?, attempt)?;
    if row.time_or_null(1)?.is_none() {
        next_in_line(tx, &claimed.new, attempt.at)?;
    } else if row.text_or_null(2)?.is_some() {
        // Somebody asked for one more while this one was under way.
        tx.wake(&claimed.new.queue);
    }
    Ok(true)
}

fn settle_late(
    tx: &mut Tx<'_>,
    claimed: &Delivery,
    attempt: &Try,
    outcome: Outcome,
) -> Result<(), Fault> {
    let taken = outcome == Outcome::Delivered;
    let args = [claimed.new.id.as_str().into(), taken.into()];
    // Removed with its time, if it is not there any more.
    let Some(row) = tx.one(SETTLE_LATE, &args)? else {
        return Ok(());
    };
    insert_attempt(tx, &claimed.new.id, row.int(0)?, attempt)?;
    if taken && row.time_or_null(1)?.is_none() {
        next_in_line(tx, &claimed.new, attempt.at)?;
    }
    Ok(())
}

/// Its number is how many the delivery has now: another one may have been recorded meanwhile.
fn insert_attempt(
    tx: &mut Tx<'_>,
    id: &DeliveryId,
    number: i64,
    attempt: &Try,
) -> Result<(), Fault> {
    let args: [Value; 10] = [
        id.as_str().into(),
        number.into(),
        attempt.at.into(),
        attempt.took_ms.into(),
        attempt.status.map(i64::from).into(),
        attempt.error.clone().into(),
        attempt.request_headers.as_str().into(),
        attempt.request_body.as_str().into(),
        attempt.response_headers.as_str().into(),
        attempt.response_body.as_str().into(),
    ];
    tx.exec(INSERT_ATTEMPT, &args).map(|_| ())
}

/// Makes the next delivery of a subject due, unless another one is.
fn next_in_line(tx: &mut Tx<'_>, of: &New, now: Timestamp) -> Result<(), Fault> {
    let args = [
        of.subject.as_str().into(),
        of.queue.as_str().into(),
        now.into(),
    ];
    if tx.exec(NEXT_IN_LINE, &args)? > 0 {
        tx.wake(&of.queue);
        // It may not go out before what stands before it is over for good: were that undone by a
        // power cut, the earlier one would come after it.
        tx.must_be_synced();
    }
    Ok(())
}

/// One delivery.
pub fn by_id(tx: &mut Tx<'_>, id: &DeliveryId) -> Result<Option<Delivery>, Fault> {
    tx.one(BY_ID, &[id.as_str().into()])?
        .map(|row| delivery(&row))
        .transpose()
}

/// What waits in a queue is due once the transaction is committed: its endpoint was resumed.
pub fn wake(tx: &mut Tx<'_>, queue: &str) {
    tx.wake(queue);
}

/// Frees the leases that a dead process left, when this process is the only one: they are due
/// again at once. How many there were.
pub fn free_leases(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Fault> {
    tx.exec(FREE_LEASES, &[now.into()])
}

/// Gives a lease back without an attempt: it is due again at once.
pub fn free_lease(
    tx: &mut Tx<'_>,
    id: &DeliveryId,
    token: &str,
    now: Timestamp,
) -> Result<bool, Fault> {
    let args = [id.as_str().into(), token.into(), now.into()];
    Ok(tx.exec(FREE_LEASE, &args)? == 1)
}

fn delivery(row: &Row) -> Result<Delivery, Fault> {
    let again = row.text_or_null(19)?.map(str::to_owned);
    let again_at = row.time_or_null(20)?;
    Ok(Delivery {
        new: New {
            id: row.read(0, DeliveryId::parse)?,
            event: row.text(1)?.to_owned(),
            merchant: row.read(2, MerchantId::parse)?,
            mode: mode(row, 3)?,
            scheme: row.text(4)?.to_owned(),
            about: row.text(5)?.to_owned(),
            queue: row.text(6)?.to_owned(),
            endpoint: match row.text_or_null(7)? {
                Some(_) => Some(row.read(7, EndpointId::parse)?),
                None => None,
            },
            target: row.text(8)?.to_owned(),
            subject: row.text(9)?.to_owned(),
            topic: row.text(10)?.to_owned(),
            content_type: row.text(11)?.to_owned(),
            body: row.text(12)?.to_owned(),
        },
        state: row.text(13)?.to_owned(),
        why: row.text_or_null(14)?.map(str::to_owned),
        attempts: u32::try_from(row.int(15)?).unwrap_or(u32::MAX),
        planned: u32::try_from(row.int(16)?).unwrap_or(u32::MAX),
        first: row.time_or_null(17)?,
        next: row.time_or_null(18)?,
        again: again.map(|state| (state, again_at)),
        leased: row.text_or_null(21)?.is_some(),
        created: row.time(22)?,
        paused: row.text_or_null(23)? == Some("paused"),
        removed: row.text_or_null(23)? == Some("removed"),
        endpoint_wire: row.text_or_null(24)?.map(str::to_owned),
    })
}
