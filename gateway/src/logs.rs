//! Log lines on standard error, JSON or text. They never hold a credential, a signing key, a card
//! number or a query string: nothing that logs is handed one.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verbosity {
    /// Only what went wrong on our side.
    Error,
    /// And what looks wrong.
    Warn,
    /// And what the process does.
    Info,
    /// And every request.
    Debug,
}

/// Starts logging; once per process.
pub fn start(format: Format, verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity::Error => Level::ERROR,
        Verbosity::Warn => Level::WARN,
        Verbosity::Info => Level::INFO,
        Verbosity::Debug => Level::DEBUG,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(LevelFilter::from_level(level));
    // A second start in one process (tests) keeps the first.
    let _ = match format {
        Format::Json => tracing::subscriber::set_global_default(
            subscriber
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .finish(),
        ),
        Format::Text => tracing::subscriber::set_global_default(subscriber.finish()),
    };
    std::panic::set_hook(Box::new(|panic| {
        // The place helps us; the message might hold data.
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}
