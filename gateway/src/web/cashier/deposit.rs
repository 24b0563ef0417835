//! The cashier's page of a deposit.

use axum::http::StatusCode;
use axum::response::Response;
use dialects::{Dialect, PageOutcome};
use domain::payment::GIFT_CARD;
use domain::provider::{Provider, ProviderKind};
use domain::{BillState, BillView, Card, Refusal};

use super::view::{CashierPage, Place, ProviderPage, ProviderPlace};
use super::{Outcome, Visit, Wish};
use crate::operations::cashier::Side;
use crate::operations::payments::{self, Paid, Pay};
use crate::operations::{Failure, bills, deposits};
use crate::web::checkout::view::{Checkout, CheckoutPage, Ended, Ending, receipt_payment};
use crate::web::form::Form;
use crate::web::shell::web_address;
use crate::web::{display, errors};

impl Visit<'_> {
    pub(super) fn show_deposit(
        &self,
        view: BillView,
        chosen: Option<&str>,
        receipt: bool,
    ) -> Response {
        if let Some(ending) = Ending::of(&view.state) {
            let ending = match ending {
                Ending::AlreadyPaid if receipt => Ending::Paid,
                other => other,
            };
            return self.deposit_ended(StatusCode::OK, &view, ending);
        }
        // With card data in the call there is nothing to choose; only the bank may have a page.
        if self.seen.transaction.flow == "server" {
            return self.to(&format!("/3ds/{}", self.token));
        }
        if chosen == Some(GIFT_CARD) && self.seen.cover.is_some() {
            return self.gift_page(StatusCode::OK, &view, |page| page);
        }
        match self.provider(chosen).cloned() {
            Some(provider) => self.provider_page(StatusCode::OK, &view, &provider),
            None => self.list(StatusCode::OK, &view, None),
        }
    }

    /// The provider whose page is shown: the one of a direct deposit, the one chosen, or the card
    /// if there is nothing else.
    fn provider(&self, chosen: Option<&str>) -> Option<&Provider> {
        match (chosen, self.seen.offered.as_slice()) {
            (_, [only]) if self.seen.transaction.flow == "direct" => Some(only),
            (Some(chosen), _) => self.offered(chosen),
            (None, [only]) if only.kind == ProviderKind::Card => Some(only),
            (None, _) => None,
        }
    }

    /// The first provider that takes a card.
    fn card_provider(&self) -> Option<&Provider> {
        let mut offered = self.seen.offered.iter();
        offered.find(|provider| provider.kind == ProviderKind::Card)
    }

    /// What a form of the page asks for is done.
    pub(super) async fn deposit(self, view: BillView, wish: Wish, form: &Form) -> Response {
        if self.seen.transaction.flow == "server" {
            return self.show_deposit(view, None, false);
        }
        let Some(dialect) = dialects::by_name(&view.bill.head.dialect) else {
            return errors::missing(&self.shell);
        };
        match wish {
            Wish::Cancel => {
                let done = deposits::cancel(self.app, dialect, &view.bill.head.wire).await;
                self.deposit_done(done.map(|()| Done::Over)).await
            }
            Wish::Choose(provider) => match (Ending::of(&view.state), self.offered(&provider)) {
                (Some(ending), _) => self.deposit_ended(StatusCode::CONFLICT, &view, ending),
                (None, Some(provider)) => self.to(&self.path_of(&provider.id)),
                (None, None) if provider == GIFT_CARD && self.seen.cover.is_some() => {
                    self.to(&self.path_of(GIFT_CARD))
                }
                (None, None) => self.list(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    &view,
                    Some(self.shell.w.method_unknown.to_string()),
                ),
            },
            Wish::Pay(provider) => self.pay(dialect, view, &provider, form).await,
            Wish::Outcome(outcome, provider) => {
                self.outcome(dialect, view, (outcome, provider)).await
            }
            Wish::Gifts(wish) => self.gifts(dialect, view, wish).await,
            Wish::Unknown => self.deposit_refused(&Refusal::NoMethod).await,
        }
    }

    async fn pay(
        self,
        dialect: &'static dyn Dialect,
        view: BillView,
        provider: &str,
        form: &Form,
    ) -> Response {
        let chosen = Some(provider).filter(|id| !id.is_empty());
        // A card form that names no provider means the card.
        let card = match chosen {
            Some(_) => self.provider(chosen),
            None => self.card_provider(),
        };
        let card = card.cloned();
        let card = card.filter(|provider| provider.kind == ProviderKind::Card);
        let today = display::month_of(self.app.clock.now());
        let (expiry, name) = (form.get("expiry"), form.get("name"));
        let card_read = Card::read(form.get("number"), expiry, form.get("code"), today);
        let (card, method) = match (card_read, card) {
            (Ok(card), Some(method)) => (card, method),
            // A closed deposit says so, whatever was typed.
            (Ok(_), None) => return self.deposit_refused(&Refusal::NoMethod).await,
            (Err(problems), method) => {
                if let Some(ending) = Ending::of(&view.state) {
                    return self.deposit_ended(StatusCode::CONFLICT, &view, ending);
                }
                let page = self.checkout(&view).mend(&problems, expiry, name);
                let page = self.card_page(&view, page, method.as_ref());
                let back = self.deposit_back(&view);
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                return self.answer(status, &page, back.as_deref());
            }
        };
        let once = match form.get("once") {
            "" => payments::once(self.app),
            token => token.to_owned(),
        };
        let pay = Pay {
            method: method.id.clone(),
            card: Some(card),
            once,
        };
        match payments::pay(self.app, dialect, &view.bill.head.wire, pay).await {
            Ok(Paid::Declined { view, cause }) if view.state == BillState::Open => {
                let page = self.checkout(&view).declined("card", &cause, name);
                let page = self.card_page(&view, page, Some(&method));
                let back = self.deposit_back(&view);
                self.answer(StatusCode::UNPROCESSABLE_ENTITY, &page, back.as_deref())
            }
            other => self.deposit_done(other.map(Done::from)).await,
        }
    }

    /// A button of the provider's own page.
    async fn outcome(
        self,
        dialect: &'static dyn Dialect,
        view: BillView,
        (outcome, provider): (Outcome, String),
    ) -> Response {
        let chosen = Some(provider.as_str()).filter(|id| !id.is_empty());
        let provider = self.provider(chosen).map(|provider| provider.id.clone());
        let wire = view.bill.head.wire.clone();
        let answer = match outcome {
            Outcome::Leave => {
                return self.back_or(self.deposit_back(&view), &self.path());
            }
            Outcome::Expire => {
                let done = match view.bill.admit(self.app.clock.now()) {
                    Ok(()) => bills::expire(self.app, view.bill).await,
                    Err(refusal) => Err(refusal.into()),
                };
                return self.deposit_done(done.map(|()| Done::Over)).await;
            }
            Outcome::Approve => deposits::Outcome::Approve,
            Outcome::Decline(reason) => deposits::Outcome::Decline(reason),
        };
        let done = match provider {
            Some(provider) => deposits::answer(self.app, dialect, &wire, &provider, answer).await,
            None => Err(Refusal::NoMethod.into()),
        };
        self.deposit_done(done.map(Done::from)).await
    }

    /// Where the browser goes after something was done.
    pub(super) async fn deposit_done(self, done: Result<Done, Failure>) -> Response {
        match done {
            Ok(Done::Over) => match self.again().await {
                Ok(seen) => match seen.about {
                    Side::Deposit(view) => {
                        let own = format!("{}?receipt", self.path());
                        self.back_or(self.deposit_back(&view), &own)
                    }
                    Side::Withdrawal(_) => errors::missing(&self.shell),
                },
                Err(answer) => answer,
            },
            Ok(Done::Challenge) => self.to(&format!("/3ds/{}", self.token)),
            Err(failure) => match (self.unrelated(&failure), &failure) {
                (Some(answer), _) => answer,
                (None, Failure::Refused(refusal)) => self.deposit_refused(refusal).await,
                (None, Failure::Fault(_) | Failure::Unknown(_)) => {
                    errors::failed(&self.shell, &failure)
                }
            },
        }
    }

    /// The page for a refusal: it says how the deposit stands now; nothing was changed.
    pub(super) async fn deposit_refused(&self, refusal: &Refusal) -> Response {
        let view = match self.again().await.map(|seen| seen.about) {
            Ok(Side::Deposit(view)) => view,
            Ok(Side::Withdrawal(_)) => return errors::missing(&self.shell),
            Err(answer) => return answer,
        };
        match (Ending::of(&view.state), refusal) {
            (Some(ending), _) => self.deposit_ended(StatusCode::CONFLICT, &view, ending),
            (None, Refusal::TryUnderWay | Refusal::WrongState(_)) => {
                self.deposit_ended(StatusCode::CONFLICT, &view, Ending::UnderWay)
            }
            (None, Refusal::TooManyTries) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                self.deposit_ended(status, &view, Ending::TooManyTries)
            }
            (None, _) => {
                let text = self.shell.w.method_unknown.to_string();
                self.list(StatusCode::UNPROCESSABLE_ENTITY, &view, Some(text))
            }
        }
    }

    pub(super) fn list(
        &self,
        status: StatusCode,
        view: &BillView,
        problem: Option<String>,
    ) -> Response {
        let back = self.deposit_back(view);
        let place = self.place(view, self.path());
        let page = CashierPage::deposit(place, view, &self.seen.offered);
        let mut page = page.with_gifts(self.seen.cover.as_ref(), self.path_of(GIFT_CARD));
        // An empty list says by itself that there is nothing to choose.
        if let Some(problem) = problem.filter(|_| !page.is_empty()) {
            page = page.with_problem(problem);
        }
        self.answer(status, &page, back.as_deref())
    }

    /// The page of one provider: the card form, or in test mode the provider's own page.
    fn provider_page(&self, status: StatusCode, view: &BillView, provider: &Provider) -> Response {
        let back = self.deposit_back(view);
        if provider.kind == ProviderKind::Card {
            let page = self.checkout(view).card_form();
            let page = self.card_page(view, page, Some(provider));
            return self.answer(status, &page, back.as_deref());
        }
        if view.bill.head.mode != domain::Mode::Test {
            return errors::missing(&self.shell);
        }
        let transaction = &self.seen.transaction;
        let ids = (transaction.wire.as_str(), transaction.tracking.as_str());
        let place = ProviderPlace {
            withdrawal: false,
            merchant: &view.merchant.name,
            amount: display::amount(self.rest(view)),
            action: self.path_of(&provider.id),
            others: self.others(),
        };
        let page = ProviderPage::new(self.shell.w, provider, ids, place);
        self.answer(status, &page, back.as_deref())
    }

    /// Back to the list, if there is one to choose from; to the gift cards if they are the only
    /// other way.
    fn others(&self) -> Option<String> {
        let choice = self.seen.transaction.flow != "direct" && self.seen.offered.len() > 1;
        let gifts = self.seen.cover.is_some().then(|| self.path_of(GIFT_CARD));
        choice.then(|| self.path()).or(gifts)
    }

    fn checkout<'v>(&'v self, view: &'v BillView) -> Checkout<'v> {
        Checkout {
            w: self.shell.w,
            view,
            path: self.path(),
            once: payments::once(self.app),
            returns: self.deposit_back(view).is_some(),
            cover: self.seen.cover.as_ref(),
        }
    }

    pub(super) fn card_page(
        &self,
        view: &BillView,
        page: CheckoutPage,
        provider: Option<&Provider>,
    ) -> CashierPage {
        let action = match provider {
            Some(provider) => self.path_of(&provider.id),
            None => self.path(),
        };
        let page = CashierPage::card(self.place(view, action), page, self.others());
        page.with_gifts(self.seen.cover.as_ref(), self.path_of(GIFT_CARD))
    }

    /// The page with the card form again after the bank said no.
    pub(super) fn declined(&self, view: &BillView, cause: &domain::payment::Cause) -> Response {
        let page = self.checkout(view).declined("card", cause, "");
        let page = self.card_page(view, page, self.card_provider());
        let back = self.deposit_back(view);
        self.answer(StatusCode::UNPROCESSABLE_ENTITY, &page, back.as_deref())
    }

    fn place<'v>(&self, view: &'v BillView, action: String) -> Place<'v> {
        Place {
            w: self.shell.w,
            action,
            merchant: &view.merchant.name,
            back: self.deposit_back(view),
        }
    }

    /// The merchant's return address for how the deposit stands.
    pub(super) fn deposit_back(&self, view: &BillView) -> Option<String> {
        let dialect = dialects::by_name(&view.bill.head.dialect)?;
        let back = dialect.return_url(view, PageOutcome::Paid)?;
        web_address(&back).map(|_| back)
    }

    pub(super) fn deposit_ended(
        &self,
        status: StatusCode,
        view: &BillView,
        ending: Ending,
    ) -> Response {
        let (path, back) = (self.path(), self.deposit_back(view));
        let ended = Ended {
            w: self.shell.w,
            view,
            path: &path,
            back: back.clone(),
        };
        let page = ended.page(ending, receipt_payment(view, None));
        self.answer(status, &page, back.as_deref())
    }
}

/// What came of an action.
pub(super) enum Done {
    /// The deposit is decided, or its page shows what is to do.
    Over,
    /// The customer must go to the bank's page.
    Challenge,
}

impl From<Paid> for Done {
    fn from(paid: Paid) -> Self {
        match paid {
            Paid::Done { .. } | Paid::Declined { .. } => Self::Over,
            Paid::Challenge { .. } => Self::Challenge,
        }
    }
}
