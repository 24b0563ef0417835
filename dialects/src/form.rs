//! `application/x-www-form-urlencoded` text, of a body or a query, into a nested [`Value`].
//!
//! Keys nest as PHP writes them: `address[line1]=…`, `list[]=a&list[]=b`, `list[0]=a&list[1]=b`.
//! Promises: nothing is replaced or guessed (bytes that are not UTF-8 are refused), the number of
//! fields and the depth are bounded, and a key that is given twice has its last value.

use domain::Refusal;
use domain::limits::{DEPTH_MAX, FIELDS_MAX};

use crate::fields::{Members, Value};

/// Reads form text. `what` names it in refusals, for example `request body`.
pub fn parse(text: &[u8], what: &str) -> Result<Members, Refusal> {
    let pairs = pairs(text, what)?;
    let mut members = Members::default();
    for (key, value) in pairs {
        let path = path(&key);
        if path.len() > DEPTH_MAX {
            let text = format!("The {what} nests fields deeper than {DEPTH_MAX} levels.");
            return Err(Refusal::Unreadable(text));
        }
        insert(&mut members, &path, value);
    }
    Ok(members)
}

/// The decoded keys and values in the order of the text, without a look at brackets.
pub fn pairs(text: &[u8], what: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut pairs = Vec::new();
    for piece in text.split(|b| *b == b'&').filter(|piece| !piece.is_empty()) {
        if pairs.len() == FIELDS_MAX {
            let text = format!("The {what} has more than {FIELDS_MAX} fields.");
            return Err(Refusal::Unreadable(text));
        }
        let mut halves = piece.splitn(2, |b| *b == b'=');
        let key = decode(halves.next().unwrap_or_default(), what)?;
        let value = decode(halves.next().unwrap_or_default(), what)?;
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// `+` is a blank, `%41` a byte; a `%` without two hexadecimal digits stands for itself.
fn decode(text: &[u8], what: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(*first),
        }
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Refusal::Unreadable(format!("The {what} is not valid UTF-8.")))?;
    // No field of any contract needs it, and not every database can store it.
    if text.contains('\0') {
        let text = format!("The {what} contains the character U+0000.");
        return Err(Refusal::Unreadable(text));
    }
    Ok(text)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// `a[b][]` → `a`, `b`, nothing. A key whose brackets do not pair up is one plain name.
fn path(key: &str) -> Vec<&str> {
    let plain = vec![key];
    let Some((first, rest)) = key.split_once('[') else {
        return plain;
    };
    let Some(inner) = rest.strip_suffix(']') else {
        return plain;
    };
    if first.is_empty() {
        return plain;
    }
    let mut path = vec![first];
    path.extend(inner.split("]["));
    if path.iter().any(|name| name.contains(['[', ']'])) {
        plain
    } else {
        path
    }
}

fn insert(members: &mut Members, path: &[&str], value: String) {
    let [name, deeper @ ..] = path else { return };
    let name = if name.is_empty() {
        next_index(members)
    } else {
        (*name).to_owned()
    };
    if deeper.is_empty() {
        members.set(name, Value::Text(value));
        return;
    }
    if let Some(Value::Object(inner)) = members.get_mut(&name) {
        insert(inner, deeper, value);
        return;
    }
    let mut inner = Members::default();
    insert(&mut inner, deeper, value);
    members.set(name, Value::Object(inner));
}

/// What `[]` stands for: one more than the greatest number so far.
fn next_index(members: &Members) -> String {
    let greatest = members
        .iter()
        .filter_map(|(name, _)| name.parse::<u64>().ok())
        .max();
    greatest
        .map_or(0, |index| index.saturating_add(1))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Members {
        parse(text.as_bytes(), "request body").unwrap()
    }

    fn refused(text: &[u8]) -> String {
        match parse(text, "request body") {
            Err(Refusal::Unreadable(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    fn list(members: &Members, name: &str) -> Vec<String> {
        members
            .get(name)
            .unwrap()
            .items()
            .unwrap()
            .into_iter()
            .map(|v| text(&v))
            .collect()
    }

    fn text(value: &Value) -> String {
        value.as_text().unwrap().to_owned()
    }

    #[test]
    fn pairs_are_decoded() {
        let form = read("a=1&b=Caf%C3%A9+%26+Co%3D1&empty=&bare&c=x=y&&");
        assert_eq!(text(form.get("a").unwrap()), "1");
        assert_eq!(text(form.get("b").unwrap()), "Café & Co=1");
        assert_eq!(text(form.get("empty").unwrap()), "");
        assert_eq!(text(form.get("bare").unwrap()), "");
        assert_eq!(text(form.get("c").unwrap()), "x=y");
        assert_eq!(form.iter().count(), 5);
    }

    #[test]
    fn a_percent_sign_without_digits_stands_for_itself() {
        let form = read("a=100%&b=%zz&c=%4");
        assert_eq!(text(form.get("a").unwrap()), "100%");
        assert_eq!(text(form.get("b").unwrap()), "%zz");
        assert_eq!(text(form.get("c").unwrap()), "%4");
    }

    #[test]
    fn lists_in_both_bracket_spellings() {
        assert_eq!(list(&read("m[]=a&m[]=b"), "m"), ["a", "b"]);
        assert_eq!(list(&read("m%5B%5D=a&m%5B%5D=b"), "m"), ["a", "b"]);
        assert_eq!(list(&read("m[0]=a&m[1]=b"), "m"), ["a", "b"]);
        assert_eq!(list(&read("m[1]=b&m[0]=a"), "m"), ["a", "b"], "by number");
        let eleven: Vec<String> = (0..11).map(|n| format!("m[{n}]={n}")).collect();
        assert_eq!(
            list(&read(&eleven.join("&")), "m").last().unwrap(),
            "10",
            "not as text"
        );
        assert_eq!(list(&read("m[5]=a&m[]=b"), "m"), ["a", "b"]);
    }

    #[test]
    fn objects_nest() {
        let form = read("address[line1]=1+Road&address[city]=Singapore&m[a][b]=c");
        let Some(Value::Object(address)) = form.get("address") else {
            panic!("{form:?}")
        };
        assert_eq!(text(address.get("line1").unwrap()), "1 Road");
        let Some(Value::Object(outer)) = form.get("m") else {
            panic!("{form:?}")
        };
        let Some(Value::Object(inner)) = outer.get("a") else {
            panic!("{form:?}")
        };
        assert_eq!(text(inner.get("b").unwrap()), "c");
    }

    #[test]
    fn the_last_value_wins() {
        assert_eq!(text(read("a=1&a=2").get("a").unwrap()), "2");
        assert_eq!(text(read("a[]=1&a=2").get("a").unwrap()), "2");
        assert_eq!(list(&read("a=1&a[]=2"), "a"), ["2"]);
    }

    #[test]
    fn broken_brackets_are_plain_names() {
        for key in ["a[", "a]", "[a]", "a[b]c", "a[[b]]", "[]", "a[b"] {
            let form = read(&format!("{key}=1"));
            assert_eq!(text(form.get(key).unwrap()), "1", "{key}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        assert_eq!(refused(b"a=%ff"), "The request body is not valid UTF-8.");
        assert_eq!(refused(b"a=\xc3"), "The request body is not valid UTF-8.");
        assert_eq!(refused(b"%c3%28=1"), "The request body is not valid UTF-8.");
        assert_eq!(
            refused(b"a=%00"),
            "The request body contains the character U+0000."
        );
    }

    #[test]
    fn fields_and_depth_are_bounded() {
        let many = |n: usize| {
            (0..n)
                .map(|i| format!("k{i}=v"))
                .collect::<Vec<_>>()
                .join("&")
        };
        assert_eq!(read(&many(FIELDS_MAX)).iter().count(), FIELDS_MAX);
        let text = refused(many(10_000).as_bytes());
        assert_eq!(text, "The request body has more than 1000 fields.");
        let deep = |n: usize| format!("a{}=x", "[b]".repeat(n - 1));
        read(&deep(DEPTH_MAX));
        let text = refused(deep(DEPTH_MAX + 1).as_bytes());
        assert_eq!(text, "The request body nests fields deeper than 16 levels.");
        refused(deep(50_000).as_bytes());
    }
}
