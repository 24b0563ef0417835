//! Currencies of ISO 4217 that have a minor unit, with their number of decimal places.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A currency in which money can be moved: three letters and 0, 2, 3 or 4 decimals.
///
/// Codes for no currency (`XXX`), for precious metals and for test have no minor unit and are not
/// currencies here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency {
    code: &'static str,
    decimals: u8,
}

/// The text is not the code of a currency with a minor unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 4217 currency with a minor unit")]
pub struct UnknownCurrency;

impl Currency {
    /// Reads a code in any letter case, as HitPay accepts it.
    pub fn parse(text: &str) -> Result<Self, UnknownCurrency> {
        // Only ASCII is folded: a Kelvin sign or a dotless i must not become a letter.
        if text.len() != 3 || !text.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(UnknownCurrency);
        }
        Self::parse_exact(&text.to_ascii_uppercase())
    }

    /// Reads a code that must be in upper case, as Numipay and Vipps MobilePay demand it.
    pub fn parse_exact(text: &str) -> Result<Self, UnknownCurrency> {
        let known = iso_currency::Currency::from_code(text).ok_or(UnknownCurrency)?;
        let decimals = known.exponent().ok_or(UnknownCurrency)?;
        if known == iso_currency::Currency::XXX {
            return Err(UnknownCurrency);
        }
        let decimals = u8::try_from(decimals).map_err(|_| UnknownCurrency)?;
        Ok(Self {
            code: known.code(),
            decimals,
        })
    }

    /// The code in upper case, for example `SGD`.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// How many decimals the major unit has: 2 for SGD, 0 for JPY, 3 for KWD.
    pub fn decimals(self) -> usize {
        usize::from(self.decimals)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_exact(&text).map_err(serde::de::Error::custom)
    }
}
