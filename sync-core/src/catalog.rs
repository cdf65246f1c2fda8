//! The catalogue: what kinds of records there are, who may do what with them, and the dated data they rest on.
//!
//! Kinds are data. A register, a form or a deadline is added to the product by adding a file, and from that one source come
//! admission, forms, tables, exports and documentation. The files lie in the folder `catalog/` of the repository and ship inside
//! the program; a deployment publishes others, versioned and dated, through its registry.
//!
//! | file | says | read by |
//! | --- | --- | --- |
//! | `catalogue.toml` | the version and its date | [`Catalogue::version`] |
//! | `roles.toml` | who there is, what they read, what else they may, who excludes whom | [`Role`] |
//! | `kinds/*.toml` | one kind of record each: fields, states, actions, clocks, due rules | [`Kind`] |
//! | `categories/*.toml` | dated codes with labels | [`CategorySet`] |
//! | `policy-measures.csv` | clauses that a task can cite | [`Measure`] |
//! | `profiles/*.toml` | numbers of days, place by place | [`Profile`] |
//! | `papers/*.toml` | what is drafted from records: sheets, ledgers, files | [`Paper`] |
//! | `calendar/*.toml` | public holidays and the days worked for them, year by year | [`Calendar`] |
//!
//! # Reading it
//!
//! [`Catalogue::parse`] reads all files together. It never stops at a mistake: it reports every one, with file, line, column and
//! what to write instead, and then there is no catalogue. Whoever holds a [`Catalogue`] may rely on it as a whole: each name in
//! it is declared, each state can be reached and left, each label is there in both languages, no field is read more widely than
//! its record, no administrator writes records.
//!
//! ```
//! use sync_core::catalog::{Catalogue, Permit, Relation};
//!
//! let catalogue = Catalogue::builtin();
//! let task = catalogue.kind("task").expect("a shipped kind");
//! assert_eq!(task.label.zh, "帮扶任务");
//! // A township issues a task; the team takes one on by itself.
//! assert_eq!(task.may_create("TW").map(|state| state.name.as_str()), Some("issued"));
//! assert_eq!(task.may_create("FS").map(|state| state.name.as_str()), Some("in_progress"));
//! // Only whoever it is for signs for it.
//! assert_eq!(task.may_act("FS", "sign"), Permit::If(vec![&Relation::In("assignees".to_owned())]));
//! assert_eq!(task.may_act("PA", "sign"), Permit::No);
//!
//! let mut files = catalogue.files().to_vec();
//! for file in &mut files {
//!     file.text = file.text.replacen("class =", "clas =", 1);
//! }
//! let mistakes = Catalogue::parse(&files).expect_err("a mistyped key");
//! assert!(mistakes.iter().any(|mistake| mistake.remedy == "did you mean `class`?"));
//! ```
//!
//! # Deciding by it
//!
//! What a role may is asked of the [`Kind`]: [`Kind::may_create`], [`Kind::may_set`], [`Kind::may_act`], [`Kind::may_amend`],
//! [`Kind::may_void`]. The answer is a [`Permit`]: no, yes, or under a condition on how the person stands to the record
//! ([`Relation`]). A precondition can read only the envelope, the principal and the index of the same journal (state, author,
//! references, who last took which action); the language has no words for anything else. What rests on merged values, on other
//! journals or on counts is a check that is shown, never a gate.
//!
//! Whether a command is what its kind declares is asked of the catalogue, in two steps: [`Catalogue::check_envelope`] needs no
//! content, so that an auditor from whom it is withheld decides it again; [`Catalogue::check_content`] needs nothing else.
//!
//! Time limits and what is due are computed by [`crate::due`].
//!
//! # What never changes
//!
//! An entry is folded for ever by the catalogue version it names. So names are never reused, a field's type and a kind's class
//! never change, and fields, kinds, actions and codes are retired, never removed: [`Catalogue::succeeds`].

mod builtin;
mod calendar;
mod category;
mod check;
pub mod codes;
mod field;
mod field_file;
mod fit;
mod form;
mod kind;
mod kind_check;
mod kind_file;
mod life_check;
mod measure;
mod paper;
mod paper_file;
mod profile;
mod role;
mod self_check;
mod self_check_file;
mod source;
mod succession;
mod table;
mod who;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use calendar::{Calendar, Holiday, Reckoned};
pub use category::{Category, CategorySet};
pub use check::FieldProblem;
pub use field::{Condition, Field, FieldType, Fill, Mask, Part, Required, Written};
pub use form::Form;
pub use kind::{
    Action, Class, Clock, ClusterRule, Creation, DueRule, Kind, Merging, Office, Reckoning,
    Requirement, SinceLast, State, Urgency, Wait,
};
pub use measure::Measure;
pub use paper::{Holds, Paper, Period, Section, Subject};
pub use profile::{Days, Profile, Unit};
pub use role::{Capability, Role, Side, audience_name, widens};
pub use self_check::{FieldTest, HowMany, Related, SelfCheck, Test, Tie};
pub use source::{Mistake, SourceFile};
pub use who::{Grant, Permit, Relation, Who};

use crate::area::AreaCode;
use crate::id::{Date, Digest, sha256};
use source::{Desk, FieldLike, Namespace, Page};
use table::Text;

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
    papers: Vec<Paper>,
    day_labels: BTreeMap<String, Label>,
    calendar: Calendar,
}

impl Catalogue {
    /// The catalogue that ships with this program.
    pub fn builtin() -> Self {
        // Parsed once: simulations ask for it thousands of times.
        static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
            Catalogue::parse(&builtin::files()).expect("the shipped files are parsed by a test")
        });
        SHIPPED.clone()
    }

    /// Reads a catalogue from its files, or says every mistake in them, in the order of files and lines.
    pub fn parse(files: &[SourceFile]) -> Result<Self, Vec<Mistake>> {
        let files = normal(files);
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
            papers,
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
            papers,
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

    /// The digest that a catalogue of these files has, if they are one.
    pub fn digest_of(files: &[SourceFile]) -> Digest {
        digest(&normal(files))
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

    /// A paper by name.
    pub fn paper(&self, name: &str) -> Option<&Paper> {
        self.papers.iter().find(|paper| paper.name == name)
    }

    /// All papers, in the order of their names.
    pub fn papers(&self) -> impl Iterator<Item = &Paper> {
        self.papers.iter()
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

    /// The profile of a place by its area's code: the one that names the most of its first digits, else the default.
    pub fn profile_of(&self, code: Option<AreaCode>) -> &Profile {
        let code = code.map(|code| code.to_string()).unwrap_or_default();
        let named = self.profiles.iter();
        let named = named.filter_map(|profile| Some((profile.digits_for(&code)?, profile)));
        let nearest = named.max_by_key(|(digits, _)| *digits);
        nearest.map_or_else(|| self.default_profile(), |(_, profile)| profile)
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

/// Files as they are published: by name, without marks of byte order and carriage returns.
fn normal(files: &[SourceFile]) -> Vec<SourceFile> {
    let mut files = files.to_vec();
    for file in &mut files {
        file.text = file
            .text
            .trim_start_matches('\u{feff}')
            .replace("\r\n", "\n");
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
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
    papers: Vec<Paper>,
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
                Some(("papers", _)) => draft.papers.push(paper_file::parse(page)),
                Some(("calendar", _)) => calendar::parse(page, &mut draft.calendar),
                _ => page.note(
                    0,
                    "no catalogue has such a file",
                    "name it catalogue.toml, roles.toml or policy-measures.csv, or move it to kinds/, categories/, profiles/, papers/ or calendar/",
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
        for ((page, keys), profile) in overridden.iter().zip(&self.profiles) {
            profile::check_keys(*page, keys, &default);
            profile::check_areas(*page, profile, &self.profiles);
        }
        for profile in &mut self.profiles {
            profile.complete_from(&default);
        }
    }

    /// The names of a kind's fields that are of some type.
    fn fields_of(&self, kind: &str, fits: impl Fn(&FieldType) -> bool) -> Option<Vec<&str>> {
        let kind = self.kinds.iter().find(|one| one.name == kind)?;
        let fields = kind.fields.iter().filter(|field| fits(&field.ty));
        Some(fields.map(|field| field.name.as_str()).collect())
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
        for namespace in desk.named() {
            let declared: Option<Vec<&str>> = match &namespace {
                Namespace::Code(name) => {
                    let set = self.sets.iter().find(|set| set.name == *name);
                    set.map(|set| set.codes.iter().map(|one| one.code.as_str()).collect())
                }
                Namespace::State(name) => {
                    let kind = self.kinds.iter().find(|kind| kind.name == *name);
                    kind.map(|kind| kind.states.iter().map(|one| one.name.as_str()).collect())
                }
                Namespace::Field(name) => self.fields_of(name, |_| true),
                Namespace::LinkField(name) => {
                    self.fields_of(name, |ty| ty.is_link() && !ty.is_user())
                }
                Namespace::DateField(name) => self.fields_of(name, |ty| *ty == FieldType::Date),
                Namespace::CodeField(name) => self.fields_of(name, |ty| ty.set().is_some()),
                Namespace::CodeOf(kind, field) => {
                    let kind = self.kinds.iter().find(|one| one.name == *kind);
                    let set = kind.and_then(|kind| kind.field(field)?.ty.set());
                    let set = set.and_then(|name| self.sets.iter().find(|set| set.name == name));
                    set.map(|set| set.codes.iter().map(|one| one.code.as_str()).collect())
                }
                Namespace::FieldLike(name, like) => {
                    let kind = self.kinds.iter().find(|kind| kind.name == *name);
                    let is_like = |field: &&Field| FieldLike::of(field).as_ref() == Some(like);
                    kind.map(|kind| {
                        let fields = kind.fields.iter().filter(is_like);
                        fields.map(|one| one.name.as_str()).collect()
                    })
                }
                Namespace::DayPaper => {
                    let of_a_day = |paper: &&Paper| paper.about == Subject::Period(Period::Day);
                    let papers = self.papers.iter().filter(of_a_day);
                    Some(papers.map(|paper| paper.name.as_str()).collect())
                }
                Namespace::Role | Namespace::Kind | Namespace::Set | Namespace::Days => None,
            };
            if let Some(declared) = declared {
                desk.resolve(&namespace, &declared);
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
