//! What callers are told when the connection is lost with a commit on its way: the truth, or that
//! it is not known.

use std::ops::ControlFlow;

use domain::Refusal;
use store::moving::{self, Place};
use store::tables::records;
use store::{Failure, Options, Store};

use crate::cluster::{self, Cluster};
use crate::lab::{self, Lab};
use crate::servers::{alone, count, put};

/// Backends whose commit waits for a standby.
const WAITING: &str = "SELECT pid::text FROM pg_stat_activity \
    WHERE application_name = 'florin' AND wait_event = 'SyncRep'";

/// Has the standby everything that the primary has written?
const FOLLOWS: &str = "SELECT 'yes' FROM pg_stat_replication \
    WHERE flush_lsn >= pg_current_wal_flush_lsn()";

/// Asks until there is an answer.
fn until(url: &str, sql: &str) {
    let mut tries = 0;
    while cluster::run(url, sql).unwrap().is_empty() {
        tries += 1;
        assert!(tries < 10_000, "never true: {sql}");
    }
}

/// What a caller is told of a write of which `meanwhile` happens while its commit waits.
fn told(
    lab: &Lab,
    server: &str,
    id: &'static str,
    meanwhile: impl FnOnce(),
) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let written = scope.spawn(move || lab.write(move |tx| put(tx, id)));
        until(server, WAITING);
        meanwhile();
        written.join().unwrap()
    })
}

#[test]
fn a_commit_whose_connection_was_ended_while_it_waited_is_done() {
    let Some((cluster, lab)) = alone() else {
        return;
    };
    for id in ["1", "2", "3"] {
        cluster.order("hang");
        let done = told(&lab, &cluster.url, id, || {
            cluster.order("end");
            cluster.order("release");
        });
        assert_eq!(done, Ok(()));
    }
    assert_eq!(count(&lab, &lab.store), 3);
}

/// A server with a standby, and a store that finds whichever takes writes.
fn with_standby() -> Option<(Cluster, Lab)> {
    let cluster = cluster::private()?;
    cluster.order("standby");
    let lab = Lab::postgres_at(&cluster.both());
    Some((cluster, lab))
}

#[test]
fn a_commit_that_the_promoted_standby_has_is_done() {
    let Some((cluster, lab)) = with_standby() else {
        return;
    };
    cluster.order("hang");
    let done = told(&lab, &cluster.url, "kept", || {
        until(&cluster.url, FOLLOWS);
        cluster.order("kill");
        cluster.order("promote");
    });
    assert_eq!(done, Ok(()));
    assert_eq!(count(&lab, &lab.store), 1);
}

#[test]
fn a_commit_that_the_promoted_standby_has_not_is_run_again() {
    let Some((cluster, lab)) = with_standby() else {
        return;
    };
    lab.write(|tx| put(tx, "before")).unwrap();
    cluster.order("deaf");
    let done = told(&lab, &cluster.url, "again", || {
        cluster.order("kill");
        cluster.order("promote");
    });
    assert_eq!(done, Ok(()));
    let found = lab.read(|tx| Ok(records::get(tx, "kind", "again")?));
    assert_eq!(found.unwrap().as_deref(), Some("{}"));
    assert_eq!(count(&lab, &lab.store), 2);
}

#[test]
fn a_commit_that_nobody_can_be_asked_about_is_said_to_be_unknown() {
    let Some((cluster, lab)) = alone() else {
        return;
    };
    cluster.order("hang");
    let mut meanwhile = Vec::new();
    let told = told(&lab, &cluster.url, "who knows", || {
        cluster.order("kill");
        // Whoever comes now is told at once, and truly, that nothing was changed.
        while meanwhile.len() < 20 {
            let other = lab.store.write("other", |tx| put(tx, "other"));
            meanwhile.push(lab::block_on(other));
        }
    });
    let Err(Failure::Unknown(fault)) = told else {
        panic!("{told:?}")
    };
    assert!(fault.0.contains("outcome is unknown"), "{fault}");
    let refused = |told: &&Result<(), Failure>| {
        matches!(told, Err(Failure::Refused(Refusal::Unavailable(_))))
    };
    assert!(meanwhile.iter().filter(refused).count() > 0);
    assert!(meanwhile.iter().all(|told| told.is_err()));
    assert!(lab.store.unreachable().unwrap().contains("PostgreSQL"));
    cluster.order("start");
    cluster.order("release");
    let mut tries = 0;
    while lab.write(|tx| put(tx, "after")).is_err() {
        tries += 1;
        assert!(tries < 5_000_000, "it was not found again");
    }
    assert_eq!(lab.store.unreachable(), None);
}

#[test]
fn a_standby_is_no_source_of_a_move() {
    let Some((cluster, lab)) = with_standby() else {
        return;
    };
    let schema = lab.place.url().unwrap();
    let options = schema.split_once("&options=").unwrap().1;
    let standby = format!("{}&options={options}", cluster.standby());
    let folder = tempfile::tempdir().unwrap();
    let to = Place::Sqlite(folder.path().join("new.db"));
    let from = Place::Postgres(standby);
    let go = || {
        let watch = &mut |_: moving::Progress<'_>| ControlFlow::Continue(());
        moving::run(&from, &to, Options::TEST, watch)
            .unwrap_err()
            .to_string()
    };
    // A gateway works on the primary, or none does: the standby cannot tell.
    for _ in 0..2 {
        let error = go();
        assert!(error.contains("standby"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let store: &Store = &lab.store;
    assert_eq!(count(&lab, store), 0);
}
