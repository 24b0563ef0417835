//! How far the date that was signed is from now.

use domain::Timestamp;

use crate::standard::TOLERANCE;

/// A warning if a delivery's date is too far off for receivers that look at it.
pub(super) fn warning(name: &str, signed: Timestamp, now: Timestamp) -> Option<String> {
    let (late, early) = (now.since(signed), signed.since(now));
    let (off, side) = if late >= early {
        (late, "ago")
    } else {
        (early, "ahead")
    };
    (off > TOLERANCE).then(|| {
        format!(
            "{name} is {} {side}; receivers refuse what is more than {} s off, so an old delivery \
             cannot be played again.",
            words(off.millis() / 1_000),
            TOLERANCE.millis() / 1_000
        )
    })
}

/// Seconds as the two largest units.
fn words(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min {rest} s"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} days {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use domain::Span;

    use super::*;

    #[test]
    fn only_what_is_more_than_five_minutes_off_is_named() {
        let now = Timestamp::from_millis(1_795_255_200_000);
        let off = |seconds| Span::from_seconds(seconds);
        for seconds in [0, 1, 300] {
            assert_eq!(warning("date", now.minus(off(seconds)), now), None);
            assert_eq!(warning("date", now.plus(off(seconds)), now), None);
        }
        for (seconds, said) in [
            (301, "date is 5 min 1 s ago"),
            (7_260, "date is 2 h 1 min ago"),
            (200_000, "date is 2 days 7 h ago"),
        ] {
            let text = warning("date", now.minus(off(seconds)), now).unwrap_or_default();
            assert!(text.starts_with(said), "{text}");
        }
        let text = warning("date", now.plus(off(301)), now).unwrap_or_default();
        assert!(text.starts_with("date is 5 min 1 s ahead"), "{text}");
        let ends = [i64::MIN, i64::MAX].map(Timestamp::from_millis);
        for end in ends {
            assert!(warning("date", end, now).is_some());
        }
    }
}
