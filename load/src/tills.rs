//! Shops of all four APIs: each takes a payment through its own, step by step, and says after each
//! answer which fact was acknowledged.

use std::path::Path;

use domain::Secret;
use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};
use crate::shop::{Shop, id_in};
use crate::wire::{Ask, Wire};

/// The demo shop's credentials, from the file that the sandbox wrote.
#[derive(Clone, Debug)]
pub struct Credentials(Value);

impl Credentials {
    /// Reads them.
    pub fn read(data: &Path) -> Outcome<Credentials> {
        let text = std::fs::read(data.join("sandbox.json"))?;
        Ok(Credentials(serde_json::from_slice(&text)?))
    }

    /// One of them.
    pub fn text(&self, dialect: &str, name: &str) -> &str {
        self.0[dialect][name].as_str().unwrap_or_default()
    }

    /// What HitPay's forms are signed with.
    pub fn salt(&self) -> Secret {
        Secret::new(self.text("hitpay", "salt").to_owned())
    }
}

/// Where payments are made.
#[derive(Clone, Debug)]
pub enum Till {
    /// HitPay, with the address of the webhook in each payment.
    Hitpay(Shop),
    /// Numipay, likewise.
    Numipay {
        /// The head of its calls.
        head: String,
        /// Where its webhooks go, if anywhere.
        webhook: Option<String>,
    },
    /// Numipay's payouts, approved by the shop and paid by the bank.
    Payouts {
        /// The head of its calls.
        head: String,
    },
    /// iGivePay: a new gift card for each payment, spent at once.
    IGivePay {
        /// The head of its calls.
        head: String,
    },
    /// Vipps, whose webhooks go to registered endpoints.
    Vipps {
        /// What a token is asked for with.
        client: String,
        /// The rest of the head of every other call.
        head: String,
    },
}

/// An open connection, and the token that calls to Vipps carry.
pub struct Line {
    wire: Wire,
    token: Option<String>,
}

impl Line {
    /// A connection without a token.
    pub fn new(wire: Wire) -> Line {
        Line { wire, token: None }
    }
}

/// An answer that lacks what it must have.
fn odd(answer: &[u8]) -> Failure {
    Failure::Answer {
        call: "a call of a till",
        status: 200,
        expected: 200,
        body: String::from_utf8_lossy(answer).into_owned(),
    }
}

/// What an answer calls what it is about.
fn named<'a>(answer: &'a Value, name: &str) -> Outcome<&'a str> {
    let id = answer[name].as_str();
    id.ok_or_else(|| odd(answer.to_string().as_bytes()))
}

/// A transaction as Numipay is asked for one.
fn transaction(number: u64, amount: &str, webhook: Option<&str>) -> Value {
    let tracking = format!("order-{number}");
    let mut order = json!({
        "user_id": "1", "tracking_id": tracking, "currency": "EUR", "amount": amount,
    });
    if let Some(webhook) = webhook {
        order["notification_url"] = webhook.into();
    }
    json!({"request": order})
}

/// Hears what was acknowledged: of which payment, which fact.
pub type Hear<'a> = &'a (dyn Fn(&str, &'static str) + Send + Sync);

impl Till {
    /// A till of a dialect.
    pub fn of(dialect: &str, known: &Credentials, shop: Shop, webhook: Option<String>) -> Till {
        const JSON: &str = "Content-Type: application/json\r\n";
        let numipay = || format!("X-Api-Key: {}\r\n{JSON}", known.text("numipay", "api_key"));
        match dialect {
            "numipay" => Till::Numipay {
                head: numipay(),
                webhook,
            },
            "payouts" => Till::Payouts { head: numipay() },
            "igivepay" => {
                let text = |name| known.text("igivepay", name);
                let (id, secret) = (text("client_id"), text("client_secret"));
                Till::IGivePay {
                    head: format!("x-client-id: {id}\r\nx-client-secret: {secret}\r\n{JSON}"),
                }
            }
            "vipps" => {
                let text = |name| known.text("vipps", name);
                let key = format!(
                    "Ocp-Apim-Subscription-Key: {}\r\n",
                    text("subscription_key")
                );
                let (id, secret) = (text("client_id"), text("client_secret"));
                let number = text("merchant_serial_number");
                Till::Vipps {
                    client: format!("client_id: {id}\r\nclient_secret: {secret}\r\n{key}"),
                    head: format!("{key}Merchant-Serial-Number: {number}\r\n{JSON}"),
                }
            }
            _ => Till::Hitpay(shop),
        }
    }

    /// Takes one payment, the `number`th.
    pub async fn take(&self, line: &mut Line, number: u64, hear: Hear<'_>) -> Outcome<()> {
        match self {
            Till::Hitpay(shop) => {
                let made = line.wire.call(&shop.create()).await?;
                let id = id_in(made).map_err(|_| odd(made))?.to_owned();
                hear(&id, "bill.created");
                line.wire.call(&shop.pay(&id)).await?;
                hear(&id, "bill.paid");
            }
            Till::Numipay { head, webhook } => {
                let path = "/gateway/v1/payments/hosted";
                let order = transaction(number, "200.00", webhook.as_deref());
                let made = line.post(path, head, &order, 200).await?;
                let id = named(&made, "transaction_id")?;
                hear(id, "bill.created");
                line.approve(id).await?;
                hear(id, "bill.paid");
            }
            Till::Payouts { head } => {
                let order = transaction(number, "1.00", None);
                let made = line.post("/gateway/v1/payouts", head, &order, 200).await?;
                let id = named(&made, "transaction_id")?;
                let which = json!({"transaction_id": id});
                let path = "/gateway/v1/payouts/approve";
                line.post(path, head, &which, 200).await?;
                line.approve(id).await?;
                hear(id, "payout.paid");
            }
            Till::IGivePay { head } => {
                let worth = json!({"amount": "10.00"});
                let card = line.post("/sandbox/gift-cards", head, &worth, 201).await?;
                let order = json!({
                    "paymentTotal": 10, "reference": format!("order-{number}"), "accessMode": "api",
                });
                let made = line.post("/api/v1/payments", head, &order, 200).await?;
                let id = named(&made, "paymentId")?;
                hear(id, "bill.created");
                let path = format!("/api/v1/payments/{id}/perform");
                let cards = json!({"cards": [{
                    "cardNumber": card["card_number"], "cvc": card["cvc"], "amount": 10,
                }]});
                line.post(&path, head, &cards, 200).await?;
                hear(id, "bill.paid");
            }
            Till::Vipps { client, head } => {
                let token = match line.token.take() {
                    Some(token) => token,
                    None => line.new_token(client).await?,
                };
                let head = format!("Authorization: Bearer {token}\r\n{head}");
                line.reserve_and_capture(&head, number, hear).await?;
                line.token = Some(token);
            }
        }
        Ok(())
    }
}

impl Line {
    async fn post(
        &mut self,
        path: &str,
        head: &str,
        body: &Value,
        expected: u16,
    ) -> Outcome<Value> {
        let ask = Ask::post("a call of a till", path, head, &body.to_string());
        let answer = self.wire.call(&ask.expecting(expected)).await?;
        Ok(serde_json::from_slice(answer)?)
    }

    /// The customer says yes.
    async fn approve(&mut self, name: &str) -> Outcome<()> {
        let body = json!({"payment": name, "outcome": "approve"});
        let head = "Content-Type: application/json\r\n";
        self.post("/sandbox/simulate", head, &body, 200).await?;
        Ok(())
    }

    async fn new_token(&mut self, client: &str) -> Outcome<String> {
        let ask = Ask::post("POST /accesstoken/get", "/accesstoken/get", client, "");
        let answer: Value = serde_json::from_slice(self.wire.call(&ask).await?)?;
        let token = answer["access_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| odd(answer.to_string().as_bytes()))
    }

    async fn reserve_and_capture(
        &mut self,
        head: &str,
        number: u64,
        hear: Hear<'_>,
    ) -> Outcome<()> {
        let reference = format!("order-{number:06}");
        let amount = json!({"currency": "NOK", "value": 4_900});
        let key = |step: &str| format!("{head}Idempotency-Key: {reference}-{step}\r\n");
        let order = json!({
            "amount": amount, "paymentMethod": {"type": "WALLET"},
            "customer": {"phoneNumber": "4791234567"}, "userFlow": "PUSH_MESSAGE",
            "reference": reference, "paymentDescription": "A pot of tea",
        });
        let path = "/epayment/v1/payments";
        self.post(path, &key("create"), &order, 201).await?;
        hear(&reference, "bill.created");
        self.approve(&reference).await?;
        hear(&reference, "payment.authorized");
        let path = format!("{path}/{reference}/capture");
        let part = json!({"modificationAmount": amount});
        self.post(&path, &key("capture"), &part, 200).await?;
        hear(&reference, "payment.captured");
        Ok(())
    }
}
