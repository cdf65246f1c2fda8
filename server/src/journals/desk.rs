//! What admission has before it while it decides a group of batches: all that the group asks about, read at once, and kept up as the
//! group goes on. What was decided goes onto a sheet, and is written at once.

use std::collections::{BTreeMap, BTreeSet};

use store::journals::{Appended, Asked, Known, ReadJournals, Used};
use store::{StoreError, Unit};
use sync_core::admit::{Catalogues, Circumstances, Decided, Index, LaneEnd, Wanted};
use sync_core::batch::{Batch, WireBatch};
use sync_core::command::Origin;
use sync_core::id::{DeviceId, Digest, JournalId, RecordId, Seq, Timestamp};
use sync_core::journal::{Chain, Fate};
use sync_core::limits;
use sync_core::registry::Registry;

use crate::journals::admission::Opened;

/// What was decided and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    day: i32,
    appended: Vec<Appended>,
    used: BTreeMap<Lane, Used>,
}

type Lane = (JournalId, DeviceId);

fn lane_of(batch: &Batch) -> Lane {
    (batch.journal, batch.device)
}

fn more(used: Used, before: Used) -> Used {
    Used {
        commands: before.commands.saturating_add(used.commands),
        bytes: before.bytes.saturating_add(used.bytes),
        refused_bytes: before.refused_bytes.saturating_add(used.refused_bytes),
    }
}

impl Sheet {
    /// Writes it.
    pub(super) async fn write(&self, unit: &mut dyn Unit) -> Result<(), StoreError> {
        if self.appended.is_empty() {
            return Ok(());
        }
        unit.append(&self.appended).await?;
        unit.add_used(self.day, &self.used).await
    }
}

/// The desk: what is known, and what was decided since.
#[derive(Debug)]
pub(super) struct Desk {
    known: Known,
    /// What the index held of each journal, and what became of it since.
    index: BTreeMap<JournalId, Index>,
    /// In whose lanes origins stand, under their own number or offered again, and whether that counts.
    offers: BTreeMap<Origin, Vec<(DeviceId, bool)>>,
    /// The fates of batches that were decided since, by the places of their first commands.
    decided: BTreeMap<Origin, Vec<Fate>>,
    sheet: Sheet,
}

impl Desk {
    /// Reads what these batches ask about, as it is once the sheet before is written, which this reading may show or not; quotas are
    /// those of the day.
    pub(super) async fn read<'a, R: ReadJournals + ?Sized>(
        reading: &mut R,
        batches: impl Iterator<Item = &'a Opened>,
        before: &Sheet,
        day: i32,
    ) -> Result<Self, StoreError> {
        let (mut asked, mut made) = (Asked::default(), BTreeMap::new());
        for Opened { signed, wanted, .. } in batches {
            let batch = &signed.parts().batch;
            let (journal, device) = lane_of(batch);
            asked.journals.insert(journal);
            asked.lanes.insert((journal, device));
            asked.heads.insert((journal, batch.seen.seq));
            let bases = wanted.bases.iter();
            asked.heads.extend(bases.map(|base| (journal, *base)));
            let records = wanted.records.iter();
            let records = records.filter(|id| !wanted.made.contains_key(id));
            asked.records.extend(records.map(|id| (journal, *id)));
            let places = wanted.made.iter();
            made.extend(places.map(|(id, place)| ((journal, *id), *place)));
            let needed = wanted.lane.iter().copied();
            asked
                .fates
                .extend(needed.map(|n| Origin { device, journal, n }));
            let origins = wanted.origins.iter().copied();
            asked
                .origins
                .extend(origins.filter(|origin| origin.journal == journal));
        }
        let mut known = reading.known(&asked).await?;
        let mut index = by_journal(&mut known);
        let mut offers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (origin, lane, counts) in core::mem::take(&mut known.offers) {
            offers.entry(origin).or_default().push((lane, counts));
        }
        let is_news = |one: &&Appended| {
            let journal = one.entry().journal;
            let shown = known.chains.get(&journal);
            asked.journals.contains(&journal)
                && shown.is_none_or(|chain| chain.end.seq < one.entry().seq)
        };
        let news: Vec<&Appended> = before.appended.iter().filter(is_news).collect();
        let changed = news.iter().flat_map(|one| {
            let changed = one.index().iter();
            changed.map(|(record, entry)| ((one.entry().journal, *record), entry))
        });
        let changed: BTreeMap<_, _> = changed.collect();
        let change = |index: &mut BTreeMap<JournalId, Index>, records: &BTreeSet<_>| {
            for (journal, record) in records {
                if let Some(entry) = changed.get(&(*journal, *record)) {
                    let index = index.entry(*journal).or_default();
                    index.insert(*record, (*entry).clone());
                }
            }
        };
        // What is made here is looked up only if it was made before: at a random place of a long index is nothing else.
        let counts = |place: &Origin| {
            let at = offers.get(place);
            at.is_some_and(|at: &Vec<(DeviceId, bool)>| at.iter().any(|(_, counts)| *counts))
        };
        let again = made
            .into_iter()
            .filter(|(id, place)| counts(place) || changed.contains_key(id));
        let again: BTreeSet<_> = again.map(|(id, _)| id).collect();
        if !again.is_empty() {
            extend(&mut index, reading, again.clone()).await?;
            asked.records.extend(again);
        }
        change(&mut index, &asked.records);
        let linked = index.iter().flat_map(|(journal, index)| {
            let linked = Wanted::linked(index).into_iter();
            linked.map(|record| (*journal, record))
        });
        let linked: BTreeSet<_> = linked.filter(|id| !asked.records.contains(id)).collect();
        if !linked.is_empty() {
            extend(&mut index, reading, linked.clone()).await?;
            change(&mut index, &linked);
        }
        let mut desk = Self {
            known,
            index,
            offers,
            decided: BTreeMap::new(),
            sheet: Sheet {
                day,
                ..Sheet::default()
            },
        };
        let moved: BTreeSet<JournalId> = news.iter().map(|one| one.entry().journal).collect();
        news.into_iter().for_each(|one| desk.lay(one));
        let used = before.used.iter().filter(|_| before.day == day);
        for (lane, used) in used.filter(|((journal, _), _)| moved.contains(journal)) {
            desk.spend(*lane, *used);
        }
        Ok(desk)
    }

    /// The ends of the journals that were asked about, as this desk has them.
    pub(super) fn ends(&self) -> &BTreeMap<JournalId, Chain> {
        &self.known.chains
    }

    /// The end of a batch's lane.
    pub(super) fn lane(&self, batch: &Batch) -> LaneEnd {
        let end = self.known.lanes.get(&lane_of(batch)).copied();
        end.unwrap_or_else(|| LaneEnd::start(batch.device, batch.journal))
    }

    /// The chain's head at a position.
    pub(super) fn head_at(&self, journal: JournalId, seq: Seq) -> Option<Digest> {
        self.known.heads.get(&(journal, seq)).map(|(head, _)| *head)
    }

    /// Whether the device's day is too full for this batch of so many bytes.
    pub(super) fn is_full(&self, batch: &Batch, bytes: u64) -> bool {
        let used = self.known.used.get(&lane_of(batch));
        let used = used.filter(|(day, _)| *day == self.sheet.day);
        let used = used.map_or(Used::default(), |(_, used)| *used);
        let commands = u32::try_from(batch.envelopes.len()).unwrap_or(u32::MAX);
        used.commands.saturating_add(commands) > limits::DEVICE_DAY_COMMANDS_MAX
            || used.bytes.saturating_add(bytes) > limits::DEVICE_DAY_BYTES_MAX
            || used.refused_bytes > limits::DEVICE_DAY_REFUSED_BYTES_MAX
    }

    /// What a batch is judged by.
    pub(super) fn circumstances<'a>(
        &self,
        batch: &Batch,
        wanted: &Wanted,
        registry: &'a Registry,
        catalogues: &'a Catalogues,
        now: Timestamp,
    ) -> Circumstances<'a> {
        let (journal, device) = lane_of(batch);
        let received = wanted.bases.iter().filter_map(|base| {
            let (_, at) = self.known.heads.get(&(journal, *base))?;
            Some((*base, *at))
        });
        let fates = wanted.lane.iter().filter_map(|n| {
            let place = Origin {
                device,
                journal,
                n: *n,
            };
            let known = self.known.fates.get(&place);
            Some((*n, known.or_else(|| self.decided(&place))?.clone()))
        });
        let mut offered: BTreeMap<_, BTreeSet<DeviceId>> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for origin in &wanted.origins {
            let own = self.decided(origin).map(Fate::counts);
            let own = own.map(|counts| (origin.device, counts));
            let offers = self.offers.get(origin).into_iter().flatten().copied();
            for (lane, counts) in own.into_iter().chain(offers) {
                offered.entry(*origin).or_default().insert(lane);
                taken.extend(counts.then_some(*origin));
            }
        }
        let chain = self.known.chains.get(&journal).copied();
        Circumstances {
            registry,
            catalogues,
            chain: chain.unwrap_or_else(|| Chain::start(journal)),
            lane: self.lane(batch),
            head_at_seen: self.head_at(journal, batch.seen.seq),
            received: received.collect(),
            lane_fates: fates.collect(),
            taken,
            offered,
            index: self.index_of(journal, &wanted.records),
            now,
        }
    }

    /// What became of a command that was decided since.
    fn decided(&self, place: &Origin) -> Option<&Fate> {
        let (first, fates) = self.decided.range(..=place).next_back()?;
        if (first.device, first.journal) != (place.device, place.journal) {
            return None;
        }
        fates.get(usize::try_from(place.n - first.n).ok()?)
    }

    /// The index of these records, and of those that they refer to.
    fn index_of(&self, journal: JournalId, records: &BTreeSet<RecordId>) -> Index {
        let Some(known) = self.index.get(&journal) else {
            return Index::new();
        };
        let of = |records: &BTreeSet<RecordId>| -> Index {
            let found = records.iter().filter_map(|id| known.get_key_value(id));
            found.map(|(id, entry)| (*id, entry.clone())).collect()
        };
        let mut index = of(records);
        index.extend(of(&Wanted::linked(&index)));
        index
    }

    /// Takes a decision: what comes after it in the group is judged by it.
    pub(super) fn take(&mut self, decided: Decided, batch: &Batch, wire: WireBatch, used: Used) {
        let (appended, lane) = (Appended::judged(decided, batch, wire), lane_of(batch));
        let index = self.index.entry(batch.journal).or_default();
        let changed = appended.index().iter();
        index.extend(changed.map(|(record, entry)| (*record, entry.clone())));
        self.lay(&appended);
        self.spend(lane, used);
        let spent = self.sheet.used.entry(lane).or_default();
        *spent = more(used, *spent);
        self.sheet.appended.push(appended);
    }

    /// Lays out what an entry changes, but for the index.
    fn lay(&mut self, one: &Appended) {
        let (entry, chain) = (one.entry(), *one.chain());
        let (journal, device) = (entry.journal, one.batch().device);
        let known = &mut self.known;
        known.chains.insert(journal, chain);
        let head = (chain.end.head, entry.received_at);
        known.heads.insert((journal, entry.seq), head);
        known.lanes.insert((journal, device), one.lane());
        let first = Origin {
            device,
            journal,
            n: one.batch().first,
        };
        self.decided.insert(first, entry.fates.clone());
        for (origin, _, counts) in one.offers() {
            let offers = self.offers.entry(*origin).or_default();
            offers.push((device, *counts));
        }
    }

    /// Counts what a device sent today.
    fn spend(&mut self, lane: Lane, used: Used) {
        let today = self.known.used.entry(lane).or_default();
        let before = if today.0 == self.sheet.day {
            today.1
        } else {
            Used::default()
        };
        *today = (self.sheet.day, more(used, before));
    }

    /// What was decided since the last time, to be written.
    pub(super) fn sheet(&mut self) -> Sheet {
        let day = self.sheet.day;
        let next = Sheet {
            day,
            ..Sheet::default()
        };
        core::mem::replace(&mut self.sheet, next)
    }
}

/// Reads the index of more records.
async fn extend<R: ReadJournals + ?Sized>(
    index: &mut BTreeMap<JournalId, Index>,
    reading: &mut R,
    records: BTreeSet<(JournalId, RecordId)>,
) -> Result<(), StoreError> {
    let asked = Asked {
        records,
        ..Asked::default()
    };
    for (journal, more) in by_journal(&mut reading.known(&asked).await?) {
        index.entry(journal).or_default().extend(more);
    }
    Ok(())
}

fn by_journal(known: &mut Known) -> BTreeMap<JournalId, Index> {
    let mut index: BTreeMap<JournalId, Index> = BTreeMap::new();
    for ((journal, record), entry) in core::mem::take(&mut known.index) {
        index.entry(journal).or_default().insert(record, entry);
    }
    index
}
