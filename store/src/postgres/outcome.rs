//! What became of a transaction whose commit was sent and not answered.
//!
//! Each group of writes asks for its transaction's number and for the place in the server's log
//! just before its commit, without waiting; both are here by the time the commit waits for a disk
//! or a standby. A new connection then asks for the status of that number, which the server knows
//! for any transaction that is not ancient.
//!
//! A number is given again by a server that never heard of it: one that crashed before it wrote
//! its log down, or a standby that the log did not reach before it was promoted. So if the server
//! has recovered since, where its recovery ended is compared with the place: a log that ends
//! before the place does not have the commit either, and one that reaches it has the number.
//! Whatever does not fit (two recoveries, a server that does not know these functions, a status
//! that stays open) is not guessed at: then the outcome is unknown.

use std::time::Duration;

use super::session::Session;

/// Where the session's history is: the log's timeline, and where the last recovery of the server
/// ended, if it began with one.
const HISTORY: &str = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), \
    COALESCE((pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::text, '')";

/// The number of the transaction, if it has changed anything, and a place behind its changes.
pub(super) const MARK: &str = "SELECT pg_current_xact_id_if_assigned()::text, \
    (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text";

/// A commit of its own: it waits for everything that is before it in the log, as the lost one did.
const SYNC: &str = "SELECT pg_logical_emit_message(true, 'florin', '')";

/// How often a transaction that has not ended yet is asked for, and with which pauses.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// In which life of a server a session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct History {
    timeline: u32,
    recovered: Option<u64>,
}

/// A transaction just before its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Nothing was changed without one.
    pub number: Option<u64>,
    pub place: u64,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Committed,
    Undone,
    Unknown,
}

impl Outcome {
    /// As it is counted.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Undone => "undone",
            Self::Unknown => "unknown",
        }
    }
}

/// The present history; nothing on a server that does not tell it.
pub(super) fn history(session: &mut Session) -> Option<History> {
    let rows = session.rows(HISTORY).ok()?;
    let [timeline, recovered] = rows.first()?.as_slice() else {
        return None;
    };
    Some(History {
        timeline: u32::from_str_radix(timeline, 16).ok()?,
        recovered: match recovered.as_str() {
            "" => None,
            place => Some(place.parse().ok()?),
        },
    })
}

/// Asks over a new connection.
pub(super) fn of(session: &mut Session, mark: &Mark, before: History) -> Outcome {
    let Some(number) = mark.number else {
        return Outcome::Undone;
    };
    let now = history(session);
    if let Some(decided) = now.map_or(Some(Outcome::Unknown), |now| judge(before, now, mark.place))
    {
        return decided;
    }
    for _ in 0..TRIES {
        let rows = session.rows(&format!("SELECT pg_xact_status('{number}'::xid8)"));
        let rows = rows.unwrap_or_default();
        match rows.first().and_then(|row| row.first()).map(String::as_str) {
            Some("committed") if session.rows(SYNC).is_ok() => return Outcome::Committed,
            Some("aborted") => return Outcome::Undone,
            Some("in progress") => session.pause(PAUSE),
            _ => return Outcome::Unknown,
        }
    }
    Outcome::Unknown
}

/// What the histories alone decide; nothing if the transaction's number means the same in both.
fn judge(before: History, now: History, place: u64) -> Option<Outcome> {
    if now == before {
        return None;
    }
    match now.recovered {
        // It was stopped in order, and so has written everything down.
        None if now.timeline == before.timeline => None,
        None => Some(Outcome::Unknown),
        // More than one promotion lies between.
        Some(_) if now.timeline.saturating_sub(before.timeline) > 1 => Some(Outcome::Unknown),
        Some(_) if now.timeline < before.timeline => Some(Outcome::Unknown),
        Some(end) if end < place => Some(Outcome::Undone),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_only_in_a_history_that_has_it() {
        let at = |timeline, recovered| History {
            timeline,
            recovered,
        };
        let place = 1_000;
        for (before, now, decided) in [
            // The same life.
            (at(1, None), at(1, None), None),
            (at(2, Some(500)), at(2, Some(500)), None),
            // Stopped in order and started again.
            (at(2, Some(500)), at(2, None), None),
            // Crashed, with and without the place in its log.
            (at(1, None), at(1, Some(1_200)), None),
            (at(1, None), at(1, Some(900)), Some(Outcome::Undone)),
            // A standby that had it, and one that had not.
            (at(1, None), at(2, Some(1_000)), None),
            (at(1, None), at(2, Some(999)), Some(Outcome::Undone)),
            // Not to be known.
            (at(1, None), at(2, None), Some(Outcome::Unknown)),
            (at(1, None), at(3, Some(1_200)), Some(Outcome::Unknown)),
            (at(3, None), at(2, Some(1_200)), Some(Outcome::Unknown)),
        ] {
            assert_eq!(judge(before, now, place), decided, "{before:?} {now:?}");
        }
    }
}
