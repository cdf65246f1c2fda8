//! The columns of contents.

use super::PackError;
use super::column::{Reader, Writer};
use crate::command::{Content, Splice};
use crate::id::ItemId;
use crate::value::Fields;

/// The least that a row with an empty content takes in CBOR.
const ROW_BYTES: usize = 6;
const SPLICE_BYTES: usize = 4;
const ITEM_BYTES: usize = 17;

const HAS_SPLICES: usize = 1;
const HAS_REMOVED: usize = 2;
const HAS_REASON: usize = 4;

fn flags(content: &Content) -> usize {
    let flag = |set: bool, flag: usize| if set { flag } else { 0 };
    flag(!content.splices.is_empty(), HAS_SPLICES)
        | flag(!content.removed.is_empty(), HAS_REMOVED)
        | flag(content.reason.is_some(), HAS_REASON)
}

pub(super) fn write(writer: &mut Writer, rows: &[(u32, &Content)]) {
    writer.length(rows.len());
    writer.steps(rows.iter().map(|(index, _)| i64::from(*index)));
    writer.counts(rows.iter().map(|(_, content)| flags(content)));
    let fields: Vec<&Fields> = rows.iter().map(|(_, content)| &content.values).collect();
    writer.fields(&fields);

    let edits = || {
        rows.iter()
            .map(|(_, content)| &content.splices)
            .filter(|splices| !splices.is_empty())
    };
    let splices: Vec<&Splice> = edits().flatten().collect();
    writer.counts(edits().map(Vec::len));
    writer.counts(splices.iter().map(|splice| splice.at as usize));
    writer.counts(splices.iter().map(|splice| splice.delete as usize));
    let inserts: Vec<&str> = splices
        .iter()
        .map(|splice| splice.insert.as_str())
        .collect();
    writer.texts(&inserts);

    let removals = || {
        rows.iter()
            .map(|(_, content)| &content.removed)
            .filter(|removed| !removed.is_empty())
    };
    writer.counts(removals().map(Vec::len));
    removals()
        .flatten()
        .for_each(|item| writer.raw(item.as_bytes()));

    let reasons: Vec<&str> = rows
        .iter()
        .filter_map(|(_, content)| content.reason.as_deref())
        .collect();
    writer.texts(&reasons);
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<(u32, Content)>, PackError> {
    let count = reader.length()?;
    reader.charge(count, ROW_BYTES)?;
    let indices = reader.steps(count)?;
    let flags = reader.counts(count, HAS_SPLICES | HAS_REMOVED | HAS_REASON)?;
    let with = |flag: usize| flags.iter().filter(|flags| **flags & flag != 0).count();
    let fields = reader.fields(count, 0)?;
    let mut splices = read_splices(reader, with(HAS_SPLICES))?.into_iter();
    let mut removed = read_removed(reader, with(HAS_REMOVED))?.into_iter();
    let mut reasons = reader.texts(with(HAS_REASON))?.into_iter();

    let mut rows = Vec::with_capacity(count);
    for ((index, flags), values) in indices.into_iter().zip(&flags).zip(fields) {
        let index =
            u32::try_from(index).map_err(|_| PackError::Malformed("an index out of range"))?;
        let has = |flag: usize| flags & flag != 0;
        let content = Content {
            values,
            splices: if has(HAS_SPLICES) {
                splices.next().unwrap_or_default()
            } else {
                Vec::new()
            },
            removed: if has(HAS_REMOVED) {
                removed.next().unwrap_or_default()
            } else {
                Vec::new()
            },
            reason: if has(HAS_REASON) {
                reasons.next().map(str::to_owned)
            } else {
                None
            },
        };
        rows.push((index, content));
    }
    Ok(rows)
}

fn read_splices(reader: &mut Reader<'_>, edits: usize) -> Result<Vec<Vec<Splice>>, PackError> {
    let lengths = reader.group_lengths(edits, SPLICE_BYTES)?;
    let total = lengths.iter().sum();
    let at = reader.counts(total, u32::MAX as usize)?;
    let delete = reader.counts(total, u32::MAX as usize)?;
    let inserts = reader.texts(total)?;
    let mut splices = at
        .into_iter()
        .zip(delete)
        .zip(inserts)
        .map(|((at, delete), insert)| Splice {
            at: u32::try_from(at).unwrap_or(u32::MAX),
            delete: u32::try_from(delete).unwrap_or(u32::MAX),
            insert: insert.to_owned(),
        });
    Ok(lengths
        .into_iter()
        .map(|length| splices.by_ref().take(length).collect())
        .collect())
}

fn read_removed(reader: &mut Reader<'_>, removals: usize) -> Result<Vec<Vec<ItemId>>, PackError> {
    let lengths = reader.group_lengths(removals, ITEM_BYTES)?;
    let mut all = Vec::with_capacity(lengths.len());
    for length in lengths {
        let items: Result<Vec<ItemId>, PackError> =
            (0..length).map(|_| Ok(ItemId(reader.id()?))).collect();
        all.push(items?);
    }
    Ok(all)
}
