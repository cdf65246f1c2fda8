//! Limits of a command and of a record: at the edge it counts, one past it is refused, and the lane moves.

use super::scene::*;
use crate::admit::codes::refused;
use crate::catalog::codes::misfit;
use crate::command::Verb;
use crate::id::{AssignmentId, RecordId};
use crate::journal::Fate;
use crate::limits::{
    COMMAND_BYTES_MAX, FIELDS_MAX, LINKS_MAX, RECORD_COMMANDS_MAX, RECORD_LANE_COMMANDS_MAX,
};
use crate::value::Value;

/// Says a command that is past a limit; its lane moves all the same.
#[track_caller]
fn check_past(scene: &mut Scene, who: Who, past: Draft, code: &str) {
    assert_eq!(scene.say(who, past), super::scene::refused(code));
    let lane = scene.host.journal(scene.village.journal).unwrap().lanes[&scene.device(who)];
    assert_eq!(lane, scene.hand(who).lane);
}

/// How many bytes a command takes, envelope and content together.
fn bytes(scene: &mut Scene, draft: &Draft) -> usize {
    let end = scene.end();
    let parts = scene.sealed(SECRETARY, vec![draft.clone()], end);
    let content = &parts.contents[0].as_ref().unwrap().content;
    crate::cbor::encode(&parts.batch.envelopes[0]).len() + content.to_cbor().len()
}

#[test]
fn a_command_has_so_many_bytes() {
    let mut scene = Scene::new();
    let household = scene.household();
    // Few enough characters, each of four bytes.
    let of_bytes = |bytes: usize| {
        let text = format!("{}{}", "𠀀".repeat(bytes / 4), "x".repeat(bytes % 4));
        edit(household, 0, 0, &text)
    };
    let rest = COMMAND_BYTES_MAX - bytes(&mut scene, &of_bytes(60_000));
    let (edge, past) = (of_bytes(60_000 + rest), of_bytes(60_001 + rest));
    assert_eq!(bytes(&mut scene, &edge), COMMAND_BYTES_MAX);
    check_past(&mut scene, SECRETARY, past, refused::LIMIT);
    assert_eq!(scene.say(SECRETARY, edge), Fate::Accepted);
}

#[test]
fn a_command_has_so_many_references() {
    let mut scene = Scene::new();
    let household = scene.household();
    let others: Vec<RecordId> = (0..=LINKS_MAX).map(|_| scene.household()).collect();
    let erase = |links: usize| {
        let erase = on(household, "household", Verb::Erase).because("本人依法要求");
        let others = others.iter().take(links);
        others.fold(erase, |erase, other| erase.link("", *other))
    };
    check_past(
        &mut scene,
        COUNTY,
        erase(LINKS_MAX + 1),
        misfit::TOO_MANY_LINKS,
    );
    assert_eq!(scene.say(COUNTY, erase(LINKS_MAX)), Fate::Accepted);
}

#[test]
fn a_command_writes_so_many_fields() {
    let mut scene = Scene::new();
    let household = scene.household();
    let of_fields = |fields: usize| {
        (0..fields).fold(set(household), |set, k| {
            set.with(&format!("field_{k}"), Value::text("x"))
        })
    };
    // No shipped kind has as many: at the edge it is the first of their names that is wrong.
    let edge = scene.say(SECRETARY, of_fields(FIELDS_MAX));
    assert_eq!(edge, refused_for(misfit::UNKNOWN_FIELD, "field_0"));
    let past = of_fields(FIELDS_MAX + 1);
    check_past(&mut scene, SECRETARY, past, misfit::TOO_MANY_FIELDS);
}

/// Says so many changes of a record's field, each of which counts.
#[track_caller]
fn fill(scene: &mut Scene, who: Who, record: RecordId, changes: u32) {
    let changes = (0..changes).map(|k| phone(record, &k.to_string()));
    let fates = scene.say_all(who, changes.collect());
    assert!(fates.iter().all(|fate| *fate == Fate::Accepted));
}

#[test]
fn a_record_takes_so_many_commands_of_one_lane() {
    let mut scene = Scene::new();
    let record = scene.household();
    fill(&mut scene, SECRETARY, record, RECORD_LANE_COMMANDS_MAX - 1);
    let past = phone(record, "x");
    check_past(&mut scene, SECRETARY, past, refused::RECORD_FULL);
    assert_eq!(scene.say(MEMBER, phone(record, "y")), Fate::Accepted);
}

#[test]
fn a_record_takes_so_many_commands() {
    let mut scene = Scene::new();
    let (user, assignment): (_, AssignmentId) = {
        let hand = scene.hand(SECRETARY);
        (hand.user, hand.assignment)
    };
    let record = scene.household();
    fill(&mut scene, SECRETARY, record, RECORD_LANE_COMMANDS_MAX - 1);
    let mut left = RECORD_COMMANDS_MAX - RECORD_LANE_COMMANDS_MAX;
    while left > 0 {
        let who = scene.enrol(user, assignment);
        let changes = left.min(RECORD_LANE_COMMANDS_MAX);
        fill(&mut scene, who, record, changes);
        left -= changes;
    }
    let past = phone(record, "x");
    check_past(&mut scene, MEMBER, past, refused::RECORD_FULL);
}

#[test]
fn that_a_record_is_full_is_said_before_what_else_is_wrong() {
    let mut scene = Scene::new();
    let record = scene.household();
    let lane = RECORD_LANE_COMMANDS_MAX;
    let changes = (1..lane).map(|k| phone(record, &k.to_string())).collect();
    scene.say_all(SECRETARY, changes);
    let act = act(record, "household", "reinstate").because("恢复");
    assert_eq!(scene.say(SECRETARY, act), refused(refused::RECORD_FULL));
}
