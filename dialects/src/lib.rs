//! The wire formats that Florin speaks: bytes in, a [`domain::Call`] out; a [`Reply`] or a
//! [`Refusal`] in, bytes out.
//!
//! Promises of this crate:
//!
//! * **Translation only.** No SQL, no async, no clock, no chance. A dialect cannot do anything; it
//!   says what was asked for and writes down what was answered.
//! * **Apart.** No dialect names another. What several need (forms, JSON, signing) stands beside
//!   this file.
//! * **Never a panic.** Arbitrary bytes from a client give a call or a refusal.
//!
//! A new dialect is one folder with the same files as [`hitpay`] and one line in [`ALL`].
#![deny(clippy::float_arithmetic, clippy::wildcard_enum_match_arm)]

pub mod base64;
pub mod fields;
pub mod form;
pub mod hitpay;
pub mod igivepay;
pub mod json;
pub mod nearest;
pub mod numipay;
pub mod repeat;
pub mod sign;
pub mod standard;
pub mod verify;
pub mod vipps;

use std::sync::Arc;

use domain::call::Incoming;
use domain::delivery::DeliveryRules;
use domain::{
    Ask, Bill, Call, Credential, Event, Money, Refusal, Reply, Secret, Seed, Timestamp, WireId,
};
use http::Response;
use http::request::Parts;

/// Every dialect, in the order in which their paths are asked for.
pub const ALL: &[&dyn Dialect] = &[
    &hitpay::HitPay,
    &vipps::Vipps,
    &numipay::Numipay,
    &igivepay::IGivePay,
];

/// What a dialect is, as data.
#[derive(Debug)]
pub struct Profile {
    /// The name in the database, in metrics, in configuration: `hitpay`.
    pub name: &'static str,
    /// The name for people: `HitPay`.
    pub title: &'static str,
    /// The first segments of the paths it owns: a path belongs to the dialect if it is one of
    /// these or begins with one and a slash.
    pub prefixes: &'static [&'static str],
    /// Bytes of the largest request body, unless configuration says otherwise.
    pub body_max: usize,
    /// Do its merchants list the networks that their calls may come from?
    pub lists_addresses: bool,
    /// The OpenAPI 3.1 document of the calls that are served, as JSON.
    pub openapi: &'static str,
}

/// What a dialect must know of the place it is served at.
#[derive(Clone, Debug)]
pub struct Site {
    /// Scheme, host and port without a final slash, as browsers reach us.
    pub public_url: String,
    /// May webhooks and return addresses be plain http or lie on this machine? Only in test mode.
    pub insecure_targets: bool,
    /// Where webhooks may go, where not everywhere.
    pub targets: Targets,
    /// Settings of the HitPay dialect.
    pub hitpay: hitpay::Options,
    /// Settings of the Vipps MobilePay dialect.
    pub vipps: vipps::Options,
    /// Times and limits of reservations.
    pub reservations: domain::reservation::Rules,
    /// Settings of the Numipay dialect.
    pub numipay: numipay::Options,
    /// Settings of the iGivePay dialect.
    pub igivepay: igivepay::Options,
    /// How often gift cards may be guessed.
    pub guesses: domain::guess::Rules,
}

impl Site {
    /// Gift cards that may be on one bill at a time.
    pub fn gift_cards_max(&self) -> usize {
        self.igivepay.cards_max
    }

    /// How long the page lives of a bill that gift cards pay first of all.
    pub fn gift_page_time(&self) -> domain::Span {
        self.igivepay.page_time
    }

    /// Where payers of such a bill go if neither its call nor its merchant names an address.
    pub fn gift_return_url(&self) -> Option<&String> {
        self.igivepay.return_url.as_ref()
    }

    /// What the address of a webhook must be.
    pub fn webhook(&self, max: usize) -> fields::UrlRule<'_> {
        fields::UrlRule {
            max,
            insecure: self.insecure_targets,
            targets: Some(&self.targets),
        }
    }

    /// A sandbox at this address: every setting as it is by default, and targets on this machine
    /// allowed.
    pub fn sandbox(public_url: &str) -> Self {
        Self {
            public_url: public_url.to_owned(),
            insecure_targets: true,
            targets: Targets::default(),
            hitpay: hitpay::Options::default(),
            vipps: vipps::Options::default(),
            reservations: domain::reservation::Rules::default(),
            numipay: numipay::Options::default(),
            // Whoever serves pages gives it a key; without one no page opens.
            igivepay: igivepay::Options::new(Secret::new(String::new())),
            guesses: domain::guess::Rules::default(),
        }
    }
}

/// Whoever sends webhooks, as a question about an address: may they go there, and if not, which
/// rule says so and which setting would permit it?
#[derive(Clone, Default)]
pub struct Targets(Option<Arc<Judge>>);

type Judge = dyn Fn(&str) -> Result<(), String> + Send + Sync;

impl Targets {
    /// Somebody who is asked by this function.
    pub fn new(asked: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(asked)))
    }

    /// May webhooks go to this address? Nothing if there is nobody to ask.
    pub fn judge(&self, url: &str) -> Option<Result<(), String>> {
        self.0.as_ref().map(|asked| asked(url))
    }
}

impl std::fmt::Debug for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Targets")
    }
}

/// Under which name the extras of a bill keep the id of a [`Choice`].
pub const CHOSEN: &str = "chosen";

/// Something that a payer chooses beside paying, like a way of delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The merchant's id of it.
    pub id: String,
    /// The merchant's name for it.
    pub name: String,
    /// What it adds to the amount; zero adds nothing.
    pub price: Money,
}

/// What a request says of itself, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The software that calls, by its own words.
    pub software: Option<String>,
    /// Something that works and should not be used any more.
    pub deprecated: Option<&'static str>,
    /// Names of fields that mean nothing.
    pub ignored: Vec<String>,
}

/// What a registered endpoint has beside what its owner asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// How many there may be.
    pub topic_max: Option<domain::TopicMax>,
    /// What only the dialect cares about.
    pub extras: serde_json::Map<String, serde_json::Value>,
}

/// What one kind of id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bill.
    Bill,
    /// A payment.
    Payment,
    /// A registered endpoint for webhooks.
    Endpoint,
}

/// A webhook as the event made it: stored once, sent as often as needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookBody {
    /// What it announces, in the dialect's word: `payment_request.completed`.
    pub topic: String,
    /// Where it goes.
    pub to: Target,
    /// What must arrive in order: deliveries of one subject to one target never overtake.
    pub subject: String,
    /// `Content-Type` of the body.
    pub content_type: &'static str,
    /// The body before signing.
    pub body: String,
}

/// Where a webhook goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To one address that came with the object.
    Url(String),
    /// To every endpoint that is registered for the topic.
    Endpoints,
}

/// What a scheme may use to sign one attempt.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// The valid secrets, newest first; never empty. All but the newest are being replaced, and end
    /// at a time that was said when that began.
    pub secrets: &'a [Secret],
    /// Where it goes.
    pub url: &'a str,
    /// The endpoint's id on the wire, if it goes to a registered one.
    pub endpoint: Option<&'a str>,
    /// Our id of the delivery: the same on every attempt.
    pub delivery: &'a str,
    /// What it announces.
    pub topic: &'a str,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The stored body.
    pub body: &'a str,
    /// The time of this attempt.
    pub now: Timestamp,
}

impl Signing<'_> {
    /// The secret of a scheme that knows one at a time: while one is replaced the old one, which
    /// the receiver is sure to have.
    pub fn secret(&self) -> Result<&Secret, Unsignable> {
        self.secrets.last().ok_or(Unsignable)
    }

    /// The secret that will sign alone once those before it have ended, if there are such.
    pub fn next_secret(&self) -> Option<&Secret> {
        let (newest, others) = self.secrets.split_first()?;
        (!others.is_empty()).then_some(newest)
    }
}

/// There is no secret to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsignable;

impl std::fmt::Display for Unsignable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there is no secret to sign with")
    }
}

impl std::error::Error for Unsignable {}

/// A webhook ready to be sent: final bytes, and headers besides content type and user agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// The bytes.
    pub body: String,
}

/// One provider's wire format.
pub trait Dialect: Sync {
    /// What it is, as data.
    fn profile(&self) -> &'static Profile;

    /// Does this path belong to it? By the rule of [`Profile::prefixes`], unless it reads paths
    /// more loosely.
    fn owns(&self, path: &str) -> bool {
        self.profile().prefixes.iter().any(|prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Bytes of the largest request body.
    fn body_max(&self, _site: &Site) -> usize {
        self.profile().body_max
    }

    /// The credential in the head or the body; a request without one is refused.
    fn credential(&self, head: &Parts, body: &[u8]) -> Result<Credential, Refusal>;

    /// What the request asks for. `now` is needed for dates that must lie ahead.
    fn decode(
        &self,
        site: &Site,
        now: Timestamp,
        head: &Parts,
        body: &[u8],
    ) -> Result<Incoming, Refusal>;

    /// The answer to a call.
    fn encode(&self, site: &Site, head: &Parts, reply: &Reply) -> Response<Vec<u8>>;

    /// The answer to a call that is refused, and to unknown paths below its prefixes.
    fn refuse(&self, site: &Site, head: &Parts, refusal: &Refusal) -> Response<Vec<u8>>;

    /// A new id on the wire.
    fn mint(&self, kind: Kind, now: Timestamp, seed: &Seed) -> WireId;

    /// The bodies that an event gives; none for most events.
    fn webhooks(&self, event: &Event) -> Vec<WebhookBody>;

    /// Signs a body; called anew for each attempt.
    fn sign(&self, signing: &Signing<'_>) -> Result<Outgoing, Unsignable>;

    /// A new secret for a registered endpoint, in the form the contract gives it, from chance.
    fn endpoint_secret(&self, chance: &[u8; 64]) -> Secret {
        Secret::new(domain::secret::hex(chance.get(..32).unwrap_or_default()))
    }

    /// What a registered endpoint has beside what its owner asks for; `number` is the public number
    /// of the owner's account, if there is one.
    fn registration(&self, _site: &Site, _number: Option<&str>) -> Registration {
        Registration::default()
    }

    /// Does the account's own secret sign what goes to registered endpoints as well?
    fn signs_with_account(&self) -> bool {
        false
    }

    /// Is the address part of what is signed? Whoever hands a webhook on must then sign anew.
    fn signs_address(&self) -> bool {
        false
    }

    /// The topics that a registered endpoint can ask for; none if the dialect sends its webhooks
    /// to the address of each payment alone.
    fn topics(&self) -> &'static [&'static str] {
        &[]
    }

    /// How long each stage of a payout may take.
    fn payout_stages(&self, _site: &Site) -> domain::payout::Stages {
        let day = domain::Span::from_minutes(24 * 60);
        domain::payout::Stages {
            user: day,
            approval: day,
            rail: domain::Span::from_seconds(2),
        }
    }

    /// How many calls like this one a merchant may make in a minute about the same object; zero is
    /// no limit.
    fn calls_per_minute(&self, _site: &Site, _call: &Call) -> u32 {
        0
    }

    /// What the log should say of a call beside what it did.
    fn notes(&self, _head: &Parts, _call: &Call) -> Notes {
        Notes::default()
    }

    /// What the payer of a bill chooses among before saying yes, the usual choice first; none for
    /// most bills.
    fn choices(&self, _bill: &Bill) -> Vec<Choice> {
        Vec::new()
    }

    /// May the payer whom the simulator plays pay this, as far as the merchant says who may?
    fn admits_payer(&self, _ask: &Ask, _now: Timestamp) -> bool {
        true
    }

    /// When deliveries are retried, before configuration changes it.
    fn delivery(&self) -> DeliveryRules;

    /// Where the browser goes after the page: the merchant's address with the arguments of the
    /// contract. `None` if the merchant gave no address.
    fn return_url(&self, view: &domain::BillView, outcome: PageOutcome) -> Option<String>;

    /// The path of the page where a bill is paid.
    fn page_path(&self, site: &Site, view: &domain::BillView) -> String;
}

/// The answer for a reply that none of a dialect's routes asks for.
pub fn not_offered() -> Response<Vec<u8>> {
    let mut response = Response::new(br#"{"message":"Not implemented"}"#.to_vec());
    *response.status_mut() = http::StatusCode::NOT_IMPLEMENTED;
    let json = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    response
}

/// How the payer left the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageOutcome {
    /// Paid.
    Paid,
    /// The payer cancelled.
    Cancelled,
}

/// The dialect that owns a path, if any does.
pub fn owner(path: &str) -> Option<&'static dyn Dialect> {
    ALL.iter().copied().find(|dialect| dialect.owns(path))
}

/// The dialect of this name, if there is one.
pub fn by_name(name: &str) -> Option<&'static dyn Dialect> {
    ALL.iter()
        .copied()
        .find(|dialect| dialect.profile().name == name)
}
