//! From a reply to the wire. Amounts are JSON numbers in kroner, written from their exact text.

use domain::call::{CardBalance, CardLine};
use domain::gift_card::{Deed, Sign};
use domain::{BillState, BillView, Money, Payment, PaymentState, Reply, Timestamp};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Options;
use crate::{PageOutcome, Site, not_offered};

/// Asterisks before the last five digits of a number of 19.
const MASK: &str = "**************";

/// An amount in kroner as a JSON number: `499`, `499.5`.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Kroner(Box<RawValue>);

impl Kroner {
    /// Of an amount.
    pub fn new(money: Money) -> Self {
        Self::of_text(money.shortest())
    }

    /// Nothing.
    pub fn zero() -> Self {
        Self::of_text("0".to_owned())
    }

    /// The same below zero: what went off a card.
    fn less(money: Money) -> Self {
        Self::of_text(format!("-{}", money.shortest()))
    }

    fn of_text(text: String) -> Self {
        // The text of an amount is a JSON number, so this cannot fail.
        Self(RawValue::from_string(text).unwrap_or_default())
    }
}

/// A card of a payment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deduction {
    card_number: String,
    deducted_amount: Kroner,
}

impl Deduction {
    /// Of a gift card, by the last five digits of its number.
    pub fn of_card(last5: &str, amount: Money) -> Self {
        Self {
            card_number: format!("{MASK}{last5}"),
            deducted_amount: Kroner::new(amount),
        }
    }

    /// Of a payment, whatever paid it: what a bank card or a wallet paid of the rest is part of
    /// what the shop got, so it stands in the list as well, masked to the same length.
    pub fn of_payment(payment: &Payment, amount: Money) -> Self {
        if let Some(part) = &payment.head.gift_card {
            return Self::of_card(&part.last5, amount);
        }
        let last4 = payment.head.instrument.as_ref().map(|i| i.last4.as_str());
        Self {
            card_number: format!("{:*>19}", last4.unwrap_or_default()),
            deducted_amount: Kroner::new(amount),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    payment_id: &'a str,
    url: String,
    expires_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified<'a> {
    payment_id: &'a str,
    paid_amount: Kroner,
    payment_total: Kroner,
    reference: Option<&'a str>,
    cards: Vec<Deduction>,
    status: &'static str,
    remaining_amount: Kroner,
}

#[derive(Serialize)]
struct Balance {
    amount: Kroner,
    transactions: Vec<Transaction>,
}

#[derive(Serialize)]
struct Transaction {
    date: String,
    amount: Kroner,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// The answer to a call.
pub fn encode(site: &Site, _head: &Parts, reply: &Reply) -> Response<Vec<u8>> {
    match reply {
        Reply::BillCreated(view) => {
            let created = Created {
                payment_id: view.bill.head.wire.as_str(),
                url: format!("{}{}", site.public_url, page_path(&site.igivepay, view)),
                expires_at: view.bill.ask.expires.map(time),
            };
            answer(StatusCode::OK, &created)
        }
        Reply::Bill(view) => answer(StatusCode::OK, &verified(view)),
        Reply::CardBalance(balance) => answer(StatusCode::OK, &on_card(balance)),
        Reply::Bills(_)
        | Reply::DefaultLink(_)
        | Reply::BillWithdrawn
        | Reply::Transaction(_)
        | Reply::Reservation(_)
        | Reply::Token(_)
        | Reply::EndpointRegistered(_)
        | Reply::Endpoint(_)
        | Reply::Endpoints(_)
        | Reply::EndpointRemoved => not_offered(),
    }
}

fn verified(view: &BillView) -> Verified<'_> {
    let total = view.bill.ask.amount;
    let mut paid = Money::zero(total.currency());
    let mut cards = Vec::new();
    for payment in &view.payments {
        let kept = kept(payment);
        if let Some(kept) = kept.filter(|kept| !kept.is_zero()) {
            cards.push(Deduction::of_payment(payment, kept));
            paid = paid.checked_add(kept).unwrap_or(paid);
        }
    }
    Verified {
        payment_id: view.bill.head.wire.as_str(),
        paid_amount: Kroner::new(paid),
        payment_total: Kroner::new(total),
        reference: view.bill.ask.reference.as_deref(),
        cards,
        status: status(view),
        remaining_amount: Kroner::new(total.checked_sub(paid).unwrap_or(total)),
    }
}

/// What a payment took and did not give back.
fn kept(payment: &Payment) -> Option<Money> {
    match payment.state() {
        PaymentState::Authorized { sums, .. } => sums.refundable().ok(),
        PaymentState::Pending | PaymentState::Ended { .. } => None,
    }
}

/// The word for how a payment stands.
pub fn status(view: &BillView) -> &'static str {
    match &view.state {
        BillState::Open => "pending",
        BillState::Paid { .. } if view.is_given_back() => "refunded",
        BillState::Paid { .. } => "charged",
        BillState::Failed { .. } | BillState::Withdrawn { .. } => "aborted",
        BillState::Expired { .. } => "expired",
    }
}

fn on_card(balance: &CardBalance) -> Balance {
    Balance {
        amount: balance.amount.map_or_else(Kroner::zero, Kroner::new),
        transactions: balance.lines.iter().map(line).collect(),
    }
}

fn line(line: &CardLine) -> Transaction {
    Transaction {
        date: time(line.at),
        amount: match line.deed.sign() {
            Sign::Less => Kroner::less(line.amount),
            Sign::More | Sign::Same => Kroner::new(line.amount),
        },
        kind: match line.deed {
            Deed::Issue => "issue",
            Deed::Redeem => "redeem",
            Deed::GiveBack => "refund",
            Deed::TopUp => "topUp",
            Deed::Expire => "expire",
            Deed::MoveOut | Deed::MoveIn => "transfer",
            Deed::Activate | Deed::Hold | Deed::Free | Deed::Block | Deed::Unblock => "other",
        },
    }
}

/// RFC 3339 in UTC, whole seconds.
pub fn time(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The page of a payment, with the token that opens it.
pub fn page_path(options: &Options, view: &BillView) -> String {
    let id = &view.bill.head.wire;
    format!("/pay/{id}?token={}", options.page_token(id))
}

/// The shop's address with what became of the payment.
pub fn return_url(view: &BillView, outcome: PageOutcome) -> Option<String> {
    let url = view.bill.ask.return_url.as_deref()?;
    let mut url = url::Url::parse(url).ok()?;
    let status = match outcome {
        PageOutcome::Paid => "charged",
        PageOutcome::Cancelled => "aborted",
    };
    let mut arguments = url.query_pairs_mut();
    arguments
        .append_pair("paymentId", view.bill.head.wire.as_str())
        .append_pair("status", status);
    if let Some(reference) = &view.bill.ask.reference {
        arguments.append_pair("reference", reference);
    }
    drop(arguments);
    Some(url.to_string())
}

/// A JSON answer.
pub fn answer(status: StatusCode, body: &impl Serialize) -> Response<Vec<u8>> {
    let mut response = Response::new(serde_json::to_vec(body).unwrap_or_default());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
