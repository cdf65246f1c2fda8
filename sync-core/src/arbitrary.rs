//! Strategies for property tests: any command that the types allow, drawn so that repetition and edge cases are common.

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::command::{Audience, Content, Envelope, Link, Origin, Splice, Verb};
use crate::id::{DeviceId, Digest, ItemId, JournalId, RecordId, Timestamp};
use crate::value::{Fields, Value};

/// Identifiers out of a few, so that they repeat, or out of all.
fn id() -> impl Strategy<Value = [u8; 16]> {
    prop_oneof![3 => (0..4_u8).prop_map(|byte| [byte; 16]), 1 => any::<[u8; 16]>()]
}

/// A record.
pub(crate) fn record_id() -> impl Strategy<Value = RecordId> {
    id().prop_map(RecordId)
}

/// A device.
pub(crate) fn device_id() -> impl Strategy<Value = DeviceId> {
    id().prop_map(DeviceId)
}

/// A journal.
pub(crate) fn journal_id() -> impl Strategy<Value = JournalId> {
    id().prop_map(JournalId)
}

/// A name of a kind, field or action.
pub(crate) fn name() -> impl Strategy<Value = String> {
    let usual = select(vec![
        "visit",
        "task",
        "note",
        "log",
        "status",
        "checklist",
        "phone",
        "a",
        "b",
    ]);
    prop_oneof![8 => usual.prop_map(str::to_owned), 1 => any::<String>()]
}

/// A text: a usual one, any characters, or a long one.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let usual = select(vec![
        "",
        "草稿",
        "已提交",
        "入户核实一家，户主接待。",
        "13148005626",
        "𠀀\u{301}é\n\0",
    ]);
    prop_oneof![
        6 => usual.prop_map(str::to_owned),
        2 => any::<String>(),
        1 => (1..40_usize).prop_map(|times| "今年种油菜十四亩半，".repeat(times)),
    ]
}

/// A whole number, near zero or anywhere.
pub(crate) fn int() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -300..300_i64, 1 => any::<i64>(), 1 => select(vec![i64::MIN, i64::MAX, 0])]
}

/// A value that neither lists nor names others.
pub(crate) fn plain_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        int().prop_map(Value::Int),
        (int(), -10..0_i8).prop_map(|(mantissa, exponent)| Value::decimal(mantissa, exponent)),
        (any::<i64>(), any::<i8>())
            .prop_map(|(mantissa, exponent)| Value::decimal(mantissa, exponent.min(-1))),
        text().prop_map(Value::Text),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
    ]
}

fn fields_of(value: impl Strategy<Value = Value>, count: usize) -> impl Strategy<Value = Fields> {
    vec((name(), value), 0..count).prop_map(Fields::from_iter)
}

/// Any value that can be encoded.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let item = prop_oneof![
        plain_value(),
        fields_of(plain_value(), 4).prop_map(Value::Struct)
    ];
    prop_oneof![6 => plain_value(), 1 => vec(item, 0..5).prop_map(Value::List)]
}

/// Fields with any values.
pub(crate) fn fields() -> impl Strategy<Value = Fields> {
    fields_of(value(), 8)
}

fn splice() -> impl Strategy<Value = Splice> {
    let place = || prop_oneof![4 => 0..100_u32, 1 => any::<u32>()];
    (place(), place(), text()).prop_map(|(at, delete, insert)| Splice { at, delete, insert })
}

/// A content.
pub(crate) fn content() -> impl Strategy<Value = Content> {
    let rarely = |length: usize| prop_oneof![3 => Just(0..1), 1 => Just(0..length)];
    let splices = rarely(5).prop_flat_map(|range| vec(splice(), range));
    let removed = rarely(4).prop_flat_map(|range| vec(id().prop_map(ItemId), range));
    (fields(), splices, removed, option::weighted(0.2, text())).prop_map(
        |(values, splices, removed, reason)| Content {
            values,
            splices,
            removed,
            reason,
        },
    )
}

/// A verb.
pub(crate) fn verb() -> impl Strategy<Value = Verb> {
    select(vec![
        Verb::Create,
        Verb::Set,
        Verb::Edit,
        Verb::Insert,
        Verb::Remove,
        Verb::Act,
        Verb::Amend,
        Verb::Void,
        Verb::Erase,
        Verb::Reveal,
        Verb::Seal,
        Verb::Clear,
    ])
}

fn link() -> impl Strategy<Value = Link> {
    (name(), record_id(), option::weighted(0.2, journal_id())).prop_map(
        |(field, target, journal)| Link {
            field,
            target,
            journal,
        },
    )
}

fn origin() -> impl Strategy<Value = Origin> {
    (device_id(), journal_id(), 1..1000_u64).prop_map(|(device, journal, n)| Origin {
        device,
        journal,
        n,
    })
}

/// An envelope by itself: its number, record and digest have nothing to do with a lane or a content.
pub(crate) fn envelope() -> impl Strategy<Value = Envelope> {
    let place = (
        any::<u64>(),
        record_id(),
        prop_oneof![0..500_u64, any::<u64>()],
        int(),
    );
    let what = (
        name(),
        verb(),
        option::weighted(0.2, name()),
        btree_set(name(), 0..5),
        vec(link(), 0..4),
    );
    let rest = (
        select(Audience::ALL.to_vec()),
        any::<[u8; 32]>(),
        option::weighted(0.2, any::<u64>()),
    );
    (place, what, rest, option::weighted(0.2, origin())).prop_map(|(place, what, rest, origin)| {
        let (n, record, base, at) = place;
        let (kind, verb, action, fields, mut links) = what;
        let (audience, digest, needs) = rest;
        links.sort();
        Envelope {
            n,
            record,
            kind,
            base,
            at: Timestamp(at),
            verb,
            action,
            fields: fields.into_iter().collect(),
            links,
            audience,
            digest: Digest(digest),
            needs,
            origin,
        }
    })
}

/// A run of a lane: numbered from `first`, most created records with their derived ids, some commands on records created before.
pub(crate) fn lane_of(
    device: DeviceId,
    journal: JournalId,
    first: u64,
    count: usize,
) -> impl Strategy<Value = Vec<Envelope>> {
    vec(
        (envelope(), any::<bool>(), any::<prop::sample::Index>()),
        0..count,
    )
    .prop_map(move |rows| {
        let mut run: Vec<Envelope> = Vec::new();
        for ((mut row, related, which), n) in rows.into_iter().zip(first..) {
            row.n = n;
            row.needs = row.needs.map(|needs| needs % n);
            if related && row.verb == Verb::Create {
                row.record = row.origin.map_or_else(
                    || RecordId::derive(device, journal, n),
                    |origin| origin.record(),
                );
            } else if related && !run.is_empty() {
                row.record = run[which.index(run.len())].record;
            }
            run.push(row);
        }
        run
    })
}
