//! The run of one script: who there is, what happens, and how everyone meets in the end.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::id::{AssignmentId, DeviceId, JournalId, RecordId, Seq, Timestamp, UserId};
use sync_core::sync::device::FormId;
use sync_core::testing::{Host, Phone, Village};

use super::Fault;
use super::checks;
use super::ledger::Ledger;
use super::people::Dice;
use super::script::{About, Line, Script, Step, What};
use super::server::Server;
use super::violation::{Sign, Violation};

mod folded;
mod intruder;
mod line;
mod office;
mod restore;
mod told;
mod trouble;
mod work;

pub(super) use told::fate_words;

/// Saturday 21 November 2026, noon in China.
const NOON: Timestamp = Timestamp(1_795_233_600_000);
const DAY_MS: i64 = 86_400_000;
const VILLAGES: [&str; 3] = ["半子沟村", "下堡村", "杨坊村"];
const PHONES_MAX: usize = 14;

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
    /// What was lost for good though nobody broke a promise.
    pub(super) lost: restore::LostForGood,
}

/// One script's world.
#[derive(Debug)]
pub(super) struct Sim {
    pub(super) seed: u64,
    pub(super) dice: Dice,
    pub(super) fault: Option<Fault>,
    pub(super) server: Server,
    pub(super) villages: Vec<Village>,
    pub(super) people: Vec<Person>,
    pub(super) phones: Vec<Carried>,
    pub(super) ledger: Ledger,
    pub(super) truth: Truth,
    pub(super) violations: Vec<Violation>,
    about: About,
    /// Who cannot reach the server, by bits.
    cut_off: u16,
    intruder: intruder::Intruder,
    losses: restore::Losses,
    /// The village in which an office was last asked for something.
    chosen: Option<JournalId>,
    /// The checkpoint that an auditor kept.
    pub(super) kept: Option<String>,
    now: Timestamp,
    step: u64,
    told: told::Told,
}

impl Sim {
    pub(super) fn new(script: &Script, fault: Option<Fault>, telling: bool) -> Self {
        let mut host = Host::found(script.seed, NOON);
        let villages: Vec<Village> = VILLAGES
            .iter()
            .take(script.villages)
            .map(|name| host.add_village(name, NOON))
            .collect();
        let mut people = Vec::new();
        let mut phones = Vec::new();
        for (at, role) in script.roles.iter().copied().enumerate() {
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
        let intruder = intruder::Intruder::enrol(&mut host, &villages);
        let mut sim = Self {
            seed: script.seed,
            dice: Dice::new(script.seed),
            fault,
            server: Server::new(host, fault),
            villages,
            people,
            phones,
            ledger: Ledger::default(),
            truth: Truth::default(),
            violations: Vec::new(),
            about: script.about,
            cut_off: 0,
            intruder,
            losses: restore::Losses::default(),
            chosen: None,
            kept: None,
            now: NOON,
            step: 0,
            told: told::Told::new(telling),
        };
        (0..sim.phones.len()).for_each(|phone| sim.sync_fully(phone));
        sim.server.host.publish();
        sim
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(super) fn violated(&mut self, sign: Sign, at: impl Into<String>) {
        self.violations.push(sign.at(at));
    }

    pub(super) fn play(&mut self, script: &Script) {
        self.tell_world();
        for step in &script.steps {
            self.take(step);
        }
        self.server.join();
        self.cut_off = 0;
        self.now = self.now.plus_ms(60_000);
        self.phones
            .iter_mut()
            .for_each(|carried| carried.skew_ms = 0);
        (0..self.phones.len()).for_each(|phone| self.sync_fully(phone));
        self.reopen_log();
        (0..self.phones.len()).for_each(|phone| self.fetch(phone));
        self.tell(
            "the line is good, clocks are set, and everyone syncs until nothing is left to say",
        );
        self.everyone_meets();
        self.server.host.publish();
    }

    fn take(&mut self, step: &Step) {
        let family: Vec<usize> = (0..self.phones.len())
            .filter(|phone| self.phones[*phone].person == step.who)
            .collect();
        if family.is_empty() {
            return;
        }
        let phone = family[step.copy % family.len()];
        self.step = step.number;
        self.dice = Dice::new(step.dice);
        self.now = self.now.plus_ms(i64::try_from(step.after_ms).unwrap_or(0));
        match step.what {
            What::Save => self.save(phone),
            What::OpenForm => self.open_form(phone),
            What::CloseForms => self.close_forms(phone),
            What::Sync(line) => {
                self.exchange(phone, line);
            }
            What::Meet => self.meet(),
            What::Crash => self.crash(phone),
            What::SetClock(days) => self.set_clock(phone, days),
            What::Wait(days) => {
                self.now = self.now.plus_ms(DAY_MS * days);
                self.tell(format!("{days} days pass"));
            }
            What::Carry => self.carry(phone),
            What::OfferAgain => self.offer_again(phone),
            What::Clone { lost } => self.clone_storage(phone, lost),
            What::Revoke => self.revoke(phone),
            What::EndAssignment { for_cause } => self.end_assignment(phone, for_cause),
            What::Erase => self.erase(),
            What::Seal => self.seal_month(),
            What::Reopen => self.reopen_month(),
            What::Clear => self.clear_marks(),
            What::Publish => self.publish(),
            What::Fetch => self.fetch(phone),
            What::Checkpoint => self.sign_checkpoint(),
            What::BackUp => self.back_up(),
            What::Restore => self.restore(),
            What::ReopenLog => self.reopen_log(),
            What::Intrude(intrusion) => self.intrude(intrusion),
            What::EnrolIfTold => self.enrol_if_told(phone),
            What::Partition(cut_off) => {
                self.cut_off = cut_off;
                let who: Vec<String> = (0..self.phones.len())
                    .filter(|phone| self.is_cut_off(*phone))
                    .map(|phone| self.name(phone))
                    .collect();
                self.tell(format!("out of reach from now on: {}", who.join(", ")));
            }
            What::Heal => {
                self.cut_off = 0;
                self.tell("everyone can reach the server again");
            }
            What::Split => self.split(),
            What::Join => self.join(),
        }
    }

    /// What is said in this step stands in its content, and nowhere else.
    fn marker(&self) -> String {
        format!("字{}", self.step)
    }

    fn at(&self, phone: usize) -> Timestamp {
        self.now.plus_ms(self.phones[phone].skew_ms)
    }

    fn is_cut_off(&self, phone: usize) -> bool {
        self.cut_off >> self.phones[phone].person & 1 == 1
    }

    fn position(&self, phone: usize, journal: JournalId) -> Seq {
        self.phones[phone]
            .phone
            .device
            .position(journal)
            .map_or(0, |end| end.seq)
    }

    fn journal_for(&mut self, phone: usize) -> Option<JournalId> {
        // The order of ids is as random as they are: that of villages is the same for every way to shorten a script.
        let held = self.phones[phone].phone.device.journals();
        let held: Vec<JournalId> = self
            .villages
            .iter()
            .map(|village| village.journal)
            .filter(|journal| held.contains(journal))
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

    /// Everyone who can syncs, and what must hold at a quiet moment is looked at.
    fn meet(&mut self) {
        if !self.server.other().is_empty() {
            return;
        }
        self.tell("everyone who can reach the server syncs until nothing is left to say");
        if self.server.host.is_behind() {
            // Whoever came before it was refilled comes again.
            self.everyone_meets();
        }
        self.everyone_meets();
        if self.server.host.is_behind() {
            return;
        }
        let found = checks::at_rest(self);
        self.violations.extend(found);
    }

    /// Every phone that can syncs until nothing is left to say.
    fn everyone_meets(&mut self) {
        for _ in 0..3 {
            for phone in 0..self.phones.len() {
                if self.is_cut_off(phone) {
                    continue;
                }
                self.sync_fully(phone);
                if self.is_told(phone) {
                    self.enrol_in_place(phone);
                    self.sync_fully(phone);
                }
            }
        }
    }

    fn close_forms(&mut self, phone: usize) {
        if self.phones[phone].forms.is_empty() {
            return;
        }
        self.phones[phone].forms.clear();
        self.tell(format!("{} closes all forms", self.name(phone)));
    }

    pub(super) fn told(self) -> Vec<String> {
        self.told.into_lines()
    }

    /// Whether a phone takes part in what is looked at now.
    pub(super) fn is_within_reach(&self, phone: usize) -> bool {
        !self.is_cut_off(phone)
    }

    fn line_for(&self, phone: usize, line: Line) -> Line {
        if self.is_cut_off(phone) {
            Line::RequestLost
        } else {
            line
        }
    }
}
