//! What every part of the server shares.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use dialects::{Dialect, Site};
use domain::delivery::DeliveryRules;
use domain::{Moment, Secret, Span, Timestamp};
use store::Store;

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::http::auth::KeyCache;
use crate::http::limits::Limits;
use crate::http::routes::Routes;
use crate::http::visitor::Proxies;
use crate::operations::Failure;
use crate::outbound::Outbound;
use crate::schemes::Scheme;
use crate::vault::Vault;
use crate::workers::retention::{Kept, Pass};
use crate::workers::webhooks::{self, Sending};

/// The secrets of an endpoint, newest first, with their ends.
#[derive(Clone, Debug)]
pub struct KnownSecrets {
    /// Each with the time at which it ends, if it is being replaced.
    pub secrets: Vec<(Secret, Option<Timestamp>)>,
    /// When they were looked up.
    pub since: Timestamp,
}

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
    /// Delivery rules by scheme, after configuration.
    pub delivery: BTreeMap<&'static str, Arc<DeliveryRules>>,
    /// API keys looked up a moment ago.
    pub keys: KeyCache,
    /// Calls counted for limits of rate.
    pub limits: Limits,
    /// Opened webhook secrets with the time they were looked up, so that each delivery need not
    /// open them again.
    pub secrets: Mutex<BTreeMap<String, (Secret, Timestamp)>>,
    /// Which operation answers at which paths.
    pub routes: Routes,
    /// How long a claimed delivery is held.
    pub lease: Span,
    /// Opened secrets of endpoints, newest first, with their ends.
    pub endpoint_secrets: Mutex<BTreeMap<String, KnownSecrets>>,
    /// Webhooks under way in this process, and who may take new ones.
    pub sending: Sending,
    /// What is to go wrong with webhooks on purpose, in the sandbox.
    pub mischief: crate::sandbox::mischief::Mischief,
    /// The sandbox's clock as other nodes move it.
    pub following: crate::sandbox::clock::Following,
    /// When endpoints that fail were last looked at.
    pub judged: Mutex<Option<Timestamp>>,
    /// The proxies in front that are believed about who comes.
    pub proxies: Proxies,
    /// How long what is over is kept.
    pub kept: Kept,
    /// How far the removal of what is kept no longer has come.
    pub pass: Pass,
    /// Whether the database takes writes, as the last question about it found.
    pub writing: crate::http::health::Writing,
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
    /// Delivery rules that differ from the schemes' own, by scheme.
    pub delivery: BTreeMap<&'static str, DeliveryRules>,
}

impl App {
    /// Puts the parts together.
    pub fn new(mut parts: Parts) -> Self {
        let mut changed = std::mem::take(&mut parts.delivery);
        let delivery = Scheme::all()
            .map(|scheme| {
                let rules = changed.remove(scheme.name());
                let rules = rules.unwrap_or_else(|| scheme.delivery());
                (scheme.name(), Arc::new(rules))
            })
            .collect();
        Self::with_rules(parts, delivery)
    }

    fn with_rules(parts: Parts, delivery: BTreeMap<&'static str, Arc<DeliveryRules>>) -> Self {
        let lease = webhooks::lease(delivery.values().map(|rules| &rules.timeout));
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
            routes: Routes::default(),
            lease,
            endpoint_secrets: Mutex::default(),
            sending: Sending::default(),
            mischief: crate::sandbox::mischief::Mischief::default(),
            following: crate::sandbox::clock::Following::default(),
            judged: Mutex::default(),
            proxies: Proxies::default(),
            kept: Kept::default(),
            pass: Pass::default(),
            writing: crate::http::health::Writing::default(),
            stopping: AtomicBool::new(false),
        }
    }

    /// The delivery rules of a scheme; of one that does not exist any more, those of the first.
    pub fn rules(&self, scheme: &str) -> Arc<DeliveryRules> {
        let known = self.delivery.get(scheme);
        let first = || self.delivery.values().next();
        known
            .or_else(first)
            .map_or_else(|| Arc::new(dialects::hitpay::HitPay.delivery()), Arc::clone)
    }

    /// The time and a seed for one operation.
    pub fn moment(&self) -> Moment {
        Moment {
            now: self.clock.now(),
            seed: self.entropy.seed(),
        }
    }

    /// Is this the only process that writes to the database now?
    pub async fn is_alone(&self) -> Result<bool, Failure> {
        let alone = self.store.write_alone("is_alone", |_| Ok(())).await?;
        Ok(alone.is_some())
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
