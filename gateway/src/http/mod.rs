//! HTTP: what is mounted where, and the server itself.

pub mod auth;
pub mod health;
pub mod limits;
pub mod pipeline;
pub mod routes;
pub mod server;
pub mod stream;
pub mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::app::App;

/// Everything the gateway answers. Pages and operational calls have routes; every other path goes
/// to the pipeline, where the path decides the dialect.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(crate::web::routes());
    if app.sandbox {
        router = router
            .merge(crate::web::sandbox_routes())
            .merge(crate::sandbox::routes());
    }
    router
        .fallback(pipeline::handle)
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&app),
            pipeline::around,
        ))
        .with_state(app)
}
