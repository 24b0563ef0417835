//! What is well formed and not allowed: one numbered error each.

use domain::{Currency, Money, Refusal, Timestamp};
use serde_json::{Map, Value as Json};

use super::coded;
use crate::fields::{Members, Value};
use crate::vipps::Feature;
use crate::{Site, json};

const SCOPES: &[&str] = &[
    "name",
    "address",
    "email",
    "phoneNumber",
    "birthDate",
    "nin",
];
const EXPRESS_SCOPES: &[&str] = &["name", "address", "email", "phoneNumber"];
const PERSONAL_QR_MIN: usize = 5;
const METADATA_PAIRS_MAX: usize = 5;
const METADATA_KEY_MAX: usize = 100;
const METADATA_VALUE_MAX: usize = 500;

/// Schemes that a browser would run or read as a file of this machine.
const FORBIDDEN_SCHEMES: &[&str] = &["javascript", "data", "vbscript", "file", "blob", "about"];

/// What the sales unit may not do at all.
pub(super) fn features(
    site: &Site,
    extras: &Map<String, Json>,
    expires: Option<Timestamp>,
) -> Result<(), Refusal> {
    let push = extras
        .get("userFlow")
        .is_some_and(|flow| flow == "PUSH_MESSAGE");
    let asked = [
        (Feature::Express, 5020, extras.contains_key("shipping")),
        (Feature::Scope, 5030, extras.contains_key("scope")),
        (Feature::LongLiving, 5050, expires.is_some()),
        (Feature::PushMessage, 5080, push),
    ];
    for (feature, code, asked) in asked {
        if asked && site.vipps.denied.contains(&feature) {
            return Err(coded(code, "The sales unit has no approval for it."));
        }
    }
    Ok(())
}

/// The other names of a payer.
pub(super) fn customer(extras: &Map<String, Json>) -> Result<(), Refusal> {
    let text = |name: &str| extras.get(name).and_then(Json::as_str);
    if text("personalQr").is_some_and(|text| text.chars().count() < PERSONAL_QR_MIN) {
        return Err(coded(4060, "personalQr has 5 to 255 characters."));
    }
    if text("customerToken").is_some_and(|text| text.trim().is_empty()) {
        return Err(coded(4050, "customerToken is blank."));
    }
    Ok(())
}

pub(super) fn amount(site: &Site, value: i64, code: &str) -> Result<Money, Refusal> {
    let least = match code {
        "NOK" => 100,
        "DKK" | "EUR" => 1,
        _ => return Err(coded(5040, "Use NOK, DKK or EUR.")),
    };
    let currency = Currency::parse_exact(code).map_err(|_| coded(5040, "Use NOK, DKK or EUR."))?;
    if value < least {
        let detail = format!("The least amount in {code} is {least} (in minor units).");
        return Err(coded(6010, &detail));
    }
    let most = site.vipps.most_amount;
    if value > most {
        let detail = format!("The most that a payment may ask for is {most} (in minor units).");
        return Err(coded(4040, &detail));
    }
    Money::from_minor(value, currency).map_err(|error| coded(4040, &error.to_string()))
}

pub(super) fn method(
    method: &str,
    extras: &Map<String, Json>,
    amount: Money,
) -> Result<(), Refusal> {
    if method != "WALLET" {
        return Err(coded(
            4160,
            "Use WALLET: CARD and CARD_PASSTHROUGH are not available here.",
        ));
    }
    let blocked = extras.get("blockedSources").and_then(Json::as_array);
    if let Some(blocked) = blocked.filter(|blocked| !blocked.is_empty()) {
        let known = blocked.iter().all(|source| source == "COMMERCIAL_CARDS");
        if !known || amount.currency().code() == "NOK" {
            return Err(coded(
                5010,
                "COMMERCIAL_CARDS can be blocked, for payments in DKK and EUR.",
            ));
        }
    }
    Ok(())
}

/// An https address or the scheme of an app; in test mode http as well.
pub(super) fn return_url(site: &Site, text: &str) -> Result<(), Refusal> {
    let wrong = || {
        coded(
            4090,
            "returnUrl must be an absolute https URL, or an address with the scheme of an app.",
        )
    };
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let scheme = url.scheme();
    let header = text.bytes().all(|b| b > b' ' && b != 0x7f);
    if FORBIDDEN_SCHEMES.contains(&scheme)
        || !header
        || (scheme == "http" && !site.insecure_targets)
    {
        return Err(wrong());
    }
    Ok(())
}

pub(super) fn scope(scope: &str, extras: &Map<String, Json>) -> Result<(), Refusal> {
    let words: Vec<&str> = scope.split_ascii_whitespace().collect();
    if let Some(unknown) = words.iter().find(|word| !SCOPES.contains(word)) {
        let detail = format!("{unknown} is no scope. Use {}.", SCOPES.join(", "));
        return Err(coded(4080, &detail));
    }
    let express = extras.contains_key("shipping");
    let all = EXPRESS_SCOPES.iter().all(|word| words.contains(word));
    if express && (!all || words.len() != EXPRESS_SCOPES.len()) {
        return Err(coded(
            4080,
            "With shipping the scope must be exactly: name address email phoneNumber.",
        ));
    }
    Ok(())
}

pub(super) fn metadata(members: &Members) -> Result<(), Refusal> {
    let Some(Value::Object(metadata)) = members.get("metadata") else {
        return Ok(());
    };
    if metadata.has_repeated() {
        return Err(coded(4110, "A key of metadata comes once."));
    }
    if metadata.len() > METADATA_PAIRS_MAX {
        return Err(coded(4100, "metadata has at most 5 pairs."));
    }
    for (key, value) in metadata.iter() {
        if key.chars().count() > METADATA_KEY_MAX {
            return Err(coded(4120, "A key of metadata has at most 100 characters."));
        }
        let length = match value {
            Value::Text(text) => text.chars().count(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Object(_) => {
                json::write(value).chars().count()
            }
        };
        if length > METADATA_VALUE_MAX {
            return Err(coded(
                4130,
                "A value of metadata has at most 500 characters.",
            ));
        }
    }
    Ok(())
}

/// A number of the right form that no telephone has: country codes do not begin with a zero.
pub(super) fn phone(text: &str) -> Result<(), Refusal> {
    if text.starts_with('0') {
        let detail = "phoneNumber begins with the country code, without zeros before it.";
        return Err(coded(4070, detail));
    }
    Ok(())
}

/// Whether the time lies in the bounds is decided when the payment is made: a repeated request
/// must read the same however late it comes.
pub(super) fn expiry(
    expires: Option<Timestamp>,
    extras: &Map<String, Json>,
) -> Result<(), Refusal> {
    if expires.is_some() && !extras.contains_key("receipt") {
        return Err(coded(6130, "A payment with expiresAt needs a receipt."));
    }
    Ok(())
}
