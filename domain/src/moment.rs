//! Time and chance as values: taken once at the edge, handed to every rule.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A length of time in milliseconds; never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(u64);

impl Span {
    /// Of so many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Of so many seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// Of so many minutes.
    pub const fn from_minutes(minutes: u64) -> Self {
        Self::from_seconds(minutes.saturating_mul(60))
    }

    /// In milliseconds.
    pub const fn millis(self) -> u64 {
        self.0
    }
}

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This point, so much later; the end of time if that is past it.
    pub fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add_unsigned(span.0))
    }

    /// This point, so much earlier.
    pub fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub_unsigned(span.0))
    }

    /// How long after `earlier` this is; nothing if it is before.
    pub fn since(self, earlier: Self) -> Span {
        Span(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// 32 bytes of chance from which everything random in one operation is derived.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From bytes that the gateway's entropy gave.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Bytes for one purpose: the same label always gives the same bytes.
    pub fn derive(&self, label: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.0)
            .chain_update(label.as_bytes())
            .finalize()
            .into()
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// When an operation happens and its seed; taken once, before the transaction, so that a closure
/// that runs twice computes the same ids and times.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The time of the operation.
    pub now: Timestamp,
    /// Its source of chance.
    pub seed: Seed,
}

impl Moment {
    /// The same time with chance of its own, for one of several like things that an operation
    /// makes: each of them derives its ids from its own branch.
    #[must_use]
    pub fn branch(&self, label: &str) -> Self {
        Self {
            now: self.now,
            seed: Seed::new(self.seed.derive(label)),
        }
    }

    /// A random UUID (version 4) for one purpose, the same at every call.
    pub fn random_uuid(&self, label: &str) -> uuid::Uuid {
        let bytes = self.seed.derive(label);
        let mut random = [0_u8; 16];
        random.copy_from_slice(bytes.split_at(16).0);
        uuid::Builder::from_random_bytes(random).into_uuid()
    }

    /// A time-ordered UUID (version 7) for one purpose, the same at every call.
    pub fn uuid(&self, label: &str) -> uuid::Uuid {
        let bytes = self.seed.derive(label);
        let mut random = [0_u8; 10];
        random.copy_from_slice(bytes.split_at(10).0);
        let millis = u64::try_from(self.now.millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
