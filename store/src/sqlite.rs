//! The embedded database: opens the file, sets it up, runs one writer and a few readers.

pub mod backup;
pub(crate) mod bulk;
mod checkpoint;
mod readers;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};

use crate::migrate::{self, SchemaError};
use crate::sql::{Row, Sql, Value};
use crate::{Failure, Fault, Job, moving};

/// Why the database cannot be opened: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("{0} is in use by another florin: stop that one first, or choose another data folder")]
    InUse(PathBuf),
    /// The folder or the file cannot be read or written.
    #[error("cannot open {0}: {1}")]
    File(PathBuf, String),
    /// A file that is being made cannot be written: what was begun of it is removed.
    #[error("cannot write {0}: {1}")]
    Unwritten(PathBuf, String),
    /// The schema is newer or foreign.
    #[error("{0}: {1}")]
    Schema(PathBuf, SchemaError),
    /// There is something where a new file belongs.
    #[error("{0} {1}")]
    Taken(PathBuf, String),
    /// The address of a database is malformed.
    #[error("the database's address cannot be used: {0}")]
    Url(String),
    /// A database elsewhere cannot be used: which one, and why.
    #[error("cannot use {0}: {1}")]
    Database(String, String),
}

/// How to open it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Run every writing closure twice, rolling the first run back: tests do, to show that a
    /// repeated run changes nothing.
    pub run_twice: bool,
    /// A clock that only measures: bounds the work of one commit.
    pub stopwatch: fn() -> Duration,
    /// Chance for pauses, so that two processes do not retry in step.
    pub chance: fn() -> u64,
    /// Looks up a variable of the environment: `PGPASSWORD` and the like.
    pub environment: fn(&str) -> Option<String>,
}

impl Options {
    /// For tests: closures run twice, time stands still, there is no chance and no environment.
    pub const TEST: Self = Self {
        run_twice: true,
        stopwatch: || Duration::ZERO,
        chance: || 1,
        environment: |_| None,
    };
}

/// How many pages the log may have before a commit writes it back (80 MB), as far as that was not
/// done beside it: a late checkpoint doubled the measured rate.
const CHECKPOINT_PAGES: i64 = 20_000;

/// Prepared statements kept per connection; more than there are statements.
const STATEMENTS: usize = 512;

/// The running database.
#[derive(Debug)]
pub(crate) struct Sqlite {
    /// Absent when the database was opened only to be read.
    writer: Option<writer::Writer>,
    checkpointer: Option<checkpoint::Checkpointer>,
    readers: readers::Readers,
    /// Held as long as the process may write.
    lock: Option<File>,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let failed = |error: rusqlite::Error| OpenError::File(path.to_owned(), plain(&error));
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
        refuse_unfinished(path, &connection)?;
        migrate(path, &mut connection)?;
        // What a savepoint may undo is kept in memory, never in a file: a group is small. (Changes
        // of the schema are not, and are made before.)
        connection
            .pragma_update(None, "temp_store", "MEMORY")
            .map_err(failed)?;
        let mut read_only = Vec::new();
        for _ in 0..domain::limits::READERS {
            read_only.push(connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?);
        }
        let beside = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
        let threads = |error: std::io::Error| OpenError::File(path.to_owned(), error.to_string());
        let checkpointer = checkpoint::Checkpointer::start(beside).map_err(threads)?;
        let writer = writer::Writer::start(connection, options, checkpointer.news());
        Ok(Self {
            writer: Some(writer.map_err(threads)?),
            checkpointer: Some(checkpointer),
            readers: readers::Readers::start(read_only).map_err(threads)?,
            lock: Some(lock),
        })
    }

    /// For looking while another process may be writing: no lock, no migration, no writer.
    pub(crate) fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        let failed = |error: rusqlite::Error| OpenError::File(path.to_owned(), plain(&error));
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
        check(path, &connection)?;
        let threads = |error: std::io::Error| OpenError::File(path.to_owned(), error.to_string());
        let readers = readers::Readers::start(vec![connection]).map_err(threads)?;
        Ok(Self {
            writer: None,
            checkpointer: None,
            readers,
            lock: None,
        })
    }

    pub(crate) fn submit_write(&self, job: Job) -> Result<(), Failure> {
        match &self.writer {
            Some(writer) => writer.submit(job),
            None => Err(Fault(format!("{}: opened for reading only", job.name)).into()),
        }
    }

    pub(crate) fn submit_read(&self, job: Job) -> Result<(), Failure> {
        self.readers.submit(job)
    }

    pub(crate) fn close(self) {
        self.readers.close();
        if let Some(writer) = self.writer {
            writer.close();
        }
        if let Some(checkpointer) = self.checkpointer {
            checkpointer.close();
        }
        if let Some(lock) = self.lock {
            // Closing the file would release the lock as well; this says when.
            let _ = lock.unlock();
        }
    }
}

/// Takes the lock file beside the database, for as long as this process lives: the system lets go
/// of it even after a kill.
fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = path.with_extension("lock");
    let failed = |error: std::io::Error| OpenError::File(lock_path.clone(), error.to_string());
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let create = if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        OpenFlags::SQLITE_OPEN_CREATE
    } else {
        OpenFlags::empty()
    };
    let connection =
        Connection::open_with_flags(path, flags | create | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // One plan for each statement, whatever is bound to it: without this every statement that may
    // use a partial index is prepared anew each time, which took a fifth of the writer's time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if !create.is_empty() {
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // After a checkpoint the log file shrinks to this again.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "cache_size", -8 * 1024)?;
    Ok(connection)
}

fn migrate(path: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::File(path.to_owned(), plain(&error));
    let tx = connection.transaction().map_err(failed)?;
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_versions (
            version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, fingerprint TEXT NOT NULL
        ) STRICT;",
    )
    .map_err(failed)?;
    let applied = applied(&tx).map_err(failed)?;
    let missing =
        migrate::missing(&applied).map_err(|error| OpenError::Schema(path.to_owned(), error))?;
    for migration in missing {
        tx.execute_batch(&migration.for_sqlite()).map_err(failed)?;
        tx.execute(
            "INSERT INTO schema_versions (version, name, fingerprint) VALUES (?1, ?2, ?3)",
            (migration.version, migration.name, migration.fingerprint()),
        )
        .map_err(failed)?;
    }
    tx.commit().map_err(failed)
}

/// Fails unless the schema is the one of this binary, and all of the data is there.
fn check(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::File(path.to_owned(), plain(&error));
    let applied = applied(connection).map_err(failed)?;
    let missing =
        migrate::missing(&applied).map_err(|error| OpenError::Schema(path.to_owned(), error))?;
    if missing.is_empty() {
        return refuse_unfinished(path, connection);
    }
    let older = "its schema is older than this florin: start the gateway once first";
    Err(OpenError::File(path.to_owned(), older.to_owned()))
}

/// Fails where a move has brought only some of the rows.
fn refuse_unfinished(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::File(path.to_owned(), plain(&error));
    let unfinished = connection
        .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1")
        .and_then(|mut statement| statement.exists([moving::MARKS]))
        .map_err(failed)?;
    if unfinished {
        return Err(OpenError::File(
            path.to_owned(),
            moving::UNFINISHED.to_owned(),
        ));
    }
    Ok(())
}

/// Which migrations the database has, with their fingerprints.
fn applied(connection: &Connection) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut statement =
        connection.prepare("SELECT version, fingerprint FROM schema_versions ORDER BY version")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The message of an error without the statement it came from.
fn plain(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(message)) => {
            format!("{message} (SQLite code {})", code.extended_code)
        }
        other => other.to_string(),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// The adapter: the seam over one SQLite connection.
struct Adapter<'c>(&'c Connection);

impl Sql for Adapter<'_> {
    fn exec(&mut self, sql: &'static str, args: &[Value]) -> Result<u64, Fault> {
        let failed = |error: rusqlite::Error| fault(sql, &error);
        let mut statement = self.0.prepare_cached(sql).map_err(failed)?;
        let changed = statement
            .execute(rusqlite::params_from_iter(args))
            .map_err(failed)?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    fn query(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, Fault> {
        let failed = |error: rusqlite::Error| fault(sql, &error);
        let mut statement = self.0.prepare_cached(sql).map_err(failed)?;
        let width = statement.column_count();
        let mut rows = statement
            .query(rusqlite::params_from_iter(args))
            .map_err(failed)?;
        let mut answer = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            answer.push(read_row(row, width, sql)?);
        }
        Ok(answer)
    }
}

/// A row of so many columns; `of` says where it came from.
fn read_row(row: &rusqlite::Row<'_>, width: usize, of: &str) -> Result<Row, Fault> {
    let mut columns = Vec::with_capacity(width);
    for column in 0..width {
        let value = row
            .get_ref(column)
            .map_err(|error| Fault::of_statement(&plain(&error), of))?;
        columns.push(match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => Value::Int(value),
            ValueRef::Text(text) => Value::Text(
                String::from_utf8(text.to_vec())
                    .map_err(|_| Fault::of_statement("text that is not UTF-8", of))?,
            ),
            ValueRef::Real(_) | ValueRef::Blob(_) => {
                return Err(Fault::of_statement("a column of a kind we do not use", of));
            }
        });
    }
    Ok(Row::new(columns))
}

fn fault(sql: &'static str, error: &rusqlite::Error) -> Fault {
    Fault::of_statement(&plain(error), sql)
}
