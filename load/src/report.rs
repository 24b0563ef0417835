//! The figures as a table that can be pasted into a README, and as JSON for machines.

use std::fmt::Write as _;

use serde::Serialize;

use crate::figures::{Figures, LOADS, Line, MAIN, Target};
use crate::measure::{Measured, Plan};
use crate::process::Machine;
use crate::samples::median;

/// Everything that is reported.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    rounds: u32,
    seconds: f64,
    rows: Vec<String>,
    unexpected_webhooks: u64,
    figures: Vec<Entry>,
    loads: Vec<Latency>,
}

#[derive(Debug, Serialize)]
struct Entry {
    key: &'static str,
    what: &'static str,
    unit: &'static str,
    #[serde(skip)]
    decimals: usize,
    median: f64,
    min: f64,
    max: f64,
    rounds: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<Share>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Goal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Share {
    key: &'static str,
    name: &'static str,
    ratio: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// Medians of one load: milliseconds, and microseconds of processor time for each answer.
#[derive(Debug, Serialize)]
struct Latency {
    key: &'static str,
    what: &'static str,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_us: Option<f64>,
}

impl Report {
    /// Puts the figures together. Lines that were not measured are left out.
    pub fn new(plan: &Plan, measured: &Measured) -> Report {
        let figures = &measured.figures;
        Report {
            machine: Machine::here(),
            rounds: plan.rounds,
            seconds: plan.window.as_secs_f64(),
            rows: measured.rows.clone(),
            unexpected_webhooks: measured.unexpected_webhooks,
            figures: MAIN
                .iter()
                .filter_map(|line| Entry::of(line, figures))
                .collect(),
            loads: LOADS
                .iter()
                .filter_map(|(key, what)| Latency::of(key, what, figures))
                .collect(),
        }
    }

    /// Was every target that was measured met?
    pub fn passed(&self) -> bool {
        self.figures.iter().all(|entry| entry.pass != Some(false))
    }

    /// Both tables, as Markdown.
    pub fn table(&self) -> String {
        let mut text = self.heading();
        let mut rows = vec![cells([
            "what",
            "median",
            "smallest – largest",
            "of its floor",
            "target",
            "",
        ])];
        rows.extend(self.figures.iter().map(Entry::cells));
        text += &markdown(&rows);
        text.push('\n');
        let titles = [
            "latency and processor time",
            "p50",
            "p99",
            "longest",
            "server",
            "client",
        ];
        let mut rows = vec![cells(titles)];
        rows.extend(self.loads.iter().map(Latency::cells));
        text += &markdown(&rows);
        text.push('\n');
        text
    }

    fn heading(&self) -> String {
        let Machine {
            cores,
            processor,
            kernel,
            memory_mib,
        } = &self.machine;
        let (rounds, seconds) = (self.rounds, self.seconds);
        let mut text = format!(
            "{cores} cores ({processor}), {memory_mib} MiB, Linux {kernel}; load program included; \
             {rounds} rounds of {seconds} s for each figure.\n"
        );
        for rows in &self.rows {
            let _ = writeln!(text, "In the database {rows}.");
        }
        if self.unexpected_webhooks > 0 {
            let _ = writeln!(text, "{} webhooks came twice.", self.unexpected_webhooks);
        }
        text.push('\n');
        text
    }
}

impl Entry {
    fn of(line: &Line, figures: &Figures) -> Option<Entry> {
        let rounds = figures.rounds(line.key);
        let (first, rest) = rounds.split_first()?;
        let middle = median(rounds);
        let floor = line.floor.and_then(|floor| {
            let ratio = figures.share(line.key, floor.key)?;
            Some(Share {
                key: floor.key,
                name: floor.name,
                ratio,
            })
        });
        Some(Entry {
            key: line.key,
            what: line.what,
            unit: line.unit,
            decimals: line.decimals,
            median: middle,
            min: rest.iter().copied().fold(*first, f64::min),
            max: rest.iter().copied().fold(*first, f64::max),
            rounds: rounds.to_vec(),
            floor,
            target: line.target.map(|target| match target {
                Target::AtLeast(least) => Goal::AtLeast(least),
                Target::AtMost(most) => Goal::AtMost(most),
            }),
            pass: line.target.map(|target| target.met(middle)),
        })
    }

    fn cells(&self) -> Vec<String> {
        let show = |figure| number(figure, self.decimals);
        let unit = match self.unit {
            "" | "/s" => self.unit.to_owned(),
            unit => format!(" {unit}"),
        };
        let spread = match self.rounds.len() {
            1 => String::new(),
            _ => format!("{} – {}", show(self.min), show(self.max)),
        };
        let goal = |sign, figure: f64| {
            // All digits of a target, as it was written: never rounded.
            let written = figure.to_string();
            let decimals = written.find('.').map_or(0, |at| written.len() - at - 1);
            format!("{sign} {}{unit}", number(figure, decimals))
        };
        let floor = self.floor.as_ref();
        vec![
            self.what.to_owned(),
            format!("{}{unit}", show(self.median)),
            spread,
            floor.map_or_else(String::new, |floor| {
                format!("{} × {}", number(floor.ratio, 2), floor.name)
            }),
            self.target
                .as_ref()
                .map_or_else(String::new, |target| match target {
                    Goal::AtLeast(least) => goal("≥", *least),
                    Goal::AtMost(most) => goal("≤", *most),
                }),
            self.pass
                .map_or("", |pass| if pass { "pass" } else { "**miss**" })
                .to_owned(),
        ]
    }
}

impl Latency {
    fn of(key: &'static str, what: &'static str, figures: &Figures) -> Option<Latency> {
        let middle = |name: &str| {
            let rounds = figures.rounds(&format!("{key}.{name}"));
            (!rounds.is_empty()).then(|| median(rounds))
        };
        Some(Latency {
            key,
            what,
            p50_ms: middle("p50")?,
            p99_ms: middle("p99")?,
            max_ms: middle("max")?,
            server_us: middle("server"),
            client_us: middle("client"),
        })
    }

    fn cells(&self) -> Vec<String> {
        let time = |figure| format!("{} ms", number(figure, 2));
        let each = |figure: Option<f64>| {
            figure.map_or_else(String::new, |figure| format!("{} µs", number(figure, 0)))
        };
        let (server, client) = (each(self.server_us), each(self.client_us));
        let times = [self.p50_ms, self.p99_ms, self.max_ms].map(time);
        [
            vec![self.what.to_owned()],
            times.to_vec(),
            vec![server, client],
        ]
        .concat()
    }
}

fn cells<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// A figure with a comma between thousands.
fn number(figure: f64, decimals: usize) -> String {
    let text = format!("{figure:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// A Markdown table whose columns also line up as plain text; the first row is the heading.
fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let length = |cell: &String| cell.chars().count();
    let widest = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(length).max();
    let widths: Vec<usize> = (0..columns)
        .map(|at| widest(at).unwrap_or(0).max(3))
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match at {
                0 => write!(text, "| {cell:<width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text.push_str("|\n");
        if index == 0 {
            for (at, width) in widths.iter().enumerate() {
                let line = "-".repeat(width - usize::from(at > 0));
                let _ = write!(text, "| {line}{} ", if at > 0 { ":" } else { "" });
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(figures: &[(&str, f64)]) -> Report {
        let mut measured = Measured::default();
        for (key, figure) in figures {
            measured.figures.add(*key, *figure);
        }
        let window = std::time::Duration::from_secs(1);
        let plan = Plan {
            florin: "florin".into(),
            folder: ".".into(),
            postgres: None,
            postgres_only: false,
            window,
            rounds: 1,
            company: None,
        };
        Report::new(&plan, &measured)
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(number(1_234_567.4, 0), "1,234,567");
        assert_eq!(number(999.5, 1), "999.5");
        assert_eq!(number(1_000.25, 2), "1,000.25");
        assert_eq!(number(-1_000.0, 0), "-1,000");
        assert_eq!(number(-100.0, 0), "-100");
    }

    #[test]
    fn a_missed_target_shows_and_counts() {
        let good = report(&[("create.64.rate", 12_000.0), ("floor.64", 24_000.0)]);
        assert!(good.passed());
        let line = good
            .table()
            .lines()
            .find(|line| line.contains("64 connections"))
            .unwrap()
            .to_owned();
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(
            cells[2..7],
            [
                "12,000/s",
                "",
                "0.50 × SQLite, 64 a commit",
                "≥ 12,000/s",
                "pass"
            ]
        );
        let share = report(&[("company.share", 0.951)]);
        assert!(share.table().contains("≥ 0.95 "), "{}", share.table());
        let bad = report(&[("create.64.rate", 11_999.0)]);
        assert!(!bad.passed());
        assert!(bad.table().contains("**miss**"));
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        let report = report(&[("memory.idle", 12.3)]);
        assert!(!report.table().contains("PostgreSQL"));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["figures"][0]["key"], "memory.idle");
        assert_eq!(json["figures"][0]["target"]["at_most"], 30.0);
        assert_eq!(json["figures"][0]["pass"], true);
    }

    #[test]
    fn tables_line_up() {
        let text = markdown(&[cells(["a", "b"]), cells(["longer", "µ"])]);
        assert_eq!(
            text,
            "| a      |   b |\n| ------ | --: |\n| longer |   µ |\n"
        );
    }
}
