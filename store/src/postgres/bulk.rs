//! PostgreSQL as one side of a move: whole tables in and out, no gateway on it.

use std::collections::HashMap;

use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use super::session::Session;
use super::text::{self, stored};
use super::{refused, schema};
use crate::moving::Sheet;
use crate::sql::{Row, Sql, Value};
use crate::sqlite::{OpenError, Options};
use crate::{Fault, moving};

/// All tables with their columns, and each column's place in the primary key.
const SHEETS: &str = "SELECT c.relname, a.attname, a.atttypid::regtype::text, \
    COALESCE(array_position(i.indkey::int2[], a.attnum), -1) \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
    AND NOT a.attisdropped JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace \
    AND c.relname <> 'schema_versions' ORDER BY c.relname COLLATE \"C\", a.attnum";

/// A page may wait for the other side; and what a crash of the server takes is brought again,
/// because its mark is gone with it.
const SET_UP: &str = "SET idle_in_transaction_session_timeout = 0; SET synchronous_commit = off";

pub(crate) struct Bulk {
    session: Session,
    statements: HashMap<String, Statement>,
    place: String,
}

/// A column of many rows.
enum Column<'a> {
    Texts(Vec<Option<std::borrow::Cow<'a, str>>>),
    Numbers(Vec<Option<i64>>),
}

impl Bulk {
    /// To be read, as of now.
    pub(crate) fn source(url: &str, options: Options) -> Result<Self, OpenError> {
        let mut side = Self::open(url, options)?;
        let place = side.place.clone();
        let failed = |why: String| OpenError::Database(place.clone(), why);
        // A standby has advisory locks of its own: it would not know of a gateway at work.
        if side.session.is_standby().map_err(failed)? {
            return Err(failed(super::errors::STANDBY.to_owned()));
        }
        schema::check(&mut side.session).map_err(|why| refused(&place, why))?;
        side.alone()?;
        let snapshot = side
            .session
            .rows("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
        snapshot.map_err(|why| OpenError::Database(place, why))?;
        Ok(side)
    }

    /// To be filled.
    pub(crate) fn target(url: &str, options: Options) -> Result<Self, OpenError> {
        let mut side = Self::open(url, options)?;
        let place = side.place.clone();
        let failed = |why: String| OpenError::Database(place.clone(), why);
        if !side.session.takes_writes().map_err(failed)? {
            return Err(failed(super::errors::READ_ONLY.to_owned()));
        }
        side.alone()?;
        schema::bring_up_to_date(&mut side.session).map_err(|why| refused(&place, why))?;
        Ok(side)
    }

    fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let settings = super::settings(url, options)?;
        let place = settings.place.clone();
        let failed = |why: String| OpenError::Database(place.clone(), why);
        let mut session = Session::open(&settings).map_err(failed)?;
        session.rows(SET_UP).map_err(failed)?;
        let schema = session.rows("SELECT current_schema()").map_err(failed)?;
        let schema = schema.first().and_then(|row| row.first());
        Ok(Self {
            session,
            statements: HashMap::new(),
            place: match schema.map(String::as_str) {
                None | Some("public") => place,
                Some(schema) => format!("{place} (schema {schema})"),
            },
        })
    }

    /// From now on no gateway can write here, and none does.
    fn alone(&mut self) -> Result<(), OpenError> {
        let failed = |why: String| OpenError::Database(self.place.clone(), why);
        match schema::claim_all(&mut self.session).map_err(failed)? {
            true => Ok(()),
            false => Err(failed(moving::WORKING.to_owned())),
        }
    }

    pub(crate) fn place(&self) -> String {
        self.place.clone()
    }

    /// All tables in order of their names, but for the one with the schema's version.
    pub(crate) fn sheets(&mut self) -> Result<Vec<Sheet>, Fault> {
        let rows = self.session.rows(SHEETS).map_err(Fault)?;
        let (mut sheets, mut keys): (Vec<Sheet>, Vec<Vec<(i64, usize)>>) = Default::default();
        for row in rows {
            let [table, column, kind, place] = row.as_slice() else {
                return Err(Fault("the catalogue has rows of no sense".to_owned()));
            };
            if sheets.last().is_none_or(|sheet| sheet.name != *table) {
                sheets.push(Sheet {
                    name: table.clone(),
                    columns: Vec::new(),
                    key: Vec::new(),
                });
                keys.push(Vec::new());
            }
            if let (Some(sheet), Some(key)) = (sheets.last_mut(), keys.last_mut()) {
                if let Ok(place @ 0..) = place.parse::<i64>() {
                    key.push((place, sheet.columns.len()));
                }
                sheet.columns.push((column.clone(), kind == "text"));
            }
        }
        for (sheet, mut key) in sheets.iter_mut().zip(keys) {
            key.sort_unstable();
            sheet.key = key.into_iter().map(|(_, at)| at).collect();
        }
        Ok(sheets)
    }

    pub(crate) fn count(&mut self, sheet: &Sheet) -> Result<u64, Fault> {
        let sql = format!("SELECT COUNT(*) FROM {}", sheet.name);
        let rows = self.session.rows(&sql).map_err(|why| self.fault(&why))?;
        let count = rows.first().and_then(|row| row.first());
        Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    /// The next rows after a key.
    pub(crate) fn page(
        &mut self,
        sheet: &Sheet,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, Fault> {
        let statement = self.statement(text::statement(&sheet.page(after.is_some())))?;
        let limit = Value::Int(i64::try_from(limit).unwrap_or(i64::MAX));
        let args: Vec<&(dyn ToSql + Sync)> = after
            .unwrap_or_default()
            .iter()
            .chain([&limit])
            .map(|arg| arg as _)
            .collect();
        let page = self.session.ask(&statement, &args);
        page.map_err(|why| self.fault(&why))
    }

    /// Brings rows in one statement: each column is one argument.
    pub(crate) fn put(&mut self, sheet: &Sheet, rows: &[Row]) -> Result<(), Fault> {
        if rows.is_empty() {
            return Ok(());
        }
        let kind = |(at, (_, text)): (usize, &(String, bool))| {
            format!("${}::{}[]", at + 1, if *text { "text" } else { "bigint" })
        };
        let marks: Vec<_> = sheet.columns.iter().enumerate().map(kind).collect();
        let (table, names, marks) = (&sheet.name, sheet.names(), marks.join(", "));
        let sql = format!("INSERT INTO {table} ({names}) SELECT * FROM UNNEST({marks})");
        let statement = self.statement(sql)?;
        let mut columns = Vec::with_capacity(sheet.columns.len());
        for (at, (name, text)) in sheet.columns.iter().enumerate() {
            let wrong = || Fault(format!("{table}.{name} has a value of another kind"));
            columns.push(column(rows, at, *text).ok_or_else(wrong)?);
        }
        let args: Vec<&(dyn ToSql + Sync)> = columns
            .iter()
            .map(|column| match column {
                Column::Texts(texts) => texts as _,
                Column::Numbers(numbers) => numbers as &(dyn ToSql + Sync),
            })
            .collect();
        let put = self.session.tell(&statement, &args);
        put.map(|_| ()).map_err(|why| self.fault(&why))
    }

    pub(crate) fn run(&mut self, sql: &'static str) -> Result<(), Fault> {
        let done = self.session.rows(sql).map(|_| ());
        done.map_err(|why| self.fault(&why))
    }

    pub(crate) fn seam(&mut self) -> &mut dyn Sql {
        &mut self.session
    }

    /// Counts what the planner must know; a synced commit takes all before it to the disk.
    pub(crate) fn settle(&mut self) -> Result<Vec<String>, Fault> {
        self.run("SET synchronous_commit = on; ANALYZE")?;
        Ok(Vec::new())
    }

    fn statement(&mut self, sql: String) -> Result<Statement, Fault> {
        if let Some(known) = self.statements.get(&sql) {
            return Ok(known.clone());
        }
        let made = self.session.make(&sql).map_err(|why| self.fault(&why))?;
        self.statements.insert(sql, made.clone());
        Ok(made)
    }

    fn fault(&self, why: &str) -> Fault {
        Fault(format!("{}: {why}", self.place))
    }
}

/// One column of many rows, if all its values are of its kind.
fn column(rows: &[Row], at: usize, text: bool) -> Option<Column<'_>> {
    let values = || rows.iter().map(|row| row.values().get(at));
    if text {
        let texts = values().map(|value| match value? {
            Value::Null => Some(None),
            Value::Text(text) => Some(Some(stored(text))),
            Value::Int(_) => None,
        });
        return texts.collect::<Option<_>>().map(Column::Texts);
    }
    let numbers = values().map(|value| match value? {
        Value::Null => Some(None),
        Value::Int(number) => Some(Some(*number)),
        Value::Text(_) => None,
    });
    numbers.collect::<Option<_>>().map(Column::Numbers)
}
