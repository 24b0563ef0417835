//! Webhooks in bad company: what one endpoint that hangs takes from nine that are well.
//!
//! It gives up on one that hangs after a second, so that within a turn many of its attempts end,
//! and what failing costs (its record, the next time, the endpoint's health) is in the figures.
//! Two things are measured by turns without and with the tenth, so that a busy machine shows in
//! both: how fast a backlog goes out to the nine, and how long a webhook takes to them while
//! payments are created at a steady rate.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::clock::{self, Span};
use crate::door;
use crate::drive::{self, Asks, gather, requests};
use crate::failure::{Outcome, said};
use crate::learn::{find_database, look_into};
use crate::samples::{Samples, median};
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
/// Turns without and with the endpoint that hangs, for the backlog.
const TURNS: usize = 5;
/// The same at a steady rate.
const STEADY_TURNS: usize = 2;
/// Payments created a second then; each is told to all nine.
const RATE: u32 = 200;
/// How long a receiver may take, as an option of the sandbox.
const TIMEOUT: [&str; 2] = ["--webhook-timeout", "1s"];
/// How long one hangs before a turn begins: until its first attempts have ended.
const HANGING: Duration = Duration::from_millis(1_500);

/// What nine endpoints got, alone and beside one that hangs.
#[derive(Debug)]
pub struct Company {
    /// Deliveries a second from a backlog, while the tenth is paused.
    pub alone: f64,
    /// The same while the tenth hangs.
    pub beside: f64,
    /// At a steady rate, while the tenth is paused.
    pub steady_alone: Steady,
    /// The same while the tenth hangs.
    pub steady_beside: Steady,
    /// Attempts of the tenth that reached it and were given up on.
    pub hung: usize,
}

/// What nine endpoints got while payments were created at a steady rate.
#[derive(Debug, Default)]
pub struct Steady {
    /// Deliveries a second within the time in which payments were created.
    pub rate: f64,
    /// From the answer to the creation until the webhook came; zero where it was faster.
    pub latencies: Samples,
}

/// The nine and the tenth.
struct Ten<'a> {
    launch: &'a Launch,
    server: &'a Server,
    well: Vec<(Stand, String)>,
    hanging: String,
}

/// Delivers `events` from a backlog, and then for some time at a steady rate.
pub async fn company(launch: &Launch, events: usize, window: Duration) -> Outcome<Company> {
    let mut launch = launch.clone();
    launch.more.extend(TIMEOUT.map(str::to_owned));
    let server = Server::florin(&launch).await?;
    let (record, apart) = (Record::default(), Record::default());
    let hears = &["bill.created"];
    let mut well = Vec::new();
    for _ in 0..WELL {
        let stand = Stand::start(1, &record)?;
        let id = door::register(&launch.data, &stand.url(), hears).await?;
        well.push((stand, id));
    }
    let stand = Stand::start(1, &apart)?;
    stand.turn(Mood::Hangs);
    let ten = Ten {
        launch: &launch,
        server: &server,
        well,
        hanging: door::register(&launch.data, &stand.url(), hears).await?,
    };
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ten.hangs(false).await?;
        alone.push(ten.delivered(events / TURNS).await?);
        ten.hangs(true).await?;
        beside.push(ten.delivered(events / TURNS).await?);
    }
    let (mut quiet, mut loud) = (Vec::new(), Vec::new());
    for turn in 0..STEADY_TURNS {
        ten.hangs(false).await?;
        quiet.push(ten.offered(&format!("quiet{turn}"), window).await?);
        ten.hangs(true).await?;
        loud.push(ten.offered(&format!("loud{turn}"), window).await?);
    }
    // Those that hang are under way: a clean stop would wait for them.
    server.kill().await?;
    let came = came(&launch.data, &record)?;
    let steady = |turns: &[Offered]| steady(turns, &came);
    Ok(Company {
        alone: median(&alone),
        beside: median(&beside),
        steady_alone: steady(&quiet)?,
        steady_beside: steady(&loud)?,
        hung: apart.len(),
    })
}

/// A turn at a steady rate.
struct Offered {
    /// Each payment's reference, and when its creation was answered.
    answered: Vec<(String, Instant)>,
    /// When the first one should have started, and when the last one was answered.
    from: Instant,
    until: Instant,
}

impl Ten<'_> {
    /// Lets the tenth hang, or leaves it out.
    async fn hangs(&self, hangs: bool) -> Outcome<()> {
        let what = if hangs { "resume" } else { "pause" };
        change(&self.launch.data, &self.hanging, what).await?;
        if hangs {
            // Its backlog is due now: from here on attempts end and begin all the time.
            tokio::time::sleep(HANGING).await;
        }
        Ok(())
    }

    /// Makes events while the endpoints are paused, lets them go and times it.
    async fn delivered(&self, events: usize) -> Outcome<f64> {
        let data = &self.launch.data;
        for (_, id) in &self.well {
            change(data, id, "pause").await?;
        }
        create(self.server, events).await?;
        let stands = self.well.iter().map(|(stand, _)| stand);
        let goals: Vec<u64> = stands.map(|stand| stand.taken() + events as u64).collect();
        let start = clock::now();
        for (_, id) in &self.well {
            change(data, id, "resume").await?;
        }
        self.have_taken(&goals).await?;
        Ok((events * self.well.len()) as f64 / start.elapsed().as_secs_f64())
    }

    async fn have_taken(&self, goals: &[u64]) -> Outcome<()> {
        for ((stand, _), goal) in self.well.iter().zip(goals) {
            tokio::time::timeout(PATIENCE, stand.has_taken(*goal))
                .await
                .map_err(|_| said("an endpoint that is well was not served within 120 s"))?;
        }
        Ok(())
    }

    /// Creates payments at a steady rate and waits until the nine have heard of all of them.
    async fn offered(&self, turn: &str, window: Duration) -> Outcome<Offered> {
        let shop = nobody(self.server);
        let references: Vec<String> = (0..requests(RATE, window).max(1))
            .map(|number| format!("{turn}-{number}"))
            .collect();
        let asks = references.iter().map(|name| shop.create_as(name)).collect();
        let stands = self.well.iter().map(|(stand, _)| stand);
        let goals: Vec<u64> = stands
            .map(|stand| stand.taken() + references.len() as u64)
            .collect();
        let paced = drive::paced(shop.address, Asks::Each(asks), RATE).await?;
        self.have_taken(&goals).await?;
        let (Some((_, from, _)), Some(until)) = (
            paced.first().copied(),
            paced.iter().map(|(_, _, answered)| *answered).max(),
        ) else {
            return Err(said("no payment was created"));
        };
        let answers = paced.into_iter().map(|(_, _, answered)| answered);
        Ok(Offered {
            answered: references.into_iter().zip(answers).collect(),
            from,
            until,
        })
    }
}

/// By the reference of a payment, when its webhooks came.
type Came = HashMap<String, Vec<Instant>>;

/// What the receivers saw, by what it was about: the database knows.
fn came(data: &Path, record: &Record) -> Outcome<Came> {
    let database = look_into(&find_database(data)?)?;
    let mut found = database.prepare(
        "SELECT d.id, b.reference FROM deliveries d JOIN bills b ON b.id = d.about \
         WHERE b.reference IS NOT NULL",
    )?;
    let pairs = found.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let about = pairs.collect::<Result<HashMap<String, String>, _>>()?;
    let mut came = Came::new();
    for receipt in record.all() {
        if let Some(reference) = about.get(&receipt.name) {
            let times = came.entry(reference.clone()).or_default();
            times.push(receipt.came);
        }
    }
    Ok(came)
}

/// The figures of some turns together. Each payment must have been told to all nine.
fn steady(turns: &[Offered], came: &Came) -> Outcome<Steady> {
    let (mut latencies, mut rates) = (Vec::new(), Vec::new());
    for turn in turns {
        let mut within = 0_usize;
        for (reference, answered) in &turn.answered {
            let times = came.get(reference).map_or(&[][..], Vec::as_slice);
            if times.len() < WELL {
                return Err(said(format!(
                    "{reference} was told to {} of nine",
                    times.len()
                )));
            }
            within += times.iter().filter(|came| **came <= turn.until).count();
            let late = |came: &Instant| came.saturating_duration_since(*answered);
            latencies.extend(times.iter().map(late));
        }
        rates.push(within as f64 / (turn.until - turn.from).as_secs_f64());
    }
    Ok(Steady {
        rate: median(&rates),
        latencies: Samples::new(latencies),
    })
}

/// A shop where nobody listens: what it creates is never paid, so nothing is sent there.
pub fn nobody(server: &Server) -> Shop {
    Shop::at((server.address, &server.key), "http://127.0.0.1:9/webhook")
}

/// Creates payments as fast as it goes.
pub async fn create(server: &Server, count: usize) -> Outcome<()> {
    let shop = nobody(server);
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

/// Changes an endpoint: `pause`, `resume`, `remove`.
pub async fn change(data: &Path, endpoint: &str, what: &str) -> Outcome<()> {
    let path = format!("/endpoints/{endpoint}/{what}");
    door::operator(data, &path, &serde_json::Value::Null).await?;
    Ok(())
}

/// Creations at a steady rate: how long each took.
pub async fn creations(server: &Server, rate: u32, window: Duration) -> Outcome<Samples> {
    let ask = nobody(server).create();
    drive::steady(server.address, ask, rate, Span::of(window)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_counts_what_came_within_it_and_fails_if_something_did_not_come() {
        let start = clock::now();
        let at = |ms| start + Duration::from_millis(ms);
        let turn = Offered {
            answered: vec![("a".to_owned(), at(10)), ("b".to_owned(), at(90))],
            from: at(0),
            until: at(100),
        };
        let mut came = Came::new();
        came.insert("a".to_owned(), vec![at(12); WELL]);
        came.insert("b".to_owned(), vec![at(190); WELL]);
        let found = steady(&[turn], &came).unwrap();
        assert!((found.rate - 90.0).abs() < 1e-6, "{}", found.rate);
        assert_eq!(
            (found.latencies.at(500), found.latencies.at(1_000)),
            (2.0, 100.0)
        );
        let turn = || Offered {
            answered: vec![("b".to_owned(), at(200))],
            from: at(0),
            until: at(100),
        };
        // A webhook that was faster than the answer took no time.
        assert_eq!(steady(&[turn()], &came).unwrap().latencies.at(990), 0.0);
        came.insert("b".to_owned(), vec![at(190); WELL - 1]);
        assert!(steady(&[turn()], &came).is_err());
    }
}
