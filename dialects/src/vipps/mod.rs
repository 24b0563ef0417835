//! Vipps MobilePay: the access token, webhook registrations and ePayment.
//!
//! The files beside this one each do one direction: [`requests`] wire → call (what a path names in
//! [`paths`], the fields of create in [`terms`]), [`credentials`] the headers that say who calls,
//! [`replies`] reply → wire, [`refusals`] refusal → wire (the shapes in [`problem`], the numbered
//! errors in [`codes`]), [`webhooks`] event → signed delivery. What the contract leaves open and
//! how it was read stands in `README.md` here.

pub mod codes;
pub mod credentials;
pub mod delivery;
pub mod paths;
mod person;
pub mod picture;
pub mod problem;
pub mod refusals;
pub mod replies;
pub mod requests;
pub mod terms;
mod times;
pub mod topics;
pub mod webhooks;

use domain::call::Incoming;
use domain::delivery::{DeliveryRules, WhenDead};
use domain::limits::BODY_MAX;
use domain::secret::hex;
use domain::{
    Ask, Bill, BillView, Call, Credential, Event, Moment, Refusal, Reply, ReservationCall, Secret,
    Seed, Span, Timestamp, WireId,
};
use http::Response;
use http::request::Parts;

use crate::{
    Choice, Dialect, Kind, Notes, Outgoing, PageOutcome, Profile, Registration, Signing, Site,
    Unsignable, WebhookBody, base64,
};

/// The dialect's name.
pub const NAME: &str = "vipps";

/// Where the payer is sent: the query name `token` is part of the contract, the path is ours.
pub const LANDING: &str = "/landing";

/// Where the picture of a payment's QR code lies.
pub const QR_PICTURE: &str = "/landing/qr";

/// An endpoint that failed for a week is announced; after two it is removed.
const WEEK: Span = Span::from_minutes(7 * 24 * 60);

static PROFILE: Profile = Profile {
    name: NAME,
    title: "Vipps MobilePay",
    prefixes: &["/accesstoken", "/epayment", "/webhooks/v1"],
    body_max: BODY_MAX,
    lists_addresses: false,
    openapi: include_str!("openapi.json"),
};

/// What the contract leaves to configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Does a `client_id` with its `client_secret` stand in for a bearer token on webhook calls,
    /// as the quick start has it?
    pub client_headers: bool,
    /// Registrations per event type.
    pub registrations_max: u32,
    /// Registrations of `user.checked-in.v1`.
    pub check_in_registrations_max: u32,
    /// The most that a payment may ask for, in minor units.
    pub most_amount: i64,
    /// What sales units may not do.
    pub denied: Vec<Feature>,
    /// Refuses what the real service is said to refuse and deployed clients send all the same: a
    /// list as the body of cancel.
    pub strict: bool,
}

/// What the real service lets a sales unit do after an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Payments with delivery.
    Express,
    /// To be told about the payer.
    Scope,
    /// Payments with `expiresAt`.
    LongLiving,
    /// Requests that go straight to a telephone.
    PushMessage,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Express,
        Self::Scope,
        Self::LongLiving,
        Self::PushMessage,
    ];

    /// The word in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Express => "express",
            Self::Scope => "scope",
            Self::LongLiving => "long_living",
            Self::PushMessage => "push_message",
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client_headers: true,
            registrations_max: 25,
            check_in_registrations_max: 1,
            most_amount: 65_000_000,
            denied: Vec::new(),
            strict: false,
        }
    }
}

/// The dialect.
#[derive(Debug)]
pub struct Vipps;

impl Dialect for Vipps {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn owns(&self, path: &str) -> bool {
        paths::is_ours(path)
    }

    fn credential(&self, head: &Parts, _body: &[u8]) -> Result<Credential, Refusal> {
        credentials::credential(head)
    }

    fn decode(
        &self,
        site: &Site,
        _now: Timestamp,
        head: &Parts,
        body: &[u8],
    ) -> Result<Incoming, Refusal> {
        requests::decode(site, head, body)
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
        match kind {
            // The token of the landing page: whoever has it may pay, so it is long.
            Kind::Bill => {
                let uuid = moment.uuid("vipps landing");
                let more = hex(&seed.derive("vipps landing token"));
                let token = format!("{}{more}", uuid.simple());
                WireId::new(token).unwrap_or_else(|_| WireId::from(uuid))
            }
            Kind::Endpoint => WireId::from(moment.uuid("vipps webhook")),
            Kind::Payment => WireId::from(moment.uuid("vipps psp reference")),
        }
    }

    fn webhooks(&self, event: &Event) -> Vec<WebhookBody> {
        webhooks::bodies(event)
    }

    fn sign(&self, signing: &Signing<'_>) -> Result<Outgoing, Unsignable> {
        webhooks::signed(signing)
    }

    fn signs_address(&self) -> bool {
        true
    }

    fn topics(&self) -> &'static [&'static str] {
        topics::ALL
    }

    fn registration(&self, site: &Site, number: Option<&str>) -> Registration {
        requests::registered(site, number)
    }

    /// 88 characters. The documentation's samples are shorter; clients with short columns should
    /// fail in their tests, not in production.
    fn endpoint_secret(&self, chance: &[u8; 64]) -> Secret {
        Secret::new(base64::encode(chance))
    }

    /// Payments are counted by their reference, everything else by the merchant.
    fn calls_per_minute(&self, site: &Site, call: &Call) -> u32 {
        let limits = &site.reservations.limits;
        match call {
            Call::IssueToken(_) => limits.tokens,
            Call::RegisterEndpoint(_)
            | Call::ListEndpoints
            | Call::ShowEndpoint(_)
            | Call::ChangeEndpoint(..)
            | Call::RemoveEndpoint(_) => limits.webhooks,
            Call::Reservation(call) => match call {
                ReservationCall::Create(..) => limits.create,
                ReservationCall::Show(_) | ReservationCall::Log(_) => limits.read,
                ReservationCall::Capture(..)
                | ReservationCall::Refund(..)
                | ReservationCall::Cancel { .. } => limits.change,
                ReservationCall::Approve { .. } | ReservationCall::Unsound { .. } => 0,
            },
            Call::CreateBill(_)
            | Call::ShowBill(_)
            | Call::ListBills(_)
            | Call::ChangeBill(..)
            | Call::WithdrawBill(_)
            | Call::Transaction(_)
            | Call::Cards(_) => 0,
        }
    }

    fn choices(&self, bill: &Bill) -> Vec<Choice> {
        delivery::choices(bill)
    }

    fn admits_payer(&self, ask: &Ask, now: Timestamp) -> bool {
        person::is_old_enough(ask, now)
    }

    fn notes(&self, head: &Parts, call: &Call) -> Notes {
        let ignored = if let Call::Reservation(ReservationCall::Create(ask, _)) = call {
            terms::ignored(ask)
        } else {
            Vec::new()
        };
        Notes {
            ignored,
            software: credentials::software(&head.headers),
            deprecated: credentials::is_first_quick_start(head)
                .then_some("client_id and client_secret in place of Authorization: Bearer"),
        }
    }

    fn delivery(&self) -> DeliveryRules {
        DeliveryRules {
            retries: webhooks::ladder(),
            timeout: Span::from_seconds(10),
            user_agent: "Vipps MobilePay/1.0 Webhooks/1.0".to_owned(),
            jitter_percent: 0,
            retry_after: false,
            gone_ends: false,
            warn_after: Some(WEEK),
            dead_after: Some(Span::from_millis(2 * WEEK.millis())),
            when_dead: WhenDead::Remove,
        }
    }

    /// The merchant's address, unchanged, whatever happened: the merchant asks for the outcome. A
    /// push message leads nowhere.
    fn return_url(&self, view: &BillView, _outcome: PageOutcome) -> Option<String> {
        let ask = &view.bill.ask;
        let push = ask
            .extras
            .get("userFlow")
            .is_some_and(|flow| flow == "PUSH_MESSAGE");
        ask.return_url.clone().filter(|_| !push)
    }

    fn page_path(&self, _site: &Site, view: &BillView) -> String {
        format!("{LANDING}?token={}", view.bill.head.wire)
    }
}
