//! What a person looks at: records by title, lists, and what is due, in the guide's order.

use std::collections::BTreeMap;

use sync_core::catalog::{Catalogue, FieldType, Kind, Relation};
use sync_core::command::Verb;
use sync_core::due::{self, DueItem, Entered, Facts, Reader};
use sync_core::id::{AreaId, Date, JournalId, RecordId, Timestamp, UserId};
use sync_core::month;
use sync_core::record::{Step, referred};
use sync_core::value::{Fields, Value};
use sync_core::view::{Shown, View};

use crate::Field;
use crate::messages::Lang;

/// A record in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its journal.
    pub journal: JournalId,
    /// The record.
    pub record: RecordId,
    /// Its kind.
    pub kind: String,
    /// What stands for it.
    pub title: String,
    /// Its state.
    pub state: Option<String>,
    /// Whether it is hidden.
    pub void: bool,
    /// The last thing that happened to it, as recorded.
    pub touched: Timestamp,
}

/// A line of the due list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The record.
    pub row: Row,
    /// What is to be done; `None` where one of several values is to be chosen.
    pub label: Option<(String, String)>,
    /// The last day on which it is in time.
    pub due: Option<Date>,
    /// Since when it waits.
    pub since: Timestamp,
}

/// Why a text names no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOne {
    /// None has such an id or title.
    None,
    /// Several have.
    Several(Vec<Row>),
}

/// The least digits of an id that a person may type.
const ID_DIGITS_MIN: usize = 4;

impl Field {
    /// The villages on this phone, with their names.
    pub fn villages(&self) -> Vec<(JournalId, String)> {
        let device = self.device();
        let day = device.last_contact().map_or(Date(0), Timestamp::date);
        let name = |journal: JournalId| {
            let area = device.registry().area_of(journal, day);
            let area = area.and_then(|area| device.registry().areas.get(&area));
            (
                journal,
                area.map_or_else(|| journal.short(), |area| area.name().to_owned()),
            )
        };
        device.journals().into_iter().map(name).collect()
    }

    /// What teammates call a person.
    pub fn person(&self, user: UserId) -> String {
        let user = (self.device().registry().users.get(&user)).map(|known| known.name.clone());
        user.unwrap_or_else(|| "?".to_owned())
    }

    /// What its user sees of a record.
    pub fn view(&self, journal: JournalId, record: RecordId, now: Timestamp) -> Option<View> {
        self.device().view(journal, record, now)
    }

    /// The kind of a record, as forms know it now.
    pub fn kind_of(&self, view: &View, now: Timestamp) -> Option<&Kind> {
        self.catalogue(now)?.kind(&view.kind)
    }

    /// What stands for a record: its title, or that of what its title refers to, or its short id.
    pub fn title(&self, view: &View, now: Timestamp) -> String {
        self.title_within(view, now, 2)
    }

    fn title_within(&self, view: &View, now: Timestamp, depth: u8) -> String {
        let Some(kind) = self.kind_of(view, now) else {
            return view.id.short();
        };
        let refers = kind
            .field(&kind.title)
            .is_some_and(|field| field.ty.is_link());
        if !refers {
            return view.title(kind);
        }
        let target = view.value(&kind.title).and_then(referred);
        let target = target
            .filter(|_| depth > 0)
            .and_then(|target| self.view(view.journal, target, now));
        target.map_or_else(
            || view.id.short(),
            |target| self.title_within(&target, now, depth - 1),
        )
    }

    /// The records that count of some kind, or of all, the last touched first. Hidden ones are left out unless asked for.
    pub fn rows(&self, kind: Option<&str>, with_void: bool, now: Timestamp) -> Vec<Row> {
        let mut rows = Vec::new();
        for journal in self.device().journals() {
            for record in self.device().records(journal) {
                let Some(view) = self.view(journal, record, now) else {
                    continue;
                };
                let wanted = !view.kind.is_empty() && kind.is_none_or(|kind| view.kind == kind);
                if wanted && (with_void || view.void.is_none()) {
                    rows.push(self.row(&view, now));
                }
            }
        }
        rows.sort_by(|a, b| b.touched.cmp(&a.touched).then(a.record.cmp(&b.record)));
        rows
    }

    /// A record as a row of a list.
    pub fn row(&self, view: &View, now: Timestamp) -> Row {
        let counted = view.steps.iter().filter(|step| step.fate.counts());
        Row {
            journal: view.journal,
            record: view.id,
            kind: view.kind.clone(),
            title: self.title(view, now),
            state: view.state.clone(),
            void: view.void.is_some(),
            touched: counted
                .map(|step| step.at)
                .max()
                .unwrap_or(Timestamp(i64::MIN)),
        }
    }

    /// The households, those first that have waited longest for a visit, with the day of the last one.
    pub fn households(&self, now: Timestamp) -> Vec<(Row, Option<Date>)> {
        let mut last: BTreeMap<RecordId, Date> = BTreeMap::new();
        for row in self.rows(Some("visit"), false, now) {
            let Some(view) = self.view(row.journal, row.record, now) else {
                continue;
            };
            let household = view.value("household").and_then(referred);
            let on = view.value("occurred_on").and_then(as_date);
            let on = on.unwrap_or(row.touched.date());
            if let Some(household) = household {
                let latest = last.entry(household).or_insert(on);
                *latest = on.max(*latest);
            }
        }
        let rows = self.rows(Some("household"), false, now);
        let with_day = |row: Row| {
            let day = last.get(&row.record).copied();
            (row, day)
        };
        let mut households: Vec<_> = rows.into_iter().map(with_day).collect();
        households.sort_by(|(a, a_day), (b, b_day)| a_day.cmp(b_day).then(a.title.cmp(&b.title)));
        households
    }

    /// What is due to this user, in the order in which it is to be done. After the lease nothing that rests on others' work is.
    pub fn due(&self, now: Timestamp) -> Vec<Due> {
        let Some(catalogue) = self.catalogue(now) else {
            return Vec::new();
        };
        let mut rows = BTreeMap::new();
        let mut items = Vec::new();
        for row in self.rows(None, false, now) {
            if let Some(item) = self.due_of(catalogue, &row, now) {
                rows.insert(row.record, row);
                items.push(item);
            }
        }
        due::in_order(&mut items);
        let line = |item: DueItem<'_>| {
            let label = item.label.map(|label| (label.zh.clone(), label.en.clone()));
            Some(Due {
                row: rows.get(&item.record)?.clone(),
                label,
                due: item.due,
                since: item.since,
            })
        };
        items.into_iter().filter_map(line).collect()
    }

    fn due_of<'c>(
        &self,
        catalogue: &'c Catalogue,
        row: &Row,
        now: Timestamp,
    ) -> Option<DueItem<'c>> {
        let view = self.view(row.journal, row.record, now)?;
        let kind = catalogue.kind(&view.kind)?;
        let role = catalogue.role(self.device().role(row.journal, now)?)?;
        let timeline = timeline(kind, &view.steps);
        let timeline: Vec<Entered<'_>> = timeline
            .iter()
            .map(|(state, at)| Entered { state, at: *at })
            .collect();
        let stands = |relation: &Relation| self.stands(&view, relation, now);
        let settles = |field: &str| kind.may_set(&role.code, field).holds(stands);
        let facts = Facts {
            record: view.id,
            kind,
            timeline: &timeline,
            values: &values(&view),
            in_conflict: view.conflicts().any(|(field, _)| settles(field)),
        };
        let reader = Reader {
            role,
            stands: &stands,
        };
        due::due(
            &facts,
            &reader,
            catalogue.default_profile(),
            catalogue.calendar(),
            now.date(),
        )
    }

    /// How this user stands to a record.
    pub fn stands(&self, view: &View, relation: &Relation, now: Timestamp) -> bool {
        let me = self.user();
        match relation {
            Relation::Author => view.author == Some(me),
            Relation::Issuer => view.author == Some(me) || self.is_of_my_office(view, now),
            Relation::In(field) => linked(view, field).any(|target| target.0 == me.0),
            Relation::AuthorOf(field) => linked(view, field).any(|target| {
                let target = self.view(view.journal, target, now);
                target.is_some_and(|target| target.author == Some(me))
            }),
        }
    }

    fn is_of_my_office(&self, view: &View, now: Timestamp) -> bool {
        let registry = self.device().registry();
        let office = |assignment| -> Option<(String, AreaId)> {
            let assignment = registry.assignments.get(&assignment)?;
            Some((assignment.role.clone(), assignment.area))
        };
        let created = view
            .steps
            .iter()
            .find(|step| step.verb == Verb::Create && step.fate.counts());
        let theirs = created.and_then(|step| office(step.assignment));
        let mine = self.device().assignment(view.journal, now).and_then(office);
        theirs.is_some() && theirs == mine
    }

    /// The actions that this user may take on a record as it stands, as far as this phone knows.
    pub fn actions<'k>(
        &self,
        kind: &'k Kind,
        view: &View,
        now: Timestamp,
    ) -> Vec<&'k sync_core::catalog::Action> {
        let Some(role) = self.device().role(view.journal, now) else {
            return Vec::new();
        };
        let here = |action: &&sync_core::catalog::Action| {
            let from = view
                .state
                .as_ref()
                .is_some_and(|state| action.from.contains(state));
            from && kind
                .may_act(role, &action.name)
                .holds(|relation| self.stands(view, relation, now))
        };
        kind.actions.iter().filter(here).collect()
    }

    /// The one record of a kind (or of any) that a person means by an id's first digits, a title, or the beginning of one.
    pub fn find(&self, text: &str, kind: Option<&str>, now: Timestamp) -> Result<Row, NotOne> {
        let text = text.trim().trim_start_matches('#');
        let rows = self.rows(kind, true, now);
        let is_id =
            text.len() >= ID_DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = text.to_ascii_lowercase();
        let by_id = |row: &&Row| is_id && row.record.to_string().starts_with(&digits);
        let is_title = |row: &&Row| row.title == text;
        let begins = |row: &&Row| !text.is_empty() && row.title.starts_with(text);
        let among = |wanted: &dyn Fn(&&Row) -> bool| {
            rows.iter().filter(wanted).cloned().collect::<Vec<Row>>()
        };
        for found in [among(&by_id), among(&is_title), among(&begins)] {
            match found.as_slice() {
                [] => {}
                [one] => return Ok(one.clone()),
                _ => return Err(NotOne::Several(found)),
            }
        }
        Err(NotOne::None)
    }

    /// A value as text: codes by their labels, references by title, people by name.
    pub fn text_of(
        &self,
        ty: &FieldType,
        value: &Value,
        journal: JournalId,
        lang: Lang,
        now: Timestamp,
    ) -> String {
        let catalogue = self.catalogue(now);
        let label = |set: &str, code: &str| {
            let set = catalogue.and_then(|catalogue| catalogue.set(set));
            let known = set.and_then(|set| set.code(code));
            known.map_or_else(|| code.to_owned(), |known| lang.of(&known.label).to_owned())
        };
        match (ty, value) {
            (FieldType::Code { set }, Value::Text(code)) => label(set, code),
            (FieldType::Codes { set, .. }, Value::List(codes)) => {
                let codes = codes
                    .iter()
                    .filter_map(Value::as_text)
                    .map(|code| label(set, code));
                codes.collect::<Vec<_>>().join(lang.comma())
            }
            (FieldType::Measure, Value::Text(id)) => {
                let measure = catalogue.and_then(|catalogue| catalogue.measure(id));
                measure.map_or_else(|| id.clone(), |measure| format!("{id} {}", measure.title))
            }
            (FieldType::Bool, Value::Bool(yes)) => lang.yes_or_no(*yes).to_owned(),
            (FieldType::List { parts, .. }, Value::Struct(item)) => {
                let part = |part: &sync_core::catalog::Part| {
                    let value = item.get(&part.name)?;
                    let text = self.text_of(&part.ty, value, journal, lang, now);
                    Some(format!("{}{}{text}", lang.of(&part.label), lang.colon()))
                };
                parts
                    .iter()
                    .filter_map(part)
                    .collect::<Vec<_>>()
                    .join(lang.comma())
            }
            (ty, Value::List(values)) => {
                let texts = values
                    .iter()
                    .map(|value| self.text_of(ty, value, journal, lang, now));
                texts.collect::<Vec<_>>().join(lang.comma())
            }
            (ty, Value::Bytes(_)) if ty.is_link() => self.link_text(ty, value, journal, now),
            (ty, value) => sync_core::view::plain(ty, value),
        }
    }

    fn link_text(
        &self,
        ty: &FieldType,
        value: &Value,
        journal: JournalId,
        now: Timestamp,
    ) -> String {
        let Some(target) = referred(value) else {
            return String::new();
        };
        if ty.is_user() {
            return self.person(UserId(target.0));
        }
        let view = self.view(journal, target, now);
        view.map_or_else(|| target.short(), |view| self.title(&view, now))
    }
}

fn linked<'v>(view: &'v View, field: &str) -> impl Iterator<Item = RecordId> + 'v {
    let values: Vec<RecordId> = match view.value(field) {
        Some(Value::List(values)) => values.iter().filter_map(referred).collect(),
        Some(value) => referred(value).into_iter().collect(),
        None => Vec::new(),
    };
    values.into_iter()
}

fn as_date(value: &Value) -> Option<Date> {
    value
        .as_int()
        .and_then(|days| i32::try_from(days).ok())
        .map(Date)
}

/// The states that a record was in, with the time from which it was: as received; as recorded, while nothing was received.
fn timeline(kind: &Kind, steps: &[Step]) -> Vec<(String, Timestamp)> {
    let entered = |step: &Step| {
        let named = step.action.as_deref()?;
        let state = match step.verb {
            Verb::Create => Some(named.to_owned()),
            Verb::Seal => Some(month::SEALED.to_owned()),
            Verb::Act => kind
                .action(named)
                .filter(|action| !action.concurrent)?
                .to
                .clone(),
            _ => None,
        };
        state.map(|state| (state, step.received_at))
    };
    steps
        .iter()
        .filter(|step| step.fate.counts())
        .filter_map(entered)
        .collect()
}

/// A record's values; of a field in 待核对, either.
fn values(view: &View) -> Fields {
    let value = |shown: &Shown| match shown {
        Shown::Value(said) => Some(said.value.clone()),
        Shown::Conflict(said) => said.first().map(|said| said.value.clone()),
        Shown::Text(text) => Some(Value::text(text)),
        Shown::Items(_) | Shown::Withheld => None,
    };
    view.fields
        .iter()
        .filter_map(|(name, shown)| Some((name.clone(), value(shown)?)))
        .collect()
}
