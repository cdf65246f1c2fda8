//! The list of households: longest waiting first, by villagers' group, a part at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::{Look, Row};
use crate::id::{Date, RecordId};

/// A household in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Household {
    /// Its row.
    pub row: Row,
    /// Its villagers' group.
    pub group: String,
    /// The day of the last visit.
    pub last_visit: Option<Date>,
}

/// Which households somebody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HouseholdsWanted {
    /// These alone, in this order; all, if `None`.
    pub records: Option<Vec<RecordId>>,
    /// Of this villagers' group.
    pub group: Option<String>,
}

/// All households of a phone as they were at a time, which takes a while to read where there are many.
#[derive(Debug)]
pub struct Households {
    of_own: bool,
    lines: Vec<Household>,
    places: BTreeMap<RecordId, usize>,
    groups: BTreeSet<String>,
}

impl Households {
    /// As they are now.
    pub fn read(look: &Look<'_>) -> Self {
        let line = |(row, last_visit): (Row, Option<Date>)| Household {
            group: group_of(look, &row),
            row,
            last_visit,
        };
        let lines: Vec<Household> = look.households().into_iter().map(line).collect();
        let groups = lines.iter().map(|line| line.group.clone());
        Self {
            of_own: look.hides_others(),
            places: lines.iter().map(|line| line.row.record).zip(0..).collect(),
            groups: groups.filter(|group| !group.is_empty()).collect(),
            lines,
        }
    }

    /// Whether they are still what a look shows, as long as nothing was written since: the lease may have ended meanwhile.
    pub fn stand(&self, look: &Look<'_>) -> bool {
        self.of_own == look.hides_others()
    }

    /// The villagers' groups of all of them, in the order of their names.
    pub const fn groups(&self) -> &BTreeSet<String> {
        &self.groups
    }

    /// Those that somebody wants.
    pub fn wanted(&self, wanted: &HouseholdsWanted) -> Vec<&Household> {
        let of_group = |line: &&Household| {
            let group = wanted.group.as_ref();
            group.is_none_or(|group| line.group == *group)
        };
        let named = wanted.records.as_ref().map(|records| {
            let places = records.iter().filter_map(|record| self.places.get(record));
            places.filter_map(|place| self.lines.get(*place)).collect()
        });
        let all = || self.lines.iter().collect();
        let mut lines: Vec<&Household> = named.unwrap_or_else(all);
        lines.retain(of_group);
        lines
    }
}

fn group_of(look: &Look<'_>, row: &Row) -> String {
    let view = look.view(row.journal, row.record);
    let group = view.and_then(|view| Some(view.value("group")?.as_text()?.to_owned()));
    group.unwrap_or_default()
}
