//! Many at once: exactly one wins, one effect, and never more money than there is; on both
//! databases.

use std::sync::Arc;

use domain::call::Incoming;
use domain::{Call, Reply, TransactionCall, TransactionReply};
use gateway::operations::{self, Failure, payouts};
use serde_json::json;

use crate::shop::{HOSTED, NUMIPAY, PAYOUTS, SERVER, Shop, text};

macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(crate::shop::Shop::open().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                if let Some(shop) = crate::shop::Shop::on_postgres().await {
                    super::$case(shop).await;
                }
            })*
        }
    };
}

on_both!(
    of_sixty_four_approvals_and_rejections_exactly_one_wins,
    the_merchants_yes_and_the_customers_no_never_both_win,
    fifty_copies_have_one_effect_and_one_answer,
    payouts_never_spend_more_than_there_is,
    what_ends_by_itself_and_by_hand_at_once_ends_once,
);

/// Calls the operation as the pipeline does, from a task of its own.
fn spawn(shop: &Shop, call: TransactionCall) -> tokio::task::JoinHandle<Result<Reply, Failure>> {
    let (app, caller) = (Arc::clone(&shop.app), shop.caller.clone());
    tokio::spawn(async move {
        let incoming = Incoming {
            call: Call::Transaction(call),
            idempotency_key: None,
        };
        operations::execute(&app, NUMIPAY, &caller, incoming).await
    })
}

async fn of_sixty_four_approvals_and_rejections_exactly_one_wins(shop: Shop) {
    shop.fill("100.00").await;
    for round in 0..4 {
        let tracking = format!("W-{round}");
        let made = shop.begin(PAYOUTS, &tracking, "10.00").await;
        let id = text(&made, "transaction_id").to_owned();
        let tries: Vec<_> = (0..64)
            .map(|number| {
                let id = if number % 4 < 2 {
                    id.clone()
                } else {
                    tracking.clone()
                };
                let call = if number % 2 == round % 2 {
                    TransactionCall::ApprovePayout {
                        id,
                        by: format!("key:{number}"),
                    }
                } else {
                    TransactionCall::RejectPayout {
                        id,
                        by: "another".to_owned(),
                    }
                };
                spawn(&shop, call)
            })
            .collect();
        let mut won = Vec::new();
        for one in tries {
            match one.await.unwrap() {
                Ok(Reply::Transaction(reply)) => won.push(reply),
                Err(Failure::Refused(refusal)) => assert_eq!(refusal.name(), "wrong_state"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(won.len(), 1, "{won:?}");
        let approved = won[0] == TransactionReply::PayoutApproved;
        shop.pass(domain::Span::from_seconds(2)).await;
        shop.is(&id, if approved { "successful" } else { "rejected" })
            .await;
        let last = shop.told(&id).await;
        assert_eq!(last.len(), 2, "{last:?}");
    }
    assert_eq!(shop.balance("payout:").await, 0);
    shop.ledger_is_whole().await;
}

/// The customer's page is open while the merchant approves: whoever is second is told so.
async fn the_merchants_yes_and_the_customers_no_never_both_win(shop: Shop) {
    let shop = Arc::new(shop);
    shop.fill("1000.00").await;
    let mut words = [0, 0];
    for round in 0..40 {
        let made = shop.begin(PAYOUTS, &format!("W-{round}"), "10.00").await;
        let (id, url) = (text(&made, "transaction_id"), text(&made, "url"));
        let approve = |shop: Arc<Shop>, id: String| async move {
            let named = json!({"transaction_id": id});
            let (status, told) = shop.post(crate::shop::APPROVE, named).await;
            assert!([200, 409].contains(&status), "{told}");
            status == 200
        };
        let refuse = |shop: Arc<Shop>, url: String, form: &'static str| async move {
            let page = shop.submit(&url, form).await;
            assert!([303, 409].contains(&page.status), "{page:?}");
            page.status == 303
        };
        let decline = "outcome=decline&provider=sim-bank";
        let mut acts = Vec::new();
        for number in 0..6 {
            let (shop, id, url) = (Arc::clone(&shop), id.to_owned(), url.to_owned());
            let form = if number == 5 {
                "action=cancel"
            } else {
                decline
            };
            acts.push(if number == round % 6 {
                tokio::spawn(approve(shop, id))
            } else {
                tokio::spawn(refuse(shop, url, form))
            });
        }
        let mut won = Vec::new();
        for (number, act) in acts.into_iter().enumerate() {
            if act.await.unwrap() {
                won.push(number);
            }
        }
        assert_eq!(won.len(), 1, "round {round}: {won:?}");
        let approved = won[0] == round % 6;
        words[usize::from(approved)] += 1;
        shop.pass(domain::Span::from_seconds(2)).await;
        let word = if approved { "successful" } else { "rejected" };
        assert_eq!(shop.told(id).await, ["pending", word]);
    }
    assert!(words[1] > 0, "nobody was late: {words:?}");
    assert_eq!(shop.balance("payout:").await, 0);
    shop.ledger_is_whole().await;
}

async fn fifty_copies_have_one_effect_and_one_answer(shop: Shop) {
    let shop = Arc::new(shop);
    shop.fill("1000.00").await;
    for (path, body) in [
        (HOSTED, Shop::request("H", "10.00")),
        (PAYOUTS, Shop::request("P", "10.00")),
        (SERVER, Shop::with_card("S", "4111111111111111")),
        (SERVER, Shop::with_card("S-no", "4000000000009995")),
        (SERVER, Shop::with_card("S-3ds", "4000000000003220")),
    ] {
        let copies: Vec<_> = (0..50)
            .map(|_| {
                let (shop, body) = (Arc::clone(&shop), body.clone());
                tokio::spawn(async move { shop.post(path, body).await })
            })
            .collect();
        let mut answers = Vec::new();
        for copy in copies {
            answers.push(copy.await.unwrap());
        }
        assert_eq!(answers[0].0, 200, "{:?}", answers[0]);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{path}");
    }
    let (_, list) = shop.get(crate::shop::LIST).await;
    assert_eq!(list.as_array().unwrap().len(), 6, "five and the filling");
    assert_eq!(shop.balance("payout:").await, 1_000);
    assert_eq!(shop.balance("merchant:").await, 100_000 - 1_000 + 20_000);
    shop.ledger_is_whole().await;
}

async fn payouts_never_spend_more_than_there_is(shop: Shop) {
    let shop = Arc::new(shop);
    shop.fill("100.00").await;
    let tries: Vec<_> = (0..40)
        .map(|number| {
            let shop = Arc::clone(&shop);
            tokio::spawn(async move {
                let body = Shop::request(&format!("W-{number}"), "7.00");
                shop.post(PAYOUTS, body).await.1
            })
        })
        .collect();
    let mut reserved = Vec::new();
    for one in tries {
        let told = one.await.unwrap();
        match text(&told, "transaction_status") {
            "pending" => reserved.push(text(&told, "transaction_id").to_owned()),
            "rejected" => assert_eq!(told["error"], "Insufficient funds"),
            other => panic!("{other}"),
        }
    }
    assert_eq!(reserved.len(), 14, "fourteen times seven is 98");
    assert_eq!(shop.balance("payout:").await, 9_800);
    assert_eq!(shop.balance("merchant:").await, 200);
    // Half is approved and half rejected while others still ask for more.
    let mixed: Vec<_> = reserved
        .iter()
        .enumerate()
        .map(|(number, id)| {
            let (shop, id) = (Arc::clone(&shop), id.clone());
            tokio::spawn(async move {
                let path = if number % 2 == 0 {
                    crate::shop::APPROVE
                } else {
                    crate::shop::REJECT
                };
                shop.post(path, json!({"transaction_id": id})).await;
                let more = Shop::request(&format!("M-{number}"), "7.00");
                shop.post(PAYOUTS, more).await
            })
        })
        .collect();
    for one in mixed {
        assert_eq!(one.await.unwrap().0, 200);
    }
    shop.pass(domain::Span::from_seconds(2)).await;
    let (held, free) = (
        shop.balance("payout:").await,
        shop.balance("merchant:").await,
    );
    // The rail owes what came in less what went out again.
    let out = 10_000 + shop.balance("clearing:").await;
    assert!(held >= 0 && free >= 0, "{held} {free}");
    assert_eq!(held + free + out, 10_000, "conserved");
    assert_eq!(out, 7 * 700, "seven were paid out");
    shop.ledger_is_whole().await;
}

/// A payout's time is over while people act on it, and while several workers look for it.
async fn what_ends_by_itself_and_by_hand_at_once_ends_once(shop: Shop) {
    let shop = Arc::new(shop);
    shop.fill("100.00").await;
    for round in 0..6 {
        let made = shop.begin(PAYOUTS, &format!("W-{round}"), "10.00").await;
        let id = text(&made, "transaction_id").to_owned();
        // Rounds differ in how close to its end it is when everybody comes.
        let month = domain::Span::from_minutes(30 * 24 * 60);
        shop.clock.advance(if round % 2 == 0 {
            month
        } else {
            domain::Span::from_millis(month.millis() - 1)
        });
        let acts: Vec<_> = (0..24)
            .map(|number| {
                let (shop, id) = (Arc::clone(&shop), id.clone());
                tokio::spawn(async move {
                    match number % 3 {
                        0 => {
                            payouts::advance_due(&shop.app).await.unwrap();
                        }
                        1 => {
                            let named = json!({"transaction_id": id});
                            shop.post(crate::shop::REJECT, named).await;
                        }
                        _ => {
                            shop.simulate(&id, "abort").await;
                        }
                    }
                })
            })
            .collect();
        for act in acts {
            act.await.unwrap();
        }
        payouts::advance_due(&shop.app).await.unwrap();
        let last = shop.told(&id).await;
        assert_eq!(last.len(), 2, "one ending: {last:?}");
        assert_eq!(shop.balance("payout:").await, 0);
        assert_eq!(
            shop.balance("merchant:").await,
            10_000,
            "all of it is back, once"
        );
    }
    shop.ledger_is_whole().await;
}

/// Requests payouts of 7.00 at all nodes at once; those whose money is reserved.
async fn ask_all(nodes: &[Arc<Shop>; 3], round: usize) -> Vec<String> {
    let tries: Vec<_> = (0..36)
        .map(|number| {
            let node = Arc::clone(&nodes[number % 3]);
            tokio::spawn(async move {
                let body = Shop::request(&format!("W-{round}-{number}"), "7.00");
                let (status, told) = node.post(PAYOUTS, body).await;
                assert_eq!(status, 200, "{told}");
                let id = text(&told, "transaction_id").to_owned();
                (told["transaction_status"] == "pending").then_some(id)
            })
        })
        .collect();
    let mut reserved = Vec::new();
    for one in tries {
        reserved.extend(one.await.unwrap());
    }
    reserved
}

/// Every node says the same word about each payout at once; how many words counted.
async fn decide_all(nodes: &[Arc<Shop>; 3], reserved: &[String]) -> usize {
    let acts: Vec<_> = (0..reserved.len() * 3)
        .map(|number| {
            let (node, id) = (Arc::clone(&nodes[number % 3]), reserved[number / 3].clone());
            let path = if (number / 3).is_multiple_of(3) {
                crate::shop::REJECT
            } else {
                crate::shop::APPROVE
            };
            tokio::spawn(async move {
                let (status, told) = node.post(path, json!({"transaction_id": id})).await;
                assert!([200, 409].contains(&status), "{told}");
                status == 200
            })
        })
        .collect();
    let mut counted = 0;
    for act in acts {
        counted += usize::from(act.await.unwrap());
    }
    counted
}

/// Three nodes, each with connections and lanes of the ledger of its own, spend one balance.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_together_never_spend_more_than_there_is() {
    let Some(first) = Shop::on_postgres().await else {
        return;
    };
    let nodes = [
        Arc::new(first.node(2).await),
        Arc::new(first.node(3).await),
        Arc::new(first),
    ];
    for (number, node) in nodes.iter().enumerate() {
        node.fill_as("50.00", &format!("fill {number}")).await;
    }
    let reserved = ask_all(&nodes, 0).await;
    assert_eq!(reserved.len(), 21, "21 times seven is 147");
    let counted = decide_all(&nodes, &reserved).await;
    assert_eq!(counted, reserved.len(), "one word for each");
    nodes[0].clock.advance(domain::Span::from_seconds(2));
    let workers: Vec<_> = nodes
        .iter()
        .map(|node| {
            let node = Arc::clone(node);
            tokio::spawn(async move { payouts::advance_due(&node.app).await.unwrap() })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let again = ask_all(&nodes, 1).await;
    assert_eq!(
        again.len(),
        7,
        "seven were turned down; with the rest 52.00"
    );
    let shop = &nodes[0];
    let (held, free) = (
        shop.balance("payout:").await,
        shop.balance("merchant:").await,
    );
    assert_eq!((held, free), (4_900, 300));
    assert_eq!(shop.balance("clearing:").await, 14 * 700 - 15_000);
    shop.ledger_is_whole().await;
}
