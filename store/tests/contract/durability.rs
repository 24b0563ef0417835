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

pub fn what_need_not_be_synced_is_kept_by_a_closing_and_in_order(lab: &Lab) {
    let place = lab.another().close();
    let store = place.open().unwrap();
    let put = |number: i64| {
        move |tx: &mut store::Tx<'_>| {
            let before = format!("r{}", number - 1);
            let known = records::get(tx, "kind", &before)?.is_some();
            let (id, now) = (format!("r{number}"), at(0, "").now);
            records::put(tx, "kind", &id, "{}", now)?;
            Ok(known || number == 0)
        }
    };
    for number in 0..30_i64 {
        let known = match number % 3 {
            0 => lab.wait(store.write("synced", put(number))),
            _ => lab.wait(store.write_unsynced("unsynced", put(number))),
        };
        assert_eq!(known, Ok(true), "{number}");
    }
    let refused = lab.wait(store.write_unsynced("refused", |tx| {
        records::put(tx, "kind", "never", "{}", at(0, "").now)?;
        Err::<(), _>(domain::Refusal::Expired.into())
    }));
    assert_eq!(refused, Err(Failure::Refused(domain::Refusal::Expired)));
    store.close();
    let store = place.open().unwrap();
    let all = store.read("all", |tx| Ok(records::starting_with(tx, "kind", "", 100)?));
    assert_eq!(lab.wait(all).unwrap().len(), 30);
    store.close();
}

pub fn what_need_not_be_synced_leaves_the_others_synced(lab: &Lab) {
    // SQLite says it of a connection, PostgreSQL of a session: neither keeps it.
    let asked = if lab.store.takes_many_nodes() {
        "SELECT current_setting('synchronous_commit')"
    } else {
        "SELECT CASE synchronous WHEN 2 THEN 'on' ELSE 'off' END FROM pragma_synchronous"
    };
    let put = |tx: &mut store::Tx<'_>| {
        records::put(tx, "kind", "1", "{}", at(0, "").now)?;
        Ok(())
    };
    for _ in 0..3 {
        lab.wait(lab.store.write_unsynced("unsynced", put)).unwrap();
        let setting = lab.wait(lab.store.write("synced", move |tx| {
            put(tx)?;
            let row = tx.one(asked, &[])?.unwrap();
            Ok(row.text(0)?.to_owned())
        }));
        assert_eq!(setting.as_deref(), Ok("on"));
    }
}

pub fn both_kinds_of_writes_are_answered_when_they_meet(lab: &Lab) {
    let mut calls = Vec::new();
    for number in 0..60 {
        let store = &lab.store;
        calls.push(async move {
            let work = move |tx: &mut store::Tx<'_>| {
                let (id, now) = (format!("m{number:02}"), at(0, "").now);
                Ok(records::put(tx, "kind", &id, "{}", now)?)
            };
            match number % 2 {
                0 => store.write("synced", work).await,
                _ => store.write_unsynced("unsynced", work).await,
            }
        });
    }
    let mut calls: Vec<_> = calls.into_iter().map(Box::pin).collect();
    // All are handed in before the first is waited for.
    lab.wait(std::future::poll_fn(|context| {
        let mut waiting = Vec::new();
        for mut call in std::mem::take(&mut calls) {
            match call.as_mut().poll(context) {
                std::task::Poll::Ready(answer) => assert_eq!(answer, Ok(())),
                std::task::Poll::Pending => waiting.push(call),
            }
        }
        calls = waiting;
        match calls.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    }));
    let all = lab.read(|tx| Ok(records::starting_with(tx, "kind", "m", 100)?));
    assert_eq!(all.unwrap().len(), 60);
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
