//! The file of `florin sandbox --config`: the one of `serve`, of which nothing is required, without
//! what the sandbox settles by itself.

use std::path::{Path, PathBuf};

use domain::Secret;

use super::Config;
use crate::logs::{Format, Verbosity};

/// Settings that mean nothing in the sandbox, with the reason.
const SETTLED: [(&str, &str); 3] = [
    (
        "master_key_file",
        "the sandbox has a key of its own, in its data folder",
    ),
    (
        "allow_insecure_targets",
        "in the sandbox webhooks and return addresses may always be http and local",
    ),
    ("allow_targets", "in the sandbox webhooks may go everywhere"),
];

/// What a file says for a sandbox.
#[derive(Debug)]
pub struct ForSandbox {
    /// Where to listen.
    pub listen: Option<String>,
    /// The data folder.
    pub data: Option<PathBuf>,
    /// The URL of a PostgreSQL.
    pub database: Option<String>,
    /// How browsers reach it.
    pub public_url: Option<String>,
    /// How log lines look.
    pub log_format: Option<Format>,
    /// What is logged.
    pub log_level: Option<Verbosity>,
    /// The settings of the APIs, of webhooks and of routes.
    pub config: Config,
}

impl ForSandbox {
    /// Reads the file; without one everything is as usual.
    pub fn read(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path else {
            return Self::parse("");
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |error: toml::de::Error| error.message().to_owned();
        let mut table: toml::Table = toml::from_str(text).map_err(wrong)?;
        for (name, why) in SETTLED {
            if table.contains_key(name) {
                return Err(format!("{name} means nothing here: {why}"));
            }
        }
        let given = |name: &str| table.contains_key(name);
        let named = ["listen", "data", "public_url", "log_format", "log_level"].map(given);
        // What `serve` requires; it is only used if it was given.
        for (name, usual) in [("public_url", "http://127.0.0.1:8080"), ("data", ".")] {
            let place = table.entry(name);
            place.or_insert_with(|| usual.into());
        }
        let config: Config = table.try_into().map_err(wrong)?;
        config.check()?;
        let [listen, data, public_url, log_format, log_level] = named;
        Ok(Self {
            listen: listen.then(|| config.listen.clone()),
            data: data.then(|| config.data.clone()),
            database: config.database.clone(),
            public_url: public_url.then(|| config.public_url.clone()),
            log_format: log_format.then_some(config.log_format),
            log_level: log_level.then_some(config.log_level),
            config,
        })
    }
}

impl Config {
    /// Puts the settings of the APIs into a site. The key is the one of iGivePay's page tokens.
    pub fn settle(&self, site: &mut dialects::Site, token_key: Secret) -> Result<(), String> {
        site.hitpay = self.hitpay_options();
        site.vipps = self.vipps.options()?;
        site.reservations = self.vipps.rules()?;
        site.numipay = self.numipay_options()?;
        site.igivepay = self.igivepay_options(token_key)?;
        site.guesses = self.gift_cards.rules()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_required_and_what_is_given_counts() {
        let usual = ForSandbox::parse("").unwrap();
        assert_eq!(
            (usual.listen, usual.data, usual.public_url),
            (None, None, None)
        );
        let given = "listen = \"127.0.0.1:9\"\nlog_format = \"json\"\n[vipps]\nexpiry = \"1m\"";
        let given = ForSandbox::parse(given).unwrap();
        assert_eq!(given.listen.as_deref(), Some("127.0.0.1:9"));
        assert_eq!(
            (given.log_format, given.log_level),
            (Some(Format::Json), None)
        );
        let rules = given.config.vipps.rules().unwrap();
        assert_eq!(rules.pays_within, domain::Span::from_minutes(1));
    }

    #[test]
    fn what_means_nothing_or_is_wrong_names_itself() {
        for (text, named) in [
            ("master_key_file = \"/x\"", "master_key_file means nothing"),
            (
                "allow_insecure_targets = true",
                "allow_insecure_targets means",
            ),
            ("allow_targets = []", "allow_targets means nothing"),
            ("colour = 1", "colour"),
            ("[vipps]\nexpiry = \"soon\"", "vipps.expiry"),
            ("public_url = \"ftp://x\"", "public_url"),
            ("[", "TOML"),
        ] {
            let said = ForSandbox::parse(text).unwrap_err();
            assert!(said.contains(named) || named == "TOML", "{named}: {said}");
        }
    }
}
