//! The admission index: per record, what preconditions may read.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::{Catalogues, codes};
use crate::batch::Batch;
use crate::catalog::{Catalogue, Kind};
use crate::command::{Audience, Envelope, Link, Verb};
use crate::id::{AreaId, Date, DeviceId, RecordId, Seq, Timestamp, UserId};
use crate::journal::{EntryHead, Fate};
use crate::month;
use crate::record::{Place, touches};
use crate::registry::{Assignment, Registry};

/// The last action that took effect on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct LastAct {
    /// Where.
    #[n(0)]
    pub place: Place,
}

/// That somebody took an action, and it counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Taken {
    /// Who.
    #[n(0)]
    pub by: UserId,
    /// On which day: as claimed, or as received where the claim lies outside its bounds.
    #[n(1)]
    pub on: Date,
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
    /// Who last took each action, and when.
    #[n(9)]
    pub actors: BTreeMap<String, Taken>,
    /// Whether it is void.
    #[n(10)]
    pub void: bool,
    /// Whether it was erased.
    #[n(11)]
    pub erased: bool,
    /// How many commands it took, by lane.
    #[n(12)]
    pub lanes: BTreeMap<DeviceId, u32>,
    /// The marks that nobody cleared: by cause and by who wrote what is marked.
    #[n(13)]
    pub flags: BTreeMap<String, BTreeMap<UserId, Flagged>>,
}

/// Where marked commands of one person may stand that nobody cleared. Bounds and no list: a phone with a wrong clock marks all it
/// writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Flagged {
    /// Not before this position.
    #[n(0)]
    pub from: Seq,
    /// The last of them.
    #[n(1)]
    pub to: Seq,
}

impl IndexEntry {
    /// How many commands it took.
    pub fn commands(&self) -> u32 {
        self.lanes.values().sum()
    }

    /// Marks what somebody wrote, in the entry at a position.
    fn flag(&mut self, causes: &[String], by: UserId, seq: Seq) {
        for cause in causes {
            let flagged = self.flags.entry(cause.clone()).or_default();
            let held = flagged.entry(by).or_insert(Flagged { from: seq, to: seq });
            held.to = seq;
        }
    }

    /// Whose commands up to a position are marked for a cause.
    pub fn flagged<'a>(&'a self, cause: &str, upto: Seq) -> impl Iterator<Item = UserId> + 'a {
        let held = self.flags.get(cause).into_iter().flatten();
        held.filter(move |(_, flagged)| flagged.from <= upto)
            .map(|(user, _)| *user)
    }

    fn clear(&mut self, cause: &str, upto: Seq) {
        let Some(held) = self.flags.get_mut(cause) else {
            return;
        };
        held.retain(|_, flagged| flagged.to > upto);
        for flagged in held.values_mut() {
            flagged.from = flagged.from.max(upto.saturating_add(1));
        }
        if held.is_empty() {
            self.flags.remove(cause);
        }
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
    /// What the command that makes it makes of it.
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
            state: begins_in(envelope),
            links: envelope.links.clone(),
            created: place,
            acted: None,
            actors: BTreeMap::new(),
            void: false,
            erased: false,
            lanes: [(place.device, 1)].into_iter().collect(),
            flags: BTreeMap::new(),
        }
    }

    /// What any other command that counts makes of it.
    pub(super) fn advance(&mut self, kind: &Kind, envelope: &Envelope, place: Place, taken: Taken) {
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
                    self.actors.insert(action.name.clone(), taken);
                    if !action.concurrent {
                        self.acted = Some(LastAct { place });
                        if let Some(to) = &action.to {
                            self.state = Some(to.clone());
                        }
                    }
                }
            }
            Verb::Void => self.void = true,
            Verb::Clear => self.clear(
                envelope.action.as_deref().unwrap_or_default(),
                envelope.base,
            ),
            Verb::Create
            | Verb::Seal
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

/// The state in which a command's record begins, if the command makes one.
pub(crate) fn begins_in(envelope: &Envelope) -> Option<String> {
    if envelope.verb == Verb::Seal {
        Some(month::SEALED.to_owned())
    } else {
        envelope.action.clone()
    }
}

/// The day on which a command was written, for what rests on days: as it claims, or as received where it is marked for its clock.
pub(super) fn day_of(envelope: &Envelope, has_wrong_clock: bool, received_at: Timestamp) -> Date {
    if has_wrong_clock {
        received_at.date()
    } else {
        envelope.at.date()
    }
}

/// A command that counts, with what is known of it besides.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// The command.
    pub envelope: &'a Envelope,
    /// What became of it.
    pub fate: &'a Fate,
    /// Where it stands.
    pub place: Place,
    /// When it was received.
    pub received_at: Timestamp,
}

/// Enters into the index what of an entry counts: what admission wrote, from what the entry says. Total.
pub fn replay(
    index: &mut Index,
    registry: &Registry,
    catalogues: &Catalogues,
    head: &EntryHead,
    batch: &Batch,
) {
    let catalogue = catalogues.get(&head.catalogue);
    let by = registry.assignments.get(&batch.assignment);
    for (envelope, fate) in batch.envelopes.iter().zip(&head.fates) {
        if fate.counts() {
            let counted = Counted {
                envelope,
                fate,
                place: Place {
                    seq: head.seq,
                    n: envelope.n,
                    device: batch.device,
                },
                received_at: head.received_at,
            };
            replay_one(index, catalogue, counted, by);
        }
    }
}

/// Enters one command into the index: one that counts, or one that is expected to.
pub fn replay_one(
    index: &mut Index,
    catalogue: Option<&Catalogue>,
    counted: Counted<'_>,
    by: Option<&Assignment>,
) {
    let Counted {
        envelope,
        fate,
        place,
        received_at,
    } = counted;
    let kind = catalogue.and_then(|catalogue| catalogue.kind(&envelope.kind));
    let causes = match fate {
        Fate::Flagged(causes) => causes.as_slice(),
        Fate::Accepted | Fate::NoEffect(_) | Fate::Refused(..) => &[],
    };
    let user = by.map_or(UserId([0; 16]), |by| by.user);
    let has_wrong_clock = causes.iter().any(|cause| cause == codes::flag::CLOCK);
    let on = day_of(envelope, has_wrong_clock, received_at);
    enter(index, kind, envelope, place, by, Taken { by: user, on });
    flag(index, envelope, causes, user, place.seq);
}

/// Marks all records in whose timelines a command stands.
pub(super) fn flag(
    index: &mut Index,
    envelope: &Envelope,
    causes: &[String],
    by: UserId,
    seq: Seq,
) {
    for record in touches(envelope) {
        if let Some(entry) = index.get_mut(&record) {
            entry.flag(causes, by, seq);
        }
    }
}

fn enter(
    index: &mut Index,
    kind: Option<&Kind>,
    envelope: &Envelope,
    place: Place,
    by: Option<&Assignment>,
    taken: Taken,
) {
    if envelope.makes() {
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
        entry.advance(kind, envelope, place, taken);
    }
    for target in super::erases(envelope) {
        if let Some(erased) = index.get_mut(&target) {
            erased.erased = true;
        }
    }
}
