use domain::payment::Cause;
use domain::reservation::{Step, StepKind};
use domain::{Bill, Caller, Mode, Payment, WireId};
use store::tables::{accounts, reservations as table};

use crate::lab::{Lab, at, sgd};

/// A reservation of a bill, saved.
fn reserved(lab: &Lab, shop: &Caller, number: i64, phone: Option<&'static str>) -> (Bill, Payment) {
    let bill = lab.bill(shop, number);
    let payment = lab.payment(&bill, number);
    let (saved, of) = (bill.clone(), payment.clone());
    lab.write(move |tx| Ok(table::insert(tx, &saved, &of, phone)?))
        .unwrap();
    (bill, payment)
}

pub fn a_reference_finds_its_reservation_and_is_given_once(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let (bill, payment) = reserved(lab, &shop, 1, None);
    let find = |caller: &Caller, dialect: &'static str| {
        let caller = caller.clone();
        lab.read(move |tx| Ok(table::by_reference(tx, dialect, &caller, "ORDER-1")?))
            .unwrap()
    };
    let found = find(&shop, "hitpay").unwrap();
    assert_eq!(
        (&found.bill, &found.payment),
        (&bill.head.id, &payment.head.id)
    );
    assert_eq!(
        (found.phone, found.release_at, found.mode),
        (None, None, Mode::Test)
    );
    assert!(find(&other, "hitpay").is_none() && find(&shop, "vipps").is_none());
    let live = Caller {
        mode: Mode::Live,
        ..shop.clone()
    };
    assert!(find(&live, "hitpay").is_none());
    let second = lab.bill(&shop, 2);
    let payment = lab.payment(&second, 2);
    let twice = lab.write(move |tx| Ok(table::insert(tx, &second, &payment, None)?));
    assert!(twice.is_err(), "the same reference again");
}

pub fn phones_and_deadlines_are_found_in_order(lab: &Lab) {
    let shops = ["A", "B", "C"].map(|name| lab.caller(name));
    let bills: Vec<Bill> = shops
        .iter()
        .zip([Some("4791234567"), Some("4791234567"), Some("4512345678")])
        .enumerate()
        .map(|(number, (shop, phone))| reserved(lab, shop, number as i64, phone).0)
        .collect();
    let inbox = lab
        .read(|tx| Ok(table::of_phone(tx, "4791234567", Mode::Test, 10)?))
        .unwrap();
    let found: Vec<_> = inbox.iter().map(|row| row.bill.clone()).collect();
    assert_eq!(found, [bills[1].head.id.clone(), bills[0].head.id.clone()]);
    let phones = lab
        .read(|tx| Ok(table::phones(tx, Mode::Test, 10)?))
        .unwrap();
    assert_eq!(phones, ["4512345678", "4791234567"]);
    let (first, second) = (bills[0].head.id.clone(), bills[1].head.id.clone());
    lab.write(move |tx| {
        table::set_release(tx, &first, Some(at(20, "").now))?;
        table::set_release(tx, &second, Some(at(10, "").now))?;
        Ok(table::set_phone(tx, &first, "4700000000")?)
    })
    .unwrap();
    let due = |millis| {
        let now = at(millis, "").now;
        let due = lab.read(move |tx| Ok(table::due(tx, now, 10)?)).unwrap();
        due.into_iter().map(|row| row.bill).collect::<Vec<_>>()
    };
    assert_eq!(due(9), []);
    assert_eq!(due(10), [bills[1].head.id.clone()]);
    assert_eq!(
        due(20),
        [bills[1].head.id.clone(), bills[0].head.id.clone()]
    );
    let next = |millis| {
        let after = at(millis, "").now;
        lab.read(move |tx| Ok(table::next_due(tx, after)?)).unwrap()
    };
    assert_eq!(next(0), Some(at(10, "").now));
    assert_eq!(next(10), Some(at(20, "").now));
    assert_eq!(next(20), None);
}

pub fn steps_come_back_in_order(lab: &Lab) {
    let shop = lab.caller("Shop");
    let (bill, payment) = reserved(lab, &shop, 1, None);
    let steps: Vec<Step> = StepKind::ALL
        .into_iter()
        .enumerate()
        .map(|(index, kind)| Step {
            number: u32::try_from(index).unwrap() + 1,
            kind,
            wire: WireId::new(format!("step-{index}")).unwrap(),
            amount: sgd(index as i64 + 1),
            key: (index % 2 == 0).then(|| format!("key {index}")),
            failure: (index == 1).then(|| Cause::new("no", "No")),
            until: (index == 2).then(|| at(99, "").now),
            at: at(index as i64, "").now,
        })
        .collect();
    let (saved, id) = (steps.clone(), payment.head.id.clone());
    lab.write(move |tx| {
        for step in saved.iter().rev() {
            table::insert_step(tx, &id, step)?;
        }
        Ok(())
    })
    .unwrap();
    let id = payment.head.id.clone();
    assert_eq!(
        lab.read(move |tx| Ok(table::steps(tx, &id)?)).unwrap(),
        steps
    );
    let (id, again) = (payment.head.id, steps[0].clone());
    assert!(
        lab.write(move |tx| Ok(table::insert_step(tx, &id, &again)?))
            .is_err()
    );
    let of = bill.head.id.clone();
    let row = lab.read(move |tx| Ok(table::of_bill(tx, &of)?)).unwrap();
    assert_eq!(row.unwrap().reference, "ORDER-1");
}

pub fn an_account_number_is_given_once(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let now = at(0, "").now;
    let insert = |number: &'static str, caller: &Caller| {
        let caller = caller.clone();
        lab.write(move |tx| Ok(accounts::insert(tx, "vipps", number, &caller, now)?))
            .unwrap()
    };
    assert!(insert("123456", &shop));
    assert!(!insert("123456", &other), "taken");
    assert!(!insert("654321", &shop), "one for each merchant and mode");
    let owner = lab
        .read(|tx| Ok(accounts::by_number(tx, "vipps", "123456")?))
        .unwrap();
    assert_eq!(owner, Some((shop.merchant.id.clone(), Mode::Test)));
    let removed = shop.clone();
    lab.write(move |tx| Ok(accounts::remove(tx, "vipps", &removed)?))
        .unwrap();
    assert!(insert("123456", &other));
    let number = lab.read(move |tx| Ok(accounts::number_of(tx, "vipps", &other)?));
    assert_eq!(number.unwrap().as_deref(), Some("123456"));
}
