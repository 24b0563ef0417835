//! One attempt: sign, send, and what follows from the answer.

use std::sync::Arc;
use std::time::Duration;

use dialects::{Outgoing, Signing};
use domain::delivery::{DeliveryRules, Made, Outcome, retry_after_seconds};
use domain::{EndpointId, Moment, Secret, Span, Timestamp};
use store::tables::deliveries::{self as outbox, Delivery, Try};
use store::tables::endpoints as endpoint_table;
use store::{Failure, Fault, Tx};

use super::desk::Desk;
use crate::app::App;
use crate::operations::{deliveries, endpoints, merchants};
use crate::outbound::{Received, Sending, late};
use crate::sandbox::mischief::{Trick, Wrong};
use crate::schemes::Scheme;

/// A claimed delivery with its lease.
#[derive(Clone, Debug)]
pub(super) struct Leased {
    pub(super) delivery: Delivery,
    pub(super) token: String,
    pub(super) until: Timestamp,
}

/// An attempt that was made and is to be recorded.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    delivery: Delivery,
    token: String,
    /// What was made of it; nothing if the lease was over before anything was sent.
    made: Option<Attempted>,
    left: bool,
}

#[derive(Clone, Debug)]
struct Attempted {
    attempt: Try,
    outcome: Outcome,
    rules: Arc<DeliveryRules>,
}

/// Makes one attempt. It never fails: what went wrong is part of the attempt. A process that was
/// frozen past the end of the lease sends nothing: somebody else has.
pub(super) async fn send(app: &App, leased: Leased) -> Finished {
    let Leased {
        delivery,
        token,
        until,
    } = leased;
    let made = if app.clock.now() < until {
        Some(make(app, &delivery).await)
    } else {
        None
    };
    Finished {
        delivery,
        token,
        made,
        left: false,
    }
}

async fn make(app: &App, delivery: &Delivery) -> Attempted {
    let at = app.clock.now();
    let started = crate::clock::stopwatch();
    let rules = app.rules(&delivery.new.scheme);
    let trick = trick(app, delivery);
    let how = trick.map(|wrong| wrong.trick);
    let prepared = prepare(app, delivery, (&rules, how), at).await;
    let (sending, result) = match prepared {
        Ok(sending) => {
            let end = at.plus(rules.timeout);
            let result = tokio::select! {
                result = post(app, &sending, how) => result,
                () = app.sending.passed(end) => Err(late(sending.timeout)),
            };
            (sending, result)
        }
        Err(fault) => {
            tracing::error!(delivery = %delivery.new.id, fault = fault.0, "cannot be signed");
            let why = "it could not be signed: the gateway has no secret for it".to_owned();
            (unsigned(delivery), Err(why))
        }
    };
    let took = crate::clock::stopwatch().saturating_sub(started);
    let asked = result.as_ref().ok().and_then(retry_after);
    let attempt = attempt(delivery, &sending, result, (at, took));
    let seed = app.entropy.seed();
    let outcome = rules.after(Made {
        number: delivery.planned + 1,
        first: delivery.first.unwrap_or(at),
        began: at,
        now: app.clock.now(),
        status: attempt.status,
        retry_after: asked,
        seed: &seed,
    });
    let outcome = match trick.map(|wrong| (wrong.trick, wrong.late)) {
        Some((Trick::Delay, late)) => Outcome::RetryAt(at.plus(late)),
        // Its line goes on without it; it follows by itself.
        Some((Trick::Swap, _)) => {
            app.mischief.hold(delivery.clone());
            Outcome::Delivered
        }
        Some(_) | None => outcome,
    };
    if app.sandbox && outcome == Outcome::Delivered {
        follow(app, delivery, &rules).await;
    }
    let delivered = outcome == Outcome::Delivered;
    metrics::counter!(
        "florin_delivery_attempts_total",
        "scheme" => delivery.new.scheme.clone(),
        "delivered" => if delivered { "yes" } else { "no" }
    )
    .increment(1);
    Attempted {
        attempt,
        outcome,
        rules,
    }
}

/// Sends what was to come behind a delivery. What the receiver says to that counts for nothing.
async fn follow(app: &App, delivery: &Delivery, rules: &DeliveryRules) {
    for late in app.mischief.behind(delivery) {
        if let Ok(sending) = prepare(app, &late, (rules, None), app.clock.now()).await {
            let _ = app.outbound.post(&sending).await;
        }
    }
}

/// What somebody wants to go wrong with this attempt, in the sandbox.
fn trick(app: &App, delivery: &Delivery) -> Option<Wrong> {
    let demo = app.demo.as_ref().filter(|_| app.sandbox)?;
    let new = &delivery.new;
    let own = new.merchant == demo.caller.merchant.id && new.mode == demo.caller.mode;
    own.then(|| app.mischief.take(&new.topic)).flatten()
}

/// Sends a request, unless it is to be lost.
async fn post(app: &App, sending: &Sending, trick: Option<Trick>) -> Result<Received, String> {
    if trick == Some(Trick::Duplicate) {
        // The answer to the second one counts.
        let _ = app.outbound.post(sending).await;
    }
    if !trick.is_some_and(Trick::sends_nothing) {
        let result = app.outbound.post(sending).await;
        if trick != Some(Trick::LoseAnswer) {
            return result;
        }
    }
    Err(trick.and_then(Trick::loses).unwrap_or_default().to_owned())
}

/// The signed request.
async fn prepare(
    app: &App,
    delivery: &Delivery,
    (rules, trick): (&DeliveryRules, Option<Trick>),
    at: Timestamp,
) -> Result<Sending, Fault> {
    let new = &delivery.new;
    let scheme = Scheme::by_name(&new.scheme)
        .ok_or_else(|| Fault(format!("no scheme is called {}", new.scheme)))?;
    let (mut secrets, wire) = secrets(app, scheme, delivery).await?;
    if let Some(wrong) = trick.and_then(Trick::secret) {
        secrets = vec![wrong];
    }
    // Where a scheme signs the address too, it is the one that is asked for on the wire.
    let url = app.outbound.spelled(&new.target);
    let outgoing = scheme
        .sign(&Signing {
            secrets: &secrets,
            url: &url,
            endpoint: wire.as_deref(),
            delivery: new.id.as_str(),
            topic: &new.topic,
            attempt: delivery.attempts + 1,
            body: &new.body,
            now: at,
        })
        .map_err(|error| Fault(error.to_string()))?;
    Ok(sending(delivery, rules, outgoing))
}

/// The secrets that sign a delivery, newest first, and the endpoint's id on the wire.
async fn secrets(
    app: &App,
    scheme: Scheme,
    delivery: &Delivery,
) -> Result<(Vec<Secret>, Option<String>), Fault> {
    let new = &delivery.new;
    let fault = |failure| match failure {
        Failure::Fault(fault) | Failure::Unknown(fault) => fault,
        Failure::Refused(refusal) => Fault(refusal.name().to_owned()),
    };
    let own = new
        .endpoint
        .as_ref()
        .filter(|_| !scheme.signs_with_account());
    let Some(id) = own else {
        let salt = merchants::salt(app, &new.scheme, &new.merchant, new.mode).await;
        return Ok((vec![salt.map_err(fault)?], delivery.endpoint_wire.clone()));
    };
    let secrets = endpoints::secrets(app, (&new.merchant, new.mode, id)).await;
    Ok((secrets.map_err(fault)?, delivery.endpoint_wire.clone()))
}

fn sending(delivery: &Delivery, rules: &DeliveryRules, outgoing: Outgoing) -> Sending {
    let mut headers = vec![
        ("content-type".to_owned(), delivery.new.content_type.clone()),
        ("user-agent".to_owned(), rules.user_agent.clone()),
    ];
    // A scheme may name its own.
    headers.retain(|(name, _)| !outgoing.headers.iter().any(|own| own.0 == *name));
    headers.extend(outgoing.headers);
    Sending {
        url: delivery.new.target.clone(),
        headers,
        body: outgoing.body,
        timeout: Duration::from_millis(rules.timeout.millis()),
    }
}

/// What is shown of a request that could not be made.
fn unsigned(delivery: &Delivery) -> Sending {
    Sending {
        url: delivery.new.target.clone(),
        headers: Vec::new(),
        body: String::new(),
        timeout: Duration::ZERO,
    }
}

/// How long the receiver asks us to wait: a number of seconds, or a date. A date is measured
/// against the `Date` of the same answer, so the receiver's clock need not agree with ours.
fn retry_after(answer: &Received) -> Option<Span> {
    let header = |wanted: &str| {
        let known = answer.headers.iter();
        let mut named = known.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.next().map(|(_, value)| value.as_str())
    };
    let value = header("retry-after")?;
    retry_after_seconds(value).or_else(|| {
        let until = http_date(value)?;
        let sent = http_date(header("date")?)?;
        Some(until.since(sent))
    })
}

/// `Sat, 21 Nov 2026 09:28:50 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(Timestamp::from_millis(at.timestamp().as_millisecond()))
}

fn attempt(
    delivery: &Delivery,
    sending: &Sending,
    result: Result<Received, String>,
    (at, took): (Timestamp, Duration),
) -> Try {
    let (answer, error) = match result {
        Ok(answer) => (Some(answer), None),
        Err(error) => (None, Some(error)),
    };
    // Pairs of texts can always be written as JSON.
    let headers = |headers: &[(String, String)]| serde_json::to_string(headers).unwrap_or_default();
    Try {
        number: delivery.attempts + 1,
        at,
        took_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        status: answer.as_ref().map(|answer| answer.status),
        error,
        request_headers: headers(&sending.headers),
        request_body: sending.body.clone(),
        response_headers: headers(answer.as_ref().map_or(&[][..], |answer| &answer.headers)),
        response_body: answer.map_or_else(String::new, |answer| answer.body),
    }
}

impl Finished {
    /// Did the receiver take it, or was nothing sent at all?
    pub(super) fn is_no_failure(&self) -> bool {
        let made = self.made.as_ref();
        made.is_none_or(|made| made.outcome == Outcome::Delivered)
    }

    /// Gives its place back, once.
    pub(super) fn leave(&mut self, desk: &mut Desk) {
        if !self.left {
            self.left = true;
            desk.left(&self.delivery.new.queue, self.is_no_failure());
        }
    }

    /// Records the attempt and what follows from it, for its endpoint too; `false` if the lease was
    /// lost, and then nothing follows.
    pub(super) fn record(&self, tx: &mut Tx<'_>, at: &Moment) -> Result<bool, Failure> {
        let Some(made) = &self.made else {
            return Ok(true);
        };
        let outcome = made.outcome;
        if !outbox::settle(tx, &self.delivery, &self.token, &made.attempt, outcome)? {
            return Ok(false);
        }
        self.judge(tx, at, made)?;
        Ok(true)
    }

    /// What an attempt means for its endpoint.
    fn judge(&self, tx: &mut Tx<'_>, at: &Moment, made: &Attempted) -> Result<(), Failure> {
        let (delivery, outcome) = (&self.delivery, made.outcome);
        let Some(id) = &delivery.new.endpoint else {
            return Ok(());
        };
        let Some(endpoint) = endpoint_table::by_id(tx, id)?.filter(|known| !known.is_removed())
        else {
            return Ok(());
        };
        let version = endpoint.version;
        if outcome == Outcome::Delivered {
            if endpoint.health.failures > 0 {
                endpoint_table::update(tx, &endpoint.succeeded(), version)?;
            }
            return Ok(());
        }
        let gone = made.rules.is_gone(made.attempt.status);
        let (endpoint, fact) = endpoint.failed(at.now, &made.rules, gone)?;
        endpoint_table::update(tx, &endpoint, version)?;
        if let Some(fact) = fact {
            let details = format!("{} failed attempts", endpoint.health.failures);
            endpoints::note(tx, at, &endpoint, fact, ("florin", &details))?;
        }
        Ok(())
    }

    /// Says what an operator should hear of, once it is recorded.
    pub(super) fn tell(&self, held: bool) {
        let Some(made) = &self.made else {
            return;
        };
        let new = &self.delivery.new;
        if !held {
            tracing::warn!(delivery = %new.id, "the lease was lost while sending");
        } else if made.outcome == Outcome::GivenUp && self.delivery.again.is_none() {
            let why = outbox::why::after(made.attempt.status);
            deliveries::given_up(&new.scheme, why, 1);
            let (endpoint, attempts) = (new.endpoint.as_ref(), self.delivery.attempts + 1);
            let endpoint = endpoint.map(EndpointId::as_str);
            let (scheme, about) = (&new.scheme, &new.about);
            tracing::warn!(
                delivery = %new.id, scheme, about, endpoint, attempts, why,
                "a webhook was given up"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_asks_for_patience_in_seconds_or_by_a_date() {
        let asked = |headers: &[(&str, &str)]| {
            let headers = headers.iter();
            retry_after(&Received {
                status: 503,
                headers: headers
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                body: String::new(),
            })
        };
        // Its clock is a year behind; that does not matter.
        let date = ("Date", "Fri, 21 Nov 2025 09:00:00 GMT");
        let later = ("Retry-After", "Fri, 21 Nov 2025 09:30:00 GMT");
        assert_eq!(
            asked(&[("retry-after", "120")]),
            Some(Span::from_seconds(120))
        );
        assert_eq!(asked(&[date, later]), Some(Span::from_minutes(30)));
        let past = ("Retry-After", "Fri, 21 Nov 2025 08:30:00 GMT");
        assert_eq!(asked(&[past, date]), Some(Span::from_millis(0)));
        assert_eq!(asked(&[later]), None, "against which clock?");
        for nonsense in ["", "soon", "-5", "1.5", "Fri, 99 Nov 2025 09:30:00 GMT"] {
            assert_eq!(
                asked(&[date, ("retry-after", nonsense)]),
                None,
                "{nonsense}"
            );
        }
        assert_eq!(asked(&[date]), None);
    }
}
