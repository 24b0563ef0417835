//! What is measured, in which order. One round is: the echo floor; Florin started on an empty
//! folder; the SQLite floors; the loads; the page; a stop, and a start on the filled folder.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backlog;
use crate::clock::Span;
use crate::cycle;
use crate::drive::{self, Load};
use crate::failure::{Failure, Outcome};
use crate::figures::Figures;
use crate::floor::{Floor, copy_database};
use crate::learn::{self, RowPattern, Snapshot};
use crate::process::{memory, processor};
use crate::receiver::Receiver;
use crate::samples::Samples;
use crate::schema::Schema;
use crate::server::{Launch, Server, tail};
use crate::shop::Shop;
use crate::webhooks;
use crate::wire::{Ask, Wire};

/// Creations offered a second where their latency is the question.
const CREATE_RATE: u32 = 1_000;
/// Payments paid a second where the webhook's latency is the question, and what their figures
/// are called.
const PAID_RATES: [(u32, &str, &str); 2] =
    [(300, "paid300", "answered300"), (600, "paid", "answered")];
/// How long a started server is left alone before its memory counts as idle.
const SETTLE: Duration = Duration::from_millis(500);
/// How often learning is tried again when a worker wrote rows of its own in between.
const LEARN_TRIES: usize = 5;

/// What to measure, and for how long.
#[derive(Debug)]
pub struct Plan {
    /// The server.
    pub florin: PathBuf,
    /// Where data folders are made: on the disk that is measured.
    pub folder: PathBuf,
    /// A PostgreSQL database to measure as well.
    pub postgres: Option<String>,
    /// Leave the embedded database out.
    pub postgres_only: bool,
    /// Time for each figure.
    pub window: Duration,
    /// Rounds.
    pub rounds: u32,
    /// How webhooks in bad company are measured, if they are.
    pub company: Option<Company>,
}

/// Webhooks in bad company.
#[derive(Clone, Copy, Debug)]
pub struct Company {
    /// Events that nine endpoints get, beside one that hangs.
    pub events: usize,
    /// Deliveries that wait.
    pub backlog: u32,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Measured {
    /// All figures.
    pub figures: Figures,
    /// The rows of a creation and of a whole cycle, as text.
    pub rows: Vec<String>,
    /// Webhooks that nobody waited for.
    pub unexpected_webhooks: u64,
}

/// The rows that calls write.
pub struct Learned {
    /// Those of a creation.
    pub create: Vec<RowPattern>,
    /// Those of a whole cycle.
    pub cycle: Vec<RowPattern>,
}

/// Learns which rows calls write, from a server on an embedded database.
pub async fn learn(shop: &Shop, receiver: &Receiver, database: &Path) -> Outcome<Learned> {
    let mut wire = Wire::open(shop.address).await?;
    shop.whole_cycle(&mut wire, receiver).await?;
    let look = || Snapshot::take(&learn::look_into(database)?);
    let mut tries = 0;
    loop {
        let before = look()?;
        shop.created(&mut wire).await?;
        let once = look()?;
        shop.created(&mut wire).await?;
        let twice = look()?;
        shop.whole_cycle(&mut wire, receiver).await?;
        let cycle = look()?;
        shop.whole_cycle(&mut wire, receiver).await?;
        let create = learn::rows(&before, &once, &twice);
        let cycle = learn::rows(&twice, &cycle, &look()?);
        tries += 1;
        match (create, cycle) {
            (Ok(create), Ok(cycle)) => return Ok(Learned { create, cycle }),
            (Err(failure), _) | (_, Err(failure)) if tries == LEARN_TRIES => {
                return Err(failure);
            }
            _ => {}
        }
    }
}

/// Measures everything.
pub async fn all(plan: &Plan) -> Outcome<Measured> {
    let receiver = Receiver::start().await?;
    let mut measured = Measured::default();
    let binary = std::fs::metadata(&plan.florin)
        .map_err(|error| Failure::Said(format!("{}: {error}", plan.florin.display())))?;
    measured.figures.add("binary", binary.len() as f64 / 1e6);
    for round in 1..=plan.rounds {
        say(format!("round {round} of {}", plan.rounds));
        let place = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(&plan.folder)?;
        let mut run = Run {
            plan,
            receiver: &receiver,
            place: place.path(),
            measured,
        };
        run.round().await?;
        measured = run.measured;
    }
    measured.unexpected_webhooks = receiver.unexpected();
    Ok(measured)
}

struct Run<'a> {
    plan: &'a Plan,
    receiver: &'a Receiver,
    place: &'a Path,
    measured: Measured,
}

impl Run<'_> {
    fn add(&mut self, key: impl Into<String>, figure: f64) {
        self.measured.figures.add(key, figure);
    }

    fn latencies(&mut self, key: &str, samples: &Samples) {
        for (name, per_mille) in [("p50", 500), ("p99", 990), ("max", 1_000)] {
            self.add(format!("{key}.{name}"), samples.at(per_mille));
        }
    }

    /// Adds a closed load, with the processor time that one answer cost on either side.
    fn load(&mut self, key: &str, load: &Load, used: (Duration, Duration)) {
        say(format!("  {key}: {:.0}/s", load.rate));
        self.add(format!("{key}.rate"), load.rate);
        self.latencies(key, &load.latencies);
        let each = |time: Duration| time.as_secs_f64() * 1e6 / load.total.max(1) as f64;
        self.add(format!("{key}.server"), each(used.0));
        self.add(format!("{key}.client"), each(used.1));
    }

    async fn closed(&mut self, key: &str, server: &Server, ask: Ask, count: usize) -> Outcome<()> {
        let before = used(server)?;
        let load = drive::closed(server.address, ask, count, Span::of(self.plan.window)).await?;
        let after = used(server)?;
        self.load(key, &load, (after.0 - before.0, after.1 - before.1));
        Ok(())
    }

    async fn paced(&mut self, key: &str, to: SocketAddr, ask: Ask) -> Outcome<()> {
        let span = Span::of(self.plan.window);
        let samples = drive::steady(to, ask, CREATE_RATE, span).await?;
        say(format!("  {key}: p99 {:.2} ms", samples.at(990)));
        self.latencies(key, &samples);
        Ok(())
    }

    async fn echo(&mut self) -> Outcome<()> {
        let server = Server::echo().await?;
        self.add("start.echo", milliseconds(server.started_in));
        let ask = Ask::post(
            "echo",
            "/",
            "",
            "amount=10.50&currency=SGD&payment_methods[]=card",
        );
        self.closed("echo", &server, ask.clone(), 64).await?;
        self.paced("echo.paced", server.address, ask).await
    }

    async fn round(&mut self) -> Outcome<()> {
        self.echo().await?;
        if !self.plan.postgres_only {
            let launch = self.launch("florin", None)?;
            let log = launch.log();
            self.florin(launch)
                .await
                .map_err(|failure| with_log(failure, &log))?;
        }
        if let Some(database) = &self.plan.postgres {
            // Each round has keys of its own, so it needs tables of its own.
            let name = format!("bench_{}", std::process::id());
            let schema = Schema::make(database, name).await?;
            let launch = self.launch("postgres", Some(schema.url.clone()))?;
            let log = launch.log();
            let measured = self.postgres(launch).await;
            schema.remove().await?;
            measured.map_err(|failure| with_log(failure, &log))?;
        }
        if let Some(company) = self.plan.company {
            self.company(company).await?;
        }
        Ok(())
    }

    /// One endpoint that hangs beside nine, and, once in a run, a backlog.
    async fn company(&mut self, company: Company) -> Outcome<()> {
        let launch = self.launch("company", None)?;
        let found = webhooks::company(&launch, company.events, self.plan.window).await;
        let found = found.map_err(|failure| with_log(failure, &launch.log()))?;
        say(format!(
            "  nine endpoints: {:.0}/s, beside one that hangs {:.0}/s, {} attempts of which hung",
            found.alone, found.beside, found.hung
        ));
        self.add("company.alone", found.alone);
        self.add("company.beside", found.beside);
        self.add("company.share", found.beside / found.alone);
        let (quiet, loud) = (&found.steady_alone, &found.steady_beside);
        self.add("company.steady.share", loud.rate / quiet.rate);
        self.latencies("company.quiet", &quiet.latencies);
        self.latencies("company.loud", &loud.latencies);
        if self.measured.figures.rounds("backlog.start").is_empty() {
            self.backlog(company.backlog).await?;
        }
        Ok(())
    }

    async fn backlog(&mut self, count: u32) -> Outcome<()> {
        let launch = self.launch("backlog", None)?;
        let log = launch.log();
        let found = backlog::backlog(launch, count, self.plan.window).await;
        let found = found.map_err(|failure| with_log(failure, &log))?;
        self.add("backlog.start", milliseconds(found.started_in));
        self.add("backlog.memory", megabytes(found.memory));
        for (key, samples) in &found.creations {
            say(format!("  {key}: creation p99 {:.2} ms", samples.at(990)));
            self.latencies(key, samples);
        }
        let waits = format!("a backlog of {count} deliveries waits");
        self.measured.rows.push(waits);
        Ok(())
    }

    async fn florin(&mut self, mut launch: Launch) -> Outcome<()> {
        let server = Server::florin(&launch).await?;
        self.add("start.cold", milliseconds(server.started_in));
        tokio::time::sleep(SETTLE).await;
        self.add("memory.idle", megabytes(memory(server.pid)?.now));
        let shop = Shop::new(&server, self.receiver);
        self.floors(&shop, &launch.data).await?;
        self.loads(&shop, &server).await?;
        self.add("memory.peak", megabytes(memory(server.pid)?.peak));
        launch.listen = server.address;
        self.add("stop", milliseconds(server.stop().await?));
        let again = Server::florin(&launch).await?;
        self.add("start.again", milliseconds(again.started_in));
        again.stop().await?;
        Ok(())
    }

    async fn floors(&mut self, shop: &Shop, data: &Path) -> Outcome<()> {
        let database = learn::find_database(data)?;
        let learned = learn(shop, self.receiver, &database).await?;
        let template = self.place.join("template.db");
        copy_database(&learn::look_into(&database)?, &template)?;
        let said = [
            ("a creation", &learned.create),
            ("a whole cycle", &learned.cycle),
        ];
        let said = said.map(|(what, rows)| format!("{what} writes {}", learn::summary(rows)));
        self.measured
            .rows
            .retain(|row| row.starts_with("a backlog"));
        self.measured.rows.splice(0..0, said);
        let folder = self.place.to_owned();
        let create = Floor {
            template,
            folder,
            rows: learned.create,
        };
        let cycle = Floor {
            rows: learned.cycle,
            ..create.clone()
        };
        for (key, floor, batch) in [
            ("floor.1", &create, 1),
            ("floor.64", &create, 64),
            ("floor.256", &create, 256),
            ("floor.1024", &create, 1_024),
            ("floor.cycle", &cycle, 64),
        ] {
            let (floor, window) = (floor.clone(), self.plan.window);
            let rate = tokio::task::spawn_blocking(move || floor.rate(batch, window)).await;
            let rate = rate.map_err(|error| Failure::Said(error.to_string()))??;
            say(format!("  {key}: {rate:.0}/s"));
            self.add(key, rate);
        }
        Ok(())
    }

    async fn loads(&mut self, shop: &Shop, server: &Server) -> Outcome<()> {
        let mut wire = Wire::open(shop.address).await?;
        self.add("page", shop.page_bytes(&mut wire).await? as f64 / 1e3);
        drop(wire);
        self.paced("create.paced", server.address, shop.create())
            .await?;
        self.paid(shop).await?;
        for (key, count) in [("create.1", 1), ("create.64", 64), ("create.256", 256)] {
            self.closed(key, server, shop.create(), count).await?;
        }
        let before = used(server)?;
        let span = Span::of(self.plan.window);
        let (cycles, paid) = cycle::closed(shop, self.receiver, 64, span).await?;
        let after = used(server)?;
        self.latencies("paid.flat", &paid.latencies);
        self.load(
            "cycle.64",
            &cycles,
            (after.0 - before.0, after.1 - before.1),
        );
        let figures = &self.measured.figures;
        let (create, cycles) = (figures.latest("create.64.rate"), cycles.rate);
        let (echo, floor) = (figures.latest("echo.rate"), figures.latest("floor.64"));
        self.add("create.64.share", create / floor);
        self.add("create.64.echo", create / echo);
        // Three exchanges: the creation, the pay request, the webhook.
        self.add("cycle.64.echo", cycles / (echo / 3.0));
        Ok(())
    }

    async fn paid(&mut self, shop: &Shop) -> Outcome<()> {
        let span = Span::of(self.plan.window);
        for (rate, request, answer) in PAID_RATES {
            let paid = cycle::paced(shop, self.receiver, rate, span).await?;
            say(format!(
                "  paid at {rate}/s: p99 {:.2} ms",
                paid.from_request.at(990)
            ));
            self.latencies(request, &paid.from_request);
            self.latencies(answer, &paid.from_answer);
        }
        Ok(())
    }

    async fn postgres(&mut self, launch: Launch) -> Outcome<()> {
        let server = Server::florin(&launch).await?;
        let shop = Shop::new(&server, self.receiver);
        self.closed("postgres.64", &server, shop.create(), 64)
            .await?;
        let before = used(&server)?;
        let span = Span::of(self.plan.window);
        let (cycles, _) = cycle::closed(&shop, self.receiver, 64, span).await?;
        let after = used(&server)?;
        let spent = (after.0 - before.0, after.1 - before.1);
        self.load("postgres.cycle", &cycles, spent);
        server.stop().await?;
        Ok(())
    }

    fn launch(&self, name: &str, database: Option<String>) -> Outcome<Launch> {
        let data = self.place.join(name);
        std::fs::create_dir(&data)?;
        let binary = self.plan.florin.clone();
        Ok(Launch {
            binary,
            data,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database,
            more: Vec::new(),
        })
    }
}

/// A failure with what the server last said; its log goes with the data folder.
pub fn with_log(failure: Failure, log: &Path) -> Failure {
    Failure::Said(format!("{failure}{}", tail(log)))
}

/// Processor time that the server and this program have used so far.
fn used(server: &Server) -> Outcome<(Duration, Duration)> {
    Ok((processor(server.pid)?, processor(std::process::id())?))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// From KiB, as the system counts, to megabytes of a million bytes.
fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1_024.0 / 1e6
}

/// Progress, on stderr so that the table stands alone on stdout.
pub fn say(text: impl AsRef<str>) {
    // Without a stderr there is no progress to show.
    let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
}
