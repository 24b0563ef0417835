//! Endpoints: what they want to hear, how they fail, when they are warned about, paused, removed.

use domain::delivery::{DeliveryRules, WhenDead};
use domain::endpoint::{Health, Pause, TopicMax};
use domain::{
    Endpoint, EndpointAsk, EndpointState, Fact, Refusal, Span, Timestamp, Topics, WireId,
};
use proptest::prelude::*;

use crate::samples::{NOW, caller, moment};

fn ask(url: &str) -> EndpointAsk {
    EndpointAsk {
        url: url.to_owned(),
        topics: Topics::All,
        label: None,
        per_topic_max: None,
        extras: serde_json::Map::new(),
    }
}

fn endpoint() -> Endpoint {
    let wire = WireId::new("wire").unwrap();
    Endpoint::register(
        &moment(3),
        &caller(),
        "standard",
        wire,
        ask("https://a.example/"),
    )
}

fn rules(when_dead: WhenDead) -> DeliveryRules {
    DeliveryRules {
        retries: vec![Span::from_minutes(1)],
        timeout: Span::from_seconds(10),
        user_agent: "test".to_owned(),
        jitter_percent: 0,
        retry_after: false,
        gone_ends: true,
        warn_after: Some(Span::from_minutes(60)),
        dead_after: Some(Span::from_minutes(300)),
        when_dead,
    }
}

fn minute(count: u64) -> Timestamp {
    NOW.plus(Span::from_minutes(count))
}

#[test]
fn topics_are_exact_or_all_that_begin_so() {
    let some = |list: &[&str]| Topics::Some(list.iter().map(|t| (*t).to_owned()).collect());
    for (topics, topic, wanted) in [
        (Topics::All, "bill.paid", true),
        (some(&[]), "bill.paid", false),
        (some(&["bill.paid"]), "bill.paid", true),
        (some(&["bill.paid"]), "bill.paid.twice", false),
        (some(&["bill.paid"]), "bill.failed", false),
        (some(&["BILL.PAID"]), "bill.paid", false),
        (some(&["bill.*"]), "bill.paid", true),
        (some(&["bill.*"]), "bill.", true),
        (some(&["bill.*"]), "bill", false),
        (some(&["bill.*"]), "billing.paid", false),
        (some(&["bill*"]), "bill.paid", false),
        (some(&["*"]), "bill.paid", false),
        (some(&["x", "payment.*"]), "payment.captured", true),
    ] {
        assert_eq!(topics.wants(topic), wanted, "{topics:?}: {topic}");
    }
}

#[test]
fn failing_is_told_once_then_pauses_or_removes() {
    for (when_dead, end) in [
        (WhenDead::Pause, Fact::EndpointPaused),
        (WhenDead::Remove, Fact::EndpointRemoved),
    ] {
        let rules = rules(when_dead);
        let mut one = endpoint();
        for (at, wanted) in [
            (0, None),
            (59, None),
            (60, Some(Fact::EndpointFailing)),
            (61, None),
            (299, None),
            (300, Some(end)),
        ] {
            let (next, fact) = one.failed(minute(at), &rules, false).unwrap();
            assert_eq!(fact, wanted, "{when_dead:?} after {at} minutes");
            one = next;
        }
        assert_eq!(
            (one.health.failures, one.health.failing_since),
            (6, Some(NOW))
        );
        let at = minute(300);
        let why = Pause::Failing;
        let wanted = match when_dead {
            WhenDead::Pause => EndpointState::Paused { at, why },
            WhenDead::Remove => EndpointState::Removed { at },
        };
        assert_eq!(one.state, wanted);
    }
}

#[test]
fn without_limits_it_may_fail_for_ever() {
    let patient = DeliveryRules {
        warn_after: None,
        dead_after: None,
        ..rules(WhenDead::Remove)
    };
    let mut one = endpoint();
    for at in [0, 1_000, 1_000_000] {
        let (next, fact) = one.failed(minute(at), &patient, false).unwrap();
        assert_eq!(fact, None);
        one = next;
    }
    assert_eq!(one.state, EndpointState::Active);
}

#[test]
fn one_that_was_silent_dies_without_a_warning() {
    let (one, _) = endpoint()
        .failed(NOW, &rules(WhenDead::Pause), false)
        .unwrap();
    let (one, fact) = one
        .failed(minute(9_999), &rules(WhenDead::Pause), false)
        .unwrap();
    assert_eq!(
        fact,
        Some(Fact::EndpointPaused),
        "what matters more is told"
    );
    assert_eq!(one.health.warned, None);
}

#[test]
fn nobody_is_removed_without_a_notice_that_came_in_time() {
    let rules = rules(WhenDead::Remove);
    let (one, _) = endpoint().failed(NOW, &rules, false).unwrap();
    assert_eq!(one.judged_at(&rules), Some(minute(60)));
    // Nothing is sent to it for a long time: what follows is the notice, not the end.
    let (one, fact) = one.failed(minute(9_999), &rules, false).unwrap();
    assert_eq!(fact, Some(Fact::EndpointFailing));
    let end = minute(9_999 + 240);
    assert_eq!(one.judged_at(&rules), Some(end));
    let (one, fact) = one.failed(minute(9_999 + 239), &rules, false).unwrap();
    assert_eq!(fact, None);
    let (one, fact) = one.waited(end, &rules).unwrap();
    assert_eq!(fact, Some(Fact::EndpointRemoved));
    assert_eq!(one.judged_at(&rules), None);
}

#[test]
fn time_alone_warns_and_removes_where_the_scheme_removes() {
    let rules = rules(WhenDead::Remove);
    let (failing, _) = endpoint().failed(NOW, &rules, false).unwrap();
    let (same, fact) = failing.clone().waited(minute(59), &rules).unwrap();
    assert_eq!((same, fact), (failing.clone(), None));
    let (warned, fact) = failing.waited(minute(60), &rules).unwrap();
    assert_eq!(fact, Some(Fact::EndpointFailing));
    assert_eq!(warned.judged_at(&rules), Some(minute(300)));
    let (same, fact) = warned.clone().waited(minute(299), &rules).unwrap();
    assert_eq!((same, fact), (warned.clone(), None), "told once");
    let (gone, fact) = warned.waited(minute(300), &rules).unwrap();
    assert_eq!(fact, Some(Fact::EndpointRemoved));
    assert!(gone.is_removed());
}

#[test]
fn time_alone_leaves_alone_what_is_healthy_paused_or_of_a_patient_scheme() {
    let late = minute(99_999);
    let removing = rules(WhenDead::Remove);
    let pausing = rules(WhenDead::Pause);
    let (failing, _) = endpoint().failed(NOW, &removing, false).unwrap();
    let paused = failing.clone().pause(NOW, Pause::ByHand).unwrap();
    for (one, rules) in [
        (endpoint(), &removing),
        (paused, &removing),
        (failing.clone(), &pausing),
        (failing.succeeded(), &removing),
    ] {
        assert_eq!(one.judged_at(rules), None);
        let (same, fact) = one.clone().waited(late, rules).unwrap();
        assert_eq!((same, fact), (one, None));
    }
}

#[test]
fn a_removal_can_be_taken_back() {
    let (failing, _) = endpoint()
        .failed(NOW, &rules(WhenDead::Remove), false)
        .unwrap();
    let removed = failing.clone().remove(minute(1)).unwrap();
    let back = removed.restore().unwrap();
    assert_eq!(
        (back.state, back.health),
        (EndpointState::Active, Health::default())
    );
    let wrong = Refusal::WrongState("not removed".to_owned());
    assert_eq!(failing.restore().err(), Some(wrong));
}

#[test]
fn two_at_one_address_that_hear_the_same_are_doubles() {
    let other = |url: &str, topics: Topics| {
        let ask = EndpointAsk { topics, ..ask(url) };
        let wire = WireId::new("other").unwrap();
        Endpoint::register(&moment(4), &caller(), "standard", wire, ask)
    };
    let some = |list: &[&str]| Topics::Some(list.iter().map(|t| (*t).to_owned()).collect());
    let here = "https://a.example/";
    let one = other(here, some(&["bill.paid", "payment.*"]));
    for (url, topics, doubled) in [
        (here, Topics::All, true),
        (here, some(&["bill.paid"]), true),
        (here, some(&["payment.captured"]), true),
        (here, some(&["bill.*"]), true),
        (here, some(&["bill.failed"]), false),
        (here, some(&[]), false),
        ("https://a.example/2", Topics::All, false),
    ] {
        let mut two = other(url, topics.clone());
        two.head.id = endpoint().head.id;
        assert_eq!(one.doubles(&two), doubled, "{url} {topics:?}");
        assert_eq!(two.doubles(&one), doubled, "{url} {topics:?}");
    }
    assert!(!one.doubles(&one), "itself");
    let gone = endpoint().remove(NOW).unwrap();
    assert!(!one.doubles(&gone));
}

#[test]
fn a_topic_may_have_a_limit_of_its_own() {
    let most = TopicMax {
        usual: 25,
        own: vec![("once", 1)],
        in_all: 100,
    };
    assert_eq!((most.of("once"), most.of("often")), (1, 25));
}

#[test]
fn a_success_forgets_and_begins_anew() {
    let rules = rules(WhenDead::Pause);
    let (one, _) = endpoint().failed(NOW, &rules, false).unwrap();
    let (one, warned) = one.failed(minute(60), &rules, false).unwrap();
    assert_eq!(warned, Some(Fact::EndpointFailing));
    let one = one.succeeded();
    assert_eq!(one.health, Health::default());
    let (one, fact) = one.failed(minute(300), &rules, false).unwrap();
    assert_eq!((fact, one.state), (None, EndpointState::Active));
    let (_, fact) = one.failed(minute(360), &rules, false).unwrap();
    assert_eq!(
        fact,
        Some(Fact::EndpointFailing),
        "told again: it is another time"
    );
}

#[test]
fn gone_pauses_at_once_and_one_that_is_paused_stays_as_it_is() {
    let rules = rules(WhenDead::Remove);
    let (gone, fact) = endpoint().failed(NOW, &rules, true).unwrap();
    let paused = EndpointState::Paused {
        at: NOW,
        why: Pause::Gone,
    };
    assert_eq!((gone.state, fact), (paused, Some(Fact::EndpointPaused)));
    // Attempts that were under way end afterwards.
    let (late, fact) = gone.clone().failed(minute(9_999), &rules, true).unwrap();
    assert_eq!((late.state, fact), (paused, None));
    let by_hand = gone.pause(minute(1), Pause::ByHand).unwrap();
    assert_eq!(by_hand.state, paused, "the first reason stays");
    let resumed = by_hand.resume().unwrap();
    assert_eq!(
        (resumed.state, resumed.health),
        (EndpointState::Active, Health::default())
    );
}

#[test]
fn a_removed_one_stays_removed() {
    let removed = endpoint().remove(NOW).unwrap();
    assert!(removed.is_removed());
    let wrong = Refusal::WrongState("removed".to_owned());
    let rules = rules(WhenDead::Pause);
    let refused = [
        removed.clone().change(ask("https://b.example/")).err(),
        removed.clone().pause(NOW, Pause::ByHand).err(),
        removed.clone().resume().err(),
        removed.clone().remove(NOW).err(),
        removed.failed(NOW, &rules, false).err(),
    ];
    for refusal in refused {
        assert_eq!(refusal, Some(wrong.clone()));
    }
}

#[test]
fn a_change_keeps_who_it_is_and_how_it_has_been_doing() {
    let (failing, _) = endpoint()
        .failed(NOW, &rules(WhenDead::Pause), false)
        .unwrap();
    let changed = failing.clone().change(ask("https://b.example/")).unwrap();
    assert_eq!(changed.url, "https://b.example/");
    assert_eq!(
        (&changed.head, changed.health),
        (&failing.head, failing.health)
    );
    assert!(changed.version > failing.version);
}

proptest! {
    /// Whatever happens to an endpoint in whatever order: every change is a new version, it is
    /// warned about once in a bad time, and only a removal ends it.
    #[test]
    fn any_history_keeps_the_rules(steps in prop::collection::vec((0_u8..6, 0_u64..400), 1..60)) {
        let rules = rules(WhenDead::Pause);
        let (mut one, mut now, mut warned) = (endpoint(), 0, false);
        for (kind, wait) in steps {
            now += wait;
            let before = one.clone();
            one = match kind {
                0 => one.succeeded(),
                1 => one.pause(minute(now), Pause::ByHand).unwrap(),
                2 => one.resume().unwrap(),
                _ => {
                    let (next, fact) = one.failed(minute(now), &rules, kind == 5).unwrap();
                    prop_assert!(!(fact == Some(Fact::EndpointFailing) && warned), "told twice");
                    prop_assert_eq!(
                        fact == Some(Fact::EndpointPaused),
                        before.state == EndpointState::Active && next.state != before.state
                    );
                    warned |= fact == Some(Fact::EndpointFailing);
                    next
                }
            };
            warned &= one.health != Health::default();
            prop_assert_eq!(one.version, before.version + 1);
            prop_assert_eq!(&one.head, &before.head);
            prop_assert!(!one.is_removed());
            prop_assert_eq!(one.health.failures == 0, one.health.failing_since.is_none());
            prop_assert!(one.health.warned.is_none() || one.health.failures > 0);
        }
    }
}
