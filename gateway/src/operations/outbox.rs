//! Announcing what happened: the event, and one delivery for each endpoint that is to hear of it,
//! in the transaction of the change itself.

use dialects::{Target, WebhookBody};
use domain::{
    About, Bill, DeliveryId, Endpoint, Event, Fact, MerchantId, Mode, Moment, Payment, Payout,
};
use store::tables::{deliveries as table, endpoints, events};
use store::{Fault, Tx};

use crate::schemes::Scheme;

/// Announces a fact about a bill.
pub(super) fn record(
    tx: &mut Tx<'_>,
    at: &Moment,
    fact: Fact,
    bill: &Bill,
    payment: Option<&Payment>,
) -> Result<(), Fault> {
    let event = Event::of_bill(at, fact, bill.clone(), payment.cloned());
    announce(tx, at, &event)
}

/// Announces a fact about a payout.
pub(super) fn record_payout(
    tx: &mut Tx<'_>,
    at: &Moment,
    fact: Fact,
    payout: &Payout,
) -> Result<(), Fault> {
    announce(tx, at, &Event::of_payout(at, fact, payout.clone()))
}

/// Announces an event.
pub(super) fn announce(tx: &mut Tx<'_>, at: &Moment, event: &Event) -> Result<(), Fault> {
    events::insert(tx, event)?;
    let known = endpoints::of_merchant(tx, event.merchant(), event.mode())?;
    let mut number = 0;
    let schemes = Scheme::of(event)
        .into_iter()
        .chain(Scheme::of_everything(&known));
    for scheme in schemes {
        for webhook in scheme.bodies(event) {
            for (target, endpoint) in receivers(event, scheme, &webhook, &known) {
                number += 1;
                let id = DeliveryId::mint(at, &format!("{}/{number}", event.id));
                let new = delivery(event, scheme, &webhook, (id, target, endpoint));
                table::insert(tx, &new, at.now)?;
            }
        }
    }
    Ok(())
}

/// Where a body goes.
fn receivers<'a>(
    event: &Event,
    scheme: Scheme,
    webhook: &'a WebhookBody,
    known: &'a [Endpoint],
) -> Vec<(&'a str, Option<&'a Endpoint>)> {
    match &webhook.to {
        Target::Url(url) => vec![(url.as_str(), None)],
        Target::Endpoints => known
            .iter()
            .filter(|endpoint| {
                endpoint.head.scheme == scheme.name() && hears(endpoint, event, &webhook.topic)
            })
            .map(|endpoint| (endpoint.url.as_str(), Some(endpoint)))
            .collect(),
    }
}

/// Does an endpoint hear of an event? A test is for the one that was asked for, whatever it wants;
/// an endpoint is not told about its own troubles.
fn hears(endpoint: &Endpoint, event: &Event, topic: &str) -> bool {
    match (&event.about, event.fact) {
        (About::Endpoint(tested), Fact::EndpointTested) => tested.head.id == endpoint.head.id,
        (About::Endpoint(other), _) => {
            other.head.id != endpoint.head.id && endpoint.topics.wants(topic)
        }
        (About::Bill { .. } | About::Step { .. } | About::Payout(_), _) => {
            endpoint.topics.wants(topic)
        }
    }
}

fn delivery(
    event: &Event,
    scheme: Scheme,
    webhook: &WebhookBody,
    (id, target, endpoint): (DeliveryId, &str, Option<&Endpoint>),
) -> table::New {
    let (merchant, mode) = (event.merchant(), event.mode());
    table::New {
        id,
        event: event.id.to_string(),
        merchant: merchant.clone(),
        mode,
        scheme: scheme.name().to_owned(),
        about: event.object().to_owned(),
        queue: match endpoint {
            Some(endpoint) => endpoint.head.id.to_string(),
            None => queue_of_url(merchant, mode, target),
        },
        endpoint: endpoint.map(|endpoint| endpoint.head.id.clone()),
        target: target.to_owned(),
        subject: webhook.subject.clone(),
        topic: webhook.topic.clone(),
        content_type: webhook.content_type.to_owned(),
        body: webhook.body.clone(),
    }
}

/// One-off targets queue by host: a shop may put an order's number into each address, and a host
/// that hangs must still hold up only itself.
fn queue_of_url(merchant: &MerchantId, mode: Mode, target: &str) -> String {
    let host = match url::Url::parse(target) {
        Ok(url) => url.origin().ascii_serialization(),
        // It was checked when it came; should it be unreadable after all, it is its own queue.
        Err(_) => target.to_owned(),
    };
    format!("{merchant}/{}/{host}", mode.as_str())
}
