//! Anything that can come from outside, given to the whole server and to every reader of text in
//! it: nothing panics, nothing a client sends makes a 5xx, no address of a private network passes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod lab;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use gateway::config::{self, Config};
use gateway::http::routes::Routes;
use gateway::outbound::addresses::classify;
use gateway::outbound::{Policy, check_url};
use gateway::sandbox::{self, Credentials};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::BodyExt;
use lab::Lab;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use tower_service::Service;

/// An IPv4 address in the spellings that readers of URLs understand.
fn spelled(ip: Ipv4Addr, how: u8) -> String {
    let [a, b, c, d] = ip.octets();
    let whole = u32::from(ip);
    match how % 8 {
        0 => ip.to_string(),
        1 => whole.to_string(),
        2 => format!("0x{whole:x}"),
        3 => format!("0{whole:o}"),
        4 => format!("0x{a:x}.{b}.0{c:o}.{d}"),
        5 => format!("{a}.{}", whole & 0x00ff_ffff),
        6 => format!("{a}.{b}.{}", whole & 0xffff),
        _ => format!("{ip}."),
    }
}

/// What the standard library knows not to be public, by itself.
fn is_surely_private(ip: Ipv4Addr) -> bool {
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_unspecified()
        || ip.is_documentation()
        || ip.octets()[0] == 0
}

/// Mostly addresses near the edges of networks.
fn addresses() -> impl Strategy<Value = Ipv4Addr> {
    let edges: Vec<u32> = [
        "10.0.0.0",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.0",
        "192.168.0.0",
        "224.0.0.0",
        "255.255.255.255",
        "100.64.0.0",
        "0.0.0.0",
    ]
    .map(|text| u32::from(text.parse::<Ipv4Addr>().unwrap()))
    .to_vec();
    prop_oneof![
        any::<u32>(),
        (prop::sample::select(edges), -70_000_i64..70_000).prop_map(|(edge, by)| {
            let place = (i64::from(edge) + by).clamp(0, i64::from(u32::MAX));
            u32::try_from(place).unwrap()
        }),
    ]
    .prop_map(Ipv4Addr::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_spelling_of_a_private_address_passes(ip in addresses(), how in any::<u8>()) {
        let url = format!("https://{}/hook", spelled(ip, how));
        let admitted = check_url(&url, &Policy::default());
        if is_surely_private(ip) {
            let error = admitted.clone().unwrap_err();
            prop_assert!(error.contains("rule"), "{}: {}", url, error);
        }
        // One address, one judgement, however it is written.
        let public = classify(IpAddr::V4(ip)).is_none();
        prop_assert_eq!(admitted.is_ok(), public, "{}", url);
        let inside = [
            ip.to_ipv6_mapped(),
            Ipv6Addr::from(u128::from(u32::from(ip))),
            Ipv6Addr::from((0x2002_u128 << 112) | (u128::from(u32::from(ip)) << 80)),
            Ipv6Addr::from((0x0064_ff9b_u128 << 96) | u128::from(u32::from(ip))),
        ];
        for wrapped in inside {
            let url = format!("https://[{wrapped}]/hook");
            let passes = check_url(&url, &Policy::default()).is_ok();
            prop_assert!(!passes || public, "{}", url);
        }
        // What an error suggests is an entry that permits it.
        let listed = Policy::new(false, &[ip.to_string()]).unwrap();
        prop_assert_eq!(check_url(&url, &listed), Ok(()));
    }

    #[test]
    fn ipv6_outside_the_public_space_never_passes(bits in any::<u128>(), high in any::<bool>()) {
        let bits = if high { bits | (0xf000_u128 << 112) } else { bits };
        let ip = Ipv6Addr::from(bits);
        let url = format!("https://[{ip}]:8443/");
        if check_url(&url, &Policy::default()).is_ok() {
            prop_assert_eq!(bits >> 125, 1, "{} is not in 2000::/3", ip);
        }
    }

    #[test]
    fn any_text_is_an_address_or_none(
        text in prop_oneof![
            "\\PC{0,60}",
            "(https?|ftp|file|HTTPS):/{0,3}[a-z0-9.:@\\[\\]%#?/\\\\-]{0,40}",
            "https://[0-9xa-fA-F.:\\[\\]%]{1,40}/",
        ],
        entry in prop_oneof!["\\PC{0,30}", "[0-9a-f.:]{1,20}(/[0-9]{0,4})?", "[a-z0-9.*-]{1,30}"],
    ) {
        let _ = check_url(&text, &Policy::open());
        let _ = check_url(&text, &Policy::default());
        if let Ok(policy) = Policy::new(false, std::slice::from_ref(&entry)) {
            let _ = check_url(&text, &policy);
        }
        let _ = config::public_url(&text);
    }

    #[test]
    fn times_are_read_or_refused(text in prop_oneof!["\\PC{0,20}", "([0-9]{1,21}[smhdw]?){0,4}"]) {
        let _ = config::span(&text);
        let _ = sandbox::clock::typed(&text);
    }

    #[test]
    fn paths_have_an_owner_or_none(
        path in "/[a-zA-Z0-9/%._~@?&={}-]{0,60}",
        alias in "[a-z_{}/0-9]{0,30}",
    ) {
        let wanted = [("numipay_status".to_owned(), vec![alias])].into();
        let routes = Routes::new(&wanted).unwrap_or_default();
        if let Ok(uri) = path.parse::<Uri>() {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let _ = routes.route(&method, &uri);
            }
        }
    }

    #[test]
    fn any_file_is_a_configuration_or_none(
        lines in prop::collection::vec(
            prop_oneof![
                Just("listen = \"127.0.0.1:0\"".to_owned()),
                Just("public_url = \"https://pay.example.com\"".to_owned()),
                Just("data = \"x\"".to_owned()),
                Just("[webhooks.hitpay]".to_owned()),
                Just("[hitpay]".to_owned()),
                Just("[vipps]".to_owned()),
                Just("[numipay]".to_owned()),
                Just("[igivepay]".to_owned()),
                Just("[routes]".to_owned()),
                "(retries|timeout|allow_targets|log_level|bad_key_status|most_amount) = \
                 (\"[0-9a-z./-]{0,20}\"|-?[0-9]{1,21}|true|\\[\"[0-9smhd]{0,9}\"(,\"5m\")?\\])",
                "numipay_[a-z0-9]{1,8} = \\[\"[a-z/{}]{0,20}\"\\]",
                "\\PC{0,40}",
            ],
            0..10,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("florin.toml");
        std::fs::write(&file, lines.join("\n")).unwrap();
        match Config::read(&file) {
            Ok(config) => {
                let _ = config.delivery();
                let _ = config.policy();
            }
            Err(error) => prop_assert!(error.contains("florin.toml"), "{}", error),
        }
    }
}

/// A sandbox with Demo Shop, its router, and names of things that are there.
async fn sandbox() -> (Lab, Router, (Credentials, String), Vec<String>) {
    let mut lab = Lab::new().await;
    let credentials = sandbox::new_credentials(&lab.app);
    let demo = sandbox::prepare(&lab.app, credentials.clone())
        .await
        .unwrap();
    let app = Arc::get_mut(&mut lab.app).unwrap();
    (app.demo, app.sandbox) = (Some(demo), true);
    let mut router = gateway::http::router(Arc::clone(&lab.app));
    let mut names = vec!["demo-shop".to_owned(), "4791234567".to_owned()];
    for (path, kind, body) in [
        (
            "/v1/payment-requests",
            "application/x-www-form-urlencoded",
            "amount=10&currency=SGD&reference_number=R-1&payment_methods[]=card",
        ),
        (
            "/gateway/v1/payments/hosted",
            "application/json",
            r#"{"request":{"user_id":"1","tracking_id":"T-1","currency":"EUR","amount":"9"}}"#,
        ),
        (
            "/api/v1/payments",
            "application/json",
            r#"{"paymentTotal":10,"reference":"I-1","redirectUrl":"https://shop.example/"}"#,
        ),
    ] {
        let request = keyed(Request::post(path), &credentials, 1);
        let request = request.header("content-type", kind).body(Body::from(body));
        let answer = router.call(request.unwrap()).await.unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let told: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        for name in ["id", "transaction_id", "paymentId"] {
            names.extend(told[name].as_str().map(str::to_owned));
        }
        let url = told["url"].as_str().unwrap();
        names.extend(url.rsplit(['/', '=']).next().map(str::to_owned));
    }
    let token = keyed(Request::post("/accesstoken/get"), &credentials, 1).body(Body::empty());
    let token = router.call(token.unwrap()).await.unwrap();
    let bytes = token.into_body().collect().await.unwrap().to_bytes();
    let token: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let token = token["access_token"].as_str().unwrap().to_owned();
    (lab, router, (credentials, token), names)
}

/// The request with the credentials of every dialect, with none, or with wrong ones.
fn keyed(request: http::request::Builder, known: &Credentials, how: u8) -> http::request::Builder {
    match how % 4 {
        0 => request,
        3 => request
            .header("x-business-api-key", "wrong")
            .header("x-api-key", "wrong")
            .header("authorization", "Bearer wrong"),
        _ => request
            .header("x-business-api-key", &known.hitpay.api_key)
            .header("x-api-key", &known.numipay.api_key)
            .header("x-client-id", &known.igivepay.client_id)
            .header("x-client-secret", &known.igivepay.client_secret)
            .header("client_id", &known.vipps.client_id)
            .header("client_secret", &known.vipps.client_secret)
            .header("ocp-apim-subscription-key", &known.vipps.subscription_key)
            .header(
                "merchant-serial-number",
                &known.vipps.merchant_serial_number,
            ),
    }
}

/// Every kind of place there is.
const PLACES: [&str; 44] = [
    "/",
    "/health/ready",
    "/metrics",
    "/docs",
    "/docs/{}",
    "/docs-v1/",
    "/card-gen",
    "/v1/payment-requests",
    "/v1/payment-requests/{}",
    "/payment-request/@{}",
    "/payment-request/@demo-shop/{}/checkout",
    "/payment-request/@{}/{}/checkout",
    "/accesstoken/get",
    "/webhooks/v1/webhooks",
    "/webhooks/v1/webhooks/{}",
    "/epayment/v1/payments",
    "/epayment/v1/payments/{}",
    "/epayment/v1/payments/{}/capture",
    "/landing?token={}",
    "/gateway/v1/payments/hosted",
    "/gateway/v1/payments/s2s",
    "/gateway/v1/payouts",
    "/gateway/v1/payouts/approve",
    "/gateway/v1/transactions?from={}",
    "/gateway/v1/transactions/{}",
    "/cashier/{}",
    "/3ds/{}",
    "/api/v1/payments",
    "/api/v1/payments/{}",
    "/api/v1/payments/{}/perform",
    "/api/v1/payments/{}/cancel",
    "/api/v1/giftcards/balance/{}",
    "/pay/{}?token={}",
    "/sandbox/simulate",
    "/sandbox/gift-cards",
    "/sandbox/phones/{}",
    "/sandbox/phone/{}",
    "/sandbox/webhooks?payment={}",
    "/sandbox/webhooks/{}/resend",
    "/sandbox/endpoints/{}/pause",
    "/sandbox/deliveries?payment={}&state={}",
    "/sandbox/deliveries/{}",
    "/sandbox/shop/webhook",
    "/{}",
];

/// Names of members and fields that somebody reads.
const NAMES: [&str; 40] = [
    "amount",
    "currency",
    "value",
    "request",
    "reference",
    "reference_number",
    "tracking_id",
    "transaction_id",
    "user_id",
    "url",
    "events",
    "webhook",
    "paymentMethod",
    "type",
    "userFlow",
    "customer",
    "phoneNumber",
    "receipt",
    "expiresAt",
    "credit_card",
    "number",
    "paymentTotal",
    "cards",
    "cardNumber",
    "cvc",
    "card_number",
    "payment_methods[]",
    "modificationAmount",
    "payment",
    "outcome",
    "cards",
    "reason",
    "action",
    "method",
    "once",
    "expiry",
    "code",
    "name",
    "state",
    "clientId",
];

/// Calls that are right but for what stands in place of the sign `§`.
const NEARLY: [(&str, &str); 14] = [
    ("/v1/payment-requests", r#"{"amount":§,"currency":"SGD"}"#),
    ("/v1/payment-requests", r#"{"amount":10,"currency":§}"#),
    (
        "/v1/payment-requests",
        r#"{"amount":10,"currency":"SGD","expires_after":§,"name":§}"#,
    ),
    (
        "/epayment/v1/payments",
        r#"{"amount":{"currency":"NOK","value":§},"paymentMethod":{"type":"WALLET"},
            "userFlow":"WEB_REDIRECT","returnUrl":"https://a.example/",
            "reference":"ref-12345678"}"#,
    ),
    (
        "/epayment/v1/payments",
        r#"{"amount":{"currency":"NOK","value":500},"paymentMethod":{"type":"WALLET"},
            "userFlow":"PUSH_MESSAGE","customer":§,"reference":§}"#,
    ),
    (
        "/webhooks/v1/webhooks",
        r#"{"url":"https://a.example/","events":["epayments.payment.created.v1",§]}"#,
    ),
    (
        "/gateway/v1/payments/hosted",
        r#"{"request":{"user_id":§,"tracking_id":"T-1","currency":"EUR","amount":"9"}}"#,
    ),
    (
        "/gateway/v1/payments/s2s",
        r#"{"request":{"user_id":"1","tracking_id":§,"currency":"EUR","amount":"9","ip":"1.2.3.4",
            "credit_card":{"number":§,"expiry_month":"12","expiry_year":"2030","cvv":"123",
            "holder":"A"},"customer":{"email":"a@b.example"}}}"#,
    ),
    (
        "/gateway/v1/payouts",
        r#"{"request":{"user_id":"1","tracking_id":§,"currency":"EUR","amount":§}}"#,
    ),
    ("/gateway/v1/payouts/approve", r#"{"transaction_id":§}"#),
    (
        "/api/v1/payments",
        r#"{"paymentTotal":§,"reference":"I-2","redirectUrl":"https://a.example/"}"#,
    ),
    (
        "/api/v1/payments/{}/perform",
        r#"{"cards":[{"cardNumber":§,"cvc":"123","amount":§}]}"#,
    ),
    ("/sandbox/simulate", r#"{"payment":§,"outcome":"approve"}"#),
    ("/sandbox/gift-cards", r#"{"amount":§,"currency":"NOK"}"#),
];

/// What is called and with what.
#[derive(Clone, Debug)]
struct Sent {
    method: &'static str,
    place: &'static str,
    /// Which of the names that are there stands in the place, or this text.
    name: (u8, String),
    headers: Vec<(&'static str, Vec<u8>)>,
    keyed: u8,
    body: String,
}

impl Sent {
    fn request(&self, known: &Credentials, token: &str, names: &[String]) -> Option<Request<Body>> {
        let (which, text) = &self.name;
        let name = names.get(usize::from(*which)).unwrap_or(text);
        let target = self.place.replace("{}", name);
        let mut request = Request::builder().method(self.method).uri(target);
        request = keyed(request, known, self.keyed);
        if [1, 2].contains(&(self.keyed % 4)) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                request = request.header(HeaderName::from_static(name), value);
            }
        }
        request.body(Body::from(self.body.clone())).ok()
    }
}

/// A header that somebody reads, with anything in it.
fn headers() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    (
        prop::sample::select(vec![
            "content-type",
            "idempotency-key",
            "authorization",
            "cookie",
            "accept",
            "accept-language",
            "origin",
            "sec-fetch-site",
            "if-none-match",
        ]),
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..30),
            Just(b"application/json".to_vec()),
            Just(b"application/x-www-form-urlencoded".to_vec()),
        ],
    )
}

fn sent() -> impl Strategy<Value = Sent> {
    let name = prop::sample::select(NAMES.to_vec());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[0-9]{1,25}(\\.[0-9]{0,3})?",
        "\"[^\"\\\\\\x00-\\x1f]{0,12}\"",
        Just("\"approve\"".to_owned()),
        Just("\"NOK\"".to_owned()),
        Just("\"4242424242424242\"".to_owned()),
    ];
    let members = |inner: BoxedStrategy<String>| {
        let one = (prop::sample::select(NAMES.to_vec()), inner)
            .prop_map(|(name, value)| format!("\"{name}\":{value}"));
        prop::collection::vec(one, 0..7).prop_map(|all| format!("{{{}}}", all.join(",")))
    };
    let value = leaf.clone().prop_recursive(3, 16, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            members(inner.boxed()),
        ]
    });
    let field = (name, "[a-zA-Z0-9%+.:/-]{0,18}").prop_map(|(name, text)| format!("{name}={text}"));
    let body = prop_oneof![
        members(value.boxed()),
        prop::collection::vec(field, 0..8).prop_map(|fields| fields.join("&")),
        "\\PC{0,80}",
    ];
    let name = (0_u8..14, "[a-zA-Z0-9%._~@-]{0,24}");
    let headers = prop::collection::vec(headers(), 0..3);
    let anything = (
        prop::sample::select(vec![
            "GET", "GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS",
        ]),
        prop::sample::select(PLACES.to_vec()),
        name.clone(),
        headers,
        any::<u8>(),
        body,
    )
        .prop_map(|(method, place, name, headers, keyed, body)| Sent {
            method,
            place,
            name,
            headers,
            keyed,
            body,
        });
    let right = prop::sample::select(vec!["\"R-1\"", "12.5", "500", "\"5.00\"", "\"SGD\""]);
    let what = prop_oneof![leaf, right.prop_map(str::to_owned)];
    let nearly = (
        prop::sample::select(NEARLY.to_vec()),
        what,
        name,
        any::<u32>(),
    )
        .prop_map(|((place, body), what, name, key)| Sent {
            method: "POST",
            place,
            name,
            headers: vec![
                ("content-type", b"application/json".to_vec()),
                ("idempotency-key", key.to_string().into_bytes()),
            ],
            keyed: 1,
            body: body.replace('§', &what),
        });
    prop_oneof![anything, nearly]
}

#[test]
fn nothing_that_is_sent_makes_a_5xx() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (lab, router, (credentials, token), names) = runtime.block_on(sandbox());
    assert!(names.len() >= 8, "{names:?}");
    let counts = std::cell::RefCell::new(std::collections::BTreeMap::<u16, u32>::new());
    let mut runner = TestRunner::new(Cases::with_cases(3_000));
    let judged = runner.run(&sent(), |sent| {
        let Some(request) = sent.request(&credentials, &token, &names) else {
            return Ok(());
        };
        let mut router = router.clone();
        let status = runtime.block_on(async move {
            let answer = router.call(request).await.unwrap();
            let status = answer.status();
            // The body is made as it is read.
            let _ = answer.into_body().collect().await;
            status
        });
        *counts.borrow_mut().entry(status.as_u16()).or_default() += 1;
        prop_assert!(status.as_u16() < 500, "{status}");
        Ok(())
    });
    if let Err(error) = judged {
        panic!("{error}");
    }
    // It got through to what is there, too.
    let counts = counts.into_inner();
    for status in [200, 201, 400, 401, 404, 405, 422] {
        assert!(counts.contains_key(&status), "never {status}: {counts:?}");
    }
    runtime.block_on(lab.ledger_is_whole());
}
