//! Made-up bills, payments and deliveries, and every page made from them.

use askama::Template;
use domain::bill::{Ask, BillHead, BillState, Payer};
use domain::card::{CardProblem, Instrument};
use domain::endpoint::Pause;
use domain::payment::{Cause, Means};
use domain::{
    AttemptId, Bill, BillId, BillView, Caller, Currency, DeliveryId, Endpoint, EndpointAsk,
    EndpointId, EndpointState, Merchant, MerchantId, Mode, Moment, Money, Payment, Secret, Seed,
    Timestamp, Topics, WireId,
};
use gateway::operations::deliveries::Standing;
use gateway::operations::payments::{Challenge, Step};
use gateway::sandbox::deliveries::{AttemptRow, DeliveryRow, Wanted};
use gateway::sandbox::shop::{Received, Seen};
use gateway::web::checkout::link::LinkPage;
use gateway::web::checkout::view::{Checkout, Ended, Ending, receipt_payment};
use gateway::web::display::When;
use gateway::web::docs::{DialectPage, DocsPage};
use gateway::web::errors::{MessagePage, Trouble};
use gateway::web::sandbox::deliveries::DeliveriesPage;
use gateway::web::sandbox::endpoints::{EndpointsPage, Range, Typed};
use gateway::web::sandbox::home::{ClockPart, HomePage};
use gateway::web::sandbox::shop::ShopPage;
use gateway::web::simulator::SimulatorPage;
use gateway::web::words::EN;

/// 21 November 2026, 07:21 UTC.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_245_660_000);
pub const BILL: &str = "9ef68e2e-3569-4f69-9f68-04c7e4bb007c";
pub const SAMPLE: &str = include_str!("sample-openapi.json");
pub const PATH: &str = "/payment-request/@demo-shop/9ef68e2e-3569-4f69-9f68-04c7e4bb007c/checkout";

pub fn moment() -> Moment {
    Moment {
        now: NOW,
        seed: Seed::new([7; 32]),
    }
}

pub fn merchant(name: &str) -> Merchant {
    Merchant {
        id: MerchantId::mint(&moment(), "merchant"),
        name: name.to_owned(),
        slug: Merchant::slug_of(name),
        currency: Currency::parse("SGD").unwrap(),
    }
}

pub fn money(text: &str, code: &str) -> Money {
    Money::parse(text, Currency::parse(code).unwrap()).unwrap()
}

/// A test-mode bill of Demo Shop over SGD 25.00, open, card only.
pub fn view() -> BillView {
    let merchant = merchant("Demo Shop");
    let head = BillHead {
        id: BillId::mint(&moment(), "bill"),
        wire: WireId::new(BILL).unwrap(),
        dialect: "hitpay".to_owned(),
        merchant: merchant.id.clone(),
        mode: Mode::Test,
        created: NOW,
    };
    let ask = Ask {
        amount: money("25.00", "SGD"),
        expires: Some(Timestamp::from_millis(NOW.millis() + 1_800_000)),
        repeatable: false,
        reference: Some("ORDER-1042".to_owned()),
        purpose: Some("Two tickets for the night safari".to_owned()),
        payer: Payer::default(),
        methods: vec!["card".to_owned()],
        return_url: Some("https://shop.example/thanks".to_owned()),
        notify_url: None,
        extras: serde_json::Map::new(),
    };
    let bill = Bill::restore(head, ask, NOW, 1, BillState::Open);
    BillView {
        bill,
        merchant,
        payments: Vec::new(),
        state: BillState::Open,
    }
}

/// The same bill, paid by card.
pub fn paid_view() -> BillView {
    let mut view = view();
    view.payments.push(paid(&view.bill, "card"));
    view.state = BillState::Paid { at: NOW };
    view
}

pub fn payment(bill: &Bill, method: &str) -> Payment {
    let instrument = (method == "card").then(|| Instrument {
        brand: "visa".to_owned(),
        first6: "424242".to_owned(),
        last4: "4242".to_owned(),
        expiry: "12/30".to_owned(),
    });
    let wire = WireId::new("9a934d94-a41f-46c7-a934-c1ebf2436008").unwrap();
    let means = Means {
        method: method.to_owned(),
        rail: "simulator".to_owned(),
        instrument,
    };
    Payment::begin(&moment(), bill, wire, means)
}

pub fn paid(bill: &Bill, method: &str) -> Payment {
    let decision = payment(bill, method).authorize(NOW).unwrap();
    decision
        .and_then(|p| p.capture(NOW, bill.ask.amount))
        .unwrap()
        .payment
}

/// With everything long, large or hostile that a merchant may type.
pub fn hostile_view() -> BillView {
    let mut view = view();
    view.merchant.name = "</title><script>alert(1)</script>\"' onload=x \u{202e}evil".to_owned();
    view.bill.ask.purpose = Some("<img src=x onerror=alert(1)> {name} {{ w.pay_to }}".to_owned());
    view.bill.ask.reference = Some("X".repeat(255));
    view.bill.ask.amount = money("90071992547409.91", "SGD");
    view
}

pub fn methods_view() -> BillView {
    let mut view = view();
    let codes = [
        "paynow_online",
        "card",
        "grabpay",
        "shopee_pay",
        "some_new_wallet",
    ];
    view.bill.ask.methods = codes.map(str::to_owned).to_vec();
    view
}

pub fn checkout(view: &BillView) -> Checkout<'_> {
    let path = PATH.to_owned();
    Checkout {
        w: &EN,
        view,
        path,
        once: "f3a9-once".to_owned(),
        returns: true,
        cover: None,
    }
}

pub fn ended(view: &BillView, ending: Ending) -> String {
    let back = Some("https://shop.example/thanks?reference=1&status=completed".to_owned());
    let ended = Ended {
        w: &EN,
        view,
        path: PATH,
        back,
    };
    ended
        .page(ending, receipt_payment(view, None))
        .render()
        .unwrap()
}

fn challenge(method: &str, step: Step) -> String {
    let view = view();
    let payment = payment(&view.bill, method);
    let attempt = AttemptId::mint(&moment(), "attempt");
    let challenge = Challenge {
        attempt,
        view,
        payment,
        step,
    };
    SimulatorPage::new(&EN, &challenge, PATH).render().unwrap()
}

fn checkout_stories() -> Vec<(&'static str, String)> {
    let (card, methods) = (view(), methods_view());
    let problems = [
        CardProblem::NumberInvalid,
        CardProblem::ExpiryPast,
        CardProblem::CodeMissing,
    ];
    let funds = Cause::new("insufficient_funds", "Insufficient funds");
    let other = Cause::new("card_declined", "Do not honor");
    let arabic = BillView {
        merchant: merchant("متجر الكتب القديمة"),
        ..methods_view()
    };
    let mut chinese = BillView {
        merchant: merchant("新加坡夜间动物园售票处"),
        ..view()
    };
    chinese.bill.head.mode = Mode::Live;
    chinese.bill.ask.amount = money("5000", "JPY");
    chinese.bill.ask.expires = None;
    chinese.bill.ask.reference = None;
    let alone = Checkout {
        returns: false,
        ..checkout(&chinese)
    };
    let hostile = hostile_view();
    let page = |page: gateway::web::checkout::view::CheckoutPage| page.render().unwrap();
    vec![
        ("checkout-card", page(checkout(&card).open(None))),
        ("checkout-card-live-chinese", page(alone.open(None))),
        (
            "checkout-card-problems",
            page(checkout(&card).mend(&problems, "10/26", "Kim Tan")),
        ),
        (
            "checkout-declined",
            page(checkout(&card).declined("card", &funds, "Kim Tan")),
        ),
        ("checkout-methods", page(checkout(&methods).open(None))),
        (
            "checkout-methods-arabic",
            page(checkout(&arabic).open(None)),
        ),
        (
            "checkout-card-chosen",
            page(checkout(&methods).open(Some("card"))),
        ),
        (
            "checkout-wallet-declined",
            page(checkout(&methods).declined("grabpay", &other, "")),
        ),
        (
            "checkout-stale",
            page(checkout(&card).refused("card", EN.stale_form)),
        ),
        ("checkout-hostile", page(checkout(&hostile).open(None))),
    ]
}

fn ending_stories() -> Vec<(&'static str, String)> {
    let (open, paid) = (view(), paid_view());
    let mut expired = view();
    expired.state = BillState::Expired { at: NOW };
    let mut refunded = paid_view();
    let part = money("5.00", "SGD");
    let decision = refunded.payments.remove(0).refund(NOW, part).unwrap();
    refunded.payments.push(decision.payment);
    vec![
        ("receipt", ended(&paid, Ending::Paid)),
        ("receipt-refunded", ended(&refunded, Ending::Paid)),
        ("already-paid", ended(&paid, Ending::AlreadyPaid)),
        ("cancelled", ended(&open, Ending::Cancelled)),
        ("expired", ended(&expired, Ending::Expired)),
        ("failed", ended(&open, Ending::Failed)),
        ("under-way", ended(&open, Ending::UnderWay)),
        ("too-many-tries", ended(&open, Ending::TooManyTries)),
        ("ending-hostile", ended(&hostile_view(), Ending::Cancelled)),
    ]
}

fn small_stories() -> Vec<(&'static str, String)> {
    let shop = merchant("Demo Shop");
    let link = |typed, problem: Option<&str>| {
        let problem = problem.map(str::to_owned);
        LinkPage::new(&EN, &shop, Mode::Test, typed, problem)
            .render()
            .unwrap()
    };
    let clock = |typed: &str, problem: Option<&str>| ClockPart {
        now: When::new(&EN, NOW),
        ahead: problem.map(|_| "1 d 2 h".to_owned()),
        typed: typed.to_owned(),
        problem: problem.map(str::to_owned),
    };
    let home = |typed, problem: Option<&str>, clock| {
        let problem = problem.map(str::to_owned);
        HomePage::new(&EN, "http://127.0.0.1:8080", typed, problem, clock)
            .render()
            .unwrap()
    };
    let message = |trouble| MessagePage::new(&EN, trouble).render().unwrap();
    vec![
        ("link", link("", None)),
        ("link-problem", link("25,00", Some(EN.amount_missing.0))),
        ("simulator-card", challenge("card", Step::Open)),
        ("simulator-wallet", challenge("grabpay", Step::Open)),
        ("simulator-late", challenge("card", Step::Late)),
        ("simulator-over", challenge("card", Step::Over)),
        ("missing", message(Trouble::Missing)),
        ("unavailable", message(Trouble::Unavailable)),
        ("busy", message(Trouble::Busy)),
        ("unreadable", message(Trouble::Unreadable)),
        ("home", home(None, None, clock("", None))),
        (
            "home-problem",
            home(Some("lots"), Some(EN.amount_zero.0), clock("", None)),
        ),
        (
            "home-clock-problem",
            home(None, None, clock("<b>", Some(EN.home_clock_unreadable.0))),
        ),
    ]
}

/// A callback signed with the salt `salt`.
pub const CALLBACK: &str = "payment_id=92965a2d-ece3-4ace-1245-494050c9a3c1\
    &payment_request_id=92965a20-dae5-4d89-a452-5fdfa382dbe1&reference_number=ABC123&phone=\
    &amount=599.00&currency=SGD&status=completed\
    &hmac=4e0bc86d5325336008fbe14a010477e133a73f9a815696d47982551e7937b2e9";

fn shop(webhooks: &[&str], status: &str) -> String {
    let headers = vec![
        (
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ),
        ("user-agent".to_owned(), "Florin/0.1".to_owned()),
    ];
    let received = |body: &&str| Received {
        at: NOW,
        headers: headers.clone(),
        body: (*body).to_owned(),
    };
    let seen = Seen {
        sent: "POST /v1/payment-requests HTTP/1.1\nX-BUSINESS-API-KEY: test_••••••••\n\
               Content-Type: application/x-www-form-urlencoded\n\namount=599.00&currency=SGD"
            .to_owned(),
        answered: format!(r#"{{"id":"{BILL}","amount":"599.00","status":"pending"}}"#),
        webhooks: webhooks.iter().map(received).collect(),
    };
    let argument = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let arguments = vec![argument("reference", BILL), argument("status", status)];
    let salt = Secret::new("salt".to_owned());
    ShopPage::new(&EN, seen, arguments, &salt).render().unwrap()
}

fn delivery(label: &str, state: &str, statuses: &[Option<u16>]) -> DeliveryRow {
    let attempt = |status: &Option<u16>| AttemptRow {
        at: NOW,
        status: *status,
        latency_ms: 41,
        error: status.is_none().then(|| "connection refused".to_owned()),
        request_headers: vec![("user-agent".to_owned(), "Florin/0.1".to_owned())],
        request_body: CALLBACK.to_owned(),
        response_headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        response_body: "<h1>no</h1>".to_owned(),
    };
    DeliveryRow {
        id: DeliveryId::mint(&moment(), label),
        event: "payment_request.completed".to_owned(),
        endpoint: "https://shop.example/hooks/florin?<script>".to_owned(),
        registered: None,
        sendable: true,
        standing: match state {
            "pending" => Standing::Due(NOW),
            "delivered" => Standing::Delivered,
            _ => Standing::GivenUp("gave_up".to_owned()),
        },
        names: None,
        state: state.to_owned(),
        next_attempt_at: (state == "pending").then_some(NOW),
        attempts: statuses.iter().map(attempt).collect(),
    }
}

/// Deliveries to endpoints, in every standing there is.
fn standings() -> Vec<DeliveryRow> {
    let since = NOW;
    let paused = |why| Standing::Paused { since, why };
    let ahead = DeliveryId::mint(&moment(), "ahead");
    let given_up = |reason: &str| Standing::GivenUp(reason.to_owned());
    [
        ("by hand", "paused", paused(Pause::ByHand)),
        ("failing", "paused", paused(Pause::Failing)),
        ("gone paused", "paused", paused(Pause::Gone)),
        ("under way", "pending", Standing::UnderWay),
        ("behind", "pending", Standing::Behind(ahead)),
        ("gone", "failed", given_up("gone")),
        ("skipped", "failed", given_up("skipped")),
        ("removed", "failed", given_up("endpoint_removed")),
    ]
    .into_iter()
    .map(|(label, state, standing)| {
        let sendable = label != "removed";
        let endpoint = EndpointId::mint(&moment(), "stock");
        DeliveryRow {
            standing,
            sendable,
            registered: sendable.then_some(endpoint),
            next_attempt_at: None,
            ..delivery(label, state, &[])
        }
    })
    .collect()
}

fn endpoint(label: &str, state: EndpointState, failures: u32) -> Endpoint {
    let caller = Caller {
        merchant: merchant("Demo Shop"),
        mode: Mode::Test,
    };
    let ask = EndpointAsk {
        url: format!("https://shop.example/hooks/{label}?<script>"),
        topics: match label {
            "all" => Topics::All,
            _ => Topics::Some(vec!["bill.paid".to_owned(), "payment.*".to_owned()]),
        },
        label: (label != "all").then(|| label.to_owned()),
        per_topic_max: None,
        extras: serde_json::Map::new(),
    };
    let at = Moment {
        seed: Seed::new(moment().seed.derive(label)),
        ..moment()
    };
    let wire = WireId::new(format!("wire-{label}")).unwrap();
    let mut made = Endpoint::register(&at, &caller, "standard", wire, ask);
    made.state = state;
    made.health.failures = failures;
    made.health.failing_since = (failures > 0).then_some(NOW);
    made
}

fn endpoints() -> Vec<Endpoint> {
    let paused = |why| EndpointState::Paused { at: NOW, why };
    vec![
        endpoint("all", EndpointState::Active, 0),
        endpoint("stock", EndpointState::Active, 1),
        endpoint("<b>books", paused(Pause::Failing), 240),
        endpoint("mail", paused(Pause::ByHand), 0),
        endpoint("old", paused(Pause::Gone), 1),
    ]
}

/// The forms of the page with endpoints, right and wrong.
fn endpoint_forms() -> String {
    let known = endpoints();
    let id = |place: usize| known[place].head.id.to_string();
    let wrong = Range {
        from: "2026-11-21T09:00".to_owned(),
        until: "<b>".to_owned(),
        problem: Some("The range ends before it begins".to_owned()),
        done: None,
    };
    let done = Range {
        done: Some("2 deliveries go out again.".to_owned()),
        ..Range::default()
    };
    let page = EndpointsPage::new(&EN, &known, |_| None)
        .with_range(&id(1), &wrong)
        .with_range(&id(3), &done);
    let page = EndpointsPage {
        made: Some((
            "https://shop.example/<b>".to_owned(),
            "whsec_AAAA".to_owned(),
        )),
        typed: Typed {
            url: "nonsense".to_owned(),
            problem: Some(("url".to_owned(), "the URL cannot be read".to_owned())),
            ..Typed::default()
        },
        ..page
    };
    page.render().unwrap()
}

fn sandbox_stories() -> Vec<(&'static str, String)> {
    let rows = || {
        vec![
            delivery("a", "pending", &[None, Some(500)]),
            delivery("b", "delivered", &[Some(200)]),
            delivery("c", "failed", &[]),
        ]
    };
    let deliveries = |payment: Option<&str>, rows| {
        let wanted = Wanted {
            payment: payment.map(str::to_owned),
            ..Wanted::default()
        };
        let page = DeliveriesPage::new(&EN, &wanted, (rows, None), &endpoints());
        page.render().unwrap()
    };
    let filtered = |rows: Vec<DeliveryRow>| {
        let wanted = Wanted {
            state: Some("failed".to_owned()),
            endpoint: endpoints().first().map(|one| one.head.id.clone()),
            ..Wanted::default()
        };
        let last = rows.last().map(|row| row.id.clone());
        let page = DeliveriesPage::new(&EN, &wanted, (rows, last), &endpoints());
        page.render().unwrap()
    };
    let base = "http://127.0.0.1:8080";
    let profile = dialects::Profile {
        name: "sample",
        title: "Sample",
        prefixes: &["/sample"],
        body_max: 1,
        lists_addresses: false,
        openapi: SAMPLE,
    };
    let forged = CALLBACK.replace("599.00", "1.00");
    vec![
        ("shop-paid", shop(&[CALLBACK], "completed")),
        ("shop-waiting", shop(&[], "completed")),
        ("shop-cancelled", shop(&[], "canceled")),
        ("shop-forged", shop(&[&forged, "status=completed"], "<b>")),
        ("deliveries", deliveries(None, rows())),
        ("deliveries-of-one", deliveries(Some(BILL), rows())),
        ("deliveries-none", deliveries(None, Vec::new())),
        ("deliveries-filtered", filtered(rows())),
        ("deliveries-no-fit", filtered(Vec::new())),
        ("endpoints-forms", endpoint_forms()),
        ("deliveries-standing", deliveries(None, standings())),
        (
            "endpoints",
            EndpointsPage::new(&EN, &endpoints(), |_| None)
                .render()
                .unwrap(),
        ),
        (
            "endpoints-none",
            EndpointsPage::new(&EN, &[], |_| None).render().unwrap(),
        ),
        (
            "docs",
            DocsPage::new(&EN, std::iter::once(&profile))
                .render()
                .unwrap(),
        ),
        (
            "docs-sample",
            DialectPage::new(&EN, "sample", SAMPLE, base)
                .render()
                .unwrap(),
        ),
    ]
}

/// Every page with its name.
pub fn all() -> Vec<(&'static str, String)> {
    [
        checkout_stories(),
        ending_stories(),
        small_stories(),
        sandbox_stories(),
        crate::gift_stories::stories(),
        crate::phone_stories::stories(),
        crate::cashier_stories::stories(),
    ]
    .concat()
}
