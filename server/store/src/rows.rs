//! Rows as they stand in the tables, unread: for whoever holds the store against what its entries make of it.
//!
//! Not here: who may sign in (its own table), and what a device sent today (a quota). Neither follows from an entry.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::StoreError;

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainRow {
    /// The journal.
    pub journal_id: Vec<u8>,
    /// Its last position.
    pub seq: i64,
    /// The head there.
    pub head: Vec<u8>,
    /// When its last entry was received.
    pub received_at: i64,
    /// The registry position of its last entry.
    pub registry: i64,
}

/// An entry, and what is looked up in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// The journal.
    pub journal_id: Vec<u8>,
    /// The position.
    pub seq: i64,
    /// When it was received.
    pub received_at: i64,
    /// Whose lane it continues.
    pub device_id: Vec<u8>,
    /// From this number.
    pub first: i64,
    /// To this one.
    pub last: i64,
    /// The batch's digest.
    pub batch_digest: Vec<u8>,
    /// The chain's head after it.
    pub chain_head: Vec<u8>,
    /// What the chain hashes.
    pub head: Vec<u8>,
    /// The batch as it is sent.
    pub batch: Vec<u8>,
}

/// The end of a lane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneRow {
    /// The journal.
    pub journal_id: Vec<u8>,
    /// The device.
    pub device_id: Vec<u8>,
    /// Its last number.
    pub n: i64,
    /// The digest of its last batch.
    pub batch: Vec<u8>,
}

/// A command that offers another again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfferRow {
    /// The journal.
    pub journal_id: Vec<u8>,
    /// Whose command is offered again.
    pub origin_device_id: Vec<u8>,
    /// Which.
    pub origin_n: i64,
    /// In whose lane.
    pub device_id: Vec<u8>,
    /// Under which number.
    pub n: i64,
    /// Whether it counts.
    pub counts: i64,
}

/// What admission knows of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// The journal.
    pub journal_id: Vec<u8>,
    /// The record.
    pub record_id: Vec<u8>,
    /// What is known, encoded.
    pub entry: Vec<u8>,
}

/// How far a journal is folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldedRow {
    /// The journal.
    pub journal_id: Vec<u8>,
    /// Up to here.
    pub seq: i64,
}

/// A folded record, and what lists are filtered by.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// The journal.
    pub journal_id: Vec<u8>,
    /// The record.
    pub record_id: Vec<u8>,
    /// Its kind.
    pub kind: String,
    /// Its state.
    pub state: Option<String>,
    /// Its audience.
    pub audience: i64,
    /// Whether a field of it holds several values.
    pub conflicted: i64,
    /// Whether a command of it that counts is flagged.
    pub flagged: i64,
    /// Whether a command of it does not count.
    pub unanswered: i64,
    /// Whether it is void.
    pub void: i64,
    /// When its first command was received.
    pub created_at: i64,
    /// When its last command was received.
    pub changed_at: i64,
    /// What is searched in.
    pub text: String,
    /// The record, encoded.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for RecordRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordRow")
            .field("record_id", &self.record_id)
            .finish_non_exhaustive()
    }
}

/// A batch that was signed under a used number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EquivocationRow {
    /// The journal.
    pub journal_id: Vec<u8>,
    /// The device.
    pub device_id: Vec<u8>,
    /// The number with which it begins.
    pub first: i64,
    /// Its digest.
    pub digest: Vec<u8>,
    /// When it was received.
    pub received_at: i64,
    /// The batch as it was sent.
    pub batch: Vec<u8>,
}

/// A segment.
#[derive(Clone, PartialEq, Eq)]
pub struct SegmentRow {
    /// The journal.
    pub journal_id: Vec<u8>,
    /// Whose content it holds.
    pub scope: i64,
    /// The position that it continues.
    pub after: i64,
    /// Its last.
    pub seq: i64,
    /// The chain's head there.
    pub head: Vec<u8>,
    /// The devices some of whose content is not in it.
    pub lacking: Vec<u8>,
    /// As it is sent.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for SegmentRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentRow")
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

/// Everything that stands under some journals, each table in the order of its key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalRows {
    /// Ends of chains.
    pub chains: Vec<ChainRow>,
    /// Entries.
    pub entries: Vec<EntryRow>,
    /// Ends of lanes.
    pub lanes: Vec<LaneRow>,
    /// Commands that offer others again.
    pub offers: Vec<OfferRow>,
    /// The admission index.
    pub index: Vec<IndexRow>,
    /// How far they are folded.
    pub folded: Vec<FoldedRow>,
    /// Folded records.
    pub records: Vec<RecordRow>,
    /// Proofs of equivocation.
    pub equivocations: Vec<EquivocationRow>,
    /// Segments that are kept.
    pub segments: Vec<SegmentRow>,
}

/// A leaf of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafRow {
    /// Its position.
    pub position: i64,
    /// The journal.
    pub journal_id: Vec<u8>,
    /// Up to where.
    pub seq: i64,
    /// The head there.
    pub head: Vec<u8>,
}

/// A node of the log's tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeRow {
    /// The height above the leaves.
    pub level: i64,
    /// The position in that height.
    pub position: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

/// A signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// The size of the tree.
    pub size: i64,
    /// The signed note.
    pub note: String,
}

/// The log over the journals, each table in the order of its key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogRows {
    /// Leaves.
    pub leaves: Vec<LeafRow>,
    /// Nodes of the tree.
    pub nodes: Vec<NodeRow>,
    /// Checkpoints.
    pub checkpoints: Vec<CheckpointRow>,
}

/// Reads of rows as they stand.
#[async_trait]
pub trait ReadRows: Send {
    /// The ids that stand for a journal in any table, and about how many bytes stand under each.
    async fn journals_of_rows(&mut self) -> Result<BTreeMap<Vec<u8>, u64>, StoreError>;

    /// What stands under these journals.
    async fn journal_rows(&mut self, journals: &[Vec<u8>]) -> Result<JournalRows, StoreError>;

    /// What the log consists of.
    async fn log_rows(&mut self) -> Result<LogRows, StoreError>;
}
