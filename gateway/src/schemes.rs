//! Who makes and signs webhooks: the dialect an object came through, and beside it the Standard
//! Webhooks of Florin's own, which speak about everything.
//!
//! The engine asks here and nowhere else, so it knows no scheme by name.

use dialects::nearest::nearest;
use dialects::{
    Dialect, Kind, Outgoing, Registration, Signing, Site, Unsignable, WebhookBody, standard,
};
use domain::delivery::DeliveryRules;
use domain::limits::TOPICS_MAX;
use domain::{About, Endpoint, Event, Fact, FieldProblem, Moment, Refusal, Secret, Topics, WireId};

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

    /// Refuses events that no endpoint of this scheme would ever get, with what was probably
    /// meant; and every endpoint, if the scheme has none.
    pub fn admit(self, wanted: &[String]) -> Result<(), Refusal> {
        let problem = |field: &str, message: String| {
            let field = field.to_owned();
            Err(Refusal::Invalid(vec![FieldProblem { field, message }]))
        };
        let (known, name) = (self.topics(), self.name());
        if known.is_empty() {
            let message = format!(
                "{name} sends its webhooks to the address of each payment, not to registered \
                 endpoints; register one of the scheme standard for the same events"
            );
            return problem("scheme", message);
        }
        if wanted.len() > TOPICS_MAX {
            let message = format!("at most {TOPICS_MAX} can be listed; leave them out for all");
            return problem("events", message);
        }
        let comes = |event: &&String| {
            let topics = Topics::Some(vec![(*event).clone()]);
            *event == "*" || known.iter().any(|topic| topics.wants(topic))
        };
        let Some(unknown) = wanted.iter().find(|event| !comes(event)) else {
            return Ok(());
        };
        let meant = nearest(unknown, known.iter().copied());
        let meant = meant.map_or_else(String::new, |name| format!("did you mean {name}? "));
        let unknown: String = unknown.chars().take(100).collect();
        let message = format!(
            "{name} has no {unknown:?}; {meant}These come: {}",
            known.join(", ")
        );
        problem("events", message)
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

    /// What an endpoint of this scheme has beside what its owner asks for.
    pub fn registration(self, site: &Site, number: Option<&str>) -> Registration {
        match self {
            Self::Dialect(dialect) => dialect.registration(site, number),
            Self::Standard => Registration::default(),
        }
    }

    /// Do all valid secrets of an endpoint sign beside each other while one is replaced?
    pub fn signs_with_all(self) -> bool {
        match self {
            Self::Dialect(_) => false,
            Self::Standard => true,
        }
    }

    /// Does the account's own secret sign what goes to registered endpoints as well?
    pub fn signs_with_account(self) -> bool {
        match self {
            Self::Dialect(dialect) => dialect.signs_with_account(),
            Self::Standard => false,
        }
    }

    /// Does its signature hold for one address only?
    pub fn signs_address(self) -> bool {
        match self {
            Self::Dialect(dialect) => dialect.signs_address(),
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
