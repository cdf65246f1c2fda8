//! The registry: the one journal per deployment that holds areas, people, devices, assignments and catalogue versions.
//!
//! Its commands are [`RegistryAct`]s, signed by an operator key; its entries are entries like any other. A [`Registry`] is what
//! they add up to at a position: all that admission asks about authority, for the server, for a phone (which holds only what
//! concerns it) and for the auditor, who replays it to exactly the position that each entry names.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use crate::area::{AreaCode, Level};
use crate::batch::Position;
use crate::id::{
    AreaId, AssignmentId, Date, DeploymentId, DeviceId, Digest, JournalId, UserId, sha256,
};
use crate::journal::Chain;
use crate::sign::PublicKey;

mod act;
pub use act::{AccessAct, OperatorAct, RegistryAct, from_command, to_command};

/// The kind that registry and access commands carry in their envelopes; no catalogue may declare it.
pub const REGISTRY_KIND: &str = "registry";

/// The id of a deployment's registry journal.
pub fn registry_journal(deployment: DeploymentId) -> JournalId {
    let digest = sha256(&[b"zhucun registry v1", &deployment.0]).0;
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    JournalId(id)
}

/// What a journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Purpose {
    /// A village's records.
    #[n(0)]
    Village,
    /// What readers of a county or province revealed, exported and opened.
    #[n(1)]
    Access,
}

/// Whether a device may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Standing {
    /// It may.
    #[n(0)]
    Active,
    /// It signed two things under one number, or is missing; it may enrol in place with a new key.
    #[n(1)]
    Suspended,
    /// It was taken away.
    #[n(2)]
    Revoked,
}

/// An area with its latest facts; earlier ones stay in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Its level.
    pub level: Level,
    /// What it lies in.
    pub parent: Option<AreaId>,
    /// Its codes and names, each from a date on, in order.
    pub named: BTreeMap<Date, (AreaCode, String)>,
    /// The last day it exists.
    pub to: Option<Date>,
}

impl Area {
    /// Its latest code and name.
    pub fn latest(&self) -> Option<&(AreaCode, String)> {
        self.named.values().next_back()
    }

    /// Its latest name.
    pub fn name(&self) -> &str {
        self.latest().map_or("", |(_, name)| name)
    }
}

/// A journal with the areas it belonged to, each from a date on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalInfo {
    /// What it holds.
    pub purpose: Purpose,
    /// Its areas by date.
    pub areas: BTreeMap<Date, AreaId>,
}

/// A person.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// What teammates see. Never logged.
    pub name: String,
    /// Whether the account may act.
    pub active: bool,
}

impl core::fmt::Debug for User {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("User")
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its key.
    pub key: PublicKey,
    /// Whose.
    pub user: UserId,
    /// What its user calls it.
    pub label: String,
    /// Whether it may write.
    pub standing: Standing,
}

/// An assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: String,
    /// Where.
    pub area: AreaId,
    /// The first day.
    pub from: Date,
    /// The last day, if known.
    pub to: Option<Date>,
    /// Whether it was taken away for cause.
    pub for_cause: bool,
}

impl Assignment {
    /// Whether it is in force on a day.
    pub fn covers(&self, day: Date) -> bool {
        self.from <= day && self.to.is_none_or(|to| day <= to)
    }
}

/// A published catalogue version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The digest of its files.
    pub digest: Digest,
    /// From when.
    pub from: Date,
}

/// The keys of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Signs registry and access acts.
    pub operator: PublicKey,
    /// Signs checkpoints.
    pub log: PublicKey,
    /// Opens what carriers bring.
    pub sealing: Vec<u8>,
}

/// What the registry's entries add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The deployment.
    pub deployment: DeploymentId,
    /// What it calls itself.
    pub name: String,
    /// Its keys; none before its founding.
    pub keys: Option<Keys>,
    /// The registry's own chain.
    pub chain: Chain,
    /// Areas.
    pub areas: BTreeMap<AreaId, Area>,
    /// Journals.
    pub journals: BTreeMap<JournalId, JournalInfo>,
    /// People.
    pub users: BTreeMap<UserId, User>,
    /// Devices.
    pub devices: BTreeMap<DeviceId, Device>,
    /// Assignments.
    pub assignments: BTreeMap<AssignmentId, Assignment>,
    /// Whose they are: a request asks for one person's, of a province's half a million.
    held: BTreeMap<UserId, BTreeSet<AssignmentId>>,
    /// Catalogue versions.
    pub catalogues: BTreeMap<u32, Published>,
}

impl Registry {
    /// The registry before its founding.
    pub fn empty(deployment: DeploymentId) -> Self {
        Self {
            deployment,
            name: String::new(),
            keys: None,
            chain: Chain::start(registry_journal(deployment)),
            areas: BTreeMap::new(),
            journals: BTreeMap::new(),
            users: BTreeMap::new(),
            devices: BTreeMap::new(),
            assignments: BTreeMap::new(),
            held: BTreeMap::new(),
            catalogues: BTreeMap::new(),
        }
    }

    /// The position it stands at.
    pub const fn position(&self) -> Position {
        self.chain.end
    }

    /// Takes in one act. Total: an act about something that is not here (as on a phone, which holds only a part) changes nothing.
    pub fn apply(&mut self, act: RegistryAct) {
        match act {
            RegistryAct::Found {
                operator,
                log,
                sealing,
                name,
            } => {
                self.name = name;
                self.keys = Some(Keys {
                    operator,
                    log,
                    sealing: sealing.0,
                });
            }
            RegistryAct::SetArea {
                area,
                level,
                parent,
                code,
                name,
                from,
                to,
            } => {
                let entry = self.areas.entry(area).or_insert(Area {
                    level,
                    parent,
                    named: BTreeMap::new(),
                    to,
                });
                (entry.level, entry.parent, entry.to) = (level, parent, to);
                entry.named.insert(from, (code, name));
            }
            RegistryAct::SetJournal {
                journal,
                purpose,
                area,
                from,
            } => {
                let entry = self.journals.entry(journal).or_insert(JournalInfo {
                    purpose,
                    areas: BTreeMap::new(),
                });
                entry.areas.insert(from, area);
            }
            RegistryAct::SetUser { user, name, active } => {
                self.users.insert(user, User { name, active });
            }
            RegistryAct::Enrol { key, user, label } => {
                let device = Device {
                    user,
                    label,
                    standing: Standing::Active,
                    key: key.clone(),
                };
                self.devices.entry(key.device()).or_insert(device);
            }
            RegistryAct::SetDevice {
                device, standing, ..
            } => {
                if let Some(device) = self.devices.get_mut(&device) {
                    device.standing = standing;
                }
            }
            RegistryAct::Assign {
                assignment,
                user,
                role,
                area,
                from,
                to,
                ..
            } => {
                let granted = Assignment {
                    user,
                    role,
                    area,
                    from,
                    to,
                    for_cause: false,
                };
                if let Entry::Vacant(entry) = self.assignments.entry(assignment) {
                    self.held.entry(user).or_default().insert(assignment);
                    entry.insert(granted);
                }
            }
            RegistryAct::EndAssignment {
                assignment,
                to,
                for_cause,
            } => {
                if let Some(assignment) = self.assignments.get_mut(&assignment) {
                    assignment.to = Some(to);
                    assignment.for_cause |= for_cause;
                }
            }
            RegistryAct::PublishCatalogue {
                version,
                digest,
                from,
            } => {
                self.catalogues
                    .entry(version)
                    .or_insert(Published { digest, from });
            }
            RegistryAct::SetOperator { operator } => {
                if let Some(keys) = &mut self.keys {
                    keys.operator = operator;
                }
            }
            // It changes nothing of who may do what.
            RegistryAct::Reopen { .. } => {}
        }
    }

    /// Whether `area` is `ancestor` or lies in it.
    pub fn is_within(&self, area: AreaId, ancestor: AreaId) -> bool {
        self.path(area).any(|step| step == ancestor)
    }

    /// The area and everything it lies in, from the inside out.
    pub fn path(&self, area: AreaId) -> impl Iterator<Item = AreaId> + '_ {
        // As many steps as there are levels: an import that made a circle ends here too.
        let parent = |area: &AreaId| self.areas.get(area).and_then(|area| area.parent);
        core::iter::successors(Some(area), parent).take(8)
    }

    /// The area that a journal belongs to on a day.
    pub fn area_of(&self, journal: JournalId, day: Date) -> Option<AreaId> {
        let areas = &self.journals.get(&journal)?.areas;
        areas
            .range(..=day)
            .next_back()
            .or_else(|| areas.iter().next())
            .map(|(_, area)| *area)
    }

    /// The latest name of the area to which a journal belongs on a day; its short id where that is not known.
    pub fn name_of(&self, journal: JournalId, day: Date) -> String {
        let area = self.area_of(journal, day);
        let area = area.and_then(|area| self.areas.get(&area));
        area.map_or_else(|| journal.short(), |area| area.name().to_owned())
    }

    /// The latest code of the area to which a journal belongs on a day.
    pub fn code_of(&self, journal: JournalId, day: Date) -> Option<AreaCode> {
        let area = self.areas.get(&self.area_of(journal, day)?)?;
        area.latest().map(|(code, _)| *code)
    }

    /// The village journals of an area and all that lies in it, in order of their ids.
    pub fn journals_within(
        &self,
        ancestor: AreaId,
        purpose: Purpose,
        day: Date,
    ) -> impl Iterator<Item = JournalId> + '_ {
        (self.journals.iter())
            .filter(move |(_, info)| info.purpose == purpose)
            .map(|(journal, _)| *journal)
            .filter(move |journal| {
                self.area_of(*journal, day)
                    .is_some_and(|area| self.is_within(area, ancestor))
            })
    }

    /// All assignments that a person ever had.
    pub fn assignments_ever_of(
        &self,
        user: UserId,
    ) -> impl Iterator<Item = (AssignmentId, &Assignment)> + '_ {
        let held = self.held.get(&user).into_iter().flatten();
        held.filter_map(|id| Some((*id, self.assignments.get(id)?)))
    }

    /// The assignments of a person that are in force on a day.
    pub fn assignments_of(
        &self,
        user: UserId,
        day: Date,
    ) -> impl Iterator<Item = (AssignmentId, &Assignment)> + '_ {
        self.assignments_ever_of(user)
            .filter(move |(_, assignment)| assignment.covers(day))
    }

    /// The catalogue version in force on a day: the newest published that has begun.
    pub fn catalogue_on(&self, day: Date) -> Option<u32> {
        self.catalogues
            .iter()
            .rev()
            .find(|(_, published)| published.from <= day)
            .map(|(version, _)| *version)
    }

    /// Whether one of two areas lies in the other.
    fn is_near(&self, area: AreaId, other: AreaId) -> bool {
        self.is_within(other, area) || self.is_within(area, other)
    }

    /// Whether a person ever had an office where a journal belongs, above it or within it. Whoever pulls the journal knows his key
    /// then ([`Registry::concerns`]); the signature of anybody else is one that he could not verify.
    pub fn has_served(&self, user: UserId, journal: JournalId) -> bool {
        let areas = self.journals.get(&journal).map(|info| &info.areas);
        self.assignments_ever_of(user).any(|(_, assignment)| {
            let mut areas = areas.into_iter().flat_map(BTreeMap::values);
            areas.any(|area| self.is_near(*area, assignment.area))
        })
    }

    /// Whether an act must be known to who works within `area`: what it lies in, what lies in it, its people and their devices,
    /// the keys and the catalogue.
    pub fn concerns(&self, act: &RegistryAct, area: AreaId, day: Date) -> bool {
        let near = |other: AreaId| self.is_near(other, area);
        let serves = |user: UserId| {
            self.assignments_ever_of(user)
                .any(|(_, assignment)| near(assignment.area))
        };
        match act {
            RegistryAct::Found { .. }
            | RegistryAct::PublishCatalogue { .. }
            | RegistryAct::SetOperator { .. } => true,
            RegistryAct::Reopen { journal, .. } => {
                *journal == self.chain.journal || self.area_of(*journal, day).is_some_and(near)
            }
            RegistryAct::SetArea { area, .. } | RegistryAct::Assign { area, .. } => near(*area),
            RegistryAct::SetJournal { journal, .. } => {
                self.area_of(*journal, day).is_some_and(near)
            }
            RegistryAct::SetUser { user, .. } | RegistryAct::Enrol { user, .. } => serves(*user),
            RegistryAct::SetDevice { device, .. } => self
                .devices
                .get(device)
                .is_some_and(|device| serves(device.user)),
            RegistryAct::EndAssignment { assignment, .. } => self
                .assignments
                .get(assignment)
                .is_some_and(|assignment| near(assignment.area)),
        }
    }
}
