//! After a server lost something: giving entries back at their old positions, and bringing anew what nobody can put back.

use std::collections::BTreeMap;

use super::local::{Local, Pending, Sealed};
use super::outbox::{OUTGOING_BYTES, unsealed};
use super::{Device, Key, Write};
use crate::admit::Catalogues;
use crate::batch::Position;
use crate::command::Origin;
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
    /// and what its user wrote of it waits again. Whether anything changed.
    pub(super) fn rewind(
        &mut self,
        journal: JournalId,
        at: Position,
        reopened: Seq,
        writes: &mut Vec<Write>,
    ) -> bool {
        let Some(local) = self.journals.get_mut(&journal) else {
            return false;
        };
        let (device, user) = (self.key.public().device(), self.identity.user);
        let known = &self.registry.devices;
        let is_own =
            |id: &DeviceId| *id == device || known.get(id).is_some_and(|known| known.user == user);
        let Some(lost) = local.rewind(device, &self.registry, &self.catalogues, at, reopened)
        else {
            return false;
        };
        writes.extend(lost.keys(journal).map(Write::delete));
        self.settles |= local.bring_anew(device, &self.registry, lost, is_own, writes);
        true
    }
}

/// What a device forgets of a journal that goes on further back.
struct Lost {
    entries: BTreeMap<Seq, Entry>,
    sealed: BTreeMap<u64, Sealed>,
    pending: BTreeMap<u64, Pending>,
}

impl Lost {
    fn keys(&self, journal: JournalId) -> impl Iterator<Item = Key> + '_ {
        let entries = self
            .entries
            .keys()
            .map(move |seq| Key::Entry(journal, *seq));
        let sealed = self.sealed.keys().map(move |n| Key::Sealed(journal, *n));
        let pending = self.pending.keys().map(move |n| Key::Pending(journal, *n));
        entries.chain(sealed).chain(pending)
    }
}

impl Local {
    /// Goes back to what is not lost; open forms stay open on it. Nothing if nothing is lost here.
    fn rewind(
        &mut self,
        device: DeviceId,
        registry: &Registry,
        catalogues: &Catalogues,
        at: Position,
        reopened: Seq,
    ) -> Option<Lost> {
        // What was judged under the new epoch's registry came after it.
        let is_old = |entry: &Entry| entry.head.registry.seq < reopened;
        let lost = self.entries.range(at.seq.saturating_add(1)..);
        let holds_lost = lost.into_iter().any(|(_, entry)| is_old(entry));
        let parts_ways = self.chain.end.seq >= at.seq && self.head_at(at.seq) != Some(at.head);
        let vouches = |sealed: &Sealed| sealed.parts.batch.seen.seq > at.seq;
        let seen_lost = self.chain.end.seq <= at.seq && self.sealed.values().any(vouches);
        if !(holds_lost || parts_ways || seen_lost) {
            // What was received and not pulled may be lost: it is sent again, and answered as before if it is not.
            let end = self.chain.end.seq;
            self.receipts.retain(|_, (seq, _)| *seq <= end);
            return None;
        }
        let keep = if parts_ways { 0 } else { at.seq };
        let gone = self.entries.split_off(&(keep + 1));
        let mut anew = Self::new(self.journal, device);
        for entry in core::mem::take(&mut self.entries).into_values() {
            let Ok(chain) = anew.chain.append(&entry.head) else {
                break;
            };
            anew.append(device, registry, catalogues, entry, chain);
        }
        let end = anew.chain.end.seq;
        anew.forms = core::mem::take(&mut self.forms);
        for form in anew.forms.values_mut() {
            form.base = form.base.min(end);
        }
        let before = core::mem::replace(self, anew);
        Some(Lost {
            entries: gone,
            sealed: before.sealed,
            pending: before.pending,
        })
    }

    /// What this device's user wrote of what is lost waits again. Batches that vouch for what still stands go again byte for byte:
    /// somebody may carry a copy of them. The rest becomes commands anew, those of earlier lanes of his under their places. Whether
    /// any of these wait: another of his phones may bring them as well.
    fn bring_anew(
        &mut self,
        device: DeviceId,
        registry: &Registry,
        lost: Lost,
        is_own: impl Fn(&DeviceId) -> bool,
        writes: &mut Vec<Write>,
    ) -> bool {
        let journal = self.journal;
        let (mut lane, mut earlier) = (BTreeMap::new(), BTreeMap::new());
        for parts in lost.entries.into_values().map(|entry| entry.parts) {
            let (by, first) = (parts.batch.device, parts.batch.first());
            if by == device {
                let wire = parts.to_wire_quickly();
                lane.insert(first, Sealed { parts, wire });
            } else if is_own(&by) {
                let commands = earlier.entry(by).or_insert_with(Vec::new);
                commands.extend(unsealed(&parts).map(|(_, pending)| pending));
            }
        }
        lane.extend(lost.sealed);
        let mut waiting: BTreeMap<u64, Pending> = BTreeMap::new();
        for (first, sealed) in lane {
            let batch = &sealed.parts.batch;
            // What was erased since has no content to be judged by.
            let is_whole = sealed.parts.contents.iter().all(Option::is_some);
            let stands = is_whole
                && batch.previous == self.lane.batch
                && self.head_at(batch.seen.seq) == Some(batch.seen.head);
            if stands {
                let key = Key::Sealed(journal, first);
                writes.push(Write::put(key, crate::cbor::encode(&sealed.wire)));
                self.load_sealed(registry.deployment, sealed);
            } else {
                waiting.extend(unsealed(&sealed.parts));
            }
        }
        waiting.extend(lost.pending);
        let end = self.chain.end.seq;
        let on_what_stands = |mut pending: Pending| {
            let envelope = &mut pending.command.envelope;
            envelope.base = envelope.base.min(end);
            pending
        };
        let settles = !earlier.is_empty();
        // What he wrote first stands first.
        for (by, commands) in earlier {
            let placed = commands.into_iter().map(|mut pending| {
                let envelope = &mut pending.command.envelope;
                let n = envelope.n;
                envelope.origin.get_or_insert(Origin {
                    device: by,
                    journal,
                    n,
                });
                on_what_stands(pending)
            });
            writes.extend(self.renumber(by, device, placed.collect()));
        }
        let waiting = waiting.into_values().map(on_what_stands).collect();
        writes.extend(self.renumber(device, device, waiting));
        settles
    }
}
