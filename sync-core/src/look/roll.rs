//! The register as far as an importer reads it: his villages, their households, who lives in them, and which rows of which lists
//! are clues already. What matches lists by it may run elsewhere than the device does: it travels there as bytes.

use minicbor::{Decode, Encode};

use super::Look;
use crate::catalog::{Catalogue, SourceFile};
use crate::cbor::{self, CborError};
use crate::command::Audience;
use crate::id::{Date, DeploymentId, JournalId, RecordId};
use crate::record::{Record, Slot, referred};
use crate::value::Value;

/// The kind that rows of lists become.
pub const CLUE: &str = "clue";

/// The register at a time.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Roll {
    /// Whose it is: check codes are made with it.
    #[n(0)]
    pub deployment: DeploymentId,
    /// The villages in which its reader may make clues and reads the register.
    #[n(1)]
    pub villages: Vec<Village>,
    /// The rows of which clues were made; one that was settled or voided since was made all the same.
    #[n(2)]
    pub made: Vec<Key>,
}

/// Which row of which list: what a clue says of where it comes from.
pub type Key = (String, Date, String);

/// A village.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Village {
    /// Its journal.
    #[n(0)]
    pub journal: JournalId,
    /// Its name.
    #[n(1)]
    pub name: String,
    /// Its township's name.
    #[n(2)]
    pub township: String,
    /// Its code (区划代码).
    #[n(3)]
    pub code: String,
    /// The households that stand.
    #[n(4)]
    pub households: Vec<Household>,
    /// Who lives in them, and did not leave.
    #[n(5)]
    pub members: Vec<Member>,
}

/// A household. Where somebody has yet to choose among several values, all of them are told.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Household {
    /// The record.
    #[n(0)]
    pub record: RecordId,
    /// Its numbers in the register.
    #[n(1)]
    pub codes: Vec<String>,
    /// Its householders.
    #[n(2)]
    pub householders: Vec<String>,
    /// Its villagers' groups.
    #[n(3)]
    pub groups: Vec<String>,
}

/// Somebody who lives in a household.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Member {
    /// Of which household.
    #[n(0)]
    pub household: RecordId,
    /// The name.
    #[n(1)]
    pub name: String,
    /// The check code of the identity number.
    #[n(2)]
    pub number: Option<String>,
    /// The check code of the date of birth.
    #[n(3)]
    pub born: Option<String>,
}

impl Roll {
    /// The register as a device holds it. After the lease, when what others wrote is hidden, it is empty.
    pub fn read(look: &Look<'_>) -> Self {
        let device = look.source;
        let mut roll = Self {
            deployment: device.identity().deployment,
            villages: Vec::new(),
            made: Vec::new(),
        };
        let Some(catalogue) = look.catalogue().filter(|_| !look.hides_others()) else {
            return roll;
        };
        for journal in device.journals() {
            let role = device.role(journal, look.now).unwrap_or_default();
            let reads = catalogue
                .role(role)
                .is_some_and(|role| role.reads(Audience::Village));
            let makes = catalogue
                .kind(CLUE)
                .is_some_and(|kind| kind.may_create(role).is_some());
            if !reads || !makes {
                continue;
            }
            let mut village = named(look, journal);
            for record in device.records(journal) {
                let Some(record) = device.record(journal, record) else {
                    continue;
                };
                let state = record.state.as_deref().unwrap_or_default();
                let kind = catalogue.kind(&record.kind);
                let state = kind.and_then(|kind| kind.state(state));
                let stands = record.void.is_none() && state.is_some_and(|state| !state.closed);
                match record.kind.as_str() {
                    "household" if stands => village.households.push(household(&record)),
                    "person" if stands => village.members.extend(member(&record)),
                    CLUE => roll.made.extend(key(&record)),
                    _ => {}
                }
            }
            roll.villages.push(village);
        }
        roll
    }

    /// As it travels, with the catalogue under which it is read.
    pub fn to_bytes(&self, catalogue: &Catalogue) -> Vec<u8> {
        let files = catalogue.files().iter();
        let files: Vec<(&str, &str)> = files.map(|file| (&*file.name, &*file.text)).collect();
        cbor::encode(&(self, files))
    }

    /// What travelled.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, Catalogue), CborError> {
        let (roll, files): (Self, Vec<(String, String)>) = cbor::decode_own(bytes)?;
        let file = |(name, text)| SourceFile { name, text };
        let files: Vec<SourceFile> = files.into_iter().map(file).collect();
        let catalogue = Catalogue::parse(&files);
        let catalogue = catalogue.map_err(|_| CborError::Shape("no catalogue".to_owned()))?;
        Ok((roll, catalogue))
    }
}

fn named(look: &Look<'_>, journal: JournalId) -> Village {
    let registry = look.source.registry();
    let area = registry.area_of(journal, look.now.date());
    let area = area.and_then(|area| registry.areas.get(&area));
    let township = area.and_then(|area| registry.areas.get(&area.parent?));
    let code = area.and_then(|area| area.latest());
    Village {
        journal,
        name: area.map_or_else(String::new, |area| area.name().to_owned()),
        township: township.map_or_else(String::new, |area| area.name().to_owned()),
        code: code.map_or_else(String::new, |(code, _)| code.to_string()),
        households: Vec::new(),
        members: Vec::new(),
    }
}

/// The texts that a field has: all, while somebody has yet to choose.
fn texts(record: &Record, field: &str) -> Vec<String> {
    let held = match record.fields.get(field) {
        Some(Slot::Register(held)) => held.as_slice(),
        Some(Slot::Text(_) | Slot::List(_) | Slot::Withheld) | None => &[],
    };
    let texts = held.iter().filter_map(|held| held.value.as_text());
    texts.map(|text| text.trim().to_owned()).collect()
}

fn household(record: &Record) -> Household {
    Household {
        record: record.id,
        codes: texts(record, "code"),
        householders: texts(record, "householder"),
        groups: texts(record, "group"),
    }
}

fn member(record: &Record) -> Option<Member> {
    let household = match record.fields.get("household") {
        Some(Slot::Register(held)) => held.iter().find_map(|held| referred(&held.value))?,
        _ => return None,
    };
    let one = |field| texts(record, field).into_iter().next();
    Some(Member {
        household,
        name: one("name")?,
        number: one("id_check"),
        born: one("born_check"),
    })
}

fn key(record: &Record) -> Option<Key> {
    let Some(Slot::Register(held)) = record.fields.get("source_on") else {
        return None;
    };
    let day = held.iter().find_map(|held| {
        let Value::Int(days) = held.value else {
            return None;
        };
        i32::try_from(days).ok()
    })?;
    let one = |field| texts(record, field).into_iter().next();
    Some((one("source")?, Date(day), one("source_row")?))
}
