use std::os::unix::fs::PermissionsExt;

use domain::ledger::ChainHash;
use store::tables::{deliveries as outbox, ledger};
use store::{OpenError, Options, Store};

use crate::lab::{Lab, at, sgd};

/// A closed database with rows in it, and what a later process finds.
fn reopened(change: &str) -> Result<(), OpenError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("florin.db");
    Store::open(&path, Options::TEST).unwrap().close();
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(change)
        .unwrap();
    Store::open(&path, Options::TEST).map(Store::close)
}

pub fn a_newer_schema_is_refused(_: &Lab) {
    let error = reopened("INSERT INTO schema_versions VALUES (999, 'later', 'x')").unwrap_err();
    assert!(
        error.to_string().contains("start the newer florin"),
        "{error}"
    );
}

pub fn an_altered_migration_is_refused(_: &Lab) {
    let change = "UPDATE schema_versions SET fingerprint = 'x' WHERE version = 1";
    let error = reopened(change).unwrap_err();
    assert!(error.to_string().contains("another build"), "{error}");
}

pub fn reopening_changes_nothing(lab: &Lab) {
    let shop = lab.caller("Shop");
    lab.bill(&shop, 1);
    let schema = || -> Vec<String> {
        let connection = rusqlite::Connection::open(lab.path()).unwrap();
        let mut statement = connection
            .prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            .unwrap();
        statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    };
    let before = schema();
    assert!(
        before
            .iter()
            .filter(|sql| sql.starts_with("CREATE TABLE"))
            .all(|sql| { sql.ends_with("STRICT") })
    );
    assert!(matches!(
        Store::open(&lab.path(), Options::TEST),
        Err(OpenError::InUse(_))
    ));
    assert_eq!(schema(), before);
    let count = lab.read(move |tx| Ok(store::tables::bills::due(tx, at(0, "").now, 10)?.len()));
    assert_eq!(count, Ok(0));
}

pub fn an_unwritable_place_is_one_clear_line(lab: &Lab) {
    let missing = lab.folder.path().join("no/such/folder/florin.db");
    let error = Store::open(&missing, Options::TEST).unwrap_err();
    assert!(matches!(error, OpenError::File(..)), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
    // A file that is no database at all.
    let junk = lab.folder.path().join("junk.db");
    std::fs::write(
        &junk,
        "this is no database, it is only text of some length".repeat(50),
    )
    .unwrap();
    std::fs::set_permissions(&junk, PermissionsExt::from_mode(0o600)).unwrap();
    let error = Store::open(&junk, Options::TEST).unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
}

/// Rows of the foundation's own outbox, one delivery in each state; `#` stands for zeros.
const OLD_OUTBOX: &str = "
    INSERT INTO events SELECT 'evt_#1', 'bill.paid', merchant, mode, id, NULL, 5 FROM bills;
    INSERT INTO deliveries SELECT 'dlv_#1', 'evt_#1', merchant, mode, 'hitpay', id,
        'http://a.test/x', 'S', 'paid', 'text/plain', 'a=1', 'delivered', 2, 6, NULL, NULL, 5
        FROM bills;
    INSERT INTO deliveries SELECT 'dlv_#2', 'evt_#1', merchant, mode, 'hitpay', id,
        'http://a.test/x', 'S', 'paid', 'text/plain', 'a=2', 'pending', 1, 7, 99, 'held', 6
        FROM bills;
    INSERT INTO deliveries SELECT 'dlv_#3', 'evt_#1', merchant, mode, 'hitpay', id,
        'http://b.test/y', 'T', 'paid', 'text/plain', 'a=3', 'failed', 6, 7, NULL, NULL, 7
        FROM bills;
    INSERT INTO deliveries SELECT 'dlv_#4', 'evt_#1', merchant, mode, 'hitpay', id,
        'http://b.test/y', 'U', 'paid', 'text/plain', 'a=4', 'paused', 0, NULL, NULL, NULL, 8
        FROM bills;
    INSERT INTO delivery_attempts VALUES ('dlv_#1', 1, 6, 30, 500, NULL, '[]', 'a', '[]', 'no');
    INSERT INTO delivery_attempts VALUES ('dlv_#1', 2, 7, 31, 200, NULL, '[]', 'a', '[]', 'ok');";

/// A database as the first migration alone makes it, with the rows of a lab in it.
fn foundation(lab: &Lab, path: &std::path::Path) {
    let sql = include_str!("../../migrations/0001_foundation.sql");
    let connection = rusqlite::Connection::open(path).unwrap();
    let tables = sql
        .replace("BIGINT", "INTEGER")
        .replace("\n);", "\n) STRICT;");
    connection.execute_batch(&tables).unwrap();
    let hash = <sha2::Sha256 as sha2::Digest>::digest(sql.as_bytes());
    let versions = format!(
        "CREATE TABLE schema_versions (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
         fingerprint TEXT NOT NULL) STRICT; \
         INSERT INTO schema_versions VALUES (1, '0001_foundation', '{}'); \
         ATTACH '{}' AS lab;",
        domain::secret::hex(&hash),
        lab.path().display()
    );
    connection.execute_batch(&versions).unwrap();
    let filled = ["merchants", "bills", "payments", "attempts", "transfers"];
    for table in filled {
        let mut columns = connection
            .prepare(&format!(
                "SELECT name FROM main.pragma_table_info('{table}')"
            ))
            .unwrap();
        let names: Vec<String> = columns
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        if !names.is_empty() {
            let names = names.join(", ");
            let copy =
                format!("INSERT INTO main.{table} ({names}) SELECT {names} FROM lab.{table}");
            connection.execute_batch(&copy).unwrap();
        }
    }
    let outbox = OLD_OUTBOX.replace('#', &"0".repeat(31));
    connection.execute_batch(&outbox).unwrap();
}

pub fn a_filled_foundation_becomes_queues_and_loses_nothing(lab: &Lab) {
    let shop = lab.caller("Shop");
    let bill = lab.bill(&shop, 1);
    let (payment, now) = (lab.payment(&bill, 1), at(3, "").now);
    let paid = payment
        .authorize(now)
        .and_then(|d| d.and_then(|p| p.capture(now, sgd(1_050))))
        .unwrap();
    lab.write(move |tx| Ok(ledger::post(tx, &paid.payment, &paid.journal, now)?))
        .unwrap();
    let path = lab.folder.path().join("old.db");
    foundation(lab, &path);
    let store = Store::open(&path, Options::TEST).unwrap();
    let object = bill.head.id.to_string();
    let read = store.read("migrated", move |tx| {
        let deliveries = outbox::about(tx, &object, 10)?;
        let mut tries = Vec::new();
        for delivery in &deliveries {
            tries.push(outbox::attempts(tx, &delivery.new.id)?.len());
        }
        let lines = store::tables::events::about(tx, &object, 10)?;
        let never = domain::Timestamp::from_millis(i64::MIN);
        Ok((
            deliveries,
            tries,
            lines.len(),
            outbox::queues(tx, never, "", 10)?,
        ))
    });
    let (deliveries, tries, events, queues) = lab.wait(read).unwrap();
    let shown: Vec<_> = deliveries
        .iter()
        .map(|d| {
            let (body, why) = (d.new.body.as_str(), d.why.as_deref());
            (
                body,
                d.state.as_str(),
                why,
                d.planned,
                d.next.map(|at| at.millis()),
            )
        })
        .collect();
    let wanted = [
        ("a=1", "delivered", None, 2, None),
        ("a=2", "pending", None, 1, Some(99)),
        ("a=3", "failed", Some(outbox::why::GAVE_UP), 6, None),
        // Nobody could pause an endpoint then; what a fault had put aside goes out.
        ("a=4", "pending", None, 0, Some(8)),
    ];
    assert_eq!(shown, wanted);
    assert_eq!((tries, events), (vec![2, 0, 0, 0], 1));
    let queue = |target: &str| format!("{}/test/{target}", shop.merchant.id);
    let names: Vec<_> = queues.into_iter().map(|(queue, _)| queue).collect();
    assert_eq!(names, [queue("http://a.test/x"), queue("http://b.test/y")]);
    assert!(
        deliveries.iter().all(|delivery| !delivery.leased),
        "nobody holds it now"
    );
    let connection = rusqlite::Connection::open(&path).unwrap();
    let mut check = connection.prepare("PRAGMA foreign_key_check").unwrap();
    assert!(!check.exists([]).unwrap(), "every reference holds");
    let found = lab.wait(store.read("bill", move |tx| {
        Ok(store::tables::bills::by_id(tx, &bill.head.id)?.map(|found| found == bill))
    }));
    assert_eq!(found, Ok(Some(true)));
    let links = lab
        .wait(store.read("links", |tx| Ok(ledger::after(tx, 0, 0, 100)?)))
        .unwrap();
    assert!(links.len() >= 2);
    let mut hash = ChainHash::genesis();
    for link in links {
        assert_eq!(link.entry.hash(&hash), link.hash, "the chain is whole");
        hash = link.hash;
    }
    store.close();
    Store::open(&path, Options::TEST).unwrap().close();
}
