//! The list of figures: what each one is called, in which unit, against which floor it is held
//! and which target it has to meet. What is measured is in `measure.rs`; this is how it is judged.

use std::collections::BTreeMap;

use crate::samples::median;

/// Figures of all rounds by key, in the order of the rounds.
#[derive(Debug, Default)]
pub struct Figures(BTreeMap<String, Vec<f64>>);

impl Figures {
    /// Adds the figure of one round.
    pub fn add(&mut self, key: impl Into<String>, figure: f64) {
        self.0.entry(key.into()).or_default().push(figure);
    }

    /// The figure of each round; empty where it was not measured.
    pub fn rounds(&self, key: &str) -> &[f64] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// The latest figure; zero where there is none.
    pub fn latest(&self, key: &str) -> f64 {
        self.rounds(key).last().copied().unwrap_or(0.0)
    }

    /// A figure as a share of its floor: the median of the shares of each round, because figure
    /// and floor of one round met the same machine.
    pub fn share(&self, key: &str, floor: &str) -> Option<f64> {
        let pairs = self.rounds(key).iter().zip(self.rounds(floor));
        let shares: Vec<f64> = pairs.map(|(figure, under)| figure / under).collect();
        (!shares.is_empty()).then(|| median(&shares))
    }
}

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// Key of the figure that is the floor.
    pub key: &'static str,
    /// What the table calls it.
    pub name: &'static str,
}

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Target {
    /// Is the target met?
    pub fn met(self, figure: f64) -> bool {
        match self {
            Target::AtLeast(least) => figure >= least,
            Target::AtMost(most) => figure <= most,
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Key of the figure.
    pub key: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Decimals shown.
    pub decimals: usize,
    /// What it is held against.
    pub floor: Option<Floor>,
    /// What it has to be.
    pub target: Option<Target>,
}

const fn line(key: &'static str, what: &'static str, unit: &'static str) -> Line {
    Line {
        key,
        what,
        unit,
        decimals: 0,
        floor: None,
        target: None,
    }
}

impl Line {
    const fn decimals(self, decimals: usize) -> Line {
        Line { decimals, ..self }
    }

    const fn over(self, key: &'static str, name: &'static str) -> Line {
        Line {
            floor: Some(Floor { key, name }),
            ..self
        }
    }

    const fn at_least(self, least: f64) -> Line {
        Line {
            target: Some(Target::AtLeast(least)),
            ..self
        }
    }

    const fn at_most(self, most: f64) -> Line {
        Line {
            target: Some(Target::AtMost(most)),
            ..self
        }
    }
}

/// Creation at a steady rate while something is the matter with a backlog.
const fn creation_with(key: &'static str, what: &'static str) -> Line {
    line(key, what, "ms")
        .decimals(2)
        .over("backlog.none.p99", "without it")
        .at_most(5.0)
}

const SQLITE_64: &str = "SQLite, 64 a commit";
const ECHO: &str = "HTTP echo";

/// The main table.
pub const MAIN: &[Line] = &[
    line("echo.rate", "floor: HTTP echo, 64 connections", "/s"),
    line(
        "floor.1",
        "floor: a creation's rows into SQLite, 1 a commit",
        "/s",
    ),
    line("floor.64", "floor: the same, 64 a commit", "/s"),
    line("floor.256", "floor: the same, 256 a commit", "/s"),
    line("floor.1024", "floor: the same, 1,024 a commit", "/s"),
    line(
        "floor.cycle",
        "floor: a whole cycle's rows into SQLite, 64 a commit",
        "/s",
    ),
    line("create.1.rate", "payment creation, 1 connection", "/s")
        .over("floor.1", "SQLite, 1 a commit"),
    line("create.64.rate", "payment creation, 64 connections", "/s")
        .over("floor.64", SQLITE_64)
        .at_least(12_000.0),
    line(
        "create.64.share",
        "the same, as a share of SQLite at 64 a commit",
        "",
    )
    .decimals(2)
    .at_least(0.5),
    line("create.64.echo", "the same, as a share of HTTP echo", "").decimals(2),
    line("create.256.rate", "payment creation, 256 connections", "/s")
        .over("floor.256", "SQLite, 256 a commit")
        .at_least(20_000.0),
    line("create.paced.p99", "creation p99 at 1,000/s offered", "ms")
        .decimals(2)
        .over("echo.paced.p99", ECHO)
        .at_most(5.0),
    line(
        "cycle.64.rate",
        "create, pay, webhook received, 64 connections",
        "/s",
    )
    .over("floor.cycle", SQLITE_64)
    .at_least(5_000.0),
    line(
        "cycle.64.echo",
        "the same, as a share of a third of HTTP echo",
        "",
    )
    .decimals(2),
    line(
        "paid300.p50",
        "paid to webhook received, p50 at 300/s offered",
        "ms",
    )
    .decimals(2),
    line(
        "paid300.p99",
        "paid to webhook received, p99 at 300/s offered",
        "ms",
    )
    .decimals(2)
    .at_most(5.0),
    line(
        "paid.p50",
        "paid to webhook received, p50 at 600/s offered",
        "ms",
    )
    .decimals(2),
    line(
        "paid.p99",
        "paid to webhook received, p99 at 600/s offered",
        "ms",
    )
    .decimals(2)
    .over("echo.paced.p99", ECHO)
    .at_most(5.0),
    line(
        "answered300.p99",
        "accepted to webhook received, p99 at 300/s offered",
        "ms",
    )
    .decimals(2)
    .at_most(5.0),
    line(
        "answered.p99",
        "accepted to webhook received, p99 at 600/s offered",
        "ms",
    )
    .decimals(2)
    .at_most(5.0),
    line(
        "paid.flat.p50",
        "paid to webhook received, p50 flat out",
        "ms",
    )
    .decimals(2),
    line(
        "paid.flat.p99",
        "paid to webhook received, p99 flat out",
        "ms",
    )
    .decimals(2),
    line(
        "company.alone",
        "webhooks from a backlog to nine endpoints",
        "/s",
    ),
    line("company.share", "the same, beside one that hangs", "")
        .decimals(2)
        .at_least(0.95),
    line(
        "company.steady.share",
        "webhooks to nine endpoints at 200 payments/s, beside one that hangs",
        "",
    )
    .decimals(2)
    .at_least(0.95),
    line(
        "company.loud.p50",
        "accepted to webhook received by the nine, p50 beside one that hangs",
        "ms",
    )
    .decimals(2)
    .over("company.quiet.p50", "without it"),
    line(
        "company.loud.p99",
        "accepted to webhook received by the nine, p99 beside one that hangs",
        "ms",
    )
    .decimals(2)
    .over("company.quiet.p99", "without it")
    .at_most(5.0),
    line(
        "postgres.64.rate",
        "payment creation on PostgreSQL, 64 connections",
        "/s",
    )
    .over("echo.rate", ECHO)
    .at_least(5_000.0),
    line(
        "postgres.cycle.rate",
        "whole cycle on PostgreSQL, 64 connections",
        "/s",
    )
    .over("echo.rate", ECHO),
    line("memory.idle", "memory, idle", "MB")
        .decimals(1)
        .at_most(30.0),
    line("memory.peak", "memory, most under full load", "MB")
        .decimals(1)
        .at_most(128.0),
    line(
        "backlog.memory",
        "memory, most with the backlog, whatever becomes of it",
        "MB",
    )
    .decimals(1)
    .at_most(128.0),
    line("binary", "binary", "MB").decimals(1).at_most(25.0),
    line("start.cold", "start to ready, empty folder", "ms")
        .over("start.echo", "echo server's start")
        .at_most(100.0),
    line("start.again", "start to ready, after the load", "ms")
        .over("start.echo", "echo server's start")
        .at_most(100.0),
    line("backlog.start", "start to ready, with the backlog", "ms")
        .over("start.again", "start without it")
        .at_most(100.0),
    creation_with(
        "backlog.paused.p99",
        "creation p99 at 1,000/s, the backlog waits for a paused endpoint",
    ),
    creation_with("backlog.dead.p99", "the same, for a dead receiver"),
    creation_with("backlog.removed.p99", "the same, while it is removed"),
    creation_with(
        "backlog.resent.p99",
        "the same, while a time range of another is sent again",
    ),
    line("stop", "clean stop after the load", "ms").at_most(10_000.0),
    line(
        "page",
        "checkout page with style and script, over the wire",
        "KB",
    )
    .decimals(1)
    .at_most(50.0),
];

/// Loads whose latencies and processor time are shown in the second table.
pub const LOADS: &[(&str, &str)] = &[
    ("echo", "HTTP echo, 64 connections"),
    ("echo.paced", "HTTP echo, 1,000/s offered"),
    ("create.1", "payment creation, 1 connection"),
    ("create.64", "payment creation, 64 connections"),
    ("create.256", "payment creation, 256 connections"),
    ("create.paced", "payment creation, 1,000/s offered"),
    ("cycle.64", "whole cycle, 64 connections"),
    ("paid300", "pay request to webhook, 300/s offered"),
    ("answered300", "its answer to webhook, 300/s offered"),
    ("paid", "pay request to webhook, 600/s offered"),
    ("answered", "its answer to webhook, 600/s offered"),
    ("paid.flat", "pay request to webhook, flat out"),
    (
        "company.quiet",
        "accepted to webhook, nine endpoints, 200/s offered",
    ),
    ("company.loud", "the same, beside one that hangs"),
    (
        "backlog.none",
        "payment creation to a paused endpoint, 1,000/s offered",
    ),
    ("backlog.paused", "the same with the backlog"),
    ("backlog.dead", "the same, its receiver is dead"),
    ("backlog.removed", "the same, while it is removed"),
    (
        "backlog.resent",
        "the same, while a time range is sent again",
    ),
    (
        "postgres.64",
        "payment creation on PostgreSQL, 64 connections",
    ),
    (
        "postgres.cycle",
        "whole cycle on PostgreSQL, 64 connections",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_taken_round_by_round() {
        let mut figures = Figures::default();
        for (figure, floor) in [(10.0, 20.0), (30.0, 40.0), (10.0, 100.0)] {
            figures.add("a", figure);
            figures.add("b", floor);
        }
        assert_eq!(figures.share("a", "b"), Some(0.5));
        assert_eq!(figures.share("a", "none"), None);
    }

    #[test]
    fn a_target_includes_its_bound() {
        assert!(Target::AtLeast(5.0).met(5.0) && !Target::AtLeast(5.0).met(4.99));
        assert!(Target::AtMost(5.0).met(5.0) && !Target::AtMost(5.0).met(5.01));
    }

    #[test]
    fn no_key_stands_twice() {
        let mut keys: Vec<&str> = MAIN.iter().map(|line| line.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), MAIN.len());
    }
}
