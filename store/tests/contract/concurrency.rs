use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::Refusal;
use store::tables::{records, statements};
use store::{Failure, Tx};

use crate::lab::{Lab, at};

fn put(tx: &mut Tx<'_>, id: &str) -> Result<(), Failure> {
    Ok(records::put(tx, "kind", id, "{}", at(0, "").now)?)
}

fn there(lab: &Lab, id: &'static str) -> bool {
    lab.read(move |tx| Ok(records::get(tx, "kind", id)?.is_some()))
        .unwrap()
}

pub fn a_refused_job_leaves_nothing_and_hurts_no_neighbour(lab: &Lab) {
    let before = lab.store.write("before", |tx| put(tx, "before"));
    let refused = lab.store.write("refused", |tx| {
        put(tx, "refused")?;
        Err::<(), _>(Refusal::Expired.into())
    });
    let after = lab.store.write("after", |tx| put(tx, "after"));
    let (one, two, three) = lab.wait(async { (before.await, refused.await, after.await) });
    assert_eq!((one, three), (Ok(()), Ok(())));
    assert_eq!(two, Err(Failure::Refused(Refusal::Expired)));
    assert!(there(lab, "before") && there(lab, "after") && !there(lab, "refused"));
}

pub fn a_panic_is_one_callers_fault(lab: &Lab) {
    let broken = lab.write::<()>(|tx| {
        put(tx, "broken")?;
        panic!("a rule is broken on purpose");
    });
    assert!(matches!(broken, Err(Failure::Fault(fault)) if fault.0.contains("panic")));
    assert!(!there(lab, "broken"));
    lab.write(|tx| put(tx, "next")).unwrap();
    assert!(there(lab, "next"), "the writer goes on");
    let reading = lab.read::<()>(|_| panic!("also while reading"));
    assert!(matches!(reading, Err(Failure::Fault(_))));
    assert!(there(lab, "next"), "the readers go on");
}

pub fn a_failed_statement_poisons_its_transaction(lab: &Lab) {
    let careless = lab.write(|tx| {
        put(tx, "careless")?;
        // The closure overlooks the error and goes on.
        let _ = tx.exec("INSERT INTO no_such_table (x) VALUES (1)", &[]);
        assert!(put(tx, "careless too").is_err());
        Ok(())
    });
    assert!(matches!(careless, Err(Failure::Fault(_))));
    assert!(!there(lab, "careless"));
}

pub fn many_writers_lose_nothing(lab: &Lab) {
    let writes: Vec<_> = (0..400)
        .map(|number: i64| {
            lab.store.write("many", move |tx| {
                put(tx, &format!("many/{number}"))?;
                if number % 7 == 0 {
                    Err(Refusal::Expired.into())
                } else {
                    Ok(number)
                }
            })
        })
        .collect();
    let mut kept = 0;
    lab.wait(async {
        for write in writes {
            kept += usize::from(write.await.is_ok());
        }
    });
    let found = lab
        .read(|tx| Ok(records::starting_with(tx, "kind", "many/", 1_000)?))
        .unwrap();
    assert_eq!((kept, found.len()), (400 - 58, 400 - 58));
}

pub fn a_reader_sees_one_snapshot(lab: &Lab) {
    let written = Arc::new(AtomicBool::new(false));
    let (reading, go) = (Arc::clone(&written), Arc::new(AtomicBool::new(false)));
    let begun = Arc::clone(&go);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(lab.store.read("snapshot", move |tx| {
                let before = records::get(tx, "kind", "new")?.is_some();
                begun.store(true, Ordering::SeqCst);
                while !reading.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
                Ok((before, records::get(tx, "kind", "new")?.is_some()))
            }))
        });
        while !go.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        lab.write(|tx| put(tx, "new")).unwrap();
        written.store(true, Ordering::SeqCst);
        assert_eq!(reader.join().unwrap(), Ok((false, false)));
    });
    assert!(there(lab, "new"));
}

pub fn a_bound_holds_in_a_race(lab: &Lab) {
    // Each looks at what all others write: as if one after the other, 10 of 60 fit. Where several
    // processes may write, two do.
    let other = lab.store.takes_many_nodes();
    let other = other.then(|| lab.place.open().unwrap());
    let writes: Vec<_> = (0..60)
        .map(|number: i64| {
            let store = other.as_ref().filter(|_| number % 2 == 0);
            store.unwrap_or(&lab.store).write("bounded", move |tx| {
                let taken = records::starting_with(tx, "kind", "seat/", 100)?.len();
                put(tx, &format!("asked/{number}"))?;
                if taken >= 10 {
                    return Err(Refusal::Expired.into());
                }
                put(tx, &format!("seat/{number}"))
            })
        })
        .collect();
    let (mut kept, mut refused, mut busy) = (0, 0, 0);
    lab.wait(async {
        for write in writes {
            match write.await {
                Ok(()) => kept += 1,
                Err(Failure::Refused(Refusal::Expired)) => refused += 1,
                Err(Failure::Refused(Refusal::Unavailable(_))) => busy += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
    });
    let found = |start: &'static str| {
        lab.read(move |tx| Ok(records::starting_with(tx, "kind", start, 100)?.len()))
            .unwrap()
    };
    assert_eq!((kept, found("seat/"), found("asked/")), (10, 10, 10));
    assert_eq!((refused, busy), (50, 0), "none had to be sent away");
}

pub fn a_long_transaction_comes_to_its_end(lab: &Lab) {
    const PUT: &str = "INSERT INTO records (kind, id, body, created_at) VALUES (?1, ?2, ?3, 0)";
    let body = "x".repeat(2_000);
    let counted = lab.write(move |tx| {
        for number in 0..2_000 {
            let id = format!("{number:04}");
            tx.exec(PUT, &["long".into(), id.into(), body.as_str().into()])?;
        }
        Ok(records::starting_with(tx, "long", "", 5_000)?.len())
    });
    assert_eq!(counted, Ok(2_000));
    // One of many fails, and is noticed although nobody waited for it.
    let failed = lab.write(move |tx| {
        for number in [1, 2, 3, 1, 4] {
            let id = format!("again/{number}");
            tx.exec(PUT, &["long".into(), id.into(), "{}".into()])?;
        }
        Ok(())
    });
    assert!(matches!(&failed, Err(Failure::Fault(_))), "{failed:?}");
    let left = lab.read(|tx| Ok(records::starting_with(tx, "long", "again/", 10)?.len()));
    assert_eq!(left, Ok(0));
}

pub fn a_writer_sees_what_was_answered_before(lab: &Lab) {
    // Whatever thread or connection comes next: an answer was given, so it is there.
    for round in 0..50 {
        lab.write(move |tx| put(tx, &format!("round/{round}")))
            .unwrap();
        let others: Vec<_> = (0..4)
            .map(|_| {
                lab.store.write("look", move |tx| {
                    Ok(records::get(tx, "kind", &format!("round/{round}"))?.is_some())
                })
            })
            .collect();
        lab.wait(async {
            for other in others {
                assert_eq!(other.await, Ok(true), "round {round}");
            }
        });
    }
}

pub fn every_statement_can_be_prepared(lab: &Lab) {
    let mut count = 0;
    for statement in statements() {
        for outside in [" LIKE ", "RANDOM(", "DATETIME", "INSTR(", "?,", "? "] {
            let upper = statement.to_uppercase();
            assert!(!upper.contains(outside), "{outside}: {statement}");
        }
        // Prepared by the adapter itself, and run without the arguments that it needs: that this
        // is all that is wrong shows that the text was understood.
        let ran = lab.write(move |tx| Ok(tx.query(statement, &[])?.len()));
        let told = format!("{ran:?}");
        let arguments = told.contains("Wrong number of parameters") || told.contains("arguments");
        assert!(ran.is_ok() || arguments, "{told}");
        count += 1;
    }
    assert!(count > 40);
}

pub fn every_text_comes_back(lab: &Lab) {
    let texts = [
        "",
        "a\0b",
        "\0",
        "\u{E000}",
        "\u{E000}0",
        "茶 \u{1F375} \u{202E}",
        "'; --",
        "\r\n",
    ];
    for (number, text) in texts.into_iter().enumerate() {
        let id = format!("{number}{text}");
        let found = lab.write(move |tx| {
            records::put(tx, "text", &id, text, at(0, "").now)?;
            Ok(records::get(tx, "text", &id)?)
        });
        assert_eq!(found.unwrap().as_deref(), Some(text), "{text:?}");
    }
}
