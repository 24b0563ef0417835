//! Measures what Florin promises about speed and size, on the machine at hand.
//!
//! Every figure is taken several times, in rounds, with the floors (an echo server, the same rows
//! written straight into SQLite) in the same round, so that a busy or slow machine shows in both.
//! It talks to 127.0.0.1 only. It proves nothing about correctness, but a wrong answer, a lost
//! webhook or an unclean stop ends the run.

mod backlog;
mod chance;
mod clock;
mod cycle;
mod door;
mod drive;
mod echo;
mod failure;
mod figures;
mod floor;
mod grown;
mod learn;
mod measure;
mod pattern;
mod process;
mod receiver;
mod report;
mod samples;
mod schema;
mod server;
mod shop;
mod tills;
mod torture;
mod webhooks;
mod wire;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::failure::{Outcome, said};
use crate::measure::{Company, Plan};

/// Measure Florin's speed and size against floors taken in the same run.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Options {
    /// Seconds each figure is measured in each round.
    #[arg(long, default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// Rounds; the table shows their median, smallest and largest figure.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// One short round: about half a minute, rough figures.
    #[arg(long)]
    quick: bool,
    /// Also measure creations and whole cycles on this PostgreSQL database, in schemas of its own.
    #[arg(long, env = "FLORIN_BENCH_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
    /// Measure that database only, and leave the embedded one out.
    #[arg(long, requires = "postgres")]
    postgres_only: bool,
    /// The server to measure; by default the `florin` beside this program.
    #[arg(long)]
    florin: Option<PathBuf>,
    /// Where the JSON goes.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Leave out the endpoint that hangs beside nine others, and the backlog of a million.
    #[arg(long)]
    no_company: bool,
    /// Fill a database with so many payments and measure what that changes, and nothing else. The
    /// JSON goes into `grown.json` beside the usual one.
    #[arg(long, value_parser = clap::value_parser!(u64).range(2_000..=1_000_000_000))]
    rows: Option<u64>,
    /// How many of them, the newest, have their webhooks and answers to idempotency keys still; the
    /// others are as retention leaves them. Usually all have them.
    #[arg(long, requires = "rows")]
    recent: Option<u64>,
    /// Where filled databases are kept; those that are there already are used as they are. On
    /// PostgreSQL that is the schema bench_filled.
    #[arg(long, requires = "rows")]
    filled: Option<PathBuf>,
    /// Exit with 1 if a target is missed.
    #[arg(long)]
    strict: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve as the echo floor; started by the measurement itself.
    #[command(hide = true)]
    Echo,
    /// Deliver webhooks to receivers that fail, killing the server again and again.
    Torture(torture::Options),
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds from 0.1 to 600".to_owned()),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            // With stderr gone there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "bench: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Answers whether every target was met, or none had to be.
fn run(options: &Options) -> Outcome<bool> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    let plan = plan(options)?;
    match &options.command {
        Some(Command::Echo) => {
            runtime.block_on(echo::serve())?;
            return Ok(true);
        }
        Some(Command::Torture(options)) => {
            return runtime.block_on(torture::run(options, &plan.florin, &plan.folder));
        }
        None => {}
    }
    if let Some(count) = options.rows {
        let filling = grown::Filling {
            count,
            recent: options.recent.unwrap_or(count),
            kept: options.filled.clone(),
        };
        let figures = runtime.block_on(grown::run(&plan, filling.clone()))?;
        std::io::stdout().write_all(grown::table(&filling, &figures).as_bytes())?;
        if let Some(path) = &options.json {
            let mut text = serde_json::to_string_pretty(&grown::json(&filling, &figures))?;
            text.push('\n');
            std::fs::write(path.with_file_name("grown.json"), text)?;
        }
        return Ok(true);
    }
    let figures = runtime.block_on(measure::all(&plan))?;
    let report = report::Report::new(&plan, &figures);
    let mut out = std::io::stdout();
    out.write_all(report.table().as_bytes())?;
    if let Some(path) = &options.json {
        let mut text = serde_json::to_string_pretty(&report)?;
        text.push('\n');
        std::fs::write(path, text)?;
    }
    Ok(!options.strict || report.passed())
}

fn plan(options: &Options) -> Outcome<Plan> {
    let own = std::env::current_exe()?;
    let beside = own
        .parent()
        .ok_or_else(|| said("this program has no folder"))?;
    let (window, rounds) = match options.quick {
        true => (Duration::from_secs(1), 1),
        false => (options.seconds, options.rounds),
    };
    let (events, backlog) = match options.quick {
        true => (500, 100_000),
        false => (3_000, 1_000_000),
    };
    Ok(Plan {
        company: (!options.no_company).then_some(Company { events, backlog }),
        florin: options
            .florin
            .clone()
            .unwrap_or_else(|| beside.join("florin")),
        folder: beside.to_owned(),
        postgres: options.postgres.clone(),
        postgres_only: options.postgres_only,
        window,
        rounds,
    })
}
