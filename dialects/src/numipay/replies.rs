//! From a reply to the wire.

use domain::transaction::{Opened, Page, Standing};
use domain::{BillView, Direction, Payout, Reply, Seed, TransactionReply, TransactionView, WireId};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::times;
use crate::{Kind, Site};

/// The sentence of the contract for an approved payout.
const APPROVED: &str = "Transaction Withdrawal has been approved successfully";

/// The word for how a transaction stands.
pub fn word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Pending => "pending",
        Standing::Successful => "successful",
        Standing::Rejected(_) => "rejected",
        Standing::Expired => "expired",
    }
}

fn reason(standing: &Standing) -> Option<&str> {
    match standing {
        Standing::Rejected(reason) => Some(reason),
        Standing::Pending | Standing::Successful | Standing::Expired => None,
    }
}

/// The answer of the calls that send a customer to a page.
#[derive(Serialize)]
struct Sent<'a> {
    url: String,
    transaction_id: &'a str,
    transaction_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// The answer of the call with card data.
#[derive(Serialize)]
struct Charged<'a> {
    url: String,
    transaction_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    transaction_id: &'a str,
}

#[derive(Serialize)]
struct Approved {
    message: &'static str,
    transaction_status: &'static str,
}

#[derive(Serialize)]
struct Shown<'a> {
    transaction_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_reason: Option<&'a str>,
}

/// An entry of the list: the seven members of the webhook in its order, then ours.
#[derive(Serialize)]
struct Listed<'a> {
    transaction_id: &'a str,
    user_id: &'a str,
    tracking_id: &'a str,
    status: &'static str,
    currency: &'static str,
    amount: String,
    transaction_type: &'static str,
    transaction_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<&'a str>,
    created_at: String,
    updated_at: String,
}

/// The answer to a call.
pub fn encode(site: &Site, reply: &Reply) -> Response<Vec<u8>> {
    match reply {
        Reply::Transaction(TransactionReply::Opened(opened)) => opened_answer(site, opened),
        Reply::Transaction(TransactionReply::PayoutRejected) => answer(StatusCode::OK, &Map::new()),
        Reply::Transaction(TransactionReply::PayoutApproved) => {
            let body = Approved {
                message: APPROVED,
                transaction_status: "pending",
            };
            answer(StatusCode::OK, &body)
        }
        Reply::Transaction(TransactionReply::One(view)) => {
            let body = Shown {
                transaction_status: word(&view.standing),
                rejected_reason: reason(&view.standing),
            };
            answer(StatusCode::OK, &body)
        }
        Reply::Transaction(TransactionReply::Some(views)) => {
            let rows: Vec<Listed<'_>> = views.iter().map(listed).collect();
            answer(StatusCode::OK, &rows)
        }
        Reply::BillCreated(view) | Reply::Bill(view) => {
            let standing = Standing::from(&view.state);
            let status = word(&standing);
            answer(
                StatusCode::OK,
                &serde_json::json!({"status": status, "transaction_status": status}),
            )
        }
        Reply::Bills(_)
        | Reply::DefaultLink(_)
        | Reply::BillWithdrawn
        | Reply::EndpointRegistered(_)
        | Reply::Endpoint(_)
        | Reply::Endpoints(_)
        | Reply::EndpointRemoved
        | Reply::Reservation(_)
        | Reply::Token(_)
        | Reply::CardBalance(_) => crate::not_offered(),
    }
}

fn opened_answer(site: &Site, opened: &Opened) -> Response<Vec<u8>> {
    let base = &site.public_url;
    let url = match &opened.page {
        Page::Cashier(token) => format!("{base}/cashier/{token}"),
        Page::ThreeDs(token) => format!("{base}/3ds/{token}"),
        Page::None => String::new(),
    };
    let (status, error) = (word(&opened.standing), reason(&opened.standing));
    let id = opened.id.as_str();
    if opened.by_server {
        let body = Charged {
            url,
            transaction_status: status,
            error,
            transaction_id: id,
        };
        answer(StatusCode::OK, &body)
    } else {
        let body = Sent {
            url,
            transaction_id: id,
            transaction_status: status,
            error,
        };
        answer(StatusCode::OK, &body)
    }
}

fn listed(view: &TransactionView) -> Listed<'_> {
    let status = word(&view.standing);
    Listed {
        transaction_id: view.id.as_str(),
        user_id: &view.user,
        tracking_id: &view.tracking,
        status,
        currency: view.amount.currency().code(),
        amount: view.amount.fixed(),
        transaction_type: view.direction.as_str(),
        transaction_status: status,
        rejected_reason: reason(&view.standing),
        provider_id: view.provider.as_deref(),
        created_at: times::print(view.created),
        updated_at: times::print(view.updated),
    }
}

/// A JSON answer.
pub fn answer(status: StatusCode, body: &impl Serialize) -> Response<Vec<u8>> {
    // These bodies are structs of texts; writing them cannot fail.
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(bytes);
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Fifteen of `[a-z0-9]`, each equally likely.
pub fn short_id(kind: Kind, seed: &Seed) -> WireId {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let label = match kind {
        Kind::Bill => "numipay transaction",
        Kind::Payment => "numipay payment",
        Kind::Endpoint => "numipay endpoint",
    };
    let mut text = String::with_capacity(15);
    let mut round = 0_u32;
    while text.len() < 15 {
        for byte in seed.derive(&format!("{label} {round}")) {
            // 252 is the largest multiple of 36 below 256: the rest would favour some letters.
            if byte < 252 && text.len() < 15 {
                let letter = LETTERS.get(usize::from(byte) % LETTERS.len());
                text.push(char::from(letter.copied().unwrap_or(b'a')));
            }
        }
        round += 1;
    }
    WireId::new(text.clone()).unwrap_or_else(|_| WireId::from(uuid::Uuid::nil()))
}

/// The token of a page, as the gateway put it beside what the client sent.
pub fn page_token(extras: &Map<String, Json>) -> &str {
    extras
        .get("page")
        .and_then(Json::as_str)
        .unwrap_or_default()
}

/// The path of a deposit's page.
pub fn deposit_page(view: &BillView) -> String {
    format!("/cashier/{}", page_token(&view.bill.ask.extras))
}

/// Where the browser goes after a deposit's page.
pub fn deposit_return(view: &BillView) -> Option<String> {
    let ask = &view.bill.ask;
    let standing = Standing::from(&view.state);
    let url = ask.return_url.as_deref()?;
    let tracking = ask.reference.as_deref().unwrap_or_default();
    Some(return_url(url, tracking, &view.bill.head.wire, &standing))
}

/// Where the browser goes after a withdrawal's page.
pub fn withdrawal_return(payout: &Payout, standing: &Standing) -> Option<String> {
    let order = &payout.order;
    let url = order.return_url.as_deref()?;
    let tracking = order.reference.as_deref().unwrap_or_default();
    Some(return_url(url, tracking, &payout.head.wire, standing))
}

/// The merchant's address with our arguments behind whatever query is there.
fn return_url(url: &str, tracking: &str, id: &WireId, standing: &Standing) -> String {
    // A header takes ASCII only; an ASCII address stays as the merchant wrote it.
    let url = match url::Url::parse(url) {
        Ok(parsed) if !url.is_ascii() => parsed.to_string(),
        Ok(_) | Err(_) => url.to_owned(),
    };
    let (url, fragment) = match url.split_once('#') {
        Some((url, fragment)) => (url, format!("#{fragment}")),
        None => (url.as_str(), String::new()),
    };
    let joint = match url.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let arguments = form_urlencoded::Serializer::new(String::new())
        .append_pair("tracking_id", tracking)
        .append_pair("transaction_id", id.as_str())
        .append_pair("status", word(standing))
        .finish();
    format!("{url}{joint}{arguments}{fragment}")
}

/// The seven members of a webhook, all of them texts, in the contract's order.
#[derive(Serialize)]
pub struct Seven<'a> {
    /// Our id.
    pub transaction_id: &'a str,
    /// The merchant's customer.
    pub user_id: &'a str,
    /// The merchant's own id.
    pub tracking_id: &'a str,
    /// How it stands.
    pub status: &'static str,
    /// The code.
    pub currency: &'static str,
    /// Decimal text.
    pub amount: String,
    /// `deposit` or `withdrawal`.
    pub transaction_type: &'static str,
}

impl Seven<'_> {
    /// Compact JSON: the very bytes that are signed and sent.
    pub fn body(&self) -> String {
        // A struct of texts; writing it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The word for a direction.
pub fn direction(direction: Direction) -> &'static str {
    direction.as_str()
}
