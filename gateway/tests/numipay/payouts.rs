//! Payouts: reservation, approval, outcomes, times, two persons, webhooks.

use std::sync::atomic::Ordering;

use dialects::Site;
use domain::endpoint::Topics;
use domain::provider::Bounds;
use domain::{Currency, EndpointAsk, Span};
use gateway::operations::endpoints::{self, Who};
use gateway::operations::merchants;
use gateway::schemes::Scheme;
use serde_json::{Value, json};

use crate::shop::{APPROVE, HOSTED, NUMIPAY, PAYOUTS, REJECT, Shop, minutes, text};

fn named(id: &str) -> Value {
    json!({"transaction_id": id})
}

const CONFLICT: (u16, u64) = (409, 1076);

async fn refused(shop: &Shop, path: &str, id: &str) -> (u16, u64) {
    let (status, told) = shop.post(path, named(id)).await;
    (status, told["code"].as_u64().unwrap_or(0))
}

#[tokio::test]
async fn requested_approved_and_paid() {
    let shop = Shop::open().await;
    shop.fill("100.00").await;
    let made = shop.begin(PAYOUTS, "W-1", "60.00").await;
    let id = text(&made, "transaction_id");
    assert_eq!(made["transaction_status"], "pending");
    assert_eq!(shop.balance("payout:").await, 6_000, "reserved at once");
    assert_eq!(shop.balance("merchant:").await, 4_000);
    let (status, told) = shop.post(APPROVE, named("W-1")).await;
    assert_eq!(status, 200);
    assert_eq!(
        told.to_string(),
        "{\"message\":\"Transaction Withdrawal has been approved successfully\",\
         \"transaction_status\":\"pending\"}"
    );
    assert_eq!(refused(&shop, APPROVE, id).await, CONFLICT, "approved once");
    assert_eq!(
        refused(&shop, REJECT, id).await,
        CONFLICT,
        "the bank has it"
    );
    shop.is(id, "pending").await;
    shop.pass(Span::from_seconds(1)).await;
    shop.is(id, "pending").await;
    shop.pass(Span::from_seconds(1)).await;
    shop.is(id, "successful").await;
    assert_eq!(
        shop.told(id).await,
        ["pending", "successful"],
        "approval tells nothing"
    );
    assert_eq!(refused(&shop, APPROVE, id).await, CONFLICT);
    assert_eq!(
        (
            shop.balance("payout:").await,
            shop.balance("merchant:").await
        ),
        (0, 4_000)
    );
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn too_little_is_rejected_from_the_start() {
    let shop = Shop::open().await;
    shop.fill("100.00").await;
    let made = shop.begin(PAYOUTS, "W-1", "100.01").await;
    let id = text(&made, "transaction_id");
    assert_eq!(
        (&made["url"], &made["error"]),
        (&json!(""), &json!("Insufficient funds"))
    );
    let standing = json!({
        "transaction_status": "rejected", "rejected_reason": "Insufficient funds",
    });
    assert_eq!(shop.standing(id).await, standing);
    assert_eq!(shop.told(id).await, ["rejected"]);
    assert_eq!(refused(&shop, APPROVE, id).await, CONFLICT);
    let again = shop.begin(PAYOUTS, "W-1", "100.01").await;
    assert_eq!(
        again, made,
        "the first answer, even when there is money later"
    );
    let mut dollars = Shop::request("W-2", "1.00");
    dollars["request"]["currency"] = json!("USD");
    let (_, told) = shop.post(PAYOUTS, dollars).await;
    assert_eq!(
        told["transaction_status"], "rejected",
        "euros are no dollars"
    );
    assert_eq!(shop.balance("merchant:").await, 10_000);
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn rejected_by_the_merchant_late_by_the_bank_and_given_up() {
    let shop = Shop::open().await;
    shop.fill("100.00").await;
    let one = shop.begin(PAYOUTS, "W-1", "10.00").await;
    let (status, told) = shop.post(REJECT, named(text(&one, "transaction_id"))).await;
    assert_eq!((status, told), (200, json!({})));
    let standing = shop.standing("W-1").await;
    assert_eq!(standing["rejected_reason"], "Rejected by merchant");
    assert_eq!(
        shop.told(text(&one, "transaction_id")).await,
        ["pending", "rejected"]
    );
    // An amount that ends in .13 is turned down by the bank after it was approved.
    shop.begin(PAYOUTS, "W-2", "10.13").await;
    shop.post(APPROVE, named("W-2")).await;
    shop.pass(Span::from_seconds(2)).await;
    let standing = shop.standing("W-2").await;
    assert_eq!(standing["rejected_reason"], "Insufficient funds");
    shop.begin(PAYOUTS, "W-3", "10.00").await;
    let (_, told) = shop.simulate("W-3", "abort").await;
    assert_eq!(told["status"], "rejected");
    assert_eq!(
        shop.standing("W-3").await["rejected_reason"],
        "Cancelled by user"
    );
    assert_eq!(shop.balance("merchant:").await, 10_000, "all of it is back");
    for path in [APPROVE, REJECT] {
        assert_eq!(refused(&shop, path, "W-1").await, CONFLICT);
        assert_eq!(refused(&shop, path, "nobody").await, (404, 1039));
        let (status, told) = shop.post(path, json!({})).await;
        assert_eq!((status, &told["code"]), (400, &json!(1021)));
    }
    shop.begin(HOSTED, "D-1", "1.00").await;
    assert_eq!(refused(&shop, APPROVE, "D-1").await, CONFLICT, "a deposit");
    assert_eq!(refused(&shop, REJECT, "D-1").await, CONFLICT);
    shop.is("D-1", "pending").await;
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn the_withdrawal_cashier_when_the_customer_must_choose() {
    let shop = Shop::open().await;
    shop.settle(|settings| settings.payout_user_step = true)
        .await;
    shop.fill("100.00").await;
    let made = shop.begin(PAYOUTS, "W-1", "10.00").await;
    let url = text(&made, "url");
    assert_eq!(
        refused(&shop, APPROVE, "W-1").await,
        CONFLICT,
        "nobody chose yet"
    );
    let page = shop.page(url).await.body;
    assert!(page.contains("Where should the money go?") && page.contains("sim-bank"));
    assert!(!page.contains("sim-card"), "a card pays nothing out");
    assert_eq!(
        shop.submit(url, "action=choose&provider=sim-card")
            .await
            .status,
        422
    );
    let chosen = shop.submit(url, "action=choose&provider=sim-bank").await;
    let bank = shop.page(&chosen.location).await.body;
    assert!(bank.contains("Bank transfer (simulated)"), "{bank}");
    let left = shop
        .submit(&chosen.location, "outcome=leave&provider=sim-bank")
        .await;
    assert!(left.location.ends_with("status=pending"));
    assert_eq!(refused(&shop, APPROVE, "W-1").await, CONFLICT);
    let done = shop
        .submit(&chosen.location, "outcome=approve&provider=sim-bank")
        .await;
    assert!(done.location.ends_with("status=pending"), "{done:?}");
    let page = shop.page(url).await.body;
    assert!(page.contains("Your payout is being checked"), "{page}");
    assert_eq!(
        shop.submit(url, "action=choose&provider=sim-bank")
            .await
            .status,
        409
    );
    assert_eq!(shop.post(APPROVE, named("W-1")).await.0, 200);
    assert!(shop.page(url).await.body.contains("on its way"));
    let late = shop
        .submit(&chosen.location, "outcome=decline&provider=sim-bank")
        .await;
    assert_eq!(late.status, 409, "what is approved is not the customer's");
    shop.pass(Span::from_seconds(2)).await;
    assert!(shop.page(url).await.body.contains("Your money was sent"));
    for (tracking, form, reason) in [
        ("W-2", "action=cancel", "Cancelled by user"),
        (
            "W-3",
            "outcome=decline&reason=Wrong+account&provider=sim-bank",
            "Wrong account",
        ),
    ] {
        let made = shop.begin(PAYOUTS, tracking, "10.00").await;
        let done = shop.submit(text(&made, "url"), form).await;
        assert!(done.location.ends_with("status=rejected"), "{done:?}");
        assert_eq!(shop.standing(tracking).await["rejected_reason"], reason);
    }
    assert_eq!(
        (
            shop.balance("payout:").await,
            shop.balance("merchant:").await
        ),
        (0, 9_000)
    );
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn nobody_acts_in_time() {
    let shop = Shop::open().await;
    shop.fill("100.00").await;
    shop.begin(PAYOUTS, "W-1", "10.00").await;
    shop.settle(|settings| settings.payout_user_step = true)
        .await;
    shop.begin(PAYOUTS, "W-2", "20.00").await;
    shop.pass(minutes(24 * 60)).await;
    shop.is("W-2", "expired").await;
    shop.is("W-1", "pending").await;
    assert_eq!(shop.balance("merchant:").await, 9_000);
    shop.pass(minutes(29 * 24 * 60)).await;
    shop.is("W-1", "expired").await;
    assert_eq!(refused(&shop, APPROVE, "W-1").await, CONFLICT);
    assert_eq!(shop.balance("merchant:").await, 10_000);
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn a_payout_that_is_over_its_time_cannot_be_approved_before_the_worker_saw_it() {
    let site = Site::sandbox("http://127.0.0.1:8080");
    let shop = Shop::with(site).await;
    shop.fill("100.00").await;
    shop.begin(PAYOUTS, "W-1", "10.00").await;
    shop.clock.advance(minutes(30 * 24 * 60));
    shop.is("W-1", "expired").await;
    assert_eq!(refused(&shop, APPROVE, "W-1").await, CONFLICT);
    assert_eq!(refused(&shop, REJECT, "W-1").await, CONFLICT);
    shop.pass(minutes(1)).await;
    assert_eq!(shop.balance("merchant:").await, 10_000);
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn above_the_limit_another_key_must_approve() {
    let shop = Shop::open().await;
    shop.fill("1000.00").await;
    shop.settle(|settings| {
        settings.alone_up_to = vec![Bounds {
            currency: Currency::parse("EUR").unwrap(),
            least: None,
            most: Some("50.00".to_owned()),
        }];
    })
    .await;
    let second = merchants::new_key(&shop.app, "numipay", &shop.caller, false)
        .await
        .unwrap();
    shop.begin(PAYOUTS, "W-1", "50.00").await;
    assert_eq!(
        shop.post(APPROVE, named("W-1")).await.0,
        200,
        "at the limit"
    );
    shop.begin(PAYOUTS, "W-2", "50.01").await;
    let (status, told) = shop.post(APPROVE, named("W-2")).await;
    assert_eq!((status, &told["code"]), (403, &json!(1076)));
    assert!(text(&told, "message").contains("second person"));
    let other = second.expose();
    let (status, _) = shop.call_as(other, "POST", APPROVE, &named("W-2")).await;
    assert_eq!(status, 200);
    shop.begin(PAYOUTS, "W-3", "500.00").await;
    assert_eq!(
        shop.post(REJECT, named("W-3")).await.0,
        200,
        "turning down takes one"
    );
}

#[tokio::test]
async fn the_simulator_is_the_customer_and_then_the_bank() {
    let shop = Shop::open().await;
    shop.fill("100.00").await;
    let made = shop.begin(PAYOUTS, "W-1", "10.00").await;
    let id = text(&made, "transaction_id");
    let pending = json!({"payment": id, "status": "pending"});
    assert_eq!(
        shop.simulate("W-1", "approve").await,
        (200, pending),
        "the customer"
    );
    assert_eq!(
        shop.simulate(id, "approve").await.0,
        409,
        "the merchant is next"
    );
    shop.post(APPROVE, named(id)).await;
    let paid = json!({"payment": id, "status": "successful"});
    assert_eq!(shop.simulate(id, "approve").await, (200, paid), "the bank");
    assert_eq!(shop.simulate(id, "decline").await.0, 409, "it is over");
    shop.begin(PAYOUTS, "W-2", "10.00").await;
    shop.post(APPROVE, named("W-2")).await;
    assert_eq!(
        shop.simulate("W-2", "abort").await.0,
        409,
        "too late for the customer"
    );
    assert_eq!(shop.simulate("W-2", "expire").await.0, 409);
    let (_, told) = shop.simulate("W-2", "decline").await;
    assert_eq!(told["status"], "rejected");
    shop.begin(PAYOUTS, "W-3", "10.00").await;
    assert_eq!(shop.simulate("W-3", "expire").await.1["status"], "expired");
    assert_eq!(shop.balance("merchant:").await, 9_000);
    shop.ledger_is_whole().await;
}

#[tokio::test]
async fn webhooks_come_fifteen_times_five_minutes_apart_and_in_order() {
    let shop = Shop::open().await;
    shop.receiver.status.store(500, Ordering::SeqCst);
    let made = shop.begin(HOSTED, "T-1", "10.00").await;
    let id = text(&made, "transaction_id").to_owned();
    shop.simulate(&id, "approve").await;
    for _ in 0..100 {
        shop.pass(minutes(1)).await;
    }
    {
        let got = shop.receiver.got.lock().unwrap();
        let pending: Vec<_> = got
            .iter()
            .filter(|(_, sending)| sending.body.contains("\"pending\""))
            .collect();
        assert_eq!(pending.len(), 15);
        let bytes = |place: usize| (&pending[place].1.body, &pending[place].1.headers);
        for place in 1..15 {
            let gap = pending[place].0.since(pending[place - 1].0);
            assert_eq!(gap, minutes(5), "attempt {place}");
            assert_eq!(bytes(place), bytes(0), "the same bytes every time");
        }
        let first_success = got.iter().position(|(_, s)| s.body.contains("successful"));
        let last_pending = got
            .iter()
            .rposition(|(_, s)| s.body.contains("\"pending\""));
        assert!(
            first_success.unwrap() > last_pending.unwrap(),
            "none overtakes another"
        );
    }
    shop.receiver.status.store(200, Ordering::SeqCst);
    shop.pass(minutes(5)).await;
    assert_eq!(shop.told(&id).await.last().unwrap(), "successful");
}

#[tokio::test]
async fn without_an_address_in_the_call_the_accounts_endpoint_hears_it() {
    let shop = Shop::open().await;
    let who = Who {
        caller: &shop.caller,
        actor: "test",
    };
    let ask = EndpointAsk {
        url: "https://shop.example/account-hook".to_owned(),
        topics: Topics::All,
        label: None,
        per_topic_max: None,
        extras: serde_json::Map::new(),
    };
    endpoints::register(&shop.app, Scheme::Dialect(NUMIPAY), &who, ask)
        .await
        .unwrap();
    let mut body = Shop::request("T-1", "10.00");
    body["request"]
        .as_object_mut()
        .unwrap()
        .remove("notification_url");
    let (_, made) = shop.post(HOSTED, body).await;
    let id = text(&made, "transaction_id");
    shop.simulate(id, "approve").await;
    // `told` checks that it is signed with the account's one password.
    assert_eq!(shop.told(id).await, ["pending", "successful"]);
    let own = shop.begin(HOSTED, "T-2", "10.00").await;
    shop.told(text(&own, "transaction_id")).await;
    let urls: Vec<String> = shop
        .receiver
        .got
        .lock()
        .unwrap()
        .iter()
        .map(|(_, sending)| sending.url.clone())
        .collect();
    let account = "https://shop.example/account-hook";
    assert_eq!(urls, [account, account, "https://shop.example/hook"]);
}
