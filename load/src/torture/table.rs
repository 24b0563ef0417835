//! The result of a run as a table, and the ids of what is wrong.

use std::fmt::Write as _;
use std::time::Duration;

use super::judge::{Case, Verdict};

/// Ids shown of each kind of what is wrong.
pub const SHOWN: usize = 20;

/// The table, and a sentence if every promise was kept.
pub fn table(
    seed: u64,
    case: &Case,
    verdict: &Verdict,
    (produced, whole, moved): (Duration, Duration, u64),
) -> String {
    let seconds = whole.as_secs_f64();
    let received = case.receipts.len();
    let refused = case.receipts.iter().filter(|one| one.taken().is_none());
    let told = |fact: &str| {
        let facts = case.acknowledged.facts.iter();
        facts.filter(|(_, told)| *told == fact).count().to_string()
    };
    let attempts: i64 = case.stored.deliveries.iter().map(|one| one.attempts).sum();
    let rate = received as f64 / seconds;
    let rows = [
        ("seed", seed.to_string()),
        ("payments acknowledged as created", told("bill.created")),
        ("as authorised (Vipps)", told("payment.authorized")),
        ("as captured (Vipps)", told("payment.captured")),
        ("as paid (HitPay, Numipay)", told("bill.paid")),
        (
            "calls without an answer",
            case.acknowledged.unanswered.to_string(),
        ),
        ("events", case.stored.events.len().to_string()),
        ("deliveries", case.stored.deliveries.len().to_string()),
        ("attempts recorded", attempts.to_string()),
        ("requests that reached a receiver", received.to_string()),
        ("of these not taken", refused.count().to_string()),
        ("deliveries received", verdict.taken.to_string()),
        ("deliveries listed as failed", verdict.failed.to_string()),
        (
            "received again after an unclear answer",
            verdict.repeated.to_string(),
        ),
        ("kills", case.kills.len().to_string()),
        ("clock moved by", format!("{moved} s at least")),
        ("production took", format!("{produced:.1?}")),
        (
            "all of it took",
            format!("{whole:.1?} ({rate:.0} requests/s)"),
        ),
    ];
    let mut text = String::new();
    for (what, figure) in rows {
        let _ = writeln!(text, "{what:<40} {figure}");
    }
    for (kind, ids) in &verdict.wrong {
        let _ = writeln!(text, "WRONG: {kind}: {}", ids.len());
        for id in ids.iter().take(SHOWN) {
            let _ = writeln!(text, "    {id}");
        }
        if ids.len() > SHOWN {
            let _ = writeln!(text, "    and {} more", ids.len() - SHOWN);
        }
    }
    if verdict.wrong.is_empty() {
        text.push_str("Every promise was kept.\n");
    }
    text
}
