//! The host: a registry and village journals.

mod answer;
mod journal;
mod restore;

use std::collections::BTreeMap;

use super::TestRng;
use crate::admit::{self, Catalogues, LaneEnd};
use crate::area::{AreaCode, Level};
use crate::batch::{self, Bytes, Sealing, Seed};
use crate::catalog::Catalogue;
use crate::checkpoint::Leaf;
use crate::id::{
    AreaId, AssignmentId, Date, DeploymentId, DeviceId, Digest, JournalId, Timestamp, UserId,
};
use crate::journal::Entry;
use crate::registry::{self, Purpose, Registry, RegistryAct, Standing};
use crate::seal::OpeningKey;
use crate::sign::SigningKey;
use crate::sync::device::Identity;

pub use journal::HostJournal;
pub use restore::{Backup, NothingSigned};

/// A village of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Village {
    /// Its area.
    pub area: AreaId,
    /// Its journal.
    pub journal: JournalId,
}

/// A deployment in memory.
#[derive(Debug)]
pub struct Host {
    rng: TestRng,
    operator: SigningKey,
    log: SigningKey,
    opening: OpeningKey,
    registry: Registry,
    acts: Vec<(Entry, RegistryAct)>,
    operator_lane: LaneEnd,
    catalogues: Catalogues,
    journals: BTreeMap<JournalId, HostJournal>,
    county: AreaId,
    township: AreaId,
    villages: u64,
    leaves: Vec<Leaf>,
    is_behind: bool,
}

impl Host {
    /// A deployment with its keys, one county with one township, and the shipped catalogue published.
    pub fn found(seed: u64, now: Timestamp) -> Self {
        let mut rng = TestRng::new(seed);
        let operator = SigningKey::from_seed(rng.bytes());
        let log = SigningKey::from_seed(rng.bytes());
        let opening = OpeningKey::from_seed(&rng.bytes());
        let deployment = operator.public().deployment();
        let registry = Registry::empty(deployment);
        let operator_lane = LaneEnd::start(operator.public().device(), registry.chain.journal);
        let sealing = opening
            .public()
            .expect("a key made from a seed has a public half")
            .to_bytes();
        let mut host = Self {
            operator,
            log,
            opening,
            registry,
            acts: Vec::new(),
            operator_lane,
            catalogues: [(1, Catalogue::builtin())].into_iter().collect(),
            journals: BTreeMap::new(),
            county: AreaId([0; 16]),
            township: AreaId([0; 16]),
            villages: 0,
            leaves: Vec::new(),
            is_behind: false,
            rng,
        };
        let found = RegistryAct::Found {
            operator: host.operator.public(),
            log: host.log.public(),
            sealing: Bytes(sealing),
            name: "西吉县驻村".to_owned(),
        };
        host.act(found, now);
        let province = host.add_area(Level::Province, None, "640000000000", "宁夏回族自治区", now);
        let city = host.add_area(Level::City, Some(province), "640400000000", "固原市", now);
        host.county = host.add_area(Level::County, Some(city), "640422000000", "西吉县", now);
        host.township = host.add_area(
            Level::Township,
            Some(host.county),
            "640422100000",
            "吉强镇",
            now,
        );
        let digest = host
            .catalogues
            .get(&1)
            .map_or(Digest([0; 32]), Catalogue::digest);
        host.act(
            RegistryAct::PublishCatalogue {
                version: 1,
                digest,
                from: now.date().plus_days(-3_650),
            },
            now,
        );
        host
    }

    /// The deployment's id.
    pub const fn deployment(&self) -> DeploymentId {
        self.registry.deployment
    }

    /// The registry as it stands.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The key that signs registry and access acts now, to do with it what no honest server does.
    pub const fn operator_key(&self) -> &SigningKey {
        &self.operator
    }

    /// The key that signs checkpoints.
    pub const fn log_key(&self) -> &SigningKey {
        &self.log
    }

    /// The published catalogue versions.
    pub const fn catalogues(&self) -> &Catalogues {
        &self.catalogues
    }

    /// The county.
    pub const fn county(&self) -> AreaId {
        self.county
    }

    /// The township in which villages are added.
    pub const fn township(&self) -> AreaId {
        self.township
    }

    /// A journal's entries: position 1 first.
    pub fn entries(&self, journal: JournalId) -> &[Entry] {
        self.journals
            .get(&journal)
            .map_or(&[], |journal| journal.entries.as_slice())
    }

    /// A journal, to look at all of it.
    pub fn journal(&self, journal: JournalId) -> Option<&HostJournal> {
        self.journals.get(&journal)
    }

    /// A journal, to do what no honest server does.
    pub fn journal_mut(&mut self, journal: JournalId) -> Option<&mut HostJournal> {
        self.journals.get_mut(&journal)
    }

    /// The registry's entries with the acts in them.
    pub fn acts(&self) -> &[(Entry, RegistryAct)] {
        &self.acts
    }

    /// Enters an act into the registry under the operator key.
    pub fn act(&mut self, act: RegistryAct, now: Timestamp) {
        let deployment = self.deployment();
        let chain = self.registry.chain;
        let command = registry::to_command(
            deployment,
            &act,
            None,
            self.operator_lane.n + 1,
            chain.end.seq,
            now,
        );
        let sealing = Sealing {
            deployment,
            journal: chain.journal,
            assignment: AssignmentId([0; 16]),
            catalogue: 0,
            previous: self.operator_lane.batch,
            seen: chain.end,
            at: now,
            seed: Seed(self.rng.bytes()),
            key: &self.operator,
        };
        let parts = batch::seal(&sealing, vec![command]);
        let (head, chain) = admit::enter(&parts, &chain, self.registry.position(), deployment, now);
        self.operator_lane = LaneEnd {
            n: parts.batch.last(),
            batch: head.batch,
        };
        self.registry.apply(act.clone());
        self.registry.chain = chain;
        self.acts.push((Entry { head, parts }, act));
    }

    /// Takes a new operator key, announced under the old one.
    pub fn change_operator(&mut self, now: Timestamp) {
        let next = SigningKey::from_seed(self.rng.bytes());
        self.act(
            RegistryAct::SetOperator {
                operator: next.public(),
            },
            now,
        );
        self.operator_lane = LaneEnd::start(next.public().device(), self.registry.chain.journal);
        self.operator = next;
    }

    /// Publishes a catalogue version, in force from a day.
    pub fn publish_catalogue(&mut self, catalogue: Catalogue, from: Date, now: Timestamp) {
        let (version, digest) = (catalogue.version(), catalogue.digest());
        self.act(
            RegistryAct::PublishCatalogue {
                version,
                digest,
                from,
            },
            now,
        );
        self.catalogues.insert(version, catalogue);
    }

    /// Adds an area.
    pub fn add_area(
        &mut self,
        level: Level,
        parent: Option<AreaId>,
        code: &str,
        name: &str,
        now: Timestamp,
    ) -> AreaId {
        let area = AreaId(self.rng.bytes());
        let code: AreaCode = code.parse().expect("the caller writes a division code");
        let from = now.date().plus_days(-3_650);
        self.act(
            RegistryAct::SetArea {
                area,
                level,
                parent,
                code,
                name: name.to_owned(),
                from,
                to: None,
            },
            now,
        );
        area
    }

    /// Adds a village to the township, with a journal.
    pub fn add_village(&mut self, name: &str, now: Timestamp) -> Village {
        self.villages += 1;
        let code = format!("640422100{:03}", 200 + self.villages);
        let area = self.add_area(Level::Village, Some(self.township), &code, name, now);
        let journal = JournalId(self.rng.bytes());
        self.act(
            RegistryAct::SetJournal {
                journal,
                purpose: Purpose::Village,
                area,
                from: now.date().plus_days(-3_650),
            },
            now,
        );
        self.journals.insert(journal, HostJournal::new(journal));
        Village { area, journal }
    }

    /// Adds a person.
    pub fn add_user(&mut self, name: &str, now: Timestamp) -> UserId {
        let user = UserId(self.rng.bytes());
        self.act(
            RegistryAct::SetUser {
                user,
                name: name.to_owned(),
                active: true,
            },
            now,
        );
        user
    }

    /// Assigns a person.
    pub fn assign(
        &mut self,
        user: UserId,
        role: &str,
        area: AreaId,
        from: Date,
        to: Option<Date>,
        now: Timestamp,
    ) -> AssignmentId {
        let assignment = AssignmentId(self.rng.bytes());
        self.act(
            RegistryAct::Assign {
                assignment,
                user,
                role: role.to_owned(),
                area,
                from,
                to,
                sent_by: None,
            },
            now,
        );
        assignment
    }

    /// Ends an assignment.
    pub fn end_assignment(
        &mut self,
        assignment: AssignmentId,
        to: Date,
        for_cause: bool,
        now: Timestamp,
    ) {
        self.act(
            RegistryAct::EndAssignment {
                assignment,
                to,
                for_cause,
            },
            now,
        );
    }

    /// Enrols a device of a person by a new key.
    pub fn enrol(&mut self, user: UserId, now: Timestamp) -> Identity {
        let seed = self.rng.bytes();
        let key = SigningKey::from_seed(seed).public();
        self.act(
            RegistryAct::Enrol {
                key,
                user,
                label: "手机".to_owned(),
            },
            now,
        );
        let operator = self.acts.iter().find_map(|(_, act)| match act {
            RegistryAct::Found { operator, .. } => Some(operator.clone()),
            _ => None,
        });
        let operator = operator.expect("the first act is the founding");
        Identity {
            deployment: self.deployment(),
            operator,
            user,
            seed,
        }
    }

    /// Gives a device another standing.
    pub fn set_standing(
        &mut self,
        device: DeviceId,
        standing: Standing,
        cause: &str,
        now: Timestamp,
    ) {
        self.act(
            RegistryAct::SetDevice {
                device,
                standing,
                cause: cause.to_owned(),
            },
            now,
        );
    }
}
