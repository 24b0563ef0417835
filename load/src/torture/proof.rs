//! What a webhook shows of itself: is it genuine, what is it called, and what exactly came.
//!
//! Of what came only digests are kept: a long run sees hundreds of thousands of webhooks, and in
//! the end it matters only whether two of them are equal.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use dialects::hitpay::webhooks::signed;
use dialects::verify::{Delivery, Scheme, verify};
use domain::Secret;
use serde_json::Value;

use crate::receiver::subject;
use crate::tills::Credentials;

/// The headers that say something about an attempt; the others belong to the connection.
const TELLING: [&str; 13] = [
    "authorization",
    "content-type",
    "florin-attempt",
    "florin-delivery-id",
    "florin-event-type",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-ms-content-sha256",
    "x-ms-date",
    "x-signature",
    "x-vipps-authorization",
];

/// How somebody is signed to.
#[derive(Clone, Debug)]
pub struct Trust {
    /// By which rules.
    pub scheme: Scheme,
    /// With which secret.
    pub secret: Secret,
}

impl Trust {
    /// How a shop of a dialect is signed to that gives an address with each payment.
    pub fn of(dialect: &str, known: &Credentials) -> Trust {
        match dialect {
            "numipay" => Trust {
                scheme: Scheme::Numipay,
                secret: Secret::new(known.text("numipay", "signature_password").to_owned()),
            },
            _ => Trust {
                scheme: Scheme::HitpayCallback,
                secret: known.salt(),
            },
        }
    }

    /// Does everything that is signed in this message carry the right signature? Its date may be
    /// any: the sandbox's clock is moved.
    pub fn holds(&self, message: &Delivery) -> bool {
        verify(self.scheme, message, &self.secret, None).valid
    }
}

/// A digest of bytes.
pub fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// A digest of everything that an attempt says: of what came, or of what is recorded of it.
pub fn said(message: &Delivery) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in TELLING {
        message.header(name).hash(&mut hasher);
    }
    message.body.hash(&mut hasher);
    hasher.finish()
}

/// The body that goes out for one that is stored: HitPay's form carries its signature.
pub fn outgoing(scheme: &str, body: &str, salt: &Secret) -> u64 {
    match scheme {
        "hitpay" => digest(signed(body, salt).as_bytes()),
        _ => digest(body.as_bytes()),
    }
}

/// What a webhook is called. Our own header goes first: what Vipps calls `webhook-id` is the id
/// of the endpoint.
pub fn name(message: &Delivery) -> String {
    let header = message.header("florin-delivery-id");
    let header = header.or_else(|| message.header("webhook-id"));
    match header {
        Some(id) => id.to_owned(),
        None => named_in(&message.body).unwrap_or_default(),
    }
}

/// What its body alone calls it: HitPay says the payment request, of which there is one webhook,
/// Numipay the transaction and its status.
pub fn named_in(body: &[u8]) -> Option<String> {
    if let Some(request) = subject(body) {
        return std::str::from_utf8(request).ok().map(str::to_owned);
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let (id, status) = (text("transaction_id")?, text("status")?);
    Some(format!("{id} {status}"))
}

/// The headers of a recorded attempt, as they are stored, with its body.
pub fn recorded(headers: &str, body: String) -> Delivery {
    Delivery {
        headers: serde_json::from_str(headers).unwrap_or_default(),
        body: body.into_bytes(),
        ..Delivery::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"transaction_id":"t7","status":"pending"}"#;

    fn message(headers: &str, body: &str) -> Delivery {
        let raw = format!("POST /webhook HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}");
        Delivery::read(raw.as_bytes()).unwrap()
    }

    #[test]
    fn a_webhook_is_named_by_its_header_or_by_its_body() {
        let form = "a=b&payment_request_id=9";
        let own = "Webhook-Id: end\r\nFlorin-Delivery-Id: dlv_7\r\n";
        assert_eq!(name(&message(own, form)), "dlv_7");
        assert_eq!(name(&message("Webhook-Id: dlv_8\r\n", form)), "dlv_8");
        assert_eq!(name(&message("", form)), "9");
        assert_eq!(name(&message("", BODY)), "t7 pending");
        assert_eq!(name(&message("", "{}")), "");
    }

    #[test]
    fn a_signature_holds_for_the_bytes_that_were_signed_and_for_no_others() {
        let secret = Secret::new("password".to_owned());
        let signature = dialects::sign::numipay_signature(BODY.as_bytes(), &secret);
        let head = format!("x-signature: {signature}\r\n");
        let trust = Trust {
            scheme: Scheme::Numipay,
            secret,
        };
        assert!(trust.holds(&message(&head, BODY)));
        assert!(!trust.holds(&message(&head, &BODY.replace("pending", "successful"))));
        assert!(!trust.holds(&message("", BODY)));
        let other = Trust {
            secret: Secret::new("another".to_owned()),
            ..trust
        };
        assert!(!other.holds(&message(&head, BODY)));
    }

    #[test]
    fn a_record_says_what_came_only_if_all_of_it_is_equal() {
        let came = message("X-Signature: AB\r\nFlorin-Attempt: 2\r\n", BODY);
        let stored = |attempt: &str, body: &str| {
            let headers = format!(r#"[["x-signature","AB"],["florin-attempt","{attempt}"]]"#);
            said(&recorded(&headers, body.to_owned()))
        };
        assert_eq!(said(&came), stored("2", BODY));
        assert_ne!(said(&came), stored("3", BODY));
        assert_ne!(said(&came), stored("2", "{}"));
    }

    #[test]
    fn a_form_goes_out_with_its_signature_and_everything_else_as_it_is_stored() {
        let salt = Secret::new("salt".to_owned());
        assert_ne!(outgoing("hitpay", "a=b", &salt), digest(b"a=b"));
        assert_eq!(outgoing("numipay", BODY, &salt), digest(BODY.as_bytes()));
    }
}
