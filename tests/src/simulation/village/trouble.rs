//! What befalls phones and people: crashes, wrong clocks, copied storage, lost phones, ended assignments, erasures, a server
//! with two histories.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use sync_core::id::{JournalId, Seq};
use sync_core::record::Record;
use sync_core::registry::Standing;
use sync_core::sync::device::Key;
use sync_core::testing::{Phone, TestRng, Village};
use sync_core::view::PENDING;

use super::super::Fault;
use super::super::checks::{differ, lie_fails};
use super::super::script::Line;
use super::super::violation::Sign;
use super::{Carried, DAY_MS, PHONES_MAX, Sim};

impl Sim {
    pub(super) fn restart(&mut self, phone: usize) {
        let carried = &mut self.phones[phone];
        carried.forms.clear();
        carried.phone.restart();
    }

    /// A crash when nothing was on its way changes nothing but that forms close.
    pub(super) fn crash(&mut self, phone: usize) {
        let before = self.shown(phone);
        let waits = |record: &Option<Record>| {
            record
                .iter()
                .flat_map(|record| &record.steps)
                .any(|step| step.place.seq == PENDING)
        };
        self.restart(phone);
        self.tell(format!("{} crashes and starts again", self.name(phone)));
        let after = self.shown(phone);
        // What was answered but not entered here is asked for again after a restart.
        if before
            .iter()
            .zip(&after)
            .any(|(one, other)| one != other && !waits(one))
            || before.len() != after.len()
        {
            let (one, other) = (before.iter().zip(&after))
                .find(|(one, other)| one != other)
                .unwrap_or((&None, &None));
            let differ = differ(one.as_ref(), other.as_ref());
            self.violated(
                Sign::ForgottenByRestart,
                format!(
                    "{}: {} and {} records: {differ}",
                    self.name(phone),
                    before.len(),
                    after.len()
                ),
            );
        }
    }

    pub(super) fn shown(&self, phone: usize) -> Vec<Option<Record>> {
        let device = &self.phones[phone].phone.device;
        let journals = self.villages.iter().map(|village| village.journal);
        journals
            .flat_map(|journal| {
                device
                    .records(journal)
                    .into_iter()
                    .map(move |record| device.record(journal, record).map(Cow::into_owned))
            })
            .collect()
    }

    pub(super) fn set_clock(&mut self, phone: usize, days: i64) {
        self.phones[phone].skew_ms = days * DAY_MS;
        self.tell(format!(
            "the clock of {} is {days} days off",
            self.name(phone)
        ));
    }

    pub(super) fn clone_storage(&mut self, phone: usize, lost: bool) {
        // What was copied is not copied again: nothing would tell apart what two copies of a copy offer anew.
        if self.phones[phone].copied || self.phones.len() >= PHONES_MAX {
            return;
        }
        self.phones[phone].copied = true;
        let carried = &self.phones[phone];
        self.truth.cloned.insert(carried.phone.device.id());
        let mut twin = Phone::new(
            carried.phone.device.identity().clone(),
            self.server.host.catalogues().clone(),
        );
        twin.storage = carried.phone.storage.clone();
        twin.rng = TestRng::new(self.dice.below(u64::MAX));
        twin.restart();
        let at = self.phones.len();
        let twin = Carried {
            phone: twin,
            person: carried.person,
            skew_ms: 0,
            forms: Vec::new(),
            again: true,
            misled: carried.misled,
            copied: true,
        };
        self.phones.push(twin);
        self.tell(format!(
            "the storage of {} is copied to another phone",
            self.name(phone)
        ));
        // Lost and restored from a backup: both get new keys, and both have the same to offer again.
        if self.server.is_open() && lost {
            self.revoke(phone);
            for copy in [phone, at] {
                self.enrol_in_place(copy);
                self.exchange(copy, Line::Good);
            }
        }
    }

    pub(super) fn ends(&self) -> BTreeMap<JournalId, Seq> {
        let end = |village: &Village| {
            self.server
                .host
                .journal(village.journal)
                .map_or(0, |journal| journal.chain.end.seq)
        };
        self.villages
            .iter()
            .map(|village| (village.journal, end(village)))
            .collect()
    }

    pub(super) fn revoke(&mut self, phone: usize) {
        let device = self.phones[phone].phone.device.id();
        if self.server.is_open() {
            self.server
                .host
                .set_standing(device, Standing::Revoked, "lost", self.now);
            self.truth.revoked.push((device, self.ends()));
            self.tell(format!("{} is reported lost and revoked", self.name(phone)));
        }
    }

    /// An assignment ends, or is withdrawn, or becomes another.
    pub(super) fn end_assignment(&mut self, phone: usize, for_cause: bool) {
        let person = self.phones[phone].person;
        if self.people[person].moved || !self.server.is_open() {
            return;
        }
        let (user, assignment) = (self.people[person].user, self.people[person].assignment);
        self.people[person].moved = true;
        let yesterday = self.now.date().plus_days(-1);
        self.server
            .host
            .end_assignment(assignment, yesterday, for_cause, self.now);
        if for_cause {
            self.truth.withdrawn.push((user, self.ends()));
        } else {
            let area = self.villages[0].area;
            let today = self.now.date();
            self.people[person].assignment = self
                .server
                .host
                .assign(user, "VC", area, today, None, self.now);
            self.people[person].role = "VC";
        }
        self.tell(format!(
            "the assignment of {} {}",
            self.name(person),
            if for_cause {
                "is withdrawn for cause"
            } else {
                "ended yesterday; he works in village 1 for the committee now"
            }
        ));
    }

    /// Whether the registry no longer takes this phone's key.
    pub(super) fn is_told(&self, phone: usize) -> bool {
        let device = self.phones[phone].phone.device.id();
        let known = self.server.host.registry().devices.get(&device);
        known.is_none_or(|device| device.standing != Standing::Active)
    }

    pub(super) fn enrol_if_told(&mut self, phone: usize) {
        if self.is_told(phone) {
            self.enrol_in_place(phone);
        }
    }

    pub(super) fn enrol_in_place(&mut self, phone: usize) {
        if self.server.host.is_behind() {
            return;
        }
        let user = self.people[self.phones[phone].person].user;
        let identity = self.server.host.enrol(user, self.now);
        let carried = &mut self.phones[phone];
        carried.again = true;
        carried.forms.clear();
        let effects = carried.phone.device.enrol_in_place(identity.seed);
        self.carry_out(phone, &effects);
        self.tell(format!("{} gets a new key in place", self.name(phone)));
        if self.has(Fault::OutboxLostOnEnrolment) {
            let kept = &mut self.phones[phone].phone.storage.0;
            kept.retain(|key, _| !matches!(key, Key::Pending(..)));
            self.restart(phone);
        }
    }

    pub(super) fn split(&mut self) {
        if self.server.host.is_behind() {
            return;
        }
        let misled: BTreeSet<usize> = (0..self.phones.len())
            .filter(|phone| phone % 2 == 1)
            .collect();
        for phone in &misled {
            self.phones[*phone].misled = true;
        }
        let journals: Vec<JournalId> = self
            .villages
            .iter()
            .map(|village| village.journal)
            .collect();
        let who: Vec<String> = misled.iter().map(|phone| self.name(*phone)).collect();
        self.server.split(&journals, misled);
        self.tell(format!(
            "the server begins to show another history to {}",
            who.join(", ")
        ));
    }

    pub(super) fn join(&mut self) {
        if self.server.other().is_empty() {
            return;
        }
        // What it showed the others leads elsewhere than what it publishes: no auditor passes that.
        self.server.host.publish();
        let (lie, differs) = self.server.lie();
        self.violations.extend(lie_fails(&lie).filter(|_| differs));
        self.server.join();
        self.tell("the server shows everyone one history again");
    }
}
