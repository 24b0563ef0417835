//! A fresh database for each case, and objects to put into it.

use domain::bill::Payer;
use domain::payment::Means;
use domain::{
    Ask, Bill, Caller, Currency, Event, Fact, Merchant, MerchantId, Mode, Moment, Money, Payment,
    Seed, Timestamp, WireId,
};
use store::{Failure, OpenError, Options, Store, Tx, tables};

use crate::cluster::{self, Schema};

/// As in production.
const ONCE: Options = Options {
    run_twice: false,
    ..Options::TEST
};

/// A fresh database; its parts end in this order.
pub struct Lab {
    pub store: Store,
    pub place: Place,
    runtime: tokio::runtime::Runtime,
}

/// Where a lab's database is.
pub enum Place {
    Sqlite(tempfile::TempDir),
    Postgres(Schema, Options),
}

impl Place {
    pub fn open(&self) -> Result<Store, OpenError> {
        match self {
            Self::Sqlite(folder) => Store::open(&folder.path().join("florin.db"), Options::TEST),
            Self::Postgres(schema, options) => Store::open_url(&schema.url, *options),
        }
    }

    pub fn open_read_only(&self) -> Result<Store, OpenError> {
        match self {
            Self::Sqlite(folder) => Store::open_read_only(&folder.path().join("florin.db")),
            Self::Postgres(schema, options) => Store::open_url_read_only(&schema.url, *options),
        }
    }

    /// The URL, where it has one.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(schema, _) => Some(&schema.url),
        }
    }

    /// Runs statements beside Florin; the first column of all rows, as text.
    pub fn run(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("florin.db"));
                let connection = connection.unwrap();
                let mut statement = connection.prepare(sql).unwrap();
                let rows = statement.query_map([], |row| row.get(0)).unwrap();
                rows.map(Result::unwrap).collect()
            }
            Self::Postgres(schema, _) => cluster::run(&schema.url, sql).unwrap(),
        }
    }
}

impl Lab {
    pub fn sqlite() -> Option<Self> {
        Some(Self::at(Place::Sqlite(tempfile::tempdir().unwrap())))
    }

    /// Nothing where there is no PostgreSQL.
    pub fn postgres() -> Option<Self> {
        Schema::new().map(|schema| Self::at(Place::Postgres(schema, Options::TEST)))
    }

    /// The same without running every closure twice.
    pub fn postgres_once() -> Option<Self> {
        Schema::new().map(|schema| Self::at(Place::Postgres(schema, ONCE)))
    }

    /// On a server of its own.
    pub fn postgres_at(server: &str) -> Self {
        Self::at(Place::Postgres(Schema::at(server), ONCE))
    }

    /// Another one of the same kind.
    pub fn another(&self) -> Self {
        match self.place {
            Place::Sqlite(_) => Self::sqlite().unwrap(),
            Place::Postgres(_, options) if options.run_twice => Self::postgres().unwrap(),
            Place::Postgres(..) => Self::postgres_once().unwrap(),
        }
    }

    fn at(place: Place) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        Self {
            store: place.open().unwrap(),
            place,
            runtime,
        }
    }

    /// Ends this process's part; the database stays.
    pub fn close(self) -> Place {
        self.store.close();
        self.place
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

/// Waits for something outside any lab.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.build().unwrap().block_on(work)
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
