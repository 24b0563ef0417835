//! Reservations: ask, approve, capture, refund, cancel, expire, release.
//!
//! A payer's yes or no arrives as the rail's answer and is recorded in one transaction: there is
//! nothing to ask a rail about, so nothing can be left half done. Every call reads and writes in
//! one transaction, so of two at once one sees what the other did.

mod payer;

use dialects::{Dialect, Kind};
use domain::limits::SWEEP_MAX;
use domain::payment::{Cause, Means};
use domain::reservation::{self, Reach, ReservationView, Rules, Step, StepKind};
use domain::{
    Ask, Bill, BillId, BillState, Caller, Decision, Event, Mode, Moment, Money, Object, Payment,
    PaymentState, Refusal, Reply, ReservationCall, ReservationReply, StepProblem, Timestamp,
    WireId,
};
use store::tables::reservations::{self as table, Reserved};
use store::tables::{bills, ledger, payments};
use store::{Failure, Fault, Tx};

use super::bills::merchant_of;
use super::{outbox, refused, wire};
use crate::app::App;
use crate::rails::{self, simulator};

use payer::{NO_SUCH_PAYER, Payer, by_itself, capturable, decided, respond, unable, unable_of};
pub use payer::{Response, by_page, decide_due, inbox, of_bill, phones, reach, respond_to};

/// A reservation with all that belongs to it, as it was read.
struct Found {
    row: Reserved,
    bill: Bill,
    payment: Payment,
    steps: Vec<Step>,
}

impl Found {
    /// The telephone of whoever pays, or else the one that was asked.
    fn telephone(&self) -> Option<&str> {
        let payer = self.bill.ask.payer.phone.as_deref();
        payer.or(self.row.phone.as_deref())
    }
}

/// Does what an authenticated caller asks for.
pub async fn execute(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    call: ReservationCall,
) -> Result<Reply, Failure> {
    let caller = caller.clone();
    let at = app.moment();
    let rules = app.site.reservations.clone();
    match call {
        ReservationCall::Show(reference) => {
            let read = move |tx: &mut Tx<'_>| {
                let found = find(tx, dialect, &caller, &reference)?;
                Ok(ReservationReply::Shown(view(tx, found, at.now)?))
            };
            let reply = app.store.read("show_reservation", read).await?;
            Ok(Reply::Reservation(Box::new(reply)))
        }
        ReservationCall::Log(reference) => {
            let read = move |tx: &mut Tx<'_>| {
                let found = find(tx, dialect, &caller, &reference)?;
                Ok(ReservationReply::Log(view(tx, found, at.now)?))
            };
            let reply = app.store.read("log_reservation", read).await?;
            Ok(Reply::Reservation(Box::new(reply)))
        }
        call => {
            let write = move |tx: &mut Tx<'_>| {
                let context = Context {
                    at: &at,
                    dialect,
                    caller: &caller,
                    rules: &rules,
                };
                context.change(tx, &call, None)
            };
            let reply = app.store.write("change_reservation", write).await?;
            Ok(reply)
        }
    }
}

/// Who changes something, when, and by which rules.
pub(super) struct Context<'a> {
    pub at: &'a Moment,
    pub dialect: &'static dyn Dialect,
    pub caller: &'a Caller,
    pub rules: &'a Rules,
}

impl Context<'_> {
    /// Does a call that changes something, inside a transaction. `key` is its idempotency key.
    pub fn change(
        &self,
        tx: &mut Tx<'_>,
        call: &ReservationCall,
        key: Option<&str>,
    ) -> Result<Reply, Failure> {
        let reply = match call {
            ReservationCall::Create(ask, reach) => self.create(tx, ask, *reach, key)?,
            ReservationCall::Approve {
                reference,
                phone,
                token,
            } => self.approve(tx, reference, phone.as_deref(), token.as_deref())?,
            ReservationCall::Unsound { refusal, .. } => return refused(refusal.clone()),
            ReservationCall::Show(_) | ReservationCall::Log(_) => {
                return Err(
                    Fault("a call that reads came to be one that writes".to_owned()).into(),
                );
            }
            ReservationCall::Capture(..)
            | ReservationCall::Refund(..)
            | ReservationCall::Cancel { .. } => self.modify(tx, call, key)?,
        };
        Ok(Reply::Reservation(Box::new(reply)))
    }

    fn create(
        &self,
        tx: &mut Tx<'_>,
        ask: &Ask,
        reach: Reach,
        key: Option<&str>,
    ) -> Result<ReservationReply, Failure> {
        let (at, caller) = (self.at, self.caller);
        let name = self.dialect.profile().name;
        let reference = ask.reference.clone().unwrap_or_default();
        if table::by_reference(tx, name, caller, &reference)?.is_some() {
            return refused(Refusal::Step(StepProblem::ReferenceTaken(reference)));
        }
        let rail = rails::for_mode(caller.mode)?;
        if reach == Reach::Phone {
            let payer = Payer {
                mode: caller.mode,
                phone: ask.payer.phone.as_deref(),
            };
            if unable(tx, (self.dialect, ask), &payer, at.now)? == Some(NO_SUCH_PAYER) {
                return refused(Refusal::Step(NO_SUCH_PAYER));
            }
        }
        let mut ask = ask.clone();
        ask.expires = Some(reservation::ends(ask.expires, at.now, self.rules)?);
        let phone = ask.payer.phone.clone().filter(|_| reach == Reach::Phone);
        let token = wire(self.dialect, Kind::Bill, at);
        let bill = Bill::create(at, caller, name, token, ask);
        let means = Means {
            method: bill.ask.methods.first().cloned().unwrap_or_default(),
            rail: rail.to_owned(),
            instrument: None,
        };
        let number = wire(self.dialect, Kind::Payment, at);
        let payment = Payment::begin(at, &bill, number.clone(), means);
        bills::insert(tx, &bill)?;
        payments::insert(tx, &payment, name)?;
        table::insert(tx, &bill, &payment, phone.as_deref())?;
        let step = Step {
            number: 1,
            kind: StepKind::Created,
            wire: number,
            amount: payment.head.amount,
            key: key.map(str::to_owned),
            failure: None,
            until: None,
            at: at.now,
        };
        let found = Found {
            row: Reserved {
                bill: bill.head.id.clone(),
                payment: payment.head.id.clone(),
                reference,
                phone,
                release_at: None,
                undecided_until: None,
                mode: caller.mode,
            },
            bill,
            payment,
            steps: Vec::new(),
        };
        let found = announce(tx, at, found, step)?;
        let made = view(tx, found, at.now)?;
        if made.phone.is_some() {
            let row = table::of_bill(tx, &made.bill.head.id)?;
            if let Some(row) = row {
                let found = load(tx, row)?;
                by_itself(tx, at, self.rules, found)?;
            }
        }
        Ok(ReservationReply::Created(made))
    }

    fn modify(
        &self,
        tx: &mut Tx<'_>,
        call: &ReservationCall,
        key: Option<&str>,
    ) -> Result<ReservationReply, Failure> {
        let now = self.at.now;
        let found = self.current(tx, call.reference())?;
        if found.row.undecided_until.is_some() {
            return refused(Refusal::Step(match call {
                ReservationCall::Cancel { .. } => StepProblem::CancelOfProcessing,
                _ => StepProblem::Processing,
            }));
        }
        let payment = found.payment.clone();
        // It stays known after the rest was released.
        let until = found.row.release_at.or(deadline(&found.steps));
        let (kind, decision) = match call {
            ReservationCall::Capture(_, amount) => {
                let decision = reservation::capture(payment, now, *amount, until)?;
                capturable(tx, &found)?;
                (StepKind::Captured, decision)
            }
            ReservationCall::Refund(_, amount) => {
                let last = last_capture(&found.steps);
                let decision = reservation::refund(payment, now, *amount, last, self.rules)?;
                // The bank is asked for what the rules allow, and for nothing else.
                if found.row.mode == Mode::Test {
                    simulator::refund(*amount).map_err(Refusal::Step)?;
                }
                (StepKind::Refunded, decision)
            }
            ReservationCall::Cancel { only_pending, .. } => {
                reservation::cancel(payment, now, *only_pending, until)?
            }
            ReservationCall::Create(..)
            | ReservationCall::Show(_)
            | ReservationCall::Log(_)
            | ReservationCall::Approve { .. }
            | ReservationCall::Unsound { .. } => {
                return Err(Fault("no change of a reservation".to_owned()).into());
            }
        };
        // What is released names no key, as captured deliveries have it.
        let key = key.filter(|_| kind != StepKind::Released);
        let found = save(tx, self.at, found, (kind, decision), key)?;
        Ok(ReservationReply::Changed(view(tx, found, now)?))
    }

    fn approve(
        &self,
        tx: &mut Tx<'_>,
        reference: &str,
        phone: Option<&str>,
        token: Option<&str>,
    ) -> Result<ReservationReply, Failure> {
        if self.caller.mode != Mode::Test {
            return refused(Refusal::Step(StepProblem::LiveMode));
        }
        let mut found = self.current(tx, reference)?;
        let named = match token {
            Some(token) => token == found.bill.head.wire.as_str(),
            None => phone.is_some(),
        };
        if !named {
            return refused(Refusal::Step(StepProblem::NoPayer));
        }
        if let Some(phone) = phone {
            found.bill.ask.payer.phone = Some(phone.to_owned());
        }
        if let Some(problem) = unable_of(tx, &found, self.at.now)? {
            return refused(Refusal::Step(problem));
        }
        let mut answer = Response::Approve;
        if *found.payment.state() == PaymentState::Pending {
            if self.rules.strict_approval {
                payer::approves_like_the_real_one(tx, &found)?;
                answer = Response::Force;
            } else {
                // Other than a payer, a program is told at once that the bank says no.
                // What it does not know yet is no no.
                match simulator::wallet(found.payment.head.amount) {
                    Err(cause) if !simulator::is_unknown(&cause) => {
                        return refused(Refusal::Step(StepProblem::Declined(cause)));
                    }
                    Ok(()) | Err(_) => {}
                }
            }
        }
        respond(tx, self.at, self.rules, found, &answer)?;
        Ok(ReservationReply::Approved)
    }

    /// The reservation of a reference; one whose time is over is ended first, so that what
    /// follows sees it so.
    fn current(&self, tx: &mut Tx<'_>, reference: &str) -> Result<Found, Failure> {
        let mut found = find(tx, self.dialect, self.caller, reference)?;
        if found
            .row
            .undecided_until
            .is_some_and(|until| until <= self.at.now)
        {
            found = decided(tx, self.at, found)?;
        }
        if overdue(&found, self.at.now) {
            return respond(tx, self.at, self.rules, found, &Response::Expire);
        }
        Ok(found)
    }
}

/// Ends a bill's reservation because its time is over, if it is one; inside a transaction.
pub(super) fn expire_in(tx: &mut Tx<'_>, at: &Moment, bill: &BillId) -> Result<bool, Failure> {
    let Some(row) = table::of_bill(tx, bill)? else {
        return Ok(false);
    };
    let found = load(tx, row)?;
    if *found.payment.state() == PaymentState::Pending {
        // No rule of time applies to an end.
        respond(tx, at, &Rules::default(), found, &Response::Expire)?;
    }
    Ok(true)
}

/// Gives back what is still reserved after its deadline; how many reservations there were.
pub async fn release_due(app: &App) -> Result<usize, Failure> {
    let now = app.clock.now();
    let due = app
        .store
        .read("due_releases", move |tx| {
            Ok(table::due(tx, now, SWEEP_MAX)?)
        })
        .await?;
    let count = due.len();
    for row in due {
        let at = app.moment();
        app.store
            .write("release_reservation", move |tx| {
                let Some(row) = table::of_bill(tx, &row.bill)? else {
                    return Ok(());
                };
                if row.release_at.is_none_or(|release| release > at.now) {
                    return Ok(());
                }
                let found = load(tx, row)?;
                let decision = found.payment.clone().release(at.now)?;
                save(tx, &at, found, (StepKind::Released, decision), None)?;
                Ok(())
            })
            .await?;
    }
    Ok(count)
}

fn find(
    tx: &mut Tx<'_>,
    dialect: &dyn Dialect,
    caller: &Caller,
    reference: &str,
) -> Result<Found, Failure> {
    match table::by_reference(tx, dialect.profile().name, caller, reference)? {
        Some(row) => Ok(load(tx, row)?),
        None => refused(Refusal::NotFound(Object::Reservation, reference.to_owned())),
    }
}

fn by_token(tx: &mut Tx<'_>, dialect: &dyn Dialect, token: &WireId) -> Result<Found, Failure> {
    let missing = || Refusal::NotFound(Object::Reservation, String::new());
    let bill = bills::by_wire(tx, dialect.profile().name, token)?.ok_or_else(missing)?;
    let row = table::of_bill(tx, &bill.head.id)?.ok_or_else(missing)?;
    Ok(load(tx, row)?)
}

fn load(tx: &mut Tx<'_>, row: Reserved) -> Result<Found, Fault> {
    let lost = || Fault("a reservation without its bill or payment".to_owned());
    let bill = bills::by_id(tx, &row.bill)?.ok_or_else(lost)?;
    let payment = payments::by_id(tx, &row.payment)?.ok_or_else(lost)?;
    let steps = table::steps(tx, &row.payment)?;
    Ok(Found {
        row,
        bill,
        payment,
        steps,
    })
}

fn state(found: &Found, now: Timestamp) -> PaymentState {
    reservation::state_at(&found.bill, &found.payment, now)
}

fn overdue(found: &Found, now: Timestamp) -> bool {
    *found.payment.state() == PaymentState::Pending && state(found, now) != PaymentState::Pending
}

fn view(tx: &mut Tx<'_>, found: Found, now: Timestamp) -> Result<ReservationView, Fault> {
    let merchant = merchant_of(tx, &found.bill)?;
    let state = state(&found, now);
    let until = deadline(&found.steps);
    Ok(ReservationView {
        state,
        until,
        merchant,
        bill: found.bill,
        payment: found.payment,
        phone: found.row.phone,
        steps: found.steps,
    })
}

/// Until when reserved money can be captured, once it was reserved.
fn deadline(steps: &[Step]) -> Option<Timestamp> {
    steps.iter().rev().find_map(|step| step.until)
}

fn last_capture(steps: &[Step]) -> Option<Timestamp> {
    let captures = steps.iter().filter(|step| step.kind == StepKind::Captured);
    captures.map(|step| step.at).max()
}

/// The bill of a payment that ended without money is closed the same way.
fn close_bill(bill: Bill, now: Timestamp, kind: StepKind) -> Result<Bill, Refusal> {
    if *bill.state() != BillState::Open {
        return Ok(bill);
    }
    match kind {
        StepKind::Expired => {
            let when = bill.ask.expires.map_or(now, |end| end.min(now));
            bill.expired(when)
        }
        StepKind::Aborted => bill.failed(now, Cause::new("aborted", "Cancelled by the payer")),
        StepKind::Cancelled => {
            bill.failed(now, Cause::new("cancelled", "Cancelled by the merchant"))
        }
        StepKind::Created
        | StepKind::Authorized
        | StepKind::Captured
        | StepKind::Released
        | StepKind::Refunded => Ok(bill),
    }
}

fn next_step(at: &Moment, found: &Found, kind: StepKind, amount: Money) -> Step {
    let last = found.steps.last().map_or(0, |step| step.number);
    let number = last.saturating_add(1);
    Step {
        number,
        kind,
        wire: WireId::from(at.uuid(&format!("step {number}"))),
        amount,
        key: None,
        failure: None,
        until: None,
        at: at.now,
    }
}

/// Saves a decision whole: the payment, its transfers, the deadline, the bill if it ends with it,
/// the step, and what is announced of it.
fn save(
    tx: &mut Tx<'_>,
    at: &Moment,
    mut found: Found,
    (kind, decision): (StepKind, Decision),
    key: Option<&str>,
) -> Result<Found, Failure> {
    let amount = reservation::moved(kind, &found.payment, &decision.payment);
    payments::update(tx, &decision.payment, found.payment.version)?;
    ledger::post(tx, &decision.payment, &decision.journal, at.now)?;
    let before = found.bill.version;
    found.bill = close_bill(found.bill, at.now, kind)?;
    if found.bill.version != before {
        bills::update(tx, &found.bill)?;
    }
    found.payment = decision.payment;
    let holds = match found.payment.state() {
        PaymentState::Authorized { sums, .. } => sums.held().is_ok_and(|held| !held.is_zero()),
        PaymentState::Pending | PaymentState::Ended { .. } => false,
    };
    found.row.release_at = found.row.release_at.filter(|_| holds);
    table::set_release(tx, &found.row.bill, found.row.release_at)?;
    let step = Step {
        key: key.map(str::to_owned),
        until: found
            .row
            .release_at
            .filter(|_| kind == StepKind::Authorized),
        ..next_step(at, &found, kind, amount)
    };
    announce(tx, at, found, step)
}

/// Saves a step and announces it.
fn announce(tx: &mut Tx<'_>, at: &Moment, mut found: Found, step: Step) -> Result<Found, Failure> {
    table::insert_step(tx, &found.row.payment, &step)?;
    let (bill, payment) = (found.bill.clone(), found.payment.clone());
    outbox::announce(tx, at, &Event::of_step(at, bill, payment, step.clone()))?;
    found.steps.push(step);
    Ok(found)
}
