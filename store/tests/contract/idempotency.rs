use domain::Refusal;
use store::tables::idempotency::{self, Remembered};
use store::tables::records;

use crate::lab::{Lab, at};

fn remembered(outcome: &str) -> Remembered {
    Remembered {
        fingerprint: "f".to_owned(),
        outcome: outcome.to_owned(),
    }
}

pub fn a_key_is_remembered_with_its_answer(lab: &Lab) {
    let now = at(0, "").now;
    lab.write(move |tx| Ok(idempotency::insert(tx, "scope", &remembered("1"), now)?))
        .unwrap();
    let found = lab.read(|tx| Ok(idempotency::find(tx, "scope")?)).unwrap();
    assert_eq!(found, Some(remembered("1")));
    assert_eq!(
        lab.read(|tx| Ok(idempotency::find(tx, "other")?)).unwrap(),
        None
    );
    let twice = lab.write(move |tx| Ok(idempotency::insert(tx, "scope", &remembered("2"), now)?));
    assert!(twice.is_err());
}

pub fn a_refused_attempt_leaves_only_what_came_around_it(lab: &Lab) {
    let now = at(0, "").now;
    let told = lab
        .write(move |tx| {
            records::put(tx, "kind", "before", "{}", now)?;
            let told = tx.attempt::<()>(|tx| {
                records::put(tx, "kind", "inside", "{}", now)?;
                Err(Refusal::AlreadyPaid.into())
            })?;
            records::put(tx, "kind", "after", "{}", now)?;
            tx.attempt(|tx| Ok(records::put(tx, "kind", "kept", "{}", now)?))?
                .map_err(store::Failure::Refused)?;
            Ok(told)
        })
        .unwrap();
    assert_eq!(told, Err(Refusal::AlreadyPaid));
    for (id, there) in [
        ("before", true),
        ("inside", false),
        ("after", true),
        ("kept", true),
    ] {
        let found = lab
            .read(move |tx| Ok(records::get(tx, "kind", id)?))
            .unwrap();
        assert_eq!(found.is_some(), there, "{id}");
    }
}

pub fn old_keys_are_forgotten(lab: &Lab) {
    for (scope, millis) in [("a", 1), ("b", 2), ("c", 3)] {
        let now = at(millis, "").now;
        lab.write(move |tx| Ok(idempotency::insert(tx, scope, &remembered("1"), now)?))
            .unwrap();
    }
    let before = at(3, "").now;
    let forget = || {
        lab.write(move |tx| Ok(idempotency::forget(tx, before, 1)?))
            .unwrap()
    };
    let older = || {
        lab.read(move |tx| Ok(idempotency::are_older(tx, before)?))
            .unwrap()
    };
    assert!(older());
    assert_eq!((forget(), forget(), forget()), (1, 1, 0));
    assert!(!older());
    assert!(
        lab.read(|tx| Ok(idempotency::find(tx, "c")?))
            .unwrap()
            .is_some()
    );
}
