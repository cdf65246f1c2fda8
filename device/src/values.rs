//! What a person types, read by the type of the field it is for.

use lists::typed::{self, called, several};
use sync_core::catalog::{Catalogue, Field as FieldOfKind, FieldType};
use sync_core::command::Link;
use sync_core::id::{JournalId, RecordId, Timestamp};
use sync_core::sync::device::Intent;
use sync_core::value::Value;

use crate::Field;
use crate::look::NotOne;

/// Why a text is no value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misread {
    /// The kind has no such field; these are its fields.
    NoField(String, Vec<String>),
    /// It is read as no value of its type.
    Value(typed::Misread),
    /// No record, or several.
    Record(String, NotOne),
    /// No person of this name.
    Person(String),
    /// Not `name=value`.
    Assignment(String),
}

/// `name=value` (also with the full-width sign).
pub fn assignment(text: &str) -> Result<(&str, &str), Misread> {
    let split = text.split_once('=').or_else(|| text.split_once('＝'));
    let (name, value) = split.ok_or_else(|| Misread::Assignment(text.to_owned()))?;
    Ok((name.trim(), value.trim()))
}

/// Reads what is typed in one village's forms.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The device.
    pub field: &'a Field,
    /// The catalogue that forms follow.
    pub catalogue: &'a Catalogue,
    /// The village.
    pub journal: JournalId,
    /// Now.
    pub now: Timestamp,
}

impl Reading<'_> {
    /// Adds `name=value` to an intent on a record of a kind; an empty value clears the field. Names may be labels.
    pub fn add(&self, intent: &mut Intent, kind: &str, text: &str) -> Result<(), Misread> {
        let (name, typed) = assignment(text)?;
        let field = self.named(kind, name)?;
        self.add_to(intent, field, typed)
    }

    /// The field of a kind by its name or label.
    pub fn named(&self, kind: &str, name: &str) -> Result<&FieldOfKind, Misread> {
        let fields = self
            .catalogue
            .kind(kind)
            .map(|kind| kind.fields.as_slice())
            .unwrap_or_default();
        let found = called(fields, name);
        let writable = fields
            .iter()
            .filter(|field| !field.derived && !field.retired);
        found.ok_or_else(|| {
            Misread::NoField(
                name.to_owned(),
                writable.map(|field| field.name.clone()).collect(),
            )
        })
    }

    /// Adds a typed value of a field to an intent.
    pub fn add_to(
        &self,
        intent: &mut Intent,
        field: &FieldOfKind,
        typed: &str,
    ) -> Result<(), Misread> {
        if typed.is_empty() {
            intent.values.insert(field.name.clone(), Value::Null);
            return Ok(());
        }
        if field.ty.is_link() {
            for target in self.targets(&field.ty, typed)? {
                intent.links.push(Link {
                    field: field.name.clone(),
                    target,
                    journal: None,
                });
            }
            return Ok(());
        }
        let reading = typed::Reading {
            catalogue: self.catalogue,
            today: self.now.date(),
        };
        let value = reading.value(&field.ty, typed).map_err(Misread::Value)?;
        match (intent.values.get_mut(&field.name), value) {
            // Items are typed one at a time.
            (Some(Value::List(items)), Value::List(more)) if field.ty.is_item_list() => {
                items.extend(more);
            }
            (_, value) => {
                intent.values.insert(field.name.clone(), value);
            }
        }
        Ok(())
    }

    fn targets(&self, ty: &FieldType, typed: &str) -> Result<Vec<RecordId>, Misread> {
        let one = |typed: &str| {
            if ty.is_user() {
                return self.person(typed);
            }
            let found = self.field.find(typed, ty.target_kind(), self.now);
            let found = found.map_err(|not_one| Misread::Record(typed.to_owned(), not_one));
            found.map(|row| row.record)
        };
        let takes_one = matches!(ty, FieldType::Ref { .. } | FieldType::User);
        if takes_one {
            one(typed).map(|target| vec![target])
        } else {
            several(typed).map(one).collect()
        }
    }

    /// A teammate by name; `me` and `我` are the device's user.
    fn person(&self, typed: &str) -> Result<RecordId, Misread> {
        if matches!(typed, "我" | "me") {
            return Ok(RecordId(self.field.user().0));
        }
        let users = &self.field.device().registry().users;
        let mut named = users.iter().filter(|(_, user)| user.name == typed);
        let found = named.next().filter(|_| named.next().is_none());
        found
            .map(|(user, _)| RecordId(user.0))
            .ok_or_else(|| Misread::Person(typed.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_take_either_sign() {
        assert_eq!(assignment("group = 二组"), Ok(("group", "二组")));
        assert_eq!(assignment("村民组＝"), Ok(("村民组", "")));
        assert!(assignment("二组").is_err());
    }
}
