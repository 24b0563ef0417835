//! Florin's data: the only crate with SQL.
//!
//! There is one door: [`Store::write`] and [`Store::read`] take the name of a transaction and a
//! closure. Promises:
//!
//! * **Serializable.** A transaction sees the data as if it ran alone.
//! * **All or nothing, and durable.** When `write` answers `Ok`, the disk has it. When it answers
//!   `Err`, nothing was changed, but for [`Failure::Unknown`], which says that it is not known.
//!   ([`Store::write_unsynced`] is for what may be done again after a power cut.)
//! * **Re-runnable.** A closure may be run twice (PostgreSQL retries conflicts; tests run every
//!   SQLite closure twice), so it is an `Fn` that computes the same ids and times each time.
//! * **Bounded.** Queues have a length; a full one is answered at once.
//! * **Faults only.** The store decides nothing. It gives a closure's own [`Refusal`] back as it
//!   is.
//!
//! Statements are written once, in the SQL that SQLite and PostgreSQL share (see [`sql`]).

pub mod migrate;
pub mod moving;
mod postgres;
pub mod sql;
pub mod sqlite;
pub mod tables;
pub mod tx;
mod wake;

use std::path::Path;
use std::sync::Arc;

use domain::{Refusal, Span};
use tokio::sync::oneshot;

pub use migrate::{MIGRATIONS, Migration};
pub use sqlite::{OpenError, Options, backup};
pub use tx::Tx;
pub use wake::Wake;

/// Something went wrong on our side. It is logged once, at the edge, and shown as "unavailable".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

/// What stands between the message of a database and the statement that it is about.
const OF_STATEMENT: &str = "; in: ";

impl Fault {
    /// A statement failed.
    fn of_statement(message: &str, sql: &str) -> Self {
        Self(format!("{message}{OF_STATEMENT}{sql}"))
    }

    /// The same for a person at a terminal, who has no use for the statement; logs have it.
    pub fn for_people(&self) -> &str {
        let parts = self.0.split_once(OF_STATEMENT);
        parts.map_or(self.0.as_str(), |(message, _)| message)
    }
}

/// Why a transaction did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Business: the client may be told.
    Refused(Refusal),
    /// Ours: the client is told that we are unavailable.
    Fault(Fault),
    /// Ours, and the database was lost with the commit on its way: it may have happened.
    Unknown(Fault),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// When a client should come back after our queue was full.
pub const BUSY_RETRY: Span = Span::from_seconds(1);

/// How an adapter turns a job away that wants the database to itself.
pub(crate) const NOT_ALONE: &str = "another process writes to the database";

/// What a queue hands to a thread: first to run inside the transaction, then to answer after the
/// commit.
pub(crate) enum Step<'a, 'b> {
    /// Run; the result says whether the effects are to be kept.
    Run(&'a mut Tx<'b>),
    /// What it did is lost: remember this instead.
    Spoil(Failure),
    /// The commit is done; tell the caller.
    Answer,
}

/// A transaction waiting for its thread.
pub(crate) struct Job {
    /// The transaction's name.
    pub name: &'static str,
    /// Must the disk have it before it is answered?
    pub synced: bool,
    /// Does it run only if no other process writes to the database?
    pub alone: bool,
    /// See [`Step`].
    pub step: Box<dyn FnMut(Step<'_, '_>) -> bool + Send>,
}

/// The data of one Florin.
#[derive(Debug)]
pub struct Store {
    adapter: Adapter,
    wake: Arc<Wake>,
}

/// Which database it is: known here and to the adapters, to nobody above.
#[derive(Debug)]
enum Adapter {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens the embedded database in a file, makes it if it is missing, and brings its schema up
    /// to date. Refuses a file that another process holds or whose schema is newer.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let sqlite = sqlite::Sqlite::open(path, options)?;
        Ok(Self::over(Adapter::Sqlite(sqlite)))
    }

    /// Opens the embedded database to look at it, also while a gateway is running on it.
    pub fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        let sqlite = sqlite::Sqlite::open_read_only(path)?;
        Ok(Self::over(Adapter::Sqlite(sqlite)))
    }

    /// Opens a PostgreSQL by its URL and brings its schema up to date; others may be using it.
    /// Refuses a malformed URL, a server that is too old or takes no writes, and a schema that is
    /// newer.
    pub fn open_url(url: &str, options: Options) -> Result<Self, OpenError> {
        let postgres = postgres::Postgres::open(url, options)?;
        Ok(Self::over(Adapter::Postgres(postgres)))
    }

    /// Opens a PostgreSQL by its URL to look at it: also a standby.
    pub fn open_url_read_only(url: &str, options: Options) -> Result<Self, OpenError> {
        let postgres = postgres::Postgres::open_read_only(url, options)?;
        Ok(Self::over(Adapter::Postgres(postgres)))
    }

    fn over(adapter: Adapter) -> Self {
        Self {
            adapter,
            wake: Arc::default(),
        }
    }

    /// Can several processes write to this database at once?
    pub fn takes_many_nodes(&self) -> bool {
        matches!(self.adapter, Adapter::Postgres(_))
    }

    /// Why the database cannot be reached, while it cannot: one line for the operator.
    pub fn unreachable(&self) -> Option<String> {
        match &self.adapter {
            Adapter::Sqlite(_) => None,
            Adapter::Postgres(postgres) => postgres.unreachable(),
        }
    }

    /// Queues of deliveries in which a commit of this process made something due.
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Runs a transaction that may change data. The answer comes after the commit is on disk.
    pub async fn write<T, F>(&self, name: &'static str, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let (job, answer) = job(name, work, Arc::clone(&self.wake));
        self.submit_write(job)?;
        answer
            .await
            .unwrap_or_else(|_| Err(Fault(format!("{name}: the writer is gone")).into()))
    }

    /// The same without waiting for the disk, where nothing is promised to anybody: a process
    /// that dies loses none of it, a power cut may undo the last of these, and whatever they
    /// noted is then done again. A later [`Self::write`] is never on disk without them.
    pub async fn write_unsynced<T, F>(&self, name: &'static str, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let (mut job, answer) = job(name, work, Arc::clone(&self.wake));
        job.synced = false;
        self.submit_write(job)?;
        answer
            .await
            .unwrap_or_else(|_| Err(Fault(format!("{name}: the writer is gone")).into()))
    }

    /// The same, unless another process writes to the database too: then nothing is done, and
    /// nothing is answered. Nobody who begins to write later can be seen by it.
    pub async fn write_alone<T, F>(&self, name: &'static str, work: F) -> Result<Option<T>, Failure>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let work = move |tx: &mut Tx<'_>| work(tx).map(Some);
        let (mut job, answer) = job(name, work, Arc::clone(&self.wake));
        job.alone = true;
        self.submit_write(job)?;
        match answer.await {
            Ok(Err(Failure::Refused(Refusal::NotAllowed(why)))) if why == NOT_ALONE => Ok(None),
            Ok(done) => done,
            Err(_) => Err(Fault(format!("{name}: the writer is gone")).into()),
        }
    }

    fn submit_write(&self, job: Job) -> Result<(), Failure> {
        match &self.adapter {
            Adapter::Sqlite(sqlite) => sqlite.submit_write(job),
            Adapter::Postgres(postgres) => postgres.submit_write(job),
        }
    }

    /// Runs a transaction that only reads. It never waits for the writer.
    pub async fn read<T, F>(&self, name: &'static str, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let (job, answer) = job(name, work, Arc::clone(&self.wake));
        match &self.adapter {
            Adapter::Sqlite(sqlite) => sqlite.submit_read(job),
            Adapter::Postgres(postgres) => postgres.submit_read(job),
        }?;
        answer
            .await
            .unwrap_or_else(|_| Err(Fault(format!("{name}: the reader is gone")).into()))
    }

    /// Finishes what is queued, writes the log back into the database file and lets go of it.
    pub fn close(self) {
        match self.adapter {
            Adapter::Sqlite(sqlite) => sqlite.close(),
            Adapter::Postgres(postgres) => postgres.close(),
        }
    }
}

fn job<T, F>(
    name: &'static str,
    work: F,
    wake: Arc<Wake>,
) -> (Job, oneshot::Receiver<Result<T, Failure>>)
where
    T: Send + 'static,
    F: Fn(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let mut result = None;
    let mut woken = Vec::new();
    let step = Box::new(move |step: Step<'_, '_>| match step {
        Step::Run(tx) => {
            let outcome = work(tx).and_then(|value| tx.sound().map(|()| value));
            let keep = outcome.is_ok();
            woken = if keep { tx.woken() } else { Vec::new() };
            result = Some(outcome);
            keep
        }
        Step::Spoil(failure) => {
            result = Some(Err(failure));
            woken.clear();
            false
        }
        Step::Answer => {
            wake.add(std::mem::take(&mut woken));
            if let (Some(sender), Some(result)) = (sender.take(), result.take()) {
                // A caller that went away does not need the answer.
                let _ = sender.send(result);
            }
            true
        }
    });
    let job = Job {
        name,
        synced: true,
        alone: false,
        step,
    };
    (job, receiver)
}
