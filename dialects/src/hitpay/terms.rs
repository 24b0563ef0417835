//! The fields of a payment request, as create and update take them: every type, default, limit
//! and sentence of the contract, in its order.

use domain::bill::{METHODS_NAMED, Payer};
use domain::limits::EXTRAS_MAX;
use domain::payment::GIFT_CARD;
use domain::{AmountError, Ask, Currency, Money, Refusal, Timestamp};
use serde_json::{Map, Value as Json};

use super::{Options, times};
use crate::Site;
use crate::fields::{EMAIL_MAX, Fault, Fields, Members, UrlRule, Value};

/// The codes of every payment method that the public sources name.
pub const METHODS: &[&str] = &[
    "paynow_online",
    "card",
    "wechat",
    "wechat_pay",
    "alipay",
    "grabpay",
    "grabpay_direct",
    "grabpay_paylater",
    "shopee_pay",
    "fave_duit",
    "shopback",
    "atome",
    "zip",
    "fpx",
    "touch_n_go",
    "duitnow",
    "gcash",
    "gcash_qr",
    "qrph_netbank",
    "upi_qr",
    "doku_qris",
    "ifpay_qris",
    "opn_prompt_pay",
    "opn_true_money_qr",
    "vietqr_payme",
    "vietqr_zalopay",
    "zalopay",
    "payto",
    WIFI_READER,
    "promptpay",
    GIFT_CARD,
];

/// The method of a terminal, which must then be named.
const WIFI_READER: &str = "wifi_card_reader";

/// The most that a payment request may ask for: 999 999 999.99, in ten-thousandths.
const MOST_AMOUNT: i128 = 9_999_999_999_900;

const REDIRECT_MAX: usize = 1_028;
const TEXT_MAX: usize = 255;
const METADATA_PAIRS_MAX: usize = 50;
const METADATA_VALUE_MAX: usize = 500;

/// The methods of a request that names none: those that this gateway can take money with.
pub fn default_methods(currency: Currency) -> Vec<String> {
    let codes: &[&str] = if currency.code() == "SGD" {
        &["paynow_online", "card"]
    } else {
        &["card"]
    };
    codes.iter().map(|code| (*code).to_owned()).collect()
}

/// The sentences of the contract.
pub fn wording(field: &str, fault: Fault) -> String {
    let name = field.replace('_', " ");
    match fault {
        Fault::Missing => format!("The {name} field is required."),
        Fault::NotText => format!("The {name} must be a string."),
        Fault::TooLong(max) => format!("The {name} may not be greater than {max} characters."),
        Fault::NotBool => format!("The {name} field must be true or false."),
        Fault::NotList => format!("The {name} must be an array of strings."),
        Fault::NotObject => format!("The {name} must be an object."),
        Fault::NotUuid => format!("The {name} must be a valid UUID."),
        Fault::NotUrl => {
            format!("The {name} must be a valid http or https URL without a user name or password.")
        }
        Fault::NotPublic => {
            format!("The {name} must be a public https URL: localhost not work for this field.")
        }
        Fault::NotEmail => format!("The {name} must be a valid email address."),
        Fault::NotBetween(least, most) => {
            format!("The {name} must be an integer between {least} and {most}.")
        }
        Fault::NotKnown => format!("The selected {name} is invalid."),
    }
}

/// Reads the fields of create and of update, in the order of the contract.
pub fn ask(site: &Site, now: Timestamp, members: &Members) -> Result<Ask, Refusal> {
    let options = &site.hitpay;
    let mut fields = Fields::new(members, wording);
    let amount = amount(&mut fields, options);
    let methods = methods(&mut fields);
    let email = fields.email("email", EMAIL_MAX);
    let name = fields.text("name", options.name_max);
    let phone = fields.text("phone", options.phone_max);
    let purpose = fields.text("purpose", TEXT_MAX);
    let reference = fields.text("reference_number", TEXT_MAX);
    let insecure = site.insecure_targets;
    let return_url = fields.url(
        "redirect_url",
        UrlRule {
            max: REDIRECT_MAX,
            insecure,
            targets: None,
        },
    );
    let notify_url = fields.url("webhook", site.webhook(options.webhook_max));
    let repeatable = fields.flag("allow_repeated_payments").unwrap_or(false);
    if repeatable && methods.iter().any(|code| code == GIFT_CARD) {
        // Nobody could tell whose gift cards are whose.
        let message = "A repeated payment cannot be paid by gift card.".to_owned();
        fields.problem("payment_methods", message);
    }
    let expires = expires(&mut fields, now);
    let extras = extras(&mut fields, methods.iter().any(|code| code == WIFI_READER));
    fields.finish()?;
    // Without an amount there was a problem, so this never refuses by itself.
    let amount = amount.ok_or_else(|| Refusal::Invalid(Vec::new()))?;
    let mut extras = extras;
    let methods = if methods.is_empty() {
        default_methods(amount.currency())
    } else {
        // A request that does not leave the choice open is paid by gift card only if it says so.
        extras.insert(METHODS_NAMED.to_owned(), true.into());
        methods
    };
    Ok(Ask {
        amount,
        expires,
        repeatable,
        reference,
        purpose,
        payer: Payer { name, email, phone },
        methods,
        return_url,
        notify_url,
        extras,
    })
}

/// `amount` and `currency`: the first cannot be read without the second, and stands before it.
fn amount(fields: &mut Fields<'_>, options: &Options) -> Option<Money> {
    let code = fields.get("currency");
    let currency = code
        .and_then(Value::as_text)
        .and_then(|code| Currency::parse(code).ok());
    let token = match fields.get("amount") {
        None => {
            fields.fault("amount", Fault::Missing);
            None
        }
        Some(Value::Text(token) | Value::Number(token)) => Some(token.as_str()),
        Some(Value::Null | Value::Bool(_) | Value::List(_) | Value::Object(_)) => Some(""),
    };
    let money = token.and_then(|token| match sum(token, currency, options) {
        Ok(money) => money,
        Err(sentence) => {
            fields.problem("amount", sentence);
            None
        }
    });
    match (code, currency) {
        (None, _) => fields.fault("currency", Fault::Missing),
        (Some(_), None) => fields.fault("currency", Fault::NotKnown),
        (Some(_), Some(_)) => {}
    }
    money
}

/// The amount, or what is wrong with it. Without a currency its shape and bounds can be judged
/// all the same, and then there is no amount.
fn sum(
    token: &str,
    currency: Option<Currency>,
    options: &Options,
) -> Result<Option<Money>, String> {
    let least = i128::from(options.least_amount);
    let between = || {
        format!(
            "The amount must be between {} and 999999999.99.",
            ten_thousandths(least)
        )
    };
    // The currency with the most decimals there are.
    let finest = Currency::parse("UYW").ok();
    let Some(assumed) = currency.or(finest) else {
        return Ok(None);
    };
    match Money::parse(token, assumed) {
        Ok(money) => {
            let unit = (assumed.decimals()..4).fold(1, |unit, _| unit * 10);
            let value = i128::from(money.minor()) * unit;
            let allowed = (least..=MOST_AMOUNT).contains(&value);
            if allowed {
                Ok(currency.map(|_| money))
            } else {
                Err(between())
            }
        }
        Err(AmountError::TooLarge) => Err(between()),
        Err(AmountError::TooPrecise) => match currency {
            Some(currency) => Err(format!("The amount may have {}.", decimals(currency))),
            None => Ok(None),
        },
        Err(
            AmountError::Malformed
            | AmountError::TooLong
            | AmountError::Negative
            | AmountError::CurrencyMismatch
            | AmountError::Zero,
        ) => {
            let form = "The amount must be a number. Write it as a plain decimal without sign, \
                        comma or exponent";
            Err(match currency {
                Some(currency) => format!("{form}, with {}.", decimals(currency)),
                None => format!("{form}."),
            })
        }
    }
}

/// `at most 2 decimals in SGD, for example 10.50`.
fn decimals(currency: Currency) -> String {
    let example = Money::from_minor(1_050, currency)
        .map(Money::fixed)
        .unwrap_or_default();
    match currency.decimals() {
        0 => format!("no decimals in {currency}, for example {example}"),
        many => format!("at most {many} decimals in {currency}, for example {example}"),
    }
}

/// `3000` → `0.3`.
fn ten_thousandths(value: i128) -> String {
    let text = format!("{}.{:04}", value / 10_000, value % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn methods(fields: &mut Fields<'_>) -> Vec<String> {
    let mut methods: Vec<String> = Vec::new();
    for code in fields.list("payment_methods").unwrap_or_default() {
        if !METHODS.contains(&code.as_str()) {
            fields.fault("payment_methods", Fault::NotKnown);
            return Vec::new();
        }
        if !methods.contains(&code) {
            methods.push(code);
        }
    }
    methods
}

/// The end of the request. With both fields the date decides: it is the more exact of the two.
fn expires(fields: &mut Fields<'_>, now: Timestamp) -> Option<Timestamp> {
    let date = fields.text("expiry_date", TEXT_MAX).and_then(|text| {
        let time = times::parse(&text);
        match time {
            None => fields.problem(
                "expiry_date",
                "The expiry date does not match the format Y-m-d H:i:s.".to_owned(),
            ),
            Some(time) if time <= now => fields.problem(
                "expiry_date",
                "The expiry date must be a date after now in Singapore time.".to_owned(),
            ),
            Some(_) => {}
        }
        time
    });
    let after = fields.text("expires_after", TEXT_MAX).and_then(|text| {
        let span = times::parse_span(&text);
        if span.is_none() {
            fields.problem(
                "expires_after",
                "The expires after must be a number of mins, hours or days, for example 30 mins, \
                 and at most 3650 days."
                    .to_owned(),
            );
        }
        span
    });
    date.or_else(|| after.map(|span| now.plus(span)))
}

/// What only this dialect cares about, under its names on the wire.
fn extras(fields: &mut Fields<'_>, terminal_needed: bool) -> Map<String, Json> {
    let mut extras = Map::new();
    for name in [
        "send_email",
        "send_sms",
        "add_admin_fee",
        "generate_qr",
        "generate_embed",
        "generate_direct_link",
    ] {
        if let Some(flag) = fields.flag(name) {
            extras.insert(name.to_owned(), Json::Bool(flag));
        }
    }
    if let Some(address) = address(fields) {
        extras.insert("address".to_owned(), Json::Object(address));
    }
    if let Some(metadata) = metadata(fields) {
        extras.insert("metadata".to_owned(), Json::Object(metadata));
    }
    let staff = fields.uuid("staff_id");
    let location = fields.uuid("location_id");
    let business_location = fields.uuid("business_location_id").or(location);
    let terminal = fields.text("wifi_terminal_id", TEXT_MAX);
    if terminal_needed && fields.get("wifi_terminal_id").is_none() {
        let sentence =
            "The wifi terminal id field is required when payment methods is wifi_card_reader.";
        fields.problem("wifi_terminal_id", sentence.to_owned());
    }
    let channel = fields.text("channel", TEXT_MAX);
    for (name, text) in [
        ("staff_id", staff),
        ("business_location_id", business_location),
        ("wifi_terminal_id", terminal),
        ("channel", channel),
    ] {
        if let Some(text) = text {
            extras.insert(name.to_owned(), Json::String(text));
        }
    }
    let bytes = serde_json::to_vec(&extras).map_or(0, |bytes| bytes.len());
    if bytes > EXTRAS_MAX {
        let sentence = format!("The metadata may not be greater than {EXTRAS_MAX} bytes in all.");
        fields.problem("metadata", sentence);
    }
    extras
}

fn address(fields: &mut Fields<'_>) -> Option<Map<String, Json>> {
    let members = fields.object("address")?;
    let address = fields.inside("address", members, |inner| {
        let mut address = Map::new();
        for name in ["line1", "line2", "city", "country", "state", "postal_code"] {
            let text = if name == "line2" {
                inner.text(name, TEXT_MAX)
            } else {
                inner.required_text(name, TEXT_MAX)
            };
            address.insert(name.to_owned(), text.map_or(Json::Null, Json::String));
        }
        address
    });
    Some(address)
}

/// The pairs of `metadata`, if they are sound.
pub fn metadata(fields: &mut Fields<'_>) -> Option<Map<String, Json>> {
    let members = fields.object("metadata")?;
    if members.len() > METADATA_PAIRS_MAX {
        let sentence = format!("The metadata may not have more than {METADATA_PAIRS_MAX} items.");
        fields.problem("metadata", sentence);
        return None;
    }
    let mut metadata = Map::new();
    for (name, value) in members.iter() {
        let field = format!("metadata.{name}");
        if name.chars().count() > TEXT_MAX {
            let sentence =
                format!("The metadata keys may not be greater than {TEXT_MAX} characters.");
            fields.problem("metadata", sentence);
            return None;
        }
        match value.as_text() {
            None => fields.fault(&field, Fault::NotText),
            Some(text) if text.chars().count() > METADATA_VALUE_MAX => {
                fields.fault(&field, Fault::TooLong(METADATA_VALUE_MAX));
            }
            Some(text) => {
                metadata.insert(name.to_owned(), Json::String(text.to_owned()));
            }
        }
    }
    Some(metadata)
}
