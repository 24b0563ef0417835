//! The sandbox: one demo merchant with known credentials, a simulator to drive, a demo shop to
//! look at. None of it exists under `florin serve`.

mod answers;
pub mod cards;
pub mod clock;
pub mod deliveries;
mod gifts;
mod methods;
pub mod mischief;
pub mod payouts;
pub mod phones;
pub mod shop;
pub mod simulate;

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use axum::routing::{get, post};
use dialects::numipay;
use domain::merchant::pair_digest;
use domain::{Caller, Currency, Merchant, Mode, PaymentSettings, Programme, Secret};
use serde::{Deserialize, Serialize};
use store::tables::{keys as key_table, merchants as table};

use crate::app::App;
use crate::http::mounted::Mounted;
use crate::operations::accounts::{self, Account};
use crate::operations::endpoints::Who;
use crate::operations::{self, Failure, merchants, providers};

/// The demo merchant's name.
pub const SHOP: &str = "Demo Shop";

/// The file with the credentials, inside the data folder.
pub const FILE: &str = "sandbox.json";

/// The demo merchant and its credentials.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The merchant, in test mode.
    pub caller: Caller,
    /// What `sandbox.json` says.
    pub credentials: Credentials,
}

/// The content of `sandbox.json`. Credentials of dialects that this version does not speak yet are
/// made as well, so that they stay the same once it does.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// Where the sandbox is.
    pub base_url: String,
    /// HitPay.
    pub hitpay: HitPay,
    /// Numipay.
    pub numipay: Numipay,
    /// Vipps MobilePay.
    pub vipps: Vipps,
    /// iGivePay.
    pub igivepay: IGivePay,
    /// The portal's login.
    pub portal: Portal,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// HitPay's credentials.
#[derive(Clone, Serialize, Deserialize)]
pub struct HitPay {
    /// `X-BUSINESS-API-KEY`.
    pub api_key: String,
    /// Key of the webhooks' `hmac`.
    pub salt: String,
}

/// Numipay's credentials.
#[derive(Clone, Serialize, Deserialize)]
pub struct Numipay {
    /// `X-Api-Key`.
    pub api_key: String,
    /// Password of the webhooks' signature.
    pub signature_password: String,
    /// Provider ids for deposits.
    pub providers: Vec<String>,
    /// Provider ids for withdrawals.
    pub withdrawal_providers: Vec<String>,
}

/// Vipps MobilePay's credentials.
#[derive(Clone, Serialize, Deserialize)]
pub struct Vipps {
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`.
    pub client_secret: String,
    /// `Ocp-Apim-Subscription-Key`.
    pub subscription_key: String,
    /// The second one, valid beside the first, so that replacing one can be tried.
    #[serde(default)]
    pub subscription_key_2: String,
    /// `Merchant-Serial-Number`.
    pub merchant_serial_number: String,
}

/// iGivePay's credentials.
#[derive(Clone, Serialize, Deserialize)]
pub struct IGivePay {
    /// `x-client-id`.
    pub client_id: String,
    /// `x-client-secret`.
    pub client_secret: String,
}

/// The portal's login.
#[derive(Clone, Serialize, Deserialize)]
pub struct Portal {
    /// Where it is.
    pub url: String,
    /// Who signs in.
    pub email: String,
    /// With what.
    pub password: String,
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
        .route("/sandbox/ledger", get(simulate::ledger))
        .route("/sandbox/webhooks", get(simulate::webhooks))
        .route(
            "/sandbox/webhooks/{delivery}/resend",
            post(simulate::resend),
        )
        .route("/sandbox/shop/webhook", post(shop::receive))
}

/// Reads the credentials that an earlier start wrote. A file that is there and cannot be read is
/// an error: overwriting it would silently change keys that somebody uses.
pub fn read(data: &Path) -> Result<Option<Credentials>, String> {
    let path = data.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        let path = path.display();
        format!("{path} is damaged ({error}): delete it, and the next start makes new credentials")
    })
}

/// Writes the credentials: a temporary file first, then renamed, readable by the owner alone.
pub fn write(data: &Path, credentials: &Credentials) -> std::io::Result<()> {
    let temporary = data.join(format!("{FILE}.new"));
    // A leftover of an interrupted start may have other permissions.
    let _ = fs::remove_file(&temporary);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    serde_json::to_writer_pretty(&mut file, credentials)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&temporary, data.join(FILE))
}

/// New credentials for an address.
pub fn new_credentials(app: &App) -> Credentials {
    let token = || app.entropy.token();
    let short = || token().chars().take(32).collect::<String>();
    let uuid = |label: &str| app.moment().uuid(label).hyphenated().to_string();
    let digits = token()
        .bytes()
        .map(|b| char::from(b'0' + b % 10))
        .take(5)
        .collect::<String>();
    Credentials {
        base_url: String::new(),
        hitpay: HitPay {
            api_key: format!("test_{}", token()),
            salt: token(),
        },
        numipay: Numipay {
            api_key: format!("{}{}", numipay::key_prefix(Mode::Test), token()),
            signature_password: numipay::signature_password(Mode::Test, SHOP, &token()),
            providers: ["sim-card", "sim-wallet", "sim-bank"]
                .map(str::to_owned)
                .to_vec(),
            withdrawal_providers: vec!["sim-bank".to_owned()],
        },
        vipps: Vipps {
            client_id: uuid("vipps"),
            client_secret: short(),
            subscription_key: short(),
            subscription_key_2: short(),
            merchant_serial_number: format!("4{digits}"),
        },
        igivepay: IGivePay {
            client_id: uuid("igivepay"),
            client_secret: token(),
        },
        portal: Portal {
            url: String::new(),
            email: "demo@florin.test".to_owned(),
            password: short(),
        },
    }
}

/// Credentials that an older version did not write.
pub fn complete(app: &App, credentials: &mut Credentials) {
    let second = &mut credentials.vipps.subscription_key_2;
    if second.is_empty() {
        *second = app.entropy.token().chars().take(32).collect();
    }
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
            merchants::add(app, SHOP, sgd, Mode::Test).await?
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
