//! What many stored payments change: the same measurements on an empty database and on one that was
//! filled, of either kind. PostgreSQL gets the filled one by `florin store move`, so the move is
//! measured too, and `florin ledger verify` reads all of it once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use serde::Serialize;
use tokio_postgres::NoTls;

use crate::chance::Chance;
use crate::clock::{self, Span};
use crate::failure::{Failure, Outcome, said};
use crate::lookups::{self, Ids};
use crate::measure::{Plan, say};
use crate::receiver::Receiver;
use crate::samples::Samples;
use crate::server::{Launch, Server};
use crate::shop::Shop;
use crate::wire::{Ask, Wire};
use crate::{cycle, drive, fill, learn, measure};

/// Objects that are looked up, each once.
const LOOKED_UP: usize = 2_000;
/// Payments paid a second while the webhook's latency is measured.
const PAID_RATE: u32 = 300;
/// How often a list is asked for.
const LISTED: usize = 200;

/// One figure on both kinds of database.
#[derive(Clone, Debug, Serialize)]
pub struct Grown {
    /// What it is.
    pub what: String,
    /// Its unit.
    pub unit: &'static str,
    /// On the empty embedded database, the filled one, an empty PostgreSQL, a filled one.
    pub figures: [Option<f64>; 4],
}

/// All figures in the order in which they were taken.
#[derive(Debug, Default)]
struct Sheet(Vec<Grown>);

impl Sheet {
    fn add(&mut self, column: usize, what: &str, unit: &'static str, figure: f64) {
        let at = self.0.iter().position(|grown| grown.what == what);
        let at = at.unwrap_or_else(|| {
            let (what, figures) = (what.to_owned(), [None; 4]);
            self.0.push(Grown {
                what,
                unit,
                figures,
            });
            self.0.len() - 1
        });
        if let Some(place) = self.0.get_mut(at).and_then(|g| g.figures.get_mut(column)) {
            *place = Some(figure);
        }
    }

    fn latencies(&mut self, column: usize, what: &str, samples: &Samples) {
        say(format!("  {what}: p99 {:.2} ms", samples.at(990)));
        self.add(column, &format!("{what}, p50"), "ms", samples.at(500));
        self.add(column, &format!("{what}, p99"), "ms", samples.at(990));
    }
}

struct Run<'a> {
    plan: &'a Plan,
    receiver: Receiver,
    place: &'a Path,
    /// Where the filled database is, if it is to stay.
    kept: Option<PathBuf>,
    sheet: Sheet,
}

/// Fills and measures.
pub async fn run(plan: &Plan, (count, kept): (u64, Option<PathBuf>)) -> Outcome<Vec<Grown>> {
    let place = tempfile::Builder::new()
        .prefix("grown-")
        .tempdir_in(&plan.folder)?;
    let mut run = Run {
        plan,
        receiver: Receiver::start().await?,
        place: place.path(),
        kept,
        sheet: Sheet::default(),
    };
    let (filled, ids) = run.embedded(count).await?;
    if let Some(url) = &plan.postgres {
        run.postgres(url, &filled.data, (count, &ids)).await?;
    }
    // Last, because it adds payments.
    say("the embedded database, filled, with clients");
    run.served(&filled, 1).await?;
    Ok(run.sheet.0)
}

impl Run<'_> {
    /// The embedded database; how to start on the filled one, and what is in it.
    async fn embedded(&mut self, count: u64) -> Outcome<(Launch, Vec<Ids>)> {
        say("the embedded database, empty");
        let launch = self.launch("empty", None)?;
        self.served(&launch, 0).await?;
        say("the embedded database, filled");
        let launch = self.filled(count).await?;
        let path = learn::find_database(&launch.data)?;
        let bytes = std::fs::metadata(&path)?.len() as f64;
        self.sizes(&path, count)?;
        self.sheet.add(
            1,
            "bytes a payment, all of it",
            "B",
            bytes as f64 / count as f64,
        );
        self.verified(1, &["--data".to_owned(), shown(&launch.data)])?;
        let ids = sample(&path)?;
        let store = store::Store::open_read_only(&path).map_err(opened)?;
        self.looked_up(1, &store, &ids).await?;
        store.close();
        Ok((launch, ids))
    }

    /// A filled database: made now, or found where one was kept.
    async fn filled(&mut self, count: u64) -> Outcome<Launch> {
        let mut launch = self.launch("filled", None)?;
        if let Some(kept) = self.kept.clone() {
            std::fs::create_dir_all(&kept)?;
            launch.data = kept;
            if learn::find_database(&launch.data).is_ok() {
                return Ok(launch);
            }
        }
        let server = Server::florin(&launch).await?;
        let shop = Shop::new(&server, &self.receiver);
        let path = learn::find_database(&launch.data)?;
        let learned = measure::learn(&shop, &self.receiver, &path).await?;
        server.stop().await?;
        let began = clock::now();
        let filled = tokio::task::spawn_blocking(move || {
            let database = Connection::open(&path)?;
            let mut tenth = 0;
            fill::fill(&database, &learned.cycle, count, &mut |done| {
                if done * 10 / count > tenth {
                    tenth = done * 10 / count;
                    say(format!("  filled {done} of {count}"));
                }
            })
        });
        filled.await.map_err(joined)??;
        let rate = count as f64 / began.elapsed().as_secs_f64();
        self.sheet.add(1, "filling", "/s", rate);
        Ok(launch)
    }

    /// Bytes of each table with its indexes, for each payment.
    fn sizes(&mut self, path: &Path, count: u64) -> Outcome<()> {
        let database = learn::look_into(path)?;
        let mut statement = database.prepare(
            "SELECT COALESCE(m.tbl_name, d.name), SUM(d.pgsize) FROM dbstat d \
             LEFT JOIN sqlite_master m ON m.name = d.name WHERE d.aggregate = 1 \
             GROUP BY 1 ORDER BY 2 DESC",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows = rows.collect::<Result<Vec<(String, f64)>, _>>()?;
        for (table, bytes) in rows {
            self.size(1, &table, bytes / count as f64);
        }
        Ok(())
    }

    fn size(&mut self, column: usize, table: &str, bytes: f64) {
        if bytes >= 1.0 {
            self.sheet
                .add(column, &format!("bytes a payment, {table}"), "B", bytes);
        }
    }

    /// PostgreSQL, in two schemas of its own that are removed in the end.
    async fn postgres(
        &mut self,
        url: &str,
        data: &Path,
        (count, ids): (u64, &[Ids]),
    ) -> Outcome<()> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(asked)?;
        tokio::spawn(connection);
        let process = std::process::id();
        let schemas = ["empty", "filled"].map(|name| format!("bench_{name}_{process}"));
        for schema in &schemas {
            let make = format!("CREATE SCHEMA {schema}");
            client.batch_execute(&make).await.map_err(asked)?;
        }
        let sign = if url.contains('?') { '&' } else { '?' };
        let [empty, filled] = schemas
            .each_ref()
            .map(|schema| format!("{url}{sign}options=-csearch_path%3D{schema}"));
        say("PostgreSQL, empty");
        let launch = self.launch("postgres-empty", Some(empty))?;
        self.served(&launch, 2).await?;
        say("PostgreSQL, filled");
        let began = clock::now();
        let from = format!("sqlite:{}", shown(data));
        self.command(&["store", "move", "--from", &from, "--to", &filled])?;
        let rate = count as f64 / began.elapsed().as_secs_f64();
        self.sheet
            .add(3, "moving from the embedded database, compared", "/s", rate);
        let tables = format!(
            "SELECT relname, pg_total_relation_size(oid)::float8 FROM pg_class \
             WHERE relkind = 'r' AND relnamespace = '{}'::regnamespace ORDER BY 2 DESC",
            schemas[1]
        );
        let mut all = 0.0;
        for row in client.query(&tables, &[]).await.map_err(asked)? {
            let (table, bytes): (String, f64) = (row.get(0), row.get(1));
            all += bytes;
            self.size(3, &table, bytes / count as f64);
        }
        self.sheet
            .add(3, "bytes a payment, all of it", "B", all / count as f64);
        self.verified(3, &["--database".to_owned(), filled.clone()])?;
        let options = store::Options {
            run_twice: false,
            ..store::Options::TEST
        };
        let (place, opened_by) = (filled.clone(), options);
        let open = move || store::Store::open_url_read_only(&place, opened_by);
        let store = tokio::task::spawn_blocking(open).await.map_err(joined)?;
        let store = store.map_err(opened)?;
        self.looked_up(3, &store, ids).await?;
        store.close();
        let mut launch = self.launch("postgres-filled", Some(filled))?;
        // The keys are no part of a database.
        for file in ["master.key", "sandbox.json"] {
            std::fs::copy(data.join(file), launch.data.join(file))?;
        }
        // The old file is there already, so a port must say that the server is new.
        launch.listen = free_port()?;
        self.served(&launch, 3).await?;
        for schema in &schemas {
            let drop = format!("DROP SCHEMA {schema} CASCADE");
            client.batch_execute(&drop).await.map_err(asked)?;
        }
        Ok(())
    }

    /// What clients meet: creations, webhooks, lists.
    async fn served(&mut self, launch: &Launch, column: usize) -> Outcome<()> {
        let mut launch = launch.clone();
        if launch.data.join("sandbox.json").exists() {
            launch.listen = free_port()?;
        }
        let log = launch.log();
        let served = self.calls(&launch, column).await;
        served.map_err(|failure| measure::with_log(failure, &log))
    }

    async fn calls(&mut self, launch: &Launch, column: usize) -> Outcome<()> {
        let server = Server::florin(launch).await?;
        let started = server.started_in.as_secs_f64() * 1e3;
        self.sheet.add(column, "start to ready", "ms", started);
        let shop = Shop::new(&server, &self.receiver);
        let span = Span::of(self.plan.window);
        let load = drive::closed(server.address, shop.create(), 64, span).await?;
        say(format!("  creation, 64 connections: {:.0}/s", load.rate));
        self.sheet
            .add(column, "creation, 64 connections", "/s", load.rate);
        let paid = cycle::paced(&shop, &self.receiver, PAID_RATE, span).await?;
        let what = "paid to webhook received, 300/s offered";
        self.sheet.latencies(column, what, &paid.from_request);
        let mut wire = Wire::open(server.address).await?;
        let mut ids = Vec::new();
        for _ in 0..LISTED {
            ids.push(shop.created(&mut wire).await?["id"].clone());
        }
        for (what, path) in [
            ("list, first page", "/v1/payment-requests?per_page=20"),
            (
                "list of the completed",
                "/v1/payment-requests?per_page=20&status=completed",
            ),
            (
                "list of the failed (there are none)",
                "/v1/payment-requests?per_page=20&status=failed",
            ),
            (
                "list, page 100",
                "/v1/payment-requests?per_page=20&page=100",
            ),
            ("list of webhooks", "/sandbox/webhooks"),
        ] {
            let ask = shop.get(path);
            let asks = std::iter::repeat_n(&ask, LISTED);
            let taken = one_by_one(&mut wire, asks).await?;
            self.sheet.latencies(column, what, &taken);
        }
        let shown: Vec<Ask> = ids
            .iter()
            .filter_map(serde_json::Value::as_str)
            .map(|id| shop.get(&format!("/v1/payment-requests/{id}")))
            .collect();
        let taken = one_by_one(&mut wire, shown.iter()).await?;
        self.sheet.latencies(column, "one, over HTTP", &taken);
        server.stop().await?;
        Ok(())
    }

    async fn looked_up(&mut self, column: usize, store: &store::Store, ids: &[Ids]) -> Outcome<()> {
        for (what, samples) in lookups::all(store, ids).await? {
            self.sheet.latencies(column, what, &samples);
        }
        Ok(())
    }

    /// Reads the whole ledger; it must be whole.
    fn verified(&mut self, column: usize, place: &[String]) -> Outcome<()> {
        let began = clock::now();
        let place: Vec<&str> = place.iter().map(String::as_str).collect();
        self.command(&[&["ledger", "verify"], &place[..]].concat())?;
        let spent = began.elapsed().as_secs_f64();
        say(format!("  the ledger was verified in {spent:.1} s"));
        self.sheet.add(column, "florin ledger verify", "s", spent);
        Ok(())
    }

    /// Runs a command of Florin's that must succeed.
    fn command(&self, args: &[&str]) -> Outcome<()> {
        let mut command = std::process::Command::new(&self.plan.florin);
        let status = command
            .args(args)
            .stdout(std::process::Stdio::null())
            .status()?;
        match status.success() {
            true => Ok(()),
            false => Err(said(format!("florin {} failed", args.join(" ")))),
        }
    }

    fn launch(&self, name: &str, database: Option<String>) -> Outcome<Launch> {
        let data = self.place.join(name);
        std::fs::create_dir(&data)?;
        Ok(Launch {
            binary: self.plan.florin.clone(),
            data,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database,
            more: Vec::new(),
        })
    }
}

/// Asks one after the other.
async fn one_by_one(wire: &mut Wire, asks: impl Iterator<Item = &Ask>) -> Outcome<Samples> {
    let mut taken: Vec<Duration> = Vec::new();
    for ask in asks {
        let began = clock::now();
        wire.call(ask).await?;
        taken.push(began.elapsed());
    }
    Ok(Samples::new(taken))
}

/// Ids of payments from all over a filled database, in no order.
fn sample(path: &Path) -> Outcome<Vec<Ids>> {
    let database = learn::look_into(path)?;
    let last: i64 = database.query_row("SELECT MAX(rowid) FROM bills", [], |row| row.get(0))?;
    let mut statement = database.prepare(
        "SELECT b.id, b.wire_id, p.id, p.wire_id, a.id, d.id FROM bills b \
         JOIN payments p ON p.bill = b.id JOIN attempts a ON a.bill = b.id \
         JOIN deliveries d ON d.about = b.id WHERE b.rowid = ?1 LIMIT 1",
    )?;
    let (mut ids, mut chance) = (Vec::new(), Chance::new(1, "look-ups"));
    for _ in 0..LOOKED_UP * 10 {
        let place = chance.between(1, last.unsigned_abs()).cast_signed();
        let mut rows = statement.query([place])?;
        if let Some(row) = rows.next()? {
            ids.push(Ids::read(row)?);
        }
        if ids.len() == LOOKED_UP {
            return Ok(ids);
        }
    }
    Err(said("the filled database has hardly any payments"))
}

fn free_port() -> Outcome<SocketAddr> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn joined(error: tokio::task::JoinError) -> Failure {
    said(error.to_string())
}

fn opened(error: store::OpenError) -> Failure {
    said(error.to_string())
}

fn asked(error: tokio_postgres::Error) -> Failure {
    said(format!("PostgreSQL: {error}"))
}

/// The figures as Markdown.
pub fn table(count: u64, figures: &[Grown]) -> String {
    let mut text = format!(
        "{count} payments stored, each with its webhook.\n\n\
         | what | embedded, empty | filled | PostgreSQL, empty | filled |\n\
         | --- | ---: | ---: | ---: | ---: |\n"
    );
    for grown in figures {
        let cells = grown.figures.map(|figure| match (figure, grown.unit) {
            (None, _) => String::new(),
            (Some(figure), "/s") => format!("{figure:.0}/s"),
            (Some(figure), "B") => format!("{figure:.0} B"),
            (Some(figure), unit) => format!("{figure:.2} {unit}"),
        });
        text += &format!("| {} | {} |\n", grown.what, cells.join(" | "));
    }
    text
}

/// The figures by what they are, for machines.
pub fn json(count: u64, figures: &[Grown]) -> serde_json::Value {
    let by_name: BTreeMap<&str, &Grown> = figures.iter().map(|g| (g.what.as_str(), g)).collect();
    serde_json::json!({"payments": count, "figures": by_name})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_in_their_column() {
        let mut sheet = Sheet::default();
        sheet.add(0, "creation", "/s", 9_000.4);
        sheet.add(3, "creation", "/s", 5_000.0);
        sheet.add(1, "look-up", "ms", 0.123);
        let text = table(10, &sheet.0);
        let lines: Vec<&str> = text.lines().skip(4).collect();
        assert_eq!(
            lines,
            [
                "| creation | 9000/s |  |  | 5000/s |",
                "| look-up |  | 0.12 ms |  |  |"
            ]
        );
        assert_eq!(json(10, &sheet.0)["figures"]["creation"]["unit"], "/s");
    }
}
