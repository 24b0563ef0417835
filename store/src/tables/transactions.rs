//! Transactions: one row per deposit (a bill) and per withdrawal (a payout), with the merchant's
//! own id, which is used up for ever, and the token of the page.

use domain::payment::Cause;
use domain::transaction::Standing;
use domain::{
    BillId, BillState, Caller, Currency, Direction, MerchantId, Mode, Money, PayoutId, Timestamp,
    TransactionView, WireId,
};

use super::{changed_once, json, mode, payouts};
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

macro_rules! columns {
    () => {
        "id, dialect, wire_id, merchant, mode, tracking, payer, direction, flow, amount, \
         currency, page, answer, created_at"
    };
}

// What a list shows, from the bill or the payout that a row belongs to.
macro_rules! listed {
    () => {
        "SELECT t.id, t.wire_id, t.tracking, t.payer, t.direction, t.amount, t.currency, \
         t.created_at, b.state, b.state_at, b.cause, b.expires_at, b.updated_at, \
         p.state, p.state_at, p.cause, p.due_at, p.updated_at, p.provider, \
         (SELECT method FROM payments WHERE bill = b.id ORDER BY id DESC LIMIT 1) \
         FROM transactions t LEFT JOIN bills b ON b.id = t.id LEFT JOIN payouts p ON p.id = t.id "
    };
}

const INSERT: &str = concat!(
    "INSERT INTO transactions (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
     ON CONFLICT DO NOTHING"
);
const ANSWER: &str = "UPDATE transactions SET answer = ?2 WHERE id = ?1";
const BY_TRACKING: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM transactions WHERE merchant = ?1 AND mode = ?2 AND dialect = ?3 AND tracking = ?4"
);
const BY_WIRE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM transactions WHERE dialect = ?1 AND wire_id = ?2"
);
const BY_PAGE: &str = concat!("SELECT ", columns!(), " FROM transactions WHERE page = ?1");
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM transactions WHERE id = ?1");
const ONE: &str = concat!(listed!(), "WHERE t.id = ?1");
const PAGE: &str = concat!(
    listed!(),
    "WHERE t.merchant = ?1 AND t.mode = ?2 AND t.dialect = ?3 \
     AND t.created_at >= ?4 AND t.created_at <= ?5 \
     AND (t.created_at < ?5 OR (t.created_at = ?5 AND t.id < ?6)) \
     ORDER BY t.created_at DESC, t.id DESC LIMIT ?7"
);

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    INSERT,
    ANSWER,
    BY_TRACKING,
    BY_WIRE,
    BY_PAGE,
    BY_ID,
    ONE,
    PAGE,
];

/// What a transaction is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A deposit.
    Bill(BillId),
    /// A withdrawal.
    Payout(PayoutId),
}

impl About {
    /// Our id of it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bill(id) => id.as_str(),
            Self::Payout(id) => id.as_str(),
        }
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// What it is about.
    pub about: About,
    /// The dialect it came through.
    pub dialect: String,
    /// What the dialect calls it.
    pub wire: WireId,
    /// Whose it is.
    pub merchant: MerchantId,
    /// Test or live.
    pub mode: Mode,
    /// The merchant's own id.
    pub tracking: String,
    /// The merchant's customer.
    pub user: String,
    /// Which way the money goes.
    pub direction: Direction,
    /// How it is paid: `hosted`, `direct`, `server`.
    pub flow: String,
    /// How much.
    pub amount: Money,
    /// The token of its page.
    pub page: String,
    /// What the first call was answered, as JSON, once it was.
    pub answer: Option<String>,
    /// When it was created.
    pub created: Timestamp,
}

/// Saves a new transaction; `false` if the merchant has used its id, and then nothing is saved.
pub fn insert(tx: &mut Tx<'_>, new: &Transaction) -> Result<bool, Fault> {
    let args: [Value; 14] = [
        new.about.as_str().into(),
        new.dialect.as_str().into(),
        new.wire.as_str().into(),
        new.merchant.as_str().into(),
        new.mode.as_str().into(),
        new.tracking.as_str().into(),
        new.user.as_str().into(),
        new.direction.as_str().into(),
        new.flow.as_str().into(),
        new.amount.minor().into(),
        new.amount.currency().code().into(),
        new.page.as_str().into(),
        new.answer.clone().into(),
        new.created.into(),
    ];
    Ok(tx.exec(INSERT, &args)? == 1)
}

/// Keeps what the first call was answered.
pub fn keep_answer(tx: &mut Tx<'_>, about: &About, answer: &str) -> Result<(), Fault> {
    let changed = tx.exec(ANSWER, &[about.as_str().into(), answer.into()])?;
    changed_once(changed, "the transaction")
}

/// The transaction that a merchant calls so.
pub fn by_tracking(
    tx: &mut Tx<'_>,
    caller: &Caller,
    dialect: &str,
    tracking: &str,
) -> Result<Option<Transaction>, Fault> {
    let args = [
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        dialect.into(),
        tracking.into(),
    ];
    one(tx, BY_TRACKING, &args)
}

/// The transaction that a dialect calls so.
pub fn by_wire(tx: &mut Tx<'_>, dialect: &str, wire: &str) -> Result<Option<Transaction>, Fault> {
    one(tx, BY_WIRE, &[dialect.into(), wire.into()])
}

/// The transaction whose page has this token.
pub fn by_page(tx: &mut Tx<'_>, token: &str) -> Result<Option<Transaction>, Fault> {
    one(tx, BY_PAGE, &[token.into()])
}

/// The transaction that a bill or a payout is, if it is one.
pub fn by_id(tx: &mut Tx<'_>, id: &str) -> Result<Option<Transaction>, Fault> {
    one(tx, BY_ID, &[id.into()])
}

/// One transaction as it stands at a time.
pub fn view(
    tx: &mut Tx<'_>,
    about: &About,
    now: Timestamp,
) -> Result<Option<TransactionView>, Fault> {
    let row = tx.one(ONE, &[about.as_str().into()])?;
    row.map(|row| Ok(listed(&row, now)?.view)).transpose()
}

/// Which transactions a list shows: those created from `from` up to and including `last`, and of
/// those of that very moment the ones whose id is below `below`.
#[derive(Clone, Debug)]
pub struct Of {
    /// The merchant and the mode.
    pub caller: Caller,
    /// The dialect.
    pub dialect: String,
    /// The earliest time.
    pub from: Timestamp,
    /// The latest time.
    pub last: Timestamp,
    /// See above.
    pub below: String,
}

/// A row of a list, and where it stands in it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its place: what the next page begins below.
    pub place: (Timestamp, String),
    /// What is shown.
    pub view: TransactionView,
}

/// Some transactions, newest first, as they stand at a time.
pub fn page(tx: &mut Tx<'_>, of: &Of, now: Timestamp, limit: u32) -> Result<Vec<Listed>, Fault> {
    let args: [Value; 7] = [
        of.caller.merchant.id.as_str().into(),
        of.caller.mode.as_str().into(),
        of.dialect.as_str().into(),
        of.from.into(),
        of.last.into(),
        of.below.as_str().into(),
        limit.into(),
    ];
    tx.query(PAGE, &args)?
        .iter()
        .map(|row| listed(row, now))
        .collect()
}

fn one(tx: &mut Tx<'_>, sql: &'static str, args: &[Value]) -> Result<Option<Transaction>, Fault> {
    tx.one(sql, args)?.map(|row| transaction(&row)).transpose()
}

fn about(row: &Row, column: usize) -> Result<About, Fault> {
    let text = row.text(column)?;
    if text.starts_with(PayoutId::PREFIX) {
        row.read(column, PayoutId::parse).map(About::Payout)
    } else {
        row.read(column, BillId::parse).map(About::Bill)
    }
}

fn money(row: &Row, amount: usize, currency: usize) -> Result<Money, Fault> {
    let currency = row.read(currency, Currency::parse_exact)?;
    Money::from_minor(row.int(amount)?, currency).map_err(|error| Fault(format!("amount: {error}")))
}

fn direction(row: &Row, column: usize) -> Result<Direction, Fault> {
    row.read(column, |text| Direction::parse(text).ok_or("no direction"))
}

fn transaction(row: &Row) -> Result<Transaction, Fault> {
    Ok(Transaction {
        about: about(row, 0)?,
        dialect: row.text(1)?.to_owned(),
        wire: row.read(2, |text| WireId::new(text))?,
        merchant: row.read(3, MerchantId::parse)?,
        mode: mode(row, 4)?,
        tracking: row.text(5)?.to_owned(),
        user: row.text(6)?.to_owned(),
        direction: direction(row, 7)?,
        flow: row.text(8)?.to_owned(),
        amount: money(row, 9, 10)?,
        page: row.text(11)?.to_owned(),
        answer: row.text_or_null(12)?.map(str::to_owned),
        created: row.time(13)?,
    })
}

fn listed(row: &Row, now: Timestamp) -> Result<Listed, Fault> {
    let created = row.time(7)?;
    let direction = direction(row, 4)?;
    let (standing, updated, provider) = match direction {
        Direction::Deposit => {
            let (standing, updated) = deposit(row, now)?;
            (standing, updated, row.text_or_null(19)?)
        }
        Direction::Withdrawal => {
            let (standing, updated) = withdrawal(row, now)?;
            (standing, updated, row.text_or_null(18)?)
        }
    };
    let view = TransactionView {
        id: row.read(1, |text| WireId::new(text))?,
        tracking: row.text(2)?.to_owned(),
        user: row.text(3)?.to_owned(),
        direction,
        amount: money(row, 5, 6)?,
        standing,
        provider: provider.map(str::to_owned),
        created,
        updated,
    };
    Ok(Listed {
        place: (created, row.text(0)?.to_owned()),
        view,
    })
}

/// How the bill of a row stands, and since when.
fn deposit(row: &Row, now: Timestamp) -> Result<(Standing, Timestamp), Fault> {
    let updated = row.time(12)?;
    let at = row.time_or_null(9)?.unwrap_or(updated);
    let state = match (row.text(8)?, row.time_or_null(11)?) {
        ("open", Some(expires)) if expires <= now => {
            return Ok((Standing::Expired, expires));
        }
        ("open", _) => BillState::Open,
        ("paid", _) => BillState::Paid { at },
        ("failed", _) => BillState::Failed {
            at,
            cause: row.read(10, json::<Cause>)?,
        },
        ("expired", _) => BillState::Expired { at },
        ("withdrawn", _) => BillState::Withdrawn { at },
        (other, _) => return Err(Fault(format!("no state of a bill: {other}"))),
    };
    Ok((Standing::from(&state), updated))
}

/// How the payout of a row stands, and since when.
fn withdrawal(row: &Row, now: Timestamp) -> Result<(Standing, Timestamp), Fault> {
    let updated = row.time(17)?;
    let state = payouts::state(row, 13, 14, 15)?;
    match (row.text(13)?, row.time_or_null(16)?) {
        ("awaiting_user" | "awaiting_approval", Some(due)) if due <= now => {
            Ok((Standing::Expired, due))
        }
        _ => Ok((Standing::from(&state), updated)),
    }
}
