//! The outbox: webhooks on their way, and what each attempt came to.
//!
//! A pending delivery has a time `next_at`. Claiming one sets a lease token and moves `next_at` to
//! the end of the lease: nobody else sees it until then, and if its holder dies it comes back by
//! itself. Only the holder of the token may record the outcome.

use domain::delivery::Outcome;
use domain::{BillId, DeliveryId, MerchantId, Mode, Timestamp};

use super::mode;
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

macro_rules! columns {
    () => {
        "d.id, d.event, d.merchant, d.mode, d.dialect, d.bill, d.target, d.subject, d.topic, \
         d.content_type, d.body, d.state, d.attempts, d.first_at, d.next_at"
    };
}

const INSERT: &str = "INSERT INTO deliveries (id, event, merchant, mode, dialect, bill, target, \
    subject, topic, content_type, body, state, attempts, next_at, created_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'pending', 0, ?12, ?12)";
const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM deliveries d WHERE d.state = 'pending' AND d.next_at <= ?1 \
     AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.state = 'pending' \
     AND o.subject = d.subject AND o.target = d.target AND o.id < d.id) \
     ORDER BY d.next_at LIMIT ?2 /*pg for update skip locked */"
);
const LEASE: &str = "UPDATE deliveries SET lease = ?2, next_at = ?3 WHERE id = ?1";
const SETTLE: &str = "UPDATE deliveries SET state = ?3, attempts = attempts + 1, \
    first_at = COALESCE(first_at, ?4), next_at = ?5, lease = NULL WHERE id = ?1 AND lease = ?2";
const INSERT_ATTEMPT: &str = "INSERT INTO delivery_attempts (delivery, number, at, took_ms, \
    status, error, request_headers, request_body, response_headers, response_body) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const ATTEMPTS: &str = "SELECT number, at, took_ms, status, error, request_headers, \
    request_body, response_headers, response_body FROM delivery_attempts \
    WHERE delivery = ?1 ORDER BY number";
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM deliveries d WHERE d.id = ?1");
const OF_BILL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM deliveries d WHERE d.bill = ?1 ORDER BY d.id"
);
const NEWEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM deliveries d WHERE d.merchant = ?1 AND d.mode = ?2 ORDER BY d.id DESC LIMIT ?3"
);
const RESEND: &str = "UPDATE deliveries SET state = 'pending', next_at = ?2, lease = NULL \
    WHERE id = ?1";
const FREE_LEASES: &str = "UPDATE deliveries SET lease = NULL, next_at = ?1 \
    WHERE state = 'pending' AND lease IS NOT NULL";
const NEXT_DUE: &str = "SELECT next_at FROM deliveries WHERE state = 'pending' \
    ORDER BY next_at LIMIT 1";
const TOTALS: &str = "SELECT state, COUNT(*) FROM deliveries GROUP BY state ORDER BY state";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    INSERT,
    DUE,
    LEASE,
    SETTLE,
    INSERT_ATTEMPT,
    ATTEMPTS,
    BY_ID,
    OF_BILL,
    NEWEST,
    RESEND,
    FREE_LEASES,
    NEXT_DUE,
    TOTALS,
];

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
    /// The dialect that signs it.
    pub dialect: String,
    /// The bill concerned.
    pub bill: BillId,
    /// Where it goes.
    pub target: String,
    /// Deliveries of one subject to one target stay in order.
    pub subject: String,
    /// What it announces, in the dialect's word.
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
    /// `pending`, `delivered`, `failed` or `paused`.
    pub state: String,
    /// Attempts made.
    pub attempts: u32,
    /// When the first one was made.
    pub first: Option<Timestamp>,
    /// When the next one is due (or the lease ends).
    pub next: Option<Timestamp>,
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
    /// Headers sent, as a JSON object.
    pub request_headers: String,
    /// Bytes sent.
    pub request_body: String,
    /// Headers received, as a JSON object.
    pub response_headers: String,
    /// The head of what was received.
    pub response_body: String,
}

/// Writes a delivery, due at once.
pub fn insert(tx: &mut Tx<'_>, new: &New, now: Timestamp) -> Result<(), Fault> {
    let args: [Value; 12] = [
        new.id.as_str().into(),
        new.event.as_str().into(),
        new.merchant.as_str().into(),
        new.mode.as_str().into(),
        new.dialect.as_str().into(),
        new.bill.as_str().into(),
        new.target.as_str().into(),
        new.subject.as_str().into(),
        new.topic.as_str().into(),
        new.content_type.as_str().into(),
        new.body.as_str().into(),
        now.into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// Claims due deliveries until `until`, the oldest of each subject and target, under one token.
pub fn claim(
    tx: &mut Tx<'_>,
    now: Timestamp,
    until: Timestamp,
    token: &str,
    limit: u32,
) -> Result<Vec<Delivery>, Fault> {
    let rows = tx.query(DUE, &[now.into(), limit.into()])?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        tx.exec(LEASE, &[row.text(0)?.into(), token.into(), until.into()])?;
        claimed.push(delivery(row)?);
    }
    Ok(claimed)
}

/// Records an attempt and what follows from it; `false` if the lease was lost meanwhile, and then
/// nothing is recorded.
pub fn settle(
    tx: &mut Tx<'_>,
    id: &DeliveryId,
    token: &str,
    attempt: &Try,
    outcome: Outcome,
) -> Result<bool, Fault> {
    let (state, next) = match outcome {
        Outcome::Delivered => ("delivered", None),
        Outcome::RetryAt(at) => ("pending", Some(at)),
        Outcome::GivenUp => ("failed", None),
    };
    let args = [
        id.as_str().into(),
        token.into(),
        state.into(),
        attempt.at.into(),
        next.into(),
    ];
    if tx.exec(SETTLE, &args)? == 0 {
        return Ok(false);
    }
    let args: [Value; 10] = [
        id.as_str().into(),
        attempt.number.into(),
        attempt.at.into(),
        attempt.took_ms.into(),
        attempt.status.map(i64::from).into(),
        attempt.error.clone().into(),
        attempt.request_headers.as_str().into(),
        attempt.request_body.as_str().into(),
        attempt.response_headers.as_str().into(),
        attempt.response_body.as_str().into(),
    ];
    tx.exec(INSERT_ATTEMPT, &args)?;
    Ok(true)
}

/// The attempts of a delivery, in order.
pub fn attempts(tx: &mut Tx<'_>, id: &DeliveryId) -> Result<Vec<Try>, Fault> {
    let rows = tx.query(ATTEMPTS, &[id.as_str().into()])?;
    rows.iter()
        .map(|row| {
            Ok(Try {
                number: u32::try_from(row.int(0)?).unwrap_or(u32::MAX),
                at: row.time(1)?,
                took_ms: row.int(2)?,
                status: row
                    .int_or_null(3)?
                    .and_then(|status| u16::try_from(status).ok()),
                error: row.text_or_null(4)?.map(str::to_owned),
                request_headers: row.text(5)?.to_owned(),
                request_body: row.text(6)?.to_owned(),
                response_headers: row.text(7)?.to_owned(),
                response_body: row.text(8)?.to_owned(),
            })
        })
        .collect()
}

/// One delivery.
pub fn by_id(tx: &mut Tx<'_>, id: &DeliveryId) -> Result<Option<Delivery>, Fault> {
    tx.one(BY_ID, &[id.as_str().into()])?
        .map(|row| delivery(&row))
        .transpose()
}

/// The deliveries of a bill, in order.
pub fn of_bill(tx: &mut Tx<'_>, bill: &BillId) -> Result<Vec<Delivery>, Fault> {
    tx.query(OF_BILL, &[bill.as_str().into()])?
        .iter()
        .map(delivery)
        .collect()
}

/// The newest deliveries of a merchant.
pub fn newest(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    mode: Mode,
    limit: u32,
) -> Result<Vec<Delivery>, Fault> {
    let args = [merchant.as_str().into(), mode.as_str().into(), limit.into()];
    tx.query(NEWEST, &args)?.iter().map(delivery).collect()
}

/// Makes a delivery due now, whatever state it is in; `false` if there is none of that id.
pub fn resend(tx: &mut Tx<'_>, id: &DeliveryId, now: Timestamp) -> Result<bool, Fault> {
    Ok(tx.exec(RESEND, &[id.as_str().into(), now.into()])? == 1)
}

/// Frees the leases that a dead process left, when this process is the only one: they are due
/// again at once. How many there were.
pub fn free_leases(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Fault> {
    tx.exec(FREE_LEASES, &[now.into()])
}

/// When the next delivery is due.
pub fn next_due(tx: &mut Tx<'_>) -> Result<Option<Timestamp>, Fault> {
    tx.one(NEXT_DUE, &[])?.map(|row| row.time(0)).transpose()
}

/// How many deliveries are in each state.
pub fn totals(tx: &mut Tx<'_>) -> Result<Vec<(String, i64)>, Fault> {
    let rows = tx.query(TOTALS, &[])?;
    rows.iter()
        .map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?)))
        .collect()
}

fn delivery(row: &Row) -> Result<Delivery, Fault> {
    Ok(Delivery {
        new: New {
            id: row.read(0, DeliveryId::parse)?,
            event: row.text(1)?.to_owned(),
            merchant: row.read(2, MerchantId::parse)?,
            mode: mode(row, 3)?,
            dialect: row.text(4)?.to_owned(),
            bill: row.read(5, BillId::parse)?,
            target: row.text(6)?.to_owned(),
            subject: row.text(7)?.to_owned(),
            topic: row.text(8)?.to_owned(),
            content_type: row.text(9)?.to_owned(),
            body: row.text(10)?.to_owned(),
        },
        state: row.text(11)?.to_owned(),
        attempts: u32::try_from(row.int(12)?).unwrap_or(u32::MAX),
        first: row.time_or_null(13)?,
        next: row.time_or_null(14)?,
    })
}
