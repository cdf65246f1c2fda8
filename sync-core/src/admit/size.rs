//! Whether a command is too large: almost always its parts say that it is not, and it need not be encoded to be asked.

use crate::cbor;
use crate::command::{Content, Envelope};
use crate::limits;
use crate::value::{Fields, Value};

/// What the head of a string, list or number takes at most (RFC 8949 §3).
const HEAD: usize = 9;
/// What everything else in an envelope, a link, a splice, an item's id or a scalar takes at most: ids and digests of 16 and 32
/// bytes, numbers, heads.
const ENVELOPE: usize = 256;
const SMALL: usize = 64;

/// Whether its encoding exceeds the limit of a command.
pub(super) fn is_too_large(envelope: &Envelope, content: Option<&Content>) -> bool {
    let is_too_much = |bytes: usize| bytes > limits::COMMAND_BYTES_MAX;
    is_too_much(of_envelope(envelope) + content.map_or(0, of_content))
        && is_too_much(cbor::length(envelope) + content.map_or(0, cbor::length))
}

fn of_text(text: &str) -> usize {
    HEAD + text.len()
}

fn of_envelope(envelope: &Envelope) -> usize {
    let names = envelope.fields.iter().map(|name| of_text(name));
    let links = envelope.links.iter().map(|it| SMALL + of_text(&it.field));
    let action = envelope.action.as_deref().map_or(0, of_text);
    ENVELOPE + of_text(&envelope.kind) + action + names.sum::<usize>() + links.sum::<usize>()
}

fn of_content(content: &Content) -> usize {
    let splices = content.splices.iter();
    let splices = splices.map(|splice| SMALL + of_text(&splice.insert));
    let reason = content.reason.as_deref().map_or(0, of_text);
    SMALL
        + of_fields(&content.values)
        + splices.sum::<usize>()
        + content.removed.len() * SMALL
        + reason
}

fn of_fields(fields: &Fields) -> usize {
    let fields = fields.iter();
    HEAD + fields
        .map(|(name, value)| of_text(name) + of_value(value))
        .sum::<usize>()
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::Text(text) => of_text(text),
        Value::Bytes(bytes) => HEAD + bytes.len(),
        Value::List(items) => HEAD + items.iter().map(of_value).sum::<usize>(),
        Value::Struct(fields) => of_fields(fields),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Decimal(..) => SMALL,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;
    use crate::command::{Audience, Link, Splice, Verb};
    use crate::id::{Digest, ItemId, RecordId, Timestamp};

    proptest! {
        #[test]
        fn nothing_is_longer_than_its_parts_say(content in arbitrary::content(), envelope in arbitrary::envelope()) {
            prop_assert!(cbor::length(&content) <= of_content(&content));
            prop_assert!(cbor::length(&envelope) <= of_envelope(&envelope));
        }
    }

    /// An envelope that says nothing.
    fn envelope() -> Envelope {
        Envelope {
            n: 1,
            record: RecordId([1; 16]),
            kind: String::new(),
            base: 0,
            at: Timestamp(0),
            verb: Verb::Set,
            action: None,
            fields: Vec::new(),
            links: Vec::new(),
            audience: Audience::Team,
            digest: Digest([1; 32]),
            needs: None,
            origin: None,
        }
    }

    fn link(field: String) -> Link {
        Link {
            field,
            target: RecordId([2; 16]),
            journal: None,
        }
    }

    fn long() -> String {
        "x".repeat(10_000)
    }

    /// That the parts say so much, and little more: what is small need not be encoded.
    #[track_caller]
    fn check_close(length: usize, at_most: usize) {
        let apart = at_most.checked_sub(length);
        assert!(
            apart.is_some_and(|apart| apart < 1_000),
            "{length} {at_most}"
        );
    }

    #[test]
    fn every_long_part_is_counted_once() {
        let (name, text) = (long(), || Value::Text(long()));
        for envelope in [
            Envelope {
                kind: long(),
                ..envelope()
            },
            Envelope {
                action: Some(long()),
                ..envelope()
            },
            Envelope {
                fields: vec![long(), long()],
                ..envelope()
            },
            Envelope {
                links: vec![link(long()), link(long())],
                ..envelope()
            },
        ] {
            check_close(cbor::length(&envelope), of_envelope(&envelope));
        }
        let values = |name: String, value: Value| Content {
            values: [(name, value)].into_iter().collect(),
            ..Content::default()
        };
        let splice = Splice {
            at: 0,
            delete: 0,
            insert: long(),
        };
        for content in [
            values(name, Value::Null),
            values("name".to_owned(), text()),
            values("name".to_owned(), Value::Bytes(long().into_bytes())),
            values("name".to_owned(), Value::List(vec![text(), text()])),
            values(
                "name".to_owned(),
                Value::Struct([("part".to_owned(), text())].into_iter().collect()),
            ),
            values(
                "name".to_owned(),
                Value::Struct([(long(), Value::Null)].into_iter().collect()),
            ),
            Content {
                splices: vec![splice.clone(), splice],
                ..Content::default()
            },
            Content {
                reason: Some(long()),
                ..Content::default()
            },
        ] {
            check_close(cbor::length(&content), of_content(&content));
        }
    }

    #[test]
    fn many_small_parts_are_all_counted() {
        let removed = Content {
            removed: vec![ItemId([3; 16]); 1_000],
            ..Content::default()
        };
        assert!(cbor::length(&removed) <= of_content(&removed));
    }

    #[test]
    fn what_is_too_large_is_so_with_its_content_or_without() {
        let of = |chars: usize| Envelope {
            fields: vec!["x".repeat(chars)],
            ..envelope()
        };
        let content = |chars: usize| Content {
            reason: Some("x".repeat(chars)),
            ..Content::default()
        };
        let half = limits::COMMAND_BYTES_MAX / 2;
        assert!(is_too_large(&of(2 * half), None));
        assert!(is_too_large(&of(half), Some(&content(half))));
        assert!(!is_too_large(&of(half), Some(&content(half / 2))));
        assert!(!is_too_large(&of(half), None));
    }
}
