//! The verdict: what the gateway promised about webhooks, held against what the receivers saw,
//! what callers were told and what the database says.
//!
//! * **All of it happened.** There are as many events and kills as were asked for.
//! * **Nothing lost.** What was acknowledged is stored; every event has a delivery for everyone
//!   who was to hear of it; every delivery was taken by its receiver or is listed as failed.
//! * **Nothing made up.** A receiver sees nothing that is not stored; each receipt has the record
//!   of its attempt, equal to what came, but for the one that a kill kept from being written; and
//!   each recorded answer was given.
//! * **As it was written.** Every webhook is signed as its scheme says, and its body is the one
//!   that is stored, at every attempt.
//! * **In order.** Of one line (endpoint, subject), a receiver sees a later delivery only after
//!   the earlier ones were taken or had failed.
//! * **Not twice.** A delivery that was taken comes again only if the gateway could not know: the
//!   answer was lost on the way or came too late, or it was killed before it had recorded it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::account;
use super::produce::Acknowledged;
use super::stands::Receipt;
use super::stored::{Delivery, Event, Stored};

/// How long after a webhook came a gateway that is killed may not have recorded it yet: the
/// receiver's time of a second, as much for others that are recorded with it, and the disk's.
const RECORDING_MAX: Duration = Duration::from_secs(3);

/// An endpoint, and what it was to hear.
#[derive(Clone, Debug)]
pub struct Hears {
    /// Its id.
    pub endpoint: String,
    /// The only dialect whose payments it hears of, if it is of one.
    pub dialect: Option<&'static str>,
    /// Facts; all of them if empty.
    pub facts: Vec<&'static str>,
}

impl Hears {
    fn hears(&self, event: &Event) -> bool {
        let own = self.dialect.is_none_or(|dialect| dialect == event.dialect);
        own && (self.facts.is_empty() || self.facts.contains(&event.fact.as_str()))
    }
}

/// A kill of the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    /// When it was dead.
    pub at: Instant,
    /// When everything was read that it had sent; the next one was started after that.
    pub read: Instant,
}

/// Everything that is known.
#[derive(Debug)]
pub struct Case {
    /// Events and kills that were asked for.
    pub asked: (u64, u64),
    /// What callers were told.
    pub acknowledged: Acknowledged,
    /// What the database says.
    pub stored: Stored,
    /// What receivers saw, in order.
    pub receipts: Vec<Receipt>,
    /// When the gateway was killed, in order.
    pub kills: Vec<Kill>,
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

/// Fewer events or kills than were asked for.
pub const FEWER: &str = "less than was asked for";
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
/// Received, though no attempt is recorded, and nobody was killed over it.
pub const UNRECORDED: &str = "received without a record";
/// An attempt recorded with an answer that nobody gave, or counted and not recorded.
pub const INVENTED: &str = "recorded otherwise than it happened";
/// Received with a signature that does not hold.
pub const FORGED: &str = "signed wrongly";
/// Received with another body than the one that is stored.
pub const CHANGED: &str = "another body than the stored one";
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
    whole(case, &mut verdict);
    stored(case, &mut verdict);
    told(case, &mut verdict);
    let mut by_name: HashMap<&str, Vec<&Receipt>> = HashMap::new();
    for receipt in &case.receipts {
        by_name.entry(&receipt.name).or_default().push(receipt);
    }
    for delivery in &case.stored.deliveries {
        let receipts = by_name.remove(delivery.name.as_str()).unwrap_or_default();
        let was_taken = receipts.iter().any(|receipt| receipt.taken().is_some());
        match (was_taken, delivery.state.as_str()) {
            (true, "pending") => verdict.wrong(MISSING, &delivery.id),
            (true, _) => verdict.taken += 1,
            (false, "failed") => verdict.failed += 1,
            (false, "delivered") => verdict.wrong(CLAIMED, &delivery.id),
            (false, _) => verdict.wrong(MISSING, &delivery.id),
        }
        if receipts.iter().any(|receipt| !receipt.genuine) {
            verdict.wrong(FORGED, &delivery.id);
        }
        if receipts.iter().any(|receipt| receipt.body != delivery.body) {
            verdict.wrong(CHANGED, &delivery.id);
        }
        accounted(case, delivery, &receipts, &mut verdict);
    }
    for name in by_name.into_keys() {
        verdict.wrong(UNKNOWN, name);
    }
    ordered(case, &mut verdict);
    verdict
}

/// There was as much of it as was asked for.
fn whole(case: &Case, verdict: &mut Verdict) {
    let (events, kills) = case.asked;
    let (found, killed) = (case.stored.events.len() as u64, case.kills.len() as u64);
    if found < events {
        verdict.wrong(FEWER, format!("{found} events, not {events}"));
    }
    if killed < kills {
        verdict.wrong(FEWER, format!("{killed} kills, not {kills}"));
    }
}

/// What callers were told is there.
fn stored(case: &Case, verdict: &mut Verdict) {
    let events = case.stored.events.iter();
    let there: HashSet<(&str, &str)> = events
        .map(|event| (event.request.as_str(), event.fact.as_str()))
        .collect();
    for (request, fact) in &case.acknowledged.facts {
        if !there.contains(&(request.as_str(), *fact)) {
            verdict.wrong(LOST, format!("{fact} of {request}"));
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
        let endpoints = case.hears.iter();
        let endpoints = endpoints
            .filter(|hears| hears.hears(event))
            .map(|hears| Some(hears.endpoint.as_str()));
        // The shop itself hears through its dialect, at the address that it gave.
        let shop = matches!(
            (event.dialect.as_str(), event.fact.as_str()),
            ("hitpay", "bill.paid") | ("numipay", "bill.created" | "bill.paid")
        );
        for endpoint in endpoints.chain(shop.then_some(None)) {
            if !there.contains(&(event.id.as_str(), endpoint)) {
                let whom = endpoint.unwrap_or("the shop");
                verdict.wrong(UNTOLD, format!("{} for {whom}", event.id));
            }
        }
    }
}

/// Each receipt has its record and each recorded answer its receipt; what was taken came again
/// only where nobody could know that it was.
fn accounted(case: &Case, delivery: &Delivery, receipts: &[&Receipt], verdict: &mut Verdict) {
    let attempts = case.stored.attempts.get(&delivery.id);
    let attempts = attempts.map_or(&[][..], Vec::as_slice);
    // Which of the gateway's lives it was sent in: the number of kills before it.
    let life = |receipt: &Receipt| {
        let over = |kill: &Kill| kill.read <= receipt.came;
        case.kills.partition_point(over)
    };
    // A kill may keep one record of a delivery from being written: that of what was under way,
    // so of the last thing that came before it.
    let followers = receipts.iter().skip(1).map(Some).chain([None]);
    let cut = receipts.iter().zip(followers).map(|(receipt, next)| {
        let own = life(receipt);
        let is_last = next.is_none_or(|next| life(next) > own);
        let killed = case.kills.get(own);
        let killed = killed.is_some_and(|kill| kill.at <= receipt.came + RECORDING_MAX);
        (*receipt, is_last && killed)
    });
    let cut: Vec<(&Receipt, bool)> = cut.collect();
    let found = account::settle(&cut, attempts);
    verdict.repeated += found.repeated;
    if found.unrecorded > 0 {
        verdict.wrong(UNRECORDED, &delivery.id);
    }
    if found.invented > 0 || delivery.attempts != attempts.len() as i64 {
        verdict.wrong(INVENTED, &delivery.id);
    }
    if found.twice > 0 {
        verdict.wrong(TWICE, &delivery.id);
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
    let mut furthest: HashMap<&(String, String), (i64, i64)> = HashMap::new();
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
        if let Some(at) = receipt.taken() {
            // A slow receiver may take a first copy after a second one was taken.
            let first = taken.entry(&delivery.id).or_insert(at);
            *first = at.min(*first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::{Attempt, Ending};
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
            place: (0, place),
            state: state.to_owned(),
            attempts: 1,
            body: 1,
        }
    }

    fn event(id: &str, fact: &str) -> Event {
        Event {
            id: id.to_owned(),
            fact: fact.to_owned(),
            dialect: "hitpay".to_owned(),
            request: "9-1".to_owned(),
        }
    }

    /// A receipt at these milliseconds: came, taken.
    fn receipt(start: Instant, id: &str, came: u32, taken: Option<u32>) -> Receipt {
        Receipt {
            name: id.to_owned(),
            came: start + MS * came,
            answered: taken.map(|at| (200, start + MS * at)),
            genuine: true,
            body: 1,
            said: 1,
        }
    }

    fn kill(start: Instant, at: u32) -> Kill {
        Kill {
            at: start + MS * at,
            read: start + MS * (at + 5),
        }
    }

    fn attempt(ending: Ending) -> Attempt {
        Attempt { ending, said: 1 }
    }

    impl Case {
        /// So many more attempts of a delivery are recorded.
        fn record(&mut self, id: &str, ending: Ending) {
            let known = self.stored.attempts.entry(id.to_owned()).or_default();
            known.push(attempt(ending));
            let count = known.len() as i64;
            let deliveries = self.stored.deliveries.iter_mut();
            for delivery in deliveries.filter(|delivery| delivery.id == id) {
                delivery.attempts = count;
            }
        }

        fn forget(&mut self, id: &str) {
            self.stored.attempts.remove(id);
            let deliveries = self.stored.deliveries.iter_mut();
            for delivery in deliveries.filter(|delivery| delivery.id == id) {
                delivery.attempts = 0;
            }
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
        let facts = ["bill.created", "bill.paid"].map(|fact| ("9-1".to_owned(), fact));
        let mut case = Case {
            asked: (2, 1),
            acknowledged: Acknowledged {
                facts: facts.to_vec(),
                unanswered: 0,
            },
            stored: Stored {
                events: vec![event("evt_1", "bill.created"), event("evt_2", "bill.paid")],
                deliveries: vec![
                    delivery("dlv_1", "evt_1", 1, "delivered"),
                    delivery("dlv_2", "evt_2", 2, "delivered"),
                    shop,
                ],
                attempts: HashMap::new(),
            },
            receipts: vec![
                receipt(start, "dlv_1", 15, Some(16)),
                receipt(start, "dlv_2", 20, Some(21)),
                receipt(start, "9-1", 22, Some(23)),
            ],
            kills: vec![kill(start, 5)],
            hears: vec![Hears {
                endpoint: "end_1".to_owned(),
                dialect: None,
                facts: Vec::new(),
            }],
        };
        for id in ["dlv_1", "dlv_2", "dlv_s"] {
            case.record(id, Ending::Answered(200));
        }
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
    fn fewer_events_or_kills_than_were_asked_for_are_no_proof() {
        let (_, mut case) = good();
        case.asked = (3, 1);
        assert_eq!(kinds(&case), only(FEWER, "2 events, not 3"));
        case.asked = (2, 2);
        assert_eq!(kinds(&case), only(FEWER, "1 kills, not 2"));
        case.asked = (1, 1);
        assert_eq!(kinds(&case), []);
    }

    #[test]
    fn what_was_acknowledged_must_be_stored() {
        let (_, mut case) = good();
        case.acknowledged
            .facts
            .push(("9-2".to_owned(), "bill.created"));
        assert_eq!(kinds(&case), only(LOST, "bill.created of 9-2"));
        let (_, mut case) = good();
        case.acknowledged
            .facts
            .push(("9-1".to_owned(), "payment.captured"));
        assert_eq!(kinds(&case), only(LOST, "payment.captured of 9-1"));
    }

    #[test]
    fn an_event_is_told_to_everyone_who_hears() {
        let (_, mut case) = good();
        let mut other = Hears {
            endpoint: "end_2".to_owned(),
            dialect: None,
            facts: vec!["bill.created"],
        };
        case.hears.push(other.clone());
        assert_eq!(kinds(&case), only(UNTOLD, "evt_1 for end_2"));
        other.dialect = Some("vipps");
        case.hears[1] = other;
        assert_eq!(kinds(&case), [], "it hears of Vipps alone");
        case.stored.events[0].dialect = "vipps".to_owned();
        assert_eq!(kinds(&case), only(UNTOLD, "evt_1 for end_2"));
        let (_, mut case) = good();
        case.stored.events[0].dialect = "numipay".to_owned();
        assert_eq!(kinds(&case), only(UNTOLD, "evt_1 for the shop"));
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
            case.forget("dlv_2");
            case.record("dlv_2", Ending::Unclear);
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
    fn every_webhook_is_genuine_and_has_the_body_that_is_stored() {
        let (_, mut case) = good();
        case.receipts[1].genuine = false;
        assert_eq!(kinds(&case), only(FORGED, "dlv_2"));
        let (_, mut case) = good();
        case.receipts[1].body = 2;
        assert_eq!(kinds(&case), only(CHANGED, "dlv_2"));
        // At the second attempt only.
        let (start, mut case) = good();
        case.forget("dlv_2");
        case.record("dlv_2", Ending::Unclear);
        case.record("dlv_2", Ending::Answered(200));
        case.receipts[1].answered = None;
        case.receipts.push(receipt(start, "dlv_2", 90, Some(91)));
        assert_eq!(kinds(&case), []);
        case.receipts[3].body = 2;
        assert_eq!(kinds(&case), only(CHANGED, "dlv_2"));
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
        case.receipts[0].answered = Some((200, start + MS * 25));
        assert_eq!(kinds(&case), only(ORDER, "dlv_2"));
        // A slow receiver takes a copy that a kill broke off, after the one that came again.
        let (start, mut case) = good();
        case.kills = vec![kill(start, 6)];
        case.receipts[0] = receipt(start, "dlv_1", 3, Some(25));
        case.receipts
            .insert(1, receipt(start, "dlv_1", 15, Some(16)));
        assert_eq!(kinds(&case), []);
        // An earlier one that failed holds nobody up.
        let (_, mut case) = good();
        case.receipts.remove(0);
        case.forget("dlv_1");
        case.stored.deliveries[0].state = "failed".to_owned();
        assert_eq!(kinds(&case), []);
    }

    #[test]
    fn a_repetition_needs_a_reason() {
        let again = |start| receipt(start, "9-1", 40, Some(41));
        // Both recorded as taken: no reason, wherever the kills were.
        for at in [5, 30, 50] {
            let (start, mut case) = good();
            case.receipts.push(again(start));
            case.record("dlv_s", Ending::Answered(200));
            case.kills = vec![kill(start, at)];
            assert_eq!(kinds(&case), only(TWICE, "dlv_s"), "{at}");
        }
        // The answer to the first one did not arrive.
        let (start, mut case) = good();
        case.receipts.push(again(start));
        case.forget("dlv_s");
        case.record("dlv_s", Ending::Unclear);
        case.record("dlv_s", Ending::Answered(200));
        assert_eq!(kinds(&case), []);
        assert_eq!(judge(&case).repeated, 1);
        // It was refused: that explains nothing.
        let (start, mut case) = good();
        case.receipts.push(again(start));
        case.record("dlv_s", Ending::Unsent);
        assert_eq!(kinds(&case), only(UNRECORDED, "dlv_s"));
    }

    #[test]
    fn a_receipt_without_a_record_needs_a_kill_that_struck_it() {
        let again = |start| receipt(start, "9-1", 40, Some(41));
        let (start, mut case) = good();
        case.receipts.push(again(start));
        assert_eq!(kinds(&case), only(UNRECORDED, "dlv_s"));
        // Killed in between: the answer had not been recorded.
        case.kills = vec![kill(start, 30)];
        assert_eq!(kinds(&case), []);
        assert_eq!(judge(&case).repeated, 1);
        // The dead one had sent it, and it was read only then.
        case.kills = vec![kill(start, 20)];
        assert_eq!(kinds(&case), []);
        // Killed before it was sent.
        case.kills = vec![kill(start, 10)];
        assert_eq!(kinds(&case), only(UNRECORDED, "dlv_s"));
        // Of two that came before the kill the first was over.
        case.kills = vec![kill(start, 60)];
        case.receipts.push(receipt(start, "9-1", 70, Some(71)));
        case.forget("dlv_s");
        case.record("dlv_s", Ending::Answered(200));
        assert_eq!(kinds(&case), only(UNRECORDED, "dlv_s"));
        // Killed so long after it came that it was recorded.
        let (start, mut case) = good();
        case.kills = vec![kill(start, 3_500)];
        case.receipts
            .push(receipt(start, "9-1", 9_500, Some(9_501)));
        assert_eq!(kinds(&case), only(UNRECORDED, "dlv_s"));
    }

    #[test]
    fn a_record_tells_what_happened() {
        // Nobody answered so.
        let (_, mut case) = good();
        case.stored.attempts.insert(
            "dlv_1".to_owned(),
            vec![
                attempt(Ending::Answered(500)),
                attempt(Ending::Answered(200)),
            ],
        );
        case.stored.deliveries[0].attempts = 2;
        assert_eq!(kinds(&case), only(INVENTED, "dlv_1"));
        // One is counted and not recorded.
        let (_, mut case) = good();
        case.stored.deliveries[0].attempts = 2;
        assert_eq!(kinds(&case), only(INVENTED, "dlv_1"));
        // It came with other headers than are recorded.
        let (_, mut case) = good();
        case.receipts[0].said = 2;
        let found: Vec<&str> = kinds(&case).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(found, [UNRECORDED, INVENTED]);
    }
}
