//! Accounts: the public numbers by which a dialect knows a merchant in one mode.

use domain::{Caller, MerchantId, Mode, Timestamp};

use super::mode;
use crate::{Fault, Tx};

const INSERT: &str = "INSERT INTO accounts (dialect, number, merchant, mode, created_at) \
    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
const BY_NUMBER: &str = "SELECT merchant, mode FROM accounts WHERE dialect = ?1 AND number = ?2";
const NUMBER_OF: &str =
    "SELECT number FROM accounts WHERE dialect = ?1 AND merchant = ?2 AND mode = ?3";
const REMOVE: &str = "DELETE FROM accounts WHERE dialect = ?1 AND merchant = ?2 AND mode = ?3";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[INSERT, BY_NUMBER, NUMBER_OF, REMOVE];

/// Saves a number; `false` if it is taken, or if the merchant has one in this mode already.
pub fn insert(
    tx: &mut Tx<'_>,
    dialect: &str,
    number: &str,
    caller: &Caller,
    now: Timestamp,
) -> Result<bool, Fault> {
    let args = [
        dialect.into(),
        number.into(),
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
        now.into(),
    ];
    Ok(tx.exec(INSERT, &args)? == 1)
}

/// Whose number this is.
pub fn by_number(
    tx: &mut Tx<'_>,
    dialect: &str,
    number: &str,
) -> Result<Option<(MerchantId, Mode)>, Fault> {
    let row = tx.one(BY_NUMBER, &[dialect.into(), number.into()])?;
    row.map(|row| Ok((row.read(0, MerchantId::parse)?, mode(&row, 1)?)))
        .transpose()
}

/// The number of a merchant in a mode.
pub fn number_of(tx: &mut Tx<'_>, dialect: &str, caller: &Caller) -> Result<Option<String>, Fault> {
    let args = [
        dialect.into(),
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
    ];
    let row = tx.one(NUMBER_OF, &args)?;
    row.map(|row| row.text(0).map(str::to_owned)).transpose()
}

/// Takes the number of a merchant in a mode away.
pub fn remove(tx: &mut Tx<'_>, dialect: &str, caller: &Caller) -> Result<u64, Fault> {
    let args = [
        dialect.into(),
        caller.merchant.id.as_str().into(),
        caller.mode.as_str().into(),
    ];
    tx.exec(REMOVE, &args)
}
