//! A merchant's gift-card programme: how numbers are made, how long cards are good, what they may
//! be combined with. And what a payer types of a card.
//!
//! Promises: a number is random, never the next after another; a number and a code print as dots.

use serde::{Deserialize, Serialize};

use crate::limits::{CARD_NUMBER_MAX, CARD_NUMBER_MIN};
use crate::moment::Moment;
use crate::money::Money;
use crate::secret::Secret;

/// How a merchant runs its gift cards in one mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Programme {
    /// What every number begins with: digits.
    pub prefix: String,
    /// Digits of a number in all.
    pub digits: usize,
    /// The time zone in which a last day ends, by its IANA name.
    pub zone: String,
    /// Months that a card is good for unless something else is agreed: three years by law in
    /// Norway.
    pub months: u32,
    /// May tills use cards without a code, because the card itself was there?
    pub card_present: bool,
    /// The merchant's shops, six digits each; none: any six digits are a shop.
    pub shops: Vec<String>,
    /// Where payers go from the page of a payment that names no address.
    pub return_url: Option<String>,
    /// May the rest of a bill be paid by these methods on the same page? None: it is left to the
    /// shop.
    pub rest_by: Vec<String>,
    /// Are gift cards offered on the pages of all bills, whichever API made them?
    pub everywhere: bool,
}

impl Default for Programme {
    fn default() -> Self {
        Self {
            prefix: "95784111".to_owned(),
            digits: 19,
            zone: "Europe/Oslo".to_owned(),
            months: 36,
            card_present: false,
            shops: Vec::new(),
            return_url: None,
            rest_by: Vec::new(),
            everywhere: false,
        }
    }
}

/// Methods that may pay what gift cards leave of a bill: cards, wallets, apps that scan a code.
pub const REST_METHODS: &[&str] = &[
    "card",
    "wallet",
    "paynow_online",
    "wechat_pay",
    "alipay",
    "grabpay",
    "shopee_pay",
    "duitnow",
    "gcash_qr",
    "upi_qr",
    "doku_qris",
    "promptpay",
    "vietqr_payme",
];

/// What is wrong with a programme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgrammeError {
    /// The prefix is not digits.
    #[error("a prefix is digits")]
    Prefix,
    /// Too short, too long, or too few digits are left to chance.
    #[error(
        "a number has {CARD_NUMBER_MIN} to {CARD_NUMBER_MAX} digits, at least 7 of them random"
    )]
    Digits,
    /// No shop.
    #[error("{0:?} is no shop: a shop has 6 digits")]
    Shop(String),
    /// No method that could pay a rest.
    #[error("rest-by: {0:?} can pay no rest: name some of {all}", all = REST_METHODS.join(", "))]
    RestBy(String),
    /// A card must be good for a while.
    #[error("a card is good for 1 to 600 months")]
    Months,
}

impl Programme {
    /// Can cards be made by it?
    pub fn check(&self) -> Result<(), ProgrammeError> {
        if !self.prefix.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ProgrammeError::Prefix);
        }
        let random = self.digits.checked_sub(self.prefix.len());
        let sizes = (CARD_NUMBER_MIN..=CARD_NUMBER_MAX).contains(&self.digits);
        if !sizes || random.is_none_or(|random| random < 7) {
            return Err(ProgrammeError::Digits);
        }
        if !(1..=600).contains(&self.months) {
            return Err(ProgrammeError::Months);
        }
        if let Some(shop) = self.shops.iter().find(|shop| !is_shop(shop)) {
            return Err(ProgrammeError::Shop(shop.clone()));
        }
        let unknown = |by: &&String| !REST_METHODS.contains(&by.as_str());
        match self.rest_by.iter().find(unknown) {
            Some(by) => Err(ProgrammeError::RestBy(by.clone())),
            None => Ok(()),
        }
    }

    /// Is this one of the merchant's shops, as far as they are known?
    pub fn has_shop(&self, shop: &str) -> bool {
        self.shops.is_empty() || self.shops.iter().any(|own| own == shop)
    }

    /// A new number and its code, from chance alone.
    pub fn make(&self, at: &Moment, label: &str) -> CardEntry {
        let random = self.digits.saturating_sub(self.prefix.len());
        let mut number = self.prefix.clone();
        number.extend(digits(at, &format!("{label}/number")).take(random));
        let cvc: String = digits(at, &format!("{label}/cvc")).take(CVC).collect();
        CardEntry {
            number: Secret::new(number),
            cvc: Some(Secret::new(cvc)),
        }
    }
}

/// Digits of a card's code.
const CVC: usize = 3;

/// Endless random digits, each as likely as any other: bytes past 249 are thrown away.
fn digits(at: &Moment, label: &str) -> impl Iterator<Item = char> {
    let blocks = (0_u32..).map({
        let (at, label) = (at.clone(), label.to_owned());
        move |block| at.seed.derive(&format!("{label}/{block}"))
    });
    blocks
        .flatten()
        .filter(|byte| *byte < 250)
        .filter_map(|byte| char::from_digit(u32::from(byte).checked_rem(10)?, 10))
}

/// A card as somebody types it. Lives in memory only and is wiped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardEntry {
    /// The digits of the number.
    pub number: Secret,
    /// The code; none when the card itself is there.
    pub cvc: Option<Secret>,
}

/// What is wrong with what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// No number.
    #[error("number missing")]
    NumberMissing,
    /// Not digits, or not as many as a number has.
    #[error("number invalid")]
    NumberInvalid,
    /// No code.
    #[error("code missing")]
    CvcMissing,
    /// Not three digits.
    #[error("code invalid")]
    CvcInvalid,
}

impl CardEntry {
    /// Reads number and code; blanks and hyphens between digits are tolerated. All problems are
    /// reported together.
    pub fn read(number: &str, cvc: &str) -> Result<Self, Vec<EntryProblem>> {
        let mut problems = Vec::new();
        let digits = number_digits(number);
        if number.trim().is_empty() {
            problems.push(EntryProblem::NumberMissing);
        } else if digits.is_none() {
            problems.push(EntryProblem::NumberInvalid);
        }
        let cvc = cvc.trim();
        if cvc.is_empty() {
            problems.push(EntryProblem::CvcMissing);
        } else if !is_cvc(cvc) {
            problems.push(EntryProblem::CvcInvalid);
        }
        match digits {
            Some(digits) if problems.is_empty() => Ok(Self {
                number: Secret::new(digits),
                cvc: Some(Secret::new(cvc.to_owned())),
            }),
            Some(_) | None => Err(problems),
        }
    }

    /// Reads a number that comes without a code: the card itself is there.
    pub fn read_number(number: &str) -> Result<Self, Vec<EntryProblem>> {
        let problem = match number.trim().is_empty() {
            true => EntryProblem::NumberMissing,
            false => EntryProblem::NumberInvalid,
        };
        let digits = number_digits(number).ok_or_else(|| vec![problem])?;
        Ok(Self {
            number: Secret::new(digits),
            cvc: None,
        })
    }

    /// The last five digits of the number.
    pub fn last5(&self) -> String {
        let number = self.number.expose();
        let start = number.len().saturating_sub(5);
        number.get(start..).unwrap_or_default().to_owned()
    }
}

/// Is this the number of a shop?
pub fn is_shop(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Is this a card's code?
pub fn is_cvc(text: &str) -> bool {
    text.len() == CVC && text.bytes().all(|b| b.is_ascii_digit())
}

/// The digits of a card number, if it is one.
pub fn number_digits(text: &str) -> Option<String> {
    let kept: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect();
    let sizes = (CARD_NUMBER_MIN..=CARD_NUMBER_MAX).contains(&kept.len());
    (sizes && kept.bytes().all(|b| b.is_ascii_digit())).then_some(kept)
}

/// One card of a payment that is asked for at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardUse {
    /// The card.
    pub entry: CardEntry,
    /// How much of it; `None`: as much as is needed and there.
    pub amount: Option<Money>,
}
