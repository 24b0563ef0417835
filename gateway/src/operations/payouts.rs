//! Payouts: request with a reservation, choose, approve, turn down, settle, expire.
//!
//! What the merchant has is summed and reserved in one serializable transaction, so two requests
//! never spend the same money. The rail is asked by a worker, by the payout's id, until it knows.

use dialects::{Dialect, Kind};
use domain::payment::Cause;
use domain::payout::{Approval, Decision, Order, Request};
use domain::provider::Question;
use domain::transaction::{CANCELLED_BY_USER, Opened, Page, Standing, Tracking};
use domain::{AccountId, Caller, Direction, Moment, Money, Payout, PayoutId, PayoutState, Refusal};
use store::tables::ledger::{self, Purse};
use store::tables::transactions::About;
use store::tables::{audit, payouts};
use store::{Failure, Fault, Tx};

use super::providers::{allowed, offered, settings_in};
use super::transactions::{Known, New, find, known, page_token, save, wait};
use super::{late, record_payout, refused, wire};
use crate::app::App;
use crate::rails::{self, Answer, simulator};

/// Transfers that one transaction adds to a balance at most, so that the first payout after a
/// million deposits does not hold up everybody else.
const BALANCE_STEP: i64 = 20_000;

/// What a merchant wants paid out.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The merchant's side.
    pub tracking: Tracking,
    /// What is ordered.
    pub order: Order,
    /// Who orders it.
    pub by: String,
}

/// What came of one round of a request.
enum Round {
    Answered(Opened),
    UnderWay(Box<store::tables::transactions::Transaction>),
    /// More transfers must be added up first.
    Adding,
}

/// Requests a payout and reserves its money.
pub async fn request(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    wanted: Wanted,
) -> Result<Opened, Failure> {
    let at = app.moment();
    let stages = dialect.payout_stages(&app.site);
    loop {
        let (at, caller, wanted) = (at.clone(), caller.clone(), wanted.clone());
        let round = app
            .store
            .write("request_payout", move |tx| {
                request_in(tx, &at, dialect, &caller, (&wanted, stages))
            })
            .await?;
        match round {
            Round::Answered(opened) => {
                return Ok(opened);
            }
            Round::UnderWay(first) => return wait(app, *first).await,
            Round::Adding => {}
        }
    }
}

fn request_in(
    tx: &mut Tx<'_>,
    at: &Moment,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    (wanted, stages): (&Wanted, domain::payout::Stages),
) -> Result<Round, Failure> {
    let (name, amount) = (dialect.profile().name, wanted.order.amount);
    let what = (Direction::Withdrawal, amount);
    match known(tx, caller, name, &wanted.tracking, what)? {
        Known::New => {}
        Known::Answered(opened) => return Ok(Round::Answered(opened)),
        Known::UnderWay(first) => return Ok(Round::UnderWay(first)),
    }
    // Without a rail its money would be reserved for nothing.
    rails::for_mode(caller.mode)?;
    let settings = settings_in(tx, &caller.merchant.id, caller.mode)?;
    let question = Question {
        direction: Direction::Withdrawal,
        country: wanted.tracking.country.as_deref(),
        amount,
    };
    let methods = allowed(&settings, &question)?;
    let purse = Purse {
        account: AccountId::Merchant(caller.merchant.id.clone()),
        mode: caller.mode,
        currency: amount.currency(),
    };
    let Some(available) = ledger::holds(tx, &purse, BALANCE_STEP)? else {
        return Ok(Round::Adding);
    };
    let available = Money::from_minor(available.max(0), amount.currency())
        .map_err(|error| Fault(format!("a balance: {error}")))?;
    let mut order = Order {
        methods,
        ..wanted.order.clone()
    };
    let token = page_token(at);
    order.return_url = order.return_url.or_else(|| settings.return_url.clone());
    order.extras.insert("page".to_owned(), token.clone().into());
    let request = Request {
        dialect: name,
        wire: wire(dialect, Kind::Bill, at),
        order,
        by: wanted.by.clone(),
        user_step: settings.payout_user_step,
    };
    let decision = Payout::request(at, caller, request, available, stages)?;
    let payout = &decision.payout;
    let standing = Standing::from(payout.state());
    let page = if payout.state().is_final() {
        Page::None
    } else {
        Page::Cashier(token)
    };
    let opened = Opened {
        id: payout.head.wire.clone(),
        standing,
        page,
        by_server: false,
    };
    payouts::insert(tx, payout)?;
    let new = New {
        about: About::Payout(payout.head.id.clone()),
        wire: payout.head.wire.clone(),
        tracking: &wanted.tracking,
        what,
        flow: "hosted",
        answer: Some(&opened),
    };
    save(tx, at, caller, name, new)?;
    ledger::post_payout(tx, payout, &decision.journal, at.now)?;
    record_payout(tx, at, decision.fact, payout)?;
    Ok(Round::Answered(opened))
}

/// The merchant lets a payout go: the one of this id, ours or the merchant's own, and who says so,
/// for the two-person rule and the audit log.
pub async fn approve(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    (id, by): (&str, &str),
) -> Result<(), Failure> {
    let stages = dialect.payout_stages(&app.site);
    let (at, caller) = (app.moment(), caller.clone());
    let (id, by) = (id.to_owned(), by.to_owned());
    app.store
        .write("approve_payout", move |tx| {
            let payout = of_caller(tx, &caller, dialect, &id)?;
            let settings = settings_in(tx, &caller.merchant.id, caller.mode)?;
            let order = &payout.order;
            let best = offered(&settings, &question(order), &order.methods);
            let approval = Approval {
                by: &by,
                alone_up_to: settings.alone_up_to(order.amount),
                rail: rails::for_mode(payout.head.mode)?,
                provider: best.first().map(|provider| provider.id.as_str()),
            };
            let decision = payout.approve(at.now, &approval, stages)?;
            note(tx, &at, &decision.payout, (&by, "payout.approved"))?;
            write_down(tx, &at, &decision)
        })
        .await?;
    Ok(())
}

/// What the provider rules are asked about an order.
fn question(order: &Order) -> Question<'_> {
    let country = order.extras.get("country");
    Question {
        direction: Direction::Withdrawal,
        country: country.and_then(serde_json::Value::as_str),
        amount: order.amount,
    }
}

/// The merchant turns a payout down; see [`approve`].
pub async fn cancel(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    (id, by): (&str, &str),
) -> Result<(), Failure> {
    let (at, caller) = (app.moment(), caller.clone());
    let (id, by) = (id.to_owned(), by.to_owned());
    app.store
        .write("cancel_payout", move |tx| {
            let payout = of_caller(tx, &caller, dialect, &id)?;
            let decision = payout.cancel(at.now)?;
            note(tx, &at, &decision.payout, (&by, "payout.rejected"))?;
            write_down(tx, &at, &decision)
        })
        .await?;
    Ok(())
}

/// Who let a payout go or turned it down is kept: the audit log.
fn note(
    tx: &mut Tx<'_>,
    at: &Moment,
    payout: &Payout,
    (actor, action): (&str, &str),
) -> Result<(), Fault> {
    let entry = audit::Entry {
        at: at.now,
        actor: actor.to_owned(),
        action: action.to_owned(),
        about: payout.head.id.to_string(),
        details: format!("{}, requested by {}", payout.order.amount, payout.head.by),
    };
    audit::insert(tx, at, (&payout.head.merchant, payout.head.mode), &entry)
}

/// What somebody does to a payout beside its merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The customer says where the money goes.
    Choose(String),
    /// The customer gives it up.
    GiveUp,
    /// The customer says no at the provider, before the merchant said yes.
    Refuse(String),
    /// The rail says no to what it was given.
    Decline(String),
    /// The rail has paid it (in test mode: somebody says so).
    Pay,
    /// Its time is over (in test mode: somebody says so).
    Expire,
}

impl Step {
    /// The word for what a provider answers by it, if it is an answer of a provider.
    fn answer(&self) -> Option<&'static str> {
        match self {
            Self::Refuse(_) | Self::Decline(_) => Some("declined"),
            Self::Pay => Some("paid"),
            Self::Choose(_) | Self::GiveUp | Self::Expire => None,
        }
    }
}

/// Takes a step with a payout; gives it afterwards. An answer that comes when the payout is over is
/// kept and refused: the refusal travels inside the success.
pub async fn step(app: &App, id: &PayoutId, step: Step) -> Result<Payout, Failure> {
    let (at, id) = (app.moment(), id.clone());
    let site = app.site.clone();
    let told = app
        .store
        .write("payout_step", move |tx| {
            let payout = by_id(tx, &id)?;
            let state = payout.state_at(at.now);
            if let (true, Some(said)) = (state.is_final(), step.answer()) {
                keep_late(tx, &at, &payout, (said, state.as_str()))?;
                return Ok(Err(Refusal::WrongState(state.as_str().to_owned())));
            }
            let dialect = super::dialect_called(&payout.head.dialect)?;
            let decision = match &step {
                Step::Choose(provider) => {
                    payout.choose(at.now, provider, dialect.payout_stages(&site))?
                }
                Step::GiveUp => {
                    let cause = Cause::new("cancelled_by_user", CANCELLED_BY_USER);
                    payout.refuse(at.now, cause)?
                }
                Step::Refuse(reason) => payout.refuse(at.now, Cause::new("declined", reason))?,
                Step::Decline(reason) => payout.reject(at.now, Cause::new("declined", reason))?,
                Step::Pay => payout.paid(at.now)?,
                Step::Expire => payout.expire(at.now)?,
            };
            write_down(tx, &at, &decision)?;
            Ok(Ok(decision.payout))
        })
        .await?;
    told.map_err(Failure::Refused)
}

fn keep_late(
    tx: &mut Tx<'_>,
    at: &Moment,
    payout: &Payout,
    (said, state): (&str, &str),
) -> Result<(), Fault> {
    let (head, provider) = (&payout.head, payout.progress.provider.as_deref());
    let details = format!("{said} {}; it was {state}", payout.order.amount);
    let of = (&head.merchant, head.mode);
    let by = (provider.unwrap_or("none"), details);
    late::keep(tx, at, of, head.id.as_str(), by)
}

/// Ends the stages that are over: what waits for a person expires, what the rail has is asked
/// about. How many there were.
pub async fn advance_due(app: &App) -> Result<usize, Failure> {
    let now = app.clock.now();
    let due = app
        .store
        .read("due_payouts", move |tx| {
            Ok(payouts::due(tx, now, domain::limits::SWEEP_MAX)?)
        })
        .await?;
    let count = due.len();
    for payout in due {
        match advance(app, payout).await {
            // Somebody acted in the meantime.
            Ok(()) | Err(Failure::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(count)
}

async fn advance(app: &App, payout: Payout) -> Result<(), Failure> {
    // Outside the transaction, by the payout's id: asked again, a rail says the same again.
    let answer = (*payout.state() == PayoutState::Processing)
        .then(|| simulator::pay_out(payout.order.amount));
    let at = app.moment();
    let (id, version) = (payout.head.id, payout.version);
    app.store
        .write("advance_payout", move |tx| {
            let payout = by_id(tx, &id)?;
            if payout.version != version {
                return Ok(());
            }
            let due = payout.progress.due.unwrap_or(at.now);
            let decision = match &answer {
                None => payout.expire(due.min(at.now))?,
                Some(Answer::Approved) => payout.paid(at.now)?,
                Some(Answer::Declined(cause)) => payout.reject(at.now, cause.clone())?,
                Some(Answer::Challenge) => {
                    return Err(Fault("a rail asked for a payer in a payout".to_owned()).into());
                }
            };
            write_down(tx, &at, &decision)
        })
        .await?;
    Ok(())
}

/// Saves a decision whole: the payout, its transfers, its event and deliveries.
fn write_down(tx: &mut Tx<'_>, at: &Moment, decision: &Decision) -> Result<(), Failure> {
    payouts::update(tx, &decision.payout)?;
    ledger::post_payout(tx, &decision.payout, &decision.journal, at.now)?;
    record_payout(tx, at, decision.fact, &decision.payout)?;
    Ok(())
}

pub(super) fn by_id(tx: &mut Tx<'_>, id: &PayoutId) -> Result<Payout, Failure> {
    payouts::by_id(tx, id)?.ok_or_else(|| Fault("a payout is gone".to_owned()).into())
}

/// The caller's payout: by our id, then by the merchant's own. A deposit is no payout.
fn of_caller(
    tx: &mut Tx<'_>,
    caller: &Caller,
    dialect: &dyn Dialect,
    id: &str,
) -> Result<Payout, Failure> {
    match find(tx, caller, dialect.profile().name, id)?.about {
        About::Payout(id) => by_id(tx, &id),
        About::Bill(_) => refused(Refusal::WrongState("a deposit".to_owned())),
    }
}
