//! Kill -9 while payouts are requested, approved and rejected: what was acknowledged is there
//! afterwards, and the money adds up.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};

use serde_json::{Value, json};

use crate::process::client::Client;
use crate::process::{Gateway, run};
use crate::shop::{APPROVE, HOSTED, LIST, PAYOUTS, REJECT, Shop, text};

const CLIENTS: usize = 8;
const ROUNDS: usize = 3;

/// What a client was told about a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// Its money is reserved.
    Pending,
    /// There was too little.
    Refused,
    /// The merchant said yes.
    Approved,
    /// The merchant said no.
    Rejected,
}

fn client(gateway: &Gateway, key: &str) -> Client {
    let headers = [("x-api-key", key)];
    gateway.client().with_key("").with_headers(&headers)
}

fn post(client: &mut Client, path: &str, body: &Value) -> Option<(u16, Value)> {
    let answer = client.post(path, "application/json", &body.to_string());
    let answer = answer.ok()?;
    Some((answer.status, serde_json::from_str(&answer.body).ok()?))
}

fn request(tracking: &str, amount: &str) -> Value {
    let mut body = Shop::request(tracking, amount);
    let request = body["request"].as_object_mut().unwrap();
    request.remove("notification_url");
    body
}

/// Requests payouts and decides about each, until the gateway is gone.
fn load(mut client: Client, name: String, tell: Sender<(String, Told)>) {
    for number in 0.. {
        let tracking = format!("{name}-{number}");
        let Some((200, told)) = post(&mut client, PAYOUTS, &request(&tracking, "1.00")) else {
            return;
        };
        let refused = told["transaction_status"] == "rejected";
        let first = if refused {
            Told::Refused
        } else {
            Told::Pending
        };
        tell.send((tracking.clone(), first)).unwrap();
        let (path, word) = match number % 3 {
            _ if refused => continue,
            0 => (APPROVE, Told::Approved),
            1 => (REJECT, Told::Rejected),
            _ => continue,
        };
        let Some((200, _)) = post(&mut client, path, &json!({"transaction_id": tracking})) else {
            return;
        };
        tell.send((tracking, word)).unwrap();
    }
}

#[test]
fn acknowledged_payouts_survive_and_the_money_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut all: BTreeMap<String, Told> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut gateway = Gateway::start(folder.path(), "127.0.0.1:0");
        let key = key(folder.path());
        let mut own = client(&gateway, &key);
        let (_, made) = post(
            &mut own,
            HOSTED,
            &request(&format!("fill {round}"), "60.00"),
        )
        .unwrap();
        let wish = json!({"payment": text(&made, "transaction_id"), "outcome": "approve"});
        assert_eq!(post(&mut own, "/sandbox/simulate", &wish).unwrap().0, 200);
        check(&mut own, &all);
        let (tell, told) = channel();
        let loads: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (client, tell) = (client(&gateway, &key), tell.clone());
                let name = format!("W-{round}-{number}");
                std::thread::spawn(move || load(client, name, tell))
            })
            .collect();
        drop(tell);
        // So many answers, then the end comes in the middle of whatever is under way.
        let mut heard: Vec<_> = told.iter().take(90 + round * 70).collect();
        gateway.child.kill().unwrap();
        gateway.child.wait().unwrap();
        heard.extend(told.iter());
        for one in loads {
            one.join().unwrap();
        }
        for (tracking, told) in heard {
            let known = all.entry(tracking).or_insert(told);
            *known = (*known).max(told);
        }
        let verified = run(&[
            "ledger",
            "verify",
            "--data",
            folder.path().to_str().unwrap(),
        ]);
        assert!(verified.status.success(), "{verified:?}");
    }
    let gateway = Gateway::start(folder.path(), "127.0.0.1:0");
    let mut own = client(&gateway, &key(folder.path()));
    // What was approved is paid out by the worker, whoever it was that died.
    post(&mut own, "/sandbox/clock", &json!({"advance": "5s"})).unwrap();
    check(&mut own, &all);
    for (tracking, told) in &all {
        if *told == Told::Approved {
            assert_eq!(word(&mut own, tracking), "successful", "{tracking}");
        }
    }
    adds_up(&mut own);
}

fn key(data: &Path) -> String {
    let known = std::fs::read_to_string(data.join("sandbox.json")).unwrap();
    let known: Value = serde_json::from_str(&known).unwrap();
    text(&known["numipay"], "api_key").to_owned()
}

fn word(client: &mut Client, tracking: &str) -> String {
    let answer = client.get(&format!("{LIST}/{tracking}")).unwrap();
    assert_eq!(answer.status, 200, "{tracking} is gone");
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    text(&told, "transaction_status").to_owned()
}

/// Nothing that a client was told is taken back.
fn check(client: &mut Client, all: &BTreeMap<String, Told>) {
    for (tracking, told) in all {
        let word = word(client, tracking);
        let fits = match told {
            // The answer to the next word may have been lost, the word not.
            Told::Pending => ["pending", "successful", "rejected"].contains(&word.as_str()),
            Told::Refused | Told::Rejected => word == "rejected",
            Told::Approved => ["pending", "successful"].contains(&word.as_str()),
        };
        assert!(fits, "{tracking} was {told:?} and is {word}");
    }
}

/// Received = available + reserved + paid out, none of them below nothing.
fn adds_up(client: &mut Client) {
    let ledger = client.get("/sandbox/ledger").unwrap();
    let ledger: Value = serde_json::from_str(&ledger.body).unwrap();
    assert_eq!(ledger["balanced"], true, "{ledger}");
    let accounts = ledger["accounts"].as_array().unwrap();
    let sum = |kind: &str| -> i64 {
        let of = accounts.iter();
        let of = of.filter(|account| text(account, "account").starts_with(kind));
        of.map(|account| account["balance"].as_i64().unwrap()).sum()
    };
    let (has, held, owed) = (sum("merchant:"), sum("payout:"), -sum("clearing:"));
    assert!(has >= 0 && held >= 0, "{ledger}");
    assert_eq!(has + held, owed, "{ledger}");
    let listed = client.get(LIST).unwrap();
    let listed: Vec<Value> = serde_json::from_str(&listed.body).unwrap();
    let pending = listed
        .iter()
        .filter(|row| row["transaction_status"] == "pending");
    assert_eq!(held, i64::try_from(pending.count()).unwrap() * 100);
}
