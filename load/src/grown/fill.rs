//! Fills a database with payments, faster than they could be made: the rows that whole cycles
//! wrote, again and again with ids, times and numbers of their own. The ledger's chain is computed
//! as Florin computes it, so that what is filled is a database of Florin's own like any other.

use domain::ledger::{ChainHash, Entry, Reason, Subject};
use domain::{AccountId, Currency, Mode, Money, Timestamp, Transfer};
use rusqlite::types::Value;
use rusqlite::{Connection, Statement};

use crate::failure::{Outcome, said};
use crate::floor::insert;
use crate::learn::RowPattern;
use crate::pattern::Pattern;

/// Payments in one transaction.
const BATCH: u64 = 5_000;
/// Milliseconds between two payments of the past: a shop with twenty a second.
const APART: i64 = 50;
/// Memory for pages while it is filled, in KiB.
const CACHE_KIB: i64 = -256 * 1024;

/// The end of the chain so far.
struct Chain {
    place: i64,
    hash: ChainHash,
}

/// Writes `count` payments into a database that no gateway works on; `watch` hears how many there
/// are.
pub fn fill(
    database: &Connection,
    rows: &[RowPattern],
    count: u64,
    watch: &mut dyn FnMut(u64),
) -> Outcome<()> {
    for (name, value) in [("foreign_keys", 0), ("cache_size", CACHE_KIB)] {
        database.pragma_update(None, name, value)?;
    }
    // Nobody was promised these rows; the last checkpoint is synced.
    database.pragma_update(None, "synchronous", "OFF")?;
    let mut statements = Vec::with_capacity(rows.len());
    for row in rows {
        statements.push(database.prepare(&insert(row))?);
    }
    let mut chain = Chain::end(database)?;
    let mut number = 0;
    while number < count {
        database.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..BATCH.min(count - number) {
            for (row, statement) in rows.iter().zip(&mut statements) {
                write(row, statement, (number, count), &mut chain)?;
            }
            number += 1;
        }
        database.execute_batch("COMMIT")?;
        watch(number);
    }
    drop(statements);
    database.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

fn write(
    row: &RowPattern,
    statement: &mut Statement<'_>,
    (number, count): (u64, u64),
    chain: &mut Chain,
) -> Outcome<()> {
    let mut values = Vec::with_capacity(row.values.len());
    for (column, pattern) in row.columns.iter().zip(&row.values) {
        let time = column == "at" || column.ends_with("_at");
        values.push(value(pattern, time, (number, count)));
    }
    if row.table == "transfers" {
        chain.add(&row.columns, &mut values)?;
    }
    for (place, value) in (1..).zip(&values) {
        statement.raw_bind_parameter(place, value)?;
    }
    statement.raw_execute()?;
    Ok(())
}

/// What goes into a column of the row with this number. Times lie in the past, one payment after
/// the other.
fn value(pattern: &Pattern, time: bool, (number, count): (u64, u64)) -> Value {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    match pattern {
        Pattern::Fixed(value) => value.clone(),
        Pattern::Counting { last, .. } if time => {
            Value::Integer(last.saturating_sub(APART.saturating_mul(whole(count - number))))
        }
        Pattern::Counting { last, step } => {
            let grown = step.saturating_mul(whole(number).saturating_add(1));
            Value::Integer(last.saturating_add(grown))
        }
        Pattern::Text(rule) => {
            let mut text = Vec::new();
            rule.write(number, &mut text);
            Value::Text(String::from_utf8_lossy(&text).into_owned())
        }
        Pattern::Bytes(rule) => {
            let mut bytes = Vec::new();
            rule.write(number, &mut bytes);
            Value::Blob(bytes)
        }
    }
}

impl Chain {
    /// Where the first lane ends.
    fn end(database: &Connection) -> Outcome<Chain> {
        let sql = "SELECT place, hash FROM transfers WHERE lane = 0 ORDER BY place DESC LIMIT 1";
        let (place, hash): (i64, String) =
            database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Chain {
            place,
            hash: ChainHash::stored(hash),
        })
    }

    /// Gives a transfer its place and its hash.
    fn add(&mut self, columns: &[String], values: &mut [Value]) -> Outcome<()> {
        let at = |name: &str| {
            let found = columns.iter().position(|column| column == name);
            found.ok_or_else(|| said(format!("transfers have no column {name}")))
        };
        let (place_at, hash_at) = (at("place")?, at("hash")?);
        if let Some(value) = values.get_mut(place_at) {
            *value = Value::Integer(self.place + 1);
        }
        let text = |name: &str| match values.get(at(name)?) {
            Some(Value::Text(text)) => Ok(text.clone()),
            _ => Err(said(format!("transfers.{name} is no text"))),
        };
        let int = |name: &str| match values.get(at(name)?) {
            Some(Value::Integer(number)) => Ok(*number),
            _ => Err(said(format!("transfers.{name} is no number"))),
        };
        let wrong = |what: &dyn std::fmt::Display| said(format!("a transfer: {what}"));
        let currency = Currency::parse(&text("currency")?).map_err(|error| wrong(&error))?;
        let amount = Money::from_minor(int("amount")?, currency).map_err(|error| wrong(&error))?;
        let debit = AccountId::parse(&text("debit")?).map_err(|error| wrong(&error))?;
        let credit = AccountId::parse(&text("credit")?).map_err(|error| wrong(&error))?;
        let reason = Reason::parse(&text("reason")?).ok_or_else(|| wrong(&"no reason"))?;
        let transfer =
            Transfer::new(debit, credit, amount, reason).map_err(|error| wrong(&error))?;
        let entry = Entry {
            lane: int("lane")?,
            place: self.place + 1,
            at: Timestamp::from_millis(int("at")?),
            mode: Mode::parse(&text("mode")?).ok_or_else(|| wrong(&"no mode"))?,
            about: Subject::parse(&text("about")?).map_err(|error| wrong(&error))?,
            transfer,
        };
        self.hash = entry.hash(&self.hash);
        self.place += 1;
        if let Some(value) = values.get_mut(hash_at) {
            *value = Value::Text(self.hash.as_str().to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lie_in_the_past_and_numbers_grow() {
        let pattern = Pattern::Counting {
            last: 1_000_000,
            step: 2,
        };
        let times = [0, 1, 9].map(|number| value(&pattern, true, (number, 10)));
        assert_eq!(times, [999_500, 999_550, 999_950].map(Value::Integer));
        let numbers = [0, 1].map(|number| value(&pattern, false, (number, 10)));
        assert_eq!(numbers, [1_000_002, 1_000_004].map(Value::Integer));
    }

    #[test]
    fn a_filled_chain_is_what_the_ledger_computes() {
        let columns = ["lane", "place", "at", "mode", "about", "debit", "credit"];
        let more = ["amount", "currency", "reason", "hash"];
        let columns: Vec<String> = columns
            .iter()
            .chain(&more)
            .map(|c| (*c).to_owned())
            .collect();
        let text = |text: &str| Value::Text(text.to_owned());
        let about = format!("pay_{}", "0".repeat(32));
        let row = || {
            vec![
                Value::Integer(0),
                Value::Integer(77),
                Value::Integer(5),
                text("test"),
                text(&about),
                text("clearing:simulator"),
                text(&format!("held:{about}")),
                Value::Integer(1_050),
                text("SGD"),
                text("authorize"),
                text("x"),
            ]
        };
        let mut chain = Chain {
            place: 3,
            hash: ChainHash::genesis(),
        };
        let (mut first, mut second) = (row(), row());
        chain.add(&columns, &mut first).unwrap();
        chain.add(&columns, &mut second).unwrap();
        assert_eq!(
            (&first[1], &second[1]),
            (&Value::Integer(4), &Value::Integer(5))
        );
        assert_ne!(first[10], second[10]);
        assert_eq!(second[10], text(chain.hash.as_str()));
        assert!(chain.add(&columns[1..], &mut row()).is_err());
    }
}
