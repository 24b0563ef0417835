//! `florin giftcards issue` and `import`.
//!
//! The road of a batch: numbers are asked for and written to the file first, then the cards are
//! issued in portions. So a batch that breaks off at any point loses nothing: the file is given to
//! `import`, and what is there already is only counted.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use domain::limits::{CARD_BATCH_MAX, CARDS_PER_WRITE};
use domain::programme::number_digits;
use domain::{CardEntry, Currency, Money};
use serde_json::{Value, json};

use super::{Door, DoorArgs, Problem, csv, rows, say, text};
use crate::cli::cannot;
use crate::cli::progress::Bar;

/// More cards than this are only issued into a file.
const PRINTED_MAX: usize = 50;

/// The columns of a file, in the order in which they are written.
const COLUMNS: [&str; 7] = [
    "number", "cvc", "amount", "currency", "last_day", "vendors", "state",
];

/// Options of `issue`.
#[derive(Debug, Args)]
pub(in crate::cli) struct IssueArgs {
    /// How much is on each card: `500.00`.
    #[arg(long)]
    amount: String,
    /// The currency.
    #[arg(long, default_value = "NOK")]
    currency: String,
    /// How many cards.
    #[arg(long, default_value = "1")]
    count: usize,
    /// The last day on which they are good, like 2027-12-31; else as the programme says.
    #[arg(long)]
    last_day: Option<String>,
    /// A shop (6 digits) where they are good; may be given several times; else all shops.
    #[arg(long)]
    vendor: Vec<String>,
    /// They cannot be used until they are activated.
    #[arg(long)]
    inactive: bool,
    /// Why; it stays in the cards' history.
    #[arg(long, default_value = "issued by the operator")]
    reason: String,
    /// A new file for numbers and codes, readable by its owner alone; else they are printed.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `import`.
#[derive(Debug, Args)]
#[command(after_help = "\
The file has a line of headings and then a line for each card. Headings, in any order:
  amount     how much is on the card, like 500.00; the only one that must be there
  number     12 to 19 digits; without one a new number and code are made
  cvc        3 digits
  currency   a code like NOK; else --currency
  last_day   like 2027-12-31; else as the programme says
  vendors    shops (6 digits each), separated by blanks; else all
  state      active (the usual) or inactive")]
pub(in crate::cli) struct ImportArgs {
    /// The file.
    file: PathBuf,
    /// The currency of lines that name none.
    #[arg(long, default_value = "NOK")]
    currency: String,
    /// A new file for the cards with the numbers and codes that were made, readable by its owner
    /// alone; needed if a line has no number.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Why; it stays in the cards' history.
    #[arg(long, default_value = "imported by the operator")]
    reason: String,
    #[command(flatten)]
    door: DoorArgs,
}

/// A card to be issued, as a file has it.
#[derive(Clone, Debug)]
struct Row {
    line: usize,
    number: String,
    cvc: String,
    amount: String,
    currency: String,
    last_day: String,
    vendors: String,
    inactive: bool,
}

pub(super) async fn issue(args: &IssueArgs) -> Result<(), Problem> {
    if !(1..=CARD_BATCH_MAX).contains(&args.count) {
        return Err(Problem::Usage(format!(
            "--count is 1 to {CARD_BATCH_MAX}, not {}",
            args.count
        )));
    }
    if args.count > PRINTED_MAX && args.out.is_none() {
        return Err(Problem::Usage(format!(
            "more than {PRINTED_MAX} cards need --out cards.csv: a batch that is written down can \
             go on when it is interrupted"
        )));
    }
    let row = Row {
        line: 1,
        number: String::new(),
        cvc: String::new(),
        amount: args.amount.clone(),
        currency: args.currency.clone(),
        last_day: args.last_day.clone().unwrap_or_default(),
        vendors: args.vendor.join(" "),
        inactive: args.inactive,
    };
    row.check().map_err(Problem::Usage)?;
    let mut cards = vec![row; args.count];
    let door = Door::new(&args.door);
    number(&door, &mut cards).await?;
    if let Some(path) = &args.out {
        write(path, &cards)?;
    }
    let done = issue_all(&door, &cards, &args.reason, args.out.as_deref()).await;
    match (done, &args.out) {
        (Ok(_), _) => {}
        (Err(problem @ Problem::Usage(_)), _) | (Err(problem), Some(_)) => return Err(problem),
        // Nobody else knows these numbers: they are asked for once more before they are lost.
        (Err(Problem::Cannot(_)), None) => {
            issue_all(&door, &cards, &args.reason, None).await?;
        }
    }
    match &args.out {
        Some(path) => say(&format!(
            "{} cards of {} {} are issued; numbers and codes are in {} and nowhere else.",
            cards.len(),
            args.currency,
            args.amount,
            path.display()
        )),
        None => say(format!("{}\nThey are not shown again.", table(&cards)).as_str()),
    }
    Ok(())
}

pub(super) async fn import(args: &ImportArgs) -> Result<(), Problem> {
    let name = args.file.display();
    let text = fs::read_to_string(&args.file)
        .map_err(|error| Problem::Cannot(format!("cannot read {name}: {error}")))?;
    let mut cards = read(&text, &args.currency)
        .map_err(|problems| Problem::Cannot(format!("{name}: {problems}")))?;
    let new = cards.iter().filter(|card| card.number.is_empty()).count();
    if new > 0 && args.out.is_none() {
        return Err(Problem::Usage(format!(
            "{new} lines have no number: say with --out where the new numbers and codes go"
        )));
    }
    let door = Door::new(&args.door);
    number(&door, &mut cards).await?;
    if let Some(path) = &args.out {
        write(path, &cards)?;
    }
    let again = args.out.as_deref().unwrap_or(&args.file);
    let (issued, there) = issue_all(&door, &cards, &args.reason, Some(again)).await?;
    let before = match there {
        0 => String::new(),
        there => format!(" {there} were there before and are unchanged."),
    };
    say(&format!("{issued} cards are issued.{before}"));
    Ok(())
}

impl Row {
    /// What can be said of it without asking the gateway.
    fn check(&self) -> Result<(), String> {
        let currency = Currency::parse(&self.currency)
            .map_err(|_| format!("{:?} is no currency like NOK", self.currency))?;
        Money::parse(&self.amount, currency)
            .map_err(|error| format!("{:?} is no amount like 500.00: {error}", self.amount))?;
        if self.number.is_empty() {
            return match self.cvc.is_empty() {
                true => Ok(()),
                false => Err("a code without a number".to_owned()),
            };
        }
        // A card without a code is a matter of the programme.
        let entry = match self.cvc.is_empty() {
            true => CardEntry::read_number(&self.number),
            false => CardEntry::read(&self.number, &self.cvc),
        };
        entry.map(|_| ()).map_err(|problems| {
            let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
            texts.join(", ")
        })
    }

    fn json(&self) -> Value {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        json!({
            "number": self.number,
            "cvc": given(&self.cvc),
            "amount": self.amount,
            "currency": self.currency,
            "last_day": given(&self.last_day),
            "vendors": self.vendors.split_whitespace().collect::<Vec<_>>(),
            "inactive": self.inactive,
        })
    }

    fn csv(&self) -> String {
        let state = if self.inactive { "inactive" } else { "active" };
        csv::line(&[
            &self.number,
            &self.cvc,
            &self.amount,
            &self.currency,
            &self.last_day,
            &self.vendors,
            state,
        ])
    }
}

/// The cards of a file, or every line that is wrong (the first ten in words).
fn read(text: &str, currency: &str) -> Result<Vec<Row>, String> {
    let at = |(line, what): (usize, String)| format!("line {line}: {what}");
    let mut records = csv::read(text).map_err(at)?.into_iter();
    let heads = records.next().ok_or("it is empty")?;
    let heads: Vec<String> = heads
        .fields
        .iter()
        .map(|h| h.trim().to_lowercase())
        .collect();
    if let Some(unknown) = heads.iter().find(|head| !COLUMNS.contains(&head.as_str())) {
        let known = COLUMNS.join(", ");
        return Err(format!(
            "line 1: no column is called {unknown:?}; there are {known}"
        ));
    }
    if !heads.iter().any(|head| head == "amount") {
        return Err("line 1: the column amount is missing".to_owned());
    }
    let (mut cards, mut problems) = (Vec::new(), Vec::new());
    let mut numbers = std::collections::BTreeMap::new();
    for record in records {
        match row(&heads, &record, currency) {
            Ok(card) => {
                let digits = number_digits(&card.number).unwrap_or_default();
                let before = numbers.insert(digits, card.line);
                match before.filter(|_| !card.number.is_empty()) {
                    Some(line) => {
                        problems.push((card.line, format!("the same number as in line {line}")))
                    }
                    None => cards.push(card),
                }
            }
            Err(what) => problems.push((record.line, what)),
        }
    }
    if cards.len() > CARD_BATCH_MAX {
        return Err(format!("it has more than {CARD_BATCH_MAX} cards: split it"));
    }
    if problems.is_empty() && cards.is_empty() {
        return Err("there is no line below the headings".to_owned());
    }
    if problems.is_empty() {
        return Ok(cards);
    }
    let more = problems.len().saturating_sub(10);
    let mut lines: Vec<String> = problems.into_iter().take(10).map(at).collect();
    if more > 0 {
        lines.push(format!("and {more} more lines"));
    }
    Err(format!("nothing was imported:\n  {}", lines.join("\n  ")))
}

fn row(heads: &[String], record: &csv::Record, currency: &str) -> Result<Row, String> {
    if record.fields.len() > heads.len() {
        let (found, known) = (record.fields.len(), heads.len());
        return Err(format!("{found} fields under {known} headings"));
    }
    let field = |name: &str| {
        let place = heads.iter().position(|head| head == name);
        let found = place.and_then(|place| record.fields.get(place));
        found.map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    let named = field("currency");
    let row = Row {
        line: record.line,
        number: field("number"),
        cvc: field("cvc"),
        amount: field("amount"),
        currency: if named.is_empty() {
            currency.to_owned()
        } else {
            named
        },
        last_day: field("last_day"),
        vendors: field("vendors"),
        inactive: match field("state").as_str() {
            "" | "active" => false,
            "inactive" => true,
            other => return Err(format!("state is active or inactive, not {other:?}")),
        },
    };
    row.check().map(|()| row)
}

/// Gives numbers and codes to the cards that have none.
async fn number(door: &Door, cards: &mut [Row]) -> Result<(), Problem> {
    let bare = cards.iter_mut().filter(|card| card.number.is_empty());
    let mut bare: Vec<&mut Row> = bare.collect();
    if bare.is_empty() {
        return Ok(());
    }
    let body = json!({"count": bare.len()});
    let answer = door.post("/giftcards/numbers", Some(body)).await?;
    let made = rows(&answer, "numbers");
    if made.len() != bare.len() {
        return Err(cannot("the gateway made another number of card numbers"));
    }
    for (card, made) in bare.iter_mut().zip(made) {
        card.number = text(made, "number").to_owned();
        card.cvc = text(made, "cvc").to_owned();
    }
    Ok(())
}

/// Writes the cards to a new file, whole and on the disk before anything is issued.
fn write(path: &Path, cards: &[Row]) -> Result<(), Problem> {
    let failed = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                "; it is never overwritten, because it may hold \
                                                  the only copy of numbers"
            }
            _ => "",
        };
        Problem::Cannot(format!("cannot write {}: {error}{hint}", path.display()))
    };
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let mut file = file.map_err(failed)?;
    let mut text = csv::line(&COLUMNS);
    cards.iter().for_each(|card| text.push_str(&card.csv()));
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Issues the cards in portions; how many are new, and how many were there already.
async fn issue_all(
    door: &Door,
    cards: &[Row],
    reason: &str,
    again: Option<&Path>,
) -> Result<(u64, u64), Problem> {
    let mut bar = (cards.len() > CARDS_PER_WRITE).then(Bar::new);
    let (mut done, mut issued, mut there) = (0, 0, 0);
    for portion in cards.chunks(CARDS_PER_WRITE) {
        let rows: Vec<Value> = portion.iter().map(Row::json).collect();
        let body = json!({"reason": reason, "cards": rows});
        let answer = door.post("/giftcards/issue", Some(body)).await;
        let answer = answer.map_err(|problem| broken(problem, portion, done, again))?;
        let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
        issued += count("issued");
        there += count("there");
        done += portion.len();
        if let Some(bar) = &mut bar {
            bar.show("issuing", "", (done as u64, cards.len() as u64));
        }
    }
    if let Some(bar) = bar {
        bar.end();
    }
    Ok((issued, there))
}

/// What stopped a batch, with the line of the card and how to go on.
fn broken(problem: Problem, portion: &[Row], done: usize, again: Option<&Path>) -> Problem {
    let placed = |message: String| match place_of(&message) {
        Some((place, rest)) => match portion.get(place.saturating_sub(1)) {
            Some(card) => format!("line {}: {rest}", card.line),
            None => message,
        },
        None => message,
    };
    let on = match again {
        Some(path) => format!(
            "{done} cards were issued before. Go on with: florin giftcards import {}",
            path.display()
        ),
        None => format!("{done} cards were issued before."),
    };
    match problem {
        Problem::Usage(message) => Problem::Usage(format!("{}\n{on}", placed(message))),
        Problem::Cannot(message) => Problem::Cannot(format!("{}\n{on}", placed(message))),
    }
}

/// `card 3: what` as the place and the rest.
fn place_of(message: &str) -> Option<(usize, &str)> {
    let (place, rest) = message.strip_prefix("card ")?.split_once(": ")?;
    Some((place.parse().ok()?, rest))
}

/// Cards for people to read.
fn table(cards: &[Row]) -> String {
    let mut lines = vec![format!("{:<23}  {:<4}  amount", "number", "code")];
    lines.extend(cards.iter().map(|card| {
        let digits: Vec<char> = card.number.chars().collect();
        let groups: Vec<String> = digits.chunks(4).map(|four| four.iter().collect()).collect();
        format!(
            "{:<23}  {:<4}  {} {}",
            groups.join(" "),
            card.cvc,
            card.currency,
            card.amount
        )
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_by_its_headings() {
        let text = "Amount,number,cvc,vendors,state\n500.00,,,,\n\"12.5\",9578411100501234567,007,\
                    \"100001 100002\",inactive\n";
        let cards = read(text, "NOK").unwrap();
        assert_eq!((cards.len(), cards[0].number.as_str()), (2, ""));
        assert_eq!((cards[1].line, cards[1].inactive), (3, true));
        assert_eq!(cards[1].json()["vendors"], json!(["100001", "100002"]));
        let written = csv::line(&COLUMNS) + &cards[1].csv();
        assert_eq!(read(&written, "NOK").unwrap()[0].csv(), cards[1].csv());
    }

    #[test]
    fn every_wrong_line_is_named_and_nothing_is_imported() {
        let text = "amount,number,cvc,state\n-1,,,\n5,123,123,\n5,,123,\n5,,,gone\n\
                    5,9578411100501234567,123,\n6,957841110050 1234567,123,\n";
        let told = read(text, "NOK").unwrap_err();
        for line in [
            "line 2: \"-1\"",
            "line 3: number invalid",
            "line 4: a code without a number",
            "line 5: state",
            "line 7: the same number as in line 6",
        ] {
            assert!(told.contains(line), "{line} in {told}");
        }
        assert!(!told.contains("957841"), "numbers are not shown: {told}");
        for (text, named) in [
            ("", "empty"),
            ("amount\n", "no line below"),
            ("number\n1", "amount is missing"),
            ("amount,price\n1,2", "price"),
            ("amount\n1,2", "2 fields"),
            ("amount\nNaN", "NaN"),
        ] {
            assert!(read(text, "NOK").unwrap_err().contains(named), "{named}");
        }
        assert!(read("amount\n1", "XXX1").unwrap_err().contains("XXX1"));
    }

    #[test]
    fn a_problem_of_the_gateway_gets_its_line() {
        let cards = read("amount\n\n1\n2\n", "NOK").unwrap();
        let problem = Problem::Usage("card 2: another card has this number".to_owned());
        match broken(problem, &cards, 400, Some(Path::new("a.csv"))) {
            Problem::Usage(told) => assert_eq!(
                told,
                "line 4: another card has this number\n400 cards were issued before. Go on with: \
                 florin giftcards import a.csv"
            ),
            Problem::Cannot(other) => panic!("{other}"),
        }
    }
}
