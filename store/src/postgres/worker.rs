//! The threads of a pool: each owns a connection and commits many callers at once.
//!
//! 1. Wait for jobs; take all that wait, up to a bound.
//! 2. One serializable transaction for all of them, sent without waiting where nothing has to be
//!    read, with one commit.
//! 3. Answer every caller.
//!
//! The commit waits for the disk (and for a synchronous standby) unless all jobs of the group said
//! that it need not: only then is that one transaction's `synchronous_commit` off. The server's
//! log is written in order, so the next commit that waits covers it.
//!
//! A group that did not go through is run again, in a slower manner each time: *together* as
//! above (after conflicts a few times more); *carefully*, each job in a savepoint, when a job
//! failed after it had written; *alone*, each job in a transaction of its own, a bounded number of
//! times with growing pauses. Closures may be run any number of times, and nobody is answered
//! before the commit.
//!
//! | if … | then … |
//! |---|---|
//! | the connection is lost before the commit was sent | the group is run again on a new one |
//! | it is lost after that | a new one is asked what became of it: done, or run again |
//! | that cannot be found out | the callers are told just that; nothing is run again |
//! | there is no new connection | callers are told at once to come back; tries with pauses |

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use domain::Refusal;

use super::errors::Class;
use super::outcome::{self, Outcome};
use super::queue::Queue;
use super::session::{COMMIT, Session, Trouble};
use super::url::Settings;
use super::{errors, schema};
use crate::tx::Tx;
use crate::{BUSY_RETRY, Failure, Fault, Job, NOT_ALONE, Options, Step};

/// Runs of a whole group again after conflicts: by then the other one has usually committed.
const TOGETHER_MAX: u32 = 3;

/// Runs of one job after conflicts, before its caller is told to come back.
const CONFLICTS_MAX: u32 = 12;

/// Runs of one job whose row was there already: by then it is no race.
const DUPLICATES_MAX: u32 = 3;

/// Tries to connect before what became of a commit counts as unknown: some ten seconds, so that
/// whoever waits for it has an answer before its own patience ends.
const OUTCOME_TRIES: u32 = 7;

/// The pause before another try to connect: doubles from the first to the last.
const RECONNECT_FIRST: Duration = Duration::from_millis(100);
const RECONNECT_LAST: Duration = Duration::from_secs(3);

/// What a pool is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Changes data; owns a ledger lane.
    Write,
    /// Reads beside writers.
    Read,
    /// Reads one snapshot without taking part in the order of transactions: also on a standby.
    Look,
}

impl Role {
    fn begin(self) -> &'static str {
        match self {
            Self::Write => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            Self::Read => "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY",
            Self::Look => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        }
    }

    fn group_max(self) -> usize {
        match self {
            Self::Write => domain::limits::PG_GROUP_MAX,
            // A long list must not hold up the look-ups behind it.
            Self::Read | Self::Look => 1,
        }
    }
}

/// How a group is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Together,
    Carefully,
}

/// What became of a run. Only after `Done` do the jobs' results count.
enum End {
    Done,
    /// Undone because of a conflict (or a duplicate, which may be one).
    Conflict(Trouble),
    /// Undone because a job failed after it had written.
    Undone,
    /// Undone because the connection is gone.
    Lost(Fault),
    /// The connection was lost with the commit on its way.
    Unknown(Fault),
}

pub(super) struct Worker {
    role: Role,
    settings: Arc<Settings>,
    options: Options,
    queue: Arc<Queue>,
    session: Option<Session>,
    /// Does the queue count on this thread?
    live: bool,
    lane: i64,
}

impl Worker {
    /// Connects. The error is one line without the place.
    pub(super) fn connect(
        role: Role,
        settings: Arc<Settings>,
        options: Options,
        queue: Arc<Queue>,
    ) -> Result<Self, String> {
        let mut worker = Self {
            role,
            settings,
            options,
            queue,
            session: None,
            live: false,
            lane: 0,
        };
        worker.open()?;
        Ok(worker)
    }

    fn open(&mut self) -> Result<(), String> {
        self.session = None;
        let mut session = Session::open(&self.settings)?;
        if self.role == Role::Write {
            if !session.takes_writes()? {
                return Err(errors::READ_ONLY.to_owned());
            }
            self.lane = schema::claim_lane(&mut session)?;
            session.mark_commits();
        }
        self.session = Some(session);
        Ok(())
    }

    /// Says that it is ready, and works until the queue is closed.
    pub(super) fn run(mut self, ready: &Sender<Result<(), String>>) {
        self.live(true);
        // Whoever started us may have given up meanwhile; then the queue is closed.
        let _ = ready.send(Ok(()));
        loop {
            if self.session.is_none() && !self.reconnect(u32::MAX) {
                return;
            }
            let Some(mut jobs) = self.queue.take(self.role.group_max()) else {
                return;
            };
            self.group(&mut jobs);
            if self.role == Role::Write {
                metrics::counter!("florin_store_commits_total").increment(1);
                metrics::counter!("florin_store_jobs_total")
                    .increment(jobs.len().try_into().unwrap_or(0));
            }
            for mut job in jobs {
                (job.step)(Step::Answer);
            }
        }
    }

    /// Tells the queue whether this thread has a connection, if it does not know.
    fn live(&mut self, live: bool) {
        match (self.live, live) {
            (false, true) => self.queue.up(),
            (true, false) => self.queue.down(),
            (false, false) | (true, true) => {}
        }
        self.live = live;
    }

    /// Tries to connect so often, with growing pauses, while nobody else waits for it; `false` if
    /// that did not help or the queue was closed.
    fn reconnect(&mut self, tries: u32) -> bool {
        self.live(false);
        let mut wait = RECONNECT_FIRST;
        for _ in 0..tries {
            if !self.queue.pause(self.jittered(wait)) {
                return false;
            }
            match self.open() {
                Ok(()) => {
                    metrics::counter!("florin_store_reconnects_total").increment(1);
                    self.live(true);
                    return true;
                }
                Err(why) => self.queue.note(&format!("{}: {why}", self.settings.place)),
            }
            wait = (wait * 2).min(RECONNECT_LAST);
        }
        false
    }

    /// Between half of a time and all of it.
    fn jittered(&self, wait: Duration) -> Duration {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(2);
        Duration::from_millis(millis / 2 + (self.options.chance)() % (millis / 2 + 1))
    }

    /// Runs a group until every job of it has a result.
    fn group(&mut self, jobs: &mut [Job]) {
        let twice = self.options.run_twice && self.role == Role::Write;
        let mut manner = if twice {
            Manner::Carefully
        } else {
            Manner::Together
        };
        let (mut conflicts, mut lost) = (0, 0);
        loop {
            match self.attempt(jobs, manner) {
                End::Done => return,
                End::Undone if manner == Manner::Together => manner = Manner::Carefully,
                End::Conflict(trouble) => {
                    count_retry(trouble.class);
                    conflicts += 1;
                    if manner == Manner::Carefully || conflicts > TOGETHER_MAX {
                        break;
                    }
                    self.pause(Duration::from_millis(2 << conflicts));
                }
                End::Undone => break,
                End::Lost(_) if lost == 0 && self.open().is_ok() => {
                    count_retry(Class::Lost);
                    lost += 1;
                }
                End::Lost(fault) => return self.give_up(jobs, &fault),
                End::Unknown(fault) => return spoil(jobs, &fault, Failure::Unknown),
            }
        }
        for at in 0..jobs.len() {
            let (_, rest) = jobs.split_at_mut(at);
            let Some(job) = rest.get_mut(..1) else { return };
            if let Err(fault) = self.alone(job) {
                return self.give_up(rest, &fault);
            }
        }
    }

    /// Runs one job in transactions of its own. An error means that the connection is gone.
    fn alone(&mut self, job: &mut [Job]) -> Result<(), Fault> {
        let mut wait = Duration::from_millis(2);
        for run in 1.. {
            let trouble = match self.attempt(job, Manner::Carefully) {
                End::Done => return Ok(()),
                End::Conflict(trouble) => trouble,
                End::Undone => Trouble {
                    class: Class::Other,
                    fault: Fault("undone by the database".to_owned()),
                    certain: true,
                },
                End::Lost(fault) => return Err(fault),
                End::Unknown(fault) => {
                    spoil(job, &fault, Failure::Unknown);
                    return Ok(());
                }
            };
            let failure = match trouble.class {
                Class::Conflict if run < CONFLICTS_MAX => None,
                Class::Duplicate if run < DUPLICATES_MAX => None,
                Class::Conflict => Some(Refusal::Unavailable(BUSY_RETRY).into()),
                _ => Some(trouble.fault.into()),
            };
            if let (Some(failure), [job]) = (failure, &mut *job) {
                (job.step)(Step::Spoil(failure));
                return Ok(());
            }
            count_retry(trouble.class);
            self.pause(wait);
            wait = (wait * 2).min(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Lets other transactions finish first.
    fn pause(&self, wait: Duration) {
        if let Some(session) = &self.session {
            session.pause(self.jittered(wait));
        }
    }

    /// The connection is gone: tells the callers, and lets go of it.
    fn give_up(&mut self, jobs: &mut [Job], fault: &Fault) {
        self.session = None;
        spoil(jobs, fault, Failure::Fault);
    }

    /// One transaction with all jobs.
    fn attempt(&mut self, jobs: &mut [Job], manner: Manner) -> End {
        let twice = self.options.run_twice && self.role == Role::Write;
        let Some(session) = &mut self.session else {
            return End::Lost(Fault("there is no connection".to_owned()));
        };
        // Nothing was sent yet, so nothing is in doubt.
        if session.has_ended() {
            return End::Lost(Fault("the connection has ended".to_owned()));
        }
        session.begin(self.role.begin());
        for job in jobs.iter_mut() {
            if job.alone {
                match schema::others_write(session) {
                    Ok(false) => {}
                    Ok(true) => {
                        let refusal = Refusal::NotAllowed(NOT_ALONE.to_owned());
                        (job.step)(Step::Spoil(refusal.into()));
                        continue;
                    }
                    Err(why) => return End::Lost(Fault(why)),
                }
            }
            let ran = if manner == Manner::Together {
                run_together(session, self.lane, job)
            } else {
                run_carefully(session, self.lane, job, twice)
            };
            if let Err(end) = ran {
                return end;
            }
        }
        // One of them that somebody is told about is enough: then all wait for the disk.
        if self.role == Role::Write && !jobs.iter().any(|job| job.synced) {
            session.send("SET LOCAL synchronous_commit = off");
        }
        if self.role == Role::Write {
            session.mark();
        }
        session.send(COMMIT);
        if session.settled() {
            return End::Done;
        }
        match session.trouble().cloned() {
            // A reader has nothing to lose.
            Some(trouble)
                if trouble.class == Class::Lost && self.role == Role::Write && !trouble.certain =>
            {
                self.find_out(trouble.fault)
            }
            Some(trouble) => end_of(trouble),
            None => End::Undone,
        }
    }

    /// The connection was lost with the commit on its way: asks over a new one what became of it.
    fn find_out(&mut self, fault: Fault) -> End {
        let marked = self.session.take().and_then(|session| session.marked());
        let outcome = match marked {
            Some((mark, before)) if self.reconnect(OUTCOME_TRIES) => match &mut self.session {
                Some(session) => outcome::of(session, &mark, before),
                None => Outcome::Unknown,
            },
            _ => Outcome::Unknown,
        };
        metrics::counter!("florin_store_outcomes_total", "outcome" => outcome.name()).increment(1);
        match outcome {
            Outcome::Committed => End::Done,
            Outcome::Undone => End::Undone,
            Outcome::Unknown => {
                let what = "the connection was lost while committing, the outcome is unknown";
                End::Unknown(Fault(format!("{what}: {fault}")))
            }
        }
    }
}

/// What became of jobs that are lost.
fn spoil(jobs: &mut [Job], fault: &Fault, failure: fn(Fault) -> Failure) {
    for job in jobs {
        let fault = Fault(format!("{}: {fault}", job.name));
        (job.step)(Step::Spoil(failure(fault)));
    }
}

/// Runs a job whose effects can only be undone with those of the whole group.
fn run_together(session: &mut Session, lane: i64, job: &mut Job) -> Result<(), End> {
    session.wrote();
    let keep = guarded(session, lane, job);
    if session.trouble().is_none() && (keep || !session.wrote()) {
        return Ok(());
    }
    Err(undo(session))
}

/// Runs a job in a savepoint; a job that fails is undone alone.
fn run_carefully(session: &mut Session, lane: i64, job: &mut Job, twice: bool) -> Result<(), End> {
    if twice {
        session.send("SAVEPOINT job");
        guarded(session, lane, job);
        if !session.settled() && session.trouble().is_some_and(|it| it.class != Class::Other) {
            return Err(undo(session));
        }
        session.forgive();
        session.send("ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job");
    }
    session.send("SAVEPOINT job");
    let keep = guarded(session, lane, job);
    let sound = session.settled();
    if !sound {
        if session.trouble().is_some_and(|it| it.class != Class::Other) {
            return Err(undo(session));
        }
        // Found after the closure had gone on, perhaps: its own result does not count.
        if let Some(trouble) = session.forgive() {
            let fault = Fault(format!("{}: {}", job.name, trouble.fault));
            (job.step)(Step::Spoil(fault.into()));
        }
    }
    session.send(if keep && sound {
        "RELEASE SAVEPOINT job"
    } else {
        "ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job"
    });
    Ok(())
}

/// Takes the whole transaction back.
fn undo(session: &mut Session) -> End {
    session.settled();
    let trouble = session.forgive();
    session.send("ROLLBACK");
    session.settled();
    match (trouble, session.forgive()) {
        (Some(trouble), _) if trouble.class == Class::Lost => End::Lost(trouble.fault),
        (_, Some(worse)) => End::Lost(worse.fault),
        (Some(trouble), None) => end_of(trouble),
        (None, None) => End::Undone,
    }
}

fn end_of(trouble: Trouble) -> End {
    match trouble.class {
        Class::Conflict | Class::Duplicate => End::Conflict(trouble),
        Class::Lost => End::Lost(trouble.fault),
        Class::Other => End::Undone,
    }
}

/// Runs a job's closure; a panic in it is that caller's fault and nobody else's.
fn guarded(session: &mut Session, lane: i64, job: &mut Job) -> bool {
    let mut tx = Tx::new(session, lane);
    match catch_unwind(AssertUnwindSafe(|| (job.step)(Step::Run(&mut tx)))) {
        Ok(keep) => {
            job.synced |= keep && tx.is_to_be_synced();
            keep
        }
        Err(_) => {
            metrics::counter!("florin_panics_total", "where" => "writer").increment(1);
            let fault = Fault(format!("{}: a rule was broken (panic)", job.name));
            (job.step)(Step::Spoil(Failure::Fault(fault)))
        }
    }
}

fn count_retry(class: Class) {
    let reason = match class {
        Class::Conflict => "conflict",
        Class::Duplicate => "duplicate",
        Class::Lost => "connection",
        Class::Other => "other",
    };
    metrics::counter!("florin_store_retries_total", "reason" => reason).increment(1);
}
