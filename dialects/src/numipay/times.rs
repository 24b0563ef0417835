//! Times on the wire: days as `DD-MM-YYYY`, moments as RFC 3339; always UTC.

use domain::card::YearMonth;
use domain::{Span, Timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Date);

/// One day later than a day's first moment is its end.
const DAY: Span = Span::from_minutes(24 * 60);

impl Day {
    /// The day of a moment.
    pub fn of(now: Timestamp) -> Self {
        Self(date(now))
    }

    /// Reads `01-08-2024`, or an RFC 3339 time, of which the date counts as it is written.
    pub fn parse(text: &str) -> Option<Self> {
        if let [d1, d2, b'-', m1, m2, b'-', year @ ..] = text.as_bytes() {
            let digits = [*d1, *d2, *m1, *m2];
            let all = digits.iter().chain(year).all(u8::is_ascii_digit);
            if !all || year.len() != 4 {
                return None;
            }
            let day = text.get(..2)?.parse().ok()?;
            let month = text.get(3..5)?.parse().ok()?;
            let year = text.get(6..)?.parse().ok()?;
            return Date::new(year, month, day).ok().map(Self);
        }
        // In a query a plus sign may arrive as a blank.
        let text = text.replace(' ', "+");
        let date = text.get(..10)?;
        let shape = text.len() > 10 && matches!(text.as_bytes().get(10), Some(b'T' | b't'));
        let known = text.parse::<jiff::Timestamp>().is_ok();
        (shape && known).then(|| date.parse().ok().map(Self))?
    }

    /// How many days after `earlier` this is; below zero if it is before.
    pub fn days_after(self, earlier: Self) -> i64 {
        let days = |date: Date| {
            date.to_zoned(TimeZone::UTC)
                .map_or(0, |time| time.timestamp().as_second() / 86_400)
        };
        days(self.0) - days(earlier.0)
    }

    /// Its first moment.
    pub fn begins(self) -> Timestamp {
        let time = self.0.to_zoned(TimeZone::UTC);
        Timestamp::from_millis(time.map_or(0, |time| time.timestamp().as_millisecond()))
    }

    /// The first moment of the next day.
    pub fn ends(self) -> Timestamp {
        self.begins().plus(DAY)
    }
}

fn date(now: Timestamp) -> Date {
    let instant = jiff::Timestamp::from_millisecond(now.millis()).unwrap_or_default();
    instant.to_zoned(TimeZone::UTC).date()
}

/// The month of a moment: what a card's expiry is measured against.
pub fn month(now: Timestamp) -> YearMonth {
    let date = date(now);
    YearMonth {
        year: u16::try_from(date.year()).unwrap_or(0),
        month: u8::try_from(date.month()).unwrap_or(1),
    }
}

/// A moment as `2024-08-01T10:00:00Z`.
pub fn print(time: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(time.millis()).unwrap_or_default();
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_in_both_spellings() {
        // 2024-08-01T00:00:00Z.
        let first = Timestamp::from_millis(1_722_470_400_000);
        let day = Day::parse("01-08-2024").unwrap();
        assert_eq!(day.begins(), first);
        assert_eq!(day.ends(), first.plus(DAY));
        for same in [
            "2024-08-01T00:00:00Z",
            "2024-08-01T23:59:59.999Z",
            "2024-08-01T23:00:00-05:00",
            "2024-08-01T01:00:00 02:00",
        ] {
            assert_eq!(Day::parse(same), Some(day), "{same}");
        }
        assert_eq!(Day::parse("31-08-2024").unwrap().days_after(day), 30);
        assert_eq!(day.days_after(Day::parse("02-08-2024").unwrap()), -1);
        assert_eq!(print(first), "2024-08-01T00:00:00Z");
        assert_eq!(month(first).month, 8);
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "1-8-2024",
            "2024-08-01",
            "01/08/2024",
            "31-02-2024",
            "00-01-2024",
            "01-13-2024",
            "01-08-24",
            "+1-08-2024",
            "01-08-20245",
            "2024-08-01T25:00:00Z",
            "2024-08-01T10:00:00",
            "today",
            "２1-08-2024",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }
}
