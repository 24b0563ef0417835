//! An endpoint that fails: its owner is told, it is paused by itself, resumed by hand, and what
//! waited arrives in order; a removed one gives up what waits, and says so.

use domain::endpoint::Pause;
use domain::{EndpointState, Span};
use gateway::operations::deliveries::{self, Standing};
use gateway::operations::endpoints;
use gateway::schemes::Scheme;
use store::Failure;
use store::tables::deliveries::why;

use crate::lab::Lab;
use crate::{Line, audited, lab_with, put_one, register, send, state, who};

const HOOK: &str = "https://shop.example/hook";
const WATCH: &str = "https://ops.example/watch";

/// What the watching endpoint was told.
fn told(receiver: &crate::receiver::Receiver) -> Vec<String> {
    let got = receiver.got.lock().unwrap();
    let kind = |body: &str| {
        let json: serde_json::Value = serde_json::from_str(body).ok()?;
        json["type"].as_str().map(str::to_owned)
    };
    got.iter()
        .filter(|sent| sent.url == WATCH)
        .filter_map(|sent| kind(&sent.body))
        .collect()
}

async fn endpoint_state(lab: &Lab, id: &domain::EndpointId) -> EndpointState {
    let shown = endpoints::show(&lab.app, &lab.caller, id).await;
    shown.unwrap().state
}

#[tokio::test]
async fn an_endpoint_is_warned_about_then_paused_and_resumed_in_order() {
    let (lab, receiver) = lab_with(200).await;
    register(&lab, Scheme::Standard, WATCH, &["endpoint.*"]).await;
    let endpoint = register(&lab, Scheme::Standard, HOOK, &["x"]).await;
    let id = endpoint.head.id.clone();
    let rules = lab.app.rules("standard");
    let (warn, dead) = (rules.warn_after.unwrap(), rules.dead_after.unwrap());
    assert!(warn < dead);
    let mut ids = Vec::new();
    let mut line = async |lab: &Lab, body: &str| {
        receiver.answers_to(body, 500);
        let line = Line::to(&endpoint, Scheme::Standard, body);
        ids.push(put_one(lab, &line, body).await);
        send(lab).await;
    };
    line(&lab, "first;").await;
    lab.clock.advance(Span::from_millis(warn.millis() - 1));
    line(&lab, "second;").await;
    assert_eq!(told(&receiver), ["endpoint.registered"], "not yet");
    lab.clock.advance(Span::from_millis(1));
    line(&lab, "third;").await;
    line(&lab, "fourth;").await;
    assert_eq!(told(&receiver)[1..], ["endpoint.failing"], "once");
    lab.clock
        .advance(Span::from_millis(dead.millis() - warn.millis() - 1));
    line(&lab, "fifth;").await;
    assert_eq!(endpoint_state(&lab, &id).await, EndpointState::Active);
    lab.clock.advance(Span::from_millis(1));
    line(&lab, "sixth;").await;
    let since = lab.clock.now();
    let why = Pause::Failing;
    assert_eq!(
        endpoint_state(&lab, &id).await,
        EndpointState::Paused { at: since, why }
    );
    assert_eq!(
        told(&receiver)[1..],
        ["endpoint.failing", "endpoint.paused"]
    );
    let automatic = [
        ("florin", "endpoint.failing"),
        ("florin", "endpoint.paused"),
    ];
    let automatic = automatic.map(|(who, what)| (who.to_owned(), what.to_owned()));
    assert_eq!(audited(&lab, id.as_str()).await[1..], automatic);
    resumed_in_order(&lab, &receiver, &endpoint).await;
}

async fn resumed_in_order(
    lab: &Lab,
    receiver: &crate::receiver::Receiver,
    endpoint: &domain::Endpoint,
) {
    let id = &endpoint.head.id;
    let line = Line::to(endpoint, Scheme::Standard, "one payment");
    let mut waiting = Vec::new();
    for body in ["w1", "w2", "w3"] {
        waiting.push(put_one(lab, &line, body).await);
    }
    receiver.take();
    lab.clock.advance(Span::from_minutes(1));
    assert_eq!(send(lab).await, 0, "nothing goes to a paused endpoint");
    let (seen, standing) = deliveries::show(&lab.app, &lab.caller, &waiting[0])
        .await
        .unwrap();
    assert_eq!((seen.state(), seen.next_attempt()), ("paused", None));
    assert!(matches!(
        standing,
        Standing::Paused {
            why: Pause::Failing,
            ..
        }
    ));
    endpoints::resume(&lab.app, &who(lab), id).await.unwrap();
    endpoints::resume(&lab.app, &who(lab), id).await.unwrap();
    send(lab).await;
    let sent = receiver.take();
    let of_line: Vec<_> = sent.iter().filter(|body| body.starts_with('w')).collect();
    assert_eq!(of_line, ["w1", "w2", "w3"]);
    let resumed = sent.iter().filter(|body| body.contains("endpoint.resumed"));
    assert_eq!(resumed.count(), 1, "what is done twice is told once");
    let shown = endpoints::show(&lab.app, &lab.caller, id).await.unwrap();
    assert_eq!(shown.health.warned, None, "its past is forgotten");
    let last = audited(lab, id.as_str()).await.pop();
    assert_eq!(
        last,
        Some(("tester".to_owned(), "endpoint.resumed".to_owned()))
    );
}

#[tokio::test]
async fn one_success_ends_a_bad_time() {
    let (lab, receiver) = lab_with(500).await;
    let endpoint = register(&lab, Scheme::Standard, HOOK, &["x"]).await;
    let rules = lab.app.rules("standard");
    let dead = rules.dead_after.unwrap();
    for (subject, status) in [("A", 500), ("B", 200), ("C", 500)] {
        receiver.answers(status);
        put_one(
            &lab,
            &Line::to(&endpoint, Scheme::Standard, subject),
            subject,
        )
        .await;
        send(&lab).await;
        lab.clock.advance(Span::from_millis(dead.millis() / 2 + 1));
    }
    send(&lab).await;
    let state = endpoint_state(&lab, &endpoint.head.id).await;
    assert_eq!(
        state,
        EndpointState::Active,
        "it never failed for all that time"
    );
}

#[tokio::test]
async fn a_removed_endpoint_gives_up_what_waits_and_lists_it() {
    let (lab, receiver) = lab_with(500).await;
    register(&lab, Scheme::Standard, WATCH, &["endpoint.removed"]).await;
    let endpoint = register(&lab, Scheme::Standard, HOOK, &["x"]).await;
    let line = Line::to(&endpoint, Scheme::Standard, "A");
    let (first, second) = (
        put_one(&lab, &line, "A1").await,
        put_one(&lab, &line, "A2").await,
    );
    send(&lab).await;
    let id = &endpoint.head.id;
    endpoints::remove(&lab.app, &who(&lab), id).await.unwrap();
    for delivery in [&first, &second] {
        let removed = ("failed".to_owned(), Some(why::REMOVED.to_owned()));
        assert_eq!(state(&lab, delivery).await, removed);
        let (_, standing) = deliveries::show(&lab.app, &lab.caller, delivery)
            .await
            .unwrap();
        assert_eq!(standing, Standing::GivenUp(why::REMOVED.to_owned()));
    }
    receiver.answers(200);
    lab.clock.advance(Span::from_minutes(100_000));
    send(&lab).await;
    assert_eq!(told(&receiver), ["endpoint.removed"]);
    // Nothing can be sent there again, so nothing pretends to.
    let again = deliveries::resend(&lab.app, &who(&lab), &first).await;
    assert!(matches!(again, Err(Failure::Refused(_))), "{again:?}");
    assert_eq!(state(&lab, &first).await.0, "failed");
    for gone in [
        endpoints::pause(&lab.app, &who(&lab), id).await,
        endpoints::resume(&lab.app, &who(&lab), id).await,
        endpoints::remove(&lab.app, &who(&lab), id).await,
        endpoints::test(&lab.app, &who(&lab), id).await,
    ] {
        assert!(matches!(gone, Err(Failure::Refused(_))), "{gone:?}");
    }
}

#[tokio::test]
async fn pausing_by_hand_holds_back_and_says_why() {
    let (lab, receiver) = lab_with(200).await;
    let endpoint = register(&lab, Scheme::Standard, HOOK, &["x"]).await;
    let id = &endpoint.head.id;
    endpoints::pause(&lab.app, &who(&lab), id).await.unwrap();
    let delivery = put_one(&lab, &Line::to(&endpoint, Scheme::Standard, "A"), "A1").await;
    assert_eq!((send(&lab).await, receiver.count()), (0, 0));
    let since = lab.clock.now();
    let (_, standing) = deliveries::show(&lab.app, &lab.caller, &delivery)
        .await
        .unwrap();
    let why = Pause::ByHand;
    assert_eq!(standing, Standing::Paused { since, why });
    assert_eq!(
        gateway::workers::next_due(&lab.app, since).await.unwrap(),
        None
    );
    endpoints::resume(&lab.app, &who(&lab), id).await.unwrap();
    assert_eq!(send(&lab).await, 1);
}
