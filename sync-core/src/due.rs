//! What is due: working-day clocks, and the order of the due list (待办).
//!
//! Both are computed from what a record is now and was before, by the catalogue's rules, the province profile and the calendar;
//! whoever computes them does so with this very code and gets the same. A clock is held by an office and never by a person; the
//! list orders conditions by urgency and waiting time and never counts anybody's work.
//!
//! ```
//! use sync_core::catalog::Catalogue;
//! use sync_core::due::{Entered, Facts, clocks};
//! use sync_core::id::{Date, RecordId};
//! use sync_core::value::Fields;
//!
//! let catalogue = Catalogue::builtin();
//! let friday: Date = "2026-02-13".parse()?; // the last working day but one before Spring Festival
//! let facts = Facts {
//!     record: RecordId([7; 16]),
//!     kind: catalogue.kind("task").expect("a shipped kind"),
//!     timeline: &[Entered { state: "issued", at: friday.starts_at() }],
//!     values: &Fields::default(),
//!     in_conflict: false,
//!     last: None,
//! };
//! let sign = &clocks(&facts, catalogue.default_profile(), catalogue.calendar())[0];
//! assert_eq!(sign.clock.name, "sign");
//! // Saturday the 14th is worked; the holiday lasts until the 23rd; so the third working day is the 25th.
//! assert_eq!(sign.due, "2026-02-25".parse()?);
//! assert!(!sign.is_broken(sign.due) && sign.is_broken(sign.due.plus_days(1)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::catalog::{
    Calendar, Clock, Condition, DueRule, Kind, Label, Office, Profile, Reckoned, Reckoning,
    Relation, Role, SinceLast, Urgency,
};
use crate::id::{Date, RecordId, Timestamp};
use crate::value::{Fields, Value};

/// How many days before its last day something becomes due. The worker is reminded on each of them; nobody else is.
pub const REMIND_DAYS: i32 = 3;

/// That a record came to be in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entered<'a> {
    /// The state.
    pub state: &'a str,
    /// When: as received, so that phone and server agree; as recorded, while nothing was received yet.
    pub at: Timestamp,
}

/// What clocks and due rules read of one record.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'k, 'f> {
    /// The record.
    pub record: RecordId,
    /// Its kind.
    pub kind: &'k Kind,
    /// The states it was in, in order, the first at its creation. Without one there is nothing due.
    pub timeline: &'f [Entered<'f>],
    /// Its values now, as far as the reader has them; of a field with two values, either.
    pub values: &'f Fields,
    /// Whether it has a field in 待核对 that the reader may settle.
    pub in_conflict: bool,
    /// The day of the last of the records from which its kind's due rule counts, if there was one: see [`SinceLast`].
    pub last: Option<Date>,
}

impl Facts<'_, '_> {
    fn state(&self) -> Option<&str> {
        self.timeline.last().map(|entered| entered.state)
    }

    fn date(&self, field: &str) -> Option<Date> {
        self.values
            .get(field)
            .and_then(Value::as_int)
            .and_then(|days| i32::try_from(days).ok())
            .map(Date)
    }

    /// The day from some days before which a rule says something is due, if it rests on a day that is known.
    fn day_of(&self, rule: &DueRule) -> Option<Date> {
        let on = rule.on.as_deref().and_then(|field| self.date(field));
        on.or_else(|| self.next(rule.since_last.as_ref()?))
    }

    /// The day on which the next is due after the last.
    fn next(&self, since_last: &SinceLast) -> Option<Date> {
        let every = self.values.get(&since_last.every)?.as_int()?;
        let every = i32::try_from(every).ok().filter(|days| *days > 0)?;
        let entered = self.timeline.last()?.at.date();
        let next = self.last.unwrap_or(entered).plus_days(every);
        let not_before = since_last.not_before.as_deref();
        let not_before = not_before.and_then(|field| self.date(field));
        Some(not_before.map_or(next, |day| next.max(day)))
    }

    fn meets(&self, condition: Option<&Condition>) -> bool {
        condition.is_none_or(|condition| {
            let code = self.values.get(&condition.field).and_then(Value::as_text);
            code.is_some_and(|code| condition.is.iter().any(|other| other == code))
        })
    }
}

/// One run of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run<'a> {
    /// The clock.
    pub clock: &'a Clock,
    /// The day from which it counts; that day itself is not counted.
    pub started: Date,
    /// The last day on which the step is in time.
    pub due: Date,
    /// Whether that day rests on years with a calendar alone; otherwise Monday to Friday were taken, and it may move.
    pub certain: bool,
    /// The day on which the step was done, if it was.
    pub stopped: Option<Date>,
}

impl Run<'_> {
    /// Whether it runs still.
    pub const fn is_running(&self) -> bool {
        self.stopped.is_none()
    }

    /// Whether the step was not done in time, as of a day.
    pub fn is_broken(&self, today: Date) -> bool {
        self.stopped.unwrap_or(today) > self.due
    }

    /// Whether it runs, is whole, and breaks unless the step is done within some days.
    pub fn breaks_within(&self, days: i32, today: Date) -> bool {
        self.is_running() && !self.is_broken(today) && self.due <= today.plus_days(days)
    }
}

/// Every run of every clock of a record, in the order of the kind's clocks and of time.
///
/// A clock runs again each time the record comes back into the states in which it runs; a clock that counts from the creation or
/// from a date runs on from there, so that a return counts against the office that returned.
pub fn clocks<'a>(facts: &Facts<'a, '_>, profile: &Profile, calendar: &Calendar) -> Vec<Run<'a>> {
    let kind = facts.kind;
    let clocks = kind
        .clocks
        .iter()
        .filter(|clock| facts.meets(clock.when.as_ref()));
    clocks
        .flat_map(|clock| runs(clock, facts, profile, calendar))
        .collect()
}

fn runs<'a>(
    clock: &'a Clock,
    facts: &Facts<'a, '_>,
    profile: &Profile,
    calendar: &Calendar,
) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    for entered in facts.timeline {
        let on = entered.at.date();
        let open = runs.last_mut().filter(|run| run.is_running());
        match (
            open,
            clock.runs_in.iter().any(|state| state == entered.state),
        ) {
            (Some(run), false) => run.stopped = Some(on),
            (None, true) => runs.extend(run(clock, facts, on, profile, calendar)),
            (Some(_), true) | (None, false) => {}
        }
    }
    runs
}

fn run<'a>(
    clock: &'a Clock,
    facts: &Facts<'a, '_>,
    on: Date,
    profile: &Profile,
    calendar: &Calendar,
) -> Option<Run<'a>> {
    let (started, days) = match &clock.reckoning {
        Reckoning::SinceEntry { days } => (on, Some(days)),
        Reckoning::SinceCreation { days } => (facts.timeline.first()?.at.date(), Some(days)),
        Reckoning::SinceDate { field, days } => (facts.date(field)?, Some(days)),
        Reckoning::Until { .. } => (on, None),
    };
    let due = match (&clock.reckoning, days) {
        (Reckoning::Until { field }, _) => Reckoned {
            value: facts.date(field)?,
            certain: true,
        },
        (_, Some(days)) => calendar.add(started, profile.days(days)?),
        (_, None) => return None,
    };
    Some(Run {
        clock,
        started,
        due: due.value,
        certain: due.certain,
        stopped: None,
    })
}

/// Whose due list it is.
pub struct Reader<'a> {
    /// In which role.
    pub role: &'a Role,
    /// How he stands to the record.
    pub stands: &'a dyn Fn(&Relation) -> bool,
}

impl core::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Reader")
            .field("role", &self.role.code)
            .finish_non_exhaustive()
    }
}

impl Reader<'_> {
    /// Whether a step held by this office is held by the reader's own.
    fn works_in(&self, office: Office) -> bool {
        match office {
            Office::Issuer => (self.stands)(&Relation::Issuer),
            Office::Team
            | Office::Village
            | Office::Township
            | Office::County
            | Office::Department => self.role.office == Some(office),
        }
    }
}

/// One line of a due list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueItem<'a> {
    /// The record.
    pub record: RecordId,
    /// How urgent it is.
    pub urgency: Urgency,
    /// What is to be done; `None` where a field has two values and one is to be chosen.
    pub label: Option<&'a Label>,
    /// The last day on which it is in time, where there is one.
    pub due: Option<Date>,
    /// Since when it waits.
    pub since: Timestamp,
}

/// What is due to a reader of one record, if anything: the most urgent of what its kind's rules, its clocks and a conflict say.
pub fn due<'a>(
    facts: &Facts<'a, '_>,
    reader: &Reader<'_>,
    profile: &Profile,
    calendar: &Calendar,
    today: Date,
) -> Option<DueItem<'a>> {
    let since = facts.timeline.last()?.at;
    let rule = facts
        .kind
        .due
        .iter()
        .filter(|rule| applies(rule, facts, reader, today))
        .min_by_key(|rule| rule.urgency);
    let runs = clocks(facts, profile, calendar);
    let mine = runs
        .iter()
        .filter(|run| run.is_running() && reader.works_in(run.clock.holder));
    let next = mine.min_by_key(|run| run.due);
    let item = |urgency, label| DueItem {
        record: facts.record,
        urgency,
        label,
        due: next.map(|run| run.due),
        since,
    };
    if let Some(rule) = rule {
        let soon = next.filter(|run| run.due <= today.plus_days(REMIND_DAYS));
        if let Some(run) = soon {
            return Some(item(Urgency::Clock, Some(&run.clock.label)));
        }
        if rule.urgency < Urgency::Conflict || !facts.in_conflict {
            let mut item = item(rule.urgency, Some(&rule.label));
            item.due = item.due.or_else(|| facts.day_of(rule));
            return Some(item);
        }
    }
    facts.in_conflict.then(|| item(Urgency::Conflict, None))
}

fn applies(rule: &DueRule, facts: &Facts<'_, '_>, reader: &Reader<'_>, today: Date) -> bool {
    let here = facts
        .state()
        .is_some_and(|state| rule.states.iter().any(|other| other == state));
    let rests_on_a_day = rule.on.is_some() || rule.since_last.is_some();
    let is_near = |day: Date| day <= today.plus_days(REMIND_DAYS);
    let soon = !rests_on_a_day || facts.day_of(rule).is_some_and(is_near);
    here && soon
        && facts.meets(rule.when.as_ref())
        && rule
            .to
            .permit(&reader.role.code)
            .holds(|relation| (reader.stands)(relation))
}

/// Puts a due list into its order: most urgent first, then longest waiting. Nobody has to configure it.
pub fn in_order(items: &mut [DueItem<'_>]) {
    items.sort_by_key(|item| (item.urgency, item.since, item.record));
}

#[cfg(test)]
mod tests;
