//! Gift cards on the cashier: one or several of them, and any provider for the rest.
//!
//! The steps are the checkout's, and so is the page. A part is not enough here: the deposit is paid
//! whole, or nothing has moved.

use axum::http::StatusCode;
use axum::response::Response;
use dialects::Dialect;
use domain::payment::GIFT_CARD;
use domain::programme::CardUse;
use domain::{BillView, CardEntry, Money, Refusal};

use super::Visit;
use super::deposit::Done;
use super::view::rows;
use crate::operations::covering::{self, Cover};
use crate::operations::guesses::Visitor;
use crate::operations::{Failure, payments, redeeming};
use crate::web::checkout::gifts::{Frame, GiftPage, Gifts};
use crate::web::checkout::view::Ending;
use crate::web::form::Form;
use crate::web::shell::retry_after;

/// What a form asks for about gift cards.
pub(super) enum GiftWish {
    /// The number and the code as typed.
    Add(String, String),
    /// The part that a card holds, by its payment.
    Remove(String),
    /// Pay with what is held.
    Pay,
}

impl GiftWish {
    /// By the pressed button; without one (a script's submit) a number means add.
    pub(super) fn of(action: &str, form: &Form) -> Option<Self> {
        let add = || {
            let (number, cvc) = (form.get("card_number"), form.get("cvc"));
            Self::Add(number.to_owned(), cvc.to_owned())
        };
        match action {
            "add-card" => Some(add()),
            "" if form.find("card_number").is_some() => Some(add()),
            "remove-card" => Some(Self::Remove(form.get("payment").to_owned())),
            "pay" => Some(Self::Pay),
            _ => None,
        }
    }
}

impl Visit<'_> {
    /// What gift cards leave to pay of a deposit.
    pub(super) fn rest(&self, view: &BillView) -> Money {
        let cover = self.seen.cover.as_ref();
        cover.map_or(view.bill.ask.amount, |cover| cover.remaining)
    }

    /// The page where gift cards are added, changed by `with`.
    pub(super) fn gift_page(
        &self,
        status: StatusCode,
        view: &BillView,
        with: impl FnOnce(GiftPage) -> GiftPage,
    ) -> Response {
        let Some(cover) = &self.seen.cover else {
            return self.list(status, view, None);
        };
        let page = with(self.gift_frame(view, cover).page());
        self.answer(status, &page, self.deposit_back(view).as_deref())
    }

    fn gift_frame<'v>(&'v self, view: &'v BillView, cover: &'v Cover) -> Gifts<'v> {
        let w = self.shell.w;
        Gifts {
            w,
            view,
            cover,
            path: self.path_of(GIFT_CARD),
            once: payments::once(self.app),
            frame: Frame {
                rest: rows(w, &self.seen.offered),
                field: "provider",
                others: Some(self.path()),
                cancel: w.cashier_cancel.to_string(),
            },
        }
    }

    /// Does what a form asks for about gift cards.
    pub(super) async fn gifts(
        self,
        dialect: &'static dyn Dialect,
        view: BillView,
        wish: GiftWish,
    ) -> Response {
        let id = view.bill.head.wire.clone();
        let done = match wish {
            GiftWish::Add(number, cvc) => match CardEntry::read(&number, &cvc) {
                Ok(entry) => {
                    let wanted = CardUse {
                        entry,
                        amount: None,
                    };
                    let visitor = Visitor {
                        address: self.address,
                    };
                    let added = covering::add(self.app, dialect, &id, &wanted, &visitor).await;
                    added.map(|_| ())
                }
                Err(problems) => {
                    if let Some(ending) = Ending::of(&view.state) {
                        return self.deposit_ended(StatusCode::CONFLICT, &view, ending);
                    }
                    let status = StatusCode::UNPROCESSABLE_ENTITY;
                    return self.gift_page(status, &view, |page| page.mend(&problems));
                }
            },
            GiftWish::Remove(part) => {
                let removed = covering::remove(self.app, dialect, &id, &part).await;
                removed.map(|_| ())
            }
            GiftWish::Pay => {
                let paid = redeeming::pay(self.app, dialect, &id).await;
                if paid.is_ok() {
                    return self.deposit_done(Ok(Done::Over)).await;
                }
                paid.map(|_| ())
            }
        };
        match done {
            Ok(()) => self.to(&self.path_of(GIFT_CARD)),
            Err(Failure::Refused(refusal)) => self.gift_refused(&refusal).await,
            Err(failure) => self.deposit_done(Err(failure)).await,
        }
    }

    /// The page for a refusal about gift cards; nothing was changed.
    async fn gift_refused(mut self, refusal: &Refusal) -> Response {
        match self.again().await {
            Ok(seen) => self.seen = seen,
            Err(answer) => return answer,
        }
        let super::Side::Deposit(view) = self.seen.about.clone() else {
            return self.deposit_refused(refusal).await;
        };
        let closed = Ending::of(&view.state).is_some();
        if closed || matches!(refusal, Refusal::NotFound(..) | Refusal::Unavailable(_)) {
            return self
                .deposit_done(Err(Failure::Refused(refusal.clone())))
                .await;
        }
        match refusal {
            Refusal::TooManyCalls(wait) => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                let page = self.gift_page(status, &view, |page| page.refused(refusal));
                retry_after(page, *wait)
            }
            _ => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                self.gift_page(status, &view, |page| page.refused(refusal))
            }
        }
    }
}
