//! Webhooks: one body for every step of a payment, in exactly the bytes of captured deliveries,
//! and the headers that sign each attempt anew.

use domain::{Event, ReservationView, Secret, Span, Step, Timestamp};
use serde::Serialize;
use serde_json::Value as Json;

use super::person::{self, UserDetails};
use super::replies::{self, Amount};
use super::{times, topics};
use crate::sign::{self, VippsRequest};
use crate::{Outgoing, WebhookBody};

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
pub fn body(view: &ReservationView, step: &Step) -> String {
    let extras = &view.bill.ask.extras;
    let authorized = step.kind == domain::StepKind::Authorized;
    let body = Body {
        msn: extras.get("msn").and_then(Json::as_str).unwrap_or_default(),
        reference: replies::reference(view),
        psp_reference: step.wire.as_str(),
        name: topics::word(step.kind),
        amount: step.amount.into(),
        timestamp: times::print(step.at),
        idempotency_key: step.key.as_deref(),
        success: step.failure.is_none(),
        user_details: person::details(view).filter(|_| authorized),
        sub: person::sub(view).filter(|_| authorized),
        capture_guaranteed_until: step.until.map(times::print_with_offset),
    };
    // Our own struct always serialises.
    serde_json::to_string(&body).unwrap_or_default()
}

/// The bodies that an event gives: one for each step that worked.
pub fn bodies(_event: &Event) -> Vec<WebhookBody> {
    Vec::new()
}

/// What signing needs beside the body.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The registration's secret: its text is the key, not what it would decode to.
    pub secret: &'a Secret,
    /// The registered address.
    pub url: &'a str,
    /// The registration.
    pub endpoint: &'a str,
    /// The delivery, the same for all its attempts.
    pub delivery: &'a str,
    /// The name of the event.
    pub topic: &'a str,
    /// Which attempt, from 1.
    pub number: u32,
    /// When.
    pub now: Timestamp,
}

/// The headers of one attempt and the body as it is. The last three are our own addition: what
/// the original does not say, receivers may use to tell two equal captures apart.
pub fn signed(attempt: &Attempt<'_>, body: &str) -> Outgoing {
    let date = sign::http_date(attempt.now);
    let (host, path_and_query) = authority(attempt.url);
    let request = VippsRequest {
        method: "POST",
        path_and_query: &path_and_query,
        date: &date,
        host: &host,
        body: body.as_bytes(),
    };
    let signed = sign::vipps_signature(&request, attempt.secret);
    let header = |name: &str, value: String| (name.to_owned(), value);
    Outgoing {
        headers: vec![
            header("x-ms-date", signed.date),
            header("x-ms-content-sha256", signed.content_sha256),
            header("authorization", signed.authorization.clone()),
            header("x-vipps-authorization", signed.authorization),
            header("webhook-id", attempt.endpoint.to_owned()),
            header("accept-encoding", "gzip".to_owned()),
            header("florin-delivery-id", attempt.delivery.to_owned()),
            header("florin-event-type", attempt.topic.to_owned()),
            header("florin-attempt", attempt.number.to_string()),
        ],
        body: body.to_owned(),
    }
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
