//! What those who answer for the money see and do about payouts: which ones wait for their word,
//! who requested each, what became of it, yes and no.
//!
//! The rules are those of the API ([`super::payouts`]); who says yes is another person than an API
//! key, so the two-person rule is met by an operator for what a key requested.

use domain::{Caller, Object, PaymentSettings, Payout, PayoutId, PayoutState, Refusal, Timestamp};
use store::tables::audit::{self, Entry};
use store::tables::keys::{self, Key};
use store::tables::payouts::{self as table, Filter};
use store::tables::transactions::{self, About, Transaction};
use store::{Failure, Fault, Tx};

use super::providers::settings_in;
use super::{dialect_called, payouts, refused};
use crate::app::App;

/// Payouts of one list at most.
pub const LIST_MAX: u32 = 200;

/// A payout as an operator sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The payout.
    pub payout: Payout,
    /// Where it stands now.
    pub state: PayoutState,
    /// Its row beside deposits: the merchant's own id, the customer, the token of its page.
    pub transaction: Option<Transaction>,
    /// The name of the key that requested it, if its owner gave it one.
    pub key: Option<String>,
    /// Does it take another person than the one who requested it?
    pub two_persons: bool,
    /// Who did what to it, oldest first; only when one payout is shown.
    pub history: Vec<Entry>,
}

/// A merchant's payouts, newest first.
pub async fn list(app: &App, filter: Filter) -> Result<Vec<Seen>, Failure> {
    let now = app.clock.now();
    app.store
        .read("list_payouts", move |tx| {
            let with = With::of(tx, &filter.caller, now)?;
            let mut seen = Vec::new();
            for payout in table::list(tx, &filter)? {
                seen.push(with.see(tx, payout)?);
            }
            // One that nobody approved in time waits for the worker, not for a person.
            seen.retain(|one| {
                filter
                    .state
                    .is_none_or(|wanted| one.state.as_str() == wanted)
            });
            Ok(seen)
        })
        .await
}

/// One payout by a name: our id of it, its id on the wire, or the merchant's own.
pub async fn show(app: &App, caller: &Caller, name: &str) -> Result<Seen, Failure> {
    let (caller, name, now) = (caller.clone(), name.to_owned(), app.clock.now());
    app.store
        .read("show_payout", move |tx| {
            let Some(payout) = named(tx, &caller, &name, None)? else {
                return refused(Refusal::NotFound(Object::Payment, name.clone()));
            };
            let history = audit::about(tx, payout.head.id.as_str())?;
            let seen = With::of(tx, &caller, now)?.see(tx, payout)?;
            Ok(Seen { history, ..seen })
        })
        .await
}

/// Lets a payout go, or turns it down. `by` is who says so.
pub async fn decide(
    app: &App,
    caller: &Caller,
    (name, by): (&str, &str),
    approved: bool,
) -> Result<Seen, Failure> {
    let payout = show(app, caller, name).await?.payout;
    let dialect = dialect_called(&payout.head.dialect)?;
    let what = (payout.head.wire.as_str(), by);
    if approved {
        payouts::approve(app, dialect, caller, what).await?;
    } else {
        payouts::cancel(app, dialect, caller, what).await?;
    }
    show(app, caller, payout.head.id.as_str()).await
}

/// What every payout of a list is looked at with.
struct With {
    settings: PaymentSettings,
    keys: Vec<Key>,
    now: Timestamp,
}

impl With {
    fn of(tx: &mut Tx<'_>, caller: &Caller, now: Timestamp) -> Result<Self, Fault> {
        Ok(Self {
            settings: settings_in(tx, &caller.merchant.id, caller.mode)?,
            keys: keys::list(tx, caller)?,
            now,
        })
    }

    fn see(&self, tx: &mut Tx<'_>, payout: Payout) -> Result<Seen, Fault> {
        let limit = self.settings.alone_up_to(payout.order.amount);
        let name = payout.head.by.strip_prefix("key:");
        let key = self.keys.iter().find(|key| Some(key.name.as_str()) == name);
        Ok(Seen {
            state: payout.state_at(self.now),
            transaction: transactions::by_id(tx, payout.head.id.as_str())?,
            key: key.and_then(|key| key.label.clone()),
            two_persons: limit.is_some_and(|limit| limit.checked_sub(payout.order.amount).is_err()),
            history: Vec::new(),
            payout,
        })
    }
}

/// The payout of a name, of any dialect or only of one.
pub(crate) fn named(
    tx: &mut Tx<'_>,
    caller: &Caller,
    name: &str,
    only: Option<&str>,
) -> Result<Option<Payout>, Fault> {
    let is_own = |payout: &Payout| {
        payout.head.merchant == caller.merchant.id && payout.head.mode == caller.mode
    };
    if let Ok(id) = PayoutId::parse(name)
        && let Some(payout) = table::by_id(tx, &id)?.filter(is_own)
    {
        return Ok(Some(payout));
    }
    for dialect in dialects::ALL {
        let dialect = dialect.profile().name;
        if only.is_some_and(|only| only != dialect) {
            continue;
        }
        let wire = transactions::by_wire(tx, dialect, name)?
            .filter(|found| found.merchant == caller.merchant.id && found.mode == caller.mode);
        let found = match wire {
            Some(found) => Some(found),
            None => transactions::by_tracking(tx, caller, dialect, name)?,
        };
        if let Some(About::Payout(id)) = found.map(|found| found.about) {
            return table::by_id(tx, &id);
        }
    }
    Ok(None)
}
