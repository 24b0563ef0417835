//! Typed ids. Ours carry a prefix that says what they name; a [`WireId`] is what a dialect calls
//! the same thing.

use serde::{Deserialize, Serialize};

use crate::limits::WIRE_ID_MAX;
use crate::moment::{Moment, Timestamp};

/// The text is not an id of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id: time-ordered, from the seed, the same again for the same moment and label.
            pub fn mint(at: &Moment, label: &str) -> Self {
                Self(format!("{}{}", $prefix, at.uuid(label).simple()))
            }

            /// A text that is below every id minted at this time or later, and above those minted
            /// before it.
            pub fn floor(at: Timestamp) -> String {
                let millis = u64::try_from(at.millis()).unwrap_or(0).min((1 << 48) - 1);
                format!("{}{millis:012x}", $prefix)
            }

            /// Reads an id that was printed before.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                let rest = text.strip_prefix($prefix).ok_or(NotAnId)?;
                let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                if rest.len() == 32 && rest.bytes().all(hex) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NotAnId)
                }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<Self, NotAnId> {
                Self::parse(&text)
            }
        }
    };
}

typed_id!(
    /// A merchant.
    MerchantId, "mer_");
typed_id!(
    /// A bill: what is asked for.
    BillId, "bil_");
typed_id!(
    /// A payment: one movement of money.
    PaymentId, "pay_");
typed_id!(
    /// A payout: money that leaves a merchant.
    PayoutId, "out_");
typed_id!(
    /// One try to move money over a rail.
    AttemptId, "att_");
typed_id!(
    /// A gift card.
    CardId, "gcd_");
typed_id!(
    /// A neutral fact.
    EventId, "evt_");
typed_id!(
    /// One webhook on its way to one target.
    DeliveryId, "dlv_");
typed_id!(
    /// A merchant's address for webhooks.
    EndpointId, "end_");

/// What a dialect calls one of our objects on the wire (a UUID, 15 letters, the merchant's own
/// reference). Unique per dialect and kind of object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct WireId(String);

impl WireId {
    /// Takes any text of 1 to [`WIRE_ID_MAX`] bytes; whether an object has this id is asked later.
    pub fn new(text: impl Into<String>) -> Result<Self, NotAnId> {
        let text = text.into();
        if text.is_empty() || text.len() > WIRE_ID_MAX {
            return Err(NotAnId);
        }
        Ok(Self(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for WireId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<WireId> for String {
    fn from(id: WireId) -> Self {
        id.0
    }
}

impl From<uuid::Uuid> for WireId {
    fn from(id: uuid::Uuid) -> Self {
        Self(id.hyphenated().to_string())
    }
}

impl TryFrom<String> for WireId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        Self::new(text)
    }
}
