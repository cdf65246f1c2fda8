//! Reading the self-checks of a kind's file, and what must hold of them within the kind.

use super::field::{Condition, Field, FieldType};
use super::form::Form;
use super::kind_check::Check;
use super::self_check::{FieldTest, HowMany, Related, SelfCheck, Test, Tie};
use super::source::Namespace;
use super::table::{Table, Text};

/// The keys of which a question about a field has one.
const TESTS: [&str; 9] = [
    "is",
    "empty",
    "misses",
    "after_today",
    "past",
    "within",
    "repeated",
    "lacks_this_year",
    "age_from",
];
const HOW_MANY: [(&str, HowMany); 3] = [
    ("none", HowMany::None),
    ("some", HowMany::Some),
    ("several", HowMany::Several),
];
/// Nobody is older.
const AGE_MAX: i64 = 150;

/// Reads one check.
pub(super) fn self_check(name: &Text, mut table: Table<'_>) -> SelfCheck {
    let check = SelfCheck {
        name: name.value.clone(),
        label: table.label(),
        states: values(table.texts("in")),
        took: values(table.texts("took")),
        when: table.tables("when").into_iter().map(field_test).collect(),
        related: table
            .tables("related")
            .into_iter()
            .filter_map(related)
            .collect(),
    };
    if !table.has("when") && !table.has("related") {
        let remedy = "write `when = [{ field = \"…\", empty = true }]` or `related`";
        table.note(table.at, format!("{} asks nothing", table.what), remedy);
    }
    table.finish();
    check
}

fn values(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}

fn days(table: &Table<'_>, days: &Text) {
    if !days.value.is_empty() {
        table.page.uses(Namespace::Days, days);
    }
}

fn field_test(mut table: Table<'_>) -> FieldTest {
    let field = table.need_text("field", "\"…\"").value;
    let asked: Vec<&str> = TESTS.into_iter().filter(|key| table.has(key)).collect();
    if asked.len() != 1 {
        let message = format!("{} asks {} things of a field", table.what, asked.len());
        table.note(
            table.at,
            message,
            format!("write one of {}", TESTS.join(", ")),
        );
    }
    let test = test(&mut table, asked.first().copied().unwrap_or_default());
    table.finish();
    FieldTest { field, test }
}

fn test(table: &mut Table<'_>, key: &str) -> Test {
    match key {
        "is" => Test::Is(values(table.texts("is"))),
        "misses" => {
            let form = table.choice("misses", &Form::NAMES);
            Test::Misses(form.unwrap_or(Form::ResidentId))
        }
        "after_today" => {
            table.flag("after_today");
            Test::AfterToday
        }
        "past" => {
            let text = table.need_text("past", "\"a key of the province profile\"");
            days(table, &text);
            Test::Past { days: text.value }
        }
        "within" => {
            let text = table.need_text("within", "\"a key of the province profile\"");
            days(table, &text);
            let of = table.need_text("of", "\"another date field\"").value;
            Test::Within {
                days: text.value,
                of,
            }
        }
        "repeated" => {
            table.flag("repeated");
            Test::Repeated
        }
        "lacks_this_year" => Test::LacksThisYear {
            part: table.need_text("lacks_this_year", "\"year\"").value,
        },
        "age_from" => Test::Age {
            from: table.int_within("age_from", 0..=AGE_MAX, 0),
            to: table.int_within("age_to", 0..=AGE_MAX, AGE_MAX),
        },
        _ => {
            TESTS.into_iter().for_each(|key| table.ignore(key));
            table.flag("empty");
            Test::Empty
        }
    }
}

fn related(mut table: Table<'_>) -> Option<Related> {
    let said: Vec<_> = HOW_MANY
        .into_iter()
        .filter(|(key, _)| table.has(key))
        .collect();
    HOW_MANY.into_iter().for_each(|(key, _)| table.ignore(key));
    let [(key, how_many)] = said.as_slice() else {
        let remedy = "write one of `none`, `some` and `several`, with a kind";
        let message = format!(
            "{} does not say how many of what kind there must be",
            table.what
        );
        table.note(table.at, message, remedy);
        return None;
    };
    let kind = table.need_text(key, "\"case\"");
    table.page.uses(Namespace::Kind, &kind);
    let (tie, _) = tie(&mut table, &kind.value);
    let uses = |table: &Table<'_>, namespace: Namespace, text: &Text| {
        if !text.value.is_empty() {
            table.page.uses(namespace, text);
        }
    };
    let states = table.texts("in");
    for state in &states {
        uses(&table, Namespace::State(kind.value.clone()), state);
    }
    let last = table.text("last");
    if let Some(last) = &last {
        uses(&table, Namespace::DateField(kind.value.clone()), last);
    }
    let when = table.tables("when").into_iter();
    let related = Related {
        how_many: *how_many,
        tie,
        states: values(states),
        open: table.flag("open"),
        last: last.map(|last| last.value),
        when: when.map(|inner| their_codes(inner, &kind.value)).collect(),
        kind: kind.value,
    };
    table.finish();
    Some(related)
}

/// Reads how records of a kind belong to another, and the field of that other which says so.
pub(super) fn tie(table: &mut Table<'_>, kind: &str) -> (Tie, Option<Text>) {
    let (at, of) = (table.text("at"), table.text("of"));
    if let Some(at) = at {
        let field = at.value.clone();
        return (Tie::At { field }, Some(at));
    }
    let by = table.need_text("by", "\"household\"");
    if !by.value.is_empty() {
        table.page.uses(Namespace::LinkField(kind.to_owned()), &by);
    }
    let tie = Tie::By {
        field: by.value,
        of: of.as_ref().map(|of| of.value.clone()),
    };
    (tie, of)
}

/// Reads that a field of another kind has one of some codes.
fn their_codes(mut table: Table<'_>, kind: &str) -> Condition {
    let field = table.need_text("field", "\"…\"");
    let codes = table.texts("is");
    if codes.is_empty() {
        table.missing("is", "[\"…\"]");
    }
    let namespace = || Namespace::CodeOf(kind.to_owned(), field.value.clone());
    if !field.value.is_empty() {
        table
            .page
            .uses(Namespace::CodeField(kind.to_owned()), &field);
        codes
            .iter()
            .for_each(|code| table.page.uses(namespace(), code));
    }
    table.finish();
    Condition {
        field: field.value,
        is: values(codes),
    }
}

impl Check<'_> {
    /// Notes whatever does not hold of the kind's self-checks.
    pub(super) fn self_checks(&self) {
        for check in &self.kind.checks {
            let path = |key| ["checks", check.name.as_str(), key];
            self.known_states(&path("in"), &check.states);
            for action in &check.took {
                if self.kind.action(action).is_none() {
                    let message = format!("there is no action `{action}`");
                    self.note(&path("took"), message, "name actions of this kind");
                }
            }
            for test in &check.when {
                self.field_test(&path("when"), test);
            }
            let ties = check.related.iter().map(|related| &related.tie);
            for tie in ties {
                let (Tie::By { of: Some(own), .. } | Tie::At { field: own }) = tie else {
                    continue;
                };
                let fits = |field: &Field| field.ty.is_link() && !field.ty.is_user();
                self.own_field(&path("related"), own, fits, "a reference");
            }
        }
    }

    fn field_test(&self, path: &[&str], FieldTest { field, test }: &FieldTest) {
        let any = |_: &Field| true;
        let is_date = |field: &Field| field.ty == FieldType::Date;
        match test {
            Test::Is(codes) => {
                let set = self.known_field(path, field).map(|field| match &field.ty {
                    FieldType::Code { set } | FieldType::Codes { set, .. } => Some(set),
                    _ => None,
                });
                match set {
                    Some(Some(set)) => codes
                        .iter()
                        .for_each(|code| self.uses(path, Namespace::Code(set.clone()), code)),
                    Some(None) => self.own_field(path, field, |_| false, "of codes"),
                    None => {}
                }
            }
            Test::Empty => self.own_field(path, field, any, ""),
            Test::Misses(_) | Test::Repeated => {
                let is_text = |field: &Field| matches!(field.ty, FieldType::Text { .. });
                self.own_field(path, field, is_text, "a text");
            }
            Test::AfterToday | Test::Past { .. } | Test::Age { .. } => {
                self.own_field(path, field, is_date, "a date");
            }
            Test::Within { of, .. } => {
                self.own_field(path, field, is_date, "a date");
                self.own_field(path, of, is_date, "a date");
            }
            Test::LacksThisYear { part } => self.own_part(path, field, part),
        }
    }

    fn own_field(&self, path: &[&str], name: &str, fits: impl Fn(&Field) -> bool, what: &str) {
        if self
            .known_field(path, name)
            .is_some_and(|field| !fits(field))
        {
            let message = format!("the field `{name}` is not {what}");
            self.note(path, message, "name another field");
        }
    }

    fn own_part(&self, path: &[&str], name: &str, part: &str) {
        let has = |field: &Field| match &field.ty {
            FieldType::List { parts, .. } => parts.iter().any(|one| one.name == part),
            _ => false,
        };
        self.own_field(path, name, has, &format!("a list with a part `{part}`"));
    }
}
