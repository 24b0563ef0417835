//! Pages of deposits and withdrawals with made-up data.

use askama::Template;
use domain::bill::Payer;
use domain::payment::Cause;
use domain::payout::{Approval, Order, Request, Stages};
use domain::provider::{Provider, ProviderKind};
use domain::{Caller, Direction, Mode, Moment, PaymentSettings, Payout, Seed, Span, WireId};
use gateway::operations::approvals::Seen;
use gateway::operations::cashier::Withdrawal;
use gateway::web::cashier::view::{CashierPage, Place, ProviderPage, ProviderPlace, standing};
use gateway::web::sandbox::payouts::PayoutsPage;
use gateway::web::words::EN;
use store::tables::transactions::{About, Transaction};

use crate::stories::{NOW, checkout, hostile_view, merchant, money, view};

const WIRE: &str = "r21nmrtpcmrcava";
const TRACKING: &str = "b8f04416-116a-11ed-861d-0242ac120002";
const STAGES: Stages = Stages {
    user: Span::from_minutes(24 * 60),
    approval: Span::from_minutes(30 * 24 * 60),
    rail: Span::from_seconds(2),
};

fn place(back: Option<&str>) -> Place<'static> {
    Place {
        w: &EN,
        action: "/cashier/0123abcd".to_owned(),
        merchant: "Demo Shop",
        back: back.map(str::to_owned),
    }
}

const BACK: Option<&str> = Some("https://shop.example/back?status=pending");

fn providers() -> Vec<Provider> {
    PaymentSettings::usual(Mode::Test).providers
}

/// Each has an id of its own.
fn payout(user_step: bool, available: &str, number: u8) -> Payout {
    let order = Order {
        amount: money("200.00", "EUR"),
        reference: Some(TRACKING.to_owned()),
        purpose: Some("Winnings of November".to_owned()),
        payee: Payer::default(),
        methods: vec!["sim-bank".to_owned()],
        return_url: None,
        notify_url: None,
        extras: serde_json::Map::new(),
    };
    let request = Request {
        dialect: "numipay",
        wire: WireId::new(WIRE).unwrap(),
        order,
        by: "key:0123456789abcdef".to_owned(),
        user_step,
    };
    let caller = Caller {
        merchant: merchant("Demo Shop"),
        mode: Mode::Test,
    };
    let available = money(available, "EUR");
    let at = Moment {
        now: NOW,
        seed: Seed::new([number; 32]),
    };
    let made = Payout::request(&at, &caller, request, available, STAGES);
    made.unwrap().payout
}

fn approved(number: u8) -> Payout {
    let approval = Approval {
        by: "operator",
        alone_up_to: None,
        rail: "simulator",
        provider: Some("sim-bank"),
    };
    let decision = payout(false, "500.00", number).approve(NOW, &approval, STAGES);
    decision.unwrap().payout
}

/// One of each state.
fn payouts() -> Vec<(&'static str, Payout)> {
    let waiting = |number| payout(false, "500.00", number);
    vec![
        ("chooses", payout(true, "500.00", 1)),
        ("waiting", waiting(2)),
        ("on-its-way", approved(3)),
        ("paid", approved(4).paid(NOW).unwrap().payout),
        ("no-money", payout(false, "1.00", 5)),
        (
            "declined",
            approved(6)
                .reject(NOW, Cause::new("declined", "<b>Wrong account"))
                .unwrap()
                .payout,
        ),
        ("turned-down", waiting(7).cancel(NOW).unwrap().payout),
        ("expired", waiting(8).expire(NOW).unwrap().payout),
    ]
}

fn withdrawal(payout: Payout) -> Withdrawal {
    Withdrawal {
        state: payout.state().clone(),
        payout,
        merchant: merchant("Demo Shop"),
    }
}

fn seen((name, payout): (&'static str, Payout)) -> Seen {
    let transaction = Transaction {
        about: About::Payout(payout.head.id.clone()),
        dialect: "numipay".to_owned(),
        wire: payout.head.wire.clone(),
        merchant: payout.head.merchant.clone(),
        mode: Mode::Test,
        tracking: TRACKING.to_owned(),
        user: "1111222".to_owned(),
        direction: Direction::Withdrawal,
        flow: "hosted".to_owned(),
        amount: payout.order.amount,
        page: "0123abcd".to_owned(),
        answer: None,
        created: NOW,
    };
    Seen {
        state: payout.state().clone(),
        payout,
        transaction: Some(transaction),
        key: None,
        two_persons: name == "waiting",
        history: Vec::new(),
    }
}

fn provider_page(id: &str, withdrawal: bool) -> String {
    let all = providers();
    let provider = all.iter().find(|one| one.id == id).unwrap();
    assert_ne!(provider.kind, ProviderKind::Card);
    let place = ProviderPlace {
        withdrawal,
        merchant: "Demo Shop",
        amount: "EUR\u{a0}200.00".to_owned(),
        action: format!("/cashier/0123abcd?provider={id}"),
        others: Some("/cashier/0123abcd".to_owned()),
    };
    let page = ProviderPage::new(&EN, provider, (WIRE, TRACKING), place);
    page.render().unwrap()
}

/// Every page of the cashier, and the merchant's list of payouts.
pub fn stories() -> Vec<(&'static str, String)> {
    let (open, hostile) = (view(), hostile_view());
    let render = |page: CashierPage| page.render().unwrap();
    let card = checkout(&open).card_form();
    let others = Some("/cashier/0123abcd".to_owned());
    let chosen = withdrawal(payout(true, "500.00", 9));
    let bank = &providers()[2..];
    let mut all = vec![
        (
            "cashier-list",
            render(CashierPage::deposit(place(BACK), &open, &providers())),
        ),
        (
            "cashier-none-hostile",
            render(CashierPage::deposit(place(None), &hostile, &[])),
        ),
        (
            "cashier-problem",
            render(
                CashierPage::deposit(place(BACK), &open, &providers())
                    .with_problem(EN.method_unknown),
            ),
        ),
        (
            "cashier-card",
            render(CashierPage::card(place(BACK), card, others)),
        ),
        (
            "withdrawal-list",
            render(CashierPage::withdrawal(place(BACK), &chosen, bank)),
        ),
        ("provider-wallet", provider_page("sim-wallet", false)),
        ("provider-bank", provider_page("sim-bank", false)),
        ("provider-payout", provider_page("sim-bank", true)),
    ];
    let names = [
        ("waiting", "withdrawal-waiting"),
        ("on-its-way", "withdrawal-on-its-way"),
        ("paid", "withdrawal-paid"),
        ("declined", "withdrawal-rejected"),
        ("expired", "withdrawal-expired"),
    ];
    for (name, payout) in payouts() {
        if let Some((_, story)) = names.iter().find(|(known, _)| *known == name) {
            let back = BACK.map(str::to_owned);
            let page = standing(&EN, &withdrawal(payout), back);
            all.push((story, page.render().unwrap()));
        }
    }
    let list: Vec<Seen> = payouts().into_iter().map(seen).collect();
    all.push(("payouts", PayoutsPage::new(&EN, &list).render().unwrap()));
    let none = PayoutsPage::new(&EN, &list).with_problem();
    all.push(("payouts-no-provider", none.render().unwrap()));
    all.push(("payouts-none", PayoutsPage::new(&EN, &[]).render().unwrap()));
    all
}
