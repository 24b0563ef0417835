//! A shop: a sandbox in this process, with a manual clock and a receiver that checks signatures.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ::http as types;
use axum::Router;
use axum::body::Body;
use dialects::Dialect;
use domain::{Caller, PaymentSettings, Secret, Span, Timestamp};
use gateway::app::{App, Parts};
use gateway::clock::Clock;
use gateway::entropy::Entropy;
use gateway::operations::endpoints::Who;
use gateway::operations::{ledger, providers};
use gateway::outbound::{Outbound, Received, Sending};
use gateway::sandbox::Demo;
use gateway::vault::Vault;
use gateway::{http, sandbox, workers};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower_service::Service;

use crate::process::cluster::Cluster;

pub const NUMIPAY: &dyn Dialect = &dialects::numipay::Numipay;
pub const HOSTED: &str = "/gateway/v1/payments/hosted";
pub const DIRECT: &str = "/gateway/v1/payments/direct";
pub const SERVER: &str = "/gateway/v1/payments/s2s";
pub const PAYOUTS: &str = "/gateway/v1/payouts";
pub const APPROVE: &str = "/gateway/v1/payouts/approve";
pub const REJECT: &str = "/gateway/v1/payouts/reject";
pub const LIST: &str = "/gateway/v1/transactions";
const FORM: &str = "application/x-www-form-urlencoded";

/// As in production: each closure once, several jobs together.
pub const ONCE: store::Options = store::Options {
    run_twice: false,
    ..store::Options::TEST
};

/// Takes webhooks and keeps them; answers with one status, 0 is no answer.
pub struct Receiver {
    pub status: AtomicU16,
    pub got: Mutex<Vec<(Timestamp, Sending)>>,
}

#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub location: String,
    pub body: String,
}

pub struct Shop {
    pub app: Arc<App>,
    pub clock: Clock,
    pub receiver: Arc<Receiver>,
    pub known: sandbox::Numipay,
    pub caller: Caller,
    pub router: Router,
    parts: Share,
    _folder: tempfile::TempDir,
}

/// What the nodes of one shop have in common.
#[derive(Clone)]
struct Share {
    /// Where the data is, if it is in PostgreSQL.
    url: Option<String>,
    demo: Option<Demo>,
    outbound: Outbound,
    clock: Clock,
    site: dialects::Site,
}

impl Share {
    fn app(&self, store: store::Store, chance: u64) -> App {
        App::new(Parts {
            store,
            clock: self.clock.clone(),
            entropy: Entropy::seeded(chance),
            outbound: self.outbound.clone(),
            vault: Vault::new(&Secret::new("5".repeat(64))).unwrap(),
            site: self.site.clone(),
            demo: self.demo.clone(),
            delivery: std::collections::BTreeMap::new(),
        })
    }
}

/// Opens a database without holding up the runtime.
async fn opened(url: String) -> store::Store {
    let open = move || store::Store::open_url(&url, ONCE).unwrap();
    tokio::task::spawn_blocking(open).await.unwrap()
}

impl Shop {
    pub async fn open() -> Self {
        Self::with(dialects::Site::sandbox("http://127.0.0.1:8080")).await
    }

    pub async fn with(site: dialects::Site) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("florin.db");
        let store = store::Store::open(&path, store::Options::TEST).unwrap();
        Self::over(store, folder, (site, None)).await
    }

    /// A shop whose data is in PostgreSQL, in a schema of its own; none if there is no PostgreSQL.
    pub async fn on_postgres() -> Option<Self> {
        let url = schema().await?;
        let store = opened(url.clone()).await;
        let site = dialects::Site::sandbox("http://127.0.0.1:8080");
        let folder = tempfile::tempdir().unwrap();
        Some(Self::over(store, folder, (site, Some(url))).await)
    }

    /// Another node on the same PostgreSQL, with credentials, clock and receiver in common.
    pub async fn node(&self, chance: u64) -> Self {
        let store = opened(self.parts.url.clone().unwrap()).await;
        let app = Arc::new(self.parts.app(store, chance));
        Self {
            router: http::router(Arc::clone(&app)),
            app,
            clock: self.clock.clone(),
            receiver: Arc::clone(&self.receiver),
            known: self.known.clone(),
            caller: self.caller.clone(),
            parts: self.parts.clone(),
            _folder: tempfile::tempdir().unwrap(),
        }
    }

    async fn over(
        store: store::Store,
        folder: tempfile::TempDir,
        (site, url): (dialects::Site, Option<String>),
    ) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_795_000_000_000));
        let receiver = Arc::new(Receiver {
            status: AtomicU16::new(200),
            got: Mutex::default(),
        });
        let (ours, time) = (Arc::clone(&receiver), clock.clone());
        let script = move |sending: &Sending| {
            ours.got.lock().unwrap().push((time.now(), sending.clone()));
            match ours.status.load(Ordering::SeqCst) {
                0 => Err("connection refused".to_owned()),
                status => Ok(Received {
                    status,
                    headers: Vec::new(),
                    body: String::new(),
                }),
            }
        };
        let mut parts = Share {
            url,
            demo: None,
            outbound: Outbound::Scripted(Arc::new(script)),
            clock: clock.clone(),
            site,
        };
        let mut app = parts.app(store, 1);
        let credentials = sandbox::new_credentials(&app);
        let known = credentials.numipay.clone();
        let demo = sandbox::prepare(&app, credentials).await.unwrap();
        let caller = demo.caller.clone();
        parts.demo = Some(demo);
        app.demo.clone_from(&parts.demo);
        app.sandbox = true;
        let app = Arc::new(app);
        Self {
            router: http::router(Arc::clone(&app)),
            app,
            clock,
            receiver,
            known,
            caller,
            parts,
            _folder: folder,
        }
    }

    /// Changes how the merchant takes and sends money.
    pub async fn settle(&self, change: impl FnOnce(&mut PaymentSettings)) {
        let (merchant, mode) = (&self.caller.merchant.id, self.caller.mode);
        let mut settings = providers::settings(&self.app, merchant, mode)
            .await
            .unwrap();
        change(&mut settings);
        let who = Who {
            caller: &self.caller,
            actor: "test",
        };
        providers::put_settings(&self.app, &who, settings)
            .await
            .unwrap();
    }

    async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> (types::response::Parts, String) {
        let path = path.strip_prefix("http://127.0.0.1:8080").unwrap_or(path);
        let mut request = types::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = self.router.clone().call(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head, String::from_utf8(body.to_vec()).unwrap())
    }

    /// A call of the API under a key.
    pub async fn call_as(&self, key: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("x-api-key", key), ("content-type", "application/json")];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (head, text) = self.raw(method, path, &headers, body).await;
        let told = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"));
        crate::document::holds(method, path, head.status.as_u16(), &told);
        (head.status.as_u16(), told)
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call_as(&self.known.api_key, "POST", path, &body).await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let key = &self.known.api_key;
        self.call_as(key, "GET", path, &Value::Null).await
    }

    /// What the simulator can do in somebody's place.
    pub async fn simulate(&self, payment: &str, outcome: &str) -> (u16, Value) {
        let wanted = json!({"payment": payment, "outcome": outcome});
        self.post("/sandbox/simulate", wanted).await
    }

    /// A deposit or a payout with an id of its own.
    pub fn request(tracking: &str, amount: &str) -> Value {
        json!({"request": {
            "user_id": "u-1", "tracking_id": tracking, "currency": "EUR", "amount": amount,
            "return_url": "https://shop.example/back?x=1",
            "notification_url": "https://shop.example/hook",
        }})
    }

    pub fn with_card(tracking: &str, number: &str) -> Value {
        let mut body = Self::request(tracking, "200.00");
        body["request"]["ip"] = json!("203.0.113.7");
        body["request"]["customer"] = json!({"email": "ana@example.com"});
        body["request"]["credit_card"] = json!({
            "number": number, "holder": "Ana Ruiz", "exp_month": "12", "exp_year": "2030",
            "verification_value": "907",
        });
        body
    }

    /// Begins something; gives its answer.
    pub async fn begin(&self, path: &str, tracking: &str, amount: &str) -> Value {
        let (status, told) = self.post(path, Self::request(tracking, amount)).await;
        assert_eq!(status, 200, "{told}");
        told
    }

    /// Money for payouts: a deposit that was paid.
    pub async fn fill(&self, amount: &str) {
        self.fill_as(amount, &format!("fill {amount}")).await;
    }

    /// The same under an id of its own.
    pub async fn fill_as(&self, amount: &str, tracking: &str) {
        let told = self.begin(HOSTED, tracking, amount).await;
        let (status, told) = self
            .simulate(text(&told, "transaction_id"), "approve")
            .await;
        assert_eq!((status, &told["status"]), (200, &json!("successful")));
    }

    /// How a transaction stands.
    pub async fn standing(&self, id: &str) -> Value {
        let (status, told) = self.get(&format!("{LIST}/{id}")).await;
        assert_eq!(status, 200, "{told}");
        told
    }

    pub async fn is(&self, id: &str, word: &str) {
        assert_eq!(self.standing(id).await["transaction_status"], word);
    }

    pub async fn page(&self, path: &str) -> Page {
        self.form("GET", path, "").await
    }

    /// Sends a form of a page.
    pub async fn submit(&self, path: &str, form: &str) -> Page {
        self.form("POST", path, form).await
    }

    async fn form(&self, method: &str, path: &str, form: &str) -> Page {
        let headers = [("content-type", FORM)];
        let (head, body) = self.raw(method, path, &headers, form.to_owned()).await;
        let location = head.headers.get("location");
        Page {
            status: head.status.as_u16(),
            location: location.map_or("", |l| l.to_str().unwrap()).to_owned(),
            body,
        }
    }

    /// Time passes, and everything that is due happens.
    pub async fn pass(&self, span: Span) {
        self.clock.advance(span);
        workers::tick(&self.app).await.unwrap();
        self.deliver().await;
    }

    /// Sends every webhook that is due.
    pub async fn deliver(&self) {
        while workers::webhooks::tick(&self.app).await.unwrap() > 0 {}
    }

    /// Status words of the webhooks about a transaction; every signature and shape is checked.
    pub async fn told(&self, id: &str) -> Vec<String> {
        self.deliver().await;
        let got = self.receiver.got.lock().unwrap();
        let mut words = Vec::new();
        for (_, sending) in got.iter() {
            let body: Value = serde_json::from_str(&sending.body).unwrap();
            let password = Secret::new(self.known.signature_password.clone());
            let signed = dialects::sign::numipay_signature(sending.body.as_bytes(), &password);
            let header = sending
                .headers
                .iter()
                .find(|(name, _)| name == "x-signature");
            assert_eq!(header.unwrap().1, signed);
            let names: Vec<&String> = body.as_object().unwrap().keys().collect();
            assert_eq!(names.len(), 7, "{names:?}");
            if body["transaction_id"] == id {
                words.push(text(&body, "status").to_owned());
            }
        }
        words
    }

    /// Balances of the accounts of a kind, in minor units.
    pub async fn balance(&self, kind: &str) -> i64 {
        let summary = ledger::summary(&self.app).await.unwrap();
        assert!(summary.balanced(), "{summary:?}");
        let of = summary.accounts.iter();
        let of = of.filter(|account| account.account.starts_with(kind));
        i64::try_from(of.map(|account| account.minor).sum::<i128>()).unwrap()
    }

    pub async fn ledger_is_whole(&self) {
        let verified = self.app.store.read("verify", ledger::verify).await.unwrap();
        assert_eq!(verified.problems, Vec::<String>::new());
    }
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {value}"))
}

pub fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page
        .split(&start)
        .nth(1)
        .unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

pub fn minutes(count: u64) -> Span {
    Span::from_minutes(count)
}

/// The URL of a fresh schema: on the server that `FLORIN_TEST_POSTGRES` names, else on a private
/// one that all tests of this process share.
async fn schema() -> Option<String> {
    static SERVER: OnceLock<Option<(String, Option<Cluster>)>> = OnceLock::new();
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let made = tokio::task::spawn_blocking(|| {
        let server = SERVER.get_or_init(|| match std::env::var("FLORIN_TEST_POSTGRES") {
            Ok(url) => Some((url, None)),
            Err(_) => Cluster::start().map(|cluster| (cluster.url(), Some(cluster))),
        });
        let (server, _) = server.as_ref()?;
        let store = store::Store::open_url(server, ONCE).unwrap();
        Some((store, server.clone()))
    });
    let (store, server) = made.await.unwrap()?;
    let number = COUNT.fetch_add(1, Ordering::SeqCst);
    let name = format!("numipay_{}_{number}", std::process::id());
    // Statements are constants everywhere else.
    let sql: &'static str = Box::leak(format!("CREATE SCHEMA {name}").into_boxed_str());
    let made = store.write("schema", move |tx| Ok(tx.exec(sql, &[])?));
    made.await.unwrap();
    let sign = if server.contains('?') { '&' } else { '?' };
    Some(format!("{server}{sign}options=-csearch_path%3D{name}"))
}
