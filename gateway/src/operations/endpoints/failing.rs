//! Endpoints that fail for so long that they are removed, and the way back.
//!
//! Promises: nobody's endpoint is removed without a notice, and that comes as long before as the
//! rules say. Both happen by time, whether or not anything is sent to the endpoint meanwhile.

use std::sync::{Arc, PoisonError};

use domain::delivery::{DeliveryRules, WhenDead};
use domain::limits::SWEEP_MAX;
use domain::{Caller, Endpoint, EndpointId, Event, Fact, Span, Timestamp};
use store::Failure;
use store::tables::{deliveries as outbox, endpoints as table};

use super::{Who, announce, belongs, entry, not_found, note, refused, room};
use crate::app::App;
use crate::operations::deliveries::given_up;
use crate::schemes::Scheme;

/// Weeks pass before anything follows; looking once a minute is often enough. In the sandbox, where
/// the clock jumps, every look counts.
const LOOK_EVERY: Span = Span::from_minutes(1);

/// Takes a removal back: the endpoint gets what comes from now on. What was given up with it can
/// be sent again.
pub async fn restore(app: &App, who: &Who<'_>, id: &EndpointId) -> Result<Endpoint, Failure> {
    let at = app.moment();
    let site = app.site.clone();
    loop {
        let (caller, actor, id) = (who.caller.clone(), who.actor.to_owned(), id.clone());
        let (at, site) = (at.clone(), site.clone());
        let restored = app
            .store
            .write("restore_endpoint", move |tx| {
                let found = table::by_id(tx, &id)?.filter(|known| belongs(known, &caller));
                let Some(before) = found else {
                    return refused(not_found(id.as_str()));
                };
                let version = before.version;
                let endpoint = before.restore()?;
                let scheme = Scheme::by_name(&endpoint.head.scheme);
                let most = scheme.and_then(|scheme| scheme.registration(&site, None).topic_max);
                room(tx, &endpoint, most.as_ref())?;
                // What waited for it when it was removed is given up first, a bounded number in
                // one transaction.
                if outbox::empty(tx, &id, SWEEP_MAX)? == SWEEP_MAX {
                    return Ok(None);
                }
                table::restore(tx, &endpoint, version)?;
                let event = Event::of_endpoint(&at, Fact::EndpointResumed, endpoint.clone());
                announce(tx, &at, &event)?;
                let entered = (actor.as_str(), "endpoint.restored", endpoint.url.as_str());
                entry(tx, &at, &endpoint, entered)?;
                Ok(Some(endpoint))
            })
            .await?;
        if let Some(endpoint) = restored {
            return Ok(endpoint);
        }
    }
}

/// Gives up, a bounded number at a time, what still waits for removed endpoints; is there more?
pub async fn empty_removed(app: &App) -> Result<bool, Failure> {
    let waiting = app
        .store
        .read("endpoints_to_empty", |tx| Ok(table::to_empty(tx)?))
        .await?;
    if waiting.is_none() {
        return Ok(false);
    }
    let emptied = app
        .store
        .write("empty_removed_endpoint", |tx| {
            let Some(id) = table::to_empty(tx)? else {
                return Ok(None);
            };
            let count = outbox::empty(tx, &id, SWEEP_MAX)?;
            if count < SWEEP_MAX {
                table::emptied(tx, &id)?;
            }
            let scheme = table::by_id(tx, &id)?.map(|endpoint| endpoint.head.scheme);
            Ok(Some((scheme.unwrap_or_default(), count)))
        })
        .await?;
    if let Some((scheme, count)) = &emptied {
        given_up(scheme, outbox::why::REMOVED, *count);
    }
    Ok(emptied.is_some())
}

/// The endpoints of a merchant that were removed, the last one first.
pub async fn removed(app: &App, caller: &Caller, limit: u32) -> Result<Vec<Endpoint>, Failure> {
    let caller = caller.clone();
    app.store
        .read("removed_endpoints", move |tx| {
            Ok(table::removed(tx, &caller.merchant.id, caller.mode, limit)?)
        })
        .await
}

/// What follows by time alone for endpoints that fail, where their scheme removes dead ones: their
/// owner is told, then they are removed, also when nothing is sent to them meanwhile. How many
/// changed.
pub async fn judge_failing(app: &App) -> Result<usize, Failure> {
    let now = app.clock.now();
    if !app.sandbox && recently(app, now) {
        return Ok(0);
    }
    let mut changed = 0;
    for endpoint in failing(app).await? {
        let rules = app.rules(&endpoint.head.scheme);
        if endpoint.judged_at(&rules).is_none_or(|at| at > now) {
            continue;
        }
        let (at, id) = (app.moment(), endpoint.head.id);
        app.store
            .write("judge_endpoint", move |tx| {
                let Some(endpoint) = table::by_id(tx, &id)?.filter(|known| !known.is_removed())
                else {
                    return Ok(());
                };
                let version = endpoint.version;
                let (endpoint, fact) = endpoint.waited(at.now, &rules)?;
                let Some(fact) = fact else {
                    return Ok(());
                };
                table::update(tx, &endpoint, version)?;
                let details = format!("{} failed attempts", endpoint.health.failures);
                note(tx, &at, &endpoint, fact, ("florin", &details))
            })
            .await?;
        changed += 1;
    }
    Ok(changed)
}

/// Was it done on this node a moment ago? Notes that it is done now if not.
fn recently(app: &App, now: Timestamp) -> bool {
    let mut last = app.judged.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_some_and(|last| now < last.plus(LOOK_EVERY)) {
        return true;
    }
    *last = Some(now);
    false
}

/// When [`judge_failing`] has something to do next, later than `after`.
pub async fn next_judgement(app: &App, after: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let failing = failing(app).await?;
    let due = failing
        .iter()
        .filter_map(|endpoint| endpoint.judged_at(&app.rules(&endpoint.head.scheme)));
    Ok(due.filter(|at| *at > after).min())
}

/// Endpoints that fail, of schemes that remove dead ones.
async fn failing(app: &App) -> Result<Vec<Endpoint>, Failure> {
    let removing = |(name, rules): (&&'static str, &Arc<DeliveryRules>)| {
        (rules.when_dead == WhenDead::Remove).then_some(*name)
    };
    let schemes: Vec<&'static str> = app.delivery.iter().filter_map(removing).collect();
    app.store
        .read("failing_endpoints", move |tx| {
            let mut all = Vec::new();
            for scheme in &schemes {
                let mut after = None;
                loop {
                    let page = table::failing(tx, scheme, after.as_ref(), SWEEP_MAX)?;
                    let full = page.len() == SWEEP_MAX as usize;
                    after = page.last().map(|last| last.head.id.clone());
                    all.extend(page);
                    if !full {
                        break;
                    }
                }
            }
            Ok(all)
        })
        .await
}
