//! The embedded database as one side of a move: whole tables in and out, nobody else on it.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{Adapter, OpenError, check, connect, lock, migrate, plain, read_row};
use crate::Fault;
use crate::moving::Sheet;
use crate::sql::{Row, Sql, Value};

/// Memory for pages while rows are brought, in KiB: the pages of all indexes of a table at once.
const CACHE_KIB: i64 = -64 * 1024;

pub(crate) struct Bulk {
    connection: Connection,
    path: PathBuf,
    /// Held as long as the move takes: no gateway starts meanwhile.
    _lock: File,
}

impl Bulk {
    /// To be read, as of now.
    pub(crate) fn source(path: &Path) -> Result<Self, OpenError> {
        if !path.is_file() {
            let why = "there is no such file".to_owned();
            return Err(OpenError::File(path.to_owned(), why));
        }
        let failed = |error: rusqlite::Error| OpenError::File(path.to_owned(), plain(&error));
        let lock = lock(path)?;
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
        check(path, &connection)?;
        connection.execute_batch("BEGIN").map_err(failed)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// To be filled; made if it is missing.
    pub(crate) fn target(path: &Path) -> Result<Self, OpenError> {
        let failed = |error: rusqlite::Error| OpenError::File(path.to_owned(), plain(&error));
        let lock = lock(path)?;
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
        migrate(path, &mut connection)?;
        // Tables come one after the other, so references are checked in the end; and what a power
        // cut takes is brought again, because its mark is gone with it.
        for (name, value) in [("foreign_keys", 0), ("cache_size", CACHE_KIB)] {
            connection
                .pragma_update(None, name, value)
                .map_err(failed)?;
        }
        connection
            .pragma_update(None, "synchronous", "NORMAL")
            .map_err(failed)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(crate) fn place(&self) -> String {
        // However it was named, it is the same file.
        let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        path.display().to_string()
    }

    /// All tables in order of their names, but for the one with the schema's version.
    pub(crate) fn sheets(&self) -> Result<Vec<Sheet>, Fault> {
        let read = || -> rusqlite::Result<Vec<Sheet>> {
            let mut tables = self.connection.prepare(
                "SELECT name FROM sqlite_master WHERE type = 'table' \
                 AND name NOT GLOB 'sqlite_*' AND name <> 'schema_versions' ORDER BY name",
            )?;
            let names: rusqlite::Result<Vec<String>> =
                tables.query_map([], |row| row.get(0))?.collect();
            names?.into_iter().map(|name| self.sheet(name)).collect()
        };
        read().map_err(|error| self.fault(&error))
    }

    fn sheet(&self, name: String) -> rusqlite::Result<Sheet> {
        let mut about = self
            .connection
            .prepare("SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid")?;
        let mut rows = about.query([&name])?;
        let (mut columns, mut key) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next()? {
            let (kind, place): (String, i64) = (row.get(1)?, row.get(2)?);
            if place > 0 {
                key.push((place, columns.len()));
            }
            columns.push((row.get(0)?, kind == "TEXT"));
        }
        key.sort_unstable();
        let key = key.into_iter().map(|(_, at)| at).collect();
        Ok(Sheet { name, columns, key })
    }

    pub(crate) fn count(&self, sheet: &Sheet) -> Result<u64, Fault> {
        let sql = format!("SELECT COUNT(*) FROM {}", sheet.name);
        let count: rusqlite::Result<i64> = self.connection.query_row(&sql, [], |row| row.get(0));
        count
            .map(|count| u64::try_from(count).unwrap_or(0))
            .map_err(|error| self.fault(&error))
    }

    /// The next rows after a key.
    pub(crate) fn page(
        &self,
        sheet: &Sheet,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, Fault> {
        let failed = |error: rusqlite::Error| self.fault(&error);
        let sql = sheet.page(after.is_some());
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let limit = Value::Int(i64::try_from(limit).unwrap_or(i64::MAX));
        let args = after.unwrap_or_default().iter().chain([&limit]);
        let mut rows = statement
            .query(rusqlite::params_from_iter(args))
            .map_err(failed)?;
        let mut page = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            page.push(read_row(row, sheet.columns.len(), &sheet.name)?);
        }
        Ok(page)
    }

    pub(crate) fn put(&self, sheet: &Sheet, rows: &[Row]) -> Result<(), Fault> {
        let failed = |error: rusqlite::Error| self.fault(&error);
        let (table, names) = (&sheet.name, sheet.names());
        let marks: Vec<_> = (1..=sheet.columns.len()).map(|n| format!("?{n}")).collect();
        let marks = marks.join(", ");
        let sql = format!("INSERT INTO {table} ({names}) VALUES ({marks})");
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        for row in rows {
            statement
                .execute(rusqlite::params_from_iter(row.values()))
                .map_err(failed)?;
        }
        Ok(())
    }

    pub(crate) fn run(&self, sql: &'static str) -> Result<(), Fault> {
        let done = self.connection.execute_batch(sql);
        done.map_err(|error| self.fault(&error))
    }

    pub(crate) fn seam(&self) -> impl Sql + '_ {
        Adapter(&self.connection)
    }

    /// Rows that refer to what is not there; then everything is written back and on disk.
    pub(crate) fn settle(&self) -> Result<Vec<String>, Fault> {
        let check = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self
                .connection
                .prepare("SELECT DISTINCT \"table\", parent FROM pragma_foreign_key_check")?;
            let rows = statement.query_map([], |row| {
                let (table, parent): (String, String) = (row.get(0)?, row.get(1)?);
                Ok(format!(
                    "table {table} refers to rows that {parent} does not have"
                ))
            })?;
            rows.collect()
        };
        let wrong = check().map_err(|error| self.fault(&error))?;
        self.run("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(wrong)
    }

    fn fault(&self, error: &rusqlite::Error) -> Fault {
        Fault(format!("{}: {}", self.path.display(), plain(error)))
    }
}
