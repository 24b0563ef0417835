//! The three shapes of errors: problem details, the gateway's own in front of the real service,
//! and the one of its identity provider.

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{paths, times};
use domain::Timestamp;
use domain::secret::hex;

/// Under which the server logs the request; the server sets it, a client cannot.
const REQUEST_ID: &str = "x-request-id";

/// One entry of `extraDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// A field, a header or `ErrorCode`.
    pub name: String,
    /// What is wrong with it, or the code.
    pub reason: String,
}

impl Detail {
    /// From its two parts.
    pub fn new(name: &str, reason: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            reason: reason.into(),
        }
    }
}

/// Problem details before they know their request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// In a few words; clients show it and compare it.
    pub title: String,
    /// In a sentence.
    pub detail: String,
    /// Field by field.
    pub extra: Vec<Detail>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: String,
    #[serde(rename = "traceId")]
    trace_id: String,
    #[serde(rename = "extraDetails", skip_serializing_if = "<[Detail]>::is_empty")]
    extra_details: &'a [Detail],
}

/// What the gateway in front of the real service says.
#[derive(Serialize)]
struct InFront<'a> {
    #[serde(rename = "statusCode")]
    status_code: u16,
    message: &'a str,
}

/// What the identity provider says.
#[derive(Serialize)]
struct Identity<'a> {
    error: &'a str,
    error_description: &'a str,
    error_codes: [u32; 1],
    timestamp: &'a str,
    trace_id: String,
    correlation_id: String,
    error_uri: String,
}

impl Problem {
    /// A problem without entries.
    pub fn new(status: StatusCode, title: &str, detail: impl Into<String>) -> Self {
        Self {
            status,
            title: title.to_owned(),
            detail: detail.into(),
            extra: Vec::new(),
        }
    }

    /// The answer to a request.
    pub fn answer(&self, head: &Parts) -> Response<Vec<u8>> {
        let status = self.status.as_u16();
        let body = Body {
            r#type: format!("https://httpstatuses.io/{status}"),
            title: &self.title,
            status,
            detail: &self.detail,
            instance: paths::instance(head.uri.path()),
            trace_id: trace(head),
            extra_details: &self.extra,
        };
        json(self.status, "application/problem+json", &body)
    }
}

/// A JSON answer.
pub fn json<T: Serialize>(
    status: StatusCode,
    content_type: &'static str,
    body: &T,
) -> Response<Vec<u8>> {
    // Our own structs always serialise; this keeps a mistake from becoming a panic.
    let (status, body) = match serde_json::to_vec(body) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The shape of the gateway in front of the real service.
pub fn in_front(status: StatusCode, message: &str) -> Response<Vec<u8>> {
    let status_code = status.as_u16();
    let body = InFront {
        status_code,
        message,
    };
    json(status, "application/json", &body)
}

/// The shape of the identity provider, for a wrong id or secret.
pub fn identity(head: &Parts) -> Response<Vec<u8>> {
    let (trace, _) = ids(head);
    let timestamp = &times::print_plain(time(head));
    let dashed = |text: &str| {
        uuid::Uuid::try_parse(text)
            .map_or_else(|_| text.to_owned(), |id| id.hyphenated().to_string())
    };
    let id = dashed(&trace);
    let description = format!(
        "AADSTS7000215: Invalid client secret provided, or no client has this client_id. \
         Trace ID: {id}"
    );
    let body = Identity {
        error: "invalid_client",
        error_description: &description,
        error_codes: [7_000_215],
        timestamp,
        trace_id: id.clone(),
        correlation_id: id,
        error_uri: "https://login.microsoftonline.com/error?code=7000215".to_owned(),
    };
    json(StatusCode::UNAUTHORIZED, "application/json", &body)
}

/// The trace id of a request, as W3C writes it: the client's own trace goes on.
pub fn trace(head: &Parts) -> String {
    let (trace, span) = ids(head);
    format!("00-{trace}-{span}-00")
}

/// When the request came: the id under which it is logged begins with that time.
fn time(head: &Parts) -> Timestamp {
    let id = head.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let millis = id
        .and_then(|id| id.get(..12))
        .and_then(|digits| i64::from_str_radix(digits, 16).ok());
    Timestamp::from_millis(millis.unwrap_or(0))
}

/// 32 and 16 hexadecimal digits that name this request: the client's trace if it sent one, else
/// the id under which the request is logged.
fn ids(head: &Parts) -> (String, String) {
    let header = |name: &str| {
        let value = head.headers.get(name)?;
        value.to_str().ok()
    };
    let is_hex = |text: &str, digits: usize| {
        let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        text.len() == digits && text.bytes().all(plain)
    };
    let given = header("traceparent").and_then(|text| text.split('-').nth(1));
    let logged = header(REQUEST_ID);
    let named = given.or(logged).filter(|text| is_hex(text, 32));
    let seed = format!("{} {}", head.method, head.uri);
    let made = hex(&Sha256::digest(logged.unwrap_or(&seed).as_bytes()));
    let part = |from: usize, to: usize| made.get(from..to).unwrap_or_default().to_owned();
    let trace = named.map_or_else(|| part(0, 32), str::to_owned);
    (trace, part(32, 48))
}
