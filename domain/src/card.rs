//! A payment card as the payer types it. It lives in memory only and is wiped; what may be kept
//! is an [`Instrument`].

use serde::{Deserialize, Serialize};

use zeroize::Zeroizing;

use crate::secret::Secret;

/// What may be stored and shown of a card: brand, first six, last four, expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// The brand, for example `visa`.
    pub brand: String,
    /// The first six digits.
    pub first6: String,
    /// The last four digits.
    pub last4: String,
    /// Month and year of expiry, `MM/YY`.
    pub expiry: String,
}

/// A card whose parts were read and whose number passes the Luhn check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    number: Secret,
    code: Secret,
    month: u8,
    year: u16,
}

/// What is wrong with a field of the card form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardProblem {
    /// No number was typed.
    #[error("number missing")]
    NumberMissing,
    /// Not 12 to 19 digits.
    #[error("number invalid")]
    NumberInvalid,
    /// The check digit does not fit: a digit is mistyped.
    #[error("number mistyped")]
    NumberMistyped,
    /// No expiry was typed.
    #[error("expiry missing")]
    ExpiryMissing,
    /// Not `MM/YY`, `MM / YY`, `MM/YYYY` or `MMYY`.
    #[error("expiry invalid")]
    ExpiryInvalid,
    /// The month is over.
    #[error("expiry past")]
    ExpiryPast,
    /// No security code was typed.
    #[error("code missing")]
    CodeMissing,
    /// Not three digits (four for American Express).
    #[error("code invalid")]
    CodeInvalid,
}

/// A month of a year, for asking whether a card has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct YearMonth {
    /// The year, four digits.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
}

impl Card {
    /// Reads the three fields of the form. All problems are reported together, so that the payer
    /// mends them in one go.
    pub fn read(
        number: &str,
        expiry: &str,
        code: &str,
        today: YearMonth,
    ) -> Result<Self, Vec<CardProblem>> {
        let mut problems = Vec::new();
        let digits = digits_of(number);
        match &digits {
            _ if number.trim().is_empty() => problems.push(CardProblem::NumberMissing),
            Some(digits) if (12..=19).contains(&digits.len()) => {
                if !luhn(digits) {
                    problems.push(CardProblem::NumberMistyped);
                }
            }
            _ => problems.push(CardProblem::NumberInvalid),
        }
        let until = read_expiry(expiry);
        match until {
            _ if expiry.trim().is_empty() => problems.push(CardProblem::ExpiryMissing),
            None => problems.push(CardProblem::ExpiryInvalid),
            Some(until) if until < today => problems.push(CardProblem::ExpiryPast),
            Some(_) => {}
        }
        let code = code.trim();
        let wanted = if digits.as_ref().is_some_and(|d| brand(d) == "amex") {
            4
        } else {
            3
        };
        if code.is_empty() {
            problems.push(CardProblem::CodeMissing);
        } else if code.len() != wanted || !code.bytes().all(|b| b.is_ascii_digit()) {
            problems.push(CardProblem::CodeInvalid);
        }
        match (digits, until) {
            (Some(mut digits), Some(until)) if problems.is_empty() => Ok(Self {
                number: Secret::new(std::mem::take(&mut *digits)),
                code: Secret::new(code.to_owned()),
                month: until.month,
                year: until.year,
            }),
            _ => Err(problems),
        }
    }

    /// Reads the parts as a program sends them: month and year apart, a code of three or four
    /// digits whatever the brand.
    pub fn read_parts(
        number: &str,
        (month, year): (&str, &str),
        code: &str,
        today: YearMonth,
    ) -> Result<Self, Vec<CardProblem>> {
        let four = code.len() == 4 && code.bytes().all(|b| b.is_ascii_digit());
        let amex = digits_of(number).is_some_and(|digits| brand(&digits) == "amex");
        // The form's own reading is stricter about the code; here both lengths will do.
        let judged = match (code.len(), amex) {
            (4, false) if four => code.get(..3).unwrap_or_default(),
            (3, true) if code.bytes().all(|b| b.is_ascii_digit()) => "0000",
            _ => code,
        };
        let expiry = match (month.is_empty(), year.is_empty()) {
            (true, _) | (_, true) => String::new(),
            // Two digits would be read as a year too.
            _ if year.len() == 4 => format!("{month}/{year}"),
            _ => "x".to_owned(),
        };
        let mut card = Self::read(number, &expiry, judged, today)?;
        card.code = Secret::new(code.to_owned());
        Ok(card)
    }

    /// The digits, for the rail alone.
    pub fn number(&self) -> &Secret {
        &self.number
    }

    /// The security code, for the rail alone.
    pub fn code(&self) -> &Secret {
        &self.code
    }

    /// What may be kept of it.
    pub fn instrument(&self) -> Instrument {
        let digits = self.number.expose();
        let four = digits.len().saturating_sub(4);
        Instrument {
            brand: brand(digits).to_owned(),
            first6: digits.get(..6).unwrap_or_default().to_owned(),
            last4: digits.get(four..).unwrap_or_default().to_owned(),
            expiry: format!("{:02}/{:02}", self.month, self.year % 100),
        }
    }
}

/// The digits of a typed number: blanks and hyphens are dropped, anything else is no number. What
/// is read is wiped wherever it ends, also when it is refused; it is never moved while it grows,
/// which would leave a copy behind.
fn digits_of(text: &str) -> Option<Zeroizing<String>> {
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    kept.extend(
        text.chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{a0}')),
    );
    kept.bytes().all(|b| b.is_ascii_digit()).then_some(kept)
}

/// `MM/YY`, `MM / YY`, `MM/YYYY` or `MMYY`.
fn read_expiry(text: &str) -> Option<YearMonth> {
    let kept: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (month, year) = match kept.split_once('/') {
        Some(parts) => parts,
        None if kept.len() == 4 && kept.is_ascii() => kept.split_at(2),
        None => return None,
    };
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if !digits(month) || !digits(year) || month.is_empty() || month.len() > 2 {
        return None;
    }
    let month: u8 = month.parse().ok().filter(|m| (1..=12).contains(m))?;
    let year: u16 = match year.len() {
        2 => year.parse::<u16>().ok()?.checked_add(2000)?,
        4 => year.parse().ok()?,
        _ => return None,
    };
    Some(YearMonth { year, month })
}

/// The check digit of ISO/IEC 7812.
fn luhn(digits: &str) -> bool {
    let mut sum: u32 = 0;
    for (place, digit) in digits.bytes().rev().enumerate() {
        let value = u32::from(digit.wrapping_sub(b'0'));
        let doubled = value.saturating_mul(2);
        let part = match (place.is_multiple_of(2), doubled > 9) {
            (true, _) => value,
            (false, true) => doubled.saturating_sub(9),
            (false, false) => doubled,
        };
        sum = sum.saturating_add(part);
    }
    sum.is_multiple_of(10)
}

/// The brand by the first digits, as the schemes publish their ranges.
pub fn brand(digits: &str) -> &'static str {
    let head = |n: usize| {
        digits
            .get(..n)
            .and_then(|h| h.parse::<u32>().ok())
            .unwrap_or(0)
    };
    match () {
        () if head(1) == 4 => "visa",
        () if (51..=55).contains(&head(2)) || (2221..=2720).contains(&head(4)) => "mastercard",
        () if matches!(head(2), 34 | 37) => "amex",
        () if head(4) == 6011 || head(2) == 65 => "discover",
        () if (3528..=3589).contains(&head(4)) => "jcb",
        () if head(2) == 62 => "unionpay",
        () => "card",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: YearMonth = YearMonth {
        year: 2026,
        month: 11,
    };

    fn read(number: &str, expiry: &str, code: &str) -> Result<Instrument, Vec<CardProblem>> {
        Card::read(number, expiry, code, TODAY).map(|card| card.instrument())
    }

    #[test]
    fn every_spelling_of_a_number_and_an_expiry() {
        for number in [
            "4242424242424242",
            "4242 4242 4242 4242",
            " 4242-4242-4242-4242 ",
        ] {
            for expiry in ["12/30", "12 / 30", "12/2030", "1230"] {
                let kept = read(number, expiry, "123").unwrap();
                assert_eq!(
                    (kept.first6.as_str(), kept.last4.as_str()),
                    ("424242", "4242")
                );
                assert_eq!(
                    (kept.brand.as_str(), kept.expiry.as_str()),
                    ("visa", "12/30")
                );
            }
        }
    }

    #[test]
    fn every_problem_is_named_and_all_at_once() {
        use CardProblem::*;
        assert_eq!(
            read("", "", ""),
            Err(vec![NumberMissing, ExpiryMissing, CodeMissing])
        );
        assert_eq!(
            read("4242424242424241", "13/30", "12"),
            Err(vec![NumberMistyped, ExpiryInvalid, CodeInvalid])
        );
        assert_eq!(read("4242", "12/30", "123"), Err(vec![NumberInvalid]));
        assert_eq!(read("４２４２", "12/30", "123"), Err(vec![NumberInvalid]));
        assert_eq!(
            read("4242424242424242", "10/26", "123"),
            Err(vec![ExpiryPast])
        );
        assert!(
            read("4242424242424242", "11/26", "123").is_ok(),
            "valid to the end of its month"
        );
        assert_eq!(
            read("4242424242424242", "1/2/3", "123"),
            Err(vec![ExpiryInvalid])
        );
        assert_eq!(
            read("378282246310005", "12/30", "123"),
            Err(vec![CodeInvalid])
        );
        assert!(read("378282246310005", "12/30", "1234").is_ok());
    }

    #[test]
    fn the_brand_is_told_by_the_first_digits() {
        for (number, name) in [
            ("4242424242424242", "visa"),
            ("5555555555554444", "mastercard"),
            ("2223003122003222", "mastercard"),
            ("378282246310005", "amex"),
            ("6011111111111117", "discover"),
            ("3566002020360505", "jcb"),
            ("6200000000000005", "unionpay"),
            ("9999999999999995", "card"),
        ] {
            assert_eq!(brand(number), name, "{number}");
        }
    }

    #[test]
    fn nothing_of_a_card_is_printed() {
        let card = Card::read("4242424242424242", "12/30", "987", TODAY).unwrap();
        let text = format!("{card:?}");
        assert!(!text.contains("4242") && !text.contains("987"), "{text}");
    }
}
