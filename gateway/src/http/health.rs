//! For operators: alive, ready, metrics.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::Timestamp;
use http::{StatusCode, header};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;

use crate::app::App;

/// The process serves.
pub async fn live() -> Response {
    Json(json!({"status": "live"})).into_response()
}

/// What is known of the writing side of the database, and since when. It is asked at most once in
/// `FRESH`, whoever asks here how often, and never again before the last question is answered.
pub type Writing = Arc<tokio::sync::Mutex<Option<(Duration, bool)>>>;

/// How long an answer of the writing side counts.
const FRESH: Duration = Duration::from_secs(1);

/// A writing side that takes longer is not ready: a standby or a disk that it waits for is gone.
const PATIENCE: Duration = Duration::from_secs(3);

/// The kind of the record that is written to see whether writing works, one for each writer.
const PROBE: &str = "ready";

/// The process can take requests: it is not stopping, and the database answers and takes writes.
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
        Ok(_) if writes(&app).await => Json(json!({"status": "ready"})).into_response(),
        Ok(_) => not("the database takes no writes"),
        Err(_) => not("the database does not answer"),
    }
}

/// Does a small write go through, as far as it is on disk and wherever else it must be?
async fn writes(app: &Arc<App>) -> bool {
    let work = async {
        let mut last = Arc::clone(&app.writing).lock_owned().await;
        let now = crate::clock::stopwatch();
        if let Some((since, well)) = *last
            && now.saturating_sub(since) < FRESH
        {
            return well;
        }
        let app = Arc::clone(app);
        // It keeps the lock until there is an answer, also when nobody waits for it any more.
        let asked = tokio::spawn(async move {
            let now = app.clock.now();
            let probe = app.store.write("ready", move |tx| {
                let lane = tx.lane().to_string();
                Ok(store::tables::records::put(tx, PROBE, &lane, "{}", now)?)
            });
            let well = probe.await.is_ok();
            *last = Some((crate::clock::stopwatch(), well));
            well
        });
        asked.await.unwrap_or(false)
    };
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(false)
}

/// Before any bill: the question is whether the database answers, not what.
const EARLY: Timestamp = Timestamp::from_millis(0);

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
