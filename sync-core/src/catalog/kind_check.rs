//! What must hold within one kind: every name is declared, every state can be reached and left, every write can happen.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::field::{Condition, Field, FieldType, Fill, Mask, Required, Written};
use super::kind::{Class, Kind, Merging, State};
use super::role::widens;
use super::source::{FieldLike, Namespace, Page, instead};
use super::table::Text;
use super::who::{Relation, Who};
use crate::check_code;
use crate::command::Audience;
use crate::limits::FIELDS_MAX;

/// Notes whatever does not hold.
pub(super) fn check(page: Page<'_>, root: &Spanned<DeTable<'_>>, kind: &Kind) {
    let check = Check {
        page,
        root: root.get_ref(),
        kind,
    };
    check.outline();
    kind.fields.iter().for_each(|field| check.field(field));
    check.life();
    check.self_checks();
}

/// One kind being checked, and the file it came from.
pub(super) struct Check<'c> {
    page: Page<'c>,
    root: &'c DeTable<'c>,
    pub(super) kind: &'c Kind,
}

impl Check<'_> {
    /// Where the last key of a path stands that is there; numbers count the tables of an array.
    fn at(&self, path: &[&str]) -> usize {
        let mut at = 0;
        let Some((first, rest)) = path.split_first() else {
            return at;
        };
        let Some((key, value)) = self.root.iter().find(|(key, _)| key.get_ref() == first) else {
            return at;
        };
        at = key.span().start;
        let mut value = value;
        for step in rest {
            let next = match value.get_ref() {
                DeValue::Table(table) => table
                    .iter()
                    .find(|(key, _)| key.get_ref() == step)
                    .map(|(key, value)| (key.span().start, value)),
                DeValue::Array(array) => step
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| array.get(index))
                    .map(|value| (value.span().start, value)),
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => None,
            };
            let Some((next_at, next_value)) = next else {
                return at;
            };
            (at, value) = (next_at, next_value);
        }
        at
    }

    /// Notes that a name must be declared elsewhere.
    pub(super) fn uses(&self, path: &[&str], namespace: Namespace, name: &str) {
        let text = Text {
            value: name.to_owned(),
            at: self.at(path),
        };
        self.page.uses(namespace, &text);
    }

    pub(super) fn note(
        &self,
        path: &[&str],
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.page.note(self.at(path), message, remedy);
    }

    fn has(&self, key: &str) -> bool {
        self.root.iter().any(|(name, _)| name.get_ref() == key)
    }

    fn field_names(&self) -> Vec<&str> {
        self.kind
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect()
    }

    pub(super) fn known_field(&self, path: &[&str], name: &str) -> Option<&Field> {
        let field = self.kind.field(name);
        if field.is_none() && !name.is_empty() {
            let remedy = instead(name, &self.field_names())
                .unwrap_or_else(|| format!("declare it as `[fields.{name}]`"));
            self.note(path, format!("there is no field `{name}`"), remedy);
        }
        field
    }

    pub(super) fn known_states(&self, path: &[&str], names: &[String]) {
        let known: Vec<&str> = self
            .kind
            .states
            .iter()
            .map(|state| state.name.as_str())
            .collect();
        for name in names
            .iter()
            .filter(|name| !name.is_empty() && !known.contains(&name.as_str()))
        {
            let remedy =
                instead(name, &known).unwrap_or_else(|| format!("declare it as `[states.{name}]`"));
            self.note(path, format!("there is no state `{name}`"), remedy);
        }
    }

    /// The relations that a permission names must be fields of the right type.
    pub(super) fn known_relations(&self, path: &[&str], who: &Who) {
        for relation in who
            .grants
            .iter()
            .filter_map(|grant| grant.relation.as_ref())
        {
            let (name, fits, wanted): (_, fn(&FieldType) -> bool, _) = match relation {
                Relation::Author | Relation::Issuer => continue,
                Relation::In(field) => (field, FieldType::is_user, "user` or `users"),
                Relation::AuthorOf(field) => {
                    (field, |ty| matches!(ty, FieldType::Ref { .. }), "ref")
                }
            };
            if self
                .known_field(path, name)
                .is_some_and(|field| !fits(&field.ty))
            {
                self.note(
                    path,
                    format!("`{relation}` needs a field of type `{wanted}`"),
                    "name another field",
                );
            }
        }
    }

    pub(super) fn condition(&self, path: &[&str], condition: &Condition) {
        let Some(field) = self.known_field(path, &condition.field) else {
            return;
        };
        let FieldType::Code { set } = &field.ty else {
            self.note(
                path,
                format!("`{}` is not of type `code`", field.name),
                "name a field of type `code`",
            );
            return;
        };
        for code in &condition.is {
            self.uses(path, Namespace::Code(set.clone()), code);
        }
    }

    fn outline(&self) {
        let Kind {
            fields,
            states,
            creations,
            ..
        } = self.kind;
        for (missing, key, remedy) in [
            (
                fields.is_empty(),
                "fields",
                "write `[fields.some_name]` and what it has below",
            ),
            (
                states.is_empty(),
                "states",
                "write `[states.some_name]` and what it has below",
            ),
            (
                creations.is_empty(),
                "create",
                "write `[[create]]` with `by` and `state`: who may make a record",
            ),
        ] {
            if missing && !self.has(key) {
                self.note(&[], format!("the kind declares no `{key}`"), remedy);
            }
        }
        if fields.len() > FIELDS_MAX {
            let message = format!(
                "the kind has {} fields, which no one command can bring",
                fields.len()
            );
            self.note(&["fields"], message, format!("keep to {FIELDS_MAX}"));
        }
        if let Some(title) = self.known_field(&["title"], &self.kind.title)
            && !matches!(
                title.ty,
                FieldType::Text { .. }
                    | FieldType::LongText { .. }
                    | FieldType::Code { .. }
                    | FieldType::Ref { .. }
            )
        {
            self.note(
                &["title"],
                format!("`{}` cannot stand for a record", title.name),
                "name a text, a code or a reference",
            );
        }
        if let Some(stand_in) = &self.kind.stand_in
            && let Some(field) = self.known_field(&["stand_in"], stand_in)
            && !matches!(field.ty, FieldType::Text { .. })
        {
            self.note(
                &["stand_in"],
                format!("`{}` cannot stand in for a title", field.name),
                "name a field of type `text`",
            );
        }
        if let Some(Merging { state, into }) = &self.kind.merging {
            self.known_states(&["merging"], core::slice::from_ref(state));
            let refers = |field: &Field| field.ty.target_kind() == Some(&self.kind.name);
            if self
                .known_field(&["merging"], into)
                .is_some_and(|field| !refers(field))
            {
                let message = format!("`{into}` does not refer to a record of this kind");
                self.note(&["merging"], message, "name a reference to the same kind");
            }
        }
        for name in &self.kind.list {
            self.known_field(&["list"], name);
        }
        for (key, who) in [
            ("set_by", &self.kind.set_by),
            ("amend_by", &self.kind.amend_by),
            ("void_by", &self.kind.void_by),
        ] {
            self.known_relations(&[key], who);
        }
        self.class();
    }

    fn class(&self) {
        let testimony = self.kind.class == Class::Testimony;
        let filed: Vec<&State> = self
            .kind
            .states
            .iter()
            .filter(|state| state.filed)
            .collect();
        let amended = !self.kind.amend_by.grants.is_empty();
        if testimony && filed.is_empty() {
            self.note(
                &["class"],
                "a testimony is filed at some time, but no state says so",
                "write `filed = true` in a state",
            );
        }
        if testimony && !amended {
            let remedy = "write `amend_by = [\"FS TM if author\"]`, or who may";
            self.note(
                &["class"],
                "nobody may amend this testimony once it is filed",
                remedy,
            );
        }
        if !testimony && amended {
            self.note(
                &["amend_by"],
                "only a testimony is amended",
                "remove `amend_by`",
            );
        }
        if !testimony && let Some(state) = filed.first() {
            self.note(
                &["states", &state.name, "filed"],
                "only a testimony is filed",
                "remove `filed`, or write `closed = true`",
            );
        }
    }

    fn field(&self, field: &Field) {
        let path = |key| ["fields", field.name.as_str(), key];
        self.known_states(&path("closed_in"), &field.closed_in);
        if let Some(who) = &field.set_by {
            self.known_relations(&path("set_by"), who);
        }
        if let Some(condition) = &field.required_when {
            self.condition(&path("required_when"), condition);
        }
        self.field_audience(field);
        self.check_of(field);
        for fill in &field.fill {
            self.fill(&path("fill"), field, fill);
        }
        let masked = match field.mask {
            None | Some(Mask::All) => true,
            Some(Mask::Year) => field.ty == FieldType::Date,
            Some(Mask::Name | Mask::Phone | Mask::IdNumber) => {
                matches!(field.ty, FieldType::Text { .. })
            }
        };
        if !masked {
            self.note(
                &path("mask"),
                format!("a `{}` cannot be masked so", field.ty.name()),
                "write `mask = \"all\"`, or remove it",
            );
        }
        let acted = self
            .kind
            .actions
            .iter()
            .any(|action| action.writes.contains(&field.name));
        if field.written == Written::ByAction && !acted && !field.retired {
            let message = format!(
                "the field `{}` is written by actions, but none writes it",
                field.name
            );
            self.note(
                &path("written"),
                message,
                "add it to `needs` or `writes` of an action, or remove `written`",
            );
        }
        if field.derived && acted {
            self.note(
                &path("derived"),
                format!("an action writes the derived field `{}`", field.name),
                "remove it there",
            );
        }
    }

    /// A field is filled from its like.
    fn fill(&self, path: &[&str], field: &Field, fill: &Fill) {
        let fits = match fill {
            Fill::Today => field.ty == FieldType::Date,
            Fill::DayIn { number } => {
                let number = self.known_field(path, number);
                // A day is as sensitive as the number that says it.
                let says = |number: &Field| {
                    matches!(number.ty, FieldType::Text { .. }) && number.audience == field.audience
                };
                field.ty == FieldType::Date && number.is_none_or(says)
            }
            Fill::Those { kind, by } => {
                let like = FieldLike::refers_to(&self.kind.name);
                self.uses(path, Namespace::Kind, kind);
                self.uses(path, Namespace::FieldLike(kind.clone(), like), by);
                field.ty.target_kind() == Some(kind)
            }
            Fill::Drafted { paper, on } => {
                self.uses(path, Namespace::DayPaper, paper);
                let on = self.known_field(path, on);
                let drafted = matches!(field.ty, FieldType::LongText { .. })
                    || matches!(field.ty, FieldType::Refs { kind: Some(_), .. });
                drafted && on.is_none_or(|on| on.ty == FieldType::Date)
            }
            Fill::Of { link, field: other } => {
                let Some(link) = self.known_field(path, link) else {
                    return;
                };
                let like = FieldLike::of(field);
                let kind = link.ty.target_kind().filter(|_| !link.ty.is_user());
                if let Some((kind, like)) = kind.zip(like.clone()) {
                    self.uses(path, Namespace::FieldLike(kind.to_owned(), like), other);
                }
                like.is_some() && kind.is_some()
            }
        };
        if !fits || field.derived || field.retired {
            let message = format!("`{}` cannot be filled so", field.name);
            self.note(path, message, "remove it, or name what is of its type");
        }
    }

    /// A check code goes with its number or day in every command that writes that, and nobody fills it in.
    fn check_of(&self, field: &Field) {
        let Some(source) = &field.check_of else {
            return;
        };
        let path = ["fields", field.name.as_str(), "check_of"];
        let Some(source) = self.known_field(&path, source) else {
            return;
        };
        let digits = match source.ty {
            FieldType::Text { .. } => Some(check_code::NUMBER_DIGITS),
            FieldType::Date => Some(check_code::DAY_DIGITS),
            _ => None,
        };
        if digits.is_none() || source.derived || source.written != Written::Always {
            let message = format!(
                "`{}` is no field in which a number or a day is written",
                source.name
            );
            self.note(
                &path,
                message,
                "name a text or a date that is written at any time",
            );
        }
        let fits = |max: u32| digits.is_none_or(|digits| max as usize >= digits);
        let holds = matches!(field.ty, FieldType::Text { max } if fits(max));
        if !holds || !field.derived {
            let message = format!("the check code `{}` is written by the core", field.name);
            let digits = digits.unwrap_or(check_code::NUMBER_DIGITS);
            let way = format!("write `type = \"text\"`, `max = {digits}` and `derived = true`");
            self.note(&path, message, way);
        }
    }

    fn field_audience(&self, field: &Field) {
        let path = |key| ["fields", field.name.as_str(), key];
        let Some(audience) = field.audience else {
            return;
        };
        if field.ty.is_link() {
            let message = format!(
                "the field `{}` is a reference, which stands in the envelope and is read by all",
                field.name
            );
            self.note(&path("audience"), message, "remove `audience`");
        }
        let records = &self.kind.audiences;
        let narrower = |record: &Audience| {
            audience == Audience::Sensitive || *record == audience || widens(audience, *record)
        };
        if !records.iter().all(narrower) {
            let message = format!(
                "the field `{}` would be read by people who may not read the record",
                field.name
            );
            self.note(
                &path("audience"),
                message,
                "give it an audience no wider than any in `audience` of the kind",
            );
        }
        // A command never mixes audiences, so a creation brings only what is for the record's own.
        if field.required == Required::AtCreation
            && records.iter().any(|record| *record != audience)
        {
            let message = format!(
                "the field `{}` cannot come with the creation: its audience is another",
                field.name
            );
            self.note(&path("required"), message, "write `required = \"filing\"`");
        }
    }
}
