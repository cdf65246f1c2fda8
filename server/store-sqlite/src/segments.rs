//! Segments.

use std::collections::BTreeSet;

use async_trait::async_trait;
use store::StoreError;
use store::segments::{ReadSegments, SegmentKey, StoredSegment, WriteSegments};
use sync_core::batch::Position;
use sync_core::cbor;
use sync_core::id::{DeviceId, JournalId, Seq};

use crate::SqliteUnit;
use crate::journals::{column, number, read};
use crate::row::id;

#[async_trait]
impl ReadSegments for SqliteUnit {
    async fn segment(&mut self, key: &SegmentKey) -> Result<Option<StoredSegment>, StoreError> {
        let (journal, scope, after) = (&key.journal.0[..], i64::from(key.scope), column(key.after));
        let row = sqlx::query!(
            "SELECT seq, head, lacking, body FROM segment
             WHERE journal_id = $1 AND scope = $2 AND after = $3",
            journal,
            scope,
            after
        )
        .fetch_optional(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        row.map(|row| {
            let end = Position {
                seq: number(row.seq)?,
                head: id(&row.head)?,
            };
            let lacking: Vec<DeviceId> = read(&row.lacking)?;
            Ok(StoredSegment {
                end,
                lacking: lacking.into_iter().collect::<BTreeSet<_>>(),
                body: row.body.into(),
            })
        })
        .transpose()
    }

    async fn segment_ends(
        &mut self,
        journal: JournalId,
        scope: u8,
        seq: Seq,
    ) -> Result<bool, StoreError> {
        let (journal, scope, seq) = (&journal.0[..], i64::from(scope), column(seq));
        let row = sqlx::query_scalar!(
            "SELECT after FROM segment WHERE journal_id = $1 AND scope = $2 AND seq = $3",
            journal,
            scope,
            seq
        )
        .fetch_optional(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        Ok(row.is_some())
    }

    async fn rewritings(&mut self, journal: JournalId) -> Result<u64, StoreError> {
        let journal = &journal.0[..];
        let row = sqlx::query_scalar!("SELECT times FROM rewriting WHERE journal_id = $1", journal)
            .fetch_optional(&mut *self.transaction)
            .await
            .map_err(|error| self.course.judge(error))?;
        row.map_or(Ok(0), number)
    }
}

#[async_trait]
impl WriteSegments for SqliteUnit {
    async fn keep_segment(
        &mut self,
        key: &SegmentKey,
        rewritings: u64,
        segment: &StoredSegment,
    ) -> Result<(), StoreError> {
        if self.rewritings(key.journal).await? != rewritings {
            return Ok(());
        }
        let (journal, scope, after) = (&key.journal.0[..], i64::from(key.scope), column(key.after));
        let (seq, head) = (column(segment.end.seq), &segment.end.head.0[..]);
        let lacking: Vec<DeviceId> = segment.lacking.iter().copied().collect();
        let (lacking, body) = (cbor::encode(&lacking), &segment.body.0);
        sqlx::query!(
            "INSERT INTO segment (journal_id, scope, after, seq, head, lacking, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (journal_id, scope, after) DO NOTHING",
            journal,
            scope,
            after,
            seq,
            head,
            lacking,
            body
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.course.judge(error))
    }
}

impl SqliteUnit {
    /// Forgets the segments of a journal of which an entry is rewritten, and counts the rewriting.
    pub(crate) async fn forget_segments(&mut self, journal: JournalId) -> Result<(), StoreError> {
        let journal = &journal.0[..];
        sqlx::query!("DELETE FROM segment WHERE journal_id = $1", journal)
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.course.judge(error))?;
        sqlx::query!(
            "INSERT INTO rewriting (journal_id, times) VALUES ($1, 1)
             ON CONFLICT (journal_id) DO UPDATE SET times = times + 1",
            journal
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.course.judge(error))
    }
}
