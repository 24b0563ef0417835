use store::tables::records;

use crate::lab::{Lab, at};

pub fn an_object_is_kept_and_replaced(lab: &Lab) {
    let now = at(0, "").now;
    lab.write(move |tx| {
        records::put(tx, "kind", "1", "old", now)?;
        Ok(records::put(tx, "kind", "1", "new", now)?)
    })
    .unwrap();
    let (found, other) = lab
        .read(|tx| {
            Ok((
                records::get(tx, "kind", "1")?,
                records::get(tx, "other", "1")?,
            ))
        })
        .unwrap();
    assert_eq!((found.as_deref(), other), (Some("new"), None));
}

pub fn objects_are_listed_by_the_start_of_their_id(lab: &Lab) {
    let now = at(0, "").now;
    lab.write(move |tx| {
        for id in ["a/2", "a/1", "ab/1", "b/1"] {
            records::put(tx, "kind", id, id, now)?;
        }
        Ok(())
    })
    .unwrap();
    let found = lab
        .read(|tx| Ok(records::starting_with(tx, "kind", "a/", 10)?))
        .unwrap();
    assert_eq!(found, ["a/1", "a/2"]);
}
