//! Where a gift card stands, and the words for it in the database.

use serde::{Deserialize, Serialize};

/// Where a card stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CardState {
    /// Issued and not yet handed out.
    Inactive,
    /// Can be used until its last day is over.
    Active,
    /// Stopped for now.
    Blocked,
    /// Its time is over and what was left was posted as breakage.
    Expired,
    /// Replaced by another card; never used again.
    Closed,
}

impl CardState {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Inactive,
        Self::Active,
        Self::Blocked,
        Self::Expired,
        Self::Closed,
    ];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Expired => "expired",
            Self::Closed => "closed",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}
