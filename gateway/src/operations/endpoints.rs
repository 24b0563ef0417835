//! Endpoints for webhooks: register, change, pause, resume, remove, rotate their secrets, test.
//!
//! Every change is an event and, if a person made it, an audit entry, in the same transaction.

mod failing;
mod secrets;

use domain::call::EndpointView;
use domain::endpoint::Pause;
use domain::limits::{ENDPOINTS_MAX, LABEL_MAX};
use domain::{
    Call, Caller, Endpoint, EndpointAsk, EndpointId, Event, Fact, FieldProblem, MerchantId, Mode,
    Moment, Object, Refusal, Reply, TopicMax, Topics, WireId,
};
use store::tables::{audit, deliveries as outbox, endpoints as table};
use store::{Failure, Fault, Tx};

use super::outbox::announce;
use super::refused;
use crate::app::App;
use crate::schemes::Scheme;

pub use failing::{empty_removed, judge_failing, next_judgement, removed, restore};
pub use secrets::{Rotated, rotate, secrets};
use secrets::{chance, seal};

/// Does what a dialect's client asks for.
pub async fn execute(
    app: &App,
    scheme: Scheme,
    caller: &Caller,
    call: Call,
) -> Result<Reply, Failure> {
    let actor = format!("api/{}", scheme.name());
    let who = Who {
        caller,
        actor: &actor,
    };
    match call {
        Call::RegisterEndpoint(ask) => {
            let view = register(app, scheme, &who, *ask).await?;
            Ok(Reply::EndpointRegistered(Box::new(view)))
        }
        Call::ShowEndpoint(wire) => {
            let endpoint = by_wire(app, scheme, caller, &wire).await?;
            Ok(Reply::Endpoint(Box::new(view(app, endpoint).await?)))
        }
        Call::ListEndpoints => {
            let mut views = Vec::new();
            for endpoint in list(app, &caller.merchant.id, caller.mode).await? {
                if endpoint.head.scheme == scheme.name() {
                    views.push(view(app, endpoint).await?);
                }
            }
            Ok(Reply::Endpoints(views))
        }
        Call::ChangeEndpoint(wire, ask) => {
            let id = by_wire(app, scheme, caller, &wire).await?.head.id;
            let endpoint = change(app, &who, &id, *ask).await?;
            Ok(Reply::Endpoint(Box::new(view(app, endpoint).await?)))
        }
        Call::RemoveEndpoint(wire) => {
            let id = by_wire(app, scheme, caller, &wire).await?.head.id;
            remove(app, &who, &id).await?;
            Ok(Reply::EndpointRemoved)
        }
        Call::CreateBill(_)
        | Call::ShowBill(_)
        | Call::ListBills(_)
        | Call::ChangeBill(..)
        | Call::WithdrawBill(_)
        | Call::Reservation(_)
        | Call::IssueToken(_)
        | Call::Transaction(_)
        | Call::Cards(_) => Err(Fault("no call about endpoints".to_owned()).into()),
    }
}

/// Who does something: for a merchant, under a name for the audit log.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The merchant and mode.
    pub caller: &'a Caller,
    /// For example `api/vipps`, `operator`, `florin` for automatic rules.
    pub actor: &'a str,
}

/// Registers an endpoint; its secret is in the answer, unless the account's own one signs.
pub async fn register(
    app: &App,
    scheme: Scheme,
    who: &Who<'_>,
    ask: EndpointAsk,
) -> Result<EndpointView, Failure> {
    check(app, &ask)?;
    let at = app.moment();
    let secret = scheme.endpoint_secret(&chance(app));
    let wire = scheme.endpoint_id(&at);
    let endpoint = Endpoint::register(&at, who.caller, scheme.name(), wire, ask.clone());
    let sealed = seal(app, &endpoint, &secret)?;
    let (made, actor) = (endpoint.clone(), who.actor.to_owned());
    let doubles = app
        .store
        .write("register_endpoint", move |tx| {
            let doubles = room(tx, &made, ask.per_topic_max.as_ref())?;
            table::insert(tx, &made)?;
            table::put_secret(tx, &made.head.id, &sealed, at.now, at.now)?;
            let details = made.url.clone();
            note(tx, &at, &made, Fact::EndpointRegistered, (&actor, &details))?;
            Ok(doubles)
        })
        .await?;
    if doubles > 0 {
        tracing::warn!(
            endpoint = %endpoint.head.id,
            doubles,
            "other endpoints at this address get some of the same events"
        );
    }
    Ok(EndpointView {
        endpoint,
        secret: Some(secret).filter(|_| !scheme.signs_with_account()),
        doubles,
    })
}

/// Refuses what can be seen to be wrong before anything is sent there.
fn check(app: &App, ask: &EndpointAsk) -> Result<(), Refusal> {
    let problem = |field: &str, message: String| {
        let field = field.to_owned();
        Err(Refusal::Invalid(vec![FieldProblem { field, message }]))
    };
    if let Some(label) = &ask.label {
        let blank = label.trim().is_empty();
        if blank || label.chars().count() > LABEL_MAX || label.chars().any(char::is_control) {
            let message = format!("a label is one line of 1 to {LABEL_MAX} characters");
            return problem("label", message);
        }
    }
    match app.outbound.admits(&ask.url) {
        Ok(()) => Ok(()),
        Err(message) => problem("url", message),
    }
}

/// Is there room for one more endpoint, of its topics too? How many would get the same as it.
fn room(tx: &mut Tx<'_>, new: &Endpoint, most: Option<&TopicMax>) -> Result<u32, Failure> {
    let head = &new.head;
    let known = table::of_merchant(tx, &head.merchant, head.mode)?;
    let doubles = doubles(new, &known);
    let same: Vec<_> = known
        .iter()
        .filter(|known| known.head.scheme == head.scheme && known.head.id != head.id)
        .collect();
    let full = |count: usize, most: u32| count >= usize::try_from(most).unwrap_or(usize::MAX);
    let in_all = most.map_or(ENDPOINTS_MAX, |most| most.in_all);
    if full(same.len(), in_all) {
        return refused(Refusal::TooManyEndpoints(in_all, None));
    }
    let Some(most) = most else {
        return Ok(doubles);
    };
    for topic in counted(new, most) {
        let limit = most.of(&topic);
        // Whoever wants everything takes no place of a topic that has few.
        let own = most.has_own(&topic);
        let named = |known: &&&Endpoint| !own || known.topics != Topics::All;
        let wanting = same.iter().filter(|known| known.topics.wants(&topic));
        if full(wanting.filter(named).count(), limit) {
            return refused(Refusal::TooManyEndpoints(limit, Some(topic)));
        }
    }
    Ok(doubles)
}

/// The topics of which a new endpoint takes a place: those that it names, and those of its scheme
/// that what it names stands for.
fn counted(new: &Endpoint, most: &TopicMax) -> Vec<String> {
    let scheme = Scheme::by_name(&new.head.scheme);
    let known = scheme.map(Scheme::topics).unwrap_or_default();
    let wanted = known.into_iter().filter(|topic| new.topics.wants(topic));
    let mut counted: Vec<String> = wanted.map(str::to_owned).collect();
    match &new.topics {
        Topics::All => counted.retain(|topic| !most.has_own(topic)),
        Topics::Some(named) => {
            let other = named.iter().filter(|one| !one.ends_with(".*"));
            let other: Vec<_> = other
                .filter(|one| !counted.contains(one))
                .cloned()
                .collect();
            counted.extend(other);
        }
    }
    counted
}

/// What an endpoint of a scheme has beside what its owner asks for.
pub async fn registration(
    app: &App,
    scheme: Scheme,
    caller: &Caller,
) -> Result<dialects::Registration, Failure> {
    let number = super::accounts::number_of(app, scheme.name(), caller).await?;
    Ok(scheme.registration(&app.site, number.as_deref()))
}

/// How many others get some of what an endpoint gets, at the same address.
pub fn doubles(endpoint: &Endpoint, known: &[Endpoint]) -> u32 {
    let count = known.iter().filter(|known| endpoint.doubles(known)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The endpoints of a merchant in one mode, of every scheme, oldest first.
pub async fn list(app: &App, merchant: &MerchantId, mode: Mode) -> Result<Vec<Endpoint>, Failure> {
    let merchant = merchant.clone();
    app.store
        .read("list_endpoints", move |tx| {
            Ok(table::of_merchant(tx, &merchant, mode)?)
        })
        .await
}

/// The endpoint that a scheme calls so, if it is this caller's.
async fn by_wire(
    app: &App,
    scheme: Scheme,
    caller: &Caller,
    wire: &WireId,
) -> Result<Endpoint, Failure> {
    let (caller, wire) = (caller.clone(), wire.clone());
    app.store
        .read("endpoint", move |tx| {
            let found = table::by_wire(tx, scheme.name(), &wire)?;
            let found = found.filter(|endpoint| is_of(endpoint, &caller));
            found.map_or_else(|| refused(not_found(wire.as_str())), Ok)
        })
        .await
}

/// One endpoint of a merchant.
pub async fn show(app: &App, caller: &Caller, id: &EndpointId) -> Result<Endpoint, Failure> {
    let (caller, id) = (caller.clone(), id.clone());
    app.store
        .read("endpoint", move |tx| of_caller(tx, &caller, &id))
        .await
}

/// The same, also of one that was removed.
pub async fn look(app: &App, caller: &Caller, id: &EndpointId) -> Result<Endpoint, Failure> {
    let (caller, id) = (caller.clone(), id.clone());
    app.store
        .read("endpoint", move |tx| {
            let found = table::by_id(tx, &id)?.filter(|known| belongs(known, &caller));
            found.map_or_else(|| refused(not_found(id.as_str())), Ok)
        })
        .await
}

fn of_caller(tx: &mut Tx<'_>, caller: &Caller, id: &EndpointId) -> Result<Endpoint, Failure> {
    let found = table::by_id(tx, id)?.filter(|endpoint| is_of(endpoint, caller));
    found.map_or_else(|| refused(not_found(id.as_str())), Ok)
}

fn is_of(endpoint: &Endpoint, caller: &Caller) -> bool {
    belongs(endpoint, caller) && !endpoint.is_removed()
}

fn belongs(endpoint: &Endpoint, caller: &Caller) -> bool {
    let head = &endpoint.head;
    head.merchant == caller.merchant.id && head.mode == caller.mode
}

fn not_found(id: &str) -> Refusal {
    Refusal::NotFound(Object::Endpoint, id.to_owned())
}

async fn view(app: &App, endpoint: Endpoint) -> Result<EndpointView, Failure> {
    let head = &endpoint.head;
    let secret = secrets(app, (&head.merchant, head.mode, &head.id)).await?;
    let secret = secret.into_iter().next();
    Ok(EndpointView {
        endpoint,
        secret,
        doubles: 0,
    })
}

/// What was done to an endpoint and by whom, oldest first; also after it was removed.
pub async fn history(
    app: &App,
    caller: &Caller,
    id: &EndpointId,
) -> Result<Vec<audit::Entry>, Failure> {
    let endpoint = look(app, caller, id).await?;
    app.store
        .read("endpoint_history", move |tx| {
            Ok(audit::about(tx, endpoint.head.id.as_str())?)
        })
        .await
}

/// Changes an endpoint's address, topics, label and extras.
pub async fn change(
    app: &App,
    who: &Who<'_>,
    id: &EndpointId,
    ask: EndpointAsk,
) -> Result<Endpoint, Failure> {
    check(app, &ask)?;
    update(
        app,
        who,
        id,
        (None, "endpoint.changed"),
        move |endpoint, _| endpoint.change(ask.clone()),
    )
    .await
}

/// Holds an endpoint's deliveries back.
pub async fn pause(app: &App, who: &Who<'_>, id: &EndpointId) -> Result<Endpoint, Failure> {
    let announced = (Some(Fact::EndpointPaused), "endpoint.paused");
    update(app, who, id, announced, |endpoint, at| {
        endpoint.pause(at.now, Pause::ByHand)
    })
    .await
}

/// Sends what waited for an endpoint.
pub async fn resume(app: &App, who: &Who<'_>, id: &EndpointId) -> Result<Endpoint, Failure> {
    let announced = (Some(Fact::EndpointResumed), "endpoint.resumed");
    update(app, who, id, announced, |endpoint, _| endpoint.resume()).await
}

/// Removes an endpoint: what waits for it is given up, and listed as such.
pub async fn remove(app: &App, who: &Who<'_>, id: &EndpointId) -> Result<Endpoint, Failure> {
    let announced = (Some(Fact::EndpointRemoved), "endpoint.removed");
    let removed = update(app, who, id, announced, |endpoint, at| {
        endpoint.remove(at.now)
    })
    .await?;
    empty_removed(app).await?;
    Ok(removed)
}

/// Sends a test event to an endpoint, whatever topics it wants.
pub async fn test(app: &App, who: &Who<'_>, id: &EndpointId) -> Result<Endpoint, Failure> {
    let announced = (Some(Fact::EndpointTested), "endpoint.tested");
    update(app, who, id, announced, |endpoint, _| Ok(endpoint)).await
}

/// One change of an endpoint by somebody, with its event and audit entry.
async fn update<F>(
    app: &App,
    who: &Who<'_>,
    id: &EndpointId,
    (fact, action): (Option<Fact>, &'static str),
    change: F,
) -> Result<Endpoint, Failure>
where
    F: Fn(Endpoint, &Moment) -> Result<Endpoint, Refusal> + Send + 'static,
{
    let at = app.moment();
    let (caller, actor, id) = (who.caller.clone(), who.actor.to_owned(), id.clone());
    app.store
        .write("change_endpoint", move |tx| {
            let before = of_caller(tx, &caller, &id)?;
            let version = before.version;
            let endpoint = change(before.clone(), &at)?;
            if endpoint.version != version {
                table::update(tx, &endpoint, version)?;
            }
            // What is asked for twice is done and told once.
            let news = fact == Some(Fact::EndpointTested) || endpoint.state != before.state;
            if let Some(fact) = fact.filter(|_| news) {
                announce(tx, &at, &Event::of_endpoint(&at, fact, endpoint.clone()))?;
            }
            if fact == Some(Fact::EndpointResumed) {
                outbox::wake(tx, endpoint.head.id.as_str());
            }
            entry(tx, &at, &endpoint, (&actor, action, &endpoint.url))?;
            Ok(endpoint)
        })
        .await
}

/// An event about an endpoint with its audit entry.
pub(crate) fn note(
    tx: &mut Tx<'_>,
    at: &Moment,
    endpoint: &Endpoint,
    fact: Fact,
    (actor, details): (&str, &str),
) -> Result<(), Failure> {
    // Whoever has no other endpoint hears of it nowhere else.
    match fact {
        Fact::EndpointFailing => tracing::warn!(
            endpoint = %endpoint.head.id,
            url = endpoint.url,
            "no webhook has reached it for long; without a success it is paused or removed"
        ),
        Fact::EndpointRemoved => {
            let (id, url) = (&endpoint.head.id, &endpoint.url);
            tracing::warn!(endpoint = %id, url, actor, "it is removed");
        }
        _ => {}
    }
    announce(tx, at, &Event::of_endpoint(at, fact, endpoint.clone()))?;
    entry(tx, at, endpoint, (actor, fact.as_str(), details))
}

fn entry(
    tx: &mut Tx<'_>,
    at: &Moment,
    endpoint: &Endpoint,
    (actor, action, details): (&str, &str, &str),
) -> Result<(), Failure> {
    let head = &endpoint.head;
    let entry = audit::Entry {
        at: at.now,
        actor: actor.to_owned(),
        action: action.to_owned(),
        about: head.id.to_string(),
        details: details.to_owned(),
    };
    audit::insert(tx, at, (&head.merchant, head.mode), &entry)?;
    Ok(())
}
