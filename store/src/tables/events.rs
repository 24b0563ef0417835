//! Neutral facts, kept for the timeline of a bill and as the parents of deliveries.

use domain::{BillId, Event, Fact, PaymentId, Timestamp};

use crate::sql::Value;
use crate::{Fault, Tx};

const INSERT: &str = "INSERT INTO events (id, fact, merchant, mode, bill, payment, at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const OF_BILL: &str = "SELECT fact, payment, at FROM events WHERE bill = ?1 ORDER BY id";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[INSERT, OF_BILL];

/// What a timeline shows of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What happened.
    pub fact: Fact,
    /// The payment concerned.
    pub payment: Option<PaymentId>,
    /// When.
    pub at: Timestamp,
}

/// Saves an event.
pub fn insert(tx: &mut Tx<'_>, event: &Event) -> Result<(), Fault> {
    let head = &event.bill.head;
    let args: [Value; 7] = [
        event.id.as_str().into(),
        event.fact.as_str().into(),
        head.merchant.as_str().into(),
        head.mode.as_str().into(),
        head.id.as_str().into(),
        event
            .payment
            .as_ref()
            .map(|payment| payment.head.id.as_str())
            .into(),
        event.at.into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// What happened to a bill, in order.
pub fn of_bill(tx: &mut Tx<'_>, bill: &BillId) -> Result<Vec<Line>, Fault> {
    let rows = tx.query(OF_BILL, &[bill.as_str().into()])?;
    rows.iter()
        .map(|row| {
            Ok(Line {
                fact: row.read(0, |text| Fact::parse(text).ok_or("no fact"))?,
                payment: match row.text_or_null(1)? {
                    Some(_) => Some(row.read(1, PaymentId::parse)?),
                    None => None,
                },
                at: row.time(2)?,
            })
        })
        .collect()
}
