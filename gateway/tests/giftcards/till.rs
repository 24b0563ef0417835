//! A till that opens the page: somebody scans or types cards; with leave, without their codes.

use serde_json::{Value, json};

use crate::desk::{Card, Desk, FORM, PAYMENTS, call};
use crate::process::client::Client;

/// A payment whose page the till opens; the path of the page.
fn page(client: &mut Client, more: &Value) -> (String, String) {
    let mut body = json!({"paymentTotal": 120.5, "reference": "till 4", "accessMode": "webui"});
    let members = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(members);
    let (status, made) = call(client, PAYMENTS, &body);
    assert_eq!(status, 200, "{made}");
    let url = made["url"].as_str().unwrap();
    let id = made["paymentId"].as_str().unwrap().to_owned();
    (id, url[url.find("/pay/").unwrap()..].to_owned())
}

fn scan(client: &mut Client, page: &str, card: &Card, cvc: &str) -> u16 {
    // A scanner types the digits and presses Enter: no button is named.
    let form = format!("card_number={}&cvc={cvc}", card.number);
    client.post(page, FORM, &form).unwrap().status
}

#[test]
fn a_till_scans_cards_on_the_page() {
    let desk = Desk::new();
    let mut client = desk.client();
    let (one, two) = (desk.card("100.00", &[]), desk.card("50.00", &[]));
    let body = json!({"paymentTotal": 5, "accessMode": "webui"});
    let (status, told) = call(&mut client, PAYMENTS, &body);
    assert_eq!((status, &told["errorCode"]), (400, &json!(109)), "{told}");
    assert!(told["message"].as_str().unwrap().contains("reference"));
    let (id, at) = page(&mut client, &json!({}));
    assert_eq!(scan(&mut client, &at, &one, ""), 422, "the code is needed");
    assert_eq!(scan(&mut client, &at, &one, &one.cvc), 303);
    // With leave a card in the hand needs none; a number that no card has is still a guess.
    desk.does(&["programme", "--card-present", "true"]);
    let shown = client.get(&at).unwrap().body;
    assert!(
        shown.contains("not needed for a card in your hand"),
        "{shown}"
    );
    assert_eq!(scan(&mut client, &at, &two, ""), 303);
    let nobody = Card {
        number: "9578411100509999999".to_owned(),
        cvc: String::new(),
    };
    assert_eq!(scan(&mut client, &at, &nobody, ""), 422);
    let paid = client.post(&at, FORM, "action=pay").unwrap();
    assert_eq!(paid.status, 303, "{}", paid.body);
    let own = format!("location: {}", at.to_lowercase());
    assert!(paid.head.contains(&own), "no shop to go to: {}", paid.head);
    let over = client.get(&at).unwrap();
    assert!(
        over.status == 200 && over.body.contains("120.50"),
        "{}",
        over.body
    );
    let verified = client.get(&format!("{PAYMENTS}/{id}")).unwrap().body;
    let verified: Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(verified["status"], "charged");
    assert_eq!(verified["paidAmount"], json!(120.5));
    assert_eq!(verified["cards"][1]["deductedAmount"], json!(20.5));
    // A shop's own page takes no card without its code, whatever tills may do.
    let hosted = json!({"accessMode": "hosted", "redirectUrl": "http://shop.example/"});
    let (_, at) = page(&mut client, &hosted);
    assert_eq!(scan(&mut client, &at, &two, ""), 422);
    // Perform is for tills that send cards themselves.
    let (id, _) = page(&mut client, &json!({}));
    let path = format!("{PAYMENTS}/{id}/perform");
    let (status, told) = call(&mut client, &path, &json!({"cards": [two.json()]}));
    assert_eq!((status, &told["errorCode"]), (400, &json!(100)));
}

#[test]
fn a_till_that_sends_cards_may_leave_the_code_out_with_leave() {
    let desk = Desk::new();
    let mut client = desk.client();
    let card = desk.card("100.00", &[]);
    let id = crate::desk::till(&mut client, &json!(60));
    let bare = json!({"cards": [{"cardNumber": card.number}]});
    let path = format!("{PAYMENTS}/{id}/perform");
    let (status, told) = call(&mut client, &path, &bare);
    assert_eq!((status, &told["errorCode"]), (400, &json!(109)), "{told}");
    desk.does(&["programme", "--card-present", "true"]);
    let (status, told) = call(&mut client, &path, &bare);
    assert_eq!((status, &told["paidAmount"]), (200, &json!(60)), "{told}");
}
