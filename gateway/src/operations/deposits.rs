//! Deposits: a bill under the merchant's own id, paid on a page or with a card in the call.

use dialects::{Dialect, Kind};
use domain::bill::METHODS_NAMED;
use domain::payment::{Cause, Means};
use domain::provider::{ProviderKind, Question};
use domain::transaction::{CANCELLED_BY_USER, Flow, Opened, Page, Standing, Tracking};
use domain::{
    Ask, AttemptId, Bill, Caller, Card, Direction, Fact, Moment, Payment, PaymentSettings, Refusal,
    WireId,
};
use store::tables::bills;
use store::tables::transactions::{self, About};
use store::{Failure, Fault, Tx};

use super::payments::{self, Paid};
use super::providers::{allowed, settings_in};
use super::transactions::{Known, New, kept, known, page_token, save, wait};
use super::{covering, late, record, refused, wire};
use crate::app::App;
use crate::rails::{self, simulator};

/// Why a merchant without the permission may not send card data.
const NO_CARDS: &str = "This account may not send card data: it needs the permission for \
                        server-to-server payments";

/// What a merchant wants to be paid.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The merchant's side.
    pub tracking: Tracking,
    /// What is asked for.
    pub ask: Ask,
    /// How it is paid.
    pub flow: Flow,
}

/// What came of the first transaction.
enum Begun {
    /// It is answered: a page, or a copy of an earlier call.
    Answered(Opened),
    /// An earlier copy is being worked on.
    UnderWay(Box<transactions::Transaction>),
    /// The rail must be asked.
    Ask(About, AttemptId),
}

/// Begins a deposit, and with card data pays it.
pub async fn open(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    Wanted {
        tracking,
        ask,
        flow,
    }: Wanted,
) -> Result<Opened, Failure> {
    let at = app.moment();
    let (owner, plan) = (caller.clone(), Plan::of(&flow));
    let begun = app
        .store
        .write("open_deposit", move |tx| {
            open_in(tx, &at, dialect, &owner, (&tracking, &ask, &plan))
        })
        .await?;
    match (begun, flow) {
        (Begun::Answered(opened), _) => Ok(opened),
        (Begun::UnderWay(first), _) => wait(app, *first).await,
        (Begun::Ask(about, attempt), Flow::Server(card)) => {
            charge(app, about, attempt, &card).await
        }
        (Begun::Ask(..), Flow::Hosted | Flow::Direct(_)) => {
            Err(Fault("a page deposit asked a rail".to_owned()).into())
        }
    }
}

/// What of a flow the transaction needs: never the card itself.
enum Plan {
    Hosted,
    Direct(String),
    Server(domain::card::Instrument),
}

impl Plan {
    fn of(flow: &Flow) -> Self {
        match flow {
            Flow::Hosted => Self::Hosted,
            Flow::Direct(provider) => Self::Direct(provider.clone()),
            Flow::Server(card) => Self::Server(card.instrument()),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Hosted => "hosted",
            Self::Direct(_) => "direct",
            Self::Server(_) => "server",
        }
    }
}

fn open_in(
    tx: &mut Tx<'_>,
    at: &Moment,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    (tracking, ask, plan): (&Tracking, &Ask, &Plan),
) -> Result<Begun, Failure> {
    let settings = settings_in(tx, &caller.merchant.id, caller.mode)?;
    if matches!(plan, Plan::Server(_)) && !settings.cards_in_calls {
        return refused(Refusal::NotAllowed(NO_CARDS.to_owned()));
    }
    let (name, what) = (dialect.profile().name, (Direction::Deposit, ask.amount));
    match known(tx, caller, name, tracking, what)? {
        Known::New => {}
        Known::Answered(opened) => return Ok(Begun::Answered(opened)),
        Known::UnderWay(first) => return Ok(Begun::UnderWay(first)),
    }
    // Without a rail nobody could ever pay it.
    rails::for_mode(caller.mode)?;
    let methods = methods(&settings, tracking, ask, plan)?;
    let token = page_token(at);
    let mut ask = Ask {
        methods,
        ..ask.clone()
    };
    ask.return_url = ask.return_url.or_else(|| settings.return_url.clone());
    ask.extras.insert("page".to_owned(), token.clone().into());
    if !matches!(plan, Plan::Hosted) {
        ask.extras.insert(METHODS_NAMED.to_owned(), true.into());
    }
    let id = wire(dialect, Kind::Bill, at);
    let bill = Bill::create(at, caller, name, id.clone(), ask);
    bills::insert(tx, &bill)?;
    let opened = Opened {
        id: id.clone(),
        standing: Standing::Pending,
        page: Page::Cashier(token),
        by_server: false,
    };
    let new = New {
        about: About::Bill(bill.head.id.clone()),
        wire: id,
        tracking,
        what,
        flow: plan.word(),
        answer: (!matches!(plan, Plan::Server(_))).then_some(&opened),
    };
    let about = new.about.clone();
    save(tx, at, caller, name, new)?;
    record(tx, at, Fact::BillCreated, &bill, None)?;
    match plan {
        Plan::Hosted | Plan::Direct(_) => Ok(Begun::Answered(opened)),
        Plan::Server(instrument) => {
            let means = Means {
                method: bill.ask.methods.first().cloned().unwrap_or_default(),
                rail: String::new(),
                instrument: Some(instrument.clone()),
            };
            let attempt = payments::begin_in(tx, at, dialect, &bill, (means, "the call"))?;
            Ok(Begun::Ask(about, attempt))
        }
    }
}

/// The providers of a new deposit: all that the rules allow, the one named, or the card's.
fn methods(
    settings: &PaymentSettings,
    tracking: &Tracking,
    ask: &Ask,
    plan: &Plan,
) -> Result<Vec<String>, Refusal> {
    let question = Question {
        direction: Direction::Deposit,
        country: tracking.country.as_deref(),
        amount: ask.amount,
    };
    let one = match plan {
        Plan::Hosted => return allowed(settings, &question),
        Plan::Direct(wanted) => settings
            .offered(&question)
            .into_iter()
            .find(|provider| provider.id == *wanted),
        Plan::Server(_) => settings
            .offered(&question)
            .into_iter()
            .find(|provider| provider.kind == ProviderKind::Card),
    };
    one.map(|provider| vec![provider.id.clone()])
        .ok_or(Refusal::NoMethod)
}

/// Asks the rail, records what it said, and keeps the answer for copies of the call.
async fn charge(
    app: &App,
    about: About,
    attempt: AttemptId,
    card: &Card,
) -> Result<Opened, Failure> {
    let answer = simulator::ask(Some(card));
    let paid = payments::conclude(app, &attempt, answer).await;
    // A refusal here means that the deposit was closed meanwhile; it is told as it stands.
    if let Err(fault @ (Failure::Fault(_) | Failure::Unknown(_))) = paid {
        return Err(fault);
    }
    let now = app.clock.now();
    app.store
        .write("keep_answer", move |tx| {
            let found = transactions::by_id(tx, about.as_str())?
                .ok_or_else(|| Fault("a transaction is gone".to_owned()))?;
            let (opened, _) = super::transactions::present(tx, &found, now)?;
            transactions::keep_answer(tx, &about, &kept(&opened)?)?;
            Ok(opened)
        })
        .await
}

/// Does a decline of this payment end its bill? With card data in the call, and on a provider's
/// own page, there is nobody who could try another card.
pub(super) fn decline_is_final(
    tx: &mut Tx<'_>,
    bill: &Bill,
    payment: &Payment,
) -> Result<bool, Fault> {
    let known = transactions::by_id(tx, bill.head.id.as_str())?;
    Ok(known.is_some_and(|found| is_server(&found) || payment.head.instrument.is_none()))
}

/// Did the card of this bill come in the merchant's call?
pub(super) fn by_server(tx: &mut Tx<'_>, bill: &Bill) -> Result<bool, Fault> {
    let known = transactions::by_id(tx, bill.head.id.as_str())?;
    Ok(known.as_ref().is_some_and(is_server))
}

fn is_server(found: &transactions::Transaction) -> bool {
    found.flow == "server"
}

/// The customer cancels the payment.
pub async fn cancel(app: &App, dialect: &'static dyn Dialect, id: &WireId) -> Result<(), Failure> {
    let (at, id) = (app.moment(), id.clone());
    app.store
        .write("cancel_deposit", move |tx| {
            let bill = super::bills::page_bill(tx, dialect, &id)?;
            bill.admit(at.now)?;
            let note = covering::why("payer", "given up", &bill);
            super::bills::end_open_tries(tx, &at, &bill, &note)?;
            let cause = Cause::new("cancelled_by_user", CANCELLED_BY_USER);
            close(tx, &at, bill, cause, None)?;
            Ok(())
        })
        .await?;
    Ok(())
}

/// Closes an open bill by a refusal that is final; one that is closed already stays as it is.
pub(super) fn close(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: Bill,
    cause: Cause,
    payment: Option<&Payment>,
) -> Result<Bill, Failure> {
    match bill.clone().failed(at.now, cause) {
        Ok(failed) => {
            // What gift cards were to pay of it is free again.
            let note = covering::why("payer", "failed", &bill);
            covering::free_all(tx, at, &bill, &note)?;
            bills::update(tx, &failed)?;
            record(tx, at, Fact::BillFailed, &failed, payment)?;
            Ok(failed)
        }
        Err(_) => Ok(bill),
    }
}

/// What the provider's own page can say, in test mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Yes.
    Approve,
    /// No, with the reason.
    Decline(String),
}

impl Outcome {
    /// The word in the audit log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Decline(_) => "declined",
        }
    }
}

/// The provider's answer, as somebody chose it on the simulated page.
pub async fn answer(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
    provider: &str,
    outcome: Outcome,
) -> Result<Paid, Failure> {
    let said = outcome.word();
    let answer = match outcome {
        Outcome::Approve => rails::Answer::Approved,
        Outcome::Decline(reason) => rails::Answer::Declined(Cause::new("declined", &reason)),
    };
    let told = payments::simulate(app, dialect, id, provider, answer).await;
    if let Err(Failure::Refused(_)) = &told {
        late::about_deposit(app, dialect, id, (provider, said)).await?;
    }
    told
}

/// The try of a deposit that waits at the bank's page, if one does.
pub async fn challenge_of(app: &App, bill: &Bill) -> Result<Option<AttemptId>, Failure> {
    let id = bill.head.id.clone();
    app.store
        .read("open_challenge", move |tx| {
            let open = store::tables::attempts::open_of_bill(tx, &id)?;
            Ok(open
                .into_iter()
                .find(|attempt| *attempt.state() == domain::AttemptState::Challenged)
                .map(|attempt| attempt.id))
        })
        .await
}
