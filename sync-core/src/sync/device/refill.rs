//! After a server lost something: giving entries back at their old positions, and bringing anew what nobody can put back.

use std::collections::BTreeMap;

use super::local::{Local, Pending};
use super::outbox::{OUTGOING_BYTES, unsealed};
use super::{Device, Key, Write};
use crate::admit::Catalogues;
use crate::batch::{Position, Unsealed};
use crate::id::{DeviceId, JournalId, Seq};
use crate::journal::Entry;
use crate::limits;
use crate::registry::Registry;
use crate::sync::PROTOCOL;
use crate::sync::refill::{self, RefillRequest, SignedRefill, Wanted};
use crate::sync::wire::Cursor;

impl Device {
    /// What this device gives back of what the server wants; nothing at first, when it only says what it holds.
    pub fn give_back(&self, wanted: &[Wanted]) -> SignedRefill {
        let mut room = OUTGOING_BYTES;
        let mut runs = Vec::new();
        for wanted in wanted {
            let Some(local) = self.journals.get(&wanted.journal) else {
                continue;
            };
            if room == 0 {
                break;
            }
            let from = wanted.after.seq.saturating_add(1);
            if from > wanted.until.seq {
                continue;
            }
            let entries = local.entries.range(from..=wanted.until.seq);
            runs.extend(refill::run(
                wanted,
                |seq| local.head_at(seq),
                entries.map(|(_, entry)| entry),
                &mut room,
            ));
        }
        let cursor = |(journal, local): (&JournalId, &Local)| Cursor {
            journal: *journal,
            end: local.chain.end,
        };
        let cursors = self.journals.iter().take(limits::REQUEST_CURSORS_MAX);
        let request = RefillRequest {
            protocol: PROTOCOL,
            cursors: cursors.map(cursor).collect(),
            runs,
            checkpoint: self.checkpoint.as_ref().map(|(_, note)| note.clone()),
        };
        SignedRefill::new(&request, self.identity.deployment, &self.key)
    }

    /// What was received after a position is lost at the server, as the operator signed at a registry position: here it goes too,
    /// and own commands of it wait again. Whether anything changed.
    pub(super) fn rewind(
        &mut self,
        journal: JournalId,
        at: Position,
        reopened: Seq,
        writes: &mut Vec<Write>,
    ) -> bool {
        let device = self.id();
        let (registry, catalogues) = (&self.registry, &self.catalogues);
        let local = self.journals.get_mut(&journal);
        local.is_some_and(|local| local.rewind(device, registry, catalogues, at, reopened, writes))
    }
}

impl Local {
    fn rewind(
        &mut self,
        device: DeviceId,
        registry: &Registry,
        catalogues: &Catalogues,
        at: Position,
        reopened: Seq,
        writes: &mut Vec<Write>,
    ) -> bool {
        // What was judged under the new epoch's registry came after it.
        let is_old = |entry: &Entry| entry.head.registry.seq < reopened;
        let lost = self.entries.range(at.seq.saturating_add(1)..);
        let holds_lost = lost.into_iter().any(|(_, entry)| is_old(entry));
        let parts_ways = self.chain.end.seq >= at.seq && self.head_at(at.seq) != Some(at.head);
        let vouches = |batch: &crate::batch::Batch| batch.seen.seq > at.seq;
        let sealed_on_lost = self
            .sealed
            .values()
            .any(|sealed| vouches(&sealed.parts.batch));
        let seen_lost = self.chain.end.seq <= at.seq && sealed_on_lost;
        if !(holds_lost || parts_ways || seen_lost) {
            // What was received and not pulled may be lost: it is sent again, and answered as before if it is not.
            let end = self.chain.end.seq;
            self.receipts.retain(|_, (seq, _)| *seq <= end);
            return false;
        }
        let journal = self.journal;
        let keep = if parts_ways { 0 } else { at.seq };
        let gone = self.entries.split_off(&(keep + 1));
        let kept = core::mem::take(&mut self.entries);
        let sealed = core::mem::take(&mut self.sealed);
        let pending = core::mem::take(&mut self.pending);
        let gone_keys = gone.keys().map(|seq| Key::Entry(journal, *seq));
        let sealed_keys = sealed.keys().map(|first| Key::Sealed(journal, *first));
        let pending_keys = pending.keys().map(|n| Key::Pending(journal, *n));
        let keys = gone_keys.chain(sealed_keys).chain(pending_keys);
        writes.extend(keys.map(Write::delete));

        let own = gone
            .into_values()
            .filter(|entry| entry.parts.batch.device == device);
        let mut waiting: BTreeMap<u64, Pending> = own
            .flat_map(|entry| unsealed(&entry.parts).collect::<Vec<_>>())
            .collect();
        waiting.extend(sealed.values().flat_map(|sealed| unsealed(&sealed.parts)));
        waiting.extend(pending);

        let mut anew = Self::new(journal, device);
        for entry in kept.into_values() {
            let deployment = registry.deployment;
            let Ok(chain) = anew.chain.append_entry(deployment, &entry) else {
                break;
            };
            anew.append(device, registry, catalogues, entry, chain);
        }
        *self = anew;
        let records = self.known();
        self.refold(catalogues, records);
        let end = self.chain.end.seq;
        for Pending { command, .. } in waiting.values_mut() {
            let Unsealed { envelope, .. } = command;
            envelope.base = envelope.base.min(end);
        }
        writes.extend(self.renumber(device, device, waiting.into_values().collect()));
        true
    }
}
