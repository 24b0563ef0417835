//! Deposits and withdrawals under the merchant's own ids.
//!
//! An id is used up for ever: the row that holds it is inserted with the bill or the payout, in
//! one transaction, under a unique index. A copy of the call gets the first answer again; another
//! call under the same id is refused.

use std::time::Duration;

use dialects::Dialect;
use domain::transaction::{Opened, Page, Standing, Tracking};
use domain::{
    BillState, Caller, Direction, Moment, Money, Object, Refusal, Reply, Timestamp,
    TransactionCall, TransactionReply, WireId,
};
use store::tables::transactions::{self, About, Listed, Of, Transaction};
use store::tables::{attempts, bills, payouts as payout_table};
use store::{Failure, Fault, Tx};

use super::{deposits, payouts, refused};
use crate::app::App;

/// How long a copy of a call waits for the first one, and how often it looks.
const WAIT_ROUNDS: u32 = 400;
const WAIT: Duration = Duration::from_millis(25);

/// Rows of one part of a list.
pub const LIST_PART: u32 = 500;

/// Does what a call about transactions asks for.
pub async fn execute(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    call: TransactionCall,
) -> Result<Reply, Failure> {
    let reply = match call {
        TransactionCall::Deposit {
            tracking,
            ask,
            flow,
        } => {
            let wanted = deposits::Wanted {
                tracking,
                ask: *ask,
                flow,
            };
            let opened = deposits::open(app, dialect, caller, wanted).await?;
            TransactionReply::Opened(Box::new(opened))
        }
        TransactionCall::Withdraw {
            tracking,
            order,
            by,
        } => {
            let wanted = payouts::Wanted {
                tracking,
                order: *order,
                by,
            };
            let opened = payouts::request(app, dialect, caller, wanted).await?;
            TransactionReply::Opened(Box::new(opened))
        }
        TransactionCall::RejectPayout { id, by } => {
            payouts::cancel(app, dialect, caller, (&id, &by)).await?;
            TransactionReply::PayoutRejected
        }
        TransactionCall::ApprovePayout { id, by } => {
            payouts::approve(app, dialect, caller, (&id, &by)).await?;
            TransactionReply::PayoutApproved
        }
        TransactionCall::Show(id) => show(app, dialect, caller, id).await?,
        TransactionCall::List(from, until) => {
            let of = list_of(dialect, caller, from, until);
            let rows = part(app, of).await?;
            TransactionReply::Some(rows.into_iter().map(|row| row.view).collect())
        }
    };
    Ok(Reply::Transaction(reply))
}

async fn show(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    id: String,
) -> Result<TransactionReply, Failure> {
    let (caller, now) = (caller.clone(), app.clock.now());
    app.store
        .read("show_transaction", move |tx| {
            let found = find(tx, &caller, dialect.profile().name, &id)?;
            let view = transactions::view(tx, &found.about, now)?
                .ok_or_else(|| Fault("a transaction without its object".to_owned()))?;
            Ok(TransactionReply::One(Box::new(view)))
        })
        .await
}

/// The first part of a list of what was created from `from` up to, not including, `until`.
pub fn list_of(dialect: &dyn Dialect, caller: &Caller, from: Timestamp, until: Timestamp) -> Of {
    Of {
        caller: caller.clone(),
        dialect: dialect.profile().name.to_owned(),
        from,
        last: until,
        // Below every id: of the very moment `until` nothing is shown.
        below: String::new(),
    }
}

/// What comes after the last row of a part.
pub fn after(of: &Of, last: &Listed) -> Of {
    Of {
        last: last.place.0,
        below: last.place.1.clone(),
        ..of.clone()
    }
}

/// One part of a list, newest first, of [`LIST_PART`] rows at most; a shorter one is the last.
pub async fn part(app: &App, of: Of) -> Result<Vec<Listed>, Failure> {
    let now = app.clock.now();
    app.store
        .read("list_transactions", move |tx| {
            Ok(transactions::page(tx, &of, now, LIST_PART)?)
        })
        .await
}

/// The caller's transaction: by our id first, then by the merchant's own.
pub(super) fn find(
    tx: &mut Tx<'_>,
    caller: &Caller,
    dialect: &str,
    id: &str,
) -> Result<Transaction, Failure> {
    let ours = transactions::by_wire(tx, dialect, id)?
        .filter(|found| found.merchant == caller.merchant.id && found.mode == caller.mode);
    let found = match ours {
        Some(found) => Some(found),
        None => transactions::by_tracking(tx, caller, dialect, id)?,
    };
    found.map_or_else(
        || refused(Refusal::NotFound(Object::Bill, id.to_owned())),
        Ok,
    )
}

/// What a call that begins a transaction finds.
pub(super) enum Known {
    /// Nothing: it is the first.
    New,
    /// The same call came before and was answered.
    Answered(Opened),
    /// The same call is being worked on.
    UnderWay(Box<Transaction>),
}

/// Has this id been used? By the same call: its answer. By another: refused.
pub(super) fn known(
    tx: &mut Tx<'_>,
    caller: &Caller,
    dialect: &str,
    tracking: &Tracking,
    wanted: (Direction, Money),
) -> Result<Known, Failure> {
    // One that is another transaction's id of ours would make later look-ups ambiguous.
    let ours = transactions::by_wire(tx, dialect, &tracking.id)?;
    if ours.is_some_and(|ours| ours.merchant == caller.merchant.id && ours.mode == caller.mode) {
        return refused(Refusal::KeyReused);
    }
    let Some(found) = transactions::by_tracking(tx, caller, dialect, &tracking.id)? else {
        return Ok(Known::New);
    };
    let same = (found.direction, found.amount) == wanted && found.user == tracking.user;
    if !same {
        return refused(Refusal::KeyReused);
    }
    match &found.answer {
        Some(answer) => serde_json::from_str(answer)
            .map(Known::Answered)
            .map_err(|error| Fault(format!("a kept answer cannot be read: {error}")).into()),
        None => Ok(Known::UnderWay(Box::new(found))),
    }
}

/// Waits until the first copy of a call was answered. If its process died, the transaction is told
/// as it stands.
pub(super) async fn wait(app: &App, first: Transaction) -> Result<Opened, Failure> {
    for _ in 0..WAIT_ROUNDS {
        let id = first.about.as_str().to_owned();
        let now = app.clock.now();
        let seen = app
            .store
            .read("first_answer", move |tx| {
                let found = transactions::by_id(tx, &id)?
                    .ok_or_else(|| Fault("a transaction is gone".to_owned()))?;
                if let Some(answer) = &found.answer {
                    let answer = serde_json::from_str(answer)
                        .map_err(|error| Fault(format!("a kept answer: {error}")))?;
                    return Ok(Some(answer));
                }
                let (opened, decided) = present(tx, &found, now)?;
                Ok(decided.then_some(opened))
            })
            .await?;
        if let Some(opened) = seen {
            return Ok(opened);
        }
        tokio::time::sleep(WAIT).await;
    }
    refused(Refusal::TryUnderWay)
}

/// How a transaction stands, and whether nothing is being asked about it just now.
pub(super) fn present(
    tx: &mut Tx<'_>,
    found: &Transaction,
    now: Timestamp,
) -> Result<(Opened, bool), Fault> {
    let gone = || Fault("a transaction without its object".to_owned());
    let (standing, page, decided) = match &found.about {
        About::Bill(id) => {
            let bill = bills::by_id(tx, id)?.ok_or_else(gone)?;
            let state = bill.state_at(now);
            let open = attempts::open_of_bill(tx, id)?;
            let asked = open
                .iter()
                .any(|attempt| *attempt.state() == domain::AttemptState::Asked);
            let page = match (&state, found.flow.as_str()) {
                (BillState::Open, "server") if open.is_empty() => Page::None,
                (BillState::Open, "server") => Page::ThreeDs(found.page.clone()),
                (BillState::Open, _) => Page::Cashier(found.page.clone()),
                (_, _) => Page::None,
            };
            (Standing::from(&state), page, !asked)
        }
        About::Payout(id) => {
            let payout = payout_table::by_id(tx, id)?.ok_or_else(gone)?;
            let state = payout.state_at(now);
            let page = if state.is_final() {
                Page::None
            } else {
                Page::Cashier(found.page.clone())
            };
            (Standing::from(&state), page, true)
        }
    };
    let opened = Opened {
        id: found.wire.clone(),
        standing,
        page,
        by_server: found.flow == "server",
    };
    Ok((opened, decided))
}

/// What is saved beside a new bill or payout.
pub(super) struct New<'a> {
    /// The bill or the payout.
    pub about: About,
    /// What the dialect calls it.
    pub wire: WireId,
    /// The merchant's side.
    pub tracking: &'a Tracking,
    /// Which way, and how much.
    pub what: (Direction, Money),
    /// The word for how it is paid.
    pub flow: &'static str,
    /// The first answer, if it is known already.
    pub answer: Option<&'a Opened>,
}

/// Saves the row that uses up the merchant's id.
pub(super) fn save(
    tx: &mut Tx<'_>,
    at: &Moment,
    caller: &Caller,
    dialect: &str,
    new: New<'_>,
) -> Result<(), Fault> {
    let row = Transaction {
        about: new.about,
        dialect: dialect.to_owned(),
        wire: new.wire,
        merchant: caller.merchant.id.clone(),
        mode: caller.mode,
        tracking: new.tracking.id.clone(),
        user: new.tracking.user.clone(),
        direction: new.what.0,
        flow: new.flow.to_owned(),
        amount: new.what.1,
        page: page_token(at),
        answer: new.answer.map(kept).transpose()?,
        created: at.now,
    };
    if transactions::insert(tx, &row)? {
        Ok(())
    } else {
        // It was looked for in this very transaction.
        Err(Fault("a transaction's id was taken meanwhile".to_owned()))
    }
}

/// An answer as it is kept.
pub(super) fn kept(opened: &Opened) -> Result<String, Fault> {
    serde_json::to_string(opened)
        .map_err(|error| Fault(format!("an answer cannot be kept: {error}")))
}

/// The token of the page of what is made at a moment: nobody can guess it.
pub(super) fn page_token(at: &Moment) -> String {
    let [head @ .., _, _, _, _, _, _, _, _] = at.seed.derive("page");
    domain::secret::hex(&head)
}
