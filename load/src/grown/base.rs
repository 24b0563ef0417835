//! A database as whoever fills it and takes samples from it sees it: of either kind, with no
//! gateway on it.

use std::fs::File;

use rusqlite::Connection;
use rusqlite::types::Value;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::failure::Outcome;
use crate::floor::insert;
use crate::learn::{RowPattern, quoted};
use crate::pattern::Pattern;
use crate::schema::asked;

/// Memory for pages while a file is filled, in KiB.
const CACHE_KIB: i64 = -2 * 1024 * 1024;

/// A database.
pub enum Base {
    /// The file of an embedded one.
    File(Connection),
    /// A schema of a server.
    Server(Client),
}

impl Base {
    /// What a statement finds, as text; `?1` is the first argument. What is nothing reads as empty.
    pub async fn find(&self, sql: &str, args: &[&str]) -> Outcome<Vec<Vec<String>>> {
        match self {
            Base::File(database) => {
                let mut statement = database.prepare_cached(sql)?;
                let width = statement.column_count();
                let rows = statement.query_map(rusqlite::params_from_iter(args), |row| {
                    (0..width).map(|at| Ok(text(row.get(at)?))).collect()
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
            Base::Server(client) => {
                let sql = sql.replace('?', "$");
                let args: Vec<&(dyn ToSql + Sync)> =
                    args.iter().map(|arg| arg as &(dyn ToSql + Sync)).collect();
                let rows = client
                    .query(&sql, &args)
                    .await
                    .map_err(|error| asked(&error))?;
                let cell = |row: &tokio_postgres::Row, at| {
                    let number = row
                        .try_get::<_, Option<i64>>(at)
                        .map(|n| n.map(|n| n.to_string()));
                    let found = number.or_else(|_| row.try_get::<_, Option<String>>(at));
                    found
                        .map(Option::unwrap_or_default)
                        .map_err(|error| asked(&error))
                };
                rows.iter()
                    .map(|row| (0..row.len()).map(|at| cell(row, at)).collect())
                    .collect()
            }
        }
    }

    async fn run(&self, sql: &str) -> Outcome<()> {
        match self {
            Base::File(database) => Ok(database.execute_batch(sql)?),
            Base::Server(client) => client
                .batch_execute(sql)
                .await
                .map_err(|error| asked(&error)),
        }
    }

    /// Makes it ready to be filled: nobody was promised what is written until the end.
    pub async fn open(&self) -> Outcome<()> {
        match self {
            Base::File(database) => {
                for (name, value) in [("foreign_keys", 0), ("cache_size", CACHE_KIB)] {
                    database.pragma_update(None, name, value)?;
                }
                self.run("PRAGMA synchronous = OFF").await
            }
            Base::Server(_) => self.run("SET synchronous_commit = off").await,
        }
    }

    /// Everything that was written is on disk, and the planner knows what there is.
    pub async fn close(&self) -> Outcome<()> {
        match self {
            Base::File(_) => {
                self.run("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)")
                    .await
            }
            Base::Server(_) => self.run("VACUUM (ANALYZE)").await,
        }
    }

    /// Has the system forget what it has read of a file, so that the next to look something up
    /// reads it from the disk. What a server remembers cannot be taken from it.
    pub fn forget(&self) -> Outcome<()> {
        if let Base::File(database) = self {
            let file = File::open(database.path().unwrap_or_default())?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
                .map_err(std::io::Error::from)?;
        }
        Ok(())
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Outcome<()> {
        let begin = match self {
            Base::File(_) => "BEGIN IMMEDIATE",
            Base::Server(_) => "BEGIN",
        };
        self.run(begin).await
    }

    /// Ends it.
    pub async fn commit(&self) -> Outcome<()> {
        self.run("COMMIT").await
    }

    /// Writes rows of one rule.
    pub async fn insert(&self, row: &RowPattern, rows: &[Vec<Value>]) -> Outcome<()> {
        match self {
            Base::File(database) => {
                let mut statement = database.prepare_cached(&insert(row))?;
                for values in rows {
                    statement.execute(rusqlite::params_from_iter(values))?;
                }
                Ok(())
            }
            Base::Server(client) => {
                let (sql, columns) = columns(row, rows);
                let args: Vec<&(dyn ToSql + Sync)> = columns.iter().map(Column::arg).collect();
                client
                    .execute(&sql, &args)
                    .await
                    .map_err(|error| asked(&error))?;
                Ok(())
            }
        }
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// One column of many rows.
enum Column {
    Texts(Vec<Option<String>>),
    Numbers(Vec<Option<i64>>),
}

impl Column {
    fn arg(&self) -> &(dyn ToSql + Sync) {
        match self {
            Column::Texts(texts) => texts,
            Column::Numbers(numbers) => numbers,
        }
    }
}

/// One statement for all rows, and its arguments: a column that is always nothing has none.
fn columns(row: &RowPattern, rows: &[Vec<Value>]) -> (String, Vec<Column>) {
    let (mut parts, mut arrays, mut args) = (Vec::new(), Vec::new(), Vec::new());
    for (at, pattern) in row.values.iter().enumerate() {
        let cells = rows.iter().map(|values| values.get(at));
        let (kind, column) = match pattern {
            Pattern::Fixed(Value::Null) => {
                parts.push("NULL".to_owned());
                continue;
            }
            Pattern::Fixed(Value::Integer(_)) | Pattern::Counting { .. } => {
                let numbers = cells.map(|cell| match cell {
                    Some(Value::Integer(number)) => Some(*number),
                    _ => None,
                });
                ("bigint", Column::Numbers(numbers.collect()))
            }
            _ => {
                let texts = cells.map(|cell| cell.cloned().map(text));
                ("text", Column::Texts(texts.collect()))
            }
        };
        args.push(column);
        let name = format!("c{}", args.len());
        arrays.push(format!("${}::{kind}[]", args.len()));
        parts.push(name);
    }
    let names: Vec<String> = row.columns.iter().map(|name| quoted(name)).collect();
    let given: Vec<String> = (1..=args.len()).map(|at| format!("c{at}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS u ({})",
        quoted(&row.table),
        names.join(", "),
        parts.join(", "),
        arrays.join(", "),
        given.join(", ")
    );
    (sql, args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_and_what_is_nothing_takes_no_argument() {
        let number = |number| Value::Integer(number);
        let word = |word: &str| Value::Text(word.to_owned());
        let row = RowPattern {
            table: "bills".to_owned(),
            columns: ["id", "cause", "at", "amount"].map(str::to_owned).to_vec(),
            values: vec![
                Pattern::of(&word("b1"), &word("b2")),
                Pattern::Fixed(Value::Null),
                Pattern::of(&number(1), &number(2)),
                Pattern::Fixed(number(5)),
            ],
        };
        let rows = ["b1", "b2"].map(|id| vec![word(id), Value::Null, number(3), number(5)]);
        let (sql, args) = columns(&row, &rows);
        assert_eq!(
            sql,
            "INSERT INTO \"bills\" (\"id\", \"cause\", \"at\", \"amount\") SELECT c1, NULL, c2, c3 \
             FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS u (c1, c2, c3)"
        );
        assert_eq!(args.len(), 3);
        assert!(matches!(&args[0], Column::Texts(texts) if texts.len() == 2));
    }

    #[tokio::test]
    async fn a_file_takes_rows_and_gives_them_back_as_text() {
        let base = Base::File(Connection::open_in_memory().unwrap());
        base.run("CREATE TABLE bills (id TEXT, at INTEGER, cause TEXT)")
            .await
            .unwrap();
        let row = RowPattern {
            table: "bills".to_owned(),
            columns: ["id", "at", "cause"].map(str::to_owned).to_vec(),
            values: vec![],
        };
        let values = vec![Value::Text("b1".to_owned()), Value::Integer(7), Value::Null];
        base.begin().await.unwrap();
        base.insert(&row, &[values]).await.unwrap();
        base.commit().await.unwrap();
        let found = base
            .find("SELECT id, at, cause FROM bills WHERE id = ?1", &["b1"])
            .await;
        assert_eq!(found.unwrap(), [["b1", "7", ""]]);
    }
}
