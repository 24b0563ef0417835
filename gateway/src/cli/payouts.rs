//! `florin payouts`: which payouts wait for somebody's yes, and the yes or no.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::door::{Door, DoorArgs, segment};
use super::webhooks::{pretty, rows, text};
use super::{Problem, say, start};

/// What can be done about payouts.
#[derive(Debug, Subcommand)]
pub(super) enum PayoutsCommand {
    /// Lists payouts, newest first: those that wait for approval, or those of another state.
    List(ListArgs),
    /// Shows one payout and who did what to it.
    Show(ShowArgs),
    /// Lets payouts go. They are paid out and cannot be called back.
    Approve(SomeArgs),
    /// Turns payouts down; their money is free again.
    Reject(SomeArgs),
}

/// Options of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// `awaiting_user`, `awaiting_approval`, `processing`, `paid`, `rejected`, `cancelled`,
    /// `expired` or `all`.
    #[arg(long, default_value = "awaiting_approval")]
    state: String,
    /// How many, up to 200.
    #[arg(long, default_value = "50")]
    limit: u32,
    /// Only those before this one (`out_…`): the next page.
    #[arg(long)]
    before: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The payout: its id (`out_…`), its transaction id, or the merchant's tracking id.
    payout: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// A command about some payouts.
#[derive(Debug, Args)]
pub(super) struct SomeArgs {
    /// The payouts, each by its id (`out_…`), its transaction id, or the merchant's tracking id.
    #[arg(required = true)]
    payouts: Vec<String>,
    #[command(flatten)]
    door: DoorArgs,
}

/// Does a command of the group.
pub(super) fn run(command: &PayoutsCommand) -> Result<(), Problem> {
    let asked = async {
        match command {
            PayoutsCommand::List(args) => list(args).await,
            PayoutsCommand::Show(args) => show(args).await,
            PayoutsCommand::Approve(args) => decide(args, "approve").await,
            PayoutsCommand::Reject(args) => decide(args, "reject").await,
        }
    };
    start::runtime()?.block_on(asked)
}

async fn list(args: &ListArgs) -> Result<(), Problem> {
    let limit = args.limit.to_string();
    let query = [
        ("state", Some(args.state.as_str())),
        ("before", args.before.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let answer = Door::new(&args.door).get("/payouts", &query).await?;
    if args.json {
        say(&pretty(&answer));
        return Ok(());
    }
    let rows = rows(&answer, "payouts");
    if rows.is_empty() {
        say(&match args.state.as_str() {
            "all" => "No payouts.".to_owned(),
            state => format!("No payout is {}.", state.replace('_', " ")),
        });
        return Ok(());
    }
    say(&format!(
        "{:<36}  {:<15}  {:<17}  {:>16}  {:<24}  {}",
        "payout", "transaction", "state", "amount", "tracking id", "waits until"
    ));
    for row in rows {
        say(&format!(
            "{:<36}  {:<15}  {:<17}  {:>16}  {:<24}  {}{}",
            text(row, "id"),
            text(row, "transaction_id"),
            text(row, "state"),
            amount(row),
            text(row, "tracking_id"),
            text(row, "due_at"),
            if needs_another(row) {
                "  (two persons)"
            } else {
                ""
            },
        ));
    }
    Ok(())
}

fn amount(row: &Value) -> String {
    format!("{} {}", text(row, "currency"), text(row, "amount"))
}

fn needs_another(row: &Value) -> bool {
    row.get("two_persons").and_then(Value::as_bool) == Some(true)
}

async fn show(args: &ShowArgs) -> Result<(), Problem> {
    let path = format!("/payouts/{}", segment(&args.payout));
    let answer = Door::new(&args.door).get(&path, &[]).await?;
    if args.json {
        say(&pretty(&answer));
        return Ok(());
    }
    let requested = match text(&answer, "key") {
        "-" => text(&answer, "requested_by").to_owned(),
        label => format!("{} ({label})", text(&answer, "requested_by")),
    };
    let mut shown = format!(
        "{}  {}\n  amount      {}\n  transaction {}\n  tracking id {}\n  customer    {}\n  \
         provider    {}\n  requested   {} by {requested}\n",
        text(&answer, "id"),
        text(&answer, "state"),
        amount(&answer),
        text(&answer, "transaction_id"),
        text(&answer, "tracking_id"),
        text(&answer, "user_id"),
        text(&answer, "provider"),
        text(&answer, "created_at"),
    );
    for (label, name) in [
        ("name       ", "name"),
        ("email      ", "email"),
        ("purpose    ", "purpose"),
        ("waits until", "due_at"),
        ("reason     ", "reason"),
    ] {
        if text(&answer, name) != "-" {
            shown.push_str(&format!("  {label} {}\n", text(&answer, name)));
        }
    }
    if needs_another(&answer) {
        shown.push_str("  It takes another person than the one who requested it.\n");
    }
    for entry in rows(&answer, "history") {
        shown.push_str(&format!(
            "  {}  {}  by {}\n",
            text(entry, "at"),
            text(entry, "did"),
            text(entry, "by")
        ));
    }
    say(shown.trim_end());
    Ok(())
}

/// One after the other; the first that cannot be done ends it, and those before it stay done.
async fn decide(args: &SomeArgs, deed: &str) -> Result<(), Problem> {
    let door = Door::new(&args.door);
    for payout in &args.payouts {
        let path = format!("/payouts/{}/{deed}", segment(payout));
        let answer = door.post(&path, None).await?;
        let said = if deed == "approve" {
            "is approved; the provider has it"
        } else {
            "is rejected; its money is free again"
        };
        say(&format!("{payout} ({}) {said}.", amount(&answer)));
    }
    Ok(())
}
