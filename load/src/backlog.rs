//! What a backlog costs: memory, the time to start, and above all what the creation of payments
//! notices of it, while it waits, while it fails, while it is removed and while it is sent again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use crate::door;
use crate::failure::{Outcome, said};
use crate::learn::find_database;
use crate::process::memory;
use crate::samples::Samples;
use crate::server::{Launch, Server};
use crate::torture::stands::{Mood, Record, Stand};
use crate::webhooks::{change, create, creations};

/// Rows of one transaction while a backlog is written.
const ROWS: u32 = 50_000;
/// So many rows in a row are due at the same millisecond.
const TIED: u32 = 3;
/// Creations offered a second.
const RATE: u32 = 1_000;

/// What a backlog costs.
#[derive(Debug)]
pub struct Backlog {
    /// From the start of the process to its first "ready".
    pub started_in: Duration,
    /// The most memory held, in KiB.
    pub memory: u64,
    /// How long creations took, by what happened to the backlog meanwhile.
    pub creations: Vec<(&'static str, Samples)>,
}

/// Which deliveries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// They wait.
    Pending,
    /// They were given up.
    Failed,
}

/// Starts on a database in which `count` deliveries wait for one endpoint, and a quarter of that
/// were given up for another one; then creates payments for `window` in each state.
pub async fn backlog(mut launch: Launch, count: u32, window: Duration) -> Outcome<Backlog> {
    let (dead, well) = (
        Stand::start(1, &Record::default())?,
        Stand::start(1, &Record::default())?,
    );
    dead.turn(Mood::Refuses);
    let server = Server::florin(&launch).await?;
    launch.listen = server.address;
    let first = endpoint(&launch.data, &dead).await?;
    let second = endpoint(&launch.data, &well).await?;
    create(&server, 1).await?;
    let mut found = vec![("backlog.none", creations(&server, RATE, window).await?)];
    server.stop().await?;
    let database = find_database(&launch.data)?;
    filled(&database, (&first, Rows::Pending), count).await?;
    filled(&database, (&second, Rows::Failed), count / 4).await?;
    let server = Server::florin(&launch).await?;
    let started_in = server.started_in;
    found.push(("backlog.paused", creations(&server, RATE, window).await?));
    change(&launch.data, &first, "resume").await?;
    found.push(("backlog.dead", creations(&server, RATE, window).await?));
    change(&launch.data, &first, "remove").await?;
    found.push(("backlog.removed", creations(&server, RATE, window).await?));
    change(&launch.data, &second, "resume").await?;
    let path = format!("/endpoints/{second}/resend");
    let data = launch.data.clone();
    let resending = tokio::spawn(async move {
        let range = json!({"from": "2000-01-01T00:00:00Z"});
        door::operator(&data, &path, &range).await
    });
    found.push(("backlog.resent", creations(&server, RATE, window).await?));
    // It may go on for longer than is measured; but if it has ended, it must have ended well.
    if resending.is_finished() {
        resending.await.map_err(|error| said(error.to_string()))??;
    }
    let memory = memory(server.pid)?.peak;
    server.kill().await?;
    Ok(Backlog {
        started_in,
        memory,
        creations: found,
    })
}

/// An endpoint that waits.
async fn endpoint(data: &Path, stand: &Stand) -> Outcome<String> {
    let id = door::register(data, &stand.url(), &["bill.created"]).await?;
    change(data, &id, "pause").await?;
    Ok(id)
}

async fn filled(database: &Path, (endpoint, rows): (&str, Rows), count: u32) -> Outcome<()> {
    let (database, endpoint): (PathBuf, String) = (database.to_owned(), endpoint.to_owned());
    let filled = tokio::task::spawn_blocking(move || fill(&database, (&endpoint, rows), count));
    filled.await.map_err(|error| said(error.to_string()))?
}

/// Writes a delivery that waits for an endpoint `count` times more, each about something of its
/// own and due at a time of its own, but for some that are due together. Straight into the
/// database of a stopped gateway: a million calls would take minutes.
fn fill(path: &Path, (endpoint, rows): (&str, Rows), count: u32) -> Outcome<()> {
    let mut database = Connection::open(path)?;
    database.pragma_update(None, "synchronous", "off")?;
    let (id, subject): (String, String) = database.query_row(
        "SELECT id, subject FROM deliveries WHERE state = 'pending' AND endpoint = ?1 \
         AND next_at IS NOT NULL LIMIT 1",
        [endpoint],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if id.len() <= 8 || subject.len() <= 8 {
        return Err(said("a delivery's id is too short to be varied"));
    }
    let columns = {
        let mut names = database.prepare("SELECT name FROM pragma_table_info('deliveries')")?;
        let names = names.query_map([], |row| row.get(0))?;
        names.collect::<Result<Vec<String>, _>>()?
    };
    let values = columns.iter().map(|name| value(name, rows, count));
    let values: Vec<String> = values.collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
         INSERT OR IGNORE INTO deliveries ({columns}) SELECT {values} FROM n \
         CROSS JOIN deliveries d ON d.id = ?3"
    );
    let mut from = 1;
    while from <= count {
        let to = count.min(from + ROWS - 1);
        let part = database.transaction()?;
        part.execute(&sql, (from, to, &id))?;
        part.commit()?;
        from = to + 1;
    }
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(database);
    // Else the first commits that are measured would wait for all of it.
    File::open(path)?.sync_all()?;
    Ok(())
}

/// What goes into a column of row `n.i`, made from the row `d`.
fn value(column: &str, rows: Rows, count: u32) -> String {
    // The last one was written with the row itself, the others before it.
    let time = format!("d.{column} - ({count} - n.i) / {TIED}");
    match (column, rows) {
        ("id" | "subject", _) => {
            format!("substr(d.{column}, 1, length(d.{column}) - 8) || printf('%08d', n.i)")
        }
        ("created_at", _) | ("next_at", Rows::Pending) => time,
        ("next_at", Rows::Failed) => "NULL".to_owned(),
        ("state", Rows::Failed) => "'failed'".to_owned(),
        ("why", Rows::Failed) => "'gave_up'".to_owned(),
        (other, _) => format!("d.{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(folder: &Path) -> PathBuf {
        let path = folder.join("some.db");
        let database = Connection::open(&path).unwrap();
        database
            .execute_batch(
                "CREATE TABLE deliveries (id TEXT PRIMARY KEY, subject TEXT, endpoint TEXT, \
                 body TEXT, state TEXT, why TEXT, next_at BIGINT, created_at BIGINT); \
                 INSERT INTO deliveries VALUES ('dlv_aaaaaaaaaaaaaaaa', 'bil_bbbbbbbbbbbb', \
                 'end_1', 'body', 'pending', NULL, 5000000, 5000000)",
            )
            .unwrap();
        path
    }

    #[test]
    fn a_backlog_is_as_long_as_it_should_be_and_each_about_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = some(folder.path());
        fill(&path, ("end_1", Rows::Pending), ROWS + 7).unwrap();
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

    #[test]
    fn its_times_differ_and_some_are_tied() {
        let folder = tempfile::tempdir().unwrap();
        let path = some(folder.path());
        fill(&path, ("end_1", Rows::Pending), 3_000).unwrap();
        let database = Connection::open(&path).unwrap();
        let count = |sql: &str| -> i64 { database.query_row(sql, [], |row| row.get(0)).unwrap() };
        let times = count("SELECT COUNT(DISTINCT next_at) FROM deliveries");
        assert!((1_000..=1_001).contains(&times), "{times}");
        let tied = "SELECT MAX(n) FROM (SELECT COUNT(*) n FROM deliveries GROUP BY next_at)";
        assert!((3..=4).contains(&count(tied)));
        // Later ids, later times, as the gateway writes them.
        let back = "SELECT COUNT(*) FROM deliveries a JOIN deliveries b ON a.id < b.id \
                    AND a.created_at > b.created_at WHERE a.id LIKE '%0' AND b.id LIKE '%00'";
        assert_eq!(count(back), 0);
    }

    #[test]
    fn what_was_given_up_is_due_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = some(folder.path());
        fill(&path, ("end_1", Rows::Failed), 10).unwrap();
        let database = Connection::open(&path).unwrap();
        let sql = "SELECT COUNT(*) FROM deliveries WHERE state = 'failed' AND why = 'gave_up' \
                   AND next_at IS NULL AND created_at <= 5000000";
        let count: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 10);
        assert!(fill(&path, ("end_2", Rows::Failed), 10).is_err());
    }
}
