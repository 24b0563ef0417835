//! The configuration of `florin serve`: one TOML file. An unknown or wrong setting names itself.

pub mod gift_cards;
pub mod retention;
pub mod sandbox;
pub mod vipps;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use domain::delivery::DeliveryRules;
use domain::limits::{BODY_MAX, CARDS_PER_WRITE};
use domain::{Secret, Span};
use serde::Deserialize;

use crate::http::routes::Routes;
use crate::http::visitor::Proxies;
use crate::logs::{Format, Verbosity};
use crate::outbound::Policy;
use crate::schemes::Scheme;

/// The environment variable that can hold the master key in place of a file.
pub const MASTER_KEY: &str = "FLORIN_MASTER_KEY";

/// Bytes of a request body that any call fits into.
const BODY_LEAST: usize = 1_024;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on.
    #[serde(default = "listen")]
    pub listen: String,
    /// How browsers and providers reach the gateway: scheme, host, port.
    pub public_url: String,
    /// The folder with the embedded database.
    pub data: PathBuf,
    /// The URL of a PostgreSQL to use in place of the embedded database.
    pub database: Option<String>,
    /// A file with the master key, readable by its owner alone.
    pub master_key_file: Option<PathBuf>,
    /// `json` or `text`.
    #[serde(default = "log_format")]
    pub log_format: Format,
    /// `error`, `warn`, `info` or `debug`.
    #[serde(default = "log_level")]
    pub log_level: Verbosity,
    /// May webhooks and return addresses be plain http or private? Only for trials.
    #[serde(default)]
    pub allow_insecure_targets: bool,
    /// Networks (`10.20.0.0/16`) and host names beside the public internet that webhooks may go
    /// to, over plain http too.
    #[serde(default)]
    pub allow_targets: Vec<String>,
    /// Proxies in front of the gateway, by address or network, that are believed when they say in
    /// `X-Forwarded-For` who came to them.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// Settings of the HitPay dialect.
    #[serde(default)]
    pub hitpay: HitPay,
    /// Settings of the Vipps MobilePay dialect.
    #[serde(default)]
    pub vipps: vipps::Vipps,
    /// Settings of the iGivePay dialect.
    #[serde(default)]
    pub igivepay: IGivePay,
    /// How often gift cards may be guessed.
    #[serde(default)]
    pub gift_cards: gift_cards::GiftCards,
    /// Settings of the Numipay dialect.
    #[serde(default)]
    pub numipay: Numipay,
    /// Other paths for operations: `numipay_hosted = ["/gateway/v1/payments/hosted", "/pay"]`.
    #[serde(default)]
    pub routes: BTreeMap<String, Vec<String>>,
    /// How long what is over is kept.
    #[serde(default)]
    pub retention: retention::Retention,
    /// Delivery rules by scheme: a dialect's name, or `standard`.
    #[serde(default)]
    pub webhooks: BTreeMap<String, Webhooks>,
}

/// `[hitpay]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HitPay {
    /// Commas in amounts of answers, as the real service writes them.
    pub thousands_commas: Option<bool>,
    /// Status of a wrong key: 401, 403 or 404.
    pub bad_key_status: Option<u16>,
}

/// `[igivepay]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IGivePay {
    /// How long a payment and its page live: `"1h"`.
    pub page_time: Option<String>,
    /// How long a charged payment can be cancelled: `"24h"`.
    pub cancel_within: Option<String>,
    /// The most that a payment may ask for, in kroner: `"1000000"`.
    pub most: Option<String>,
    /// Cards in one call and on a page at a time, 1 to 50.
    pub cards: Option<usize>,
    /// Cards that one call of `/card-gen` may make, 1 to 200.
    pub card_gen: Option<usize>,
    /// How often a minute a visitor may call `/card-gen`.
    pub card_gen_per_minute: Option<u32>,
    /// Bytes of a body, 1024 to 1048576.
    pub body_max: Option<usize>,
    /// Characters of a `reference`.
    pub reference_max: Option<usize>,
    /// Characters of an address.
    pub url_max: Option<usize>,
    /// Where payers go when a hosted payment names no address.
    pub return_url: Option<String>,
}

/// `[numipay]`: what the contract leaves to configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numipay {
    /// How long a deposit can be paid: `"24h"`.
    pub deposit_lifetime: Option<String>,
    /// How long a customer may take to say where a payout goes: `"24h"`.
    pub cashier_lifetime: Option<String>,
    /// How long a payout waits for approval: `"30d"`.
    pub approval_lifetime: Option<String>,
    /// How long the simulator takes for a payout: `"2s"`.
    pub payout_delay: Option<String>,
    /// Digits of an amount before its point.
    pub amount_digits: Option<usize>,
    /// Characters of `user_id`.
    pub user_id_max: Option<usize>,
    /// Characters of `description`.
    pub description_max: Option<usize>,
    /// Characters of an address.
    pub url_max: Option<usize>,
    /// Characters of a name.
    pub name_max: Option<usize>,
    /// Characters of a telephone number.
    pub phone_max: Option<usize>,
    /// Characters of an e-mail address.
    pub email_max: Option<usize>,
    /// Bytes of a request body.
    pub body_max: Option<usize>,
    /// Days between the first and the last day of a list.
    pub list_days: Option<u32>,
    /// Calls of a merchant in a minute, in one mode; none by default, which is no limit.
    pub calls_per_minute: Option<u32>,
}

/// `[webhooks.<scheme>]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// When further attempts are due, counted from the first: `["1m", "5m", "30m", "2h", "6h"]`.
    pub retries: Option<Vec<String>>,
    /// How long a receiver may take: `"30s"`.
    pub timeout: Option<String>,
    /// Up to so many hundredths of each wait are added by chance: 0 to 100.
    pub jitter: Option<u32>,
    /// Is a `Retry-After` of the receiver honoured?
    pub retry_after: Option<bool>,
    /// Does 410 Gone end a delivery and pause its endpoint?
    pub gone: Option<bool>,
    /// After how long without a success an endpoint's owner is told: `"1h"`, or `"never"`.
    pub warn_after: Option<String>,
    /// After how long without a success an endpoint is paused, or removed where its scheme says
    /// so: `"5d"`, or `"never"`.
    pub dead_after: Option<String>,
}

impl Webhooks {
    /// The rules of a scheme with these settings; an error names the setting.
    fn change(&self, mut rules: DeliveryRules) -> Result<DeliveryRules, String> {
        let of = |name: &'static str| move |error: String| format!("{name}: {error}");
        if let Some(retries) = &self.retries {
            let read: Result<Vec<_>, _> = retries.iter().map(|text| span(text)).collect();
            rules.retries = read.map_err(of("retries"))?;
            if !rules.retries.is_sorted() {
                return Err("retries: each is later than the one before it".to_owned());
            }
        }
        if let Some(timeout) = &self.timeout {
            rules.timeout = span(timeout).map_err(of("timeout"))?;
            if rules.timeout.millis() == 0 {
                return Err("timeout: nobody answers in no time".to_owned());
            }
        }
        if let Some(jitter) = self.jitter {
            if jitter > 100 {
                return Err(format!("jitter: {jitter} is not between 0 and 100"));
            }
            rules.jitter_percent = jitter;
        }
        rules.retry_after = self.retry_after.unwrap_or(rules.retry_after);
        rules.gone_ends = self.gone.unwrap_or(rules.gone_ends);
        if let Some(text) = &self.warn_after {
            rules.warn_after = span_or_never(text).map_err(of("warn_after"))?;
        }
        if let Some(text) = &self.dead_after {
            rules.dead_after = span_or_never(text).map_err(of("dead_after"))?;
        }
        Ok(rules)
    }
}

fn span_or_never(text: &str) -> Result<Option<Span>, String> {
    match text {
        "never" => Ok(None),
        text => span(text).map(Some),
    }
}

fn listen() -> String {
    "127.0.0.1:8080".to_owned()
}

fn log_format() -> Format {
    Format::Json
}

fn log_level() -> Verbosity {
    Verbosity::Info
}

impl Config {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let config: Self = toml::from_str(&text)
            .map_err(|error| format!("{}: {}", path.display(), error.message()))?;
        config
            .check()
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(config)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        public_url(&self.public_url)?;
        if self
            .hitpay
            .bad_key_status
            .is_some_and(|status| ![401, 403, 404].contains(&status))
        {
            return Err("hitpay.bad_key_status is 401, 403 or 404".to_owned());
        }
        self.vipps.rules()?;
        self.vipps.options()?;
        self.policy()?;
        self.proxies()?;
        self.igivepay_options(Secret::new(String::new()))?;
        self.gift_cards.rules()?;
        self.numipay_options()?;
        self.routes()?;
        self.retention.kept()?;
        self.delivery().map(|_| ())
    }

    /// The master key, from the environment or the file.
    pub fn master_key(&self) -> Result<Secret, String> {
        if let Ok(key) = std::env::var(MASTER_KEY) {
            return Ok(Secret::new(key));
        }
        let path = self.master_key_file.as_ref().ok_or_else(|| {
            format!(
                "no master key: set {MASTER_KEY}, or master_key_file to a file with 64 \
                 hexadecimal digits (openssl rand -hex 32 makes them)"
            )
        })?;
        read_key(path)
    }

    /// Where webhooks may go.
    pub fn policy(&self) -> Result<Policy, String> {
        Policy::new(self.allow_insecure_targets, &self.allow_targets)
    }

    /// The proxies that are believed about who comes.
    pub fn proxies(&self) -> Result<Proxies, String> {
        Proxies::parse(&self.trusted_proxies)
    }

    /// Settings of the HitPay dialect.
    pub fn hitpay_options(&self) -> dialects::hitpay::Options {
        let usual = dialects::hitpay::Options::default();
        dialects::hitpay::Options {
            thousands_commas: self
                .hitpay
                .thousands_commas
                .unwrap_or(usual.thousands_commas),
            bad_key_status: self.hitpay.bad_key_status.unwrap_or(usual.bad_key_status),
            ..usual
        }
    }

    /// Settings of the iGivePay dialect; the key is the one of its page tokens.
    pub fn igivepay_options(
        &self,
        token_key: Secret,
    ) -> Result<dialects::igivepay::Options, String> {
        let given = &self.igivepay;
        let mut options = dialects::igivepay::Options::new(token_key);
        if let Some(text) = &given.page_time {
            options.page_time = span(text).map_err(|why| format!("igivepay.page_time: {why}"))?;
        }
        if let Some(text) = &given.cancel_within {
            options.undo_within =
                span(text).map_err(|why| format!("igivepay.cancel_within: {why}"))?;
        }
        if let Some(text) = &given.most {
            let most = domain::Currency::parse("NOK")
                .ok()
                .and_then(|nok| domain::Money::parse(text, nok).ok());
            let most = most.filter(|most| !most.is_zero());
            let wrong = || format!("igivepay.most: {text:?} is no amount like 1000000");
            options.most = most.ok_or_else(wrong)?.minor();
        }
        if let Some(cards) = given.cards {
            if !(1..=50).contains(&cards) {
                return Err("igivepay.cards is 1 to 50".to_owned());
            }
            options.cards_max = cards;
        }
        if let Some(count) = given.card_gen {
            if !(1..=CARDS_PER_WRITE).contains(&count) {
                return Err(format!("igivepay.card_gen is 1 to {CARDS_PER_WRITE}"));
            }
            options.generated_max = count;
        }
        if let Some(bytes) = given.body_max {
            if !(1_024..=1_048_576).contains(&bytes) {
                return Err("igivepay.body_max is 1024 to 1048576".to_owned());
            }
            options.body_max = bytes;
        }
        let calls = given.card_gen_per_minute;
        options.generated_per_minute = calls.unwrap_or(options.generated_per_minute);
        options.reference_max = given.reference_max.unwrap_or(options.reference_max);
        options.url_max = given.url_max.unwrap_or(options.url_max);
        options.return_url.clone_from(&given.return_url);
        Ok(options)
    }

    /// Settings of the Numipay dialect.
    pub fn numipay_options(&self) -> Result<dialects::numipay::Options, String> {
        let (usual, own) = (dialects::numipay::Options::default(), &self.numipay);
        let time = |text: &Option<String>, name: &str, usual: Span| match text {
            None => Ok(usual),
            Some(text) => match span(text) {
                Ok(span) if span.millis() > 0 => Ok(span),
                Ok(_) => Err(format!("numipay.{name}: it must be more than nothing")),
                Err(error) => Err(format!("numipay.{name}: {error}")),
            },
        };
        let body_max = own.body_max.unwrap_or(usual.body_max);
        if !(BODY_LEAST..=BODY_MAX).contains(&body_max) {
            return Err(format!(
                "numipay.body_max is {BODY_LEAST} to {BODY_MAX} bytes"
            ));
        }
        Ok(dialects::numipay::Options {
            deposit_life: time(
                &own.deposit_lifetime,
                "deposit_lifetime",
                usual.deposit_life,
            )?,
            payout: domain::payout::Stages {
                user: time(&own.cashier_lifetime, "cashier_lifetime", usual.payout.user)?,
                approval: time(
                    &own.approval_lifetime,
                    "approval_lifetime",
                    usual.payout.approval,
                )?,
                rail: time(&own.payout_delay, "payout_delay", usual.payout.rail)?,
            },
            amount_digits: own.amount_digits.unwrap_or(usual.amount_digits),
            user_max: own.user_id_max.unwrap_or(usual.user_max),
            description_max: own.description_max.unwrap_or(usual.description_max),
            url_max: own.url_max.unwrap_or(usual.url_max),
            name_max: own.name_max.unwrap_or(usual.name_max),
            phone_max: own.phone_max.unwrap_or(usual.phone_max),
            email_max: own.email_max.unwrap_or(usual.email_max),
            body_max,
            list_days: own.list_days.unwrap_or(usual.list_days),
            calls_per_minute: own.calls_per_minute.unwrap_or(usual.calls_per_minute),
        })
    }

    /// The table of routes.
    pub fn routes(&self) -> Result<Routes, String> {
        Routes::new(&self.routes)
    }

    /// Delivery rules that differ from the schemes' own.
    pub fn delivery(&self) -> Result<BTreeMap<&'static str, DeliveryRules>, String> {
        let mut rules = BTreeMap::new();
        for (name, changed) in &self.webhooks {
            let scheme = Scheme::by_name(name)
                .ok_or_else(|| format!("webhooks.{name}: no scheme is called {name}"))?;
            let changed = changed.change(scheme.delivery());
            let rule = changed.map_err(|error| format!("webhooks.{name}.{error}"))?;
            rules.insert(scheme.name(), rule);
        }
        Ok(rules)
    }
}

/// Reads a master key from a file that only its owner can read.
pub fn read_key(path: &Path) -> Result<Secret, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(format!("{path} can be read by others: chmod 600 {path}"));
    }
    fs::read_to_string(path)
        .map(|text| Secret::new(text.trim().to_owned()))
        .map_err(failed)
}

/// Checks an address by which browsers reach us; gives it without a final slash.
pub fn public_url(text: &str) -> Result<String, String> {
    let wrong = || format!("public_url {text:?} is no address like https://pay.example.com");
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let known = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !plain || !known || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Reads `90s`, `5m`, `2h`, `1d`, also one after another: `1h30m`.
pub fn span(text: &str) -> Result<Span, String> {
    let wrong = || format!("{text:?} is no time like 30s, 5m, 2h, 1d or 1h30m");
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit = after.chars().next().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        total = number
            .checked_mul(seconds)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(wrong)?;
        rest = after.get(1..).unwrap_or_default();
    }
    if text.is_empty() {
        Err(wrong())
    } else {
        Ok(Span::from_seconds(total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "public_url = \"https://pay.example.com\"\ndata = \"/srv/florin\"\n";

    fn read(more: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("florin.toml");
        fs::write(&path, format!("{LEAST}{more}")).unwrap();
        Config::read(&path)
    }

    #[test]
    fn the_least_configuration_has_safe_defaults() {
        let config = read("").unwrap();
        assert_eq!(config.listen, "127.0.0.1:8080");
        assert!(!config.allow_insecure_targets);
        assert_eq!(config.policy().unwrap(), Policy::default());
        assert!(config.delivery().unwrap().is_empty());
    }

    #[test]
    fn an_operator_lists_targets_of_the_own_network() {
        let config = read("allow_targets = [\"10.20.0.0/16\", \"hooks.internal.example\"]");
        let policy = config.unwrap().policy().unwrap();
        let check = |url| crate::outbound::check_url(url, &policy);
        assert_eq!(check("http://10.20.3.4/x"), Ok(()));
        assert_eq!(check("http://hooks.internal.example/x"), Ok(()));
        assert!(check("https://10.21.3.4/x").is_err());
    }

    #[test]
    fn a_wrong_setting_names_itself() {
        for (more, named) in [
            ("colour = 1", "colour"),
            ("log_level = \"loud\"", "loud"),
            ("[hitpay]\nbad_key_status = 500", "bad_key_status"),
            ("[vipps]\nexpiry = \"soon\"", "vipps.expiry"),
            ("allow_targets = [\"10.20.0.5/16\"]", "10.20.0.5/16"),
            ("allow_targets = [\"*.example\"]", "allow_targets"),
            ("trusted_proxies = [\"proxy\"]", "trusted_proxies"),
            ("[webhooks.nobody]", "nobody"),
            ("[numipay]\ndeposit_lifetime = \"soon\"", "deposit_lifetime"),
            ("[numipay]\npayout_delay = \"0s\"", "payout_delay"),
            ("[numipay]\nbody_max = 1000", "numipay.body_max"),
            ("[numipay]\nbody_max = 300000", "numipay.body_max"),
            ("[routes]\nnumipay_hosted = [\"pay\"]", "numipay_hosted"),
            (
                "[routes]\nnumipay_hosted = [\"/p\"]\nnumipay_direct = [\"/p\"]",
                "numipay_direct",
            ),
            ("[webhooks.hitpay]\nretries = [\"5 min\"]", "5 min"),
            (
                "[webhooks.hitpay]\nretries = [\"5m\", \"1m\"]",
                "webhooks.hitpay.retries",
            ),
            (
                "[webhooks.hitpay]\ntimeout = \"0s\"",
                "webhooks.hitpay.timeout",
            ),
            ("[webhooks.hitpay]\njitter = 101", "webhooks.hitpay.jitter"),
            ("[webhooks.hitpay]\njitter = -1", "-1"),
            ("[webhooks.hitpay]\ngone = \"yes\"", "yes"),
            (
                "[webhooks.standard]\nwarn_after = \"soon\"",
                "webhooks.standard.warn_after",
            ),
            (
                "[webhooks.standard]\ndead_after = \"\"",
                "webhooks.standard.dead_after",
            ),
            ("[webhooks.standard]\ndead = \"1d\"", "dead"),
        ] {
            let error = read(more).unwrap_err();
            assert!(
                error.contains(named) && error.contains("florin.toml"),
                "{error}"
            );
        }
    }

    #[test]
    fn retries_are_configuration() {
        let config = read("[webhooks.hitpay]\nretries = [\"10s\", \"1h30m\"]").unwrap();
        let rules = &config.delivery().unwrap()["hitpay"];
        assert_eq!(
            rules.retries,
            [Span::from_seconds(10), Span::from_minutes(90)]
        );
        let config = read("[webhooks.standard]\ntimeout = \"5s\"").unwrap();
        let rules = &config.delivery().unwrap()["standard"];
        assert_eq!(rules.timeout, Span::from_seconds(5));
        assert_eq!(rules.retries.len(), 9, "as they were");
    }

    #[test]
    fn every_rule_of_a_scheme_is_configuration() {
        let settings = "[webhooks.hitpay]\njitter = 15\nretry_after = false\ngone = true\n\
                        warn_after = \"30s\"\ndead_after = \"never\"";
        let config = read(settings).unwrap();
        let usual = Scheme::by_name("hitpay").unwrap().delivery();
        let wanted = DeliveryRules {
            jitter_percent: 15,
            retry_after: false,
            gone_ends: true,
            warn_after: Some(Span::from_seconds(30)),
            dead_after: None,
            ..usual.clone()
        };
        assert_eq!(config.delivery().unwrap()["hitpay"], wanted);
        let config = read("[webhooks.hitpay]\nwarn_after = \"never\"").unwrap();
        let wanted = DeliveryRules {
            warn_after: None,
            ..usual
        };
        assert_eq!(
            config.delivery().unwrap()["hitpay"],
            wanted,
            "the rest as it was"
        );
    }

    #[test]
    fn a_public_url_is_scheme_and_host() {
        assert_eq!(
            public_url("http://127.0.0.1:8080/").unwrap(),
            "http://127.0.0.1:8080"
        );
        for wrong in [
            "",
            "pay.example.com",
            "ftp://x",
            "https://x/y",
            "https://u:p@x",
            "https://x?y",
        ] {
            assert!(public_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_master_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "a".repeat(64)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_key(&path).unwrap_err().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_key(&path).unwrap().expose().len(), 64);
    }
}
