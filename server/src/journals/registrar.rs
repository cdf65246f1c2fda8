//! The registry as the server holds it: replayed from its journal, entered under the operator key.

use std::sync::{Arc, Mutex};

use store::journals::{Appended, ReadJournals, Stored};
use store::{StoreError, Unit};
use sync_core::admit;
use sync_core::batch::{self, Parts, Sealing, Seed, Unsealed};
use sync_core::id::{AssignmentId, DeploymentId, JournalId, Timestamp, UserId};
use sync_core::journal::Chain;
use sync_core::registry::{self, OperatorAct, Registry, RegistryAct, registry_journal};
use sync_core::sign::SigningKey;

use crate::journals::kept::Kept;
use crate::random::Random;

/// Acts in one entry: far below the limits of a batch.
const ACTS_AT_ONCE: usize = 64;
/// How much of a journal is read at once.
const PAGE_BYTES: usize = 1 << 20;

/// One registry entry, opened.
#[derive(Debug, Clone)]
pub struct ActEntry {
    /// As it is kept.
    pub stored: Stored,
    /// Its batch.
    pub parts: Parts,
    /// Its acts, in order.
    pub acts: Vec<RegistryAct>,
}

/// The registry at a position, with the entries it adds up from.
#[derive(Debug, Clone)]
pub struct Registered {
    /// What they add up to.
    pub registry: Registry,
    /// The entries.
    pub entries: Vec<ActEntry>,
}

/// Reads and enters registry and access acts.
#[derive(Debug)]
pub struct Registrar {
    operator: SigningKey,
    deployment: DeploymentId,
    random: Random,
    kept: Arc<Kept>,
    /// As last read; always brought up to the position that a unit sees before it is believed.
    cached: Mutex<Arc<Registered>>,
}

impl Registrar {
    /// A registrar that signs with the operator's key.
    pub fn new(operator: SigningKey, random: Random, kept: Arc<Kept>) -> Self {
        let deployment = operator.public().deployment();
        let empty = Registered {
            registry: Registry::empty(deployment),
            entries: Vec::new(),
        };
        Self {
            operator,
            deployment,
            random,
            kept,
            cached: Mutex::new(Arc::new(empty)),
        }
    }

    /// The registry as it was last read: for what never changes, such as the key behind a device's id.
    pub fn as_last_read(&self) -> Arc<Registered> {
        Arc::clone(&self.cached.lock().expect("nobody panics while holding it"))
    }

    /// The registry as this unit sees it.
    pub async fn current<R: ReadJournals + ?Sized>(
        &self,
        unit: &mut R,
    ) -> Result<Arc<Registered>, StoreError> {
        let journal = registry_journal(self.deployment);
        let known = self.as_last_read();
        let end = unit.chain(journal).await?.map_or(0, |chain| chain.end.seq);
        // A unit that was dropped may have been read from: then the cache is ahead of what is.
        let is_ahead = known.registry.position().seq > end;
        if known.registry.position().seq == end {
            return Ok(known);
        }
        let empty = || Registered {
            registry: Registry::empty(self.deployment),
            entries: Vec::new(),
        };
        let mut registered = if is_ahead { empty() } else { (*known).clone() };
        loop {
            let page = unit
                .entries(journal, registered.registry.position().seq, PAGE_BYTES)
                .await?;
            if page.is_empty() {
                break;
            }
            for stored in page {
                registered.take(stored)?;
            }
        }
        let registered = Arc::new(registered);
        *self.cached.lock().expect("nobody panics while holding it") = Arc::clone(&registered);
        Ok(registered)
    }

    /// Enters acts into the registry, on the word of `by`. They count once the unit is committed.
    pub async fn enter(
        &self,
        unit: &mut dyn Unit,
        acts: &[RegistryAct],
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.enter_into(unit, registry_journal(self.deployment), acts, by, now)
            .await
    }

    /// Enters acts into an access journal.
    pub async fn note<A: OperatorAct + Sync>(
        &self,
        unit: &mut dyn Unit,
        journal: JournalId,
        acts: &[A],
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.enter_into(unit, journal, acts, by, now).await
    }

    /// Enters into the registry where journals go on after a loss: with it the database is no longer behind.
    pub(super) async fn reopen(
        &self,
        unit: &mut dyn Unit,
        acts: &[RegistryAct],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let journal = registry_journal(self.deployment);
        self.append(unit, journal, acts, None, now).await
    }

    async fn enter_into<A: OperatorAct + Sync>(
        &self,
        unit: &mut dyn Unit,
        journal: JournalId,
        acts: &[A],
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.kept.guard()?;
        self.append(unit, journal, acts, by, now).await
    }

    async fn append<A: OperatorAct + Sync>(
        &self,
        unit: &mut dyn Unit,
        journal: JournalId,
        acts: &[A],
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for acts in acts.chunks(ACTS_AT_ONCE) {
            let chain = unit
                .chain(journal)
                .await?
                .unwrap_or_else(|| Chain::start(journal));
            let device = self.operator.public().device();
            let lane = unit
                .lane(journal, device)
                .await?
                .unwrap_or_else(|| admit::LaneEnd::start(device, journal));
            let position = match unit.chain(registry_journal(self.deployment)).await? {
                Some(registry) => registry.end,
                None => Chain::start(registry_journal(self.deployment)).end,
            };
            let sealing = Sealing {
                deployment: self.deployment,
                journal,
                assignment: AssignmentId([0; 16]),
                catalogue: 0,
                previous: lane.batch,
                seen: chain.end,
                at: now,
                seed: Seed(self.random.bytes()),
                key: &self.operator,
            };
            let command = |(n, act): (u64, &A)| {
                registry::to_command(self.deployment, act, by, n, chain.end.seq, now)
            };
            let commands: Vec<Unsealed> = (lane.n + 1..).zip(acts).map(command).collect();
            let parts = batch::seal(&sealing, commands);
            let entered = admit::enter(&parts, &chain, position, self.deployment, now);
            let appended = Appended::operators(entered, &parts.batch, parts.to_wire());
            unit.append(&[appended]).await?;
        }
        Ok(())
    }

    /// The deployment that its key founds.
    pub const fn deployment(&self) -> DeploymentId {
        self.deployment
    }

    /// The operator's key.
    pub const fn operator(&self) -> &SigningKey {
        &self.operator
    }
}

impl Registered {
    fn take(&mut self, stored: Stored) -> Result<(), StoreError> {
        let parts = stored
            .batch
            .open()
            .map_err(|_| StoreError::Impossible("a registry entry that does not open"))?;
        let acts: Vec<RegistryAct> = parts
            .commands()
            .filter_map(|command| registry::from_command(&command))
            .map(|(act, _)| act)
            .collect();
        self.registry.chain = self
            .registry
            .chain
            .append(&stored.head)
            .map_err(|_| StoreError::Impossible("a registry chain that breaks"))?;
        acts.iter()
            .cloned()
            .for_each(|act| self.registry.apply(act));
        self.entries.push(ActEntry {
            stored,
            parts,
            acts,
        });
        Ok(())
    }
}
