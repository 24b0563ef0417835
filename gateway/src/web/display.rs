//! How values look to people: amounts, times, methods, cards.

use domain::card::{Instrument, YearMonth};
use domain::{Money, Timestamp};

use super::words::Words;

/// A time as people read it and as programs do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// `21 November 2026, 07:21 UTC`.
    pub text: String,
    /// `2026-11-21T07:21:00Z`, for the `datetime` attribute.
    pub machine: String,
}

impl When {
    /// Of a point in time, in UTC: without script nobody can know the payer's zone.
    pub fn new(w: &Words, at: Timestamp) -> Self {
        Self::written(w, at, |date| {
            format!("{:02}:{:02}", date.hour(), date.minute())
        })
    }

    /// The same to the second, for what is tried again after seconds.
    pub fn exact(w: &Words, at: Timestamp) -> Self {
        Self::written(w, at, |date| {
            let (hour, minute, second) = (date.hour(), date.minute(), date.second());
            format!("{hour:02}:{minute:02}:{second:02}")
        })
    }

    fn written(
        w: &Words,
        at: Timestamp,
        time: impl FnOnce(jiff::civil::DateTime) -> String,
    ) -> Self {
        // A time that jiff cannot hold lies outside the years -9999 to 9999.
        let instant = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
        let date = instant.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let month = usize::try_from(date.month().saturating_sub(1)).unwrap_or(0);
        let text = w
            .moment
            .with("day", date.day())
            .with(
                "month",
                w.months.0.split(' ').nth(month).unwrap_or_default(),
            )
            .with("year", date.year())
            .with("time", time(date));
        Self {
            text: text.to_string(),
            machine: instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

/// The month of a time, in UTC: what a card's expiry is measured against.
pub fn month_of(now: Timestamp) -> YearMonth {
    let instant = jiff::Timestamp::from_millisecond(now.millis()).unwrap_or_default();
    let date = instant.to_zoned(jiff::tz::TimeZone::UTC).date();
    YearMonth {
        year: u16::try_from(date.year()).unwrap_or(0),
        month: u8::try_from(date.month()).unwrap_or(1),
    }
}

/// A telephone number as it is written where the contract is at home; others without spaces.
pub fn phone(number: &str) -> String {
    let groups: &[usize] = match (number.get(..2), number.len()) {
        (Some("47"), 10) => &[2, 3, 2, 3],
        (Some("45"), 10) => &[2, 2, 2, 2, 2],
        (Some("46"), 11) => &[2, 2, 3, 2, 2],
        (Some("35"), 12) if number.starts_with("358") => &[3, 2, 3, 4],
        _ => &[],
    };
    let mut rest = number;
    let mut parts = Vec::new();
    for group in groups {
        let (part, left) = rest.split_at_checked(*group).unwrap_or((rest, ""));
        parts.push(part);
        rest = left;
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    format!("+{}", parts.join("\u{a0}"))
}

/// `SGD 1,250.00`: the code, a blank that does not break the line, and the amount.
pub fn amount(money: Money) -> String {
    format!("{}\u{a0}{}", money.currency(), money.grouped())
}

/// The name that payers know a method by. Names of products are the same in every language; an
/// unknown code is shown with blanks.
pub fn method(w: &Words, code: &str) -> String {
    let name = match code {
        "card" | "sim-card" => w.method_card.0,
        "sim-wallet" => w.method_wallet.0,
        "sim-bank" => w.method_bank.0,
        "gift_card" => w.method_gift.0,
        "paynow_online" => "PayNow",
        "wechat" | "wechat_pay" => "WeChat Pay",
        "alipay" => "Alipay",
        "grabpay" | "grabpay_direct" => "GrabPay",
        "grabpay_paylater" => "GrabPay PayLater",
        "shopee_pay" => "ShopeePay",
        "fave_duit" => "FavePay",
        "shopback" => "ShopBack",
        "atome" => "Atome",
        "zip" => "Zip",
        "fpx" => "FPX",
        "touch_n_go" => "Touch 'n Go",
        "duitnow" => "DuitNow",
        "gcash" | "gcash_qr" => "GCash",
        "qrph_netbank" => "QR Ph",
        "upi_qr" => "UPI",
        "doku_qris" | "ifpay_qris" => "QRIS",
        "promptpay" | "opn_prompt_pay" => "PromptPay",
        "opn_true_money_qr" => "TrueMoney",
        "vietqr_payme" | "vietqr_zalopay" => "VietQR",
        "zalopay" => "ZaloPay",
        "payto" => "PayTo",
        other => return capital(&other.replace('_', " ")),
    };
    name.to_owned()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// `Visa ending in 4242`.
pub fn card(w: &Words, instrument: &Instrument) -> String {
    let brand = match instrument.brand.as_str() {
        "visa" => "Visa",
        "mastercard" => "Mastercard",
        "amex" => "American Express",
        "discover" => "Discover",
        "jcb" => "JCB",
        "unionpay" => "UnionPay",
        _ => w.method_card.0,
    };
    w.card_ending
        .with("brand", brand)
        .with("digits", &instrument.last4)
        .to_string()
}

#[cfg(test)]
mod tests {
    use domain::Currency;

    use super::super::words::EN;
    use super::*;

    #[test]
    fn telephone_numbers_are_grouped_as_at_home() {
        for (number, shown) in [
            ("4791234567", "+47 912 34 567"),
            ("4512345678", "+45 12 34 56 78"),
            ("46701234567", "+46 70 123 45 67"),
            ("358401234567", "+358 40 123 4567"),
            ("479123456789", "+479123456789"),
            ("123456789", "+123456789"),
        ] {
            assert_eq!(phone(number).replace('\u{a0}', " "), shown);
        }
    }

    #[test]
    fn amounts_follow_the_currency() {
        let text =
            |minor, code| amount(Money::from_minor(minor, Currency::parse(code).unwrap()).unwrap());
        assert_eq!(text(125_000, "SGD"), "SGD\u{a0}1,250.00");
        assert_eq!(text(5_000, "JPY"), "JPY\u{a0}5,000");
        assert_eq!(text(1_505, "KWD"), "KWD\u{a0}1.505");
    }

    #[test]
    fn times_are_in_utc_and_the_ends_of_time_do_no_harm() {
        let when = When::new(&EN, Timestamp::from_millis(1_795_245_660_000));
        assert_eq!(when.text, "21 November 2026, 07:21\u{a0}UTC");
        assert_eq!(when.machine, "2026-11-21T07:21:00Z");
        let exact = When::exact(&EN, Timestamp::from_millis(1_795_245_665_999));
        assert_eq!(exact.text, "21 November 2026, 07:21:05\u{a0}UTC");
        assert_eq!(
            month_of(Timestamp::from_millis(1_795_245_660_000)).month,
            11
        );
        let _ = (
            When::new(&EN, Timestamp::from_millis(i64::MAX)),
            month_of(Timestamp::from_millis(i64::MIN)),
        );
    }
}
