//! Amounts and currencies: the published vectors, and the laws of reading, writing and adding.

use domain::limits::AMOUNT_TEXT_MAX;
use domain::{AmountError, Currency, Money, PositiveMoney};
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::{any_currency, any_minor, any_money, currency, every_currency, sgd};

const VECTORS: &str = include_str!("../vectors/money.json");

fn file() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

/// Runs a check over all vectors of one kind and proves that there were as many as expected, so
/// that a renamed kind cannot turn a test into nothing.
fn each(kind: &str, expected: usize, check: impl Fn(&Value)) {
    let file = file();
    let vectors = file["vectors"].as_array().unwrap();
    let of_kind: Vec<&Value> = vectors.iter().filter(|v| v["kind"] == kind).collect();
    assert_eq!(of_kind.len(), expected, "vectors of kind {kind}");
    of_kind.into_iter().for_each(check);
}

fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().unwrap()
}

fn read(vector: &Value) -> Option<Money> {
    let of = Currency::parse_exact(text(vector, "currency")).ok()?;
    Money::parse(text(vector, "text"), of).ok()
}

fn reads_as_published(vector: &Value) {
    let expected = vector["valid"]
        .as_bool()
        .unwrap()
        .then(|| vector["minor"].as_i64().unwrap());
    assert_eq!(
        read(vector).map(Money::minor),
        expected,
        "{}",
        vector["name"]
    );
}

#[test]
fn vectors_of_every_kind_are_used() {
    let total = file()["vectors"].as_array().unwrap().len();
    assert_eq!(total, 130 + 20 + 24 + 52 + 31);
}

#[test]
fn vectors_parse() {
    each("parse", 130, reads_as_published);
}

#[test]
fn vectors_json_number() {
    // The text is the number token as it stands in the JSON, so the same reader must serve.
    each("json-number", 20, reads_as_published);
}

#[test]
fn vectors_format() {
    each("format", 24, |vector| {
        let of = currency(text(vector, "currency"));
        let money = Money::from_minor(vector["minor"].as_i64().unwrap(), of).unwrap();
        let written = match text(vector, "style") {
            "fixed" => money.fixed(),
            "grouped" => money.grouped(),
            "shortest" => money.shortest(),
            other => panic!("unknown style {other}"),
        };
        assert_eq!(written, text(vector, "text"), "{}", vector["name"]);
    });
}

#[test]
fn vectors_currency() {
    each("currency", 52, |vector| {
        let written = text(vector, "text");
        let any_case = Currency::parse(written).ok();
        let exact = Currency::parse_exact(written).ok();
        let name = &vector["name"];
        assert_eq!(
            any_case.map(Currency::code),
            vector["canonical"].as_str(),
            "{name}"
        );
        assert_eq!(
            any_case.is_some(),
            vector["valid"].as_bool().unwrap(),
            "{name}"
        );
        assert_eq!(
            exact.is_some(),
            vector["valid_upper_case_only"].as_bool().unwrap(),
            "{name}"
        );
        let decimals = any_case.map(|c| u64::try_from(c.decimals()).unwrap());
        assert_eq!(decimals, vector["exponent"].as_u64(), "{name}");
    });
}

/// The bounds of one dialect as its contract prints them, in minor units. The dialects apply them;
/// here it is shown that the texts at the edge read to the right side of the bound.
fn bounds(limits: &Value, vector: &Value) -> (i64, i64) {
    let of = currency(text(vector, "currency"));
    let limit = &limits[format!("{} {}", text(vector, "dialect"), text(vector, "operation"))];
    let read = |bound: &Value| Money::parse(bound.as_str().unwrap(), of).unwrap().minor();
    let min = match &limit["min"] {
        Value::Object(by_currency) => by_currency[of.code()].as_i64().unwrap(),
        Value::String(words) if words == "one minor unit" => 1,
        bound => read(bound),
    };
    let max = match (&limit["max"], limit["max_integer_digits"].as_u64()) {
        (Value::Number(minor), _) => minor.as_i64().unwrap(),
        (_, Some(digits)) => {
            10_i64.pow(u32::try_from(digits).unwrap() + u32::try_from(of.decimals()).unwrap()) - 1
        }
        (bound, None) => read(bound),
    };
    (min, max)
}

#[test]
fn vectors_limit() {
    let limits = file()["limits"].clone();
    each("limit", 31, |vector| {
        let (min, max) = bounds(&limits, vector);
        // Vipps counts in minor units: the token is read with no decimals at all, not as money,
        // so that `100.0` is refused like any other text that is no integer.
        let minor = if text(vector, "dialect") == "vipps" {
            let token = text(vector, "text");
            token
                .parse::<i64>()
                .ok()
                .filter(|count| count.to_string() == token)
        } else {
            read(vector).map(Money::minor)
        };
        let within = minor.is_some_and(|minor| (min..=max).contains(&minor));
        assert_eq!(
            within,
            vector["valid"].as_bool().unwrap(),
            "{}",
            vector["name"]
        );
    });
}

#[test]
fn the_table_of_currencies_has_every_number_of_decimals() {
    let all = every_currency();
    assert!(all.len() > 150, "only {} currencies", all.len());
    for decimals in [0, 2, 3, 4] {
        assert!(
            all.iter().any(|c| c.decimals() == decimals),
            "none with {decimals}"
        );
    }
    assert!(all.iter().all(|c| c.decimals() <= 4));
}

#[test]
fn format_then_parse_is_identity_at_the_edges_of_every_currency() {
    for of in every_currency() {
        for minor in [
            0,
            1,
            9,
            10,
            99,
            100,
            101,
            999,
            1_000,
            99_999,
            i64::MAX - 1,
            i64::MAX,
        ] {
            round_trip(Money::from_minor(minor, of).unwrap());
        }
        assert_eq!(Money::from_minor(-1, of), Err(AmountError::Negative));
        assert_eq!(Money::from_minor(i64::MIN, of), Err(AmountError::Negative));
    }
}

fn round_trip(money: Money) {
    let of = money.currency();
    assert_eq!(Money::parse(&money.fixed(), of), Ok(money), "fixed");
    assert_eq!(Money::parse(&money.shortest(), of), Ok(money), "shortest");
    assert_eq!(
        Money::parse(&money.grouped().replace(',', ""), of),
        Ok(money),
        "grouped"
    );
    let stored = serde_json::to_string(&money).unwrap();
    assert_eq!(
        serde_json::from_str::<Money>(&stored).unwrap(),
        money,
        "stored"
    );
    assert_eq!(
        money.to_string(),
        format!("{} {}", of.code(), money.fixed())
    );
}

#[test]
fn a_stored_amount_below_zero_or_of_no_currency_is_refused() {
    for stored in [
        r#"{"minor":-1,"currency":"SGD"}"#,
        r#"{"minor":1,"currency":"sgd"}"#,
        r#"{"minor":1,"currency":"XXX"}"#,
        r#"{"minor":1.5,"currency":"SGD"}"#,
        r#"{"minor":9223372036854775808,"currency":"SGD"}"#,
        r#"{"minor":1}"#,
    ] {
        assert!(serde_json::from_str::<Money>(stored).is_err(), "{stored}");
    }
    let zero = serde_json::to_string(&sgd(0)).unwrap();
    assert!(serde_json::from_str::<PositiveMoney>(&zero).is_err());
}

/// The grammar, read a second time in the plainest way: the reader must agree with it.
fn plainly_read(text: &str, decimals: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_digit());
    let canonical = digits(whole) && (whole == "0" || !whole.starts_with('0'));
    if text.len() > AMOUNT_TEXT_MAX || !canonical || !digits(fraction) {
        return None;
    }
    let padded = format!("{fraction:0<width$}", width = decimals.max(fraction.len()));
    let (kept, past) = padded.split_at(decimals);
    if past.chars().any(|c| c != '0') {
        return None;
    }
    i64::try_from(format!("{whole}{kept}").parse::<u128>().ok()?).ok()
}

proptest! {
    #[test]
    fn format_then_parse_is_identity(money in any_money()) {
        round_trip(money);
    }

    #[test]
    fn grouping_changes_nothing_but_commas(money in any_money()) {
        let grouped = money.grouped();
        let whole = grouped.split('.').next().unwrap();
        for (index, group) in whole.split(',').enumerate() {
            prop_assert!(group.len() == 3 || (index == 0 && (1..=3).contains(&group.len())));
        }
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in ".*", of in any_currency()) {
        prop_assert_eq!(
            Money::parse(&text, of).ok().map(Money::minor),
            plainly_read(&text, of.decimals())
        );
        let _ = Currency::parse(&text);
        let _ = Currency::parse_exact(&text);
    }

    #[test]
    fn texts_like_amounts_read_as_the_grammar_says(
        text in "[0-9]{0,21}[.,+-]{0,2}[0-9]{0,20}[eE ]?",
        of in any_currency(),
    ) {
        prop_assert_eq!(
            Money::parse(&text, of).ok().map(Money::minor),
            plainly_read(&text, of.decimals())
        );
    }

    #[test]
    fn nothing_is_ever_cut(whole in 0_u32.., past in 1_u8..=9, of in any_currency()) {
        let zeros = "0".repeat(of.decimals());
        let one_too_many = format!("{whole}.{zeros}{past}");
        prop_assert_eq!(Money::parse(&one_too_many, of), Err(AmountError::TooPrecise));
        let only_zeros = format!("{whole}.{zeros}0");
        prop_assert!(Money::parse(&only_zeros, of).is_ok());
    }

    #[test]
    fn adding_is_integer_adding_or_refused(
        a in any_minor(), b in any_minor(), of in any_currency(),
    ) {
        let money = |minor| Money::from_minor(minor, of).unwrap();
        let sum = money(a).checked_add(money(b));
        prop_assert_eq!(sum.map(Money::minor), a.checked_add(b).ok_or(AmountError::TooLarge));
        prop_assert_eq!(sum, money(b).checked_add(money(a)), "in either order");
        if let Ok(sum) = sum {
            prop_assert_eq!(sum.checked_sub(money(b)), Ok(money(a)), "and back");
        }
        prop_assert_eq!(money(a).checked_add(money(0)), Ok(money(a)));
    }

    #[test]
    fn subtracting_never_goes_below_zero(a in any_minor(), b in any_minor(), of in any_currency()) {
        let money = |minor| Money::from_minor(minor, of).unwrap();
        let left = money(a).checked_sub(money(b)).map(Money::minor);
        prop_assert_eq!(left, if a >= b { Ok(a - b) } else { Err(AmountError::Negative) });
    }

    #[test]
    fn two_currencies_never_meet(a in any_money(), b in any_money()) {
        prop_assume!(a.currency() != b.currency());
        prop_assert_eq!(a.checked_add(b), Err(AmountError::CurrencyMismatch));
        prop_assert_eq!(a.checked_sub(b), Err(AmountError::CurrencyMismatch));
    }

    #[test]
    fn only_zero_is_not_positive(money in any_money()) {
        prop_assert_eq!(PositiveMoney::new(money).is_ok(), money.minor() > 0);
        prop_assert_eq!(money.is_zero(), money.minor() == 0);
    }

    #[test]
    fn a_code_in_any_letter_case_names_the_same_currency(of in any_currency(), mask in 0_u8..8) {
        let mixed: String = of
            .code()
            .chars()
            .enumerate()
            .map(|(i, c)| if mask & (1 << i) == 0 { c } else { c.to_ascii_lowercase() })
            .collect();
        prop_assert_eq!(Currency::parse(&mixed), Ok(of));
        prop_assert_eq!(Currency::parse_exact(&mixed).is_ok(), mask == 0);
    }
}
