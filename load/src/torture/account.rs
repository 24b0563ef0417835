//! One delivery's receipts beside the records of its attempts: each receipt needs its record,
//! each recorded answer needs the receipt to which it was given, and what was taken may come
//! again only if the gateway could not know that it was.
//!
//! Both are in order, because a delivery has one attempt under way at a time. Of all the ways to
//! lay them side by side, the one that leaves the fewest questions open counts.

use super::stands::Receipt;

/// How an attempt ended, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this status.
    Answered(u16),
    /// It was sent, or may have been, and no answer came: its receiver may have taken it.
    Unclear,
    /// There was no connection, so nothing can have come.
    Unsent,
}

impl Ending {
    /// From the two columns of a record.
    pub fn of(status: Option<i64>, error: &str) -> Ending {
        const UNCLEAR: [&str; 3] = [
            "no answer within",
            "the connection was closed before an answer came",
            "the other side reset the connection",
        ];
        match status {
            Some(status) => Ending::Answered(u16::try_from(status).unwrap_or(0)),
            None if UNCLEAR.iter().any(|known| error.starts_with(known)) => Ending::Unclear,
            None => Ending::Unsent,
        }
    }
}

/// The record of one attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// How it ended.
    pub ending: Ending,
    /// See [`super::proof::said`].
    pub said: u64,
}

/// What is found when both are laid side by side.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Receipts without a record, though nobody was killed.
    pub unrecorded: usize,
    /// Recorded answers that no receiver gave.
    pub invented: usize,
    /// Taken, recorded as taken, and sent again.
    pub twice: usize,
    /// Taken and sent again, because the gateway could not know.
    pub repeated: usize,
}

/// A way to go on from a place: how many receipts and records it uses up.
const STEPS: [(usize, usize); 3] = [(1, 1), (1, 0), (0, 1)];

/// The two rows, and of each receipt whether a kill may have kept its record from being written.
struct Table<'a> {
    receipts: &'a [(&'a Receipt, bool)],
    attempts: &'a [Attempt],
}

/// Lays them side by side.
pub fn settle(receipts: &[(&Receipt, bool)], attempts: &[Attempt]) -> Account {
    let table = Table { receipts, attempts };
    let (rows, columns) = (receipts.len(), attempts.len());
    let width = columns + 1;
    // From each place on, the fewest questions that stay open.
    let mut least = vec![usize::MAX; (rows + 1) * width];
    for place in (0..least.len()).rev() {
        let (row, column) = (place / width, place % width);
        let ways = STEPS.iter().filter_map(|(down, right)| {
            let step = table.step((row, column), (*down, *right))?;
            let rest = *least.get((row + down) * width + column + right)?;
            Some(step.questions().saturating_add(rest))
        });
        let best = match (row, column) == (rows, columns) {
            true => Some(0),
            false => ways.min(),
        };
        if let Some(cell) = least.get_mut(place) {
            *cell = best.unwrap_or(usize::MAX);
        }
    }
    let mut account = Account::default();
    let (mut row, mut column) = (0, 0);
    while (row, column) != (rows, columns) {
        let ways = STEPS.iter().filter_map(|(down, right)| {
            let step = table.step((row, column), (*down, *right))?;
            let rest = *least.get((row + down) * width + column + right)?;
            Some((step.questions().saturating_add(rest), step, (*down, *right)))
        });
        let Some((_, step, (down, right))) = ways.min_by_key(|(questions, _, _)| *questions) else {
            break;
        };
        account.add(&step);
        (row, column) = (row + down, column + right);
    }
    account
}

impl Table<'_> {
    /// What one step finds; nothing if it cannot be made.
    fn step(&self, (row, column): (usize, usize), step: (usize, usize)) -> Option<Account> {
        let mut found = Account::default();
        let receipt = self.receipts.get(row);
        let attempt = self.attempts.get(column);
        let comes_again = row + 1 < self.receipts.len();
        match step {
            (1, 1) => {
                let ((receipt, _), attempt) = (receipt?, attempt?);
                let fits = match attempt.ending {
                    Ending::Answered(status) => receipt.status() == Some(status),
                    Ending::Unclear => true,
                    Ending::Unsent => false,
                };
                if !fits || receipt.said != attempt.said {
                    return None;
                }
                if receipt.taken().is_some() && comes_again {
                    match attempt.ending {
                        Ending::Unclear => found.repeated = 1,
                        Ending::Answered(_) | Ending::Unsent => found.twice = 1,
                    }
                }
            }
            (1, 0) => {
                let (receipt, cut) = receipt?;
                found.unrecorded = usize::from(!cut);
                found.repeated = usize::from(*cut && receipt.taken().is_some() && comes_again);
            }
            _ => {
                let answered = matches!(attempt?.ending, Ending::Answered(_));
                found.invented = usize::from(answered);
            }
        }
        Some(found)
    }
}

impl Account {
    fn questions(&self) -> usize {
        self.unrecorded + self.invented + self.twice
    }

    fn add(&mut self, other: &Account) {
        self.unrecorded += other.unrecorded;
        self.invented += other.invented;
        self.twice += other.twice;
        self.repeated += other.repeated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn receipt(status: Option<u16>) -> Receipt {
        let came = clock::now();
        Receipt {
            name: "dlv_1".to_owned(),
            came,
            answered: status.map(|status| (status, came)),
            genuine: true,
            body: 1,
            said: 7,
        }
    }

    fn attempt(ending: Ending) -> Attempt {
        Attempt { ending, said: 7 }
    }

    /// `(unrecorded, invented, twice, repeated)` of these answers, each with "cut by a kill".
    fn found(answers: &[(Option<u16>, bool)], endings: &[Ending]) -> (usize, usize, usize, usize) {
        let receipts: Vec<Receipt> = answers.iter().map(|(status, _)| receipt(*status)).collect();
        let cut = answers.iter().map(|(_, cut)| *cut);
        let receipts: Vec<(&Receipt, bool)> = receipts.iter().zip(cut).collect();
        let attempts: Vec<Attempt> = endings.iter().copied().map(attempt).collect();
        let Account {
            unrecorded,
            invented,
            twice,
            repeated,
        } = settle(&receipts, &attempts);
        (unrecorded, invented, twice, repeated)
    }

    const TAKEN: (Option<u16>, bool) = (Some(200), false);
    const FAILED: (Option<u16>, bool) = (Some(500), false);
    const SILENT: (Option<u16>, bool) = (None, false);
    const CUT: (Option<u16>, bool) = (Some(200), true);

    #[test]
    fn every_receipt_with_its_record_leaves_nothing_open() {
        use Ending::{Answered, Unclear, Unsent};
        let nothing = (0, 0, 0, 0);
        assert_eq!(found(&[], &[]), nothing);
        assert_eq!(found(&[TAKEN], &[Answered(200)]), nothing);
        let endings = [Unsent, Answered(500), Unclear, Unclear, Answered(200)];
        assert_eq!(found(&[FAILED, SILENT, TAKEN], &endings), nothing);
    }

    #[test]
    fn a_receipt_without_a_record_needs_a_kill() {
        use Ending::{Answered, Unsent};
        assert_eq!(found(&[FAILED, TAKEN], &[Answered(200)]), (1, 0, 0, 0));
        assert_eq!(found(&[SILENT], &[]), (1, 0, 0, 0));
        assert_eq!(
            found(&[(None, true), TAKEN], &[Answered(200)]),
            (0, 0, 0, 0)
        );
        // What was refused cannot have come.
        assert_eq!(found(&[TAKEN], &[Unsent]), (1, 0, 0, 0));
        // One kill explains one, not the other.
        assert_eq!(found(&[CUT, TAKEN, TAKEN], &[Answered(200)]).0, 1);
    }

    #[test]
    fn a_recorded_answer_needs_the_receipt_to_which_it_was_given() {
        use Ending::Answered;
        assert_eq!(found(&[], &[Answered(500)]), (0, 1, 0, 0));
        assert_eq!(
            found(&[FAILED], &[Answered(500), Answered(200)]),
            (0, 1, 0, 0)
        );
        // Another status, or other bytes, is another one.
        assert_eq!(found(&[FAILED], &[Answered(200)]), (1, 1, 0, 0));
        let other = Attempt {
            said: 8,
            ..attempt(Answered(200))
        };
        let account = settle(&[(&receipt(Some(200)), false)], &[other]);
        assert_eq!((account.unrecorded, account.invented), (1, 1));
    }

    #[test]
    fn what_was_taken_comes_again_only_if_nobody_could_know() {
        use Ending::{Answered, Unclear, Unsent};
        let both = [Answered(200), Answered(200)];
        assert_eq!(found(&[TAKEN, TAKEN], &both), (0, 0, 1, 0));
        let lost = [Unclear, Answered(200)];
        assert_eq!(found(&[TAKEN, TAKEN], &lost), (0, 0, 0, 1));
        assert_eq!(found(&[CUT, TAKEN], &[Answered(200)]), (0, 0, 0, 1));
        // A refused connection in between explains nothing.
        let refused = [Answered(200), Unsent, Answered(200)];
        assert_eq!(found(&[TAKEN, TAKEN], &refused), (0, 0, 1, 0));
        // One unclear answer explains one repetition.
        let thrice = [Unclear, Answered(200), Answered(200)];
        assert_eq!(found(&[TAKEN, TAKEN, TAKEN], &thrice), (0, 0, 1, 1));
    }

    #[test]
    fn only_what_may_have_been_sent_is_unclear() {
        let of = |error| Ending::of(None, error);
        assert_eq!(of("no answer within 1 s"), Ending::Unclear);
        assert_eq!(of("the other side reset the connection"), Ending::Unclear);
        assert_eq!(of("connection refused by 127.0.0.1:1"), Ending::Unsent);
        assert_eq!(
            of("no connection to 127.0.0.1:1 within 10 s"),
            Ending::Unsent
        );
        assert_eq!(Ending::of(Some(410), ""), Ending::Answered(410));
    }
}
