//! PostgreSQL: one database under any number of nodes. Opens it, brings the schema up to date, and
//! runs a pool of writing and one of reading connections, each on a thread of its own.

mod bulk;
mod errors;
mod outcome;
mod queue;
mod schema;
mod session;
mod text;
mod tls;
mod url;
mod worker;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use domain::limits::{PG_READERS, PG_WRITERS, READ_QUEUE_MAX, WRITE_QUEUE_MAX};

pub(crate) use self::bulk::Bulk;
use self::queue::Queue;
use self::schema::Refused;
use self::session::Session;
use self::url::Settings;
use self::worker::{Role, Worker};
use crate::sqlite::{OpenError, Options};
use crate::{Failure, Fault, Job};

/// The running database.
#[derive(Debug)]
pub(crate) struct Postgres {
    /// Absent when the database was opened only to be read.
    writers: Option<Pool>,
    readers: Pool,
}

/// Threads with a connection each, and the queue they work off.
#[derive(Debug)]
struct Pool {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Postgres {
    pub(crate) fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let settings = settings(url, options)?;
        prepare(&settings, Role::Write)?;
        let writers = Pool::start(Role::Write, PG_WRITERS, &settings, options)?;
        Ok(Self {
            writers: Some(writers),
            readers: Pool::start(Role::Read, PG_READERS, &settings, options)?,
        })
    }

    /// For looking, also at a standby: no migration, no writer.
    pub(crate) fn open_read_only(url: &str, options: Options) -> Result<Self, OpenError> {
        let settings = settings(url, options)?;
        prepare(&settings, Role::Look)?;
        Ok(Self {
            writers: None,
            readers: Pool::start(Role::Look, 1, &settings, options)?,
        })
    }

    pub(crate) fn submit_write(&self, job: Job) -> Result<(), Failure> {
        match &self.writers {
            Some(writers) => writers.queue.put(job),
            None => Err(Fault(format!("{}: opened for reading only", job.name)).into()),
        }
    }

    pub(crate) fn submit_read(&self, job: Job) -> Result<(), Failure> {
        self.readers.queue.put(job)
    }

    /// Why the server cannot be reached, while it cannot.
    pub(crate) fn unreachable(&self) -> Option<String> {
        let writers = self.writers.as_ref().and_then(|pool| pool.queue.why());
        writers.or_else(|| self.readers.queue.why())
    }

    pub(crate) fn close(self) {
        self.readers.close();
        if let Some(writers) = self.writers {
            writers.close();
        }
    }
}

fn settings(url: &str, options: Options) -> Result<Arc<Settings>, OpenError> {
    url::settings(url, &|name| (options.environment)(name))
        .map(Arc::new)
        .map_err(OpenError::Url)
}

/// Sees to the schema, on a thread: the caller may be inside a runtime of its own.
fn prepare(settings: &Arc<Settings>, role: Role) -> Result<(), OpenError> {
    let shared = Arc::clone(settings);
    let work = move || -> Result<(), Refused> {
        let mut session = Session::open(&shared)?;
        if role == Role::Look {
            return schema::check(&mut session);
        }
        if !session.takes_writes()? {
            return Err(Refused::Failed(errors::READ_ONLY.to_owned()));
        }
        schema::migrate(&mut session)
    };
    let failed = |text: String| OpenError::Database(settings.place.clone(), text);
    let thread = std::thread::Builder::new().name("florin-schema".to_owned());
    let done = thread
        .spawn(work)
        .map_err(|error| failed(error.to_string()))?;
    match done.join() {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(refused(&settings.place, why)),
        Err(_) => Err(failed("a rule was broken (panic)".to_owned())),
    }
}

fn refused(place: &str, why: Refused) -> OpenError {
    let text = match why {
        Refused::Failed(text) => text,
        Refused::Schema(error) => error.to_string(),
    };
    OpenError::Database(place.to_owned(), text)
}

impl Pool {
    /// Starts the threads and waits until each has its connection.
    fn start(
        role: Role,
        count: usize,
        settings: &Arc<Settings>,
        options: Options,
    ) -> Result<Self, OpenError> {
        let failed = |text: String| OpenError::Database(settings.place.clone(), text);
        let max = match role {
            Role::Write => WRITE_QUEUE_MAX,
            Role::Read | Role::Look => READ_QUEUE_MAX,
        };
        let queue = Arc::new(Queue::new(max));
        let (ready, connected) = channel();
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let (settings, queue, ready) =
                (Arc::clone(settings), Arc::clone(&queue), ready.clone());
            let work = move || match Worker::connect(role, settings, options, queue) {
                Ok(worker) => {
                    worker.run(&ready);
                }
                Err(text) => {
                    let _ = ready.send(Err(text));
                }
            };
            let name = if role == Role::Write {
                "writer"
            } else {
                "reader"
            };
            let thread = std::thread::Builder::new().name(format!("florin-{name}-{number}"));
            threads.push(
                thread
                    .spawn(work)
                    .map_err(|error| failed(error.to_string()))?,
            );
        }
        drop(ready);
        let pool = Self { queue, threads };
        for _ in 0..count {
            let answer = connected
                .recv()
                .unwrap_or_else(|_| Err("a thread ended".to_owned()));
            if let Err(text) = answer {
                pool.close();
                return Err(failed(text));
            }
        }
        Ok(pool)
    }

    /// Finishes what is queued and waits for it.
    fn close(mut self) {
        self.queue.close();
        for thread in std::mem::take(&mut self.threads) {
            // A thread that panicked has nothing left to finish.
            let _ = thread.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
    }
}
