//! Attempts: one answer each, and never back to the beginning.

use domain::payment::Cause;
use domain::{Attempt, AttemptId, AttemptState, PaymentId, Refusal};

use crate::samples::{NOW, moment};

fn asked() -> Attempt {
    let id = AttemptId::mint(&moment(1), "attempt");
    Attempt::ask(id, PaymentId::mint(&moment(1), "payment"), "simulator", NOW)
}

fn every_state() -> [AttemptState; 5] {
    [
        AttemptState::Asked,
        AttemptState::Challenged,
        AttemptState::Approved,
        AttemptState::Declined(Cause::new("card_declined", "Do not honor")),
        AttemptState::Abandoned,
    ]
}

#[test]
fn every_state_answers_every_answer() {
    for from in every_state() {
        for to in every_state() {
            let answered = asked().restored(from.clone()).answer(to.clone());
            let open = matches!(from, AttemptState::Asked | AttemptState::Challenged);
            assert_eq!(from.is_open(), open);
            if open && to != AttemptState::Asked {
                assert_eq!(answered.unwrap().state(), &to);
            } else {
                let refusal = Refusal::WrongState(from.as_str().to_owned());
                assert_eq!(answered, Err(refusal), "{from:?} to {to:?}");
            }
        }
    }
}

#[test]
fn the_words_in_the_database_differ() {
    let mut words: Vec<&str> = every_state().iter().map(AttemptState::as_str).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), every_state().len());
}
