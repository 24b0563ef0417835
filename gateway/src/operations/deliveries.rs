//! Webhook deliveries, for those who look at them.

use domain::{BillId, DeliveryId, MerchantId, Mode, Refusal, Timestamp};
use store::tables::deliveries::{self as outbox, Delivery, Try};
use store::{Failure, Tx};

use super::refused;
use crate::app::App;

/// How many of a merchant's deliveries a list shows.
const SHOWN: u32 = 50;

/// A delivery with all its attempts.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The delivery.
    pub delivery: Delivery,
    /// Its attempts, in order.
    pub attempts: Vec<Try>,
}

impl Seen {
    /// When it is tried next, if it will be.
    pub fn next_attempt(&self) -> Option<Timestamp> {
        self.delivery.next
    }
}

/// The deliveries of a bill, or the newest ones of a merchant.
pub async fn list(
    app: &App,
    merchant: &MerchantId,
    mode: Mode,
    bill: Option<BillId>,
) -> Result<Vec<Seen>, Failure> {
    let merchant = merchant.clone();
    app.store
        .read("list_deliveries", move |tx| {
            let found = match &bill {
                Some(bill) => outbox::of_bill(tx, bill)?,
                None => outbox::newest(tx, &merchant, mode, SHOWN)?,
            };
            found
                .into_iter()
                .filter(|delivery| delivery.new.merchant == merchant && delivery.new.mode == mode)
                .map(|delivery| seen(tx, delivery))
                .collect()
        })
        .await
}

fn seen(tx: &mut Tx<'_>, delivery: Delivery) -> Result<Seen, Failure> {
    let attempts = outbox::attempts(tx, &delivery.new.id)?;
    Ok(Seen { delivery, attempts })
}

/// One more attempt now, in whatever state the delivery is.
pub async fn resend(
    app: &App,
    merchant: &MerchantId,
    mode: Mode,
    id: &DeliveryId,
) -> Result<(), Failure> {
    let now = app.clock.now();
    let (merchant, id) = (merchant.clone(), id.clone());
    app.store
        .write("resend_delivery", move |tx| {
            let known = outbox::by_id(tx, &id)?
                .filter(|delivery| delivery.new.merchant == merchant && delivery.new.mode == mode);
            if known.is_none() || !outbox::resend(tx, &id, now)? {
                return refused(Refusal::UnknownRoute);
            }
            Ok(())
        })
        .await?;
    app.deliveries_due.notify_one();
    Ok(())
}
