use std::ops::ControlFlow;
use std::path::Path;

use domain::ledger::ChainHash;
use store::moving::{self, MoveError, Moved, Place, Progress, Stage};
use store::tables::{idempotency, ledger, records};
use store::{Options, Store};

use crate::cluster::Schema;
use crate::lab::{self, Lab, at, sgd};

/// Texts that databases store and order in different ways.
const TEXTS: [&str; 6] = ["b", "B", "a\0b", "\u{E000}0", "茶", "ä"];

/// Rows of several tables, more of one than a transaction of a move takes.
fn fill(lab: &Lab, rows: usize) {
    let shop = lab.caller("Shop");
    for number in 1..=3 {
        let bill = lab.bill(&shop, number);
        let (payment, now) = (lab.payment(&bill, 1), at(3, "").now);
        let paid = payment
            .authorize(now)
            .and_then(|d| d.and_then(|p| p.capture(now, sgd(1_050))))
            .unwrap();
        lab.write(move |tx| Ok(ledger::post(tx, &paid.payment, &paid.journal, now)?))
            .unwrap();
    }
    lab.write(|tx| {
        for text in TEXTS {
            let remembered = idempotency::Remembered {
                fingerprint: text.to_owned(),
                outcome: "{}".to_owned(),
            };
            idempotency::insert(tx, text, &remembered, at(0, "").now)?;
        }
        Ok(())
    })
    .unwrap();
    lab.write(move |tx| {
        for number in 0..rows {
            records::put(tx, "kind", &format!("{number:06}"), "{}", at(0, "").now)?;
        }
        Ok(())
    })
    .unwrap();
}

fn place_of(place: &lab::Place) -> Place {
    match place {
        lab::Place::Sqlite(folder) => Place::Sqlite(folder.path().join("florin.db")),
        lab::Place::Postgres(schema, _) => Place::Postgres(schema.url.clone()),
    }
}

fn open(place: &Place) -> Result<Store, store::OpenError> {
    match place {
        Place::Sqlite(path) => Store::open(path, Options::TEST),
        Place::Postgres(url) => Store::open_url(url, Options::TEST),
    }
}

fn go(from: &Place, to: &Place) -> Result<Moved, MoveError> {
    moving::run(from, to, Options::TEST, &mut |_| ControlFlow::Continue(()))
}

/// Empty places of every kind that is here; what they stand in comes with them.
fn targets() -> Vec<(Place, Box<dyn std::any::Any>)> {
    let folder = tempfile::tempdir().unwrap();
    let mut all: Vec<(Place, Box<dyn std::any::Any>)> = vec![(
        Place::Sqlite(folder.path().join("new.db")),
        Box::new(folder),
    )];
    if let Some(schema) = Schema::new() {
        all.push((Place::Postgres(schema.url.clone()), Box::new(schema)));
    }
    all
}

/// The rows that a filled lab has, read through the gateway's own door.
fn check(lab: &Lab, place: &Place, rows: usize) {
    let store = open(place).unwrap();
    let read = store.read("moved", |tx| {
        let mut chains = Vec::new();
        for lane in ledger::lanes(tx)? {
            let mut hash = ChainHash::genesis();
            for link in ledger::after(tx, lane, 0, 100)? {
                chains.push(link.entry.hash(&hash) == link.hash);
                hash = link.hash;
            }
        }
        let mut found = 0;
        for text in TEXTS {
            let known = idempotency::find(tx, text)?;
            found += usize::from(known.is_some_and(|known| known.fingerprint == text));
        }
        let all = records::starting_with(tx, "kind", "", 100_000)?.len();
        Ok((chains, found, all))
    });
    let (chains, found, all) = lab.wait(read).unwrap();
    assert!(
        chains.len() >= 6 && chains.iter().all(|whole| *whole),
        "{chains:?}"
    );
    assert_eq!((found, all), (TEXTS.len(), rows));
    // And it goes on from there.
    lab.wait(store.write("more", |tx| {
        Ok(records::put(tx, "kind", "more", "{}", at(1, "").now)?)
    }))
    .unwrap();
    store.close();
}

fn bytes(place: &Place) -> Option<Vec<u8>> {
    match place {
        Place::Sqlite(path) => std::fs::read(path).ok(),
        Place::Postgres(_) => None,
    }
}

pub fn everything_is_moved_to_every_database_and_back(lab: &Lab) {
    let filled = lab.another();
    fill(&filled, 5_000);
    let from = filled.close();
    let from = (place_of(&from), from);
    for (to, _kept) in targets() {
        let before = bytes(&from.0);
        let moved = go(&from.0, &to).unwrap();
        assert_eq!(bytes(&from.0), before, "the source is as it was");
        let rows = |table: &str| moved.tables.iter().find(|t| t.table == table).unwrap().rows;
        assert_eq!(
            (rows("bills"), rows("records"), rows("idempotency")),
            (3, 5_000, 6)
        );
        assert_eq!((moved.transfers, moved.resumed), (rows("transfers"), 0));
        let folder = tempfile::tempdir().unwrap();
        let back = Place::Sqlite(folder.path().join("back.db"));
        let again = go(&to, &back).unwrap();
        assert_eq!(
            again.tables, moved.tables,
            "hashes do not depend on the database"
        );
        check(lab, &to, 5_000);
        check(lab, &back, 5_000);
    }
    check(lab, &from.0, 5_000);
}

pub fn an_interrupted_move_goes_on_and_nobody_starts_before(lab: &Lab) {
    let filled = lab.another();
    fill(&filled, 9_000);
    let from = filled.close();
    let from = (place_of(&from), from);
    for (to, _kept) in targets() {
        let (mut runs, mut brought) = (0, Vec::new());
        let moved = loop {
            runs += 1;
            let mut steps = 0;
            // Each run may do a little more than the one before.
            let mut watch = |progress: Progress<'_>| {
                steps += 1;
                if progress.stage == Stage::Copying {
                    brought.push(progress.done);
                }
                match steps > 20 + runs * 7 {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            match moving::run(&from.0, &to, Options::TEST, &mut watch) {
                Ok(moved) => break moved,
                Err(MoveError::Stopped) => {
                    let error = open(&to).unwrap_err().to_string();
                    assert!(error.contains("a move into it is not finished"), "{error}");
                    assert_eq!(error.lines().count(), 1);
                }
                Err(other) => panic!("{other}"),
            }
            assert!(runs < 200);
        };
        assert!(runs > 3, "{runs}");
        assert!(
            moved.resumed > 4_000,
            "what was brought is not brought again"
        );
        assert!(brought.is_sorted(), "{brought:?}");
        check(lab, &to, 9_000);
    }
}

pub fn a_database_at_work_is_neither_moved_nor_moved_into(lab: &Lab) {
    let ours = place_of(&lab.place);
    let working = |error: MoveError| {
        let text = error.to_string();
        assert!(text.contains("stop"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    };
    for (other, _kept) in targets() {
        working(go(&ours, &other).unwrap_err());
        let _ = open(&other).unwrap();
        working(go(&other, &ours).unwrap_err());
    }
    let error = go(&ours, &ours).unwrap_err().to_string();
    assert!(error.contains("the same database"), "{error}");
    // One that has ended is no obstacle; and while a move goes on no gateway starts.
    let filled = lab.another();
    fill(&filled, 10);
    let from = filled.close();
    let from = (place_of(&from), from);
    for (to, _kept) in targets() {
        let mut refused = 0;
        let mut watch = |_: Progress<'_>| {
            refused += usize::from(open(&from.0).is_err() && open(&to).is_err());
            ControlFlow::Continue(())
        };
        moving::run(&from.0, &to, Options::TEST, &mut watch).unwrap();
        assert!(refused > 20, "{refused}");
    }
}

pub fn only_an_empty_database_is_moved_into(lab: &Lab) {
    let filled = lab.another();
    fill(&filled, 10);
    let from = filled.close();
    let from = (place_of(&from), from);
    let taken = lab.another();
    taken.caller("Other");
    let taken = taken.close();
    let error = go(&from.0, &place_of(&taken)).unwrap_err().to_string();
    assert!(error.contains("not empty (table merchants"), "{error}");
    // Where a move from elsewhere has begun is not empty either.
    let other = lab.another();
    fill(&other, 10);
    let other = other.close();
    for (to, _kept) in targets() {
        let mut watch = |progress: Progress<'_>| match progress.stage {
            Stage::Comparing => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let stopped = moving::run(&from.0, &to, Options::TEST, &mut watch);
        assert!(matches!(stopped, Err(MoveError::Stopped)));
        let error = go(&place_of(&other), &to).unwrap_err().to_string();
        assert!(error.contains("is not finished"), "{error}");
        go(&from.0, &to).unwrap();
    }
    let nowhere = Place::Sqlite(Path::new("/nowhere/florin.db").to_owned());
    let error = go(&nowhere, &place_of(&taken)).unwrap_err().to_string();
    assert!(error.contains("no such file"), "{error}");
}

pub fn what_a_move_finds_wrong_in_the_end_keeps_everybody_away(lab: &Lab) {
    let filled = lab.another();
    fill(&filled, 10);
    let from = filled.close();
    let lost = "PRAGMA foreign_keys = off; DELETE FROM merchants";
    match &from {
        lab::Place::Sqlite(folder) => {
            let beside = rusqlite::Connection::open(folder.path().join("florin.db")).unwrap();
            beside.execute_batch(lost).unwrap();
        }
        lab::Place::Postgres(..) => {
            from.run("DELETE FROM merchants");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let to = Place::Sqlite(folder.path().join("new.db"));
    let error = go(&place_of(&from), &to).unwrap_err();
    assert!(matches!(&error, MoveError::Differs(_)), "{error}");
    assert!(open(&to).is_err(), "nobody starts on it");
}

pub fn a_source_that_changed_behind_a_move_is_told_with_what_to_do(lab: &Lab) {
    let filled = lab.another();
    fill(&filled, 5_000);
    let from = filled.close();
    for (number, (to, _kept)) in targets().into_iter().enumerate() {
        let mut watch = |progress: Progress<'_>| match progress.stage {
            Stage::Comparing => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let stopped = moving::run(&place_of(&from), &to, Options::TEST, &mut watch);
        assert!(matches!(stopped, Err(MoveError::Stopped)));
        // The gateway was started on the old database once more, and wrote.
        let store = from.open().unwrap();
        let body = number.to_string();
        let write = store.write("paid", move |tx| {
            Ok(records::put(tx, "kind", "000001", &body, at(1, "").now)?)
        });
        lab.wait(write).unwrap();
        store.close();
        let error = go(&place_of(&from), &to).unwrap_err();
        let MoveError::Differs(what) = error else {
            panic!("{error}")
        };
        assert!(what[0].contains("table records"), "{what:?}");
        assert!(what[1].contains("begin again"), "{what:?}");
    }
}

pub fn a_row_that_differs_is_found(lab: &Lab) {
    let filled = lab.another();
    fill(&filled, 300);
    let from = filled.close();
    let from = (place_of(&from), from);
    for change in [
        "UPDATE records SET body = '[]' WHERE id = '000007'",
        "DELETE FROM records WHERE id = '000007'",
        "UPDATE transfers SET amount = amount + 1 WHERE place = 2",
    ] {
        for (to, _kept) in targets() {
            // What came is changed by somebody else before both are compared.
            let mut watch = |progress: Progress<'_>| {
                if progress.stage == Stage::Comparing && progress.done == 0 {
                    match &to {
                        Place::Sqlite(path) => {
                            let beside = rusqlite::Connection::open(path).unwrap();
                            beside.execute_batch(change).unwrap();
                        }
                        Place::Postgres(url) => {
                            crate::cluster::run(url, change).unwrap();
                        }
                    }
                }
                ControlFlow::Continue(())
            };
            let error = moving::run(&from.0, &to, Options::TEST, &mut watch).unwrap_err();
            let MoveError::Differs(what) = error else {
                panic!("{error}")
            };
            let table = change.split(' ').find(|word| word.ends_with('s')).unwrap();
            assert!(what.len() == 1 && what[0].contains(table), "{what:?}");
            assert!(open(&to).is_err(), "nobody starts on it");
        }
    }
}
