//! The ledger's rows: appended, never changed, chained by hash.
//!
//! Each writer owns a lane, and each lane is one chain: several writers (nodes on PostgreSQL)
//! append without waiting for each other, and each chain is checked on its own.

use domain::ledger::{ChainHash, CurrencyTotals, Entry, Reason, Subject};
use domain::{
    AccountId, Currency, GiftCard, Journal, Mode, Money, Payment, Payout, Timestamp, Transfer,
};

use super::mode;
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

const TAIL: &str = "SELECT place, hash FROM transfers WHERE lane = ?1 ORDER BY place DESC LIMIT 1";
const INSERT: &str = "INSERT INTO transfers \
    (lane, place, at, mode, about, debit, credit, amount, currency, reason, hash) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const AFTER: &str = "SELECT lane, place, at, mode, about, debit, credit, amount, currency, \
    reason, hash FROM transfers WHERE lane = ?1 AND place > ?2 ORDER BY place LIMIT ?3";
const OF: &str = "SELECT lane, place, at, mode, about, debit, credit, amount, currency, \
    reason, hash FROM transfers WHERE about = ?1 ORDER BY lane, place";
const NEXT_LANE: &str = "SELECT MIN(lane) FROM transfers WHERE lane > ?1";
const SNAPSHOT: &str = "SELECT place, minor FROM balances \
    WHERE account = ?1 AND mode = ?2 AND currency = ?3 AND lane = ?4";
const MOVED: &str = "SELECT \
    CAST(SUM(CASE WHEN credit = ?1 THEN amount ELSE -amount END) AS BIGINT) \
    FROM transfers WHERE lane = ?4 AND place > ?5 AND place <= ?6 \
    AND mode = ?2 AND currency = ?3 AND (credit = ?1 OR debit = ?1)";
const PUT_SNAPSHOT: &str = "INSERT INTO balances (account, mode, currency, lane, place, minor) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (account, mode, currency, lane) DO UPDATE \
    SET place = excluded.place, minor = excluded.minor";
const SNAPSHOTS: &str = "SELECT account, mode, currency, lane, place, minor FROM balances \
    ORDER BY account, mode, currency, lane";
// Sums of everything are taken in two parts, thousand millions and what is below: neither leaves 64
// bits, whatever the amounts are.
const TOTALS: &str = "SELECT currency, CAST(SUM(amount / 1000000000) AS BIGINT), \
    CAST(SUM(amount % 1000000000) AS BIGINT) FROM transfers GROUP BY currency ORDER BY currency";
const BALANCES: &str = "SELECT account, currency, CAST(SUM(amount / 1000000000) AS BIGINT), \
    CAST(SUM(amount % 1000000000) AS BIGINT) FROM ( \
    SELECT credit AS account, currency, amount FROM transfers \
    UNION ALL SELECT debit AS account, currency, -amount AS amount FROM transfers \
    ) AS moves GROUP BY account, currency HAVING SUM(amount / 1000000000) <> 0 \
    OR SUM(amount % 1000000000) <> 0 ORDER BY account, currency";

const OF_ACCOUNTS: &str = "SELECT account, currency, \
    CAST(SUM(amount / 1000000000) AS BIGINT), CAST(SUM(amount % 1000000000) AS BIGINT) FROM ( \
    SELECT credit AS account, currency, amount FROM transfers \
    WHERE mode = ?1 AND credit IN (?2, ?3, ?4) \
    UNION ALL SELECT debit AS account, currency, -amount AS amount FROM transfers \
    WHERE mode = ?1 AND debit IN (?2, ?3, ?4) \
    ) AS moves GROUP BY account, currency ORDER BY account, currency";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    TAIL,
    INSERT,
    AFTER,
    OF,
    NEXT_LANE,
    SNAPSHOT,
    MOVED,
    PUT_SNAPSHOT,
    SNAPSHOTS,
    TOTALS,
    BALANCES,
    OF_ACCOUNTS,
];

/// A balance: what an account received less what it gave, in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The account's name.
    pub account: String,
    /// The currency.
    pub currency: Currency,
    /// Received less given; clearing accounts are below zero while a rail owes us.
    pub minor: i128,
}

/// A stored transfer with its hash.
#[derive(Clone, Debug)]
pub struct Link {
    /// What the row says.
    pub entry: Entry,
    /// The hash it carries.
    pub hash: ChainHash,
}

/// Appends a payment's journal to the lane of this transaction.
pub fn post(
    tx: &mut Tx<'_>,
    payment: &Payment,
    journal: &Journal,
    now: Timestamp,
) -> Result<(), Fault> {
    let about = Subject::Payment(payment.head.id.clone());
    append(tx, payment.head.mode, &about, journal, now)
}

/// Appends a payout's journal to the lane of this transaction.
pub fn post_payout(
    tx: &mut Tx<'_>,
    payout: &Payout,
    journal: &Journal,
    now: Timestamp,
) -> Result<(), Fault> {
    let about = Subject::Payout(payout.head.id.clone());
    append(tx, payout.head.mode, &about, journal, now)
}

/// Appends what a gift card moved without a payment.
pub fn post_card(
    tx: &mut Tx<'_>,
    card: &GiftCard,
    journal: &Journal,
    now: Timestamp,
) -> Result<(), Fault> {
    let about = Subject::Card(card.head.id.clone());
    append(tx, card.head.mode, &about, journal, now)
}

fn append(
    tx: &mut Tx<'_>,
    mode: Mode,
    about: &Subject,
    journal: &Journal,
    now: Timestamp,
) -> Result<(), Fault> {
    if journal.transfers().is_empty() {
        return Ok(());
    }
    let lane = tx.lane();
    let (mut place, mut hash) = match tx.one(TAIL, &[lane.into()])? {
        Some(row) => (row.int(0)?, ChainHash::stored(row.text(1)?.to_owned())),
        None => (0, ChainHash::genesis()),
    };
    for transfer in journal.transfers() {
        place += 1;
        let entry = Entry {
            lane,
            place,
            at: now,
            mode,
            about: about.clone(),
            transfer: transfer.clone(),
        };
        hash = entry.hash(&hash);
        insert(tx, &entry, &hash)?;
    }
    Ok(())
}

fn insert(tx: &mut Tx<'_>, entry: &Entry, hash: &ChainHash) -> Result<(), Fault> {
    let amount = entry.transfer.amount();
    let args: [Value; 11] = [
        entry.lane.into(),
        entry.place.into(),
        entry.at.into(),
        entry.mode.as_str().into(),
        entry.about.as_str().into(),
        entry.transfer.debit().to_string().into(),
        entry.transfer.credit().to_string().into(),
        amount.minor().into(),
        amount.currency().code().into(),
        entry.transfer.reason().as_str().into(),
        hash.as_str().into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// All lanes that have rows.
pub fn lanes(tx: &mut Tx<'_>) -> Result<Vec<i64>, Fault> {
    let mut lanes = Vec::new();
    while let Some(next) = next_lane(tx, lanes.last().copied().unwrap_or(-1))? {
        lanes.push(next);
    }
    Ok(lanes)
}

/// The links of a lane after a place, in order. A row that cannot be read as a transfer is a
/// fault that names its place: somebody changed it.
pub fn after(tx: &mut Tx<'_>, lane: i64, place: i64, limit: u32) -> Result<Vec<Link>, Fault> {
    tx.query(AFTER, &[lane.into(), place.into(), limit.into()])?
        .iter()
        .map(link)
        .collect()
}

/// An account in one mode and currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purse {
    /// The account.
    pub account: AccountId,
    /// Test or live: the two never meet.
    pub mode: Mode,
    /// The currency.
    pub currency: Currency,
}

/// A balance that was written down after the transfers up to a place of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose.
    pub purse: Purse,
    /// The chain.
    pub lane: i64,
    /// The last transfer that is in it.
    pub place: i64,
    /// Received less given by then, in minor units.
    pub minor: i64,
}

/// What a purse holds, in minor units, and writes it down, so that the next sum is short. At most
/// `limit` transfers of a lane are added in one call; `None` says that there are more, and what
/// was added is written down.
///
/// Inside a serializable transaction nobody can spend what this one has seen.
pub fn holds(tx: &mut Tx<'_>, purse: &Purse, limit: i64) -> Result<Option<i64>, Fault> {
    let (mut total, mut whole, mut lane) = (0_i64, true, -1_i64);
    while let Some(next) = next_lane(tx, lane)? {
        lane = next;
        let (place, minor) = snapshot(tx, purse, lane)?;
        let tail = tx.one(TAIL, &[lane.into()])?;
        let tail = tail.map_or(Ok(place), |row| row.int(0))?;
        let end = tail.min(place.saturating_add(limit));
        whole &= end == tail;
        let minor = minor
            .checked_add(moved(tx, purse, lane, (place, end))?)
            .ok_or_else(|| Fault("a balance does not fit 64 bits".to_owned()))?;
        if end > place {
            let args: [Value; 6] = [
                purse.account.to_string().into(),
                purse.mode.as_str().into(),
                purse.currency.code().into(),
                lane.into(),
                end.into(),
                minor.into(),
            ];
            tx.exec(PUT_SNAPSHOT, &args)?;
        }
        total = total
            .checked_add(minor)
            .ok_or_else(|| Fault("a balance does not fit 64 bits".to_owned()))?;
    }
    Ok(whole.then_some(total))
}

/// Every balance that was written down, for comparing it with the transfers.
pub fn snapshots(tx: &mut Tx<'_>) -> Result<Vec<Snapshot>, Fault> {
    let rows = tx.query(SNAPSHOTS, &[])?;
    rows.iter()
        .map(|row| {
            Ok(Snapshot {
                purse: Purse {
                    account: row.read(0, AccountId::parse)?,
                    mode: mode(row, 1)?,
                    currency: row.read(2, Currency::parse_exact)?,
                },
                lane: row.int(3)?,
                place: row.int(4)?,
                minor: row.int(5)?,
            })
        })
        .collect()
}

/// What a purse received less what it gave in a lane, after the first place up to the second.
pub fn moved(
    tx: &mut Tx<'_>,
    purse: &Purse,
    lane: i64,
    (after, up_to): (i64, i64),
) -> Result<i64, Fault> {
    let args: [Value; 6] = [
        purse.account.to_string().into(),
        purse.mode.as_str().into(),
        purse.currency.code().into(),
        lane.into(),
        after.into(),
        up_to.into(),
    ];
    let row = tx.one(MOVED, &args)?;
    let sum = row.map_or(Ok(None), |row| row.int_or_null(0))?;
    Ok(sum.unwrap_or(0))
}

/// The place and the balance that were written down last.
fn snapshot(tx: &mut Tx<'_>, purse: &Purse, lane: i64) -> Result<(i64, i64), Fault> {
    let args = [
        purse.account.to_string().into(),
        purse.mode.as_str().into(),
        purse.currency.code().into(),
        lane.into(),
    ];
    match tx.one(SNAPSHOT, &args)? {
        Some(row) => Ok((row.int(0)?, row.int(1)?)),
        None => Ok((0, 0)),
    }
}

fn next_lane(tx: &mut Tx<'_>, lane: i64) -> Result<Option<i64>, Fault> {
    let row = tx.one(NEXT_LANE, &[lane.into()])?;
    row.map_or(Ok(None), |row| row.int_or_null(0))
}

/// The transfers of a payment or a payout, by its id.
pub fn of(tx: &mut Tx<'_>, about: &str) -> Result<Vec<Link>, Fault> {
    tx.query(OF, &[about.into()])?.iter().map(link).collect()
}

/// Per currency, the sum of all debits and of all credits. Each row is both, so they differ only
/// if a row is broken; the balances are what shows it.
pub fn totals(tx: &mut Tx<'_>) -> Result<Vec<CurrencyTotals>, Fault> {
    let rows = tx.query(TOTALS, &[])?;
    rows.iter()
        .map(|row| {
            let (currency, sum) = (row.read(0, Currency::parse_exact)?, sum(row, 1)?);
            Ok(CurrencyTotals {
                currency,
                debits: sum,
                credits: sum,
            })
        })
        .collect()
}

/// The balances of three accounts in one mode, in every currency that they ever had.
pub fn of_accounts(
    tx: &mut Tx<'_>,
    mode: Mode,
    [one, two, three]: [&AccountId; 3],
) -> Result<Vec<Balance>, Fault> {
    let args: [Value; 4] = [
        mode.as_str().into(),
        one.to_string().into(),
        two.to_string().into(),
        three.to_string().into(),
    ];
    rows_of_balances(&tx.query(OF_ACCOUNTS, &args)?)
}

/// The balance of every account in every currency, where it is not zero.
pub fn balances(tx: &mut Tx<'_>) -> Result<Vec<Balance>, Fault> {
    let mut all = rows_of_balances(&tx.query(BALANCES, &[])?)?;
    // The two parts of nothing may be one above and one below it.
    all.retain(|balance| balance.minor != 0);
    Ok(all)
}

/// A sum from its two parts.
fn sum(row: &Row, column: usize) -> Result<i128, Fault> {
    let (whole, rest) = (row.int(column)?, row.int(column + 1)?);
    Ok(i128::from(whole) * 1_000_000_000 + i128::from(rest))
}

fn rows_of_balances(rows: &[Row]) -> Result<Vec<Balance>, Fault> {
    rows.iter()
        .map(|row| {
            Ok(Balance {
                account: row.text(0)?.to_owned(),
                currency: row.read(1, Currency::parse_exact)?,
                minor: sum(row, 2)?,
            })
        })
        .collect()
}

fn link(row: &Row) -> Result<Link, Fault> {
    let (lane, place) = (row.int(0)?, row.int(1)?);
    let broken = |what: String| Fault(format!("transfer {lane}/{place}: {what}"));
    let read = || -> Result<(Mode, Subject, Transfer), Fault> {
        let currency = row.read(8, Currency::parse_exact)?;
        let amount =
            Money::from_minor(row.int(7)?, currency).map_err(|error| Fault(error.to_string()))?;
        let debit = row.read(5, AccountId::parse)?;
        let credit = row.read(6, AccountId::parse)?;
        let reason = row.read(9, |text| Reason::parse(text).ok_or("no reason"))?;
        let transfer = Transfer::new(debit, credit, amount, reason)
            .map_err(|error| Fault(error.to_string()))?;
        Ok((mode(row, 3)?, row.read(4, Subject::parse)?, transfer))
    };
    let (mode, about, transfer) = read().map_err(|fault| broken(fault.0))?;
    let entry = Entry {
        lane,
        place,
        at: row.time(2)?,
        mode,
        about,
        transfer,
    };
    Ok(Link {
        entry,
        hash: ChainHash::stored(row.text(10)?.to_owned()),
    })
}
