//! What clients of the other APIs do until the gateway is gone, and what must be there afterwards.
//!
//! Each payment goes through the same steps. A client is told of one after the other, so that after
//! a kill it stands where it was told to stand, or one step further: the answer may have been lost,
//! the step not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::Sender;

use serde_json::{Value, json};

use crate::Told;
use crate::process::Gateway;
use crate::process::client::Client;

const JSON: &str = "application/json";

/// An API beside HitPay's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    Vipps,
    Numipay,
    IGivePay,
}

/// A payment: its API and what it is called there.
pub type Name = (Api, String);

/// How far a client was told that each payment is.
pub type Steps = BTreeMap<Name, usize>;

/// Calls of one API with its credentials.
pub struct Caller {
    api: Api,
    client: Client,
}

impl Caller {
    pub fn connect(api: Api, gateway: &Gateway, data: &Path) -> Option<Self> {
        let known = std::fs::read_to_string(data.join("sandbox.json")).ok()?;
        let known: Value = serde_json::from_str(&known).ok()?;
        let of = |part: &str, name: &str| known[part][name].as_str().unwrap().to_owned();
        let client = || Client::connect(gateway.address, "").ok();
        let client = match api {
            Api::Numipay => client()?.with_headers(&[("x-api-key", &of("numipay", "api_key"))]),
            Api::IGivePay => client()?.with_headers(&[
                ("x-client-id", &of("igivepay", "client_id")),
                ("x-client-secret", &of("igivepay", "client_secret")),
            ]),
            Api::Vipps => {
                let key = of("vipps", "subscription_key");
                let mut asking = client()?.with_headers(&[
                    ("client_id", &of("vipps", "client_id")),
                    ("client_secret", &of("vipps", "client_secret")),
                    ("ocp-apim-subscription-key", &key),
                ]);
                let token = asking.post("/accesstoken/get", JSON, "").ok()?;
                let token: Value = serde_json::from_str(&token.body).ok()?;
                let bearer = format!("Bearer {}", token["access_token"].as_str()?);
                client()?.with_headers(&[
                    ("authorization", &bearer),
                    ("ocp-apim-subscription-key", &key),
                    (
                        "merchant-serial-number",
                        &of("vipps", "merchant_serial_number"),
                    ),
                    ("idempotency-key", "1"),
                ])
            }
        };
        Some(Self { api, client })
    }

    /// How many steps a payment has.
    fn steps(&self) -> usize {
        match self.api {
            Api::Vipps => SUMS.len(),
            Api::Numipay | Api::IGivePay => 2,
        }
    }

    /// The step behind so many; what the payment is called from then on. Nothing if it is the end.
    fn step(&mut self, name: &str, step: usize) -> Option<String> {
        match self.api {
            Api::Vipps => self.step_of_vipps(name, step),
            Api::Numipay => self.step_of_numipay(name, step),
            Api::IGivePay => self.step_of_igivepay(name, step),
        }
    }

    fn post(&mut self, path: &str, body: &Value) -> Option<Value> {
        let answer = self.client.post(path, JSON, &body.to_string()).ok()?;
        let fine = (200..300).contains(&answer.status);
        assert!(fine, "{path}: {} {}", answer.status, answer.body);
        Some(serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }

    fn get(&mut self, path: &str) -> Value {
        let answer = self.client.get(path).unwrap();
        assert_eq!(answer.status, 200, "{path} is lost: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn step_of_vipps(&mut self, name: &str, step: usize) -> Option<String> {
        let amount = |value: i64| json!({"currency": "NOK", "value": value});
        let of = |what: &str| format!("/epayment/v1/payments/{name}/{what}");
        let modified = |value: i64| json!({"modificationAmount": amount(value)});
        let (path, body) = match step {
            0 => (
                "/epayment/v1/payments".to_owned(),
                json!({
                    "amount": amount(1_000), "paymentMethod": {"type": "WALLET"},
                    "reference": name, "userFlow": "WEB_REDIRECT",
                    "returnUrl": "https://shop.example/back",
                }),
            ),
            1 => (
                format!("/epayment/v1/test/payments/{name}/approve"),
                json!({"customer": {"phoneNumber": "4791234567"}}),
            ),
            2 => (of("capture"), modified(400)),
            3 => (of("refund"), modified(300)),
            4 => (of("cancel"), json!({})),
            _ => return None,
        };
        self.post(&path, &body).map(|_| name.to_owned())
    }

    fn step_of_numipay(&mut self, name: &str, step: usize) -> Option<String> {
        let (path, body) = match step {
            0 => (
                "/gateway/v1/payments/hosted",
                json!({"request": {
                    "user_id": "u-1", "tracking_id": name, "currency": "EUR", "amount": "2.00",
                }}),
            ),
            1 => (
                "/sandbox/simulate",
                json!({"payment": name, "outcome": "approve", "dialect": "numipay"}),
            ),
            _ => return None,
        };
        self.post(path, &body).map(|_| name.to_owned())
    }

    fn step_of_igivepay(&mut self, name: &str, step: usize) -> Option<String> {
        if step == 0 {
            let body = json!({"paymentTotal": 10, "reference": name, "accessMode": "api"});
            let made = self.post("/api/v1/payments", &body)?;
            return Some(made["paymentId"].as_str().unwrap().to_owned());
        }
        if step > 1 {
            return None;
        }
        let card = self.post("/sandbox/gift-cards", &json!({"amount": "10.00"}))?;
        let card = json!({"cardNumber": card["card_number"], "cvc": card["cvc"], "amount": 10});
        let path = format!("/api/v1/payments/{name}/perform");
        let paid = self.post(&path, &json!({"cards": [card]}));
        paid.map(|_| name.to_owned())
    }

    /// Where a payment stands: as after so many steps.
    fn stands(&mut self, name: &str) -> usize {
        match self.api {
            Api::Vipps => {
                let shown = self.get(&format!("/epayment/v1/payments/{name}"));
                let sum = |of: &str| shown["aggregate"][of]["value"].as_i64().unwrap();
                let sums = ["authorized", "captured", "refunded", "cancelled"];
                let sums = sums.map(|of| sum(&format!("{of}Amount")));
                let place = SUMS.iter().position(|known| *known == sums);
                place.unwrap_or_else(|| panic!("{name}: {shown}")) + 1
            }
            Api::Numipay => {
                let shown = self.get(&format!("/gateway/v1/transactions/{name}"));
                match shown["transaction_status"].as_str().unwrap() {
                    // A try that was interrupted moved nothing and counts as refused.
                    "pending" | "rejected" => 1,
                    "successful" => 2,
                    other => panic!("{name} is {other}"),
                }
            }
            Api::IGivePay => {
                let shown = self.get(&format!("/api/v1/payments/{name}"));
                match (shown["status"].as_str().unwrap(), &shown["paidAmount"]) {
                    ("pending", paid) if *paid == json!(0) => 1,
                    ("charged", paid) if *paid == json!(10) => 2,
                    other => panic!("{name} is {other:?}"),
                }
            }
        }
    }
}

/// Makes payments and takes each through its steps, until the gateway is gone.
pub fn load(mut caller: Caller, name: &str, tell: &Sender<Told>) {
    for number in 0.. {
        let mut called = format!("{name}-{number}");
        for step in 0..caller.steps() {
            match caller.step(&called, step) {
                Some(next) => called = next,
                None => return,
            }
            let name = (caller.api, called.clone());
            if tell.send(Told::Other(name, step + 1)).is_err() {
                return;
            }
        }
    }
}

/// Authorised, captured, refunded and cancelled after each step.
const SUMS: [[i64; 4]; 5] = [
    [0, 0, 0, 0],
    [1_000, 0, 0, 0],
    [1_000, 400, 0, 0],
    [1_000, 400, 300, 0],
    [1_000, 400, 300, 600],
];

/// Every payment stands where its client was told, or one step further, and stays there.
pub fn check(gateway: &Gateway, data: &Path, all: &mut Steps) {
    for api in [Api::Vipps, Api::Numipay, Api::IGivePay] {
        let mut caller = Caller::connect(api, gateway, data).unwrap();
        let of = all.iter_mut().filter(|((known, _), _)| *known == api);
        for ((_, name), told) in of {
            let stands = caller.stands(name);
            let fits = (*told..=*told + 1).contains(&stands);
            assert!(fits, "{api:?} {name}: told {told}, found {stands}");
            *told = stands;
        }
    }
}

/// The last step of each finished Vipps payment, asked for again under its key, changes nothing.
pub fn repeat(gateway: &Gateway, data: &Path, all: &Steps) {
    let mut caller = Caller::connect(Api::Vipps, gateway, data).unwrap();
    for ((api, name), told) in all {
        if *api == Api::Vipps && *told == SUMS.len() {
            for step in [2, 3, 4] {
                caller.step(name, step).unwrap();
            }
            assert_eq!(caller.stands(name), *told, "{name}");
        }
    }
}
