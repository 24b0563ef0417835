//! Lists of deliveries and of their attempts, each bounded.

use domain::{DeliveryId, EndpointId, MerchantId, Mode, Timestamp};

use super::{Delivery, Try, delivery};
use crate::sql::Value;
use crate::{Fault, Tx};

pub(super) const ATTEMPTS: &str = "SELECT number, at, took_ms, status, error, request_headers, \
    request_body, response_headers, response_body FROM delivery_attempts \
    WHERE delivery = ?1 ORDER BY number";
pub(super) const ABOUT: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.about = ?1 ORDER BY d.id LIMIT ?2"
);
pub(super) const NEWEST: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.merchant = ?1 AND d.mode = ?2 AND d.id < ?3 ORDER BY d.id DESC LIMIT ?4"
);
/// Those that were delivered are most of all: the newest are soon found among the newest.
pub(super) const NEWEST_IN: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.merchant = ?1 AND d.mode = ?2 AND d.id < ?3 AND d.state = ?5 \
     ORDER BY d.id DESC LIMIT ?4"
);
/// These two go by indexes of their own, because the word stands in the statement: a merchant with
/// millions delivered may have none of them.
pub(super) const NEWEST_PENDING: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.merchant = ?1 AND d.mode = ?2 AND d.id < ?3 AND d.state = 'pending' \
     ORDER BY d.id DESC LIMIT ?4"
);
pub(super) const NEWEST_FAILED: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.merchant = ?1 AND d.mode = ?2 AND d.id < ?3 AND d.state = 'failed' \
     ORDER BY d.id DESC LIMIT ?4"
);
/// The same of one endpoint. The empty text keeps the index of all that went there out of it.
pub(super) const OF_ENDPOINT_PENDING: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.merchant = ?1 AND d.mode = ?2 AND d.id < ?3 AND d.state = 'pending' \
     AND d.endpoint || '' = ?5 ORDER BY d.id DESC LIMIT ?4"
);
pub(super) const OF_ENDPOINT_FAILED: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.merchant = ?1 AND d.mode = ?2 AND d.id < ?3 AND d.state = 'failed' \
     AND d.endpoint || '' = ?5 ORDER BY d.id DESC LIMIT ?4"
);
pub(super) const OF_ENDPOINT: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.endpoint = ?1 AND d.id < ?2 ORDER BY d.id DESC LIMIT ?3"
);
pub(super) const OF_ENDPOINT_IN: &str = concat!(
    "SELECT ",
    columns!(),
    " WHERE d.endpoint = ?1 AND d.id < ?2 AND d.state = ?4 ORDER BY d.id DESC LIMIT ?3"
);
/// Ids are in the order of time, so that only the range itself is read.
pub(super) const OF_ENDPOINT_FROM: &str = "SELECT id, created_at, place FROM deliveries \
    WHERE endpoint = ?1 AND id > ?2 AND id < ?3 AND created_at >= ?4 AND created_at < ?5 \
    AND state IN ('delivered', 'failed') AND (state = 'failed' OR ?6 = 1) ORDER BY id LIMIT ?7";
pub(super) const WAITING: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM deliveries \
    WHERE state = 'pending' AND next_at IS NOT NULL LIMIT ?1) AS waiting";
pub(super) const LEASED: &str = "SELECT id FROM deliveries WHERE lease IS NOT NULL LIMIT 1";

/// Which deliveries a list shows, newest first.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Whose.
    pub merchant: MerchantId,
    /// Test or live.
    pub mode: Mode,
    /// Only those to this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only those in this state: `pending`, `delivered` or `failed`.
    pub state: Option<String>,
    /// Only those older than this one.
    pub before: Option<DeliveryId>,
    /// How many.
    pub limit: u32,
}

/// The attempts of a delivery, in order.
pub fn attempts(tx: &mut Tx<'_>, id: &DeliveryId) -> Result<Vec<Try>, Fault> {
    let rows = tx.query(ATTEMPTS, &[id.as_str().into()])?;
    rows.iter()
        .map(|row| {
            Ok(Try {
                number: u32::try_from(row.int(0)?).unwrap_or(u32::MAX),
                at: row.time(1)?,
                took_ms: row.int(2)?,
                status: row
                    .int_or_null(3)?
                    .and_then(|status| u16::try_from(status).ok()),
                error: row.text_or_null(4)?.map(str::to_owned),
                request_headers: row.text(5)?.to_owned(),
                request_body: row.text(6)?.to_owned(),
                response_headers: row.text(7)?.to_owned(),
                response_body: row.text(8)?.to_owned(),
            })
        })
        .collect()
}

/// The deliveries about an object, in order.
pub fn about(tx: &mut Tx<'_>, object: &str, limit: u32) -> Result<Vec<Delivery>, Fault> {
    tx.query(ABOUT, &[object.into(), limit.into()])?
        .iter()
        .map(delivery)
        .collect()
}

/// The newest deliveries of a merchant, of an endpoint, in a state.
pub fn newest(tx: &mut Tx<'_>, filter: &Filter) -> Result<Vec<Delivery>, Fault> {
    // Above every id: the alphabet of ids ends at `z`.
    let before = filter.before.as_ref().map_or("dlv_z", DeliveryId::as_str);
    let (before, limit) = (Value::from(before), Value::from(filter.limit));
    let (merchant, mode) = (filter.merchant.as_str().into(), filter.mode.as_str().into());
    let rows = match (&filter.endpoint, filter.state.as_deref()) {
        (None, None) => tx.query(NEWEST, &[merchant, mode, before, limit])?,
        (None, Some("pending")) => tx.query(NEWEST_PENDING, &[merchant, mode, before, limit])?,
        (None, Some("failed")) => tx.query(NEWEST_FAILED, &[merchant, mode, before, limit])?,
        (None, Some(state)) => {
            let args = [merchant, mode, before, limit, state.into()];
            tx.query(NEWEST_IN, &args)?
        }
        (Some(endpoint), None) => {
            tx.query(OF_ENDPOINT, &[endpoint.as_str().into(), before, limit])?
        }
        (Some(endpoint), Some("pending")) => {
            let args = [merchant, mode, before, limit, endpoint.as_str().into()];
            tx.query(OF_ENDPOINT_PENDING, &args)?
        }
        (Some(endpoint), Some("failed")) => {
            let args = [merchant, mode, before, limit, endpoint.as_str().into()];
            tx.query(OF_ENDPOINT_FAILED, &args)?
        }
        (Some(endpoint), Some(state)) => {
            let args = [endpoint.as_str().into(), before, limit, state.into()];
            tx.query(OF_ENDPOINT_IN, &args)?
        }
    };
    rows.iter().map(delivery).collect()
}

/// Deliveries to an endpoint that are over and were written in a time range, oldest first.
#[derive(Clone, Debug)]
pub struct Range {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// From this time on.
    pub from: Timestamp,
    /// Until before this time.
    pub until: Timestamp,
    /// Delivered ones too, or only failed ones?
    pub delivered_too: bool,
}

/// A batch of a range, after the last id of the one before it: about `limit` of them, in the order
/// of their lines. What was written in one millisecond is not torn apart, unless it is more than a
/// batch.
pub fn in_range(
    tx: &mut Tx<'_>,
    range: &Range,
    after: Option<&DeliveryId>,
    limit: u32,
) -> Result<Vec<DeliveryId>, Fault> {
    let from = DeliveryId::floor(range.from);
    let after = after.map_or(from.as_str(), |last| last.as_str().max(&from));
    let args = [
        range.endpoint.as_str().into(),
        after.into(),
        DeliveryId::floor(range.until).into(),
        range.from.into(),
        range.until.into(),
        range.delivered_too.into(),
        limit.saturating_add(1).into(),
    ];
    let mut found = Vec::new();
    for row in &tx.query(OF_ENDPOINT_FROM, &args)? {
        found.push((row.time(1)?, row.int(2)?, row.read(0, DeliveryId::parse)?));
    }
    if found.len() > limit as usize
        && let Some((next, ..)) = found.pop()
        && found.first().is_some_and(|(first, ..)| *first < next)
    {
        found.retain(|(created, ..)| *created < next);
    }
    found.sort();
    Ok(found.into_iter().map(|(.., id)| id).collect())
}

/// How many deliveries are due now or later, counted up to a limit.
pub fn waiting(tx: &mut Tx<'_>, limit: u32) -> Result<i64, Fault> {
    tx.one(WAITING, &[limit.into()])?
        .map_or(Ok(0), |row| row.int(0))
}

/// Is anything under way, on whatever node?
pub fn are_leased(tx: &mut Tx<'_>) -> Result<bool, Fault> {
    Ok(tx.one(LEASED, &[])?.is_some())
}
