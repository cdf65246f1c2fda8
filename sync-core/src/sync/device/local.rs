//! What the device holds of one journal: the verified entries, and its own lane on top.

use std::collections::{BTreeMap, BTreeSet};

use super::storage::{Key, PendingCommand, Write};
use super::Device;
use crate::admit::{self, Catalogues, Circumstances, Index, LaneEnd};
use crate::batch::{Parts, Unsealed};
use crate::command::{Command, Content, Envelope, Origin, Verb};
use crate::id::{DeploymentId, DeviceId, Digest, JournalId, RecordId, Seq, Timestamp};
use crate::journal::{Broken, Chain, Entry, Fate};
use crate::limits;
use crate::record::{self, Logged, Place, Record};
use crate::registry::Registry;
use crate::view::PENDING;

/// An open form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormId(pub(super) u64);

/// What an open form stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The record it shows; `None` while it makes a new one.
    pub record: Option<RecordId>,
    /// What its person is looking at: pinned when it opened, whatever is folded meanwhile.
    pub base: Seq,
}

/// Where a command is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// 本机: saved on this phone.
    Here,
    /// 已发: sealed, perhaps sent, not answered.
    Sent,
    /// 已收到, 未生效 or 拒收: the server's receipt.
    Received {
        /// The entry.
        seq: Seq,
        /// What became of it.
        fate: Fate,
    },
}

#[derive(Debug)]
pub(super) struct Local {
    pub(super) journal: JournalId,
    pub(super) chain: Chain,
    pub(super) entries: BTreeMap<Seq, Entry>,
    pub(super) lane: LaneEnd,
    pub(super) sealed: BTreeMap<u64, Parts>,
    pub(super) pending: BTreeMap<u64, Unsealed>,
    pub(super) forms: BTreeMap<FormId, Form>,
    /// Which commands (entry, index) each record consists of.
    log: BTreeMap<RecordId, Vec<(Seq, usize)>>,
    index: Index,
    taken: BTreeSet<Origin>,
    receipts: BTreeMap<u64, (Seq, Fate)>,
    /// Folded from the entries alone; own commands are put on top when a record is asked for.
    folded: BTreeMap<RecordId, Record>,
}

impl Local {
    pub(super) fn new(journal: JournalId, device: DeviceId) -> Self {
        Self {
            journal,
            chain: Chain::start(journal),
            entries: BTreeMap::new(),
            lane: LaneEnd::start(device, journal),
            sealed: BTreeMap::new(),
            pending: BTreeMap::new(),
            forms: BTreeMap::new(),
            log: BTreeMap::new(),
            index: Index::new(),
            taken: BTreeSet::new(),
            receipts: BTreeMap::new(),
            folded: BTreeMap::new(),
        }
    }

    /// Takes the next entry, if the chain bears it. Returns the records it touches.
    pub(super) fn append(&mut self, device: DeviceId, registry: &Registry, catalogues: &Catalogues, entry: Entry) -> Result<BTreeSet<RecordId>, Broken> {
        self.chain = self.chain.append_entry(registry.deployment, &entry)?;
        let batch = &entry.parts.batch;
        let catalogue = catalogues.get(&entry.head.catalogue);
        let by = registry.assignments.get(&batch.assignment);
        let mut touched = BTreeSet::new();
        for (index, (envelope, fate)) in batch.envelopes.iter().zip(&entry.head.fates).enumerate() {
            if batch.device == device {
                self.receipts.insert(envelope.n, (entry.head.seq, fate.clone()));
            }
            if fate.counts() {
                let place = Place { seq: entry.head.seq, n: envelope.n, device: batch.device };
                let kind = catalogue.and_then(|catalogue| catalogue.kind(&envelope.kind));
                admit::replay(&mut self.index, kind, envelope, place, by);
                self.taken.insert(batch.origin(envelope.n));
                self.taken.extend(envelope.origin);
            }
            for record in record::touches(envelope) {
                self.log.entry(record).or_default().push((entry.head.seq, index));
                touched.insert(record);
            }
        }
        if batch.device == device {
            self.sealed.remove(&batch.first());
            if batch.last() > self.lane.n {
                self.lane = LaneEnd { n: batch.last(), batch: entry.head.batch };
            }
        }
        self.entries.insert(entry.head.seq, entry);
        Ok(touched)
    }

    pub(super) fn refold(&mut self, catalogues: &Catalogues, records: impl IntoIterator<Item = RecordId>) {
        for record in records {
            let log = self.logged(record);
            self.folded.insert(record, record::fold(catalogues, self.journal, record, &log));
        }
    }

    /// The chain's head after an entry: recomputed, because only its end is kept.
    pub(super) fn head_at(&self, seq: Seq) -> Option<Digest> {
        let start = Chain::start(self.journal);
        let chain = self.entries.range(..=seq).try_fold(start, |chain, (_, entry)| chain.append(&entry.head).ok())?;
        (chain.end.seq == seq).then_some(chain.end.head)
    }

    pub(super) fn known(&self) -> Vec<RecordId> {
        self.log.keys().copied().collect()
    }

    fn logged(&self, record: RecordId) -> Vec<Logged> {
        let places = self.log.get(&record).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|(seq, index)| record::logged(self.entries.get(seq)?).nth(*index)).collect()
    }

    /// Own commands without an entry, in lane order, with their fates as far as they are known or predicted.
    pub(super) fn own(&self, device: DeviceId) -> Vec<Logged> {
        let sealed = self.sealed.values().flat_map(|parts| {
            let (assignment, catalogue) = (parts.batch.assignment, parts.batch.catalogue);
            parts.commands().map(move |command| (assignment, catalogue, command))
        });
        let here = self.pending.values().map(|pending| {
            let command = Command { envelope: pending.envelope.clone(), content: Some(pending.content.clone()) };
            (crate::id::AssignmentId([0; 16]), 0, command)
        });
        let logged = sealed.chain(here).map(|(assignment, catalogue, command)| {
            let n = command.envelope.n;
            let fate = self.receipts.get(&n).map_or(Fate::Accepted, |(_, fate)| fate.clone());
            let received_at = command.envelope.at;
            Logged { place: Place { seq: PENDING, n, device }, assignment, received_at, catalogue, fate, command }
        });
        logged.collect()
    }

    pub(super) fn records(&self) -> BTreeSet<RecordId> {
        let sealed = self.sealed.values().flat_map(|parts| &parts.batch.envelopes);
        let own = sealed.chain(self.pending.values().map(|pending| &pending.envelope)).map(|envelope| envelope.record);
        self.log.keys().copied().chain(own).collect()
    }

    pub(super) fn record(&self, catalogues: &Catalogues, device: DeviceId, record: RecordId) -> Option<Record> {
        let newest = catalogues.keys().next_back().copied().unwrap_or(0);
        let own: Vec<Logged> = self.own(device).into_iter().filter(|own| own.command.envelope.record == record).collect();
        let folded = self.folded.get(&record);
        if own.is_empty() {
            return folded.cloned();
        }
        let mut log = self.logged(record);
        log.extend(own.into_iter().map(|own| Logged { catalogue: if own.catalogue == 0 { newest } else { own.catalogue }, ..own }));
        Some(record::fold(catalogues, self.journal, record, &log))
    }

    /// Own commands that the server has not answered for.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = &Envelope> {
        let sealed = self.sealed.values().flat_map(|parts| &parts.batch.envelopes);
        sealed.chain(self.pending.values().map(|pending| &pending.envelope)).filter(|envelope| !self.receipts.contains_key(&envelope.n))
    }

    /// Sealed batches without a receipt, in lane order.
    pub(super) fn to_send(&self) -> impl Iterator<Item = &Parts> {
        self.sealed.values().filter(|parts| !self.receipts.contains_key(&parts.batch.first()))
    }

    pub(super) fn receive(&mut self, first: u64, seq: Seq, unusual: &[(u32, Fate)]) -> Vec<RecordId> {
        let Some(parts) = self.sealed.get(&first) else { return Vec::new() };
        let envelopes = &parts.batch.envelopes;
        let fates = crate::sync::wire::fates(envelopes.len(), unusual);
        for (envelope, fate) in envelopes.iter().zip(fates) {
            self.receipts.insert(envelope.n, (seq, fate));
        }
        envelopes.iter().map(|envelope| envelope.record).collect()
    }

    pub(super) fn whereabouts(&self, n: u64) -> Option<Whereabouts> {
        if let Some((seq, fate)) = self.receipts.get(&n) {
            return Some(Whereabouts::Received { seq: *seq, fate: fate.clone() });
        }
        if self.pending.contains_key(&n) {
            return Some(Whereabouts::Here);
        }
        (n > 0 && n <= self.lane.n).then_some(Whereabouts::Sent)
    }

    pub(super) fn to_answer(&self, device: DeviceId) -> Vec<(u64, Fate)> {
        let offered = |n: &u64| self.taken.contains(&Origin { device, journal: self.journal, n: *n }) || self.is_offered(device, *n);
        let unanswered = self.receipts.iter().filter(|(n, (_, fate))| !fate.counts() && !offered(n));
        unanswered.map(|(n, (_, fate))| (*n, fate.clone())).collect()
    }

    fn is_offered(&self, device: DeviceId, n: u64) -> bool {
        let origin = Origin { device, journal: self.journal, n };
        self.unanswered().any(|envelope| envelope.origin == Some(origin))
    }

    /// A command that was entered and did not count, with its content, if it is at hand.
    pub(super) fn refused(&self, origin: Origin) -> Option<Unsealed> {
        let entries = self.entries.values().filter(|entry| entry.parts.batch.device == origin.device);
        let (envelope, salted, fate) = entries
            .flat_map(|entry| entry.parts.batch.envelopes.iter().zip(&entry.parts.contents).zip(&entry.head.fates))
            .map(|((envelope, salted), fate)| (envelope, salted, fate))
            .find(|(envelope, _, _)| envelope.n == origin.n)?;
        let content = salted.as_ref()?.content.clone();
        (!fate.counts()).then(|| Unsealed { envelope: envelope.clone(), content })
    }

    pub(super) fn next_n(&self) -> u64 {
        self.pending.keys().next_back().map_or(self.lane.n, |last| (*last).max(self.lane.n)) + 1
    }

    /// What goes into the next batch: within its limits, a larger single command alone.
    pub(super) fn take_pending(&mut self) -> Vec<Unsealed> {
        let mut bytes = 0;
        let fits = |pending: &Unsealed| {
            bytes += crate::cbor::encode(&pending.envelope).len() + pending.content.to_cbor().len();
            bytes <= limits::BATCH_BYTES_MAX
        };
        let count = self.pending.values().take(limits::BATCH_COMMANDS_MAX).map(fits).take_while(|fits| *fits).count().max(1);
        let numbers: Vec<u64> = self.pending.keys().take(count).copied().collect();
        numbers.iter().filter_map(|n| self.pending.remove(n)).collect()
    }

    pub(super) fn load_sealed(&mut self, deployment: DeploymentId, parts: Parts) {
        if parts.batch.last() > self.lane.n {
            self.lane = LaneEnd { n: parts.batch.last(), batch: parts.batch.digest(deployment) };
        }
        self.sealed.insert(parts.batch.first(), parts);
    }

    pub(super) fn load_pending(&mut self, envelope: Envelope, content: Content) {
        self.pending.insert(envelope.n, Unsealed { envelope, content });
    }

    /// The circumstances in which a command with this number would be judged if it were the next entry.
    pub(super) fn circumstances<'a>(&self, registry: &'a Registry, catalogues: &'a Catalogues, now: Timestamp, n: u64) -> Circumstances<'a> {
        let fates = self.receipts.iter().map(|(n, (_, fate))| (*n, fate.clone()));
        let unanswered = self.unanswered().map(|envelope| (envelope.n, Fate::Accepted));
        Circumstances {
            registry,
            catalogues,
            chain: self.chain,
            lane: LaneEnd { n: n - 1, batch: Digest([0; 32]) },
            head_at_seen: Some(self.chain.end.head),
            received: self.entries.iter().map(|(seq, entry)| (*seq, entry.head.received_at)).collect(),
            lane_fates: fates.chain(unanswered).collect(),
            taken: self.taken.clone(),
            offered: admit::offered(self.entries.values().map(|entry| &entry.parts.batch)),
            index: self.predicted(registry, catalogues),
            now,
        }
    }

    /// The admission index as it will be when everything saved here has counted.
    fn predicted(&self, registry: &Registry, catalogues: &Catalogues) -> Index {
        let mut index = self.index.clone();
        let newest = catalogues.values().next_back();
        let lane = self.sealed.values().map(|parts| (parts.batch.device, Some(parts.batch.assignment), &parts.batch.envelopes));
        for (device, assignment, envelopes) in lane {
            let by = assignment.and_then(|assignment| registry.assignments.get(&assignment));
            for envelope in envelopes.iter().filter(|envelope| self.receipts.get(&envelope.n).is_none_or(|(_, fate)| fate.counts())) {
                let kind = newest.and_then(|catalogue| catalogue.kind(&envelope.kind));
                admit::replay(&mut index, kind, envelope, Place { seq: PENDING, n: envelope.n, device }, by);
            }
        }
        index
    }

    pub(super) fn pending_index(&self, mut index: Index, catalogues: &Catalogues, device: DeviceId, by: Option<&crate::registry::Assignment>) -> Index {
        let newest = catalogues.values().next_back();
        for Unsealed { envelope, .. } in self.pending.values() {
            let kind = newest.and_then(|catalogue| catalogue.kind(&envelope.kind));
            admit::replay(&mut index, kind, envelope, Place { seq: PENDING, n: envelope.n, device }, by);
        }
        index
    }

    /// The latest own command that is unanswered and writes this field of this record: a text edit builds on its text.
    pub(super) fn builds_on(&self, record: RecordId, field: &str) -> Option<u64> {
        let writes = |envelope: &&Envelope| envelope.record == record && envelope.fields.iter().any(|name| name == field);
        self.unanswered().filter(writes).map(|envelope| envelope.n).max()
    }

    /// The own action on this record that is unanswered: what comes after it stands or falls with it.
    pub(super) fn opened_by(&self, record: RecordId) -> Option<u64> {
        let opens = |envelope: &&Envelope| envelope.record == record && matches!(envelope.verb, Verb::Create | Verb::Act);
        self.unanswered().filter(opens).map(|envelope| envelope.n).max()
    }

    /// Own commands without a receipt become pending commands of a new lane, each naming its origin.
    pub(super) fn start_new_lane(&mut self, journal: JournalId, old: DeviceId, new: DeviceId) -> Vec<Write> {
        let mut writes = Vec::new();
        let mut commands = Vec::new();
        for (first, parts) in core::mem::take(&mut self.sealed) {
            if self.receipts.contains_key(&first) {
                self.sealed.insert(first, parts);
                continue;
            }
            writes.push(Write::delete(Key::Sealed(journal, first)));
            commands.extend(parts.commands().filter_map(|command| Some((command.envelope, command.content?))));
        }
        for (n, pending) in core::mem::take(&mut self.pending) {
            writes.push(Write::delete(Key::Pending(journal, n)));
            commands.push((pending.envelope, pending.content));
        }
        self.receipts.clear();
        self.lane = LaneEnd::start(new, journal);
        let renumbered: BTreeMap<u64, u64> = commands.iter().zip(1..).map(|((envelope, _), n)| (envelope.n, n)).collect();
        for ((mut envelope, content), n) in commands.into_iter().zip(1..) {
            envelope.origin.get_or_insert(Origin { device: old, journal, n: envelope.n });
            envelope.needs = envelope.needs.and_then(|needed| renumbered.get(&needed).copied());
            envelope.n = n;
            writes.push(pending_write(journal, &envelope, &content));
            self.pending.insert(n, Unsealed { envelope, content });
        }
        writes
    }

    /// Destroys the contents of erased records here. Returns the entries that changed.
    pub(super) fn erase(&mut self, records: &BTreeSet<RecordId>) -> BTreeSet<Seq> {
        let mut changed = BTreeSet::new();
        let places = records.iter().filter_map(|record| self.log.get(record)).flatten();
        for (seq, index) in places {
            let Some(entry) = self.entries.get_mut(seq) else { continue };
            let about = entry.parts.batch.envelopes.get(*index).is_some_and(|envelope| records.contains(&envelope.record) && envelope.verb != Verb::Erase);
            if let Some(slot) = entry.parts.contents.get_mut(*index).filter(|_| about)
                && slot.take().is_some()
            {
                entry.parts.seed = None;
                changed.insert(*seq);
            }
        }
        changed
    }
}

/// How a pending command is kept.
pub(super) fn pending_write(journal: JournalId, envelope: &Envelope, content: &Content) -> Write {
    let pending = PendingCommand { envelope: envelope.clone(), content: content.clone() };
    Write::put(Key::Pending(journal, envelope.n), crate::cbor::encode(&pending))
}

impl Device {
    pub(super) fn local(&mut self, journal: JournalId) -> &mut Local {
        let device = self.id();
        self.journals.entry(journal).or_insert_with(|| Local::new(journal, device))
    }

    pub(super) fn append(&mut self, journal: JournalId, entry: Entry) -> Result<BTreeSet<RecordId>, Broken> {
        let device = self.id();
        let local = self.journals.entry(journal).or_insert_with(|| Local::new(journal, device));
        local.append(device, &self.registry, &self.catalogues, entry)
    }

    pub(super) fn refold_all(&mut self, journal: JournalId) {
        if let Some(local) = self.journals.get_mut(&journal) {
            let known = local.known();
            local.refold(&self.catalogues, known);
        }
    }

    pub(super) fn refold(&mut self) {
        let journals: Vec<JournalId> = self.journals.keys().copied().collect();
        journals.into_iter().for_each(|journal| self.refold_all(journal));
    }
}
