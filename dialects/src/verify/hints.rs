//! The usual mistakes: other keys and other bodies that a signature may have been made with. A
//! mistake is only named when it gives exactly the signature that came.

use domain::Secret;
use serde_json::Value;

use crate::{base64, sign};

/// Another key or another body, and what it would mean.
pub(super) struct Other {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What happened if these bytes were used; empty for what is right.
    pub means: &'static str,
}

const NOTHING_FITS: &str = "None of the usual mistakes gives this signature. Either the secret \
    is another one (test and live differ, and every endpoint has its own), or what was signed was \
    changed on the way.";

/// The secret's text, and what else people take for the key.
pub(super) fn keys(secret: &Secret) -> Vec<Other> {
    let text = secret.expose();
    let mut all = vec![other(text.as_bytes().to_vec(), "")];
    let trimmed = text.trim().trim_matches(['"', '\'']);
    if trimmed != text {
        let means = "It belongs to the secret without the blanks or quotation marks around it.";
        all.push(other(trimmed.as_bytes().to_vec(), means));
    }
    let ended = [text.as_bytes(), b"\n"].concat();
    let means = "It was made with a line feed after the secret, as `echo` adds one.";
    all.push(other(ended, means));
    if let Some(bytes) = base64::decode(trimmed) {
        let means = "It was made with the secret decoded from base64. The key is the text of the \
                     secret as it stands, even though it looks like base64.";
        all.push(other(bytes, means));
    }
    if let Some(bytes) = unhex(trimmed) {
        let means = "It was made with the secret decoded from hexadecimal digits. The key is the \
                     text of the secret as it stands.";
        all.push(other(bytes, means));
    }
    all
}

/// The body as it came, and what it may have been when it was signed.
pub(super) fn bodies(body: &[u8]) -> Vec<Other> {
    let mut all = vec![other(body.to_vec(), "")];
    let mut add = |bytes: Vec<u8>, means| {
        if bytes != body {
            all.push(other(bytes, means));
        }
    };
    add(
        trimmed_end(body).to_vec(),
        "It belongs to the body without the line end at its end. Take the bytes as they arrive.",
    );
    for end in ["\n", "\r\n"] {
        add(
            [body, end.as_bytes()].concat(),
            "It belongs to the body with a line end after it. Take the bytes as they arrive.",
        );
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return all;
    };
    let lines = "It belongs to the body with other line ends. Take the bytes as they arrive.";
    add(text.replace("\r\n", "\n").into_bytes(), lines);
    let unix = text.replace("\r\n", "\n");
    add(unix.replace('\n', "\r\n").into_bytes(), lines);
    json_bodies(text, &mut add);
    all
}

/// The same JSON in other spellings.
fn json_bodies(text: &str, add: &mut dyn FnMut(Vec<u8>, &'static str)) {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let parsed = "It belongs to the same JSON without blanks: the body was read and written again. \
                  Take the bytes as they arrive, not the parsed object.";
    let compact = respaced(text, "", "");
    add(compact.clone().into_bytes(), parsed);
    add(
        respaced(text, " ", " ").into_bytes(),
        "It belongs to the same JSON with blanks after : and , (as Python's json.dumps writes it).",
    );
    if let Ok(pretty) = serde_json::to_string_pretty(&value) {
        let means = "It belongs to the same JSON, indented.";
        add(pretty.into_bytes(), means);
    }
    let escapes = "It belongs to the same JSON with other escapes (slashes or letters beyond \
                   ASCII). Take the bytes as they arrive.";
    add(value.to_string().into_bytes(), escapes);
    let slashed = compact.replace("\\/", "/").replace('/', "\\/");
    add(slashed.clone().into_bytes(), escapes);
    add(ascii(&compact).into_bytes(), escapes);
    add(ascii(&slashed).into_bytes(), escapes);
    if let Some(sorted) = sorted(&value) {
        let means = "It belongs to the same JSON with its members sorted by name.";
        add(sorted.into_bytes(), means);
    }
}

/// The first mistake with key or body, or else both, that gives a wanted signature.
pub(super) fn search(
    secret: &Secret,
    body: &[u8],
    gives: &dyn Fn(&[u8], &[u8]) -> bool,
) -> Vec<String> {
    let (keys, bodies) = (keys(secret), bodies(body));
    for key in &keys {
        for body in &bodies {
            let right = key.means.is_empty() && body.means.is_empty();
            if !right && gives(&key.bytes, &body.bytes) {
                let means = [key.means, body.means].into_iter();
                return means.filter(|m| !m.is_empty()).map(str::to_owned).collect();
            }
        }
    }
    Vec::new()
}

/// What the two signatures alone tell.
pub(super) fn spelling(expected: &str, received: &str) -> Option<String> {
    let bare = received.trim_matches(['"', '\'', ' ']);
    let said = if sign::same(expected, received.trim_end_matches(['\r', '\n'])) {
        "It is right but for the line end after it."
    } else if bare != received && sign::same(expected, bare) {
        "It is right but for the quotation marks around it."
    } else if sign::same(
        &expected.to_ascii_lowercase(),
        &received.to_ascii_lowercase(),
    ) {
        "It is right but for capital and small letters."
    } else if expected.ends_with(received) && received.len() >= 32 {
        "It is right but for what must stand before it."
    } else if received.ends_with(expected) && expected.len() >= 32 {
        "It is right but for what stands before it."
    } else {
        return None;
    };
    Some(said.to_owned())
}

/// Adds what is known about a signature that does not match; the search is for schemes to do.
pub(super) fn conclude(hints: &mut Vec<String>, found: Vec<String>) {
    hints.extend(found);
    if hints.is_empty() {
        hints.push(NOTHING_FITS.to_owned());
    }
}

pub(super) fn other(bytes: Vec<u8>, means: &'static str) -> Other {
    Other { bytes, means }
}

fn trimmed_end(body: &[u8]) -> &[u8] {
    let mut rest = body;
    while let Some(shorter) = rest
        .strip_suffix(b"\n")
        .or_else(|| rest.strip_suffix(b"\r"))
    {
        rest = shorter;
    }
    rest
}

/// JSON with these blanks after commas and colons and no others; strings and numbers untouched.
fn respaced(text: &str, comma: &str, colon: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut inside, mut escaped) = (false, false);
    for c in text.chars() {
        if inside {
            out.push(c);
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            ' ' | '\n' | '\r' | '\t' => {}
            ',' | ':' => {
                out.push(c);
                out.push_str(if c == ',' { comma } else { colon });
            }
            _ => {
                inside = c == '"';
                out.push(c);
            }
        }
    }
    out
}

/// Letters beyond ASCII as `\u` escapes.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// An object with its members sorted by name, inner ones as they are.
fn sorted(value: &Value) -> Option<String> {
    let mut members: Vec<_> = value.as_object()?.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    let parts: Vec<String> = members
        .into_iter()
        .map(|(name, member)| format!("{}:{member}", Value::from(name.as_str())))
        .collect();
    Some(format!("{{{}}}", parts.join(",")))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    (digits.len() >= 2 && digits.len().is_multiple_of(2)).then(|| {
        digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte: u8, d| byte << 4 | d))
            .collect()
    })
}
