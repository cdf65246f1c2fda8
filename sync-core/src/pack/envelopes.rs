//! The columns of envelopes.
//!
//! Numbers are implied by the lane, and the ids of created records by their place. Every other id stands once, in a table, and
//! after these the created ones continue the table: so a command on a record of the same batch costs an index.

use std::collections::BTreeMap;

use super::column::{Reader, Writer};
use super::{Lane, PackError, Unpacked};
use crate::command::{Audience, Envelope, Link, Origin, Verb};
use crate::id::{DeviceId, Digest, JournalId, RecordId, Timestamp};

/// The least that an envelope takes in CBOR.
const ROW_BYTES: usize = 60;
const LINK_BYTES: usize = 19;
const NAME_BYTES: usize = 1;

const DERIVED: usize = 1;
const HAS_ACTION: usize = 2;
const HAS_NEEDS: usize = 4;
const HAS_ORIGIN: usize = 8;

/// The id that a `Create` at this place makes.
fn derived(lane: &Lane, n: u64, origin: Option<&Origin>) -> RecordId {
    origin.map_or_else(
        || RecordId::derive(lane.device, lane.journal, n),
        Origin::record,
    )
}

fn flags(lane: &Lane, row: &Envelope) -> usize {
    let creates =
        row.verb == Verb::Create && row.record == derived(lane, row.n, row.origin.as_ref());
    let flag = |set: bool, flag: usize| if set { flag } else { 0 };
    flag(creates, DERIVED)
        | flag(row.action.is_some(), HAS_ACTION)
        | flag(row.needs.is_some(), HAS_NEEDS)
        | flag(row.origin.is_some(), HAS_ORIGIN)
}

/// The ids of a run of envelopes: those written down, then those derived.
#[derive(Default)]
struct Ids {
    written: Vec<[u8; 16]>,
    place: BTreeMap<[u8; 16], usize>,
}

impl Ids {
    fn of(rows: &[Envelope], flags: &[usize]) -> Self {
        let mut ids = Self::default();
        let derived = || {
            rows.iter()
                .zip(flags)
                .filter(|(_, flags)| **flags & DERIVED != 0)
                .map(|(row, _)| row.record.0)
        };
        for id in derived() {
            ids.place.insert(id, usize::MAX);
        }
        for (row, flags) in rows.iter().zip(flags) {
            if let Some(origin) = &row.origin {
                ids.write(origin.device.0, true);
                ids.write(origin.journal.0, true);
            }
            if flags & DERIVED == 0 {
                ids.write(row.record.0, false);
            }
            for link in &row.links {
                ids.write(link.target.0, false);
                link.journal
                    .iter()
                    .for_each(|journal| ids.write(journal.0, false));
            }
        }
        for (after, id) in derived().enumerate() {
            let place = ids.place.entry(id).or_insert(usize::MAX);
            *place = (*place).min(ids.written.len() + after);
        }
        ids
    }

    /// Origins are read before anything can be derived from them: their ids are always written.
    fn write(&mut self, id: [u8; 16], always: bool) {
        let place = self.place.get(&id);
        if place.is_none() || (always && place == Some(&usize::MAX)) {
            self.place.insert(id, self.written.len());
            self.written.push(id);
        }
    }

    fn place(&self, id: [u8; 16]) -> usize {
        self.place.get(&id).copied().unwrap_or(usize::MAX)
    }
}

pub(super) fn to_columns(lane: &Lane, rows: &[Envelope]) -> Vec<u8> {
    let flags: Vec<usize> = rows.iter().map(|row| flags(lane, row)).collect();
    let ids = Ids::of(rows, &flags);
    let mut writer = Writer::default();
    writer.length(rows.len());
    writer.counts(flags.iter().copied());
    writer.counts(rows.iter().map(|row| row.verb as usize));
    writer.counts(rows.iter().map(|row| row.audience as usize));
    writer.steps(rows.iter().map(|row| row.base.cast_signed()));
    writer.steps(rows.iter().map(|row| row.at.0));
    let needs: Vec<i64> = rows
        .iter()
        .filter_map(|row| Some(row.n.wrapping_sub(row.needs?).cast_signed()))
        .collect();
    writer.ints(&needs);

    writer.length(ids.written.len());
    ids.written.iter().for_each(|id| writer.raw(id));
    let origins = || rows.iter().filter_map(|row| row.origin.as_ref());
    writer.counts(origins().map(|origin| ids.place(origin.device.0)));
    writer.counts(origins().map(|origin| ids.place(origin.journal.0)));
    writer.steps(origins().map(|origin| origin.n.cast_signed()));
    let named = rows
        .iter()
        .zip(&flags)
        .filter(|(_, flags)| **flags & DERIVED == 0);
    writer.counts(named.map(|(row, _)| ids.place(row.record.0)));

    let kinds: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    writer.texts(&kinds);
    let actions: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.action.as_deref())
        .collect();
    writer.texts(&actions);
    let fields: Vec<Vec<&str>> = rows
        .iter()
        .map(|row| row.fields.iter().map(String::as_str).collect())
        .collect();
    writer.name_sets(&fields);

    let links = || rows.iter().flat_map(|row| &row.links);
    writer.counts(rows.iter().map(|row| row.links.len()));
    let holders: Vec<&str> = links().map(|link| link.field.as_str()).collect();
    writer.texts(&holders);
    writer.counts(links().map(|link| ids.place(link.target.0)));
    writer.counts(links().map(|link| {
        link.journal
            .map_or(0, |journal| ids.place(journal.0).saturating_add(1))
    }));
    writer.finish()
}

pub(super) fn from_columns(
    lane: &Lane,
    bytes: &[u8],
    limit: usize,
) -> Result<Unpacked<Envelope>, PackError> {
    let mut reader = Reader::new(bytes, limit)?;
    let count = reader.length()?;
    reader.charge(count, ROW_BYTES)?;
    let flags = reader.counts(count, DERIVED | HAS_ACTION | HAS_NEEDS | HAS_ORIGIN)?;
    let with = |flag: usize| flags.iter().filter(|flags| **flags & flag != 0).count();
    let verbs = reader.counts(count, VERBS.len() - 1)?;
    let audiences = reader.counts(count, Audience::ALL.len() - 1)?;
    let bases = reader.steps(count)?;
    let times = reader.steps(count)?;
    let mut needs = reader.ints(with(HAS_NEEDS))?.into_iter();

    let written = reader.length()?;
    let mut ids = (0..written)
        .map(|_| reader.id())
        .collect::<Result<Vec<_>, _>>()?;
    let mut origins = read_origins(&mut reader, with(HAS_ORIGIN), &ids)?.into_iter();
    let mut places = Vec::with_capacity(count);
    for (place, (flags, verb)) in flags.iter().zip(&verbs).enumerate() {
        let n = lane
            .number(place)
            .ok_or(PackError::Malformed("more rows than a lane has numbers"))?;
        let origin = if flags & HAS_ORIGIN != 0 {
            origins.next()
        } else {
            None
        };
        let record = (flags & DERIVED != 0).then(|| derived(lane, n, origin.as_ref()));
        ids.extend(record.map(|record| record.0));
        let verb = VERBS.get(*verb).copied().ok_or(MISSING)?;
        places.push((n, verb, origin, record));
    }
    let mut others = read_ids(&mut reader, count - with(DERIVED), &ids)?.into_iter();

    let kinds = reader.texts(count)?;
    let mut actions = reader.texts(with(HAS_ACTION))?.into_iter();
    let (names, sets) = reader.name_sets(count, NAME_BYTES)?;
    let mut links = read_links(&mut reader, count, &ids)?.into_iter();
    let bytes = reader.finish()?;

    let mut rows = Vec::with_capacity(count);
    let columns = places
        .into_iter()
        .zip(&flags)
        .zip(audiences)
        .zip(bases)
        .zip(times)
        .zip(kinds)
        .zip(sets);
    for (((((((n, verb, origin, record), flags), audience), base), at), kind), fields) in columns {
        let has = |flag: usize| flags & flag != 0;
        rows.push(Envelope {
            n,
            record: record
                .or_else(|| others.next().map(RecordId))
                .ok_or(MISSING)?,
            kind: kind.to_owned(),
            base: base.cast_unsigned(),
            at: Timestamp(at),
            verb,
            action: if has(HAS_ACTION) {
                actions.next().map(str::to_owned)
            } else {
                None
            },
            fields: fields
                .into_iter()
                .filter_map(|place| names.get(place))
                .map(|name| (*name).to_owned())
                .collect(),
            links: links.next().ok_or(MISSING)?,
            audience: Audience::ALL.get(audience).copied().ok_or(MISSING)?,
            digest: Digest([0; 32]),
            needs: if has(HAS_NEEDS) {
                needs
                    .next()
                    .map(|back| n.wrapping_sub(back.cast_unsigned()))
            } else {
                None
            },
            origin,
        });
    }
    Ok(Unpacked { rows, bytes })
}

const MISSING: PackError = PackError::Malformed("a column shorter than its rows");

/// In the order of their numbers.
const VERBS: [Verb; 12] = [
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
];

/// A column of ids, by their places in the table.
fn read_ids(
    reader: &mut Reader<'_>,
    count: usize,
    ids: &[[u8; 16]],
) -> Result<Vec<[u8; 16]>, PackError> {
    let places = reader.counts(count, usize::MAX)?;
    let found: Option<Vec<[u8; 16]>> = places
        .into_iter()
        .map(|place| ids.get(place).copied())
        .collect();
    found.ok_or(PackError::Malformed("an id that is not in the table"))
}

fn read_origins(
    reader: &mut Reader<'_>,
    count: usize,
    ids: &[[u8; 16]],
) -> Result<Vec<Origin>, PackError> {
    let devices = read_ids(reader, count, ids)?;
    let journals = read_ids(reader, count, ids)?;
    let numbers = reader.steps(count)?;
    let origin = |((device, journal), n): (([u8; 16], [u8; 16]), i64)| Origin {
        device: DeviceId(device),
        journal: JournalId(journal),
        n: n.cast_unsigned(),
    };
    Ok(devices
        .into_iter()
        .zip(journals)
        .zip(numbers)
        .map(origin)
        .collect())
}

fn read_links(
    reader: &mut Reader<'_>,
    rows: usize,
    ids: &[[u8; 16]],
) -> Result<Vec<Vec<Link>>, PackError> {
    let lengths = reader.group_lengths(rows, LINK_BYTES)?;
    let total = lengths.iter().sum();
    let fields = reader.texts(total)?;
    let targets = read_ids(reader, total, ids)?;
    let journals = reader.counts(total, ids.len())?;
    let mut links =
        fields
            .into_iter()
            .zip(targets)
            .zip(journals)
            .map(|((field, target), journal)| Link {
                field: field.to_owned(),
                target: RecordId(target),
                journal: journal
                    .checked_sub(1)
                    .and_then(|place| ids.get(place))
                    .copied()
                    .map(JournalId),
            });
    Ok(lengths
        .into_iter()
        .map(|length| links.by_ref().take(length).collect())
        .collect())
}
