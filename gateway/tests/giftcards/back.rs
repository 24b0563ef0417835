//! Money that comes back: to the card it came from, or to the one that took its place.

use serde_json::{Value, json};

use crate::desk::{Card, Desk, FORM, JSON, PAYMENTS, call, perform, till};
use crate::process::client::Client;

fn cancel(client: &mut Client, id: &str) -> Value {
    let (status, told) = call(client, &format!("{PAYMENTS}/{id}/cancel"), &Value::Null);
    assert_eq!(status, 200, "{told}");
    told
}

fn replaced(desk: &Desk, card: &Card) -> Card {
    let new = desk.json(&["replace", &card.number, "--reason", "lost"]);
    Card {
        number: new["number"].as_str().unwrap().to_owned(),
        cvc: new["cvc"].as_str().unwrap().to_owned(),
    }
}

/// State and balance of a card.
fn on(desk: &Desk, card: &Card) -> (String, String) {
    let shown = desk.json(&["show", &card.number]);
    let field = |name: &str| shown["cards"][0][name].as_str().unwrap().to_owned();
    (field("state"), field("balance"))
}

fn advance(client: &mut Client, by: &str) {
    let body = json!({ "advance": by }).to_string();
    let moved = client.post("/sandbox/clock", JSON, &body).unwrap();
    assert_eq!(moved.status, 200, "{}", moved.body);
}

/// The history of a card, oldest first: what, by whom, why.
fn history(desk: &Desk, card: &Card) -> Vec<String> {
    let shown = desk.json(&["show", &card.number]);
    let lines = shown["cards"][0]["history"].as_array().unwrap().clone();
    let line = |line: &Value| {
        let part = |name: &str| line[name].as_str().unwrap().to_owned();
        format!("{} {}: {}", part("what"), part("by"), part("reason"))
    };
    lines.iter().rev().map(line).collect()
}

#[test]
fn what_a_replaced_card_paid_comes_back_to_the_one_in_its_place() {
    let desk = Desk::new();
    let mut client = desk.client();
    let old = desk.card("200.00", &[]);
    let id = till(&mut client, &json!(150));
    assert_eq!(perform(&mut client, &id, &[&old]).0, 200);
    // Lost twice before the shop gives the money back.
    let second = replaced(&desk, &old);
    let third = replaced(&desk, &second);
    let told = cancel(&mut client, &id);
    assert_eq!(told["status"], "refunded");
    let zero = ("closed".to_owned(), "0.00".to_owned());
    assert_eq!((on(&desk, &old), on(&desk, &second)), (zero.clone(), zero));
    assert_eq!(on(&desk, &third).1, "200.00");
    let next = till(&mut client, &json!(200));
    assert_eq!(
        perform(&mut client, &next, &[&third]).1["paidAmount"],
        json!(200)
    );
    let report = desk.json(&["report"]);
    assert_eq!(report["agrees"], true, "{report}");
    let told = history(&desk, &old);
    let end = &second.last5();
    let wanted = [
        "issue operator: issued from the command line".to_owned(),
        format!("hold shop: payment {id}"),
        format!("redeem shop: payment {id}"),
        format!("move_out operator: lost, to the card ending in {end}"),
        format!("give_back shop: cancelled payment {id}"),
        format!("move_out shop: cancelled payment {id}, to the card ending in {end}"),
    ];
    assert_eq!(told[1..], wanted[1..]);
    let into = history(&desk, &second);
    let from = format!(
        "move_in operator: lost, from the card ending in {}",
        old.last5()
    );
    assert_eq!(into[1], from);
}

#[test]
fn a_replacement_is_as_active_as_the_card_was() {
    let desk = Desk::new();
    let unsold = desk.card("10.00", &["--inactive"]);
    let new = replaced(&desk, &unsold);
    assert_eq!(on(&desk, &new).0, "inactive");
    let guessed = desk.card("10.00", &[]);
    desk.does(&["block", &guessed.number, "--reason", "its number is known"]);
    assert_eq!(on(&desk, &replaced(&desk, &guessed)).0, "active");
}

#[test]
fn what_was_given_back_is_cancelled_and_not_performed_again() {
    let desk = Desk::new();
    let mut client = desk.client();
    let (one, two) = (desk.card("50.00", &[]), desk.card("50.00", &[]));
    let id = till(&mut client, &json!(50));
    assert_eq!(perform(&mut client, &id, &[&one]).0, 200);
    cancel(&mut client, &id);
    for card in [&one, &two] {
        let (status, told) = perform(&mut client, &id, &[card]);
        assert_eq!((status, &told["errorCode"]), (400, &json!(102)), "{told}");
    }
    assert_eq!(cancel(&mut client, &id)["status"], "refunded", "again");
}

#[test]
fn an_operator_gives_back_what_gift_cards_paid_on_any_page() {
    let desk = Desk::new();
    let mut client = desk.client();
    let card = desk.card("20.00", &["--currency", "SGD"]);
    let mut hitpay = desk.gateway.client();
    let form = "amount=25.00&currency=SGD";
    let made = hitpay.post("/v1/payment-requests", FORM, form).unwrap();
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let id = made["id"].as_str().unwrap();
    let page = format!("/payment-request/@demo-shop/{id}/checkout");
    let add = format!(
        "action=add-card&card_number={}&cvc={}",
        card.number, card.cvc
    );
    assert_eq!(client.post(&page, FORM, &add).unwrap().status, 303);
    let back = ["give-back", id, "--reason", "goods came back"];
    desk.refuses(&back, 1, "paid by no gift card");
    let bank = "action=pay&method=card&once=1&number=4242424242424242&expiry=12%2F30&code=907";
    assert_eq!(client.post(&page, FORM, bank).unwrap().status, 303);
    let told = desk.does(&back);
    let wanted = format!(
        "SGD 20.00 are given back to the card ending in {}.\n",
        card.last5()
    );
    assert_eq!(told, wanted);
    assert_eq!(on(&desk, &card), ("active".to_owned(), "20.00".to_owned()));
    let last = history(&desk, &card).pop().unwrap();
    assert_eq!(
        last,
        format!("give_back operator: goods came back, payment {id}")
    );
    desk.refuses(&back, 1, "given back already");
    desk.refuses(&["give-back", "nothing", "--reason", "x"], 1, "nothing");
    // What a till took, after the day in which the shop can cancel it.
    let nok = desk.card("50.00", &[]);
    let id = till(&mut client, &json!(30));
    assert_eq!(perform(&mut client, &id, &[&nok]).0, 200);
    advance(&mut client, "25h");
    let (status, _) = call(
        &mut client,
        &format!("{PAYMENTS}/{id}/cancel"),
        &Value::Null,
    );
    assert_eq!(status, 400);
    desk.does(&["give-back", &id, "--reason", "a mistake"]);
    assert_eq!(on(&desk, &nok).1, "50.00");
    assert_eq!(desk.json(&["report"])["agrees"], true);
}

#[test]
fn a_histories_reasons_say_who_and_why() {
    let desk = Desk::new();
    let mut client = desk.client();
    let card = desk.card("50.00", &[]);
    let page = |client: &mut Client| {
        let body = json!({"paymentTotal": 10, "redirectUrl": "http://shop.example/"});
        let (_, made) = call(client, PAYMENTS, &body);
        let url = made["url"].as_str().unwrap();
        let at = url[url.find("/pay/").unwrap()..].to_owned();
        let add = format!(
            "action=add-card&card_number={}&cvc={}",
            card.number, card.cvc
        );
        assert_eq!(client.post(&at, FORM, &add).unwrap().status, 303);
        (made["paymentId"].as_str().unwrap().to_owned(), at)
    };
    let (left, _) = page(&mut client);
    advance(&mut client, "61m");
    let (stopped, _) = page(&mut client);
    cancel(&mut client, &stopped);
    let (given_up, at) = page(&mut client);
    client.post(&at, FORM, "action=cancel").unwrap();
    let (paid, at) = page(&mut client);
    assert_eq!(client.post(&at, FORM, "action=pay").unwrap().status, 303);
    let wanted = [
        format!("hold payer: payment {left}"),
        format!("free time: expired payment {left}"),
        format!("hold payer: payment {stopped}"),
        format!("free shop: cancelled payment {stopped}"),
        format!("hold payer: payment {given_up}"),
        format!("free payer: given up payment {given_up}"),
        format!("hold payer: payment {paid}"),
        format!("redeem payer: payment {paid}"),
    ];
    assert_eq!(history(&desk, &card)[1..], wanted);
}
