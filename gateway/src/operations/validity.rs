//! Until when a gift card is good: through its last day, in the programme's time zone.
//!
//! A zone is the name of one we know or a rule as POSIX writes it (`CET-1CEST,M3.5.0,M10.5.0/3`),
//! so that no database of time zones is needed. Dates lie ahead, where only today's rule is known.

use domain::gift_card::Validity;
use domain::{Programme, Timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

/// Names of zones and their rules.
const ZONES: [(&str, &str); 9] = [
    ("UTC", "UTC0"),
    ("Europe/Oslo", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ("Europe/Stockholm", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ("Europe/Copenhagen", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ("Europe/Helsinki", "EET-2EEST,M3.5.0/3,M10.5.0/4"),
    ("Europe/London", "GMT0BST,M3.5.0/1,M10.5.0"),
    ("Asia/Singapore", "<+08>-8"),
    ("Asia/Kuala_Lumpur", "<+08>-8"),
];

/// The zone of this name or rule.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    let known = ZONES.iter().find(|(known, _)| *known == name);
    let rule = known.map_or(name, |(_, rule)| *rule);
    TimeZone::posix(rule).map_err(|_| {
        let names: Vec<&str> = ZONES.iter().map(|(known, _)| *known).collect();
        format!(
            "{name:?} is no time zone: use one of {} or a POSIX rule like \
             CET-1CEST,M3.5.0,M10.5.0/3",
            names.join(", ")
        )
    })
}

/// Through the day that is so many months from today.
pub fn usual(programme: &Programme, now: Timestamp) -> Result<Validity, String> {
    let months = i64::from(programme.months);
    from_today(programme, now, months.months())
}

/// Through the day that is so many days from today.
pub fn days(programme: &Programme, now: Timestamp, days: u32) -> Result<Validity, String> {
    from_today(programme, now, i64::from(days).days())
}

fn from_today(programme: &Programme, now: Timestamp, later: Span) -> Result<Validity, String> {
    let wrong = |error: jiff::Error| format!("a last day out of range: {error}");
    let today = jiff::Timestamp::from_millisecond(now.millis())
        .map_err(wrong)?
        .to_zoned(zone(&programme.zone)?)
        .date();
    through(programme, today.checked_add(later).map_err(wrong)?)
}

/// Through the day that a text names: `2027-12-31`.
pub fn until(programme: &Programme, day: &str) -> Result<Validity, String> {
    let day: Date = day
        .trim()
        .parse()
        .map_err(|_| format!("{day:?} is no date like 2027-12-31"))?;
    through(programme, day)
}

fn through(programme: &Programme, day: Date) -> Result<Validity, String> {
    let wrong = |error: jiff::Error| format!("a last day out of range: {error}");
    let after = day.tomorrow().map_err(wrong)?;
    let ends = after
        .to_zoned(zone(&programme.zone)?)
        .map_err(wrong)?
        .timestamp();
    Ok(Validity {
        last_day: day.to_string(),
        ends: Timestamp::from_millis(ends.as_millisecond()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(zone: &str, day: &str) -> String {
        let programme = Programme {
            zone: zone.to_owned(),
            ..Programme::default()
        };
        let validity = until(&programme, day).unwrap();
        assert_eq!(validity.last_day, day);
        let ends = jiff::Timestamp::from_millisecond(validity.ends.millis()).unwrap();
        ends.to_string()
    }

    #[test]
    fn a_day_ends_when_it_ends_there() {
        assert_eq!(ends("Europe/Oslo", "2027-12-31"), "2027-12-31T23:00:00Z");
        assert_eq!(ends("Europe/Oslo", "2027-06-30"), "2027-06-30T22:00:00Z");
        // The clocks change in the night after these days.
        assert_eq!(ends("Europe/Oslo", "2027-03-27"), "2027-03-27T23:00:00Z");
        assert_eq!(ends("Europe/Oslo", "2027-03-28"), "2027-03-28T22:00:00Z");
        assert_eq!(ends("Europe/Oslo", "2027-10-31"), "2027-10-31T23:00:00Z");
        assert_eq!(ends("Asia/Singapore", "2027-12-31"), "2027-12-31T16:00:00Z");
        assert_eq!(ends("UTC", "2028-02-29"), "2028-03-01T00:00:00Z");
    }

    #[test]
    fn today_is_the_programmes_day() {
        // 23:30 UTC on the 20th is the 21st in Oslo.
        let now = "2026-11-20T23:30:00Z".parse::<jiff::Timestamp>().unwrap();
        let now = Timestamp::from_millis(now.as_millisecond());
        let programme = Programme::default();
        assert_eq!(usual(&programme, now).unwrap().last_day, "2029-11-21");
        assert_eq!(days(&programme, now, 90).unwrap().last_day, "2027-02-19");
    }

    #[test]
    fn what_is_no_zone_or_no_day_is_named() {
        assert!(zone("Europe/Atlantis").unwrap_err().contains("Atlantis"));
        assert!(zone("Mars").unwrap_err().contains("Mars"));
        for day in ["", "2027-02-30", "31.12.2027", "9999-12-31"] {
            assert!(until(&Programme::default(), day).is_err(), "{day}");
        }
    }
}
