//! Webhooks on a manual clock: when they are tried, what is sent, in which order, what survives a
//! dead process, what becomes of an endpoint that fails, and what people do about it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../lab/mod.rs"]
mod lab;

mod by_hand;
mod health;
mod hitpay;
mod order;
mod places;
mod receiver;
mod restart;
mod schedules;

use std::sync::Arc;

use domain::{DeliveryId, Endpoint, EndpointAsk, EndpointId, Event, Fact, Timestamp, Topics};
use gateway::operations::endpoints::{self, Who};
use gateway::operations::merchants;
use gateway::outbound::Sending;
use gateway::schemes::Scheme;
use gateway::workers;
use lab::Lab;
use receiver::Receiver;
use store::tables::deliveries::{self as outbox, Delivery, New};
use store::tables::{audit, bills, events};

/// A gateway and the receiver of all its webhooks.
async fn lab_with(status: u16) -> (Lab, Arc<Receiver>) {
    let receiver = Arc::new(Receiver::default());
    receiver.answers(status);
    let ours = Arc::clone(&receiver);
    let lab = Lab::with(Arc::new(move |sending: &Sending| {
        ours.take_request(sending)
    }))
    .await;
    receiver.looks_at(&lab.clock);
    for scheme in Scheme::all().filter(|scheme| scheme.signs_with_account()) {
        let made = merchants::new_salt(&lab.app, scheme.name(), &lab.caller).await;
        made.unwrap();
    }
    (lab, receiver)
}

fn who(lab: &Lab) -> Who<'_> {
    Who {
        caller: &lab.caller,
        actor: "tester",
    }
}

/// Registers an endpoint of a scheme.
async fn register(lab: &Lab, scheme: Scheme, url: &str, topics: &[&str]) -> Endpoint {
    let ask = EndpointAsk {
        url: url.to_owned(),
        topics: Topics::Some(topics.iter().map(|topic| (*topic).to_owned()).collect()),
        label: None,
        per_topic_max: None,
        extras: serde_json::Map::new(),
    };
    let view = endpoints::register(&lab.app, scheme, &who(lab), ask).await;
    view.unwrap().endpoint
}

/// A line of deliveries in the making: where they go, and about what.
#[derive(Clone)]
struct Line {
    scheme: &'static str,
    queue: String,
    endpoint: Option<EndpointId>,
    subject: String,
}

impl Line {
    fn to(endpoint: &Endpoint, scheme: Scheme, subject: &str) -> Self {
        Self {
            scheme: scheme.name(),
            queue: endpoint.head.id.to_string(),
            endpoint: Some(endpoint.head.id.clone()),
            subject: subject.to_owned(),
        }
    }

    /// One-off targets on a host.
    fn one_off(queue: &str, subject: &str) -> Self {
        Self {
            scheme: "hitpay",
            queue: queue.to_owned(),
            endpoint: None,
            subject: subject.to_owned(),
        }
    }
}

/// Writes a delivery with this body at the end of each line, due at `at`.
async fn put(lab: &Lab, lines: Vec<Line>, body: &str, at: Timestamp) -> Vec<DeliveryId> {
    let wire = lab.bill(false, None).await;
    let moment = lab.app.moment();
    let (body, caller) = (body.to_owned(), lab.caller.clone());
    let written = lab.app.store.write("put", move |tx| {
        let bill = bills::by_wire(tx, "hitpay", &wire)?.expect("it was just made");
        let about = bill.head.id.to_string();
        let event = Event::of_bill(&moment, Fact::BillPaid, bill, None);
        events::insert(tx, &event)?;
        let mut ids = Vec::new();
        for (number, line) in lines.iter().enumerate() {
            let new = New {
                id: DeliveryId::mint(&moment, &format!("{number}")),
                event: event.id.to_string(),
                merchant: caller.merchant.id.clone(),
                mode: caller.mode,
                scheme: line.scheme.to_owned(),
                about: about.clone(),
                queue: line.queue.clone(),
                endpoint: line.endpoint.clone(),
                target: "http://127.0.0.1/hook".to_owned(),
                subject: line.subject.clone(),
                topic: "made".to_owned(),
                content_type: "text/plain".to_owned(),
                body: body.clone(),
            };
            outbox::insert(tx, &new, at)?;
            ids.push(new.id);
        }
        Ok(ids)
    });
    written.await.unwrap()
}

/// Writes one delivery, due now.
async fn put_one(lab: &Lab, line: &Line, body: &str) -> DeliveryId {
    put(lab, vec![line.clone()], body, lab.clock.now())
        .await
        .remove(0)
}

/// Sends all that is due; how many attempts were made.
async fn send(lab: &Lab) -> usize {
    let mut count = 0;
    loop {
        match workers::webhooks::tick(&lab.app).await.unwrap() {
            0 => return count,
            some => count += some,
        }
    }
}

async fn found(lab: &Lab, id: &DeliveryId) -> Delivery {
    let id = id.clone();
    let found = lab
        .app
        .store
        .read("found", move |tx| Ok(outbox::by_id(tx, &id)?));
    found.await.unwrap().unwrap()
}

async fn state(lab: &Lab, id: &DeliveryId) -> (String, Option<String>) {
    let delivery = found(lab, id).await;
    (delivery.state, delivery.why)
}

/// Who did what to an object, in order.
async fn audited(lab: &Lab, object: &str) -> Vec<(String, String)> {
    let object = object.to_owned();
    let entries = lab
        .app
        .store
        .read("audit", move |tx| Ok(audit::about(tx, &object)?));
    let of = |entry: audit::Entry| (entry.actor, entry.action);
    entries.await.unwrap().into_iter().map(of).collect()
}
