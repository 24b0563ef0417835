//! Rules of the contract that are no single file.

use base64_of::sha256;
use dialects::vipps::{Vipps, paths, topics, webhooks};
use dialects::{Dialect, Kind, Signing, owner};
use domain::{Credential, Flaw, Proof, Refusal, Secret, Seed, Span, Timestamp};
use http::Request;
use http::request::Parts;
use proptest::prelude::*;
use serde_json::Value;

use super::fixtures;

mod base64_of {
    pub fn sha256(body: &str) -> String {
        dialects::sign::content_sha256(body.as_bytes())
    }
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn bodies_have_the_bytes_of_captured_deliveries() {
    let view = fixtures::view(fixtures::ask(), domain::PaymentState::Pending);
    let body = webhooks::body(&view.bill, &view.payment, &fixtures::steps()[0]);
    assert_eq!(body.len(), 256);
    assert_eq!(
        sha256(&body),
        "kQSmDK2O2OZoefs7WJBmm2OR4kuoPtDMNGGmh0QVvtA="
    );

    let mut ask = fixtures::ask();
    ask.reference = Some("S00007-30-20251103142209".to_owned());
    ask.extras.insert("msn".to_owned(), Value::from("2060591"));
    let mut step = fixtures::steps()[0].clone();
    let dkk = domain::Currency::parse("DKK").unwrap();
    step.amount = domain::Money::from_minor(125, dkk).unwrap();
    step.wire = fixtures::wire("49360986-4857-4556-bddb-ba6b58f25bb1");
    step.key = Some("b043ab36-977b-409c-a4e5-a22b97197448".to_owned());
    step.at = Timestamp::from_millis(1_762_179_730_431);
    let view = fixtures::view(ask, domain::PaymentState::Pending);
    let body = webhooks::body(&view.bill, &view.payment, &step);
    assert_eq!(body.len(), 277);
    assert_eq!(
        sha256(&body),
        "ZFGsWWeA+zvY683itju+78UFI/shGNUaSUsK4bxTW7A="
    );
}

#[test]
fn a_delivery_is_signed_as_published() {
    let secret = "A0+AeKBRG2KRGvnNwJpQlb6IJFk48CKXCIcrLoHncVJKDILsQSxS6NWCccwWm6r6FhGKhiHTBsG2\
                  wo/xU6FY/A==";
    let body = "{\"some-unique-content\":\"ee6e441b-cc4a-46f8-895d-a5af79bcc233/hello-world\"}";
    let secrets = [Secret::new(secret.to_owned())];
    let signing = Signing {
        secrets: &secrets,
        url: "https://webhook.site/e2cee29b-012e-4f1d-8ef4-e95fd74a7a63",
        endpoint: Some("497f6eca-6276-4993-bfeb-53cbbbba6f08"),
        delivery: "dlv_1",
        topic: "epayments.payment.captured.v1",
        attempt: 3,
        body,
        now: Timestamp::from_millis(1_680_165_512_000),
    };
    let sent = Vipps.sign(&signing).unwrap();
    assert_eq!(sent.body, body);
    let header = |name: &str| {
        let found = sent.headers.iter().find(|(key, _)| key == name);
        found.unwrap_or_else(|| panic!("{name}")).1.clone()
    };
    let signature = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&\
                     Signature=agAiSyogQbDHpeucoNwYz+yAr5nJ+v+zasdkSbqzv+U=";
    assert_eq!(header("x-ms-date"), "Thu, 30 Mar 2023 08:38:32 GMT");
    assert_eq!(
        header("x-ms-content-sha256"),
        "lNlsp1XA03N34HrQsVzPgJKtC+r7l/RBF4V3JQUWMj4="
    );
    assert_eq!(header("authorization"), signature);
    assert_eq!(header("x-vipps-authorization"), signature);
    assert_eq!(header("webhook-id"), "497f6eca-6276-4993-bfeb-53cbbbba6f08");
    assert_eq!(header("florin-delivery-id"), "dlv_1");
    assert_eq!(header("florin-event-type"), signing.topic);
    assert_eq!(header("florin-attempt"), "3");
}

#[test]
fn host_and_path_are_signed_as_registered() {
    for (url, host, path) in [
        ("https://shop.example", "shop.example", "/"),
        ("https://shop.example?a=b", "shop.example", "/?a=b"),
        ("https://Shop.EXAMPLE/Hooks/V", "shop.example", "/Hooks/V"),
        ("https://shop.example:443/h", "shop.example", "/h"),
        ("http://shop.example:80/h", "shop.example", "/h"),
        (
            "https://shop.example:8443/h?x=1#y",
            "shop.example:8443",
            "/h?x=1",
        ),
        ("http://[::1]:8081/h", "[::1]:8081", "/h"),
        (
            "https://shop.example/a%2Fb/%c3?q=%20",
            "shop.example",
            "/a%2Fb/%c3?q=%20",
        ),
    ] {
        let found = webhooks::authority(url);
        assert_eq!(found, (host.to_owned(), path.to_owned()), "{url}");
    }
}

#[test]
fn deliveries_are_tried_35_times_within_seven_days() {
    let rules = Vipps.delivery();
    let seconds: Vec<u64> = rules
        .retries
        .iter()
        .map(|span| span.millis() / 1_000)
        .collect();
    assert_eq!(seconds[..6], [2, 4, 6, 66, 186, 3_786]);
    assert_eq!(seconds.len(), 5 + 23 + 6);
    let last = seconds.last().copied().unwrap();
    assert!((6 * 86_400..=7 * 86_400).contains(&last), "{last}");
    assert!(seconds.is_sorted());
    assert_eq!(rules.timeout, Span::from_seconds(10));
    assert_eq!(rules.user_agent, "Vipps MobilePay/1.0 Webhooks/1.0");
}

#[test]
fn paths_are_read_loosely_and_owned() {
    for path in [
        "/accesstoken/get",
        "/accessToken/get",
        "/ACCESSTOKEN/GET",
        "//accesstoken//get",
        "//webhooks/v1/webhooks",
        "/webhooks//v1/webhooks/x",
        "/epayment/v1/payments",
        "///epayment",
        "/accesstoken",
        "/webhooks/v1",
    ] {
        assert_eq!(owner(path).unwrap().profile().name, "vipps", "{path}");
    }
    for path in [
        "/webhooks",
        "/webhooks/v2",
        "/epayments/v1",
        "/accesstokens",
        "/",
    ] {
        assert!(owner(path).is_none(), "{path}");
    }
    assert_eq!(
        owner("/v1/payment-requests").unwrap().profile().name,
        "hitpay"
    );
    assert!(owner("//v1/payment-requests").is_none());
    assert_eq!(paths::instance("//webhooks/v1/webhooks"), "/v1/webhooks");
    assert_eq!(paths::instance("/epayment/v1/payments/x"), "/v1/payments/x");
}

fn head(headers: &[(&str, &str)], target: &str) -> Parts {
    let mut request = Request::builder().method("POST").uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

const ID: (&str, &str) = ("client_id", "fb492b5e-7907-4d83-bc20-c7fb60ca35de");
const SECRET: (&str, &str) = ("client_secret", "Y8Kteew6GE3ZmeycEt6egg==");
const KEY: (&str, &str) = (
    "Ocp-Apim-Subscription-Key",
    "0f14ebcab0ec4b29ae0cb90d91b4a84a",
);
const MSN: (&str, &str) = ("Merchant-Serial-Number", "123456");
const BEARER: (&str, &str) = ("Authorization", "bearer abc");
const EMPTY_BEARER: (&str, &str) = ("Authorization", "Bearer ");

fn proof(headers: &[(&str, &str)], target: &str) -> Result<(bool, Option<String>), Flaw> {
    match Vipps.credential(&head(headers, target), b"") {
        Ok(Credential::Account(account)) => Ok((
            matches!(account.proof, Proof::Token(_)),
            account.number.clone(),
        )),
        Ok(other) => panic!("{other:?}"),
        Err(Refusal::Credential(flaw)) => Err(flaw),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn the_token_call_takes_client_headers_and_ignores_the_rest() {
    let token = "/accesstoken/get";
    assert_eq!(proof(&[ID, SECRET, KEY], token), Ok((false, None)));
    assert_eq!(
        proof(&[ID, SECRET, KEY, MSN, EMPTY_BEARER], token),
        Ok((false, None))
    );
    assert_eq!(proof(&[ID, SECRET, KEY, BEARER], token), Ok((false, None)));
    assert_eq!(proof(&[ID, SECRET], token), Err(Flaw::KeyMissing));
    assert_eq!(proof(&[ID, KEY], token), Err(Flaw::Client));
    assert_eq!(proof(&[SECRET, KEY, BEARER], token), Err(Flaw::Client));
}

#[test]
fn payments_need_a_bearer_token_and_the_sales_unit() {
    let path = "/epayment/v1/payments/order-12345";
    let msn = Some("123456".to_owned());
    assert_eq!(proof(&[BEARER, KEY, MSN], path), Ok((true, msn.clone())));
    assert_eq!(
        proof(&[ID, SECRET, KEY, MSN], path),
        Err(Flaw::TokenMissing)
    );
    assert_eq!(
        proof(&[EMPTY_BEARER, KEY, MSN], path),
        Err(Flaw::TokenMissing)
    );
    assert_eq!(
        proof(&[("Authorization", "abc"), KEY, MSN], path),
        Err(Flaw::TokenMissing)
    );
    assert_eq!(proof(&[BEARER, KEY], path), Err(Flaw::NumberMissing));
    assert_eq!(proof(&[BEARER, MSN], path), Err(Flaw::KeyMissing));
    // The published commands of the webhooks quick start have client headers in its place.
    let hooks = "//webhooks/v1/webhooks";
    assert_eq!(
        proof(&[ID, SECRET, KEY, MSN], hooks),
        Ok((false, msn.clone()))
    );
    assert_eq!(
        proof(&[ID, SECRET, KEY, MSN, BEARER], hooks),
        Ok((true, msn))
    );
    assert_eq!(proof(&[KEY, MSN], hooks), Err(Flaw::TokenMissing));
}

#[test]
fn every_refusal_has_a_json_body_without_internals() {
    for (name, request, refusal) in super::golden::refusals() {
        let (method, target) = request.split_once(' ').unwrap();
        let response = Vipps.refuse(&fixtures::site(), &fixtures::head(method, target), &refusal);
        let status = response.status();
        assert!(
            status.is_client_error() || status == 503,
            "{name}: {status}"
        );
        let body = json(response.body());
        let text = body.to_string().to_lowercase();
        for internal in ["panic", "sql", "rust", "bil_", "pay_", "mer_", "::"] {
            assert!(!text.contains(internal), "{name}: {text}");
        }
        let named = ["title", "error", "message"]
            .iter()
            .any(|key| body[*key].is_string());
        assert!(named, "{name}: {text}");
        if let Some(given) = body.get("status") {
            assert_eq!(*given, status.as_u16(), "{name}");
            assert_eq!(
                response.headers()["content-type"],
                "application/problem+json"
            );
        }
        let waits = response.headers().contains_key("retry-after");
        assert_eq!(waits, status == 503 || status == 429, "{name}");
    }
}

#[test]
fn a_trace_goes_on_and_a_logged_id_is_told() {
    let trace = |headers: &[(&str, &str)]| {
        let head = head(headers, "/epayment/v1/payments");
        let answer = Vipps.refuse(&fixtures::site(), &head, &Refusal::UnknownRoute);
        json(answer.body())["traceId"].as_str().unwrap().to_owned()
    };
    let id = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{id}-b7ad6b7169203331-01");
    assert!(trace(&[("traceparent", &parent)]).starts_with(&format!("00-{id}-")));
    assert!(trace(&[("x-request-id", id)]).starts_with(&format!("00-{id}-")));
    assert_eq!(trace(&[]).len(), 55);
    assert_eq!(trace(&[("traceparent", "00-x-y-z")]).len(), 55);
}

#[test]
fn ids_are_long_and_the_same_for_the_same_seed() {
    let seed = |byte: u8| Seed::new([byte; 32]);
    let bill = Vipps.mint(Kind::Bill, fixtures::NOW, &seed(1));
    assert!(
        bill.as_str().len() >= 64,
        "nobody guesses the token of a landing page"
    );
    assert_eq!(bill, Vipps.mint(Kind::Bill, fixtures::NOW, &seed(1)));
    assert_ne!(bill, Vipps.mint(Kind::Bill, fixtures::NOW, &seed(2)));
    let hook = Vipps.mint(Kind::Endpoint, fixtures::NOW, &seed(1));
    assert_eq!(hook.as_str().len(), 36);
    let secret = Vipps.endpoint_secret(&[7; 64]);
    assert_eq!(secret.expose().len(), 88);
    let psp = Vipps.mint(Kind::Payment, fixtures::NOW, &seed(1));
    assert_eq!(psp.as_str().len(), 36);
}

#[test]
fn every_event_of_a_payment_can_be_registered_for() {
    for kind in domain::StepKind::ALL {
        assert!(topics::ALL.contains(&topics::of(kind).as_str()), "{kind:?}");
    }
    assert_eq!(topics::ALL.len(), 20);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        method in prop::sample::select(vec!["GET", "POST", "DELETE", "PUT", "BREW"]),
        target in prop_oneof![
            Just("/epayment/v1/payments".to_owned()),
            "/epayment/v1/payments/[a-zA-Z0-9/%._~-]{0,70}(/capture|/cancel|/refund|/events)?",
            "/epayment/v1/test/payments/[a-z0-9-]{8,12}/approve",
            "/{1,3}(accesstoken|accessToken|webhooks/v1|epayment)/[a-zA-Z0-9/%._~-]{0,40}",
        ],
        key in prop::collection::vec(any::<u8>(), 0..60),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[{}\\[\\]\":,a-c0-9.eE+&=%\\\\ -]{0,120}".prop_map(String::into_bytes),
            concat!(
                "\\{\"(amount|paymentMethod|customer|metadata|receipt|shipping|expiresAt)\":",
                "(-?[0-9.eE]{1,9}|\"\\PC{0,20}\"|\\[.{0,9}\\]|true|\\{\\}|",
                "\\{\"(value|type|phoneNumber|orderLines)\":[0-9]{1,25}\\}),",
                "\"reference\":\"[a-z0-9-]{7,9}\"\\}",
            )
            .prop_map(String::into_bytes),
        ],
    ) {
        let mut request = Request::builder().method(method);
        if let Ok(value) = http::HeaderValue::from_bytes(&key) {
            request = request.header("idempotency-key", value.clone());
            request = request.header("traceparent", value.clone());
            request = request.header("authorization", value);
        }
        let Ok(request) = request.uri(target).body(()) else { return Ok(()) };
        let head = request.into_parts().0;
        let _ = owner(head.uri.path());
        let _ = Vipps.credential(&head, &body);
        if let Err(refusal) = Vipps.decode(&fixtures::site(), fixtures::NOW, &head, &body) {
            let response = Vipps.refuse(&fixtures::site(), &head, &refusal);
            prop_assert!(response.status().is_client_error());
            prop_assert!(json(response.body()).is_object());
        }
    }
}
