//! `florin giftcards`: issue and import cards, look at one, stop it, replace it, and what is owed.
//!
//! A number and its code are printed once, when a card is issued; afterwards nobody can.

mod batch;
mod csv;
mod report;

use std::io::BufRead;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::door::{Door, DoorArgs};
use super::{Problem, say, start};

/// What can be done about gift cards.
#[derive(Debug, Subcommand)]
pub(super) enum GiftCardsCommand {
    /// Issues cards of one amount with new numbers; prints the numbers and codes, this once.
    Issue(batch::IssueArgs),
    /// Issues the cards of a CSV file; goes on with one that was interrupted.
    Import(batch::ImportArgs),
    /// Shows a card with its history.
    Show(ShowArgs),
    /// Lets a card be used that was issued inactive.
    Activate(ChangeArgs),
    /// Stops a card.
    Block(ChangeArgs),
    /// Lets a blocked card go again; wrong tries so far are forgotten.
    Unblock(ChangeArgs),
    /// Adds money to a card.
    TopUp(TopUpArgs),
    /// Gives a new card for a lost one: what is left moves, the old number is dead.
    Replace(ChangeArgs),
    /// Moves what is left on a lost card to another card.
    Transfer(TransferArgs),
    /// Gives back what gift cards paid of a payment, whichever API it came through.
    GiveBack(GiveBackArgs),
    /// What is owed to those who hold cards, held against the ledger; exits 1 if they differ.
    Report(ReportArgs),
    /// Shows or changes how the merchant runs its gift cards.
    Programme(ProgrammeArgs),
}

/// Options of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The card: its number, the last five digits, or its id (`card_…`); `-` reads it from
    /// standard input, so that no number stays in the shell's history.
    card: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// A change of one card.
#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    /// The card: its number, the last five digits, or its id (`card_…`); `-` reads it from
    /// standard input.
    card: String,
    /// Why; it stays in the card's history and in the audit log.
    #[arg(long)]
    reason: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `top-up`.
#[derive(Debug, Args)]
pub(super) struct TopUpArgs {
    /// How much, in the card's currency: `100.00`.
    #[arg(long)]
    amount: String,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Options of `transfer`.
#[derive(Debug, Args)]
pub(super) struct TransferArgs {
    /// The card that gets what is left.
    #[arg(long)]
    to: String,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Options of `give-back`.
#[derive(Debug, Args)]
pub(super) struct GiveBackArgs {
    /// The payment: its id as its API shows it, or the id of one card's part of it.
    payment: String,
    /// Why; it stays in the cards' history and in the audit log.
    #[arg(long)]
    reason: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `programme`; those that are left out stay as they are.
#[derive(Debug, Args)]
pub(super) struct ProgrammeArgs {
    /// What every new number begins with.
    #[arg(long)]
    prefix: Option<String>,
    /// Digits of a new number, 12 to 19.
    #[arg(long)]
    digits: Option<usize>,
    /// The time zone in which a card's last day ends: `Europe/Oslo`.
    #[arg(long)]
    zone: Option<String>,
    /// Months that a card is good for.
    #[arg(long)]
    months: Option<u32>,
    /// May tills use a card without its code?
    #[arg(long)]
    card_present: Option<bool>,
    /// The merchant's shops (6 digits each), separated by commas: a payment that names another one
    /// is refused; empty: any 6 digits are a shop.
    #[arg(long)]
    shops: Option<String>,
    /// Where payers go from the page of an iGivePay payment that names no address; empty for none.
    #[arg(long)]
    return_url: Option<String>,
    /// Methods that may pay the rest on the same page, separated by commas; empty for none.
    #[arg(long)]
    rest_by: Option<String>,
    /// Are gift cards offered on the pages of all APIs?
    #[arg(long)]
    everywhere: Option<bool>,
    #[command(flatten)]
    door: DoorArgs,
}

/// Does a command of the group.
pub(super) fn run(command: &GiftCardsCommand) -> Result<(), Problem> {
    let asked = async {
        match command {
            GiftCardsCommand::Issue(args) => batch::issue(args).await,
            GiftCardsCommand::Import(args) => batch::import(args).await,
            GiftCardsCommand::Show(args) => show(args).await,
            GiftCardsCommand::Activate(args) => change(args, "activate", None).await,
            GiftCardsCommand::Block(args) => change(args, "block", None).await,
            GiftCardsCommand::Unblock(args) => change(args, "unblock", None).await,
            GiftCardsCommand::TopUp(args) => {
                change(&args.change, "top-up", Some(&args.amount)).await
            }
            GiftCardsCommand::Replace(args) => replace(args).await,
            GiftCardsCommand::Transfer(args) => transfer(args).await,
            GiftCardsCommand::GiveBack(args) => give_back(args).await,
            GiftCardsCommand::Report(args) => report::report(args).await,
            GiftCardsCommand::Programme(args) => programme(args).await,
        }
    };
    start::runtime()?.block_on(asked)
}

/// The card as it was named; from standard input for `-`.
fn named(card: &str) -> Result<String, Problem> {
    if card != "-" {
        return Ok(card.to_owned());
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(super::cannot)?;
    match line.trim() {
        "" => Err(Problem::Usage("standard input names no card".to_owned())),
        card => Ok(card.to_owned()),
    }
}

async fn show(args: &ShowArgs) -> Result<(), Problem> {
    let body = json!({"card": named(&args.card)?});
    let door = Door::new(&args.door);
    let answer = door.post("/giftcards/find", Some(body)).await?;
    if args.json {
        say(&pretty(&answer));
        return Ok(());
    }
    let shown: Vec<String> = rows(&answer, "cards").iter().map(card_text).collect();
    say(shown.join("\n\n").trim_end());
    Ok(())
}

fn card_text(card: &Value) -> String {
    let vendors = rows(card, "vendors");
    let vendors: Vec<&str> = vendors.iter().filter_map(Value::as_str).collect();
    let good = match vendors.as_slice() {
        [] => "all shops of the merchant".to_owned(),
        some => format!("shops {}", some.join(", ")),
    };
    let mut shown = format!(
        "{}  ending in {}  {}\n  balance   {} {}, {} of it held\n  last day  {}\n  \
         good at   {good}\n  issued    {}\n",
        text(card, "id"),
        text(card, "last5"),
        text(card, "state"),
        text(card, "currency"),
        text(card, "balance"),
        text(card, "held"),
        text(card, "last_day"),
        text(card, "issued_at"),
    );
    for line in rows(card, "history") {
        shown.push_str(&format!(
            "  {}  {:<9} {:>12}  balance {:>12}  {}: {}\n",
            text(line, "at"),
            text(line, "what"),
            text(line, "amount"),
            text(line, "balance"),
            text(line, "by"),
            text(line, "reason"),
        ));
    }
    shown
}

async fn change(args: &ChangeArgs, change: &str, amount: Option<&str>) -> Result<(), Problem> {
    let body = json!({
        "card": named(&args.card)?, "change": change, "amount": amount, "reason": args.reason,
    });
    let door = Door::new(&args.door);
    let card = door.post("/giftcards/change", Some(body)).await?;
    told(args, &card, &one_line(&card));
    Ok(())
}

fn told(args: &ChangeArgs, card: &Value, line: &str) {
    if args.json {
        say(&pretty(card));
    } else {
        say(line);
    }
}

fn one_line(card: &Value) -> String {
    format!(
        "The card ending in {} is {}: {} {} on it, last day {}.",
        text(card, "last5"),
        text(card, "state"),
        text(card, "currency"),
        text(card, "balance"),
        text(card, "last_day"),
    )
}

async fn replace(args: &ChangeArgs) -> Result<(), Problem> {
    let body = json!({"card": named(&args.card)?, "reason": args.reason});
    let door = Door::new(&args.door);
    let card = door.post("/giftcards/replace", Some(body)).await?;
    let line = format!(
        "{}\n  number  {}\n  code    {}\nThey are not shown again.",
        one_line(&card),
        text(&card, "number"),
        text(&card, "cvc"),
    );
    told(args, &card, &line);
    Ok(())
}

async fn transfer(args: &TransferArgs) -> Result<(), Problem> {
    let body = json!({
        "card": named(&args.change.card)?, "to": args.to, "reason": args.change.reason,
    });
    let door = Door::new(&args.change.door);
    let card = door.post("/giftcards/transfer", Some(body)).await?;
    told(&args.change, &card, &one_line(&card));
    Ok(())
}

async fn give_back(args: &GiveBackArgs) -> Result<(), Problem> {
    let body = json!({"payment": args.payment, "reason": args.reason});
    let door = Door::new(&args.door);
    let answer = door.post("/giftcards/give-back", Some(body)).await?;
    if args.json {
        say(&pretty(&answer));
        return Ok(());
    }
    for row in rows(&answer, "given_back") {
        say(&format!(
            "{} {} are given back to the card ending in {}.",
            text(row, "currency"),
            text(row, "amount"),
            text(row, "last5"),
        ));
    }
    Ok(())
}

async fn programme(args: &ProgrammeArgs) -> Result<(), Problem> {
    let mut wanted = serde_json::Map::new();
    let list = |text: &String| -> Vec<String> {
        let parts = text.split(',').map(str::trim);
        parts
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let given = [
        ("prefix", args.prefix.as_ref().map(|it| json!(it))),
        ("digits", args.digits.map(|it| json!(it))),
        ("zone", args.zone.as_ref().map(|it| json!(it))),
        ("months", args.months.map(|it| json!(it))),
        ("card_present", args.card_present.map(|it| json!(it))),
        ("shops", args.shops.as_ref().map(|it| json!(list(it)))),
        ("return_url", args.return_url.as_ref().map(|it| json!(it))),
        ("rest_by", args.rest_by.as_ref().map(|it| json!(list(it)))),
        ("everywhere", args.everywhere.map(|it| json!(it))),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            wanted.insert(name.to_owned(), value);
        }
    }
    let door = Door::new(&args.door);
    let path = "/giftcards/programme";
    let answer = if wanted.is_empty() {
        door.get(path, &[]).await?
    } else {
        door.post(path, Some(wanted.into())).await?
    };
    say(&pretty(&answer));
    Ok(())
}

/// A list in an answer.
fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    let list = answer.get(name).and_then(Value::as_array);
    list.map_or(&[][..], Vec::as_slice)
}

/// A text in an answer, or a dash.
fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or("-")
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}
