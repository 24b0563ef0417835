//! Many at once: exactly the right number succeed, and the ledger balances.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use dialects::Dialect;
use domain::bill::Payer;
use domain::call::Incoming;
use domain::card::YearMonth;
use domain::{
    AttemptId, Call, Caller, Card, Currency, Mode, Money, Refusal, Reply, Secret, Span, Timestamp,
    WireId,
};
use gateway::app::{App, Parts};
use gateway::clock::Clock;
use gateway::entropy::Entropy;
use gateway::operations::payments::{self, Answer, Paid, Pay};
use gateway::operations::{self, Failure, bills, ledger, merchants};
use gateway::outbound::Outbound;
use gateway::vault::Vault;

const HITPAY: &dyn Dialect = &dialects::hitpay::HitPay;

/// How many try at once.
const CROWD: usize = 32;

struct Lab {
    app: Arc<App>,
    caller: Caller,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Lab {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_millis(1_795_000_000_000));
        let path = folder.path().join("florin.db");
        let app = App::new(Parts {
            store: store::Store::open(&path, store::Options::TEST).unwrap(),
            clock: clock.clone(),
            entropy: Entropy::seeded(1),
            outbound: Outbound::Scripted(Arc::new(|_| Err("nobody listens".to_owned()))),
            vault: Vault::new(&Secret::new("5".repeat(64))).unwrap(),
            site: dialects::Site {
                public_url: "http://127.0.0.1".to_owned(),
                insecure_targets: true,
                hitpay: dialects::hitpay::Options::default(),
            },
            demo: None,
            delivery: BTreeMap::new(),
        });
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
            _folder: folder,
        }
    }

    fn ask(&self, repeatable: bool, lives: Option<Span>) -> domain::Ask {
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

    async fn bill(&self, repeatable: bool, lives: Option<Span>) -> WireId {
        let ask = self.ask(repeatable, lives);
        match bills::create(&self.app, HITPAY, &self.caller, ask)
            .await
            .unwrap()
        {
            Reply::BillCreated(view) => view.bill.head.wire,
            other => panic!("{other:?}"),
        }
    }

    /// Everybody pays at once, each with a form of their own or all with the same.
    async fn crowd(&self, id: &WireId, same_form: bool) -> Vec<Result<Paid, Failure>> {
        let forms = (0..CROWD).map(|number| if same_form { 0 } else { number });
        let tries: Vec<_> = forms
            .map(|number| {
                let (app, id) = (Arc::clone(&self.app), id.clone());
                tokio::spawn(async move {
                    let pay = form("4242424242424242", &format!("form {number}"));
                    payments::pay(&app, HITPAY, &id, pay).await
                })
            })
            .collect();
        let mut results = Vec::new();
        for one in tries {
            results.push(one.await.unwrap());
        }
        results
    }

    async fn merchant_has(&self) -> i64 {
        let summary = ledger::summary(&self.app).await.unwrap();
        assert!(summary.balanced(), "{summary:?}");
        let of = summary
            .accounts
            .iter()
            .filter(|a| a.account.starts_with("merchant:"));
        of.map(|account| account.minor).sum()
    }

    async fn ledger_is_whole(&self) {
        let verified = self.app.store.read("verify", ledger::verify).await.unwrap();
        assert_eq!(verified.problems, Vec::<String>::new());
    }
}

fn form(number: &str, once: &str) -> Pay {
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

fn done(results: &[Result<Paid, Failure>]) -> usize {
    results
        .iter()
        .filter(|result| matches!(result, Ok(Paid::Done { .. })))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_is_paid_once_however_many_try() {
    let lab = Lab::new().await;
    let id = lab.bill(false, None).await;
    let results = lab.crowd(&id, false).await;
    assert_eq!(done(&results), 1);
    for result in results.iter().filter(|result| result.is_err()) {
        let told = matches!(
            result,
            Err(Failure::Refused(
                Refusal::AlreadyPaid | Refusal::TryUnderWay
            ))
        );
        assert!(told, "{result:?}");
    }
    assert_eq!(lab.merchant_has().await, 1_000);
    lab.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_many_times_charges_once() {
    let lab = Lab::new().await;
    // A repeated link takes many payments, so only the form's token stands in the way.
    let id = lab.bill(true, None).await;
    let results = lab.crowd(&id, true).await;
    assert!(done(&results) >= 1);
    assert_eq!(lab.merchant_has().await, 1_000);
    lab.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_link_takes_everybodys_payment() {
    let lab = Lab::new().await;
    let id = lab.bill(true, None).await;
    let results = lab.crowd(&id, false).await;
    assert_eq!(done(&results), CROWD);
    assert_eq!(
        lab.merchant_has().await,
        1_000 * i64::try_from(CROWD).unwrap()
    );
    lab.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_a_request_have_one_effect_and_one_answer() {
    let lab = Lab::new().await;
    let copies: Vec<_> = (0..50)
        .map(|_| {
            let (app, caller) = (Arc::clone(&lab.app), lab.caller.clone());
            let call = Call::CreateBill(Box::new(lab.ask(false, None)));
            let incoming = Incoming {
                call,
                idempotency_key: Some("key".to_owned()),
            };
            tokio::spawn(async move { operations::execute(&app, HITPAY, &caller, incoming).await })
        })
        .collect();
    let mut answers = Vec::new();
    for copy in copies {
        answers.push(copy.await.unwrap().unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let totals = lab
        .app
        .store
        .read("totals", |tx| Ok(store::tables::bills::totals(tx)?))
        .await;
    assert_eq!(totals.unwrap(), [("open".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_answers_at_the_bank_are_one() {
    let lab = Lab::new().await;
    let id = lab.bill(false, None).await;
    let attempt = challenge(&lab, &id).await;
    let answers = [Answer::Approve, Answer::Decline, Answer::Abort]
        .into_iter()
        .cycle()
        .take(30);
    let tries: Vec<_> = answers
        .map(|answer| {
            let (app, attempt) = (Arc::clone(&lab.app), attempt.clone());
            tokio::spawn(async move { payments::answer(&app, &attempt, answer).await })
        })
        .collect();
    let mut seen = Vec::new();
    for one in tries {
        seen.push(one.await.unwrap());
    }
    // Whatever came first stands: all paid, or none.
    let view = bills::for_page(&lab.app, HITPAY, &id).await.unwrap();
    let paid = matches!(view.state, domain::BillState::Paid { .. });
    assert_eq!(lab.merchant_has().await, if paid { 1_000 } else { 0 });
    assert_eq!(done(&seen) > 0, paid);
    lab.ledger_is_whole().await;
}

#[tokio::test]
async fn money_approved_after_the_end_goes_straight_back() {
    let lab = Lab::new().await;
    let id = lab.bill(false, Some(Span::from_minutes(5))).await;
    let attempt = challenge(&lab, &id).await;
    lab.clock.advance(Span::from_minutes(6));
    let late = payments::answer(&lab.app, &attempt, Answer::Approve).await;
    assert_eq!(late, Err(Failure::Refused(Refusal::Expired)));
    assert_eq!(lab.merchant_has().await, 0);
    lab.ledger_is_whole().await;
    let view = bills::for_page(&lab.app, HITPAY, &id).await.unwrap();
    let domain::PaymentState::Authorized { sums, .. } = view.payments[0].state() else {
        panic!("{:?}", view.payments)
    };
    assert_eq!(
        (sums.released().minor(), sums.captured().minor()),
        (1_000, 0)
    );
}

async fn challenge(lab: &Lab, id: &WireId) -> AttemptId {
    match payments::pay(&lab.app, HITPAY, id, form("4000002760003184", "bank"))
        .await
        .unwrap()
    {
        Paid::Challenge { attempt } => attempt,
        other => panic!("{other:?}"),
    }
}
