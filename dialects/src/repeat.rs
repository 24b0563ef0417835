//! What tells a repeated request from another one under the same idempotency key.
//!
//! It is kept for more than a year, so it is made of what the client sent and of nothing that a
//! later version of this program might see otherwise. Its form has a number: what was kept in
//! another form cannot be compared.

use domain::call::IdempotencyKey;
use domain::secret::hex;
use sha2::{Digest, Sha256};

use crate::fields::Value;
use crate::json;

/// With what fingerprints of today's form begin.
pub const FORM: &str = "2:";

/// A key with the fingerprint of the body it came with. Of JSON, blanks and the order of members do
/// not matter; any other body counts byte by byte.
pub fn key(text: String, body: &[u8]) -> IdempotencyKey {
    IdempotencyKey {
        text,
        fingerprint: fingerprint(body),
    }
}

fn fingerprint(body: &[u8]) -> String {
    let digest = match json::parse(body) {
        Ok(members) => {
            let mut text = Value::Object(members);
            text.sort();
            Sha256::digest(json::write(&text).as_bytes())
        }
        Err(_) => Sha256::digest(body),
    };
    format!("{FORM}{}", hex(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_fingerprint_is_found_again_by_every_later_version() {
        for (body, kept) in [
            (
                r#"{"modificationAmount":{"currency":"NOK","value":100}}"#,
                "2:7d6f70a170bb3e397d676092eb6f9019a171d76318234b14d0f9f34d0709b417",
            ),
            (
                "amount=10.50&currency=SGD",
                "2:6eee3af7da992865c083726779b787650f1397747b76b14aac70d99cb2123484",
            ),
        ] {
            assert_eq!(
                fingerprint(body.as_bytes()),
                kept,
                "never change it: {body}"
            );
        }
    }

    #[test]
    fn the_same_json_has_the_same_one_however_it_is_written() {
        let same = [
            r#"{"a":{"b":1,"c":[1,2]},"d":"x"}"#,
            "{ \"d\" : \"\\u0078\",\n\"a\":{\"c\":[1, 2],\"b\":1} }",
        ];
        assert_eq!(
            fingerprint(same[0].as_bytes()),
            fingerprint(same[1].as_bytes())
        );
        for other in [
            r#"{"a":{"b":1,"c":[2,1]},"d":"x"}"#,
            r#"{"a":{"b":1.0,"c":[1,2]},"d":"x"}"#,
            r#"{"a":{"b":1,"c":[1,2]},"d":"y"}"#,
            "",
            "[]",
        ] {
            assert_ne!(
                fingerprint(same[0].as_bytes()),
                fingerprint(other.as_bytes())
            );
        }
        assert_eq!(fingerprint(b""), fingerprint(b" {} "));
    }
}
