//! Checks a command against its kind: once what its envelope shows, once what its content holds.
//!
//! The first part needs no content, so an auditor from whom content is withheld decides it again. A code is accepted whether it
//! is in force or not, for nothing is refused for being late and a record keeps the codes it was written with; forms offer those
//! in force, and lists show where an old one was chosen.

use super::Catalogue;
use super::codes::misfit;
use super::field::{Field, FieldType, Required, Written};
use super::fit::{has_control, text_misfit};
use super::kind::{Action, Class, Kind};
use super::role::widens;
use crate::admit::codes::flag;
use crate::command::{Audience, Content, Envelope, Splice, Verb, links_by_field};
use crate::limits::{FIELDS_MAX, LINKS_MAX, LIST_ITEMS_MAX, REASON_CHARS_MAX, SPLICES_MAX};
use crate::month;
use crate::value::Value;

/// Why a command is not what its kind declares. It names the field, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}{}", .field.as_deref().map(|field| format!(" ({field})")).unwrap_or_default())]
pub struct FieldProblem {
    /// The field, or `reason`; `None` if the command as a whole is meant.
    pub field: Option<String>,
    /// The stable code: one of [`misfit`].
    pub code: &'static str,
}

type Checked = Result<(), FieldProblem>;

fn whole(code: &'static str) -> FieldProblem {
    FieldProblem { field: None, code }
}

fn of(field: &str, code: &'static str) -> FieldProblem {
    FieldProblem {
        field: Some(field.to_owned()),
        code,
    }
}

fn ensure(holds: bool, problem: impl FnOnce() -> FieldProblem) -> Checked {
    if holds { Ok(()) } else { Err(problem()) }
}

impl Catalogue {
    /// Checks what the envelope shows: kind, verb, action, the names of fields, references and the audience.
    ///
    /// `record` is the audience that the record is open to; `None` for a `Create`. A command for a narrower audience than that is
    /// well: it was written before the record was widened.
    ///
    /// Not checked: who may do it, the record's state, and of which kind a reference's target is. The codes of problems are those
    /// of [`misfit`].
    pub fn check_envelope(&self, envelope: &Envelope, record: Option<Audience>) -> Checked {
        let kind = self
            .kind(&envelope.kind)
            .ok_or_else(|| whole(misfit::UNKNOWN_KIND))?;
        ensure(!(kind.retired && envelope.makes()), || {
            whole(misfit::RETIRED_KIND)
        })?;
        ensure(envelope.fields.len() <= FIELDS_MAX, || {
            whole(misfit::TOO_MANY_FIELDS)
        })?;
        ensure(envelope.links.len() <= LINKS_MAX, || {
            whole(misfit::TOO_MANY_LINKS)
        })?;
        let ascend =
            envelope.fields.is_sorted_by(|a, b| a < b) && envelope.links.is_sorted_by(|a, b| a < b);
        ensure(ascend, || whole(misfit::OUT_OF_ORDER))?;
        let action = action_of(kind, envelope)?;
        ensure(
            !envelope.makes() || (kind.name == month::KIND) == (envelope.verb == Verb::Seal),
            || whole(misfit::WRONG_VERB),
        )?;
        if envelope.verb == Verb::Erase {
            // What it names are records, by links that belong to no field.
            return ensure(envelope.fields.is_empty(), || whole(misfit::WRONG_VERB));
        }
        let written = Touched::of(kind, envelope)?;
        for field in written.all() {
            check_verb(kind, envelope.verb, action, field)?;
        }
        check_count(envelope, record)?;
        check_links(&written)?;
        let needed: Vec<&str> = match (envelope.verb, action) {
            (Verb::Create, _) => kind
                .required_at_creation()
                .map(|field| field.name.as_str())
                .collect(),
            (_, Some(action)) => action.needs.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        for name in needed {
            ensure(written.brings(name), || of(name, misfit::REQUIRED))?;
        }
        check_audience(kind, envelope, record, &written)
    }

    /// Checks what the content holds against what the envelope says and the fields' types. The envelope must have been checked.
    pub fn check_content(&self, envelope: &Envelope, content: &Content) -> Checked {
        let kind = self
            .kind(&envelope.kind)
            .ok_or_else(|| whole(misfit::UNKNOWN_KIND))?;
        check_reason(kind, envelope, content)?;
        let (values, splices, removed) = match envelope.verb {
            Verb::Create | Verb::Set | Verb::Act | Verb::Amend | Verb::Insert => {
                (true, false, false)
            }
            Verb::Edit => (false, true, false),
            Verb::Remove => (false, false, true),
            Verb::Void | Verb::Erase | Verb::Reveal | Verb::Seal | Verb::Clear => {
                (false, false, false)
            }
        };
        ensure(values || content.values.is_empty(), || {
            whole(misfit::UNEXPECTED_PART)
        })?;
        ensure(splices || content.splices.is_empty(), || {
            whole(misfit::UNEXPECTED_PART)
        })?;
        ensure(removed || content.removed.is_empty(), || {
            whole(misfit::UNEXPECTED_PART)
        })?;
        if values {
            ensure(
                content
                    .fields()
                    .eq(envelope.fields.iter().map(String::as_str)),
                || whole(misfit::FIELDS_DIFFER),
            )?;
            for (name, value) in content.values.iter() {
                let field = kind
                    .field(name)
                    .ok_or_else(|| of(name, misfit::UNKNOWN_FIELD))?;
                self.check_written(kind, envelope, field, value)?;
            }
            if envelope.verb == Verb::Create {
                check_required_when(kind, envelope, content)?;
            }
            return Ok(());
        }
        let Some(name) = envelope.fields.first() else {
            return Ok(());
        };
        let field = kind
            .field(name)
            .ok_or_else(|| of(name, misfit::UNKNOWN_FIELD))?;
        if splices {
            check_splices(field, &content.splices)
        } else {
            check_removed(field, removed, content)
        }
    }

    fn check_written(
        &self,
        kind: &Kind,
        envelope: &Envelope,
        field: &Field,
        value: &Value,
    ) -> Checked {
        let name = field.name.as_str();
        if *value == Value::Null {
            let action = envelope
                .action
                .as_deref()
                .filter(|_| envelope.verb == Verb::Act);
            let needed = match action.and_then(|action| kind.action(action)) {
                Some(action) => action.needs.contains(&field.name),
                None => field.required == Required::AtCreation,
            };
            ensure(!needed, || of(name, misfit::REQUIRED))?;
            let clears = !matches!(envelope.verb, Verb::Create | Verb::Insert);
            return ensure(clears, || of(name, misfit::WRONG_TYPE));
        }
        ensure(
            envelope.verb != Verb::Insert || matches!(value, Value::List(_)),
            || of(name, misfit::WRONG_TYPE),
        )?;
        let code = self.misfit(&field.ty, value);
        code.map_or(Ok(()), |code| Err(of(name, code)))
    }
}

/// The fields that a command writes: by value (or by clearing a reference), and by links.
struct Touched<'k> {
    by_name: Vec<&'k Field>,
    by_link: Vec<(&'k Field, usize, bool)>,
}

impl<'k> Touched<'k> {
    fn of(kind: &'k Kind, envelope: &Envelope) -> Result<Self, FieldProblem> {
        let known = |name: &str| {
            kind.field(name)
                .ok_or_else(|| of(name, misfit::UNKNOWN_FIELD))
        };
        let by_name = envelope
            .fields
            .iter()
            .map(|name| known(name))
            .collect::<Result<Vec<_>, _>>()?;
        let mut by_link = Vec::new();
        for (name, links) in links_by_field(&envelope.links) {
            by_link.push((
                known(name)?,
                links.len(),
                links.iter().any(|link| link.journal.is_some()),
            ));
        }
        Ok(Self { by_name, by_link })
    }

    fn all(&self) -> impl Iterator<Item = &'k Field> {
        self.by_name
            .iter()
            .copied()
            .chain(self.by_link.iter().map(|(field, ..)| *field))
    }

    /// Whether a value or a reference is brought; that a value is none is the content's matter.
    fn brings(&self, name: &str) -> bool {
        self.by_name
            .iter()
            .any(|field| field.name == name && !field.ty.is_link())
            || self.by_link.iter().any(|(field, ..)| field.name == name)
    }
}

fn action_of<'k>(kind: &'k Kind, envelope: &Envelope) -> Result<Option<&'k Action>, FieldProblem> {
    match (&envelope.action, envelope.verb) {
        (Some(name), Verb::Act) => {
            let action = kind
                .action(name)
                .ok_or_else(|| whole(misfit::UNKNOWN_ACTION))?;
            ensure(!action.retired, || whole(misfit::RETIRED_ACTION))?;
            Ok(Some(action))
        }
        (None, Verb::Act) => Err(whole(misfit::UNKNOWN_ACTION)),
        // A Create names the state it begins in; whether its author may begin there is admission's to say.
        (Some(_), Verb::Create) => Ok(None),
        (Some(month), Verb::Seal) if month.parse::<month::Month>().is_ok() => Ok(None),
        (Some(cause), Verb::Clear) if flag::ALL.contains(&cause.as_str()) => Ok(None),
        (_, Verb::Seal | Verb::Clear) => Err(whole(misfit::UNKNOWN_ACTION)),
        (Some(_), _) => Err(whole(misfit::UNEXPECTED_ACTION)),
        (None, _) => Ok(None),
    }
}

/// Whether a verb may write a field at all, whoever asks and in whatever state.
fn check_verb(kind: &Kind, verb: Verb, action: Option<&Action>, field: &Field) -> Checked {
    let name = field.name.as_str();
    if verb == Verb::Reveal {
        return Ok(());
    }
    ensure(!field.is_never_written(), || {
        of(name, misfit::DERIVED_FIELD)
    })?;
    ensure(!field.retired, || of(name, misfit::RETIRED_FIELD))?;
    let here = match verb {
        Verb::Create => field.written != Written::ByAction,
        Verb::Set | Verb::Edit | Verb::Insert | Verb::Remove => field.written == Written::Always,
        Verb::Act => action.is_some_and(|action| action.writes.contains(&field.name)),
        Verb::Amend => kind.may_be_amended(field),
        Verb::Void | Verb::Erase | Verb::Reveal | Verb::Seal | Verb::Clear => false,
    };
    let fits = match verb {
        Verb::Set => !field.ty.is_spliced() && !field.ty.is_item_list(),
        Verb::Edit => field.ty.is_spliced(),
        Verb::Insert | Verb::Remove => field.ty.is_item_list(),
        Verb::Amend => kind.class == Class::Testimony,
        Verb::Create
        | Verb::Act
        | Verb::Void
        | Verb::Erase
        | Verb::Reveal
        | Verb::Seal
        | Verb::Clear => true,
    };
    ensure(fits, || of(name, misfit::WRONG_VERB))?;
    ensure(here, || of(name, misfit::NOT_WRITTEN_HERE))
}

/// How many fields a verb writes.
fn check_count(envelope: &Envelope, record: Option<Audience>) -> Checked {
    let (fields, links) = (envelope.fields.len(), envelope.links.len());
    match envelope.verb {
        Verb::Edit | Verb::Insert | Verb::Remove | Verb::Reveal => {
            ensure(fields == 1 && links == 0, || whole(misfit::ONE_FIELD_ONLY))
        }
        Verb::Amend => ensure(fields + links > 0, || whole(misfit::NOTHING_WRITTEN)),
        // A set of nothing has one use: it widens the audience.
        Verb::Set => {
            let opens = record.is_none_or(|record| widens(record, envelope.audience));
            ensure(fields + links > 0 || opens, || {
                whole(misfit::NOTHING_WRITTEN)
            })
        }
        Verb::Create | Verb::Act | Verb::Void | Verb::Erase | Verb::Seal | Verb::Clear => Ok(()),
    }
}

fn check_links(written: &Touched<'_>) -> Checked {
    for (field, count, elsewhere) in &written.by_link {
        let name = field.name.as_str();
        let max = field
            .ty
            .links_max()
            .ok_or_else(|| of(name, misfit::WRONG_TYPE))?;
        // A person belongs to no journal.
        ensure(!(field.ty.is_user() && *elsewhere), || {
            of(name, misfit::WRONG_TYPE)
        })?;
        let cleared = written.by_name.iter().any(|other| other.name == field.name);
        ensure(!cleared, || of(name, misfit::WRONG_TYPE))?;
        ensure(*count <= max, || of(name, misfit::TOO_MANY_ITEMS))?;
    }
    Ok(())
}

fn check_audience(
    kind: &Kind,
    envelope: &Envelope,
    record: Option<Audience>,
    written: &Touched<'_>,
) -> Checked {
    let audience = envelope.audience;
    let chosen = kind.audiences.contains(&audience);
    if envelope.makes() {
        ensure(chosen, || whole(misfit::WRONG_AUDIENCE))?;
    }
    if envelope.verb == Verb::Reveal {
        // What is asked of whom is for those who read access journals; what it asks for has an audience of its own.
        return Ok(());
    }
    let creates = envelope.makes().then_some(audience);
    let Some(record) = creates.or(record) else {
        return Ok(());
    };
    let opens = envelope.verb == Verb::Set
        && envelope.fields.is_empty()
        && envelope.links.is_empty()
        && widens(record, audience);
    let as_record = audience == record || chosen && (widens(audience, record) || opens);
    let mut values = written
        .by_name
        .iter()
        .filter(|field| !field.ty.is_link())
        .peekable();
    if values.peek().is_none() {
        return ensure(as_record, || whole(misfit::WRONG_AUDIENCE));
    }
    // What the record was open to when this was written: to what it is now, or to fewer.
    let then = |one: &&Audience| **one == record || widens(**one, record);
    for field in values {
        let mut open = kind.audiences.iter().filter(then);
        let fits = match field.audience {
            None => as_record,
            Some(_) => open.any(|then| kind.audience_of(field, *then) == audience),
        };
        ensure(fits, || of(&field.name, misfit::WRONG_AUDIENCE))?;
    }
    Ok(())
}

fn check_reason(kind: &Kind, envelope: &Envelope, content: &Content) -> Checked {
    let (allowed, needed) = match envelope.verb {
        Verb::Create | Verb::Set | Verb::Edit | Verb::Insert | Verb::Remove | Verb::Seal => {
            (false, false)
        }
        Verb::Clear => (true, false),
        Verb::Act => {
            let action = envelope
                .action
                .as_deref()
                .and_then(|action| kind.action(action));
            (true, action.is_some_and(|action| action.needs_reason))
        }
        Verb::Amend | Verb::Void | Verb::Erase | Verb::Reveal => (true, true),
    };
    let Some(reason) = &content.reason else {
        return ensure(!needed, || of("reason", misfit::REQUIRED));
    };
    ensure(allowed, || of("reason", misfit::UNEXPECTED_PART))?;
    ensure(!(needed && reason.trim().is_empty()), || {
        of("reason", misfit::REQUIRED)
    })?;
    let max = u32::try_from(REASON_CHARS_MAX).unwrap_or(u32::MAX);
    text_misfit(reason, max, false).map_or(Ok(()), |code| Err(of("reason", code)))
}

fn check_required_when(kind: &Kind, envelope: &Envelope, content: &Content) -> Checked {
    for field in &kind.fields {
        let Some(condition) = &field.required_when else {
            continue;
        };
        let code = content.value(&condition.field).and_then(Value::as_text);
        let applies = code.is_some_and(|code| condition.is.iter().any(|other| other == code));
        let brought = content.value(&field.name).is_some()
            || envelope.links.iter().any(|link| link.field == field.name);
        ensure(!applies || brought, || of(&field.name, misfit::REQUIRED))?;
    }
    Ok(())
}

fn check_splices(field: &Field, splices: &[Splice]) -> Checked {
    let name = field.name.as_str();
    let FieldType::LongText { max } = field.ty else {
        return Err(of(name, misfit::WRONG_TYPE));
    };
    ensure(!splices.is_empty(), || of(name, misfit::NOTHING_WRITTEN))?;
    ensure(splices.len() <= SPLICES_MAX, || {
        of(name, misfit::TOO_MANY_ITEMS)
    })?;
    let inserted: usize = splices
        .iter()
        .map(|splice| splice.insert.chars().count())
        .sum();
    ensure(inserted <= max as usize, || of(name, misfit::TOO_LONG))?;
    let clean = splices
        .iter()
        .all(|splice| !has_control(&splice.insert, false));
    ensure(clean, || of(name, misfit::CONTROL_CHARACTER))
}

fn check_removed(field: &Field, removes: bool, content: &Content) -> Checked {
    if !removes {
        return Ok(());
    }
    ensure(!content.removed.is_empty(), || {
        of(&field.name, misfit::NOTHING_WRITTEN)
    })?;
    ensure(content.removed.len() <= LIST_ITEMS_MAX, || {
        of(&field.name, misfit::TOO_MANY_ITEMS)
    })
}
