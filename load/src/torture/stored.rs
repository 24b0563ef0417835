//! What the gateway's database says in the end.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;

use crate::failure::Outcome;
use crate::learn::{find_database, look_into};
use crate::receiver::subject;

/// One delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// What its receiver calls it: see [`super::stands::name`].
    pub name: String,
    /// The event it announces.
    pub event: String,
    /// The endpoint, if it goes to one.
    pub endpoint: Option<String>,
    /// Those of one line keep their order.
    pub line: (String, String),
    /// Its place in the line: rows are numbered as they are written.
    pub place: i64,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// Attempts recorded.
    pub attempts: i64,
}

/// One event about a bill.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// What happened.
    pub fact: String,
    /// The payment request's id on the wire.
    pub request: String,
}

/// Everything.
#[derive(Debug, Default)]
pub struct Stored {
    /// Events about bills.
    pub events: Vec<Event>,
    /// All deliveries.
    pub deliveries: Vec<Delivery>,
    /// Attempts that had no answer, by delivery; those without any are left out.
    pub silent: HashMap<String, u64>,
    /// Payment requests, by their id on the wire.
    pub requests: Vec<String>,
}

impl Stored {
    /// Reads a data folder.
    pub fn read(data: &Path) -> Outcome<Stored> {
        let database = look_into(&find_database(data)?)?;
        let mut stored = Stored {
            deliveries: deliveries(&database)?,
            ..Stored::default()
        };
        let mut events = database.prepare(
            "SELECT e.id, e.fact, b.wire_id FROM events e JOIN bills b ON b.id = e.about",
        )?;
        let rows = events.query_map([], |row| {
            Ok(Event {
                id: row.get(0)?,
                fact: row.get(1)?,
                request: row.get(2)?,
            })
        })?;
        stored.events = rows.collect::<Result<_, _>>()?;
        let mut silent = database.prepare(
            "SELECT delivery, COUNT(*) FROM delivery_attempts WHERE status IS NULL \
             GROUP BY delivery",
        )?;
        let rows = silent.query_map([], |row| {
            Ok((
                row.get(0)?,
                u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
            ))
        })?;
        stored.silent = rows.collect::<Result<_, _>>()?;
        let mut requests = database.prepare("SELECT wire_id FROM bills")?;
        let rows = requests.query_map([], |row| row.get(0))?;
        stored.requests = rows.collect::<Result<_, _>>()?;
        Ok(stored)
    }
}

fn deliveries(database: &Connection) -> Outcome<Vec<Delivery>> {
    let mut found = database.prepare(
        "SELECT id, event, endpoint, queue, subject, rowid, state, attempts, \
         CASE WHEN endpoint IS NULL THEN body ELSE '' END FROM deliveries",
    )?;
    let rows = found.query_map([], |row| {
        let (id, body): (String, String) = (row.get(0)?, row.get(8)?);
        let form = subject(body.as_bytes()).and_then(|name| std::str::from_utf8(name).ok());
        Ok(Delivery {
            name: form.unwrap_or(&id).to_owned(),
            id,
            event: row.get(1)?,
            endpoint: row.get(2)?,
            line: (row.get(3)?, row.get(4)?),
            place: row.get(5)?,
            state: row.get(6)?,
            attempts: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many deliveries are still on their way, those for `except` left out.
pub fn waiting(data: &Path, except: &str) -> Outcome<u64> {
    let database = look_into(&find_database(data)?)?;
    let count: i64 = database.query_row(
        "SELECT COUNT(*) FROM deliveries WHERE state = 'pending' AND queue <> ?1",
        [except],
        |row| row.get(0),
    )?;
    Ok(u64::try_from(count).unwrap_or(0))
}
