//! Is a webhook genuine? Checks one delivery under one scheme, and if it is not genuine says why:
//! the exact text that should have been signed, what was expected, what came, and which of the
//! usual mistakes would give what came.
//!
//! Promises:
//!
//! * **The sender's own rules.** What is expected is computed by the functions that sign
//!   ([`crate::sign`]), never by a second copy of them.
//! * **Strict.** A delivery is genuine only if everything that the scheme protects is as it was
//!   signed. A date that is far off is a warning, because looking at an old delivery is what this
//!   is for.
//! * **Never the secret.** Neither the secret nor a part of it is in the verdict.

mod date;
mod form;
mod hints;
mod raw;
mod standard_webhooks;
mod vipps_headers;
mod whole_body;

use domain::{Secret, Timestamp};

/// A way to sign webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HitPay's callback of one payment request: a form with `hmac`.
    HitpayCallback,
    /// HitPay's events for registered endpoints: `Hitpay-Signature`.
    HitpayEvent,
    /// Numipay: `x-signature`.
    Numipay,
    /// iGivePay: `x-igive-signature`.
    Igivepay,
    /// Vipps MobilePay: `Authorization` and `X-Vipps-Authorization`.
    Vipps,
    /// Standard Webhooks: `webhook-signature`.
    Standard,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::HitpayCallback,
        Self::HitpayEvent,
        Self::Numipay,
        Self::Igivepay,
        Self::Vipps,
        Self::Standard,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::HitpayCallback => "hitpay",
            Self::HitpayEvent => "hitpay-events",
            Self::Numipay => "numipay",
            Self::Igivepay => "igivepay",
            Self::Vipps => "vipps",
            Self::Standard => "standard",
        }
    }

    /// Where the signature stands, for people.
    pub fn place(self) -> &'static str {
        match self {
            Self::HitpayCallback => "the field hmac",
            Self::HitpayEvent => "the header Hitpay-Signature",
            Self::Numipay => "the header x-signature",
            Self::Igivepay => "the header x-igive-signature",
            Self::Vipps => "the header Authorization",
            Self::Standard => "the header webhook-signature",
        }
    }

    /// Reads a name back. Other usual names are taken too.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let other = match name.as_str() {
            "hitpay-v1" => Some(Self::HitpayCallback),
            "hitpay-v2" => Some(Self::HitpayEvent),
            "standard-webhooks" | "standardwebhooks" => Some(Self::Standard),
            _ => None,
        };
        other.or_else(|| Self::ALL.into_iter().find(|scheme| scheme.name() == name))
    }

    /// The scheme that the headers, or else the fields of the form, point to.
    pub fn guess(delivery: &Delivery) -> Option<Self> {
        let marks = [
            ("webhook-signature", Self::Standard),
            ("hitpay-signature", Self::HitpayEvent),
            ("x-igive-signature", Self::Igivepay),
            ("x-vipps-authorization", Self::Vipps),
            ("x-ms-content-sha256", Self::Vipps),
            ("x-signature", Self::Numipay),
        ];
        let found = marks
            .iter()
            .find(|(name, _)| delivery.header(name).is_some());
        found.map(|(_, scheme)| *scheme).or_else(|| {
            let mut fields = form_urlencoded::parse(&delivery.body);
            fields
                .any(|(name, _)| name == "hmac")
                .then_some(Self::HitpayCallback)
        })
    }
}

/// A webhook as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The method; empty if it is not known.
    pub method: String,
    /// The path with its query, or a whole URL, as on the request line; empty if not known.
    pub target: String,
    /// The URL as registered, if the caller knows it. It goes before `Host` and the request line.
    pub url: Option<String>,
    /// The headers in their order; names in any letter case.
    pub headers: Vec<(String, String)>,
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// What was noticed while reading it, for people.
    pub remarks: Vec<String>,
}

impl Delivery {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// Does a header come more than once, with other values?
    fn ambiguous(&self, name: &str) -> bool {
        let first = self.header(name);
        self.headers
            .iter()
            .any(|(known, value)| known.eq_ignore_ascii_case(name) && Some(value.trim()) != first)
    }
}

/// The bytes that are signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// The bytes, but for the secret.
    pub bytes: Vec<u8>,
    /// Does the secret follow them directly?
    pub then_secret: bool,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The scheme it was checked under.
    pub scheme: Scheme,
    /// Is it genuine?
    pub valid: bool,
    /// What should have been signed.
    pub signed: Signed,
    /// The signature of that, as it should stand in the delivery.
    pub expected: String,
    /// The signature that came, if one did.
    pub received: Option<String>,
    /// What was found to be right; empty if it is not genuine.
    pub checked: Vec<String>,
    /// What is wrong; empty if and only if it is genuine.
    pub problems: Vec<String>,
    /// What is odd and does not make it false.
    pub warnings: Vec<String>,
    /// How what came may have come about.
    pub hints: Vec<String>,
}

impl Verdict {
    fn new(scheme: Scheme, delivery: &Delivery) -> Self {
        Self {
            scheme,
            valid: false,
            signed: Signed::default(),
            expected: String::new(),
            received: None,
            checked: Vec::new(),
            problems: Vec::new(),
            warnings: delivery.remarks.clone(),
            hints: Vec::new(),
        }
    }

    /// The signature header must be there once; its value becomes `received`.
    fn receive(&mut self, delivery: &Delivery, name: &str) {
        match delivery.header(name) {
            Some(value) => self.received = Some(value.to_owned()),
            None => self.missing(name),
        }
        self.once(delivery, name);
    }

    fn missing(&mut self, name: &str) {
        self.problems.push(format!("The header {name} is missing."));
    }

    fn once(&mut self, delivery: &Delivery, name: &str) {
        if delivery.ambiguous(name) {
            let problem = format!("The header {name} comes more than once, with other values.");
            self.problems.push(problem);
        }
    }

    fn wrong_signature(&mut self) {
        let place = self.scheme.place();
        self.problems
            .push(format!("The signature in {place} does not match."));
    }

    /// The last word: genuine if a signature matched and nothing else is wrong.
    fn close(mut self, matched: bool) -> Self {
        self.valid = matched && self.problems.is_empty();
        if self.valid {
            self.hints.clear();
        } else {
            self.checked.clear();
            if self.problems.is_empty() {
                self.wrong_signature();
            }
        }
        self
    }
}

/// Checks a delivery under a scheme. With `now` the date that the scheme signs is compared with it.
pub fn verify(
    scheme: Scheme,
    delivery: &Delivery,
    secret: &Secret,
    now: Option<Timestamp>,
) -> Verdict {
    let mut verdict = Verdict::new(scheme, delivery);
    if secret.expose().trim() != secret.expose() {
        let hint = "The secret begins or ends with a blank or a line end; was it copied whole?";
        verdict.hints.push(hint.to_owned());
    }
    match scheme {
        Scheme::HitpayCallback => form::check(verdict, delivery, secret),
        Scheme::HitpayEvent => whole_body::check(&whole_body::HITPAY, verdict, delivery, secret),
        Scheme::Numipay => whole_body::check(&whole_body::NUMIPAY, verdict, delivery, secret),
        Scheme::Igivepay => whole_body::check(&whole_body::IGIVEPAY, verdict, delivery, secret),
        Scheme::Vipps => vipps_headers::check(verdict, delivery, secret, now),
        Scheme::Standard => standard_webhooks::check(verdict, delivery, secret, now),
    }
}
