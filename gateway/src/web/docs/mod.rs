//! The API documents: one OpenAPI file per dialect, shown as a page without any script.

pub mod openapi;

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use dialects::Profile;

use self::openapi::Document;
use super::errors;
use super::parts::Head;
use super::shell::Shell;
use super::words::Words;
use crate::app::App;

/// The list of dialects.
#[derive(Clone, Debug, Template)]
#[template(path = "docs.html")]
pub struct DocsPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// Name in the address, name for people, version.
    pub dialects: Vec<(String, String, String)>,
}

impl DocsPage {
    /// The page for these dialects.
    pub fn new<'a>(w: &'static Words, all: impl Iterator<Item = &'a Profile>) -> Self {
        let row = |profile: &Profile| {
            let document = Document::read(profile.openapi, "");
            (
                profile.name.to_owned(),
                profile.title.to_owned(),
                document.version,
            )
        };
        Self {
            w,
            head: Head::developer(w.docs_heading),
            dialects: all.map(row).collect(),
        }
    }
}

/// One dialect's document.
#[derive(Clone, Debug, Template)]
#[template(path = "dialect.html")]
pub struct DialectPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// The dialect's name in the address.
    pub name: String,
    /// Where it is served.
    pub base: String,
    /// The document.
    pub document: Document,
}

impl DialectPage {
    /// The page for a dialect that is served at `base`.
    pub fn new(w: &'static Words, name: &str, openapi: &str, base: &str) -> Self {
        let document = Document::read(openapi, base);
        Self {
            w,
            head: Head::developer(&document.title),
            name: name.to_owned(),
            base: base.to_owned(),
            document,
        }
    }
}

/// `GET /docs`.
pub async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let shell = Shell::new(&app.site, &headers);
    let all = dialects::ALL.iter().map(|dialect| dialect.profile());
    let mut page = DocsPage::new(shell.w, all);
    page.head.sandbox = app.sandbox;
    shell.page(StatusCode::OK, &page)
}

/// `GET /docs/{dialect}`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let shell = Shell::new(&app.site, &headers);
    match dialects::by_name(&name) {
        Some(dialect) => {
            let openapi = dialect.profile().openapi;
            let mut page = DialectPage::new(shell.w, &name, openapi, &app.site.public_url);
            page.head.sandbox = app.sandbox;
            shell.page(StatusCode::OK, &page)
        }
        None => errors::missing(&shell),
    }
}

/// `GET /docs-v1/`: where clients of iGivePay look for the reference.
pub async fn igivepay(state: State<Arc<App>>, headers: HeaderMap) -> Response {
    show(state, Path("igivepay".to_owned()), headers).await
}

/// `GET /docs/{dialect}/openapi.json`.
pub async fn raw(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(dialect) = dialects::by_name(&name) else {
        return errors::missing(&Shell::new(&app.site, &headers));
    };
    let mut response = Response::new(Body::from(dialect.profile().openapi));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
