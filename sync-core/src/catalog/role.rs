//! Roles: at which level they are assigned, what they read, what else they may, and which exclude each other.

use super::Label;
use super::kind::Office;
use super::source::Page;
use super::table::{Table, Text};
use crate::area::Level;
use crate::command::Audience;

/// Something a role may do beside writing records. What may be written is said by the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Send batches and pull the journals of its scope.
    Sync,
    /// Read records of its scope, as far as its audiences go.
    ReadRecords,
    /// Read what was refused, to help offer it again.
    ReadRefused,
    /// Read figures of its scope, never rows.
    ReadAggregates,
    /// Draw samples and fetch audit bundles.
    Audit,
    /// Export lists of its scope.
    Export,
    /// Read one sensitive field for a stated purpose, logged.
    Reveal,
    /// The same of a record that names its user: one that was sent to him.
    RevealSent,
    /// Destroy the content of records, as the law requires.
    Erase,
    /// Clear the marks of commands that count, each with its cause.
    ClearFlags,
    /// Create, lock and close accounts.
    ManageAccounts,
    /// Give and end assignments.
    ManageGrants,
    /// Enrol and revoke devices.
    ManageDevices,
    /// Import areas and other reference data.
    ImportAreas,
    /// Release a catalogue version.
    PublishCatalogue,
    /// Read who read, exported and signed in.
    ReadAuditLog,
    /// Fetch what is needed to verify journals and checkpoints.
    VerifyLog,
}

impl Capability {
    /// The capabilities by their stable names.
    pub const NAMES: [(&str, Self); 17] = [
        ("sync", Self::Sync),
        ("read_records", Self::ReadRecords),
        ("read_refused", Self::ReadRefused),
        ("read_aggregates", Self::ReadAggregates),
        ("audit", Self::Audit),
        ("export", Self::Export),
        ("reveal", Self::Reveal),
        ("reveal_sent", Self::RevealSent),
        ("erase", Self::Erase),
        ("clear_flags", Self::ClearFlags),
        ("manage_accounts", Self::ManageAccounts),
        ("manage_grants", Self::ManageGrants),
        ("manage_devices", Self::ManageDevices),
        ("import_areas", Self::ImportAreas),
        ("publish_catalogue", Self::PublishCatalogue),
        ("read_audit_log", Self::ReadAuditLog),
        ("verify_log", Self::VerifyLog),
    ];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, capability)| *capability == self)
            .map_or("", |(name, _)| name)
    }
}

/// To which side a role belongs. Nobody holds roles of two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Those who do and direct the work.
    Business,
    /// Those who look over it from outside: they comment and change nothing.
    Audit,
    /// Those who keep the system running (三员): they see no household data, and nobody holds two of their roles.
    Administration,
}

impl Side {
    /// The sides by their names in the files.
    pub const NAMES: [(&str, Self); 3] = [
        ("business", Self::Business),
        ("audit", Self::Audit),
        ("administration", Self::Administration),
    ];
}

/// One role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its stable code: `FS`.
    pub code: String,
    /// What people read.
    pub label: Label,
    /// To which side it belongs.
    pub side: Side,
    /// The office it works in, which holds steps and answers for their clocks; none for those who hold no step.
    pub office: Option<Office>,
    /// The levels of areas for which it can be assigned.
    pub levels: Vec<Level>,
    /// The audiences whose content it pulls and reads in its scope.
    pub audiences: Vec<Audience>,
    /// What else it may.
    pub capabilities: Vec<Capability>,
}

impl Role {
    /// Whether it has a capability.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// Whether it pulls and reads what is for an audience.
    pub fn reads(&self, audience: Audience) -> bool {
        self.audiences.contains(&audience)
    }

    /// Whether a person who holds this role may not hold the other at the same time.
    pub fn excludes(&self, other: &Self) -> bool {
        self.code != other.code && (self.side != other.side || self.side == Side::Administration)
    }
}

/// The audiences by their names in the files.
pub(super) const AUDIENCES: [(&str, Audience); 4] = [
    ("village", Audience::Village),
    ("team", Audience::Team),
    ("county", Audience::County),
    ("sensitive", Audience::Sensitive),
];

/// The offices that a role can work in: whichever created a record is no office of its own.
const OFFICES: [(&str, Office); 5] = [
    ("team", Office::Team),
    ("village", Office::Village),
    ("township", Office::Township),
    ("county", Office::County),
    ("department", Office::Department),
];

/// Reads the words of a list, each as what it stands for.
pub(super) fn chosen_all<T: Copy>(
    table: &mut Table<'_>,
    key: &'static str,
    choices: &[(&str, T)],
) -> Vec<T> {
    let words = table.texts(key);
    words
        .iter()
        .filter_map(|word| table.chosen(key, word, choices))
        .collect()
}

/// Reads `roles.toml`.
pub(super) fn parse(page: Page<'_>) -> Vec<Role> {
    let root = page.parse();
    let mut file = page.root(&root);
    if !file.has("roles") {
        file.note(
            0,
            "the file declares no role",
            "write `[roles.FS]` and what it has below",
        );
    }
    let roles = file
        .any_named("roles", "role")
        .into_iter()
        .map(|(code, table)| role(&code, table))
        .collect();
    file.finish();
    roles
}

fn role(code: &Text, mut table: Table<'_>) -> Role {
    let formed = (2..=4).contains(&code.value.len())
        && code.value.bytes().all(|byte| byte.is_ascii_uppercase());
    if !formed {
        table.note(
            code.at,
            format!("`{}` cannot name a role", code.value),
            "write two to four capital letters",
        );
    }
    let label = table.label();
    let side = table.choice("side", &Side::NAMES);
    if side.is_none() && !table.has("side") {
        table.missing("side", "\"business\"");
    }
    let side = side.unwrap_or(Side::Business);
    let office = table.choice("office", &OFFICES);
    let levels = chosen_all(
        &mut table,
        "levels",
        &Level::ALL.map(|level| (level.name(), level)),
    );
    if levels.is_empty() && !table.has("levels") {
        table.missing("levels", "[\"village\"]");
    }
    let audiences = chosen_all(&mut table, "audiences", &AUDIENCES);
    let capabilities = chosen_all(&mut table, "capabilities", &Capability::NAMES);
    if side == Side::Administration && !audiences.is_empty() {
        let at = table.key_at("audiences");
        table.note(
            at,
            format!("the role `{}` would read household data", code.value),
            "write `audiences = []`: administrators see none",
        );
    }
    check_widening(&table, &audiences);
    table.finish();
    Role {
        code: code.value.clone(),
        label,
        side,
        office,
        levels,
        audiences,
        capabilities,
    }
}

/// An audience may be widened only because whoever reads the narrower one also reads the wider.
fn check_widening(table: &Table<'_>, audiences: &[Audience]) {
    for narrow in audiences {
        for wide in Audience::ALL
            .into_iter()
            .filter(|wide| widens(*narrow, *wide) && !audiences.contains(wide))
        {
            let (narrow, wide) = (audience_name(*narrow), audience_name(wide));
            table.note(
                table.key_at("audiences"),
                format!(
                    "{} reads `{narrow}` but not `{wide}`, to which it may be widened",
                    table.what
                ),
                format!("add `{wide}`, or remove `{narrow}`"),
            );
        }
    }
}

/// The name of an audience in the files.
pub fn audience_name(audience: Audience) -> &'static str {
    AUDIENCES
        .iter()
        .find(|(_, value)| *value == audience)
        .map_or("", |(name, _)| name)
}

/// Whether a record open to `from` may later be opened to `to`: it can only be widened.
pub const fn widens(from: Audience, to: Audience) -> bool {
    matches!(
        (from, to),
        (
            Audience::Team | Audience::Sensitive,
            Audience::County | Audience::Village
        ) | (Audience::County, Audience::Village)
    )
}
