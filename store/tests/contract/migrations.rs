use std::os::unix::fs::PermissionsExt;

use store::{OpenError, Options, Store};

use crate::lab::{Lab, Place, at};

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

fn unusable_files(folder: &std::path::Path) {
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
