//! A gateway in this process: a real store, a manual clock, a script in place of the network.

#![allow(
    dead_code,
    clippy::expect_used,
    reason = "each test crate uses its part, and fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use dialects::Dialect;
use domain::bill::Payer;
use domain::card::YearMonth;
use domain::{Caller, Card, Currency, Mode, Money, Reply, Secret, Span, Timestamp, WireId};
use gateway::app::{App, Parts};
use gateway::clock::Clock;
use gateway::entropy::Entropy;
use gateway::operations::payments::Pay;
use gateway::operations::{bills, ledger, merchants};
use gateway::outbound::{Outbound, Script};
use gateway::vault::Vault;

pub const HITPAY: &dyn Dialect = &dialects::hitpay::HitPay;

pub struct Lab {
    pub app: Arc<App>,
    pub caller: Caller,
    pub clock: Clock,
    outbound: Outbound,
    folder: tempfile::TempDir,
    starts: u64,
}

/// Opens the folder; each start has chance of its own.
fn open(folder: &tempfile::TempDir, clock: &Clock, outbound: &Outbound, start: u64) -> App {
    let path = folder.path().join("florin.db");
    App::new(Parts {
        store: store::Store::open(&path, store::Options::TEST).unwrap(),
        clock: clock.clone(),
        entropy: Entropy::seeded(start),
        outbound: outbound.clone(),
        vault: Vault::new(&Secret::new("5".repeat(64))).unwrap(),
        site: dialects::Site::sandbox("http://127.0.0.1"),
        demo: None,
        delivery: BTreeMap::new(),
    })
}

impl Lab {
    /// A gateway whose webhooks go nowhere.
    pub async fn new() -> Self {
        Self::with(Arc::new(|_| Err("nobody listens".to_owned()))).await
    }

    /// A gateway whose webhooks are answered by a script.
    pub async fn with(script: Script) -> Self {
        Self::over(Outbound::Scripted(script)).await
    }

    /// A gateway with a way out of one's own.
    pub async fn over(outbound: Outbound) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_millis(1_795_000_000_000));
        let app = open(&folder, &clock, &outbound, 1);
        let sgd = Currency::parse("SGD").unwrap();
        let merchant = merchants::add(&app, "Shop", sgd, Mode::Test).await.unwrap();
        let caller = Caller {
            merchant,
            mode: Mode::Test,
        };
        merchants::new_salt(&app, "hitpay", &caller).await.unwrap();
        Self {
            app: Arc::new(app),
            caller,
            clock,
            outbound,
            folder,
            starts: 1,
        }
    }

    /// The process ends and another one starts on the same folder.
    pub async fn reopen(self) -> Self {
        let app = Arc::into_inner(self.app).expect("nobody else holds the old one");
        app.store.close();
        let starts = self.starts + 1;
        let app = open(&self.folder, &self.clock, &self.outbound, starts);
        gateway::workers::take_over(&app).await.unwrap();
        Self {
            app: Arc::new(app),
            starts,
            ..self
        }
    }

    /// What is on disk now, if all of it was synced: the database and its log.
    pub fn disk(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for name in ["florin.db", "florin.db-wal"] {
            std::fs::copy(self.folder.path().join(name), copy.path().join(name)).unwrap();
        }
        copy
    }

    /// The power fails: what was written after `disk` is gone.
    pub async fn power_cut(self, disk: tempfile::TempDir) -> Self {
        let cut = Self {
            folder: disk,
            ..self
        };
        cut.reopen().await
    }

    pub fn ask(&self, repeatable: bool, lives: Option<Span>) -> domain::Ask {
        domain::Ask {
            amount: Money::from_minor(1_000, Currency::parse("SGD").unwrap()).unwrap(),
            expires: lives.map(|span| self.clock.now().plus(span)),
            repeatable,
            reference: None,
            purpose: None,
            payer: Payer::default(),
            methods: vec!["card".to_owned()],
            return_url: None,
            notify_url: Some("http://127.0.0.1/hook".to_owned()),
            extras: serde_json::Map::new(),
        }
    }

    pub async fn bill(&self, repeatable: bool, lives: Option<Span>) -> WireId {
        let ask = self.ask(repeatable, lives);
        match bills::create(&self.app, HITPAY, &self.caller, ask)
            .await
            .unwrap()
        {
            Reply::BillCreated(view) => view.bill.head.wire,
            other => panic!("{other:?}"),
        }
    }

    pub async fn merchant_has(&self) -> i64 {
        let summary = ledger::summary(&self.app).await.unwrap();
        assert!(summary.balanced(), "{summary:?}");
        let of = summary
            .accounts
            .iter()
            .filter(|a| a.account.starts_with("merchant:"));
        i64::try_from(of.map(|account| account.minor).sum::<i128>()).unwrap()
    }

    /// The bytes of every file of the database.
    pub fn files(&self) -> Vec<Vec<u8>> {
        std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect()
    }

    pub async fn ledger_is_whole(&self) {
        let verified = self.app.store.read("verify", ledger::verify).await.unwrap();
        assert_eq!(verified.problems, Vec::<String>::new());
    }
}

pub fn form(number: &str, once: &str) -> Pay {
    let today = YearMonth {
        year: 2026,
        month: 11,
    };
    let card = Card::read(number, "12/30", "123", today).unwrap();
    Pay {
        method: "card".to_owned(),
        card: Some(card),
        once: once.to_owned(),
    }
}
