//! What a person looks at on his phone: records by title, lists, what is due, and one record whole.
//!
//! Every shell shows the same, whatever it draws with: a [`Look`] is a device at a time, and is only read. Texts come in both
//! languages ([`Label`]), so that the shell picks. What is told of records in words is told alike of those that somebody reads without
//! a device ([`Source`]).
//!
//! ```
//! use sync_core::id::Timestamp;
//! use sync_core::look::Look;
//! use sync_core::sync::device::Device;
//!
//! fn today(device: &Device, now: Timestamp) -> Vec<String> {
//!     let look = Look::new(device, now);
//!     look.due().into_iter().map(|due| due.row.title).collect()
//! }
//! ```

mod doubts;
mod draft;
mod households;
mod next;
mod page;
pub mod roll;
#[cfg(test)]
mod scene;
mod source;
mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::catalog::{Action, Capability, Catalogue, DueRule, Kind, Relation, SinceLast, Urgency};
use crate::cluster::{self, Cluster};
use crate::command::Verb;
use crate::due::{self, DueItem, Entered, Facts, Reader};
use crate::id::{AreaId, Date, DeviceId, JournalId, RecordId, Timestamp, UserId};
use crate::month;
use crate::record::{Record, Slot, Step, referred};
use crate::sync::device::{Device, Whereabouts};
use crate::value::{Fields, Value};
use crate::view::{PENDING, Shown, View, number};

pub use crate::catalog::Label;
pub use doubts::Doubt;
pub use draft::{Asked, Draft, DraftLine, DraftSection, Drawn};
pub use households::{Household, Households, HouseholdsWanted};
pub use next::Next;
pub use page::{FieldPage, Page, masked};
pub use source::Source;
pub use text::both;

/// Where something is that was saved here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// 本机: on this phone alone.
    OnPhone,
    /// 已发: sealed, perhaps sent, not answered.
    Sent,
    /// 已收到: the server has it, whatever became of it.
    Received,
}

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
    /// Where the least far of this device's own commands on it is.
    pub reach: Reach,
    /// Whether some field is in 待核对.
    pub in_conflict: bool,
}

/// A line of the due list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The record.
    pub row: Row,
    /// What is to be done; `None` where one of several values is to be chosen.
    pub label: Option<Label>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// The last day on which it is in time.
    pub due: Option<Date>,
    /// Since when it waits.
    pub since: Timestamp,
}

impl Due {
    /// Whether its day is past.
    pub fn is_overdue(&self, today: Date) -> bool {
        self.due.is_some_and(|due| due < today)
    }
}

/// Which rows somebody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of which kind; of all, if `None`.
    pub kind: Option<String>,
    /// Of which village; of all, if `None`.
    pub journal: Option<JournalId>,
    /// In one of these states; in any, if there is none.
    pub states: Vec<String>,
    /// Which refer to this record.
    pub refers_to: Option<RecordId>,
    /// Hidden ones too.
    pub with_void: bool,
}

impl Wanted {
    /// Those of a kind, or all, hidden ones left out unless asked for.
    pub fn of(kind: Option<&str>, with_void: bool) -> Self {
        Self {
            kind: kind.map(str::to_owned),
            with_void,
            ..Self::default()
        }
    }

    /// Whether a record may be among them, by what costs little to see.
    fn may_take(&self, record: &Record) -> bool {
        let of_kind = self.kind.as_ref().is_none_or(|kind| record.kind == *kind);
        let is_here = self.journal.is_none_or(|journal| record.journal == journal);
        let in_state = self.states.is_empty()
            || record
                .state
                .as_ref()
                .is_some_and(|state| self.states.contains(state));
        !record.kind.is_empty()
            && of_kind
            && is_here
            && in_state
            && (self.with_void || record.void.is_none())
    }

    /// Whether one that may be among them is, by what its reader sees of it. What refers to one that was merged refers to the one that
    /// stands for both.
    fn takes(&self, view: &View, look: &Look<'_>) -> bool {
        self.refers_to
            .is_none_or(|target| refers_to(view, target, look))
    }
}

/// Why a text names no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOne {
    /// None has such an id or title.
    None,
    /// Several have.
    Several(Vec<Row>),
}

/// A rule that counts from the last of other records, and their days by whom they are about.
type LastDays<'c> = (&'c SinceLast, BTreeMap<RecordId, Date>);

/// The least digits of an id that a person may type.
const ID_DIGITS_MIN: usize = 4;
/// How many mergers, one into the other, are followed.
const MERGED_DEPTH: u8 = 8;
/// How far a title follows references.
const TITLE_DEPTH: u8 = 2;

/// What a device's user, or who reads elsewhere, sees at a time.
#[derive(Debug)]
pub struct Look<'d, S = Device> {
    source: &'d S,
    now: Timestamp,
}

// Derived, they would ask of a device that it be copied itself.
impl<S> Clone for Look<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Look<'_, S> {}

impl<'d, S> Look<'d, S> {
    /// Looks at a device, or at what somebody sees elsewhere, now.
    pub const fn new(source: &'d S, now: Timestamp) -> Self {
        Self { source, now }
    }
}

impl<'d, S: Source> Look<'d, S> {
    /// The catalogue that forms follow now.
    pub fn catalogue(&self) -> Option<&'d Catalogue> {
        self.source.catalogue(self.now)
    }

    /// Who looks.
    pub fn user(&self) -> UserId {
        self.source.user()
    }

    /// Whose device it is, where the registry knows it.
    pub fn user_of(&self, device: DeviceId) -> Option<UserId> {
        self.source.user_of(device)
    }

    /// Who did a step, where the registry knows the device.
    pub fn by(&self, step: &Step) -> Option<UserId> {
        self.user_of(step.place.device)
    }

    /// What teammates call a person.
    pub fn person(&self, user: UserId) -> String {
        let known = self.source.registry().users.get(&user);
        known.map_or_else(|| "?".to_owned(), |known| known.name.clone())
    }

    /// What its user sees of a record.
    pub fn view(&self, journal: JournalId, record: RecordId) -> Option<View> {
        self.source.view(journal, record, self.now)
    }

    /// The kind of a record, as forms know it now.
    pub fn kind_of(&self, view: &View) -> Option<&'d Kind> {
        self.catalogue()?.kind(&view.kind)
    }

    /// What stands for a record: its title, or that of what its title refers to, or what stands in for it, or its short id.
    pub fn title(&self, view: &View) -> String {
        self.title_within(view, TITLE_DEPTH)
    }

    fn title_within(&self, view: &View, depth: u8) -> String {
        let Some(kind) = self.kind_of(view) else {
            return view.id.short();
        };
        let refers = kind
            .field(&kind.title)
            .is_some_and(|field| field.ty.is_link());
        if !refers {
            return view.title(kind);
        }
        let Some(target) = view.value(&kind.title).and_then(referred) else {
            return view.title(kind);
        };
        let target = Some(target)
            .filter(|_| depth > 0)
            .and_then(|target| self.view(view.journal, target));
        target.map_or_else(
            || view.id.short(),
            |target| self.title_within(&target, depth - 1),
        )
    }

    /// The number of a record, where its kind has numbers; none before it was received.
    pub fn number(&self, view: &View) -> Option<String> {
        self.kind_of(view).filter(|kind| kind.numbered)?;
        number(&view.steps)
    }
}

impl<'d> Look<'d> {
    /// Whether what others wrote is hidden: see [`Device::lease_is_over`].
    pub fn hides_others(&self) -> bool {
        self.source.lease_is_over(self.now)
    }

    /// The villages on this phone, with their names.
    pub fn villages(&self) -> Vec<(JournalId, String)> {
        let registry = self.source.registry();
        let day = self.source.last_contact().map_or(Date(0), Timestamp::date);
        let name = |journal: JournalId| (journal, registry.name_of(journal, day));
        self.source.journals().into_iter().map(name).collect()
    }

    /// The kinds of which this user may make records in a village, in the order of the catalogue.
    pub fn creates(&self, journal: JournalId) -> Vec<&'d Kind> {
        let role = self.source.role(journal, self.now);
        let (Some(role), Some(catalogue)) = (role, self.catalogue()) else {
            return Vec::new();
        };
        let may = |kind: &&Kind| kind.may_create(role).is_some();
        catalogue.kinds().filter(may).collect()
    }

    /// Who works in a village today, this user first, then by name. Who only reads figures, or takes reports, does not.
    pub fn people(&self, journal: JournalId) -> Vec<(UserId, String)> {
        let registry = self.source.registry();
        let (today, me) = (self.now.date(), self.user());
        let Some(area) = registry.area_of(journal, today) else {
            return Vec::new();
        };
        let works = |role: &str| {
            let role = self.catalogue().and_then(|catalogue| catalogue.role(role));
            role.is_none_or(|role| role.can(Capability::Sync))
        };
        let here = registry.assignments.values().filter(|assignment| {
            assignment.covers(today)
                && registry.is_within(area, assignment.area)
                && works(&assignment.role)
        });
        let users: std::collections::BTreeSet<UserId> =
            here.map(|assignment| assignment.user).collect();
        let mut people: Vec<(UserId, String)> = users
            .into_iter()
            .map(|user| (user, self.person(user)))
            .collect();
        people
            .sort_by(|(a, a_name), (b, b_name)| (*a != me, a_name, a).cmp(&(*b != me, b_name, b)));
        people
    }

    /// Whether a device is this one, or was its user's before.
    pub fn is_own(&self, device: DeviceId) -> bool {
        self.source.is_own(device)
    }

    fn ids(self) -> impl Iterator<Item = (JournalId, RecordId)> {
        let device = self.source;
        device.journals().into_iter().flat_map(move |journal| {
            let records = device.records(journal).into_iter();
            records.map(move |record| (journal, record))
        })
    }

    /// The records of a journal and of a kind, or of all, and those of which the kind is not known before they are folded.
    fn records<'w>(
        self,
        journal: Option<JournalId>,
        kind: Option<&'w str>,
    ) -> impl Iterator<Item = Cow<'d, Record>> + use<'d, 'w> {
        let device = self.source;
        let may_be = move |(here, record): &(JournalId, RecordId)| {
            let known = || device.kind_of(*here, *record);
            journal.is_none_or(|journal| journal == *here)
                && kind.is_none_or(|kind| known().is_none_or(|known| known == kind))
        };
        let may_be = self.ids().filter(may_be);
        may_be.filter_map(move |(journal, record)| device.record(journal, record))
    }

    /// What somebody wants, in no order.
    fn views<'w>(self, wanted: &'w Wanted) -> impl Iterator<Item = View> + use<'d, 'w> {
        let records = self.records(wanted.journal, wanted.kind.as_deref());
        let records = records.filter(|record| wanted.may_take(record));
        let views = records.map(move |record| self.source.view_of(&record, self.now));
        views.filter(move |view| wanted.takes(view, &self))
    }

    /// The record that stands for one: itself, unless it was merged into another.
    fn standing(&self, journal: JournalId, record: RecordId) -> RecordId {
        let mut standing = record;
        for _ in 0..MERGED_DEPTH {
            match self.merged_into(journal, standing) {
                Some(into) => standing = into,
                None => return standing,
            }
        }
        // Two that were merged into each other stand each for itself.
        record
    }

    fn merged_into(&self, journal: JournalId, record: RecordId) -> Option<RecordId> {
        let record = self.source.record(journal, record)?;
        let merging = self.catalogue()?.kind(&record.kind)?.merging.as_ref()?;
        let is_merged = record.state.as_ref() == Some(&merging.state);
        match record.fields.get(&merging.into).filter(|_| is_merged)? {
            Slot::Register(held) => held.last().and_then(|held| referred(&held.value)),
            _ => None,
        }
    }

    /// The records that somebody wants, the last touched first.
    pub fn rows(&self, wanted: &Wanted) -> Vec<Row> {
        let taken = self.views(wanted);
        let mut rows: Vec<Row> = taken.map(|view| self.row(&view)).collect();
        rows.sort_by(|a, b| b.touched.cmp(&a.touched).then(a.record.cmp(&b.record)));
        rows
    }

    /// A record as a row of a list.
    pub fn row(&self, view: &View) -> Row {
        let counted = view.steps.iter().filter(|step| step.fate.counts());
        let touched = counted.map(|step| step.at).max();
        Row {
            journal: view.journal,
            record: view.id,
            kind: view.kind.clone(),
            title: self.title(view),
            state: view.state.clone(),
            void: view.void.is_some(),
            touched: touched.unwrap_or(Timestamp(i64::MIN)),
            reach: self.reach(view),
            in_conflict: view.conflicts().next().is_some(),
        }
    }

    fn reach(&self, view: &View) -> Reach {
        let waiting = view.steps.iter().filter(|step| step.place.seq == PENDING);
        let reached = waiting.map(|step| match self.whereabouts(view, step) {
            Whereabouts::Here => Reach::OnPhone,
            Whereabouts::Sent => Reach::Sent,
            Whereabouts::Received { .. } => Reach::Received,
        });
        reached.min().unwrap_or(Reach::Received)
    }

    /// Where a command of a record is.
    pub fn whereabouts(&self, view: &View, step: &Step) -> Whereabouts {
        if step.place.seq != PENDING {
            let (seq, fate) = (step.place.seq, step.fate.clone());
            return Whereabouts::Received { seq, fate };
        }
        let known = self.source.whereabouts(view.journal, step.place.n);
        known.unwrap_or(Whereabouts::Here)
    }

    /// The last day of a kind's records by whom they are about, from the fields that say so; the day on which one was touched where it
    /// says none.
    fn last_days(&self, kind: &str, by: &str, on: &str) -> BTreeMap<RecordId, Date> {
        let mut last: BTreeMap<RecordId, Date> = BTreeMap::new();
        for view in self.views(&Wanted::of(Some(kind), false)) {
            let day = view.value(on).and_then(as_date);
            let day = day.unwrap_or_else(|| self.row(&view).touched.date());
            for target in linked(&view, by) {
                let standing = self.standing(view.journal, target);
                let latest = last.entry(standing).or_insert(day);
                *latest = day.max(*latest);
            }
        }
        last
    }

    /// The households, those first that have waited longest for a visit, with the day of the last one.
    pub fn households(&self) -> Vec<(Row, Option<Date>)> {
        let last = self.last_days("visit", "household", "occurred_on");
        let rows = self.rows(&Wanted::of(Some("household"), false));
        let with_day = |row: Row| {
            let day = last.get(&row.record).copied();
            (row, day)
        };
        let mut households: Vec<_> = rows.into_iter().map(with_day).collect();
        households.sort_by(|(a, a_day), (b, b_day)| a_day.cmp(b_day).then(a.title.cmp(&b.title)));
        households
    }

    /// One cause at several households, among what is on this phone.
    pub fn clusters(&self) -> Vec<Cluster> {
        let Some(catalogue) = self.catalogue() else {
            return Vec::new();
        };
        let telling = cluster::kinds(catalogue).flat_map(|kind| {
            let wanted = Wanted::of(Some(&kind.name), false);
            self.views(&wanted).collect::<Vec<View>>()
        });
        let telling: Vec<View> = telling.collect();
        cluster::find(catalogue, self.source.registry(), &telling, self.now.date())
    }

    /// What an area is called.
    pub fn place(&self, area: AreaId) -> String {
        let known = self.source.registry().areas.get(&area);
        known.map_or_else(|| area.short(), |area| area.name().to_owned())
    }

    /// What is due to this user, in the order in which it is to be done. After the lease nothing that rests on others' work is.
    pub fn due(&self) -> Vec<Due> {
        let Some(catalogue) = self.catalogue() else {
            return Vec::new();
        };
        // What has no rule waits where two values are in conflict, which one command alone never is.
        let may_wait = |(journal, record): &(JournalId, RecordId)| {
            let kind = self.source.kind_of(*journal, *record);
            let kind = kind.and_then(|kind| catalogue.kind(kind));
            kind.is_none_or(|kind| !kind.due.is_empty())
                || !self.source.is_single(*journal, *record)
        };
        let waiting = self.ids().filter(may_wait);
        let waiting = waiting.filter_map(|(journal, record)| self.source.record(journal, record));
        let waiting = waiting.filter(|record| waits(catalogue, record));
        let waiting: Vec<View> = waiting
            .map(|record| self.source.view_of(&record, self.now))
            .collect();
        let kinds = waiting.iter().filter_map(|view| catalogue.kind(&view.kind));
        let last = self.last_by_kind(kinds);
        let mut views = BTreeMap::new();
        let mut items = Vec::new();
        for view in waiting {
            if let Some(item) = self.due_of(catalogue, &last, &view) {
                views.insert(view.id, view);
                items.push(item);
            }
        }
        due::in_order(&mut items);
        let line = |item: DueItem<'_>| {
            Some(Due {
                row: self.row(views.get(&item.record)?),
                label: item.label.cloned(),
                urgency: item.urgency,
                due: item.due,
                since: item.since,
            })
        };
        items.into_iter().filter_map(line).collect()
    }

    /// For each of these kinds with a rule that counts from the last of other records, the days of those.
    fn last_by_kind<'c>(
        &self,
        kinds: impl Iterator<Item = &'c Kind>,
    ) -> BTreeMap<&'c str, LastDays<'c>> {
        let rules = kinds.flat_map(|kind| {
            let rules = kind.due.iter().filter_map(|rule| rule.since_last.as_ref());
            rules.map(move |rule| (kind.name.as_str(), rule))
        });
        let rules: BTreeMap<&str, &SinceLast> = rules.collect();
        let days = |rule: &SinceLast| self.last_days(&rule.kind, &rule.by, &rule.on);
        let of_kind = |(kind, rule)| (kind, (rule, days(rule)));
        rules.into_iter().map(of_kind).collect()
    }

    fn due_of<'c>(
        &self,
        catalogue: &'c Catalogue,
        last: &BTreeMap<&str, LastDays<'_>>,
        view: &View,
    ) -> Option<DueItem<'c>> {
        let kind = catalogue.kind(&view.kind)?;
        let role = catalogue.role(self.source.role(view.journal, self.now)?)?;
        let today = self.now.date();
        let timeline = timeline(kind, &view.steps);
        let timeline: Vec<Entered<'_>> = timeline
            .iter()
            .map(|(state, at)| Entered { state, at: *at })
            .collect();
        let stands = |relation: &Relation| self.stands(view, relation);
        let settles = |field: &str| kind.may_set(&role.code, field).holds(stands);
        let facts = Facts {
            record: view.id,
            kind,
            timeline: &timeline,
            values: &values(view),
            in_conflict: view.conflicts().any(|(field, _)| settles(field)),
            last: last.get(view.kind.as_str()).and_then(|(rule, days)| {
                let about = match &rule.of {
                    Some(field) => linked(view, field).next()?,
                    None => view.id,
                };
                days.get(&about).copied()
            }),
        };
        let reader = Reader {
            role,
            stands: &stands,
        };
        due::due(
            &facts,
            &reader,
            catalogue.profile_of(self.source.registry().code_of(view.journal, today)),
            catalogue.calendar(),
            today,
        )
    }

    /// How this user stands to a record.
    pub fn stands(&self, view: &View, relation: &Relation) -> bool {
        let me = self.user();
        match relation {
            Relation::Author => view.author == Some(me),
            Relation::Issuer => view.author == Some(me) || self.is_of_my_office(view),
            Relation::In(field) => linked(view, field).any(|target| target.0 == me.0),
            Relation::AuthorOf(field) => linked(view, field).any(|target| {
                let target = self.view(view.journal, target);
                target.is_some_and(|target| target.author == Some(me))
            }),
        }
    }

    fn is_of_my_office(&self, view: &View) -> bool {
        let registry = self.source.registry();
        let office = |assignment| -> Option<(String, AreaId)> {
            let assignment = registry.assignments.get(&assignment)?;
            Some((assignment.role.clone(), assignment.area))
        };
        let mut steps = view.steps.iter();
        let created = steps.find(|step| step.verb == Verb::Create && step.fate.counts());
        let theirs = created.and_then(|step| office(step.assignment));
        let mine = self
            .source
            .assignment(view.journal, self.now)
            .and_then(office);
        theirs.is_some() && theirs == mine
    }

    /// The actions that this user may take on a record as it stands, as far as this phone knows.
    pub fn actions<'k>(&self, kind: &'k Kind, view: &View) -> Vec<&'k Action> {
        let Some(role) = self.source.role(view.journal, self.now) else {
            return Vec::new();
        };
        let here = |action: &&Action| {
            let from = view
                .state
                .as_ref()
                .is_some_and(|state| action.from.contains(state));
            from && view.void.is_none()
                && kind
                    .may_act(role, &action.name)
                    .holds(|relation| self.stands(view, relation))
        };
        kind.actions.iter().filter(here).collect()
    }

    /// The one record of a kind (or of any) that a person means by an id's first digits, a title, or the beginning of one.
    pub fn find(&self, text: &str, kind: Option<&str>) -> Result<Row, NotOne> {
        let text = text.trim().trim_start_matches('#');
        let rows = self.rows(&Wanted::of(kind, true));
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
}

/// Whether a record may be due to anybody: a rule of its kind says so of its state, or it has two values of a field.
fn waits(catalogue: &Catalogue, record: &Record) -> bool {
    let Some(kind) = catalogue.kind(&record.kind) else {
        return false;
    };
    let state = record.state.as_ref();
    let is_due = |rule: &DueRule| {
        let every = rule.since_last.as_ref().map(|since_last| &since_last.every);
        state.is_some_and(|state| rule.states.contains(state))
            && every.is_none_or(|field| record.fields.contains_key(field))
    };
    record.void.is_none() && (kind.due.iter().any(is_due) || record.conflicts().next().is_some())
}

/// The records or people that a field refers to.
fn linked<'v>(view: &'v View, field: &str) -> impl Iterator<Item = RecordId> + 'v {
    view.value(field).into_iter().flat_map(targets)
}

/// What a value refers to.
pub(crate) fn targets(value: &Value) -> Vec<RecordId> {
    match value {
        Value::List(values) => values.iter().filter_map(referred).collect(),
        value => referred(value).into_iter().collect(),
    }
}

fn refers_to(view: &View, target: RecordId, look: &Look<'_>) -> bool {
    let names = |value: &Value| {
        let mut targets = targets(value).into_iter();
        targets.any(|one| one == target || look.standing(view.journal, one) == target)
    };
    let said = |shown: &Shown| match shown {
        Shown::Value(said) => names(&said.value),
        Shown::Conflict(said) => said.iter().any(|said| names(&said.value)),
        Shown::Text(_) | Shown::Items(_) | Shown::Withheld => false,
    };
    view.fields.values().any(said)
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
