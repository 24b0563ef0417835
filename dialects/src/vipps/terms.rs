//! The fields of create: every type, limit and sentence of the contract, in its order. Fields that
//! the contract does not have are left alone: plugins in production send some.
//!
//! A field of the wrong form gives an entry of its own, all of them together. What is well formed
//! and not allowed gives one numbered error, the first that applies.

mod allowed;
mod receipt;

use domain::bill::Payer;
use domain::{Ask, FieldProblem, Refusal, Timestamp};
use serde_json::{Map, Value as Json};

use super::{codes, delivery, person, times};
use crate::Site;
use crate::fields::{Fault, Fields, Members, Value};

/// The sentence about a reference, as the real service writes it.
pub const REFERENCE_RULE: &str =
    "The field Reference must match the regular expression '^[a-zA-Z0-9-]{8,64}$'.";

const FLOWS: &[&str] = &["WEB_REDIRECT", "NATIVE_REDIRECT", "PUSH_MESSAGE", "QR"];
const QR_FORMATS: &[&str] = &["TEXT/TARGETURL", "IMAGE/SVG+XML", "IMAGE/PNG"];
const RETURN_URL_MAX: usize = 2_500;
const URL_MAX: usize = 2_048;

/// The members that the contract has.
const KNOWN: &[&str] = &[
    "amount",
    "cardPassthrough",
    "customer",
    "customerInteraction",
    "expiresAt",
    "industryData",
    "metadata",
    "minimumUserAge",
    "paymentDescription",
    "paymentMethod",
    "profile",
    "qrFormat",
    "receipt",
    "receiptUrl",
    "reference",
    "returnUrl",
    "shipping",
    "userFlow",
];

/// Under which name the others are noted with the payment.
const IGNORED: &str = "ignored";
const IGNORED_MAX: usize = 20;

/// Notes the names of members that mean nothing here, for whoever looks for a slip.
fn ignore(members: &Members, extras: &mut Map<String, Json>) {
    let unknown = members.iter().map(|(name, _)| name);
    let unknown = unknown.filter(|name| !KNOWN.contains(name));
    let short = |name: &str| name.chars().take(100).collect::<String>();
    let unknown: Vec<String> = unknown.take(IGNORED_MAX).map(short).collect();
    if !unknown.is_empty() {
        extras.insert(IGNORED.to_owned(), Json::from(unknown));
    }
}

/// Members of create that meant nothing.
pub fn ignored(ask: &Ask) -> Vec<String> {
    let list = ask.extras.get(IGNORED).and_then(Json::as_array);
    let texts = list.into_iter().flatten().filter_map(Json::as_str);
    texts.map(str::to_owned).collect()
}

/// Is this a reference?
pub fn is_reference(text: &str) -> bool {
    (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The sentences for fields of the wrong form.
pub fn wording(field: &str, fault: Fault) -> String {
    let name = pascal(field);
    match fault {
        Fault::Missing => format!("The {name} field is required."),
        Fault::NotText => format!("The field {name} must be a string."),
        Fault::TooLong(max) => {
            format!("The field {name} must be a string with a maximum length of {max}.")
        }
        Fault::NotBool => format!("The field {name} must be true or false."),
        Fault::NotList => format!("The field {name} must be an array of strings."),
        Fault::NotObject => format!("The field {name} must be an object."),
        Fault::NotUuid => format!("The field {name} must be a UUID."),
        Fault::NotUrl => format!("The field {name} must be an absolute http or https URL."),
        Fault::NotPublic => {
            format!("The field {name} must be an https URL that can be reached from the internet.")
        }
        Fault::NotEmail => format!("The field {name} must be an e-mail address."),
        Fault::NotBetween(least, most) => {
            format!("The field {name} must be between {least} and {most}.")
        }
        Fault::NotKnown => format!("The field {name} has an unknown value."),
    }
}

/// `customer.phoneNumber` → `PhoneNumber`: the last part with a capital letter.
fn pascal(field: &str) -> String {
    let last = field.rsplit('.').next().unwrap_or(field);
    let mut letters = last.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

/// A numbered error.
pub fn coded(code: u16, detail: &str) -> Refusal {
    Refusal::Invalid(vec![FieldProblem {
        field: format!("{}:{code}", codes::NAME),
        message: detail.to_owned(),
    }])
}

/// `{currency, value}`: the count of minor units and the code, if both have the right form.
pub fn money(fields: &mut Fields<'_>, name: &str) -> Option<(i64, String)> {
    let Some(members) = fields.object(name) else {
        if fields.get(name).is_none() {
            fields.fault(name, Fault::Missing);
        }
        return None;
    };
    fields.inside(name, members, |inner| {
        let currency = inner.required_text("currency", 3);
        let value = match inner.get("value") {
            None => {
                inner.fault("value", Fault::Missing);
                None
            }
            Some(value) => {
                let value = minor(value);
                if value.is_none() {
                    let sentence = "The field Value must be a whole number of minor units, \
                                    for example 49900 for 499.00."
                        .to_owned();
                    inner.problem("value", sentence);
                }
                value
            }
        };
        Some((value?, currency?))
    })
}

/// A JSON number without sign, decimals and exponent.
fn minor(value: &Value) -> Option<i64> {
    match value {
        Value::Number(token) if token.bytes().all(|b| b.is_ascii_digit()) => token.parse().ok(),
        Value::Number(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Object(_) => None,
    }
}

/// `phoneNumber`: an MSISDN without plus.
pub fn phone(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.text("phoneNumber", 30)?;
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    if (9..=15).contains(&text.len()) && digits {
        return Some(text);
    }
    let sentence = "The field PhoneNumber must match the regular expression '^\\d{9,15}$': \
                    country code and number, without a plus."
        .to_owned();
    fields.problem("phoneNumber", sentence);
    None
}

/// Reads create. `serial` is the sales unit of the call; it is kept with the payment, because
/// every webhook names it.
pub fn ask(site: &Site, members: &Members, serial: Option<String>) -> Result<Ask, Refusal> {
    let mut fields = Fields::new(members, wording);
    let mut extras = Map::new();
    extras.insert("msn".to_owned(), Json::from(serial.unwrap_or_default()));
    let amount = money(&mut fields, "amount");
    let method = method(&mut fields, &mut extras);
    let reference = reference(&mut fields);
    let flow = one_of(&mut fields, "userFlow", FLOWS);
    let return_url = fields.text("returnUrl", RETURN_URL_MAX);
    let phone = customer(&mut fields, &mut extras);
    let purpose = description(&mut fields);
    let scope = scope(&mut fields);
    let expires_at = expires_at(&mut fields);
    details(&mut fields, &mut extras);
    let needed = needed_by_flow(&fields, flow.as_deref(), phone.is_some(), &extras);
    fields.finish()?;
    needed?;
    if let Some(phone) = &phone {
        allowed::phone(phone)?;
    }
    let missing = || Refusal::Invalid(Vec::new());
    let (value, code) = amount.ok_or_else(missing)?;
    let amount = allowed::amount(site, value, &code)?;
    let method = method.ok_or_else(missing)?;
    allowed::method(&method, &extras, amount)?;
    if let Some(url) = &return_url {
        allowed::return_url(site, url)?;
    }
    if let Some(scope) = &scope {
        allowed::scope(scope, &extras)?;
        extras.insert("scope".to_owned(), Json::from(scope.clone()));
    } else if extras.contains_key("shipping") {
        allowed::scope("", &extras)?;
    }
    delivery::check(&extras, amount.currency())?;
    allowed::metadata(members)?;
    allowed::customer(&extras)?;
    allowed::expiry(expires_at, &extras)?;
    extras.insert("userFlow".to_owned(), Json::from(flow.unwrap_or_default()));
    allowed::features(site, &extras, expires_at)?;
    let phone = phone.or(person::phone_behind(&extras));
    ignore(members, &mut extras);
    Ok(Ask {
        amount,
        expires: expires_at,
        repeatable: false,
        reference,
        purpose,
        payer: Payer {
            phone,
            ..Payer::default()
        },
        methods: vec![method.to_ascii_lowercase()],
        return_url,
        notify_url: None,
        extras,
    })
}

fn reference(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.required_text("reference", 1_000)?;
    if is_reference(&text) {
        return Some(text);
    }
    fields.problem("reference", REFERENCE_RULE.to_owned());
    None
}

/// One of the words of a list; it must be given.
fn one_of(fields: &mut Fields<'_>, name: &str, words: &[&str]) -> Option<String> {
    let text = fields.required_text(name, 100)?;
    if words.contains(&text.as_str()) {
        return Some(text);
    }
    let sentence = format!(
        "The field {} must be one of {}.",
        pascal(name),
        words.join(", ")
    );
    fields.problem(name, sentence);
    None
}

fn method(fields: &mut Fields<'_>, extras: &mut Map<String, Json>) -> Option<String> {
    let Some(members) = fields.object("paymentMethod") else {
        super::requests::missing(fields, "paymentMethod");
        return None;
    };
    fields.inside("paymentMethod", members, |inner| {
        if let Some(sources) = inner.list("blockedSources") {
            extras.insert("blockedSources".to_owned(), Json::from(sources));
        }
        inner.required_text("type", 100)
    })
}

fn customer(fields: &mut Fields<'_>, extras: &mut Map<String, Json>) -> Option<String> {
    let mut present = one_of_or_none(
        fields,
        "customerInteraction",
        &["CUSTOMER_PRESENT", "CUSTOMER_NOT_PRESENT"],
    );
    let mut number = None;
    if let Some(members) = fields.object("customer") {
        let given = ["phoneNumber", "personalQr", "customerToken"]
            .into_iter()
            .filter(|name| !matches!(members.get(name), None | Some(Value::Null)))
            .count();
        if given > 1 {
            let sentence = "Give one of PhoneNumber, PersonalQr and CustomerToken.".to_owned();
            fields.problem("customer", sentence);
        }
        fields.inside("customer", members, |inner| {
            number = phone(inner);
            for name in ["personalQr", "customerToken"] {
                if let Some(text) = inner.text(name, 255) {
                    extras.insert(name.to_owned(), Json::from(text));
                }
            }
            // A plugin in production sends it in here.
            let inside = inner.text("customerInteraction", 100);
            present = present.take().or(inside);
        });
    }
    if let Some(word) = present {
        extras.insert("customerInteraction".to_owned(), Json::from(word));
    }
    number
}

fn one_of_or_none(fields: &mut Fields<'_>, name: &str, words: &[&str]) -> Option<String> {
    fields.get(name)?;
    one_of(fields, name, words)
}

fn description(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.text("paymentDescription", 1_000)?;
    if (3..=100).contains(&text.chars().count()) {
        return Some(text);
    }
    let sentence = "The field PaymentDescription must be a string with a minimum length of 3 and \
                    a maximum length of 100."
        .to_owned();
    fields.problem("paymentDescription", sentence);
    None
}

fn scope(fields: &mut Fields<'_>) -> Option<String> {
    let members = fields.object("profile")?;
    fields.inside("profile", members, |inner| inner.text("scope", 255))
}

fn expires_at(fields: &mut Fields<'_>) -> Option<Timestamp> {
    let text = fields.text("expiresAt", 100)?;
    let time = times::parse(&text);
    if time.is_none() {
        let sentence =
            "The field ExpiresAt must be an RFC 3339 time, for example 2026-11-21T10:00:00Z."
                .to_owned();
        fields.problem("expiresAt", sentence);
    }
    time
}

/// Everything that is checked for its form and kept as it is.
fn details(fields: &mut Fields<'_>, extras: &mut Map<String, Json>) {
    qr_format(fields, extras);
    if let Some(url) = fields.text("receiptUrl", URL_MAX) {
        extras.insert("receiptUrl".to_owned(), Json::from(url));
    }
    if fields.get("minimumUserAge").is_some()
        && let Some(age) = fields.number("minimumUserAge", 0, 100)
    {
        extras.insert("minimumUserAge".to_owned(), Json::from(age));
    }
    receipt::read(fields);
    shipping(fields);
    for name in ["receipt", "shipping", "industryData"] {
        if let Some(members) = fields.object(name) {
            extras.insert(name.to_owned(), plain(&Value::Object(members.clone())));
        }
    }
    // It comes back as it was, so it is kept as it was written.
    if let Some(members) = fields.object("metadata") {
        let text = crate::json::write(&Value::Object(members.clone()));
        extras.insert("metadata".to_owned(), Json::from(text));
    }
}

fn qr_format(fields: &mut Fields<'_>, extras: &mut Map<String, Json>) {
    let Some(members) = fields.object("qrFormat") else {
        return;
    };
    fields.inside("qrFormat", members, |inner| {
        if let Some(format) = one_of(inner, "format", QR_FORMATS) {
            extras.insert("qrFormat".to_owned(), Json::from(format));
        }
        if inner.get("size").is_some()
            && let Some(size) = inner.number("size", 100, 2_000)
        {
            extras.insert("qrSize".to_owned(), Json::from(size));
        }
    });
}

fn shipping(fields: &mut Fields<'_>) {
    let Some(members) = fields.object("shipping") else {
        return;
    };
    fields.inside("shipping", members, |inner| {
        if inner.get("dynamicOptions").is_some() {
            let sentence = "DynamicOptions are not available here: nobody would be asked for the \
                            options. Give FixedOptions."
                .to_owned();
            inner.problem("dynamicOptions", sentence);
            return;
        }
        let fixed = inner.get("fixedOptions").and_then(Value::items);
        if fixed.is_none_or(|options| options.is_empty()) {
            inner.fault("fixedOptions", Fault::Missing);
        }
    });
}

/// What one way to the payer needs and the others do not.
fn needed_by_flow(
    fields: &Fields<'_>,
    flow: Option<&str>,
    phone: bool,
    extras: &Map<String, Json>,
) -> Result<(), Refusal> {
    let missing = |field: &str, sentence: &str| {
        let entry = |field: String| FieldProblem {
            field,
            message: sentence.to_owned(),
        };
        let code = format!("{}:4140", codes::NAME);
        Err(Refusal::Invalid(vec![entry(code), entry(field.to_owned())]))
    };
    if flow == Some("WEB_REDIRECT") && fields.get("returnUrl").is_none() {
        let sentence = "The ReturnUrl field is required when userFlow is WEB_REDIRECT.";
        return missing("returnUrl", sentence);
    }
    let named = ["personalQr", "customerToken"]
        .iter()
        .any(|name| extras.contains_key(*name));
    if flow == Some("PUSH_MESSAGE") && !phone && !named {
        let sentence = "The Customer field is required when userFlow is PUSH_MESSAGE.";
        return missing("customer", sentence);
    }
    Ok(())
}

/// A value as JSON that is kept. Whole numbers stay numbers; any other number stays the text of
/// its token, so that nothing is ever rounded.
fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Number(token) => match token.parse::<i64>() {
            Ok(whole) => Json::from(whole),
            Err(_) => Json::from(token.clone()),
        },
        Value::Text(text) => Json::from(text.clone()),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Object(members) => Json::Object(
            members
                .iter()
                .map(|(name, value)| (name.to_owned(), plain(value)))
                .collect(),
        ),
    }
}
