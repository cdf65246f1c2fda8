//! The host: a registry, village journals, and the answer to a sync request.

use std::collections::{BTreeMap, BTreeSet};

use super::TestRng;
use crate::admit::{
    self, Catalogues, Circumstances, Index, LaneEnd, LaneFates, Unplaced, Unverified, Verified,
    Wanted,
};
use crate::area::{AreaCode, Level};
use crate::batch::{self, Bytes, Parts, Position, Sealing, Seed, WireBatch};
use crate::catalog::{Capability, Catalogue};
use crate::command::Origin;
use crate::id::{
    AreaId, AssignmentId, Date, DeploymentId, DeviceId, Digest, JournalId, RecordId, Seq,
    Timestamp, UserId,
};
use crate::journal::{Chain, Entry, Fate};
use crate::registry::{self, Purpose, Registry, RegistryAct, Standing};
use crate::seal::{self, OpeningKey};
use crate::sign::SigningKey;
use crate::sync::PROTOCOL;
use crate::sync::device::Identity;
use crate::sync::wire::{
    self, Carried, Cursor, JournalPage, Outcome, Receipt, SyncRequest, SyncResponse, WireBody,
    WireEntry,
};

/// A village of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Village {
    /// Its area.
    pub area: AreaId,
    /// Its journal.
    pub journal: JournalId,
}

/// One journal with all that admission reads of it.
#[derive(Debug, Clone)]
pub struct HostJournal {
    /// The end of its chain.
    pub chain: Chain,
    /// Its entries: position 1 first.
    pub entries: Vec<Entry>,
    /// The admission index.
    pub index: Index,
    /// Origins that were delivered.
    pub taken: BTreeSet<Origin>,
    /// Where lanes end.
    pub lanes: BTreeMap<DeviceId, LaneEnd>,
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

    /// Answers a request that `device` sent.
    pub fn sync(
        &mut self,
        request: &SyncRequest,
        device: DeviceId,
        now: Timestamp,
    ) -> SyncResponse {
        assert_eq!(
            request.protocol, PROTOCOL,
            "the device speaks this version's protocol"
        );
        let receipts = request
            .batches
            .iter()
            .map(|batch| self.receive(batch, device, now))
            .collect();
        let carried = request
            .carried
            .iter()
            .map(|sealed| self.open_carried(sealed, now))
            .collect();
        let mut budget = request.budget_bytes as usize;
        let journals = request
            .cursors
            .iter()
            .filter_map(|cursor| self.page(cursor, device, &mut budget, now))
            .collect();
        SyncResponse {
            receipts,
            carried,
            journals,
            registry: self.registry_for(device, request.registry, now),
            registry_seq: self.registry.position().seq,
            checkpoint: None,
            server_time: now,
        }
    }

    fn receive(&mut self, batch: &WireBatch, device: DeviceId, now: Timestamp) -> Receipt {
        let not_yours = Outcome::Unusable {
            code: "not_yours".to_owned(),
        };
        let outcome = if batch.device == device {
            self.admit(batch, now)
        } else {
            not_yours
        };
        Receipt {
            device: batch.device,
            journal: batch.journal,
            first: batch.first,
            outcome,
        }
    }

    fn open_carried(&mut self, sealed: &Bytes, now: Timestamp) -> Carried {
        let opened = seal::open(&self.opening, self.deployment(), &sealed.0).ok();
        if let Some(batch) = opened.and_then(|bytes| crate::cbor::decode::<WireBatch>(&bytes).ok())
        {
            self.admit(&batch, now);
        }
        Carried::Taken
    }

    /// Admits one batch, whoever brought it.
    pub fn admit(&mut self, batch: &WireBatch, now: Timestamp) -> Outcome {
        let unusable = |code: &str| Outcome::Unusable {
            code: code.to_owned(),
        };
        let Ok(parts) = batch.open() else {
            return unusable("malformed");
        };
        let verified = match Verified::check(&self.registry, parts) {
            Ok(verified) => verified,
            Err(Unverified::UnknownDevice) => return unusable("unknown_device"),
            Err(Unverified::UnknownJournal) => return unusable("unknown_journal"),
            Err(Unverified::BadSignature) => return unusable("bad_signature"),
        };
        let parts = verified.parts();
        let (id, device, first) = (parts.batch.journal, parts.batch.device, parts.batch.first());
        let digest = parts.batch.digest(self.deployment());
        let Some(journal) = self.journals.get_mut(&id) else {
            return unusable("unknown_journal");
        };
        let decided = match admit::admit(
            &verified,
            journal.circumstances(&self.registry, &self.catalogues, parts, now),
        ) {
            Ok(decided) => decided,
            Err(Unplaced::Gap { expected }) => return Outcome::Gap { expected },
            Err(Unplaced::Forked) => return Outcome::Forked,
            Err(Unplaced::Used { .. } | Unplaced::Equivocation) => {
                let known = journal.entries.iter().find(|entry| {
                    entry.parts.batch.device == device && entry.parts.batch.first() == first
                });
                if let Some(entry) = known.filter(|entry| entry.head.batch == digest) {
                    return entered(entry);
                }
                self.set_standing(device, Standing::Suspended, "equivocation", now);
                return Outcome::Equivocation;
            }
        };
        let entry = Entry {
            head: decided.entry().clone(),
            parts: parts.clone(),
        };
        let answer = entered(&entry);
        journal.chain = *decided.chain();
        journal.index.extend(decided.index().clone());
        journal.taken.extend(decided.taken().iter().copied());
        let counted = parts
            .batch
            .envelopes
            .iter()
            .zip(&entry.head.fates)
            .filter(|(_, fate)| fate.counts());
        journal.taken.extend(
            counted
                .clone()
                .map(|(envelope, _)| parts.batch.origin(envelope.n)),
        );
        journal.lanes.insert(
            device,
            LaneEnd {
                n: parts.batch.last(),
                batch: digest,
            },
        );
        let erased: BTreeSet<RecordId> = counted
            .flat_map(|(envelope, _)| admit::erases(envelope))
            .collect();
        journal.entries.push(entry);
        journal.erase(&erased);
        answer
    }

    fn page(
        &self,
        cursor: &Cursor,
        device: DeviceId,
        budget: &mut usize,
        now: Timestamp,
    ) -> Option<JournalPage> {
        let user = self.active_user(device)?;
        let role = self.role(user, cursor.journal, now)?;
        let journal = self.journals.get(&cursor.journal)?;
        // A device that knows more, or another history, gets nothing: what it may do about it is not this host's to say.
        if journal.head_at(cursor.end.seq)? != cursor.end.head {
            return None;
        }
        let mut entries = Vec::new();
        let mut end = cursor.end;
        for entry in journal
            .entries
            .iter()
            .skip(usize::try_from(cursor.end.seq).ok()?)
        {
            let wire = self.entry_for(entry, device, user, &role);
            if !entries.is_empty() && wire.bytes() > *budget {
                break;
            }
            *budget = budget.saturating_sub(wire.bytes());
            end = Position {
                seq: entry.head.seq,
                head: journal.head_at(entry.head.seq)?,
            };
            entries.push(wire);
        }
        Some(JournalPage {
            journal: cursor.journal,
            segments: Vec::new(),
            entries,
            end,
            more: end.seq < journal.chain.end.seq,
        })
    }

    /// An entry as a reader gets it: his own as its header, others' with what he may not read withheld.
    fn entry_for(&self, entry: &Entry, device: DeviceId, user: UserId, role: &str) -> WireEntry {
        let batch = &entry.parts.batch;
        if batch.device == device {
            return WireEntry::new(
                &entry.head,
                WireBody::Own {
                    first: batch.first(),
                },
            );
        }
        let is_author = self
            .registry
            .devices
            .get(&batch.device)
            .is_some_and(|device| device.user == user);
        let role = self
            .catalogues
            .values()
            .next_back()
            .and_then(|catalogue| catalogue.role(role));
        let may_read = |index: usize, envelope: &crate::command::Envelope| {
            let refused = entry.head.fates.get(index).is_some_and(Fate::is_refused);
            let reads_refused =
                is_author || role.is_some_and(|role| role.can(Capability::ReadRefused));
            role.is_some_and(|role| role.reads(envelope.audience)) && (!refused || reads_refused)
        };
        let parts = entry.parts.withhold(may_read);
        WireEntry::pack(&Entry {
            head: entry.head.clone(),
            parts,
        })
    }

    fn active_user(&self, device: DeviceId) -> Option<UserId> {
        let device = self
            .registry
            .devices
            .get(&device)
            .filter(|device| device.standing == Standing::Active)?;
        self.registry
            .users
            .get(&device.user)
            .filter(|user| user.active)?;
        Some(device.user)
    }

    fn role(&self, user: UserId, journal: JournalId, now: Timestamp) -> Option<String> {
        let area = self.registry.area_of(journal, now.date())?;
        let mut mine = self.registry.assignments_of(user, now.date());
        mine.find(|(_, assignment)| self.registry.is_within(area, assignment.area))
            .map(|(_, assignment)| assignment.role.clone())
    }

    /// The entries that concern a device and that it cannot have yet: those that concerned it then, up to what it knows, it has.
    fn registry_for(&self, device: DeviceId, known: Seq, now: Timestamp) -> Vec<WireEntry> {
        let Some(user) = self.active_user(device) else {
            return Vec::new();
        };
        let day = now.date();
        let mut then = Registry::empty(self.deployment());
        let acts = || self.acts.iter().map(|(entry, act)| (entry.head.seq, act));
        acts()
            .filter(|(seq, _)| *seq <= known)
            .for_each(|(_, act)| then.apply(act.clone()));
        let concerns = |registry: &Registry, act: &RegistryAct| {
            registry.assignments.values().any(|assignment| {
                assignment.user == user && registry.concerns(act, assignment.area, day)
            })
        };
        let news = self.acts.iter().filter(|(entry, act)| {
            let had = entry.head.seq <= known && concerns(&then, act);
            !had && concerns(&self.registry, act)
        });
        news.map(|(entry, _)| WireEntry::pack(entry)).collect()
    }
}

fn entered(entry: &Entry) -> Outcome {
    Outcome::Entered {
        seq: entry.head.seq,
        unusual: wire::unusual(&entry.head.fates),
    }
}

impl HostJournal {
    fn new(journal: JournalId) -> Self {
        Self {
            chain: Chain::start(journal),
            entries: Vec::new(),
            index: Index::new(),
            taken: BTreeSet::new(),
            lanes: BTreeMap::new(),
        }
    }

    /// The chain's head after an entry.
    pub fn head_at(&self, seq: Seq) -> Option<Digest> {
        let start = Chain::start(self.chain.journal);
        let count = usize::try_from(seq)
            .ok()
            .filter(|count| *count <= self.entries.len())?;
        let chain = self
            .entries
            .iter()
            .take(count)
            .try_fold(start, |chain, entry| chain.append(&entry.head).ok())?;
        Some(chain.end.head)
    }

    /// Exactly what [`Wanted`] names, as the server loads it.
    fn circumstances<'a>(
        &self,
        registry: &'a Registry,
        catalogues: &'a Catalogues,
        parts: &Parts,
        now: Timestamp,
    ) -> Circumstances<'a> {
        let batch = &parts.batch;
        let wanted = Wanted::by(batch);
        let mut index = self.part_of_index(&wanted.records);
        index.extend(self.part_of_index(&Wanted::linked(&index)));
        let received = |seq: &Seq| {
            Some((
                *seq,
                self.entries
                    .get(usize::try_from(seq.checked_sub(1)?).ok()?)?
                    .head
                    .received_at,
            ))
        };
        Circumstances {
            registry,
            catalogues,
            chain: self.chain,
            lane: self
                .lanes
                .get(&batch.device)
                .copied()
                .unwrap_or_else(|| LaneEnd::start(batch.device, batch.journal)),
            head_at_seen: self.head_at(batch.seen.seq),
            received: wanted.bases.iter().filter_map(received).collect(),
            lane_fates: self.lane_fates(batch.device, &wanted.lane),
            taken: wanted.origins.intersection(&self.taken).copied().collect(),
            offered: admit::offered(self.entries.iter().map(|entry| &entry.parts.batch)),
            index,
            now,
        }
    }

    fn part_of_index(&self, records: &BTreeSet<RecordId>) -> Index {
        records
            .iter()
            .filter_map(|record| Some((*record, self.index.get(record)?.clone())))
            .collect()
    }

    fn lane_fates(&self, device: DeviceId, wanted: &BTreeSet<u64>) -> LaneFates {
        let of_lane = self
            .entries
            .iter()
            .filter(|entry| entry.parts.batch.device == device);
        let fates = of_lane.flat_map(|entry| {
            entry
                .parts
                .batch
                .envelopes
                .iter()
                .map(|envelope| envelope.n)
                .zip(&entry.head.fates)
        });
        fates
            .filter(|(n, _)| wanted.contains(n))
            .map(|(n, fate)| (n, fate.clone()))
            .collect()
    }

    /// Destroys the contents and salts of erased records, and the seeds they derive from.
    fn erase(&mut self, records: &BTreeSet<RecordId>) {
        for entry in self.entries.iter_mut().filter(|_| !records.is_empty()) {
            let gone = |envelope: &crate::command::Envelope| records.contains(&envelope.record);
            entry.parts = entry.parts.withhold(|_, envelope| !gone(envelope));
        }
    }
}
