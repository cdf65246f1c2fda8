//! The device against an honest host, and against others.

mod again;
mod bytes;
mod lying;
mod outbox;
mod rewinding;
mod saving;
mod settling;
mod storage;

use super::{CannotSave, Intent, Kept, Key, World};
use crate::command::Origin;
use crate::id::{JournalId, RecordId, Timestamp};
use crate::journal::Fate;
use crate::record::Slot;
use crate::registry::RegistryAct;
use crate::sync::wire::{SyncRequest, WireEntry};
use crate::testing::{Host, Phone, Village};
use crate::value::Value;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// Later on the same day.
const fn minutes(count: i64) -> Timestamp {
    NOW.plus_ms(count * 60_000)
}

/// A village with a first secretary and a team member, each with a phone that has synced once.
struct Scene {
    host: Host,
    village: Village,
    fs: Phone,
    tm: Phone,
}

impl Scene {
    fn new() -> Self {
        let mut host = Host::found(7, NOW);
        let village = host.add_village("半子沟村", NOW);
        let since = NOW.date().plus_days(-100);
        let mut phone = |name: &str, role: &str| {
            let user = host.add_user(name, NOW);
            host.assign(user, role, village.area, since, None, NOW);
            let mut phone = Phone::enrol(&mut host, user, NOW);
            phone.sync(&mut host, NOW).unwrap();
            phone
        };
        let (mut fs, tm) = (phone("马第一", "FS"), phone("李队员", "TM"));
        fs.sync(&mut host, NOW).unwrap();
        Self {
            host,
            village,
            fs,
            tm,
        }
    }

    /// A household that both phones know.
    fn household(&mut self, name: &str) -> RecordId {
        let intent = Intent::create("household").with("householder", Value::text(name));
        let saved = self.fs.save(self.journal(), None, intent, NOW).unwrap();
        self.meet(NOW);
        saved.record
    }

    /// A visit that both phones know, with a note.
    fn visit(&mut self, note: &str) -> RecordId {
        let household = self.household("张三");
        let intent = Intent::create("visit")
            .link("household", household)
            .with("note", Value::text(note));
        let saved = self.fs.save(self.journal(), None, intent, NOW).unwrap();
        self.meet(NOW);
        saved.record
    }

    /// Both phones sync until both know everything.
    fn meet(&mut self, now: Timestamp) {
        self.fs.sync(&mut self.host, now).unwrap();
        self.tm.sync(&mut self.host, now).unwrap();
        self.fs.sync(&mut self.host, now).unwrap();
    }

    fn journal(&self) -> JournalId {
        self.village.journal
    }

    fn fates(&self) -> Vec<Fate> {
        let entries = self.host.entries(self.village.journal).iter();
        entries.flat_map(|entry| entry.head.fates.clone()).collect()
    }
}

/// The values that a field holds on a phone.
fn held(phone: &Phone, journal: JournalId, record: RecordId, field: &str) -> Vec<String> {
    let record = phone
        .device
        .record(journal, record)
        .expect("the phone has the record");
    match record.fields.get(field) {
        None => Vec::new(),
        Some(Slot::Register(held)) => held
            .iter()
            .map(|held| held.value.as_text().unwrap_or("?").to_owned())
            .collect(),
        Some(Slot::Text(text)) => vec![text.clone()],
        Some(Slot::List(items)) => vec!["…".to_owned(); items.len()],
        Some(Slot::Withheld) => vec!["withheld".to_owned()],
    }
}

/// Sets a text field without a form.
fn set(record: RecordId, field: &str, value: &str) -> Intent {
    Intent::set(record).with(field, Value::text(value))
}

/// Everything about a device that its person or a server could notice, as text. How much it asks for at once is nobody's matter.
fn portrait(phone: &mut Phone) -> String {
    let device = &mut phone.device;
    let mut text = format!(
        "{:?} {:?} {:?}\n",
        device.unsent(),
        device.last_contact(),
        device.checkpoint()
    );
    for journal in device.journals() {
        for record in device.records(journal) {
            text += &format!("{:?}\n", device.record(journal, record));
            text += &hex(&crate::cbor::encode(&device.record(journal, record)));
        }
    }
    text += &format!("{:?}\n", device.to_answer());
    let request = SyncRequest {
        budget_bytes: 0,
        ..device.request()
    };
    text + &hex(&crate::cbor::encode(&request))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
