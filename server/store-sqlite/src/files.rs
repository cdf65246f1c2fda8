//! Files that an erasure takes along.

use std::collections::BTreeSet;

use async_trait::async_trait;
use store::StoreError;
use store::files::{ReadFiles, WriteFiles};
use sync_core::id::{Digest, JournalId};

use crate::SqliteUnit;
use crate::row::id;

#[async_trait]
impl ReadFiles for SqliteUnit {
    async fn erased_files(&mut self) -> Result<BTreeSet<(JournalId, Digest)>, StoreError> {
        let rows = sqlx::query!("SELECT journal_id, digest FROM erased_file")
            .fetch_all(&mut *self.transaction)
            .await
            .map_err(|error| self.course.judge(error))?;
        rows.iter()
            .map(|row| Ok((id(&row.journal_id)?, id(&row.digest)?)))
            .collect()
    }
}

#[async_trait]
impl WriteFiles for SqliteUnit {
    async fn note_erased_files(
        &mut self,
        journal: JournalId,
        files: &BTreeSet<Digest>,
    ) -> Result<(), StoreError> {
        for file in files {
            let (journal, digest) = (&journal.0[..], &file.0[..]);
            sqlx::query!(
                "INSERT INTO erased_file (journal_id, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                journal,
                digest
            )
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.course.judge(error))?;
        }
        Ok(())
    }

    async fn strike_erased_file(
        &mut self,
        journal: JournalId,
        file: Digest,
    ) -> Result<(), StoreError> {
        let (journal, digest) = (&journal.0[..], &file.0[..]);
        sqlx::query!(
            "DELETE FROM erased_file WHERE journal_id = $1 AND digest = $2",
            journal,
            digest
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.course.judge(error))
    }
}
