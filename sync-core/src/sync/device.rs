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

mod again;
mod local;
mod outbox;
mod refill;
mod reply;
mod save;
mod settle;
mod storage;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::admit::Catalogues;
use crate::batch;
use crate::catalog::Catalogue;
use crate::command::Origin;
use crate::id::{
    AssignmentId, Date, DeploymentId, DeviceId, Digest, JournalId, RecordId, Seq, Timestamp, UserId,
};
use crate::limits;
use crate::record::Record;
use crate::registry::{Assignment, Purpose, Registry};
use crate::sign::{PublicKey, SigningKey};
use crate::view::View;

pub use again::{Received, Unanswered};
pub use local::{Form, FormId, Whereabouts};
pub use outbox::Waiting;
pub use reply::{Learned, LyingServer};
pub use save::{CannotSave, Intent, Saved, Target};
pub use storage::{Damaged, Kept, Key, Write};

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
        f.debug_struct("Identity")
            .field("deployment", &self.deployment)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A field device.
#[derive(Debug)]
pub struct Device {
    identity: Identity,
    key: SigningKey,
    /// The id that the key gives it.
    id: DeviceId,
    registry: Registry,
    registry_seq: Seq,
    /// The operator keys, each with the registry position after which it signs.
    operators: BTreeMap<Seq, PublicKey>,
    catalogues: Catalogues,
    journals: BTreeMap<JournalId, Local>,
    carried: BTreeMap<Digest, Vec<u8>>,
    left: BTreeSet<Origin>,
    budget_bytes: u32,
    last_contact: Option<Timestamp>,
    checkpoint: Option<(u64, String)>,
    forms: u64,
    /// The form through which was saved last: if that save cannot be made durable, it is still open.
    saved_through: Option<(JournalId, FormId, Form)>,
    /// Whether it enrolled in place and has not pulled since: see [`Device::enrol_in_place`].
    settles: bool,
    /// Whether the server's last word was that this device was revoked or suspended.
    out_of_use: bool,
    sent_carried: Vec<Digest>,
}

/// A catalogue version that was fetched is not the one that the registry publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("catalogue version {version} is not the published one")]
pub struct OtherCatalogue {
    /// The version.
    pub version: u32,
}

impl Device {
    /// A device that has just enrolled.
    pub fn new(identity: Identity, catalogues: Catalogues) -> Self {
        let key = SigningKey::from_seed(identity.seed);
        Self {
            operators: [(0, identity.operator.clone())].into_iter().collect(),
            registry: Registry::empty(identity.deployment),
            identity,
            id: key.public().device(),
            key,
            registry_seq: 0,
            catalogues,
            journals: BTreeMap::new(),
            carried: BTreeMap::new(),
            left: BTreeSet::new(),
            budget_bytes: u32::try_from(limits::PAGE_BYTES_START).unwrap_or(u32::MAX),
            last_contact: None,
            checkpoint: None,
            forms: 0,
            saved_through: None,
            settles: false,
            out_of_use: false,
            sent_carried: Vec::new(),
        }
    }

    /// Who it is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The id that its key gives it.
    pub const fn id(&self) -> DeviceId {
        self.id
    }

    /// What it knows of the registry.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The catalogue versions it knows.
    pub const fn catalogues(&self) -> &Catalogues {
        &self.catalogues
    }

    /// The catalogue in force, as far as this device knows it: a newer one leaves it recording under the newest it has, and a
    /// clock that is behind leaves it recording under the first.
    pub fn catalogue(&self, now: Timestamp) -> Option<u32> {
        let known = || {
            let published = self.registry.catalogues.iter();
            published.filter(|(version, _)| self.catalogues.contains_key(version))
        };
        let begun = known()
            .rev()
            .find(|(_, published)| published.from <= now.date());
        begun
            .or_else(|| known().next())
            .map(|(version, _)| *version)
    }

    /// The published catalogue versions that the shell has to fetch.
    pub fn missing_catalogues(&self) -> Vec<u32> {
        let versions = self.registry.catalogues.keys();
        versions
            .filter(|version| !self.catalogues.contains_key(version))
            .copied()
            .collect()
    }

    /// Takes in a published catalogue version, if its files are those that the registry names by their digest.
    pub fn learn_catalogue(
        &mut self,
        version: u32,
        catalogue: Catalogue,
    ) -> Result<Vec<Effect>, OtherCatalogue> {
        let other = OtherCatalogue { version };
        let published = self.registry.catalogues.get(&version).ok_or(other)?;
        if published.digest != catalogue.digest() || catalogue.version() != version {
            return Err(other);
        }
        let bytes = storage::catalogue_bytes(&catalogue);
        self.catalogues.insert(version, catalogue);
        self.reindex();
        self.refold();
        Ok(vec![Effect::Persist(vec![Write::put(
            Key::Catalogue(version),
            bytes,
        )])])
    }

    /// A catalogue under a published version's number that is not the published one judges nothing here.
    fn drop_other_catalogues(&mut self) {
        let published = &self.registry.catalogues;
        self.catalogues.retain(|version, catalogue| {
            published
                .get(version)
                .is_none_or(|published| published.digest == catalogue.digest())
        });
    }

    /// The journals it holds or may hold, in order of their ids.
    pub fn journals(&self) -> BTreeSet<JournalId> {
        let mine = |assignment: &&Assignment| assignment.user == self.identity.user;
        let assignments = self.registry.assignments.values().filter(mine);
        let day = self.last_contact.map_or(Date(0), Timestamp::date);
        let within = assignments.flat_map(|assignment| {
            self.registry
                .journals_within(assignment.area, Purpose::Village, day)
        });
        self.journals.keys().copied().chain(within).collect()
    }

    /// The assignment under which its user writes in a journal: one in force, else the one that ends last.
    ///
    /// A phone's clock may be wrong, so that it never leaves its user without one that he once had: the server judges.
    pub fn assignment(&self, journal: JournalId, now: Timestamp) -> Option<AssignmentId> {
        let today = now.date();
        let area = self.registry.area_of(journal, today)?;
        let mine = self.registry.assignments.iter().filter(|(_, assignment)| {
            assignment.user == self.identity.user && self.registry.is_within(area, assignment.area)
        });
        let last = |assignment: &Assignment| assignment.to.unwrap_or(Date(i32::MAX));
        mine.max_by_key(|(id, assignment)| (assignment.covers(today), last(assignment), **id))
            .map(|(id, _)| *id)
    }

    /// The role that its user has in a journal now.
    pub fn role(&self, journal: JournalId, now: Timestamp) -> Option<&str> {
        let assignment = self.assignment(journal, now)?;
        let assignment = self.registry.assignments.get(&assignment);
        assignment.map(|assignment| assignment.role.as_str())
    }

    /// Whether it has been without a word from the server for longer than the lease, or the last word was that it is out of use: what
    /// others wrote is hidden then (see [`View::of_own`]); recording, own work and the outbox go on.
    pub fn lease_is_over(&self, now: Timestamp) -> bool {
        let last = self.last_contact;
        self.out_of_use || last.is_none_or(|last| now > last.plus_ms(limits::LEASE_MS))
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
        let counts = self
            .journals
            .iter()
            .map(|(journal, local)| (*journal, local.unanswered().count()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// The end of a journal's chain as this device verified it.
    pub fn position(&self, journal: JournalId) -> Option<batch::Position> {
        self.journals.get(&journal).map(|local| local.chain.end)
    }

    /// The chain's head after an entry, as this device verified it.
    pub fn head_at(&self, journal: JournalId, seq: Seq) -> Option<Digest> {
        self.journals.get(&journal)?.head_at(seq)
    }

    /// The records of a journal that it knows, pending ones included.
    pub fn records(&self, journal: JournalId) -> BTreeSet<RecordId> {
        let local = self.journals.get(&journal);
        local.map(Local::records).unwrap_or_default()
    }

    /// A record as folded from the verified journal and this device's own commands on top.
    pub fn record(&self, journal: JournalId, record: RecordId) -> Option<Cow<'_, Record>> {
        let local = self.journals.get(&journal)?;
        local.record(&self.catalogues, self.id(), record)
    }

    /// The kind of a record, without folding it; `None` while no entry made it.
    pub(crate) fn kind_of(&self, journal: JournalId, record: RecordId) -> Option<&str> {
        self.journals.get(&journal)?.kind(record)
    }

    /// Whether a record consists of one command alone, so that nothing in it can be in conflict.
    pub(crate) fn is_single(&self, journal: JournalId, record: RecordId) -> bool {
        let local = self.journals.get(&journal);
        local.is_some_and(|local| local.is_single(record))
    }

    /// Folds at most so many of the records that nobody asked for yet. Whether there are more: a shell that has nothing else to do
    /// calls it until there are none, so that no list has to wait for its records.
    pub fn fold_ahead(&self, most: usize) -> bool {
        let mut locals = self.journals.values();
        locals.any(|local| local.fold_ahead(&self.catalogues, most))
    }

    /// What its user sees of a record: after the lease, only what he wrote himself.
    pub fn view(&self, journal: JournalId, record: RecordId, now: Timestamp) -> Option<View> {
        let record = self.record(journal, record)?;
        Some(self.view_of(&record, now))
    }

    /// What its user sees of a record that is at hand.
    pub fn view_of(&self, record: &Record, now: Timestamp) -> View {
        let view = View::of(record, &self.registry);
        if self.lease_is_over(now) {
            view.of_own(|device| self.is_own(device))
        } else {
            view
        }
    }

    /// Where a command of this device is.
    pub fn whereabouts(&self, journal: JournalId, n: u64) -> Option<Whereabouts> {
        self.journals.get(&journal)?.whereabouts(n)
    }

    /// Whether a device is this one, or was its user's before.
    pub fn is_own(&self, device: DeviceId) -> bool {
        let known = || self.registry.devices.get(&device);
        device == self.id() || known().is_some_and(|known| known.user == self.identity.user)
    }
}

#[cfg(test)]
mod tests;
