//! The published and computed vectors: signatures and bounds of amounts.

use dialects::hitpay::{HitPay, webhooks};
use dialects::{Dialect, sign};
use domain::{Call, Refusal, Secret};
use serde_json::Value;

use super::fixtures;

const WEBHOOKS: &str = include_str!("../vectors/hitpay-webhook-v1.json");
const MONEY: &str = include_str!("../vectors/money.json");

fn vectors(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn secret(vector: &Value) -> Secret {
    Secret::new(vector["salt"].as_str().unwrap().to_owned())
}

#[test]
fn every_callback_is_judged_as_the_vector_says() {
    let all = vectors(WEBHOOKS);
    assert!(all.len() >= 19);
    for vector in &all {
        let name = &vector["name"];
        let check = webhooks::verify(vector["form_body"].as_str().unwrap(), &secret(vector));
        assert_eq!(check.valid, vector["valid"].as_bool().unwrap(), "{name}");
        assert_eq!(check.received.as_deref(), vector["hmac"].as_str(), "{name}");
        if check.valid {
            assert_eq!(
                check.signed_text,
                vector["signed_text"].as_str().unwrap(),
                "{name}"
            );
            assert_eq!(check.expected, vector["hmac"].as_str().unwrap(), "{name}");
        }
    }
}

#[test]
fn signing_the_fields_gives_the_vectors_signature() {
    let mut valid = 0;
    for vector in vectors(WEBHOOKS) {
        if vector["valid"] != true {
            continue;
        }
        let mut form = form_urlencoded::Serializer::new(String::new());
        for field in vector["fields"].as_array().unwrap() {
            form.append_pair(field[0].as_str().unwrap(), field[1].as_str().unwrap());
        }
        let body = form.finish();
        let hmac = vector["hmac"].as_str().unwrap();
        assert_eq!(
            webhooks::signed_text(&body),
            vector["signed_text"].as_str().unwrap()
        );
        let sent = fixtures::sign(&HitPay, &secret(&vector), &body);
        assert_eq!(
            sent.body,
            format!("{body}&hmac={hmac}"),
            "{}",
            vector["name"]
        );
        assert!(webhooks::verify(&sent.body, &secret(&vector)).valid);
        valid += 1;
    }
    assert!(valid >= 11);
}

#[test]
fn a_wrong_text_under_the_right_salt_gives_the_wrong_vectors_signature() {
    // So each of them is wrong for the reason it gives, not by a slip.
    for vector in vectors(WEBHOOKS) {
        if vector["valid"] == true || vector["digest"] != "hmac-sha256" {
            continue;
        }
        let key = vector["signed_with"]
            .as_str()
            .or(vector["salt"].as_str())
            .unwrap();
        let text = vector["signed_text"].as_str().unwrap();
        let hmac = sign::hmac_sha256_hex(&Secret::new(key.to_owned()), text.as_bytes());
        assert_eq!(hmac, vector["hmac"].as_str().unwrap(), "{}", vector["name"]);
    }
}

#[test]
fn a_body_without_a_signature_or_with_another_case_is_refused() {
    let salt = Secret::new("salt".to_owned());
    let body = "amount=1.00&status=completed";
    assert!(!webhooks::verify(body, &salt).valid);
    assert!(!webhooks::verify(&format!("{body}&hmac="), &salt).valid);
    let signed = webhooks::signed(body, &salt);
    assert!(webhooks::verify(&signed, &salt).valid);
    let (text, hmac) = signed.split_once("hmac=").unwrap();
    assert!(!webhooks::verify(&format!("{text}hmac={}", hmac.to_uppercase()), &salt).valid);
    assert!(!webhooks::verify(&format!("{signed}&extra=1"), &salt).valid);
    assert_eq!(webhooks::signed("", &salt).len(), "hmac=".len() + 64);
    assert!(
        webhooks::verify(&webhooks::signed(&signed, &salt), &salt).valid,
        "signed twice"
    );
}

/// Every way to write the amount on the wire.
fn bodies(amount: &str, currency: &str) -> [String; 3] {
    [
        format!("amount={amount}&currency={currency}"),
        format!(r#"{{"amount":"{amount}","currency":"{currency}"}}"#),
        format!(r#"{{"amount":{amount},"currency":"{currency}"}}"#),
    ]
}

#[test]
fn bounds_of_amounts() {
    let mut seen = 0;
    for vector in vectors(MONEY) {
        if vector["kind"] != "limit" || vector["dialect"] != "hitpay" {
            continue;
        }
        seen += 1;
        let text = vector["text"].as_str().unwrap();
        for body in bodies(text, vector["currency"].as_str().unwrap()) {
            let head = fixtures::head("POST", "/v1/payment-requests");
            let made = HitPay.decode(&fixtures::site(), fixtures::NOW, &head, body.as_bytes());
            assert_eq!(made.is_ok(), vector["valid"].as_bool().unwrap(), "{body}");
            if let Err(Refusal::Invalid(problems)) = made {
                let expected = "The amount must be between 0.3 and 999999999.99.";
                assert_eq!(problems[0].message, expected);
            }
        }
    }
    assert!(seen >= 6);
}

/// The general vectors hold for a payment request too, where its own bounds allow the amount.
#[test]
fn amounts_are_read_as_the_vectors_say() {
    for vector in vectors(MONEY) {
        let token = vector["kind"] == "json-number";
        if !token && vector["kind"] != "parse" {
            continue;
        }
        let text = vector["text"].as_str().unwrap();
        let json = if token {
            text.to_owned()
        } else {
            serde_json::to_string(text).unwrap()
        };
        let currency = vector["currency"].as_str().unwrap();
        let body = format!(r#"{{"amount":{json},"currency":"{currency}"}}"#);
        let head = fixtures::head("POST", "/v1/payment-requests");
        let made = HitPay.decode(&fixtures::site(), fixtures::NOW, &head, body.as_bytes());
        match made {
            Ok(incoming) => {
                let Call::CreateBill(ask) = incoming.call else {
                    panic!()
                };
                assert_eq!(vector["valid"], true, "{body}");
                assert_eq!(Some(ask.amount.minor()), vector["minor"].as_i64(), "{body}");
            }
            Err(Refusal::Invalid(problems)) => {
                let bounds = problems[0]
                    .message
                    .starts_with("The amount must be between");
                assert!(bounds || vector["valid"] == false, "{body}: {problems:?}");
            }
            // A token such as `01` is no JSON at all.
            Err(Refusal::Unreadable(_)) => assert_eq!(vector["valid"], false, "{body}"),
            Err(other) => panic!("{body}: {other:?}"),
        }
    }
}
