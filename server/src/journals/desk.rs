//! What admission has before it while it decides a group of batches: all that the group asks about, read at once, kept up as the
//! group goes on, and written at once.

use std::collections::{BTreeMap, BTreeSet};

use store::journals::{Appended, Asked, Known, Used};
use store::{StoreError, Unit};
use sync_core::admit::{Catalogues, Circumstances, Decided, Index, LaneEnd, Wanted};
use sync_core::batch::{Batch, WireBatch};
use sync_core::command::Origin;
use sync_core::id::{DeviceId, Digest, JournalId, RecordId, Seq, Timestamp};
use sync_core::journal::{Chain, Fate};
use sync_core::limits;
use sync_core::registry::Registry;

use crate::journals::admission::Opened;

/// The desk: what is known, and what was decided and is not written yet.
#[derive(Debug)]
pub(super) struct Desk {
    known: Known,
    /// What the index held of each journal, and what became of it since.
    index: BTreeMap<JournalId, Index>,
    /// In whose lanes origins stand, under their own number or offered again, and whether that counts.
    offers: BTreeMap<Origin, Vec<(DeviceId, bool)>>,
    /// The fates of the batches of this group, by the places of their first commands.
    decided: BTreeMap<Origin, Vec<Fate>>,
    day: i32,
    appended: Vec<Appended>,
    used: BTreeMap<(JournalId, DeviceId), Used>,
}

fn lane_of(batch: &Batch) -> (JournalId, DeviceId) {
    (batch.journal, batch.device)
}

impl Desk {
    /// Reads what these batches ask about, as this unit sees it; quotas are those of the day.
    pub(super) async fn read<'a>(
        unit: &mut dyn Unit,
        batches: impl Iterator<Item = &'a Opened>,
        day: i32,
    ) -> Result<Self, StoreError> {
        let mut asked = Asked::default();
        for Opened { signed, wanted } in batches {
            let batch = &signed.parts().batch;
            let (journal, device) = lane_of(batch);
            asked.journals.insert(journal);
            asked.lanes.insert((journal, device));
            asked.heads.insert((journal, batch.seen.seq));
            let bases = wanted.bases.iter();
            asked.heads.extend(bases.map(|base| (journal, *base)));
            let records = wanted.records.iter();
            asked.records.extend(records.map(|id| (journal, *id)));
            let needed = wanted.lane.iter().copied();
            asked
                .fates
                .extend(needed.map(|n| Origin { device, journal, n }));
            let origins = wanted.origins.iter().copied();
            asked
                .origins
                .extend(origins.filter(|origin| origin.journal == journal));
        }
        let mut known = unit.known(&asked).await?;
        let mut index = by_journal(&mut known);
        let linked = index.iter().flat_map(|(journal, index)| {
            let linked = Wanted::linked(index).into_iter();
            linked.map(|record| (*journal, record))
        });
        let linked: BTreeSet<_> = linked.filter(|id| !asked.records.contains(id)).collect();
        if !linked.is_empty() {
            let asked = Asked {
                records: linked,
                ..Asked::default()
            };
            for (journal, more) in by_journal(&mut unit.known(&asked).await?) {
                index.entry(journal).or_default().extend(more);
            }
        }
        let mut offers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (origin, lane, counts) in core::mem::take(&mut known.offers) {
            offers.entry(origin).or_default().push((lane, counts));
        }
        Ok(Self {
            known,
            index,
            offers,
            decided: BTreeMap::new(),
            day,
            appended: Vec::new(),
            used: BTreeMap::new(),
        })
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
        let used = used.filter(|(day, _)| *day == self.day);
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

    /// What became of a command of this group.
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
    pub(super) fn take(&mut self, decided: &Decided, batch: &Batch, wire: WireBatch, used: Used) {
        let (journal, device) = lane_of(batch);
        let appended = Appended::judged(decided, batch, wire);
        let (entry, chain) = (decided.entry(), *decided.chain());
        let known = &mut self.known;
        known.chains.insert(journal, chain);
        let head = (chain.end.head, entry.received_at);
        known.heads.insert((journal, entry.seq), head);
        known.lanes.insert((journal, device), appended.lane());
        let first = batch.origin(batch.first());
        self.decided.insert(first, entry.fates.clone());
        for (origin, _, counts) in appended.offers() {
            let offers = self.offers.entry(*origin).or_default();
            offers.push((device, *counts));
        }
        let index = self.index.entry(journal).or_default();
        let changed = decided.index().iter();
        index.extend(changed.map(|(record, entry)| (*record, entry.clone())));
        let more = |before: Used| Used {
            commands: before.commands.saturating_add(used.commands),
            bytes: before.bytes.saturating_add(used.bytes),
            refused_bytes: before.refused_bytes.saturating_add(used.refused_bytes),
        };
        let spent = self.used.entry((journal, device)).or_default();
        *spent = more(*spent);
        let today = known.used.entry((journal, device)).or_default();
        let before = if today.0 == self.day {
            today.1
        } else {
            Used::default()
        };
        *today = (self.day, more(before));
        self.appended.push(appended);
    }

    /// Writes what was decided since the last time.
    pub(super) async fn write(&mut self, unit: &mut dyn Unit) -> Result<(), StoreError> {
        if self.appended.is_empty() {
            return Ok(());
        }
        unit.append(&core::mem::take(&mut self.appended)).await?;
        unit.add_used(self.day, &core::mem::take(&mut self.used))
            .await
    }
}

fn by_journal(known: &mut Known) -> BTreeMap<JournalId, Index> {
    let mut index: BTreeMap<JournalId, Index> = BTreeMap::new();
    for ((journal, record), entry) in core::mem::take(&mut known.index) {
        index.entry(journal).or_default().insert(record, entry);
    }
    index
}
