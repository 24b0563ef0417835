//! What was probably meant by a name that nobody knows.

/// Bytes of a name that is looked at: a longer one is no slip.
const NAME_MAX: usize = 100;

/// Slips in a long name.
const SLIPS_MAX: usize = 8;

/// The known name that differs least, if it is near enough to be a slip: at most eight letters,
/// and fewer than half of the name. Letter case does not count.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > NAME_MAX {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let most = SLIPS_MAX.min(name.len() / 2);
    let distances = known
        .into_iter()
        .map(|known| (distance(&name, known), known));
    distances
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= most)
        .map(|(_, known)| known)
}

/// How many letters must be added, left out or changed.
fn distance(one: &str, two: &str) -> usize {
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i.saturating_add(1);
        for (place, b) in row.iter_mut().skip(1).zip(two.bytes()) {
            let changed = diagonal.saturating_add(usize::from(a != b));
            diagonal = *place;
            let least = changed
                .min(left.saturating_add(1))
                .min(diagonal.saturating_add(1));
            *place = least;
            left = least;
        }
        if let Some(first) = row.first_mut() {
            *first = i.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn only_slips_have_a_nearest_name() {
        let known = ["bill.paid", "bill.created", "payout.paid"];
        let meant = |name: &str| nearest(name, known);
        assert_eq!(meant("bill.pay"), Some("bill.paid"));
        assert_eq!(meant("BILL.PAID"), Some("bill.paid"));
        assert_eq!(meant("payoutpaid"), Some("payout.paid"));
        assert_eq!(meant("x"), None);
        assert_eq!(meant(""), None);
        assert_eq!(meant("something else"), None);
        assert_eq!(meant(&"bill.paid".repeat(20)), None);
    }
}
