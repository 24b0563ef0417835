//! What the gateway's database says in the end, read a part at a time: of bodies and headers only
//! digests are kept.

use std::collections::HashMap;
use std::path::Path;

use domain::Secret;
use store::sql::{Row, Value};
use store::{Fault, Store};

use super::account::{Attempt, Ending};
use super::proof;
use crate::failure::{Outcome, said};
use crate::learn::find_database;

/// Rows that are read at a time.
const ROWS: u32 = 5_000;

/// One delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// What its receiver calls it: see [`proof::name`].
    pub name: String,
    /// The event it announces.
    pub event: String,
    /// The endpoint, if it goes to one.
    pub endpoint: Option<String>,
    /// Those of one line keep their order.
    pub line: (String, String),
    /// Its place in the line: when it was written, and behind how many others.
    pub place: (i64, i64),
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// Attempts counted.
    pub attempts: i64,
    /// A digest of the body that goes out for it.
    pub body: u64,
}

/// One event about a bill.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// What happened.
    pub fact: String,
    /// The dialect it came through.
    pub dialect: String,
    /// What callers call the bill: its id on the wire, or Vipps' reference.
    pub request: String,
}

/// Everything.
#[derive(Debug, Default)]
pub struct Stored {
    /// Events about bills.
    pub events: Vec<Event>,
    /// All deliveries.
    pub deliveries: Vec<Delivery>,
    /// Recorded attempts by delivery, in order.
    pub attempts: HashMap<String, Vec<Attempt>>,
}

const EVENTS: &str = "SELECT e.id, e.fact, b.dialect, b.wire_id, b.reference FROM events e \
    JOIN bills b ON b.id = e.about WHERE e.id > ?1 ORDER BY e.id LIMIT ?2";
const DELIVERIES: &str = "SELECT id, event, endpoint, queue, subject, created_at, place, state, \
    attempts, scheme, body FROM deliveries WHERE id > ?1 ORDER BY id LIMIT ?2";
const ATTEMPTS: &str = "SELECT delivery, number, status, error, request_headers, request_body \
    FROM delivery_attempts WHERE (delivery, number) > (?1, ?3) \
    ORDER BY delivery, number LIMIT ?2";
const WAITING: &str = "SELECT COUNT(*) FROM deliveries WHERE state = 'pending' AND queue <> ?1";

/// Looks into a gateway's database, while it runs or after it.
#[derive(Debug)]
pub struct Look(Store);

impl Look {
    /// Into the PostgreSQL at a URL, or else the file in a data folder.
    pub async fn open(data: &Path, database: Option<&str>) -> Outcome<Look> {
        let opened = match database {
            None => Store::open_read_only(&find_database(data)?),
            Some(url) => {
                let url = url.to_owned();
                let options = store::Options {
                    run_twice: false,
                    environment: |name| std::env::var(name).ok(),
                    ..store::Options::TEST
                };
                let open = move || Store::open_url_read_only(&url, options);
                let opened = tokio::task::spawn_blocking(open).await;
                opened.map_err(|error| said(error.to_string()))?
            }
        };
        Ok(Look(opened.map_err(|error| said(error.to_string()))?))
    }

    /// How many deliveries are still on their way, those in the queue `except` left out.
    pub async fn waiting(&self, except: &str) -> Outcome<u64> {
        let rows = self.rows(WAITING, vec![except.into()]).await?;
        let count = rows.first().map(|row| row.int(0)).transpose();
        let count = count.map_err(damaged)?.unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Everything; HitPay's bodies go out signed with `salt`.
    pub async fn all(&self, salt: &Secret) -> Outcome<Stored> {
        let mut stored = Stored::default();
        let mut last = String::new();
        loop {
            let rows = self
                .rows(EVENTS, vec![last.as_str().into(), ROWS.into()])
                .await?;
            for row in &rows {
                stored.events.push(event(row).map_err(damaged)?);
            }
            match stored.events.last() {
                Some(event) if rows.len() == ROWS as usize => last.clone_from(&event.id),
                _ => break,
            }
        }
        last.clear();
        loop {
            let rows = self
                .rows(DELIVERIES, vec![last.as_str().into(), ROWS.into()])
                .await?;
            for row in &rows {
                stored
                    .deliveries
                    .push(delivery(row, salt).map_err(damaged)?);
            }
            match stored.deliveries.last() {
                Some(delivery) if rows.len() == ROWS as usize => last.clone_from(&delivery.id),
                _ => break,
            }
        }
        stored.attempts = self.attempts().await?;
        Ok(stored)
    }

    async fn attempts(&self) -> Outcome<HashMap<String, Vec<Attempt>>> {
        let mut all: HashMap<String, Vec<Attempt>> = HashMap::new();
        let mut last = (String::new(), 0);
        loop {
            let args = vec![last.0.as_str().into(), ROWS.into(), last.1.into()];
            let rows = self.rows(ATTEMPTS, args).await?;
            for row in &rows {
                let (of, number, attempt) = attempt(row).map_err(damaged)?;
                all.entry(of.clone()).or_default().push(attempt);
                last = (of, number);
            }
            if rows.len() < ROWS as usize {
                return Ok(all);
            }
        }
    }

    async fn rows(&self, sql: &'static str, args: Vec<Value>) -> Outcome<Vec<Row>> {
        let found = self
            .0
            .read("torture", move |tx| Ok(tx.query(sql, &args)?))
            .await;
        found.map_err(|failure| said(format!("the database: {failure:?}")))
    }
}

fn damaged(fault: Fault) -> crate::failure::Failure {
    said(format!("the database: {}", fault.0))
}

fn event(row: &Row) -> Result<Event, Fault> {
    let dialect = row.text(2)?.to_owned();
    let reference = row.text_or_null(4)?.filter(|_| dialect == "vipps");
    Ok(Event {
        id: row.text(0)?.to_owned(),
        fact: row.text(1)?.to_owned(),
        request: reference.unwrap_or(row.text(3)?).to_owned(),
        dialect,
    })
}

fn delivery(row: &Row, salt: &Secret) -> Result<Delivery, Fault> {
    let (id, endpoint) = (row.text(0)?.to_owned(), row.text_or_null(2)?);
    let body = row.text(10)?;
    let own = proof::named_in(body.as_bytes()).filter(|_| endpoint.is_none());
    Ok(Delivery {
        name: own.unwrap_or_else(|| id.clone()),
        id,
        event: row.text(1)?.to_owned(),
        endpoint: endpoint.map(str::to_owned),
        line: (row.text(3)?.to_owned(), row.text(4)?.to_owned()),
        place: (row.int(5)?, row.int(6)?),
        state: row.text(7)?.to_owned(),
        attempts: row.int(8)?,
        body: proof::outgoing(row.text(9)?, body, salt),
    })
}

fn attempt(row: &Row) -> Result<(String, i64, Attempt), Fault> {
    let error = row.text_or_null(3)?.unwrap_or_default();
    let sent = proof::recorded(row.text(4)?, row.text(5)?.to_owned());
    let attempt = Attempt {
        ending: Ending::of(row.int_or_null(2)?, error),
        said: proof::said(&sent),
    };
    Ok((row.text(0)?.to_owned(), row.int(1)?, attempt))
}
