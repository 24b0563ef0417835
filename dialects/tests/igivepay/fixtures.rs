//! Fixed objects: one merchant, payments in every state, paid by gift cards and otherwise.

use dialects::{Dialect, Outgoing, Signing, Site, igivepay};
use domain::bill::{BillHead, Payer};
use domain::call::{CardBalance, CardLine};
use domain::card::Instrument;
use domain::gift_card::Deed;
use domain::payment::{Cause, GIFT_CARD, GiftPart, Means, Sums};
use domain::{
    Ask, Bill, BillId, BillState, BillView, CardId, Currency, Event, Fact, Merchant, MerchantId,
    Mode, Moment, Money, Payment, PaymentState, Reply, Secret, Seed, Timestamp, WireId,
};
use http::Request;
use http::request::Parts;
use serde_json::json;

/// 2026-01-15T04:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_768_449_600_000);

pub const ID: &str = "6b0c9f0e-5a53-4a3c-9a67-0d3f5f0f3c11";

pub fn site() -> Site {
    Site::sandbox("https://pay.example.com")
}

pub fn head(method: &str, target: &str) -> Parts {
    let request = Request::builder().method(method).uri(target);
    request.body(()).unwrap().into_parts().0
}

pub fn nok(text: &str) -> Money {
    Money::parse(text, Currency::parse("NOK").unwrap()).unwrap()
}

pub fn later(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + seconds * 1_000)
}

pub fn moment(byte: u8) -> Moment {
    Moment {
        now: NOW,
        seed: Seed::new([byte; 32]),
    }
}

fn merchant() -> Merchant {
    Merchant {
        id: MerchantId::parse("mer_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        name: "Demo Shop".to_owned(),
        slug: "demo-shop".to_owned(),
        currency: Currency::parse("NOK").unwrap(),
    }
}

pub fn bill(total: &str, state: BillState) -> Bill {
    let head = BillHead {
        id: BillId::parse("bil_019bc01e3c007a3bb7c2d1e0f9a8b7c6").unwrap(),
        wire: WireId::new(ID).unwrap(),
        dialect: "igivepay".to_owned(),
        merchant: merchant().id,
        mode: Mode::Test,
        created: NOW,
    };
    let ask = Ask {
        amount: nok(total),
        expires: Some(later(3_600)),
        repeatable: false,
        reference: Some("order-1001".to_owned()),
        purpose: None,
        payer: Payer::default(),
        methods: vec![GIFT_CARD.to_owned()],
        return_url: Some("https://shop.example/thanks?a=1&b=%26#done".to_owned()),
        notify_url: Some("https://shop.example/hook".to_owned()),
        extras: serde_json::Map::new(),
    };
    Bill::restore(head, ask, later(65), 2, state)
}

fn captured(amount: Money, refunded: Money) -> PaymentState {
    let none = Money::zero(amount.currency());
    let sums = Sums::restore(amount, amount, none, refunded).unwrap();
    PaymentState::Authorized {
        at: later(60),
        sums,
    }
}

/// A part paid by a gift card; of it `refunded` went back.
pub fn gift(bill: &Bill, last5: &str, amount: &str, refunded: &str) -> Payment {
    let part = GiftPart {
        card: CardId::mint(&moment(1), last5),
        last5: last5.to_owned(),
    };
    let wire = WireId::new(format!("part {last5}")).unwrap();
    let begun = Payment::begin_part(&moment(2).branch(last5), bill, wire, part, nok(amount));
    let state = captured(nok(amount), nok(refunded));
    Payment::restore(begun.head, later(60), 3, state)
}

/// The rest, paid by bank card or in an app.
pub fn rest(bill: &Bill, amount: &str, by_card: bool) -> Payment {
    let instrument = by_card.then(|| Instrument {
        brand: "visa".to_owned(),
        first6: "424242".to_owned(),
        last4: "4242".to_owned(),
        expiry: "12/30".to_owned(),
    });
    let means = Means {
        method: if by_card { "card" } else { "wallet" }.to_owned(),
        rail: "simulator".to_owned(),
        instrument,
    };
    let wire = WireId::new("rest").unwrap();
    let begun = Payment::begin_rest(&moment(3), bill, wire, means, nok(amount));
    Payment::restore(begun.head, later(60), 3, captured(nok(amount), nok("0")))
}

fn held(bill: &Bill) -> Payment {
    let part = gift(bill, "12345", "200", "0");
    let begun = Payment::restore(part.head, NOW, 1, PaymentState::Pending);
    begun.authorize(NOW).unwrap().payment
}

pub fn view(bill: Bill, payments: Vec<Payment>) -> BillView {
    let state = bill.state().clone();
    BillView {
        bill,
        merchant: merchant(),
        payments,
        state,
    }
}

fn shown(name: &'static str, bill: Bill, payments: Vec<Payment>) -> Row {
    let reply = Reply::Bill(Box::new(view(bill, payments)));
    (name, format!("GET /api/v1/payments/{ID}"), reply)
}

type Row = (&'static str, String, Reply);

/// Replies with their names and the request they answer.
pub fn replies() -> Vec<Row> {
    let at = later(65);
    let open = || bill("499", BillState::Open);
    let paid = |total| bill(total, BillState::Paid { at });
    let failed = BillState::Failed {
        at,
        cause: Cause::new("aborted", "Given up"),
    };
    let both = |bill: &Bill, back: bool| {
        let (one, two) = if back { ("200", "100") } else { ("0", "0") };
        vec![
            gift(bill, "12345", "200", one),
            gift(bill, "67890", "100", two),
        ]
    };
    let create = Reply::BillCreated(Box::new(view(open(), vec![])));
    let mut all: Vec<Row> = vec![
        ("created", "POST /api/v1/payments".to_owned(), create),
        shown("pending", open(), vec![]),
        shown("pending-held", open(), vec![held(&open())]),
        shown("part", paid("499"), both(&open(), false)),
        shown(
            "whole-exact",
            paid("200.05"),
            vec![gift(&open(), "00007", "200.05", "0")],
        ),
        shown("refunded", paid("499"), both(&open(), true)),
        shown("aborted", bill("499", failed), vec![]),
        shown("expired", bill("499", BillState::Expired { at }), vec![]),
        shown(
            "rest-by-card",
            paid("499"),
            vec![
                gift(&open(), "12345", "300", "0"),
                rest(&open(), "199", true),
            ],
        ),
        shown(
            "rest-in-app",
            paid("499.5"),
            vec![
                gift(&open(), "12345", "300", "0"),
                rest(&open(), "199.5", false),
            ],
        ),
    ];
    let on = |lines| {
        let amount = Some(nok("300.5"));
        Reply::CardBalance(CardBalance { amount, lines })
    };
    let line = |deed, amount| CardLine {
        at: NOW,
        deed,
        amount: nok(amount),
    };
    let lines = Deed::ALL.map(|deed| line(deed, "1.5")).to_vec();
    let target = "GET /api/v1/giftcards/balance/9578411100501234567";
    for (name, reply) in [
        ("balance", on(lines)),
        (
            "balance-nothing",
            Reply::CardBalance(CardBalance::default()),
        ),
    ] {
        all.push((name, target.to_owned(), reply));
    }
    all
}

/// Every fact about a payment with two gift cards, and about one whose rest a bank card paid.
pub fn events() -> Vec<(&'static str, Event)> {
    let mut all = Vec::new();
    for fact in Fact::ALL {
        let mut bill = bill("499", BillState::Open);
        let cards =
            json!([{"last5": "12345", "minor": 20_000}, {"last5": "67890", "minor": 9_950}]);
        bill.ask.extras.insert("gift_cards".to_owned(), cards);
        let last = gift(&bill, "67890", "99.5", "0");
        let event = |payment| Event::of_bill(&moment(4), fact, bill.clone(), Some(payment));
        all.push(("", event(last)));
        all.push(("-rest-by-card", event(rest(&bill, "199.5", true))));
    }
    all
}

/// A body signed under a secret.
pub fn sign(secret: &str, body: &str) -> Outgoing {
    let secrets = [Secret::new(secret.to_owned())];
    let signing = Signing {
        secrets: &secrets,
        url: "https://shop.example/hook",
        endpoint: None,
        delivery: "dlv_1",
        topic: igivepay::webhooks::TOPIC,
        attempt: 1,
        body,
        now: NOW,
    };
    igivepay::IGivePay.sign(&signing).unwrap()
}
