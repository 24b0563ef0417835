//! Fixed objects: one merchant, deposits and withdrawals in every state.

use dialects::{Dialect, Outgoing, Signing, Site, numipay};
use domain::bill::{BillHead, Payer};
use domain::payment::Cause;
use domain::payout::{Order, PayoutHead, Progress};
use domain::transaction::{Opened, Page, Standing};
use domain::{
    About, Ask, Bill, BillId, BillState, BillView, Currency, Direction, Event, EventId, Fact,
    Merchant, MerchantId, Mode, Money, Payout, PayoutId, PayoutState, Reply, Secret, Timestamp,
    TransactionReply, TransactionView, WireId,
};
use http::Request;
use http::request::Parts;
use serde_json::json;

/// 2026-01-15T04:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_768_449_600_000);

/// The transaction of the reference document's example.
pub const ID: &str = "r21nmrtpcmrcava";

/// Its merchant's own id.
pub const TRACKING: &str = "b8f04416-116a-11ed-861d-0242ac120002";

/// The password of the reference document's example.
pub const PASSWORD: &str = "spg_test_companyxxxxQyGAheyMqcHVmp8ZMQtkYcev27sCu7RF";

const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

pub fn site() -> Site {
    Site::sandbox("https://pay.example.com")
}

pub fn head(method: &str, target: &str) -> Parts {
    let request = Request::builder().method(method).uri(target);
    request.body(()).unwrap().into_parts().0
}

pub fn money(text: &str, code: &str) -> Money {
    Money::parse(text, Currency::parse(code).unwrap()).unwrap()
}

pub fn later(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + seconds * 1_000)
}

fn merchant() -> Merchant {
    Merchant {
        id: MerchantId::parse("mer_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        name: "Demo Shop".to_owned(),
        slug: "demo-shop".to_owned(),
        currency: Currency::parse("EUR").unwrap(),
    }
}

fn extras() -> serde_json::Map<String, serde_json::Value> {
    let extras = json!({"user_id": "1111222", "page": TOKEN});
    extras.as_object().unwrap().clone()
}

pub fn bill(state: BillState, return_url: Option<&str>, notify_url: Option<&str>) -> Bill {
    let head = BillHead {
        id: BillId::parse("bil_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: WireId::new(ID).unwrap(),
        dialect: "numipay".to_owned(),
        merchant: merchant().id,
        mode: Mode::Test,
        created: NOW,
    };
    let ask = Ask {
        amount: money("200.00", "GBP"),
        expires: Some(later(86_400)),
        repeatable: false,
        reference: Some(TRACKING.to_owned()),
        purpose: None,
        payer: Payer::default(),
        methods: vec!["sim-card".to_owned()],
        return_url: return_url.map(str::to_owned),
        notify_url: notify_url.map(str::to_owned),
        extras: extras(),
    };
    Bill::restore(head, ask, later(65), 2, state)
}

pub fn view(state: BillState, return_url: Option<&str>) -> BillView {
    BillView {
        bill: bill(state.clone(), return_url, None),
        merchant: merchant(),
        payments: Vec::new(),
        state,
    }
}

pub fn cause() -> Cause {
    Cause::new("insufficient_funds", "Insufficient funds")
}

pub fn payout(state: PayoutState, notify_url: Option<&str>) -> Payout {
    let head = PayoutHead {
        id: PayoutId::parse("out_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: WireId::new(ID).unwrap(),
        dialect: "numipay".to_owned(),
        merchant: merchant().id,
        mode: Mode::Test,
        created: NOW,
        by: "key:0123456789abcdef".to_owned(),
    };
    let order = Order {
        amount: money("200.00", "GBP"),
        reference: Some(TRACKING.to_owned()),
        purpose: None,
        payee: Payer::default(),
        methods: vec!["sim-bank".to_owned()],
        return_url: Some("https://shop.example/return?x=1#top".to_owned()),
        notify_url: notify_url.map(str::to_owned),
        extras: extras(),
    };
    Payout::restore(head, order, Progress::default(), (later(65), 2), state)
}

/// Every fact about a deposit and a withdrawal, as its objects are right after it.
pub fn events(notify_url: Option<&str>) -> Vec<Event> {
    let at = later(65);
    let cause = cause();
    let event = |fact, about| Event {
        id: EventId::parse("evt_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        at: NOW,
        fact,
        about,
    };
    let deposit = |fact, state| {
        let bill = Box::new(bill(state, None, notify_url));
        let payment = None;
        event(fact, About::Bill { bill, payment })
    };
    let withdrawal = |fact, state| event(fact, About::Payout(Box::new(payout(state, notify_url))));
    vec![
        deposit(Fact::BillCreated, BillState::Open),
        deposit(Fact::BillChanged, BillState::Open),
        deposit(Fact::PaymentAuthorized, BillState::Open),
        deposit(Fact::BillPaid, BillState::Paid { at }),
        deposit(
            Fact::BillFailed,
            BillState::Failed {
                at,
                cause: cause.clone(),
            },
        ),
        deposit(Fact::BillExpired, BillState::Expired { at }),
        withdrawal(Fact::PayoutCreated, PayoutState::AwaitingUser),
        withdrawal(Fact::PayoutSubmitted, PayoutState::AwaitingApproval),
        withdrawal(Fact::PayoutApproved, PayoutState::Processing),
        withdrawal(Fact::PayoutPaid, PayoutState::Paid { at }),
        withdrawal(Fact::PayoutRejected, PayoutState::Rejected { at, cause }),
        withdrawal(Fact::PayoutCancelled, PayoutState::Cancelled { at }),
        withdrawal(Fact::PayoutExpired, PayoutState::Expired { at }),
    ]
}

pub fn sign(password: &str, body: &str) -> Outgoing {
    let secrets = [Secret::new(password.to_owned())];
    let signing = Signing {
        secrets: &secrets,
        url: "https://shop.example/hook",
        endpoint: None,
        delivery: "dlv_1",
        topic: "transaction.pending",
        attempt: 1,
        body,
        now: NOW,
    };
    numipay::Numipay.sign(&signing).unwrap()
}

/// Replies with their names and the request they answer.
pub fn replies() -> Vec<(&'static str, &'static str, Reply)> {
    const HOSTED: &str = "POST /gateway/v1/payments/hosted";
    const S2S: &str = "POST /gateway/v1/payments/s2s";
    const PAYOUT: &str = "POST /gateway/v1/payouts";
    const STATUS: &str = "GET /gateway/v1/transactions/r21nmrtpcmrcava";
    const LIST: &str = "GET /gateway/v1/transactions";
    let token = || TOKEN.to_owned();
    let rejected = || Standing::Rejected("Insufficient funds".to_owned());
    let one = |name, standing| {
        let view = listed(Direction::Withdrawal, standing);
        (name, STATUS, TransactionReply::One(Box::new(view)))
    };
    let all = vec![
        (
            "hosted",
            HOSTED,
            opened(Standing::Pending, Page::Cashier(token()), false),
        ),
        (
            "s2s-secure",
            S2S,
            opened(Standing::Pending, Page::ThreeDs(token()), true),
        ),
        (
            "s2s-successful",
            S2S,
            opened(Standing::Successful, Page::None, true),
        ),
        ("s2s-rejected", S2S, opened(rejected(), Page::None, true)),
        (
            "payout",
            PAYOUT,
            opened(Standing::Pending, Page::Cashier(token()), false),
        ),
        (
            "payout-rejected",
            PAYOUT,
            opened(rejected(), Page::None, false),
        ),
        (
            "reject",
            "POST /gateway/v1/payouts/reject",
            TransactionReply::PayoutRejected,
        ),
        (
            "approve",
            "POST /gateway/v1/payouts/approve",
            TransactionReply::PayoutApproved,
        ),
        one("status-pending", Standing::Pending),
        one("status-successful", Standing::Successful),
        one("status-rejected", rejected()),
        one("status-expired", Standing::Expired),
        ("list-empty", LIST, TransactionReply::Some(Vec::new())),
        (
            "list",
            LIST,
            TransactionReply::Some(vec![
                listed(Direction::Withdrawal, rejected()),
                TransactionView {
                    provider: None,
                    ..listed(Direction::Deposit, Standing::Pending)
                },
            ]),
        ),
    ];
    all.into_iter()
        .map(|(name, request, reply)| (name, request, Reply::Transaction(reply)))
        .collect()
}

fn opened(standing: Standing, page: Page, by_server: bool) -> TransactionReply {
    TransactionReply::Opened(Box::new(Opened {
        id: WireId::new(ID).unwrap(),
        standing,
        page,
        by_server,
    }))
}

fn listed(direction: Direction, standing: Standing) -> TransactionView {
    TransactionView {
        id: WireId::new(ID).unwrap(),
        tracking: TRACKING.to_owned(),
        user: "1111222".to_owned(),
        direction,
        amount: money("200.00", "GBP"),
        standing,
        provider: Some("sim-bank".to_owned()),
        created: NOW,
        updated: later(120),
    }
}
