//! What every dialect must satisfy, run over all of them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "conformance/fixtures.rs"]
mod fixtures;
#[path = "conformance/golden.rs"]
mod golden;
#[path = "conformance/openapi.rs"]
mod openapi;
#[path = "conformance/vectors.rs"]
mod vectors;

use dialects::hitpay::{HitPay, Options, webhooks};
use dialects::{ALL, Dialect, Kind, PageOutcome, Site, Target, by_name, owner};
use domain::limits::BODY_MAX;
use domain::{About, Call, Credential, Currency, Money, Refusal, Reply, Secret, Seed, WireId};
use http::{HeaderValue, Request};
use proptest::prelude::*;
use serde_json::Value;

const COLLECTION: &str = "/v1/payment-requests";

fn seed(byte: u8) -> Seed {
    Seed::new([byte; 32])
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn profiles_are_sound() {
    for dialect in ALL {
        let profile = dialect.profile();
        assert!(std::ptr::eq(
            by_name(profile.name).unwrap().profile(),
            profile
        ));
        assert!(profile.body_max <= BODY_MAX);
        for prefix in profile.prefixes {
            assert!(prefix.starts_with('/') && !prefix.ends_with('/'));
            assert_eq!(owner(prefix).unwrap().profile().name, profile.name);
            assert_eq!(
                owner(&format!("{prefix}/x")).unwrap().profile().name,
                profile.name
            );
            assert!(owner(&format!("{prefix}x")).is_none(), "{prefix}x");
        }
    }
    assert!(by_name("nobody").is_none());
    assert!(owner("/").is_none());
    assert!(owner("/webhooks").is_none());
}

#[test]
fn every_refusal_has_an_answer_without_internals() {
    for dialect in fixtures::SHAPED {
        for refusal in Refusal::examples() {
            for path in [
                COLLECTION,
                "/v1/payment-requests/x",
                "/v1",
                "/payment-request/@x/y",
            ] {
                let head = fixtures::head("POST", path);
                let response = dialect.refuse(&fixtures::site(), &head, &refusal);
                let status = response.status();
                assert!(
                    status.is_client_error() || status == 503,
                    "{refusal:?}: {status}"
                );
                assert_eq!(response.headers()["content-type"], "application/json");
                let body = json(response.body());
                let message = body["message"].as_str().unwrap();
                assert!(!message.is_empty() && !message.ends_with('!'));
                let text = String::from_utf8(response.body().clone())
                    .unwrap()
                    .to_lowercase();
                for internal in [
                    "panic", "sql", "rust", "bil_", "pay_", "mer_", "domain", "::",
                ] {
                    assert!(!text.contains(internal), "{refusal:?}: {text}");
                }
                let waits = response.headers().contains_key("retry-after");
                assert_eq!(waits, status == 503 || status == 429, "{refusal:?}");
            }
        }
    }
}

#[test]
fn every_event_gives_bodies_that_verify_or_none() {
    let salt = Secret::new("a salt".to_owned());
    let mut bodies = 0;
    for dialect in fixtures::SHAPED {
        for event in fixtures::events() {
            for hook in dialect.webhooks(&event) {
                bodies += 1;
                let bill = event.bill().unwrap();
                let url = bill.ask.notify_url.clone().unwrap();
                assert_eq!(hook.to, Target::Url(url));
                assert_eq!(hook.subject, bill.head.wire.as_str());
                assert!(!hook.topic.is_empty());
                let sent = fixtures::sign(*dialect, &salt, &hook.body);
                assert_eq!(sent, fixtures::sign(*dialect, &salt, &hook.body));
                assert!(webhooks::verify(&sent.body, &salt).valid);
                let other = Secret::new("another salt".to_owned());
                assert!(!webhooks::verify(&sent.body, &other).valid);
            }
        }
    }
    assert_eq!(
        bodies, 4,
        "paid and failed, each with and without a payment"
    );
}

#[test]
fn a_callback_has_exactly_its_eight_fields() {
    let salt = Secret::new("salt".to_owned());
    for event in fixtures::events() {
        for hook in HitPay.webhooks(&event) {
            let sent = fixtures::sign(&HitPay, &salt, &hook.body);
            let pairs: Vec<(String, String)> = form_urlencoded::parse(sent.body.as_bytes())
                .into_owned()
                .collect();
            let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(
                names,
                [
                    "payment_id",
                    "payment_request_id",
                    "phone",
                    "amount",
                    "currency",
                    "status",
                    "reference_number",
                    "hmac"
                ]
            );
            assert_eq!(pairs[2].1, "+6591234567");
            assert_eq!(pairs[3].1, "900000.00", "no comma");
            assert_eq!(pairs[4].1, "SGD", "upper case");
        }
    }
}

#[test]
fn delivery_is_six_attempts_in_six_hours() {
    let rules = HitPay.delivery();
    let minutes: Vec<u64> = rules
        .retries
        .iter()
        .map(|span| span.millis() / 60_000)
        .collect();
    assert_eq!(minutes, [1, 5, 30, 120, 360]);
    assert_eq!(rules.timeout.millis(), 30_000);
    HeaderValue::from_str(&rules.user_agent).unwrap();
}

#[test]
fn minted_ids_can_be_read_back() {
    for dialect in fixtures::SHAPED {
        let bill = dialect.mint(Kind::Bill, fixtures::NOW, &seed(1));
        assert_eq!(
            bill,
            dialect.mint(Kind::Bill, fixtures::NOW, &seed(1)),
            "same seed, same id"
        );
        assert_ne!(bill, dialect.mint(Kind::Bill, fixtures::NOW, &seed(2)));
        assert_ne!(bill, dialect.mint(Kind::Payment, fixtures::NOW, &seed(1)));
        let later = dialect.mint(Kind::Bill, fixtures::later(1), &seed(1));
        assert!(bill.as_str() < later.as_str(), "ordered by time");
        let head = fixtures::head("GET", &format!("{COLLECTION}/{bill}"));
        let incoming = dialect
            .decode(&fixtures::site(), fixtures::NOW, &head, b"")
            .unwrap();
        assert_eq!(incoming.call, Call::ShowBill(bill));
    }
}

#[test]
fn credentials() {
    let credential = |value: Option<&[u8]>| {
        let mut request = Request::builder().uri(COLLECTION);
        if let Some(value) = value {
            request = request.header(
                "X-BUSINESS-API-KEY",
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        HitPay.credential(&request.body(()).unwrap().into_parts().0, b"")
    };
    let key = Credential::Key(Secret::new("meowmeowmeow".to_owned()));
    assert_eq!(credential(Some(b"meowmeowmeow")), Ok(key));
    for value in [None, Some(&b""[..]), Some(b"  "), Some(b"\xff\xfe")] {
        assert_eq!(credential(value), Err(Refusal::Unauthenticated));
    }
    let both = Request::builder()
        .header("x-business-api-key", "k")
        .header("x-platform-key", "p");
    let both = both.body(()).unwrap().into_parts().0;
    assert_eq!(HitPay.credential(&both, b""), Err(Refusal::Unauthenticated));
    assert!(!format!("{:?}", credential(Some(b"meowmeowmeow"))).contains("meow"));
}

#[test]
fn options_change_what_they_say() {
    let head = fixtures::head("GET", COLLECTION);
    for (given, served) in [(401, 401), (403, 403), (404, 404), (200, 401), (0, 401)] {
        let hitpay = Options {
            bad_key_status: given,
            ..Options::default()
        };
        let site = Site {
            hitpay,
            ..fixtures::site()
        };
        let response = HitPay.refuse(&site, &head, &Refusal::Unauthenticated);
        assert_eq!(response.status(), served);
        assert_eq!(
            response.body(),
            br#"{"message":"Invalid business api key"}"#
        );
    }
    let hitpay = Options {
        thousands_commas: true,
        ..Options::default()
    };
    let site = Site {
        hitpay,
        ..fixtures::site()
    };
    let view = fixtures::view(fixtures::full(), domain::BillState::Open, vec![]);
    let response = HitPay.encode(&site, &head, &Reply::BillCreated(Box::new(view)));
    assert_eq!(json(response.body())["amount"], "900,000.00");
    let create = |options: Options, body: &str| {
        let site = Site {
            hitpay: options,
            ..fixtures::site()
        };
        let head = fixtures::head("POST", COLLECTION);
        HitPay.decode(&site, fixtures::NOW, &head, body.as_bytes())
    };
    let least = Options {
        least_amount: 5_000,
        ..Options::default()
    };
    assert!(create(least.clone(), "amount=0.50&currency=SGD").is_ok());
    let Err(Refusal::Invalid(problems)) = create(least, "amount=0.49&currency=SGD") else {
        panic!()
    };
    assert_eq!(
        problems[0].message,
        "The amount must be between 0.5 and 999999999.99."
    );
    let short = Options {
        name_max: 2,
        phone_max: 3,
        webhook_max: 25,
        ..Options::default()
    };
    let body = "amount=1&currency=SGD&name=abc&phone=1234&webhook=https://example.com/12345678";
    let Err(Refusal::Invalid(problems)) = create(short, body) else {
        panic!()
    };
    let fields: Vec<&str> = problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert_eq!(fields, ["name", "phone", "webhook"]);
}

#[test]
fn too_much_of_anything_is_refused() {
    let create = |body: &[u8]| {
        let head = fixtures::head("POST", COLLECTION);
        HitPay.decode(&fixtures::site(), fixtures::NOW, &head, body)
    };
    let fields: Vec<String> = (0..10_000).map(|n| format!("metadata[k{n}]=v")).collect();
    let form = format!("amount=1&currency=SGD&{}", fields.join("&"));
    assert!(matches!(
        create(form.as_bytes()),
        Err(Refusal::Unreadable(_))
    ));
    let fields: Vec<String> = (0..10_000).map(|n| format!("\"k{n}\":1")).collect();
    let object = format!("{{{}}}", fields.join(","));
    assert!(matches!(
        create(object.as_bytes()),
        Err(Refusal::Unreadable(_))
    ));
    let deep = format!(
        "{{\"metadata\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(matches!(
        create(deep.as_bytes()),
        Err(Refusal::Unreadable(_))
    ));
    let deep = format!("metadata{}=1", "[a]".repeat(50_000));
    assert!(matches!(
        create(deep.as_bytes()),
        Err(Refusal::Unreadable(_))
    ));
    assert!(matches!(
        create(b"amount=1&name=\xff"),
        Err(Refusal::Unreadable(_))
    ));
    // Fifty pairs of the longest values in four-byte characters pass 64 KiB.
    let value = "😀".repeat(500);
    let fields: Vec<String> = (0..50).map(|n| format!("\"k{n}\":\"{value}\"")).collect();
    let body = format!(
        "{{\"amount\":1,\"currency\":\"SGD\",\"metadata\":{{{}}}}}",
        fields.join(",")
    );
    let Err(Refusal::Invalid(problems)) = create(body.as_bytes()) else {
        panic!()
    };
    assert_eq!(
        problems[0].message,
        "The metadata may not be greater than 65536 bytes in all."
    );
    let Err(Refusal::NotFound(_, id)) = HitPay.decode(
        &fixtures::site(),
        fixtures::NOW,
        &fixtures::head("GET", &format!("{COLLECTION}/{}", "a".repeat(300))),
        b"",
    ) else {
        panic!()
    };
    assert_eq!(id.len(), 64);
}

#[test]
fn where_the_payer_goes_afterwards() {
    let id = "9ef68e2e-3569-4f69-9f68-04c7e4bb007c";
    let back = |url: Option<&str>, outcome| {
        let mut ask = fixtures::bare(fixtures::money("1.00", "SGD"));
        ask.return_url = url.map(str::to_owned);
        HitPay.return_url(
            &fixtures::view(ask, domain::BillState::Open, vec![]),
            outcome,
        )
    };
    assert_eq!(back(None, PageOutcome::Paid), None);
    for (url, expected) in [
        ("https://a.example", "https://a.example?"),
        ("https://a.example/x", "https://a.example/x?"),
        ("https://a.example/?", "https://a.example/?"),
        (
            "https://a.example/?wc-api=x&id=12",
            "https://a.example/?wc-api=x&id=12&",
        ),
        ("https://a.example/?a=1&", "https://a.example/?a=1&"),
        (
            "https://a.example/é?b=ü",
            "https://a.example/%C3%A9?b=%C3%BC&",
        ),
    ] {
        let paid = format!("{expected}reference={id}&status=completed");
        assert_eq!(back(Some(url), PageOutcome::Paid), Some(paid), "{url}");
        let left = format!("{expected}reference={id}&status=canceled#/done?x=1");
        let url = format!("{url}#/done?x=1");
        assert_eq!(
            back(Some(&url), PageOutcome::Cancelled),
            Some(left),
            "{url}"
        );
    }
    let view = fixtures::view(fixtures::full(), domain::BillState::Open, vec![]);
    assert_eq!(
        HitPay.page_path(&fixtures::site(), &view),
        format!("/payment-request/@demo-shop/{id}/checkout")
    );
    assert_eq!(
        owner(&HitPay.page_path(&fixtures::site(), &view))
            .unwrap()
            .profile()
            .name,
        "hitpay"
    );
}

/// The keys that a deployed client reads without asking whether they are there.
const CLASSIC: [&str; 21] = [
    "id",
    "name",
    "email",
    "phone",
    "amount",
    "currency",
    "status",
    "purpose",
    "reference_number",
    "payment_methods",
    "url",
    "redirect_url",
    "webhook",
    "send_sms",
    "send_email",
    "sms_status",
    "email_status",
    "allow_repeated_payments",
    "expiry_date",
    "created_at",
    "updated_at",
];

#[test]
fn every_answer_has_the_classic_keys_and_no_message() {
    for (name, request, reply) in fixtures::replies() {
        let (method, target) = request.split_once(' ').unwrap();
        let response = HitPay.encode(&fixtures::site(), &fixtures::head(method, target), &reply);
        let body = json(response.body());
        assert!(body.get("message").is_none() && body.get("detail").is_none());
        let created = matches!(reply, Reply::BillCreated(_));
        assert_eq!(response.status(), if created { 201 } else { 200 }, "{name}");
        let objects = match body.get("data") {
            Some(data) => data.as_array().unwrap().clone(),
            None if body.get("success").is_some() => vec![],
            None => vec![body],
        };
        for object in objects {
            for key in CLASSIC {
                assert!(object.get(key).is_some(), "{name}: {key}");
            }
            assert_eq!(object.get("location").is_some(), !created, "{name}");
            assert_ne!(
                object.get("payments"),
                Some(&Value::Array(vec![])),
                "{name}"
            );
        }
    }
}

fn money() -> impl Strategy<Value = Money> {
    (
        30_i64..99_999_999_999,
        prop::sample::select(vec!["SGD", "JPY", "KWD", "USD"]),
    )
        .prop_map(|(minor, code)| {
            let currency = Currency::parse(code).unwrap();
            let minor = if code == "JPY" {
                minor / 100 + 1
            } else {
                minor.max(300)
            };
            Money::from_minor(minor, currency).unwrap()
        })
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        // Text that looks like what the readers know reaches further into them.
        "[{}\\[\\]\":,a-c0-9.eE+&=%\\\\ -]{0,120}".prop_map(String::into_bytes),
        concat!(
            "(amount|currency|metadata|address|payment_methods|expiry_date)",
            "(\\[[a-z0-9]{0,3}\\]){0,3}=.{0,20}(&[a-z_]{1,9}=.{0,9}){0,4}",
        )
        .prop_map(String::into_bytes),
        concat!(
            "\\{\"(amount|metadata|webhook|send_sms)\":",
            "(-?[0-9.eE]{1,9}|\"\\PC{0,20}\"|\\[.{0,9}\\]|true|\\{\\})\\}",
        )
        .prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn amounts_round_trip(money in money()) {
        let body = format!("amount={}&currency={}", money.fixed(), money.currency());
        let head = fixtures::head("POST", COLLECTION);
        let made = HitPay.decode(&fixtures::site(), fixtures::NOW, &head, body.as_bytes()).unwrap();
        let Call::CreateBill(ask) = made.call else { panic!() };
        prop_assert_eq!(ask.amount, money);
        let view = fixtures::view(*ask, domain::BillState::Open, vec![]);
        let response = HitPay.encode(&fixtures::site(), &head, &Reply::BillCreated(Box::new(view)));
        let body = json(response.body());
        let currency = Currency::parse(body["currency"].as_str().unwrap()).unwrap();
        prop_assert_eq!(Money::parse(body["amount"].as_str().unwrap(), currency), Ok(money));
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        method in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"]),
        target in prop_oneof![
            Just(COLLECTION.to_owned()),
            "/v1/payment-requests/[a-zA-Z0-9/%._~@!:-]{0,40}",
            concat!(
                "/v1/payment-requests\\?(per_page|page|status|metadata\\[a)?",
                "[a-zA-Z0-9/%._~&=+:\\[\\]-]{0,80}",
            ),
            "/[a-zA-Z0-9/%._~?&=-]{0,40}",
        ],
        header in prop::collection::vec(any::<u8>(), 0..300),
        content_type in prop::sample::select(vec!["", "application/json", "text/plain; x"]),
        body in any_bytes(),
    ) {
        let mut request = Request::builder().method(method).header("content-type", content_type);
        if let Ok(value) = HeaderValue::from_bytes(&header) {
            request = request.header("idempotency-key", value.clone());
            request = request.header("x-business-api-key", value);
        }
        // What is no request target never gets as far as a dialect.
        let Ok(request) = request.uri(target).body(()) else { return Ok(()) };
        let head = request.into_parts().0;
        for dialect in fixtures::SHAPED {
            let _ = dialect.credential(&head, &body);
            for insecure_targets in [true, false] {
                let site = Site { insecure_targets, ..fixtures::site() };
                if let Err(refusal) = dialect.decode(&site, fixtures::NOW, &head, &body) {
                    let response = dialect.refuse(&site, &head, &refusal);
                    prop_assert!(response.status().is_client_error());
                    prop_assert!(json(response.body())["message"].is_string());
                }
            }
        }
    }

    #[test]
    fn any_texts_are_signed_and_verify(
        reference in "\\PC{0,40}",
        phone in "\\PC{0,20}",
        salt in "\\PC{0,20}",
    ) {
        let salt = Secret::new(salt);
        for mut event in fixtures::events() {
            if let About::Bill { bill, .. } = &mut event.about {
                bill.ask.reference = Some(reference.clone());
                bill.ask.payer.phone = Some(phone.clone());
            }
            for hook in HitPay.webhooks(&event) {
                let sent = fixtures::sign(&HitPay, &salt, &hook.body);
                let check = webhooks::verify(&sent.body, &salt);
                prop_assert!(check.valid);
                let field = ("reference_number".to_owned(), reference.clone());
                prop_assert!(check.fields.contains(&field));
            }
        }
    }

    #[test]
    fn any_body_can_be_checked(body in "[ -~]{0,200}") {
        let _ = webhooks::verify(&body, &Secret::new("salt".to_owned()));
    }

    #[test]
    fn any_id_is_found_or_refused(id in "[a-zA-Z0-9%._~-]{1,300}") {
        let head = fixtures::head("GET", &format!("{COLLECTION}/{id}"));
        match HitPay.decode(&fixtures::site(), fixtures::NOW, &head, b"") {
            Ok(incoming) => {
                let shown = WireId::new(id.clone()).unwrap();
                let lower = WireId::new(id.to_lowercase()).unwrap();
                let expected = [Call::ShowBill(shown), Call::ShowBill(lower)];
                prop_assert!(expected.contains(&incoming.call));
            }
            Err(refusal) => prop_assert_eq!(refusal.name(), "not_found"),
        }
    }
}
