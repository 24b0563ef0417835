//! Merchants, the digests of their API keys, and their sealed secrets.

use domain::{Caller, Currency, Merchant, MerchantId, Mode, Timestamp};

use super::mode;
use crate::sql::Row;
use crate::{Fault, Tx};

const INSERT: &str = "INSERT INTO merchants (id, name, slug, currency, link_mode, created_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
const BY_ID: &str = "SELECT id, name, slug, currency FROM merchants WHERE id = ?1";
const BY_SLUG: &str = "SELECT id, name, slug, currency, link_mode FROM merchants WHERE slug = ?1";
const ALL: &str = "SELECT id, name, slug, currency FROM merchants ORDER BY id";
const INSERT_KEY: &str = "INSERT INTO api_keys (digest, merchant, mode, dialect, created_at) \
    VALUES (?1, ?2, ?3, ?4, ?5)";
const REVOKE_KEYS: &str = "UPDATE api_keys SET revoked_at = ?4 \
    WHERE merchant = ?1 AND mode = ?2 AND dialect = ?3 AND revoked_at IS NULL";
const BY_KEY: &str = "SELECT m.id, m.name, m.slug, m.currency, k.mode FROM api_keys k \
    JOIN merchants m ON m.id = k.merchant \
    WHERE k.digest = ?1 AND k.dialect = ?2 AND k.revoked_at IS NULL";
const PUT_SECRET: &str = "INSERT INTO secrets (merchant, mode, name, sealed, created_at) \
    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (merchant, mode, name) DO UPDATE \
    SET sealed = excluded.sealed, created_at = excluded.created_at";
const PUT_SECRET_ONCE: &str = "INSERT INTO secrets (merchant, mode, name, sealed, created_at) \
    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (merchant, mode, name) DO NOTHING";
const REMOVE_SECRET: &str = "DELETE FROM secrets WHERE merchant = ?1 AND mode = ?2 AND name = ?3";
const SECRET: &str = "SELECT sealed FROM secrets WHERE merchant = ?1 AND mode = ?2 AND name = ?3";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    INSERT,
    BY_ID,
    BY_SLUG,
    ALL,
    INSERT_KEY,
    REVOKE_KEYS,
    BY_KEY,
    PUT_SECRET,
    PUT_SECRET_ONCE,
    REMOVE_SECRET,
    SECRET,
];

/// Saves a new merchant; `false` if the slug is taken. `link_mode` is the mode of the bills that
/// its default link makes.
pub fn insert(
    tx: &mut Tx<'_>,
    merchant: &Merchant,
    link_mode: Mode,
    now: Timestamp,
) -> Result<bool, Fault> {
    let args = [
        merchant.id.as_str().into(),
        merchant.name.as_str().into(),
        merchant.slug.as_str().into(),
        merchant.currency.code().into(),
        link_mode.as_str().into(),
        now.into(),
    ];
    Ok(tx.exec(INSERT, &args)? == 1)
}

/// The merchant with this id.
pub fn by_id(tx: &mut Tx<'_>, id: &MerchantId) -> Result<Option<Merchant>, Fault> {
    tx.one(BY_ID, &[id.as_str().into()])?
        .map(|row| merchant(&row))
        .transpose()
}

/// The merchant whose links carry this slug, and the mode of its default link.
pub fn by_slug(tx: &mut Tx<'_>, slug: &str) -> Result<Option<(Merchant, Mode)>, Fault> {
    let row = tx.one(BY_SLUG, &[slug.into()])?;
    row.map(|row| Ok((merchant(&row)?, mode(&row, 4)?)))
        .transpose()
}

/// Every merchant, oldest first.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<Merchant>, Fault> {
    tx.query(ALL, &[])?.iter().map(merchant).collect()
}

/// Saves the digest of a new API key.
pub fn insert_key(
    tx: &mut Tx<'_>,
    digest: &str,
    caller: &Caller,
    dialect: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    let args = [
        digest.into(),
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        dialect.into(),
        now.into(),
    ];
    tx.exec(INSERT_KEY, &args).map(|_| ())
}

/// Ends every key of a merchant for one dialect and mode.
pub fn revoke_keys(
    tx: &mut Tx<'_>,
    caller: &Caller,
    dialect: &str,
    now: Timestamp,
) -> Result<u64, Fault> {
    let args = [
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        dialect.into(),
        now.into(),
    ];
    tx.exec(REVOKE_KEYS, &args)
}

/// Who calls with the key of this digest, if it is valid for the dialect.
pub fn by_key(tx: &mut Tx<'_>, digest: &str, dialect: &str) -> Result<Option<Caller>, Fault> {
    let row = tx.one(BY_KEY, &[digest.into(), dialect.into()])?;
    row.map(|row| holder_of(&row)).transpose()
}

/// The merchant of the first four columns, in the mode of the fifth.
pub(super) fn holder_of(row: &Row) -> Result<Caller, Fault> {
    Ok(Caller {
        merchant: merchant(row)?,
        mode: mode(row, 4)?,
    })
}

/// Saves a sealed secret, replacing the one of that name.
pub fn put_secret(
    tx: &mut Tx<'_>,
    caller: &Caller,
    name: &str,
    sealed: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    let args = [
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        name.into(),
        sealed.into(),
        now.into(),
    ];
    tx.exec(PUT_SECRET, &args).map(|_| ())
}

/// Saves a sealed secret unless there is one of that name; `false` if there is.
pub fn put_secret_once(
    tx: &mut Tx<'_>,
    caller: &Caller,
    name: &str,
    sealed: &str,
    now: Timestamp,
) -> Result<bool, Fault> {
    let args = [
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        name.into(),
        sealed.into(),
        now.into(),
    ];
    Ok(tx.exec(PUT_SECRET_ONCE, &args)? == 1)
}

/// Takes a sealed secret away.
pub fn remove_secret(tx: &mut Tx<'_>, caller: &Caller, name: &str) -> Result<(), Fault> {
    let args = [
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        name.into(),
    ];
    tx.exec(REMOVE_SECRET, &args).map(|_| ())
}

/// A sealed secret.
pub fn secret(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    mode: Mode,
    name: &str,
) -> Result<Option<String>, Fault> {
    let args = [merchant.as_str().into(), mode.as_str().into(), name.into()];
    tx.one(SECRET, &args)?
        .map(|row| row.text(0).map(str::to_owned))
        .transpose()
}

fn merchant(row: &Row) -> Result<Merchant, Fault> {
    Ok(Merchant {
        id: row.read(0, MerchantId::parse)?,
        name: row.text(1)?.to_owned(),
        slug: row.text(2)?.to_owned(),
        currency: row.read(3, Currency::parse_exact)?,
    })
}
