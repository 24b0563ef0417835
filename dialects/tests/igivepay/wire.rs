//! What no list of files can show: every amount, any bytes, tokens, credentials, the signature.

use dialects::igivepay::{IGivePay, Options};
use dialects::{Dialect, Kind, PageOutcome, owner};
use domain::merchant::pair_digest;
use domain::{BillState, Call, Credential, Refusal, Secret, WireId};
use http::{HeaderValue, Request};
use proptest::prelude::*;
use serde_json::Value;

use super::fixtures::{self, ID, NOW, moment, site};

const PAYMENTS: &str = "/api/v1/payments";

fn create(total: &str) -> Result<Call, Refusal> {
    let body = format!(r#"{{"paymentTotal":{total},"redirectUrl":"https://shop.example/"}}"#);
    let head = fixtures::head("POST", PAYMENTS);
    IGivePay
        .decode(&site(), NOW, &head, body.as_bytes())
        .map(|incoming| incoming.call)
}

#[test]
fn the_notification_is_signed_as_documented() {
    // HMAC-SHA256 of the body under the secret, computed once with another program.
    let body = r#"{"paymentId":"6b0c9f0e-5a53-4a3c-9a67-0d3f5f0f3c11","paidAmount":300}"#;
    let sent = fixtures::sign("the client secret", body);
    let (name, value) = &sent.headers[0];
    assert_eq!(name, "x-igive-signature");
    assert_eq!(value, SIGNATURE);
    assert_ne!(fixtures::sign("another secret", body).headers, sent.headers);
}

const SIGNATURE: &str = "sha256=2ecb22644d52eea0683a18570571b97635b6feffee19f115082a2f538441d0a6";

#[test]
fn both_headers_are_the_credential() {
    let credential = |id: Option<&str>, secret: Option<&str>| {
        let mut request = Request::builder().uri(PAYMENTS);
        for (name, value) in [("x-client-id", id), ("X-Client-Secret", secret)] {
            if let Some(value) = value {
                request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
        }
        IGivePay.credential(&request.body(()).unwrap().into_parts().0, b"")
    };
    let pair = |id: &str, secret: &str| Credential::Pair {
        id: id.to_owned(),
        secret: Secret::new(secret.to_owned()),
    };
    assert_eq!(
        credential(Some("id"), Some(" secret ")),
        Ok(pair("id", "secret"))
    );
    for (id, secret) in [
        (None, None),
        (Some("id"), None),
        (None, Some("secret")),
        (Some(""), Some("secret")),
        (Some("id"), Some("  ")),
        (Some("é"), Some("secret")),
    ] {
        assert_eq!(
            credential(id, secret),
            Err(Refusal::Unauthenticated),
            "{id:?} {secret:?}"
        );
    }
    // What is stored cannot be made of other parts.
    let digest = |id, secret: &str| pair_digest(id, &Secret::new(secret.to_owned()));
    assert_ne!(digest("a:b", "c"), digest("a", "b:c"));
    assert_ne!(digest("a", "b"), digest("b", "a"));
}

#[test]
fn a_page_opens_with_its_own_token() {
    let options = site().igivepay;
    let (one, two) = (WireId::new(ID).unwrap(), WireId::new("other").unwrap());
    let token = options.page_token(&one);
    assert!(options.opens(&one, &token) && !options.opens(&two, &token));
    let other = Options::new(Secret::new("another key".to_owned()));
    assert!(!other.opens(&one, &token));
    let keyless = Options::new(Secret::new(String::new()));
    assert!(
        !keyless.opens(&one, &keyless.page_token(&one)),
        "without a key no page opens"
    );
    for wrong in ["", "0", &token[1..], &token.to_uppercase()] {
        assert!(!options.opens(&one, wrong), "{wrong}");
    }
    let view = fixtures::view(fixtures::bill("1", BillState::Open), vec![]);
    let path = IGivePay.page_path(&site(), &view);
    assert_eq!(path, format!("/pay/{ID}?token={token}"));
    assert_eq!(owner("/pay/x").unwrap().profile().name, "igivepay");
}

#[test]
fn the_shop_gets_its_own_arguments_back() {
    let view = fixtures::view(fixtures::bill("1", BillState::Open), vec![]);
    let back = |outcome| IGivePay.return_url(&view, outcome).unwrap();
    let start =
        "https://shop.example/thanks?a=1&b=%26&paymentId=6b0c9f0e-5a53-4a3c-9a67-0d3f5f0f3c11";
    assert_eq!(
        back(PageOutcome::Paid),
        format!("{start}&status=charged&reference=order-1001#done")
    );
    assert_eq!(
        back(PageOutcome::Cancelled),
        format!("{start}&status=aborted&reference=order-1001#done")
    );
}

#[test]
fn delivery_is_six_attempts_in_six_hours() {
    let rules = IGivePay.delivery();
    let minutes: Vec<u64> = rules
        .retries
        .iter()
        .map(|span| span.millis() / 60_000)
        .collect();
    assert_eq!(
        (minutes, rules.timeout.millis()),
        (vec![1, 5, 15, 60, 360], 10_000)
    );
}

#[test]
fn ids_are_random_uuids() {
    let mint = |kind, byte| IGivePay.mint(kind, NOW, &moment(byte).seed);
    let id = mint(Kind::Bill, 1);
    assert_eq!(
        id,
        mint(Kind::Bill, 1),
        "the same at every run of a closure"
    );
    assert_ne!(id, mint(Kind::Bill, 2));
    assert_ne!(id, mint(Kind::Payment, 1));
    assert_eq!((id.as_str().len(), &id.as_str()[14..15]), (36, "4"), "{id}");
}

proptest! {
    #[test]
    fn every_amount_is_read_and_written_exactly(minor in 1_i64..=100_000_000) {
        let (whole, part) = (minor / 100, minor % 100);
        let Ok(Call::CreateBill(ask)) = create(&format!("{whole}.{part:02}")) else { panic!() };
        prop_assert_eq!(ask.amount.minor(), minor);
        let mut bill = fixtures::bill("1", BillState::Open);
        bill.ask.amount = ask.amount;
        let reply = domain::Reply::Bill(Box::new(fixtures::view(bill, vec![])));
        let response = IGivePay.encode(&site(), &fixtures::head("GET", PAYMENTS), &reply);
        let text = std::str::from_utf8(response.body()).unwrap();
        let written = text.split("\"paymentTotal\":").nth(1).unwrap().split(',').next().unwrap();
        prop_assert!(!written.contains(['e', 'E']) && !written.ends_with(['.']));
        prop_assert_eq!(domain::Money::parse(written, ask.amount.currency()), Ok(ask.amount));
        let needless = written.contains('.') && written.ends_with('0');
        prop_assert!(!needless, "{}", written);
    }

    #[test]
    fn any_bytes_give_a_call_or_a_refusal(
        method in prop::sample::select(vec!["GET", "POST", "PUT", "HEAD", "BREW"]),
        target in prop_oneof![
            Just(PAYMENTS.to_owned()),
            Just(format!("{PAYMENTS}/{ID}/perform")),
            "/api/v1/[a-zA-Z0-9/%._~?&=-]{0,60}",
            "/[a-zA-Z0-9/%._~?&=-]{0,40}",
        ],
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[{}\\[\\]\":,a-c0-9.eE+-]{0,120}".prop_map(String::into_bytes),
            concat!(
                "\\{\"(paymentTotal|cards|redirectUrl|accessMode|vendorId)\":",
                "(-?[0-9.eE]{1,9}|\"\\PC{0,20}\"|\\[.{0,9}\\]|",
                "\\[\\{\"cardNumber\":.{0,25}\\}\\])\\}",
            )
            .prop_map(String::into_bytes),
        ],
    ) {
        let Ok(request) = Request::builder().method(method).uri(target).body(()) else {
            return Ok(());
        };
        let head = request.into_parts().0;
        let _ = IGivePay.credential(&head, &body);
        if let Err(refusal) = IGivePay.decode(&site(), NOW, &head, &body) {
            let response = IGivePay.refuse(&site(), &head, &refusal);
            prop_assert!(response.status().is_client_error());
            let told: Value = serde_json::from_slice(response.body()).unwrap();
            prop_assert!(told["errorCode"].is_u64() && told["message"].is_string());
        }
    }
}
