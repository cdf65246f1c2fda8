//! One journal of the host.

use std::collections::{BTreeMap, BTreeSet};

use crate::admit::{self, Catalogues, Circumstances, Decided, Index, LaneEnd, LaneFates, Wanted};
use crate::batch::{Batch, Parts};
use crate::command::{Envelope, Origin, Verb};
use crate::id::{DeviceId, Digest, JournalId, RecordId, Seq, Timestamp};
use crate::journal::{Chain, Entry};
use crate::registry::Registry;
use crate::sync::refill::GivenBack;

/// One journal with all that admission reads of it.
#[derive(Debug, Clone)]
pub struct HostJournal {
    /// The end of its chain.
    pub chain: Chain,
    /// Its entries: position 1 first.
    pub entries: Vec<Entry>,
    /// The chain's heads: that of the empty journal first.
    pub heads: Vec<Digest>,
    /// The admission index.
    pub index: Index,
    /// Origins that were delivered.
    pub taken: BTreeSet<Origin>,
    /// In whose lanes commands and origins stand.
    pub offered: BTreeMap<Origin, BTreeSet<DeviceId>>,
    /// Where lanes end.
    pub lanes: BTreeMap<DeviceId, LaneEnd>,
}

impl HostJournal {
    /// The journal before its first entry.
    pub fn new(journal: JournalId) -> Self {
        let chain = Chain::start(journal);
        Self {
            chain,
            entries: Vec::new(),
            heads: vec![chain.end.head],
            index: Index::new(),
            taken: BTreeSet::new(),
            offered: BTreeMap::new(),
            lanes: BTreeMap::new(),
        }
    }

    /// The chain's head after an entry.
    pub fn head_at(&self, seq: Seq) -> Option<Digest> {
        self.heads.get(usize::try_from(seq).ok()?).copied()
    }

    /// The entry at a position.
    pub fn entry(&self, seq: Seq) -> Option<&Entry> {
        let before = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.entries.get(before)
    }

    /// The entry of a device's batch that begins with a number.
    pub fn entry_of(&self, device: DeviceId, first: u64) -> Option<&Entry> {
        let mut of_lane = self.of_lane(device);
        of_lane.find(|entry| entry.parts.batch.first() == first)
    }

    fn of_lane(&self, device: DeviceId) -> impl Iterator<Item = &Entry> {
        let is_of_lane = move |entry: &&Entry| entry.parts.batch.device == device;
        self.entries.iter().filter(is_of_lane)
    }

    /// Exactly what [`Wanted`] names, as the server loads it.
    pub fn circumstances<'a>(
        &self,
        registry: &'a Registry,
        catalogues: &'a Catalogues,
        batch: &Batch,
        now: Timestamp,
    ) -> Circumstances<'a> {
        let wanted = Wanted::by(batch);
        let mut index = self.part_of_index(&wanted.records);
        index.extend(self.part_of_index(&Wanted::linked(&index)));
        let received = |seq: &Seq| Some((*seq, self.entry(*seq)?.head.received_at));
        let offered = |origin: &Origin| Some((*origin, self.offered.get(origin)?.clone()));
        let lane = self.lanes.get(&batch.device).copied();
        Circumstances {
            registry,
            catalogues,
            chain: self.chain,
            lane: lane.unwrap_or_else(|| LaneEnd::start(batch.device, batch.journal)),
            head_at_seen: self.head_at(batch.seen.seq),
            received: wanted.bases.iter().filter_map(received).collect(),
            lane_fates: self.lane_fates(batch.device, &wanted.lane),
            taken: wanted.origins.intersection(&self.taken).copied().collect(),
            offered: wanted.origins.iter().filter_map(offered).collect(),
            index,
            now,
        }
    }

    fn part_of_index(&self, records: &BTreeSet<RecordId>) -> Index {
        let held = |record: &RecordId| Some((*record, self.index.get(record)?.clone()));
        records.iter().filter_map(held).collect()
    }

    fn lane_fates(&self, device: DeviceId, wanted: &BTreeSet<u64>) -> LaneFates {
        let fates = self.of_lane(device).flat_map(|entry| {
            let numbers = entry
                .parts
                .batch
                .envelopes
                .iter()
                .map(|envelope| envelope.n);
            numbers.zip(entry.head.fates.iter().cloned())
        });
        fates.filter(|(n, _)| wanted.contains(n)).collect()
    }

    /// Enters a batch that was judged.
    pub(super) fn enter(&mut self, decided: &Decided, parts: &Parts) -> &Entry {
        let entry = Entry {
            head: decided.entry().clone(),
            parts: parts.clone(),
        };
        let batch = &parts.batch;
        self.index.extend(decided.index().clone());
        let counted = batch.envelopes.iter().zip(decided.entry().fates.iter());
        let counted = counted.filter(|(_, fate)| fate.counts());
        let mut erased: BTreeSet<RecordId> = counted
            .flat_map(|(envelope, _)| admit::erases(envelope))
            .collect();
        // What was written before its author knew of an erasure goes the same way.
        let late = batch.envelopes.iter().map(|envelope| envelope.record);
        erased
            .extend(late.filter(|record| self.index.get(record).is_some_and(|entry| entry.erased)));
        self.push(entry, *decided.chain());
        self.erase(&erased);
        self.entries.last().expect("an entry was pushed")
    }

    /// Enters an entry that was given back: it was judged when it was first received.
    pub(super) fn take_back(
        &mut self,
        given: &GivenBack,
        index: Index,
        erased: &BTreeSet<RecordId>,
    ) {
        self.index = index;
        self.push(given.entry().clone(), *given.chain());
        self.erase(erased);
    }

    fn push(&mut self, entry: Entry, chain: Chain) {
        let batch = &entry.parts.batch;
        self.chain = chain;
        self.heads.push(self.chain.end.head);
        for (origin, lanes) in admit::offered(core::iter::once(batch)) {
            self.offered.entry(origin).or_default().extend(lanes);
        }
        let end = LaneEnd {
            n: batch.last(),
            batch: entry.head.batch,
        };
        self.lanes.insert(batch.device, end);
        for (envelope, fate) in batch.envelopes.iter().zip(&entry.head.fates) {
            if fate.counts() {
                self.taken.insert(batch.origin(envelope.n));
                self.taken.extend(envelope.origin);
            }
        }
        self.entries.push(entry);
    }

    /// Destroys the contents and salts of erased records, and the seeds they derive from.
    fn erase(&mut self, records: &BTreeSet<RecordId>) {
        // What an erasure says of itself, its reason, stays.
        let gone = |envelope: &Envelope| {
            records.contains(&envelope.record) && envelope.verb != Verb::Erase
        };
        for entry in &mut self.entries {
            if entry.parts.batch.envelopes.iter().any(gone) {
                entry.parts = entry.parts.withhold(|_, envelope| !gone(envelope));
            }
        }
    }
}
