//! The fold against itself and against a model written from the rules alone.
//!
//! The model knows nothing of CRDTs: a register is the set of values that nobody who saw them replaced; a list is what was
//! inserted and not removed by somebody who saw it; a text is what everyone typed.

mod document;
mod erasure;
mod limits;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::command::{Content, Splice};
use crate::id::Digest;

/// Fields merge by their names.
struct ByName;

impl Rules for ByName {
    fn knows(&self, _: u32) -> bool {
        true
    }

    fn merge(&self, _: u32, _: &str, field: &str) -> Merge {
        match field {
            "text" => Merge::Text,
            "list" => Merge::List,
            _ => Merge::Register,
        }
    }

    fn state_after(&self, _: u32, envelope: &Envelope) -> Option<String> {
        envelope.action.clone()
    }
}

const JOURNAL: JournalId = JournalId([1; 16]);
const RECORD: RecordId = RecordId([2; 16]);
const REGISTERS: [&str; 2] = ["phone", "code"];

/// What a command does, before it has a place.
#[derive(Debug, Clone)]
enum Does {
    Set(usize, Option<u8>),
    Splice(u32, u32, bool),
    Rewrite,
    Insert(u8),
    Remove(Vec<prop::sample::Index>),
    Nothing,
}

/// One command: whose it is, how far behind the journal's end its author was looking, and whether it counts.
#[derive(Debug, Clone)]
struct Drawn {
    lane: u8,
    behind: u64,
    joins: bool,
    counts: bool,
    readable: bool,
    does: Does,
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        4 => (0..2_usize, prop::option::weighted(0.9, 0..4_u8)).prop_map(|(field, value)| Does::Set(field, value)),
        3 => (0..12_u32, 0..4_u32, any::<bool>()).prop_map(|(at, delete, far)| Does::Splice(at, delete, far)),
        1 => Just(Does::Rewrite),
        2 => (1..3_u8).prop_map(Does::Insert),
        2 => prop::collection::vec(any::<prop::sample::Index>(), 1..3).prop_map(Does::Remove),
        1 => Just(Does::Nothing),
    ]
}

fn drawn(behind: impl Strategy<Value = u64>) -> impl Strategy<Value = Drawn> {
    (0..4_u8, behind, any::<bool>(), 0..10_u8, does()).prop_map(
        |(lane, behind, joins, luck, does)| Drawn {
            lane,
            behind,
            joins,
            counts: luck > 0,
            readable: true,
            does,
        },
    )
}

fn everyone_sees_everything() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec(drawn(Just(0)), 0..16)
}

fn some_lag() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec(drawn(0..6_u64), 0..16)
}

/// How bases run within a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bases {
    /// As an honest device's: never backwards within one record.
    Forwards,
    /// As drawn.
    Any,
}

/// Gives the commands places, in a journal that holds other records too.
fn log_of(drawn: &[Drawn], bases: Bases) -> Vec<Logged> {
    let mut log: Vec<Logged> = Vec::new();
    let mut lanes: BTreeMap<u8, (u64, Seq)> = BTreeMap::new();
    let mut items: Vec<ItemId> = Vec::new();
    let create = Drawn {
        lane: 0,
        behind: 0,
        joins: false,
        counts: true,
        readable: true,
        does: Does::Nothing,
    };
    let mut seq: Seq = 0;
    let mut writer = None;
    for (at, drawn) in core::iter::once(&create).chain(drawn).enumerate() {
        // Commands of one lane may share an entry; other records' entries lie between.
        if !(drawn.joins && writer == Some(drawn.lane)) {
            seq += 1 + u64::from(drawn.lane == 3);
        }
        writer = Some(drawn.lane);
        let (n, last_base) = lanes.get(&drawn.lane).copied().unwrap_or((0, 0));
        let known = if at == 0 {
            0
        } else {
            (seq - 1).saturating_sub(drawn.behind).max(1)
        };
        let base = if bases == Bases::Forwards {
            known.max(last_base)
        } else {
            known
        };
        lanes.insert(drawn.lane, (n + 1, base));
        let device = DeviceId([drawn.lane; 16]);
        let place = Place {
            seq,
            n: n + 1,
            device,
        };
        let (verb, fields, content) = command(at, &drawn.does, &items);
        if drawn.counts && matches!(drawn.does, Does::Insert(_)) {
            let Some(Value::List(values)) = content.value("list") else {
                unreachable!("an insertion has values")
            };
            items.extend(
                (0..)
                    .zip(values)
                    .map(|(k, _)| ItemId::derive(device, JOURNAL, n + 1, "list", k)),
            );
        }
        let envelope = Envelope {
            n: n + 1,
            record: RECORD,
            kind: "household".to_owned(),
            base,
            at: Timestamp(0),
            verb: if at == 0 { Verb::Create } else { verb },
            action: None,
            fields,
            links: Vec::new(),
            audience: Audience::Village,
            digest: Digest([0; 32]),
            needs: None,
            origin: None,
        };
        let fate = if drawn.counts {
            Fate::Accepted
        } else {
            Fate::NoEffect("superseded".to_owned())
        };
        log.push(Logged {
            place,
            assignment: AssignmentId([0; 16]),
            received_at: Timestamp(0),
            catalogue: 1,
            fate,
            command: Command {
                envelope,
                content: Some(content).filter(|_| drawn.readable),
            },
        });
    }
    log
}

/// A record's log, written command by command; each has a place and a lane of its own unless said otherwise.
#[derive(Debug, Default, Clone)]
struct Story(Vec<Logged>);

impl Story {
    /// A record of which everything counts, made by lane 1.
    fn new() -> Self {
        Self::default().says(1, Verb::Create, &[], Content::default())
    }

    /// Something that a lane says having seen all before it.
    fn says(self, lane: u8, verb: Verb, fields: &[&str], content: Content) -> Self {
        let base = self.0.len() as Seq;
        self.says_at(lane, base, verb, fields, content)
    }

    /// Something that a lane says having seen what stands up to `base`, and what it said itself.
    fn says_at(
        mut self,
        lane: u8,
        base: Seq,
        verb: Verb,
        fields: &[&str],
        content: Content,
    ) -> Self {
        let device = DeviceId([lane; 16]);
        let own = self.0.iter().filter(|logged| logged.place.device == device);
        let (seq, n) = (self.0.len() as Seq + 1, own.count() as u64 + 1);
        let envelope = Envelope {
            n,
            record: RECORD,
            kind: "household".to_owned(),
            base,
            at: Timestamp(0),
            verb,
            action: None,
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            links: Vec::new(),
            audience: Audience::Village,
            digest: Digest([0; 32]),
            needs: None,
            origin: None,
        };
        self.0.push(Logged {
            place: Place { seq, n, device },
            assignment: AssignmentId([0; 16]),
            received_at: Timestamp(0),
            catalogue: 1,
            fate: Fate::Accepted,
            command: Command {
                envelope,
                content: Some(content),
            },
        });
        self
    }

    /// What both folds say; they must agree.
    #[track_caller]
    fn folded(&self) -> Record {
        let folded = folded(&self.0);
        let mut merged = merged(&self.0);
        merged.document.clone_from(&folded.document);
        assert_eq!(folded, merged);
        folded
    }

    /// The same for a reader from whom some contents are withheld.
    fn without(mut self, hidden: impl Fn(&Logged) -> bool) -> Self {
        for logged in &mut self.0 {
            if hidden(logged) {
                logged.command.content = None;
            }
        }
        self
    }
}

fn gives(field: &str, value: Value) -> Content {
    let mut content = Content::default();
    content.values.insert(field.to_owned(), value);
    content
}

fn because(reason: &str) -> Content {
    let reason = Some(reason.to_owned());
    Content {
        reason,
        ..Content::default()
    }
}

fn types(at: u32, delete: u32, insert: &str) -> Content {
    let insert = insert.to_owned();
    Content {
        splices: vec![Splice { at, delete, insert }],
        ..Content::default()
    }
}

/// The `at`th command types its own letter, so that every insertion can be told from every other.
fn letter(at: usize) -> String {
    char::from_u32(0x4e00 + u32::try_from(at).unwrap())
        .unwrap()
        .to_string()
}

fn command(at: usize, does: &Does, items: &[ItemId]) -> (Verb, Vec<String>, Content) {
    let mut content = Content::default();
    let one = |field: &str| vec![field.to_owned()];
    match does {
        Does::Set(field, value) => {
            let value = value.map_or(Value::Null, |value| Value::Int(i64::from(value)));
            let field = REGISTERS[*field];
            content.values.insert(field.to_owned(), value);
            (Verb::Set, one(field), content)
        }
        Does::Splice(position, delete, far) => {
            let at_most = if *far { u32::MAX } else { *position };
            content.splices.push(Splice {
                at: at_most,
                delete: *delete,
                insert: letter(at),
            });
            (Verb::Edit, one("text"), content)
        }
        Does::Rewrite => {
            content
                .values
                .insert("text".to_owned(), Value::text(letter(at)));
            content.reason = Some("记错了".to_owned());
            (Verb::Amend, one("text"), content)
        }
        Does::Insert(count) => {
            let values = (0..*count).map(|k| Value::Int(i64::from(k))).collect();
            content
                .values
                .insert("list".to_owned(), Value::List(values));
            (Verb::Insert, one("list"), content)
        }
        Does::Remove(which) => {
            let pick = |index: &prop::sample::Index| {
                if items.is_empty() {
                    ItemId([9; 16])
                } else {
                    *index.get(items)
                }
            };
            content.removed = which.iter().map(pick).collect();
            (Verb::Remove, one("list"), content)
        }
        Does::Nothing => (Verb::Act, Vec::new(), content),
    }
}

fn folded(log: &[Logged]) -> Record {
    fold(&ByName, JOURNAL, RECORD, log)
}

fn merged(log: &[Logged]) -> Record {
    fold_merged(&ByName, JOURNAL, RECORD, log)
}

fn counted(log: &[Logged]) -> impl Iterator<Item = &Logged> {
    log.iter().filter(|logged| logged.fate.counts())
}

/// The model of a register: what nobody who saw it replaced, equal values once.
fn standing(log: &[Logged], field: &str) -> Vec<Value> {
    let writers: Vec<(&Logged, &Value)> = counted(log)
        .filter_map(|logged| Some((logged, logged.command.content.as_ref()?.value(field)?)))
        .collect();
    let mut values: Vec<Value> = Vec::new();
    for (logged, value) in &writers {
        let replaced = writers
            .iter()
            .any(|(other, _)| other.place > logged.place && other.saw(&logged.place));
        if !replaced && !values.contains(value) {
            values.push((*value).clone());
        }
    }
    values
}

fn held(record: &Record, field: &str) -> Vec<Value> {
    match record.fields.get(field) {
        Some(Slot::Register(held)) => held.iter().map(|held| held.value.clone()).collect(),
        None => Vec::new(),
        Some(other) => panic!("{field} is a register, not {other:?}"),
    }
}

/// The model of a list: what was inserted, less what somebody who saw it removed.
fn items(log: &[Logged]) -> Vec<ItemId> {
    let mut items = Vec::new();
    for logged in counted(log) {
        let Some(content) = &logged.command.content else {
            continue;
        };
        if let Some(Value::List(values)) = content.value("list") {
            let ids = (0..).zip(values).map(|(k, _)| {
                ItemId::derive(logged.place.device, JOURNAL, logged.place.n, "list", k)
            });
            items.extend(ids.map(|id| (id, logged.place)));
        }
    }
    let removed = |id: &ItemId, by: &Place| {
        counted(log).any(|logged| {
            let names = logged
                .command
                .content
                .as_ref()
                .is_some_and(|content| content.removed.contains(id));
            names && logged.saw(by)
        })
    };
    items
        .iter()
        .filter(|(id, by)| !removed(id, by))
        .map(|(id, _)| *id)
        .collect()
}

fn listed(record: &Record) -> Vec<ItemId> {
    match record.fields.get("list") {
        Some(Slot::List(items)) => items.iter().map(|item| item.id).collect(),
        _ => Vec::new(),
    }
}

/// The model of a text that nobody edited unseen by another.
fn typed(log: &[Logged]) -> Option<String> {
    let mut text: Option<Vec<char>> = None;
    for logged in counted(log) {
        let Some(content) = &logged.command.content else {
            continue;
        };
        if let Some(value) = content.value("text") {
            text = value.as_text().map(|text| text.chars().collect());
        }
        for splice in &content.splices {
            let text = text.get_or_insert_default();
            let at = text.len().min(splice.at as usize);
            let end = text.len().min(at.saturating_add(splice.delete as usize));
            text.splice(at..end, splice.insert.chars());
        }
    }
    text.map(|text| text.iter().collect())
}

fn text(record: &Record) -> Option<String> {
    match record.fields.get("text") {
        Some(Slot::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn where_everyone_saw_everything_both_folds_agree_with_each_other_and_with_plain_writing(drawn in everyone_sees_everything()) {
        let log = log_of(&drawn, Bases::Forwards);
        let (plain, merged) = (folded(&log), merged(&log));
        prop_assert!(plain.document.is_none());
        prop_assert_eq!(&plain.fields, &merged.fields);
        prop_assert_eq!(&plain.steps, &merged.steps);
        prop_assert_eq!(&plain.marks, &merged.marks);
        prop_assert_eq!(text(&plain), typed(&log));
    }

    #[test]
    fn what_is_withheld_is_withheld_by_both_folds(drawn in everyone_sees_everything(), hidden in prop::collection::vec(any::<bool>(), 16)) {
        let hide = |(drawn, hidden): (Drawn, bool)| Drawn { readable: !hidden, ..drawn };
        let drawn: Vec<Drawn> = drawn.into_iter().zip(hidden).map(hide).collect();
        let log = log_of(&drawn, Bases::Forwards);
        prop_assert_eq!(folded(&log).fields, merged(&log).fields);
    }

    #[test]
    fn the_fold_of_the_next_command_is_the_fold_from_empty(drawn in some_lag()) {
        let log = log_of(&drawn, Bases::Forwards);
        let mut grown = Record::empty(JOURNAL, RECORD);
        for (at, logged) in log.iter().enumerate() {
            let upto = &log[..=at];
            if grown.extend(&ByName, logged).is_err() {
                grown = folded(upto);
            }
            prop_assert_eq!(&grown, &folded(upto));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_folds_as_the_model_says(drawn in some_lag()) {
        let log = log_of(&drawn, Bases::Forwards);
        let record = folded(&log);
        for field in REGISTERS {
            prop_assert_eq!(held(&record, field), standing(&log, field), "{}", field);
        }
        prop_assert_eq!(listed(&record), items(&log));
        prop_assert!(record.marks.is_empty());
        if record.document.is_none() {
            prop_assert_eq!(text(&record), typed(&log));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_bases_are_claimed_nobody_loses_a_value_that_nobody_saw(drawn in some_lag()) {
        let log = log_of(&drawn, Bases::Any);
        let record = folded(&log);
        prop_assert!(!record.marks.contains(&Mark::SetAside));
        for field in REGISTERS {
            let held: BTreeSet<Value> = held(&record, field).into_iter().collect();
            for value in standing(&log, field) {
                prop_assert!(held.contains(&value), "{} lost a value", field);
            }
        }
    }

    #[test]
    fn what_several_type_into_one_text_all_stands_in_it(drawn in some_lag()) {
        let only_types = |drawn: Drawn| match drawn.does {
            Does::Splice(at, _, far) => Drawn { does: Does::Splice(at, 0, far), ..drawn },
            Does::Rewrite => Drawn { does: Does::Splice(0, 0, true), ..drawn },
            _ => drawn,
        };
        let drawn: Vec<Drawn> = drawn.into_iter().map(only_types).collect();
        let log = log_of(&drawn, Bases::Forwards);
        let text = text(&folded(&log)).unwrap_or_default();
        let letters: BTreeSet<char> = text.chars().collect();
        prop_assert_eq!(letters.len(), text.chars().count(), "nothing stands twice");
        for (at, logged) in log.iter().enumerate() {
            let types = logged.fate.counts() && logged.command.envelope.verb == Verb::Edit;
            prop_assert_eq!(text.contains(&letter(at)), types);
        }
    }

    #[test]
    fn any_base_and_any_position_folds(drawn in some_lag(), bases in prop::collection::vec(any::<u64>(), 17)) {
        let mut log = log_of(&drawn, Bases::Any);
        for (logged, base) in log.iter_mut().zip(bases) {
            logged.command.envelope.base = base;
        }
        prop_assert!(!folded(&log).marks.contains(&Mark::SetAside));
        prop_assert!(!merged(&log).marks.contains(&Mark::SetAside));
    }
}

#[test]
fn a_record_full_of_unseen_commands_folds_in_time() {
    let drawn: Vec<Drawn> = (0..300_u32)
        .map(|k| Drawn {
            lane: u8::try_from(k % 4).unwrap(),
            behind: 8,
            joins: false,
            counts: true,
            readable: true,
            does: if k % 2 == 0 {
                Does::Set(0, Some(u8::try_from(k % 250).unwrap()))
            } else {
                Does::Splice(k, 0, false)
            },
        })
        .collect();
    let log = log_of(&drawn, Bases::Forwards);
    let record = folded(&log);
    assert!(record.document.is_some());
    assert_eq!(held(&record, "phone"), standing(&log, "phone"));
}
