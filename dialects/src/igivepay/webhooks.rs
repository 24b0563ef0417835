//! The one notification of a payment: it was processed. The body is as published; a header of our
//! own signs it (see [`super::SIGNATURE_HEADER`]).

use domain::payment::Payment;
use domain::{Bill, Event, Fact, Money};
use serde::Serialize;

use super::replies::{Deduction, Kroner};
use crate::{Target, WebhookBody};

/// What the notification announces.
pub const TOPIC: &str = "payment.processed";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Processed<'a> {
    payment_id: &'a str,
    paid_amount: Kroner,
    payment_total: Kroner,
    reference: Option<&'a str>,
    cards: Vec<Deduction>,
}

/// The notifications that an event gives: one, when a payment with a `webhookUrl` is charged.
pub fn notifications(event: &Event) -> Vec<WebhookBody> {
    if event.fact != Fact::BillPaid {
        return Vec::new();
    }
    let Some(bill) = event.bill() else {
        return Vec::new();
    };
    let Some(url) = &bill.ask.notify_url else {
        return Vec::new();
    };
    let Ok(body) = serde_json::to_string(&processed(bill, event.payment())) else {
        return Vec::new();
    };
    vec![WebhookBody {
        topic: TOPIC.to_owned(),
        to: Target::Url(url.clone()),
        subject: bill.head.wire.to_string(),
        content_type: "application/json",
        body,
    }]
}

/// The cards as the bill remembers them, and the payment of the rest if another method made it.
fn processed<'a>(bill: &'a Bill, payment: Option<&Payment>) -> Processed<'a> {
    let currency = bill.ask.amount.currency();
    let mut paid = Money::zero(currency);
    let mut cards = Vec::new();
    let told = bill
        .ask
        .extras
        .get("gift_cards")
        .and_then(serde_json::Value::as_array);
    for card in told.into_iter().flatten() {
        let last5 = card.get("last5").and_then(serde_json::Value::as_str);
        let minor = card.get("minor").and_then(serde_json::Value::as_i64);
        let amount = minor.and_then(|minor| Money::from_minor(minor, currency).ok());
        if let (Some(last5), Some(amount)) = (last5, amount) {
            cards.push(Deduction::of_card(last5, amount));
            paid = paid.checked_add(amount).unwrap_or(paid);
        }
    }
    if let Some(payment) = payment.filter(|payment| payment.head.gift_card.is_none()) {
        let amount = payment.head.amount;
        cards.push(Deduction::of_payment(payment, amount));
        paid = paid.checked_add(amount).unwrap_or(paid);
    }
    Processed {
        payment_id: bill.head.wire.as_str(),
        paid_amount: Kroner::new(paid),
        payment_total: Kroner::new(bill.ask.amount),
        reference: bill.ask.reference.as_deref(),
        cards,
    }
}
