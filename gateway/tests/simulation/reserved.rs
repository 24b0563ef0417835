//! Reservations beside the bills: reserved, captured, released and refunded in parts, each call
//! with a key and sent twice, against a model of five numbers.

use std::collections::BTreeMap;

use dialects::Dialect;
use domain::bill::Payer;
use domain::call::Incoming;
use domain::reservation::{Reach, ReservationReply};
use domain::{Ask, Call, Caller, Currency, Money, PaymentState, Reply, ReservationCall, Timestamp};
use gateway::app::App;
use gateway::operations::{self, Failure};

const VIPPS: &dyn Dialect = &dialects::vipps::Vipps;
const LIFE: i64 = 10 * 60 * 1_000;

/// What a reservation is, as far as anybody can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Pending,
    Reserved,
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    amount: i64,
    until: i64,
    stand: Stand,
    captured: i64,
    released: i64,
    refunded: i64,
}

impl Known {
    fn held(&self) -> i64 {
        match self.stand {
            Stand::Reserved => self.amount - self.captured - self.released,
            Stand::Pending | Stand::Over => 0,
        }
    }
}

/// All of them, by reference.
#[derive(Debug, Default)]
pub struct Reserved {
    all: BTreeMap<String, Known>,
    calls: u32,
}

impl Reserved {
    /// One call about one of them, with two numbers of chance.
    pub async fn step(&mut self, app: &App, caller: &Caller, (what, much): (u32, u32)) {
        let now = app.clock.now().millis();
        let count = u32::try_from(self.all.len()).unwrap();
        if what.is_multiple_of(4) || count == 0 {
            return self.create(app, caller, much, now).await;
        }
        let place = (what / 8 % count) as usize;
        let (name, known) = self.all.iter_mut().nth(place).unwrap();
        if known.stand == Stand::Pending && known.until <= now {
            known.stand = Stand::Over;
        }
        // Never one of the amounts that the bank refuses.
        let part = i64::from(much % 400) * 10 + 1;
        let (call, fine) = match what % 8 {
            1 => {
                let approve = ReservationCall::Approve {
                    reference: name.clone(),
                    phone: Some("4791234567".to_owned()),
                    token: None,
                };
                let fine = known.stand == Stand::Pending;
                if fine {
                    known.stand = Stand::Reserved;
                }
                (approve, fine)
            }
            2 | 3 => {
                let fine = part <= known.held();
                known.captured += if fine { part } else { 0 };
                (ReservationCall::Capture(name.clone(), nok(part)), fine)
            }
            5 | 6 => {
                let fine = part <= known.captured - known.refunded;
                known.refunded += if fine { part } else { 0 };
                (ReservationCall::Refund(name.clone(), nok(part)), fine)
            }
            _ => {
                let fine = known.stand == Stand::Pending || known.held() > 0;
                if known.stand == Stand::Pending {
                    known.stand = Stand::Over;
                }
                known.released += known.held();
                let cancel = ReservationCall::Cancel {
                    reference: name.clone(),
                    only_pending: false,
                };
                (cancel, fine)
            }
        };
        let told = self.twice(app, caller, call.clone()).await;
        assert_eq!(told.is_ok(), fine, "{call:?}: {told:?}");
    }

    async fn create(&mut self, app: &App, caller: &Caller, much: u32, now: i64) {
        let reference = format!("order-{:06}", self.all.len());
        let amount = i64::from(1_000 + much % 9_000);
        let known = Known {
            amount,
            until: now + LIFE,
            stand: Stand::Pending,
            captured: 0,
            released: 0,
            refunded: 0,
        };
        let call = ReservationCall::Create(Box::new(ask(&reference, amount)), Reach::Page);
        self.twice(app, caller, call).await.unwrap();
        self.all.insert(reference, known);
    }

    /// The same call under the same key has one effect and one answer.
    async fn twice(
        &mut self,
        app: &App,
        caller: &Caller,
        call: ReservationCall,
    ) -> Result<Reply, Failure> {
        self.calls += 1;
        let key = dialects::repeat::key(format!("key-{}", self.calls), b"{}");
        let incoming = || Incoming {
            call: Call::Reservation(call.clone()),
            idempotency_key: Some(key.clone()),
        };
        let first = operations::execute(app, VIPPS, caller, incoming()).await;
        let again = operations::execute(app, VIPPS, caller, incoming()).await;
        assert_eq!(first, again, "{call:?}");
        first
    }

    /// What merchants have of them, and what is held.
    pub fn balances(&self) -> (i64, i64) {
        let all = self.all.values();
        let earned = all.clone().map(|known| known.captured - known.refunded);
        (earned.sum(), all.map(Known::held).sum())
    }

    /// Everything that can be seen is as the model says.
    pub async fn audit(&self, app: &App, caller: &Caller) {
        let now = app.clock.now().millis();
        for (name, known) in &self.all {
            let call = Call::Reservation(ReservationCall::Show(name.clone()));
            let incoming = Incoming {
                call,
                idempotency_key: None,
            };
            let reply = operations::execute(app, VIPPS, caller, incoming).await;
            let Ok(Reply::Reservation(reply)) = reply else {
                panic!("{name} is lost: {reply:?}")
            };
            let ReservationReply::Shown(view) = *reply else {
                panic!("{name}: {reply:?}")
            };
            match &view.state {
                PaymentState::Pending => {
                    assert!(known.stand == Stand::Pending && now < known.until, "{name}");
                }
                PaymentState::Authorized { sums, .. } => {
                    let seen = [sums.authorized(), sums.captured(), sums.released()];
                    let seen = seen.map(Money::minor);
                    assert_eq!(known.stand, Stand::Reserved, "{name}");
                    assert_eq!(
                        seen,
                        [known.amount, known.captured, known.released],
                        "{name}"
                    );
                    assert_eq!(sums.refunded().minor(), known.refunded, "{name}");
                }
                PaymentState::Ended { .. } => {
                    let late = known.stand == Stand::Pending && known.until <= now;
                    assert!(known.stand == Stand::Over || late, "{name}");
                }
            }
        }
    }
}

fn nok(minor: i64) -> Money {
    Money::from_minor(minor, Currency::parse("NOK").unwrap()).unwrap()
}

fn ask(reference: &str, amount: i64) -> Ask {
    Ask {
        amount: nok(amount),
        expires: None::<Timestamp>,
        repeatable: false,
        reference: Some(reference.to_owned()),
        purpose: None,
        payer: Payer::default(),
        methods: vec!["wallet".to_owned()],
        return_url: None,
        notify_url: None,
        extras: serde_json::Map::new(),
    }
}
