//! A record that is checked: one that is there, or one as it would be once a form is saved.

use super::super::{Look, as_date, targets};
use super::around::Around;
use crate::catalog::{FieldTest, Kind, SelfCheck, Test};
use crate::command::Verb;
use crate::id::{Date, JournalId, RecordId};
use crate::sync::device::{Intent, Target};
use crate::value::Value;
use crate::view::{Shown, View};

/// A record and what is known of it.
#[derive(Debug)]
pub(super) struct Subject<'k> {
    pub(super) journal: JournalId,
    pub(super) record: Option<RecordId>,
    pub(super) kind: &'k Kind,
    state: Option<String>,
    /// The actions that it took, in order.
    took: Vec<String>,
    /// Its values by field; several of one in 待核对, and `None` of one that is withheld.
    known: Vec<(String, Option<Vec<Value>>)>,
}

impl<'k> Subject<'k> {
    /// One that is there.
    pub(super) fn of(kind: &'k Kind, view: &View) -> Self {
        let acts = view.steps.iter().filter(|step| {
            let counts = step.fate.counts();
            counts && step.verb == Verb::Act
        });
        let known = view.fields.iter();
        Self {
            journal: view.journal,
            record: Some(view.id),
            kind,
            state: view.state.clone(),
            took: acts.filter_map(|step| step.action.clone()).collect(),
            known: known
                .map(|(name, shown)| (name.clone(), values(shown)))
                .collect(),
        }
    }

    /// One as it would be.
    pub(super) fn after(look: &Look<'k>, journal: JournalId, intents: &[Intent]) -> Option<Self> {
        let first = intents.first()?;
        // Who hides or looks at something writes nothing that could be doubtful.
        if matches!(first.verb, Verb::Void | Verb::Erase | Verb::Reveal) {
            return None;
        }
        let mut subject = match &first.target {
            Target::Existing(record) => {
                let view = look.view(journal, *record)?;
                Self::of(look.kind_of(&view)?, &view)
            }
            Target::New { kind, .. } => {
                let kind = look.catalogue()?.kind(kind)?;
                let role = look.source.role(journal, look.now)?;
                Self {
                    journal,
                    record: None,
                    kind,
                    state: kind.may_create(role).map(|state| state.name.clone()),
                    took: Vec::new(),
                    known: Vec::new(),
                }
            }
            Target::Made | Target::Month(_) => return None,
        };
        intents.iter().for_each(|intent| subject.take(intent));
        Some(subject)
    }

    fn take(&mut self, intent: &Intent) {
        for (name, value) in intent.values.iter() {
            match (intent.verb, value) {
                (Verb::Insert, Value::List(items)) => self.add(name, items),
                (_, value) => *self.values_mut(name) = vec![value.clone()],
            }
        }
        let mut fields: Vec<&String> = intent.links.iter().map(|link| &link.field).collect();
        fields.dedup();
        for field in fields {
            let links = intent.links.iter().filter(|link| link.field == *field);
            let targets = links.map(|link| Value::Bytes(link.target.0.to_vec()));
            *self.values_mut(field) = vec![Value::List(targets.collect())];
        }
        let action = intent.action.as_ref().filter(|_| intent.verb == Verb::Act);
        if let Some(action) = action {
            let to = self.kind.action(action).and_then(|known| known.to.clone());
            self.state = to.or_else(|| self.state.take());
            self.took.push(action.clone());
        }
    }

    /// The values of a field, to be written.
    fn values_mut(&mut self, name: &str) -> &mut Vec<Value> {
        let known = self.known.iter().position(|(known, _)| known == name);
        let mut slot =
            known.map_or_else(|| (name.to_owned(), None), |at| self.known.swap_remove(at));
        slot.1.get_or_insert_default();
        self.known.push(slot);
        let last = self
            .known
            .last_mut()
            .and_then(|(_, values)| values.as_mut());
        last.expect("it was put there")
    }

    /// Adds items to a list.
    fn add(&mut self, name: &str, items: &[Value]) {
        let values = self.values_mut(name);
        match values.first_mut() {
            Some(Value::List(before)) => before.extend_from_slice(items),
            _ => *values = vec![Value::List(items.to_vec())],
        }
    }

    /// The values of a field; `None` of one that is withheld.
    fn values_of(&self, field: &str) -> Option<&[Value]> {
        let known = self.known.iter().find(|(known, _)| known == field);
        known.map_or(Some(&[]), |(_, values)| values.as_deref())
    }

    /// The checks that find it doubtful.
    pub(super) fn doubts(&self, around: &mut Around<'_>) -> Vec<&'k SelfCheck> {
        let checks = self.kind.checks.iter();
        checks
            .filter(|check| self.is_doubtful(check, around))
            .collect()
    }

    fn is_doubtful(&self, check: &SelfCheck, around: &mut Around<'_>) -> bool {
        let state = self.state.as_ref();
        let here =
            check.states.is_empty() || state.is_some_and(|state| check.states.contains(state));
        let last = self.took.iter().rfind(|action| check.took.contains(action));
        here && (check.took.is_empty() || last.is_some_and(|last| check.took.first() == Some(last)))
            && check.when.iter().all(|test| self.holds(test, around))
            && check
                .related
                .iter()
                .all(|related| around.holds(self, related))
    }

    /// What its field refers to; nothing of one that is withheld.
    pub(super) fn targets(&self, field: &str) -> Vec<RecordId> {
        let values = self.values_of(field).unwrap_or_default();
        values.iter().flat_map(targets).collect()
    }

    fn holds(&self, FieldTest { field, test }: &FieldTest, around: &mut Around<'_>) -> bool {
        let Some(values) = self.values_of(field) else {
            return false;
        };
        match test {
            Test::Empty => values.iter().all(is_empty),
            // A list of which there is nothing lacks this year as well.
            Test::LacksThisYear { part } => {
                let year = around.today().civil().map(|day| i64::from(day.year()));
                let has = |item: &Value| part_of(item, part).and_then(Value::as_int) == year;
                !values.iter().flat_map(items).any(has)
            }
            _ => values
                .iter()
                .any(|value| self.asks(field, test, value, around)),
        }
    }

    fn asks(&self, field: &str, test: &Test, value: &Value, around: &mut Around<'_>) -> bool {
        let today = around.today();
        let ends = |from: Date, days: &str| around.ends(self.journal, from, days);
        match test {
            Test::Is(codes) => has_code(value, codes),
            Test::Misses(form) => {
                let text = value.as_text().filter(|text| !text.trim().is_empty());
                text.is_some_and(|text| !form.fits(text))
            }
            Test::AfterToday => as_date(value).is_some_and(|day| day > today),
            Test::Past { days } => {
                let end = as_date(value).and_then(|day| ends(day, days));
                end.is_some_and(|end| end < today)
            }
            Test::Within { days, of } => {
                let from = self.values_of(of).and_then(|values| values.first());
                let end = from.and_then(as_date).and_then(|from| ends(from, days));
                let days = as_date(value).zip(end);
                days.is_some_and(|(day, end)| day < end)
            }
            Test::Repeated => around.is_repeated(self, field, value),
            Test::Age { from, to } => {
                let age = as_date(value).and_then(|born| age(born, today));
                age.is_some_and(|age| (*from..=*to).contains(&age))
            }
            Test::Empty | Test::LacksThisYear { .. } => false,
        }
    }
}

/// The values of a field; `None` of one that is withheld.
pub(super) fn values(shown: &Shown) -> Option<Vec<Value>> {
    match shown {
        Shown::Value(said) => Some(vec![said.value.clone()]),
        Shown::Conflict(said) => Some(said.iter().map(|said| said.value.clone()).collect()),
        Shown::Text(text) => Some(vec![Value::text(text)]),
        Shown::Items(items) => {
            let items = items.iter().map(|(_, said)| said.value.clone());
            Some(vec![Value::List(items.collect())])
        }
        Shown::Withheld => None,
    }
}

/// Whether a value is, or has among it, one of some codes.
pub(super) fn has_code(value: &Value, codes: &[String]) -> bool {
    let is = |value: &Value| {
        let text = value.as_text();
        text.is_some_and(|text| codes.iter().any(|code| code == text))
    };
    match value {
        Value::List(values) => values.iter().any(is),
        value => is(value),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(values) => values.is_empty(),
        value => value.as_text().is_some_and(|text| text.trim().is_empty()),
    }
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn part_of<'v>(item: &'v Value, part: &str) -> Option<&'v Value> {
    match item {
        Value::Struct(parts) => parts.get(part),
        _ => None,
    }
}

/// In full years.
fn age(born: Date, today: Date) -> Option<i64> {
    let (born, today) = (born.civil()?, today.civil()?);
    let had_birthday = (today.month(), today.day()) >= (born.month(), born.day());
    Some(i64::from(today.year() - born.year()) - i64::from(!had_birthday))
}
