//! Secrets that must be used again (webhook salts, credentials of upstreams) are stored sealed:
//! ChaCha20-Poly1305 under a master key that is not in the database.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use domain::Secret;
use domain::secret::hex;
use store::Fault;

use crate::entropy::Entropy;

/// Bytes of a nonce of ChaCha20-Poly1305.
const NONCE: usize = 12;

/// The master key, ready to seal and open.
pub struct Vault {
    key: LessSafeKey,
    hashing: Hashing,
}

/// Hashes what is only ever compared (gift-card numbers and codes) under a key of its own that
/// comes from the master key: whoever has the database alone cannot try them one by one.
#[derive(Clone)]
pub struct Hashing(hmac::Key);

impl std::fmt::Debug for Hashing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hashing(••••)")
    }
}

impl Hashing {
    fn new(master: &[u8]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, master);
        let derived = hmac::sign(&master, b"florin keyed hashes");
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// The hash of a text for one purpose, as 64 hexadecimal digits. The same text for another
    /// purpose has another hash.
    pub fn of(&self, purpose: &str, text: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.len().to_string().as_bytes());
        context.update(b":");
        context.update(purpose.as_bytes());
        context.update(text.as_bytes());
        hex(context.sign().as_ref())
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(••••)")
    }
}

impl Vault {
    /// From a master key of 64 hexadecimal digits.
    pub fn new(master_key: &Secret) -> Result<Self, String> {
        let wrong = || "the master key must be 64 hexadecimal digits".to_owned();
        let bytes = unhex(master_key.expose().trim())
            .filter(|b| b.len() == 32)
            .ok_or_else(wrong)?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| wrong())?;
        Ok(Self {
            key: LessSafeKey::new(key),
            hashing: Hashing::new(&bytes),
        })
    }

    /// A key of its own for one kind of tokens: the same for the same master key.
    pub fn token_key(&self, purpose: &str) -> Secret {
        Secret::new(self.hashing.of("token key", purpose))
    }

    /// Hashing under the master key.
    pub fn hashing(&self) -> &Hashing {
        &self.hashing
    }

    /// Seals a secret. `context` says what it is and whose; it must be the same when opening, so
    /// a sealed text moved to another row does not open.
    pub fn seal(&self, secret: &Secret, context: &str, entropy: &Entropy) -> Result<String, Fault> {
        let mut nonce = [0_u8; NONCE];
        for (place, byte) in nonce.iter_mut().zip(entropy.bytes()) {
            *place = byte;
        }
        let mut sealed = secret.expose().as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| Fault("a secret could not be sealed".to_owned()))?;
        Ok(format!("{}{}", hex(&nonce), hex(&sealed)))
    }

    /// Opens a sealed secret; fails under another master key or context.
    pub fn open(&self, sealed: &str, context: &str) -> Result<Secret, Fault> {
        let wrong = || {
            Fault(format!(
                "the secret “{context}” does not open: is this the master key it was made with?"
            ))
        };
        let bytes = unhex(sealed).ok_or_else(wrong)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut buffer = sealed.to_vec();
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut buffer)
            .map_err(|_| wrong())?;
        String::from_utf8(plain.to_vec())
            .map(Secret::new)
            .map_err(|_| wrong())
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| {
            text.get(at..at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(digit: &str) -> Vault {
        Vault::new(&Secret::new(digit.repeat(64))).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_only_with_the_same_key_and_context() {
        let entropy = Entropy::seeded(1);
        let sealed = vault("a")
            .seal(&Secret::new("salt".to_owned()), "one", &entropy)
            .unwrap();
        assert!(!sealed.contains("salt"));
        assert_eq!(vault("a").open(&sealed, "one").unwrap().expose(), "salt");
        assert!(vault("a").open(&sealed, "two").is_err());
        assert!(vault("b").open(&sealed, "one").is_err());
        for broken in ["", "00", "zz", &sealed[2..], "ÄÖ"] {
            assert!(vault("a").open(broken, "one").is_err(), "{broken}");
        }
        let again = vault("a")
            .seal(&Secret::new("salt".to_owned()), "one", &entropy)
            .unwrap();
        assert_ne!(sealed, again, "each sealing has its own nonce");
    }

    #[test]
    fn a_keyed_hash_depends_on_key_purpose_and_text() {
        let hash = |digit: &str, purpose, text| vault(digit).hashing().of(purpose, text);
        let one = hash("a", "number", "957");
        assert_eq!(one, hash("a", "number", "957"));
        assert_eq!(one.len(), 64);
        for other in [
            hash("b", "number", "957"),
            hash("a", "code", "957"),
            hash("a", "number", "958"),
            hash("a", "number9", "57"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_master_key_is_64_hexadecimal_digits() {
        for wrong in ["", "abc", &"g".repeat(64), &"a".repeat(62)] {
            assert!(
                Vault::new(&Secret::new(wrong.to_owned())).is_err(),
                "{wrong}"
            );
        }
    }
}
