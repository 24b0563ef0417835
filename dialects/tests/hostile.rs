//! Every reader of bytes that come from outside, given anything: each answers, none panics. What
//! is made of valid input is held by the tests of each dialect.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dialects::verify::{Delivery, Scheme, verify};
use dialects::{Dialect, Site, base64, form, json, nearest, standard};
use domain::delivery::retry_after_seconds;
use domain::{Secret, Timestamp};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// Headers that some dialect reads.
const HEADERS: [&str; 13] = [
    "x-business-api-key",
    "x-api-key",
    "x-client-id",
    "x-client-secret",
    "client_id",
    "client_secret",
    "ocp-apim-subscription-key",
    "merchant-serial-number",
    "authorization",
    "idempotency-key",
    "content-type",
    "accept",
    "x-request-id",
];

/// Paths that exist, and places in them for anything.
fn targets() -> impl Strategy<Value = String> {
    let paths = prop::sample::select(vec![
        "/v1/payment-requests",
        "/v1/payment-requests/{}",
        "/v1/payment-requests?page={}&per_page={}",
        "/accesstoken/get",
        "/accessToken/get",
        "/webhooks/v1/webhooks",
        "//webhooks//v1/webhooks/{}",
        "/epayment/v1/payments",
        "/epayment/v1/payments/{}",
        "/epayment/v1/payments/{}/events",
        "/epayment/v1/payments/{}/capture",
        "/epayment/v1/payments/{}/refund",
        "/epayment/v1/payments/{}/cancel",
        "/epayment/v1/test/payments/{}/approve",
        "/gateway/v1/payments/hosted",
        "/gateway/v1/payments/direct",
        "/gateway/v1/payments/s2s",
        "/gateway/v1/payouts",
        "/gateway/v1/payouts/approve",
        "/gateway/v1/transactions?from={}&to={}",
        "/gateway/v1/transactions/{}",
        "/api/v1/payments",
        "/api/v1/payments/{}",
        "/api/v1/payments/{}/perform",
        "/api/v1/payments/{}/cancel",
        "/api/v1/giftcards/balance/{}",
        "/{}",
    ]);
    (paths, "[a-zA-Z0-9/%._~&=+:-]{0,30}").prop_map(|(path, part)| path.replace("{}", &part))
}

/// Names of members and fields that somebody reads.
const NAMES: [&str; 26] = [
    "amount",
    "currency",
    "value",
    "request",
    "reference",
    "reference_number",
    "tracking_id",
    "user_id",
    "url",
    "events",
    "webhook",
    "paymentMethod",
    "customer",
    "phoneNumber",
    "receipt",
    "metadata",
    "expiresAt",
    "credit_card",
    "number",
    "paymentTotal",
    "cards",
    "cardNumber",
    "cvc",
    "payment_methods[]",
    "expiry_date",
    "modificationAmount",
];

/// Bytes, JSON of any shape under names that are read, forms.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(NAMES.to_vec());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[0-9]{1,25}(\\.[0-9]{0,5})?([eE][+-]?[0-9]{1,4})?",
        "\"[^\"\\\\\\x00-\\x1f]{0,20}\"",
        "\"\\\\u[0-9a-f]{4}\"",
        Just("\"2026-11-21T10:00:00+25:00\"".to_owned()),
    ];
    let value = leaf.prop_recursive(4, 24, 6, {
        let names = names.clone();
        move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5)
                    .prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::vec((names.clone(), inner), 0..6).prop_map(|members| {
                    let members: Vec<_> = members
                        .iter()
                        .map(|(name, value)| format!("\"{name}\":{value}"))
                        .collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        }
    });
    let object = prop::collection::vec((names.clone(), value), 0..6).prop_map(|members| {
        let members: Vec<_> = members
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    let form = prop::collection::vec((names, "[a-zA-Z0-9%+.:/&=\\[\\]-]{0,20}"), 0..8);
    let form = form.prop_map(|fields| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        fields.join("&").into_bytes()
    });
    prop_oneof![
        object,
        form,
        prop::collection::vec(any::<u8>(), 0..300),
        "[{}\\[\\]\":,0-9.eEtrufalsn\\\\ -]{0,200}".prop_map(String::into_bytes),
    ]
}

fn heads() -> impl Strategy<Value = Option<Parts>> {
    let method = prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"]);
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(b"application/json".to_vec()),
        Just(b"application/x-www-form-urlencoded; charset=utf-8".to_vec()),
        Just(b"Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA".to_vec()),
    ];
    let headers = prop::collection::vec((prop::sample::select(HEADERS.to_vec()), value), 0..6);
    (method, targets(), headers).prop_map(|(method, target, headers)| {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            // What is no header never gets as far as a dialect.
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request = request.header(HeaderName::from_static(name), value);
            }
        }
        let request = request.body(()).ok()?;
        Some(request.into_parts().0)
    })
}

/// Whatever is asked, a dialect reads it or refuses it as its client's fault.
fn answers(dialect: &dyn Dialect, site: &Site, head: &Parts, body: &[u8]) -> Result<(), String> {
    let name = dialect.profile().name;
    if let Err(refusal) = dialect.credential(head, body) {
        let status = dialect.refuse(site, head, &refusal).status();
        if !status.is_client_error() {
            return Err(format!("{name} answers {refusal:?} with {status}"));
        }
    }
    if let Err(refusal) = dialect.decode(site, NOW, head, body) {
        let answer = dialect.refuse(site, head, &refusal);
        let told: Result<serde_json::Value, _> = serde_json::from_slice(answer.body());
        if !answer.status().is_client_error() || told.is_err() {
            return Err(format!("{name} answers {refusal:?} with {answer:?}"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn dialects_read_or_refuse_anything(head in heads(), body in bodies(), live in any::<bool>()) {
        let Some(head) = head else { return Ok(()) };
        let site = Site {
            insecure_targets: !live,
            ..Site::sandbox("https://pay.example.com")
        };
        for dialect in dialects::ALL {
            dialect.owns(head.uri.path());
            prop_assert_eq!(answers(*dialect, &site, &head, &body), Ok(()));
        }
    }

    #[test]
    fn bodies_are_read_or_refused(body in bodies()) {
        let _ = json::parse(&body);
        let _ = form::parse(&body, "the body");
        let _ = form::pairs(&body, "the body");
    }

    #[test]
    fn base64_gives_back_what_was_written(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(base64::decode(&base64::encode(&bytes)), Some(bytes));
    }

    #[test]
    fn any_text_is_a_secret_a_name_and_a_wait(text in "\\PC{0,80}", ascii in "[ -~]{0,60}") {
        for text in [&text, &ascii] {
            let _ = base64::decode(text);
            let _ = standard::secret::key(&Secret::new(text.clone()));
            let _ = standard::secret::key(&Secret::new(format!("whsec_{text}")));
            let _ = retry_after_seconds(text);
            let _ = Scheme::parse(text);
            let _ = nearest::nearest(text, ["bill.paid", "x"]);
        }
    }

    #[test]
    fn raw_requests_are_read_or_refused(
        raw in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "(POST /[a-z?=&]{0,9} HTTP/1.1\r?\n)?([A-Za-z-]{0,12}:? ?[ -~]{0,20}\r?\n){0,5}\
             \r?\n[ -~]{0,40}"
                .prop_map(String::into_bytes),
        ],
        url in "(https?://)?[a-z0-9.:@\\[\\]%/-]{0,30}",
        key in "\\PC{0,30}",
    ) {
        let Ok(mut made) = Delivery::read(&raw) else { return Ok(()) };
        made.url = Some(url);
        let _ = Scheme::guess(&made);
        for scheme in Scheme::ALL {
            let verdict = verify(scheme, &made, &Secret::new(key.clone()), Some(NOW));
            prop_assert!(!verdict.valid, "{:?} by chance", scheme);
        }
    }
}
