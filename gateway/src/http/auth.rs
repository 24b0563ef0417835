//! Who calls: a credential becomes a merchant in one mode.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dialects::Dialect;
use domain::limits::{KEY_CACHE, KEY_CACHE_MAX};
use domain::{Caller, Credential, Refusal, Timestamp};

use crate::app::App;
use crate::operations::{Failure, merchants};

/// A dialect and the digest of one of its keys.
type Key = (&'static str, String);

/// API keys that were looked up a moment ago, by digest. A revoked key may be accepted for as long
/// as [`KEY_CACHE`] on another node; on this one revoking empties the cache.
#[derive(Debug, Default)]
pub struct KeyCache {
    known: Mutex<HashMap<Key, (Caller, Timestamp)>>,
}

impl KeyCache {
    fn get(&self, dialect: &'static str, digest: &str, now: Timestamp) -> Option<Caller> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (caller, since) = known.get(&(dialect, digest.to_owned()))?;
        (now < since.plus(KEY_CACHE)).then(|| caller.clone())
    }

    fn put(&self, dialect: &'static str, digest: String, caller: Caller, now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEY_CACHE_MAX {
            known.clear();
        }
        known.insert((dialect, digest), (caller, now));
    }

    /// Forgets everything: a key was made or ended.
    pub fn forget(&self) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// The caller behind a credential. Only digests are compared, so the time an answer takes says
/// nothing about how much of a key was right.
pub async fn authenticate(
    app: &App,
    dialect: &'static dyn Dialect,
    credential: &Credential,
) -> Result<Caller, Failure> {
    let name = dialect.profile().name;
    let (digest, now) = (credential.digest(), app.clock.now());
    if let Some(caller) = app.keys.get(name, &digest, now) {
        return Ok(caller);
    }
    match merchants::by_key(app, name, &digest).await? {
        Some(caller) => {
            app.keys.put(name, digest, caller.clone(), now);
            Ok(caller)
        }
        None => Err(Failure::Refused(Refusal::Unauthenticated)),
    }
}
