//! What a path and a method name. Repeated slashes count as one, and the token's path is the same
//! in every letter case: deployed clients write all of these.

use std::borrow::Cow;

use domain::Refusal;
use http::Method;
use http::request::Parts;

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /accesstoken/get`.
    Token,
    /// `POST /webhooks/v1/webhooks`.
    Register,
    /// `GET /webhooks/v1/webhooks`.
    ListRegistrations,
    /// `GET /webhooks/v1/webhooks/{id}`.
    ShowRegistration(String),
    /// `DELETE /webhooks/v1/webhooks/{id}`.
    RemoveRegistration(String),
    /// `POST /epayment/v1/payments`.
    Create,
    /// `GET /epayment/v1/payments/{reference}`.
    Show(String),
    /// `GET /epayment/v1/payments/{reference}/events`.
    Log(String),
    /// `POST /epayment/v1/payments/{reference}/capture`.
    Capture(String),
    /// `POST /epayment/v1/payments/{reference}/refund`.
    Refund(String),
    /// `POST /epayment/v1/payments/{reference}/cancel`.
    Cancel(String),
    /// `POST /epayment/v1/test/payments/{reference}/approve`.
    Approve(String),
}

/// The three APIs under their prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `/accesstoken`.
    Token,
    /// `/webhooks/v1`.
    Webhooks,
    /// `/epayment`.
    Payments,
}

/// The path with each run of slashes as one.
pub fn collapsed(path: &str) -> Cow<'_, str> {
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !text.ends_with('/') {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

/// Is this path below one of ours?
pub fn is_ours(path: &str) -> bool {
    api(path).is_some()
}

/// The API that a path belongs to.
pub fn api(path: &str) -> Option<Api> {
    let path = collapsed(path);
    let mut segments = path.strip_prefix('/')?.split('/');
    match (segments.next()?, segments.next()) {
        (first, _) if first.eq_ignore_ascii_case("accesstoken") => Some(Api::Token),
        ("epayment", _) => Some(Api::Payments),
        ("webhooks", Some("v1")) => Some(Api::Webhooks),
        _ => None,
    }
}

/// The path as errors name it: without the prefix of its API.
pub fn instance(path: &str) -> String {
    let path = collapsed(path);
    ["/epayment", "/webhooks"]
        .iter()
        .find_map(|prefix| path.strip_prefix(prefix))
        .unwrap_or(&path)
        .to_owned()
}

/// What a request calls. A known path with another method is an unknown method.
pub fn route(head: &Parts) -> Result<Route, Refusal> {
    let path = collapsed(head.uri.path());
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let reads = head.method == Method::GET || head.method == Method::HEAD;
    let posts = head.method == Method::POST;
    let one = |text: &&str| (*text).to_owned();
    let (allowed, route) = match segments.as_slice() {
        [first, second]
            if first.eq_ignore_ascii_case("accesstoken") && second.eq_ignore_ascii_case("get") =>
        {
            (posts, Route::Token)
        }
        ["webhooks", "v1", "webhooks"] if reads => (true, Route::ListRegistrations),
        ["webhooks", "v1", "webhooks"] => (posts, Route::Register),
        ["webhooks", "v1", "webhooks", id] if !id.is_empty() => {
            if head.method == Method::DELETE {
                (true, Route::RemoveRegistration(one(id)))
            } else {
                (reads, Route::ShowRegistration(one(id)))
            }
        }
        ["epayment", "v1", "payments"] => (posts, Route::Create),
        ["epayment", "v1", "payments", id] if !id.is_empty() => (reads, Route::Show(one(id))),
        ["epayment", "v1", "payments", id, "events"] => (reads, Route::Log(one(id))),
        ["epayment", "v1", "payments", id, "capture"] => (posts, Route::Capture(one(id))),
        ["epayment", "v1", "payments", id, "refund"] => (posts, Route::Refund(one(id))),
        ["epayment", "v1", "payments", id, "cancel"] => (posts, Route::Cancel(one(id))),
        ["epayment", "v1", "test", "payments", id, "approve"] => (posts, Route::Approve(one(id))),
        _ => return Err(Refusal::UnknownRoute),
    };
    if allowed {
        Ok(route)
    } else {
        Err(Refusal::UnknownMethod)
    }
}

/// The methods of a path, for a 405.
pub fn allowed(path: &str) -> &'static str {
    let path = collapsed(path);
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match segments.as_slice() {
        ["webhooks", "v1", "webhooks"] => "GET, POST",
        ["webhooks", "v1", "webhooks", _] => "GET, DELETE",
        ["epayment", "v1", "payments", _] | ["epayment", "v1", "payments", _, "events"] => "GET",
        _ => "POST",
    }
}
