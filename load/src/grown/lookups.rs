//! Every way in which something is found by one of its ids, timed at the store's own door.

use domain::{
    AttemptId, BillId, Caller, CardId, DeliveryId, MerchantId, Mode, PaymentId, PayoutId, Span,
    Timestamp, WireId,
};
use store::tables::{
    attempts, bills, deliveries, events, gift_cards, ledger, merchants, payments, payouts,
    reservations, transactions,
};
use store::{Failure, Fault, Store, Tx};

use super::base::Base;
use crate::chance::Chance;
use crate::clock;
use crate::failure::{Outcome, said};
use crate::samples::Samples;

/// Objects of each kind that are looked up.
const LOOKED_UP: usize = 2_000;

/// One object's ids, and whose it is.
#[derive(Clone, Debug)]
struct Known {
    caller: Caller,
    ids: Vec<String>,
}

impl Known {
    fn text(&self, at: usize) -> &str {
        self.ids.get(at).map_or("", String::as_str)
    }

    fn id<T, E: std::fmt::Display>(
        &self,
        at: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Failure> {
        let id = parse(self.text(at));
        id.map_err(|error| Fault(format!("{:?}: {error}", self.text(at))).into())
    }

    fn wire(&self, at: usize) -> Result<WireId, Failure> {
        self.id(at, |text| WireId::new(text))
    }
}

/// One way: says whether it found what it looked for.
type Way = fn(&mut Tx<'_>, &Known) -> Result<bool, Failure>;

/// Objects of one kind: the statement that says where their ids begin and end, the one that finds
/// the first one with an id from `?1` on, and the ways to look it up. (Where something empty is
/// added to a column, its index is not to be used.)
struct Kind {
    span: &'static str,
    sample: &'static str,
    ways: &'static [(&'static str, Way)],
}

const KINDS: [Kind; 6] = [
    Kind {
        span: "SELECT (SELECT MIN(id) FROM bills), \
            (SELECT MAX(id) FROM bills)",
        sample: "SELECT b.id, b.wire_id, b.reference, p.id, p.wire_id, a.id FROM \
            (SELECT id, wire_id, reference FROM bills WHERE id >= ?1 AND dialect || '' = 'hitpay' \
            ORDER BY id LIMIT 1) b JOIN payments p ON p.bill = b.id \
            JOIN attempts a ON a.bill = b.id \
            WHERE b.reference IS NOT NULL LIMIT 1",
        ways: &[
            ("bill by our id", |tx, known| {
                let id = known.id(0, BillId::parse)?;
                Ok(bills::by_id(tx, &id)?.is_some())
            }),
            ("bill by its id on the wire", |tx, known| {
                Ok(bills::by_wire(tx, "hitpay", &known.wire(1)?)?.is_some())
            }),
            ("bill by the shop's reference", |tx, known| {
                let Caller { merchant, mode } = &known.caller;
                Ok(bills::by_reference(tx, &merchant.id, *mode, known.text(2))?.is_some())
            }),
            ("payment by our id", |tx, known| {
                let id = known.id(3, PaymentId::parse)?;
                Ok(payments::by_id(tx, &id)?.is_some())
            }),
            ("payment by its id on the wire", |tx, known| {
                Ok(payments::by_wire(tx, "hitpay", &known.wire(4)?)?.is_some())
            }),
            ("payments of a bill", |tx, known| {
                let id = known.id(0, BillId::parse)?;
                Ok(!payments::of_bill(tx, &id, 100)?.is_empty())
            }),
            ("attempt by its id", |tx, known| {
                let id = known.id(5, AttemptId::parse)?;
                Ok(attempts::by_id(tx, &id)?.is_some())
            }),
            ("transfers of a payment", |tx, known| {
                Ok(!ledger::of(tx, known.text(3))?.is_empty())
            }),
            ("events about a bill", |tx, known| {
                Ok(!events::about(tx, known.text(0), 100)?.is_empty())
            }),
        ],
    },
    Kind {
        span: "SELECT (SELECT MIN(id) FROM deliveries), \
            (SELECT MAX(id) FROM deliveries)",
        sample: "SELECT id, about FROM deliveries WHERE id >= ?1 ORDER BY id LIMIT 1",
        ways: &[
            ("webhooks about a bill", |tx, known| {
                Ok(!deliveries::about(tx, known.text(1), 100)?.is_empty())
            }),
            ("webhook by its id, with attempts", |tx, known| {
                let id = known.id(0, DeliveryId::parse)?;
                let found = deliveries::by_id(tx, &id)?.is_some();
                Ok(found && !deliveries::attempts(tx, &id)?.is_empty())
            }),
        ],
    },
    Kind {
        span: "SELECT (SELECT MIN(bill) FROM reservations), \
            (SELECT MAX(bill) FROM reservations)",
        sample: "SELECT reference FROM reservations WHERE bill >= ?1 ORDER BY bill LIMIT 1",
        ways: &[("reservation by the shop's reference", |tx, known| {
            let found = reservations::by_reference(tx, "vipps", &known.caller, known.text(0))?;
            Ok(found.is_some())
        })],
    },
    Kind {
        span: "SELECT (SELECT MIN(id) FROM transactions WHERE id < 'bim'), \
            (SELECT MAX(id) FROM transactions WHERE id < 'bim')",
        sample: "SELECT id, wire_id, tracking, page FROM transactions WHERE id >= ?1 \
            ORDER BY id LIMIT 1",
        ways: &[
            ("transaction by our id", |tx, known| {
                Ok(transactions::by_id(tx, known.text(0))?.is_some())
            }),
            ("transaction by its id on the wire", |tx, known| {
                Ok(transactions::by_wire(tx, "numipay", known.text(1))?.is_some())
            }),
            ("transaction by the shop's tracking id", |tx, known| {
                let (caller, tracking) = (&known.caller, known.text(2));
                Ok(transactions::by_tracking(tx, caller, "numipay", tracking)?.is_some())
            }),
            ("a page of the list of transactions", |tx, known| {
                let last = known.id(0, |id| time_of(id).ok_or("no time"))?;
                let of = transactions::Of {
                    caller: known.caller.clone(),
                    dialect: "numipay".to_owned(),
                    from: Timestamp::from_millis(0),
                    last: last.plus(Span::from_seconds(1)),
                    below: String::new(),
                };
                Ok(transactions::page(tx, &of, last, 100)?.len() > 1)
            }),
            ("transaction by its page", |tx, known| {
                Ok(transactions::by_page(tx, known.text(3))?.is_some())
            }),
        ],
    },
    Kind {
        span: "SELECT (SELECT MIN(id) FROM payouts), \
            (SELECT MAX(id) FROM payouts)",
        sample: "SELECT id, wire_id FROM payouts WHERE id >= ?1 ORDER BY id LIMIT 1",
        ways: &[
            ("payout by our id", |tx, known| {
                let id = known.id(0, PayoutId::parse)?;
                Ok(payouts::by_id(tx, &id)?.is_some())
            }),
            ("payout by its id on the wire", |tx, known| {
                Ok(payouts::by_wire(tx, "numipay", &known.wire(1)?)?.is_some())
            }),
            ("payouts of a merchant that were paid", |tx, known| {
                let filter = payouts::Filter {
                    caller: known.caller.clone(),
                    state: Some("paid"),
                    before: Some(known.id(0, PayoutId::parse)?),
                    limit: 20,
                };
                let listed = payouts::list(tx, &filter)?;
                Ok(listed
                    .iter()
                    .all(|payout| payout.state().as_str() == "paid"))
            }),
        ],
    },
    Kind {
        span: "SELECT (SELECT MIN(id) FROM gift_cards), \
            (SELECT MAX(id) FROM gift_cards)",
        sample: "SELECT id, number_hash, last5 FROM gift_cards WHERE id >= ?1 \
            ORDER BY id LIMIT 1",
        ways: &[
            ("gift card by our id", |tx, known| {
                let id = known.id(0, CardId::parse)?;
                Ok(gift_cards::by_id(tx, &id)?.is_some())
            }),
            ("gift card by its number", |tx, known| {
                let found = gift_cards::by_number(tx, known.text(1), known.caller.mode)?;
                Ok(found.is_some())
            }),
            ("gift cards by their last digits", |tx, known| {
                let Caller { merchant, mode } = &known.caller;
                let found = gift_cards::by_last5(tx, &merchant.id, *mode, known.text(2), 20)?;
                Ok(!found.is_empty())
            }),
        ],
    },
];

/// Looks objects from all over the database up in every way, one after the other.
pub async fn all(base: &Base, store: &Store) -> Outcome<Vec<(&'static str, Samples)>> {
    let caller = owner(base, store).await?;
    let mut all = Vec::new();
    let mut chance = Chance::new(1, "look-ups");
    for kind in KINDS {
        let (first, last) = span(base, kind.span).await?;
        let mut known = Vec::with_capacity(LOOKED_UP);
        let mut missed = 0;
        while known.len() < LOOKED_UP {
            let from = chance.between(first.1, last.1);
            let from = format!("{}_{from:012x}", first.0);
            let caller = caller.clone();
            match base.find(kind.sample, &[&from]).await?.pop() {
                Some(ids) => known.push(Known { caller, ids }),
                // What is there since somebody measured may be an order that nobody paid.
                None if missed < LOOKED_UP => missed += 1,
                None => return Err(said(format!("nothing from {from} on"))),
            }
        }
        for (what, way) in kind.ways {
            base.forget()?;
            all.push((*what, timed(store, what, *way, &known).await?));
        }
    }
    Ok(all)
}

async fn timed(store: &Store, what: &str, way: Way, known: &[Known]) -> Outcome<Samples> {
    let mut taken = Vec::with_capacity(known.len());
    for one in known {
        let one = one.clone();
        let began = clock::now();
        let found = store.read("look_up", move |tx| way(tx, &one)).await;
        taken.push(began.elapsed());
        if found != Ok(true) {
            return Err(said(format!("{what}: {found:?}")));
        }
    }
    Ok(Samples::new(taken))
}

/// The first and the last id of a kind: its prefix and its time in milliseconds.
async fn span(base: &Base, sql: &str) -> Outcome<((String, u64), (String, u64))> {
    let ids = base.find(sql, &[]).await?.concat();
    let part = |at: usize| {
        let id = ids.get(at)?;
        let time = u64::try_from(time_of(id)?.millis()).ok()?;
        Some((id.split_once('_')?.0.to_owned(), time))
    };
    match (part(0), part(1)) {
        (Some(first), Some(last)) if first.1 < last.1 => Ok((first, last)),
        _ => Err(said(format!("{sql}: the filled database has hardly any"))),
    }
}

/// The time that one of our ids begins with.
fn time_of(id: &str) -> Option<Timestamp> {
    let (_, rest) = id.split_once('_')?;
    let millis = i64::from_str_radix(rest.get(..12)?, 16).ok()?;
    Some(Timestamp::from_millis(millis))
}

/// Whose everything is.
async fn owner(base: &Base, store: &Store) -> Outcome<Caller> {
    let id = base
        .find("SELECT id FROM merchants", &[])
        .await?
        .concat()
        .concat();
    let id = MerchantId::parse(&id).map_err(|error| said(format!("the merchant: {error}")))?;
    let merchant = store.read("merchant", move |tx| Ok(merchants::by_id(tx, &id)?));
    match merchant.await {
        Ok(Some(merchant)) => Ok(Caller {
            merchant,
            mode: Mode::Test,
        }),
        other => Err(said(format!("the merchant: {other:?}"))),
    }
}

/// Webhooks that are claimed at once, and how often.
const CLAIMED: u32 = 64;
const CLAIMS: usize = 100;

/// Claims webhooks that are due, with all the others beside them. What is changed for it is put
/// back.
pub async fn claims(base: &Base, open: impl AsyncFnOnce() -> Outcome<Store>) -> Outcome<Samples> {
    let count = CLAIMS * CLAIMED as usize;
    let queue = base
        .find("SELECT queue FROM deliveries ORDER BY id DESC LIMIT 1", &[])
        .await?;
    let queue = queue.concat().concat();
    let due = format!(
        "UPDATE deliveries SET state = 'pending', queue = 'bench', next_at = first_at \
         WHERE id IN (SELECT id FROM deliveries WHERE state = 'delivered' \
         ORDER BY id DESC LIMIT {count}) RETURNING id"
    );
    let made = base.find(&due, &[]).await?.len();
    let store = open().await?;
    let claimed = claim_all(&store).await;
    store.close();
    let back = "UPDATE deliveries SET state = 'delivered', queue = ?1, next_at = NULL, \
        lease = NULL WHERE queue = 'bench' RETURNING id";
    base.find(back, &[&queue]).await?;
    let (taken, found) = claimed?;
    if made == count && found == count {
        return Ok(Samples::new(taken));
    }
    Err(said(format!(
        "of {count} due webhooks {made} were there and {found} were claimed"
    )))
}

async fn claim_all(store: &Store) -> Outcome<(Vec<std::time::Duration>, usize)> {
    let (mut taken, mut found) = (Vec::with_capacity(CLAIMS), 0);
    for turn in 0..CLAIMS {
        let claim = move |tx: &mut Tx<'_>| {
            let claim = deliveries::Claim {
                queue: "bench",
                now: Timestamp::from_millis(i64::MAX / 4),
                until: Timestamp::from_millis(i64::MAX / 2),
                token: &turn.to_string(),
                limit: CLAIMED,
            };
            Ok(deliveries::claim(tx, claim)?.len())
        };
        let began = clock::now();
        let claimed = store.write_unsynced("claim", claim).await;
        taken.push(began.elapsed());
        found += claimed.map_err(|failure| said(format!("a claim: {failure:?}")))?;
    }
    Ok((taken, found))
}
