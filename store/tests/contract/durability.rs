use store::tables::records;
use store::{Failure, OpenError};

use crate::lab::{Lab, at};

pub fn what_was_answered_is_there_after_a_reopening(lab: &Lab) {
    let place = lab.another().close();
    for round in 0..3 {
        let store = place.open().unwrap();
        let found = lab
            .wait(store.read("all", |tx| Ok(records::starting_with(tx, "kind", "r", 10)?)))
            .unwrap();
        assert_eq!(found.len(), round);
        lab.wait(store.write("add", move |tx| {
            let (id, now) = (format!("r{round}"), at(0, "").now);
            Ok(records::put(tx, "kind", &id, "{}", now)?)
        }))
        .unwrap();
        store.close();
    }
}

pub fn another_process_may_write_or_is_refused(lab: &Lab) {
    let second = lab.place.open();
    if !lab.store.takes_many_nodes() {
        let error = second.unwrap_err();
        assert!(matches!(error, OpenError::InUse(_)));
        let text = error.to_string();
        assert!(text.contains("in use by another florin"), "{error}");
        return;
    }
    let second = second.unwrap();
    for (store, id) in [(&lab.store, "first"), (&second, "second")] {
        let put = store.write("put", move |tx| {
            Ok(records::put(tx, "kind", id, "{}", at(0, "").now)?)
        });
        lab.wait(put).unwrap();
    }
    for store in [&lab.store, &second] {
        let all = store.read("all", |tx| Ok(records::starting_with(tx, "kind", "", 10)?));
        assert_eq!(lab.wait(all).unwrap().len(), 2);
    }
    second.close();
}

pub fn looking_needs_no_lock_and_cannot_write(lab: &Lab) {
    lab.write(|tx| Ok(records::put(tx, "kind", "1", "{}", at(0, "").now)?))
        .unwrap();
    let looking = lab.place.open_read_only().unwrap();
    let found = lab.wait(looking.read("look", |tx| Ok(records::get(tx, "kind", "1")?)));
    assert_eq!(found.unwrap().as_deref(), Some("{}"));
    let written = lab.wait(looking.write("change", |_| Ok(())));
    assert!(matches!(written, Err(Failure::Fault(_))));
    looking.close();
}
