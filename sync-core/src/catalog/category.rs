//! Category sets: dated codes with labels, never enums in the program.

use super::Label;
use super::source::Page;
use super::table::{Table, Text};
use crate::id::Date;

/// A set of codes, from which fields of type `code` and `codes` take theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategorySet {
    /// Its stable name.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// Its codes, in the order of forms, those no longer in force included.
    pub codes: Vec<Category>,
}

impl CategorySet {
    /// A code, whether in force or not: records keep the codes they were written with.
    pub fn code(&self, code: &str) -> Option<&Category> {
        self.codes.iter().find(|category| category.code == code)
    }

    /// The codes that a form offers on a date.
    pub fn in_force(&self, date: Date) -> impl Iterator<Item = &Category> {
        self.codes
            .iter()
            .filter(move |category| category.in_force(date))
    }
}

/// One code of a category set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Its stable code, never reused.
    pub code: String,
    /// What people read.
    pub label: Label,
    /// The first day on which it is in force.
    pub valid_from: Date,
    /// The last day on which it is in force, if it ends.
    pub valid_to: Option<Date>,
}

impl Category {
    /// Whether it is in force on a date.
    pub fn in_force(&self, date: Date) -> bool {
        self.valid_from <= date && self.valid_to.is_none_or(|last| date <= last)
    }
}

/// Reads a file of `categories/`.
pub(super) fn parse(page: Page<'_>) -> Vec<(Text, CategorySet)> {
    let root = page.parse();
    let mut file = page.root(&root);
    if !file.has("sets") {
        file.note(
            0,
            "the file declares no category set",
            "write `[sets.some_name]` and what it has below",
        );
    }
    let sets = file
        .named("sets", "category set")
        .into_iter()
        .map(|(name, table)| (name.clone(), set(&name, table)))
        .collect();
    file.finish();
    sets
}

fn set(name: &Text, mut table: Table<'_>) -> CategorySet {
    let label = table.label();
    // A mistaken date is noted once and stands for some date.
    let date = |table: &mut Table<'_>| match table.date("valid_from") {
        None if table.has("valid_from") => Some(Date(0)),
        date => date,
    };
    let since = date(&mut table);
    let mut codes = Vec::new();
    for (code, mut entry) in table.named("codes", "code") {
        let label = entry.bare_label();
        let own = date(&mut entry);
        let valid_to = entry.date("valid_to");
        let valid_from = own.or(since).unwrap_or_else(|| {
            entry.missing("valid_from", "2021-01-01");
            Date(0)
        });
        if valid_to.is_some_and(|last| last < valid_from) {
            let remedy = format!("write a date from {valid_from} on, or correct `valid_from`");
            entry.note(
                entry.key_at("valid_to"),
                format!("{} ends before it begins", entry.what),
                remedy,
            );
        }
        entry.finish();
        codes.push(Category {
            code: code.value,
            label,
            valid_from,
            valid_to,
        });
    }
    if !table.has("codes") {
        table.note(
            name.at,
            format!("{} has no codes", table.what),
            format!(
                "write `[sets.{}.codes]` and a code on each line",
                name.value
            ),
        );
    }
    table.finish();
    CategorySet {
        name: name.value.clone(),
        label,
        codes,
    }
}
