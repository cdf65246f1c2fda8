//! What is kept outside the database: the newest signed checkpoint, the leaves that it covers, and the operator's own entries.
//!
//! They lie beside the log key. They are written once the leaves are committed, and before anybody is shown the checkpoint, so that
//! nobody ever holds a checkpoint that these files do not reach. A database behind it has lost what was acknowledged: whatever were
//! admitted on top would be a second history. Such a server admits nothing, signs nothing, and can be read, until it is refilled
//! ([`super::refill`]): the leaves say to which heads, the operator's entries (of the registry and of access journals) come from
//! here, and those of the villages from the phones.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use store::journals::{LogLeaf, ReadJournals, SignedCheckpoint};
use store::{Store, StoreError};
use sync_core::batch::Position;
use sync_core::cbor;
use sync_core::checkpoint::merkle::Frontier;
use sync_core::checkpoint::{self, Checkpoint, Leaf, open_checkpoint};
use sync_core::id::{DeploymentId, Digest, JournalId, Seq, Timestamp};
use sync_core::sign::PublicKey;
use sync_core::sync::refill::CoveredHeads;
use sync_core::sync::wire::{WireBody, WireEntry};

use crate::journals::publish::{frontier, hash};
use crate::keys::write_durably;

/// The checkpoint's place in the data folder.
pub const FILE: &str = "keys/checkpoint";
/// The leaves that it covers, one after the other.
pub const LEAVES: &str = "keys/leaves";
/// The operator's entries up to the heads that it covers.
pub const ENTRIES: &str = "keys/entries";

/// A leaf in its file: journal, position, head.
const LEAF_BYTES: usize = 16 + 8 + 32;
/// How much of a journal is read at once.
const PAGE_BYTES: usize = 1 << 20;

/// The checkpoint that was last signed, and whether the database bears it.
#[derive(Debug)]
pub struct Kept {
    data_dir: PathBuf,
    key: PublicKey,
    origin: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    behind: Option<Behind>,
    newest: Option<SignedCheckpoint>,
    /// How many leaves of the file are good.
    leaves: u64,
    /// How many bytes of the entries' file are good, and how far they reach.
    entries: u64,
    reach: BTreeMap<JournalId, Seq>,
    covered: Option<Arc<Covered>>,
}

/// What the kept checkpoint covers, while the database is behind it.
#[derive(Debug, Default)]
pub struct Covered {
    /// All its leaves.
    pub leaves: Vec<LogLeaf>,
    /// The heads that they cover.
    pub heads: CoveredHeads,
}

impl Covered {
    /// What these leaves cover.
    pub fn of(leaves: Vec<LogLeaf>) -> Self {
        let heads = CoveredHeads::of(leaves.iter().map(|leaf| Leaf {
            journal: leaf.journal,
            seq: leaf.end.seq,
            head: leaf.end.head,
        }));
        Self { leaves, heads }
    }
}

/// One of the operator's entries in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEntry {
    /// Its journal.
    pub journal: JournalId,
    /// The entry, whole.
    pub entry: WireEntry,
}

/// The database is behind the checkpoint that was last signed, or holds another history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// The size of the log that was signed.
    pub signed: u64,
    /// The size of the log in the database.
    pub here: u64,
}

/// Why the kept checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file cannot be read.
    #[error("the last checkpoint {} cannot be read", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds no checkpoint of this log.
    #[error("{} is no checkpoint that this log's key signed; restore it and keys/log.key from one backup", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// What was published could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The file cannot be written: the checkpoint is shown to nobody until it can.
    #[error("the last checkpoint cannot be written to {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Kept {
    /// Reads what is kept in a data folder, and holds the database against it.
    pub async fn open(
        data_dir: &Path,
        key: &PublicKey,
        deployment: DeploymentId,
        store: &dyn Store,
    ) -> Result<Self, KeptError> {
        let kept = Self {
            data_dir: data_dir.to_owned(),
            key: key.clone(),
            origin: checkpoint::origin(deployment),
            state: Mutex::default(),
        };
        // First the files, then the database: meanwhile a running server may go on, and the database is never behind then.
        let path = data_dir.join(FILE);
        let note = match fs::read_to_string(&path) {
            Ok(note) => Some(note),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(KeptError::File { path, source }),
        };
        let Some(note) = note else {
            return Ok(kept);
        };
        let Some(signed) = kept.signed(&note) else {
            return Err(KeptError::Foreign { path });
        };
        kept.read(store, signed, note).await?;
        Ok(kept)
    }

    /// The checkpoint of a note, if this log's key signed it.
    fn signed(&self, note: &str) -> Option<Checkpoint> {
        open_checkpoint(note, &self.origin, &self.key).ok()
    }

    async fn read(
        &self,
        store: &dyn Store,
        signed: Checkpoint,
        note: String,
    ) -> Result<(), KeptError> {
        let leaves = self.leaves_of(&signed)?;
        let entries = kept_entries(&read_file(&self.data_dir.join(ENTRIES))?);
        let mut unit = store.read().await?;
        let behind = behind(&mut *unit, &signed).await?;
        let stored = unit.newest_checkpoint().await?;
        let signed_at = stored
            .filter(|stored| stored.note == note)
            .map_or(Timestamp(0), |stored| stored.signed_at);
        let reach = entries.0.iter().map(|kept| (kept.journal, kept.entry.seq));
        let state = State {
            leaves: leaves.as_ref().map_or(0, |leaves| leaves.len() as u64),
            covered: leaves
                .filter(|_| behind.is_some())
                .map(|leaves| Arc::new(Covered::of(leaves))),
            behind,
            newest: Some(SignedCheckpoint {
                size: signed.size,
                signed_at,
                note,
            }),
            entries: entries.1,
            reach: reach.collect(),
        };
        *self.state() = state;
        Ok(())
    }

    /// The leaves that a checkpoint covers, if the file has them all.
    fn leaves_of(&self, signed: &Checkpoint) -> Result<Option<Vec<LogLeaf>>, KeptError> {
        let bytes = read_file(&self.data_dir.join(LEAVES))?;
        let leaves: Vec<LogLeaf> = (0..signed.size)
            .zip(bytes.chunks_exact(LEAF_BYTES))
            .filter_map(|(position, bytes)| leaf(position, bytes))
            .collect();
        let mut frontier = Frontier::default();
        for leaf in &leaves {
            frontier.append(hash(leaf));
        }
        let whole = frontier.size() == signed.size && frontier.root() == signed.root;
        Ok(whole.then_some(leaves))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }

    /// Whether the database is behind.
    pub fn behind(&self) -> Option<Behind> {
        self.state().behind
    }

    /// Refuses to go on if the database is behind.
    pub fn guard(&self) -> Result<(), StoreError> {
        self.behind().map_or(Ok(()), |_| Err(StoreError::Behind))
    }

    /// The newest checkpoint that may be shown: the one that is kept.
    pub fn newest(&self) -> Option<SignedCheckpoint> {
        self.state().newest.clone()
    }

    /// What the kept checkpoint covers, while the database is behind it and all its leaves are here.
    pub fn covered(&self) -> Option<Arc<Covered>> {
        self.state().covered.clone()
    }

    /// The operator's entries that are kept here.
    pub fn operators_entries(&self) -> Result<Vec<KeptEntry>, KeptError> {
        Ok(kept_entries(&read_file(&self.data_dir.join(ENTRIES))?).0)
    }

    /// The database bears the kept checkpoint again.
    pub fn is_refilled(&self) {
        let mut state = self.state();
        (state.behind, state.covered) = (None, None);
    }

    /// Somebody shows a checkpoint. If this log's key signed it and it is not part of what is kept here, this server has lost that
    /// it did: from now on it is the one that the database is held against, and after a restart too.
    pub async fn is_shown(&self, store: &dyn Store, note: &str) -> Result<(), KeptError> {
        let known = self.newest().map_or(0, |newest| newest.size);
        let Some(signed) = self.signed(note).filter(|signed| signed.size > known) else {
            return Ok(());
        };
        let path = self.data_dir.join(FILE);
        let written = write_durably(&path, note);
        written.map_err(|source| KeptError::File { path, source })?;
        tracing::error!(
            log.signed = signed.size,
            log.kept = known,
            "A DEVICE SHOWS A LARGER CHECKPOINT THAT THIS LOG SIGNED: nothing is admitted from now on"
        );
        self.read(store, signed, note.to_owned()).await
    }

    /// Keeps a checkpoint whose leaves are committed, with them and the operator's entries that they cover. Afterwards it may be
    /// shown.
    pub async fn keep(
        &self,
        store: &dyn Store,
        checkpoint: &SignedCheckpoint,
    ) -> Result<(), PublishError> {
        let (known, from, mut at, mut reach) = {
            let state = self.state();
            let known = state.newest.as_ref().map_or(0, |newest| newest.size);
            (known, state.leaves, state.entries, state.reach.clone())
        };
        if known > checkpoint.size || (known == checkpoint.size && from >= known) {
            return Ok(());
        }
        let mut unit = store.read().await?;
        let mut leaves = unit.leaves(from).await?;
        leaves.retain(|leaf| leaf.position < checkpoint.size);
        let mut entries = Vec::new();
        let moved: BTreeMap<JournalId, Seq> = leaves
            .iter()
            .map(|leaf| (leaf.journal, leaf.end.seq))
            .collect();
        for (journal, until) in moved {
            let after = reach.get(&journal).copied().unwrap_or(0);
            operators_since(&mut *unit, journal, after, until, &mut entries).await?;
            if let Some(last) = entries.last().filter(|last| last.journal == journal) {
                reach.insert(journal, last.entry.seq);
            }
        }
        drop(unit);
        let (folder, note) = (self.data_dir.clone(), checkpoint.note.clone());
        let size = from + leaves.len() as u64;
        let written = tokio::task::spawn_blocking(move || {
            let bytes: Vec<u8> = leaves.iter().flat_map(leaf_bytes).collect();
            append(&folder.join(LEAVES), from * LEAF_BYTES as u64, &bytes)?;
            let bytes: Vec<u8> = entries.iter().flat_map(entry_bytes).collect();
            append(&folder.join(ENTRIES), at, &bytes)?;
            at += bytes.len() as u64;
            write_durably(&folder.join(FILE), &note).map(|()| at)
        })
        .await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        let entries = written.map_err(|source| PublishError::File {
            path: self.data_dir.join(FILE),
            source,
        })?;
        let mut state = self.state();
        state.newest = Some(checkpoint.clone());
        (state.leaves, state.entries, state.reach) = (size, entries, reach);
        Ok(())
    }
}

/// The entries of a journal in a range of positions, if they are the operator's.
async fn operators_since<R: ReadJournals + ?Sized>(
    unit: &mut R,
    journal: JournalId,
    mut after: Seq,
    until: Seq,
    entries: &mut Vec<KeptEntry>,
) -> Result<(), StoreError> {
    // Nearly all journals are villages': one entry tells.
    let first = unit.entries(journal, after, 1).await?;
    if first.first().is_none_or(|first| first.head.catalogue != 0) {
        return Ok(());
    }
    while after < until {
        let page = unit.entries(journal, after, PAGE_BYTES).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.head.seq;
        for stored in page {
            // No catalogue judges what the operator enters.
            if stored.head.catalogue != 0 {
                return Ok(());
            }
            if stored.head.seq <= until {
                let entry = WireEntry::new(&stored.head, WireBody::Batch(stored.batch));
                entries.push(KeptEntry { journal, entry });
            }
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Vec<u8>, KeptError> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(KeptError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Writes at a place of a file, whose rest goes, and returns once it would survive a power cut.
fn append(path: &Path, at: u64, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.set_len(at)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn leaf(position: u64, bytes: &[u8]) -> Option<LogLeaf> {
    let (journal, rest) = bytes.split_first_chunk::<16>()?;
    let (seq, head) = rest.split_first_chunk::<8>()?;
    Some(LogLeaf {
        position,
        journal: JournalId(*journal),
        end: Position {
            seq: u64::from_be_bytes(*seq),
            head: Digest(head.try_into().ok()?),
        },
    })
}

fn leaf_bytes(leaf: &LogLeaf) -> Vec<u8> {
    let LogLeaf { journal, end, .. } = leaf;
    [&journal.0[..], &end.seq.to_be_bytes(), &end.head.0].concat()
}

fn entry_bytes(entry: &KeptEntry) -> Vec<u8> {
    let bytes = cbor::encode(&(entry.journal, entry.entry.clone()));
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &bytes].concat()
}

/// The entries of a file, and how many of its bytes they take: what was torn when it was written last is not read.
fn kept_entries(mut bytes: &[u8]) -> (Vec<KeptEntry>, u64) {
    let (mut entries, mut good) = (Vec::new(), 0);
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((entry, rest)) = rest.split_at_checked(length) else {
            break;
        };
        let Ok((journal, entry)) = cbor::decode(entry) else {
            break;
        };
        entries.push(KeptEntry { journal, entry });
        good += 4 + length as u64;
        bytes = rest;
    }
    (entries, good)
}

/// Whether the log in the database does not continue a checkpoint.
async fn behind<R: ReadJournals + ?Sized>(
    unit: &mut R,
    signed: &Checkpoint,
) -> Result<Option<Behind>, StoreError> {
    let here = unit.newest_checkpoint().await?.map_or(0, |it| it.size);
    if here < signed.size {
        return Ok(Some(Behind {
            signed: signed.size,
            here,
        }));
    }
    let root = frontier(unit, signed.size).await?.root();
    Ok((root != signed.root).then_some(Behind {
        signed: signed.size,
        here,
    }))
}
