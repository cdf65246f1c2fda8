//! Areas: imported from a file, looked up by name or code.

use std::collections::{BTreeMap, BTreeSet};

use store::StoreError;
use sync_core::area::{self, AreaCode, AreaRow, Level, Mistake};
use sync_core::catalog::Capability;
use sync_core::id::{AreaId, Date, JournalId};
use sync_core::registry::{Area, Purpose, Registry, RegistryAct};

use crate::admin::PAGE_ROWS;
use crate::admin::mandate::{Mandate, Word};
use crate::context::App;
use crate::random::Random;

/// What an import changed, or would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Areas that were not there.
    pub added: usize,
    /// Areas with another name than before.
    pub renamed: usize,
    /// Areas that stay as they are.
    pub unchanged: usize,
    /// Journals that were made for them.
    pub journals: usize,
}

/// An area of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedArea {
    /// Its id.
    pub id: AreaId,
    /// Its facts.
    pub area: Area,
}

/// Which areas a list shows.
#[derive(Debug, Clone, Default)]
pub struct AreaFilter {
    /// Directly in this area, by id or code.
    pub parent: Option<String>,
    /// With this in their name, or a code that begins so.
    pub text: Option<String>,
    /// After this code.
    pub after: Option<AreaCode>,
}

/// Why areas were neither imported nor listed.
#[derive(Debug, thiserror::Error)]
pub enum AreaFailure {
    /// The caller may not know of it.
    #[error("there is no such area")]
    Absent,
    /// The file has mistakes; nothing of it was used.
    #[error("the file has {} mistakes", .0.len())]
    Mistakes(Vec<Mistake>),
    /// The file has an area outside those for which the caller imports; nothing of it was used.
    #[error("{0} lies outside the areas for which you import")]
    Outside(AreaCode),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Imports a file of areas: all of it, or nothing. An area is known again by its latest code; another name is a new dated fact.
/// Each village gets its journal, each county and province its access journal. A dry run writes nothing.
pub async fn import(
    app: &App,
    word: Word<'_>,
    file: &[u8],
    dry_run: bool,
) -> Result<Imported, AreaFailure> {
    let mut unit = app.store().begin().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &[Capability::ImportAreas]).await?;
    let mandate = mandate.ok_or(AreaFailure::Absent)?;
    let mut draft = Draft::new(&mandate, app.random());
    let known = draft.known();
    for row in area::import(file, &known).map_err(AreaFailure::Mistakes)? {
        draft.take(row)?;
    }
    let Draft { acts, imported, .. } = draft;
    if !dry_run && !acts.is_empty() {
        let now = app.clock().now();
        app.registrar()
            .enter(&mut *unit, &acts, mandate.by(), now)
            .await?;
        unit.commit().await?;
        tracing::info!(
            added = imported.added,
            renamed = imported.renamed,
            "areas.imported"
        );
    }
    Ok(imported)
}

/// What an import will enter.
struct Draft<'a> {
    mandate: &'a Mandate,
    random: &'a Random,
    codes: BTreeMap<AreaCode, AreaId>,
    /// Areas of this file that are new, which lie where the mandate counts.
    new: BTreeSet<AreaId>,
    journals: BTreeSet<(AreaId, Purpose)>,
    acts: Vec<RegistryAct>,
    imported: Imported,
}

impl<'a> Draft<'a> {
    fn new(mandate: &'a Mandate, random: &'a Random) -> Self {
        let registry = mandate.registry();
        let coded = |(id, area): (&AreaId, &Area)| area.latest().map(|(code, _)| (*code, *id));
        let owned = registry
            .journals
            .values()
            .flat_map(|journal| journal.areas.values().map(|area| (*area, journal.purpose)));
        Self {
            mandate,
            random,
            codes: registry.areas.iter().filter_map(coded).collect(),
            new: BTreeSet::new(),
            journals: owned.collect(),
            acts: Vec::new(),
            imported: Imported::default(),
        }
    }

    /// The codes that the caller may know of: of the areas for which he imports, and of what those lie in. A line about any other area
    /// is answered as if that were not there.
    fn known(&self) -> BTreeSet<AreaCode> {
        let covered = |(_, area): &(&AreaCode, &AreaId)| self.mandate.covers(**area);
        let codes = self.codes.iter().filter(covered).map(|(code, _)| *code);
        codes
            .flat_map(|code| [Some(code), code.parent()])
            .flatten()
            .collect()
    }

    fn take(&mut self, row: AreaRow) -> Result<(), AreaFailure> {
        let known = self.codes.get(&row.code).copied();
        let id = known.unwrap_or_else(|| AreaId(self.random.bytes()));
        let present = self.mandate.registry().areas.get(&id);
        let parent = present.map_or_else(|| self.parent_of(row.code), |area| area.parent);
        let reached = known.or(parent);
        let covered = |area| self.new.contains(&area) || self.mandate.covers(area);
        if !reached.map_or_else(|| self.mandate.is_everywhere(), covered) {
            return Err(AreaFailure::Outside(row.code));
        }
        let level = present.map_or_else(|| row.code.level(), |area| area.level);
        if present.is_some_and(|area| area.name() == row.name) {
            self.imported.unchanged += 1;
        } else {
            let today = self.mandate.today();
            let latest = present.and_then(|area| area.named.keys().next_back().copied());
            self.acts.push(RegistryAct::SetArea {
                area: id,
                level,
                parent,
                code: row.code,
                name: row.name,
                // A clock that was set back must not hide the new name behind the one before.
                from: latest.map_or(today, |latest| latest.max(today)),
                to: present.and_then(|area| area.to),
            });
            if present.is_some() {
                self.imported.renamed += 1;
            } else {
                self.imported.added += 1;
                self.codes.insert(row.code, id);
                self.new.insert(id);
            }
        }
        self.give_journal(id, level);
        Ok(())
    }

    fn parent_of(&self, code: AreaCode) -> Option<AreaId> {
        self.codes.get(&code.parent()?).copied()
    }

    fn give_journal(&mut self, area: AreaId, level: Level) {
        let purpose = match level {
            Level::Village => Purpose::Village,
            Level::County | Level::Province => Purpose::Access,
            Level::City | Level::Township => return,
        };
        if self.journals.insert((area, purpose)) {
            self.imported.journals += 1;
            self.acts.push(RegistryAct::SetJournal {
                journal: JournalId(self.random.bytes()),
                purpose,
                area,
                from: self.mandate.today(),
            });
        }
    }
}

/// Who may look areas up: whoever administers something, or reads a part of them.
const READERS: [Capability; 7] = [
    Capability::ImportAreas,
    Capability::ManageAccounts,
    Capability::ManageGrants,
    Capability::ManageDevices,
    Capability::ReadAuditLog,
    Capability::ReadAggregates,
    Capability::ReadRecords,
];

/// A page of areas in the order of their codes, and whether there are more. Without a filter: the highest ones.
pub async fn list(
    app: &App,
    word: Word<'_>,
    filter: &AreaFilter,
) -> Result<(Vec<ListedArea>, bool), AreaFailure> {
    let mut unit = app.store().read().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &READERS).await?;
    let mandate = mandate.ok_or(AreaFailure::Absent)?;
    let registry = mandate.registry();
    let parent = match filter.parent.as_deref() {
        Some(text) => {
            let area = find(registry, text).filter(|area| mandate.covers(*area));
            Some(area.ok_or(AreaFailure::Absent)?)
        }
        None => None,
    };
    let highest = |id: AreaId, area: &Area| match mandate.offices() {
        Some(offices) => offices.contains(&id),
        None => area.parent.is_none(),
    };
    let is_wanted = |id: AreaId, area: &Area| match (parent, filter.text.as_deref()) {
        (None, None) => highest(id, area),
        (parent, text) => {
            (parent.is_none() || area.parent == parent) && text.is_none_or(|text| has(area, text))
        }
    };
    let mut found: Vec<(AreaCode, AreaId)> = (registry.areas.iter())
        .filter(|(id, area)| mandate.covers(**id) && is_wanted(**id, area))
        .filter_map(|(id, area)| area.latest().map(|(code, _)| (*code, *id)))
        .filter(|(code, _)| filter.after.is_none_or(|after| after < *code))
        .collect();
    found.sort_unstable();
    let more = found.len() > PAGE_ROWS;
    found.truncate(PAGE_ROWS);
    let listed = found.into_iter().filter_map(|(_, id)| {
        let area = registry.areas.get(&id)?.clone();
        Some(ListedArea { id, area })
    });
    Ok((listed.collect(), more))
}

fn has(area: &Area, text: &str) -> bool {
    let latest = area.latest();
    latest.is_some_and(|(code, name)| name.contains(text) || code.to_string().starts_with(text))
}

/// The area with this id or this latest code.
pub fn find(registry: &Registry, text: &str) -> Option<AreaId> {
    if let Ok(code) = text.parse::<AreaCode>() {
        let is_it = |area: &Area| area.latest().is_some_and(|(own, _)| *own == code);
        return registry
            .areas
            .iter()
            .find(|(_, area)| is_it(area))
            .map(|(id, _)| *id);
    }
    text.parse()
        .ok()
        .filter(|id| registry.areas.contains_key(id))
}

/// The date since which an area has its latest code and name.
pub fn named_since(area: &Area) -> Option<Date> {
    area.named.keys().next_back().copied()
}
