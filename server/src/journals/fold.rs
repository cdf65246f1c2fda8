//! The fold worker: brings the records of every journal that moved up to its end, off the path of acknowledgement.
//!
//! It reads and computes beside the writer, and takes the writer's turn only to store what it has, many journals at a time, each if
//! it still stands where the computing began. What it writes can always be thrown away and folded again. A record whose fold fails is set aside
//! alone, and the journal goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use store::journals::{Folded, Stored};
use store::{Reading, Store, StoreError};
use sync_core::admit::Catalogues;
use sync_core::id::{DeploymentId, JournalId, RecordId, Seq};
use sync_core::record::{self, Logged, Record};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::context::App;
use crate::files::erased;
use crate::journals::admission::{Admission, Moved};
use crate::journals::searchable::searchable;
use crate::journals::timeline;

/// How much of a journal is folded in one turn, so that a village with much to fold does not hold up the others.
///
/// Folded records take some fifty times what was sent: together with the next constant this bounds the worker's memory.
const CHUNK_BYTES: usize = 64 * 1024;
/// How many journals are stored in one transaction, while as many are computed.
const JOURNALS_AT_ONCE: usize = 4;
/// How many of them are computed beside each other.
const COMPUTED_AT_ONCE: usize = 2;
/// While batches are admitted, the worker lets them go first so long, and then rests so many times as long as it worked: phones wait
/// for admission, nobody for a fold.
const FIRST_REST: Duration = Duration::from_millis(500);
const REST: u32 = 49;

/// Runs until the server stops: folds what is left over, then what moves.
pub async fn run(app: App) {
    let folder = Folder {
        store: app.store(),
        catalogues: app.catalogues(),
        deployment: app.deployment(),
        gives_way_to: Some(app.admission()),
    };
    let mut moved = app.admission().subscribe();
    let mut journals = None;
    loop {
        let folded = match journals {
            None => folder.fold_all().await,
            Some(journals) => folder.fold(journals).await,
        };
        if let Err(error) = &folded {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "journals could not be folded"
            );
        }
        if folded.is_ok()
            && let Err(error) = erased::remove(&app).await
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "files that an erasure takes along could not be removed"
            );
        }
        journals = tokio::select! {
            // What could not be folded is tried again with what moves next.
            since = moved_since(&mut moved) => since.filter(|_| folded.is_ok()),
            () = app.stopped() => return,
        };
    }
}

/// The journals that moved, once one did; `None` if some were missed, so that all have to be looked at.
async fn moved_since(moved: &mut Receiver<Moved>) -> Option<BTreeSet<JournalId>> {
    let mut journals = BTreeSet::new();
    match moved.recv().await {
        Ok(moved) => journals.insert(moved.journal),
        Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
    };
    loop {
        match moved.try_recv() {
            Ok(moved) => journals.insert(moved.journal),
            Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(journals),
            Err(TryRecvError::Lagged(_)) => return None,
        };
    }
}

/// Folds every journal to its end.
pub async fn fold_all(
    store: &dyn Store,
    catalogues: &Arc<Catalogues>,
    deployment: DeploymentId,
) -> Result<(), StoreError> {
    let folder = Folder {
        store,
        catalogues,
        deployment,
        gives_way_to: None,
    };
    folder.fold_all().await
}

/// What folding needs.
struct Folder<'a> {
    store: &'a dyn Store,
    catalogues: &'a Arc<Catalogues>,
    deployment: DeploymentId,
    gives_way_to: Option<&'a Admission>,
}

impl Folder<'_> {
    async fn fold_all(&self) -> Result<(), StoreError> {
        let waiting = self.store.read().await?.unfolded().await?;
        self.fold(waiting.into_iter().collect()).await
    }

    /// Folds these journals to their ends, in turn, a chunk each.
    async fn fold(&self, mut waiting: BTreeSet<JournalId>) -> Result<(), StoreError> {
        let mut rest = FIRST_REST;
        while !waiting.is_empty() {
            let turn: Vec<JournalId> = waiting.iter().copied().collect();
            // Some are computed while those before are stored.
            let mut computed: Vec<(JournalId, Chunk)> = Vec::new();
            for journals in turn.chunks(JOURNALS_AT_ONCE) {
                if let Some(admission) = self.gives_way_to {
                    admission.rests(rest).await;
                }
                let begun = Instant::now();
                let (stored, next) =
                    tokio::join!(self.store_all(&computed), self.compute_all(journals));
                stored?;
                computed.clear();
                for (journal, chunk) in next? {
                    match chunk {
                        Some(chunk) => computed.push((journal, chunk)),
                        None => drop(waiting.remove(&journal)),
                    }
                }
                rest = begun.elapsed() * REST;
            }
            self.store_all(&computed).await?;
        }
        Ok(())
    }

    /// The next chunk of each of these journals.
    async fn compute_all(
        &self,
        journals: &[JournalId],
    ) -> Result<Vec<(JournalId, Option<Chunk>)>, StoreError> {
        let chunks: Vec<_> = (journals.iter())
            .map(|journal| self.compute(*journal).boxed())
            .collect();
        let chunks = stream::iter(chunks).buffer_unordered(COMPUTED_AT_ONCE);
        chunks.try_collect().await
    }

    async fn compute(&self, journal: JournalId) -> Result<(JournalId, Option<Chunk>), StoreError> {
        let mut reading = self.store.read().await?;
        let chunk = fold_chunk(&mut *reading, self.catalogues, journal).await?;
        Ok((journal, chunk))
    }

    async fn store_all(&self, chunks: &[(JournalId, Chunk)]) -> Result<(), StoreError> {
        if chunks.is_empty() {
            return Ok(());
        }
        let mut unit = self.store.begin().await?;
        for (journal, chunk) in chunks {
            // Somebody else folded it meanwhile: an operator at the command line, or whoever rebuilds it.
            if unit.folded_seq(*journal).await? != chunk.from {
                continue;
            }
            unit.put_folded(*journal, chunk.end, &chunk.records).await?;
            let deployment = self.deployment;
            tracing::debug!(journal.id = %journal, seq = chunk.end, deployment.id = %deployment, "folded");
        }
        unit.commit().await
    }
}

/// Part of a journal, folded.
struct Chunk {
    /// After this position.
    from: Seq,
    /// Up to this one.
    end: Seq,
    /// The records that it speaks of, as they are then.
    records: Vec<Folded>,
}

/// The next chunk of a journal; `None` at its end.
async fn fold_chunk(
    reading: &mut dyn Reading,
    catalogues: &Arc<Catalogues>,
    journal: JournalId,
) -> Result<Option<Chunk>, StoreError> {
    let from = reading.folded_seq(journal).await?;
    let stored = reading.entries(journal, from, CHUNK_BYTES).await?;
    let Some(end) = stored.last().map(|stored| stored.head.seq) else {
        return Ok(None);
    };
    let logged = Arc::new(aside(move || open_all(stored)).await??);
    let touched = logged.iter().flat_map(touches).collect();
    let known = reading.folded(journal, &touched).await?;
    let (kinds, next) = (Arc::clone(catalogues), Arc::clone(&logged));
    let (mut folded, again) = aside(move || extend(&kinds, journal, known, &next)).await?;
    for id in again {
        let Some(known) = folded.get_mut(&id) else {
            continue;
        };
        let mut log = timeline::until(reading, &known.record, from).await?;
        log.extend(
            logged
                .iter()
                .filter(|it| timeline::speaks_of(it, id))
                .cloned(),
        );
        let kinds = Arc::clone(catalogues);
        known.record = aside(move || fold_whole(&kinds, journal, id, &log)).await?;
    }
    let kinds = Arc::clone(catalogues);
    let finish = move || {
        let texts = folded.into_values().map(|folded| Folded {
            text: searchable(&kinds, &folded.record),
            ..folded
        });
        texts.collect()
    };
    let records = aside(finish).await?;
    Ok(Some(Chunk { from, end, records }))
}

/// Computes off the threads that answer requests.
async fn aside<T: Send + 'static>(
    compute: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    let computed = tokio::task::spawn_blocking(compute).await;
    computed.map_err(|_| StoreError::Impossible("a fold that neither ends nor is set aside"))
}

/// The commands of a village's entries; operators' entries speak of no record.
fn open_all(stored: Vec<Stored>) -> Result<Vec<Logged>, StoreError> {
    let mut logged = Vec::new();
    for stored in stored.into_iter().filter(|it| it.head.catalogue != 0) {
        logged.extend(record::into_logged(timeline::open(stored)?));
    }
    Ok(logged)
}

fn touches(logged: &Logged) -> impl Iterator<Item = RecordId> + '_ {
    record::touches(&logged.command.envelope)
}

/// Folds commands into the records that they speak of. Those that cannot be folded further are named: their whole log is needed.
fn extend(
    catalogues: &Catalogues,
    journal: JournalId,
    mut folded: BTreeMap<RecordId, Folded>,
    logged: &[Logged],
) -> (BTreeMap<RecordId, Folded>, BTreeSet<RecordId>) {
    let mut again = BTreeSet::new();
    for logged in logged {
        for id in touches(logged) {
            let known = folded.entry(id).or_insert_with(|| Folded {
                record: Record::empty(journal, id),
                created_at: logged.received_at,
                changed_at: logged.received_at,
                text: String::new(),
            });
            known.changed_at = logged.received_at;
            if again.contains(&id) {
                continue;
            }
            let extended =
                catch_unwind(AssertUnwindSafe(|| known.record.extend(catalogues, logged)));
            if !matches!(extended, Ok(Ok(()))) {
                again.insert(id);
            }
        }
    }
    (folded, again)
}

fn fold_whole(catalogues: &Catalogues, journal: JournalId, id: RecordId, log: &[Logged]) -> Record {
    let whole = catch_unwind(AssertUnwindSafe(|| {
        record::fold(catalogues, journal, id, log)
    }));
    whole.unwrap_or_else(|_| {
        tracing::error!(journal.id = %journal, record.id = %id, "a record's fold failed; it is set aside");
        Record::set_aside(journal, id, log)
    })
}
