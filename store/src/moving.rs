//! Moves all data from one database to another, of either kind, while no gateway works on them.
//!
//! * **The source is only read**, as of one moment.
//! * **Bounded.** A few hundred rows are in memory at a time, whatever there is.
//! * **Resumable.** How far each table has come is written with its rows. Until the move is
//!   finished no gateway starts on the target.
//! * **Compared.** In the end both databases are read again: each table must have as many rows and
//!   the same hash on both sides, and the ledger's chains are recomputed from the target's rows.
//!
//! Everything here blocks; it is for commands and not for the server.

mod place;
mod side;

use std::ops::ControlFlow;

use domain::ledger::ChainHash;
use domain::secret::hex;
use sha2::{Digest, Sha256};

use self::side::Side;
use crate::sql::{Row, Value};
use crate::tables::ledger;
use crate::tx::Tx;
use crate::{Fault, OpenError, Options};

pub use self::place::Place;

/// The table in the target that says how far each table has come. It is no part of the schema: it
/// is there only until the move is finished.
pub(crate) const MARKS: &str = "unfinished_move";

/// Said of a database that has it.
pub(crate) const UNFINISHED: &str = "a move into it is not finished: run the same florin store \
    move again, which goes on where it stopped";

/// Said of a database that a gateway works on.
pub(crate) const WORKING: &str = "a gateway is working on it: stop every node first";

const MAKE_MARKS: &str = "CREATE TABLE unfinished_move (sheet TEXT NOT NULL PRIMARY KEY, \
    last TEXT NOT NULL)";
const HAS_COME: &str = "SELECT sheet, last FROM unfinished_move ORDER BY sheet";
const MARK: &str = "INSERT INTO unfinished_move (sheet, last) VALUES (?1, ?2) \
    ON CONFLICT (sheet) DO UPDATE SET last = excluded.last";
const END_MARKS: &str = "DROP TABLE unfinished_move";

/// The mark that holds where the rows come from. No table has this name.
const SOURCE: &str = "";

/// Rows read at a time. The largest row holds both sides of an attempt, so this bounds the memory.
const PAGE: usize = 256;

/// Rows in one transaction of the target.
const BATCH: usize = 4_096;

/// Transfers read at a time while the chains are recomputed.
const LINKS: u32 = 1_000;

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Rows are counted in the source.
    Counting,
    /// Rows are copied.
    Copying,
    /// Both sides are read and hashed.
    Comparing,
    /// The ledger's chains are recomputed.
    Chains,
}

/// How far it has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// What is going on.
    pub stage: Stage,
    /// The table.
    pub table: &'a str,
    /// Rows done in this stage; while it counts, tables.
    pub done: u64,
    /// Rows to do in this stage; while it counts, tables.
    pub total: u64,
}

/// Told how far it has come; may stop it, to be resumed later.
pub type Watch<'a> = &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>;

/// A table that is the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Same {
    /// Its name.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// The hash of all of them, as hexadecimal digits.
    pub hash: String,
}

/// What a finished move brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Each table.
    pub tables: Vec<Same>,
    /// Transfers in unbroken chains.
    pub transfers: u64,
    /// Rows that an earlier run had brought.
    pub resumed: u64,
}

/// Why a move is not finished.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// One of the databases cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The target is not what can be moved into.
    #[error("{0}")]
    Refused(String),
    /// A statement failed.
    #[error("{0}")]
    Failed(String),
    /// The two are not the same.
    #[error("the two databases are not the same:\n  {}", .0.join("\n  "))]
    Differs(Vec<String>),
    /// The watch said so.
    #[error("stopped; run the same command again to go on")]
    Stopped,
}

impl From<Fault> for MoveError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.0)
    }
}

/// A table as both databases have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub name: String,
    /// All columns in order, each with whether it is text; the others are integers.
    pub columns: Vec<(String, bool)>,
    /// The columns of the primary key in its order.
    pub key: Vec<usize>,
}

impl Sheet {
    /// The names of all columns.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    /// Reads the next rows in the order of the key; with an end to begin after, its values are the
    /// first arguments, and the number of rows is the last.
    pub(crate) fn page(&self, resumed: bool) -> String {
        let name = |at: &usize| self.columns.get(*at).map_or("", |(name, _)| name.as_str());
        let key = self.key.iter().map(name).collect::<Vec<_>>().join(", ");
        let after = if resumed {
            let marks: Vec<_> = (1..=self.key.len()).map(|n| format!("?{n}")).collect();
            format!(" WHERE ({key}) > ({})", marks.join(", "))
        } else {
            String::new()
        };
        let limit = if resumed { self.key.len() + 1 } else { 1 };
        let (names, table) = (self.names(), &self.name);
        format!("SELECT {names} FROM {table}{after} ORDER BY {key} LIMIT ?{limit}")
    }

    /// The values of a row's primary key.
    fn key_of(&self, row: &Row) -> Vec<Value> {
        let value = |at: &usize| row.values().get(*at).cloned().unwrap_or(Value::Null);
        self.key.iter().map(value).collect()
    }
}

/// Moves everything. A run that was stopped or died is gone on with by the same call.
///
/// Fails if one of the databases cannot be used or a gateway works on it, if the target has rows
/// that this move did not bring, and if the two are not the same in the end.
pub fn run(
    from: &Place,
    to: &Place,
    options: Options,
    watch: Watch<'_>,
) -> Result<Moved, MoveError> {
    if from == to {
        let why = "--from and --to are the same database: name another one to move to";
        return Err(MoveError::Refused(why.to_owned()));
    }
    let mut source = Side::source(from, options)?;
    let mut target = Side::target(to, options)?;
    let sheets = source.sheets()?;
    let marks = begin(&source.place(), &mut target, &sheets)?;
    let mut total = 0;
    let mut resumed = 0;
    let tables = u64::try_from(sheets.len()).unwrap_or(0);
    for (at, sheet) in (0..).zip(&sheets) {
        tell(watch, Stage::Counting, &sheet.name, (at, tables))?;
        total += source.count(sheet)?;
        if marks.iter().any(|(name, _)| *name == sheet.name) {
            resumed += target.count(sheet)?;
        }
    }
    let mut done = resumed;
    for sheet in &sheets {
        let mark = marks.iter().find(|(name, _)| *name == sheet.name);
        let mut last = mark.map(|(_, last)| read_key(last)).transpose()?;
        loop {
            tell(watch, Stage::Copying, &sheet.name, (done, total))?;
            let brought = copy(&mut source, &mut target, sheet, &mut last)?;
            done += u64::try_from(brought).unwrap_or(0);
            if brought < BATCH {
                break;
            }
        }
    }
    let tables = compare(&mut source, &mut target, &sheets, (total, &mut *watch));
    let tables = tables.map_err(|error| match error {
        // What was brought by an earlier run is not brought again.
        MoveError::Differs(mut wrong) if resumed > 0 => {
            wrong.push(begin_again(&source.place(), &target.place()));
            MoveError::Differs(wrong)
        }
        other => other,
    })?;
    let transfers = tables.iter().find(|same| same.table == "transfers");
    let transfers = transfers.map_or(0, |same| same.rows);
    chains(&mut target, transfers, watch)?;
    // Before the marks are gone: nobody starts on what may be wrong.
    let wrong = target.settle()?;
    if !wrong.is_empty() {
        return Err(MoveError::Differs(wrong));
    }
    target.run(END_MARKS)?;
    Ok(Moved {
        tables,
        transfers,
        resumed,
    })
}

/// What to do when rows changed behind a move that was interrupted.
fn begin_again(source: &str, target: &str) -> String {
    format!(
        "a part of it was there from an earlier run, and {source} may have been changed since: \
         begin again with an empty database in place of {target}"
    )
}

/// Sees that the target is empty, or that this very move had begun; how far each table has come.
fn begin(
    source: &str,
    target: &mut Side,
    sheets: &[Sheet],
) -> Result<Vec<(String, String)>, MoveError> {
    let place = target.place();
    let own = target.sheets()?;
    let moving = own.iter().any(|sheet| sheet.name == MARKS);
    let own: Vec<_> = own.into_iter().filter(|s| s.name != MARKS).collect();
    if own != *sheets {
        return Err(MoveError::Refused(format!(
            "{place} has other tables than {source}: name an empty database"
        )));
    }
    if !moving {
        for sheet in sheets {
            if !target.page(sheet, None)?.is_empty() {
                let name = &sheet.name;
                return Err(MoveError::Refused(format!(
                    "{place} is not empty (table {name} has rows): name an empty database"
                )));
            }
        }
        target.within(|target| {
            target.run(MAKE_MARKS)?;
            Ok(target.mark(SOURCE, source)?)
        })?;
        return Ok(Vec::new());
    }
    let rows = target.seam(|sql| sql.query(HAS_COME, &[]))?;
    let mut marks = Vec::with_capacity(rows.len());
    for row in rows {
        let (sheet, last) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
        if sheet != SOURCE {
            marks.push((sheet, last));
        } else if last != source {
            return Err(MoveError::Refused(format!(
                "a move from {last} into {place} is not finished: finish that one, or name an \
                 empty database"
            )));
        }
    }
    Ok(marks)
}

/// Copies the next rows of a table in one transaction; how many.
fn copy(
    source: &mut Side,
    target: &mut Side,
    sheet: &Sheet,
    last: &mut Option<Vec<Value>>,
) -> Result<usize, MoveError> {
    target.within(|target| {
        let mut brought = 0;
        while brought < BATCH {
            let rows = source.page(sheet, last.as_deref())?;
            target.put(sheet, &rows)?;
            brought += rows.len();
            if let Some(row) = rows.last() {
                *last = Some(sheet.key_of(row));
            }
            if rows.len() < PAGE {
                break;
            }
        }
        if let (Some(last), true) = (&last, brought > 0) {
            target.mark(&sheet.name, &write_key(last)?)?;
        }
        Ok(brought)
    })
}

/// Reads both sides again.
fn compare(
    source: &mut Side,
    target: &mut Side,
    sheets: &[Sheet],
    (total, watch): (u64, Watch<'_>),
) -> Result<Vec<Same>, MoveError> {
    let (mut done, mut all, mut wrong) = (0, Vec::new(), Vec::new());
    for sheet in sheets {
        let mut read = |side: &mut Side| -> Result<(u64, String), MoveError> {
            let (mut sum, mut rows, mut last) = (Sum::default(), 0, None);
            loop {
                tell(watch, Stage::Comparing, &sheet.name, (done, 2 * total))?;
                let page = side.page(sheet, last.as_deref())?;
                page.iter().for_each(|row| sum.add(row));
                let count = u64::try_from(page.len()).unwrap_or(0);
                (rows, done) = (rows + count, done + count);
                match page.last() {
                    Some(row) if page.len() == PAGE => last = Some(sheet.key_of(row)),
                    _ => return Ok((rows, sum.shown())),
                }
            }
        };
        let (here, there) = (read(source)?, read(target)?);
        if here != there {
            let name = &sheet.name;
            wrong.push(format!(
                "table {name}: {} rows with hash {} in {}, {} rows with hash {} in {}",
                here.0,
                here.1,
                source.place(),
                there.0,
                there.1,
                target.place()
            ));
        }
        let (table, (rows, hash)) = (sheet.name.clone(), here);
        all.push(Same { table, rows, hash });
    }
    match wrong.is_empty() {
        true => Ok(all),
        false => Err(MoveError::Differs(wrong)),
    }
}

/// Recomputes every chain of the ledger from the target's rows.
fn chains(target: &mut Side, total: u64, watch: Watch<'_>) -> Result<(), MoveError> {
    let (mut done, mut wrong) = (0, Vec::new());
    let lanes = target.within(|side| Ok(side.seam(|sql| ledger::lanes(&mut Tx::new(sql, 0)))?))?;
    for lane in lanes {
        let (mut place, mut hash) = (0, ChainHash::genesis());
        loop {
            tell(watch, Stage::Chains, "transfers", (done, total))?;
            let after = place;
            let links = target.within(|side| {
                Ok(side.seam(|sql| ledger::after(&mut Tx::new(sql, 0), lane, after, LINKS))?)
            })?;
            for link in &links {
                if link.entry.place != place + 1 || link.entry.hash(&hash) != link.hash {
                    let at = link.entry.place;
                    wrong.push(format!(
                        "lane {lane}: transfer {at} is not what was written"
                    ));
                }
                (place, hash) = (link.entry.place, link.hash.clone());
            }
            done += u64::try_from(links.len()).unwrap_or(0);
            if links.is_empty() || !wrong.is_empty() {
                break;
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(MoveError::Differs(wrong)),
    }
}

fn tell(
    watch: Watch<'_>,
    stage: Stage,
    table: &str,
    (done, total): (u64, u64),
) -> Result<(), MoveError> {
    let progress = Progress {
        stage,
        table,
        done,
        total,
    };
    match watch(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(MoveError::Stopped),
    }
}

/// The hash of a table: the sum of the hashes of its rows, so that it does not depend on how each
/// database orders what it stores differently.
#[derive(Clone, Debug, Default)]
struct Sum([u64; 4]);

impl Sum {
    fn add(&mut self, row: &Row) {
        let mut digest = Sha256::new();
        for value in row.values() {
            match value {
                Value::Null => digest.update([0]),
                Value::Int(number) => {
                    digest.update([1]);
                    digest.update(number.to_be_bytes());
                }
                Value::Text(text) => {
                    digest.update([2]);
                    digest.update(text.len().to_be_bytes());
                    digest.update(text);
                }
            }
        }
        let digest = digest.finalize();
        for (sum, part) in self.0.iter_mut().zip(digest.chunks_exact(8)) {
            let part = part.try_into().map_or(0, u64::from_be_bytes);
            *sum = sum.wrapping_add(part);
        }
    }

    fn shown(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().flat_map(|part| part.to_be_bytes()).collect();
        hex(&bytes)
    }
}

/// The values of a key as JSON.
fn write_key(key: &[Value]) -> Result<String, Fault> {
    let json = |value: &Value| match value {
        Value::Null => serde_json::Value::Null,
        Value::Int(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
    };
    let values: Vec<serde_json::Value> = key.iter().map(json).collect();
    serde_json::to_string(&values).map_err(|error| Fault(error.to_string()))
}

fn read_key(text: &str) -> Result<Vec<Value>, MoveError> {
    let damaged = || MoveError::Refused(format!("{MARKS} has a row of no sense"));
    let values: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| damaged())?;
    let read = |value: serde_json::Value| match value {
        serde_json::Value::Number(number) => number.as_i64().map(Value::Int),
        serde_json::Value::String(text) => Some(Value::Text(text)),
        _ => None,
    };
    let key: Option<Vec<Value>> = values.into_iter().map(read).collect();
    key.ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_and_read() {
        let key = vec![Value::Text("a\0\"b".to_owned()), Value::Int(i64::MIN)];
        assert_eq!(read_key(&write_key(&key).unwrap()).unwrap(), key);
        assert!(read_key("[null]").is_err());
        assert!(read_key("{").is_err());
    }

    #[test]
    fn the_hash_of_a_table_sees_every_change_and_no_order() {
        let row = |values: &[Value]| Row::new(values.to_vec());
        let sum = |rows: &[Row]| {
            let mut sum = Sum::default();
            rows.iter().for_each(|row| sum.add(row));
            sum.shown()
        };
        let (one, two) = (
            row(&["a".into(), 1_i64.into()]),
            row(&["b".into(), Value::Null]),
        );
        let whole = sum(&[one.clone(), two.clone()]);
        assert_eq!(whole, sum(&[two.clone(), one.clone()]));
        for other in [
            vec![one.clone()],
            vec![one.clone(), two.clone(), two.clone()],
            vec![one.clone(), row(&["b".into(), 0_i64.into()])],
            vec![one.clone(), row(&["b".into(), "".into()])],
            vec![one, row(&["".into(), "b".into()])],
        ] {
            assert_ne!(whole, sum(&other), "{other:?}");
        }
        // Where one value ends and the next begins counts too.
        let joined = |a: &str, b: &str| sum(&[row(&[a.into(), b.into()])]);
        assert_ne!(joined("ab", "c"), joined("a", "bc"));
    }
}
