//! Standard Webhooks from outside: bodies by golden files, headers, schedule.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use dialects::standard::{self, secret};
use dialects::verify::{Delivery, Scheme, verify};
use dialects::{Outgoing, Signing, Unsignable};
use domain::bill::{BillHead, Payer};
use domain::card::Instrument;
use domain::endpoint::{EndpointHead, Health, Pause};
use domain::payment::{Cause, Ended, PaymentHead, Sums};
use domain::{
    About, Ask, Bill, BillId, BillState, Currency, Endpoint, EndpointId, EndpointState, Event,
    EventId, Fact, MerchantId, Mode, Money, Payment, PaymentId, PaymentState, Secret, Timestamp,
    Topics, WireId,
};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_768_449_600_123);

fn money(text: &str) -> Money {
    Money::parse(text, Currency::parse("NOK").unwrap()).unwrap()
}

fn cause() -> Cause {
    Cause::new("insufficient_funds", "Insufficient funds")
}

fn ask() -> Ask {
    Ask {
        amount: money("499.50"),
        expires: Some(Timestamp::from_millis(1_768_536_000_000)),
        repeatable: false,
        reference: Some("Café & Co \"1\"".to_owned()),
        purpose: Some("Two tickets".to_owned()),
        payer: Payer {
            name: Some("Kari Nordmann".to_owned()),
            email: Some("kari@example.com".to_owned()),
            phone: Some("+4791234567".to_owned()),
        },
        methods: vec!["card".to_owned()],
        return_url: Some("https://shop.example.com/return?token=r".to_owned()),
        notify_url: Some("https://shop.example.com/hook?token=n".to_owned()),
        extras: json!({"metadata": {"key": "an extra"}})
            .as_object()
            .unwrap()
            .clone(),
    }
}

fn bill(state: BillState) -> Bill {
    let head = BillHead {
        id: BillId::parse("bil_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: WireId::new("9ef68e2e-3569-4f69-9f68-04c7e4bb007c").unwrap(),
        dialect: "hitpay".to_owned(),
        merchant: MerchantId::parse("mer_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        mode: Mode::Test,
        created: Timestamp::from_millis(1_768_449_000_000),
    };
    Bill::restore(head, ask(), NOW, 2, state)
}

fn payment(state: PaymentState) -> Payment {
    let bill = bill(BillState::Open);
    let head = PaymentHead {
        id: PaymentId::parse("pay_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: WireId::new("9ef6957e-6b1b-4e08-8cde-d5f5c908418d").unwrap(),
        bill: bill.head.id,
        merchant: bill.head.merchant,
        mode: Mode::Test,
        amount: money("499.50"),
        method: "card".to_owned(),
        rail: "simulator".to_owned(),
        instrument: Some(Instrument {
            brand: "visa".to_owned(),
            first6: "424242".to_owned(),
            last4: "4242".to_owned(),
            expiry: "12/30".to_owned(),
        }),
        created: Timestamp::from_millis(1_768_449_500_000),
    };
    Payment::restore(head, NOW, 3, state)
}

fn moved(captured: &str, released: &str, refunded: &str) -> Option<Payment> {
    let sums = Sums::restore(
        money("499.50"),
        money(captured),
        money(released),
        money(refunded),
    );
    let sums = sums.unwrap();
    Some(payment(PaymentState::Authorized { at: NOW, sums }))
}

/// The objects as they are right after a fact.
fn objects(fact: Fact) -> (BillState, Option<Payment>) {
    let at = NOW;
    let rejected = Ended::Rejected(cause());
    match fact {
        Fact::BillCreated | Fact::BillChanged => (BillState::Open, None),
        Fact::BillPaid => (BillState::Paid { at }, moved("499.50", "0", "0")),
        Fact::BillFailed => (
            BillState::Failed { at, cause: cause() },
            Some(payment(PaymentState::Ended { at, how: rejected })),
        ),
        Fact::BillExpired => (BillState::Expired { at }, None),
        Fact::BillWithdrawn => (BillState::Withdrawn { at }, None),
        Fact::PaymentAuthorized => (BillState::Open, moved("0", "0", "0")),
        Fact::PaymentCaptured => (BillState::Paid { at }, moved("100.05", "0", "0")),
        Fact::PaymentReleased => (BillState::Paid { at }, moved("100.05", "399.45", "0")),
        Fact::PaymentRefunded => (BillState::Paid { at }, moved("100.05", "399.45", "0.05")),
        Fact::PaymentEnded => (
            BillState::Open,
            Some(payment(PaymentState::Ended { at, how: rejected })),
        ),
        other => unreachable!("{other:?} is not about a bill"),
    }
}

/// The endpoint as it is right after a fact about it.
fn endpoint(fact: Fact) -> Endpoint {
    let head = EndpointHead {
        id: EndpointId::parse("end_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: WireId::new("019bc01e-3c00-7a3b-b7c2-d1e0f9a8b7c6").unwrap(),
        merchant: MerchantId::parse("mer_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        mode: Mode::Test,
        scheme: "standard".to_owned(),
        created: Timestamp::from_millis(1_768_449_000_000),
    };
    let at = NOW;
    let (state, failures) = match fact {
        Fact::EndpointFailing => (EndpointState::Active, 9),
        Fact::EndpointPaused => {
            let why = Pause::Failing;
            (EndpointState::Paused { at, why }, 10)
        }
        Fact::EndpointRemoved => (EndpointState::Removed { at }, 0),
        _ => (EndpointState::Active, 0),
    };
    Endpoint {
        head,
        url: "https://shop.example.com/events".to_owned(),
        topics: Topics::All,
        label: Some("Warehouse".to_owned()),
        extras: serde_json::Map::new(),
        state,
        health: Health {
            failures,
            failing_since: (failures > 0).then_some(Timestamp::from_millis(1_768_400_000_000)),
            warned: None,
        },
        version: 2,
    }
}

fn event(fact: Fact) -> Event {
    let about = if fact.as_str().starts_with("endpoint.") {
        About::Endpoint(Box::new(endpoint(fact)))
    } else {
        let (state, payment) = objects(fact);
        About::Bill {
            bill: Box::new(bill(state)),
            payment: payment.map(Box::new),
        }
    };
    Event {
        id: EventId::parse("evt_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        at: NOW,
        fact,
        about,
    }
}

fn golden() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/standard/golden")
}

#[test]
fn the_body_of_every_fact_is_the_golden_one() {
    let mut wanted: Vec<String> = Vec::new();
    for fact in Fact::ALL {
        let made = standard::bodies(&event(fact)).unwrap();
        let file = format!("{}.json", fact.as_str().replace('.', "-"));
        let path = golden().join(&file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, format!("{}\n", made.body)).unwrap();
        }
        let body = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(body, format!("{}\n", made.body), "{file}");
        assert_eq!(made.topic, fact.as_str());
        assert_eq!(made.content_type, "application/json");
        assert_eq!(made.subject, event(fact).object());
        assert_eq!(made.to, dialects::Target::Endpoints);

        wanted.push(file);
    }
    let mut there: Vec<String> = fs::read_dir(golden())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    wanted.sort();
    there.sort();
    assert_eq!(there, wanted, "a golden file without a fact");
}

#[test]
fn a_body_tells_what_a_shop_needs_and_nothing_secret() {
    for fact in Fact::ALL {
        let body = standard::bodies(&event(fact)).unwrap().body;
        for kept in [
            "4242424242424242",
            "token=",
            "an extra",
            "Kari",
            "kari@",
            "+4791234567",
        ] {
            assert!(!body.contains(kept), "{fact:?}: {kept}");
        }
        let json: Value = serde_json::from_str(&body).unwrap();
        let members: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(members, ["type", "timestamp", "data"]);
        assert_eq!(json["timestamp"], "2026-01-15T04:00:00.123Z");
        let data = &json["data"];
        assert!(data["bill"]["amount"] == 49_950 || data["endpoint"]["url"].is_string());
        assert!(
            body.len() < 20_000,
            "the specification asks for small bodies"
        );
    }
    let json: Value = serde_json::from_str(
        &standard::bodies(&event(Fact::PaymentRefunded))
            .unwrap()
            .body,
    )
    .unwrap();
    let payment = &json["data"]["payment"];
    let sums = ["authorized", "captured", "released", "refunded"].map(|name| &payment[name]);
    assert_eq!(sums, [49_950, 10_005, 39_945, 5]);
}

const FIRST: [u8; 32] = [1; 32];
const SECOND: [u8; 32] = [2; 32];

fn attempt(secrets: &[Secret], number: u32, now: Timestamp) -> Outgoing {
    signed(secrets, number, now).unwrap()
}

fn signed(secrets: &[Secret], number: u32, now: Timestamp) -> Result<Outgoing, Unsignable> {
    let body = standard::bodies(&event(Fact::BillPaid)).unwrap().body;
    standard::sign(&Signing {
        secrets,
        url: "https://shop.example.com/hook",
        endpoint: Some("end_1"),
        delivery: "dlv_019bc01e3c007a3bb7c2d1e0f9a8b7c6",
        topic: "bill.paid",
        attempt: number,
        body: &body,
        now,
    })
}

fn genuine(sent: &Outgoing, secret: &Secret, now: Timestamp) -> bool {
    let delivery = Delivery {
        headers: sent.headers.clone(),
        body: sent.body.clone().into_bytes(),
        ..Delivery::default()
    };
    let verdict = verify(Scheme::Standard, &delivery, secret, Some(now));
    verdict.valid && verdict.warnings.is_empty()
}

#[test]
fn while_a_secret_is_replaced_both_verify() {
    let (new, old) = (secret::mint(&SECOND), secret::mint(&FIRST));
    let other = secret::mint(&[3; 32]);
    let both = [new.clone(), old.clone()];
    let sent = attempt(&both, 1, NOW);
    assert!(genuine(&sent, &new, NOW) && genuine(&sent, &old, NOW));
    assert!(!genuine(&sent, &other, NOW));
    let names: Vec<&str> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["webhook-id", "webhook-timestamp", "webhook-signature"]
    );
    let signatures: Vec<&str> = sent.headers[2].1.split(' ').collect();
    assert_eq!(signatures.len(), 2);
    assert!(
        signatures
            .iter()
            .all(|one| one.starts_with("v1,") && one.len() == 47)
    );
    let alone = attempt(&both[..1], 1, NOW);
    assert_eq!(alone.headers[2].1, signatures[0], "the newest first");
    assert!(!genuine(&alone, &old, NOW));
    let malformed = [Secret::new("a salt".to_owned()), new.clone()];
    assert_eq!(attempt(&malformed, 1, NOW).headers[2].1, signatures[0]);
    assert_eq!(signed(&[], 1, NOW), Err(Unsignable), "never sent unsigned");
}

#[test]
fn each_attempt_has_the_same_id_and_a_time_and_signature_of_its_own() {
    let secrets = [secret::mint(&FIRST)];
    let later = NOW.plus(domain::Span::from_seconds(3_600));
    let (first, second) = (attempt(&secrets, 1, NOW), attempt(&secrets, 2, later));
    assert_eq!(first.body, second.body);
    assert_eq!(first.headers[0], second.headers[0]);
    assert_eq!(first.headers[1].1, "1768449600", "whole seconds");
    assert_eq!(second.headers[1].1, "1768453200");
    assert_ne!(first.headers[2], second.headers[2]);
    assert!(genuine(&second, &secrets[0], later));
    assert!(!genuine(&first, &secrets[0], later), "too old by then");
}

#[test]
fn ten_attempts_within_a_day() {
    let rules = standard::delivery();
    let seconds: Vec<u64> = rules
        .retries
        .iter()
        .map(|span| span.millis() / 1_000)
        .collect();
    let hours = [2, 5, 10, 14, 20, 24].map(|hours| hours * 3_600);
    assert_eq!(seconds[..3], [5, 300, 1_800]);
    assert_eq!(seconds[3..], hours);
    assert_eq!(rules.timeout.millis(), 20_000);
    http::HeaderValue::from_str(&rules.user_agent).unwrap();
}
