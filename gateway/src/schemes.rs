//! Who makes and signs webhooks: the dialect an object came through, and beside it the Standard
//! Webhooks of Florin's own, which speak about everything.
//!
//! The engine asks here and nowhere else, so it knows no scheme by name.

use dialects::{Dialect, Kind, Outgoing, Signing, Unsignable, WebhookBody, standard};
use domain::delivery::DeliveryRules;
use domain::{About, Endpoint, Event, Fact, Moment, Secret, WireId};

/// A scheme.
#[derive(Clone, Copy)]
pub enum Scheme {
    /// The webhooks of a dialect.
    Dialect(&'static dyn Dialect),
    /// Standard Webhooks.
    Standard,
}

impl std::fmt::Debug for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Scheme {
    /// Every scheme.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_dialects = dialects::ALL.iter().copied().map(Self::Dialect);
        of_dialects.chain([Self::Standard])
    }

    /// The scheme of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().find(|scheme| scheme.name() == name)
    }

    /// The scheme that speaks about an event besides those that speak about all: its dialect's.
    pub fn of(event: &Event) -> Option<Self> {
        let name = match &event.about {
            About::Endpoint(endpoint) => Some(endpoint.head.scheme.as_str()),
            About::Bill { .. } | About::Step { .. } | About::Payout(_) => event.dialect(),
        };
        let dialect = name.and_then(dialects::by_name);
        dialect.map(Self::Dialect)
    }

    /// The schemes that speak about every event, whatever dialect it came through, if one of the
    /// merchant's endpoints wants to hear them.
    pub fn of_everything(endpoints: &[Endpoint]) -> Option<Self> {
        // Most merchants have none: then no body is made only to be thrown away.
        let wanted = endpoints
            .iter()
            .any(|endpoint| endpoint.head.scheme == standard::NAME);
        wanted.then_some(Self::Standard)
    }

    /// Its name in the database and in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dialect(dialect) => dialect.profile().name,
            Self::Standard => standard::NAME,
        }
    }

    /// The topics that a registered endpoint can ask for; none if the scheme has no registered
    /// endpoints.
    pub fn topics(self) -> Vec<&'static str> {
        match self {
            Self::Dialect(dialect) => dialect.topics().to_vec(),
            Self::Standard => Fact::ALL.map(Fact::as_str).to_vec(),
        }
    }

    /// The bodies that an event gives.
    pub fn bodies(self, event: &Event) -> Vec<WebhookBody> {
        match self {
            Self::Dialect(dialect) => dialect.webhooks(event),
            Self::Standard => standard::bodies(event).into_iter().collect(),
        }
    }

    /// Signs a body for one attempt.
    pub fn sign(self, signing: &Signing<'_>) -> Result<Outgoing, Unsignable> {
        match self {
            Self::Dialect(dialect) => dialect.sign(signing),
            Self::Standard => standard::sign(signing),
        }
    }

    /// When deliveries are retried, before configuration changes it.
    pub fn delivery(self) -> DeliveryRules {
        match self {
            Self::Dialect(dialect) => dialect.delivery(),
            Self::Standard => standard::delivery(),
        }
    }

    /// Does the account's own secret sign what goes to registered endpoints as well?
    pub fn signs_with_account(self) -> bool {
        match self {
            Self::Dialect(dialect) => dialect.signs_with_account(),
            Self::Standard => false,
        }
    }

    /// A new secret for an endpoint.
    pub fn endpoint_secret(self, chance: &[u8; 64]) -> Secret {
        match self {
            Self::Dialect(dialect) => dialect.endpoint_secret(chance),
            Self::Standard => {
                let mut half = [0; 32];
                for (place, byte) in half.iter_mut().zip(chance) {
                    *place = *byte;
                }
                standard::secret::mint(&half)
            }
        }
    }

    /// A new id on the wire for an endpoint.
    pub fn endpoint_id(self, at: &Moment) -> WireId {
        match self {
            Self::Dialect(dialect) => dialect.mint(Kind::Endpoint, at.now, &at.seed),
            Self::Standard => WireId::from(at.uuid("standard endpoint")),
        }
    }
}
