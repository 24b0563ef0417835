//! `florin trigger`: makes an event happen.

use clap::Args;
use serde_json::{Value, json};

use super::door::{Door, DoorArgs};
use super::{Problem, say, start};

const TEACH: &str = "\
  florin trigger bill.paid                     a HitPay payment request is made and paid
  florin trigger bill.paid --dialect numipay   the same through Numipay
  florin trigger epayments.payment.captured.v1
  florin trigger payment.processed --webhook http://localhost:3000/hook

It is the real thing: calls of the demo shop and the simulator's payer, nothing made up.";

/// Options of `trigger`.
#[derive(Debug, Args)]
#[command(after_help = TEACH)]
pub(super) struct TriggerArgs {
    /// The event, for example `bill.paid`.
    #[arg(required_unless_present = "list")]
    event: Option<String>,
    /// Lists the events that can be triggered, by dialect.
    #[arg(long, conflicts_with = "event")]
    list: bool,
    /// Through this dialect, if several know the event: `hitpay`, `vipps`, `numipay`, `igivepay`.
    #[arg(long)]
    dialect: Option<String>,
    /// Where the dialect's own webhooks of this payment go, as a call of its API names it.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Makes an event happen.
pub(super) fn run(args: &TriggerArgs) -> Result<(), Problem> {
    start::runtime()?.block_on(async {
        let door = Door::new(&args.door);
        let Some(event) = &args.event else {
            let known = door.get("/trigger", &[]).await?;
            say(&if args.json {
                known.to_string()
            } else {
                listed(&known)
            });
            return Ok(());
        };
        let body = json!({"event": event, "dialect": args.dialect, "webhook": args.webhook});
        let answer = door.post("/trigger", Some(body)).await?;
        say(&if args.json {
            answer.to_string()
        } else {
            told(&answer)
        });
        Ok(())
    })
}

/// The events by dialect, a line each.
fn listed(known: &Value) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut last = "";
    for row in rows(known, "events") {
        let dialect = text(row, "dialect");
        if dialect != last {
            lines.push(format!("{dialect}:"));
            last = dialect;
        }
        lines.push(format!("  {}", text(row, "event")));
    }
    lines.join("\n")
}

/// What happened, and who hears of it.
fn told(answer: &Value) -> String {
    let mut said = format!(
        "{} happened to {} ({}).",
        text(answer, "event"),
        text(answer, "payment"),
        text(answer, "reference")
    );
    let deliveries = rows(answer, "deliveries");
    if deliveries.is_empty() {
        said.push_str(
            "\nNo webhook goes out: no endpoint is registered for it. Run `florin listen`, or give \
             an address with --webhook.",
        );
    }
    for row in deliveries.iter().rev() {
        let (id, event) = (text(row, "id"), text(row, "event"));
        said.push_str(&format!(
            "\n  {id}  {event:<30}  to {}",
            text(row, "target")
        ));
    }
    said
}

fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    let rows = answer.get(name).and_then(Value::as_array);
    rows.map_or(&[][..], Vec::as_slice)
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or("-")
}
