//! A merchant's life at random: deposits, payouts, approvals, customers, banks and time in any
//! order. After every step the books must say what a model of a few lines says.

use std::collections::{BTreeMap, BTreeSet};

use domain::Span;
use serde_json::{Value, json};

use crate::shop::{APPROVE, HOSTED, LIST, PAYOUTS, REJECT, SERVER, Shop, text};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn of<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// What the model knows of a transaction.
#[derive(Clone)]
struct Known {
    tracking: String,
    minor: i64,
    payout: bool,
    body: Value,
    path: &'static str,
    answer: Value,
    standing: Value,
}

struct Life {
    shop: Shop,
    dice: Dice,
    known: BTreeMap<String, Known>,
}

impl Life {
    async fn begin(&mut self, path: &'static str) {
        let minor = i64::try_from(self.dice.below(5_000) + 1).unwrap();
        // Some are those that the simulated bank turns down at the very end.
        let minor = if self.dice.below(6) == 0 {
            minor / 100 * 100 + 13
        } else {
            minor
        };
        let tracking = format!("T-{}", self.known.len());
        let amount = format!("{}.{:02}", minor / 100, minor % 100);
        let mut body = if path == SERVER {
            let cards = ["4111111111111111", "4000000000009995", "4000000000003220"];
            Shop::with_card(&tracking, self.dice.of(&cards))
        } else {
            Shop::request(&tracking, &amount)
        };
        body["request"]["amount"] = json!(amount);
        let (status, answer) = self.shop.post(path, body.clone()).await;
        assert_eq!(status, 200, "{answer}");
        let known = Known {
            tracking,
            minor,
            payout: path == PAYOUTS,
            body,
            path,
            standing: json!({"transaction_status": "pending"}),
            answer: answer.clone(),
        };
        self.known
            .insert(text(&answer, "transaction_id").to_owned(), known);
    }

    /// One of those there are, by either of its ids.
    fn some(&mut self) -> Option<String> {
        let place = self.dice.below(self.known.len().max(1) as u64);
        let (id, known) = self.known.iter().nth(usize::try_from(place).unwrap())?;
        let by_ours = place.is_multiple_of(2);
        Some(if by_ours {
            id.clone()
        } else {
            known.tracking.clone()
        })
    }

    async fn step(&mut self) {
        match self.dice.below(12) {
            0 | 1 => self.begin(HOSTED).await,
            2 => self.begin(SERVER).await,
            3..=5 => self.begin(PAYOUTS).await,
            6 | 7 => self.word(APPROVE).await,
            8 => self.word(REJECT).await,
            9 | 10 => {
                let outcome = self
                    .dice
                    .of(&["approve", "approve", "decline", "abort", "expire"]);
                if let Some(id) = self.some() {
                    let (status, told) = self.shop.simulate(&id, outcome).await;
                    assert!([200, 409].contains(&status), "{outcome}: {told}");
                }
            }
            _ => {
                let spans = [2, 2, 60, 3_600, 25 * 3_600, 31 * 24 * 3_600];
                let place = usize::try_from(self.dice.below(6)).unwrap();
                self.shop.pass(Span::from_seconds(spans[place])).await;
            }
        }
    }

    async fn word(&mut self, path: &str) {
        if let Some(id) = self.some() {
            let (status, told) = self.shop.post(path, json!({"transaction_id": id})).await;
            assert!([200, 409].contains(&status), "{told}");
        }
    }

    /// The books and every answer, against what was known before.
    async fn holds(&mut self) {
        let (mut came, mut reserved, mut out) = (0, 0, 0);
        for (id, known) in &mut self.known {
            let (_, now) = self.shop.get(&format!("{LIST}/{id}")).await;
            if known.standing["transaction_status"] != "pending" {
                assert_eq!(now, known.standing, "{id} was over");
            }
            match (known.payout, text(&now, "transaction_status")) {
                (false, "successful") => came += known.minor,
                (true, "successful") => out += known.minor,
                (true, "pending") => reserved += known.minor,
                _ => {}
            }
            known.standing = now;
        }
        let (has, held) = (
            self.shop.balance("merchant:").await,
            self.shop.balance("payout:").await,
        );
        assert!(has >= 0, "{has}");
        // What is over by time is given back when the worker comes by.
        assert!(held >= reserved, "{held} of {reserved}");
        assert_eq!(has + held + out, came, "conserved");
    }

    /// Time passes until everything is over; how payouts and deposits ended.
    async fn end(mut self) -> BTreeSet<String> {
        let mut ends = BTreeSet::new();
        self.shop.pass(Span::from_minutes(60 * 24 * 60)).await;
        self.shop.pass(Span::from_seconds(3)).await;
        self.holds().await;
        assert_eq!(
            self.shop.balance("payout:").await,
            0,
            "nothing waits for ever"
        );
        for (id, known) in &self.known {
            let (status, again) = self.shop.post(known.path, known.body.clone()).await;
            assert_eq!(
                (status, &again),
                (200, &known.answer),
                "the first answer again"
            );
            let told = self.shop.told(id).await;
            let end = text(&known.standing, "transaction_status");
            ends.insert(format!(
                "{} {end}",
                if known.payout { "payout" } else { "deposit" }
            ));
            let refused = known.answer["transaction_status"] == "rejected";
            match known.path {
                PAYOUTS if refused => assert_eq!(told, ["rejected"], "{id}"),
                _ => assert_eq!(told, ["pending", end], "{id}"),
            }
        }
        self.shop.ledger_is_whole().await;
        ends
    }
}

async fn live(shop: Shop, seed: u64, steps: u32) -> BTreeSet<String> {
    let user_step = seed % 2 == 1;
    shop.settle(|settings| settings.payout_user_step = user_step)
        .await;
    let mut life = Life {
        shop,
        dice: Dice(seed),
        known: BTreeMap::new(),
    };
    for step in 0..steps {
        life.step().await;
        if step % 5 == 0 {
            life.holds().await;
        }
    }
    life.end().await
}

#[tokio::test]
async fn any_order_of_events_conserves_the_money() {
    let mut ends = BTreeSet::new();
    for seed in 1..=4 {
        ends.extend(live(Shop::open().await, seed, 150).await);
    }
    assert_eq!(ends.len(), 6, "each kind ended in every way: {ends:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_order_of_events_conserves_the_money_on_postgres() {
    if let Some(shop) = Shop::on_postgres().await {
        assert!(live(shop, 5, 100).await.len() >= 4);
    }
}
