//! HitPay: payment requests under `/v1`, the hosted page's addresses, the callback of a request.
//!
//! The files beside this one each do one direction: [`requests`] wire → call (its fields in
//! [`terms`]), [`replies`] reply → wire, [`refusals`] refusal → wire, [`webhooks`] event →
//! callback. What the contract leaves open and how it was read stands in `README.md` here.

pub mod refusals;
pub mod replies;
pub mod requests;
pub mod terms;
mod times;
pub mod webhooks;

use domain::call::Incoming;
use domain::delivery::{DeliveryRules, WhenDead};
use domain::limits::BODY_MAX;
use domain::{
    BillView, Credential, Event, Moment, Refusal, Reply, Secret, Seed, Span, Timestamp, WireId,
};
use http::Response;
use http::request::Parts;

use crate::{
    Dialect, Kind, Outgoing, PageOutcome, Profile, Signing, Site, Unsignable, WebhookBody,
};

/// The header that carries the merchant's key.
pub const KEY_HEADER: &str = "x-business-api-key";

/// The header that carries the key of a platform that acts for merchants.
const PLATFORM_HEADER: &str = "x-platform-key";

static PROFILE: Profile = Profile {
    name: "hitpay",
    title: "HitPay",
    prefixes: &[
        "/v1",
        "/payment-request",
        "/hitpay.js",
        "/hitpay-iframe.html",
    ],
    body_max: BODY_MAX,
    lists_addresses: false,
    openapi: include_str!("openapi.json"),
};

/// What the contract leaves to configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Write amounts of answers as `1,000.00`, exactly as the original service does. Off by
    /// default: several clients break on the comma, none needs it.
    pub thousands_commas: bool,
    /// The status for a missing or wrong key: 401, or 403 or 404 for clients that expect those.
    pub bad_key_status: u16,
    /// The least amount of a payment request in ten-thousandths of the major unit, the same
    /// number in every currency: 3000 is 0.3.
    pub least_amount: u32,
    /// Characters of a payer's `name`.
    pub name_max: usize,
    /// Characters of a payer's `phone`.
    pub phone_max: usize,
    /// Characters of the address of a `webhook`.
    pub webhook_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            thousands_commas: false,
            bad_key_status: 401,
            least_amount: 3_000,
            name_max: 255,
            phone_max: 32,
            webhook_max: 2_048,
        }
    }
}

/// The dialect.
#[derive(Debug)]
pub struct HitPay;

impl Dialect for HitPay {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn credential(&self, head: &Parts, _body: &[u8]) -> Result<Credential, Refusal> {
        // No platform is registered here, so every platform's key is a wrong one; to ignore it
        // would be to leave out the platform's share without a word.
        if head.headers.contains_key(PLATFORM_HEADER) {
            return Err(Refusal::Unauthenticated);
        }
        let key = head
            .headers
            .get(KEY_HEADER)
            .and_then(|value| value.to_str().ok());
        match key.map(str::trim) {
            Some(key) if !key.is_empty() => Ok(Credential::Key(Secret::new(key.to_owned()))),
            Some(_) | None => Err(Refusal::Unauthenticated),
        }
    }

    fn decode(
        &self,
        site: &Site,
        now: Timestamp,
        head: &Parts,
        body: &[u8],
    ) -> Result<Incoming, Refusal> {
        requests::decode(site, now, head, body)
    }

    fn encode(&self, site: &Site, head: &Parts, reply: &Reply) -> Response<Vec<u8>> {
        replies::encode(site, head, reply)
    }

    fn refuse(&self, site: &Site, head: &Parts, refusal: &Refusal) -> Response<Vec<u8>> {
        refusals::refuse(&site.hitpay, head, refusal)
    }

    fn mint(&self, kind: Kind, now: Timestamp, seed: &Seed) -> WireId {
        let moment = Moment {
            now,
            seed: seed.clone(),
        };
        let label = match kind {
            Kind::Bill => "hitpay payment request",
            Kind::Payment => "hitpay charge",
            Kind::Endpoint => "hitpay webhook event",
        };
        WireId::from(moment.uuid(label))
    }

    fn webhooks(&self, event: &Event) -> Vec<WebhookBody> {
        webhooks::callbacks(event)
    }

    fn sign(&self, signing: &Signing<'_>) -> Result<Outgoing, Unsignable> {
        Ok(Outgoing {
            headers: Vec::new(),
            body: webhooks::signed(signing.body, signing.secret()?),
        })
    }

    fn delivery(&self) -> DeliveryRules {
        DeliveryRules {
            retries: [1, 5, 30, 120, 360].map(Span::from_minutes).to_vec(),
            timeout: Span::from_seconds(30),
            user_agent: "Florin (HitPay v1)".to_owned(),
            jitter_percent: 0,
            retry_after: true,
            gone_ends: false,
            warn_after: Some(Span::from_minutes(60)),
            dead_after: Some(Span::from_minutes(5 * 24 * 60)),
            when_dead: WhenDead::Pause,
        }
    }

    fn return_url(&self, view: &BillView, outcome: PageOutcome) -> Option<String> {
        let url = view.bill.ask.return_url.as_deref()?;
        Some(replies::return_url(
            url,
            view.bill.head.wire.as_str(),
            outcome,
        ))
    }

    fn page_path(&self, _site: &Site, view: &BillView) -> String {
        replies::page_path(view)
    }
}
