//! The registry: the one journal per deployment that holds areas, people, devices, assignments and catalogue versions.
//!
//! Its commands are [`RegistryAct`]s, signed by an operator key; its entries are entries like any other. A [`Registry`] is what
//! they add up to at a position: all that admission asks about authority, for the server, for a phone (which holds only what
//! concerns it) and for the auditor, who replays it to exactly the position that each entry names.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use crate::area::{AreaCode, Level};
use crate::batch::{Bytes, Position};
use crate::command::{Command, Content, Verb};
use crate::id::{
    AreaId, AssignmentId, Date, DeploymentId, DeviceId, Digest, JournalId, RecordId, Seq,
    Timestamp, UserId, sha256,
};
use crate::journal::Chain;
use crate::sign::PublicKey;
use crate::value::Value;

/// The kind that registry and access commands carry in their envelopes; no catalogue may declare it.
pub const REGISTRY_KIND: &str = "registry";

/// The id of a deployment's registry journal.
pub fn registry_journal(deployment: DeploymentId) -> JournalId {
    let digest = sha256(&[b"zhucun registry v1", &deployment.0]).0;
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    JournalId(id)
}

/// What an act changes. People's names stand in it, so it is content and has an audience like any other.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum RegistryAct {
    /// The first act: the keys of the deployment. Its id is derived from the operator key.
    #[n(0)]
    Found {
        /// Signs registry and access acts.
        #[n(0)]
        operator: PublicKey,
        /// Signs checkpoints.
        #[n(1)]
        log: PublicKey,
        /// Opens what carriers bring: an X25519 key with its algorithm byte (see [`crate::seal`]).
        #[n(2)]
        sealing: Bytes,
        /// What the deployment calls itself.
        #[n(3)]
        name: String,
    },
    /// A new area, or new dated facts about one.
    #[n(1)]
    SetArea {
        /// The area.
        #[n(0)]
        area: AreaId,
        /// Its level.
        #[n(1)]
        level: Level,
        /// What it lies in; nothing for a province.
        #[n(2)]
        parent: Option<AreaId>,
        /// Its code from this date on.
        #[n(3)]
        code: AreaCode,
        /// Its name from this date on.
        #[n(4)]
        name: String,
        /// From when.
        #[n(5)]
        from: Date,
        /// The last day it exists, if it was dissolved.
        #[n(6)]
        to: Option<Date>,
    },
    /// A journal, and the area it belongs to from this date on.
    #[n(2)]
    SetJournal {
        /// The journal.
        #[n(0)]
        journal: JournalId,
        /// What it holds.
        #[n(1)]
        purpose: Purpose,
        /// Its area.
        #[n(2)]
        area: AreaId,
        /// From when.
        #[n(3)]
        from: Date,
    },
    /// A person, or a new name or standing.
    #[n(3)]
    SetUser {
        /// The person.
        #[n(0)]
        user: UserId,
        /// What teammates see.
        #[n(1)]
        name: String,
        /// Whether the account may act.
        #[n(2)]
        active: bool,
    },
    /// A device enrolled by its user.
    #[n(4)]
    Enrol {
        /// Its key; its id is derived from it.
        #[n(0)]
        key: PublicKey,
        /// Whose.
        #[n(1)]
        user: UserId,
        /// What its user calls it.
        #[n(2)]
        label: String,
    },
    /// A device's new standing.
    #[n(5)]
    SetDevice {
        /// The device.
        #[n(0)]
        device: DeviceId,
        /// Its standing from now on.
        #[n(1)]
        standing: Standing,
        /// Why: a stable code, such as `lost`, `equivocation`, `replaced`.
        #[n(2)]
        cause: String,
    },
    /// An assignment: person × role × area × dates.
    #[n(6)]
    Assign {
        /// The assignment.
        #[n(0)]
        assignment: AssignmentId,
        /// Who.
        #[n(1)]
        user: UserId,
        /// As what: a role of the catalogue.
        #[n(2)]
        role: String,
        /// Where, with all that lies in it.
        #[n(3)]
        area: AreaId,
        /// The first day.
        #[n(4)]
        from: Date,
        /// The last day, if known.
        #[n(5)]
        to: Option<Date>,
        /// The unit that sends the person.
        #[n(6)]
        sent_by: Option<String>,
    },
    /// The end of an assignment.
    #[n(7)]
    EndAssignment {
        /// The assignment.
        #[n(0)]
        assignment: AssignmentId,
        /// The last day.
        #[n(1)]
        to: Date,
        /// Whether it was taken away for cause, so that late work is not accepted.
        #[n(2)]
        for_cause: bool,
    },
    /// A version of the catalogue; its files are fetched and checked against the digest.
    #[n(8)]
    PublishCatalogue {
        /// The version: 1, 2, 3, …
        #[n(0)]
        version: u32,
        /// The digest of its files.
        #[n(1)]
        digest: Digest,
        /// From when.
        #[n(2)]
        from: Date,
    },
    /// A new operator key, announced under the old one.
    #[n(9)]
    SetOperator {
        /// The operator key from now on.
        #[n(0)]
        operator: PublicKey,
    },
    /// A new epoch of a journal, after a loss: it goes on from this position, and what its devices had received after that they
    /// bring anew.
    #[n(10)]
    Reopen {
        /// The journal; the registry's own among them.
        #[n(0)]
        journal: JournalId,
        /// Where it goes on.
        #[n(1)]
        at: Position,
        /// The last checkpoint that was signed before, a signed note.
        #[n(2)]
        checkpoint: String,
        /// Why.
        #[n(3)]
        reason: String,
    },
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

impl RegistryAct {
    /// The name of the act, as the envelope's action.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::SetArea { .. } => "set_area",
            Self::SetJournal { .. } => "set_journal",
            Self::SetUser { .. } => "set_user",
            Self::Enrol { .. } => "enrol",
            Self::SetDevice { .. } => "set_device",
            Self::Assign { .. } => "assign",
            Self::EndAssignment { .. } => "end_assignment",
            Self::PublishCatalogue { .. } => "publish_catalogue",
            Self::SetOperator { .. } => "set_operator",
            Self::Reopen { .. } => "reopen",
        }
    }

    /// What it speaks of.
    pub fn subject(&self, deployment: DeploymentId) -> RecordId {
        RecordId(match self {
            Self::Found { .. } | Self::SetOperator { .. } => deployment.0,
            Self::SetArea { area, .. } => area.0,
            Self::SetJournal { journal, .. } | Self::Reopen { journal, .. } => journal.0,
            Self::SetUser { user, .. } => user.0,
            Self::Enrol { key, .. } => key.device().0,
            Self::SetDevice { device, .. } => device.0,
            Self::Assign { assignment, .. } | Self::EndAssignment { assignment, .. } => {
                assignment.0
            }
            Self::PublishCatalogue { version, .. } => {
                let mut id = [0; 16];
                id.iter_mut()
                    .rev()
                    .zip(version.to_le_bytes())
                    .for_each(|(to, from)| *to = from);
                id
            }
        })
    }
}

/// What readers of a county or province did, one act each.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AccessAct {
    /// Somebody signed in.
    #[n(0)]
    SignIn {
        /// Who.
        #[n(0)]
        user: UserId,
    },
    /// Somebody read a sensitive field.
    #[n(1)]
    Reveal {
        /// Who.
        #[n(0)]
        user: UserId,
        /// The journal of the record.
        #[n(1)]
        journal: JournalId,
        /// The record.
        #[n(2)]
        record: RecordId,
        /// The field.
        #[n(3)]
        field: String,
        /// What for, in the reader's words.
        #[n(4)]
        purpose: String,
    },
    /// Somebody took rows out of the system.
    #[n(2)]
    Export {
        /// Who.
        #[n(0)]
        user: UserId,
        /// What: an operation's name and its filter, without values of people.
        #[n(1)]
        what: String,
        /// How many rows.
        #[n(2)]
        rows: u64,
        /// What for.
        #[n(3)]
        purpose: String,
    },
    /// Somebody drew up an audit bundle, or read an administrator's log.
    #[n(3)]
    Audit {
        /// Who.
        #[n(0)]
        user: UserId,
        /// Up to which positions, per journal.
        #[n(1)]
        journals: Vec<(JournalId, Seq)>,
    },
}

/// An act that the server enters under its operator key.
pub trait OperatorAct: Encode<()> + for<'b> Decode<'b, ()> {
    /// The envelope's action.
    fn action(&self) -> &'static str;
    /// The envelope's record.
    fn about(&self, deployment: DeploymentId) -> RecordId;
}

impl OperatorAct for RegistryAct {
    fn action(&self) -> &'static str {
        self.name()
    }

    fn about(&self, deployment: DeploymentId) -> RecordId {
        self.subject(deployment)
    }
}

impl OperatorAct for AccessAct {
    fn action(&self) -> &'static str {
        match self {
            Self::SignIn { .. } => "sign_in",
            Self::Reveal { .. } => "reveal",
            Self::Export { .. } => "export",
            Self::Audit { .. } => "audit",
        }
    }

    fn about(&self, deployment: DeploymentId) -> RecordId {
        match self {
            Self::Reveal { record, .. } => *record,
            Self::SignIn { .. } | Self::Export { .. } | Self::Audit { .. } => {
                RecordId(deployment.0)
            }
        }
    }
}

const ACT_FIELD: &str = "act";
const BY_FIELD: &str = "by";

/// An operator's act as the command that enters it; `by` is the administrator on whose word it is done.
pub fn to_command<A: OperatorAct>(
    deployment: DeploymentId,
    act: &A,
    by: Option<UserId>,
    n: u64,
    base: Seq,
    at: Timestamp,
) -> crate::batch::Unsealed {
    let mut values: crate::value::Fields = [(ACT_FIELD, Value::Bytes(crate::cbor::encode(act)))]
        .into_iter()
        .collect();
    if let Some(by) = by {
        values.insert(BY_FIELD.to_owned(), Value::Bytes(by.0.to_vec()));
    }
    let envelope = crate::command::Envelope {
        n,
        record: act.about(deployment),
        kind: REGISTRY_KIND.to_owned(),
        base,
        at,
        verb: Verb::Act,
        action: Some(act.action().to_owned()),
        fields: values.keys().cloned().collect(),
        links: Vec::new(),
        audience: crate::command::Audience::County,
        digest: Digest([0; 32]),
        needs: None,
        origin: None,
    };
    crate::batch::Unsealed {
        envelope,
        content: Content {
            values,
            ..Content::default()
        },
    }
}

/// Reads an operator's act back out of its command; `None` where it is withheld or no act of this kind.
pub fn from_command<A: OperatorAct>(command: &Command) -> Option<(A, Option<UserId>)> {
    let content = command.content.as_ref()?;
    let Some(Value::Bytes(bytes)) = content.value(ACT_FIELD) else {
        return None;
    };
    let act: A = crate::cbor::decode(bytes).ok()?;
    let by = match content.value(BY_FIELD) {
        Some(Value::Bytes(by)) => UserId::try_from(by.as_slice()).ok(),
        _ => None,
    };
    (Some(act.action()) == command.envelope.action.as_deref()).then_some((act, by))
}
