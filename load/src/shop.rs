//! The client's side of the calls that are measured: a shop that uses the HitPay dialect, and a
//! customer who pays through the simulator.

use std::net::SocketAddr;

use serde_json::{Value, json};
use url::Position;

use crate::failure::{Outcome, said};
use crate::receiver::Receiver;
use crate::server::Server;
use crate::wire::{Ask, Wire, whole_answer};

/// One shop.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Where Florin listens.
    pub address: SocketAddr,
    key: String,
    form: String,
    create: Ask,
}

impl Shop {
    /// The demo shop of a server, with its webhooks going to `receiver`.
    pub fn new(server: &Server, receiver: &Receiver) -> Shop {
        Shop::at((server.address, &server.key), &receiver.url())
    }

    /// The same with its webhooks going to an address.
    pub fn at((address, key): (SocketAddr, &str), webhook: &str) -> Shop {
        let webhook: String = url::form_urlencoded::byte_serialize(webhook.as_bytes()).collect();
        let form =
            format!("amount=10.50&currency=SGD&payment_methods%5B%5D=card&webhook={webhook}");
        Shop {
            address,
            key: key.to_owned(),
            create: creation(key, &form),
            form,
        }
    }

    /// The request that makes a payment request.
    pub fn create(&self) -> Ask {
        self.create.clone()
    }

    /// The same with a reference of the shop's own.
    pub fn create_as(&self, reference: &str) -> Ask {
        creation(
            &self.key,
            &format!("{}&reference_number={reference}", self.form),
        )
    }

    /// The request by which a customer pays.
    pub fn pay(&self, id: &str) -> Ask {
        let head = format!(
            "X-BUSINESS-API-KEY: {}\r\nContent-Type: application/json\r\n",
            self.key
        );
        let body = json!({"payment": id, "outcome": "approve"}).to_string();
        Ask::post("POST /sandbox/simulate", "/sandbox/simulate", &head, &body)
    }

    /// A request with the shop's key.
    pub fn get(&self, path: &str) -> Ask {
        let head = format!("X-BUSINESS-API-KEY: {}\r\n", self.key);
        Ask::get("GET", path, &head)
    }

    /// Creates one payment request and answers with all that the API says about it.
    pub async fn created(&self, wire: &mut Wire) -> Outcome<Value> {
        Ok(serde_json::from_slice(wire.call(&self.create).await?)?)
    }

    /// Creates a payment request, pays it, and waits until its webhook came and the server has
    /// recorded the attempt.
    pub async fn whole_cycle(&self, wire: &mut Wire, receiver: &Receiver) -> Outcome<()> {
        let id = id_in(wire.call(&self.create).await?)?.to_owned();
        let arrival = receiver.watch(&id);
        wire.call(&self.pay(&id)).await?;
        arrival.moment().await?;
        self.recorded(wire, &id).await
    }

    /// Waits until the server lists the payment's only webhook as delivered.
    pub async fn recorded(&self, wire: &mut Wire, id: &str) -> Outcome<()> {
        let head = format!("X-BUSINESS-API-KEY: {}\r\n", self.key);
        let path = format!("/sandbox/webhooks?payment={id}");
        let ask = Ask::get("GET /sandbox/webhooks", &path, &head);
        for _ in 0..500 {
            let listed: Value = serde_json::from_slice(wire.call(&ask).await?)?;
            let states = listed["deliveries"].as_array().into_iter().flatten();
            let states: Vec<&str> = states.filter_map(|one| one["state"].as_str()).collect();
            match states.as_slice() {
                ["delivered"] => return Ok(()),
                ["pending"] => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                other => return Err(said(format!("a payment has deliveries {other:?}"))),
            }
        }
        Err(said(
            "a received webhook was not recorded as delivered within 5 s",
        ))
    }

    /// Bytes that a browser receives for the checkout page with its style sheets and scripts.
    pub async fn page_bytes(&self, wire: &mut Wire) -> Outcome<usize> {
        let payment = self.created(wire).await?;
        let page = payment["url"]
            .as_str()
            .ok_or_else(|| said("a payment request has no url"))?;
        let page = page
            .parse::<url::Url>()
            .map_err(|error| said(format!("{page}: {error}")))?;
        let text = whole_answer(self.address, page.path(), "identity").await?;
        let mut total = whole_answer(self.address, page.path(), "gzip, br")
            .await?
            .len();
        for link in links(&String::from_utf8_lossy(&text)) {
            let Ok(part) = page.join(&link) else { continue };
            if part.origin() != page.origin() {
                return Err(said(format!(
                    "the checkout page loads {part} from elsewhere"
                )));
            }
            total += whole_answer(
                self.address,
                &part[Position::BeforePath..Position::AfterQuery],
                "gzip, br",
            )
            .await?
            .len();
        }
        Ok(total)
    }
}

fn creation(key: &str, form: &str) -> Ask {
    const PATH: &str = "/v1/payment-requests";
    let head =
        format!("X-BUSINESS-API-KEY: {key}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    Ask::post("POST /v1/payment-requests", PATH, &head, form).expecting(201)
}

/// The id in an answer, without reading the whole of it: the load program must not be the slow
/// part.
pub fn id_in(body: &[u8]) -> Outcome<&str> {
    const NAME: &[u8] = b"\"id\":\"";
    let start = body.windows(NAME.len()).position(|window| window == NAME);
    let rest = start.and_then(|start| body.get(start + NAME.len()..));
    rest.and_then(|rest| rest.split(|byte| *byte == b'"').next())
        .and_then(|id| std::str::from_utf8(id).ok())
        .ok_or_else(|| said("a created payment request has no id"))
}

/// Addresses of the style sheets and scripts that a page loads, each once.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for tag in page.split('<').filter_map(|rest| rest.split('>').next()) {
        let address = match tag.split_whitespace().next() {
            Some("link") if tag.contains("stylesheet") => attribute(tag, "href"),
            Some("script") => attribute(tag, "src"),
            _ => None,
        };
        if let Some(address) = address
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// The value of a quoted attribute.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"')
        .map(|(value, _)| value.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_not_taken_from_a_longer_name() {
        let body = br#"{"staff_id":"no","id":"9ef6","executor_id":"no"}"#;
        assert_eq!(id_in(body).unwrap(), "9ef6");
        assert!(id_in(br#"{"message":"no"}"#).is_err());
    }

    #[test]
    fn a_page_s_parts_are_found_once_and_inline_ones_not_at_all() {
        let page = r#"<!doctype html><link rel="icon" href="/i.svg">
            <link rel="stylesheet" href="/a.css?v=1&amp;w=2"><script src="/b.js" defer></script>
            <script>inline()</script><link href="/a.css?v=1&amp;w=2" rel="stylesheet">
            <img src="/c.png">"#;
        assert_eq!(links(page), ["/a.css?v=1&w=2", "/b.js"]);
    }
}
