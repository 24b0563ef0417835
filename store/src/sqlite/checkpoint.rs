//! Writes the log back into the database file beside the writer, so that no caller waits for it.
//!
//! While there is something new, a pass runs every [`PAUSE`]; it never waits for anybody. A pass
//! alone cannot let the log begin again, because the writer goes on meanwhile: that is done by the
//! writer's own checkpoint once the log is long, which then finds little left to do.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

/// Between two passes: pages that change all the time are written once in it.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Checkpointer {
    /// Says that something was committed.
    news: SyncSender<()>,
    /// Nothing is sent: it ends with its sender.
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let (news, heard) = sync_channel(1);
        let (stop, stopped) = sync_channel(0);
        let thread = std::thread::Builder::new()
            .name("florin-checkpoint".to_owned())
            .spawn(move || run(&connection, &heard, &stopped))?;
        Ok(Self { news, stop, thread })
    }

    /// Where the writer says that it has committed something: a full channel has said it already.
    pub(super) fn news(&self) -> SyncSender<()> {
        self.news.clone()
    }

    /// To be called when the writer is gone: writes back what is left.
    pub(super) fn close(self) {
        drop(self.news);
        drop(self.stop);
        // One that panicked loses nothing: the log has everything.
        let _ = self.thread.join();
    }
}

fn run(connection: &Connection, news: &Receiver<()>, stop: &Receiver<()>) {
    while news.recv().is_ok() {
        // A pause that ends as soon as the store is closed.
        if stop.recv_timeout(PAUSE) == Err(RecvTimeoutError::Disconnected) {
            break;
        }
        pass(connection);
    }
    pass(connection);
}

/// Writes back as much as readers allow. A failure (a full disk) is no loss: the log still has
/// everything, and the next pass tries again.
fn pass(connection: &Connection) {
    let done = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    if done.is_err() {
        metrics::counter!("florin_store_checkpoint_failed_total").increment(1);
    }
}
