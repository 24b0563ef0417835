//! The ledger: accounts by name, transfers that move something, and the chain of hashes.

use domain::ledger::{ChainHash, Entry, Reason, Subject};
use domain::{
    AccountId, AmountError, CardId, MerchantId, Mode, Money, PaymentId, PayoutId, Timestamp,
    Transfer,
};
use proptest::prelude::*;

use crate::samples::{any_currency, currency, moment, sgd};

const REASONS: [Reason; 10] = [
    Reason::Authorize,
    Reason::Capture,
    Reason::Release,
    Reason::Refund,
    Reason::Reserve,
    Reason::Payout,
    Reason::Return,
    Reason::Issue,
    Reason::Expire,
    Reason::Transfer,
];

fn any_account() -> impl Strategy<Value = AccountId> {
    prop_oneof![
        "[a-z:0-9-]{0,12}".prop_map(AccountId::Clearing),
        any::<u8>().prop_map(|b| AccountId::Held(PaymentId::mint(&moment(b), "p"))),
        any::<u8>().prop_map(|b| AccountId::Payout(PayoutId::mint(&moment(b), "o"))),
        any::<u8>().prop_map(|b| AccountId::Merchant(MerchantId::mint(&moment(b), "m"))),
        any::<u8>().prop_map(|b| AccountId::Issued(MerchantId::mint(&moment(b), "m"))),
        any::<u8>().prop_map(|b| AccountId::Redeemed(MerchantId::mint(&moment(b), "m"))),
        any::<u8>().prop_map(|b| AccountId::Breakage(MerchantId::mint(&moment(b), "m"))),
        any::<u8>().prop_map(|b| AccountId::Card(CardId::mint(&moment(b), "c"))),
    ]
}

fn any_transfer() -> impl Strategy<Value = Transfer> {
    let amount =
        (1_i64.., any_currency()).prop_map(|(minor, of)| Money::from_minor(minor, of).unwrap());
    (
        any_account(),
        any_account(),
        amount,
        proptest::sample::select(REASONS.to_vec()),
    )
        .prop_filter_map(
            "an account cannot pay itself",
            |(debit, credit, amount, why)| Transfer::new(debit, credit, amount, why).ok(),
        )
}

prop_compose! {
    fn any_entry()(
        lane in any::<i64>(),
        place in any::<i64>(),
        at in any::<i64>(),
        live in any::<bool>(),
        payment in any::<u8>(),
        transfer in any_transfer(),
    ) -> Entry {
        Entry {
            lane,
            place,
            at: Timestamp::from_millis(at),
            mode: if live { Mode::Live } else { Mode::Test },
            about: Subject::Payment(PaymentId::mint(&moment(payment), "payment")),
            transfer,
        }
    }
}

/// The same entry with each single part beside the transfer changed.
fn changed_rows(entry: &Entry) -> Vec<(&'static str, Entry)> {
    let mode = if entry.mode == Mode::Test {
        Mode::Live
    } else {
        Mode::Test
    };
    let vary = |change: &dyn Fn(&mut Entry)| {
        let mut other = entry.clone();
        change(&mut other);
        other
    };
    vec![
        ("lane", vary(&|e| e.lane = e.lane.wrapping_add(1))),
        ("place", vary(&|e| e.place = e.place.wrapping_add(1))),
        (
            "at",
            vary(&|e| e.at = Timestamp::from_millis(e.at.millis() ^ 1)),
        ),
        ("mode", vary(&|e| e.mode = mode)),
        (
            "payment",
            vary(&|e| e.about = Subject::Payment(PaymentId::mint(&moment(9), "other"))),
        ),
    ]
}

/// The same entry with each single part of its transfer changed.
fn changed_transfers(entry: &Entry) -> Vec<(&'static str, Entry)> {
    let t = &entry.transfer;
    let (debit, credit) = (t.debit(), t.credit());
    let other = AccountId::Clearing("another-rail".to_owned());
    let minor = t.amount().minor();
    let near = if minor > 1 { minor - 1 } else { minor + 1 };
    let near = Money::from_minor(near, t.amount().currency()).unwrap();
    let foreign = if t.amount().currency().code() == "SGD" {
        "EUR"
    } else {
        "SGD"
    };
    let foreign = Money::from_minor(minor, currency(foreign)).unwrap();
    let next = REASONS.into_iter().find(|r| *r != t.reason()).unwrap();
    let with = |debit: &AccountId, credit: &AccountId, amount, why| Entry {
        transfer: Transfer::new(debit.clone(), credit.clone(), amount, why).unwrap(),
        ..entry.clone()
    };
    vec![
        ("debit", with(&other, credit, t.amount(), t.reason())),
        ("credit", with(debit, &other, t.amount(), t.reason())),
        ("direction", with(credit, debit, t.amount(), t.reason())),
        ("amount", with(debit, credit, near, t.reason())),
        ("currency", with(debit, credit, foreign, t.reason())),
        ("reason", with(debit, credit, t.amount(), next)),
    ]
}

proptest! {
    #[test]
    fn any_changed_part_changes_the_hash(entry in any_entry()) {
        let genesis = ChainHash::genesis();
        let hash = entry.hash(&genesis);
        prop_assert_eq!(&hash, &entry.clone().hash(&genesis), "the same entry, the same hash");
        for (part, other) in changed_rows(&entry).into_iter().chain(changed_transfers(&entry)) {
            prop_assert_ne!(&hash, &other.hash(&genesis), "{}", part);
        }
        prop_assert_ne!(&hash, &entry.hash(&hash), "what stood before counts too");
    }

    #[test]
    fn different_entries_never_share_a_hash(a in any_entry(), b in any_entry()) {
        let genesis = ChainHash::genesis();
        prop_assert_eq!(a == b, a.hash(&genesis) == b.hash(&genesis));
    }

    #[test]
    fn text_cannot_slide_from_one_part_into_the_next(
        a in "[a-z:]{0,6}", b in "[a-z:]{1,6}", c in "[a-z:]{0,6}", entry in any_entry(),
    ) {
        // Laid end to end, with the colons between them, these two say the same.
        let clearing = |text: &str| AccountId::Clearing(text.to_owned());
        let with = |debit: AccountId, credit: AccountId| {
            let transfer = Transfer::new(debit, credit, sgd(1), Reason::Capture).ok()?;
            Some(Entry { transfer, ..entry.clone() })
        };
        let one = with(clearing(&format!("{a}:clearing:{b}")), clearing(&c));
        let two = with(clearing(&a), clearing(&format!("{b}:clearing:{c}")));
        if let (Some(one), Some(two)) = (one, two) {
            let genesis = ChainHash::genesis();
            prop_assert_eq!(one == two, one.hash(&genesis) == two.hash(&genesis));
        }
    }

    #[test]
    fn a_damaged_row_breaks_every_later_link(
        entries in proptest::collection::vec(any_entry(), 2..6), at in any::<prop::sample::Index>(),
    ) {
        let chain = |entries: &[Entry]| {
            let mut last = ChainHash::genesis();
            entries.iter().map(|e| { last = e.hash(&last); last.clone() }).collect::<Vec<_>>()
        };
        let index = at.index(entries.len());
        let mut damaged = entries.clone();
        damaged[index].lane = damaged[index].lane.wrapping_add(1);
        let (sound, broken) = (chain(&entries), chain(&damaged));
        for place in 0..entries.len() {
            prop_assert_eq!(sound[place] == broken[place], place < index);
        }
    }

    #[test]
    fn an_account_is_read_back_from_its_name(account in any_account()) {
        prop_assert_eq!(AccountId::parse(&account.to_string()), Ok(account));
    }

    #[test]
    fn any_text_is_an_account_or_refused(text in ".*") {
        if let Ok(account) = AccountId::parse(&text) {
            prop_assert_eq!(account.to_string(), text);
        }
    }

    #[test]
    fn no_account_pays_itself(account in any_account()) {
        let transfer = Transfer::new(account.clone(), account, sgd(1), Reason::Capture);
        prop_assert_eq!(transfer, Err(AmountError::Zero));
    }
}

#[test]
fn names_that_are_no_accounts() {
    for text in [
        "",
        "clearing",
        "held:",
        "held:pay_1",
        "merchant:mer_",
        "Clearing:x",
        "cash:x",
    ] {
        assert!(AccountId::parse(text).is_err(), "{text}");
    }
}

#[test]
fn nothing_moves_nothing() {
    let from = AccountId::Clearing("a".to_owned());
    let to = AccountId::Clearing("b".to_owned());
    let transfer = Transfer::new(from, to, sgd(0), Reason::Capture);
    assert_eq!(transfer, Err(AmountError::Zero));
}

#[test]
fn a_chain_begins_with_zeros_and_a_hash_is_64_hex_digits() {
    assert_eq!(ChainHash::genesis().as_str(), "0".repeat(64));
    let entry = Entry {
        lane: 0,
        place: 1,
        at: Timestamp::from_millis(0),
        mode: Mode::Test,
        about: Subject::Payment(PaymentId::mint(&moment(1), "payment")),
        transfer: Transfer::new(
            AccountId::Clearing("simulator".to_owned()),
            AccountId::Clearing("other".to_owned()),
            sgd(1),
            Reason::Authorize,
        )
        .unwrap(),
    };
    let hash = entry.hash(&ChainHash::genesis());
    assert_eq!(hash.as_str().len(), 64);
    assert!(
        hash.as_str()
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    );
    assert_eq!(ChainHash::stored(hash.as_str().to_owned()), hash);
}

#[test]
fn a_reason_is_read_back_from_its_word() {
    for reason in REASONS {
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
    }
    assert_eq!(Reason::parse("Capture"), None);
}
