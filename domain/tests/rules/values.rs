//! The small values: ids, time, chance, secrets, delivery rules, facts, slugs.

use std::collections::BTreeSet;

use domain::CardRefusal;
use domain::delivery::{DeliveryRules, Made, Outcome, WhenDead};
use domain::limits::WIRE_ID_MAX;
use domain::secret::{hex, wipe};
use domain::{
    AttemptId, BillId, DeliveryId, Event, EventId, Fact, Merchant, MerchantId, Mode, Moment,
    PaymentId, Refusal, Secret, Seed, Span, Timestamp, WireId,
};
use proptest::prelude::*;

use crate::samples::{NOW, ask, bill, moment, sgd};

fn any_moment() -> impl Strategy<Value = Moment> {
    (0_i64..253_402_300_800_000, any::<[u8; 32]>()).prop_map(|(now, seed)| Moment {
        now: Timestamp::from_millis(now),
        seed: Seed::new(seed),
    })
}

macro_rules! ids {
    ($($test:ident: $id:ident),+ $(,)?) => { proptest! { $(
        #[test]
        fn $test(at in any_moment(), label in "[a-z.]{1,12}", junk in ".*") {
            let id = $id::mint(&at, &label);
            prop_assert_eq!(&id, &$id::mint(&at, &label), "the same moment, the same id");
            prop_assert_ne!(&id, &$id::mint(&at, &format!("{label}2")));
            prop_assert!(id.as_str().starts_with($id::PREFIX));
            prop_assert_eq!($id::parse(id.as_str()), Ok(id.clone()));
            let stored = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<$id>(&stored).unwrap(), id.clone());
            // Another kind's prefix, letters in upper case, a character more or less: no id.
            let bare = id.as_str().strip_prefix($id::PREFIX).unwrap();
            for text in [
                format!("xyz_{bare}"),
                bare.to_owned(),
                format!("{id}0"),
                id.as_str()[..id.as_str().len() - 1].to_owned(),
                format!("{}{}G", $id::PREFIX, &bare[1..]),
                format!("{}{}A", $id::PREFIX, &bare[1..]),
            ] {
                prop_assert!($id::parse(&text).is_err(), "{}", text);
                prop_assert!($id::try_from(text).is_err());
            }
            if let Ok(id) = $id::parse(&junk) {
                prop_assert_eq!(id.as_str(), junk);
            }
        }
    )+ } };
}

ids! {
    merchant_ids: MerchantId,
    bill_ids: BillId,
    payment_ids: PaymentId,
    attempt_ids: AttemptId,
    event_ids: EventId,
    delivery_ids: DeliveryId,
}

#[test]
fn no_two_kinds_of_id_begin_alike() {
    let prefixes = [
        MerchantId::PREFIX,
        BillId::PREFIX,
        PaymentId::PREFIX,
        AttemptId::PREFIX,
        EventId::PREFIX,
        DeliveryId::PREFIX,
    ];
    assert_eq!(BTreeSet::from(prefixes).len(), prefixes.len());
}

#[test]
fn a_wire_id_has_one_to_255_bytes() {
    assert!(WireId::new("").is_err());
    assert!(WireId::new("x".repeat(WIRE_ID_MAX)).is_ok());
    assert!(WireId::new("x".repeat(WIRE_ID_MAX + 1)).is_err());
    assert!(
        WireId::new("é".repeat(WIRE_ID_MAX / 2 + 1)).is_err(),
        "bytes, not characters"
    );
    assert!(serde_json::from_str::<WireId>("\"\"").is_err());
}

proptest! {
    #[test]
    fn ids_sort_by_time(a in any_moment(), b in any_moment()) {
        prop_assume!(a.now < b.now);
        prop_assert!(BillId::mint(&a, "bill") < BillId::mint(&b, "bill"));
    }

    #[test]
    fn a_moment_gives_version_7_uuids_of_its_time(at in any_moment(), label in ".*") {
        let id = at.uuid(&label);
        prop_assert_eq!(id.get_version_num(), 7);
        prop_assert_eq!(id, at.uuid(&label));
        let millis = id.as_u128() >> 80;
        prop_assert_eq!(millis, u128::try_from(at.now.millis()).unwrap());
    }

    #[test]
    fn a_seed_gives_other_bytes_for_another_purpose(
        seed in any::<[u8; 32]>(), a in ".*", b in ".*",
    ) {
        let seed = Seed::new(seed);
        prop_assert_eq!(a == b, seed.derive(&a) == seed.derive(&b));
    }

    #[test]
    fn time_goes_forward_and_stops_at_its_ends(from in any::<i64>(), by in any::<u64>()) {
        let start = Timestamp::from_millis(from);
        let later = start.plus(Span::from_millis(by));
        prop_assert!(later >= start);
        let exact = i128::from(from) + i128::from(by);
        prop_assert_eq!(i128::from(later.millis()), exact.min(i128::from(i64::MAX)));
        prop_assert_eq!(start.since(later), Span::from_millis(0), "never negative");
        if from >= 0 && later.millis() < i64::MAX {
            prop_assert_eq!(later.since(start), Span::from_millis(by));
        }
    }

    #[test]
    fn spans_scale_and_stop_at_their_end(n in any::<u64>()) {
        prop_assert_eq!(Span::from_seconds(n).millis(), n.saturating_mul(1_000));
        prop_assert_eq!(Span::from_minutes(n).millis(), n.saturating_mul(60).saturating_mul(1_000));
    }

    #[test]
    fn a_secret_never_prints(text in "[a-zA-Z0-9]{4,40}") {
        let secret = Secret::new(text.clone());
        let inside = format!("{:?}", Some(&secret));
        for printed in [format!("{secret:?}"), format!("{secret:#?}"), inside] {
            prop_assert!(!printed.contains(&text), "{}", printed);
        }
        prop_assert_eq!(secret.expose(), text.as_str());
    }

    #[test]
    fn secrets_are_equal_exactly_when_their_texts_are(a in ".{0,3}", b in ".{0,3}") {
        let (one, two) = (Secret::new(a.clone()), Secret::from(b.clone()));
        prop_assert_eq!(one == two, a == b);
        prop_assert_eq!(one.digest() == two.digest(), a == b);
    }

    #[test]
    fn wiping_leaves_nothing(text in ".*") {
        let mut text = text;
        wipe(&mut text);
        prop_assert!(text.is_empty());
    }

    #[test]
    fn hex_is_two_digits_a_byte(bytes in any::<Vec<u8>>()) {
        let text = hex(&bytes);
        prop_assert_eq!(text.len(), bytes.len() * 2);
        for (i, byte) in bytes.iter().enumerate() {
            prop_assert_eq!(u8::from_str_radix(&text[2 * i..2 * i + 2], 16), Ok(*byte));
        }
    }

    #[test]
    fn a_slug_is_fit_for_a_link(name in ".*") {
        let slug = Merchant::slug_of(&name);
        prop_assert!(!slug.is_empty() && !slug.starts_with('-') && !slug.ends_with('-'));
        prop_assert!(!slug.contains("--"));
        let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        prop_assert!(slug.chars().all(fit), "{}", slug);
        prop_assert_eq!(Merchant::slug_of(&slug), slug.clone(), "a slug is its own slug");
    }
}

#[test]
fn the_seed_and_the_digest() {
    assert_eq!(format!("{:?}", moment(7).seed), "Seed(…)");
    let digest = Secret::new("abc".to_owned()).digest();
    assert_eq!(
        digest,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn words_are_read_back() {
    for fact in Fact::ALL {
        assert_eq!(Fact::parse(fact.as_str()), Some(fact));
    }
    for mode in [Mode::Test, Mode::Live] {
        assert_eq!(Mode::parse(mode.as_str()), Some(mode));
    }
    assert_eq!((Fact::parse("bill"), Mode::parse("LIVE")), (None, None));
}

#[test]
fn one_operation_may_announce_several_facts() {
    let terms = bill(ask(sgd(1)));
    let id = |fact| Event::of_bill(&moment(1), fact, terms.clone(), None).id;
    let ids: BTreeSet<EventId> = Fact::ALL.into_iter().map(id).collect();
    assert_eq!(ids.len(), Fact::ALL.len());
}

#[test]
fn every_refusal_has_a_name_and_an_example() {
    let examples = Refusal::examples();
    let names: BTreeSet<&str> = examples.iter().map(Refusal::name).collect();
    let kinds: std::collections::HashSet<_> = examples.iter().map(std::mem::discriminant).collect();
    // A gift card's reasons have names of their own under one kind.
    let of_cards = CardRefusal::ALL.len() - 1;
    assert_eq!(names.len(), kinds.len() + of_cards, "no name is used twice");
    let source = include_str!("../../src/refusal.rs");
    let (_, declared) = source.split_once("pub enum Refusal {").unwrap();
    let (declared, _) = declared.split_once("\n}").unwrap();
    let declared = declared
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.contains("///"));
    assert_eq!(kinds.len(), declared.count(), "an example for each kind");
}

fn any_rules() -> impl Strategy<Value = DeliveryRules> {
    proptest::collection::vec(0_u64..1_000_000_000, 0..20).prop_map(|mut waits| {
        waits.sort_unstable();
        DeliveryRules {
            retries: waits.into_iter().map(Span::from_millis).collect(),
            timeout: Span::from_seconds(30),
            user_agent: "test".to_owned(),
            jitter_percent: 0,
            retry_after: false,
            gone_ends: false,
            warn_after: None,
            dead_after: None,
            when_dead: WhenDead::Pause,
        }
    })
}

fn made(number: u32, now: Timestamp, status: Option<u16>) -> Made<'static> {
    const SEED: Seed = Seed::new([1; 32]);
    Made {
        number,
        first: NOW,
        began: now,
        now,
        status,
        retry_after: None,
        seed: &SEED,
    }
}

proptest! {
    #[test]
    fn an_endpoint_that_never_answers_is_tried_on_schedule_and_then_no_more(
        rules in any_rules(), late in prop_oneof![Just(0), 0_u64..1_000_000_000],
    ) {
        let first = NOW;
        let mut now = first;
        let mut attempts = 0_u32;
        let mut at = Vec::new();
        loop {
            attempts += 1;
            at.push(now);
            match rules.after(made(attempts, now, None)) {
                Outcome::RetryAt(next) => {
                    prop_assert!(next >= now, "never in the past");
                    now = next.plus(Span::from_millis(late));
                }
                Outcome::GivenUp => break,
                Outcome::Delivered => return Err(TestCaseError::fail("nothing was answered")),
            }
        }
        prop_assert_eq!(at.len(), rules.retries.len() + 1);
        let due: Vec<Timestamp> = [first].into_iter()
            .chain(rules.retries.iter().map(|wait| first.plus(*wait)))
            .collect();
        for (due, at) in due.windows(2).zip(at.windows(2)) {
            let (pause, waited) = (due[1].since(due[0]).millis(), at[1].since(at[0]).millis());
            let least = pause - pause / 10 - (pause / 2).min(1_000);
            prop_assert!(waited >= least, "{waited} of {pause} ms");
        }
        if late == 0 {
            prop_assert_eq!(at, due);
        }
    }

    #[test]
    fn success_is_any_2xx_and_ends_it(
        rules in any_rules(), attempt in any::<u32>(), status in any::<u16>(),
    ) {
        let outcome = rules.after(made(attempt, NOW, Some(status)));
        prop_assert_eq!(outcome == Outcome::Delivered, (200..300).contains(&status));
        prop_assert_eq!(rules.is_success(status), (200..300).contains(&status));
    }
}
