//! A record that is checked: one that is there, or one as it would be once a form is saved.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Its values by field; several of one in 待核对.
    known: BTreeMap<String, Vec<Value>>,
    withheld: BTreeSet<String>,
}

impl<'k> Subject<'k> {
    /// One that is there.
    pub(super) fn of(kind: &'k Kind, view: &View) -> Self {
        let acts = view.steps.iter().filter(|step| {
            let counts = step.fate.counts();
            counts && step.verb == Verb::Act
        });
        let mut subject = Self {
            journal: view.journal,
            record: Some(view.id),
            kind,
            state: view.state.clone(),
            took: acts.filter_map(|step| step.action.clone()).collect(),
            known: BTreeMap::new(),
            withheld: BTreeSet::new(),
        };
        for (name, shown) in &view.fields {
            match values(shown) {
                Some(values) => drop(subject.known.insert(name.clone(), values)),
                None => drop(subject.withheld.insert(name.clone())),
            }
        }
        subject
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
                let role = look.device.role(journal, look.now)?;
                Self {
                    journal,
                    record: None,
                    kind,
                    state: kind.may_create(role).map(|state| state.name.clone()),
                    took: Vec::new(),
                    known: BTreeMap::new(),
                    withheld: BTreeSet::new(),
                }
            }
            Target::Made | Target::Month(_) => return None,
        };
        intents.iter().for_each(|intent| subject.take(intent));
        Some(subject)
    }

    fn take(&mut self, intent: &Intent) {
        let mut said: BTreeMap<&str, Value> = BTreeMap::new();
        for (name, value) in intent.values.iter() {
            said.insert(name, value.clone());
        }
        for link in &intent.links {
            let target = Value::Bytes(link.target.0.to_vec());
            match said.entry(&link.field).or_insert(Value::List(Vec::new())) {
                Value::List(targets) => targets.push(target),
                single => *single = target,
            }
        }
        for (name, value) in said {
            self.withheld.remove(name);
            match (intent.verb, value) {
                (Verb::Insert, Value::List(items)) => {
                    let known = self.known.entry(name.to_owned()).or_default();
                    match known.first_mut() {
                        Some(Value::List(before)) => before.extend(items),
                        _ => *known = vec![Value::List(items)],
                    }
                }
                (_, value) => drop(self.known.insert(name.to_owned(), vec![value])),
            }
        }
        let action = intent.action.as_ref().filter(|_| intent.verb == Verb::Act);
        if let Some(action) = action {
            let to = self.kind.action(action).and_then(|known| known.to.clone());
            self.state = to.or_else(|| self.state.take());
            self.took.push(action.clone());
        }
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
        let values = self.known.get(field).into_iter().flatten();
        values.flat_map(targets).collect()
    }

    fn holds(&self, FieldTest { field, test }: &FieldTest, around: &mut Around<'_>) -> bool {
        if self.withheld.contains(field) {
            return false;
        }
        let none = Vec::new();
        let values = self.known.get(field).unwrap_or(&none);
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
                let from = self.known.get(of).and_then(|values| values.first());
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
