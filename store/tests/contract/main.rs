//! What every database under Florin must do. A case is a plain function over a [`lab::Lab`]; the
//! macro below makes one test of each for every adapter. A second database adds a lab and a line.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking and may print"
)]

mod bills;
mod concurrency;
mod durability;
mod idempotency;
mod lab;
mod ledger;
mod merchants;
mod migrations;
mod outbox;
mod payments;
mod records;
mod reservations;

macro_rules! suite {
    ($($area:ident: [$($case:ident),* $(,)?])*) => {
        mod sqlite {
            $(mod $area {
                $(#[test]
                fn $case() {
                    crate::$area::$case(&crate::lab::Lab::sqlite());
                })*
            })*
        }
    };
}

suite! {
    merchants: [
        a_key_finds_its_merchant_and_nothing_else,
        revoked_keys_find_nobody,
        a_slug_is_given_once,
        a_secret_is_replaced_under_its_name,
    ]
    bills: [
        a_bill_comes_back_as_it_was_saved,
        every_state_comes_back,
        an_update_needs_the_version_that_was_read,
        pages_are_newest_first_and_exclude_deleted_ones,
        a_state_filter_knows_that_time_has_passed,
        a_reference_finds_the_newest,
        due_bills_are_open_and_past_their_time,
    ]
    payments: [
        a_payment_comes_back_with_its_sums,
        every_ending_comes_back,
        the_schema_refuses_sums_that_no_rule_allows,
        declines_are_counted_within_a_time,
        one_form_has_one_attempt,
        an_attempt_is_answered_once,
    ]
    ledger: [
        a_journal_is_chained_and_balanced,
        a_changed_row_breaks_the_chain,
        balances_sum_to_zero,
    ]
    outbox: [
        a_delivery_is_claimed_once,
        a_lost_lease_records_nothing,
        a_retry_waits_and_a_success_ends,
        one_subject_and_target_stays_in_order,
        leases_of_a_dead_process_are_freed,
        a_delivery_is_sent_again_in_any_state,
        events_are_listed_in_order,
    ]
    idempotency: [
        a_key_is_remembered_with_its_answer,
        a_refused_attempt_leaves_only_what_came_around_it,
        old_keys_are_forgotten,
    ]
    records: [an_object_is_kept_and_replaced, objects_are_listed_by_the_start_of_their_id]
    reservations: [
        a_reference_finds_its_reservation_and_is_given_once,
        phones_and_deadlines_are_found_in_order,
        steps_come_back_in_order,
        an_account_number_is_given_once,
    ]
    concurrency: [
        a_refused_job_leaves_nothing_and_hurts_no_neighbour,
        a_panic_is_one_callers_fault,
        a_failed_statement_poisons_its_transaction,
        many_writers_lose_nothing,
        a_reader_sees_one_snapshot,
        every_statement_can_be_prepared,
    ]
    durability: [
        what_was_answered_is_there_after_a_reopening,
        a_second_process_is_refused,
        looking_needs_no_lock_and_cannot_write,
    ]
    migrations: [
        a_newer_schema_is_refused,
        an_altered_migration_is_refused,
        reopening_changes_nothing,
        an_unwritable_place_is_one_clear_line,
    ]
}
