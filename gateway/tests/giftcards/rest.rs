//! What may pay a payment of gift cards: gift cards, and for the rest what the merchant allows.

use serde_json::{Value, json};

use crate::desk::{Card, Desk, FORM, JSON, PAYMENTS, call, perform};
use crate::process::client::{Answer, Client};

/// A payment with a page; its id and the path of the page.
fn payment(client: &mut Client, mode: &str) -> (String, String) {
    let body = json!({
        "paymentTotal": 100, "reference": "r", "accessMode": mode,
        "redirectUrl": "http://shop.example/",
    });
    let (status, made) = call(client, PAYMENTS, &body);
    assert_eq!(status, 200, "{made}");
    let url = made["url"].as_str().unwrap();
    let id = made["paymentId"].as_str().unwrap().to_owned();
    (id, url[url.find("/pay/").unwrap()..].to_owned())
}

fn step(client: &mut Client, page: &str, form: &str) -> Answer {
    client.post(page, FORM, form).unwrap()
}

fn add(client: &mut Client, page: &str, card: &Card) -> u16 {
    let form = format!(
        "action=add-card&card_number={}&cvc={}",
        card.number, card.cvc
    );
    step(client, page, &form).status
}

fn verify(client: &mut Client, id: &str) -> Value {
    let shown = client.get(&format!("{PAYMENTS}/{id}")).unwrap().body;
    serde_json::from_str(&shown).unwrap()
}

fn bank_card(once: &str) -> String {
    format!(
        "action=pay&method=card&once={once}&number=4242424242424242&expiry=12%2F30&code=907&name=A"
    )
}

#[test]
fn only_what_the_merchant_allows_pays_the_rest() {
    let desk = Desk::new();
    let mut client = desk.client();
    desk.does(&["programme", "--rest-by", "card"]);
    for mode in ["hosted", "webui", "api"] {
        let (id, page) = payment(&mut client, mode);
        let words = [
            "gift_card_at_till",
            "gift_card_in_call",
            "gift_card",
            "wallet",
            "",
        ];
        let choose = |word: &str| format!("action=choose&method={word}");
        // With and without a card on the page.
        for word in words.iter().filter(|word| **word != "gift_card") {
            let told = step(&mut client, &page, &choose(word));
            assert_eq!(told.status, 422, "{mode} {word}: {}", told.body);
            let body = json!({"payment": id, "outcome": "decline", "method": word});
            client
                .post("/sandbox/simulate", JSON, &body.to_string())
                .unwrap();
            assert_eq!(verify(&mut client, &id)["status"], "pending", "{word}");
        }
        assert_eq!(add(&mut client, &page, &desk.card("60.00", &[])), 303);
        for word in words {
            let told = step(&mut client, &page, &choose(word));
            let page_again = told.status == 303 && !told.head.contains("challenge");
            assert!(
                told.status == 422 || (word == "gift_card" && page_again),
                "{mode} {word}: {}",
                told.head
            );
            assert_eq!(verify(&mut client, &id)["status"], "pending", "{word}");
        }
        let paid = step(&mut client, &page, &bank_card(&id));
        assert_eq!(paid.status, 303, "{}", paid.body);
        let shown = verify(&mut client, &id);
        assert_eq!(
            (&shown["status"], &shown["paidAmount"]),
            (&json!("charged"), &json!(100))
        );
    }
}

#[test]
fn the_rest_is_a_rest_only_if_a_gift_card_pays_something() {
    let desk = Desk::new();
    let mut client = desk.client();
    desk.does(&["programme", "--rest-by", "card,wallet"]);
    let (id, page) = payment(&mut client, "hosted");
    let shown = client.get(&format!("{page}&method=card")).unwrap();
    assert!(
        shown.body.contains("name=\"card_number\""),
        "{}",
        shown.body
    );
    assert!(!shown.body.contains("name=\"number\""), "{}", shown.body);
    for form in [
        "action=choose&method=card".to_owned(),
        "action=choose&method=wallet".to_owned(),
        bank_card("all"),
    ] {
        let told = step(&mut client, &page, &form);
        assert_eq!(told.status, 422, "{form}: {}", told.body);
        assert_eq!(verify(&mut client, &id)["status"], "pending");
    }
    assert_eq!(add(&mut client, &page, &desk.card("0.01", &[])), 303);
    assert_eq!(step(&mut client, &page, &bank_card("rest")).status, 303);
    assert_eq!(verify(&mut client, &id)["paidAmount"], json!(100));
}

#[test]
fn methods_for_the_rest_are_methods() {
    let desk = Desk::new();
    for wrong in ["foo", "card,foo", "gift_card", "gift_card_at_till"] {
        desk.refuses(&["programme", "--rest-by", wrong], 2, "rest-by");
    }
    let told = desk.does(&["programme", "--rest-by", "card,paynow_online"]);
    assert!(told.contains("paynow_online"), "{told}");
}

#[test]
fn perform_takes_a_card_that_the_payments_own_page_holds() {
    let desk = Desk::new();
    let mut client = desk.client();
    let (one, two) = (desk.card("70.00", &[]), desk.card("40.00", &[]));
    let blocked = desk.card("40.00", &[]);
    desk.does(&["block", &blocked.number, "--reason", "lost"]);
    let (id, page) = payment(&mut client, "api");
    assert_eq!(add(&mut client, &page, &one), 303);
    // A call that is refused leaves the page as it was.
    let (status, told) = perform(&mut client, &id, &[&one, &blocked]);
    assert_eq!((status, &told["errorCode"]), (400, &json!(105)), "{told}");
    let wrong = Card {
        cvc: if two.cvc == "000" { "001" } else { "000" }.to_owned(),
        ..two.clone()
    };
    let (status, told) = perform(&mut client, &id, &[&one, &wrong]);
    assert_eq!((status, &told["errorCode"]), (400, &json!(104)), "{told}");
    let shown = desk.json(&["show", &one.number]);
    assert_eq!(shown["cards"][0]["held"], "70.00");
    let (status, told) = perform(&mut client, &id, &[&one, &two]);
    assert_eq!((status, &told["paidAmount"]), (200, &json!(100)), "{told}");
    assert_eq!(desk.json(&["report"])["currencies"][0]["held"], "0.00");
}
