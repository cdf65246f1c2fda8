//! A village with a phone for each of some roles, for the tests of what people look at.

use std::collections::BTreeMap;

use super::Look;
use crate::id::{Date, JournalId, RecordId, Timestamp};
use crate::sync::device::Intent;
use crate::testing::{Host, Phone, Village};
use crate::value::Value;

/// 2026-11-18, about noon in China.
pub(super) const NOW: Timestamp = Timestamp(1_795_000_000_000);
pub(super) const DAY_MS: i64 = 86_400_000;
/// The example of GB 11643-1999.
pub(super) const ID: &str = "11010519491231002X";

/// A village with a phone for each of some roles.
pub(super) struct Scene {
    pub(super) host: Host,
    pub(super) village: Village,
    pub(super) phones: BTreeMap<&'static str, Phone>,
    pub(super) now: Timestamp,
}

impl Scene {
    pub(super) fn of(roles: &[&'static str]) -> Self {
        let mut host = Host::found(11, NOW);
        let village = host.add_village("半子沟村", NOW);
        let since = NOW.date().plus_days(-100);
        let phones = roles.iter().map(|role| {
            let user = host.add_user(role, NOW);
            host.assign(user, role, village.area, since, None, NOW);
            (*role, Phone::enrol(&mut host, user, NOW))
        });
        let phones = phones.collect();
        Self {
            host,
            village,
            phones,
            now: NOW,
        }
    }

    pub(super) fn journal(&self) -> JournalId {
        self.village.journal
    }

    pub(super) fn sync(&mut self, role: &str) {
        let phone = self.phones.get_mut(role).unwrap();
        phone.sync(&mut self.host, self.now).unwrap();
    }

    /// Saves in a role, having seen all there is; everybody who looks afterwards has it.
    #[track_caller]
    pub(super) fn save(&mut self, role: &str, intent: Intent) -> RecordId {
        self.sync(role);
        let (journal, now) = (self.journal(), self.now);
        let phone = self.phones.get_mut(role).unwrap();
        let saved = phone.save(journal, None, intent, now).unwrap();
        self.sync(role);
        saved.record
    }

    /// Takes an action with the values and references that it needs.
    #[track_caller]
    pub(super) fn act(
        &mut self,
        role: &str,
        record: RecordId,
        action: &str,
        with: &[(&str, Value)],
    ) {
        let intent = with
            .iter()
            .fold(Intent::act(record, action), |intent, one| {
                with_field(intent, one)
            });
        self.save(role, intent.because("说明"));
    }

    #[track_caller]
    pub(super) fn create(&mut self, role: &str, kind: &str, with: &[(&str, Value)]) -> RecordId {
        let intent = with.iter().fold(Intent::create(kind), with_field);
        self.save(role, intent)
    }

    #[track_caller]
    pub(super) fn set(&mut self, record: RecordId, field: &str, value: Value) {
        self.save("FS", Intent::set(record).with(field, value));
    }

    pub(super) fn household(&mut self) -> RecordId {
        self.create("FS", "household", &[("householder", text("张三"))])
    }

    pub(super) fn user(&self, role: &str) -> Value {
        let phone = self.phones.get(role).unwrap();
        Value::Bytes(phone.device.identity().user.0.to_vec())
    }

    /// What is doubtful in a role's eyes, each as `kind/check`.
    pub(super) fn doubts_of(&mut self, role: &str) -> Vec<String> {
        self.sync(role);
        let phone = self.phones.get(role).unwrap();
        let doubts = Look::new(&phone.device, self.now).doubts();
        doubts
            .iter()
            .map(|doubt| format!("{}/{}", doubt.row.kind, doubt.check))
            .collect()
    }

    #[track_caller]
    pub(super) fn check(&mut self, expected: &[&str]) {
        assert_eq!(self.doubts_of("FS"), expected);
    }

    pub(super) fn look(&self) -> Look<'_> {
        Look::new(&self.phones.get("FS").unwrap().device, self.now)
    }
}

/// Bytes are references, all else values.
pub(super) fn with_field(intent: Intent, (field, value): &(&str, Value)) -> Intent {
    match value {
        Value::Bytes(bytes) => intent.link(*field, RecordId::try_from(bytes.as_slice()).unwrap()),
        value => intent.with(*field, value.clone()),
    }
}

pub(super) fn text(text: &str) -> Value {
    Value::text(text)
}

pub(super) fn to(record: RecordId) -> Value {
    Value::Bytes(record.0.to_vec())
}

pub(super) fn codes(codes: &[&str]) -> Value {
    Value::List(codes.iter().map(|code| Value::text(*code)).collect())
}

/// So many days from now, on the first day of the story.
pub(super) fn day(from_now: i32) -> Value {
    Value::Int(i64::from(NOW.date().plus_days(from_now).0))
}

pub(super) fn date(text: &str) -> Value {
    let date: Date = text.parse().unwrap();
    Value::Int(i64::from(date.0))
}

pub(super) fn item(parts: &[(&str, Value)]) -> Value {
    let parts = parts.iter().map(|(name, value)| (*name, value.clone()));
    Value::List(vec![Value::Struct(parts.collect())])
}

/// A case that was just listed, its household, and a member who can work or cannot.
pub(super) fn listed(scene: &mut Scene, labour: &str) -> (RecordId, RecordId) {
    let household = scene.household();
    let member = [
        ("household", to(household)),
        ("name", text("张三")),
        ("relation", text("head")),
        ("labour", text(labour)),
    ];
    scene.create("FS", "person", &member);
    let visit = [
        ("household", to(household)),
        ("occurred_on", day(0)),
        ("method", text("home")),
    ];
    let visit = scene.create("FS", "visit", &visit);
    let clue = [
        ("household", to(household)),
        ("channel", text("visit")),
        ("received_on", day(0)),
    ];
    let clue = scene.create("FS", "clue", &clue);
    scene.act(
        "FS",
        clue,
        "verify",
        &[("household", to(household)), ("finding", text("属实"))],
    );
    scene.act("TW", clue, "confirm", &[]);
    let case = [
        ("household", to(household)),
        ("clue", to(clue)),
        ("received_on", day(0)),
    ];
    let case = scene.create("TW", "case", &case);
    let verified = [
        ("visit", to(visit)),
        ("income", Value::Int(6000)),
        ("authorised_on", day(0)),
    ];
    scene.act("FS", case, "verified", &verified);
    scene.act("CS", case, "compared", &[("comparison", text("无异常"))]);
    let notice = scene.create("FS", "notice", &[("title", text("名单"))]);
    scene.act(
        "VC",
        notice,
        "post",
        &[("posted_on", day(0)), ("place", text("公示栏"))],
    );
    let deliberated = [
        ("deliberated_on", day(0)),
        ("present", Value::Int(20)),
        ("minutes", text("同意")),
        ("notice", to(notice)),
    ];
    scene.act("VC", case, "deliberated", &deliberated);
    scene.now = NOW.plus_ms(6 * DAY_MS);
    scene.act("VC", notice, "end", &[("ended_on", day(6))]);
    scene.act("VC", case, "notice_ended", &[]);
    scene.act("TW", case, "pass", &[]);
    let listed = [("listed_on", day(6)), ("announced_on", day(6))];
    scene.act("CS", case, "approve", &listed);
    (household, case)
}
