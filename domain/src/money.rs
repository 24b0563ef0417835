//! Money: a count of minor units with its currency, and strict decimal text in and out.
//!
//! The grammar of an amount is `(0|[1-9][0-9]*)(\.[0-9]+)?` in ASCII. Decimals past those of the
//! currency are accepted only when they are zeros (`100.00` JPY): nothing is ever cut or rounded.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::limits::AMOUNT_TEXT_MAX;

/// An amount of money that is not negative, in minor units (cents, øre, yen).
///
/// There is no `Default`, no `+` and no float: adding can fail, and says so.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "StoredMoney", into = "StoredMoney")]
pub struct Money {
    minor: i64,
    currency: Currency,
}

#[derive(Serialize, Deserialize)]
struct StoredMoney {
    minor: i64,
    currency: Currency,
}

/// Why a text or a sum is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits with at most one point: a comma, a sign, an exponent, blanks, nothing at all.
    #[error("not a plain decimal number")]
    Malformed,
    /// More than [`AMOUNT_TEXT_MAX`] characters.
    #[error("longer than {AMOUNT_TEXT_MAX} characters")]
    TooLong,
    /// A digit other than zero stands past the decimals of the currency.
    #[error("more decimals than the currency has")]
    TooPrecise,
    /// The minor units do not fit 64 bits.
    #[error("too large")]
    TooLarge,
    /// The result would be below zero.
    #[error("below zero")]
    Negative,
    /// Two currencies in one sum.
    #[error("different currencies")]
    CurrencyMismatch,
    /// Zero where money must move.
    #[error("zero")]
    Zero,
}

impl Money {
    /// Nothing, in a currency.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// From a count of minor units; a negative count is an error.
    pub fn from_minor(minor: i64, currency: Currency) -> Result<Self, AmountError> {
        if minor < 0 {
            return Err(AmountError::Negative);
        }
        Ok(Self { minor, currency })
    }

    /// Reads decimal text in major units, for example `"10.50"`.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, AmountError> {
        if text.len() > AMOUNT_TEXT_MAX {
            return Err(AmountError::TooLong);
        }
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(AmountError::Malformed),
            Some((whole, fraction)) => (whole, fraction),
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || leading_zero || !digits(whole) || !digits(fraction) {
            return Err(AmountError::Malformed);
        }
        let (kept, past) = fraction.split_at(fraction.len().min(currency.decimals()));
        if past.bytes().any(|b| b != b'0') {
            return Err(AmountError::TooPrecise);
        }
        let padding = std::iter::repeat_n(b'0', currency.decimals().saturating_sub(kept.len()));
        let mut minor: i64 = 0;
        for digit in whole.bytes().chain(kept.bytes()).chain(padding) {
            let value = i64::from(digit.wrapping_sub(b'0'));
            minor = minor
                .checked_mul(10)
                .and_then(|m| m.checked_add(value))
                .ok_or(AmountError::TooLarge)?;
        }
        Ok(Self { minor, currency })
    }

    /// The count of minor units.
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Is this nothing?
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The sum; refused for two currencies and past 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, AmountError> {
        self.same_currency(other)?;
        let minor = self
            .minor
            .checked_add(other.minor)
            .ok_or(AmountError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// The difference; refused for two currencies and below zero.
    pub fn checked_sub(self, other: Self) -> Result<Self, AmountError> {
        self.same_currency(other)?;
        let minor = self
            .minor
            .checked_sub(other.minor)
            .ok_or(AmountError::Negative)?;
        Self::from_minor(minor, self.currency)
    }

    fn same_currency(self, other: Self) -> Result<(), AmountError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(AmountError::CurrencyMismatch)
        }
    }

    /// Decimal text with all decimals of the currency: `10.50`, `5000` (JPY), `1.505` (KWD).
    pub fn fixed(self) -> String {
        let decimals = self.currency.decimals();
        if decimals == 0 {
            return self.minor.to_string();
        }
        let digits = format!("{:0width$}", self.minor, width = decimals.saturating_add(1));
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
        format!("{whole}.{fraction}")
    }

    /// Like [`fixed`](Self::fixed) with a comma before every third digit: `900,000.00`.
    pub fn grouped(self) -> String {
        let fixed = self.fixed();
        let (whole, fraction) = match fixed.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (fixed.as_str(), None),
        };
        let mut text = String::with_capacity(fixed.len().saturating_mul(2));
        for (index, digit) in whole.chars().enumerate() {
            let left = whole.len().saturating_sub(index);
            if index > 0 && left.is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        if let Some(fraction) = fraction {
            text.push('.');
            text.push_str(fraction);
        }
        text
    }

    /// Decimal text without needless zeros: `499`, `499.5`, `0.05`.
    pub fn shortest(self) -> String {
        let fixed = self.fixed();
        if !fixed.contains('.') {
            return fixed;
        }
        fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, self.fixed())
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, self.fixed())
    }
}

impl TryFrom<StoredMoney> for Money {
    type Error = AmountError;
    fn try_from(stored: StoredMoney) -> Result<Self, AmountError> {
        Self::from_minor(stored.minor, stored.currency)
    }
}

impl From<Money> for StoredMoney {
    fn from(money: Money) -> Self {
        Self {
            minor: money.minor,
            currency: money.currency,
        }
    }
}

/// An amount above zero: what a ledger transfer moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Money", into = "Money")]
pub struct PositiveMoney(Money);

impl PositiveMoney {
    /// Refuses zero.
    pub fn new(money: Money) -> Result<Self, AmountError> {
        if money.is_zero() {
            Err(AmountError::Zero)
        } else {
            Ok(Self(money))
        }
    }

    /// The amount.
    pub fn get(self) -> Money {
        self.0
    }
}

impl TryFrom<Money> for PositiveMoney {
    type Error = AmountError;
    fn try_from(money: Money) -> Result<Self, AmountError> {
        Self::new(money)
    }
}

impl From<PositiveMoney> for Money {
    fn from(positive: PositiveMoney) -> Self {
        positive.0
    }
}
