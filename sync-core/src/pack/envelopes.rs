//! The columns of envelopes.
//!
//! Numbers are implied by the lanes, and the ids of created records by their place. Every other id stands once, in a table: as its
//! 16 bytes, or, where whoever packs knows what command made the record, as that command's place (see [`Places`]). After these
//! the created ones continue the table: so a command on a record of the same run costs an index.

use std::collections::{BTreeMap, BTreeSet};

use super::column::{Reader, Writer};
use super::{Lane, PackError, Places};
use crate::command::{Audience, Envelope, Link, Origin, Verb};
use crate::id::{DeviceId, Digest, JournalId, RecordId, Timestamp};

/// The least that an envelope takes in CBOR.
const ROW_BYTES: usize = 60;
const LINK_BYTES: usize = 19;
const NAME_BYTES: usize = 1;
const ID_BYTES: usize = 16;

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

fn flags(lane: &Lane, n: u64, row: &Envelope) -> usize {
    let creates = row.verb == Verb::Create && row.record == derived(lane, n, row.origin.as_ref());
    let flag = |set: bool, flag: usize| if set { flag } else { 0 };
    flag(creates, DERIVED)
        | flag(row.action.is_some(), HAS_ACTION)
        | flag(row.needs.is_some(), HAS_NEEDS)
        | flag(row.origin.is_some(), HAS_ORIGIN)
}

/// The lanes' devices, each once: by their order here they are named without being written down.
fn devices(lanes: &[Lane]) -> Vec<DeviceId> {
    let mut devices = Vec::new();
    for lane in lanes {
        if !devices.contains(&lane.device) {
            devices.push(lane.device);
        }
    }
    devices
}

/// The ids of a run of envelopes: those written down, those known by their place, then those derived.
#[derive(Default)]
struct Ids {
    written: Vec<[u8; 16]>,
    /// Devices beside the lanes' own that made records.
    devices: Vec<DeviceId>,
    /// By which device, and under which number.
    placed: Vec<(usize, u64)>,
    place: BTreeMap<[u8; 16], usize>,
}

impl Ids {
    fn of(lanes: &[Lane], rows: &[Envelope], flags: &[usize], places: &Places) -> Self {
        let flagged = || rows.iter().zip(flags);
        let derived: Vec<[u8; 16]> = flagged()
            .filter(|(_, flags)| **flags & DERIVED != 0)
            .map(|(row, _)| row.record.0)
            .collect();
        // Origins are read before anything can be derived from them: their ids are always written.
        let origins = rows.iter().filter_map(|row| row.origin.as_ref());
        let always = origins.flat_map(|origin| [origin.device.0, origin.journal.0]);
        let others = flagged().flat_map(|(row, flags)| {
            let record = (flags & DERIVED == 0).then_some(row.record.0);
            let links = row.links.iter().flat_map(|link| {
                let journal = link.journal.map(|journal| journal.0);
                [Some(link.target.0), journal].into_iter().flatten()
            });
            record.into_iter().chain(links)
        });
        let (mut ids, mut devices) = (Self::default(), devices(lanes));
        let lanes_own = devices.len();
        let mut placed = Vec::new();
        let known: BTreeSet<[u8; 16]> = derived.iter().copied().collect();
        let mut met = BTreeSet::new();
        for id in always {
            if met.insert(id) {
                ids.written.push(id);
            }
        }
        for id in others.filter(|id| !known.contains(id)) {
            if !met.insert(id) {
                continue;
            }
            let Some((device, n)) = made_at(lanes, places, id) else {
                ids.written.push(id);
                continue;
            };
            let at = devices.iter().position(|known| *known == device);
            let at = at.unwrap_or_else(|| {
                devices.push(device);
                devices.len() - 1
            });
            ids.placed.push((at, n));
            placed.push(id);
        }
        ids.devices = devices.split_off(lanes_own);
        // Where an id stands twice, its first place counts.
        let table = ids.written.iter().chain(&placed).chain(&derived);
        for (place, id) in table.enumerate() {
            ids.place.entry(*id).or_insert(place);
        }
        ids
    }

    fn place(&self, id: [u8; 16]) -> usize {
        self.place.get(&id).copied().unwrap_or(usize::MAX)
    }
}

/// The place of the command that made a record, if whoever reads it finds the same id by it.
fn made_at(lanes: &[Lane], places: &Places, id: [u8; 16]) -> Option<(DeviceId, u64)> {
    let (device, n) = *places.0.get(&RecordId(id))?;
    let journal = lanes.first()?.journal;
    (RecordId::derive(device, journal, n).0 == id).then_some((device, n))
}

/// The lane and number of each row of runs that follow one another; none if the numbers of a lane end before.
pub(super) fn numbers<'a>(
    lanes: &'a [Lane],
    runs: &'a [usize],
) -> impl Iterator<Item = Option<(&'a Lane, u64)>> {
    let runs = lanes.iter().zip(runs);
    runs.flat_map(|(lane, run)| (0..*run).map(move |place| Some((lane, lane.number(place)?))))
}

pub(super) fn write(
    writer: &mut Writer,
    lanes: &[Lane],
    runs: &[usize],
    rows: &[Envelope],
    places: &Places,
) {
    let flags: Vec<usize> = numbers(lanes, runs)
        .zip(rows)
        .map(|(at, row)| at.map_or(0, |(lane, n)| flags(lane, n, row)))
        .collect();
    let ids = Ids::of(lanes, rows, &flags, places);
    writer.counts(runs.iter().copied());
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
    writer.length(ids.devices.len());
    ids.devices.iter().for_each(|device| writer.raw(&device.0));
    writer.length(ids.placed.len());
    writer.counts(ids.placed.iter().map(|(device, _)| *device));
    writer.ints(
        &(ids.placed.iter())
            .map(|(_, n)| n.cast_signed())
            .collect::<Vec<i64>>(),
    );
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
}

/// How many rows each lane has, and the rows.
pub(super) fn read(
    reader: &mut Reader<'_>,
    lanes: &[Lane],
) -> Result<(Vec<usize>, Vec<Envelope>), PackError> {
    let runs = reader.group_lengths(lanes.len(), ROW_BYTES)?;
    let count = runs.iter().sum();
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
    read_placed(reader, lanes, &mut ids)?;
    let mut origins = read_origins(reader, with(HAS_ORIGIN), &ids)?.into_iter();
    let mut places = Vec::with_capacity(count);
    for ((at, flags), verb) in numbers(lanes, &runs).zip(&flags).zip(&verbs) {
        let (lane, n) = at.ok_or(PackError::Malformed("more rows than a lane has numbers"))?;
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
    let mut others = read_ids(reader, count - with(DERIVED), &ids)?.into_iter();

    let kinds = reader.texts(count)?;
    let mut actions = reader.texts(with(HAS_ACTION))?.into_iter();
    let (names, sets) = reader.name_sets(count, NAME_BYTES)?;
    let mut links = read_links(reader, count, &ids)?.into_iter();

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
    Ok((runs, rows))
}

const MISSING: PackError = PackError::Malformed("a column shorter than its rows");
const NOBODY: PackError = PackError::Malformed("a record that nobody made");

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

/// The ids of records that are named by the place of the command that made them, after those that stand in the table already.
fn read_placed(
    reader: &mut Reader<'_>,
    lanes: &[Lane],
    ids: &mut Vec<[u8; 16]>,
) -> Result<(), PackError> {
    let mut makers = devices(lanes);
    for _ in 0..reader.length()? {
        makers.push(DeviceId(reader.id()?));
    }
    let count = reader.length()?;
    reader.charge(count, ID_BYTES)?;
    let by = reader.counts(count, usize::MAX)?;
    let numbers = reader.ints(count)?;
    for (by, n) in by.into_iter().zip(numbers) {
        let (device, lane) = makers.get(by).zip(lanes.first()).ok_or(NOBODY)?;
        ids.push(RecordId::derive(*device, lane.journal, n.cast_unsigned()).0);
    }
    Ok(())
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
