//! Many clients on few cards while the gateway is killed again and again: no balance below zero,
//! issued = left + spent + expired, nothing stays held, nothing acknowledged is lost.
//!
//! `./torture --gift-cards` does the same at full size.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::desk::{self, Card, Desk, FORM, JSON, PAYMENTS};
use crate::process::client::{Answer, Client};
use crate::process::cluster::Cluster;
use crate::process::{Gateway, florin, said};

const CLIENTS: usize = 24;
const CARDS: usize = 10;
const KILLS: usize = 3;
/// How many of the cards run out during the storm, and after which kill.
const EXPIRING: usize = 2;
const LEAP: usize = 2;
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
    /// Pages on which gift cards and a bank card paid together.
    split: AtomicUsize,
    over: AtomicBool,
    /// Do clients wait while time is moved? Pages stay open meanwhile.
    still: Mutex<bool>,
    on_again: Condvar,
}

/// However the storm ends, its clients do too.
struct End<'a>(&'a Storm<'a>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
        self.0.go_on();
    }
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

/// The day after today, by the sandbox's clock.
fn tomorrow(desk: &Desk) -> String {
    let told = desk.client().get("/sandbox/clock").unwrap().body;
    let told: Value = serde_json::from_str(&told).unwrap();
    let now: jiff::Timestamp = told["now"].as_str().unwrap().parse().unwrap();
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    today.tomorrow().unwrap().to_string()
}

fn storm(database: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let gateway = start(folder.path(), "127.0.0.1:0", database);
    let mut desk = Desk { gateway, folder };
    let listen = desk.gateway.address.to_string();
    let soon = tomorrow(&desk);
    let card = |number: usize| match number < EXPIRING {
        true => desk.card("300.00", &["--last-day", &soon]),
        false => desk.card("300.00", &[]),
    };
    let cards = (0..CARDS).map(card).collect();
    let storm = Storm {
        data: desk.folder.path(),
        address: desk.gateway.address,
        cards,
        told: Mutex::default(),
        redeemed: AtomicUsize::new(0),
        split: AtomicUsize::new(0),
        over: AtomicBool::new(false),
        still: Mutex::new(false),
        on_again: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let storm = &storm;
            scope.spawn(move || storm.client(number));
        }
        let _end = End(&storm);
        for kill in 1..=KILLS {
            let spent = gateway::clock::stopwatch();
            while storm.redeemed.load(Ordering::SeqCst) < kill * BETWEEN {
                std::thread::yield_now();
                let waited = gateway::clock::stopwatch().saturating_sub(spent);
                assert!(waited.as_secs() < 120, "too few redemptions");
            }
            desk.gateway.signal("-KILL");
            desk.gateway = start(storm.data, &listen, database);
            if kill == LEAP {
                // In the middle of it all pages that stand open run out, and some cards too.
                storm.leap();
            }
        }
    });
    storm.settle(&desk, database);
}

impl Storm<'_> {
    /// Three days pass while nobody does anything.
    fn leap(&self) {
        *self.still.lock().unwrap() = true;
        let patience = Duration::from_secs(60);
        let mut client = Client::within(self.address, "", patience).unwrap();
        let mut clock = |advance: &str| {
            let told = match advance {
                "" => client.get("/sandbox/clock").unwrap(),
                _ => client.post("/sandbox/clock", JSON, advance).unwrap(),
            };
            let told: Value = serde_json::from_str(&told.body).unwrap();
            let now = told["now"].as_str().unwrap();
            now.parse::<jiff::Timestamp>().unwrap()
        };
        let then = clock("") + jiff::SignedDuration::from_hours(72);
        let mut now = clock(r#"{"advance":"3d"}"#);
        // After half a minute it answers and goes on in the background.
        while now < then {
            now = clock("");
        }
        self.go_on();
    }

    fn go_on(&self) {
        *self.still.lock().unwrap() = false;
        self.on_again.notify_all();
    }

    /// Waits while time is moved.
    fn rest(&self) {
        let still = self.still.lock().unwrap();
        drop(self.on_again.wait_while(still, |still| *still).unwrap());
    }

    /// One client: tills with several cards in an order of its own; pages on the same cards, whose
    /// rest is paid, declined, left at the bank or never paid; cancels in between.
    fn client(&self, number: usize) {
        let mut round = number;
        while !self.over.load(Ordering::SeqCst) {
            let Ok(client) = Client::connect(self.address, "") else {
                std::thread::yield_now();
                continue;
            };
            let mut client = self.known(client);
            while !self.over.load(Ordering::SeqCst) {
                self.rest();
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
            // Everything is spent: cancels of others bring some of it back. Or its time is over.
            400 if [107, 106].iter().any(|code| told["errorCode"] == *code) => {
                self.redeemed.fetch_add(1, Ordering::SeqCst);
            }
            400 if told["errorCode"] == 102 => {}
            _ => panic!("{status} {told}"),
        }
        if status == 200 && !round.is_multiple_of(3) {
            self.cancel(client, &id)?;
        }
        Some(())
    }

    fn cancel(&self, client: &mut Client, id: &str) -> Option<()> {
        let path = format!("{PAYMENTS}/{id}/cancel");
        // Until it is answered it may be either.
        self.told.lock().unwrap().remove(id);
        let (status, told) = self.call(client, &path, &Value::Null)?;
        match status {
            200 => self.note(id, &told),
            // The clock has moved past its day.
            400 if told["errorCode"] == 103 => {}
            503 => {}
            _ => panic!("{status} {told}"),
        }
        Some(())
    }

    /// A part by gift cards on the page, which tills want at the same time, and the rest by a bank
    /// card: paid, declined, or left open at the bank's page. Some take a card off again first,
    /// some give up.
    fn page(&self, client: &mut Client, round: usize) -> Option<()> {
        let body = json!({"paymentTotal": 400, "redirectUrl": "http://shop.example/"});
        let (status, made) = self.call(client, PAYMENTS, &body)?;
        let url = made["url"].as_str().filter(|_| status == 200)?;
        let (id, page) = (made["paymentId"].as_str()?, &url[url.find("/pay/")?..]);
        let turn = round / 5;
        let sum = usize::from(turn.is_multiple_of(2)) + 1;
        for card in (0..sum).map(|n| &self.cards[(round + 3 * n) % CARDS]) {
            let (number, cvc) = (&card.number, &card.cvc);
            let add = format!("action=add-card&card_number={number}&cvc={cvc}");
            // 422: there is nothing left on it just now, or the first one covers all.
            self.step(client, page, &add, &[303, 422, 429])?;
        }
        if turn % 4 == 1 {
            let shown = client.get(page).ok()?.body;
            let part = shown.split("name=\"payment\" value=\"").nth(1);
            if let Some(part) = part.and_then(|rest| rest.split('"').next()) {
                let remove = format!("action=remove-card&payment={part}");
                self.step(client, page, &remove, &[303])?;
            }
        }
        let number = match turn % 3 {
            0 => "4242424242424242",
            1 => "4000000000000002",
            _ => "4000002760003184",
        };
        let bank = format!(
            "action=pay&method=card&once=o{round}&number={number}&expiry=12%2F30&code=907&name=A"
        );
        // 422: declined, or nothing is held, or nothing is left to pay.
        let paid = self.step(client, page, &bank, &[303, 422])?;
        let back = paid.head.contains("status=charged");
        if back {
            self.split.fetch_add(1, Ordering::SeqCst);
            self.note(id, &json!({"status": "charged", "paidAmount": 400}));
            if !round.is_multiple_of(3) {
                self.cancel(client, id)?;
            }
        } else if turn.is_multiple_of(2) {
            let left = self.step(client, page, "action=cancel", &[303])?;
            if left.status == 303 {
                assert!(left.head.contains("status=aborted"), "{}", left.head);
                self.note(id, &json!({"status": "aborted", "paidAmount": 0}));
            }
        }
        Some(())
    }

    /// A form of the page; a gateway that is just starting or stopping may be busy.
    fn step(&self, client: &mut Client, page: &str, form: &str, usual: &[u16]) -> Option<Answer> {
        let answer = client.post(page, FORM, form).ok()?;
        if answer.status == 503 {
            return None;
        }
        // 409: the clock has moved past the page's hour.
        let known = usual.contains(&answer.status) || answer.status == 409;
        assert!(known, "{form}: {} {}", answer.status, answer.body);
        Some(answer)
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
        assert_ne!(nok["ledger"]["expired"], "0.00");
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
        let split = self.split.load(Ordering::SeqCst);
        assert!(split > 0, "no gift card and bank card paid together");
        println!(
            "gift cards: {redeemed} redemptions and {split} split payments by {CLIENTS} clients on \
             {CARDS} cards, {KILLS} kills, {} payments as told",
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
