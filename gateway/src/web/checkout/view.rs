//! What the checkout shows, as plain values: pure functions from a bill to a page.

use askama::Template;
use domain::bill::BillState;
use domain::card::CardProblem;
use domain::payment::{Cause, GIFT_CARD, Payment, PaymentState, Sums};
use domain::{BillView, Money};

use super::gifts::names_gift_cards;
use crate::operations::covering::Cover;
use crate::operations::redeeming;
use crate::web::display::{self, When};
use crate::web::parts::{Head, Link, Summary, Tone, is_test};
use crate::web::words::{Text, Words};

/// The page where a bill is paid.
#[derive(Clone, Debug, Template)]
#[template(path = "checkout.html")]
pub struct CheckoutPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// What is being paid.
    pub summary: Summary,
    /// Where the forms go.
    pub action: String,
    /// The one-time token of the forms: a form that is sent twice charges once.
    pub once: String,
    /// Why the last try did not work.
    pub alert: Option<Alert>,
    /// How to pay.
    pub body: Body,
    /// What the cancel button says.
    pub cancel: String,
    /// Does the merchant take the browser back?
    pub returns: bool,
    /// What is to be paid here: all, or what gift cards leave.
    pub to_pay: String,
    /// What gift cards cover, if they do.
    pub cover: Option<CoverNews>,
}

/// What gift cards cover, in words.
#[derive(Clone, Debug)]
pub struct CoverNews {
    /// How much, and what is left.
    pub text: String,
    /// Where it is changed.
    pub edit: String,
}

impl CoverNews {
    /// What the cards on a bill cover; nothing while there are none.
    pub fn of(w: &Words, cover: &Cover, edit: String) -> Option<Self> {
        let text = w
            .gift_cover
            .with("covered", display::amount(cover.covered))
            .with("amount", display::amount(cover.remaining))
            .to_string();
        (!cover.parts.is_empty()).then_some(Self { text, edit })
    }
}

/// The part of the page that changes.
#[derive(Clone, Debug)]
pub enum Body {
    /// The card form.
    Card(Box<CardForm>),
    /// A choice of methods.
    Methods(Vec<MethodRow>),
}

/// One way to pay.
#[derive(Clone, Debug)]
pub struct MethodRow {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub text: Text,
    /// Is it the card?
    pub card: bool,
    /// Is it the gift card?
    pub gift: bool,
    /// Is it a bank?
    pub bank: bool,
}

/// The row of a method.
pub fn method_row(w: &Words, code: &str) -> MethodRow {
    MethodRow {
        code: code.to_owned(),
        name: display::method(w, code),
        text: match code {
            "card" => w.method_card_text,
            GIFT_CARD => w.method_gift_text,
            _ => w.method_app_text,
        },
        card: code == "card",
        gift: code == GIFT_CARD,
        bank: false,
    }
}

/// What the cancel button says.
pub fn cancel_text(w: &Words, merchant: &str, returns: bool) -> String {
    if returns {
        w.cancel.with("name", merchant).to_string()
    } else {
        w.cancel_alone.to_string()
    }
}

/// The card form. The number and the code are never part of a page.
#[derive(Clone, Debug, Default)]
pub struct CardForm {
    /// What is wrong with the number.
    pub number: Option<Text>,
    /// What is wrong with the expiry date.
    pub expiry: Option<Text>,
    /// What is wrong with the code.
    pub code: Option<Text>,
    /// The expiry date as typed.
    pub expiry_typed: String,
    /// The name as typed.
    pub name_typed: String,
    /// Back to the other ways to pay, if there are any.
    pub others: Option<String>,
}

/// News above the form, which takes the focus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// In a few words.
    pub title: String,
    /// What happened, and what to do.
    pub text: String,
    /// Fields to mend: the field's id and the problem.
    pub fields: Vec<(&'static str, Text)>,
}

/// What a checkout page is made of.
pub struct Checkout<'a> {
    /// The language.
    pub w: &'static Words,
    /// The bill.
    pub view: &'a BillView,
    /// The address of its page.
    pub path: String,
    /// A fresh one-time token.
    pub once: String,
    /// Does the merchant take the browser back after the page?
    pub returns: bool,
    /// How far gift cards cover the bill, where they may.
    pub cover: Option<&'a Cover>,
}

impl Checkout<'_> {
    /// Is card the only way to pay?
    pub fn card_alone(&self) -> bool {
        let gifts = self.cover.is_some_and(|cover| cover.offered);
        !gifts && matches!(self.view.bill.ask.methods.as_slice(), [only] if only == "card")
    }

    /// Methods that can pay what is to be paid here. On a page that is about gift cards only those
    /// that may pay the rest.
    fn methods_here(&self) -> Vec<String> {
        let own = &self.view.bill.ask.methods;
        if names_gift_cards(self.view) {
            return self.cover.map(|c| c.rest_by.clone()).unwrap_or_default();
        }
        let gift = self.cover.is_some_and(|cover| cover.offered);
        let gift = gift.then(|| GIFT_CARD.to_owned());
        own.iter().cloned().chain(gift).collect()
    }

    /// The page as first opened: the card form at once if there is no choice or it was chosen.
    pub fn open(self, chosen: Option<&str>) -> CheckoutPage {
        let here = self.methods_here();
        let offered = |code: &str| here.iter().any(|m| m == code);
        if self.card_alone() || (chosen == Some("card") && offered("card")) {
            self.card(CardForm::default(), None)
        } else {
            self.methods(None)
        }
    }

    /// The card form, whatever else is offered.
    pub fn card_form(self) -> CheckoutPage {
        self.card(CardForm::default(), None)
    }

    /// The card form with problems at its fields.
    pub fn mend(self, problems: &[CardProblem], expiry: &str, name: &str) -> CheckoutPage {
        let w = self.w;
        let mut form = CardForm {
            expiry_typed: typed(expiry),
            name_typed: typed(name),
            ..CardForm::default()
        };
        let mut fields = Vec::new();
        for problem in problems {
            let (id, text) = problem_text(w, *problem);
            let place = match id {
                "number" => &mut form.number,
                "expiry" => &mut form.expiry,
                _ => &mut form.code,
            };
            *place = Some(text);
            fields.push((id, text));
        }
        let alert = Alert {
            title: w.problem_title.to_string(),
            text: w.problem_retype.to_string(),
            fields,
        };
        self.card(form, Some(alert))
    }

    /// The same page after a decline: nothing was charged, another card may do.
    pub fn declined(self, method: &str, cause: &Cause, name: &str) -> CheckoutPage {
        let alert = Alert {
            title: self.w.declined_title.to_string(),
            text: declined_text(self.w, method, cause),
            fields: Vec::new(),
        };
        self.again(method, alert, name)
    }

    /// The same page with a problem that no field of the form can mend.
    pub fn refused(self, method: &str, text: impl ToString) -> CheckoutPage {
        let alert = Alert {
            title: self.w.problem_title.to_string(),
            text: text.to_string(),
            fields: Vec::new(),
        };
        self.again(method, alert, "")
    }

    fn again(self, method: &str, alert: Alert, name: &str) -> CheckoutPage {
        if self.card_alone() || method == "card" {
            let form = CardForm {
                name_typed: typed(name),
                ..CardForm::default()
            };
            self.card(form, Some(alert))
        } else {
            self.methods(Some(alert))
        }
    }

    fn card(self, mut form: CardForm, alert: Option<Alert>) -> CheckoutPage {
        form.others = (!self.card_alone()).then(|| self.path.clone());
        self.page(Body::Card(Box::new(form)), alert)
    }

    fn methods(self, alert: Option<Alert>) -> CheckoutPage {
        let here = self.methods_here();
        let rows = here.iter().map(|code| method_row(self.w, code)).collect();
        self.page(Body::Methods(rows), alert)
    }

    fn page(self, body: Body, alert: Option<Alert>) -> CheckoutPage {
        let w = self.w;
        let summary = Summary::new(w, self.view);
        let title = w.pay_to.with("name", &summary.merchant).to_string();
        let title = match &alert {
            Some(_) => w.error_prefix.with("title", title).to_string(),
            None => title,
        };
        let cancel = cancel_text(w, &summary.merchant, self.returns);
        let to_pay = match self.cover {
            Some(cover) if !cover.parts.is_empty() => display::amount(cover.remaining),
            Some(_) | None => summary.amount.clone(),
        };
        let edit = if names_gift_cards(self.view) {
            self.path.clone()
        } else {
            with_method(&self.path, GIFT_CARD)
        };
        let news = self.cover.and_then(|cover| CoverNews::of(w, cover, edit));
        CheckoutPage {
            w,
            head: Head::payer(title, is_test(&self.view.bill)),
            summary,
            action: self.path,
            once: self.once,
            alert,
            body,
            cancel,
            returns: self.returns,
            to_pay,
            cover: news,
        }
    }
}

/// The address of a page with a method chosen.
pub fn with_method(path: &str, method: &str) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}method={method}")
}

/// What was typed, cut where no honest value reaches. A card number that was typed into the wrong
/// field is not shown again either.
fn typed(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if digits > 6 {
        String::new()
    } else {
        text.chars().take(100).collect()
    }
}

/// The field that a problem belongs to, and the problem in words.
fn problem_text(w: &Words, problem: CardProblem) -> (&'static str, Text) {
    match problem {
        CardProblem::NumberMissing => ("number", w.number_missing),
        CardProblem::NumberInvalid => ("number", w.number_invalid),
        CardProblem::ExpiryMissing => ("expiry", w.expiry_missing),
        CardProblem::ExpiryInvalid => ("expiry", w.expiry_invalid),
        CardProblem::ExpiryPast => ("expiry", w.expiry_past),
        CardProblem::CodeMissing => ("code", w.code_missing),
        CardProblem::CodeInvalid => ("code", w.code_invalid),
    }
}

/// A decline in words: no codes, no blame. A reason that we have no words for is left out.
fn declined_text(w: &Words, method: &str, cause: &Cause) -> String {
    let reason = match cause.code.as_str() {
        "insufficient_funds" => Some(w.reason_funds),
        "expired_card" => Some(w.reason_expired),
        "authentication_failed"
        | "authentication_required"
        | "challenge_declined"
        | "not_authenticated" => Some(w.reason_authentication),
        _ => None,
    };
    match (method == "card", reason) {
        (true, Some(reason)) => w.declined_card.with("reason", reason).to_string(),
        (true, None) => w.declined_card_plain.to_string(),
        (false, Some(reason)) => w.declined_other.with("reason", reason).to_string(),
        (false, None) => w.declined_other_plain.to_string(),
    }
}

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
