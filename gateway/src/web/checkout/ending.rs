//! What a page says when the visit ends: paid, cancelled, expired, and the receipt.

use askama::Template;
use domain::BillState;
use domain::payment::{Payment, PaymentState, Sums};
use domain::{BillView, Money};

use crate::operations::redeeming;
use crate::web::display::{self, When};
use crate::web::parts::{Head, Link, Summary, Tone, is_test};
use crate::web::words::{Text, Words};

/// A page that says how a bill stands and what happened to the money.
#[derive(Clone, Debug, Template)]
#[template(path = "ending.html")]
pub struct EndingPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// What was to be paid.
    pub summary: Summary,
    /// Good news or bad.
    pub tone: Tone,
    /// The news in a few words.
    pub heading: String,
    /// What it means.
    pub text: String,
    /// The receipt, if it was paid.
    pub receipt: Option<Receipt>,
    /// Where to go from here.
    pub links: Vec<Link>,
}

/// What was paid.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// How much.
    pub amount: String,
    /// How much of it went back, if any.
    pub refunded: Option<String>,
    /// When.
    pub when: When,
    /// With what.
    pub method: String,
    /// The number of the payment.
    pub number: String,
}

impl Receipt {
    /// Of a bill that was paid: with gift cards several payments are one receipt.
    pub fn of(w: &Words, view: &BillView, payment: &Payment) -> Option<Self> {
        let receipt = Self::new(w, payment)?;
        let parts = taken(view);
        if view.bill.ask.repeatable || parts.len() < 2 {
            return Some(receipt);
        }
        let methods: Vec<String> = parts.iter().map(|part| paid_with(w, part)).collect();
        let back = parts
            .iter()
            .filter_map(|part| sums(part))
            .map(|s| s.refunded());
        let back = total(view, back);
        Some(Self {
            amount: display::amount(paid_in_all(view)),
            refunded: (!back.is_zero()).then(|| display::amount(back)),
            method: methods.join(", "),
            ..receipt
        })
    }

    /// Of a payment that went through.
    pub fn new(w: &Words, payment: &Payment) -> Option<Self> {
        let PaymentState::Authorized { at, sums } = payment.state() else {
            return None;
        };
        let head = &payment.head;
        let method = paid_with(w, payment);
        let shown = |money: Money| (!money.is_zero()).then(|| display::amount(money));
        Some(Self {
            amount: display::amount(head.amount),
            refunded: shown(sums.refunded()),
            when: When::new(w, *at),
            method,
            number: head.wire.to_string(),
        })
    }
}

/// What a payment was made with.
fn paid_with(w: &Words, payment: &Payment) -> String {
    match (&payment.head.gift_card, &payment.head.instrument) {
        (Some(part), _) => w.gift_receipt.with("number", &part.last5).to_string(),
        (None, Some(instrument)) => display::card(w, instrument),
        (None, None) => display::method(w, &payment.head.method),
    }
}

fn sums(payment: &Payment) -> Option<Sums> {
    match payment.state() {
        PaymentState::Authorized { sums, .. } => Some(*sums),
        PaymentState::Pending | PaymentState::Ended { .. } => None,
    }
}

/// The payments of a bill that took money.
fn taken(view: &BillView) -> Vec<&Payment> {
    let took = |p: &&Payment| sums(p).is_some_and(|sums| !sums.captured().is_zero());
    view.payments.iter().filter(took).collect()
}

fn total(view: &BillView, parts: impl Iterator<Item = Money>) -> Money {
    let zero = Money::zero(view.bill.ask.amount.currency());
    parts.fold(zero, |sum, part| sum.checked_add(part).unwrap_or(sum))
}

/// What was paid of a bill: less than it asked for if gift cards covered only a part.
fn paid_in_all(view: &BillView) -> Money {
    let parts = taken(view);
    if view.bill.ask.repeatable || parts.is_empty() {
        return view.bill.ask.amount;
    }
    total(
        view,
        parts.into_iter().filter_map(sums).map(|s| s.captured()),
    )
}

/// Why a bill is not being paid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has been paid: the receipt.
    Paid,
    /// It was paid before this visit.
    AlreadyPaid,
    /// The payer cancelled; it is still open.
    Cancelled,
    /// The payer gave up, and that ended it.
    Aborted,
    /// Its time is over.
    Expired,
    /// It failed for good.
    Failed,
    /// Another try has not been finished.
    UnderWay,
    /// Too many cards were declined.
    TooManyTries,
}

impl Ending {
    /// What a bill's state means for a visitor; nothing while it is open.
    pub fn of(state: &BillState) -> Option<Self> {
        match state {
            BillState::Open => None,
            BillState::Paid { .. } => Some(Self::AlreadyPaid),
            BillState::Failed { cause, .. } if cause.code == redeeming::ABORTED => {
                Some(Self::Aborted)
            }
            BillState::Failed { .. } | BillState::Withdrawn { .. } => Some(Self::Failed),
            BillState::Expired { .. } => Some(Self::Expired),
        }
    }
}

/// What an ending page is made of.
pub struct Ended<'a> {
    /// The language.
    pub w: &'static Words,
    /// The bill.
    pub view: &'a BillView,
    /// The address of its page.
    pub path: &'a str,
    /// The shop's return address for how it ended, with its arguments.
    pub back: Option<String>,
}

impl Ended<'_> {
    /// The page for an ending. `payment` is the one whose receipt is shown.
    pub fn page(self, ending: Ending, payment: Option<&Payment>) -> EndingPage {
        let (w, view) = (self.w, self.view);
        let (tone, heading, text) = news(w, view, ending);
        let receipt = match ending {
            Ending::Paid | Ending::AlreadyPaid => payment.and_then(|p| Receipt::of(w, view, p)),
            _ => None,
        };
        let shop = Link::shop(w, &view.merchant.name, self.back);
        let own = |text| Link::ours(self.path, text);
        let links: Vec<Link> = match ending {
            Ending::Cancelled => {
                let shop = shop.map(Link::minor);
                std::iter::once(own(w.pay_after_all)).chain(shop).collect()
            }
            Ending::UnderWay => {
                let shop = shop.map(Link::minor);
                std::iter::once(own(w.try_again)).chain(shop).collect()
            }
            _ => shop.into_iter().collect(),
        };
        EndingPage {
            w,
            head: Head::payer(heading, is_test(&view.bill)),
            summary: Summary::new(w, view).closed(),
            tone,
            heading: heading.to_string(),
            text,
            receipt,
            links,
        }
    }
}

/// Tone, heading and text of an ending.
fn news(w: &Words, view: &BillView, ending: Ending) -> (Tone, Text, String) {
    let name = &view.merchant.name;
    let amount = display::amount(paid_in_all(view));
    let paid = |text: Text| text.with("amount", &amount).with("name", name).to_string();
    match ending {
        Ending::Paid => (Tone::Good, w.paid_heading, paid(w.paid_text)),
        Ending::AlreadyPaid => (Tone::Good, w.already_heading, paid(w.already_text)),
        Ending::Cancelled => (Tone::Plain, w.cancelled_heading, paid(w.cancelled_text)),
        Ending::Aborted => (Tone::Plain, w.cancelled_heading, w.aborted_text.to_string()),
        Ending::Expired => {
            let at = match view.state {
                BillState::Expired { at } => at,
                _ => view.bill.updated,
            };
            let text = w
                .expired_text
                .with("when", When::new(w, at).text)
                .with("name", name);
            (Tone::Wait, w.expired_heading, text.to_string())
        }
        Ending::Failed => (
            Tone::Bad,
            w.failed_heading,
            w.failed_text.with("name", name).to_string(),
        ),
        Ending::UnderWay => (
            Tone::Wait,
            w.under_way_heading,
            w.under_way_text.to_string(),
        ),
        Ending::TooManyTries => (
            Tone::Bad,
            w.tries_heading,
            w.tries_text.with("name", name).to_string(),
        ),
    }
}

/// The payment that a receipt is for: the one that was asked for, else the last that went through.
/// A link that many pay shows nobody another payer's receipt: there the number must be given.
pub fn receipt_payment<'a>(view: &'a BillView, number: Option<&str>) -> Option<&'a Payment> {
    let went_through = |p: &&Payment| matches!(p.state(), PaymentState::Authorized { .. });
    let mut paid = view.payments.iter().rev().filter(went_through);
    match number {
        Some(number) => paid.find(|p| p.head.wire.as_str() == number),
        None if view.bill.ask.repeatable => None,
        None => paid.next(),
    }
}
