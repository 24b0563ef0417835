//! `florin store`: from one database to another.

use std::ops::ControlFlow;

use ::store::moving::{self, MoveError, Place, Progress, Stage};
use clap::{Args, Subcommand};

use super::progress::{Bar, grouped};
use super::{Problem, cannot, say, start};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Moves everything to another database, compares both, and leaves the first as it is. Stop the
    /// gateway before. A move that was interrupted goes on when it is run again.
    Move(MoveArgs),
}

#[derive(Debug, Args)]
pub(super) struct MoveArgs {
    /// Where everything is: `sqlite:florin-data` (a folder, or a file ending in `.db`) or
    /// `postgres://user@host/database`.
    #[arg(long)]
    from: String,
    /// The empty database to move to, in the same forms. A password is better given as PGPASSWORD
    /// or in ~/.pgpass.
    #[arg(long)]
    to: String,
}

pub(super) fn run(command: &StoreCommand) -> Result<(), Problem> {
    let StoreCommand::Move(args) = command;
    let (from, to) = (place("--from", &args.from)?, place("--to", &args.to)?);
    to.folder().map_or(Ok(()), start::folder)?;
    let mut bar = Bar::new();
    let mut watch = |progress: Progress<'_>| {
        let stage = match progress.stage {
            Stage::Counting => "counting",
            Stage::Copying => "copying",
            Stage::Comparing => "comparing",
            Stage::Chains => "recomputing the ledger's chains",
        };
        let detail = match progress.stage {
            Stage::Chains => "",
            _ => progress.table,
        };
        bar.show(stage, detail, (progress.done, progress.total));
        ControlFlow::Continue(())
    };
    let done = moving::run(&from, &to, start::options(), &mut watch);
    bar.end();
    let moved = done.map_err(|error| match error {
        MoveError::Open(error) => start::unusable(error),
        other => cannot(other),
    })?;
    let mut rows = 0;
    for table in moved.tables.iter().filter(|table| table.rows > 0) {
        rows += table.rows;
        say(&format!(
            "{:<22} {:>14} rows  hash {}",
            table.table,
            grouped(table.rows),
            table.hash.get(..16).unwrap_or_default()
        ));
    }
    if moved.resumed > 0 {
        let resumed = grouped(moved.resumed);
        say(&format!("{resumed} rows were there from an earlier run."));
    }
    say(&format!(
        "{} rows, the same on both sides; {} transfers in unbroken order.\nThe gateway can now be \
         started on the new database, with the same master key. The old one is as it was: do not \
         start a gateway on it again.",
        grouped(rows),
        grouped(moved.transfers)
    ));
    Ok(())
}

/// Reads the address of a database.
fn place(option: &str, text: &str) -> Result<Place, Problem> {
    let form = "sqlite:florin-data or postgres://user@host/database";
    Place::parse(text).ok_or_else(|| Problem::Usage(format!("{option} is {form}")))
}
