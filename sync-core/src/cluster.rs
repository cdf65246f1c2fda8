//! Clusters: the same cause at several households of a village or a township within some time (规模性返贫的苗头).
//!
//! What is one is data: a kind says by which of its fields, within how many days, and at how many households at the least
//! ([`ClusterRule`]). Told of it are its place, its cause and at how many households it is; none of them, and nobody who reported
//! it.

use std::collections::BTreeMap;

use crate::area::Level;
use crate::catalog::{Catalogue, ClusterRule, FieldType, Kind, Label};
use crate::id::{AreaId, Date, RecordId};
use crate::look::targets;
use crate::registry::Registry;
use crate::value::Value;
use crate::view::{Said, Shown, View};

/// The same cause at several households.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The village, or the township around several.
    pub area: AreaId,
    /// The kind of the records that tell of it.
    pub kind: String,
    /// The code of the cause.
    pub cause: String,
    /// At how many households.
    pub households: usize,
    /// Since when.
    pub since: Date,
}

/// The kinds of which clusters are looked for.
pub fn kinds(catalogue: &Catalogue) -> impl Iterator<Item = &Kind> {
    let kinds = catalogue.kinds();
    kinds.filter(|kind| kind.cluster.is_some())
}

/// What people read for the cause of a cluster.
pub fn cause<'c>(catalogue: &'c Catalogue, cluster: &Cluster) -> Option<&'c Label> {
    let kind = catalogue.kind(&cluster.kind)?;
    let field = kind.field(&kind.cluster.as_ref()?.cause)?;
    let (FieldType::Code { set } | FieldType::Codes { set, .. }) = &field.ty else {
        return None;
    };
    let mut codes = catalogue.set(set)?.codes.iter();
    let code = codes.find(|code| code.code == cluster.cause)?;
    Some(&code.label)
}

/// The clusters among some records as of a day: those of villages, and those of townships that no one village holds alone; in the
/// order of places, kinds and causes.
pub fn find<'v>(
    catalogue: &Catalogue,
    registry: &Registry,
    views: impl IntoIterator<Item = &'v View>,
    today: Date,
) -> Vec<Cluster> {
    let mut groups: Vec<Group> = Vec::new();
    for view in views {
        let Some((rule, village)) = place(catalogue, registry, view, today) else {
            continue;
        };
        let township = registry
            .path(village)
            .find(|area| is_township(registry, *area));
        let households: Vec<RecordId> = values(view, &rule.of).flat_map(targets).collect();
        for cause in values(view, &rule.cause).flat_map(codes) {
            for area in [Some(village), township].into_iter().flatten() {
                let key = (area, &*view.kind, cause);
                let at = groups.binary_search_by(|group| group.key().cmp(&key));
                let at = at.unwrap_or_else(|at| {
                    groups.insert(at, Group::of(key, rule.least));
                    at
                });
                let Some(group) = groups.get_mut(at) else {
                    continue;
                };
                for household in &households {
                    let day = group.households.entry(*household).or_insert(today);
                    *day = began(view).min(*day);
                }
            }
        }
    }
    let of_one_village = |of: &Group| {
        groups.iter().any(|one| {
            let is_within = one.area != of.area && registry.is_within(one.area, of.area);
            let is_like = one.kind == of.kind && one.cause == of.cause;
            is_within && is_like && one.households.len() == of.households.len()
        })
    };
    let cluster = |group: &Group| {
        let at = group.households.len();
        let counts = at >= group.least && !of_one_village(group);
        counts.then_some(Cluster {
            area: group.area,
            kind: group.kind.clone(),
            cause: group.cause.clone(),
            households: at,
            since: group.households.values().min().copied()?,
        })
    };
    groups.iter().filter_map(cluster).collect()
}

/// The households of one place at which one kind tells of one cause, each with the day since when.
struct Group {
    area: AreaId,
    kind: String,
    cause: String,
    /// At how many it is a cluster.
    least: usize,
    households: BTreeMap<RecordId, Date>,
}

impl Group {
    fn of((area, kind, cause): (AreaId, &str, &str), least: u32) -> Self {
        Self {
            area,
            kind: kind.to_owned(),
            cause: cause.to_owned(),
            least: least as usize,
            households: BTreeMap::new(),
        }
    }

    /// They are kept in this order, for few are found among many.
    fn key(&self) -> (AreaId, &str, &str) {
        (self.area, &self.kind, &self.cause)
    }
}

/// By which rule a record is looked at, and of which village it is; none if it tells of nothing any more.
fn place<'c>(
    catalogue: &'c Catalogue,
    registry: &Registry,
    view: &View,
    today: Date,
) -> Option<(&'c ClusterRule, AreaId)> {
    let rule = catalogue.kind(&view.kind)?.cluster.as_ref()?;
    let profile = catalogue.profile_of(registry.code_of(view.journal, today));
    let days = profile.days(&rule.days)?;
    let state = view.state.as_ref()?;
    let is_recent = today.0 - began(view).0 <= i32::try_from(days.count).ok()?;
    let stands = view.void.is_none() && !rule.not_in.contains(state) && is_recent;
    let village = registry.area_of(view.journal, today)?;
    stands.then_some((rule, village))
}

fn is_township(registry: &Registry, area: AreaId) -> bool {
    let known = registry.areas.get(&area);
    known.is_some_and(|known| known.level == Level::Township)
}

/// The day on which a record was made, as recorded.
fn began(view: &View) -> Date {
    let first = view.steps.first();
    first.map_or(Date(0), |step| step.at.date())
}

/// What a field says; of one in 待核对, all of it.
fn values<'v>(view: &'v View, field: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    let said: Vec<&Said> = match view.fields.get(field) {
        Some(Shown::Value(said)) => vec![said],
        Some(Shown::Conflict(said)) => said.iter().collect(),
        _ => Vec::new(),
    };
    said.into_iter().map(|said| &said.value)
}

fn codes(value: &Value) -> Vec<&str> {
    match value {
        Value::List(codes) => codes.iter().filter_map(Value::as_text).collect(),
        value => value.as_text().into_iter().collect(),
    }
}
