//! Standard Webhooks (<https://www.standardwebhooks.com>): the scheme of Florin's own, for
//! endpoints that a merchant registers once for the events of all dialects.
//!
//! It is no [`crate::Dialect`], because it has no API: it only makes bodies and signs them. What
//! it promises:
//!
//! * **Neutral words.** The topic is the name of the fact; the body tells of the objects in the
//!   terms of `domain`, whatever dialect they came through.
//! * **One id per delivery.** `webhook-id` is the same on every attempt, so that a receiver can
//!   tell a repeated delivery from a new one; `webhook-timestamp` and the signature are new.
//! * **Nothing secret.** No secret, no full card number, and nothing about the payer but the
//!   masked card: whoever needs more asks the API.

pub mod body;
pub mod secret;

use domain::delivery::{DeliveryRules, WhenDead};
use domain::{Event, Span};

use crate::{Outgoing, Signing, Target, Unsignable, WebhookBody, sign};

/// The name of the scheme, where a dialect has its own: in the database, in metrics.
pub const NAME: &str = "standard";

/// Header with the id of the delivery.
pub const ID: &str = "webhook-id";
/// Header with the time of the attempt: seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// Header with one signature per valid secret, separated by blanks.
pub const SIGNATURE: &str = "webhook-signature";

/// How far a receiver lets the time of an attempt be off; what the official libraries allow.
pub const TOLERANCE: Span = Span::from_minutes(5);

/// The body that an event gives: every event gives one, for all endpoints that want its topic.
pub fn bodies(event: &Event) -> Option<WebhookBody> {
    Some(WebhookBody {
        topic: event.fact.as_str().to_owned(),
        to: Target::Endpoints,
        subject: event.object().to_owned(),
        content_type: "application/json",
        body: body::of(event)?,
    })
}

/// The headers of one attempt; the body goes out as it is. There is one signature for each secret
/// that is well formed (see [`secret::key`]), the newest secret's first; none is no signature.
pub fn sign(signing: &Signing<'_>) -> Result<Outgoing, Unsignable> {
    let timestamp = signing.now.millis().div_euclid(1_000);
    let signatures: Vec<String> = signing
        .secrets
        .iter()
        .filter_map(|secret| secret::key(secret).ok())
        .map(|key| {
            sign::standard_signature(&key, signing.delivery, timestamp, signing.body.as_bytes())
        })
        .collect();
    if signatures.is_empty() {
        return Err(Unsignable);
    }
    Ok(Outgoing {
        headers: vec![
            (ID.to_owned(), signing.delivery.to_owned()),
            (TIMESTAMP.to_owned(), timestamp.to_string()),
            (SIGNATURE.to_owned(), signatures.join(" ")),
        ],
        body: signing.body.to_owned(),
    })
}

/// When deliveries are tried again: ten attempts within a day. An endpoint that asks for patience
/// gets it, one that says it is gone is not asked again, and one that took nothing for five days
/// is paused, with a warning to the merchant's other endpoints after one.
pub fn delivery() -> DeliveryRules {
    let hour = |count: u64| Span::from_minutes(60 * count);
    DeliveryRules {
        retries: vec![
            Span::from_seconds(5),
            Span::from_minutes(5),
            Span::from_minutes(30),
            hour(2),
            hour(5),
            hour(10),
            hour(14),
            hour(20),
            hour(24),
        ],
        timeout: Span::from_seconds(20),
        user_agent: "Florin-Webhooks/1.0".to_owned(),
        jitter_percent: 10,
        retry_after: true,
        gone_ends: true,
        warn_after: Some(hour(24)),
        dead_after: Some(hour(5 * 24)),
        when_dead: WhenDead::Pause,
    }
}
