//! One of the two databases of a move, of either kind.

use super::{MARK, MoveError, PAGE, Place, Sheet};
use crate::postgres::Bulk as Postgres;
use crate::sql::{Row, Sql, Value};
use crate::sqlite::bulk::Bulk as Sqlite;
use crate::{Fault, OpenError, Options};

/// One of the two databases.
pub(super) enum Side {
    Sqlite(Box<Sqlite>),
    Postgres(Box<Postgres>),
}

impl Side {
    pub(super) fn source(place: &Place, options: Options) -> Result<Self, OpenError> {
        Ok(match place {
            Place::Sqlite(path) => Self::Sqlite(Box::new(Sqlite::source(path)?)),
            Place::Postgres(url) => Self::Postgres(Box::new(Postgres::source(url, options)?)),
        })
    }

    pub(super) fn target(place: &Place, options: Options) -> Result<Self, OpenError> {
        Ok(match place {
            Place::Sqlite(path) => Self::Sqlite(Box::new(Sqlite::target(path)?)),
            Place::Postgres(url) => Self::Postgres(Box::new(Postgres::target(url, options)?)),
        })
    }

    /// How the operator knows it, without a password.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Sqlite(side) => side.place(),
            Self::Postgres(side) => side.place(),
        }
    }

    pub(super) fn sheets(&mut self) -> Result<Vec<Sheet>, Fault> {
        match self {
            Self::Sqlite(side) => side.sheets(),
            Self::Postgres(side) => side.sheets(),
        }
    }

    pub(super) fn count(&mut self, sheet: &Sheet) -> Result<u64, Fault> {
        match self {
            Self::Sqlite(side) => side.count(sheet),
            Self::Postgres(side) => side.count(sheet),
        }
    }

    pub(super) fn page(
        &mut self,
        sheet: &Sheet,
        after: Option<&[Value]>,
    ) -> Result<Vec<Row>, Fault> {
        match self {
            Self::Sqlite(side) => side.page(sheet, after, PAGE),
            Self::Postgres(side) => side.page(sheet, after, PAGE),
        }
    }

    pub(super) fn put(&mut self, sheet: &Sheet, rows: &[Row]) -> Result<(), Fault> {
        match self {
            Self::Sqlite(side) => side.put(sheet, rows),
            Self::Postgres(side) => side.put(sheet, rows),
        }
    }

    /// Runs work in one transaction, which is kept if the work succeeds.
    pub(super) fn within<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, MoveError>,
    ) -> Result<T, MoveError> {
        self.run("BEGIN")?;
        let done = work(self);
        self.run(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        done
    }

    /// Runs statements without arguments.
    pub(super) fn run(&mut self, sql: &'static str) -> Result<(), Fault> {
        match self {
            Self::Sqlite(side) => side.run(sql),
            Self::Postgres(side) => side.run(sql),
        }
    }

    /// Runs work over the seam.
    pub(super) fn seam<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Sql) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match self {
            Self::Sqlite(side) => work(&mut side.seam()),
            Self::Postgres(side) => work(side.seam()),
        }
    }

    /// Whatever the database itself can still find wrong; then the rows are on disk.
    pub(super) fn settle(&mut self) -> Result<Vec<String>, Fault> {
        match self {
            Self::Sqlite(side) => side.settle(),
            Self::Postgres(side) => side.settle(),
        }
    }

    /// Says that a table has come so far.
    pub(super) fn mark(&mut self, sheet: &str, last: &str) -> Result<(), Fault> {
        self.seam(|sql| sql.exec(MARK, &[sheet.into(), last.into()]))?;
        Ok(())
    }
}
