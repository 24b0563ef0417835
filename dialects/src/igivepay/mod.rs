//! iGivePay: payments by gift card under `/api/v1`, their page under `/pay`.
//!
//! The files beside this one each do one direction: [`requests`] wire → call, [`replies`] reply →
//! wire, [`refusals`] refusal → wire, [`webhooks`] event → notification. What the contract leaves
//! open and how it was read stands in `README.md` here.

pub mod refusals;
pub mod replies;
pub mod requests;
pub mod webhooks;

use domain::call::Incoming;
use domain::delivery::{DeliveryRules, WhenDead};
use domain::limits::BODY_MAX;
use domain::{
    BillView, Credential, Currency, Event, Moment, Refusal, Reply, Secret, Seed, Span, Timestamp,
    WireId,
};
use http::Response;
use http::request::Parts;

use crate::{
    Dialect, Kind, Outgoing, PageOutcome, Profile, Signing, Site, Unsignable, WebhookBody, sign,
};

/// The header with the client's id.
pub const ID_HEADER: &str = "x-client-id";

/// The header with the client's secret.
pub const SECRET_HEADER: &str = "x-client-secret";

/// The header of a webhook that signs its body.
pub const SIGNATURE_HEADER: &str = "x-igive-signature";

/// The only currency of this API: amounts carry none.
const CURRENCY: &str = "NOK";

/// The dialect's name.
pub const NAME: &str = "igivepay";

static PROFILE: Profile = Profile {
    name: NAME,
    title: "iGivePay",
    prefixes: &["/api/v1", "/pay", "/card-gen", "/docs-v1"],
    body_max: BODY_MAX,
    lists_addresses: false,
    openapi: include_str!("openapi.json"),
};

/// What nobody published and configuration may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What the tokens of payment pages are made with.
    pub token_key: Secret,
    /// How long a payment and its page live.
    pub page_time: Span,
    /// How long a charged payment can be cancelled.
    pub undo_within: Span,
    /// The most that a payment may ask for, in øre.
    pub most: i64,
    /// Characters of a `reference`.
    pub reference_max: usize,
    /// Characters of an address.
    pub url_max: usize,
    /// Cards in one call, and on a page at a time.
    pub cards_max: usize,
    /// Cards that one call of the generator of test cards may make.
    pub generated_max: usize,
    /// How often a minute a visitor may call it.
    pub generated_per_minute: u32,
    /// Bytes of a body.
    pub body_max: usize,
    /// Where payers go when a hosted payment names no address.
    pub return_url: Option<String>,
}

impl Options {
    /// The defaults, with a key for page tokens. Whoever has the key can open any page.
    pub fn new(token_key: Secret) -> Self {
        Self {
            token_key,
            page_time: Span::from_minutes(60),
            undo_within: Span::from_minutes(24 * 60),
            most: 100_000_000,
            reference_max: 255,
            url_max: 2_048,
            cards_max: 10,
            generated_max: 50,
            generated_per_minute: 60,
            body_max: BODY_MAX,
            return_url: None,
        }
    }

    /// The token of a payment's page. It needs no storage: it is bound to the payment, and ends
    /// with it.
    pub fn page_token(&self, payment: &WireId) -> String {
        let text = format!("igivepay page {payment}");
        sign::hmac_sha256_hex(&self.token_key, text.as_bytes())
    }

    /// Does this token open the payment's page? Compared in constant time. Without a key none
    /// does.
    pub fn opens(&self, payment: &WireId, token: &str) -> bool {
        !self.token_key.expose().is_empty() && sign::same(&self.page_token(payment), token)
    }
}

/// The currency in which amounts of this API are.
pub(crate) fn currency() -> Result<Currency, Refusal> {
    Currency::parse_exact(CURRENCY).map_err(|_| Refusal::Unavailable(Span::from_seconds(1)))
}

/// The dialect.
#[derive(Debug)]
pub struct IGivePay;

impl Dialect for IGivePay {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn credential(&self, head: &Parts, _body: &[u8]) -> Result<Credential, Refusal> {
        let header = |name: &str| {
            let text = head.headers.get(name)?.to_str().ok()?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        match (header(ID_HEADER), header(SECRET_HEADER)) {
            (Some(id), Some(secret)) => Ok(Credential::Pair {
                id,
                secret: Secret::new(secret),
            }),
            _ => Err(Refusal::Unauthenticated),
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

    fn refuse(&self, _site: &Site, head: &Parts, refusal: &Refusal) -> Response<Vec<u8>> {
        refusals::refuse(head, refusal)
    }

    fn mint(&self, kind: Kind, now: Timestamp, seed: &Seed) -> WireId {
        let moment = Moment {
            now,
            seed: seed.clone(),
        };
        let label = match kind {
            Kind::Bill => "igivepay payment",
            Kind::Payment => "igivepay deduction",
            Kind::Endpoint => "igivepay endpoint",
        };
        WireId::from(moment.random_uuid(label))
    }

    fn webhooks(&self, event: &Event) -> Vec<WebhookBody> {
        webhooks::notifications(event)
    }

    fn body_max(&self, site: &Site) -> usize {
        site.igivepay.body_max
    }

    fn sign(&self, signing: &Signing<'_>) -> Result<Outgoing, Unsignable> {
        let signature = sign::igivepay_signature(signing.body.as_bytes(), signing.secret()?);
        Ok(Outgoing {
            headers: vec![(SIGNATURE_HEADER.to_owned(), signature)],
            body: signing.body.to_owned(),
        })
    }

    fn delivery(&self) -> DeliveryRules {
        DeliveryRules {
            retries: [1, 5, 15, 60, 360].map(Span::from_minutes).to_vec(),
            timeout: Span::from_seconds(10),
            user_agent: "Florin (iGivePay)".to_owned(),
            jitter_percent: 0,
            retry_after: true,
            gone_ends: false,
            warn_after: Some(Span::from_minutes(60)),
            dead_after: None,
            when_dead: WhenDead::Pause,
        }
    }

    fn return_url(&self, view: &BillView, outcome: PageOutcome) -> Option<String> {
        replies::return_url(view, outcome)
    }

    fn page_path(&self, site: &Site, view: &BillView) -> String {
        replies::page_path(&site.igivepay, view)
    }
}
