//! A merchant's address for webhooks: what it wants to hear, how it has been doing, and whether it
//! is being sent to.
//!
//! An endpoint that fails keeps its deliveries: pausing holds them back, nothing is dropped. Only
//! removing an endpoint gives up what waits for it, and that is recorded.

use serde::{Deserialize, Serialize};

use crate::delivery::{DeliveryRules, WhenDead};
use crate::event::Fact;
use crate::id::{EndpointId, MerchantId, WireId};
use crate::merchant::{Caller, Mode};
use crate::moment::{Moment, Span, Timestamp};
use crate::refusal::Refusal;

/// Which topics an endpoint wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Topics {
    /// All that its scheme has, now and later.
    All,
    /// These, in the scheme's words. An entry that ends with `.*` stands for all that begin so.
    Some(Vec<String>),
}

impl Topics {
    /// Is a topic wanted?
    pub fn wants(&self, topic: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(list) => list.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(start) if start.ends_with('.') => topic.starts_with(start),
                Some(_) | None => wanted == topic,
            }),
        }
    }

    /// Is there something that both want?
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Some(one), Self::Some(two)) => {
                // An entry for all that begin so is wanted like any topic below it.
                let plain = |text: &String| text.trim_end_matches('*').to_owned();
                one.iter()
                    .any(|topic| other.wants(topic) || other.wants(&plain(topic)))
                    || two
                        .iter()
                        .any(|topic| self.wants(topic) || self.wants(&plain(topic)))
            }
            (Self::All, Self::Some(list)) | (Self::Some(list), Self::All) => !list.is_empty(),
            (Self::All, Self::All) => true,
        }
    }
}

/// What a merchant registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointAsk {
    /// Where deliveries go.
    pub url: String,
    /// What it wants to hear.
    pub topics: Topics,
    /// The merchant's own name for it.
    pub label: Option<String>,
    /// At most so many endpoints of one merchant, mode and scheme may want one topic.
    pub per_topic_max: Option<TopicMax>,
    /// What only the dialect cares about.
    pub extras: serde_json::Map<String, serde_json::Value>,
}

/// How many endpoints may want one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMax {
    /// Of most topics.
    pub usual: u32,
    /// Topics with a number of their own.
    pub own: Vec<(&'static str, u32)>,
    /// Whatever they want.
    pub in_all: u32,
}

impl TopicMax {
    /// The number for a topic.
    pub fn of(&self, topic: &str) -> u32 {
        let own = self.own.iter().find(|(name, _)| *name == topic);
        own.map_or(self.usual, |(_, most)| *most)
    }

    /// Has a topic a number of its own?
    pub fn has_own(&self, topic: &str) -> bool {
        self.own.iter().any(|(name, _)| *name == topic)
    }
}

/// Why an endpoint is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pause {
    /// Somebody asked for it.
    ByHand,
    /// It failed for longer than its scheme allows.
    Failing,
    /// It answered 410 Gone.
    Gone,
}

impl Pause {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Failing => "failing",
            Self::Gone => "gone",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::ByHand, Self::Failing, Self::Gone]
            .into_iter()
            .find(|why| why.as_str() == text)
    }
}

/// Is it being sent to?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointState {
    /// Yes.
    Active,
    /// Not until somebody resumes it; its deliveries wait.
    Paused {
        /// Since when.
        at: Timestamp,
        /// Why.
        why: Pause,
    },
    /// Never again.
    Removed {
        /// Since when.
        at: Timestamp,
    },
}

/// How an endpoint has been doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Failed attempts since the last success.
    pub failures: u32,
    /// When the first of them was made.
    pub failing_since: Option<Timestamp>,
    /// When its owner was told that it fails.
    pub warned: Option<Timestamp>,
}

/// What never changes about an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointHead {
    /// Our id.
    pub id: EndpointId,
    /// What its scheme calls it.
    pub wire: WireId,
    /// Whose it is.
    pub merchant: MerchantId,
    /// Test or live.
    pub mode: Mode,
    /// Who makes and signs its deliveries: a dialect's name, or `standard`.
    pub scheme: String,
    /// When it was registered.
    pub created: Timestamp,
}

/// What follows for an endpoint that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Its owner should know.
    Warn,
    /// It has failed for too long.
    Dead(WhenDead),
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// What never changes.
    pub head: EndpointHead,
    /// Where deliveries go.
    pub url: String,
    /// What it wants to hear.
    pub topics: Topics,
    /// The merchant's own name for it.
    pub label: Option<String>,
    /// What only the dialect cares about.
    pub extras: serde_json::Map<String, serde_json::Value>,
    /// Is it being sent to?
    pub state: EndpointState,
    /// How it has been doing.
    pub health: Health,
    /// Counts changes; an update is guarded by the number that was read.
    pub version: i64,
}

impl Endpoint {
    /// A new endpoint of a scheme.
    pub fn register(
        at: &Moment,
        caller: &Caller,
        scheme: &str,
        wire: WireId,
        ask: EndpointAsk,
    ) -> Self {
        let head = EndpointHead {
            id: EndpointId::mint(at, "endpoint"),
            wire,
            merchant: caller.merchant.id.clone(),
            mode: caller.mode,
            scheme: scheme.to_owned(),
            created: at.now,
        };
        Self {
            head,
            url: ask.url,
            topics: ask.topics,
            label: ask.label,
            extras: ask.extras,
            state: EndpointState::Active,
            health: Health::default(),
            version: 1,
        }
    }

    /// Another address, other topics. What waits goes to the new address.
    pub fn change(mut self, ask: EndpointAsk) -> Result<Self, Refusal> {
        self.not_removed()?;
        self.url = ask.url;
        self.topics = ask.topics;
        self.label = ask.label;
        self.extras = ask.extras;
        Ok(self.touched())
    }

    /// Holds its deliveries back. One that is paused already stays as it is.
    pub fn pause(mut self, now: Timestamp, why: Pause) -> Result<Self, Refusal> {
        self.not_removed()?;
        if self.state == EndpointState::Active {
            self.state = EndpointState::Paused { at: now, why };
        }
        Ok(self.touched())
    }

    /// Sends what waited; its failures are forgotten.
    pub fn resume(mut self) -> Result<Self, Refusal> {
        self.not_removed()?;
        self.state = EndpointState::Active;
        self.health = Health::default();
        Ok(self.touched())
    }

    /// Ends it.
    pub fn remove(mut self, now: Timestamp) -> Result<Self, Refusal> {
        self.not_removed()?;
        self.state = EndpointState::Removed { at: now };
        Ok(self.touched())
    }

    /// Takes a removal back: it is sent to again. What was given up with it stays given up.
    pub fn restore(mut self) -> Result<Self, Refusal> {
        if !self.is_removed() {
            return Err(Refusal::WrongState("not removed".to_owned()));
        }
        self.state = EndpointState::Active;
        self.health = Health::default();
        Ok(self.touched())
    }

    /// An attempt succeeded.
    #[must_use]
    pub fn succeeded(mut self) -> Self {
        self.health = Health::default();
        self.touched()
    }

    /// An attempt failed: what follows for the endpoint, with the fact to announce if something
    /// does. `gone`: it answered 410 and its scheme takes that at its word.
    pub fn failed(
        mut self,
        now: Timestamp,
        rules: &DeliveryRules,
        gone: bool,
    ) -> Result<(Self, Option<Fact>), Refusal> {
        self.not_removed()?;
        self.health.failures = self.health.failures.saturating_add(1);
        self.health.failing_since.get_or_insert(now);
        if gone && self.state == EndpointState::Active {
            let paused = self.pause(now, Pause::Gone)?;
            return Ok((paused, Some(Fact::EndpointPaused)));
        }
        match self.verdict(now, rules) {
            None => Ok((self.touched(), None)),
            Some(verdict) => self.judged(now, verdict),
        }
    }

    /// Time passed without an attempt: what follows for an endpoint whose scheme removes dead ones,
    /// which is told first and removed later also when nothing is sent to it meanwhile. Without a
    /// fact nothing changed.
    pub fn waited(
        self,
        now: Timestamp,
        rules: &DeliveryRules,
    ) -> Result<(Self, Option<Fact>), Refusal> {
        match self.verdict(now, rules) {
            Some(verdict) if rules.when_dead == WhenDead::Remove => self.judged(now, verdict),
            Some(_) | None => Ok((self, None)),
        }
    }

    /// When [`Self::waited`] has something to say next.
    pub fn judged_at(&self, rules: &DeliveryRules) -> Option<Timestamp> {
        let since = self.health.failing_since?;
        if self.state != EndpointState::Active || rules.when_dead != WhenDead::Remove {
            return None;
        }
        match (rules.warn_after, self.health.warned) {
            (Some(warn), None) => Some(since.plus(warn)),
            _ => self.dies_at(since, rules),
        }
    }

    /// When it will be removed if nothing reaches it before.
    pub fn removed_at(&self, rules: &DeliveryRules) -> Option<Timestamp> {
        let since = self.health.failing_since?;
        if self.state != EndpointState::Active || rules.when_dead != WhenDead::Remove {
            return None;
        }
        // Before its notice that is when it is planned.
        let planned = rules.dead_after.map(|dead| since.plus(dead));
        self.dies_at(since, rules).or(planned)
    }

    /// When it is dead. One that is removed is given notice as long before as the rules say, also
    /// if the notice was late.
    fn dies_at(&self, since: Timestamp, rules: &DeliveryRules) -> Option<Timestamp> {
        let dead = rules.dead_after?;
        let planned = since.plus(dead);
        match (rules.when_dead, rules.warn_after) {
            (WhenDead::Pause, _) | (_, None) => Some(planned),
            (WhenDead::Remove, Some(warn)) => {
                let notice = Span::from_millis(dead.millis().saturating_sub(warn.millis()));
                self.health
                    .warned
                    .map(|warned| planned.max(warned.plus(notice)))
            }
        }
    }

    fn verdict(&self, now: Timestamp, rules: &DeliveryRules) -> Option<Verdict> {
        let since = self.health.failing_since?;
        if self.state != EndpointState::Active {
            return None;
        }
        if self.dies_at(since, rules).is_some_and(|at| at <= now) {
            return Some(Verdict::Dead(rules.when_dead));
        }
        let warn = rules
            .warn_after
            .is_some_and(|limit| since.plus(limit) <= now);
        (warn && self.health.warned.is_none()).then_some(Verdict::Warn)
    }

    fn judged(mut self, now: Timestamp, verdict: Verdict) -> Result<(Self, Option<Fact>), Refusal> {
        Ok(match verdict {
            Verdict::Warn => {
                self.health.warned = Some(now);
                (self.touched(), Some(Fact::EndpointFailing))
            }
            Verdict::Dead(WhenDead::Pause) => {
                let paused = self.pause(now, Pause::Failing)?;
                (paused, Some(Fact::EndpointPaused))
            }
            Verdict::Dead(WhenDead::Remove) => (self.remove(now)?, Some(Fact::EndpointRemoved)),
        })
    }

    /// Does it get some of what another one gets, at the same address? Such a pair is mostly a
    /// registration that was made twice.
    pub fn doubles(&self, other: &Self) -> bool {
        let (one, two) = (&self.head, &other.head);
        one.id != two.id
            && (&one.merchant, one.mode, &one.scheme) == (&two.merchant, two.mode, &two.scheme)
            && self.url == other.url
            && !self.is_removed()
            && !other.is_removed()
            && self.topics.meets(&other.topics)
    }

    /// Is it removed?
    pub fn is_removed(&self) -> bool {
        matches!(self.state, EndpointState::Removed { .. })
    }

    fn not_removed(&self) -> Result<(), Refusal> {
        if self.is_removed() {
            return Err(Refusal::WrongState("removed".to_owned()));
        }
        Ok(())
    }

    fn touched(mut self) -> Self {
        self.version = self.version.saturating_add(1);
        self
    }
}
