//! Ready-made objects and generators that several tests share.

use domain::bill::Payer;
use domain::payment::Means;
use domain::{
    Ask, Bill, Caller, Currency, Merchant, MerchantId, Mode, Moment, Money, Payment, Seed,
    Timestamp, WireId,
};
use proptest::prelude::*;

/// The time at which the sample objects are made.
pub const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The sample time, and a seed of one repeated byte.
pub fn moment(byte: u8) -> Moment {
    Moment {
        now: NOW,
        seed: Seed::new([byte; 32]),
    }
}

/// A currency that must exist.
pub fn currency(code: &str) -> Currency {
    Currency::parse_exact(code).unwrap()
}

/// So many cents.
pub fn sgd(minor: i64) -> Money {
    Money::from_minor(minor, currency("SGD")).unwrap()
}

/// A caller in test mode.
pub fn caller() -> Caller {
    let merchant = Merchant {
        id: MerchantId::mint(&moment(1), "merchant"),
        name: "Demo Shop".to_owned(),
        slug: "demo-shop".to_owned(),
        currency: currency("SGD"),
    };
    Caller {
        merchant,
        mode: Mode::Test,
    }
}

/// What is asked for: an amount, everything else left out.
pub fn ask(amount: Money) -> Ask {
    Ask {
        amount,
        expires: None,
        repeatable: false,
        reference: None,
        purpose: None,
        payer: Payer::default(),
        methods: vec!["card".to_owned()],
        return_url: None,
        notify_url: None,
        extras: serde_json::Map::new(),
    }
}

/// An open bill.
pub fn bill(ask: Ask) -> Bill {
    Bill::create(
        &moment(2),
        &caller(),
        "hitpay",
        WireId::new("bill-1").unwrap(),
        ask,
    )
}

/// A payment that has just begun.
pub fn payment(amount: Money) -> Payment {
    let means = Means {
        method: "card".to_owned(),
        rail: "simulator".to_owned(),
        instrument: None,
    };
    Payment::begin(
        &moment(3),
        &bill(ask(amount)),
        WireId::new("charge-1").unwrap(),
        means,
    )
}

/// Every currency that the crate knows, found by trying all codes of three letters.
pub fn every_currency() -> Vec<Currency> {
    let letters = || b'A'..=b'Z';
    letters()
        .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])))
        .filter_map(|code| Currency::parse_exact(std::str::from_utf8(&code).unwrap()).ok())
        .collect()
}

/// Any currency.
pub fn any_currency() -> impl Strategy<Value = Currency> {
    proptest::sample::select(every_currency())
}

/// Counts of minor units: all sizes alike, and the edges more often than chance would.
pub fn any_minor() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => (0_u32..63).prop_flat_map(|bits| 0..=(i64::MAX >> bits)),
        1 => proptest::sample::select(vec![0, 1, 9, 10, 99, 100, 999, i64::MAX - 1, i64::MAX]),
    ]
}

/// Any amount in any currency.
pub fn any_money() -> impl Strategy<Value = Money> {
    (any_minor(), any_currency()).prop_map(|(minor, of)| Money::from_minor(minor, of).unwrap())
}
