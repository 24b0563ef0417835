//! `/pay/{paymentId}?token=…`: the page of a payment that gift cards pay first of all. The token in
//! its address opens it; without the right one there is no such page.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::WireId;

use super::Visit;
use super::view::Ending;
use crate::app::App;
use crate::http::visitor::Peer;
use crate::web::errors;
use crate::web::form::Form;
use crate::web::shell::Shell;

/// The dialect whose payments have this page.
const DIALECT: &str = "igivepay";

/// `GET /pay/{paymentId}?token=…`.
pub async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Form::read(query.unwrap_or_default().into_bytes());
    let token = query.as_ref().map_or("", |query| query.get("token"));
    let visit = match begin(&app, &headers, id, token).await {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    if let Some(ending) = Ending::of(&visit.view.state) {
        return visit.ended(StatusCode::OK, ending);
    }
    let chosen = query.as_ref().and_then(|query| query.find("method"));
    visit.page(chosen)
}

/// `POST /pay/{paymentId}?token=…`.
pub async fn submit(
    State(app): State<Arc<App>>,
    (Path(id), RawQuery(query)): (Path<String>, RawQuery),
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(form) = Form::read(Vec::from(body)) else {
        return errors::unreadable(&Shell::new(&app.site, &headers));
    };
    let query = Form::read(query.unwrap_or_default().into_bytes());
    // A script may send the token in the form instead.
    let token = query
        .as_ref()
        .and_then(|query| query.find("token"))
        .unwrap_or_else(|| form.get("token"));
    let visit = match begin(&app, &headers, id, token).await {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    visit
        .step(&form, peer.map(|Extension(peer)| peer.address))
        .await
}

async fn begin<'a>(
    app: &'a App,
    headers: &HeaderMap,
    id: String,
    token: &str,
) -> Result<Visit<'a>, Box<Response>> {
    let shell = Shell::new(&app.site, headers);
    let found = (dialects::by_name(DIALECT), WireId::new(id));
    let (Some(dialect), Ok(wire)) = found else {
        return Err(Box::new(errors::missing(&shell)));
    };
    if !app.site.igivepay.opens(&wire, token) {
        return Err(Box::new(errors::missing(&shell)));
    }
    Visit::open(app, shell, dialect, &wire).await
}
