//! Paying a bill.
//!
//! | phase | what happens | where |
//! |---|---|---|
//! | 1 begin | the payment and an *attempt* are recorded, "asked" | one transaction |
//! | 2 ask | the rail is asked, by the attempt's id | outside any transaction |
//! | 3 record | its answer: state, transfers, events and deliveries together | one transaction |
//!
//! A crash between 1 and 3 leaves the attempt "asked"; [`resolve_asked`] then asks the rail what
//! became of it. The same form sent twice has one attempt. A bill that is not repeatable has one
//! open attempt at most, so it cannot be paid twice at once.

mod challenges;

pub use challenges::{Answer, Challenge, Step, answer, challenge};
use dialects::{Dialect, Kind};
use domain::limits::{ATTEMPT_DEADLINE, DECLINES_WINDOW, PAYMENTS_SHOWN_MAX, SWEEP_MAX};
use domain::payment::{Cause, Ended, Means};
use domain::{
    Attempt, AttemptId, AttemptState, Bill, BillView, Card, Decision, Fact, Moment, Payment,
    Refusal, WireId,
};
use store::tables::{attempts, bills, ledger, payments};
use store::{Failure, Fault, Tx};

use super::bills::{merchant_of, page_bill, page_view};
use super::{covering, deposits, dialect_of, record, refused, wire};
use crate::app::App;
use crate::rails::{self, Answer as RailAnswer, simulator};

/// How a payer wants to pay.
#[derive(Debug)]
pub struct Pay {
    /// The method, in the dialect's code.
    pub method: String,
    /// The card, if it is one.
    pub card: Option<Card>,
    /// The form's own token: the same token twice is one try.
    pub once: String,
}

/// What a try came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paid {
    /// Money moved.
    Done {
        /// The bill afterwards, with this payment at least.
        view: Box<BillView>,
        /// The payment.
        payment: Box<Payment>,
    },
    /// The rail said no; the bill can still be paid.
    Declined {
        /// The bill afterwards, with this payment at least.
        view: Box<BillView>,
        /// Why.
        cause: Cause,
    },
    /// The payer must go to the bank's page.
    Challenge {
        /// The try that waits for it.
        attempt: AttemptId,
    },
}

/// A fresh token for a payment form.
pub fn once(app: &App) -> String {
    app.entropy.token()
}

/// Tries to pay a bill.
pub async fn pay(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
    pay: Pay,
) -> Result<Paid, Failure> {
    let Pay { method, card, once } = pay;
    let means = Means {
        method,
        rail: String::new(),
        instrument: card.as_ref().map(Card::instrument),
    };
    match begin(app, dialect, id, means, once).await? {
        Begun::New(attempt) => {
            // The card exists in memory for this call only; it is wiped when dropped here.
            let answer = simulator::ask(card.as_ref());
            drop(card);
            conclude(app, &attempt, answer).await
        }
        Begun::Before(attempt) => come_to(app, &attempt).await,
    }
}

/// Does what a customer would do, without a page: the rail's answer is given. Test mode only,
/// because only test mode has the simulator.
pub async fn simulate(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
    method: &str,
    answer: RailAnswer,
) -> Result<Paid, Failure> {
    let means = Means {
        method: method.to_owned(),
        rail: String::new(),
        instrument: None,
    };
    match begin(app, dialect, id, means, once(app)).await? {
        Begun::New(attempt) => conclude(app, &attempt, answer).await,
        Begun::Before(attempt) => come_to(app, &attempt).await,
    }
}

enum Begun {
    New(AttemptId),
    Before(AttemptId),
}

/// Phase 1.
async fn begin(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
    means: Means,
    once: String,
) -> Result<Begun, Failure> {
    let at = app.moment();
    let id = id.clone();
    app.store
        .write("begin_payment", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            if let Some(attempt) = attempts::by_once(tx, &bill.head.id, &once)? {
                return Ok(Begun::Before(attempt.id));
            }
            begin_in(tx, &at, dialect, &bill, (means.clone(), &once)).map(Begun::New)
        })
        .await
}

/// The same inside a transaction: the payment and its attempt, which is then to be asked.
pub(super) fn begin_in(
    tx: &mut Tx<'_>,
    at: &Moment,
    dialect: &'static dyn Dialect,
    bill: &Bill,
    (means, once): (Means, &str),
) -> Result<AttemptId, Failure> {
    let since = at.now.minus(DECLINES_WINDOW);
    let declined = payments::rejected_since(tx, &bill.head.id, since)?;
    bill.admit_try(at.now, declined)?;
    let rail = rails::for_mode(bill.head.mode)?;
    let amount = covering::rest(tx, bill)?;
    if !covering::takes(tx, bill, &means.method, amount)? {
        return refused(Refusal::NoMethod);
    }
    if !bill.ask.repeatable {
        replace_open_tries(tx, at, bill)?;
    }
    let means = Means {
        rail: rail.to_owned(),
        ..means
    };
    let charge = wire(dialect, Kind::Payment, at);
    let payment = Payment::begin_rest(at, bill, charge, means, amount);
    payments::insert(tx, &payment, dialect.profile().name)?;
    let attempt_id = AttemptId::mint(at, "attempt");
    let attempt = Attempt::ask(attempt_id.clone(), payment.head.id, rail, at.now);
    attempts::insert(tx, &attempt, &bill.head.id, once)?;
    Ok(attempt_id)
}

/// A payer who left the bank's page and tries again replaces the try that waits there; one that
/// the rail is being asked about must be answered first.
pub(super) fn replace_open_tries(tx: &mut Tx<'_>, at: &Moment, bill: &Bill) -> Result<(), Failure> {
    for attempt in attempts::open_of_bill(tx, &bill.head.id)? {
        if *attempt.state() == AttemptState::Asked {
            return refused(Refusal::TryUnderWay);
        }
        abandon(tx, at, bill, attempt)?;
    }
    Ok(())
}

/// Gives up a try that waits for the payer.
pub(super) fn abandon(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    attempt: Attempt,
) -> Result<(), Failure> {
    let payment = payment_of(tx, &attempt)?;
    let version = payment.version;
    let from = attempt.state().clone();
    let attempt = attempt.answer(AttemptState::Abandoned)?;
    attempts::update(tx, &attempt, &from, at.now)?;
    let decision = payment.end(at.now, Ended::Aborted)?;
    save(tx, at, bill, &decision, version)
}

/// Phase 3: what the rail's answer means. A refusal here is told to the payer after the answer
/// was recorded, so it travels inside the success.
pub(super) async fn conclude(
    app: &App,
    attempt: &AttemptId,
    answer: RailAnswer,
) -> Result<Paid, Failure> {
    let at = app.moment();
    let attempt = attempt.clone();
    let told = app
        .store
        .write("record_answer", move |tx| {
            record_answer(tx, &at, &attempt, answer.clone())
        })
        .await?;
    told.map_err(Failure::Refused)
}

fn record_answer(
    tx: &mut Tx<'_>,
    at: &Moment,
    attempt: &AttemptId,
    answer: RailAnswer,
) -> Result<Result<Paid, Refusal>, Failure> {
    let attempt = attempt_by_id(tx, attempt)?;
    let payment = payment_of(tx, &attempt)?;
    let bill = bill_of(tx, &payment)?;
    let from = attempt.state().clone();
    let (state, told) = match answer {
        RailAnswer::Approved => (AttemptState::Approved, approve(tx, at, bill, payment)?),
        RailAnswer::Declined(cause) => {
            let version = payment.version;
            let decision = payment.end(at.now, Ended::Rejected(cause.clone()))?;
            save(tx, at, &bill, &decision, version)?;
            let bill = if deposits::decline_is_final(tx, &bill, &decision.payment)? {
                deposits::close(tx, at, bill, cause.clone(), Some(&decision.payment))?
            } else {
                bill
            };
            let view = Box::new(with_payment(tx, at, bill, decision.payment)?);
            (
                AttemptState::Declined(cause.clone()),
                Ok(Paid::Declined { view, cause }),
            )
        }
        RailAnswer::Challenge => (
            AttemptState::Challenged,
            Ok(Paid::Challenge {
                attempt: attempt.id.clone(),
            }),
        ),
    };
    let attempt = attempt.answer(state)?;
    attempts::update(tx, &attempt, &from, at.now)?;
    Ok(told)
}

/// The rail approved. If the bill was closed meanwhile, the money goes straight back.
fn approve(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: Bill,
    payment: Payment,
) -> Result<Result<Paid, Refusal>, Failure> {
    let version = payment.version;
    let amount = payment.head.amount;
    let authorized = payment.authorize(at.now)?;
    match bill.clone().paid(at.now) {
        Ok(mut bill) => {
            let decision = authorized.and_then(|payment| payment.capture(at.now, amount))?;
            // What gift cards hold is taken with the rest or not at all. Cards cannot have come or
            // gone since this try began: that ends the try.
            let note = covering::why("payer", "", &bill);
            covering::take_all(tx, at, &mut bill, &note)?;
            bills::update(tx, &bill)?;
            save(tx, at, &bill, &decision, version)?;
            record(tx, at, Fact::BillPaid, &bill, Some(&decision.payment))?;
            let payment = Box::new(decision.payment.clone());
            let view = Box::new(with_payment(tx, at, bill, decision.payment)?);
            Ok(Ok(Paid::Done { view, payment }))
        }
        Err(refusal) => {
            let decision = authorized.and_then(|payment| payment.release(at.now))?;
            save(tx, at, &bill, &decision, version)?;
            Ok(Err(refusal))
        }
    }
}

/// A bill with the one payment that was just made: the others did not change, and a reader would
/// have to fetch them from a cold cache.
fn with_payment(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: Bill,
    payment: Payment,
) -> Result<BillView, Fault> {
    let merchant = merchant_of(tx, &bill)?;
    let state = bill.state_at(at.now);
    Ok(BillView {
        bill,
        merchant,
        payments: vec![payment],
        state,
    })
}

/// Saves a decision whole: the payment, its transfers, its event and deliveries.
pub(super) fn save(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    decision: &Decision,
    read_version: i64,
) -> Result<(), Failure> {
    payments::update(tx, &decision.payment, read_version)?;
    ledger::post(tx, &decision.payment, &decision.journal, at.now)?;
    record(tx, at, decision.fact, bill, Some(&decision.payment))?;
    Ok(())
}

/// What a try has come to by now.
async fn come_to(app: &App, attempt: &AttemptId) -> Result<Paid, Failure> {
    let at = app.moment();
    let attempt = attempt.clone();
    app.store
        .read("attempt_outcome", move |tx| {
            let attempt = attempt_by_id(tx, &attempt)?;
            outcome(tx, &at, &attempt)
        })
        .await
}

fn outcome(tx: &mut Tx<'_>, at: &Moment, attempt: &Attempt) -> Result<Paid, Failure> {
    let payment = payment_of(tx, attempt)?;
    let bill = bill_of(tx, &payment)?;
    match attempt.state() {
        AttemptState::Challenged => Ok(Paid::Challenge {
            attempt: attempt.id.clone(),
        }),
        AttemptState::Asked => refused(Refusal::TryUnderWay),
        AttemptState::Approved => {
            let dialect = dialect_of(&bill)?;
            let view = Box::new(page_view(tx, dialect, &bill.head.wire, at.now)?);
            Ok(Paid::Done {
                view,
                payment: Box::new(payment),
            })
        }
        AttemptState::Declined(cause) => declined(tx, at, &bill, cause.clone()),
        AttemptState::Abandoned => declined(
            tx,
            at,
            &bill,
            Cause::new("abandoned", "The payment was not completed"),
        ),
    }
}

fn declined(tx: &mut Tx<'_>, at: &Moment, bill: &Bill, cause: Cause) -> Result<Paid, Failure> {
    let view = Box::new(page_view(tx, dialect_of(bill)?, &bill.head.wire, at.now)?);
    Ok(Paid::Declined { view, cause })
}

/// Closes a bill by a final failure: `decline` with `final` in the simulator.
pub async fn fail_for_good(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
    cause: Cause,
) -> Result<(), Failure> {
    let at = app.moment();
    let id = id.clone();
    app.store
        .write("fail_bill", move |tx| {
            let bill = page_bill(tx, dialect, &id)?;
            let last = payments::of_bill(tx, &bill.head.id, PAYMENTS_SHOWN_MAX)?.pop();
            let note = covering::why("payer", "declined", &bill);
            covering::free_all(tx, &at, &bill, &note)?;
            let bill = bill.failed(at.now, cause.clone())?;
            bills::update(tx, &bill)?;
            record(tx, &at, Fact::BillFailed, &bill, last.as_ref())?;
            Ok(())
        })
        .await?;
    Ok(())
}

/// Asks the rail what became of attempts that were never answered; how many there were.
pub async fn resolve_asked(app: &App) -> Result<usize, Failure> {
    let before = app.clock.now().minus(ATTEMPT_DEADLINE);
    resolve_asked_before(app, before).await
}

/// The same at start-up of the only process: whatever is still "asked" was interrupted.
pub async fn resolve_interrupted(app: &App, before: domain::Timestamp) -> Result<usize, Failure> {
    resolve_asked_before(app, before).await
}

async fn resolve_asked_before(app: &App, before: domain::Timestamp) -> Result<usize, Failure> {
    let asked = app
        .store
        .read("asked_attempts", move |tx| {
            Ok(attempts::asked_before(tx, before, SWEEP_MAX)?)
        })
        .await?;
    let count = asked.len();
    for attempt in asked {
        match conclude(app, &attempt.id, simulator::enquire()).await {
            // Answered meanwhile by whoever asked first.
            Ok(_) | Err(Failure::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(count)
}

fn attempt_by_id(tx: &mut Tx<'_>, id: &AttemptId) -> Result<Attempt, Failure> {
    attempts::by_id(tx, id)?.map_or_else(|| refused(Refusal::UnknownRoute), Ok)
}

fn payment_of(tx: &mut Tx<'_>, attempt: &Attempt) -> Result<Payment, Fault> {
    payments::by_id(tx, &attempt.payment)?
        .ok_or_else(|| Fault("an attempt without a payment".to_owned()))
}

pub(super) fn bill_of(tx: &mut Tx<'_>, payment: &Payment) -> Result<Bill, Fault> {
    bills::by_id(tx, &payment.head.bill)?
        .ok_or_else(|| Fault("a payment without a bill".to_owned()))
}
