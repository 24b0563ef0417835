//! Rules of the contract that are no single file.

use dialects::numipay::{self, Numipay, Options, replies};
use dialects::{Dialect, Kind, PageOutcome, Site, Target, owner};
use domain::transaction::{Flow, Standing};
use domain::{
    BillState, Call, Credential, Flaw, Mode, PayoutState, Refusal, Secret, Seed, TransactionCall,
};
use http::{HeaderValue, Request};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::fixtures::{self, NOW, later};

const VECTORS: &str = include_str!("../vectors/numipay-signature.json");

fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn the_reference_documents_worked_example() {
    let events = fixtures::events(None);
    let rejected = events
        .iter()
        .flat_map(|event| Numipay.webhooks(event))
        .find(|hook| hook.topic == "transaction.rejected" && hook.body.contains("withdrawal"))
        .unwrap();
    assert_eq!(
        rejected.body,
        "{\"transaction_id\":\"r21nmrtpcmrcava\",\"user_id\":\"1111222\",\"tracking_id\":\
         \"b8f04416-116a-11ed-861d-0242ac120002\",\"status\":\"rejected\",\"currency\":\"GBP\",\
         \"amount\":\"200.00\",\"transaction_type\":\"withdrawal\"}"
    );
    assert_eq!(rejected.body.len(), 196);
    let sent = fixtures::sign(fixtures::PASSWORD, &rejected.body);
    assert_eq!(
        sent.headers,
        [(
            "x-signature".to_owned(),
            "5FDDA8F46411C132DCFBEE53C39BA06298CB48BC".to_owned()
        )]
    );
    assert_eq!(sent.body, rejected.body);
}

#[test]
fn every_vector_is_signed_or_told_apart() {
    let document: Value = serde_json::from_str(VECTORS).unwrap();
    let vectors = document["vectors"].as_array().unwrap();
    assert!(vectors.len() > 10);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap_or_default();
        let sent = fixtures::sign(text("password"), text("body"));
        let same = sent.headers[0].1 == text("x_signature");
        assert_eq!(same, vector["valid"].as_bool().unwrap(), "{}", text("name"));
    }
}

#[test]
fn a_body_is_the_seven_texts_as_every_vector_has_them() {
    let document: Value = serde_json::from_str(VECTORS).unwrap();
    let mut compared = 0;
    for vector in document["vectors"].as_array().unwrap() {
        let Some(members) = vector["members"].as_array() else {
            continue;
        };
        let pairs: Vec<(&str, &Value)> = members
            .iter()
            .map(|pair| (pair[0].as_str().unwrap(), &pair[1]))
            .collect();
        let names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
        let seven = [
            "transaction_id",
            "user_id",
            "tracking_id",
            "status",
            "currency",
            "amount",
            "transaction_type",
        ];
        let text = |name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found
                .and_then(|(_, value)| value.as_str())
                .unwrap_or_default()
        };
        let statuses = ["pending", "successful", "rejected", "expired"];
        let known = statuses.into_iter().find(|word| *word == text("status"));
        let kinds = ["deposit", "withdrawal"];
        let kind = kinds
            .into_iter()
            .find(|word| *word == text("transaction_type"));
        let codes = ["EUR", "GBP", "USD", "JPY", "KWD", "NOK", "SGD"];
        let code = codes.into_iter().find(|word| *word == text("currency"));
        let (Some(status), Some(transaction_type), Some(currency)) = (known, kind, code) else {
            continue;
        };
        if names != seven || vector["valid"] != true {
            continue;
        }
        let made = replies::Seven {
            transaction_id: text("transaction_id"),
            user_id: text("user_id"),
            tracking_id: text("tracking_id"),
            status,
            currency,
            amount: text("amount").to_owned(),
            transaction_type,
        };
        assert_eq!(made.body(), vector["body"].as_str().unwrap());
        compared += 1;
    }
    assert!(compared >= 3, "{compared}");
}

#[test]
fn a_webhook_for_every_change_of_the_status_and_no_other() {
    let made = |notify: Option<&str>| -> Vec<(String, String, Target)> {
        fixtures::events(notify)
            .iter()
            .flat_map(|event| {
                let fact = event.fact.as_str().to_owned();
                let hooks = Numipay.webhooks(event);
                hooks
                    .into_iter()
                    .map(move |hook| (fact.clone(), hook.topic, hook.to))
            })
            .collect()
    };
    let told: Vec<(String, String)> = made(None)
        .into_iter()
        .map(|(fact, topic, to)| {
            assert_eq!(to, Target::Endpoints, "the account's address");
            (fact, topic)
        })
        .collect();
    let expected = [
        ("bill.created", "pending"),
        ("bill.paid", "successful"),
        ("bill.failed", "rejected"),
        ("bill.expired", "expired"),
        ("payout.created", "pending"),
        ("payout.paid", "successful"),
        ("payout.rejected", "rejected"),
        ("payout.cancelled", "rejected"),
        ("payout.expired", "expired"),
    ]
    .map(|(fact, status)| (fact.to_owned(), format!("transaction.{status}")));
    assert_eq!(told, expected, "approval says nothing: the status stays");
    let own = "https://shop.example/hook";
    for (_, _, to) in made(Some(own)) {
        assert_eq!(to, Target::Url(own.to_owned()), "the call's own address");
    }
}

#[test]
fn fifteen_attempts_five_minutes_apart() {
    let rules = Numipay.delivery();
    let minutes: Vec<u64> = rules
        .retries
        .iter()
        .map(|span| span.millis() / 60_000)
        .collect();
    assert_eq!(minutes, (1..=14).map(|n| n * 5).collect::<Vec<u64>>());
    assert_eq!(rules.timeout.millis(), 10_000);
    assert_eq!(rules.jitter_percent, 0);
    assert!(Numipay.signs_with_account());
    HeaderValue::from_str(&rules.user_agent).unwrap();
}

#[test]
fn ids_are_fifteen_letters_and_digits() {
    let mut seen = std::collections::BTreeSet::new();
    for byte in 0..=255 {
        let seed = Seed::new([byte; 32]);
        let id = Numipay.mint(Kind::Bill, NOW, &seed);
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        assert!(
            id.as_str().len() == 15 && id.as_str().bytes().all(plain),
            "{id}"
        );
        assert_eq!(
            id,
            Numipay.mint(Kind::Bill, later(9), &seed),
            "same seed, same id"
        );
        assert_ne!(id, Numipay.mint(Kind::Payment, NOW, &seed));
        seen.insert(id);
    }
    assert_eq!(seen.len(), 256);
}

#[test]
fn the_key_is_in_one_header() {
    let credential = |value: Option<&[u8]>| {
        let mut request = Request::builder().uri("/gateway/v1/payouts");
        if let Some(value) = value {
            request = request.header("X-Api-Key", HeaderValue::from_bytes(value).unwrap());
        }
        Numipay.credential(&request.body(()).unwrap().into_parts().0, b"")
    };
    let key = Credential::Key(Secret::new("np_dev_1".to_owned()));
    assert_eq!(credential(Some(b" np_dev_1 ")), Ok(key));
    for value in [None, Some(&b""[..]), Some(b"  "), Some(b"\xff")] {
        assert_eq!(credential(value), Err(Refusal::Unauthenticated));
    }
    let refused = |key: Option<&str>| {
        let mut request = Request::builder().uri("/gateway/v1/payouts");
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        let head = request.body(()).unwrap().into_parts().0;
        let response = Numipay.refuse(&fixtures::site(), &head, &Refusal::Unauthenticated);
        assert_eq!(response.status(), 401);
        body(response.body())
    };
    assert_eq!(
        refused(None),
        json!({"code": 1026, "message": "API Key is missing"})
    );
    assert_eq!(
        refused(Some("x")),
        json!({"code": 1027, "message": "API Key not found"})
    );
}

#[test]
fn every_path_is_this_dialects() {
    for path in [
        "/gateway/v1/payouts",
        "/gateway/v1",
        "/cashier/x",
        "/3ds/x",
        "/3ds",
    ] {
        assert_eq!(owner(path).unwrap().profile().name, "numipay", "{path}");
    }
    assert!(owner("/gateway/v2/payouts").is_none());
    assert!(owner("/cashiers").is_none());
    assert_eq!(Numipay.profile().body_max, 64 * 1024);
}

#[test]
fn every_refusal_has_a_code_and_no_internals() {
    for refusal in Refusal::examples() {
        for path in [
            "/gateway/v1/payments/s2s",
            "/gateway/v1/transactions/x",
            "/3ds/x",
        ] {
            let head = fixtures::head("POST", path);
            let response = Numipay.refuse(&fixtures::site(), &head, &refusal);
            let status = response.status();
            assert!(status.is_client_error() || status == 503, "{refusal:?}");
            let waits = response.headers().contains_key("retry-after");
            assert_eq!(waits, status == 503 || status == 429, "{refusal:?}");
            let told = body(response.body());
            assert!((1016..=1295).contains(&told["code"].as_u64().unwrap()));
            let message = told["message"].as_str().unwrap();
            assert!(!message.is_empty() && !message.ends_with('!'));
            let text = told.to_string().to_lowercase();
            for internal in ["panic", "sql", "bil_", "out_", "mer_", "::"] {
                assert!(!text.contains(internal), "{refusal:?}: {text}");
            }
        }
    }
}

#[test]
fn where_the_browser_goes_afterwards() {
    let back = |url: Option<&str>, state| {
        Numipay.return_url(&fixtures::view(state, url), PageOutcome::Paid)
    };
    let arguments = format!(
        "tracking_id={}&transaction_id={}&status=",
        fixtures::TRACKING,
        fixtures::ID
    );
    assert_eq!(back(None, BillState::Open), None);
    let (at, cause) = (NOW, fixtures::cause());
    for (state, word) in [
        (BillState::Open, "pending"),
        (BillState::Paid { at }, "successful"),
        (BillState::Failed { at, cause }, "rejected"),
        (BillState::Expired { at }, "expired"),
    ] {
        let url = Some("https://a.example/x");
        let expected = format!("https://a.example/x?{arguments}{word}");
        assert_eq!(back(url, state), Some(expected));
    }
    for (url, start, end) in [
        ("https://a.example/?a=1", "https://a.example/?a=1&", ""),
        ("https://a.example/?", "https://a.example/?", ""),
        (
            "https://a.example/é#/done",
            "https://a.example/%C3%A9?",
            "#/done",
        ),
    ] {
        let expected = format!("{start}{arguments}pending{end}");
        assert_eq!(back(Some(url), BillState::Open), Some(expected), "{url}");
    }
    let payout = fixtures::payout(PayoutState::AwaitingApproval, None);
    assert_eq!(
        replies::withdrawal_return(&payout, &Standing::Pending),
        Some(format!(
            "https://shop.example/return?x=1&{arguments}pending#top"
        ))
    );
    let path = Numipay.page_path(&fixtures::site(), &fixtures::view(BillState::Open, None));
    assert!(path.starts_with("/cashier/0123456789abcdef"));
}

fn decode(site: &Site, path: &str, request: Value) -> Result<TransactionCall, Refusal> {
    let mut head = fixtures::head("POST", path);
    let json = HeaderValue::from_static("application/json");
    head.headers.insert("content-type", json);
    let bytes = json!({"request": request}).to_string();
    match Numipay.decode(site, NOW, &head, bytes.as_bytes())?.call {
        Call::Transaction(call) => Ok(call),
        other => panic!("{other:?}"),
    }
}

fn least() -> Value {
    json!({"user_id": "1", "tracking_id": "t", "currency": "EUR", "amount": "1.00"})
}

fn with(name: &str, value: Value) -> Value {
    let mut request = least();
    request[name] = value;
    request
}

#[test]
fn options_change_what_they_say() {
    let numipay = Options {
        user_max: 2,
        description_max: 3,
        url_max: 25,
        name_max: 2,
        phone_max: 3,
        amount_digits: 2,
        ..Options::default()
    };
    let site = Site {
        numipay,
        ..fixtures::site()
    };
    for (name, good, bad) in [
        ("user_id", json!("12"), json!("123")),
        ("description", json!("abc"), json!("abcd")),
        (
            "return_url",
            json!("https://a.example/1234567"),
            json!("https://a.example/12345678"),
        ),
        (
            "customer",
            json!({"first_name": "ab"}),
            json!({"first_name": "abc"}),
        ),
        (
            "customer",
            json!({"phone": "123"}),
            json!({"phone": "1234"}),
        ),
        ("amount", json!("99.99"), json!("100.00")),
    ] {
        let path = "/gateway/v1/payments/hosted";
        assert!(decode(&site, path, with(name, good)).is_ok(), "{name}");
        let Err(Refusal::Invalid(problems)) = decode(&site, path, with(name, bad)) else {
            panic!("{name}")
        };
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].field.starts_with(name));
    }
    let day = |days| {
        let numipay = Options {
            list_days: days,
            ..Options::default()
        };
        let site = Site {
            numipay,
            ..fixtures::site()
        };
        let target = "/gateway/v1/transactions?from=01-01-2026&to=03-01-2026";
        Numipay.decode(&site, NOW, &fixtures::head("GET", target), b"")
    };
    assert!(day(2).is_ok() && day(1).is_err());
}

#[test]
fn nothing_of_a_card_is_printed_or_told() {
    let card = |number: &str| {
        json!({
            "number": number, "holder": "Ana Ruiz", "exp_month": "12", "exp_year": "2030",
            "verification_value": "907"
        })
    };
    let mut request = with("credit_card", card("4111111111111111"));
    request["ip"] = json!("203.0.113.7");
    request["customer"] = json!({"email": "ana@example.com"});
    let path = "/gateway/v1/payments/s2s";
    let call = decode(&fixtures::site(), path, request.clone()).unwrap();
    let printed = format!("{call:?}");
    assert!(
        !printed.contains("4111") && !printed.contains("907"),
        "{printed}"
    );
    let TransactionCall::Deposit { flow, .. } = call else {
        panic!()
    };
    assert!(matches!(flow, Flow::Server(card) if card.instrument().last4 == "1111"));
    request["credit_card"] = card("4111111111111112");
    let refusal = decode(&fixtures::site(), path, request).unwrap_err();
    let told = Numipay.refuse(&fixtures::site(), &fixtures::head("POST", path), &refusal);
    let text = String::from_utf8(told.body().clone()).unwrap();
    assert!(
        text.contains("credit_card.number") && !text.contains("4111"),
        "{text}"
    );
}

#[test]
fn who_approves_is_a_name_that_opens_nothing() {
    let by = |key: &str| {
        let mut head = fixtures::head("POST", "/gateway/v1/payouts/approve");
        head.headers
            .insert("x-api-key", HeaderValue::from_str(key).unwrap());
        let body = br#"{"transaction_id":"t"}"#;
        match Numipay
            .decode(&fixtures::site(), NOW, &head, body)
            .unwrap()
            .call
        {
            Call::Transaction(TransactionCall::ApprovePayout { by, .. }) => by,
            other => panic!("{other:?}"),
        }
    };
    let (one, two) = (by("np_dev_one"), by("np_dev_two"));
    assert_ne!(one, two);
    assert_eq!(one, by("np_dev_one"));
    assert!(one.starts_with("key:") && one.len() == 20 && !one.contains("np_dev"));
}

#[test]
fn keys_that_are_over_and_blocked_addresses_have_codes_of_their_own() {
    for (flaw, status, told) in [
        (
            Flaw::KeyExpired,
            401,
            json!({"code": 1028, "message": "API Key has expired"}),
        ),
        (
            Flaw::Address,
            403,
            json!({"code": 1295, "message": "Your IP is blocked"}),
        ),
        (
            Flaw::KeyWrong,
            401,
            json!({"code": 1026, "message": "API Key is missing"}),
        ),
    ] {
        let head = fixtures::head("GET", "/gateway/v1/transactions");
        let refusal = Refusal::Credential(flaw);
        let response = Numipay.refuse(&fixtures::site(), &head, &refusal);
        assert_eq!(response.status(), status, "{flaw:?}");
        assert_eq!(
            serde_json::from_slice::<Value>(response.body()).unwrap(),
            told
        );
    }
}

#[test]
fn keys_and_passwords_say_their_mode() {
    assert_eq!(numipay::key_prefix(Mode::Test), "np_dev_");
    assert_eq!(numipay::key_prefix(Mode::Live), "np_live_");
    let chance = "QyGAheyMqcHVmp8ZMQtkYcev27sCu7RF and more";
    let password = numipay::signature_password(Mode::Test, "Company, Xxxx & Sons", chance);
    assert_eq!(
        password,
        "spg_test_companyxxxxQyGAheyMqcHVmp8ZMQtkYcev27sCu7RF"
    );
    let live = numipay::signature_password(Mode::Live, "株式会社", chance);
    assert!(live.starts_with("spg_live_") && live.len() >= 41, "{live}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        method in prop::sample::select(vec!["GET", "POST", "PUT", "BREW"]),
        target in prop_oneof![
            prop::sample::select(vec![
                "/gateway/v1/payments/hosted", "/gateway/v1/payments/s2s",
                "/gateway/v1/payouts", "/gateway/v1/payouts/reject",
            ]).prop_map(str::to_owned),
            "/gateway/v1/transactions\\?(from|to)=[0-9A-Za-z:%+-]{0,20}(&to=[0-9-]{0,12})?",
            "/gateway/v1/transactions/[a-zA-Z0-9/%._~-]{0,40}",
            "/[a-zA-Z0-9/%._~?&=-]{0,40}",
        ],
        kind in prop::sample::select(vec!["", "application/json", "text/plain"]),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "\\{\"request\":\\{\"(amount|user_id|credit_card|customer)\":\
             (-?[0-9.eE]{1,9}|\"\\PC{0,20}\"|\\{\"number\":\"[0-9 ]{0,20}\"\\}|true)\\}\\}"
                .prop_map(String::into_bytes),
        ],
    ) {
        let mut request = Request::builder().method(method).uri(target);
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let Ok(request) = request.body(()) else { return Ok(()) };
        let head = request.into_parts().0;
        for insecure_targets in [true, false] {
            let site = Site { insecure_targets, ..fixtures::site() };
            if let Err(refusal) = Numipay.decode(&site, NOW, &head, &body) {
                let response = Numipay.refuse(&site, &head, &refusal);
                prop_assert!(response.status().is_client_error());
            }
        }
    }

    #[test]
    fn amounts_round_trip_as_text_and_as_number(minor in 1_i64..100_000_000_000_000) {
        let euro = fixtures::money("1.00", "EUR").currency();
        let money = domain::Money::from_minor(minor, euro).unwrap();
        let number: Value = serde_json::from_str(&money.fixed()).unwrap();
        for amount in [json!(money.fixed()), number] {
            let token = amount.to_string();
            let text = format!(
                "{{\"request\":{{\"user_id\":1,\"tracking_id\":\"t\",\"currency\":\"EUR\",\
                 \"amount\":{}}}}}",
                if amount.is_string() { token } else { money.fixed() }
            );
            let head = fixtures::head("POST", "/gateway/v1/payouts");
            let made = Numipay.decode(&fixtures::site(), NOW, &head, text.as_bytes()).unwrap();
            let Call::Transaction(TransactionCall::Withdraw { order, tracking, .. }) = made.call
            else { panic!() };
            prop_assert_eq!(order.amount, money);
            prop_assert_eq!(tracking.user, "1");
        }
    }

    #[test]
    fn any_id_in_a_path_is_read_as_it_was_written(id in "\\PC{1,40}") {
        let path: String = form_urlencoded::byte_serialize(id.as_bytes())
            .collect::<String>()
            .replace('+', "%20");
        let head = fixtures::head("GET", &format!("/gateway/v1/transactions/{path}/"));
        let call = Numipay.decode(&fixtures::site(), NOW, &head, b"").unwrap().call;
        prop_assert_eq!(call, Call::Transaction(TransactionCall::Show(id)));
    }
}
