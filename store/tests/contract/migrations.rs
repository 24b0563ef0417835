use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use domain::ledger::ChainHash;
use store::tables::{deliveries as outbox, ledger};
use store::{OpenError, Options, Store};

use crate::lab::{Lab, Place, at, sgd};

/// A closed database with rows in it, and what a later process finds.
fn reopened(lab: &Lab, change: &str) -> Result<(), OpenError> {
    let place = lab.another().close();
    place.run(change);
    place.open().map(Store::close)
}

pub fn a_newer_schema_is_refused(lab: &Lab) {
    let change = "INSERT INTO schema_versions VALUES (999, 'later', 'x')";
    let error = reopened(lab, change).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("start the newer florin"), "{text}");
    assert!(!text.contains('\n'), "{text}");
}

pub fn an_altered_migration_is_refused(lab: &Lab) {
    let change = "UPDATE schema_versions SET fingerprint = 'x' WHERE version = 1";
    let error = reopened(lab, change).unwrap_err();
    assert!(error.to_string().contains("another build"), "{error}");
}

/// Everything the database says about its schema.
fn schema(place: &Place) -> Vec<String> {
    let sql = match place {
        Place::Sqlite(_) => "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL",
        Place::Postgres(..) => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' \
             || COALESCE(collation_name, '-') FROM information_schema.columns \
             WHERE table_schema = current_schema() ORDER BY 1"
        }
    };
    place.run(sql)
}

pub fn reopening_changes_nothing(lab: &Lab) {
    let shop = lab.caller("Shop");
    lab.bill(&shop, 1);
    let before = schema(&lab.place);
    assert!(before.len() > 10);
    for line in &before {
        match lab.place {
            Place::Sqlite(_) => {
                assert!(!line.starts_with("CREATE TABLE") || line.ends_with("STRICT"));
            }
            // Only two types, and every text ordered by its bytes.
            Place::Postgres(..) => assert!(
                line.ends_with(" text C")
                    || line.ends_with(" bigint -")
                    || line.starts_with("schema_versions"),
                "{line}"
            ),
        }
    }
    let second = lab.place.open();
    assert_eq!(second.is_ok(), lab.store.takes_many_nodes());
    assert_eq!(schema(&lab.place), before);
    let count = lab.read(move |tx| Ok(store::tables::bills::due(tx, at(0, "").now, 10)?.len()));
    assert_eq!(count, Ok(0));
}

pub fn a_place_that_cannot_be_used_is_one_clear_line(lab: &Lab) {
    match &lab.place {
        Place::Sqlite(folder) => unusable_files(folder.path()),
        Place::Postgres(schema, _) => unusable_servers(&schema.url),
    }
}

fn unusable_files(folder: &Path) {
    let missing = folder.join("no/such/folder/florin.db");
    let error = Store::open(&missing, Options::TEST).unwrap_err();
    assert!(matches!(error, OpenError::File(..)), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
    // A file that is no database at all.
    let junk = folder.join("junk.db");
    let text = "this is no database, it is only text of some length".repeat(50);
    std::fs::write(&junk, text).unwrap();
    std::fs::set_permissions(&junk, PermissionsExt::from_mode(0o600)).unwrap();
    let error = Store::open(&junk, Options::TEST).unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
}

fn unusable_servers(url: &str) {
    let read_only = format!("{url}%20-cdefault_transaction_read_only%3Don");
    let cases = [
        (
            url.replace("/florin?", "/no_such_database?"),
            "no_such_database",
        ),
        (url.replace("lab_", "no_such_schema_"), "does not exist"),
        (read_only, "takes no writes"),
        (
            "postgres://u@no-such-host.invalid/d?sslmode=disable".to_owned(),
            "no-such-host.invalid",
        ),
        ("postgres://u@127.0.0.1:1/d".to_owned(), "127.0.0.1:1"),
    ];
    for (url, named) in cases {
        let error = Store::open_url(&url, Options::TEST).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, OpenError::Database(..)), "{error:?}");
        assert!(
            text.contains(named) && text.lines().count() == 1,
            "{named}: {text}"
        );
    }
    for malformed in [
        "postgres:/x",
        "postgres://u@h:port/d",
        "postgres://u@h/d?sslmode=prefer",
    ] {
        let error = Store::open_url(malformed, Options::TEST).unwrap_err();
        assert!(matches!(error, OpenError::Url(_)), "{error:?}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
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
fn foundation(from: &Path, path: &Path) {
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
        from.display()
    );
    connection.execute_batch(&versions).unwrap();
    let filled = ["merchants", "bills", "payments", "attempts", "transfers"];
    for table in filled {
        let mut columns = connection
            .prepare(&format!(
                "SELECT name FROM pragma_table_info('{table}', 'main')"
            ))
            .unwrap();
        let names: Vec<String> = columns
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(!names.is_empty(), "{table}");
        let names = names.join(", ");
        // A transfer named its payment then; now it names whatever moved money.
        let newer = match table {
            "transfers" => names.replace("payment", "about"),
            _ => names.clone(),
        };
        let copy = format!("INSERT INTO main.{table} ({names}) SELECT {newer} FROM lab.{table}");
        connection.execute_batch(&copy).unwrap();
    }
    let outbox = OLD_OUTBOX.replace('#', &"0".repeat(31));
    connection.execute_batch(&outbox).unwrap();
}

pub fn a_filled_foundation_becomes_queues_and_loses_nothing(lab: &Lab) {
    // The file is filled through its own format; the statements are the same on every database.
    let Place::Sqlite(folder) = &lab.place else {
        return;
    };
    let shop = lab.caller("Shop");
    let bill = lab.bill(&shop, 1);
    let (payment, now) = (lab.payment(&bill, 1), at(3, "").now);
    let paid = payment
        .authorize(now)
        .and_then(|d| d.and_then(|p| p.capture(now, sgd(1_050))))
        .unwrap();
    lab.write(move |tx| Ok(ledger::post(tx, &paid.payment, &paid.journal, now)?))
        .unwrap();
    let path = folder.path().join("old.db");
    foundation(&folder.path().join("florin.db"), &path);
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
    references_hold(&path);
    let found = lab.wait(store.read("bill", move |tx| {
        Ok(store::tables::bills::by_id(tx, &bill.head.id)?.map(|found| found == bill))
    }));
    assert_eq!(found, Ok(Some(true)));
    the_chain_is_whole(lab, &store);
    store.close();
    Store::open(&path, Options::TEST).unwrap().close();
}

fn references_hold(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut check = connection.prepare("PRAGMA foreign_key_check").unwrap();
    assert!(!check.exists([]).unwrap(), "every reference holds");
}

fn the_chain_is_whole(lab: &Lab, store: &Store) {
    let links = lab
        .wait(store.read("links", |tx| Ok(ledger::after(tx, 0, 0, 100)?)))
        .unwrap();
    assert!(links.len() >= 2);
    let mut hash = ChainHash::genesis();
    for link in links {
        assert_eq!(link.entry.hash(&hash), link.hash, "the chain is whole");
        hash = link.hash;
    }
}
