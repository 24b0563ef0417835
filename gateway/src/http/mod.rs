//! HTTP: what is mounted where, and the server itself.

pub mod auth;
pub mod health;
pub mod limits;
pub mod mounted;
pub mod pipeline;
pub mod routes;
pub mod server;
pub mod stream;
pub mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::app::App;
use crate::sandbox::clock;
use mounted::Mounted;

/// Everything the gateway answers. Pages and operational calls have routes; every other path goes
/// to the pipeline, where the path decides the dialect.
pub fn router(app: Arc<App>) -> Router {
    let own = if app.sandbox {
        own().merge(own_in_sandbox())
    } else {
        own()
    };
    let shared = app.sandbox && app.store.takes_many_nodes();
    let mut router = own.router().fallback(pipeline::handle);
    if shared {
        let follow = axum::middleware::from_fn_with_state(Arc::clone(&app), clock::followed);
        router = router.layer(follow);
    }
    router
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&app),
            pipeline::around,
        ))
        .with_state(app)
}

/// Pages and operational calls of every server.
fn own() -> Mounted {
    Mounted::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(crate::web::routes())
}

/// What only the sandbox has.
fn own_in_sandbox() -> Mounted {
    crate::web::sandbox_routes().merge(crate::sandbox::routes())
}

/// The paths of all pages and operational calls, those of the sandbox included: a configuration
/// that works there works everywhere.
pub fn own_paths() -> Vec<&'static str> {
    own().merge(own_in_sandbox()).paths()
}
