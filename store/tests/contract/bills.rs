use domain::call::BillFilter;
use domain::payment::Cause;
use domain::{Bill, BillState, Span, Timestamp, WireId};
use store::Failure;
use store::tables::bills::{self, Of};

use crate::lab::{Lab, ask, at};

fn stored(lab: &Lab, bill: &Bill) -> Bill {
    let id = bill.head.id.clone();
    lab.read(move |tx| Ok(bills::by_id(tx, &id)?))
        .unwrap()
        .unwrap()
}

fn save(lab: &Lab, bill: &Bill) {
    let bill = bill.clone();
    lab.write(move |tx| Ok(bills::update(tx, &bill)?)).unwrap();
}

fn of(bill: &Bill, state: Option<(BillFilter, Timestamp)>) -> Of {
    Of {
        merchant: bill.head.merchant.clone(),
        mode: bill.head.mode,
        dialect: bill.head.dialect.clone(),
        state,
    }
}

pub fn a_bill_comes_back_as_it_was_saved(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    assert_eq!(stored(lab, &bill), bill);
    let wire = bill.head.wire.clone();
    let by_wire = |dialect: &'static str, wire: WireId| {
        lab.read(move |tx| Ok(bills::by_wire(tx, dialect, &wire)?))
            .unwrap()
    };
    assert_eq!(by_wire("hitpay", wire.clone()), Some(bill));
    assert_eq!(by_wire("numipay", wire), None);
}

pub fn every_state_comes_back(lab: &Lab) {
    let shop = lab.caller("Shop");
    let now = at(50, "").now;
    let ends: [fn(Bill, Timestamp) -> Bill; 4] = [
        |bill, now| bill.paid(now).unwrap(),
        |bill, now| bill.failed(now, Cause::new("no", "No")).unwrap(),
        |bill, now| bill.expired(now).unwrap(),
        |bill, now| bill.withdrawn(now).unwrap(),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let bill = end(lab.bill(&shop, number as i64), now);
        save(lab, &bill);
        assert_eq!(stored(lab, &bill), bill);
    }
    let totals = lab.read(|tx| Ok(bills::totals(tx)?)).unwrap();
    assert_eq!(totals.len(), 4);
}

pub fn an_update_needs_the_version_that_was_read(lab: &Lab) {
    let bill = lab.bill(&lab.caller("Shop"), 1);
    let changed = bill.clone().change(at(1, "").now, ask(2_000)).unwrap();
    save(lab, &changed);
    let stale = bill.change(at(2, "").now, ask(3_000)).unwrap();
    let refused = lab.write(move |tx| Ok(bills::update(tx, &stale)?));
    assert!(matches!(refused, Err(Failure::Fault(_))));
    assert_eq!(stored(lab, &changed), changed);
}

pub fn pages_are_newest_first_and_exclude_deleted_ones(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let all: Vec<Bill> = (0..5).map(|number| lab.bill(&shop, number)).collect();
    lab.bill(&other, 9);
    save(lab, &all[2].clone().withdrawn(at(9, "").now).unwrap());
    let of = of(&all[0], None);
    let (first, second, count) = lab
        .read(move |tx| {
            let first = bills::page(tx, &of, 3, 0)?;
            Ok((
                first,
                bills::page(tx, &of, 3, 3)?,
                bills::count(tx, &of, 100)?,
            ))
        })
        .unwrap();
    assert_eq!(first, [all[4].clone(), all[3].clone(), all[1].clone()]);
    assert_eq!(second, [all[0].clone()]);
    assert_eq!(count, 4);
}

pub fn a_state_filter_knows_that_time_has_passed(lab: &Lab) {
    let shop = lab.caller("Shop");
    let bill = lab.bill(&shop, 1);
    let expires = at(0, "").now.plus(Span::from_minutes(5));
    let mut ask = ask(500);
    ask.expires = Some(expires);
    let bill = bill.change(at(1, "").now, ask).unwrap();
    save(lab, &bill);
    let count = |state, now| {
        let of = of(&bill, Some((state, now)));
        lab.read(move |tx| {
            let count = bills::count(tx, &of, 100)?;
            assert_eq!(bills::page(tx, &of, 10, 0)?.len() as u64, count);
            Ok(count)
        })
        .unwrap()
    };
    let before = at(2, "").now;
    assert_eq!(
        (
            count(BillFilter::Open, before),
            count(BillFilter::Expired, before)
        ),
        (1, 0)
    );
    assert_eq!(
        (
            count(BillFilter::Open, expires),
            count(BillFilter::Expired, expires)
        ),
        (0, 1)
    );
    assert_eq!(
        count(BillFilter::Paid, expires) + count(BillFilter::Never, expires),
        0
    );
    assert_eq!(count(BillFilter::Failed, expires), 0);
}

pub fn expired_ones_are_listed_in_order_swept_or_not(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let short = |shop: &domain::Caller, number: i64| {
        let mut ask = ask(500);
        ask.expires = Some(
            at(0, "")
                .now
                .plus(Span::from_minutes(number.unsigned_abs())),
        );
        let bill = lab.bill(shop, number).change(at(1, "").now, ask).unwrap();
        save(lab, &bill);
        bill
    };
    let all: Vec<Bill> = (1..=5).map(|number| short(&shop, number)).collect();
    short(&other, 9);
    let later = at(0, "").now.plus(Span::from_minutes(4));
    let mut swept = all.clone();
    for at in [1, 2] {
        swept[at] = all[at].clone().expired(later).unwrap();
        save(lab, &swept[at]);
    }
    let list = |state, limit, offset| {
        let of = of(&all[0], Some((state, later)));
        lab.read(move |tx| {
            let found = bills::page(tx, &of, limit, offset)?;
            Ok((found, bills::count(tx, &of, 100)?))
        })
        .unwrap()
    };
    let expired = [&swept[3], &swept[2], &swept[1], &swept[0]].map(Clone::clone);
    assert_eq!(list(BillFilter::Expired, 10, 0), (expired.to_vec(), 4));
    assert_eq!(list(BillFilter::Expired, 2, 1), (expired[1..3].to_vec(), 4));
    assert_eq!(list(BillFilter::Open, 10, 0), (vec![all[4].clone()], 1));
}

pub fn counting_stops_at_its_bound(lab: &Lab) {
    let shop = lab.caller("Shop");
    let all: Vec<Bill> = (0..6).map(|number| lab.bill(&shop, number)).collect();
    for state in [None, Some((BillFilter::Open, at(0, "").now))] {
        for (most, counted) in [(100, 6), (6, 6), (4, 4)] {
            let of = of(&all[0], state);
            let count = lab.read(move |tx| Ok(bills::count(tx, &of, most)?));
            assert_eq!(count, Ok(counted));
        }
    }
}

pub fn a_reference_finds_the_newest(lab: &Lab) {
    let shop = lab.caller("Shop");
    lab.bill(&shop, 1);
    let newest = lab.bill(&shop, 2);
    let (merchant, mode) = (shop.merchant.id.clone(), shop.mode);
    let found = lab.read(move |tx| Ok(bills::by_reference(tx, &merchant, mode, "ORDER-1")?));
    assert_eq!(found.unwrap(), Some(newest));
    let (merchant, mode) = (shop.merchant.id.clone(), shop.mode);
    let found = lab.read(move |tx| Ok(bills::by_reference(tx, &merchant, mode, "order-1")?));
    assert_eq!(found.unwrap(), None, "letter case counts");
}

pub fn due_bills_are_open_and_past_their_time(lab: &Lab) {
    let shop = lab.caller("Shop");
    let expires = at(100, "").now;
    for number in 0..3 {
        let bill = lab.bill(&shop, number);
        let mut ask = ask(500);
        ask.expires = Some(expires);
        let bill = bill.change(at(1, "").now, ask).unwrap();
        save(lab, &bill);
        if number == 2 {
            save(lab, &bill.paid(at(2, "").now).unwrap());
        }
    }
    let due = |now| lab.read(move |tx| Ok(bills::due(tx, now, 10)?)).unwrap();
    assert_eq!(due(at(99, "").now).len(), 0);
    let found = due(expires);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|bill| *bill.state() == BillState::Open));
}
