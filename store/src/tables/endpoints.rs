//! Endpoints for webhooks and their sealed secrets.

use domain::endpoint::{EndpointHead, Health, Pause};
use domain::{Endpoint, EndpointId, EndpointState, MerchantId, Mode, Timestamp, Topics, WireId};

use super::{changed_once, json, mode, to_json};
use crate::sql::{Row, Value};
use crate::{Fault, Tx};

macro_rules! columns {
    () => {
        "id, scheme, wire_id, merchant, mode, url, topics, label, extras, state, state_at, why, \
         failures, failing_since, warned_at, version, created_at"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO endpoints (",
    columns!(),
    ", emptied) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
     ?17, 0)"
);
const UPDATE: &str = "UPDATE endpoints SET url = ?3, topics = ?4, label = ?5, extras = ?6, \
    state = ?7, state_at = ?8, why = ?9, failures = ?10, failing_since = ?11, warned_at = ?12, \
    version = ?13 WHERE id = ?1 AND version = ?2";
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM endpoints WHERE id = ?1");
const BY_WIRE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM endpoints WHERE scheme = ?1 AND wire_id = ?2"
);
const OF_MERCHANT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM endpoints WHERE merchant = ?1 AND mode = ?2 AND state <> 'removed' ORDER BY id"
);
const ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM endpoints WHERE state <> 'removed' ORDER BY id LIMIT ?1"
);
const TO_EMPTY: &str = "SELECT id FROM endpoints WHERE state = 'removed' AND emptied = 0 \
    ORDER BY id LIMIT 1";
const FAILING: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM endpoints WHERE scheme = ?1 AND state = 'active' AND failing_since IS NOT NULL \
     AND id > ?2 ORDER BY id LIMIT ?3"
);
const REMOVED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM endpoints WHERE merchant = ?1 AND mode = ?2 AND state = 'removed' \
     ORDER BY state_at DESC, id DESC LIMIT ?3"
);
const FILL: &str = "UPDATE endpoints SET emptied = 0 WHERE id = ?1 AND emptied = 1";
const EMPTIED: &str = "UPDATE endpoints SET emptied = 1 WHERE id = ?1";
const PUT_SECRET: &str = "INSERT INTO endpoint_secrets (endpoint, number, sealed, created_at) \
    SELECT CAST(?1 AS TEXT), COALESCE(MAX(number), 0) + 1, CAST(?2 AS TEXT), CAST(?3 AS BIGINT) \
    FROM endpoint_secrets WHERE endpoint = ?1";
const END_SECRETS: &str = "UPDATE endpoint_secrets SET ends_at = ?2 \
    WHERE endpoint = ?1 AND (ends_at IS NULL OR ends_at > ?2)";
const SECRETS: &str = "SELECT number, sealed, ends_at FROM endpoint_secrets WHERE endpoint = ?1 \
    AND (ends_at IS NULL OR ends_at > ?2) ORDER BY number DESC";

/// See [`super::statements`].
pub const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    BY_ID,
    BY_WIRE,
    OF_MERCHANT,
    ALL,
    TO_EMPTY,
    FAILING,
    REMOVED,
    FILL,
    EMPTIED,
    PUT_SECRET,
    END_SECRETS,
    SECRETS,
];

/// A sealed secret of an endpoint.
#[derive(Clone, Debug)]
pub struct SealedSecret {
    /// Its number, from 1; the highest is the newest.
    pub number: i64,
    /// The secret, sealed.
    pub sealed: String,
    /// Until when it is valid, if it is being replaced.
    pub ends: Option<Timestamp>,
}

/// Saves a new endpoint.
pub fn insert(tx: &mut Tx<'_>, endpoint: &Endpoint) -> Result<(), Fault> {
    let head = &endpoint.head;
    let (state, at, why) = state_columns(endpoint.state);
    let args: [Value; 17] = [
        head.id.as_str().into(),
        head.scheme.as_str().into(),
        head.wire.as_str().into(),
        head.merchant.as_str().into(),
        head.mode.as_str().into(),
        endpoint.url.as_str().into(),
        to_json(&endpoint.topics)?.into(),
        endpoint.label.clone().into(),
        to_json(&endpoint.extras)?.into(),
        state.into(),
        at.into(),
        why.into(),
        endpoint.health.failures.into(),
        endpoint.health.failing_since.into(),
        endpoint.health.warned.into(),
        endpoint.version.into(),
        head.created.into(),
    ];
    tx.exec(INSERT, &args).map(|_| ())
}

/// Saves a changed endpoint over the version that was read.
pub fn update(tx: &mut Tx<'_>, endpoint: &Endpoint, read_version: i64) -> Result<(), Fault> {
    let (state, at, why) = state_columns(endpoint.state);
    let args: [Value; 13] = [
        endpoint.head.id.as_str().into(),
        read_version.into(),
        endpoint.url.as_str().into(),
        to_json(&endpoint.topics)?.into(),
        endpoint.label.clone().into(),
        to_json(&endpoint.extras)?.into(),
        state.into(),
        at.into(),
        why.into(),
        endpoint.health.failures.into(),
        endpoint.health.failing_since.into(),
        endpoint.health.warned.into(),
        endpoint.version.into(),
    ];
    changed_once(tx.exec(UPDATE, &args)?, "an endpoint")
}

/// The endpoint with this id, removed ones too.
pub fn by_id(tx: &mut Tx<'_>, id: &EndpointId) -> Result<Option<Endpoint>, Fault> {
    tx.one(BY_ID, &[id.as_str().into()])?
        .map(|row| endpoint(&row))
        .transpose()
}

/// The endpoint that a scheme calls so, removed ones too.
pub fn by_wire(tx: &mut Tx<'_>, scheme: &str, wire: &WireId) -> Result<Option<Endpoint>, Fault> {
    tx.one(BY_WIRE, &[scheme.into(), wire.as_str().into()])?
        .map(|row| endpoint(&row))
        .transpose()
}

/// The endpoints of a merchant in one mode, of every scheme, oldest first, without removed ones.
pub fn of_merchant(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    of: Mode,
) -> Result<Vec<Endpoint>, Fault> {
    let args = [merchant.as_str().into(), of.as_str().into()];
    tx.query(OF_MERCHANT, &args)?.iter().map(endpoint).collect()
}

/// The oldest endpoints of every merchant, without removed ones.
pub fn all(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<Endpoint>, Fault> {
    tx.query(ALL, &[limit.into()])?
        .iter()
        .map(endpoint)
        .collect()
}

/// Active endpoints of a scheme that have failed since their last success, in the order of their
/// ids, those behind `after`.
pub fn failing(
    tx: &mut Tx<'_>,
    scheme: &str,
    after: Option<&EndpointId>,
    limit: u32,
) -> Result<Vec<Endpoint>, Fault> {
    let after = after.map_or("", EndpointId::as_str);
    let args = [scheme.into(), after.into(), limit.into()];
    tx.query(FAILING, &args)?.iter().map(endpoint).collect()
}

/// The endpoints of a merchant in one mode that were removed, the last one first.
pub fn removed(
    tx: &mut Tx<'_>,
    merchant: &MerchantId,
    of: Mode,
    limit: u32,
) -> Result<Vec<Endpoint>, Fault> {
    let args = [merchant.as_str().into(), of.as_str().into(), limit.into()];
    tx.query(REMOVED, &args)?.iter().map(endpoint).collect()
}

/// Saves an endpoint whose removal is taken back, over the version that was read.
pub fn restore(tx: &mut Tx<'_>, endpoint: &Endpoint, read_version: i64) -> Result<(), Fault> {
    tx.exec(FILL, &[endpoint.head.id.as_str().into()])?;
    update(tx, endpoint, read_version)
}

/// A removed endpoint that may still have deliveries waiting.
pub fn to_empty(tx: &mut Tx<'_>) -> Result<Option<EndpointId>, Fault> {
    tx.one(TO_EMPTY, &[])?
        .map(|row| row.read(0, EndpointId::parse))
        .transpose()
}

/// Nothing waits for this removed endpoint any more.
pub fn emptied(tx: &mut Tx<'_>, id: &EndpointId) -> Result<(), Fault> {
    tx.exec(EMPTIED, &[id.as_str().into()]).map(|_| ())
}

/// Adds a secret, the newest from now on. Older ones end at `old_end`.
pub fn put_secret(
    tx: &mut Tx<'_>,
    id: &EndpointId,
    sealed: &str,
    now: Timestamp,
    old_end: Timestamp,
) -> Result<(), Fault> {
    tx.exec(END_SECRETS, &[id.as_str().into(), old_end.into()])?;
    let args = [id.as_str().into(), sealed.into(), now.into()];
    tx.exec(PUT_SECRET, &args).map(|_| ())
}

/// The secrets that are valid, newest first.
pub fn secrets(
    tx: &mut Tx<'_>,
    id: &EndpointId,
    now: Timestamp,
) -> Result<Vec<SealedSecret>, Fault> {
    let rows = tx.query(SECRETS, &[id.as_str().into(), now.into()])?;
    rows.iter()
        .map(|row| {
            Ok(SealedSecret {
                number: row.int(0)?,
                sealed: row.text(1)?.to_owned(),
                ends: row.time_or_null(2)?,
            })
        })
        .collect()
}

fn state_columns(state: EndpointState) -> (&'static str, Option<Timestamp>, Option<&'static str>) {
    match state {
        EndpointState::Active => ("active", None, None),
        EndpointState::Paused { at, why } => ("paused", Some(at), Some(why.as_str())),
        EndpointState::Removed { at } => ("removed", Some(at), None),
    }
}

fn endpoint(row: &Row) -> Result<Endpoint, Fault> {
    let head = EndpointHead {
        id: row.read(0, EndpointId::parse)?,
        scheme: row.text(1)?.to_owned(),
        wire: row.read(2, |text| WireId::new(text))?,
        merchant: row.read(3, MerchantId::parse)?,
        mode: mode(row, 4)?,
        created: row.time(16)?,
    };
    let state = match (row.text(9)?, row.time_or_null(10)?) {
        ("active", None) => EndpointState::Active,
        ("paused", Some(at)) => EndpointState::Paused {
            at,
            why: row.read(11, |text| Pause::parse(text).ok_or("no reason"))?,
        },
        ("removed", Some(at)) => EndpointState::Removed { at },
        (other, _) => return Err(Fault(format!("an endpoint in state {other}"))),
    };
    Ok(Endpoint {
        head,
        url: row.text(5)?.to_owned(),
        topics: row.read(6, json::<Topics>)?,
        label: row.text_or_null(7)?.map(str::to_owned),
        extras: row.read(8, json)?,
        state,
        health: Health {
            failures: u32::try_from(row.int(12)?).unwrap_or(u32::MAX),
            failing_since: row.time_or_null(13)?,
            warned: row.time_or_null(14)?,
        },
        version: row.int(15)?,
    })
}
