//! Views: what people see of a record.
//!
//! A [`View`] adds to the fold what a reader needs to understand it: both values of a conflict with who wrote them and when,
//! the state's label, the timeline with names, and where the record itself is (on this phone, sent, received, refused).

use std::collections::BTreeMap;

use crate::admit::{Catalogues, begins_in};
use crate::catalog::{FieldType, Kind};
use crate::command::{Audience, Envelope, Verb};
use crate::id::{AssignmentId, DeviceId, ItemId, JournalId, RecordId, Seq, Timestamp, UserId};
use crate::journal::Fate;
use crate::record::{Held, Mark, Merge, Place, Record, Rules, Slot, Step};
use crate::registry::Registry;
use crate::value::Value;

impl Rules for Catalogues {
    fn knows(&self, catalogue: u32) -> bool {
        self.contains_key(&catalogue)
    }

    fn merge(&self, catalogue: u32, kind: &str, field: &str) -> Merge {
        // A field's type never changes: where its version is not known yet, any that knows the field says the same.
        let newest = self.values().rev();
        let field = self
            .get(&catalogue)
            .into_iter()
            .chain(newest)
            .find_map(|catalogue| catalogue.kind(kind)?.field(field));
        match field.map(|field| &field.ty) {
            Some(ty) if ty.is_spliced() => Merge::Text,
            Some(ty) if ty.is_item_list() => Merge::List,
            Some(_) | None => Merge::Register,
        }
    }

    fn state_after(&self, catalogue: u32, envelope: &Envelope) -> Option<String> {
        let named = envelope.action.as_deref()?;
        match envelope.verb {
            Verb::Create | Verb::Seal => begins_in(envelope),
            Verb::Act => {
                let action = self.get(&catalogue)?.kind(&envelope.kind)?.action(named)?;
                action.to.clone().filter(|_| !action.concurrent)
            }
            Verb::Set
            | Verb::Edit
            | Verb::Insert
            | Verb::Remove
            | Verb::Amend
            | Verb::Void
            | Verb::Erase
            | Verb::Reveal
            | Verb::Clear => None,
        }
    }
}

/// Who wrote something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The command's place.
    pub place: Place,
    /// The person, where the registry knows the device.
    pub user: Option<UserId>,
    /// When it was recorded.
    pub at: Option<Timestamp>,
    /// When it was received; `None` while it is only on this phone.
    pub received_at: Option<Timestamp>,
}

/// One value of a field and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The value.
    pub value: Value,
    /// Who.
    pub by: By,
}

/// What people see of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// One value.
    Value(Said),
    /// 待核对: several values that were written without sight of each other; somebody who knows chooses.
    Conflict(Vec<Said>),
    /// A text.
    Text(String),
    /// Items in order.
    Items(Vec<(ItemId, Said)>),
    /// Something is written here that the reader may not read.
    Withheld,
}

/// What people see of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The record.
    pub id: RecordId,
    /// Its journal.
    pub journal: JournalId,
    /// Its kind.
    pub kind: String,
    /// Its author.
    pub author: Option<UserId>,
    /// Its audience.
    pub audience: Audience,
    /// Its state.
    pub state: Option<String>,
    /// Its fields by name, in the order of their names.
    pub fields: BTreeMap<String, Shown>,
    /// Whether it is void, and why.
    pub void: Option<String>,
    /// Marks.
    pub marks: Vec<Mark>,
    /// Its timeline.
    pub steps: Vec<Step>,
}

/// The number of a record with these steps, where its kind has numbers: the year and the position at which its creation was received, and
/// its count in its author's lane. Positions and lanes only grow, so no other record ever has it. None before it was received.
pub fn number(steps: &[Step]) -> Option<String> {
    let mut created = steps.iter().filter(|step| step.verb == Verb::Create);
    let step = created.find(|step| step.fate.counts() && step.place.seq != PENDING)?;
    let year = step.received_at.date().civil()?.year();
    Some(format!("{year}-{}-{}", step.place.seq, step.place.n))
}

/// The position that commands have which are only on this phone.
pub const PENDING: Seq = Seq::MAX;

impl View {
    /// What a reader with this registry sees of the record.
    pub fn of(record: &Record, registry: &Registry) -> Self {
        let user = |device: DeviceId| registry.devices.get(&device).map(|device| device.user);
        let steps: BTreeMap<Place, &Step> =
            record.steps.iter().map(|step| (step.place, step)).collect();
        let by = |place: Place| {
            let step = steps.get(&place);
            By {
                place,
                user: user(place.device),
                at: step.map(|step| step.at),
                received_at: step
                    .filter(|_| place.seq != PENDING)
                    .map(|step| step.received_at),
            }
        };
        let said = |held: &Held| Said {
            value: held.value.clone(),
            by: by(held.by),
        };
        let shown = |slot: &Slot| match slot {
            Slot::Register(held) => match held.as_slice() {
                [one] => Shown::Value(said(one)),
                several => Shown::Conflict(several.iter().map(said).collect()),
            },
            Slot::Text(text) => Shown::Text(text.clone()),
            Slot::List(items) => Shown::Items(
                items
                    .iter()
                    .map(|item| {
                        (
                            item.id,
                            Said {
                                value: item.value.clone(),
                                by: by(item.by),
                            },
                        )
                    })
                    .collect(),
            ),
            Slot::Withheld => Shown::Withheld,
        };
        let is_cleared = |slot: &Slot| matches!(slot, Slot::Register(held) if held.iter().all(|held| held.value == Value::Null));
        let author = |assignment: AssignmentId| {
            registry
                .assignments
                .get(&assignment)
                .map(|assignment| assignment.user)
        };
        Self {
            id: record.id,
            journal: record.journal,
            kind: record.kind.clone(),
            author: record
                .created
                .and_then(|place| user(place.device))
                .or_else(|| record.author.and_then(author)),
            audience: record.audience,
            state: record.state.clone(),
            fields: record
                .fields
                .iter()
                .filter(|(_, slot)| !is_cleared(slot))
                .map(|(name, slot)| (name.clone(), shown(slot)))
                .collect(),
            void: record
                .void
                .as_ref()
                .map(|note| note.reason.clone().unwrap_or_default()),
            marks: record.marks.clone(),
            steps: record.steps.clone(),
        }
    }

    /// The same without what others wrote: what is left to see when the lease is over.
    #[must_use]
    pub fn of_own(mut self, is_own: impl Fn(DeviceId) -> bool) -> Self {
        let own = |said: &Said| is_own(said.by.place.device);
        let others_wrote = |field: &String| {
            let writes = |step: &&Step| step.fate.counts() && step.fields.contains(field);
            self.steps
                .iter()
                .filter(writes)
                .any(|step| !is_own(step.place.device))
        };
        for (name, shown) in &mut self.fields {
            let hidden = match shown {
                Shown::Value(said) => !own(said),
                Shown::Conflict(said) => !said.iter().all(own),
                Shown::Items(items) => !items.iter().all(|(_, said)| own(said)),
                Shown::Text(_) => others_wrote(name),
                Shown::Withheld => true,
            };
            if hidden {
                *shown = Shown::Withheld;
            }
        }
        for step in self
            .steps
            .iter_mut()
            .filter(|step| !is_own(step.place.device))
        {
            step.hush();
        }
        self
    }

    /// The fields in 待核对.
    pub fn conflicts(&self) -> impl Iterator<Item = (&str, &[Said])> {
        self.fields.iter().filter_map(|(name, shown)| match shown {
            Shown::Conflict(said) => Some((name.as_str(), said.as_slice())),
            Shown::Value(_) | Shown::Text(_) | Shown::Items(_) | Shown::Withheld => None,
        })
    }

    /// The commands that changed nothing or were refused, newest last.
    pub fn unanswered(&self) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(|step| matches!(step.fate, Fate::NoEffect(_) | Fate::Refused(..)))
    }

    /// The plain value of a field that has one.
    pub fn value(&self, field: &str) -> Option<&Value> {
        match self.fields.get(field)? {
            Shown::Value(said) => Some(&said.value),
            Shown::Conflict(_) | Shown::Text(_) | Shown::Items(_) | Shown::Withheld => None,
        }
    }

    /// What stands for the record in lists: its title field as text, else the field that stands in for it, else its short id.
    pub fn title(&self, kind: &Kind) -> String {
        let stands_in = || self.text_of(kind.stand_in.as_deref()?);
        self.text_of(&kind.title)
            .or_else(stands_in)
            .unwrap_or_else(|| self.id.short())
    }

    fn text_of(&self, field: &str) -> Option<String> {
        let text = match self.fields.get(field)? {
            Shown::Value(said) => said.value.as_text(),
            Shown::Conflict(said) => said.first().and_then(|said| said.value.as_text()),
            Shown::Text(text) => Some(text.as_str()),
            Shown::Items(_) | Shown::Withheld => None,
        };
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

/// A value as text: dates as `2026-11-21`, decimals in full, references by their short ids.
pub fn plain(ty: &FieldType, value: &Value) -> String {
    match (ty, value) {
        (_, Value::Null) => String::new(),
        (FieldType::Date, Value::Int(days)) => {
            crate::id::Date(i32::try_from(*days).unwrap_or(i32::MAX)).to_string()
        }
        (FieldType::Time, Value::Int(minutes)) => {
            format!("{:02}:{:02}", minutes / 60, minutes % 60)
        }
        (_, Value::Bool(value)) => value.to_string(),
        (_, Value::Int(value)) => value.to_string(),
        (_, Value::Decimal(mantissa, exponent)) => decimal(*mantissa, *exponent),
        (_, Value::Text(text)) => text.clone(),
        (_, Value::Bytes(bytes)) => bytes
            .iter()
            .take(4)
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}")),
        (ty, Value::List(values)) => values
            .iter()
            .map(|value| plain(ty, value))
            .collect::<Vec<_>>()
            .join("、"),
        (FieldType::List { parts, .. }, Value::Struct(fields)) => {
            let part = |(name, value): (&String, &Value)| {
                let ty = parts
                    .iter()
                    .find(|part| part.name == *name)
                    .map_or(ty, |part| &part.ty);
                format!("{name}={}", plain(ty, value))
            };
            fields.iter().map(part).collect::<Vec<_>>().join(" ")
        }
        (_, Value::Struct(fields)) => fields
            .iter()
            .map(|(name, value)| format!("{name}={}", plain(ty, value)))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn decimal(mantissa: i64, exponent: i8) -> String {
    let places = usize::from(exponent.unsigned_abs());
    let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    format!("{}{whole}.{part}", if mantissa < 0 { "-" } else { "" })
}
