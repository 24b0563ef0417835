//! Cards that are good in some shops of a merchant only.

use serde_json::{Value, json};

use crate::desk::{Card, Desk, FORM, PAYMENTS, call, perform};
use crate::process::client::Client;

/// A payment of a till in a shop, or in none that is named.
fn at(client: &mut Client, shop: Option<&str>) -> (u16, Value) {
    let mut body = json!({"paymentTotal": 10, "reference": "t", "accessMode": "api"});
    if let Some(shop) = shop {
        body["vendorId"] = shop.into();
    }
    call(client, PAYMENTS, &body)
}

fn pays(client: &mut Client, shop: Option<&str>, card: &Card) -> (u16, Value) {
    let (status, made) = at(client, shop);
    assert_eq!(status, 200, "{made}");
    let (status, told) = perform(client, made["paymentId"].as_str().unwrap(), &[card]);
    (status, told["errorCode"].clone())
}

#[test]
fn a_card_of_some_shops_is_good_there_and_nowhere_else() {
    let desk = Desk::new();
    let mut client = desk.client();
    let card = desk.card("100.00", &["--vendor", "100001", "--vendor", "100002"]);
    assert_eq!(pays(&mut client, Some("100001"), &card), (200, Value::Null));
    assert_eq!(pays(&mut client, Some("100002"), &card), (200, Value::Null));
    assert_eq!(pays(&mut client, Some("100003"), &card), (400, json!(108)));
    // A call that names no shop is no way round it.
    assert_eq!(pays(&mut client, None, &card), (400, json!(108)));
    let body = json!({"paymentTotal": 10, "redirectUrl": "http://shop.example/"});
    let (_, made) = call(&mut client, PAYMENTS, &body);
    let url = made["url"].as_str().unwrap();
    let page = &url[url.find("/pay/").unwrap()..];
    let add = format!(
        "action=add-card&card_number={}&cvc={}",
        card.number, card.cvc
    );
    let told = client.post(page, FORM, &add).unwrap();
    assert_eq!(told.status, 422, "{}", told.body);
    // What is on it is told all the same.
    let path = format!("/api/v1/giftcards/balance/{}", card.number);
    let shown: Value = serde_json::from_str(&client.get(&path).unwrap().body).unwrap();
    assert_eq!(shown["amount"], json!(80));
}

#[test]
fn a_shop_must_be_the_clients_own() {
    let desk = Desk::new();
    let mut client = desk.client();
    assert_eq!(at(&mut client, Some("200001")).0, 200, "no shops are known");
    desk.refuses(&["programme", "--shops", "100001,Oslo"], 2, "6 digits");
    let told = desk.does(&["programme", "--shops", "100001,100002"]);
    assert!(told.contains("\"100002\""), "{told}");
    assert_eq!(at(&mut client, Some("100001")).0, 200);
    assert_eq!(at(&mut client, None).0, 200);
    let (status, told) = at(&mut client, Some("200001"));
    assert_eq!((status, &told["errorCode"]), (400, &json!(109)), "{told}");
    let said = told["message"].as_str().unwrap();
    assert!(
        said.contains("vendorId") && said.contains("200001"),
        "{said}"
    );
    desk.refuses(
        &["issue", "--amount", "5", "--vendor", "200001"],
        2,
        "is no shop of the merchant",
    );
    desk.does(&["programme", "--shops", ""]);
    assert_eq!(at(&mut client, Some("200001")).0, 200);
}
