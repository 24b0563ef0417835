//! Every scheme's schedule to the millisecond, and what a receiver may change about it.

use domain::limits::RETRY_AFTER_MAX;
use domain::{Span, Timestamp};
use gateway::schemes::Scheme;

use crate::{Line, found, lab_with, put_one, register, send, state};

/// What a scheme promises: when the attempts after the first are made, in seconds from the first;
/// how much of a wait may be added by chance, in hundredths; how long a receiver may take, in
/// seconds; whether it listens to `Retry-After`; whether 410 ends a delivery.
struct Promise {
    scheme: &'static str,
    retries: Vec<u64>,
    jitter: u64,
    timeout: u64,
    retry_after: bool,
    gone: bool,
}

fn promises() -> Vec<Promise> {
    let of = |scheme, retries, jitter, timeout, (retry_after, gone)| Promise {
        scheme,
        retries,
        jitter,
        timeout,
        retry_after,
        gone,
    };
    let minutes = |list: &[u64]| list.iter().map(|minutes| minutes * 60).collect::<Vec<_>>();
    let hitpay = minutes(&[1, 5, 30, 120, 360]);
    let every_five = (1..15).map(|n| n * 300).collect();
    let cards = minutes(&[1, 5, 15, 60, 360]);
    let ladder = [2, 4, 6, 66, 186].into_iter();
    let ladder = ladder.chain((1..=23).map(|hour| 186 + hour * 3_600));
    let ladder = ladder.chain((1..=6).map(|day| 186 + 23 * 3_600 + day * 86_400));
    let standard = vec![5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    vec![
        of("hitpay", hitpay, 0, 30, (true, false)),
        of("numipay", every_five, 0, 10, (false, false)),
        of("igivepay", cards, 0, 10, (true, false)),
        of("vipps", ladder.collect(), 0, 10, (false, false)),
        of("standard", standard, 10, 20, (true, true)),
    ]
}

/// The promises of every scheme that there is.
fn kept() -> Vec<(Scheme, Promise)> {
    let mut promises = promises();
    let kept: Vec<_> = Scheme::all()
        .map(|scheme| {
            let place = promises.iter().position(|p| p.scheme == scheme.name());
            let place = place.unwrap_or_else(|| panic!("{scheme:?} needs a line in the table"));
            (scheme, promises.remove(place))
        })
        .collect();
    assert!(kept.len() >= 2);
    kept
}

#[tokio::test]
async fn each_scheme_tries_exactly_when_it_says() {
    for (scheme, promise) in kept() {
        let (lab, receiver) = lab_with(500).await;
        let endpoint = register(&lab, scheme, "https://shop.example/hook", &["x"]).await;
        let id = put_one(&lab, &Line::to(&endpoint, scheme, "S"), "n=1").await;
        let first = lab.clock.now();
        assert_eq!(send(&lab).await, 1, "{scheme:?}: the first one at once");
        for seconds in &promise.retries {
            let now = lab.clock.now();
            let planned = first.plus(Span::from_seconds(*seconds));
            let most = planned.since(now).millis() * promise.jitter / 100;
            let next = found(&lab, &id).await.next.unwrap();
            let added = next.since(planned).millis();
            assert!(
                next >= planned && added <= most,
                "{scheme:?}: {seconds} s + {added} ms"
            );
            lab.clock
                .advance(Span::from_millis(next.since(now).millis() - 1));
            assert_eq!(
                send(&lab).await,
                0,
                "{scheme:?}: a moment before {seconds} s"
            );
            lab.clock.advance(Span::from_millis(1));
            assert_eq!(send(&lab).await, 1, "{scheme:?}: {seconds} s");
        }
        let given_up = ("failed".to_owned(), Some("gave_up".to_owned()));
        assert_eq!(state(&lab, &id).await, given_up, "{scheme:?}");
        lab.clock.advance(Span::from_minutes(1_000_000));
        assert_eq!(send(&lab).await, 0, "{scheme:?}: that was all");
        let got = receiver.got.lock().unwrap().clone();
        assert_eq!(got.len(), promise.retries.len() + 1);
        for sent in &got {
            assert_eq!(sent.timeout.as_secs(), promise.timeout, "{scheme:?}");
            let agent = sent.headers.iter().find(|(name, _)| name == "user-agent");
            assert!(agent.is_some_and(|(_, value)| !value.is_empty()));
        }
        let bytes = |sent: &gateway::outbound::Sending| sent.body.clone();
        assert!(got.iter().all(|sent| bytes(sent) == bytes(&got[0])));
    }
}

#[tokio::test]
async fn jitter_differs_from_delivery_to_delivery() {
    let (lab, _) = lab_with(500).await;
    let endpoint = register(&lab, Scheme::Standard, "https://shop.example/", &["x"]).await;
    let mut waits = std::collections::BTreeSet::new();
    for number in 0..20 {
        let line = Line::to(&endpoint, Scheme::Standard, &format!("S{number}"));
        let id = put_one(&lab, &line, "n=1").await;
        let now = lab.clock.now();
        send(&lab).await;
        waits.insert(found(&lab, &id).await.next.unwrap().since(now).millis());
    }
    assert!(waits.len() > 10, "{waits:?}");
}

/// When the next attempt is made after an answer with `Retry-After`.
async fn asked(scheme: Scheme, value: &str) -> (Timestamp, Timestamp) {
    let (lab, receiver) = lab_with(503).await;
    receiver.adds_header("Retry-After", value);
    let endpoint = register(&lab, scheme, "https://shop.example/hook", &["x"]).await;
    let id = put_one(&lab, &Line::to(&endpoint, scheme, "S"), "n=1").await;
    send(&lab).await;
    (lab.clock.now(), found(&lab, &id).await.next.unwrap())
}

#[tokio::test]
async fn retry_after_is_honoured_where_the_scheme_says_so() {
    for (scheme, promise) in kept() {
        let usual = promise.retries[0];
        let usual_most = Span::from_seconds(usual).millis() * (100 + promise.jitter) / 100;
        for (value, wait) in [
            ("1", None),
            ("7200", Some(Span::from_seconds(7_200))),
            ("999999999", Some(RETRY_AFTER_MAX)),
            ("soon", None),
            ("-5", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ] {
            let (now, next) = asked(scheme, value).await;
            let waits = next.since(now);
            match wait.filter(|_| promise.retry_after) {
                Some(wait) => assert_eq!(waits, wait, "{scheme:?}: {value}"),
                None => assert!(
                    (usual * 1_000..=usual_most).contains(&waits.millis()),
                    "{scheme:?}: {value}: {waits:?}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn gone_ends_a_delivery_where_the_scheme_says_so() {
    for (scheme, promise) in kept() {
        let (lab, _) = lab_with(410).await;
        let endpoint = register(&lab, scheme, "https://shop.example/hook", &["x"]).await;
        let id = put_one(&lab, &Line::to(&endpoint, scheme, "S"), "n=1").await;
        send(&lab).await;
        let wanted = if promise.gone {
            ("failed".to_owned(), Some("gone".to_owned()))
        } else {
            ("pending".to_owned(), None)
        };
        assert_eq!(state(&lab, &id).await, wanted, "{scheme:?}");
    }
}

/// An outage, or a pause: what is left of the schedule comes with its pauses.
#[tokio::test]
async fn a_schedule_that_was_held_up_goes_on_with_its_pauses() {
    let (lab, receiver) = lab_with(500).await;
    let scheme = Scheme::by_name("numipay").unwrap();
    let endpoint = register(&lab, scheme, "https://shop.example/hook", &["x"]).await;
    let id = put_one(&lab, &Line::to(&endpoint, scheme, "S"), "n=1").await;
    assert_eq!(send(&lab).await, 1);
    lab.clock.advance(Span::from_minutes(5));
    assert_eq!(send(&lab).await, 1);
    lab.clock.advance(Span::from_minutes(20 * 60));
    receiver.take();
    assert_eq!(send(&lab).await, 1, "one, and not all that were missed");
    while state(&lab, &id).await.0 == "pending" {
        lab.clock.advance(Span::from_minutes(5));
        assert_eq!(send(&lab).await, 1);
    }
    let times = receiver.times();
    assert_eq!(times.len(), 13, "fifteen tries in all");
    assert!(times.windows(2).all(|two| two[1] - two[0] == 300_000));
}
