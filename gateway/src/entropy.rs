//! The only place that asks the system for chance.
#![expect(clippy::disallowed_methods, reason = "this is the place")]

use std::sync::atomic::{AtomicU64, Ordering};

use domain::Seed;

/// Where chance comes from.
#[derive(Debug)]
pub enum Entropy {
    /// The system's generator.
    System,
    /// For tests: every run with the same seed is the same run.
    Seeded {
        /// What everything derives from.
        seed: Seed,
        /// How often it was asked.
        count: AtomicU64,
    },
}

impl Entropy {
    /// Repeatable chance for tests.
    pub fn seeded(number: u64) -> Self {
        let mut bytes = [0_u8; 32];
        for (place, byte) in bytes.iter_mut().zip(number.to_be_bytes()) {
            *place = byte;
        }
        Self::Seeded {
            seed: Seed::new(bytes),
            count: AtomicU64::new(0),
        }
    }

    /// 32 fresh bytes. A system without a working generator cannot run a payment gateway: this
    /// ends the process rather than go on with something guessable.
    pub fn bytes(&self) -> [u8; 32] {
        match self {
            Self::System => {
                let mut bytes = [0_u8; 32];
                if getrandom::fill(&mut bytes).is_err() {
                    std::process::abort();
                }
                bytes
            }
            Self::Seeded { seed, count } => {
                seed.derive(&count.fetch_add(1, Ordering::SeqCst).to_string())
            }
        }
    }

    /// A number for pauses between tries; nothing that must be unguessable.
    pub fn chance() -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = Self::System.bytes();
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// A seed for one operation.
    pub fn seed(&self) -> Seed {
        Seed::new(self.bytes())
    }

    /// 64 hexadecimal digits: a new key or token.
    pub fn token(&self) -> String {
        domain::secret::hex(&self.bytes())
    }
}
