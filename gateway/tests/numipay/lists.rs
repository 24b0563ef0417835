//! The list: days, and many rows in bounded memory.

use axum::body::Body;
use domain::bill::Payer;
use domain::transaction::Flow;
use domain::{Ask, Bill, Currency, Direction, Moment, Money, Seed, Timestamp, WireId};
use gateway::operations::transactions as lists;
use http_body_util::BodyExt;
use serde_json::Value;
use store::tables::bills;
use store::tables::transactions::{self as table, About, Transaction};
use tower_service::Service;

use crate::shop::{HOSTED, LIST, PAYOUTS, Shop, minutes, text};

#[tokio::test]
async fn days_and_what_a_row_says() {
    let shop = Shop::open().await;
    // The clock stands at 2026-11-18T11:06:40Z.
    shop.fill("100.00").await;
    shop.clock.advance(minutes(24 * 60));
    let deposit = shop.begin(HOSTED, "D-1", "5.00").await;
    shop.clock.advance(minutes(1));
    shop.begin(PAYOUTS, "W-1", "500.00").await;
    let ids = |list: &Value| -> Vec<String> {
        let rows = list.as_array().unwrap();
        rows.iter()
            .map(|row| text(row, "tracking_id").to_owned())
            .collect()
    };
    let (_, today) = shop.get(LIST).await;
    assert_eq!(ids(&today), ["W-1", "D-1"], "newest first");
    let row = &today[1];
    let members: Vec<&String> = row.as_object().unwrap().keys().collect();
    assert_eq!(
        members[..8],
        [
            "transaction_id",
            "user_id",
            "tracking_id",
            "status",
            "currency",
            "amount",
            "transaction_type",
            "transaction_status"
        ]
    );
    assert_eq!(row["transaction_id"], deposit["transaction_id"]);
    assert_eq!(
        (&row["amount"], &row["status"]),
        (&"5.00".into(), &"pending".into())
    );
    assert_eq!(row["created_at"], "2026-11-19T11:06:40Z");
    assert!(row.get("provider_id").is_none(), "nobody chose one");
    assert_eq!(today[0]["rejected_reason"], "Insufficient funds");
    for (query, expected) in [
        ("?from=18-11-2026", vec!["W-1", "D-1", "fill 100.00"]),
        ("?to=18-11-2026", vec!["fill 100.00"]),
        ("?from=18-11-2026&to=18-11-2026", vec!["fill 100.00"]),
        (
            "?from=2026-11-19T00:00:00Z&to=19-11-2026",
            vec!["W-1", "D-1"],
        ),
        ("?from=01-01-2026&to=08-01-2026", vec![]),
    ] {
        let (status, list) = shop.get(&format!("{LIST}{query}")).await;
        assert_eq!(
            (status, ids(&list)),
            (200, expected.into_iter().map(str::to_owned).collect())
        );
    }
    let (_, filled) = shop.get(&format!("{LIST}?to=18-11-2026")).await;
    assert_eq!(filled[0]["provider_id"], "sim-card");
    for query in [
        "?from=20-11-2026",
        "?from=01-11-2026&to=09-11-2026",
        "?from=x",
        "?to=32-01-2026",
    ] {
        let (status, told) = shop.get(&format!("{LIST}{query}")).await;
        assert_eq!(status, 400, "{query}: {told}");
        assert!(text(&told, "message").len() > 10);
    }
}

/// So many deposits of one day, several in a millisecond.
async fn many(shop: &Shop, count: i64) {
    let caller = shop.caller.clone();
    let euro = Currency::parse("EUR").unwrap();
    let start = shop.clock.now();
    shop.app
        .store
        .write("many", move |tx| {
            for number in 0..count {
                let at = Moment {
                    now: Timestamp::from_millis(start.millis() + number / 7),
                    seed: Seed::new(Seed::new([9; 32]).derive(&number.to_string())),
                };
                let ask = Ask {
                    amount: Money::from_minor(100 + number, euro).unwrap(),
                    expires: None,
                    repeatable: false,
                    reference: Some(format!("T-{number}")),
                    purpose: None,
                    payer: Payer::default(),
                    methods: Vec::new(),
                    return_url: None,
                    notify_url: None,
                    extras: serde_json::Map::new(),
                };
                let wire = WireId::new(format!("{number:015}")).unwrap();
                let bill = Bill::create(&at, &caller, "numipay", wire.clone(), ask);
                bills::insert(tx, &bill)?;
                let row = Transaction {
                    about: About::Bill(bill.head.id.clone()),
                    dialect: "numipay".to_owned(),
                    wire,
                    merchant: caller.merchant.id.clone(),
                    mode: caller.mode,
                    tracking: format!("T-{number}"),
                    user: "u".to_owned(),
                    direction: Direction::Deposit,
                    flow: Flow::Hosted.as_str().to_owned(),
                    amount: bill.ask.amount,
                    page: format!("page {number}"),
                    answer: None,
                    created: at.now,
                };
                assert!(table::insert(tx, &row)?);
            }
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_long_list_comes_whole_in_parts_of_bounded_size() {
    let shop = Shop::open().await;
    let count = i64::from(lists::LIST_PART) * 3 + 17;
    many(&shop, count).await;
    let request = http::Request::builder()
        .uri(LIST)
        .header("x-api-key", &shop.known.api_key);
    let request = request.body(Body::empty()).unwrap();
    let response = shop.router.clone().call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    let (mut whole, mut largest, mut parts) = (Vec::new(), 0, 0);
    while let Some(frame) = body.frame().await {
        let bytes = frame.unwrap().into_data().unwrap();
        largest = largest.max(bytes.len());
        parts += 1;
        whole.extend_from_slice(&bytes);
    }
    let rows: Vec<Value> = serde_json::from_slice(&whole).unwrap();
    assert_eq!(rows.len(), usize::try_from(count).unwrap());
    assert_eq!(parts, 4);
    assert!(
        largest < lists::LIST_PART as usize * 400,
        "{largest} bytes at once"
    );
    let place = |row: &Value| text(row, "created_at").to_owned();
    assert!(
        rows.windows(2)
            .all(|pair| place(&pair[0]) >= place(&pair[1]))
    );
    let mut seen: Vec<&str> = rows.iter().map(|row| text(row, "transaction_id")).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), rows.len(), "none twice");
}

#[tokio::test]
async fn a_list_of_exactly_one_part_ends() {
    let shop = Shop::open().await;
    many(&shop, i64::from(lists::LIST_PART)).await;
    let (status, list) = shop.get(LIST).await;
    assert_eq!(status, 200);
    assert_eq!(list.as_array().unwrap().len(), lists::LIST_PART as usize);
}
