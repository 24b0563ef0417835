//! What a merchant owes to those who hold its gift cards: by currency, state, age and expiry.
//!
//! Promises: it is counted from the cards and held against the ledger in one snapshot. The ledger
//! knows it by other accounts: what was ever issued, less what was spent, less what expired. So a
//! card that was changed, added or taken away outside the books shows as a difference.

use std::collections::BTreeMap;

use domain::gift_card::CardState;
use domain::{AccountId, Caller, Currency, GiftCard, Timestamp};
use store::tables::{gift_cards, ledger};
use store::{Failure, Fault, Tx};

use crate::app::App;

/// Cards read at a time: bounded memory for any programme.
const BATCH: u32 = 1_000;

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Ends of the ranges of age in days, and what a range is called.
const AGES: [(i64, &str); 6] = [
    (30, "up to 30 days"),
    (90, "31 to 90 days"),
    (180, "91 to 180 days"),
    (365, "181 to 365 days"),
    (730, "1 to 2 years"),
    (i64::MAX, "over 2 years"),
];

/// Ends of the ranges of what is left to the last day, in days.
const EXPIRIES: [(i64, &str); 6] = [
    (0, "over, to be posted"),
    (30, "within 30 days"),
    (90, "in 31 to 90 days"),
    (365, "in 91 to 365 days"),
    (730, "in 1 to 2 years"),
    (i64::MAX, "later"),
];

/// The report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liability {
    /// As of when.
    pub at: Timestamp,
    /// One for each currency.
    pub currencies: Vec<OfCurrency>,
}

/// What is owed in one currency; amounts in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfCurrency {
    /// Its code.
    pub code: String,
    /// Cards on which something is left, and how much of that payments hold.
    pub outstanding: Sum,
    /// What payments hold of it.
    pub held: i64,
    /// By state.
    pub states: Vec<(&'static str, Sum)>,
    /// By age since issue.
    pub ages: Vec<(&'static str, Sum)>,
    /// By the time left.
    pub expiries: Vec<(&'static str, Sum)>,
    /// The ledger: all that was ever issued.
    pub issued: i64,
    /// The ledger: all that was spent and not given back.
    pub spent: i64,
    /// The ledger: all that expired.
    pub expired: i64,
}

/// A number of cards and what is left on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub cards: u64,
    /// In minor units.
    pub minor: i64,
}

impl OfCurrency {
    /// What the ledger says is owed.
    pub fn by_ledger(&self) -> i64 {
        self.issued
            .saturating_sub(self.spent)
            .saturating_sub(self.expired)
    }

    /// By how much the cards are worth more than the ledger says: nothing, if all is well.
    pub fn difference(&self) -> i64 {
        self.outstanding.minor.saturating_sub(self.by_ledger())
    }
}

impl Liability {
    /// Do cards and ledger agree in every currency?
    pub fn agrees(&self) -> bool {
        self.currencies.iter().all(|one| one.difference() == 0)
    }
}

/// What a merchant owes now.
pub async fn report(app: &App, of: &Caller) -> Result<Liability, Failure> {
    let (at, of) = (app.clock.now(), of.clone());
    app.store
        .read("gift_card_liability", move |tx| Ok(report_in(tx, &of, at)?))
        .await
}

fn report_in(tx: &mut Tx<'_>, of: &Caller, at: Timestamp) -> Result<Liability, Fault> {
    let mut found: BTreeMap<Currency, OfCurrency> = BTreeMap::new();
    let mut last = String::new();
    loop {
        let page = gift_cards::of_merchant(tx, (&of.merchant.id, of.mode), &last, BATCH)?;
        let Some(end) = page.last() else { break };
        last = end.head.id.to_string();
        for card in &page {
            let currency = card.balance().currency();
            let own = found
                .entry(currency)
                .or_insert_with(|| OfCurrency::new(currency));
            own.count(card, at)?;
        }
    }
    let merchant = || of.merchant.id.clone();
    let accounts = [
        AccountId::Issued(merchant()),
        AccountId::Redeemed(merchant()),
        AccountId::Breakage(merchant()),
    ];
    let [issued, redeemed, breakage] = &accounts;
    for balance in ledger::of_accounts(tx, of.mode, [issued, redeemed, breakage])? {
        let own = found
            .entry(balance.currency)
            .or_insert_with(|| OfCurrency::new(balance.currency));
        let minor = i64::try_from(balance.minor)
            .map_err(|_| Fault("a sum of gift cards does not fit 64 bits".to_owned()))?;
        if balance.account == issued.to_string() {
            // Below zero by all that was issued.
            own.issued = minor.saturating_neg();
        } else if balance.account == redeemed.to_string() {
            own.spent = minor;
        } else {
            own.expired = minor;
        }
    }
    let currencies = found.into_values().collect();
    Ok(Liability { at, currencies })
}

impl OfCurrency {
    fn new(currency: Currency) -> Self {
        let empty = |ranges: &[(i64, &'static str)]| {
            let rows = ranges.iter().map(|(_, name)| (*name, Sum::default()));
            rows.collect()
        };
        let states = CardState::ALL.map(|state| (state.as_str(), Sum::default()));
        Self {
            code: currency.code().to_owned(),
            states: states.to_vec(),
            ages: empty(&AGES),
            expiries: empty(&EXPIRIES),
            ..Self::default()
        }
    }

    fn count(&mut self, card: &GiftCard, at: Timestamp) -> Result<(), Fault> {
        let minor = card.balance().minor();
        if minor == 0 {
            return Ok(());
        }
        let days = |from: Timestamp, to: Timestamp| {
            let millis = to.millis().saturating_sub(from.millis());
            // A day that has begun counts.
            millis.max(0).div_euclid(DAY) + i64::from(millis.max(0).rem_euclid(DAY) > 0)
        };
        let (age, left) = (days(card.head.created, at), days(at, card.validity.ends));
        let range = |ranges: &[(i64, &'static str)], days: i64| {
            let found = ranges.iter().find(|(end, _)| days <= *end);
            found.map_or("", |(_, name)| *name)
        };
        let rows = [
            (&mut self.states, card.state().as_str()),
            (&mut self.ages, range(&AGES, age)),
            (&mut self.expiries, range(&EXPIRIES, left)),
        ];
        for (rows, name) in rows {
            if let Some((_, sum)) = rows.iter_mut().find(|(row, _)| *row == name) {
                sum.add(minor)?;
            }
        }
        self.held = self.held.saturating_add(card.held().minor());
        self.outstanding.add(minor)
    }
}

impl Sum {
    fn add(&mut self, minor: i64) -> Result<(), Fault> {
        self.cards += 1;
        let sum = self.minor.checked_add(minor);
        self.minor = sum.ok_or_else(|| Fault("a liability does not fit 64 bits".to_owned()))?;
        Ok(())
    }
}
