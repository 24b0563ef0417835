//! `florin providers`: how a merchant takes and sends money.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::door::{Door, DoorArgs, segment};
use super::webhooks::{pretty, rows, text};
use super::{Problem, say, start};

const TEACH: &str = "\
A file of settings, as TOML or as JSON (what it does not mention is as for a new merchant):

  cards_in_calls = false       # may card data come in the merchant's own calls?
  payout_user_step = true      # must the customer say where a payout goes?
  alone_up_to = [{ currency = \"EUR\", most = \"1000.00\" }]   # above it: two persons
  allowed_addresses = []       # networks that calls may come from; none means any
  blocked_addresses = [\"203.0.113.0/24\"]

  [[providers]]
  id = \"sim-card\"
  name = \"Card\"
  kind = \"card\"                # card, bank, wallet, gift_card
  directions = [\"deposit\"]     # deposit, withdrawal
  methods = [\"visa\", \"mastercard\"]   # what it brings, as lists and the cashier show it
  currencies = [\"EUR\"]         # none means every one
  limits = [{ currency = \"EUR\", least = \"1.00\", most = \"5000.00\" }]

  [[rules]]                    # with no rule, every provider that suits is offered
  provider = \"sim-card\"
  countries = [\"CO\", \"PE\"]
  weight = 10                  # higher comes first
  # fallback_for = \"sim-bank\"  # only while that one is down";

/// What can be done about providers.
#[derive(Debug, Subcommand)]
pub(super) enum ProvidersCommand {
    /// Lists the providers and the rules.
    List(ShowArgs),
    /// Prints the whole settings as JSON: providers, rules, permissions, limits.
    Show(ShowArgs),
    /// Puts settings from a file in place of the present ones.
    #[command(after_help = TEACH)]
    Set(SetArgs),
    /// Says that a provider is out of order: its fallbacks are offered instead.
    Down(OneArgs),
    /// Says that a provider works again.
    Up(OneArgs),
    /// Lets a provider be used.
    Enable(OneArgs),
    /// Lets a provider not be used any more.
    Disable(OneArgs),
}

/// Options of `list` and `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    door: DoorArgs,
}

/// Options of `set`.
#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// The file, TOML or JSON.
    file: PathBuf,
    #[command(flatten)]
    door: DoorArgs,
}

/// A command about one provider.
#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// The provider's id, for example `sim-card`.
    provider: String,
    #[command(flatten)]
    door: DoorArgs,
}

/// Does a command of the group.
pub(super) fn run(command: &ProvidersCommand) -> Result<(), Problem> {
    let asked = async {
        match command {
            ProvidersCommand::List(args) => list(&Door::new(&args.door)).await,
            ProvidersCommand::Show(args) => {
                let settings = Door::new(&args.door).get("/settings", &[]).await?;
                say(&pretty(&settings));
                Ok(())
            }
            ProvidersCommand::Set(args) => {
                let wanted = read(&args.file)?;
                let door = Door::new(&args.door);
                door.post("/settings", Some(wanted)).await?;
                list(&door).await
            }
            ProvidersCommand::Down(args) => switch(args, "down").await,
            ProvidersCommand::Up(args) => switch(args, "up").await,
            ProvidersCommand::Enable(args) => switch(args, "enable").await,
            ProvidersCommand::Disable(args) => switch(args, "disable").await,
        }
    };
    start::runtime()?.block_on(asked)
}

/// The file, as JSON whatever it is written in.
fn read(file: &Path) -> Result<Value, Problem> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Problem::Usage(format!("cannot read {name}: {error}")))?;
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(&text)
            .map_err(|error| Problem::Usage(format!("{name} is no JSON: {error}")));
    }
    toml::from_str(&text).map_err(|error| {
        let error = error.to_string();
        Problem::Usage(format!("{name} is no TOML: {}", error.trim_end()))
    })
}

async fn switch(args: &OneArgs, deed: &str) -> Result<(), Problem> {
    let door = Door::new(&args.door);
    let path = format!("/providers/{}/{deed}", segment(&args.provider));
    door.post(&path, None).await?;
    list(&door).await
}

async fn list(door: &Door) -> Result<(), Problem> {
    let settings = door.get("/settings", &[]).await?;
    let providers = rows(&settings, "providers");
    if providers.is_empty() {
        say("No providers: nothing can be paid.");
        return Ok(());
    }
    say(&format!(
        "{:<20}  {:<20}  {:<9}  {:<20}  {:<8}  {}",
        "provider", "name", "kind", "directions", "state", "methods"
    ));
    for provider in providers {
        let is = |name: &str| provider.get(name).and_then(Value::as_bool) == Some(true);
        let state = match (is("enabled"), is("down")) {
            (false, _) => "disabled",
            (true, true) => "down",
            (true, false) => "in use",
        };
        let row = format!(
            "{:<20}  {:<20}  {:<9}  {:<20}  {state:<8}  {}",
            text(provider, "id"),
            text(provider, "name"),
            text(provider, "kind"),
            words(provider, "directions"),
            words(provider, "methods"),
        );
        say(row.trim_end());
    }
    let rules = rows(&settings, "rules");
    if rules.is_empty() {
        say("No rules: every provider that suits is offered, in this order.");
    }
    for rule in rules {
        say(&rule_text(rule));
    }
    Ok(())
}

fn rule_text(rule: &Value) -> String {
    let mut said = format!("rule: {}", text(rule, "provider"));
    let mut add = |text: String| said.push_str(&text);
    match text(rule, "direction") {
        "-" => {}
        way => add(format!(", {way} only")),
    }
    for name in ["countries", "currencies"] {
        match words(rule, name).as_str() {
            "" => {}
            some => add(format!(", {name} {some}")),
        }
    }
    for bounds in rows(rule, "amounts") {
        add(format!(
            ", {} {} to {}",
            text(bounds, "currency"),
            text(bounds, "least"),
            text(bounds, "most")
        ));
    }
    let weight = rule.get("weight").and_then(Value::as_u64).unwrap_or(0);
    add(format!(", weight {weight}"));
    match text(rule, "fallback_for") {
        "-" => {}
        first => add(format!(", while {first} is down")),
    }
    said
}

fn words(of: &Value, name: &str) -> String {
    let words: Vec<_> = rows(of, name).iter().filter_map(Value::as_str).collect();
    words.join(", ")
}
