//! The official JavaScript Automerge opens a record's document and finds in it what the fold says: every value, every text,
//! every item, and both values of a conflict.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command as Process;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value as Json, json};
use sync_core::command::{Audience, Command, Content, Envelope, Splice, Verb};
use sync_core::id::{AssignmentId, DeviceId, Digest, ItemId, JournalId, RecordId, Timestamp};
use sync_core::journal::Fate;
use sync_core::record::{Logged, Merge, Place, Record, Rules, Slot, fold_merged};
use sync_core::value::{Fields, Value};
use tests::house::root;

const JOURNAL: JournalId = JournalId([7; 16]);
const RECORD: RecordId = RecordId([8; 16]);

/// `note` is a text, `needs` a list of items; every other field is a register.
struct Household;

impl Rules for Household {
    fn merge(&self, _: u32, _: &str, field: &str) -> Merge {
        match field {
            "note" => Merge::Text,
            "needs" => Merge::List,
            _ => Merge::Register,
        }
    }

    fn knows(&self, _: u32) -> bool {
        true
    }

    fn state_after(&self, _: u32, _: &Envelope) -> Option<String> {
        None
    }
}

/// What one command does, and in sight of what.
#[derive(Debug, Clone)]
struct Written {
    device: u8,
    unseen: u64,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Set(&'static str, Value),
    Edit(Splice),
    Insert(i64),
    /// An item by the number of the command that inserted it.
    Remove(usize),
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec!["自来水", "水窖", "🚰 井"]).prop_map(Value::text),
        (-3..3_i64).prop_map(Value::Int),
        (1..9_i64).prop_map(|mantissa| Value::decimal(mantissa * 10 + 5, -1)),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
        Just(Value::Bytes(vec![0, 255])),
        Just(Value::List(vec![Value::text("电"), Value::text("路")])),
    ]
}

fn written() -> impl Strategy<Value = Written> {
    let splice = (
        0..12_u32,
        0..4_u32,
        prop::sample::select(vec!["", "水", "👨‍👩‍👧", "a b"]),
    );
    let what = prop_oneof![
        6 => (prop::sample::select(vec!["water", "house"]), value()).prop_map(|(field, value)| What::Set(field, value)),
        3 => splice.prop_map(|(at, delete, insert)| What::Edit(Splice { at, delete, insert: insert.to_owned() })),
        2 => (0..9_i64).prop_map(What::Insert),
        1 => (1..20_usize).prop_map(What::Remove),
    ];
    (0..4_u8, 0..12_u64, what).prop_map(|(device, unseen, what)| Written {
        device,
        unseen,
        what,
    })
}

fn log(commands: &[Written]) -> Vec<Logged> {
    let mut ends: BTreeMap<u8, u64> = BTreeMap::new();
    let mut inserted: Vec<ItemId> = Vec::new();
    let mut log = Vec::new();
    for (seq, written) in (1..).zip(commands) {
        let device = DeviceId([written.device + 1; 16]);
        let n = *ends
            .entry(written.device)
            .and_modify(|n| *n += 1)
            .or_insert(1);
        let mut content = Content::default();
        let (verb, field) = match &written.what {
            What::Set(field, value) => {
                content.values = Fields::from_iter([(*field, value.clone())]);
                (Verb::Set, *field)
            }
            What::Edit(splice) => {
                content.splices = vec![splice.clone()];
                (Verb::Edit, "note")
            }
            What::Insert(amount) => {
                let need = Fields::from_iter([
                    ("amount", Value::Int(*amount)),
                    ("what", Value::text("砖")),
                ]);
                content.values =
                    Fields::from_iter([("needs", Value::List(vec![Value::Struct(need)]))]);
                inserted.push(ItemId::derive(device, JOURNAL, n, "needs", 0));
                (Verb::Insert, "needs")
            }
            What::Remove(nth) => {
                content.removed = inserted
                    .iter()
                    .cycle()
                    .take(20)
                    .skip(*nth)
                    .take(1)
                    .copied()
                    .collect();
                (Verb::Remove, "needs")
            }
        };
        let envelope = Envelope {
            n,
            record: RECORD,
            kind: "household".to_owned(),
            base: (seq - 1_u64).saturating_sub(written.unseen),
            at: Timestamp(0),
            verb,
            action: None,
            fields: vec![field.to_owned()],
            links: Vec::new(),
            audience: Audience::Village,
            digest: Digest([0; 32]),
            needs: None,
            origin: None,
        };
        log.push(Logged {
            place: Place { seq, n, device },
            assignment: AssignmentId([9; 16]),
            received_at: Timestamp(0),
            catalogue: 1,
            fate: Fate::Accepted,
            command: Command {
                envelope,
                content: Some(content),
            },
        });
    }
    log
}

/// A value as `open.mjs` prints it.
fn as_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Decimal(mantissa, exponent) => {
            let text = format!("{mantissa}e{exponent}");
            json!(
                text.parse::<f64>()
                    .expect("a decimal in the usual notation")
            )
        }
        Value::Text(value) => json!(value),
        Value::Bytes(bytes) => {
            json!({ "bytes": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() })
        }
        Value::List(values) => values.iter().map(as_json).collect(),
        Value::Struct(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), as_json(value)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

fn opened(files: &[PathBuf]) -> Vec<Json> {
    let folder = root().join("tests/js");
    assert!(
        folder.join("node_modules").exists(),
        "the JavaScript Automerge is not there: run `npm ci` in tests/js"
    );
    let node = Process::new("node")
        .arg("open.mjs")
        .args(files)
        .current_dir(folder)
        .output()
        .expect("Node is installed");
    assert!(
        node.status.success(),
        "{}",
        String::from_utf8_lossy(&node.stderr)
    );
    let lines = String::from_utf8(node.stdout).expect("Node prints UTF-8");
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

#[track_caller]
fn check_same(record: &Record, document: &Json, log: &[Written]) {
    let content = document["content"]
        .as_object()
        .expect("a document is a map");
    let texts = |values: &[Json]| values.iter().map(Json::to_string).collect::<BTreeSet<_>>();
    for (field, slot) in &record.fields {
        let there = content
            .get(field)
            .unwrap_or_else(|| panic!("{field} is missing after {log:?}"));
        match slot {
            Slot::Register(held) => {
                let held: Vec<Json> = held.iter().map(|held| as_json(&held.value)).collect();
                let conflict = document["conflicts"][format!("/{field}")].as_array();
                let standing = conflict.cloned().unwrap_or_else(|| vec![there.clone()]);
                assert_eq!(texts(&standing), texts(&held), "{field} after {log:?}");
                assert!(
                    held.contains(there),
                    "{field} shows one of its values after {log:?}"
                );
            }
            Slot::Text(text) => assert_eq!(there, text, "{field} after {log:?}"),
            Slot::List(items) => {
                let items: Map<_, _> = items
                    .iter()
                    .map(|item| (item.id.to_string(), as_json(&item.value)))
                    .collect();
                assert_eq!(there, &Json::from(items), "{field} after {log:?}");
            }
            Slot::Withheld => panic!("nothing is withheld here"),
        }
    }
    let surplus: Vec<_> = content
        .iter()
        .filter(|(field, value)| !record.fields.contains_key(*field) && **value != json!({}))
        .collect();
    assert!(surplus.is_empty(), "{surplus:?} after {log:?}");
}

#[test]
fn the_official_javascript_automerge_opens_a_record_with_the_same_content() {
    const CASES: usize = 60;
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(written(), 1..24);
    let cases: Vec<Vec<Written>> = (0..CASES)
        .map(|_| {
            strategy
                .new_tree(&mut runner)
                .expect("nothing is filtered")
                .current()
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder for the documents");
    let mut records = Vec::new();
    let mut files = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let record = fold_merged(&Household, JOURNAL, RECORD, &log(case));
        let document = record
            .document
            .as_ref()
            .expect("a merged fold has a document");
        let file = folder.path().join(format!("{number}.automerge"));
        fs::write(&file, &document.0).expect("the folder can be written");
        records.push(record);
        files.push(file);
    }
    let conflicts: usize = records
        .iter()
        .map(|record| record.conflicts().count())
        .sum();
    assert!(
        conflicts > CASES / 4,
        "the cases hold conflicts: {conflicts}"
    );
    let documents = opened(&files);
    assert_eq!(documents.len(), CASES);
    for ((record, document), case) in records.iter().zip(&documents).zip(&cases) {
        check_same(record, document, case);
    }
}
