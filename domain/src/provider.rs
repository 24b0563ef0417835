//! Providers that carry money for a merchant, and the rules that choose and order them.
//!
//! A rule says for which payments a provider is offered: country, currency, amount, direction.
//! Without any rule every usable provider is offered, in the order of the list. Rules are data:
//! they are read from the merchant's settings and decide nothing by themselves.

use serde::{Deserialize, Serialize};

use crate::country;
use crate::currency::Currency;
use crate::merchant::Mode;
use crate::money::Money;

/// Which way money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From a customer to the merchant.
    Deposit,
    /// From the merchant to a customer.
    Withdrawal,
}

impl Direction {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "deposit" => Some(Self::Deposit),
            "withdrawal" => Some(Self::Withdrawal),
            _ => None,
        }
    }
}

/// What a provider is, for the page that offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// A card, typed into our own form.
    Card,
    /// A bank.
    Bank,
    /// A wallet.
    Wallet,
    /// A gift card.
    GiftCard,
}

/// The least and the most that a provider or a rule takes, both included. Of one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The currency, an ISO 4217 code.
    pub currency: Currency,
    /// The least, in major units: `"10.00"`.
    #[serde(default)]
    pub least: Option<String>,
    /// The most, in major units.
    #[serde(default)]
    pub most: Option<String>,
}

impl Bounds {
    /// What is wrong with them, if anything.
    fn problem(&self) -> Option<String> {
        let end = |text: &Option<String>| {
            let text = text.as_ref()?;
            Some(Money::parse(text, self.currency).map_err(|_| text.clone()))
        };
        match (end(&self.least).transpose(), end(&self.most).transpose()) {
            (Err(text), _) | (_, Err(text)) => {
                Some(format!("{text:?} is no amount in {}", self.currency))
            }
            (Ok(Some(least)), Ok(Some(most))) if most.checked_sub(least).is_err() => {
                Some(format!("least {least} is more than most {most}"))
            }
            (Ok(_), Ok(_)) => None,
        }
    }

    /// Does an amount lie within? Bounds of another currency say nothing about it.
    fn admit(&self, amount: Money) -> bool {
        if self.currency != amount.currency() {
            return true;
        }
        let end = |text: &Option<String>| {
            let text = text.as_ref()?;
            Money::parse(text, self.currency).ok()
        };
        end(&self.least).is_none_or(|least| amount.checked_sub(least).is_ok())
            && end(&self.most).is_none_or(|most| most.checked_sub(amount).is_ok())
    }
}

/// One provider of a merchant in one mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The id that clients send: `sim-card`.
    pub id: String,
    /// The name that customers see.
    pub name: String,
    /// What it is.
    pub kind: ProviderKind,
    /// What it can do.
    pub directions: Vec<Direction>,
    /// Methods it brings, for lists: `visa`, `sepa`.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Currencies it takes; none named means every one.
    #[serde(default)]
    pub currencies: Vec<Currency>,
    /// Its own limits.
    #[serde(default)]
    pub limits: Vec<Bounds>,
    /// May it be used?
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Is it out of order just now? Then its fallbacks are offered.
    #[serde(default)]
    pub down: bool,
}

fn yes() -> bool {
    true
}

impl Provider {
    /// What is wrong with it, if anything.
    fn problem(&self) -> Option<String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.bytes().all(plain) {
            return Some("an id has 1 to 64 lower-case letters, digits and hyphens".to_owned());
        }
        if self.name.trim().is_empty() || self.directions.is_empty() {
            return Some("it needs a name and a direction".to_owned());
        }
        if self.methods.iter().any(|method| method.trim().is_empty()) {
            return Some("a method has no name".to_owned());
        }
        let problem = self.limits.iter().find_map(Bounds::problem);
        problem.map(|problem| format!("limits: {problem}"))
    }

    /// Could it carry this, were it not out of order?
    fn suits(&self, question: &Question<'_>) -> bool {
        let currency = question.amount.currency();
        self.enabled
            && self.directions.contains(&question.direction)
            && (self.currencies.is_empty() || self.currencies.contains(&currency))
            && self.limits.iter().all(|limit| limit.admit(question.amount))
    }
}

/// When a provider is offered. What a rule does not mention it does not restrict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderRule {
    /// The provider's id.
    pub provider: String,
    /// Only this way.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Only customers of these countries (ISO 3166-1 alpha-2).
    #[serde(default)]
    pub countries: Vec<String>,
    /// Only these currencies.
    #[serde(default)]
    pub currencies: Vec<Currency>,
    /// Only amounts within these.
    #[serde(default)]
    pub amounts: Vec<Bounds>,
    /// Higher comes first; of equals the rule that was written first.
    #[serde(default)]
    pub weight: u32,
    /// Only while this other provider is out of order.
    #[serde(default)]
    pub fallback_for: Option<String>,
}

impl ProviderRule {
    /// What is wrong with it beside these providers, if anything.
    fn problem(&self, providers: &[&str]) -> Option<String> {
        let mut named = std::iter::once(&self.provider).chain(&self.fallback_for);
        if let Some(id) = named.find(|id| !providers.contains(&id.as_str())) {
            return Some(format!("{id:?} is no provider"));
        }
        if self.fallback_for.as_ref() == Some(&self.provider) {
            return Some("fallback_for: it cannot stand in for itself".to_owned());
        }
        let known = |code: &String| country::is_known(&code.to_ascii_uppercase());
        if let Some(code) = self.countries.iter().find(|code| !known(code)) {
            return Some(format!(
                "countries: {code:?} is no ISO 3166-1 code of two letters"
            ));
        }
        let problem = self.amounts.iter().find_map(Bounds::problem);
        problem.map(|problem| format!("amounts: {problem}"))
    }

    fn applies(&self, question: &Question<'_>, providers: &[Provider]) -> bool {
        let country = self.countries.is_empty()
            || question.country.is_some_and(|country| {
                self.countries
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(country))
            });
        let needed = self.fallback_for.as_ref().is_none_or(|first| {
            providers
                .iter()
                .any(|provider| provider.id == *first && provider.down)
        });
        let currency = question.amount.currency();
        country
            && needed
            && self.direction.is_none_or(|way| way == question.direction)
            && (self.currencies.is_empty() || self.currencies.contains(&currency))
            && self
                .amounts
                .iter()
                .all(|bound| bound.admit(question.amount))
    }
}

/// What is to be carried.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Which way.
    pub direction: Direction,
    /// The customer's country, if known.
    pub country: Option<&'a str>,
    /// How much.
    pub amount: Money,
}

/// How a merchant takes and sends money, in one mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentSettings {
    /// May card data come in the merchant's own calls? Only for those who are certified for it.
    pub cards_in_calls: bool,
    /// Must the customer say where a payout goes before it can be approved?
    pub payout_user_step: bool,
    /// Above these amounts (one per currency) a payout needs a second person, in major units:
    /// `{"currency": "EUR", "most": "1000.00"}`.
    pub alone_up_to: Vec<Bounds>,
    /// Where browsers go when a call names no address.
    pub return_url: Option<String>,
    /// Networks from which calls may come (`203.0.113.0/24`, or one address); none named means
    /// from anywhere. The address is that of the connection, or what a trusted proxy says.
    pub allowed_addresses: Vec<String>,
    /// Networks from which no call may come; they count before those that are allowed.
    pub blocked_addresses: Vec<String>,
    /// The providers, in the order in which they are offered without rules.
    pub providers: Vec<Provider>,
    /// The rules. With none, every provider that suits is offered.
    pub rules: Vec<ProviderRule>,
}

impl Default for PaymentSettings {
    fn default() -> Self {
        Self {
            cards_in_calls: false,
            payout_user_step: true,
            alone_up_to: Vec::new(),
            return_url: None,
            allowed_addresses: Vec::new(),
            blocked_addresses: Vec::new(),
            providers: Vec::new(),
            rules: Vec::new(),
        }
    }
}

/// Providers and rules that a merchant may have at most.
pub const PROVIDERS_MAX: usize = 200;

impl PaymentSettings {
    /// The settings of a merchant who has made none: in test mode the simulated providers, in live
    /// mode no provider at all.
    pub fn usual(mode: Mode) -> Self {
        let providers = match mode {
            Mode::Test => simulated(),
            Mode::Live => Vec::new(),
        };
        Self {
            providers,
            ..Self::default()
        }
    }

    /// What is wrong with settings that somebody wrote, if anything.
    pub fn problem(&self) -> Option<String> {
        if self.providers.len() > PROVIDERS_MAX || self.rules.len() > PROVIDERS_MAX {
            return Some(format!(
                "there may be at most {PROVIDERS_MAX} providers and {PROVIDERS_MAX} rules"
            ));
        }
        let mut ids: Vec<&str> = Vec::new();
        for provider in &self.providers {
            let id = provider.id.as_str();
            let twice = ids.contains(&id).then(|| "it is there twice".to_owned());
            if let Some(problem) = twice.or_else(|| provider.problem()) {
                return Some(format!("provider {id:?}: {problem}"));
            }
            ids.push(id);
        }
        for rule in &self.rules {
            if let Some(problem) = rule.problem(&ids) {
                return Some(format!("a rule of {:?}: {problem}", rule.provider));
            }
        }
        let problem = self.alone_up_to.iter().find_map(Bounds::problem);
        problem.map(|problem| format!("alone_up_to: {problem}"))
    }

    /// The provider of this id.
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == id)
    }

    /// The providers that the rules allow, best first, whether or not they are out of order now.
    pub fn allowed(&self, question: &Question<'_>) -> Vec<&Provider> {
        self.choose(question, false)
    }

    /// The providers to offer now, best first.
    pub fn offered(&self, question: &Question<'_>) -> Vec<&Provider> {
        self.choose(question, true)
            .into_iter()
            .filter(|provider| !provider.down)
            .collect()
    }

    /// With `now`, a fallback counts only while what it stands in for is out of order.
    fn choose(&self, question: &Question<'_>, now: bool) -> Vec<&Provider> {
        let suiting = |id: &str| {
            self.provider(id)
                .filter(|provider| provider.suits(question))
        };
        if self.rules.is_empty() {
            return self
                .providers
                .iter()
                .filter(|provider| provider.suits(question))
                .collect();
        }
        let mut rules: Vec<&ProviderRule> = self
            .rules
            .iter()
            .filter(|rule| {
                let mut rule = (*rule).clone();
                if !now {
                    rule.fallback_for = None;
                }
                rule.applies(question, &self.providers)
            })
            .collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.weight));
        let mut chosen: Vec<&Provider> = Vec::new();
        for rule in rules {
            if let Some(provider) = suiting(&rule.provider)
                && !chosen.iter().any(|known| known.id == provider.id)
            {
                chosen.push(provider);
            }
        }
        chosen
    }

    /// The most that one person may approve alone in the currency of an amount, if there is a
    /// limit.
    pub fn alone_up_to(&self, amount: Money) -> Option<Money> {
        let currency = amount.currency();
        let bound = self
            .alone_up_to
            .iter()
            .find(|bound| bound.currency == currency)?;
        let most = bound.most.as_ref()?;
        Money::parse(most, currency).ok()
    }
}

/// The providers of the simulator.
fn simulated() -> Vec<Provider> {
    let provider = |id: &str, name: &str, kind, directions: &[Direction]| Provider {
        id: id.to_owned(),
        name: name.to_owned(),
        kind,
        directions: directions.to_vec(),
        methods: Vec::new(),
        currencies: Vec::new(),
        limits: Vec::new(),
        enabled: true,
        down: false,
    };
    let both = [Direction::Deposit, Direction::Withdrawal];
    vec![
        provider(
            "sim-card",
            "Card",
            ProviderKind::Card,
            &[Direction::Deposit],
        ),
        provider(
            "sim-wallet",
            "Wallet",
            ProviderKind::Wallet,
            &[Direction::Deposit],
        ),
        provider("sim-bank", "Bank transfer", ProviderKind::Bank, &both),
    ]
}
