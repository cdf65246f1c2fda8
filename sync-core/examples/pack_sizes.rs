//! How many bytes the village-day workload takes when packed: `cargo run --example pack_sizes -- village-1.jsonl`.
//!
//! Every set is printed with its JSON's size, to be set beside what another compressor makes of the same lines.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Map, Value as Json};
use sync_core::command::{Audience, Content, Envelope, Link, Splice, Verb};
use sync_core::id::{DeviceId, Digest, JournalId, RecordId, Timestamp, sha256};
use sync_core::pack::{Lane, pack_contents, pack_envelopes, unpack_contents};
use sync_core::value::{Fields, Value};

const LANE: Lane = Lane {
    device: DeviceId([1; 16]),
    journal: JournalId([2; 16]),
    first: 1,
};
/// What the envelope or the batch says: kind, lane, author, and the link to the household.
const NOT_CONTENT: [&str; 6] = ["type", "id", "village", "user", "household", "createdAt"];

fn record_of(text: &str) -> RecordId {
    let mut id = [0; 16];
    id.copy_from_slice(sha256(&[text.as_bytes()]).0.split_at(16).0);
    RecordId(id)
}

fn millis(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>()
        .expect("the workload writes instants")
        .as_millisecond()
}

/// As the catalogue's types would have it: dates are days, times minutes, instants milliseconds.
fn value_of(name: &str, json: &Json) -> Value {
    match (name, json) {
        ("date" | "followUp", Json::String(text)) if !text.is_empty() => Value::Int(i64::from(
            text.parse::<sync_core::id::Date>()
                .expect("the workload writes dates")
                .0,
        )),
        ("time", Json::String(text)) => {
            let (hours, minutes) = text.split_once(':').expect("the workload writes times");
            Value::Int(
                hours.parse::<i64>().expect("hours") * 60
                    + minutes.parse::<i64>().expect("minutes"),
            )
        }
        ("updatedAt", Json::String(text)) => Value::Int(millis(text)),
        (_, Json::Null) => Value::Null,
        (_, Json::Bool(value)) => Value::Bool(*value),
        (_, Json::Number(number)) => number
            .as_i64()
            .map_or_else(|| decimal(&number.to_string()), Value::Int),
        (_, Json::String(text)) => Value::text(text),
        (_, Json::Array(items)) => {
            Value::List(items.iter().map(|item| value_of("", item)).collect())
        }
        (_, Json::Object(parts)) => Value::Struct(
            parts
                .iter()
                .map(|(name, part)| (name, value_of(name, part)))
                .collect(),
        ),
    }
}

fn decimal(text: &str) -> Value {
    let (whole, part) = text
        .split_once('.')
        .expect("a number that is not whole has a point");
    let exponent = i8::try_from(part.len()).expect("few digits");
    Value::decimal(format!("{whole}{part}").parse().expect("digits"), -exponent)
}

/// One new document, or one edit (which is two commands: a status, and a line of the log).
fn commands(first: u64, row: &Map<String, Json>) -> Vec<(Envelope, Content)> {
    let text = |name: &str| row.get(name).and_then(Json::as_str);
    let envelope = |n: u64, verb: Verb, fields: Vec<String>| Envelope {
        n,
        record: RecordId::derive(LANE.device, LANE.journal, n),
        kind: text("type").unwrap_or("task").to_owned(),
        base: 1000,
        at: Timestamp(millis(
            text("createdAt")
                .or(text("updatedAt"))
                .expect("every row has a time"),
        )),
        verb,
        action: None,
        fields,
        links: Vec::new(),
        audience: Audience::Village,
        digest: Digest([0; 32]),
        needs: None,
        origin: None,
    };
    if let Some(line) = text("line") {
        let record = record_of(&row.get("idx").expect("edits name a document").to_string());
        let status =
            Fields::from_iter([("status", Value::text(text("status").expect("edits set it")))]);
        let splice = Splice {
            at: 200,
            delete: 0,
            insert: line.to_owned(),
        };
        return vec![
            (
                Envelope {
                    record,
                    ..envelope(first, Verb::Set, vec!["status".to_owned()])
                },
                Content {
                    values: status,
                    ..Content::default()
                },
            ),
            (
                Envelope {
                    record,
                    ..envelope(first + 1, Verb::Edit, vec!["log".to_owned()])
                },
                Content {
                    splices: vec![splice],
                    ..Content::default()
                },
            ),
        ];
    }
    let kept = row
        .iter()
        .filter(|(name, _)| !name.starts_with('_') && !NOT_CONTENT.contains(&name.as_str()));
    let values: Fields = kept
        .map(|(name, json)| (name, value_of(name, json)))
        .collect();
    let names = values.keys().cloned().collect();
    let household = record_of(text("household").expect("every document has a household"));
    let links = vec![Link {
        field: "household".to_owned(),
        target: household,
        journal: None,
    }];
    vec![(
        Envelope {
            links,
            ..envelope(first, Verb::Create, names)
        },
        Content {
            values,
            ..Content::default()
        },
    )]
}

fn report(name: &str, rows: &[&Map<String, Json>]) {
    let mut envelopes = Vec::new();
    let mut contents = Vec::new();
    for row in rows {
        for (envelope, content) in commands(LANE.first + envelopes.len() as u64, row) {
            contents.push(content);
            envelopes.push(envelope);
        }
    }
    let json: usize = rows
        .iter()
        .map(|row| {
            let kept: Map<String, Json> = row
                .iter()
                .filter(|(name, _)| !name.starts_with('_'))
                .map(|(name, json)| (name.clone(), json.clone()))
                .collect();
            Json::Object(kept).to_string().len() + 1
        })
        .sum();
    let indexed: Vec<(u32, &Content)> = (0..).zip(&contents).collect();
    let rowwise: usize = contents.iter().map(|content| content.to_cbor().len()).sum();
    let started = Instant::now();
    let packed = pack_contents(&indexed);
    let took = started.elapsed();
    let started = Instant::now();
    unpack_contents(&packed, usize::MAX).expect("what was packed unpacks");
    let untook = started.elapsed();
    let bare = pack_envelopes(&LANE, &envelopes).len();
    println!(
        "{name:24} {:5} documents {json:7} JSON {rowwise:7} CBOR {:6} contents {bare:5} envelopes; packed in {took:.1?}, unpacked in {untook:.1?}",
        rows.len(),
        packed.len()
    );
}

fn main() {
    let path = std::env::args()
        .nth(1)
        .expect("usage: pack_sizes <workload.jsonl>");
    let lines = std::fs::read_to_string(path).expect("the workload can be read");
    let rows: Vec<Map<String, Json>> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("lines of JSON"))
        .collect();
    let mut sets: BTreeMap<String, Vec<&Map<String, Json>>> = BTreeMap::new();
    for row in &rows {
        sets.entry(format!(
            "{}, device {}",
            row["_set"],
            row.get("_device").unwrap_or(&Json::Null)
        ))
        .or_default()
        .push(row);
    }
    for (name, rows) in &sets {
        for count in [1, 5, 20, 200, 1000] {
            if count <= rows.len() {
                report(name, rows.get(..count).unwrap_or_default());
            }
        }
        report(name, rows);
    }
}
