//! Fills a database with payments, faster than they could be made: the rows that whole cycles
//! wrote, again and again with ids, times and numbers of their own. The ledger's chain is computed
//! as Florin computes it, so that what is filled is a database of Florin's own like any other.

use std::ops::Range;

use domain::ledger::{ChainHash, Entry, Reason, Subject};
use domain::{AccountId, Currency, Mode, Money, Timestamp, Transfer};
use rusqlite::types::Value;

use super::base::Base;
use super::stock::Stock;
use crate::failure::{Outcome, said};
use crate::learn::RowPattern;
use crate::pattern::Pattern;

/// Payments in one transaction.
const BATCH: u64 = 5_000;
/// Milliseconds between two payments of the past: a shop with twenty a second.
const APART: u64 = 50;
/// Numbers from here on are times in milliseconds.
const TIME: i64 = 1_000_000_000_000;

/// The end of the chain so far.
struct Chain {
    place: i64,
    hash: ChainHash,
}

/// Rows of one rule that are written together.
type Rows<'a> = (&'a RowPattern, Vec<Vec<Value>>);

/// Tables of what is removed when it is old.
const REMOVED: [&str; 3] = ["deliveries", "delivery_attempts", "idempotency"];

/// Which payments are written: those with numbers in `range` of `count` in all; of all but the
/// newest `recent` without what is removed when it is old.
#[derive(Clone, Debug)]
pub struct Which {
    /// Numbers.
    pub range: Range<u64>,
    /// How many there are in the end.
    pub count: u64,
    /// How many have everything.
    pub recent: u64,
}

/// Writes payments into a database that no gateway works on. `watch` hears how many there are.
pub async fn fill(
    base: &Base,
    stock: &Stock,
    which: Which,
    watch: &mut dyn FnMut(u64),
) -> Outcome<()> {
    base.open().await?;
    let mut chain = Chain::end(base).await?;
    let (count, old) = (which.count, which.count.saturating_sub(which.recent));
    let mut from = which.range.start;
    while from < which.range.end {
        let to = which.range.end.min(from + BATCH);
        let mut batch: Vec<Rows<'_>> = Vec::new();
        for number in from..to {
            let (rows, of_kind) = stock.of(number);
            let turn = (of_kind, APART.saturating_mul(count - number));
            let stays = |row: &&RowPattern| number >= old || !REMOVED.contains(&&*row.table);
            for row in rows.iter().filter(stays) {
                let mut values = row_at(row, turn);
                if row.table == "transfers" {
                    chain.add(&row.columns, &mut values)?;
                }
                match batch
                    .iter_mut()
                    .find(|(known, _)| std::ptr::eq(*known, row))
                {
                    Some((_, rows)) => rows.push(values),
                    None => batch.push((row, vec![values])),
                }
            }
        }
        base.begin().await?;
        for (row, rows) in &batch {
            base.insert(row, rows).await?;
        }
        base.commit().await?;
        watch(to);
        from = to;
    }
    base.close().await
}

fn row_at(row: &RowPattern, turn: (u64, u64)) -> Vec<Value> {
    let columns = row.columns.iter().zip(&row.values);
    columns
        .map(|(column, pattern)| value(pattern, column == "at" || column.ends_with("_at"), turn))
        .collect()
}

/// What goes into a column of the row with this number among its kind, so many milliseconds before
/// the one that the rule was learned from.
fn value(pattern: &Pattern, time: bool, (number, earlier): (u64, u64)) -> Value {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let before = |then: i64| Value::Integer(then.saturating_sub(whole(earlier)));
    match pattern {
        Pattern::Fixed(Value::Integer(then)) if time && *then > TIME => before(*then),
        Pattern::Fixed(value) => value.clone(),
        Pattern::Counting { last, .. } if time => before(*last),
        Pattern::Counting { last, step } => {
            let grown = step.saturating_mul(whole(number).saturating_add(1));
            Value::Integer(last.saturating_add(grown))
        }
        Pattern::Text(rule) => {
            let mut text = Vec::new();
            rule.write_before(number, earlier, &mut text);
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
    async fn end(base: &Base) -> Outcome<Chain> {
        let sql = "SELECT place, hash FROM transfers WHERE lane = 0 ORDER BY place DESC LIMIT 1";
        match base.find(sql, &[]).await?.as_slice() {
            [row] => match row.as_slice() {
                [place, hash] if let Ok(place) = place.parse() => Ok(Chain {
                    place,
                    hash: ChainHash::stored(hash.clone()),
                }),
                _ => Err(said("the ledger ends with a row that is none")),
            },
            _ => Err(said("there is no ledger to go on with")),
        }
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
        let times = [500, 450, 50].map(|earlier| value(&pattern, true, (3, earlier)));
        assert_eq!(times, [999_500, 999_550, 999_950].map(Value::Integer));
        let numbers = [0, 1].map(|number| value(&pattern, false, (number, 10)));
        assert_eq!(numbers, [1_000_002, 1_000_004].map(Value::Integer));
        // Two payments within one millisecond have no growing time to learn, and it is one.
        let same = Pattern::Fixed(Value::Integer(TIME + 9));
        assert_eq!(value(&same, true, (3, 5)), Value::Integer(TIME + 4));
        let amount = Pattern::Fixed(Value::Integer(1_050));
        assert_eq!(value(&amount, true, (3, 5)), Value::Integer(1_050));
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
