//! `[gift_cards]`: how often gift cards may be guessed. Who widens a limit makes guessing cheaper.

use domain::Span;
use domain::guess::{Rule, Rules};
use serde::Deserialize;

use super::span;

/// The longest time that tries count, and that a lock lasts.
const LONGEST: Span = Span::from_minutes(24 * 60);

/// The section: wrong tries that lock, the time within which they count, and how long the lock
/// lasts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GiftCards {
    /// For one card number.
    #[serde(default)]
    pub per_card: Limit,
    /// For one payment.
    #[serde(default)]
    pub per_payment: Limit,
    /// For one client of an API.
    #[serde(default)]
    pub per_client: Limit,
    /// For one address of a browser.
    #[serde(default)]
    pub per_address: Limit,
}

/// One limit; what is left out is as usual.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Wrong tries that lock it, 1 to 10,000.
    pub tries: Option<u32>,
    /// The time within which they count: `"24h"`.
    pub within: Option<String>,
    /// How long the lock lasts: `"15m"`.
    pub lock: Option<String>,
    /// Wrong tries in a day after which a card is blocked; only for `per_card`.
    pub block_after: Option<u32>,
}

impl GiftCards {
    /// The rules.
    pub fn rules(&self) -> Result<Rules, String> {
        let mut rules = Rules::default();
        set("per_card", &mut rules.card, &self.per_card)?;
        set("per_payment", &mut rules.payment, &self.per_payment)?;
        set("per_client", &mut rules.client, &self.per_client)?;
        set("per_address", &mut rules.address, &self.per_address)?;
        for (name, limit) in [
            ("per_payment", &self.per_payment),
            ("per_client", &self.per_client),
            ("per_address", &self.per_address),
        ] {
            if limit.block_after.is_some() {
                let what = "only a card can be blocked";
                return Err(format!("gift_cards.{name}.block_after: {what}"));
            }
        }
        if let Some(tries) = self.per_card.block_after {
            rules.card.in_a_day = Some(count("per_card.block_after", tries)?);
        }
        Ok(rules)
    }
}

fn set(name: &str, rule: &mut Rule, given: &Limit) -> Result<(), String> {
    if let Some(tries) = given.tries {
        rule.most = count(&format!("{name}.tries"), tries)?;
    }
    for (place, part, text) in [
        (&mut rule.within, "within", &given.within),
        (&mut rule.lock, "lock", &given.lock),
    ] {
        let Some(text) = text else {
            continue;
        };
        *place = span(text).map_err(|error| format!("gift_cards.{name}.{part}: {error}"))?;
        // Tries are counted by the day and kept for two: what lasts longer would be forgotten.
        if !(Span::from_seconds(1)..=LONGEST).contains(place) {
            return Err(format!(
                "gift_cards.{name}.{part} is 1s to 24h, not {text:?}"
            ));
        }
    }
    Ok(())
}

fn count(name: &str, tries: u32) -> Result<u32, String> {
    if (1..=10_000).contains(&tries) {
        Ok(tries)
    } else {
        Err(format!("gift_cards.{name} is 1 to 10000"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<Rules, String> {
        let section: GiftCards = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        section.rules()
    }

    #[test]
    fn what_is_left_out_is_as_usual() {
        assert_eq!(rules("").unwrap(), Rules::default());
        let changed = rules("[per_card]\ntries = 3\nlock = \"1h\"\nblock_after = 9").unwrap();
        assert_eq!((changed.card.most, changed.card.in_a_day), (3, Some(9)));
        assert_eq!(changed.card.lock, Span::from_minutes(60));
        let longest = rules("[per_payment]\nlock = \"24h\"\nwithin = \"1d\"").unwrap();
        assert_eq!(longest.payment.lock, longest.payment.within);
        assert_eq!(changed.card.within, Rules::default().card.within);
        assert_eq!(changed.address, Rules::default().address);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("[per_card]\ntries = 0", "per_card.tries"),
            ("[per_address]\nlock = \"soon\"", "per_address.lock"),
            ("[per_client]\nblock_after = 5", "per_client.block_after"),
            ("[per_card]\nlock = \"36h\"", "per_card.lock is 1s to 24h"),
            ("[per_card]\nlock = \"0s\"", "per_card.lock is 1s to 24h"),
            ("[per_client]\nwithin = \"3d\"", "per_client.within is 1s"),
            ("[per_country]\ntries = 5", "per_country"),
        ] {
            let told = rules(text).unwrap_err();
            assert!(told.contains(named), "{told}");
        }
    }
}
