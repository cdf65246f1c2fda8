//! Pulling: what a device may have of the registry and of its journals.

use std::collections::BTreeSet;
use std::sync::Arc;

use store::StoreError;
use store::journals::{Known, ReadJournals, Stored};
use store::segments::{ReadSegments, SegmentKey};
use sync_core::batch::{Parts, Position};
use sync_core::catalog::{Capability, Catalogue, Role};
use sync_core::command::{Audience, Envelope};
use sync_core::id::{AreaId, Date, DeploymentId, DeviceId, JournalId, Seq, Timestamp, UserId};
use sync_core::journal::{Entry, Fate};
use sync_core::limits;
use sync_core::pack::Room;
use sync_core::registry::{Registry, RegistryAct, Standing};
use sync_core::sync::wire::{Cursor, JournalPage, WireBody, WireEntry};

use crate::journals::registrar::{ActEntry, Registered};
use crate::journals::segments::Packer;

/// Who lacks fewer entries than these gets them one by one: a segment has more.
const SEGMENT_ENTRIES_MIN: Seq = 4;

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

impl Scope {
    /// Whether he reads a content, by its audience and by whether its command was refused.
    pub fn reads(&self, audience: Audience, refused: bool) -> bool {
        self.audiences.contains(&audience) && (self.refused || !refused)
    }

    /// The scope of a number.
    pub fn of_number(number: u8) -> Self {
        let is_set = |place: u8| number >> place & 1 == 1;
        let audiences = (0..).zip(Audience::ALL);
        let audiences = audiences.filter(|(place, _)| is_set(*place));
        Self {
            audiences: audiences.map(|(_, audience)| audience).collect(),
            refused: is_set(7),
        }
    }

    /// One number for one scope.
    pub fn number(&self) -> u8 {
        let bit = |set: bool, place: u8| u8::from(set) << place;
        let audiences = (0..).zip(Audience::ALL);
        let audiences =
            audiences.map(|(place, audience)| bit(self.audiences.contains(&audience), place));
        audiences.fold(bit(self.refused, 7), |number, bit| number | bit)
    }
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

    /// When he reads.
    pub const fn now(&self) -> Timestamp {
        self.now
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
        // Who knows more than there is knew what was lost: all is told him again.
        let end = self.registry().position().seq;
        let known = if known > end { 0 } else { known };
        if known == end {
            return Vec::new();
        }
        let entries = &self.registered.entries;
        let (before, _) =
            entries.split_at(entries.partition_point(|entry| entry.stored.head.seq <= known));
        let had = self.concerning(&registry_of(self.registry().deployment, before), before);
        let now = self.concerning(self.registry(), entries);
        let had = had.into_iter().chain(std::iter::repeat(Vec::new()));
        let mut news = Vec::new();
        for ((entry, now), had) in entries.iter().zip(now).zip(had) {
            let holds = |index: usize| had.get(index).copied().unwrap_or(false);
            if !(now.iter().enumerate()).any(|(index, now)| *now && !holds(index)) {
                continue;
            }
            // What the device holds already comes again with what is new in the same entry, or it would lose it.
            let parts = (entry.parts)
                .withhold(|index, _| now.get(index).copied().unwrap_or(false) || holds(index));
            let body = WireBody::Batch(parts.to_wire());
            news.push(WireEntry::new(&entry.stored.head, body));
        }
        news
    }

    /// Which acts of these entries concern him, `registry` being what they add up to: what every device must know, what is about
    /// himself, and what concerns an office of his for which he syncs. Of an office that is over that is what concerned it while it
    /// lasted: neither what was entered later, nor what was entered before about somebody who came later.
    fn concerning(&self, registry: &Registry, entries: &[ActEntry]) -> Vec<Vec<bool>> {
        let of_all = |act: &RegistryAct| act_is_everybodys(act) || self.is_about_him(registry, act);
        let mut concern: Vec<Vec<bool>> = (entries.iter())
            .map(|entry| entry.acts.iter().map(of_all).collect())
            .collect();
        let today = self.day();
        let syncs = |role: &str| {
            let role = self.catalogue.role(role);
            role.is_some_and(|role| role.can(Capability::Sync))
        };
        let offices = registry.assignments_ever_of(self.user);
        for (_, office) in offices.filter(|(_, office)| syncs(&office.role)) {
            let over = office.to.filter(|to| *to < today);
            let day = over.unwrap_or(today);
            let lasted = over.map_or(entries.len(), |last| {
                entries.partition_point(|entry| entry.stored.head.received_at.date() <= last)
            });
            let (during, _) = entries.split_at(lasted);
            let then = over.map(|_| registry_of(registry.deployment, during));
            let then = then.as_ref().unwrap_or(registry);
            for (entry, concern) in during.iter().zip(&mut concern) {
                for (act, concern) in entry.acts.iter().zip(concern) {
                    *concern = *concern || then.concerns(act, office.area, day);
                }
            }
        }
        concern
    }

    fn is_about_him(&self, registry: &Registry, act: &RegistryAct) -> bool {
        match act {
            RegistryAct::SetUser { user, .. }
            | RegistryAct::Enrol { user, .. }
            | RegistryAct::Assign { user, .. } => *user == self.user,
            RegistryAct::SetDevice { device, .. } => {
                (registry.devices.get(device)).is_some_and(|device| device.user == self.user)
            }
            RegistryAct::EndAssignment { assignment, .. } => (registry.assignments)
                .get(assignment)
                .is_some_and(|assignment| assignment.user == self.user),
            RegistryAct::Found { .. }
            | RegistryAct::Reopen { .. }
            | RegistryAct::SetArea { .. }
            | RegistryAct::SetJournal { .. }
            | RegistryAct::PublishCatalogue { .. }
            | RegistryAct::SetOperator { .. } => false,
        }
    }

    /// The next page of a journal, within a budget; nothing if he may not pull it or his chain is not this one. Known are the
    /// journal's end and the head at the cursor.
    ///
    /// Who begins with nothing, or goes on where a kept segment ended, gets segments; others get entry by entry.
    pub async fn page<R: ReadJournals + ReadSegments + ?Sized>(
        &self,
        unit: &mut R,
        packer: &Packer,
        known: &Known,
        (cursor, budget): (&Cursor, &mut Budget),
    ) -> Result<Option<JournalPage>, StoreError> {
        let journal = cursor.journal;
        let Some(scope) = self.scope(journal, Capability::Sync) else {
            return Ok(None);
        };
        let head = known.heads.get(&(journal, cursor.end.seq));
        if head.map(|(head, _)| *head) != Some(cursor.end.head) {
            return Ok(None);
        }
        let mut page = JournalPage {
            journal,
            segments: Vec::new(),
            entries: Vec::new(),
            end: cursor.end,
            more: false,
        };
        let newest = known.chains.get(&journal).map_or(0, |chain| chain.end.seq);
        if cursor.end.seq >= newest {
            return Ok(Some(page));
        }
        if budget.is_used_up() {
            page.more = true;
            return Ok(Some(page));
        }
        let (after, number) = (cursor.end.seq, scope.number());
        let begins = after == 0 || unit.segment_ends(journal, number, after).await?;
        // Whoever is to get more segments goes on where one ends.
        let has_room = !begins
            || self
                .add_segments(unit, packer, &scope, (&mut page, newest), budget)
                .await?;
        if page.end.seq < newest && has_room && !budget.is_used_up() {
            self.add_entries(unit, &scope, &mut page, budget).await?;
        }
        page.more = page.end.seq < newest;
        Ok(Some(page))
    }

    /// Adds the segments that continue the page and fit the budget. Whether entries may follow: not if another segment comes with
    /// the next request.
    async fn add_segments<R: ReadSegments + ?Sized>(
        &self,
        unit: &mut R,
        packer: &Packer,
        scope: &Scope,
        (page, newest): (&mut JournalPage, Seq),
        budget: &mut Budget,
    ) -> Result<bool, StoreError> {
        while newest.saturating_sub(page.end.seq) >= SEGMENT_ENTRIES_MIN {
            let key = SegmentKey {
                journal: page.journal,
                scope: scope.number(),
                after: page.end.seq,
            };
            // The next is about as large as the last: what will not fit is packed while he reads what he got.
            let likely = page.segments.last().map_or(0, |last| last.0.len());
            let segment = match unit.segment(&key).await? {
                Some(kept) => kept,
                None if likely > budget.bytes => {
                    packer.prepare(key, scope, newest);
                    return Ok(false);
                }
                None => match packer.segment(key, scope, newest).await? {
                    Some(packed) => packed,
                    None => return Ok(true),
                },
            };
            // What he or his devices wrote he reads, whoever else may not.
            let lacks = |device: &DeviceId| {
                let known = self.registry().devices.get(device);
                known.is_some_and(|known| known.user == self.user)
            };
            if segment.lacking.iter().any(lacks) {
                return Ok(true);
            }
            if segment.body.0.len() > budget.bytes || limits::SEGMENT_BYTES > budget.inflated {
                return Ok(page.segments.is_empty());
            }
            budget.bytes -= segment.body.0.len();
            budget.inflated -= limits::SEGMENT_BYTES;
            page.segments.push(segment.body);
            page.end = segment.end;
        }
        Ok(true)
    }

    /// Adds entries to the page, one by one.
    async fn add_entries<R: ReadJournals + ?Sized>(
        &self,
        unit: &mut R,
        scope: &Scope,
        page: &mut JournalPage,
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        let stored = unit
            .entries(page.journal, page.end.seq, budget.bytes)
            .await?;
        for stored in stored {
            let end = Position {
                seq: stored.head.seq,
                head: stored.chain_head,
            };
            let packed = ENTRY_BYTES + stored.batch.packed_bytes();
            // At least one entry comes, however large; after segments it must fit.
            if !page.segments.is_empty() && packed > budget.bytes {
                break;
            }
            let Some(entry) = self.shown(scope, stored, budget)? else {
                break;
            };
            budget.bytes = budget.bytes.saturating_sub(entry.bytes());
            page.entries.push(entry);
            page.end = end;
        }
        Ok(())
    }

    /// An entry as he gets it: his device's own as its header, others' with what he may not read withheld. Nothing if the budget
    /// does not suffice for opening it.
    fn shown(
        &self,
        scope: &Scope,
        stored: Stored,
        budget: &mut Budget,
    ) -> Result<Option<WireEntry>, StoreError> {
        if Some(stored.batch.device) == self.device {
            let first = stored.batch.first;
            return Ok(Some(WireEntry::new(&stored.head, WireBody::Own { first })));
        }
        let author = self
            .registry()
            .devices
            .get(&stored.batch.device)
            .map(|device| device.user);
        let refused_too = scope.refused || author == Some(self.user);
        let fates = &stored.head.fates;
        if (refused_too || !fates.iter().any(Fate::is_refused))
            && scope.audiences.len() == Audience::ALL.len()
        {
            let body = WireBody::Batch(stored.batch);
            return Ok(Some(WireEntry::new(&stored.head, body)));
        }
        let Some(parts) = budget.open(&stored)? else {
            return Ok(None);
        };
        let readable = parts.withhold(|index, envelope: &Envelope| {
            let refused = fates.get(index).is_some_and(Fate::is_refused);
            scope.reads(envelope.audience, refused && !refused_too)
        });
        let (head, parts) = (stored.head, readable);
        Ok(Some(WireEntry::pack(&Entry { head, parts })))
    }
}

/// How much one response may bring, and how much the server unpacks for it: a few hundred bytes may stand for a megabyte.
#[derive(Debug)]
pub struct Budget {
    bytes: usize,
    inflated: usize,
    is_fresh: bool,
}

impl Budget {
    /// What a device asks for, within bounds.
    pub fn of(asked_bytes: u32) -> Self {
        let asked = usize::try_from(asked_bytes).unwrap_or(usize::MAX);
        Self {
            bytes: asked.clamp(limits::PAGE_BYTES_MIN, limits::PAGE_BYTES_MAX),
            inflated: limits::PAGE_INFLATED_BYTES_MAX,
            is_fresh: true,
        }
    }

    const fn is_used_up(&self) -> bool {
        self.bytes == 0 || self.inflated == 0
    }

    /// Opens an entry's batch, if it fits what is left; the first always does.
    fn open(&mut self, stored: &Stored) -> Result<Option<Parts>, StoreError> {
        let mut room = Room::of_request();
        let parts = (stored.batch.open_within(&mut room))
            .map_err(|_| StoreError::Impossible("an entry that does not open"))?;
        let opened = limits::REQUEST_INFLATED_BYTES_MAX - room.left();
        let fates = parts.batch.envelopes.len() * FATE_BYTES;
        let taken = ENTRY_BYTES + fates + opened;
        let fits = self.is_fresh || taken <= self.inflated;
        self.is_fresh = false;
        self.inflated = if fits {
            self.inflated.saturating_sub(taken)
        } else {
            0
        };
        Ok(fits.then_some(parts))
    }
}

/// What an entry takes beside what its batch unpacks to, and each of its commands: a fate and a salt.
const ENTRY_BYTES: usize = 512;
const FATE_BYTES: usize = 64;

/// What entries add up to.
fn registry_of(deployment: DeploymentId, entries: &[ActEntry]) -> Registry {
    let mut registry = Registry::empty(deployment);
    let acts = entries.iter().flat_map(|entry| &entry.acts).cloned();
    acts.for_each(|act| registry.apply(act));
    registry
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
