//! `florin webhooks`: what is on its way, what became of it, once more, and is it genuine?

mod endpoints;
mod verify;

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::door::{Door, DoorArgs, segment};
use super::visible::visible;
use super::{Problem, cannot, say, start};
use endpoints::EndpointsCommand;

/// What can be done about webhooks.
#[derive(Debug, Subcommand)]
pub(super) enum WebhooksCommand {
    /// Lists deliveries, newest first.
    List(ListArgs),
    /// Shows one delivery: why it is where it is, and every attempt, both sides in full.
    Show(ShowArgs),
    /// Sends deliveries again: one, or what an endpoint was to get in a time range.
    Resend(ResendArgs),
    /// Gives up a delivery that waits, so that those behind it can go.
    Skip(OneArgs),
    /// Registers, lists, pauses, resumes, tests and removes endpoints.
    #[command(subcommand)]
    Endpoints(EndpointsCommand),
    /// Says whether a webhook is genuine and, if it is not, which mistake explains it.
    Verify(verify::CheckArgs),
}

/// Options of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those of this payment: its id, its dialect's id, or your reference.
    #[arg(long)]
    payment: Option<String>,
    /// Only those to this endpoint (`end_…`).
    #[arg(long)]
    endpoint: Option<String>,
    /// Only those in this state: `pending`, `paused` (those of a paused endpoint), `delivered` or
    /// `failed`.
    #[arg(long)]
    state: Option<String>,
    /// How many, up to 200.
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Only those before this one (`dlv_…`): the next page.
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
    /// The delivery (`dlv_…`).
    delivery: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Prints the last request as it was sent, byte for byte: what `verify` reads.
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// A command about one delivery.
#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// The delivery (`dlv_…`).
    delivery: String,
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `resend`.
#[derive(Debug, Args)]
pub(super) struct ResendArgs {
    /// The delivery (`dlv_…`), or leave it out and name an endpoint and a time.
    delivery: Option<String>,
    /// The endpoint (`end_…`) whose deliveries go out again.
    #[arg(long, requires = "from", conflicts_with = "delivery")]
    endpoint: Option<String>,
    /// From this time on, like 2026-11-21T09:00:00Z.
    #[arg(long)]
    from: Option<String>,
    /// Until before this time; now, if it is left out.
    #[arg(long)]
    until: Option<String>,
    /// Those that were delivered too, not only those that failed.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    door: DoorArgs,
}

/// Does a command of the group.
pub(super) fn run(command: &WebhooksCommand) -> Result<(), Problem> {
    let asked = async {
        match command {
            WebhooksCommand::List(args) => list(args).await,
            WebhooksCommand::Show(args) => show(args).await,
            WebhooksCommand::Resend(args) => resend(args).await,
            WebhooksCommand::Skip(args) => {
                let path = format!("/deliveries/{}/skip", segment(&args.delivery));
                Door::new(&args.door).post(&path, None).await?;
                say(&format!("{} is given up.", args.delivery));
                Ok(())
            }
            WebhooksCommand::Endpoints(command) => endpoints::run(command).await,
            WebhooksCommand::Verify(args) => verify::check(args),
        }
    };
    start::runtime()?.block_on(asked)
}

async fn list(args: &ListArgs) -> Result<(), Problem> {
    let limit = args.limit.to_string();
    let query = [
        ("payment", args.payment.as_deref()),
        ("endpoint", args.endpoint.as_deref()),
        ("state", args.state.as_deref()),
        ("before", args.before.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let answer = Door::new(&args.door).get("/deliveries", &query).await?;
    if args.json {
        say(&pretty(&answer));
        return Ok(());
    }
    let rows = rows(&answer, "deliveries");
    if rows.is_empty() {
        say("No deliveries.");
        return Ok(());
    }
    say(&format!(
        "{:<36}  {:<9}  {:>5}  {:<26}  {:<24}  {}",
        "delivery", "state", "tries", "event", "last answer", "to"
    ));
    for row in rows {
        let last = match (row.get("last_status"), row.get("last_error")) {
            (Some(Value::Number(status)), _) => status.to_string(),
            (_, Some(Value::String(error))) => error.chars().take(24).collect(),
            _ => "none yet".to_owned(),
        };
        say(&format!(
            "{:<36}  {:<9}  {:>5}  {:<26}  {:<24}  {}",
            text(row, "id"),
            text(row, "state"),
            row.get("attempts_made")
                .and_then(Value::as_u64)
                .unwrap_or(0),
            text(row, "event"),
            last,
            text(row, "target"),
        ));
    }
    Ok(())
}

async fn show(args: &ShowArgs) -> Result<(), Problem> {
    let path = format!("/deliveries/{}", segment(&args.delivery));
    let answer = Door::new(&args.door).get(&path, &[]).await?;
    if args.json {
        say(&pretty(&answer));
        return Ok(());
    }
    if args.raw {
        let request = raw(&answer)
            .ok_or_else(|| Problem::Cannot(format!("{} was not sent yet", args.delivery)))?;
        // Not a line end more: the body is signed as it stands.
        return std::io::stdout()
            .write_all(request.as_bytes())
            .map_err(cannot);
    }
    let mut shown = format!(
        "{}  {}\n  {}\n  to     {}\n  event  {} ({})\n  about  {}\n  since  {}\n",
        text(&answer, "id"),
        text(&answer, "state"),
        text(&answer, "standing"),
        text(&answer, "target"),
        text(&answer, "event"),
        text(&answer, "scheme"),
        text(&answer, "about"),
        text(&answer, "created_at"),
    );
    if let Some(names) = answer.get("psp_references") {
        shown.push_str(&format!(
            "  reference               {}\n  pspReference in answers  {}\n  \
             pspReference in this one {}\n",
            text(&answer, "reference"),
            text(names, "payment"),
            text(names, "event"),
        ));
    }
    for attempt in rows(&answer, "attempts") {
        shown.push_str(&attempt_text(attempt));
    }
    say(shown.trim_end());
    Ok(())
}

/// The last request of a delivery: request line, headers, an empty line, the body.
fn raw(answer: &Value) -> Option<String> {
    let request = rows(answer, "attempts").last()?.get("request")?;
    let url = url::Url::parse(text(answer, "target")).ok()?;
    let place = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut raw = format!("POST {place} HTTP/1.1\r\n");
    let headers = request.get("headers")?.as_object()?;
    if !headers.keys().any(|name| name.eq_ignore_ascii_case("host")) {
        raw.push_str(&format!("host: {host}\r\n"));
    }
    for (name, value) in headers {
        raw.push_str(&format!(
            "{name}: {}\r\n",
            value.as_str().unwrap_or_default()
        ));
    }
    raw.push_str("\r\n");
    raw.push_str(
        request
            .get("body")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    );
    Some(raw)
}

fn attempt_text(attempt: &Value) -> String {
    let number = |name: &str| attempt.get(name).and_then(Value::as_u64).unwrap_or(0);
    let outcome = match attempt.get("status").and_then(Value::as_u64) {
        Some(status) => status.to_string(),
        None => text(attempt, "error").to_owned(),
    };
    let mut shown = format!(
        "\nAttempt {} at {}, {} ms: {outcome}\n",
        number("number"),
        text(attempt, "at"),
        number("latency_ms"),
    );
    for (side, mark) in [("request", '>'), ("response", '<')] {
        let side = attempt.get(side).unwrap_or(&Value::Null);
        if let Some(Value::Object(headers)) = side.get("headers") {
            for (name, value) in headers {
                let value = visible(value.as_str().unwrap_or_default());
                shown.push_str(&format!("  {mark} {}: {value}\n", visible(name)));
            }
        }
        for line in text(side, "body").lines() {
            shown.push_str(&format!("  {mark} {}\n", visible(line)));
        }
    }
    shown
}

async fn resend(args: &ResendArgs) -> Result<(), Problem> {
    let door = Door::new(&args.door);
    if let Some(id) = &args.delivery {
        let path = format!("/deliveries/{}/resend", segment(id));
        door.post(&path, None).await?;
        say(&format!("{id} goes out again."));
        return Ok(());
    }
    let Some(endpoint) = args.endpoint.as_deref() else {
        let form = "a delivery (dlv_…), or --endpoint end_… --from 2026-11-21T09:00:00Z";
        return Err(Problem::Usage(format!("say what goes out again: {form}")));
    };
    let body = serde_json::json!({
        "from": args.from,
        "until": args.until,
        "delivered_too": args.all,
    });
    let path = format!("/endpoints/{}/resend", segment(endpoint));
    let answer = door.post(&path, Some(body)).await?;
    let count = answer.get("resent").and_then(Value::as_u64).unwrap_or(0);
    say(&match count {
        0 => "Nothing to send again in that time.".to_owned(),
        1 => "1 delivery goes out again.".to_owned(),
        many => format!("{many} deliveries go out again."),
    });
    Ok(())
}

/// A list in an answer.
pub(super) fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice)
}

/// A text in an answer, or a dash.
pub(super) fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or("-")
}

/// JSON for people.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}
