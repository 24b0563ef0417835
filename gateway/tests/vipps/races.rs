//! Many calls at once on one payment: exactly one outcome, and the sums are right.

use std::sync::Arc;

use domain::reservation::{CallLimits, Rules};
use serde_json::json;

use crate::shop::{PAYMENTS, Shop};

const WHOLE: i64 = 49_900;
const CROWD: usize = 16;

async fn shop() -> Arc<Shop> {
    let none = CallLimits {
        create: 0,
        read: 0,
        change: 0,
        tokens: 0,
        webhooks: 0,
    };
    let rules = Rules {
        limits: none,
        ..Rules::default()
    };
    Arc::new(Shop::with(rules).await)
}

/// Statuses of the same thing done by many at once.
async fn all_at_once<F, T>(shop: &Arc<Shop>, call: F) -> Vec<u16>
where
    F: Fn(Arc<Shop>, usize) -> T,
    T: Future<Output = u16> + Send + 'static,
{
    let tasks: Vec<_> = (0..CROWD)
        .map(|number| tokio::spawn(call(Arc::clone(shop), number)))
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses
}

fn good(statuses: &[u16]) -> usize {
    statuses
        .iter()
        .filter(|status| (200..300).contains(*status))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_created_once() {
    let shop = shop().await;
    let own_keys = all_at_once(&shop, |shop, number| async move {
        let terms = Shop::terms("order-12345");
        shop.post(PAYMENTS, &number.to_string(), &terms)
            .await
            .status
    })
    .await;
    assert_eq!(good(&own_keys), 1, "{own_keys:?}");
    assert!(own_keys.iter().all(|status| [201, 409].contains(status)));
    let one_key = all_at_once(&shop, |shop, _| async move {
        let terms = Shop::terms("order-23456");
        shop.post(PAYMENTS, "the same", &terms).await.status
    })
    .await;
    assert_eq!(one_key, [201; CROWD], "all wait for the first answer");
    assert_eq!(shop.log("order-23456").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_is_captured_once() {
    let shop = shop().await;
    shop.approved("order-12345").await;
    let statuses = all_at_once(&shop, |shop, number| async move {
        shop.modify("order-12345", "capture", &number.to_string(), WHOLE)
            .await
            .status
    })
    .await;
    assert_eq!(good(&statuses), 1, "{statuses:?}");
    assert_eq!(shop.sums("order-12345").await.1, [WHOLE, 0, WHOLE, 0]);
    let refunds = all_at_once(&shop, |shop, number| async move {
        shop.modify("order-12345", "refund", &number.to_string(), WHOLE)
            .await
            .status
    })
    .await;
    assert_eq!(good(&refunds), 1, "{refunds:?}");
    assert_eq!(shop.sums("order-12345").await.1, [WHOLE, 0, WHOLE, WHOLE]);
    shop.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn part_captures_never_pass_the_reservation() {
    let shop = shop().await;
    shop.approved("order-12345").await;
    let statuses = all_at_once(&shop, |shop, number| async move {
        shop.modify("order-12345", "capture", &number.to_string(), 10_000)
            .await
            .status
    })
    .await;
    assert_eq!(good(&statuses), 4, "{statuses:?}");
    assert_eq!(shop.sums("order-12345").await.1, [WHOLE, 0, 40_000, 0]);
    shop.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn capture_and_cancel_at_once_share_the_reservation_without_a_gap() {
    for round in 0..5 {
        let shop = shop().await;
        shop.approved("order-12345").await;
        let statuses = all_at_once(&shop, move |shop, number| async move {
            if (number + round) % 2 == 0 {
                shop.modify("order-12345", "capture", &number.to_string(), WHOLE)
                    .await
                    .status
            } else {
                shop.cancel("order-12345").await.status
            }
        })
        .await;
        assert_eq!(good(&statuses), 1, "{statuses:?}");
        let sums = shop.sums("order-12345").await.1;
        let either = [[WHOLE, 0, WHOLE, 0], [WHOLE, WHOLE, 0, 0]];
        assert!(either.contains(&sums), "{sums:?}");
        shop.ledger_is_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn approve_abort_and_cancel_at_once_have_one_outcome() {
    let shop = shop().await;
    shop.create("order-12345").await;
    let statuses = all_at_once(&shop, |shop, number| async move {
        let simulate = |outcome: &'static str| {
            let shop = Arc::clone(&shop);
            async move {
                let body = json!({"payment": "order-12345", "outcome": outcome}).to_string();
                let headers = shop.client_headers();
                shop.send("POST", "/sandbox/simulate", &headers, &body)
                    .await
                    .status
            }
        };
        match number % 3 {
            0 => simulate("approve").await,
            1 => simulate("abort").await,
            // A cancel after the approval releases, which is a step of its own.
            _ => simulate("expire").await,
        }
    })
    .await;
    assert_eq!(good(&statuses), 1, "{statuses:?}");
    assert_eq!(shop.log("order-12345").await.len(), 2);
    shop.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_captures_once_however_often_it_comes() {
    let shop = shop().await;
    shop.approved("order-12345").await;
    let statuses = all_at_once(&shop, |shop, _| async move {
        shop.modify("order-12345", "capture", "the same", 100)
            .await
            .status
    })
    .await;
    assert_eq!(statuses, [200; CROWD]);
    assert_eq!(shop.sums("order-12345").await.1, [WHOLE, 0, 100, 0]);
}
