//! Reading the `fields` of a kind.

use super::field::{Condition, Field, FieldType, Fill, Mask, Part, Required, Written};
use super::kind_file::{reserved, who};
use super::role::AUDIENCES;
use super::source::{Namespace, instead, listed};
use super::table::{Table, Text};
use crate::limits::{LINKS_MAX, LIST_ITEMS_MAX, TEXT_CHARS_MAX};

/// The most code points of a one-line text that says nothing else.
const TEXT_MAX_DEFAULT: i64 = 200;
const INT_BOUND: i64 = 1_000_000_000_000_000;

/// Reads a table of `fields`.
pub(super) fn field(name: &Text, mut table: Table<'_>) -> Field {
    reserved(&table, name, "field");
    let label = table.label();
    let ty = field_type(&mut table, true);
    let required = table.choice(
        "required",
        &[
            ("creation", Required::AtCreation),
            ("filing", Required::AtFiling),
        ],
    );
    let written = table.choice(
        "written",
        &[
            ("creation", Written::AtCreation),
            ("action", Written::ByAction),
        ],
    );
    let field = Field {
        name: name.value.clone(),
        label,
        ty,
        required: required.unwrap_or(Required::No),
        required_when: condition(&mut table, "required_when"),
        audience: table.choice("audience", &AUDIENCES),
        mask: table.choice("mask", &Mask::NAMES),
        fill: fills(&mut table),
        written: written.unwrap_or(Written::Always),
        set_by: who(&mut table, "set_by"),
        closed_in: table
            .texts("closed_in")
            .into_iter()
            .map(|text| text.value)
            .collect(),
        derived: table.flag("derived"),
        check_of: table.text("check_of").map(|text| text.value),
        retired: table.flag("retired"),
    };
    if field.set_by.is_some() && (field.written != Written::Always || field.derived) {
        let at = table.key_at("set_by");
        table.note(
            at,
            format!("{} cannot be set, so nobody may", table.what),
            "remove `set_by`",
        );
    }
    if field.derived && field.required != Required::No {
        table.note(
            table.key_at("required"),
            format!("{} is derived, so nobody can bring it", table.what),
            "remove `required`",
        );
    }
    table.finish();
    field
}

fn fills(table: &mut Table<'_>) -> Vec<Fill> {
    let texts = table.texts("fill");
    let read = |text: &Text| {
        if text.value == "today" {
            return Some(Fill::Today);
        }
        if let Some(number) = text.value.strip_prefix("day in ") {
            let number = number.to_owned();
            return Some(Fill::DayIn { number });
        }
        if let Some((link, field)) = text.value.split_once('.') {
            return Some(Fill::Of {
                link: link.to_owned(),
                field: field.to_owned(),
            });
        }
        if let Some((kind, by)) = text.value.split_once(" by ") {
            return Some(Fill::Those {
                kind: kind.to_owned(),
                by: by.to_owned(),
            });
        }
        if let Some((paper, on)) = text.value.split_once(" on ") {
            return Some(Fill::Drafted {
                paper: paper.to_owned(),
                on: on.to_owned(),
            });
        }
        let message = format!("{} is filled from `{}`", table.what, text.value);
        let remedy = "write `REFERENCE.FIELD`, `KIND by REFERENCE`, `PAPER on DATE_FIELD`, `day in NUMBER_FIELD` or `today`";
        table.note(text.at, message, remedy);
        None
    };
    texts.iter().filter_map(read).collect()
}

/// Reads that a field has one of some codes.
pub(super) fn condition(table: &mut Table<'_>, key: &'static str) -> Option<Condition> {
    let mut inner = table.table(key)?;
    let field = inner.need_text("field", "\"…\"").value;
    let is: Vec<String> = inner
        .texts("is")
        .into_iter()
        .map(|text| text.value)
        .collect();
    if is.is_empty() {
        inner.missing("is", "[\"…\"]");
    }
    inner.finish();
    Some(Condition { field, is })
}

const PLAIN: [&str; 8] = [
    "text", "code", "measure", "date", "time", "int", "decimal", "bool",
];
const TYPES: [&str; 18] = [
    "text",
    "long_text",
    "code",
    "codes",
    "measure",
    "date",
    "time",
    "int",
    "decimal",
    "bool",
    "location",
    "ref",
    "refs",
    "user",
    "users",
    "list",
    "blob",
    "blobs",
];

/// Reads `type` and what belongs to it. Parts of list items have plain types only.
fn field_type(table: &mut Table<'_>, whole: bool) -> FieldType {
    let known: &[&str] = if whole { &TYPES } else { &PLAIN };
    let word = table.need_text("type", "\"text\"");
    let items = i64::try_from(LIST_ITEMS_MAX).unwrap_or(i64::MAX);
    let chars = i64::try_from(TEXT_CHARS_MAX).unwrap_or(i64::MAX);
    let links = i64::try_from(LINKS_MAX).unwrap_or(i64::MAX);
    match word.value.as_str() {
        other if !known.contains(&other) => {
            if !other.is_empty() {
                let remedy = instead(other, known)
                    .unwrap_or_else(|| format!("write one of {}", listed(known)));
                table.note(
                    word.at,
                    format!("{} cannot be of type `{other}`", table.what),
                    remedy,
                );
            }
            // What belongs to the intended type must not be noted as well.
            for key in ["max", "min", "places", "set", "kind"] {
                table.ignore(key);
            }
            table.ignore("parts");
            FieldType::Text { max: 1 }
        }
        "text" => FieldType::Text {
            max: most(table, chars, TEXT_MAX_DEFAULT),
        },
        "long_text" => FieldType::LongText {
            max: most(table, chars, chars),
        },
        "code" => FieldType::Code { set: set(table) },
        "codes" => FieldType::Codes {
            set: set(table),
            max: most(table, items, 50),
        },
        "measure" => FieldType::Measure,
        "date" => FieldType::Date,
        "time" => FieldType::Time,
        "int" => {
            let (min, max) = bounds(table);
            FieldType::Int { min, max }
        }
        "decimal" => {
            let (min, max) = bounds(table);
            let places = u8::try_from(table.int_within("places", 1..=6, 2)).unwrap_or(2);
            FieldType::Decimal { min, max, places }
        }
        "location" => FieldType::Location,
        "ref" => FieldType::Ref {
            kind: target(table),
        },
        "refs" => FieldType::Refs {
            kind: target(table),
            max: most(table, links, 20),
        },
        "user" => FieldType::User,
        "users" => FieldType::Users {
            max: most(table, links, 10),
        },
        "list" => FieldType::List {
            parts: parts(table),
            max: most(table, items, items),
        },
        "blob" => FieldType::Blob,
        "blobs" => FieldType::Blobs {
            max: most(table, items, 9),
        },
        _ => FieldType::Bool,
    }
}

fn most(table: &mut Table<'_>, limit: i64, otherwise: i64) -> u32 {
    u32::try_from(table.int_within("max", 1..=limit, otherwise)).unwrap_or(u32::MAX)
}

fn bounds(table: &mut Table<'_>) -> (i64, i64) {
    let min = table.int_within("min", -INT_BOUND..=INT_BOUND, 0);
    let max = table.int_within("max", -INT_BOUND..=INT_BOUND, INT_BOUND);
    if max < min {
        table.note(
            table.key_at("max"),
            format!("{} has no value from {min} to {max}", table.what),
            "correct `min` or `max`",
        );
    }
    (min, max)
}

fn set(table: &mut Table<'_>) -> String {
    let set = table.need_text("set", "\"the name of a category set\"");
    if !set.value.is_empty() {
        table.page.uses(Namespace::Set, &set);
    }
    set.value
}

fn target(table: &mut Table<'_>) -> Option<String> {
    let kind = table.need_text("kind", "\"the kind it refers to, or any\"");
    if kind.value.is_empty() || kind.value == "any" {
        return None;
    }
    table.page.uses(Namespace::Kind, &kind);
    Some(kind.value)
}

fn parts(table: &mut Table<'_>) -> Vec<Part> {
    let parts: Vec<Part> = table
        .named("parts", "part")
        .into_iter()
        .map(|(name, mut part)| {
            let label = part.label();
            let ty = field_type(&mut part, false);
            let required = part.flag("required");
            part.finish();
            Part {
                name: name.value,
                label,
                ty,
                required,
            }
        })
        .collect();
    if parts.is_empty() {
        let remedy = "write a table under `parts` for each, as in `[fields.checklist.parts.item]`";
        table.note(table.at, format!("{} has no parts", table.what), remedy);
    }
    parts
}
