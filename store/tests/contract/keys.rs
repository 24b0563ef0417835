//! Keys with names and ends.

use domain::{Caller, Mode, Timestamp};
use store::tables::keys::{self, NewKey};
use store::tables::merchants;

use crate::lab::{Lab, at};

fn new(digest: &str, label: Option<&str>, expires: Option<Timestamp>) -> NewKey {
    NewKey {
        digest: digest.to_owned(),
        dialect: "numipay".to_owned(),
        label: label.map(str::to_owned),
        expires,
        kind: None,
    }
}

pub fn a_key_keeps_its_name_and_its_end(lab: &Lab) {
    let shop = lab.caller("Shop");
    let (now, end) = (at(1, "key").now, at(9, "key").now);
    let owner = shop.clone();
    lab.write(move |tx| {
        let first = new("0123456789abcdef-one", Some("Ana – 茶"), Some(end));
        keys::insert(tx, &owner, &first, now)?;
        keys::insert(tx, &owner, &new("fedcba9876543210-two", None, None), now)?;
        Ok(merchants::insert_key(tx, "plain", &owner, "hitpay", now)?)
    })
    .unwrap();
    let holder = |digest: &'static str, dialect: &'static str| {
        lab.read(move |tx| Ok(keys::holder(tx, digest, dialect)?))
            .unwrap()
    };
    assert_eq!(
        holder("0123456789abcdef-one", "numipay"),
        Some((shop.clone(), Some(end)))
    );
    assert_eq!(holder("plain", "hitpay"), Some((shop.clone(), None)));
    assert_eq!(
        holder("plain", "numipay"),
        None,
        "a key belongs to one dialect"
    );
    let owner = shop.clone();
    let listed = lab.read(move |tx| Ok(keys::list(tx, &owner)?)).unwrap();
    let seen: Vec<_> = listed
        .iter()
        .map(|key| (key.name.as_str(), key.label.as_deref(), key.expires))
        .collect();
    assert_eq!(
        seen,
        [
            ("0123456789abcdef", Some("Ana – 茶"), Some(end)),
            ("fedcba9876543210", None, None),
            ("plain", None, None),
        ]
    );
}

pub fn a_key_is_ended_once_and_by_its_owner_alone(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let now = at(1, "key").now;
    let owner = shop.clone();
    lab.write(move |tx| {
        let key = new("0123456789abcdef-one", None, None);
        Ok(keys::insert(tx, &owner, &key, now)?)
    })
    .unwrap();
    let end = |caller: Caller| {
        let name = "0123456789abcdef";
        lab.write(move |tx| Ok(keys::end(tx, &caller, name, now)?))
            .unwrap()
    };
    assert!(!end(other), "not another merchant's");
    assert!(!end(caller_live(&shop)), "nor the other mode's");
    assert!(end(shop.clone()));
    assert!(!end(shop.clone()), "once");
    let found = lab.read(|tx| Ok(keys::holder(tx, "0123456789abcdef-one", "numipay")?));
    assert_eq!(found.unwrap(), None);
    let listed = lab.read(move |tx| Ok(keys::list(tx, &shop)?)).unwrap();
    assert_eq!(listed[0].ended, Some(now), "still listed");
}

pub fn an_ended_key_comes_back_for_its_owner_alone(lab: &Lab) {
    let (shop, other) = (lab.caller("Shop"), lab.caller("Other"));
    let (now, end) = (at(1, "key").now, at(2, "key").now);
    let digest = "0123456789abcdef-one";
    let owner = shop.clone();
    lab.write(move |tx| {
        keys::insert(tx, &owner, &new(digest, None, Some(end)), now)?;
        Ok(keys::end(tx, &owner, "0123456789abcdef", now)?)
    })
    .unwrap();
    let revive = |caller: &Caller, dialect: &'static str| {
        let caller = caller.clone();
        lab.write(move |tx| {
            let named = (digest, dialect);
            Ok(keys::revive(tx, &caller, named, Some("client"))?)
        })
        .unwrap()
    };
    assert!(!revive(&other, "numipay"));
    assert!(!revive(&shop, "hitpay"));
    assert!(!revive(&caller_live(&shop), "numipay"));
    assert!(revive(&shop, "numipay") && revive(&shop, "numipay"));
    let found = lab.read(move |tx| Ok(keys::holder(tx, digest, "numipay")?));
    assert_eq!(found.unwrap(), Some((shop.clone(), None)), "for ever again");
    let listed = lab.read(move |tx| Ok(keys::list(tx, &shop)?)).unwrap();
    assert_eq!(listed[0].kind.as_deref(), Some("client"));
}

fn caller_live(shop: &Caller) -> Caller {
    Caller {
        mode: Mode::Live,
        ..shop.clone()
    }
}
