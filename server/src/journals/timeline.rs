//! The commands that speak of a record: those in its timeline as far as its journal is folded, then what came after.

use std::collections::BTreeSet;

use store::StoreError;
use store::journals::{ReadJournals, Stored};
use sync_core::id::{JournalId, RecordId, Seq};
use sync_core::journal::Entry;
use sync_core::record::{self, Logged, Record};

/// How much of a journal is read at once where it is not folded.
const PAGE_BYTES: usize = 256 * 1024;

/// An entry with its batch opened.
pub fn open(stored: Stored) -> Result<Entry, StoreError> {
    let parts = stored
        .batch
        .open()
        .map_err(|_| StoreError::Impossible("an entry that does not open"))?;
    Ok(Entry {
        head: stored.head,
        parts,
    })
}

/// Whether a command speaks of a record.
pub fn speaks_of(logged: &Logged, record: RecordId) -> bool {
    record::touches(&logged.command.envelope).any(|touched| touched == record)
}

/// The entries at or before a position that a record's timeline names, in order.
async fn named<R: ReadJournals + ?Sized>(
    unit: &mut R,
    record: &Record,
    upto: Seq,
) -> Result<Vec<Entry>, StoreError> {
    let places = record.steps.iter().map(|step| step.place.seq);
    let at: BTreeSet<Seq> = places.filter(|seq| *seq <= upto).collect();
    let stored = unit.entries_at(record.journal, &at).await?;
    stored.into_iter().map(open).collect()
}

/// The commands of a folded record's timeline at or before a position, in order.
pub async fn until<R: ReadJournals + ?Sized>(
    unit: &mut R,
    record: &Record,
    upto: Seq,
) -> Result<Vec<Logged>, StoreError> {
    let entries = named(unit, record, upto).await?;
    Ok(logged(&entries, record.id))
}

/// All entries that speak of a record, in order.
pub async fn entries<R: ReadJournals + ?Sized>(
    unit: &mut R,
    journal: JournalId,
    record: RecordId,
) -> Result<Vec<Entry>, StoreError> {
    let folded = unit.folded_seq(journal).await?;
    let mut found = match unit.record(journal, record).await? {
        Some(known) => named(unit, &known.record, folded).await?,
        None => Vec::new(),
    };
    let mut after = folded;
    loop {
        let page = unit.entries(journal, after, PAGE_BYTES).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = last.head.seq;
        for stored in page {
            let entry = open(stored)?;
            if record::logged(&entry).any(|logged| speaks_of(&logged, record)) {
                found.push(entry);
            }
        }
    }
}

/// All commands that speak of a record, in order.
pub async fn log<R: ReadJournals + ?Sized>(
    unit: &mut R,
    journal: JournalId,
    record: RecordId,
) -> Result<Vec<Logged>, StoreError> {
    let entries = entries(unit, journal, record).await?;
    Ok(logged(&entries, record))
}

fn logged(entries: &[Entry], record: RecordId) -> Vec<Logged> {
    let all = entries.iter().flat_map(record::logged);
    all.filter(|logged| speaks_of(logged, record)).collect()
}
