//! The run of one seed: who there is, what happens, and how everyone meets in the end.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::id::{AssignmentId, DeviceId, JournalId, RecordId, Seq, Timestamp, UserId};
use sync_core::sync::device::FormId;
use sync_core::testing::{Host, Phone, Village};

use super::Fault;
use super::ledger::Ledger;
use super::people::Dice;
use super::server::Server;

mod folded;
mod line;
mod trouble;
mod work;

/// Saturday 21 November 2026, noon in China.
const NOON: Timestamp = Timestamp(1_795_233_600_000);
const DAY_MS: i64 = 86_400_000;
const ROLES: [&str; 12] = [
    "FS", "TM", "TW", "TM", "VC", "FS", "CS", "TM", "VC", "TM", "TM", "TW",
];

/// A person with a phone.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) user: UserId,
    pub(super) role: &'static str,
    pub(super) assignment: AssignmentId,
    /// Whether the assignment ended or became another: what the phone may read changed with it.
    pub(super) moved: bool,
}

/// A form that somebody keeps open.
#[derive(Debug)]
struct Open {
    journal: JournalId,
    form: FormId,
    record: RecordId,
    saw: Seq,
}

/// A phone, and what the simulation does to it.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) phone: Phone,
    pub(super) person: usize,
    skew_ms: i64,
    forms: Vec<Open>,
    /// Whether it enrolled in place.
    pub(super) again: bool,
    /// Whether a lying server showed it a history of its own.
    pub(super) misled: bool,
    /// Whether its storage was copied, or is a copy.
    pub(super) copied: bool,
}

/// What the simulation knows that no phone tells it.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Devices whose storage was copied.
    pub(super) cloned: BTreeSet<DeviceId>,
    /// Where each journal stood when a device was revoked.
    pub(super) revoked: Vec<(DeviceId, BTreeMap<JournalId, Seq>)>,
    /// Where each journal stood when a person's assignment was withdrawn for cause.
    pub(super) withdrawn: Vec<(UserId, BTreeMap<JournalId, Seq>)>,
}

/// One seed's world.
#[derive(Debug)]
pub(super) struct Sim {
    pub(super) dice: Dice,
    pub(super) fault: Option<Fault>,
    pub(super) server: Server,
    pub(super) villages: Vec<Village>,
    pub(super) people: Vec<Person>,
    pub(super) phones: Vec<Carried>,
    pub(super) ledger: Ledger,
    pub(super) truth: Truth,
    pub(super) violations: Vec<String>,
    now: Timestamp,
    markers: u64,
    splits: bool,
}

impl Sim {
    pub(super) fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut dice = Dice::new(seed);
        let mut host = Host::found(seed, NOON);
        let villages: Vec<Village> = ["半子沟村", "下堡村", "杨坊村"]
            .iter()
            .take(1 + dice.index(5).saturating_sub(2))
            .map(|name| host.add_village(name, NOON))
            .collect();
        // Mostly few, for only who meets others can disagree with them.
        let most = ROLES.len() - 1;
        let count = 2 + dice.index(most).min(dice.index(most));
        let mut people = Vec::new();
        let mut phones = Vec::new();
        for (at, role) in ROLES.iter().copied().take(count).enumerate() {
            let user = host.add_user("某", NOON);
            let area = match role {
                "TW" => host.township(),
                "CS" => host.county(),
                _ => villages[at % villages.len()].area,
            };
            let from = NOON.date().plus_days(-1_000);
            let assignment = host.assign(user, role, area, from, None, NOON);
            people.push(Person {
                user,
                role,
                assignment,
                moved: false,
            });
            let phone = Phone::enrol(&mut host, user, NOON);
            phones.push(Carried {
                phone,
                person: at,
                skew_ms: 0,
                forms: Vec::new(),
                again: false,
                misled: false,
                copied: false,
            });
        }
        let splits = fault == Some(Fault::SeenNotChecked) || (fault.is_none() && seed % 8 == 7);
        let mut sim = Self {
            dice,
            fault,
            server: Server::new(host, fault),
            villages,
            people,
            phones,
            ledger: Ledger::default(),
            truth: Truth::default(),
            violations: Vec::new(),
            now: NOON,
            markers: 0,
            splits,
        };
        (0..count).for_each(|phone| sim.sync_fully(phone));
        sim
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(super) fn violated(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    pub(super) fn play(&mut self) {
        self.morning();
        let steps = 60 + self.dice.below(60);
        for step in 0..steps {
            if self.splits && step == steps / 3 {
                self.split();
            }
            if self.splits && step == steps * 2 / 3 {
                self.join();
            }
            self.now = self
                .now
                .plus_ms(i64::try_from(self.dice.below(600_000)).unwrap_or(0));
            self.step();
        }
        self.join();
    }

    fn step(&mut self) {
        let phone = self.dice.index(self.phones.len());
        match self.dice.below(100) {
            0..=46 => self.save(phone),
            47..=56 => self.open_form(phone),
            57..=78 => self.sync_somehow(phone),
            79..=81 => self.crash(phone),
            82..=83 => self.set_clock(phone),
            84..=86 => {
                self.now = self
                    .now
                    .plus_ms(DAY_MS * i64::try_from(self.dice.below(6)).unwrap_or(0));
            }
            87..=88 => self.carry(phone),
            89..=91 => self.offer_again(phone),
            92 => self.clone_storage(phone),
            93 => self.revoke(phone),
            94 => self.move_person(phone),
            95 => self.erase(),
            96..=97 => self.phones[phone].forms.clear(),
            _ => self.enrol_if_told(phone),
        }
    }

    fn marker(&mut self) -> String {
        self.markers += 1;
        format!("字{}", self.markers)
    }

    fn at(&self, phone: usize) -> Timestamp {
        self.now.plus_ms(self.phones[phone].skew_ms)
    }

    fn position(&self, phone: usize, journal: JournalId) -> Seq {
        self.phones[phone]
            .phone
            .device
            .position(journal)
            .map_or(0, |end| end.seq)
    }

    fn journal_for(&mut self, phone: usize) -> Option<JournalId> {
        let held: Vec<JournalId> = self.phones[phone]
            .phone
            .device
            .journals()
            .into_iter()
            .collect();
        self.dice.pick(&held).copied()
    }

    /// Who is stationed in a village.
    fn team_of(&self, journal: JournalId) -> Vec<UserId> {
        let here = |at: usize| self.villages[at % self.villages.len()].journal == journal;
        let people = self.people.iter().enumerate();
        people
            .filter(|(at, person)| here(*at) && matches!(person.role, "FS" | "TM"))
            .map(|(_, person)| person.user)
            .collect()
    }

    /// The day begins with something that everyone has before him.
    fn morning(&mut self) {
        for phone in 0..self.phones.len().min(3) {
            (0..3).for_each(|_| self.save(phone));
            self.sync_fully(phone);
        }
        (0..self.phones.len()).for_each(|phone| self.sync_fully(phone));
    }

    /// The line is good, clocks are set, and every phone syncs until nothing is left to say.
    pub(super) fn everyone_meets(&mut self) {
        self.now = self.now.plus_ms(60_000);
        for _ in 0..3 {
            for phone in 0..self.phones.len() {
                self.phones[phone].skew_ms = 0;
                self.sync_fully(phone);
                if self.is_told(phone) {
                    self.enrol_in_place(phone);
                    self.sync_fully(phone);
                }
            }
        }
    }
}
