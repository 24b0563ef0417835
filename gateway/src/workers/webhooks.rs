//! Sends webhooks: claims due deliveries under a lease, signs and sends them outside any
//! transaction, and records each attempt under the lease's token.
//!
//! A worker that dies leaves a lease that runs out; the delivery is then due again. One whose
//! lease ran out while it was sending records nothing: somebody else has taken over.

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::delivery::{DeliveryRules, Outcome};
use domain::limits::{CLAIM_MAX, IN_FLIGHT_MAX, LEASE};
use store::tables::deliveries::{self as outbox, Delivery, Try};
use store::{Failure, Fault};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::app::App;
use crate::operations::merchants;
use crate::outbound::Sending;

/// How often due deliveries are looked for when nobody nudges.
const POLL: Duration = Duration::from_millis(500);

/// Runs until `stop` changes, then waits for the deliveries under way.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut nudged = false;
    while !*stop.borrow() {
        let free = u32::try_from(places.available_permits())
            .unwrap_or(0)
            .min(CLAIM_MAX);
        let claimed = match claim(&app, free, nudged).await {
            Ok(claimed) => claimed,
            Err(failure) => {
                tracing::error!(?failure, "deliveries could not be claimed");
                Vec::new()
            }
        };
        let more = claimed.len() == CLAIM_MAX as usize;
        for (delivery, token) in claimed {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            tokio::spawn(deliver_and_log(Arc::clone(&app), delivery, token, place));
        }
        if !more {
            tokio::select! {
                () = app.deliveries_due.notified() => nudged = true,
                () = tokio::time::sleep(POLL) => nudged = false,
                _ = stop.changed() => {}
            }
        }
    }
    let all = u32::try_from(IN_FLIGHT_MAX).unwrap_or(u32::MAX);
    let patience = Duration::from_millis(domain::limits::STOP_MAX.millis());
    // What is still under way after that goes out again at the next start.
    let _ = tokio::time::timeout(patience, places.acquire_many(all)).await;
}

/// Sends everything that is due now and waits for it; how many there were. For tests and for
/// whoever must not go on before.
pub async fn tick(app: &Arc<App>) -> Result<usize, Failure> {
    let claimed = claim(app, CLAIM_MAX, false).await?;
    let count = claimed.len();
    for (delivery, token) in claimed {
        deliver(app, delivery, &token).await?;
    }
    Ok(count)
}

/// Takes what is due. Whoever was nudged knows that there is something; everyone else looks first,
/// because looking does not disturb the writer and taking does.
async fn claim(app: &App, limit: u32, nudged: bool) -> Result<Vec<(Delivery, String)>, Failure> {
    let now = app.clock.now();
    if limit == 0 {
        return Ok(Vec::new());
    }
    if !nudged {
        let due = app
            .store
            .read("deliveries_due", |tx| Ok(outbox::next_due(tx)?))
            .await?;
        if due.is_none_or(|due| due > now) {
            return Ok(Vec::new());
        }
    }
    let token = app.entropy.token();
    let lease = token.clone();
    let claimed = app
        .store
        .write("claim_deliveries", move |tx| {
            Ok(outbox::claim(tx, now, now.plus(LEASE), &lease, limit)?)
        })
        .await?;
    Ok(claimed
        .into_iter()
        .map(|delivery| (delivery, token.clone()))
        .collect())
}

async fn deliver_and_log(
    app: Arc<App>,
    delivery: Delivery,
    token: String,
    _place: OwnedSemaphorePermit,
) {
    let id = delivery.new.id.clone();
    if let Err(failure) = deliver(&app, delivery, &token).await {
        tracing::error!(delivery = %id, ?failure, "a delivery could not be recorded");
    }
}

async fn deliver(app: &App, delivery: Delivery, token: &str) -> Result<(), Failure> {
    let new = &delivery.new;
    let dialect = dialects::by_name(&new.dialect)
        .ok_or_else(|| Fault(format!("no dialect is called {}", new.dialect)))?;
    let rules = app
        .delivery
        .get(dialect.profile().name)
        .ok_or_else(|| Fault(format!("no delivery rules for {}", new.dialect)))?;
    let secret = merchants::salt(app, dialect, &new.merchant, new.mode).await?;
    let at = app.clock.now();
    let outgoing = dialect.sign(&secret, &new.body, at);
    let sending = sending(&delivery, rules, outgoing);
    let started = crate::clock::stopwatch();
    let result = app.outbound.post(&sending).await;
    let took = crate::clock::stopwatch().saturating_sub(started);
    let attempt = attempt(&delivery, &sending, result, (at, took))?;
    let first = delivery.first.unwrap_or(at);
    let outcome = rules.after(attempt.number, first, app.clock.now(), attempt.status);
    metrics::counter!(
        "florin_delivery_attempts_total",
        "dialect" => dialect.profile().name,
        "delivered" => if outcome == Outcome::Delivered { "yes" } else { "no" }
    )
    .increment(1);
    let (id, token) = (new.id.clone(), token.to_owned());
    let recorded = app
        .store
        .write("record_attempt", move |tx| {
            Ok(outbox::settle(tx, &id, &token, &attempt, outcome)?)
        })
        .await?;
    if !recorded {
        tracing::warn!(delivery = %new.id, "the lease ran out while sending");
    }
    Ok(())
}

fn sending(delivery: &Delivery, rules: &DeliveryRules, outgoing: dialects::Outgoing) -> Sending {
    let mut headers = vec![
        ("content-type".to_owned(), delivery.new.content_type.clone()),
        ("user-agent".to_owned(), rules.user_agent.clone()),
    ];
    headers.extend(outgoing.headers);
    Sending {
        url: delivery.new.target.clone(),
        headers,
        body: outgoing.body,
        timeout: Duration::from_millis(rules.timeout.millis()),
    }
}

fn attempt(
    delivery: &Delivery,
    sending: &Sending,
    result: Result<crate::outbound::Received, String>,
    (at, took): (Timestamp, Duration),
) -> Result<Try, Fault> {
    let (answer, error) = match result {
        Ok(answer) => (Some(answer), None),
        Err(error) => (None, Some(error)),
    };
    let headers = |headers: &[(String, String)]| {
        serde_json::to_string(headers).map_err(|error| Fault(error.to_string()))
    };
    Ok(Try {
        number: delivery.attempts + 1,
        at,
        took_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        status: answer.as_ref().map(|answer| answer.status),
        error,
        request_headers: headers(&sending.headers)?,
        request_body: sending.body.clone(),
        response_headers: headers(answer.as_ref().map_or(&[][..], |answer| &answer.headers))?,
        response_body: answer.map_or_else(String::new, |answer| answer.body),
    })
}
