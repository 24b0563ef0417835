//! A column's value as a rule: what it was in two equal calls, and from that what it would be in
//! the next million. Parts that were equal stay; parts that differed get new digits of the same
//! number, so that rows keep their size and ids keep their order or lack of it.

use rusqlite::types::Value;

/// Two values that share at least this many first characters are taken for ordered ones, as ids
/// that start with the time are.
const ORDERED_PREFIX: usize = 6;
/// How many digits carry the row's number, which makes values unique.
const COUNTED: usize = 8;

/// What goes into a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// Always the same.
    Fixed(Value),
    /// A number that grows with each call, by as much as it did between the two that were seen:
    /// a call that takes two numbers leaves room for both.
    Counting {
        /// The larger of the two.
        last: i64,
        /// What each call adds.
        step: i64,
    },
    /// Text of one length, some of whose characters change.
    Text(Changing),
    /// Bytes of one length, some of which change.
    Bytes(Changing),
}

/// Bytes, some of which change.
#[derive(Clone, Debug, PartialEq)]
pub struct Changing {
    shape: Vec<u8>,
    /// Positions that change.
    places: Vec<usize>,
    /// Does the row's number come first (and the value grow) or last?
    ordered: bool,
    digits: &'static [u8; 16],
    /// Where the time stands in an id that begins with it, in milliseconds as twelve digits.
    time: Option<[usize; 12]>,
}

const HEX: &[u8; 16] = b"0123456789abcdef";
/// For text in which only decimal digits differed; the row's number needs them all, so a digit
/// repeats.
const DECIMAL: &[u8; 16] = b"0123456789012345";

impl Pattern {
    /// The rule behind two values.
    pub fn of(one: &Value, two: &Value) -> Pattern {
        match (one, two) {
            _ if one == two => Pattern::Fixed(one.clone()),
            (Value::Integer(one), Value::Integer(two)) => Pattern::Counting {
                last: *one.max(two),
                step: two.saturating_sub(*one).max(1),
            },
            (Value::Text(one), Value::Text(two)) => match (one.parse::<i64>(), two.parse()) {
                (Ok(one), Ok(two)) if one.max(two) < i64::MAX / 2 => numeral(one.max(two)),
                _ => Pattern::Text(Changing::of(one.as_bytes(), two.as_bytes())),
            },
            (Value::Blob(one), Value::Blob(two)) => Pattern::Bytes(Changing::of(one, two)),
            _ => Pattern::Fixed(one.clone()),
        }
    }
}

/// Decimal text that counts. It is written as text of the same length.
fn numeral(last: i64) -> Pattern {
    let shape = last.to_string().into_bytes();
    let places = (0..shape.len()).collect();
    Pattern::Text(Changing {
        shape,
        places,
        ordered: false,
        digits: DECIMAL,
        time: None,
    })
}

impl Changing {
    fn of(one: &[u8], two: &[u8]) -> Changing {
        let same = one
            .iter()
            .zip(two)
            .take_while(|(one, two)| one == two)
            .count();
        let differs =
            |at: &usize| one.len() != two.len() && *at >= same || one.get(*at) != two.get(*at);
        // Signs between the digits stay, and so does everything that is not plain ASCII.
        let writable = |at: &usize| one.get(*at).is_some_and(u8::is_ascii_alphanumeric);
        let binary = std::str::from_utf8(one).is_err() || std::str::from_utf8(two).is_err();
        let places: Vec<usize> = (0..one.len())
            .filter(differs)
            .filter(|at| binary || writable(at))
            .collect();
        let decimal = places.iter().all(|at| {
            let digit = |text: &[u8]| text.get(*at).is_none_or(u8::is_ascii_digit);
            digit(one) && digit(two)
        });
        let digits = if decimal { DECIMAL } else { HEX };
        // A name in front of an id (`bill_…`) says nothing about its order.
        let prefix = one.get(..same).unwrap_or_default();
        let shared = prefix
            .rsplit(|byte| *byte == b'_')
            .next()
            .map_or(0, <[u8]>::len);
        Changing {
            shape: one.to_vec(),
            places,
            ordered: shared >= ORDERED_PREFIX,
            digits,
            time: if binary { None } else { time_in(one, two) },
        }
    }

    /// The same as [`Self::write`] for a row that is so many milliseconds older than the one that
    /// the rule was learned from: an id that begins with its time says so, and stands where an id
    /// of that time would.
    pub fn write_before(&self, number: u64, earlier: u64, into: &mut Vec<u8>) {
        let Some(time) = self.time else {
            return self.write(number, into);
        };
        into.clear();
        into.extend_from_slice(&self.shape);
        let then = millis(&self.shape, &time).saturating_sub(earlier);
        for (place, at) in time.iter().rev().enumerate() {
            let digit = usize::try_from(then >> (4 * place) & 15).unwrap_or(0);
            if let (Some(target), Some(digit)) = (into.get_mut(*at), HEX.get(digit)) {
                *target = *digit;
            }
        }
        let rest: Vec<usize> = self
            .places
            .iter()
            .copied()
            .filter(|at| !time.contains(at))
            .collect();
        self.spread(&rest, (number, false), into);
    }

    /// Two rules of one call (the ids of its two events) must not give the same value, and an id
    /// that stands inside another text must give the one that it has alone: so chance begins with
    /// the characters that change.
    fn salt(&self, places: &[usize]) -> u64 {
        let changing = places.iter().filter_map(|at| self.shape.get(*at));
        changing.fold(1, |salt, byte| scramble(salt ^ u64::from(*byte)))
    }

    /// Writes the value of call number `number` into `into`. Equal rules give equal values for
    /// equal numbers, so a row that refers to another still does.
    pub fn write(&self, number: u64, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&self.shape);
        self.spread(&self.places, (number, self.ordered), into);
    }

    /// Writes new digits at `places`: those of the number first or last, the others by chance.
    fn spread(&self, places: &[usize], (number, ordered): (u64, bool), into: &mut [u8]) {
        let count = places.len();
        let counted = count.min(COUNTED);
        let base = if self.digits == DECIMAL { 10 } else { 16 };
        let (mut left, mut chance) = (number, self.salt(places).wrapping_add(number));
        for step in 0..count {
            // The lowest digit of the number is written first: last place of the counted ones.
            let (place, digit) = if step < counted {
                let digit = left % base;
                left /= base;
                let place = if ordered {
                    counted - 1 - step
                } else {
                    count - 1 - step
                };
                (place, digit)
            } else {
                chance = scramble(chance);
                let place = if ordered { step } else { step - counted };
                (place, chance >> 60)
            };
            let digit = usize::try_from(digit)
                .ok()
                .and_then(|digit| self.digits.get(digit));
            let target = places.get(place).and_then(|at| into.get_mut(*at));
            if let (Some(target), Some(digit)) = (target, digit) {
                *target = *digit;
            }
        }
    }
}

/// Where the first id stands in two texts that begins with its time: at one place in both, 32
/// digits with or without signs between them, the time of both within a day.
fn time_in(one: &[u8], two: &[u8]) -> Option<[usize; 12]> {
    const DAY_MS: u64 = 86_400_000;
    let begins = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| one.get(at));
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
    };
    (0..one.len()).filter(|at| begins(*at)).find_map(|at| {
        let digits = (at..).map_while(|at| one.get(at).map(|byte| (at, *byte)));
        let digits = digits.take_while(|(_, byte)| byte.is_ascii_hexdigit() || *byte == b'-');
        let places: Vec<usize> = digits
            .filter(|(_, byte)| *byte != b'-')
            .map(|(at, _)| at)
            .collect();
        let time: [usize; 12] = places.get(..12)?.try_into().ok()?;
        let close = millis(one, &time).abs_diff(millis(two, &time)) < DAY_MS;
        let recent = millis(one, &time) >> 40 == 1;
        (places.len() == 32 && close && recent).then_some(time)
    })
}

/// The number that hexadecimal digits at these places say.
fn millis(text: &[u8], places: &[usize; 12]) -> u64 {
    places.iter().fold(0, |sum, at| {
        let digit = text
            .get(*at)
            .and_then(|byte| char::from(*byte).to_digit(16));
        sum << 4 | u64::from(digit.unwrap_or(0))
    })
}

/// One step of a generator that is good enough to spread keys over an index.
fn scramble(state: u64) -> u64 {
    let mixed = state.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn texts(one: &str, two: &str, numbers: std::ops::Range<u64>) -> Vec<String> {
        let Pattern::Text(rule) = Pattern::of(&one.to_owned().into(), &two.to_owned().into())
        else {
            panic!("{one} and {two} should give changing text");
        };
        let mut buffer = Vec::new();
        numbers
            .map(|number| {
                rule.write(number, &mut buffer);
                String::from_utf8(buffer.clone()).unwrap()
            })
            .collect()
    }

    #[test]
    fn random_ids_stay_random_of_the_same_form_and_unique() {
        let (one, two) = (
            "9ef68e2e-3569-4f69-9f68-04c7e4bb007c",
            "02ab11c4-97de-4a10-8b33-d2f0917e5a66",
        );
        let made = texts(one, two, 0..20_000);
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
        assert!(
            made.iter()
                .all(|id| id.len() == 36 && id.as_bytes()[14] == b'4')
        );
        assert!(!made.is_sorted());
        let firsts: HashSet<&str> = made.iter().map(|id| &id[..2]).collect();
        assert!(
            firsts.len() > 200,
            "spread over the index: {}",
            firsts.len()
        );
    }

    #[test]
    fn ordered_ids_keep_growing() {
        let (one, two) = ("019a1b2c3d4e-7aaf12cc01de", "019a1b2c3d51-7c02ab9137f8");
        let made = texts(one, two, 0..20_000);
        assert!(made.is_sorted());
        assert!(made.iter().all(|id| id.starts_with("019a1b2c3d")));
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
    }

    #[test]
    fn an_id_that_begins_with_its_time_says_how_old_its_row_is() {
        let (one, two) = (
            "held:pay_01a2241ce18077a1952641ce0a1a2f39",
            "held:pay_01a2241ce1917bf22d5c90d1b4e0036c",
        );
        let rule = |one: &str, two: &str| match Pattern::of(
            &one.to_owned().into(),
            &two.to_owned().into(),
        ) {
            Pattern::Text(rule) => rule,
            other => panic!("{other:?}"),
        };
        let written = |rule: &Changing, number, earlier| {
            let mut text = Vec::new();
            rule.write_before(number, earlier, &mut text);
            String::from_utf8(text).unwrap()
        };
        let (long, id) = (rule(one, two), rule(&one[5..], &two[5..]));
        assert!(written(&id, 7, 0).starts_with("pay_01a2241ce180"));
        assert!(written(&id, 7, 0x80).starts_with("pay_01a2241ce100"));
        let made: Vec<String> = (0..5_000)
            .map(|number| written(&id, number, 50 * (5_000 - number)))
            .collect();
        assert!(made.is_sorted());
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
        assert_eq!(
            written(&long, 7, 350),
            format!("held:{}", written(&id, 7, 350))
        );
        // The same as a UUID, and one that is all chance.
        let uuid = rule(
            "01a2241c-e180-77a1-9526-41ce0a1a2f39",
            "01a2241c-e191-7bf2-ad5c-90d1b4e0036c",
        );
        assert!(written(&uuid, 7, 0x80).starts_with("01a2241c-e100-7"));
        let chance = rule(&"9e".repeat(32), &"0b".repeat(32));
        assert_ne!(written(&chance, 1, 5), written(&chance, 2, 5));
    }

    #[test]
    fn two_ids_of_one_call_differ_and_one_inside_a_text_is_the_same() {
        let (one, two) = (
            "evt_019a1b2c3d4e7aaf12cc01de",
            "evt_019a1b2c3d517c02ab9137f8",
        );
        let (three, four) = (
            "evt_019a1b2c3d4e5bb0330f42a9",
            "evt_019a1b2c3d5160d9c77e81b4",
        );
        let (first, second) = (texts(one, two, 0..5_000), texts(three, four, 0..5_000));
        let all: HashSet<_> = first.iter().chain(&second).collect();
        assert_eq!(all.len(), 10_000);
        let inside = texts(&format!("held:{one}"), &format!("held:{two}"), 0..5_000);
        assert!(inside.iter().zip(&first).all(|(long, id)| long[5..] == *id));
    }

    #[test]
    fn only_what_differed_changes_and_decimal_stays_decimal() {
        let made = texts(
            "at 2026-11-21T10:00:01.123Z",
            "at 2026-11-21T10:00:02.456Z",
            0..500,
        );
        assert!(
            made.iter()
                .all(|text| text.starts_with("at 2026-11-21T10:00:0"))
        );
        assert!(made.iter().all(|text| {
            text[21..]
                .bytes()
                .all(|b| b.is_ascii_digit() || b".Z".contains(&b))
        }));
    }

    #[test]
    fn numbers_count_and_equal_values_stay() {
        let (one, two) = (Value::Integer(1_000), Value::Integer(1_090));
        assert_eq!(
            Pattern::of(&one, &two),
            Pattern::Counting {
                last: 1_090,
                step: 90
            }
        );
        let back = Pattern::Counting {
            last: 1_090,
            step: 1,
        };
        assert_eq!(
            Pattern::of(&two, &one),
            back,
            "never back into what is there"
        );
        assert_eq!(Pattern::of(&one, &one), Pattern::Fixed(one.clone()));
        assert_eq!(Pattern::of(&Value::Null, &one), Pattern::Fixed(Value::Null));
    }

    #[test]
    fn bytes_change_too() {
        let rule = Pattern::of(&Value::Blob(vec![0xff; 32]), &Value::Blob(vec![0x01; 32]));
        let Pattern::Bytes(rule) = rule else {
            panic!("bytes")
        };
        let (mut one, mut two) = (Vec::new(), Vec::new());
        rule.write(1, &mut one);
        rule.write(2, &mut two);
        assert_eq!((one.len(), two.len()), (32, 32));
        assert_ne!(one, two);
    }
}
