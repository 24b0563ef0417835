//! A few threads with read-only connections. In WAL mode they never wait for the writer, and each
//! transaction sees one snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use domain::Refusal;
use domain::limits::READ_QUEUE_MAX;
use rusqlite::Connection;

use super::{Adapter, plain};
use crate::tx::Tx;
use crate::{BUSY_RETRY, Failure, Fault, Job, Step};

#[derive(Debug)]
pub(super) struct Readers {
    queue: SyncSender<Job>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(READ_QUEUE_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for (number, connection) in connections.into_iter().enumerate() {
            let jobs = Arc::clone(&jobs);
            threads.push(
                std::thread::Builder::new()
                    .name(format!("florin-reader-{number}"))
                    .spawn(move || run(&connection, &jobs))?,
            );
        }
        Ok(Self { queue, threads })
    }

    pub(super) fn submit(&self, job: Job) -> Result<(), Failure> {
        match self.queue.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Refusal::Unavailable(BUSY_RETRY).into()),
            Err(TrySendError::Disconnected(job)) => {
                Err(Fault(format!("{}: the readers are gone", job.name)).into())
            }
        }
    }

    pub(super) fn close(self) {
        drop(self.queue);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The guard is dropped at the end of this statement, before the job runs.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut job) = next else { break };
        read(connection, &mut job);
        (job.step)(Step::Answer);
    }
}

fn read(connection: &Connection, job: &mut Job) {
    let begun = connection.execute_batch("BEGIN");
    if let Err(error) = begun {
        (job.step)(Step::Spoil(Failure::Fault(Fault(format!(
            "{}: {}",
            job.name,
            plain(&error)
        )))));
        return;
    }
    let mut adapter = Adapter(connection);
    let mut tx = Tx::new(&mut adapter, 0);
    if catch_unwind(AssertUnwindSafe(|| (job.step)(Step::Run(&mut tx)))).is_err() {
        metrics::counter!("florin_panics_total", "where" => "reader").increment(1);
        (job.step)(Step::Spoil(Failure::Fault(Fault(format!(
            "{}: a rule was broken (panic)",
            job.name
        )))));
    }
    // Nothing was written; ending the snapshot cannot lose anything.
    let _ = connection.execute_batch("ROLLBACK");
}
