//! The story of a run, in words that a person reads.

use sync_core::command::Verb;
use sync_core::id::{JournalId, RecordId};
use sync_core::journal::Fate;
use sync_core::sync::device::Intent;
use sync_core::value::Value;

use super::Sim;

const NAMES: [&str; 12] = [
    "Ma", "Wang", "Li", "Zhang", "Liu", "Chen", "Yang", "Zhao", "Huang", "Zhou", "Wu", "Xu",
];

/// The lines of a story, if anybody listens.
#[derive(Debug)]
pub(super) struct Told {
    listening: bool,
    lines: Vec<String>,
    records: Vec<(RecordId, String)>,
}

impl Told {
    pub(super) const fn new(listening: bool) -> Self {
        Self {
            listening,
            lines: Vec::new(),
            records: Vec::new(),
        }
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}

impl Sim {
    /// Tells a line, at the time that it is.
    pub(super) fn tell(&mut self, what: impl Into<String>) {
        if self.told.listening {
            let at = self.now.to_string();
            self.told.lines.push(format!("{at}  {}", what.into()));
        }
    }

    pub(super) fn tell_world(&mut self) {
        let villages = self.villages.len();
        let people: Vec<String> = (0..self.people.len())
            .map(|at| {
                let role = match self.people[at].role {
                    "FS" => "first secretary",
                    "TM" => "team member",
                    "VC" => "village committee",
                    "TW" => "township",
                    "CS" => "county",
                    other => other,
                };
                format!("{} ({role})", NAMES[at % NAMES.len()])
            })
            .collect();
        self.tell(format!(
            "there are {} in {villages} village(s); everyone has synced once",
            people.join(", ")
        ));
    }

    /// What a phone is called: after its person, copies numbered.
    pub(in super::super) fn name(&self, phone: usize) -> String {
        let person = self.phones[phone].person;
        let name = NAMES[person % NAMES.len()];
        if phone == person {
            return name.to_owned();
        }
        let copies = self.phones[..phone]
            .iter()
            .filter(|carried| carried.person == person)
            .count();
        format!("{name}'s copy {copies}")
    }

    pub(super) fn name_record(&mut self, record: RecordId, kind: &str) {
        if self.told.listening && self.told.records.iter().all(|(known, _)| *known != record) {
            let name = format!("{kind} {}", self.told.records.len() + 1);
            self.told.records.push((record, name));
        }
    }

    pub(in super::super) fn record_name(&self, record: RecordId) -> String {
        let known = self.told.records.iter().find(|(known, _)| *known == record);
        known.map_or_else(
            || format!("record {}", record.short()),
            |(_, name)| name.clone(),
        )
    }

    pub(super) fn village_name(&self, journal: JournalId) -> String {
        let at = self
            .villages
            .iter()
            .position(|village| village.journal == journal);
        format!("village {}", at.map_or(0, |at| at + 1))
    }

    /// What somebody asked for, in words.
    pub(super) fn words(&self, intent: &Intent, record: RecordId) -> String {
        let record = self.record_name(record);
        let reason = match &intent.reason {
            Some(reason) => format!(", because “{reason}”"),
            None => String::new(),
        };
        let values: Vec<String> = intent
            .values
            .iter()
            .map(|(field, value)| match value {
                Value::Text(text) => format!("{field} = “{text}”"),
                _ => field.clone(),
            })
            .collect();
        let values = values.join(", ");
        let action = intent.action.as_deref().unwrap_or_default();
        let what = match intent.verb {
            Verb::Create => format!("creates {record}: {values}"),
            Verb::Set if intent.chooses => format!("chooses in {record}: {values}"),
            Verb::Set => format!("sets in {record}: {values}"),
            Verb::Edit => {
                let edits = intent.edit.iter().flat_map(|(field, splices)| {
                    splices
                        .iter()
                        .map(move |splice| format!("{field} at {}: “{}”", splice.at, splice.insert))
                });
                format!(
                    "types into {record}: {}",
                    edits.collect::<Vec<_>>().join(", ")
                )
            }
            Verb::Insert => format!("adds to a list of {record}: {values}"),
            Verb::Remove => format!("removes from a list of {record}"),
            Verb::Act => format!("takes the action {action} on {record} {values}"),
            Verb::Amend => format!("amends {record}: {values}"),
            Verb::Void => format!("voids {record}"),
            Verb::Erase => format!("erases {record}"),
            Verb::Reveal => format!("asks to read {record}"),
            Verb::Seal => format!("closes the month {action}"),
            Verb::Clear => format!("clears the marks “{action}” of {record}"),
        };
        format!("{}{reason}", what.trim_end())
    }
}

/// A fate in words.
pub(in super::super) fn fate_words(fate: &Fate) -> String {
    match fate {
        Fate::Accepted => "accepted".to_owned(),
        Fate::Flagged(causes) => format!("accepted and marked {}", causes.join(", ")),
        Fate::NoEffect(code) => format!("without effect ({code})"),
        Fate::Refused(code, _) => format!("refused ({code})"),
    }
}
