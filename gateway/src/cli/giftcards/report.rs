//! `florin giftcards report`.

use serde_json::Value;

use super::{Door, Problem, ReportArgs, pretty, rows, say, text};

pub(super) async fn report(args: &ReportArgs) -> Result<(), Problem> {
    let answer = Door::new(&args.door).get("/giftcards/report", &[]).await?;
    if args.json {
        say(&pretty(&answer));
    } else {
        say(&shown(&answer));
    }
    if answer.get("agrees").and_then(Value::as_bool) == Some(true) {
        return Ok(());
    }
    let what = "the cards are not worth what the ledger says; florin ledger verify names them";
    Err(Problem::Cannot(what.to_owned()))
}

fn shown(report: &Value) -> String {
    let mut lines = vec![format!("Gift cards outstanding at {}", text(report, "at"))];
    let currencies = rows(report, "currencies");
    if currencies.is_empty() {
        lines.push("No card was ever issued.".to_owned());
    }
    for of in currencies {
        let code = text(of, "currency");
        lines.push(String::new());
        lines.push(format!(
            "{code}  {} on {}, {} of it held by payments",
            text(of, "outstanding"),
            cards(of),
            text(of, "held")
        ));
        for (name, heading) in [
            ("by_state", "by state"),
            ("by_age", "by age"),
            ("by_expiry", "by last day"),
        ] {
            lines.push(format!("  {heading}"));
            lines.extend(rows(of, name).iter().map(|row| {
                let (range, sum) = (text(row, "range"), text(row, "outstanding"));
                format!("    {range:<20} {sum:>16}  {}", cards(row))
            }));
        }
        let nothing = Value::Null;
        let ledger = of.get("ledger").unwrap_or(&nothing);
        lines.push("  in the ledger".to_owned());
        for (name, label) in [
            ("issued", "issued"),
            ("spent", "less spent"),
            ("expired", "less expired"),
            ("outstanding", "outstanding"),
        ] {
            lines.push(format!("    {label:<20} {:>16}", text(ledger, name)));
        }
        let difference = text(of, "difference");
        lines.push(format!("    {:<20} {difference:>16}", "difference"));
    }
    lines.join("\n")
}

fn cards(row: &Value) -> String {
    match row.get("cards").and_then(Value::as_u64).unwrap_or(0) {
        1 => "1 card".to_owned(),
        many => format!("{many} cards"),
    }
}
