//! Access tokens, and credentials that have several parts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::moment::Timestamp;
use crate::secret::Secret;

/// What a caller shows who has an account: who it is, a key of its subscription, and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    /// Who it is.
    pub proof: Proof,
    /// A key of the subscription.
    pub key: Secret,
    /// The number of the account, where the call needs it.
    pub number: Option<String>,
}

/// How a caller with an account proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By id and secret.
    Client {
        /// The id.
        id: String,
        /// The secret.
        secret: Secret,
    },
    /// By a token that was issued for them.
    Token(Secret),
}

/// Which part of a credential is missing or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flaw {
    /// No subscription key.
    KeyMissing,
    /// An unknown subscription key, or one of somebody else.
    KeyWrong,
    /// No id or secret, or a wrong one; one answer for both.
    Client,
    /// No token.
    TokenMissing,
    /// A token that we did not issue.
    TokenWrong,
    /// A token whose time is over.
    TokenExpired,
    /// No account number where one is needed.
    NumberMissing,
    /// An account number that does not belong to the rest.
    NumberWrong,
    /// A key whose time is over.
    KeyExpired,
    /// A right credential from an address that it may not be used from.
    Address,
}

impl Flaw {
    /// All that a credential of several parts can have; the other two are of keys alone.
    pub const ALL: [Self; 8] = [
        Self::KeyMissing,
        Self::KeyWrong,
        Self::Client,
        Self::TokenMissing,
        Self::TokenWrong,
        Self::TokenExpired,
        Self::NumberMissing,
        Self::NumberWrong,
    ];
}

/// A token as it is handed out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// The token itself.
    pub text: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// Its stated end.
    pub expires: Timestamp,
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("issued", &self.issued)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
