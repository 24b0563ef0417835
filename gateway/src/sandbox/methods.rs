//! How a payer would pay, if a call to the sandbox does not say.

use dialects::Dialect;
use dialects::numipay::replies::page_token;
use domain::{Bill, Refusal};
use store::Failure;

use super::simulate::Found;
use crate::app::App;
use crate::operations::cashier;

/// Does the bill belong to the API whose methods are a merchant's providers?
pub(super) fn is_numipay(dialect: &dyn Dialect) -> bool {
    dialect.profile().name == dialects::numipay::NAME
}

/// The method that is meant: as it is named, or the simulated provider of that kind; if nobody
/// says which, the one a payer would use.
pub(super) async fn method(
    app: &App,
    found: &Found,
    wanted: Option<&str>,
) -> Result<String, Failure> {
    let methods = &found.bill.ask.methods;
    let known = |name: &str| methods.iter().find(|method| *method == name);
    let named = match wanted {
        None if is_numipay(found.dialect) => return first_offered(app, &found.bill).await,
        None => known("card")
            .or_else(|| methods.first())
            .map_or("card", String::as_str),
        Some(wanted) => known(wanted)
            .or_else(|| known(&format!("sim-{wanted}")))
            .map_or(wanted, String::as_str),
    };
    Ok(named.to_owned())
}

/// The first provider that the page of a deposit offers; with a card in the call, the one that
/// has it.
async fn first_offered(app: &App, bill: &Bill) -> Result<String, Failure> {
    let page = cashier::seen(app, page_token(&bill.ask.extras)).await?;
    let first = if page.transaction.flow == "server" {
        bill.ask.methods.first().cloned()
    } else {
        page.offered.into_iter().next().map(|provider| provider.id)
    };
    // One that is closed says so before it says that nobody takes it.
    bill.admit(app.clock.now())?;
    Ok(first.ok_or(Refusal::NoMethod)?)
}
