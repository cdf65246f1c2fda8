//! What the device does with a response: it believes what it can verify, and nothing else.

use std::collections::BTreeSet;

use super::storage::{Contact, Key, Write};
use super::{Device, Effect, World};
use crate::admit;
use crate::batch::Malformed;
use crate::cbor;
use crate::id::{JournalId, RecordId, Seq};
use crate::journal::{Broken, Entry};
use crate::limits;
use crate::registry::{self, RegistryAct};
use crate::sync::wire::{Carried, JournalPage, Outcome, Receipt, SyncResponse, WireEntry};

/// What a response brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learned {
    /// What the shell must do.
    pub effects: Vec<Effect>,
    /// Whether there is more to pull.
    pub more: bool,
    /// Batches that the server could not take now, with its reasons.
    pub held_back: Vec<(JournalId, u64, Outcome)>,
    /// Whether the device must enrol in place: its lane was forked or it was suspended.
    pub enrol_again: bool,
}

/// The response contradicts what the device verified before, or itself. Nothing of it was taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LyingServer {
    /// A journal's chain does not continue.
    #[error("journal {journal}: {broken}")]
    Chain {
        /// The journal.
        journal: JournalId,
        /// How.
        broken: Broken,
    },
    /// A batch cannot be unpacked.
    #[error("a batch cannot be unpacked: {0}")]
    Malformed(#[from] Malformed),
    /// A known device did not sign what is said to be its batch.
    #[error("entry {0} is not signed by its device")]
    Signature(Seq),
    /// A registry entry is not signed by the operator.
    #[error("registry entry {0} is not signed by the operator")]
    Registry(Seq),
    /// The checkpoint does not verify, or is smaller than one seen before.
    #[error("the checkpoint does not verify: {0}")]
    Checkpoint(String),
    /// A segment cannot be unpacked.
    #[error("a segment cannot be unpacked")]
    Segment,
}

impl Device {
    /// Takes in a response.
    pub fn on_response(&mut self, world: &World<'_>, response: &SyncResponse) -> Result<Learned, LyingServer> {
        let mut writes = Vec::new();
        for entry in &response.registry {
            self.learn_registry(entry)?;
            writes.push(Write::put(Key::Registry(entry.seq), cbor::encode(entry)));
        }
        self.registry_seq = self.registry_seq.max(response.registry_seq);
        let mut learned = Learned::default();
        let mut changed = BTreeSet::new();
        for receipt in &response.receipts {
            self.receive(receipt, &mut learned, &mut changed);
        }
        let result = self.take_pages(&response.journals, &mut writes, &mut changed);
        let sent_carried = core::mem::take(&mut self.sent_carried);
        for (id, _) in sent_carried.iter().zip(&response.carried).filter(|(_, carried)| **carried == Carried::Taken) {
            self.carried.remove(id);
            writes.push(Write::delete(Key::Carried(*id)));
        }
        self.last_contact = Some(world.now);
        self.budget_bytes = self.budget_bytes.saturating_mul(2).min(u32::try_from(limits::PAGE_BYTES_MAX).unwrap_or(u32::MAX));
        learned.more = response.journals.iter().any(|page| page.more);
        let contact = Contact { last: world.now, registry_seq: self.registry_seq, checkpoint: self.checkpoint.clone() };
        writes.push(Write::put(Key::Contact, cbor::encode(&contact)));
        learned.effects.push(Effect::Persist(writes));
        learned.effects.extend(changed.into_iter().map(|(journal, record)| Effect::Changed(journal, record)));
        result.map(|()| learned)
    }

    /// A registry entry counts if the operator signed it.
    pub(super) fn learn_registry(&mut self, entry: &WireEntry) -> Result<(), LyingServer> {
        let deployment = self.identity.deployment;
        let opened = entry.open(deployment, |_| None)?;
        if !opened.parts.is_signed_by(deployment, &self.operator) {
            return Err(LyingServer::Registry(entry.seq));
        }
        for command in opened.parts.commands() {
            if let Some((act, _)) = registry::from_command::<RegistryAct>(&command) {
                if let RegistryAct::SetOperator { operator } = &act {
                    self.operator = operator.clone();
                }
                self.registry.apply(act);
            }
        }
        Ok(())
    }

    fn receive(&mut self, receipt: &Receipt, learned: &mut Learned, changed: &mut BTreeSet<(JournalId, RecordId)>) {
        if receipt.device != self.id() {
            return;
        }
        match &receipt.outcome {
            Outcome::Entered { seq, unusual } => {
                let records = self.local(receipt.journal).receive(receipt.first, *seq, unusual);
                changed.extend(records.into_iter().map(|record| (receipt.journal, record)));
            }
            Outcome::Forked | Outcome::Equivocation => {
                learned.enrol_again |= receipt.outcome == Outcome::Equivocation;
                learned.held_back.push((receipt.journal, receipt.first, receipt.outcome.clone()));
            }
            Outcome::Gap { .. } | Outcome::Busy | Outcome::Quota { .. } | Outcome::Unusable { .. } => {
                learned.held_back.push((receipt.journal, receipt.first, receipt.outcome.clone()));
            }
        }
    }

    fn take_pages(
        &mut self,
        pages: &[JournalPage],
        writes: &mut Vec<Write>,
        changed: &mut BTreeSet<(JournalId, RecordId)>,
    ) -> Result<(), LyingServer> {
        for page in pages {
            let journal = page.journal;
            let mut touched = BTreeSet::new();
            for bytes in &page.segments {
                let entries = crate::segment::open(self.identity.deployment, &bytes.0).map_err(|_| LyingServer::Segment)?;
                for entry in entries {
                    touched.extend(self.take_entry(journal, entry, writes)?);
                }
            }
            for wire in &page.entries {
                let own = |first: u64| self.journals.get(&journal)?.sealed.get(&first).cloned();
                let entry = wire.open(self.identity.deployment, own)?;
                touched.extend(self.take_entry(journal, entry, writes)?);
            }
            if self.position(journal).is_some_and(|end| end != page.end) {
                return Err(LyingServer::Chain { journal, broken: Broken::Head(page.end.seq) });
            }
            if let Some(local) = self.journals.get_mut(&journal) {
                local.refold(&self.catalogues, touched.iter().copied());
            }
            changed.extend(touched.into_iter().map(|record| (journal, record)));
        }
        Ok(())
    }

    fn take_entry(&mut self, journal: JournalId, entry: Entry, writes: &mut Vec<Write>) -> Result<BTreeSet<RecordId>, LyingServer> {
        let seq = entry.head.seq;
        let batch = &entry.parts.batch;
        let device = self.registry.devices.get(&batch.device);
        if device.is_some_and(|device| !entry.parts.is_signed_by(self.identity.deployment, &device.key)) {
            return Err(LyingServer::Signature(seq));
        }
        let counted = batch.envelopes.iter().zip(&entry.head.fates).filter(|(_, fate)| fate.counts());
        let erased: BTreeSet<RecordId> = counted.flat_map(|(envelope, _)| admit::erases(envelope)).collect();
        if batch.device == self.id() {
            writes.push(Write::delete(Key::Sealed(journal, batch.first())));
        }
        writes.push(Write::put(Key::Entry(journal, seq), cbor::encode(&WireEntry::pack(&entry))));
        let touched = self.append(journal, entry).map_err(|broken| LyingServer::Chain { journal, broken })?;
        let local = self.local(journal);
        for changed in local.erase(&erased) {
            if let Some(entry) = local.entries.get(&changed) {
                writes.push(Write::put(Key::Entry(journal, changed), cbor::encode(&WireEntry::pack(entry))));
            }
        }
        Ok(touched)
    }
}
