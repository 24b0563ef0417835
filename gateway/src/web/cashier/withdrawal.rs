//! The cashier's page of a withdrawal.

use axum::http::StatusCode;
use axum::response::Response;
use dialects::numipay::replies::withdrawal_return;
use domain::provider::Provider;
use domain::transaction::Standing;
use domain::{Payout, PayoutState, Refusal};

use super::view::{CashierPage, Place, ProviderPage, ProviderPlace, standing};
use super::{Outcome, Visit, Wish};
use crate::operations::Failure;
use crate::operations::cashier::{Side, Withdrawal};
use crate::operations::payouts::{self, Step};
use crate::web::shell::web_address;
use crate::web::{display, errors};

impl Visit<'_> {
    pub(super) fn show_withdrawal(&self, seen: &Withdrawal, chosen: Option<&str>) -> Response {
        if !is_open(seen) {
            return self.withdrawal_standing(StatusCode::OK, seen);
        }
        match chosen.and_then(|id| self.offered(id)).cloned() {
            Some(provider) => self.payout_provider(seen, &provider),
            None => self.payout_list(StatusCode::OK, seen, None),
        }
    }

    /// What a form of the page asks for is done.
    pub(super) async fn withdraw(self, seen: Withdrawal, wish: Wish) -> Response {
        let step = match wish {
            Wish::Choose(provider) => {
                return match (is_open(&seen), self.offered(&provider)) {
                    (false, _) => self.withdrawal_standing(StatusCode::CONFLICT, &seen),
                    (true, Some(provider)) => self.to(&self.path_of(&provider.id)),
                    (true, None) => self.unknown(&seen),
                };
            }
            Wish::Outcome(Outcome::Leave, _) => {
                return self.back_or(withdrawal_back(&seen.payout, &seen.state), &self.path());
            }
            Wish::Outcome(Outcome::Approve, provider) => match self.offered(&provider) {
                Some(provider) => Step::Choose(provider.id.clone()),
                None => return self.unknown(&seen),
            },
            // What the merchant has approved is not the customer's to turn down; an answer that
            // comes when all is over is kept.
            Wish::Outcome(_, _) if !is_open(&seen) && !seen.state.is_final() => {
                return self.withdrawal_standing(StatusCode::CONFLICT, &seen);
            }
            Wish::Outcome(Outcome::Decline(reason), _) => Step::Refuse(reason),
            Wish::Outcome(Outcome::Expire, _) => Step::Expire,
            Wish::Cancel => Step::GiveUp,
            Wish::Pay(_) | Wish::Gifts(_) | Wish::Unknown => return self.unknown(&seen),
        };
        match payouts::step(self.app, &seen.payout.head.id, step).await {
            Ok(payout) => {
                let state = payout.state().clone();
                self.back_or(withdrawal_back(&payout, &state), &self.path())
            }
            Err(failure) => self.withdrawal_failed(&failure).await,
        }
    }

    async fn withdrawal_failed(&self, failure: &Failure) -> Response {
        if let Some(answer) = self.unrelated(failure) {
            return answer;
        }
        match self.again().await.map(|seen| seen.about) {
            Ok(Side::Withdrawal(seen)) => match failure {
                Failure::Refused(Refusal::NoMethod) => self.unknown(&seen),
                _ => self.withdrawal_standing(StatusCode::CONFLICT, &seen),
            },
            Ok(Side::Deposit(_)) => errors::missing(&self.shell),
            Err(answer) => answer,
        }
    }

    fn unknown(&self, seen: &Withdrawal) -> Response {
        if !is_open(seen) {
            return self.withdrawal_standing(StatusCode::CONFLICT, seen);
        }
        let text = self.shell.w.withdraw_unknown.to_string();
        self.payout_list(StatusCode::UNPROCESSABLE_ENTITY, seen, Some(text))
    }

    fn payout_list(
        &self,
        status: StatusCode,
        seen: &Withdrawal,
        problem: Option<String>,
    ) -> Response {
        let back = withdrawal_back(&seen.payout, &seen.state);
        let place = Place {
            w: self.shell.w,
            action: self.path(),
            merchant: &seen.merchant.name,
            back: back.clone(),
        };
        let mut page = CashierPage::withdrawal(place, seen, &self.seen.offered);
        if let Some(problem) = problem.filter(|_| !page.is_empty()) {
            page = page.with_problem(problem);
        }
        self.answer(status, &page, back.as_deref())
    }

    fn payout_provider(&self, seen: &Withdrawal, provider: &Provider) -> Response {
        if seen.payout.head.mode != domain::Mode::Test {
            return errors::missing(&self.shell);
        }
        let back = withdrawal_back(&seen.payout, &seen.state);
        let transaction = &self.seen.transaction;
        let ids = (transaction.wire.as_str(), transaction.tracking.as_str());
        let place = ProviderPlace {
            withdrawal: true,
            merchant: &seen.merchant.name,
            amount: display::amount(seen.payout.order.amount),
            action: self.path_of(&provider.id),
            others: Some(self.path()),
        };
        let page = ProviderPage::new(self.shell.w, provider, ids, place);
        self.answer(StatusCode::OK, &page, back.as_deref())
    }

    fn withdrawal_standing(&self, status: StatusCode, seen: &Withdrawal) -> Response {
        let back = withdrawal_back(&seen.payout, &seen.state);
        let page = standing(self.shell.w, seen, back.clone());
        self.answer(status, &page, back.as_deref())
    }
}

/// May the customer still say where the money goes?
fn is_open(seen: &Withdrawal) -> bool {
    match seen.state {
        PayoutState::AwaitingUser => true,
        PayoutState::AwaitingApproval => seen.payout.progress.provider.is_none(),
        _ => false,
    }
}

/// The merchant's return address for how the withdrawal stands.
fn withdrawal_back(payout: &Payout, state: &PayoutState) -> Option<String> {
    let back = withdrawal_return(payout, &Standing::from(state))?;
    web_address(&back).map(|_| back)
}
