//! Gift cards on a checkout page: add, remove, see what is covered and what is still to pay, pay.
//!
//! Every step is a plain form. What is on a card is shown only after its code was right, and a
//! card's number and code are never part of a page.

use std::net::IpAddr;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use dialects::PageOutcome;
use domain::payment::GIFT_CARD;
use domain::programme::{CardUse, EntryProblem};
use domain::{CardEntry, CardRefusal, Refusal, Span};

use super::Visit;
use super::view::{Alert, Ending, MethodRow, cancel_text, method_row};
use crate::operations::covering::{self, Cover};
use crate::operations::guesses::Visitor;
use crate::operations::payments;
use crate::operations::{Failure, redeeming};
use crate::web::display;
use crate::web::errors;
use crate::web::form::Form;
use crate::web::parts::{Head, Summary, is_test};
use crate::web::shell::retry_after;
use crate::web::words::{Text, Words};

/// The page where gift cards are added to a payment.
#[derive(Clone, Debug, Template)]
#[template(path = "gifts.html")]
pub struct GiftPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// What is being paid.
    pub summary: Summary,
    /// Where the forms go.
    pub action: String,
    /// The one-time token of the forms.
    pub once: String,
    /// Why the last step did not work.
    pub alert: Option<Alert>,
    /// What is wrong with the number.
    pub number: Option<Text>,
    /// What is wrong with the code.
    pub cvc: Option<Text>,
    /// What the code's field says.
    pub cvc_hint: Text,
    /// The cards on the payment.
    pub cards: Vec<CardRow>,
    /// What they cover.
    pub covered: String,
    /// What is still to pay; nothing when all is covered.
    pub remaining: Option<String>,
    /// May another card be added?
    pub adds: bool,
    /// What the pay button says and what happens then; nothing while it cannot be pressed.
    pub pay: Option<PayRow>,
    /// Other ways to pay the rest here.
    pub rest: Vec<MethodRow>,
    /// The field that names one of those.
    pub field: &'static str,
    /// Back to the other ways to pay, if there are any.
    pub others: Option<String>,
    /// What the cancel button says.
    pub cancel: String,
}

/// A gift card on the payment.
#[derive(Clone, Debug)]
pub struct CardRow {
    /// What it is removed by.
    pub payment: String,
    /// The end of its number.
    pub last5: String,
    /// How much of it is used.
    pub amount: String,
    /// How much there was on it.
    pub balance: String,
    /// What its remove button says to those who cannot see the row.
    pub remove: String,
}

/// The pay button.
#[derive(Clone, Debug)]
pub struct PayRow {
    /// On the button.
    pub button: String,
    /// Beside it.
    pub text: String,
}

/// What a gift-card page is made of.
pub struct Gifts<'a> {
    /// The language.
    pub w: &'static Words,
    /// The bill.
    pub view: &'a domain::BillView,
    /// How far it is covered.
    pub cover: &'a Cover,
    /// The address of its page.
    pub path: String,
    /// A fresh one-time token.
    pub once: String,
    /// What differs between the pages that take gift cards.
    pub frame: Frame,
}

/// Where a gift-card page stands.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Other ways to pay the rest.
    pub rest: Vec<MethodRow>,
    /// The field that names one of those.
    pub field: &'static str,
    /// Back to the other ways to pay, if there are any.
    pub others: Option<String>,
    /// What the cancel button says.
    pub cancel: String,
}

impl Frame {
    /// On the page of a bill. `returns`: does the merchant take the browser back after it?
    pub fn checkout(
        w: &Words,
        view: &domain::BillView,
        cover: &Cover,
        path: &str,
        returns: bool,
    ) -> Self {
        let own = names_gift_cards(view);
        let methods = match own {
            true => &cover.rest_by,
            false => &view.bill.ask.methods,
        };
        let others = methods.iter().filter(|code| *code != GIFT_CARD);
        Self {
            rest: others.map(|code| method_row(w, code)).collect(),
            field: "method",
            others: (!own).then(|| path.to_owned()),
            cancel: cancel_text(w, &view.merchant.name, returns),
        }
    }
}

impl Gifts<'_> {
    /// The page as it stands.
    pub fn page(self) -> GiftPage {
        let (w, cover) = (self.w, self.cover);
        let summary = Summary::new(w, self.view);
        let own = names_gift_cards(self.view);
        let open = !cover.remaining.is_zero();
        let left = display::amount(cover.remaining);
        let rest = open && !cover.parts.is_empty();
        GiftPage {
            w,
            head: Head::payer(
                w.pay_to.with("name", &summary.merchant),
                is_test(&self.view.bill),
            ),
            once: self.once,
            alert: None,
            number: None,
            cvc: None,
            cvc_hint: match cover.by_hand {
                true => w.gift_cvc_at_till,
                false => w.gift_cvc_hint,
            },
            cards: cover.parts.iter().map(|part| card_row(w, part)).collect(),
            covered: display::amount(cover.covered),
            remaining: open.then(|| left.clone()),
            adds: cover.adds,
            pay: pay_row(w, cover, own, &summary.merchant),
            rest: match rest {
                true => self.frame.rest,
                false => Vec::new(),
            },
            field: self.frame.field,
            others: self.frame.others,
            cancel: self.frame.cancel,
            action: self.path,
            summary,
        }
    }
}

/// Is it a bill that gift cards pay first of all? Then a part is enough, and the shop takes the
/// rest.
pub fn names_gift_cards(view: &domain::BillView) -> bool {
    view.bill.ask.card_access().is_some()
}

fn card_row(w: &Words, part: &covering::Part) -> CardRow {
    CardRow {
        payment: part.payment.to_string(),
        last5: part.last5.clone(),
        amount: display::amount(part.amount),
        balance: w
            .gift_balance
            .with("amount", display::amount(part.balance))
            .to_string(),
        remove: w.gift_remove_label.with("number", &part.last5).to_string(),
    }
}

/// All covered: pay it. Only a part: only where the shop takes the rest.
fn pay_row(w: &Words, cover: &Cover, own: bool, merchant: &str) -> Option<PayRow> {
    let whole = cover.remaining.is_zero();
    if cover.parts.is_empty() || !(whole || own) {
        return None;
    }
    let covered = display::amount(cover.covered);
    let text = match whole {
        true => w.gift_pay_whole.with("amount", &covered).to_string(),
        false => w
            .gift_pay_part
            .with("amount", &covered)
            .with("rest", display::amount(cover.remaining))
            .with("name", merchant)
            .to_string(),
    };
    Some(PayRow {
        button: w.pay_amount.with("amount", covered).to_string(),
        text,
    })
}

impl GiftPage {
    /// The same page with problems at the fields of the card form.
    #[must_use]
    pub fn mend(mut self, problems: &[EntryProblem]) -> Self {
        let w = self.w;
        let mut fields = Vec::new();
        for problem in problems {
            let (id, text) = match problem {
                EntryProblem::NumberMissing => ("card_number", w.gift_number_missing),
                EntryProblem::NumberInvalid => ("card_number", w.gift_number_invalid),
                EntryProblem::CvcMissing => ("cvc", w.gift_cvc_missing),
                EntryProblem::CvcInvalid => ("cvc", w.gift_cvc_invalid),
            };
            let place = match id {
                "cvc" => &mut self.cvc,
                _ => &mut self.number,
            };
            *place = Some(text);
            fields.push((id, text));
        }
        let text = w.gift_retype.to_string();
        self.alerted(text, fields)
    }

    /// The same page with a problem that no single field can mend.
    #[must_use]
    pub fn refused(self, refusal: &Refusal) -> Self {
        let (w, merchant) = (self.w, self.summary.merchant.clone());
        let text = match refusal {
            Refusal::Card(CardRefusal::Unknown) => w.gift_unknown.to_string(),
            Refusal::Card(CardRefusal::NotUsable) => w.gift_not_usable.to_string(),
            Refusal::Card(CardRefusal::Expired) => w.gift_expired.to_string(),
            Refusal::Card(CardRefusal::NotEnough) => w.gift_empty.to_string(),
            Refusal::Card(CardRefusal::Elsewhere) => {
                w.gift_elsewhere.with("name", merchant).to_string()
            }
            Refusal::Card(CardRefusal::Twice) => w.gift_twice.to_string(),
            Refusal::Card(CardRefusal::TooMany) | Refusal::TooManyTries => {
                w.gift_too_many.to_string()
            }
            Refusal::TooManyCalls(wait) => {
                let minutes = wait.millis().div_ceil(60_000).max(1);
                w.gift_locked.with("minutes", minutes).to_string()
            }
            Refusal::TryUnderWay => w.under_way_text.to_string(),
            _ => w.gift_none.to_string(),
        };
        self.alerted(text, Vec::new())
    }

    fn alerted(mut self, text: String, fields: Vec<(&'static str, Text)>) -> Self {
        let title = self.head.title.clone();
        self.head.title = self.w.error_prefix.with("title", title).to_string();
        self.alert = Some(Alert {
            title: self.w.problem_title.to_string(),
            text,
            fields,
        });
        self
    }
}

impl Visit<'_> {
    /// The page as it stands.
    pub(super) fn gifts(&self) -> GiftPage {
        let (w, path) = (self.shell.w, self.path());
        let returns = self.back(PageOutcome::Cancelled).is_some();
        let page = Gifts {
            w,
            view: &self.view,
            cover: &self.cover,
            once: payments::once(self.app),
            frame: Frame::checkout(w, &self.view, &self.cover, &path, returns),
            path,
        };
        page.page()
    }

    /// The address of the page with gift cards shown.
    fn gift_path(&self) -> String {
        if names_gift_cards(&self.view) {
            self.path()
        } else {
            self.path_with(GIFT_CARD)
        }
    }

    pub(super) async fn add_card(self, form: &Form, address: Option<IpAddr>) -> Response {
        let (number, cvc) = (form.get("card_number"), form.get("cvc"));
        let read = match cvc.trim().is_empty() && self.cover.by_hand {
            true => CardEntry::read_number(number),
            false => CardEntry::read(number, cvc),
        };
        let entry = match read {
            Ok(entry) => entry,
            Err(problems) => {
                if let Some(ending) = Ending::of(&self.view.state) {
                    return self.ended(StatusCode::CONFLICT, ending);
                }
                let page = self.gifts().mend(&problems);
                return self.answer(StatusCode::UNPROCESSABLE_ENTITY, &page);
            }
        };
        let wanted = CardUse {
            entry,
            amount: None,
        };
        let visitor = Visitor { address };
        let wire = self.view.bill.head.wire.clone();
        let added = covering::add(self.app, self.dialect, &wire, &wanted, &visitor).await;
        self.gift_step(added.map(|_| ())).await
    }

    pub(super) async fn remove_card(self, form: &Form) -> Response {
        let wire = self.view.bill.head.wire.clone();
        let part = form.get("payment");
        let removed = covering::remove(self.app, self.dialect, &wire, part).await;
        self.gift_step(removed.map(|_| ())).await
    }

    /// After a step: the page as it stands then, by a redirect, so that reloading repeats nothing.
    async fn gift_step(self, done: Result<(), Failure>) -> Response {
        match done {
            Ok(()) => self.to(&self.gift_path()),
            Err(Failure::Refused(refusal)) => self.gift_refused(&refusal).await,
            Err(failure) => errors::failed(&self.shell, &failure),
        }
    }

    async fn gift_refused(mut self, refusal: &Refusal) -> Response {
        if let Err(answer) = self.reload().await {
            return *answer;
        }
        if let Some(ending) = Ending::of(&self.view.state) {
            return self.ended(StatusCode::CONFLICT, ending);
        }
        if matches!(refusal, Refusal::NotFound(..) | Refusal::Withdrawn) {
            return errors::missing(&self.shell);
        }
        if let Refusal::Unavailable(wait) | Refusal::Unsure(wait) = refusal {
            return errors::unavailable(&self.shell, *wait);
        }
        let page = self.gifts().refused(refusal);
        match refusal {
            Refusal::TooManyCalls(wait) => self.busy(&page, *wait),
            _ => self.answer(StatusCode::UNPROCESSABLE_ENTITY, &page),
        }
    }

    fn busy(&self, page: &GiftPage, wait: Span) -> Response {
        retry_after(self.answer(StatusCode::TOO_MANY_REQUESTS, page), wait)
    }

    /// Pays with what is on the page.
    pub(super) async fn pay_by_gifts(mut self) -> Response {
        let wire = self.view.bill.head.wire.clone();
        match redeeming::pay(self.app, self.dialect, &wire).await {
            Ok(view) => {
                self.view = view;
                match self.view.payments.last().cloned() {
                    Some(payment) => self.paid(&payment),
                    None => self.to(&self.path()),
                }
            }
            // Pressed twice: the first press has paid it.
            Err(Failure::Refused(Refusal::AlreadyPaid)) if names_gift_cards(&self.view) => {
                match self.back(PageOutcome::Paid) {
                    Some(address) => self.to(&address),
                    None => self.to(&self.path()),
                }
            }
            Err(Failure::Refused(refusal)) => self.gift_refused(&refusal).await,
            Err(failure) => errors::failed(&self.shell, &failure),
        }
    }

    /// The payer gives up: what cards hold is free again. A bill that gift cards pay first of all
    /// ends with that; any other stays open.
    pub(super) async fn give_up(self) -> Response {
        if let Some(ending) = Ending::of(&self.view.state) {
            return self.ended(StatusCode::CONFLICT, ending);
        }
        let wire = self.view.bill.head.wire.clone();
        let done = if names_gift_cards(&self.view) {
            redeeming::abort(self.app, self.dialect, &wire)
                .await
                .map(|_| ())
        } else if self.cover.parts.is_empty() {
            Ok(())
        } else {
            covering::leave(self.app, self.dialect, &wire).await
        };
        match done {
            Ok(()) => match self.back(PageOutcome::Cancelled) {
                Some(address) => self.to(&address),
                None if names_gift_cards(&self.view) => self.to(&self.path()),
                None => self.ended(StatusCode::OK, Ending::Cancelled),
            },
            Err(Failure::Refused(refusal)) => self.gift_refused(&refusal).await,
            Err(failure) => errors::failed(&self.shell, &failure),
        }
    }
}
