//! Webhooks from outside: fifteen attempts on the sandbox's clock, and Standard Webhooks beside
//! them for the same events.

use dialects::verify::{Delivery, Scheme as Known, verify};
use domain::EndpointAsk;
use domain::endpoint::Topics;
use gateway::operations::endpoints::{self, Who};
use gateway::schemes::Scheme;
use serde_json::{Value, json};

use crate::operators::Desk;
use crate::process::hook::Hook;
use crate::shop::{APPROVE, HOSTED, PAYOUTS, Shop, text};

#[test]
fn a_receiver_that_is_down_is_tried_fifteen_times_five_minutes_apart() {
    let desk = Desk::open();
    let hook = Hook::open();
    hook.answers("pending", 503);
    let mut body = Shop::request("T-1", "10.00");
    body["request"]["notification_url"] = json!(hook.url("numipay"));
    let (_, made) = desk.post(HOSTED, &body);
    let id = text(&made, "transaction_id").to_owned();
    let wish = json!({"payment": id, "outcome": "approve"});
    assert_eq!(desk.post("/sandbox/simulate", &wish).0, 200);
    hook.wait("pending", 1);
    // One minute less than the schedule takes: one attempt is left, and success still waits.
    for (advance, count) in [("69m", 14), ("1m", 15), ("3h", 15)] {
        desk.post("/sandbox/clock", &json!({"advance": advance}));
        assert_eq!(hook.wait("\"pending\"", count).len(), count, "{advance}");
    }
    // Given up, and the next in line goes.
    let told = hook.wait("\"successful\"", 1);
    assert_eq!(told.len(), 1);
    let pending = hook.wait("\"pending\"", 15);
    let signature = |head: &str| {
        let line = head.lines().find(|line| line.starts_with("x-signature:"));
        line.unwrap().to_owned()
    };
    for (head, body) in &pending {
        assert_eq!(body, &pending[0].1, "the same bytes");
        assert_eq!(signature(head), signature(&pending[0].0));
    }
    let listed = desk.does(&["webhooks", "list", "--payment", &id, "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let rows = listed["deliveries"].as_array().unwrap();
    let failed = rows.iter().find(|row| row["state"] == "failed").unwrap();
    assert_eq!(failed["attempts_made"], 15);
    let shown = desk.does(&["webhooks", "show", text(failed, "id"), "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let times: Vec<i64> = shown["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| {
            let at: jiff::Timestamp = text(attempt, "at").parse().unwrap();
            at.as_second()
        })
        .collect();
    // The sandbox's clock runs on between two attempts; a try begins when its time has come.
    for pair in times.windows(2) {
        let gap = pair[1] - pair[0];
        assert!((300..315).contains(&gap), "{gap} s: {times:?}");
    }
}

#[tokio::test]
async fn standard_webhooks_beside_tell_the_same_story_with_a_strong_signature() {
    let shop = Shop::open().await;
    let who = Who {
        caller: &shop.caller,
        actor: "test",
    };
    let ask = EndpointAsk {
        url: "https://shop.example/standard".to_owned(),
        topics: Topics::All,
        label: None,
        per_topic_max: None,
        extras: serde_json::Map::new(),
    };
    let scheme = Scheme::by_name("standard").unwrap();
    let made = endpoints::register(&shop.app, scheme, &who, ask).await;
    let secret = made.unwrap().secret.unwrap();
    let deposit = shop.begin(HOSTED, "D-1", "100.00").await;
    shop.simulate("D-1", "approve").await;
    let payout = shop.begin(PAYOUTS, "W-1", "10.13").await;
    shop.post(APPROVE, json!({"transaction_id": "W-1"})).await;
    shop.pass(domain::Span::from_seconds(2)).await;
    shop.deliver().await;
    let got = shop.receiver.got.lock().unwrap().clone();
    let (standard, own): (Vec<_>, Vec<_>) = got
        .into_iter()
        .partition(|(_, sending)| sending.url.ends_with("/standard"));
    let own: Vec<Value> = own
        .iter()
        .map(|(_, sending)| serde_json::from_str(&sending.body).unwrap())
        .collect();
    assert_eq!(own.len(), 4, "pending and an end, twice: {own:?}");
    let mut kinds = Vec::new();
    for (at, sending) in &standard {
        let delivery = Delivery {
            headers: sending.headers.clone(),
            body: sending.body.clone().into_bytes(),
            ..Delivery::default()
        };
        let verdict = verify(Known::Standard, &delivery, &secret, Some(*at));
        assert!(verdict.valid, "{verdict:?}");
        let told: Value = serde_json::from_str(&sending.body).unwrap();
        assert_eq!(told["data"]["dialect"], "numipay");
        kinds.push(text(&told, "type").to_owned());
    }
    for (kind, id) in [
        ("bill.created", text(&deposit, "transaction_id")),
        ("bill.paid", text(&deposit, "transaction_id")),
        ("payout.created", text(&payout, "transaction_id")),
        ("payout.approved", text(&payout, "transaction_id")),
        ("payout.rejected", text(&payout, "transaction_id")),
    ] {
        assert!(kinds.iter().any(|known| known == kind), "{kind}: {kinds:?}");
        let (_, sending) = standard
            .iter()
            .find(|(_, sending)| sending.body.contains(&format!("\"type\":\"{kind}\"")))
            .unwrap();
        assert!(sending.body.contains(id), "{kind} names {id}");
    }
}
