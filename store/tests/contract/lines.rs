use domain::delivery::Outcome;
use domain::{Bill, DeliveryId, Fact, Seed, Span, Timestamp};
use store::tables::deliveries::{self as outbox, Claim, Delivery, New, why};
use store::tables::events;

use crate::lab::{Lab, at, event};
use crate::outbox::{QUEUE, a_try, attempts, claim, found, new, put, settle};

fn now() -> Timestamp {
    at(100, "").now
}

fn later(seconds: u64) -> Timestamp {
    now().plus(Span::from_seconds(seconds))
}

/// Writes a delivery that differs from the usual one.
fn put_as(lab: &Lab, bill: &Bill, number: i64, change: impl Fn(&mut New)) -> DeliveryId {
    let (mut delivery, event) = (new(bill, number), event(bill, Fact::BillPaid, number));
    change(&mut delivery);
    let id = delivery.id.clone();
    lab.write(move |tx| {
        events::insert(tx, &event)?;
        Ok(outbox::insert(tx, &delivery, at(number, "").now)?)
    })
    .unwrap();
    id
}

fn ids(claimed: &[Delivery]) -> Vec<&str> {
    claimed
        .iter()
        .map(|delivery| delivery.new.id.as_str())
        .collect()
}

fn resend(lab: &Lab, id: &DeliveryId, when: Timestamp) {
    let delivery = found(lab, id);
    let done = lab.write(move |tx| Ok(outbox::resend(tx, &delivery, when)?));
    assert!(done.unwrap());
}

fn give_up(lab: &Lab, id: &DeliveryId, reason: &'static str) -> bool {
    let delivery = found(lab, id);
    lab.write(move |tx| Ok(outbox::give_up(tx, &delivery, reason, now())?))
        .unwrap()
}

fn state(lab: &Lab, id: &DeliveryId) -> (String, Option<String>, Option<Timestamp>) {
    let delivery = found(lab, id);
    (delivery.state, delivery.why, delivery.next)
}

pub fn only_the_first_of_a_subject_is_due(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let all: Vec<_> = (1..=4).map(|number| put(lab, &bill, number)).collect();
    assert_eq!(found(lab, &all[0]).next, Some(at(1, "").now));
    for id in &all[1..] {
        assert_eq!(found(lab, id).next, None);
        let behind = found(lab, id);
        let ahead = lab.read(move |tx| Ok(outbox::ahead(tx, &behind)?)).unwrap();
        assert_eq!(ahead.unwrap().new.id, all[0], "who holds it up");
    }
    assert_eq!(ids(&claim(lab, now(), "t")), [all[0].as_str()]);
}

pub fn the_next_in_line_goes_after_a_success_a_failure_and_a_skip(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let all: Vec<_> = (1..=4).map(|number| put(lab, &bill, number)).collect();
    claim(lab, now(), "t1");
    assert!(settle(
        lab,
        &all[0],
        "t1",
        a_try(1, now()),
        Outcome::Delivered
    ));
    assert_eq!(ids(&claim(lab, now(), "t2")), [all[1].as_str()]);
    assert!(settle(
        lab,
        &all[1],
        "t2",
        a_try(1, now()),
        Outcome::GivenUp
    ));
    assert_eq!(found(lab, &all[2]).next, Some(now()));
    assert!(give_up(lab, &all[2], why::SKIPPED));
    assert_eq!(
        state(lab, &all[2]),
        ("failed".to_owned(), Some(why::SKIPPED.to_owned()), None)
    );
    assert_eq!(ids(&claim(lab, now(), "t3")), [all[3].as_str()]);
}

pub fn lines_are_apart_by_subject_and_by_queue(lab: &Lab) {
    let shop = lab.caller("Shop");
    let (bill, other) = (lab.bill(&shop, 1), lab.bill(&shop, 2));
    put(lab, &bill, 1);
    let same = put(lab, &bill, 2);
    let subject = put(lab, &other, 3);
    let queue = put_as(lab, &bill, 4, |new| {
        new.queue = "another host".to_owned();
        new.target = "http://another.test/".to_owned();
    });
    assert_eq!(found(lab, &same).next, None);
    for id in [&subject, &queue] {
        assert!(found(lab, id).next.is_some(), "it has a line of its own");
    }
}

pub fn a_retry_holds_its_line_up(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let (first, second) = (put(lab, &bill, 1), put(lab, &bill, 2));
    claim(lab, now(), "t1");
    let retry = Outcome::RetryAt(later(300));
    assert!(settle(lab, &first, "t1", a_try(1, now()), retry));
    assert!(claim(lab, later(299), "t2").is_empty());
    assert_eq!(ids(&claim(lab, later(300), "t3")), [first.as_str()]);
    let third = put(lab, &bill, 3);
    for id in [&second, &third] {
        assert_eq!(found(lab, id).next, None, "still behind");
    }
}

pub fn one_behind_can_be_sent_by_hand_and_goes_back_to_its_place(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let (first, second) = (put(lab, &bill, 1), put(lab, &bill, 2));
    claim(lab, now(), "t1");
    let retry = Outcome::RetryAt(later(300));
    assert!(settle(lab, &first, "t1", a_try(1, now()), retry));
    resend(lab, &second, later(10));
    assert_eq!(ids(&claim(lab, later(10), "t2")), [second.as_str()]);
    let no = a_try(1, later(10));
    assert!(settle(lab, &second, "t2", no, Outcome::GivenUp));
    assert_eq!(state(lab, &second), ("pending".to_owned(), None, None));
    assert_eq!(found(lab, &second).planned, 0, "its schedule has not begun");
    claim(lab, later(300), "t3");
    let yes = a_try(2, later(300));
    assert!(settle(lab, &first, "t3", yes, Outcome::Delivered));
    assert_eq!(ids(&claim(lab, later(300), "t4")), [second.as_str()]);
}

pub fn an_attempt_by_hand_gives_the_schedule_back(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let id = put(lab, &bill, 1);
    claim(lab, now(), "t1");
    let due = later(300);
    assert!(settle(
        lab,
        &id,
        "t1",
        a_try(1, now()),
        Outcome::RetryAt(due)
    ));
    resend(lab, &id, later(10));
    resend(lab, &id, later(20));
    let again = found(lab, &id).again;
    assert_eq!(
        again,
        Some(("pending".to_owned(), Some(due))),
        "asked twice"
    );
    assert_eq!(claim(lab, later(20), "t2").len(), 1);
    let no = a_try(2, later(20));
    // What the rules make of an attempt by hand does not count: it is none of the schedule's.
    assert!(settle(lab, &id, "t2", no, Outcome::RetryAt(later(9_999))));
    let after = found(lab, &id);
    assert_eq!(
        (after.next, after.attempts, after.planned, after.again),
        (Some(due), 2, 1, None)
    );
    resend(lab, &id, later(30));
    assert_eq!(claim(lab, later(30), "t3").len(), 1);
    let yes = a_try(3, later(30));
    assert!(settle(lab, &id, "t3", yes, Outcome::Delivered));
    assert_eq!(state(lab, &id), ("delivered".to_owned(), None, None));
}

pub fn a_resend_waits_for_the_attempt_under_way(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let id = put(lab, &bill, 1);
    claim(lab, now(), "running");
    resend(lab, &id, later(1));
    resend(lab, &id, later(1));
    assert!(claim(lab, later(1), "t").is_empty(), "never two at once");
    let due = later(300);
    let no = a_try(1, now());
    assert!(settle(lab, &id, "running", no, Outcome::RetryAt(due)));
    let taken = claim(lab, later(1), "by hand");
    assert_eq!(
        (taken.len(), taken[0].planned),
        (1, 1),
        "the schedule has begun"
    );
    assert_eq!(taken[0].again, Some(("pending".to_owned(), Some(due))));
    resend(lab, &id, later(2));
    let no = a_try(2, later(1));
    assert!(settle(lab, &id, "by hand", no, Outcome::GivenUp));
    assert_eq!(claim(lab, later(2), "once more").len(), 1);
    let no = a_try(3, later(2));
    assert!(settle(lab, &id, "once more", no, Outcome::GivenUp));
    let after = found(lab, &id);
    assert_eq!(
        (after.next, after.attempts, after.planned, after.again),
        (Some(due), 3, 1, None)
    );
    assert_eq!(attempts(lab, &id).len(), 3);
    claim(lab, due, "t4");
    resend(lab, &id, due);
    assert!(settle(lab, &id, "t4", a_try(4, due), Outcome::Delivered));
    assert_eq!(claim(lab, due, "t5").len(), 1, "it was asked for");
    assert!(settle(lab, &id, "t5", a_try(5, due), Outcome::GivenUp));
    assert_eq!(state(lab, &id), ("delivered".to_owned(), None, None));
}

pub fn an_attempt_by_hand_is_not_the_first_of_the_schedule(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let (first, second) = (put(lab, &bill, 1), put(lab, &bill, 2));
    claim(lab, now(), "t1");
    resend(lab, &second, now());
    claim(lab, now(), "t2");
    assert!(settle(
        lab,
        &second,
        "t2",
        a_try(1, now()),
        Outcome::GivenUp
    ));
    assert_eq!(
        found(lab, &second).first,
        None,
        "the schedule counts from its own"
    );
    assert!(settle(
        lab,
        &first,
        "t1",
        a_try(1, now()),
        Outcome::Delivered
    ));
}

pub fn what_somebody_skipped_says_so_after_a_resend_that_fails(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    for (number, reason) in [(1, why::SKIPPED), (2, why::REMOVED)] {
        let id = put(lab, &bill, number);
        assert!(give_up(lab, &id, reason));
        resend(lab, &id, later(1));
        claim(lab, later(1), "t");
        assert!(settle(lab, &id, "t", a_try(1, later(1)), Outcome::GivenUp));
        let before = ("failed".to_owned(), Some(reason.to_owned()), None);
        assert_eq!(state(lab, &id), before);
    }
}

fn resend_in_line(lab: &Lab, id: &DeliveryId, when: Timestamp) -> bool {
    let id = id.clone();
    lab.write(move |tx| Ok(outbox::resend_in_line(tx, &id, when)?))
        .unwrap()
}

pub fn what_is_sent_again_stands_in_its_line(lab: &Lab) {
    let shop = lab.caller("Shop");
    let (bill, other) = (lab.bill(&shop, 1), lab.bill(&shop, 2));
    let (mut all, mut others) = (Vec::new(), Vec::new());
    for number in 1..=3 {
        // Each over before the next one came.
        let when = later(u64::try_from(number).unwrap());
        all.push(put(lab, &bill, number * 1_000));
        others.push(put(lab, &other, number * 1_000 + 1));
        for taken in claim(lab, when, "t") {
            let outcome = if number == 2 {
                Outcome::GivenUp
            } else {
                Outcome::Delivered
            };
            assert!(settle(lab, &taken.new.id, "t", a_try(1, when), outcome));
        }
    }
    // And what happens while that is sent again.
    let (fourth, fifth) = (put(lab, &bill, 4_000), put(lab, &bill, 5_000));
    assert!(resend_in_line(lab, &all[2], later(20)));
    assert!(resend_in_line(lab, &all[0], later(20)));
    assert!(resend_in_line(lab, &all[1], later(20)));
    assert!(!resend_in_line(lab, &all[1], later(20)), "it waits already");
    assert!(
        !resend_in_line(lab, &fourth, later(20)),
        "it goes by itself"
    );
    assert!(resend_in_line(lab, &others[0], later(20)));
    let mut sent = Vec::new();
    for round in 0..5 {
        let taken = claim(lab, later(20 + round), "t");
        let of_bill: Vec<_> = taken
            .iter()
            .filter(|taken| taken.new.subject == bill.head.wire.as_str())
            .collect();
        assert_eq!(of_bill.len(), 1, "one of a payment at a time");
        sent.push(of_bill[0].new.id.clone());
        for taken in taken {
            let attempt = a_try(taken.attempts + 1, later(20 + round));
            assert!(settle(lab, &taken.new.id, "t", attempt, Outcome::GivenUp));
        }
    }
    let wanted = [&fourth, &all[0], &all[1], &all[2], &fifth].map(Clone::clone);
    assert_eq!(sent, wanted, "what was due already, then as it happened");
    assert_eq!(state(lab, &all[0]).0, "delivered", "as before");
    assert_eq!(state(lab, &all[1]).0, "failed");
}

pub fn what_was_delivered_stays_so_when_its_resend_is_skipped(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let (first, second) = (put(lab, &bill, 1), put(lab, &bill, 2));
    for (id, token, outcome) in [
        (&first, "t1", Outcome::Delivered),
        (&second, "t2", Outcome::GivenUp),
    ] {
        claim(lab, now(), token);
        assert!(settle(lab, id, token, a_try(1, now()), outcome));
        resend(lab, id, later(1));
        assert_eq!(found(lab, id).state, "pending");
        assert!(give_up(lab, id, why::SKIPPED));
    }
    assert_eq!(state(lab, &first), ("delivered".to_owned(), None, None));
    let skipped = Some(why::SKIPPED.to_owned());
    assert_eq!(state(lab, &second), ("failed".to_owned(), skipped, None));
}

pub fn only_what_waits_can_be_given_up(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let (first, second) = (put(lab, &bill, 1), put(lab, &bill, 2));
    assert!(give_up(lab, &second, why::SKIPPED), "one behind, too");
    assert!(found(lab, &first).next.is_some());
    claim(lab, now(), "t");
    assert!(give_up(lab, &first, why::SKIPPED), "also while under way");
    let no = a_try(1, now());
    assert!(!settle(
        lab,
        &first,
        "t",
        no.clone(),
        Outcome::RetryAt(later(9))
    ));
    assert!(!give_up(lab, &first, why::REMOVED), "it is over");
    let skipped = Some(why::SKIPPED.to_owned());
    assert_eq!(state(lab, &first), ("failed".to_owned(), skipped, None));
    assert_eq!(
        attempts(lab, &first),
        std::slice::from_ref(&no),
        "but it was sent"
    );
    // What the receiver took after all is delivered.
    let third = put(lab, &bill, 3);
    claim(lab, now(), "t3");
    assert!(give_up(lab, &third, why::SKIPPED));
    assert!(!settle(lab, &third, "t3", no, Outcome::Delivered));
    assert_eq!(state(lab, &third), ("delivered".to_owned(), None, None));
}

pub fn a_lease_is_given_back_by_its_holder_alone(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let id = put(lab, &bill, 1);
    claim(lab, now(), "holder");
    let free = |token: &'static str| {
        let id = id.clone();
        lab.write(move |tx| Ok(outbox::free_lease(tx, &id, token, now())?))
            .unwrap()
    };
    assert!(!free("somebody else"));
    assert!(claim(lab, now(), "t").is_empty());
    assert!(free("holder"));
    assert!(!free("holder"), "once");
    assert_eq!(claim(lab, now(), "t").len(), 1);
    assert_eq!(found(lab, &id).attempts, 0);
}

pub fn a_claim_takes_no_more_than_asked_the_longest_waiting_first(lab: &Lab) {
    let shop = lab.caller("Shop");
    let all: Vec<_> = (1..=5)
        .map(|number| put(lab, &lab.bill(&shop, number), number))
        .collect();
    let two = Claim {
        queue: QUEUE,
        now: now(),
        until: later(60),
        token: "t",
        limit: 2,
    };
    let claimed = lab.write(move |tx| Ok(outbox::claim(tx, two)?)).unwrap();
    assert_eq!(ids(&claimed), [all[0].as_str(), all[1].as_str()]);
    let other = Claim {
        queue: "nobody's",
        ..two
    };
    let claimed = lab.write(move |tx| Ok(outbox::claim(tx, other)?)).unwrap();
    assert!(claimed.is_empty());
    assert_eq!(lab.read(|tx| Ok(outbox::waiting(tx, 3)?)), Ok(3), "bounded");
    assert_eq!(lab.read(|tx| Ok(outbox::waiting(tx, 99)?)), Ok(5));
}

pub fn queues_are_walked_in_pages(lab: &Lab) {
    let shop = lab.caller("Shop");
    for number in 1..=7 {
        let bill = lab.bill(&shop, number);
        put_as(lab, &bill, number, |new| {
            new.queue = format!("queue {number}");
        });
    }
    let (mut from, mut met) = (String::new(), Vec::new());
    loop {
        let start = from.clone();
        let page = lab
            .read(move |tx| Ok(outbox::queues(tx, at(0, "").now, &start, 3)?))
            .unwrap();
        assert!(page.len() <= 3);
        let Some((last, _)) = page.last() else {
            break;
        };
        from.clone_from(last);
        met.extend(page);
    }
    let wanted: Vec<_> = (1..=7)
        .map(|number| (format!("queue {number}"), Some(at(number, "").now)))
        .collect();
    assert_eq!(met, wanted);
}

/// Steps by chance: whatever is done in whatever order, a line that has something pending has
/// something that is due some time, and of those nobody touched only the first.
pub fn any_order_of_steps_keeps_every_line_moving(lab: &Lab) {
    let shop = lab.caller("Shop");
    let bills = [lab.bill(&shop, 1), lab.bill(&shop, 2)];
    let mut all: Vec<DeliveryId> = Vec::new();
    for step in 0..150_u64 {
        let [dice, pick, which, ..] = Seed::new([9; 32]).derive(&format!("step {step}"));
        let when = later(step * 7);
        let number = i64::try_from(step).unwrap() + 1_000;
        match (dice % 7, all.is_empty()) {
            (0 | 1, _) | (_, true) => {
                all.push(put(lab, &bills[usize::from(pick % 2)], number));
            }
            (2 | 3, false) => {
                for (place, taken) in claim(lab, when, "t").iter().enumerate() {
                    let outcome = match (usize::from(which) + place) % 3 {
                        0 => Outcome::Delivered,
                        1 => Outcome::GivenUp,
                        _ => Outcome::RetryAt(when.plus(Span::from_seconds(20))),
                    };
                    let attempt = a_try(taken.attempts + 1, when);
                    settle(lab, &taken.new.id, "t", attempt, outcome);
                }
            }
            (4, false) => resend(lab, &all[usize::from(pick) % all.len()], when),
            (5, false) => {
                resend_in_line(lab, &all[usize::from(pick) % all.len()], when);
            }
            (_, false) => {
                give_up(lab, &all[usize::from(pick) % all.len()], why::SKIPPED);
            }
        }
        for bill in &bills {
            line_moves(lab, bill, &all);
        }
    }
    // Left alone it all ends.
    for round in 0..300_u64 {
        let when = later(10_000 + round);
        for taken in claim(lab, when, "end") {
            let attempt = a_try(taken.attempts + 1, when);
            settle(lab, &taken.new.id, "end", attempt, Outcome::Delivered);
        }
    }
    assert!(all.iter().all(|id| found(lab, id).state != "pending"));
    assert!(all.len() > 30, "the chance was fair");
}

fn line_moves(lab: &Lab, bill: &Bill, all: &[DeliveryId]) {
    let subject = bill.head.wire.to_string();
    let pending: Vec<_> = all
        .iter()
        .map(|id| found(lab, id))
        .filter(|delivery| delivery.new.subject == subject && delivery.state == "pending")
        .collect();
    if pending.is_empty() {
        return;
    }
    assert!(
        pending.iter().any(|delivery| delivery.next.is_some()),
        "a line stands still"
    );
    let untouched: Vec<_> = pending.iter().filter(|d| d.again.is_none()).collect();
    for behind in untouched.iter().skip(1) {
        assert_eq!(behind.next, None, "two of one line are due");
    }
}
