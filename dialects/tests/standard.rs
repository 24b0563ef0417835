//! Standard Webhooks from outside: bodies by golden files, headers, schedule.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use dialects::standard::{self, secret};
use dialects::verify::{Delivery, Scheme, verify};
use dialects::{Outgoing, Signing, Target, Unsignable};
use domain::bill::{BillHead, Payer};
use domain::card::Instrument;
use domain::delivery::WhenDead;
use domain::endpoint::{EndpointHead, EndpointState, Health, Pause, Topics};
use domain::payment::{Cause, Ended, PaymentHead, Sums};
use domain::payout::{Order, PayoutHead, Progress};
use domain::{
    About, Ask, Bill, BillId, BillState, Currency, Endpoint, EndpointId, Event, EventId, Fact,
    MerchantId, Mode, Money, Payment, PaymentId, PaymentState, Payout, PayoutId, PayoutState,
    Secret, Span, Timestamp, WireId,
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
        gift_card: None,
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
fn objects(fact: Fact) -> About {
    let at = NOW;
    let rejected = Ended::Rejected(cause());
    let (state, payment) = match fact {
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
        Fact::EndpointRegistered
        | Fact::EndpointTested
        | Fact::EndpointFailing
        | Fact::EndpointPaused
        | Fact::EndpointResumed
        | Fact::EndpointRemoved => return About::Endpoint(Box::new(endpoint(fact))),
        Fact::PayoutCreated
        | Fact::PayoutSubmitted
        | Fact::PayoutApproved
        | Fact::PayoutPaid
        | Fact::PayoutRejected
        | Fact::PayoutCancelled
        | Fact::PayoutExpired => return About::Payout(Box::new(payout(fact))),
    };
    About::Bill {
        bill: Box::new(bill(state)),
        payment: payment.map(Box::new),
    }
}

/// A payout as it is right after a fact.
fn payout(fact: Fact) -> Payout {
    let ask = ask();
    let head = PayoutHead {
        id: PayoutId::parse("out_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: WireId::new("r21nmrtpcmrcava").unwrap(),
        dialect: "numipay".to_owned(),
        merchant: MerchantId::parse("mer_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        mode: Mode::Test,
        created: Timestamp::from_millis(1_768_449_000_000),
        by: "key:0123456789abcdef".to_owned(),
    };
    let order = Order {
        amount: ask.amount,
        reference: ask.reference,
        purpose: ask.purpose,
        payee: ask.payer,
        methods: vec!["sim-bank".to_owned()],
        return_url: ask.return_url,
        notify_url: ask.notify_url,
        extras: ask.extras,
    };
    let (at, cause) = (NOW, cause());
    let state = match fact {
        Fact::PayoutCreated => PayoutState::AwaitingUser,
        Fact::PayoutSubmitted => PayoutState::AwaitingApproval,
        Fact::PayoutApproved => PayoutState::Processing,
        Fact::PayoutPaid => PayoutState::Paid { at },
        Fact::PayoutRejected => PayoutState::Rejected { at, cause },
        Fact::PayoutCancelled => PayoutState::Cancelled { at },
        _ => PayoutState::Expired { at },
    };
    let provider = (fact != Fact::PayoutCreated).then(|| "sim-bank".to_owned());
    let progress = Progress {
        provider,
        ..Progress::default()
    };
    Payout::restore(head, order, progress, (NOW, 2), state)
}

/// An endpoint as it is right after a fact.
fn endpoint(fact: Fact) -> Endpoint {
    let failing = Health {
        failures: 12,
        failing_since: Some(Timestamp::from_millis(1_768_000_000_000)),
        warned: None,
    };
    let (at, why) = (NOW, Pause::Failing);
    let (state, health) = match fact {
        Fact::EndpointFailing => (EndpointState::Active, failing),
        Fact::EndpointPaused => (EndpointState::Paused { at, why }, failing),
        Fact::EndpointRemoved => (EndpointState::Removed { at }, Health::default()),
        _ => (EndpointState::Active, Health::default()),
    };
    let bill = bill(BillState::Open);
    Endpoint {
        head: EndpointHead {
            id: EndpointId::parse("end_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
            wire: WireId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08").unwrap(),
            merchant: bill.head.merchant,
            mode: Mode::Test,
            scheme: "hitpay".to_owned(),
            created: bill.head.created,
        },
        url: "https://user:pass@shop.example.com:8443/hook/token=p?token=q".to_owned(),
        topics: Topics::All,
        label: Some("Order desk".to_owned()),
        extras: serde_json::Map::new(),
        state,
        health,
        version: 3,
    }
}

fn event(fact: Fact) -> Event {
    Event {
        id: EventId::parse("evt_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        at: NOW,
        fact,
        about: objects(fact),
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
        let body = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(body, format!("{}\n", made.body), "{file}");
        assert_eq!(made.topic, fact.as_str());
        assert_eq!(made.content_type, "application/json");
        assert_eq!(made.to, Target::Endpoints);
        assert_eq!(made.subject, event(fact).object());
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
        let (bill, payout) = (event(fact).bill().is_some(), event(fact).payout().is_some());
        assert_eq!(data["bill"]["amount"] == 49_950, bill);
        assert_eq!(data["payout"]["amount"] == 49_950, payout);
        let host = &data["endpoint"]["host"];
        assert_eq!(host == "shop.example.com", !bill && !payout);
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
    assert_eq!(signed(&[], 1, NOW), Err(Unsignable));
    assert_eq!(signed(&malformed[..1], 1, NOW), Err(Unsignable));
}

#[test]
fn each_attempt_has_the_same_id_and_a_time_and_signature_of_its_own() {
    let secrets = [secret::mint(&FIRST)];
    let later = NOW.plus(Span::from_seconds(3_600));
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
    assert!(rules.retry_after && rules.gone_ends && rules.jitter_percent > 0);
    assert_eq!(rules.dead_after, Some(Span::from_minutes(5 * 24 * 60)));
    assert_eq!(rules.when_dead, WhenDead::Pause);
}
