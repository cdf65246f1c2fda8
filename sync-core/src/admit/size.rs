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
    let at_most = of_envelope(envelope) + content.map_or(0, of_content);
    at_most > limits::COMMAND_BYTES_MAX
        && cbor::length(envelope) + content.map_or(0, cbor::length) > limits::COMMAND_BYTES_MAX
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

    proptest! {
        #[test]
        fn nothing_is_longer_than_its_parts_say(content in arbitrary::content(), envelope in arbitrary::envelope()) {
            prop_assert!(cbor::length(&content) <= of_content(&content));
            prop_assert!(cbor::length(&envelope) <= of_envelope(&envelope));
        }
    }
}
