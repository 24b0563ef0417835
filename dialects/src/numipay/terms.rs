//! The members of the common `request` object: every type, limit and sentence, in the order of the
//! contract.

use domain::bill::Payer;
use domain::card::CardProblem;
use domain::payout::Order;
use domain::transaction::{Flow, Tracking};
use domain::{AmountError, Ask, Card, Currency, Money, Refusal, Timestamp, TransactionCall};
use serde_json::{Map, Value as Json};

use super::{Options, times};
use crate::Site;
use crate::fields::{Fault, Fields, Members, UrlRule, Value};

/// Characters of the merchant's own id.
pub const TRACKING_MAX: usize = 255;

/// Characters of the parts of an address.
const TEXT_MAX: usize = 255;

/// How a deposit is to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On the page that lists the providers.
    Hosted,
    /// On the page of one provider.
    Direct,
    /// With card data in the call.
    Server,
}

/// The sentences for the faults of a field.
pub fn wording(field: &str, fault: Fault) -> String {
    match fault {
        Fault::Missing => format!("The {field} is required."),
        Fault::NotText => format!("The {field} must be a string."),
        Fault::TooLong(max) => format!("The {field} may have at most {max} characters."),
        Fault::NotBool => format!("The {field} must be true or false."),
        Fault::NotList => format!("The {field} must be an array of strings."),
        Fault::NotObject => format!("The {field} must be an object."),
        Fault::NotUuid => format!("The {field} must be a UUID."),
        Fault::NotUrl => {
            format!("The {field} must be an http or https URL without a user name or password.")
        }
        Fault::NotPublic => {
            format!("The {field} must be an https URL that can be reached from the internet.")
        }
        Fault::NotEmail => format!("The {field} must be an email address."),
        Fault::NotBetween(least, most) => {
            format!("The {field} must be a whole number from {least} to {most}.")
        }
        Fault::NotKnown => format!("The {field} is not known."),
    }
}

/// What all four calls have in common.
struct Common {
    tracking: Option<Tracking>,
    amount: Option<Money>,
    purpose: Option<String>,
    return_url: Option<String>,
    notify_url: Option<String>,
    payer: Payer,
    provider: Option<String>,
    extras: Map<String, Json>,
}

/// Reads a deposit.
pub fn deposit(
    options: &Options,
    site: &Site,
    now: Timestamp,
    members: &Members,
    kind: Kind,
) -> Result<TransactionCall, Refusal> {
    let mut fields = Fields::new(members, wording);
    let mut common = common(&mut fields, options, site, kind == Kind::Server);
    if kind == Kind::Direct && common.provider.is_none() && fields.get("provider_id").is_none() {
        fields.fault("provider_id", Fault::Missing);
    }
    let card = match kind {
        Kind::Server => card(&mut fields, options, now),
        Kind::Hosted | Kind::Direct => {
            no_card(&mut fields);
            None
        }
    };
    fields.finish()?;
    let flow = match (kind, common.provider.take(), card) {
        (Kind::Direct, Some(provider), _) => Flow::Direct(provider),
        (Kind::Server, _, Some(card)) => Flow::Server(Box::new(card)),
        (Kind::Hosted | Kind::Direct | Kind::Server, _, _) => Flow::Hosted,
    };
    let (tracking, amount) = both(common.tracking, common.amount)?;
    let ask = Ask {
        amount,
        expires: Some(now.plus(options.deposit_life)),
        repeatable: false,
        reference: Some(tracking.id.clone()),
        purpose: common.purpose,
        payer: common.payer,
        // The provider rules say which; they are the gateway's.
        methods: Vec::new(),
        return_url: common.return_url,
        notify_url: common.notify_url,
        extras: common.extras,
    };
    Ok(TransactionCall::Deposit {
        tracking,
        ask: Box::new(ask),
        flow,
    })
}

/// Reads a payout.
pub fn withdrawal(
    options: &Options,
    site: &Site,
    members: &Members,
    by: String,
) -> Result<TransactionCall, Refusal> {
    let mut fields = Fields::new(members, wording);
    let common = common(&mut fields, options, site, false);
    no_card(&mut fields);
    fields.finish()?;
    let (tracking, amount) = both(common.tracking, common.amount)?;
    let order = Order {
        amount,
        reference: Some(tracking.id.clone()),
        purpose: common.purpose,
        payee: common.payer,
        methods: Vec::new(),
        return_url: common.return_url,
        notify_url: common.notify_url,
        extras: common.extras,
    };
    Ok(TransactionCall::Withdraw {
        tracking,
        order: Box::new(order),
        by,
    })
}

/// Both were read, or there was a problem with one of them and this is never reached.
fn both(tracking: Option<Tracking>, amount: Option<Money>) -> Result<(Tracking, Money), Refusal> {
    tracking
        .zip(amount)
        .ok_or_else(|| Refusal::Invalid(Vec::new()))
}

fn common(fields: &mut Fields<'_>, options: &Options, site: &Site, server: bool) -> Common {
    let user = filled(fields, "user_id", options.user_max);
    let tracking = filled(fields, "tracking_id", TRACKING_MAX);
    let amount = amount(fields, options);
    let purpose = fields.text("description", options.description_max);
    let country = country(fields);
    let language = language(fields);
    let ip = ip(fields, server);
    // The browser goes there, not we: it may be any web address.
    let browser = UrlRule {
        max: options.url_max,
        insecure: true,
        targets: None,
    };
    let return_url = fields.url("return_url", browser);
    let notify_url = notify_url(fields, options, site);
    let (payer, customer) = customer(fields, options, server);
    let provider = fields.text("provider_id", options.user_max);
    let mut extras = Map::new();
    let texts = [
        ("user_id", user.clone()),
        ("country", country.clone()),
        ("language", language),
        ("ip", ip),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            extras.insert(name.to_owned(), Json::String(text));
        }
    }
    if let Some(customer) = customer {
        extras.insert("customer".to_owned(), Json::Object(customer));
    }
    Common {
        tracking: tracking
            .zip(user)
            .map(|(id, user)| Tracking { id, user, country }),
        amount,
        purpose,
        return_url,
        notify_url,
        payer,
        provider,
        extras,
    }
}

/// Text that must be given; blanks alone are nothing.
fn filled(fields: &mut Fields<'_>, name: &str, max: usize) -> Option<String> {
    let text = fields.required_text(name, max)?;
    if text.trim().is_empty() {
        fields.fault(name, Fault::Missing);
        return None;
    }
    Some(text)
}

/// `currency` and `amount`: the second cannot be read without the first.
fn amount(fields: &mut Fields<'_>, options: &Options) -> Option<Money> {
    let code = fields.get("currency");
    let currency = code
        .and_then(Value::as_text)
        .and_then(|code| Currency::parse_exact(code).ok());
    match (code, currency) {
        (None, _) => fields.fault("currency", Fault::Missing),
        (Some(_), None) => fields.problem(
            "currency",
            "The currency must be an ISO 4217 code in capitals, for example EUR.".to_owned(),
        ),
        (Some(_), Some(_)) => {}
    }
    let token = match fields.get("amount") {
        None => {
            fields.fault("amount", Fault::Missing);
            return None;
        }
        Some(Value::Text(token) | Value::Number(token)) => token.as_str(),
        Some(Value::Null | Value::Bool(_) | Value::List(_) | Value::Object(_)) => "",
    };
    // Without a currency the shape can be judged all the same.
    let assumed = currency.or_else(|| Currency::parse_exact("UYW").ok())?;
    match sum(token, assumed, options) {
        Ok(money) => currency.map(|_| money),
        Err(_) if currency.is_none() && Money::parse(token, assumed).is_ok() => None,
        Err(sentence) => {
            fields.problem("amount", sentence);
            None
        }
    }
}

fn sum(token: &str, currency: Currency, options: &Options) -> Result<Money, String> {
    let most = options.amount_digits;
    let large = || format!("The amount may have at most {most} digits before the point.");
    let money = match Money::parse(token, currency) {
        Ok(money) => money,
        Err(AmountError::TooPrecise) => {
            let decimals = currency.decimals();
            return Err(format!(
                "The amount may have at most {decimals} decimals in {currency}."
            ));
        }
        Err(AmountError::TooLarge) => return Err(large()),
        Err(
            AmountError::Malformed
            | AmountError::TooLong
            | AmountError::Negative
            | AmountError::CurrencyMismatch
            | AmountError::Zero,
        ) => {
            return Err(
                "The amount must be a decimal number without sign, comma or exponent, for \
                 example \"200.00\"."
                    .to_owned(),
            );
        }
    };
    if money.is_zero() {
        return Err("The amount must be more than zero.".to_owned());
    }
    let whole = token.split('.').next().unwrap_or_default();
    if whole.len() > most {
        return Err(large());
    }
    Ok(money)
}

fn country(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.text("country", TEXT_MAX)?;
    let code = text.to_ascii_uppercase();
    if domain::country::is_known(&code) {
        return Some(code);
    }
    fields.problem(
        "country",
        "The country must be an ISO 3166-1 code of two letters, for example CO.".to_owned(),
    );
    None
}

/// `en`, or `en-GB` of which the first part counts.
fn language(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.text("language", TEXT_MAX)?;
    let first = text.split(['-', '_']).next().unwrap_or_default();
    if first.len() == 2 && first.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Some(first.to_ascii_lowercase());
    }
    fields.problem(
        "language",
        "The language must be an ISO 639-1 code of two letters, for example en.".to_owned(),
    );
    None
}

fn ip(fields: &mut Fields<'_>, required: bool) -> Option<String> {
    if required && fields.get("ip").is_none() {
        fields.fault("ip", Fault::Missing);
    }
    let text = fields.text("ip", TEXT_MAX)?;
    match text.parse::<std::net::IpAddr>() {
        Ok(address) => Some(address.to_string()),
        Err(_) => {
            fields.problem("ip", "The ip must be an IPv4 or IPv6 address.".to_owned());
            None
        }
    }
}

/// `notification_url`, or one of its two other names.
fn notify_url(fields: &mut Fields<'_>, options: &Options, site: &Site) -> Option<String> {
    let name = ["notification_url", "webhook_url", "callback_url"]
        .into_iter()
        .find(|name| fields.get(name).is_some())?;
    fields.url(name, site.webhook(options.url_max))
}

fn customer(
    fields: &mut Fields<'_>,
    options: &Options,
    required: bool,
) -> (Payer, Option<Map<String, Json>>) {
    if required && fields.get("customer").is_none() {
        fields.fault("customer", Fault::Missing);
    }
    let Some(members) = fields.object("customer") else {
        return (Payer::default(), None);
    };
    fields.inside("customer", members, |inner| {
        let first = inner.text("first_name", options.name_max);
        let last = inner.text("last_name", options.name_max);
        let email = inner.email("email", options.email_max);
        let phone = inner.text("phone", options.phone_max);
        let born = born(inner);
        let mut kept = Map::new();
        let mut keep = |name: &str, text: Option<String>| {
            if let Some(text) = text {
                kept.insert(name.to_owned(), Json::String(text));
            }
        };
        keep("date_of_birth", born);
        keep("country", country(inner));
        for name in ["city", "state", "zip", "address"] {
            keep(name, inner.text(name, TEXT_MAX));
        }
        let name = [first, last].into_iter().flatten().collect::<Vec<_>>();
        let name = (!name.is_empty()).then(|| name.join(" "));
        (Payer { name, email, phone }, Some(kept))
    })
}

fn born(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.text("date_of_birth", TEXT_MAX)?;
    let date: Option<jiff::civil::Date> = text.parse().ok().filter(|_| text.len() == 10);
    if date.is_none() {
        fields.problem(
            "date_of_birth",
            "The date_of_birth must be a day in the form YYYY-MM-DD.".to_owned(),
        );
    }
    date.map(|_| text)
}

fn no_card(fields: &mut Fields<'_>) {
    if fields.get("credit_card").is_some() {
        fields.problem(
            "credit_card",
            "Card data is taken by the server-to-server call only; leave credit_card out."
                .to_owned(),
        );
    }
}

/// The card. What was typed is never part of a sentence.
fn card(fields: &mut Fields<'_>, options: &Options, now: Timestamp) -> Option<Card> {
    if fields.get("credit_card").is_none() {
        fields.fault("credit_card", Fault::Missing);
    }
    let members = fields.object("credit_card")?;
    fields.inside("credit_card", members, |inner| {
        inner.text("holder", options.name_max);
        let part = |name: &str, max: usize| {
            let text = inner.get(name).and_then(Value::as_text).unwrap_or_default();
            if text.len() > max { "x" } else { text }.to_owned()
        };
        let mut number = part("number", 40);
        let (month, year) = (part("exp_month", 2), part("exp_year", 4));
        let mut code = part("verification_value", 4);
        let card = Card::read_parts(&number, (&month, &year), &code, times::month(now));
        domain::secret::wipe(&mut number);
        domain::secret::wipe(&mut code);
        match card {
            Ok(card) => Some(card),
            Err(problems) => {
                for problem in problems {
                    let (name, sentence) = card_problem(problem);
                    inner.problem(name, sentence.to_owned());
                }
                None
            }
        }
    })
}

fn card_problem(problem: CardProblem) -> (&'static str, &'static str) {
    match problem {
        CardProblem::NumberMissing => ("number", "The number is required."),
        CardProblem::NumberInvalid => (
            "number",
            "The number must be 12 to 19 digits of a card number.",
        ),
        CardProblem::NumberMistyped => (
            "number",
            "The check digit of the number is wrong: a digit is mistyped.",
        ),
        CardProblem::ExpiryMissing => ("exp_month", "The exp_month and exp_year are required."),
        CardProblem::ExpiryInvalid => (
            "exp_month",
            "The exp_month must be 01 to 12 and the exp_year a year of four digits.",
        ),
        CardProblem::ExpiryPast => ("exp_year", "The card has expired."),
        CardProblem::CodeMissing => ("verification_value", "The verification_value is required."),
        CardProblem::CodeInvalid => (
            "verification_value",
            "The verification_value must be 3 or 4 digits.",
        ),
    }
}
