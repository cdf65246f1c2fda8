//! The server: the honest host in memory, or the same with one rule broken.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::admit::codes::{flag, no_effect};
use sync_core::admit::{self, Circumstances, Index, LaneEnd, Verified, Wanted};
use sync_core::audit::Bundle;
use sync_core::batch::{Parts, WireBatch};
use sync_core::command::{Envelope, Verb};
use sync_core::id::{DeviceId, JournalId, RecordId, Timestamp};
use sync_core::journal::{Chain, Entry, EntryHead, Fate};
use sync_core::record::FOLD_VERSION;
use sync_core::registry::{Registry, Standing};
use sync_core::sync::wire::{Outcome, SyncRequest, SyncResponse, WireBody, WireEntry};
use sync_core::testing::{Host, HostJournal};

use super::Fault;

mod restore;

/// How many households one village has before [`Fault::CountIsAGate`] refuses more.
const GATE: usize = 3;

#[derive(Debug)]
pub(super) struct Server {
    pub(super) host: Host,
    pub(super) fault: Option<Fault>,
    /// The journals that a lying server shows to some phones.
    other: BTreeMap<JournalId, HostJournal>,
    /// The phones that are shown them.
    misled: BTreeSet<usize>,
    /// Devices under whose numbers two things were said.
    pub(super) equivocated: BTreeSet<DeviceId>,
}

impl Server {
    pub(super) const fn new(host: Host, fault: Option<Fault>) -> Self {
        Self {
            host,
            fault,
            other: BTreeMap::new(),
            misled: BTreeSet::new(),
            equivocated: BTreeSet::new(),
        }
    }

    /// Whether it shows one history, and bears what it signed: then it takes what offices order.
    pub(super) fn is_open(&self) -> bool {
        self.other.is_empty() && !self.host.is_behind()
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// From now on these phones are shown a history of their own.
    pub(super) fn split(&mut self, journals: &[JournalId], misled: BTreeSet<usize>) {
        let copy = |journal: &JournalId| Some((*journal, self.host.journal(*journal)?.clone()));
        self.other = journals.iter().filter_map(copy).collect();
        self.misled = misled;
    }

    /// The server tries to hide what it did: everyone is shown one of the histories again.
    pub(super) fn join(&mut self) -> BTreeSet<usize> {
        self.other.clear();
        core::mem::take(&mut self.misled)
    }

    /// The other history, while there is one.
    pub(super) const fn other(&self) -> &BTreeMap<JournalId, HostJournal> {
        &self.other
    }

    /// The log with the other histories in the place of the published ones, and whether any of them leads elsewhere.
    pub(super) fn lie(&mut self) -> (Bundle, bool) {
        let differs = self.other.iter().any(|(id, other)| {
            let end = self.host.journal(*id).map(|journal| journal.chain.end);
            end.is_some_and(|end| other.head_at(end.seq) != Some(end.head))
        });
        self.swap();
        let bundle = self.host.bundle();
        self.swap();
        (bundle, differs)
    }

    fn swap(&mut self) {
        for (journal, other) in &mut self.other {
            if let Some(journal) = self.host.journal_mut(*journal) {
                core::mem::swap(journal, other);
            }
        }
    }

    /// Answers a phone's request.
    pub(super) fn sync(
        &mut self,
        phone: usize,
        request: &SyncRequest,
        device: DeviceId,
        now: Timestamp,
    ) -> SyncResponse {
        let misled = self.misled.contains(&phone);
        if misled {
            self.swap();
        }
        let response = self.answer(request, device, now);
        if misled {
            self.swap();
        }
        response
    }

    fn answer(&mut self, request: &SyncRequest, device: DeviceId, now: Timestamp) -> SyncResponse {
        let seen_before: BTreeSet<(JournalId, u64)> = (request.batches.iter())
            .filter(|batch| self.entry_of(batch).is_some())
            .map(|batch| (batch.journal, batch.first))
            .collect();
        let lanes = self.lanes(device, request);
        if self.has(Fault::OriginAcceptedTwice) {
            for batch in &request.batches {
                if let Some(journal) = self.host.journal_mut(batch.journal) {
                    journal.taken.clear();
                }
            }
        }
        let erased: Vec<(JournalId, HostJournal)> = (request.batches.iter())
            .filter(|_| self.has(Fault::ErasureForgotten))
            .filter_map(|batch| Some((batch.journal, self.host.journal(batch.journal)?.clone())))
            .collect();
        if self.fault.is_some_and(Fault::judges) {
            request
                .batches
                .iter()
                .for_each(|batch| self.judge(batch, now));
        }
        let mut response = self.host.sync(request, device, now);
        for receipt in &response.receipts {
            if receipt.outcome == Outcome::Equivocation {
                self.equivocated.insert(receipt.device);
                if self.has(Fault::EquivocationForgiven) {
                    let (device, active) = (receipt.device, Standing::Active);
                    self.host.set_standing(device, active, "forgiven", now);
                }
            }
        }
        for (id, before) in erased {
            if let Some(journal) = self.host.journal_mut(id) {
                for (entry, was) in journal.entries.iter_mut().zip(before.entries) {
                    entry.parts = was.parts;
                }
            }
        }
        if self.has(Fault::LaneStaysOnRefusal) {
            self.put_back(device, &lanes);
        }
        if self.has(Fault::ReplayGetsNewFates) {
            for receipt in &mut response.receipts {
                if let Outcome::Entered { unusual, .. } = &mut receipt.outcome
                    && seen_before.contains(&(receipt.journal, receipt.first))
                {
                    unusual.clear();
                }
            }
        }
        if self.has(Fault::VoidIsDeleted) {
            request
                .batches
                .iter()
                .for_each(|batch| self.delete_void(batch.journal));
        }
        if self.has(Fault::ErasureTakesItsNeighbours) {
            request
                .batches
                .iter()
                .for_each(|batch| self.delete_neighbours(batch.journal));
        }
        self.leak(&mut response, device);
        if self.has(Fault::ReopeningUntold) {
            let is_told = |entry: &WireEntry| !self.is_reopening(entry.seq);
            response.registry.retain(is_told);
        }
        response
    }

    fn entry_of(&self, batch: &WireBatch) -> Option<&Entry> {
        let entries = self.host.entries(batch.journal).iter();
        let mut of_lane = entries.filter(|entry| entry.parts.batch.device == batch.device);
        of_lane.find(|entry| entry.parts.batch.first() == batch.first)
    }

    fn lanes(
        &self,
        device: DeviceId,
        request: &SyncRequest,
    ) -> BTreeMap<JournalId, (Option<LaneEnd>, usize)> {
        let end = |journal: JournalId| {
            let journal = self.host.journal(journal)?;
            Some((journal.lanes.get(&device).copied(), journal.entries.len()))
        };
        request
            .batches
            .iter()
            .filter_map(|batch| Some((batch.journal, end(batch.journal)?)))
            .collect()
    }

    fn put_back(
        &mut self,
        device: DeviceId,
        lanes: &BTreeMap<JournalId, (Option<LaneEnd>, usize)>,
    ) {
        for (id, (lane, entries)) in lanes {
            let Some(journal) = self.host.journal_mut(*id) else {
                continue;
            };
            let refused = journal
                .entries
                .iter()
                .skip(*entries)
                .any(|entry| entry.head.fates.iter().any(Fate::is_refused));
            if refused {
                match lane {
                    Some(lane) => journal.lanes.insert(device, *lane),
                    None => journal.lanes.remove(&device),
                };
            }
        }
    }

    /// Admits a batch that comes on its own.
    pub(super) fn receive(&mut self, batch: &WireBatch, now: Timestamp) -> Outcome {
        if self.fault.is_some_and(Fault::judges) {
            self.judge(batch, now);
        }
        self.host.admit(batch, now)
    }

    fn delete_neighbours(&mut self, journal: JournalId) {
        let Some(journal) = self.host.journal_mut(journal) else {
            return;
        };
        let index = &journal.index;
        let erased = |envelope: &Envelope| {
            let entry = index.get(&envelope.record);
            envelope.verb != Verb::Erase && entry.is_some_and(|entry| entry.erased)
        };
        for entry in &mut journal.entries {
            if entry.parts.batch.envelopes.iter().any(erased) {
                entry.parts = entry.parts.withhold(|_, _| false);
            }
        }
    }

    fn delete_void(&mut self, journal: JournalId) {
        let Some(journal) = self.host.journal_mut(journal) else {
            return;
        };
        let void: BTreeSet<RecordId> = journal
            .index
            .iter()
            .filter(|(_, entry)| entry.void)
            .map(|(record, _)| *record)
            .collect();
        withhold(journal, &void);
    }

    /// Sends what should have been withheld.
    fn leak(&self, response: &mut SyncResponse, device: DeviceId) {
        let (refused, audience) = (
            self.has(Fault::RefusedLeaks),
            self.has(Fault::WithheldShown),
        );
        if !refused && !audience {
            return;
        }
        for page in &mut response.journals {
            let entries = self.host.entries(page.journal);
            for wire in &mut page.entries {
                let entry = entries
                    .iter()
                    .find(|entry| entry.head.seq == wire.seq && entry.parts.batch.device != device);
                let Some(entry) = entry else { continue };
                let is_refused = entry.head.fates.iter().any(Fate::is_refused);
                if matches!(wire.body, WireBody::Batch(_)) && (audience != is_refused) {
                    *wire = WireEntry::pack(entry);
                }
            }
        }
    }

    /// Admits a batch with one rule broken; what cannot be placed is left to the honest host.
    fn judge(&mut self, wire: &WireBatch, now: Timestamp) {
        let Ok(parts) = wire.open() else { return };
        let forged = self.has(Fault::ForgedSignatureTaken);
        if !forged && Verified::check(self.host.registry(), parts.clone()).is_err() {
            return;
        }
        let parts = &parts;
        let fault = self.fault;
        let has = |one: Fault| fault == Some(one);
        let registry = self.registry();
        let catalogues = self.host.catalogues().clone();
        let Some(journal) = self.host.journal(parts.batch.journal) else {
            return;
        };
        let mut circumstances = circumstances(journal, &registry, &catalogues, parts, now);
        if has(Fault::SeenNotChecked) {
            circumstances.head_at_seen = Some(parts.batch.seen.head);
        }
        if admit::place(
            &parts.batch,
            &circumstances.lane,
            circumstances.head_at_seen,
        )
        .is_err()
        {
            return;
        }
        if has(Fault::ReceiptRunsBackwards) {
            circumstances.chain.received_at = Timestamp(i64::MIN);
        }
        let chain = circumstances.chain;
        let mut received_at = now.max(chain.received_at);
        if has(Fault::ReceiptRunsBackwards) && chain.end.seq % 3 == 2 {
            received_at = received_at.plus_ms(-86_400_000);
        }
        let envelopes = &parts.batch.envelopes;
        match fault {
            Some(Fault::NeedsIgnored) => {
                circumstances
                    .lane_fates
                    .values_mut()
                    .for_each(|fate| *fate = Fate::Accepted);
            }
            Some(Fault::LateActionTakesEffect) => {
                circumstances
                    .index
                    .values_mut()
                    .for_each(|entry| entry.acted = None);
            }
            Some(Fault::FiledTestimonyEdited) => {
                let visits = circumstances
                    .index
                    .values_mut()
                    .filter(|entry| entry.kind == "visit");
                visits.for_each(|entry| entry.state = Some("draft".to_owned()));
            }
            Some(Fault::ClockNotFlagged) => circumstances.received.clear(),
            Some(Fault::StolenOriginTaken) => {
                let origins = envelopes.iter().filter_map(|envelope| envelope.origin);
                let offered = origins.map(|origin| (origin, BTreeSet::from([origin.device])));
                circumstances.offered.extend(offered);
            }
            _ => {}
        }
        let households = journal
            .index
            .values()
            .filter(|entry| entry.kind == "household")
            .count();
        let before = circumstances.index.clone();
        let mut judged = parts.clone();
        if has(Fault::BaseBeyondSeenCounts) {
            judged.batch.seen.seq = u64::MAX;
        }
        let (mut fates, index) = admit::judge(&judged, received_at, &[], circumstances);
        for (fate, envelope) in fates.iter_mut().zip(envelopes) {
            let late = received_at.0 - envelope.at.0 > 86_400_000;
            let full =
                envelope.verb == Verb::Create && envelope.kind == "household" && households >= GATE;
            if (has(Fault::LateIsRefused) && late) || (has(Fault::CountIsAGate) && full) {
                *fate = Fate::Refused("too_old".to_owned(), None);
            }
            if has(Fault::SealDoesNotFlag)
                && let Fate::Flagged(causes) = fate
            {
                causes.retain(|cause| cause != flag::AFTER_SEAL);
                if causes.is_empty() {
                    *fate = Fate::Accepted;
                }
            }
            let acted = before.get(&envelope.record).and_then(|entry| entry.acted);
            let unseen = acted.is_some_and(|acted| {
                acted.place.seq > envelope.base && acted.place.device != parts.batch.device
            });
            if has(Fault::ConcurrentActionNeedsSight)
                && envelope.verb == Verb::Act
                && unseen
                && fate.counts()
            {
                *fate = Fate::NoEffect(no_effect::SUPERSEDED.to_owned());
            }
            if has(Fault::ClockNotFlagged) && *fate == Fate::Flagged(vec!["clock".to_owned()]) {
                *fate = Fate::Accepted;
            }
        }
        let head = EntryHead {
            journal: parts.batch.journal,
            seq: chain.end.seq + 1,
            received_at,
            registry: registry.position(),
            catalogue: parts.batch.catalogue + u32::from(has(Fault::EntryNamesAnotherVersion)),
            fold: FOLD_VERSION,
            batch: parts.batch.digest(registry.deployment),
            signature: parts.signature.clone(),
            fates,
        };
        let entry = Entry {
            head,
            parts: parts.clone(),
        };
        if let (Ok(chain), Some(journal)) = (
            chain.append(&entry.head),
            self.host.journal_mut(parts.batch.journal),
        ) {
            enter(journal, entry, chain, index);
        }
    }

    /// What the registry says, as far as the fault lets it.
    fn registry(&self) -> Registry {
        let mut registry = self.host.registry().clone();
        if self.has(Fault::RevokedDeviceAccepted) {
            registry
                .devices
                .values_mut()
                .for_each(|device| device.standing = Standing::Active);
        }
        if self.has(Fault::WithdrawnAssignmentAccepted) {
            for assignment in registry
                .assignments
                .values_mut()
                .filter(|assignment| assignment.for_cause)
            {
                (assignment.for_cause, assignment.to) = (false, None);
            }
        }
        if self.has(Fault::AnotherVillageAccepted) {
            let county = self.host.county();
            let assignments = registry.assignments.values_mut();
            assignments.for_each(|assignment| assignment.area = county);
        }
        registry
    }
}

/// What admission reads, loaded from the journal in memory.
fn circumstances<'a>(
    journal: &HostJournal,
    registry: &'a Registry,
    catalogues: &'a admit::Catalogues,
    parts: &Parts,
    now: Timestamp,
) -> Circumstances<'a> {
    let batch = &parts.batch;
    let wanted = Wanted::by(batch);
    let of_lane = journal
        .entries
        .iter()
        .filter(|entry| entry.parts.batch.device == batch.device);
    let fates = of_lane.flat_map(|entry| {
        entry
            .parts
            .batch
            .envelopes
            .iter()
            .map(|envelope| envelope.n)
            .zip(entry.head.fates.clone())
    });
    Circumstances {
        registry,
        catalogues,
        chain: journal.chain,
        lane: journal
            .lanes
            .get(&batch.device)
            .copied()
            .unwrap_or_else(|| LaneEnd::start(batch.device, batch.journal)),
        head_at_seen: journal.head_at(batch.seen.seq),
        received: wanted
            .bases
            .iter()
            .filter_map(|seq| Some((*seq, journal.entry(*seq)?.head.received_at)))
            .collect(),
        lane_fates: fates.collect(),
        taken: wanted
            .origins
            .intersection(&journal.taken)
            .copied()
            .collect(),
        offered: journal.offered.clone(),
        index: journal.index.clone(),
        now,
    }
}

fn enter(journal: &mut HostJournal, entry: Entry, chain: Chain, index: Index) {
    let batch = &entry.parts.batch;
    let counted = batch
        .envelopes
        .iter()
        .zip(&entry.head.fates)
        .filter(|(_, fate)| fate.counts());
    for (envelope, _) in counted {
        journal.taken.insert(batch.origin(envelope.n));
        journal.taken.extend(envelope.origin);
    }
    for (origin, lanes) in admit::offered(core::iter::once(batch)) {
        journal.offered.entry(origin).or_default().extend(lanes);
    }
    journal.heads.push(chain.end.head);
    journal.lanes.insert(
        batch.device,
        LaneEnd {
            n: batch.last(),
            batch: entry.head.batch,
        },
    );
    journal.index.extend(index);
    journal.chain = chain;
    journal.entries.push(entry);
    let erased: BTreeSet<RecordId> = journal
        .index
        .iter()
        .filter(|(_, entry)| entry.erased)
        .map(|(record, _)| *record)
        .collect();
    withhold(journal, &erased);
}

/// Destroys the contents of records; what an erasure says of itself stays.
fn withhold(journal: &mut HostJournal, records: &BTreeSet<RecordId>) {
    let gone =
        |envelope: &Envelope| records.contains(&envelope.record) && envelope.verb != Verb::Erase;
    for entry in &mut journal.entries {
        entry.parts = entry.parts.withhold(|_, envelope| !gone(envelope));
    }
}
