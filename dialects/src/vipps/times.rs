//! Times on this wire: RFC 3339 in UTC with milliseconds.

use domain::Timestamp;

/// `2025-05-31T17:29:23.358Z`.
pub fn print(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .map_or_else(|_| at.millis().to_string(), |at| format!("{at:.3}"))
}

/// `2026-09-01T07:53:44.812+00:00`, as the end of a capture window is written.
pub fn print_with_offset(at: Timestamp) -> String {
    let text = print(at);
    match text.strip_suffix('Z') {
        Some(plain) => format!("{plain}+00:00"),
        None => text,
    }
}

/// `2025-05-31 17:29:23Z`, as the identity provider writes it.
pub fn print_plain(at: Timestamp) -> String {
    let text = print(at).replacen('T', " ", 1);
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

/// Reads RFC 3339 with any offset; finer parts of a millisecond are dropped.
pub fn parse(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}
