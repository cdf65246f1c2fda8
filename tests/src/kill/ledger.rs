//! What the journal in the server's database holds, read entry by entry and held against what the phones were told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, ensure};
use store::Store as _;
use store_sqlite::SqliteStore;
use sync_core::batch::Position;
use sync_core::command::Verb;
use sync_core::id::{DeviceId, JournalId, Seq};
use sync_core::journal::Chain;

const PAGE_BYTES: usize = 1 << 20;

/// The journal as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    chain: Option<Chain>,
    /// The position at which each number counts first.
    numbers: BTreeMap<u64, Seq>,
    doubled: BTreeSet<u64>,
    /// How many commands of each device are there: all up to this one.
    lanes: BTreeMap<DeviceId, u64>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Reads on. What was read before must still be there.
    pub(super) fn read(&mut self, database: &Path, journal: JournalId) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.read_on(database, journal))
    }

    async fn read_on(&mut self, database: &Path, journal: JournalId) -> anyhow::Result<()> {
        let store = SqliteStore::open(database).await?;
        let mut unit = store.read().await?;
        let mut chain = self.chain.unwrap_or_else(|| Chain::start(journal));
        let Position { seq, head } = chain.end;
        let heads = unit.heads(journal, &[seq].into()).await?;
        let (known, _) = heads.get(&seq).context("entries are gone")?;
        ensure!(*known == head, "the journal has another history");
        loop {
            let page = unit.entries(journal, chain.end.seq, PAGE_BYTES).await?;
            if page.is_empty() {
                break;
            }
            for stored in page {
                chain = chain.append(&stored.head)?;
                ensure!(chain.end.head == stored.chain_head, "a broken chain");
                let end = self.lanes.entry(stored.batch.device).or_default();
                ensure!(
                    stored.batch.first == *end + 1,
                    "a lane with a gap or a repeat"
                );
                *end += stored.head.fates.len() as u64;
                let parts = stored.batch.open()?;
                for (command, fate) in parts.commands().zip(&stored.head.fates) {
                    let values = command.content.context("a content")?.values;
                    let number = values.get("householder").and_then(|value| value.as_text());
                    if command.envelope.verb != Verb::Create || !fate.counts() {
                        continue;
                    }
                    let number = number.context("a household")?.parse()?;
                    if self.numbers.insert(number, chain.end.seq).is_some() {
                        self.doubled.insert(number);
                    }
                }
            }
        }
        self.chain = Some(chain);
        Ok(())
    }

    /// How many commands there are.
    pub(super) fn commands(&self) -> u64 {
        self.lanes.values().sum()
    }

    /// How many of these numbers are lost, and how many of all are there twice.
    pub(super) fn compare(&self, numbers: impl Iterator<Item = u64>) -> (u64, u64) {
        let lost = numbers.filter(|number| !self.numbers.contains_key(number));
        (lost.count() as u64, self.doubled.len() as u64)
    }
}
