//! Gift cards: issue, activate, block, top up, replace, expire; what is on one; programmes.
//!
//! Promises: a number and a code exist in the answer that makes them and nowhere else; every change
//! of a card is saved with its money and its line of history in one transaction.

mod returns;
mod succession;

use domain::call::{CardBalance, CardLine};
use domain::gift_card::{Activity, CardHead, NewCard, Note, Sign, Validity};
use domain::guess::{Meter, Scope};
use domain::limits::{ACTIVITIES_SHOWN_MAX, RENEWED_DAYS, SWEEP_MAX};
use domain::{
    Bill, Caller, CardDecision, CardEntry, CardId, Decision, FieldProblem, GiftCard, MerchantId,
    Mode, Moment, Money, Programme, Refusal, Reply, Secret, Timestamp,
};
use store::tables::gift_cards as table;
use store::tables::{audit, guesses, ledger, payments};
use store::{Failure, Fault, Tx};

pub(super) use self::returns::left_to_return;
pub use self::returns::{GivenBack, give_back_by_hand};
pub(super) use self::succession::give_back;
pub use self::succession::{replace, transfer};
use super::guesses::{self as guessing, Watch};
use super::{record, refused, validity};
use crate::app::App;
use crate::vault::Hashing;

/// How many numbers are tried before the scheme counts as full.
pub(super) const NUMBERS_TRIED: u32 = 50;

/// Bytes of a return address.
const RETURN_URL_MAX: usize = 2_048;

/// A card to be issued.
#[derive(Clone, Debug)]
pub struct Order {
    /// How much is on it.
    pub amount: Money,
    /// Its last day, `2027-12-31`; `None`: as the programme says.
    pub last_day: Option<String>,
    /// The shops where it is good; none named: all of the merchant's.
    pub vendors: Vec<String>,
    /// May it be used at once?
    pub active: bool,
    /// Its number and code, if it exists already; `None`: new ones are made.
    pub entry: Option<CardEntry>,
    /// Who issues it, and why.
    pub note: Note,
}

impl Order {
    /// An active card of this amount, as the programme says.
    pub fn of(amount: Money, note: Note) -> Self {
        Self {
            amount,
            last_day: None,
            vendors: Vec::new(),
            active: true,
            entry: None,
            note,
        }
    }
}

/// A card that was just issued: the only time that its number and code are known.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The card.
    pub card: GiftCard,
    /// Number and code.
    pub entry: CardEntry,
}

/// What an operator can do to a card.
#[derive(Clone, Debug)]
pub enum Change {
    /// May be used from now on.
    Activate,
    /// Stop it.
    Block,
    /// Let it go again; wrong tries so far are forgotten.
    Unblock,
    /// Add money.
    TopUp(Money),
}

/// How a merchant runs its gift cards; `None` if it has none.
pub async fn programme(app: &App, of: &Caller) -> Result<Option<Programme>, Failure> {
    let of = of.clone();
    app.store
        .read("gift_programme", move |tx| {
            Ok(table::programme(tx, &of.merchant.id, of.mode)?)
        })
        .await
}

/// Sets how a merchant runs its gift cards from now on. What is wrong with it is told in a
/// sentence.
pub async fn put_programme(
    app: &App,
    of: &Caller,
    programme: Programme,
    actor: &str,
) -> Result<(), Failure> {
    let zone = validity::zone(&programme.zone).map(|_| ());
    let back = programme.return_url.as_deref().map_or(Ok(()), web_address);
    let sound = programme.check().map_err(|e| e.to_string());
    if let Err(message) = sound.and(zone).and(back) {
        let field = "programme".to_owned();
        return refused(Refusal::Invalid(vec![FieldProblem { field, message }]));
    }
    let (at, of, actor) = (app.moment(), of.clone(), actor.to_owned());
    app.store
        .write("put_gift_programme", move |tx| {
            let owner = (&of.merchant.id, of.mode);
            table::put_programme(tx, owner.0, owner.1, &programme)?;
            let entry = audit::Entry {
                at: at.now,
                actor: actor.clone(),
                action: "gift_programme.changed".to_owned(),
                about: of.merchant.id.to_string(),
                details: format!("{programme:?}"),
            };
            Ok(audit::insert(tx, &at, owner, &entry)?)
        })
        .await
}

fn web_address(text: &str) -> Result<(), String> {
    let known = url::Url::parse(text).is_ok_and(|url| {
        let plain = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && url.has_host() && plain
    });
    match known && text.len() <= RETURN_URL_MAX {
        true => Ok(()),
        false => Err(format!("return-url: {text:?} is no http or https address")),
    }
}

/// Writes down what somebody, or a rule in their place, did to a card.
pub(super) fn audited(
    tx: &mut Tx<'_>,
    at: &Moment,
    card: &GiftCard,
    (action, note): (&str, &Note),
) -> Result<(), Fault> {
    let entry = audit::Entry {
        at: at.now,
        actor: note.by.clone(),
        action: action.to_owned(),
        about: card.head.id.to_string(),
        details: note.reason.clone(),
    };
    audit::insert(tx, at, (&card.head.merchant, card.head.mode), &entry)
}

/// Issues cards, all of them or none.
pub async fn issue(app: &App, of: &Caller, orders: Vec<Order>) -> Result<Vec<Issued>, Failure> {
    let (at, hashing, of) = (app.moment(), app.vault.hashing().clone(), of.clone());
    app.store
        .write("issue_gift_cards", move |tx| {
            let programme = table::programme(tx, &of.merchant.id, of.mode)?.unwrap_or_default();
            let mut issued = Vec::with_capacity(orders.len());
            for (number, order) in orders.iter().enumerate() {
                let press = Press {
                    at: at.branch(&format!("gift card {number}")),
                    hashing: &hashing,
                    programme: &programme,
                    of: &of,
                };
                issued.push(press.issue(tx, order)?);
            }
            Ok(issued)
        })
        .await
}

/// What makes cards.
pub(super) struct Press<'a> {
    pub(super) at: Moment,
    pub(super) hashing: &'a Hashing,
    pub(super) programme: &'a Programme,
    pub(super) of: &'a Caller,
}

impl Press<'_> {
    fn issue(&self, tx: &mut Tx<'_>, order: &Order) -> Result<Issued, Failure> {
        let validity = self.validity(order).map_err(Refusal::Unreadable)?;
        if let Some(entry) = &order.entry {
            return match self.insert(tx, order, &validity, entry)? {
                Some(card) => Ok(Issued {
                    card,
                    entry: entry.clone(),
                }),
                None => refused(Refusal::KeyReused),
            };
        }
        for number in 0..NUMBERS_TRIED {
            let entry = self.programme.make(&self.at, &number.to_string());
            if let Some(card) = self.insert(tx, order, &validity, &entry)? {
                return Ok(Issued { card, entry });
            }
        }
        Err(Fault("the numbers of a gift-card programme are used up".to_owned()).into())
    }

    /// Saves a card; none if its number is taken.
    pub(super) fn insert(
        &self,
        tx: &mut Tx<'_>,
        order: &Order,
        validity: &Validity,
        entry: &CardEntry,
    ) -> Result<Option<GiftCard>, Failure> {
        let head = CardHead {
            id: CardId::mint(&self.at, "gift card"),
            merchant: self.of.merchant.id.clone(),
            mode: self.of.mode,
            last5: entry.last5(),
            vendors: order.vendors.clone(),
            created: self.at.now,
        };
        let new = NewCard {
            head,
            amount: order.amount,
            validity: validity.clone(),
            active: order.active,
        };
        let decision = GiftCard::issue(new, order.note.clone())?;
        let none = Secret::new(String::new());
        let cvc = entry.cvc.as_ref().unwrap_or(&none);
        let hashes = guessing::hashes(self.hashing, &entry.number, cvc);
        if !table::insert(tx, &decision, &hashes)? {
            return Ok(None);
        }
        ledger::post_card(tx, &decision.card, &decision.journal, self.at.now)?;
        Ok(Some(decision.card))
    }
}

/// Saves a decision about a card that no payment is part of.
pub(super) fn save(
    tx: &mut Tx<'_>,
    now: Timestamp,
    decision: &CardDecision,
) -> Result<(), Failure> {
    table::update(tx, decision)?;
    ledger::post_card(tx, &decision.card, &decision.journal, now)?;
    Ok(())
}

/// Saves a decision about a card and the payment that moves its money: both, their history, the
/// transfers and the event. `read` is the version of the payment that was read.
pub(super) fn save_with_payment(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    decision: &CardDecision,
    read: i64,
) -> Result<(), Failure> {
    save(tx, at.now, decision)?;
    let Some(Decision {
        payment,
        journal,
        fact,
    }) = decision.payment.as_deref()
    else {
        return Err(Fault("a gift card's payment is missing".to_owned()).into());
    };
    payments::update(tx, payment, read)?;
    ledger::post(tx, payment, journal, at.now)?;
    record(tx, at, *fact, bill, Some(payment))?;
    Ok(())
}

/// The card with our id.
pub(super) fn card(tx: &mut Tx<'_>, id: &CardId) -> Result<GiftCard, Fault> {
    table::by_id(tx, id)?.ok_or_else(|| Fault("a payment of a missing gift card".to_owned()))
}

/// Until when a card is good again to which money comes back.
pub(super) fn renewed(
    tx: &mut Tx<'_>,
    card: &GiftCard,
    now: Timestamp,
) -> Result<Validity, Failure> {
    let programme = table::programme(tx, &card.head.merchant, card.head.mode)?.unwrap_or_default();
    Ok(validity::days(&programme, now, RENEWED_DAYS).map_err(Refusal::Unreadable)?)
}

/// Cards of a merchant by number, by the last five digits, or by our id.
pub async fn find(app: &App, of: &Caller, name: &str) -> Result<Vec<GiftCard>, Failure> {
    let (of, name) = (of.clone(), name.trim().to_owned());
    let number = domain::programme::number_digits(&name).map(Secret::new);
    let hash = number.map(|number| guessing::number_hash(app.vault.hashing(), &number));
    app.store
        .read("find_gift_cards", move |tx| {
            let found = match (&hash, CardId::parse(&name)) {
                (Some(hash), _) => {
                    let kept = table::by_number(tx, hash, of.mode)?;
                    kept.map(|kept| kept.card).into_iter().collect()
                }
                (None, Ok(id)) => table::by_id(tx, &id)?.into_iter().collect(),
                (None, Err(_)) => table::by_last5(tx, &of.merchant.id, of.mode, &name, SWEEP_MAX)?,
            };
            let own =
                |card: &GiftCard| card.head.merchant == of.merchant.id && card.head.mode == of.mode;
            Ok(found.into_iter().filter(own).collect())
        })
        .await
}

/// The history of a card, newest first.
pub async fn history(app: &App, card: &CardId) -> Result<Vec<Activity>, Failure> {
    let card = card.clone();
    app.store
        .read("gift_card_history", move |tx| {
            Ok(table::activities(tx, &card, ACTIVITIES_SHOWN_MAX)?)
        })
        .await
}

/// Changes a card.
pub async fn change(
    app: &App,
    card: &CardId,
    change: Change,
    note: Note,
) -> Result<GiftCard, Failure> {
    let (at, id) = (app.moment(), card.clone());
    app.store
        .write("change_gift_card", move |tx| {
            let (card, now, own) = (self::card(tx, &id)?, at.now, note.clone());
            let (action, decision) = match &change {
                Change::Activate => ("gift_card.activated", card.activate(now, own)),
                Change::Block => ("gift_card.blocked", card.block(now, own)),
                Change::Unblock => ("gift_card.unblocked", card.unblock(now, own)),
                Change::TopUp(amount) => ("gift_card.topped_up", card.top_up(*amount, now, own)),
            };
            let decision = decision?;
            save(tx, now, &decision)?;
            audited(tx, &at, &decision.card, (action, &note))?;
            if matches!(change, Change::Unblock)
                && let Some(hash) = table::number_hash(tx, &id)?
            {
                let key = guessing::key_in(decision.card.head.mode, &hash);
                guesses::put(tx, Scope::Card, &key, &Meter::new(at.now))?;
            }
            Ok(decision.card)
        })
        .await
}

/// Posts what is left on cards whose time is over; how many there were.
pub async fn expire_due(app: &App) -> Result<usize, Failure> {
    let now = app.clock.now();
    let due = app
        .store
        .read("due_gift_cards", move |tx| {
            Ok(table::due(tx, now, SWEEP_MAX)?)
        })
        .await?;
    let count = due.len();
    for card in due {
        let id = card.head.id;
        app.store
            .write("expire_gift_card", move |tx| {
                let card = self::card(tx, &id)?;
                if card.is_due(now) {
                    let note = Note::new("time", "its last day is over");
                    save(tx, now, &card.expire(now, note)?)?;
                }
                Ok(())
            })
            .await?;
    }
    Ok(count)
}

/// Forgets wrong tries of more than a day ago.
pub async fn forget_guesses(app: &App) -> Result<(), Failure> {
    // Two days: what counts by the day may have begun late on the first.
    let before = app
        .clock
        .now()
        .minus(domain::Span::from_minutes(2 * 24 * 60));
    let old = app
        .store
        .read("old_guesses", move |tx| Ok(guesses::are_older(tx, before)?))
        .await?;
    if old {
        app.store
            .write("forget_guesses", move |tx| {
                Ok(guesses::forget(tx, before, SWEEP_MAX)?)
            })
            .await?;
    }
    Ok(())
}

/// What is on a card, for a client that knows only its number. A card that the client cannot use
/// and one that does not exist are the same; asking for those is counted.
pub async fn balance(app: &App, caller: &Caller, number: &Secret) -> Result<Reply, Failure> {
    let at = app.moment();
    let watch = Watch::of_client(app);
    let hash = guessing::number_hash(app.vault.hashing(), number);
    let caller = caller.clone();
    let found = app
        .store
        .read("gift_card_balance", {
            let (at, watch, caller) = (at.clone(), watch.clone(), caller.clone());
            move |tx| {
                guessing::admit(tx, &at, &caller, &watch)?;
                balance_in(tx, &caller.merchant.id, caller.mode, &hash, at.now)
            }
        })
        .await?;
    if let Some(balance) = found {
        return Ok(Reply::CardBalance(balance));
    }
    app.store
        .write("count_guess", move |tx| {
            Ok(guessing::count_client(tx, &at, &caller, &watch)?)
        })
        .await?;
    Ok(Reply::CardBalance(CardBalance::default()))
}

fn balance_in(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    mode: Mode,
    hash: &str,
    now: Timestamp,
) -> Result<Option<CardBalance>, Failure> {
    let Some(kept) = table::by_number(tx, hash, mode)? else {
        return Ok(None);
    };
    let card = kept.card;
    // In which shop it will be used nobody knows yet.
    let own = card.head.merchant == *merchant && card.alive(now).is_ok();
    if !own || card.available().is_zero() {
        return Ok(None);
    }
    let lines = table::activities(tx, &card.head.id, ACTIVITIES_SHOWN_MAX)?
        .into_iter()
        .filter(|line| line.deed.sign() != Sign::Same && !line.amount.is_zero())
        .map(|line| CardLine {
            at: line.at,
            deed: line.deed,
            amount: line.amount,
        });
    Ok(Some(CardBalance {
        amount: Some(card.available()),
        lines: lines.collect(),
    }))
}
