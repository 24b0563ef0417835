//! For operators: alive, ready, metrics.

use std::sync::{Arc, OnceLock};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;

use crate::app::App;

/// The process serves.
pub async fn live() -> Response {
    Json(json!({"status": "live"})).into_response()
}

/// The process can take requests: it is not stopping, and the database answers.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let not = |why: &str| {
        let body = Json(json!({"status": "not ready", "reason": why}));
        (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
    };
    if app.is_stopping() {
        return not("stopping");
    }
    match app
        .store
        .read("ready", |tx| Ok(store::tables::bills::due(tx, EARLY, 1)?))
        .await
    {
        Ok(_) => Json(json!({"status": "ready"})).into_response(),
        Err(_) => not("the database does not answer"),
    }
}

/// Before any bill: the question is whether the database answers, not what.
const EARLY: domain::Timestamp = domain::Timestamp::from_millis(0);

static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts counting; once per process.
pub fn count() {
    METRICS.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets(&[
                0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0,
            ])
            .ok()?;
        builder.install_recorder().ok()
    });
}

/// Waiting deliveries are counted up to this number.
const WAITING_COUNTED: u32 = 10_000;

/// Folds what was measured since the last time into its sums: without it, measurements would pile
/// up in memory until somebody asks for them.
pub fn fold() {
    if let Some(handle) = METRICS.get().and_then(Option::as_ref) {
        handle.run_upkeep();
    }
}

/// What was counted, as Prometheus reads it.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    // Counted up to a bound: a scrape must not read a backlog of millions.
    let waiting = app
        .store
        .read("metrics", |tx| {
            Ok(store::tables::deliveries::waiting(tx, WAITING_COUNTED)?)
        })
        .await;
    if let Ok(waiting) = waiting {
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        metrics::gauge!("florin_deliveries_waiting").set(f64::from(waiting));
    }
    let text = METRICS
        .get()
        .and_then(Option::as_ref)
        .map_or_else(String::new, PrometheusHandle::render);
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
        .into_response()
}
