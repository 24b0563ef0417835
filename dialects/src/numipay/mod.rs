//! Numipay: deposits on a cashier, direct, or with card data; payouts with approval; transactions.
//!
//! The files beside this one each do one direction: [`requests`] wire → call (its fields in
//! [`terms`]), [`replies`] reply → wire, [`refusals`] refusal → wire, [`webhooks`] event →
//! webhook. What the contract leaves open and how it was read stands in `README.md` here.

pub mod refusals;
pub mod replies;
pub mod requests;
pub mod terms;
mod times;
pub mod webhooks;

use domain::call::Incoming;
use domain::delivery::{DeliveryRules, WhenDead};
use domain::payout::Stages;
use domain::{
    BillView, Call, Credential, Event, Mode, Refusal, Reply, Secret, Seed, Span, Timestamp, WireId,
};
use http::Response;
use http::request::Parts;

use crate::fields::EMAIL_MAX;
use crate::{
    Dialect, Kind, Outgoing, PageOutcome, Profile, Signing, Site, Unsignable, WebhookBody, sign,
};

/// The header that carries the merchant's key.
pub const KEY_HEADER: &str = "x-api-key";

/// The header that carries a webhook's signature.
pub const SIGNATURE_HEADER: &str = "x-signature";

/// The name in the database, in metrics, in configuration.
pub const NAME: &str = "numipay";

static PROFILE: Profile = Profile {
    name: NAME,
    title: "Numipay",
    prefixes: &["/gateway/v1", "/cashier", "/3ds"],
    body_max: 64 * 1024,
    lists_addresses: true,
    openapi: include_str!("openapi.json"),
};

/// What nobody published and is configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a deposit can be paid.
    pub deposit_life: Span,
    /// How long each stage of a payout may take.
    pub payout: Stages,
    /// Digits of an amount before its point.
    pub amount_digits: usize,
    /// Characters of `user_id`.
    pub user_max: usize,
    /// Characters of `description`.
    pub description_max: usize,
    /// Characters of an address.
    pub url_max: usize,
    /// Characters of a first or a last name, and of a card's holder.
    pub name_max: usize,
    /// Characters of a telephone number.
    pub phone_max: usize,
    /// Characters of an e-mail address.
    pub email_max: usize,
    /// Bytes of a request body.
    pub body_max: usize,
    /// Days between the first and the last day of a list.
    pub list_days: u32,
    /// Calls of a merchant in a minute, in one mode; zero is no limit.
    pub calls_per_minute: u32,
}

impl Default for Options {
    fn default() -> Self {
        let day = Span::from_minutes(24 * 60);
        Self {
            deposit_life: day,
            payout: Stages {
                user: day,
                approval: Span::from_minutes(30 * 24 * 60),
                rail: Span::from_seconds(2),
            },
            amount_digits: 12,
            user_max: 64,
            description_max: 255,
            url_max: 2_048,
            name_max: 64,
            phone_max: 32,
            email_max: EMAIL_MAX,
            body_max: PROFILE.body_max,
            list_days: 7,
            calls_per_minute: 0,
        }
    }
}

/// What a key begins with, so that nobody mistakes one mode's for the other's.
pub fn key_prefix(mode: Mode) -> &'static str {
    match mode {
        Mode::Test => "np_dev_",
        Mode::Live => "np_live_",
    }
}

/// A signature password in the shape of the reference document's example: mode, company, and
/// `chance`, of which at least 32 characters are kept.
pub fn signature_password(mode: Mode, company: &str, chance: &str) -> String {
    let company: String = company
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .take(11)
        .collect();
    let chance: String = chance.chars().take(32).collect();
    format!("spg_{}_{company}{chance}", mode.as_str())
}

/// The dialect.
#[derive(Debug)]
pub struct Numipay;

impl Dialect for Numipay {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn credential(&self, head: &Parts, _body: &[u8]) -> Result<Credential, Refusal> {
        key(head)
            .map(|key| Credential::Key(Secret::new(key.to_owned())))
            .ok_or(Refusal::Unauthenticated)
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

    fn encode(&self, site: &Site, _head: &Parts, reply: &Reply) -> Response<Vec<u8>> {
        replies::encode(site, reply)
    }

    fn refuse(&self, _site: &Site, head: &Parts, refusal: &Refusal) -> Response<Vec<u8>> {
        refusals::refuse(head, refusal)
    }

    fn mint(&self, kind: Kind, _now: Timestamp, seed: &Seed) -> WireId {
        replies::short_id(kind, seed)
    }

    fn webhooks(&self, event: &Event) -> Vec<WebhookBody> {
        webhooks::bodies(event)
    }

    fn sign(&self, signing: &Signing<'_>) -> Result<Outgoing, Unsignable> {
        let signature = sign::numipay_signature(signing.body.as_bytes(), signing.secret()?);
        Ok(Outgoing {
            headers: vec![(SIGNATURE_HEADER.to_owned(), signature)],
            body: signing.body.to_owned(),
        })
    }

    fn topics(&self) -> &'static [&'static str] {
        webhooks::TOPICS
    }

    fn body_max(&self, site: &Site) -> usize {
        site.numipay.body_max
    }

    fn calls_per_minute(&self, site: &Site, _call: &Call) -> u32 {
        site.numipay.calls_per_minute
    }

    fn delivery(&self) -> DeliveryRules {
        DeliveryRules {
            // Fifteen attempts in all, five minutes apart.
            retries: (1..15).map(|n| Span::from_minutes(n * 5)).collect(),
            timeout: Span::from_seconds(10),
            user_agent: "Florin (Numipay)".to_owned(),
            jitter_percent: 0,
            retry_after: false,
            gone_ends: false,
            warn_after: Some(Span::from_minutes(60)),
            dead_after: None,
            when_dead: WhenDead::Pause,
        }
    }

    fn return_url(&self, view: &BillView, _outcome: PageOutcome) -> Option<String> {
        replies::deposit_return(view)
    }

    fn page_path(&self, _site: &Site, view: &BillView) -> String {
        replies::deposit_page(view)
    }

    // One password for the whole account and mode, wherever its webhooks go.
    fn signs_with_account(&self) -> bool {
        true
    }

    fn payout_stages(&self, site: &Site) -> Stages {
        site.numipay.payout
    }
}

/// The key in the head, if there is one.
fn key(head: &Parts) -> Option<&str> {
    let key = head.headers.get(KEY_HEADER)?.to_str().ok()?.trim();
    (!key.is_empty()).then_some(key)
}
