//! One page, the same for every dialect: credential → authenticate → decode → execute → encode.
//!
//! Around it and around the pages ([`around`]): a request id that the client also sees, a time
//! limit, counters, one log line, and a panic that becomes "unavailable".

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use dialects::Dialect;
use domain::limits::{BODY_TIMEOUT, REQUEST_TIMEOUT};
use domain::secret::wipe_bytes;
use domain::{Call, Refusal, Span, TransactionCall};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::auth::authenticate;
use super::limits;
use super::stream;
use super::visitor::Peer;
use crate::app::App;
use crate::operations::{self, Failure, providers};
use crate::web::shell::retry_after;

/// The header that carries the request id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// When to come back after a fault of ours.
const FAULT_RETRY: Span = Span::from_seconds(2);

/// The id of a request, for whoever logs something about it.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Wraps every request.
pub async fn around(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let started = crate::clock::stopwatch();
    let id = app.moment().uuid("request").simple().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    // Dialects put it into their errors; what a client sent under this name must not pass for it.
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let path = loggable(uri.path());
    let limit = Duration::from_millis(REQUEST_TIMEOUT.millis());
    let work = caught(next.run(request));
    let mut response = match tokio::time::timeout(limit, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(())) => {
            metrics::counter!("florin_panics_total", "where" => "http").increment(1);
            tracing::error!(request = id, %method, "a rule was broken (panic)");
            let busy = Refusal::Unavailable(FAULT_RETRY);
            broken_off(&app, (&method, &uri), &id, &busy)
        }
        Err(_) => {
            metrics::counter!("florin_timeouts_total").increment(1);
            tracing::error!(request = id, %method, path, "a request was not answered in time");
            broken_off(&app, (&method, &uri), &id, &too_slow(&method))
        }
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took = crate::clock::stopwatch().saturating_sub(started);
    let status = response.status().as_u16();
    let class = ["1xx", "2xx", "3xx", "4xx", "5xx"]
        .get(usize::from(status / 100).wrapping_sub(1))
        .copied()
        .unwrap_or("other");
    metrics::counter!("florin_requests_total", "status" => class).increment(1);
    metrics::histogram!("florin_request_seconds").record(took.as_secs_f64());
    // The query is left out: it may carry a token or a person's data.
    tracing::debug!(request = id, %method, path, status, micros = took.as_micros(), "request");
    response
}

/// The answer to a request whose work came to no end, in the shape of the dialect that was asked.
fn broken_off(app: &App, (method, uri): (&Method, &Uri), id: &str, refusal: &Refusal) -> Response {
    let Some(routed) = app.routes.route(method, uri) else {
        let message = match refusal {
            Refusal::Unsure(_) => "The gateway did not answer in time: look before you try again",
            _ => "Service unavailable",
        };
        let answer = plain(StatusCode::SERVICE_UNAVAILABLE, message);
        return retry_after(answer, FAULT_RETRY);
    };
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = method.clone();
    head.uri = routed.uri;
    if let Ok(value) = HeaderValue::from_str(id) {
        head.headers.insert(REQUEST_ID, value);
    }
    let answer = routed.dialect.refuse(&app.site, &head, refusal);
    answer.map(Body::from)
}

/// What is said of a request that we did not answer in time. What it asked for may still be done:
/// whoever only reads comes back, everybody else must look first.
fn too_slow(method: &Method) -> Refusal {
    match *method {
        Method::GET | Method::HEAD => Refusal::Unavailable(FAULT_RETRY),
        _ => Refusal::Unsure(FAULT_RETRY),
    }
}

/// Digits in a row, whatever stands between them, that may be the number of a card.
const CARD_DIGITS: usize = 12;

/// Characters of the longest id in a path; what is longer may be the token of a page.
const ID_MAX: usize = 40;

/// A path as it may be logged: without numbers of cards and tokens of pages.
fn loggable(path: &str) -> String {
    let shown = |segment: &str| {
        let digits = segment.bytes().filter(u8::is_ascii_digit).count();
        let letters = segment.replace("%20", "");
        let letters = letters.bytes().filter(u8::is_ascii_alphabetic).count();
        if segment.len() > ID_MAX || (digits >= CARD_DIGITS && letters == 0) {
            "…".to_owned()
        } else {
            segment.to_owned()
        }
    };
    path.split('/').map(shown).collect::<Vec<_>>().join("/")
}

/// Runs a future; a panic in it is an error.
async fn caught<F: Future>(work: F) -> Result<F::Output, ()> {
    let mut work = Box::pin(work);
    std::future::poll_fn(move |context| {
        let poll = AssertUnwindSafe(|| work.as_mut().poll(context));
        match std::panic::catch_unwind(poll) {
            Ok(poll) => poll.map(Ok),
            Err(_) => std::task::Poll::Ready(Err(())),
        }
    })
    .await
}

/// The API calls of all dialects, and every path that nobody has.
pub async fn handle(State(app): State<Arc<App>>, request: Request) -> Response {
    serve(&app, Some(&app), request).await
}

/// The same for a caller inside the process: the sandbox's demo shop uses the API like any client.
pub async fn call(app: &App, request: Request) -> Response {
    serve(app, None, request).await
}

/// With `shared` a long list is sent in parts; a caller inside the process gets the first one.
async fn serve(app: &App, shared: Option<&Arc<App>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let Some(routed) = app.routes.route(&head.method, &head.uri) else {
        return nobodys(&head.method);
    };
    let dialect = routed.dialect;
    head.uri = routed.uri;
    let name = dialect.profile().name;
    let id = head
        .extensions
        .get::<RequestId>()
        .map_or_else(String::new, |id| id.0.clone());
    match answer((app, shared), dialect, &head, body).await {
        Ok(response) => response,
        Err(Failure::Refused(refusal)) => {
            metrics::counter!(
                "florin_refusals_total", "dialect" => name, "refusal" => refusal.name()
            )
            .increment(1);
            dialect.refuse(&app.site, &head, &refusal).map(Body::from)
        }
        Err(Failure::Fault(fault)) => {
            metrics::counter!("florin_faults_total", "dialect" => name).increment(1);
            tracing::error!(request = id, dialect = name, fault = fault.0, "fault");
            dialect
                .refuse(&app.site, &head, &Refusal::Unavailable(FAULT_RETRY))
                .map(Body::from)
        }
        Err(Failure::Unknown(fault)) => {
            metrics::counter!("florin_faults_total", "dialect" => name).increment(1);
            let what = "the outcome of a transaction is not known";
            tracing::error!(request = id, dialect = name, fault = fault.0, "{what}");
            dialect
                .refuse(&app.site, &head, &Refusal::Unsure(FAULT_RETRY))
                .map(Body::from)
        }
    }
}

async fn answer(
    (app, shared): (&App, Option<&Arc<App>>),
    dialect: &'static dyn Dialect,
    head: &Parts,
    body: Body,
) -> Result<Response, Failure> {
    let mut body = Vec::from(read(body, dialect.body_max(&app.site)).await?);
    let (now, profile) = (app.clock.now(), dialect.profile());
    let incoming = dialect.decode(&app.site, now, head, &body);
    let credential = dialect.credential(head, &body);
    // It may have held a card; what was decoded is wiped where it ends.
    wipe_bytes(&mut body);
    // An unknown route is that, whoever asks; every other problem is for callers we know.
    if let Err(refusal @ (Refusal::UnknownRoute | Refusal::UnknownMethod)) = incoming {
        return Err(refusal.into());
    }
    let caller = authenticate(app, dialect, &credential?).await?;
    // Who may not call at all is not told what is wrong with the call.
    if let (true, Some(peer)) = (profile.lists_addresses, head.extensions.get::<Peer>()) {
        providers::admit(app, &caller, peer.address).await?;
    }
    let incoming = incoming?;
    limits::admit(app, dialect, &caller, &incoming.call).await?;
    note(dialect, head, &incoming.call);
    if let (Some(shared), Call::Transaction(TransactionCall::List(from, until))) =
        (shared, &incoming.call)
    {
        let days = (*from, *until);
        return stream::transactions(shared, dialect, &caller, head, days).await;
    }
    let reply = operations::execute(app, dialect, &caller, incoming).await?;
    Ok(dialect.encode(&app.site, head, &reply).map(Body::from))
}

/// What helps to find out later who called how.
fn note(dialect: &dyn Dialect, head: &Parts, call: &Call) {
    let notes = dialect.notes(head, call);
    if notes == dialects::Notes::default() {
        return;
    }
    let request = head.extensions.get::<RequestId>().map(|id| id.0.as_str());
    let (dialect, call) = (dialect.profile().name, call.name());
    if !notes.ignored.is_empty() {
        let fields = notes.ignored.join(", ");
        tracing::warn!(
            request,
            dialect,
            call,
            fields,
            "unknown fields were ignored"
        );
    }
    if let Some(deprecated) = notes.deprecated {
        tracing::warn!(request, dialect, call, deprecated, "deprecated");
    }
    if let Some(software) = notes.software {
        tracing::debug!(request, dialect, call, software, "called by");
    }
}

/// Reads a body up to a limit, within the time a client may take to send it.
pub async fn read(body: Body, max: usize) -> Result<axum::body::Bytes, Refusal> {
    let limit = Duration::from_millis(BODY_TIMEOUT.millis());
    match tokio::time::timeout(limit, Limited::new(body, max).collect()).await {
        Err(_) => Err(Refusal::TooSlow),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::BodyTooLarge(max)),
        Ok(Err(_)) => Err(Refusal::Unreadable(
            "The request body broke off.".to_owned(),
        )),
    }
}

/// A path that no dialect has and no page.
fn nobodys(method: &Method) -> Response {
    if is_known(method) {
        plain(StatusCode::NOT_FOUND, "Not Found")
    } else {
        plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
    }
}

fn is_known(method: &Method) -> bool {
    [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ]
    .contains(method)
        || *method == Method::OPTIONS
}

/// `{"message": …}`, the shape of every error outside the dialects.
pub fn plain(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(serde_json::json!({"message": message}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_logged_without_what_opens_something() {
        for (path, shown) in [
            ("/v1/payment-requests", "/v1/payment-requests"),
            (
                "/api/v1/giftcards/balance/9578411100505857771",
                "/api/v1/giftcards/balance/…",
            ),
            ("/x/9578%204111%200050%205857/y", "/x/…/y"),
            ("/x/4242-4242-4242-4242", "/x/…"),
            (
                "/gateway/v1/transactions/142fsxqs91tflx5",
                "/gateway/v1/transactions/142fsxqs91tflx5",
            ),
            (
                "/v1/payment-requests/01a1fd4c-6e75-7648-8a2f-f717612fdbaa",
                "/v1/payment-requests/01a1fd4c-6e75-7648-8a2f-f717612fdbaa",
            ),
            (
                "/cashier/b479405c6278323b3d545dfec0b83600a6c942cbac1451a9",
                "/cashier/…",
            ),
        ] {
            assert_eq!(loggable(path), shown);
        }
    }
}
