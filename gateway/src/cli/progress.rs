//! How far long work has come, on standard error: a bar that moves on a terminal, a line for every
//! tenth elsewhere.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use crate::clock;

/// Cells of the bar.
const CELLS: u64 = 24;

/// How often the bar moves at most.
const EVERY: Duration = Duration::from_millis(100);

/// The bar of one command.
#[derive(Debug)]
pub(super) struct Bar {
    terminal: bool,
    /// What is going on, since when, and how much was done by then.
    stage: Option<(String, Duration, u64)>,
    shown: Option<Duration>,
    tenth: u64,
}

impl Bar {
    pub(super) fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            stage: None,
            shown: None,
            tenth: 0,
        }
    }

    /// Shows that so much of a stage is done.
    pub(super) fn show(&mut self, stage: &str, detail: &str, (done, total): (u64, u64)) {
        let now = clock::stopwatch();
        if self.stage.as_ref().is_none_or(|(name, ..)| name != stage) {
            self.stage = Some((stage.to_owned(), now, done));
            (self.shown, self.tenth) = (None, 0);
        }
        let tenth = (done * 10).checked_div(total).unwrap_or(10);
        let due = match self.shown {
            None => true,
            Some(at) if self.terminal => now.saturating_sub(at) >= EVERY || done == total,
            Some(_) => tenth > self.tenth,
        };
        if !due {
            return;
        }
        (self.shown, self.tenth) = (Some(now), tenth);
        let left = self.stage.as_ref().and_then(|(_, since, begun)| {
            left(
                now.saturating_sub(*since),
                done.saturating_sub(*begun),
                total - done.min(total),
            )
        });
        let text = line(stage, detail, (done, total), left);
        let mut err = std::io::stderr().lock();
        // Nobody may be looking.
        let _ = match self.terminal {
            true => write!(err, "\r\x1b[K{text}"),
            false => writeln!(err, "{text}"),
        };
        let _ = err.flush();
    }

    /// Leaves the terminal clean for what is said next.
    pub(super) fn end(&self) {
        if self.terminal && self.shown.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// How long the rest takes at the speed so far.
fn left(spent: Duration, done: u64, rest: u64) -> Option<Duration> {
    let millis = u64::try_from(spent.as_millis()).ok()?;
    let whole = millis.checked_mul(rest)?.checked_div(done)?;
    (millis > 1_000).then(|| Duration::from_millis(whole))
}

fn line(stage: &str, detail: &str, (done, total): (u64, u64), left: Option<Duration>) -> String {
    let share = |of: u64| (done.min(total) * of).checked_div(total).unwrap_or(of);
    let full = share(CELLS);
    let cells: String = (0..CELLS)
        .map(|at| if at < full { '#' } else { '-' })
        .collect();
    let mut text = format!("[{cells}] {:>3} %  {stage}", share(100));
    if !detail.is_empty() {
        let _ = write!(text, " {detail}");
    }
    if let Some(left) = left {
        let seconds = left.as_secs();
        let _ = match seconds {
            0..60 => write!(text, ", {seconds} s left"),
            60..3_600 => write!(text, ", {} min left", seconds / 60),
            _ => write!(
                text,
                ", {} h {} min left",
                seconds / 3_600,
                seconds / 60 % 60
            ),
        };
    }
    text
}

/// A number with commas between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_long() {
        assert_eq!(
            line("copying", "bills", (50, 100), Some(Duration::from_secs(90))),
            "[############------------]  50 %  copying bills, 1 min left"
        );
        assert_eq!(
            line("reading", "", (0, 0), None),
            "[########################] 100 %  reading"
        );
        let over = line("copying", "", (120, 100), Some(Duration::from_secs(3_700)));
        assert!(
            over.contains("100 %") && over.ends_with("1 h 1 min left"),
            "{over}"
        );
    }

    #[test]
    fn the_rest_is_reckoned_from_the_speed() {
        let spent = Duration::from_secs(10);
        assert_eq!(left(spent, 100, 300), Some(Duration::from_secs(30)));
        assert_eq!(left(spent, 0, 300), None);
        assert_eq!(left(Duration::from_millis(10), 1, 300), None);
    }

    #[test]
    fn thousands_are_apart() {
        let text = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(text, ["0", "999", "1,000", "1,234,567"]);
    }
}
