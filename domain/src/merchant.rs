//! Who takes money through this gateway, and how a caller proves to be it.

use serde::{Deserialize, Serialize};

use crate::id::MerchantId;
use crate::secret::Secret;

/// Test or live. Every row carries it and every query filters on it: the two never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Simulated money.
    Test,
    /// Real money.
    Live,
}

impl Mode {
    /// The word in the database and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "test" => Some(Self::Test),
            "live" => Some(Self::Live),
            _ => None,
        }
    }
}

/// A merchant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merchant {
    /// Our id.
    pub id: MerchantId,
    /// The name that payers see.
    pub name: String,
    /// The name in links: lower-case letters, digits and hyphens.
    pub slug: String,
    /// The currency of the default link, an ISO 4217 code.
    pub currency: crate::currency::Currency,
}

impl Merchant {
    /// A slug from a name: `Demo Shop` becomes `demo-shop`. A name without a single ASCII letter
    /// or digit becomes `shop`.
    pub fn slug_of(name: &str) -> String {
        let mut slug = String::new();
        for c in name.chars() {
            if c.is_ascii_alphanumeric() {
                slug.push(c.to_ascii_lowercase());
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        let slug = slug.trim_end_matches('-').to_owned();
        if slug.is_empty() {
            "shop".to_owned()
        } else {
            slug
        }
    }
}

/// Who is calling: always a merchant in one mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The merchant.
    pub merchant: Merchant,
    /// Test or live, as the key decides.
    pub mode: Mode,
}

/// What a request shows to prove who calls, as a dialect found it in the head or the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// One secret key (`X-BUSINESS-API-KEY`, `X-Api-Key`).
    Key(Secret),
    /// An account's proof of several parts (Vipps MobilePay).
    Account(Box<crate::token::AccountProof>),
    /// An id and its secret (`x-client-id`, `x-client-secret`).
    Pair {
        /// Public.
        id: String,
        /// Not.
        secret: Secret,
    },
}

impl Credential {
    /// What is stored of it and compared: a digest of all its parts. An account's parts are
    /// compared one by one, so it has none.
    pub fn digest(&self) -> Option<String> {
        match self {
            Self::Key(key) => Some(key.digest()),
            Self::Pair { id, secret } => {
                let whole = format!("{}:{id}:{}", id.len(), secret.expose());
                Some(Secret::new(whole).digest())
            }
            Self::Account(_) => None,
        }
    }
}
