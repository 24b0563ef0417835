//! The schema on PostgreSQL, and which ledger chain a connection may append to.
//!
//! Both use advisory locks, so that any number of processes may start at once. The names of the
//! locks carry the schema, so that several Florins may share a database.

use super::errors;
use super::session::Session;
use crate::migrate::{self, Migration, SchemaError};
use crate::moving;

/// The lock under which the schema is changed.
const MIGRATING: i32 = 0x0046_4c4d;

/// What the locks of lanes begin with; the number of the lane is the other half.
const LANES: i32 = 0x0046_4c4c;

/// The lock that every writing connection holds together with the others, and whoever moves the
/// data alone.
const WORKING: i32 = 0x0046_4c57;

/// Connections that may write at once, of all nodes together.
const LANES_MAX: i32 = 10_000;

/// Why the schema cannot be used.
pub(super) enum Refused {
    /// It is newer or foreign.
    Schema(SchemaError),
    /// A statement failed.
    Failed(String),
}

impl From<String> for Refused {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

/// Brings the schema up to date. One process does, the others wait for it. Refuses a database that
/// a move has brought only some of the rows to.
pub(super) fn migrate(session: &mut Session) -> Result<(), Refused> {
    refuse_unfinished(session)?;
    bring_up_to_date(session)
}

/// The same for the move itself.
pub(super) fn bring_up_to_date(session: &mut Session) -> Result<(), Refused> {
    let lock = lock(session, MIGRATING);
    session.rows("BEGIN; SET LOCAL lock_timeout = '60s'")?;
    let done = apply(session, lock);
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session.rows(end);
    done?;
    ended?;
    Ok(())
}

fn apply(session: &mut Session, lock: i64) -> Result<(), Refused> {
    session.rows(&format!("SELECT pg_advisory_xact_lock({lock})"))?;
    session.rows(
        "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT NOT NULL PRIMARY KEY, \
         name TEXT NOT NULL, fingerprint TEXT NOT NULL)",
    )?;
    let missing = migrate::missing(&applied(session)?).map_err(Refused::Schema)?;
    for migration in missing {
        session.rows(&for_postgres(migration))?;
        // Numbers and names are ours, a fingerprint is hexadecimal: nothing to escape.
        let (version, name) = (migration.version, migration.name);
        let fingerprint = migration.fingerprint();
        session.rows(&format!(
            "INSERT INTO schema_versions (version, name, fingerprint) \
             VALUES ({version}, '{name}', '{fingerprint}')"
        ))?;
    }
    Ok(())
}

/// Fails unless the schema is the one of this binary.
pub(super) fn check(session: &mut Session) -> Result<(), Refused> {
    if !truth(&session.rows("SELECT to_regclass('schema_versions') IS NOT NULL")?) {
        let empty = "it has no tables of florin yet: start the gateway on it once first";
        return Err(Refused::Failed(empty.to_owned()));
    }
    let missing = migrate::missing(&applied(session)?).map_err(Refused::Schema)?;
    if missing.is_empty() {
        return refuse_unfinished(session);
    }
    let older = "its schema is older than this florin: start the gateway once first";
    Err(Refused::Failed(older.to_owned()))
}

fn refuse_unfinished(session: &mut Session) -> Result<(), Refused> {
    let marks = moving::MARKS;
    let found = session.rows(&format!("SELECT to_regclass('{marks}') IS NOT NULL"))?;
    match truth(&found) {
        true => Err(Refused::Failed(moving::UNFINISHED.to_owned())),
        false => Ok(()),
    }
}

/// Which migrations the database has, with their fingerprints.
fn applied(session: &mut Session) -> Result<Vec<(i64, String)>, String> {
    let rows = session.rows("SELECT version, fingerprint FROM schema_versions ORDER BY version")?;
    let read = |row: &Vec<String>| Some((row.first()?.parse().ok()?, row.get(1)?.clone()));
    rows.iter()
        .map(|row| read(row).ok_or_else(|| "schema_versions has a row of no sense".to_owned()))
        .collect()
}

/// A migration's statements for PostgreSQL. Texts are ordered by their bytes, as SQLite does.
///
/// Foreign keys are left out. Under serializable isolation each check of one reads the newest page
/// of its parent's index, where every other transaction writes, and so conflicts with all of them:
/// measured, half of the rate with two writing connections and four fifths with four. What a key
/// would refuse is a defect of Florin, and the same code runs on SQLite, which has them all: rows
/// are never removed from a parent, and a child is written in the transaction that read or wrote
/// its parent.
fn for_postgres(migration: &Migration) -> String {
    translated(migration.sql)
}

fn translated(text: &str) -> String {
    let mut sql = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once(" REFERENCES ") {
        sql.push_str(before);
        // The parent's name and its column in brackets are one reference.
        rest = reference.split_once(')').map_or("", |(_, after)| after);
    }
    sql.push_str(rest);
    sql.replace(" TEXT", " TEXT COLLATE \"C\"")
}

/// Takes the first ledger lane that nobody writes, for as long as this connection lives: the
/// server lets go of it when the connection ends, and not before its last transaction has.
pub(super) fn claim_lane(session: &mut Session) -> Result<i64, String> {
    let working = lock(session, WORKING);
    let rows = session.rows(&format!("SELECT pg_try_advisory_lock_shared({working})"))?;
    if !truth(&rows) {
        return Err("florin store move is reading or filling it: wait for its end".to_owned());
    }
    let class = LANES ^ session.schema();
    for lane in 0..LANES_MAX {
        let rows = session.rows(&format!("SELECT pg_try_advisory_lock({class}, {lane})"))?;
        if truth(&rows) {
            return Ok(i64::from(lane));
        }
    }
    Err(format!("all {LANES_MAX} ledger lanes are taken"))
}

/// Does another connection hold its part of that lock? Asked inside a transaction, the answer is
/// younger than what the transaction sees: whoever comes later has changed nothing of that.
pub(super) fn others_write(session: &mut Session) -> Result<bool, String> {
    let schema = u32::from_ne_bytes(session.schema().to_ne_bytes());
    let rows = session.rows(&format!(
        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND classid = {WORKING} AND objid = {schema} AND objsubid = 1 \
         AND pid <> pg_backend_pid())"
    ))?;
    Ok(truth(&rows))
}

/// Keeps every writing connection away for as long as this one lives; `false` if there is one.
/// One that has just ended is waited for: the server lets go of its locks a moment later.
pub(super) fn claim_all(session: &mut Session) -> Result<bool, String> {
    let working = lock(session, WORKING);
    let claim = format!("SET lock_timeout = '3s'; SELECT pg_advisory_lock({working})");
    let claimed = session.rows(&claim);
    session.rows("SET lock_timeout = '10s'")?;
    match claimed {
        Ok(_) => Ok(true),
        Err(why) if why.contains(errors::LOCK_TIMEOUT) => Ok(false),
        Err(why) => Err(why),
    }
}

/// Is the only value of an answer true?
fn truth(rows: &[Vec<String>]) -> bool {
    rows.first().and_then(|row| row.first()).map(String::as_str) == Some("t")
}

/// The key of a lock of this schema, in the space of single numbers.
fn lock(session: &Session, name: i32) -> i64 {
    (i64::from(name) << 32) | i64::from(u32::from_ne_bytes(session.schema().to_ne_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;

    #[test]
    fn a_reference_is_left_out_and_nothing_else() {
        for (ours, theirs) in [
            (
                "a TEXT NOT NULL REFERENCES b (id),",
                "a TEXT COLLATE \"C\" NOT NULL,",
            ),
            ("a TEXT REFERENCES b (id)\n);", "a TEXT COLLATE \"C\"\n);"),
            (
                "ADD COLUMN a TEXT REFERENCES b (id);",
                "ADD COLUMN a TEXT COLLATE \"C\";",
            ),
            ("n BIGINT CHECK (n > 0),", "n BIGINT CHECK (n > 0),"),
        ] {
            assert_eq!(translated(ours), theirs);
        }
        for migration in MIGRATIONS {
            let sql = for_postgres(migration);
            assert!(!sql.contains("REFERENCES"), "{}", migration.name);
            assert_eq!(sql.lines().count(), migration.sql.lines().count());
            for word in [
                "CREATE TABLE",
                "CHECK (",
                "PRIMARY KEY",
                "NOT NULL",
                " INDEX ",
            ] {
                let count = |text: &str| text.matches(word).count();
                assert_eq!(count(&sql), count(migration.sql), "{}", migration.name);
            }
        }
    }
}
