//! Bills.

use domain::bill::{BillHead, Payer};
use domain::call::BillFilter;
use domain::{Ask, Bill, BillId, BillState, Currency, MerchantId, Mode, Money, Timestamp, WireId};
use serde::{Deserialize, Serialize};

use super::{changed_once, json, mode, to_json};
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

macro_rules! columns {
    () => {
        "id, dialect, wire_id, merchant, mode, amount, currency, reference, expires_at, \
         repeatable, details, state, state_at, cause, version, created_at, updated_at"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO bills (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
);
const UPDATE: &str = "UPDATE bills SET amount = ?2, currency = ?3, reference = ?4, \
    expires_at = ?5, repeatable = ?6, details = ?7, state = ?8, state_at = ?9, cause = ?10, \
    version = ?11, updated_at = ?12 WHERE id = ?1 AND version = ?11 - 1";
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM bills WHERE id = ?1");
const BY_WIRE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM bills WHERE dialect = ?1 AND wire_id = ?2"
);
const BY_REFERENCE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM bills WHERE merchant = ?1 AND mode = ?2 AND reference = ?3 AND state <> 'withdrawn' \
     ORDER BY id DESC LIMIT 1"
);
macro_rules! theirs {
    () => {
        "FROM bills WHERE merchant = ?1 AND mode = ?2 AND dialect = ?3 "
    };
}
macro_rules! still_open {
    () => {
        "AND state >= 'open' AND state <= 'open' AND (expires_at IS NULL OR expires_at > ?4) "
    };
}
/// Those that are expired, whether or not a worker has come by: the newest of one kind, and all of
/// the other, which are few. Spelled so that these are found by their time and not among all that
/// are open.
macro_rules! expired {
    () => {
        "FROM bills WHERE id IN (SELECT id FROM (SELECT id FROM bills WHERE merchant = ?1 \
         AND mode = ?2 AND dialect = ?3 AND state = 'expired' ORDER BY id DESC LIMIT ?5) AS gone \
         UNION ALL SELECT id FROM bills WHERE state = 'open' AND expires_at IS NOT NULL \
         AND expires_at <= ?4 AND merchant || '' = ?1 AND mode || '' = ?2 AND dialect || '' = ?3) "
    };
}
const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " ",
    theirs!(),
    "AND state <> 'withdrawn' ORDER BY id DESC LIMIT ?4 OFFSET ?5"
);
const COUNT: &str = concat!(
    "SELECT COUNT(*) FROM (SELECT 1 ",
    theirs!(),
    "AND state <> 'withdrawn' LIMIT ?4) AS found"
);
/// Spelled as a range, so that the order by state counts: PostgreSQL's plan, which does not know
/// which state it is for, then takes the index that has this order and does not walk through all
/// bills by their ids.
const PAGE_IN_STATE: &str = concat!(
    "SELECT ",
    columns!(),
    " ",
    theirs!(),
    "AND state >= ?4 AND state <= ?4 ORDER BY state DESC, id DESC LIMIT ?5 OFFSET ?6"
);
const COUNT_IN_STATE: &str = concat!(
    "SELECT COUNT(*) FROM (SELECT 1 ",
    theirs!(),
    "AND state = ?4 LIMIT ?5) AS found"
);
const PAGE_OPEN: &str = concat!(
    "SELECT ",
    columns!(),
    " ",
    theirs!(),
    still_open!(),
    "ORDER BY state DESC, id DESC LIMIT ?5 OFFSET ?6"
);
const COUNT_OPEN: &str = concat!(
    "SELECT COUNT(*) FROM (SELECT 1 ",
    theirs!(),
    still_open!(),
    "LIMIT ?5) AS found"
);
const PAGE_EXPIRED: &str = concat!(
    "SELECT ",
    columns!(),
    " ",
    expired!(),
    "ORDER BY id DESC LIMIT ?6 OFFSET ?7"
);
const COUNT_EXPIRED: &str = concat!("SELECT COUNT(*) ", expired!());
const NEXT_DUE: &str = "SELECT MIN(expires_at) FROM bills WHERE state = 'open' \
    AND expires_at IS NOT NULL AND expires_at > ?1";
const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM bills WHERE state = 'open' AND expires_at IS NOT NULL AND expires_at <= ?1 \
     ORDER BY expires_at LIMIT ?2"
);
const TOTALS: &str = "SELECT state, COUNT(*) FROM bills GROUP BY state ORDER BY state";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    BY_ID,
    BY_WIRE,
    BY_REFERENCE,
    PAGE,
    COUNT,
    PAGE_IN_STATE,
    COUNT_IN_STATE,
    PAGE_OPEN,
    COUNT_OPEN,
    PAGE_EXPIRED,
    COUNT_EXPIRED,
    NEXT_DUE,
    DUE,
    TOTALS,
];

/// What no statement looks at, kept as one JSON object. What is not there takes no room: there is
/// one of these for every payment.
#[derive(Serialize, Deserialize)]
struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    payer: KnownPayer,
    methods: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify_url: Option<String>,
    extras: serde_json::Map<String, serde_json::Value>,
}

/// What is known of a [`Payer`].
#[derive(Serialize, Deserialize)]
struct KnownPayer {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

/// Which bills a list shows.
#[derive(Clone, Debug)]
pub struct Of {
    /// The merchant.
    pub merchant: MerchantId,
    /// Test or live.
    pub mode: Mode,
    /// The dialect.
    pub dialect: String,
    /// Only in this state, at the time given.
    pub state: Option<(BillFilter, Timestamp)>,
}

impl Of {
    /// The first arguments of its statements.
    fn args(&self) -> Vec<Value> {
        let mut args = vec![
            self.merchant.as_str().into(),
            self.mode.as_str().into(),
            self.dialect.as_str().into(),
        ];
        args.extend(self.state.map(|(state, now)| match state {
            BillFilter::Open | BillFilter::Expired => now.into(),
            BillFilter::Paid => "paid".into(),
            BillFilter::Failed => "failed".into(),
            BillFilter::Never => "".into(),
        }));
        args
    }
}

/// Saves a new bill.
pub fn insert(tx: &mut Tx<'_>, bill: &Bill) -> Result<(), Fault> {
    let head = &bill.head;
    let (state, state_at, cause) = state_columns(bill)?;
    let args: [Value; 17] = [
        head.id.as_str().into(),
        head.dialect.as_str().into(),
        head.wire.as_str().into(),
        head.merchant.as_str().into(),
        head.mode.as_str().into(),
        bill.ask.amount.minor().into(),
        bill.ask.amount.currency().code().into(),
        bill.ask.reference.clone().into(),
        bill.ask.expires.into(),
        bill.ask.repeatable.into(),
        details(&bill.ask)?.into(),
        state,
        state_at,
        cause,
        bill.version.into(),
        head.created.into(),
        bill.updated.into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// Saves a changed bill; it must be exactly one version newer than the stored one.
pub fn update(tx: &mut Tx<'_>, bill: &Bill) -> Result<(), Fault> {
    let (state, state_at, cause) = state_columns(bill)?;
    let args: [Value; 12] = [
        bill.head.id.as_str().into(),
        bill.ask.amount.minor().into(),
        bill.ask.amount.currency().code().into(),
        bill.ask.reference.clone().into(),
        bill.ask.expires.into(),
        bill.ask.repeatable.into(),
        details(&bill.ask)?.into(),
        state,
        state_at,
        cause,
        bill.version.into(),
        bill.updated.into(),
    ];
    changed_once(tx.exec(UPDATE, &args)?, "the bill")
}

/// The bill with our id.
pub fn by_id(tx: &mut Tx<'_>, id: &BillId) -> Result<Option<Bill>, Fault> {
    tx.one(BY_ID, &[id.as_str().into()])?
        .map(|row| bill(&row))
        .transpose()
}

/// The bill that a dialect calls so; also deleted ones.
pub fn by_wire(tx: &mut Tx<'_>, dialect: &str, wire: &WireId) -> Result<Option<Bill>, Fault> {
    let args = [dialect.into(), wire.as_str().into()];
    tx.one(BY_WIRE, &args)?.map(|row| bill(&row)).transpose()
}

/// The newest bill with the merchant's reference.
pub fn by_reference(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    mode: Mode,
    reference: &str,
) -> Result<Option<Bill>, Fault> {
    let args = [
        merchant.as_str().into(),
        mode.as_str().into(),
        reference.into(),
    ];
    tx.one(BY_REFERENCE, &args)?
        .map(|row| bill(&row))
        .transpose()
}

/// A page of bills, newest first.
pub fn page(tx: &mut Tx<'_>, of: &Of, limit: u32, offset: u32) -> Result<Vec<Bill>, Fault> {
    let mut args = of.args();
    let end = Value::from(limit.saturating_add(offset));
    let sql = match of.state {
        None => PAGE,
        Some((BillFilter::Open, _)) => PAGE_OPEN,
        Some((BillFilter::Expired, _)) => {
            args.push(end);
            PAGE_EXPIRED
        }
        Some(_) => PAGE_IN_STATE,
    };
    args.extend([limit.into(), offset.into()]);
    tx.query(sql, &args)?.iter().map(bill).collect()
}

/// How many bills there are, counted up to `most` or a little beyond: it must not take longer the
/// more there are.
pub fn count(tx: &mut Tx<'_>, of: &Of, most: u32) -> Result<u64, Fault> {
    let mut args = of.args();
    args.push(most.into());
    let sql = match of.state {
        None => COUNT,
        Some((BillFilter::Open, _)) => COUNT_OPEN,
        Some((BillFilter::Expired, _)) => COUNT_EXPIRED,
        Some(_) => COUNT_IN_STATE,
    };
    let count = tx.one(sql, &args)?.map_or(Ok(0), |row| row.int(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// When an open bill expires next, later than `after`.
pub fn next_due(tx: &mut Tx<'_>, after: Timestamp) -> Result<Option<Timestamp>, Fault> {
    tx.one(NEXT_DUE, &[after.into()])?
        .map_or(Ok(None), |row| row.time_or_null(0))
}

/// Open bills whose time is over, oldest first.
pub fn due(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Vec<Bill>, Fault> {
    tx.query(DUE, &[now.into(), limit.into()])?
        .iter()
        .map(bill)
        .collect()
}

/// How many bills are in each state, for operators and tests.
pub fn totals(tx: &mut Tx<'_>) -> Result<Vec<(String, i64)>, Fault> {
    let rows = tx.query(TOTALS, &[])?;
    rows.iter()
        .map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?)))
        .collect()
}

fn details(ask: &Ask) -> Result<String, Fault> {
    to_json(&Details {
        purpose: ask.purpose.clone(),
        payer: KnownPayer {
            name: ask.payer.name.clone(),
            email: ask.payer.email.clone(),
            phone: ask.payer.phone.clone(),
        },
        methods: ask.methods.clone(),
        return_url: ask.return_url.clone(),
        notify_url: ask.notify_url.clone(),
        extras: ask.extras.clone(),
    })
}

fn state_columns(bill: &Bill) -> Result<(Value, Value, Value), Fault> {
    let word = bill.state().as_str().into();
    Ok(match bill.state() {
        BillState::Open => (word, Value::Null, Value::Null),
        BillState::Paid { at } | BillState::Expired { at } | BillState::Withdrawn { at } => {
            (word, (*at).into(), Value::Null)
        }
        BillState::Failed { at, cause } => (word, (*at).into(), to_json(cause)?.into()),
    })
}

fn bill(row: &Row) -> Result<Bill, Fault> {
    let currency = row.read(6, Currency::parse_exact)?;
    let amount = Money::from_minor(row.int(5)?, currency)
        .map_err(|error| Fault(format!("amount: {error}")))?;
    let details: Details = row.read(10, json)?;
    let at = row.time_or_null(12)?.unwrap_or(Timestamp::from_millis(0));
    let state = match row.text(11)? {
        "open" => BillState::Open,
        "paid" => BillState::Paid { at },
        "failed" => BillState::Failed {
            at,
            cause: row.read(13, json)?,
        },
        "expired" => BillState::Expired { at },
        "withdrawn" => BillState::Withdrawn { at },
        other => return Err(Fault(format!("no state of a bill: {other}"))),
    };
    let head = BillHead {
        id: row.read(0, BillId::parse)?,
        dialect: row.text(1)?.to_owned(),
        wire: row.read(2, |text| WireId::new(text))?,
        merchant: row.read(3, MerchantId::parse)?,
        mode: mode(row, 4)?,
        created: row.time(15)?,
    };
    let ask = Ask {
        amount,
        expires: row.time_or_null(8)?,
        repeatable: row.int(9)? == 1,
        reference: row.text_or_null(7)?.map(str::to_owned),
        purpose: details.purpose,
        payer: Payer {
            name: details.payer.name,
            email: details.payer.email,
            phone: details.payer.phone,
        },
        methods: details.methods,
        return_url: details.return_url,
        notify_url: details.notify_url,
        extras: details.extras,
    };
    Ok(Bill::restore(head, ask, row.time(16)?, row.int(14)?, state))
}
