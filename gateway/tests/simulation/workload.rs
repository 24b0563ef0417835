//! The workload: what clients, payers, endpoints, time and operators do, at random from a seed.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use dialects::Dialect;
use domain::bill::Payer;
use domain::call::{IdempotencyKey, Incoming};
use domain::card::YearMonth;
use domain::payment::Cause;
use domain::{
    Ask, AttemptId, BillState, Call, Caller, Card, Currency, Mode, Money, Refusal, Reply, Secret,
    Span, Timestamp, WireId,
};
use gateway::app::{App, Parts};
use gateway::clock::Clock;
use gateway::entropy::Entropy;
use gateway::operations::payments::{self, Answer, Paid, Pay};
use gateway::operations::{self, Failure, bills, ledger, merchants};
use gateway::outbound::{Outbound, Received, Sending};
use gateway::vault::Vault;
use gateway::workers;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::auditor::{Auditor, Known, Standing};
use crate::reserved::Reserved;

const HITPAY: &dyn Dialect = &dialects::hitpay::HitPay;
const START: i64 = 1_795_000_000_000;

/// The receiver of all callbacks: counts what it took, refuses while it is broken.
#[derive(Debug, Default)]
struct Shop {
    broken: AtomicBool,
    /// Payment ids taken, per request id.
    taken: Mutex<BTreeMap<String, Vec<String>>>,
}

pub struct Workload {
    app: Option<Arc<App>>,
    caller: Caller,
    folder: tempfile::TempDir,
    clock: Clock,
    shop: Arc<Shop>,
    chance: TestRng,
    auditor: Auditor,
    reserved: Reserved,
    /// Tries that wait at the bank's page, with their bill.
    waiting: Vec<(AttemptId, String)>,
    /// Idempotency keys with what was asked and answered.
    keys: Vec<(String, Ask, Reply)>,
    restarts: u64,
    seed: u64,
}

impl Workload {
    pub async fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_millis(START));
        let shop = Arc::new(Shop::default());
        let app = open(&folder.path().join("florin.db"), &clock, &shop, seed);
        let sgd = Currency::parse("SGD").unwrap();
        let merchant = merchants::add(&app, "Shop", sgd, Mode::Test).await.unwrap();
        let caller = Caller {
            merchant,
            mode: Mode::Test,
        };
        merchants::new_salt(&app, "hitpay", &caller).await.unwrap();
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self {
            app: Some(Arc::new(app)),
            caller,
            folder,
            clock,
            shop,
            chance: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
            auditor: Auditor::default(),
            reserved: Reserved::default(),
            waiting: Vec::new(),
            keys: Vec::new(),
            restarts: 0,
            seed,
        }
    }

    fn app(&self) -> &Arc<App> {
        self.app.as_ref().unwrap()
    }

    fn now(&self) -> i64 {
        self.clock.now().millis()
    }

    fn below(&mut self, end: u32) -> u32 {
        self.chance.next_u32() % end
    }

    fn some_bill(&mut self) -> Option<String> {
        let count = u32::try_from(self.auditor.bills.len()).unwrap();
        let at = if count == 0 {
            return None;
        } else {
            self.below(count)
        };
        self.auditor.bills.keys().nth(at as usize).cloned()
    }

    /// One random thing.
    pub async fn step(&mut self) {
        match self.below(100) {
            0..17 => self.create().await,
            17..40 => self.pay().await,
            40..50 => self.reserve().await,
            50..58 => self.answer().await,
            58..62 => self.abandon().await,
            62..66 => self.change().await,
            66..70 => self.withdraw().await,
            70..72 => self.fail_for_good().await,
            72..76 => self.repeat_a_key().await,
            76..79 => {
                let broken = self.below(2) == 0;
                self.shop.broken.store(broken, Ordering::SeqCst);
            }
            79..88 => {
                let span = [1, 30, 90, 600, 4_000][self.below(5) as usize];
                self.clock.advance(Span::from_seconds(span));
            }
            88..93 => self.work().await,
            93..97 => self.reserve().await,
            _ => self.restart().await,
        }
        self.clock.advance(Span::from_millis(7));
    }

    fn ask(&mut self) -> Ask {
        let expires = (self.below(3) == 0).then(|| {
            self.clock
                .now()
                .plus(Span::from_seconds(u64::from(1 + self.below(900))))
        });
        let webhook = (self.below(4) > 0).then(|| "http://127.0.0.1/hook".to_owned());
        let sgd = Currency::parse("SGD").unwrap();
        Ask {
            amount: Money::from_minor(i64::from(30 + self.below(100_000)), sgd).unwrap(),
            expires,
            repeatable: self.below(4) == 0,
            reference: Some(format!("R{}", self.below(50))),
            purpose: None,
            payer: Payer::default(),
            methods: vec!["card".to_owned(), "paynow_online".to_owned()],
            return_url: None,
            notify_url: webhook,
            extras: serde_json::Map::new(),
        }
    }

    async fn reserve(&mut self) {
        let chance = (self.chance.next_u32(), self.chance.next_u32());
        let app = Arc::clone(self.app());
        self.reserved.step(&app, &self.caller, chance).await;
    }

    async fn create(&mut self) {
        let ask = self.ask();
        let key = (self.below(3) == 0).then(|| format!("key-{}", self.chance.next_u64()));
        let incoming = Incoming {
            call: Call::CreateBill(Box::new(ask.clone())),
            idempotency_key: key.clone().map(|key| once(key, &ask)),
        };
        let reply = operations::execute(self.app(), HITPAY, &self.caller, incoming)
            .await
            .unwrap();
        let id = created(&reply);
        self.auditor.bills.insert(id, known(&ask));
        if let Some(key) = key {
            self.keys.push((key, ask, reply));
        }
    }

    /// The same key again gives the same answer, whatever became of the bill; with another body
    /// it is refused.
    async fn repeat_a_key(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let count = u32::try_from(self.keys.len()).unwrap();
        let at = self.below(count) as usize;
        let (key, ask, first) = self.keys[at].clone();
        let mut other = ask.clone();
        other.purpose = Some("another".to_owned());
        for (ask, expected) in [
            (ask, Ok(first)),
            (other, Err(Failure::Refused(Refusal::KeyReused))),
        ] {
            let incoming = Incoming {
                call: Call::CreateBill(Box::new(ask.clone())),
                idempotency_key: Some(once(key.clone(), &ask)),
            };
            let again = operations::execute(self.app(), HITPAY, &self.caller, incoming).await;
            assert_eq!(again, expected);
        }
    }

    async fn pay(&mut self) {
        let Some(id) = self.some_bill() else { return };
        let numbers = [
            "4242424242424242",
            "4000000000000002",
            "4000000000009995",
            "4000002760003184",
        ];
        let number = numbers[self.below(4) as usize];
        let payable = self.auditor.payable(&id, self.now());
        // The same form is sent twice: one effect, one answer.
        let once = payments::once(self.app());
        let first = self.pay_once(&id, number, &once).await;
        let second = self.pay_once(&id, number, &once).await;
        assert_eq!(outcome(&first), outcome(&second), "{number} on {id}");
        match (payable, first) {
            (true, Ok(Paid::Done { .. })) => {
                assert_eq!(number, numbers[0]);
                self.auditor.pay(&id);
            }
            (true, Ok(Paid::Declined { .. })) => assert!(numbers[1..3].contains(&number)),
            (true, Ok(Paid::Challenge { attempt })) => {
                assert_eq!(number, numbers[3]);
                self.waiting.push((attempt, id));
            }
            // Another try may be under way after an abandoned call, or too many were declined.
            (true, Err(Failure::Refused(Refusal::TryUnderWay | Refusal::TooManyTries))) => {}
            (false, Err(Failure::Refused(refusal))) => {
                let closed = matches!(
                    refusal,
                    Refusal::AlreadyPaid
                        | Refusal::Expired
                        | Refusal::Failed
                        | Refusal::NotFound(..)
                );
                assert!(closed, "{refusal:?}");
            }
            (payable, other) => panic!("payable {payable}, but {other:?}"),
        }
    }

    async fn pay_once(&self, id: &str, number: &str, once: &str) -> Result<Paid, Failure> {
        payments::pay(self.app(), HITPAY, &wire(id), form(number, once)).await
    }

    /// The payer's answer at the bank's page.
    async fn answer(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let count = u32::try_from(self.waiting.len()).unwrap();
        let at = self.below(count) as usize;
        let (attempt, id) = self.waiting.swap_remove(at);
        let answer = [Answer::Approve, Answer::Decline, Answer::Abort][self.below(3) as usize];
        let payable = self.auditor.payable(&id, self.now());
        let before = payments::challenge(self.app(), &attempt).await;
        match payments::answer(self.app(), &attempt, answer).await {
            Ok(Paid::Done { .. }) => {
                assert!(payable && answer == Answer::Approve);
                self.auditor.pay(&id);
            }
            Ok(Paid::Declined { .. }) => {
                let open = before.is_ok_and(|challenge| challenge.step == payments::Step::Open);
                assert!(
                    answer != Answer::Approve || !open,
                    "an open try was approved"
                );
            }
            Ok(Paid::Challenge { .. }) => panic!("answered, and still waiting"),
            Err(Failure::Refused(_)) => {
                assert!(!payable, "a bill that can be paid was refused");
                self.auditor.releases += 1;
            }
            Err(fault) => panic!("{fault:?}"),
        }
    }

    /// A payment whose caller goes away midway: it may or may not have had its effect.
    async fn abandon(&mut self) {
        let Some(id) = self.some_bill() else { return };
        let polls = self.below(4);
        let app = Arc::clone(self.app());
        let once = payments::once(&app);
        let name = wire(&id);
        {
            let mut work = pin!(payments::pay(
                &app,
                HITPAY,
                &name,
                form("4242424242424242", &once)
            ));
            for _ in 0..polls {
                let done = std::future::poll_fn(|context| {
                    Poll::Ready(work.as_mut().poll(context).is_ready())
                });
                if done.await {
                    break;
                }
                // Lets the writer thread get on, by waiting for a write of our own.
                let waited: Result<(), Failure> = app.store.write("wait", |_| Ok(())).await;
                waited.unwrap();
            }
        }
        let settled: Result<(), Failure> = app.store.write("wait", |_| Ok(())).await;
        settled.unwrap();
        self.auditor.bills.get_mut(&id).unwrap().unsure = true;
        self.ask_about(&id).await;
    }

    /// After an abandoned call the model learns what happened from the gateway, and only that one
    /// more payment went through or none.
    async fn ask_about(&mut self, id: &str) {
        let found = self.paid_payments(id).await;
        let bill = self.auditor.bills.get_mut(id).unwrap();
        bill.unsure = false;
        assert!(
            (bill.paid..=bill.paid + 1).contains(&found),
            "{id}: {found} after {}",
            bill.paid
        );
        if found > bill.paid {
            self.auditor.pay(id);
        }
    }

    async fn paid_payments(&self, id: &str) -> u32 {
        if self.auditor.bills[id].state == Standing::Deleted {
            return self.auditor.bills[id].paid;
        }
        let view = bills::for_page(self.app(), HITPAY, &wire(id))
            .await
            .unwrap();
        let captured = |payment: &&domain::Payment| {
            matches!(payment.state(), domain::PaymentState::Authorized { sums, .. }
                if !sums.captured().is_zero())
        };
        u32::try_from(view.payments.iter().filter(captured).count()).unwrap()
    }

    async fn change(&mut self) {
        let Some(id) = self.some_bill() else { return };
        let ask = self.ask();
        let state = self.auditor.bills[&id].state;
        let call = Call::ChangeBill(wire(&id), Box::new(ask.clone()));
        match self.call(call).await {
            Ok(Reply::Bill(_)) => {
                assert_eq!(state, Standing::Pending);
                let old = self.auditor.bills[&id].clone();
                let new = Known {
                    paid: old.paid,
                    taken: old.taken,
                    ..known(&ask)
                };
                // Callbacks already written stay; the model counts from here.
                self.auditor.bills.insert(id, new);
            }
            Err(Failure::Refused(Refusal::TryUnderWay)) => {}
            Err(Failure::Refused(_)) => assert_ne!(state, Standing::Pending),
            other => panic!("{other:?}"),
        }
    }

    async fn withdraw(&mut self) {
        let Some(id) = self.some_bill() else { return };
        let state = self.auditor.bills[&id].state;
        match self.call(Call::WithdrawBill(wire(&id))).await {
            Ok(Reply::BillWithdrawn) => {
                assert!(matches!(state, Standing::Pending | Standing::Failed));
                self.auditor.bills.get_mut(&id).unwrap().state = Standing::Deleted;
            }
            Err(Failure::Refused(Refusal::TryUnderWay)) => {}
            Err(Failure::Refused(_)) => {
                assert!(matches!(state, Standing::Completed | Standing::Deleted));
            }
            other => panic!("{other:?}"),
        }
    }

    async fn fail_for_good(&mut self) {
        let Some(id) = self.some_bill() else { return };
        let payable = self.auditor.payable(&id, self.now());
        let cause = Cause::new("fraud", "Suspected fraud");
        let done = payments::fail_for_good(self.app(), HITPAY, &wire(&id), cause).await;
        assert_eq!(done.is_ok(), payable, "{done:?}");
        if payable {
            self.auditor.bills.get_mut(&id).unwrap().state = Standing::Failed;
        }
    }

    async fn work(&mut self) {
        workers::tick(self.app()).await.unwrap();
        workers::webhooks::tick(self.app()).await.unwrap();
    }

    /// The process ends and another one takes over.
    async fn restart(&mut self) {
        let app = Arc::into_inner(self.app.take().unwrap()).unwrap();
        app.store.close();
        self.restarts += 1;
        let seed = self.seed ^ (self.restarts << 32);
        let path = self.folder.path().join("florin.db");
        let app = Arc::new(open(&path, &self.clock, &self.shop, seed));
        workers::take_over(&app).await.unwrap();
        self.app = Some(app);
    }

    async fn call(&self, call: Call) -> Result<Reply, Failure> {
        let incoming = Incoming {
            call,
            idempotency_key: None,
        };
        operations::execute(self.app(), HITPAY, &self.caller, incoming).await
    }

    /// Compares everything that can be seen with the model.
    pub async fn audit(&mut self) {
        let summary = ledger::summary(self.app()).await.unwrap();
        assert!(summary.balanced(), "{summary:?}");
        let balance = |start: &str| -> i64 {
            let of = summary
                .accounts
                .iter()
                .filter(|a| a.account.starts_with(start));
            i64::try_from(of.map(|a| a.minor).sum::<i128>()).unwrap()
        };
        let (earned, held) = self.reserved.balances();
        let earned = self.auditor.merchant_balance() + earned;
        assert_eq!(balance("merchant:"), earned);
        assert_eq!(balance("held:"), held);
        assert_eq!(balance("clearing:"), -earned - held);
        // One bill a step in full; all of them at the end.
        if let Some(id) = self.some_bill() {
            self.audit_bill(&id).await;
        }
    }

    async fn audit_bill(&self, id: &str) {
        let expected = self.auditor.word(id, self.now());
        match self.call(Call::ShowBill(wire(id))).await {
            Ok(Reply::Bill(view)) => {
                let word = match view.state {
                    BillState::Open => "pending",
                    BillState::Paid { .. } => "completed",
                    BillState::Failed { .. } => "failed",
                    BillState::Expired { .. } => "expired",
                    BillState::Withdrawn { .. } => "deleted",
                };
                assert_eq!(Some(word), expected, "{id}");
                assert_eq!(self.paid_payments(id).await, self.auditor.bills[id].paid);
            }
            Err(Failure::Refused(Refusal::NotFound(..))) => assert_eq!(expected, None),
            other => panic!("{other:?}"),
        }
    }

    /// The endpoint is repaired, time passes, and everything must have arrived; then the whole
    /// ledger is verified.
    pub async fn finish(&mut self) {
        self.shop.broken.store(false, Ordering::SeqCst);
        for _ in 0..12 {
            self.clock.advance(Span::from_minutes(60));
            workers::tick(self.app()).await.unwrap();
            while workers::webhooks::tick(self.app()).await.unwrap() > 0 {}
        }
        let ids: Vec<String> = self.auditor.bills.keys().cloned().collect();
        for id in &ids {
            self.audit_bill(id).await;
        }
        self.reserved.audit(self.app(), &self.caller).await;
        self.audit_callbacks().await;
        let verified = self
            .app()
            .store
            .read("verify", ledger::verify)
            .await
            .unwrap();
        assert_eq!(verified.problems, Vec::<String>::new());
        let app = Arc::into_inner(self.app.take().unwrap()).unwrap();
        app.store.close();
    }

    /// Every callback that was written was taken at least once or is listed as given up.
    async fn audit_callbacks(&self) {
        let taken = self.shop.taken.lock().unwrap().clone();
        for id in self.auditor.bills.keys() {
            let name = wire(id);
            let bill = self
                .app()
                .store
                .read("bill", move |tx| {
                    Ok(store::tables::bills::by_wire(tx, "hitpay", &name)?)
                })
                .await
                .unwrap()
                .unwrap();
            let about = bill.head.id.as_str();
            let listed = operations::deliveries::about(self.app(), &self.caller, about);
            let listed = listed.await.unwrap();
            assert!(listed.len() >= self.auditor.callbacks(id) as usize || bill.version > 2);
            for seen in listed {
                let state = seen.delivery.state.as_str();
                assert!(matches!(state, "delivered" | "failed"), "{state}");
                if state == "delivered" {
                    assert!(taken.get(id).is_some_and(|ids| !ids.is_empty()), "{id}");
                }
            }
        }
    }
}

fn open(path: &Path, clock: &Clock, shop: &Arc<Shop>, seed: u64) -> App {
    let shop = Arc::clone(shop);
    let script = move |sending: &Sending| receive(&shop, sending);
    App::new(Parts {
        store: store::Store::open(path, store::Options::TEST).unwrap(),
        clock: clock.clone(),
        entropy: Entropy::seeded(seed),
        outbound: Outbound::Scripted(Arc::new(script)),
        vault: Vault::new(&Secret::new("5".repeat(64))).unwrap(),
        site: dialects::Site::sandbox("http://127.0.0.1"),
        demo: None,
        delivery: BTreeMap::new(),
    })
}

fn receive(shop: &Shop, sending: &Sending) -> Result<Received, String> {
    if shop.broken.load(Ordering::SeqCst) {
        return Err("connection refused".to_owned());
    }
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(sending.body.as_bytes());
        fields
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap()
    };
    assert_eq!(field("hmac").len(), 64);
    let mut taken = shop.taken.lock().unwrap();
    taken
        .entry(field("payment_request_id"))
        .or_default()
        .push(field("payment_id"));
    Ok(Received {
        status: 200,
        headers: Vec::new(),
        body: String::new(),
    })
}

fn known(ask: &Ask) -> Known {
    Known {
        amount: ask.amount.minor(),
        repeatable: ask.repeatable,
        expires: ask.expires.map(Timestamp::millis),
        webhook: ask.notify_url.is_some(),
        state: Standing::Pending,
        paid: 0,
        taken: 0,
        unsure: false,
    }
}

fn created(reply: &Reply) -> String {
    match reply {
        Reply::BillCreated(view) => view.bill.head.wire.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A key as it comes with a request for this.
fn once(key: String, ask: &Ask) -> IdempotencyKey {
    dialects::repeat::key(key, &serde_json::to_vec(ask).unwrap())
}

fn wire(id: &str) -> WireId {
    WireId::new(id).unwrap()
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

/// What can be compared of two answers to the same form.
fn outcome(result: &Result<Paid, Failure>) -> String {
    match result {
        Ok(Paid::Done { payment, .. }) => format!("done {}", payment.head.id),
        Ok(Paid::Declined { cause, .. }) => format!("declined {}", cause.code),
        Ok(Paid::Challenge { attempt }) => format!("challenge {attempt}"),
        Err(failure) => format!("{failure:?}"),
    }
}
