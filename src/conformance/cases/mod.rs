//! The table of all cases.
//!
//! A line is `file::name [needs];`. The name starts with the rule that the case tests.

mod bounds;
mod claim_fence;
mod claims;
mod closes;
mod commits;
mod concurrency;
mod crowds;
mod deliveries;
mod dropped;
mod due;
mod erasure;
mod executors;
mod expiry;
mod exported;
mod failure;
mod identity;
mod leases;
mod leftovers;
mod operator;
mod owners;
mod passing_on;
mod payloads;
mod progress;
mod queues;
mod quotas;
mod race;
mod replies;
mod scans;
mod secrets;
mod sessions;
mod start_commits;
mod start_records;
mod starts;
mod tenancy;
mod time;
mod timeouts;
mod transfer;
mod turns;
mod waits;

use super::case::Case;
use super::need::Need;

/// Returns all cases, in the order of the contract's rules.
#[must_use]
pub const fn cases() -> &'static [Case] {
    CASES
}

macro_rules! table {
    ($d:tt $($group:ident :: $name:ident $([$($need:ident),*])? ;)*) => {
        const CASES: &[Case] = &[
            $(Case {
                name: stringify!($name),
                needs: &[$($(Need::$need),*)?],
                run: $group::$name,
            }),*
        ];

        /// Makes one `#[test]` for each case and API, in modules `blocking_api` and `async_api`.
        ///
        /// The expression is evaluated in each test and makes its
        /// [`Subject`](crate::conformance::Subject). A test fails if its case is skipped, unless
        /// the subject waives what the case needs.
        ///
        /// ```
        /// # mod example {
        /// use greentic_session::conformance::{Need, Subject};
        /// use greentic_session::inmemory::InMemorySessionStore;
        ///
        /// fn subject() -> Subject {
        ///     Subject::both_apis(std::sync::Arc::new(InMemorySessionStore::new()))
        ///         .without(Need::Clock, "tested elsewhere")
        ///         .without(Need::Options, "tested elsewhere")
        ///         .without(Need::Leftovers, "tested elsewhere")
        ///         .without(Need::Reopen, "the memory ends with the process")
        /// }
        ///
        /// greentic_session::conformance_tests!(memory, subject());
        /// # }
        /// ```
        #[macro_export]
        macro_rules! conformance_tests {
            ($d module:ident, $d subject:expr) => {
                mod $d module {
                    #[allow(unused_imports)]
                    use super::*;

                    mod blocking_api {
                        #[allow(unused_imports)]
                        use super::*;
                        $crate::conformance_tests!(@api Blocking, $d subject);
                    }

                    mod async_api {
                        #[allow(unused_imports)]
                        use super::*;
                        $crate::conformance_tests!(@api Async, $d subject);
                    }
                }
            };
            (@api $d api:ident, $d subject:expr) => {
                $(
                    #[test]
                    fn $name() {
                        let api = $crate::conformance::Api::$d api;
                        $crate::conformance::check(stringify!($name), api, &$d subject);
                    }
                )*
            };
        }
    };
}

table! { $
    identity::c01_contradictory_contexts_are_refused;
    identity::c01_contradictory_contexts_are_refused_by_all_operations [AllOperations];
    identity::c01_ids_outside_the_grammar_are_refused;
    identity::c01_overlong_ids_are_refused;
    identity::c01_either_of_two_duplicate_fields_is_enough;
    identity::c02_create_refuses_the_data_of_another_env_tenant_or_team;
    identity::c02_register_refuses_the_data_of_another_owner;
    identity::c02_data_without_a_user_is_stored_as_given;
    identity::c02_data_without_a_user_stays_without;
    identity::c03_update_keeps_every_part_of_the_identity;
    identity::c03_update_keeps_an_absent_team_and_user;

    owners::c04_the_same_scope_of_other_owners_is_another_wait;
    owners::c04_a_foreign_key_is_refused_on_register;
    owners::c04_a_foreign_key_is_refused_on_create [AllOperations];
    owners::c04_no_team_and_a_team_named_dash_are_two_owners;
    owners::c04_confusable_scopes_are_different_waits;
    owners::c04_a_context_of_another_user_sees_nothing;
    owners::c04_a_context_without_a_user_may_name_one;
    owners::c04_sessions_without_a_user_are_owners_of_their_own;
    owners::c04_look_ups_stay_with_their_owner;
    owners::c05_get_needs_only_the_key;
    owners::c05_a_fenced_get_returns_none_for_another_owner [AllOperations];
    owners::c05_a_fenced_get_without_a_user_reads_only_sessions_without_one [AllOperations];

    sessions::c06_fresh_keys_are_long_and_differ;
    sessions::c06_a_created_session_is_found;
    sessions::c06_the_latest_created_session_is_found;
    sessions::c06_one_wait_wins;
    sessions::c06_several_waits_are_ambiguous;
    sessions::c06_remove_clears_the_look_up;
    crowds::c06_one_wait_is_found_beside_many_that_are_over;
    sessions::c06_a_store_may_see_waits_only [Options];
    sessions::c06_a_store_may_see_created_sessions_too [Options];
    sessions::c06_a_registered_session_is_not_a_created_one;
    sessions::c06_clearing_a_created_session_clears_the_look_up;
    sessions::c06_a_chosen_key_is_found [AllOperations];
    sessions::c07_update_replaces_the_data;
    sessions::c07_update_counts_and_keeps_the_deadline [AllOperations];
    sessions::c07_update_keeps_wait_and_look_ups;
    sessions::c07_a_missing_session_is_not_found;
    sessions::c07_remove_takes_the_wait;
    sessions::c07_a_removed_key_is_free [AllOperations];
    payloads::c08_payloads_come_back_byte_for_byte;
    payloads::c08_every_field_comes_back;
    payloads::c08_a_mebibyte_comes_back;
    payloads::c08_odd_session_keys_work;
    payloads::c08_data_that_cannot_be_read_back_is_refused;
    payloads::c08_the_limit_names_both_sizes [Options];

    waits::c09_register_stores_data_and_route;
    waits::c09_register_moves_the_same_session;
    waits::c09_register_displaces_another_session;
    waits::c09_a_displaced_session_keeps_its_deadline [AllOperations];
    waits::c09_a_displaced_session_parks_again;
    waits::c09_a_move_displaces_too;
    waits::c09_registering_again_replaces_the_data;
    waits::c09_a_created_session_can_wait;
    waits::c09_each_registration_increases_the_revision [AllOperations];
    quotas::c09_one_wait_more_than_the_limit_is_refused [Options];
    quotas::c09_a_refused_wait_is_counted [AllOperations, Options];
    quotas::c09_waits_that_are_over_do_not_count [Options];
    quotas::c09_a_turn_that_was_granted_is_not_refused [AllOperations, Options];
    quotas::c09_a_limit_of_zero_is_none [Options];
    waits::c10_find_list_and_clear_agree;
    waits::c10_list_is_in_order_of_registration;
    waits::c10_many_waits_stay_in_order;
    crowds::c10_a_long_list_is_complete_and_in_order;
    crowds::c10_a_wait_that_stays_is_listed_once_while_others_move;
    waits::c10_every_field_of_a_scope_counts;
    waits::c11_clear_removes_wait_and_session;
    waits::c11_clear_of_nothing_does_nothing;
    waits::c11_clear_keeps_a_session_that_moved;
    waits::c11_clear_keeps_a_displaced_session;
    waits::c11_clear_names_its_outcome [AllOperations];

    time::c12_an_expired_session_is_gone_from_every_read;
    time::c12_the_deadline_is_exact [Clock];
    time::c12_writes_count_until_the_deadline [Clock];
    time::c12_no_operation_sees_a_session_at_its_deadline [AllOperations, Clock];
    time::c12_the_deadline_is_returned [AllOperations, Clock];
    time::c12_tiny_ttls_expire;
    time::c12_tiny_ttls_act_as_one_millisecond [Clock];
    time::c12_overlong_ttls_do_not_expire;
    time::c12_overlong_ttls_mean_no_deadline [AllOperations];
    time::c12_no_ttl_means_no_deadline [Clock];
    time::c12_the_default_ttl_applies [Options, Clock];
    time::c12_the_default_ttl_sets_the_returned_deadline [Options, AllOperations];
    time::c12_a_session_keeps_its_ttl_on_request [Options, AllOperations, Clock];
    time::c12_never_means_no_deadline [Options, AllOperations];
    time::c12_update_keeps_the_deadline [Clock];
    time::c12_registering_again_sets_a_new_deadline [Clock];
    expiry::c12_a_displaced_session_expires_on_time [Clock];
    expiry::c12_an_expired_key_is_free;
    expiry::c12_an_expired_key_starts_at_revision_one [AllOperations];
    expiry::c12_many_expired_keys_are_free_at_once;
    expiry::c12_an_expired_wait_does_not_count;
    expiry::c12_an_expired_wait_does_not_hold_its_scope [AllOperations];
    expiry::c12_an_expired_latest_session_is_not_found [AllOperations];
    expiry::c12_many_sessions_expire_at_their_deadlines [Clock];

    leftovers::c13_nothing_is_left_after_removes [Options, Leftovers];
    leftovers::c13_nothing_is_left_after_clears [Options, Leftovers];
    leftovers::c13_nothing_is_left_after_expiry [Options, Leftovers];
    leftovers::c13_nothing_is_left_after_created_sessions_expire [Options, Leftovers, AllOperations];
    leftovers::c13_nothing_is_left_after_displacement_and_moves [Options, Leftovers];
    leftovers::c13_nothing_is_left_after_a_displaced_session_expires [Options, Leftovers];
    leftovers::c13_nothing_is_left_of_calls_that_do_nothing [Options, Leftovers];
    leftovers::c13_nothing_is_left_of_operations_that_do_nothing [Options, Leftovers, AllOperations];
    leftovers::c13_nothing_is_left_after_a_finish [Options, Leftovers, AllOperations];
    leftovers::c13_nothing_is_left_of_an_abandoned_claim [Options, Leftovers, AllOperations];
    leftovers::c13_expired_waits_of_a_busy_owner_do_not_accumulate [Options, Leftovers];

    concurrency::c14_a_repeated_create_is_recognised [AllOperations];
    concurrency::c14_a_repeated_update_is_recognised [AllOperations];
    concurrency::c14_a_repeated_park_is_recognised [AllOperations];
    concurrency::c14_a_repeated_park_does_not_undo_a_commit [AllOperations];
    concurrency::c14_repeated_calls_end_in_the_same_state;
    concurrency::c14_one_of_many_creates_wins [AllOperations];
    concurrency::c14_one_of_many_registers_waits;
    concurrency::c14_a_session_that_is_registered_concurrently_waits_once;
    concurrency::c14_a_moving_wait_is_listed_at_every_instant;
    concurrency::c14_a_key_that_two_owners_race_for_goes_to_one;
    concurrency::c14_one_of_many_removes_wins;
    concurrency::c14_one_of_many_clears_wins [AllOperations];
    concurrency::c15_update_needs_the_revision [AllOperations];
    concurrency::c15_remove_needs_the_revision [AllOperations];
    concurrency::c15_no_conditional_update_is_lost [AllOperations];
    concurrency::c15_if_absent_returns_the_waiting_session [AllOperations];
    concurrency::c15_one_of_many_if_absent_registers [AllOperations];

    claims::c16_a_claim_hands_over_the_wait [AllOperations];
    claims::c16_a_claim_changes_nothing_that_is_read [AllOperations];
    claims::c16_there_is_nothing_to_claim_without_a_wait [AllOperations];
    claims::c16_a_live_claim_makes_other_claims_busy [AllOperations];
    claims::c16_claims_of_other_waits_are_free [AllOperations];
    leases::c16_the_lease_is_exact [AllOperations, Clock];
    leases::c16_a_tiny_lease_acts_as_one_millisecond [AllOperations, Clock];
    leases::c16_an_ended_lease_frees_the_wait [AllOperations];
    dropped::c16_a_turn_whose_work_is_dropped_is_free [AllOperations];
    dropped::c16_a_claim_that_is_given_up_leaves_a_free_wait [AllOperations];
    dropped::c16_a_commit_that_is_given_up_leaves_a_free_wait_or_is_done [AllOperations];
    dropped::c16_a_lost_turn_that_is_dropped_frees_nothing [AllOperations];
    leases::c16_a_released_wait_is_free_at_once [AllOperations];
    leases::c16_a_repeated_release_frees_nothing_else [AllOperations];
    leases::c16_renew_moves_the_end_of_the_lease [AllOperations, Clock];
    leases::c16_renew_returns_the_new_end [AllOperations];
    leases::c12_a_claim_holds_off_the_deadline [AllOperations, Clock];
    leases::c12_the_deadline_returns_when_the_claim_ends [AllOperations, Clock];
    leases::c12_a_claim_holds_off_the_deadline_for_a_day [AllOperations, Clock];
    leases::c16_a_claim_does_not_outlive_the_session [AllOperations, Clock];
    claims::c16_odd_message_ids_work [AllOperations];
    claims::c16_bad_claims_are_refused [AllOperations];
    claims::c16_ids_of_a_conversation_are_its_own [AllOperations];
    claims::c16_the_first_scope_with_a_wait_takes_the_message [AllOperations];
    claims::c16_busy_tells_a_redelivery [AllOperations];
    claims::c16_one_of_many_claims_wins [AllOperations];
    claims::c16_a_message_is_resumed_once [AllOperations];

    claim_fence::c16_none_of_the_nine_methods_writes_past_a_claim [AllOperations];
    claim_fence::c16_no_operation_writes_past_a_claim [AllOperations];
    claim_fence::c16_the_rest_of_the_owner_is_free [AllOperations];
    claim_fence::c16_a_claim_of_another_owner_blocks_no_call [AllOperations];
    claim_fence::c16_a_released_wait_can_be_written [AllOperations];
    claim_fence::c16_the_token_may_update [AllOperations];
    claim_fence::c16_a_token_is_for_its_own_session [AllOperations];
    claim_fence::c16_a_claim_that_was_taken_over_is_void [AllOperations];
    claim_fence::c16_an_ended_lease_blocks_no_write [AllOperations];
    claim_fence::c16_an_ended_lease_changes_no_read [AllOperations];
    claim_fence::c16_an_ended_lease_holds_until_another_claim [AllOperations];

    commits::c16_finish_removes_and_remembers [AllOperations];
    commits::c16_park_again_keeps_the_wait [AllOperations];
    commits::c16_park_again_moves_the_wait [AllOperations];
    commits::c16_park_again_displaces_an_idle_wait [AllOperations];
    commits::c16_park_again_keeps_a_claimed_wait [AllOperations];
    commits::c16_a_repeated_commit_does_nothing_more [AllOperations];
    commits::c16_a_commit_after_a_takeover_remembers_nothing [AllOperations];
    commits::c16_the_same_message_can_claim_again [AllOperations];
    commits::c16_a_message_counts_for_all_waits_of_its_owner [AllOperations];
    commits::c16_a_message_is_committed_once [AllOperations];
    commits::c16_a_claim_commits_its_own_message [AllOperations];
    commits::c16_a_message_is_forgotten_after_its_window [AllOperations, Options, Clock];
    commits::c16_the_oldest_message_is_forgotten_first [AllOperations, Options];
    commits::c16_commit_keeps_the_identity [AllOperations];
    commits::c16_commit_keeps_the_size_limit [AllOperations, Options];
    commits::c16_commit_sets_the_deadline [AllOperations, Clock];
    commits::c16_a_commit_parks_where_the_session_waited [AllOperations];
    commits::c16_a_claim_goes_on_in_another_process [AllOperations];
    commits::c16_a_commit_keeps_the_ttl [AllOperations, Clock];
    replies::c16_a_duplicate_has_the_reply_of_its_commit [AllOperations];
    replies::c16_a_reply_that_is_too_long_is_refused [AllOperations];
    replies::c16_a_repeated_commit_keeps_the_first_reply [AllOperations];
    replies::c16_a_refused_commit_keeps_no_reply [AllOperations];
    replies::c16_the_oldest_replies_are_dropped_first [AllOperations];
    replies::c16_a_reply_ends_with_the_window_of_its_message [AllOperations, Options, Clock];
    replies::c16_a_reply_ends_with_the_oldest_message [AllOperations, Options];

    failure::c17_bad_keys_are_refused;
    failure::c17_overlong_scopes_are_refused;
    failure::c17_errors_say_whether_to_repeat [AllOperations];
    failure::c17_health_answers [AllOperations];
    failure::c17_what_was_stored_is_there_after_reopening [Reopen];
    failure::c17_claims_are_there_after_reopening [Reopen, AllOperations];

    secrets::c18_errors_contain_no_secret;
    secrets::c18_errors_of_all_operations_contain_no_secret [AllOperations];
    secrets::c18_results_contain_no_secret [AllOperations];

    executors::c19_calls_work_on_plain_threads;
    executors::c19_calls_work_inside_a_future;
    executors::c20_digests_equal_those_of_1_2;
    executors::c20_different_inputs_never_share_a_key;
    executors::c20_a_derived_key_is_a_session_key;
    executors::c20_a_derived_user_id_is_a_user;
    tenancy::c20_two_tenants_that_derive_one_key_need_a_secret;

    scans::c21_a_scan_finds_every_session [AllOperations];
    scans::c21_a_scan_reports_what_is_stored [AllOperations];
    scans::c21_a_filter_by_key_looks_one_session_up [AllOperations];
    scans::c21_filters_exclude_other_sessions [AllOperations];
    scans::c21_a_scan_names_who_holds_a_claim [AllOperations];
    scans::c21_a_claim_that_is_taken_over_has_the_new_holder [AllOperations];
    scans::c21_a_filter_by_age [AllOperations, Clock];
    scans::c21_a_scan_omits_expired_sessions [AllOperations];
    scans::c21_a_stable_session_is_found_under_writes [AllOperations];
    scans::c21_bad_cursors_and_filters_are_refused [AllOperations];
    scans::c21_stats_count_a_scan [AllOperations];
    progress::c21_a_page_reports_the_progress_of_the_walk [AllOperations, Options];

    erasure::c22_erase_leaves_nothing_of_a_tenant [AllOperations, Leftovers, Options];
    erasure::c22_erase_of_a_user_covers_all_teams [AllOperations];
    erasure::c22_a_claim_does_not_prevent_erase [AllOperations];
    erasure::c22_erase_finds_owners_that_have_only_message_ids [AllOperations];
    erasure::c22_a_dry_run_changes_nothing [AllOperations];
    crowds::c22_erase_of_a_crowd_leaves_nothing [AllOperations, Leftovers, Options];
    crowds::c22_message_ids_are_erased_last [AllOperations];
    replies::c22_erase_takes_replies_along [AllOperations, Leftovers, Options];

    scans::c23_a_sound_store_has_no_findings [AllOperations, Options];

    operator::c24_extend_moves_the_deadline [AllOperations];
    operator::c24_the_new_deadline_is_exact [AllOperations, Clock];
    operator::c24_extend_keeps_everything_else [AllOperations];
    operator::c24_extend_extends_the_look_up [AllOperations];
    operator::c24_extend_extends_the_wait [AllOperations];
    operator::c24_nothing_is_left_after_a_shorter_deadline [AllOperations, Options, Leftovers];
    operator::c24_a_missing_session_is_not_extended [AllOperations];
    operator::c25_revoke_frees_the_wait_and_voids_the_token [AllOperations];
    operator::c25_only_a_claim_is_revoked [AllOperations];

    transfer::c26_a_wait_works_after_a_move [AllOperations, Options];
    transfer::c26_the_order_of_waits_moves [AllOperations, Options];
    transfer::c26_waits_with_the_same_position_are_listed_by_key [AllOperations, Options];
    transfer::c26_a_wait_that_changed_its_scope_keeps_its_position [AllOperations, Options];
    transfer::c26_an_older_wait_displaces_a_newer_one [AllOperations];
    transfer::c26_numbers_continue_from_those_of_another_store [AllOperations];
    transfer::c26_every_field_moves [AllOperations, Options];
    transfer::c26_committed_messages_move [AllOperations, Options];
    transfer::c26_imported_message_ids_are_as_old_as_their_windows [AllOperations, Options];
    transfer::c26_a_claimed_session_is_exported_with_its_own_deadline [AllOperations];
    replies::c26_replies_move [AllOperations, Options];
    replies::c26_an_import_of_an_overlong_reply_is_refused [AllOperations, Options];
    replies::c26_the_newest_replies_are_imported [AllOperations];
    replies::c26_an_imported_reply_is_as_old_as_its_message [AllOperations];
    transfer::c26_many_messages_are_added_and_the_newest_are_remembered [AllOperations, Options];
    transfer::c26_a_dry_run_changes_nothing [AllOperations, Options];
    transfer::c26_idle_sessions_and_look_ups_move [AllOperations, Options];
    transfer::c26_an_import_if_absent_changes_nothing [AllOperations];
    transfer::c26_an_import_replaces [AllOperations];
    transfer::c26_an_import_over_two_claims_names_the_lease_of_its_own_session [AllOperations];
    transfer::c26_an_import_lowers_no_fencing_number [AllOperations];
    transfer::c26_an_import_of_a_contradictory_record_is_refused [AllOperations];
    transfer::c26_an_import_of_an_instant_that_no_store_writes_is_refused [AllOperations];
    transfer::c26_expired_sessions_are_not_imported [AllOperations];
    quotas::c26_an_import_is_exempt_from_the_limit [AllOperations, Options];
    transfer::c26_nothing_is_left_after_an_import [AllOperations, Options, Leftovers];

    starts::c27_a_start_hands_out_no_session [AllOperations, Start];
    starts::c27_no_read_shows_a_start [AllOperations, Start];
    starts::c27_one_of_many_starts_wins [AllOperations, Start];
    starts::c27_a_caller_without_the_option_sees_a_start [AllOperations, Start];
    starts::c27_the_first_scope_with_a_wait_or_a_start_takes_the_message [AllOperations, Start];
    starts::c27_starts_of_other_owners_and_scopes_are_free [AllOperations, Start];
    starts::c27_a_live_start_keeps_its_scope [AllOperations, Start];
    starts::c27_a_key_in_use_is_refused_before_the_flow_runs [AllOperations, Start];
    starts::c27_a_first_message_starts_one_flow [AllOperations, Start];
    starts::c27_a_start_counts_as_a_wait [AllOperations, Start, Options];
    starts::c27_a_start_whose_record_is_gone_does_not_count [AllOperations, Start, Options, Clock];
    dropped::c27_a_start_that_is_given_up_is_free [AllOperations, Start];
    start_commits::c27_a_commit_makes_the_session [AllOperations, Start];
    start_commits::c27_a_commit_parks_on_another_scope [AllOperations, Start];
    start_commits::c27_a_commit_respects_other_claims [AllOperations, Start];
    start_commits::c27_finish_leaves_nothing [AllOperations, Start, Options, Leftovers];
    start_commits::c27_a_repeated_commit_does_nothing_more [AllOperations, Start];
    start_commits::c27_a_commit_never_overwrites_a_session [AllOperations, Start];
    start_commits::c27_a_commit_of_a_foreign_key_is_refused [AllOperations, Start];
    start_commits::c27_a_commit_keeps_the_identity [AllOperations, Start];
    start_commits::c27_a_message_starts_one_flow [AllOperations, Start];
    start_commits::c27_a_new_session_has_the_default_ttl [AllOperations, Start, Options, Clock];
    start_commits::c27_a_start_goes_on_in_another_process [AllOperations, Start];
    start_records::c27_a_retry_keeps_the_key [AllOperations, Start];
    start_records::c27_a_retry_sees_who_has_its_key [AllOperations, Start];
    start_records::c27_a_late_commit_counts [AllOperations, Start];
    start_records::c27_a_later_write_voids_the_token [AllOperations, Start];
    start_records::c27_the_record_stays_for_one_more_lease [AllOperations, Start, Clock];
    start_records::c27_the_record_stays_for_a_minute_at_least [AllOperations, Start, Clock];
    start_records::c27_many_records_end_at_once [AllOperations, Start, Clock];
    start_records::c27_fencing_numbers_go_on [AllOperations, Start];
    start_records::c27_renew_moves_the_end_of_the_lease [AllOperations, Start];
    start_records::c27_a_released_start_is_free_at_once [AllOperations, Start];
    start_records::c27_a_token_updates_no_session [AllOperations, Start];
    start_records::c27_nothing_is_left_of_an_abandoned_start [AllOperations, Start, Options, Leftovers, Clock];
    start_records::c27_starts_are_there_after_reopening [AllOperations, Start, Reopen];
    start_records::c22_erase_takes_start_claims [AllOperations, Start, Options, Leftovers];
    start_records::c23_a_start_is_no_finding [AllOperations, Start, Options];
    start_records::c26_a_start_is_not_exported [AllOperations, Start];

    tenancy::c38_no_operation_reaches_a_session_with_a_foreign_context [AllOperations, FencedForms];
    tenancy::c38_a_fenced_call_of_the_owner_acts_as_the_bare_one [AllOperations, FencedForms];
    tenancy::c38_a_session_without_a_user_is_fenced_by_its_team [AllOperations, FencedForms];
    tenancy::c38_a_key_that_another_owner_took_is_fenced [AllOperations, FencedForms];
    tenancy::c38_an_expired_session_is_missing [AllOperations, FencedForms];
    timeouts::c38_a_timeout_is_set_for_its_owner [AllOperations, FencedForms, Timeouts, Options];

    timeouts::c32_a_park_sets_the_timeout [AllOperations, Timeouts, Options];
    timeouts::c32_a_commit_sets_or_takes_away_the_timeout [AllOperations, Timeouts, Options];
    timeouts::c32_a_start_can_have_a_timeout [AllOperations, Timeouts, Start, Options];
    timeouts::c32_an_update_leaves_the_timeout [AllOperations, Timeouts, Options];
    timeouts::c32_a_timeout_comes_before_the_deadline [AllOperations, Timeouts, Options];
    timeouts::c32_the_default_ttl_is_a_limit_too [AllOperations, Timeouts, Start, Options];
    timeouts::c32_set_timeout_moves_and_takes_away [AllOperations, Timeouts, Options];
    timeouts::c32_set_timeout_refuses_what_it_cannot_do [AllOperations, Timeouts, Options];
    timeouts::c32_a_timeout_goes_with_its_wait [AllOperations, Timeouts, Options];
    timeouts::c32_a_timeout_after_the_deadline_never_fires [AllOperations, Timeouts, Options, Clock];
    timeouts::c32_an_erased_wait_is_not_due [AllOperations, Timeouts, Options];
    closes::c32_a_closed_wait_is_seen_by_its_key_alone [AllOperations, Timeouts, Options];
    closes::c32_a_closed_wait_parks_on_its_free_scope [AllOperations, Timeouts, Options];
    closes::c32_a_closed_wait_gives_up_its_scope [AllOperations, Timeouts, Options];
    closes::c32_a_flow_starts_beside_a_closed_wait [AllOperations, Timeouts, Start, Options];
    closes::c32_a_claim_in_time_keeps_the_wait_open [AllOperations, Timeouts, Options, Clock];
    closes::c32_a_late_commit_displaces_nothing [AllOperations, Timeouts, Options, Clock];
    closes::c32_a_start_takes_the_scope_for_good [AllOperations, Timeouts, Start, Options, Clock];
    closes::c32_a_closed_wait_can_be_parked_anew [AllOperations, Timeouts, Options];
    closes::c32_a_closed_wait_stays_until_its_deadline [AllOperations, Timeouts, Options, Clock];
    closes::c32_a_closed_wait_that_was_handed_out_is_no_wait [AllOperations, Timeouts, Start, Options];
    due::c33_a_turn_is_handed_out_at_its_instant [AllOperations, Timeouts, Options];
    due::c33_nothing_is_handed_out_before_its_instant [AllOperations, Timeouts, Options, Clock];
    due::c33_a_repeated_commit_does_nothing_more [AllOperations, Timeouts, Options];
    due::c33_whichever_is_claimed_first_has_the_wait [AllOperations, Timeouts, Options];
    due::c33_one_of_many_workers_has_the_turn [AllOperations, Timeouts, Options];
    due::c33_a_worker_that_vanished_is_followed_after_a_pause [AllOperations, Timeouts, Options];
    due::c33_pauses_double_up_to_ten_minutes [AllOperations, Timeouts, Options, Clock];
    due::c33_a_pause_is_for_due_turns_alone [AllOperations, Timeouts, Options];
    due::c33_a_turn_that_is_given_back_is_due_at_once [AllOperations, Timeouts, Options];
    due::c33_calls_that_go_on_find_all_that_is_due [AllOperations, Timeouts, Options];
    due::c33_the_earliest_of_an_owner_comes_first [AllOperations, Timeouts, Options, Clock];
    due::c33_a_page_says_when_to_ask_again [AllOperations, Timeouts, Options, Clock];
    due::c33_bad_calls_are_refused [AllOperations, Timeouts];
    due::c33_a_claim_that_is_given_up_is_due_again [AllOperations, Timeouts, Options];
    due::c33_the_claim_of_a_due_turn_names_its_holder [AllOperations, Timeouts, Options];
    due::c33_what_was_due_while_the_store_was_closed_is_due [AllOperations, Timeouts, Reopen];
    due::c33_a_reply_of_a_due_turn_is_kept_like_any_other [AllOperations, Timeouts, Options];
    due::c34_nothing_is_left_of_timeouts [AllOperations, Timeouts, Options, Leftovers];

    deliveries::c28_a_delivery_to_a_free_wait_hands_out_the_turn [AllOperations, Inbox, Options];
    deliveries::c28_a_delivery_where_nothing_waits_starts_a_flow [AllOperations, Inbox, Options];
    deliveries::c28_a_delivery_while_busy_is_kept [AllOperations, Inbox, Options];
    deliveries::c28_a_message_can_be_rejected_while_busy [AllOperations, Inbox, Options];
    deliveries::c28_delivering_again_tells_the_place [AllOperations, Inbox, Options];
    deliveries::c28_delivering_again_takes_a_free_turn [AllOperations, Inbox, Options];
    deliveries::c28_an_answered_message_is_a_duplicate [AllOperations, Inbox, Options];
    deliveries::c28_a_message_is_buffered_until_a_session_waits [AllOperations, Inbox, Options];
    deliveries::c30_the_claim_of_a_due_queue_names_its_holder [AllOperations, Inbox, Options];
    deliveries::c28_a_message_can_be_refused_where_nothing_waits [AllOperations, Inbox, Options];
    deliveries::c28_interrupt_takes_a_turn_of_the_queue [AllOperations, Inbox, Options];
    deliveries::c28_interrupt_leaves_a_plain_claim [AllOperations, Inbox, Options];
    deliveries::c28_the_first_scope_with_a_turn_takes_the_message [AllOperations, Inbox, Options];
    deliveries::c28_one_of_many_deliveries_has_the_turn [AllOperations, Inbox, Options];
    deliveries::c28_bad_deliveries_are_refused [AllOperations, Inbox, Options];
    deliveries::c28_a_store_without_queues_refuses_a_delivery [AllOperations, Inbox, Options];
    deliveries::c28_a_start_that_is_refused_keeps_nothing [AllOperations, Inbox, Options];
    deliveries::c04_queues_of_owners_are_apart [AllOperations, Inbox, Options];
    deliveries::c28_a_kept_message_is_there_after_reopening [AllOperations, Inbox, Reopen];
    deliveries::c18_a_queue_shows_no_content [AllOperations, Inbox, Options];
    turns::c29_a_turn_has_the_front_of_the_queue [AllOperations, Inbox, Options];
    turns::c29_a_turn_of_many_bytes_has_fewer_messages [AllOperations, Inbox, Options];
    turns::c29_the_messages_of_a_turn_are_answered_together [AllOperations, Inbox, Options];
    turns::c29_a_message_that_lapsed_is_handed_out_alone [AllOperations, Inbox, Options];
    turns::c29_a_claim_does_not_look_at_the_queue [AllOperations, Inbox, Options];
    turns::c29_a_message_that_was_answered_elsewhere_is_not_handed_out [AllOperations, Inbox, Options];
    turns::c29_a_message_in_flight_outlives_its_ttl [AllOperations, Inbox, Options, Clock];
    turns::c29_a_message_ends_with_its_ttl [AllOperations, Inbox, Options];
    turns::c29_no_two_turns_of_a_scope_are_live [AllOperations, Inbox, Options];
    passing_on::c30_a_commit_takes_the_next_turn [AllOperations, Inbox, Options];
    passing_on::c30_a_queue_comes_before_a_timeout_of_the_same_instant [AllOperations, Inbox, Options, Timeouts];
    passing_on::c30_the_next_turn_keeps_the_holder [AllOperations, Inbox, Options];
    passing_on::c30_after_the_end_of_a_flow_the_next_turn_starts_one [AllOperations, Inbox, Options];
    passing_on::c30_a_message_that_nothing_can_take_is_a_dead_letter [AllOperations, Inbox, Options];
    passing_on::c30_a_repeated_commit_has_the_same_next_turn [AllOperations, Inbox, Options];
    passing_on::c30_the_queue_follows_the_flow [AllOperations, Inbox, Options];
    passing_on::c30_what_a_commit_leaves_is_due_at_once [AllOperations, Inbox, Options];
    passing_on::c30_a_turn_that_is_given_back_is_due_at_once [AllOperations, Inbox, Options];
    passing_on::c30_a_worker_that_vanished_is_followed_after_a_pause [AllOperations, Inbox, Options];
    passing_on::c30_a_lone_message_is_followed_after_a_pause_too [AllOperations, Inbox, Options, Clock];
    passing_on::c30_nothing_of_a_queue_is_handed_out_early [AllOperations, Inbox, Options, Clock];
    passing_on::c30_a_late_commit_of_a_turn_counts [AllOperations, Inbox, Options];
    passing_on::c30_a_refused_commit_hands_nothing_over [AllOperations, Inbox, Options];
    passing_on::c30_debounced_messages_are_handed_out_together [AllOperations, Inbox, Options, Clock];
    passing_on::c30_no_message_is_stranded [AllOperations, Inbox, Options];
    bounds::c31_a_full_queue_refuses [AllOperations, Inbox, Options];
    bounds::c31_a_full_queue_can_drop_the_oldest [AllOperations, Inbox, Options];
    bounds::c31_a_message_that_always_fails_is_a_dead_letter [AllOperations, Inbox, Options];
    bounds::c31_a_release_is_no_attempt [AllOperations, Inbox, Options];
    bounds::c31_dead_letters_are_bounded [AllOperations, Inbox, Options];
    bounds::c31_dead_letters_can_be_retried [AllOperations, Inbox, Options];
    bounds::c31_messages_can_be_discarded [AllOperations, Inbox, Options];
    bounds::c31_the_end_of_a_session_keeps_the_queue [AllOperations, Inbox, Options];
    bounds::c31_erase_takes_the_queue [AllOperations, Inbox, Options, Leftovers];
    bounds::c31_nothing_is_left_of_queues [AllOperations, Inbox, Options, Leftovers];
}

#[cfg(test)]
#[cfg(feature = "schema")]
mod tests {
    use greentic_types::{
        EnvId, FlowId, SessionCursor, SessionData, TeamId, TenantCtx, TenantId, UserId,
    };
    use serde_json::Value;

    use super::payloads::data_with_every_field;

    /// Requires every property that the schema names in the value, through references and objects.
    fn require_all(schema: &Value, root: &Value, value: &Value, path: &str) -> usize {
        let mut schema = schema;
        while let Some(reference) = schema["$ref"].as_str() {
            schema = root.pointer(reference.trim_start_matches('#')).unwrap();
        }
        for kind in ["anyOf", "allOf", "oneOf"] {
            let parts = schema[kind].as_array().into_iter().flatten();
            let part = parts.into_iter().find(|part| part["type"] != "null");
            if let Some(part) = part {
                return require_all(part, root, value, path);
            }
        }
        let properties = schema["properties"].as_object();
        let fields = properties.into_iter().flatten();
        let all = fields.map(|(name, of_field)| {
            let path = format!("{path}.{name}");
            let field = value
                .get(name)
                .unwrap_or_else(|| panic!("{path} is not set"));
            assert!(!field.is_null(), "{path} is not set");
            1 + require_all(of_field, root, field, &path)
        });
        all.sum()
    }

    #[test]
    fn c08_the_sample_sets_every_field_of_the_schema() {
        let env = EnvId::try_from("e").unwrap();
        let user = UserId::try_from("u").unwrap();
        let ctx = TenantCtx::new(env, TenantId::try_from("t").unwrap())
            .with_team(Some(TeamId::try_from("red").unwrap()))
            .with_user(Some(user));
        let data = SessionData {
            tenant_ctx: ctx,
            flow_id: FlowId::try_from("f").unwrap(),
            pack_id: None,
            cursor: SessionCursor::new("n"),
            context_json: String::new(),
        };
        let value = serde_json::to_value(data_with_every_field(&data, "x")).unwrap();
        let schema = Value::from(crate::schema::session_data_schema());
        let found = require_all(&schema, &schema, &value, "data");
        assert!(found > 25, "{found}");
    }
}
