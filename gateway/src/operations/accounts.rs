//! Accounts with credentials of several parts: an id with its secret, subscription keys, and the
//! public number of the account. One account per merchant and mode.

use dialects::Dialect;
use domain::{Caller, Secret};
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
    let short = || app.entropy.token().chars().take(32).collect::<String>();
    let token = app.entropy.token();
    let digits = token.bytes().map(|b| char::from(b'0' + b % 10));
    let number: String = digits.take(5).collect();
    Account {
        id: app.moment().uuid("account").hyphenated().to_string(),
        secret: Secret::new(short()),
        keys: vec![Secret::new(short()), Secret::new(short())],
        number: format!("4{number}"),
    }
}

/// Lets the credentials of an account in, in place of whatever the merchant had in this mode; the
/// tokens of before end. Nothing changes if they are in already.
pub async fn admit(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    account: &Account,
) -> Result<(), Failure> {
    let mut digests = vec![client_digest(&account.id, &account.secret)];
    digests.extend(account.keys.iter().map(key_digest));
    let (at, owner, number) = (app.moment(), caller.clone(), account.number.clone());
    let token_key = tokens::key_name(dialect);
    let forgotten = token_key.clone();
    let dialect = dialect.profile().name;
    app.store
        .write("admit_account", move |tx| {
            let known = accounts::number_of(tx, dialect, &owner)?;
            let mut all_in = known.as_deref() == Some(number.as_str());
            for digest in &digests {
                let is_in = merchants::by_key(tx, digest, dialect)?;
                all_in &= is_in.is_some_and(|caller| caller == owner);
            }
            if all_in {
                return Ok(());
            }
            merchants::revoke_keys(tx, &owner, dialect, at.now)?;
            merchants::remove_secret(tx, &owner, &token_key)?;
            accounts::remove(tx, dialect, &owner)?;
            for digest in &digests {
                merchants::insert_key(tx, digest, &owner, dialect, at.now)?;
            }
            if !accounts::insert(tx, dialect, &number, &owner, at.now)? {
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
