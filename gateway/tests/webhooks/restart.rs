//! A process may end between any two steps; nothing is lost, and nothing that was certainly taken
//! is sent again.

use domain::{Span, Timestamp};
use gateway::operations::payments;
use gateway::schemes::Scheme;
use gateway::workers;
use store::tables::deliveries::{self as outbox, Claim};

use crate::lab::{HITPAY, Lab, form};
use crate::{Line, lab_with, put_one, register, send, state};

/// The steps of one webhook's life: three answers that fail in different ways, then a good one.
const STEPS: usize = 12;

/// When each attempt was made, counted from the payment, with a restart after the steps that
/// `restarts` picks.
async fn life(restarts: impl Fn(usize) -> bool) -> (Vec<i64>, Vec<String>) {
    let (mut lab, receiver) = lab_with(500).await;
    let mut id = None;
    let begin = lab.clock.now();
    for step in 0..STEPS {
        match step {
            0 => id = Some(lab.bill(false, None).await),
            1 => {
                let card = form("4242424242424242", "once");
                let id = id.clone().unwrap();
                payments::pay(&lab.app, HITPAY, &id, card).await.unwrap();
            }
            2 | 4 | 6 | 8 | 10 => {
                receiver.answers([500, 0, 301, 200, 200][step / 2 - 1]);
                send(&lab).await;
            }
            3 => lab.clock.advance(Span::from_minutes(1)),
            5 => lab.clock.advance(Span::from_minutes(4)),
            7 => lab.clock.advance(Span::from_minutes(25)),
            _ => lab.clock.advance(Span::from_minutes(10_000)),
        }
        if restarts(step) {
            lab = lab.reopen().await;
        }
    }
    send(&lab).await;
    let times = receiver.times();
    let times = times.iter().map(|at| at - begin.millis()).collect();
    (times, receiver.take())
}

#[tokio::test]
async fn a_restart_between_any_two_steps_changes_nothing() {
    let wanted = [0, 60_000, 300_000, 1_800_000].to_vec();
    let (times, bodies) = life(|_| false).await;
    assert_eq!(times, wanted);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    for after in 0..STEPS {
        let (times, bodies) = life(|step| step == after).await;
        assert_eq!(times, wanted, "a restart after step {after}");
        assert!(bodies.iter().all(|body| *body == bodies[0]));
    }
    let (times, _) = life(|_| true).await;
    assert_eq!(times, wanted, "a restart after every step");
}

async fn claim(lab: &Lab, queue: &str, token: &'static str) -> usize {
    let (now, queue) = (lab.clock.now(), queue.to_owned());
    let taken = lab.app.store.write("take", move |tx| {
        let claim = Claim {
            queue: &queue,
            now,
            until: now.plus(Span::from_seconds(60)),
            token,
            limit: 10,
        };
        Ok(outbox::claim(tx, claim)?.len())
    });
    taken.await.unwrap()
}

#[tokio::test]
async fn what_was_under_way_goes_out_again_at_once_and_with_its_id() {
    let (lab, receiver) = lab_with(200).await;
    let endpoint = register(&lab, Scheme::Standard, "https://shop.example/", &["x"]).await;
    let id = put_one(&lab, &Line::to(&endpoint, Scheme::Standard, "A"), "A1").await;
    // It is taken, perhaps sent, and the process is killed before it could write that down.
    assert_eq!(claim(&lab, endpoint.head.id.as_str(), "dead").await, 1);
    assert_eq!(send(&lab).await, 0, "somebody may still hold it");
    let lab = lab.reopen().await;
    assert_eq!(send(&lab).await, 1);
    let got = receiver.got.lock().unwrap().clone();
    let webhook_id = got[0].headers.iter().find(|(name, _)| name == "webhook-id");
    assert_eq!(
        webhook_id.unwrap().1,
        id.as_str(),
        "so the receiver knows it again"
    );
    assert_eq!(state(&lab, &id).await.0, "delivered");
}

#[tokio::test]
async fn without_a_restart_the_lease_runs_out() {
    let (lab, receiver) = lab_with(200).await;
    let line = Line::one_off("a host", "A");
    put_one(&lab, &line, "A1").await;
    assert_eq!(claim(&lab, "a host", "gone").await, 1);
    lab.clock.advance(Span::from_millis(59_999));
    assert_eq!(send(&lab).await, 0);
    lab.clock.advance(Span::from_millis(1));
    assert_eq!((send(&lab).await, receiver.count()), (1, 1));
}

/// Only an answer that nobody heard may lead to a second request; a good one never does.
#[tokio::test]
async fn nothing_that_was_taken_is_sent_twice() {
    let (mut lab, receiver) = lab_with(200).await;
    let endpoint = register(&lab, Scheme::Standard, "https://shop.example/", &["x"]).await;
    for round in 0..8 {
        for subject in ["A", "B", "C"] {
            let line = Line::to(&endpoint, Scheme::Standard, subject);
            put_one(&lab, &line, &format!("{subject}{round};")).await;
        }
        if round % 3 == 0 {
            receiver.answers_to(&format!("B{round};"), 503);
        }
        send(&lab).await;
        lab = lab.reopen().await;
        workers::take_over(&lab.app).await.unwrap();
        lab.clock.advance(Span::from_minutes(6));
    }
    for round in 0..8 {
        receiver.answers_to(&format!("B{round};"), 200);
    }
    for _ in 0..20 {
        send(&lab).await;
        lab.clock.advance(Span::from_minutes(200));
    }
    let got = receiver.take();
    for round in 0..8 {
        for subject in ["A", "C"] {
            let body = format!("{subject}{round};");
            let count = got.iter().filter(|known| **known == body).count();
            assert_eq!(count, 1, "{body}");
        }
    }
    let good: Vec<&String> = got.iter().filter(|body| body.starts_with('A')).collect();
    assert!(good.is_sorted(), "{good:?}");
    assert!(lab.clock.now() > Timestamp::from_millis(0));
}

/// That a webhook was taken is not synced: a power cut may lose it, and nothing else.
#[tokio::test]
async fn a_delivery_whose_record_a_power_cut_took_is_sent_again() {
    let (lab, receiver) = lab_with(200).await;
    let endpoint = register(&lab, Scheme::Standard, "https://shop.example/", &["x"]).await;
    let id = put_one(&lab, &Line::to(&endpoint, Scheme::Standard, "A"), "A1").await;
    let disk = lab.disk();
    assert_eq!(
        (send(&lab).await, state(&lab, &id).await.0),
        (1, "delivered".to_owned())
    );
    let lab = lab.power_cut(disk).await;
    assert_eq!(
        state(&lab, &id).await.0,
        "pending",
        "nobody knows of it any more"
    );
    assert_eq!(
        (send(&lab).await, state(&lab, &id).await.0),
        (1, "delivered".to_owned())
    );
    let got = receiver.got.lock().unwrap().clone();
    let named = |sent: &gateway::outbound::Sending| {
        let id = sent.headers.iter().find(|(name, _)| name == "webhook-id");
        (id.unwrap().1.clone(), sent.body.clone())
    };
    assert_eq!(got.len(), 2);
    assert_eq!(
        named(&got[0]),
        named(&got[1]),
        "the receiver knows it again"
    );
    assert_eq!(named(&got[0]).0, id.as_str());
    assert_eq!(send(&lab).await, 0, "once more and no oftener");
}

/// A line of three, and the power fails after each of its steps: whatever was synced by then, the
/// receiver sees repetitions at most of the last one that it had.
#[tokio::test]
async fn a_power_cut_never_turns_a_line_round() {
    for steps in 0..3 {
        let (lab, receiver) = lab_with(200).await;
        let line = Line::one_off("a host", "A");
        let mut ids = Vec::new();
        for body in ["A1", "A2", "A3"] {
            ids.push(put_one(&lab, &line, body).await);
        }
        for _ in 0..steps {
            assert_eq!(workers::webhooks::tick(&lab.app).await.unwrap(), 1);
        }
        // The record of what came before was synced, because it made this one due.
        let disk = lab.disk();
        assert_eq!(workers::webhooks::tick(&lab.app).await.unwrap(), 1);
        let lab = lab.power_cut(disk).await;
        send(&lab).await;
        let mut wanted = vec!["A1", "A2", "A3"];
        wanted.insert(steps, wanted[steps]);
        let came = receiver.take();
        let came: Vec<&str> = came.iter().map(|body| &body[..2]).collect();
        assert_eq!(came, wanted, "cut in step {steps}");
        for id in &ids {
            assert_eq!(state(&lab, id).await.0, "delivered");
        }
    }
}
