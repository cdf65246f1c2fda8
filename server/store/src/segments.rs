//! Segments: entries of a journal that were packed together for who begins with nothing. Packing is dear, so they are kept; they
//! can be made again from the entries at any time.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sync_core::batch::{Bytes, Position};
use sync_core::id::{DeviceId, JournalId, Seq};

use crate::StoreError;

/// Which of a journal's segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentKey {
    /// The journal.
    pub journal: JournalId,
    /// Whose content it holds: one number for one set of audiences, with or without what was refused.
    pub scope: u8,
    /// The position that it continues.
    pub after: Seq,
}

/// A segment as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSegment {
    /// The end of the chain at its last entry.
    pub end: Position,
    /// The devices some of whose content is not in it.
    pub lacking: BTreeSet<DeviceId>,
    /// As it is sent.
    pub body: Bytes,
}

/// Reads of segments.
#[async_trait]
pub trait ReadSegments: Send {
    /// A segment, if it is kept.
    async fn segment(&mut self, key: &SegmentKey) -> Result<Option<StoredSegment>, StoreError>;

    /// Whether a segment of a journal and scope that is kept ends at a position.
    async fn segment_ends(
        &mut self,
        journal: JournalId,
        scope: u8,
        seq: Seq,
    ) -> Result<bool, StoreError>;

    /// How often entries of a journal were rewritten.
    async fn rewritings(&mut self, journal: JournalId) -> Result<u64, StoreError>;
}

/// Writes of segments.
#[async_trait]
pub trait WriteSegments: Send {
    /// Keeps a segment, unless entries of its journal were rewritten since it was packed from them. One that is kept already stays.
    ///
    /// Rewriting an entry ([`crate::journals::WriteJournals::replace_batch`]) forgets all segments of its journal.
    async fn keep_segment(
        &mut self,
        key: &SegmentKey,
        rewritings: u64,
        segment: &StoredSegment,
    ) -> Result<(), StoreError>;
}
