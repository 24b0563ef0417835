//! Kill -9 under load of all four APIs: whatever was acknowledged is there after the restart,
//! exactly once.
//!
//! `FLORIN_KILL_ROUNDS=10 cargo test -p gateway --test kill -- --nocapture`; with `FLORIN=<path>`
//! another binary than the one built with it, such as the one that is shipped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and may print"
)]

#[path = "kill/others.rs"]
mod others;
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use others::{Api, Caller, Name, Steps};
use process::client::{self, Client};
use process::{Gateway, run};

/// Connections under load at once.
const CLIENTS: usize = 16;

/// What a client was told.
#[derive(Debug)]
enum Told {
    Created(String),
    Paid(String),
    Other(Name, usize),
}

#[test]
fn nothing_acknowledged_is_lost() {
    let rounds: u32 = std::env::var("FLORIN_KILL_ROUNDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(2);
    let folder = tempfile::tempdir().unwrap();
    let (heard, webhooks) = channel();
    let hook = client::receive(heard);
    let mut listen = "127.0.0.1:0".to_owned();
    let mut all: BTreeMap<String, bool> = BTreeMap::new();
    let mut others = Steps::new();
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let mut gateway = Gateway::start(folder.path(), &listen);
        slowest = slowest.max(gateway.ready);
        listen = gateway.address.to_string();
        check(&gateway, &all);
        others::check(&gateway, folder.path(), &mut others);
        let answers = 250 + (round * 389) % 700;
        for told in load_until_killed(&mut gateway, folder.path(), hook, answers) {
            match told {
                Told::Created(id) => drop(all.entry(id).or_insert(false)),
                Told::Paid(id) => drop(all.insert(id, true)),
                Told::Other(name, step) => drop(others.insert(name, step)),
            }
        }
        verify_ledger(folder.path());
    }
    let gateway = Gateway::start(folder.path(), &listen);
    slowest = slowest.max(gateway.ready);
    check(&gateway, &all);
    others::check(&gateway, folder.path(), &mut others);
    others::repeat(&gateway, folder.path(), &others);
    hear_all(&webhooks, &all);
    let paid = all.values().filter(|paid| **paid).count();
    println!(
        "kill: {rounds} rounds, {} creations and {paid} payments acknowledged, and steps of {} \
         payments of other APIs, none lost; ready again within {} ms",
        all.len(),
        others.len(),
        slowest.as_millis()
    );
    assert!(
        all.len() > 50 && paid > 20,
        "hardly any load: {} and {paid}",
        all.len()
    );
    for api in [Api::Vipps, Api::Numipay, Api::IGivePay] {
        let count = others.keys().filter(|(known, _)| *known == api).count();
        assert!(count > 5, "hardly any load of {api:?}: {count}");
    }
}

/// Loads the gateway, kills it after so many answers, and gives what clients were told.
fn load_until_killed(
    gateway: &mut Gateway,
    data: &Path,
    hook: SocketAddr,
    answers: u32,
) -> Vec<Told> {
    let (tell, told) = channel();
    let (address, key) = (gateway.address, gateway.key.clone());
    let others = [
        Api::Vipps,
        Api::Vipps,
        Api::Vipps,
        Api::Numipay,
        Api::IGivePay,
    ];
    let others = others.map(|api| Caller::connect(api, gateway, data).unwrap());
    std::thread::scope(|scope| {
        for (number, caller) in others.into_iter().enumerate() {
            let tell = tell.clone();
            let name = format!("kill-{}-{number}", gateway.child.id());
            scope.spawn(move || others::load(caller, &name, &tell));
        }
        for number in 0..CLIENTS {
            let (tell, key) = (tell.clone(), key.as_str());
            scope.spawn(move || load(address, key, hook, number, &tell));
        }
        drop(tell);
        let mut all = Vec::new();
        for told in &told {
            all.push(told);
            if all.len() == answers as usize {
                gateway.child.kill().unwrap();
                gateway.child.wait().unwrap();
            }
        }
        all
    })
}

/// One client: creates and pays until the connection breaks.
fn load(address: SocketAddr, key: &str, hook: SocketAddr, number: usize, tell: &Sender<Told>) {
    let Ok(mut client) = Client::connect(address, key) else {
        return;
    };
    let form = format!(
        "amount=10.50&currency=SGD&payment_methods%5B%5D=card&reference_number=C{number}\
         &webhook=http%3A%2F%2F{hook}%2F"
    );
    loop {
        let kind = "application/x-www-form-urlencoded";
        let Ok(answer) = client.post("/v1/payment-requests", kind, &form) else {
            return;
        };
        assert_eq!(answer.status, 201, "{}", answer.body);
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let id = json["id"].as_str().unwrap().to_owned();
        if tell.send(Told::Created(id.clone())).is_err() {
            return;
        }
        if number.is_multiple_of(4) {
            continue;
        }
        let body = format!("{{\"payment\":\"{id}\",\"outcome\":\"approve\"}}");
        let Ok(answer) = client.post("/sandbox/simulate", "application/json", &body) else {
            return;
        };
        assert_eq!(answer.status, 200, "{}", answer.body);
        if tell.send(Told::Paid(id)).is_err() {
            return;
        }
    }
}

/// Everything that was acknowledged is there, and paid at most once.
fn check(gateway: &Gateway, all: &BTreeMap<String, bool>) {
    let mut client = gateway.client();
    for (id, paid) in all {
        let answer = client.get(&format!("/v1/payment-requests/{id}")).unwrap();
        assert_eq!(answer.status, 200, "{id} is lost: {}", answer.body);
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let succeeded = json["payments"].as_array().map_or(0, |payments| {
            payments
                .iter()
                .filter(|payment| payment["status"] == "succeeded")
                .count()
        });
        let completed = json["status"] == "completed";
        assert_eq!(succeeded, usize::from(completed), "{}", answer.body);
        assert!(
            completed || !paid,
            "the payment of {id} is lost: {}",
            answer.body
        );
    }
    let ledger = client.get("/sandbox/ledger").unwrap();
    assert!(ledger.body.contains("\"balanced\":true"), "{}", ledger.body);
}

/// The webhook of every acknowledged payment arrives in the end.
fn hear_all(webhooks: &Receiver<String>, all: &BTreeMap<String, bool>) {
    let paid = all
        .iter()
        .filter(|(_, paid)| **paid)
        .map(|(id, _)| id.as_str());
    let mut missing: BTreeSet<&str> = paid.collect();
    while !missing.is_empty() {
        match webhooks.recv_timeout(Duration::from_secs(90)) {
            Ok(id) => missing.remove(id.as_str()),
            Err(_) => panic!("{} webhooks never arrived", missing.len()),
        };
    }
}

fn verify_ledger(data: &Path) {
    let output = run(&["ledger", "verify", "--data", data.to_str().unwrap()]);
    assert!(output.status.success(), "{}", process::said(&output));
}
