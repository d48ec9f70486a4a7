//! The conformance suite can fail: each faulty store fails the cases that must find its fault.

use greentic_session::conformance::run_filtered;

use crate::faulty::{Fault, subject};

/// A fault, and the cases that must find it.
const FOUND_BY: [(Fault, &[&str]); 34] = [
    (
        Fault::RemoveKeepsTheList,
        &["c07_remove_takes_the_wait", "c12_the_deadline_is_exact"],
    ),
    (
        Fault::IgnoresTheTtl,
        &[
            "c12_the_deadline_is_exact",
            "c09_a_displaced_session_keeps_its_deadline",
        ],
    ),
    (
        Fault::IgnoresTheFence,
        &["c05_a_fenced_get_returns_none_for_another_owner"],
    ),
    (
        Fault::GrantsEveryClaim,
        &[
            "c27_one_of_many_starts_wins",
            "c16_one_of_many_claims_wins",
            "c16_a_live_claim_makes_other_claims_busy",
        ],
    ),
    (
        Fault::ListsBackwards,
        &[
            "c10_list_is_in_order_of_registration",
            "c10_many_waits_stay_in_order",
        ],
    ),
    (
        Fault::HidesStarts,
        &["c27_a_caller_without_the_option_sees_a_start"],
    ),
    (
        Fault::ClearsNothing,
        &["c11_clear_removes_wait_and_session"],
    ),
    (
        Fault::ClearKeepsTheSession,
        &[
            "c11_clear_removes_wait_and_session",
            "c11_clear_names_its_outcome",
        ],
    ),
    (
        Fault::IgnoresRevisions,
        &[
            "c15_update_needs_the_revision",
            "c15_remove_needs_the_revision",
        ],
    ),
    (
        Fault::IgnoresIfAbsent,
        &[
            "c15_if_absent_returns_the_waiting_session",
            "c15_one_of_many_if_absent_registers",
        ],
    ),
    (
        Fault::ForgetsMessages,
        &[
            "c27_a_commit_makes_the_session",
            "c16_finish_removes_and_remembers",
            "c16_park_again_keeps_the_wait",
        ],
    ),
    (
        Fault::ReencodesPayloads,
        &["c08_payloads_come_back_byte_for_byte"],
    ),
    (
        Fault::UpdateDropsTheDeadline,
        &[
            "c07_update_counts_and_keeps_the_deadline",
            "c12_update_keeps_the_deadline",
        ],
    ),
    (
        Fault::ErrorsNameTheUser,
        &[
            "c18_errors_contain_no_secret",
            "c03_update_keeps_every_part_of_the_identity",
        ],
    ),
    (
        Fault::TakesDashForNoTeam,
        &["c04_no_team_and_a_team_named_dash_are_two_owners"],
    ),
    (
        Fault::ConfusesScopes,
        &["c04_confusable_scopes_are_different_waits"],
    ),
    (
        Fault::MoveKeepsTheOldRoute,
        &[
            "c09_register_moves_the_same_session",
            "c10_find_list_and_clear_agree",
        ],
    ),
    (
        Fault::StaleTokensCommit,
        &[
            "c27_a_retry_keeps_the_key",
            "c16_a_claim_that_was_taken_over_is_void",
        ],
    ),
    (
        Fault::GivesWrongCodes,
        &["c07_a_missing_session_is_not_found"],
    ),
    (
        Fault::LeavesSomethingBehind,
        &["c13_nothing_is_left_after_removes"],
    ),
    (Fault::ScanMissesSome, &["c21_a_scan_finds_every_session"]),
    (
        Fault::ScanShowsOtherTenants,
        &["c21_filters_exclude_other_sessions"],
    ),
    (
        Fault::EraseOnlyPretends,
        &[
            "c22_erase_takes_start_claims",
            "c22_erase_leaves_nothing_of_a_tenant",
            "c22_erase_finds_owners_that_have_only_message_ids",
        ],
    ),
    (
        Fault::VerifyLooksAtNothing,
        &["c23_a_sound_store_has_no_findings"],
    ),
    (
        Fault::ExtendDoesNothing,
        &[
            "c24_extend_moves_the_deadline",
            "c24_the_new_deadline_is_exact",
        ],
    ),
    (
        Fault::RevokeKeepsTheClaim,
        &["c25_revoke_frees_the_wait_and_voids_the_token"],
    ),
    (
        Fault::ImportMixesTheOrder,
        &["c26_the_order_of_waits_moves"],
    ),
    (Fault::ImportLosesMessages, &["c26_committed_messages_move"]),
    (
        Fault::SeesCreatedAlways,
        &["c06_a_store_may_see_waits_only"],
    ),
    (
        Fault::NothingIsDue,
        &[
            "c33_a_turn_is_handed_out_at_its_instant",
            "c33_calls_that_go_on_find_all_that_is_due",
        ],
    ),
    (
        Fault::ReleasesDueTurns,
        &[
            "c33_a_turn_is_handed_out_at_its_instant",
            "c33_one_of_many_workers_has_the_turn",
        ],
    ),
    (
        Fault::FiresEarly,
        &["c33_nothing_is_handed_out_before_its_instant"],
    ),
    (
        Fault::NothingCloses,
        &[
            "c32_a_park_sets_the_timeout",
            "c32_a_closed_wait_gives_up_its_scope",
        ],
    ),
    (Fault::Panics, &["c05_get_needs_only_the_key"]),
];

#[test]
fn a_correct_decorator_passes() {
    let report = run_filtered(&subject(Fault::None), |_case| true);
    report.assert_complete();
}

#[test]
fn each_fault_is_found() {
    for (fault, expected) in FOUND_BY {
        let report = run_filtered(&subject(fault), |case| expected.contains(&case.name()));
        let (failed, passed) = (report.failed(), report.passed());
        assert_eq!(failed.len(), expected.len(), "{fault:?}: {report}");
        assert!(
            passed.is_empty(),
            "{fault:?} is found with both APIs: {report}"
        );
        assert_eq!(
            report.lines.len(),
            2 * expected.len(),
            "{fault:?}: {report}"
        );
    }
}

#[test]
fn a_panic_is_reported_with_its_message() {
    let report = run_filtered(&subject(Fault::Panics), |case| case.rule() == "c05");
    assert!(
        report.to_string().contains("panicked: the store is broken"),
        "{report}"
    );
}

#[test]
#[should_panic(expected = "c05_get_needs_only_the_key")]
fn a_failure_makes_the_test_fail() {
    run_filtered(&subject(Fault::Panics), |case| case.rule() == "c05").assert_passed();
}

#[test]
#[should_panic(expected = "needs a clock that can be moved")]
fn a_silent_skip_makes_the_test_fail() {
    use greentic_session::conformance::{Api, Time, check};
    let subject = subject(Fault::None).time(Time::Real);
    check("c12_the_deadline_is_exact", Api::Blocking, &subject);
}

#[test]
#[should_panic(expected = "None")]
fn an_unknown_case_makes_the_test_fail() {
    use greentic_session::conformance::{Api, check};
    check("c99_no_such_case", Api::Async, &subject(Fault::None));
}
