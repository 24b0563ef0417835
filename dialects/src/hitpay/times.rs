//! Times on the wire: Singapore wall clock without an offset, as the original service writes it.

use domain::{Span, Timestamp};
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Singapore has been at UTC+8 without daylight saving since 1982.
const SINGAPORE: Offset = Offset::constant(8);

/// How far ahead `expires_after` may lie: ten years. It keeps every time printable.
const AHEAD_MAX_MINUTES: u64 = 10 * 365 * 24 * 60;

/// A point in time as `2025-05-26T15:10:00`.
pub fn print(time: Timestamp) -> String {
    let known = jiff::Timestamp::from_millisecond(time.millis()).unwrap_or(if time.millis() < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    SINGAPORE
        .to_datetime(known)
        .strftime("%Y-%m-%dT%H:%M:%S")
        .to_string()
}

/// Reads `2025-05-26 15:10:00`, or the same with a `T`.
pub fn parse(text: &str) -> Option<Timestamp> {
    const SHAPE: &[u8; 19] = b"0000-00-00 00:00:00";
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        b' ' => byte == b' ' || byte == b'T',
        _ => byte == *shape,
    };
    if text.len() != SHAPE.len() || !text.bytes().zip(SHAPE).all(fits) {
        return None;
    }
    let time: DateTime = text.parse().ok()?;
    // The calendar's parser forgives a leap second; our contract does not know one.
    if text.ends_with("60") {
        return None;
    }
    let point = SINGAPORE.to_timestamp(time).ok()?;
    Some(Timestamp::from_millis(point.as_millisecond()))
}

/// Reads `30 mins`, `5 minutes`, `2 hours`, `7 days` or a bare number of minutes.
pub fn parse_span(text: &str) -> Option<Span> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (count, unit) = text.split_at(end);
    let count: u64 = count.parse().ok()?;
    let minutes = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "min" | "mins" | "minute" | "minutes" => 1,
        "hour" | "hours" => 60,
        "day" | "days" => 24 * 60,
        _ => return None,
    };
    let total = count.checked_mul(minutes)?;
    (1..=AHEAD_MAX_MINUTES)
        .contains(&total)
        .then(|| Span::from_minutes(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_of_singapore() {
        // 2025-05-26T07:10:00Z.
        let time = Timestamp::from_millis(1_748_243_400_000);
        assert_eq!(print(time), "2025-05-26T15:10:00");
        assert_eq!(parse("2025-05-26 15:10:00"), Some(time));
        assert_eq!(parse("2025-05-26T15:10:00"), Some(time));
        assert_eq!(
            print(Timestamp::from_millis(1_748_243_400_999)),
            "2025-05-26T15:10:00"
        );
        assert_eq!(print(Timestamp::from_millis(0)), "1970-01-01T08:00:00");
    }

    #[test]
    fn the_ends_of_time_print() {
        assert_eq!(print(Timestamp::from_millis(i64::MAX)).len(), 19);
        assert!(!print(Timestamp::from_millis(i64::MIN)).is_empty());
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "2025-05-26",
            "2025-05-26 15:10",
            "2025-5-26 15:10:00",
            "26-05-2025 15:10:00",
            "2025-02-30 00:00:00",
            "2025-13-01 00:00:00",
            "2025-05-26 24:00:00",
            "2025-05-26 15:60:00",
            "2025-05-26 15:10:60",
            "2025-05-26T15:10:00Z",
            "2025-05-26T15:10:00+08:00",
            "2025-05-26t15:10:00",
            "2025/05/26 15:10:00",
            "２025-05-26 15:10:0",
            " 2025-05-26 15:10:0",
            "2025-05-26  15:10:0",
            "tomorrow",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn spans() {
        let minutes = |text: &str| parse_span(text).map(|span| span.millis() / 60_000);
        for (text, expected) in [
            ("15", 15),
            ("6 mins", 6),
            ("1 min", 1),
            ("5 minutes", 5),
            ("1 minute", 1),
            ("30mins", 30),
            ("2 hours", 120),
            ("1 Hour", 60),
            ("7 days", 10_080),
            ("1 day", 1_440),
            ("1000 mins", 1_000),
            ("3650 days", 5_256_000),
        ] {
            assert_eq!(minutes(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "0",
            "0 mins",
            "-5 mins",
            "1.5 hours",
            "five minutes",
            "5 weeks",
            "5 s",
            "mins",
            "3651 days",
            "99999999999999999999",
            "18446744073709551615 days",
            "5 mins ago",
        ] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }
}
