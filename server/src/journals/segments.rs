//! Segments for who begins with nothing: made when first asked for, kept, and forgotten when an erasure rewrites their journal.
//!
//! Packing one takes a good part of a second of a processor and some memory, so one is packed at a time, whoever asks. It happens
//! beside the writer: what is packed is what one reading saw, and it is kept only if nothing was rewritten meanwhile. Who cannot wait
//! gets the entries one by one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use store::journals::Stored;
use store::segments::{SegmentKey, StoredSegment};
use store::{Store, StoreError};
use sync_core::batch::{Bytes, Parts, Position};
use sync_core::id::DeviceId;
use sync_core::journal::{Entry, Fate};
use sync_core::limits;
use sync_core::pack::Room;
use sync_core::segment;
use tokio::sync::Semaphore;

use crate::journals::pull::Scope;

/// How long a request waits for another's to be packed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Packs segments, one at a time.
#[derive(Debug)]
pub struct Packer {
    store: Arc<dyn Store>,
    one: Semaphore,
}

impl Packer {
    /// A packer of this store's entries.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            one: Semaphore::new(1),
        }
    }

    /// The segment after a position: a kept one, or one that is packed now and kept; nothing if the journal does not fill it yet, or
    /// others take too long.
    pub async fn segment(
        &self,
        key: SegmentKey,
        scope: &Scope,
    ) -> Result<Option<StoredSegment>, StoreError> {
        let waiting = tokio::time::timeout(PATIENCE, self.one.acquire());
        let Ok(Ok(_one)) = waiting.await else {
            return Ok(None);
        };
        // Another request may have packed it while this one waited.
        let mut reading = self.store.read().await?;
        if let Some(kept) = reading.segment(&key).await? {
            return Ok(Some(kept));
        }
        let rewritings = reading.rewritings(key.journal).await?;
        let stored = reading
            .entries(key.journal, key.after, limits::SEGMENT_BYTES)
            .await?;
        drop(reading);
        let scope = scope.clone();
        let packing = tokio::task::spawn_blocking(move || {
            let Some((entries, end)) = closed(stored)? else {
                return Ok(None);
            };
            let (lacking, body) = pack(&scope, entries);
            Ok(Some(StoredSegment { end, lacking, body }))
        });
        let packed = packing.await.map_err(|_| DOES_NOT_OPEN)??;
        if let Some(packed) = &packed {
            let mut unit = self.store.begin().await?;
            unit.keep_segment(&key, rewritings, packed).await?;
            unit.commit().await?;
        }
        Ok(packed)
    }

    /// Packs what does not fill a segment. It is not kept: the next who asks finds more.
    pub async fn pool(&self, entries: Vec<Entry>) -> Result<Bytes, StoreError> {
        let _one = self.one.acquire().await;
        let packing = tokio::task::spawn_blocking(move || segment::pack(&entries).into());
        packing.await.map_err(|_| DOES_NOT_OPEN)
    }
}

/// The entries up to the one that closes a segment, and the chain's end there; none if they do not fill one.
fn closed(stored: Vec<Stored>) -> Result<Option<(Vec<Entry>, Position)>, StoreError> {
    let (mut entries, mut room) = (Vec::new(), Room::of_request());
    let all = room.left();
    for stored in stored {
        let end = Position {
            seq: stored.head.seq,
            head: stored.chain_head,
        };
        let parts = (stored.batch.open_within(&mut room)).map_err(|_| DOES_NOT_OPEN)?;
        let head = stored.head;
        entries.push(Entry { head, parts });
        if all - room.left() >= limits::SEGMENT_BYTES {
            return Ok(Some((entries, end)));
        }
    }
    Ok(None)
}

/// Packs entries as whoever has this scope may have them; and the devices some of whose content is withheld from him.
pub fn pack(scope: &Scope, entries: Vec<Entry>) -> (BTreeSet<DeviceId>, Bytes) {
    let mut lacking = BTreeSet::new();
    let entries = entries.into_iter().map(|Entry { head, parts }| {
        let held = |parts: &Parts| parts.contents.iter().flatten().count();
        let readable = parts.withhold(|index, envelope| {
            let refused = head.fates.get(index).is_some_and(Fate::is_refused);
            scope.reads(envelope.audience, refused)
        });
        if held(&readable) < held(&parts) {
            lacking.insert(parts.batch.device);
        }
        Entry {
            head,
            parts: readable,
        }
    });
    let entries: Vec<Entry> = entries.collect();
    (lacking, segment::pack(&entries).into())
}

const DOES_NOT_OPEN: StoreError = StoreError::Impossible("an entry that does not open");
