//! How records, their fields and the people who wrote them stand in JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use store::journals::Folded;
use sync_core::catalog::{Catalogue, Field, FieldType, Kind, Label, Mask, audience_name};
use sync_core::command::Audience;
use sync_core::id::{AreaId, AssignmentId, ItemId, JournalId, RecordId, Seq, UserId};
use sync_core::journal::Fate;
use sync_core::record::{self, Held, Place, Record, Slot, Step};
use sync_core::registry::Registry;
use sync_core::value::Value;
use sync_core::view::{self, plain};
use utoipa::ToSchema;

use crate::journals::pull::{Reader, Scope};
use crate::reading::{Sight, sight};
use crate::routes::wire::{Id, Instant};

/// What stands for a value of which nothing may be seen, whatever its length.
const HIDDEN: &str = "***";

/// What people read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LabelView {
    /// In Chinese.
    zh: String,
    /// In English.
    en: String,
}

impl From<&Label> for LabelView {
    fn from(label: &Label) -> Self {
        Self {
            zh: label.zh.clone(),
            en: label.en.clone(),
        }
    }
}

/// A name of the catalogue with what people read for it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Named {
    /// Its stable name.
    name: String,
    /// What people read; absent if the newest catalogue does not know the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<LabelView>,
}

impl Named {
    /// A name with its label.
    pub fn new(name: impl Into<String>, label: Option<&Label>) -> Self {
        Self {
            name: name.into(),
            label: label.map(LabelView::from),
        }
    }
}

/// An area by its latest name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AreaName {
    /// The area.
    #[schema(value_type = String)]
    id: Id<AreaId>,
    /// Its latest code.
    code: String,
    /// Its latest name.
    name: String,
}

impl AreaName {
    /// The area that a journal belongs to on the reader's day.
    pub fn of_journal(reader: &Reader<'_>, journal: JournalId) -> Option<Self> {
        Self::of_area(reader, reader.registry().area_of(journal, reader.day())?)
    }

    /// An area.
    pub fn of_area(reader: &Reader<'_>, area: AreaId) -> Option<Self> {
        let (code, name) = reader.registry().areas.get(&area)?.latest()?;
        Some(Self {
            id: Id(area),
            code: code.to_string(),
            name: name.clone(),
        })
    }
}

/// Somebody, and in which role he acted.
#[derive(Clone, Serialize, ToSchema)]
pub struct PersonView {
    /// The person.
    #[schema(value_type = String)]
    user: Id<UserId>,
    /// What teammates call him.
    name: String,
    /// The role of the assignment under which he acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Named>,
}

impl PersonView {
    /// A person by id.
    pub fn of(registry: &Registry, user: UserId, role: Option<Named>) -> Self {
        let name = registry
            .users
            .get(&user)
            .map(|user| user.name.clone())
            .unwrap_or_default();
        Self {
            user: Id(user),
            name,
            role,
        }
    }
}

/// Who wrote a value, and when.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ByView {
    /// Who; absent if the registry does not know the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<PersonView>,
    /// When it was recorded, by the device's clock.
    recorded: Instant,
    /// When it was received, by the server's.
    received: Instant,
    /// The entry.
    seq: Seq,
}

/// How a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// One value.
    Value,
    /// 待核对: several values that were written without sight of each other.
    Conflict,
    /// A text that several people edit.
    Text,
    /// Items in order.
    Items,
    /// Something is written that the caller is not shown.
    Withheld,
}

/// A value.
#[derive(Clone, Serialize, ToSchema)]
pub struct SaidView {
    /// The value, of any JSON type: dates as `2026-11-21`, references as objects; masked where `masked` says so.
    #[schema(value_type = serde_json::Value)]
    value: Json,
    /// The same as people read it.
    text: String,
    /// What people read for a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<LabelView>,
    /// The item's id, in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    item: Option<Id<ItemId>>,
    /// Who wrote it, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<ByView>,
}

/// A field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldView {
    /// The field.
    field: Named,
    /// How it stands.
    form: Form,
    /// Whether the values are masked.
    masked: bool,
    /// Its values: both, if two stand; none, if withheld.
    values: Vec<SaidView>,
}

/// The three times of a record, which are never confused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TimesView {
    /// 发生: when it happened, as its author says; absent for what does not happen on a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred: Option<String>,
    /// 记录: when it was recorded, by the device's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<Instant>,
    /// 接收: when the server received it.
    received: Instant,
    /// When the server last received something about it.
    changed: Instant,
}

/// What became of a command.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FateView {
    /// `accepted`, `flagged`, `no_effect` or `refused`.
    fate: &'static str,
    /// Why: stable codes.
    reasons: Vec<String>,
    /// The field that a refusal is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl From<&Fate> for FateView {
    fn from(fate: &Fate) -> Self {
        let (fate, reasons, field) = match fate {
            Fate::Accepted => ("accepted", Vec::new(), None),
            Fate::Flagged(reasons) => ("flagged", reasons.clone(), None),
            Fate::NoEffect(reason) => ("no_effect", vec![reason.clone()], None),
            Fate::Refused(reason, field) => ("refused", vec![reason.clone()], field.clone()),
        };
        Self {
            fate,
            reasons,
            field,
        }
    }
}

/// Which record, and what it is.
#[derive(Clone, Serialize, ToSchema)]
pub struct RecordHead {
    /// The journal.
    #[schema(value_type = String)]
    journal: Id<JournalId>,
    /// The record; its id is unique in its journal.
    #[schema(value_type = String)]
    record: Id<RecordId>,
    /// The area that the journal belongs to today.
    #[serde(skip_serializing_if = "Option::is_none")]
    area: Option<AreaName>,
    /// Its kind.
    kind: Named,
    /// What stands for it in lists.
    title: String,
    /// Its number, which no other record ever has, where its kind has numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    /// The state of its process.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Named>,
}

/// A record.
#[derive(Clone, Serialize, ToSchema)]
pub struct RecordView {
    /// Which record, and what it is.
    #[serde(flatten)]
    head: RecordHead,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<PersonView>,
    /// Who may read what is not of a narrower audience.
    audience: &'static str,
    /// Its three times.
    times: TimesView,
    /// Its fields, in the order of forms.
    fields: Vec<FieldView>,
    /// 作废: hidden, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    void: Option<String>,
    /// Whether two values stand for a field (待核对).
    conflicted: bool,
    /// Whether a command that counts is marked for somebody to look at, and nobody cleared the mark.
    flagged: bool,
    /// Whether a command was refused or without effect.
    unanswered: bool,
    /// `withheld`, `erased`, `over_limit`, `set_aside`, `unknown`.
    marks: Vec<&'static str>,
}

super::mute!(PersonView, SaidView, RecordHead, RecordView);

/// Shows one record to one reader.
#[derive(Debug)]
pub struct Showing<'a> {
    reader: &'a Reader<'a>,
    scope: &'a Scope,
    kind: Option<&'a Kind>,
    audience: Audience,
    steps: BTreeMap<Place, &'a Step>,
    called_by: Option<&'a Record>,
}

impl<'a> Showing<'a> {
    /// The reader and the record.
    pub fn new(reader: &'a Reader<'a>, scope: &'a Scope, record: &'a Record) -> Self {
        Self {
            reader,
            scope,
            kind: reader.catalogue().kind(&record.kind),
            audience: record.audience,
            steps: record.steps.iter().map(|step| (step.place, step)).collect(),
            called_by: None,
        }
    }

    /// With the record by whose title this one is called: see [`reading::called_by`](crate::reading::called_by).
    #[must_use]
    pub fn called_by(mut self, other: Option<&'a Record>) -> Self {
        self.called_by = other;
        self
    }

    /// The kind, if the newest catalogue knows it.
    pub const fn kind(&self) -> Option<&'a Kind> {
        self.kind
    }

    /// What the reader may read of the journal.
    pub const fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// The reader.
    pub const fn reader(&self) -> &'a Reader<'a> {
        self.reader
    }

    /// How much of a field is shown.
    pub fn sight(&self, field: &str) -> Sight {
        sight(self.kind, field, self.audience, self.scope)
    }

    /// A field's name and label.
    pub fn named(&self, field: &str) -> Named {
        Named::new(
            field,
            self.kind
                .and_then(|kind| kind.field(field))
                .map(|field| &field.label),
        )
    }

    /// Who stands behind a device and an assignment.
    pub fn person(&self, place: Place, assignment: AssignmentId) -> Option<PersonView> {
        let registry = self.reader.registry();
        let user = registry.devices.get(&place.device)?.user;
        let role = registry.assignments.get(&assignment).map(|assignment| {
            let label = self
                .reader
                .catalogue()
                .role(&assignment.role)
                .map(|role| &role.label);
            Named::new(assignment.role.clone(), label)
        });
        Some(PersonView::of(registry, user, role))
    }

    /// A record whole.
    pub fn record(&self, folded: &Folded) -> RecordView {
        let record = &folded.record;
        let created = record.created.and_then(|place| self.steps.get(&place));
        let void = record
            .void
            .as_ref()
            .map(|note| note.reason.clone().unwrap_or_default());
        RecordView {
            head: self.head(record),
            author: created.and_then(|step| self.person(step.place, step.assignment)),
            audience: audience_name(record.audience),
            times: TimesView {
                occurred: self.occurred(record),
                recorded: created.map(|step| Instant(step.at)),
                received: Instant(folded.created_at),
                changed: Instant(folded.changed_at),
            },
            fields: self.fields(record, |_| true),
            void,
            conflicted: record.conflicts().next().is_some(),
            flagged: record.is_flagged(),
            unanswered: record.steps.iter().any(|step| !step.fate.counts()),
            marks: self.marks(record),
        }
    }

    /// Which record it is.
    pub fn head(&self, record: &Record) -> RecordHead {
        let state = record.state.as_deref().map(|state| {
            let label = self
                .kind
                .and_then(|kind| kind.state(state))
                .map(|state| &state.label);
            Named::new(state, label)
        });
        RecordHead {
            journal: Id(record.journal),
            record: Id(record.id),
            area: AreaName::of_journal(self.reader, record.journal),
            kind: Named::new(record.kind.clone(), self.kind.map(|kind| &kind.label)),
            title: self.title(record),
            number: self
                .kind
                .filter(|kind| kind.numbered)
                .and_then(|_| view::number(&record.steps)),
            state,
        }
    }

    fn title(&self, record: &Record) -> String {
        if let Some(other) = self.called_by {
            return Showing::new(self.reader, self.scope, other).title(other);
        }
        let text = |field: &Field| {
            let shown = self.field(&field.name, record.fields.get(&field.name)?)?;
            let text = shown.values.into_iter().next()?.text;
            Some(text).filter(|text| !text.is_empty())
        };
        let title = |kind: &Kind| {
            let field = kind.field(&kind.title)?;
            if !field.ty.is_link() {
                return text(field);
            }
            // One that refers to something is called by that, or by nothing that may be shown.
            let refers = record.fields.contains_key(&field.name);
            let stand_in = kind.stand_in.as_ref().filter(|_| !refers)?;
            text(kind.field(stand_in)?)
        };
        self.kind
            .and_then(title)
            .unwrap_or_else(|| record.id.short())
    }

    /// When it happened, as far as the reader may know: of the fields that kinds have for it.
    fn occurred(&self, record: &Record) -> Option<String> {
        let text = |name: &str| {
            let slot = record
                .fields
                .get(name)
                .filter(|_| self.sight(name) == Sight::Whole)?;
            self.field(name, slot)?
                .values
                .into_iter()
                .next()
                .map(|said| said.text)
        };
        let day = text("occurred_on")?;
        Some(text("occurred_at").map_or_else(|| day.clone(), |time| format!("{day} {time}")))
    }

    fn marks(&self, record: &Record) -> Vec<&'static str> {
        let hides = record
            .fields
            .keys()
            .any(|field| self.sight(field) == Sight::Withheld);
        let mut marks: Vec<&'static str> =
            record.marks.iter().map(|mark| mark_name(*mark)).collect();
        if hides && !marks.contains(&"withheld") {
            marks.insert(0, "withheld");
        }
        marks
    }

    /// The fields of a record that are asked for, in the order of forms; those that the catalogue does not know come last.
    pub fn fields(&self, record: &Record, wants: impl Fn(&Slot) -> bool) -> Vec<FieldView> {
        let order = |name: &str| {
            self.kind
                .and_then(|kind| kind.fields.iter().position(|field| field.name == name))
                .unwrap_or(usize::MAX)
        };
        let mut names: Vec<(&String, &Slot)> = record
            .fields
            .iter()
            .filter(|(_, slot)| wants(slot))
            .collect();
        names.sort_by_key(|(name, _)| order(name));
        names
            .into_iter()
            .filter_map(|(name, slot)| self.field(name, slot))
            .collect()
    }

    /// A field as it stands; `None` if it was cleared.
    pub fn field(&self, name: &str, slot: &Slot) -> Option<FieldView> {
        let sight = self.sight(name);
        let withheld = FieldView {
            field: self.named(name),
            form: Form::Withheld,
            masked: false,
            values: Vec::new(),
        };
        let declared = self
            .kind
            .and_then(|kind| kind.field(name))
            .filter(|_| sight != Sight::Withheld);
        let Some(field) = declared else {
            return Some(withheld);
        };
        let held = |held: &Held| self.said(field, sight, &held.value, None, Some(held.by));
        let (form, values) = match slot {
            Slot::Register(values) if values.iter().all(|held| held.value == Value::Null) => {
                return None;
            }
            Slot::Register(values) if values.len() > 1 => {
                (Form::Conflict, values.iter().map(held).collect())
            }
            Slot::Register(values) => (Form::Value, values.iter().map(held).collect()),
            Slot::Text(text) => (
                Form::Text,
                vec![self.said(field, sight, &Value::text(text), None, None)],
            ),
            Slot::List(items) => {
                let item = |item: &record::Item| {
                    self.said(field, sight, &item.value, Some(item.id), Some(item.by))
                };
                (Form::Items, items.iter().map(item).collect())
            }
            Slot::Withheld => return Some(withheld),
        };
        Some(FieldView {
            form,
            values,
            masked: matches!(sight, Sight::Masked(_)),
            ..withheld
        })
    }

    /// A value that a command brings to a field.
    pub fn brought(&self, name: &str, value: &Value) -> FieldView {
        let sight = self.sight(name);
        let withheld = FieldView {
            field: self.named(name),
            form: Form::Withheld,
            masked: false,
            values: Vec::new(),
        };
        let declared = self
            .kind
            .and_then(|kind| kind.field(name))
            .filter(|_| sight != Sight::Withheld);
        let Some(field) = declared else {
            return withheld;
        };
        let values = vec![self.said(field, sight, value, None, None)];
        FieldView {
            form: Form::Value,
            values,
            masked: matches!(sight, Sight::Masked(_)),
            ..withheld
        }
    }

    fn said(
        &self,
        field: &Field,
        sight: Sight,
        value: &Value,
        item: Option<ItemId>,
        by: Option<Place>,
    ) -> SaidView {
        let by = by
            .and_then(|place| self.steps.get(&place))
            .map(|step| ByView {
                who: self.person(step.place, step.assignment),
                recorded: Instant(step.at),
                received: Instant(step.received_at),
                seq: step.place.seq,
            });
        let whole = Valued {
            catalogue: self.reader.catalogue(),
            registry: self.reader.registry(),
            ty: &field.ty,
        };
        let text = whole.text(value);
        let (value, text, label) = match sight {
            Sight::Whole => (whole.json(value), text, whole.label(value)),
            Sight::Masked(mask) => {
                let masked = masked(mask, &text);
                (Json::String(masked.clone()), masked, None)
            }
            Sight::Withheld => (Json::Null, String::new(), None),
        };
        SaidView {
            value,
            text,
            label,
            item: item.map(Id),
            by,
        }
    }
}

/// What a mask leaves of a text: of one of which nothing may be seen not even the length.
pub fn masked(mask: Mask, text: &str) -> String {
    if mask == Mask::All {
        HIDDEN.to_owned()
    } else {
        mask.apply(text)
    }
}

const fn mark_name(mark: record::Mark) -> &'static str {
    match mark {
        record::Mark::Withheld => "withheld",
        record::Mark::Erased => "erased",
        record::Mark::OverLimit => "over_limit",
        record::Mark::SetAside => "set_aside",
        record::Mark::Unknown => "unknown",
    }
}

/// Reads values by the type of their field.
#[derive(Debug, Clone, Copy)]
pub struct Valued<'a> {
    /// What codes mean.
    pub catalogue: &'a Catalogue,
    /// Who people are.
    pub registry: &'a Registry,
    /// The type.
    pub ty: &'a FieldType,
}

impl Valued<'_> {
    /// As JSON: dates and times as text, references as objects.
    pub fn json(&self, value: &Value) -> Json {
        let of = |ty: &FieldType, value: &Value| Valued { ty, ..*self }.json(value);
        match (self.ty, value) {
            (_, Value::Null) => Json::Null,
            (_, Value::Bool(value)) => json!(value),
            (FieldType::Date | FieldType::Time, Value::Int(_)) | (_, Value::Decimal(..)) => {
                Json::String(plain(self.ty, value))
            }
            (_, Value::Int(value)) => json!(value),
            (_, Value::Text(text)) => json!(text),
            (ty, Value::Bytes(bytes)) if ty.is_link() => self.reference(bytes),
            (_, Value::Bytes(bytes)) => Json::String(hex(bytes)),
            (ty, Value::List(values)) => values.iter().map(|value| of(ty, value)).collect(),
            (FieldType::List { parts, .. }, Value::Struct(fields)) => {
                let part = |(name, value): (&String, &Value)| {
                    let ty = parts
                        .iter()
                        .find(|part| part.name == *name)
                        .map_or(self.ty, |part| &part.ty);
                    (name.clone(), of(ty, value))
                };
                Json::Object(fields.iter().map(part).collect::<Map<_, _>>())
            }
            (ty, Value::Struct(fields)) => Json::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), of(ty, value)))
                    .collect(),
            ),
        }
    }

    /// As people read it.
    pub fn text(&self, value: &Value) -> String {
        match value {
            Value::Bytes(bytes) if self.ty.is_user() => self
                .user(bytes)
                .map_or_else(|| plain(self.ty, value), |(_, name)| name),
            Value::List(values) if self.ty.is_user() => values
                .iter()
                .map(|value| self.text(value))
                .collect::<Vec<_>>()
                .join("、"),
            _ => plain(self.ty, value),
        }
    }

    fn reference(&self, bytes: &[u8]) -> Json {
        if self.ty.is_user() {
            return self.user(bytes).map_or(
                Json::Null,
                |(user, name)| json!({ "user": user.to_string(), "name": name }),
            );
        }
        let (record, journal) = bytes.split_at_checked(16).unwrap_or((bytes, &[]));
        if journal.is_empty() {
            json!({ "record": hex(record) })
        } else {
            json!({ "record": hex(record), "journal": hex(journal) })
        }
    }

    fn user(&self, bytes: &[u8]) -> Option<(UserId, String)> {
        let user = UserId::try_from(bytes).ok()?;
        Some((user, self.registry.users.get(&user)?.name.clone()))
    }

    /// What people read for a code, or for several.
    fn label(&self, value: &Value) -> Option<LabelView> {
        let (FieldType::Code { set } | FieldType::Codes { set, .. }) = self.ty else {
            return None;
        };
        let set = self.catalogue.set(set)?;
        let label = |value: &Value| set.code(value.as_text()?).map(|code| &code.label);
        match value {
            Value::List(values) => {
                let labels: Vec<&Label> = values.iter().filter_map(label).collect();
                let join = |texts: Vec<&str>, comma: &str| texts.join(comma);
                Some(LabelView {
                    zh: join(labels.iter().map(|label| label.zh.as_str()).collect(), "、"),
                    en: join(labels.iter().map(|label| label.en.as_str()).collect(), ", "),
                })
            }
            one => label(one).map(LabelView::from),
        }
    }
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
