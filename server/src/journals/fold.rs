//! The fold worker: brings the records of every journal that moved up to its end, off the path of acknowledgement.
//!
//! What it writes can always be thrown away and folded again. A record whose fold fails is set aside alone, and the journal goes on.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use store::journals::{Folded, Stored};
use store::{Store, StoreError, Unit};
use sync_core::admit::Catalogues;
use sync_core::id::{DeploymentId, JournalId, RecordId};
use sync_core::journal::Entry;
use sync_core::record::{self, Logged, Record, Slot};

use crate::context::App;

/// How much of a journal is folded in one transaction, so that admission never waits long for the writer.
const CHUNK_BYTES: usize = 128 * 1024;

/// Runs until the server stops: folds what is left over, then what moves.
pub async fn run(app: App) {
    let mut moved = app.admission().subscribe();
    loop {
        if let Err(error) = fold_all(app.store(), app.catalogues(), app.deployment()).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "journals could not be folded"
            );
        }
        tokio::select! {
            // Missed pokes do not matter: all that moved is folded.
            _ = moved.recv() => {}
            () = app.stopped() => return,
        }
    }
}

/// Folds every journal to its end.
pub async fn fold_all(
    store: &dyn Store,
    catalogues: &Arc<Catalogues>,
    deployment: DeploymentId,
) -> Result<(), StoreError> {
    loop {
        let waiting = store.read().await?.unfolded().await?;
        if waiting.is_empty() {
            return Ok(());
        }
        // In turn, a chunk each: a village with much to fold does not hold up the others.
        for journal in waiting {
            let mut unit = store.begin().await?;
            fold_chunk(&mut *unit, catalogues, deployment, journal).await?;
            unit.commit().await?;
        }
    }
}

async fn fold_chunk(
    unit: &mut dyn Unit,
    catalogues: &Arc<Catalogues>,
    deployment: DeploymentId,
    journal: JournalId,
) -> Result<(), StoreError> {
    let from = unit.folded_seq(journal).await?;
    let stored = unit.entries(journal, from, CHUNK_BYTES).await?;
    let Some(end) = stored.last().map(|stored| stored.head.seq) else {
        return Ok(());
    };
    let mut folded: BTreeMap<RecordId, Folded> = BTreeMap::new();
    for stored in stored {
        let received_at = stored.head.received_at;
        let Some(entry) = open(stored)? else { continue };
        for logged in record::logged(&entry) {
            for id in record::touches(&logged.command.envelope) {
                let mut known = match folded.remove(&id) {
                    Some(known) => known,
                    None => unit.record(journal, id).await?.unwrap_or_else(|| Folded {
                        record: Record::empty(journal, id),
                        created_at: received_at,
                        changed_at: received_at,
                        text: String::new(),
                    }),
                };
                let extended = catch_unwind(AssertUnwindSafe(|| {
                    known.record.extend(&**catalogues, &logged)
                }));
                if !matches!(extended, Ok(Ok(()))) {
                    let log = log_until(unit, journal, id, &logged).await?;
                    let whole = catch_unwind(AssertUnwindSafe(|| {
                        record::fold(&**catalogues, journal, id, &log)
                    }));
                    known.record = whole.unwrap_or_else(|_| {
                        tracing::error!(journal.id = %journal, record.id = %id, "a record's fold failed; it is set aside");
                        Record::set_aside(journal, id, &log)
                    });
                }
                known.changed_at = received_at;
                folded.insert(id, known);
            }
        }
    }
    let kinds = Arc::clone(catalogues);
    let records: Vec<Folded> = folded
        .into_values()
        .map(|folded| Folded {
            text: searchable(&kinds, &folded.record),
            ..folded
        })
        .collect();
    tracing::debug!(journal.id = %journal, seq = end, deployment.id = %deployment, "folded");
    unit.put_folded(journal, end, &records).await
}

/// An entry of a village with its batch opened; operators' entries speak of no record.
fn open(stored: Stored) -> Result<Option<Entry>, StoreError> {
    if stored.head.catalogue == 0 {
        return Ok(None);
    }
    let parts = stored
        .batch
        .open()
        .map_err(|_| StoreError::Impossible("an entry that does not open"))?;
    Ok(Some(Entry {
        head: stored.head,
        parts,
    }))
}

/// All commands of a record, from the first to this one.
async fn log_until(
    unit: &mut dyn Unit,
    journal: JournalId,
    id: RecordId,
    last: &Logged,
) -> Result<Vec<Logged>, StoreError> {
    let mut log = Vec::new();
    for (stored, places) in unit.mentions(journal, id).await? {
        let Some(entry) = open(stored)? else { continue };
        let commands: Vec<Logged> = record::logged(&entry).collect();
        log.extend(
            places
                .iter()
                .filter_map(|place| commands.get(*place as usize).cloned()),
        );
    }
    log.retain(|logged| logged.place <= last.place);
    Ok(log)
}

/// What of a record may be searched in, in lower case: its texts that everyone who may read the record reads, and whole.
fn searchable(catalogues: &Catalogues, record: &Record) -> String {
    let kind = catalogues
        .values()
        .next_back()
        .and_then(|catalogue| catalogue.kind(&record.kind));
    let open = |name: &str| {
        kind.and_then(|kind| kind.field(name))
            .is_some_and(|field| field.audience.is_none() && field.mask.is_none())
    };
    let texts = record
        .fields
        .iter()
        .filter(|(name, _)| open(name))
        .flat_map(|(_, slot)| match slot {
            Slot::Register(held) => held
                .iter()
                .filter_map(|held| held.value.as_text())
                .map(str::to_lowercase)
                .collect(),
            Slot::Text(text) => vec![text.to_lowercase()],
            Slot::List(items) => items
                .iter()
                .filter_map(|item| item.value.as_text())
                .map(str::to_lowercase)
                .collect(),
            Slot::Withheld => Vec::<String>::new(),
        });
    texts
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}
