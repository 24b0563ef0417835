use store::tables::audit::{self, Entry};

use crate::lab::{Lab, at};

pub fn entries_come_back_in_order_and_stay(lab: &Lab) {
    let shop = lab.caller("Shop");
    let entry = |number: i64, actor: &str, action: &str, about: &str| Entry {
        at: at(number, "").now,
        actor: actor.to_owned(),
        action: action.to_owned(),
        about: about.to_owned(),
        details: "3 failed attempts – 茶".to_owned(),
    };
    let all = [
        entry(1, "operator", "endpoint.registered", "end_1"),
        entry(2, "florin", "endpoint.paused", "end_1"),
        entry(2, "florin", "endpoint.paused", "end_2"),
        entry(3, "operator", "endpoint.resumed", "end_1"),
    ];
    for (number, entry) in all.clone().into_iter().enumerate() {
        let (of, moment) = (shop.clone(), at(number as i64, "audit"));
        lab.write(move |tx| {
            let of = (&of.merchant.id, of.mode);
            Ok(audit::insert(tx, &moment, of, &entry)?)
        })
        .unwrap();
    }
    let about = |id: &'static str| lab.read(move |tx| Ok(audit::about(tx, id)?)).unwrap();
    let [registered, paused, other, resumed] = all;
    assert_eq!(about("end_1"), [registered, paused, resumed]);
    assert_eq!(about("end_2"), [other]);
    assert_eq!(about("end_3"), []);
}
