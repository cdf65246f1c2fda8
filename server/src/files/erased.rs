//! What an erasure takes along: the files that erased contents named, and no other record of their journal names.
//!
//! Which those are is noted with the erasure itself ([`store::files`]). They go once the fold has come to where it stands: whoever is
//! about to hand one over sees that first, or has written what is removed here. Doing it twice is doing it once, so whatever a crash
//! left over is done after the next start.

use std::collections::BTreeSet;

use store::StoreError;
use store::journals::{Filter, ReadJournals};
use sync_core::catalog::{Catalogue, FieldType, Kind};
use sync_core::command::Audience;
use sync_core::id::{Digest, JournalId};

use crate::context::App;
use crate::files::FileId;
use crate::files::reach::names;

/// Records that are looked through at once.
const PAGE_RECORDS: u32 = 200;

/// Why files were not removed. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum RemoveFailure {
    /// The files cannot be reached.
    #[error("the files cannot be removed")]
    Files(#[from] object_store::Error),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Removes the files of erased contents whose journals are folded to their ends.
pub async fn remove(app: &App) -> Result<(), RemoveFailure> {
    let noted = app.store().read().await?.erased_files().await?;
    for (journal, digest) in noted {
        let mut unit = app.store().read().await?;
        let end = unit.chain(journal).await?.map_or(0, |chain| chain.end.seq);
        if unit.folded_seq(journal).await? < end {
            continue;
        }
        let is_named = is_named(&mut *unit, app.catalogue(), journal, digest).await?;
        drop(unit);
        if !is_named {
            app.files().remove(&FileId { journal, digest }).await?;
        }
        let mut unit = app.store().begin().await?;
        unit.strike_erased_file(journal, digest).await?;
        unit.commit().await?;
    }
    Ok(())
}

/// Whether any record of a journal names a file.
async fn is_named<R: ReadJournals + ?Sized>(
    unit: &mut R,
    catalogue: &Catalogue,
    journal: JournalId,
    digest: Digest,
) -> Result<bool, StoreError> {
    for kind in catalogue.kinds().filter(|kind| has_files(kind)) {
        let mut filter = Filter {
            journals: BTreeSet::from([journal]),
            audiences: Audience::ALL.to_vec(),
            kind: Some(kind.name.clone()),
            limit: PAGE_RECORDS,
            ..Filter::default()
        };
        loop {
            let page = unit.records(&filter).await?;
            if (page.iter()).any(|folded| names(kind, &folded.record, digest, |_| true)) {
                return Ok(true);
            }
            let Some(last) = page.last() else { break };
            filter.after = Some((last.record.journal, last.record.id));
        }
    }
    Ok(false)
}

fn has_files(kind: &Kind) -> bool {
    let mut fields = kind.fields.iter();
    fields.any(|field| matches!(field.ty, FieldType::Blob | FieldType::Blobs { .. }))
}
