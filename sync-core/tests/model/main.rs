//! The fold against a naive reference ([`reference`]), on random days of one village ([`village`]): six phones, commands of every
//! verb and of four kinds, batches, late clocks, forms held open so that bases run backwards, whose fates are what admission says.
//! proptest prints the seed of a failure and shrinks it.

#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "in tests a panic is a failure"
)]

mod reference;
mod village;

use std::collections::BTreeMap;

use proptest::prelude::*;
use reference::{Expected, Field, Line, Texts};
use sync_core::command::{Audience, Verb};
use sync_core::id::RecordId;
use sync_core::record::{self, Logged, Mark, Record, Slot};
use village::{Drawn, PEOPLE, Village};

/// Random days in each test; there are four of them, 10,000 in all.
const CASES: u32 = 2_500;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn fold(record: RecordId, log: &[Logged]) -> Record {
    record::fold(&PEOPLE.catalogues, PEOPLE.journal, record, log)
}

/// What a record says, in the reference's words.
fn said(record: &Record) -> Expected {
    let field = |slot: &Slot| match slot {
        Slot::Register(held) => {
            let held = held.iter().map(|held| (held.value.clone(), held.by));
            Field::Register(held.collect())
        }
        Slot::List(items) => {
            let items = items
                .iter()
                .map(|item| (item.id, item.value.clone(), item.by));
            Field::List(items.collect())
        }
        Slot::Text(_) => Field::Text,
        Slot::Withheld => Field::Withheld,
    };
    let fields = record.fields.iter();
    let lines = record.steps.iter().map(|step| Line {
        place: step.place,
        base: step.base,
        verb: step.verb,
        fate: step.fate.clone(),
        reason: step.reason.clone(),
        was: step.was.clone().0.into_iter().collect(),
        cleared: step
            .cleared
            .iter()
            .map(|cleared| (cleared.cause.clone(), cleared.by))
            .collect(),
    });
    Expected {
        kind: record.kind.clone(),
        created: record.created,
        author: record.author,
        audience: record.created.map(|_| record.audience),
        state: record.state.clone(),
        acted: record.acted,
        void: record
            .void
            .as_ref()
            .map(|note| (note.by, note.reason.clone())),
        fields: fields
            .map(|(name, slot)| (name.clone(), field(slot)))
            .collect(),
        lines: lines.collect(),
        withheld: record.marks.contains(&Mark::Withheld),
        erased: record.marks.contains(&Mark::Erased),
    }
}

/// The log of each record that anything was said of, with what was typed in it.
fn logs(village: &Village) -> BTreeMap<RecordId, Vec<Logged>> {
    let records = village
        .log
        .iter()
        .map(|logged| logged.command.envelope.record);
    records
        .map(|record| (record, reference::concerning(record, &village.log)))
        .collect()
}

fn all_texts(village: &Village) -> Texts {
    let texts = village.texts.values().flatten();
    texts.map(|(place, text)| (*place, text.clone())).collect()
}

/// What the fold of a record must be, for who reads what content is there.
fn check(village: &Village, record: RecordId, log: &[Logged]) -> Result<Record, TestCaseError> {
    let folded = fold(record, log);
    let texts = all_texts(village);
    let expected = reference::fold(PEOPLE.catalogue(), PEOPLE.journal, record, log, &texts);
    let (mut said, mut expected) = (said(&folded), expected);
    if !reference::is_a_line(log) {
        // Where people had not seen each other, what an amendment replaced is what stood at its place, which the reference does not tell.
        for line in said.lines.iter_mut().chain(&mut expected.lines) {
            line.was.clear();
        }
    }
    prop_assert_eq!(said, expected);
    prop_assert!(!folded.marks.contains(&Mark::SetAside));
    prop_assert!(!folded.marks.contains(&Mark::OverLimit));
    prop_assert!(!folded.marks.contains(&Mark::Unknown));
    prop_assert_eq!(folded.document.is_none(), reference::is_a_line(log));
    // What admission keeps of it, to decide by, is what it adds up to.
    if let Some(entry) = village.index.get(&record) {
        prop_assert_eq!(Some(entry.created), folded.created);
        prop_assert_eq!(
            (&entry.state, entry.audience),
            (&folded.state, folded.audience)
        );
        prop_assert_eq!(entry.void, folded.void.is_some());
        prop_assert_eq!(entry.erased, folded.marks.contains(&Mark::Erased));
        let own = log
            .iter()
            .filter(|logged| logged.command.envelope.record == record);
        let counting = own.filter(|logged| logged.fate.counts()).count();
        prop_assert_eq!(usize::try_from(entry.commands()).ok(), Some(counting));
    } else {
        prop_assert!(folded.created.is_none());
    }
    let lines = folded.steps.iter().zip(log);
    for (step, logged) in lines {
        let envelope = &logged.command.envelope;
        prop_assert_eq!(step.assignment, logged.assignment);
        prop_assert_eq!(
            (step.at, step.received_at),
            (envelope.at, logged.received_at)
        );
        prop_assert_eq!(
            (&step.action, &step.fields),
            (&envelope.action, &envelope.fields)
        );
        prop_assert_eq!(folded.step(&logged.place), Some(step));
    }
    Ok(folded)
}

fn merged(record: RecordId, log: &[Logged]) -> Record {
    record::fold_merged(&PEOPLE.catalogues, PEOPLE.journal, record, log)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_record_adds_up_to_what_the_reference_says(day in village::day()) {
        let village = Village::of(&day);
        for (record, log) in logs(&village) {
            let folded = check(&village, record, &log)?;
            for (name, slot) in &folded.fields {
                if let Slot::Text(text) = slot {
                    let none = Texts::new();
                    let texts = village.texts.get(name).unwrap_or(&none);
                    let fault = reference::text_fault(name, &log, texts, text);
                    prop_assert!(fault.is_none(), "{}", fault.unwrap_or_default());
                }
            }
        }
    }

    #[test]
    fn both_ways_of_folding_agree_and_growing_agrees_with_folding_anew(day in village::day()) {
        let village = Village::of(&day);
        for (record, log) in logs(&village) {
            let folded = fold(record, &log);
            let mut merged = merged(record, &log);
            prop_assert!(merged.document.is_some());
            merged.document.clone_from(&folded.document);
            prop_assert_eq!(&merged, &folded);
            let mut grown = Record::empty(PEOPLE.journal, record);
            for (at, logged) in log.iter().enumerate() {
                if grown.extend(&PEOPLE.catalogues, logged).is_err() {
                    grown = fold(record, &log[..=at]);
                }
            }
            prop_assert_eq!(&grown, &folded);
        }
    }

    #[test]
    fn who_reads_less_sees_what_the_reference_says(day in village::day(), team: bool) {
        let village = Village::of(&day);
        for (record, mut log) in logs(&village) {
            for logged in &mut log {
                let hidden = match logged.command.envelope.audience {
                    Audience::Village => false,
                    Audience::Team | Audience::County => !team,
                    Audience::Sensitive => true,
                };
                if hidden {
                    logged.command.content = None;
                }
            }
            let folded = check(&village, record, &log)?;
            let mut merged = merged(record, &log);
            merged.document.clone_from(&folded.document);
            prop_assert_eq!(&merged, &folded);
        }
    }

    #[test]
    fn what_is_erased_is_the_same_before_and_after_its_contents_go(day in village::day(), drawn in village::day()) {
        let days: Vec<Drawn> = day.into_iter().chain(drawn.into_iter().take(4)).collect();
        let village = Village::of(&days);
        for (record, log) in logs(&village) {
            let before = check(&village, record, &log)?;
            if !before.marks.contains(&Mark::Erased) {
                continue;
            }
            let mut gone = log.clone();
            for logged in &mut gone {
                if logged.command.envelope.verb != Verb::Erase {
                    logged.command.content = None;
                }
            }
            let mut after = check(&village, record, &gone)?;
            after.document.clone_from(&before.document);
            prop_assert_eq!(&after, &before);
        }
    }
}

/// The random days are worth something only if they hold all of this.
#[test]
fn the_days_hold_every_verb_every_fate_conflicts_and_records_of_every_kind() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut count = |what: String| *seen.entry(what).or_default() += 1;
    for _ in 0..400 {
        let day = village::day()
            .new_tree(&mut runner)
            .expect("days can be drawn");
        let village = Village::of(&day.current());
        for logged in &village.log {
            let envelope = &logged.command.envelope;
            if logged.fate.counts() {
                count(format!("{:?}", envelope.verb));
                count(envelope.kind.clone());
            }
            match &logged.fate {
                sync_core::journal::Fate::NoEffect(code) => count(code.clone()),
                sync_core::journal::Fate::Flagged(causes) => count(causes.join(" ")),
                _ => {}
            }
        }
        for (record, log) in logs(&village) {
            let folded = fold(record, &log);
            if folded.conflicts().next().is_some() {
                count("conflict".to_owned());
            }
            if folded.document.is_some() {
                count("document".to_owned());
            }
            for step in &folded.steps {
                if !step.cleared.is_empty() {
                    count("cleared".to_owned());
                }
                if !step.was.is_empty() {
                    count("was".to_owned());
                }
            }
        }
    }
    let wanted = [
        "Create",
        "Set",
        "Edit",
        "Insert",
        "Remove",
        "Act",
        "Amend",
        "Void",
        "Erase",
        "Reveal",
        "Seal",
        "Clear",
        "household",
        "visit",
        "task",
        "month",
        "superseded",
        "wrong_state",
        "filed",
        "void",
        "erased",
        "sealed",
        "not_flagged",
        "clock",
        "clock after_seal",
        "conflict",
        "document",
        "cleared",
        "was",
    ];
    for what in wanted {
        let times = seen.get(what).copied().unwrap_or(0);
        assert!(times >= 1, "{what}: {times} times in {seen:?}");
    }
}
