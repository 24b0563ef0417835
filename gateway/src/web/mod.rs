//! The pages: checkout, simulator, sandbox, API documents.
//!
//! Promises: every page works with plain forms and no script; what it shows is a plain value made
//! by a pure function, so every state of every page has a test without a database; nothing that
//! somebody typed is ever markup; a page asks `operations` and decides nothing itself.

pub mod assets;
pub mod cashier;
pub mod checkout;
pub mod display;
pub mod docs;
pub mod errors;
pub mod form;
pub mod landing;
pub mod parts;
pub mod sandbox;
pub mod shell;
pub mod simulator;
pub mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::map_response;
use axum::routing::{get, post};

use crate::app::App;
use crate::http::mounted::Mounted;

/// Bytes of a submitted form: the longest honest one is a card form of a few hundred.
const FORM_MAX: usize = 16 * 1024;

/// Pages of every server.
pub fn routes() -> Mounted {
    let checkout = "/payment-request/{at_slug}/{id}/checkout";
    let receipt = "/payment-request/{at_slug}/{id}/checkout/receipt";
    let link = get(checkout::link::show).post(checkout::link::submit);
    let challenge = get(simulator::show).post(simulator::submit);
    let paying = get(checkout::pay::show).post(checkout::pay::submit);
    Mounted::new()
        .route(checkout, get(checkout::show).post(checkout::submit))
        .route(receipt, get(checkout::receipt))
        .route("/payment-request/{at_slug}", link.clone())
        .route("/payment-request/{at_slug}/", link)
        .route("/pay/{id}", paying.clone())
        .route("/pay/{id}/", paying)
        .route(
            "/card-gen",
            get(sandbox::card_gen::show).post(sandbox::card_gen::submit),
        )
        .route("/docs-v1", get(docs::igivepay))
        .route("/docs-v1/", get(docs::igivepay))
        .route("/simulator/challenge/{attempt}", challenge)
        .route("/cashier/{token}", get(cashier::show).post(cashier::submit))
        .route(
            "/3ds/{token}",
            get(cashier::secure::show).post(cashier::secure::submit),
        )
        .route("/landing", get(landing::show).post(landing::submit))
        .route(
            "/landing/phone",
            get(landing::phone::show).post(landing::phone::submit),
        )
        .route("/landing/qr", get(landing::picture::show))
        .route("/docs", get(docs::list))
        .route("/docs/{dialect}", get(docs::show))
        .route("/docs/{dialect}/openapi.json", get(docs::raw))
        .route("/assets/{name}", get(assets::serve))
        .within(as_pages)
}

/// Pages that exist in the sandbox only.
pub fn sandbox_routes() -> Mounted {
    Mounted::new()
        .route("/", get(sandbox::home::show))
        .route("/sandbox/try", post(sandbox::home::begin))
        .route("/sandbox/shop/return", get(sandbox::shop::show))
        .route(
            "/sandbox/phone",
            get(sandbox::phone::list).post(sandbox::phone::open),
        )
        .route("/sandbox/phone/{number}", get(sandbox::phone::show))
        .route(
            "/sandbox/phone/{number}/rule",
            post(sandbox::phone::set_rule),
        )
        .route("/sandbox/deliveries", get(sandbox::deliveries::show))
        .route(
            "/sandbox/deliveries/mischief",
            post(sandbox::deliveries::spoil),
        )
        .route(
            "/sandbox/deliveries/{id}/resend",
            post(sandbox::deliveries::resend),
        )
        .route(
            "/sandbox/deliveries/{id}/skip",
            post(sandbox::deliveries::skip),
        )
        .route("/sandbox/payouts", get(sandbox::payouts::show))
        .route("/sandbox/payouts/{id}/{deed}", post(sandbox::payouts::act))
        .route(
            "/sandbox/endpoints",
            get(sandbox::endpoints::show).post(sandbox::endpoints::add),
        )
        .route(
            "/sandbox/endpoints/{id}/resend",
            post(sandbox::endpoints::resend),
        )
        .route(
            "/sandbox/endpoints/{id}/{deed}",
            post(sandbox::endpoints::act),
        )
        .route("/sandbox/clock/form", post(sandbox::home::advance))
        .within(as_pages)
}

/// What all pages have in common.
fn as_pages(pages: Router<Arc<App>>) -> Router<Arc<App>> {
    pages
        .layer(DefaultBodyLimit::max(FORM_MAX))
        .layer(map_response(shell::protect))
}

#[cfg(test)]
mod tests {
    /// Routes that contradict each other would stop the server at its start.
    #[test]
    fn the_routes_fit_together() {
        let _ = super::routes().merge(super::sandbox_routes());
    }
}
