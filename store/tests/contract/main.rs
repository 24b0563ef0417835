//! What every database under Florin must do. A case is a plain function over a [`lab::Lab`]; the
//! macro below makes one test of each for every database.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking and may print"
)]

mod audit;
mod backlogs;
mod backups;
mod bills;
mod calls;
mod cluster;
mod concurrency;
mod durability;
mod endpoints;
mod idempotency;
mod keys;
mod lab;
mod ledger;
mod lines;
mod merchants;
mod migrations;
mod moves;
mod outbox;
mod outcomes;
mod payments;
mod payouts;
mod plans;
mod portable;
mod records;
mod reservations;
mod servers;
mod tls;

macro_rules! suite {
    ($($area:ident: [$($case:ident),* $(,)?])*) => {
        mod sqlite {
            $(mod $area {
                $(#[test]
                fn $case() {
                    crate::lab::Lab::sqlite().iter().for_each(crate::$area::$case);
                })*
            })*
        }
        /// As in production: each closure once, several jobs together.
        mod postgres_once {
            $(mod $area {
                $(#[test]
                fn $case() {
                    crate::lab::Lab::postgres_once().iter().for_each(crate::$area::$case);
                })*
            })*
        }
        mod postgres {
            $(mod $area {
                $(#[test]
                fn $case() {
                    crate::lab::Lab::postgres().iter().for_each(crate::$area::$case);
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
        expired_ones_are_listed_in_order_swept_or_not,
        counting_stops_at_its_bound,
        a_reference_finds_the_newest,
        due_bills_are_open_and_past_their_time,
    ]
    payments: [
        a_payment_comes_back_with_its_sums,
        what_is_added_before_the_yes_is_kept,
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
        sums_of_the_largest_amounts_are_exact,
    ]
    outbox: [
        a_delivery_is_claimed_once,
        a_lost_lease_records_what_was_sent_and_decides_nothing,
        what_was_taken_late_is_delivered,
        a_retry_waits_and_a_success_ends,
        one_subject_and_target_stays_in_order,
        leases_of_a_dead_process_are_freed,
        a_delivery_is_sent_again_in_any_state,
        events_are_listed_in_order,
    ]
    backlogs: [
        what_waits_for_a_paused_endpoint_is_not_read,
        what_is_due_is_found_in_order_without_sorting,
        what_is_over_does_not_slow_the_emptying_down,
    ]
    lines: [
        only_the_first_of_a_subject_is_due,
        the_next_in_line_goes_after_a_success_a_failure_and_a_skip,
        lines_are_apart_by_subject_and_by_queue,
        a_retry_holds_its_line_up,
        one_behind_can_be_sent_by_hand_and_goes_back_to_its_place,
        an_attempt_by_hand_gives_the_schedule_back,
        a_resend_waits_for_the_attempt_under_way,
        an_attempt_by_hand_is_not_the_first_of_the_schedule,
        what_somebody_skipped_says_so_after_a_resend_that_fails,
        what_is_sent_again_stands_in_its_line,
        what_was_delivered_stays_so_when_its_resend_is_skipped,
        only_what_waits_can_be_given_up,
        a_lease_is_given_back_by_its_holder_alone,
        a_claim_takes_no_more_than_asked_the_longest_waiting_first,
        queues_are_walked_in_pages,
        any_order_of_steps_keeps_every_line_moving,
    ]
    endpoints: [
        an_endpoint_comes_back_as_it_was_saved,
        an_update_needs_the_version_that_was_read,
        removed_ones_are_found_and_not_listed,
        those_that_fail_are_found_page_by_page,
        a_removal_is_listed_and_taken_back,
        one_name_on_the_wire_is_given_once_in_a_scheme,
        secrets_end_while_they_are_replaced,
        a_paused_endpoint_gets_nothing_and_loses_nothing,
        a_delivery_goes_where_its_endpoint_is_now,
        a_removed_endpoint_is_emptied_in_bounded_steps,
        lists_are_filtered_and_paged,
        a_range_takes_what_is_over_in_its_time,
        what_was_written_together_is_taken_in_its_order,
    ]
    audit: [entries_come_back_in_order_and_stay]
    idempotency: [
        a_key_is_remembered_with_its_answer,
        a_refused_attempt_leaves_only_what_came_around_it,
        old_keys_are_forgotten,
    ]
    keys: [
        a_key_keeps_its_name_and_its_end,
        a_key_is_ended_once_and_by_its_owner_alone,
        an_ended_key_comes_back_for_its_owner_alone
    ]
    payouts: [
        a_list_of_payouts_is_newest_first_of_one_owner_and_state,
        every_state_of_a_payout_comes_back,
        an_update_of_a_payout_needs_the_version_that_was_read,
        due_payouts_are_those_whose_stage_is_over,
        the_schema_refuses_states_that_no_rule_reaches,
        an_id_of_the_merchant_is_used_once,
        a_list_is_newest_first_whole_and_without_repeats,
        a_balance_is_the_sum_of_all_lanes_and_remembered,
        two_requests_cannot_spend_the_same_money,
        settings_are_kept_for_each_mode,
        old_transfers_keep_their_hashes,
    ]
    calls: [
        calls_are_counted_within_their_minute,
        what_was_counted_is_forgotten_when_it_is_over,
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
        a_bound_holds_in_a_race,
        a_long_transaction_comes_to_its_end,
        a_writer_sees_what_was_answered_before,
        every_statement_can_be_prepared,
        every_text_comes_back,
    ]
    durability: [
        what_was_answered_is_there_after_a_reopening,
        what_need_not_be_synced_is_kept_by_a_closing_and_in_order,
        what_need_not_be_synced_leaves_the_others_synced,
        both_kinds_of_writes_are_answered_when_they_meet,
        another_process_may_write_or_is_refused,
        looking_needs_no_lock_and_cannot_write,
    ]
    moves: [
        everything_is_moved_to_every_database_and_back,
        an_interrupted_move_goes_on_and_nobody_starts_before,
        a_database_at_work_is_neither_moved_nor_moved_into,
        only_an_empty_database_is_moved_into,
        a_row_that_differs_is_found,
        what_a_move_finds_wrong_in_the_end_keeps_everybody_away,
        a_source_that_changed_behind_a_move_is_told_with_what_to_do,
    ]
    migrations: [
        a_newer_schema_is_refused,
        an_altered_migration_is_refused,
        reopening_changes_nothing,
        a_place_that_cannot_be_used_is_one_clear_line,
        a_filled_foundation_becomes_queues_and_loses_nothing,
    ]
}
