//! What `sandbox` and `serve` have in common: folder, database, listening, running, stopping.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::Secret;
use domain::limits::STOP_MAX;
use store::tables::records;
use store::{OpenError, Options, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Problem, cannot};
use crate::app::App;
use crate::entropy::Entropy;
use crate::{clock, http, operator, sandbox, workers};

/// The database's file inside the data folder.
const DATABASE: &str = "florin.db";

/// How much later than the others the last one may end.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Where the database of a data folder is.
pub fn database(data: &Path) -> PathBuf {
    data.join(DATABASE)
}

/// Makes the data folder if it is missing.
pub fn folder(data: &Path) -> Result<(), Problem> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .map_err(|error| Problem::Cannot(format!("cannot make {}: {error}", data.display())))
}

/// Opens the database: the PostgreSQL at a URL, if one is given, else the file in the data folder.
pub fn open(data: &Path, url: Option<&str>) -> Result<Store, Problem> {
    let opened = match url {
        Some(url) => Store::open_url(url, options()),
        None => Store::open(&database(data), options()),
    };
    opened.map_err(unusable)
}

/// Opens the database to look at it, also while a gateway is running on it.
pub fn open_read_only(data: &Path, url: Option<&str>) -> Result<Store, Problem> {
    let opened = match url {
        Some(url) => Store::open_url_read_only(url, options()),
        None => Store::open_read_only(&database(data)),
    };
    opened.map_err(unusable)
}

/// The record that says which master key the database is used with.
const KEY_KIND: &str = "vault";
const KEY_ID: &str = "check";

/// Sees that the master key is the one that the database was first used with: under another one
/// nothing sealed opens, and what would be sealed nobody else could open.
pub async fn same_key(app: &App) -> Result<(), Problem> {
    let check = Secret::new("the key is right".to_owned());
    let sealed = app.vault.seal(&check, KEY_KIND, &app.entropy);
    let (sealed, now) = (sealed.map_err(cannot)?, app.clock.now());
    let known = app.store.write("same_key", move |tx| {
        let known = records::get(tx, KEY_KIND, KEY_ID)?;
        if known.is_none() {
            records::put(tx, KEY_KIND, KEY_ID, &sealed, now)?;
        }
        Ok(known)
    });
    match known.await.map_err(super::failed)? {
        Some(known) if app.vault.open(&known, KEY_KIND).is_err() => Err(Problem::Cannot(
            "the master key is not the one that this database was first used with: every node \
             needs the same"
                .to_owned(),
        )),
        Some(_) | None => Ok(()),
    }
}

/// How databases are opened in production.
pub fn options() -> Options {
    Options {
        run_twice: false,
        stopwatch: clock::stopwatch,
        chance: Entropy::chance,
        environment: |name| std::env::var(name).ok(),
    }
}

/// A database that cannot be used, for an operator.
pub fn unusable(error: OpenError) -> Problem {
    match error {
        OpenError::Url(_) => Problem::Usage(error.to_string()),
        _ => cannot(error),
    }
}

/// A runtime for one command.
pub fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(cannot)
}

/// Takes the port. The text must be an address and a port, or a name and a port.
pub async fn listen(address: &str) -> Result<TcpListener, Problem> {
    let port = address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() {
        let form = "an address and a port like 127.0.0.1:8080";
        return Err(Problem::Usage(format!(
            "--listen {address:?} is not {form}"
        )));
    }
    TcpListener::bind(address)
        .await
        .map_err(|error| Problem::Cannot(format!("cannot listen on {address}: {error}")))
}

/// Serves until Ctrl-C or SIGTERM, then finishes what is under way.
pub async fn serve(app: Arc<App>, listener: TcpListener, data: &Path) -> Result<(), Problem> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    workers::take_over(&app).await.map_err(super::failed)?;
    if app.sandbox {
        sandbox::clock::resume(&app).await.map_err(super::failed)?;
    }
    let (stop, stopped) = watch::channel(false);
    let door = door(&app, data, stopped.clone());
    let late = tokio::spawn(too_late(stopped.clone()));
    let working = tokio::spawn(workers::run(Arc::clone(&app), stopped));
    let asked = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: finishing what is under way");
        // Everybody at once: there is one time for all of them. Without a receiver the workers have
        // ended already.
        let _ = stop.send(true);
    };
    http::server::serve(Arc::clone(&app), listener, asked).await;
    let ended = async {
        let _ = working.await;
        if let Some(door) = door {
            let _ = door.await;
            // The next start replaces it if it is still there.
            let _ = fs::remove_file(operator::socket(data));
        }
    };
    tokio::select! {
        () = ended => {}
        _ = late => tracing::warn!("work was still under way when the time to stop was over"),
    }
    if let Some(app) = Arc::into_inner(app) {
        app.store.close();
    }
    tracing::info!("stopped");
    Ok(())
}

/// Resolves when whoever was asked to stop should have ended: a little later than they promise.
async fn too_late(mut stopped: watch::Receiver<bool>) {
    // Without a sender the process is ending too.
    let _ = stopped.changed().await;
    tokio::time::sleep(Duration::from_millis(STOP_MAX.millis()) + LAST_MOMENT).await;
}

/// Opens the operator's door. A gateway that cannot have one runs without: its commands then say
/// that nobody answers.
fn door(
    app: &Arc<App>,
    data: &Path,
    mut stopped: watch::Receiver<bool>,
) -> Option<tokio::task::JoinHandle<()>> {
    match operator::open(data) {
        Ok(listener) => {
            let stop = async move {
                // Without a sender the process is ending too.
                let _ = stopped.changed().await;
            };
            let serving = operator::serve(Arc::clone(app), listener, stop);
            Some(tokio::spawn(serving))
        }
        Err(error) => {
            let path = operator::socket(data);
            tracing::warn!(%error, path = %path.display(), "no socket for the operator's commands");
            None
        }
    }
}
