//! The register ([`Roll`]) as lists are matched by it.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::id::{DeploymentId, JournalId, RecordId};
use sync_core::look::roll::{self, Key, Roll};

/// A household.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Household {
    /// The record.
    pub record: RecordId,
    /// Its householder.
    pub householder: String,
    /// Its villagers' group.
    pub group: String,
}

/// By what a household is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// Somebody of the name lives there, and the check code is that of the number.
    ByNumber,
    /// It has the household's number, but nobody of the name.
    ByCode,
    /// Somebody of the name lives there, and the check code is that of the day of birth.
    ByBirth,
    /// Somebody of the name lives there.
    ByName,
    /// Somebody of the name does, who was born on another day.
    BornOtherwise,
    /// Somebody of the name does, with another number.
    UnderAnother,
}

/// The check codes of a person, as far as there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codes {
    /// Of the identity number.
    pub number: Option<String>,
    /// Of the day of birth.
    pub born: Option<String>,
}

impl Codes {
    /// How somebody of a name is known by what is asked for; a number says more than a day.
    fn known(&self, asked: &Self) -> Known {
        let agree = |own: &Option<String>, asked: &Option<String>| {
            own.as_ref()
                .zip(asked.as_ref())
                .map(|(own, asked)| own == asked)
        };
        let number = agree(&self.number, &asked.number);
        match (number, agree(&self.born, &asked.born)) {
            (Some(true), _) => Known::ByNumber,
            (Some(false), _) => Known::UnderAnother,
            (None, Some(true)) => Known::ByBirth,
            (None, Some(false)) => Known::BornOtherwise,
            (None, None) => Known::ByName,
        }
    }
}

/// A village.
#[derive(Debug, Default)]
pub struct Village {
    /// Its name.
    pub name: String,
    township: String,
    code: String,
    households: BTreeMap<RecordId, Household>,
    by_code: BTreeMap<String, BTreeSet<RecordId>>,
    /// By name: households with that person's check codes; none of a householder of whom the register knows no more.
    by_name: BTreeMap<String, Vec<(RecordId, Option<Codes>)>>,
}

/// What a list calls one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoVillage {
    /// None of the importer's is called so.
    None,
    /// Several are.
    Several,
}

/// The villages in which an importer may make clues and reads the register.
#[derive(Debug)]
pub struct Register {
    pub(crate) deployment: DeploymentId,
    villages: BTreeMap<JournalId, Village>,
    made: BTreeSet<Key>,
}

impl Register {
    /// The register as a device told it.
    pub fn of(roll: Roll) -> Self {
        let village = |told: roll::Village| (told.journal, Village::of(told));
        Self {
            deployment: roll.deployment,
            villages: roll.villages.into_iter().map(village).collect(),
            made: roll.made.into_iter().collect(),
        }
    }

    /// Whether there is no village to import into.
    pub fn is_empty(&self) -> bool {
        self.villages.is_empty()
    }

    /// A village.
    pub fn village(&self, journal: JournalId) -> Option<&Village> {
        self.villages.get(&journal)
    }

    /// Whether a clue was made from a row.
    pub fn is_made(&self, key: &Key) -> bool {
        self.made.contains(key)
    }

    /// The village that a list means by a name or a code, in a township if it says which.
    pub fn called(&self, text: &str, township: &str) -> Result<JournalId, NoVillage> {
        let means = |exact: bool| {
            let all = self.villages.iter();
            let found = all.filter(|(_, village)| village.is_called(text, exact));
            let found = found.filter(|(_, village)| {
                township.is_empty() || bare(township).ends_with(bare(&village.township))
            });
            found.map(|(journal, _)| *journal).collect::<Vec<_>>()
        };
        let mut found = means(true);
        if found.is_empty() {
            found = means(false);
        }
        match found.as_slice() {
            [] => Err(NoVillage::None),
            [only] => Ok(*only),
            _ => Err(NoVillage::Several),
        }
    }
}

impl Village {
    fn of(told: roll::Village) -> Self {
        let mut village = Self {
            name: told.name,
            township: told.township,
            code: told.code,
            ..Self::default()
        };
        for household in told.households {
            village.take(household);
        }
        for member in told.members {
            if village.households.contains_key(&member.household) {
                let codes = Codes {
                    number: member.number,
                    born: member.born,
                };
                village.add(member.name, member.household, Some(codes));
            }
        }
        village
    }

    /// A household of it.
    pub fn household(&self, record: RecordId) -> Option<&Household> {
        self.households.get(&record)
    }

    /// The households whose id begins so.
    pub fn beginning(&self, id: &str) -> Vec<RecordId> {
        let all = self.households.keys().copied();
        all.filter(|record| record.to_string().starts_with(id))
            .collect()
    }

    /// The households with a number.
    pub fn with_code(&self, code: &str) -> Vec<RecordId> {
        let found = self.by_code.get(code);
        found.into_iter().flatten().copied().collect()
    }

    /// The households in which somebody of a name lives, each by what is known best of him.
    pub fn with_name(&self, name: &str, asked: &Codes) -> BTreeMap<RecordId, Known> {
        let mut known = BTreeMap::new();
        for (household, codes) in self.by_name.get(name).into_iter().flatten() {
            let how = codes
                .as_ref()
                .map_or(Known::ByName, |codes| codes.known(asked));
            let best = known.entry(*household).or_insert(how);
            *best = how.min(*best);
        }
        known
    }

    /// Alone, or after its township's name; by its code.
    fn is_called(&self, text: &str, exact: bool) -> bool {
        let (asked, own) = (bare(text), bare(&self.name));
        if exact {
            return asked == own || text == self.code;
        }
        let before = asked.strip_suffix(own);
        before.is_some_and(|before| bare(before).ends_with(bare(&self.township)))
    }

    fn take(&mut self, told: roll::Household) {
        let first = |texts: &[String]| texts.first().cloned().unwrap_or_default();
        let household = Household {
            record: told.record,
            householder: first(&told.householders),
            group: first(&told.groups),
        };
        for code in told.codes {
            self.by_code.entry(code).or_default().insert(told.record);
        }
        for name in told.householders {
            self.add(name, told.record, None);
        }
        self.households.insert(told.record, household);
    }

    fn add(&mut self, name: String, household: RecordId, codes: Option<Codes>) {
        let known = self.by_name.entry(name).or_default();
        // The householder is one of the members: what is known of a member stands in his place.
        known.retain(|(other, other_codes)| *other != household || other_codes.is_some());
        known.push((household, codes));
    }
}

/// A name of an area without what offices leave out or add.
fn bare(name: &str) -> &str {
    const ADDED: [&str; 9] = [
        "村民委员会",
        "居民委员会",
        "村委会",
        "居委会",
        "社区",
        "街道",
        "村",
        "镇",
        "乡",
    ];
    let name = name.trim();
    let shorter = ADDED.iter().find_map(|added| name.strip_suffix(added));
    shorter.filter(|name| !name.is_empty()).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_village_is_known_by_the_names_that_offices_use() {
        let village = Village {
            name: "半子沟村".to_owned(),
            township: "吉强镇".to_owned(),
            code: "640422100201".to_owned(),
            ..Village::default()
        };
        for (text, exact, expected) in [
            ("半子沟村", true, true),
            ("半子沟", true, true),
            ("半子沟村民委员会", true, true),
            ("半子沟村委会", true, true),
            ("640422100201", true, true),
            ("西吉县吉强镇半子沟村", false, true),
            ("吉强半子沟", false, true),
            ("兴隆镇半子沟村", false, false),
            ("小半子沟村", false, false),
            ("小半子沟村", true, false),
        ] {
            assert_eq!(village.is_called(text, exact), expected, "{text}");
        }
    }
}
