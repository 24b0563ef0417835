//! The commands of `florin`. What they print is for people; bad options exit 2 with the accepted
//! form, anything that cannot be done exits 1 with one clear line.

mod backup;
mod door;
mod giftcards;
mod greeting;
mod keys;
mod ledger;
mod listen;
mod merchants;
mod payouts;
mod progress;
mod providers;
mod sandbox;
mod serve;
mod start;
mod store;
mod trigger;
mod visible;
mod webhooks;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::logs::{Format, Verbosity};

const TEACH: &str = "\
First steps:
  florin sandbox                       the whole gateway in test mode; prints a curl to paste
  florin ledger verify --data florin-data
                                       proves that the books are whole, also while it runs
  florin webhooks verify --secret … request.txt
                                       says whether a webhook is genuine, and if not, why
  florin listen --forward-to http://localhost:3000/hook
                                       events live, handed on to your own receiver
  florin trigger bill.paid             makes it happen
  florin payouts list                  what waits for your approval

In production:
  openssl rand -hex 32 > master.key && chmod 600 master.key
  florin serve --config florin.toml    see README.md for the file
  florin backup --to shop.backup       one checked file, while the gateway runs
  florin merchants add --config florin.toml --name \"My Shop\" --currency SGD --mode test

Every option of `sandbox` can be given in the environment: FLORIN_LISTEN, FLORIN_DATA, …";

/// A payment gateway in one binary: HitPay-compatible payment requests, a hosted checkout, signed
/// webhooks, a double-entry ledger, and a sandbox that works offline.
#[derive(Debug, Parser)]
#[command(name = "florin", version, after_help = TEACH, max_term_width = 100)]
struct Florin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the whole gateway in test mode with a demo shop; nothing else to install.
    Sandbox(SandboxArgs),
    /// Runs the gateway in production, from a configuration file.
    Serve(ConfigArgs),
    /// Shows events live and hands them on, signed, to an address of yours.
    Listen(listen::ListenArgs),
    /// Makes an event really happen in a running sandbox, through the simulator.
    Trigger(trigger::TriggerArgs),
    /// Looks after the ledger.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Looks after merchants and their keys.
    #[command(subcommand)]
    Merchants(MerchantsCommand),
    /// Lists, approves and rejects payouts.
    #[command(subcommand)]
    Payouts(payouts::PayoutsCommand),
    /// Looks after the ways a merchant takes and sends money, and their rules.
    #[command(subcommand)]
    Providers(providers::ProvidersCommand),
    /// Makes, lists and ends API keys.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Looks after webhooks.
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),
    /// Issues gift cards and looks after them.
    #[command(subcommand)]
    Giftcards(giftcards::GiftCardsCommand),
    /// Copies the embedded database to one checked file, also while the gateway runs.
    Backup(backup::BackupArgs),
    /// Puts a backup where there is no database yet, after checking it.
    Restore(backup::RestoreArgs),
    /// Moves between databases.
    #[command(subcommand)]
    Store(store::StoreCommand),
}

#[derive(Debug, Args)]
struct SandboxArgs {
    /// A file (TOML) with settings of the APIs and of webhooks, the same as for `serve`. What is
    /// given here as an option too counts as the option says.
    #[arg(long, env = "FLORIN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080].
    #[arg(long, env = "FLORIN_LISTEN")]
    listen: Option<String>,
    /// Folder for the database and the credentials; made if it is missing [default:
    /// ./florin-data].
    #[arg(long, env = "FLORIN_DATA")]
    data: Option<PathBuf>,
    /// A PostgreSQL to use in place of the folder's database: `postgres://user@host/database`. The
    /// password is better given as PGPASSWORD or in ~/.pgpass.
    #[arg(
        long,
        env = "FLORIN_DATABASE",
        hide_env_values = true,
        value_name = "URL"
    )]
    database: Option<String>,
    /// How browsers reach it, if not by the address above.
    #[arg(long, env = "FLORIN_PUBLIC_URL")]
    public_url: Option<String>,
    /// How long a receiver of webhooks may take, for example 5s; each scheme has its own if none
    /// is given.
    #[arg(long)]
    webhook_timeout: Option<String>,
    /// How log lines look [default: text].
    #[arg(long, env = "FLORIN_LOG_FORMAT")]
    log_format: Option<Format>,
    /// What is logged [default: info].
    #[arg(long, env = "FLORIN_LOG_LEVEL")]
    log_level: Option<Verbosity>,
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file (TOML).
    #[arg(long, env = "FLORIN_CONFIG")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Checks every chain, every sum and every payment; exits 1 if anything is wrong.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// Folder with the database.
    #[arg(long, env = "FLORIN_DATA", default_value = "./florin-data")]
    data: PathBuf,
    /// A PostgreSQL to use in place of the folder's database: `postgres://user@host/database`. The
    /// password is better given as PGPASSWORD or in ~/.pgpass.
    #[arg(
        long,
        env = "FLORIN_DATABASE",
        hide_env_values = true,
        value_name = "URL"
    )]
    database: Option<String>,
}

#[derive(Debug, Subcommand)]
enum MerchantsCommand {
    /// Adds a merchant and prints its credentials for every API, this once.
    Add(AddArgs),
    /// Lists the merchants.
    List(ConfigArgs),
}

#[derive(Debug, Args)]
struct AddArgs {
    /// The configuration file (TOML).
    #[arg(long, env = "FLORIN_CONFIG")]
    config: PathBuf,
    /// The name that payers see.
    #[arg(long)]
    name: String,
    /// The currency of its default link.
    #[arg(long, default_value = "SGD")]
    currency: String,
    /// `test` (the simulator moves the money) or `live`.
    #[arg(long, default_value = "test")]
    mode: String,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
enum Problem {
    /// An option or a setting is wrong: exit 2.
    Usage(String),
    /// It cannot be done: exit 1.
    Cannot(String),
}

/// Reads the command line and does it.
pub fn main() -> ExitCode {
    let florin = Florin::parse();
    let done = match florin.command {
        Command::Sandbox(args) => sandbox::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Listen(args) => listen::listen(&args),
        Command::Trigger(args) => trigger::run(&args),
        Command::Ledger(LedgerCommand::Verify(args)) => ledger::verify(&args),
        Command::Merchants(MerchantsCommand::Add(args)) => merchants::add(&args),
        Command::Merchants(MerchantsCommand::List(args)) => merchants::list(&args),
        Command::Payouts(command) => payouts::run(&command),
        Command::Providers(command) => providers::run(&command),
        Command::Keys(command) => keys::run(&command),
        Command::Webhooks(command) => webhooks::run(&command),
        Command::Giftcards(command) => giftcards::run(&command),
        Command::Backup(args) => backup::back_up(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Store(command) => store::run(&command),
    };
    let (code, message) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Problem::Usage(message)) => (2, message),
        Err(Problem::Cannot(message)) => (1, message),
    };
    // Nobody may be listening on standard error; the exit code says it as well.
    let _ = writeln!(std::io::stderr(), "florin: {message}");
    ExitCode::from(code)
}

/// Prints a text on standard output. A closed pipe is no reason to fail.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

fn cannot(error: impl std::fmt::Display) -> Problem {
    Problem::Cannot(error.to_string())
}

/// A failure of an operation, for an operator.
fn failed(failure: ::store::Failure) -> Problem {
    match failure {
        ::store::Failure::Refused(refusal) => {
            Problem::Cannot(format!("refused: {}", refusal.name()))
        }
        ::store::Failure::Fault(fault) | ::store::Failure::Unknown(fault) => {
            Problem::Cannot(fault.for_people().to_owned())
        }
    }
}
