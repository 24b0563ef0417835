//! `florin webhooks endpoints`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::super::door::{Door, DoorArgs, segment};
use super::super::visible::visible;
use super::super::{Problem, say};
use super::{pretty, rows, text};

/// What can be done about endpoints.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum EndpointsCommand {
    /// Lists the endpoints and how they have been doing.
    List(ListArgs),
    /// Shows one, also after it was removed: how it has been doing, what was done to it by whom.
    Show(ShowArgs),
    /// Registers one and prints its secret, this once.
    Add(AddArgs),
    /// Holds an endpoint's deliveries back.
    Pause(OneArgs),
    /// Sends what waited for an endpoint.
    Resume(OneArgs),
    /// Sends a test event to an endpoint.
    Test(OneArgs),
    /// Gives an endpoint a new secret; the old one stays valid beside it for a day.
    Rotate(RotateArgs),
    /// Removes an endpoint; what waits for it is given up.
    Remove(OneArgs),
    /// Takes a removal back; `list --removed` shows what was removed.
    Restore(OneArgs),
}

/// Options of `list`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Those that were removed, the last one first.
    #[arg(long)]
    removed: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `show`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The endpoint (`end_…`).
    endpoint: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `add`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// Where deliveries go.
    url: String,
    /// Only these events, separated by commas; `payment.*` stands for all that begin so.
    #[arg(long, value_delimiter = ',')]
    events: Vec<String>,
    /// Your own name for it.
    #[arg(long)]
    label: Option<String>,
    /// `standard` for the events of every dialect, or a dialect's name for its own webhooks.
    #[arg(long, default_value = "standard")]
    scheme: String,
    #[command(flatten)]
    door: DoorArgs,
}

/// A command about one endpoint.
#[derive(Debug, Args)]
pub(in crate::cli) struct OneArgs {
    /// The endpoint (`end_…`).
    endpoint: String,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `rotate`.
#[derive(Debug, Args)]
pub(in crate::cli) struct RotateArgs {
    /// The endpoint (`end_…`).
    endpoint: String,
    /// Ends the old one at once: somebody else knows it.
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Does a command of the group.
pub(super) async fn run(command: &EndpointsCommand) -> Result<(), Problem> {
    match command {
        EndpointsCommand::List(args) => list(args).await,
        EndpointsCommand::Show(args) => show(args).await,
        EndpointsCommand::Add(args) => add(args).await,
        EndpointsCommand::Pause(args) => one(args, "pause", "is paused").await,
        EndpointsCommand::Resume(args) => one(args, "resume", "is resumed").await,
        EndpointsCommand::Test(args) => one(args, "test", "gets a test event").await,
        EndpointsCommand::Remove(args) => one(args, "remove", "is removed").await,
        EndpointsCommand::Restore(args) => one(args, "restore", "is active again").await,
        EndpointsCommand::Rotate(args) => rotate(args).await,
    }
}

async fn rotate(args: &RotateArgs) -> Result<(), Problem> {
    let path = format!("/endpoints/{}/rotate", segment(&args.endpoint));
    let body = json!({"now": args.now});
    let answer = Door::new(&args.door).post(&path, Some(body)).await?;
    let until = text(&answer, "old_until");
    let both = answer.get("both_sign").and_then(Value::as_bool);
    let meanwhile = match both {
        _ if args.now => "The old one has ended: the new one alone signs.".to_owned(),
        Some(true) => format!("Until {until} both sign every webhook, then the new one alone."),
        Some(false) | None => format!(
            "Until {until} the old one signs, and the header Florin-Next-Authorization has the \
             new one's signature; then the new one alone signs."
        ),
    };
    say(&format!(
        "New secret: {}\n{meanwhile}\nThis is not shown again.",
        text(&answer, "secret")
    ));
    Ok(())
}

async fn list(args: &ListArgs) -> Result<(), Problem> {
    let removed = args.removed.then_some("true");
    let answer = Door::new(&args.door)
        .get("/endpoints", &[("removed", removed)])
        .await?;
    if args.json {
        say(&pretty(&answer));
        return Ok(());
    }
    let found = rows(&answer, "endpoints");
    if found.is_empty() && args.removed {
        say("No endpoint was removed.");
    } else if found.is_empty() {
        say("No endpoints. Register one with `florin webhooks endpoints add <URL>`.");
    }
    for row in found {
        say(&summary(row));
    }
    Ok(())
}

async fn show(args: &ShowArgs) -> Result<(), Problem> {
    let path = format!("/endpoints/{}", segment(&args.endpoint));
    let answer = Door::new(&args.door).get(&path, &[]).await?;
    if args.json {
        say(&pretty(&answer));
        return Ok(());
    }
    let mut shown = summary(&answer);
    for entry in rows(&answer, "history") {
        let (at, what, by) = (text(entry, "at"), text(entry, "what"), text(entry, "by"));
        let details = visible(text(entry, "details"));
        shown.push_str(&format!("\n  {at}  {what:<20}  {by:<12}  {details}"));
    }
    say(&shown);
    Ok(())
}

/// An endpoint in a few lines.
fn summary(row: &Value) -> String {
    let failures = row.get("failures").and_then(Value::as_u64).unwrap_or(0);
    let health = match failures {
        0 => String::new(),
        many => format!(
            ", {many} failed attempts since {}",
            text(row, "failing_since")
        ),
    };
    let removal = match row.get("removed_at").and_then(Value::as_str) {
        Some(at) => format!("\n  will be removed on {at} if nothing reaches it before"),
        None => String::new(),
    };
    let paused = match row.get("since").and_then(Value::as_str) {
        Some(since) => format!(" since {since}, {}", text(row, "why")),
        None => String::new(),
    };
    let events: Vec<_> = rows(row, "events")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let label = row.get("label").and_then(Value::as_str);
    let label = label.map_or_else(String::new, |label| format!("  \"{}\"", visible(label)));
    format!(
        "{}  {}{paused}{health}{label}\n  {}  {} ({})\n  the dialect's id  {}{removal}{}",
        text(row, "id"),
        text(row, "state"),
        text(row, "url"),
        text(row, "scheme"),
        events.join(", "),
        text(row, "dialect_id"),
        doubles(row),
    )
}

/// A warning if others get the same at the same address.
fn doubles(row: &Value) -> String {
    match row.get("doubles").and_then(Value::as_u64).unwrap_or(0) {
        0 => String::new(),
        1 => "\n  Warning: another endpoint at this address gets some of the same events, each of \
              which arrives twice."
            .to_owned(),
        many => format!(
            "\n  Warning: {many} other endpoints at this address get some of the same events, \
             which arrive once for each."
        ),
    }
}

async fn add(args: &AddArgs) -> Result<(), Problem> {
    let body = json!({
        "scheme": args.scheme,
        "url": args.url,
        "events": args.events,
        "label": args.label,
    });
    let answer = Door::new(&args.door).post("/endpoints", Some(body)).await?;
    let secret = match answer.get("secret").and_then(Value::as_str) {
        Some(secret) => format!("  secret  {secret}\nIt is not shown again."),
        None => "It is signed with the account's own secret.".to_owned(),
    };
    say(&format!(
        "{}  {}\n{secret}{}",
        text(&answer, "id"),
        text(&answer, "url"),
        doubles(&answer),
    ));
    Ok(())
}

async fn one(args: &OneArgs, action: &str, done: &str) -> Result<(), Problem> {
    let path = format!("/endpoints/{}/{action}", segment(&args.endpoint));
    Door::new(&args.door).post(&path, None).await?;
    say(&format!("{} {done}.", args.endpoint));
    Ok(())
}
