//! The records around one that is checked, found again quickly however many are checked.

use super::super::{Look, as_date, targets};
use super::subject::{Subject, has_code, values};
use crate::catalog::{Condition, HowMany, Related, Tie};
use crate::id::{Date, JournalId, RecordId};
use crate::record::Slot;
use crate::value::Value;
use crate::view::View;

/// A village, a kind, and a field of it.
type Field = (JournalId, String, String);
/// What a field holds, in order, and who holds it. In one list and not in maps, each of which would weigh some kilobytes on a
/// phone's first load.
type Held = Vec<(Vec<u8>, RecordId)>;

/// What refers to what, and what is written twice; read once for each field that a check names.
#[derive(Debug)]
pub(super) struct Around<'d> {
    look: Look<'d>,
    read: Vec<(Field, Held)>,
}

impl<'d> Around<'d> {
    pub(super) const fn of(look: Look<'d>) -> Self {
        Self {
            look,
            read: Vec::new(),
        }
    }

    pub(super) const fn today(&self) -> Date {
        self.look.now.date()
    }

    /// The last of so many days from one, by the profile of the place.
    pub(super) fn ends(&self, journal: JournalId, from: Date, days: &str) -> Option<Date> {
        let catalogue = self.look.catalogue()?;
        let code = self.look.source.registry().code_of(journal, self.today());
        let days = catalogue.profile_of(code).days(days)?;
        Some(catalogue.calendar().add(from, days).value)
    }

    /// Whether there are as many of some records around a subject as a question wants.
    pub(super) fn holds(&mut self, subject: &Subject<'_>, related: &Related) -> bool {
        let ids = match &related.tie {
            Tie::At { field } => subject.targets(field),
            Tie::By { field, of } => {
                let about = match of {
                    Some(own) => subject.targets(own),
                    None => subject.record.into_iter().collect(),
                };
                // Nothing refers to what is not there yet, so nobody need look.
                if about.is_empty() {
                    Vec::new()
                } else {
                    let field = (subject.journal, related.kind.clone(), field.clone());
                    let held = self.held(field);
                    about
                        .iter()
                        .flat_map(|about| holders(held, &about.0))
                        .collect()
                }
            }
        };
        let mut views: Vec<View> = ids
            .into_iter()
            .filter_map(|id| self.look.view(subject.journal, id))
            .filter(|view| self.is_among(view, related))
            .collect();
        if let Some(last) = &related.last {
            let day = |view: &View| view.value(last).and_then(as_date);
            let last = views.into_iter().max_by_key(|view| (day(view), view.id));
            views = last.into_iter().collect();
        }
        let answers = views.iter().map(|view| meets(view, &related.when));
        let answers: Option<Vec<bool>> = answers.collect();
        // Where the reader may not read what decides, nothing is said.
        let Some(answers) = answers else {
            return false;
        };
        let met = answers.into_iter().filter(|met| *met).count();
        match related.how_many {
            HowMany::None => met == 0,
            HowMany::Some => met > 0,
            HowMany::Several => met > 1,
        }
    }

    fn is_among(&self, view: &View, related: &Related) -> bool {
        let state = view.state.as_ref();
        let named =
            related.states.is_empty() || state.is_some_and(|state| related.states.contains(state));
        let closed = || {
            let kind = self.look.kind_of(view);
            let state = state.and_then(|state| kind?.state(state));
            state.is_some_and(|state| state.closed)
        };
        view.void.is_none() && view.kind == related.kind && named && !(related.open && closed())
    }

    /// Whether another record of the kind, which is not closed, has the same text.
    pub(super) fn is_repeated(
        &mut self,
        subject: &Subject<'_>,
        field: &str,
        value: &Value,
    ) -> bool {
        let Some(text) = value.as_text().map(plain).filter(|text| !text.is_empty()) else {
            return false;
        };
        let field = (subject.journal, subject.kind.name.clone(), field.to_owned());
        let others: Vec<RecordId> = holders(self.held(field), text.as_bytes()).collect();
        let is_open = |id: &RecordId| {
            let view = self.look.view(subject.journal, *id);
            let view = view.filter(|view| view.void.is_none());
            let state = view.and_then(|view| view.state);
            let state = state.and_then(|state| subject.kind.state(&state));
            state.is_some_and(|state| !state.closed)
        };
        let mut others = others.iter().filter(|id| Some(**id) != subject.record);
        others.any(is_open)
    }

    fn held(&mut self, field: Field) -> &Held {
        let known = self.read.iter().position(|(known, _)| *known == field);
        let at = known.unwrap_or_else(|| {
            let held = read(self.look, &field);
            self.read.push((field, held));
            self.read.len() - 1
        });
        self.read.get(at).map_or(&NOBODY, |(_, held)| held)
    }
}

static NOBODY: Held = Vec::new();

/// Who holds something.
fn holders<'h>(held: &'h Held, key: &[u8]) -> impl Iterator<Item = RecordId> + use<'h> {
    let first = held.partition_point(|(other, _)| other.as_slice() < key);
    let from = held.get(first..).unwrap_or_default();
    let count = from.partition_point(|(other, _)| other.as_slice() == key);
    from.iter().take(count).map(|(_, record)| *record)
}

/// What the records of a kind hold in a field: references by their bytes, texts as they are compared.
fn read(look: Look<'_>, (journal, kind, field): &Field) -> Held {
    let mut found = Held::new();
    let records = look.records(Some(*journal), Some(kind));
    let records = records.filter(|record| record.kind == *kind);
    for record in records {
        let Some(Slot::Register(values)) = record.fields.get(field) else {
            continue;
        };
        for value in values.iter().map(|held| &held.value) {
            let text = value.as_text().map(|text| plain(text).into_bytes());
            let targets = targets(value).into_iter();
            let targets = targets.map(|target| look.standing(*journal, target).0.to_vec());
            let keys = text.into_iter().chain(targets);
            found.extend(keys.map(|key| (key, record.id)));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a record has one of the codes in each of the fields; `None` if the reader may not read one of them.
fn meets(view: &View, conditions: &[Condition]) -> Option<bool> {
    let met = |Condition { field, is }: &Condition| match view.fields.get(field) {
        Some(shown) => Some(values(shown)?.iter().any(|value| has_code(value, is))),
        None => Some(false),
    };
    conditions
        .iter()
        .map(met)
        .try_fold(true, |all, met| Some(all && met?))
}

/// A number as it is compared.
fn plain(text: &str) -> String {
    let written = text.chars().filter(|c| !c.is_whitespace());
    written.flat_map(char::to_uppercase).collect()
}
