//! Reservations by the merchant's reference, with their deadlines, the telephone that was asked,
//! and their steps.

use domain::payment::Cause;
use domain::reservation::{Step, StepKind};
use domain::{Bill, BillId, Caller, Currency, Mode, Money, Payment, PaymentId, Timestamp, WireId};

use super::{json, mode, to_json};
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

macro_rules! columns {
    () => {
        "bill, payment, reference, phone, release_at, mode, undecided_until"
    };
}

const INSERT: &str = "INSERT INTO reservations \
    (bill, payment, dialect, merchant, mode, reference, phone, created_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const BY_REFERENCE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reservations WHERE dialect = ?1 AND merchant = ?2 AND mode = ?3 AND reference = ?4"
);
const OF_BILL: &str = concat!("SELECT ", columns!(), " FROM reservations WHERE bill = ?1");
const OF_PHONE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reservations WHERE phone = ?1 AND mode = ?2 ORDER BY bill DESC LIMIT ?3"
);
/// Of the newest thousand: one number may have any number of reservations.
const PHONES: &str = "SELECT phone, MAX(bill) FROM (SELECT phone, bill FROM reservations \
    WHERE phone || '' <> '' AND mode = ?1 ORDER BY bill DESC LIMIT 1000) AS newest \
    GROUP BY phone ORDER BY 2 DESC LIMIT ?2";
const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reservations WHERE release_at IS NOT NULL AND release_at <= ?1 \
     ORDER BY release_at LIMIT ?2"
);
const NEXT_DUE: &str = "SELECT release_at FROM reservations \
    WHERE release_at IS NOT NULL AND release_at > ?1 ORDER BY release_at LIMIT 1";
const UNDECIDED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reservations WHERE undecided_until IS NOT NULL AND undecided_until <= ?1 \
     ORDER BY undecided_until LIMIT ?2"
);
const NEXT_UNDECIDED: &str = "SELECT undecided_until FROM reservations \
    WHERE undecided_until IS NOT NULL AND undecided_until > ?1 ORDER BY undecided_until LIMIT 1";
const SET_UNDECIDED: &str = "UPDATE reservations SET undecided_until = ?2 WHERE bill = ?1";
const SET_PHONE: &str = "UPDATE reservations SET phone = ?2 WHERE bill = ?1";
const SET_RELEASE: &str = "UPDATE reservations SET release_at = ?2 WHERE bill = ?1";
const INSERT_STEP: &str = "INSERT INTO steps (payment, number, kind, wire_id, amount, currency, \
    idempotency_key, failure, until_at, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const STEPS: &str = "SELECT number, kind, wire_id, amount, currency, idempotency_key, failure, \
    until_at, at FROM steps WHERE payment = ?1 ORDER BY number";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    INSERT,
    BY_REFERENCE,
    OF_BILL,
    OF_PHONE,
    PHONES,
    DUE,
    NEXT_DUE,
    UNDECIDED,
    NEXT_UNDECIDED,
    SET_UNDECIDED,
    SET_PHONE,
    SET_RELEASE,
    INSERT_STEP,
    STEPS,
];

/// What the table says of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// Its bill.
    pub bill: BillId,
    /// Its payment.
    pub payment: PaymentId,
    /// The merchant's reference.
    pub reference: String,
    /// The telephone whose owner was asked.
    pub phone: Option<String>,
    /// When what is still reserved goes back.
    pub release_at: Option<Timestamp>,
    /// When the payer's bank will know whether it paid, if it does not know yet.
    pub undecided_until: Option<Timestamp>,
    /// Test or live.
    pub mode: Mode,
}

/// Saves a new reservation; its bill and payment are there. Whether the reference is free was
/// asked before, in the same transaction.
pub fn insert(
    tx: &mut Tx<'_>,
    bill: &Bill,
    payment: &Payment,
    phone: Option<&str>,
) -> Result<(), Fault> {
    let head = &bill.head;
    let reference = bill.ask.reference.as_deref().unwrap_or_default();
    let args: [Value; 8] = [
        head.id.as_str().into(),
        payment.head.id.as_str().into(),
        head.dialect.as_str().into(),
        head.merchant.as_str().into(),
        head.mode.as_str().into(),
        reference.into(),
        phone.into(),
        head.created.into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// The reservation with this reference.
pub fn by_reference(
    tx: &mut Tx<'_>,
    dialect: &str,
    caller: &Caller,
    reference: &str,
) -> Result<Option<Reserved>, Fault> {
    let args = [
        dialect.into(),
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        reference.into(),
    ];
    tx.one(BY_REFERENCE, &args)?
        .map(|row| reserved(&row))
        .transpose()
}

/// The reservation of a bill, if the bill is one.
pub fn of_bill(tx: &mut Tx<'_>, bill: &BillId) -> Result<Option<Reserved>, Fault> {
    tx.one(OF_BILL, &[bill.as_str().into()])?
        .map(|row| reserved(&row))
        .transpose()
}

/// The newest reservations that a telephone was asked about.
pub fn of_phone(
    tx: &mut Tx<'_>,
    phone: &str,
    mode: Mode,
    limit: u32,
) -> Result<Vec<Reserved>, Fault> {
    let args = [phone.into(), mode.as_str().into(), limit.into()];
    tx.query(OF_PHONE, &args)?.iter().map(reserved).collect()
}

/// Telephones that were asked of late, the last one first.
pub fn phones(tx: &mut Tx<'_>, mode: Mode, limit: u32) -> Result<Vec<String>, Fault> {
    let rows = tx.query(PHONES, &[mode.as_str().into(), limit.into()])?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// Reservations whose deadline is over, oldest first.
pub fn due(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Vec<Reserved>, Fault> {
    tx.query(DUE, &[now.into(), limit.into()])?
        .iter()
        .map(reserved)
        .collect()
}

/// The next deadline after a time.
pub fn next_due(tx: &mut Tx<'_>, after: Timestamp) -> Result<Option<Timestamp>, Fault> {
    tx.one(NEXT_DUE, &[after.into()])?
        .map(|row| row.time(0))
        .transpose()
}

/// Reservations whose bank knows by now, oldest first.
pub fn undecided(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Vec<Reserved>, Fault> {
    tx.query(UNDECIDED, &[now.into(), limit.into()])?
        .iter()
        .map(reserved)
        .collect()
}

/// When the next bank knows, after a time.
pub fn next_undecided(tx: &mut Tx<'_>, after: Timestamp) -> Result<Option<Timestamp>, Fault> {
    tx.one(NEXT_UNDECIDED, &[after.into()])?
        .map(|row| row.time(0))
        .transpose()
}

/// Sets or clears until when the bank does not know.
pub fn set_undecided(
    tx: &mut Tx<'_>,
    bill: &BillId,
    until: Option<Timestamp>,
) -> Result<(), Fault> {
    tx.exec(SET_UNDECIDED, &[bill.as_str().into(), until.into()])
        .map(|_| ())
}

/// Notes which telephone is asked.
pub fn set_phone(tx: &mut Tx<'_>, bill: &BillId, phone: &str) -> Result<(), Fault> {
    tx.exec(SET_PHONE, &[bill.as_str().into(), phone.into()])
        .map(|_| ())
}

/// Sets or clears the deadline.
pub fn set_release(tx: &mut Tx<'_>, bill: &BillId, at: Option<Timestamp>) -> Result<(), Fault> {
    tx.exec(SET_RELEASE, &[bill.as_str().into(), at.into()])
        .map(|_| ())
}

/// Saves a step.
pub fn insert_step(tx: &mut Tx<'_>, payment: &PaymentId, step: &Step) -> Result<(), Fault> {
    let args: [Value; 10] = [
        payment.as_str().into(),
        step.number.into(),
        step.kind.as_str().into(),
        step.wire.as_str().into(),
        step.amount.minor().into(),
        step.amount.currency().code().into(),
        step.key.clone().into(),
        step.failure.as_ref().map(to_json).transpose()?.into(),
        step.until.into(),
        step.at.into(),
    ];
    tx.exec(INSERT_STEP, &args).map(|_| ())
}

/// The steps of a payment, oldest first.
pub fn steps(tx: &mut Tx<'_>, payment: &PaymentId) -> Result<Vec<Step>, Fault> {
    tx.query(STEPS, &[payment.as_str().into()])?
        .iter()
        .map(step)
        .collect()
}

fn reserved(row: &Row) -> Result<Reserved, Fault> {
    Ok(Reserved {
        bill: row.read(0, BillId::parse)?,
        payment: row.read(1, PaymentId::parse)?,
        reference: row.text(2)?.to_owned(),
        phone: row.text_or_null(3)?.map(str::to_owned),
        release_at: row.time_or_null(4)?,
        mode: mode(row, 5)?,
        undecided_until: row.time_or_null(6)?,
    })
}

fn step(row: &Row) -> Result<Step, Fault> {
    let currency = row.read(4, Currency::parse_exact)?;
    let amount = Money::from_minor(row.int(3)?, currency)
        .map_err(|error| Fault(format!("amount of a step: {error}")))?;
    let failure: Option<Cause> = row
        .text_or_null(6)?
        .map(json)
        .transpose()
        .map_err(|error| Fault(format!("failure of a step: {error}")))?;
    Ok(Step {
        number: u32::try_from(row.int(0)?).map_err(|_| Fault("number of a step".to_owned()))?,
        kind: row.read(1, |text| StepKind::parse(text).ok_or("no kind of step"))?,
        wire: row.read(2, |text| WireId::new(text))?,
        amount,
        key: row.text_or_null(5)?.map(str::to_owned),
        failure,
        until: row.time_or_null(7)?,
        at: row.time(8)?,
    })
}
