//! Secrets of endpoints: `whsec_` and base64 of 24 to 64 bytes, as the specification has them.

use std::fmt;

use domain::Secret;

use crate::base64;

/// What every secret begins with.
pub const PREFIX: &str = "whsec_";

/// Fewest bytes of a key.
pub const BYTES_MIN: usize = 24;
/// Most bytes of a key.
pub const BYTES_MAX: usize = 64;

/// What is wrong with a text that should be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretProblem {
    /// It does not begin with `whsec_`.
    Prefix,
    /// What follows is not base64 with the standard alphabet and padding.
    Base64,
    /// It stands for so many bytes, which are too few or too many.
    Length(usize),
}

impl fmt::Display for SecretProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix => write!(f, "the secret does not begin with {PREFIX}"),
            Self::Base64 => write!(
                f,
                "the secret is not {PREFIX} followed by base64 (letters, digits, + and /, padded \
                 with =)"
            ),
            Self::Length(bytes) => write!(
                f,
                "the secret stands for {bytes} bytes; {BYTES_MIN} to {BYTES_MAX} are allowed"
            ),
        }
    }
}

/// A new secret from bytes of chance.
pub fn mint(random: &[u8; 32]) -> Secret {
    Secret::new(format!("{PREFIX}{}", base64::encode(random)))
}

/// The key that a secret stands for; refuses a text that is no secret of this scheme.
pub fn key(secret: &Secret) -> Result<Vec<u8>, SecretProblem> {
    let text = secret
        .expose()
        .strip_prefix(PREFIX)
        .ok_or(SecretProblem::Prefix)?;
    let key = base64::decode(text).ok_or(SecretProblem::Base64)?;
    if (BYTES_MIN..=BYTES_MAX).contains(&key.len()) {
        Ok(key)
    } else {
        Err(SecretProblem::Length(key.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<u8>, SecretProblem> {
        key(&Secret::new(text.to_owned()))
    }

    #[test]
    fn a_minted_secret_stands_for_its_bytes() {
        for bytes in [[0; 32], [255; 32], [7; 32]] {
            let secret = mint(&bytes);
            assert_eq!(secret.expose().len(), PREFIX.len() + 44);
            assert_eq!(key(&secret), Ok(bytes.to_vec()));
        }
    }

    #[test]
    fn lengths_are_bounded() {
        for bytes in [24, 25, 26, 32, 63, 64] {
            let text = format!("{PREFIX}{}", base64::encode(&vec![1; bytes]));
            assert_eq!(read(&text), Ok(vec![1; bytes]));
        }
        for bytes in [0, 1, 23, 65, 100] {
            let text = format!("{PREFIX}{}", base64::encode(&vec![1; bytes]));
            assert_eq!(read(&text), Err(SecretProblem::Length(bytes)));
        }
    }

    #[test]
    fn other_texts_are_named_for_what_they_are() {
        for text in [
            "",
            "whsec",
            "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert_eq!(read(text), Err(SecretProblem::Prefix), "{text}");
        }
        for text in [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-w",
        ] {
            assert_eq!(read(text), Err(SecretProblem::Base64), "{text}");
        }
        let said = SecretProblem::Length(3).to_string();
        assert!(said.contains("3 bytes") && said.contains("24 to 64"));
        assert!(SecretProblem::Prefix.to_string().contains("whsec_"));
    }
}
