//! What a person typed, or a list has in a cell, read by the type of the field it is for. Labels do for codes, in either language.

use sync_core::catalog::{Catalogue, Category, CategorySet, Field, FieldType, Part};
use sync_core::id::Date;
use sync_core::value::{Fields, Value};

/// Why a text is no value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misread {
    /// Not a date: `2026-11-21`, `11-21`, `今天`, `+3`.
    Date(String),
    /// Not a time of day: `09:30`.
    Time(String),
    /// Not a number.
    Number(String),
    /// Neither yes nor no.
    Bool(String),
    /// No code of the set, or the beginning of several; these there are.
    Code(String, Vec<(String, String, String)>),
    /// A part that an item does not have; these it has.
    Part(String, Vec<String>),
    /// What such a field holds is not typed: files, and references.
    NotTyped,
}

/// What is typed between several codes, references or items.
const SEPARATORS: [char; 4] = [',', '，', '、', ';'];

/// The field of these that a person calls so: by its name, or by its label in either language.
pub fn called<'f>(fields: &'f [Field], name: &str) -> Option<&'f Field> {
    fields.iter().find(|field| {
        field.name == name || field.label.zh == name || field.label.en.eq_ignore_ascii_case(name)
    })
}

/// Reads texts under a catalogue, on a day.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// Today.
    pub today: Date,
}

impl Reading<'_> {
    /// A typed value of a type that holds no reference.
    pub fn value(&self, ty: &FieldType, typed: &str) -> Result<Value, Misread> {
        let owned = || typed.to_owned();
        match ty {
            FieldType::Text { .. }
            | FieldType::LongText { .. }
            | FieldType::Measure
            | FieldType::Location => Ok(Value::text(typed)),
            FieldType::Code { set } => self.code(set, typed).map(Value::Text),
            FieldType::Codes { set, .. } => {
                let codes = several(typed).map(|code| self.code(set, code).map(Value::Text));
                codes.collect::<Result<_, _>>().map(Value::List)
            }
            FieldType::Date => self.date(typed).map(|date| Value::Int(i64::from(date.0))),
            FieldType::Time => time(typed)
                .map(Value::Int)
                .ok_or_else(|| Misread::Time(owned())),
            FieldType::Int { .. } => typed
                .parse()
                .map(Value::Int)
                .map_err(|_| Misread::Number(owned())),
            FieldType::Decimal { .. } => {
                Value::decimal_of(typed).ok_or_else(|| Misread::Number(owned()))
            }
            FieldType::Bool => yes_or_no(typed)
                .map(Value::Bool)
                .ok_or_else(|| Misread::Bool(owned())),
            FieldType::List { parts, .. } => {
                let item = self.item(parts, typed)?;
                Ok(Value::List(vec![Value::Struct(item)]))
            }
            FieldType::Blob
            | FieldType::Blobs { .. }
            | FieldType::Ref { .. }
            | FieldType::Refs { .. }
            | FieldType::User
            | FieldType::Users { .. } => Err(Misread::NotTyped),
        }
    }

    /// A code by itself, by its label in either language, or by the beginning of one.
    fn code(&self, set: &str, typed: &str) -> Result<String, Misread> {
        let set = self.catalogue.set(set);
        let codes = set
            .map(|set: &CategorySet| set.codes.as_slice())
            .unwrap_or_default();
        let labels = |code: &Category| {
            [
                code.code.clone(),
                code.label.zh.clone(),
                code.label.en.to_lowercase(),
            ]
        };
        let typed = typed.to_lowercase();
        let exact = codes.iter().find(|code| labels(code).contains(&typed));
        let begins = |code: &&Category| labels(code).iter().any(|label| label.starts_with(&typed));
        let mut beginning = codes.iter().filter(begins);
        let only = beginning.next().filter(|_| beginning.next().is_none());
        let in_force = codes.iter().filter(|code| code.in_force(self.today));
        let offered = in_force.map(|code| {
            (
                code.code.clone(),
                code.label.zh.clone(),
                code.label.en.clone(),
            )
        });
        let found = exact.or(only).map(|code| code.code.clone());
        found.ok_or_else(|| Misread::Code(typed.clone(), offered.collect()))
    }

    /// A date in full, without its year, as so many days from today, or by name.
    fn date(&self, typed: &str) -> Result<Date, Misread> {
        let days = match typed {
            "今天" | "today" => Some(0),
            "昨天" | "yesterday" => Some(-1),
            "明天" | "tomorrow" => Some(1),
            _ => typed.strip_prefix('+').and_then(|days| days.parse().ok()),
        };
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the calendar's type is the core's affair"
        )]
        let year = || self.today.civil().map(|civil| civil.year());
        let in_full = || typed.parse().ok();
        let without_year = || format!("{}-{typed}", year()?).parse().ok();
        let date = days
            .map(|days| self.today.plus_days(days))
            .or_else(in_full)
            .or_else(without_year);
        date.ok_or_else(|| Misread::Date(typed.to_owned()))
    }

    /// An item: `part:value` several times, or the value of its first part alone. A yes-or-no that is not said is no.
    fn item(&self, parts: &[Part], typed: &str) -> Result<Fields, Misread> {
        let mut item = Fields::default();
        let is_named = |part: &&Part, name: &str| {
            part.name == name || part.label.zh == name || part.label.en == name
        };
        for said in several(typed) {
            let named = said
                .split_once([':', '：'])
                .map(|(name, value)| (name.trim(), value.trim()));
            let (part, value) = match (named, parts.first()) {
                (Some((name, value)), _) => (parts.iter().find(|part| is_named(part, name)), value),
                (None, first) => (first, said),
            };
            let names = || parts.iter().map(|part| part.name.clone()).collect();
            let part = part.ok_or_else(|| Misread::Part(said.to_owned(), names()))?;
            item.insert(part.name.clone(), self.value(&part.ty, value)?);
        }
        for part in parts
            .iter()
            .filter(|part| part.required && part.ty == FieldType::Bool)
        {
            item.entry(part.name.clone()).or_insert(Value::Bool(false));
        }
        Ok(item)
    }
}

/// The parts of what holds several.
pub fn several(typed: &str) -> impl Iterator<Item = &str> {
    typed
        .split(SEPARATORS)
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

fn time(typed: &str) -> Option<i64> {
    let (hours, minutes) = typed.split_once([':', '：'])?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 60 + minutes)
}

/// Yes or no, in either language.
pub fn yes_or_no(typed: &str) -> Option<bool> {
    match typed.to_lowercase().as_str() {
        "是" | "有" | "y" | "yes" | "true" | "1" => Some(true),
        "否" | "不" | "无" | "没有" | "n" | "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_read_as_they_are_written() {
        assert_eq!(Value::decimal_of("14.50"), Some(Value::decimal(145, -1)));
        assert_eq!(Value::decimal_of("-0.5"), Some(Value::decimal(-5, -1)));
        assert_eq!(Value::decimal_of("14"), Some(Value::Int(14)));
        for bad in ["", ".", "1.2.3", "一", "1e3", "--1"] {
            assert_eq!(Value::decimal_of(bad), None, "{bad}");
        }
        assert_eq!(time("09:30"), Some(570));
        assert_eq!(time("9：5"), Some(545));
        for bad in ["24:00", "9", "9:60", "-1:00"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
