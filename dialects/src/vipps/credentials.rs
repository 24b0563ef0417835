//! The headers that say who calls. Client headers beside a bearer token mean nothing; on webhook
//! calls they stand in for a missing one, because the published quick start has them there.

use domain::{AccountProof, Credential, Flaw, Proof, Refusal, Secret};
use http::HeaderMap;
use http::request::Parts;

use super::paths::{self, Api};

/// The subscription key.
pub const KEY: &str = "ocp-apim-subscription-key";

/// The number of the sales unit.
pub const SERIAL: &str = "merchant-serial-number";

/// Characters of each part of a program's name that the log keeps.
const SOFTWARE_MAX: usize = 100;

/// The credential of a request.
pub fn credential(head: &Parts) -> Result<Credential, Refusal> {
    let headers = &head.headers;
    let api = paths::api(head.uri.path()).ok_or(Refusal::UnknownRoute)?;
    let key = text(headers, KEY).ok_or(Refusal::Credential(Flaw::KeyMissing))?;
    let proof = match api {
        // An old or empty bearer token on the token call is resent by several clients.
        Api::Token => of_client(headers)?,
        Api::Payments => bearer(headers).ok_or(Refusal::Credential(Flaw::TokenMissing))?,
        Api::Webhooks => bearer(headers)
            .or_else(|| client(headers))
            .ok_or(Refusal::Credential(Flaw::TokenMissing))?,
    };
    let number = text(headers, SERIAL);
    if api != Api::Token && number.is_none() {
        return Err(Refusal::Credential(Flaw::NumberMissing));
    }
    // Optional on the token call, where clients also send it empty or wrong.
    let number = number.filter(|_| api != Api::Token);
    Ok(Credential::Account(Box::new(AccountProof {
        proof,
        key: Secret::new(key),
        number,
    })))
}

/// The id and secret that a token is issued for.
pub fn of_client(headers: &HeaderMap) -> Result<Proof, Refusal> {
    client(headers).ok_or(Refusal::Credential(Flaw::Client))
}

/// A header that is there and not blank.
pub fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Is this a webhook call as the first quick start has it: client headers, no bearer token?
pub fn is_first_quick_start(head: &Parts) -> bool {
    paths::api(head.uri.path()) == Some(Api::Webhooks) && !has_bearer(&head.headers)
}

/// The software that calls, by its own words: names and versions of a system and a plugin. They
/// are never required and never checked; clients send empty and long ones.
pub fn software(headers: &HeaderMap) -> Option<String> {
    let part = |name: &str| {
        let text = text(headers, name)?;
        Some(text.chars().take(SOFTWARE_MAX).collect::<String>())
    };
    let both = |name: &str, version: &str| match (part(name), part(version)) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (name, version) => name.or(version),
    };
    let system = both("vipps-system-name", "vipps-system-version");
    let plugin = both("vipps-system-plugin-name", "vipps-system-plugin-version");
    let named: Vec<String> = [system, plugin].into_iter().flatten().collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// Is there a bearer token?
pub fn has_bearer(headers: &HeaderMap) -> bool {
    bearer(headers).is_some()
}

fn bearer(headers: &HeaderMap) -> Option<Proof> {
    let text = text(headers, "authorization")?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty();
    fits.then(|| Proof::Token(Secret::new(token.to_owned())))
}

fn client(headers: &HeaderMap) -> Option<Proof> {
    Some(Proof::Client {
        id: text(headers, "client_id")?,
        secret: Secret::new(text(headers, "client_secret")?),
    })
}
