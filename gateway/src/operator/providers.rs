//! The operator's calls about how a merchant takes and sends money: its providers and their rules,
//! its permissions, its keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use domain::{Mode, PaymentSettings, Secret, Span};
use serde::Deserialize;
use serde_json::{Value, json};
use store::tables::keys::Key;

use super::answers::{Answer, Of, Trouble, who};
use crate::app::App;
use crate::operations::accounts::Kind;
use crate::operations::keys::{self, AccountKey, Wanted};
use crate::operations::providers::{self, Switch};
use crate::sandbox::simulate::rfc3339;

/// Dialects whose credentials are one key and one password.
const KEYED: [&str; 2] = ["hitpay", "numipay"];

/// Characters of a key's name.
const LABEL_MAX: usize = 100;

/// `GET /settings`.
pub async fn show(State(app): State<Arc<App>>, Query(of): Query<Of>) -> Answer {
    let caller = of.caller(&app).await?;
    let settings = providers::settings(&app, &caller.merchant.id, caller.mode).await?;
    Ok(Json(written(&settings)))
}

/// `POST /settings`: the whole of them, in place of the earlier ones. What is not mentioned is as
/// for a new merchant.
pub async fn put(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(wanted): Json<Value>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let mut whole = written(&PaymentSettings::usual(caller.mode));
    if let (Value::Object(whole), Value::Object(wanted)) = (&mut whole, wanted) {
        whole.extend(wanted);
    } else {
        return Err(Trouble::wrong("these are no settings: send an object"));
    }
    let wanted: PaymentSettings = serde_json::from_value(whole)
        .map_err(|error| Trouble::wrong(format!("these are no settings: {error}")))?;
    providers::put_settings(&app, &who(&caller), wanted.clone()).await?;
    Ok(Json(written(&wanted)))
}

/// `POST /providers/{id}/{deed}`: `down`, `up`, `enable`, `disable`.
pub async fn switch(
    State(app): State<Arc<App>>,
    Path((id, deed)): Path<(String, String)>,
    Query(of): Query<Of>,
) -> Answer {
    let deed = match deed.as_str() {
        "down" => Switch::Down(true),
        "up" => Switch::Down(false),
        "enable" => Switch::Enabled(true),
        "disable" => Switch::Enabled(false),
        _ => {
            return Err(Trouble::wrong(
                "a provider goes down, up, enable or disable",
            ));
        }
    };
    let caller = of.caller(&app).await?;
    let settings = providers::switch(&app, &who(&caller), &id, deed).await?;
    Ok(Json(written(&settings)))
}

fn written(settings: &PaymentSettings) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

/// `GET /keys`.
pub async fn list_keys(State(app): State<Arc<App>>, Query(of): Query<Of>) -> Answer {
    let caller = of.caller(&app).await?;
    let now = app.clock.now();
    let rows: Vec<_> = keys::list(&app, &caller)
        .await?
        .iter()
        .map(|key| key_row(key, now))
        .collect();
    Ok(Json(json!({"keys": rows})))
}

fn key_row(key: &Key, now: domain::Timestamp) -> Value {
    let state = match (key.ended, key.expires) {
        (Some(_), _) => "ended",
        (None, Some(end)) if end <= now => "expired",
        (None, _) => "active",
    };
    json!({
        "key": key.name,
        "api": key.dialect,
        "what": key.kind,
        "label": key.label,
        "state": state,
        "created_at": rfc3339(key.created),
        "expires_at": key.expires.map(rfc3339),
        "ended_at": key.ended.map(rfc3339),
    })
}

/// A key that is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    api: String,
    /// What it is for, where an API has keys of several kinds.
    what: Option<String>,
    label: Option<String>,
    /// How long it works, in milliseconds.
    life: Option<u64>,
}

/// `POST /keys`.
pub async fn new_key(
    State(app): State<Arc<App>>,
    Query(of): Query<Of>,
    Json(new): Json<New>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let kind = kind(&new)?;
    let label = new.label.filter(|label| !label.trim().is_empty());
    if label
        .as_ref()
        .is_some_and(|label| label.chars().count() > LABEL_MAX)
    {
        let message = format!("a key's label has at most {LABEL_MAX} characters");
        return Err(Trouble::wrong(message));
    }
    if new.life == Some(0) {
        return Err(Trouble::wrong("a key works for longer than nothing"));
    }
    let now = app.clock.now();
    let expires = new.life.map(|life| now.plus(Span::from_millis(life)));
    if let Some(kind) = kind {
        let wanted = AccountKey {
            kind,
            label,
            expires,
        };
        let name = dialects::vipps::NAME;
        let made = keys::make_of_account(&app, &who(&caller), name, wanted).await?;
        return Ok(Json(json!({
            "key": name_of(&made.digest),
            "id": made.id,
            "secret": made.secret.expose(),
            "expires_at": expires.map(rfc3339),
        })));
    }
    let wanted = Wanted {
        prefix: prefix(&new.api, caller.mode),
        dialect: new.api,
        label,
        expires,
    };
    let key = keys::make(&app, &who(&caller), wanted).await?;
    Ok(Json(json!({
        "key": name_of(&key.digest()),
        "secret": key.expose(),
        "expires_at": expires.map(rfc3339),
    })))
}

/// What a key of an API with accounts is for; none for an API with one kind of key.
fn kind(new: &New) -> Result<Option<Kind>, Trouble> {
    if new.api != dialects::vipps::NAME {
        if new.what.is_some() {
            return Err(Trouble::wrong(format!("{} has one kind of key", new.api)));
        }
        let known = KEYED.contains(&new.api.as_str());
        return if known {
            Ok(None)
        } else {
            let message = format!("the API is hitpay, numipay or vipps, not {}", new.api);
            Err(Trouble::wrong(message))
        };
    }
    let named = new.what.as_deref().and_then(Kind::parse);
    named.map(Some).ok_or_else(|| {
        Trouble::wrong(
            "say what the key is for: client (an id with its secret) or subscription (a \
             subscription key)",
        )
    })
}

/// The first digits of a digest.
fn name_of(digest: &str) -> String {
    digest.chars().take(16).collect()
}

/// What keys of an API begin with.
pub fn prefix(api: &str, mode: Mode) -> String {
    if api == dialects::numipay::NAME {
        return dialects::numipay::key_prefix(mode).to_owned();
    }
    format!("{}_", mode.as_str())
}

/// `GET /passwords/{api}`: what the API's webhooks are signed with.
pub async fn password(
    State(app): State<Arc<App>>,
    Path(api): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let password = keys::password(&app, &who(&caller), keyed(&api)?).await?;
    Ok(Json(json!({"api": api, "password": password.expose()})))
}

/// `POST /passwords/{api}`: a new one, in place of the one before.
pub async fn new_password(
    State(app): State<Arc<App>>,
    Path(api): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    let api = keyed(&api)?;
    let chance = app.entropy.token();
    let password = if api == dialects::numipay::NAME {
        dialects::numipay::signature_password(caller.mode, &caller.merchant.slug, &chance)
    } else {
        chance
    };
    let password = Secret::new(password);
    keys::new_password(&app, &who(&caller), api, &password).await?;
    Ok(Json(json!({"api": api, "password": password.expose()})))
}

/// An API whose credentials are one key and one password.
fn keyed(api: &str) -> Result<&'static str, Trouble> {
    let known = KEYED.into_iter().find(|known| *known == api);
    known.ok_or_else(|| {
        let known = KEYED.join(" or ");
        Trouble::wrong(format!("the API is {known}, not {api}"))
    })
}

/// `POST /keys/{name}/end`.
pub async fn end_key(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let caller = of.caller(&app).await?;
    keys::end(&app, &who(&caller), &name).await?;
    Ok(Json(json!({"key": name})))
}
