//! Admission: what becomes of each command, decided where it stands in its journal.
//!
//! [`admit`] is pure. It is handed everything it reads: the registry at its position, the catalogue, the end of the chain and
//! of the lane, and the part of the **admission index** that the batch touches. It reads no merged field, no other journal and
//! no count, so that the auditor can decide every fate again from envelopes. The server runs it inside the admitting
//! transaction; a phone runs it to predict the fate of what it is about to save.
//!
//! Every batch whose signature verifies moves its lane: whatever is wrong with a command, it gets a fate and an entry is written. Only
//! what cannot be placed at all ([`Unplaced`]) leaves the lane where it was.

pub mod codes;
mod effect;
mod index;
mod judge;
mod size;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{Batch, Parts, Position, lane_start};
use crate::catalog::Catalogue;
use crate::command::{Origin, Verb};
use crate::id::{DeploymentId, DeviceId, Digest, Seq, Timestamp};
use crate::journal::{Chain, EntryHead, Fate};
use crate::month::months_of;
use crate::record::{FOLD_VERSION, touches};
use crate::registry::{Purpose, Registry};
use crate::sign::PublicKey;

pub use effect::erases;
pub(crate) use index::begins_in;
pub use index::{Counted, Flagged, Index, IndexEntry, LastAct, Taken, replay, replay_one};

/// Published catalogue versions.
pub type Catalogues = BTreeMap<u32, Catalogue>;

/// Where a lane ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneEnd {
    /// The number of its last command; 0 before the first.
    pub n: u64,
    /// The digest of its last batch; [`lane_start`] before the first.
    pub batch: Digest,
}

/// A batch that the key behind its device's id signed for a deployment. Whether anybody knows that device is another question
/// ([`Verified::of`]), and changes; this does not, so it is answered beside the writer and not in its transaction.
#[derive(Debug, Clone)]
pub struct Signed {
    parts: Parts,
    deployment: DeploymentId,
    digest: Digest,
}

impl Signed {
    /// Checks the signature under the key of its device.
    pub fn check(
        deployment: DeploymentId,
        key: &PublicKey,
        parts: Parts,
    ) -> Result<Self, Unverified> {
        let digest = parts.batch.digest(deployment);
        if !parts.is_signed_over(digest, deployment, key) {
            return Err(Unverified::BadSignature);
        }
        Ok(Self {
            parts,
            deployment,
            digest,
        })
    }

    /// The batch.
    pub const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The batch's digest.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// A batch whose signature the registry's key for its device verifies. Only [`Verified::check`] and [`Verified::of`] make one.
#[derive(Debug, Clone)]
pub struct Verified(Signed);

/// Nothing can be attributed to anyone, so nothing is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The registry knows no such device.
    #[error("unknown device")]
    UnknownDevice,
    /// The registry knows no such journal of a village, or its person never had an office there: it looks absent to him.
    #[error("unknown journal")]
    UnknownJournal,
    /// The signature is not this device's over these bytes for this deployment.
    #[error("the signature does not verify")]
    BadSignature,
}

impl Verified {
    /// Checks who signed.
    pub fn check(registry: &Registry, parts: Parts) -> Result<Self, Unverified> {
        let device = registry
            .devices
            .get(&parts.batch.device)
            .ok_or(Unverified::UnknownDevice)?;
        Self::of(
            registry,
            Signed::check(registry.deployment, &device.key, parts)?,
        )
    }

    /// Checks that the registry knows the device that signed, and the journal. A device's id derives from its key, so the key that
    /// signed is the registry's.
    pub fn of(registry: &Registry, signed: Signed) -> Result<Self, Unverified> {
        let batch = &signed.parts.batch;
        let Some(device) = registry.devices.get(&batch.device) else {
            return Err(Unverified::UnknownDevice);
        };
        if registry
            .journals
            .get(&batch.journal)
            .is_none_or(|journal| journal.purpose != Purpose::Village)
        {
            return Err(Unverified::UnknownJournal);
        }
        // A stranger's entry would stop everybody who pulls: they have no key to verify it with.
        if !registry.has_served(device.user, batch.journal) {
            return Err(Unverified::UnknownJournal);
        }
        if signed.deployment != registry.deployment {
            return Err(Unverified::BadSignature);
        }
        Ok(Self(signed))
    }

    /// The batch.
    pub const fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// The batch's digest.
    pub const fn digest(&self) -> Digest {
        self.0.digest
    }
}

/// A batch that leaves its lane where it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unplaced {
    /// Commands are missing before it: send from this number on.
    #[error("commands are missing: the lane continues at {expected}")]
    Gap {
        /// The number that the lane continues with.
        expected: u64,
    },
    /// Its first number is used: either it was admitted before, or it is equivocation. The caller compares digests.
    #[error("command {first} is used")]
    Used {
        /// Its first number.
        first: u64,
    },
    /// It continues another batch than the lane's last: two were signed under one number.
    #[error("it continues another batch than the lane's last")]
    Equivocation,
    /// Its author verified another chain than this server's.
    #[error("the chain it vouches for is not this one")]
    Forked,
}

/// The number of a lane's command and what became of it; asked for where a command `needs` an earlier one.
pub type LaneFates = BTreeMap<u64, Fate>;

/// Everything that admission reads. Callers load what [`Wanted`] names.
#[derive(Debug, Clone)]
pub struct Circumstances<'a> {
    /// The registry, at the position that the entry will name.
    pub registry: &'a Registry,
    /// Catalogue versions.
    pub catalogues: &'a Catalogues,
    /// The end of the journal's chain.
    pub chain: Chain,
    /// The end of the lane.
    pub lane: LaneEnd,
    /// The chain's head at the position that the batch has `seen`, if it was ever there.
    pub head_at_seen: Option<Digest>,
    /// Receipt times of the entries at the commands' bases.
    pub received: BTreeMap<Seq, Timestamp>,
    /// Fates of the lane's earlier commands that this batch's commands need.
    pub lane_fates: LaneFates,
    /// Those of the wanted origins that have been accepted before, under their own number or another.
    pub taken: BTreeSet<Origin>,
    /// For each wanted origin that stands in this journal, whatever became of it: in the lanes of which devices, under its own
    /// number or as another's origin.
    pub offered: BTreeMap<Origin, BTreeSet<DeviceId>>,
    /// The wanted part of the admission index.
    pub index: Index,
    /// Now.
    pub now: Timestamp,
}

/// What must be loaded before a batch can be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Records of the index: those that the commands speak of and refer to, and their months.
    pub records: BTreeSet<crate::id::RecordId>,
    /// Those of them that the batch itself makes, and the places that name them: one is in the index only if a command counts that
    /// stands at its place or was offered as it.
    pub made: BTreeMap<crate::id::RecordId, Origin>,
    /// Origins that may be taken.
    pub origins: BTreeSet<Origin>,
    /// Bases whose receipt times are asked.
    pub bases: BTreeSet<Seq>,
    /// Earlier commands of the lane whose fates are asked.
    pub lane: BTreeSet<u64>,
}

impl Wanted {
    /// The records that those of the index refer to: relations such as "author of what this speaks of" read them too.
    pub fn linked(index: &Index) -> BTreeSet<crate::id::RecordId> {
        let targets = index
            .values()
            .flat_map(|entry| &entry.links)
            .filter(|link| link.journal.is_none())
            .map(|link| link.target);
        targets
            .filter(|target| !index.contains_key(target))
            .collect()
    }

    /// By this batch.
    pub fn by(batch: &Batch) -> Self {
        let mut wanted = Self {
            records: months_of(batch).into_values().collect(),
            made: BTreeMap::new(),
            origins: BTreeSet::new(),
            bases: BTreeSet::new(),
            lane: BTreeSet::new(),
        };
        for envelope in &batch.envelopes {
            wanted.records.insert(envelope.record);
            wanted.records.extend(
                envelope
                    .links
                    .iter()
                    .filter(|link| link.journal.is_none())
                    .map(|link| link.target),
            );
            let place = envelope.origin.unwrap_or(batch.origin(envelope.n));
            if envelope.verb == Verb::Create && envelope.record == place.record() {
                wanted.made.insert(envelope.record, place);
            }
            wanted.origins.insert(batch.origin(envelope.n));
            wanted.origins.extend(envelope.origin);
            wanted.bases.insert(envelope.base);
            wanted
                .lane
                .extend(envelope.needs.filter(|needed| *needed < batch.first()));
        }
        wanted
    }
}

/// In whose lanes the commands of these batches stand: see [`Circumstances::offered`].
pub fn offered<'a>(
    batches: impl Iterator<Item = &'a Batch>,
) -> BTreeMap<Origin, BTreeSet<DeviceId>> {
    let mut offered: BTreeMap<Origin, BTreeSet<DeviceId>> = BTreeMap::new();
    for batch in batches {
        for envelope in &batch.envelopes {
            for origin in [Some(batch.origin(envelope.n)), envelope.origin]
                .into_iter()
                .flatten()
            {
                offered.entry(origin).or_default().insert(batch.device);
            }
        }
    }
    offered
}

/// A judged batch: an entry that continues the chain, and what may have changed in the index. Only [`admit`] makes one.
#[derive(Debug, Clone)]
pub struct Decided {
    entry: EntryHead,
    chain: Chain,
    index: Index,
    taken: BTreeSet<Origin>,
}

impl Decided {
    /// The entry.
    pub const fn entry(&self) -> &EntryHead {
        &self.entry
    }

    /// The chain's new end.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The index entries of the records that its commands speak of, as they are now.
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// Origins that count as delivered from now on.
    pub const fn taken(&self) -> &BTreeSet<Origin> {
        &self.taken
    }

    /// Entry, chain and index entries, to be kept.
    pub fn into_parts(self) -> (EntryHead, Chain, Index) {
        (self.entry, self.chain, self.index)
    }
}

/// Whether the batch is the next of its lane.
pub fn place(batch: &Batch, lane: &LaneEnd, head_at_seen: Option<Digest>) -> Result<(), Unplaced> {
    let (first, expected) = (batch.first(), lane.n + 1);
    if first > expected {
        return Err(Unplaced::Gap { expected });
    }
    // First of all: what vouches for a history that was lost proves nothing against its device, which brings it anew on this one.
    if head_at_seen != Some(batch.seen.head) {
        return Err(Unplaced::Forked);
    }
    if first < expected {
        return Err(Unplaced::Used { first });
    }
    if batch.previous != lane.batch {
        return Err(Unplaced::Equivocation);
    }
    Ok(())
}

/// Gives every command its fate and makes the entry.
pub fn admit(verified: &Verified, circumstances: Circumstances<'_>) -> Result<Decided, Unplaced> {
    let parts = verified.parts();
    let batch = &parts.batch;
    place(batch, &circumstances.lane, circumstances.head_at_seen)?;
    let Circumstances {
        registry,
        chain,
        now,
        ..
    } = circumstances;
    let received_at = now.max(chain.received_at);
    let seq = chain.end.seq + 1;
    let (fates, mut index, taken) =
        judge::judge(parts, seq, received_at, judge::Whole::Yes, circumstances);
    // What was only read stays as it is where it is kept.
    let spoken_of: BTreeSet<_> = batch.envelopes.iter().flat_map(touches).collect();
    index.retain(|record, _| spoken_of.contains(record));
    let entry = EntryHead {
        journal: batch.journal,
        seq,
        received_at,
        registry: registry.position(),
        catalogue: batch.catalogue,
        fold: FOLD_VERSION,
        batch: verified.digest(),
        signature: parts.signature.clone(),
        fates,
    };
    let chain = chain
        .append(&entry)
        .expect("the entry was made as the chain's next");
    Ok(Decided {
        entry,
        chain,
        index,
        taken,
    })
}

/// The fates that these commands would get if they came next, and the index after them. Needs no signature: a phone asks this
/// before it says saved, and the auditor to decide again. What is wrong with a content that is not at hand is not seen: there what
/// was `recorded`, if anything was, stands for whatever depends on it.
pub fn judge(
    parts: &Parts,
    received_at: Timestamp,
    recorded: &[Fate],
    circumstances: Circumstances<'_>,
) -> (Vec<Fate>, Index) {
    let seq = circumstances.chain.end.seq + 1;
    let whole = judge::Whole::AtHand(recorded);
    let (fates, index, _) = judge::judge(parts, seq, received_at, whole, circumstances);
    (fates, index)
}

impl LaneEnd {
    /// A lane before its first command.
    pub fn start(device: DeviceId, journal: crate::id::JournalId) -> Self {
        Self {
            n: 0,
            batch: lane_start(device, journal),
        }
    }
}

/// An operator's entry: registry and access acts are judged by who may call for them, and signed by the operator key.
pub fn enter(
    parts: &Parts,
    chain: &Chain,
    registry: Position,
    deployment: crate::id::DeploymentId,
    now: Timestamp,
) -> (EntryHead, Chain) {
    let entry = EntryHead {
        journal: chain.journal,
        seq: chain.end.seq + 1,
        received_at: now.max(chain.received_at),
        registry,
        catalogue: parts.batch.catalogue,
        fold: FOLD_VERSION,
        batch: parts.batch.digest(deployment),
        signature: parts.signature.clone(),
        fates: vec![Fate::Accepted; parts.batch.envelopes.len()],
    };
    let chain = chain
        .append(&entry)
        .expect("the entry was made as the chain's next");
    (entry, chain)
}
