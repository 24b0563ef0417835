//! What the checkout shows, as plain values: pure functions from a bill to a page.

use askama::Template;
use domain::BillView;
use domain::card::CardProblem;
use domain::payment::{Cause, GIFT_CARD};

pub use super::ending::{Ended, Ending, EndingPage, Receipt, receipt_payment};
use super::gifts::names_gift_cards;
use crate::operations::covering::Cover;
use crate::web::display;
use crate::web::parts::{Head, Summary, is_test};
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
    /// What it brings, if that is known: `visa, mastercard`.
    pub brings: String,
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
        brings: String::new(),
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
        let own = own.iter().filter(|code| *code != GIFT_CARD);
        own.cloned().chain(gift).collect()
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
        CardProblem::NumberInvalid | CardProblem::NumberMistyped => ("number", w.number_invalid),
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
