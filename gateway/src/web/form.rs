//! The fields of a submitted page. They may hold a card number, so they are wiped when dropped.

use domain::secret::{wipe, wipe_bytes};

/// The fields of one form, in the order they came.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a urlencoded body and wipes it. Bytes that are not UTF-8 are no form.
    pub fn read(mut body: Vec<u8>) -> Option<Self> {
        let known = std::str::from_utf8(&body).is_ok();
        let fields = body
            .split(|byte| *byte == b'&')
            .filter(|pair| known && !pair.is_empty())
            .map(|pair| {
                let mut sides = pair.splitn(2, |byte| *byte == b'=');
                let mut side = || decoded(sides.next().unwrap_or_default());
                (side(), side())
            })
            .collect();
        wipe_bytes(&mut body);
        known.then_some(Self(fields))
    }

    /// The first value of a field; an absent one is empty.
    pub fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// The first value of a field, if it was sent.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A name or a value without its plus and percent signs, written once, into memory that is wiped
/// with the form: a general decoder may leave copies of its steps behind.
fn decoded(text: &[u8]) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut place = 0;
    while let Some(byte) = text.get(place) {
        let pair = (digit(text.get(place + 1)), digit(text.get(place + 2)));
        let (byte, length) = match (byte, pair) {
            (b'+', _) => (b' ', 1),
            (b'%', (Some(high), Some(low))) => (u8::try_from(high * 16 + low).unwrap_or(0), 3),
            (other, _) => (*other, 1),
        };
        bytes.push(byte);
        place += length;
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let mut bytes = error.into_bytes();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            wipe_bytes(&mut bytes);
            text
        }
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            wipe(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_absent_ones_are_empty() {
        let form = Form::read(b"name=A+%26+B&action=pay&action=cancel".to_vec()).unwrap();
        assert_eq!((form.get("name"), form.get("action")), ("A & B", "pay"));
        assert_eq!((form.get("code"), form.find("code")), ("", None));
        assert!(Form::read(vec![0xff]).is_none());
    }

    #[test]
    fn every_spelling_that_a_browser_or_a_client_sends() {
        let form = |text: &str| Form::read(text.as_bytes().to_vec()).unwrap();
        for (body, value) in [
            ("v=4111+1111", "4111 1111"),
            ("v=12%2F30", "12/30"),
            ("v=%e2%82%ac%E2%82%AC", "€€"),
            ("v=a=b", "a=b"),
            ("x&&v=1&", "1"),
            ("v=%", "%"),
            ("v=%4", "%4"),
            ("v=%zz%41", "%zzA"),
            ("v=%ff", "\u{fffd}"),
            ("%76=1", "1"),
            ("v", ""),
        ] {
            assert_eq!(form(body).find("v"), Some(value), "{body}");
        }
        assert_eq!(form("").find("v"), None);
    }
}
