//! The seam between the tables and a database: two methods wide, below the SQL.
//!
//! Statements stay in the subset that SQLite and PostgreSQL share: columns are `TEXT` or `BIGINT`,
//! placeholders `?1`, `ON CONFLICT … DO NOTHING/UPDATE`, `RETURNING`, common table expressions.
//! No triggers, no enums, no clock of the database, no `LIKE`. Row-lock hints are written as
//! `/*pg for update skip locked */`, which SQLite reads as a comment. Sums are cast to `BIGINT`.

use crate::Fault;

/// A value of a column or an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Absent.
    Null,
    /// A 64-bit integer: amounts, times in milliseconds, counts, flags.
    Int(i64),
    /// Text, also JSON and ids.
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<domain::Timestamp> for Value {
    fn from(value: domain::Timestamp) -> Self {
        Self::Int(value.millis())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(Vec<Value>);

impl Row {
    /// From its columns in order.
    pub fn new(columns: Vec<Value>) -> Self {
        Self(columns)
    }

    /// All columns in order.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// The column as text.
    pub fn text(&self, column: usize) -> Result<&str, Fault> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text),
            other => Err(Fault(format!(
                "column {column} is no text but {}",
                kind(other)
            ))),
        }
    }

    /// The column as text, or nothing.
    pub fn text_or_null(&self, column: usize) -> Result<Option<&str>, Fault> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    /// The column as an integer.
    pub fn int(&self, column: usize) -> Result<i64, Fault> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(*value),
            other => Err(Fault(format!(
                "column {column} is no integer but {}",
                kind(other)
            ))),
        }
    }

    /// The column as an integer, or nothing.
    pub fn int_or_null(&self, column: usize) -> Result<Option<i64>, Fault> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.int(column).map(Some),
        }
    }

    /// The column as a time.
    pub fn time(&self, column: usize) -> Result<domain::Timestamp, Fault> {
        self.int(column).map(domain::Timestamp::from_millis)
    }

    /// The column as a time, or nothing.
    pub fn time_or_null(&self, column: usize) -> Result<Option<domain::Timestamp>, Fault> {
        Ok(self
            .int_or_null(column)?
            .map(domain::Timestamp::from_millis))
    }

    /// The column as something that reads itself from text: an id, a mode, JSON.
    pub fn read<T, E: std::fmt::Display>(
        &self,
        column: usize,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, Fault> {
        read(self.text(column)?).map_err(|error| Fault(format!("column {column}: {error}")))
    }
}

/// The kind of a value, never the value: faults are logged.
fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "missing",
        Some(Value::Null) => "null",
        Some(Value::Int(_)) => "an integer",
        Some(Value::Text(_)) => "text",
    }
}

/// A connection inside a transaction.
pub trait Sql {
    /// Runs a statement; the number of rows it changed.
    fn exec(&mut self, sql: &'static str, args: &[Value]) -> Result<u64, Fault>;

    /// Runs a statement that answers rows.
    fn query(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, Fault>;
}
