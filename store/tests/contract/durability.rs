use store::tables::records;
use store::{Failure, OpenError, Options, Store};

use crate::lab::{Lab, at};

pub fn what_was_answered_is_there_after_a_reopening(_: &Lab) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("florin.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for round in 0..3 {
        let store = Store::open(&path, Options::TEST).unwrap();
        let found = runtime
            .block_on(store.read("all", |tx| Ok(records::starting_with(tx, "kind", "r", 10)?)))
            .unwrap();
        assert_eq!(found.len(), round);
        runtime
            .block_on(store.write("add", move |tx| {
                Ok(records::put(
                    tx,
                    "kind",
                    &format!("r{round}"),
                    "{}",
                    at(0, "").now,
                )?)
            }))
            .unwrap();
        store.close();
    }
}

pub fn a_second_process_is_refused(lab: &Lab) {
    let second = Store::open(&lab.path(), Options::TEST);
    let error = second.unwrap_err();
    assert!(matches!(error, OpenError::InUse(_)));
    assert!(
        error.to_string().contains("in use by another florin"),
        "{error}"
    );
    assert!(!lab.store.takes_many_nodes());
}

pub fn looking_needs_no_lock_and_cannot_write(lab: &Lab) {
    lab.write(|tx| Ok(records::put(tx, "kind", "1", "{}", at(0, "").now)?))
        .unwrap();
    let looking = Store::open_read_only(&lab.path()).unwrap();
    let found = lab.wait(looking.read("look", |tx| Ok(records::get(tx, "kind", "1")?)));
    assert_eq!(found.unwrap().as_deref(), Some("{}"));
    let written = lab.wait(looking.write("change", |_| Ok(())));
    assert!(matches!(written, Err(Failure::Fault(_))));
    looking.close();
}
