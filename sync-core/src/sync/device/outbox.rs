//! The outbox: sealing, sending, carrying, and starting anew with another key.

use std::collections::BTreeMap;

use super::local::{Local, Pending, Sealed, pending_write};
use super::{Device, Effect, Key, World, Write};
use crate::admit::LaneEnd;
use crate::batch::{self, Bytes, Parts, Sealing, Seed, Unsealed};
use crate::cbor;
use crate::command::{Content, Envelope, Origin, Verb};
use crate::id::{DeviceId, ItemId, JournalId, RecordId, sha256};
use crate::journal::Chain;
use crate::limits;
use crate::look::Reach;
use crate::seal::{Parcel, SealError, SealingKey};
use crate::sign::SigningKey;
use crate::sync::PROTOCOL;
use crate::sync::wire::{Cursor, SyncRequest};
use crate::value::Value;

/// What one request brings at most, as it travels: well below what the server takes, and little enough for a bad line.
pub(super) const OUTGOING_BYTES: usize = limits::REQUEST_BYTES_MAX / 16;

/// A command that the server has not answered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its place.
    pub origin: Origin,
    /// Its envelope.
    pub envelope: Envelope,
    /// Whether it is sealed into a batch: then it may have been sent.
    pub sealed: bool,
    /// Its bytes before packing.
    pub bytes: usize,
}

impl Waiting {
    /// Where it is.
    pub const fn reach(&self) -> Reach {
        if self.sealed {
            Reach::Sent
        } else {
            Reach::OnPhone
        }
    }
}

impl Device {
    /// The commands that the server has not answered for, each lane's in order.
    pub fn outbox(&self) -> Vec<Waiting> {
        let locals = self.journals.values();
        locals.flat_map(|local| local.waits(self.id())).collect()
    }

    /// What the outbox will cost to send: sealed batches as they travel, and what is not sealed yet before it is packed.
    pub fn outbox_bytes(&self) -> usize {
        let sealed = self.journals.values().flat_map(Local::to_send);
        let sealed: usize = sealed.map(|sealed| sealed.wire.packed_bytes()).sum();
        let locals = self.journals.values();
        let waiting = locals.flat_map(|local| local.waits(self.id()));
        let unsealed = waiting.filter(|waiting| !waiting.sealed);
        sealed + unsealed.map(|waiting| waiting.bytes).sum::<usize>()
    }

    /// The bytes of what it carries for others.
    pub fn carried_bytes(&self) -> usize {
        self.carried.values().map(Vec::len).sum()
    }

    /// Seals what is pending into batches: signed, and durable before the first byte is sent.
    pub fn seal(&mut self, world: &mut World<'_>) -> Vec<Effect> {
        let mut writes = Vec::new();
        let journals = self.journals.keys().filter(|_| !self.settles);
        let journals: Vec<JournalId> = journals.copied().collect();
        for journal in journals {
            while self.seal_next(journal, world, &mut writes) {}
        }
        if writes.is_empty() {
            Vec::new()
        } else {
            vec![Effect::Persist(writes)]
        }
    }

    fn seal_next(
        &mut self,
        journal: JournalId,
        world: &mut World<'_>,
        writes: &mut Vec<Write>,
    ) -> bool {
        let Some(local) = self.journals.get_mut(&journal) else {
            return false;
        };
        let pending = local.take_pending();
        let Some(first) = pending.first() else {
            return false;
        };
        let mut seed = [0; 16];
        world.rng.fill_bytes(&mut seed);
        let sealing = Sealing {
            deployment: self.identity.deployment,
            journal,
            assignment: first.assignment,
            catalogue: first.catalogue,
            previous: local.lane.batch,
            seen: local.chain.end,
            at: world.now,
            seed: Seed(seed),
            key: &self.key,
        };
        let parts = batch::seal(
            &sealing,
            pending.into_iter().map(|pending| pending.command).collect(),
        );
        let wire = parts.to_wire_by(&local.places(&parts.batch));
        let gone = parts
            .batch
            .envelopes
            .iter()
            .map(|envelope| Key::Pending(journal, envelope.n));
        writes.extend(gone.map(Write::delete));
        let key = Key::Sealed(journal, parts.batch.first());
        writes.push(Write::put(key, crate::cbor::encode(&wire)));
        let batch = parts.batch.digest(self.identity.deployment);
        local.lane = LaneEnd {
            n: parts.batch.last(),
            batch,
        };
        local
            .sealed
            .insert(parts.batch.first(), Sealed { parts, wire });
        true
    }

    /// The request that brings what is sealed, as much as one request takes, and asks for what is new.
    pub fn request(&mut self) -> SyncRequest {
        let mut room = OUTGOING_BYTES;
        let mut fits = |bytes: usize| {
            let fits = room == OUTGOING_BYTES || bytes <= room;
            room = room.saturating_sub(bytes.max(1));
            fits
        };
        let waiting = self.journals.values().flat_map(Local::to_send);
        let waiting = waiting.take(limits::REQUEST_BATCHES_MAX);
        let going = waiting.take_while(|sealed| fits(sealed.wire.packed_bytes()));
        let batches: Vec<_> = going.map(|sealed| sealed.wire.clone()).collect();
        // The server counts both together.
        let rest = limits::REQUEST_BATCHES_MAX.saturating_sub(batches.len());
        let taken_along = self.carried.iter().take(rest);
        let taken_along: Vec<_> = taken_along
            .take_while(|(_, sealed)| fits(sealed.len()))
            .collect();
        self.sent_carried = taken_along.iter().map(|(id, _)| **id).collect();
        let carried = taken_along
            .into_iter()
            .map(|(_, sealed)| Bytes(sealed.clone()))
            .collect();
        let cursor = |journal: JournalId| {
            let end = self.position(journal).unwrap_or(Chain::start(journal).end);
            Cursor { journal, end }
        };
        let cursors = self
            .journals()
            .into_iter()
            .take(limits::REQUEST_CURSORS_MAX);
        SyncRequest {
            protocol: PROTOCOL,
            cursors: cursors.map(cursor).collect(),
            registry: self.registry_seq,
            batches,
            carried,
            budget_bytes: self.budget_bytes,
            checkpoint: self.checkpoint.as_ref().map_or(0, |(size, _)| *size),
        }
    }

    /// How many sealed batches wait for a receipt.
    pub(super) fn waiting(&self) -> usize {
        self.journals
            .values()
            .map(|local| local.to_send().count())
            .sum()
    }

    /// The line broke: ask for less next time. Nothing is lost; the same bytes go again.
    pub fn line_broke(&mut self) {
        let least = u32::try_from(limits::PAGE_BYTES_MIN).unwrap_or(u32::MAX);
        self.budget_bytes = (self.budget_bytes / 2).max(least);
    }

    /// The server says that this device was revoked or suspended: it shows no more of what others wrote until the server takes it again.
    pub fn put_out_of_use(&mut self) -> Vec<Effect> {
        self.out_of_use = true;
        vec![Effect::Persist(vec![self.contact()])]
    }

    /// What this device sealed and has no receipt for, sealed once more to the server's key, so that anybody can carry it.
    pub fn export(&self, world: &mut World<'_>) -> Result<Parcel, SealError> {
        let keys = self.registry.keys.as_ref().ok_or(SealError::NoKey)?;
        let to = SealingKey::try_from(keys.sealing.as_slice())?;
        let deployment = self.identity.deployment;
        let waiting = self.journals.values().flat_map(Local::to_send);
        let mut seal = |sealed: &Sealed| {
            let plain = crate::cbor::encode(&sealed.wire);
            crate::seal::seal(&to, deployment, &plain, world.rng)
        };
        let sealed = waiting.map(&mut seal).collect::<Result<Vec<_>, _>>()?;
        Ok(Parcel::new(deployment, sealed))
    }

    /// Takes a teammate's parcel along; it goes with the next requests until the server says it has it.
    pub fn carry(&mut self, parcel: &Parcel) -> Vec<Effect> {
        let mut writes = Vec::new();
        for sealed in parcel.sealed() {
            let id = sha256(&[sealed]);
            writes.push(Write::put(Key::Carried(id), sealed.clone()));
            self.carried.insert(id, sealed.clone());
        }
        vec![Effect::Persist(writes)]
    }

    /// How many sealed batches it carries for others.
    pub fn carries(&self) -> usize {
        self.carried.len()
    }

    /// Enrols in place: a new key and new lanes; what has no receipt is offered again as new commands that name their origin.
    /// What has one comes back with its entry, as another device's of the same person, unless the server lost that. Nothing is
    /// sealed before the journals have been pulled, for they may hold what this device was not told of.
    pub fn enrol_in_place(&mut self, seed: [u8; 32]) -> Vec<Effect> {
        let old = self.id();
        self.identity.seed = seed;
        self.key = SigningKey::from_seed(seed);
        self.id = self.key.public().device();
        self.settles = true;
        let new = self.id();
        let mut writes = vec![
            Write::put(Key::Identity, crate::cbor::encode(&self.identity)),
            self.contact(),
        ];
        for local in self.journals.values_mut() {
            writes.extend(local.start_new_lane(old, new));
        }
        vec![Effect::Persist(writes)]
    }

    /// Whether it enrolled in place and has not pulled since: it seals nothing until then.
    pub const fn settles(&self) -> bool {
        self.settles
    }
}

impl Local {
    fn waits(&self, device: DeviceId) -> Vec<Waiting> {
        let waiting = |sealed: bool, envelope: &Envelope, content: Option<&Content>| {
            let content = content.map_or(0, cbor::length);
            let origin = Origin {
                device,
                journal: self.journal,
                n: envelope.n,
            };
            Waiting {
                origin,
                envelope: envelope.clone(),
                sealed,
                bytes: cbor::length(envelope) + content,
            }
        };
        let sealed = self.to_send().flat_map(|sealed| {
            let parts = &sealed.parts;
            parts.batch.envelopes.iter().zip(&parts.contents)
        });
        let sealed = sealed.map(|(envelope, salted)| {
            waiting(
                true,
                envelope,
                salted.as_ref().map(|salted| &salted.content),
            )
        });
        let here = self.pending.values().map(|pending| {
            let Unsealed { envelope, content } = &pending.command;
            waiting(false, envelope, Some(content))
        });
        sealed.chain(here).collect()
    }

    /// Own commands without an entry become pending commands of a new lane, each naming its origin.
    fn start_new_lane(&mut self, old: DeviceId, new: DeviceId) -> Vec<Write> {
        let journal = self.journal;
        let sealed = core::mem::take(&mut self.sealed);
        let mut writes: Vec<Write> = sealed
            .keys()
            .map(|first| Write::delete(Key::Sealed(journal, *first)))
            .collect();
        let mut waiting: Vec<Pending> = sealed
            .values()
            .flat_map(|sealed| unsealed(&sealed.parts))
            .map(|(n, pending)| Pending {
                received: self.receipts.contains_key(&n),
                ..pending
            })
            .collect();
        writes.extend(
            self.pending
                .keys()
                .map(|n| Write::delete(Key::Pending(journal, *n))),
        );
        waiting.extend(core::mem::take(&mut self.pending).into_values());
        for Pending { command, .. } in &mut waiting {
            let envelope = &mut command.envelope;
            envelope.origin.get_or_insert(Origin {
                device: old,
                journal,
                n: envelope.n,
            });
        }
        self.receipts.clear();
        self.lane = LaneEnd::start(new, journal);
        writes.extend(self.renumber(old, new, waiting));
        writes
    }

    /// Numbers waiting commands as the next of the lane of `new`; what refers to their numbers follows.
    pub(super) fn renumber(
        &mut self,
        old: DeviceId,
        new: DeviceId,
        waiting: Vec<Pending>,
    ) -> Vec<Write> {
        let journal = self.journal;
        let (mut numbers, mut items, mut records) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut writes = Vec::new();
        let sent = Some(self.lane.n).filter(|_| old == new);
        for (n, mut pending) in (self.next_n()..).zip(waiting) {
            let Unsealed { envelope, content } = &mut pending.command;
            let was = core::mem::replace(&mut envelope.n, n);
            numbers.insert(was, n);
            envelope.needs = envelope.needs.and_then(|needed| {
                let stays = sent.is_some_and(|sent| needed <= sent);
                let now = numbers.get(&needed).copied();
                now.or_else(|| stays.then_some(needed))
            });
            if envelope.verb == Verb::Create {
                let own = Origin {
                    device: new,
                    journal,
                    n,
                };
                records.insert(envelope.record, envelope.origin.unwrap_or(own).record());
            }
            let moved = |record: &RecordId| records.get(record).copied().unwrap_or(*record);
            envelope.record = moved(&envelope.record);
            for link in envelope
                .links
                .iter_mut()
                .filter(|link| link.journal.is_none())
            {
                link.target = moved(&link.target);
            }
            envelope.links.sort();
            for (field, value) in content.values.iter() {
                let place = |device, n| Origin { device, journal, n };
                items.extend(renamed_items(place(old, was), place(new, n), field, value));
            }
            for removed in &mut content.removed {
                *removed = items.get(removed).copied().unwrap_or(*removed);
            }
            writes.push(pending_write(journal, &pending));
            self.pending.insert(n, pending);
        }
        writes
    }
}

/// The commands of a batch as they were before it, by number.
pub(super) fn unsealed(parts: &Parts) -> impl Iterator<Item = (u64, Pending)> + '_ {
    let (assignment, catalogue) = (parts.batch.assignment, parts.batch.catalogue);
    parts.commands().filter_map(move |command| {
        let command = Unsealed {
            envelope: command.envelope,
            content: command.content?,
        };
        let pending = Pending {
            command,
            assignment,
            catalogue,
            received: false,
        };
        Some((pending.command.envelope.n, pending))
    })
}

/// The ids of a list's items are derived from their command's place, so they change with it.
fn renamed_items(was: Origin, is: Origin, field: &str, value: &Value) -> Vec<(ItemId, ItemId)> {
    let Value::List(items) = value else {
        return Vec::new();
    };
    let id = |at: Origin, k| ItemId::derive(at.device, at.journal, at.n, field, k);
    (0..)
        .zip(items)
        .map(|(k, _)| (id(was, k), id(is, k)))
        .collect()
}
