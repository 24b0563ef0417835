//! Neutral facts, kept for the timeline of an object and as the parents of deliveries.

use domain::{Event, Fact, MerchantId, Mode, PaymentId, Timestamp};

use crate::sql::{Row, Value};
use crate::{Fault, Tx};

const INSERT: &str = "INSERT INTO events (id, fact, merchant, mode, about, payment, at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const ABOUT: &str = "SELECT fact, payment, at, about, id FROM events WHERE about = ?1 \
    ORDER BY id LIMIT ?2";
const OF_MERCHANT: &str = "SELECT fact, payment, at, about, id FROM events \
    WHERE merchant = ?1 AND mode = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[INSERT, ABOUT, OF_MERCHANT];

/// What a timeline shows of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What happened.
    pub fact: Fact,
    /// The payment concerned.
    pub payment: Option<PaymentId>,
    /// When.
    pub at: Timestamp,
    /// Our id of the object.
    pub about: String,
    /// The event's own id.
    pub id: String,
}

/// Saves an event.
pub fn insert(tx: &mut Tx<'_>, event: &Event) -> Result<(), Fault> {
    let payment = event.payment().map(|payment| payment.head.id.as_str());
    let args: [Value; 7] = [
        event.id.as_str().into(),
        event.fact.as_str().into(),
        event.merchant().as_str().into(),
        event.mode().as_str().into(),
        event.object().into(),
        payment.into(),
        event.at.into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// What happened to an object, in order.
pub fn about(tx: &mut Tx<'_>, object: &str, limit: u32) -> Result<Vec<Line>, Fault> {
    let rows = tx.query(ABOUT, &[object.into(), limit.into()])?;
    rows.iter().map(line).collect()
}

/// What happened to a merchant's objects after the event `after` (empty: from the beginning).
pub fn of_merchant(
    tx: &mut Tx<'_>,
    of: (&MerchantId, Mode),
    after: &str,
    limit: u32,
) -> Result<Vec<Line>, Fault> {
    let args = [
        of.0.as_str().into(),
        of.1.as_str().into(),
        after.into(),
        limit.into(),
    ];
    tx.query(OF_MERCHANT, &args)?.iter().map(line).collect()
}

fn line(row: &Row) -> Result<Line, Fault> {
    Ok(Line {
        fact: row.read(0, |text| Fact::parse(text).ok_or("no fact"))?,
        payment: match row.text_or_null(1)? {
            Some(_) => Some(row.read(1, PaymentId::parse)?),
            None => None,
        },
        at: row.time(2)?,
        about: row.text(3)?.to_owned(),
        id: row.text(4)?.to_owned(),
    })
}
