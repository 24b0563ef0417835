//! The operator's door: a Unix socket in the data folder through which the commands of this
//! machine reach the running gateway.
//!
//! Whoever may open the socket is the operator: it is readable and writable by its owner alone, as
//! the database beside it is. What is done through it is in the audit log as `operator`.

mod answers;
pub mod deliveries;
pub mod endpoints;
pub mod giftcards;
pub mod payouts;
pub mod providers;
pub mod trigger;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::UnixListener;

use crate::app::App;

/// The socket's name inside the data folder.
pub const SOCKET: &str = "florin.sock";

/// Where the socket of a data folder is.
pub fn socket(data: &Path) -> PathBuf {
    data.join(SOCKET)
}

/// Opens the door. A socket that an earlier process left is replaced: whoever has the database has
/// the folder. The address of a socket is limited to about a hundred bytes; in a deeper folder the
/// gateway runs without a door.
pub fn open(data: &Path) -> std::io::Result<UnixListener> {
    let (path, new) = (socket(data), data.join(format!("{SOCKET}.new")));
    for old in [&path, &new] {
        match fs::remove_file(old) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    let listener = UnixListener::bind(&new)?;
    // Nobody can connect before the rights are right: the name is not the one that is known.
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
    fs::rename(&new, &path)?;
    Ok(listener)
}

/// Serves the operator's calls until `stop` resolves.
pub async fn serve<F>(app: Arc<App>, listener: UnixListener, stop: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let router = routes().with_state(app);
    let served = axum::serve(listener, router).with_graceful_shutdown(stop);
    if let Err(error) = served.await {
        tracing::warn!(%error, "the operator's socket is closed");
    }
}

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{id}", get(deliveries::show))
        .route("/deliveries/{id}/resend", post(deliveries::resend))
        .route("/deliveries/{id}/skip", post(deliveries::skip))
        .route("/endpoints", get(endpoints::list).post(endpoints::register))
        .route("/endpoints/{id}", get(endpoints::show))
        .route("/endpoints/{id}/pause", post(endpoints::pause))
        .route("/endpoints/{id}/resume", post(endpoints::resume))
        .route("/endpoints/{id}/remove", post(endpoints::remove))
        .route("/endpoints/{id}/restore", post(endpoints::restore))
        .route("/endpoints/{id}/rotate", post(endpoints::rotate))
        .route("/endpoints/{id}/test", post(endpoints::test))
        .route("/endpoints/{id}/resend", post(endpoints::resend_range))
        .route("/giftcards/numbers", post(giftcards::numbers))
        .route("/giftcards/issue", post(giftcards::issue))
        .route("/giftcards/find", post(giftcards::find))
        .route("/giftcards/change", post(giftcards::change))
        .route("/giftcards/give-back", post(giftcards::give_back))
        .route("/giftcards/replace", post(giftcards::replace))
        .route("/giftcards/transfer", post(giftcards::transfer))
        .route("/giftcards/report", get(giftcards::report))
        .route(
            "/giftcards/programme",
            get(giftcards::programme).post(giftcards::change_programme),
        )
        .route("/payouts", get(payouts::list))
        .route("/payouts/{name}", get(payouts::show))
        .route("/payouts/{name}/approve", post(payouts::approve))
        .route("/payouts/{name}/reject", post(payouts::reject))
        .route("/settings", get(providers::show).post(providers::put))
        .route("/providers/{id}/{deed}", post(providers::switch))
        .route("/keys", get(providers::list_keys).post(providers::new_key))
        .route("/keys/{name}/end", post(providers::end_key))
        .route(
            "/passwords/{api}",
            get(providers::password).post(providers::new_password),
        )
        .route("/trigger", get(trigger::list).post(trigger::call))
}
