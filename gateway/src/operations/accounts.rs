//! Accounts with credentials of several parts: an id with its secret, subscription keys, and the
//! public number of the account. One account per merchant and mode.

use dialects::Dialect;
use domain::{Caller, Secret};
use store::tables::keys::{self as key_table, NewKey};
use store::tables::{accounts, merchants};
use store::{Failure, Fault};

use super::tokens;
use crate::app::App;

/// The credentials of an account.
#[derive(Debug)]
pub struct Account {
    /// The id of the client.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
    /// Subscription keys; each of them is valid, so that one can be replaced after the other.
    pub keys: Vec<Secret>,
    /// The public number.
    pub number: String,
}

/// What a key of an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An id with its secret: who calls, and whose tokens.
    Client,
    /// A key of the subscription.
    Subscription,
}

impl Kind {
    /// The word in the database and in commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Subscription => "subscription",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Client, Self::Subscription]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// The digest under which an id with its secret is stored.
pub fn client_digest(id: &str, secret: &Secret) -> String {
    Secret::new(format!("client:{id}:{}", secret.expose())).digest()
}

/// The digest under which a subscription key is stored.
pub fn key_digest(key: &Secret) -> String {
    Secret::new(format!("key:{}", key.expose())).digest()
}

/// How often a new number is looked for before the range counts as full.
const NUMBER_TRIES: usize = 20;

/// Makes an account for a merchant: an id, a secret, two keys and a number that nobody has. All of
/// it is only here: show it once.
pub async fn create(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
) -> Result<Account, Failure> {
    let name = dialect.profile().name;
    for _ in 0..NUMBER_TRIES {
        let account = new_account(app);
        let number = account.number.clone();
        let taken = app
            .store
            .read("account_number_taken", move |tx| {
                Ok(accounts::by_number(tx, name, &number)?.is_some())
            })
            .await?;
        if !taken {
            admit(app, dialect, caller, &account).await?;
            return Ok(account);
        }
    }
    Err(Fault("no free account number was found".to_owned()).into())
}

/// New credentials: an id, a secret, two keys of 32 digits, a number of six.
fn new_account(app: &App) -> Account {
    let token = app.entropy.token();
    let digits = token.bytes().map(|b| char::from(b'0' + b % 10));
    let number: String = digits.take(5).collect();
    Account {
        id: app.moment().uuid("account").hyphenated().to_string(),
        secret: new_secret(app),
        keys: vec![new_secret(app), new_secret(app)],
        number: format!("4{number}"),
    }
}

/// A secret or a subscription key: 32 digits of chance.
fn new_secret(app: &App) -> Secret {
    Secret::new(app.entropy.token().chars().take(32).collect())
}

/// A key made beside those that an account has. It is only here: show it once.
#[derive(Debug)]
pub struct Made {
    /// The id, if it is a client's secret.
    pub id: Option<String>,
    /// The secret or the subscription key.
    pub secret: Secret,
    /// The digest under which it is stored.
    pub digest: String,
}

/// A new client secret with an id of its own, or a new subscription key.
pub fn another(app: &App, kind: Kind) -> Made {
    let secret = new_secret(app);
    match kind {
        Kind::Client => {
            let id = app.moment().uuid("account").hyphenated().to_string();
            Made {
                digest: client_digest(&id, &secret),
                id: Some(id),
                secret,
            }
        }
        Kind::Subscription => Made {
            digest: key_digest(&secret),
            id: None,
            secret,
        },
    }
}

/// Lets the credentials of an account in. Beside other keys of the same account they are valid,
/// also after somebody ended them; those of an account of another number end, with its tokens.
pub async fn admit(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    account: &Account,
) -> Result<(), Failure> {
    let client = client_digest(&account.id, &account.secret);
    let mut digests = vec![(client, Kind::Client)];
    let keys = account.keys.iter();
    digests.extend(keys.map(|key| (key_digest(key), Kind::Subscription)));
    let (at, owner, number) = (app.moment(), caller.clone(), account.number.clone());
    let token_key = tokens::key_name(dialect);
    let forgotten = token_key.clone();
    let dialect = dialect.profile().name;
    app.store
        .write("admit_account", move |tx| {
            let known = accounts::number_of(tx, dialect, &owner)?;
            let same = known.as_deref() == Some(number.as_str());
            if !same {
                merchants::revoke_keys(tx, &owner, dialect, at.now)?;
                merchants::remove_secret(tx, &owner, &token_key)?;
                accounts::remove(tx, dialect, &owner)?;
            }
            for (digest, kind) in &digests {
                let kind = Some(kind.as_str());
                if key_table::revive(tx, &owner, (digest.as_str(), dialect), kind)? {
                    continue;
                }
                let key = NewKey {
                    digest: digest.clone(),
                    dialect: dialect.to_owned(),
                    label: None,
                    expires: None,
                    kind,
                };
                key_table::insert(tx, &owner, &key, at.now)?;
            }
            if !same && !accounts::insert(tx, dialect, &number, &owner, at.now)? {
                return Err(Fault(format!("the account number {number} is taken")).into());
            }
            Ok(())
        })
        .await?;
    app.keys.forget();
    super::merchants::forget_sealed(app, &forgotten, &caller.merchant.id, caller.mode);
    Ok(())
}

/// The number of a caller's account.
pub async fn number_of(
    app: &App,
    dialect: &'static str,
    caller: &Caller,
) -> Result<Option<String>, Failure> {
    let caller = caller.clone();
    app.store
        .read("account_number", move |tx| {
            Ok(accounts::number_of(tx, dialect, &caller)?)
        })
        .await
}
