use std::os::unix::fs::PermissionsExt;

use store::{OpenError, Options, Store};

use crate::lab::{Lab, at};

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
