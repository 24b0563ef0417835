//! Group commit: one thread owns the only writing connection and commits many callers at once.
//!
//! 1. Wait for a job.
//! 2. `BEGIN IMMEDIATE`.
//! 3. Run the job inside a savepoint. Success releases it; failure rolls back to it, so a refused
//!    job leaves nothing and does not disturb its neighbours.
//! 4. If another job is already waiting, take it and go to 3, up to [`GROUP_MAX`] jobs or
//!    [`GROUP_WORK_MAX`] of work.
//! 5. `COMMIT`: one sync for all.
//! 6. Answer every caller.
//!
//! A group whose first job need not be on disk before it is answered is not synced. It takes only
//! such jobs; the next one that must be synced opens the next group. The log is written in order,
//! so its sync covers those before it. A job that finds on the way that it must be synced after
//! all has its group synced after the commit.
//!
//! There is no timer: while one commit syncs, the next group gathers by itself, and an idle system
//! commits at once. A job may see rows of an unanswered neighbour in the same group; that is safe
//! because both are answered only after the shared commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use domain::Refusal;
use domain::limits::{GROUP_MAX, GROUP_WORK_MAX, WRITE_QUEUE_MAX};
use rusqlite::Connection;

use super::{Adapter, Options, plain};
use crate::tx::Tx;
use crate::{BUSY_RETRY, Failure, Fault, Job, Step};

/// The chain of the only writer.
const LANE: i64 = 0;

#[derive(Debug)]
pub(super) struct Writer {
    queue: SyncSender<Job>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread; it says on `committed` that something was.
    pub(super) fn start(
        connection: Connection,
        options: Options,
        committed: SyncSender<()>,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(WRITE_QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("florin-writer".to_owned())
            .spawn(move || run(&connection, options, &jobs, &committed))?;
        Ok(Self { queue, thread })
    }

    pub(super) fn submit(&self, job: Job) -> Result<(), Failure> {
        match self.queue.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(job)) => {
                metrics::counter!("florin_store_queue_full_total", "transaction" => job.name)
                    .increment(1);
                Err(Refusal::Unavailable(BUSY_RETRY).into())
            }
            Err(TrySendError::Disconnected(job)) => {
                Err(Fault(format!("{}: the writer is gone", job.name)).into())
            }
        }
    }

    pub(super) fn close(self) {
        drop(self.queue);
        // A writer that panicked has nothing left to finish.
        let _ = self.thread.join();
    }
}

fn run(
    connection: &Connection,
    options: Options,
    jobs: &Receiver<Job>,
    committed: &SyncSender<()>,
) {
    let (mut held, mut synced) = (None, true);
    while let Some(job) = held.take().or_else(|| jobs.recv().ok()) {
        let ready = syncing(connection, &mut synced, job.synced);
        held = group(connection, options, jobs, (job, ready));
        // Full: it was said already.
        let _ = committed.try_send(());
    }
}

/// Says whether the next commit waits for the disk, if it is not as it is already.
fn syncing(connection: &Connection, now: &mut bool, wanted: bool) -> Result<(), Fault> {
    if *now != wanted {
        let mode = if wanted { "FULL" } else { "NORMAL" };
        let set = connection.pragma_update(None, "synchronous", mode);
        set.map_err(|error| Fault(format!("synchronous = {mode}: {}", plain(&error))))?;
        *now = wanted;
    }
    Ok(())
}

/// Syncs what was committed without it: writes one page more (a number that nobody reads), and the
/// sync of that covers all before it.
fn sync(connection: &Connection) -> Result<(), Fault> {
    let mut full = false;
    syncing(connection, &mut full, true)?;
    let done = connection.pragma_update(None, "user_version", 0);
    let back = syncing(connection, &mut full, false);
    done.map_err(|error| Fault(format!("a sync: {}", plain(&error))))?;
    back
}

/// Steps 2 to 6 for the first job and those that wait behind it. A job that cannot be in this
/// group, because it must be synced and the group is not, is given back.
fn group(
    connection: &Connection,
    options: Options,
    jobs: &Receiver<Job>,
    (first, ready): (Job, Result<(), Fault>),
) -> Option<Job> {
    let started = (options.stopwatch)();
    let synced = first.synced;
    let (mut done, mut held) = (Vec::new(), None);
    let begun = ready.and_then(|()| sql(connection, "BEGIN IMMEDIATE"));
    let mut spoiled = begun.err();
    let mut next = Some(first);
    while let Some(mut job) = next.take() {
        if spoiled.is_none() {
            spoiled = run_job(connection, options, &mut job).err();
        }
        done.push(job);
        let worked = (options.stopwatch)().saturating_sub(started);
        let room = done.len() < GROUP_MAX && worked.as_millis() < GROUP_WORK_MAX.millis().into();
        if room && spoiled.is_none() {
            next = jobs.try_recv().ok();
        }
        if !synced && next.as_ref().is_some_and(|job| job.synced) {
            held = next.take();
        }
    }
    if spoiled.is_none() {
        spoiled = sql(connection, "COMMIT").err();
    }
    if spoiled.is_none() && !synced && done.iter().any(|job| job.synced) {
        spoiled = sync(connection).err();
    }
    if let Some(fault) = &spoiled {
        // Nothing was promised yet: everyone is told that it did not happen.
        let _ = sql(connection, "ROLLBACK");
        for job in &mut done {
            (job.step)(Step::Spoil(Fault(format!("{}: {fault}", job.name)).into()));
        }
    }
    metrics::counter!("florin_store_commits_total").increment(1);
    metrics::counter!("florin_store_jobs_total").increment(done.len().try_into().unwrap_or(0));
    for mut job in done {
        (job.step)(Step::Answer);
    }
    held
}

/// Runs one job inside its savepoint. An error means that the whole group is lost.
fn run_job(connection: &Connection, options: Options, job: &mut Job) -> Result<(), Fault> {
    if options.run_twice {
        sql(connection, "SAVEPOINT job")?;
        guarded(connection, job);
        sql(connection, "ROLLBACK TO job")?;
        sql(connection, "RELEASE job")?;
    }
    sql(connection, "SAVEPOINT job")?;
    let keep = guarded(connection, job);
    if connection.is_autocommit() {
        // SQLite has rolled the whole transaction back by itself (disk full, I/O error).
        return Err(Fault(
            "the database gave the transaction up (is the disk full?)".to_owned(),
        ));
    }
    if !keep {
        sql(connection, "ROLLBACK TO job")?;
    }
    sql(connection, "RELEASE job")
}

/// Runs a job's closure; a panic in it is that caller's fault and nobody else's.
fn guarded(connection: &Connection, job: &mut Job) -> bool {
    let mut adapter = Adapter(connection);
    let mut tx = Tx::new(&mut adapter, LANE);
    match catch_unwind(AssertUnwindSafe(|| (job.step)(Step::Run(&mut tx)))) {
        Ok(keep) => {
            job.synced |= keep && tx.is_to_be_synced();
            keep
        }
        Err(_) => {
            metrics::counter!("florin_panics_total", "where" => "writer").increment(1);
            (job.step)(Step::Spoil(Failure::Fault(Fault(format!(
                "{}: a rule was broken (panic)",
                job.name
            )))))
        }
    }
}

fn sql(connection: &Connection, text: &'static str) -> Result<(), Fault> {
    let done = connection
        .prepare_cached(text)
        .and_then(|mut statement| statement.execute([]));
    done.map(|_| ())
        .map_err(|error| Fault(format!("{text}: {}", plain(&error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job that writes a row, and finds perhaps that it must be synced.
    fn job(synced: bool, finds: bool) -> Job {
        Job {
            name: "test",
            synced,
            alone: true,
            step: Box::new(move |step| {
                if let Step::Run(tx) = step {
                    tx.exec("INSERT INTO t VALUES (1)", &[]).unwrap();
                    if finds {
                        tx.must_be_synced();
                    }
                }
                true
            }),
        }
    }

    /// Bytes that a group wrote to the log, and whether it gave a job back.
    fn written(connection: &Connection, first: Job, waiting: Vec<Job>) -> (u64, bool) {
        let log = |connection: &Connection| {
            let log = format!("{}-wal", connection.path().unwrap());
            std::fs::metadata(log).unwrap().len()
        };
        let (sender, jobs) = sync_channel(8);
        for job in waiting {
            sender.send(job).unwrap_or_else(|_| panic!("there is room"));
        }
        let before = log(connection);
        let mut synced = true;
        let ready = syncing(connection, &mut synced, first.synced);
        let held = group(connection, Options::TEST, &jobs, (first, ready));
        (log(connection) - before, held.is_some())
    }

    #[test]
    fn who_must_be_synced_is_synced_even_if_that_is_found_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("t.db")).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x INTEGER)")
            .unwrap();
        let one = written(&connection, job(false, false), Vec::new());
        assert_eq!(written(&connection, job(true, false), Vec::new()), one);
        assert_eq!(written(&connection, job(true, true), Vec::new()), one);
        let (more, _) = written(&connection, job(false, true), Vec::new());
        let page = 4_096 + 24;
        assert_eq!(more, one.0 + page, "one page more is written, and synced");
        let neighbours = vec![job(false, true), job(false, false)];
        let (more, held) = written(&connection, job(false, false), neighbours);
        assert_eq!(
            (more, held),
            (one.0 + page, false),
            "one sync for all of a group"
        );
        let (_, held) = written(&connection, job(false, false), vec![job(true, false)]);
        assert!(
            held,
            "who must be synced from the beginning opens a group of its own"
        );
        let (_, held) = written(&connection, job(true, false), vec![job(false, false)]);
        assert!(!held, "who need not may come along");
    }
}
