//! Segments for who begins with nothing: made when first asked for, kept, and forgotten when an erasure rewrites their journal.
//!
//! Packing one takes a good part of a second of a processor and some memory, so one is packed at a time, whoever asks. It happens
//! beside the writer: what is packed is what one reading saw, and it is kept only if nothing was rewritten meanwhile. The journal's
//! end, which fills no segment yet, is packed as it is and remembered until the next is. Who cannot wait gets the entries one by one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use store::journals::Stored;
use store::segments::{SegmentKey, StoredSegment};
use store::{Store, StoreError};
use sync_core::batch::{Bytes, Parts, Position};
use sync_core::id::{DeviceId, Seq};
use sync_core::journal::{Entry, Fate};
use sync_core::limits;
use sync_core::pack::Room;
use sync_core::segment;
use tokio::sync::Mutex;

use crate::journals::pull::Scope;

/// How long a request waits for another's to be packed.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many segments are made ready for who will ask for them next: as many as the largest page brings.
const AHEAD: usize = limits::PAGE_INFLATED_BYTES_MAX / limits::SEGMENT_BYTES;

/// Packs segments, one at a time.
#[derive(Debug, Clone)]
pub struct Packer {
    store: Arc<dyn Store>,
    /// Held while one is packed.
    last_end: Arc<Mutex<Option<JournalEnd>>>,
}

/// What was packed of a journal's end, after so many rewritings of its entries.
#[derive(Debug)]
struct JournalEnd {
    key: SegmentKey,
    rewritings: u64,
    segment: StoredSegment,
}

impl Packer {
    /// A packer of this store's entries.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            last_end: Arc::default(),
        }
    }

    /// The segment after a position, or what there is up to the journal's `newest` entry; packed now if it is not kept. Nothing if
    /// others take too long.
    pub async fn segment(
        &self,
        key: SegmentKey,
        scope: &Scope,
        newest: Seq,
    ) -> Result<Option<StoredSegment>, StoreError> {
        let Ok(mut last_end) = tokio::time::timeout(PATIENCE, self.last_end.lock()).await else {
            return Ok(None);
        };
        // Another request may have packed it while this one waited.
        let mut reading = self.store.read().await?;
        if let Some(kept) = reading.segment(&key).await? {
            return Ok(Some(kept));
        }
        let rewritings = reading.rewritings(key.journal).await?;
        if let Some(JournalEnd { segment, .. }) = last_end
            .as_ref()
            .filter(|end| end.key == key && end.rewritings == rewritings)
            .filter(|end| end.segment.end.seq >= newest)
        {
            return Ok(Some(segment.clone()));
        }
        let stored = reading
            .entries(key.journal, key.after, limits::SEGMENT_BYTES)
            .await?;
        drop(reading);
        let scope = scope.clone();
        let packing = tokio::task::spawn_blocking(move || {
            let Some(taken) = taken(stored)? else {
                return Ok(None);
            };
            let (lacking, body) = pack(&scope, taken.entries);
            let end = taken.end;
            Ok(Some((StoredSegment { end, lacking, body }, taken.is_full)))
        });
        let packed = packing.await.map_err(|_| DOES_NOT_OPEN)??;
        let Some((segment, is_full)) = packed else {
            return Ok(None);
        };
        if is_full {
            let mut unit = self.store.begin().await?;
            unit.keep_segment(&key, rewritings, &segment).await?;
            unit.commit().await?;
        } else {
            let segment = segment.clone();
            *last_end = Some(JournalEnd {
                key,
                rewritings,
                segment,
            });
        }
        Ok(Some(segment))
    }

    /// Makes ready what will be asked for next, while who asks reads what he got; not if it would make others wait.
    pub fn prepare(&self, mut key: SegmentKey, scope: &Scope, newest: Seq) {
        if self.last_end.try_lock().is_err() {
            return;
        }
        let (packer, scope) = (self.clone(), scope.clone());
        tokio::spawn(async move {
            for _ in 0..AHEAD {
                match packer.segment(key, &scope, newest).await {
                    Ok(Some(segment)) if segment.end.seq < newest => key.after = segment.end.seq,
                    // Whoever asks for it is told.
                    Ok(_) | Err(_) => break,
                }
            }
        });
    }
}

/// Entries that become one segment.
struct Taken {
    entries: Vec<Entry>,
    /// The chain's end at the last.
    end: Position,
    /// Whether it takes no more.
    is_full: bool,
}

/// The entries up to the one that fills a segment, or all; nothing if there are none.
fn taken(stored: Vec<Stored>) -> Result<Option<Taken>, StoreError> {
    let mut taken: Option<Taken> = None;
    let mut room = Room::of_request();
    let all = room.left();
    for stored in stored {
        let end = Position {
            seq: stored.head.seq,
            head: stored.chain_head,
        };
        let parts = (stored.batch.open_within(&mut room)).map_err(|_| DOES_NOT_OPEN)?;
        let entry = Entry {
            head: stored.head,
            parts,
        };
        let so_far = taken.get_or_insert_with(|| Taken {
            entries: Vec::new(),
            end,
            is_full: false,
        });
        so_far.entries.push(entry);
        so_far.end = end;
        so_far.is_full = all - room.left() >= limits::SEGMENT_BYTES;
        if so_far.is_full {
            break;
        }
    }
    Ok(taken)
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
