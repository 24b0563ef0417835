//! The ledger's rows: appended, never changed, chained by hash.
//!
//! Each writer owns a lane, and each lane is one chain: several writers (nodes on PostgreSQL)
//! append without waiting for each other, and each chain is checked on its own.

use domain::ledger::{ChainHash, CurrencyTotals, Entry, Reason, Subject};
use domain::{
    AccountId, CardId, Currency, GiftCard, Journal, Mode, Money, Payment, PaymentId, Timestamp,
    Transfer,
};

use super::mode;
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

const TAIL: &str = "SELECT place, hash FROM transfers WHERE lane = ?1 ORDER BY place DESC LIMIT 1";
const INSERT: &str = "INSERT INTO transfers \
    (lane, place, at, mode, payment, card, debit, credit, amount, currency, reason, hash) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const LANES: &str = "SELECT DISTINCT lane FROM transfers ORDER BY lane";
const AFTER: &str = "SELECT lane, place, at, mode, COALESCE(payment, card), debit, credit, amount, currency, \
    reason, hash FROM transfers WHERE lane = ?1 AND place > ?2 ORDER BY place LIMIT ?3";
const OF_PAYMENT: &str = "SELECT lane, place, at, mode, COALESCE(payment, card), debit, credit, amount, currency, \
    reason, hash FROM transfers WHERE payment = ?1 ORDER BY lane, place";
const TOTALS: &str = "SELECT currency, CAST(SUM(amount) AS BIGINT) FROM transfers \
    GROUP BY currency ORDER BY currency";
const BALANCES: &str = "SELECT account, currency, CAST(SUM(amount) AS BIGINT) FROM ( \
    SELECT credit AS account, currency, amount FROM transfers \
    UNION ALL SELECT debit AS account, currency, -amount AS amount FROM transfers \
    ) AS moves GROUP BY account, currency HAVING SUM(amount) <> 0 ORDER BY account, currency";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[TAIL, INSERT, LANES, AFTER, OF_PAYMENT, TOTALS, BALANCES];

/// A balance: what an account received less what it gave, in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The account's name.
    pub account: String,
    /// The currency.
    pub currency: Currency,
    /// Received less given; clearing accounts are below zero while a rail owes us.
    pub minor: i64,
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
    let owner = (payment.head.mode, Subject::Payment(payment.head.id.clone()));
    append(tx, owner, journal, now)
}

/// Appends what a gift card moved without a payment.
pub fn post_card(
    tx: &mut Tx<'_>,
    card: &GiftCard,
    journal: &Journal,
    now: Timestamp,
) -> Result<(), Fault> {
    let owner = (card.head.mode, Subject::Card(card.head.id.clone()));
    append(tx, owner, journal, now)
}

fn append(
    tx: &mut Tx<'_>,
    (mode, subject): (Mode, Subject),
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
            subject: subject.clone(),
            transfer: transfer.clone(),
        };
        hash = entry.hash(&hash);
        insert(tx, &entry, &hash)?;
    }
    Ok(())
}

fn insert(tx: &mut Tx<'_>, entry: &Entry, hash: &ChainHash) -> Result<(), Fault> {
    let amount = entry.transfer.amount();
    let (payment, card) = match &entry.subject {
        Subject::Payment(id) => (id.as_str().into(), Value::Null),
        Subject::Card(id) => (Value::Null, id.as_str().into()),
    };
    let args: [Value; 12] = [
        entry.lane.into(),
        entry.place.into(),
        entry.at.into(),
        entry.mode.as_str().into(),
        payment,
        card,
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
    tx.query(LANES, &[])?.iter().map(|row| row.int(0)).collect()
}

/// The links of a lane after a place, in order. A row that cannot be read as a transfer is a
/// fault that names its place: somebody changed it.
pub fn after(tx: &mut Tx<'_>, lane: i64, place: i64, limit: u32) -> Result<Vec<Link>, Fault> {
    tx.query(AFTER, &[lane.into(), place.into(), limit.into()])?
        .iter()
        .map(link)
        .collect()
}

/// The transfers of one payment.
pub fn of_payment(tx: &mut Tx<'_>, payment: &PaymentId) -> Result<Vec<Link>, Fault> {
    tx.query(OF_PAYMENT, &[payment.as_str().into()])?
        .iter()
        .map(link)
        .collect()
}

/// Per currency, the sum of all debits and of all credits. Each row is both, so they differ only
/// if a row is broken; the balances are what shows it.
pub fn totals(tx: &mut Tx<'_>) -> Result<Vec<CurrencyTotals>, Fault> {
    let rows = tx.query(TOTALS, &[])?;
    rows.iter()
        .map(|row| {
            let (currency, sum) = (row.read(0, Currency::parse_exact)?, row.int(1)?);
            Ok(CurrencyTotals {
                currency,
                debits: sum,
                credits: sum,
            })
        })
        .collect()
}

/// The balance of every account in every currency, where it is not zero.
pub fn balances(tx: &mut Tx<'_>) -> Result<Vec<Balance>, Fault> {
    let rows = tx.query(BALANCES, &[])?;
    rows.iter()
        .map(|row| {
            Ok(Balance {
                account: row.text(0)?.to_owned(),
                currency: row.read(1, Currency::parse_exact)?,
                minor: row.int(2)?,
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
        Ok((mode(row, 3)?, row.read(4, subject)?, transfer))
    };
    let (mode, subject, transfer) = read().map_err(|fault| broken(fault.0))?;
    let entry = Entry {
        lane,
        place,
        at: row.time(2)?,
        mode,
        subject,
        transfer,
    };
    Ok(Link {
        entry,
        hash: ChainHash::stored(row.text(10)?.to_owned()),
    })
}

/// The owner of a transfer, by the prefix of its id.
fn subject(text: &str) -> Result<Subject, &'static str> {
    let card = || CardId::parse(text).map(Subject::Card);
    PaymentId::parse(text)
        .map(Subject::Payment)
        .or_else(|_| card())
        .map_err(|_| "no owner of a transfer")
}
