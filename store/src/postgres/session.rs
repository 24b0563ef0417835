//! One connection and the seam over it.
//!
//! The client library is asynchronous; here it is driven by a runtime of one thread, inside the
//! calls. What that buys is sending without waiting: statements whose effect is certain if they do
//! not fail (see [`text::certain`]) are sent at once, and their answers are read with the next
//! answer that is needed, at the latest with the one to `COMMIT`. If one of them failed, nothing
//! after it took effect, and the group is run again in a careful manner.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors::{self, Class, plain};
use super::outcome::{self, History, Mark};
use super::text;
use super::url::Settings;
use crate::Fault;
use crate::sql::{Row, Sql, Value};

/// The oldest server that is supported.
const VERSION_MIN: i64 = 15;

/// Said to every session. Plans are made once and use indexes: a sequential scan of a table that
/// was small when the plan was made would lock all of it against everybody. A page of a list is
/// read sooner than a second process of the server starts to help. A process that was frozen in a
/// transaction must not hold its locks.
const SET_UP: &str = "SET enable_seqscan = off; SET jit = off; \
    SET max_parallel_workers_per_gather = 0; \
    SET plan_cache_mode = force_generic_plan; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '10s'; \
    SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')";

const ABOUT: &str = "SELECT current_setting('server_version_num'), \
    current_setting('server_encoding'), current_setting('transaction_read_only'), \
    COALESCE((SELECT oid::text FROM pg_namespace WHERE nspname = current_schema()), '')";

/// Said of a role that finds nothing.
const NO_SCHEMA: &str = "the schema in its search_path does not exist, or this role may not use \
    it (GRANT USAGE ON SCHEMA)";

/// Ends a transaction. What goes wrong with it leaves open what became of it.
pub(super) const COMMIT: &str = "COMMIT";

/// A prepared statement, and what [`text::certain`] says of it.
type Known = (Statement, Option<u64>);

type Answer = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send>>;

/// What went wrong first in the present transaction.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub class: Class,
    pub fault: Fault,
    /// The server itself said so of a statement before the commit: nothing was committed.
    pub certain: bool,
}

pub(super) struct Session {
    runtime: Runtime,
    client: Arc<Client>,
    statements: HashMap<&'static str, Known>,
    /// Statements that were sent and whose answers were not read yet, in order.
    sent: VecDeque<(&'static str, Answer)>,
    trouble: Option<Trouble>,
    wrote: bool,
    /// The number of the schema: part of the names of advisory locks.
    schema: i32,
    /// How to find out what became of a commit; see [`outcome`].
    marking: Option<(Statement, History)>,
    mark: Arc<Mutex<Option<Mark>>>,
}

impl Session {
    /// Connects and sets up. The error is for the operator: one line without the place.
    pub(super) fn open(settings: &Settings) -> Result<Self, String> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| error.to_string())?;
        let client = runtime.block_on(connect(settings)).map_err(|error| {
            let user = settings.config.get_user().unwrap_or_default();
            let database = settings.config.get_dbname().unwrap_or_default();
            errors::connecting(&error, user, database)
        })?;
        let mut session = Self {
            runtime,
            client: Arc::new(client),
            statements: HashMap::new(),
            sent: VecDeque::new(),
            trouble: None,
            wrote: false,
            schema: 0,
            marking: None,
            mark: Arc::default(),
        };
        session.set_up()?;
        Ok(session)
    }

    /// From now on it can be found out what became of each commit, if the server knows how.
    pub(super) fn mark_commits(&mut self) {
        self.marking = outcome::history(self)
            .and_then(|history| Some((self.make(outcome::MARK).ok()?, history)));
    }

    /// Asks for the mark of the present transaction, without waiting.
    pub(super) fn mark(&mut self) {
        let Some((statement, _)) = &self.marking else {
            return;
        };
        let (client, statement) = (Arc::clone(&self.client), statement.clone());
        let place = Arc::clone(&self.mark);
        let answer = async move {
            let row = client.query_one(&statement, &[]).await?;
            let text = |column: usize| row.try_get::<_, Option<&str>>(column);
            let number = text(0)?.map(str::parse).transpose();
            if let (Ok(number), Some(Ok(at))) = (number, text(1)?.map(str::parse)) {
                let mark = Mark { number, place: at };
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark);
            }
            Ok(0)
        };
        self.post(outcome::MARK, Box::pin(answer));
    }

    /// The mark of the last transaction and the history it belongs to, if they are known.
    pub(super) fn marked(&self) -> Option<(Mark, History)> {
        let mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        Some((mark.clone()?, self.marking.as_ref()?.1))
    }

    fn set_up(&mut self) -> Result<(), String> {
        let about = self.rows(ABOUT)?;
        let about = about.first().ok_or("it says nothing about itself")?;
        let text = |column: usize| about.get(column).map_or("", String::as_str);
        let version = text(0).parse::<i64>().unwrap_or(0) / 10_000;
        if version < VERSION_MIN {
            return Err(format!(
                "it is version {version}; florin needs PostgreSQL {VERSION_MIN} or newer"
            ));
        }
        if text(1) != "UTF8" {
            let encoding = text(1);
            return Err(format!(
                "the database's encoding is {encoding}, it must be UTF8"
            ));
        }
        let number = text(3).parse::<u32>();
        let number = number.map_err(|_| NO_SCHEMA)?;
        self.schema = i32::from_ne_bytes(number.to_ne_bytes());
        self.rows(SET_UP).map(|_| ())
    }

    /// Does the server take writes?
    pub(super) fn takes_writes(&mut self) -> Result<bool, String> {
        let rows = self.rows("SHOW transaction_read_only")?;
        Ok(rows.first().and_then(|row| row.first()).map(String::as_str) == Some("off"))
    }

    /// Does it only follow another server?
    pub(super) fn is_standby(&mut self) -> Result<bool, String> {
        let rows = self.rows("SELECT pg_is_in_recovery()")?;
        Ok(rows.first().and_then(|row| row.first()).map(String::as_str) == Some("t"))
    }

    /// The number of the schema, as advisory locks name it.
    pub(super) fn schema(&self) -> i32 {
        self.schema
    }

    /// Runs statements outside the seam; the rows of all of them, as text.
    pub(super) fn rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let answer = self.runtime.block_on(self.client.simple_query(sql));
        let messages = answer.map_err(|error| plain(&error))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let column = |index| row.get(index).unwrap_or_default().to_owned();
                Some((0..row.len()).map(column).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Prepares a statement whose text was made at run time.
    pub(super) fn make(&mut self, sql: &str) -> Result<Statement, String> {
        let made = self.runtime.block_on(self.client.prepare(sql));
        made.map_err(|error| plain(&error))
    }

    /// Runs such a statement; its rows.
    pub(super) fn ask(
        &mut self,
        statement: &Statement,
        args: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, String> {
        let rows = self.runtime.block_on(self.client.query(statement, args));
        let rows = rows.map_err(|error| plain(&error))?;
        let read = |row: tokio_postgres::Row| {
            let columns = (0..row.len()).map(|column| row.try_get(column));
            columns.collect::<Result<_, _>>().map(Row::new)
        };
        let rows: Result<_, Error> = rows.into_iter().map(read).collect();
        rows.map_err(|error| plain(&error))
    }

    /// Runs such a statement; how many rows it changed.
    pub(super) fn tell(
        &mut self,
        statement: &Statement,
        args: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, String> {
        let done = self.runtime.block_on(self.client.execute(statement, args));
        done.map_err(|error| plain(&error))
    }

    /// Has the connection ended while nobody used it?
    pub(super) fn has_ended(&mut self) -> bool {
        // What came meanwhile is read first.
        self.runtime.block_on(async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
        self.client.is_closed()
    }

    /// Starts a transaction; the answer is read later.
    pub(super) fn begin(&mut self, how: &'static str) {
        self.sent.clear();
        self.trouble = None;
        self.wrote = false;
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.send(how);
    }

    /// Sends a statement of the transaction's frame; the answer is read later.
    pub(super) fn send(&mut self, sql: &'static str) {
        let client = Arc::clone(&self.client);
        let answer = async move { client.batch_execute(sql).await.map(|()| 0) };
        self.post(sql, Box::pin(answer));
    }

    /// Reads all answers that are still to come; `false` if anything of the transaction failed.
    pub(super) fn settled(&mut self) -> bool {
        let failed = self.runtime.block_on(drain(&mut self.sent));
        self.remember(failed);
        self.trouble.is_none()
    }

    /// What failed first, if anything did.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// Forgets what failed, after the transaction went back to before it.
    pub(super) fn forgive(&mut self) -> Option<Trouble> {
        self.trouble.take()
    }

    /// Was anything changed since the last call?
    pub(super) fn wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    /// Waits: other transactions finish meanwhile.
    pub(super) fn pause(&self, wait: Duration) {
        self.runtime
            .block_on(async { tokio::time::sleep(wait).await });
    }

    fn remember(&mut self, failed: Option<(&'static str, Error)>) {
        if let Some((sql, error)) = failed
            && self.trouble.is_none()
        {
            self.trouble = Some(Trouble {
                class: errors::class(&error),
                fault: Fault::of_statement(&plain(&error), sql),
                certain: sql != COMMIT && errors::is_the_servers(&error),
            });
        }
    }

    /// Puts a statement on its way without waiting. Polled once it is handed to the connection,
    /// and everything handed over is sent in order.
    fn post(&mut self, sql: &'static str, mut answer: Answer) {
        let answer = match answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Pending => answer,
            Poll::Ready(result) => Box::pin(std::future::ready(result)),
        };
        self.sent.push_back((sql, answer));
    }

    /// A statement that takes so many arguments.
    fn prepared(&mut self, sql: &'static str, args: usize) -> Result<Known, Fault> {
        let known = self.known(sql)?;
        let needed = known.0.params().len();
        if needed == args {
            return Ok(known);
        }
        // The server never sees it, so the transaction is sound; its closure is not.
        let message = format!("{needed} arguments needed, {args} given");
        Err(Fault::of_statement(&message, sql))
    }

    fn known(&mut self, sql: &'static str) -> Result<Known, Fault> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let ours = text::statement(sql);
        let client = Arc::clone(&self.client);
        let statement = self.answered(sql, prepare(&client, &ours))?;
        let known = (statement, text::certain(sql));
        self.statements.insert(sql, known.clone());
        Ok(known)
    }

    /// Sends something and waits for its answer. Answers come in order, and an answer that nobody
    /// reads holds up those behind it: so everything sent before is read first, but sent before
    /// that is this one too.
    fn answered<T>(
        &mut self,
        sql: &'static str,
        asked: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Fault> {
        let mut asked = pin!(asked);
        let begun = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let sent = &mut self.sent;
        let (earlier, answer) = self.runtime.block_on(async {
            let earlier = drain(sent).await;
            match begun {
                Poll::Ready(answer) => (earlier, answer),
                Poll::Pending => (earlier, asked.await),
            }
        });
        self.remember(earlier);
        match (answer, &self.trouble) {
            (_, Some(trouble)) => Err(trouble.fault.clone()),
            (Ok(answer), None) => Ok(answer),
            (Err(error), None) => {
                let fault = Fault::of_statement(&plain(&error), sql);
                self.remember(Some((sql, error)));
                Err(fault)
            }
        }
    }
}

impl Sql for Session {
    fn exec(&mut self, sql: &'static str, args: &[Value]) -> Result<u64, Fault> {
        let (statement, certain) = self.prepared(sql, args.len())?;
        self.wrote |= certain != Some(0);
        let client = Arc::clone(&self.client);
        if let Some(count) = certain {
            let args = args.to_vec();
            let answer = async move { client.execute_raw(&statement, &args).await };
            self.post(sql, Box::pin(answer));
            return Ok(count);
        }
        self.answered(sql, client.execute_raw(&statement, args))
    }

    fn query(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, Fault> {
        let (statement, _) = self.prepared(sql, args.len())?;
        self.wrote |= !sql.starts_with("SELECT ");
        let args: Vec<&(dyn ToSql + Sync)> = args.iter().map(|arg| arg as _).collect();
        let client = Arc::clone(&self.client);
        let rows = self.answered(sql, client.query(&statement, &args))?;
        let mut answer = Vec::with_capacity(rows.len());
        for row in rows {
            let columns = (0..row.len()).map(|column| row.try_get(column));
            match columns.collect() {
                Ok(columns) => answer.push(Row::new(columns)),
                Err(error) => return Err(Fault::of_statement(&plain(&error), sql)),
            }
        }
        Ok(answer)
    }
}

/// Reads the answers of what was sent; the first failure. What follows a failure failed because of
/// it.
async fn drain(sent: &mut VecDeque<(&'static str, Answer)>) -> Option<(&'static str, Error)> {
    let mut first = None;
    while let Some((sql, answer)) = sent.pop_front() {
        if let Err(error) = answer.await
            && first.is_none()
        {
            first = Some((sql, error));
        }
    }
    first
}

/// Prepares a statement. PostgreSQL takes `?1 - 1` for a small integer; all of ours are large.
async fn prepare(client: &Client, sql: &str) -> Result<Statement, Error> {
    let statement = client.prepare(sql).await?;
    if !statement.params().contains(&Type::INT4) {
        return Ok(statement);
    }
    let large = |ty: &Type| {
        if *ty == Type::INT4 {
            Type::INT8
        } else {
            ty.clone()
        }
    };
    let types: Vec<Type> = statement.params().iter().map(large).collect();
    client.prepare_typed(sql, &types).await
}

/// Connects to the first host that will do and starts reading from it.
async fn connect(settings: &Settings) -> Result<Client, Error> {
    // The connection ends by itself when the client is dropped; how it ended is seen by whoever
    // uses the client next.
    if let Some(tls) = &settings.tls {
        let tls = MakeRustlsConnect::new(tls.as_ref().clone());
        let (client, connection) = settings.config.connect(tls).await?;
        tokio::spawn(connection);
        Ok(client)
    } else {
        let (client, connection) = settings.config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}
