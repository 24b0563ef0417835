//! The person behind a telephone number in test mode: made up, the same for the same number.

use domain::secret::hex;
use domain::{Ask, Bill, Mode, PaymentState, Timestamp};
use serde::Serialize;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::delivery;

/// What a merchant is told who asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserDetails {
    email: String,
    first_name: &'static str,
    last_name: &'static str,
    mobile_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_of_birth: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<[Address; 1]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    address_line1: &'static str,
    city: &'static str,
    country: &'static str,
    post_code: &'static str,
}

/// The number of whoever pays when nobody was named.
const NOBODY: &str = "4712345678";

/// When everybody was born.
const BORN: &str = "1990-12-10";

/// Is everybody as old as the merchant wants payers to be?
pub fn is_old_enough(ask: &Ask, now: Timestamp) -> bool {
    let Some(least) = ask.extras.get("minimumUserAge").and_then(Json::as_i64) else {
        return true;
    };
    age(now).is_some_and(|age| age >= least)
}

/// Whole years since [`BORN`].
fn age(now: Timestamp) -> Option<i64> {
    let born: jiff::civil::Date = BORN.parse().ok()?;
    let now = jiff::Timestamp::from_millisecond(now.millis()).ok()?;
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let years = i64::from(today.year()).checked_sub(i64::from(born.year()))?;
    let birthday_is_over = (today.month(), today.day()) >= (born.month(), born.day());
    years.checked_sub(i64::from(!birthday_is_over))
}

/// The telephone of a payer who is named by a code or a token: the digits in it if they can be a
/// number, or else one and the same.
pub fn phone_behind(extras: &serde_json::Map<String, Json>) -> Option<String> {
    let text = |name: &str| extras.get(name).and_then(Json::as_str);
    let name = text("personalQr").or_else(|| text("customerToken"))?;
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let fits = (9..=15).contains(&digits.len());
    Some(if fits { digits } else { NOBODY.to_owned() })
}

/// The scope that the merchant asked for, once there is somebody to tell about: after the payer
/// said yes, in test mode.
fn scope<'a>(bill: &'a Bill, state: &PaymentState) -> Option<&'a str> {
    let approved = matches!(state, PaymentState::Authorized { .. });
    let test = bill.head.mode == Mode::Test;
    let scope = bill.ask.extras.get("scope").and_then(Json::as_str)?;
    (approved && test).then_some(scope)
}

/// The identifier of the payer towards this merchant.
pub fn sub(bill: &Bill, state: &PaymentState) -> Option<String> {
    scope(bill, state)?;
    let text = format!("{}/{}", bill.head.merchant, phone(bill));
    let made = hex(&Sha256::digest(text.as_bytes()));
    let uuid = uuid::Uuid::try_parse(made.get(..32)?).ok()?;
    Some(uuid.hyphenated().to_string())
}

/// What the merchant asked to be told.
pub fn details(bill: &Bill, state: &PaymentState) -> Option<UserDetails> {
    let scope = scope(bill, state)?;
    let asked = |word: &str| scope.split_ascii_whitespace().any(|one| one == word);
    let phone = phone(bill);
    Some(UserDetails {
        email: format!("{phone}@example.com"),
        first_name: "Ada",
        last_name: "Testbruker",
        mobile_number: phone,
        date_of_birth: asked("birthDate").then_some(BORN),
        addresses: asked("address").then_some([Address {
            address_line1: "Testgata 1",
            city: "Oslo",
            country: "NO",
            post_code: "0154",
        }]),
    })
}

/// Where it is delivered and how, once the payer of an Express payment has chosen.
pub fn shipping(bill: &Bill, state: &PaymentState) -> Option<Json> {
    let [address] = details(bill, state)?.addresses?;
    delivery::details(bill, serde_json::to_value(address).ok()?)
}

fn phone(bill: &Bill) -> String {
    let phone = bill.ask.payer.phone.as_deref();
    phone.unwrap_or(NOBODY).to_owned()
}
