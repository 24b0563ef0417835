//! What every page has around it: its language, its HTTP headers, and the policy that tells the
//! browser what a page may do.
//!
//! Promises: nothing inline and nothing from elsewhere can run or be shown; no page is framed,
//! cached or named to the next site; a form goes to us, and a redirect that answers a form may
//! lead to the shop's return address and nowhere else.

use std::fmt::Write;

use askama::Template;
use axum::body::Body;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use dialects::Site;
use domain::Span;
use url::{Host, Url};

use super::words::{self, Words};

/// The answer side of one page request.
#[derive(Clone, Copy)]
pub struct Shell<'a> {
    /// The place we are served at.
    pub site: &'a Site,
    /// The language of the browser.
    pub w: &'static Words,
}

impl<'a> Shell<'a> {
    /// For a request with these headers.
    pub fn new(site: &'a Site, headers: &HeaderMap) -> Self {
        let wanted = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        Self {
            site,
            w: words::negotiate(wanted),
        }
    }

    /// A page whose forms stay with us.
    pub fn page(&self, status: StatusCode, page: &impl Template) -> Response {
        self.page_to(status, page, None)
    }

    /// A page whose forms may end at the shop's return address.
    pub fn page_to(
        &self,
        status: StatusCode,
        page: &impl Template,
        target: Option<&str>,
    ) -> Response {
        // Rendering only fails when memory does; the browser then gets an empty 503.
        let (status, html) = match page.render() {
            Ok(html) => (status, html),
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
        };
        let mut response = Response::new(Body::from(html));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, html);
        headers.insert(
            header::CONTENT_LANGUAGE,
            HeaderValue::from_static(self.w.lang),
        );
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Language"));
        let policy = content_policy(self.site, target);
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        if self.site.public_url.starts_with("https://") {
            let year = HeaderValue::from_static("max-age=31536000");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        response
    }

    /// 303 to an address of ours or to the shop's. `None` if it cannot be a `Location`.
    pub fn see_other(&self, target: &str) -> Option<Response> {
        // Letters outside ASCII travel percent-encoded.
        let location = HeaderValue::from_str(target)
            .ok()
            .or_else(|| HeaderValue::from_str(web_address(target)?.as_str()).ok())?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(header::LOCATION, location);
        Some(response)
    }
}

/// Adds "come back after so long".
pub fn retry_after(mut response: Response, wait: Span) -> Response {
    let seconds = wait.millis().div_ceil(1_000).max(1);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The headers of every answer of a page route, also of those without a page (redirects, 405).
/// What a handler has set itself stays.
pub async fn protect(mut response: Response) -> Response {
    const ALL: [(HeaderName, &str); 5] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in ALL {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The Content-Security-Policy of a page. `form-action` also binds the redirect that answers a
/// form (in Chromium), so the shop's address must be in it.
pub fn content_policy(site: &Site, target: Option<&str>) -> String {
    let mut policy = String::from(
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    );
    // The page may have been opened under another name of ours (localhost for 127.0.0.1).
    let ours = form_targets(&site.public_url);
    let theirs = target.map(form_targets).unwrap_or_default();
    for origin in ours.iter().take(1).chain(&theirs) {
        // Writing to a String cannot fail.
        let _ = write!(policy, " {origin}");
    }
    policy
}

/// The origins that a return address may lead through: itself, and what shops commonly forward
/// to from there: the same host with TLS, with `www.` or without it.
fn form_targets(address: &str) -> Vec<String> {
    let Some(url) = web_address(address) else {
        return app_scheme(address).into_iter().collect();
    };
    let Some(host) = url.host_str() else {
        return Vec::new();
    };
    // A host may hold a semicolon, which would end the directive.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-[]:_".contains(&b);
    if !host.bytes().all(plain) {
        return Vec::new();
    }
    let mut targets = vec![url.origin().ascii_serialization()];
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    if let Some(Host::Domain(name)) = url.host() {
        let twin = match name.strip_prefix("www.") {
            Some(bare) => bare.to_owned(),
            None => format!("www.{name}"),
        };
        targets.push(format!("{}://{twin}{port}", url.scheme()));
        if url.scheme() == "http" {
            targets.push(format!("https://{name}"));
            targets.push(format!("https://{twin}"));
        }
    }
    targets
}

/// The scheme of an app on the payer's device, as a policy names it.
fn app_scheme(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let scheme = url.scheme();
    let browsers = [
        "javascript",
        "data",
        "vbscript",
        "file",
        "blob",
        "about",
        "filesystem",
        "ws",
        "wss",
        "ftp",
    ];
    (!browsers.contains(&scheme)).then(|| format!("{scheme}:"))
}

/// The address if it is one that a page may link to: `javascript:` and the like are not.
pub fn web_address(address: &str) -> Option<Url> {
    Url::parse(address)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_address_opens_its_own_host_and_nothing_else() {
        assert_eq!(
            form_targets("http://shop.example:8081/return?x=1"),
            [
                "http://shop.example:8081",
                "http://www.shop.example:8081",
                "https://shop.example",
                "https://www.shop.example"
            ]
        );
        assert_eq!(
            form_targets("https://www.shop.example/"),
            ["https://www.shop.example", "https://shop.example"]
        );
        assert_eq!(form_targets("http://127.0.0.1:9/x"), ["http://127.0.0.1:9"]);
    }

    #[test]
    fn a_hostile_return_address_adds_nothing() {
        for address in [
            "javascript:alert(1)",
            "https://a;script-src *.evil.example/",
            "https://evil;x/",
            "not an address",
            "data:text/html,x",
        ] {
            assert_eq!(form_targets(address), Vec::<String>::new(), "{address}");
        }
    }

    #[test]
    fn seconds_to_wait_are_rounded_up() {
        let response = retry_after(Response::new(Body::empty()), Span::from_millis(1_001));
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
