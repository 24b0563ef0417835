//! What many stored payments change: the same measurements on an empty database and on one that was
//! filled, of either kind. PostgreSQL gets the first of its payments by `florin store move`, so the
//! move is measured too, and `florin ledger verify` reads all of them once.

mod base;
mod fill;
mod lookups;
mod stock;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use serde::Serialize;

use crate::clock::{self, Span};
use crate::failure::{Failure, Outcome, said};
use crate::measure::{Plan, say};
use crate::receiver::Receiver;
use crate::samples::Samples;
use crate::schema::{Schema, asked, connect, within};
use crate::server::{Launch, Server};
use crate::shop::Shop;
use crate::tills::Credentials;
use crate::wire::{Ask, Wire};
use crate::{cycle, drive, learn, measure};
use base::Base;
use stock::Stock;

/// Payments that are moved from the embedded database to PostgreSQL.
const MOVED: u64 = 100_000;
/// Payments paid a second while the webhook's latency is measured.
const PAID_RATE: u32 = 300;
/// How often a list is asked for.
const LISTED: usize = 200;
/// What claiming webhooks is called.
const CLAIM: &str = "claim of 64 webhooks";

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
    filling: Filling,
    sheet: Sheet,
}

/// What becomes of filled databases.
#[derive(Clone, Debug)]
pub struct Filling {
    /// Payments in each.
    pub count: u64,
    /// The newest of them, which have their webhooks and answers to idempotency keys still.
    pub recent: u64,
    /// Where they are kept, if they are to stay; those that are there are used as they are.
    pub kept: Option<PathBuf>,
}

/// Fills and measures.
pub async fn run(plan: &Plan, filling: Filling) -> Outcome<Vec<Grown>> {
    let place = tempfile::Builder::new()
        .prefix("grown-")
        .tempdir_in(&plan.folder)?;
    let mut run = Run {
        plan,
        filling,
        receiver: Receiver::start().await?,
        place: place.path(),
        sheet: Sheet::default(),
    };
    let stock = run.stock().await?;
    if !plan.postgres_only {
        run.embedded(&stock).await?;
    }
    if let Some(url) = &plan.postgres {
        run.postgres(url, &stock).await?;
    }
    Ok(run.sheet.0)
}

impl Run<'_> {
    /// What each kind of payment writes; and in the folder `seed` a database with a few of each.
    async fn stock(&mut self) -> Outcome<Stock> {
        let launch = self.launch("seed", None)?;
        let server = Server::florin(&launch).await?;
        let stock = Stock::learn(&server, &launch, &self.receiver).await;
        let stock = stock.map_err(|failure| measure::with_log(failure, &launch.log()))?;
        server.stop().await?;
        Ok(stock)
    }

    /// The embedded database.
    async fn embedded(&mut self, stock: &Stock) -> Outcome<()> {
        say("the embedded database, empty");
        let launch = self.launch("empty", None)?;
        self.served(&launch, 0).await?;
        say("the embedded database, filled");
        let count = self.filling.count;
        let launch = self.filled(stock, "filled").await?;
        let path = learn::find_database(&launch.data)?;
        let bytes = std::fs::metadata(&path)?.len() as f64;
        self.sizes(&path, count)?;
        self.sheet
            .add(1, "bytes a payment, all of it", "B", bytes / count as f64);
        self.verified(1, &["--data".to_owned(), shown(&launch.data)])?;
        let base = Base::File(Connection::open(&path)?);
        let store = store::Store::open_read_only(&path).map_err(opened)?;
        let looked_up = lookups::all(&base, &store).await;
        store.close();
        self.found(1, looked_up?);
        let open = async || store::Store::open(&path, options()).map_err(opened);
        let claimed = lookups::claims(&base, open).await?;
        self.sheet.latencies(1, CLAIM, &claimed);
        drop(base);
        // Last, because it adds payments.
        say("the embedded database, filled, with clients");
        self.served(&launch, 1).await?;
        if self.filling.kept.is_none() {
            // PostgreSQL may need the room.
            std::fs::remove_dir_all(&launch.data)?;
        }
        Ok(())
    }

    /// A filled embedded database in a folder of this name: made now, or found where one was kept.
    async fn filled(&mut self, stock: &Stock, name: &str) -> Outcome<Launch> {
        let mut launch = self.launch(name, None)?;
        if let Some(kept) = &self.filling.kept {
            launch.data = kept.join("embedded");
            std::fs::create_dir_all(&launch.data)?;
            if learn::find_database(&launch.data).is_ok() {
                return Ok(launch);
            }
        }
        self.seed(&launch.data)?;
        let base = Base::File(Connection::open(learn::find_database(&launch.data)?)?);
        self.fill(1, &base, (stock, 0)).await?;
        Ok(launch)
    }

    /// Puts the small database with its keys into a folder.
    fn seed(&self, data: &Path) -> Outcome<()> {
        for entry in std::fs::read_dir(self.place.join("seed"))? {
            let path = entry?.path();
            if let Some(name) = path.file_name()
                && path.is_file()
            {
                std::fs::copy(&path, data.join(name))?;
            }
        }
        Ok(())
    }

    /// Fills a database with the payments from number `from` on.
    async fn fill(&mut self, column: usize, base: &Base, of: (&Stock, u64)) -> Outcome<()> {
        let ((stock, from), count) = (of, self.filling.count);
        let (began, mut tenth) = (clock::now(), 0);
        let watch = &mut |done| {
            if done * 10 / count > tenth {
                tenth = done * 10 / count;
                say(format!("  filled {done} of {count}"));
            }
        };
        fill::fill(base, stock, self.which(from..count), watch).await?;
        let rate = count.saturating_sub(from) as f64 / began.elapsed().as_secs_f64();
        self.sheet.add(column, "filling", "/s", rate);
        Ok(())
    }

    fn which(&self, range: std::ops::Range<u64>) -> fill::Which {
        fill::Which {
            range,
            count: self.filling.count,
            recent: self.filling.recent,
        }
    }

    fn found(&mut self, column: usize, all: Vec<(&'static str, Samples)>) {
        for (what, samples) in all {
            self.sheet.latencies(column, what, &samples);
        }
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

    /// PostgreSQL, in schemas of its own that are removed in the end, unless they are kept.
    async fn postgres(&mut self, url: &str, stock: &Stock) -> Outcome<()> {
        let process = std::process::id();
        say("PostgreSQL, empty");
        let empty = Schema::make(url, format!("bench_empty_{process}")).await?;
        let launch = self.launch("postgres-empty", Some(empty.url.clone()))?;
        self.served(&launch, 2).await?;
        empty.remove().await?;
        let (filled, keeps) = match &self.filling.kept {
            Some(_) => ("bench_filled".to_owned(), true),
            None => (format!("bench_filled_{process}"), false),
        };
        let client = connect(url).await?;
        say("PostgreSQL, filled");
        let url = within(url, &filled);
        let launch = self.moved(stock, (&client, &filled), url.clone()).await?;
        let base = Base::Server(connect(&url).await?);
        self.sizes_there(&client, &filled).await?;
        self.verified(3, &["--database".to_owned(), url.clone()])?;
        let store = opened_there(&url, true).await?;
        let looked_up = lookups::all(&base, &store).await;
        store.close();
        self.found(3, looked_up?);
        let claimed = lookups::claims(&base, async || opened_there(&url, false).await).await?;
        self.sheet.latencies(3, CLAIM, &claimed);
        self.served(&launch, 3).await?;
        if !keeps {
            let drop = format!("DROP SCHEMA {filled} CASCADE");
            let dropped = client.batch_execute(&drop).await;
            dropped.map_err(|error| asked(&error))?;
        }
        Ok(())
    }

    /// A filled schema: found where it was kept; or its first payments moved there, and the others
    /// written beside them.
    async fn moved(
        &mut self,
        stock: &Stock,
        (client, schema): (&tokio_postgres::Client, &str),
        url: String,
    ) -> Outcome<Launch> {
        let mut launch = self.launch("postgres-filled", Some(url.clone()))?;
        if let Some(kept) = &self.filling.kept {
            launch.data = kept.join("postgres");
            std::fs::create_dir_all(&launch.data)?;
            if launch.data.join("sandbox.json").exists() {
                return Ok(launch);
            }
        }
        let make = format!("CREATE SCHEMA {schema}");
        client
            .batch_execute(&make)
            .await
            .map_err(|error| asked(&error))?;
        let data = self.launch("moved", None)?.data;
        self.seed(&data)?;
        let first = self.filling.count.min(MOVED);
        let file = Base::File(Connection::open(learn::find_database(&data)?)?);
        fill::fill(&file, stock, self.which(0..first), &mut |_| {}).await?;
        drop(file);
        let began = clock::now();
        let from = format!("sqlite:{}", shown(&data));
        self.command(&["store", "move", "--from", &from, "--to", &url])?;
        let rate = first as f64 / began.elapsed().as_secs_f64();
        self.sheet
            .add(3, "moving from the embedded database, compared", "/s", rate);
        let base = Base::Server(connect(&url).await?);
        self.fill(3, &base, (stock, first)).await?;
        // The keys are no part of a database.
        for file in ["master.key", "sandbox.json"] {
            std::fs::copy(data.join(file), launch.data.join(file))?;
        }
        Ok(launch)
    }

    /// Bytes of each table with its indexes on PostgreSQL, for each payment.
    async fn sizes_there(&mut self, client: &tokio_postgres::Client, schema: &str) -> Outcome<()> {
        let tables = format!(
            "SELECT relname, pg_total_relation_size(oid)::float8 FROM pg_class \
             WHERE relkind = 'r' AND relnamespace = '{schema}'::regnamespace ORDER BY 2 DESC"
        );
        let count = self.filling.count as f64;
        let mut all = 0.0;
        let rows = client.query(&tables, &[]).await;
        for row in rows.map_err(|error| asked(&error))? {
            let (table, bytes): (String, f64) = (row.get(0), row.get(1));
            all += bytes;
            self.size(3, &table, bytes / count);
        }
        self.sheet
            .add(3, "bytes a payment, all of it", "B", all / count);
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
            (
                "page of the webhooks that wait",
                "/sandbox/deliveries?state=pending",
            ),
            (
                "page of the webhooks that failed",
                "/sandbox/deliveries?state=failed",
            ),
        ] {
            self.listed(column, &mut wire, (what, &shop.get(path)))
                .await?;
        }
        let known = Credentials::read(&launch.data)?;
        let head = format!("X-Api-Key: {}\r\n", known.text("numipay", "api_key"));
        let path = "/gateway/v1/transactions?from=01-01-2020&to=02-01-2020";
        let what = "list of a day without transactions";
        self.listed(column, &mut wire, (what, &Ask::get("GET", path, &head)))
            .await?;
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

    async fn listed(
        &mut self,
        column: usize,
        wire: &mut Wire,
        (what, ask): (&str, &Ask),
    ) -> Outcome<()> {
        let taken = one_by_one(wire, std::iter::repeat_n(ask, LISTED)).await?;
        self.sheet.latencies(column, what, &taken);
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

/// How a filled database is opened beside no gateway.
fn options() -> store::Options {
    store::Options {
        run_twice: false,
        ..store::Options::TEST
    }
}

/// The store in a schema of a server; opening one waits, so a thread does it that may.
async fn opened_there(url: &str, read_only: bool) -> Outcome<store::Store> {
    let url = url.to_owned();
    let open = move || match read_only {
        true => store::Store::open_url_read_only(&url, options()),
        false => store::Store::open_url(&url, options()),
    };
    let store = tokio::task::spawn_blocking(open).await;
    store.map_err(joined)?.map_err(opened)
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

/// The figures as Markdown.
pub fn table(filling: &Filling, figures: &[Grown]) -> String {
    let (count, recent) = (filling.count, filling.recent.min(filling.count));
    let mut text = format!(
        "{count} payments stored, of all APIs; those of HitPay, seven of ten, with webhooks, which \
         the newest {recent} have still.\n\n\
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
pub fn json(filling: &Filling, figures: &[Grown]) -> serde_json::Value {
    let by_name: BTreeMap<&str, &Grown> = figures.iter().map(|g| (g.what.as_str(), g)).collect();
    serde_json::json!({"payments": filling.count, "recent": filling.recent, "figures": by_name})
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
        let filling = Filling {
            count: 10,
            recent: 5,
            kept: None,
        };
        let text = table(&filling, &sheet.0);
        let lines: Vec<&str> = text.lines().skip(4).collect();
        assert_eq!(
            lines,
            [
                "| creation | 9000/s |  |  | 5000/s |",
                "| look-up |  | 0.12 ms |  |  |"
            ]
        );
        assert_eq!(
            json(&filling, &sheet.0)["figures"]["creation"]["unit"],
            "/s"
        );
    }
}
