//! `[vipps]`: what the contract of Vipps MobilePay leaves open, and what tests want shorter.

use dialects::vipps::{Feature, Options};
use domain::Span;
use domain::reservation::Rules;
use serde::Deserialize;

use super::span;

/// The section.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vipps {
    /// Client headers in place of a bearer token on webhook calls.
    pub client_headers: Option<bool>,
    /// Registrations per event type.
    pub registrations: Option<u32>,
    /// Registrations of `user.checked-in.v1`.
    pub check_in_registrations: Option<u32>,
    /// How long a payer has by default: `"10m"`.
    pub expiry: Option<String>,
    /// How long an access token lives: `"24h"`.
    pub token_life: Option<String>,
    /// How long past its end a token is honoured: `"120s"`.
    pub token_grace: Option<String>,
    /// How long reserved kroner can be captured: `"180d"`.
    pub capture_window_nok: Option<String>,
    /// How long reserved money of other currencies can be captured: `"14d"`.
    pub capture_window: Option<String>,
    /// How long after its last capture a payment can be refunded: `"365d"`.
    pub refund_window: Option<String>,
    /// Creating a payment, per minute and reference; 0 for no limit.
    pub creates_per_minute: Option<u32>,
    /// Looking at a payment, per minute and reference; 0 for no limit.
    pub reads_per_minute: Option<u32>,
    /// Capture, refund and cancel, per minute and reference; 0 for no limit.
    pub changes_per_minute: Option<u32>,
    /// Access tokens, per minute and merchant; 0 for no limit.
    pub tokens_per_minute: Option<u32>,
    /// Each kind of call about webhooks, per minute and merchant; 0 for no limit.
    pub webhooks_per_minute: Option<u32>,
    /// What sales units may not do: `express`, `scope`, `long_living`, `push_message`.
    #[serde(default)]
    pub denied: Vec<String>,
    /// Force approve and the body of cancel as strict as the real test service.
    #[serde(default)]
    pub strict: bool,
}

impl Vipps {
    /// Settings of the dialect.
    pub fn options(&self) -> Result<Options, String> {
        let usual = Options::default();
        Ok(Options {
            client_headers: self.client_headers.unwrap_or(usual.client_headers),
            registrations_max: self.registrations.unwrap_or(usual.registrations_max),
            check_in_registrations_max: self
                .check_in_registrations
                .unwrap_or(usual.check_in_registrations_max),
            denied: self.denied()?,
            strict: self.strict,
            ..usual
        })
    }

    fn denied(&self) -> Result<Vec<Feature>, String> {
        let read = |word: &String| {
            let known = Feature::ALL.into_iter().find(|one| one.as_str() == word);
            known.ok_or_else(|| {
                let words = Feature::ALL.map(Feature::as_str).join(", ");
                format!("vipps.denied: {word} is none of {words}")
            })
        };
        self.denied.iter().map(read).collect()
    }

    /// Times and limits of reservations.
    pub fn rules(&self) -> Result<Rules, String> {
        let mut rules = Rules::default();
        let times = [
            (&mut rules.pays_within, "expiry", &self.expiry),
            (&mut rules.tokens.test, "token_life", &self.token_life),
            (&mut rules.tokens.live, "token_life", &self.token_life),
            (&mut rules.tokens.grace, "token_grace", &self.token_grace),
            (
                &mut rules.capture_window_nok,
                "capture_window_nok",
                &self.capture_window_nok,
            ),
            (
                &mut rules.capture_window,
                "capture_window",
                &self.capture_window,
            ),
            (
                &mut rules.refund_window,
                "refund_window",
                &self.refund_window,
            ),
        ];
        for (place, name, text) in times {
            set(place, name, text.as_deref())?;
        }
        let limits = &mut rules.limits;
        limits.create = self.creates_per_minute.unwrap_or(limits.create);
        limits.read = self.reads_per_minute.unwrap_or(limits.read);
        limits.change = self.changes_per_minute.unwrap_or(limits.change);
        limits.tokens = self.tokens_per_minute.unwrap_or(limits.tokens);
        limits.webhooks = self.webhooks_per_minute.unwrap_or(limits.webhooks);
        rules.strict_approval = self.strict;
        Ok(rules)
    }
}

fn set(place: &mut Span, name: &str, text: Option<&str>) -> Result<(), String> {
    if let Some(text) = text {
        *place = span(text).map_err(|error| format!("vipps.{name}: {error}"))?;
    }
    Ok(())
}
