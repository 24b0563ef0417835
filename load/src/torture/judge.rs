//! The verdict: what the gateway promised about webhooks, held against what the receivers saw,
//! what callers were told and what the database says.
//!
//! * **Nothing lost.** What was acknowledged is stored; every event has a delivery for everyone
//!   who was to hear of it; every delivery was taken by its receiver or is listed as failed.
//! * **Nothing made up.** A receiver sees nothing that is not stored.
//! * **In order.** Of one line (endpoint, subject), a receiver sees a later delivery only after
//!   the earlier ones were taken or had failed.
//! * **Not twice.** A delivery that was taken comes again only if the gateway could not know: it
//!   was killed before it had recorded the answer, or it waited no longer for it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::produce::Acknowledged;
use super::stands::Receipt;
use super::stored::{Delivery, Stored};

/// How long after an answer a gateway that is killed may not have recorded it yet.
const RECORDING_MAX: Duration = Duration::from_secs(5);

/// How late a busy receiver may read what a gateway sent before it was killed.
const READING_MAX: Duration = Duration::from_secs(1);

/// An endpoint, and what it was to hear.
#[derive(Clone, Debug)]
pub struct Hears {
    /// Its id.
    pub endpoint: String,
    /// Facts; all of them if empty.
    pub facts: Vec<&'static str>,
}

/// Everything that is known.
#[derive(Debug)]
pub struct Case {
    /// What callers were told.
    pub acknowledged: Acknowledged,
    /// What the database says.
    pub stored: Stored,
    /// What receivers saw, in order.
    pub receipts: Vec<Receipt>,
    /// When the gateway was killed.
    pub kills: Vec<Instant>,
    /// Who was to hear what.
    pub hears: Vec<Hears>,
}

/// What is wrong, by kind, with the ids.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Kinds of what is wrong; empty if nothing is.
    pub wrong: BTreeMap<&'static str, Vec<String>>,
    /// Deliveries that were taken.
    pub taken: usize,
    /// Deliveries listed as failed that were never taken.
    pub failed: usize,
    /// Deliveries that came again after they were taken, because the gateway could not know.
    pub repeated: usize,
}

/// Acknowledged and not there.
pub const LOST: &str = "acknowledged, not stored";
/// An event without a delivery for somebody who was to hear of it.
pub const UNTOLD: &str = "events without their delivery";
/// Not taken and not failed.
pub const MISSING: &str = "neither received nor failed";
/// Recorded as delivered, though its receiver never took it.
pub const CLAIMED: &str = "called delivered, never taken";
/// Received, though it is not stored.
pub const UNKNOWN: &str = "received, not stored";
/// Received before an earlier one of its line.
pub const ORDER: &str = "out of order";
/// Taken, recorded, and sent again.
pub const TWICE: &str = "sent again without need";

impl Verdict {
    fn wrong(&mut self, kind: &'static str, id: impl Into<String>) {
        self.wrong.entry(kind).or_default().push(id.into());
    }
}

/// Judges a run.
pub fn judge(case: &Case) -> Verdict {
    let mut verdict = Verdict::default();
    stored(case, &mut verdict);
    told(case, &mut verdict);
    let mut by_name: HashMap<&str, Vec<&Receipt>> = HashMap::new();
    for receipt in &case.receipts {
        by_name.entry(&receipt.name).or_default().push(receipt);
    }
    for delivery in &case.stored.deliveries {
        let receipts = by_name.remove(delivery.name.as_str()).unwrap_or_default();
        let was_taken = receipts.iter().any(|receipt| receipt.taken.is_some());
        match (was_taken, delivery.state.as_str()) {
            (true, "pending") => verdict.wrong(MISSING, &delivery.id),
            (true, _) => verdict.taken += 1,
            (false, "failed") => verdict.failed += 1,
            (false, "delivered") => verdict.wrong(CLAIMED, &delivery.id),
            (false, _) => verdict.wrong(MISSING, &delivery.id),
        }
        repeated(case, delivery, &receipts, &mut verdict);
    }
    for name in by_name.into_keys() {
        verdict.wrong(UNKNOWN, name);
    }
    ordered(case, &mut verdict);
    verdict
}

/// What callers were told is there.
fn stored(case: &Case, verdict: &mut Verdict) {
    let requests: HashSet<&str> = case.stored.requests.iter().map(String::as_str).collect();
    let events = case.stored.events.iter();
    let paid: HashSet<&str> = events
        .filter(|event| event.fact == "bill.paid")
        .map(|event| event.request.as_str())
        .collect();
    for (told, there) in [
        (&case.acknowledged.created, &requests),
        (&case.acknowledged.paid, &paid),
    ] {
        for id in told.iter().filter(|id| !there.contains(id.as_str())) {
            verdict.wrong(LOST, id);
        }
    }
}

/// Every event has its deliveries.
fn told(case: &Case, verdict: &mut Verdict) {
    let deliveries = case.stored.deliveries.iter();
    let there: HashSet<(&str, Option<&str>)> = deliveries
        .map(|delivery| (delivery.event.as_str(), delivery.endpoint.as_deref()))
        .collect();
    for event in &case.stored.events {
        let fact = event.fact.as_str();
        let endpoints = case.hears.iter();
        let endpoints = endpoints
            .filter(|hears| hears.facts.is_empty() || hears.facts.contains(&fact))
            .map(|hears| Some(hears.endpoint.as_str()));
        // The shop itself hears through its dialect that it was paid.
        let shop = (fact == "bill.paid").then_some(None);
        for endpoint in endpoints.chain(shop) {
            if !there.contains(&(event.id.as_str(), endpoint)) {
                let whom = endpoint.unwrap_or("the shop");
                verdict.wrong(UNTOLD, format!("{} for {whom}", event.id));
            }
        }
    }
}

/// A delivery that was taken came again only where nobody could know that it was.
fn repeated(case: &Case, delivery: &Delivery, receipts: &[&Receipt], verdict: &mut Verdict) {
    // An attempt without an answer, recorded as such, may have been taken.
    let mut silent = case.stored.silent.get(&delivery.id).copied().unwrap_or(0);
    for (receipt, next) in receipts.iter().zip(receipts.iter().skip(1)) {
        let Some(taken) = receipt.taken else {
            continue;
        };
        let killed = case.kills.iter().any(|kill| {
            let sent = receipt.came <= *kill + READING_MAX && next.came >= *kill;
            sent && *kill <= taken + RECORDING_MAX
        });
        if killed {
            verdict.repeated += 1;
        } else if silent > 0 {
            silent -= 1;
            verdict.repeated += 1;
        } else {
            verdict.wrong(TWICE, &delivery.id);
        }
    }
}

/// Within a line, nothing came before what stands before it was taken or had failed.
fn ordered(case: &Case, verdict: &mut Verdict) {
    let by_name: HashMap<&str, &Delivery> = case
        .stored
        .deliveries
        .iter()
        .map(|delivery| (delivery.name.as_str(), delivery))
        .collect();
    let mut lines: HashMap<&(String, String), Vec<&Delivery>> = HashMap::new();
    for delivery in &case.stored.deliveries {
        lines.entry(&delivery.line).or_default().push(delivery);
    }
    let mut taken: HashMap<&str, Instant> = HashMap::new();
    let mut furthest: HashMap<&(String, String), i64> = HashMap::new();
    for receipt in &case.receipts {
        let Some(delivery) = by_name.get(receipt.name.as_str()) else {
            continue;
        };
        let came = receipt.came;
        let line = lines.get(&delivery.line).into_iter().flatten();
        let mut earlier = line.filter(|other| other.place < delivery.place);
        let waits = |other: &&Delivery| {
            let over = taken.get(other.id.as_str()).is_some_and(|at| *at <= came);
            other.state != "failed" && !over
        };
        let last = furthest.entry(&delivery.line).or_insert(delivery.place);
        if earlier.any(waits) || *last > delivery.place {
            verdict.wrong(ORDER, &delivery.id);
        }
        *last = delivery.place.max(*last);
        if let Some(at) = receipt.taken {
            // A slow receiver may take a first copy after a second one was taken.
            let first = taken.entry(&delivery.id).or_insert(at);
            *first = at.min(*first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::Event;
    use super::*;
    use crate::clock;

    const MS: Duration = Duration::from_millis(1);

    fn delivery(id: &str, event: &str, place: i64, state: &str) -> Delivery {
        Delivery {
            id: id.to_owned(),
            name: id.to_owned(),
            event: event.to_owned(),
            endpoint: Some("end_1".to_owned()),
            line: ("end_1".to_owned(), "bil_1".to_owned()),
            place,
            state: state.to_owned(),
            attempts: 1,
        }
    }

    fn event(id: &str, fact: &str) -> Event {
        Event {
            id: id.to_owned(),
            fact: fact.to_owned(),
            request: "9-1".to_owned(),
        }
    }

    /// A receipt at these milliseconds: came, taken.
    fn receipt(start: Instant, id: &str, came: u32, taken: Option<u32>) -> Receipt {
        Receipt {
            name: id.to_owned(),
            came: start + MS * came,
            taken: taken.map(|at| start + MS * at),
        }
    }

    /// One payment, created and paid, that one endpoint and the shop heard of.
    fn good() -> (Instant, Case) {
        let start = clock::now();
        let shop = Delivery {
            endpoint: None,
            name: "9-1".to_owned(),
            line: ("mer/test/http://shop".to_owned(), "9-1".to_owned()),
            ..delivery("dlv_s", "evt_2", 1, "delivered")
        };
        let case = Case {
            acknowledged: Acknowledged {
                created: vec!["9-1".to_owned()],
                paid: vec!["9-1".to_owned()],
                unanswered: 0,
            },
            stored: Stored {
                events: vec![event("evt_1", "bill.created"), event("evt_2", "bill.paid")],
                deliveries: vec![
                    delivery("dlv_1", "evt_1", 1, "delivered"),
                    delivery("dlv_2", "evt_2", 2, "delivered"),
                    shop,
                ],
                silent: HashMap::new(),
                requests: vec!["9-1".to_owned()],
            },
            receipts: vec![
                receipt(start, "dlv_1", 10, Some(11)),
                receipt(start, "dlv_2", 20, Some(21)),
                receipt(start, "9-1", 22, Some(23)),
            ],
            kills: vec![start + MS * 5],
            hears: vec![Hears {
                endpoint: "end_1".to_owned(),
                facts: Vec::new(),
            }],
        };
        (start, case)
    }

    fn kinds(case: &Case) -> Vec<(&'static str, Vec<String>)> {
        judge(case).wrong.into_iter().collect()
    }

    fn only(kind: &'static str, id: &str) -> Vec<(&'static str, Vec<String>)> {
        vec![(kind, vec![id.to_owned()])]
    }

    #[test]
    fn a_run_in_which_all_is_well_is_acquitted() {
        let (_, case) = good();
        let verdict = judge(&case);
        assert!(verdict.wrong.is_empty(), "{verdict:?}");
        assert_eq!((verdict.taken, verdict.failed, verdict.repeated), (3, 0, 0));
    }

    #[test]
    fn what_was_acknowledged_must_be_stored() {
        let (_, mut case) = good();
        case.acknowledged.created.push("9-2".to_owned());
        assert_eq!(kinds(&case), only(LOST, "9-2"));
        let (_, mut case) = good();
        case.acknowledged.paid = vec!["9-1".to_owned(), "9-3".to_owned()];
        assert_eq!(kinds(&case), only(LOST, "9-3"));
    }

    #[test]
    fn an_event_is_told_to_everyone_who_hears() {
        let (_, mut case) = good();
        case.hears.push(Hears {
            endpoint: "end_2".to_owned(),
            facts: vec!["bill.created"],
        });
        assert_eq!(kinds(&case), only(UNTOLD, "evt_1 for end_2"));
        let (_, mut case) = good();
        case.stored.deliveries.pop();
        case.receipts.pop();
        assert_eq!(kinds(&case), only(UNTOLD, "evt_2 for the shop"));
    }

    #[test]
    fn what_was_not_taken_must_be_listed_as_failed() {
        for (state, wrong) in [
            ("pending", Some(MISSING)),
            ("delivered", Some(CLAIMED)),
            ("failed", None),
        ] {
            let (start, mut case) = good();
            case.receipts[1] = receipt(start, "dlv_2", 20, None);
            case.stored.deliveries[1].state = state.to_owned();
            let expected = wrong.map_or_else(Vec::new, |kind| only(kind, "dlv_2"));
            assert_eq!(kinds(&case), expected, "{state}");
            case.receipts.remove(1);
            assert_eq!(kinds(&case), expected, "{state}, never seen");
        }
        let (_, mut case) = good();
        case.stored.deliveries[1].state = "pending".to_owned();
        assert_eq!(kinds(&case), only(MISSING, "dlv_2"), "taken, still waiting");
    }

    #[test]
    fn a_receiver_sees_nothing_that_is_not_stored() {
        let (start, mut case) = good();
        case.receipts.push(receipt(start, "dlv_9", 30, Some(31)));
        assert_eq!(kinds(&case), only(UNKNOWN, "dlv_9"));
    }

    #[test]
    fn a_line_keeps_its_order() {
        let (_, mut case) = good();
        case.receipts.swap(0, 1);
        let found = kinds(&case);
        assert_eq!(found[0].0, ORDER, "{found:?}");
        assert!(found[0].1.contains(&"dlv_2".to_owned()));
        // Sent while the earlier one had not been answered yet.
        let (start, mut case) = good();
        case.receipts[0].taken = Some(start + MS * 25);
        assert_eq!(kinds(&case), only(ORDER, "dlv_2"));
        // A slow receiver takes a copy that a kill broke off, after the one that came again.
        let (start, mut case) = good();
        case.receipts[0].taken = Some(start + MS * 25);
        case.receipts
            .insert(1, receipt(start, "dlv_1", 15, Some(16)));
        assert_eq!(kinds(&case), []);
        // An earlier one that failed holds nobody up.
        let (_, mut case) = good();
        case.receipts.remove(0);
        case.stored.deliveries[0].state = "failed".to_owned();
        assert_eq!(kinds(&case), []);
    }

    #[test]
    fn a_repetition_needs_a_reason() {
        let again = |start| receipt(start, "9-1", 40, Some(41));
        let (start, mut case) = good();
        case.receipts.push(again(start));
        case.kills.clear();
        assert_eq!(kinds(&case), only(TWICE, "dlv_s"));
        // Killed in between: the answer may not have been recorded.
        case.kills.push(start + MS * 30);
        assert_eq!(kinds(&case), []);
        assert_eq!(judge(&case).repeated, 1);
        // Killed just before: it was sent, and read only then.
        case.kills = vec![start + MS * 5];
        assert_eq!(kinds(&case), []);
        // Killed long before: it was sent after that.
        for (came, at) in [(2_022, 2), (2_040, 3)] {
            let late = receipt(start, "9-1", came, Some(came + 1));
            case.receipts.truncate(at);
            case.receipts.push(late);
        }
        assert_eq!(kinds(&case), only(TWICE, "dlv_s"));
        // Killed after both: no reason.
        case.kills = vec![start + MS * 2_050];
        assert_eq!(kinds(&case), only(TWICE, "dlv_s"));
        let (start, mut case) = good();
        // Killed long after the answer: it was recorded.
        case.kills = vec![start + MS * 9_000];
        case.receipts.push(receipt(start, "9-1", 9_500, None));
        assert_eq!(kinds(&case), only(TWICE, "dlv_s"));
        // An attempt that ended without an answer may have been taken; one excuses one.
        let (start, mut case) = good();
        case.receipts.push(again(start));
        case.kills.clear();
        case.stored.silent.insert("dlv_s".to_owned(), 1);
        assert_eq!(kinds(&case), []);
        case.receipts.push(receipt(start, "9-1", 50, Some(51)));
        assert_eq!(kinds(&case), only(TWICE, "dlv_s"));
    }
}
