//! A payment's whole way: created, paid, webhook received. Either as fast as it goes, or paid at
//! a given rate to see how long the webhook takes.

use std::time::Instant;

use tokio::task::JoinSet;

use crate::clock::{self, Span};
use crate::drive::{self, Asks, Laps, Load, requests};
use crate::failure::Outcome;
use crate::receiver::{Arrival, Receiver};
use crate::samples::Samples;
use crate::shop::{Shop, id_in};
use crate::wire::Wire;

/// Whole cycles on `connections` connections, each starting the next when its webhook came; and
/// of each the part from the pay request to the webhook.
pub async fn closed(
    shop: &Shop,
    receiver: &Receiver,
    connections: usize,
    span: Span,
) -> Outcome<(Load, Load)> {
    let wires = drive::open(shop.address, connections).await?;
    let start = clock::now();
    let end = start + span.warm + span.window;
    let mut tasks = JoinSet::new();
    for mut wire in wires {
        let (shop, receiver) = (shop.clone(), receiver.clone());
        tasks.spawn(async move {
            let (mut laps, mut paid, mut last) = (Laps::new(), Laps::new(), String::new());
            let create = shop.create();
            let mut began = start;
            while began < end {
                let id = id_in(wire.call(&create).await?)?.to_owned();
                let arrival = receiver.watch(&id);
                let pays = clock::now();
                wire.call(&shop.pay(&id)).await?;
                let came = arrival.moment().await?;
                laps.push((began, came));
                paid.push((pays, came));
                (began, last) = (clock::now(), id);
            }
            // The attempt is recorded after the webhook was answered; the last one proves it.
            shop.recorded(&mut wire, &last).await?;
            Ok((laps, paid))
        });
    }
    let (laps, paid): (Vec<Laps>, Vec<Laps>) = drive::gather(tasks).await?.into_iter().unzip();
    let load = |laps: Vec<Laps>| Load::of(&laps.concat(), start, span);
    Ok((load(laps), load(paid)))
}

/// How long webhooks took when payments were paid at a steady rate.
#[derive(Debug)]
pub struct Paid {
    /// From the moment at which the pay request should have started.
    pub from_request: Samples,
    /// From the answer to the pay request; zero where the webhook was faster.
    pub from_answer: Samples,
}

/// Creates payments first, then pays them at `rate` a second.
pub async fn paced(shop: &Shop, receiver: &Receiver, rate: u32, span: Span) -> Outcome<Paid> {
    let skipped = requests(rate, span.warm);
    let ids = create_many(shop, skipped + requests(rate, span.window)).await?;
    let arrivals: Vec<Arrival> = ids.iter().map(|id| receiver.watch(id)).collect();
    let asks = ids.iter().map(|id| shop.pay(id)).collect();
    let paid = drive::paced(shop.address, Asks::Each(asks), rate).await?;
    let mut from_request = Vec::with_capacity(paid.len());
    let mut from_answer = Vec::with_capacity(paid.len());
    for ((index, intended, answered), arrival) in paid.into_iter().zip(arrivals) {
        let came: Instant = arrival.moment().await?;
        if index >= skipped {
            from_request.push(came.saturating_duration_since(intended));
            from_answer.push(came.saturating_duration_since(answered));
        }
    }
    let (from_request, from_answer) = (Samples::new(from_request), Samples::new(from_answer));
    Ok(Paid {
        from_request,
        from_answer,
    })
}

/// Payment requests made in advance, on a few connections at once.
async fn create_many(shop: &Shop, count: usize) -> Outcome<Vec<String>> {
    const CONNECTIONS: usize = 16;
    let mut tasks = JoinSet::new();
    for lane in 0..CONNECTIONS {
        let shop = shop.clone();
        tasks.spawn(async move {
            let mut wire = Wire::open(shop.address).await?;
            let create = shop.create();
            let mut ids = Vec::new();
            for _ in (lane..count).step_by(CONNECTIONS) {
                ids.push(id_in(wire.call(&create).await?)?.to_owned());
            }
            Ok(ids)
        });
    }
    Ok(drive::gather(tasks).await?.concat())
}
