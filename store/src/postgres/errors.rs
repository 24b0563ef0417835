//! What PostgreSQL's errors mean for a transaction, and how they are worded: one line, without
//! values, for the log and the operator.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// What follows from a failed statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Two transactions were in each other's way: run again, it will pass.
    Conflict,
    /// A row is there already. Under concurrency it may have come after the transaction looked,
    /// so it is worth another run; if it stays, it is a fault.
    Duplicate,
    /// The connection is gone or leads to a server that does not take writes any more.
    Lost,
    /// Anything else: the statement itself, or a full disk.
    Other,
}

/// The class of an error.
pub(super) fn class(error: &Error) -> Class {
    let Some(code) = error.code() else {
        // No answer of the server: the connection broke, unless our own value did not fit.
        let ours = format!("{error:?}").contains("kind: ToSql");
        return if ours { Class::Other } else { Class::Lost };
    };
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE => Class::Conflict,
        SqlState::UNIQUE_VIOLATION => Class::Duplicate,
        SqlState::READ_ONLY_SQL_TRANSACTION
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Class::Lost,
        _ if code.code().starts_with("08") => Class::Lost,
        _ => Class::Other,
    }
}

/// Did the server itself answer so? Whoever stands between (a pool) only knows that it is gone.
pub(super) fn is_the_servers(error: &Error) -> bool {
    error
        .code()
        .is_some_and(|code| !code.code().starts_with("08"))
}

/// The message of an error in one line. Details are left out: they quote values.
pub(super) fn plain(error: &Error) -> String {
    let Some(answer) = error.as_db_error() else {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            let more = inner.to_string();
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            cause = inner.source();
        }
        return text.replace('\n', " ");
    };
    let full = if *answer.code() == SqlState::DISK_FULL {
        "the disk of the database is full: "
    } else {
        ""
    };
    let (message, code) = (answer.message().replace('\n', " "), answer.code().code());
    format!("{full}{message} (PostgreSQL code {code})")
}

/// Why a connection could not be had, with what would help.
pub(super) fn connecting(error: &Error, user: &str, database: &str) -> String {
    match error.code() {
        Some(code) if *code == SqlState::INVALID_PASSWORD => {
            format!("the password of {user} is wrong: give it as PGPASSWORD or in ~/.pgpass")
        }
        Some(code) if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            format!("{user} is not let in: {}", plain(error))
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => {
            format!("there is no database {database:?}: make it first (createdb {database})")
        }
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => {
            format!(
                "it has no connection left for us (max_connections): {}",
                plain(error)
            )
        }
        _ => {
            let text = plain(error);
            if text.contains("password missing") {
                return format!("{user} needs a password: give it as PGPASSWORD or in ~/.pgpass");
            }
            if text.contains("does not allow writes") {
                return READ_ONLY.to_owned();
            }
            text
        }
    }
}

/// Said of a server that takes no writes.
pub(super) const READ_ONLY: &str = "it takes no writes (a standby, or \
     default_transaction_read_only): name the primary, or all hosts with \
     target_session_attrs=read-write";

/// Said of a standby that data is to be moved from.
pub(super) const STANDBY: &str = "it is a standby, where it cannot be seen whether a gateway is \
     working on it: name the primary";

/// What the message of an error contains if a lock was not to be had in time.
pub(super) const LOCK_TIMEOUT: &str = "code 55P03";
