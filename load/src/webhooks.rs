//! Webhooks in bad company: what one endpoint that hangs takes from nine that are well, and what
//! a backlog of a million costs in memory and at the start.
//!
//! Both use Standard Webhooks, because an endpoint can be paused: what waits is made first, then
//! let go, so that only its delivery is timed.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tokio::task::JoinSet;

use crate::clock;
use crate::door;
use crate::drive::gather;
use crate::failure::{Outcome, said};
use crate::learn::find_database;
use crate::process::memory;
use crate::samples::median;
use crate::server::{Launch, Server};
use crate::shop::Shop;
use crate::torture::stands::{Mood, Record, Stand};
use crate::wire::Wire;

/// Endpoints that are well.
const WELL: usize = 9;
/// Connections that create payments.
const CONNECTIONS: usize = 16;
/// How long all of them may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Turns without and with the endpoint that hangs.
const TURNS: usize = 5;
/// Rows of one transaction while a backlog is written.
const ROWS: u32 = 50_000;
/// How long the gateway works on a backlog before its memory is read.
const SETTLE: Duration = Duration::from_secs(3);

/// Deliveries a second to nine endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Company {
    /// While the tenth is paused.
    pub alone: f64,
    /// While the tenth hangs.
    pub beside: f64,
}

/// Delivers `events` to nine endpoints, by turns without and with a tenth that hangs, so that a
/// busy machine shows in both; the medians.
pub async fn company(launch: &Launch, events: usize) -> Outcome<Company> {
    let server = Server::florin(launch).await?;
    let record = Record::default();
    let mut endpoints = Vec::new();
    for _ in 0..=WELL {
        let stand = Stand::start(1, &record)?;
        let id = door::register(&launch.data, &stand.url(), &["bill.created"]).await?;
        endpoints.push((stand, id));
    }
    let Some(((hanging, hanging_id), well)) = endpoints.split_first() else {
        return Err(said("there are no endpoints"));
    };
    hanging.turn(Mood::Hangs);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        change(&launch.data, hanging_id, "pause").await?;
        alone.push(delivered(launch, &server, well, events / TURNS).await?);
        change(&launch.data, hanging_id, "resume").await?;
        beside.push(delivered(launch, &server, well, events / TURNS).await?);
    }
    let (alone, beside) = (median(&alone), median(&beside));
    // Those that hang are under way: a clean stop would wait for them.
    server.kill().await?;
    Ok(Company { alone, beside })
}

/// Makes events while the endpoints are paused, lets them go and times it.
async fn delivered(
    launch: &Launch,
    server: &Server,
    well: &[(Stand, String)],
    events: usize,
) -> Outcome<f64> {
    for (_, id) in well {
        change(&launch.data, id, "pause").await?;
    }
    create(server, events).await?;
    let goals: Vec<u64> = well
        .iter()
        .map(|(stand, _)| stand.taken() + events as u64)
        .collect();
    let start = clock::now();
    for (_, id) in well {
        change(&launch.data, id, "resume").await?;
    }
    for ((stand, _), goal) in well.iter().zip(goals) {
        tokio::time::timeout(PATIENCE, stand.has_taken(goal))
            .await
            .map_err(|_| said("an endpoint that is well was not served within 120 s"))?;
    }
    Ok((events * well.len()) as f64 / start.elapsed().as_secs_f64())
}

async fn create(server: &Server, count: usize) -> Outcome<()> {
    // Where no shop listens: these are never paid, so nothing is sent there.
    let shop = Shop::at((server.address, &server.key), "http://127.0.0.1:9/webhook");
    let mut tasks = JoinSet::new();
    for lane in 0..CONNECTIONS {
        let shop = shop.clone();
        tasks.spawn(async move {
            let mut wire = Wire::open(shop.address).await?;
            for _ in (lane..count).step_by(CONNECTIONS) {
                wire.call(&shop.create()).await?;
            }
            Ok(())
        });
    }
    gather(tasks).await?;
    Ok(())
}

async fn change(data: &Path, endpoint: &str, what: &str) -> Outcome<()> {
    let path = format!("/endpoints/{endpoint}/{what}");
    door::operator(data, &path, &serde_json::Value::Null).await?;
    Ok(())
}

/// What a backlog costs.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    /// From the start of the process to its first "ready".
    pub started_in: Duration,
    /// The most memory held while its receiver refuses connections, in KiB.
    pub memory: u64,
}

/// Starts on a database in which `count` deliveries are due, to a receiver that refuses.
pub async fn backlog(mut launch: Launch, count: u32) -> Outcome<Backlog> {
    let stand = Stand::start(1, &Record::default())?;
    stand.turn(Mood::Refuses);
    let server = Server::florin(&launch).await?;
    launch.listen = server.address;
    let id = door::register(&launch.data, &stand.url(), &["bill.created"]).await?;
    change(&launch.data, &id, "pause").await?;
    create(&server, 1).await?;
    server.stop().await?;
    let database = find_database(&launch.data)?;
    let filled = tokio::task::spawn_blocking(move || fill(&database, count)).await;
    filled.map_err(|error| said(error.to_string()))??;
    let server = Server::florin(&launch).await?;
    change(&launch.data, &id, "resume").await?;
    tokio::time::sleep(SETTLE).await;
    let memory = memory(server.pid)?.peak;
    let started_in = server.started_in;
    server.stop().await?;
    Ok(Backlog { started_in, memory })
}

/// Writes the waiting delivery `count` times more, each about something of its own. Straight into
/// the database of a stopped gateway: a million calls would take minutes.
fn fill(path: &Path, count: u32) -> Outcome<()> {
    let mut database = Connection::open(path)?;
    database.pragma_update(None, "synchronous", "off")?;
    let (id, subject): (String, String) = database.query_row(
        "SELECT id, subject FROM deliveries WHERE state = 'pending' LIMIT 1",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let columns = {
        let mut names = database.prepare("SELECT name FROM pragma_table_info('deliveries')")?;
        let names = names.query_map([], |row| row.get(0))?;
        names.collect::<Result<Vec<String>, _>>()?
    };
    let values = columns.iter().map(|name| match name.as_str() {
        "id" | "subject" => {
            format!("substr(d.{name}, 1, length(d.{name}) - 8) || printf('%08d', n.i)")
        }
        other => format!("d.{other}"),
    });
    let values: Vec<String> = values.collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
         INSERT OR IGNORE INTO deliveries ({columns}) SELECT {values} FROM n \
         CROSS JOIN deliveries d ON d.id = ?3"
    );
    if id.len() <= 8 || subject.len() <= 8 {
        return Err(said("a delivery's id is too short to be varied"));
    }
    let mut from = 1;
    while from <= count {
        let to = count.min(from + ROWS - 1);
        let part = database.transaction()?;
        part.execute(&sql, (from, to, &id))?;
        part.commit()?;
        from = to + 1;
    }
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_as_long_as_it_should_be_and_each_about_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        let database = Connection::open(&path).unwrap();
        database
            .execute_batch(
                "CREATE TABLE deliveries (id TEXT PRIMARY KEY, subject TEXT, body TEXT, \
                 state TEXT); \
                 INSERT INTO deliveries VALUES ('dlv_aaaaaaaaaaaaaaaa', 'bil_bbbbbbbbbbbb', \
                 'body', 'pending')",
            )
            .unwrap();
        drop(database);
        fill(&path, ROWS + 7).unwrap();
        let found: (i64, i64, i64) = Connection::open(&path)
            .unwrap()
            .query_row(
                "SELECT COUNT(*), COUNT(DISTINCT subject), COUNT(DISTINCT body) FROM deliveries",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .unwrap();
        assert_eq!(found, (i64::from(ROWS) + 8, i64::from(ROWS) + 8, 1));
    }
}
