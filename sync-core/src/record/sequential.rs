//! Plain application, for a command whose author had seen all before it. No CRDT is needed.

use super::{Held, Logged, Merge, Record, Rules, Slot, new_items, written};
use crate::command::{Splice, Verb};
use crate::value::Value;

pub(super) fn apply(rules: &dyn Rules, record: &mut Record, logged: &Logged) {
    let envelope = &logged.command.envelope;
    if envelope.verb == Verb::Erase {
        record.fields.clear();
        return;
    }
    let journal = record.journal;
    let kind = record.kind.clone();
    for (field, value) in written(logged) {
        let slot = match rules.merge(logged.catalogue, &kind, field) {
            Merge::Register => Slot::Register(vec![Held {
                value,
                by: logged.place,
            }]),
            Merge::Text => Slot::Text(value.as_text().unwrap_or_default().to_owned()),
            Merge::List => {
                let values = if let Value::List(values) = value {
                    values
                } else {
                    vec![value]
                };
                match record.fields.remove(field) {
                    // Some of its items may not be read: the others are not shown as if they were all.
                    Some(Slot::Withheld) => Slot::Withheld,
                    Some(Slot::List(items)) => Slot::List(
                        items
                            .into_iter()
                            .chain(new_items(logged, journal, field, &values))
                            .collect(),
                    ),
                    Some(Slot::Register(_) | Slot::Text(_)) | None => {
                        Slot::List(new_items(logged, journal, field, &values).collect())
                    }
                }
            }
        };
        record.fields.insert(field.to_owned(), slot);
    }
    let Some(content) = &logged.command.content else {
        withhold(record, logged);
        return;
    };
    let Some(field) = envelope.fields.first() else {
        return;
    };
    if envelope.verb == Verb::Edit {
        let slot = record
            .fields
            .entry(field.clone())
            .or_insert_with(|| Slot::Text(String::new()));
        if let Slot::Text(text) = slot {
            content
                .splices
                .iter()
                .for_each(|splice| splice_text(text, splice));
        }
    }
    if let Some(Slot::List(items)) = record.fields.get_mut(field) {
        items.retain(|item| !content.removed.contains(&item.id));
    }
    record
        .fields
        .retain(|_, slot| !matches!(slot, Slot::List(items) if items.is_empty()));
}

fn withhold(record: &mut Record, logged: &Logged) {
    let envelope = &logged.command.envelope;
    if envelope.verb == Verb::Reveal {
        return;
    }
    for field in &envelope.fields {
        record.fields.insert(field.clone(), Slot::Withheld);
    }
}

/// Replaces code points; what lies beyond the text's end clamps to it.
pub(super) fn splice_text(text: &mut String, splice: &Splice) {
    let byte_at = |text: &str, chars: usize| {
        text.char_indices()
            .nth(chars)
            .map_or(text.len(), |(at, _)| at)
    };
    let from = byte_at(text, splice.at as usize);
    let to = from + byte_at(text.get(from..).unwrap_or_default(), splice.delete as usize);
    text.replace_range(from..to, &splice.insert);
}
