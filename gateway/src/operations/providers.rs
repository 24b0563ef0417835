//! How a merchant takes and sends money: its providers, its provider rules, its permissions.

use domain::provider::Question;
use domain::{FieldProblem, MerchantId, Mode, PaymentSettings, Refusal};
use store::tables::settings;
use store::{Failure, Fault, Tx};

use super::refused;
use crate::app::App;

/// The settings of a merchant in one mode: its own, or those of somebody who made none.
pub async fn settings(
    app: &App,
    merchant: &MerchantId,
    mode: Mode,
) -> Result<PaymentSettings, Failure> {
    let merchant = merchant.clone();
    app.store
        .read("payment_settings", move |tx| {
            Ok(settings_in(tx, &merchant, mode)?)
        })
        .await
}

/// The same inside a transaction.
pub(super) fn settings_in(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    mode: Mode,
) -> Result<PaymentSettings, Fault> {
    let own = settings::get(tx, merchant, mode)?;
    Ok(own.unwrap_or_else(|| PaymentSettings::usual(mode)))
}

/// Saves settings in place of the earlier ones. What is wrong with them is told in a sentence.
pub async fn put_settings(
    app: &App,
    merchant: &MerchantId,
    mode: Mode,
    wanted: PaymentSettings,
) -> Result<(), Failure> {
    if let Some(message) = wanted.problem() {
        let field = "settings".to_owned();
        return refused(Refusal::Invalid(vec![FieldProblem { field, message }]));
    }
    let (merchant, now) = (merchant.clone(), app.clock.now());
    app.store
        .write("put_payment_settings", move |tx| {
            Ok(settings::put(tx, &merchant, mode, &wanted, now)?)
        })
        .await
}

/// The ids of the providers that may carry something, best first; refused if there is none.
pub(super) fn allowed(
    settings: &PaymentSettings,
    question: &Question<'_>,
) -> Result<Vec<String>, Refusal> {
    let ids: Vec<String> = settings
        .allowed(question)
        .into_iter()
        .map(|provider| provider.id.clone())
        .collect();
    if ids.is_empty() {
        Err(Refusal::NoMethod)
    } else {
        Ok(ids)
    }
}
