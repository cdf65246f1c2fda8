//! Which files an erasure takes along. The files themselves lie elsewhere: what is to be done there is noted here in the erasure's own
//! unit, and struck out once it is done, so that no crash between leaves one lying.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sync_core::id::{Digest, JournalId};

use crate::StoreError;

/// Reads of what is noted.
#[async_trait]
pub trait ReadFiles: Send {
    /// The files, each of a journal, that erased contents named and that were not looked after yet.
    async fn erased_files(&mut self) -> Result<BTreeSet<(JournalId, Digest)>, StoreError>;
}

/// Writes of what is noted.
#[async_trait]
pub trait WriteFiles: Send {
    /// Notes files that erased contents of a journal named. Noting one twice is noting it once.
    async fn note_erased_files(
        &mut self,
        journal: JournalId,
        files: &BTreeSet<Digest>,
    ) -> Result<(), StoreError>;

    /// Strikes out a file that was looked after.
    async fn strike_erased_file(
        &mut self,
        journal: JournalId,
        file: Digest,
    ) -> Result<(), StoreError>;
}
