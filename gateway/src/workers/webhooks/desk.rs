//! How many deliveries each queue may have under way: places are earned by success and lost by
//! failure, so a receiver that hangs soon holds one place, and all that fail together at most
//! half of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use domain::limits::{
    CLAIM_MAX, IN_FLIGHT_MAX, IN_FLIGHT_OF_A_NEW_ONE, IN_FLIGHT_OF_FAILING_MAX,
    IN_FLIGHT_OF_ONE_MAX, QUEUES_MAX,
};

use super::sender::Leased;

/// What is known of one queue.
#[derive(Debug)]
struct Queue {
    under_way: usize,
    places: usize,
    failed_last: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            under_way: 0,
            places: IN_FLIGHT_OF_A_NEW_ONE,
            failed_last: false,
        }
    }
}

/// The places of all queues.
#[derive(Debug, Default)]
pub(super) struct Desk {
    queues: BTreeMap<String, Queue>,
    /// Queues in which something may be due.
    wanted: BTreeSet<String>,
    /// The queue that was served last: the next turn begins behind it.
    served: String,
    /// Where the next look begins.
    looked: String,
    under_way: usize,
    failing: usize,
}

impl Desk {
    /// Something may be due in this queue.
    pub(super) fn want(&mut self, queue: &str) {
        self.wanted.insert(queue.to_owned());
    }

    /// Where the next look begins.
    pub(super) fn place(&self) -> String {
        self.looked.clone()
    }

    /// A look found these; it saw at most `most` queues.
    pub(super) fn looked(&mut self, found: Vec<String>, most: usize) {
        self.looked = match found.last() {
            Some(last) if found.len() == most => last.clone(),
            Some(_) | None => String::new(),
        };
        self.wanted.extend(found);
        self.forget();
    }

    /// Which queues may claim how many now, beginning behind the one that was served last.
    pub(super) fn places(&mut self) -> Vec<(String, u32)> {
        let mut free = IN_FLIGHT_MAX.saturating_sub(self.under_way);
        let mut free_for_failing = IN_FLIGHT_OF_FAILING_MAX.saturating_sub(self.failing);
        let mut room = CLAIM_MAX as usize;
        let after = (Bound::Excluded(self.served.as_str()), Bound::Unbounded);
        let behind = self.wanted.range::<str, _>(after);
        let order: Vec<String> = behind.chain(&self.wanted).cloned().collect();
        let mut given: Vec<(String, u32)> = Vec::new();
        for name in order {
            if free == 0 || room == 0 {
                break;
            }
            if given.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let queue = self.queues.entry(name.clone()).or_default();
            let mut places = queue.places.saturating_sub(queue.under_way);
            places = places.min(free).min(room);
            if queue.failed_last {
                places = places.min(free_for_failing);
                free_for_failing -= places;
            }
            free -= places;
            room -= places;
            if places > 0 {
                self.served.clone_from(&name);
                given.push((name, u32::try_from(places).unwrap_or(u32::MAX)));
            }
        }
        given
    }

    /// What became of [`Self::places`]: a queue that gave less than it was asked for is empty.
    pub(super) fn claimed(&mut self, asked: &[(String, u32)], claimed: &[Leased]) {
        for (name, places) in asked {
            let got = claimed
                .iter()
                .filter(|leased| leased.delivery.new.queue == *name)
                .count();
            if got < *places as usize {
                self.wanted.remove(name);
            }
            let queue = self.queues.entry(name.clone()).or_default();
            queue.under_way += got;
            self.under_way += got;
            if queue.failed_last {
                self.failing += got;
            }
        }
    }

    /// A delivery is no longer under way.
    pub(super) fn left(&mut self, name: &str, success: bool) {
        let queue = self.queues.entry(name.to_owned()).or_default();
        if queue.failed_last {
            self.failing = self.failing.saturating_sub(1);
        }
        queue.under_way = queue.under_way.saturating_sub(1);
        self.under_way = self.under_way.saturating_sub(1);
        if queue.failed_last == success {
            // Those still under way change sides with the queue.
            if success {
                self.failing = self.failing.saturating_sub(queue.under_way);
            } else {
                self.failing += queue.under_way;
            }
            queue.failed_last = !success;
        }
        queue.places = if success {
            (queue.places + 1).min(IN_FLIGHT_OF_ONE_MAX)
        } else {
            (queue.places / 2).max(1)
        };
    }

    /// Forgets queues that have nothing under way, if there are many.
    fn forget(&mut self) {
        if self.queues.len() > QUEUES_MAX as usize * 10 {
            let wanted = &self.wanted;
            self.queues
                .retain(|name, queue| queue.under_way > 0 || wanted.contains(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(desk: &mut Desk, name: &str, count: usize) {
        let queue = desk.queues.entry(name.to_owned()).or_default();
        queue.under_way += count;
        desk.under_way += count;
        if queue.failed_last {
            desk.failing += count;
        }
    }

    #[test]
    fn success_earns_places_and_failure_halves_them() {
        let mut desk = Desk::default();
        desk.want("a");
        assert_eq!(desk.places(), [("a".to_owned(), 8)]);
        take(&mut desk, "a", 8);
        assert_eq!(desk.places(), [], "all its places are taken");
        for _ in 0..8 {
            desk.left("a", true);
        }
        assert_eq!(desk.places(), [("a".to_owned(), 16)]);
        for _ in 0..1_000 {
            desk.left("a", true);
        }
        assert_eq!(desk.places(), [("a".to_owned(), 64)]);
        for _ in 0..10 {
            desk.left("a", false);
        }
        assert_eq!(desk.places(), [("a".to_owned(), 1)]);
    }

    #[test]
    fn those_that_fail_never_hold_more_than_half() {
        let mut desk = Desk::default();
        for number in 0..1_000 {
            let name = format!("bad {number:04}");
            desk.left(&name, false);
            desk.want(&name);
        }
        let mut given = 0;
        loop {
            let places = desk.places();
            if places.is_empty() {
                break;
            }
            for (name, count) in places {
                take(&mut desk, &name, count as usize);
                given += count as usize;
            }
        }
        assert_eq!(given, IN_FLIGHT_OF_FAILING_MAX);
        desk.want("good");
        assert_eq!(desk.places(), [("good".to_owned(), 8)]);
        let names: Vec<_> = desk.queues.keys().cloned().collect();
        for name in names {
            for _ in 0..desk.queues[&name].under_way {
                desk.left(&name, true);
            }
        }
        assert_eq!((desk.under_way, desk.failing), (0, 0));
    }

    #[test]
    fn turns_go_round() {
        let mut desk = Desk::default();
        for number in 0..40 {
            desk.want(&format!("{number:02}"));
        }
        let mut met = BTreeSet::new();
        for _ in 0..5 {
            for (name, _) in desk.places() {
                met.insert(name);
            }
        }
        assert_eq!(met.len(), 40);
    }
}
