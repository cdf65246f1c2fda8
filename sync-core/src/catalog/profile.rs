//! Province profiles: the numbers of days that differ from place to place.

use std::collections::BTreeMap;

use super::Label;
use super::source::Page;
use super::table::{Table, Text};
use crate::area::AreaCode;

/// The unit of a number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// 工作日: working days of the imported calendar.
    Working,
    /// 自然日: every day.
    Calendar,
}

/// A number of days in a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days {
    /// How many.
    pub count: u32,
    /// Of which.
    pub unit: Unit,
}

/// One province's (or county's) numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its stable name: the file's.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// The first digits of the codes of the areas that it is for.
    areas: Vec<String>,
    /// Its own numbers, and the default's where it says nothing.
    days: BTreeMap<String, Days>,
}

impl Profile {
    /// The number of days under a key; every key that a kind's clock names has one.
    pub fn days(&self, key: &str) -> Option<Days> {
        self.days.get(key).copied()
    }

    /// How many first digits of an area's code it names; none if it is for other areas.
    pub(super) fn digits_for(&self, code: &str) -> Option<usize> {
        let areas = self.areas.iter().filter(|digits| code.starts_with(*digits));
        areas.map(String::len).max()
    }

    /// All numbers by key.
    pub fn all_days(&self) -> impl Iterator<Item = (&str, Days)> {
        self.days.iter().map(|(key, days)| (key.as_str(), *days))
    }

    /// Takes over from the default what this profile does not say.
    pub(super) fn complete_from(&mut self, default: &Self) {
        for (key, days) in &default.days {
            self.days.entry(key.clone()).or_insert(*days);
        }
    }
}

/// The name of the profile that has every key.
pub(super) const DEFAULT: &str = "default";

/// Reads a file of `profiles/`, and the keys it declares or overrides, with their places.
pub(super) fn parse(page: Page<'_>) -> (Profile, Vec<Text>, BTreeMap<String, Label>) {
    let root = page.parse();
    let mut file = page.root(&root);
    let label = file.label();
    let areas = areas(&mut file);
    let mut days = BTreeMap::new();
    let mut keys = Vec::new();
    let mut labels = BTreeMap::new();
    for (key, mut table) in file.named("days", "number of days") {
        let unit = table.choice(
            "unit",
            &[("working", Unit::Working), ("calendar", Unit::Calendar)],
        );
        if unit.is_none() && !table.has("unit") {
            table.missing("unit", "\"working\"");
        }
        if !table.has("count") {
            table.missing("count", "5");
        }
        let count = table.int_within("count", 0..=3650, 0);
        if page.stem() == DEFAULT {
            labels.insert(key.value.clone(), table.label());
        }
        table.finish();
        let count = u32::try_from(count).unwrap_or(0);
        days.insert(
            key.value.clone(),
            Days {
                count,
                unit: unit.unwrap_or(Unit::Working),
            },
        );
        keys.push(key);
    }
    file.finish();
    (
        Profile {
            name: page.stem().to_owned(),
            label,
            areas,
            days,
        },
        keys,
        labels,
    )
}

/// The first digits of the codes of the areas that a profile is for.
fn areas(file: &mut Table<'_>) -> Vec<String> {
    let mut areas = Vec::new();
    for digits in file.texts("areas") {
        let is_code = digits.value.bytes().all(|byte| byte.is_ascii_digit());
        if !is_code || !(2..=AreaCode::DIGITS).contains(&digits.value.len()) {
            let message = format!("`{}` does not begin an area's code", digits.value);
            let remedy =
                "write two to twelve digits, \"62\" for a province or \"410581\" for a county";
            file.note(digits.at, message, remedy);
        }
        areas.push(digits.value);
    }
    areas
}

/// Notes an area that another profile names as well.
pub(super) fn check_areas(page: Page<'_>, profile: &Profile, others: &[Profile]) {
    let others = || others.iter().filter(|other| other.name != profile.name);
    for digits in &profile.areas {
        if let Some(other) = others().find(|other| other.areas.contains(digits)) {
            let message = format!("the profile `{}` is for `{digits}` as well", other.name);
            page.note(0, message, "name each area in one profile");
        }
    }
}

/// Notes a key that the default does not declare.
pub(super) fn check_keys(page: Page<'_>, keys: &[Text], default: &Profile) {
    let known: Vec<&str> = default.days.keys().map(String::as_str).collect();
    for key in keys
        .iter()
        .filter(|key| !known.contains(&key.value.as_str()))
    {
        let remedy = super::source::instead(&key.value, &known).unwrap_or_else(|| {
            format!("declare it under [days] in profiles/{DEFAULT}.toml, or remove it")
        });
        page.note(
            key.at,
            format!("there is no number of days `{}`", key.value),
            remedy,
        );
    }
}
