//! The device as a state machine without IO.
//!
//! Its shell hands it what happened (a person acted, a response arrived) together with the time and randomness, and carries out
//! the [`Effect`]s it returns, in order, before anything else happens. What must be durable is a [`Effect::Persist`]; only after
//! it may the shell say *saved*. A shell that fails or is killed between two effects loads the device again from its storage.
//!
//! ```text
//! save ──► pending ──seal──► sealed ──request/response──► received: accepted, flagged, without effect, refused
//!            (durable)         (durable, immutable)            (durable, an entry of the chain)
//! ```

mod local;
mod reply;
mod save;
mod storage;

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::admit::{Catalogues, LaneEnd};
use crate::batch::{self, Bytes, Parts, Seed, Sealing, Unsealed};
use crate::command::Origin;
use crate::id::{AssignmentId, DeploymentId, DeviceId, Digest, JournalId, RecordId, Seq, Timestamp, UserId, sha256};
use crate::journal::Fate;
use crate::limits;
use crate::record::Record;
use crate::registry::{Purpose, Registry};
use crate::seal::{Parcel, SealError, SealingKey};
use crate::sign::{PublicKey, SigningKey};
use crate::sync::wire::{Cursor, SyncRequest};
use crate::view::View;

pub use local::{Form, FormId, Whereabouts};
pub use reply::{Learned, LyingServer};
pub use save::{CannotSave, Intent, Saved, Target};
pub use storage::{Damaged, Key, Write};

use local::Local;

/// The world as it is at an event.
pub struct World<'a> {
    /// Now, by the device's clock.
    pub now: Timestamp,
    /// Fresh randomness.
    pub rng: &'a mut dyn CryptoRng,
}

impl core::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "World({})", self.now)
    }
}

/// What the shell must do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Make these writes durable, all or none.
    Persist(Vec<Write>),
    /// Show this record anew.
    Changed(JournalId, RecordId),
    /// Show this open form anew: it now stands on a later position, and these fields changed under it.
    Repinned(FormId, Vec<String>),
}

/// Who the device is. Kept by the vault.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Identity {
    /// The deployment.
    #[n(0)]
    pub deployment: DeploymentId,
    /// Its first operator key, to which the deployment's id belongs.
    #[n(1)]
    pub operator: PublicKey,
    /// Whose it is.
    #[n(2)]
    pub user: UserId,
    /// The secret seed of its signing key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub seed: [u8; 32],
}

impl core::fmt::Debug for Identity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Identity").field("deployment", &self.deployment).field("user", &self.user).finish_non_exhaustive()
    }
}

/// A field device.
#[derive(Debug)]
pub struct Device {
    identity: Identity,
    key: SigningKey,
    /// The operator key that signs registry entries now.
    operator: PublicKey,
    registry: Registry,
    registry_seq: Seq,
    catalogues: Catalogues,
    journals: BTreeMap<JournalId, Local>,
    carried: BTreeMap<Digest, Vec<u8>>,
    budget_bytes: u32,
    last_contact: Option<Timestamp>,
    checkpoint: Option<(u64, String)>,
    forms: u64,
    sent: Vec<(JournalId, u64)>,
    sent_carried: Vec<Digest>,
}

impl Device {
    /// A device that has just enrolled.
    pub fn new(identity: Identity, catalogues: Catalogues) -> Self {
        let key = SigningKey::from_seed(identity.seed);
        Self {
            operator: identity.operator.clone(),
            registry: Registry::empty(identity.deployment),
            identity,
            key,
            registry_seq: 0,
            catalogues,
            journals: BTreeMap::new(),
            carried: BTreeMap::new(),
            budget_bytes: u32::try_from(limits::PAGE_BYTES_START).unwrap_or(u32::MAX),
            last_contact: None,
            checkpoint: None,
            forms: 0,
            sent: Vec::new(),
            sent_carried: Vec::new(),
        }
    }

    /// Who it is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The id that its key gives it.
    pub fn id(&self) -> DeviceId {
        self.key.public().device()
    }

    /// What it knows of the registry.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The catalogue versions it knows.
    pub const fn catalogues(&self) -> &Catalogues {
        &self.catalogues
    }

    /// The catalogue in force on a day, as far as this device knows it: a newer one leaves it recording under the newest it has.
    pub fn catalogue(&self, now: Timestamp) -> Option<u32> {
        let published = self.registry.catalogues.iter().rev().filter(|(_, published)| published.from <= now.date());
        published.map(|(version, _)| *version).find(|version| self.catalogues.contains_key(version))
    }

    /// Takes in a published catalogue version; the caller has checked its digest against the registry.
    pub fn learn_catalogue(&mut self, version: u32, catalogue: crate::catalog::Catalogue) {
        self.catalogues.insert(version, catalogue);
        let journals: Vec<JournalId> = self.journals.keys().copied().collect();
        for journal in journals {
            self.refold_all(journal);
        }
    }

    /// The journals it holds or may hold, in order of their ids.
    pub fn journals(&self) -> BTreeSet<JournalId> {
        let mine = |now: &crate::registry::Assignment| now.user == self.identity.user;
        let areas = self.registry.assignments.values().filter(|assignment| mine(assignment)).map(|assignment| assignment.area);
        let day = self.last_contact.map_or(crate::id::Date(0), Timestamp::date);
        let within = areas.flat_map(|area| self.registry.journals_within(area, Purpose::Village, day));
        self.journals.keys().copied().chain(within).collect()
    }

    /// The assignment under which its user writes in a journal: one in force, else the one that ended last.
    pub fn assignment(&self, journal: JournalId, now: Timestamp) -> Option<AssignmentId> {
        let today = now.date();
        let area = self.registry.area_of(journal, today)?;
        let mine = self.registry.assignments.iter().filter(|(_, assignment)| {
            assignment.user == self.identity.user && assignment.from <= today && self.registry.is_within(area, assignment.area)
        });
        mine.max_by_key(|(id, assignment)| (assignment.covers(today), assignment.to, **id)).map(|(id, _)| *id)
    }

    /// The role that its user has in a journal now.
    pub fn role(&self, journal: JournalId, now: Timestamp) -> Option<&str> {
        let assignment = self.assignment(journal, now)?;
        self.registry.assignments.get(&assignment).map(|assignment| assignment.role.as_str())
    }

    /// Whether it has been without a word from the server for longer than the lease: what others wrote is hidden then;
    /// recording, own work and the outbox go on.
    pub fn lease_is_over(&self, now: Timestamp) -> bool {
        self.last_contact.is_none_or(|last| now > last.plus_ms(limits::LEASE_MS))
    }

    /// The last word from the server.
    pub const fn last_contact(&self) -> Option<Timestamp> {
        self.last_contact
    }

    /// The largest checkpoint it verified: tree size and signed note.
    pub const fn checkpoint(&self) -> Option<&(u64, String)> {
        self.checkpoint.as_ref()
    }

    /// How many commands the server has not answered for, by journal.
    pub fn unsent(&self) -> BTreeMap<JournalId, usize> {
        self.journals.iter().map(|(journal, local)| (*journal, local.unanswered().count())).filter(|(_, count)| *count > 0).collect()
    }

    /// The end of a journal's chain as this device verified it.
    pub fn position(&self, journal: JournalId) -> Option<batch::Position> {
        self.journals.get(&journal).map(|local| local.chain.end)
    }

    /// The records of a journal that it knows, pending ones included.
    pub fn records(&self, journal: JournalId) -> BTreeSet<RecordId> {
        self.journals.get(&journal).map(Local::records).unwrap_or_default()
    }

    /// A record as folded from the verified journal and this device's own commands on top.
    pub fn record(&self, journal: JournalId, record: RecordId) -> Option<Record> {
        let local = self.journals.get(&journal)?;
        local.record(&self.catalogues, self.id(), record)
    }

    /// What its user sees of a record.
    pub fn view(&self, journal: JournalId, record: RecordId) -> Option<View> {
        self.record(journal, record).map(|record| View::of(&record, &self.registry))
    }

    /// Where a command of this device is.
    pub fn whereabouts(&self, journal: JournalId, n: u64) -> Option<Whereabouts> {
        self.journals.get(&journal)?.whereabouts(n)
    }

    /// Own commands that changed nothing or were refused and have not been offered again: journal, number, fate.
    pub fn to_answer(&self) -> Vec<(JournalId, u64, Fate)> {
        let answers = |(journal, local): (&JournalId, &Local)| {
            let journal = *journal;
            local.to_answer(self.id()).into_iter().map(move |(n, fate)| (journal, n, fate)).collect::<Vec<_>>()
        };
        self.journals.iter().flat_map(answers).collect()
    }

    /// Seals what is pending into batches: signed, and durable before the first byte is sent.
    pub fn seal(&mut self, world: &mut World<'_>) -> Vec<Effect> {
        let mut writes = Vec::new();
        let journals: Vec<JournalId> = self.journals.keys().copied().collect();
        for journal in journals {
            while let Some(parts) = self.seal_next(journal, world) {
                let first = parts.batch.first();
                writes.extend(parts.batch.envelopes.iter().map(|envelope| Write::delete(Key::Pending(journal, envelope.n))));
                writes.push(Write::put(Key::Sealed(journal, first), crate::cbor::encode(&parts.to_wire())));
            }
        }
        if writes.is_empty() { Vec::new() } else { vec![Effect::Persist(writes)] }
    }

    fn seal_next(&mut self, journal: JournalId, world: &mut World<'_>) -> Option<Parts> {
        let assignment = self.assignment(journal, world.now)?;
        let catalogue = self.catalogue(world.now)?;
        let local = self.journals.get_mut(&journal)?;
        let commands = local.take_pending();
        let mut seed = [0; 16];
        world.rng.fill_bytes(&mut seed);
        let sealing = Sealing {
            deployment: self.identity.deployment,
            journal,
            assignment,
            catalogue,
            previous: local.lane.batch,
            seen: local.chain.end,
            at: world.now,
            seed: Seed(seed),
            key: &self.key,
        };
        if commands.is_empty() {
            return None;
        }
        let parts = batch::seal(&sealing, commands);
        local.lane = LaneEnd { n: parts.batch.last(), batch: parts.batch.digest(self.identity.deployment) };
        local.sealed.insert(parts.batch.first(), parts.clone());
        Some(parts)
    }

    /// The request that brings everything sealed and asks for what is new.
    pub fn request(&mut self) -> SyncRequest {
        let mut batches = Vec::new();
        self.sent.clear();
        for (journal, local) in &self.journals {
            for parts in local.to_send().take(limits::REQUEST_BATCHES_MAX.saturating_sub(batches.len())) {
                self.sent.push((*journal, parts.batch.first()));
                batches.push(parts.to_wire());
            }
        }
        self.sent_carried = self.carried.keys().copied().collect();
        let cursor = |journal: JournalId| {
            let end = self.position(journal).unwrap_or(crate::journal::Chain::start(journal).end);
            Cursor { journal, end }
        };
        SyncRequest {
            protocol: super::PROTOCOL,
            cursors: self.journals().into_iter().map(cursor).collect(),
            registry: self.registry_seq,
            batches,
            carried: self.carried.values().cloned().map(Bytes).collect(),
            budget_bytes: self.budget_bytes,
            checkpoint: self.checkpoint.as_ref().map_or(0, |(size, _)| *size),
        }
    }

    /// The line broke: ask for less next time. Nothing is lost; the same bytes go again.
    pub fn line_broke(&mut self) {
        let least = u32::try_from(limits::PAGE_BYTES_MIN).unwrap_or(u32::MAX);
        self.budget_bytes = (self.budget_bytes / 2).max(least);
    }

    /// What this device sealed and has no receipt for, sealed once more to the server's key, so that anybody can carry it.
    pub fn export(&self, world: &mut World<'_>) -> Result<Parcel, SealError> {
        let keys = self.registry.keys.as_ref().ok_or(SealError::NoKey)?;
        let to = SealingKey::try_from(keys.sealing.as_slice())?;
        let deployment = self.identity.deployment;
        let batches = self.journals.values().flat_map(Local::to_send);
        let sealed = batches
            .map(|parts| crate::seal::seal(&to, deployment, &crate::cbor::encode(&parts.to_wire()), world.rng))
            .collect::<Result<Vec<_>, _>>()?;
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

    /// How many parcels it carries for others.
    pub fn carries(&self) -> usize {
        self.carried.len()
    }

    /// Enrols in place: a new key and new lanes; what has no receipt is offered again as new commands that name their origin.
    pub fn enrol_in_place(&mut self, seed: [u8; 32]) -> Vec<Effect> {
        let old = self.id();
        self.identity.seed = seed;
        self.key = SigningKey::from_seed(seed);
        let new = self.id();
        let mut writes = vec![Write::put(Key::Identity, crate::cbor::encode(&self.identity))];
        for (journal, local) in &mut self.journals {
            writes.extend(local.start_new_lane(*journal, old, new));
        }
        vec![Effect::Persist(writes)]
    }

    /// Offers again a command that was refused or without effect: its own author, or who signs for him.
    pub fn offer_again(&mut self, world: &mut World<'_>, journal: JournalId, origin: Origin) -> Result<Saved, CannotSave> {
        let base = self.position(journal).map_or(0, |end| end.seq);
        let local = self.journals.get(&journal).ok_or(CannotSave::UnknownJournal)?;
        let Unsealed { envelope, content } = local.refused(origin).ok_or(CannotSave::NothingToOffer)?;
        self.save_again(world, journal, envelope, content, base, origin)
    }
}
