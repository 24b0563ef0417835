//! The secrets of endpoints: sealed, opened, replaced by new ones.

use std::sync::PoisonError;

use domain::limits::KEY_CACHE;
use domain::{
    Endpoint, EndpointId, FieldProblem, MerchantId, Mode, Refusal, Secret, Span, Timestamp,
};
use store::tables::endpoints as table;
use store::{Failure, Fault};

use super::{Who, entry, refused, show};
use crate::app::{App, KnownSecrets};
use crate::schemes::Scheme;

/// A secret that takes the place of another.
#[derive(Debug)]
pub struct Rotated {
    /// The new one.
    pub secret: Secret,
    /// Until when those before it are valid.
    pub old_until: Timestamp,
    /// Do both sign meanwhile? A scheme with one signature has the old one sign until its end.
    pub both_sign: bool,
}

/// Gives an endpoint a new secret. The old ones stay valid beside it for a while, usually
/// [`ROTATION`](domain::limits::ROTATION), so that a receiver can change over without losing a
/// delivery; no time at all ends them at once.
pub async fn rotate(
    app: &App,
    who: &Who<'_>,
    id: &EndpointId,
    overlap: Span,
) -> Result<Rotated, Failure> {
    let endpoint = show(app, who.caller, id).await?;
    let scheme = Scheme::by_name(&endpoint.head.scheme)
        .ok_or_else(|| Fault(format!("no scheme is called {}", endpoint.head.scheme)))?;
    if scheme.signs_with_account() {
        let message = format!(
            "{} signs with the account's secret, not with one of its own",
            id
        );
        let field = "secret".to_owned();
        return refused(Refusal::Invalid(vec![FieldProblem { field, message }]));
    }
    let at = app.moment();
    let secret = scheme.endpoint_secret(&chance(app));
    let sealed = seal(app, &endpoint, &secret)?;
    let (actor, of) = (who.actor.to_owned(), endpoint.clone());
    let end = at.now.plus(overlap);
    app.store
        .write("rotate_endpoint_secret", move |tx| {
            table::put_secret(tx, &of.head.id, &sealed, at.now, end)?;
            let action = "endpoint.secret_rotated";
            entry(tx, &at, &of, (&actor, action, ""))
        })
        .await?;
    forget_secrets(app, &endpoint);
    Ok(Rotated {
        secret,
        old_until: end,
        both_sign: scheme.signs_with_all(),
    })
}

/// The valid secrets of an endpoint, newest first; opened ones are remembered.
pub async fn secrets(
    app: &App,
    (merchant, mode, id): (&MerchantId, Mode, &EndpointId),
) -> Result<Vec<Secret>, Failure> {
    let now = app.clock.now();
    let bound = context(merchant, mode, id);
    let known = app
        .endpoint_secrets
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&bound)
        .filter(|known| now < known.since.plus(KEY_CACHE))
        .map(|known| known.secrets.clone());
    let known = match known {
        Some(known) => known,
        None => {
            let id = id.clone();
            let sealed = app
                .store
                .read("endpoint_secrets", move |tx| {
                    Ok(table::secrets(tx, &id, now)?)
                })
                .await?;
            let mut opened = Vec::new();
            for secret in sealed {
                opened.push((app.vault.open(&secret.sealed, &bound)?, secret.ends));
            }
            app.endpoint_secrets
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(
                    bound,
                    KnownSecrets {
                        secrets: opened.clone(),
                        since: now,
                    },
                );
            opened
        }
    };
    let valid = known
        .into_iter()
        .filter(|(_, ends)| ends.is_none_or(|ends| ends > now));
    Ok(valid.map(|(secret, _)| secret).collect())
}

fn forget_secrets(app: &App, endpoint: &Endpoint) {
    app.endpoint_secrets
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&context_of(endpoint));
}

pub(super) fn seal(app: &App, endpoint: &Endpoint, secret: &Secret) -> Result<String, Fault> {
    app.vault.seal(secret, &context_of(endpoint), &app.entropy)
}

/// What sealing an endpoint's secret is bound to.
fn context(merchant: &MerchantId, mode: Mode, id: &EndpointId) -> String {
    format!("{merchant}/{}/{id}", mode.as_str())
}

fn context_of(endpoint: &Endpoint) -> String {
    let head = &endpoint.head;
    context(&head.merchant, head.mode, &head.id)
}

pub(super) fn chance(app: &App) -> [u8; 64] {
    let mut chance = [0; 64];
    let halves = app.entropy.bytes().into_iter().chain(app.entropy.bytes());
    for (place, byte) in chance.iter_mut().zip(halves) {
        *place = byte;
    }
    chance
}
