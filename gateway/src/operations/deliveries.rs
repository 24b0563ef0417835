//! Webhook deliveries, for those who look at them, send them again or skip them.

use domain::endpoint::Pause;
use domain::limits::RESENT_AT_ONCE;
use domain::{
    BillId, Caller, DeliveryId, EndpointState, Moment, Object, PaymentId, PayoutId, Refusal,
    Timestamp, WireId,
};
use store::tables::deliveries::{self as table, Delivery, Filter, Range, Try, why};
use store::tables::transactions::{self, About};
use store::tables::{audit, bills, endpoints, payments, reservations};
use store::{Failure, Fault, Tx};

use super::endpoints::Who;
use super::refused;
use crate::app::App;

/// How many of an object's deliveries a list shows.
const SHOWN: u32 = 500;

/// Headers whose values may open something.
const MASKED: [&str; 5] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-api-key",
];

/// The headers of an attempt as they are shown: as they were, but for what opens something
/// elsewhere, such as a session's cookie or an `Authorization` that is no signature.
pub fn headers(stored: &str) -> Vec<(String, String)> {
    // Written by us as JSON; should a row be damaged, the rest is still worth showing.
    let mut pairs: Vec<(String, String)> = serde_json::from_str(stored).unwrap_or_default();
    for (name, value) in &mut pairs {
        let signature = value.starts_with("HMAC-SHA256");
        if MASKED.contains(&name.to_ascii_lowercase().as_str()) && !signature {
            "••••••••".clone_into(value);
        }
    }
    pairs
}

/// A delivery with all its attempts.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The delivery.
    pub delivery: Delivery,
    /// Its attempts, in order.
    pub attempts: Vec<Try>,
    /// Why it is where it is.
    pub standing: Standing,
    /// What the reservation that it is about is called, if it is about one.
    pub names: Option<Names>,
}

/// The names of a reservation, side by side: the one in answers and the one in a webhook differ by
/// design, which puzzles whoever compares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The merchant's reference.
    pub reference: String,
    /// The payment, as every answer calls it.
    pub payment: WireId,
    /// The step, as this webhook calls it.
    pub step: Option<WireId>,
}

impl Seen {
    /// When it is tried next, if it will be by itself.
    pub fn next_attempt(&self) -> Option<Timestamp> {
        self.delivery.next.filter(|_| !self.delivery.paused)
    }

    /// `pending`, `delivered`, `failed` or `paused`.
    pub fn state(&self) -> &str {
        state(&self.delivery)
    }
}

/// `pending`, `delivered`, `failed` or, while it waits for a paused endpoint, `paused`.
pub fn state(delivery: &Delivery) -> &str {
    if delivery.paused && delivery.state == "pending" {
        "paused"
    } else {
        &delivery.state
    }
}

/// Why a delivery is where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The receiver took it.
    Delivered,
    /// It was given up; one of [`why`].
    GivenUp(String),
    /// Its endpoint is paused.
    Paused {
        /// Since when.
        since: Timestamp,
        /// Why.
        why: Pause,
    },
    /// It is being sent right now.
    UnderWay,
    /// It goes out at this time.
    Due(Timestamp),
    /// An earlier delivery of the same subject must go first.
    Behind(DeliveryId),
}

/// The newest deliveries about an object that a filter lets through, in order.
pub async fn list_about(app: &App, object: &str, filter: Filter) -> Result<Vec<Seen>, Failure> {
    let object = object.to_owned();
    app.store
        .read("list_deliveries_about", move |tx| {
            let found = table::about(tx, &object, SHOWN)?;
            let wanted = found.into_iter().rev().filter(|delivery| {
                let before = filter.before.as_ref();
                delivery.new.merchant == filter.merchant
                    && delivery.new.mode == filter.mode
                    && (filter.endpoint.is_none() || filter.endpoint == delivery.new.endpoint)
                    && before.is_none_or(|before| delivery.new.id < *before)
                    && filter
                        .state
                        .as_ref()
                        .is_none_or(|wanted| delivery.state == *wanted || state(delivery) == wanted)
            });
            let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
            let mut newest: Vec<_> = wanted.take(limit).collect();
            newest.reverse();
            let newest = newest.into_iter();
            newest.map(|delivery| seen(tx, delivery)).collect()
        })
        .await
}

/// The deliveries about an object.
pub async fn about(app: &App, caller: &Caller, object: &str) -> Result<Vec<Seen>, Failure> {
    let (caller, object) = (caller.clone(), object.to_owned());
    app.store
        .read("deliveries_about", move |tx| {
            let found = table::about(tx, &object, SHOWN)?;
            let own = found
                .into_iter()
                .filter(|delivery| is_of(delivery, &caller));
            own.map(|delivery| seen(tx, delivery)).collect()
        })
        .await
}

/// Our id of what a person calls a payment or a payout: an id of ours, of its dialect, or the
/// merchant's reference; ids first. Nothing if nobody is called so.
pub async fn object(app: &App, caller: &Caller, name: &str) -> Result<Option<String>, Failure> {
    let Ok(wire) = WireId::new(name) else {
        return Ok(None);
    };
    let (caller, text) = (caller.clone(), name.to_owned());
    app.store
        .read("find_object", move |tx| {
            Ok(search(tx, &caller, &wire, &text)?)
        })
        .await
}

fn search(
    tx: &mut Tx<'_>,
    caller: &Caller,
    wire: &WireId,
    text: &str,
) -> Result<Option<String>, Fault> {
    if BillId::parse(text).is_ok() || PayoutId::parse(text).is_ok() {
        return Ok(Some(text.to_owned()));
    }
    if let Ok(id) = PaymentId::parse(text) {
        let payment = payments::by_id(tx, &id)?;
        return Ok(payment.map(|payment| payment.head.bill.to_string()));
    }
    for dialect in dialects::ALL {
        let dialect = dialect.profile().name;
        let bill = match bills::by_wire(tx, dialect, wire)? {
            Some(bill) => Some(bill.head.id),
            None => payments::by_wire(tx, dialect, wire)?.map(|found| found.head.bill),
        };
        if let Some(id) = bill {
            return Ok(Some(id.to_string()));
        }
        let payout = match transactions::by_wire(tx, dialect, text)? {
            Some(found) => Some(found),
            None => transactions::by_tracking(tx, caller, dialect, text)?,
        };
        if let Some(About::Payout(id)) = payout.map(|found| found.about) {
            return Ok(Some(id.to_string()));
        }
    }
    let bill = bills::by_reference(tx, &caller.merchant.id, caller.mode, text)?;
    Ok(bill.map(|bill| bill.head.id.to_string()))
}

/// The newest deliveries of a merchant, of an endpoint, in a state, with their attempts.
pub async fn list(app: &App, filter: Filter) -> Result<Vec<Seen>, Failure> {
    app.store
        .read("list_deliveries", move |tx| {
            let found = table::newest(tx, &filter)?;
            found
                .into_iter()
                .filter(|delivery| {
                    delivery.new.merchant == filter.merchant && delivery.new.mode == filter.mode
                })
                .map(|delivery| seen(tx, delivery))
                .collect()
        })
        .await
}

/// The newest deliveries that wait for paused endpoints: of one, or of all of the merchant.
pub async fn list_paused(app: &App, filter: Filter) -> Result<Vec<Seen>, Failure> {
    let known = super::endpoints::list(app, &filter.merchant, filter.mode).await?;
    let mut all = Vec::new();
    for endpoint in known {
        let id = endpoint.head.id;
        let asked = filter.endpoint.as_ref().is_none_or(|wanted| *wanted == id);
        if asked && matches!(endpoint.state, EndpointState::Paused { .. }) {
            let of_one = Filter {
                endpoint: Some(id),
                state: Some("pending".to_owned()),
                ..filter.clone()
            };
            all.extend(list(app, of_one).await?);
        }
    }
    all.sort_by(|a, b| b.delivery.new.id.as_str().cmp(a.delivery.new.id.as_str()));
    all.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
    Ok(all)
}

/// One delivery, and why it is where it is.
pub async fn show(
    app: &App,
    caller: &Caller,
    id: &DeliveryId,
) -> Result<(Seen, Standing), Failure> {
    let (caller, id) = (caller.clone(), id.clone());
    app.store
        .read("delivery", move |tx| {
            let delivery = of_caller(tx, &caller, &id)?;
            let seen = seen(tx, delivery)?;
            let standing = seen.standing.clone();
            Ok((seen, standing))
        })
        .await
}

/// Why a delivery is where it is.
pub fn standing(tx: &mut Tx<'_>, delivery: &Delivery) -> Result<Standing, Failure> {
    match delivery.state.as_str() {
        "delivered" => return Ok(Standing::Delivered),
        "failed" => {
            let reason = delivery.why.as_deref().unwrap_or(why::GAVE_UP);
            return Ok(Standing::GivenUp(reason.to_owned()));
        }
        _ => {}
    }
    if let Some(id) = &delivery.new.endpoint
        && let Some(endpoint) = endpoints::by_id(tx, id)?
        && let EndpointState::Paused { at: since, why } = endpoint.state
    {
        return Ok(Standing::Paused { since, why });
    }
    match (delivery.leased, delivery.next) {
        (true, _) => Ok(Standing::UnderWay),
        (false, Some(at)) => Ok(Standing::Due(at)),
        (false, None) => match table::ahead(tx, delivery)? {
            Some(ahead) => Ok(Standing::Behind(ahead.new.id)),
            None => Ok(Standing::UnderWay),
        },
    }
}

fn seen(tx: &mut Tx<'_>, delivery: Delivery) -> Result<Seen, Failure> {
    let attempts = table::attempts(tx, &delivery.new.id)?;
    let standing = standing(tx, &delivery)?;
    let names = names(tx, &delivery)?;
    Ok(Seen {
        delivery,
        attempts,
        standing,
        names,
    })
}

fn names(tx: &mut Tx<'_>, delivery: &Delivery) -> Result<Option<Names>, Failure> {
    let Ok(bill) = BillId::parse(&delivery.new.about) else {
        return Ok(None);
    };
    let Some(row) = reservations::of_bill(tx, &bill)? else {
        return Ok(None);
    };
    let Some(payment) = payments::by_id(tx, &row.payment)? else {
        return Ok(None);
    };
    // The body is the only place where a delivery says which step it announces.
    let steps = reservations::steps(tx, &row.payment)?;
    let told = |wire: &WireId| delivery.new.body.contains(wire.as_str());
    Ok(Some(Names {
        reference: row.reference,
        payment: payment.head.wire,
        step: steps.into_iter().map(|step| step.wire).find(told),
    }))
}

fn of_caller(tx: &mut Tx<'_>, caller: &Caller, id: &DeliveryId) -> Result<Delivery, Failure> {
    let found = table::by_id(tx, id)?.filter(|delivery| is_of(delivery, caller));
    let missing = Refusal::NotFound(Object::Delivery, id.to_string());
    found.map_or_else(|| refused(missing), Ok)
}

fn is_of(delivery: &Delivery, caller: &Caller) -> bool {
    delivery.new.merchant == caller.merchant.id && delivery.new.mode == caller.mode
}

/// One more attempt now, in whatever state the delivery is. If its endpoint is paused, it goes out
/// when that is resumed; if it is removed, there is nowhere to send it, and that is refused.
pub async fn resend(app: &App, who: &Who<'_>, id: &DeliveryId) -> Result<(), Failure> {
    let at = app.moment();
    let (caller, actor, id) = (who.caller.clone(), who.actor.to_owned(), id.clone());
    app.store
        .write("resend_delivery", move |tx| {
            let delivery = of_caller(tx, &caller, &id)?;
            if delivery.removed {
                return refused(Refusal::WrongState("for a removed endpoint".to_owned()));
            }
            table::resend(tx, &delivery, at.now)?;
            entry(tx, &at, &caller, (&actor, "delivery.resent", id.as_str()))
        })
        .await
}

/// Sends again what an endpoint was to get in a time range and is over: what failed, or with
/// `delivered_too` everything; each line of it in order. How many there were.
pub async fn resend_range(app: &App, who: &Who<'_>, range: Range) -> Result<u64, Failure> {
    let endpoint = super::endpoints::show(app, who.caller, &range.endpoint).await?;
    let at = app.moment();
    let (mut count, mut after) = (0, None);
    loop {
        let (range, last) = (range.clone(), after);
        let batch = app
            .store
            .read("deliveries_in_range", move |tx| {
                Ok(table::in_range(tx, &range, last.as_ref(), RESENT_AT_ONCE)?)
            })
            .await?;
        after = batch.iter().max().cloned();
        if after.is_none() {
            break;
        }
        count += app
            .store
            .write("resend_range", move |tx| {
                let mut count = 0;
                for id in &batch {
                    count += u64::from(table::resend_in_line(tx, id, at.now)?);
                }
                Ok(count)
            })
            .await?;
    }
    let at = app.moment();
    let (caller, actor) = (who.caller.clone(), who.actor.to_owned());
    let id = endpoint.head.id.to_string();
    app.store
        .write("note_resend_range", move |tx| {
            entry(tx, &at, &caller, (&actor, "endpoint.resent", &id))
        })
        .await?;
    Ok(count)
}

/// Gives a pending delivery up by hand, so that those behind it can go; one that is over already
/// is refused.
pub async fn skip(app: &App, who: &Who<'_>, id: &DeliveryId) -> Result<(), Failure> {
    let at = app.moment();
    let (caller, actor, id) = (who.caller.clone(), who.actor.to_owned(), id.clone());
    let scheme = app
        .store
        .write("skip_delivery", move |tx| {
            let delivery = of_caller(tx, &caller, &id)?;
            if !table::give_up(tx, &delivery, why::SKIPPED, at.now)? {
                return refused(Refusal::WrongState(delivery.state));
            }
            entry(tx, &at, &caller, (&actor, "delivery.skipped", id.as_str()))?;
            Ok(delivery.new.scheme)
        })
        .await?;
    given_up(&scheme, why::SKIPPED, 1);
    Ok(())
}

/// Counts deliveries that end without having been taken.
pub(crate) fn given_up(scheme: &str, why: &'static str, count: u32) {
    metrics::counter!(
        "florin_deliveries_failed_total",
        "scheme" => scheme.to_owned(),
        "why" => why
    )
    .increment(count.into());
}

fn entry(
    tx: &mut Tx<'_>,
    at: &Moment,
    caller: &Caller,
    (actor, action, about): (&str, &str, &str),
) -> Result<(), Failure> {
    let entry = audit::Entry {
        at: at.now,
        actor: actor.to_owned(),
        action: action.to_owned(),
        about: about.to_owned(),
        details: String::new(),
    };
    audit::insert(tx, at, (&caller.merchant.id, caller.mode), &entry)?;
    Ok(())
}
