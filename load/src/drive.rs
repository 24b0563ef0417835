//! Two ways to put a server under load. Closed: each connection asks again as soon as it was
//! answered, which shows the most a server can do. Paced: requests start when a clock says so,
//! whether or not the earlier ones were answered, and a latency counts from the moment at which
//! the request *should* have started, so a stall is seen by everyone who would have met it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::{self, Span};
use crate::failure::{Failure, Outcome, said};
use crate::samples::Samples;
use crate::wire::{Ask, Wire};

/// Connections over which a paced load is spread, so that one slow answer holds up few others.
const LANES: usize = 64;

/// What a closed load did.
#[derive(Debug)]
pub struct Load {
    /// Answers a second in the measured window.
    pub rate: f64,
    /// Answers in all, the unmeasured ones included.
    pub total: usize,
    /// Latencies of the measured window.
    pub latencies: Samples,
}

/// Laps of one connection: when each one started and ended.
pub type Laps = Vec<(Instant, Instant)>;

impl Load {
    /// Counts the laps that ended in the measured window.
    pub fn of(laps: &[(Instant, Instant)], start: Instant, span: Span) -> Load {
        let (from, to) = (start + span.warm, start + span.warm + span.window);
        let measured = laps.iter().filter(|(_, end)| (from..to).contains(end));
        let latencies = Samples::new(measured.map(|(start, end)| *end - *start).collect());
        let rate = latencies.len() as f64 / span.window.as_secs_f64();
        Load {
            rate,
            total: laps.len(),
            latencies,
        }
    }
}

/// Opens `count` connections.
pub async fn open(to: SocketAddr, count: usize) -> Outcome<Vec<Wire>> {
    let mut wires = Vec::with_capacity(count);
    for _ in 0..count {
        wires.push(Wire::open(to).await?);
    }
    Ok(wires)
}

/// Waits for all tasks; the first failure ends the others.
pub async fn gather<T: 'static>(mut tasks: JoinSet<Outcome<T>>) -> Outcome<Vec<T>> {
    let mut done = Vec::with_capacity(tasks.len());
    while let Some(joined) = tasks.join_next().await {
        done.push(joined.map_err(|error| Failure::Said(error.to_string()))??);
    }
    Ok(done)
}

/// A closed load of the same request.
pub async fn closed(to: SocketAddr, ask: Ask, connections: usize, span: Span) -> Outcome<Load> {
    let ask = Arc::new(ask);
    let wires = open(to, connections).await?;
    let start = clock::now();
    let end = start + span.warm + span.window;
    let mut tasks = JoinSet::new();
    for mut wire in wires {
        let ask = ask.clone();
        tasks.spawn(async move {
            let mut laps = Laps::new();
            let mut began = start;
            while began < end {
                wire.call(&ask).await?;
                let ended = clock::now();
                laps.push((began, ended));
                began = ended;
            }
            Ok(laps)
        });
    }
    let laps = gather(tasks).await?.concat();
    Ok(Load::of(&laps, start, span))
}

/// What a paced load sends.
pub enum Asks {
    /// The same request every time.
    Same(Ask, usize),
    /// One request each.
    Each(Vec<Ask>),
}

impl Asks {
    fn count(&self) -> usize {
        match self {
            Asks::Same(_, count) => *count,
            Asks::Each(asks) => asks.len(),
        }
    }

    fn get(&self, index: usize) -> Outcome<&Ask> {
        match self {
            Asks::Same(ask, _) => Ok(ask),
            Asks::Each(asks) => asks.get(index).ok_or_else(|| said("no such request")),
        }
    }
}

/// One paced request: which one, when it should have started, when it was answered.
pub type Paced = (usize, Instant, Instant);

/// Sends requests at `rate` a second, in order of their index.
pub async fn paced(to: SocketAddr, asks: Asks, rate: u32) -> Outcome<Vec<Paced>> {
    let (count, asks) = (asks.count(), Arc::new(asks));
    let mut lanes = Vec::with_capacity(LANES);
    let mut tasks = JoinSet::new();
    for mut wire in open(to, LANES).await? {
        let (lane, mut tickets) = mpsc::unbounded_channel::<(usize, Instant)>();
        lanes.push(lane);
        let asks = asks.clone();
        tasks.spawn(async move {
            let mut done = Vec::new();
            while let Some((index, intended)) = tickets.recv().await {
                wire.call(asks.get(index)?).await?;
                done.push((index, intended, clock::now()));
            }
            Ok(done)
        });
    }
    let first = clock::now() + Duration::from_millis(5);
    let pacer = tokio::task::spawn_blocking(move || {
        for (index, lane) in (0..count).zip(lanes.iter().cycle()) {
            let intended = first + offset(index, rate);
            clock::rest_until(intended);
            // A lane that is gone has failed; its own error is what the run reports.
            if lane.send((index, intended)).is_err() {
                return;
            }
        }
    });
    let mut done = gather(tasks).await?.concat();
    pacer.await.map_err(|error| said(error.to_string()))?;
    done.sort_unstable_by_key(|(index, _, _)| *index);
    Ok(done)
}

/// The same request at `rate` a second: how long each took from when it should have started.
pub async fn steady(to: SocketAddr, ask: Ask, rate: u32, span: Span) -> Outcome<Samples> {
    let skipped = requests(rate, span.warm);
    let count = skipped + requests(rate, span.window);
    let paced = paced(to, Asks::Same(ask, count), rate).await?;
    let taken = |(_, intended, answered): &Paced| *answered - *intended;
    Ok(Samples::new(
        paced.iter().skip(skipped).map(taken).collect(),
    ))
}

/// How many requests a rate makes in a time.
pub fn requests(rate: u32, time: Duration) -> usize {
    let count = u128::from(rate) * time.as_micros() / 1_000_000;
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// When the request of this index starts, after the first.
fn offset(index: usize, rate: u32) -> Duration {
    Duration::from_secs_f64(index as f64 / f64::from(rate.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_laps_that_end_in_the_window_count() {
        let start = clock::now();
        let after = |ms| start + Duration::from_millis(ms);
        let span = Span {
            warm: Duration::from_millis(10),
            window: Duration::from_millis(100),
        };
        let laps = [(0, 9), (9, 10), (10, 109), (109, 110), (110, 400)];
        let laps: Laps = laps.map(|(a, b)| (after(a), after(b))).to_vec();
        let load = Load::of(&laps, start, span);
        assert_eq!((load.latencies.len(), load.total), (2, 5));
        assert!((load.rate - 20.0).abs() < 1e-9, "{}", load.rate);
        assert!((load.latencies.at(1_000) - 99.0).abs() < 1e-9);
    }

    #[test]
    fn a_rate_and_a_time_make_a_count() {
        assert_eq!(requests(600, Duration::from_millis(1_500)), 900);
        assert_eq!(requests(1_000, Duration::ZERO), 0);
    }

    #[test]
    fn a_rate_spreads_requests_evenly() {
        assert_eq!(offset(0, 600), Duration::ZERO);
        assert_eq!(offset(600, 600), Duration::from_secs(1));
        assert_eq!(offset(1, 1_000), Duration::from_millis(1));
    }
}
