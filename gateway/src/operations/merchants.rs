//! Merchants, their keys and their webhook secrets.

use std::sync::PoisonError;

use domain::limits::KEY_CACHE;
use domain::merchant::pair_digest;
use domain::{Caller, Currency, Merchant, MerchantId, Mode, Moment, Secret};
use store::tables::{keys, merchants};
use store::{Failure, Fault, Tx};

use crate::app::App;

/// The name under which the secret that signs a dialect's webhooks is sealed.
fn salt_name(dialect: &str) -> String {
    format!("{dialect}/salt")
}

/// What sealing a secret is bound to.
fn context(merchant: &MerchantId, mode: Mode, name: &str) -> String {
    format!("{merchant}/{}/{name}", mode.as_str())
}

/// Adds a merchant. Its slug is made from its name; a number is added if that is taken.
pub async fn add(
    app: &App,
    name: &str,
    currency: Currency,
    link_mode: Mode,
) -> Result<Merchant, Failure> {
    let (at, name) = (app.moment(), name.to_owned());
    app.store
        .write("add_merchant", move |tx| {
            insert(tx, &at, (&name, currency, link_mode))
        })
        .await
}

/// Adds a merchant unless there is one of this name whose slug says so: of several nodes that start
/// at once, one adds it.
pub async fn add_once(
    app: &App,
    name: &str,
    currency: Currency,
    link_mode: Mode,
) -> Result<Merchant, Failure> {
    let (at, name) = (app.moment(), name.to_owned());
    app.store
        .write("add_merchant_once", move |tx| {
            match merchants::by_slug(tx, &Merchant::slug_of(&name))? {
                Some((merchant, _)) if merchant.name == name => Ok(merchant),
                _ => insert(tx, &at, (&name, currency, link_mode)),
            }
        })
        .await
}

fn insert(
    tx: &mut Tx<'_>,
    at: &Moment,
    (name, currency, link_mode): (&str, Currency, Mode),
) -> Result<Merchant, Failure> {
    let base = Merchant::slug_of(name);
    for number in 1..=1_000 {
        let slug = if number == 1 {
            base.clone()
        } else {
            format!("{base}-{number}")
        };
        let id = MerchantId::mint(at, "merchant");
        let merchant = Merchant {
            id,
            name: name.to_owned(),
            slug,
            currency,
        };
        if merchants::insert(tx, &merchant, link_mode, at.now)? {
            return Ok(merchant);
        }
    }
    Err(Fault(format!("a thousand merchants are called {name} already")).into())
}

/// Makes a new API key for a dialect and saves its digest. The key itself is only here: show it
/// once. With `replacing`, every earlier key ends.
pub async fn new_key(
    app: &App,
    dialect: &str,
    caller: &Caller,
    replacing: bool,
) -> Result<Secret, Failure> {
    let at = app.moment();
    let key = Secret::new(format!("{}_{}", caller.mode.as_str(), app.entropy.token()));
    let digest = key.digest();
    let (caller, dialect) = (caller.clone(), dialect.to_owned());
    app.store
        .write("new_key", move |tx| {
            if replacing {
                merchants::revoke_keys(tx, &caller, &dialect, at.now)?;
            }
            Ok(merchants::insert_key(
                tx, &digest, &caller, &dialect, at.now,
            )?)
        })
        .await?;
    app.keys.forget();
    Ok(key)
}

/// Makes a client id with its secret for a dialect, and seals the secret, because it signs webhooks
/// too. Both are only here: show them once.
pub async fn new_client(
    app: &App,
    dialect: &'static str,
    caller: &Caller,
) -> Result<(String, Secret), Failure> {
    let at = app.moment();
    let id = at.random_uuid("client id").hyphenated().to_string();
    let secret = Secret::new(app.entropy.token());
    let digest = pair_digest(&id, &secret);
    let (owner, name) = (caller.clone(), id.clone());
    app.store
        .write("new_client", move |tx| {
            merchants::insert_key(tx, &digest, &owner, dialect, at.now)?;
            Ok(keys::set_label(tx, &digest, &name)?)
        })
        .await?;
    put_salt(app, dialect, caller, &secret).await?;
    app.keys.forget();
    Ok((id, secret))
}

/// Makes a new secret that signs a dialect's webhooks, and seals it.
pub async fn new_salt(app: &App, dialect: &str, caller: &Caller) -> Result<Secret, Failure> {
    let salt = Secret::new(app.entropy.token());
    put_salt(app, dialect, caller, &salt).await?;
    Ok(salt)
}

/// Seals a secret that signs a dialect's webhooks from now on.
pub async fn put_salt(
    app: &App,
    dialect: &str,
    caller: &Caller,
    salt: &Secret,
) -> Result<(), Failure> {
    let at = app.moment();
    let name = salt_name(dialect);
    let bound = context(&caller.merchant.id, caller.mode, &name);
    let sealed = app.vault.seal(salt, &bound, &app.entropy)?;
    let caller = caller.clone();
    app.store
        .write("put_salt", move |tx| {
            Ok(merchants::put_secret(tx, &caller, &name, &sealed, at.now)?)
        })
        .await?;
    app.secrets
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&bound);
    Ok(())
}

/// The secret that signs a dialect's webhooks of a merchant.
pub async fn salt(
    app: &App,
    dialect: &str,
    merchant: &MerchantId,
    mode: Mode,
) -> Result<Secret, Failure> {
    let name = salt_name(dialect);
    let missing = || Fault(format!("no secret “{}”", context(merchant, mode, &name)));
    sealed(app, &name, merchant, mode)
        .await?
        .ok_or_else(|| missing().into())
}

/// A sealed secret of a merchant, opened; opened ones are remembered.
pub(super) async fn sealed(
    app: &App,
    name: &str,
    merchant: &MerchantId,
    mode: Mode,
) -> Result<Option<Secret>, Failure> {
    let bound = context(merchant, mode, name);
    let known = app
        .secrets
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&bound)
        .cloned();
    let now = app.clock.now();
    if let Some((secret, since)) = known
        && now < since.plus(KEY_CACHE)
    {
        return Ok(Some(secret));
    }
    let (merchant, name) = (merchant.clone(), name.to_owned());
    let found = app
        .store
        .read("sealed_secret", move |tx| {
            Ok(merchants::secret(tx, &merchant, mode, &name)?)
        })
        .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let secret = app.vault.open(&found, &bound)?;
    app.secrets
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(bound, (secret.clone(), now));
    Ok(Some(secret))
}

/// Seals a secret of a merchant unless there is one of that name.
pub(super) async fn seal_once(
    app: &App,
    name: &str,
    caller: &Caller,
    secret: &Secret,
) -> Result<(), Failure> {
    let at = app.moment();
    let bound = context(&caller.merchant.id, caller.mode, name);
    let sealed = app.vault.seal(secret, &bound, &app.entropy)?;
    let (caller, name) = (caller.clone(), name.to_owned());
    app.store
        .write("seal_secret_once", move |tx| {
            merchants::put_secret_once(tx, &caller, &name, &sealed, at.now)?;
            Ok(())
        })
        .await
}

/// Forgets an opened secret, because it was replaced or taken away.
pub(super) fn forget_sealed(app: &App, name: &str, merchant: &MerchantId, mode: Mode) {
    app.secrets
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&context(merchant, mode, name));
}

/// Who calls with the credential of this digest; asked on every request, so it is remembered for
/// a short while.
pub async fn by_key(
    app: &App,
    dialect: &'static str,
    digest: &str,
) -> Result<Option<Caller>, Failure> {
    let digest = digest.to_owned();
    app.store
        .read("authenticate", move |tx| {
            Ok(merchants::by_key(tx, &digest, dialect)?)
        })
        .await
}

/// Every merchant, oldest first.
pub async fn all(app: &App) -> Result<Vec<Merchant>, Failure> {
    app.store
        .read("all_merchants", |tx| Ok(merchants::all(tx)?))
        .await
}
