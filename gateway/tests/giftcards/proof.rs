//! Many clients on few cards while the gateway is killed again and again: no balance below zero,
//! issued = left + spent + expired, nothing stays held, nothing acknowledged is lost.
//!
//! `./torture --gift-cards` does the same at full size.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::desk::{self, Card, Desk, FORM, JSON, PAYMENTS};
use crate::process::client::Client;
use crate::process::cluster::Cluster;
use crate::process::{Gateway, florin, said};

const CLIENTS: usize = 24;
const CARDS: usize = 10;
const KILLS: usize = 3;
/// Redemptions that clients were told of before each kill.
const BETWEEN: usize = 120;

/// What clients were told in the end of their payments: by id the status and the paid amount.
type Told = Mutex<BTreeMap<String, (String, Value)>>;

struct Storm<'a> {
    data: &'a Path,
    address: std::net::SocketAddr,
    cards: Vec<Card>,
    told: Told,
    redeemed: AtomicUsize,
    over: AtomicBool,
}

fn start(data: &Path, listen: &str, database: Option<&str>) -> Gateway {
    let mut command = florin();
    command
        .args([
            "sandbox",
            "--log-level",
            "error",
            "--listen",
            listen,
            "--data",
        ])
        .arg(data)
        .stdout(Stdio::null());
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    Gateway::wait(command, data)
}

fn storm(database: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let gateway = start(folder.path(), "127.0.0.1:0", database);
    let mut desk = Desk { gateway, folder };
    let listen = desk.gateway.address.to_string();
    let cards = (0..CARDS).map(|_| desk.card("300.00", &[])).collect();
    let storm = Storm {
        data: desk.folder.path(),
        address: desk.gateway.address,
        cards,
        told: Mutex::default(),
        redeemed: AtomicUsize::new(0),
        over: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let storm = &storm;
            scope.spawn(move || storm.client(number));
        }
        for kill in 1..=KILLS {
            let spent = gateway::clock::stopwatch();
            while storm.redeemed.load(Ordering::SeqCst) < kill * BETWEEN {
                std::thread::yield_now();
                let waited = gateway::clock::stopwatch().saturating_sub(spent);
                assert!(waited.as_secs() < 60, "too few redemptions");
            }
            desk.gateway.signal("-KILL");
            desk.gateway = start(storm.data, &listen, database);
        }
        storm.over.store(true, Ordering::SeqCst);
    });
    storm.settle(&desk, database);
}

impl Storm<'_> {
    /// One client: tills with several cards in an order of its own, pages whose rest is declined
    /// or never paid, cancels in between.
    fn client(&self, number: usize) {
        let mut round = number;
        while !self.over.load(Ordering::SeqCst) {
            let Ok(client) = Client::connect(self.address, "") else {
                std::thread::yield_now();
                continue;
            };
            let mut client = self.known(client);
            while !self.over.load(Ordering::SeqCst) {
                round += 1;
                let done = match round % 5 {
                    4 => self.page(&mut client, round),
                    _ => self.till(&mut client, number, round),
                };
                if done.is_none() {
                    break;
                }
            }
        }
    }

    fn known(&self, client: Client) -> Client {
        let text = std::fs::read_to_string(self.data.join("sandbox.json")).unwrap();
        let known: Value = serde_json::from_str(&text).unwrap();
        let field = |name: &str| known["igivepay"][name].as_str().unwrap().to_owned();
        let (id, secret) = (field("client_id"), field("client_secret"));
        client.with_headers(&[("x-client-id", &id), ("x-client-secret", &secret)])
    }

    fn call(&self, client: &mut Client, path: &str, body: &Value) -> Option<(u16, Value)> {
        let answer = client.post(path, JSON, &body.to_string()).ok()?;
        // A gateway that is just starting or stopping may be busy; nothing was done then.
        assert!(
            answer.status < 500 || answer.status == 503,
            "{}",
            answer.body
        );
        Some((answer.status, serde_json::from_str(&answer.body).ok()?))
    }

    fn till(&self, client: &mut Client, number: usize, round: usize) -> Option<()> {
        let total = 5 + (number * 37 + round * 11) % 40;
        let body = json!({"paymentTotal": total, "reference": "t", "accessMode": "api"});
        let (status, made) = self.call(client, PAYMENTS, &body)?;
        if status != 200 {
            return None;
        }
        let id = made["paymentId"].as_str()?.to_owned();
        let mut places: Vec<usize> = (0..3)
            .map(|n| (number * 7 + round * 3 + n * (1 + number % 3)) % CARDS)
            .collect();
        places.dedup();
        let cards: Vec<Value> = places.iter().map(|at| self.cards[*at].json()).collect();
        let path = format!("{PAYMENTS}/{id}/perform");
        let (status, told) = self.call(client, &path, &json!({ "cards": cards }))?;
        match status {
            200 => {
                self.redeemed.fetch_add(1, Ordering::SeqCst);
                self.note(&id, &told);
            }
            // Everything is spent: cancels of others bring some of it back.
            400 if told["errorCode"] == 107 => {
                self.redeemed.fetch_add(1, Ordering::SeqCst);
            }
            _ => panic!("{status} {told}"),
        }
        if status == 200 && !round.is_multiple_of(3) {
            let path = format!("{PAYMENTS}/{id}/cancel");
            // Until it is answered it may be either.
            self.told.lock().unwrap().remove(&id);
            let (status, told) = self.call(client, &path, &Value::Null)?;
            assert_eq!(status, 200, "{told}");
            self.note(&id, &told);
        }
        Some(())
    }

    /// A part by gift card on the page; the card for the rest is declined, and the payer leaves.
    fn page(&self, client: &mut Client, round: usize) -> Option<()> {
        let body = json!({"paymentTotal": 400, "redirectUrl": "http://shop.example/"});
        let (status, made) = self.call(client, PAYMENTS, &body)?;
        let url = made["url"].as_str().filter(|_| status == 200)?;
        let (id, page) = (made["paymentId"].as_str()?, &url[url.find("/pay/")?..]);
        let card = &self.cards[round % CARDS];
        let form = format!(
            "action=add-card&card_number={}&cvc={}",
            card.number, card.cvc
        );
        client.post(page, FORM, &form).ok()?;
        let form = format!(
            "action=pay&method=card&once=o{round}&number=4000000000000002&expiry=12%2F30\
             &code=907&name=A"
        );
        let declined = client.post(page, FORM, &form).ok()?;
        assert!(
            declined.status == 422 || declined.status == 503,
            "{}",
            declined.body
        );
        if round.is_multiple_of(2) {
            let left = client.post(page, FORM, "action=cancel").ok()?;
            if left.status == 303 {
                let told = json!({"status": "aborted", "paidAmount": 0});
                self.note(id, &told);
            }
        }
        Some(())
    }

    fn note(&self, id: &str, told: &Value) {
        let status = told["status"].as_str().unwrap().to_owned();
        let seen = (status, told["paidAmount"].clone());
        self.told.lock().unwrap().insert(id.to_owned(), seen);
    }

    /// Time passes until everything that may be held is free, and the books are compared.
    fn settle(&self, desk: &Desk, database: Option<&str>) {
        let mut client = desk::client(self.data, &desk.gateway);
        let told = self.told.lock().unwrap();
        for (id, (status, paid)) in told.iter() {
            let shown = client.get(&format!("{PAYMENTS}/{id}")).unwrap();
            let shown: Value = serde_json::from_str(&shown.body).unwrap();
            assert_eq!(
                (&shown["status"], &shown["paidAmount"]),
                (&json!(status), paid),
                "{id}"
            );
        }
        client
            .post("/sandbox/clock", JSON, r#"{"advance":"2h"}"#)
            .unwrap();
        let report = desk.json(&["report"]);
        let nok = &report["currencies"][0];
        assert_eq!(report["agrees"], true, "{report}");
        assert_eq!(nok["held"], "0.00", "{report}");
        // What is left expires, to the last øre.
        client
            .post("/sandbox/clock", JSON, r#"{"advance":"400d"}"#)
            .unwrap();
        for _ in 0..2 {
            client
                .post("/sandbox/clock", JSON, r#"{"advance":"400d"}"#)
                .unwrap();
        }
        let after = desk.json(&["report"]);
        let nok = &after["currencies"][0];
        assert_eq!(after["agrees"], true, "{after}");
        assert_eq!(nok["ledger"]["issued"], "3000.00");
        assert_eq!(nok["outstanding"], "0.00", "{after}");
        assert_eq!(nok["ledger"]["outstanding"], "0.00", "{after}");
        let ledger = client.get("/sandbox/ledger").unwrap().body;
        let ledger: Value = serde_json::from_str(&ledger).unwrap();
        assert_eq!(ledger["balanced"], true);
        for account in ledger["accounts"].as_array().unwrap() {
            let name = account["account"].as_str().unwrap();
            let gone = name.starts_with("held:") || name.starts_with("card:");
            assert!(!gone, "{account}");
        }
        let mut verify = florin();
        verify.args(["ledger", "verify", "--data"]).arg(self.data);
        if let Some(database) = database {
            verify.args(["--database", database]);
        }
        let verified = verify.output().unwrap();
        assert!(verified.status.success(), "{}", said(&verified));
        let redeemed = self.redeemed.load(Ordering::SeqCst);
        println!(
            "gift cards: {redeemed} redemptions by {CLIENTS} clients on {CARDS} cards, {KILLS} \
             kills, {} payments as told",
            told.len()
        );
        assert!(told.len() > BETWEEN, "hardly any load: {}", told.len());
    }
}

#[test]
fn nothing_is_spent_twice_whatever_is_killed() {
    storm(None);
}

#[test]
fn nothing_is_spent_twice_on_postgres_either() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    storm(Some(&cluster.url()));
}
