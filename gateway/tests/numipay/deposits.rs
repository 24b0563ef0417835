//! Deposits: the cashier, direct, server to server, and what a copy of a call gets.

use domain::{Caller, Mode};
use gateway::operations::merchants;
use serde_json::json;
use store::tables::audit;

use crate::shop::{DIRECT, HOSTED, LIST, PAYOUTS, SERVER, Shop, hidden, minutes, text};

#[tokio::test]
async fn a_deposit_on_the_cashier_from_the_list_through_a_decline() {
    let shop = Shop::open().await;
    let made = shop.begin(HOSTED, "T-1", "200.00").await;
    let (id, url) = (text(&made, "transaction_id"), text(&made, "url"));
    assert_eq!(made["transaction_status"], "pending");
    let list = shop.page(url).await;
    assert_eq!(list.status, 200);
    for part in [
        "EUR\u{a0}200.00",
        "Demo Shop",
        "T-1",
        "Card",
        "Wallet",
        "Bank transfer",
    ] {
        assert!(list.body.contains(part), "{part}");
    }
    let chosen = shop.submit(url, "action=choose&provider=sim-card").await;
    assert_eq!(chosen.status, 303);
    let card = shop.page(&chosen.location).await;
    let once = hidden(&card.body, "once");
    let form = |number: &str| {
        format!("action=pay&once={once}&number={number}&expiry=12%2F30&code=123&name=A")
    };
    let wrong = shop
        .submit(&chosen.location, &form("4111111111111112"))
        .await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.body.contains("Check the card number"),
        "{}",
        wrong.body
    );
    let declined = shop
        .submit(&chosen.location, &form("4000000000009995"))
        .await;
    assert_eq!(declined.status, 422);
    assert!(declined.body.contains("not enough funds"));
    shop.is(id, "pending").await;
    let again = form("4111111111111111").replace(&once, "another");
    let paid = shop.submit(&chosen.location, &again).await;
    assert_eq!(paid.status, 303);
    let back = format!("https://shop.example/back?x=1&tracking_id=T-1&transaction_id={id}");
    assert_eq!(paid.location, format!("{back}&status=successful"));
    shop.is("T-1", "successful").await;
    assert_eq!(shop.told(id).await, ["pending", "successful"]);
    let over = shop
        .submit(&chosen.location, &again.replace("another", "third"))
        .await;
    assert_eq!(over.status, 409, "nothing more is charged");
    assert_eq!(shop.balance("merchant:").await, 20_000);
    assert!(shop.page(url).await.body.contains("has been paid already"));
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn cancelling_ends_it_and_leaving_does_not() {
    let shop = Shop::open().await;
    let made = shop.begin(HOSTED, "T-1", "5.00").await;
    let (id, url) = (text(&made, "transaction_id"), text(&made, "url"));
    let page = shop.page(url).await.body;
    assert!(
        page.contains("status=pending\""),
        "a plain link back: {page}"
    );
    shop.is(id, "pending").await;
    let left = shop.submit(url, "action=cancel").await;
    assert!(left.location.ends_with("&status=rejected"), "{left:?}");
    let standing = shop.standing(id).await;
    let rejected = json!({
        "transaction_status": "rejected", "rejected_reason": "Cancelled by user",
    });
    assert_eq!(standing, rejected);
    assert_eq!(shop.told(id).await, ["pending", "rejected"]);
    assert_eq!(shop.submit(url, "action=cancel").await.status, 409);
    assert_eq!(shop.page(url).await.status, 200);
}

#[tokio::test]
async fn a_providers_own_page_has_four_ways_out() {
    let shop = Shop::open().await;
    for (outcome, word, reason) in [
        ("approve", "successful", None),
        ("decline&reason=No+credit", "rejected", Some("No credit")),
        ("decline", "rejected", Some("Insufficient funds")),
        ("leave", "pending", None),
        ("expire", "expired", None),
    ] {
        let mut body = Shop::request(&format!("T {outcome}"), "9.99");
        body["request"]["provider_id"] = json!("sim-wallet");
        let (status, made) = shop.post(DIRECT, body).await;
        assert_eq!(status, 200);
        let url = text(&made, "url");
        let page = shop.page(url).await.body;
        assert!(
            page.contains("Wallet (simulated)"),
            "straight to the provider"
        );
        let done = shop.submit(url, &format!("outcome={outcome}")).await;
        assert_eq!(done.status, 303, "{outcome}: {done:?}");
        assert!(
            done.location.ends_with(&format!("status={word}")),
            "{done:?}"
        );
        let standing = shop.standing(text(&made, "transaction_id")).await;
        assert_eq!(standing["transaction_status"], word);
        assert_eq!(standing["rejected_reason"].as_str(), reason);
    }
}

/// What the audit log says about a transaction beside when.
async fn history(shop: &Shop, id: &str) -> Vec<[String; 3]> {
    let id = id.to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let wire = domain::WireId::new(&id).unwrap();
        let found = store::tables::transactions::by_wire(tx, "numipay", wire.as_str())?;
        Ok(audit::about(tx, found.unwrap().about.as_str())?)
    };
    let entries = shop.app.store.read("history", read).await.unwrap();
    let entry = |entry: audit::Entry| [entry.actor, entry.action, entry.details];
    // Entries of one moment have no order.
    let mut entries: Vec<_> = entries.into_iter().map(entry).collect();
    entries.sort();
    entries
}

#[tokio::test]
async fn a_provider_that_answers_late_is_kept_and_changes_nothing() {
    let shop = Shop::open().await;
    let mut body = Shop::request("T-1", "9.99");
    body["request"]["provider_id"] = json!("sim-bank");
    let (_, made) = shop.post(DIRECT, body).await;
    let (id, url) = (text(&made, "transaction_id"), text(&made, "url"));
    shop.submit(url, "action=cancel").await;
    for form in ["outcome=approve", "outcome=approve", "outcome=decline"] {
        assert_eq!(shop.submit(url, form).await.status, 409, "{form}");
    }
    shop.is(id, "rejected").await;
    let late = |said: &str| ["provider:sim-bank", "late_answer", said].map(str::to_owned);
    assert_eq!(
        history(&shop, id).await,
        [
            late("approved EUR 9.99; it was failed"),
            late("declined EUR 9.99; it was failed")
        ]
    );
    assert_eq!(shop.balance("merchant:").await, 0);
    // The bank of a card in the call.
    let (_, made) = shop
        .post(SERVER, Shop::with_card("S-1", "4000000000003220"))
        .await;
    let (id, url) = (text(&made, "transaction_id"), text(&made, "url"));
    shop.clock.advance(minutes(24 * 60));
    assert_eq!(shop.submit(url, "outcome=approve").await.status, 409);
    let [by, action, details] = history(&shop, id).await.remove(0);
    assert_eq!(
        (by.as_str(), action.as_str()),
        ("provider:bank", "late_answer")
    );
    assert_eq!(details, "approved EUR 200.00; it was expired");
    shop.is(id, "expired").await;
    // A payout: the customer's provider, then the merchant's bank.
    shop.fill("100.00").await;
    let made = shop.begin(PAYOUTS, "W-1", "10.00").await;
    let (id, url) = (text(&made, "transaction_id"), text(&made, "url"));
    shop.submit(url, "action=cancel").await;
    let form = "outcome=decline&provider=sim-bank";
    assert_eq!(shop.submit(url, form).await.status, 409);
    assert_eq!(shop.simulate(id, "approve").await.0, 409);
    let said: Vec<String> = history(&shop, id)
        .await
        .into_iter()
        .map(|[.., said]| said)
        .collect();
    assert_eq!(
        said,
        [
            "declined EUR 10.00; it was rejected",
            "paid EUR 10.00; it was rejected"
        ]
    );
    assert_eq!(shop.balance("merchant:").await, 10_000);
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn where_no_provider_works_nobody_is_asked_to_choose() {
    let shop = Shop::open().await;
    shop.fill("100.00").await;
    let mut body = Shop::request("T-1", "9.99");
    body["request"]["provider_id"] = json!("sim-bank");
    let (_, direct) = shop.post(DIRECT, body).await;
    let payout = shop.begin(PAYOUTS, "W-1", "10.00").await;
    shop.settle(|settings| settings.providers[2].down = true)
        .await;
    for (made, says) in [
        (&direct, "Nothing was charged"),
        (&payout, "stays as it is"),
    ] {
        let url = text(made, "url");
        for page in [
            shop.page(url).await,
            shop.submit(url, "action=choose&provider=sim-bank").await,
        ] {
            assert!(
                page.body.contains("No provider can be used"),
                "{}",
                page.body
            );
            assert!(page.body.contains(says), "{}", page.body);
            for wrong in ["How do you want", "Where should", "Choose one below"] {
                assert!(!page.body.contains(wrong), "{wrong}: {}", page.body);
            }
        }
    }
    assert!(
        !shop
            .page(text(&payout, "url"))
            .await
            .body
            .contains("charged")
    );
}

#[tokio::test]
async fn the_cashier_says_what_a_provider_brings() {
    let shop = Shop::open().await;
    shop.settle(|settings| {
        settings.providers[0].methods = vec!["Visa".to_owned(), "<b>Mastercard".to_owned()];
    })
    .await;
    let made = shop.begin(HOSTED, "T-1", "5.00").await;
    let page = shop.page(text(&made, "url")).await.body;
    assert!(page.contains("Visa, &#60;b&#62;Mastercard"), "{page}");
}

#[tokio::test]
async fn direct_with_a_card_is_the_card_form_at_once() {
    let shop = Shop::open().await;
    let direct = |id: &str, provider: &str| {
        let mut body = Shop::request(id, "1.00");
        body["request"]["provider_id"] = json!(provider);
        body
    };
    let (_, made) = shop.post(DIRECT, direct("T-1", "sim-card")).await;
    let page = shop.page(text(&made, "url")).await.body;
    assert!(page.contains("autocomplete=\"cc-number\"") && !page.contains("value=\"choose\""));
    shop.settle(|settings| settings.providers[1].enabled = false)
        .await;
    for provider in ["sim-wallet", "nobody"] {
        let (status, told) = shop
            .post(DIRECT, direct(&format!("T {provider}"), provider))
            .await;
        assert_eq!((status, &told["code"]), (400, &json!(1025)), "{provider}");
        assert!(told["errors"]["provider_id"].is_array());
    }
    let list = shop.begin(HOSTED, "T-2", "1.00").await;
    let page = shop.page(text(&list, "url")).await.body;
    assert!(
        !page.contains("sim-wallet"),
        "what is disabled is not offered"
    );
}

#[tokio::test]
async fn the_language_of_the_call_and_hostile_texts() {
    let shop = Shop::open().await;
    let mut body = Shop::request("<b>\"T'", "1.00");
    body["request"]["description"] = json!("<script>alert(1)</script>");
    body["request"]["language"] = json!("xx");
    let (_, made) = shop.post(HOSTED, body).await;
    let page = shop.page(text(&made, "url")).await.body;
    assert!(
        !page.contains("<script>alert") && page.contains("&#60;script&#62;"),
        "{page}"
    );
    assert_eq!(shop.page("/cashier/nobody").await.status, 404);
    assert_eq!(
        shop.submit("/cashier/nobody", "action=cancel").await.status,
        404
    );
    assert_eq!(shop.page("/3ds/nobody").await.status, 404);
}

#[tokio::test]
async fn cards_in_the_call() {
    let shop = Shop::open().await;
    for (number, word, error) in [
        ("4111111111111111", "successful", None),
        ("5555555555554444", "successful", None),
        ("4000000000009995", "rejected", Some("Insufficient funds")),
        ("4000000000000002", "rejected", Some("Do not honor")),
        ("4000000000000069", "rejected", Some("Expired card")),
    ] {
        let body = Shop::with_card(number, number);
        let (status, told) = shop.post(SERVER, body.clone()).await;
        assert_eq!(status, 200);
        assert_eq!(
            (&told["url"], &told["transaction_status"]),
            (&json!(""), &json!(word))
        );
        assert_eq!(told["error"].as_str(), error);
        let id = text(&told, "transaction_id");
        assert_eq!(shop.told(id).await, ["pending", word]);
        let page = shop.page(&format!("/cashier/{id}")).await;
        assert_eq!(page.status, 404, "our id is not the token of a page");
        assert_eq!(
            shop.post(SERVER, body).await.1,
            told,
            "the first answer again"
        );
    }
    assert_eq!(shop.balance("merchant:").await, 40_000);
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn three_d_secure_on_a_server_to_server_deposit() {
    let shop = Shop::open().await;
    for (outcome, word) in [
        ("approve", "successful"),
        ("decline", "rejected"),
        ("leave", "pending"),
    ] {
        let body = Shop::with_card(outcome, "4000000000003220");
        let (_, told) = shop.post(SERVER, body.clone()).await;
        assert_eq!(told["transaction_status"], "pending");
        let url = text(&told, "url");
        assert!(url.contains("/3ds/"), "{url}");
        let page = shop.page(url).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("3220") && page.body.contains("EUR\u{a0}200.00"));
        let done = shop.submit(url, &format!("outcome={outcome}")).await;
        assert_eq!(done.status, 303);
        assert!(
            done.location.ends_with(&format!("status={word}")),
            "{done:?}"
        );
        shop.is(outcome, word).await;
        assert_eq!(
            shop.post(SERVER, body).await.1,
            told,
            "the first answer, whatever became of it"
        );
        if word != "pending" {
            assert_eq!(shop.submit(url, "outcome=approve").await.status, 409);
            shop.is(outcome, word).await;
        }
    }
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn the_bank_of_a_card_in_the_call_waits_as_long_as_the_deposit() {
    let shop = Shop::open().await;
    let body = |id: &str| Shop::with_card(id, "4000000000003220");
    let (_, told) = shop.post(SERVER, body("S-1")).await;
    let (_, late) = shop.post(SERVER, body("S-2")).await;
    let (url, other) = (text(&told, "url"), text(&late, "url"));
    shop.pass(minutes(23 * 60 + 59)).await;
    assert!(shop.page(url).await.body.contains("Confirm your payment"));
    let cashier = url.replace("/3ds/", "/cashier/");
    let sent = shop.page(&cashier).await;
    assert_eq!(
        (sent.status, url.ends_with(&sent.location)),
        (303, true),
        "to the bank"
    );
    assert_eq!(shop.post(SERVER, body("S-1")).await.1, told);
    let done = shop.submit(url, "outcome=approve").await;
    assert!(done.location.ends_with("status=successful"), "{done:?}");
    // A day is over for the other one, before and after the worker has seen it.
    shop.clock.advance(minutes(1));
    for _ in 0..2 {
        let page = shop.page(other).await;
        assert!(
            page.body.contains("The time to pay is over"),
            "{}",
            page.body
        );
        assert_eq!(shop.submit(other, "outcome=approve").await.status, 409);
        shop.pass(minutes(0)).await;
    }
    shop.is("S-2", "expired").await;
    assert_eq!(shop.balance("merchant:").await, 20_000);
}

#[tokio::test]
async fn a_bank_that_waited_too_long_says_so() {
    let shop = Shop::open().await;
    let made = shop.begin(HOSTED, "T-1", "20.00").await;
    let url = text(&made, "url");
    let pay = |once: &str| {
        format!("action=pay&once={once}&number=4000000000003220&expiry=12%2F30&code=123")
    };
    let bank = shop.submit(url, &pay("a")).await.location;
    shop.clock.advance(minutes(15));
    let page = shop.page(&bank).await.body;
    assert!(
        page.contains("This took too long") && !page.contains("answered before"),
        "{page}"
    );
    assert_eq!(shop.submit(&bank, "outcome=approve").await.status, 409);
    shop.is("T-1", "pending").await;
    let bank = shop.submit(url, &pay("b")).await.location;
    let paid = shop.submit(&bank, "outcome=approve").await;
    assert!(paid.location.ends_with("status=successful"), "{paid:?}");
}

#[tokio::test]
async fn three_d_secure_on_the_cashier_can_be_tried_again() {
    let shop = Shop::open().await;
    let made = shop.begin(HOSTED, "T-1", "20.00").await;
    let url = text(&made, "url");
    let pay = |once: &str| {
        format!("action=pay&once={once}&number=4000000000003220&expiry=12%2F30&code=123")
    };
    let bank = shop.submit(url, &pay("a")).await.location;
    let declined = shop.submit(&bank, "outcome=decline").await;
    assert_eq!(declined.status, 422);
    assert!(
        declined.body.contains("Payment declined"),
        "{}",
        declined.body
    );
    shop.is("T-1", "pending").await;
    let bank = shop.submit(url, &pay("b")).await.location;
    let left = shop.submit(&bank, "outcome=leave").await;
    assert!(left.location.starts_with("/cashier/"), "{left:?}");
    let bank = shop.submit(url, &pay("c")).await.location;
    let paid = shop.submit(&bank, "outcome=approve").await;
    assert!(paid.location.ends_with("status=successful"), "{paid:?}");
    assert_eq!(shop.balance("merchant:").await, 2_000);
}

#[tokio::test]
async fn a_tracking_id_is_used_up_for_ever() {
    let shop = Shop::open().await;
    let first = shop.begin(HOSTED, "T-1", "10.00").await;
    let id = text(&first, "transaction_id").to_owned();
    shop.simulate(&id, "approve").await;
    shop.pass(minutes(60 * 24 * 400)).await;
    let mut other = Shop::request("T-1", "10.00");
    other["request"]["description"] = json!("other words");
    assert_eq!(
        shop.post(HOSTED, other).await,
        (200, first),
        "the same content"
    );
    for (path, name, value) in [
        (HOSTED, "amount", json!("10.01")),
        (HOSTED, "currency", json!("USD")),
        (HOSTED, "user_id", json!("u-2")),
        (PAYOUTS, "user_id", json!("u-1")),
    ] {
        let mut body = Shop::request("T-1", "10.00");
        body["request"][name] = value;
        let (status, told) = shop.post(path, body).await;
        assert_eq!((status, &told["code"]), (409, &json!(1076)), "{name}");
    }
    // An id of ours is no id for another transaction.
    let (status, _) = shop.post(HOSTED, Shop::request(&id, "10.00")).await;
    assert_eq!(status, 409);
    let (_, list) = shop
        .get(&format!("{LIST}?from=18-11-2026&to=18-11-2026"))
        .await;
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
}

#[tokio::test]
async fn a_deposit_expires_after_its_day() {
    let shop = Shop::open().await;
    let made = shop.begin(HOSTED, "T-1", "10.00").await;
    shop.clock.advance(minutes(24 * 60));
    shop.is("T-1", "expired").await;
    shop.pass(minutes(1)).await;
    assert_eq!(
        shop.told(text(&made, "transaction_id")).await,
        ["pending", "expired"]
    );
    let page = shop.page(text(&made, "url")).await.body;
    assert!(page.contains("The time to pay is over"), "{page}");
}

#[tokio::test]
async fn test_and_live_and_two_merchants_never_meet() {
    let shop = Shop::open().await;
    let live = Caller {
        mode: Mode::Live,
        ..shop.caller.clone()
    };
    let key = merchants::new_key(&shop.app, "numipay", &live, false)
        .await
        .unwrap();
    let other = merchants::add(&shop.app, "Other", live.merchant.currency, Mode::Test)
        .await
        .unwrap();
    let other = Caller {
        merchant: other,
        mode: Mode::Test,
    };
    let foreign = merchants::new_key(&shop.app, "numipay", &other, false)
        .await
        .unwrap();
    let made = shop.begin(HOSTED, "T-1", "10.00").await;
    for key in [key.expose(), foreign.expose()] {
        for id in [text(&made, "transaction_id"), "T-1"] {
            let path = format!("{LIST}/{id}");
            let (status, told) = shop.call_as(key, "GET", &path, &json!(null)).await;
            assert_eq!((status, &told["code"]), (404, &json!(1039)));
        }
        let (_, list) = shop.call_as(key, "GET", LIST, &json!(null)).await;
        assert_eq!(list, json!([]));
    }
    let body = Shop::request("T-1", "10.00");
    let (status, told) = shop.call_as(key.expose(), "POST", HOSTED, &body).await;
    assert_eq!(status, 400, "there is no simulator for live: {told}");
    let (status, own) = shop.call_as(foreign.expose(), "POST", HOSTED, &body).await;
    assert_eq!(status, 200, "another merchant's ids are its own");
    assert_ne!(own["transaction_id"], made["transaction_id"]);
    let card = Shop::with_card("T-2", "4111111111111111");
    let (status, told) = shop.call_as(foreign.expose(), "POST", SERVER, &card).await;
    assert_eq!(
        (status, &told["code"]),
        (403, &json!(1016)),
        "no permission for card data"
    );
    let (status, told) = shop.call_as("", "POST", HOSTED, &body).await;
    assert_eq!((status, &told["code"]), (401, &json!(1026)));
    let (status, told) = shop.call_as("np_dev_x", "POST", HOSTED, &body).await;
    assert_eq!((status, &told["code"]), (401, &json!(1027)));
}
