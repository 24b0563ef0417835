//! A fresh database for each case, and objects to put into it.

use std::path::PathBuf;

use domain::bill::Payer;
use domain::payment::Means;
use domain::{
    Ask, Bill, Caller, Currency, Event, Fact, Merchant, MerchantId, Mode, Moment, Money, Payment,
    Seed, Timestamp, WireId,
};
use store::{Failure, Options, Store, Tx, tables};

pub struct Lab {
    pub folder: tempfile::TempDir,
    pub store: Store,
    runtime: tokio::runtime::Runtime,
}

impl Lab {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("florin.db"), Options::TEST).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        Self {
            folder,
            store,
            runtime,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("florin.db")
    }

    pub fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.wait(self.store.write("case", work))
    }

    pub fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.wait(self.store.read("case", work))
    }

    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A merchant in test mode, saved.
    pub fn caller(&self, name: &'static str) -> Caller {
        let caller = caller(name);
        let merchant = caller.merchant.clone();
        self.write(move |tx| {
            Ok(tables::merchants::insert(
                tx,
                &merchant,
                Mode::Test,
                at(0, name).now,
            )?)
        })
        .unwrap();
        caller
    }

    /// A bill of a merchant, saved.
    pub fn bill(&self, caller: &Caller, number: i64) -> Bill {
        let bill = bill(caller, number);
        let saved = bill.clone();
        self.write(move |tx| Ok(tables::bills::insert(tx, &saved)?))
            .unwrap();
        bill
    }

    /// A payment of a bill, saved.
    pub fn payment(&self, bill: &Bill, number: i64) -> Payment {
        let payment = payment(bill, number);
        let saved = payment.clone();
        self.write(move |tx| Ok(tables::payments::insert(tx, &saved, "hitpay")?))
            .unwrap();
        payment
    }
}

/// A moment that differs by time and by label.
pub fn at(millis: i64, label: &str) -> Moment {
    let seed = Seed::new(Seed::new([7; 32]).derive(label));
    Moment {
        now: Timestamp::from_millis(1_000_000 + millis),
        seed,
    }
}

pub fn sgd(minor: i64) -> Money {
    Money::from_minor(minor, Currency::parse("SGD").unwrap()).unwrap()
}

pub fn caller(name: &str) -> Caller {
    let merchant = Merchant {
        id: MerchantId::mint(&at(0, name), "merchant"),
        name: name.to_owned(),
        slug: Merchant::slug_of(name),
        currency: Currency::parse("SGD").unwrap(),
    };
    Caller {
        merchant,
        mode: Mode::Test,
    }
}

pub fn ask(amount: i64) -> Ask {
    let mut extras = serde_json::Map::new();
    extras.insert("channel".to_owned(), "api_test".into());
    Ask {
        amount: sgd(amount),
        expires: None,
        repeatable: false,
        reference: Some("ORDER-1".to_owned()),
        purpose: Some("Tea – 茶".to_owned()),
        payer: Payer {
            email: Some("a@example.com".to_owned()),
            ..Payer::default()
        },
        methods: vec!["card".to_owned()],
        return_url: Some("https://shop.example/back".to_owned()),
        notify_url: None,
        extras,
    }
}

pub fn bill(caller: &Caller, number: i64) -> Bill {
    let at = at(number, &format!("{}/bill/{number}", caller.merchant.name));
    let wire = WireId::new(format!("{}-{number}", caller.merchant.slug)).unwrap();
    Bill::create(&at, caller, "hitpay", wire, ask(1_050))
}

pub fn payment(bill: &Bill, number: i64) -> Payment {
    let at = at(number, &format!("{}/payment/{number}", bill.head.wire));
    let wire = WireId::new(format!("{}/{number}", bill.head.wire)).unwrap();
    let means = Means {
        method: "card".to_owned(),
        rail: "simulator".to_owned(),
        instrument: None,
    };
    Payment::begin(&at, bill, wire, means)
}

/// An event about a bill, at a moment of its own.
pub fn event(bill: &Bill, fact: Fact, number: i64) -> Event {
    let at = at(number, &format!("{}/event/{number}", bill.head.wire));
    Event::of_bill(&at, fact, bill.clone(), None)
}
