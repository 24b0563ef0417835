//! `./torture`: webhooks under fire.
//!
//! A sandbox takes payments through HitPay, Numipay and Vipps and delivers to receivers of which
//! about a third fail at any time. It is killed again and again, its clock is moved so that
//! retries fall due, and in the end everything that happened is held against what was promised
//! ([`judge`]). What chance decides comes from the seed; what the
//! machine decides (where exactly a kill strikes) does not.

mod account;
mod gifts;
mod guesses;
mod judge;
mod produce;
pub mod proof;
pub mod stands;
mod stored;
mod table;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};
use dialects::verify::Scheme;

use crate::chance::Chance;
use crate::clock;
use crate::door;
use crate::failure::{Outcome, said};
use crate::server::{Launch, Server, tail};
use crate::shop::Shop;
use crate::tills::{Credentials, Till};
use judge::{Case, Hears, Kill};
use produce::Production;
use proof::Trust;
use stands::{FAILING, Mood, Record, Stand};
use stored::Look;

/// Facts that one payment announces, through whichever API: it is created, authorised or captured,
/// captured or paid.
const EVENTS_OF_A_PAYMENT: u64 = 3;
/// How long a receiver may take, so that a run sees many time-outs.
const TIMEOUT: &str = "1s";
/// How long a turn of the receivers lasts, in milliseconds.
const TURN: (u64, u64) = (700, 2_000);
/// Of a hundred receivers, how many fail in a turn.
const FAILING_OF_100: u64 = 30;
/// Shops that give an address with each payment: the dialect of each.
const SHOPS: [&str; 4] = ["hitpay", "numipay", "hitpay", "numipay"];
/// Registered endpoints: the scheme of each, and what it hears, everything if nothing is named.
/// The last one is the one that answers 410.
const ENDPOINTS: [(&str, &[&str]); 6] = [
    ("vipps", &[]),
    ("standard", &[]),
    ("standard", &["bill.paid"]),
    ("standard", &["payment.captured", "bill.paid"]),
    ("standard", &["bill.created", "bill.paid"]),
    ("standard", &["bill.paid", "payment.authorized"]),
];
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
    /// A PostgreSQL in place of the embedded database: an empty one.
    #[arg(long, env = "FLORIN_TORTURE_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Events to produce; fewer are a failure.
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
    kills: Vec<Kill>,
    known: Credentials,
    moved: u64,
    end: Instant,
}

impl<'a> Run<'a> {
    async fn start(options: &'a Options, florin: &Path, data: PathBuf) -> Outcome<Run<'a>> {
        let mut launch = Launch {
            binary: florin.to_owned(),
            data,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database: options.database.clone(),
            more: ["--webhook-timeout", TIMEOUT, "--log-level", "error"]
                .map(str::to_owned)
                .to_vec(),
        };
        let server = Server::florin(&launch).await?;
        launch.listen = server.address;
        let known = Credentials::read(&launch.data)?;
        let record = Record::default();
        let stands = (0..SHOPS.len() + ENDPOINTS.len())
            .map(|_| Stand::start(options.seed, &record))
            .collect::<Outcome<Vec<_>>>()?;
        for (dialect, stand) in SHOPS.iter().zip(&stands) {
            stand.trusts(Trust::of(dialect, &known));
        }
        let mut hears = Vec::new();
        for ((scheme, facts), stand) in ENDPOINTS.iter().zip(stands.iter().skip(SHOPS.len())) {
            let url = stand.url();
            let made = door::register_for(&launch.data, scheme, &url, facts).await?;
            stand.trusts(Trust {
                scheme: Scheme::parse(scheme).unwrap_or(Scheme::Standard),
                secret: made.secret,
            });
            hears.push(Hears {
                endpoint: made.id,
                dialect: (*scheme != "standard").then_some(*scheme),
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
            known,
            moved: 0,
            end: clock::now() + Duration::from_secs(60 * options.minutes),
        })
    }

    async fn whole(mut self) -> Outcome<(bool, String)> {
        let began = clock::now();
        let production = Production::default();
        let payments = self.options.events.div_ceil(EVENTS_OF_A_PAYMENT);
        let making = production
            .clone()
            .run(self.launch.listen, self.tills(), payments);
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
        if let Some(server) = self.server.take() {
            server.stop().await?;
        }
        say("stopped; comparing");
        let look = self.look().await?;
        let case = Case {
            asked: (self.options.events, self.options.kills),
            acknowledged: production.acknowledged(),
            stored: look.all(&self.known.salt()).await?,
            receipts: self.record.all(),
            kills: self.kills,
            hears: self.hears,
        };
        let verdict = judge::judge(&case);
        let times = (produced, began.elapsed(), self.moved);
        let text = table::table(self.options.seed, &case, &verdict, times);
        Ok((verdict.wrong.is_empty(), text))
    }

    /// One for each shop, and one for Vipps, whose webhooks go to a registered endpoint.
    fn tills(&self) -> Vec<Till> {
        let (address, key) = (self.launch.listen, self.key.as_str());
        let stands = self.stands.iter();
        let shops = SHOPS.iter().zip(stands).chain(
            // Its address is not used.
            self.stands.first().map(|first| (&"vipps", first)),
        );
        shops
            .map(|(dialect, stand)| {
                let shop = Shop::at((address, key), &stand.url());
                Till::of(dialect, &self.known, shop, Some(stand.url()))
            })
            .collect()
    }

    async fn look(&self) -> Outcome<Look> {
        Look::open(&self.launch.data, self.launch.database.as_deref()).await
    }

    /// Kills the gateway while it is being called, at payments that chance picks, and moves the
    /// clock in between.
    async fn fire(&mut self, production: &Production, payments: u64, later: u64) -> Outcome<()> {
        let half = clock::now() + Duration::from_secs(30 * self.options.minutes);
        let mut chance = Chance::new(self.options.seed, "kills");
        let mut at: Vec<u64> = (later..self.options.kills)
            .map(|_| chance.between(1, payments))
            .collect();
        at.sort_unstable();
        let mut left = at.into_iter().peekable();
        loop {
            let done = production.done();
            if clock::now() > half {
                production.end();
            }
            match left.peek() {
                Some(next) if done >= *next => {
                    left.next();
                    let wait = Duration::from_micros(chance.between(0, 50_000));
                    tokio::time::sleep(wait).await;
                    self.kill().await?;
                    // Every other time, so that either way of sending is struck.
                    if left.len().is_multiple_of(2) {
                        self.moving(chance.between(20, 400));
                    }
                }
                None if done >= payments => break,
                _ if production.ended() => break,
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
        let at = clock::now();
        for stand in self.stands.iter() {
            stand.has_read().await?;
        }
        let read = clock::now();
        self.kills.push(Kill { at, read });
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
        let look = self.look().await?;
        loop {
            self.settled().await;
            let left = look.waiting(&gone).await?;
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
            if look.waiting("").await? == 0 || clock::now() > self.end {
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

/// Progress, on stderr.
fn say(text: impl AsRef<str>) {
    // Without a stderr there is no progress to show.
    let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
}
