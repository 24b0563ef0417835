//! Fixed objects for the tests: one place, one merchant, bills in every state.

use dialects::{Dialect, Outgoing, Signing, Site, hitpay};
use domain::bill::{BillHead, Payer};
use domain::call::BillPage;
use domain::payment::{Cause, Ended, Means, PaymentHead, Sums};
use domain::{
    About, Ask, Bill, BillId, BillState, BillView, Currency, Event, EventId, Fact, Merchant,
    MerchantId, Mode, Money, Payment, PaymentId, PaymentState, Reply, Secret, Timestamp, WireId,
};
use http::Request;
use http::request::Parts;
use serde_json::json;

/// 2026-01-15 12:00:00 in Singapore.
pub const NOW: Timestamp = Timestamp::from_millis(1_768_449_600_000);

const BILL: &str = "9ef68e2e-3569-4f69-9f68-04c7e4bb007c";
const PAYMENT: &str = "9ef6957e-6b1b-4e08-8cde-d5f5c908418d";

/// The dialects whose objects are the ones below. The others have tests of their own.
pub const SHAPED: &[&dyn Dialect] = &[&hitpay::HitPay];

pub fn site() -> Site {
    Site::sandbox("https://pay.example.com")
}

pub fn head(method: &str, target: &str) -> Parts {
    Request::builder()
        .method(method)
        .uri(target)
        .body(())
        .unwrap()
        .into_parts()
        .0
}

pub fn wire(text: &str) -> WireId {
    WireId::new(text).unwrap()
}

pub fn money(text: &str, code: &str) -> Money {
    Money::parse(text, Currency::parse(code).unwrap()).unwrap()
}

pub fn merchant() -> Merchant {
    Merchant {
        id: MerchantId::parse("mer_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        name: "Demo Shop".to_owned(),
        slug: "demo-shop".to_owned(),
        currency: Currency::parse("SGD").unwrap(),
    }
}

/// Only what must be given.
pub fn bare(amount: Money) -> Ask {
    Ask {
        amount,
        expires: None,
        repeatable: false,
        reference: None,
        purpose: None,
        payer: Payer::default(),
        methods: vec!["card".to_owned()],
        return_url: None,
        notify_url: None,
        extras: serde_json::Map::new(),
    }
}

/// Everything a contract can ask for.
pub fn full() -> Ask {
    let extras = json!({
        "send_email": true,
        "send_sms": true,
        "address": {
            "line1": "177 River Valley Road", "line2": null, "city": "Singapore",
            "state": "Central", "country": "SG", "postal_code": "10015",
        },
        "metadata": {"key1": "value1", "key2": "Café \"two\""},
        "staff_id": "98888a69-2d7a-4695-811d-6df8cee30264",
        "business_location_id": "9e42e6be-2ff8-4b37-ac14-07970d2e79ca",
    });
    Ask {
        expires: Some(Timestamp::from_millis(1_768_536_000_000)),
        reference: Some("Café & Co=1".to_owned()),
        purpose: Some("Two tickets".to_owned()),
        payer: Payer {
            name: Some("Harvey Friesen".to_owned()),
            email: Some("test@example.com".to_owned()),
            phone: Some("+6591234567".to_owned()),
        },
        methods: vec!["paynow_online".to_owned(), "card".to_owned()],
        return_url: Some("https://shop.example.com/?wc-api=wc_hitpay&order=12".to_owned()),
        notify_url: Some("https://shop.example.com/hook".to_owned()),
        extras: extras.as_object().unwrap().clone(),
        ..bare(money("900000.00", "SGD"))
    }
}

pub fn bill(ask: Ask, state: BillState) -> Bill {
    let head = BillHead {
        id: BillId::parse("bil_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: wire(BILL),
        dialect: "hitpay".to_owned(),
        merchant: merchant().id,
        mode: Mode::Test,
        created: NOW,
    };
    Bill::restore(head, ask, later(65), 2, state)
}

pub fn later(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + seconds * 1_000)
}

pub fn payment(bill: &Bill, state: PaymentState) -> Payment {
    let means = Means {
        method: "card".to_owned(),
        rail: "simulator".to_owned(),
        instrument: None,
    };
    let head = PaymentHead {
        id: PaymentId::parse("pay_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: wire(PAYMENT),
        bill: bill.head.id.clone(),
        merchant: bill.head.merchant.clone(),
        mode: bill.head.mode,
        amount: bill.ask.amount,
        method: means.method,
        rail: means.rail,
        instrument: None,
        gift_card: None,
        created: later(60),
    };
    Payment::restore(head, later(65), 2, state)
}

/// The payment's money: captured, released and given back, as texts in its currency.
pub fn sums(amount: Money, captured: &str, released: &str, refunded: &str) -> PaymentState {
    let part = |text: &str| money(text, amount.currency().code());
    let sums = Sums::restore(amount, part(captured), part(released), part(refunded)).unwrap();
    PaymentState::Authorized {
        at: later(65),
        sums,
    }
}

pub fn ended(how: Ended) -> PaymentState {
    PaymentState::Ended { at: later(65), how }
}

pub fn declined() -> PaymentState {
    ended(Ended::Rejected(Cause::new(
        "insufficient_funds",
        "Insufficient funds",
    )))
}

pub fn view(ask: Ask, state: BillState, payments: Vec<PaymentState>) -> BillView {
    let bill = bill(ask, state.clone());
    let numbered = payments.into_iter().enumerate().map(|(index, state)| {
        let mut payment = payment(&bill, state);
        payment.head.wire = wire(&format!("9ef6957e-6b1b-4e08-8cde-d5f5c908418{index}"));
        payment
    });
    let payments = numbered.collect();
    BillView {
        bill,
        merchant: merchant(),
        payments,
        state,
    }
}

/// A body as it is sent.
pub fn sign(dialect: &dyn Dialect, secret: &Secret, body: &str) -> Outgoing {
    dialect
        .sign(&Signing {
            secrets: std::slice::from_ref(secret),
            url: "https://shop.example.com/hook",
            endpoint: None,
            delivery: "dlv_019bc01e3c007a3bb7c2d1e0f9a8b7c6",
            topic: "payment_request.completed",
            attempt: 1,
            body,
            now: NOW,
        })
        .unwrap()
}

pub fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for ask in [full(), bare(money("5000", "JPY"))] {
        for fact in Fact::ALL {
            let bill = bill(ask.clone(), BillState::Open);
            let payment = payment(&bill, PaymentState::Pending);
            for payment in [None, Some(payment)] {
                let id = EventId::parse("evt_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap();
                let about = About::Bill {
                    bill: Box::new(bill.clone()),
                    payment: payment.map(Box::new),
                };
                events.push(Event {
                    id,
                    at: NOW,
                    fact,
                    about,
                });
            }
        }
    }
    events
}

/// Replies with their names and the request they answer.
pub fn replies() -> Vec<(&'static str, &'static str, Reply)> {
    let mut all = created();
    all.extend(untouched());
    all.extend(moved());
    all.extend(lists());
    all.push(("withdrawn", DELETE, Reply::BillWithdrawn));
    all.push(("default-link", CAL, Reply::DefaultLink(merchant())));
    all
}

fn sgd() -> Money {
    money("10.50", "SGD")
}

fn one(name: &'static str, view: BillView) -> (&'static str, &'static str, Reply) {
    (name, ONE, Reply::Bill(Box::new(view)))
}

fn created() -> Vec<(&'static str, &'static str, Reply)> {
    [
        ("created-full", full()),
        ("created-bare", bare(sgd())),
        ("created-yen", bare(money("5000", "JPY"))),
        ("created-dinar", bare(money("1.505", "KWD"))),
    ]
    .map(|(name, ask)| {
        let view = view(ask, BillState::Open, vec![]);
        (
            name,
            "POST /v1/payment-requests",
            Reply::BillCreated(Box::new(view)),
        )
    })
    .into()
}

/// Bills to which no money came.
fn untouched() -> Vec<(&'static str, &'static str, Reply)> {
    let at = later(65);
    let cause = Cause::new("fraud", "Refused by the bank");
    let open = |name, payments| one(name, view(bare(sgd()), BillState::Open, payments));
    vec![
        open("open-untried", vec![]),
        open("open-declined", vec![declined()]),
        open("open-pending", vec![declined(), PaymentState::Pending]),
        open(
            "open-left",
            vec![ended(Ended::Aborted), ended(Ended::Expired)],
        ),
        open(
            "open-void",
            vec![ended(Ended::Cancelled), sums(sgd(), "0", "10.50", "0")],
        ),
        open("open-held", vec![sums(sgd(), "0", "0", "0")]),
        one("expired", view(full(), BillState::Expired { at }, vec![])),
        one(
            "failed",
            view(
                bare(sgd()),
                BillState::Failed { at, cause },
                vec![declined()],
            ),
        ),
    ]
}

/// Bills that were paid.
fn moved() -> Vec<(&'static str, &'static str, Reply)> {
    let at = later(65);
    let captured = |refunded| sums(sgd(), "10.50", "0", refunded);
    let paid = |name, payments| one(name, view(bare(sgd()), BillState::Paid { at }, payments));
    let repeated = Ask {
        repeatable: true,
        ..bare(sgd())
    };
    vec![
        paid("paid", vec![declined(), captured("0")]),
        paid("partly-refunded", vec![captured("0.50")]),
        paid("refunded", vec![captured("10.50")]),
        one(
            "repeated",
            view(
                repeated,
                BillState::Open,
                vec![captured("0"), captured("0")],
            ),
        ),
    ]
}

const ONE: &str = "GET /v1/payment-requests/9ef68e2e-3569-4f69-9f68-04c7e4bb007c";
const DELETE: &str = "DELETE /v1/payment-requests/9ef68e2e-3569-4f69-9f68-04c7e4bb007c";
const CAL: &str = "GET /v1/payment-requests?request_id=x&is_default=1";

fn lists() -> Vec<(&'static str, &'static str, Reply)> {
    let page = |rows: usize, per_page: u32, page: u32, total: u64| {
        let view = view(bare(money("10.50", "SGD")), BillState::Open, vec![]);
        Reply::Bills(BillPage {
            bills: vec![view; rows],
            per_page,
            page,
            total,
        })
    };
    vec![
        ("list-empty", "GET /v1/payment-requests", page(0, 10, 1, 0)),
        ("list-whole", "GET /v1/payment-requests", page(2, 10, 1, 2)),
        (
            "list-first",
            "GET /v1/payment-requests?per_page=2&status=pending",
            page(2, 2, 1, 5),
        ),
        (
            "list-middle",
            "GET /v1/payment-requests?page=2&per_page=2",
            page(2, 2, 2, 5),
        ),
        (
            "list-last",
            "GET /v1/payment-requests?per_page=2&current_page=3",
            page(1, 2, 3, 5),
        ),
        (
            "list-past-end",
            "GET /v1/payment-requests?current_page=9",
            page(0, 10, 9, 5),
        ),
    ]
}
