//! The credentials of Demo Shop: in a file of the data folder, the same at every start, and common
//! to all nodes of one database.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use dialects::numipay;
use domain::{Mode, Secret};
use serde::{Deserialize, Serialize};
use store::Fault;
use store::tables::records;

use super::SHOP;
use crate::app::App;
use crate::operations::Failure;

/// The file with the credentials, inside the data folder.
pub const FILE: &str = "sandbox.json";

/// Where the database keeps them for other nodes, sealed under the master key.
const KIND: &str = "sandbox";
const ID: &str = "credentials";

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

impl Credentials {
    /// Are they the same, wherever they are used?
    fn is_like(&self, other: &Credentials) -> bool {
        let everywhere = |known: &Credentials| {
            let mut known = known.clone();
            known.base_url.clear();
            known.portal.url.clear();
            serde_json::to_value(known).ok()
        };
        everywhere(self) == everywhere(other)
    }
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

/// Where credentials come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file of the folder, as before.
    Kept,
    /// They are new.
    New,
    /// The nodes that are at work on the database already.
    Common,
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
fn complete(app: &App, credentials: &mut Credentials) {
    let second = &mut credentials.vipps.subscription_key_2;
    if second.is_empty() {
        *second = app.entropy.token().chars().take(32).collect();
    }
}

/// The credentials to use: those of the file, or new ones. Whoever comes to other nodes takes what
/// they use, so that a shop can call any of them.
pub async fn settle(
    app: &App,
    known: Option<Credentials>,
) -> Result<(Credentials, Origin), Failure> {
    let origin = if known.is_some() {
        Origin::Kept
    } else {
        Origin::New
    };
    let mut mine = known.unwrap_or_else(|| new_credentials(app));
    complete(app, &mut mine);
    if !app.store.takes_many_nodes() {
        return Ok((mine, origin));
    }
    let text = serde_json::to_string(&mine).map_err(|error| Fault(error.to_string()))?;
    let sealed = app.vault.seal(&Secret::new(text), KIND, &app.entropy);
    let sealed = sealed.map_err(|error| Fault(error.to_string()))?;
    let (now, alone) = (app.clock.now(), app.is_alone().await?);
    let common = app.store.write("sandbox_credentials", move |tx| {
        let common = records::get(tx, KIND, ID)?.filter(|_| !alone);
        if common.is_none() {
            records::put(tx, KIND, ID, &sealed, now)?;
        }
        Ok(common)
    });
    let Some(common) = common.await? else {
        return Ok((mine, origin));
    };
    let read = |text: &str| serde_json::from_str(text).map_err(|error| error.to_string());
    let opened = app
        .vault
        .open(&common, KIND)
        .map_err(|error| error.to_string());
    let common: Credentials = opened
        .and_then(|text| read(text.expose()))
        .map_err(|why| Fault(format!("the sandbox's credentials in the database: {why}")))?;
    let same = mine.is_like(&common);
    Ok((common, if same { Origin::Kept } else { Origin::Common }))
}
