//! Bills: create, show, list, change, delete.

use dialects::{Dialect, Kind};
use domain::bill::CardAccess;
use domain::call::{BillPage, BillQuery};
use domain::gift_card::Note;
use domain::limits::{COUNTED_MAX, PAGE_MAX, PAYMENTS_SHOWN_MAX, SEARCH_MAX};
use domain::payment::Cause;
use domain::{
    Ask, AttemptState, Bill, BillState, BillView, Caller, Fact, FieldProblem, Merchant, Mode,
    Moment, Object, Refusal, Reply, Timestamp, WireId,
};
use store::tables::{attempts, bills, gift_cards, merchants, payments};
use store::{Failure, Fault, Tx};

use super::covering::{free_all, why};
use super::{record, refused, wire};
use crate::app::App;

/// Creates a bill.
pub async fn create(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    ask: Ask,
) -> Result<Reply, Failure> {
    let at = app.moment();
    let (caller, usual) = (caller.clone(), app.site.gift_return_url().cloned());
    app.store
        .write("create_bill", move |tx| {
            let ask = completed(tx, &caller, ask.clone(), usual.as_ref())?;
            create_in(tx, &at, dialect, &caller, ask)
        })
        .await
}

/// Creates a bill inside a transaction.
pub(super) fn create_in(
    tx: &mut Tx<'_>,
    at: &Moment,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    ask: Ask,
) -> Result<Reply, Failure> {
    let id = wire(dialect, Kind::Bill, at);
    let bill = Bill::create(at, caller, dialect.profile().name, id, ask);
    bills::insert(tx, &bill)?;
    record(tx, at, Fact::BillCreated, &bill, None)?;
    let state = bill.state_at(at.now);
    let view = BillView {
        bill,
        merchant: caller.merchant.clone(),
        payments: Vec::new(),
        state,
    };
    Ok(Reply::BillCreated(Box::new(view)))
}

/// What a bill that gift cards pay needs of its merchant's programme: one of the merchant's shops,
/// if it names one, and an address to which the payer's browser goes back.
fn completed(
    tx: &mut Tx<'_>,
    caller: &Caller,
    mut ask: Ask,
    usual: Option<&String>,
) -> Result<Ask, Failure> {
    let Some(access) = ask.card_access() else {
        return Ok(ask);
    };
    let programme = gift_cards::programme(tx, &caller.merchant.id, caller.mode)?;
    let programme = programme.unwrap_or_default();
    let mut problems = Vec::new();
    let mut problem = |field: &str, message: String| {
        let field = field.to_owned();
        problems.push(FieldProblem { field, message });
    };
    if access == CardAccess::Hosted {
        let known = programme.return_url.as_ref().or(usual);
        ask.return_url = ask.return_url.or_else(|| known.cloned());
        if ask.return_url.is_none() {
            problem("redirectUrl", "redirectUrl is required".to_owned());
        }
    }
    if let Some(vendor) = ask.vendor().filter(|vendor| !programme.has_shop(vendor)) {
        let message = format!("vendorId {vendor} is none of your shops");
        problem("vendorId", message);
    }
    if problems.is_empty() {
        return Ok(ask);
    }
    refused(Refusal::Invalid(problems))
}

/// Shows a bill to its merchant.
pub async fn show(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    id: WireId,
) -> Result<Reply, Failure> {
    let now = app.clock.now();
    let caller = caller.clone();
    app.store
        .read("show_bill", move |tx| {
            let bill = of_caller(tx, dialect, &caller, &id)?;
            Ok(Reply::Bill(Box::new(view(
                tx,
                bill,
                caller.merchant.clone(),
                now,
            )?)))
        })
        .await
}

/// Lists bills, newest first.
pub async fn list(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    query: BillQuery,
) -> Result<Reply, Failure> {
    if query.default_link {
        return Ok(Reply::DefaultLink(caller.merchant.clone()));
    }
    let now = app.clock.now();
    let caller = caller.clone();
    app.store
        .read("list_bills", move |tx| {
            let of = bills::Of {
                merchant: caller.merchant.id.clone(),
                mode: caller.mode,
                dialect: dialect.profile().name.to_owned(),
                state: query.state.map(|state| (state, now)),
            };
            let offset = query.page.saturating_sub(1).saturating_mul(query.per_page);
            let (found, total) = if query.search.is_some() || query.metadata.is_some() {
                search(tx, &of, &query, offset)?
            } else {
                let found = bills::page(tx, &of, query.per_page, offset)?;
                let counted = bills::count(tx, &of, COUNTED_MAX)?;
                let total = seen(counted, (offset, found.len()), query.per_page);
                (found, total)
            };
            let mut views = Vec::with_capacity(found.len());
            for bill in found {
                views.push(view(tx, bill, caller.merchant.clone(), now)?);
            }
            let (per_page, page) = (query.per_page, query.page);
            Ok(Reply::Bills(BillPage {
                bills: views,
                per_page,
                page,
                total,
            }))
        })
        .await
}

/// The total of a list whose rows were counted up to a bound: beyond it, so many that whoever turns
/// the pages comes to the last one.
fn seen(counted: u64, (offset, found): (u32, usize), per_page: u32) -> u64 {
    if counted < u64::from(COUNTED_MAX) {
        return counted;
    }
    let found = u64::try_from(found).unwrap_or(u64::MAX);
    let more = u64::from(found == u64::from(per_page));
    counted.max(u64::from(offset) + found + more)
}

/// Looks through the newest bills: the SQL that both databases share has no text search.
fn search(
    tx: &mut Tx<'_>,
    of: &bills::Of,
    query: &BillQuery,
    offset: u32,
) -> Result<(Vec<Bill>, u64), Fault> {
    let (skip, take) = (u64::from(offset), u64::from(query.per_page));
    let (mut found, mut total) = (Vec::new(), 0);
    for start in (0..SEARCH_MAX).step_by(PAGE_MAX as usize) {
        let batch = bills::page(tx, of, PAGE_MAX, start)?;
        let last = batch.len() < PAGE_MAX as usize;
        for bill in batch {
            if matches(&bill, query) {
                if (skip..skip + take).contains(&total) {
                    found.push(bill);
                }
                total += 1;
            }
        }
        if last {
            break;
        }
    }
    Ok((found, total))
}

fn matches(bill: &Bill, query: &BillQuery) -> bool {
    let by_text = query.search.as_ref().is_none_or(|part| {
        let part = part.to_lowercase();
        let fields = [
            bill.ask.payer.email.as_deref(),
            bill.ask.reference.as_deref(),
            Some(bill.head.wire.as_str()),
        ];
        fields
            .into_iter()
            .flatten()
            .any(|field| field.to_lowercase().contains(&part))
    });
    let by_metadata = query.metadata.as_ref().is_none_or(|(key, value)| {
        let kept = bill
            .ask
            .extras
            .get("metadata")
            .and_then(|metadata| metadata.get(key));
        kept.and_then(serde_json::Value::as_str) == Some(value)
    });
    by_text && by_metadata
}

/// Changes the terms of a bill that nobody has paid.
pub async fn change(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    id: WireId,
    ask: Ask,
) -> Result<Reply, Failure> {
    let at = app.moment();
    let caller = caller.clone();
    app.store
        .write("change_bill", move |tx| {
            let bill = of_caller(tx, dialect, &caller, &id)?.change(at.now, ask.clone())?;
            end_open_tries(tx, &at, &bill, &why("shop", "changed", &bill))?;
            bills::update(tx, &bill)?;
            record(tx, &at, Fact::BillChanged, &bill, None)?;
            Ok(Reply::Bill(Box::new(view(
                tx,
                bill,
                caller.merchant.clone(),
                at.now,
            )?)))
        })
        .await
}

/// Deletes a bill that was not paid.
pub async fn withdraw(
    app: &App,
    dialect: &'static dyn Dialect,
    caller: &Caller,
    id: WireId,
) -> Result<Reply, Failure> {
    let at = app.moment();
    let caller = caller.clone();
    app.store
        .write("withdraw_bill", move |tx| {
            let bill = of_caller(tx, dialect, &caller, &id)?.withdrawn(at.now)?;
            end_open_tries(tx, &at, &bill, &why("shop", "deleted", &bill))?;
            bills::update(tx, &bill)?;
            record(tx, &at, Fact::BillWithdrawn, &bill, None)?;
            Ok(Reply::BillWithdrawn)
        })
        .await
}

/// What the checkout page shows: any bill of this id that was not deleted.
pub async fn for_page(
    app: &App,
    dialect: &'static dyn Dialect,
    id: &WireId,
) -> Result<BillView, Failure> {
    let now = app.clock.now();
    let id = id.clone();
    app.store
        .read("bill_page", move |tx| page_view(tx, dialect, &id, now))
        .await
}

/// A bill for its page, inside a transaction.
pub fn page_view(
    tx: &mut Tx<'_>,
    dialect: &dyn Dialect,
    id: &WireId,
    now: Timestamp,
) -> Result<BillView, Failure> {
    let bill = page_bill(tx, dialect, id)?;
    let merchant = merchant_of(tx, &bill)?;
    Ok(view(tx, bill, merchant, now)?)
}

/// The merchant of a bill.
pub(super) fn merchant_of(tx: &mut Tx<'_>, bill: &Bill) -> Result<Merchant, Fault> {
    merchants::by_id(tx, &bill.head.merchant)?
        .ok_or_else(|| Fault("a bill without a merchant".to_owned()))
}

/// The bill of this id that anybody with its link may see: not a deleted one.
pub(super) fn page_bill(
    tx: &mut Tx<'_>,
    dialect: &dyn Dialect,
    id: &WireId,
) -> Result<Bill, Failure> {
    let bill = bills::by_wire(tx, dialect.profile().name, id)?
        .filter(|bill| !matches!(bill.state(), BillState::Withdrawn { .. }));
    bill.map_or_else(|| refused(not_found(id)), Ok)
}

/// The merchant whose default link carries this slug, and the mode of that link.
pub async fn merchant_by_slug(app: &App, slug: &str) -> Result<(Merchant, Mode), Failure> {
    let slug = slug.to_owned();
    app.store
        .read("merchant_by_slug", move |tx| {
            merchants::by_slug(tx, &slug)?.map_or_else(|| refused(Refusal::UnknownRoute), Ok)
        })
        .await
}

/// Creates a bill that a payer asked for on the merchant's default link.
pub async fn create_for_link(
    app: &App,
    dialect: &'static dyn Dialect,
    slug: &str,
    ask: Ask,
) -> Result<BillView, Failure> {
    let (merchant, mode) = merchant_by_slug(app, slug).await?;
    match create(app, dialect, &Caller { merchant, mode }, ask).await? {
        Reply::BillCreated(view) => Ok(*view),
        _ => Err(Fault("creating a bill answered something else".to_owned()).into()),
    }
}

/// Writes down that bills have expired whose time is over; how many did.
pub async fn expire_due(app: &App) -> Result<usize, Failure> {
    let now = app.clock.now();
    let due = app
        .store
        .read("due_bills", move |tx| {
            Ok(bills::due(tx, now, domain::limits::SWEEP_MAX)?)
        })
        .await?;
    let mut count = 0;
    for bill in due {
        match expire(app, bill).await {
            Ok(()) => count += 1,
            // While a rail is being asked the bill waits for its answer; the next pass sees it.
            Err(Failure::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(count)
}

/// Expires one bill: at its own time if that is past, else now (the simulator's `expire`).
pub async fn expire(app: &App, bill: Bill) -> Result<(), Failure> {
    let at = app.moment();
    app.store
        .write("expire_bill", move |tx| {
            let Some(bill) = bills::by_id(tx, &bill.head.id)? else {
                return Ok(());
            };
            if super::reservations::expire_in(tx, &at, &bill.head.id)? {
                return Ok(());
            }
            if *bill.state() != BillState::Open {
                return Ok(());
            }
            let when = bill
                .ask
                .expires
                .map_or(at.now, |expires| expires.min(at.now));
            let bill = bill.expired(when)?;
            end_open_tries(tx, &at, &bill, &why("time", "expired", &bill))?;
            bills::update(tx, &bill)?;
            record(tx, &at, Fact::BillExpired, &bill, None)?;
            Ok(())
        })
        .await
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
            free_all(tx, &at, &bill, &why("payer", "declined", &bill))?;
            let bill = bill.failed(at.now, cause.clone())?;
            bills::update(tx, &bill)?;
            record(tx, &at, Fact::BillFailed, &bill, last.as_ref())?;
            Ok(())
        })
        .await?;
    Ok(())
}

/// The bill that this caller may see; a foreign, deleted or missing one is the same answer.
pub(super) fn of_caller(
    tx: &mut Tx<'_>,
    dialect: &dyn Dialect,
    caller: &Caller,
    id: &WireId,
) -> Result<Bill, Failure> {
    let found = bills::by_wire(tx, dialect.profile().name, id)?.filter(|bill| {
        bill.head.merchant == caller.merchant.id
            && bill.head.mode == caller.mode
            && !matches!(bill.state(), BillState::Withdrawn { .. })
    });
    found.map_or_else(|| refused(not_found(id)), Ok)
}

/// A bill with its payments.
pub(super) fn view(
    tx: &mut Tx<'_>,
    bill: Bill,
    merchant: Merchant,
    now: Timestamp,
) -> Result<BillView, Fault> {
    let payments = payments::of_bill(tx, &bill.head.id, PAYMENTS_SHOWN_MAX)?;
    let state = bill.state_at(now);
    Ok(BillView {
        bill,
        merchant,
        payments,
        state,
    })
}

/// Ends the tries of a bill whose payer is still at the bank's page: an answer that comes later
/// moves no money; and frees what gift cards hold. While a rail is being
/// asked, nothing about the bill may change.
pub(super) fn end_open_tries(
    tx: &mut Tx<'_>,
    at: &Moment,
    bill: &Bill,
    note: &Note,
) -> Result<(), Failure> {
    for attempt in attempts::open_of_bill(tx, &bill.head.id)? {
        if *attempt.state() == AttemptState::Asked {
            return refused(Refusal::TryUnderWay);
        }
        super::payments::abandon(tx, at, bill, attempt)?;
    }
    free_all(tx, at, bill, note)
}

fn not_found(id: &WireId) -> Refusal {
    Refusal::NotFound(Object::Bill, id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_turns_the_pages_comes_to_the_last_one() {
        let most = u64::from(COUNTED_MAX);
        assert_eq!(seen(7, (0, 7), 20), 7);
        assert_eq!(seen(most - 1, (40, 20), 20), most - 1);
        assert_eq!(
            seen(most, (40, 20), 20),
            most,
            "there are more than this page shows"
        );
        // Beyond what is counted there is always one more page while this one is full.
        let (mut offset, rows) = (0_u32, COUNTED_MAX + 45);
        let last = loop {
            let found = rows.saturating_sub(offset).min(20);
            let total = seen(most, (offset, found as usize), 20);
            let page = offset / 20 + 1;
            if u64::from(page) >= total.div_ceil(20) {
                break offset + found;
            }
            offset += 20;
        };
        assert_eq!(last, rows);
    }
}
