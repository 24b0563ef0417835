//! The landing page, the phone and its inbox, in every state.

use askama::Template;
use domain::bill::{Ask, BillHead, BillState, Payer};
use domain::payment::{Cause, Ended, Means};
use domain::reservation::ReservationView;
use domain::{Bill, BillId, Mode, Payment, PaymentState, Span, WireId};
use gateway::operations::phones::Rule;
use gateway::web::landing::phone::PhonePage;
use gateway::web::landing::{LandingEnded, LandingPage};
use gateway::web::sandbox::phone::{InboxPage, PhonesPage};
use gateway::web::words::EN;

use crate::stories::{NOW, merchant, moment, money};

const BACK: &str = "https://shop.example/back?order=8&x=a%20b";

/// A request over NOK 499.00 that waits.
fn waiting() -> ReservationView {
    let merchant = merchant("Tea & <Cups>");
    let wire = |text: &str| WireId::new(text).unwrap();
    let head = BillHead {
        id: BillId::mint(&moment(), "phone"),
        wire: wire("83b3fdb095474ec5bdb75600ce70e792"),
        merchant: merchant.id.clone(),
        mode: Mode::Test,
        dialect: "vipps".to_owned(),
        created: NOW,
    };
    let ask = Ask {
        amount: money("499.00", "NOK"),
        expires: Some(NOW.plus(Span::from_minutes(10))),
        repeatable: false,
        reference: Some("acme-shop-123-order123abc".to_owned()),
        purpose: Some("A pot of tea and two cups".to_owned()),
        payer: Payer {
            phone: Some("4791234567".to_owned()),
            ..Payer::default()
        },
        methods: vec!["wallet".to_owned()],
        return_url: Some(BACK.to_owned()),
        notify_url: None,
        extras: serde_json::Map::new(),
    };
    let bill = Bill::restore(head, ask, NOW, 1, BillState::Open);
    let means = Means {
        method: "wallet".to_owned(),
        rail: "simulator".to_owned(),
        instrument: None,
    };
    let payment = Payment::begin(&moment(), &bill, wire("740e7483"), means);
    ReservationView {
        bill,
        merchant,
        state: payment.state().clone(),
        payment,
        until: None,
        phone: Some("4791234567".to_owned()),
        steps: Vec::new(),
    }
}

fn ended(how: Ended) -> ReservationView {
    ReservationView {
        state: PaymentState::Ended { at: NOW, how },
        ..waiting()
    }
}

fn approved() -> ReservationView {
    let view = waiting();
    let payment = view.payment.clone().authorize(NOW).unwrap().payment;
    ReservationView {
        state: payment.state().clone(),
        payment,
        ..view
    }
}

/// Without an address to go back to, as a push message has it, and without a purpose.
fn bare() -> ReservationView {
    let mut view = waiting();
    view.bill.ask.return_url = None;
    view.bill.ask.purpose = None;
    view.phone = None;
    view
}

/// With two ways of delivery.
fn express() -> ReservationView {
    let mut view = waiting();
    let amount = |value: i64| serde_json::json!({"currency": "NOK", "value": value});
    let options = serde_json::json!({"fixedOptions": [
        {"id": "home", "name": "To your <door>", "amount": amount(3_900), "isDefault": true},
        {"id": "kiosk", "name": "At the kiosk", "amount": amount(0)},
    ]});
    view.bill.ask.extras.insert("shipping".to_owned(), options);
    view
}

pub fn stories() -> Vec<(&'static str, String)> {
    let back = || Some(BACK.to_owned());
    let landing = |view: &ReservationView, typed: &str, problem: Option<&str>| {
        let problem = problem.map(str::to_owned);
        LandingPage::new(&EN, view, typed, problem)
            .render()
            .unwrap()
    };
    let over = |view: &ReservationView| LandingEnded::new(&EN, view, back()).render().unwrap();
    let cause = Cause::new("insufficient_funds", "Insufficient funds");
    let phone = |view: &ReservationView| PhonePage::new(&EN, view, back(), true);
    let inbox = |views: &[ReservationView], rule| {
        InboxPage::new(&EN, "4791234567", views, rule)
            .render()
            .unwrap()
    };
    let wrong = Some("Enter a mobile number.".to_owned());
    let numbers = vec!["4791234567".to_owned(), "358401234567".to_owned()];
    vec![
        ("landing", landing(&waiting(), "4791234567", None)),
        ("landing-wrong", landing(&waiting(), "<12>", Some("Wrong."))),
        ("landing-bare", landing(&bare(), "", None)),
        ("landing-approved", over(&approved())),
        ("landing-aborted", over(&ended(Ended::Aborted))),
        ("landing-expired", over(&ended(Ended::Expired))),
        ("landing-taken-back", over(&ended(Ended::Cancelled))),
        ("phone", phone(&waiting()).render().unwrap()),
        ("phone-express", phone(&express()).render().unwrap()),
        (
            "phone-declined",
            phone(&waiting()).declined(&cause).render().unwrap(),
        ),
        ("phone-approved", phone(&approved()).render().unwrap()),
        (
            "phone-bare",
            PhonePage::new(&EN, &bare(), None, false).render().unwrap(),
        ),
        (
            "inbox",
            inbox(
                &[waiting(), approved(), ended(Ended::Expired)],
                Rule::Approve,
            ),
        ),
        ("inbox-none", inbox(&[], Rule::Ask)),
        (
            "phones",
            PhonesPage::new(&EN, numbers, "", None).render().unwrap(),
        ),
        (
            "phones-wrong",
            PhonesPage::new(&EN, Vec::new(), "1<2", wrong)
                .render()
                .unwrap(),
        ),
    ]
}
