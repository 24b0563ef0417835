//! `florin backup` and `florin restore`: the embedded database as one checked file.

use std::path::PathBuf;

use clap::Args;
use store::backup;

use super::progress::{Bar, grouped};
use super::{Problem, failed, say, start};
use crate::operations::ledger;

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// Folder with the database; a gateway may be running on it.
    #[arg(long, env = "FLORIN_DATA", default_value = "./florin-data")]
    data: PathBuf,
    /// The file to write. Its SHA-256 goes into a file beside it that ends with `.sha256`.
    #[arg(long)]
    to: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup; its `.sha256` must be beside it.
    #[arg(long)]
    from: PathBuf,
    /// Folder to put the database into; made if it is missing. It must not have a database yet.
    #[arg(long, env = "FLORIN_DATA", default_value = "./florin-data")]
    data: PathBuf,
}

pub(super) fn back_up(args: &BackupArgs) -> Result<(), Problem> {
    let mut bar = Bar::new();
    let mut watch = |done, total| bar.show("copying", "", (done, total));
    let done = backup::back_up(&start::database(&args.data), &args.to, &mut watch);
    bar.end();
    let made = done.map_err(start::unusable)?;
    let (to, size) = (args.to.display(), grouped(made.bytes));
    say(&format!(
        "{to}: {size} bytes, schema version {}\n  SHA-256 {}\nThe master key is not in it: keep a \
         copy of that apart.",
        made.schema, made.digest
    ));
    Ok(())
}

pub(super) fn restore(args: &RestoreArgs) -> Result<(), Problem> {
    start::folder(&args.data)?;
    let database = start::database(&args.data);
    let mut bar = Bar::new();
    let mut watch = |done, total| bar.show("checking and copying", "", (done, total));
    let done = backup::restore(&args.from, &database, &mut watch);
    bar.end();
    let made = done.map_err(start::unusable)?;
    let (to, size) = (database.display(), grouped(made.bytes));
    say(&format!("{to}: {size} bytes, SHA-256 as written down"));
    if !made.current {
        let version = made.schema;
        say(&format!(
            "Its schema is version {version} and older than this florin, which brings it up to \
             date at the start. Run florin ledger verify after that."
        ));
        return Ok(());
    }
    let store = start::open_read_only(&args.data, None)?;
    let verify = store.read("verify_ledger", ledger::verify);
    let verified = start::runtime()?.block_on(verify).map_err(failed)?;
    store.close();
    if !verified.problems.is_empty() {
        let list = verified.problems.join("\n  ");
        return Err(Problem::Cannot(format!(
            "it was restored, but its ledger is not whole, and was not when it was backed up:\n  \
             {list}"
        )));
    }
    say(&format!(
        "{} transfers in unbroken order: the ledger is whole.\nStart the gateway with the master \
         key that it had.",
        grouped(verified.transfers)
    ));
    Ok(())
}
