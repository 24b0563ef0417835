use domain::{Span, Timestamp};
use store::tables::calls;

use crate::lab::{Lab, at};

const MINUTE: Span = Span::from_minutes(1);

fn after(seconds: u64) -> Timestamp {
    at(0, "").now.plus(Span::from_seconds(seconds))
}

fn count(lab: &Lab, name: &'static str, seconds: u64) -> (Timestamp, i64) {
    let window = lab
        .write(move |tx| Ok(calls::count(tx, name, after(seconds), MINUTE)?))
        .unwrap();
    (window.start, window.made)
}

pub fn calls_are_counted_within_their_minute(lab: &Lab) {
    assert_eq!(count(lab, "a", 0), (after(0), 1));
    assert_eq!(count(lab, "a", 30), (after(0), 2));
    assert_eq!(count(lab, "b", 40), (after(40), 1), "another name");
    assert_eq!(count(lab, "a", 59), (after(0), 3));
    assert_eq!(count(lab, "a", 60), (after(60), 1), "a new minute");
    assert_eq!(
        count(lab, "a", 50),
        (after(60), 2),
        "a node whose clock is behind"
    );
}

pub fn what_was_counted_is_forgotten_when_it_is_over(lab: &Lab) {
    for (name, seconds) in [("a", 0), ("b", 1), ("c", 30)] {
        count(lab, name, seconds);
    }
    let old = |seconds| {
        lab.read(move |tx| Ok(calls::are_older(tx, after(seconds))?))
            .unwrap()
    };
    let forget = |seconds, limit| {
        lab.write(move |tx| Ok(calls::forget(tx, after(seconds), limit)?))
            .unwrap()
    };
    assert!(old(1));
    assert_eq!(forget(1, 1), 1, "no more than asked");
    assert_eq!(forget(1, 10), 1);
    assert!(!old(29));
    assert_eq!(count(lab, "c", 31), (after(30), 2), "it was not touched");
}
