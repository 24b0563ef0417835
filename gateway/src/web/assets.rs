//! The stylesheet, the script and the icon: in the binary, served at `/assets/{name}`.
//!
//! Their addresses carry a digest of their content, so a browser may keep them for ever and still
//! gets the new ones after an update.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::secret::hex;
use sha2::{Digest, Sha256};

/// One file.
pub struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    digest: LazyLock<String>,
    address: LazyLock<String>,
}

macro_rules! asset {
    ($(#[$doc:meta])* $item:ident, $name:literal, $kind:literal) => {
        $(#[$doc])*
        pub static $item: Asset = Asset {
            name: $name,
            kind: $kind,
            bytes: include_bytes!(concat!("../../static/", $name)),
            digest: LazyLock::new(|| digest($item.bytes)),
            address: LazyLock::new(|| format!("/assets/{}?v={}", $item.name, *$item.digest)),
        };
    };
}

asset!(
    /// The one stylesheet.
    STYLE, "florin.css", "text/css; charset=utf-8");
asset!(
    /// The one script; every page works without it.
    SCRIPT, "florin.js", "text/javascript; charset=utf-8");
asset!(
    /// The icon of the tab.
    ICON, "florin.svg", "image/svg+xml");

static ALL: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];

impl Asset {
    /// The address with the digest of the content.
    pub fn address(&'static self) -> &'static str {
        &self.address
    }

    /// The content.
    pub fn bytes(&self) -> &'static [u8] {
        self.bytes
    }
}

/// The first 16 hexadecimal digits of the content's SHA-256.
fn digest(bytes: &[u8]) -> String {
    let mut text = hex(&Sha256::digest(bytes));
    text.truncate(16);
    text
}

/// `GET /assets/{name}`. Only the address with the right digest may be kept for ever.
pub async fn serve(
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(asset) = ALL.into_iter().find(|asset| asset.name == name) else {
        return bare(StatusCode::NOT_FOUND);
    };
    let tag = format!("\"{}\"", *asset.digest);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|v| v.as_bytes() == tag.as_bytes());
    let mut response = if known {
        bare(StatusCode::NOT_MODIFIED)
    } else {
        Response::new(Body::from(asset.bytes))
    };
    let head = response.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    let asked = query.as_deref().and_then(|query| query.strip_prefix("v="));
    let cache = match asked == Some(asset.digest.as_str()) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        head.insert(header::ETAG, tag);
    }
    response
}

fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
