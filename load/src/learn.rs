//! Which rows a call writes, learned from Florin itself: the database is read before and after
//! the call, twice, and what is new is the pattern. So the floor writes exactly what the product
//! writes, into the same tables with the same indexes, and stays right when the schema changes.
//!
//! Only new rows are learned. Rows that a call changes are left out, which makes the floor faster
//! than it could be and the product's share of it smaller, never larger.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags};

use crate::failure::{Outcome, said};
use crate::pattern::Pattern;

/// Rows of one table.
#[derive(Debug)]
struct Table {
    name: String,
    columns: Vec<String>,
    /// Positions of the primary key's columns; all columns where there is none.
    key: Vec<usize>,
    rows: Vec<Vec<Value>>,
}

/// All rows of a database at one moment.
#[derive(Debug)]
pub struct Snapshot(Vec<Table>);

/// One row to write.
#[derive(Clone, Debug)]
pub struct RowPattern {
    /// Name of the table.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// What goes into each column.
    pub values: Vec<Pattern>,
}

/// The database file in a data folder.
pub fn find_database(data: &Path) -> Outcome<PathBuf> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    for entry in std::fs::read_dir(data)? {
        let path = entry?.path();
        if path.is_file() {
            let mut head = Vec::new();
            File::open(&path)?.take(16).read_to_end(&mut head)?;
            if head == MAGIC {
                return Ok(path);
            }
        }
    }
    Err(said(format!("{} holds no SQLite database", data.display())))
}

/// Opens a database that another process is using.
pub fn look_into(path: &Path) -> Outcome<Connection> {
    Ok(Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY,
    )?)
}

impl Snapshot {
    /// Reads everything. Tables come in the order in which they were made, so that a row comes
    /// after the rows it refers to.
    pub fn take(database: &Connection) -> Outcome<Snapshot> {
        let mut names = database.prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             ORDER BY rowid",
        )?;
        let names = names
            .query_map([], |row| row.get(0))?
            .collect::<Result<Vec<String>, _>>()?;
        let transaction = database.unchecked_transaction()?;
        let tables = names
            .into_iter()
            .map(|name| Table::read(&transaction, name));
        Ok(Snapshot(tables.collect::<Outcome<_>>()?))
    }
}

impl Table {
    fn read(database: &Connection, name: String) -> Outcome<Table> {
        let mut info = database.prepare(&format!("PRAGMA table_info({})", quoted(&name)))?;
        let info = info.query_map([], |row| Ok((row.get("name")?, row.get("pk")?)))?;
        let info = info.collect::<Result<Vec<(String, i64)>, _>>()?;
        let mut key: Vec<usize> = (0..info.len()).filter(|at| info[*at].1 > 0).collect();
        if key.is_empty() {
            key = (0..info.len()).collect();
        }
        let columns: Vec<String> = info.into_iter().map(|(name, _)| name).collect();
        let mut select = database.prepare(&format!("SELECT * FROM {}", quoted(&name)))?;
        let mut found = select.query([])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let row = (0..columns.len())
                .map(|at| row.get(at))
                .collect::<Result<_, _>>()?;
            rows.push(row);
        }
        Ok(Table {
            name,
            columns,
            key,
            rows,
        })
    }

    fn key_of(&self, row: &[Value]) -> Vec<u8> {
        let parts = self.key.iter().filter_map(|at| row.get(*at));
        parts
            .flat_map(|part| format!("{part:?}\0").into_bytes())
            .collect()
    }

    /// Rows that `earlier` does not have.
    fn new_since(&self, earlier: &Snapshot) -> Vec<&Vec<Value>> {
        let earlier = earlier.0.iter().find(|table| table.name == self.name);
        let known: HashSet<Vec<u8>> = earlier
            .map(|table| table.rows.iter().map(|row| self.key_of(row)).collect())
            .unwrap_or_default();
        self.rows
            .iter()
            .filter(|row| !known.contains(&self.key_of(row)))
            .collect()
    }
}

/// The rows that one call writes, from snapshots before it, after it, and after it once more.
pub fn rows(before: &Snapshot, once: &Snapshot, twice: &Snapshot) -> Outcome<Vec<RowPattern>> {
    let mut patterns = Vec::new();
    for (first, second) in once.0.iter().zip(&twice.0) {
        let (one, two) = (first.new_since(before), second.new_since(once));
        if one.len() != two.len() {
            let (name, one, two) = (&first.name, one.len(), two.len());
            return Err(said(format!(
                "equal calls wrote {one} and {two} rows into {name}"
            )));
        }
        for (one, two) in one.into_iter().zip(two) {
            patterns.push(RowPattern {
                table: first.name.clone(),
                columns: first.columns.clone(),
                values: one
                    .iter()
                    .zip(two)
                    .map(|(one, two)| Pattern::of(one, two))
                    .collect(),
            });
        }
    }
    if patterns.is_empty() {
        return Err(said("a call that should write rows wrote none"));
    }
    Ok(patterns)
}

/// How many rows go into which table, as text.
pub fn summary(patterns: &[RowPattern]) -> String {
    let tables: BTreeSet<&str> = patterns.iter().map(|row| row.table.as_str()).collect();
    let counts = tables.into_iter().map(|table| {
        let count = patterns.iter().filter(|row| row.table == table).count();
        format!("{count} {table}")
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// A name as SQL takes it literally.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a value borrowed from a pattern is for the database.
pub fn borrowed(value: &Value) -> ValueRef<'_> {
    ValueRef::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "CREATE TABLE bills (id TEXT PRIMARY KEY, state TEXT NOT NULL,
        made INTEGER NOT NULL) STRICT;
        CREATE TABLE events (id INTEGER PRIMARY KEY, bill TEXT NOT NULL REFERENCES bills (id),
        body TEXT NOT NULL) STRICT;
        CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
        INSERT INTO counters VALUES ('bills', 0);";

    fn create(database: &Connection, id: &str, made: i64) {
        let body = format!("{{\"bill\":\"{id}\"}}");
        database
            .execute("INSERT INTO bills VALUES (?1, 'open', ?2)", (id, made))
            .unwrap();
        database
            .execute(
                "INSERT INTO events (bill, body) VALUES (?1, ?2)",
                (id, body),
            )
            .unwrap();
        database
            .execute("UPDATE counters SET value = value + 1", ())
            .unwrap();
    }

    #[test]
    fn new_rows_are_learned_and_changed_ones_are_not() {
        let database = Connection::open_in_memory().unwrap();
        database.execute_batch(SCHEMA).unwrap();
        create(&database, "0f3a-77c1-02ab", 1_000);
        let before = Snapshot::take(&database).unwrap();
        create(&database, "91b2-0cd4-13ef", 1_040);
        let once = Snapshot::take(&database).unwrap();
        create(&database, "d7e8-a1f6-9b25", 1_090);
        let twice = Snapshot::take(&database).unwrap();
        let learned = rows(&before, &once, &twice).unwrap();
        assert_eq!(summary(&learned), "1 bills, 1 events");
        assert_eq!(learned[0].columns, ["id", "state", "made"]);
        assert!(rows(&before, &before, &before).is_err());
        assert!(rows(&before, &once, &once).is_err());
    }
}
