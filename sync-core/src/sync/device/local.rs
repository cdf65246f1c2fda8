//! What the device holds of one journal: the verified entries, and its own lane on top.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::Device;
use super::storage::{Key, PendingCommand, Write};
use crate::admit::{self, Catalogues, Circumstances, Counted, Index, LaneEnd, Wanted};
use crate::batch::{Batch, Parts, Unsealed, WireBatch};
use crate::command::{Command, Envelope, Origin, Verb};
use crate::id::{
    AssignmentId, DeploymentId, DeviceId, Digest, JournalId, RecordId, Seq, Timestamp,
};
use crate::journal::{Broken, Chain, Entry, Fate};
use crate::limits;
use crate::pack::Places;
use crate::record::{self, Logged, Place, Record};
use crate::registry::Registry;
use crate::view::PENDING;

/// An open form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormId(pub(super) u64);

impl FormId {
    /// The form of a number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, for shells that hold forms by it.
    pub const fn number(self) -> u64 {
        self.0
    }
}

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

/// A command that is saved and not yet sealed, with what it was saved under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) command: Unsealed,
    pub(super) assignment: AssignmentId,
    pub(super) catalogue: u32,
    /// Whether it had a receipt under an earlier key of this phone: it waits only in case its entry never comes.
    pub(super) received: bool,
}

/// A sealed batch, and the very bytes that are sent until its fates arrive.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) parts: Parts,
    pub(super) wire: WireBatch,
}

/// Under which places commands count: by lane, for there are as many as commands.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeMap<(DeviceId, JournalId), BTreeSet<u64>>);

impl Taken {
    fn insert(&mut self, place: Origin) {
        let lane = self.0.entry((place.device, place.journal)).or_default();
        lane.insert(place.n);
    }

    pub(super) fn contains(&self, place: &Origin) -> bool {
        let lane = self.0.get(&(place.device, place.journal));
        lane.is_some_and(|lane| lane.contains(&place.n))
    }
}

#[derive(Debug)]
pub(super) struct Local {
    pub(super) journal: JournalId,
    pub(super) chain: Chain,
    pub(super) entries: BTreeMap<Seq, Entry>,
    pub(super) lane: LaneEnd,
    pub(super) sealed: BTreeMap<u64, Sealed>,
    pub(super) pending: BTreeMap<u64, Pending>,
    pub(super) forms: BTreeMap<FormId, Form>,
    pub(super) taken: Taken,
    pub(super) receipts: BTreeMap<u64, (Seq, Fate)>,
    log: BTreeMap<RecordId, Log>,
    index: Index,
}

/// What the entries say of one record.
#[derive(Debug, Default)]
struct Log {
    /// Its commands (entry, index).
    places: Vec<(Seq, usize)>,
    /// What these alone add up to, once somebody asked: a phone that is unlocked shows few of its records. Own commands are put on top
    /// when a record is asked for.
    folded: OnceLock<Box<Record>>,
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
            taken: Taken::default(),
            receipts: BTreeMap::new(),
            log: BTreeMap::new(),
            index: Index::new(),
        }
    }

    /// Takes the next entry, which the chain was found to bear. Returns the records it touches.
    pub(super) fn append(
        &mut self,
        device: DeviceId,
        registry: &Registry,
        catalogues: &Catalogues,
        entry: Entry,
        chain: Chain,
    ) -> BTreeSet<RecordId> {
        let batch = &entry.parts.batch;
        admit::replay(&mut self.index, registry, catalogues, &entry.head, batch);
        let mut touched = BTreeSet::new();
        for (index, (envelope, fate)) in (batch.envelopes.iter().zip(&entry.head.fates)).enumerate()
        {
            if batch.device == device {
                let receipt = (entry.head.seq, fate.clone());
                self.receipts.insert(envelope.n, receipt);
            }
            if fate.counts() {
                self.taken.insert(batch.origin(envelope.n));
                if let Some(origin) = envelope.origin {
                    self.taken.insert(origin);
                }
            }
            for record in record::touches(envelope) {
                let log = self.log.entry(record).or_default();
                log.places.push((entry.head.seq, index));
                log.folded = OnceLock::new();
                touched.insert(record);
            }
        }
        if batch.device == device {
            self.sealed.remove(&batch.first());
            if batch.last() > self.lane.n {
                self.lane = LaneEnd {
                    n: batch.last(),
                    batch: entry.head.batch,
                };
            }
        }
        self.chain = chain;
        self.entries.insert(entry.head.seq, entry);
        touched
    }

    /// Makes the index anew from the entries: what was entered before its catalogue was known has moved no state.
    fn reindex(&mut self, registry: &Registry, catalogues: &Catalogues) {
        self.index = Index::new();
        for entry in self.entries.values() {
            let (head, batch) = (&entry.head, &entry.parts.batch);
            admit::replay(&mut self.index, registry, catalogues, head, batch);
        }
    }

    /// Folds anew whatever is asked for from now on.
    fn refold(&mut self) {
        let logs = self.log.values_mut();
        logs.for_each(|log| log.folded = OnceLock::new());
    }

    fn folded<'a>(&self, catalogues: &Catalogues, id: RecordId, log: &'a Log) -> &'a Record {
        let fold = || record::fold(catalogues, self.journal, id, &self.logged_at(&log.places));
        log.folded.get_or_init(|| Box::new(fold()))
    }

    /// Folds some of the records that nobody asked for yet. Whether there are more.
    pub(super) fn fold_ahead(&self, catalogues: &Catalogues, most: usize) -> bool {
        let mut unfolded = (self.log.iter()).filter(|(_, log)| log.folded.get().is_none());
        let some = unfolded.by_ref().take(most);
        some.for_each(|(id, log)| {
            self.folded(catalogues, *id, log);
        });
        unfolded.next().is_some()
    }

    pub(super) fn kind(&self, record: RecordId) -> Option<&str> {
        Some(&self.index.get(&record)?.kind)
    }

    pub(super) fn is_single(&self, record: RecordId) -> bool {
        let about = |envelope: &Envelope| record::touches(envelope).any(|it| it == record);
        let entered = self.log.get(&record).map_or(0, |log| log.places.len());
        entered == 1 && !self.outbox().any(about)
    }

    /// The chain's head after an entry: recomputed, because only its end is kept.
    pub(super) fn head_at(&self, seq: Seq) -> Option<Digest> {
        let start = Chain::start(self.journal);
        let mut entries = self.entries.range(..=seq);
        let chain = entries.try_fold(start, |chain, (_, entry)| chain.append(&entry.head).ok())?;
        (chain.end.seq == seq).then_some(chain.end.head)
    }

    /// The entered commands of a record, in order.
    pub(super) fn logged(&self, record: RecordId) -> Vec<Logged> {
        let log = self.log.get(&record);
        log.map_or_else(Vec::new, |log| self.logged_at(&log.places))
    }

    fn logged_at(&self, places: &[(Seq, usize)]) -> Vec<Logged> {
        let logged =
            |(seq, index): &(Seq, usize)| record::logged_at(self.entries.get(seq)?, *index);
        places.iter().filter_map(logged).collect()
    }

    /// Own commands of a record without an entry, in lane order, with their fates as far as they are known.
    fn own(&self, device: DeviceId, record: RecordId) -> Vec<Logged> {
        let about =
            |envelope: &Envelope| record::touches(envelope).any(|touched| touched == record);
        let sealed = self.sealed.values().flat_map(|sealed| {
            let parts = &sealed.parts;
            let (assignment, catalogue) = (parts.batch.assignment, parts.batch.catalogue);
            let commands = parts.batch.envelopes.iter().zip(&parts.contents);
            commands
                .filter(|(envelope, _)| about(envelope))
                .map(move |(envelope, salted)| {
                    let content = salted.as_ref().map(|salted| salted.content.clone());
                    (
                        assignment,
                        catalogue,
                        Command {
                            envelope: envelope.clone(),
                            content,
                        },
                    )
                })
        });
        let here = self
            .pending
            .values()
            .filter(|pending| about(&pending.command.envelope))
            .map(|pending| {
                let Unsealed { envelope, content } = pending.command.clone();
                (
                    pending.assignment,
                    pending.catalogue,
                    Command {
                        envelope,
                        content: Some(content),
                    },
                )
            });
        let logged = |(assignment, catalogue, command): (AssignmentId, u32, Command)| {
            let n = command.envelope.n;
            let fate = self
                .receipts
                .get(&n)
                .map_or(Fate::Accepted, |(_, fate)| fate.clone());
            let (place, received_at) = (
                Place {
                    seq: PENDING,
                    n,
                    device,
                },
                command.envelope.at,
            );
            Logged {
                place,
                assignment,
                received_at,
                catalogue,
                fate,
                command,
            }
        };
        sealed.chain(here).map(logged).collect()
    }

    /// The envelopes of own commands without an entry, in lane order.
    fn outbox(&self) -> impl Iterator<Item = &Envelope> {
        let sealed = self
            .sealed
            .values()
            .flat_map(|sealed| &sealed.parts.batch.envelopes);
        sealed.chain(
            self.pending
                .values()
                .map(|pending| &pending.command.envelope),
        )
    }

    pub(super) fn records(&self) -> BTreeSet<RecordId> {
        let own = self.outbox().map(|envelope| envelope.record);
        self.log.keys().copied().chain(own).collect()
    }

    pub(super) fn record(
        &self,
        catalogues: &Catalogues,
        device: DeviceId,
        record: RecordId,
    ) -> Option<Cow<'_, Record>> {
        let own = self.own(device, record);
        if own.is_empty() {
            let log = self.log.get(&record)?;
            return Some(Cow::Borrowed(self.folded(catalogues, record, log)));
        }
        let mut log = self.logged(record);
        log.extend(own);
        let folded = record::fold(catalogues, self.journal, record, &log);
        Some(Cow::Owned(folded))
    }

    /// Own commands that the server has not answered for.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = &Envelope> {
        self.outbox()
            .filter(|envelope| !self.receipts.contains_key(&envelope.n))
    }

    /// Sealed batches without a receipt, in lane order.
    pub(super) fn to_send(&self) -> impl Iterator<Item = &Sealed> {
        let answered = |sealed: &&Sealed| !self.receipts.contains_key(&sealed.parts.batch.first());
        self.sealed.values().filter(answered)
    }

    pub(super) fn receive(
        &mut self,
        first: u64,
        seq: Seq,
        unusual: &[(u32, Fate)],
    ) -> Vec<RecordId> {
        let Some(sealed) = self.sealed.get(&first) else {
            return Vec::new();
        };
        let envelopes = &sealed.parts.batch.envelopes;
        let fates = crate::sync::wire::fates(envelopes.len(), unusual);
        for (envelope, fate) in envelopes.iter().zip(fates) {
            self.receipts.insert(envelope.n, (seq, fate));
        }
        envelopes.iter().map(|envelope| envelope.record).collect()
    }

    pub(super) fn whereabouts(&self, n: u64) -> Option<Whereabouts> {
        if let Some((seq, fate)) = self.receipts.get(&n) {
            return Some(Whereabouts::Received {
                seq: *seq,
                fate: fate.clone(),
            });
        }
        if self.pending.contains_key(&n) {
            return Some(Whereabouts::Here);
        }
        (n > 0 && n <= self.lane.n).then_some(Whereabouts::Sent)
    }

    pub(super) fn next_n(&self) -> u64 {
        let last = self.pending.keys().next_back().copied().unwrap_or(0);
        last.max(self.lane.n) + 1
    }

    /// What goes into the next batch: what was saved under one assignment and catalogue, within a batch's limits; a larger
    /// single command alone.
    pub(super) fn take_pending(&mut self) -> Vec<Pending> {
        let Some(first) = self.pending.values().next() else {
            return Vec::new();
        };
        let under = (first.assignment, first.catalogue);
        let mut bytes = 0;
        let fits = |pending: &&Pending| {
            let Unsealed { envelope, content } = &pending.command;
            bytes += crate::cbor::length(envelope) + crate::cbor::length(content);
            bytes <= limits::BATCH_BYTES_MAX && (pending.assignment, pending.catalogue) == under
        };
        let few = self.pending.values().take(limits::BATCH_COMMANDS_MAX);
        let count = few.take_while(fits).count().max(1);
        let numbers: Vec<u64> = self.pending.keys().take(count).copied().collect();
        numbers
            .iter()
            .filter_map(|n| self.pending.remove(n))
            .collect()
    }

    pub(super) fn load_sealed(&mut self, deployment: DeploymentId, sealed: Sealed) {
        let batch = &sealed.parts.batch;
        if batch.last() > self.lane.n {
            self.lane = LaneEnd {
                n: batch.last(),
                batch: batch.digest(deployment),
            };
        }
        self.sealed.insert(batch.first(), sealed);
    }

    /// The circumstances in which these commands would be judged if they were the next entry.
    pub(super) fn circumstances<'a>(
        &self,
        registry: &'a Registry,
        catalogues: &'a Catalogues,
        batch: &Batch,
        now: Timestamp,
    ) -> Circumstances<'a> {
        let wanted = Wanted::by(batch);
        let mut index = self.predicted(registry, catalogues, batch.device, &wanted.records);
        index.extend(self.predicted(registry, catalogues, batch.device, &Wanted::linked(&index)));
        let received = |seq: &Seq| Some((*seq, self.entries.get(seq)?.head.received_at));
        let lane_fate = |n: &u64| {
            let receipt = self.receipts.get(n).map(|(_, fate)| fate.clone());
            let waits = || self.unanswered().any(|envelope| envelope.n == *n);
            Some((*n, receipt.or_else(|| waits().then_some(Fate::Accepted))?))
        };
        let offers_again = batch
            .envelopes
            .iter()
            .any(|envelope| envelope.origin.is_some());
        let entered = self.entries.values().filter(|_| offers_again);
        let offered = admit::offered(entered.map(|entry| &entry.parts.batch));
        Circumstances {
            registry,
            catalogues,
            chain: self.chain,
            lane: LaneEnd {
                n: batch.first().saturating_sub(1),
                batch: batch.previous,
            },
            head_at_seen: Some(self.chain.end.head),
            received: wanted.bases.iter().filter_map(received).collect(),
            lane_fates: wanted.lane.iter().filter_map(lane_fate).collect(),
            taken: (wanted.origins.iter().copied())
                .filter(|origin| self.taken.contains(origin))
                .collect(),
            offered,
            index,
            now,
        }
    }

    /// What the admission index will hold of some records when everything saved here has counted.
    fn predicted(
        &self,
        registry: &Registry,
        catalogues: &Catalogues,
        device: DeviceId,
        records: &BTreeSet<RecordId>,
    ) -> Index {
        let held = |record: &RecordId| Some((*record, self.index.get(record)?.clone()));
        let mut index: Index = records.iter().filter_map(held).collect();
        let sealed = self.sealed.values().flat_map(|sealed| {
            let batch = &sealed.parts.batch;
            let under = (batch.device, batch.assignment, batch.catalogue);
            batch
                .envelopes
                .iter()
                .map(move |envelope| (under, envelope))
        });
        let here = self.pending.values().map(|pending| {
            let under = (device, pending.assignment, pending.catalogue);
            (under, &pending.command.envelope)
        });
        let about = |envelope: &Envelope| {
            record::touches(envelope).any(|touched| records.contains(&touched))
        };
        for ((device, assignment, catalogue), envelope) in
            sealed.chain(here).filter(|(_, envelope)| about(envelope))
        {
            let fate = self.receipts.get(&envelope.n).map(|(_, fate)| fate);
            if fate.is_none_or(Fate::counts) {
                let counted = Counted {
                    envelope,
                    fate: fate.unwrap_or(&Fate::Accepted),
                    place: Place {
                        seq: PENDING,
                        n: envelope.n,
                        device,
                    },
                    received_at: envelope.at,
                };
                let by = registry.assignments.get(&assignment);
                admit::replay_one(&mut index, catalogues.get(&catalogue), counted, by);
            }
        }
        index
    }

    /// The latest own command that is unanswered and writes this field of this record: a text edit builds on its text.
    pub(super) fn builds_on(&self, record: RecordId, field: &str) -> Option<u64> {
        let writes = |envelope: &&Envelope| {
            envelope.record == record && envelope.fields.iter().any(|name| name == field)
        };
        self.unanswered()
            .filter(writes)
            .map(|envelope| envelope.n)
            .max()
    }

    /// The own action on this record that is unanswered: what comes after it stands or falls with it.
    pub(super) fn opened_by(&self, record: RecordId) -> Option<u64> {
        let opens = |envelope: &&Envelope| {
            envelope.record == record && (envelope.makes() || envelope.verb == Verb::Act)
        };
        self.unanswered()
            .filter(opens)
            .map(|envelope| envelope.n)
            .max()
    }

    /// The fields that entries after a position wrote to a record.
    pub(super) fn changed_since(&self, record: RecordId, base: Seq) -> BTreeSet<String> {
        let log = self.logged(record);
        let later = log
            .iter()
            .filter(|logged| logged.place.seq > base && logged.fate.counts());
        later
            .flat_map(|logged| written_fields(&logged.command.envelope))
            .collect()
    }

    /// Destroys the contents of erased records here, and what was folded of them. Returns the entries that changed.
    pub(super) fn erase(&mut self, records: &BTreeSet<RecordId>) -> BTreeSet<Seq> {
        let mut changed = BTreeSet::new();
        let mut places = Vec::new();
        for record in records {
            if let Some(log) = self.log.get_mut(record) {
                log.folded = OnceLock::new();
                places.extend_from_slice(&log.places);
            }
        }
        for (seq, index) in &places {
            let Some(entry) = self.entries.get_mut(seq) else {
                continue;
            };
            let envelope = entry.parts.batch.envelopes.get(*index);
            // What an erasure says of itself, its reason, stays.
            let about = envelope.is_some_and(|envelope| {
                records.contains(&envelope.record) && envelope.verb != Verb::Erase
            });
            if let Some(slot) = entry.parts.contents.get_mut(*index).filter(|_| about)
                && slot.take().is_some()
            {
                entry.parts.seed = None;
                changed.insert(*seq);
            }
        }
        changed
    }

    /// What commands made the records that a batch speaks of, as far as they are in the journal.
    pub(super) fn places(&self, batch: &Batch) -> Places {
        let records = batch.envelopes.iter().flat_map(|envelope| {
            let links = envelope.links.iter().map(|link| link.target);
            links.chain([envelope.record])
        });
        let made = |record: RecordId| {
            let created = self.index.get(&record)?.created;
            Some((record, (created.device, created.n)))
        };
        Places(records.filter_map(made).collect())
    }

    /// Whether a record's content was destroyed.
    pub(super) fn is_erased(&self, record: RecordId) -> bool {
        self.index.get(&record).is_some_and(|entry| entry.erased)
    }
}

/// The fields that a command writes, references among them.
pub(super) fn written_fields(envelope: &Envelope) -> impl Iterator<Item = String> + '_ {
    let by_link = envelope
        .links
        .iter()
        .filter(|_| envelope.verb != Verb::Erase);
    let fields = envelope
        .fields
        .iter()
        .filter(|_| envelope.verb != Verb::Reveal);
    fields
        .cloned()
        .chain(by_link.map(|link| link.field.clone()))
}

/// How a pending command is kept.
pub(super) fn pending_write(journal: JournalId, pending: &Pending) -> Write {
    let Unsealed { envelope, content } = pending.command.clone();
    let key = Key::Pending(journal, envelope.n);
    let Pending {
        assignment,
        catalogue,
        received,
        ..
    } = *pending;
    let kept = PendingCommand {
        envelope,
        content,
        assignment,
        catalogue,
        received: received.then_some(true),
    };
    Write::put(key, crate::cbor::encode(&kept))
}

impl Device {
    pub(super) fn local(&mut self, journal: JournalId) -> &mut Local {
        let device = self.id();
        self.journals
            .entry(journal)
            .or_insert_with(|| Local::new(journal, device))
    }

    /// Takes an entry that was kept here, if the chain bears it.
    pub(super) fn restore(&mut self, journal: JournalId, entry: Entry) -> Result<(), Broken> {
        let device = self.id();
        let local = self
            .journals
            .entry(journal)
            .or_insert_with(|| Local::new(journal, device));
        let chain = local.chain.append(&entry.head)?;
        local.append(device, &self.registry, &self.catalogues, entry, chain);
        Ok(())
    }

    pub(super) fn reindex(&mut self) {
        for local in self.journals.values_mut() {
            local.reindex(&self.registry, &self.catalogues);
        }
    }

    pub(super) fn refold(&mut self) {
        self.journals.values_mut().for_each(Local::refold);
    }
}
