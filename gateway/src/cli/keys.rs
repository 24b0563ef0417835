//! `florin keys`: the API keys of a merchant.

use clap::{Args, Subcommand};
use serde_json::json;

use super::door::{Door, DoorArgs, segment};
use super::webhooks::{pretty, rows, text};
use super::{Problem, say, start};
use crate::config::span;

/// What can be done about keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Lists the keys by name; a key itself is shown once, when it is made.
    List(ListArgs),
    /// Makes another key beside those there are: for a second person, or to replace one.
    New(NewArgs),
    /// Ends a key at once; with a client secret of vipps end its access tokens.
    End(EndArgs),
    /// Shows what an API's webhooks are signed with, or makes a new one.
    Password(PasswordArgs),
}

/// Options of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `new`.
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Which API it opens: `hitpay`, `numipay` or `vipps`.
    api: String,
    /// What it is for, with `vipps`: `client` (an id with its secret) or `subscription`.
    #[arg(long)]
    what: Option<String>,
    /// Your own name for it.
    #[arg(long)]
    label: Option<String>,
    /// How long it works, for example 90d; for ever, if it is left out.
    #[arg(long = "for", value_name = "TIME")]
    life: Option<String>,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `end`.
#[derive(Debug, Args)]
pub(super) struct EndArgs {
    /// The key's name, as `list` shows it.
    key: String,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `password`.
#[derive(Debug, Args)]
pub(super) struct PasswordArgs {
    /// Which API: `hitpay` (its salt) or `numipay` (its signature password).
    api: String,
    /// Makes a new one. Webhooks are signed with it at once, those that wait too.
    #[arg(long)]
    new: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Does a command of the group.
pub(super) fn run(command: &KeysCommand) -> Result<(), Problem> {
    let asked = async {
        match command {
            KeysCommand::List(args) => list(args).await,
            KeysCommand::New(args) => new(args).await,
            KeysCommand::Password(args) => {
                let path = format!("/passwords/{}", segment(&args.api));
                let door = Door::new(&args.door);
                let answer = if args.new {
                    door.post(&path, None).await?
                } else {
                    door.get(&path, &[]).await?
                };
                say(text(&answer, "password"));
                Ok(())
            }
            KeysCommand::End(args) => {
                let path = format!("/keys/{}/end", segment(&args.key));
                Door::new(&args.door).post(&path, None).await?;
                say(&format!("{} is ended.", args.key));
                Ok(())
            }
        }
    };
    start::runtime()?.block_on(asked)
}

async fn list(args: &ListArgs) -> Result<(), Problem> {
    let answer = Door::new(&args.door).get("/keys", &[]).await?;
    if args.json {
        say(&pretty(&answer));
        return Ok(());
    }
    say(&format!(
        "{:<16}  {:<9}  {:<12}  {:<8}  {:<24}  {:<24}  {}",
        "key", "api", "for", "state", "since", "until", "label"
    ));
    for key in rows(&answer, "keys") {
        let until = match text(key, "ended_at") {
            "-" => text(key, "expires_at"),
            ended => ended,
        };
        say(&format!(
            "{:<16}  {:<9}  {:<12}  {:<8}  {:<24}  {:<24}  {}",
            text(key, "key"),
            text(key, "api"),
            text(key, "what"),
            text(key, "state"),
            text(key, "created_at"),
            until,
            text(key, "label"),
        ));
    }
    Ok(())
}

async fn new(args: &NewArgs) -> Result<(), Problem> {
    let life = match &args.life {
        None => None,
        Some(text) => {
            let life = span(text).map_err(|error| Problem::Usage(format!("--for {error}")))?;
            Some(life.millis())
        }
    };
    let body = json!({"api": args.api, "what": args.what, "label": args.label, "life": life});
    let answer = Door::new(&args.door).post("/keys", Some(body)).await?;
    let until = match text(&answer, "expires_at") {
        "-" => String::new(),
        end => format!("\n  until  {end}"),
    };
    let id = match text(&answer, "id") {
        "-" => String::new(),
        id => format!("  id     {id}\n"),
    };
    say(&format!(
        "{id}  key    {}\n  name   {}{until}\nThe key is not shown again.",
        text(&answer, "secret"),
        text(&answer, "key"),
    ));
    Ok(())
}
