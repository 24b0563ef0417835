//! Access tokens: JWTs (HS256) that any node can check, because the key that signs them is sealed
//! in the database. A token ends with the client secret that it was issued for, and all tokens of
//! an account when the account is replaced.

use dialects::{Dialect, base64, sign};
use domain::{
    AccessToken, Caller, Flaw, MerchantId, Mode, Proof, Refusal, Reply, Secret, Timestamp,
};
use serde::{Deserialize, Serialize};
use store::{Failure, Fault};

use super::{accounts, merchants};
use crate::app::App;

/// `{"typ":"JWT","alg":"HS256"}`; a token with any other header is not ours.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

/// Characters of chance in a token. The real ones have more than a thousand; clients with short
/// columns should fail in their tests, not in production.
const FILLING: usize = 11;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: MerchantId,
    mode: Mode,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    /// The digest of the client secret that it was issued for; older tokens have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// What a token that is genuine and in time says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// To whom it was issued.
    pub merchant: MerchantId,
    /// In which mode.
    pub mode: Mode,
    /// The digest of the client secret that it was issued for; it holds as long as that does.
    pub key: Option<String>,
}

/// Issues a token to a caller who proved so to be one.
pub async fn issue(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    proof: &Proof,
) -> Result<Reply, Failure> {
    let rules = app.site.reservations.tokens;
    let issued = app.clock.now();
    let life = match caller.mode {
        Mode::Test => rules.test,
        Mode::Live => rules.live,
    };
    let expires = issued.plus(life);
    let seconds = |at: Timestamp| at.millis() / 1_000;
    let claims = Claims {
        iss: app.site.public_url.clone(),
        sub: caller.merchant.id.clone(),
        mode: caller.mode,
        iat: seconds(issued),
        nbf: seconds(issued),
        exp: seconds(expires),
        jti: (0..FILLING).map(|_| app.entropy.token()).collect(),
        key: match proof {
            Proof::Client { id, secret } => Some(accounts::client_digest(id, secret)),
            Proof::Token(_) => None,
        },
    };
    let claims = serde_json::to_vec(&claims)
        .map_err(|error| Fault(format!("claims of a token: {error}")))?;
    let signed = format!("{HEADER}.{}", url_safe(&base64::encode(&claims)));
    let key = signing_key(app, dialect, caller).await?;
    Ok(Reply::Token(AccessToken {
        text: format!("{signed}.{}", signature(&key, &signed)),
        issued,
        expires,
    }))
}

/// Whom a token was issued to, and for what. The message of a refusal says whether a new one would
/// help. Whether the secret it was issued for still holds is for the caller to look up.
pub async fn check(
    app: &App,
    dialect: &'static dyn Dialect,
    token: &Secret,
) -> Result<Issued, Failure> {
    let wrong = || Failure::Refused(Refusal::Credential(Flaw::TokenWrong));
    let (signed, given) = token.expose().rsplit_once('.').ok_or_else(wrong)?;
    let claims = signed
        .strip_prefix(HEADER)
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|claims| base64::decode(&with_padding(claims)))
        .ok_or_else(wrong)?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| wrong())?;
    // What the token says of itself only chooses the key that proves it.
    let name = key_name(dialect);
    let key = merchants::sealed(app, &name, &claims.sub, claims.mode).await?;
    let proven = key.is_some_and(|key| sign::same(&signature(&key, signed), given));
    if !proven {
        return Err(wrong());
    }
    let grace = app.site.reservations.tokens.grace;
    let end = Timestamp::from_millis(claims.exp.saturating_mul(1_000)).plus(grace);
    if end <= app.clock.now() {
        return Err(Refusal::Credential(Flaw::TokenExpired).into());
    }
    Ok(Issued {
        merchant: claims.sub,
        mode: claims.mode,
        key: claims.key,
    })
}

/// The name under which the key that signs tokens is sealed.
pub(super) fn key_name(dialect: &dyn Dialect) -> String {
    format!("{}/token", dialect.profile().name)
}

/// The key that signs a merchant's tokens, made when it is first needed. Of two nodes that make
/// one at once the first wins.
async fn signing_key(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
) -> Result<Secret, Failure> {
    let name = key_name(dialect);
    let (merchant, mode) = (&caller.merchant.id, caller.mode);
    if let Some(key) = merchants::sealed(app, &name, merchant, mode).await? {
        return Ok(key);
    }
    let fresh = Secret::new(app.entropy.token());
    merchants::seal_once(app, &name, caller, &fresh).await?;
    merchants::sealed(app, &name, merchant, mode)
        .await?
        .ok_or_else(|| Fault("the key of tokens was not kept".to_owned()).into())
}

fn signature(key: &Secret, signed: &str) -> String {
    let key = key.expose().as_bytes();
    url_safe(&sign::hmac_sha256_base64(key, signed.as_bytes()))
}

/// Base64 as JWTs write it: two other letters, no padding.
fn url_safe(text: &str) -> String {
    text.trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_")
}

/// The way back, padding included.
fn with_padding(text: &str) -> String {
    let mut text = text.replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_it_is() {
        let header = base64::decode(&with_padding(HEADER)).unwrap();
        assert_eq!(header, br#"{"typ":"JWT","alg":"HS256"}"#);
    }

    #[test]
    fn the_example_of_jwt_io_is_signed_so() {
        let signed = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6I\
                      kpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ";
        let key = Secret::new("your-256-bit-secret".to_owned());
        assert_eq!(
            signature(&key, signed),
            "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
        );
    }
}
