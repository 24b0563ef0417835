//! Text from elsewhere on a terminal: what is invisible is shown, and nothing steers the terminal.

use std::fmt::Write as _;

/// Control characters as their pictures; a line feed also ends the line.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{7f}' => out.push('\u{2421}'),
            _ if u32::from(c) < 0x20 => {
                out.extend(char::from_u32(0x2400 + u32::from(c)));
            }
            _ if c.is_control() || is_invisible(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            _ => out.push(c),
        }
        if c == '\n' {
            out.push(c);
        }
    }
    out
}

/// Marks that take no room or turn the direction of the text around.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || c == '\u{feff}'
}
