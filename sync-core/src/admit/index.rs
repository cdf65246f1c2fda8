//! The admission index: per record, what preconditions may read.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::catalog::Kind;
use crate::command::{Audience, Envelope, Link, Verb};
use crate::id::{AreaId, DeviceId, RecordId, UserId};
use crate::record::Place;
use crate::registry::Assignment;

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
        self.links
            .iter()
            .filter(move |link| link.field == field)
            .map(|link| link.target)
    }
}

/// A part of the index.
pub type Index = BTreeMap<RecordId, IndexEntry>;

impl IndexEntry {
    /// What a `Create` makes of it.
    pub(super) fn created(
        envelope: &Envelope,
        place: Place,
        user: UserId,
        role: &str,
        office: AreaId,
    ) -> Self {
        Self {
            kind: envelope.kind.clone(),
            author: user,
            role: role.to_owned(),
            office,
            audience: envelope.audience,
            state: envelope.action.clone(),
            links: envelope.links.clone(),
            created: place,
            acted: None,
            actors: BTreeMap::new(),
            void: false,
            erased: false,
            lanes: [(place.device, 1)].into_iter().collect(),
        }
    }

    /// What any other command that counts makes of it.
    pub(super) fn advance(&mut self, kind: &Kind, envelope: &Envelope, place: Place, user: UserId) {
        *self.lanes.entry(place.device).or_insert(0) += 1;
        if envelope.widens() {
            self.audience = envelope.audience;
        }
        match envelope.verb {
            Verb::Act => {
                if let Some(action) = envelope
                    .action
                    .as_deref()
                    .and_then(|name| kind.action(name))
                {
                    self.actors.insert(action.name.clone(), user);
                    if !action.concurrent {
                        self.acted = Some(LastAct { place });
                        if let Some(to) = &action.to {
                            self.state = Some(to.clone());
                        }
                    }
                }
            }
            Verb::Void => self.void = true,
            Verb::Create
            | Verb::Set
            | Verb::Edit
            | Verb::Insert
            | Verb::Remove
            | Verb::Amend
            | Verb::Erase
            | Verb::Reveal => {}
        }
        if matches!(envelope.verb, Verb::Set | Verb::Act | Verb::Amend) {
            let rewritten = |field: &String| {
                envelope.fields.contains(field)
                    || envelope.links.iter().any(|link| link.field == *field)
            };
            self.links.retain(|link| !rewritten(&link.field));
        }
        if envelope.verb != Verb::Erase {
            self.links.extend(envelope.links.iter().cloned());
            self.links.sort();
            self.links.dedup();
        }
    }
}

/// Enters a command that counts into the index: what admission wrote, from what its entry says. Total.
pub fn replay(
    index: &mut Index,
    kind: Option<&Kind>,
    envelope: &Envelope,
    place: Place,
    by: Option<&Assignment>,
) {
    if envelope.verb == Verb::Create {
        // A phone may not know a distant author; then no relation to him holds.
        let (user, role, office) = by.map_or((UserId([0; 16]), "", AreaId([0; 16])), |by| {
            (by.user, by.role.as_str(), by.area)
        });
        index.insert(
            envelope.record,
            IndexEntry::created(envelope, place, user, role, office),
        );
        return;
    }
    if let (Some(entry), Some(kind)) = (index.get_mut(&envelope.record), kind) {
        entry.advance(
            kind,
            envelope,
            place,
            by.map_or(UserId([0; 16]), |by| by.user),
        );
    }
    for target in super::erases(envelope) {
        if let Some(erased) = index.get_mut(&target) {
            erased.erased = true;
        }
    }
}
