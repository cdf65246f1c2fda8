//! What of a record may be searched in.

use sync_core::admit::Catalogues;
use sync_core::record::{Record, Slot};

/// In lower case: its texts that everyone who may read the record reads, and whole.
pub(crate) fn searchable(catalogues: &Catalogues, record: &Record) -> String {
    let kind = catalogues
        .values()
        .next_back()
        .and_then(|catalogue| catalogue.kind(&record.kind));
    let open = |name: &str| {
        kind.and_then(|kind| kind.field(name))
            .is_some_and(|field| field.audience.is_none() && field.mask.is_none())
    };
    let texts = record
        .fields
        .iter()
        .filter(|(name, _)| open(name))
        .flat_map(|(_, slot)| match slot {
            Slot::Register(held) => held
                .iter()
                .filter_map(|held| held.value.as_text())
                .map(lower)
                .collect(),
            Slot::Text(text) => vec![lower(text)],
            Slot::List(items) => items
                .iter()
                .filter_map(|item| item.value.as_text())
                .map(lower)
                .collect(),
            Slot::Withheld => Vec::<String>::new(),
        });
    texts
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// In lower case, as what is searched and what it is searched for are compared. It is [`str::to_lowercase`], but that Chinese
/// characters, which have no case, are not looked up one by one.
pub(crate) fn lower(text: &str) -> String {
    let mut lower = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\0'..='\x7f' => lower.push(char.to_ascii_lowercase()),
            '\u{2e80}'..='\u{9fff}' => lower.push(char),
            _ => lower.extend(char.to_lowercase()),
        }
    }
    lower
}
