//! The sandbox: one demo merchant with known credentials, a simulator to drive, a demo shop to
//! look at. None of it exists under `florin serve`.

mod answers;
mod books;
pub mod cards;
pub mod clock;
mod credentials;
pub mod deliveries;
mod gifts;
mod methods;
pub mod mischief;
pub mod payouts;
pub mod phones;
pub mod shop;
pub mod simulate;

use axum::routing::{get, post};
use dialects::numipay;
use domain::merchant::pair_digest;
use domain::{Caller, Currency, Merchant, Mode, PaymentSettings, Programme, Secret};
use store::tables::{keys as key_table, merchants as table};

pub use self::credentials::{
    Credentials, FILE, HitPay, IGivePay, Numipay, Origin, Portal, Vipps, new_credentials, read,
    settle, write,
};
use crate::app::App;
use crate::http::mounted::Mounted;
use crate::operations::accounts::{self, Account};
use crate::operations::endpoints::Who;
use crate::operations::{self, Failure, merchants, providers};

/// The demo merchant's name.
pub const SHOP: &str = "Demo Shop";

/// The demo merchant and its credentials.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The merchant, in test mode.
    pub caller: Caller,
    /// What `sandbox.json` says.
    pub credentials: Credentials,
}

/// The sandbox's calls.
pub fn routes() -> Mounted {
    Mounted::new()
        .route("/sandbox/simulate", post(simulate::simulate))
        .route("/sandbox/clock", get(clock::show).post(clock::advance))
        .route("/sandbox/gift-cards", post(cards::gift_card))
        .route(
            "/sandbox/phones/{number}",
            get(phones::show).put(phones::set),
        )
        .route(
            "/sandbox/mischief",
            get(mischief::show)
                .post(mischief::add)
                .delete(mischief::forget),
        )
        .route("/sandbox/ledger", get(books::show))
        .route("/sandbox/webhooks", get(simulate::webhooks))
        .route(
            "/sandbox/webhooks/{delivery}/resend",
            post(simulate::resend),
        )
        .route("/sandbox/shop/webhook", post(shop::receive))
}

/// Makes Demo Shop if it is missing and lets its credentials in.
pub async fn prepare(app: &App, credentials: Credentials) -> Result<Demo, Failure> {
    let known = merchants::all(app)
        .await?
        .into_iter()
        .find(|merchant| merchant.name == SHOP);
    let merchant: Merchant = match known {
        Some(merchant) => merchant,
        None => {
            let sgd = Currency::parse_exact("SGD")
                .map_err(|error| store::Fault(format!("SGD: {error}")))?;
            merchants::add_once(app, SHOP, sgd, Mode::Test).await?
        }
    };
    let caller = Caller {
        merchant,
        mode: Mode::Test,
    };
    let key = Secret::new(credentials.hitpay.api_key.clone());
    let_in(app, &caller, "hitpay", key.digest()).await?;
    let salt = Secret::new(credentials.hitpay.salt.clone());
    merchants::put_salt(app, "hitpay", &caller, &salt).await?;
    let vipps = &credentials.vipps;
    let account = Account {
        id: vipps.client_id.clone(),
        secret: Secret::new(vipps.client_secret.clone()),
        keys: [&vipps.subscription_key, &vipps.subscription_key_2]
            .map(|key| Secret::new(key.clone()))
            .to_vec(),
        number: vipps.merchant_serial_number.clone(),
    };
    accounts::admit(app, &dialects::vipps::Vipps, &caller, &account).await?;
    let_numipay_in(app, &caller, &credentials.numipay).await?;
    gift_cards(app, &caller, &credentials.igivepay).await?;
    Ok(Demo {
        caller,
        credentials,
    })
}

/// Lets the credential with this digest in for Demo Shop: again if somebody ended it, because the
/// sandbox has the same credentials at every start; a new one in place of what was let in before.
async fn let_in(
    app: &App,
    caller: &Caller,
    dialect: &'static str,
    digest: String,
) -> Result<(), Failure> {
    if merchants::by_key(app, dialect, &digest).await?.is_some() {
        return Ok(());
    }
    let (at, owner) = (app.moment(), caller.clone());
    app.store
        .write("demo_key", move |tx| {
            if key_table::revive(tx, &owner, (digest.as_str(), dialect), None)? {
                return Ok(());
            }
            table::revoke_keys(tx, &owner, dialect, at.now)?;
            Ok(table::insert_key(tx, &digest, &owner, dialect, at.now)?)
        })
        .await
}

/// Demo Shop sells gift cards, and takes them for everything.
async fn gift_cards(app: &App, caller: &Caller, client: &IGivePay) -> Result<(), Failure> {
    let secret = Secret::new(client.client_secret.clone());
    let digest = pair_digest(&client.client_id, &secret);
    let_in(app, caller, "igivepay", digest.clone()).await?;
    let id = client.client_id.clone();
    app.store
        .write("demo_client", move |tx| {
            Ok(store::tables::keys::set_label(tx, &digest, &id)?)
        })
        .await?;
    merchants::put_salt(app, "igivepay", caller, &secret).await?;
    let known = operations::gift_cards::programme(app, caller).await?;
    if known.is_none() {
        let programme = Programme {
            // The prefix that the provider's own test cards have.
            prefix: "957841110050".to_owned(),
            rest_by: vec!["card".to_owned(), "wallet".to_owned()],
            everywhere: true,
            ..Programme::default()
        };
        operations::gift_cards::put_programme(app, caller, programme, "sandbox").await?;
    }
    Ok(())
}

/// Numipay's key and password; card data in calls and payouts without the customer's step, unless
/// somebody has settled that otherwise.
async fn let_numipay_in(app: &App, caller: &Caller, known: &Numipay) -> Result<(), Failure> {
    let name = numipay::NAME;
    let key = Secret::new(known.api_key.clone());
    let_in(app, caller, name, key.digest()).await?;
    let password = Secret::new(known.signature_password.clone());
    merchants::put_salt(app, name, caller, &password).await?;
    let (merchant, mode) = (&caller.merchant.id, caller.mode);
    let usual = PaymentSettings::usual(mode);
    if providers::settings(app, merchant, mode).await? != usual {
        return Ok(());
    }
    let everything = PaymentSettings {
        cards_in_calls: true,
        payout_user_step: false,
        ..usual
    };
    let who = Who {
        caller,
        actor: "florin",
    };
    providers::put_settings(app, &who, everything).await
}
