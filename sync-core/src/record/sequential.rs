//! Plain application, for a command whose author had seen all before it. No CRDT is needed.

use super::{
    Held, Logged, Mark, Merge, Record, Rules, Slot, list_fits, listed, new_items, new_text,
    text_fits, written,
};
use crate::command::{Splice, Verb};

pub(super) fn apply(rules: &dyn Rules, record: &mut Record, logged: &Logged) {
    let envelope = &logged.command.envelope;
    if envelope.verb == Verb::Erase {
        record.fields.clear();
        return;
    }
    let journal = record.journal;
    let kind = record.kind.clone();
    let mut fits = true;
    for (field, value) in written(logged) {
        match rules.merge(logged.catalogue, &kind, field) {
            Merge::Register => {
                let by = logged.place;
                let slot = Slot::Register(vec![Held { value, by }]);
                record.fields.insert(field.to_owned(), slot);
            }
            Merge::Text => match new_text(&value) {
                Some(text) => {
                    let slot = Slot::Text(text.to_owned());
                    record.fields.insert(field.to_owned(), slot);
                }
                None => fits = false,
            },
            Merge::List => {
                let empty = || Slot::List(Vec::new());
                let slot = record.fields.entry(field.to_owned()).or_insert_with(empty);
                // Where some of its items may not be read, the others are not shown as if they were all.
                if let Slot::List(items) = slot {
                    let values = listed(&value);
                    if list_fits(items.len() + values.len()) {
                        items.extend(new_items(logged, journal, field, values));
                    } else {
                        fits = false;
                    }
                }
            }
        }
    }
    if logged.command.content.is_none() {
        withhold(record, logged);
    } else {
        fits &= change(rules, record, logged);
    }
    record
        .fields
        .retain(|_, slot| !matches!(slot, Slot::List(items) if items.is_empty()));
    if !fits {
        record.mark(Mark::OverLimit);
    }
}

/// Applies the changes of the one text or list that a command names, and says whether they fitted.
fn change(rules: &dyn Rules, record: &mut Record, logged: &Logged) -> bool {
    let envelope = &logged.command.envelope;
    let (Some(content), Some(field)) = (&logged.command.content, envelope.fields.first()) else {
        return true;
    };
    let merge = rules.merge(logged.catalogue, &record.kind, field);
    if envelope.verb == Verb::Edit && merge == Merge::Text {
        let empty = || Slot::Text(String::new());
        let slot = record.fields.entry(field.clone()).or_insert_with(empty);
        if let Slot::Text(text) = slot {
            let mut edited = text.clone();
            content
                .splices
                .iter()
                .for_each(|splice| splice_text(&mut edited, splice));
            if !text_fits(text.chars().count(), edited.chars().count()) {
                return false;
            }
            *text = edited;
        }
    }
    if let Some(Slot::List(items)) = record.fields.get_mut(field) {
        items.retain(|item| !content.removed.contains(&item.id));
    }
    true
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
