//! A rich log: two villages, their registry and an office's access journal, with every kind of fate in them, an erasure, a closed
//! month, amendments, moved people, revoked devices, a new operator key, and leaves of several publications.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sync_core::admit::{self, LaneEnd};
use sync_core::audit::{BUNDLE_VERSION, Bundle, CatalogueFiles, JournalPart, Shown, record_digest};
use sync_core::batch::{self, Sealing, Seed};
use sync_core::checkpoint::merkle::Frontier;
use sync_core::checkpoint::{Checkpoint, Leaf, origin, sign_checkpoint};
use sync_core::command::{Audience, Splice, Verb};
use sync_core::id::{AssignmentId, DeploymentId, DeviceId, JournalId, RecordId, Timestamp, UserId};
use sync_core::journal::{Chain, Entry, Fate};
use sync_core::month::Month;
use sync_core::record::{self, Logged, Mark, Record};
use sync_core::registry::{self, AccessAct, Purpose, RegistryAct, Standing, registry_journal};
use sync_core::sign::SigningKey;
use sync_core::sync::device::{Intent, Target};
use sync_core::sync::wire::WireEntry;
use sync_core::testing::{Host, Phone, TestRng, Village};
use sync_core::value::{Fields, Value};

/// Saturday 21 November 2026, noon in China.
const NOON: Timestamp = Timestamp(1_795_233_600_000);
const DAY_MS: i64 = 86_400_000;
const FS: usize = 0;
const TM: usize = 1;
const NEIGHBOUR: usize = 2;
const CS: usize = 3;

/// Draws of a seed.
#[derive(Debug)]
pub struct Dice(TestRng);

impl Dice {
    /// The draws of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(TestRng::new(seed))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        u64::from_be_bytes(self.0.bytes()) % end.max(1)
    }

    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a length")
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        self.0.bytes()
    }
}

/// A log, and what somebody may have got hold of who changes it.
#[derive(Debug)]
pub struct Log {
    /// What the auditor is given.
    pub bundle: Bundle,
    /// What he was given at earlier publications.
    pub earlier: Vec<Bundle>,
    /// The operator's key.
    pub operator: SigningKey,
    /// The log's key.
    pub log_key: SigningKey,
    /// The devices' keys.
    pub devices: BTreeMap<DeviceId, SigningKey>,
}

impl Log {
    /// The log of a seed. Every other one is shown to a reader who may not read all of it.
    pub fn of(seed: u64) -> Self {
        let mut story = Story::begin(seed);
        story.play();
        let whole = seed.is_multiple_of(2);
        let earlier = (story.published.iter())
            .map(|at| story.bundle(whole, at))
            .collect();
        let end = story.publish();
        Self {
            bundle: story.bundle(whole, &end),
            earlier,
            operator: SigningKey::from_seed(*story.host.operator_key().to_seed()),
            log_key: SigningKey::from_seed(*story.host.log_key().to_seed()),
            devices: story.keys,
        }
    }

    /// The fates that occur in it, by their codes.
    pub fn fates(&self) -> BTreeMap<String, usize> {
        let mut fates = BTreeMap::new();
        let entries = self.bundle.journals.iter().flat_map(|part| &part.entries);
        for (_, fate) in entries.flat_map(|entry| &entry.unusual) {
            let codes = match fate {
                Fate::Accepted => Vec::new(),
                Fate::Flagged(causes) => causes.clone(),
                Fate::NoEffect(code) | Fate::Refused(code, _) => vec![code.clone()],
            };
            for code in codes {
                *fates.entry(code).or_insert(0) += 1;
            }
        }
        fates
    }
}

/// How far everything was published.
#[derive(Debug, Clone)]
struct Published {
    ends: BTreeMap<JournalId, usize>,
    leaves: usize,
}

struct Access {
    journal: JournalId,
    chain: Chain,
    lane: LaneEnd,
    entries: Vec<Entry>,
}

struct Carried {
    phone: Phone,
    user: UserId,
    home: Village,
}

struct Story {
    host: Host,
    dice: Dice,
    now: Timestamp,
    villages: [Village; 2],
    phones: Vec<Carried>,
    assignments: Vec<AssignmentId>,
    keys: BTreeMap<DeviceId, SigningKey>,
    access: Access,
    leaves: Vec<Leaf>,
    published: Vec<Published>,
    markers: u32,
}

impl Story {
    fn begin(seed: u64) -> Self {
        let mut host = Host::found(seed, NOON);
        let villages = ["半子沟村", "下堡村"].map(|name| host.add_village(name, NOON));
        let mut dice = Dice::new(seed ^ 0x5eed);
        let journal = JournalId(dice.bytes());
        let from = NOON.date().plus_days(-1_000);
        host.act(
            RegistryAct::SetJournal {
                journal,
                purpose: Purpose::Access,
                area: host.county(),
                from,
            },
            NOON,
        );
        let mut story = Self {
            access: Access {
                journal,
                chain: Chain::start(journal),
                lane: LaneEnd::start(host.operator_key().public().device(), journal),
                entries: Vec::new(),
            },
            host,
            dice,
            now: NOON,
            villages,
            phones: Vec::new(),
            assignments: Vec::new(),
            keys: BTreeMap::new(),
            leaves: Vec::new(),
            published: Vec::new(),
            markers: 0,
        };
        for (role, home) in [("FS", 0), ("TM", 0), ("FS", 1), ("CS", 0)] {
            let (user, home) = (story.host.add_user("某", NOON), villages[home]);
            let area = if role == "CS" {
                story.host.county()
            } else {
                home.area
            };
            let assignment = story.host.assign(user, role, area, from, None, NOON);
            story.assignments.push(assignment);
            let phone = Phone::enrol(&mut story.host, user, NOON);
            story.phones.push(Carried { phone, user, home });
            story.remember_key(story.phones.len() - 1);
        }
        story.everyone_syncs();
        story
    }

    fn remember_key(&mut self, at: usize) {
        let key = SigningKey::from_seed(self.phones[at].phone.device.identity().seed);
        self.keys.insert(key.public().device(), key);
    }

    fn play(&mut self) {
        let home = self.villages[0].journal;
        // Something that everyone has before him.
        for at in [FS, TM, NEIGHBOUR] {
            for name in ["甲", "乙", "丙"] {
                self.save(
                    at,
                    &Intent::create("household").with("householder", Value::text(name)),
                );
            }
            self.sync(at);
        }
        self.everyone_syncs();
        self.some_days(5);
        self.look();
        let published = self.publish();
        self.published.push(published);

        // An erasure, and something written before its author knew of it.
        if let Some(gone) = self.of_kind(CS, home, "household").first().cloned() {
            self.save(FS, &Intent::set(gone.id).with("phone", Value::text("138")));
            let erase = Intent::new(Target::Existing(gone.id), Verb::Erase);
            self.save(CS, &erase.because("本人依法要求"));
            self.sync(CS);
            self.sync(FS);
        }
        // A closed month, and what comes too late for it from a phone whose clock is wrong.
        let month = Month::at(NOON.plus_ms(-30 * DAY_MS)).expect("a month of the calendar");
        self.save(CS, &Intent::seal(month));
        self.sync(CS);
        self.now = self.now.plus_ms(-30 * DAY_MS);
        let late = Intent::create("household").with("householder", Value::text("丁"));
        self.save(TM, &late);
        self.now = self.now.plus_ms(30 * DAY_MS);
        self.sync(TM);
        // Two act at once on what both saw.
        self.everyone_syncs();
        let households = self.of_kind(FS, home, "household").into_iter();
        let registered = |record: &Record| record.state.as_deref() == Some("registered");
        if let Some(household) = households.rev().find(registered) {
            for at in [FS, TM] {
                self.save(at, &Intent::act(household.id, "cancel").because("迁走"));
            }
        }
        self.sync(FS);
        self.sync(TM);
        // A testimony, filed and amended.
        self.testimony(home);
        self.some_days(4);
        let published = self.publish();
        self.published.push(published);

        // A phone is lost with work on it that its owner offers again.
        self.save(
            TM,
            &Intent::create("household").with("householder", Value::text("戊")),
        );
        let lost = self.phones[TM].phone.device.id();
        self.host
            .set_standing(lost, Standing::Revoked, "lost", self.now);
        self.sync(TM);
        let identity = self.host.enrol(self.phones[TM].user, self.now);
        let phone = &mut self.phones[TM].phone;
        let effects = phone.device.enrol_in_place(identity.seed);
        phone.storage.carry_out(&effects);
        self.remember_key(TM);
        self.sync(TM);
        self.offer_again(TM);
        self.sync(TM);
        // An assignment ends while its holder is out of reach; he gets another.
        self.save(
            NEIGHBOUR,
            &Intent::create("household").with("householder", Value::text("己")),
        );
        self.now = self.now.plus_ms(DAY_MS);
        let yesterday = self.now.date().plus_days(-1);
        let (user, area) = (self.phones[NEIGHBOUR].user, self.villages[1].area);
        self.host
            .end_assignment(self.assignments[NEIGHBOUR], yesterday, false, self.now);
        let today = self.now.date();
        self.host.assign(user, "VC", area, today, None, self.now);
        self.sync(NEIGHBOUR);
        self.host.change_operator(self.now);
        self.host.add_user("新", self.now);
        self.access.lane = LaneEnd::start(
            self.host.operator_key().public().device(),
            self.access.journal,
        );
        self.look();
        self.some_days(4);
        self.everyone_syncs();
    }

    fn testimony(&mut self, home: JournalId) {
        let Some(household) = self.of_kind(FS, home, "household").first().cloned() else {
            return;
        };
        let visit = Intent::create("visit")
            .link("household", household.id)
            .with("weather", Value::text("晴"));
        let Some(visit) = self.save(FS, &visit) else {
            return;
        };
        self.save(FS, &Intent::act(visit, "file"));
        let amend = Intent::new(Target::Existing(visit), Verb::Amend);
        let amend = amend.with("weather", Value::text("雪"));
        self.save(FS, &amend.because("记错了"));
        self.sync(FS);
    }

    /// People save and sync, now and then.
    fn some_days(&mut self, steps: u64) {
        for _ in 0..steps + self.dice.below(steps) {
            self.now = self
                .now
                .plus_ms(1 + i64::try_from(self.dice.below(7_200_000)).unwrap_or(0));
            let at = self.dice.index(self.phones.len());
            for _ in 0..=self.dice.below(3) {
                if let Some(intent) = self.wish(at) {
                    self.save(at, &intent);
                }
            }
            if self.dice.below(3) > 0 {
                self.sync(at);
            }
        }
    }

    fn wish(&mut self, at: usize) -> Option<Intent> {
        self.markers += 1;
        let text = Value::text(format!("字{}", self.markers));
        let journal = self.phones[at].home.journal;
        let draw = self.dice.below(10);
        let kind = match draw {
            0 => return Some(Intent::create("household").with("householder", text)),
            1 => {
                let task = Intent::create("task").with("title", text);
                return Some(task.link("assignees", RecordId(self.phones[FS].user.0)));
            }
            2..=5 => "household",
            6..=8 => "visit",
            _ => "task",
        };
        let records = self.of_kind(at, journal, kind);
        let record = records.get(self.dice.index(records.len()))?;
        let id = record.id;
        Some(match draw {
            2 | 3 => {
                let mut set = Intent::set(id).with("phone", text);
                set.chooses = record.conflicts().any(|(name, _)| name == "phone");
                set
            }
            4 => {
                let mut edit = Intent::new(Target::Existing(id), Verb::Edit);
                let insert = format!("又到{}", self.markers);
                let splice = Splice {
                    at: u32::MAX,
                    delete: 0,
                    insert,
                };
                edit.edit = Some(("note".to_owned(), vec![splice]));
                edit
            }
            5 => Intent::create("visit")
                .link("household", id)
                .with("weather", text),
            6 => Intent::set(id).with("illness", text),
            7 => {
                let item = [("item", text), ("done", Value::Bool(false))];
                let items = Value::List(vec![Value::Struct(Fields::from_iter(item))]);
                Intent::new(Target::Existing(id), Verb::Insert).with("checklist", items)
            }
            8 => Intent::act(id, "file"),
            _ => Intent::act(id, "sign"),
        })
    }

    fn of_kind(&self, at: usize, journal: JournalId, kind: &str) -> Vec<Record> {
        let device = &self.phones[at].phone.device;
        let all = device.records(journal).into_iter();
        all.filter_map(|record| device.record(journal, record))
            .filter(|record| record.kind == kind && !record.marks.contains(&Mark::Erased))
            .map(Cow::into_owned)
            .collect()
    }

    /// Saves what can be saved.
    fn save(&mut self, at: usize, intent: &Intent) -> Option<RecordId> {
        let journal = self.phones[at].home.journal;
        let saved = (self.phones[at].phone).save(journal, None, intent.clone(), self.now);
        saved.ok().map(|saved| saved.record)
    }

    fn offer_again(&mut self, at: usize) {
        let now = self.now;
        let phone = &mut self.phones[at].phone;
        for unanswered in phone.device.to_answer() {
            let world = &mut sync_core::sync::device::World {
                now,
                rng: &mut phone.rng,
            };
            if let Ok(saved) = phone.device.offer_again(world, unanswered.origin) {
                phone.storage.carry_out(&saved.effects);
            }
        }
    }

    fn sync(&mut self, at: usize) {
        self.now = self.now.plus_ms(1_000);
        let phone = &mut self.phones[at].phone;
        (phone.sync(&mut self.host, self.now)).expect("the host is honest");
    }

    fn everyone_syncs(&mut self) {
        (0..self.phones.len()).for_each(|at| self.sync(at));
    }

    /// Somebody of the county reads, and it is entered.
    fn look(&mut self) {
        let deployment = self.host.deployment();
        let act = AccessAct::SignIn {
            user: self.phones[CS].user,
        };
        let access = &mut self.access;
        let (chain, lane) = (access.chain, access.lane);
        let command =
            registry::to_command(deployment, &act, None, lane.n + 1, chain.end.seq, self.now);
        let sealing = Sealing {
            deployment,
            journal: access.journal,
            assignment: AssignmentId([0; 16]),
            catalogue: 0,
            previous: lane.batch,
            seen: chain.end,
            at: self.now,
            seed: Seed(self.dice.bytes()),
            key: self.host.operator_key(),
        };
        let parts = batch::seal(&sealing, vec![command]);
        let position = self.host.registry().position();
        let (head, chain) = admit::enter(&parts, &chain, position, deployment, self.now);
        access.chain = chain;
        access.lane = LaneEnd {
            n: parts.batch.last(),
            batch: head.batch,
        };
        access.entries.push(Entry { head, parts });
    }

    /// Every journal with its entries and its chain's end; the registry among them.
    fn journals(&self) -> Vec<(Chain, Vec<&Entry>)> {
        let registry = self.host.acts().iter().map(|(entry, _)| entry).collect();
        let mut journals = vec![
            (self.host.registry().chain, registry),
            (self.access.chain, self.access.entries.iter().collect()),
        ];
        for village in &self.villages {
            let journal = (self.host.journal(village.journal)).expect("the host has its villages");
            journals.push((journal.chain, journal.entries.iter().collect()));
        }
        journals.sort_by_key(|(chain, _)| chain.journal);
        journals
    }

    fn publish(&mut self) -> Published {
        let mut ends = BTreeMap::new();
        let mut moved = Vec::new();
        for (chain, entries) in self.journals() {
            ends.insert(chain.journal, entries.len());
            let leaf = Leaf {
                journal: chain.journal,
                seq: chain.end.seq,
                head: chain.end.head,
            };
            if !entries.is_empty() && !self.leaves.contains(&leaf) {
                moved.push(leaf);
            }
        }
        self.leaves.extend(moved);
        Published {
            ends,
            leaves: self.leaves.len(),
        }
    }

    /// What an auditor is given, at a publication.
    fn bundle(&self, whole: bool, at: &Published) -> Bundle {
        let deployment = self.host.deployment();
        let registry_id = registry_journal(deployment);
        let (mut registry, mut journals, mut records) = (Vec::new(), Vec::new(), Vec::new());
        for (chain, entries) in self.journals() {
            let journal = chain.journal;
            let end = at.ends.get(&journal).copied().unwrap_or(0);
            let entries = entries.into_iter().take(end);
            if journal == registry_id {
                registry = entries.map(WireEntry::pack).collect();
                continue;
            }
            if whole && journal != self.access.journal {
                records.extend(self.shown(journal, entries.clone()));
            }
            let entries = entries.map(|entry| wire(entry, whole)).collect();
            journals.push(JournalPart { journal, entries });
        }
        let leaves: Vec<Leaf> = self.leaves.iter().take(at.leaves).copied().collect();
        Bundle {
            version: BUNDLE_VERSION,
            deployment,
            registry,
            journals,
            checkpoint: signed(deployment, &leaves, self.host.log_key()),
            leaves,
            catalogues: (self.host.catalogues().iter())
                .map(|(version, catalogue)| CatalogueFiles {
                    version: *version,
                    files: (catalogue.files().iter())
                        .map(|file| (file.name.clone(), file.text.clone()))
                        .collect(),
                })
                .collect(),
            records,
        }
    }

    fn shown<'a>(
        &self,
        journal: JournalId,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> Vec<Shown> {
        let mut logs: BTreeMap<RecordId, Vec<Logged>> = BTreeMap::new();
        for logged in entries.flat_map(record::logged) {
            for id in record::touches(&logged.command.envelope) {
                logs.entry(id).or_default().push(logged.clone());
            }
        }
        let fold = |(id, log): (&RecordId, &Vec<Logged>)| Shown {
            journal,
            record: *id,
            digest: record_digest(&record::fold(self.host.catalogues(), journal, *id, log)),
        };
        logs.iter().map(fold).collect()
    }
}

/// An entry as its reader gets it.
fn wire(entry: &Entry, whole: bool) -> WireEntry {
    let may_read = |index: usize, audience: Audience| {
        let refused = entry.head.fates.get(index).is_some_and(Fate::is_refused);
        whole || (!refused && matches!(audience, Audience::Village | Audience::County))
    };
    let parts = (entry.parts).withhold(|index, envelope| may_read(index, envelope.audience));
    WireEntry::pack(&Entry {
        head: entry.head.clone(),
        parts,
    })
}

/// The signed checkpoint over leaves.
pub(super) fn signed(deployment: DeploymentId, leaves: &[Leaf], key: &SigningKey) -> String {
    let mut tree = Frontier::default();
    for leaf in leaves {
        tree.append(leaf.hash());
    }
    let checkpoint = Checkpoint {
        origin: origin(deployment),
        size: tree.size(),
        root: tree.root(),
        extensions: Vec::new(),
    };
    sign_checkpoint(&checkpoint, key).expect("an origin of one line")
}
