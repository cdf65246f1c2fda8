//! `base` is what was seen: nobody overwrites what he had not seen, and the fold is total.

use super::scene::*;
use crate::admit::codes;
use crate::command::Verb;
use crate::id::{ItemId, Seq};
use crate::journal::Fate;
use crate::record::{self, Mark, Slot};
use crate::sync::device::{CannotSave, Effect, Intent};
use crate::testing::Phone;
use crate::value::Value;

fn text(text: &str) -> Value {
    Value::text(text)
}

#[test]
fn a_value_that_its_writer_had_not_seen_stays_beside_his() {
    let mut scene = Scene::new();
    let household = scene.household();
    let base = scene.seq();
    scene.say(SECRETARY, phone(household, "138").base(base));
    scene.say(MEMBER, phone(household, "139").base(base));
    assert_eq!(scene.held(household, "phone"), [text("138"), text("139")]);
    // Whoever has seen both chooses, and his value alone stands.
    scene.say(COMMITTEE, phone(household, "137"));
    assert_eq!(scene.held(household, "phone"), [text("137")]);
}

#[test]
fn a_value_that_its_writer_had_seen_is_replaced() {
    let mut scene = Scene::new();
    let household = scene.household();
    scene.say(SECRETARY, phone(household, "138"));
    scene.say(MEMBER, phone(household, "139"));
    assert_eq!(scene.held(household, "phone"), [text("139")]);
    assert!(
        scene.fold(household).document.is_none(),
        "what everyone had seen needs no CRDT"
    );
}

#[test]
fn an_own_earlier_command_is_seen_whatever_the_base() {
    let mut scene = Scene::new();
    let household = scene.household();
    let base = scene.seq();
    let commands = vec![
        phone(household, "138").base(base),
        phone(household, "139").base(base),
    ];
    scene.say_all(SECRETARY, commands);
    scene.say(SECRETARY, phone(household, "137").base(base));
    assert_eq!(scene.held(household, "phone"), [text("137")]);
}

#[test]
fn concurrent_writes_of_different_fields_do_not_meet() {
    let mut scene = Scene::new();
    let household = scene.household();
    let base = scene.seq();
    scene.say(SECRETARY, phone(household, "138").base(base));
    let code = set(household).with("code", text("A-1")).base(base);
    scene.say(MEMBER, code);
    assert_eq!(scene.held(household, "phone"), [text("138")]);
    assert_eq!(scene.held(household, "code"), [text("A-1")]);
}

#[test]
fn equal_concurrent_values_are_one_value() {
    let mut scene = Scene::new();
    let household = scene.household();
    let base = scene.seq();
    scene.say(SECRETARY, phone(household, "138").base(base));
    scene.say(MEMBER, phone(household, "138").base(base));
    assert_eq!(scene.held(household, "phone"), [text("138")]);
    assert_eq!(scene.fold(household).conflicts().count(), 0);
}

#[test]
fn an_equal_value_written_again_is_still_a_word_in_a_merge() {
    let mut scene = Scene::new();
    let household = scene.household();
    scene.say(SECRETARY, phone(household, "138"));
    let base = scene.seq();
    scene.say(SECRETARY, phone(household, "138").base(base));
    scene.say(MEMBER, phone(household, "139").base(base));
    assert_eq!(scene.held(household, "phone"), [text("138"), text("139")]);
}

#[test]
fn clearing_a_field_unseen_by_another_stays_beside_his_value() {
    let mut scene = Scene::new();
    let household = scene.household();
    scene.say(SECRETARY, phone(household, "138"));
    let base = scene.seq();
    let clear = set(household).with("phone", Value::Null).base(base);
    scene.say(SECRETARY, clear);
    scene.say(MEMBER, phone(household, "139").base(base));
    assert_eq!(scene.held(household, "phone"), [Value::Null, text("139")]);
}

#[test]
fn a_base_may_run_backwards_in_a_lane_and_loses_nothing() {
    let mut scene = Scene::new();
    let household = scene.household();
    let opened = scene.seq();
    scene.say(MEMBER, phone(household, "139"));
    scene.say(SECRETARY, set(household).with("code", text("A-1")));
    // A form that was open since before the member's value is saved now.
    assert_eq!(
        scene.say(SECRETARY, phone(household, "138").base(opened)),
        Fate::Accepted
    );
    assert_eq!(scene.held(household, "phone"), [text("139"), text("138")]);
}

#[test]
fn a_base_beyond_what_was_verified_is_refused() {
    let mut scene = Scene::new();
    let household = scene.household();
    let seen = scene.end();
    scene.say(MEMBER, phone(household, "139"));
    let beyond = phone(household, "138").base(seen.seq + 1);
    let parts = scene.seal_seeing(SECRETARY, vec![beyond], seen);
    let outcome = scene.submit(&parts);
    assert_eq!(
        fates(&outcome, 1),
        [refused(codes::refused::BASE_UNSEEN)],
        "the entry is there, but its author had not verified it"
    );
    let far = phone(household, "138").base(Seq::MAX);
    assert_eq!(
        scene.say(SECRETARY, far),
        refused(codes::refused::BASE_UNSEEN)
    );
}

#[test]
fn splices_of_two_who_had_not_seen_each_other_both_stand() {
    let mut scene = Scene::new();
    let household = scene.household();
    scene.say(SECRETARY, edit(household, 0, 0, "低保户。"));
    let base = scene.seq();
    scene.say(SECRETARY, edit(household, 4, 0, "有耕地。").base(base));
    scene.say(MEMBER, edit(household, 0, 3, "脱贫户").base(base));
    let note = scene.text(household, "note");
    assert!(
        note.contains("有耕地。") && note.contains("脱贫户"),
        "{note}"
    );
    assert!(!note.contains("低保户"), "{note}");
}

#[test]
fn two_first_edits_of_a_text_meet_in_one_text() {
    let mut scene = Scene::new();
    let household = scene.household();
    let base = scene.seq();
    scene.say(SECRETARY, edit(household, 0, 0, "甲").base(base));
    scene.say(MEMBER, edit(household, 0, 0, "乙").base(base));
    let note = scene.text(household, "note");
    assert!(note == "甲乙" || note == "乙甲", "{note}");
}

#[test]
fn positions_beyond_a_text_clamp_to_its_end() {
    let mut scene = Scene::new();
    let household = scene.household();
    scene.say(SECRETARY, edit(household, 0, 0, "𠀀乙丙"));
    assert_eq!(
        scene.say(SECRETARY, edit(household, u32::MAX, u32::MAX, "丁")),
        Fate::Accepted
    );
    scene.say(SECRETARY, edit(household, 1, u32::MAX, "戊"));
    assert_eq!(scene.text(household, "note"), "𠀀戊");
    let merged = record::fold_merged(
        scene.host.catalogues(),
        scene.village.journal,
        household,
        &scene.log(household),
    );
    assert_eq!(
        merged.fields.get("note"),
        Some(&Slot::Text("𠀀戊".to_owned()))
    );
}

fn items(scene: &Scene, visit: crate::id::RecordId) -> Vec<String> {
    let Some(Slot::List(items)) = scene.fold(visit).fields.remove("checklist") else {
        return Vec::new();
    };
    let name = |value: &Value| match value {
        Value::Struct(parts) => parts
            .get("item")
            .and_then(Value::as_text)
            .unwrap_or_default()
            .to_owned(),
        _ => String::new(),
    };
    items.iter().map(|item| name(&item.value)).collect()
}

#[test]
fn an_item_added_wins_over_a_removal_that_had_not_seen_it() {
    let mut scene = Scene::new();
    let visit = scene.visit();
    scene.say(SECRETARY, insert(visit, &["水", "电"]));
    let inserted = scene.last(SECRETARY);
    let item = |k| {
        ItemId::derive(
            inserted.device,
            inserted.journal,
            inserted.n,
            "checklist",
            k,
        )
    };
    let base = scene.seq();
    scene.say(SECRETARY, insert(visit, &["路"]).base(base));
    scene.say(MEMBER, remove(visit, &[item(0), item(1)]).base(base));
    assert_eq!(items(&scene, visit), ["路"]);
}

#[test]
fn an_unknown_item_is_no_change() {
    let mut scene = Scene::new();
    let visit = scene.visit();
    scene.say(SECRETARY, insert(visit, &["水"]));
    assert_eq!(
        scene.say(SECRETARY, remove(visit, &[ItemId([9; 16])])),
        Fate::Accepted
    );
    assert_eq!(items(&scene, visit), ["水"]);
}

#[test]
fn a_limit_that_only_a_merge_crosses_marks_the_record() {
    let mut scene = Scene::new();
    let household = scene.household();
    let half: String = "长".repeat(crate::limits::TEXT_CHARS_MAX / 2 + 1);
    let base = scene.seq();
    assert_eq!(
        scene.say(SECRETARY, edit(household, 0, 0, &half).base(base)),
        Fate::Accepted
    );
    assert_eq!(
        scene.say(MEMBER, edit(household, 0, 0, &half).base(base)),
        Fate::Accepted
    );
    assert_eq!(scene.fold(household).marks, [Mark::OverLimit]);
}

#[test]
fn an_amendment_of_a_merged_record_still_shows_what_it_replaced() {
    let mut scene = Scene::new();
    let visit = scene.visit();
    let base = scene.seq();
    let weather = |text: &str| on(visit, "visit", Verb::Set).with("weather", Value::text(text));
    scene.say(SECRETARY, weather("晴").base(base));
    let crop = on(visit, "visit", Verb::Set).with("crop", text("油菜"));
    scene.say(MEMBER, crop.base(base));
    scene.say(SECRETARY, act(visit, "visit", "file"));
    let amend = on(visit, "visit", Verb::Amend)
        .with("weather", text("阴"))
        .because("记错了");
    assert_eq!(scene.say(SECRETARY, amend), Fate::Accepted);
    let folded = scene.fold(visit);
    assert!(
        folded.document.is_some(),
        "two drafts had not seen each other"
    );
    let step = folded.steps.last().unwrap();
    assert_eq!(step.was.get("weather"), Some(&text("晴")));
    assert_eq!(scene.held(visit, "weather"), [text("阴")]);
}

#[test]
fn a_version_that_is_not_known_here_is_said_so_on_the_record() {
    let mut scene = Scene::new();
    let household = scene.household();
    let known = scene.fold(household);
    assert_eq!(known.marks, []);
    let nothing = crate::admit::Catalogues::new();
    let folded = record::fold(
        &nothing,
        scene.village.journal,
        household,
        &scene.log(household),
    );
    assert_eq!(folded.marks, [Mark::Unknown]);
    assert_eq!(folded.steps.len(), 1, "the entry is kept");
}

/// A village whose secretary and member have phones that have synced once.
fn two_phones() -> (Scene, Phone, Phone) {
    let mut scene = Scene::new();
    let mut enrol = |who: Who| {
        let user = scene.hand(who).user;
        Phone::enrol(&mut scene.host, user, NOON)
    };
    let (mut first, mut second) = (enrol(SECRETARY), enrol(MEMBER));
    first.sync(&mut scene.host, NOON).unwrap();
    second.sync(&mut scene.host, NOON).unwrap();
    (scene, first, second)
}

#[test]
fn a_form_that_stayed_open_keeps_the_base_it_was_opened_on() {
    let (mut scene, mut first, mut second) = two_phones();
    let journal = scene.village.journal;
    let household = Intent::create("household").with("householder", text("张三"));
    let household = first.save(journal, None, household, NOON).unwrap().record;
    first.sync(&mut scene.host, NOON).unwrap();
    second.sync(&mut scene.host, NOON).unwrap();
    let form = first.device.open_form(journal, Some(household));
    let number = |number: &str| Intent::set(household).with("phone", text(number));
    second.save(journal, None, number("139"), NOON).unwrap();
    second.sync(&mut scene.host, NOON).unwrap();
    // The first phone takes in the other's value behind the open form.
    first.sync(&mut scene.host, NOON).unwrap();
    first
        .save(journal, Some(form), number("138"), NOON)
        .unwrap();
    first.sync(&mut scene.host, NOON).unwrap();
    assert_eq!(scene.held(household, "phone"), [text("139"), text("138")]);
}

#[test]
fn before_another_command_on_a_record_its_open_form_is_pinned_anew() {
    let (mut scene, mut first, _) = two_phones();
    let journal = scene.village.journal;
    let household = Intent::create("household").with("householder", text("张三"));
    let household = first.save(journal, None, household, NOON).unwrap().record;
    first.sync(&mut scene.host, NOON).unwrap();
    let form = first.device.open_form(journal, Some(household));
    let other = Intent::set(household).with("code", text("A-1"));
    let saved = first.save(journal, None, other, NOON).unwrap();
    let repinned = saved
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Repinned(pinned, _) if *pinned == form));
    assert!(repinned);
}

#[test]
fn a_field_in_conflict_is_written_only_through_its_chooser() {
    let (mut scene, mut first, mut second) = two_phones();
    let journal = scene.village.journal;
    let household = Intent::create("household").with("householder", text("张三"));
    let household = first.save(journal, None, household, NOON).unwrap().record;
    first.sync(&mut scene.host, NOON).unwrap();
    second.sync(&mut scene.host, NOON).unwrap();
    let number = |number: &str| Intent::set(household).with("phone", text(number));
    first.save(journal, None, number("138"), NOON).unwrap();
    second.save(journal, None, number("139"), NOON).unwrap();
    first.sync(&mut scene.host, NOON).unwrap();
    second.sync(&mut scene.host, NOON).unwrap();
    first.sync(&mut scene.host, NOON).unwrap();
    assert_eq!(
        first.save(journal, None, number("137"), NOON),
        Err(CannotSave::InConflict("phone".to_owned()))
    );
    let mut chosen = number("139");
    chosen.chooses = true;
    first.save(journal, None, chosen, NOON).unwrap();
    first.sync(&mut scene.host, NOON).unwrap();
    assert_eq!(scene.held(household, "phone"), [text("139")]);
}
