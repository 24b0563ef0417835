//! Many calls at once on one payment: exactly one outcome, and the sums are right. The same on
//! both databases.

use std::sync::Arc;

use domain::reservation::{CallLimits, Rules};
use serde_json::{Value, json};

use crate::process::cluster::Cluster;
use crate::shop::{PAYMENTS, Setup, Shop};

const WHOLE: i64 = 49_900;
const CROWD: usize = 16;

/// A shop without limits of rate.
async fn shop(postgres: Option<String>) -> Arc<Shop> {
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
    let setup = Setup {
        rules,
        postgres,
        ..Setup::default()
    };
    Arc::new(Shop::set_up(setup).await)
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

/// How many were accepted; the others were told why not, and none that something broke.
fn good(statuses: &[u16]) -> usize {
    for status in statuses {
        assert!([200, 201, 400, 409].contains(status), "{statuses:?}");
    }
    statuses.iter().filter(|status| **status < 300).count()
}

/// `capture` or `refund` of so much, by many at once, each with a key of its own.
async fn many(shop: &Arc<Shop>, reference: &'static str, what: &'static str, minor: i64) -> usize {
    let statuses = all_at_once(shop, move |shop, number| async move {
        let key = format!("{what} {number}");
        shop.modify(reference, what, &key, minor).await.status
    })
    .await;
    good(&statuses)
}

async fn a_reference_is_created_once(shop: &Arc<Shop>) {
    let own_keys = all_at_once(shop, |shop, number| async move {
        let terms = Shop::terms("create-own-keys");
        shop.post(PAYMENTS, &number.to_string(), &terms)
            .await
            .status
    })
    .await;
    assert_eq!(good(&own_keys), 1, "{own_keys:?}");
    let one_key = all_at_once(shop, |shop, _| async move {
        let terms = Shop::terms("create-one-key");
        shop.post(PAYMENTS, "the same", &terms).await.status
    })
    .await;
    assert_eq!(one_key, [201; CROWD], "all wait for the first answer");
    assert_eq!(shop.log("create-one-key").await.len(), 1);
}

async fn the_whole_is_captured_once_and_refunded_once(shop: &Arc<Shop>) {
    shop.approved("whole-123").await;
    assert_eq!(many(shop, "whole-123", "capture", WHOLE).await, 1);
    assert_eq!(shop.sums("whole-123").await.1, [WHOLE, 0, WHOLE, 0]);
    assert_eq!(many(shop, "whole-123", "refund", WHOLE).await, 1);
    assert_eq!(shop.sums("whole-123").await.1, [WHOLE, 0, WHOLE, WHOLE]);
}

async fn parts_never_pass_the_whole(shop: &Arc<Shop>) {
    shop.approved("parts-123").await;
    assert_eq!(many(shop, "parts-123", "capture", 10_000).await, 4);
    assert_eq!(shop.sums("parts-123").await.1, [WHOLE, 0, 40_000, 0]);
    assert_eq!(many(shop, "parts-123", "refund", 15_000).await, 2);
    assert_eq!(shop.sums("parts-123").await.1, [WHOLE, 0, 40_000, 30_000]);
}

async fn capture_and_cancel_share_the_reservation_without_a_gap(shop: &Arc<Shop>) {
    for round in 0..4 {
        let reference: &'static str =
            ["either-0000", "either-1111", "either-2222", "either-3333"][round];
        shop.approved(reference).await;
        let statuses = all_at_once(shop, move |shop, number| async move {
            if (number + round) % 2 == 0 {
                shop.modify(reference, "capture", &number.to_string(), WHOLE)
                    .await
                    .status
            } else {
                shop.cancel(reference).await.status
            }
        })
        .await;
        assert_eq!(good(&statuses), 1, "{statuses:?}");
        let sums = shop.sums(reference).await.1;
        let either = [[WHOLE, 0, WHOLE, 0], [WHOLE, WHOLE, 0, 0]];
        assert!(either.contains(&sums), "{sums:?}");
    }
}

/// Captures, refunds and cancels of one payment all mixed: whatever the order, what was accepted
/// is what the sums, the log and the webhooks say.
async fn everything_at_once_adds_up(shop: &Arc<Shop>) {
    const REFERENCE: &str = "mixed-12345";
    shop.approved(REFERENCE).await;
    assert_eq!(
        shop.modify(REFERENCE, "capture", "first", 5_000)
            .await
            .status,
        200
    );
    let kinds = ["capture", "refund", "capture", "cancel"];
    let statuses = all_at_once(shop, move |shop, number| async move {
        match kinds[number % 4] {
            "cancel" => shop.cancel(REFERENCE).await.status,
            what => {
                let key = number.to_string();
                shop.modify(REFERENCE, what, &key, 3_000).await.status
            }
        }
    })
    .await;
    let accepted = |what: &str| {
        let of = statuses.iter().enumerate();
        let of = of.filter(|(number, status)| kinds[number % 4] == what && **status == 200);
        i64::try_from(of.count()).unwrap()
    };
    let (captured, refunded) = (
        5_000 + 3_000 * accepted("capture"),
        3_000 * accepted("refund"),
    );
    assert_eq!(accepted("cancel"), 1, "{statuses:?}");
    let released = WHOLE - captured;
    let sums = shop.sums(REFERENCE).await.1;
    assert_eq!(sums, [WHOLE, released, captured, refunded], "{statuses:?}");
    assert!(refunded <= captured);
    let log = shop
        .get(&format!("{PAYMENTS}/{REFERENCE}/events"))
        .await
        .json();
    let sum = |name: &str| -> i64 {
        let of = log
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["name"] == name);
        of.map(|entry| entry["amount"]["value"].as_i64().unwrap())
            .sum()
    };
    assert_eq!(
        [
            sum("AUTHORIZED"),
            sum("CANCELLED"),
            sum("CAPTURED"),
            sum("REFUNDED")
        ],
        sums
    );
    told_what_the_log_says(shop, REFERENCE, &log).await;
}

/// Each step was announced once, in the order of the log.
async fn told_what_the_log_says(shop: &Arc<Shop>, reference: &str, log: &Value) {
    shop.deliver().await;
    let bodies = shop.receiver.bodies();
    let told: Vec<&Value> = bodies
        .iter()
        .filter(|body| body["reference"] == reference)
        .map(|body| &body["pspReference"])
        .collect();
    let logged: Vec<&Value> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["pspReference"])
        .collect();
    assert_eq!(told, logged);
}

async fn approve_abort_and_expire_have_one_outcome(shop: &Arc<Shop>) {
    shop.create("answer-123").await;
    let statuses = all_at_once(shop, |shop, number| async move {
        let outcome = ["approve", "abort", "expire"][number % 3];
        let body = json!({"payment": "answer-123", "outcome": outcome}).to_string();
        let headers = shop.client_headers();
        shop.send("POST", "/sandbox/simulate", &headers, &body)
            .await
            .status
    })
    .await;
    assert_eq!(good(&statuses), 1, "{statuses:?}");
    assert_eq!(shop.log("answer-123").await.len(), 2);
}

/// The payer says yes while the merchant takes it back: either it is terminated and the yes came
/// too late, or it is approved and released after that. Money never stays behind.
async fn yes_and_cancel_at_once_leave_nothing_reserved(shop: &Arc<Shop>) {
    shop.create("yes-cancel").await;
    let statuses = all_at_once(shop, |shop, number| async move {
        if number % 2 == 0 {
            let body = json!({"payment": "yes-cancel", "outcome": "approve"}).to_string();
            let headers = shop.client_headers();
            let path = "/sandbox/simulate";
            shop.send("POST", path, &headers, &body).await.status
        } else {
            shop.cancel("yes-cancel").await.status
        }
    })
    .await;
    let (state, sums) = shop.sums("yes-cancel").await;
    match state.as_str() {
        "TERMINATED" => {
            assert_eq!(
                (good(&statuses), sums),
                (1, [0, WHOLE, 0, 0]),
                "{statuses:?}"
            );
        }
        "AUTHORIZED" => {
            assert_eq!(
                (good(&statuses), sums),
                (2, [WHOLE, WHOLE, 0, 0]),
                "{statuses:?}"
            );
        }
        other => panic!("{other}: {statuses:?}"),
    }
}

async fn one_key_captures_once_however_often_it_comes(shop: &Arc<Shop>) {
    shop.approved("one-key-123").await;
    let statuses = all_at_once(shop, |shop, _| async move {
        shop.modify("one-key-123", "capture", "the same", 100)
            .await
            .status
    })
    .await;
    assert_eq!(statuses, [200; CROWD]);
    assert_eq!(shop.sums("one-key-123").await.1, [WHOLE, 0, 100, 0]);
}

/// A key with two bodies at once: one of them is done, the other is refused, each time the same.
async fn one_key_with_two_bodies_does_one_of_them(shop: &Arc<Shop>) {
    shop.approved("two-bodies").await;
    let statuses = all_at_once(shop, |shop, number| async move {
        let minor = if number % 2 == 0 { 100 } else { 200 };
        let answer = shop.modify("two-bodies", "capture", "k", minor).await;
        if answer.status == 409 {
            assert_eq!(answer.code(), "4010");
        }
        answer.status
    })
    .await;
    assert_eq!(good(&statuses), CROWD / 2, "{statuses:?}");
    let captured = shop.sums("two-bodies").await.1[2];
    let first = [100, 200][statuses.iter().position(|status| *status == 200).unwrap() % 2];
    assert_eq!(captured, first);
}

/// The deadline comes while the merchant captures and cancels: what is left is released once.
async fn the_deadline_and_the_merchant_at_once(shop: &Arc<Shop>) {
    shop.approved("deadline-1").await;
    let until = shop.app.site.reservations.capture_window_nok;
    shop.clock.advance(until);
    let token = shop.new_token().await;
    let statuses = all_at_once(shop, move |shop, number| {
        let token = token.clone();
        async move {
            if number % 2 == 0 {
                gateway::workers::tick(&shop.app).await.unwrap();
                return 400;
            }
            let bearer = format!("Bearer {token}");
            let headers = [
                ("Authorization", bearer.as_str()),
                ("Ocp-Apim-Subscription-Key", &shop.vipps.subscription_key),
                ("Merchant-Serial-Number", &shop.vipps.merchant_serial_number),
            ];
            let path = format!("{PAYMENTS}/deadline-1/cancel");
            shop.send("POST", &path, &headers, "").await.status
        }
    })
    .await;
    assert!(good(&statuses) <= 1, "{statuses:?}");
}

/// All of them, on one shop; the ledger is verified after each.
async fn all(shop: &Arc<Shop>) {
    shop.register("http://127.0.0.1:9/hook").await;
    a_reference_is_created_once(shop).await;
    the_whole_is_captured_once_and_refunded_once(shop).await;
    shop.ledger_is_whole().await;
    parts_never_pass_the_whole(shop).await;
    shop.ledger_is_whole().await;
    capture_and_cancel_share_the_reservation_without_a_gap(shop).await;
    shop.ledger_is_whole().await;
    everything_at_once_adds_up(shop).await;
    shop.ledger_is_whole().await;
    approve_abort_and_expire_have_one_outcome(shop).await;
    yes_and_cancel_at_once_leave_nothing_reserved(shop).await;
    one_key_captures_once_however_often_it_comes(shop).await;
    one_key_with_two_bodies_does_one_of_them(shop).await;
    shop.ledger_is_whole().await;
    the_deadline_and_the_merchant_at_once(shop).await;
    shop.ledger_is_whole().await;
    // The tokens of before are over; what the deadline left is looked at with a new one.
    assert_eq!(
        held(shop).await,
        0,
        "after the deadline nothing is reserved"
    );
}

/// What is still reserved of all payments, in the ledger.
async fn held(shop: &Arc<Shop>) -> i64 {
    let summary = gateway::operations::ledger::summary(&shop.app);
    let accounts = summary.await.unwrap().accounts;
    let held = accounts
        .iter()
        .filter(|account| account.account.starts_with("held:"));
    i64::try_from(held.map(|account| account.minor.abs()).sum::<i128>()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn races_have_one_outcome_on_sqlite() {
    all(&shop(None).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn races_have_one_outcome_on_postgresql() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    all(&shop(Some(cluster.url())).await).await;
}
