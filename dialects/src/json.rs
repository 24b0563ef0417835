//! A JSON body into a nested [`Value`] that keeps every number as the text of its token.
//!
//! No number is ever turned into a float: `10.10`, `1e3` and `9007199254740993` stay what the
//! client wrote, and the reader of the field decides. Promises: depth and number of values are
//! bounded, and a key that is given twice has its last value.

use std::fmt;

use domain::Refusal;
use domain::limits::{DEPTH_MAX, FIELDS_MAX, VALUES_MAX};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::fields::{Members, Value};

/// Reads a body that must be one JSON object; nothing at all counts as an empty one.
pub fn parse(body: &[u8]) -> Result<Members, Refusal> {
    let Ok(text) = std::str::from_utf8(body) else {
        return unreadable("The request body is not valid UTF-8.");
    };
    if text.trim().is_empty() {
        return Ok(Members::default());
    }
    let mut reader = Reader { left: VALUES_MAX };
    match reader.value(text.trim(), DEPTH_MAX)? {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
            unreadable("The request body must be a JSON object.")
        }
    }
}

/// A value as JSON again: members in their order, every number as the token that it was.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    append(&mut text, value);
    text
}

fn append(text: &mut String, value: &Value) {
    // A text can always be written as JSON.
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(token) => text.push_str(token),
        Value::Text(inner) => text.push_str(&quoted(inner)),
        Value::List(items) => {
            for (place, item) in items.iter().enumerate() {
                text.push(if place == 0 { '[' } else { ',' });
                append(text, item);
            }
            text.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Value::Object(members) => {
            for (place, (name, inner)) in members.iter().enumerate() {
                text.push(if place == 0 { '{' } else { ',' });
                text.push_str(&quoted(name));
                text.push(':');
                append(text, inner);
            }
            text.push_str(if members.is_empty() { "{}" } else { "}" });
        }
    }
}

fn unreadable<T>(text: &str) -> Result<T, Refusal> {
    Err(Refusal::Unreadable(text.to_owned()))
}

struct Reader {
    left: usize,
}

impl Reader {
    /// One value; `depth` is how many levels of objects and lists may still open.
    fn value(&mut self, text: &str, depth: usize) -> Result<Value, Refusal> {
        match text.bytes().next() {
            Some(b'{') => {
                let mut members = Members::default();
                let Raw(pairs) = read(text)?;
                if pairs.len() > FIELDS_MAX {
                    return unreadable(&format!(
                        "An object of the request body has more than {FIELDS_MAX} fields."
                    ));
                }
                let depth = self.enter(pairs.len(), depth)?;
                for (name, raw) in pairs {
                    without_nul(&name)?;
                    members.set(name, self.value(raw.get(), depth)?);
                }
                Ok(Value::Object(members))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = read(text)?;
                let depth = self.enter(items.len(), depth)?;
                let items = items.into_iter().map(|raw| self.value(raw.get(), depth));
                Ok(Value::List(items.collect::<Result<_, _>>()?))
            }
            Some(b'"') => {
                let text: String = read(text)?;
                without_nul(&text)?;
                Ok(Value::Text(text))
            }
            Some(b't' | b'f') => Ok(Value::Bool(read(text)?)),
            Some(b'n') => read::<()>(text).map(|()| Value::Null),
            // Whatever is left must be a number, and its token is kept as it stands.
            Some(_) | None => Ok(Value::Number(read::<&RawValue>(text)?.get().to_owned())),
        }
    }

    fn enter(&mut self, values: usize, depth: usize) -> Result<usize, Refusal> {
        let Some(left) = self.left.checked_sub(values) else {
            return unreadable(&format!(
                "The request body has more than {VALUES_MAX} values."
            ));
        };
        self.left = left;
        match depth.checked_sub(1) {
            Some(depth) => Ok(depth),
            None => unreadable(&format!(
                "The request body nests values deeper than {DEPTH_MAX} levels."
            )),
        }
    }
}

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    // The parser's own message names lines and columns of a part here, so it would mislead.
    serde_json::from_str(text)
        .map_err(|_| Refusal::Unreadable("The request body is not valid JSON.".to_owned()))
}

/// No field of any contract needs this character, and not every database can store it.
fn without_nul(text: &str) -> Result<(), Refusal> {
    if text.contains('\0') {
        return unreadable("The request body contains the character U+0000.");
    }
    Ok(())
}

/// The members of an object in their order, duplicates included, their values not yet read.
struct Raw<'a>(Vec<(String, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Raw<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, &RawValue>()? {
                    pairs.push(pair);
                }
                Ok(Raw(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Members {
        parse(text.as_bytes()).unwrap()
    }

    fn refused(body: &[u8]) -> String {
        match parse(body) {
            Err(Refusal::Unreadable(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_kind_of_value() {
        let body =
            read(r#" {"n":null,"t":true,"f":false,"s":"a\u00e9\n","l":[1,"x"],"o":{"k":{}}} "#);
        assert_eq!(body.get("n"), Some(&Value::Null));
        assert_eq!(body.get("t"), Some(&Value::Bool(true)));
        assert_eq!(body.get("f"), Some(&Value::Bool(false)));
        assert_eq!(body.get("s"), Some(&Value::Text("aé\n".to_owned())));
        let items = vec![Value::Number("1".to_owned()), Value::Text("x".to_owned())];
        assert_eq!(body.get("l"), Some(&Value::List(items)));
        let Some(Value::Object(inner)) = body.get("o") else {
            panic!("{body:?}")
        };
        assert_eq!(inner.get("k"), Some(&Value::Object(Members::default())));
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let tokens = [
            "0",
            "-1",
            "10.10",
            "1e3",
            "1E+400",
            "9007199254740993",
            "0.1000000000000000055511",
        ];
        for token in tokens {
            let body = read(&format!(r#"{{"a": {token} }}"#));
            assert_eq!(body.get("a"), Some(&Value::Number(token.to_owned())));
        }
    }

    #[test]
    fn what_was_read_can_be_written_again() {
        let text = r#"{"b":[1.50,-0,1E+400,[],{}],"a":{"\"é":null,"t":true,"f":false}}"#;
        assert_eq!(write(&Value::Object(read(text))), text);
    }

    #[test]
    fn the_last_of_two_equal_keys_wins() {
        let body = read(r#"{"a":1,"b":2,"\u0061":3}"#);
        assert_eq!(body.get("a"), Some(&Value::Number("3".to_owned())));
        assert_eq!(body.iter().count(), 2);
    }

    #[test]
    fn nothing_is_an_empty_object() {
        assert_eq!(read(""), Members::default());
        assert_eq!(read(" \r\n"), Members::default());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "{",
            "{\"a\":}",
            "{\"a\":1,}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "{\"a\":tru}",
            "{\"a\":\"\\ud800\"}",
            "{} x",
            "nulll",
            "{\"a\":\"\n\"}",
            "amount=10",
            "{\"a\":[1,]}",
            "{\"a\":{\"b\":}}",
        ] {
            assert_eq!(
                refused(text.as_bytes()),
                "The request body is not valid JSON.",
                "{text}"
            );
        }
        for text in ["[]", "1", "\"x\"", "true", "null"] {
            assert_eq!(
                refused(text.as_bytes()),
                "The request body must be a JSON object."
            );
        }
        assert_eq!(
            refused(b"{\"a\":\"\xff\"}"),
            "The request body is not valid UTF-8."
        );
        let nul = "The request body contains the character U+0000.";
        assert_eq!(refused(br#"{"a":"\u0000"}"#), nul);
        assert_eq!(refused(br#"{"\u0000":1}"#), nul);
    }

    #[test]
    fn values_and_depth_are_bounded() {
        let list = |n: usize| format!(r#"{{"a":[{}]}}"#, vec!["1"; n].join(","));
        read(&list(VALUES_MAX - 1));
        let text = refused(list(VALUES_MAX).as_bytes());
        assert_eq!(text, "The request body has more than 20000 values.");
        let wide = |n: usize| {
            let fields: Vec<String> = (0..n).map(|one| format!("\"f{one}\":1")).collect();
            format!("{{{}}}", fields.join(","))
        };
        read(&wide(FIELDS_MAX));
        let text = refused(wide(FIELDS_MAX + 1).as_bytes());
        assert_eq!(
            text,
            "An object of the request body has more than 1000 fields."
        );
        let deep = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        read(&deep(DEPTH_MAX - 1));
        let text = refused(deep(DEPTH_MAX).as_bytes());
        assert_eq!(text, "The request body nests values deeper than 16 levels.");
        refused(deep(100_000).as_bytes());
        refused("{\"a\":".repeat(40_000).as_bytes());
    }
}
