//! Whether one version of the catalogue may follow another.
//!
//! Entries are folded for ever by the version they name, and records written under several versions must mean one thing. So a
//! field's type and a kind's class never change, and whatever has a name keeps it: it is retired, never removed.

use super::Catalogue;
use super::field::{Field, FieldType};
use super::kind::Kind;

impl Catalogue {
    /// Checks that this version may follow an older one; otherwise says everything that stands in the way.
    ///
    /// What is not a matter of names and types is free: labels, limits, permissions, dates, days.
    pub fn succeeds(&self, older: &Self) -> Result<(), Vec<String>> {
        let mut obstacles = Vec::new();
        if self.version() <= older.version() {
            obstacles.push(format!(
                "its version {} is not larger than {}",
                self.version(),
                older.version()
            ));
        }
        for role in older.roles() {
            keep(
                &mut obstacles,
                self.role(&role.code).is_some(),
                "role",
                &role.code,
            );
        }
        for set in older.sets() {
            let now = self.set(&set.name);
            keep(&mut obstacles, now.is_some(), "category set", &set.name);
            let Some(now) = now else { continue };
            for category in &set.codes {
                keep(
                    &mut obstacles,
                    now.code(&category.code).is_some(),
                    &format!("code of `{}`", set.name),
                    &category.code,
                );
            }
        }
        for measure in older.measures() {
            keep(
                &mut obstacles,
                self.measure(&measure.id).is_some(),
                "policy measure",
                &measure.id,
            );
        }
        for kind in older.kinds() {
            let now = self.kind(&kind.name);
            keep(&mut obstacles, now.is_some(), "kind", &kind.name);
            if let Some(now) = now {
                kind_succeeds(&mut obstacles, kind, now);
            }
        }
        if obstacles.is_empty() {
            Ok(())
        } else {
            Err(obstacles)
        }
    }
}

fn keep(obstacles: &mut Vec<String>, kept: bool, what: &str, name: &str) {
    if !kept {
        obstacles.push(format!("the {what} `{name}` is gone"));
    }
}

fn kind_succeeds(obstacles: &mut Vec<String>, older: &Kind, now: &Kind) {
    let kind = &older.name;
    if now.class != older.class {
        obstacles.push(format!(
            "the kind `{kind}` was a {} and is a {}",
            older.class.name(),
            now.class.name()
        ));
    }
    for state in &older.states {
        let same = now.state(&state.name);
        keep(
            obstacles,
            same.is_some(),
            &format!("state of `{kind}`"),
            &state.name,
        );
        if same.is_some_and(|same| same.filed != state.filed) {
            obstacles.push(format!(
                "the state `{}` of `{kind}` is filed in one version and not in the other",
                state.name
            ));
        }
    }
    for action in &older.actions {
        keep(
            obstacles,
            now.action(&action.name).is_some(),
            &format!("action of `{kind}`"),
            &action.name,
        );
    }
    for field in &older.fields {
        match now.field(&field.name) {
            None => keep(obstacles, false, &format!("field of `{kind}`"), &field.name),
            Some(same) if !same_type(field, same) => {
                let (was, is) = (field.ty.name(), same.ty.name());
                obstacles.push(format!(
                    "the field `{}` of `{kind}` was of type {was} and is of another {is}",
                    field.name
                ));
            }
            Some(_) => {}
        }
    }
}

/// Whether two versions of a field hold the same; limits may differ, and a list may gain parts.
fn same_type(older: &Field, now: &Field) -> bool {
    match (&older.ty, &now.ty) {
        (FieldType::Code { set: a }, FieldType::Code { set: b }) => a == b,
        (FieldType::Codes { set: a, .. }, FieldType::Codes { set: b, .. }) => a == b,
        (FieldType::Ref { kind: a }, FieldType::Ref { kind: b }) => a == b,
        (FieldType::Refs { kind: a, .. }, FieldType::Refs { kind: b, .. }) => a == b,
        (FieldType::List { parts: a, .. }, FieldType::List { parts: b, .. }) => {
            a.iter().all(|part| {
                let same = b.iter().find(|other| other.name == part.name);
                same.is_some_and(|other| other.ty.name() == part.ty.name())
            })
        }
        (a, b) => a.name() == b.name(),
    }
}
