use domain::{MerchantId, Mode};
use store::tables::merchants;

use crate::lab::{Lab, at, caller};

pub fn a_key_finds_its_merchant_and_nothing_else(lab: &Lab) {
    let shop = lab.caller("Shop");
    let owner = shop.clone();
    let now = at(1, "key").now;
    lab.write(move |tx| Ok(merchants::insert_key(tx, "digest", &owner, "hitpay", now)?))
        .unwrap();
    let by = |digest: &'static str, dialect: &'static str| {
        lab.read(move |tx| Ok(merchants::by_key(tx, digest, dialect)?))
            .unwrap()
    };
    assert_eq!(by("digest", "hitpay"), Some(shop.clone()));
    assert_eq!(
        by("digest", "numipay"),
        None,
        "a key belongs to one dialect"
    );
    assert_eq!(by("diges", "hitpay"), None);
    let id = shop.merchant.id.clone();
    assert_eq!(
        lab.read(move |tx| Ok(merchants::by_id(tx, &id)?)).unwrap(),
        Some(shop.merchant)
    );
    let nobody = MerchantId::mint(&at(2, "nobody"), "merchant");
    assert_eq!(
        lab.read(move |tx| Ok(merchants::by_id(tx, &nobody)?))
            .unwrap(),
        None
    );
}

pub fn revoked_keys_find_nobody(lab: &Lab) {
    let shop = lab.caller("Shop");
    let now = at(1, "key").now;
    let ended = lab
        .write(move |tx| {
            merchants::insert_key(tx, "one", &shop, "hitpay", now)?;
            merchants::insert_key(tx, "two", &shop, "hitpay", now)?;
            merchants::insert_key(tx, "other", &shop, "numipay", now)?;
            Ok(merchants::revoke_keys(tx, &shop, "hitpay", now)?)
        })
        .unwrap();
    assert_eq!(ended, 2);
    for (digest, dialect, there) in [
        ("one", "hitpay", false),
        ("two", "hitpay", false),
        ("other", "numipay", true),
    ] {
        let found = lab
            .read(move |tx| Ok(merchants::by_key(tx, digest, dialect)?))
            .unwrap();
        assert_eq!(found.is_some(), there, "{digest}");
    }
}

pub fn a_slug_is_given_once(lab: &Lab) {
    let shop = lab.caller("Shop");
    let mut other = caller("Other").merchant;
    other.slug.clone_from(&shop.merchant.slug);
    let now = at(1, "slug").now;
    let saved = lab
        .write(move |tx| Ok(merchants::insert(tx, &other, Mode::Live, now)?))
        .unwrap();
    assert!(!saved);
    let found = lab.read(|tx| Ok(merchants::by_slug(tx, "shop")?)).unwrap();
    assert_eq!(found, Some((shop.merchant, Mode::Test)));
    assert_eq!(lab.read(|tx| Ok(merchants::all(tx)?)).unwrap().len(), 1);
}

pub fn a_secret_is_replaced_under_its_name(lab: &Lab) {
    let shop = lab.caller("Shop");
    let (owner, id) = (shop.clone(), shop.merchant.id.clone());
    let now = at(1, "secret").now;
    lab.write(move |tx| {
        merchants::put_secret(tx, &owner, "salt", "old", now)?;
        Ok(merchants::put_secret(tx, &owner, "salt", "new", now)?)
    })
    .unwrap();
    let (test, live) = lab
        .read(move |tx| {
            let test = merchants::secret(tx, &id, Mode::Test, "salt")?;
            Ok((test, merchants::secret(tx, &id, Mode::Live, "salt")?))
        })
        .unwrap();
    assert_eq!(test.as_deref(), Some("new"));
    assert_eq!(live, None, "test and live never meet");
}
