//! Fixed objects: one place, one sales unit, a payment in every state.

use dialects::Site;
use domain::bill::{BillHead, Payer};
use domain::call::EndpointView;
use domain::endpoint::{EndpointHead, EndpointState, Health};
use domain::payment::{Cause, Ended, PaymentHead, Sums};
use domain::reservation::{Step, StepKind};
use domain::{
    AccessToken, Ask, Bill, BillId, BillState, Currency, Endpoint, EndpointId, Merchant,
    MerchantId, Mode, Money, Payment, PaymentId, PaymentState, Reply, ReservationReply,
    ReservationView, Secret, Timestamp, Topics, WireId,
};
use http::Request;
use http::request::Parts;
use serde_json::json;

/// 2025-05-31T17:29:23.358Z, the time of the first captured delivery.
pub const NOW: Timestamp = Timestamp::from_millis(1_748_712_563_358);

const TOKEN: &str = "0197272d5c9e7d12a1b2c3d4e5f60718aabbccddeeff";
pub const REFERENCE: &str = "inv-8-attempt-2";

pub fn site() -> Site {
    Site::sandbox("https://pay.example.com")
}

pub fn head(method: &str, target: &str) -> Parts {
    let request = Request::builder().method(method).uri(target);
    request.body(()).unwrap().into_parts().0
}

pub fn nok(minor: i64) -> Money {
    Money::from_minor(minor, Currency::parse("NOK").unwrap()).unwrap()
}

pub fn wire(text: &str) -> WireId {
    WireId::new(text).unwrap()
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + seconds * 1_000)
}

/// What the captured delivery was made of.
pub fn ask() -> Ask {
    let extras = json!({"msn": "373370", "userFlow": "WEB_REDIRECT"});
    Ask {
        amount: nok(12_100),
        expires: Some(later(600)),
        repeatable: false,
        reference: Some(REFERENCE.to_owned()),
        purpose: Some("Two tickets".to_owned()),
        payer: Payer {
            phone: Some("4791234567".to_owned()),
            ..Payer::default()
        },
        methods: vec!["wallet".to_owned()],
        return_url: Some("https://shop.example.com/back?order=8".to_owned()),
        notify_url: None,
        extras: extras.as_object().unwrap().clone(),
    }
}

pub fn view(ask: Ask, state: PaymentState) -> ReservationView {
    let merchant = Merchant {
        id: MerchantId::parse("mer_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        name: "Demo Shop".to_owned(),
        slug: "demo-shop".to_owned(),
        currency: Currency::parse("NOK").unwrap(),
    };
    let head = BillHead {
        id: BillId::parse("bil_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: wire(TOKEN),
        dialect: "vipps".to_owned(),
        merchant: merchant.id.clone(),
        mode: Mode::Test,
        created: NOW,
    };
    let bill = Bill::restore(head, ask, NOW, 1, BillState::Open);
    let head = PaymentHead {
        id: PaymentId::parse("pay_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: wire("740e7483-c083-4b95-9246-a37299ad53b7"),
        bill: bill.head.id.clone(),
        merchant: merchant.id.clone(),
        mode: Mode::Test,
        amount: bill.ask.amount,
        method: "wallet".to_owned(),
        rail: "simulator".to_owned(),
        instrument: None,
        gift_card: None,
        created: NOW,
    };
    let payment = Payment::restore(head, NOW, 1, state.clone());
    let reserved = matches!(state, PaymentState::Authorized { .. });
    ReservationView {
        bill,
        merchant,
        payment,
        state,
        until: reserved.then(|| later(60 + 180 * 86_400)),
        phone: None,
        steps: Vec::new(),
    }
}

pub fn sums(captured: i64, released: i64, refunded: i64) -> PaymentState {
    PaymentState::Authorized {
        at: later(60),
        sums: Sums::restore(nok(12_100), nok(captured), nok(released), nok(refunded)).unwrap(),
    }
}

pub fn ended(how: Ended) -> PaymentState {
    PaymentState::Ended { at: later(65), how }
}

/// One step of every kind, and a try that was declined.
pub fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    let mut add = |kind, amount, key: Option<&str>, failure: Option<_>| {
        let number = u32::try_from(steps.len()).unwrap() + 1;
        let id = format!("740e7483-c083-4b95-9246-a37299ad53b{number:x}");
        let made = failure.is_none() && kind == StepKind::Authorized;
        steps.push(Step {
            number,
            kind,
            wire: wire(if number == 1 {
                "740e7483-c083-4b95-9246-a37299ad53b7"
            } else {
                &id
            }),
            amount: nok(amount),
            key: key.map(str::to_owned),
            failure,
            until: made.then(|| later(60 + 180 * 86_400)),
            at: later(i64::from(number - 1)),
        });
    };
    let no = Cause::new("insufficient_funds", "Insufficient funds");
    add(
        StepKind::Created,
        12_100,
        Some("683b3c72858e20.24358952"),
        None,
    );
    add(StepKind::Authorized, 12_100, None, Some(no));
    add(
        StepKind::Authorized,
        12_100,
        Some("683b3c72858e20.24358952"),
        None,
    );
    add(StepKind::Captured, 5_000, Some("1"), None);
    add(StepKind::Refunded, 1_000, Some("1"), None);
    add(StepKind::Released, 7_100, None, None);
    add(StepKind::Aborted, 12_100, None, None);
    add(StepKind::Expired, 12_100, None, None);
    add(StepKind::Cancelled, 12_100, Some("c"), None);
    steps
}

/// Replies with their names and the request they answer.
pub fn replies() -> Vec<(&'static str, &'static str, Reply)> {
    let mut all = vec![(
        "token",
        "POST /accesstoken/get",
        Reply::Token(AccessToken {
            text: "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl".to_owned(),
            issued: NOW,
            expires: later(3_600),
        }),
    )];
    all.extend(created());
    all.extend(shown());
    all.extend(changed());
    all.extend(registrations());
    all
}

fn registrations() -> Vec<(&'static str, &'static str, Reply)> {
    let endpoint = Endpoint {
        head: EndpointHead {
            id: EndpointId::parse("end_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
            wire: wire("497f6eca-6276-4993-bfeb-53cbbbba6f08"),
            merchant: MerchantId::parse("mer_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
            mode: Mode::Test,
            scheme: "vipps".to_owned(),
            created: NOW,
        },
        url: "https://shop.example.com/hook".to_owned(),
        topics: Topics::Some(vec![
            "epayments.payment.captured.v1".to_owned(),
            "user.checked-in.v1".to_owned(),
        ]),
        label: Some("Shop".to_owned()),
        extras: serde_json::Map::new(),
        state: EndpointState::Active,
        health: Health::default(),
        version: 1,
    };
    let secret = Some(Secret::new("A".repeat(86) + "=="));
    let view = EndpointView {
        endpoint,
        secret,
        doubles: 0,
    };
    vec![
        (
            "registered",
            "POST /webhooks/v1/webhooks",
            Reply::EndpointRegistered(Box::new(view.clone())),
        ),
        (
            "registration",
            "GET /webhooks/v1/webhooks/497f6eca-6276-4993-bfeb-53cbbbba6f08",
            Reply::Endpoint(Box::new(view.clone())),
        ),
        (
            "registrations",
            "GET /webhooks/v1/webhooks",
            Reply::Endpoints(vec![view.clone(), view]),
        ),
        (
            "registrations-none",
            "GET /webhooks/v1/webhooks",
            Reply::Endpoints(vec![]),
        ),
        (
            "unregistered",
            "DELETE /webhooks/v1/webhooks/497f6eca-6276-4993-bfeb-53cbbbba6f08",
            Reply::EndpointRemoved,
        ),
    ]
}

fn boxed(reply: ReservationReply) -> Reply {
    Reply::Reservation(Box::new(reply))
}

fn with(name: &str, value: serde_json::Value) -> Ask {
    let mut ask = ask();
    ask.extras.insert(name.to_owned(), value);
    ask
}

fn created() -> Vec<(&'static str, &'static str, Reply)> {
    let mut qr_text = with("qrFormat", json!("TEXT/TARGETURL"));
    qr_text.extras.insert("userFlow".to_owned(), json!("QR"));
    [
        ("created", ask()),
        ("created-push", with("userFlow", json!("PUSH_MESSAGE"))),
        ("created-native", with("userFlow", json!("NATIVE_REDIRECT"))),
        ("created-qr", with("userFlow", json!("QR"))),
        ("created-qr-text", qr_text),
    ]
    .map(|(name, ask)| {
        let view = view(ask, PaymentState::Pending);
        (
            name,
            "POST /epayment/v1/payments",
            boxed(ReservationReply::Created(view)),
        )
    })
    .into()
}

fn shown() -> Vec<(&'static str, &'static str, Reply)> {
    const ONE: &str = "GET /epayment/v1/payments/inv-8-attempt-2";
    let shown =
        |name, ask: Ask, state| (name, ONE, boxed(ReservationReply::Shown(view(ask, state))));
    let metadata = with("metadata", json!({"orderid": 12, "shop": "Café"}));
    let scope = with("scope", json!("name address email phoneNumber birthDate"));
    let mut express = with("scope", json!("name address email phoneNumber"));
    express.extras.insert(
        "shipping".to_owned(),
        json!({"fixedOptions": [
            {"id": "a"},
            {"id": "b", "isDefault": true, "amount": {"currency": "NOK", "value": 900}},
        ]}),
    );
    express
        .extras
        .insert(dialects::CHOSEN.to_owned(), json!("b"));
    let mut log = view(ask(), sums(5_000, 7_100, 1_000));
    log.steps = steps();
    vec![
        shown("shown-created", metadata, PaymentState::Pending),
        shown("shown-authorized", ask(), sums(0, 0, 0)),
        shown("shown-captured", ask(), sums(10_000, 0, 0)),
        shown("shown-refunded", ask(), sums(5_000, 7_100, 1_000)),
        shown("shown-aborted", ask(), ended(Ended::Aborted)),
        shown("shown-expired", ask(), ended(Ended::Expired)),
        shown("shown-terminated", ask(), ended(Ended::Cancelled)),
        shown("shown-profile", scope, sums(0, 0, 0)),
        shown("shown-express", express, sums(0, 0, 0)),
        (
            "log",
            "GET /epayment/v1/payments/inv-8-attempt-2/events",
            boxed(ReservationReply::Log(log)),
        ),
    ]
}

fn changed() -> Vec<(&'static str, &'static str, Reply)> {
    let changed = |state| boxed(ReservationReply::Changed(view(ask(), state)));
    vec![
        (
            "captured",
            "POST /epayment/v1/payments/inv-8-attempt-2/capture",
            changed(sums(5_000, 0, 0)),
        ),
        (
            "refunded",
            "POST /epayment/v1/payments/inv-8-attempt-2/refund",
            changed(sums(5_000, 0, 1_000)),
        ),
        (
            "cancelled",
            "POST /epayment/v1/payments/inv-8-attempt-2/cancel",
            changed(sums(0, 12_100, 0)),
        ),
        (
            "terminated",
            "POST /epayment/v1/payments/inv-8-attempt-2/cancel",
            changed(ended(Ended::Cancelled)),
        ),
        (
            "approved",
            "POST /epayment/v1/test/payments/inv-8-attempt-2/approve",
            boxed(ReservationReply::Approved),
        ),
    ]
}
