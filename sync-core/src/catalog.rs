//! The catalogue: what kinds of records there are, who may do what with them, and the dated data they rest on.

mod builtin;
mod calendar;
mod category;
mod check;
mod kind;
mod kind_check;
mod kind_file;
mod measure;
mod profile;
mod role;
mod source;

use std::collections::BTreeMap;

pub use calendar::{Calendar, Holiday, Reckoned};
pub use category::{Category, CategorySet};
pub use check::FieldProblem;
pub use kind::{
    Action, Class, Clock, Condition, Creation, DueRule, Field, FieldType, Grant, Kind, Mask,
    Office, Part, Permit, Reckoning, Relation, Required, State, Urgency, Who, Written,
};
pub use measure::Measure;
pub use profile::{Days, Profile, Unit};
pub use role::{Capability, Role, Side, audience_name, widens};
pub use source::{Mistake, SourceFile};

use crate::id::{Date, Digest, sha256};
use source::{Desk, Namespace, Page, Text};

/// What people read, in both languages. Chinese first; English complete.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// One version of the catalogue, checked as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    version: u32,
    issued: Date,
    files: Vec<SourceFile>,
    digest: Digest,
    roles: Vec<Role>,
    kinds: Vec<Kind>,
    sets: Vec<CategorySet>,
    measures: Vec<Measure>,
    profiles: Vec<Profile>,
    day_labels: BTreeMap<String, Label>,
    calendar: Calendar,
}

impl Catalogue {
    /// The catalogue that ships with this program.
    pub fn builtin() -> Self {
        Self::parse(&builtin::files()).expect("the shipped files are parsed by a test")
    }

    /// Reads a catalogue from its files, or says every mistake in them, in the order of files and lines.
    pub fn parse(files: &[SourceFile]) -> Result<Self, Vec<Mistake>> {
        let mut files = files.to_vec();
        for file in &mut files {
            file.text = file
                .text
                .trim_start_matches('\u{feff}')
                .replace("\r\n", "\n");
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let desk = Desk::new(&files);
        let draft = Draft::read(&desk);
        draft.resolve(&desk);
        let mistakes = desk.finish();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let Draft {
            version,
            issued,
            roles,
            kinds,
            sets,
            measures,
            profiles,
            day_labels,
            calendar,
            ..
        } = draft;
        let digest = digest(&files);
        let issued = issued.unwrap_or(Date(0));
        Ok(Self {
            version,
            issued,
            files,
            digest,
            roles,
            kinds,
            sets,
            measures,
            profiles,
            day_labels,
            calendar,
        })
    }

    /// Its version; a later one has a larger number.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// When it was issued.
    pub const fn issued(&self) -> Date {
        self.issued
    }

    /// SHA-256 over its files in the order of their names: equal digests are equal catalogues.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The files it was read from, in the order of their names: what is published, and what another reads to have the same.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// A kind by name, retired ones included.
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// All kinds, in the order of their names.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter()
    }

    /// A role by its code.
    pub fn role(&self, code: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.code == code)
    }

    /// All roles, in the order of their file.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.iter()
    }

    /// Whether one person may hold both roles at the same time.
    pub fn may_hold_both(&self, one: &str, other: &str) -> bool {
        match (self.role(one), self.role(other)) {
            (Some(one), Some(other)) => !one.excludes(other),
            _ => false,
        }
    }

    /// A category set by name.
    pub fn set(&self, name: &str) -> Option<&CategorySet> {
        self.sets.iter().find(|set| set.name == name)
    }

    /// All category sets.
    pub fn sets(&self) -> impl Iterator<Item = &CategorySet> {
        self.sets.iter()
    }

    /// A policy measure by its id, `S0/二（一）`.
    pub fn measure(&self, id: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.id == id)
    }

    /// All policy measures, in the order of their file.
    pub fn measures(&self) -> impl Iterator<Item = &Measure> {
        self.measures.iter()
    }

    /// A province profile by name.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// All province profiles, in the order of their names.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.iter()
    }

    /// The profile of a place that has none of its own.
    pub fn default_profile(&self) -> &Profile {
        self.profile(profile::DEFAULT)
            .expect("a catalogue without this file is refused")
    }

    /// What people read for a key of the province profiles.
    pub fn days_label(&self, key: &str) -> Option<&Label> {
        self.day_labels.get(key)
    }

    /// The working-day calendar.
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }
}

fn digest(files: &[SourceFile]) -> Digest {
    let mut parts: Vec<Vec<u8>> = vec![b"zhucun catalogue v1".to_vec()];
    for file in files {
        for text in [&file.name, &file.text] {
            parts.push((text.len() as u64).to_be_bytes().to_vec());
            parts.push(text.as_bytes().to_vec());
        }
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    sha256(&parts)
}

/// What the files said, before it is known whether they agree.
#[derive(Debug, Default)]
struct Draft {
    version: u32,
    issued: Option<Date>,
    roles: Vec<Role>,
    kinds: Vec<Kind>,
    sets: Vec<CategorySet>,
    measures: Vec<Measure>,
    profiles: Vec<Profile>,
    day_labels: BTreeMap<String, Label>,
    calendar: Calendar,
}

impl Draft {
    fn read(desk: &Desk<'_>) -> Self {
        let mut draft = Self::default();
        let mut overridden: Vec<(Page<'_>, Vec<Text>)> = Vec::new();
        let mut has_header = false;
        let mut has_roles = false;
        for page in desk.pages() {
            let name = page.file.name.as_str();
            match name.split_once('/') {
                None if name == "catalogue.toml" => {
                    has_header = true;
                    draft.header(page);
                }
                None if name == "roles.toml" => {
                    has_roles = true;
                    draft.roles = role::parse(page);
                }
                None if name == "policy-measures.csv" => draft.measures = measure::parse(page),
                Some(("kinds", _)) => draft.kinds.push(kind_file::parse(page)),
                Some(("categories", _)) => draft.add_sets(page),
                Some(("profiles", _)) => {
                    let (profile, keys, labels) = profile::parse(page);
                    draft.profiles.push(profile);
                    draft.day_labels.extend(labels);
                    overridden.push((page, keys));
                }
                Some(("calendar", _)) => calendar::parse(page, &mut draft.calendar),
                _ => page.note(
                    0,
                    "no catalogue has such a file",
                    "name it catalogue.toml, roles.toml or policy-measures.csv, or move it to kinds/, categories/, profiles/ or calendar/",
                ),
            }
        }
        if !has_header {
            desk.note_missing(
                "catalogue.toml",
                "write it, with `version = 1` and `issued = 2026-01-31`",
            );
        }
        if !has_roles {
            desk.note_missing(
                "roles.toml",
                "write it, with a table `[roles.FS]` for each role",
            );
        }
        draft.complete_profiles(desk, &overridden);
        draft
    }

    fn header(&mut self, page: Page<'_>) {
        let root = page.parse();
        let mut file = page.root(&root);
        for (key, example) in [("version", "1"), ("issued", "2026-01-31")] {
            if !file.has(key) {
                file.missing(key, example);
            }
        }
        self.version =
            u32::try_from(file.int_within("version", 1..=i64::from(u32::MAX), 1)).unwrap_or(1);
        self.issued = file.date("issued");
        file.finish();
    }

    fn add_sets(&mut self, page: Page<'_>) {
        for (name, set) in category::parse(page) {
            if self.sets.iter().any(|earlier| earlier.name == set.name) {
                page.note(
                    name.at,
                    format!("the category set `{}` stands in two files", set.name),
                    "remove one",
                );
            }
            self.sets.push(set);
        }
    }

    fn complete_profiles(&mut self, desk: &Desk<'_>, overridden: &[(Page<'_>, Vec<Text>)]) {
        let Some(default) = self
            .profiles
            .iter()
            .find(|profile| profile.name == profile::DEFAULT)
            .cloned()
        else {
            desk.note_missing(
                "profiles/default.toml",
                "write it, with every number of days that a clock names",
            );
            return;
        };
        for (page, keys) in overridden {
            profile::check_keys(*page, keys, &default);
        }
        for profile in &mut self.profiles {
            profile.complete_from(&default);
        }
    }

    /// Checks that every name used in one file is declared in some.
    fn resolve(&self, desk: &Desk<'_>) {
        let roles: Vec<&str> = self.roles.iter().map(|role| role.code.as_str()).collect();
        desk.resolve(&Namespace::Role, &roles);
        let administrators: Vec<&str> = self
            .roles
            .iter()
            .filter(|role| role.side == Side::Administration)
            .map(|role| role.code.as_str())
            .collect();
        desk.forbid(
            &Namespace::Role,
            &administrators,
            "is an administrator, who writes no records",
            "name another role",
        );
        desk.resolve(
            &Namespace::Kind,
            &self
                .kinds
                .iter()
                .map(|kind| kind.name.as_str())
                .collect::<Vec<_>>(),
        );
        desk.resolve(
            &Namespace::Set,
            &self
                .sets
                .iter()
                .map(|set| set.name.as_str())
                .collect::<Vec<_>>(),
        );
        for name in desk.sets_with_named_codes() {
            if let Some(set) = self.sets.iter().find(|set| set.name == name) {
                let codes: Vec<&str> = set
                    .codes
                    .iter()
                    .map(|category| category.code.as_str())
                    .collect();
                desk.resolve(&Namespace::Code(name), &codes);
            }
        }
        if let Some(default) = self
            .profiles
            .iter()
            .find(|profile| profile.name == profile::DEFAULT)
        {
            desk.resolve(
                &Namespace::Days,
                &default.all_days().map(|(key, _)| key).collect::<Vec<_>>(),
            );
        }
    }
}

#[cfg(test)]
mod tests;
