//! Values as people read them, in both languages at once.

use super::{Look, Source};
use crate::catalog::{FieldType, Label, Part};
use crate::id::{JournalId, UserId};
use crate::record::referred;
use crate::value::Value;
use crate::view;

/// A text that is the same in both languages.
pub fn both(text: impl Into<String>) -> Label {
    let text = text.into();
    Label {
        zh: text.clone(),
        en: text,
    }
}

fn label(zh: &str, en: &str) -> Label {
    Label {
        zh: zh.to_owned(),
        en: en.to_owned(),
    }
}

/// Texts one after the other, as each language separates them.
fn joined(texts: impl Iterator<Item = Label>) -> Label {
    let (zh, en): (Vec<String>, Vec<String>) = texts.map(|text| (text.zh, text.en)).unzip();
    Label {
        zh: zh.join("、"),
        en: en.join(", "),
    }
}

impl<S: Source> Look<'_, S> {
    /// A value as text: codes by their labels, references by title, people by name.
    pub fn text_of(&self, ty: &FieldType, value: &Value, journal: JournalId) -> Label {
        match (ty, value) {
            (FieldType::Code { set }, Value::Text(code)) => self.code(set, code),
            (FieldType::Codes { set, .. }, Value::List(codes)) => {
                let codes = codes.iter().filter_map(Value::as_text);
                joined(codes.map(|code| self.code(set, code)))
            }
            (FieldType::Measure, Value::Text(id)) => {
                let catalogue = self.catalogue();
                let measure = catalogue.and_then(|catalogue| catalogue.measure(id));
                both(
                    measure.map_or_else(|| id.clone(), |measure| format!("{id} {}", measure.title)),
                )
            }
            (FieldType::Bool, Value::Bool(true)) => label("是", "yes"),
            (FieldType::Bool, Value::Bool(false)) => label("否", "no"),
            (FieldType::List { parts, .. }, Value::Struct(item)) => {
                // The first says what it is, the others say something of it.
                let names = parts.first().map(|part| &part.name);
                let part = |part: &Part| {
                    let value = item.get(&part.name)?;
                    let text = self.text_of(&part.ty, value, journal);
                    if names == Some(&part.name) {
                        return Some(text);
                    }
                    Some(Label {
                        zh: format!("{}：{}", part.label.zh, text.zh),
                        en: format!("{}: {}", part.label.en, text.en),
                    })
                };
                joined(parts.iter().filter_map(part))
            }
            (ty, Value::List(values)) => {
                joined(values.iter().map(|value| self.text_of(ty, value, journal)))
            }
            (ty, Value::Bytes(_)) if ty.is_link() => both(self.link_text(ty, value, journal)),
            (ty, value) => both(view::plain(ty, value)),
        }
    }

    fn code(&self, set: &str, code: &str) -> Label {
        let set = self.catalogue().and_then(|catalogue| catalogue.set(set));
        let known = set.and_then(|set| set.code(code));
        known.map_or_else(|| both(code), |known| known.label.clone())
    }

    fn link_text(&self, ty: &FieldType, value: &Value, journal: JournalId) -> String {
        let Some(target) = referred(value) else {
            return String::new();
        };
        if ty.is_user() {
            return self.person(UserId(target.0));
        }
        let view = self.view(journal, target);
        view.map_or_else(|| target.short(), |view| self.title(&view))
    }
}
