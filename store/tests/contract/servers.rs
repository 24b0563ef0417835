//! What only a server can do: lose connections, stop, refuse, be old. Beside the suite, because the
//! embedded database has no such thing.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::Refusal;
use store::tables::{ledger, records};
use store::{Failure, OpenError, Options, Store, Tx};

use crate::cluster::{self, Cluster, Schema};
use crate::lab::{Lab, at};

pub fn put(tx: &mut Tx<'_>, id: &str) -> Result<(), Failure> {
    Ok(records::put(tx, "kind", id, "{}", at(0, "").now)?)
}

pub fn count(lab: &Lab, store: &Store) -> usize {
    let all = store.read("all", |tx| {
        Ok(records::starting_with(tx, "kind", "", 100_000)?)
    });
    lab.wait(all).unwrap().len()
}

/// Ends every connection that works in a schema, as an administrator or a fail-over does.
const END_ALL: &str = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
    WHERE application_name = 'florin' AND pid <> pg_backend_pid()";

/// A server and a database of one case alone: its connections can be ended without harm to others.
pub fn alone() -> Option<(Cluster, Lab)> {
    let cluster = cluster::private()?;
    let lab = Lab::postgres_at(&cluster.url);
    Some((cluster, lab))
}

#[test]
fn an_ended_connection_is_replaced_unnoticed() {
    let Some((cluster, lab)) = alone() else {
        return;
    };
    for round in 0..5 {
        lab.write(move |tx| put(tx, &format!("{round}"))).unwrap();
        assert!(!cluster::run(&cluster.url, END_ALL).unwrap().is_empty());
        let id = format!("{round}");
        let found = lab.read(move |tx| Ok(records::get(tx, "kind", &id)?));
        assert_eq!(found.unwrap().as_deref(), Some("{}"));
    }
}

#[test]
fn connections_ended_under_load_lose_nothing_that_was_answered() {
    let Some((cluster, lab)) = alone() else {
        return;
    };
    let mut kept = Vec::new();
    for round in 0..10 {
        let writes: Vec<_> = (0..100)
            .map(|number| {
                let id = format!("{round}/{number}");
                lab.store
                    .write("many", move |tx| put(tx, &id).map(|()| id.clone()))
            })
            .collect();
        cluster::run(&cluster.url, END_ALL).unwrap();
        lab.wait(async {
            for write in writes {
                match write.await {
                    Ok(id) => kept.push(id),
                    Err(Failure::Fault(_) | Failure::Refused(Refusal::Unavailable(_))) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
    }
    assert!(kept.len() > 500, "hardly any was kept: {}", kept.len());
    for id in kept {
        let of = id.clone();
        let found = lab
            .read(move |tx| Ok(records::get(tx, "kind", &of)?))
            .unwrap();
        assert!(found.is_some(), "{id} is lost");
    }
}

#[test]
fn a_stopped_server_is_answered_at_once_and_found_again() {
    let Some((cluster, lab)) = alone() else {
        return;
    };
    lab.write(|tx| put(tx, "before")).unwrap();
    cluster.order("stop");
    let mut refused = false;
    for _ in 0..20 {
        match lab.write(|tx| put(tx, "meanwhile")) {
            Err(Failure::Refused(Refusal::Unavailable(_))) => refused = true,
            Err(Failure::Fault(_)) => {}
            other => panic!("{other:?}"),
        }
        let reading = lab.read(|tx| Ok(records::get(tx, "kind", "before")?));
        assert!(reading.is_err());
    }
    assert!(
        refused,
        "once all connections are known to be gone, nobody waits for them"
    );
    cluster.order("start");
    let mut tries = 0;
    while lab.write(|tx| put(tx, "after")).is_err() {
        tries += 1;
        assert!(tries < 5_000_000, "it was not found again");
    }
    assert_eq!(count(&lab, &lab.store), 2);
}

#[test]
fn each_writing_connection_has_a_lane_of_its_own() {
    let Some(lab) = Lab::postgres() else { return };
    let others: Vec<Store> = (0..3).map(|_| lab.place.open().unwrap()).collect();
    let stores = || others.iter().chain([&lab.store]);
    let lanes: Vec<i64> = lab.wait(async {
        let mut lanes = Vec::new();
        // Enough at once to reach every connection of every store.
        let asked: Vec<_> = (0..100)
            .flat_map(|_| stores().map(|store| store.write("lane", |tx| Ok((tx.lane(), pid(tx)?)))))
            .collect();
        for lane in asked {
            lanes.push(lane.await.unwrap());
        }
        lanes.sort_unstable();
        lanes.dedup();
        assert!(lanes.len() >= 4, "{lanes:?}");
        lanes.iter().map(|(lane, _)| *lane).collect()
    });
    let mut once = lanes.clone();
    once.dedup();
    assert_eq!(lanes, once, "two connections share a lane");
    others.into_iter().for_each(Store::close);
    // What a closed store had is taken again.
    let again = lab.place.open().unwrap();
    let lane = lab.wait(again.write("lane", |tx| Ok(tx.lane()))).unwrap();
    assert!((1..4).contains(&lane), "{lane}");
    assert!(lab.read(|tx| Ok(ledger::lanes(tx)?)).unwrap().is_empty());
}

fn pid(tx: &mut Tx<'_>) -> Result<i64, Failure> {
    let row = tx.one("SELECT CAST(pg_backend_pid() AS BIGINT)", &[])?;
    Ok(row.unwrap().int(0)?)
}

#[test]
fn many_nodes_may_start_on_an_empty_database_at_once() {
    let Some(schema) = Schema::new() else { return };
    let stores: Vec<_> = std::thread::scope(|scope| {
        let open = || Store::open_url(&schema.url, Options::TEST);
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(stores.iter().all(Result::is_ok), "{stores:?}");
    let versions = "SELECT count(*)::text FROM schema_versions";
    let known = store::MIGRATIONS.len().to_string();
    assert_eq!(cluster::run(&schema.url, versions).unwrap(), [known]);
}

/// What a later version may do to the schema: only add.
const LATER: &str = "ALTER TABLE bills ADD COLUMN later TEXT; \
    ALTER TABLE records ADD COLUMN later BIGINT NOT NULL DEFAULT 0; \
    CREATE INDEX records_later ON records (later); \
    CREATE TABLE later (id TEXT NOT NULL PRIMARY KEY); \
    INSERT INTO schema_versions (version, name, fingerprint) VALUES (9999, 'later', 'f')";

#[test]
fn a_node_works_on_beside_one_of_the_next_version() {
    let Some((cluster, lab)) = alone() else {
        return;
    };
    let shop = lab.caller("Shop");
    let (mut bills, mut rows) = (0, 0);
    let mut work = || {
        bills += 1;
        let bill = lab.bill(&shop, bills);
        let id = bill.head.id.clone();
        let found = lab.read(move |tx| Ok(store::tables::bills::by_id(tx, &id)?));
        assert_eq!(found.unwrap(), Some(bill));
        for _ in 0..20 {
            rows += 1;
            let row = rows.to_string();
            lab.write(move |tx| put(tx, &row)).unwrap();
        }
        assert_eq!(count(&lab, &lab.store), rows);
    };
    work();
    // Under load, and with plans that were made before.
    std::thread::scope(|scope| {
        let changed = scope.spawn(|| lab.place.run(LATER));
        work();
        changed.join().unwrap();
    });
    work();
    // A new connection too.
    cluster.order("end");
    work();
    // Only a node of this version that starts now is refused.
    let error = lab.place.open().unwrap_err().to_string();
    assert!(error.contains("newer"), "{error}");
}

#[test]
fn a_conflict_that_does_not_pass_is_told_to_come_back() {
    let Some(lab) = Lab::postgres_once() else {
        return;
    };
    lab.write(|tx| put(tx, "fought over")).unwrap();
    let url = lab.place.url().unwrap().to_owned();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let fought = lab.write(move |tx| {
        records::get(tx, "kind", "fought over")?;
        counted.fetch_add(1, Ordering::SeqCst);
        // Somebody else is faster, each time.
        let faster = "UPDATE records SET body = '[]' WHERE id = 'fought over'";
        cluster::run(&url, faster).unwrap();
        put(tx, "fought over")
    });
    let refused = Err(Failure::Refused(Refusal::Unavailable(store::BUSY_RETRY)));
    assert_eq!(fought, refused);
    let runs = runs.load(Ordering::SeqCst);
    assert!((8..30).contains(&runs), "{runs}");
    // It left nothing, and the next one has its turn.
    let found = lab.read(|tx| Ok(records::get(tx, "kind", "fought over")?));
    assert_eq!(found.unwrap().as_deref(), Some("[]"));
    lab.write(|tx| put(tx, "next")).unwrap();
}

#[test]
fn a_full_disk_is_a_fault_that_says_so_and_passes() {
    let Some(lab) = Lab::postgres() else { return };
    lab.write(|tx| put(tx, "before")).unwrap();
    lab.place.run(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$; \
         CREATE TRIGGER full_disk BEFORE INSERT ON records EXECUTE FUNCTION full_disk()",
    );
    let full = lab.write(|tx| put(tx, "full"));
    let Err(Failure::Fault(fault)) = full else {
        panic!("{full:?}")
    };
    assert!(fault.0.contains("disk of the database is full"), "{fault}");
    lab.place.run("DROP TRIGGER full_disk ON records");
    lab.write(|tx| put(tx, "after")).unwrap();
    assert_eq!(count(&lab, &lab.store), 2);
}

#[test]
fn a_wrong_password_is_one_clear_line() {
    let Some(cluster) = cluster::private() else {
        return;
    };
    let sql = "CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'right'";
    cluster::run(&cluster.url, sql).unwrap();
    let open = |user: &str| {
        let url = cluster.url.replace("//florin@", &format!("//{user}@"));
        Store::open_url(&url, Options::TEST)
    };
    for (user, said) in [("locked:wrong", "is wrong"), ("locked", "needs a password")] {
        let error = open(user).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, OpenError::Database(..)));
        assert!(text.contains(said) && text.contains("PGPASSWORD"), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
    let from_environment = Options {
        environment: |name| (name == "PGPASSWORD").then(|| "right".to_owned()),
        ..Options::TEST
    };
    let url = cluster.url.replace("//florin@", "//locked@");
    Store::open_url(&url, from_environment).unwrap().close();
    open("locked:right").unwrap().close();
}

#[test]
fn what_is_not_there_or_not_permitted_is_one_clear_line() {
    let Some(cluster) = cluster::private() else {
        return;
    };
    let schema = Schema::at(&cluster.url);
    let clear = |error: OpenError, said: &str| {
        let text = error.to_string();
        assert!(text.contains(said), "{text}");
        assert!(!text.contains('\n') && !text.contains("SELECT"), "{text}");
    };
    // A database without tables has nothing to look at.
    let empty = Store::open_url_read_only(&schema.url, Options::TEST);
    clear(empty.unwrap_err(), "start the gateway on it");
    cluster::run(&cluster.url, "CREATE ROLE guest LOGIN").unwrap();
    let guest = schema.url.replace("//florin@", "//guest@");
    let shut = Store::open_url(&guest, Options::TEST);
    clear(shut.unwrap_err(), "GRANT USAGE");
}

/// Answers like a server of a version: lets everybody in and says only how old it is.
fn pretend(listener: &UnixListener, version: &str) {
    let message = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind][..], &length.to_be_bytes(), body].concat()
    };
    let row = |columns: &[&str]| {
        let mut body = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
        for column in columns {
            body.extend(u32::try_from(column.len()).unwrap().to_be_bytes());
            body.extend(column.as_bytes());
        }
        message(b'D', &body)
    };
    let ready = message(b'Z', b"I");
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = [0; 4096];
    let _ = stream.read(&mut bytes).unwrap();
    let welcome = [message(b'R', &[0; 4]), ready.clone()].concat();
    stream.write_all(&welcome).unwrap();
    let _ = stream.read(&mut bytes).unwrap();
    let column = |name: &str| {
        let mut body = name.as_bytes().to_vec();
        body.extend([0; 7]);
        body.extend([0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]);
        body
    };
    let columns: Vec<u8> = ["a", "b", "c", "d"]
        .iter()
        .flat_map(|name| column(name))
        .collect();
    let described = message(b'T', &[&[0, 4][..], &columns].concat());
    let done = message(b'C', b"SELECT 1\0");
    let answer = row(&[version, "UTF8", "off", "2200"]);
    stream
        .write_all(&[described, answer, done, ready].concat())
        .unwrap();
    let _ = stream.read(&mut bytes);
}

#[test]
fn too_old_a_server_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
    let server = std::thread::spawn(move || pretend(&listener, "140011"));
    let url = format!("postgres://u@/d?host={}", folder.path().display());
    let error = Store::open_url(&url, Options::TEST)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("version 14") && error.contains("15 or newer"),
        "{error}"
    );
    server.join().unwrap();
}
