//! A shop: a sandbox in this process and a client that calls it as deployed clients do.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use domain::{Secret, Span, Timestamp};
use gateway::app::{App, Parts};
use gateway::clock::Clock;
use gateway::entropy::Entropy;
use gateway::outbound::{Outbound, Received, Sending};
use gateway::vault::Vault;
use gateway::{http, sandbox, workers};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower_service::Service;

use crate::described;

pub const PAYMENTS: &str = "/epayment/v1/payments";
pub const HOOKS: &str = "/webhooks/v1/webhooks";

/// Takes webhooks, keeps them, and answers with one status; 0 is no answer.
pub struct Receiver {
    pub status: AtomicU16,
    pub got: Mutex<Vec<Sending>>,
}

impl Receiver {
    pub fn bodies(&self) -> Vec<Value> {
        let got = self.got.lock().unwrap();
        got.iter()
            .map(|sending| serde_json::from_str(&sending.body).unwrap())
            .collect()
    }

    pub fn names(&self) -> Vec<String> {
        let names = self.bodies().into_iter();
        names
            .map(|body| body["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub headers: http_types::HeaderMap,
    pub body: String,
}

use ::http as http_types;

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The code of a numbered error.
    pub fn code(&self) -> String {
        let details = self.json()["extraDetails"].clone();
        assert_eq!(details[0]["name"], "ErrorCode", "{self:?}");
        details[0]["reason"].as_str().unwrap().to_owned()
    }
}

pub struct Shop {
    pub app: Arc<App>,
    pub clock: Clock,
    pub receiver: Arc<Receiver>,
    pub vipps: sandbox::Vipps,
    pub token: String,
    router: Router,
    _folder: tempfile::TempDir,
}

/// What differs from a usual sandbox.
#[derive(Default)]
pub struct Setup {
    pub rules: domain::reservation::Rules,
    pub vipps: dialects::vipps::Options,
    /// The URL of a PostgreSQL in place of a file.
    pub postgres: Option<String>,
}

impl Shop {
    pub async fn open() -> Self {
        Self::set_up(Setup::default()).await
    }

    pub async fn with(rules: domain::reservation::Rules) -> Self {
        let setup = Setup {
            rules,
            ..Setup::default()
        };
        Self::set_up(setup).await
    }

    pub async fn set_up(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_millis(1_795_000_000_000));
        let receiver = Arc::new(Receiver {
            status: AtomicU16::new(200),
            got: Mutex::default(),
        });
        let ours = Arc::clone(&receiver);
        let script = move |sending: &Sending| {
            ours.got.lock().unwrap().push(sending.clone());
            match ours.status.load(Ordering::SeqCst) {
                0 => Err("connection refused".to_owned()),
                status => Ok(Received {
                    status,
                    headers: Vec::new(),
                    body: String::new(),
                }),
            }
        };
        let path = folder.path().join("florin.db");
        let mut app = App::new(Parts {
            store: match &setup.postgres {
                Some(url) => store::Store::open_url(url, store::Options::TEST).unwrap(),
                None => store::Store::open(&path, store::Options::TEST).unwrap(),
            },
            clock: clock.clone(),
            entropy: Entropy::seeded(1),
            outbound: Outbound::Scripted(Arc::new(script)),
            vault: Vault::new(&Secret::new("5".repeat(64))).unwrap(),
            site: dialects::Site {
                reservations: setup.rules,
                vipps: setup.vipps,
                ..dialects::Site::sandbox("http://127.0.0.1:8080")
            },
            demo: None,
            delivery: std::collections::BTreeMap::new(),
        });
        let credentials = sandbox::new_credentials(&app);
        let vipps = credentials.vipps.clone();
        app.demo = Some(sandbox::prepare(&app, credentials).await.unwrap());
        app.sandbox = true;
        let app = Arc::new(app);
        let mut shop = Self {
            router: http::router(Arc::clone(&app)),
            app,
            clock,
            receiver,
            vipps,
            token: String::new(),
            _folder: folder,
        };
        shop.token = shop.new_token().await;
        shop
    }

    /// Any request.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = http_types::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().call(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let kind = head.headers.get("content-type");
        let answer = Answer {
            status: head.status.as_u16(),
            kind: kind.map_or("", |kind| kind.to_str().unwrap()).to_owned(),
            headers: head.headers.clone(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        described::holds(method, path, &answer);
        answer
    }

    pub fn client_headers(&self) -> [(&str, &str); 3] {
        [
            ("client_id", &self.vipps.client_id),
            ("client_secret", &self.vipps.client_secret),
            ("Ocp-Apim-Subscription-Key", &self.vipps.subscription_key),
        ]
    }

    pub async fn new_token(&self) -> String {
        let headers = self.client_headers();
        let answer = self.send("POST", "/accesstoken/get", &headers, "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// An authenticated call, with more headers.
    pub async fn with_headers(
        &self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("Authorization", bearer.as_str()),
            ("Ocp-Apim-Subscription-Key", &self.vipps.subscription_key),
            ("Merchant-Serial-Number", &self.vipps.merchant_serial_number),
        ];
        headers.extend(more);
        self.send(method, path, &headers, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.with_headers("GET", path, &[], "").await
    }

    /// A call with an idempotency key.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        let headers = [
            ("Idempotency-Key", key),
            ("Content-Type", "application/json"),
        ];
        self.with_headers("POST", path, &headers, &body.to_string())
            .await
    }

    pub fn terms(reference: &str) -> Value {
        json!({
            "amount": {"currency": "NOK", "value": 49_900},
            "paymentMethod": {"type": "WALLET"},
            "customer": {"phoneNumber": "4791234567"},
            "reference": reference,
            "userFlow": "WEB_REDIRECT",
            "returnUrl": "https://shop.example/back?order=1#top",
            "paymentDescription": "One pair of socks",
        })
    }

    /// A payment that waits for its payer.
    pub async fn create(&self, reference: &str) -> Value {
        let key = format!("create {reference}");
        let answer = self.post(PAYMENTS, &key, &Self::terms(reference)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    /// A payment that was approved.
    pub async fn approved(&self, reference: &str) {
        self.create(reference).await;
        self.simulate(reference, "approve", 200).await;
    }

    pub async fn simulate(&self, reference: &str, outcome: &str, status: u16) -> Value {
        let body = json!({"payment": reference, "outcome": outcome}).to_string();
        let headers = self.client_headers();
        let answer = self
            .send("POST", "/sandbox/simulate", &headers, &body)
            .await;
        assert_eq!(answer.status, status, "{answer:?}");
        answer.json()
    }

    /// `capture` or `refund` of so many minor units.
    pub async fn modify(&self, reference: &str, what: &str, key: &str, minor: i64) -> Answer {
        let body = json!({"modificationAmount": {"currency": "NOK", "value": minor}});
        self.post(&format!("{PAYMENTS}/{reference}/{what}"), key, &body)
            .await
    }

    pub async fn cancel(&self, reference: &str) -> Answer {
        let path = format!("{PAYMENTS}/{reference}/cancel");
        self.with_headers("POST", &path, &[], "").await
    }

    pub async fn show(&self, reference: &str) -> Value {
        let answer = self.get(&format!("{PAYMENTS}/{reference}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// State, and authorised, cancelled, captured and refunded minor units.
    pub async fn sums(&self, reference: &str) -> (String, [i64; 4]) {
        let shown = self.show(reference).await;
        (shown["state"].as_str().unwrap().to_owned(), sums_of(&shown))
    }

    /// Names and success of the event log.
    pub async fn log(&self, reference: &str) -> Vec<(String, bool)> {
        let answer = self.get(&format!("{PAYMENTS}/{reference}/events")).await;
        let log = answer.json();
        let entries = log.as_array().unwrap().iter();
        entries
            .map(|entry| {
                let name = entry["name"].as_str().unwrap().to_owned();
                (name, entry["success"].as_bool().unwrap())
            })
            .collect()
    }

    /// Registers for all events of payments.
    pub async fn register(&self, url: &str) -> Value {
        let events: Vec<String> = domain::StepKind::ALL
            .into_iter()
            .map(dialects::vipps::topics::of)
            .collect();
        let body = json!({"url": url, "events": events}).to_string();
        let answer = self.with_headers("POST", HOOKS, &[], &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    /// Moves the clock, from due time to due time, and does what is due on the way.
    pub async fn later(&self, span: Span) {
        let end = self.clock.now().plus(span);
        loop {
            let now = self.clock.now();
            let next = workers::next_due(&self.app, now).await.unwrap();
            let next = next.filter(|next| *next <= end);
            self.clock.advance(next.unwrap_or(end).since(now));
            workers::tick(&self.app).await.unwrap();
            self.deliver().await;
            if next.is_none() {
                return;
            }
        }
    }

    /// Sends what is due.
    pub async fn deliver(&self) {
        while workers::webhooks::tick(&self.app).await.unwrap() > 0 {}
    }

    pub async fn ledger_is_whole(&self) {
        let verified = self
            .app
            .store
            .read("verify", gateway::operations::ledger::verify);
        assert_eq!(verified.await.unwrap().problems, Vec::<String>::new());
        let summary = gateway::operations::ledger::summary(&self.app)
            .await
            .unwrap();
        assert!(summary.balanced(), "{summary:?}");
    }
}

/// Authorised, cancelled, captured and refunded minor units of an answer.
pub fn sums_of(shown: &Value) -> [i64; 4] {
    [
        "authorizedAmount",
        "cancelledAmount",
        "capturedAmount",
        "refundedAmount",
    ]
    .map(|name| shown["aggregate"][name]["value"].as_i64().unwrap())
}
