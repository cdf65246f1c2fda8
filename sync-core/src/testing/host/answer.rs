//! The host's answer to a sync request.

use super::Host;
use crate::admit::{self, Unplaced, Unverified, Verified};
use crate::audit::{BUNDLE_VERSION, Bundle, CatalogueFiles, JournalPart};
use crate::batch::{Bytes, Position, WireBatch};
use crate::catalog::{Capability, Catalogue};
use crate::checkpoint::{Checkpoint, Leaf, merkle, origin, sign_checkpoint};
use crate::command::Envelope;
use crate::id::{DeviceId, Digest, JournalId, Seq, Timestamp, UserId};
use crate::journal::{Entry, Fate};
use crate::registry::{Registry, RegistryAct, Standing};
use crate::seal;
use crate::sync::PROTOCOL;
use crate::sync::refill::CoveredHeads;
use crate::sync::wire::{
    self, Carried, CoveredBy, Cursor, JournalPage, Outcome, Receipt, SyncRequest, SyncResponse,
    WireBody, WireEntry,
};

impl Host {
    /// Answers a request that `device` sent.
    pub fn sync(
        &mut self,
        request: &SyncRequest,
        device: DeviceId,
        now: Timestamp,
    ) -> SyncResponse {
        assert_eq!(
            request.protocol, PROTOCOL,
            "the device speaks this version's protocol"
        );
        let batches = request.batches.iter();
        let receipts = batches
            .map(|batch| self.receive(batch, device, now))
            .collect();
        let sealed = request.carried.iter();
        let carried = sealed
            .map(|sealed| self.open_carried(sealed, now))
            .collect();
        let mut budget = request.budget_bytes as usize;
        let cursors = request.cursors.iter();
        let page = |cursor: &Cursor| self.page(cursor, device, &mut budget, now);
        let journals: Vec<JournalPage> = cursors.filter_map(page).collect();
        let checkpoint = self.covering(&journals, request.checkpoint);
        // Who may not read is told nothing new, so that he misses nothing if he may again.
        let registry_seq = match self.active_user(device) {
            Some(_) => self.registry.position().seq,
            None => request.registry,
        };
        SyncResponse {
            receipts,
            carried,
            journals,
            registry: self.registry_for(device, request.registry, now),
            registry_seq,
            checkpoint,
            server_time: now,
        }
    }

    fn receive(&mut self, batch: &WireBatch, device: DeviceId, now: Timestamp) -> Receipt {
        let outcome = if batch.device == device {
            self.admit(batch, now)
        } else {
            unusable("not_yours")
        };
        let WireBatch {
            device,
            journal,
            first,
            ..
        } = *batch;
        Receipt {
            device,
            journal,
            first,
            outcome,
        }
    }

    fn open_carried(&mut self, sealed: &Bytes, now: Timestamp) -> Carried {
        let opened = seal::open(&self.opening, self.deployment(), &sealed.0).ok();
        if let Some(batch) = opened.and_then(|bytes| crate::cbor::decode(&bytes).ok()) {
            self.admit(&batch, now);
        }
        Carried::Taken
    }

    /// Admits one batch, whoever brought it.
    pub fn admit(&mut self, batch: &WireBatch, now: Timestamp) -> Outcome {
        let Ok(parts) = batch.open() else {
            return unusable("malformed");
        };
        let verified = match Verified::check(&self.registry, parts) {
            Ok(verified) => verified,
            Err(Unverified::UnknownDevice) => return unusable("unknown_device"),
            Err(Unverified::UnknownJournal) => return unusable("unknown_journal"),
            Err(Unverified::BadSignature) => return unusable("bad_signature"),
        };
        let parts = verified.parts();
        let batch = &parts.batch;
        let Some(journal) = self.journals.get_mut(&batch.journal) else {
            return unusable("unknown_journal");
        };
        let circumstances = journal.circumstances(&self.registry, &self.catalogues, batch, now);
        match admit::admit(&verified, circumstances) {
            Ok(decided) => entered(journal.enter(&decided, parts)),
            Err(Unplaced::Gap { expected }) => Outcome::Gap { expected },
            Err(Unplaced::Forked) => Outcome::Forked,
            Err(Unplaced::Used { .. } | Unplaced::Equivocation) => {
                let digest = batch.digest(self.registry.deployment);
                let known = journal.entry_of(batch.device, batch.first());
                if let Some(entry) = known.filter(|entry| entry.head.batch == digest) {
                    return entered(entry);
                }
                let device = batch.device;
                self.set_standing(device, Standing::Suspended, "equivocation", now);
                Outcome::Equivocation
            }
        }
    }

    fn page(
        &self,
        cursor: &Cursor,
        device: DeviceId,
        budget: &mut usize,
        now: Timestamp,
    ) -> Option<JournalPage> {
        let user = self.active_user(device)?;
        let role = self.role(user, cursor.journal, now)?;
        let journal = self.journals.get(&cursor.journal)?;
        // A device that knows more, or another history, gets nothing: what it may do about it is not this host's to say.
        if journal.head_at(cursor.end.seq)? != cursor.end.head {
            return None;
        }
        let mut entries = Vec::new();
        let mut end = cursor.end;
        for entry in journal
            .entries
            .iter()
            .skip(usize::try_from(cursor.end.seq).ok()?)
        {
            let wire = self.entry_for(entry, device, user, &role);
            if !entries.is_empty() && wire.bytes() > *budget {
                break;
            }
            *budget = budget.saturating_sub(wire.bytes());
            end = Position {
                seq: entry.head.seq,
                head: journal.head_at(entry.head.seq)?,
            };
            entries.push(wire);
        }
        let more = end.seq < journal.chain.end.seq;
        Some(JournalPage {
            journal: cursor.journal,
            segments: Vec::new(),
            entries,
            end,
            more,
        })
    }

    /// An entry as a reader gets it: his own as its header, others' with what he may not read withheld.
    fn entry_for(&self, entry: &Entry, device: DeviceId, user: UserId, role: &str) -> WireEntry {
        let batch = &entry.parts.batch;
        if batch.device == device {
            return WireEntry::new(
                &entry.head,
                WireBody::Own {
                    first: batch.first(),
                },
            );
        }
        let author = self
            .registry
            .devices
            .get(&batch.device)
            .map(|device| device.user);
        let newest = self.catalogues.values().next_back();
        let role = newest.and_then(|catalogue| catalogue.role(role));
        let reads_refused = role.is_some_and(|role| role.can(Capability::ReadRefused));
        let may_read = |index: usize, envelope: &Envelope| {
            let refused = entry.head.fates.get(index).is_some_and(Fate::is_refused);
            let reads = role.is_some_and(|role| role.reads(envelope.audience));
            reads && (!refused || reads_refused || author == Some(user))
        };
        let parts = entry.parts.withhold(may_read);
        WireEntry::pack(&Entry {
            head: entry.head.clone(),
            parts,
        })
    }

    fn active_user(&self, device: DeviceId) -> Option<UserId> {
        let device = self.registry.devices.get(&device);
        let active = device.filter(|device| device.standing == Standing::Active)?;
        let user = self.registry.users.get(&active.user);
        user.filter(|user| user.active).map(|_| active.user)
    }

    fn role(&self, user: UserId, journal: JournalId, now: Timestamp) -> Option<String> {
        let area = self.registry.area_of(journal, now.date())?;
        let mut mine = self.registry.assignments_of(user, now.date());
        let here = mine.find(|(_, assignment)| self.registry.is_within(area, assignment.area));
        here.map(|(_, assignment)| assignment.role.clone())
    }

    /// The entries that concern a device and that it cannot have yet: those that concerned it then, up to what it knows, it has.
    fn registry_for(&self, device: DeviceId, known: Seq, now: Timestamp) -> Vec<WireEntry> {
        let Some(user) = self.active_user(device) else {
            return Vec::new();
        };
        let mut then = Registry::empty(self.deployment());
        for (_, act) in self
            .acts
            .iter()
            .take_while(|(entry, _)| entry.head.seq <= known)
        {
            then.apply(act.clone());
        }
        let concerns = |registry: &Registry, act: &RegistryAct| {
            let mut assignments = registry.assignments.values();
            assignments.any(|assignment| {
                assignment.user == user && registry.concerns(act, assignment.area, now.date())
            })
        };
        let news = self.acts.iter().filter(|(entry, act)| {
            let had = entry.head.seq <= known && concerns(&then, act);
            !had && concerns(&self.registry, act)
        });
        news.map(|(entry, _)| WireEntry::pack(entry)).collect()
    }

    /// Publishes the heads of journals that moved since the last time, and signs the tree over all that were published; nothing
    /// while the database is behind.
    pub fn publish(&mut self) {
        if self.is_behind() {
            return;
        }
        let covered = CoveredHeads::of(self.leaves.iter().copied());
        for (journal, state) in (self.journals.iter()).filter(|(_, state)| state.chain.end.seq > 0)
        {
            let leaf = Leaf {
                journal: *journal,
                seq: state.chain.end.seq,
                head: state.chain.end.head,
            };
            let last = covered.end(*journal);
            if last.map(|last| last.head) != Some(leaf.head) {
                self.leaves.push(leaf);
            }
        }
    }

    /// The signed checkpoint over what was published, with the proof that a leaf is in it.
    pub fn checkpoint(&self, index: u64) -> Option<CoveredBy> {
        let mut nodes = std::collections::BTreeMap::new();
        let mut tree = merkle::Frontier::default();
        for leaf in &self.leaves {
            nodes.extend(tree.append(leaf.hash()));
        }
        let node = |node: merkle::Node| -> Option<Digest> { nodes.get(&node).copied() };
        let leaf = self.leaves.get(usize::try_from(index).ok()?)?;
        let checkpoint = Checkpoint {
            origin: origin(self.deployment()),
            size: tree.size(),
            root: tree.root(),
            extensions: Vec::new(),
        };
        let note = sign_checkpoint(&checkpoint, &self.log).ok()?;
        let path = merkle::inclusion_proof(index, tree.size(), node)?;
        let end = Position {
            seq: leaf.seq,
            head: leaf.head,
        };
        Some(CoveredBy {
            note,
            journal: leaf.journal,
            end,
            index,
            path,
        })
    }

    /// What an auditor gets: everything whole, under a checkpoint over all that was published.
    pub fn bundle(&self) -> Bundle {
        let newest = (self.leaves.len() as u64).checked_sub(1);
        let note = newest.and_then(|newest| self.checkpoint(newest));
        let files = |catalogue: &Catalogue| {
            let files = catalogue.files().iter();
            files
                .map(|file| (file.name.clone(), file.text.clone()))
                .collect()
        };
        Bundle {
            version: BUNDLE_VERSION,
            deployment: self.deployment(),
            registry: (self.acts.iter())
                .map(|(entry, _)| WireEntry::pack(entry))
                .collect(),
            journals: (self.journals.iter())
                .map(|(journal, state)| JournalPart {
                    journal: *journal,
                    entries: state.entries.iter().map(WireEntry::pack).collect(),
                })
                .collect(),
            leaves: self.leaves.clone(),
            checkpoint: note.map_or_else(String::new, |covered| covered.note),
            catalogues: (self.catalogues.iter())
                .map(|(version, catalogue)| CatalogueFiles {
                    version: *version,
                    files: files(catalogue),
                })
                .collect(),
            records: Vec::new(),
        }
    }

    /// The newest checkpoint, if it is larger than one that is known and covers a head that these pages lead to.
    fn covering(&self, pages: &[JournalPage], known: u64) -> Option<CoveredBy> {
        let reached = |leaf: &Leaf| {
            let mut pages = pages.iter();
            pages.any(|page| page.journal == leaf.journal && leaf.seq <= page.end.seq)
        };
        let size = self.leaves.len() as u64;
        let index = self
            .leaves
            .iter()
            .rposition(reached)
            .filter(|_| size > known)?;
        self.checkpoint(u64::try_from(index).ok()?)
    }
}

fn unusable(code: &str) -> Outcome {
    Outcome::Unusable {
        code: code.to_owned(),
    }
}

fn entered(entry: &Entry) -> Outcome {
    let unusual = wire::unusual(&entry.head.fates);
    Outcome::Entered {
        seq: entry.head.seq,
        unusual,
    }
}
