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
                .map(str::to_lowercase)
                .collect(),
            Slot::Text(text) => vec![text.to_lowercase()],
            Slot::List(items) => items
                .iter()
                .filter_map(|item| item.value.as_text())
                .map(str::to_lowercase)
                .collect(),
            Slot::Withheld => Vec::<String>::new(),
        });
    texts
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}
