//! The ledger for operators: balances, and the proof that it is whole.

use std::collections::BTreeMap;

use domain::ledger::{ChainHash, CurrencyTotals, Reason};
use domain::{Currency, Payment, PaymentState, Payout, PayoutState, Refusal};
use store::tables::ledger::{self, Balance, Link};
use store::tables::{gift_cards, payments, payouts};
use store::{Failure, Tx};

use crate::app::App;

/// Rows read at a time while verifying: bounded memory for any ledger.
const BATCH: u32 = 1_000;

/// Totals per currency and the balance of every account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Debits and credits per currency.
    pub totals: Vec<CurrencyTotals>,
    /// Balances.
    pub accounts: Vec<Balance>,
}

impl Summary {
    /// Do debits equal credits in every currency, do all balances of a currency sum to zero, and
    /// is nothing below zero that may not be? (What is held, reserved or on a card.)
    pub fn balanced(&self) -> bool {
        let guarded = |account: &str| {
            (["held:", "payout:", "card:"].iter()).any(|kind| account.starts_with(kind))
        };
        if self
            .accounts
            .iter()
            .any(|a| guarded(&a.account) && a.minor < 0)
        {
            return false;
        }
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        for balance in &self.accounts {
            *sums.entry(balance.currency).or_default() += balance.minor;
        }
        self.totals
            .iter()
            .all(|total| total.debits == total.credits)
            && sums.values().all(|sum| *sum == 0)
    }
}

/// What verifying found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Transfers read.
    pub transfers: u64,
    /// Payments compared with their transfers.
    pub payments: u64,
    /// Payouts compared with their transfers.
    pub payouts: u64,
    /// Gift cards compared with their accounts.
    pub gift_cards: u64,
    /// What is wrong, one sentence each; empty when all is well.
    pub problems: Vec<String>,
}

/// How many problems are listed before the rest is only counted.
const PROBLEMS_SHOWN: usize = 20;

impl Verified {
    fn problem(&mut self, text: String) {
        if self.problems.len() < PROBLEMS_SHOWN {
            self.problems.push(text);
        } else if self.problems.len() == PROBLEMS_SHOWN {
            self.problems.push("… and more".to_owned());
        }
    }
}

/// Totals and balances now.
pub async fn summary(app: &App) -> Result<Summary, Failure> {
    app.store.read("ledger_summary", summary_in).await
}

/// Totals and balances inside a transaction.
pub fn summary_in(tx: &mut Tx<'_>) -> Result<Summary, Failure> {
    Ok(Summary {
        totals: ledger::totals(tx)?,
        accounts: ledger::balances(tx)?,
    })
}

/// Walks through the whole ledger: every chain is unbroken, debits equal credits, and every
/// payment's sums are what its transfers say. Any changed, missing or added row is found.
pub fn verify(tx: &mut Tx<'_>) -> Result<Verified, Failure> {
    let mut verified = Verified::default();
    for lane in ledger::lanes(tx)? {
        verify_lane(tx, lane, &mut verified)?;
    }
    let summary = summary_in(tx)?;
    if !summary.balanced() {
        verified.problem("debits and credits differ".to_owned());
    }
    let mut cards = OnCards::of(&summary);
    let mut last = String::new();
    loop {
        let page = payments::after(tx, &last, BATCH)?;
        let Some(end) = page.last() else { break };
        last = end.head.id.to_string();
        for payment in &page {
            verified.payments += 1;
            cards.note(payment);
            let links = ledger::of(tx, payment.head.id.as_str())?;
            if let Some(problem) = differs(payment, &links) {
                verified.problem(problem);
            }
        }
    }
    verify_payouts(tx, &mut verified)?;
    verify_cards(tx, cards, &mut verified)?;
    verify_balances(tx, &mut verified)?;
    Ok(verified)
}

/// What the ledger and the payments say of gift cards, in minor units.
struct OnCards {
    /// Left and not held, by card.
    left: BTreeMap<String, i128>,
    /// Held, by card.
    held: BTreeMap<String, i128>,
}

impl OnCards {
    fn of(summary: &Summary) -> Self {
        let cards = summary.accounts.iter().filter_map(|balance| {
            let card = balance.account.strip_prefix("card:")?;
            Some((card.to_owned(), balance.minor))
        });
        Self {
            left: cards.collect(),
            held: BTreeMap::new(),
        }
    }

    fn note(&mut self, payment: &Payment) {
        let (Some(part), PaymentState::Authorized { sums, .. }) =
            (&payment.head.gift_card, payment.state())
        else {
            return;
        };
        let held = sums.held().map_or(0, |held| i128::from(held.minor()));
        if held != 0 {
            *self.held.entry(part.card.to_string()).or_default() += held;
        }
    }
}

/// Every gift card is worth what its account and the payments that hold something of it say.
fn verify_cards(
    tx: &mut Tx<'_>,
    mut told: OnCards,
    verified: &mut Verified,
) -> Result<(), Failure> {
    let mut last = String::new();
    loop {
        let page = gift_cards::after(tx, &last, BATCH)?;
        let Some(end) = page.last() else { break };
        last = end.head.id.to_string();
        for card in &page {
            verified.gift_cards += 1;
            let id = card.head.id.as_str();
            let (left, held) = (told.left.remove(id), told.held.remove(id));
            let wanted = [left.unwrap_or(0), held.unwrap_or(0)];
            let found = [card.available(), card.held()].map(|money| i128::from(money.minor()));
            if found != wanted {
                verified.problem(format!(
                    "gift card {id}: available and held are {found:?} but the ledger says \
                     {wanted:?}"
                ));
            }
        }
    }
    for card in told.left.keys().chain(told.held.keys()) {
        verified.problem(format!(
            "gift card {card}: the ledger knows it, but it is gone"
        ));
    }
    Ok(())
}

fn verify_payouts(tx: &mut Tx<'_>, verified: &mut Verified) -> Result<(), Failure> {
    let mut last = String::new();
    loop {
        let page = payouts::after(tx, &last, BATCH)?;
        let Some(end) = page.last() else {
            return Ok(());
        };
        last = end.head.id.to_string();
        for payout in &page {
            verified.payouts += 1;
            let links = ledger::of(tx, payout.head.id.as_str())?;
            if let Some(problem) = payout_differs(payout, &links) {
                verified.problem(problem);
            }
        }
    }
}

/// Every balance that was written down is the sum of the transfers up to its place.
fn verify_balances(tx: &mut Tx<'_>, verified: &mut Verified) -> Result<(), Failure> {
    for snapshot in ledger::snapshots(tx)? {
        let up_to = (0, snapshot.place);
        let summed = ledger::moved(tx, &snapshot.purse, snapshot.lane, up_to)?;
        if summed != snapshot.minor {
            let (account, place) = (&snapshot.purse.account, snapshot.place);
            verified.problem(format!(
                "{account}: its balance after transfer {place} was written down as {} but is \
                 {summed}",
                snapshot.minor
            ));
        }
    }
    Ok(())
}

fn verify_lane(tx: &mut Tx<'_>, lane: i64, verified: &mut Verified) -> Result<(), Failure> {
    let (mut place, mut hash) = (0, ChainHash::genesis());
    loop {
        let links = match ledger::after(tx, lane, place, BATCH) {
            Ok(links) => links,
            Err(fault) => {
                verified.problem(format!("{fault}"));
                return Err(Refusal::WrongState(fault.0).into());
            }
        };
        if links.is_empty() {
            return Ok(());
        }
        for link in links {
            verified.transfers += 1;
            if link.entry.place != place + 1 {
                let (from, to) = (place + 1, link.entry.place - 1);
                verified.problem(format!("lane {lane}: transfers {from} to {to} are missing"));
            }
            if link.entry.hash(&hash) != link.hash {
                let at = link.entry.place;
                verified.problem(format!(
                    "lane {lane}: transfer {at} is not what was written"
                ));
            }
            place = link.entry.place;
            hash = link.hash;
        }
    }
}

/// What the transfers with a reason moved in all, in minor units.
fn moved(links: &[Link], reason: Reason) -> i64 {
    let of = links
        .iter()
        .filter(|link| link.entry.transfer.reason() == reason);
    of.map(|link| link.entry.transfer.amount().minor()).sum()
}

/// How a payout's state differs from its transfers, if it does: what was reserved is still there,
/// or went out, or came back.
fn payout_differs(payout: &Payout, links: &[Link]) -> Option<String> {
    let found = [Reason::Reserve, Reason::Payout, Reason::Return].map(|why| moved(links, why));
    let amount = payout.order.amount.minor();
    let fits = match payout.state() {
        PayoutState::AwaitingUser | PayoutState::AwaitingApproval | PayoutState::Processing => {
            found == [amount, 0, 0]
        }
        PayoutState::Paid { .. } => found == [amount, amount, 0],
        PayoutState::Cancelled { .. } | PayoutState::Expired { .. } => found == [amount, 0, amount],
        // One that was turned down for want of money never had any.
        PayoutState::Rejected { .. } => found == [amount, 0, amount] || found == [0; 3],
    };
    (!fits).then(|| {
        format!(
            "payout {}: it is {} over {amount} but its transfers reserved, paid and returned \
             {found:?}",
            payout.head.id,
            payout.state().as_str()
        )
    })
}

/// How a payment's sums differ from its transfers, if they do.
fn differs(payment: &Payment, links: &[Link]) -> Option<String> {
    let moved = |reason| moved(links, reason);
    let found = [
        Reason::Authorize,
        Reason::Capture,
        Reason::Release,
        Reason::Refund,
    ]
    .map(moved);
    let told = match payment.state() {
        PaymentState::Authorized { sums, .. } => [
            sums.authorized().minor(),
            sums.captured().minor(),
            sums.released().minor(),
            sums.refunded().minor(),
        ],
        PaymentState::Pending | PaymentState::Ended { .. } => [0; 4],
    };
    (found != told).then(|| {
        format!(
            "payment {}: authorised, captured, released, refunded are {told:?} \
             but its transfers say {found:?}",
            payment.head.id
        )
    })
}
