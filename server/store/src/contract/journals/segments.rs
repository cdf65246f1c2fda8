//! Segments that are kept.

use std::collections::BTreeSet;

use sync_core::batch::Position;
use sync_core::id::{Digest, JournalId};

use super::super::{begin, commit, read};
use super::village::{HERE, Phone, THERE, Village, household};
use crate::Store;
use crate::segments::{SegmentKey, StoredSegment};

const WHOLE: SegmentKey = SegmentKey {
    journal: HERE,
    scope: 0x8f,
    after: 0,
};

fn segment(bytes: &[u8]) -> StoredSegment {
    StoredSegment {
        end: Position {
            seq: 1,
            head: Digest([7; 32]),
        },
        lacking: BTreeSet::from([Phone(1).device(), Phone(2).device()]),
        body: bytes.to_vec().into(),
    }
}

async fn keep(store: &dyn Store, key: &SegmentKey, rewritings: u64, segment: &StoredSegment) {
    let mut unit = begin(store).await;
    let kept = unit.keep_segment(key, rewritings, segment).await;
    kept.expect("kept or not");
    commit(unit).await;
}

async fn kept(store: &dyn Store, key: &SegmentKey) -> Option<StoredSegment> {
    let mut reading = read(store).await;
    reading.segment(key).await.expect("a reading")
}

async fn rewrite(store: &dyn Store, journal: JournalId) {
    let mut unit = begin(store).await;
    let entries = unit.entries(journal, 0, 1).await.expect("an entry");
    let batch = &entries.first().expect("an entry").batch;
    let rewritten = unit.replace_batch(journal, 1, batch).await;
    rewritten.expect("rewritten");
    commit(unit).await;
}

/// A segment is found by journal, scope and place, the first that was kept stays, and none outlives a rewriting: not one that was
/// kept before it, nor one that was packed before it and kept after.
pub async fn a_segment_is_kept_until_an_entry_of_its_journal_is_rewritten(store: &dyn Store) {
    let village = Village::new();
    for journal in [HERE, THERE] {
        let mut unit = begin(store).await;
        let commands = vec![household("张三")];
        village.say(&mut *unit, journal, Phone(1), commands).await;
        commit(unit).await;
    }
    assert_eq!(kept(store, &WHOLE).await, None);
    let there = SegmentKey {
        journal: THERE,
        ..WHOLE
    };
    keep(store, &WHOLE, 0, &segment(b"one")).await;
    keep(store, &WHOLE, 0, &segment(b"another")).await;
    keep(store, &there, 0, &segment(b"there")).await;
    assert_eq!(kept(store, &WHOLE).await, Some(segment(b"one")));
    for other in [
        SegmentKey {
            scope: 0x0f,
            ..WHOLE
        },
        SegmentKey { after: 1, ..WHOLE },
    ] {
        assert_eq!(kept(store, &other).await, None);
    }
    let ends = async |scope, seq| {
        let mut reading = read(store).await;
        let ends = reading.segment_ends(HERE, scope, seq).await;
        ends.expect("a reading")
    };
    assert!(ends(WHOLE.scope, 1).await);
    assert!(!ends(WHOLE.scope, 2).await && !ends(1, 1).await);

    rewrite(store, HERE).await;
    assert_eq!(kept(store, &WHOLE).await, None);
    assert_eq!(kept(store, &there).await, Some(segment(b"there")));
    keep(store, &WHOLE, 0, &segment(b"one")).await;
    assert_eq!(kept(store, &WHOLE).await, None, "it was packed before");
    let rewritings = read(store).await.rewritings(HERE).await.expect("a reading");
    keep(store, &WHOLE, rewritings, &segment(b"anew")).await;
    assert_eq!(kept(store, &WHOLE).await, Some(segment(b"anew")));
}
