//! Reading for county, province and audit: which journals a reader may know of, and what of a record he is shown.
//!
//! A console shows less than a phone of the village. What is sensitive is never in a list or a view, whoever asks: elsewhere than
//! on the village's own phones it is read one field at a time, for a stated purpose, and that is entered
//! ([`crate::routes::records::reveal`]). What is masked is masked for everyone whose role does not read what is sensitive there.

use std::collections::{BTreeMap, BTreeSet};

use store::StoreError;
use store::journals::{Filter, Folded, ReadJournals};
use sync_core::catalog::{Capability, Kind, Mask};
use sync_core::command::Audience;
use sync_core::id::{AreaId, JournalId, RecordId};
use sync_core::record::{self, Record, Slot};
use sync_core::registry::Purpose;

use crate::journals::pull::{Reader, Scope};

/// The journals that a reader may know of, each with what he may read of it.
pub type Scopes = BTreeMap<JournalId, Scope>;

/// Where a list begins or goes on: in the order of journal and record.
pub type Key = (JournalId, RecordId);

impl Reader<'_> {
    /// What he may read of a journal by any of these capabilities.
    pub fn scope_by(&self, journal: JournalId, capabilities: &[Capability]) -> Option<Scope> {
        let scopes = capabilities
            .iter()
            .filter_map(|capability| self.scope(journal, *capability));
        scopes.reduce(|mut one, other| {
            one.audiences.extend(other.audiences);
            one.refused |= other.refused;
            one
        })
    }

    /// The journals of a purpose that he may know of by any of these capabilities, within an area or wherever he has one. `None`
    /// if he has none, or none that takes in the area: nothing tells apart an area that is not there and one he may not know of.
    pub fn journals(
        &self,
        purpose: Purpose,
        capabilities: &[Capability],
        area: Option<AreaId>,
    ) -> Option<Scopes> {
        let registry = self.registry();
        let offices: Vec<AreaId> = capabilities
            .iter()
            .flat_map(|capability| self.areas(*capability))
            .map(|(office, _)| office)
            .collect();
        let is_his = |area: AreaId| {
            registry.areas.contains_key(&area)
                && offices.iter().any(|office| self.covers(*office, area))
        };
        if offices.is_empty() || area.is_some_and(|area| !is_his(area)) {
            return None;
        }
        let is_asked = |journal: JournalId| {
            area.is_none_or(|area| {
                registry
                    .area_of(journal, self.day())
                    .is_some_and(|place| registry.is_within(place, area))
            })
        };
        let asked = registry
            .journals
            .iter()
            .filter(|(journal, info)| info.purpose == purpose && is_asked(**journal));
        Some(
            asked
                .filter_map(|(journal, _)| Some((*journal, self.scope_by(*journal, capabilities)?)))
                .collect(),
        )
    }

    /// The access journal in which is entered what he does with a journal by a capability: that of the office that gives it to
    /// him, or of the nearest area around the office that has one.
    pub fn access_journal(&self, journal: JournalId, capability: Capability) -> Option<JournalId> {
        let registry = self.registry();
        let place = registry.area_of(journal, self.day())?;
        let areas = self.areas(capability);
        let offices = areas
            .iter()
            .map(|(office, _)| *office)
            .filter(|office| self.covers(*office, place));
        // An office of the deployment as a whole lies in no area: what it does is entered where the journal lies.
        let mut around = offices
            .flat_map(|office| registry.path(office).collect::<Vec<_>>())
            .chain(registry.path(place));
        around.find_map(|area| {
            let mut journals = registry
                .journals
                .iter()
                .filter(|(_, info)| info.purpose == Purpose::Access);
            journals
                .find(|(journal, _)| registry.area_of(**journal, self.day()) == Some(area))
                .map(|(journal, _)| *journal)
        })
    }
}

/// How many references a title is followed over: a comment is called by its visit, and that by its household.
const TITLE_STEPS: usize = 2;

/// How much of a field a reader is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// All.
    Whole,
    /// What a mask leaves.
    Masked(Mask),
    /// That something is written, and nothing of what.
    Withheld,
}

/// How much of a field a reader is shown of a record that is open to `record`. A field that the catalogue does not know is withheld.
pub fn sight(kind: Option<&Kind>, field: &str, record: Audience, scope: &Scope) -> Sight {
    let Some((kind, field)) = kind.and_then(|kind| Some((kind, kind.field(field)?))) else {
        return Sight::Withheld;
    };
    let is_sensitive = field.audience == Some(Audience::Sensitive);
    if is_sensitive || !reads(scope, record) || !reads(scope, kind.audience_of(field, record)) {
        return Sight::Withheld;
    }
    match field.mask {
        Some(mask) if !scope.audiences.contains(&Audience::Sensitive) => Sight::Masked(mask),
        Some(_) | None => Sight::Whole,
    }
}

/// Whether a reader is shown what is for an audience. What is sensitive is shown to nobody here.
pub fn reads(scope: &Scope, audience: Audience) -> bool {
    audience != Audience::Sensitive && scope.audiences.contains(&audience)
}

/// The next records of a list that a reader may see, and where the list goes on if it does.
pub async fn page<R: ReadJournals + ?Sized>(
    unit: &mut R,
    scopes: &Scopes,
    mut filter: Filter,
    keep: impl Fn(&Folded) -> bool,
) -> Result<(Vec<Folded>, Option<Key>), StoreError> {
    let wanted = filter.limit as usize;
    filter.journals = scopes.keys().copied().collect();
    let audiences: BTreeSet<Audience> = scopes
        .values()
        .flat_map(|scope| scope.audiences.iter().copied())
        .collect();
    filter.audiences = audiences
        .into_iter()
        .filter(|audience| *audience != Audience::Sensitive)
        .collect();
    let mut page = Vec::new();
    loop {
        let found = unit.records(&filter).await?;
        let is_last = found.len() < wanted;
        for folded in found {
            let key = (folded.record.journal, folded.record.id);
            filter.after = Some(key);
            // The filter knows one set of audiences; somebody with two offices may read more in one village than in another.
            let is_readable = scopes
                .get(&key.0)
                .is_some_and(|scope| reads(scope, folded.record.audience));
            if is_readable && keep(&folded) {
                page.push(folded);
            }
            if page.len() == wanted {
                return Ok((page, filter.after));
            }
        }
        if is_last {
            return Ok((page, None));
        }
    }
}

/// A record that a reader may see.
pub async fn record<R: ReadJournals + ?Sized>(
    unit: &mut R,
    scope: &Scope,
    key: Key,
) -> Result<Option<Folded>, StoreError> {
    let found = unit.record(key.0, key.1).await?;
    Ok(found.filter(|folded| reads(scope, folded.record.audience)))
}

/// The record by whose title another is called: a visit by that of its household, a comment by that of the visit. None if its title
/// is its own, or leads to nothing that the reader may see.
pub async fn called_by<R: ReadJournals + ?Sized>(
    unit: &mut R,
    reader: &Reader<'_>,
    scope: &Scope,
    record: &Record,
) -> Result<Option<Record>, StoreError> {
    let target = |record: &Record| {
        let kind = reader.catalogue().kind(&record.kind)?;
        let field = kind.field(&kind.title).filter(|field| field.ty.is_link())?;
        match record.fields.get(&field.name)? {
            Slot::Register(held) => record::referred(&held.first()?.value),
            Slot::Text(_) | Slot::List(_) | Slot::Withheld => None,
        }
    };
    let mut found = None;
    for _ in 0..TITLE_STEPS {
        let Some(next) = target(found.as_ref().unwrap_or(record)) else {
            break;
        };
        let next = self::record(unit, scope, (record.journal, next)).await?;
        let Some(next) = next else { return Ok(None) };
        found = Some(next.record);
    }
    Ok(found)
}
