//! What every part of the server shares.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use dialects::Site;
use domain::delivery::DeliveryRules;
use domain::{Moment, Secret};
use store::Store;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::http::auth::KeyCache;
use crate::http::limits::Limits;
use crate::outbound::Outbound;
use crate::vault::Vault;

/// The running gateway.
#[derive(Debug)]
pub struct App {
    /// The data.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Chance.
    pub entropy: Entropy,
    /// The way out.
    pub outbound: Outbound,
    /// Seals and opens stored secrets.
    pub vault: Vault,
    /// What dialects must know of the place they are served at.
    pub site: Site,
    /// Are the sandbox's pages and calls served?
    pub sandbox: bool,
    /// The demo merchant's credentials, in the sandbox.
    pub demo: Option<crate::sandbox::Demo>,
    /// Delivery rules by dialect, after configuration.
    pub delivery: BTreeMap<&'static str, DeliveryRules>,
    /// API keys looked up a moment ago.
    pub keys: KeyCache,
    /// Calls counted for limits of rate.
    pub limits: Limits,
    /// Opened webhook secrets, so that each delivery need not open them again.
    pub secrets: Mutex<BTreeMap<String, Secret>>,
    /// Wakes the webhook worker right after a commit that wrote deliveries.
    pub deliveries_due: Notify,
    stopping: AtomicBool,
}

/// The parts an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The data.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Chance.
    pub entropy: Entropy,
    /// The way out.
    pub outbound: Outbound,
    /// Seals and opens stored secrets.
    pub vault: Vault,
    /// What dialects must know of the place they are served at.
    pub site: Site,
    /// The demo merchant's credentials; with them the sandbox is served.
    pub demo: Option<crate::sandbox::Demo>,
    /// Delivery rules that differ from the dialects' own, by dialect.
    pub delivery: BTreeMap<&'static str, DeliveryRules>,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let mut delivery = parts.delivery;
        for dialect in dialects::ALL {
            delivery
                .entry(dialect.profile().name)
                .or_insert_with(|| dialect.delivery());
        }
        Self {
            store: parts.store,
            clock: parts.clock,
            entropy: parts.entropy,
            outbound: parts.outbound,
            vault: parts.vault,
            site: parts.site,
            sandbox: parts.demo.is_some(),
            demo: parts.demo,
            delivery,
            keys: KeyCache::default(),
            limits: Limits::default(),
            secrets: Mutex::default(),
            deliveries_due: Notify::new(),
            stopping: AtomicBool::new(false),
        }
    }

    /// The time and a seed for one operation.
    pub fn moment(&self) -> Moment {
        Moment {
            now: self.clock.now(),
            seed: self.entropy.seed(),
        }
    }

    /// From now on the process is not ready: it finishes what is under way and ends.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Is it stopping?
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}
