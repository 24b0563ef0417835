//! The server: accepts connections, limits heads and times, and stops cleanly.

use std::sync::Arc;
use std::time::Duration;

use domain::limits::{HEAD_MAX, HEADERS_MAX, REQUEST_TIMEOUT, STOP_MAX};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tower_service::Service;

use crate::app::App;

/// Serves until `stop` resolves, then finishes the requests under way, for [`STOP_MAX`] at most.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let router = super::router(Arc::clone(&app));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(REQUEST_TIMEOUT.millis()))
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_MAX);
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // Out of file handles, or a peer that left: the next one may do.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // Small answers must not wait to be gathered; without this they are merely slower.
        let _ = stream.set_nodelay(true);
        let (router, app) = (router.clone(), Arc::clone(&app));
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let visitor = app.proxies.visitor(peer, request.headers());
            request.extensions_mut().insert(visitor);
            router.clone().call(request)
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let watched = graceful.watch(connection);
        // A connection that breaks concerns its client alone.
        tokio::spawn(async move {
            let _ = watched.await;
        });
    }
    app.stop();
    drop(listener);
    let limit = Duration::from_millis(STOP_MAX.millis());
    if tokio::time::timeout(limit, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still under way when the time to stop was over");
    }
}
