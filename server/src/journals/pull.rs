//! Pulling: what a device may have of the registry and of its journals.

use std::collections::BTreeSet;
use std::sync::Arc;

use store::StoreError;
use store::journals::{ReadJournals, Stored};
use sync_core::batch::Position;
use sync_core::catalog::{Capability, Catalogue, Role};
use sync_core::command::{Audience, Envelope};
use sync_core::id::{AreaId, Date, DeviceId, JournalId, Seq, Timestamp, UserId};
use sync_core::journal::{Entry, Fate};
use sync_core::limits;
use sync_core::registry::{Registry, RegistryAct, Standing};
use sync_core::segment;
use sync_core::sync::wire::{Cursor, JournalPage, WireBody, WireEntry};

use crate::journals::registrar::Registered;

/// Who reads: his person, and the assignments that carry it now.
#[derive(Debug)]
pub struct Reader<'a> {
    registered: Arc<Registered>,
    catalogue: &'a Catalogue,
    user: UserId,
    device: Option<DeviceId>,
    now: Timestamp,
}

/// What a reader may read of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The audiences whose content he reads.
    pub audiences: BTreeSet<Audience>,
    /// Whether he reads what was refused.
    pub refused: bool,
}

impl<'a> Reader<'a> {
    /// The reader, if account and device may read.
    pub fn new(
        registered: Arc<Registered>,
        catalogue: &'a Catalogue,
        user: UserId,
        device: Option<DeviceId>,
        now: Timestamp,
    ) -> Option<Self> {
        let registry = &registered.registry;
        let stands = |device: &DeviceId| {
            registry
                .devices
                .get(device)
                .is_some_and(|device| device.standing == Standing::Active && device.user == user)
        };
        let may = registry.users.get(&user).is_some_and(|user| user.active)
            && device.as_ref().is_none_or(stands);
        may.then_some(Self {
            registered,
            catalogue,
            user,
            device,
            now,
        })
    }

    /// The registry he reads against.
    pub fn registry(&self) -> &Registry {
        &self.registered.registry
    }

    /// The person.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The catalogue that says what roles may.
    pub const fn catalogue(&self) -> &Catalogue {
        self.catalogue
    }

    /// The day on which he reads: his assignments and the areas are those of this day.
    pub fn day(&self) -> Date {
        self.now.date()
    }

    /// Whether an office's scope takes in an area: its own and all that lies in it, or everything, for an office of the deployment
    /// as a whole.
    pub fn covers(&self, office: AreaId, area: AreaId) -> bool {
        office.0 == self.registry().deployment.0 || self.registry().is_within(area, office)
    }

    /// The areas for which he has a capability now, with the role that gives it.
    pub fn areas(&self, capability: Capability) -> Vec<(AreaId, &Role)> {
        let roles = self.registry().assignments_of(self.user, self.now.date());
        let able = roles.filter_map(|(_, assignment)| {
            Some((assignment.area, self.catalogue.role(&assignment.role)?))
        });
        able.filter(|(_, role)| role.can(capability)).collect()
    }

    /// Whether he has a capability anywhere.
    pub fn can(&self, capability: Capability) -> bool {
        !self.areas(capability).is_empty()
    }

    /// What he may read of a journal by a capability; nothing tells apart what is not there and what he may not know of.
    pub fn scope(&self, journal: JournalId, capability: Capability) -> Option<Scope> {
        let area = self.registry().area_of(journal, self.now.date())?;
        let areas = self.areas(capability);
        let within: Vec<&Role> = areas
            .into_iter()
            .filter(|(office, _)| self.covers(*office, area))
            .map(|(_, role)| role)
            .collect();
        if within.is_empty() {
            return None;
        }
        let audiences = Audience::ALL
            .into_iter()
            .filter(|audience| within.iter().any(|role| role.reads(*audience)))
            .collect();
        Some(Scope {
            audiences,
            refused: within.iter().any(|role| role.can(Capability::ReadRefused)),
        })
    }

    /// The entries of the registry that concern him and that a device which knows it up to `known` cannot have yet.
    pub fn registry_since(&self, known: Seq) -> Vec<WireEntry> {
        if known >= self.registry().position().seq {
            return Vec::new();
        }
        let day = self.now.date();
        let mut then = Registry::empty(self.registry().deployment);
        let before = self
            .registered
            .entries
            .iter()
            .take_while(|entry| entry.stored.head.seq <= known);
        before
            .flat_map(|entry| &entry.acts)
            .cloned()
            .for_each(|act| then.apply(act));
        let concerns = |registry: &Registry, act: &RegistryAct| {
            let mut mine = registry
                .assignments
                .values()
                .filter(|assignment| assignment.user == self.user);
            mine.any(|assignment| registry.concerns(act, assignment.area, day))
                || act_is_everybodys(act)
        };
        let mut news = Vec::new();
        for entry in &self.registered.entries {
            let old = entry.stored.head.seq <= known;
            let now: Vec<bool> = entry
                .acts
                .iter()
                .map(|act| concerns(self.registry(), act))
                .collect();
            let had: Vec<bool> = entry
                .acts
                .iter()
                .map(|act| old && concerns(&then, act))
                .collect();
            if now != had && now.contains(&true) {
                let parts = entry
                    .parts
                    .withhold(|index, _| now.get(index).copied().unwrap_or(false));
                news.push(WireEntry::new(
                    &entry.stored.head,
                    WireBody::Batch(parts.to_wire()),
                ));
            }
        }
        news
    }

    /// The next page of a journal, within a budget; nothing if he may not pull it or his chain is not this one.
    pub async fn page<R: ReadJournals + ?Sized>(
        &self,
        unit: &mut R,
        cursor: &Cursor,
        budget: &mut usize,
    ) -> Result<Option<JournalPage>, StoreError> {
        let journal = cursor.journal;
        let Some(scope) = self.scope(journal, Capability::Sync) else {
            return Ok(None);
        };
        let known = unit
            .heads(journal, &BTreeSet::from([cursor.end.seq]))
            .await?;
        if known.get(&cursor.end.seq).map(|(head, _)| *head) != Some(cursor.end.head) {
            return Ok(None);
        }
        let mut page = JournalPage {
            journal,
            segments: Vec::new(),
            entries: Vec::new(),
            end: cursor.end,
            more: false,
        };
        let newest = unit.chain(journal).await?.map_or(0, |chain| chain.end.seq);
        if cursor.end.seq >= newest {
            return Ok(Some(page));
        }
        let stored = unit
            .entries(
                journal,
                cursor.end.seq,
                (*budget).min(limits::PAGE_BYTES_MAX),
            )
            .await?;
        if let Some(last) = stored.last() {
            page.end = Position {
                seq: last.head.seq,
                head: last.chain_head,
            };
        }
        let cold = cursor.end.seq == 0;
        let opened = stored
            .into_iter()
            .map(|stored| self.wire(&scope, stored, cold))
            .collect::<Result<Vec<_>, _>>()?;
        let taken: usize = opened.iter().map(WireEntry::bytes).sum();
        *budget = budget.saturating_sub(taken);
        page.entries = opened;
        if cold && page.entries.len() > 1 {
            self.pool(&mut page)?;
        }
        page.more = page.end.seq < newest;
        Ok(Some(page))
    }

    /// Re-packs a page as one segment, its contents pooled.
    fn pool(&self, page: &mut JournalPage) -> Result<(), StoreError> {
        let open = |entry: &WireEntry| entry.open(self.registry().deployment, |_| None);
        let entries: Vec<Entry> = page
            .entries
            .iter()
            .map(open)
            .collect::<Result<_, _>>()
            .map_err(|_| StoreError::Impossible("an entry that does not open"))?;
        page.segments = vec![segment::pack(&entries).into()];
        page.entries.clear();
        Ok(())
    }

    /// An entry as he gets it: his device's own as its header, others' with what he may not read withheld.
    fn wire(&self, scope: &Scope, stored: Stored, cold: bool) -> Result<WireEntry, StoreError> {
        let own = Some(stored.batch.device) == self.device;
        if own && !cold {
            return Ok(WireEntry::new(
                &stored.head,
                WireBody::Own {
                    first: stored.batch.first,
                },
            ));
        }
        let author = self
            .registry()
            .devices
            .get(&stored.batch.device)
            .map(|device| device.user);
        let refused_too = scope.refused || author == Some(self.user);
        let all = own
            || (refused_too || !stored.head.fates.iter().any(Fate::is_refused))
                && scope.audiences.len() == Audience::ALL.len();
        if all {
            return Ok(WireEntry::new(&stored.head, WireBody::Batch(stored.batch)));
        }
        let parts = stored
            .batch
            .open()
            .map_err(|_| StoreError::Impossible("an entry that does not open"))?;
        let fates = &stored.head.fates;
        let readable = parts.withhold(|index, envelope: &Envelope| {
            scope.audiences.contains(&envelope.audience)
                && (refused_too || !fates.get(index).is_some_and(Fate::is_refused))
        });
        Ok(WireEntry::new(
            &stored.head,
            WireBody::Batch(readable.to_wire()),
        ))
    }
}

/// What every device must know, whoever its person is.
const fn act_is_everybodys(act: &RegistryAct) -> bool {
    matches!(
        act,
        RegistryAct::Found { .. }
            | RegistryAct::PublishCatalogue { .. }
            | RegistryAct::SetOperator { .. }
    )
}
