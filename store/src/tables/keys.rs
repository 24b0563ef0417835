//! API keys as their owner sees them: names, ends, who holds them. A key itself is never here, only
//! its digest; the first sixteen digits of that are the key's name in lists and in the audit log.

use domain::{Caller, Mode, Timestamp};

use super::mode;
use crate::sql::Row;
use crate::tables::merchants::holder_of;
use crate::{Fault, Tx};

const INSERT: &str = "INSERT INTO api_keys \
    (digest, merchant, mode, dialect, created_at, label, expires_at, kind) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const REVIVE: &str = "UPDATE api_keys SET revoked_at = NULL, expires_at = NULL, kind = ?5 \
    WHERE digest = ?1 AND merchant = ?2 AND mode = ?3 AND dialect = ?4";
const HOLDER: &str = "SELECT m.id, m.name, m.slug, m.currency, k.mode, k.expires_at \
    FROM api_keys k JOIN merchants m ON m.id = k.merchant \
    WHERE k.digest = ?1 AND k.dialect = ?2 AND k.revoked_at IS NULL";
const LIST: &str = "SELECT substr(digest, 1, 16), dialect, mode, label, created_at, expires_at, \
    revoked_at, kind FROM api_keys WHERE merchant = ?1 AND mode = ?2 ORDER BY created_at, digest";
const END: &str = "UPDATE api_keys SET revoked_at = ?4 \
    WHERE merchant = ?1 AND mode = ?2 AND substr(digest, 1, 16) = ?3 AND revoked_at IS NULL";

const LABELLED: &str = "SELECT m.id, m.name, m.slug, m.currency, k.mode, k.expires_at \
    FROM api_keys k JOIN merchants m ON m.id = k.merchant WHERE k.label = ?1 AND k.dialect = ?2 \
    AND k.mode = ?3 AND k.revoked_at IS NULL ORDER BY k.created_at DESC LIMIT 1";
const ANY: &str = "SELECT 1 FROM api_keys WHERE dialect = ?1 AND mode = ?2 \
    AND label IS NOT NULL AND revoked_at IS NULL LIMIT 1";
const SET_LABEL: &str = "UPDATE api_keys SET label = ?2 WHERE digest = ?1";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[INSERT, REVIVE, HOLDER, LIST, END, LABELLED, ANY, SET_LABEL];

/// A new key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The digest of the key.
    pub digest: String,
    /// The dialect it opens.
    pub dialect: String,
    /// Its owner's name for it.
    pub label: Option<String>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// What it is for, if its dialect has keys of several kinds.
    pub kind: Option<&'static str>,
}

/// A key in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The first sixteen digits of its digest.
    pub name: String,
    /// The dialect it opens.
    pub dialect: String,
    /// Test or live.
    pub mode: Mode,
    /// Its owner's name for it.
    pub label: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// When somebody ended it.
    pub ended: Option<Timestamp>,
    /// What it is for, if its dialect has keys of several kinds.
    pub kind: Option<String>,
}

/// Saves the digest of a new key.
pub fn insert(tx: &mut Tx<'_>, caller: &Caller, key: &NewKey, now: Timestamp) -> Result<(), Fault> {
    let args = [
        key.digest.as_str().into(),
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        key.dialect.as_str().into(),
        now.into(),
        key.label.clone().into(),
        key.expires.into(),
        key.kind.map(str::to_owned).into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// Makes a key of this digest valid again that the same caller had before; `false` if there was
/// none. One that is valid stays so.
pub fn revive(
    tx: &mut Tx<'_>,
    caller: &Caller,
    (digest, dialect): (&str, &str),
    kind: Option<&str>,
) -> Result<bool, Fault> {
    let args = [
        digest.into(),
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        dialect.into(),
        kind.map(str::to_owned).into(),
    ];
    Ok(tx.exec(REVIVE, &args)? > 0)
}

/// Who holds the key of this digest, if nobody ended it, and when it ends by itself.
pub fn holder(
    tx: &mut Tx<'_>,
    digest: &str,
    dialect: &str,
) -> Result<Option<(Caller, Option<Timestamp>)>, Fault> {
    let row = tx.one(HOLDER, &[digest.into(), dialect.into()])?;
    row.map(|row| Ok((holder_of(&row)?, row.time_or_null(5)?)))
        .transpose()
}

/// Who holds the newest key of a dialect and mode under this name: where a credential is an id with
/// a secret, the id is its name.
pub fn labelled(
    tx: &mut Tx<'_>,
    label: &str,
    dialect: &str,
    mode: Mode,
    now: Timestamp,
) -> Result<Option<Caller>, Fault> {
    let args = [label.into(), dialect.into(), mode.as_str().into()];
    let Some(row) = tx.one(LABELLED, &args)? else {
        return Ok(None);
    };
    let over = row.time_or_null(5)?.is_some_and(|ends| ends <= now);
    Ok((!over).then_some(holder_of(&row)?))
}

/// Does a dialect have any key with a name in a mode?
pub fn any_labelled(tx: &mut Tx<'_>, dialect: &str, mode: Mode) -> Result<bool, Fault> {
    let args = [dialect.into(), mode.as_str().into()];
    Ok(tx.one(ANY, &args)?.is_some())
}

/// Names a key.
pub fn set_label(tx: &mut Tx<'_>, digest: &str, label: &str) -> Result<(), Fault> {
    tx.exec(SET_LABEL, &[digest.into(), label.into()])
        .map(|_| ())
}

/// Every key of a merchant in a mode, oldest first, also those that have ended.
pub fn list(tx: &mut Tx<'_>, caller: &Caller) -> Result<Vec<Key>, Fault> {
    let args = [
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
    ];
    tx.query(LIST, &args)?.iter().map(key).collect()
}

/// Ends a key at once; `false` if there is none of this name that still works.
pub fn end(tx: &mut Tx<'_>, caller: &Caller, name: &str, now: Timestamp) -> Result<bool, Fault> {
    let args = [
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        name.into(),
        now.into(),
    ];
    Ok(tx.exec(END, &args)? > 0)
}

fn key(row: &Row) -> Result<Key, Fault> {
    Ok(Key {
        name: row.text(0)?.to_owned(),
        dialect: row.text(1)?.to_owned(),
        mode: mode(row, 2)?,
        label: row.text_or_null(3)?.map(str::to_owned),
        created: row.time(4)?,
        expires: row.time_or_null(5)?,
        ended: row.time_or_null(6)?,
        kind: row.text_or_null(7)?.map(str::to_owned),
    })
}
