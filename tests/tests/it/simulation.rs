//! Many phones, one server and a bad line: every seed holds every promise, and every broken rule is noticed.

use std::collections::BTreeSet;

use tests::simulation::{self, Fault, Report};

/// How many seeds each run plays; `cargo xtask simulate` plays as many as asked for.
const SEEDS: u64 = 100;
/// Within how many seeds a planted fault must show, by the sign that is its own.
const SEEDS_TO_CATCH: u64 = 200;

#[test]
fn every_seed_holds_every_promise() {
    let reports = simulation::run_many(0, SEEDS);
    let failed: Vec<&Report> = reports
        .iter()
        .filter(|report| !report.violations.is_empty())
        .collect();
    let commands: usize = reports.iter().map(|report| report.commands).sum();
    assert!(
        failed.is_empty(),
        "replay with `cargo xtask simulate --seeds 1 --from SEED`: {failed:#?}"
    );
    assert!(commands > 1_500, "people said something: {commands}");
}

#[test]
fn a_seed_plays_the_same_each_time() {
    let (one, other) = (simulation::run(7, None), simulation::run(7, None));
    assert_eq!(
        (one.commands, one.violations),
        (other.commands, other.violations)
    );
}

/// One test for each planted fault: its name is the rule that the fault breaks.
macro_rules! planted {
    ($($rule:ident: $fault:ident,)*) => {
        mod planted {
            use super::{Fault, SEEDS_TO_CATCH};
            $(
                #[test]
                fn $rule() {
                    let shown = Fault::$fault.first_shown(0, SEEDS_TO_CATCH);
                    assert!(shown.is_some(), "nobody noticed");
                }
            )*
        }

        #[test]
        fn every_fault_is_planted() {
            let planted = BTreeSet::from([$(Fault::$fault),*]);
            assert_eq!(planted, BTreeSet::from(Fault::ALL));
        }
    };
}

planted! {
    base_is_what_was_seen: BaseIsTheFoldedPosition,
    a_command_is_folded_in_its_causal_context: FoldIgnoresBase,
    every_authentic_batch_moves_its_lane: LaneStaysOnRefusal,
    a_batch_seen_before_keeps_its_fates: ReplayGetsNewFates,
    an_origin_counts_once: OriginAcceptedTwice,
    what_needs_a_refused_command_is_refused: NeedsIgnored,
    an_action_needs_sight_of_the_last_one: LateActionTakesEffect,
    filed_testimony_stays: FiledTestimonyEdited,
    a_precondition_reads_only_the_index: CountIsAGate,
    nothing_is_refused_for_being_late: LateIsRefused,
    a_claimed_time_has_bounds: ClockNotFlagged,
    a_revoked_device_writes_nothing: RevokedDeviceAccepted,
    withdrawn_for_cause_is_at_once: WithdrawnAssignmentAccepted,
    a_signature_vouches_for_the_history_it_saw: SeenNotChecked,
    receipt_times_never_run_backwards: ReceiptRunsBackwards,
    an_entry_names_the_versions_it_was_judged_by: EntryNamesAnotherVersion,
    void_hides_and_deletes_nothing: VoidIsDeleted,
    erasure_is_real: ErasureForgotten,
    what_was_refused_is_its_authors: RefusedLeaks,
    an_audience_is_kept: WithheldShown,
    saved_is_durable: SavedBeforePersisted,
    a_sealed_batch_is_never_resealed: ResealsSealed,
    nothing_is_sent_before_it_is_durable: SendsBeforePersisted,
    equal_concurrent_values_are_one: EqualValuesStandTwice,
    text_positions_clamp: EditBeyondTheEndIsLost,
}
