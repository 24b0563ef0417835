//! `[retention]`: how long what is over is kept.

use domain::Span;
use serde::Deserialize;

use super::span_or_never;
use crate::workers::retention::Kept;

/// The shortest time for answers to keys: clients repeat requests for hours.
const KEYS_MIN: Span = Span::from_minutes(24 * 60);

/// The shortest time for deliveries: people look at yesterday's in the morning.
const DELIVERIES_MIN: Span = Span::from_minutes(24 * 60);

/// `[retention]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// How long webhooks that are over are kept, with their attempts: `"90d"`, or `"never"` for
    /// never removing one.
    pub deliveries: Option<String>,
    /// How long the answer to an idempotency key is kept: `"30d"`, or `"never"`.
    pub idempotency: Option<String>,
}

impl Retention {
    /// How long everything is kept; an error names the setting.
    pub fn kept(&self) -> Result<Kept, String> {
        let usual = Kept::default();
        let deliveries = ("deliveries", &self.deliveries, DELIVERIES_MIN);
        let keys = ("idempotency", &self.idempotency, KEYS_MIN);
        Ok(Kept {
            deliveries: read(deliveries, usual.deliveries)?,
            keys: read(keys, usual.keys)?,
        })
    }
}

fn read(
    (name, text, least): (&str, &Option<String>, Span),
    usual: Option<Span>,
) -> Result<Option<Span>, String> {
    let Some(text) = text else { return Ok(usual) };
    let of = |error: String| format!("retention.{name}: {error}");
    match span_or_never(text).map_err(of)? {
        Some(span) if span < least => Err(of(format!("{text:?} is less than a day"))),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_wrong_ones_named() {
        let with = |deliveries: &str, idempotency: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let (deliveries, idempotency) = (some(deliveries), some(idempotency));
            Retention {
                deliveries,
                idempotency,
            }
            .kept()
        };
        assert_eq!(with("", ""), Ok(Kept::default()));
        let kept = with("1d", "never").unwrap();
        assert_eq!((kept.deliveries, kept.keys), (Some(DELIVERIES_MIN), None));
        for (deliveries, keys, named) in [
            (
                "23h",
                "",
                "retention.deliveries: \"23h\" is less than a day",
            ),
            ("", "1h", "retention.idempotency: \"1h\" is less than a day"),
            ("soon", "", "retention.deliveries: \"soon\" is no time"),
        ] {
            let error = with(deliveries, keys).unwrap_err();
            assert!(error.starts_with(named), "{error}");
        }
    }
}
