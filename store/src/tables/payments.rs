//! Payments, with their four sums under the schema's own checks.

use domain::payment::{Ended, GiftPart, PaymentHead, Sums};
use domain::{
    BillId, CardId, Currency, MerchantId, Money, Payment, PaymentId, PaymentState, Timestamp,
    WireId,
};

use super::{changed_once, json, mode, to_json};
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

macro_rules! columns {
    () => {
        "id, dialect, wire_id, bill, merchant, mode, amount, currency, method, rail, instrument, \
         state, state_at, cause, authorized, captured, released, refunded, version, created_at, \
         updated_at, gift_card, gift_last5"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO payments (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
     ?19, ?20, ?21, ?22, ?23)"
);
const UPDATE: &str = "UPDATE payments SET state = ?2, state_at = ?3, cause = ?4, \
    authorized = ?5, captured = ?6, released = ?7, refunded = ?8, version = ?9, updated_at = ?10, \
    amount = ?11 WHERE id = ?1 AND version = ?9 - 1";
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM payments WHERE id = ?1");
const BY_WIRE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payments WHERE dialect = ?1 AND wire_id = ?2"
);
const OF_BILL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payments WHERE bill = ?1 ORDER BY id DESC LIMIT ?2"
);
const REJECTED: &str = "SELECT COUNT(*) FROM payments \
    WHERE bill = ?1 AND state = 'rejected' AND state_at >= ?2";
const HELD_PARTS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payments WHERE bill = ?1 AND gift_card IS NOT NULL AND state = 'authorized' \
     AND authorized > captured + released ORDER BY id"
);
const OLD_HOLDS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payments WHERE gift_card IS NOT NULL AND state = 'authorized' \
     AND authorized > captured + released AND created_at <= ?1 AND NOT EXISTS (SELECT 1 \
     FROM attempts WHERE attempts.bill = payments.bill AND attempts.state IN \
     ('asked', 'challenged') AND attempts.asked_at > ?2) ORDER BY created_at LIMIT ?3"
);
const NEXT_WAITING: &str = "SELECT MIN(a.asked_at) FROM payments p JOIN attempts a \
    ON a.bill = p.bill WHERE p.gift_card IS NOT NULL AND p.state = 'authorized' \
    AND p.authorized > p.captured + p.released AND p.created_at <= ?1 \
    AND a.state = 'challenged' AND a.asked_at > ?2";
const NEXT_HOLD: &str = "SELECT created_at FROM payments WHERE gift_card IS NOT NULL \
    AND state = 'authorized' AND authorized > captured + released AND created_at > ?1 \
    ORDER BY created_at LIMIT 1";
const PARTS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payments WHERE bill = ?1 AND gift_card IS NOT NULL ORDER BY id LIMIT ?2"
);
const CAPTURED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payments WHERE bill = ?1 AND captured > 0 ORDER BY id LIMIT ?2"
);
const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payments WHERE id > ?1 ORDER BY id LIMIT ?2"
);

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    BY_ID,
    BY_WIRE,
    OF_BILL,
    REJECTED,
    HELD_PARTS,
    OLD_HOLDS,
    NEXT_HOLD,
    NEXT_WAITING,
    PARTS,
    CAPTURED,
    PAGE,
];

/// Saves a new payment of a bill that came through `dialect`.
pub fn insert(tx: &mut Tx<'_>, payment: &Payment, dialect: &str) -> Result<(), Fault> {
    let head = &payment.head;
    let instrument = head.instrument.as_ref().map(to_json).transpose()?;
    let mut args: Vec<Value> = vec![
        head.id.as_str().into(),
        dialect.into(),
        head.wire.as_str().into(),
        head.bill.as_str().into(),
        head.merchant.as_str().into(),
        head.mode.as_str().into(),
        head.amount.minor().into(),
        head.amount.currency().code().into(),
        head.method.as_str().into(),
        head.rail.as_str().into(),
        instrument.into(),
    ];
    args.extend(state_columns(payment)?);
    args.extend([
        payment.version.into(),
        head.created.into(),
        payment.updated.into(),
        head.gift_card
            .as_ref()
            .map(|part| part.card.as_str())
            .into(),
        head.gift_card
            .as_ref()
            .map(|part| part.last5.as_str())
            .into(),
    ]);
    tx.exec(INSERT, &args).map(|_| ())
}

/// Saves a changed payment. One operation may make several transitions (authorise and capture),
/// so `read_version` is the version that was read.
pub fn update(tx: &mut Tx<'_>, payment: &Payment, read_version: i64) -> Result<(), Fault> {
    let mut args: Vec<Value> = vec![payment.head.id.as_str().into()];
    args.extend(state_columns(payment)?);
    args.extend([(read_version + 1).into(), payment.updated.into()]);
    // A payer may add to it before saying yes.
    args.push(payment.head.amount.minor().into());
    changed_once(tx.exec(UPDATE, &args)?, "the payment")
}

/// The payment with our id.
pub fn by_id(tx: &mut Tx<'_>, id: &PaymentId) -> Result<Option<Payment>, Fault> {
    tx.one(BY_ID, &[id.as_str().into()])?
        .map(|row| payment(&row))
        .transpose()
}

/// The payment that a dialect calls so.
pub fn by_wire(tx: &mut Tx<'_>, dialect: &str, wire: &WireId) -> Result<Option<Payment>, Fault> {
    let args = [dialect.into(), wire.as_str().into()];
    tx.one(BY_WIRE, &args)?.map(|row| payment(&row)).transpose()
}

/// The newest payments of a bill, in the order in which they were begun.
pub fn of_bill(tx: &mut Tx<'_>, bill: &BillId, limit: u32) -> Result<Vec<Payment>, Fault> {
    let rows = tx.query(OF_BILL, &[bill.as_str().into(), limit.into()])?;
    rows.iter().rev().map(payment).collect()
}

/// How many tries of a bill were declined since a time.
pub fn rejected_since(tx: &mut Tx<'_>, bill: &BillId, since: Timestamp) -> Result<u32, Fault> {
    let args = [bill.as_str().into(), since.into()];
    let count = tx.one(REJECTED, &args)?.map_or(Ok(0), |row| row.int(0))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// What gift cards hold for a bill, in the order in which they were added.
pub fn held_parts(tx: &mut Tx<'_>, bill: &BillId) -> Result<Vec<Payment>, Fault> {
    tx.query(HELD_PARTS, &[bill.as_str().into()])?
        .iter()
        .map(payment)
        .collect()
}

/// What gift cards have held since before a time, oldest first, but not of bills whose payer began
/// a try after `asked` that still waits.
pub fn old_holds(
    tx: &mut Tx<'_>,
    before: Timestamp,
    asked: Timestamp,
    limit: u32,
) -> Result<Vec<Payment>, Fault> {
    tx.query(OLD_HOLDS, &[before.into(), asked.into(), limit.into()])?
        .iter()
        .map(payment)
        .collect()
}

/// When the first try after a time began that keeps what has been held since before another.
pub fn next_waiting(
    tx: &mut Tx<'_>,
    before: Timestamp,
    after: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    let row = tx.one(NEXT_WAITING, &[before.into(), after.into()])?;
    row.map_or(Ok(None), |row| row.time_or_null(0))
}

/// Since when the first gift card after a time has held its part.
pub fn next_hold(tx: &mut Tx<'_>, after: Timestamp) -> Result<Option<Timestamp>, Fault> {
    let row = tx.one(NEXT_HOLD, &[after.into()])?;
    row.map(|row| row.time(0)).transpose()
}

/// Every gift-card part that a bill ever had, oldest first.
pub fn parts(tx: &mut Tx<'_>, bill: &BillId, limit: u32) -> Result<Vec<Payment>, Fault> {
    tx.query(PARTS, &[bill.as_str().into(), limit.into()])?
        .iter()
        .map(payment)
        .collect()
}

/// The payments of a bill that took money, oldest first.
pub fn captured(tx: &mut Tx<'_>, bill: &BillId, limit: u32) -> Result<Vec<Payment>, Fault> {
    tx.query(CAPTURED, &[bill.as_str().into(), limit.into()])?
        .iter()
        .map(payment)
        .collect()
}

/// Payments after an id, for walking through all of them.
pub fn after(tx: &mut Tx<'_>, id: &str, limit: u32) -> Result<Vec<Payment>, Fault> {
    tx.query(PAGE, &[id.into(), limit.into()])?
        .iter()
        .map(payment)
        .collect()
}

/// `state, state_at, cause, authorized, captured, released, refunded`.
fn state_columns(payment: &Payment) -> Result<[Value; 7], Fault> {
    let zero = || Value::Int(0);
    let word = Value::from(payment.state().name());
    Ok(match payment.state() {
        PaymentState::Pending => [
            word,
            Value::Null,
            Value::Null,
            zero(),
            zero(),
            zero(),
            zero(),
        ],
        PaymentState::Authorized { at, sums } => [
            word,
            (*at).into(),
            Value::Null,
            sums.authorized().minor().into(),
            sums.captured().minor().into(),
            sums.released().minor().into(),
            sums.refunded().minor().into(),
        ],
        PaymentState::Ended { at, how } => {
            let cause = match how {
                Ended::Rejected(cause) => to_json(cause)?.into(),
                Ended::Aborted | Ended::Expired | Ended::Cancelled => Value::Null,
            };
            [word, (*at).into(), cause, zero(), zero(), zero(), zero()]
        }
    })
}

fn payment(row: &Row) -> Result<Payment, Fault> {
    let currency = row.read(7, Currency::parse_exact)?;
    let money = |column| {
        Money::from_minor(row.int(column)?, currency)
            .map_err(|error| Fault(format!("column {column}: {error}")))
    };
    let at = row.time_or_null(12)?.unwrap_or(Timestamp::from_millis(0));
    let ended = |how| PaymentState::Ended { at, how };
    let state = match row.text(11)? {
        "pending" => PaymentState::Pending,
        "authorized" => PaymentState::Authorized {
            at,
            sums: Sums::restore(money(14)?, money(15)?, money(16)?, money(17)?)
                .map_err(|error| Fault(format!("sums: {error}")))?,
        },
        "aborted" => ended(Ended::Aborted),
        "expired" => ended(Ended::Expired),
        "cancelled" => ended(Ended::Cancelled),
        "rejected" => ended(Ended::Rejected(row.read(13, json)?)),
        other => return Err(Fault(format!("no state of a payment: {other}"))),
    };
    let head = PaymentHead {
        id: row.read(0, PaymentId::parse)?,
        wire: row.read(2, |text| WireId::new(text))?,
        bill: row.read(3, BillId::parse)?,
        merchant: row.read(4, MerchantId::parse)?,
        mode: mode(row, 5)?,
        amount: money(6)?,
        method: row.text(8)?.to_owned(),
        rail: row.text(9)?.to_owned(),
        instrument: row
            .text_or_null(10)?
            .map(json)
            .transpose()
            .map_err(|error| Fault(format!("instrument: {error}")))?,
        gift_card: match row.text_or_null(21)? {
            Some(_) => Some(GiftPart {
                card: row.read(21, CardId::parse)?,
                last5: row.text(22)?.to_owned(),
            }),
            None => None,
        },
        created: row.time(19)?,
    };
    Ok(Payment::restore(head, row.time(20)?, row.int(18)?, state))
}
