//! Whether a sync goes on: what a device knows before and after each exchange, and what all of them brought.

use std::collections::{BTreeMap, BTreeSet};

use super::device::{Device, Effect, Learned};
use super::wire::Outcome;
use crate::batch::Position;
use crate::id::{JournalId, RecordId};

/// What tells progress from standing still.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    positions: BTreeMap<JournalId, Option<Position>>,
    unsent: usize,
    carries: usize,
    /// Until it has settled what it enrolled anew with, it sends nothing.
    settles: bool,
}

impl Standing {
    fn of(device: &Device) -> Self {
        let position = |journal| (journal, device.position(journal));
        Self {
            positions: device.journals().into_iter().map(position).collect(),
            unsent: device.unsent().values().sum(),
            carries: device.carries(),
            settles: device.settles(),
        }
    }
}

/// What a sync brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synced {
    /// How many commands of this device got their fates.
    pub answered: usize,
    /// How many entries came.
    pub entries: u64,
    /// How many batches carried for others the server took.
    pub delivered: usize,
    /// What is to be shown anew.
    pub changed: BTreeSet<(JournalId, RecordId)>,
    /// Batches that the server could not take now, with its reasons.
    pub held_back: Vec<(JournalId, u64, Outcome)>,
    /// Whether the device must enrol in place.
    pub enrol_again: bool,
    /// Catalogue versions that could not be fetched: it goes on recording under what it has.
    pub missing_catalogues: Vec<u32>,
}

/// The exchanges of one sync.
#[derive(Debug)]
pub struct Rounds {
    stood: Standing,
    synced: Synced,
}

impl Rounds {
    /// Before the first exchange.
    pub fn begin(device: &Device) -> Self {
        Self {
            stood: Standing::of(device),
            synced: Synced::default(),
        }
    }

    /// Takes note of what an exchange brought. Whether another one would bring, or take, more.
    pub fn took(&mut self, device: &Device, learned: &Learned) -> bool {
        let stands = Standing::of(device);
        self.add(&stands, learned);
        let journals_appeared = stands.positions.keys().ne(self.stood.positions.keys());
        let goes_on = learned.more || journals_appeared;
        // A server that promises more and brings nothing is not asked again.
        let moved = stands != self.stood;
        self.stood = stands;
        goes_on && moved
    }

    fn add(&mut self, after: &Standing, learned: &Learned) {
        let (before, synced) = (&self.stood, &mut self.synced);
        synced.answered += before.unsent.saturating_sub(after.unsent);
        synced.delivered += before.carries.saturating_sub(after.carries);
        for (journal, end) in &after.positions {
            let stood = before.positions.get(journal).copied().flatten();
            let seq = |position: Option<Position>| position.map_or(0, |position| position.seq);
            synced.entries += seq(*end).saturating_sub(seq(stood));
        }
        let changed = learned.effects.iter().filter_map(|effect| match effect {
            Effect::Changed(journal, record) => Some((*journal, *record)),
            Effect::Persist(_) | Effect::Repinned(..) => None,
        });
        synced.changed.extend(changed);
        synced.held_back.clone_from(&learned.held_back);
        synced.enrol_again |= learned.enrol_again;
    }

    /// The server said that the device is out of use.
    pub const fn must_enrol(&mut self) {
        self.synced.enrol_again = true;
    }

    /// The catalogue versions that could not be fetched after the last exchange.
    pub fn lacks_catalogues(&mut self, versions: Vec<u32>) {
        self.synced.missing_catalogues = versions;
    }

    /// What all of it brought so far.
    pub const fn synced(&self) -> &Synced {
        &self.synced
    }

    /// What all of it brought.
    pub fn end(self) -> Synced {
        self.synced
    }
}
