//! What the cashier shows, as plain values: pure functions from a transaction to a page.

use askama::Template;
use domain::payment::GIFT_CARD;
use domain::provider::{Provider, ProviderKind};
use domain::{BillView, Mode, Payout, PayoutState};

use crate::operations::cashier::Withdrawal;
use crate::operations::covering::Cover;
use crate::web::checkout::view::{
    Alert, Body, CheckoutPage, CoverNews, EndingPage, MethodRow, method_row,
};
use crate::web::display;
use crate::web::parts::{Head, Link, Summary, Tone, is_test};
use crate::web::words::{Text, Words};

/// The page that lists providers, or takes a card.
#[derive(Clone, Debug, Template)]
#[template(path = "cashier.html")]
pub struct CashierPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// What it is about.
    pub summary: Summary,
    /// Where the forms go.
    pub action: String,
    /// The one-time token of the card form.
    pub once: String,
    /// Why the last try did not work.
    pub alert: Option<Alert>,
    /// What the list is headed by.
    pub heading: String,
    /// The list, or the card form.
    pub body: Body,
    /// What is said in place of an empty list.
    pub none: Text,
    /// What the cancel button says.
    pub cancel: String,
    /// Back to the merchant, with everything left as it is.
    pub leave: Option<Link>,
    /// Does the merchant take the browser back?
    pub returns: bool,
    /// What is to be paid.
    pub to_pay: String,
    /// What gift cards cover, if they do.
    pub cover: Option<CoverNews>,
}

impl CashierPage {
    /// The list of a deposit's providers.
    pub fn deposit(place: Place<'_>, view: &BillView, offered: &[Provider]) -> Self {
        let w = place.w;
        let summary = Summary::new(w, view);
        let title = w.pay_to.with("name", &summary.merchant).to_string();
        let head = Head::payer(title, is_test(&view.bill));
        let heading = w.methods_heading.to_string();
        let cancel = w.cashier_cancel.to_string();
        let body = Body::Methods(rows(w, offered));
        place.page((head, summary), (heading, cancel), body)
    }

    /// The card form of a deposit, as the checkout makes it.
    pub fn card(place: Place<'_>, checkout: CheckoutPage, others: Option<String>) -> Self {
        let cancel = place.w.cashier_cancel.to_string();
        let body = match checkout.body {
            Body::Card(mut form) => {
                form.others = others;
                Body::Card(form)
            }
            list @ Body::Methods(_) => list,
        };
        let words = (String::new(), cancel);
        let page = place.page((checkout.head, checkout.summary), words, body);
        Self {
            once: checkout.once,
            alert: checkout.alert,
            to_pay: checkout.to_pay,
            ..page
        }
    }

    /// The list of a withdrawal's providers.
    pub fn withdrawal(place: Place<'_>, seen: &Withdrawal, offered: &[Provider]) -> Self {
        let w = place.w;
        let title = w.withdraw_from.with("name", &seen.merchant.name);
        let head = Head::payer(title, is_test_payout(&seen.payout));
        let heading = w.withdraw_heading.to_string();
        let cancel = w.withdraw_cancel.to_string();
        let body = Body::Methods(rows(w, offered));
        Self {
            none: w.withdraw_none,
            ..place.page((head, withdrawn(w, seen)), (heading, cancel), body)
        }
    }

    /// The same page where gift cards are taken too: a row for them, and what they cover.
    #[must_use]
    pub fn with_gifts(mut self, cover: Option<&Cover>, edit: String) -> Self {
        let Some(cover) = cover else {
            return self;
        };
        if let Body::Methods(rows) = &mut self.body {
            rows.push(method_row(self.w, GIFT_CARD));
        }
        self.cover = CoverNews::of(self.w, cover, edit);
        self
    }

    /// Is there nothing to choose from?
    pub fn is_empty(&self) -> bool {
        match &self.body {
            Body::Methods(rows) => rows.is_empty(),
            Body::Card(_) => false,
        }
    }

    /// The same page with news above the list.
    #[must_use]
    pub fn with_problem(mut self, text: impl ToString) -> Self {
        self.alert = Some(Alert {
            title: self.w.problem_title.to_string(),
            text: text.to_string(),
            fields: Vec::new(),
        });
        self
    }
}

/// Where a page stands.
pub struct Place<'a> {
    /// The language.
    pub w: &'static Words,
    /// Where its forms go.
    pub action: String,
    /// The merchant's name.
    pub merchant: &'a str,
    /// The merchant's return address with everything left as it is.
    pub back: Option<String>,
}

impl Place<'_> {
    fn page(
        self,
        (head, summary): (Head, Summary),
        (heading, cancel): (String, String),
        body: Body,
    ) -> CashierPage {
        let text = self.w.cashier_leave.with("name", self.merchant);
        let leave = self.back.map(|href| Link {
            href,
            text: text.to_string(),
            main: false,
        });
        CashierPage {
            w: self.w,
            head,
            to_pay: summary.amount.clone(),
            summary,
            action: self.action,
            once: String::new(),
            alert: None,
            heading,
            body,
            none: self.w.cashier_none,
            cancel,
            returns: leave.is_some(),
            leave,
            cover: None,
        }
    }
}

pub(super) fn rows(w: &Words, offered: &[Provider]) -> Vec<MethodRow> {
    let row = |provider: &Provider| MethodRow {
        code: provider.id.clone(),
        name: provider.name.clone(),
        text: match provider.kind {
            ProviderKind::Card => w.method_card_text,
            ProviderKind::Bank => w.provider_bank_text,
            ProviderKind::Wallet | ProviderKind::GiftCard => w.method_app_text,
        },
        brings: provider.methods.join(", "),
        card: provider.kind == ProviderKind::Card,
        gift: provider.kind == ProviderKind::GiftCard,
        bank: provider.kind == ProviderKind::Bank,
    };
    offered.iter().map(row).collect()
}

fn is_test_payout(payout: &Payout) -> bool {
    payout.head.mode == Mode::Test
}

/// What a withdrawal's page has in sight at every step.
pub fn withdrawn(w: &Words, seen: &Withdrawal) -> Summary {
    let order = &seen.payout.order;
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    Summary {
        label: w.withdraw_summary,
        merchant: seen.merchant.name.clone(),
        amount: display::amount(order.amount),
        purpose: filled(&order.purpose),
        reference: filled(&order.reference),
        expires: None,
    }
}

/// The provider's own page, played by us, in test mode only.
#[derive(Clone, Debug, Template)]
#[template(path = "provider.html")]
pub struct ProviderPage {
    /// The language.
    pub w: &'static Words,
    /// The frame.
    pub head: Head,
    /// Whose page this plays.
    pub provider: String,
    /// The provider's id.
    pub code: String,
    /// Is it a bank? Anything else looks like a wallet.
    pub bank: bool,
    /// What is asked.
    pub heading: String,
    /// In full.
    pub text: String,
    /// Merchant, amount, ids.
    pub rows: Vec<(String, String)>,
    /// Where the form goes.
    pub action: String,
    /// What "yes" is called.
    pub approve: String,
    /// Back to the list, if there is one.
    pub others: Option<String>,
    /// What that link says.
    pub back: String,
}

impl ProviderPage {
    /// For a deposit or a withdrawal.
    pub fn new(
        w: &'static Words,
        provider: &Provider,
        ids: (&str, &str),
        place: ProviderPlace<'_>,
    ) -> Self {
        let (heading, text, approve, back) = if place.withdrawal {
            (
                w.provider_payout_heading,
                w.provider_payout_text,
                w.provider_payout_approve,
                w.withdraw_others,
            )
        } else {
            (
                w.provider_heading,
                w.provider_text,
                w.provider_approve,
                w.other_methods,
            )
        };
        let fill = |text: Text| {
            text.with("amount", &place.amount)
                .with("name", place.merchant)
                .to_string()
        };
        let rows = vec![
            (w.bank_merchant.to_string(), place.merchant.to_owned()),
            (w.amount.to_string(), place.amount.clone()),
            (w.provider_transaction.to_string(), ids.0.to_owned()),
            (w.reference.to_string(), ids.1.to_owned()),
        ];
        Self {
            w,
            head: Head::payer(heading, false),
            provider: w.provider_name.with("name", &provider.name).to_string(),
            code: provider.id.clone(),
            bank: provider.kind == ProviderKind::Bank,
            heading: heading.to_string(),
            text: fill(text),
            rows,
            action: place.action,
            approve: approve.to_string(),
            others: place.others,
            back: back.to_string(),
        }
    }
}

/// What a provider's page is about.
pub struct ProviderPlace<'a> {
    /// Does money leave the merchant?
    pub withdrawal: bool,
    /// The merchant's name.
    pub merchant: &'a str,
    /// How much.
    pub amount: String,
    /// Where the form goes.
    pub action: String,
    /// Back to the list, if there is one.
    pub others: Option<String>,
}

/// How a withdrawal stands when there is nothing to choose.
pub fn standing(w: &'static Words, seen: &Withdrawal, back: Option<String>) -> EndingPage {
    let name = &seen.merchant.name;
    let amount = display::amount(seen.payout.order.amount);
    let (tone, heading, text) = match &seen.state {
        PayoutState::AwaitingUser | PayoutState::AwaitingApproval => {
            (Tone::Wait, w.payout_waiting_heading, w.payout_waiting_text)
        }
        PayoutState::Processing => (Tone::Wait, w.payout_way_heading, w.payout_way_text),
        PayoutState::Paid { .. } => (Tone::Good, w.payout_paid_heading, w.payout_paid_text),
        PayoutState::Rejected { .. } | PayoutState::Cancelled { .. } => {
            (Tone::Bad, w.payout_rejected_heading, w.payout_rejected_text)
        }
        PayoutState::Expired { .. } => {
            (Tone::Wait, w.payout_expired_heading, w.payout_expired_text)
        }
    };
    let text = text.with("amount", amount).with("name", name).to_string();
    EndingPage {
        w,
        head: Head::payer(heading, is_test_payout(&seen.payout)),
        summary: withdrawn(w, seen),
        tone,
        heading: heading.to_string(),
        text,
        receipt: None,
        links: Link::shop(w, name, back).into_iter().collect(),
    }
}
