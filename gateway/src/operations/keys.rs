//! API keys: several per merchant, with names and ends, each ended by itself. A key is shown once,
//! when it is made; afterwards it has a name, the first digits of its digest.

use domain::{Caller, FieldProblem, Mode, Object, Refusal, Secret, Timestamp};
use store::Failure;
use store::tables::audit;
use store::tables::keys::{self as table, Key, NewKey};

use super::accounts::{self, Kind, Made};
use super::endpoints::Who;
use super::{merchants, refused};
use crate::app::App;

/// A key that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The dialect it opens.
    pub dialect: String,
    /// What it begins with.
    pub prefix: String,
    /// Its owner's name for it.
    pub label: Option<String>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
}

/// A key of an account that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountKey {
    /// What it is for.
    pub kind: Kind,
    /// Its owner's name for it.
    pub label: Option<String>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
}

/// Makes a key beside those there are. The key itself is only here: show it once.
pub async fn make(app: &App, who: &Who<'_>, wanted: Wanted) -> Result<Secret, Failure> {
    let key = Secret::new(format!("{}{}", wanted.prefix, app.entropy.token()));
    let new = NewKey {
        digest: key.digest(),
        dialect: wanted.dialect,
        label: wanted.label,
        expires: wanted.expires,
        kind: None,
    };
    keep(app, who, new).await?;
    Ok(key)
}

/// Makes a client secret or a subscription key beside those that the merchant's account has, so
/// that one can be replaced without a pause. It is only here: show it once.
pub async fn make_of_account(
    app: &App,
    who: &Who<'_>,
    dialect: &'static str,
    wanted: AccountKey,
) -> Result<Made, Failure> {
    if accounts::number_of(app, dialect, who.caller)
        .await?
        .is_none()
    {
        let field = "api".to_owned();
        let message = format!("the merchant has no account of {dialect} in this mode");
        return refused(Refusal::Invalid(vec![FieldProblem { field, message }]));
    }
    let made = accounts::another(app, wanted.kind);
    let new = NewKey {
        digest: made.digest.clone(),
        dialect: dialect.to_owned(),
        label: wanted.label,
        expires: wanted.expires,
        kind: Some(wanted.kind.as_str()),
    };
    keep(app, who, new).await?;
    Ok(made)
}

async fn keep(app: &App, who: &Who<'_>, new: NewKey) -> Result<(), Failure> {
    let at = app.moment();
    let (caller, actor) = (who.caller.clone(), who.actor.to_owned());
    app.store
        .write("make_key", move |tx| {
            table::insert(tx, &caller, &new, at.now)?;
            let name = new.digest.get(..16).unwrap_or_default();
            let label = new.label.as_deref().unwrap_or("without a name");
            let entry = audit::Entry {
                at: at.now,
                actor: actor.clone(),
                action: "key.made".to_owned(),
                about: name.to_owned(),
                details: format!("{}, {label}", new.dialect),
            };
            audit::insert(tx, &at, (&caller.merchant.id, caller.mode), &entry)?;
            Ok(())
        })
        .await
}

/// The test client of a dialect that has this id, where a credential is an id with a secret.
pub async fn test_client(
    app: &App,
    dialect: &'static str,
    id: &str,
) -> Result<Option<Caller>, Failure> {
    let (id, now) = (id.to_owned(), app.clock.now());
    app.store
        .read("test_client", move |tx| {
            Ok(table::labelled(tx, &id, dialect, Mode::Test, now)?)
        })
        .await
}

/// Does a dialect have any test client?
pub async fn has_test_clients(app: &App, dialect: &'static str) -> Result<bool, Failure> {
    app.store
        .read("test_clients", move |tx| {
            Ok(table::any_labelled(tx, dialect, Mode::Test)?)
        })
        .await
}

/// A merchant's keys in a mode, oldest first, also those that have ended.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Key>, Failure> {
    let caller = caller.clone();
    app.store
        .read("list_keys", move |tx| Ok(table::list(tx, &caller)?))
        .await
}

/// Ends a key at once, by its name; tokens that were issued for it end with it. Another node may
/// take it for as long as it remembers keys.
pub async fn end(app: &App, who: &Who<'_>, name: &str) -> Result<(), Failure> {
    let at = app.moment();
    let (caller, actor) = (who.caller.clone(), who.actor.to_owned());
    let name = name.to_owned();
    app.store
        .write("end_key", move |tx| {
            if !table::end(tx, &caller, &name, at.now)? {
                return refused(Refusal::NotFound(Object::Payment, name.clone()));
            }
            let entry = audit::Entry {
                at: at.now,
                actor: actor.clone(),
                action: "key.ended".to_owned(),
                about: name.clone(),
                details: String::new(),
            };
            audit::insert(tx, &at, (&caller.merchant.id, caller.mode), &entry)?;
            Ok(())
        })
        .await?;
    app.keys.forget();
    Ok(())
}

/// What a dialect's webhooks are signed with. That somebody looked is kept.
pub async fn password(app: &App, who: &Who<'_>, dialect: &str) -> Result<Secret, Failure> {
    let merchant = &who.caller.merchant.id;
    let password = merchants::salt(app, dialect, merchant, who.caller.mode).await?;
    note(app, who, "password.shown", dialect).await?;
    Ok(password)
}

/// Signs a dialect's webhooks with another password from now on, those that wait too.
pub async fn new_password(
    app: &App,
    who: &Who<'_>,
    dialect: &str,
    password: &Secret,
) -> Result<(), Failure> {
    merchants::put_salt(app, dialect, who.caller, password).await?;
    note(app, who, "password.changed", dialect).await
}

async fn note(app: &App, who: &Who<'_>, action: &str, about: &str) -> Result<(), Failure> {
    let (caller, at) = (who.caller.clone(), app.moment());
    let entry = audit::Entry {
        at: at.now,
        actor: who.actor.to_owned(),
        action: action.to_owned(),
        about: about.to_owned(),
        details: String::new(),
    };
    app.store
        .write("note_password", move |tx| {
            let of = (&caller.merchant.id, caller.mode);
            Ok(audit::insert(tx, &at, of, &entry)?)
        })
        .await
}

/// Who holds the key of this digest, if nobody ended it, and when it ends by itself.
pub async fn holder(
    app: &App,
    dialect: &'static str,
    digest: &str,
) -> Result<Option<(Caller, Option<Timestamp>)>, Failure> {
    let digest = digest.to_owned();
    app.store
        .read("key_holder", move |tx| {
            Ok(table::holder(tx, &digest, dialect)?)
        })
        .await
}
