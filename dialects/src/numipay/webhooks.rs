//! The webhook: seven texts in a fixed order, signed over exactly the bytes that are sent.
//!
//! The signature is SHA-1 over body and password, as the contract demands. SHA-1 is weak; a
//! merchant who wants a strong signature registers an endpoint of the Standard Webhooks scheme
//! beside this one and gets the same events there.

use domain::transaction::Standing;
use domain::{About, Bill, Direction, Endpoint, Event, Fact, Payout};
use serde_json::{Map, Value as Json};

use super::replies::{Seven, word};
use crate::{Target, WebhookBody};

/// What a registered endpoint can ask for: one topic for each status.
pub const TOPICS: &[&str] = &[
    "transaction.pending",
    "transaction.successful",
    "transaction.rejected",
    "transaction.expired",
];

/// The webhook that an event gives: one at creation and one at each change of the status.
pub fn bodies(event: &Event) -> Vec<WebhookBody> {
    match event.fact {
        Fact::BillCreated | Fact::BillPaid | Fact::BillFailed | Fact::BillExpired => {
            event.bill().map(deposit).into_iter().collect()
        }
        Fact::PayoutCreated
        | Fact::PayoutPaid
        | Fact::PayoutRejected
        | Fact::PayoutCancelled
        | Fact::PayoutExpired => event.payout().map(withdrawal).into_iter().collect(),
        Fact::EndpointTested => match &event.about {
            About::Endpoint(endpoint) => vec![test(endpoint)],
            About::Bill { .. } | About::Step { .. } | About::Payout(_) => Vec::new(),
        },
        Fact::BillChanged
        | Fact::BillWithdrawn
        | Fact::PaymentAuthorized
        | Fact::PaymentCaptured
        | Fact::PaymentReleased
        | Fact::PaymentRefunded
        | Fact::PaymentEnded
        | Fact::EndpointRegistered
        | Fact::EndpointFailing
        | Fact::EndpointPaused
        | Fact::EndpointResumed
        | Fact::EndpointRemoved
        | Fact::PayoutSubmitted
        | Fact::PayoutApproved => Vec::new(),
    }
}

fn deposit(bill: &Bill) -> WebhookBody {
    let standing = Standing::from(bill.state());
    let seven = Seven {
        transaction_id: bill.head.wire.as_str(),
        user_id: user(&bill.ask.extras),
        tracking_id: bill.ask.reference.as_deref().unwrap_or_default(),
        status: word(&standing),
        currency: bill.ask.amount.currency().code(),
        amount: bill.ask.amount.fixed(),
        transaction_type: Direction::Deposit.as_str(),
    };
    webhook(&seven, bill.ask.notify_url.as_deref())
}

fn withdrawal(payout: &Payout) -> WebhookBody {
    let standing = Standing::from(payout.state());
    let seven = Seven {
        transaction_id: payout.head.wire.as_str(),
        user_id: user(&payout.order.extras),
        tracking_id: payout.order.reference.as_deref().unwrap_or_default(),
        status: word(&standing),
        currency: payout.order.amount.currency().code(),
        amount: payout.order.amount.fixed(),
        transaction_type: Direction::Withdrawal.as_str(),
    };
    webhook(&seven, payout.order.notify_url.as_deref())
}

/// The merchant's own id in a test; no transaction has it by chance.
const TEST: &str = "florin-test-delivery";

/// A body of the same seven texts that no transaction stands behind.
fn test(endpoint: &Endpoint) -> WebhookBody {
    let seven = Seven {
        transaction_id: endpoint.head.wire.as_str(),
        user_id: "test",
        tracking_id: TEST,
        status: word(&Standing::Pending),
        currency: "EUR",
        amount: "1.00".to_owned(),
        transaction_type: Direction::Deposit.as_str(),
    };
    webhook(&seven, None)
}

fn user(extras: &Map<String, Json>) -> &str {
    extras
        .get("user_id")
        .and_then(Json::as_str)
        .unwrap_or_default()
}

fn webhook(seven: &Seven<'_>, notify_url: Option<&str>) -> WebhookBody {
    WebhookBody {
        topic: format!("transaction.{}", seven.status),
        // The address of the call stands in for the account's.
        to: notify_url.map_or(Target::Endpoints, |url| Target::Url(url.to_owned())),
        subject: seven.transaction_id.to_owned(),
        content_type: "application/json",
        body: seven.body(),
    }
}
