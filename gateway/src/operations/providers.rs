//! How a merchant takes and sends money: its providers, its provider rules, its permissions.

use std::net::IpAddr;

use dialects::fields::is_web_address;
use domain::provider::{Provider, Question};
use domain::{Caller, FieldProblem, Flaw, MerchantId, Mode, Moment, PaymentSettings, Refusal};
use store::tables::{audit, settings};
use store::{Failure, Fault, Tx};

use super::endpoints::Who;
use super::refused;
use crate::app::App;
use crate::outbound::addresses::Subnet;

/// Characters of the address where browsers go.
const URL_MAX: usize = 2_048;

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
    who: &Who<'_>,
    wanted: PaymentSettings,
) -> Result<(), Failure> {
    if let Some(message) = problem(&wanted) {
        return invalid(message);
    }
    let (caller, actor, at) = (who.caller.clone(), who.actor.to_owned(), app.moment());
    app.store
        .write("put_payment_settings", move |tx| {
            Ok(save(tx, &at, (&caller, &actor), &wanted)?)
        })
        .await
}

/// Says of one provider whether it is out of order, so that its fallbacks are offered, or may be
/// used at all; gives the settings afterwards.
pub async fn switch(
    app: &App,
    who: &Who<'_>,
    id: &str,
    switch: Switch,
) -> Result<PaymentSettings, Failure> {
    let (caller, actor, at) = (who.caller.clone(), who.actor.to_owned(), app.moment());
    let id = id.to_owned();
    app.store
        .write("switch_provider", move |tx| {
            let mut settings = settings_in(tx, &caller.merchant.id, caller.mode)?;
            let known: Vec<_> = settings
                .providers
                .iter()
                .map(|one| one.id.clone())
                .collect();
            let found = settings.providers.iter_mut().find(|one| one.id == id);
            let Some(provider) = found else {
                let known = known.join(", ");
                return invalid(format!("there is no provider {id:?}; there are: {known}"));
            };
            match switch {
                Switch::Down(down) => provider.down = down,
                Switch::Enabled(enabled) => provider.enabled = enabled,
            }
            save(tx, &at, (&caller, &actor), &settings)?;
            Ok(settings)
        })
        .await
}

/// What can be said of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Is it out of order just now?
    Down(bool),
    /// May it be used?
    Enabled(bool),
}

fn invalid<T>(message: String) -> Result<T, Failure> {
    let field = "settings".to_owned();
    refused(Refusal::Invalid(vec![FieldProblem { field, message }]))
}

/// What is wrong with settings that somebody wrote, if anything.
fn problem(wanted: &PaymentSettings) -> Option<String> {
    let lists = [
        ("allowed_addresses", &wanted.allowed_addresses),
        ("blocked_addresses", &wanted.blocked_addresses),
    ];
    let network = lists.into_iter().find_map(|(name, list)| {
        let wrong = list.iter().find_map(|text| text.parse::<Subnet>().err());
        wrong.map(|error| format!("{name}: {error}"))
    });
    let back = wanted.return_url.as_ref();
    let back = back
        .filter(|url| !is_web_address(url) || url.len() > URL_MAX)
        .map(|url| format!("return_url: {url:?} is no address like https://shop.example/back"));
    wanted.problem().or(back).or(network)
}

/// Settings and who made them, together.
fn save(
    tx: &mut Tx<'_>,
    at: &Moment,
    (caller, actor): (&Caller, &str),
    wanted: &PaymentSettings,
) -> Result<(), Fault> {
    let merchant = &caller.merchant.id;
    settings::put(tx, merchant, caller.mode, wanted, at.now)?;
    let entry = audit::Entry {
        at: at.now,
        actor: actor.to_owned(),
        action: "settings.changed".to_owned(),
        about: merchant.to_string(),
        details: format!(
            "{} providers, {} rules",
            wanted.providers.len(),
            wanted.rules.len()
        ),
    };
    audit::insert(tx, at, (merchant, caller.mode), &entry)
}

/// May calls of this merchant come from this address? Numipay's account settings know such lists;
/// the other APIs have none.
pub async fn admit(app: &App, caller: &Caller, address: IpAddr) -> Result<(), Failure> {
    let settings = settings(app, &caller.merchant.id, caller.mode).await?;
    let address = address.to_canonical();
    let lies_in = |networks: &[String]| {
        let mut networks = networks.iter().filter_map(|text| text.parse().ok());
        networks.any(|network: Subnet| network.contains(address))
    };
    let allowed = &settings.allowed_addresses;
    if lies_in(&settings.blocked_addresses) || !allowed.is_empty() && !lies_in(allowed) {
        return refused(Refusal::Credential(Flaw::Address));
    }
    Ok(())
}

/// Of the providers that were allowed when something was created, those that can carry it now,
/// best first.
pub(super) fn offered<'s>(
    settings: &'s PaymentSettings,
    question: &Question<'_>,
    methods: &[String],
) -> Vec<&'s Provider> {
    let mut offered = settings.offered(question);
    offered.retain(|provider| methods.contains(&provider.id));
    offered
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
