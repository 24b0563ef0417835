//! How a merchant takes and sends money, as one JSON object for each mode.

use domain::{MerchantId, Mode, PaymentSettings, Timestamp};

use super::{json, to_json};
use crate::{Fault, Tx};

const GET: &str = "SELECT body FROM payment_settings WHERE merchant = ?1 AND mode = ?2";
const PUT: &str = "INSERT INTO payment_settings (merchant, mode, body, updated_at) \
    VALUES (?1, ?2, ?3, ?4) ON CONFLICT (merchant, mode) DO UPDATE \
    SET body = excluded.body, updated_at = excluded.updated_at";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[GET, PUT];

/// The settings that a merchant made, if it made any.
pub fn get(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    mode: Mode,
) -> Result<Option<PaymentSettings>, Fault> {
    tx.one(GET, &[merchant.as_str().into(), mode.as_str().into()])?
        .map(|row| row.read(0, json))
        .transpose()
}

/// Saves settings in place of the earlier ones.
pub fn put(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    mode: Mode,
    settings: &PaymentSettings,
    now: Timestamp,
) -> Result<(), Fault> {
    let args = [
        merchant.as_str().into(),
        mode.as_str().into(),
        to_json(settings)?.into(),
        now.into(),
    ];
    tx.exec(PUT, &args).map(|_| ())
}
