//! The payer's side: the landing page, the phone, and what an answer does.

use dialects::Dialect;
use domain::limits::SWEEP_MAX;
use domain::payment::{Cause, Ended};
use domain::reservation::{self, ReservationView, Rules, Step, StepKind};
use domain::{
    Ask, BillId, Decision, Mode, Moment, Payment, PaymentState, Refusal, StepProblem, Timestamp,
    WireId,
};
use store::tables::bills;
use store::tables::reservations as table;
use store::{Failure, Tx};

use super::{Found, by_token, load, next_step, overdue, save, state, view};
use crate::app::App;
use crate::operations::{phones, refused};
use crate::rails::{self, simulator};

/// What a payer, or time in the payer's place, does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Says yes; the simulator decides what the bank says.
    Approve,
    /// Says yes to the choice of this id; an unknown one is the usual one.
    Choose(String),
    /// Says yes, and the bank too, whatever the amount.
    Force,
    /// Says yes, and the bank says no: the payer may try again.
    Decline(Cause),
    /// Says no.
    Abort,
    /// Does nothing until it is too late.
    Expire,
}

/// What a payer does with the request of a landing page's token.
pub async fn respond_to(
    app: &App,
    dialect: &'static dyn Dialect,
    token: &WireId,
    response: Response,
) -> Result<ReservationView, Failure> {
    let at = app.moment();
    let (token, rules) = (token.clone(), app.site.reservations.clone());
    let view = app
        .store
        .write("respond_to_reservation", move |tx| {
            let found = by_token(tx, dialect, &token)?;
            rails::for_mode(found.row.mode)?;
            let found = if overdue(&found, at.now) {
                respond(tx, &at, &rules, found, &Response::Expire)?
            } else {
                respond(tx, &at, &rules, found, &response)?
            };
            Ok(view(tx, found, at.now)?)
        })
        .await?;
    Ok(view)
}

/// The reservation of a landing page's token.
pub async fn by_page(
    app: &App,
    dialect: &'static dyn Dialect,
    token: &WireId,
) -> Result<ReservationView, Failure> {
    let (token, now) = (token.clone(), app.clock.now());
    app.store
        .read("reservation_page", move |tx| {
            let found = by_token(tx, dialect, &token)?;
            Ok(view(tx, found, now)?)
        })
        .await
}

/// The payer names the telephone to ask.
pub async fn reach(
    app: &App,
    dialect: &'static dyn Dialect,
    token: &WireId,
    phone: &str,
) -> Result<ReservationView, Failure> {
    let at = app.moment();
    let (token, phone) = (token.clone(), phone.to_owned());
    let rules = app.site.reservations.clone();
    app.store
        .write("reach_phone", move |tx| {
            let mut found = by_token(tx, dialect, &token)?;
            let payer = Payer {
                mode: found.row.mode,
                phone: Some(&phone),
            };
            if unable(tx, (dialect, &found.bill.ask), &payer, at.now)? == Some(NO_SUCH_PAYER) {
                return refused(Refusal::Step(NO_SUCH_PAYER));
            }
            if state(&found, at.now) == PaymentState::Pending {
                table::set_phone(tx, &found.row.bill, &phone)?;
                found.row.phone = Some(phone.clone());
                found.bill = found.bill.paid_by(at.now, phone.clone())?;
                bills::update(tx, &found.bill)?;
                found = by_itself(tx, &at, &rules, found)?;
            }
            Ok(view(tx, found, at.now)?)
        })
        .await
}

/// Whom a request reaches.
pub(super) struct Payer<'a> {
    pub mode: Mode,
    pub phone: Option<&'a str>,
}

pub(super) const NO_SUCH_PAYER: StepProblem = StepProblem::NoSuchPayer;

/// Why the payer cannot say yes, in test mode: there is no such telephone, its owner is too young
/// for what is bought or has no card.
pub(super) fn unable(
    tx: &mut Tx<'_>,
    (dialect, ask): (&dyn Dialect, &Ask),
    payer: &Payer<'_>,
    now: Timestamp,
) -> Result<Option<StepProblem>, Failure> {
    if payer.mode != Mode::Test {
        return Ok(None);
    }
    if !dialect.admits_payer(ask, now) {
        return Ok(Some(NO_SUCH_PAYER));
    }
    let rule = payer.phone.map(|phone| phones::rule_in(tx, phone));
    Ok(rule.transpose()?.and_then(phones::Rule::unasked))
}

/// The same for the payer of a reservation.
pub(super) fn unable_of(
    tx: &mut Tx<'_>,
    found: &Found,
    now: Timestamp,
) -> Result<Option<StepProblem>, Failure> {
    let dialect = super::super::dialect_of(&found.bill)?;
    let payer = Payer {
        mode: found.row.mode,
        phone: found.telephone(),
    };
    unable(tx, (dialect, &found.bill.ask), &payer, now)
}

/// Refuses a capture of which the payer's bank, in test mode, gives nothing.
pub(super) fn capturable(tx: &mut Tx<'_>, found: &Found) -> Result<(), Failure> {
    let (Mode::Test, Some(phone)) = (found.row.mode, found.telephone()) else {
        return Ok(());
    };
    match phones::rule_in(tx, phone)?.uncaptured() {
        Some(problem) => refused(Refusal::Step(problem)),
        None => Ok(()),
    }
}

/// What the bank said of those of whom it did not know is written down now that it does; how many
/// there were.
pub async fn decide_due(app: &App) -> Result<usize, Failure> {
    let now = app.clock.now();
    let due = app
        .store
        .read("undecided_reservations", move |tx| {
            Ok(table::undecided(tx, now, SWEEP_MAX)?)
        })
        .await?;
    let count = due.len();
    for row in due {
        let at = app.moment();
        app.store
            .write("decide_reservation", move |tx| {
                let Some(row) = table::of_bill(tx, &row.bill)? else {
                    return Ok(());
                };
                if row.undecided_until.is_none_or(|until| until > at.now) {
                    return Ok(());
                }
                let found = load(tx, row)?;
                let found = decided(tx, &at, found)?;
                if overdue(&found, at.now) {
                    // No rule of time applies to an end.
                    respond(tx, &at, &Rules::default(), found, &Response::Expire)?;
                }
                Ok(())
            })
            .await?;
    }
    Ok(count)
}

/// A reservation of which the bank knows by now is one that it refused; while it does not, there is
/// nothing to answer.
pub(super) fn decided(tx: &mut Tx<'_>, at: &Moment, mut found: Found) -> Result<Found, Failure> {
    match found.row.undecided_until {
        None => Ok(found),
        Some(until) if until > at.now => refused(Refusal::Step(StepProblem::Processing)),
        Some(_) => {
            table::set_undecided(tx, &found.row.bill, None)?;
            found.row.undecided_until = None;
            refusal_of_bank(tx, at, found, simulator::known_at_last())
        }
    }
}

/// The bank does not know yet: until it does the payment waits, also past the payer's time.
fn undecided(tx: &mut Tx<'_>, at: &Moment, mut found: Found) -> Result<Found, Failure> {
    let until = at.now.plus(simulator::UNKNOWN_FOR);
    found.bill = found.bill.held_open(at.now, until)?;
    bills::update(tx, &found.bill)?;
    table::set_undecided(tx, &found.row.bill, Some(until))?;
    found.row.undecided_until = Some(until);
    Ok(found)
}

/// What lies in a telephone's inbox, the newest first: requests that wait, and what became of
/// those before.
pub async fn inbox(app: &App, phone: &str, limit: u32) -> Result<Vec<ReservationView>, Failure> {
    let now = app.clock.now();
    let phone = phone.to_owned();
    app.store
        .read("inbox", move |tx| {
            let mut views = Vec::new();
            for row in table::of_phone(tx, &phone, Mode::Test, limit)? {
                let found = load(tx, row)?;
                views.push(view(tx, found, now)?);
            }
            Ok(views)
        })
        .await
}

/// Telephones that were asked, the last one first.
pub async fn phones(app: &App, limit: u32) -> Result<Vec<String>, Failure> {
    app.store
        .read("phones", move |tx| {
            Ok(table::phones(tx, Mode::Test, limit)?)
        })
        .await
}

/// The reservation that a bill is, if it is one.
pub async fn of_bill(app: &App, bill: &BillId) -> Result<Option<ReservationView>, Failure> {
    let (bill, now) = (bill.clone(), app.clock.now());
    app.store
        .read("reservation_of_bill", move |tx| {
            match table::of_bill(tx, &bill)? {
                Some(row) => {
                    let found = load(tx, row)?;
                    Ok(Some(view(tx, found, now)?))
                }
                None => Ok(None),
            }
        })
        .await
}

/// Lets a phone in test mode answer by itself, if its rule says so.
pub(super) fn by_itself(
    tx: &mut Tx<'_>,
    at: &Moment,
    rules: &Rules,
    found: Found,
) -> Result<Found, Failure> {
    let phone = found.row.phone.as_deref();
    let (Some(phone), Mode::Test) = (phone, found.row.mode) else {
        return Ok(found);
    };
    match phones::rule_in(tx, phone)?.response() {
        Some(response) => respond(tx, at, rules, found, &response),
        None => Ok(found),
    }
}

/// What a payer's answer, or the lack of one, does.
pub(super) fn respond(
    tx: &mut Tx<'_>,
    at: &Moment,
    rules: &Rules,
    found: Found,
    response: &Response,
) -> Result<Found, Failure> {
    let now = at.now;
    let found = decided(tx, at, found)?;
    match response {
        Response::Approve | Response::Choose(_) => match asked_bank(tx, &found, now)? {
            Ok(()) => {
                let chosen = match response {
                    Response::Choose(id) => Some(id.as_str()),
                    _ => None,
                };
                approved(tx, at, rules, with_choice(found, chosen)?)
            }
            Err(cause) => declined(tx, at, found, cause),
        },
        Response::Force => approved(tx, at, rules, with_choice(found, None)?),
        Response::Decline(cause) => declined(tx, at, found, cause.clone()),
        Response::Abort => {
            let decision = ended(found.payment.clone(), now, Ended::Aborted)?;
            save(tx, at, found, (StepKind::Aborted, decision), None)
        }
        Response::Expire => {
            let when = found.bill.ask.expires.map_or(now, |end| end.min(now));
            let decision = ended(found.payment.clone(), when, Ended::Expired)?;
            save(tx, at, found, (StepKind::Expired, decision), None)
        }
    }
}

/// What the payer's bank says, if the payer can ask it.
fn asked_bank(
    tx: &mut Tx<'_>,
    found: &Found,
    now: Timestamp,
) -> Result<Result<(), Cause>, Failure> {
    Ok(match unable_of(tx, found, now)? {
        Some(StepProblem::NoCards) => Err(Cause::new("no_cards", "There is no card")),
        Some(_) => Err(Cause::new(
            "no_such_payer",
            "The user is unknown or too young",
        )),
        None => simulator::wallet(found.payment.head.amount),
    })
}

/// The payer's money is reserved, until the deadline.
fn approved(
    tx: &mut Tx<'_>,
    at: &Moment,
    rules: &Rules,
    mut found: Found,
) -> Result<Found, Failure> {
    let decision = reservation::authorize(found.payment.clone(), at.now)?;
    found.bill = found.bill.paid(at.now)?;
    bills::update(tx, &found.bill)?;
    let window = rules.capture_window(found.payment.head.amount.currency());
    found.row.release_at = Some(at.now.plus(window));
    let key = found.steps.first().and_then(|step| step.key.clone());
    let step = (StepKind::Authorized, decision);
    save(tx, at, found, step, key.as_deref())
}

/// The bank said no, and the payer may try again; or it does not know yet.
fn declined(tx: &mut Tx<'_>, at: &Moment, found: Found, cause: Cause) -> Result<Found, Failure> {
    // The same check as for a yes: a payment that ended cannot be tried again.
    let _ = reservation::authorize(found.payment.clone(), at.now)?;
    if simulator::is_unknown(&cause) {
        undecided(tx, at, found)
    } else {
        refusal_of_bank(tx, at, found, cause)
    }
}

fn refusal_of_bank(
    tx: &mut Tx<'_>,
    at: &Moment,
    mut found: Found,
    cause: Cause,
) -> Result<Found, Failure> {
    let whole = found.payment.head.amount;
    let step = Step {
        failure: Some(cause),
        ..next_step(at, &found, StepKind::Authorized, whole)
    };
    table::insert_step(tx, &found.row.payment, &step)?;
    found.steps.push(step);
    Ok(found)
}

/// How many requests of a telephone are looked at for one that its owner approved.
const LOOKED_AT: u32 = 100;

/// What the real test service asks before a call approves in the payer's place.
pub(super) fn approves_like_the_real_one(tx: &mut Tx<'_>, found: &Found) -> Result<(), Failure> {
    if found.bill.ask.extras.contains_key("shipping") {
        return refused(Refusal::Step(StepProblem::ApproveByHand));
    }
    let phone = found.bill.ask.payer.phone.as_ref();
    if let Some(phone) = phone.or(found.row.phone.as_ref()) {
        for row in table::of_phone(tx, phone, found.row.mode, LOOKED_AT)? {
            let steps = table::steps(tx, &row.payment)?;
            let by_hand = |step: &Step| step.kind == StepKind::Authorized && step.failure.is_none();
            if steps.iter().any(by_hand) {
                return Ok(());
            }
        }
    }
    refused(Refusal::Step(StepProblem::NeverApproved))
}

/// What the payer chose beside paying is noted with the bill, and its price added to the payment.
fn with_choice(mut found: Found, chosen: Option<&str>) -> Result<Found, Failure> {
    if *found.payment.state() != PaymentState::Pending {
        return Ok(found);
    }
    let choices = super::super::dialect_of(&found.bill)?.choices(&found.bill);
    let named = choices.iter().find(|one| Some(one.id.as_str()) == chosen);
    if let Some(choice) = named.or(choices.first()) {
        let extras = &mut found.bill.ask.extras;
        extras.insert(dialects::CHOSEN.to_owned(), choice.id.clone().into());
        found.payment = found.payment.enlarged(choice.price)?;
    }
    Ok(found)
}

fn ended(payment: Payment, at: Timestamp, how: Ended) -> Result<Decision, Refusal> {
    if *payment.state() == PaymentState::Pending {
        return payment.end(at, how);
    }
    let state = payment.state().name().to_owned();
    Err(Refusal::Step(StepProblem::ApproveOfEnded(state)))
}
