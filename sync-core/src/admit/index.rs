//! The admission index: per record, what preconditions may read.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::command::{Audience, Link};
use crate::id::{AreaId, DeviceId, RecordId, UserId};
use crate::record::Place;

/// The last action that took effect on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct LastAct {
    /// Where.
    #[n(0)]
    pub place: Place,
}

/// What admission knows of one record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct IndexEntry {
    /// Its kind.
    #[n(0)]
    pub kind: String,
    /// Who made it.
    #[n(1)]
    pub author: UserId,
    /// As what.
    #[n(2)]
    pub role: String,
    /// From which office: the area of the author's assignment.
    #[n(3)]
    pub office: AreaId,
    /// Its audience.
    #[n(4)]
    pub audience: Audience,
    /// Its state.
    #[n(5)]
    pub state: Option<String>,
    /// The references that its fields hold.
    #[n(6)]
    pub links: Vec<Link>,
    /// The command that made it.
    #[n(7)]
    pub created: Place,
    /// The last action that took effect.
    #[n(8)]
    pub acted: Option<LastAct>,
    /// Who last took each action.
    #[n(9)]
    pub actors: BTreeMap<String, UserId>,
    /// Whether it is void.
    #[n(10)]
    pub void: bool,
    /// Whether it was erased.
    #[n(11)]
    pub erased: bool,
    /// How many commands it took, by lane.
    #[n(12)]
    pub lanes: BTreeMap<DeviceId, u32>,
}

impl IndexEntry {
    /// How many commands it took.
    pub fn commands(&self) -> u32 {
        self.lanes.values().sum()
    }

    /// What a reference field refers to.
    pub fn linked<'a>(&'a self, field: &'a str) -> impl Iterator<Item = RecordId> + 'a {
        self.links.iter().filter(move |link| link.field == field).map(|link| link.target)
    }
}

/// A part of the index.
pub type Index = BTreeMap<RecordId, IndexEntry>;
