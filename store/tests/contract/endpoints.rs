use domain::delivery::Outcome;
use domain::endpoint::{Health, Pause};
use domain::{
    Bill, Caller, DeliveryId, Endpoint, EndpointAsk, EndpointState, Fact, Span, Timestamp, Topics,
    WireId,
};
use store::tables::deliveries::{self as outbox, Claim, Delivery, Filter, New, Range, why};
use store::tables::{endpoints, events};

use crate::lab::{Lab, at, event};
use crate::outbox::{a_try, found, new, settle};

fn ask(url: &str) -> EndpointAsk {
    let mut extras = serde_json::Map::new();
    extras.insert("name".to_owned(), "Kasse – 1".into());
    EndpointAsk {
        url: url.to_owned(),
        topics: Topics::Some(vec!["bill.paid".to_owned(), "payment.*".to_owned()]),
        label: Some("stock".to_owned()),
        per_topic_max: None,
        extras,
    }
}

fn endpoint(caller: &Caller, number: i64) -> Endpoint {
    let at = at(number, &format!("endpoint {number}"));
    let wire = WireId::new(format!("{}-hook-{number}", caller.merchant.slug)).unwrap();
    Endpoint::register(&at, caller, "standard", wire, ask("https://shop.example/a"))
}

fn saved(lab: &Lab, caller: &Caller, number: i64) -> Endpoint {
    let endpoint = endpoint(caller, number);
    let kept = endpoint.clone();
    lab.write(move |tx| Ok(endpoints::insert(tx, &kept)?))
        .unwrap();
    endpoint
}

fn update(lab: &Lab, before: &Endpoint, after: &Endpoint) -> Result<(), store::Failure> {
    let (version, after) = (before.version, after.clone());
    lab.write(move |tx| Ok(endpoints::update(tx, &after, version)?))
}

fn by_id(lab: &Lab, endpoint: &Endpoint) -> Option<Endpoint> {
    let id = endpoint.head.id.clone();
    lab.read(move |tx| Ok(endpoints::by_id(tx, &id)?)).unwrap()
}

/// A delivery to an endpoint, written at a time.
fn put(lab: &Lab, bill: &Bill, to: &Endpoint, number: i64) -> DeliveryId {
    let to = (to.head.id.clone(), to.url.clone());
    let event = event(bill, Fact::BillPaid, number);
    let delivery = New {
        queue: to.0.to_string(),
        endpoint: Some(to.0),
        target: to.1,
        ..new(bill, number)
    };
    let id = delivery.id.clone();
    lab.write(move |tx| {
        events::insert(tx, &event)?;
        Ok(outbox::insert(tx, &delivery, at(number, "").now)?)
    })
    .unwrap();
    id
}

fn claim(lab: &Lab, from: &Endpoint, now: Timestamp) -> Vec<Delivery> {
    let queue = from.head.id.to_string();
    lab.write(move |tx| {
        let claim = Claim {
            queue: &queue,
            now,
            until: now.plus(Span::from_seconds(60)),
            token: "t",
            limit: 100,
        };
        Ok(outbox::claim(tx, claim)?)
    })
    .unwrap()
}

fn queues(lab: &Lab) -> Vec<String> {
    let found = lab
        .read(|tx| Ok(outbox::queues(tx, at(0, "").now, "", 10)?))
        .unwrap();
    found.into_iter().map(|(queue, _)| queue).collect()
}

pub fn an_endpoint_comes_back_as_it_was_saved(lab: &Lab) {
    let shop = lab.caller("Shop");
    let first = saved(lab, &shop, 1);
    assert_eq!(by_id(lab, &first), Some(first.clone()));
    let wire = first.head.wire.clone();
    let named = lab.read(move |tx| Ok(endpoints::by_wire(tx, "standard", &wire)?));
    assert_eq!(named.unwrap(), Some(first.clone()));
    let wire = first.head.wire.clone();
    let other = lab.read(move |tx| Ok(endpoints::by_wire(tx, "hitpay", &wire)?));
    assert_eq!(other.unwrap(), None, "a name counts within its scheme");
    let mut before = first;
    for why in [Pause::ByHand, Pause::Failing, Pause::Gone] {
        let mut paused = before.clone().pause(at(5, "").now, why).unwrap();
        paused.health = Health {
            failures: 7,
            failing_since: Some(at(2, "").now),
            warned: Some(at(4, "").now),
        };
        paused.topics = Topics::All;
        paused.label = None;
        update(lab, &before, &paused).unwrap();
        assert_eq!(by_id(lab, &paused), Some(paused.clone()), "{why:?}");
        before = paused.clone().resume().unwrap();
        update(lab, &paused, &before).unwrap();
        assert_eq!(by_id(lab, &before), Some(before.clone()));
    }
}

pub fn an_update_needs_the_version_that_was_read(lab: &Lab) {
    let shop = lab.caller("Shop");
    let read = saved(lab, &shop, 1);
    let faster = read.clone().pause(at(5, "").now, Pause::ByHand).unwrap();
    update(lab, &read, &faster).unwrap();
    let slower = read.clone().change(ask("https://shop.example/b")).unwrap();
    assert!(update(lab, &read, &slower).is_err());
    assert_eq!(by_id(lab, &read), Some(faster));
}

pub fn removed_ones_are_found_and_not_listed(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let (one, two) = (saved(lab, &shop, 1), saved(lab, &shop, 2));
    saved(lab, &other, 3);
    let removed = one.clone().remove(at(9, "").now).unwrap();
    update(lab, &one, &removed).unwrap();
    let (merchant, mode) = (shop.merchant.id.clone(), shop.mode);
    let (own, all, gone) = lab
        .read(move |tx| {
            Ok((
                endpoints::of_merchant(tx, &merchant, mode)?,
                endpoints::all(tx, 10)?.len(),
                endpoints::to_empty(tx)?,
            ))
        })
        .unwrap();
    assert_eq!(own, [two]);
    assert_eq!((all, gone), (2, Some(one.head.id.clone())));
    assert!(by_id(lab, &one).is_some_and(|known| known.is_removed()));
}

pub fn those_that_fail_are_found_page_by_page(lab: &Lab) {
    let shop = lab.caller("Shop");
    let failing = |number: i64| {
        let one = saved(lab, &shop, number);
        let mut bad = one.clone().pause(at(5, "").now, Pause::ByHand).unwrap();
        bad = bad.resume().unwrap();
        bad.health = Health {
            failures: 1,
            failing_since: Some(at(number, "").now),
            warned: None,
        };
        update(lab, &one, &bad).unwrap();
        bad
    };
    let (first, second) = (failing(1), failing(2));
    saved(lab, &shop, 3);
    let paused = failing(4);
    let waits = paused.clone().pause(at(9, "").now, Pause::Failing).unwrap();
    update(lab, &paused, &waits).unwrap();
    let found = |scheme: &'static str, after: Option<&Endpoint>, limit| {
        let after = after.map(|endpoint| endpoint.head.id.clone());
        lab.read(move |tx| Ok(endpoints::failing(tx, scheme, after.as_ref(), limit)?))
            .unwrap()
    };
    let mut both = vec![first, second];
    both.sort_by(|a, b| a.head.id.as_str().cmp(b.head.id.as_str()));
    assert_eq!(found("standard", None, 10), both);
    assert_eq!(found("standard", None, 1), both[..1]);
    assert_eq!(found("standard", Some(&both[0]), 10), both[1..]);
    assert_eq!(found("standard", Some(&both[1]), 10), []);
    assert_eq!(found("hitpay", None, 10), []);
}

pub fn a_removal_is_listed_and_taken_back(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let remove = |endpoint: &Endpoint, number: i64| {
        let removed = endpoint.clone().remove(at(number, "").now).unwrap();
        update(lab, endpoint, &removed).unwrap();
        removed
    };
    let first = remove(&saved(lab, &shop, 1), 20);
    let second = remove(&saved(lab, &shop, 2), 10);
    saved(lab, &shop, 3);
    remove(&saved(lab, &other, 4), 30);
    let listed = |limit| {
        let (merchant, mode) = (shop.merchant.id.clone(), shop.mode);
        lab.read(move |tx| Ok(endpoints::removed(tx, &merchant, mode, limit)?))
            .unwrap()
    };
    assert_eq!(listed(10), [first.clone(), second], "the last one first");
    assert_eq!(listed(1), std::slice::from_ref(&first));
    let id = first.head.id.clone();
    lab.write(move |tx| Ok(endpoints::emptied(tx, &id)?))
        .unwrap();
    let back = first.clone().restore().unwrap();
    let (kept, version) = (back.clone(), first.version);
    lab.write(move |tx| Ok(endpoints::restore(tx, &kept, version)?))
        .unwrap();
    assert_eq!(by_id(lab, &first), Some(back.clone()));
    assert_eq!(listed(10).len(), 1);
    let late = back.clone();
    let again = lab.write(move |tx| Ok(endpoints::restore(tx, &late, version)?));
    assert!(again.is_err(), "over the version that was read");
    // Should it be removed again, its queue is emptied again.
    remove(&back, 40);
    let waiting = lab.read(|tx| Ok(endpoints::to_empty(tx)?)).unwrap();
    assert!(waiting.is_some());
}

pub fn one_name_on_the_wire_is_given_once_in_a_scheme(lab: &Lab) {
    let shop = lab.caller("Shop");
    let first = saved(lab, &shop, 1);
    let mut twin = endpoint(&shop, 2);
    twin.head.wire = first.head.wire.clone();
    let kept = twin.clone();
    assert!(
        lab.write(move |tx| Ok(endpoints::insert(tx, &kept)?))
            .is_err()
    );
    twin.head.scheme = "hitpay".to_owned();
    lab.write(move |tx| Ok(endpoints::insert(tx, &twin)?))
        .unwrap();
}

pub fn secrets_end_while_they_are_replaced(lab: &Lab) {
    let shop = lab.caller("Shop");
    let (own, other) = (saved(lab, &shop, 1), saved(lab, &shop, 2));
    let put = |text: &'static str, now: i64, end: i64| {
        let id = own.head.id.clone();
        lab.write(move |tx| {
            let (now, end) = (at(now, "").now, at(end, "").now);
            Ok(endpoints::put_secret(tx, &id, text, now, end)?)
        })
        .unwrap();
    };
    let valid = |of: &Endpoint, now: i64| -> Vec<(i64, String, Option<Timestamp>)> {
        let id = of.head.id.clone();
        lab.read(move |tx| Ok(endpoints::secrets(tx, &id, at(now, "").now)?))
            .unwrap()
            .into_iter()
            .map(|secret| (secret.number, secret.sealed, secret.ends))
            .collect()
    };
    assert_eq!(valid(&own, 0), []);
    put("first", 1, 1);
    assert_eq!(valid(&own, 1), [(1, "first".to_owned(), None)]);
    put("second", 10, 20);
    let (old, new) = (
        (1, "first".to_owned(), Some(at(20, "").now)),
        (2, "second".to_owned(), None),
    );
    assert_eq!(valid(&own, 10), [new.clone(), old.clone()], "newest first");
    assert_eq!(valid(&own, 19), [new.clone(), old.clone()]);
    assert_eq!(
        valid(&own, 20),
        [new],
        "its end is the first moment without it"
    );
    put("third", 15, 25);
    let numbers: Vec<_> = valid(&own, 16)
        .into_iter()
        .map(|(n, _, ends)| (n, ends))
        .collect();
    let ends = |at_: i64| Some(at(at_, "").now);
    assert_eq!(
        numbers,
        [(3, None), (2, ends(25)), (1, ends(20))],
        "an end stays as it was"
    );
    assert_eq!(valid(&other, 16), [], "another endpoint's are its own");
}

pub fn a_paused_endpoint_gets_nothing_and_loses_nothing(lab: &Lab) {
    let shop = lab.caller("Shop");
    let bill = lab.bill(&shop, 1);
    let endpoint = saved(lab, &shop, 1);
    let id = put(lab, &bill, &endpoint, 1);
    let queue = endpoint.head.id.to_string();
    assert_eq!(queues(lab), std::slice::from_ref(&queue));
    let paused = endpoint
        .clone()
        .pause(at(5, "").now, Pause::ByHand)
        .unwrap();
    update(lab, &endpoint, &paused).unwrap();
    assert_eq!(queues(lab), Vec::<String>::new());
    assert!(claim(lab, &endpoint, at(10, "").now).is_empty());
    let waiting = found(lab, &id);
    assert_eq!((waiting.state.as_str(), waiting.paused), ("pending", true));
    let behind = put(lab, &bill, &endpoint, 2);
    let resumed = paused.clone().resume().unwrap();
    update(lab, &paused, &resumed).unwrap();
    assert_eq!(queues(lab), [queue]);
    let claimed = claim(lab, &endpoint, at(10, "").now);
    assert_eq!(claimed.len(), 1);
    assert_eq!((&claimed[0].new.id, claimed[0].paused), (&id, false));
    assert!(settle(
        lab,
        &id,
        "t",
        a_try(1, at(10, "").now),
        Outcome::Delivered
    ));
    assert_eq!(claim(lab, &endpoint, at(11, "").now)[0].new.id, behind);
}

pub fn a_delivery_goes_where_its_endpoint_is_now(lab: &Lab) {
    let shop = lab.caller("Shop");
    let endpoint = saved(lab, &shop, 1);
    let id = put(lab, &lab.bill(&shop, 1), &endpoint, 1);
    let moved = endpoint.clone().change(ask("https://shop.example/new"));
    update(lab, &endpoint, &moved.unwrap()).unwrap();
    assert_eq!(found(lab, &id).new.target, "https://shop.example/new");
    let claimed = claim(lab, &endpoint, at(10, "").now);
    assert_eq!(claimed[0].new.target, "https://shop.example/new");
    let wire = endpoint.head.wire.to_string();
    assert_eq!(claimed[0].endpoint_wire, Some(wire));
}

pub fn a_removed_endpoint_is_emptied_in_bounded_steps(lab: &Lab) {
    let shop = lab.caller("Shop");
    let (endpoint, other) = (saved(lab, &shop, 1), saved(lab, &shop, 2));
    let bill = lab.bill(&shop, 1);
    let all: Vec<_> = (1..=5).map(|n| put(lab, &bill, &endpoint, n)).collect();
    let kept = put(lab, &bill, &other, 9);
    claim(lab, &endpoint, at(10, "").now);
    assert!(settle(
        lab,
        &all[0],
        "t",
        a_try(1, at(10, "").now),
        Outcome::Delivered
    ));
    // The second one is under way, and the first goes out again by hand.
    claim(lab, &endpoint, at(10, "").now);
    let first = found(lab, &all[0]);
    lab.write(move |tx| Ok(outbox::resend(tx, &first, at(11, "").now)?))
        .unwrap();
    let removed = endpoint.clone().remove(at(12, "").now).unwrap();
    update(lab, &endpoint, &removed).unwrap();
    let empty = || {
        let id = endpoint.head.id.clone();
        lab.write(move |tx| Ok(outbox::empty(tx, &id, 3)?)).unwrap()
    };
    assert_eq!([empty(), empty(), empty()], [3, 2, 0]);
    let id = endpoint.head.id.clone();
    lab.write(move |tx| Ok(endpoints::emptied(tx, &id)?))
        .unwrap();
    assert_eq!(lab.read(|tx| Ok(endpoints::to_empty(tx)?)), Ok(None));
    let first = found(lab, &all[0]);
    assert_eq!(
        (first.state.as_str(), first.why),
        ("delivered", None),
        "it was taken once"
    );
    for id in &all[1..] {
        let given_up = found(lab, id);
        assert_eq!(given_up.state, "failed");
        assert_eq!(given_up.why.as_deref(), Some(why::REMOVED));
        assert_eq!((given_up.next, given_up.leased), (None, false));
    }
    assert!(!settle(
        lab,
        &all[1],
        "t",
        a_try(1, at(13, "").now),
        Outcome::Delivered
    ));
    assert_eq!(found(lab, &kept).state, "pending");
}

fn filter(caller: &Caller) -> Filter {
    Filter {
        merchant: caller.merchant.id.clone(),
        mode: caller.mode,
        endpoint: None,
        state: None,
        before: None,
        limit: 100,
    }
}

fn listed(lab: &Lab, filter: Filter) -> Vec<DeliveryId> {
    let found = lab
        .read(move |tx| Ok(outbox::newest(tx, &filter)?))
        .unwrap();
    found.into_iter().map(|delivery| delivery.new.id).collect()
}

pub fn lists_are_filtered_and_paged(lab: &Lab) {
    let (shop, stranger) = (lab.caller("Shop"), lab.caller("Stranger"));
    let (one, two) = (saved(lab, &shop, 1), saved(lab, &shop, 2));
    let mut to_one = Vec::new();
    for number in 1..=3 {
        to_one.push(put(lab, &lab.bill(&shop, number), &one, number));
    }
    let to_two = put(lab, &lab.bill(&shop, 4), &two, 4);
    let foreign = put(lab, &lab.bill(&stranger, 5), &saved(lab, &stranger, 3), 5);
    claim(lab, &one, at(10, "").now);
    for (id, outcome) in [
        (&to_one[0], Outcome::Delivered),
        (&to_one[1], Outcome::GivenUp),
    ] {
        assert!(settle(lab, id, "t", a_try(1, at(10, "").now), outcome));
    }
    let newest_first = [&to_two, &to_one[2], &to_one[1], &to_one[0]].map(Clone::clone);
    assert_eq!(listed(lab, filter(&shop)), newest_first);
    assert_eq!(listed(lab, filter(&stranger)), [foreign]);
    let in_state = |state: &str, endpoint: Option<&Endpoint>| {
        let filter = Filter {
            state: Some(state.to_owned()),
            endpoint: endpoint.map(|endpoint| endpoint.head.id.clone()),
            ..filter(&shop)
        };
        listed(lab, filter)
    };
    assert_eq!(in_state("delivered", None), [to_one[0].clone()]);
    assert_eq!(in_state("failed", Some(&one)), [to_one[1].clone()]);
    assert_eq!(in_state("failed", Some(&two)), []);
    assert_eq!(in_state("pending", Some(&one)), [to_one[2].clone()]);
    assert_eq!(in_state("delivered", Some(&one)), [to_one[0].clone()]);
    assert_eq!(
        in_state("pending", None),
        [to_two.clone(), to_one[2].clone()]
    );
    let of_one = Filter {
        endpoint: Some(one.head.id.clone()),
        ..filter(&shop)
    };
    assert_eq!(listed(lab, of_one), newest_first[1..]);
    let mut paged = Vec::new();
    while let Some(last) = listed(
        lab,
        Filter {
            before: paged.last().cloned(),
            limit: 1,
            ..filter(&shop)
        },
    )
    .pop()
    {
        paged.push(last);
    }
    assert_eq!(paged, newest_first);
}

pub fn a_range_takes_what_is_over_in_its_time(lab: &Lab) {
    let shop = lab.caller("Shop");
    let (endpoint, other) = (saved(lab, &shop, 1), saved(lab, &shop, 2));
    let mut all = Vec::new();
    for number in 1..=6 {
        all.push(put(lab, &lab.bill(&shop, number), &endpoint, number));
    }
    put(lab, &lab.bill(&shop, 7), &other, 7);
    claim(lab, &endpoint, at(10, "").now);
    for (index, id) in all.iter().take(5).enumerate() {
        let outcome = if index % 2 == 0 {
            Outcome::GivenUp
        } else {
            Outcome::Delivered
        };
        assert!(settle(lab, id, "t", a_try(1, at(10, "").now), outcome));
    }
    let range = |from: i64, until: i64, delivered_too: bool, after: Option<&DeliveryId>| {
        let range = Range {
            endpoint: endpoint.head.id.clone(),
            from: at(from, "").now,
            until: at(until, "").now,
            delivered_too,
        };
        let after = after.cloned();
        lab.read(move |tx| Ok(outbox::in_range(tx, &range, after.as_ref(), 2)?))
            .unwrap()
    };
    let of = |numbers: &[usize]| -> Vec<DeliveryId> {
        numbers
            .iter()
            .map(|number| all[number - 1].clone())
            .collect()
    };
    assert_eq!(range(0, 100, false, None), of(&[1, 3]), "a batch");
    assert_eq!(
        range(0, 100, false, Some(&all[2])),
        of(&[5]),
        "the next one"
    );
    assert_eq!(range(2, 4, true, None), of(&[2, 3]), "from, until before");
    assert_eq!(range(4, 5, false, None), of(&[]), "a delivered one");
    assert_eq!(
        range(6, 7, true, None),
        of(&[]),
        "what waits goes by itself"
    );
    let removed = endpoint.clone().remove(at(9, "").now).unwrap();
    assert_eq!(removed.state, EndpointState::Removed { at: at(9, "").now });
}

/// The ids of one millisecond are in no order; their places are.
pub fn what_was_written_together_is_taken_in_its_order(lab: &Lab) {
    let shop = lab.caller("Shop");
    let (endpoint, bill) = (saved(lab, &shop, 1), lab.bill(&shop, 1));
    let first = put(lab, &bill, &endpoint, 1);
    let together: Vec<_> = (2..=6)
        .map(|number| {
            let event = event(&bill, Fact::BillPaid, number);
            let delivery = New {
                id: DeliveryId::mint(&at(5, "together"), &number.to_string()),
                queue: endpoint.head.id.to_string(),
                endpoint: Some(endpoint.head.id.clone()),
                ..new(&bill, number)
            };
            let id = delivery.id.clone();
            lab.write(move |tx| {
                events::insert(tx, &event)?;
                Ok(outbox::insert(tx, &delivery, at(5, "").now)?)
            })
            .unwrap();
            id
        })
        .collect();
    assert!(!together.is_sorted(), "else this shows nothing");
    let mut all = vec![first];
    all.extend(together.clone());
    for id in &all {
        let delivery = found(lab, id);
        let given_up =
            lab.write(move |tx| Ok(outbox::give_up(tx, &delivery, why::SKIPPED, at(9, "").now)?));
        assert_eq!(given_up, Ok(true));
    }
    let range = Range {
        endpoint: endpoint.head.id,
        from: at(0, "").now,
        until: at(100, "").now,
        delivered_too: false,
    };
    let batch = |after: Option<&DeliveryId>, limit| {
        let (range, after) = (range.clone(), after.cloned());
        lab.read(move |tx| Ok(outbox::in_range(tx, &range, after.as_ref(), limit)?))
            .unwrap()
    };
    assert_eq!(batch(None, 5), all[..1], "the others stay together");
    assert_eq!(
        batch(Some(&all[0]), 5),
        together,
        "in the order of their line"
    );
    assert_eq!(batch(together.iter().max(), 5), []);
    assert_eq!(batch(Some(&all[0]), 3).len(), 3, "too many for one batch");
}
