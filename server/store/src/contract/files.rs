//! Files that an erasure takes along.

use std::collections::BTreeSet;

use sync_core::id::{Digest, JournalId};

use super::{begin, commit, read};
use crate::Store;

const HERE: JournalId = JournalId([1; 16]);
const THERE: JournalId = JournalId([2; 16]);
const ONE: Digest = Digest([3; 32]);
const OTHER: Digest = Digest([4; 32]);

async fn noted(store: &dyn Store) -> Vec<(JournalId, Digest)> {
    let mut reading = read(store).await;
    let noted = reading.erased_files().await.expect("a reading");
    noted.into_iter().collect()
}

/// A file is noted with its unit or not at all, once for each journal however often, until it is struck out there.
pub async fn an_erased_file_is_noted_with_its_unit_until_it_is_struck_out(store: &dyn Store) {
    let both = BTreeSet::from([ONE, OTHER]);
    let mut unit = begin(store).await;
    let noting = unit.note_erased_files(HERE, &both).await;
    noting.expect("noted");
    drop(unit);
    assert_eq!(noted(store).await, []);

    for _ in 0..2 {
        let mut unit = begin(store).await;
        for (journal, files) in [(HERE, &both), (THERE, &BTreeSet::from([ONE]))] {
            let noting = unit.note_erased_files(journal, files).await;
            noting.expect("noted");
        }
        commit(unit).await;
    }
    assert_eq!(
        noted(store).await,
        [(HERE, ONE), (HERE, OTHER), (THERE, ONE)]
    );
    for _ in 0..2 {
        let mut unit = begin(store).await;
        let struck = unit.strike_erased_file(HERE, ONE).await;
        struck.expect("struck out");
        commit(unit).await;
    }
    assert_eq!(noted(store).await, [(HERE, OTHER), (THERE, ONE)]);
}
