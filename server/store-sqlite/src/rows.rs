//! Rows as they stand.

use std::collections::BTreeMap;

use async_trait::async_trait;
use store::StoreError;
use store::rows::{
    ChainRow, CheckpointRow, EntryRow, EquivocationRow, FoldedRow, IndexRow, JournalRows, LaneRow,
    LeafRow, LogRows, NodeRow, OfferRow, ReadRows, RecordRow, SegmentRow,
};

use crate::SqliteUnit;

/// The ids as a JSON array in hexadecimal digits, for `json_each`.
fn listed(journals: &[Vec<u8>]) -> String {
    let hex = |journal: &Vec<u8>| -> String {
        let digits = journal.iter().map(|byte| format!("{byte:02x}"));
        digits.collect()
    };
    let all: Vec<String> = journals.iter().map(hex).collect();
    serde_json::to_string(&all).expect("texts are JSON")
}

/// All rows of a query over the journals that are asked for.
macro_rules! rows {
    ($unit:ident, $row:ident, $sql:literal $(, $asked:ident)?) => {
        sqlx::query_as!($row, $sql $(, $asked)?)
            .fetch_all(&mut *$unit.transaction)
            .await
            .map_err(|error| $unit.course.judge(error))?
    };
}

#[async_trait]
impl ReadRows for SqliteUnit {
    async fn journals_of_rows(&mut self) -> Result<BTreeMap<Vec<u8>, u64>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT journal_id AS "journal_id!: Vec<u8>", SUM(bytes) AS "bytes!: i64" FROM (
                   SELECT journal_id, LENGTH(head) + LENGTH(batch) AS bytes FROM entry
                   UNION ALL SELECT COALESCE(journal_id, x''), LENGTH(body) FROM record LEFT JOIN record_index USING (number)
                   UNION ALL SELECT journal_id, COALESCE(LENGTH(entry), 0) FROM record_index
                   UNION ALL SELECT journal_id, LENGTH(batch) FROM equivocation
                   UNION ALL SELECT journal_id, LENGTH(body) FROM segment
                   UNION ALL SELECT journal_id, 0 FROM journal
                   UNION ALL SELECT journal_id, 0 FROM lane
                   UNION ALL SELECT journal_id, 0 FROM offer
                   UNION ALL SELECT journal_id, 0 FROM folded
               ) GROUP BY journal_id"#
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        let sized = rows.into_iter().map(|row| {
            let bytes = u64::try_from(row.bytes).unwrap_or(0);
            (row.journal_id, bytes)
        });
        Ok(sized.collect())
    }

    async fn journal_rows(&mut self, journals: &[Vec<u8>]) -> Result<JournalRows, StoreError> {
        let asked = &*listed(journals);
        Ok(JournalRows {
            chains: rows!(
                self,
                ChainRow,
                "SELECT journal_id, seq, head, received_at, registry FROM journal
                 WHERE journal_id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY journal_id",
                asked
            ),
            entries: rows!(
                self,
                EntryRow,
                "SELECT journal_id, seq, received_at, device_id, first, last, batch_digest, chain_head, head, batch FROM entry
                 WHERE journal_id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY journal_id, seq",
                asked
            ),
            lanes: rows!(
                self,
                LaneRow,
                "SELECT journal_id, device_id, n, batch FROM lane
                 WHERE journal_id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY journal_id, device_id",
                asked
            ),
            offers: rows!(
                self,
                OfferRow,
                "SELECT journal_id, origin_device_id, origin_n, device_id, n, counts FROM offer
                 WHERE journal_id IN (SELECT unhex(value) FROM json_each($1))
                 ORDER BY journal_id, origin_device_id, origin_n, device_id, n",
                asked
            ),
            index: rows!(
                self,
                IndexRow,
                r#"SELECT journal_id, record_id, entry AS "entry!" FROM record_index
                   WHERE journal_id IN (SELECT unhex(value) FROM json_each($1)) AND entry IS NOT NULL
                   ORDER BY journal_id, record_id"#,
                asked
            ),
            folded: rows!(
                self,
                FoldedRow,
                "SELECT journal_id, seq FROM folded
                 WHERE journal_id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY journal_id",
                asked
            ),
            records: rows!(
                self,
                RecordRow,
                "SELECT journal_id, record_id, kind, state, audience, conflicted, flagged, unanswered, void, created_at, changed_at,
                        text, body FROM record_index CROSS JOIN record USING (number)
                 WHERE journal_id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY journal_id, record_id",
                asked
            ),
            equivocations: rows!(
                self,
                EquivocationRow,
                "SELECT journal_id, device_id, first, digest, received_at, batch FROM equivocation
                 WHERE journal_id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY journal_id, device_id, first, digest",
                asked
            ),
            segments: rows!(
                self,
                SegmentRow,
                "SELECT journal_id, scope, after, seq, head, lacking, body FROM segment
                 WHERE journal_id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY journal_id, scope, after",
                asked
            ),
        })
    }

    async fn log_rows(&mut self) -> Result<LogRows, StoreError> {
        Ok(LogRows {
            leaves: rows!(
                self,
                LeafRow,
                "SELECT position, journal_id, seq, head FROM leaf ORDER BY position"
            ),
            nodes: rows!(
                self,
                NodeRow,
                "SELECT level, position, hash FROM tree_node ORDER BY level, position"
            ),
            checkpoints: rows!(
                self,
                CheckpointRow,
                "SELECT size, note FROM checkpoint ORDER BY size"
            ),
        })
    }
}
