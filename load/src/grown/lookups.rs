//! Every way in which something is found by an id, timed at the store's own door.

use domain::{AttemptId, BillId, DeliveryId, PaymentId, WireId};
use store::tables::{attempts, bills, deliveries, events, ledger, payments};
use store::{Failure, Store, Tx};

use crate::clock;
use crate::failure::{Outcome, said};
use crate::samples::Samples;

/// What belongs to one payment.
#[derive(Clone, Debug)]
pub struct Ids {
    bill: BillId,
    bill_wire: WireId,
    payment: PaymentId,
    payment_wire: WireId,
    attempt: AttemptId,
    delivery: DeliveryId,
}

impl Ids {
    /// From a row with the ids in the order of the fields.
    pub fn read(row: &rusqlite::Row<'_>) -> Outcome<Ids> {
        let text = |at: usize| row.get::<_, String>(at);
        let wrong = |error: &dyn std::fmt::Display| said(format!("an id: {error}"));
        Ok(Ids {
            bill: BillId::parse(&text(0)?).map_err(|error| wrong(&error))?,
            bill_wire: WireId::new(text(1)?).map_err(|error| wrong(&error))?,
            payment: PaymentId::parse(&text(2)?).map_err(|error| wrong(&error))?,
            payment_wire: WireId::new(text(3)?).map_err(|error| wrong(&error))?,
            attempt: AttemptId::parse(&text(4)?).map_err(|error| wrong(&error))?,
            delivery: DeliveryId::parse(&text(5)?).map_err(|error| wrong(&error))?,
        })
    }
}

/// One way: says whether it found what it looked for.
type Way = fn(&mut Tx<'_>, &Ids) -> Result<bool, Failure>;

const WAYS: &[(&str, Way)] = &[
    ("bill by our id", |tx, ids| {
        Ok(bills::by_id(tx, &ids.bill)?.is_some())
    }),
    ("bill by its id on the wire", |tx, ids| {
        Ok(bills::by_wire(tx, "hitpay", &ids.bill_wire)?.is_some())
    }),
    ("payment by our id", |tx, ids| {
        Ok(payments::by_id(tx, &ids.payment)?.is_some())
    }),
    ("payment by its id on the wire", |tx, ids| {
        Ok(payments::by_wire(tx, "hitpay", &ids.payment_wire)?.is_some())
    }),
    ("payments of a bill", |tx, ids| {
        Ok(!payments::of_bill(tx, &ids.bill, 100)?.is_empty())
    }),
    ("attempt by its id", |tx, ids| {
        Ok(attempts::by_id(tx, &ids.attempt)?.is_some())
    }),
    ("transfers of a payment", |tx, ids| {
        Ok(!ledger::of(tx, ids.payment.as_str())?.is_empty())
    }),
    ("events about a bill", |tx, ids| {
        Ok(!events::about(tx, ids.bill.as_str(), 100)?.is_empty())
    }),
    ("webhooks about a bill", |tx, ids| {
        Ok(!deliveries::about(tx, ids.bill.as_str(), 100)?.is_empty())
    }),
    ("webhook by its id, with attempts", |tx, ids| {
        let found = deliveries::by_id(tx, &ids.delivery)?.is_some();
        Ok(found && !deliveries::attempts(tx, &ids.delivery)?.is_empty())
    }),
];

/// Looks everything up in every way, one after the other.
pub async fn all(store: &Store, ids: &[Ids]) -> Outcome<Vec<(&'static str, Samples)>> {
    let mut all = Vec::with_capacity(WAYS.len());
    for (what, way) in WAYS {
        let mut taken = Vec::with_capacity(ids.len());
        for one in ids {
            let one = one.clone();
            let began = clock::now();
            let found = store.read("look_up", move |tx| way(tx, &one)).await;
            taken.push(began.elapsed());
            if found != Ok(true) {
                return Err(said(format!("{what}: {found:?}")));
            }
        }
        all.push((*what, Samples::new(taken)));
    }
    Ok(all)
}
