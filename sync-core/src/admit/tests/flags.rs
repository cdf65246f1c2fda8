//! Clearing marks: by a named role, never by the author, and history stays as it is.

use super::month::{after_seal, close, december, seal};
use super::scene::*;
use crate::admit::codes;
use crate::catalog::codes::misfit;
use crate::command::{Audience, Verb};
use crate::id::RecordId;
use crate::journal::Fate;
use crate::record;
use crate::value::Value;

pub(super) fn clear(record: RecordId, cause: &str) -> Draft {
    let mut draft = on(record, "household", Verb::Clear);
    draft.action = Some(cause.to_owned());
    draft
}

/// A household that the secretary wrote to after the month's close.
fn marked() -> (Scene, RecordId) {
    let (mut scene, household, base) = december();
    let closing = seal(&scene, "2026-11");
    scene.say(TOWNSHIP, closing);
    let late = phone(household, "138").at(NOON).base(base);
    assert_eq!(
        scene.say(SECRETARY, late),
        flagged(&[codes::flag::AFTER_SEAL])
    );
    (scene, household)
}

fn flags(scene: &Scene, record: RecordId) -> Vec<String> {
    let folded = scene.fold(record);
    let flags = folded.steps.iter().flat_map(record::Step::flags);
    flags.map(str::to_owned).collect()
}

#[test]
fn the_named_role_clears_a_mark_and_history_stays() {
    let (mut scene, household) = marked();
    let clearing = clear(household, codes::flag::AFTER_SEAL);
    for who in [SECRETARY, MEMBER, COMMITTEE, TOWNSHIP] {
        assert_eq!(
            scene.say(who, clearing.clone()),
            refused(codes::refused::NOT_ALLOWED)
        );
    }
    assert_eq!(flags(&scene, household), [codes::flag::AFTER_SEAL]);
    assert_eq!(
        scene.say(COUNTY, clearing.clone().because("已核实")),
        Fate::Accepted
    );
    assert_eq!(flags(&scene, household), [""; 0]);
    let folded = scene.fold(household);
    let step = folded
        .steps
        .iter()
        .find(|step| !step.cleared.is_empty())
        .expect("the step says that it was cleared, and by whom");
    assert_eq!(step.fate, flagged(&[codes::flag::AFTER_SEAL]));
    assert_eq!(step.cleared[0].by.device, scene.device(COUNTY));
    assert!(!folded.is_flagged());
    assert_eq!(
        scene.say(COUNTY, clearing),
        no_effect(codes::no_effect::NOT_FLAGGED)
    );
}

#[test]
fn a_clearing_up_to_the_very_command_that_is_marked_leaves_nothing_to_clear() {
    let (mut scene, household) = marked();
    let upto = scene.seq();
    let clearing = clear(household, codes::flag::AFTER_SEAL);
    let before = scene.say(COUNTY, clearing.clone().base(upto - 1));
    assert_eq!(before, no_effect(codes::no_effect::NOT_FLAGGED));
    assert_eq!(
        scene.say(COUNTY, clearing.clone().base(upto)),
        Fate::Accepted
    );
    assert_eq!(
        scene.say(COUNTY, clearing),
        no_effect(codes::no_effect::NOT_FLAGGED)
    );
}

#[test]
fn only_what_its_author_was_looking_at_is_cleared() {
    let (mut scene, household) = marked();
    let seen = scene.seq();
    let late = phone(household, "139").at(NOON).base(seen - 2);
    scene.say(MEMBER, late);
    assert_eq!(
        scene.say(COUNTY, clear(household, codes::flag::AFTER_SEAL).base(seen)),
        Fate::Accepted
    );
    assert_eq!(flags(&scene, household).len(), 1, "the member's stays");
    let rest = clear(household, codes::flag::AFTER_SEAL);
    assert_eq!(scene.say(COUNTY, rest), Fate::Accepted);
    assert_eq!(flags(&scene, household).len(), 0);
}

#[test]
fn one_cause_at_a_time_is_cleared_and_it_must_be_one() {
    let (mut scene, household) = marked();
    let slow = phone(household, "140").at(NOON);
    assert_eq!(
        scene.say(MEMBER, slow),
        flagged(&[codes::flag::CLOCK, codes::flag::AFTER_SEAL])
    );
    assert_eq!(
        scene.say(COUNTY, clear(household, codes::flag::AFTER_SEAL)),
        Fate::Accepted
    );
    assert_eq!(flags(&scene, household), [codes::flag::CLOCK]);
    assert_eq!(
        scene.say(COUNTY, clear(household, codes::flag::AFTER_END)),
        no_effect(codes::no_effect::NOT_FLAGGED)
    );
    assert_eq!(
        scene.say(COUNTY, clear(household, "anything")),
        refused(misfit::UNKNOWN_ACTION)
    );
    let mut nameless = clear(household, "");
    nameless.action = None;
    assert_eq!(scene.say(COUNTY, nameless), refused(misfit::UNKNOWN_ACTION));
    let valued = clear(household, codes::flag::CLOCK).with("phone", Value::text("1"));
    assert!(scene.say(COUNTY, valued).is_refused());
}

#[test]
fn nobody_clears_the_marks_of_what_he_wrote() {
    let (mut scene, household) = marked();
    // The supervisor was a member of the team once, with another phone.
    let user = scene.hand(COUNTY).user;
    let today = scene.now.date();
    let then = scene.host.assign(
        user,
        "TM",
        scene.village.area,
        today.plus_days(-90),
        None,
        scene.now,
    );
    let phone_then = scene.enrol(user, then);
    let late = phone(household, "139").at(NOON).base(1);
    assert_eq!(
        scene.say(phone_then, late),
        flagged(&[codes::flag::AFTER_SEAL])
    );
    let seen_before = scene.seq() - 1;
    let clearing = clear(household, codes::flag::AFTER_SEAL);
    assert_eq!(
        scene.say(COUNTY, clearing.clone()),
        refused(codes::refused::SAME_PERSON)
    );
    assert_eq!(
        scene.say(COUNTY, clearing.base(seen_before)),
        Fate::Accepted,
        "what others wrote before"
    );
    assert_eq!(flags(&scene, household).len(), 1);
}

#[test]
fn marks_of_what_is_void_or_erased_are_cleared_too() {
    for verb in [Verb::Void, Verb::Erase] {
        let (mut scene, household) = marked();
        let (who, gone) = match verb {
            Verb::Void => (TOWNSHIP, on(household, "household", verb)),
            _ => (COUNTY, on(household, "household", verb)),
        };
        assert_eq!(scene.say(who, gone.because("重复登记")), Fate::Accepted);
        assert_eq!(
            scene.say(COUNTY, clear(household, codes::flag::AFTER_SEAL)),
            Fate::Accepted,
            "{verb:?}"
        );
        assert!(!scene.fold(household).is_flagged());
    }
}

#[test]
fn the_marks_of_an_erasure_are_cleared_on_every_record_it_took() {
    let (mut scene, household, base) = december();
    let other = scene.household();
    let closing = seal(&scene, "2026-11");
    scene.say(TOWNSHIP, closing);
    let erasure = on(household, "household", Verb::Erase)
        .link("erased", other)
        .because("依法")
        .at(NOON)
        .base(base);
    assert_eq!(
        scene.say(COUNTY, erasure),
        flagged(&[codes::flag::AFTER_SEAL])
    );
    for record in [household, other] {
        assert_eq!(flags(&scene, record).len(), 1);
        assert_eq!(
            scene.say(COUNTY, clear(record, codes::flag::AFTER_SEAL)),
            refused(codes::refused::SAME_PERSON),
            "it is his own"
        );
    }
    let user = scene.host.add_user("钱督导", scene.now);
    let (county, from) = (scene.host.county(), scene.now.date().plus_days(-9));
    let assignment = scene.host.assign(user, "CS", county, from, None, scene.now);
    let colleague = scene.enrol(user, assignment);
    for record in [household, other] {
        assert_eq!(
            scene.say(colleague, clear(record, codes::flag::AFTER_SEAL)),
            Fate::Accepted
        );
        assert!(!scene.fold(record).is_flagged());
    }
}

#[test]
fn what_comes_with_a_clearing_in_one_batch_is_not_cleared_by_it() {
    let (mut scene, household, base) = december();
    let closing = seal(&scene, "2026-11");
    scene.say(TOWNSHIP, closing);
    let erasure = on(household, "household", Verb::Erase).because("依法");
    let late = erasure.at(NOON).base(base);
    assert_eq!(
        scene.say_all(
            COUNTY,
            vec![late, clear(household, codes::flag::AFTER_SEAL)]
        ),
        [
            flagged(&[codes::flag::AFTER_SEAL]),
            no_effect(codes::no_effect::NOT_FLAGGED)
        ]
    );
    assert_eq!(flags(&scene, household).len(), 1);
}

#[test]
fn a_clearing_is_for_whom_the_record_is() {
    let (mut scene, household) = marked();
    let clearing = clear(household, codes::flag::AFTER_SEAL).audience(Audience::Team);
    assert_eq!(scene.say(COUNTY, clearing), refused(misfit::WRONG_AUDIENCE));
}

#[test]
fn what_was_cleared_once_is_not_cleared_again_though_later_marks_stand() {
    let (mut scene, household, base) = december();
    close(&mut scene, &["2026-11"]);
    let late = || phone(household, "138").at(NOON).base(base);
    assert_eq!(scene.say(SECRETARY, late()), after_seal());
    let seen = scene.seq();
    assert_eq!(scene.say(SECRETARY, late()), after_seal());
    let clearing = clear(household, codes::flag::AFTER_SEAL).base(seen);
    assert_eq!(scene.say(COUNTY, clearing.clone()), Fate::Accepted);
    assert_eq!(
        scene.say(COUNTY, clearing),
        no_effect(codes::no_effect::NOT_FLAGGED)
    );
}

#[test]
fn a_mark_of_what_made_a_record_is_replayed() {
    let (mut scene, ..) = december();
    close(&mut scene, &["2026-11"]);
    let late = scene.seq();
    let draft = household().at(NOON).base(1);
    assert_eq!(scene.say(SECRETARY, draft), after_seal());
    assert!(late < scene.seq());
    let mut index = crate::admit::Index::new();
    for entry in scene.host.entries(scene.village.journal) {
        let (head, batch) = (&entry.head, &entry.parts.batch);
        let (registry, catalogues) = (scene.host.registry(), scene.host.catalogues());
        crate::admit::replay(&mut index, registry, catalogues, head, batch);
    }
    assert_eq!(
        index,
        scene.host.journal(scene.village.journal).unwrap().index
    );
}
