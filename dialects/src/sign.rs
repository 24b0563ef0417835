//! Signing, as several dialects need it.
//!
//! Promise: a signature is compared in constant time, never with `==` on texts.

use domain::Secret;
use domain::secret::hex;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256 of a message under a key, as 64 lower-case hexadecimal digits.
pub fn hmac_sha256_hex(key: &Secret, message: &[u8]) -> String {
    match Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) {
        Ok(mac) => hex(&mac.chain_update(message).finalize().into_bytes()),
        // HMAC takes keys of every length. Were that to change, this is no valid signature.
        Err(_) => String::new(),
    }
}

/// Are the two signatures the same text? Takes equally long wherever they differ.
pub fn same(expected: &str, received: &str) -> bool {
    !expected.is_empty() && Secret::new(expected.to_owned()) == Secret::new(received.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_rfc_4231() {
        let key = Secret::new("Jefe".to_owned());
        assert_eq!(
            hmac_sha256_hex(&key, b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let key = Secret::new("\u{b}".repeat(20));
        assert_eq!(
            hmac_sha256_hex(&key, b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn an_empty_key_signs_too() {
        let signature = hmac_sha256_hex(&Secret::new(String::new()), b"");
        assert_eq!(signature.len(), 64);
    }

    #[test]
    fn letter_case_and_length_count() {
        assert!(same("ab12", "ab12"));
        assert!(!same("ab12", "AB12"));
        assert!(!same("ab12", "ab123"));
        assert!(!same("ab12", ""));
        assert!(!same("", ""));
    }
}
