//! `./torture`: webhooks under fire.
//!
//! A sandbox delivers to receivers of which about a third fail at any time, is killed again and
//! again, its clock is moved so that retries fall due, and in the end everything that happened is
//! held against what was promised ([`judge`]). What chance decides comes from the seed; what the
//! machine decides (where exactly a kill strikes) does not.

mod gifts;
mod guesses;
mod judge;
mod produce;
pub mod stands;
mod stored;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};

use crate::chance::Chance;
use crate::clock;
use crate::door;
use crate::failure::{Outcome, said};
use crate::server::{Launch, Server, tail};
use crate::shop::Shop;
use judge::{Case, Hears, Verdict};
use produce::Production;
use stands::{FAILING, Mood, Record, Stand};
use stored::Stored;

/// Facts that one payment announces: it is created, captured, paid.
const EVENTS_OF_A_PAYMENT: u64 = 3;
/// How long a receiver may take, so that a run sees many time-outs.
const TIMEOUT: &str = "1s";
/// How long a turn of the receivers lasts, in milliseconds.
const TURN: (u64, u64) = (700, 2_000);
/// Of a hundred receivers, how many fail in a turn.
const FAILING_OF_100: u64 = 30;
/// Receivers of shops that give an address with each payment.
const SHOPS: usize = 3;
/// Registered endpoints: what each one hears, everything if nothing is named. The last one is
/// the one that answers 410.
const ENDPOINTS: [&[&str]; 5] = [
    &[],
    &["bill.paid"],
    &["payment.captured", "bill.paid"],
    &["bill.created", "bill.paid"],
    &["bill.paid"],
];
/// Ids shown of each kind of what is wrong.
const SHOWN: usize = 20;

/// What `./torture` does.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true)
    .args(["webhooks", "gift_cards", "guesses"]))]
pub struct Options {
    /// Torture webhooks.
    #[arg(long)]
    webhooks: bool,
    /// Torture gift cards: 100 clients redeem from 10 cards while the gateway is killed.
    #[arg(long)]
    gift_cards: bool,
    /// Guess at gift cards: numbers that nobody has, and codes of numbers that are known.
    #[arg(long)]
    guesses: bool,
    /// Redemptions (usually 100,000) or guesses (usually a million).
    #[arg(long, value_parser = clap::value_parser!(u64).range(100..))]
    count: Option<u64>,
    /// A PostgreSQL for gift cards and guesses in place of the embedded database.
    #[arg(long, env = "FLORIN_TORTURE_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Events to produce.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(3..))]
    events: u64,
    /// How often the gateway is killed.
    #[arg(long, default_value_t = 20)]
    kills: u64,
    /// Minutes after which the run is over; production stops at half of them.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// The seed of what chance decides.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the data folder.
    #[arg(long)]
    keep: bool,
}

/// Runs it; `false` if a promise was broken.
pub async fn run(options: &Options, florin: &Path, folder: &Path) -> Outcome<bool> {
    let mut place = tempfile::Builder::new()
        .prefix("torture-")
        .tempdir_in(folder)?;
    place.disable_cleanup(options.keep);
    let data = place.path().join("florin");
    std::fs::create_dir(&data)?;
    let log = data.with_extension("log");
    let result = if options.gift_cards {
        gifts::run(options, florin, data).await
    } else if options.guesses {
        guesses::run(options, florin, data).await
    } else {
        match Run::start(options, florin, data).await {
            Ok(run) => run.whole().await,
            Err(failure) => Err(failure),
        }
    };
    let ran = result.map_err(|failure| said(format!("{failure}{}", tail(&log))))?;
    std::io::stdout().write_all(ran.1.as_bytes())?;
    if options.keep {
        say(format!("The data is in {}.", place.path().display()));
    }
    Ok(ran.0)
}

/// A run under way.
struct Run<'a> {
    options: &'a Options,
    launch: Launch,
    server: Option<Server>,
    key: String,
    /// While the clock moves, nobody hangs: every step of it waits for its answers.
    gentle: Arc<AtomicBool>,
    record: Record,
    stands: Arc<Vec<Stand>>,
    hears: Vec<Hears>,
    kills: Vec<Instant>,
    moved: u64,
    end: Instant,
}

impl<'a> Run<'a> {
    async fn start(options: &'a Options, florin: &Path, data: PathBuf) -> Outcome<Run<'a>> {
        let mut launch = Launch {
            binary: florin.to_owned(),
            data,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database: None,
            more: ["--webhook-timeout", TIMEOUT, "--log-level", "error"]
                .map(str::to_owned)
                .to_vec(),
        };
        let server = Server::florin(&launch).await?;
        launch.listen = server.address;
        let record = Record::default();
        let stands = (0..SHOPS + ENDPOINTS.len())
            .map(|_| Stand::start(options.seed, &record))
            .collect::<Outcome<Vec<_>>>()?;
        let mut hears = Vec::new();
        for (facts, stand) in ENDPOINTS.iter().zip(stands.iter().skip(SHOPS)) {
            hears.push(Hears {
                endpoint: door::register(&launch.data, &stand.url(), facts).await?,
                facts: facts.to_vec(),
            });
        }
        if let Some(last) = stands.last() {
            last.turn(Mood::Gone);
        }
        Ok(Run {
            options,
            launch,
            key: server.key.clone(),
            server: Some(server),
            gentle: Arc::default(),
            record,
            stands: Arc::new(stands),
            hears,
            kills: Vec::new(),
            moved: 0,
            end: clock::now() + Duration::from_secs(60 * options.minutes),
        })
    }

    async fn whole(mut self) -> Outcome<(bool, String)> {
        let began = clock::now();
        let production = Production::default();
        let payments = self.options.events.div_ceil(EVENTS_OF_A_PAYMENT);
        let shops = self.stands.iter().take(SHOPS);
        let (address, key) = (self.launch.listen, self.key.clone());
        let shops = shops.map(|stand| Shop::at((address, &key), &stand.url()));
        let making = production.clone().run(address, shops.collect(), payments);
        let producing = tokio::spawn(making);
        let (stands, gentle) = (Arc::clone(&self.stands), Arc::clone(&self.gentle));
        let turns = tokio::spawn(turns(stands, gentle, self.options.seed));
        let later = self.options.kills / 5;
        self.fire(&production, payments, later).await?;
        producing.await.map_err(|error| said(error.to_string()))??;
        let produced = began.elapsed();
        say(format!("produced in {produced:.1?}; {later} kills to come"));
        self.fire_on(later).await?;
        turns.abort();
        self.drain().await?;
        let data = self.launch.data.clone();
        if let Some(server) = self.server.take() {
            server.stop().await?;
        }
        say("stopped; comparing");
        let case = Case {
            acknowledged: production.acknowledged(),
            stored: Stored::read(&data)?,
            receipts: self.record.all(),
            kills: self.kills,
            hears: self.hears,
        };
        let verdict = judge::judge(&case);
        let times = (produced, began.elapsed(), self.moved);
        let text = table(self.options, &case, &verdict, times);
        Ok((verdict.wrong.is_empty(), text))
    }

    /// Kills the gateway while it is being called, at payments that chance picks, and moves the
    /// clock in between.
    async fn fire(&mut self, production: &Production, payments: u64, later: u64) -> Outcome<()> {
        let half = clock::now() + Duration::from_secs(30 * self.options.minutes);
        let mut chance = Chance::new(self.options.seed, "kills");
        let mut at: Vec<u64> = (later..self.options.kills)
            .map(|_| chance.between(1, payments.max(1)))
            .collect();
        at.sort_unstable();
        let mut left = at.into_iter().peekable();
        loop {
            let begun = production.begun();
            if clock::now() > half {
                production.end();
            }
            match left.peek() {
                Some(next) if begun >= *next => {
                    left.next();
                    let wait = Duration::from_micros(chance.between(0, 50_000));
                    tokio::time::sleep(wait).await;
                    self.kill().await?;
                    // Every other time, so that either way of sending is struck.
                    if left.len().is_multiple_of(2) {
                        self.moving(chance.between(20, 400));
                    }
                }
                None if begun >= payments => break,
                _ if clock::now() > half => break,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        for _ in left {
            self.kill().await?;
        }
        Ok(())
    }

    /// Kills the gateway while it works its backlog off.
    async fn fire_on(&mut self, kills: u64) -> Outcome<()> {
        let mut chance = Chance::new(self.options.seed, "later kills");
        for _ in 0..kills {
            self.moving(chance.between(60, 1_200));
            tokio::time::sleep(Duration::from_millis(chance.between(50, 2_000))).await;
            self.kill().await?;
        }
        Ok(())
    }

    async fn kill(&mut self) -> Outcome<()> {
        let number = self.kills.len() + 1;
        if let Some(server) = self.server.take() {
            server.kill().await?;
        }
        self.kills.push(clock::now());
        let server = Server::florin(&self.launch).await?;
        let (ready, receipts) = (server.started_in, self.record.len());
        self.server = Some(server);
        say(format!(
            "kill {number}: ready again in {ready:.0?}; {receipts} received"
        ));
        Ok(())
    }

    /// Moves the clock on beside everything else.
    fn moving(&mut self, seconds: u64) {
        self.moved += seconds;
        let (to, key) = (self.launch.listen, self.key.clone());
        let (stands, gentle) = (Arc::clone(&self.stands), Arc::clone(&self.gentle));
        tokio::spawn(async move {
            gentle.store(true, Ordering::Relaxed);
            if let Some((_, stands)) = stands.split_last() {
                stands.iter().for_each(Stand::calm);
            }
            // The gateway may be killed on the way.
            let _ = door::advance(to, &key, seconds).await;
            gentle.store(false, Ordering::Relaxed);
        });
    }

    /// Everybody is well now: what is left must be delivered, retry by retry.
    async fn drain(&mut self) -> Outcome<()> {
        let (gone, rest) = self
            .stands
            .split_last()
            .ok_or_else(|| said("there are no receivers"))?;
        for stand in rest {
            stand.turn(Mood::Well);
        }
        gone.turn(Mood::Gone);
        let gone = self.hears.last().map(|last| last.endpoint.clone());
        let gone = gone.unwrap_or_default();
        loop {
            self.settled().await;
            let left = stored::waiting(&self.launch.data, &gone)?;
            say(format!(
                "{left} deliveries wait, {} received",
                self.record.len()
            ));
            if left == 0 || clock::now() > self.end {
                break;
            }
            self.moved += 1_800;
            door::advance(self.launch.listen, &self.key, 1_800).await?;
        }
        // The one that is gone never comes back: its owner removes it, and what waits has failed.
        let path = format!("/endpoints/{gone}/remove");
        door::operator(&self.launch.data, &path, &serde_json::Value::Null).await?;
        for _ in 0..600 {
            if stored::waiting(&self.launch.data, "")? == 0 || clock::now() > self.end {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Waits until nothing more comes by itself.
    async fn settled(&self) {
        let mut before = usize::MAX;
        while before != self.record.len() && clock::now() < self.end {
            before = self.record.len();
            tokio::time::sleep(Duration::from_millis(1_200)).await;
        }
    }
}

/// The receivers fail by turns; the last one is always gone.
async fn turns(stands: Arc<Vec<Stand>>, gentle: Arc<AtomicBool>, seed: u64) {
    let mut chance = Chance::new(seed, "turns");
    let Some((_, stands)) = stands.split_last() else {
        return;
    };
    loop {
        for stand in stands {
            let mood = match chance.between(1, 100) <= FAILING_OF_100 {
                true => {
                    let which = usize::try_from(chance.between(0, 3)).unwrap_or(0);
                    FAILING.get(which).copied().unwrap_or(Mood::Fails)
                }
                false => Mood::Well,
            };
            stand.turn(mood);
            if gentle.load(Ordering::Relaxed) {
                stand.calm();
            }
        }
        tokio::time::sleep(Duration::from_millis(chance.between(TURN.0, TURN.1))).await;
    }
}

/// The result as a table, and the ids of what is wrong.
fn table(
    options: &Options,
    case: &Case,
    verdict: &Verdict,
    (produced, whole, moved): (Duration, Duration, u64),
) -> String {
    let rate = case.receipts.len() as f64 / whole.as_secs_f64();
    let attempts: i64 = case.stored.deliveries.iter().map(|one| one.attempts).sum();
    let rows: Vec<(&str, String)> = vec![
        ("seed", options.seed.to_string()),
        (
            "payments acknowledged as created",
            case.acknowledged.created.len().to_string(),
        ),
        (
            "payments acknowledged as paid",
            case.acknowledged.paid.len().to_string(),
        ),
        (
            "calls without an answer",
            case.acknowledged.unanswered.to_string(),
        ),
        ("events", case.stored.events.len().to_string()),
        ("deliveries", case.stored.deliveries.len().to_string()),
        ("attempts recorded", attempts.to_string()),
        (
            "requests that reached a receiver",
            case.receipts.len().to_string(),
        ),
        ("deliveries received", verdict.taken.to_string()),
        ("deliveries listed as failed", verdict.failed.to_string()),
        (
            "received again after an unclear answer",
            verdict.repeated.to_string(),
        ),
        ("kills", case.kills.len().to_string()),
        ("clock moved by", format!("{moved} s at least")),
        ("production took", format!("{produced:.1?}")),
        (
            "all of it took",
            format!("{whole:.1?} ({rate:.0} requests/s)"),
        ),
    ];
    let mut text = String::new();
    for (what, figure) in rows {
        let _ = writeln!(text, "{what:<40} {figure}");
    }
    for (kind, ids) in &verdict.wrong {
        let _ = writeln!(text, "WRONG: {kind}: {}", ids.len());
        for id in ids.iter().take(SHOWN) {
            let _ = writeln!(text, "    {id}");
        }
        if ids.len() > SHOWN {
            let _ = writeln!(text, "    and {} more", ids.len() - SHOWN);
        }
    }
    if verdict.wrong.is_empty() {
        text.push_str("Every promise was kept.\n");
    }
    text
}

/// Progress, on stderr.
fn say(text: impl AsRef<str>) {
    // Without a stderr there is no progress to show.
    let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
}
