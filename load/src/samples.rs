//! Latencies of one run, exact: every one is kept and sorted, nothing is put into classes.

use std::time::Duration;

/// Sorted latencies.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Sorts what was measured.
    pub fn new(mut taken: Vec<Duration>) -> Samples {
        taken.sort_unstable();
        Samples(taken)
    }

    /// The smallest latency that `per_mille` of 1,000 do not exceed, in milliseconds; 1,000 is
    /// the longest. Zero where nothing was measured.
    pub fn at(&self, per_mille: usize) -> f64 {
        let rank = (self.0.len() * per_mille).div_ceil(1_000).max(1);
        self.0
            .get(rank - 1)
            .map_or(0.0, |taken| taken.as_secs_f64() * 1_000.0)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// The middle of several rounds; of an even number the mean of the two middle ones.
pub fn median(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (left, right) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
    match (sorted.get(left), sorted.get(right)) {
        (Some(left), Some(right)) => f64::midpoint(*left, *right),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_smallest_that_covers_its_share() {
        let samples = Samples::new((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!(samples.at(500), 100.0);
        assert_eq!(samples.at(990), 198.0);
        assert_eq!(samples.at(999), 200.0);
        assert_eq!(samples.at(1_000), 200.0);
        assert_eq!(samples.at(0), 1.0);
        assert_eq!(samples.len(), 200);
    }

    #[test]
    fn nothing_measured_is_zero_and_one_is_itself() {
        assert_eq!(Samples::default().at(990), 0.0);
        let one = Samples::new(vec![Duration::from_millis(7)]);
        assert_eq!((one.at(1), one.at(990)), (7.0, 7.0));
    }

    #[test]
    fn the_median_does_not_care_about_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }
}
