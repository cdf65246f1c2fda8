//! Checks a command against its kind: once what its envelope shows, once what its content holds.
//!
//! The first part needs no content, so an auditor from whom content is withheld decides it again. A code is accepted whether it
//! is in force or not, for nothing is refused for being late and a record keeps the codes it was written with; forms offer those
//! in force, and lists show where an old one was chosen.

use std::collections::BTreeSet;

use super::kind::{Action, Field, FieldType, Kind, Part, Required, Written};
use super::role::widens;
use super::{Catalogue, Class};
use crate::command::{Audience, Content, Envelope, Splice, Verb, links_by_field};
use crate::id::Date;
use crate::limits::{FIELDS_MAX, LINKS_MAX, LIST_ITEMS_MAX, REASON_CHARS_MAX, SPLICES_MAX};
use crate::value::{Fields, Value};

/// Why a command is not what its kind declares. It names the field, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}{}", .field.as_deref().map(|field| format!(" ({field})")).unwrap_or_default())]
pub struct FieldProblem {
    /// The field, or `reason`; `None` if the command as a whole is meant.
    pub field: Option<String>,
    /// The stable code.
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
    /// Not checked: who may do it, the record's state, and of which kind a reference's target is. Codes: `unknown_kind`,
    /// `retired_kind`, `unknown_action`, `retired_action`, `unexpected_action`, `too_many_fields`, `too_many_links`,
    /// `out_of_order`, `unknown_field`, `derived_field`, `retired_field`, `wrong_verb`, `not_written_here`, `one_field_only`,
    /// `nothing_written`, `wrong_type`, `too_many_items`, `required`, `wrong_audience`.
    pub fn check_envelope(&self, envelope: &Envelope, record: Option<Audience>) -> Checked {
        let kind = self
            .kind(&envelope.kind)
            .ok_or_else(|| whole("unknown_kind"))?;
        ensure(!(kind.retired && envelope.verb == Verb::Create), || {
            whole("retired_kind")
        })?;
        ensure(envelope.fields.len() <= FIELDS_MAX, || {
            whole("too_many_fields")
        })?;
        ensure(envelope.links.len() <= LINKS_MAX, || {
            whole("too_many_links")
        })?;
        let ascend =
            envelope.fields.is_sorted_by(|a, b| a < b) && envelope.links.is_sorted_by(|a, b| a < b);
        ensure(ascend, || whole("out_of_order"))?;
        let action = action_of(kind, envelope)?;
        if envelope.verb == Verb::Erase {
            // What it names are records, by links that belong to no field.
            return ensure(envelope.fields.is_empty(), || whole("wrong_verb"));
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
            ensure(written.brings(name), || of(name, "required"))?;
        }
        check_audience(kind, envelope, record, &written)
    }

    /// Checks what the content holds against what the envelope says and the fields' types. The envelope must have been checked.
    ///
    /// Codes: `unknown_kind`, `unknown_field`, `fields_differ`, `unexpected_part`, `nothing_written`, `required`, `wrong_type`,
    /// `empty`, `too_long`, `not_one_line`, `control_character`, `unknown_code`, `code_twice`, `unknown_measure`, `not_a_date`,
    /// `not_a_time`, `too_small`, `too_large`, `too_many_places`, `too_many_items`, `unknown_part`, `not_a_location`,
    /// `not_a_digest`.
    pub fn check_content(&self, envelope: &Envelope, content: &Content) -> Checked {
        let kind = self
            .kind(&envelope.kind)
            .ok_or_else(|| whole("unknown_kind"))?;
        check_reason(kind, envelope, content)?;
        let (values, splices, removed) = match envelope.verb {
            Verb::Create | Verb::Set | Verb::Act | Verb::Amend | Verb::Insert => {
                (true, false, false)
            }
            Verb::Edit => (false, true, false),
            Verb::Remove => (false, false, true),
            Verb::Void | Verb::Erase | Verb::Reveal => (false, false, false),
        };
        ensure(values || content.values.is_empty(), || {
            whole("unexpected_part")
        })?;
        ensure(splices || content.splices.is_empty(), || {
            whole("unexpected_part")
        })?;
        ensure(removed || content.removed.is_empty(), || {
            whole("unexpected_part")
        })?;
        if values {
            ensure(
                content
                    .fields()
                    .eq(envelope.fields.iter().map(String::as_str)),
                || whole("fields_differ"),
            )?;
            for (name, value) in content.values.iter() {
                let field = kind.field(name).ok_or_else(|| of(name, "unknown_field"))?;
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
        let field = kind.field(name).ok_or_else(|| of(name, "unknown_field"))?;
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
            let needed = match envelope.verb {
                Verb::Act => envelope
                    .action
                    .as_deref()
                    .and_then(|action| kind.action(action))
                    .is_some_and(|action| action.needs.iter().any(|need| need == name)),
                _ => field.required == Required::AtCreation,
            };
            ensure(!needed, || of(name, "required"))?;
            let clears = !matches!(envelope.verb, Verb::Create | Verb::Insert);
            return ensure(clears, || of(name, "wrong_type"));
        }
        ensure(
            envelope.verb != Verb::Insert || matches!(value, Value::List(_)),
            || of(name, "wrong_type"),
        )?;
        let code = self.misfit(&field.ty, value);
        code.map_or(Ok(()), |code| Err(of(name, code)))
    }

    /// What is wrong with a value of a type, if anything is.
    fn misfit(&self, ty: &FieldType, value: &Value) -> Option<&'static str> {
        match (ty, value) {
            (FieldType::Text { max }, Value::Text(text)) => text_misfit(text, *max, true),
            (FieldType::LongText { max }, Value::Text(text)) => text_misfit(text, *max, false),
            (FieldType::Code { set }, Value::Text(code)) => self.code_misfit(set, code),
            (FieldType::Codes { set, max }, Value::List(codes)) => {
                self.codes_misfit(set, *max, codes)
            }
            (FieldType::Measure, Value::Text(id)) => {
                self.measure(id).is_none().then_some("unknown_measure")
            }
            (FieldType::Date, Value::Int(days)) => (!is_date(*days)).then_some("not_a_date"),
            (FieldType::Time, Value::Int(minutes)) => {
                (!(0..24 * 60).contains(minutes)).then_some("not_a_time")
            }
            (FieldType::Int { min, max }, Value::Int(int)) => out_of_bounds(*int, 0, *min, *max),
            (FieldType::Decimal { min, max, .. }, Value::Int(int)) => {
                out_of_bounds(*int, 0, *min, *max)
            }
            (FieldType::Decimal { min, max, places }, Value::Decimal(mantissa, exponent)) => {
                if exponent.unsigned_abs() > *places {
                    return Some("too_many_places");
                }
                out_of_bounds(*mantissa, u32::from(exponent.unsigned_abs()), *min, *max)
            }
            (FieldType::Bool, Value::Bool(_)) => None,
            (FieldType::Location, Value::Text(text)) => {
                (!is_location(text)).then_some("not_a_location")
            }
            (FieldType::List { parts, max }, Value::List(items)) => {
                self.items_misfit(parts, *max, items)
            }
            (FieldType::Blob, Value::Bytes(bytes)) => (bytes.len() != 32).then_some("not_a_digest"),
            (FieldType::Blobs { max }, Value::List(blobs)) => {
                if blobs.is_empty() {
                    return Some("empty");
                }
                if blobs.len() > *max as usize {
                    return Some("too_many_items");
                }
                blobs
                    .iter()
                    .find_map(|blob| self.misfit(&FieldType::Blob, blob))
            }
            _ => Some("wrong_type"),
        }
    }

    fn code_misfit(&self, set: &str, code: &str) -> Option<&'static str> {
        let known = self.set(set).is_some_and(|set| set.code(code).is_some());
        (!known).then_some("unknown_code")
    }

    fn codes_misfit(&self, set: &str, max: u32, codes: &[Value]) -> Option<&'static str> {
        if codes.len() > max as usize {
            return Some("too_many_items");
        }
        let mut seen = BTreeSet::new();
        codes.iter().find_map(|code| {
            let Value::Text(code) = code else {
                return Some("wrong_type");
            };
            if seen.insert(code) {
                self.code_misfit(set, code)
            } else {
                Some("code_twice")
            }
        })
    }

    fn items_misfit(&self, parts: &[Part], max: u32, items: &[Value]) -> Option<&'static str> {
        if items.is_empty() {
            return Some("empty");
        }
        if items.len() > max as usize {
            return Some("too_many_items");
        }
        items.iter().find_map(|item| {
            let Value::Struct(item) = item else {
                return Some("wrong_type");
            };
            self.item_misfit(parts, item)
        })
    }

    fn item_misfit(&self, parts: &[Part], item: &Fields) -> Option<&'static str> {
        if parts
            .iter()
            .any(|part| part.required && !item.contains_key(&part.name))
        {
            return Some("required");
        }
        item.iter().find_map(|(name, value)| {
            parts
                .iter()
                .find(|part| part.name == *name)
                .map_or(Some("unknown_part"), |part| self.misfit(&part.ty, value))
        })
    }
}

/// The fields that a command writes: by value (or by clearing a reference), and by links.
struct Touched<'k> {
    by_name: Vec<&'k Field>,
    by_link: Vec<(&'k Field, usize, bool)>,
}

impl<'k> Touched<'k> {
    fn of(kind: &'k Kind, envelope: &Envelope) -> Result<Self, FieldProblem> {
        let known = |name: &str| kind.field(name).ok_or_else(|| of(name, "unknown_field"));
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
            let action = kind.action(name).ok_or_else(|| whole("unknown_action"))?;
            ensure(!action.retired, || whole("retired_action"))?;
            Ok(Some(action))
        }
        (None, Verb::Act) => Err(whole("unknown_action")),
        // A Create names the state it begins in; whether its author may begin there is admission's to say.
        (Some(_), Verb::Create) => Ok(None),
        (Some(_), _) => Err(whole("unexpected_action")),
        (None, _) => Ok(None),
    }
}

/// Whether a verb may write a field at all, whoever asks and in whatever state.
fn check_verb(kind: &Kind, verb: Verb, action: Option<&Action>, field: &Field) -> Checked {
    let name = field.name.as_str();
    if verb == Verb::Reveal {
        return Ok(());
    }
    ensure(!field.derived, || of(name, "derived_field"))?;
    ensure(!field.retired, || of(name, "retired_field"))?;
    let here = match verb {
        Verb::Create => field.written != Written::ByAction,
        Verb::Set | Verb::Edit | Verb::Insert | Verb::Remove => field.written == Written::Always,
        Verb::Act => action.is_some_and(|action| action.writes.contains(&field.name)),
        Verb::Amend => kind.may_be_amended(field),
        Verb::Void | Verb::Erase | Verb::Reveal => false,
    };
    let fits = match verb {
        Verb::Set => !field.ty.is_spliced() && !field.ty.is_item_list(),
        Verb::Edit => field.ty.is_spliced(),
        Verb::Insert | Verb::Remove => field.ty.is_item_list(),
        Verb::Amend => kind.class == Class::Testimony,
        Verb::Create | Verb::Act | Verb::Void | Verb::Erase | Verb::Reveal => true,
    };
    ensure(fits, || of(name, "wrong_verb"))?;
    ensure(here, || of(name, "not_written_here"))
}

/// How many fields a verb writes.
fn check_count(envelope: &Envelope, record: Option<Audience>) -> Checked {
    let (fields, links) = (envelope.fields.len(), envelope.links.len());
    match envelope.verb {
        Verb::Edit | Verb::Insert | Verb::Remove | Verb::Reveal => {
            ensure(fields == 1 && links == 0, || whole("one_field_only"))
        }
        Verb::Amend => ensure(fields + links > 0, || whole("nothing_written")),
        // A set of nothing has one use: it widens the audience.
        Verb::Set => {
            let opens = record.is_none_or(|record| widens(record, envelope.audience));
            ensure(fields + links > 0 || opens, || whole("nothing_written"))
        }
        Verb::Create | Verb::Act | Verb::Void | Verb::Erase => Ok(()),
    }
}

fn check_links(written: &Touched<'_>) -> Checked {
    for (field, count, elsewhere) in &written.by_link {
        let name = field.name.as_str();
        let max = match &field.ty {
            FieldType::Ref { .. } | FieldType::User => 1,
            FieldType::Refs { max, .. } | FieldType::Users { max } => *max as usize,
            _ => return Err(of(name, "wrong_type")),
        };
        // A person belongs to no journal.
        ensure(!(field.ty.is_user() && *elsewhere), || {
            of(name, "wrong_type")
        })?;
        let cleared = written.by_name.iter().any(|other| other.name == field.name);
        ensure(!cleared, || of(name, "wrong_type"))?;
        ensure(*count <= max, || of(name, "too_many_items"))?;
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
    let record = match envelope.verb {
        Verb::Create => {
            ensure(kind.audiences.contains(&audience), || {
                whole("wrong_audience")
            })?;
            Some(audience)
        }
        // What is asked of whom is for those who read access journals; what it asks for has an audience of its own.
        Verb::Reveal => return Ok(()),
        _ => record,
    };
    let Some(record) = record else { return Ok(()) };
    let opens = envelope.verb == Verb::Set
        && envelope.fields.is_empty()
        && envelope.links.is_empty()
        && widens(record, audience);
    let as_record = audience == record || widens(audience, record) || opens;
    let mut values = written
        .by_name
        .iter()
        .filter(|field| !field.ty.is_link())
        .peekable();
    if values.peek().is_none() {
        return ensure(as_record, || whole("wrong_audience"));
    }
    for field in values {
        let fits = field.audience.map_or(as_record, |own| own == audience);
        ensure(fits, || of(&field.name, "wrong_audience"))?;
    }
    Ok(())
}

fn check_reason(kind: &Kind, envelope: &Envelope, content: &Content) -> Checked {
    let (allowed, needed) = match envelope.verb {
        Verb::Create | Verb::Set | Verb::Edit | Verb::Insert | Verb::Remove => (false, false),
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
        return ensure(!needed, || of("reason", "required"));
    };
    ensure(allowed, || of("reason", "unexpected_part"))?;
    ensure(!(needed && reason.trim().is_empty()), || {
        of("reason", "required")
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
        ensure(!applies || brought, || of(&field.name, "required"))?;
    }
    Ok(())
}

fn check_splices(field: &Field, splices: &[Splice]) -> Checked {
    let name = field.name.as_str();
    let FieldType::LongText { max } = field.ty else {
        return Err(of(name, "wrong_type"));
    };
    ensure(!splices.is_empty(), || of(name, "nothing_written"))?;
    ensure(splices.len() <= SPLICES_MAX, || of(name, "too_many_items"))?;
    let inserted: usize = splices
        .iter()
        .map(|splice| splice.insert.chars().count())
        .sum();
    ensure(inserted <= max as usize, || of(name, "too_long"))?;
    let clean = splices
        .iter()
        .all(|splice| !has_control(&splice.insert, false));
    ensure(clean, || of(name, "control_character"))
}

fn check_removed(field: &Field, removes: bool, content: &Content) -> Checked {
    if !removes {
        return Ok(());
    }
    ensure(!content.removed.is_empty(), || {
        of(&field.name, "nothing_written")
    })?;
    ensure(content.removed.len() <= LIST_ITEMS_MAX, || {
        of(&field.name, "too_many_items")
    })
}

/// What is wrong with a text, if anything is. An empty one-line text is none: a field is cleared by no value at all.
fn text_misfit(text: &str, max: u32, one_line: bool) -> Option<&'static str> {
    if one_line && text.trim().is_empty() {
        return Some("empty");
    }
    if text.chars().take(max as usize + 1).count() > max as usize {
        return Some("too_long");
    }
    if one_line && text.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
        return Some("not_one_line");
    }
    has_control(text, one_line).then_some("control_character")
}

fn has_control(text: &str, one_line: bool) -> bool {
    text.chars()
        .any(|c| c.is_control() && (one_line || !matches!(c, '\n' | '\t')))
}

fn is_date(days: i64) -> bool {
    let civil = i32::try_from(days).ok().and_then(|days| Date(days).civil());
    civil.is_some_and(|date| (1800..2300).contains(&date.year()))
}

fn out_of_bounds(mantissa: i64, places: u32, min: i64, max: i64) -> Option<&'static str> {
    let scale = 10_i128.pow(places.min(18));
    let value = i128::from(mantissa);
    if value < i128::from(min) * scale {
        Some("too_small")
    } else if value > i128::from(max) * scale {
        Some("too_large")
    } else {
        None
    }
}

/// `latitude,longitude` in degrees with at most six decimals, and perhaps `;u=` and the uncertainty in metres (RFC 5870).
fn is_location(text: &str) -> bool {
    let (point, uncertainty) = match text.split_once(";u=") {
        Some((point, metres)) => (point, Some(metres)),
        None => (text, None),
    };
    let metres = |text: &str| {
        (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let degrees = |text: &str, most: i64| {
        micro_degrees(text).is_some_and(|value| value.abs() <= most * 1_000_000)
    };
    let point = point
        .split_once(',')
        .is_some_and(|(lat, lng)| degrees(lat, 90) && degrees(lng, 180));
    point && uncertainty.is_none_or(metres)
}

fn micro_degrees(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() > 3 || fraction.len() > 6 {
        return None;
    }
    let value = format!("{whole}{fraction:0<6}").parse().ok();
    if text.starts_with('-') {
        value.map(|value: i64| -value)
    } else {
        value
    }
}
