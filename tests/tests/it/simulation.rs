//! Many phones, one server and a bad line: every seed holds every promise, and every broken rule is noticed.

use std::collections::BTreeSet;

use sync_core::admit::codes::no_effect;
use tests::simulation::{self, Act, Fault};

/// How many seeds each shard plays; `cargo xtask simulate` plays as many as asked for.
const SEEDS: u64 = 50;
/// Within how many seeds a planted fault must show, by the sign that is its own.
const SEEDS_TO_CATCH: u64 = 200;
/// Within how many days of offices each of their processes must have met itself coming back.
const OFFICE_DAYS_MAX: usize = 60;
/// Seeds in which a case goes through every desk to its end, tried before the others.
const CASES_TO_THE_END: [u64; 2] = [963, 2691];
/// Within how many half-years each step of a case must have been taken.
const CASES_MAX: usize = 60;
/// Seeds beyond the shards that failed once.
const ONCE_FAILED: [u64; 0] = [];

/// Plays seeds; one that fails is told in as few steps as it needs.
#[track_caller]
fn check_seeds(seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let report = simulation::run(seed, None);
        let Some(first) = report.violations.first() else {
            continue;
        };
        match simulation::tell(seed, None, first.sign) {
            Some(story) => panic!("{story}"),
            None => panic!("seed {seed}: {first}"),
        }
    }
}

/// One test for each shard of 1,000 seeds, so that they run beside each other.
macro_rules! shards {
    ($($name:ident: $shard:literal,)*) => {
        mod every_seed_holds_every_promise {
            use super::{SEEDS, check_seeds};
            $(
                #[test]
                fn $name() {
                    check_seeds($shard * SEEDS..($shard + 1) * SEEDS);
                }
            )*
        }
    };
}

shards! {
    in_the_first_fifty: 0,
    in_the_second_fifty: 1,
    in_the_third_fifty: 2,
    in_the_fourth_fifty: 3,
    in_the_fifth_fifty: 4,
    in_the_sixth_fifty: 5,
    in_the_seventh_fifty: 6,
    in_the_eighth_fifty: 7,
    in_the_ninth_fifty: 8,
    in_the_tenth_fifty: 9,
    in_the_eleventh_fifty: 10,
    in_the_twelfth_fifty: 11,
    in_the_thirteenth_fifty: 12,
    in_the_fourteenth_fifty: 13,
    in_the_fifteenth_fifty: 14,
    in_the_sixteenth_fifty: 15,
    in_the_seventeenth_fifty: 16,
    in_the_eighteenth_fifty: 17,
    in_the_nineteenth_fifty: 18,
    in_the_twentieth_fifty: 19,
}

#[test]
fn seeds_that_failed_once_hold_every_promise() {
    check_seeds(ONCE_FAILED);
}

#[test]
fn a_seed_plays_the_same_each_time() {
    let (one, other) = (simulation::run(7, None), simulation::run(7, None));
    assert!(one.commands > 10, "people said something: {one:?}");
    assert_eq!(one, other);
}

/// Which action of which kind has come to what: why it changed nothing, after which other one; whichever, if that is not said.
type Came = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

/// Plays seeds until all of this came about in them.
#[track_caller]
fn check_that_all_come_about(seeds: impl IntoIterator<Item = u64>, wanted: &[Came]) {
    let is = |act: &Act, (kind, action, why_not, after): &Came| {
        (act.kind.as_str(), act.action.as_str()) == (*kind, *action)
            && act.why_not.as_deref() == *why_not
            && after.is_none_or(|after| act.after.as_deref() == Some(after))
    };
    let mut wanted = wanted.to_vec();
    let mut seen = BTreeSet::new();
    for seed in seeds {
        let report = simulation::run(seed, None);
        assert_eq!(report.violations, [], "seed {seed}");
        wanted.retain(|came| !report.acts.iter().any(|act| is(act, came)));
        if wanted.is_empty() {
            return;
        }
        seen.extend(report.acts);
    }
    panic!("nobody came to {wanted:?}, only to {seen:#?}");
}

const LATE: Option<&str> = Some(no_effect::SUPERSEDED);

/// Two verify one clue and one is returned that was just being confirmed; a case is verified again after it was returned; and from its
/// listing over its clearing to its end one goes through every desk: what comes late changes nothing and is kept.
#[test]
fn two_who_act_on_one_process_offline_both_come_to_something() {
    check_that_all_come_about(
        simulation::days_of_offices().take(OFFICE_DAYS_MAX),
        &[
            ("clue", "verify", None, None),
            ("clue", "verify", LATE, None),
            ("clue", "return", None, None),
            ("clue", "confirm", None, None),
            ("clue", "confirm", LATE, None),
            ("case", "verified", None, None),
            ("case", "verified", LATE, None),
            ("case", "return_compare", None, None),
            ("need", "done", None, None),
            ("need", "take", LATE, None),
        ],
    );
    let seeds = CASES_TO_THE_END.into_iter();
    check_that_all_come_about(
        seeds.chain(simulation::half_years_of_a_case().take(CASES_MAX)),
        &[
            ("case", "verified", None, None),
            ("case", "compared", None, Some("verified")),
            ("notice", "post", None, None),
            ("case", "deliberated", None, Some("compared")),
            ("notice", "end", None, Some("post")),
            ("case", "notice_ended", None, Some("deliberated")),
            ("case", "pass", None, None),
            ("case", "return_township", None, Some("notice_ended")),
            ("case", "approve", None, Some("pass")),
            ("measure", "sign", None, None),
            ("case", "start", None, Some("approve")),
            ("measure", "carry_out", None, Some("sign")),
            ("measure", "accept", None, Some("carry_out")),
            ("case", "propose_clear", None, Some("start")),
            ("case", "c_verified", None, Some("propose_clear")),
            ("case", "c_notice_ended", None, Some("c_verified")),
            ("case", "c_pass", None, None),
            ("case", "c_return_county", None, Some("c_pass")),
            ("case", "c_approve", None, Some("c_pass")),
            ("case", "roll_back", None, Some("c_approve")),
            ("case", "c_verified", LATE, Some("roll_back")),
            ("case", "propose_clear", None, Some("roll_back")),
            ("case", "end", None, Some("roll_back")),
        ],
    );
}

#[test]
fn a_failing_seed_shrinks_to_a_short_story() {
    let fault = Fault::LateActionTakesEffect;
    // Few people: it is played quickly each of the many times.
    let seeds = core::iter::once(19).chain(0..SEEDS_TO_CATCH);
    let report = fault.first_shown(seeds).expect("it is noticed");
    let story =
        simulation::tell(report.seed, Some(fault), fault.sign()).expect("it replays exactly");
    assert_eq!(story.violation.sign, fault.sign());
    assert!(story.drawn > 60 && story.steps * 4 < story.drawn, "{story}");
    // Who did what, and which promise was broken.
    let text = story.to_string();
    assert!(text.contains("takes the action"), "{text}");
    assert!(text.ends_with(&format!("=> {}", story.violation)), "{text}");
}

/// One test for each planted fault: its name is the rule that the fault breaks. The seed is the one that showed it last, tried before
/// the others.
macro_rules! planted {
    ($($rule:ident: $fault:ident in $seed:literal,)*) => {
        mod planted {
            use super::{Fault, SEEDS_TO_CATCH};
            $(
                #[test]
                fn $rule() {
                    let seeds = core::iter::once($seed).chain(0..SEEDS_TO_CATCH);
                    let shown = Fault::$fault.first_shown(seeds);
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
    base_is_what_was_seen: BaseIsTheFoldedPosition in 63,
    a_command_is_folded_in_its_causal_context: FoldIgnoresBase in 3,
    every_authentic_batch_moves_its_lane: LaneStaysOnRefusal in 17,
    a_batch_seen_before_keeps_its_fates: ReplayGetsNewFates in 2,
    an_origin_counts_once: OriginAcceptedTwice in 4,
    what_needs_a_refused_command_is_refused: NeedsIgnored in 60,
    an_action_needs_sight_of_the_last_one: LateActionTakesEffect in 8,
    filed_testimony_stays: FiledTestimonyEdited in 35,
    a_precondition_reads_only_the_index: CountIsAGate in 0,
    nothing_is_refused_for_being_late: LateIsRefused in 0,
    a_claimed_time_has_bounds: ClockNotFlagged in 1,
    a_revoked_device_writes_nothing: RevokedDeviceAccepted in 2,
    withdrawn_for_cause_is_at_once: WithdrawnAssignmentAccepted in 0,
    a_signature_vouches_for_the_history_it_saw: SeenNotChecked in 25,
    receipt_times_never_run_backwards: ReceiptRunsBackwards in 0,
    an_entry_names_the_versions_it_was_judged_by: EntryNamesAnotherVersion in 0,
    void_hides_and_deletes_nothing: VoidIsDeleted in 1,
    erasure_is_real: ErasureForgotten in 4,
    what_was_refused_is_its_authors: RefusedLeaks in 0,
    an_audience_is_kept: WithheldShown in 4,
    saved_is_durable: SavedBeforePersisted in 1,
    a_sealed_batch_is_never_resealed: ResealsSealed in 0,
    nothing_is_sent_before_it_is_durable: SendsBeforePersisted in 1,
    equal_concurrent_values_are_one: EqualValuesStandTwice in 119,
    text_positions_clamp: EditBeyondTheEndIsLost in 3,
    a_form_is_pinned_anew_before_its_record_changes: FormNotRepinned in 3,
    base_never_exceeds_what_was_verified: BaseBeyondSeenCounts in 1,
    other_bytes_under_a_used_number_are_equivocation: EquivocationForgiven in 0,
    a_phone_that_enrols_in_place_keeps_its_outbox: OutboxLostOnEnrolment in 0,
    nobody_takes_a_number_that_its_owner_has_not_used: StolenOriginTaken in 4,
    only_what_its_device_signed_is_entered: ForgedSignatureTaken in 4,
    authority_is_of_an_area: AnotherVillageAccepted in 1,
    what_is_marked_counts: FlaggedDoesNotCount in 3,
    two_first_edits_meet_in_one_text: FirstEditsMakeTwoTexts in 3,
    an_entry_is_folded_by_the_version_it_names: FoldedByTheNewestVersion in 0,
    a_device_keeps_what_it_does_not_know_yet: UnknownVersionStopsThePull in 4,
    an_erasure_takes_what_it_names: ErasureTakesItsNeighbours in 3,
    what_is_erased_goes_from_phones: ErasedStaysOnPhones in 4,
    a_restored_server_takes_back_nothing_that_was_altered: RefillTakesTheAltered in 0,
    what_is_given_back_erases_what_it_erased: RefillBringsBackTheErased in 3,
    what_is_given_back_counts_once: RefillForgetsDeliveries in 23,
    what_a_restored_server_lost_its_author_brings_anew: LostIsThrownAway in 2,
    phones_go_back_with_a_log_that_goes_on_further_back: ReopeningUntold in 2,
}
