//! Whether a value is of a field's type.

use std::collections::BTreeSet;

use super::Catalogue;
use super::codes::misfit;
use super::field::{FieldType, Part};
use crate::id::Date;
use crate::value::{Fields, Value};

impl Catalogue {
    /// What is wrong with a value of a type, if anything is.
    pub(super) fn misfit(&self, ty: &FieldType, value: &Value) -> Option<&'static str> {
        match (ty, value) {
            (FieldType::Text { max }, Value::Text(text)) => text_misfit(text, *max, true),
            (FieldType::LongText { max }, Value::Text(text)) => text_misfit(text, *max, false),
            (FieldType::Code { set }, Value::Text(code)) => self.code_misfit(set, code),
            (FieldType::Codes { set, max }, Value::List(codes)) => {
                self.codes_misfit(set, *max, codes)
            }
            (FieldType::Measure, Value::Text(id)) => self
                .measure(id)
                .is_none()
                .then_some(misfit::UNKNOWN_MEASURE),
            (FieldType::Date, Value::Int(days)) => (!is_date(*days)).then_some(misfit::NOT_A_DATE),
            (FieldType::Time, Value::Int(minutes)) => {
                (!(0..24 * 60).contains(minutes)).then_some(misfit::NOT_A_TIME)
            }
            (FieldType::Int { min, max }, Value::Int(int)) => out_of_bounds(*int, 0, *min, *max),
            (FieldType::Decimal { min, max, .. }, Value::Int(int)) => {
                out_of_bounds(*int, 0, *min, *max)
            }
            (FieldType::Decimal { min, max, places }, Value::Decimal(mantissa, exponent)) => {
                if exponent.unsigned_abs() > *places {
                    return Some(misfit::TOO_MANY_PLACES);
                }
                out_of_bounds(*mantissa, u32::from(exponent.unsigned_abs()), *min, *max)
            }
            (FieldType::Bool, Value::Bool(_)) => None,
            (FieldType::Location, Value::Text(text)) => {
                (!is_location(text)).then_some(misfit::NOT_A_LOCATION)
            }
            (FieldType::List { parts, max }, Value::List(items)) => {
                self.items_misfit(parts, *max, items)
            }
            (FieldType::Blob, Value::Bytes(bytes)) => {
                (bytes.len() != 32).then_some(misfit::NOT_A_DIGEST)
            }
            (FieldType::Blobs { max }, Value::List(blobs)) => {
                if blobs.is_empty() {
                    return Some(misfit::EMPTY);
                }
                if blobs.len() > *max as usize {
                    return Some(misfit::TOO_MANY_ITEMS);
                }
                blobs
                    .iter()
                    .find_map(|blob| self.misfit(&FieldType::Blob, blob))
            }
            _ => Some(misfit::WRONG_TYPE),
        }
    }

    fn code_misfit(&self, set: &str, code: &str) -> Option<&'static str> {
        let known = self.set(set).is_some_and(|set| set.code(code).is_some());
        (!known).then_some(misfit::UNKNOWN_CODE)
    }

    fn codes_misfit(&self, set: &str, max: u32, codes: &[Value]) -> Option<&'static str> {
        if codes.len() > max as usize {
            return Some(misfit::TOO_MANY_ITEMS);
        }
        let mut seen = BTreeSet::new();
        codes.iter().find_map(|code| {
            let Value::Text(code) = code else {
                return Some(misfit::WRONG_TYPE);
            };
            if seen.insert(code) {
                self.code_misfit(set, code)
            } else {
                Some(misfit::CODE_TWICE)
            }
        })
    }

    fn items_misfit(&self, parts: &[Part], max: u32, items: &[Value]) -> Option<&'static str> {
        if items.is_empty() {
            return Some(misfit::EMPTY);
        }
        if items.len() > max as usize {
            return Some(misfit::TOO_MANY_ITEMS);
        }
        items.iter().find_map(|item| {
            let Value::Struct(item) = item else {
                return Some(misfit::WRONG_TYPE);
            };
            self.item_misfit(parts, item)
        })
    }

    fn item_misfit(&self, parts: &[Part], item: &Fields) -> Option<&'static str> {
        if parts
            .iter()
            .any(|part| part.required && !item.contains_key(&part.name))
        {
            return Some(misfit::REQUIRED);
        }
        item.iter().find_map(|(name, value)| {
            parts
                .iter()
                .find(|part| part.name == *name)
                .map_or(Some(misfit::UNKNOWN_PART), |part| {
                    self.misfit(&part.ty, value)
                })
        })
    }
}

/// What is wrong with a text, if anything is. An empty one-line text is none: a field is cleared by no value at all.
pub(super) fn text_misfit(text: &str, max: u32, one_line: bool) -> Option<&'static str> {
    if one_line && text.trim().is_empty() {
        return Some(misfit::EMPTY);
    }
    // It has no more characters than bytes.
    let max = max as usize;
    if text.len() > max && text.chars().take(max + 1).count() > max {
        return Some(misfit::TOO_LONG);
    }
    if one_line && text.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
        return Some(misfit::NOT_ONE_LINE);
    }
    has_control(text, one_line).then_some(misfit::CONTROL_CHARACTER)
}

pub(super) fn has_control(text: &str, one_line: bool) -> bool {
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
        Some(misfit::TOO_SMALL)
    } else if value > i128::from(max) * scale {
        Some(misfit::TOO_LARGE)
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
