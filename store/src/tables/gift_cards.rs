//! Gift cards, their history, and how merchants run them.
//!
//! A number and a code are never here: only their keyed hashes, which the gateway makes.

use domain::gift_card::{Activity, CardHead, CardState, Deed, Note, Validity, Worth};
use domain::{
    CardDecision, CardId, Currency, GiftCard, MerchantId, Mode, Money, PaymentId, Programme,
    Timestamp,
};

use super::{changed_once, json, mode, to_json};
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

macro_rules! columns {
    () => {
        "id, merchant, mode, last5, vendors, currency, last_day, ends_at, state, balance, held, \
         version, created_at, cvc_hash, successor"
    };
}

const INSERT: &str = "INSERT INTO gift_cards (id, merchant, mode, last5, vendors, currency, \
    last_day, ends_at, state, balance, held, version, created_at, cvc_hash, number_hash) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
    ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE gift_cards SET last_day = ?2, ends_at = ?3, state = ?4, \
    balance = ?5, held = ?6, version = ?7, successor = ?8 WHERE id = ?1 AND version = ?7 - 1";
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM gift_cards WHERE id = ?1");
const BY_NUMBER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM gift_cards WHERE number_hash = ?1 AND mode = ?2"
);
const NUMBER_TAKEN: &str = "SELECT 1 FROM gift_cards WHERE number_hash = ?1";
const NUMBER_HASH: &str = "SELECT number_hash FROM gift_cards WHERE id = ?1";
/// The empty text keeps the index of all cards of a merchant, which is in this order, out of it.
const BY_LAST5: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM gift_cards WHERE merchant = ?1 AND mode = ?2 AND last5 = ?3 \
     ORDER BY id || '' LIMIT ?4"
);
const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM gift_cards WHERE ends_at <= ?1 AND state NOT IN ('expired', 'closed') \
     ORDER BY ends_at, id LIMIT ?2"
);
const NEXT_DUE: &str = "SELECT ends_at FROM gift_cards WHERE state NOT IN ('expired', 'closed') \
    AND ends_at > ?1 ORDER BY ends_at LIMIT 1";
const LEFT_OVER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM gift_cards WHERE state = 'expired' AND balance > held AND ends_at <= ?1 \
     ORDER BY id LIMIT ?2"
);
const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM gift_cards WHERE id > ?1 ORDER BY id LIMIT ?2"
);
const OF_MERCHANT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM gift_cards WHERE merchant = ?1 AND mode = ?2 AND id > ?3 ORDER BY id LIMIT ?4"
);
const INSERT_ACTIVITY: &str = "INSERT INTO gift_card_activities \
    (card, place, at, deed, amount, balance, held, payment, actor, reason) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const ACTIVITIES: &str = "SELECT a.place, a.at, a.deed, a.amount, a.balance, a.held, a.payment, \
    a.actor, a.reason, c.currency FROM gift_card_activities a JOIN gift_cards c ON c.id = a.card \
    WHERE a.card = ?1 ORDER BY a.place DESC LIMIT ?2";
const FIRST_ACTIVITY: &str = "SELECT a.place, a.at, a.deed, a.amount, a.balance, a.held, \
    a.payment, a.actor, a.reason, c.currency FROM gift_card_activities a \
    JOIN gift_cards c ON c.id = a.card WHERE a.card = ?1 AND a.place = 1";
const PUT_PROGRAMME: &str = "INSERT INTO gift_programmes (merchant, mode, settings) \
    VALUES (?1, ?2, ?3) ON CONFLICT (merchant, mode) DO UPDATE SET settings = excluded.settings";
const PROGRAMME: &str = "SELECT settings FROM gift_programmes WHERE merchant = ?1 AND mode = ?2";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    BY_ID,
    BY_NUMBER,
    NUMBER_TAKEN,
    NUMBER_HASH,
    BY_LAST5,
    DUE,
    NEXT_DUE,
    LEFT_OVER,
    PAGE,
    OF_MERCHANT,
    INSERT_ACTIVITY,
    ACTIVITIES,
    FIRST_ACTIVITY,
    PUT_PROGRAMME,
    PROGRAMME,
];

/// What is kept of a card's number and code: keyed hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// Of the number; finds the card.
    pub number: String,
    /// Of the code, together with the number.
    pub cvc: String,
}

/// A card with the hash of its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The card.
    pub card: GiftCard,
    /// The hash to compare with.
    pub cvc_hash: String,
}

/// Saves a new card and its first activity; `false` if its number is taken.
pub fn insert(tx: &mut Tx<'_>, decision: &CardDecision, hashes: &Hashes) -> Result<bool, Fault> {
    let card = &decision.card;
    let head = &card.head;
    let args: [Value; 15] = [
        head.id.as_str().into(),
        head.merchant.as_str().into(),
        head.mode.as_str().into(),
        head.last5.as_str().into(),
        to_json(&head.vendors)?.into(),
        card.balance().currency().code().into(),
        card.validity.last_day.as_str().into(),
        card.validity.ends.into(),
        card.state().as_str().into(),
        card.balance().minor().into(),
        card.held().minor().into(),
        card.version.into(),
        head.created.into(),
        hashes.cvc.as_str().into(),
        hashes.number.as_str().into(),
    ];
    if tx.exec(INSERT, &args)? == 0 {
        return Ok(false);
    }
    insert_activity(tx, &head.id, &decision.activity)?;
    Ok(true)
}

/// Saves a changed card and its activity; it must be exactly one version newer than the stored
/// one.
pub fn update(tx: &mut Tx<'_>, decision: &CardDecision) -> Result<(), Fault> {
    let card = &decision.card;
    let args: [Value; 8] = [
        card.head.id.as_str().into(),
        card.validity.last_day.as_str().into(),
        card.validity.ends.into(),
        card.state().as_str().into(),
        card.balance().minor().into(),
        card.held().minor().into(),
        card.version.into(),
        card.successor().map(CardId::as_str).into(),
    ];
    changed_once(tx.exec(UPDATE, &args)?, "the gift card")?;
    insert_activity(tx, &card.head.id, &decision.activity)
}

fn insert_activity(tx: &mut Tx<'_>, card: &CardId, activity: &Activity) -> Result<(), Fault> {
    let args: [Value; 10] = [
        card.as_str().into(),
        activity.place.into(),
        activity.at.into(),
        activity.deed.as_str().into(),
        activity.amount.minor().into(),
        activity.balance.minor().into(),
        activity.held.minor().into(),
        activity.payment.as_ref().map(PaymentId::as_str).into(),
        activity.note.by.as_str().into(),
        activity.note.reason.as_str().into(),
    ];
    tx.exec(INSERT_ACTIVITY, &args).map(|_| ())
}

/// The card with our id.
pub fn by_id(tx: &mut Tx<'_>, id: &CardId) -> Result<Option<GiftCard>, Fault> {
    let row = tx.one(BY_ID, &[id.as_str().into()])?;
    row.map(|row| card(&row)).transpose()
}

/// The card whose number has this hash.
pub fn by_number(tx: &mut Tx<'_>, hash: &str, mode: Mode) -> Result<Option<Kept>, Fault> {
    let row = tx.one(BY_NUMBER, &[hash.into(), mode.as_str().into()])?;
    row.map(|row| {
        Ok(Kept {
            card: card(&row)?,
            cvc_hash: row.text(13)?.to_owned(),
        })
    })
    .transpose()
}

/// Has any card, of whatever merchant and mode, the number with this hash?
pub fn number_is_taken(tx: &mut Tx<'_>, hash: &str) -> Result<bool, Fault> {
    Ok(tx.one(NUMBER_TAKEN, &[hash.into()])?.is_some())
}

/// The hash of a card's number, under which tries at it are counted.
pub fn number_hash(tx: &mut Tx<'_>, id: &CardId) -> Result<Option<String>, Fault> {
    let row = tx.one(NUMBER_HASH, &[id.as_str().into()])?;
    row.map(|row| Ok(row.text(0)?.to_owned())).transpose()
}

/// Cards of a merchant whose numbers end in these five digits.
pub fn by_last5(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    mode: Mode,
    last5: &str,
    limit: u32,
) -> Result<Vec<GiftCard>, Fault> {
    let args = [
        merchant.as_str().into(),
        mode.as_str().into(),
        last5.into(),
        limit.into(),
    ];
    tx.query(BY_LAST5, &args)?.iter().map(card).collect()
}

/// Cards whose time is over and that were not posted as expired, oldest first; then expired ones
/// to which held money came back.
pub fn due(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Vec<GiftCard>, Fault> {
    let args = [now.into(), limit.into()];
    let mut rows = tx.query(DUE, &args)?;
    rows.extend(tx.query(LEFT_OVER, &args)?);
    rows.iter().map(card).collect()
}

/// When the next card's time is over, later than `after`.
pub fn next_due(tx: &mut Tx<'_>, after: Timestamp) -> Result<Option<Timestamp>, Fault> {
    let row = tx.one(NEXT_DUE, &[after.into()])?;
    row.map(|row| row.time(0)).transpose()
}

/// Cards after an id, for walking through all of them.
pub fn after(tx: &mut Tx<'_>, id: &str, limit: u32) -> Result<Vec<GiftCard>, Fault> {
    tx.query(PAGE, &[id.into(), limit.into()])?
        .iter()
        .map(card)
        .collect()
}

/// A merchant's cards after an id, for walking through all of them.
pub fn of_merchant(
    tx: &mut Tx<'_>,
    (merchant, mode): (&MerchantId, Mode),
    after: &str,
    limit: u32,
) -> Result<Vec<GiftCard>, Fault> {
    let args: [Value; 4] = [
        merchant.as_str().into(),
        mode.as_str().into(),
        after.into(),
        limit.into(),
    ];
    tx.query(OF_MERCHANT, &args)?.iter().map(card).collect()
}

/// How a card was issued.
pub fn first_activity(tx: &mut Tx<'_>, card: &CardId) -> Result<Option<Activity>, Fault> {
    let row = tx.one(FIRST_ACTIVITY, &[card.as_str().into()])?;
    row.map(|row| activity(&row)).transpose()
}

/// The newest activities of a card, newest first.
pub fn activities(tx: &mut Tx<'_>, card: &CardId, limit: u32) -> Result<Vec<Activity>, Fault> {
    tx.query(ACTIVITIES, &[card.as_str().into(), limit.into()])?
        .iter()
        .map(activity)
        .collect()
}

/// Saves how a merchant runs its gift cards.
pub fn put_programme(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    mode: Mode,
    programme: &Programme,
) -> Result<(), Fault> {
    let args = [
        merchant.as_str().into(),
        mode.as_str().into(),
        to_json(programme)?.into(),
    ];
    tx.exec(PUT_PROGRAMME, &args).map(|_| ())
}

/// How a merchant runs its gift cards, if it does.
pub fn programme(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    mode: Mode,
) -> Result<Option<Programme>, Fault> {
    let row = tx.one(PROGRAMME, &[merchant.as_str().into(), mode.as_str().into()])?;
    row.map(|row| row.read(0, json)).transpose()
}

fn card(row: &Row) -> Result<GiftCard, Fault> {
    let currency = row.read(5, Currency::parse_exact)?;
    let money = |column| {
        Money::from_minor(row.int(column)?, currency)
            .map_err(|error| Fault(format!("column {column}: {error}")))
    };
    let head = CardHead {
        id: row.read(0, CardId::parse)?,
        merchant: row.read(1, MerchantId::parse)?,
        mode: mode(row, 2)?,
        last5: row.text(3)?.to_owned(),
        vendors: row.read(4, json)?,
        created: row.time(12)?,
    };
    let validity = Validity {
        last_day: row.text(6)?.to_owned(),
        ends: row.time(7)?,
    };
    let state = row.read(8, |text| CardState::parse(text).ok_or("no state of a card"))?;
    let worth = Worth {
        balance: money(9)?,
        held: money(10)?,
    };
    let successor = match row.text_or_null(14)? {
        Some(_) => Some(row.read(14, CardId::parse)?),
        None => None,
    };
    GiftCard::restore(head, validity, (state, successor), worth, row.int(11)?)
        .map_err(|error| Fault(format!("gift card: {error}")))
}

fn activity(row: &Row) -> Result<Activity, Fault> {
    let currency = row.read(9, Currency::parse_exact)?;
    let money = |column| {
        Money::from_minor(row.int(column)?, currency)
            .map_err(|error| Fault(format!("column {column}: {error}")))
    };
    Ok(Activity {
        place: row.int(0)?,
        at: row.time(1)?,
        deed: row.read(2, |text| Deed::parse(text).ok_or("no deed"))?,
        amount: money(3)?,
        balance: money(4)?,
        held: money(5)?,
        payment: match row.text_or_null(6)? {
            Some(_) => Some(row.read(6, PaymentId::parse)?),
            None => None,
        },
        note: Note::new(row.text(7)?, row.text(8)?),
    })
}
