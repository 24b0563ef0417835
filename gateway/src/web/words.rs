//! Every text that a page shows, one file per language.
//!
//! A text is looked up by its key, and the keys are the fields of [`Words`]: a language that lacks
//! one does not compile, and a template cannot ask for one that does not exist. A test finds keys
//! that no page uses and texts whose `{places}` differ between languages.
//!
//! To add a language: copy `words/en.rs`, translate, and name it in [`LANGUAGES`].

mod en;

use std::fmt;

pub use en::{EN, KEYS, Words};

/// The languages that pages can speak; the first one is used when a browser asks for none of them.
pub static LANGUAGES: &[&Words] = &[&EN];

/// One text, which may have `{places}` to be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text(pub &'static str);

/// A text with some of its places filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled(String);

impl Text {
    /// Fills one place. What is filled in is plain text; the template escapes it.
    pub fn with(self, place: &str, value: impl fmt::Display) -> Filled {
        Filled(self.0.to_owned()).with(place, value)
    }
}

impl Filled {
    /// Fills one more place. Only the first one of that name is: a filled-in value that happens to
    /// look like a place behind it stays as it is.
    #[must_use]
    pub fn with(self, place: &str, value: impl fmt::Display) -> Self {
        let marker = format!("{{{place}}}");
        let mut value = value.to_string();
        // A name that turns the direction of writing must not turn the sentence around it.
        value.retain(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        Self(self.0.replacen(&marker, &value, 1))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The language a browser likes best among those there are, by its `Accept-Language` header.
pub fn negotiate(header: Option<&str>) -> &'static Words {
    choose(LANGUAGES, header.unwrap_or_default(), |words| words.lang)
        .copied()
        .unwrap_or(&EN)
}

/// The entry whose language is asked for with the highest weight; of equals the one named first.
fn choose<'a, T>(there: &'a [T], header: &str, lang: impl Fn(&T) -> &str) -> Option<&'a T> {
    let mut best: Option<(u32, &T)> = None;
    for part in header.split(',') {
        let (tag, weight) = match part.split_once(';') {
            Some((tag, rest)) => (tag.trim(), weight(rest)),
            None => (part.trim(), 1_000),
        };
        // `nb-NO` is served by `nb`.
        let primary = tag.split('-').next().unwrap_or(tag);
        let Some(found) = there.iter().find(|t| lang(t).eq_ignore_ascii_case(primary)) else {
            continue;
        };
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, found));
        }
    }
    best.map(|(_, found)| found)
}

/// `q=0.8` in thousandths, without a float; a weight that cannot be read counts as nothing.
fn weight(text: &str) -> u32 {
    let Some(value) = text.trim().strip_prefix("q=") else {
        return 0;
    };
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole.parse::<u32>(), digits.parse::<u32>()) {
        (Ok(0), Ok(thousandths)) => thousandths,
        (Ok(1), Ok(0)) => 1_000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_with_the_highest_weight_wins() {
        let there = ["en", "nb", "zh"];
        let chosen = |header| choose(&there, header, |l| l).copied();
        assert_eq!(chosen("nb-NO,nb;q=0.9,en;q=0.8"), Some("nb"));
        assert_eq!(chosen("fr, en;q=0.3, zh;q=0.7"), Some("zh"));
        assert_eq!(chosen("EN-gb"), Some("en"));
        assert_eq!(chosen("nb;q=0, en;q=0.1"), Some("en"));
        assert_eq!(chosen("nb;q=high, fr"), None);
        assert_eq!(chosen(""), None);
        assert_eq!(negotiate(Some("fr")).lang, "en");
    }

    #[test]
    fn a_filled_value_is_not_filled_again() {
        let text = Text("{a} and {b}").with("a", "{b}").with("b", "x");
        assert_eq!(
            text.to_string(),
            "x and {b}",
            "only the first place of a name is filled"
        );
        assert_eq!(
            Text("{a}, {b}").with("b", "{a}").with("a", "1").to_string(),
            "1, {a}"
        );
        assert_eq!(
            Text("to {a}.").with("a", "x\u{202e}y").to_string(),
            "to xy."
        );
    }
}
