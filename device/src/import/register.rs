//! The register as far as an importer reads it: his villages, their households, and who lives in them.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::catalog::Catalogue;
use sync_core::command::Audience;
use sync_core::id::{Date, JournalId, RecordId, Timestamp};
use sync_core::record::{Record, Slot, referred};
use sync_core::value::Value;

use super::mapping::KIND;
use crate::Field;

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

/// Somebody of a household, by name.
struct Member {
    name: String,
    household: RecordId,
    codes: Codes,
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
#[derive(Debug, Default)]
pub struct Register {
    villages: BTreeMap<JournalId, Village>,
    made: BTreeSet<Key>,
}

/// Which row of which list: what a clue says of where it comes from.
pub type Key = (String, Date, String);

impl Register {
    /// The register as a device holds it.
    pub fn of(field: &Field, catalogue: &Catalogue, now: Timestamp) -> Self {
        let device = field.device();
        let mut register = Self::default();
        for journal in device.journals() {
            let role = device.role(journal, now).unwrap_or_default();
            let reads = catalogue
                .role(role)
                .is_some_and(|role| role.reads(Audience::Village));
            let makes = catalogue
                .kind(KIND)
                .is_some_and(|kind| kind.may_create(role).is_some());
            if !reads || !makes {
                continue;
            }
            let mut village = named(field, journal, now);
            let mut members = Vec::new();
            for record in device.records(journal) {
                let Some(record) = device.record(journal, record) else {
                    continue;
                };
                let state = record.state.as_deref().unwrap_or_default();
                let kind = catalogue.kind(&record.kind);
                let state = kind.and_then(|kind| kind.state(state));
                let stands = record.void.is_none() && state.is_some_and(|state| !state.closed);
                match record.kind.as_str() {
                    "household" if stands => village.take(&record),
                    "person" if stands => members.extend(member(&record)),
                    // A clue that was settled or voided was made all the same.
                    KIND => register.made.extend(key_of(&record)),
                    _ => {}
                }
            }
            for Member {
                name,
                household,
                codes,
            } in members
            {
                if village.households.contains_key(&household) {
                    village.add(name, household, Some(codes));
                }
            }
            register.villages.insert(journal, village);
        }
        register
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

    fn take(&mut self, record: &Record) {
        let one = |field| values(record, field).next().unwrap_or_default();
        let household = Household {
            record: record.id,
            householder: one("householder"),
            group: one("group"),
        };
        for code in values(record, "code") {
            self.by_code.entry(code).or_default().insert(record.id);
        }
        for name in values(record, "householder") {
            self.add(name, record.id, None);
        }
        self.households.insert(record.id, household);
    }

    fn add(&mut self, name: String, household: RecordId, codes: Option<Codes>) {
        let known = self.by_name.entry(name).or_default();
        // The householder is one of the members: what is known of a member stands in his place.
        known.retain(|(other, other_codes)| *other != household || other_codes.is_some());
        known.push((household, codes));
    }
}

fn named(field: &Field, journal: JournalId, now: Timestamp) -> Village {
    let registry = field.device().registry();
    let area = registry.area_of(journal, now.date());
    let area = area.and_then(|area| registry.areas.get(&area));
    let township = area.and_then(|area| registry.areas.get(&area.parent?));
    let code = area.and_then(|area| area.latest());
    Village {
        name: area.map_or_else(String::new, |area| area.name().to_owned()),
        township: township.map_or_else(String::new, |area| area.name().to_owned()),
        code: code.map_or_else(String::new, |(code, _)| code.to_string()),
        ..Village::default()
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

/// The texts that a field has: all, while somebody has yet to choose.
fn values<'r>(record: &'r Record, field: &str) -> impl Iterator<Item = String> + use<'r> {
    let held = match record.fields.get(field) {
        Some(Slot::Register(held)) => held.as_slice(),
        Some(Slot::Text(_) | Slot::List(_) | Slot::Withheld) | None => &[],
    };
    let texts = held.iter().filter_map(|held| held.value.as_text());
    texts.map(|text| text.trim().to_owned())
}

fn member(record: &Record) -> Option<Member> {
    let household = match record.fields.get("household") {
        Some(Slot::Register(held)) => held.iter().find_map(|held| referred(&held.value))?,
        _ => return None,
    };
    let code = |field| values(record, field).next();
    Some(Member {
        name: code("name")?,
        household,
        codes: Codes {
            number: code("id_check"),
            born: code("born_check"),
        },
    })
}

fn key_of(record: &Record) -> Option<Key> {
    let Some(Slot::Register(held)) = record.fields.get("source_on") else {
        return None;
    };
    let day = held.iter().find_map(|held| {
        let Value::Int(days) = held.value else {
            return None;
        };
        i32::try_from(days).ok()
    })?;
    let source = values(record, "source").next()?;
    let row = values(record, "source_row").next()?;
    Some((source, Date(day), row))
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
