//! What is hidden stays hidden, and every proof still verifies.

use super::scene::*;
use crate::admit::{Verified, codes};
use crate::audit;
use crate::batch::Seed;
use crate::command::{Content, Salt, Verb};
use crate::journal::{Chain, Entry, Fate};
use crate::record::{self, Mark, Slot};
use crate::sync::wire::{WireBody, WireEntry};
use crate::testing::Phone;
use crate::value::Value;

fn sensitive(scene: &mut Scene) -> crate::id::RecordId {
    let visit = scene.visit();
    let illness = on(visit, "visit", Verb::Set).with("illness", Value::text("高血压"));
    let illness = illness.audience(crate::command::Audience::Sensitive);
    assert!(scene.say(SECRETARY, illness).counts());
    visit
}

#[test]
fn a_batch_with_withheld_contents_still_verifies() {
    let mut scene = Scene::new();
    let record = scene.household();
    let parts = scene.seal(SECRETARY, vec![phone(record, "138"), phone(record, "139")]);
    for readable in [0b00, 0b01, 0b10, 0b11_usize] {
        let held = parts.withhold(|index, _| readable >> index & 1 == 1);
        let opened = held.to_wire().open().unwrap();
        assert_eq!(opened, held);
        assert!(Verified::check(scene.host.registry(), opened).is_ok());
        assert_eq!(
            held.seed.is_some(),
            readable == 0b11,
            "the seed is for who may read it all"
        );
    }
}

#[test]
fn changing_what_is_held_breaks_the_signature() {
    let mut scene = Scene::new();
    let record = scene.household();
    let parts = scene.seal(SECRETARY, vec![phone(record, "138")]);
    let mut changed = parts.clone();
    let content = &mut changed.contents[0].as_mut().unwrap().content;
    content
        .values
        .insert("phone".to_owned(), Value::text("139"));
    let opened = changed.to_wire().open().unwrap();
    assert!(Verified::check(scene.host.registry(), opened).is_err());
}

#[test]
fn a_salt_hides_a_content_and_tells_nothing_of_the_others() {
    let seed = Seed([7; 16]);
    let content = Content::default();
    assert_ne!(seed.salt(1), seed.salt(2));
    assert_ne!(content.digest(seed.salt(1)), content.digest(seed.salt(2)));
    assert_ne!(content.digest(seed.salt(1)), content.digest(Salt([0; 16])));
    assert_ne!(Seed([8; 16]).salt(1), seed.salt(1));
    assert_eq!(
        format!("{seed:?} {:?}", seed.salt(1)),
        "Seed(<secret>) Salt(<secret>)"
    );
}

#[test]
fn the_chain_verifies_over_withheld_and_erased_entries() {
    let mut scene = Scene::new();
    let visit = sensitive(&mut scene);
    let household = scene.log(visit)[0].command.envelope.links[0].target;
    let erase = on(household, "household", Verb::Erase).because("本人依法要求");
    assert!(scene.say(COUNTY, erase).counts());
    let deployment = scene.host.deployment();
    let mut chain = Chain::start(scene.village.journal);
    for entry in scene.host.entries(scene.village.journal) {
        let parts = entry
            .parts
            .withhold(|_, envelope| envelope.audience == crate::command::Audience::Village);
        let wire = WireEntry::pack(&Entry {
            head: entry.head.clone(),
            parts,
        });
        let opened = wire.open(deployment, |_| None).unwrap();
        chain = chain.append_entry(deployment, &opened).unwrap();
        let key = &scene.host.registry().devices[&opened.parts.batch.device].key;
        assert!(opened.parts.is_signed_by(deployment, key));
    }
    assert_eq!(chain.end, scene.end());
}

#[test]
fn an_auditor_without_the_content_that_was_refused_finds_its_dependents_rightly_refused() {
    let mut scene = Scene::new();
    let record = scene.household();
    let n = scene.hand(SECRETARY).lane.n;
    // What is wrong with the first stands in its content alone.
    let long = Value::text("长".repeat(1_000));
    let commands = vec![
        on(record, "household", Verb::Set).with("householder", long),
        phone(record, "138").needs(n + 1),
        phone(record, "139"),
    ];
    let fates = scene.say_all(SECRETARY, commands);
    assert!(fates[0].is_refused() && fates[2] == Fate::Accepted);
    assert_eq!(fates[1], refused(codes::refused::NEEDS));
    let deployment = scene.host.deployment();
    let mut bundle = scene.host.bundle();
    let entries = bundle
        .journals
        .iter_mut()
        .flat_map(|part| &mut part.entries);
    for wire in entries {
        let mut entry = wire.open(deployment, |_| None).unwrap();
        entry.parts = entry
            .parts
            .withhold(|_, envelope| !envelope.fields.iter().any(|field| field == "householder"));
        *wire = WireEntry::pack(&entry);
    }
    let report = audit::verify(&bundle, None);
    let fates = report.findings.iter();
    let fates: Vec<_> = fates
        .filter(|finding| finding.code == audit::codes::FATE)
        .collect();
    assert!(fates.is_empty(), "{fates:?}");
    assert_eq!((report.undecided, report.withheld), (1, 2));
}

#[test]
fn a_withheld_field_says_so_and_shows_nothing() {
    let mut scene = Scene::new();
    let visit = sensitive(&mut scene);
    let entries = scene.host.entries(scene.village.journal).iter();
    let withheld = entries.map(|entry| Entry {
        head: entry.head.clone(),
        parts: entry
            .parts
            .withhold(|_, envelope| envelope.audience != crate::command::Audience::Sensitive),
    });
    let log: Vec<_> = withheld
        .flat_map(|entry| record::logged(&entry).collect::<Vec<_>>())
        .filter(|logged| logged.command.envelope.record == visit)
        .collect();
    let rules = scene.host.catalogues();
    for folded in [
        record::fold(rules, scene.village.journal, visit, &log),
        record::fold_merged(rules, scene.village.journal, visit, &log),
    ] {
        assert_eq!(folded.fields.get("illness"), Some(&Slot::Withheld));
        assert!(folded.fields.contains_key("household"));
        assert_eq!(folded.marks, [Mark::Withheld]);
    }
}

#[test]
fn a_colleagues_phone_never_gets_what_was_refused() {
    let mut scene = Scene::new();
    let household = scene.household();
    let user = scene.hand(COMMITTEE).user;
    let mut phone = Phone::enrol(&mut scene.host, user, NOON);
    let refused_value = set(household).with("members", Value::text("五口之家"));
    assert!(scene.say(SECRETARY, refused_value).is_refused());
    phone.sync(&mut scene.host, NOON).unwrap();
    let bytes: Vec<u8> = phone.storage.0.values().flatten().copied().collect();
    let needle = "五口之家".as_bytes();
    assert!(!bytes.windows(needle.len()).any(|window| window == needle));
    let folded = phone
        .device
        .record(scene.village.journal, household)
        .unwrap();
    assert_eq!(folded.steps.len(), 2, "that it was refused is shown");
}

#[test]
fn a_page_says_own_entries_by_their_number_alone() {
    let mut scene = Scene::new();
    scene.household();
    let entry = &scene.host.entries(scene.village.journal)[0];
    let own = WireEntry::new(&entry.head, WireBody::Own { first: 1 });
    let parts = entry.parts.clone();
    let opened = own
        .open(scene.host.deployment(), |first| {
            (first == 1).then_some(parts)
        })
        .unwrap();
    assert_eq!(&opened, entry);
    assert!(own.open(scene.host.deployment(), |_| None).is_err());
}

#[test]
fn an_entry_with_another_fate_breaks_the_chain() {
    let mut scene = Scene::new();
    scene.household();
    let mut entry = scene.host.entries(scene.village.journal)[0].clone();
    entry.head.fates = vec![no_effect(codes::no_effect::VOID)];
    let start = Chain::start(scene.village.journal);
    let chain = start.append_entry(scene.host.deployment(), &entry).unwrap();
    assert_ne!(chain.end.head, scene.end().head);
    entry.head.fates.clear();
    assert!(start.append_entry(scene.host.deployment(), &entry).is_err());
}

#[test]
fn what_was_recorded_stands_only_for_what_is_not_at_hand() {
    let mut scene = Scene::new();
    let record = scene.household();
    let n = scene.hand(SECRETARY).lane.n;
    let commands = vec![
        edit(record, 0, 0, "甲"),
        edit(record, 0, 0, "乙").needs(n + 1),
    ];
    let parts = scene.sealed(SECRETARY, commands, scene.end());
    let recorded = ["not_allowed", "needs"].map(refused);
    let judged = |parts: &crate::batch::Parts| {
        let journal = scene.host.journal(scene.village.journal).unwrap();
        let (registry, catalogues) = (scene.host.registry(), scene.host.catalogues());
        let read = journal.circumstances(registry, catalogues, &parts.batch, NOON);
        crate::admit::judge(parts, NOON, &recorded, read).0
    };
    assert_eq!(judged(&parts), [Fate::Accepted, Fate::Accepted]);
    let withheld = parts.withhold(|at, _| at > 0);
    assert_eq!(judged(&withheld)[1], refused(codes::refused::NEEDS));
}
