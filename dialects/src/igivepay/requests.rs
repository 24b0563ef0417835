//! From the wire to a call: paths, amounts in kroner, cards.

use domain::bill::{CARD_ACCESS, CardAccess, Payer};
use domain::call::{CardCall, Incoming};
use domain::limits::PARTS_PER_BILL;
use domain::payment::GIFT_CARD;
use domain::programme::{CardEntry, CardUse, is_cvc, is_shop, number_digits};
use domain::{
    AmountError, Ask, Call, FieldProblem, Money, Object, Refusal, Secret, Timestamp, WireId,
};
use http::Method;
use http::request::Parts;
use serde_json::{Map, Value as Json};

use super::{Options, currency};
use crate::fields::{self, Fault, Fields, Members, UrlRule, Value};
use crate::{Site, json};

/// Names of the amount: what the webhook calls it, and what clients may guess.
const TOTAL: [&str; 3] = ["paymentTotal", "amount", "totalAmount"];

/// Names of the return address.
const RETURN: [&str; 3] = ["redirectUrl", "returnUrl", "callbackUrl"];

/// What a path and a method name.
enum Route<'a> {
    Create,
    Verify(&'a str),
    Perform(&'a str),
    Cancel(&'a str),
    Balance(&'a str),
}

/// What the request asks for.
pub fn decode(site: &Site, now: Timestamp, head: &Parts, body: &[u8]) -> Result<Incoming, Refusal> {
    let options = &site.igivepay;
    let call = match route(head)? {
        Route::Create => Call::CreateBill(Box::new(ask(site, now, &json::parse(body)?)?)),
        Route::Verify(id) => Call::ShowBill(wire_id(id)?),
        Route::Perform(id) => Call::Cards(CardCall::Perform(
            wire_id(id)?,
            cards(options, &json::parse(body)?)?,
        )),
        Route::Cancel(id) => Call::Cards(CardCall::Undo(wire_id(id)?, options.undo_within)),
        Route::Balance(number) => {
            // What is no number is a card that nobody has.
            let digits = number_digits(number).unwrap_or_default();
            Call::Cards(CardCall::Balance(Secret::new(digits)))
        }
    };
    Ok(Incoming {
        call,
        idempotency_key: None,
    })
}

fn route(head: &Parts) -> Result<Route<'_>, Refusal> {
    let served = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if !served.contains(&head.method) {
        return Err(Refusal::UnknownMethod);
    }
    let path = head.uri.path();
    // A trailing slash is tolerated.
    let path = path.strip_suffix('/').unwrap_or(path);
    let rest = path.strip_prefix("/api/v1/").ok_or(Refusal::UnknownRoute)?;
    let segments: Vec<&str> = rest.split('/').collect();
    let reads = head.method == Method::GET || head.method == Method::HEAD;
    let posts = head.method == Method::POST;
    match segments.as_slice() {
        ["payments"] if posts => Ok(Route::Create),
        ["payments", id] if reads => Ok(Route::Verify(id)),
        ["payments", id, "perform"] if posts => Ok(Route::Perform(id)),
        ["payments", id, "cancel"] if posts => Ok(Route::Cancel(id)),
        ["giftcards", "balance", number] if reads => Ok(Route::Balance(number)),
        _ => Err(Refusal::UnknownRoute),
    }
}

/// A UUID in any letter case; anything else is an id that no payment has.
fn wire_id(text: &str) -> Result<WireId, Refusal> {
    let id = fields::uuid(text).unwrap_or_else(|| text.to_owned());
    WireId::new(id).map_err(|_| {
        let shown = text.chars().take(64).collect();
        Refusal::NotFound(Object::Bill, shown)
    })
}

/// The sentence for a fault of a field.
pub fn wording(field: &str, fault: Fault) -> String {
    match fault {
        Fault::Missing => format!("{field} is required"),
        Fault::NotText => format!("{field} must be text"),
        Fault::TooLong(max) => format!("{field} has at most {max} characters"),
        Fault::NotBool => format!("{field} must be true or false"),
        Fault::NotList => format!("{field} must be a list"),
        Fault::NotObject => format!("{field} must be an object"),
        Fault::NotUuid => format!("{field} must be a UUID"),
        Fault::NotUrl => {
            format!("{field} must be an http or https address without a user name or password")
        }
        Fault::NotPublic => format!("{field} must be a public https address"),
        Fault::NotEmail => format!("{field} must be an e-mail address"),
        Fault::NotBetween(least, most) => format!("{field} must be from {least} to {most}"),
        Fault::NotKnown => format!("{field} has a value that is not known"),
    }
}

/// Reads the fields of create.
fn ask(site: &Site, now: Timestamp, members: &Members) -> Result<Ask, Refusal> {
    let options = &site.igivepay;
    let mut fields = Fields::new(members, wording);
    let amount = total(&mut fields, options)?;
    let access = access(&mut fields);
    let reference = fields.text("reference", options.reference_max);
    if access != CardAccess::Hosted && fields.get("reference").is_none() {
        fields.fault("reference", Fault::Missing);
    }
    let return_url = return_url(&mut fields, options);
    let notify_url = fields.url("webhookUrl", site.webhook(options.url_max));
    let vendor = vendor(&mut fields);
    let mut extras = Map::new();
    extras.insert(CARD_ACCESS.to_owned(), Json::from(access.as_str()));
    if let Some(vendor) = vendor {
        extras.insert("vendor_id".to_owned(), Json::from(vendor));
    }
    fields.finish()?;
    let amount = amount.ok_or(Refusal::UnknownRoute)?;
    Ok(Ask {
        amount,
        expires: Some(now.plus(options.page_time)),
        repeatable: false,
        reference,
        purpose: None,
        payer: Payer::default(),
        methods: vec![GIFT_CARD.to_owned()],
        return_url,
        notify_url,
        extras,
    })
}

/// The first of several names that was given.
fn named<'n>(fields: &Fields<'_>, names: [&'n str; 3]) -> &'n str {
    let [usual, ..] = names;
    names
        .into_iter()
        .find(|name| fields.get(name).is_some())
        .unwrap_or(usual)
}

/// The total; nothing if its problem was noted.
fn total(fields: &mut Fields<'_>, options: &Options) -> Result<Option<Money>, Refusal> {
    let name = named(fields, TOTAL);
    let Some(value) = fields.get(name) else {
        fields.fault(name, Fault::Missing);
        return Ok(None);
    };
    let most = Money::from_minor(options.most, currency()?)
        .map_or_else(|_| String::new(), Money::shortest);
    match kroner(value)? {
        Ok(money) if !money.is_zero() && money.minor() <= options.most => Ok(Some(money)),
        Ok(_) => {
            let message = format!("{name} must be above 0 and at most {most}");
            fields.problem(name, message);
            Ok(None)
        }
        Err(problem) => {
            fields.problem(name, format!("{name} {problem}"));
            Ok(None)
        }
    }
}

/// An amount as a JSON number in kroner, read from its text: no float touches it.
fn kroner(value: &Value) -> Result<Result<Money, &'static str>, Refusal> {
    let currency = currency()?;
    let Value::Number(token) = value else {
        return Ok(Err("must be a number"));
    };
    Ok(Money::parse(token, currency).map_err(|error| match error {
        AmountError::TooPrecise => "has at most 2 decimals",
        AmountError::TooLarge | AmountError::TooLong => "is too large",
        AmountError::Malformed
        | AmountError::Negative
        | AmountError::CurrencyMismatch
        | AmountError::Zero => "must be a number like 499.5, not below 0",
    }))
}

fn access(fields: &mut Fields<'_>) -> CardAccess {
    let Some(word) = fields.text("accessMode", 16) else {
        return CardAccess::Hosted;
    };
    CardAccess::parse(&word).unwrap_or_else(|| {
        let message = "accessMode must be hosted, webui or api".to_owned();
        fields.problem("accessMode", message);
        CardAccess::Hosted
    })
}

/// Needed for a hosted payment, unless the client or the server has one for all of them: whether
/// that is so is not known here.
fn return_url(fields: &mut Fields<'_>, options: &Options) -> Option<String> {
    let name = named(fields, RETURN);
    // A browser may be sent to a plain or local address: it is the payer's, not ours.
    let rule = UrlRule {
        max: options.url_max,
        insecure: true,
        targets: None,
    };
    fields.url(name, rule)
}

fn vendor(fields: &mut Fields<'_>) -> Option<String> {
    let vendor = fields.text("vendorId", 16)?;
    if is_shop(&vendor) {
        return Some(vendor);
    }
    fields.problem("vendorId", "vendorId has 6 digits".to_owned());
    None
}

/// Reads the cards of perform.
fn cards(options: &Options, members: &Members) -> Result<Vec<CardUse>, Refusal> {
    let Some(Value::List(items)) = members.get("cards") else {
        return problem("cards", "cards must be a list of cards");
    };
    let most = options
        .cards_max
        .min(usize::try_from(PARTS_PER_BILL).unwrap_or(usize::MAX));
    if items.is_empty() || items.len() > most {
        return problem("cards", &format!("cards has 1 to {most} cards"));
    }
    let mut cards: Vec<CardUse> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let at = format!("cards[{index}]");
        let Value::Object(members) = item else {
            return problem(&at, &format!("{at} must be an object"));
        };
        let card = card(&at, members)?;
        if cards
            .iter()
            .any(|other| other.entry.number == card.entry.number)
        {
            return problem(&at, &format!("{at} is a card that stands before already"));
        }
        cards.push(card);
    }
    Ok(cards)
}

fn card(at: &str, members: &Members) -> Result<CardUse, Refusal> {
    let fields = Fields::new(members, wording);
    let number = fields.get("cardNumber").and_then(Value::as_text);
    let Some(number) = number.and_then(number_digits) else {
        let field = format!("{at}.cardNumber");
        return problem(
            &field,
            &format!("{field} must be a card number of 19 digits"),
        );
    };
    let cvc = match fields.get("cvc") {
        None => None,
        Some(value) => match value.as_text().map(str::trim).filter(|cvc| is_cvc(cvc)) {
            Some(cvc) => Some(Secret::new(cvc.to_owned())),
            None => {
                let field = format!("{at}.cvc");
                return problem(&field, &format!("{field} must be 3 digits"));
            }
        },
    };
    let amount = match fields.get("amount") {
        None => None,
        Some(value) => match kroner(value)? {
            Ok(money) if !money.is_zero() => Some(money),
            Ok(_) => return problem(&format!("{at}.amount"), &format!("{at}.amount is 0")),
            Err(wrong) => {
                let field = format!("{at}.amount");
                return problem(&field, &format!("{field} {wrong}"));
            }
        },
    };
    let entry = CardEntry {
        number: Secret::new(number),
        cvc,
    };
    Ok(CardUse { entry, amount })
}

fn problem<T>(field: &str, message: &str) -> Result<T, Refusal> {
    Err(Refusal::Invalid(vec![FieldProblem {
        field: field.to_owned(),
        message: message.to_owned(),
    }]))
}
