//! Who calls: a credential becomes a merchant in one mode.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dialects::Dialect;
use domain::limits::{KEY_CACHE, KEY_CACHE_MAX};
use domain::merchant::pair_digest;
use domain::{
    AccountProof, Caller, Credential, Flaw, MerchantId, Mode, Proof, Refusal, Secret, Timestamp,
};

use crate::app::App;
use crate::operations::{Failure, accounts, keys, tokens};

/// A dialect and the digest of one of its keys.
type Key = (&'static str, String);

/// API keys that were looked up a moment ago, by digest. A revoked key may be accepted for as long
/// as [`KEY_CACHE`] on another node; on this one revoking empties the cache.
#[derive(Debug, Default)]
pub struct KeyCache {
    known: Mutex<HashMap<Key, (Holder, Timestamp)>>,
}

/// Who holds a key, and when it ends by itself.
type Holder = (Caller, Option<Timestamp>);

impl KeyCache {
    fn get(&self, dialect: &'static str, digest: &str, now: Timestamp) -> Option<Holder> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (holder, since) = known.get(&(dialect, digest.to_owned()))?;
        (now < since.plus(KEY_CACHE)).then(|| holder.clone())
    }

    fn put(&self, dialect: &'static str, digest: String, holder: Holder, now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEY_CACHE_MAX {
            known.clear();
        }
        known.insert((dialect, digest), (holder, now));
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
    match credential {
        Credential::Key(key) => {
            let name = dialect.profile().name;
            let caller = by_digest(app, name, key.digest()).await?;
            caller.ok_or(Failure::Refused(Refusal::Unauthenticated))
        }
        Credential::Pair { id, secret } => {
            let name = dialect.profile().name;
            let caller = by_digest(app, name, pair_digest(id, secret)).await?;
            caller.ok_or(Failure::Refused(Refusal::Unauthenticated))
        }
        Credential::Account(account) => by_account(app, dialect, account).await,
    }
}

/// Who has an active key with this digest; asked on every request, so it is remembered for a
/// short while. A key whose time is over is refused as such.
async fn by_digest(
    app: &App,
    name: &'static str,
    digest: String,
) -> Result<Option<Caller>, Failure> {
    let now = app.clock.now();
    let holder = match app.keys.get(name, &digest, now) {
        Some(holder) => Some(holder),
        None => {
            let found = keys::holder(app, name, &digest).await?;
            if let Some(holder) = &found {
                app.keys.put(name, digest, holder.clone(), now);
            }
            found
        }
    };
    match holder {
        Some((_, Some(end))) if end <= now => {
            Err(Failure::Refused(Refusal::Credential(Flaw::KeyExpired)))
        }
        Some((caller, _)) => Ok(Some(caller)),
        None => Ok(None),
    }
}

/// All parts must be right and belong to one merchant and mode. The subscription key is looked at
/// first, as the gateway in front of the real service does.
async fn by_account(
    app: &App,
    dialect: &'static dyn Dialect,
    account: &AccountProof,
) -> Result<Caller, Failure> {
    let name = dialect.profile().name;
    let wrong = |flaw| Failure::Refused(Refusal::Credential(flaw));
    let caller = by_digest(app, name, accounts::key_digest(&account.key))
        .await?
        .ok_or_else(|| wrong(Flaw::KeyWrong))?;
    match &account.proof {
        Proof::Client { id, secret } => {
            let client = still_valid(app, name, accounts::client_digest(id, secret)).await?;
            match client {
                None => return Err(wrong(Flaw::Client)),
                Some(client) if client != caller => return Err(wrong(Flaw::KeyWrong)),
                Some(_) => {}
            }
        }
        Proof::Token(token) => {
            let (merchant, mode) = by_token(app, dialect, token).await?;
            if merchant != caller.merchant.id || mode != caller.mode {
                return Err(wrong(Flaw::KeyWrong));
            }
        }
    }
    if let Some(number) = &account.number {
        let owner = by_number(app, name, number, &caller).await?;
        if !owner {
            return Err(wrong(Flaw::NumberWrong));
        }
    }
    Ok(caller)
}

/// To whom a token was issued, if what it was issued for still holds.
pub async fn by_token(
    app: &App,
    dialect: &'static dyn Dialect,
    token: &Secret,
) -> Result<(MerchantId, Mode), Failure> {
    let issued = tokens::check(app, dialect, token).await?;
    if let Some(digest) = issued.key {
        let holder = still_valid(app, dialect.profile().name, digest).await?;
        if holder.is_none() {
            return Err(Refusal::Credential(Flaw::TokenWrong).into());
        }
    }
    Ok((issued.merchant, issued.mode))
}

/// Like [`by_digest`], for parts of a credential: one whose time is over is none.
async fn still_valid(
    app: &App,
    name: &'static str,
    digest: String,
) -> Result<Option<Caller>, Failure> {
    match by_digest(app, name, digest).await {
        Err(Failure::Refused(Refusal::Credential(Flaw::KeyExpired))) => Ok(None),
        found => found,
    }
}

/// Is this the number of the caller's account?
async fn by_number(
    app: &App,
    name: &'static str,
    number: &str,
    caller: &Caller,
) -> Result<bool, Failure> {
    let (label, now) = (format!("number:{number}"), app.clock.now());
    if let Some((known, _)) = app.keys.get(name, &label, now) {
        return Ok(known == *caller);
    }
    let own = accounts::number_of(app, name, caller).await?;
    let is_own = own.as_deref() == Some(number);
    if is_own {
        app.keys.put(name, label, (caller.clone(), None), now);
    }
    Ok(is_own)
}
