//! Payouts.

use domain::bill::Payer;
use domain::payout::{Order, PayoutHead, Progress};
use domain::{
    Caller, Currency, MerchantId, Money, Payout, PayoutId, PayoutState, Timestamp, WireId,
};
use serde::{Deserialize, Serialize};

use super::{changed_once, json, mode, to_json};
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

macro_rules! columns {
    () => {
        "id, dialect, wire_id, merchant, mode, amount, currency, requested_by, details, provider, \
         rail, state, state_at, cause, due_at, version, created_at, updated_at"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO payouts (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
);
const UPDATE: &str = "UPDATE payouts SET provider = ?2, rail = ?3, state = ?4, state_at = ?5, \
    cause = ?6, due_at = ?7, version = ?8, updated_at = ?9 WHERE id = ?1 AND version = ?8 - 1";
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM payouts WHERE id = ?1");
const BY_WIRE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payouts WHERE dialect = ?1 AND wire_id = ?2"
);
const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payouts WHERE due_at IS NOT NULL AND due_at <= ?1 ORDER BY due_at LIMIT ?2"
);
const NEXT_DUE: &str = "SELECT due_at FROM payouts WHERE due_at IS NOT NULL AND due_at > ?1 \
    ORDER BY due_at LIMIT 1";
// Two statements rather than one with an "or": each has an index that it follows.
const OF_MERCHANT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payouts WHERE merchant = ?1 AND mode = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4"
);
const IN_STATE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payouts WHERE merchant = ?1 AND mode = ?2 AND id < ?3 AND state = ?5 \
     ORDER BY id DESC LIMIT ?4"
);
const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM payouts WHERE id > ?1 ORDER BY id LIMIT ?2"
);

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    BY_ID,
    BY_WIRE,
    DUE,
    NEXT_DUE,
    OF_MERCHANT,
    IN_STATE,
    PAGE,
];

/// What no statement looks at, kept as one JSON object.
#[derive(Serialize, Deserialize)]
struct Details {
    reference: Option<String>,
    purpose: Option<String>,
    payee: Payer,
    methods: Vec<String>,
    return_url: Option<String>,
    notify_url: Option<String>,
    extras: serde_json::Map<String, serde_json::Value>,
}

/// Saves a new payout.
pub fn insert(tx: &mut Tx<'_>, payout: &Payout) -> Result<(), Fault> {
    let (head, order) = (&payout.head, &payout.order);
    let details = Details {
        reference: order.reference.clone(),
        purpose: order.purpose.clone(),
        payee: order.payee.clone(),
        methods: order.methods.clone(),
        return_url: order.return_url.clone(),
        notify_url: order.notify_url.clone(),
        extras: order.extras.clone(),
    };
    let mut args: Vec<Value> = vec![
        head.id.as_str().into(),
        head.dialect.as_str().into(),
        head.wire.as_str().into(),
        head.merchant.as_str().into(),
        head.mode.as_str().into(),
        order.amount.minor().into(),
        order.amount.currency().code().into(),
        head.by.as_str().into(),
        to_json(&details)?.into(),
    ];
    args.extend(progress_columns(payout)?);
    args.extend([
        payout.version.into(),
        head.created.into(),
        payout.updated.into(),
    ]);
    tx.exec(INSERT, &args).map(|_| ())
}

/// Saves a changed payout; it must be exactly one version newer than the stored one.
pub fn update(tx: &mut Tx<'_>, payout: &Payout) -> Result<(), Fault> {
    let mut args: Vec<Value> = vec![payout.head.id.as_str().into()];
    args.extend(progress_columns(payout)?);
    args.extend([payout.version.into(), payout.updated.into()]);
    changed_once(tx.exec(UPDATE, &args)?, "the payout")
}

/// The payout with our id.
pub fn by_id(tx: &mut Tx<'_>, id: &PayoutId) -> Result<Option<Payout>, Fault> {
    tx.one(BY_ID, &[id.as_str().into()])?
        .map(|row| payout(&row))
        .transpose()
}

/// The payout that a dialect calls so.
pub fn by_wire(tx: &mut Tx<'_>, dialect: &str, wire: &WireId) -> Result<Option<Payout>, Fault> {
    let args = [dialect.into(), wire.as_str().into()];
    tx.one(BY_WIRE, &args)?.map(|row| payout(&row)).transpose()
}

/// Payouts whose stage is over by itself, the longest overdue first.
pub fn due(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Vec<Payout>, Fault> {
    tx.query(DUE, &[now.into(), limit.into()])?
        .iter()
        .map(payout)
        .collect()
}

/// When the next stage after a time is over by itself.
pub fn next_due(tx: &mut Tx<'_>, after: Timestamp) -> Result<Option<Timestamp>, Fault> {
    tx.one(NEXT_DUE, &[after.into()])?
        .map(|row| row.time(0))
        .transpose()
}

/// Which payouts a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Whose, and in which mode.
    pub caller: Caller,
    /// Only those in this state, by its word in the database.
    pub state: Option<&'static str>,
    /// Only those requested before this one.
    pub before: Option<PayoutId>,
    /// How many at most.
    pub limit: u32,
}

/// A merchant's payouts, newest first.
pub fn list(tx: &mut Tx<'_>, filter: &Filter) -> Result<Vec<Payout>, Fault> {
    // Behind every id: "~" is above all that ids are made of.
    let before = filter.before.as_ref().map_or("~", PayoutId::as_str);
    let mut args: Vec<Value> = vec![
        filter.caller.merchant.id.as_str().into(),
        filter.caller.mode.as_str().into(),
        before.into(),
        filter.limit.into(),
    ];
    let statement = match filter.state {
        None => OF_MERCHANT,
        Some(state) => {
            args.push(state.into());
            IN_STATE
        }
    };
    tx.query(statement, &args)?.iter().map(payout).collect()
}

/// Payouts after an id, for walking through all of them.
pub fn after(tx: &mut Tx<'_>, id: &str, limit: u32) -> Result<Vec<Payout>, Fault> {
    tx.query(PAGE, &[id.into(), limit.into()])?
        .iter()
        .map(payout)
        .collect()
}

/// `provider, rail, state, state_at, cause, due_at`.
fn progress_columns(payout: &Payout) -> Result<[Value; 6], Fault> {
    let (at, cause) = match payout.state() {
        PayoutState::AwaitingUser | PayoutState::AwaitingApproval | PayoutState::Processing => {
            (None, Value::Null)
        }
        PayoutState::Paid { at } | PayoutState::Cancelled { at } | PayoutState::Expired { at } => {
            (Some(*at), Value::Null)
        }
        PayoutState::Rejected { at, cause } => (Some(*at), to_json(cause)?.into()),
    };
    Ok([
        payout.progress.provider.clone().into(),
        payout.progress.rail.clone().into(),
        payout.state().as_str().into(),
        at.into(),
        cause,
        payout.progress.due.into(),
    ])
}

/// A state as its columns say it.
pub(super) fn state(row: &Row, word: usize, at: usize, cause: usize) -> Result<PayoutState, Fault> {
    let when = row.time_or_null(at)?.unwrap_or(Timestamp::from_millis(0));
    Ok(match row.text(word)? {
        "awaiting_user" => PayoutState::AwaitingUser,
        "awaiting_approval" => PayoutState::AwaitingApproval,
        "processing" => PayoutState::Processing,
        "paid" => PayoutState::Paid { at: when },
        "rejected" => PayoutState::Rejected {
            at: when,
            cause: row.read(cause, json)?,
        },
        "cancelled" => PayoutState::Cancelled { at: when },
        "expired" => PayoutState::Expired { at: when },
        other => return Err(Fault(format!("no state of a payout: {other}"))),
    })
}

fn payout(row: &Row) -> Result<Payout, Fault> {
    let currency = row.read(6, Currency::parse_exact)?;
    let amount = Money::from_minor(row.int(5)?, currency)
        .map_err(|error| Fault(format!("amount: {error}")))?;
    let details: Details = row.read(8, json)?;
    let head = PayoutHead {
        id: row.read(0, PayoutId::parse)?,
        dialect: row.text(1)?.to_owned(),
        wire: row.read(2, |text| WireId::new(text))?,
        merchant: row.read(3, MerchantId::parse)?,
        mode: mode(row, 4)?,
        created: row.time(16)?,
        by: row.text(7)?.to_owned(),
    };
    let order = Order {
        amount,
        reference: details.reference,
        purpose: details.purpose,
        payee: details.payee,
        methods: details.methods,
        return_url: details.return_url,
        notify_url: details.notify_url,
        extras: details.extras,
    };
    let progress = Progress {
        provider: row.text_or_null(9)?.map(str::to_owned),
        rail: row.text_or_null(10)?.map(str::to_owned),
        due: row.time_or_null(14)?,
    };
    let state = state(row, 11, 12, 13)?;
    let changed = (row.time(17)?, row.int(15)?);
    Ok(Payout::restore(head, order, progress, changed, state))
}
