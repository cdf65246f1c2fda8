//! Journals, what is derived from them, and the log of their heads.
//!
//! Only what admission decided is appended ([`Appended::judged`] takes a [`Decided`]), an operator's entry, or one that was given back
//! and proved to be the one that stood there ([`GivenBack`]), so that an entry that nobody judged cannot be written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use sync_core::admit::{Decided, Index, IndexEntry, LaneEnd};
use sync_core::batch::{Batch, Position, WireBatch};
use sync_core::checkpoint::merkle::Node;
use sync_core::command::{Audience, Origin};
use sync_core::id::{DeviceId, Digest, JournalId, RecordId, Seq, Timestamp};
use sync_core::journal::{Chain, EntryHead, Fate};
use sync_core::record::Record;
use sync_core::sync::refill::GivenBack;

use crate::StoreError;

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What the chain hashes.
    pub head: EntryHead,
    /// The chain's head after it.
    pub chain_head: Digest,
    /// The batch as it is sent.
    pub batch: WireBatch,
}

/// An entry to append, and what it changes.
#[derive(Debug)]
pub struct Appended {
    entry: EntryHead,
    chain: Chain,
    index: Index,
    batch: WireBatch,
    offers: Vec<(Origin, u64, bool)>,
    last: u64,
}

impl Appended {
    /// A judged batch, and how it is kept.
    pub fn judged(decided: Decided, batch: &Batch, wire: WireBatch) -> Self {
        let (entry, chain, index) = decided.into_parts();
        Self::of_village(entry, chain, index, batch, wire)
    }

    /// An entry that was given back at its old position, and the index after it. It was judged when it was first received.
    pub fn given_back(given: &GivenBack, index: Index, wire: WireBatch) -> Self {
        let (entry, batch) = (given.entry(), &given.entry().parts.batch);
        if entry.head.catalogue == 0 {
            return Self::operators((entry.head.clone(), *given.chain()), batch, wire);
        }
        Self::of_village(entry.head.clone(), *given.chain(), index, batch, wire)
    }

    fn of_village(
        entry: EntryHead,
        chain: Chain,
        index: Index,
        batch: &Batch,
        wire: WireBatch,
    ) -> Self {
        let fated = batch.envelopes.iter().zip(&entry.fates);
        // An origin in another journal is refused, and stands nowhere here.
        let here = |origin: &Origin| origin.journal == entry.journal;
        let offers = fated.filter_map(|(envelope, fate)| {
            let origin = envelope.origin.filter(here)?;
            Some((origin, envelope.n, fate.counts()))
        });
        Self {
            offers: offers.collect(),
            entry,
            chain,
            index,
            last: batch.last(),
            batch: wire,
        }
    }

    /// An operator's entry, as [`sync_core::admit::enter`] made it. It speaks of no record of a village.
    pub fn operators((entry, chain): (EntryHead, Chain), batch: &Batch, wire: WireBatch) -> Self {
        Self {
            entry,
            chain,
            index: Index::new(),
            offers: Vec::new(),
            last: batch.last(),
            batch: wire,
        }
    }

    /// What the chain hashes.
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

    /// The origins that its commands offer again: each with the command's number and whether it counts.
    pub fn offers(&self) -> &[(Origin, u64, bool)] {
        &self.offers
    }

    /// The batch as it is sent.
    pub const fn batch(&self) -> &WireBatch {
        &self.batch
    }

    /// The lane's new end.
    pub const fn lane(&self) -> LaneEnd {
        LaneEnd {
            n: self.last,
            batch: self.entry.batch,
        }
    }
}

/// What a device sent on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Commands.
    pub commands: u32,
    /// Bytes as they were sent.
    pub bytes: u64,
    /// Of them those of batches with refused commands.
    pub refused_bytes: u64,
}

/// What admission asks for a group of batches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Journals whose ends are asked.
    pub journals: BTreeSet<JournalId>,
    /// Lanes whose ends are asked, and what their devices sent on the last day.
    pub lanes: BTreeSet<(JournalId, DeviceId)>,
    /// Positions whose heads and receipt times are asked.
    pub heads: BTreeSet<(JournalId, Seq)>,
    /// Records whose index entries are asked.
    pub records: BTreeSet<(JournalId, RecordId)>,
    /// Commands whose fates are asked, by their places.
    pub fates: BTreeSet<Origin>,
    /// Origins that may stand somewhere in the journal that they were meant for.
    pub origins: BTreeSet<Origin>,
}

/// What of it there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// The ends of journals that have an entry.
    pub chains: BTreeMap<JournalId, Chain>,
    /// The ends of lanes that have a batch.
    pub lanes: BTreeMap<(JournalId, DeviceId), LaneEnd>,
    /// What lanes' devices sent on the last day on which they sent anything (days since 1970-01-01).
    pub used: BTreeMap<(JournalId, DeviceId), (i32, Used)>,
    /// Heads and receipt times.
    pub heads: BTreeMap<(JournalId, Seq), (Digest, Timestamp)>,
    /// Index entries.
    pub index: BTreeMap<(JournalId, RecordId), IndexEntry>,
    /// Fates.
    pub fates: BTreeMap<Origin, Fate>,
    /// In whose lanes origins stand, under their own number or offered again, and whether that counts.
    pub offers: Vec<(Origin, DeviceId, bool)>,
}

/// A folded record and what lists are filtered by.
#[derive(Clone, PartialEq, Eq)]
pub struct Folded {
    /// The record.
    pub record: Record,
    /// When it was first received.
    pub created_at: Timestamp,
    /// When something about it was last received.
    pub changed_at: Timestamp,
    /// What is not sensitive of it, in lower case. Never printed.
    pub text: String,
}

impl fmt::Debug for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folded")
            .field("record", &self.record.id)
            .finish_non_exhaustive()
    }
}

/// Which records a list shows. Journals and audiences are the caller's scope; whoever makes a filter has asked what that is.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of these journals.
    pub journals: BTreeSet<JournalId>,
    /// For these audiences.
    pub audiences: Vec<Audience>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// With all of these words, in lower case.
    pub words: Vec<String>,
    /// With two values for one field.
    pub conflicted: bool,
    /// With a marked command whose mark nobody cleared; or, if `false`, without one.
    pub flagged: Option<bool>,
    /// With a command that is refused or without effect.
    pub unanswered: bool,
    /// Changed at or after this instant.
    pub since: Option<Timestamp>,
    /// Changed before this instant.
    pub until: Option<Timestamp>,
    /// After this record, in the order of journal and record.
    pub after: Option<(JournalId, RecordId)>,
    /// At most this many.
    pub limit: u32,
}

/// One leaf of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLeaf {
    /// Its position, from 0.
    pub position: u64,
    /// The journal.
    pub journal: JournalId,
    /// The head it publishes.
    pub end: Position,
}

/// A signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The tree's size.
    pub size: u64,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// The signed note.
    pub note: String,
}

/// Reads of journals.
#[async_trait]
pub trait ReadJournals: Send {
    /// What admission asks for a group of batches, in as many queries for one as for all. What does not exist is left out.
    async fn known(&mut self, asked: &Asked) -> Result<Known, StoreError>;

    /// The end of a journal's chain; `None` if it has no entry.
    async fn chain(&mut self, journal: JournalId) -> Result<Option<Chain>, StoreError> {
        let asked = Asked {
            journals: BTreeSet::from([journal]),
            ..Asked::default()
        };
        Ok(self.known(&asked).await?.chains.remove(&journal))
    }

    /// The end of a lane; `None` before its first batch.
    async fn lane(
        &mut self,
        journal: JournalId,
        device: DeviceId,
    ) -> Result<Option<LaneEnd>, StoreError> {
        let asked = Asked {
            lanes: BTreeSet::from([(journal, device)]),
            ..Asked::default()
        };
        Ok(self.known(&asked).await?.lanes.remove(&(journal, device)))
    }

    /// Heads and receipt times at positions; those that do not exist are left out.
    async fn heads(
        &mut self,
        journal: JournalId,
        at: &BTreeSet<Seq>,
    ) -> Result<BTreeMap<Seq, (Digest, Timestamp)>, StoreError> {
        let asked = Asked {
            heads: at.iter().map(|seq| (journal, *seq)).collect(),
            ..Asked::default()
        };
        let heads = self.known(&asked).await?.heads.into_iter();
        Ok(heads.map(|((_, seq), head)| (seq, head)).collect())
    }

    /// The entry that holds a lane's batch with this first number.
    async fn entry_of_lane(
        &mut self,
        journal: JournalId,
        device: DeviceId,
        first: u64,
    ) -> Result<Option<EntryHead>, StoreError>;

    /// The fates of a lane's commands; those that do not exist are left out.
    async fn fates(
        &mut self,
        journal: JournalId,
        device: DeviceId,
        numbers: &BTreeSet<u64>,
    ) -> Result<BTreeMap<u64, Fate>, StoreError> {
        let place = |n: &u64| Origin {
            device,
            journal,
            n: *n,
        };
        let asked = Asked {
            fates: numbers.iter().map(place).collect(),
            ..Asked::default()
        };
        let fates = self.known(&asked).await?.fates.into_iter();
        Ok(fates.map(|(place, fate)| (place.n, fate)).collect())
    }

    /// The admission index of these records; those that do not exist are left out.
    async fn index(
        &mut self,
        journal: JournalId,
        records: &BTreeSet<RecordId>,
    ) -> Result<Index, StoreError> {
        let asked = Asked {
            records: records.iter().map(|record| (journal, *record)).collect(),
            ..Asked::default()
        };
        let index = self.known(&asked).await?.index.into_iter();
        Ok(index.map(|((_, record), entry)| (record, entry)).collect())
    }

    /// Entries after a position, in order, until they take this many bytes (at least one, if there is one).
    async fn entries(
        &mut self,
        journal: JournalId,
        after: Seq,
        bytes: usize,
    ) -> Result<Vec<Stored>, StoreError>;

    /// The entries at these positions, in order; those that do not exist are left out.
    async fn entries_at(
        &mut self,
        journal: JournalId,
        at: &BTreeSet<Seq>,
    ) -> Result<Vec<Stored>, StoreError>;

    /// How far a journal is folded.
    async fn folded_seq(&mut self, journal: JournalId) -> Result<Seq, StoreError>;

    /// Journals that have entries after what is folded.
    async fn unfolded(&mut self) -> Result<Vec<JournalId>, StoreError>;

    /// A folded record.
    async fn record(
        &mut self,
        journal: JournalId,
        record: RecordId,
    ) -> Result<Option<Folded>, StoreError>;

    /// Those of these records that are folded.
    async fn folded(
        &mut self,
        journal: JournalId,
        records: &BTreeSet<RecordId>,
    ) -> Result<BTreeMap<RecordId, Folded>, StoreError>;

    /// The records that a filter lets through, in the order of journal and record.
    async fn records(&mut self, filter: &Filter) -> Result<Vec<Folded>, StoreError>;

    /// What a device sent to a journal on a day (days since 1970-01-01), if that is the last on which it sent anything.
    async fn used(
        &mut self,
        journal: JournalId,
        device: DeviceId,
        day: i32,
    ) -> Result<Used, StoreError> {
        let asked = Asked {
            lanes: BTreeSet::from([(journal, device)]),
            ..Asked::default()
        };
        let used = self.known(&asked).await?.used.remove(&(journal, device));
        let used = used.filter(|(last, _)| *last == day);
        Ok(used.map_or(Used::default(), |(_, used)| used))
    }

    /// All leaves of the log from a position on.
    async fn leaves(&mut self, from: u64) -> Result<Vec<LogLeaf>, StoreError>;

    /// Those of these nodes of the log's tree that are complete.
    async fn tree_nodes(
        &mut self,
        nodes: &BTreeSet<Node>,
    ) -> Result<BTreeMap<Node, Digest>, StoreError>;

    /// The newest leaf of a journal that covers a head of its chain: after a loss it may have others.
    async fn newest_leaf(&mut self, journal: JournalId) -> Result<Option<LogLeaf>, StoreError>;

    /// Journals whose end is not yet a leaf.
    async fn unpublished(&mut self) -> Result<Vec<(JournalId, Position)>, StoreError>;

    /// The newest checkpoint.
    async fn newest_checkpoint(&mut self) -> Result<Option<SignedCheckpoint>, StoreError>;
}

/// Writes of journals.
#[async_trait]
pub trait WriteJournals: Send {
    /// Appends entries in this order, moves their lanes, and writes what they change in the index, in as many statements for one as
    /// for all. Refused if a chain does not stand where an entry continues it.
    async fn append(&mut self, appended: &[Appended]) -> Result<(), StoreError>;

    /// Adds to what devices sent on a day.
    async fn add_used(
        &mut self,
        day: i32,
        used: &BTreeMap<(JournalId, DeviceId), Used>,
    ) -> Result<(), StoreError>;

    /// Replaces the batch of an entry by one whose contents were erased, and forgets the segments of its journal.
    async fn replace_batch(
        &mut self,
        journal: JournalId,
        seq: Seq,
        batch: &WireBatch,
    ) -> Result<(), StoreError>;

    /// Keeps a batch that was signed under a used number. Keeping it twice is keeping it once.
    async fn keep_equivocation(
        &mut self,
        batch: &WireBatch,
        digest: Digest,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Writes folded records, and how far their journal is folded.
    async fn put_folded(
        &mut self,
        journal: JournalId,
        seq: Seq,
        records: &[Folded],
    ) -> Result<(), StoreError>;

    /// Forgets everything derived of a journal's records, to fold it again from its first entry.
    async fn forget_folded(&mut self, journal: JournalId) -> Result<(), StoreError>;

    /// Appends leaves, the nodes of the tree that they complete, and the checkpoint that covers them.
    async fn publish(
        &mut self,
        leaves: &[LogLeaf],
        nodes: &[(Node, Digest)],
        checkpoint: &SignedCheckpoint,
    ) -> Result<(), StoreError>;
}
