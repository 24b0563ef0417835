//! Base64 with the standard alphabet and padding (RFC 4648, section 4), as signatures and secrets
//! of webhooks are written.
//!
//! Promise: one spelling for each value. What [`encode`] would not have written is not read, so a
//! signature with a changed last letter never passes for the same one.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as text, padded to a multiple of four letters.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = ALPHABET.get(((bits >> shift) & 63) as usize);
            // A group of n bytes fills n + 1 letters.
            let filled = place <= group.len();
            text.push(letter.filter(|_| filled).map_or('=', |l| char::from(*l)));
        }
    }
    text
}

/// The bytes of a text that [`encode`] wrote; `None` for every other text.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let letters = text.as_bytes();
    if !letters.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3);
    for group in letters.chunks(4) {
        let filled = group.iter().take_while(|letter| **letter != b'=').count();
        if filled < 2 {
            return None;
        }
        let mut bits = 0_u32;
        for letter in group.iter().take(filled) {
            let value = ALPHABET.iter().position(|known| known == letter)?;
            bits = bits << 6 | u32::try_from(value).ok()?;
        }
        bits <<= 6 * (4 - filled);
        let [_, first, second, third] = bits.to_be_bytes();
        bytes.extend([first, second, third].into_iter().take(filled - 1));
    }
    // Padding in the middle and bits left over at the end are other spellings of the same bytes.
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(encode(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        for length in 0..=all.len() {
            let bytes = all.get(..length).unwrap_or_default();
            assert_eq!(decode(&encode(bytes)).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn another_spelling_is_not_read() {
        for text in [
            "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "=g==", "Zg==Zg==", "Zm9v\n", "Zm 9v",
            "Zm9_", "Zm9-", "Zm=v", "Zmé=", "Zg==\n",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
