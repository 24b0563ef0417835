//! Webhooks: one body for every step of a payment, in exactly the bytes of captured deliveries,
//! and the headers that sign each attempt anew.

use domain::{About, Bill, Currency, Endpoint, Event, Fact, Money, Payment, Span, Step, StepKind};
use serde::Serialize;
use serde_json::Value as Json;

use super::person::{self, UserDetails};
use super::replies::Amount;
use super::{times, topics};
use crate::sign::{self, VippsRequest};
use crate::{Outgoing, Signing, Target, Unsignable, WebhookBody};

/// The content type of every delivery.
pub const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// A body. The order of the members is that of captured deliveries.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    msn: &'a str,
    reference: &'a str,
    psp_reference: &'a str,
    name: &'static str,
    amount: Amount,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipping_details: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_details: Option<UserDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture_guaranteed_until: Option<String>,
}

/// When attempts follow the first one: three more two seconds apart, after a minute, after two,
/// hourly to the 29th, then daily up to seven days.
pub fn ladder() -> Vec<Span> {
    let mut due: Vec<Span> = [2, 4, 6, 66, 186].map(Span::from_seconds).to_vec();
    let last = 186_u64;
    let hourly = (1..=23).map(|hour| last.saturating_add(hour * 3_600));
    due.extend(hourly.map(Span::from_seconds));
    // The 29th attempt was nearly a day after the first; the rest are daily, and the last of them
    // is still within seven days.
    let last_hourly = last.saturating_add(23 * 3_600);
    let daily = (1..=6).map(|day: u64| last_hourly.saturating_add(day * 86_400));
    due.extend(daily.map(Span::from_seconds));
    due
}

/// The body of a step.
pub fn body(bill: &Bill, payment: &Payment, step: &Step) -> String {
    let extras = &bill.ask.extras;
    let authorized = step.kind == StepKind::Authorized;
    let body = Body {
        msn: extras.get("msn").and_then(Json::as_str).unwrap_or_default(),
        reference: bill.ask.reference.as_deref().unwrap_or_default(),
        psp_reference: step.wire.as_str(),
        name: topics::word(step.kind),
        amount: step.amount.into(),
        timestamp: times::print(step.at),
        idempotency_key: step.key.as_deref(),
        success: step.failure.is_none(),
        shipping_details: person::shipping(bill, payment.state()).filter(|_| authorized),
        user_details: person::details(bill, payment.state()).filter(|_| authorized),
        sub: person::sub(bill, payment.state()).filter(|_| authorized),
        capture_guaranteed_until: step.until.map(times::print_with_offset),
    };
    // Our own struct always serialises.
    serde_json::to_string(&body).unwrap_or_default()
}

/// The bodies that an event gives: one for a step that worked, and one for a test.
pub fn bodies(event: &Event) -> Vec<WebhookBody> {
    match (&event.about, event.fact) {
        (
            About::Step {
                bill,
                payment,
                step,
            },
            _,
        ) if step.failure.is_none() => vec![to_endpoints(
            topics::of(step.kind),
            bill.ask.reference.clone().unwrap_or_default(),
            body(bill, payment, step),
        )],
        (About::Endpoint(endpoint), Fact::EndpointTested) => {
            vec![to_endpoints(
                topics::of(StepKind::Created),
                TEST_REFERENCE.to_owned(),
                test_body(event, endpoint),
            )]
        }
        (About::Step { .. } | About::Bill { .. } | About::Endpoint(_) | About::Payout(_), _) => {
            Vec::new()
        }
    }
}

/// Of one payment nothing overtakes: the reference is what has an order.
fn to_endpoints(topic: String, subject: String, body: String) -> WebhookBody {
    WebhookBody {
        topic,
        to: Target::Endpoints,
        subject,
        content_type: CONTENT_TYPE,
        body,
    }
}

/// The reference of a test delivery; no payment has it by chance.
const TEST_REFERENCE: &str = "florin-test-delivery";

/// A body of the same shape that no payment stands behind.
fn test_body(event: &Event, endpoint: &Endpoint) -> String {
    let extras = &endpoint.extras;
    let Ok(nok) = Currency::parse_exact("NOK") else {
        return String::new();
    };
    let Ok(amount) = Money::from_minor(100, nok) else {
        return String::new();
    };
    let body = Body {
        msn: extras.get("msn").and_then(Json::as_str).unwrap_or_default(),
        reference: TEST_REFERENCE,
        psp_reference: endpoint.head.wire.as_str(),
        name: topics::word(StepKind::Created),
        amount: amount.into(),
        timestamp: times::print(event.at),
        idempotency_key: None,
        success: true,
        shipping_details: None,
        user_details: None,
        sub: None,
        capture_guaranteed_until: None,
    };
    serde_json::to_string(&body).unwrap_or_default()
}

/// While a secret is replaced the old one signs as ever, and this header has the same made with the
/// new one: a receiver can change over at any time in between, and try the new one before.
pub const NEXT_AUTHORIZATION: &str = "florin-next-authorization";

/// The headers of one attempt and the body as it is. Those that begin with `florin-` are our own
/// addition: what the original does not say, receivers may use to tell two equal captures apart.
pub fn signed(signing: &Signing<'_>) -> Result<Outgoing, Unsignable> {
    let date = sign::http_date(signing.now);
    let (host, path_and_query) = authority(signing.url);
    let request = VippsRequest {
        method: "POST",
        path_and_query: &path_and_query,
        date: &date,
        host: &host,
        body: signing.body.as_bytes(),
    };
    let signed = sign::vipps_signature(&request, signing.secret()?);
    let next = signing.next_secret();
    let next = next.map(|secret| sign::vipps_signature(&request, secret).authorization);
    let header = |name: &str, value: String| (name.to_owned(), value);
    let mut headers = vec![
        header("x-ms-date", signed.date),
        header("x-ms-content-sha256", signed.content_sha256),
        header("authorization", signed.authorization.clone()),
        header("x-vipps-authorization", signed.authorization),
        header("accept-encoding", "gzip".to_owned()),
        header("florin-delivery-id", signing.delivery.to_owned()),
        header("florin-event-type", signing.topic.to_owned()),
        header("florin-attempt", signing.attempt.to_string()),
    ];
    if let Some(next) = next {
        headers.push(header(NEXT_AUTHORIZATION, next));
    }
    if let Some(endpoint) = signing.endpoint {
        headers.push(header("webhook-id", endpoint.to_owned()));
    }
    Ok(Outgoing {
        headers,
        body: signing.body.to_owned(),
    })
}

/// The host as a receiver sees it (in lower case, with its port unless that is the scheme's own),
/// and path and query as they are sent: escapes untouched, no fragment.
pub fn authority(url: &str) -> (String, String) {
    let Ok(parsed) = url::Url::parse(url) else {
        return (String::new(), "/".to_owned());
    };
    let host = parsed.host_str().unwrap_or_default();
    let host = match parsed.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let path = parsed.path();
    let path = match parsed.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    (host, path)
}
