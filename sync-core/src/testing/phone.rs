//! A phone: a device with storage that survives it.

use std::collections::BTreeMap;

use super::{Host, TestRng};
use crate::admit::Catalogues;
use crate::id::{JournalId, Timestamp, UserId};
use crate::sync::device::{
    CannotSave, Device, Effect, FormId, Identity, Intent, Key, Learned, LyingServer, Saved, World,
};
use crate::sync::wire::{SyncRequest, SyncResponse};

/// What is durable on a phone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Storage(pub BTreeMap<Key, Vec<u8>>);

impl Storage {
    /// Makes every write of the effects durable.
    pub fn carry_out(&mut self, effects: &[Effect]) {
        for effect in effects {
            let Effect::Persist(writes) = effect else {
                continue;
            };
            for write in writes {
                match &write.value {
                    Some(bytes) => self.0.insert(write.key, bytes.0.clone()),
                    None => self.0.remove(&write.key),
                };
            }
        }
    }
}

/// A device and its storage.
#[derive(Debug)]
pub struct Phone {
    /// The device as it runs.
    pub device: Device,
    /// What a restart finds.
    pub storage: Storage,
    /// Its randomness.
    pub rng: TestRng,
    catalogues: Catalogues,
}

impl Phone {
    /// A phone that a person has just enrolled.
    pub fn enrol(host: &mut Host, user: UserId, now: Timestamp) -> Self {
        let identity = host.enrol(user, now);
        Self::new(identity, host.catalogues().clone())
    }

    /// A phone with this identity.
    pub fn new(identity: Identity, catalogues: Catalogues) -> Self {
        let seed = identity
            .seed
            .iter()
            .fold(0_u64, |seed, byte| seed.rotate_left(8) ^ u64::from(*byte));
        let storage = Storage(
            [(Key::Identity, crate::cbor::encode(&identity))]
                .into_iter()
                .collect(),
        );
        let device = Device::new(identity, catalogues.clone());
        Self {
            device,
            storage,
            rng: TestRng::new(seed),
            catalogues,
        }
    }

    /// Saves an intent, durably.
    pub fn save(
        &mut self,
        journal: JournalId,
        form: Option<FormId>,
        intent: Intent,
        now: Timestamp,
    ) -> Result<Saved, CannotSave> {
        let saved = self.device.save(
            &mut World {
                now,
                rng: &mut self.rng,
            },
            journal,
            form,
            intent,
        )?;
        self.storage.carry_out(&saved.effects);
        Ok(saved)
    }

    /// Seals what is pending, durably.
    pub fn seal(&mut self, now: Timestamp) {
        let effects = self.device.seal(&mut World {
            now,
            rng: &mut self.rng,
        });
        self.storage.carry_out(&effects);
    }

    /// Seals and makes a request.
    pub fn request(&mut self, now: Timestamp) -> SyncRequest {
        self.seal(now);
        self.device.request()
    }

    /// Takes in a response, durably.
    pub fn take(
        &mut self,
        response: &SyncResponse,
        now: Timestamp,
    ) -> Result<Learned, LyingServer> {
        let learned = self.device.on_response(
            &World {
                now,
                rng: &mut self.rng,
            },
            response,
        )?;
        self.storage.carry_out(&learned.effects);
        Ok(learned)
    }

    /// Syncs once.
    pub fn sync_once(&mut self, host: &mut Host, now: Timestamp) -> Result<Learned, LyingServer> {
        let request = self.request(now);
        let response = host.sync(&request, self.device.id(), now);
        self.take(&response, now)
    }

    /// Syncs until nothing more is to be had: the registry may name journals that were not asked for before.
    pub fn sync(&mut self, host: &mut Host, now: Timestamp) -> Result<Learned, LyingServer> {
        loop {
            let known = self.device.journals();
            let learned = self.sync_once(host, now)?;
            if !learned.more && self.device.journals() == known {
                return Ok(learned);
            }
        }
    }

    /// Loses everything but the storage, and starts again from it.
    pub fn restart(&mut self) {
        self.device = self.loaded();
    }

    /// The device that a restart would give.
    pub fn loaded(&self) -> Device {
        let identity = self
            .storage
            .0
            .get(&Key::Identity)
            .expect("a phone keeps who it is");
        let identity = crate::cbor::decode(identity).expect("a phone reads what it wrote");
        let values = self
            .storage
            .0
            .iter()
            .map(|(key, bytes)| (*key, bytes.clone()))
            .collect();
        let mut catalogues = self.catalogues.clone();
        // What it fetched is the same when it is read again, and reading it is most of a restart.
        let read = self.device.catalogues().iter();
        let fetched =
            read.filter(|(version, _)| self.storage.0.contains_key(&Key::Catalogue(**version)));
        catalogues.extend(fetched.map(|(version, read)| (*version, read.clone())));
        Device::load(identity, catalogues, values).expect("a phone reads what it wrote")
    }
}
