//! What the disk and SQLite can do at best: the rows of one call, written by a plain loop on one
//! connection with Florin's own settings, into a copy of Florin's own database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};

use crate::clock;
use crate::failure::{Outcome, said};
use crate::learn::{RowPattern, borrowed, quoted};
use crate::pattern::Pattern;

/// Pages in the write-ahead log before it is copied back, as Florin sets it.
const CHECKPOINT_PAGES: u32 = 20_000;

/// The database to write into and the rows to write.
#[derive(Clone, Debug)]
pub struct Floor {
    /// A small copy of Florin's database; copied again for each measurement.
    pub template: PathBuf,
    /// A folder on the disk that is measured.
    pub folder: PathBuf,
    /// The rows of one call.
    pub rows: Vec<RowPattern>,
}

/// Makes the small copy. `to` must not exist.
pub fn copy_database(from: &Connection, to: &Path) -> Outcome<()> {
    let path = to
        .to_str()
        .ok_or_else(|| said("the data folder's name is not UTF-8"))?;
    from.execute("VACUUM INTO ?1", [path])?;
    Ok(())
}

impl Floor {
    /// Calls written a second, at `batch` a commit.
    pub fn rate(&self, batch: u64, window: Duration) -> Outcome<f64> {
        let path = self.folder.join("floor.db");
        self.clear(&path);
        std::fs::copy(&self.template, &path)?;
        let database = Connection::open(&path)?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        database.pragma_update(None, "foreign_keys", "ON")?;
        let rate = self.write(&database, batch, window)?;
        drop(database);
        self.clear(&path);
        Ok(rate)
    }

    fn write(&self, database: &Connection, batch: u64, window: Duration) -> Outcome<f64> {
        let mut statements = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            statements.push(database.prepare(&insert(row))?);
        }
        let mut begin = database.prepare("BEGIN IMMEDIATE")?;
        let mut commit = database.prepare("COMMIT")?;
        let mut scratch = Vec::new();
        let (mut number, began) = (0, clock::now());
        while began.elapsed() < window {
            begin.raw_execute()?;
            for _ in 0..batch {
                for (row, statement) in self.rows.iter().zip(&mut statements) {
                    bind(row, statement, number, &mut scratch)?;
                    statement.raw_execute()?;
                }
                number += 1;
            }
            commit.raw_execute()?;
        }
        Ok(number as f64 / began.elapsed().as_secs_f64())
    }

    fn clear(&self, path: &Path) {
        for end in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            // A file that is not there is as good as removed.
            let _ = std::fs::remove_file(name);
        }
    }
}

/// The statement that writes a row.
pub fn insert(row: &RowPattern) -> String {
    let names: Vec<String> = row.columns.iter().map(|name| quoted(name)).collect();
    let marks: Vec<String> = (1..=names.len()).map(|at| format!("?{at}")).collect();
    let (table, names, marks) = (quoted(&row.table), names.join(", "), marks.join(", "));
    format!("INSERT INTO {table} ({names}) VALUES ({marks})")
}

fn bind(
    row: &RowPattern,
    statement: &mut Statement<'_>,
    number: u64,
    scratch: &mut Vec<u8>,
) -> Outcome<()> {
    for (place, pattern) in (1..).zip(&row.values) {
        let value = match pattern {
            Pattern::Fixed(value) => borrowed(value),
            Pattern::Counting { last, step } => {
                let grown = step.saturating_mul(i64::try_from(number).unwrap_or(i64::MAX));
                ValueRef::Integer(last.saturating_add(*step).saturating_add(grown))
            }
            Pattern::Text(rule) => {
                rule.write(number, scratch);
                ValueRef::Text(scratch)
            }
            Pattern::Bytes(rule) => {
                rule.write(number, scratch);
                ValueRef::Blob(scratch)
            }
        };
        let value = rusqlite::types::ToSqlOutput::Borrowed(value);
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}
