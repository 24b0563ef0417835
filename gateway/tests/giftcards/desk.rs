//! An operator's desk: a sandbox, the commands beside it, and a client of iGivePay.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::process::client::Client;
use crate::process::{Gateway, florin, said};

pub const FORM: &str = "application/x-www-form-urlencoded";
pub const JSON: &str = "application/json";
pub const PAYMENTS: &str = "/api/v1/payments";

pub struct Desk {
    pub gateway: Gateway,
    pub folder: tempfile::TempDir,
}

/// A card as the commands print it.
#[derive(Clone, Debug)]
pub struct Card {
    pub number: String,
    pub cvc: String,
}

impl Card {
    pub fn last5(&self) -> &str {
        &self.number[self.number.len() - 5..]
    }

    pub fn json(&self) -> Value {
        json!({"cardNumber": self.number, "cvc": self.cvc})
    }
}

impl Desk {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(folder.path(), "127.0.0.1:0");
        Self { gateway, folder }
    }

    pub fn command(&self, args: &[&str]) -> Output {
        command(self.folder.path(), args)
    }

    /// What a command that must succeed says.
    pub fn does(&self, args: &[&str]) -> String {
        let output = self.command(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let args = [args, &["--json"]].concat();
        serde_json::from_str(&self.does(&args)).unwrap()
    }

    /// A command that must fail with this code, saying this.
    pub fn refuses(&self, args: &[&str], code: i32, says: &str) {
        let output = self.command(args);
        let told = said(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(says), "{args:?}: {told}");
    }

    /// One card, as `issue` prints it.
    pub fn card(&self, amount: &str, more: &[&str]) -> Card {
        let args = [&["issue", "--amount", amount][..], more].concat();
        let told = self.does(&args);
        let line = told.lines().nth(1).unwrap();
        // As wide as the longest number in groups of four.
        let (number, rest) = line.split_at(23);
        Card {
            number: number.replace(' ', ""),
            cvc: rest.split_whitespace().next().unwrap().to_owned(),
        }
    }

    pub fn client(&self) -> Client {
        client(self.folder.path(), &self.gateway)
    }
}

pub fn client(data: &Path, gateway: &Gateway) -> Client {
    let text = std::fs::read_to_string(data.join("sandbox.json")).unwrap();
    let known: Value = serde_json::from_str(&text).unwrap();
    let field = |name: &str| known["igivepay"][name].as_str().unwrap().to_owned();
    let (id, secret) = (field("client_id"), field("client_secret"));
    let client = Client::connect(gateway.address, "").unwrap();
    client.with_headers(&[("x-client-id", &id), ("x-client-secret", &secret)])
}

pub fn command(data: &Path, args: &[&str]) -> Output {
    florin()
        .arg("giftcards")
        .args(args)
        .arg("--data")
        .arg(data)
        .output()
        .unwrap()
}

/// Calls the API; status and JSON.
pub fn call(client: &mut Client, path: &str, body: &Value) -> (u16, Value) {
    let answer = client.post(path, JSON, &body.to_string()).unwrap();
    let told = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    (answer.status, told)
}

/// A payment of a till; its id.
pub fn till(client: &mut Client, total: &Value) -> String {
    let body = json!({"paymentTotal": total, "reference": "t", "accessMode": "api"});
    let (status, made) = call(client, PAYMENTS, &body);
    assert_eq!(status, 200, "{made}");
    made["paymentId"].as_str().unwrap().to_owned()
}

pub fn perform(client: &mut Client, id: &str, cards: &[&Card]) -> (u16, Value) {
    let cards: Vec<Value> = cards.iter().map(|card| card.json()).collect();
    let path = format!("{PAYMENTS}/{id}/perform");
    call(client, &path, &json!({ "cards": cards }))
}
