//! What offices do: closing months, clearing marks, erasing, publishing a catalogue, signing checkpoints.

use std::sync::OnceLock;

use sync_core::catalog::{Catalogue, SourceFile};
use sync_core::command::Verb;
use sync_core::id::RecordId;
use sync_core::month::Month;
use sync_core::sync::device::{Intent, Target};

use super::super::Fault;
use super::super::ledger::Said;
use super::{DAY_MS, Sim};

/// The catalogue that follows the shipped one: a task that its issuer finishes is cancelled by that, and households have a
/// field more.
fn next_catalogue() -> &'static Catalogue {
    static NEXT: OnceLock<Catalogue> = OnceLock::new();
    NEXT.get_or_init(|| {
        let shipped = Catalogue::builtin();
        let rewritten = |file: &SourceFile| {
            let text = match file.name.as_str() {
                "catalogue.toml" => file.text.replace("version = 1", "version = 2"),
                "kinds/task.toml" => file.text.replace(
                    "from = [\"in_progress\"]\nto = \"done\"",
                    "from = [\"in_progress\"]\nto = \"cancelled\"",
                ),
                "kinds/household.toml" => {
                    let field =
                        "label = { zh = \"微信\", en = \"WeChat\" }\ntype = \"text\"\nmax = 40";
                    format!("{}\n[fields.wechat]\n{field}\n", file.text)
                }
                _ => file.text.clone(),
            };
            SourceFile {
                name: file.name.clone(),
                text,
            }
        };
        let files: Vec<SourceFile> = shipped.files().iter().map(rewritten).collect();
        let next = Catalogue::parse(&files).expect("the shipped files with a few words changed");
        assert_eq!(next.succeeds(&shipped), Ok(()), "it may follow");
        let finished = |catalogue: &Catalogue| {
            let kind = catalogue.kind("task")?;
            kind.action("finish")?.to.clone()
        };
        assert_ne!(finished(&next), finished(&shipped), "it differs");
        next
    })
}

impl Sim {
    /// The phone of somebody in one of these roles.
    fn office(&mut self, roles: &[&str]) -> Option<usize> {
        let of_role = |phone: &usize| {
            let person = &self.people[self.phones[*phone].person];
            roles.contains(&person.role)
        };
        let phones: Vec<usize> = (0..self.phones.len()).filter(of_role).collect();
        self.dice.pick(&phones).copied()
    }

    /// An office asks for something of a village.
    fn order(&mut self, phone: usize, intent: impl FnOnce(&mut Self) -> Option<Intent>) {
        let Some(journal) = self.journal_for(phone) else {
            return;
        };
        self.chosen = Some(journal);
        let Some(intent) = intent(self) else { return };
        let said = Said {
            marker: None,
            saw: self.position(phone, journal),
            at: self.at(phone),
            phone,
            root: None,
        };
        self.save_intent(journal, None, &intent, &said);
    }

    /// The village in which an office was asked for something.
    fn records_at(&self, phone: usize) -> Vec<RecordId> {
        let records = |journal| self.phones[phone].phone.device.records(journal);
        self.chosen.map(records).into_iter().flatten().collect()
    }

    /// A month's close (月结): of this month or the one before, as the office's clock has it.
    pub(super) fn seal_month(&mut self) {
        let Some(phone) = self.office(&["TW", "CS"]) else {
            return;
        };
        let back = if self.dice.once_in(3) { 0 } else { 30 };
        let month = Month::at(self.at(phone).plus_ms(-back * DAY_MS));
        self.order(phone, |_| month.map(Intent::seal));
    }

    /// A closed month is opened again, or an open one closed.
    pub(super) fn reopen_month(&mut self) {
        let Some(phone) = self.office(&["CS"]) else {
            return;
        };
        self.order(phone, |sim| {
            let journal = sim.chosen?;
            let device = &sim.phones[phone].phone.device;
            let months: Vec<RecordId> = sim
                .records_at(phone)
                .into_iter()
                .filter(|record| {
                    let record = device.record(journal, *record);
                    record.is_some_and(|record| record.kind == sync_core::month::KIND)
                })
                .collect();
            let record = sim.dice.pick(&months).copied()?;
            Some(Intent::act(record, "reopen").because("补录"))
        });
    }

    /// The marks of one cause are cleared, as far as the office sees them.
    pub(super) fn clear_marks(&mut self) {
        let Some(phone) = self.office(&["CS"]) else {
            return;
        };
        self.order(phone, |sim| {
            let journal = sim.chosen?;
            let device = &sim.phones[phone].phone.device;
            let marked: Vec<(RecordId, String)> = sim
                .records_at(phone)
                .into_iter()
                .filter_map(|record| device.record(journal, record))
                .flat_map(|record| {
                    let flags = record.steps.iter().flat_map(sync_core::record::Step::flags);
                    let flags: Vec<String> = flags.map(str::to_owned).collect();
                    flags.into_iter().map(move |flag| (record.id, flag))
                })
                .collect();
            let (record, cause) = sim.dice.pick(&marked).cloned()?;
            Some(Intent::clear(record, cause))
        });
    }

    pub(super) fn erase(&mut self) {
        let Some(phone) = self.office(&["CS"]) else {
            return;
        };
        self.order(phone, |sim| {
            let record = sim.records_at(phone);
            let record = sim.dice.pick(&record).copied()?;
            let erase = Intent::new(Target::Existing(record), Verb::Erase);
            Some(erase.because("本人依法要求"))
        });
    }

    /// The next catalogue version is published, in force from today.
    pub(super) fn publish(&mut self) {
        let next = next_catalogue();
        let known = self.server.host.catalogues();
        if known.contains_key(&next.version()) || !self.server.is_open() {
            return;
        }
        let today = self.now.date();
        self.server
            .host
            .publish_catalogue(next.clone(), today, self.now);
        self.tell("version 2 of the catalogue is published");
    }

    /// A phone fetches the catalogue versions that it lacks.
    pub(super) fn fetch(&mut self, phone: usize) {
        for version in self.phones[phone].phone.device.missing_catalogues() {
            let catalogue = self.server.host.catalogues().get(&version).cloned();
            let device = &mut self.phones[phone].phone.device;
            let learned =
                catalogue.and_then(|catalogue| device.learn_catalogue(version, catalogue).ok());
            if let Some(effects) = learned {
                self.carry_out(phone, &effects);
                self.tell(format!(
                    "{} fetches version {version} of the catalogue",
                    self.name(phone)
                ));
            }
        }
    }

    /// The server publishes the heads of its journals; an auditor keeps the first checkpoint.
    pub(super) fn sign_checkpoint(&mut self) {
        self.server.host.publish();
        let covered = self.server.host.checkpoint(0);
        if self.kept.is_none() {
            self.kept = covered.map(|covered| covered.note);
        }
        self.tell("the server signs a checkpoint");
    }

    /// A phone that does not know a version goes on without what was written by it.
    pub(super) fn skips_unknown(&self) -> bool {
        self.has(Fault::UnknownVersionStopsThePull)
    }
}
