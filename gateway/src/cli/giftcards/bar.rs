//! How far long work has come, on standard error: a bar that is redrawn on a terminal, a line
//! every tenth elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::clock::stopwatch;

/// Characters of the bar.
const WIDTH: usize = 30;

/// How far something has come.
#[derive(Debug)]
pub(super) struct Bar {
    what: &'static str,
    total: usize,
    began: Duration,
    live: bool,
    tenth: usize,
}

impl Bar {
    /// Work of so many parts.
    pub(super) fn new(what: &'static str, total: usize) -> Self {
        Self {
            what,
            total,
            began: stopwatch(),
            live: std::io::stderr().is_terminal(),
            tenth: 0,
        }
    }

    /// So many are done.
    pub(super) fn at(&mut self, done: usize) {
        let spent = stopwatch().saturating_sub(self.began);
        let text = text(self.what, (done, self.total), spent);
        if self.live {
            let end = if done >= self.total { "\n" } else { "" };
            show(&format!("\r{text}\u{1b}[K{end}"));
            return;
        }
        let tenth = tenths(done, self.total);
        if tenth > self.tenth {
            self.tenth = tenth;
            show(&format!("{text}\n"));
        }
    }
}

/// Progress that nobody can see is no reason to stop.
fn show(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    let _ = err.flush();
}

fn tenths(done: usize, total: usize) -> usize {
    done.saturating_mul(10).checked_div(total).unwrap_or(10)
}

fn text(what: &str, (done, total): (usize, usize), spent: Duration) -> String {
    let full = done
        .saturating_mul(WIDTH)
        .checked_div(total)
        .unwrap_or(WIDTH)
        .min(WIDTH);
    let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH - full));
    let left = (total.saturating_sub(done) as u128)
        .saturating_mul(spent.as_millis())
        .checked_div(done as u128)
        .unwrap_or(0)
        .div_ceil(1_000);
    let left = match (done, total) {
        (0, _) => String::new(),
        (done, total) if done >= total => format!(", took {} s", spent.as_secs()),
        _ => format!(", about {left} s left"),
    };
    format!("{what} [{bar}] {done} of {total}{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_and_how_long() {
        let shown = text("Issuing", (250, 1_000), Duration::from_secs(10));
        assert!(shown.starts_with("Issuing [#######..."), "{shown}");
        assert!(shown.ends_with("250 of 1000, about 30 s left"), "{shown}");
        let shown = text("Issuing", (0, 1_000), Duration::ZERO);
        assert!(shown.ends_with("] 0 of 1000"), "{shown}");
        let shown = text("Issuing", (7, 7), Duration::from_secs(3));
        assert!(shown.ends_with("7 of 7, took 3 s"), "{shown}");
        assert_eq!(tenths(0, 0), 10);
    }
}
